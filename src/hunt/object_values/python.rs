//! Values of dicts of CPython.
//!
//! Where a pointer to a name is the key of an entry of a dict's table, the pointer behind it leads to the value. Names stand beside other
//! strings in tuples and lists too, so the table has to be one: before its first entry stand the indices by hash, and before them what
//! it holds.
//!
//! Source: `struct _dictkeysobject` in Include/internal/pycore_dict.h. From 3.11 on 32 bytes: count of references, the logarithms of
//! how many slots there are and of the bytes of their indices, the kind (0: entries of hash, key and value; 1 and 2: of key and value, in
//! tables of kind 2 without values), a version, entries that are free, entries that are used. Up to 3.10 40 bytes: count of
//! references, slots, a function, free, used; entries have hashes. Values are strings of ASCII, or bytes (`PyBytesObject`: count, type,
//! length, hash, the bytes and a NUL), arrays of bytes (`PyByteArrayObject`: count, type, length, room, and two pointers to the bytes), or a tuple of the name and such a one (`PyTupleObject` up to 3.13: count, type, length, items).

use super::reader::{Reader, Run, is_address, is_pointer, word};
use super::{Followed, Runtime, Target, attributes, locals, tuples};
use crate::detect::object_names::Kind;
use crate::vault::SecretBytes;

/// What keeps a user and a password, as requests does, and what the password is called then. A text of this name says how somebody logs on.
pub const PAIR: &[u8] = b"auth";
pub const OF_PAIR: &[u8] = b"auth_password";

/// The logarithms of the bytes of indices.
const INDICES: std::ops::RangeInclusive<u8> = 3..=30;
/// Of a table with more bytes of indices than this power of two, this many entries behind each stand in it, or before it.
const SMALL: u8 = 9;
const BEHIND: u64 = 64;

/// Strings of a version of CPython.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strings {
    /// Their type.
    pub class: u64,
    /// How they are laid out.
    pub kind: Kind,
}

/// How entries of a table lie: their bytes, where the key stands in them, and the kind of the table.
#[derive(Clone, Copy)]
pub struct Entries {
    size: u64,
    key: u64,
    kind: u8,
    /// How many there are at most.
    most: u64,
}

/// Entries that have values.
pub const ENTRIES: [Entries; 2] =
    [Entries { size: 16, key: 0, kind: 1, most: u64::MAX }, Entries { size: 24, key: 8, kind: 0, most: u64::MAX }];
/// Entries of tables that classes share among their instances, from 3.11 on and before.
pub const SHARED: [Entries; 2] =
    [Entries { size: 16, key: 0, kind: 2, most: 30 }, Entries { size: 24, key: 8, kind: 0, most: 128 }];

/// A table, and the entry that led to it.
pub struct Table {
    /// Where it begins.
    pub address: u64,
    /// Entries before that one.
    pub index: u64,
    /// Whether it is of a version before 3.11.
    pub is_old: bool,
}

impl Runtime for Strings {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let beside = reader.word(pointer.checked_add(8)?)?;
        if let Some(further) = attributes::of_name(*self, pointer, beside, target, reader) {
            return Some(Followed::Further(further));
        }
        if let Some(further) = tuples::of_name(*self, pointer, beside, target, reader) {
            return Some(Followed::Further(further));
        }
        let is_in_table = || ENTRIES.into_iter().any(|entries| table(pointer, entries, reader).is_some());
        let value = self.value(beside, target, reader, is_in_table);
        value.or_else(|| locals::of_name(*self, pointer, target, reader).map(Followed::Further))
    }
}

impl Strings {
    /// Strings of this kind, of which one has this header.
    pub fn new(kind: Kind, head: &[u8]) -> Option<Self> {
        Some(Self { class: word(head, 8)?, kind })
    }

