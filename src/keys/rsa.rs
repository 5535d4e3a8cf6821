//! RSA keys from their numbers: whatever was found, all the rest is derived and the whole is proven.

use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Encode as _, Tag};
use pkcs1::{RsaPrivateKeyRef, RsaPublicKeyRef};
use sha2::{Digest as _, Sha256};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::FoundKey;
use super::number::Number;
use super::public::ssh_rsa;
use crate::finding::{Evidence, Piece, PublicIdentity};
use crate::vault::{Part, PartKind, Secret, SecretBytes};

/// The rule of RSA private keys.
pub const RULE: &str = "rsa-private-key";
/// Sizes of a modulus that count as a key, in bits. Below 512 an accident of numbers is not out of the question.
pub const MODULUS_BITS: std::ops::RangeInclusive<u32> = 512..=16384;
/// Bits of a public exponent: every library that is known limits it to 64 or fewer.
const EXPONENT_BITS: u32 = 64;

/// All numbers of a key of two primes. `d` is kept as it was found: modulo (p-1)(q-1) or modulo their least common multiple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaNumbers {
    /// Modulus.
    pub n: Number,
    /// Public exponent.
    pub e: Number,
    /// Private exponent.
    pub d: Number,
    /// First prime.
    pub p: Number,
    /// Second prime.
    pub q: Number,
    /// d mod (p - 1)
    pub dp: Number,
    /// d mod (q - 1)
    pub dq: Number,
    /// q^-1 mod p
    pub qinv: Number,
}

impl RsaNumbers {
    /// Derives every number from the primes and the public exponent; `d` is the private exponent as it was found, if it was.
    /// `None` where the sizes are those of no key or the inverses do not exist.
    #[must_use]
    pub fn from_primes(p: Number, q: Number, e: Number, d: Option<Number>) -> Option<Self> {
        let n = p.times(&q);
        if !MODULUS_BITS.contains(&n.bits()) || p == q || e.bits() > EXPONENT_BITS {
            return None;
        }
        let (p1, q1) = (p.minus_one()?, q.minus_one()?);
        let (dp, dq) = (e.inverse(&p1)?, e.inverse(&q1)?);
        let d = match d {
            Some(d) => d,
            None => e.inverse(&p1.times(&q1).div_rem(&p1.gcd(&q1))?.0)?,
        };
        let qinv = q.inverse(&p)?;
        Some(Self { n, e, d, p, q, dp, dq, qinv })
    }

    /// The key whose n, e, d, p, q (and three more) were found, everything but d derived anew. `None` where n is not p*q.
    #[must_use]
    pub fn from_found(numbers: &[Number; 8]) -> Option<Self> {
        let [n, e, d, p, q, ..] = numbers;
        if p.times(q) != *n {
            return None;
        }
        Self::from_primes(p.clone(), q.clone(), e.clone(), Some(d.clone()))
    }

    /// Whether n = p*q and e*d = 1 modulo p-1 and modulo q-1: random numbers fulfil that with a chance below 2^-500.
    #[must_use]
    pub fn prove(&self) -> bool {
        let inverts = |prime: &Number| {
            let order = prime.minus_one()?;
            Some(self.e.times(&self.d).rem(&order)?.is_one())
        };
        let sane = is_public_key(&self.n, &self.e)
            && self.d.bits() <= self.n.bits()
            && self.p.bits().min(self.q.bits()) >= 128
            && self.p != self.q;
        sane && self.p.times(&self.q) == self.n && [&self.p, &self.q].into_iter().all(|p| inverts(p) == Some(true))
    }

    /// The key, with every private number to search for. `None` only where the numbers are too long for DER.
    #[must_use]
    pub fn into_found(self, evidence: Evidence) -> Option<FoundKey> {
        let spki = spki_sha256(&self.n.to_be(), &self.e.to_be())?;
        let kind = format!("RSA-{}", self.n.bits());
        let ssh_fingerprint = Some(ssh_rsa(&self.n.to_be(), &self.e.to_be()));
        let spki_sha256 = Some(super::hex(&spki));
        let public = PublicIdentity { kind, spki_sha256, ssh_fingerprint, ..PublicIdentity::default() };
        let secret = Secret::key_pair(&spki, self.parts()?);
        Some(FoundKey { rule: RULE, evidence, severity: None, public, secret })
    }

