//! Minidumps: Windows, Breakpad, Crashpad, LLDB.
//!
//! A minidump is a header, a directory of streams, and whatever the streams point at. Processors take the one stream and
//! the one list that they need and leave out what does not fit; a scanner must see all that is there. So every descriptor
//! is walked here: both kinds of memory list, duplicates, ranges that a truncated file holds in part, stacks without a
//! place. What does not fit becomes a [`crate::error::Fault`] and the rest goes on.
//!
//! The record layouts come from `minidump-common`, registers from `minidump`, module headers from `goblin`; no other
//! folder knows these crates. Layouts are those of `minidumpapiset.h`, and Breakpad's and Crashpad's extensions of it.
//!
//! | file | reads |
//! |---|---|
//! | `directory`, `kinds` | header, directory; names and classes of streams |
//! | `system` | SystemInfo, MiscInfo, the crash |
//! | `memory`, `rights` | MemoryList, Memory64List; MemoryInfoList, LinuxMaps |
//! | `modules`, `images` | modules loaded and gone, CodeView records; headers and unwind tables in memory |
//! | `threads`, `context` | threads, stacks, names, registers |
//! | `process` | TEB, PEB, environment and command line in memory |
//! | `streams` | strings that other streams point at |

mod build;
mod context;
mod directory;
mod images;
mod kinds;
mod memory;
mod modules;
mod process;
mod records;
mod rights;
mod streams;
mod strings;
mod system;
#[cfg(test)]
pub(super) mod testing;
mod threads;

use crate::dump::{DumpMap, Format};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;

use build::{Builder, Own};

/// The minidump format, in either byte order.
pub struct Minidump;

impl Format for Minidump {
    fn name(&self) -> &'static str {
        "minidump"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(b"MDMP") || head.starts_with(b"PMDM")
    }

    fn map(&self, image: &Image, limits: &Limits) -> Result<DumpMap> {
        let mut build = Builder::new(self.name(), image, limits, directory::byte_order(image)?, Own::default());
        directory::read(&mut build)?;
        system::read(&mut build)?;
        memory::read(&mut build)?;
        // Ranges of addresses are painted from the general to the particular: heap, modules, stacks, blocks.
        rights::read(&mut build)?;
        modules::read(&mut build)?;
        let tebs = threads::read(&mut build)?;
        let memory = build.space();
        images::read(&mut build, &memory)?;
        process::read(&mut build, &memory, &tebs)?;
        streams::read(&mut build)?;
        Ok(build.finish(limits))
    }
}

#[cfg(test)]
mod tests {
    //! Whatever the bytes are, a map comes out that accounts for each of them once.

    use super::testing::{File, cpu, kind, map, module, thread};
    use crate::dump::classify;
    use crate::image::Image;
    use crate::span::Span;

    /// A file with something of everything.
    fn sample() -> Vec<u8> {
        let mut file = File::new(12);
        file.system(cpu::AMD64, 2);
        let name = file.text("a.dll");
        let memory = file.memory(0x1000, &(0..=255).cycle().take(2048).collect::<Vec<u8>>());
        let mut context = vec![0; 0x4d0];
        context[0x32] = 0x10;
        context[0x99] = 0x10;
        let context = file.put(&context);
        let mut numbers = vec![(2, 4)];
        numbers.extend(thread(1, 0x1080, (0x1000, 64, memory), (0x4d0, context)));
        numbers.extend(thread(2, 0x1180, (0x1040, 64, 0), (0x4d0, context)));
        file.numbers(kind::THREADS, &numbers);
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0x1200, 0x100, name, (16, name)));
        file.numbers(kind::MODULES, &numbers);
        file.numbers(kind::NAMES, &[(1, 4), (1, 4), (name, 8)]);
        file.numbers(kind::HANDLES, &[(16, 4), (32, 4), (1, 4), (0, 4), (4, 8), (name, 4), (name, 4), (0, 8), (0, 8)]);
        file.numbers(kind::MEMORY64, &[(1, 8), (memory, 8), (0x9000, 8), (100, 8)]);
        file.stream(kind::MAPS, b"1000-2000 rw-p 0 0:0 0 [heap]\n");
        file.stream(kind::ENVIRON, b"A=b\0");
        file.finish()
    }

    fn check(bytes: Vec<u8>) {
        let image = Image::from_bytes("test", bytes.clone());
        let map = map(bytes);
        let whole = classify::classes(&map, &image, Span::new(0, image.len())).unwrap();
        assert_eq!(whole.iter().map(|(span, _)| span.len).sum::<u64>(), image.len());
        let totals = classify::totals(&map, &image).unwrap();
        assert_eq!(totals.frozen + totals.keep + totals.free, image.len());
        let labels: u64 = classify::label_totals(&map).iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(labels, image.len());
        assert!(map.regions.iter().all(|region| region.span.end() <= image.len()));
    }

    #[test]
    fn every_truncation_has_a_map() {
        let bytes = sample();
        (4..bytes.len()).step_by(7).for_each(|len| check(bytes[..len].to_vec()));
    }

    #[test]
    fn every_damage_has_a_map() {
        let mut seed = 11_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let bytes = sample();
        for _ in 0..3000 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random(6) {
                let value = [0, u32::MAX, random(bytes.len()) as u32, 1 << random(32), random(25) as u32][random(5)];
                let reach = if random(2) == 0 { 200 } else { bytes.len() - 8 };
                let at = 4 + random(reach);
                damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            check(damaged);
        }
    }
}
