//! Numbers as 64-bit limbs, least significant first: the two tests that are asked of millions of windows of memory.
//!
//! A window that may be a prime of a known modulus is asked for small divisors first, which three of four have. Then it is
//! inverted once, and each modulus costs but the two highest columns of a multiplication from the low end: they tell the
//! highest limb of the quotient, which must be the one that the highest limbs of both tell. A window that may be a private
//! exponent is judged by its first limb. What passes is proven with [`Number`] by whoever asked.

use multiversion::multiversion;
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
    /// By how much the number of set bits may be off a half: five standard deviations, which one in two million exceeds.
    bits: u64,
    /// Different values that the bytes have at least: three quarters of the average.
    values: u32,
}

/// Of numbers of each length, since it is asked for at every run of random words.
static LIKENESSES: [Likeness; LONGEST + 1] = likenesses();

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn likenesses() -> [Likeness; LONGEST + 1] {
    let mut all = [Likeness { bits: 0, values: 0 }; LONGEST + 1];
    let mut len = 0;
    while len < all.len() {
        all[len] = Likeness::of(len);
        len += 1;
    }
    all
}

impl Likeness {
    /// Of numbers of `len` limbs.
    #[must_use]
    pub fn new(len: usize) -> Self {
        LIKENESSES.get(len).copied().unwrap_or_else(|| Self::of(len))
    }

    const fn of(len: usize) -> Self {
        let (mut missing, mut bytes) = (256.0_f64, 0);
        while bytes < 8 * len {
            missing = missing * 255.0 / 256.0;
            bytes += 1;
        }
        // The deviation of 64 * len bits is the square root of a quarter of them.
        Self { bits: (25 * 16 * len as u64).isqrt(), values: ((256.0 - missing) * 0.75) as u32 }
    }

    /// Whether `limbs` look random.
    #[must_use]
    pub fn has(self, limbs: &[u64]) -> bool {
        self.is_even(limbs) && different(limbs) >= self.values
    }

    /// Whether about half of the bits are set: the part of [`Likeness::has`] that costs next to nothing.
    #[inline(always)]
    #[must_use]
    pub fn is_even(self, limbs: &[u64]) -> bool {
        let ones: u64 = limbs.iter().map(|limb| u64::from(limb.count_ones())).sum();
        ones.abs_diff(32 * limbs.len() as u64) <= self.bits
    }
}

