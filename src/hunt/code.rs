//! Machine code of x86, which looks random in nearly all of its words.
//!
//! Its instructions begin with few bytes: the prefixes that widen operands, and what moves, adds up, compares and calls. Ten values make up a
//! fifth of its bytes, where of random bytes they make up a twenty-fifth. So the bytes of such values among seven words are counted: of
//! random words there are two, and more than [`MOST`] in one of five million cases. A number of 64 bytes has seven words of its own
//! wherever the grid of words lies. Neither zeros nor letters of lower case are among the values, since they stand before and behind numbers.

use multiversion::multiversion;

use super::bits::pack;
use super::dense::{LANES, WORD, whole};

/// The values: the prefixes REX.W, .B, .WB, .R, .RB and .WR, the first byte of long operations, and moves, addresses and operations with a byte.
const VALUES: [u8; 10] = [0x48, 0x41, 0x49, 0x44, 0x45, 0x4c, 0x0f, 0x89, 0x8b, 0x8d];
/// Words that are judged together.
const TOGETHER: usize = 7;
/// Bytes of theirs that may have such values.
const MOST: u8 = 12;
/// Words that one look counts, before the last ones and with them.
const WORDS: usize = LANES + TOGETHER - 1;
/// Bytes that one look sees.
const SEEN: usize = WORD * WORDS;

/// One bit for each of the 64 words from `at` on: whether it and the six words behind it are no code. Behind the end of `bytes` stand
/// zeros.
#[must_use]
pub fn other(bytes: &[u8], at: usize) -> u64 {
    few(&whole(bytes.get(at..).unwrap_or_default()))
}

/// The words that stand in a window of seven which is no code, of windows that begin here or in the block before.
#[must_use]
pub fn covered(before: u64, other: u64) -> u64 {
    (1..TOGETHER as u32).fold(other, |covered, words| covered | other << words | before >> (LANES as u32 - words))
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn few(seen: &[u8; SEEN]) -> u64 {
    let mut of_code = [0_u8; SEEN];
    for (of_code, byte) in of_code.iter_mut().zip(seen) {
        *of_code = VALUES.iter().fold(0, |any, value| any | u8::from(byte == value));
    }
    let mut words = [0_u8; WORDS];
    for (count, bytes) in words.iter_mut().zip(of_code.as_chunks::<WORD>().0) {
        // The sum of the eight bytes stands in the highest byte of the product.
        *count = (u64::from_le_bytes(*bytes).wrapping_mul(0x0101_0101_0101_0101) >> 56) as u8;
    }
    let mut together = [0_u8; LANES];
    for behind in 0..TOGETHER {
        together.iter_mut().zip(words.iter().skip(behind)).for_each(|(sum, word)| *sum += word);
    }
    pack(&together.map(|sum| u8::from(sum <= MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    /// The same, one byte at a time.
    fn plain(bytes: &[u8], at: usize) -> u64 {
        let of_code = |i: &usize| bytes.get(*i).is_some_and(|byte| VALUES.contains(byte));
        let window = |word: usize| (at + 8 * word..at + 8 * word + 56).filter(of_code).count() <= usize::from(MOST);
        (0..64).fold(0, |mask, word| mask | u64::from(window(word)) << word)
    }

    /// Bytes of which about `part` of 256 have values of code.
    fn like_code(len: usize, seed: u64, part: u8) -> Vec<u8> {
        let which = noise(len, seed + 1);
        let made = |(byte, which): (u8, u8)| if which < part { VALUES[usize::from(byte) % VALUES.len()] } else { byte };
        noise(len, seed).into_iter().zip(which).map(made).collect()
    }

    #[test]
    fn windows_that_are_no_code_equal_those_of_a_plain_count() {
        for seed in 0..60 {
            let bytes = like_code(3000, seed, seed as u8);
            for at in [0, 512, 1024, 2400, 2999, 3500] {
                assert_eq!(other(&bytes, at), plain(&bytes, at), "{seed} {at}");
            }
        }
    }

    #[test]
    fn random_bytes_are_no_code_and_code_is() {
        let bytes = noise(8 << 20, 11);
        assert!((0..bytes.len() - 4096).step_by(512).all(|at| other(&bytes, at) == u64::MAX));
        let code = like_code(1 << 16, 5, 64);
        let others: u32 = (0..code.len() - 4096).step_by(512).map(|at| other(&code, at).count_ones()).sum();
        assert!(others < 8192 / 4, "{others}");
    }

    #[test]
    fn a_number_between_code_is_covered() {
        for (seed, grid) in (0..64).map(|seed| (seed, seed as usize % 8)) {
            let mut bytes = like_code(1024, seed, 120);
            bytes[512 + grid..512 + grid + 64].copy_from_slice(&noise(64, seed + 1000));
            let kept = covered(other(&bytes, 0), other(&bytes, 512));
            // The words that are the number's alone.
            let own = (grid.div_ceil(8)..(grid + 64) / 8).fold(0, |mask, word| mask | 1 << word);
            assert_eq!(kept & own, own, "{seed}");
        }
    }

    #[test]
    fn windows_reach_over_the_border_of_blocks() {
        assert_eq!(covered(1 << 63, 0), 0x3f);
        assert_eq!(covered(1 << 58, 1 << 60), 1 | 0xf << 60);
    }
}
