//! What a module's header in memory says it is: PE, ELF or Mach-O, and for which processor.

use goblin::{elf, mach, pe};
use scroll::Pread;

use crate::dump::Module;
use crate::error::Result;
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::Address;

/// Bytes at a module's start that debuggers read its header from: one page.
pub(super) const HEADER: u64 = 4096;

/// Says of each module what its header in memory is, where the dump holds it.
pub(super) fn read(modules: &mut [Module], image: &Image, memory: &AddressSpace) -> Result<()> {
    let mut page = vec![0; usize::try_from(HEADER).unwrap_or(0)];
    let mut before: Option<(Address, u64, Option<String>)> = None;
    for module in modules {
        // Modules by the thousand with one header between them: it is read once.
        if let Some((_, _, header)) =
            before.as_ref().filter(|(base, size, _)| (*base, *size) == (module.base, module.size))
        {
            module.header.clone_from(header);
            continue;
        }
        if !begins_one(image, memory, module.base)? {
            continue;
        }
        let len = page.len().min(usize::try_from(module.size).unwrap_or(usize::MAX));
        let Some(room) = page.get_mut(..len) else { continue };
        let got = memory.read(image, module.base, room)?;
        module.header = kind_of(room.get(..got).unwrap_or_default());
        before = Some((module.base, module.size, module.header.clone()));
    }
    Ok(())
}

/// Whether a header can begin here, by its first bytes: a page may be gathered from thousands of regions.
fn begins_one(image: &Image, memory: &AddressSpace, base: Address) -> Result<bool> {
    let mut magic = [0; 4];
    let whole = memory.read(image, base, &mut magic)? == magic.len();
    let known = magic.starts_with(b"MZ") || magic == *elf::header::ELFMAG;
    Ok(whole && (known || mach::parse_magic_and_ctx(&magic, 0).is_ok_and(|(_, context)| context.is_some())))
}

/// The kind that a header is of, e.g. `PE x86-64`.
pub(super) fn kind_of(header: &[u8]) -> Option<String> {
    pe_kind(header).or_else(|| elf_kind(header)).or_else(|| mach_kind(header))
}

fn pe_kind(header: &[u8]) -> Option<String> {
    let cpu = match coff(header)?.0.machine {
        pe::header::COFF_MACHINE_X86_64 => "x86-64",
        pe::header::COFF_MACHINE_X86 => "x86",
        pe::header::COFF_MACHINE_ARM64 => "arm64",
        pe::header::COFF_MACHINE_ARM | pe::header::COFF_MACHINE_ARMNT => "arm",
        other => return Some(format!("PE machine {other:#x}")),
    };
    Some(format!("PE {cpu}"))
}

/// The COFF header of a PE image, and where the optional header behind it begins.
pub(super) fn coff(header: &[u8]) -> Option<(pe::header::CoffHeader, usize)> {
    let dos = pe::header::DosHeader::parse(header).ok()?;
    // Behind the four bytes `PE\0\0`.
    let mut at = usize::try_from(dos.pe_pointer).ok()?.checked_add(4)?;
    let coff = pe::header::CoffHeader::parse(header, &mut at).ok()?;
    Some((coff, at))
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
