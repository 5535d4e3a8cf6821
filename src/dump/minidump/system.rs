//! Processor, system, process and crash: what a dump says of itself.

use minidump::system_info::{Cpu, Os};
use minidump::{MinidumpException, MinidumpStream as _, MinidumpSystemInfo};
use minidump_common::format::{
    MINIDUMP_EXCEPTION_STREAM, MINIDUMP_MISC_INFO, MINIDUMP_STREAM_TYPE as Kind, MINIDUMP_SYSTEM_INFO, MiscInfoFlags,
};
use std::collections::HashSet;

use super::build::{Builder, Entry};
use super::{records, strings};
use crate::dump::Class;
use crate::error::Result;

/// Reads SystemInfo and MiscInfo.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    build.each_stream(Kind::SystemInfoStream, system)?;
    build.each_stream(Kind::MiscInfoStream, process)
}

/// The 32-bit processors; on all others pointers have eight bytes.
fn pointer_width(cpu: Cpu) -> usize {
    if matches!(cpu, Cpu::X86 | Cpu::Arm | Cpu::Ppc | Cpu::Mips | Cpu::Sparc) { 4 } else { 8 }
}

fn system(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let size = records::size_of::<MINIDUMP_SYSTEM_INFO>();
    let bytes = build.image().bytes(stream.span.from(), usize::try_from(size.min(stream.span.len)).unwrap_or(0))?;
    let Ok(info) = MinidumpSystemInfo::read(&bytes, &[], build.reader.endian(), None) else {
        let expected = format!("{size} bytes");
        build.reader.fault(stream.span.from(), "SystemInfoStream", expected, format!("{} bytes", stream.span.len));
        return Ok(());
    };
    let rva = u64::from(info.raw.csd_version_rva);
    strings::mark(build, ("service pack name", rva, 2), stream.label(), Class::Keep, &mut HashSet::new())?;
    build.map.pointer_width = pointer_width(info.cpu);
    build.about("cpu", cpu_name(&info));
    build.about("system", system_name(&info));
    build.own.system = Some(info);
    Ok(())
}

fn cpu_name(info: &MinidumpSystemInfo) -> String {
    match info.cpu {
        Cpu::X86_64 => "x86-64".to_owned(),
        Cpu::Unknown(number) => format!("unknown processor {number:#x}"),
        cpu => cpu.to_string(),
    }
}

/// Breakpad on Linux leaves the version 0.0.0.
fn system_name(info: &MinidumpSystemInfo) -> String {
    match (info.raw.major_version, info.raw.minor_version, info.raw.build_number) {
        (0, 0, 0) => info.os.long_name().into_owned(),
        (major, minor, number) => format!("{} {major}.{minor}.{number}", info.os.long_name()),
    }
}

fn process(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let Some(info) = build.reader.record::<MINIDUMP_MISC_INFO>(stream.span.from())? else { return Ok(()) };
    if info.flags1 & MiscInfoFlags::MINIDUMP_MISC1_PROCESS_ID.bits() != 0 {
        build.about("process id", info.process_id.to_string());
    }
    Ok(())
}

/// Whether the dump is of Windows, where threads have a TEB and the process has a PEB.
pub(super) fn is_windows(build: &Builder<'_>) -> bool {
    build.own.system.as_ref().is_some_and(|info| info.os == Os::Windows)
}

/// Tells of the crash: the reason in the system's words and the address.
pub(super) fn tell_crash(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let size = records::size_of::<MINIDUMP_EXCEPTION_STREAM>().min(stream.span.len);
    let bytes = build.image().bytes(stream.span.from(), usize::try_from(size).unwrap_or(0))?;
    let (os, cpu) = build.own.system.as_ref().map_or((Os::Unknown(0), Cpu::Unknown(0)), |info| (info.os, info.cpu));
    if let Ok(exception) = MinidumpException::read(&bytes, &[], build.reader.endian(), None) {
        let code = exception.raw.exception_record.exception_code;
        build.about("crash reason", format!("{} ({code:#x})", exception.get_crash_reason(os, cpu)));
        build.about("crash address", format!("{:#x}", exception.get_crash_address(os, cpu)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, cpu, faults, kind, label};

    #[test]
    fn a_dump_says_what_it_is_of_and_never_how_it_was_called() {
        let mut file = File::new(4);
        file.system(cpu::ARM64, 2);
        file.numbers(kind::MISC, &[(24, 4), (1, 4), (4711, 4), (0, 4), (0, 4), (0, 4)]);
        let line = file.stream(kind::CMDLINE, b"login\0--password\0hunter2\0");
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        let about: Vec<(&str, &str)> = map.about.iter().map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!(about, [("cpu", "arm64"), ("system", "Windows NT 10.0.19041"), ("process id", "4711")]);
        assert_eq!(map.pointer_width, 8);
        assert_eq!(label(&map, line), "command line");
        assert!(!format!("{map:?}").contains("hunter2"));
    }

    #[test]
    fn pointers_of_32_bit_processors_have_four_bytes() {
        for (processor, width) in [(cpu::X86, 4), (cpu::ARM, 4), (cpu::AMD64, 8), (cpu::ARM64_OLD, 8)] {
            let mut file = File::new(1);
            file.system(processor, 0x8201);
            assert_eq!(file.map().pointer_width, width);
        }
    }

    #[test]
    fn streams_that_are_too_short_are_faults() {
        let mut file = File::new(3);
        file.stream(7, b"short");
        file.stream(kind::EXCEPTION, b"short");
        file.stream(kind::HANDLES, b"short");
        assert_eq!(faults(&file.map()), ["SystemInfoStream", "ExceptionStream", "HandleDataStream"]);
    }
}
