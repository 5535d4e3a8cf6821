//! The header and the directory: which streams there are.

use minidump_common::format::{
    MINIDUMP_DIRECTORY, MINIDUMP_HEADER, MINIDUMP_SIGNATURE, MINIDUMP_STREAM_TYPE as Kind, MINIDUMP_VERSION,
};

use super::build::{Builder, Entry};
use super::kinds;
use super::records::{self, Array};
use crate::dump::{Class, Label, Stream};
use crate::error::Result;
use crate::image::Image;
use crate::span::{FileOffset, Span};

/// The byte order that the signature is written in.
pub(super) fn byte_order(image: &Image) -> Result<scroll::Endian> {
    let big = image.bytes(0, 4)? == MINIDUMP_SIGNATURE.to_be_bytes();
    Ok(if big { scroll::BE } else { scroll::LE })
}

/// Reads header and directory and makes an entry of every stream that is in use.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    let size = records::size_of::<MINIDUMP_HEADER>();
    let span = build.reader.clip("minidump header", 0, 0, size);
    mark_header(build, span);
    let Some(header) = build.reader.record::<MINIDUMP_HEADER>(0)? else { return Ok(()) };
    // The upper half is the writer's own; dbghelp and Crashpad put their version there.
    if header.version & 0xffff != MINIDUMP_VERSION {
        let (expected, found) = (format!("{MINIDUMP_VERSION:#x}"), format!("{:#x}", header.version & 0xffff));
        build.reader.fault(4, "minidump version", expected, found);
    }
    let array = directory(build, &header);
    mark_header(build, array.span());
    array.each(build, "streams", |build, at, entry: MINIDUMP_DIRECTORY| {
        add(build, at, &entry);
        Ok(())
    })?;
    fault_duplicates(build);
    fault_overlaps(build, array.span());
    Ok(())
}

fn mark_header(build: &mut Builder<'_>, span: Span) {
    build.label(span, Label::Header);
    build.class(span, Class::Frozen);
}

fn directory(build: &mut Builder<'_>, header: &MINIDUMP_HEADER) -> Array {
    let stride = records::size_of::<MINIDUMP_DIRECTORY>();
    let (at, count) = (u64::from(header.stream_directory_rva), u64::from(header.stream_count));
    let span = build.reader.clip("stream directory", 8, at, count * stride);
    Array { at: span.from(), stride, count: span.len / stride }
}

fn add(build: &mut Builder<'_>, at: FileOffset, entry: &MINIDUMP_DIRECTORY) {
    // An unused slot: its place and size mean nothing.
    if entry.stream_type == Kind::UnusedStream as u32 {
        return;
    }
    let (kind, location) = (entry.stream_type, entry.location);
    let name = kinds::name(kind);
    let declared = u64::from(location.data_size);
    let span = build.reader.clip(&name, at.0, u64::from(location.rva), declared);
    let entry = Entry { kind, index: build.map.streams.len(), span };
    build.map.streams.push(Stream { name, span, declared });
    build.entries.push(entry);
    build.label(span, label_of(&entry));
    build.class(span, kinds::class(kind));
}

fn label_of(entry: &Entry) -> Label {
    match kinds::known(entry.kind) {
        Some(Kind::LinuxEnviron) => Label::Environ,
        Some(Kind::LinuxCmdLine) => Label::CommandLine,
        _ => entry.label(),
    }
}

/// Two streams of one kind: readers take one of them, mostly the last. Both are read here.
fn fault_duplicates(build: &mut Builder<'_>) {
    let mut kinds: Vec<(u32, u64, usize)> = build.entries.iter().map(|e| (e.kind, e.span.from(), e.index)).collect();
    kinds.sort_unstable_by_key(|&(kind, _, index)| (kind, index));
    for pair in kinds.windows(2) {
        if let [(first, was_at, _), (second, at, _)] = *pair
            // Writers may repeat kinds of their own as they like.
            && first == second
            && kinds::known(second).is_some()
        {
            let found = format!("another one at {}", FileOffset(was_at));
            build.reader.fault(at, &kinds::name(second), "one stream of this kind", found);
        }
    }
}

/// Streams that share bytes: one of the two records lies.
fn fault_overlaps(build: &mut Builder<'_>, directory: Span) {
    let header = Span::new(0, records::size_of::<MINIDUMP_HEADER>());
    let mut spans: Vec<(Span, String)> = vec![(header, "header".to_owned()), (directory, "directory".to_owned())];
    spans.extend(build.map.streams.iter().map(|stream| (stream.span, stream.name.clone())));
    spans.retain(|(span, _)| !span.is_empty());
    spans.sort();
    let mut furthest: Option<&(Span, String)> = None;
    for this in &spans {
        if let Some((span, name)) = furthest.filter(|(span, _)| span.overlaps(&this.0)) {
            let found = format!("{name}, which ends at {}", FileOffset(span.end()));
            build.reader.fault(this.0.from(), &this.1, "bytes of its own", found);
        }
        if furthest.is_none_or(|(span, _)| span.end() < this.0.end()) {
            furthest = Some(this);
        }
    }
}
