//! How the words of a big number can stand in memory, and its limbs read from them.

use multiversion::multiversion;

use super::dense::{self, Bits, WORD};
use crate::finding::Encoding;
use crate::keys::limbs::{LONGEST, Likeness};
use crate::memory::AddressSpace;

/// Bits of a digit of CPython's integers.
const DIGIT: usize = 30;

/// The order of the words of a number and of the bytes in them, as little-endian words of 64 bits show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Limbs,
    Bytes,
    Words32,
    /// Limbs of 64 bits of a big-endian machine.
    BigLimbs64,
    /// Limbs of 32 bits of a big-endian machine.
    BigLimbs32,
}

impl Order {
    /// The orders that occur in such memory. The last two only where the process was big-endian or nobody knows.
    pub fn of(memory: &AddressSpace) -> &'static [Self] {
        const ALL: &[Order] = &[Order::Limbs, Order::Bytes, Order::Words32, Order::BigLimbs64, Order::BigLimbs32];
        ALL.get(..if memory.may_be_big_endian() { 5 } else { 3 }).unwrap_or(ALL)
    }

    /// Whether the lowest word stands first.
    pub fn lowest_first(self) -> bool {
        matches!(self, Self::Limbs | Self::BigLimbs64 | Self::BigLimbs32)
    }

    pub fn limb(self, word: u64) -> u64 {
        match self {
            Self::Limbs => word,
            Self::Bytes => word.swap_bytes(),
            Self::Words32 => word.rotate_left(32),
            Self::BigLimbs64 => word.swap_bytes(),
            Self::BigLimbs32 => word.swap_bytes().rotate_left(32),
        }
    }

    /// Which bits of a word are the lowest and the highest one of its limb.
    pub fn ends(self) -> (u32, u32) {
        match self {
            Self::Limbs => (0, 63),
            Self::Bytes | Self::BigLimbs64 => (56, 7),
            Self::Words32 => (32, 31),
            Self::BigLimbs32 => (24, 39),
        }
    }

    /// Whether it stands on one of the grids on which words are laid out.
    pub fn fits(self, grid: usize, grids: &[bool; WORD]) -> bool {
        let on = |grid: usize| grids.get(grid % WORD) == Some(&true);
        match self {
            Self::Limbs | Self::BigLimbs64 => on(grid),
            Self::Bytes => true,
            Self::Words32 | Self::BigLimbs32 => on(grid) || on(grid + WORD / 2),
        }
    }

    pub fn encoding(self) -> Encoding {
        match self {
            Self::Limbs => Encoding::LittleEndian,
            Self::Bytes => Encoding::Plain,
            Self::Words32 => Encoding::Words32,
            Self::BigLimbs64 => Encoding::Limbs64,
            Self::BigLimbs32 => Encoding::Limbs32,
        }
    }
}

/// Words on one grid, read in one order.
pub struct Place<'a> {
    pub start: usize,
    pub words: &'a [u64],
    pub order: Order,
}

impl Place<'_> {
    /// Where a number of `len` words would have an odd lowest word and the highest bit set.
    pub fn between(&self, odd: &Bits, great: &Bits, len: usize) -> Bits {
        if self.order.lowest_first() { odd.and(great, len - 1) } else { great.and(odd, len - 1) }
    }

    /// Where a number of `len` words would have a dense word right before it and right behind it.
    pub fn amid(&self, len: usize) -> Bits {
        let dense = Bits::dense(self.words);
        dense.behind_one().and(&dense, len)
    }

    /// The highest limb of a number of `len` words.
    pub fn first(&self, index: usize, len: usize) -> u64 {
        let at = if self.order.lowest_first() { index + len - 1 } else { index };
        self.words.get(at).map_or(0, |&word| self.order.limb(word))
    }

    /// The lowest limb of a number of `len` words.
    pub fn last(&self, index: usize, len: usize) -> u64 {
        let at = if self.order.lowest_first() { index } else { index + len - 1 };
        self.words.get(at).map_or(0, |&word| self.order.limb(word))
    }

    /// Those of the places at which the words of a number have about half of their bits set, as it says of numbers of this length.
    pub fn even(&self, at: &Bits, len: usize, like: Likeness) -> Vec<usize> {
        even(self.words, at, len, like)
    }

    /// The limbs of the number, if no more of its words are pointers or small numbers than chance allows.
    pub fn limbs<'l>(&self, index: usize, len: usize, into: &'l mut [u64; LONGEST]) -> Option<&'l [u64]> {
        let (words, into) = (self.words.get(index..index + len)?, into.get_mut(..len)?);
        if words.iter().filter(|&&word| !dense::is_dense(word)).count() > 2 + len / 16 {
            return None;
        }
        into.iter_mut().zip(words).for_each(|(limb, &word)| *limb = self.order.limb(word));
        if !self.order.lowest_first() {
            into.reverse();
        }
        Some(into)
    }
}

#[multiversion(targets("x86_64+popcnt"))]
fn even(words: &[u64], at: &Bits, len: usize, like: Likeness) -> Vec<usize> {
    let words = |index: usize| words.get(index..index + len);
    at.ones().filter(|&index| words(index).is_some_and(|words| like.is_even(words))).collect()
}

/// The digits of 30 bits that a number of so many limbs has.
#[derive(Clone, Copy)]
pub struct Digits {
    pub limbs: usize,
    pub count: usize,
}

impl Digits {
    pub fn of(limbs: usize) -> Self {
        Self { limbs, count: (64 * limbs).div_ceil(DIGIT) }
    }

    /// The limbs of the number whose lowest digit is at `index`. `None` where the highest digit is too great.
    pub fn limbs(self, words: &[u64], index: usize) -> Option<Vec<u64>> {
        let digits = words.get(index..index + self.count)?;
        let highest = 64 * self.limbs - DIGIT * (self.count - 1);
        let small = digits.iter().filter(|&&digit| !dense::is_digit(digit as u32)).count();
        if *digits.last()? >> highest != 0 || small > 2 + self.count / 32 {
            return None;
        }
        let (mut limbs, mut low, mut have) = (Vec::with_capacity(self.limbs), 0_u128, 0);
        for digit in digits {
            low |= u128::from(*digit) << have;
            have += DIGIT;
            if have >= 64 {
                limbs.push(low as u64);
                low >>= 64;
                have -= 64;
            }
        }
        limbs.extend((limbs.len() < self.limbs).then_some(low as u64));
        Some(limbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn even_numbers_are_those_that_are_even_one_by_one() {
        let like = Likeness::new(8);
        let words: Vec<u64> =
            dense::words(&noise(8 * 400, 3)).into_iter().map(|w| if w % 5 == 0 { w & w >> 9 } else { w }).collect();
        let place = Place { start: 0, words: &words, order: Order::Limbs };
        let want: Vec<usize> = (0..=392).filter(|&i| like.is_even(&words[i..i + 8])).collect();
        assert_eq!(place.even(&Bits::all(400), 8, like), want);
        assert!((50..380).contains(&want.len()), "{}", want.len());
    }

    #[test]
    fn the_ends_of_limbs_are_where_they_are_read() {
        for order in [Order::Limbs, Order::Bytes, Order::Words32, Order::BigLimbs64, Order::BigLimbs32] {
            let (low, high) = order.ends();
            assert_eq!((order.limb(1 << low), order.limb(1 << high)), (1, 1 << 63), "{order:?}");
        }
    }
}
