//! Big numbers: the one home of `crypto-bigint`.
//!
//! A `BoxedUint` carries a precision, and many of its operations panic or wrap where two precisions differ. A [`Number`] is
//! always as wide as its value needs, and every operation here brings its operands to one width first; what has no answer
//! (a division by zero, an even modulus for a power) is `None`. The bytes are zeroed on drop.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, Gcd as _, Limb, NonZero, Odd, Resize as _};
use std::fmt;
use zeroize::Zeroize as _;

/// A non-negative number of any size.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(BoxedUint);

impl Drop for Number {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[number of {} bits]", self.bits())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::narrow(BoxedUint::from(value))
    }
}

impl Number {
    /// The number that `bytes` are, most significant byte first. Leading zeros do not count.
    #[must_use]
    pub fn from_be(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|&&b| b == 0).count();
        let bytes = bytes.get(zeros..).unwrap_or_default();
        if bytes.is_empty() { Self::from(0) } else { Self::narrow(BoxedUint::from_be_slice_vartime(bytes)) }
    }

    /// 2 ^ exponent
    #[must_use]
    pub fn power_of_two(exponent: u32) -> Self {
        let mut bytes = vec![0; 1 + exponent as usize / 8];
        bytes.first_mut().into_iter().for_each(|first| *first = 1 << (exponent % 8));
        Self::from_be(&bytes)
    }

    /// Its bytes, most significant first, without leading zeros; none for zero.
    #[must_use]
    pub fn to_be(&self) -> Vec<u8> {
        let mut all = self.0.to_be_bytes();
        let zeros = all.iter().take_while(|&&b| b == 0).count();
        let bytes = all.get(zeros..).unwrap_or_default().to_vec();
        all.zeroize();
        bytes
    }

    /// Its value, if 64 bits hold it.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        let bytes = self.to_be();
        (bytes.len() <= 8).then(|| bytes.iter().fold(0, |value, &b| value << 8 | u64::from(b)))
    }

    /// How many bits it has; 0 for zero.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.0.bit_width_vartime()
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.bits() == 0
    }

    /// Whether it is one.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.bits() == 1
    }

    /// Whether it is odd.
    #[must_use]
    pub fn is_odd(&self) -> bool {
        self.0.bit_vartime(0)
    }

    /// self + other
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let width = self.0.bits_precision().max(other.0.bits_precision()).saturating_add(64);
        Self::narrow(self.widened(width).wrapping_add(other.widened(width)))
    }

    /// self - other, where that is not negative.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        let width = self.0.bits_precision();
        (self >= other).then(|| Self::narrow(self.0.wrapping_sub(other.widened(width))))
    }

    /// self - 1, where that is not negative.
    #[must_use]
    pub fn minus_one(&self) -> Option<Self> {
        self.minus(&Self::from(1))
    }

    /// self * other
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self::narrow(self.0.concatenating_mul(&other.0))
    }

    /// Quotient and remainder of self / by; `None` for zero.
    #[must_use]
    pub fn div_rem(&self, by: &Self) -> Option<(Self, Self)> {
        let (quotient, rest) = self.0.div_rem_vartime(&by.divisor()?);
        Some((Self::narrow(quotient), Self::narrow(rest)))
    }

    /// self mod by; `None` for zero.
    #[must_use]
    pub fn rem(&self, by: &Self) -> Option<Self> {
        Some(Self::narrow(self.0.rem_vartime(&by.divisor()?)))
    }

    /// self mod by; `None` for zero.
    #[must_use]
    pub fn rem_small(&self, by: u64) -> Option<u64> {
        let by: Option<NonZero<Limb>> = NonZero::new(Limb::from_u64(by)).into();
        Some(self.0.rem_limb(by?).0)
    }

    /// The number whose square it is, if it is a square.
    #[must_use]
    pub fn square_root(&self) -> Option<Self> {
        let root = Self::narrow(self.0.floor_sqrt_vartime());
        (root.times(&root) == *self).then_some(root)
    }

    /// Whether `by` divides it. Zero divides nothing.
    #[must_use]
    pub fn is_multiple_of(&self, by: &Self) -> bool {
        self.rem(by).is_some_and(|rest| rest.is_zero())
    }

    /// The greatest number that divides both.
    #[must_use]
    pub fn gcd(&self, other: &Self) -> Self {
        Self::narrow(self.0.gcd_vartime(&other.0))
    }

    /// The number x below `modulus` with self * x = 1 (mod modulus), where there is one.
    #[must_use]
    pub fn inverse(&self, modulus: &Self) -> Option<Self> {
        let width = modulus.0.bits_precision();
        let value = self.rem(modulus)?;
        let inverse: Option<BoxedUint> = value.widened(width).invert_mod(&modulus.divisor()?).into();
        // The check costs little and spares an argument over every corner of an even or a tiny modulus.
        let inverse = Self::narrow(inverse?).rem(modulus)?;
        value.times(&inverse).rem(modulus)?.is_one().then_some(inverse)
    }

    /// self ^ exponent mod modulus; `None` unless the modulus is odd and above 1.
    #[must_use]
    pub fn pow_mod(&self, exponent: &Self, modulus: &Self) -> Option<Self> {
        Modulus::new(modulus)?.pow(self, exponent)
    }

    fn narrow(mut value: BoxedUint) -> Self {
        let bits = value.bit_width_vartime().max(1);
        if bits.div_ceil(64) < value.bits_precision().div_ceil(64) {
            let narrowed = (&value).resize_unchecked(bits);
            value.zeroize();
            value = narrowed;
        }
        Self(value)
    }

    fn widened(&self, width: u32) -> BoxedUint {
        (&self.0).resize_unchecked(width)
    }

    fn divisor(&self) -> Option<NonZero<BoxedUint>> {
        self.0.clone().into_nz().into()
    }
}

