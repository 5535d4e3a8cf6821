//! Rights and use of memory: MemoryInfoList (Windows), LinuxMaps.

use minidump_common::format::{
    MINIDUMP_MEMORY_INFO, MINIDUMP_MEMORY_INFO_LIST, MINIDUMP_STREAM_TYPE as Kind, MemoryProtection, MemoryState,
    MemoryType,
};

use super::build::{Builder, Entry};
use super::records;
use crate::dump::{Label, Protection};
use crate::error::Result;
use crate::span::{Address, FileOffset};

/// Reads what the dump says of rights, and labels the heap.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    build.each_stream(Kind::MemoryInfoListStream, infos)?;
    build.each_stream(Kind::LinuxMaps, maps)
}

fn infos(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let name = "MemoryInfoListStream";
    let Some(header) = build.header::<MINIDUMP_MEMORY_INFO_LIST>(stream, name)? else { return Ok(()) };
    let header = (header.size_of_header, header.size_of_entry, header.number_of_entries);
    let Some(array) = records::sized::<MINIDUMP_MEMORY_INFO>(build, stream, header, name) else { return Ok(()) };
    array.each(build, "memory infos", |build, _, info: MINIDUMP_MEMORY_INFO| {
        info_range(build, &info);
        Ok(())
    })
}

fn info_range(build: &mut Builder<'_>, info: &MINIDUMP_MEMORY_INFO) {
    if info.state & MemoryState::MEM_COMMIT.bits() == 0 {
        return;
    }
    let start = Address(info.base_address);
    let protection = windows_protection(info.protection);
    build.add_rights(start, info.region_size, protection);
    let private = info._type & MemoryType::MEM_PRIVATE.bits() != 0;
    if private && protection.read && protection.write {
        build.memory_labels.paint(start, info.region_size, Label::Heap);
    }
}

/// `PAGE_*` constants are single bits of which one is set; guard and cache flags may be added.
fn windows_protection(bits: u32) -> Protection {
    use MemoryProtection as P;
    let any = |of: P| P::from_bits_truncate(bits).intersects(of);
    let execute = P::PAGE_EXECUTE | P::PAGE_EXECUTE_READ | P::PAGE_EXECUTE_READWRITE | P::PAGE_EXECUTE_WRITECOPY;
    let write = P::PAGE_READWRITE | P::PAGE_WRITECOPY | P::PAGE_EXECUTE_READWRITE | P::PAGE_EXECUTE_WRITECOPY;
    let read = write | P::PAGE_READONLY | P::PAGE_EXECUTE_READ;
    Protection { read: any(read), write: any(write), execute: any(execute) }
}

/// The text of `/proc/<pid>/maps`, a chunk at a time; a line longer than a chunk is no line of that file.
fn maps(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    const CHUNK: usize = 1 << 16;
    let (mut at, mut bad) = (stream.span.from(), Vec::new());
    while at < stream.span.end() {
        let room = usize::try_from(stream.span.end() - at).unwrap_or(CHUNK).min(CHUNK);
        let bytes = build.image().bytes(at, room)?;
        let last = at + bytes.len() as u64 >= stream.span.end();
        let whole = if last { bytes.len() } else { bytes.iter().rposition(|&b| b == b'\n').map_or(room, |i| i + 1) };
        if whole == 0 || !map_lines(build, at, bytes.get(..whole).unwrap_or_default(), &mut bad) {
            break;
        }
        at += whole as u64;
    }
    if let Some(first) = bad.first() {
        let found = format!("{} lines of another form, the first here", bad.len());
        build.reader.fault(first.0, "LinuxMaps", "lines `start-end rwxp offset device inode path`", found);
    }
    Ok(())
}

/// False when the budget is spent; `bad` are the places of lines that are none.
fn map_lines(build: &mut Builder<'_>, at: u64, text: &[u8], bad: &mut Vec<FileOffset>) -> bool {
    let mut place = at;
    for line in text.split(|&b| b == b'\n') {
        let here = FileOffset(place);
        place += line.len() as u64 + 1;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_matches(['\0', ' ', '\r']);
        if line.is_empty() {
            continue;
        }
        if !build.take("lines of LinuxMaps") {
            return false;
        }
        if map_line(build, line).is_none() {
            bad.push(here);
        }
    }
    true
}

