//! Where memory looks random: the few places in which a number of a key can stand.
//!
//! Nearly all of memory is zeros, pointers, small numbers, text and code. A word of eight bytes is *full* if its upper bits
//! are neither all zeros nor all ones, which no pointer and no small number is, and it is no padding of HMAC; it is *dense* if besides at most one of its
//! bytes is all zeros or all ones, which rules out UTF-16 and half of the words of code. Of a random number all words are
//! dense but one in 600, wherever the grid of words lies; so a stretch of dense words with a hole here and there is where
//! numbers are looked for, on every grid and in every order of bytes. The first look is at one grid and becomes vector code.
//! Text and code are often dense; what repeats itself as they do is passed over ([`variety`]), and so are the instructions of x86
//! ([`code`]) and tables of floating-point numbers ([`tables`]).
//!
//! [`Bits`] hold one bit for each word, so that "a run of sixteen full words that begins with an odd one and ends with a
//! great one" is a handful of operations for 64 places at a time.

use std::borrow::Cow;
use std::ops::Range;

use multiversion::multiversion;

pub use super::bits::Bits;
use super::{code, tables, variety};
use crate::memory::Layout;
use crate::window::Window;

/// Bytes of a word.
pub const WORD: usize = 8;
/// Words that one look takes together: one bit each.
pub const LANES: usize = 64;
/// Full words in a row without which nothing is dense. A number of eight words with one hole has them.
const SEED: usize = 3;
/// Words between two such that need not all be dense.
const HOLE: usize = 4;
/// Words that a number may lose at its ends: one to the grid, a hole and two words outside of it on each side.
const ENDS: usize = 7;

/// Whether the word is none that memory is full of: no pointer, no small number of either sign, and none of what HMAC fills up its blocks with,
/// which stand beside keys.
#[inline]
#[must_use]
pub fn is_full(word: u64) -> bool {
    const PADS: [u64; 2] = [0x3636_3636_3636_3636, 0x5c5c_5c5c_5c5c_5c5c];
    let top = word >> 47;
    // Without short cuts, so that it becomes vector code.
    (top != 0) & (top != 0x1_ffff) & (word != PADS[0]) & (word != PADS[1])
}

/// Whether the word is full and at most one of its bytes is all zeros or all ones.
#[inline]
#[must_use]
pub fn is_dense(word: u64) -> bool {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // A byte's upper bit is what remains where the byte is zero: no sum of seven bits and 7f reaches the next byte.
    let zeros = |word: u64| !((word & LOW).wrapping_add(LOW) | word | LOW);
    let bare = zeros(word) | zeros(!word);
    is_full(word) & (bare & bare.wrapping_sub(1) == 0)
}

/// Whether both halves of the word may be digits of 30 bits, and neither is a small number.
#[inline]
fn are_digits(word: u64) -> bool {
    is_digit(word as u32) & is_digit((word >> 32) as u32)
}

/// Whether it may be a digit of 30 bits and is no small number.
#[inline]
#[must_use]
pub fn is_digit(word: u32) -> bool {
    (word >> 30 == 0) & (word >> 16 != 0)
}

/// The stretches of `range` in which numbers of `least` words or more may stand: in whole words first, in digits of 30 bits
/// second. Each is widened by four words where there are bytes: a number may begin on another grid, and with a hole behind
/// two words.
#[must_use]
pub fn stretches(bytes: &[u8], range: Range<usize>, least: usize) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let least = least.saturating_sub(ENDS).max(SEED);
    let (mut words, mut digits) = (Stretches::new(least), Stretches::new(least));
    let seen = bytes.get(range.start..range.end.min(bytes.len())).unwrap_or_default();
    let (mut varied_before, mut other_before) = (u64::MAX, u64::MAX);
    for (block, at) in seen.chunks(WORD * LANES).zip((0..).step_by(WORD * LANES)) {
        let (full, thirty) = masks(&whole(block));
        let is_dense = has_seed(full) | has_seed(thirty);
        let varied = if is_dense { variety::varied(seen, at) } else { u64::MAX };
        let other = if is_dense { code::other(seen, at) } else { u64::MAX };
        let table = if is_dense { tables::inside(bytes, range.start + at) } else { 0 };
        let covered = variety::covered(varied_before, varied) & code::covered(other_before, other) & !table;
        words.add(range.start + at, full & covered);
        digits.add(range.start + at, thirty & covered);
        (varied_before, other_before) = (varied, other);
    }
    (words.done(bytes.len()), digits.done(bytes.len()))
}

