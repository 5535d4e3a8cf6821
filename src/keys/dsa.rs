//! Keys whose public half is y = g^x (mod p): DSA and Diffie-Hellman.
//!
//! A DSA key has q besides, which divides p - 1 and is the order of g: that p, q and g belong together can be checked
//! without y. What is secret is x; the key is known by it, in the form in which PKCS#8 holds it, so that a blob, a PKCS#8
//! structure and OpenSSL's own are one finding.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Encode as _, Tag};
use sha2::{Digest as _, Sha256};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::FoundKey;
use super::fragment::looks_random;
use super::number::Number;
use crate::finding::{Evidence, Piece, PublicIdentity};
use crate::vault::{Identity, Part, PartKind, Secret, SecretBytes};

/// The rule of keys of other algorithms than RSA and curves.
pub const RULE: &str = "private-key";
/// id-dsa of RFC 3279.
pub const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// Bits of p. Windows makes up to 4096; a power of that size takes a tenth of a second.
const PRIME_BITS: std::ops::RangeInclusive<u32> = 512..=4096;
/// Bits of q.
const ORDER_BITS: std::ops::RangeInclusive<u32> = 160..=512;
/// Bits of x that an accident of numbers does not have.
const LEAST_SECRET: u32 = 65;

/// The numbers of a key.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Modulus.
    pub p: Number,
    /// Order of g: there for DSA, for Diffie-Hellman only in some formats.
    pub q: Option<Number>,
    /// Generator.
    pub g: Number,
    /// Public number, where the format holds it.
    pub y: Option<Number>,
    /// Private number.
    pub x: Number,
}

/// The DSA key of these numbers: proven by y, parsed where only p, q and g fit together, `None` where they do not.
#[must_use]
pub fn dsa_key(numbers: &Numbers) -> Option<FoundKey> {
    let Numbers { p, q: Some(q), g, .. } = numbers else { return None };
    if !ORDER_BITS.contains(&q.bits()) || numbers.x >= *q || !numbers.are_sane() {
        return None;
    }
    let own = g.pow_mod(&numbers.x, p)?;
    // y proves everything; without it, or beside another one, a g of order q is what tells the key from noise.
    let proven = numbers.y.as_ref() == Some(&own);
    let belong_together = || Some(p.minus_one()?.is_multiple_of(q) && g.pow_mod(q, p)?.is_one());
    if !proven && belong_together() != Some(true) {
        return None;
    }
    let spki = spki_sha256(p, q, g, &own);
    found(numbers, "DSA", proven, spki)
}

/// The Diffie-Hellman key of these numbers: proven by y; parsed where there is none, or another key's.
#[must_use]
pub fn dh_key(numbers: &Numbers) -> Option<FoundKey> {
    if !numbers.are_sane() || numbers.x >= numbers.p {
        return None;
    }
    let Numbers { p, g, y, x, .. } = numbers;
    let proven = y.is_some() && g.pow_mod(x, p) == *y;
    found(numbers, "DH", proven, None)
}

/// The key of numbers of which somebody has already computed that y = g^x: with q one of DSA, without of Diffie-Hellman.
#[must_use]
pub fn proven_key(numbers: &Numbers) -> Option<FoundKey> {
    let Numbers { p, q, g, y, .. } = numbers;
    match q {
        Some(q) => found(numbers, "DSA", true, spki_sha256(p, q, g, y.as_ref()?)),
        None => found(numbers, "DH", true, None),
    }
}

impl Numbers {
    /// Whether the numbers have the sizes of a key's; costs nothing.
    fn are_sane(&self) -> bool {
        let Self { p, g, y, x, .. } = self;
        let inside = |number: &Number| number.bits() > 1 && number < p;
        PRIME_BITS.contains(&p.bits())
            && p.bits().is_multiple_of(8)
            && p.is_odd()
            && inside(g)
            && y.as_ref().is_none_or(inside)
            && x.bits() >= LEAST_SECRET
    }
}

fn found(numbers: &Numbers, algorithm: &str, proven: bool, spki: Option<[u8; 32]>) -> Option<FoundKey> {
    let x = SecretBytes::new(numbers.x.to_be());
    if !proven && !looks_random(x.expose()) {
        return None;
    }
    let der = SecretBytes::new(UintRef::new(x.expose()).ok()?.to_der().ok()?);
    let identity = Identity::of_bytes(der.expose());
    let parts = vec![
        Part { piece: Piece::Whole, kind: PartKind::Bytes, bytes: der },
        Part { piece: Piece::D, kind: PartKind::Number, bytes: x },
    ];
    let kind = format!("{algorithm}-{}", numbers.p.bits());
    let public =
        PublicIdentity { kind, spki_sha256: spki.as_ref().map(|s| super::hex(s)), ..PublicIdentity::default() };
    let evidence = if proven { Evidence::Proven } else { Evidence::Parsed };
    Some(FoundKey { rule: RULE, evidence, severity: None, public, secret: Secret::known_by(identity, parts) })
}

