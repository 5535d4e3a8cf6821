//! Long data that looks random throughout: compressed or encrypted files, tables of floating-point numbers.
//!
//! There every eighth byte or so may begin a number, where in other memory one in thousands does, and each costs a division. What
//! stands there and is a number of a key all the same was laid down by a program, at a whole word; a key of which nothing but
//! noise is to be seen for kilobytes on both sides, at an odd place, without the header of a structure, is next to never there.
//!
//! What is asked follows from the bytes around a place alone, at distances that every window shows, so windows do not matter.

use std::ops::Range;

use super::dense::{self, WORD};
use crate::window::Window;

/// How far before a number and behind it words are asked, in bytes.
const DISTANCES: [usize; 4] = [512, 1024, 2048, 4096];
/// The highest bits of the bytes of these words.
const HIGH: u64 = 0x8080_8080_8080_8080;
/// How many of these are set at least: half of 64 on average, and fewer in one of a thousand random cases. Text has none.
const MOST_OF: u32 = 20;

/// Whether the bytes at all distances before and behind `range` look random.
#[must_use]
pub fn is_around(window: &Window<'_>, range: &Range<usize>) -> bool {
    let mut high = 0;
    let mut is_random = |at: Option<usize>| {
        let word = at.and_then(|at| window.bytes().get(at..)?.first_chunk::<WORD>());
        let word = word.map_or(0, |word| u64::from_le_bytes(*word));
        high += (word & HIGH).count_ones();
        dense::is_dense(word)
    };
    let mut before = DISTANCES.iter().map(|distance| range.start.checked_sub(*distance));
    let mut behind = DISTANCES.iter().map(|distance| Some(range.end + distance - WORD));
    before.all(&mut is_random) && behind.all(&mut is_random) && high >= MOST_OF
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;
    use crate::span::Span;

    fn is_around(bytes: &[u8], range: Range<usize>) -> bool {
        let pieces = [Span::new(0, bytes.len() as u64)];
        super::is_around(&Window::new(bytes, 0..bytes.len(), &pieces, &[]), &range)
    }

    #[test]
    fn in_the_middle_of_noise_it_nearly_always_is() {
        let bytes = noise(1 << 16, 3);
        let places = 4096..bytes.len() - 4096 - 128;
        let not = places.clone().filter(|&at| !is_around(&bytes, at..at + 128)).count();
        assert!(not * 20 < places.len(), "{not} of {}", places.len());
    }

    #[test]
    fn a_structure_a_text_or_an_end_within_reach_says_no() {
        let bytes = noise(16 << 10, 4);
        let number = 8000..8128;
        assert!(is_around(&bytes, number.clone()));
        for (at, with) in [(7300, &[0_u8; 512][..]), (8128 + 512 - 8, &[0; 8]), (12_200, &[0xff; 64])] {
            let mut other = bytes.clone();
            other[at..at + with.len()].copy_from_slice(with);
            assert!(!is_around(&other, number.clone()), "{at}");
        }
        let mut text: Vec<u8> = bytes.iter().map(|b| b'a' + b % 26).collect();
        text[number.clone()].copy_from_slice(&bytes[number.clone()]);
        assert!(!is_around(&text, number.clone()));
        assert!(!is_around(&bytes, 4000..4128) && !is_around(&bytes, 12_200..12_328));
    }
}