    /// PKCS#1's DER of it.
    fn to_der(&self) -> Option<SecretBytes> {
        let all = [&self.n, &self.e, &self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qinv];
        let bytes = all.map(|number| SecretBytes::new(number.to_be()));
        let [n, e, d, p, q, dp, dq, qinv] = bytes.each_ref().map(|b| UintRef::new(b.expose()).ok());
        let der = RsaPrivateKeyRef {
            modulus: n?,
            public_exponent: e?,
            private_exponent: d?,
            prime1: p?,
            prime2: q?,
            exponent1: dp?,
            exponent2: dq?,
            coefficient: qinv?,
            other_prime_infos: None,
        };
        der.to_der().ok().map(SecretBytes::new)
    }

    fn parts(&self) -> Option<Vec<Part>> {
        let mut parts = vec![Part { piece: Piece::Whole, kind: PartKind::Bytes, bytes: self.to_der()? }];
        let mut add = |piece, number: &Number| {
            parts.push(Part { piece, kind: PartKind::Number, bytes: SecretBytes::new(number.to_be()) });
        };
        add(Piece::P, &self.p);
        add(Piece::Q, &self.q);
        add(Piece::D, &self.d);
        add(Piece::Dp, &self.dp);
        add(Piece::Dq, &self.dq);
        add(Piece::Qinv, &self.qinv);
        self.derived().iter().for_each(|(piece, number)| add(*piece, number));
        Some(parts)
    }
}

/// Whether the two have the sizes and the oddness of a public key.
#[must_use]
pub fn is_public_key(modulus: &Number, exponent: &Number) -> bool {
    let sizes = MODULUS_BITS.contains(&modulus.bits()) && (2..=EXPONENT_BITS).contains(&exponent.bits());
    sizes && modulus.is_odd() && exponent.is_odd()
}

/// SHA-256 of the SubjectPublicKeyInfo, as `openssl pkey -pubout -outform DER | sha256sum` prints it. Both numbers are
/// most significant byte first.
#[must_use]
pub fn spki_sha256(modulus: &[u8], exponent: &[u8]) -> Option<[u8; 32]> {
    let (modulus, public_exponent) = (UintRef::new(modulus).ok()?, UintRef::new(exponent).ok()?);
    let key = RsaPublicKeyRef { modulus, public_exponent }.to_der().ok()?;
    let null = AnyRef::new(Tag::Null, &[]).ok()?;
    let algorithm = AlgorithmIdentifierRef { oid: pkcs1::ALGORITHM_OID, parameters: Some(null) };
    let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(&key).ok()? };
    Some(Sha256::digest(spki.to_der().ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::rsa_key;
    use ::rsa::traits::PrivateKeyParts as _;

    fn primes() -> (Number, Number) {
        let key = rsa_key(512);
        let [p, q] = key.primes() else { panic!() };
        (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()))
    }

    #[test]
    fn all_numbers_follow_from_the_primes_and_either_private_exponent_is_kept() {
        let (p, q) = primes();
        let e = Number::from(65537);
        let least = RsaNumbers::from_primes(p.clone(), q.clone(), e.clone(), None).unwrap();
        let order = p.minus_one().unwrap().times(&q.minus_one().unwrap());
        let full = RsaNumbers::from_primes(p, q, e.clone(), e.inverse(&order)).unwrap();
        assert!(least.prove() && full.prove());
        let exponents = |key: RsaNumbers| {
            let found = key.into_found(Evidence::Proven).unwrap();
            let parts = found.secret.parts().iter().filter(|part| [Piece::D, Piece::OtherD].contains(&part.piece));
            parts.map(|part| part.bytes.expose().to_vec()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(exponents(least), exponents(full));
    }

    #[test]
    fn numbers_that_do_not_fit_prove_nothing() {
        let (p, q) = primes();
        let key = RsaNumbers::from_primes(p.clone(), q.clone(), Number::from(65537), None).unwrap();
        let other_d = RsaNumbers { d: key.d.plus(&Number::from(2)), ..key.clone() };
        let other_n = RsaNumbers { n: key.n.plus(&Number::from(2)), ..key };
        assert!(!other_d.prove() && !other_n.prove());
        assert!(RsaNumbers::from_primes(p.clone(), p.clone(), Number::from(65537), None).is_none());
        assert!(RsaNumbers::from_primes(p.clone(), q.clone(), Number::from(0), None).is_none());
        assert!(RsaNumbers::from_primes(p, q, Number::from(2), None).is_none());
        let zero = || Number::from(0);
        assert!(RsaNumbers::from_primes(zero(), zero(), zero(), Some(zero())).is_none());
    }
}