fn map_line(build: &mut Builder<'_>, line: &str) -> Option<()> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let rights = words.next()?.as_bytes();
    let has = |i: usize, letter: u8| rights.get(i) == Some(&letter);
    let protection = Protection { read: has(0, b'r'), write: has(1, b'w'), execute: has(2, b'x') };
    let len = end.checked_sub(start)?;
    build.add_rights(Address(start), len, protection);
    if words.last() == Some("[heap]") {
        build.memory_labels.paint(Address(start), len, Label::Heap);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, faults, kind, label};
    use super::*;

    /// `MEMORY_BASIC_INFORMATION64` as the stream has it.
    fn info(base: u64, size: u64, state: u64, protection: u64, of_type: u64) -> Vec<(u64, usize)> {
        vec![(base, 8), (base, 8), (4, 4), (0, 4), (size, 8), (state, 4), (protection, 4), (of_type, 4), (0, 4)]
    }

    #[test]
    fn private_memory_that_is_written_is_heap() {
        let mut file = File::new(2);
        let at = file.memory(0x1000, &[7; 0x3000]);
        let mut numbers = vec![(16, 4), (48, 4), (3, 8)];
        numbers.extend(info(0x1000, 0x1000, 0x1000, 0x04, 0x2_0000));
        numbers.extend(info(0x2000, 0x1000, 0x1000, 0x20, 0x100_0000));
        numbers.extend(info(0x3000, 0x1000, 0x2000, 0x04, 0x2_0000));
        file.numbers(kind::INFOS, &numbers);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!([0, 0xfff, 0x1000, 0x2000].map(|i| label(&map, at + i)), ["heap", "heap", "memory", "memory"]);
        let rights = Protection { read: true, write: true, execute: false };
        assert_eq!(map.regions[0].protection, Some(rights));
    }

    #[test]
    fn the_heap_of_linux_maps_and_a_line_that_is_none() {
        let mut file = File::new(2);
        let at = file.memory(0x1000, &[7; 0x2000]);
        let text = b"00001000-00002000 rw-p 00000000 00:00 0          [heap]\nnonsense\n2000-3000 r-xp 0 0:0 0 /a b\n";
        file.stream(kind::MAPS, text);
        let map = file.map();
        assert_eq!([0, 0x1000].map(|i| label(&map, at + i)), ["heap", "memory"]);
        assert_eq!(faults(&map), ["LinuxMaps"]);
    }

    #[test]
    fn lines_are_whole_across_chunks() {
        let mut text = Vec::new();
        for i in 0..5000_u64 {
            let from = 0x10_0000 + i * 0x1000;
            text.extend(format!("{from:x}-{:x} rw-p 00000000 00:00 0 [heap]\n", from + 0x1000).into_bytes());
        }
        let mut file = File::new(2);
        let at = file.memory(0x10_0000, &vec![1; 5000 * 0x1000]);
        file.stream(kind::MAPS, &text);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        let heap = map.labels.at(at).into_iter().zip(map.labels.at(at + 5000 * 0x1000 - 1)).next();
        assert_eq!(heap, Some((Label::Heap, Label::Heap)));
        assert_eq!(map.labels.all().iter().filter(|(_, label)| *label == Label::Heap).count(), 1);
    }

    #[test]
    fn every_page_constant_has_its_rights() {
        let rights = |bits| {
            let Protection { read, write, execute } = windows_protection(bits);
            (read, write, execute)
        };
        assert_eq!(rights(0x01), (false, false, false));
        assert_eq!(rights(0x02), (true, false, false));
        assert_eq!(rights(0x104), (true, true, false), "with a guard flag");
        assert_eq!(rights(0x10), (false, false, true));
        assert_eq!(rights(0x40), (true, true, true));
    }
}
