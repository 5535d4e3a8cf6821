//! One bit for each word of a stretch, so that "a run of sixteen full words that begins with an odd one and ends with a great
//! one" is a handful of operations for 64 places at a time.

use std::ops::Range;

use multiversion::multiversion;
use smallvec::{SmallVec, smallvec};

use super::dense::{self, LANES};

/// Blocks of 64 words that need no allocation. Nearly all stretches that look random are no longer than 2 KiB, and many bits are made of each.
const FEW: usize = 4;

/// One bit for each word of a stretch.
#[derive(Clone, Debug)]
pub struct Bits(SmallVec<[u64; FEW]>);

impl Bits {
    /// The bit of each word is what `test` says.
    pub fn of(words: &[u64], test: impl Fn(u64) -> bool) -> Self {
        let mask = |words: &[u64]| (0..).zip(words).fold(0, |mask, (i, &word)| mask | u64::from(test(word)) << i);
        Self(words.chunks(LANES).map(mask).collect())
    }

    /// Which words are full ([`dense::is_full`]).
    #[must_use]
    pub fn full(words: &[u64]) -> Self {
        Self::by(words, full)
    }

    /// Which words are dense ([`dense::is_dense`]).
    #[must_use]
    pub fn dense(words: &[u64]) -> Self {
        Self::by(words, dense)
    }

    /// One bit of each word.
    #[must_use]
    pub fn bit(words: &[u64], bit: u32) -> Self {
        Self::by(words, |words| one(words, bit))
    }

    /// Of 64 words each; behind the last one stand zeros.
    fn by(words: &[u64], mask: impl Fn(&[u64; LANES]) -> u64) -> Self {
        let (whole, rest) = words.as_chunks();
        let mut last = [0; LANES];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let last = if rest.is_empty() { None } else { Some(&last) };
        Self(whole.iter().chain(last).map(mask).collect())
    }

    /// Those that are not set. Behind the last word all are.
    #[must_use]
    pub fn not(&self) -> Self {
        Self(self.0.iter().map(|bits| !bits).collect())
    }

    /// Every bit of `len` words.
    #[must_use]
    pub fn all(len: usize) -> Self {
        Self(smallvec![u64::MAX; len.div_ceil(LANES)])
    }

    /// Single words that are not set between two that are.
    #[must_use]
    pub fn without_holes(&self) -> Self {
        let get = |i: usize| self.0.get(i).copied().unwrap_or(0);
        let filled = |i: usize| {
            let (here, before, behind) = (get(i), if i > 0 { get(i - 1) } else { 0 }, get(i + 1));
            here | (here << 1 | before >> 63) & (here >> 1 | behind << 63)
        };
        Self((0..self.0.len()).map(filled).collect())
    }

    /// Where runs of `len` set bits begin.
    #[must_use]
    pub fn runs(&self, len: usize) -> Self {
        self.clone().longer(1, len)
    }

    /// Where runs of `len` begin, of where runs of `have` do.
    #[must_use]
    pub fn longer(mut self, mut have: usize, len: usize) -> Self {
        while have < len {
            let step = have.min(len - have);
            self.each(|here, moved| here & moved, step);
            have += step;
        }
        self
    }

    /// Each as far before its place.
    #[must_use]
    pub fn before(mut self, by: usize) -> Self {
        self.each(|_, moved| moved, by);
        self
    }

    /// Each right behind its place.
    #[must_use]
    pub fn behind_one(&self) -> Self {
        let before = std::iter::once(&0).chain(&self.0);
        Self(self.0.iter().zip(before).map(|(here, before)| here << 1 | before >> (LANES - 1)).collect())
    }

    /// Makes something of each and the one so far ahead, which was not made anew yet.
    fn each(&mut self, make: impl Fn(u64, u64) -> u64, ahead: usize) {
        for i in 0..self.0.len() {
            let moved = self.ahead(i, ahead);
            self.0.get_mut(i).into_iter().for_each(|here| *here = make(*here, moved));
        }
    }

    /// Those of 64 words, so far ahead of a block.
    fn ahead(&self, block: usize, ahead: usize) -> u64 {
        let (words, bits) = (ahead / LANES, ahead % LANES);
        // In two steps, since a shift by 64 is none.
        self.block(block + words) >> bits | self.block(block + words + 1) << (LANES - 1 - bits) << 1
    }

    /// Those of 64 words.
    #[must_use]
    pub fn block(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// Where this is set, and the other one is `ahead` words further on.
    #[must_use]
    pub fn and(&self, other: &Self, ahead: usize) -> Self {
        Self(self.0.iter().enumerate().map(|(i, here)| here & other.ahead(i, ahead)).collect())
    }

    /// Whether the word at `index` is set.
    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        self.0.get(index / LANES).is_some_and(|bits| bits >> (index % LANES) & 1 == 1)
    }

    /// The words that are set and follow each other, in order.
    pub fn rows(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.next(at)?;
            let mut end = start;
            loop {
                let set = (self.block(end / LANES) >> (end % LANES)).trailing_ones() as usize;
                end += set;
                // A row that reaches the end of its block may go on in the next one.
                if set == 0 || !end.is_multiple_of(LANES) {
                    break;
                }
            }
            at = end;
            Some(start..end)
        })
    }

    /// The first word at `from` or behind it that is set.
    fn next(&self, from: usize) -> Option<usize> {
        let mut skipped = u64::MAX << (from % LANES);
        for (block, bits) in self.0.iter().enumerate().skip(from / LANES) {
            let left = bits & skipped;
            if left != 0 {
                return Some(LANES * block + left.trailing_zeros() as usize);
            }
            skipped = u64::MAX;
        }
        None
    }

    /// The words of a range that are set, in order.
    pub fn ones_in(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let last = range.end.div_ceil(LANES);
        (range.start / LANES..last).flat_map(move |block| {
            let from = range.start.saturating_sub(LANES * block);
            let behind = (LANES * (block + 1)).saturating_sub(range.end);
            let mask = u64::MAX << from & u64::MAX >> behind;
            ones(self.block(block) & mask).map(move |bit| LANES * block + bit)
        })
    }

    /// The words that are set, in order.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(i, &mask)| ones(mask).map(move |bit| LANES * i + bit))
    }
}

