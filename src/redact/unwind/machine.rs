//! Which processor and system a dump is of, for the unwinder.

use minidump::system_info::{Cpu, Os};
use minidump::{MinidumpStream as _, MinidumpSystemInfo};
use minidump_unwind::SystemInfo;
use scroll::Pread;

use crate::dump::{ByteOrder, DumpMap};
use crate::error::Result;
use crate::image::Image;

/// Bytes of a SystemInfo stream that are read; the record has 56.
const SYSTEM_INFO: u64 = 256;

/// A processor and a system that the unwinder knows.
pub(super) struct Machine {
    /// What the unwinder asks for.
    pub system: SystemInfo,
    /// Which layout a thread's registers have.
    pub source: Source,
    /// Byte order of the dumped process.
    pub endian: scroll::Endian,
}

#[cfg(test)]
impl Machine {
    /// A machine with Linux, for tests.
    pub fn of_core(cpu: Cpu) -> Self {
        Self { system: system(cpu, Os::Linux), source: Source::Core, endian: scroll::LE }
    }
}

/// Which layout a thread's registers have in the file.
pub(super) enum Source {
    /// A `CONTEXT` of this system.
    Minidump(Box<MinidumpSystemInfo>),
    /// Linux's NT_PRSTATUS, or another system's note.
    Core,
    /// Mach-O's LC_THREAD.
    Other,
}

/// The machine, by what each format says of it.
pub(super) fn of(image: &Image, map: &DumpMap) -> Result<Option<Machine>> {
    let endian = match map.byte_order {
        ByteOrder::Little => scroll::LE,
        ByteOrder::Big => scroll::BE,
    };
    let found = match map.format {
        "minidump" => minidump(image, map, endian)?,
        "ELF core" => elf(image, endian)?.map(|cpu| (cpu, Os::Linux, Source::Core)),
        "Mach-O core" => mach(image, endian)?.map(|cpu| (cpu, Os::MacOs, Source::Other)),
        _ => None,
    };
    Ok(found.map(|(cpu, os, source)| Machine { system: system(cpu, os), source, endian }))
}

/// The last SystemInfo stream that can be read: of several the last one wins.
fn minidump(image: &Image, map: &DumpMap, endian: scroll::Endian) -> Result<Option<(Cpu, Os, Source)>> {
    let mut last = None;
    for stream in map.streams.iter().filter(|stream| stream.name == "SystemInfoStream") {
        let bytes = image.bytes(stream.span.from(), usize::try_from(stream.span.len.min(SYSTEM_INFO)).unwrap_or(0))?;
        last = MinidumpSystemInfo::read(&bytes, &[], endian, None).ok().or(last);
    }
    Ok(last.map(|info| (info.cpu, info.os, Source::Minidump(Box::new(info)))))
}

/// `e_machine` of the ELF header.
fn elf(image: &Image, endian: scroll::Endian) -> Result<Option<Cpu>> {
    use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_X86_64};
    let machine = image.bytes(18, 2)?.pread_with::<u16>(0, endian).unwrap_or(0);
    Ok(match machine {
        EM_X86_64 => Some(Cpu::X86_64),
        EM_386 => Some(Cpu::X86),
        EM_AARCH64 => Some(Cpu::Arm64),
        EM_ARM => Some(Cpu::Arm),
        _ => None,
    })
}

/// `cputype` of the Mach-O header.
fn mach(image: &Image, endian: scroll::Endian) -> Result<Option<Cpu>> {
    use goblin::mach::constants::cputype::{CPU_TYPE_ARM, CPU_TYPE_ARM64, CPU_TYPE_X86, CPU_TYPE_X86_64};
    let cpu = image.bytes(4, 4)?.pread_with::<u32>(0, endian).unwrap_or(0);
    Ok(match cpu {
        CPU_TYPE_X86_64 => Some(Cpu::X86_64),
        CPU_TYPE_X86 => Some(Cpu::X86),
        CPU_TYPE_ARM64 => Some(Cpu::Arm64),
        CPU_TYPE_ARM => Some(Cpu::Arm),
        _ => None,
    })
}

fn system(cpu: Cpu, os: Os) -> SystemInfo {
    SystemInfo { os, os_version: None, os_build: None, cpu, cpu_info: None, cpu_microcode_version: None, cpu_count: 1 }
}
