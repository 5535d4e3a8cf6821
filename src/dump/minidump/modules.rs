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
