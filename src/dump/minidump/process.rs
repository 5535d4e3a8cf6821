//! What Windows keeps of a process in the process itself: TEB, PEB, and from there the environment and the command line.
//!
//! A dump with memory holds them like any other bytes; no stream says where. The thread list gives the TEBs, and the rest
//! is found by following pointers. Layouts: `_TEB`, `_PEB`, `_PEB_LDR_DATA`, `_LDR_DATA_TABLE_ENTRY` and
//! `_RTL_USER_PROCESS_PARAMETERS` as the public symbols of ntdll give them; the fields used have not moved since Vista.

use std::collections::HashSet;

use scroll::Pread;

use super::build::Builder;
use super::system;
use super::threads::Tebs;
use crate::dump::{Class, Label};
use crate::error::Result;
use crate::memory::AddressSpace;
use crate::span::Address;

/// Offsets and sizes in bytes, for one width of pointer.
struct Layout {
    width: u64,
    teb: u64,
    teb_self: u64,
    teb_peb: u64,
    peb: u64,
    peb_loader: u64,
    peb_parameters: u64,
    loader: u64,
    loader_list: u64,
    entry: u64,
    entry_names: [u64; 2],
    parameters: u64,
    command_line: u64,
    environment: u64,
    environment_size: u64,
}

const WIDE: Layout = Layout {
    width: 8,
    teb: 0x1838,
    teb_self: 0x30,
    teb_peb: 0x60,
    peb: 0x7d0,
    peb_loader: 0x18,
    peb_parameters: 0x20,
    loader: 0x58,
    loader_list: 0x10,
    entry: 0x138,
    entry_names: [0x48, 0x58],
    parameters: 0x400,
    command_line: 0x70,
    environment: 0x80,
    environment_size: 0x3f0,
};

const NARROW: Layout = Layout {
    width: 4,
    teb: 0x1000,
    teb_self: 0x18,
    teb_peb: 0x30,
    peb: 0x480,
    peb_loader: 0xc,
    peb_parameters: 0x10,
    loader: 0x30,
    loader_list: 0xc,
    entry: 0xa8,
    entry_names: [0x24, 0x2c],
    parameters: 0x298,
    command_line: 0x40,
    environment: 0x48,
    environment_size: 0x290,
};

/// Labels TEBs, PEBs and what hangs on them.
pub(super) fn read(build: &mut Builder<'_>, memory: &AddressSpace, tebs: &Tebs) -> Result<()> {
    if !system::is_windows(build) || memory.is_empty() {
        return Ok(());
    }
    let layout = if build.map.pointer_width == 8 { &WIDE } else { &NARROW };
    let mut walk = Walk { memory, pebs: HashSet::new() };
    for &(index, teb) in tebs {
        walk.teb(build, layout, index, teb)?;
        if layout.width == 8 {
            // Under WOW64 the 32-bit TEB follows the 64-bit one, two pages on.
            let narrow = teb.plus(0x2000);
            let own = pointer(build, memory, narrow.plus(NARROW.teb_self), 4)?;
            if own == Some(narrow.0) {
                walk.teb(build, &NARROW, index, narrow)?;
            }
        }
    }
    Ok(())
}

/// The pointer of `width` bytes at `at`, where the dump holds it whole.
pub(super) fn pointer(build: &Builder<'_>, memory: &AddressSpace, at: Address, width: u64) -> Result<Option<u64>> {
    let mut bytes = [0; 8];
    let endian = build.reader.endian();
    if width == 4 {
        let (four, _) = bytes.split_at_mut(4);
        let whole = memory.read(build.image(), at, four)? == 4;
        return Ok(whole.then(|| four.pread_with::<u32>(0, endian).ok()).flatten().map(u64::from));
    }
    let whole = memory.read(build.image(), at, &mut bytes)? == 8;
    Ok(whole.then(|| bytes.pread_with::<u64>(0, endian).ok()).flatten())
}

/// The way from the TEBs on; each PEB is walked once.
struct Walk<'m> {
    memory: &'m AddressSpace,
    pebs: HashSet<u64>,
}

