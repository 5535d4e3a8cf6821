//! What a private exponent tells of the primes behind it, at the price of some long divisions and no power.
//!
//! An exponent that fits satisfies `e*d = 1 + k*m` with a small `k`, so `d/m` is all but `k/e`: the first steps of Euclid's
//! algorithm on the two show it, or show within some 40 steps that there is nothing to be seen.

use std::sync::OnceLock;

use super::number::Number;

/// Exponents above this are not searched for by their divisors.
const MOST_E: u64 = 65537;
/// How many candidates for one prime are kept; a dozen is usual.
const MOST_CANDIDATES: usize = 64;
/// The greatest common divisor of p-1 and q-1 that is looked for, in bits. It exceeds 2^m with a chance of about 2^-m.
const COMMON_BITS: u32 = 40;

/// The public exponent below 2^64 with e * d = 1 (mod modulus), where there is one.
#[must_use]
pub fn small_inverse(d: &Number, modulus: &Number) -> Option<Number> {
    let (mut above, mut rest) = (modulus.clone(), d.rem(modulus)?);
    let (mut before, mut factor, mut positive) = (0_u128, 1_u128, true);
    while !rest.is_zero() {
        if rest.is_one() {
            let inverse = u64::try_from(factor).ok().filter(|&e| positive && e > 1);
            return inverse.map(Number::from);
        }
        let (quotient, next) = above.div_rem(&rest)?;
        let step = factor.checked_mul(u128::from(quotient.to_u64()?))?.checked_add(before)?;
        if step > u128::from(u64::MAX) {
            return None;
        }
        (before, factor, positive) = (factor, step, !positive);
        (above, rest) = (rest, next);
    }
    None
}

/// The primes of n, from both exponents, whether d was reduced modulo (p-1)(q-1) or modulo their least common multiple.
#[must_use]
pub fn factor(n: &Number, e: &Number, d: &Number) -> Option<(Number, Number)> {
    let product = e.times(d);
    // e*d is at least one more than the common multiple that it was reduced by: most integers are too small.
    if product.bits() + COMMON_BITS < n.bits() {
        return None;
    }
    let (_, rest) = product.div_rem(n)?;
    let (mut above, mut rest) = (n.clone(), rest);
    let (mut before, mut common) = (0_u64, 1_u64);
    // e*d*g - k*n is about k*(p+q) where g is the common divisor (or part of it), so half of its bits are missing.
    let close = n.bits() / 2 + 2 * e.bits() + 24;
    while common >> COMMON_BITS == 0 && !rest.is_zero() {
        let g = Number::from(common);
        if rest.bits() <= close.saturating_add(g.bits()) && !rest.is_one() {
            return split(n, &product, &g);
        }
        let (quotient, next) = above.div_rem(&rest)?;
        let step = common.checked_mul(quotient.to_u64()?).and_then(|step| step.checked_add(before));
        let Some(step) = step.filter(|step| step >> COMMON_BITS == 0) else { return split(n, &product, &g) };
        (before, common) = (common, step);
        (above, rest) = (rest, next);
    }
    None
}

/// n = p*q from (p-1)(q-1) = (e*d - 1) * g / k: the sum of the primes follows, then the primes.
fn split(n: &Number, product: &Number, g: &Number) -> Option<(Number, Number)> {
    let k = product.times(g).div_rem(n)?.0.plus(&Number::from(1));
    let (order, 0) = product.minus_one()?.times(g).div_rem(&k).map(|(order, rest)| (order, rest.bits()))? else {
        return None;
    };
    let sum = n.plus(&Number::from(1)).minus(&order)?;
    // Primes of which one has less than a quarter of the bits are none that anybody makes; roots are expensive.
    if sum.bits() > n.bits() / 4 * 3 + 1 {
        return None;
    }
    let root = sum.times(&sum).minus(&n.times(&Number::from(4)))?.square_root()?;
    let p = sum.plus(&root).div_rem(&Number::from(2))?.0;
    let q = sum.minus(&p)?;
    (p.times(&q) == *n).then_some((p, q))
}

/// Every number p without small factors for which `dp` could be the exponent modulo p-1: e*dp - 1 = k*(p-1) with k below e,
/// so each divisor of e*dp - 1 below e gives one.
#[must_use]
pub fn primes_of(e: &Number, dp: &Number) -> Vec<Number> {
    let Some(bound) = e.to_u64().filter(|e| (3..=MOST_E).contains(e)) else { return Vec::new() };
    let Some(multiple) = e.times(dp).minus_one() else { return Vec::new() };
    let mut divisors = divisors(&multiple, bound);
    // k is spread evenly below e, so the great ones are tried first.
    divisors.sort_unstable_by(|a, b| b.cmp(a));
    let prime = |k: &u64| {
        let p = multiple.div_rem(&Number::from(*k))?.0.plus(&Number::from(1));
        let rough = batches().iter().take(8).all(|batch| !batch.has_divisor_of(&p));
        (rough && p.is_odd()).then_some(p)
    };
    divisors.iter().filter_map(prime).take(MOST_CANDIDATES).collect()
}

