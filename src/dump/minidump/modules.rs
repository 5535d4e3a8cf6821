//! Modules, loaded and gone: names, ranges, debug records, and what their headers in memory say.

use std::collections::HashSet;

use goblin::{elf, mach, pe};
use minidump_common::format::{MINIDUMP_MODULE, MINIDUMP_STREAM_TYPE as Kind, MINIDUMP_UNLOADED_MODULE};
use scroll::{Pread, SizeWith};

use super::build::{Builder, Entry};
use super::{records, strings};
use crate::dump::{Class, Label, Module};
use crate::error::Result;
use crate::memory::AddressSpace;
use crate::span::{Address, FileOffset};

/// Bytes at a module's start that debuggers read its header from: one page.
const HEADER: u64 = 4096;

/// What UnloadedModuleListStream begins with.
#[derive(Clone, Debug, Pread, SizeWith)]
struct ListHeader {
    size_of_header: u32,
    size_of_entry: u32,
    count: u32,
}

/// Reads the lists of modules.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    build.each_stream(Kind::ModuleListStream, |build, stream| {
        let array = records::counted::<MINIDUMP_MODULE>(build, stream, "ModuleListStream")?;
        array.each(build, "modules", |build, at, module| add(build, stream, at, &module))
    })?;
    build.each_stream(Kind::UnloadedModuleListStream, unloaded)
}

fn add(build: &mut Builder<'_>, stream: Entry, at: FileOffset, record: &MINIDUMP_MODULE) -> Result<()> {
    let name = strings::utf16(build, "module name", u64::from(record.module_name_rva))?;
    strings::keep(build, &name, stream.label());
    // The debug records say which symbols fit; without them a stack has no names.
    for (what, location, class) in
        [("CodeView record", record.cv_record, Class::Frozen), ("debug record", record.misc_record, Class::Keep)]
    {
        let (rva, len) = (u64::from(location.rva), u64::from(location.data_size));
        if rva != 0 && len != 0 {
            let span = build.reader.clip(what, at.0, rva, len);
            build.label(span, stream.label());
            build.class(span, class);
        }
    }
    let (base, size) = (Address(record.base_of_image), u64::from(record.size_of_image));
    build.memory_labels.paint(base, size, Label::Module(build.map.modules.len()));
    build.memory_classes.paint(base, size.min(HEADER), Class::Keep);
    build.map.modules.push(Module { name: name.text, base, size, header: None });
    Ok(())
}

fn unloaded(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let name = "UnloadedModuleListStream";
    let Some(header) = build.header::<ListHeader>(stream, name)? else { return Ok(()) };
    let header = (header.size_of_header, header.size_of_entry, u64::from(header.count));
    let Some(array) = records::sized::<MINIDUMP_UNLOADED_MODULE>(build, stream, header, name) else { return Ok(()) };
    let mut seen = HashSet::new();
    array.each(build, "unloaded modules", |build, _, module: MINIDUMP_UNLOADED_MODULE| {
        let name = ("name of an unloaded module", u64::from(module.module_name_rva), 2);
        strings::mark(build, name, stream.label(), Class::Keep, &mut seen)
    })
}

/// Says of each module what its header in memory is, where the dump holds it.
pub(super) fn read_headers(build: &mut Builder<'_>, memory: &AddressSpace) -> Result<()> {
    let mut page = vec![0; usize::try_from(HEADER).unwrap_or(0)];
    for module in &mut build.map.modules {
        let len = page.len().min(usize::try_from(module.size).unwrap_or(usize::MAX));
        let Some(room) = page.get_mut(..len) else { continue };
        let got = memory.read(build.reader.image(), module.base, room)?;
        module.header = kind_of(room.get(..got).unwrap_or_default());
    }
    Ok(())
}

fn kind_of(header: &[u8]) -> Option<String> {
    pe_kind(header).or_else(|| elf_kind(header)).or_else(|| mach_kind(header))
}

