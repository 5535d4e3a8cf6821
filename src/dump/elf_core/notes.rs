//! `PT_NOTE`: the notes one after the other, each a stream.
//!
//! A note is three 32-bit numbers (length of the owner's name, length of the content, kind), the name and the content,
//! both padded. A length that lies cannot be told from the truth but by the end of the segment; there the walk ends.

use goblin::elf::program_header::PT_NOTE;
use scroll::Pread;

use super::kinds::{self, Content, VectorParts};
use super::{Builder, Segment, auxv, bsd, files, part, threads};
use crate::dump::{Class, Label, Stream};
use crate::error::Result;
use crate::span::Span;

/// Bytes of the three numbers.
const HEADER: u64 = 12;

/// Owners' names are a word; what is longer is no owner that is known.
const MOST_NAME: u64 = 64;

/// A note in its place.
pub(super) struct Note {
    /// From its header to the end of its content.
    pub whole: Span,
    /// Its content.
    pub content: Span,
    pub owner: String,
    pub number: u32,
    /// Its place in `map.streams`.
    pub index: usize,
}

impl Note {
    pub fn label(&self) -> Label {
        Label::Stream(self.index)
    }

    /// The thread that `NetBSD-CORE@12` and `OpenBSD@1042` name.
    pub fn thread(&self) -> Option<u64> {
        self.owner.split_once('@')?.1.parse().ok()
    }
}

/// Reads all notes of all segments.
pub(super) fn read(build: &mut Builder<'_>, segments: &[Segment]) -> Result<()> {
    for segment in segments.iter().filter(|segment| segment.header.p_type == PT_NOTE) {
        let header = &segment.header;
        let span = build.reader.clip("notes", segment.at.0, header.p_offset, header.p_filesz);
        // Names and contents are padded to four bytes whatever the specification says of 64-bit files; BFD, which all
        // debuggers of GNU use, takes eight where the segment says eight.
        let align = if header.p_align == 8 { 8 } else { 4 };
        walk(build, span, align)?;
    }
    Ok(())
}

fn walk(build: &mut Builder<'_>, span: Span, align: u64) -> Result<()> {
    let mut at = span.from();
    while at < span.end() && build.take("notes") {
        let Some(note) = next(build, Span::between(at, span.end()), align)? else { break };
        let end = note.content.end().saturating_sub(span.from()).checked_next_multiple_of(align).unwrap_or(u64::MAX);
        // The padding belongs to the note.
        let behind = Span::between(note.whole.from(), span.from().saturating_add(end).min(span.end()));
        build.label(behind, note.label());
        read_note(build, &note)?;
        at = behind.end();
    }
    Ok(())
}

/// The note that `rest` begins with; `None` where there is none.
fn next(build: &mut Builder<'_>, rest: Span, align: u64) -> Result<Option<Note>> {
    let bytes = build.image().bytes(rest.from(), usize::try_from(HEADER.min(rest.len)).unwrap_or(0))?;
    let endian = build.reader.endian();
    let number = |at: usize| bytes.pread_with::<u32>(at, endian).ok();
    let (Some(name_len), Some(len), Some(kind)) = (number(0), number(4), number(8)) else {
        if bytes.iter().any(|&b| b != 0) {
            let found = format!("{} bytes", bytes.len());
            build.reader.fault(rest.from(), "note", format!("a header of {HEADER} bytes"), found);
        }
        return Ok(None);
    };
    if (name_len, len, kind) == (0, 0, 0) {
        // The rest of a page that nothing was written to.
        return Ok(None);
    }
    let (name_len, len) = (u64::from(name_len), u64::from(len));
    let into = (HEADER + name_len).next_multiple_of(align);
    let content = part(rest, into, len);
    if into > rest.len || content.len < len {
        let expected = format!("a name of {name_len} bytes and {len} bytes");
        build.reader.fault(rest.from(), "note", expected, format!("{} bytes to the end of the notes", rest.len));
    }
    if into > rest.len {
        return Ok(None);
    }
    let owner = build.image().bytes(rest.from() + HEADER, usize::try_from(name_len.min(MOST_NAME)).unwrap_or(0))?;
    let owner = String::from_utf8_lossy(&owner).trim_end_matches('\0').to_owned();
    let whole = Span::between(rest.from(), content.end());
    let index = build.map.streams.len();
    let declared = into + len;
    build.map.streams.push(Stream { name: name(&owner, kind), span: whole, declared });
    build.class(Span::between(rest.from(), content.from()), Class::Frozen);
    Ok(Some(Note { whole, content, owner, number: kind, index }))
}

fn name(owner: &str, number: u32) -> String {
    match kinds::of(owner, number) {
        Some(kind) => kind.name.to_owned(),
        None => format!("note {number:#x} of {owner:?}"),
    }
}

fn read_note(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    match kinds::of(&note.owner, note.number).map_or(Content::Unknown, |kind| kind.content) {
        Content::Status => threads::status(build, note)?,
        Content::Process => threads::process(build, note)?,
        Content::Signal => threads::signal(build, note)?,
        Content::Auxv => {
            auxv::read(build, note.content)?;
            build.class(note.content, Class::Frozen);
        }
        Content::Files => files::read(build, note.content)?,
        Content::Frozen => build.class(note.content, Class::Frozen),
        Content::Registers => threads::registers(build, note, &[(0, u64::MAX)]),
        Content::Vectors(parts) => vectors(build, note, parts),
        Content::ThreadPointer => threads::pointer(build, note)?,
        Content::Descriptors => threads::descriptors(build, note)?,
        Content::VmCoreInfo => {
            build.own.physical = true;
            build.about("memory", "physical, of a whole machine (kdump)");
            build.class(note.content, Class::Frozen);
        }
        Content::Bsd(kind) => bsd::read(build, note, kind)?,
        Content::Unknown => build.class(note.content, Class::Keep),
    }
    Ok(())
}

fn vectors(build: &mut Builder<'_>, note: &Note, parts: VectorParts) {
    let frozen = parts.frozen(build.own.machine);
    threads::registers(build, note, frozen);
}