/// Whether so many words in a row are set that something may be made of them.
fn has_seed(mask: u64) -> bool {
    mask & mask >> 1 & mask >> 2 != 0
}

/// What `bytes` begins with, with zeros behind its end if there are not so many.
#[inline]
pub fn whole<const N: usize>(bytes: &[u8]) -> Cow<'_, [u8; N]> {
    bytes.first_chunk().map(Cow::Borrowed).unwrap_or_else(|| {
        let mut whole = [0; N];
        whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Cow::Owned(whole)
    })
}

/// The places in the window, modulo the size of a word, at which words stand that are aligned by address: in a dump memory
/// may begin at any place of the file.
#[must_use]
pub fn grids(window: &Window<'_>, layout: &Layout) -> [bool; WORD] {
    let mut grids = [false; WORD];
    let mut at = 0;
    for span in window.spans(0..window.bytes().len()) {
        for phase in layout.phases() {
            // Aligned is what has an address, which is its offset and the phase, of whole words.
            let offset = span.from().wrapping_add(phase).wrapping_sub(at) % WORD as u64;
            let grid = (WORD as u64 - offset) % WORD as u64;
            grids.iter_mut().skip(grid as usize).take(1).for_each(|grid| *grid = true);
        }
        at += span.len;
    }
    grids
}

/// The words of `bytes`, the last one only if it is whole.
#[must_use]
pub fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// The words of 4 bytes.
#[must_use]
pub fn halves(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from(u32::from_le_bytes(*word))).collect()
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn masks(block: &[u8; WORD * LANES]) -> (u64, u64) {
    let (mut full, mut digits) = (0, 0);
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        full |= u64::from(is_dense(word)) << i;
        digits |= u64::from(are_digits(word)) << i;
    }
    (full, digits)
}

/// Words that follow each other, by what they are.
#[derive(Debug)]
pub struct Kinds {
    /// Those that are full.
    pub full: Bits,
    /// Those that are dense.
    pub dense: Bits,
    /// Those that begin a run of full ones.
    pub runs: Bits,
    /// Those that vary, with the three behind them; it says so of some that begin no run.
    pub varied: Bits,
}

impl Kinds {
    /// The kinds of the words of `bytes`, which end with a whole one, for runs of `least` full words.
    #[must_use]
    pub fn of(bytes: &[u8], least: usize) -> Self {
        let blocks = || bytes.chunks(WORD * LANES);
        let (full, dense): (Vec<u64>, Vec<u64>) = blocks().map(|block| both(&whole(block))).unzip();
        let (full, dense): (Bits, Bits) = (full.into_iter().collect(), dense.into_iter().collect());
        let runs = full.runs(least);
        let varied = (0..).zip(blocks()).map(|(block, _)| match runs.block(block) {
            0 => u64::MAX,
            _ => variety::varied(bytes, WORD * LANES * block),
        });
        let varied = varied.collect();
        Self { full, dense, varied, runs }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn both(block: &[u8; WORD * LANES]) -> (u64, u64) {
    let (mut full, mut dense) = (0, 0);
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        full |= u64::from(is_full(word)) << i;
        dense |= u64::from(is_dense(word)) << i;
    }
    (full, dense)
}

/// Calls `found` for the place of every full and odd word in `bytes` that has a neighbour which is not full. `before` is the
/// word before the first.
pub fn alone(before: u64, bytes: &[u8], mut found: impl FnMut(usize, u64)) {
    let word = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |w| u64::from_le_bytes(*w));
    let mut carry = u64::from(is_full(before));
    for (block, at) in bytes.chunks(WORD * LANES).zip((0..).step_by(WORD * LANES)) {
        let (full, odd) = full_and_odd(&whole(block));
        let next = u64::from(is_full(word(at + WORD * LANES)));
        let crowded = (full << 1 | carry) & (full >> 1 | next << (LANES - 1));
        let mut left = full & odd & !crowded;
        while left != 0 {
            let here = at + WORD * left.trailing_zeros() as usize;
            found(here, word(here));
            left &= left - 1;
        }
        carry = full >> (LANES - 1);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn full_and_odd(block: &[u8; WORD * LANES]) -> (u64, u64) {
    let (mut full, mut odd) = (0, 0);
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        full |= u64::from(is_full(word)) << i;
        odd |= (word & 1) << i;
    }
    (full, odd)
}

/// Stretches that are being put together from masks in order.
struct Stretches {
    /// Words of the shortest that counts.
    least: usize,
    /// The last words of the mask before.
    carry: u64,
    done: Vec<Range<usize>>,
}

impl Stretches {
    fn new(least: usize) -> Self {
        Self { least, carry: 0, done: Vec::new() }
    }

