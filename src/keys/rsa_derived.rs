//! Numbers that follow from a private RSA key and give it away: what libraries keep beside the primes, and what programs
//! compute on the way to a key.
//!
//! One of them alone is as good as the key: `gcd(R^2 - RR_p, n)` is p, and phi gives p + q. A copy
//! of the primes can be wiped while its neighbour R^2 mod p is not, which is what nginx and the CNG of Windows leave behind.

use super::number::Number;
use super::rsa::RsaNumbers;
use crate::finding::Piece;

/// Widths of a limb in bits, which decide what R is: 32 and 64 for most libraries; SymCrypt counts in digits of 512.
const LIMBS: [u32; 3] = [32, 64, 512];

impl RsaNumbers {
    /// Everything that follows from the key and is not among its eight numbers.
    #[must_use]
    pub fn derived(&self) -> Vec<(Piece, Number)> {
        let mut derived = Vec::new();
        let mut add = |piece, number: Option<Number>| {
            let new =
                |number: &Number| !derived.iter().any(|known: &(Piece, Number)| known == &(piece, number.clone()));
            if let Some(number) = number.filter(new) {
                derived.push((piece, number));
            }
        };
        // Which of the primes is called p is not always to be seen, and SymCrypt keeps both inverses.
        let pinv = self.p.inverse(&self.q);
        add(Piece::Qinv, pinv.clone());
        for limb in LIMBS {
            add(Piece::RrP, square_of_r(&self.p, limb));
            add(Piece::RrQ, square_of_r(&self.q, limb));
            add(Piece::QinvMont, self.qinv.times(&r(&self.p, limb)).rem(&self.p));
            add(Piece::QinvMont, pinv.as_ref().and_then(|pinv| pinv.times(&r(&self.q, limb)).rem(&self.q)));
        }
        // Whatever the width, these are the low bytes; the others are all ones, which memory is full of.
        add(Piece::NegP, r(&self.p, 8).minus(&self.p));
        add(Piece::NegQ, r(&self.q, 8).minus(&self.q));
        add(Piece::PMinus1, self.p.minus_one());
        add(Piece::QMinus1, self.q.minus_one());
        // The upper half of phi = n - (p + q - 1) is that of n, which is public and in every certificate.
        let secret = self.p.bits().max(self.q.bits()).next_multiple_of(8) + 8;
        add(Piece::Phi, self.phi().and_then(|phi| phi.rem(&Number::power_of_two(secret))));
        add(Piece::Lambda, self.lambda());
        // OpenSSL 3 reduces d modulo the least common multiple of p-1 and q-1, most others modulo their product.
        let exponents = [self.lambda(), self.phi()].map(|order| self.e.inverse(&order?));
        exponents.into_iter().filter(|d| d.as_ref() != Some(&self.d)).for_each(|d| add(Piece::OtherD, d));
        derived
    }

    /// (p - 1)(q - 1)
    fn phi(&self) -> Option<Number> {
        Some(self.p.minus_one()?.times(&self.q.minus_one()?))
    }

    /// The least common multiple of p - 1 and q - 1.
    #[must_use]
    pub fn lambda(&self) -> Option<Number> {
        let common = self.p.minus_one()?.gcd(&self.q.minus_one()?);
        Some(self.phi()?.div_rem(&common)?.0)
    }
}

/// R, the power of two that Montgomery arithmetic modulo `prime` works with: the first of whole limbs above it.
fn r(prime: &Number, limb: u32) -> Number {
    Number::power_of_two(prime.bits().next_multiple_of(limb))
}

fn square_of_r(prime: &Number, limb: u32) -> Option<Number> {
    let r = r(prime, limb);
    r.times(&r).rem(prime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::rsa_key;
    use ::rsa::traits::PrivateKeyParts as _;

    fn key(bits: usize) -> RsaNumbers {
        let key = rsa_key(bits);
        let [p, q] = key.primes() else { panic!() };
        let (p, q) = (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()));
        RsaNumbers::from_primes(p, q, Number::from(65537), None).unwrap()
    }

    fn of(key: &RsaNumbers, piece: Piece) -> Vec<Number> {
        key.derived().into_iter().filter(|(known, _)| *known == piece).map(|(_, number)| number).collect()
    }

    #[test]
    fn each_of_them_gives_a_prime_away() {
        let key = key(1024);
        let r = Number::power_of_two(512);
        let [rr] = &of(&key, Piece::RrP)[..] else { panic!("every limb gives the same R") };
        assert_eq!(r.times(&r).minus(rr).unwrap().gcd(&key.n), key.p);
        let [neg] = &of(&key, Piece::NegQ)[..] else { panic!() };
        assert_eq!(neg.plus(&key.q), r);
        let [mont, other] = &of(&key, Piece::QinvMont)[..] else { panic!("of q modulo p, and of p modulo q") };
        assert_eq!(mont.times(&key.q).rem(&key.p), r.rem(&key.p));
        assert_eq!(other.times(&key.p).rem(&key.q), r.rem(&key.q));
        let [phi] = &of(&key, Piece::Phi)[..] else { panic!() };
        let low = |number: &Number| number.rem(&Number::power_of_two(520));
        assert_eq!(low(&phi.plus(&key.p).plus(&key.q)), low(&key.n.plus(&Number::from(1))));
        let phi = &key.p.minus_one().unwrap().times(&key.q.minus_one().unwrap());
        let [lambda] = &of(&key, Piece::Lambda)[..] else { panic!() };
        assert!(phi.is_multiple_of(lambda) && key.e.times(&key.d).rem(lambda).unwrap().is_one());
        // Half of all keys have the same exponent under both totients.
        for other in of(&key, Piece::OtherD) {
            assert!(other != key.d && key.e.times(&other).rem(phi).unwrap().is_one());
        }
    }

    #[test]
    fn limbs_that_do_not_fill_a_prime_give_more_than_one_r() {
        let key = key(1536);
        assert_eq!(of(&key, Piece::RrP).len(), 2, "2^768 and SymCrypt's 2^1024");
        assert_eq!(of(&key, Piece::PMinus1).len(), 1);
    }
}
