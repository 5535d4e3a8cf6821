//! One pass for any number of literals: every four bytes of the haystack, where there is text, are probed in a bitmap that
//! holds one gram of each literal, its rarest, and of one of three bytes each gram that it begins; what hits is compared in full.
//!
//! So what a pass costs does not depend on how many literals there are, as long as few slots of the bitmap are taken. A
//! probe is a multiplication and a load without a branch: groups of places that hit are collected first, and looked at
//! afterwards.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use multiversion::multiversion;

use super::literals::Wanted;
use super::marks::{BLOCK, Marks, RUN, is_text};

/// Bytes of a gram; no literal is shorter. One that is text earns a block its mark.
pub const GRAM: usize = RUN;

/// Words of the bitmap: 32 KiB, which stays in the first cache. A thousand literals take one slot in 260, and a literal of three bytes some sixty.
const WORDS: usize = 1 << 12;

/// Words of the second bitmap, 8 KiB.
const SECOND: usize = 1 << 10;

/// Places that are probed together: one bit tells whether any of them hits.
const GROUP: usize = 4;

/// Groups of one block.
const GROUPS: usize = BLOCK / GROUP;

/// Blocks that are probed before the hits among them are looked at.
const TILE: usize = 1024;

/// Literals of text, by their grams.
pub struct Grams {
    bitmap: Box<[u64; WORDS]>,
    /// A smaller one by another hash, which is asked only where the first one says yes.
    second: Box<[u64; SECOND]>,
    literals: HashMap<u32, Vec<Alike>, BuildHasherDefault<Multiply>>,
    /// The furthest that a gram stands behind the first byte of its literal.
    deepest: usize,
}

/// Room to work in, kept from one search to the next: to fill it with zeros each time would cost as much as a short search.
pub struct Scratch {
    blocks: Box<[u16; TILE]>,
    hits: Box<[u16; TILE * GROUPS]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { blocks: Box::new([0; TILE]), hits: Box::new([0; TILE * GROUPS]) }
    }
}

/// Literals of one length that have the same gram at the same place, so that one look decides between all of them.
struct Alike {
    into: usize,
    len: usize,
    /// Sorted by the bytes.
    literals: Vec<(Box<[u8]>, u32)>,
}

impl Grams {
    /// Whether a literal can be looked for by a gram of text.
    pub fn takes(literal: &Wanted) -> bool {
        let is_begun = || literal.bytes.len() == GRAM - 1 && literal.bytes.iter().all(|&b| is_text(b));
        let known = literal.next.iter().flatten().all(|&b| is_text(b)) && literal.next.is_some();
        literal.bytes.windows(GRAM).any(is_text_gram) || known && is_begun()
    }

    /// A table of `literals`, which are all taken; `commonness` says which gram of a literal to take.
    pub fn new(literals: &[Wanted], commonness: fn(&[u8]) -> u32) -> Self {
        let mut table = Self {
            bitmap: Box::new([0; WORDS]),
            second: Box::new([0; SECOND]),
            literals: HashMap::default(),
            deepest: 0,
        };
        for Wanted { bytes, number, next } in literals {
            if bytes.len() < GRAM {
                for &next in next.iter().flatten() {
                    table.add(0, gram_of(&[bytes.as_slice(), &[next]].concat()), bytes, *number);
                }
                continue;
            }
            let grams = bytes.windows(GRAM).enumerate().filter(|(_, gram)| is_text_gram(gram));
            // A gram that others have already costs more with each of them: they are compared one after the other.
            let price = |gram: &[u8]| commonness(gram) + 8 * table.sharing(gram);
            if let Some((into, gram)) = grams.min_by_key(|(_, gram)| price(gram)) {
                table.add(into, gram_of(gram), bytes, *number);
            }
        }
        table.literals.values_mut().flatten().for_each(|alike| alike.literals.sort());
        table
    }

    /// The furthest that a gram stands behind the first byte of its literal.
    pub fn deepest(&self) -> usize {
        self.deepest
    }

    fn sharing(&self, gram: &[u8]) -> u32 {
        self.literals.get(&gram_of(gram)).map_or(0, |all| u32::try_from(all.len()).unwrap_or(u32::MAX >> 8))
    }