    fn add(&mut self, at: usize, mask: u64) {
        if mask | self.carry == 0 {
            return;
        }
        // Bit i is the word i - 2, so that runs across two masks are seen.
        let wide = u128::from(mask) << (SEED - 1) | u128::from(self.carry);
        self.carry = mask >> (LANES - (SEED - 1));
        let mut seeds = wide & wide >> 1 & wide >> 2;
        while seeds != 0 {
            let first = seeds.trailing_zeros() as usize;
            let len = (!(seeds >> first)).trailing_zeros() as usize;
            seeds &= !(u128::MAX >> (128 - len) << first);
            let start = (at + WORD * first).saturating_sub(WORD * (SEED - 1));
            self.join(start..start + WORD * (len + SEED - 1));
        }
    }

    fn join(&mut self, range: Range<usize>) {
        match self.done.last_mut() {
            Some(last) if range.start <= last.end + WORD * HOLE => last.end = last.end.max(range.end),
            _ => {
                self.done.pop_if(|last| last.len() < WORD * self.least);
                self.done.push(range);
            }
        }
    }

    fn done(mut self, len: usize) -> Vec<Range<usize>> {
        self.done.pop_if(|last| last.len() < WORD * self.least);
        let widened = |range: Range<usize>| range.start.saturating_sub(4 * WORD)..(range.end + 4 * WORD).min(len);
        let mut wide: Vec<Range<usize>> = Vec::new();
        for range in self.done.into_iter().map(widened) {
            match wide.last_mut() {
                Some(last) if range.start <= last.end => last.end = range.end,
                _ => wide.push(range),
            }
        }
        wide
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn a_number_in_plain_memory_is_dense_wherever_it_stands() {
        let pointers: Vec<u8> = (0..300_u64).flat_map(|i| (0x7f12_3456_0000 + 16 * i).to_le_bytes()).collect();
        for at in 0..1200 {
            let mut bytes = pointers.clone();
            bytes[at..at + 64].copy_from_slice(&noise(64, at as u64));
            let (words, _) = stretches(&bytes, 0..bytes.len(), 8);
            assert!(words.iter().any(|range| range.start <= at && at + 64 <= range.end), "{at} {words:?}");
            assert!(words.iter().map(|range| range.len()).sum::<usize>() < 140);
        }
        assert!(stretches(&pointers, 0..pointers.len(), 8).0.is_empty());
    }

    #[test]
    fn digits_of_python_are_dense_wherever_they_stand() {
        for at in (0..600).step_by(4) {
            let mut bytes = vec![0; 1200];
            let digits = noise(72, 3 + at as u64);
            digits.chunks_exact(4).enumerate().for_each(|(i, d)| {
                let digit = u32::from_le_bytes(d.try_into().unwrap()) & 0x3fff_ffff | 1 << 20;
                bytes[at + 4 * i..at + 4 * i + 4].copy_from_slice(&digit.to_le_bytes());
            });
            let (_, digits) = stretches(&bytes, 0..bytes.len(), 8);
            assert!(digits.iter().any(|range| range.start <= at && at + 72 <= range.end), "{at} {digits:?}");
        }
    }

    #[test]
    fn dense_words_are_those_that_a_plain_count_finds() {
        let picks = noise(80_000, 3);
        let mut dense = 0;
        for bytes in picks.chunks_exact(8) {
            let bare = [0, 0xff, 1, 0x80, 0x7f, 0xfe];
            let mixed: Vec<u8> = bytes.iter().map(|&b| if b < 48 { bare[usize::from(b / 8)] } else { b }).collect();
            let word = u64::from_le_bytes(mixed.as_slice().try_into().unwrap());
            let count = mixed.iter().filter(|b| [0, 0xff].contains(*b)).count();
            assert_eq!(is_dense(word), is_full(word) && count < 2);
            dense += usize::from(is_dense(u64::from_le_bytes(bytes.try_into().unwrap())));
        }
        assert!(dense > 9_950, "of 10000");
    }

    #[test]
    fn stretches_equal_those_of_a_plain_walk() {
        for seed in 0..60 {
            let picks = noise(700, seed);
            let random = noise(8 * picks.len(), seed + 100);
            let random = random.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
            let words: Vec<u64> =
                picks.iter().zip(random).map(|(&b, random)| if b < 190 { random } else { u64::from(b) }).collect();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let seeds = (0..698).filter(|&i| words[i..i + 3].iter().all(|&word| is_dense(word)));
            let mut want: Vec<Range<usize>> = Vec::new();
            for i in seeds {
                match want.last_mut() {
                    Some(last) if i <= last.end + HOLE => last.end = i + 3,
                    _ => want.push(i..i + 3),
                }
            }
            let (got, _) = stretches(&bytes, 0..bytes.len(), 8);
            // What stands among small numbers repeats their zeros; seven words of a number do not.
            for i in (0..694).filter(|&i| words[i..i + 7].iter().all(|&word| is_dense(word))) {
                assert!(got.iter().any(|g| g.start <= 8 * i && 8 * (i + 7) <= g.end), "{seed} {i}");
            }
            let most: usize = want.iter().map(|range| 8 * range.len() + 64).sum();
            assert!(got.iter().map(|range| range.len()).sum::<usize>() <= most);
        }
    }

    #[test]
    fn masks_equal_a_plain_walk() {
        for len in [0, 3, 64, 65, 200] {
            let words: Vec<u64> = noise(8 * len, 5)
                .chunks(8)
                .map(|w| if w[0] < 99 { 7 } else { u64::from_le_bytes(w.try_into().unwrap()) })
                .collect();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let kinds = Kinds::of(&bytes, 4);
            let runs: Vec<usize> = (0..len).filter(|&i| (i..i + 4).all(|i| i < len && is_full(words[i]))).collect();
            assert!(kinds.runs.ones().eq(runs.iter().copied()));
            let seen = |i: usize| variety::varied(&bytes, WORD * i) & 1 == 1;
            assert!(runs.iter().all(|&i| kinds.varied.has(i) == seen(i)));
            assert!(kinds.full.ones().eq((0..len).filter(|&i| is_full(words[i]))));
            assert!((0..len + 70).all(|i| kinds.dense.has(i) == words.get(i).is_some_and(|&word| is_dense(word))));
        }
    }

    #[test]
    fn words_alone_equal_those_of_a_plain_walk() {
        for seed in 0..40 {
            let picks = noise(300 + seed as usize, seed);
            let words: Vec<u64> =
                picks.iter().map(|&b| if b < 120 { u64::MAX / 3 + u64::from(b) } else { 7 }).collect();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let full = |i: usize| words.get(i).is_some_and(|&word| is_full(word));
            let want = (1..words.len()).filter(|&i| full(i) && words[i] % 2 == 1 && !(full(i - 1) && full(i + 1)));
            let mut got = Vec::new();
            alone(words[0], &bytes[8..], |at, word| got.push((at / 8 + 1, word)));
            assert!(got.into_iter().eq(want.map(|i| (i, words[i]))), "{seed}");
        }
    }

    #[test]
    fn all_of_noise_is_dense_and_nothing_of_plain_memory() {
        let bytes = noise(1 << 20, 1);
        let (words, _) = stretches(&bytes, 0..bytes.len(), 8);
        assert!(matches!(&words[..], [all] if *all == (0..1 << 20)), "{words:?}");
        for byte in [0, 0xff] {
            let (words, digits) = stretches(&vec![byte; 1 << 16], 0..1 << 16, 8);
            assert!(words.is_empty() && digits.is_empty());
        }
    }
}
