//! Whether bytes vary as random ones do, told by how many of them are repeated soon.
//!
//! Text has its vowels, code its prefixes, tables their small numbers: every third byte or more stands there again among the 16
//! behind it, of random ones every sixteenth. So each byte is compared with those behind it, which needs no table and becomes vector
//! code. Of the 32 bytes of four random words two are repeated on average, and more than [`MOST`] in one of 600,000 cases,
//! whatever stands behind them; five of six places in libraries that are dense have more, and nearly all text. Base64 has not: so where no
//! byte of 560 has its upper bit set, nothing varies.

use multiversion::multiversion;

use super::bits::{Bits, pack};
use super::dense::{LANES, WORD, whole};

/// Bytes behind each byte that it is compared with.
const REACH: usize = 16;
/// Words that are judged together: as many as the function that does it adds up.
const TOGETHER: usize = 4;
/// Bytes of theirs that may be repeated. Digits of 30 bits have some more than other random numbers, since two bits of their
/// highest byte are zeros.
const MOST: u8 = 10;
/// Words that one look counts: those behind the last window, too.
const WORDS: usize = LANES + TOGETHER;
/// Bytes that one look sees.
pub const SEEN: usize = WORD * WORDS + REACH;

/// One bit for each of the 64 words from `at` on: whether it and the three words behind it vary. Behind the end of `bytes`
/// stand zeros.
#[must_use]
pub fn varied(bytes: &[u8], at: usize) -> u64 {
    few_equal(&whole(bytes.get(at..).unwrap_or_default()))
}

