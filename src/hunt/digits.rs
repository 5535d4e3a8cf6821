//! Numbers whose digits have fewer bits than the words that they stand in, and those of libtommath that are as long as numbers of elliptic
//! curves: Dropbear, libtomcrypt, Wine.
//!
//! libtommath gives each number an allocation of its own, so a private key, and each coordinate of the public one, is a row of digits
//! at its beginning. A digit of 28 bits takes four bytes and one of 60 bits eight; the upper four bits of all of them are zeros, and the
//! last one has no more bits than the number leaves it, which random bytes are next to never. So such a place is tried first,
//! as a private key and as a coordinate.

use zeroize::Zeroizing;

use super::dense::WORD;
use super::ec_places::{Grid, Place, Rank, Run, Shape};
use super::randomness::all_look_random;
use crate::finding::Encoding;
use crate::keys::ec::Curve;
use crate::window::Window;

/// The number of a row of digits of so many bits each, both least significant first: as many bytes as its digits have room for.
#[must_use]
pub fn joined(digits: impl IntoIterator<Item = u64>, bits: usize) -> Zeroizing<Vec<u8>> {
    let digits = digits.into_iter();
    let most = (digits.size_hint().1.unwrap_or_default() * bits).div_ceil(8);
    // Nothing of it is left in a shorter allocation.
    let (mut bytes, mut low, mut have) = (Zeroizing::new(Vec::with_capacity(most)), 0_u128, 0);
    for digit in digits {
        low |= u128::from(digit) << have;
        have += bits;
        while have >= 8 {
            bytes.push(low as u8);
            low >>= 8;
            have -= 8;
        }
    }
    if have > 0 {
        bytes.push(low as u8);
    }
    bytes
}

/// A size of libtommath's digits.
#[derive(Clone, Copy)]
pub struct Digits {
    /// Bits of one.
    pub bits: usize,
    /// Bytes that it takes.
    pub size: usize,
    /// What it is called.
    pub encoding: Encoding,
}

/// The sizes that there are.
pub const TOMMATH: [Digits; 2] = [
    Digits { bits: 28, size: 4, encoding: Encoding::Digits28 },
    Digits { bits: 60, size: 8, encoding: Encoding::Digits60 },
];

/// Places of numbers in libtommath's digits that begin in the owned part of the window, and how many bytes the number has: 32, 48 or 66.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid]) -> Vec<(usize, Place)> {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs);
    let runs = runs.filter(|run| !run.is_long() && owned.contains(&run.range.start));
    let look = |run| {
        let of_size =
            move |digits: Digits| CURVES.into_iter().filter_map(move |curve| digits.place(window, run, curve));
        TOMMATH.into_iter().flat_map(of_size)
    };
    runs.flat_map(look).collect()
}

/// One of each size.
const CURVES: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

impl Digits {
    /// The place of a number of the curve that begins a run: the word that its last digit stands in may be full or not.
    fn place(self, window: &Window<'_>, run: &Run, curve: Curve) -> Option<(usize, Place)> {
        let (start, len) = (run.range.start, curve.size());
        let bits = if curve == Curve::P521 { 521 } else { 8 * len };
        let count = bits.div_ceil(self.bits);
        let words = (self.size * count / WORD).checked_sub(run.words())?;
        let range = start..start + self.size * count;
        let bytes = window.slice(range.clone());
        if words > 1 || bytes.len() < range.len() {
            return None;
        }
        let digits = bytes.chunks_exact(self.size);
        let digits = digits.map(|digit| digit.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)));
        let left = |at: usize| self.bits.min(bits - self.bits * at);
        let fits = |(at, digit): (usize, u64)| digit != 0 && digit >> left(at) == 0;
        if !digits.clone().enumerate().all(fits) {
            return None;
        }
        let mut number = joined(digits, self.bits);
        number.truncate(len);
        number.reverse();
        let spans = window.spans(range);
        let is_told = window.is_stitched() && spans.len() < 2;
        let place = Place { rank: Rank::Island, shape: Shape::Digits(self.encoding), bytes: number, spans };
        (!is_told && all_look_random(&place.bytes)).then_some((len, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::number::Number;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    /// Digits by long division, which is another way than the one that they are read by.
    fn divided(number: &Number, bits: u32, size: usize) -> Vec<u8> {
        let (mut rest, mut bytes) = (number.clone(), Vec::new());
        while !rest.is_zero() {
            let (next, digit) = rest.div_rem(&Number::from(1 << bits)).unwrap();
            bytes.extend(&digit.to_u64().unwrap().to_le_bytes()[..size]);
            rest = next;
        }
        bytes
    }

    fn places(bytes: &[u8], size: usize) -> Vec<(usize, Place)> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut all = Vec::new();
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            all.extend(seen(&window, &ec_places::grids(&window, &memory)));
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
    fn a_number_of_each_curve_is_seen_in_digits_of_both_sizes() {
        for curve in CURVES {
            for (seed, (bits, size)) in (1..40).flat_map(|seed| [(seed, (28, 4)), (seed, (60, 8))]) {
                let want = number(curve, seed);
                let digits = divided(&Number::from_be(&want), bits, size);
                // What libtommath has no use for is zeros, or it takes no more than it uses.
                for behind in [&[0; 40][..], &[0x31, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0x31, 0, 0, 0]] {
                    let heap = [&[0; 24][..], &0x31_u64.to_le_bytes(), &digits, behind, &[0; 64]].concat();
                    for window in [1 << 16, 24] {
                        let found = places(&heap, window);
                        let [(len, place)] = &found[..] else { panic!("{curve:?} {bits} {seed} {}", found.len()) };
                        assert_eq!((*len, &*place.bytes), (curve.size(), &want));
                        assert_eq!(place.spans, [Span::new(32, digits.len() as u64)]);
                    }
                }
            }
        }
    }

    #[test]
    fn noise_is_none() {
        assert!(places(&noise(1 << 20, 3), 1 << 20).is_empty());
        let islands: Vec<u8> =
            (0..4000).flat_map(|seed| [noise(32 + 8 * (seed % 5) as usize, seed), vec![0; 16]].concat()).collect();
        assert!(places(&islands, 1 << 20).is_empty());
    }

    #[test]
    fn digits_are_joined_as_a_sum_of_powers_is() {
        for (bits, seed) in [(28_usize, 1), (30, 2), (52, 3), (58, 4), (60, 5)] {
            let digits: Vec<u64> = noise(8 * 9, seed)
                .chunks(8)
                .map(|d| u64::from_le_bytes(d.try_into().unwrap()) >> (64 - bits))
                .collect();
            let mut sum = Number::from(0);
            for digit in digits.iter().rev() {
                sum = sum.times(&Number::from(1 << bits)).plus(&Number::from(*digit));
            }
            let mut want = sum.to_be();
            want.reverse();
            want.resize((9 * bits).div_ceil(8), 0);
            assert_eq!(*joined(digits, bits), want);
        }
    }
}
