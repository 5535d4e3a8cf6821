//! The memory lists: which bytes of the file are memory, and of which address.

use std::collections::HashSet;

use minidump_common::format::{MINIDUMP_MEMORY_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR64, MINIDUMP_STREAM_TYPE as Kind};

use super::build::{Builder, Entry};
use super::records::{self, Array};
use crate::dump::build::Absent;
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
            build.add_region(span, Address(descriptor.start_of_memory_range), None);
        }
        Ok(())
    })
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
            build.add_region(span, Address(descriptor.start_of_memory_range), None);
        } else {
            absent.add(at, descriptor.data_size);
        }
        place = declared.end();
        Ok(())
    })?;
    absent.tell(&mut build.reader, "Memory64List descriptors");
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::super::testing::{File, faults, kind, label, regions};

    /// A Memory64List of `ranges` whose bytes begin `shift` bytes before the list's end.
    fn list64(file: &mut File, ranges: &[(u64, u64)], shift: u64) -> u64 {
        let data = file.end() + 16 + 16 * ranges.len() as u64;
        let mut numbers = vec![(ranges.len() as u64, 8), (data - shift, 8)];
        ranges.iter().for_each(|&(address, len)| numbers.extend([(address, 8), (len, 8)]));
        file.numbers(kind::MEMORY64, &numbers);
        data
    }

    #[test]
    fn both_lists_are_read() {
        let mut file = File::new(2);
        let first = file.memory(0x1000, b"stack");
        let second = list64(&mut file, &[(0x2000, 4), (0x3000, 6)], 0);
        file.put(b"0123456789");
        let map = file.map();
        let expected = [(first, 5, 0x1000), (second, 4, 0x2000), (second + 4, 6, 0x3000)];
        assert_eq!(regions(&map), expected.map(|(at, len, address)| (super::Span::new(at, len), address)));
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!(label(&map, second), "memory");
    }

    #[test]
    fn a_truncated_list_is_clipped_and_the_rest_told_once() {
        let mut file = File::new(1);
        let data = list64(&mut file, &[(0x1000, 4), (0x2000, 100), (0x3000, 8), (0x4000, 9)], 0);
        file.put(b"0123456789");
        let map = file.map();
        let expected = [(super::Span::new(data, 4), 0x1000), (super::Span::new(data + 4, 6), 0x2000)];
        assert_eq!(regions(&map), expected);
        assert_eq!(faults(&map), ["Memory64List descriptor", "Memory64List descriptors"]);
        assert_eq!(map.faults[1].expected, "17 bytes of 2 ranges from here on");
    }

    #[test]
    fn a_base_that_lldb_wrote_8_bytes_too_low_is_corrected() {
        let mut file = File::new(1);
        let data = list64(&mut file, &[(0x1000, 4), (0x2000, 6)], 8);
        file.put(b"0123456789");
        let map = file.map();
        assert_eq!(regions(&map), [(super::Span::new(data, 4), 0x1000), (super::Span::new(data + 4, 6), 0x2000)]);
        assert_eq!(faults(&map), ["Memory64List BaseRva"]);
    }

    #[test]
    fn another_base_inside_the_list_is_told_and_taken_as_it_is() {
        let mut file = File::new(1);
        let data = list64(&mut file, &[(0x1000, 4)], 12);
        let map = file.map();
        assert_eq!(regions(&map), [(super::Span::new(data - 12, 4), 0x1000)]);
        assert_eq!(faults(&map), ["Memory64List BaseRva"]);
    }

    #[test]
    fn sizes_that_wrap_around_end_at_the_file() {
        let mut file = File::new(1);
        list64(&mut file, &[(u64::MAX - 1, u64::MAX), (0x1000, u64::MAX)], 0);
        file.put(b"0123456789");
        let map = file.map();
        assert_eq!(map.regions.len(), 1);
        assert_eq!(map.labels.all().last().map(|(span, _)| span.len), Some(10), "{:?}", map.labels.all());
    }

    #[test]
    fn the_same_descriptor_twice_is_one_region_and_a_lie_is_clipped() {
        let mut file = File::new(1);
        let at = file.put(b"0123");
        let mut numbers = vec![(3, 4)];
        for (address, len, rva) in [(0x1000, 4, at), (0x1000, 4, at), (0x9000, 4, 0xffff_0000)] {
            numbers.extend([(address, 8), (len, 4), (rva, 4)]);
        }
        file.numbers(kind::MEMORY, &numbers);
        let map = file.map();
        assert_eq!(regions(&map), [(super::Span::new(at, 4), 0x1000)]);
        assert_eq!(faults(&map), ["MemoryList descriptor"]);
    }
}
