//! Tables of floating-point numbers, which look random in nearly all of their bits.
//!
//! Processes that compute with numpy or a model hold gigabytes of them. Their lower bits are as dense as those of keys, but sign and
//! exponent stand in one byte of every word (or of every half, where numbers have 32 bits), and numbers that belong together have few
//! exponents: but for its highest bit, which is the sign, that byte is the same as in one of the next four words nearly always, where of
//! a random number one in 32 is.
//!
//! A block of eight words is passed over if that holds for one and the same byte of six of them at least, and in the blocks before and
//! behind it as well. Of a number of 16 words or more one block at least is its own, which looks so in one of five million cases; of
//! shorter ones half a block is, and the other half is not enough.

use multiversion::multiversion;

use super::dense::{LANES, WORD};

/// Words of a block.
const WORDS: usize = 8;
/// Words behind each that it is compared with.
const REACH: usize = 4;
/// Added to the count of words in a byte, this sets its highest bit from six on.
const MOST: u64 = 0x7a7a_7a7a_7a7a_7a7a;
const HIGHEST: u64 = 0x8080_8080_8080_8080;
/// Blocks that one look judges, and with the ones before and behind them.
const BLOCKS: usize = LANES / WORDS;
const AROUND: usize = BLOCKS + 2;
/// Bytes that one look compares, and sees.
const COMPARED: usize = WORD * WORDS * AROUND;
const SEEN: usize = COMPARED + WORD * REACH;

/// One bit for each of the 64 words from `at` on, which stand in the inner blocks of a table. Where bytes are missing before or behind
/// them there is none.
#[must_use]
pub fn inside(bytes: &[u8], at: usize) -> u64 {
    let seen = at.checked_sub(WORD * WORDS).and_then(|from| bytes.get(from..)?.first_chunk());
    seen.map_or(0, in_columns)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn in_columns(seen: &[u8; SEEN]) -> u64 {
    let seen = seen.map(|byte| byte & 0x7f);
    let mut equal = [0_u8; COMPARED];
    let behind = |words: usize| seen.get(WORD * words..).unwrap_or_default();
    let four = behind(1).iter().zip(behind(2)).zip(behind(3)).zip(behind(4));
    for ((equal, a), (((b, c), d), e)) in equal.iter_mut().zip(&seen).zip(four) {
        *equal = u8::from(a == b) | u8::from(a == c) | u8::from(a == d) | u8::from(a == e);
    }
    let mut tables = 0_u32;
    for (i, block) in equal.as_chunks::<{ WORD * WORDS }>().0.iter().enumerate() {
        // Each byte counts up to eight.
        let words = block.as_chunks::<WORD>().0.iter().map(|word| u64::from_le_bytes(*word));
        let count = words.fold(0, |sum: u64, word| sum.wrapping_add(word));
        tables |= u32::from(count.wrapping_add(MOST) & HIGHEST != 0) << i;
    }
    let inner = tables & tables >> 1 & tables >> 2;
    (0..BLOCKS).fold(0, |mask, i| mask | (u64::from(inner >> i & 1) * 0xff) << (WORDS * i))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    /// The same, one byte at a time.
    fn plain(bytes: &[u8], at: usize) -> u64 {
        let same = |i: usize| (1..=REACH).any(|words| (bytes[i] ^ bytes[i + WORD * words]) & 0x7f == 0);
        let is_table = |block: usize| {
            (0..WORD).any(|byte| (0..WORDS).filter(|word| same(block + WORD * word + byte)).count() >= 6)
        };
        let is_inner = |word: &usize| {
            let block = at + WORD * WORDS * (word / WORDS);
            [block - 64, block, block + 64].into_iter().all(is_table)
        };
        (0..LANES).filter(is_inner).fold(0, |mask, word| mask | 1 << word)
    }

    /// Numbers from 0 to 1 as Rust writes them, or of both signs.
    fn floats(count: usize, seed: u64, signs: bool) -> Vec<u8> {
        let number = |bytes: &[u8]| {
            let part = u64::from_le_bytes(bytes.try_into().unwrap()) as f64 / 2.0_f64.powi(64);
            if signs { part * 3.0 - 1.5 } else { part }
        };
        noise(8 * count, seed).chunks(8).flat_map(|bytes| number(bytes).to_le_bytes()).collect()
    }

    #[test]
    fn blocks_of_tables_are_those_of_a_plain_count() {
        for seed in 0..50 {
            // Some blocks of floating-point numbers, some of noise.
            let of = |i: u64| if (i * 7 + seed) % 5 < 3 { floats(40, seed + i, seed % 2 == 0) } else { noise(200, i) };
            let bytes: Vec<u8> = (0..10).flat_map(of).collect();
            for at in [64, 71, 500, 1000] {
                assert_eq!(inside(&bytes, at), plain(&bytes, at), "{seed} {at}");
            }
        }
    }

    #[test]
    fn tables_of_floating_point_numbers_are_inside_and_noise_is_not() {
        let single = |table: &[u8]| {
            let doubles = table.chunks(8).map(|double| f64::from_le_bytes(double.try_into().unwrap()));
            doubles.flat_map(|double| (double as f32).to_le_bytes()).collect::<Vec<u8>>()
        };
        let [plain, signed] = [false, true].map(|signs| floats(4096, 5, signs));
        for (table, tenths) in [(&single(&plain), 8), (&single(&signed), 6), (&plain, 9), (&signed, 8)] {
            let looks = (64..table.len() - 700).step_by(512);
            let inside: u32 = looks.clone().map(|at| inside(table, at).count_ones()).sum();
            let all = 64 * looks.count() as u32;
            assert!(inside * 10 > all * tenths, "{inside} of {all}");
        }
        let bytes = noise(1 << 20, 9);
        assert!((64..bytes.len() - 700).step_by(512).all(|at| inside(&bytes, at) == 0));
    }

    #[test]
    fn no_word_of_a_number_in_a_table_is_inside() {
        let table = floats(400, 7, false);
        for at in 700..1300 {
            for len in [64, 128] {
                let mut bytes = table.clone();
                bytes[at..at + len].copy_from_slice(&noise(len, at as u64));
                let words = |from: usize| (0..LANES).map(move |i| from + WORD * i);
                let inside = (64..2200).step_by(512).flat_map(|from| {
                    let mask = inside(&bytes, from);
                    words(from).enumerate().filter(move |(i, _)| mask >> i & 1 == 1).map(|(_, word)| word)
                });
                let cut: Vec<usize> = inside.filter(|word| word + WORD > at && *word < at + len).collect();
                assert!(cut.is_empty(), "{at} {len} {cut:?}");
            }
        }
    }
}