/// SHA-256 of the SubjectPublicKeyInfo of RFC 3279, section 2.3.2.
fn spki_sha256(p: &Number, q: &Number, g: &Number, y: &Number) -> Option<[u8; 32]> {
    let integer = |number: &Number| UintRef::new(&number.to_be()).ok()?.to_der().ok();
    let group = [integer(p)?, integer(q)?, integer(g)?].concat();
    let parameters = Some(AnyRef::new(Tag::Sequence, &group).ok()?);
    let algorithm = AlgorithmIdentifierRef { oid: DSA, parameters };
    let key = integer(y)?;
    let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(&key).ok()? };
    Some(Sha256::digest(spki.to_der().ok()?).into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::keys::exponent::is_probable_prime;
    use crate::keys::testing::{noise, rsa_key};
    use ::rsa::traits::PrivateKeyParts as _;

    /// A fresh key: q is a prime of 160 bits or more, p = k*q + 1 a prime, g of order q.
    pub(crate) fn fresh(p_bits: usize, q_bits: usize) -> Numbers {
        let number = |bits: usize, seed: u64| {
            let mut bytes = noise(bits / 8, seed ^ rand::random::<u64>());
            bytes[0] |= 0x80;
            Number::from_be(&bytes)
        };
        let q = match q_bits {
            160 => Number::from_be(&[0xff; 20]).minus(&Number::from(46)).unwrap(),
            _ => Number::from_be(&rsa_key(2 * q_bits).primes()[0].to_be_bytes()),
        };
        assert!(is_probable_prime(&q));
        let two_q = q.times(&Number::from(2));
        let p = (1..).map(|seed| {
            let start = number(p_bits, seed);
            let multiple = start.minus(&start.rem(&two_q).unwrap()).unwrap();
            multiple.plus(&Number::from(1))
        });
        let p = p.into_iter().find(|p| p.bits() as usize == p_bits && is_probable_prime(p)).unwrap();
        let cofactor = p.minus_one().unwrap().div_rem(&q).unwrap().0;
        let g = Number::from(2).pow_mod(&cofactor, &p).unwrap();
        let x = number(q_bits, 9).rem(&q).unwrap();
        let y = g.pow_mod(&x, &p);
        Numbers { p, q: Some(q), g, y, x }
    }

    #[test]
    fn a_key_is_proven_by_its_public_number_and_parsed_without() {
        for (p_bits, q_bits) in [(512, 160), (1024, 160), (1024, 256)] {
            let key = fresh(p_bits, q_bits);
            let proven = dsa_key(&key).unwrap();
            assert_eq!((proven.evidence, proven.public.kind.clone()), (Evidence::Proven, format!("DSA-{p_bits}")));
            let alone = dsa_key(&Numbers { y: None, ..key.clone() }).unwrap();
            assert_eq!((alone.evidence, alone.public.spki_sha256), (Evidence::Parsed, proven.public.spki_sha256));
            assert_eq!(alone.secret.identity(), proven.secret.identity());
            let dh = dh_key(&Numbers { q: None, ..key.clone() }).unwrap();
            assert_eq!((dh.evidence, dh.public.kind), (Evidence::Proven, format!("DH-{p_bits}")));
        }
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_no_key() {
        let key = fresh(512, 160);
        let one = Number::from(1);
        let other = |change: &dyn Fn(&mut Numbers)| {
            let mut key = key.clone();
            change(&mut key);
            dsa_key(&key).map(|key| key.evidence)
        };
        assert_eq!(other(&|k| k.p = k.p.plus(&Number::from(2))), None);
        assert_eq!(other(&|k| k.g = k.g.plus(&one)), None);
        assert_eq!(other(&|k| k.x = one.clone()), None);
        assert_eq!(other(&|k| k.x = k.q.clone().unwrap()), None);
        assert_eq!(other(&|k| k.q = None), None);
        assert_eq!(other(&|k| k.y = Some(k.g.clone())), Some(Evidence::Parsed));
        let zero = Number::from(0);
        let nothing = Numbers { p: zero.clone(), q: Some(zero.clone()), g: zero.clone(), y: None, x: zero };
        assert!(dsa_key(&nothing).is_none() && dh_key(&nothing).is_none());
    }
}
