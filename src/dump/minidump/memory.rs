//! The memory lists: which bytes of the file are memory, and of which address.

use std::collections::HashSet;

use minidump_common::format::{MINIDUMP_MEMORY_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR64, MINIDUMP_STREAM_TYPE as Kind};

use super::build::{Builder, Entry};
use super::records::{self, Array};
use crate::dump::{Label, Region};
use crate::error::Result;
use crate::span::{Address, FileOffset, Span};

/// Reads every MemoryList and every Memory64List; LLDB writes one of each, the stacks in the first and the rest in the
/// second, so neither may be left out.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    build.each_stream(Kind::MemoryListStream, list)?;
    build.each_stream(Kind::Memory64ListStream, list64)
}

fn list(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let array = records::counted::<MINIDUMP_MEMORY_DESCRIPTOR>(build, stream, "MemoryListStream")?;
    let mut known = HashSet::new();
    array.each(build, "memory regions", |build, at, descriptor: MINIDUMP_MEMORY_DESCRIPTOR| {
        let (rva, len) = (u64::from(descriptor.memory.rva), u64::from(descriptor.memory.data_size));
        // Hostile or merely repeated: the same descriptor again adds nothing.
        if known.insert((descriptor.start_of_memory_range, rva, len)) {
            let span = build.reader.clip("MemoryList descriptor", at.0, rva, len);
            add(build, span, descriptor.start_of_memory_range);
        }
        Ok(())
    })
}

/// Adds a region of the memory that is present.
pub(super) fn add(build: &mut Builder<'_>, span: Span, address: u64) {
    if !span.is_empty() {
        let region = Region { span, address: Some(Address(address)), label: Label::Memory, protection: None };
        build.map.regions.push(region);
    }
}

/// In a Memory64List the bytes of all ranges stand one behind the other from one place on.
fn list64(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let count = build.reader.record::<u64>(stream.span.from())?.unwrap_or(0);
    let base = build.reader.record::<u64>(stream.span.from().saturating_add(8))?.unwrap_or(0);
    let stride = records::size_of::<MINIDUMP_MEMORY_DESCRIPTOR64>();
    let array = records::within(build, stream.span, 16, stride, count, "Memory64ListStream");
    let mut place = first_byte(build, stream, array, base);
    let mut absent = Absent::default();
    array.each(build, "memory regions", |build, at, descriptor: MINIDUMP_MEMORY_DESCRIPTOR64| {
        let declared = Span::new(place, descriptor.data_size);
        if place < build.image().len() || declared.is_empty() {
            let span = build.reader.clip("Memory64List descriptor", at.0, place, descriptor.data_size);
            add(build, span, descriptor.start_of_memory_range);
        } else {
            absent.add(at, descriptor.data_size);
        }
        place = declared.end();
        Ok(())
    })?;
    absent.tell(build);
    Ok(())
}

/// Ranges that lie wholly behind the end of a truncated file: one fault for all, not one for each of thousands.
#[derive(Default)]
struct Absent {
    first: Option<FileOffset>,
    ranges: u64,
    bytes: u64,
}

impl Absent {
    fn add(&mut self, at: FileOffset, len: u64) {
        self.first = self.first.or(Some(at));
        self.ranges += 1;
        self.bytes = self.bytes.saturating_add(len);
    }

    fn tell(&self, build: &mut Builder<'_>) {
        if let Some(first) = self.first {
            let expected = format!("{} bytes of {} ranges from here on", self.bytes, self.ranges);
            let found = format!("none of them (the file ends at {})", FileOffset(build.image().len()));
            build.reader.fault(first.0, "Memory64List descriptors", expected, found);
        }
    }
}

/// The place of the first range's first byte.
///
/// LLDB before July 2025 counted 8 bytes for the list's header instead of 16, so BaseRva points at the last 8 bytes of the
/// descriptors, and every byte of memory would be read from the wrong place. No right file can look like that: memory
/// cannot begin inside the list that describes it.
fn first_byte(build: &mut Builder<'_>, stream: Entry, array: Array, base: u64) -> u64 {
    let list = Span::between(stream.span.from(), array.span().end());
    if array.count == 0 || !list.contains(base) {
        return base;
    }
    let expected = format!("memory behind the list, from {} on", FileOffset(list.end()));
    if base.checked_add(8) == Some(list.end()) {
        let found = format!("{}, 8 bytes too low as LLDB before July 2025 wrote it; corrected", FileOffset(base));
        build.reader.fault(list.from() + 8, "Memory64List BaseRva", expected, found);
        return list.end();
    }
    build.reader.fault(list.from() + 8, "Memory64List BaseRva", expected, format!("{}, inside it", FileOffset(base)));
    base
}
