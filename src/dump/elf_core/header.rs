//! The ELF header, the program headers, and the section headers that a few writers add.

use goblin::container::{Container, Ctx};
use goblin::elf::header::{self, EM_386, EM_AARCH64, EM_ARM, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, Header, SectionHeader};
use scroll::Pread;

use super::{Builder, Segment};
use crate::dump::{ByteOrder, Class, Label};
use crate::error::Result;
use crate::span::{FileOffset, Span};

/// `e_phnum` of a core with more segments than 16 bits can count: the number is `sh_info` of section header 0.
const PN_XNUM: u16 = 0xffff;

/// Bytes of headers that are read at once.
const CHUNK: u64 = 1 << 16;

/// Whether a file that begins like this is an ELF core: the magic, a class and a byte order that exist, and ET_CORE.
pub(super) fn is_core(head: &[u8]) -> bool {
    let ident = head.get(..header::SIZEOF_IDENT).is_some_and(|ident| ident.starts_with(header::ELFMAG));
    let class = matches!(head.get(header::EI_CLASS), Some(&(header::ELFCLASS32 | header::ELFCLASS64)));
    let order = matches!(head.get(header::EI_DATA), Some(&(header::ELFDATA2LSB | header::ELFDATA2MSB)));
    let kind = head.pread_with::<u16>(header::SIZEOF_IDENT, context(head).le).ok();
    ident && class && order && kind == Some(header::ET_CORE)
}

/// Width and byte order.
pub(super) fn context(head: &[u8]) -> Ctx {
    let wide = head.get(header::EI_CLASS) == Some(&header::ELFCLASS64);
    let big = head.get(header::EI_DATA) == Some(&header::ELFDATA2MSB);
    let container = if wide { Container::Big } else { Container::Little };
    Ctx::new(container, if big { scroll::BE } else { scroll::LE })
}

/// Reads all headers and gives the segments that are in use.
pub(super) fn read(build: &mut Builder<'_>, head: &[u8]) -> Result<Vec<Segment>> {
    let size = Header::size(build.own.context) as u64;
    let span = build.reader.clip("ELF header", 0, 0, size);
    mark(build, span);
    let Some(header) = Elf::parse_header(head).ok().filter(|_| span.len == size) else { return Ok(Vec::new()) };
    build.own.machine = header.e_machine;
    build.about("cpu", cpu_name(header.e_machine, build.map.byte_order));
    let first = first_section(build, &header)?;
    sections(build, &header, first.as_ref())?;
    let count = count(build, &header, first.as_ref())?;
    segments(build, &header, count)
}

fn mark(build: &mut Builder<'_>, span: Span) {
    build.label(span, Label::Header);
    build.class(span, Class::Frozen);
}

fn cpu_name(machine: u16, order: ByteOrder) -> String {
    let name = match machine {
        EM_X86_64 => "x86-64",
        EM_386 => "x86",
        EM_ARM => "arm",
        EM_AARCH64 => "arm64",
        EM_RISCV => "riscv",
        EM_PPC => "ppc",
        EM_PPC64 if order == ByteOrder::Little => "ppc64le",
        EM_PPC64 => "ppc64",
        EM_S390 => "s390x",
        header::EM_MIPS => "mips",
        other => return format!("unknown processor {other:#x}"),
    };
    name.to_owned()
}

/// Section header 0, which holds the numbers that are too large for the ELF header.
fn first_section(build: &Builder<'_>, header: &Header) -> Result<Option<SectionHeader>> {
    if header.e_shoff == 0 {
        return Ok(None);
    }
    section(build, header.e_shoff)
}

fn section(build: &Builder<'_>, at: u64) -> Result<Option<SectionHeader>> {
    let bytes = build.image().bytes(at, SectionHeader::size(build.own.context))?;
    Ok(bytes.pread_with(0, build.own.context).ok())
}

/// Labels the section headers and their names: the kernel writes one header where there are too many segments, gdb's
/// `gcore` one for each segment.
fn sections(build: &mut Builder<'_>, header: &Header, first: Option<&SectionHeader>) -> Result<()> {
    let Some(first) = first else { return Ok(()) };
    let stride = SectionHeader::size(build.own.context) as u64;
    let count = if header.e_shnum == 0 { first.sh_size } else { u64::from(header.e_shnum) };
    let span = build.reader.clip("section headers", 0, header.e_shoff, count.saturating_mul(stride));
    mark(build, span);
    let names = if header.e_shstrndx == 0xffff { u64::from(first.sh_link) } else { u64::from(header.e_shstrndx) };
    if names == 0 || names >= count {
        return Ok(());
    }
    let at = header.e_shoff.saturating_add(names.saturating_mul(stride));
    if let Some(names) = section(build, at)? {
        let span = build.reader.clip("section names", at, names.sh_offset, names.sh_size);
        mark(build, span);
    }
    Ok(())
}

fn count(build: &mut Builder<'_>, header: &Header, first: Option<&SectionHeader>) -> Result<u64> {
    if header.e_phnum != PN_XNUM {
        return Ok(u64::from(header.e_phnum));
    }
    if let Some(first) = first.filter(|first| first.sh_info > 0) {
        return Ok(u64::from(first.sh_info));
    }
    // The kernel puts section header 0 at the very end, so a truncated core has lost the number. But memory begins
    // behind the program headers.
    let (size, phoff) = (ProgramHeader::size(build.own.context), header.e_phoff);
    let bytes = build.image().bytes(phoff, size.saturating_mul(16))?;
    let headers = (0..16).map_while(|i| bytes.pread_with::<ProgramHeader>(i * size, build.own.context).ok());
    let data = headers.filter(|h| h.p_offset > phoff && h.p_filesz > 0).map(|h| h.p_offset).min();
    let room = data.map_or(u64::from(PN_XNUM), |data| (data - phoff) / size as u64);
    let (expected, found) = ("section header 0 with the number of segments", format!("none; room for {room}"));
    build.reader.fault(header.e_shoff, "program headers", expected, found);
    Ok(room)
}

fn segments(build: &mut Builder<'_>, header: &Header, count: u64) -> Result<Vec<Segment>> {
    let size = ProgramHeader::size(build.own.context) as u64;
    let stride = u64::from(header.e_phentsize);
    if count > 0 && stride != size {
        let expected = format!("{size} bytes each");
        build.reader.fault(0, "program headers", expected, format!("{stride} bytes"));
    }
    let stride = stride.max(size);
    let span = build.reader.clip("program headers", 0, header.e_phoff, count.saturating_mul(stride));
    mark(build, span);
    let mut segments = Vec::new();
    let per_chunk = (CHUNK / stride).max(1);
    let count = span.len / stride;
    let mut done = 0;
    while done < count {
        let (now, at) = (per_chunk.min(count - done), span.from() + done * stride);
        let bytes = build.image().bytes(at, usize::try_from(now * stride).unwrap_or(0))?;
        for into in (0..now).map(|i| i * stride) {
            let index = usize::try_from(into).unwrap_or(usize::MAX);
            let Ok(header) = bytes.pread_with::<ProgramHeader>(index, build.own.context) else { break };
            // Headers of no use cost as much as others, or a number of four billion would be walked.
            if !build.take("program headers") {
                return Ok(segments);
            }
            segments.extend(in_use(&header).then_some(Segment { at: FileOffset(at + into), header }));
        }
        done += now;
    }
    Ok(segments)
}

/// Memory and notes; a memory segment of no bytes says that something was mapped and not dumped.
fn in_use(header: &ProgramHeader) -> bool {
    matches!(header.p_type, PT_LOAD | goblin::elf::program_header::PT_NOTE)
}
