//! Values of dicts of CPython, which are objects that stand wherever there was room: the password of a configuration may be far from the
//! name of which it is the value.
//!
//! The clue is a string that is such a name (see `detect::object_names`). The walk looks for pointers to it. Where one is the key of
//! an entry of a dict's table, the pointer behind it leads to the value. Names stand beside other strings in tuples and lists too, so
//! the table has to be one: before its first entry stand the indices by hash, and before them what it holds.
//!
//! Source: `struct _dictkeysobject` in Include/internal/pycore_dict.h. From 3.11 on 32 bytes: count of references, the logarithms of
//! how many slots there are and of the bytes of their indices, the kind (0: entries of hash, key and value; 1: of key and value),
//! a version, entries that are free, entries that are used. Up to 3.10 40 bytes: count of references, slots, a function, free, used;
//! entries have hashes. Values are strings of ASCII, or bytes (`PyBytesObject`: count, type, length, hash, the bytes and a NUL).
//!
//! Not known are attributes of instances, whose values stand apart from the table of their names.
//!
//! Cost: nothing where no such name is in the dump; else some comparisons for each word, which tell whether it may be a pointer to
//! where names stand. What else is read is paid for out of a budget for each window.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use multiversion::multiversion;

use super::dense::{self, LANES, WORD};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::object_names::{self, LENGTH};
use crate::detect::{Hits, Named};
use crate::finding::Rule;
use crate::image::Image;
use crate::memory::{AddressSpace, Places};
use crate::span::{Address, FileOffset, Span};
use crate::vault::SecretBytes;

/// Letters of a value.
const VALUES: std::ops::RangeInclusive<usize> = 4..=4096;
/// One past the highest address of a process.
const HIGHEST: u64 = 1 << 47;
/// Bytes that are read at once.
const BLOCK: u64 = 4096;
/// Bytes of a window for each block that may be read for it.
const READS: usize = 16;
/// The logarithms of the bytes of indices.
const INDICES: std::ops::RangeInclusive<u8> = 3..=30;

/// Of a table with more bytes of indices than this power of two, this many entries behind each stand in it, or before it.
const SMALL: u8 = 9;
const BEHIND: u64 = 64;

/// Hunts for values of dicts.
pub struct ObjectValues;

impl Hunter for ObjectValues {
    fn rules(&self) -> Vec<Rule> {
        // Rules of text judge what it finds.
        Vec::new()
    }

    fn needs(&self, clues: &Clues) -> bool {
        names(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Prepared { clues: names(clues).collect(), names: OnceLock::new(), is_spent: AtomicBool::new(false) })
    }
}

/// Where names stand in the file, and the bytes before their letters.
fn names(clues: &Clues) -> impl Iterator<Item = (u64, u8)> + '_ {
    clues.iter().filter_map(|clue| match *clue {
        Clue::ObjectName { place, header } => Some((place, header)),
        _ => None,
    })
}

struct Prepared {
    clues: Vec<(u64, u8)>,
    names: OnceLock<Names>,
    is_spent: AtomicBool,
}

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let (window, memory) = (shown.window, shown.memory);
        // A word does not go over a seam, and what it points to is read where it stands.
        if window.is_stitched() || memory.is_empty() {
            return;
        }
        let names = self.names.get_or_init(|| Names::new(&self.clues, memory, shown.image));
        let (owned, reader) = (window.owned(), Reader::new(shown, window.owned().len() / READS));
        let mut told = HashSet::new();
        let grids = dense::grids(window, memory.layout());
        for grid in (0..WORD).filter(|grid| grids.get(*grid) == Some(&true)) {
            let from = owned.start + (grid + WORD - owned.start % WORD) % WORD;
            names.pointers(window.slice(from..owned.end + WORD - 1), |at, name| {
                let offset = window.offset(from + at).filter(|_| from + at < owned.end);
                let entry = offset.and_then(|offset| names.places.address_of(offset));
                out.named.extend(entry.and_then(|Address(entry)| reader.value(entry, name, &mut told)));
            });
        }
        if reader.is_spent() {
            self.is_spent.store(true, Ordering::Relaxed);
        }
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so many pointers lead to names of secrets that not all could be followed; a value may be missed: the dump is made \
                      to mislead";
        self.is_spent.load(Ordering::Relaxed).then(|| reason.to_owned())
    }
}