/// An odd modulus with its constants worked out once, for many powers.
#[derive(Clone)]
pub struct Modulus {
    number: Number,
    params: BoxedMontyParams,
}

impl Modulus {
    /// `None` unless the number is odd and above 1.
    #[must_use]
    pub fn new(number: &Number) -> Option<Self> {
        let odd: Option<Odd<BoxedUint>> = number.0.clone().into_odd().into();
        let odd = odd.filter(|_| number.bits() > 1)?;
        Some(Self { number: number.clone(), params: BoxedMontyParams::new_vartime(odd) })
    }

    /// base ^ exponent mod this.
    #[must_use]
    pub fn pow(&self, base: &Number, exponent: &Number) -> Option<Number> {
        let base = base.rem(&self.number)?.widened(self.params.bits_precision());
        let bits = exponent.bits();
        let power = BoxedMontyForm::new(base, &self.params).pow_bounded_exp(&exponent.0, bits);
        Some(Number::narrow(power.retrieve()))
    }
}

/// Bits of one digit of an exponent in [`FixedBase`], at most.
const DIGIT: usize = 6;

/// A number whose powers by many exponents are wanted: each digit of an exponent has a table of its own, so that a power is one
/// multiplication for each of them.
pub struct FixedBase {
    /// For each digit the powers by its values above zero, times the digit's place.
    rows: Vec<Vec<BoxedMontyForm>>,
    /// Bits of a digit.
    digit: usize,
}

impl FixedBase {
    /// For so many exponents of at most so many bits: the fewer there are, the smaller is the table that saves the most.
    #[must_use]
    pub fn new(base: &Number, modulus: &Modulus, bits: u32, exponents: usize) -> Option<Self> {
        let base = base.rem(&modulus.number)?.widened(modulus.params.bits_precision());
        let rows = |digit: usize| (bits as usize).div_ceil(digit);
        let products = |digit: &usize| rows(*digit).saturating_mul((1_usize << digit).saturating_add(exponents));
        let digit = (1..=DIGIT).min_by_key(products)?;
        let mut first = BoxedMontyForm::new(base, &modulus.params);
        let row = |_| {
            let powers = std::iter::successors(Some(first.clone()), |power| Some(power * &first));
            let row: Vec<BoxedMontyForm> = powers.take((1 << digit) - 1).collect();
            row.last().into_iter().for_each(|last| first = last * &first);
            row
        };
        Some(Self { rows: (0..rows(digit)).map(row).collect(), digit })
    }

