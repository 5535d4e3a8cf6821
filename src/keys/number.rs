//! Big numbers: the one home of `crypto-bigint`.
//!
//! A `BoxedUint` carries a precision, and many of its operations panic or wrap where two precisions differ. A [`Number`] is
//! always as wide as its value needs, and every operation here brings its operands to one width first; what has no answer
//! (a division by zero, an even modulus for a power) is `None`. The bytes are zeroed on drop.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, Gcd as _, NonZero, Odd, Resize as _};
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