    /// The value that is an object at an address, if it was not told yet and all else fits.
    pub fn value(
        &self,
        address: u64,
        target: &Target,
        reader: &Reader<'_>,
        fits: impl Fn() -> bool,
    ) -> Option<Followed> {
        if !is_pointer(address) || address == target.address || reader.is_told(target.address, address) {
            return None;
        }
        let text = || self.text(address, reader).filter(|_| target.name != OF_PAIR);
        let (text, at) = text().or_else(|| self.of_pair(address, target, reader)).filter(|_| fits())?;
        reader.tell(target.address, address);
        Some(Followed::text(text, at))
    }

    /// The value in a tuple of two at an address, the first of which is the name again, in great letters or small ones: so dicts are kept whose
    /// keys have no case, such as the headers of requests. Of credentials the first is whose they are.
    fn of_pair(&self, address: u64, target: &Target, reader: &Reader<'_>) -> Option<(SecretBytes, u64)> {
        let tuple = reader.read(address, 40)?;
        let [class, len, first, second] = [8, 16, 24, 32].map(|at| word(&tuple, at).unwrap_or(0));
        if len != 2 || ![class, first, second].into_iter().all(is_pointer) {
            return None;
        }
        let is_string = || reader.word(first + 8) == Some(self.class);
        let is_name =
            || self.text(first, reader).is_some_and(|(name, _)| name.expose().eq_ignore_ascii_case(&target.name));
        let is_of_two = || target.name.ends_with(b"redentials") || target.name == OF_PAIR;
        let fits = is_name() || is_of_two() && is_string();
        fits.then(|| self.text(second, reader)).flatten()
    }

    /// The letters of the string or the bytes at an address, and where they stand.
    fn text(&self, address: u64, reader: &Reader<'_>) -> Option<(SecretBytes, u64)> {
        let head = reader.read(address, 40)?;
        let class = word(&head, 8)?;
        let is_string = class == self.class && self.kind.length(&head).is_some();
        let has_type = || class != self.class && is_pointer(class) && reader.word(class).is_some();
        let len = usize::try_from(word(&head, 16)?).ok()?;
        if !is_string && !has_type() {
            return None;
        }
        let at = address + if is_string { self.kind.header() as u64 } else { 32 };
        let octets = || reader.letters(at, len).map(|letters| (letters, at));
        octets().or_else(|| if is_string { None } else { array(address, len, reader) })
    }
}

/// The letters of an array of bytes: behind its length stand how many there is room for, where they are, and where those that count begin.
fn array(address: u64, len: usize, reader: &Reader<'_>) -> Option<(SecretBytes, u64)> {
    let [room, all, first] = [24, 32, 40].map(|at| reader.word(address + at).unwrap_or(0));
    let is_array = room > len as u64 && is_address(all) && (all..=all.saturating_add(room)).contains(&first);
    is_array.then(|| reader.letters(first, len)).flatten().map(|letters| (letters, first))
}

