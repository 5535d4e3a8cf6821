//! Where AES round keys may stand: a linear test of every word, at memory speed.
//!
//! All but one in Nk words of an AES key schedule are the sum (exclusive or) of two earlier ones: `w[i] = w[i-Nk] ^ w[i-1]`.
//! That holds for each byte of the words by itself, so it holds as well where every word is stored with its bytes reversed;
//! and since InvMixColumns is linear, it holds between the transformed round keys of a decryption schedule too. One test for
//! each key size, and one more for each where the rounds stand in reverse order, see every layout there is.
//!
//! The sums hold for runs of three words or more, so for at least twelve bytes in a row, and such a run holds two whole words
//! of *any* grid of words. So the grid does not have to be that of the schedule, and a schedule at an odd place costs nothing
//! more. What a block of memory is first asked is only whether there is any such pair in it, without a branch, so that
//! the question becomes vector code; the few blocks that say yes are looked at word by word.

use std::ops::Range;

use multiversion::multiversion;

/// Bytes of a word.
const WORD: usize = 4;
/// Words of a block.
const BLOCK: usize = 256;
/// Words that one test looks at: the one before, ten behind, and itself.
const REACH: usize = 12;
/// Words that the tests of a block look at.
const SEEN: usize = BLOCK + REACH;

/// Calls `found` for the places in `run` where two words in a row pass the test for one key size and order of rounds. Places are
/// multiples of a word: there most words of structures are whole, and one that is zero passes no test.
///
/// Every run of sums of a schedule has such a place in it, on any grid: at its first byte, or one to three behind.
pub fn aes_words(bytes: &[u8], run: Range<usize>, mut found: impl FnMut(usize)) {
    for at in (run.start.next_multiple_of(WORD)..run.end).step_by(WORD * BLOCK) {
        let before = at.checked_sub(WORD).and_then(|from| bytes.get(from..));
        let words = before.and_then(|rest| rest.as_chunks().0.first_chunk());
        let at_edge;
        let words = match words {
            Some(words) => words,
            None => {
                at_edge = padded(bytes, at);
                &at_edge
            }
        };
        // One block in twenty says that it may have one, and of those one in four has.
        if has_pair(words) {
            let mut are = [false; BLOCK];
            if pairs(words, &mut are) {
                let places = are.iter().zip((at..run.end).step_by(WORD));
                places.filter(|(is, _)| **is).for_each(|(_, at)| found(at));
            }
        }
    }
}

/// The words from the one before `at` on. Outside of `bytes` there are zeros, which no test passes.
fn padded(bytes: &[u8], at: usize) -> [[u8; WORD]; SEEN] {
    let mut words = [[0; WORD]; SEEN];
    // At the begin of the bytes the first word, or a part of it, is outside.
    let outside = WORD.saturating_sub(at);
    let seen = bytes.get(at.saturating_sub(WORD)..).unwrap_or_default();
    let into = words.as_flattened_mut().get_mut(outside..).unwrap_or_default();
    let len = seen.len().min(into.len());
    if let (Some(into), Some(seen)) = (into.get_mut(..len), seen.get(..len)) {
        into.copy_from_slice(seen);
    }
    words
}

fn word(bytes: [u8; WORD]) -> u32 {
    u32::from_ne_bytes(bytes)
}

/// Whether [`pairs`] may say yes of any. Written without branches so that it becomes vector code; where it says yes it may be
/// wrong, because one word passes for one key size and the next for another.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn has_pair(words: &[[u8; WORD]; SEEN]) -> bool {
    let (mut sums, mut mixed) = ([0_u32; BLOCK + 1], 0_u32);
    // Where one of three is zero the sum says only that the other two are equal, which memory is full of. All bits are set then.
    let zero = |word: u32| u32::from(word == 0).wrapping_neg();
    for (sum, words) in sums.iter_mut().zip(words.windows(REACH)) {
        let &[before, w0, w1, w2, w3, w4, w5, w6, w7, w8, _, w10] = words else { continue };
        let [before, w0, w1, w2, w3] = [before, w0, w1, w2, w3].map(word);
        let [w4, w5, w6, w7, w8, w10] = [w4, w5, w6, w7, w8, w10].map(word);
        let zeros = zero(w3);
        let forward = (w0 ^ w4 ^ w3 | zeros).min(w0 ^ w6 ^ w5 | zero(w5)).min(w0 ^ w8 ^ w7 | zero(w7));
        let reverse = (w0 ^ w4 ^ before | zero(w4)).min(w0 ^ w8 ^ before | zero(w8));
        let first = zero(w0);
        *sum = forward.min(reverse) | first;
        mixed |= zero((w0 ^ w10 ^ before) & (w0 ^ w2 ^ before) | w1 ^ w3 ^ w0 | first | zero(w1) | zeros);
    }
    let next = sums.iter().skip(1);
    mixed | sums.iter().zip(next).fold(0, |any, (sum, next)| any | u32::from(sum | next == 0)) != 0
}