impl Walk<'_> {
    fn teb(&mut self, build: &mut Builder<'_>, layout: &Layout, thread: usize, teb: Address) -> Result<()> {
        keep(build, teb, layout.teb, Label::Teb(thread));
        let at = teb.plus(layout.teb_peb);
        let Some(peb) = self.pointer(build, layout, at)?.filter(|&peb| peb != 0) else { return Ok(()) };
        // A PEB costs walks along lists; a dump has one, or two under WOW64.
        if self.pebs.len() < 4 && self.pebs.insert(peb) {
            self.peb(build, layout, Address(peb))?;
        }
        Ok(())
    }

    fn peb(&self, build: &mut Builder<'_>, layout: &Layout, peb: Address) -> Result<()> {
        keep(build, peb, layout.peb, Label::Peb);
        if let Some(loader) = self.pointer(build, layout, peb.plus(layout.peb_loader))? {
            self.loader(build, layout, Address(loader))?;
        }
        match self.pointer(build, layout, peb.plus(layout.peb_parameters))? {
            Some(parameters) => self.parameters(build, layout, Address(parameters)),
            None => Ok(()),
        }
    }

    /// The list of modules in load order: a ring of entries, each with the module's path and name.
    fn loader(&self, build: &mut Builder<'_>, layout: &Layout, loader: Address) -> Result<()> {
        keep(build, loader, layout.loader, Label::Peb);
        let head = loader.plus(layout.loader_list);
        let mut seen = HashSet::from([head.0]);
        let mut next = self.pointer(build, layout, head)?;
        while let Some(entry) = next.filter(|&entry| seen.insert(entry)) {
            if !build.take("entries of the loader's list") {
                break;
            }
            let entry = Address(entry);
            keep(build, entry, layout.entry, Label::Peb);
            for name in layout.entry_names {
                if let Some((at, len)) = self.unicode(build, layout, entry.plus(name))? {
                    keep(build, at, len, Label::Peb);
                }
            }
            next = self.pointer(build, layout, entry)?;
        }
        Ok(())
    }

    /// The structure is kept for its pointers; the strings that it points at are where secrets are handed over.
    fn parameters(&self, build: &mut Builder<'_>, layout: &Layout, at: Address) -> Result<()> {
        keep(build, at, layout.parameters, Label::Peb);
        if let Some((line, len)) = self.unicode(build, layout, at.plus(layout.command_line))? {
            build.memory_labels.paint(line, len, Label::CommandLine);
            build.memory_classes.paint(line, len, Class::Free);
        }
        let block = self.pointer(build, layout, at.plus(layout.environment))?.filter(|&block| block != 0);
        let Some(block) = block.map(Address) else { return Ok(()) };
        let told = self.pointer(build, layout, at.plus(layout.environment_size))?.unwrap_or(0);
        let len = environment_length(build, self.memory, block, told)?;
        build.memory_labels.paint(block, len, Label::Environ);
        build.memory_classes.paint(block, len, Class::Free);
        Ok(())
    }

    fn pointer(&self, build: &Builder<'_>, layout: &Layout, at: Address) -> Result<Option<u64>> {
        pointer(build, self.memory, at, layout.width)
    }

    /// A `UNICODE_STRING`: lengths of 16 bits, then the pointer to the letters, aligned to its size.
    fn unicode(&self, build: &Builder<'_>, layout: &Layout, at: Address) -> Result<Option<(Address, u64)>> {
        let mut lengths = [0; 4];
        let whole = self.memory.read(build.image(), at, &mut lengths)? == 4;
        let len = lengths.pread_with::<u16>(0, build.reader.endian()).unwrap_or(0);
        let buffer = self.pointer(build, layout, at.plus(layout.width))?;
        let some = buffer.filter(|&buffer| whole && buffer != 0 && len > 0);
        Ok(some.map(|buffer| (Address(buffer), u64::from(len))))
    }
}

fn keep(build: &mut Builder<'_>, at: Address, len: u64, label: Label) {
    build.memory_labels.paint(at, len, label);
    build.memory_classes.paint(at, len, Class::Keep);
}