/// The words that stand in a window which varies, of windows that begin here or in the block before.
#[must_use]
pub fn covered(before: u64, varied: u64) -> u64 {
    let begun = |words: u32| varied << words | before >> (LANES as u32 - words);
    varied | begun(1) | begun(2) | begun(3)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn few_equal(seen: &[u8; SEEN]) -> u64 {
    if seen.iter().fold(0, |any, byte| any | byte) < 0x80 {
        return 0;
    }
    let words = repeated(seen);
    let mut few = [0_u8; LANES];
    for ((((few, a), b), c), d) in
        few.iter_mut().zip(&words).zip(words.iter().skip(1)).zip(words.iter().skip(2)).zip(words.iter().skip(3))
    {
        *few = u8::from(a + b + c + d <= MOST);
    }
    pack(&few)
}

/// How many bytes of each word are repeated.
#[inline(always)]
fn repeated(seen: &[u8; SEEN]) -> [u8; WORDS] {
    // Plain loops over all bytes, for four distances each: the compiler makes vector code of it.
    let mut equal = [0_u8; WORD * WORDS];
    for distance in (1..=REACH).step_by(4) {
        let behind = |more: usize| seen.get(distance + more..).unwrap_or_default();
        let four = behind(0).iter().zip(behind(1)).zip(behind(2)).zip(behind(3));
        for ((equal, a), (((b, c), d), e)) in equal.iter_mut().zip(seen).zip(four) {
            *equal |= u8::from(a == b) | u8::from(a == c) | u8::from(a == d) | u8::from(a == e);
        }
    }
    let mut words = [0_u8; WORDS];
    for (count, equal) in words.iter_mut().zip(equal.as_chunks::<WORD>().0) {
        // The sum of the eight bytes stands in the highest byte of the product.
        *count = (u64::from_le_bytes(*equal).wrapping_mul(0x0101_0101_0101_0101) >> 56) as u8;
    }
    words
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn repeated_in(seen: &[u8; SEEN]) -> [u8; WORDS] {
    repeated(seen)
}

/// Of the words of a stretch how many bytes are repeated: what tells code from long numbers, which short windows of it look like.
pub struct Repeated {
    /// Of all words before each.
    before: Vec<u32>,
}

impl Repeated {
    /// Of the words from the beginning of `bytes` on, of which there are `count`; behind the last byte stand zeros.
    #[must_use]
    pub fn of(bytes: &[u8], count: usize) -> Self {
        let mut before = Vec::with_capacity(count + LANES + 1);
        before.push(0);
        let mut sum = 0;
        for block in 0..count.div_ceil(LANES) {
            let words = repeated_in(&whole(bytes.get(WORD * LANES * block..).unwrap_or_default()));
            for word in words.into_iter().take(LANES.min(count - LANES * block)) {
                sum += u32::from(word);
                before.push(sum);
            }
        }
        Self { before }
    }

    /// The words that begin one of so many of which no more bytes are repeated than of random ones: six standard deviations above the
    /// average, which one in some millions exceeds.
    #[must_use]
    pub fn few(&self, len: usize) -> Bits {
        let average = (WORD * len) as f64 * (1.0 - (255.0_f64 / 256.0).powi(REACH as i32));
        let most = (average + 6.0 * average.sqrt() + 1.0) as u32;
        // What goes on behind the last word is not judged.
        let is_few = |at: usize| match (self.before.get(at), self.before.get(at + len)) {
            (Some(from), Some(to)) => to - from <= most,
            _ => true,
        };
        let mask = |block: usize| (0..LANES).fold(0, |mask, i| mask | u64::from(is_few(LANES * block + i)) << i);
        (0..self.before.len().div_ceil(LANES)).map(mask).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    /// The same, one byte at a time.
    fn plain(bytes: &[u8], at: usize) -> u64 {
        let byte = |i: usize| bytes.get(i).copied().unwrap_or(0);
        let soon = |i: &usize| (1..=REACH).any(|s| byte(*i) == byte(i + s));
        let window = |word: usize| (at + 8 * word..at + 8 * word + 32).filter(soon).count() <= usize::from(MOST);
        if (at..at + SEEN).all(|i| byte(i) < 0x80) {
            0
        } else {
            (0..64).fold(0, |mask, word| mask | u64::from(window(word)) << word)
        }
    }

    #[test]
    fn windows_that_vary_equal_those_of_a_plain_count() {
        for seed in 0..40 {
            // The fewer values, the more bytes are repeated.
            let bytes: Vec<u8> = noise(1300, seed).iter().map(|b| b % (30 + 5 * seed as u8)).collect();
            let bytes: Vec<u8> =
                bytes.iter().zip(0..).map(|(b, i)| if seed % 3 == 1 && i % 97 == 5 { b | 0x80 } else { *b }).collect();
            for at in [0, 8, 511, 700, 1100, 1290] {
                assert_eq!(varied(&bytes, at), plain(&bytes, at), "{seed} {at}");
            }
        }
    }

    #[test]
    fn long_runs_with_few_repeated_bytes_are_those_of_a_plain_count() {
        for seed in 0..40 {
            let few = 30 + 5 * seed as u8;
            let bytes: Vec<u8> = noise(1300, seed).iter().map(|b| b % few).collect();
            let soon = |i: usize| (1..=REACH).any(|s| bytes[i] == bytes.get(i + s).copied().unwrap_or(0));
            let count = bytes.len() / 8 - 3;
            for (len, most) in [(7, 15), (15, 24), (31, 39)] {
                let got = Repeated::of(&bytes, count).few(len);
                for word in 0..count - len {
                    let repeated = (8 * word..8 * (word + len)).filter(|i| soon(*i)).count();
                    assert_eq!(got.has(word), repeated <= most, "{seed} {len} {word} {repeated}");
                }
            }
        }
        let bytes = noise(1 << 20, 8);
        let all = Repeated::of(&bytes, 1 << 17);
        for few in [7, 15, 31].map(|len| all.few(len)) {
            assert!((0..131_000).all(|word| few.has(word)));
        }
    }

    #[test]
    fn random_bytes_vary_and_text_does_not() {
        let bytes = noise(1 << 20, 7);
        let not = (0..bytes.len()).step_by(512).map(|at| varied(&bytes, at).count_zeros()).sum::<u32>();
        assert!(not < 8, "{not} of 131072");
        let text: Vec<u8> = b"It was the best of times, it was the worst of times, it was the age of wisdom, "
            .iter()
            .copied()
            .cycle()
            .take(1000)
            .collect();
        assert_eq!(varied(&text, 0), 0);
        let base64: Vec<u8> = bytes
            .iter()
            .take(1000)
            .map(|byte| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[usize::from(byte & 63)])
            .collect();
        assert_eq!(varied(&base64, 0), 0);
    }

    #[test]
    fn every_word_of_a_window_that_varies_is_covered() {
        assert_eq!(covered(1 << 63, 1 << 10), 0b111 | 0b1111 << 10);
        assert_eq!(covered(1 << 61, 0), 1);
        assert_eq!(covered(u64::MAX, 0), 0b111);
        assert_eq!(covered(0, u64::MAX), u64::MAX);
    }
}