/// Says of each word whether it and the next one pass one test, and of the block whether it has such a word. Without branches too: it
/// costs half as much again as the first look.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn pairs(words: &[[u8; WORD]; SEEN], are: &mut [bool; BLOCK]) -> bool {
    let mut any = false;
    for (is, words) in are.iter_mut().zip(words.windows(REACH + 1)) {
        let &[before, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, _] = words else { continue };
        let [before, w0, w1, w2, w3] = [before, w0, w1, w2, w3].map(word);
        let [w4, w5, w6, w7, w8, w9, w10] = [w4, w5, w6, w7, w8, w9, w10].map(word);
        let sum = |a: u32, b: u32, c: u32| (a ^ b ^ c == 0) & (a != 0) & (b != 0) & (c != 0);
        *is = (sum(w0, w4, w3) & sum(w1, w5, w4))
            | (sum(w0, w6, w5) & sum(w1, w7, w6))
            | (sum(w0, w8, w7) & sum(w1, w9, w8))
            | (sum(w0, w4, before) & sum(w1, w5, w0))
            | (sum(w0, w8, before) & sum(w1, w9, w0))
            // 192 bits in reverse order: a round's second word, made with one ten words behind, and its third and fourth, made
            // with one two words behind. The grid may cut the first word into the second's bytes.
            | (sum(w1, w3, w0) & ((w0 ^ w10 ^ before) & (w0 ^ w2 ^ before) == 0));
        any |= *is;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::aes::{Schedule, Size};
    use crate::keys::testing::noise;

    fn places(bytes: &[u8], run: Range<usize>) -> Vec<usize> {
        let mut found = Vec::new();
        aes_words(bytes, run, |at| found.push(at));
        found
    }

    /// Whether the words from the second on pass one test, and those from the third on too.
    fn is_pair(words: &[u32]) -> bool {
        let &[before, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, _] = words else { return false };
        let sum = |a: u32, b: u32, c: u32| a ^ b ^ c == 0 && a != 0 && b != 0 && c != 0;
        sum(w0, w4, w3) && sum(w1, w5, w4)
            || sum(w0, w6, w5) && sum(w1, w7, w6)
            || sum(w0, w8, w7) && sum(w1, w9, w8)
            || sum(w0, w4, before) && sum(w1, w5, w0)
            || sum(w0, w8, before) && sum(w1, w9, w0)
            || sum(w1, w3, w0) && (w0 ^ w10 ^ before) & (w0 ^ w2 ^ before) == 0
    }

    /// The scalar reference: every place of the grid, asked alone.
    fn naive(bytes: &[u8], run: Range<usize>) -> Vec<usize> {
        let word = |at: isize, k: isize| {
            let byte =
                |i: isize| usize::try_from(at + 4 * k + i).ok().and_then(|at| bytes.get(at)).copied().unwrap_or(0);
            u32::from_ne_bytes([byte(0), byte(1), byte(2), byte(3)])
        };
        let words = |at: usize| (-1..12).map(|k| word(at as isize, k)).collect::<Vec<_>>();
        run.filter(|at| at % 4 == 0 && is_pair(&words(*at))).collect()
    }

    /// Few different words, so that sums are zero everywhere.
    fn poor(len: usize, seed: u64) -> Vec<u8> {
        noise(len.div_ceil(4), seed).iter().flat_map(|b| [(b & 3) * 7, 0, b >> 7, 0]).take(len).collect()
    }

    #[test]
    fn it_equals_the_scalar_reference_on_every_grid() {
        let mut found = 0;
        for seed in 0..12 {
            let mut bytes = poor(9000, seed);
            let schedule = Schedule::of_key(&noise(32, seed)).unwrap().bytes();
            bytes[4101..4101 + schedule.len()].copy_from_slice(&schedule);
            for run in [0..9000, 1..8999, 2..4097, 3..3, 8000..9000, 4096..4500] {
                let want = naive(&bytes, run.clone());
                found += want.len();
                assert_eq!(places(&bytes, run), want);
            }
        }
        assert!(found > 1000, "{found}");
    }

    #[test]
    fn every_group_of_a_schedule_triggers_wherever_it_stands_and_whoever_owns_it() {
        for size in Size::ALL {
            let schedule = Schedule::of_key(&noise(4 * size.key_words(), 3)).unwrap();
            for reverse in [false, true] {
                let rounds = schedule.bytes();
                let mut rounds: Vec<&[u8]> = rounds.chunks(16).collect();
                if reverse {
                    rounds.reverse();
                }
                for before in 40..48 {
                    let bytes = [noise(before, 1), rounds.concat(), noise(90, 2)].concat();
                    let all = places(&bytes, before % 5..bytes.len());
                    assert!(all.len() >= size.rounds() / 2, "{size:?} {reverse} {}", all.len());
                    assert!(all.iter().all(|at| (before - 4..before + 16 * 15).contains(at)));
                }
                let bytes = [noise(41, 1), rounds.concat(), noise(90, 2)].concat();
                for cut in 0..bytes.len() {
                    let (left, right) = (places(&bytes, 0..cut), places(&bytes, cut..bytes.len()));
                    assert!(left.len() + right.len() >= size.rounds() / 2, "{size:?} {reverse} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn it_rejects() {
        let bytes = noise(1 << 24, 77);
        assert_eq!(places(&bytes, 0..bytes.len()).len(), 0, "in 16 MiB of random bytes");
        let counters: Vec<u8> = (0..1_u32 << 20).flat_map(u32::to_le_bytes).collect();
        assert!(places(&counters, 0..counters.len()).len() < 40);
        for byte in [0, 1, 0xff] {
            assert_eq!(places(&vec![byte; 1 << 16], 0..1 << 16).len(), 0);
        }
    }
}
