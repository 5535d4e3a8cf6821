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
    let entry = Entry { kind, at, index: build.map.streams.len(), span };
    build.map.streams.push(Stream { name, span, declared });
    build.own.entries.push(entry);
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
    let mut entries = build.own.entries.clone();
    entries.sort_unstable_by_key(|entry| (entry.kind, entry.index));
    // Writers may repeat kinds of their own as they like.
    let duplicates = entries.windows(2).filter(
        |pair| matches!(pair, [first, second] if first.kind == second.kind && kinds::known(second.kind).is_some()),
    );
    for pair in duplicates {
        if let [first, second] = *pair {
            let found = format!("another one at {}", first.span.start);
            build.reader.fault(second.at.0, &kinds::name(second.kind), "one stream of this kind", found);
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

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, faults, kind, label, map};
    use super::*;
    use crate::dump::ByteOrder;

    #[test]
    fn streams_are_named_labelled_and_classed() {
        let mut file = File::new(3);
        let comment = file.stream(kind::COMMENT, b"hello");
        let environ = file.stream(kind::ENVIRON, b"A=b\0");
        let own = file.stream(0x1234_5678, b"own");
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!([0, 31, 32, comment - 1].map(|at| label(&map, at)), ["header"; 4]);
        let labels = [comment, environ, own].map(|at| label(&map, at));
        assert_eq!(labels, ["stream CommentStreamA", "environment", "stream stream 0x12345678"]);
        assert_eq!([0, comment, environ].map(|at| class(&map, at)), [Class::Frozen, Class::Free, Class::Free]);
    }

    #[test]
    fn the_other_byte_order_is_read_too() {
        let mut file = File::big(1);
        file.numbers(kind::MEMORY, &[(1, 4), (0x1000, 8), (4, 4), (64, 4)]);
        file.put(b"ABCD");
        let bytes = file.finish();
        assert!(bytes.starts_with(b"PMDM"));
        let map = map(bytes);
        assert_eq!(map.byte_order, ByteOrder::Big);
        assert_eq!(map.regions.len(), 1);
        assert!(map.faults.is_empty(), "{:?}", map.faults);
    }

    #[test]
    fn a_file_that_ends_in_its_header_has_one_fault() {
        for len in [4, 20, 31] {
            let mut bytes = File::new(0).finish();
            bytes.truncate(len);
            let map = map(bytes);
            assert_eq!(faults(&map), ["minidump header"]);
            assert_eq!(map.labels.all(), [(Span::new(0, len as u64), Label::Header)]);
        }
    }

    #[test]
    fn a_count_of_streams_that_lies_is_cut_to_the_file() {
        let mut bytes = File::new(2).finish();
        bytes[8..12].fill(0xff);
        let map = map(bytes);
        assert_eq!(faults(&map), ["stream directory"]);
        assert!(map.streams.is_empty());
    }

    #[test]
    fn a_directory_behind_the_end_is_a_fault() {
        let mut bytes = File::new(0).finish();
        bytes[8..16].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0x70]);
        assert_eq!(faults(&map(bytes)), ["stream directory"]);
    }

    #[test]
    fn streams_behind_the_end_over_each_other_and_twice_are_faults() {
        let mut file = File::new(4);
        let at = file.stream(kind::COMMENT, b"0123456789");
        file.entry(0x1111_1111, 4, at + 8);
        file.entry(kind::COMMENT, 5, 0x7000_0000);
        file.entry(0, 99, 0x7000_0000);
        let map = file.map();
        assert_eq!(faults(&map), ["stream 0x11111111", "CommentStreamA", "CommentStreamA", "stream 0x11111111"]);
        assert_eq!(map.streams.len(), 3, "an unused entry is no stream");
    }
}