/// A string that is a name.
struct Name {
    address: u64,
    /// Its type, which is that of all strings.
    kind: u64,
    /// Bytes before its letters.
    header: u8,
    letters: Vec<u8>,
}

/// All names.
struct Names {
    /// By address.
    names: Vec<Name>,
    /// Where they stand: the first address, and how far it is to the last.
    ranges: [(u64, u64); RANGES],
    /// One bit for some of the lower bits of each address.
    filter: Box<[u64; FILTER]>,
    places: Places,
}

/// Ranges of addresses in which names stand: those of static strings, and some of the heap.
const RANGES: usize = 3;

/// Words of the filter.
const FILTER: usize = 1024;

fn bit(address: u64) -> (usize, u64) {
    ((address >> 10) as usize % FILTER, 1 << (address >> 4 & 63))
}

impl Names {
    fn new(clues: &[(u64, u8)], memory: &AddressSpace, image: &Image) -> Self {
        let places = memory.places();
        let name = |&(place, header): &(u64, u8)| {
            let address = places.address_of(FileOffset(place))?.0;
            let head = read(memory, image, address, u64::from(header))?;
            let (kind, len) = (word(&head, 8)?, word(&head, LENGTH)?);
            let letters = read(memory, image, address + u64::from(header), len.min(object_names::LONGEST as u64))?;
            is_pointer(address).then_some(Name { address, kind, header, letters })
        };
        let mut names: Vec<Name> = clues.iter().filter_map(name).collect();
        names.sort_by_key(|name| name.address);
        let ranges = ranges(&names);
        let mut filter = Box::new([0; FILTER]);
        for (at, bit) in names.iter().map(|name| bit(name.address)) {
            filter.iter_mut().skip(at).take(1).for_each(|word| *word |= bit);
        }
        Self { names, ranges, filter, places }
    }

    /// Calls `found` for every word of `bytes` that is the address of a name.
    fn pointers<'a>(&'a self, bytes: &[u8], mut found: impl FnMut(usize, &'a Name)) {
        let (blocks, rest) = bytes.as_chunks::<{ WORD * LANES }>();
        let mut last = [0; WORD * LANES];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for (block, at) in blocks.iter().chain([&last]).zip((0..).step_by(WORD * LANES)) {
            let mut left = within(block, &self.ranges);
            while left != 0 {
                let i = WORD * left.trailing_zeros() as usize;
                left &= left - 1;
                let name = word(block, i).and_then(|word| self.at(word));
                name.into_iter().for_each(|name| found(at + i, name));
            }
        }
    }

    fn at(&self, address: u64) -> Option<&Name> {
        let (word, bit) = bit(address);
        let may_be = self.filter.get(word).is_some_and(|word| word & bit != 0);
        let name = self.names.get(self.names.partition_point(|name| name.address < address))?;
        (may_be && name.address == address).then_some(name)
    }
}

/// The ranges that names stand in, widened over the gaps that are the narrowest.
fn ranges(names: &[Name]) -> [(u64, u64); RANGES] {
    let mut parts: Vec<(u64, u64)> = names.iter().map(|name| (name.address, name.address)).collect();
    let mut gaps: Vec<u64> = parts.iter().zip(parts.iter().skip(1)).map(|(a, b)| b.0 - a.1).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    let widest = gaps.get(RANGES - 2).copied().unwrap_or(0).max(1);
    parts.dedup_by(|next, part| {
        let joins = next.0 - part.1 < widest;
        part.1 = if joins { next.1 } else { part.1 };
        joins
    });
    // Where gaps are as wide as each other there are more of them.
    let rest = parts.split_off(parts.len().min(RANGES));
    let mut ranges = [parts.first().map_or((u64::MAX, 0), |(first, last)| (*first, last - first)); RANGES];
    ranges.iter_mut().zip(&parts).for_each(|(range, (first, last))| *range = (*first, last - first));
    if let (Some((_, last)), Some(range)) = (rest.last(), ranges.last_mut()) {
        range.1 = last - range.0;
    }
    ranges
}

