//! Modules as memory holds them: what their headers say, and the tables that unwinding on Windows needs.
//!
//! Debuggers take code from symbol stores and not from a dump; but where a full dump has a module's `.pdata` and `.xdata`
//! and no store has the module, they are the only way up the stack.

use goblin::pe;
use scroll::{LE, Pread};

use super::build::Builder;
use crate::dump::module_header::{HEADER, coff, kind_of};
use crate::dump::{Class, Module};
use crate::error::Result;
use crate::memory::AddressSpace;
use crate::span::Address;

/// Says of each module what its header in memory is, where the dump holds it, and keeps its unwind tables.
pub(super) fn read(build: &mut Builder<'_>, memory: &AddressSpace) -> Result<()> {
    let mut page = vec![0; usize::try_from(HEADER).unwrap_or(0)];
    let mut modules = std::mem::take(&mut build.map.modules);
    for module in &mut modules {
        let len = page.len().min(usize::try_from(module.size).unwrap_or(usize::MAX));
        let Some(room) = page.get_mut(..len) else { continue };
        let got = memory.read(build.image(), module.base, room)?;
        let header = room.get(..got).unwrap_or_default();
        module.header = kind_of(header);
        if let Some(table) = exceptions(header) {
            table.keep(build, memory, module)?;
        }
    }
    build.map.modules = modules;
    Ok(())
}

/// The exception directory of a PE image (`.pdata`): one entry for each function, sorted by address.
struct Exceptions {
    rva: u64,
    len: u64,
    /// Bytes of an entry, and where in it the place of the unwind information is.
    entry: usize,
    info_at: usize,
}

fn exceptions(header: &[u8]) -> Option<Exceptions> {
    let (coff, at) = coff(header)?;
    let (entry, info_at) = match coff.machine {
        pe::header::COFF_MACHINE_X86_64 => (12, 8),
        pe::header::COFF_MACHINE_ARM64 | pe::header::COFF_MACHINE_ARMNT => (8, 4),
        _ => return None,
    };
    let optional: pe::optional_header::OptionalHeader = header.get(at..)?.pread_with(0, LE).ok()?;
    let table = optional.data_directories.get_exception_table()?;
    Some(Exceptions { rva: table.virtual_address.into(), len: table.size.into(), entry, info_at })
}

impl Exceptions {
    /// Keeps the table and, as one range, the unwind information (`.xdata`) that its entries point at.
    fn keep(&self, build: &mut Builder<'_>, memory: &AddressSpace, module: &Module) -> Result<()> {
        let len = self.len.min(module.size.saturating_sub(self.rva));
        let table = module.base.plus(self.rva);
        build.memory_classes.paint(table, len, Class::Keep);
        if let Some((first, last)) = self.infos(build, memory, table, len)? {
            // 4 bytes, 255 codes of two bytes, and the handler's place behind them.
            let end = last.saturating_add(4 + 2 * 256 + 4).min(module.size);
            build.memory_classes.paint(module.base.plus(first), end.saturating_sub(first), Class::Keep);
        }
        Ok(())
    }

    /// The lowest and the highest place that entries point at.
    fn infos(
        &self,
        build: &mut Builder<'_>,
        memory: &AddressSpace,
        table: Address,
        len: u64,
    ) -> Result<Option<(u64, u64)>> {
        let mut chunk = vec![0; (1 << 12) / self.entry * self.entry];
        let (mut done, mut range): (u64, Option<(u64, u64)>) = (0, None);
        // A page costs a unit: modules by the thousand may claim the same gigabytes as their table.
        while done < len && build.take("unwind tables") {
            let room = chunk.len().min(usize::try_from(len - done).unwrap_or(usize::MAX));
            let got = memory.read(build.image(), table.plus(done), chunk.get_mut(..room).unwrap_or_default())?;
            for entry in chunk.get(..got).unwrap_or_default().chunks_exact(self.entry) {
                let place = entry.pread_with::<u32>(self.info_at, LE).map(u64::from).unwrap_or(0);
                // Low bits set: a packed entry, or one that refers to another entry.
                if place != 0 && place & 3 == 0 {
                    let (first, last) = range.unwrap_or((place, place));
                    range = Some((first.min(place), last.max(place)));
                }
            }
            done += got as u64;
            if got < room {
                break;
            }
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, kind, module};
    use super::*;

    /// The first bytes of a PE image for `machine`.
    fn pe(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x80;
        bytes[0x80..0x84].copy_from_slice(b"PE\0\0");
        bytes[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    /// The first bytes of a 64-bit ELF image for `machine`.
    fn elf(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[16..21].copy_from_slice(&[3, 0, machine, 0, 1]);
        bytes
    }

    #[test]
    fn headers_in_memory_say_what_a_module_is() {
        let mut mach = vec![0; 0x200];
        mach[..8].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1]);
        for (header, expected) in [
            (pe(0x8664), Some("PE x86-64")),
            (pe(0x14c), Some("PE x86")),
            (pe(0x1234), Some("PE machine 0x1234")),
            (elf(62), Some("ELF x86-64")),
            (elf(183), Some("ELF arm64")),
            (mach, Some("Mach-O arm64")),
            (vec![0; 0x200], None),
            (b"MZ".to_vec(), None),
        ] {
            let mut file = File::new(2);
            file.memory(0x40_0000, &header);
            let mut numbers = vec![(1, 4)];
            numbers.extend(module(0x40_0000, 0x1000, 0, (0, 0)));
            file.numbers(kind::MODULES, &numbers);
            assert_eq!(file.map().modules[0].header.as_deref(), expected);
        }
    }

    #[test]
    fn unwind_tables_are_kept_where_the_dump_has_them() {
        let mut image = pe(0x8664);
        image.resize(0x9000, 0);
        // The optional header: PE32+, 16 directories, the fourth is the exception directory.
        image[0x98..0x9a].copy_from_slice(&0x20b_u16.to_le_bytes());
        image[0x98 + 108] = 16;
        image[0x98 + 112 + 24..][..8].copy_from_slice(&[0x00, 0x20, 0, 0, 24, 0, 0, 0]);
        for (entry, info) in [(0x2000, 0x5000_u32), (0x200c, 0x4000)] {
            image[entry + 8..entry + 12].copy_from_slice(&info.to_le_bytes());
        }
        let mut file = File::new(2);
        let at = file.memory(0x40_0000, &image);
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0x40_0000, 0x9000, 0, (0, 0)));
        file.numbers(kind::MODULES, &numbers);
        let map = file.map();
        let kept = [0x1fff, 0x2000, 0x2017, 0x2018, 0x3fff, 0x4000, 0x5000, 0x5400].map(|i| class(&map, at + i));
        let (yes, no) = (Class::Keep, Class::Free);
        assert_eq!(kept, [no, yes, yes, no, no, yes, yes, no]);
    }
}