/// Whether 2^(p-1) = 1 (mod p), which composite numbers of this size satisfy next to never.
#[must_use]
pub fn is_probable_prime(p: &Number) -> bool {
    let power = p.minus_one().and_then(|order| Number::from(2).pow_mod(&order, p));
    power.is_some_and(|power| power.is_one())
}

/// Whether an odd prime below 65537 divides the number: nine of ten odd ones have such a divisor.
#[must_use]
pub fn has_divisor(number: &Number) -> bool {
    let divides = |batch: &Batch| {
        let rest = number.rem_small(batch.product);
        rest.is_some_and(|rest| batch.primes.iter().any(|prime| rest.is_multiple_of(*prime)))
    };
    batches().iter().any(divides)
}

/// The divisors of `number` below `bound`, at most some thousands.
fn divisors(number: &Number, bound: u64) -> Vec<u64> {
    let mut divisors = vec![1_u64];
    let hits = batches().iter().filter_map(|batch| Some((batch, number.rem_small(batch.product)?)));
    let primes = hits.flat_map(|(batch, rest)| batch.primes.iter().copied().filter(move |prime| rest % prime == 0));
    for prime in std::iter::once(2).chain(primes).take_while(|&prime| prime < bound) {
        let mut power = prime;
        let known = divisors.len();
        while power < bound && number.rem_small(power) == Some(0) && divisors.len() < 4096 {
            let more: Vec<u64> = divisors.iter().take(known).map(|d| d * power).filter(|&d| d < bound).collect();
            divisors.extend(more);
            power *= prime;
        }
    }
    divisors
}

/// Odd primes whose product fits 64 bits: one division by the product tells the remainders of all of them.
struct Batch {
    product: u64,
    primes: Vec<u64>,
}

impl Batch {
    fn has_divisor_of(&self, number: &Number) -> bool {
        number.rem_small(self.product).is_some_and(|rest| self.primes.iter().any(|prime| rest % prime == 0))
    }
}

/// The odd primes below [`MOST_E`], in order.
fn batches() -> &'static [Batch] {
    static BATCHES: OnceLock<Vec<Batch>> = OnceLock::new();
    BATCHES.get_or_init(|| {
        let mut batches: Vec<Batch> = Vec::new();
        for prime in (3..MOST_E).step_by(2).filter(|&n| (3..).step_by(2).take_while(|d| d * d <= n).all(|d| n % d != 0))
        {
            match batches.last_mut().map(|batch| (batch.product.checked_mul(prime), batch)) {
                Some((Some(product), batch)) => {
                    batch.product = product;
                    batch.primes.push(prime);
                }
                _ => batches.push(Batch { product: prime, primes: vec![prime] }),
            }
        }
        batches
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{noise, rsa_key};
    use ::rsa::traits::PrivateKeyParts as _;

    fn primes() -> (Number, Number) {
        let key = rsa_key(1024);
        let [p, q] = key.primes() else { panic!() };
        (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()))
    }

    #[test]
    fn a_private_exponent_gives_the_primes_whatever_it_was_reduced_by() {
        for _ in 0..8 {
            let (p, q) = primes();
            let (p1, q1) = (p.minus_one().unwrap(), q.minus_one().unwrap());
            let (n, e) = (p.times(&q), Number::from(65537));
            let least = p1.times(&q1).div_rem(&p1.gcd(&q1)).unwrap().0;
            for order in [p1.times(&q1), least] {
                let (a, b) = factor(&n, &e, &e.inverse(&order).unwrap()).unwrap();
                assert!((a == p && b == q) || (a == q && b == p));
            }
        }
    }

    #[test]
    fn an_exponent_modulo_one_prime_gives_e_and_the_prime() {
        for e in [3_u64, 17, 257, 65537].map(Number::from) {
            for prime in <[Number; 2]>::from(primes()) {
                let order = prime.minus_one().unwrap();
                let Some(dp) = e.inverse(&order) else { continue };
                assert_eq!(small_inverse(&dp, &order), Some(e.clone()));
                assert!(primes_of(&e, &dp).contains(&prime));
            }
        }
    }

    #[test]
    fn noise_gives_nothing_and_no_corner_panics() {
        let (a, b) = (Number::from_be(&noise(128, 1)), Number::from_be(&noise(128, 2)));
        let e = Number::from(65537);
        assert!(small_inverse(&a, &b).is_none() && factor(&a, &e, &b).is_none());
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (3, 7)].map(|(a, b)| (Number::from(a), Number::from(b)))
        {
            let _ = (small_inverse(&a, &b), factor(&a, &b, &a), factor(&a, &e, &b), primes_of(&a, &b));
            let _ = is_probable_prime(&a);
        }
    }
}
