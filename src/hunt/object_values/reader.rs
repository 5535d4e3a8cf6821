//! Reads of memory for one window, as long as there is a budget for them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use zeroize::Zeroizing;

use super::python::Head;
use super::{KEYS, VALUES};
use crate::hunt::dense::WORD;
use crate::hunt::{Shown, randomness};
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::Address;
use crate::vault::SecretBytes;

/// One past the highest address of a process.
const HIGHEST: u64 = 1 << 47;
/// Bytes that are read at once, and how many of those are kept: what pointers of one place lead to often stands close together.
const BLOCK: u64 = 4096;
const KEPT: usize = 64;
/// Steps over memory that was read for each read that there is a budget for.
const STEPS: usize = 128;

/// Whether it may be the address of an object.
pub fn is_pointer(word: u64) -> bool {
    is_address(word) && word.is_multiple_of(8)
}

/// Whether it may be the address of anything.
pub fn is_address(word: u64) -> bool {
    (0x1000..HIGHEST).contains(&word)
}

/// The word at a place.
pub fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(WORD)?)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// The bytes at an address, if memory has all of them.
pub fn read(memory: &AddressSpace, image: &Image, address: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    let got = memory.read(image, Address(address), &mut bytes).ok()?;
    (got == bytes.len()).then_some(bytes)
}

/// A run of what may be entries of a table: where it begins, the bytes and kind of each, and what else tells where the head may stand.
pub type RunOfTable = (u64, u64, u8, bool, u64);

/// What a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Run {
    /// Keys of tables of CPython.
    Keys,
    /// Descriptors of V8.
    Descriptors,
    /// Entries of tables of V8.
    Entries,
    /// Names of variables of V8.
    Names,
}

/// Reads memory for one window.
pub struct Reader<'a> {
    shown: &'a Shown<'a>,
    left: Cell<usize>,
    /// Steps that are left.
    steps: Cell<usize>,
    /// Blocks that were read, and where each begins.
    blocks: RefCell<[(u64, Vec<u8>); KEPT]>,
    /// Which values were told of which targets.
    told: RefCell<HashSet<(u64, u64)>>,
    /// The last runs of entries that were gone over, by what they are, their size and where they lie.
    ways: RefCell<BTreeMap<(Run, u64, u64), Range<u64>>>,
    /// What was found of the heads of tables.
    heads: RefCell<BTreeMap<RunOfTable, Option<Head>>>,
}

impl<'a> Reader<'a> {
    /// A reader that has so many reads at least.
    pub fn new(shown: &'a Shown<'a>, left: usize) -> Self {
        let left = left.max(1 << 10);
        Self {
            shown,
            left: Cell::new(left),
            steps: Cell::new(STEPS * left),
            blocks: RefCell::new([const { (0, Vec::new()) }; KEPT]),
            told: RefCell::default(),
            ways: RefCell::default(),
            heads: RefCell::default(),
        }
    }

