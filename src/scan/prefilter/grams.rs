//! One pass for any number of literals: every four bytes of the haystack are probed in a bitmap that holds one gram of each
//! literal, its rarest; what hits is compared in full.
//!
//! So what a pass costs does not depend on how many literals there are, as long as few slots of the bitmap are taken. A
//! probe is a multiplication and a load without a branch: groups of places that hit are collected first, and looked at
//! afterwards.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use multiversion::multiversion;

/// Bytes of a gram; no literal is shorter.
pub const GRAM: usize = 4;

/// Words of a bitmap of 32 KiB, which stays in the first cache. A thousand literals take one slot in 260.
pub const SMALL: usize = 1 << 12;

/// Words of a bitmap of 256 KiB, for tens of thousands of literals that are looked for in few bytes.
pub const LARGE: usize = 1 << 15;

/// Places that are probed together: one bit tells whether any of them hits.
const GROUP: usize = 8;

/// Groups that are probed before the hits among them are looked at: as many as one byte can count.
const BLOCK: usize = 255;

/// Literals of four bytes or more, by one gram of each.
pub struct Grams<const WORDS: usize> {
    bitmap: Box<[u64; WORDS]>,
    literals: HashMap<u32, Vec<Alike>, BuildHasherDefault<Multiply>>,
    /// The furthest that a gram stands behind the first byte of its literal.
    deepest: usize,
}

/// Literals of one length that have the same gram at the same place, so that one look decides between all of them.
struct Alike {
    into: usize,
    len: usize,
    /// Sorted by the bytes.
    literals: Vec<(Box<[u8]>, u32)>,
}

impl<const WORDS: usize> Grams<WORDS> {
    /// A table of `literals` with the numbers that they are told by; `commonness` says which gram of a literal to take.
    pub fn new(literals: &[(Vec<u8>, u32)], commonness: fn(&[u8]) -> u32) -> Self {
        let mut table = Self { bitmap: Box::new([0; WORDS]), literals: HashMap::default(), deepest: 0 };
        for (bytes, number) in literals {
            let grams = bytes.windows(GRAM).enumerate();
            // A gram that others have already costs more with each of them: they are compared one after the other.
            let price = |gram: &[u8]| commonness(gram) + 8 * table.sharing(gram);
            if let Some((into, gram)) = grams.min_by_key(|(_, gram)| price(gram)) {
                table.add(into, gram_of(gram), bytes, *number);
            }
        }
        table.literals.values_mut().flatten().for_each(|alike| alike.literals.sort());
        table
    }

    fn sharing(&self, gram: &[u8]) -> u32 {
        self.literals.get(&gram_of(gram)).map_or(0, |all| u32::try_from(all.len()).unwrap_or(u32::MAX >> 8))
    }

    fn add(&mut self, into: usize, gram: u32, bytes: &[u8], number: u32) {
        let slot = slot::<WORDS>(gram);
        if let Some(word) = self.bitmap.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
        }
        self.deepest = self.deepest.max(into);
        let all = self.literals.entry(gram).or_default();
        let literal = (bytes.into(), number);
        match all.iter_mut().find(|alike| (alike.into, alike.len) == (into, bytes.len())) {
            Some(alike) => alike.literals.push(literal),
            None => all.push(Alike { into, len: bytes.len(), literals: vec![literal] }),
        }
    }

    /// Calls `found` with the number of every literal that begins at a place of `range`, and that place.
    pub fn find(&self, bytes: &[u8], range: Range<usize>, mut found: impl FnMut(u32, usize)) {
        if self.literals.is_empty() {
            return;
        }
        let end = range.end.saturating_add(self.deepest).min(bytes.len().saturating_sub(GRAM - 1));
        let mut hits = [0; 256];
        let mut at = range.start;
        while at < end {
            let next = (at + BLOCK * GROUP).min(end);
            let block = bytes.get(at..next + GRAM - 1).unwrap_or_default();
            let count = probe(block, &self.bitmap, &mut hits);
            for &hit in hits.iter().take(usize::from(count)) {
                let group = at + usize::from(hit) * GROUP;
                (group..group + GROUP).for_each(|at| self.compare(bytes, at, &range, &mut found));
            }
            // What is left is less than a group.
            let probed = block.len().saturating_sub(GRAM - 1) / GROUP * GROUP;
            (at + probed..next).for_each(|at| self.compare(bytes, at, &range, &mut found));
            at = next;
        }
    }

    fn compare(&self, bytes: &[u8], at: usize, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let gram = bytes.get(at..at + GRAM).map(gram_of).filter(|gram| bit(&self.bitmap, *gram) == 1);
        for alike in gram.and_then(|gram| self.literals.get(&gram)).into_iter().flatten() {
            let Some(start) = at.checked_sub(alike.into).filter(|start| range.contains(start)) else { continue };
            let Some(here) = bytes.get(start..start + alike.len) else { continue };
            if let Ok(i) = alike.literals.binary_search_by(|(literal, _)| (**literal).cmp(here))
                && let Some((_, number)) = alike.literals.get(i)
            {
                found(*number, start);
            }
        }
    }
}

fn gram_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |gram| u32::from_le_bytes(*gram))
}

/// Fibonacci hashing: the high bits of the product depend on all bits of the gram.
#[inline]
fn slot<const WORDS: usize>(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (u32::BITS - WORDS.trailing_zeros() - 6)) as usize
}

/// 1 where the bitmap may have the gram; what the bits above say is nothing.
#[inline]
fn word<const WORDS: usize>(bitmap: &[u64; WORDS], gram: u32) -> u64 {
    let slot = slot::<WORDS>(gram);
    bitmap.get(slot / 64).map_or(0, |word| word >> (slot % 64))
}

#[inline]
fn bit<const WORDS: usize>(bitmap: &[u64; WORDS], gram: u32) -> u64 {
    word(bitmap, gram) & 1
}

/// Writes down in which groups of `block` a gram stands that the bitmap may have, and tells how many there are.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn probe<const WORDS: usize>(block: &[u8], bitmap: &[u64; WORDS], hits: &mut [u8; 256]) -> u8 {
    let (mut count, mut place) = (0_usize, 0_u8);
    for group in block.windows(GROUP + GRAM - 1).step_by(GROUP) {
        let Some(group) = group.first_chunk::<{ GROUP + GRAM - 1 }>() else { break };
        let any = group.windows(GRAM).fold(0, |any, gram| any | word(bitmap, gram_of(gram)));
        if let Some(hit) = hits.get_mut(count) {
            *hit = place;
        }
        count += (any & 1) as usize;
        place = place.wrapping_add(1);
    }
    count as u8
}

/// The hash of a gram among the few that the bitmap lets pass. The keys come from rules, so nobody can make them collide.
#[derive(Default)]
struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u32(u32::from(b)));
    }
    fn write_u32(&mut self, word: u32) {
        self.0 = (self.0 ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}