fn pe_kind(header: &[u8]) -> Option<String> {
    let dos = pe::header::DosHeader::parse(header).ok()?;
    // Behind the four bytes `PE\0\0`.
    let mut at = usize::try_from(dos.pe_pointer).ok()?.checked_add(4)?;
    let coff = pe::header::CoffHeader::parse(header, &mut at).ok()?;
    let cpu = match coff.machine {
        pe::header::COFF_MACHINE_X86_64 => "x86-64",
        pe::header::COFF_MACHINE_X86 => "x86",
        pe::header::COFF_MACHINE_ARM64 => "arm64",
        pe::header::COFF_MACHINE_ARM | pe::header::COFF_MACHINE_ARMNT => "arm",
        other => return Some(format!("PE machine {other:#x}")),
    };
    Some(format!("PE {cpu}"))
}

fn elf_kind(header: &[u8]) -> Option<String> {
    let parsed = elf::Elf::parse_header(header).ok()?;
    let cpu = match parsed.e_machine {
        elf::header::EM_X86_64 => "x86-64",
        elf::header::EM_386 => "x86",
        elf::header::EM_AARCH64 => "arm64",
        elf::header::EM_ARM => "arm",
        other => return Some(format!("ELF machine {other}")),
    };
    Some(format!("ELF {cpu}"))
}

fn mach_kind(header: &[u8]) -> Option<String> {
    use mach::constants::cputype as cpu;
    let (_, context) = mach::parse_magic_and_ctx(header, 0).ok()?;
    let parsed: mach::header::Header = header.pread_with(0, context?).ok()?;
    let name = match parsed.cputype {
        cpu::CPU_TYPE_X86_64 => "x86-64",
        cpu::CPU_TYPE_X86 => "x86",
        cpu::CPU_TYPE_ARM64 => "arm64",
        cpu::CPU_TYPE_ARM => "arm",
        other => return Some(format!("Mach-O processor {other:#x}")),
    };
    Some(format!("Mach-O {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, faults, kind, label};
    use super::*;

    /// `MINIDUMP_MODULE`.
    fn module(base: u64, size: u64, name: u64, code_view: (u64, u64)) -> Vec<(u64, usize)> {
        let mut numbers = vec![(base, 8), (size, 4), (0, 4), (0, 4), (name, 4)];
        numbers.extend([(0, 4); 13]);
        numbers.extend([(code_view.0, 4), (code_view.1, 4), (0, 4), (0, 4)]);
        numbers.extend([(0, 8), (0, 8)]);
        numbers
    }

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
    fn a_module_has_its_range_its_names_and_its_debug_record() {
        let mut file = File::new(3);
        let memory = file.memory(0x40_0000, &[1; 0x3000]);
        let name = file.text(r"C:\app\a.dll");
        let code_view = file.put(b"RSDS................a.pdb\0");
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0x40_0800, 0x2000, name, (26, code_view)));
        file.numbers(kind::MODULES, &numbers);
        let gone = file.text("gone.dll");
        let unloaded = [(12, 4), (24, 4), (1, 4), (0x50_0000, 8), (0x1000, 4), (0, 4), (0, 4), (gone, 4)];
        file.numbers(kind::UNLOADED, &unloaded);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!(map.modules[0].short_name(), "a.dll");
        let labels = [0x7ff, 0x800, 0x27ff, 0x2800].map(|i| label(&map, memory + i));
        assert_eq!(labels, ["memory", "module a.dll", "module a.dll", "memory"]);
        assert_eq!([0x7ff, 0x800, 0x1800].map(|i| class(&map, memory + i)), [Class::Free, Class::Keep, Class::Free]);
        assert_eq!(
            (label(&map, code_view).as_str(), class(&map, code_view)),
            ("stream ModuleListStream", Class::Frozen)
        );
        assert_eq!((label(&map, name + 28).as_str(), class(&map, name)), ("stream ModuleListStream", Class::Keep));
        assert_eq!(label(&map, gone + 4), "stream UnloadedModuleListStream");
        assert!(!map.labels.all().iter().any(|(_, label)| *label == Label::Slack), "{:?}", map.labels.all());
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
    fn names_and_records_behind_the_end_are_faults() {
        let mut file = File::new(1);
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0, 0xffff_ffff, 0x7000_0000, (5, 0x7000_0000)));
        file.numbers(kind::MODULES, &numbers);
        let map = file.map();
        assert_eq!(faults(&map), ["CodeView record", "module name"]);
        assert_eq!(map.modules[0].name, "");
    }
}