    /// Whether there are no reads left.
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Takes so many steps over what was read; whether there were so many left. Where not, no read is left either.
    pub fn step(&self, count: usize) -> bool {
        let left = self.steps.get().checked_sub(count);
        if left.is_none() {
            self.left.set(0);
        }
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether this value was told of this target.
    pub fn is_told(&self, target: u64, value: u64) -> bool {
        self.told.borrow().contains(&(target, value))
    }

    /// Remembers that it was.
    pub fn tell(&self, target: u64, value: u64) {
        self.told.borrow_mut().insert((target, value));
    }

    /// The last run of entries of this size that were gone over and may be those before an entry, from the first of them to where that
    /// began.
    pub fn way(&self, run: Run, entry: u64, size: u64) -> Option<Range<u64>> {
        self.ways.borrow().get(&(run, size, entry % size)).cloned()
    }

    /// Remembers such a run.
    pub fn go(&self, run: Run, size: u64, way: Range<u64>) {
        self.ways.borrow_mut().insert((run, size, way.end % size), way);
    }

    /// The first entry of the run that ends with the one at an address, and how many there are before that one.
    pub fn first(&self, run: Run, entry: u64, size: u64, is_entry: impl Fn(u64) -> bool) -> (u64, u64) {
        let gone = self.way(run, entry, size);
        let mut first = entry;
        while let Some(earlier) = first.checked_sub(size).filter(|at| is_entry(*at)) {
            first = gone.as_ref().filter(|way| way.end == earlier).map_or(earlier, |way| way.start);
        }
        self.go(run, size, first..entry);
        (first, (entry - first) / size)
    }

    /// What was found of the head of a table before a run of entries.
    pub fn head(&self, run: RunOfTable) -> Option<Option<Head>> {
        self.heads.borrow().get(&run).copied()
    }

    /// Remembers it.
    pub fn keep_head(&self, run: RunOfTable, head: Option<Head>) {
        self.heads.borrow_mut().insert(run, head);
    }

    /// The bytes at an address.
    pub fn read(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        let in_block = address % BLOCK + len <= BLOCK;
        if let Some(bytes) = in_block.then(|| self.kept(address, len, <[u8]>::to_vec)).flatten() {
            return Some(bytes);
        }
        self.left.set(self.left.get().checked_sub(1)?);
        read(self.shown.memory, self.shown.image, address, len)
    }

    /// The word at an address, which is a whole number of them.
    pub fn word(&self, address: u64) -> Option<u64> {
        self.kept(address, WORD as u64, |bytes| word(bytes, 0)).flatten()
    }

    /// What is taken of so many bytes of one block; none where memory does not have all of them.
    fn kept<T>(&self, address: u64, len: u64, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut blocks = self.blocks.borrow_mut();
        let block = blocks.get_mut((address / BLOCK) as usize % KEPT)?;
        let (first, behind) = (block.0, block.0 + block.1.len() as u64);
        if !(first..behind).contains(&address) {
            self.left.set(self.left.get().checked_sub(1)?);
            let memory = self.shown.memory;
            // What regions do not hold of it is left out.
            let first = memory.region_at(Address(address))?.0.0.max(address / BLOCK * BLOCK);
            let mut bytes = vec![0; (BLOCK - first % BLOCK) as usize];
            let got = memory.read(self.shown.image, Address(first), &mut bytes).unwrap_or(0);
            bytes.truncate(got);
            *block = (first, bytes);
        }
        let from = usize::try_from(address - block.0).ok()?;
        block.1.get(from..from.checked_add(usize::try_from(len).ok()?)?).map(take)
    }

    /// So many letters of a value at an address, or octets of a key, behind which a NUL stands.
    pub fn letters(&self, at: u64, len: usize) -> Option<SecretBytes> {
        let has_end = self.read(at.checked_add(len as u64)?, 1)? == [0];
        self.text(at, len).or_else(|| self.key(at, len)).filter(|_| has_end)
    }

    /// So many octets of a value at an address that look like a key.
    pub fn key(&self, at: u64, len: usize) -> Option<SecretBytes> {
        let octets = SecretBytes::new(if KEYS.contains(&len) { self.read(at, len as u64)? } else { return None });
        randomness::all_look_random(octets.expose()).then_some(octets)
    }

    /// So many letters of a value at an address.
    pub fn text(&self, at: u64, len: usize) -> Option<SecretBytes> {
        if !VALUES.contains(&len) {
            return None;
        }
        let bytes = SecretBytes::new(self.read(at, len as u64)?);
        bytes.expose().iter().all(|letter| (b' '..=b'~').contains(letter)).then_some(bytes)
    }

    /// The same of letters that have two bytes each.
    pub fn wide_text(&self, at: u64, len: usize) -> Option<SecretBytes> {
        let bytes = Zeroizing::new(if VALUES.contains(&len) { self.read(at, 2 * len as u64)? } else { return None });
        let pairs = bytes.as_chunks::<2>().0.iter();
        let letter = |&[low, high]: &[u8; 2]| (high == 0 && (b' '..=b'~').contains(&low)).then_some(low);
        let letters: Option<Vec<u8>> = pairs.map(letter).collect();
        letters.map(SecretBytes::new)
    }
}
