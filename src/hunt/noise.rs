//! Long data that looks random throughout: compressed or encrypted files and what was left of them.
//!
//! There every eighth byte or so may begin a number, where in other memory one in thousands does, and each costs a division. What
//! stands there and is a number of a key all the same was laid down by a program, at a whole word; a key of which nothing but
//! noise is to be seen for kilobytes on both sides, at an odd place, without the header of a structure, is next to never there.
//! Where a dump is full of noise, as that of a browser is, that goes for whole words too: then a number is expected to have the header
//! of its allocation before it, or the end of it behind.
//!
//! What is asked follows from the bytes around a place alone, at distances that every window shows, so windows do not matter.

use std::ops::Range;

use multiversion::multiversion;

use super::dense::{self, Bits, LANES, WORD};
use crate::window::Window;

/// Bytes of a block that is noise or none.
const BLOCK: usize = WORD * LANES;
/// How far before a number and behind it there is noise, in bytes.
pub const FAR: usize = 7 * BLOCK;
/// The same where a dump is full of it.
pub const NEAR: usize = 3 * BLOCK;
/// Words of a block that are dense at least: all but one in 600 are.
const DENSE: u32 = LANES as u32 - 3;
/// How many bytes have their highest bit set: half of them, and five standard deviations off. Of text none, of floating-point numbers
/// less.
const HIGH: Range<u32> = 200..313;
/// Bytes of a page, by which noise is counted.
const PAGE: usize = 8 * BLOCK;

/// The blocks of a window that are noise.
#[derive(Debug)]
pub struct Noise {
    /// Where the first block begins: blocks are whole in the file.
    first: usize,
    /// For each block how many that are noise end with it, one after the other.
    rows: Vec<u16>,
}

impl Noise {
    /// Looks at a whole window.
    #[must_use]
    pub fn of(window: &Window<'_>) -> Self {
        let offset = window.offset(0).map_or(0, |offset| offset.0);
        let first = (offset.next_multiple_of(BLOCK as u64) - offset) as usize;
        let blocks = window.bytes().get(first..).unwrap_or_default().as_chunks().0;
        let mut row = 0_u16;
        let rows = blocks.iter().map(|block| {
            row = if is_random(block) { row.saturating_add(1) } else { 0 };
            row
        });
        Self { first, rows: rows.collect() }
    }

    /// Whether all so far around `range`, and itself, is noise.
    #[must_use]
    pub fn is_around(&self, range: &Range<usize>, around: usize) -> bool {
        let Some(start) = range.start.checked_sub(self.first + around) else { return false };
        let (from, to) = (start / BLOCK, (range.end + around - self.first).div_ceil(BLOCK));
        let row = to.checked_sub(1).and_then(|last| self.rows.get(last)).copied().unwrap_or(0);
        usize::from(row) >= to - from
    }

    /// Which of so many words from `start` on may begin a number of `len` words with noise so far around it: whole blocks of them.
    #[must_use]
    pub fn words(&self, start: usize, count: usize, len: usize, around: usize) -> Bits {
        let block = |at: usize| {
            let from = start + BLOCK * at;
            if self.is_around(&(from..from + BLOCK + WORD * len), around) { u64::MAX } else { 0 }
        };
        (0..count.div_ceil(LANES)).map(block).collect()
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn is_random(block: &[u8; BLOCK]) -> bool {
    let high: u32 = block.iter().map(|byte| u32::from(byte >> 7)).sum();
    let words = block.as_chunks::<WORD>().0.iter().map(|word| u64::from_le_bytes(*word));
    let dense: u32 = words.map(|word| u32::from(dense::is_dense(word))).sum();
    HIGH.contains(&high) & (dense >= DENSE)
}

/// About how many bytes that the window owns are noise: pages of which one word in each block looks random.
#[must_use]
pub fn bytes(window: &Window<'_>) -> u64 {
    let pages = window.slice(window.owned()).as_chunks::<PAGE>().0;
    PAGE as u64 * pages.iter().filter(|page| is_sampled(page)).count() as u64
}

fn is_sampled(page: &[u8; PAGE]) -> bool {
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    let words = || page.as_chunks::<BLOCK>().0.iter().filter_map(|block| block.first_chunk());
    let words = || words().map(|word| u64::from_le_bytes(*word));
    words().all(dense::is_dense) && words().map(|word| (word & HIGHEST).count_ones()).sum::<u32>() >= 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;
    use crate::span::Span;

    fn is_around(bytes: &[u8], range: Range<usize>) -> bool {
        let pieces = [Span::new(5, bytes.len() as u64)];
        Noise::of(&Window::new(bytes, 0..bytes.len(), &pieces, &[])).is_around(&range, FAR)
    }

    #[test]
    fn in_the_middle_of_noise_it_always_is() {
        let bytes = noise(1 << 16, 3);
        let places = 4096..bytes.len() - 4096 - 128;
        assert!(places.step_by(97).all(|at| is_around(&bytes, at..at + 128)));
        assert_eq!(
            super::bytes(&Window::new(&bytes, 100..60_000, &[Span::new(0, 1 << 16)], &[])),
            59_900 / 4096 * 4096
        );
    }

    #[test]
    fn a_structure_a_text_or_an_end_within_reach_says_no() {
        let bytes = noise(16 << 10, 4);
        let number = 8000..8128;
        assert!(is_around(&bytes, number.clone()));
        for (at, with) in [(7300, &[0_u8; 64][..]), (8128 + 512 - 8, &[0; 40]), (11_400, &[0xff; 64])] {
            let mut other = bytes.clone();
            other[at..at + with.len()].copy_from_slice(with);
            assert!(!is_around(&other, number.clone()), "{at}");
        }
        let mut text: Vec<u8> = bytes.iter().map(|b| b'a' + b % 26).collect();
        text[number.clone()].copy_from_slice(&bytes[number.clone()]);
        assert!(!is_around(&text, number.clone()));
        assert!(!is_around(&bytes, 3500..3628) && !is_around(&bytes, 12_800..12_928));
        assert_eq!(super::bytes(&Window::new(&text, 0..text.len(), &[], &[])), 0);
    }

    #[test]
    fn words_in_noise_are_those_that_it_is_around_of() {
        let mut bytes = noise(1 << 16, 6);
        bytes[40_000..40_100].fill(0);
        let pieces = [Span::new(77, bytes.len() as u64)];
        let found = Noise::of(&Window::new(&bytes, 0..bytes.len(), &pieces, &[]));
        let (start, count) = (3, 8000);
        let words = found.words(start, count, 16, FAR);
        let mut all = 0;
        for index in 0..count {
            let at = start + WORD * index;
            assert!(!words.has(index) || found.is_around(&(at..at + 128), FAR), "{index}");
            all += usize::from(words.has(index));
        }
        assert!((5000..6200).contains(&all), "{all}");
        assert!(found.words(start, count, 16, NEAR).ones().count() > all + 500);
    }

    #[test]
    fn blocks_of_noise_are_those_of_a_plain_count() {
        for seed in 0..400 {
            let zeros = seed as usize % 9;
            let mut block = noise(BLOCK, seed);
            block.chunks_exact_mut(64).take(zeros).for_each(|words| words[..8].fill(0));
            let bytes: &[u8; BLOCK] = block.first_chunk().unwrap();
            let dense = block.chunks(8).filter(|w| dense::is_dense(u64::from_le_bytes((*w).try_into().unwrap())));
            let high = block.iter().filter(|byte| **byte >= 128).count() as u32;
            assert_eq!(is_random(bytes), dense.count() >= 61 && (200..313).contains(&high), "{seed}");
        }
    }
}