/// Length in bytes of an environment block: `NAME=value` strings in UTF-16, each ended by a NUL, the last one by two.
///
/// `EnvironmentSize` is what was allocated, and unset in some versions; the double NUL is what every reader goes by. The
/// longer of both is taken, since a label too long costs nothing.
fn environment_length(build: &Builder<'_>, memory: &AddressSpace, block: Address, told: u64) -> Result<u64> {
    /// Windows ends a block at 32,767 letters of one variable; a megabyte is far beyond all blocks seen.
    const MOST: usize = 1 << 20;
    let mut bytes = vec![0; MOST];
    let got = memory.read(build.image(), block, &mut bytes)?;
    let units = bytes.get(..got).unwrap_or_default().as_chunks::<2>().0;
    let end = units.windows(2).position(|pair| matches!(pair, [[0, 0], [0, 0]]));
    let seen = end.map_or(got as u64, |letters| letters as u64 * 2 + 4);
    Ok(if told <= MOST as u64 { seen.max(told) } else { seen })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, cpu, kind, label, thread};
    use super::*;

    /// Where the blocks of the fixture lie in its memory.
    const BASE: u64 = 0x10_0000;
    const TEB: u64 = 0x1000;
    const PEB: u64 = 0x5000;
    const LOADER: u64 = 0x6000;
    const ENTRY: u64 = 0x6200;
    const PATH: u64 = 0x6500;
    const PARAMETERS: u64 = 0x7000;
    const LINE: u64 = 0x7800;
    const BLOCK: u64 = 0x8000;

    struct Memory {
        bytes: Vec<u8>,
        width: usize,
    }

    impl Memory {
        fn pointer(&mut self, at: u64, to: u64) {
            let at = at as usize;
            self.bytes[at..at + self.width].copy_from_slice(&(BASE + to).to_le_bytes()[..self.width]);
        }

        fn string(&mut self, at: u64, to: u64, len: u8) {
            self.bytes[at as usize] = len;
            self.pointer(at + self.width as u64, to);
        }

        fn text(&mut self, at: u64, text: &str) {
            for (i, unit) in text.encode_utf16().enumerate() {
                self.bytes[at as usize + 2 * i..][..2].copy_from_slice(&unit.to_le_bytes());
            }
        }
    }

    /// A process with TEB, PEB, one module in the loader's list, a command line and an environment, by the offsets that
    /// the debugger's `dt` prints.
    fn process(wide: bool) -> Memory {
        let mut memory = Memory { bytes: vec![0; 0x9000], width: if wide { 8 } else { 4 } };
        let pick = |of_wide: u64, of_narrow: u64| if wide { of_wide } else { of_narrow };
        memory.pointer(TEB + pick(0x30, 0x18), TEB);
        memory.pointer(TEB + pick(0x60, 0x30), PEB);
        memory.pointer(PEB + pick(0x18, 0xc), LOADER);
        memory.pointer(PEB + pick(0x20, 0x10), PARAMETERS);
        memory.pointer(LOADER + pick(0x10, 0xc), ENTRY);
        memory.pointer(ENTRY, LOADER + pick(0x10, 0xc));
        memory.string(ENTRY + pick(0x48, 0x24), PATH, 16);
        memory.text(PATH, r"C:\a.exe");
        memory.string(PARAMETERS + pick(0x70, 0x40), LINE, 20);
        memory.text(LINE, "a.exe -p x");
        memory.pointer(PARAMETERS + pick(0x80, 0x48), BLOCK);
        memory.text(BLOCK, "A=b\0LONG=value\0\0");
        memory
    }

    fn check(processor: u64, memory: &Memory, teb: u64) {
        let mut file = File::new(3);
        file.system(processor, 2);
        let at = file.memory(BASE, &memory.bytes);
        let mut numbers = vec![(1, 4)];
        numbers.extend(thread(9, BASE.wrapping_add(teb), (0, 0, 0), (0, 0)));
        file.numbers(kind::THREADS, &numbers);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        for (place, name, expected) in [
            (TEB, "TEB of thread 9", Class::Keep),
            (PEB, "PEB", Class::Keep),
            (LOADER, "PEB", Class::Keep),
            (ENTRY, "PEB", Class::Keep),
            (PATH + 15, "PEB", Class::Keep),
            (PATH + 16, "memory", Class::Free),
            (PARAMETERS, "PEB", Class::Keep),
            (LINE, "command line", Class::Free),
            (LINE + 19, "command line", Class::Free),
            (LINE + 20, "memory", Class::Free),
            (BLOCK, "environment", Class::Free),
            (BLOCK + 31, "environment", Class::Free),
            (BLOCK + 32, "memory", Class::Free),
        ] {
            assert_eq!((label(&map, at + place).as_str(), class(&map, at + place)), (name, expected), "{place:#x}");
        }
    }

    #[test]
    fn environment_and_command_line_are_found_in_64_bit_processes() {
        check(cpu::AMD64, &process(true), TEB);
        check(cpu::ARM64, &process(true), TEB);
    }

    #[test]
    fn environment_and_command_line_are_found_in_32_bit_processes() {
        check(cpu::X86, &process(false), TEB);
    }

    #[test]
    fn under_wow64_the_32_bit_peb_is_found_behind_the_64_bit_teb() {
        // The 64-bit TEB would stand two pages below the 32-bit one; the dump does not hold it.
        check(cpu::AMD64, &process(false), TEB.wrapping_sub(0x2000));
    }

    #[test]
    fn a_ring_that_never_comes_back_ends() {
        let mut memory = process(true);
        memory.pointer(ENTRY, ENTRY + 8);
        memory.pointer(ENTRY + 8, ENTRY);
        check(cpu::AMD64, &memory, TEB);
    }

    #[test]
    fn a_told_size_longer_than_the_strings_counts() {
        let mut memory = process(true);
        memory.bytes[(PARAMETERS + 0x3f0) as usize] = 0x80;
        let mut file = File::new(3);
        file.system(cpu::AMD64, 2);
        let at = file.memory(BASE, &memory.bytes);
        let mut numbers = vec![(1, 4)];
        numbers.extend(thread(9, BASE + TEB, (0, 0, 0), (0, 0)));
        file.numbers(kind::THREADS, &numbers);
        assert_eq!(label(&file.map(), at + BLOCK + 0x7f), "environment");
    }
}