/// The table in which a key at this address is part of such an entry.
pub fn table(key: u64, entries: Entries, reader: &Reader<'_>) -> Option<Table> {
    let entry = key.checked_sub(entries.key)?;
    // Back to the first entry: what stands before it is no key. Keys that were taken out are zero.
    let (mut first, mut before) = (entry, 0_u64);
    let is_key = |word: u64| word == 0 || is_pointer(word);
    // The table of all strings holds most names: the way back to its first entry is gone once, and from there on from name to name.
    let gone = reader.way(Run::Keys, entry, entries.size);
    while let Some(earlier) = first.checked_sub(entries.size)
        && reader.word(earlier + entries.key).is_some_and(is_key)
    {
        (first, before) = (earlier, before + 1);
        if let Some(way) = gone.as_ref().filter(|way| way.end == first) {
            before += (way.end - way.start) / entries.size;
            first = way.start;
        }
        // The last of the indices may look like a key or two.
        if before > entries.most.saturating_add(2) {
            return None;
        }
    }
    reader.go(Run::Keys, entries.size, first..entry);
    // A large table has many entries, used or free, which are zero.
    let behind = (1..=BEHIND).map(|i| entry.saturating_add(i * entries.size + entries.key));
    let has_more = || behind.into_iter().all(|key| reader.word(key).is_some_and(is_key));
    let is_large = entries.most == u64::MAX && (before >= BEHIND || has_more());
    // Where the head stands is asked once of each run of entries: the first of those there tells it of the others.
    let run = (first, entries.size, entries.kind, is_large, before.min(2));
    let at = |head: Head| head.table(first, before, entries, reader);
    match reader.head(run) {
        Some(head) => head.and_then(at),
        None => {
            let indices = || INDICES.take_while(|indices| is_large || *indices <= SMALL);
            // Indices of more than one byte may look like a key or two.
            let heads = (0..=before.min(2)).flat_map(|later| {
                [false, true].into_iter().flat_map(move |is_old| indices().map(move |i| (later, is_old, i)))
            });
            let heads = heads.map(|(later, is_old, indices)| Head { later, indices, is_old });
            let found = heads.into_iter().find_map(|head| Some((head, at(head)?)));
            reader.keep_head(run, found.as_ref().map(|(head, _)| *head));
            found.map(|(_, table)| table)
        }
    }
}

/// Where a table's head stands before a run of what may be its entries.
#[derive(Clone, Copy)]
pub struct Head {
    /// Entries of the run that are none.
    later: u64,
    /// The logarithm of its slots, or of the bytes of its indices.
    indices: u8,
    /// Whether it is of a version before 3.11.
    is_old: bool,
}

impl Head {
    /// The table, if it may have this head.
    fn table(self, first: u64, before: u64, entries: Entries, reader: &Reader<'_>) -> Option<Table> {
        let (first, index) = (first + self.later * entries.size, before.checked_sub(self.later)?);
        let address = match self.is_old {
            false => new_table(first, index, self.indices, entries.kind, reader)?,
            true if entries.kind == 0 => old_table(first, index, self.indices, reader)?,
            true => return None,
        };
        Some(Table { address, index, is_old: self.is_old })
    }
}

/// Where a table of 3.11 or later begins that has its first entry here, has `before` entries and more, and so many bytes of indices.
fn new_table(first: u64, before: u64, indices: u8, kind: u8, reader: &Reader<'_>) -> Option<u64> {
    let start = first.checked_sub((1 << indices) + 32)?;
    let head = |at: u64| reader.word(start + at);
    let [slots, index, its_kind, ..] = head(8)?.to_le_bytes();
    let bytes = match slots {
        ..=7 => slots,
        8..=15 => slots + 1,
        16..=30 => slots + 2,
        _ => return None,
    };
    let fits = index == indices && bytes == indices && its_kind == kind;
    (fits && head(0) != Some(0) && holds(head(16), head(24), before, 1 << slots)).then_some(start)
}

/// The same for a table before 3.11 of as many slots as a power of two.
fn old_table(first: u64, before: u64, slots: u8, reader: &Reader<'_>) -> Option<u64> {
    let bytes = match slots {
        ..=7 => 1,
        8..=15 => 2,
        _ => 4,
    };
    let start = first.checked_sub((bytes << slots) + 40)?;
    let head = |at: u64| reader.word(start + at);
    let fits = head(8) == Some(1 << slots)
        && head(0) != Some(0)
        && head(16).is_some_and(is_address)
        && holds(head(24), head(32), before, 1 << slots);
    fits.then_some(start)
}

/// Whether a table of so many slots may have these free and used entries, more than `before` of them used.
fn holds(free: Option<u64>, used: Option<u64>, before: u64, slots: u64) -> bool {
    let (Some(free), Some(used)) = (free, used) else { return false };
    used > before && free.checked_add(used).is_some_and(|all| all <= slots * 2 / 3)
}
