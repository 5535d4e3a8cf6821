//! Numbers as long as those of elliptic curves in digits with fewer bits than the words that they stand in: libtommath's (Dropbear,
//! libtomcrypt, Wine), and those of libraries in JavaScript.
//!
//! Each number has an allocation or an array of its own, so a private key, and each coordinate of the public one, is a row of digits
//! at its beginning. The upper bits of all of them are zeros, and the last one has no more bits than the number leaves it, which
//! random bytes are next to never. So such a place is tried first, as a private key and as a coordinate.

use std::sync::LazyLock;

use multiversion::multiversion;
use zeroize::Zeroizing;

use super::Clue;
use super::dense::{self, LANES, WORD};
use super::ec_places::{Grid, Place, Rank, Shape};
use super::randomness::all_look_random;
use crate::finding::Encoding;
use crate::keys::base_points::Group;
use crate::keys::curve_points;
use crate::keys::digits::{self, Digits, IN_HALVES, IN_WORDS, TOMMATH};
use crate::keys::ec::Curve;
use crate::memory::AddressSpace;
use crate::window::Window;

/// Digits in the upper half of a word in a row from which on they may be a number: those of the shortest, but for the last one.
const LEAST: usize = 9;
/// Words of digits that a number is known by.
const HEAD: usize = 3;
/// What such a word has at least, so that arrays of small numbers are none: one digit in 16,000 has less.
const GREAT: u64 = 1 << 44;

/// What a window has of programs in JavaScript.
pub struct Scripts {
    /// Where rows of words begin whose upper half is a digit and whose lower half is zero, in the owned part of the window, and how many words they
    /// have.
    pub rows: Vec<(usize, usize)>,
}

impl Scripts {
    /// Looks at the window.
    #[must_use]
    pub fn of(window: &Window<'_>, memory: &AddressSpace) -> Self {
        Self { rows: rows(window, memory) }
    }

    /// The digits that are looked for in runs of full words.
    #[must_use]
    pub fn in_runs(scripts: Option<&Self>) -> Vec<Digits> {
        TOMMATH.into_iter().chain(scripts.into_iter().flat_map(|_| IN_HALVES)).collect()
    }
}

fn rows(window: &Window<'_>, memory: &AddressSpace) -> Vec<(usize, usize)> {
    let (mut rows, owned) = (Vec::new(), window.owned());
    let grids = dense::grids(window, memory.layout());
    for (grid, _) in grids.iter().enumerate().filter(|(_, on)| **on) {
        // One word before shows where a row begins that the window owns.
        let from = owned.start.saturating_sub(WORD);
        let from = from + (grid + WORD - from % WORD) % WORD;
        let words = window.slice(from..owned.end + WORD - 1);
        let (mut begins, mut before) = (Vec::new(), false);
        for (block, start) in words.chunks(WORD * LANES).zip((from..).step_by(WORD * LANES)) {
            let mask = digits_in(&dense::whole(block));
            let mut starts = mask & !(mask << 1 | u64::from(before));
            before = mask >> (LANES - 1) == 1;
            while starts != 0 {
                begins.push(start + WORD * starts.trailing_zeros() as usize);
                starts &= starts - 1;
            }
        }
        let word = |at: usize| window.slice(at..at + WORD).first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let len = |at: usize| (at..).step_by(WORD).take_while(|at| is_digit(word(*at))).count();
        let begins = begins.into_iter().filter(|at| owned.contains(at));
        rows.extend(begins.map(|at| (at, len(at))).filter(|(_, len)| *len >= LEAST));
    }
    rows
}

#[inline(always)]
fn is_digit(word: u64) -> bool {
    (word as u32 == 0) & (word >= GREAT) & (word >> 60 == 0)
}

/// One bit for each word that is so: without branches, so that it becomes vector code.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn digits_in(block: &[u8; WORD * LANES]) -> u64 {
    let words = block.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    (0..).zip(words).fold(0, |mask, (i, word)| mask | u64::from(is_digit(word)) << i)
}

/// Places of numbers in digits that begin in the owned part of the window, and how many bytes the number has: 32, 48 or 66.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid], scripts: Option<&Scripts>) -> Vec<(usize, Place)> {
    let (mut places, owned, in_runs) = (Vec::new(), window.owned(), Scripts::in_runs(scripts));
    let mut look = |start: usize, words: usize, layouts: &[Digits]| {
        // A number is no shorter, and its first words decide for nearly all.
        let head = window.slice(start..start + WORD * HEAD).as_chunks().0;
        let head = head.iter().fold(0, |all, word| all | u64::from_le_bytes(*word));
        for digits in layouts.iter().filter(|digits| head & digits.outside() == 0) {
            places.extend(CURVES.into_iter().filter_map(|curve| place(window, start, words, *digits, curve)));
        }
    };
    for run in grids.iter().flat_map(|grid| &grid.runs) {
        if !run.is_long() && owned.contains(&run.range.start) {
            look(run.range.start, run.words(), &in_runs);
        }
    }
    let rows = scripts.into_iter().flat_map(|scripts| &scripts.rows);
    rows.for_each(|(start, words)| look(*start, *words, &IN_WORDS));
    places
}

/// One of each size.
const CURVES: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