/// One bit for each word that is an address in one of the ranges.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn within(block: &[u8; WORD * LANES], ranges: &[(u64, u64); RANGES]) -> u64 {
    let [a, b, c] = *ranges;
    let mut mask = 0;
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is_in = |(first, len): (u64, u64)| word.wrapping_sub(first) <= len;
        mask |= u64::from(is_in(a) | is_in(b) | is_in(c)) << i;
    }
    mask
}

fn is_pointer(word: u64) -> bool {
    (0x1000..HIGHEST).contains(&word) && word.is_multiple_of(8)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(WORD)?)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// The bytes at an address, if memory has all of them.
fn read(memory: &AddressSpace, image: &Image, address: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    let got = memory.read(image, Address(address), &mut bytes).ok()?;
    (got == bytes.len()).then_some(bytes)
}

/// Reads memory for one window, as long as there is a budget for it.
struct Reader<'a> {
    shown: &'a Shown<'a>,
    left: Cell<usize>,
    /// The block that was read last, and where it begins.
    block: RefCell<(u64, Vec<u8>)>,
}

/// How entries of a table lie: their bytes, where the key stands in them, and the kind of the table.
#[derive(Clone, Copy)]
struct Entries {
    size: u64,
    key: u64,
    kind: u8,
}

const ENTRIES: [Entries; 2] = [Entries { size: 16, key: 0, kind: 1 }, Entries { size: 24, key: 8, kind: 0 }];

impl<'a> Reader<'a> {
    fn new(shown: &'a Shown<'a>, left: usize) -> Self {
        Self { shown, left: Cell::new(left.max(1 << 10)), block: RefCell::default() }
    }

    fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    fn read(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        self.left.set(self.left.get().checked_sub(1)?);
        read(self.shown.memory, self.shown.image, address, len)
    }

    /// The word at an address, which is a whole number of them.
    fn word(&self, address: u64) -> Option<u64> {
        let mut block = self.block.borrow_mut();
        let (first, behind) = (block.0, block.0 + block.1.len() as u64);
        if !(first..behind).contains(&address) {
            self.left.set(self.left.get().checked_sub(1)?);
            let memory = self.shown.memory;
            // What regions do not hold of it is left out.
            let first = memory.region_at(Address(address))?.0.0.max(address / BLOCK * BLOCK);
            let mut bytes = vec![0; BLOCK as usize];
            let got = memory.read(self.shown.image, Address(first), &mut bytes).unwrap_or(0);
            bytes.truncate(got);
            *block = (first, bytes);
        }
        word(&block.1, usize::try_from(address - block.0).ok()?)
    }

    /// The value of the entry whose key, a pointer to `name`, stands at `key`, if that is in a table, and not told yet.
    fn value(&self, key: u64, name: &Name, told: &mut HashSet<(u64, u64)>) -> Option<Named> {
        let value = self.word(key.checked_add(8)?).filter(|value| is_pointer(*value) && *value != name.address)?;
        if told.contains(&(name.address, value)) {
            return None;
        }
        let (bytes, at) = self.text(value, name)?;
        if !ENTRIES.into_iter().any(|entries| self.is_in_table(key, entries)) {
            return None;
        }
        told.insert((name.address, value));
        let spans: Vec<Span> = self.shown.memory.spans_from(Address(at), bytes.len() as u64);
        Some(Named { name: name.letters.clone(), value: bytes, spans })
    }

