//! Values of maps of OpenJDK 9 and later: `HashMap`, `LinkedHashMap`, `ConcurrentHashMap`, `Properties` and `Hashtable`.
//!
//! An entry has the hash of its key, which is worked out of the letters alone: so entries of a name are found by it, where pointers would
//! have to be followed back twice, from the array of the letters to the string and from there to the entry. An entry leads to the key, which must have the
//! hash, the letters and the classes of a string, and to the value, which must be of the same classes.
//!
//! Objects begin with a word of state and four bytes that tell the class. In an entry four bytes with the hash follow, key, value and
//! next; in a string its hash, whether a letter is a byte, and the array of its letters, in an order that is not always the same; in an array its
//! length. Pointers have four bytes and count whole words, or bytes where the heap is small, or eight bytes where it is large
//! (`-XX:-UseCompressedOops`). Not known are heaps of 32 GB that do not begin at zero, and those without compressed class pointers.
//!
//! Source: `markWord.hpp`, `String.hashCode`, `HashMap.hash` and `ConcurrentHashMap.spread` of OpenJDK 17.

use multiversion::multiversion;

use super::Followed;
use super::reader::{Reader, is_pointer, word};
use crate::hunt::dense::{self, LANES, WORD};

/// Entries of names, by hash.
pub struct Entries {
    /// Each hash that an entry may have, and the name.
    hashes: Vec<(u32, Vec<u8>)>,
    /// One bit for some of the bits of each.
    filter: Box<[u64; FILTER]>,
}

/// Words of the filter.
const FILTER: usize = 256;

fn bit(hash: u32) -> (usize, u64) {
    (hash as usize / 64 % FILTER, 1 << (hash % 64))
}

/// How pointers are written.
#[derive(Clone, Copy)]
pub enum Width {
    /// In four bytes, to be shifted by so many bits.
    Four(u32),
    /// In eight.
    Eight,
}

pub const WIDTHS: [Width; 3] = [Width::Four(3), Width::Four(0), Width::Eight];

/// Where a string has its hash, the pointer to its letters, and what says whether each is a byte.
#[derive(Clone, Copy)]
pub struct Layout {
    hash: usize,
    pub array: usize,
    pub coder: usize,
}

/// With pointers of four bytes, since 15 and before.
pub const NARROW: [Layout; 2] = [Layout { hash: 12, array: 20, coder: 16 }, Layout { hash: 16, array: 12, coder: 20 }];
/// With pointers of eight.
pub const WIDE: [Layout; 2] = [Layout { hash: 12, array: 24, coder: 16 }, Layout { hash: 12, array: 16, coder: 24 }];

/// How strings are laid out, their class, and the class of the arrays of their letters.
#[derive(Clone, Copy)]
struct Strings {
    layout: Layout,
    class: u32,
    array: u32,
}

impl Entries {
    /// Entries of these names; none where there are no names.
    pub fn of(mut names: Vec<Vec<u8>>) -> Option<Self> {
        names.sort();
        names.dedup();
        let hashes = |name: Vec<u8>| of_entries(&name).map(|hash| (hash, name.clone()));
        let mut hashes: Vec<(u32, Vec<u8>)> = names.into_iter().flat_map(hashes).collect();
        hashes.sort();
        hashes.dedup();
        let mut filter = Box::new([0; FILTER]);
        for (at, bit) in hashes.iter().map(|(hash, _)| bit(*hash)) {
            filter.iter_mut().skip(at).take(1).for_each(|word| *word |= bit);
        }
        (!hashes.is_empty()).then_some(Self { hashes, filter })
    }

    /// Calls `found` for every object of `bytes` that may be an entry, with where it begins and the name.
    pub fn all<'a>(&'a self, bytes: &[u8], mut found: impl FnMut(usize, &'a [u8])) {
        for (block, at) in bytes.chunks(WORD * LANES).zip((0..).step_by(WORD * LANES)) {
            let mut left = states(&dense::whole(block));
            while left != 0 {
                let object = at + WORD * left.trailing_zeros() as usize;
                left &= left - 1;
                let hash = word(bytes, object + WORD).map_or(0, |word| (word >> 32) as u32);
                self.names(hash).for_each(|name| found(object, name));
            }
        }
    }

