//! Values of dictionaries of .NET and Mono.
//!
//! An entry of a `Dictionary` has the key, the value behind it, and in one word the hash of the key and which entry is the next of the same hash, -1 where
//! there is none: behind both in .NET, which puts pointers first, and before them in Mono. A bucket of a `Hashtable` has the same with nothing but the hash in
//! that word. An object of a `ConcurrentDictionary` has a pointer to the next such object, and the hash behind that. Fields of objects have no names in
//! memory, but in the files of a program, which dumps do not hold.
//!
//! Source: `Entry` in Dictionary.cs, `Bucket` in Hashtable.cs and `Node` in ConcurrentDictionary.cs, of .NET Core 3.1 and later; `MonoString` and
//! `MonoArray` in object-internals.h; in a process of 64 bits in little-endian order.

use super::reader::{Reader, is_pointer, word};
use super::{Followed, Runtime, Target, Value};
use crate::detect::object_names::Kind;
use crate::finding::Encoding;
use crate::vault::SecretBytes;

/// A string that is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    kind: Kind,
    /// The class of strings.
    class: u64,
}

/// Entries of a dictionary at most.
const MOST: u32 = 1 << 24;
/// A hash is one of more, in nearly all cases.
const HASH: u32 = 1 << 16;

impl Key {
    /// The one with this header.
    pub fn new(kind: Kind, head: &[u8]) -> Option<Self> {
        Some(Self { kind, class: word(head, 0)? })
    }

    /// The letters of the string at an address, and where they stand.
    fn text(self, string: u64, reader: &Reader<'_>) -> Option<Value> {
        let head = reader.read(string, self.kind.header() as u64)?;
        let len = self.kind.length(&head).filter(|_| word(&head, 0) == Some(self.class))?;
        let at = string + head.len() as u64;
        let places = vec![(at, 2 * len as u64)];
        Some(Value { text: reader.wide_text(at, len)?, places, encoding: Encoding::Utf16Le })
    }

    /// The octets of the array of bytes at an address, and where they stand: Mono has room for whoever locks it and for its bounds before its length.
    fn octets(self, array: u64, reader: &Reader<'_>) -> Option<(SecretBytes, u64)> {
        let len = if self.kind == Kind::Mono { 24 } else { 8 };
        let has_class =
            is_there(reader.word(array)?, reader) && (8..len).step_by(8).all(|at| reader.word(array + at) == Some(0));
        let octets = has_class.then(|| usize::try_from(reader.word(array + len)?).ok()).flatten()?;
        Some((reader.key(array + len + 8, octets)?, array + len + 8))
    }
}

impl Runtime for Key {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let value =
            reader.word(pointer.checked_add(8)?).filter(|value| is_pointer(*value) && *value != target.address)?;
        if reader.is_told(target.address, value) || !is_entry(pointer, reader) {
            return None;
        }
        let text = || self.text(value, reader).map(Followed::Value);
        let octets = || self.octets(value, reader).map(|(octets, at)| Followed::text(octets, at));
        let found = text().or_else(octets)?;
        reader.tell(target.address, value);
        Some(found)
    }
}

/// Whether a key of a dictionary stands at an address.
fn is_entry(key: u64, reader: &Reader<'_>) -> bool {
    let is = |at: Option<u64>| at.and_then(|at| reader.word(at)).is_some_and(|word| has_hash(word, reader));
    let is_node = || {
        let next = reader.word(key + 16).is_some_and(|next| next == 0 || is_there(next, reader));
        let class =
            key.checked_sub(8).and_then(|class| reader.word(class)).is_some_and(|class| is_there(class, reader));
        let hash = reader.word(key + 24).is_some_and(|hash| hash >= u64::from(HASH) && hash >> 32 == 0);
        next && class && hash
    };
    is(key.checked_add(16)) || is(key.checked_sub(8)) || is_node()
}

/// Whether half of a word may be a hash and the other half the number of an entry, and the word is no address.
fn has_hash(word: u64, reader: &Reader<'_>) -> bool {
    let (low, high) = (word as u32, (word >> 32) as u32);
    let is_number = |next: u32| next == u32::MAX || next < MOST;
    let is = |hash: u32, next: u32| (HASH..u32::MAX).contains(&hash) && is_number(next);
    (is(low, high) || is(high, low)) && !is_there(word, reader)
}

/// Whether there is memory at an address.
fn is_there(address: u64, reader: &Reader<'_>) -> bool {
    is_pointer(address) && reader.word(address).is_some()
}