    /// The letters of the string or the bytes at an address, and where they stand.
    fn text(&self, address: u64, name: &Name) -> Option<(SecretBytes, u64)> {
        let head = self.read(address, 40)?;
        let (kind, len) = (word(&head, 8)?, usize::try_from(word(&head, LENGTH)?).ok()?);
        let is_string = kind == name.kind && object_names::is_ascii(&head, len);
        let has_type = || kind != name.kind && is_pointer(kind) && self.word(kind).is_some();
        if !VALUES.contains(&len) || !is_string && !has_type() {
            return None;
        }
        let at = address + if is_string { u64::from(name.header) } else { 32 };
        let bytes = SecretBytes::new(self.read(at, len as u64 + 1)?);
        let (end, letters) = bytes.expose().split_last()?;
        let is_text = *end == 0 && letters.iter().all(|letter| (b' '..=b'~').contains(letter));
        is_text.then(|| (SecretBytes::new(letters), at))
    }

    /// Whether a key at this address is in a table of such entries.
    fn is_in_table(&self, key: u64, entries: Entries) -> bool {
        let Some(entry) = key.checked_sub(entries.key) else { return false };
        // Back to the first entry: what stands before it is no key. Keys that were taken out are zero.
        let (mut first, mut before) = (entry, 0_u64);
        let is_key = |word: u64| word == 0 || is_pointer(word);
        while let Some(earlier) = first.checked_sub(entries.size)
            && self.word(earlier + entries.key).is_some_and(is_key)
        {
            (first, before) = (earlier, before + 1);
        }
        // A large table has many entries, used or free, which are zero.
        let behind = (1..=BEHIND).map(|i| entry.saturating_add(i * entries.size + entries.key));
        let is_large = before >= BEHIND || behind.into_iter().all(|key| self.word(key).is_some_and(is_key));
        let indices = || INDICES.take_while(|indices| is_large || *indices <= SMALL);
        // Indices of more than one byte may look like a key or two.
        (0..=before.min(2)).any(|later| {
            let (first, before) = (first + later * entries.size, before - later);
            indices().any(|indices| self.is_new_table(first, before, indices, entries.kind))
                || entries.kind == 0 && indices().any(|slots| self.is_old_table(first, before, slots))
        })
    }

    /// Whether a table of 3.11 or later has its first entry here, has `before` entries and more, and so many bytes of indices.
    fn is_new_table(&self, first: u64, before: u64, indices: u8, kind: u8) -> bool {
        let head = |at: u64| self.word(first.checked_sub((1 << indices) + 32)? + at);
        let Some([slots, index, its_kind, _, ..]) = head(8).map(u64::to_le_bytes) else { return false };
        let bytes = match slots {
            ..=7 => slots,
            8..=15 => slots + 1,
            16..=30 => slots + 2,
            _ => return false,
        };
        let fits = index == indices && bytes == indices && its_kind == kind;
        fits && head(0) != Some(0) && holds(head(16), head(24), before, 1 << slots)
    }

    /// The same for a table before 3.11 of as many slots as a power of two.
    fn is_old_table(&self, first: u64, before: u64, slots: u8) -> bool {
        let bytes = match slots {
            ..=7 => 1,
            8..=15 => 2,
            _ => 4,
        };
        let head = |at: u64| self.word(first.checked_sub((bytes << slots) + 40)? + at);
        head(8) == Some(1 << slots)
            && head(0) != Some(0)
            && head(16).is_some_and(|function| (0x1000..HIGHEST).contains(&function))
            && holds(head(24), head(32), before, 1 << slots)
    }
}

/// Whether a table of so many slots may have these free and used entries, more than `before` of them used.
fn holds(free: Option<u64>, used: Option<u64>, before: u64, slots: u64) -> bool {
    let (Some(free), Some(used)) = (free, used) else { return false };
    used > before && free.checked_add(used).is_some_and(|all| all <= slots * 2 / 3)
}

#[cfg(test)]
mod tests;