/// The place of a number of the curve that begins a run of so many words: the word that its last digit stands in may belong to it or not.
fn place(window: &Window<'_>, start: usize, words: usize, digits: Digits, curve: Curve) -> Option<(usize, Place)> {
    let len = curve.size();
    let bits = if curve == Curve::P521 { 521 } else { 8 * len };
    let count = digits.count(bits);
    let range = start..start + digits.size * count;
    let bytes = window.slice(range.clone());
    if (range.len() / WORD).checked_sub(words)? > 1 || bytes.len() < range.len() {
        return None;
    }
    let row: Option<Vec<u64>> = bytes.chunks_exact(digits.size).map(|bytes| digits.digit(bytes)).collect();
    let row = Zeroizing::new(row?);
    let left = |at: usize| digits.bits.min(bits - digits.bits * at);
    if !row.iter().enumerate().all(|(at, digit)| *digit != 0 && digit >> left(at) == 0) {
        return None;
    }
    let mut number = digits::joined(row.iter().copied(), digits.bits);
    number.truncate(len);
    number.reverse();
    let spans = window.spans(range);
    let is_told = window.is_stitched() && spans.len() < 2;
    let place = Place { rank: Rank::Island, shape: Shape::Digits(digits.encoding), bytes: number, spans };
    (!is_told && all_look_random(&place.bytes)).then_some((len, place))
}

/// The curves of which a library in JavaScript has the generator in memory, told by its first coordinate: no other constant of theirs is there.
pub fn in_use(place: &Place) -> impl Iterator<Item = Clue> + use<> {
    let curves: Vec<Curve> = curves_of(place.shape, &place.bytes).collect();
    curves.into_iter().map(|curve| Clue::CurveInUse { group: Group::Sec1(curve) })
}

/// The curves whose generator has the number as its first coordinate, as it is or as bn.js computes with it.
pub fn curves_of(shape: Shape, number: &[u8]) -> impl Iterator<Item = Curve> {
    static FIRST: LazyLock<Vec<(Curve, Vec<u8>)>> = LazyLock::new(|| Curve::ALL.into_iter().flat_map(first).collect());
    let is_of_scripts = matches!(shape, Shape::Digits(Encoding::SmallIntegers26 | Encoding::SmallIntegers28));
    let same = FIRST.iter().filter(move |(_, first)| is_of_scripts && first == number);
    same.map(|(curve, _)| *curve)
}

fn first(curve: Curve) -> Vec<(Curve, Vec<u8>)> {
    let mut one = vec![0; curve.size()];
    one.last_mut().into_iter().for_each(|last| *last = 1);
    let generator = curve.point(&one).unwrap_or_default();
    let x = generator.get(1..=curve.size()).unwrap_or_default();
    [Some(x.to_vec()), curve_points::in_digits(curve, x)].into_iter().flatten().map(|x| (curve, x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::digits::testing::divided;
    use crate::keys::number::Number;
    use crate::keys::testing::noise;
    use crate::span::Span;

    fn places(bytes: &[u8], size: usize) -> Vec<(usize, Place)> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut all = Vec::new();
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            let grids = ec_places::grids(&window, &memory);
            all.extend(seen(&window, &grids, Some(&Scripts::of(&window, &memory))));
        }
        all
    }

    /// A number of the curve's length.
    fn number(curve: Curve, seed: u64) -> Vec<u8> {
        let mut number = noise(curve.size(), seed);
        number[0] = if curve == Curve::P521 { 1 } else { number[0] | 0x80 };
        number
    }

    #[test]
    fn a_number_of_each_curve_is_seen_in_digits_of_every_size() {
        for curve in CURVES {
            for (seed, digits) in
                (1..30).flat_map(|seed| TOMMATH.into_iter().chain(IN_WORDS).chain(IN_HALVES).map(move |d| (seed, d)))
            {
                let want = number(curve, seed);
                let row = divided(&Number::from_be(&want), digits);
                // What libtommath has no use for is zeros, or it takes no more than it uses.
                for behind in [&[0; 40][..], &[0x31, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0x31, 0, 0, 0]] {
                    let heap = [&[0; 24][..], &0x31_u64.to_le_bytes(), &row, behind, &[0; 64]].concat();
                    for window in [1 << 16, 24] {
                        let found = places(&heap, window);
                        // A last digit that is small by chance lets it be read as one of longer digits too.
                        let right = found.iter().filter(|(_, place)| *place.bytes == want);
                        let right: Vec<_> = right.map(|(len, place)| (*len, place.spans.clone())).collect();
                        let span = Span::new(32, row.len() as u64);
                        assert_eq!(right, [(curve.size(), vec![span])], "{curve:?} {digits:?} {seed}");
                        assert!(found.len() <= 2);
                    }
                }
            }
        }
    }

    #[test]
    fn noise_and_arrays_of_small_numbers_are_none() {
        assert!(places(&noise(1 << 20, 3), 1 << 20).is_empty());
        let island = |seed: u64| [noise(32 + 8 * (seed % 5) as usize, seed), vec![0; 16]].concat();
        assert!(places(&(1..4000).flat_map(island).collect::<Vec<u8>>(), 1 << 20).is_empty());
        let small: Vec<u8> = (1..4000_u64).flat_map(|number| (number << 32).to_le_bytes()).collect();
        assert!(places(&small, 1 << 20).is_empty());
    }
}
