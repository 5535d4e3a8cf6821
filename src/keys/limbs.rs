//! Numbers as 64-bit limbs, least significant first: the two tests that are asked of millions of windows of memory.
//!
//! A window that may be a prime of a known modulus is divided into it from the low end, which costs a quarter of a long
//! division and needs no copy; a window that may be a private exponent is judged by its first limb. What passes is proven
//! with [`Number`] by whoever asked.

use zeroize::Zeroizing;

use super::number::Number;

/// Limbs of the longest modulus that is hunted for: 8192 bits.
pub const LONGEST: usize = 128;

/// Least common multiple of 1 to 16: `d` was reduced modulo (p-1)(q-1) divided by a common divisor of p-1 and q-1, and
/// nearly every such divisor divides this.
const COMMON: u64 = 720_720;

/// By how much less than 1 the fraction in [`Dividend::may_have_exponent`] may be, in units of 2^-128. One limb of d gives
/// it to 2^-26.
const CLOSE: u128 = 1 << (128 - 24);

/// The number `y` with x * y = -1 mod 2^64, for odd `x`: what Montgomery arithmetic keeps of a modulus whose lowest limb is
/// x. It is its own inverse: y gives x.
#[must_use]
pub fn negated_inverse(x: u64) -> u64 {
    inverse(x).wrapping_neg()
}

/// x^-1 mod 2^64 for odd `x`, by Newton's method: each step doubles the number of right bits, of which 3x ^ 2 has five.
fn inverse(x: u64) -> u64 {
    let first = x.wrapping_mul(3) ^ 2;
    (0..4).fold(first, |y, _| y.wrapping_mul(2_u64.wrapping_sub(x.wrapping_mul(y))))
}

/// The limbs of `number`, lowest first, without zeros at the top.
#[must_use]
pub fn of_number(number: &Number) -> Zeroizing<Vec<u64>> {
    let bytes = Zeroizing::new(number.to_be());
    let limb = |bytes: &[u8]| bytes.iter().fold(0, |limb, &b| limb << 8 | u64::from(b));
    Zeroizing::new(bytes.rchunks(8).map(limb).collect())
}

/// The number that `limbs` are.
#[must_use]
pub fn to_number(limbs: &[u64]) -> Number {
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect());
    Number::from_be(&bytes)
}

/// What every random number of so many limbs looks like, next to never failed by one and nearly always by code.
#[derive(Clone, Copy, Debug)]
pub struct Likeness {
    /// By how much the number of set bits may be off a half: six standard deviations.
    bits: u64,
    /// Different values that the bytes have at least: three quarters of the average.
    values: u32,
}

impl Likeness {
    /// Of numbers of `len` limbs.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let missing = (0..8 * len).fold(256.0_f64, |missing, _| missing * 255.0 / 256.0);
        Self { bits: (24.0 * (len as f64).sqrt()) as u64, values: ((256.0 - missing) * 0.75) as u32 }
    }

    /// Whether `limbs` look random.
    #[must_use]
    pub fn has(self, limbs: &[u64]) -> bool {
        let ones: u64 = limbs.iter().map(|limb| u64::from(limb.count_ones())).sum();
        ones.abs_diff(32 * limbs.len() as u64) <= self.bits && different(limbs) >= self.values
    }
}

