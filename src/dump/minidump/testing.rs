//! Minidumps laid out by hand, for the tests of this folder. The layouts are written out here once more, on purpose: a
//! test that shares a record's definition with the reader cannot find a mistake in it.

use crate::dump::{Class, DumpMap, Format, Label};
use crate::image::Image;
use crate::limits::Limits;
use crate::span::Span;

/// A file in the making; streams and what they point at are put one behind the other.
pub(in crate::dump) struct File {
    bytes: Vec<u8>,
    streams: u32,
    big: bool,
}

impl File {
    /// A little-endian file with room for `room` streams.
    pub fn new(room: usize) -> Self {
        Self { bytes: vec![0; 32 + 12 * room], streams: 0, big: false }
    }

    /// The same in the other byte order.
    pub fn big(room: usize) -> Self {
        Self { big: true, ..Self::new(room) }
    }

    /// Numbers as `(value, bytes)`.
    pub fn data(&self, numbers: &[(u64, usize)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (value, len) in numbers {
            let (little, big) = (value.to_le_bytes(), value.to_be_bytes());
            bytes.extend_from_slice(if self.big { &big[8 - len..] } else { &little[..*len] });
        }
        bytes
    }

    /// Where the next bytes will stand.
    pub fn end(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Puts bytes and says where.
    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = self.end();
        self.bytes.extend_from_slice(bytes);
        at
    }

    /// Puts a string of UTF-16 with its length before it and a NUL behind it.
    pub fn text(&mut self, text: &str) -> u64 {
        let units: Vec<(u64, usize)> = text.encode_utf16().map(|unit| (u64::from(unit), 2)).collect();
        let mut bytes = self.data(&[(2 * units.len() as u64, 4)]);
        bytes.extend(self.data(&units));
        bytes.extend([0, 0]);
        self.put(&bytes)
    }

    /// Puts a directory entry.
    pub fn entry(&mut self, kind: u32, len: u64, rva: u64) {
        let entry = self.data(&[(u64::from(kind), 4), (len, 4), (rva, 4)]);
        let at = 32 + 12 * self.streams as usize;
        self.bytes[at..at + 12].copy_from_slice(&entry);
        self.streams += 1;
    }

    /// Puts a stream and its directory entry, and says where the stream is.
    pub fn stream(&mut self, kind: u32, bytes: &[u8]) -> u64 {
        let at = self.put(bytes);
        self.entry(kind, bytes.len() as u64, at);
        at
    }

    /// Puts a stream of numbers.
    pub fn numbers(&mut self, kind: u32, numbers: &[(u64, usize)]) -> u64 {
        let bytes = self.data(numbers);
        self.stream(kind, &bytes)
    }

    /// SystemInfo for a processor and a platform (2 is Windows NT, 0x8201 Linux).
    pub fn system(&mut self, processor: u64, platform: u64) {
        let mut bytes = self.data(&[(processor, 2), (0, 2), (0, 2), (1, 1), (1, 1), (10, 4), (0, 4), (19041, 4)]);
        bytes.extend(self.data(&[(platform, 4), (0, 4), (0, 4)]));
        bytes.extend([0; 24]);
        self.stream(7, &bytes);
    }

    /// A MemoryList of one range, and the range.
    pub fn memory(&mut self, address: u64, bytes: &[u8]) -> u64 {
        let at = self.put(bytes);
        self.numbers(5, &[(1, 4), (address, 8), (bytes.len() as u64, 4), (at, 4)]);
        at
    }

    /// The file's bytes, with header.
    pub fn finish(mut self) -> Vec<u8> {
        let header = self.data(&[(0x504d_444d, 4), (0xa793, 4), (u64::from(self.streams), 4), (32, 4)]);
        self.bytes[..16].copy_from_slice(&header);
        self.bytes
    }

    /// The map of the file.
    pub fn map(self) -> DumpMap {
        map(self.finish())
    }
}

/// Kinds of stream, by the numbers of the format.
pub(in crate::dump) mod kind {
    pub const THREADS: u32 = 3;
    pub const MODULES: u32 = 4;
    pub const MEMORY: u32 = 5;
    pub const EXCEPTION: u32 = 6;
    pub const MEMORY64: u32 = 9;
    pub const COMMENT: u32 = 10;
    pub const HANDLES: u32 = 12;
    pub const UNLOADED: u32 = 14;
    pub const MISC: u32 = 15;
    pub const INFOS: u32 = 16;
    pub const NAMES: u32 = 24;
    pub const CRASHPAD: u32 = 0x4350_0001;
    pub const CMDLINE: u32 = 0x4767_0006;
    pub const ENVIRON: u32 = 0x4767_0007;
    pub const MAPS: u32 = 0x4767_0009;
    pub const DSO: u32 = 0x4767_000a;
}

/// The numbers of processors in SystemInfo.
pub(in crate::dump) mod cpu {
    pub const X86: u64 = 0;
    pub const ARM: u64 = 5;
    pub const AMD64: u64 = 9;
    pub const ARM64: u64 = 12;
    pub const ARM64_OLD: u64 = 0x8003;
}

/// The map of these bytes.
pub(in crate::dump) fn map(bytes: Vec<u8>) -> DumpMap {
    super::Minidump.map(&Image::from_bytes("test", bytes), &Limits::default()).unwrap()
}

/// A thread's record without padding: id, TEB, stack, context.
pub(in crate::dump) fn thread(id: u64, teb: u64, stack: (u64, u64, u64), context: (u64, u64)) -> Vec<(u64, usize)> {
    let (address, len, rva) = stack;
    let (context_len, context_rva) = context;
    let head = [(id, 4), (0, 4), (0, 4), (0, 4), (teb, 8)];
    let tail = [(address, 8), (len, 4), (rva, 4), (context_len, 4), (context_rva, 4)];
    head.into_iter().chain(tail).collect()
}

/// A module's record: base, size, name, and length and place of its CodeView record.
pub(in crate::dump) fn module(base: u64, size: u64, name: u64, code_view: (u64, u64)) -> Vec<(u64, usize)> {
    let mut numbers = vec![(base, 8), (size, 4), (0, 4), (0, 4), (name, 4)];
    numbers.extend([(0, 4); 13]);
    numbers.extend([(code_view.0, 4), (code_view.1, 4), (0, 4), (0, 4)]);
    numbers.extend([(0, 8), (0, 8)]);
    numbers
}

/// What is said of each fault.
pub(in crate::dump) fn faults(map: &DumpMap) -> Vec<&str> {
    map.faults.iter().map(|fault| fault.what.as_str()).collect()
}

/// The label of the byte at `at`.
pub(in crate::dump) fn label(map: &DumpMap, at: u64) -> String {
    map.labels.at(at).unwrap_or(Label::Unknown).words(map)
}

/// The class of the byte at `at`.
pub(in crate::dump) fn class(map: &DumpMap, at: u64) -> Class {
    map.classes.at(at).unwrap()
}

/// The spans of regions with their addresses.
pub(in crate::dump) fn regions(map: &DumpMap) -> Vec<(Span, u64)> {
    map.regions.iter().map(|region| (region.span, region.address.unwrap_or_default().0)).collect()
}