    fn add(&mut self, into: usize, gram: u32, bytes: &[u8], number: u32) {
        let (word, bit) = slot(gram);
        if let Some(word) = self.bitmap.get_mut(word) {
            *word |= 1_u64.wrapping_shl(bit);
        }
        let slot = second_slot(gram);
        if let Some(word) = self.second.get_mut(slot / 64) {
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

    /// Calls `found` with the number of every literal that begins at a place of `range`, and that place. With marks, only
    /// marked blocks are probed.
    pub fn find(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        marks: Option<&Marks>,
        scratch: &mut Scratch,
        mut found: impl FnMut(u32, usize),
    ) {
        if self.literals.is_empty() {
            return;
        }
        let end = range.end.saturating_add(self.deepest).min(bytes.len());
        let Scratch { blocks, hits } = scratch;
        for tile in (range.start / BLOCK..end.div_ceil(BLOCK)).step_by(TILE) {
            let part = tile * BLOCK..((tile + TILE) * BLOCK).min(end);
            let all = part.len().div_ceil(BLOCK);
            let count = match marks {
                Some(marks) => marked(marks.of(part), blocks),
                None => marked(ALL.get(..all).unwrap_or_default(), blocks),
            };
            let here = bytes.get(tile * BLOCK..).unwrap_or_default();
            let count = probe(here, blocks.get(..count).unwrap_or_default(), &self.bitmap, hits);
            let count = probe_again(here, hits.get_mut(..count).unwrap_or_default(), &self.bitmap, &self.second);
            for &hit in hits.iter().take(count) {
                self.look(bytes, tile * BLOCK + usize::from(hit) * GROUP, &range, &mut found);
            }
        }
    }

    /// Looks at a group of places of which the bitmap may have one.
    fn look(&self, bytes: &[u8], group: usize, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let seen = word_at(bytes, group);
        // Bytes shifted out of one word: reading each gram by itself would wait for the word to be written.
        let gram_at = |place: usize| (seen >> (8 * place)) as u32;
        // Mostly it is one of them: which one is worked out without guessing.
        let mut hits = (0..GROUP).fold(0, |hits, place| hits | self.may_have(gram_at(place)) << place);
        while hits != 0 {
            let place = hits.trailing_zeros() as usize;
            hits &= hits - 1;
            let gram = gram_at(place);
            if is_text_gram(&gram.to_le_bytes()) {
                self.compare(bytes, group + place, gram, range, found);
            }
        }
    }

    /// 1 where both bitmaps may have the gram.
    #[inline]
    fn may_have(&self, gram: u32) -> u64 {
        word(&self.bitmap, gram) & second(&self.second, gram) & 1
    }

    fn compare(&self, bytes: &[u8], at: usize, gram: u32, range: &Range<usize>, found: &mut impl FnMut(u32, usize)) {
        for alike in self.literals.get(&gram).into_iter().flatten() {
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

fn is_text_gram(gram: &[u8]) -> bool {
    gram.iter().all(|&b| is_text(b))
}

fn gram_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |gram| u32::from_le_bytes(*gram))
}

/// The bytes of a group and those behind it that its grams reach to. Behind the last byte there are zeros, which are in no gram.
#[inline]
fn word_at(bytes: &[u8], group: usize) -> u64 {
    let rest = bytes.get(group..).unwrap_or_default();
    let padded = || {
        let mut seen = [0; 8];
        seen.iter_mut().zip(rest).for_each(|(seen, byte)| *seen = *byte);
        seen
    };
    u64::from_le_bytes(rest.first_chunk().copied().unwrap_or_else(padded))
}

/// The word of a gram and its bit in it. Fibonacci hashing: the high bits of the product depend on all bits of the gram. The low
/// ones depend on its first byte only, but a shift takes its count from them without one more step.
#[inline]
fn slot(gram: u32) -> (usize, u32) {
    let hash = gram.wrapping_mul(0x9e37_79b1);
    ((hash >> (u32::BITS - WORDS.trailing_zeros())) as usize, hash)
}

/// 1 where the bitmap may have the gram; what the bits above say is nothing.
#[inline]
fn word(bitmap: &[u64; WORDS], gram: u32) -> u64 {
    let (word, bit) = slot(gram);
    bitmap.get(word).map_or(0, |word| word.wrapping_shr(bit))
}

/// The same for the second bitmap, by another hash.
#[inline]
fn second_slot(gram: u32) -> usize {
    (gram.wrapping_mul(0x85eb_ca6b) >> (u32::BITS - SECOND.trailing_zeros() - u64::BITS.trailing_zeros())) as usize
}

#[inline]
fn second(bitmap: &[u64; SECOND], gram: u32) -> u64 {
    let slot = second_slot(gram);
    bitmap.get(slot / 64).map_or(0, |word| word >> (slot % 64))
}

/// A mark for every block of a tile.
const ALL: [u8; TILE] = [1; TILE];

/// Writes down which blocks are marked, and tells how many: without a branch, which would be guessed wrong half of the time.
fn marked(marks: &[u8], blocks: &mut [u16; TILE]) -> usize {
    let mut count = 0;
    for (&mark, block) in marks.iter().zip(0_u16..) {
        if let Some(slot) = blocks.get_mut(count) {
            *slot = block;
        }
        count += usize::from(mark);
    }
    count
}

/// Writes down in which groups of the blocks a gram stands that the bitmap may have, and tells how many there are. Each group
/// of a block behind which nothing is seen is one of them.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn probe(bytes: &[u8], blocks: &[u16], bitmap: &[u64; WORDS], hits: &mut [u16; TILE * GROUPS]) -> usize {
    let mut count = 0_usize;
    for &block in blocks {
        let rest = bytes.get(usize::from(block) * BLOCK..).unwrap_or_default();
        let (seen, at_end) = match rest.first_chunk::<{ BLOCK + GRAM - 1 }>() {
            Some(seen) => (seen, 0),
            None => (&[0; BLOCK + GRAM - 1], 1),
        };
        let groups = seen.windows(GROUP + GRAM - 1).step_by(GROUP);
        for (group, place) in groups.zip(block * GROUPS as u16..) {
            let any = group.windows(GRAM).fold(at_end, |any, gram| any | word(bitmap, gram_of(gram)));
            if let Some(hit) = hits.get_mut(count) {
                *hit = place;
            }
            count += (any & 1) as usize;
        }
    }
    count
}

/// Keeps those of the groups in which a gram stands that both bitmaps may have, and tells how many there are. Without a branch,
/// which would be guessed wrong one time in five.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn probe_again(bytes: &[u8], hits: &mut [u16], bitmap: &[u64; WORDS], again: &[u64; SECOND]) -> usize {
    let mut count = 0;
    for i in 0..hits.len() {
        let Some(&hit) = hits.get(i) else { break };
        let seen = word_at(bytes, usize::from(hit) * GROUP);
        let grams = (0..GROUP).map(|place| (seen >> (8 * place)) as u32);
        let any = grams.fold(0, |any, gram| any | word(bitmap, gram) & second(again, gram));
        if let Some(kept) = hits.get_mut(count) {
            *kept = hit;
        }
        count += (any & 1) as usize;
    }
    count
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