    /// The power by an exponent; `None` for zero and for one that is too long.
    #[must_use]
    pub fn pow(&self, exponent: &Number) -> Option<Number> {
        let mut bytes = exponent.to_be();
        bytes.reverse();
        let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        let mut power: Option<BoxedMontyForm> = None;
        for (row, place) in self.rows.iter().zip((0..).step_by(self.digit)) {
            let digit = (0..self.digit).fold(0, |digit, at| digit | usize::from(bit(place + at)) << at);
            let factor = digit.checked_sub(1).and_then(|at| row.get(at));
            power = match (power, factor) {
                (Some(power), Some(factor)) => Some(power * factor),
                (power, factor) => power.or_else(|| factor.cloned()),
            };
        }
        let fits = exponent.bits() as usize <= self.digit * self.rows.len();
        bytes.zeroize();
        power.filter(|_| fits).map(|power| Number::narrow(power.retrieve()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(value: u64) -> Number {
        Number::from(value)
    }

    #[test]
    fn what_has_no_answer_is_none() {
        assert!(n(5).rem(&n(0)).is_none() && n(5).div_rem(&n(0)).is_none() && n(5).rem_small(0).is_none());
        assert!(n(0).minus_one().is_none());
        assert!(n(2).inverse(&n(0)).is_none() && n(2).inverse(&n(4)).is_none() && n(0).inverse(&n(1)).is_none());
        for modulus in [0, 1, 2, 100] {
            assert!(n(2).pow_mod(&n(3), &n(modulus)).is_none());
        }
    }

    #[test]
    fn small_numbers_behave() {
        assert_eq!(n(3).pow_mod(&n(200), &n(13)), Some(n(9)));
        assert_eq!(n(3).inverse(&n(40)), Some(n(27)));
        assert_eq!(n(12).gcd(&n(18)), n(6));
        assert_eq!((n(0).gcd(&n(7)), n(7).gcd(&n(0))), (n(7), n(7)));
        assert_eq!(n(144).square_root(), Some(n(12)));
        assert_eq!(n(145).square_root(), None);
        assert_eq!(Number::from_be(&[0, 0, 1, 0]).to_be(), [1, 0]);
        assert!(Number::from_be(&[]).is_zero() && n(0).to_be().is_empty());
        assert_eq!(format!("{:?}", n(77)), "[number of 7 bits]");
    }

    #[test]
    fn powers_of_a_fixed_base_are_those_of_any_base() {
        let modulus = Number::power_of_two(127).minus_one().unwrap();
        let base = Number::from(0x1234_5678_9abc_def1);
        let dense = Number::power_of_two(130).minus_one().unwrap();
        for exponents in [0, 1, 9, 50, 1000] {
            let fixed = FixedBase::new(&base, &Modulus::new(&modulus).unwrap(), 130, exponents).unwrap();
            for exponent in [n(1), n(2), n(63), n(64), n(0xdead_beef_0000), Number::power_of_two(129), dense.clone()] {
                assert_eq!(fixed.pow(&exponent), base.pow_mod(&exponent, &modulus));
            }
            assert!(fixed.pow(&n(0)).is_none() && fixed.pow(&Number::power_of_two(136)).is_none());
        }
    }

    proptest! {
        #[test]
        fn operations_on_any_widths_agree_with_each_other(
            a in prop::collection::vec(any::<u8>(), 0..80),
            b in prop::collection::vec(any::<u8>(), 0..80),
            c in any::<u64>(),
        ) {
            let (a, b) = (Number::from_be(&a), Number::from_be(&b));
            prop_assert_eq!(a.plus(&b).minus(&b), Some(a.clone()));
            if let Some((quotient, rest)) = a.div_rem(&b) {
                prop_assert_eq!(quotient.times(&b).plus(&rest), a.clone());
                prop_assert!(rest < b);
            }
            prop_assert_eq!(a.rem_small(c).map(n), a.rem(&n(c)));
            prop_assert_eq!(a.times(&a).square_root(), Some(a.clone()));
            let gcd = a.gcd(&b);
            prop_assert_eq!(a.inverse(&b).is_some(), gcd.is_one() && b.bits() > 1, "{:?} {:?}", a.bits(), b.bits());
            let _ = a.pow_mod(&n(c), &b);
        }

        #[test]
        fn powers_of_two_are_no_trap(a in any::<u64>(), shift in 0_u32..200) {
            let mut power = vec![0; 1 + shift as usize / 8];
            power[0] = 1 << (shift % 8);
            let power = Number::from_be(&power);
            prop_assert_eq!(n(a).inverse(&power).is_some(), a & 1 == 1 && shift > 0);
            let _ = (n(a).gcd(&power), power.gcd(&n(a)), power.square_root());
        }
    }
}
