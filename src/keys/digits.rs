//! Numbers whose digits have fewer bits than the words that they stand in: how libraries of big integers lay them out.

use zeroize::Zeroizing;

use crate::finding::Encoding;

/// How digits stand in memory, least significant first.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    /// Bits of a digit.
    pub bits: usize,
    /// Bytes that it takes, 4 or 8.
    pub size: usize,
    /// Bits below it, which are zeros.
    pub shift: usize,
    /// What it is called.
    pub encoding: Encoding,
}

const fn digits(bits: usize, size: usize, shift: usize, encoding: Encoding) -> Digits {
    Digits { bits, size, shift, encoding }
}

/// CPython's (`PyLong_SHIFT`).
pub const CPYTHON: Digits = digits(30, 4, 0, Encoding::Digits30);
/// libtommath's (`MP_DIGIT_BIT`).
pub const TOMMATH: [Digits; 2] = [digits(28, 4, 0, Encoding::Digits28), digits(60, 8, 0, Encoding::Digits60)];
/// Those of libraries in JavaScript, 26 bits (bn.js: elliptic, browserify) and 28 (jsbn: node-forge), in arrays of V8's small integers, which are the
/// upper half of a word.
pub const IN_WORDS: [Digits; 2] =
    [digits(26, 8, 32, Encoding::SmallIntegers26), digits(28, 8, 32, Encoding::SmallIntegers28)];
/// The same where pointers are compressed (Electron, browsers): twice the integer in half a word.
pub const IN_HALVES: [Digits; 2] =
    [digits(26, 4, 1, Encoding::SmallIntegers26), digits(28, 4, 1, Encoding::SmallIntegers28)];

/// Every layout.
pub fn all() -> impl Iterator<Item = Digits> {
    std::iter::once(CPYTHON).chain(TOMMATH).chain(IN_WORDS).chain(IN_HALVES)
}

impl Digits {
    /// How many digits a number of so many bits has.
    #[must_use]
    pub fn count(self, bits: usize) -> usize {
        bits.div_ceil(self.bits)
    }

    /// The digit that so many bytes are; `None` where they are none.
    #[must_use]
    pub fn digit(self, bytes: &[u8]) -> Option<u64> {
        let word = bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let digit = word >> self.shift;
        (digit << self.shift == word && digit >> self.bits == 0).then_some(digit)
    }

    /// The bits of 8 bytes in which no digit is.
    #[must_use]
    pub fn outside(self) -> u64 {
        let digit = ((1 << self.bits) - 1) << self.shift;
        if self.size == 8 { !digit } else { !(digit | digit << 32) }
    }

    /// The bytes of a digit.
    pub fn bytes(self, digit: u64) -> impl Iterator<Item = u8> {
        (digit << self.shift).to_le_bytes().into_iter().take(self.size)
    }

    /// The bits of a digit in each of its bytes that tell of it, in quarters of a bit.
    pub fn worth(self) -> impl Iterator<Item = u8> {
        // Whole bytes of zeros below it tell nothing.
        let (zeros, size) = (self.shift / 8, self.size);
        let worth = u8::try_from(4 * self.bits / (size - zeros)).unwrap_or(u8::MAX);
        (0..size).map(move |at| if at < zeros { 0 } else { worth })
    }
}

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

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::keys::number::Number;

    /// Digits by long division, which is another way than the one that they are read by.
    pub fn divided(number: &Number, digits: Digits) -> Vec<u8> {
        let (mut rest, mut bytes) = (number.clone(), Vec::new());
        while !rest.is_zero() {
            let (next, digit) = rest.div_rem(&Number::from(1 << digits.bits)).unwrap();
            bytes.extend(digits.bytes(digit.to_u64().unwrap()));
            rest = next;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::number::Number;
    use crate::keys::testing::noise;

    #[test]
    fn digits_are_joined_as_a_sum_of_powers_is() {
        for (bits, seed) in [(26_usize, 6), (28, 1), (30, 2), (52, 3), (58, 4), (60, 5)] {
            let digits = noise(8 * 9, seed);
            let digits: Vec<u64> =
                digits.chunks(8).map(|d| u64::from_le_bytes(d.try_into().unwrap()) >> (64 - bits)).collect();
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

    #[test]
    fn a_digit_is_read_as_it_was_written_and_nothing_else_is_one() {
        for layout in all() {
            let most = (1 << layout.bits) - 1;
            for digit in [0, 1, 0x2a5_1234, most] {
                let bytes: Vec<u8> = layout.bytes(digit).collect();
                assert_eq!((bytes.len(), layout.digit(&bytes)), (layout.size, Some(digit)));
            }
            assert_eq!(layout.digit(&vec![0xff; layout.size]), None);
            let too_great: Vec<u8> = layout.bytes(most + 1).collect();
            assert_eq!(layout.digit(&too_great), None);
            assert_eq!(layout.worth().count(), layout.size);
            let ones: u32 = layout.bytes(most).map(u8::count_ones).sum();
            assert_eq!(layout.outside().count_zeros(), ones * 8 / layout.size as u32);
        }
        assert_eq!(IN_WORDS[0].digit(&[1, 0, 0, 0, 5, 0, 0, 0]), None);
        assert_eq!(IN_HALVES[0].digit(&[11, 0, 0, 0]), None);
    }
}