/// How many different values the bytes have.
fn different(limbs: &[u64]) -> u32 {
    let mut seen = [0_u64; 4];
    for byte in limbs.iter().flat_map(|limb| limb.to_le_bytes()) {
        if let Some(seen) = seen.get_mut(usize::from(byte >> 6)) {
            *seen |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|seen| seen.count_ones()).sum()
}

/// A modulus, ready to be divided by many windows.
#[derive(Clone, Debug)]
pub struct Dividend {
    limbs: Vec<u64>,
    /// 2^128 * COMMON * e / n, less its whole part; n by its first limb.
    slope: u128,
}

impl Dividend {
    /// Of a modulus and its public exponent. `None` unless it is odd and its halves are whole limbs, at most [`LONGEST`]
    /// limbs in all.
    #[must_use]
    pub fn new(modulus: &Number, exponent: &Number) -> Option<Self> {
        let limbs = of_number(modulus).to_vec();
        let fits = limbs.len().is_multiple_of(2) && (2..=LONGEST).contains(&limbs.len()) && modulus.is_odd();
        let top = *limbs.last()?;
        let full =
            Number::power_of_two(128).times(&Number::from(COMMON)).times(exponent).div_rem(&Number::from(top))?.0;
        let slope = of_number(&full.rem(&Number::power_of_two(128))?);
        let slope = slope.iter().rev().fold(0, |slope: u128, &limb| slope << 64 | u128::from(limb));
        // Where the first limb is not full it does not tell enough.
        let slope = if top >> 63 == 1 { slope } else { 0 };
        fits.then_some(Self { limbs, slope })
    }

    /// Limbs of each of the two primes.
    #[must_use]
    pub fn half(&self) -> usize {
        self.limbs.len() / 2
    }

    /// Whether `prime`, which must be odd and have [`Dividend::half`] limbs, all but surely divides the modulus and leaves
    /// a number of the same size: 2^-62 of all windows pass that do not.
    #[must_use]
    pub fn may_be_divided_by(&self, prime: &[u64]) -> bool {
        let (Some(&low), Some(&high)) = (prime.first(), prime.last()) else { return false };
        let mut rest = [0; LONGEST / 2];
        let Some(rest) = rest.get_mut(..prime.len()).filter(|_| prime.len() == self.half()) else { return false };
        rest.iter_mut().zip(&self.limbs).for_each(|(rest, limb)| *rest = *limb);
        let inverse = inverse(low);
        let mut quotient = 0;
        let mut from = 0;
        while let Some(rest) = rest.get_mut(from..).filter(|rest| !rest.is_empty()) {
            quotient = rest.first().copied().unwrap_or(0).wrapping_mul(inverse);
            subtract(rest, prime, quotient);
            from += 1;
        }
        // The quotient's last limb from below must be the one from above.
        let product = u128::from(high) * u128::from(quotient);
        let top = self.limbs.last().copied().unwrap_or(0);
        quotient >> 63 == 1 && top.wrapping_sub((product >> 64) as u64) <= 2
    }

    /// Whether a number that begins with the limb `first` may be the private exponent: 2^-24 of all pass.
    ///
    /// e*d = 1 + k*m, where m is all but n divided by a small number, so `COMMON * e * d / n` is a little less than a whole
    /// number.
    #[must_use]
    pub fn may_have_exponent(&self, first: u64) -> bool {
        let fraction = self.slope.wrapping_mul(u128::from(first));
        self.slope != 0 && fraction.wrapping_add(CLOSE / 2) < CLOSE
    }
}

/// rest -= prime * factor, as far as `rest` goes.
fn subtract(rest: &mut [u64], prime: &[u64], factor: u64) {
    let mut borrow = 0_u64;
    for (rest, limb) in rest.iter_mut().zip(prime) {
        let product = u128::from(*limb) * u128::from(factor) + u128::from(borrow);
        let (left, under) = rest.overflowing_sub(product as u64);
        *rest = left;
        borrow = (product >> 64) as u64 + u64::from(under);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::rsa::RsaNumbers;
    use crate::keys::testing::{noise, rsa_key};
    use ::rsa::traits::PrivateKeyParts as _;

    fn key(bits: usize) -> RsaNumbers {
        let key = rsa_key(bits);
        let [p, q] = key.primes() else { panic!() };
        let (p, q) = (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()));
        RsaNumbers::from_primes(p, q, Number::from(65537), None).unwrap()
    }

    #[test]
    fn inverses_are_mutual() {
        for bytes in noise(800, 1).chunks_exact(8) {
            let x = u64::from_le_bytes(bytes.try_into().unwrap()) | 1;
            let y = negated_inverse(x);
            assert_eq!((x.wrapping_mul(y), negated_inverse(y)), (u64::MAX, x));
        }
    }

    #[test]
    fn both_primes_divide_and_the_exponents_are_seen() {
        for bits in [512, 1024, 1536] {
            let key = key(bits);
            let n = Dividend::new(&key.n, &key.e).unwrap();
            assert!(n.may_be_divided_by(&of_number(&key.p)) && n.may_be_divided_by(&of_number(&key.q)));
            assert!(Likeness::new(bits / 64).has(&of_number(&key.n)));
            assert_eq!(to_number(&of_number(&key.n)), key.n);
            let first = |d: &Number| {
                let limbs = of_number(d);
                if limbs.len() == bits / 64 { *limbs.last().unwrap() } else { 0 }
            };
            let seen = std::iter::once(key.d.clone()).chain(
                key.derived()
                    .into_iter()
                    .filter_map(|(piece, number)| (piece == crate::finding::Piece::OtherD).then_some(number)),
            );
            assert!(seen.into_iter().any(|d| n.may_have_exponent(first(&d))), "{bits}");
        }
    }

    #[test]
    fn noise_is_rejected_at_the_rate_that_is_claimed() {
        let key = key(1024);
        let n = Dividend::new(&key.n, &key.e).unwrap();
        let (mut divides, mut exponents) = (0, 0);
        let words: Vec<u64> =
            noise(8 << 20, 5).chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
        for window in words.windows(8).step_by(16) {
            let mut prime = window.to_vec();
            prime[0] |= 1;
            divides += usize::from(n.may_be_divided_by(&prime));
            assert!(Likeness::new(8).has(&prime));
        }
        words.iter().for_each(|&word| exponents += usize::from(n.may_have_exponent(word)));
        assert_eq!(divides, 0);
        assert!(exponents <= 3, "{exponents} of a million");
        let like = Likeness::new(16);
        assert!(!like.has(&[0x0123_4567_89ab_cdef; 16]) && !like.has(&[u64::MAX; 16]));
    }

    #[test]
    fn what_does_not_fit_is_no_dividend() {
        for modulus in [
            Number::from(0),
            Number::from(35),
            Number::power_of_two(127),
            Number::power_of_two(9000).plus(&Number::from(1)),
        ] {
            assert!(Dividend::new(&modulus, &Number::from(3)).is_none());
        }
        let n = Dividend::new(&Number::power_of_two(127).plus(&Number::from(1)), &Number::from(3)).unwrap();
        assert!(!n.may_be_divided_by(&[]) && !n.may_be_divided_by(&[1, 2, 3]));
    }
}