    fn names(&self, hash: u32) -> impl Iterator<Item = &[u8]> {
        let (word, bit) = bit(hash);
        let may_be = self.filter.get(word).is_some_and(|word| word & bit != 0);
        let from = if may_be { self.hashes.partition_point(|(other, _)| *other < hash) } else { usize::MAX };
        let behind = self.hashes.get(from..).unwrap_or_default().iter();
        behind.take_while(move |(other, _)| *other == hash).map(|(_, name)| name.as_slice())
    }
}

/// One bit for each word with which an object may begin that nobody has locked or asked for its hash.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn states(block: &[u8; WORD * LANES]) -> u64 {
    let mut mask = 0;
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        // Its age, and whether it may be locked for one thread.
        mask |= u64::from(u64::from_le_bytes(*word) & !0x7c == 1) << i;
    }
    mask
}

/// The value of the entry at an address, if it is one of this name.
pub fn value(entry: u64, name: &[u8], reader: &Reader<'_>) -> Option<Followed> {
    let words = [16, 24].map(|at| reader.word(entry + at));
    let [Some(first), Some(second)] = words else { return None };
    WIDTHS.into_iter().find_map(|width| {
        let (key, value) = match width {
            Width::Four(shift) => ((first & 0xffff_ffff) << shift, first >> 32 << shift),
            Width::Eight => (first, second),
        };
        let strings = strings_of(key, width, name, reader)?;
        let (at, len) = letters(value, width, strings, reader).filter(|(at, _)| !reader.is_told(entry, *at))?;
        let text = reader.text(at, len)?;
        reader.tell(entry, at);
        Some(Followed::text(text, at))
    })
}

/// What strings are like, if the one at an address is the name.
fn strings_of(address: u64, width: Width, name: &[u8], reader: &Reader<'_>) -> Option<Strings> {
    let head = Some(address).filter(|address| is_pointer(*address)).and_then(|address| reader.read(address, 32))?;
    let layouts = if matches!(width, Width::Eight) { WIDE } else { NARROW };
    layouts.into_iter().filter(|layout| half(&head, layout.hash) == Some(hash_code(name))).find_map(|layout| {
        let array = pointed(&head, layout.array, width)?;
        let array = reader.read(array, 16).and_then(|head| half(&head, 8))?;
        let strings = Strings { layout, class: half(&head, 8)?, array };
        let (at, len) = letters(address, width, strings, reader)?;
        (len == name.len() && reader.read(at, len as u64)? == name).then_some(strings)
    })
}

/// Where the letters of the string at an address stand, each a byte, and how many there are.
fn letters(address: u64, width: Width, strings: Strings, reader: &Reader<'_>) -> Option<(u64, usize)> {
    let Strings { layout, class, array: array_class } = strings;
    let is_of = |head: &[u8], class| half(head, 8) == Some(class) && is_state(head);
    let head = Some(address).filter(|address| is_pointer(*address)).and_then(|address| reader.read(address, 32))?;
    let is_string = is_of(&head, class) && head.get(layout.coder) == Some(&0);
    let array = pointed(&head, layout.array, width).filter(|_| is_string)?;
    let head = reader.read(array, 16).filter(|head| is_of(head, array_class))?;
    Some((array + 16, half(&head, 12)? as usize))
}

/// What a pointer in an object leads to.
pub fn pointed(object: &[u8], at: usize, width: Width) -> Option<u64> {
    let address = match width {
        Width::Four(shift) => half(object, at).map(|half| u64::from(half) << shift),
        Width::Eight => word(object, at),
    };
    address.filter(|address| is_pointer(*address))
}

/// Whether an object begins with such a word: with a hash of its own or without, and locked by nobody.
pub fn is_state(head: &[u8]) -> bool {
    word(head, 0).is_some_and(|state| state >> 39 == 0 && matches!(state & 7, 1 | 5))
}

pub fn half(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|half| u32::from_le_bytes(*half))
}

/// The hash of a string of ASCII.
fn hash_code(letters: &[u8]) -> u32 {
    letters.iter().fold(0_u32, |hash, letter| hash.wrapping_mul(31).wrapping_add(u32::from(*letter)))
}

/// The hashes that entries of this key may have: of `Hashtable`, `HashMap` and `ConcurrentHashMap`.
fn of_entries(key: &[u8]) -> [u32; 3] {
    let hash = hash_code(key);
    let spread = hash ^ hash >> 16;
    [hash, spread, spread & 0x7fff_ffff]
}
