//! The header and the load commands.

use goblin::container::Ctx;
use goblin::mach::constants::cputype as cpu;
use goblin::mach::header::{Header, MH_CORE, SIZEOF_HEADER_32, SIZEOF_HEADER_64};
use goblin::mach::load_command::{
    LC_NOTE, LC_SEGMENT, LC_SEGMENT_64, LC_THREAD, LC_UNIXTHREAD, NoteCommand, SegmentCommand32, SegmentCommand64,
};
use goblin::mach::parse_magic_and_ctx;
use scroll::Pread;

use super::{Builder, threads};
use crate::dump::build::Absent;
use crate::dump::loads::Load;
use crate::dump::{Class, Label, Protection, Stream};
use crate::error::Result;
use crate::span::{Address, FileOffset, Span};

/// Bytes of one command that are read; registers of one thread take up to 3 KiB.
const MOST: u64 = 1 << 16;

/// Width and byte order by the magic.
pub(super) fn context(head: &[u8]) -> Option<Ctx> {
    parse_magic_and_ctx(head, 0).ok()?.1
}

/// Whether a file that begins like this is a Mach-O core.
pub(super) fn is_core(head: &[u8]) -> bool {
    // The type stands behind magic, processor and subtype.
    context(head).is_some_and(|context| head.pread_with::<u32>(12, context.le).ok() == Some(MH_CORE))
}

/// Reads everything that load commands say.
pub(super) fn read(build: &mut Builder<'_>, head: &[u8]) -> Result<()> {
    let context = build.own.context;
    let size = if context.is_big() { SIZEOF_HEADER_64 } else { SIZEOF_HEADER_32 } as u64;
    let span = build.reader.clip("Mach-O header", 0, 0, size);
    mark(build, span);
    let Ok(header) = head.pread_with::<Header>(0, context) else { return Ok(()) };
    build.own.cpu = header.cputype;
    build.about("cpu", cpu_name(header.cputype));
    let commands = build.reader.clip("load commands", 20, size, u64::from(header.sizeofcmds));
    build.label(commands, Label::Header);
    walk(build, commands, header.ncmds)
}

fn mark(build: &mut Builder<'_>, span: Span) {
    build.label(span, Label::Header);
    build.class(span, Class::Frozen);
}

fn cpu_name(number: u32) -> String {
    let name = match number {
        cpu::CPU_TYPE_X86_64 => "x86-64",
        cpu::CPU_TYPE_X86 => "x86",
        cpu::CPU_TYPE_ARM64 => "arm64",
        cpu::CPU_TYPE_ARM64_32 => "arm64 (32-bit pointers)",
        cpu::CPU_TYPE_ARM => "arm",
        other => return format!("unknown processor {other:#x}"),
    };
    name.to_owned()
}

/// Each command begins with its kind and its size.
fn walk(build: &mut Builder<'_>, commands: Span, count: usize) -> Result<()> {
    let mut absent = Absent::default();
    let mut at = commands.from();
    for i in 0..count {
        if !build.take("load commands") {
            break;
        }
        let rest = Span::between(at, commands.end());
        let bytes = build.image().bytes(at, usize::try_from(rest.len.min(8)).unwrap_or(0))?;
        let endian = build.reader.endian();
        let (kind, size) = (bytes.pread_with::<u32>(0, endian).ok(), bytes.pread_with::<u32>(4, endian).ok());
        let size = u64::from(size.unwrap_or(0));
        let Some(kind) = kind.filter(|_| (8..=rest.len).contains(&size)) else {
            let expected = format!("{count} commands of at least 8 bytes each");
            let found = format!("in the {} bytes that are left, command {i} of {size} bytes", rest.len);
            build.reader.fault(at, "load commands", expected, found);
            break;
        };
        command(build, kind, Span::new(at, size), &mut absent)?;
        at += size;
    }
    absent.tell(&mut build.reader, "memory segments");
    Ok(())
}

fn command(build: &mut Builder<'_>, kind: u32, span: Span, absent: &mut Absent) -> Result<()> {
    let bytes = build.image().bytes(span.from(), usize::try_from(span.len.min(MOST)).unwrap_or(0))?;
    let endian = build.reader.endian();
    match kind {
        LC_SEGMENT_64 => {
            if let Ok(s) = bytes.pread_with::<SegmentCommand64>(0, endian) {
                segment(build, span.start, [s.vmaddr, s.vmsize, s.fileoff, s.filesize], s.initprot, absent);
            }
        }
        LC_SEGMENT => {
            if let Ok(s) = bytes.pread_with::<SegmentCommand32>(0, endian) {
                let numbers = [s.vmaddr, s.vmsize, s.fileoff, s.filesize].map(u64::from);
                segment(build, span.start, numbers, s.initprot, absent);
            }
        }
        LC_THREAD | LC_UNIXTHREAD => {
            threads::read(build, span, &bytes);
            return Ok(());
        }
        LC_NOTE => {
            if let Ok(command) = bytes.pread_with::<NoteCommand>(0, endian) {
                note(build, span.start, &command);
            }
        }
        _ => {}
    }
    build.class(span, Class::Frozen);
    Ok(())
}

/// `numbers` are address and size in memory, place and size in the file.
fn segment(build: &mut Builder<'_>, at: FileOffset, numbers: [u64; 4], rights: u32, absent: &mut Absent) {
    let [address, size, place, len] = numbers;
    let span = if len == 0 || place >= build.image().len() {
        if len > 0 {
            absent.add(at, len);
        }
        Span::new(0, 0)
    } else {
        build.reader.clip("memory segment", at.0, place, len)
    };
    // VM_PROT_READ, VM_PROT_WRITE, VM_PROT_EXECUTE.
    let protection = Protection { read: rights & 1 != 0, write: rights & 2 != 0, execute: rights & 4 != 0 };
    build.add_region(span, Address(address), Some(protection));
    let (end, present) = (address.saturating_add(size.max(len)), address.saturating_add(span.len));
    build.own.loads.push(Load { start: address, end, present, write: protection.write });
}

/// A note is a place in the file, named by who wrote it. Of what it holds only lldb's list of modules is known.
fn note(build: &mut Builder<'_>, at: FileOffset, command: &NoteCommand) {
    let owner = command.data_owner.split(|&b| b == 0).next().unwrap_or_default();
    let owner = String::from_utf8_lossy(owner).into_owned();
    let name = format!("LC_NOTE {owner:?}");
    let span = build.reader.clip(&name, at.0, command.offset, command.size);
    let label = Label::Stream(build.map.streams.len());
    build.label(span, label);
    build.class(span, Class::Keep);
    build.map.streams.push(Stream { name, span, declared: command.size });
    if owner == "all image infos" {
        build.own.image_infos = Some(span);
    }
}