/// Which bits are set, in order.
pub fn ones(mask: u64) -> impl Iterator<Item = usize> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(bit)
    })
}

impl FromIterator<u64> for Bits {
    fn from_iter<I: IntoIterator<Item = u64>>(blocks: I) -> Self {
        Self(blocks.into_iter().collect())
    }
}

/// The lowest bits of 64 bytes, side by side.
#[inline(always)]
#[must_use]
pub fn pack(bytes: &[u8; LANES]) -> u64 {
    let eight = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    bytes.as_chunks().0.iter().rev().fold(0, |mask, bytes| mask << 8 | eight(bytes))
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn full(words: &[u64; LANES]) -> u64 {
    (0..).zip(words).fold(0, |mask, (i, word)| mask | u64::from(dense::is_full(*word)) << i)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn dense(words: &[u64; LANES]) -> u64 {
    (0..).zip(words).fold(0, |mask, (i, word)| mask | u64::from(dense::is_dense(*word)) << i)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn one(words: &[u64; LANES], bit: u32) -> u64 {
    (0..).zip(words).fold(0, |mask, (i, word)| mask | (word >> bit & 1) << i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn bits_equal_a_plain_walk() {
        for seed in 0..40 {
            let words: Vec<u64> = noise(3000, seed).chunks(8).map(|w| u64::from(w[0])).collect();
            let set = |i: usize| words.get(i).is_some_and(|&word| word < 200);
            let bits = Bits::of(&words, |word| word < 200);
            for len in [1, 2, 7, 16, 64, 65, 130] {
                let want: Vec<usize> = (0..words.len()).filter(|&i| (i..i + len).all(set)).collect();
                assert_eq!(bits.runs(len).ones().collect::<Vec<_>>(), want);
                let ahead: Vec<usize> = (0..words.len()).filter(|&i| set(i) && set(i + len)).collect();
                let longer = bits.runs(len).longer(len, len + 9);
                assert!(longer.ones().eq((0..words.len()).filter(|&i| (i..i + len + 9).all(set))));
                let before: Vec<usize> = (0..words.len()).filter(|&i| set(i + len)).collect();
                assert_eq!(bits.clone().before(len).ones().collect::<Vec<_>>(), before);
                assert_eq!(bits.and(&bits, len).ones().collect::<Vec<_>>(), ahead);
            }
            let filled = (0..words.len()).filter(|&i| set(i) || i > 0 && set(i - 1) && set(i + 1));
            assert!(bits.without_holes().ones().eq(filled));
        }
    }

    #[test]
    fn bits_of_words_equal_a_plain_walk() {
        for len in [0, 1, 63, 64, 65, 300] {
            let small = |i: usize| if i.is_multiple_of(3) { 0xff_ffff_ffff } else { u64::MAX };
            let words = dense::words(&noise(8 * len, 7));
            let words: Vec<u64> = words.iter().enumerate().map(|(i, word)| word & small(i)).collect();
            let which = |test: &dyn Fn(u64) -> bool| (0..len).filter(|i| test(words[*i])).collect::<Vec<_>>();
            assert_eq!(Bits::full(&words).ones().collect::<Vec<_>>(), which(&dense::is_full));
            assert_eq!(Bits::dense(&words).ones().collect::<Vec<_>>(), which(&dense::is_dense));
            for bit in [0, 7, 31, 63] {
                assert_eq!(Bits::bit(&words, bit).ones().collect::<Vec<_>>(), which(&|word| word >> bit & 1 == 1));
            }
            let not: Vec<usize> = Bits::full(&words).not().ones().filter(|i| *i < len).collect();
            assert_eq!(not, which(&|word| !dense::is_full(word)));
        }
    }

    #[test]
    fn the_lowest_bits_of_bytes_are_packed_in_order() {
        let bytes: [u8; 64] = std::array::from_fn(|i| noise(64, 3)[i] & 1);
        assert!((0..64).all(|i| pack(&bytes) >> i & 1 == u64::from(bytes[i])));
    }

    #[test]
    fn rows_and_words_of_a_range_equal_those_of_a_plain_walk() {
        for seed in 0..40 {
            // Long rows and short ones, some of them over the borders of blocks.
            let bits: Vec<bool> = noise(60, seed)
                .iter()
                .flat_map(|b| vec![b & 1 == 1; usize::from(b >> 2) % 41 * (seed as usize % 7 + 1)])
                .collect();
            let blocks =
                bits.chunks(LANES).map(|bits| (0..).zip(bits).fold(0, |mask, (i, bit)| mask | u64::from(*bit) << i));
            let packed: Bits = blocks.collect();
            let mut want = Vec::new();
            for (at, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
                match want.last_mut() {
                    Some(Range { end, .. }) if *end == at => *end = at + 1,
                    _ => want.push(at..at + 1),
                }
            }
            assert_eq!(packed.rows().collect::<Vec<_>>(), want);
            for range in [0..bits.len(), 0..0, 5..70, 63..65, 64..128, 100..bits.len(), 64..64] {
                let set: Vec<usize> = range.clone().filter(|at| bits.get(*at) == Some(&true)).collect();
                assert_eq!(packed.ones_in(range).collect::<Vec<_>>(), set);
            }
        }
    }
}