/// How many different values the bytes have. Marks in a table depend on nothing, so one is set in each cycle.
fn different(limbs: &[u64]) -> u32 {
    let mut seen = [0_u8; 256];
    for byte in limbs.iter().flat_map(|limb| limb.to_le_bytes()) {
        seen.get_mut(usize::from(byte)).into_iter().for_each(|seen| *seen = 1);
    }
    seen.iter().map(|&seen| u32::from(seen)).sum()
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

    /// Whether the divisor, which must have [`Dividend::half`] limbs, all but surely divides the modulus and leaves a number
    /// of the same size: 2^-56 of all windows pass that do not.
    #[must_use]
    pub fn may_be_divided_by(&self, divisor: &Divisor) -> bool {
        let (half, top) = (self.half(), self.limbs.last().copied().unwrap_or(0));
        let (Some(inverse), Some(limbs)) = (divisor.inverse.get(..divisor.len), self.limbs.get(..half)) else {
            return false;
        };
        if divisor.len != half {
            return false;
        }
        // The quotient is n / prime modulo 2^(64 * half). Of the columns below the two highest only a carry is missing.
        let highest = limbs.iter().zip(inverse.iter().rev());
        let highest = highest.fold(0_u64, |sum, (&a, &b)| sum.wrapping_add(a.wrapping_mul(b)));
        let next = limbs.iter().zip(inverse.iter().rev().skip(1));
        let next = next.fold((0_u64, 0_u64), |(low, high), (&a, &b)| {
            let product = u128::from(a) * u128::from(b) + u128::from(low);
            (product as u64, high.wrapping_add((product >> 64) as u64))
        });
        let quotient = highest.wrapping_add(next.1);
        let product = u128::from(divisor.high) * u128::from(quotient);
        // The carry is less than one for each limb, and one more comes from the limbs below the highest ones.
        let carry = half as u64 + 4;
        let far = top.wrapping_sub((product >> 64) as u64);
        (quotient >> 63 == 1 || quotient.wrapping_add(carry) < carry) && far <= 2 * carry
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

/// The exponents of many moduli, to be asked for all at once.
#[derive(Clone, Debug, Default)]
pub struct Exponents {
    /// For each modulus what [`Dividend::may_have_exponent`] multiplies with, by its first 64 bits, and by those from the 32nd
    /// on: what the lower and the upper half of a limb are multiplied with, modulo 1.
    slopes: Vec<[u64; 2]>,
}

impl Exponents {
    /// Of these moduli.
    #[must_use]
    pub fn of<'a>(dividends: impl IntoIterator<Item = &'a Dividend>) -> Self {
        let slopes = dividends.into_iter().map(|n| n.slope).filter(|slope| *slope != 0);
        Self { slopes: slopes.map(|slope| [(slope >> 64) as u64, (slope >> 32) as u64]).collect() }
    }

    /// Whether [`Dividend::may_have_exponent`] holds for one of them, or is close to it.
    #[must_use]
    pub fn may_begin_with(&self, first: u64) -> bool {
        any_close(&self.slopes, first >> 32, first & 0xffff_ffff)
    }
}

/// Whether one of the products is all but a whole number. Two words are left of each, so it becomes vector code.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2"))]
fn any_close(slopes: &[[u64; 2]], high: u64, low: u64) -> bool {
    const WIDTH: u64 = (CLOSE >> 64) as u64;
    // What is cut off each product is less than 2^32.
    const ERROR: u64 = 1 << 34;
    slopes.iter().fold(false, |any, [upper, lower]| {
        let fraction = lower.wrapping_mul(high).wrapping_add(upper.wrapping_mul(low));
        any | (fraction.wrapping_add(WIDTH / 2 + ERROR) < WIDTH + 2 * ERROR)
    })
}

/// A number, ready to be divided into many moduli.
#[derive(Clone, Debug)]
pub struct Divisor {
    high: u64,
    /// Its inverse modulo 2^(64 * len).
    inverse: Zeroizing<[u64; LONGEST / 2]>,
    len: usize,
}

impl Divisor {
    /// Of an odd number of at most half of [`LONGEST`] limbs; `None` of others.
    #[must_use]
    pub fn new(limbs: &[u64]) -> Option<Self> {
        let (low, high) = (*limbs.first()?, *limbs.last()?);
        let mut rest = Zeroizing::new([0_u64; LONGEST / 2]);
        let mut inverse = Zeroizing::new([0_u64; LONGEST / 2]);
        let fits = low & 1 == 1 && limbs.len() <= inverse.len();
        *rest.first_mut()? = 1;
        let factor = self::inverse(low);
        for (from, digit) in inverse.iter_mut().take(limbs.len()).enumerate().filter(|_| fits) {
            let rest = rest.get_mut(from..limbs.len())?;
            *digit = rest.first()?.wrapping_mul(factor);
            subtract(rest, limbs, *digit);
        }
        fits.then_some(Self { high, inverse, len: limbs.len() })
    }
}

/// Odd primes up to 163, in groups whose products are less than 2^57.
const PRIMES: [&[u64]; 4] = [
    &[3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43],
    &[47, 53, 59, 61, 67, 71, 73, 79, 83],
    &[89, 97, 101, 103, 107, 109, 113, 127],
    &[131, 137, 139, 149, 151, 157, 163],
];

/// What each limb is worth modulo the product of a group.
static SIEVE: [[u64; LONGEST]; PRIMES.len()] = sieve();

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn sieve() -> [[u64; LONGEST]; PRIMES.len()] {
    let mut worths = [[1; LONGEST]; PRIMES.len()];
    let mut group = 0;
    while group < PRIMES.len() {
        let (mut product, mut at) = (1, 0);
        while at < PRIMES[group].len() {
            product *= PRIMES[group][at];
            at += 1;
        }
        let mut limb = 1;
        while limb < LONGEST {
            worths[group][limb] = (((worths[group][limb - 1] as u128) << 64) % product as u128) as u64;
            limb += 1;
        }
        group += 1;
    }
    worths
}

/// Whether a prime up to 163 divides the number, as one does seven of nine odd ones. It has [`LONGEST`] limbs at most.
#[must_use]
pub fn has_small_divisor(limbs: &[u64]) -> bool {
    // 128 products of 64 and 57 bits are less than 2^128. The number leaves the same remainders as their sum.
    let sum = |worths: &[u64]| {
        let products = limbs.iter().zip(worths).map(|(&limb, &worth)| u128::from(limb) * u128::from(worth));
        products.fold(0_u128, u128::wrapping_add)
    };
    let groups = PRIMES.iter().zip(&SIEVE);
    groups.into_iter().any(|(primes, worths)| {
        let product: u64 = primes.iter().product();
        let rest = (sum(worths) % u128::from(product)) as u64;
        primes.iter().any(|prime| rest.is_multiple_of(*prime))
    })
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
            for prime in [&key.p, &key.q].map(of_number) {
                assert!(n.may_be_divided_by(&Divisor::new(&prime).unwrap()) && !has_small_divisor(&prime));
            }
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
        let (mut divides, mut exponents, mut small, mut all) = (0, 0, 0, 0);
        let words: Vec<u64> =
            noise(8 << 20, 5).chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
        for window in words.windows(8).step_by(16) {
            let mut prime = window.to_vec();
            prime[0] |= 1;
            divides += usize::from(n.may_be_divided_by(&Divisor::new(&prime).unwrap()));
            assert!(Likeness::new(8).has(&prime));
            let number = to_number(&prime);
            let primes: Vec<u64> = PRIMES.iter().copied().flatten().copied().collect();
            assert_eq!(has_small_divisor(&prime), primes.iter().any(|&by| number.rem_small(by) == Some(0)));
            small += usize::from(has_small_divisor(&prime));
            all += 1;
        }
        assert!(small * 100 > all * 76 && small * 100 < all * 80, "{small} of {all}");
        words.iter().for_each(|&word| exponents += usize::from(n.may_have_exponent(word)));
        assert_eq!(divides, 0);
        assert!(exponents <= 3, "{exponents} of a million");
        let like = Likeness::new(16);
        assert!(!like.has(&[0x0123_4567_89ab_cdef; 16]) && !like.has(&[u64::MAX; 16]));
    }

    #[test]
    fn all_exponents_at_once_are_those_of_each() {
        let moduli: Vec<Dividend> = (0..200)
            .map(|i| {
                let n = [&[0xc0], &noise(126, i)[..], &[1]].concat();
                Dividend::new(&Number::from_be(&n), &Number::from(65537)).unwrap()
            })
            .collect();
        let all = Exponents::of(&moduli);
        let (mut each, mut more) = (0, 0);
        for bytes in noise(8 << 20, 77).chunks_exact(8) {
            let first = u64::from_le_bytes(bytes.try_into().unwrap());
            let one = moduli.iter().any(|n| n.may_have_exponent(first));
            assert!(!one || all.may_begin_with(first));
            each += usize::from(one);
            more += usize::from(all.may_begin_with(first) && !one);
        }
        assert!(each > 0 && more * 4 <= each + 4, "{each} and {more}");
        assert!(!Exponents::default().may_begin_with(0));
    }

    #[test]
    fn small_divisors_are_told_of_numbers_of_any_length() {
        for (i, &prime) in PRIMES.iter().copied().flatten().enumerate() {
            for len in [1, 2, 16, 64, LONGEST] {
                let cofactor = to_number(&[u64::MAX, 3][..(len - 1).min(1)]);
                let high = Number::power_of_two(64 * len as u32 - 12).plus(&cofactor);
                let (_, rest) = high.div_rem(&Number::from(prime)).unwrap();
                let multiple = of_number(&high.minus(&rest).unwrap()).to_vec();
                assert!(has_small_divisor(&multiple), "{i} {len}");
            }
        }
        // 2^127 - 1 is a prime.
        assert!(!has_small_divisor(&[u64::MAX, u64::MAX >> 1]));
    }

    #[test]
    fn a_quotient_is_the_same_as_by_long_division() {
        // Products of any odd numbers of the right size divide, whatever their limbs.
        for (len, seed) in [(1, 1), (2, 2), (8, 3), (16, 4), (33, 5), (64, 6)] {
            for round in 0..50 {
                let of = |by: u64| {
                    let bytes = noise(8 * len, 1000 * seed + 10 * round + by);
                    let mut limbs: Vec<u64> =
                        bytes.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
                    let fill = if round % 3 == 0 { u64::MAX } else { 0 };
                    limbs.iter_mut().skip(1).step_by(2).filter(|_| round % 2 == 0).for_each(|limb| *limb = fill);
                    limbs[0] |= 1;
                    limbs[len - 1] |= 3 << 62;
                    limbs
                };
                let (a, b) = (of(1), of(2));
                let n = Dividend::new(&to_number(&a).times(&to_number(&b)), &Number::from(3)).unwrap();
                assert!(n.may_be_divided_by(&Divisor::new(&a).unwrap()), "{len} {round}");
                assert!(n.may_be_divided_by(&Divisor::new(&b).unwrap()), "{len} {round}");
                if len > 1 && a != of(3) && b != of(3) {
                    assert!(!n.may_be_divided_by(&Divisor::new(&of(3)).unwrap()), "{len} {round}");
                }
            }
        }
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
        assert!(Divisor::new(&[]).is_none() && Divisor::new(&[2]).is_none() && Divisor::new(&[1; 65]).is_none());
        assert!(!n.may_be_divided_by(&Divisor::new(&[1, 2, 3]).unwrap()));
    }
}
