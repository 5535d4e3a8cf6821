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
//! | `modules` | modules loaded and gone, CodeView records, headers in memory |
//! | `threads`, `context` | threads, stacks, names, registers |
//! | `process` | TEB, PEB, environment and command line in memory |
//! | `streams` | strings that other streams point at |
//! | `paint` | a label and a class for every byte |

mod build;
mod context;
mod directory;
mod kinds;
mod memory;
mod modules;
mod paint;
mod process;
mod records;
mod rights;
mod streams;
mod strings;
mod system;
#[cfg(test)]
mod testing;
mod threads;

use crate::dump::{DumpMap, Format};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;

use build::Builder;

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
        let mut build = Builder::new(image, limits, directory::byte_order(image)?);
        directory::read(&mut build)?;
        system::read(&mut build)?;
        memory::read(&mut build)?;
        // Ranges of addresses are painted from the general to the particular: heap, modules, stacks, blocks.
        rights::read(&mut build)?;
        modules::read(&mut build)?;
        let tebs = threads::read(&mut build)?;
        let memory = build.space();
        modules::read_headers(&mut build, &memory)?;
        process::read(&mut build, &memory, &tebs)?;
        streams::read(&mut build)?;
        paint::paint(&mut build, limits.map_records);
        let mut map = build.map;
        map.faults = build.reader.take_faults();
        map.faults.sort();
        Ok(map)
    }
}
