//! Public keys of many guessed private keys at once: the generator of a group times each of them.
//!
//! Each multiple is a sum of points out of a table, and the divisions of a batch are made together ([`super::fixed_base`]).
//! The multiplications take no care that their time does not depend on the scalar: who can measure it holds the dump.
//!
//! What each costs on one core of a 2-core EPYC, beside the multiplication of the curve's crate: see `benches/curves.rs`.

use std::fmt;

use curve25519_dalek::scalar::clamp_integer;
use curve25519_dalek::{EdwardsPoint, Scalar};
use elliptic_curve::CurveGroup as _;
use elliptic_curve::bigint::Encoding as _;
use elliptic_curve::ff::PrimeField as _;
use elliptic_curve::ops::MulByGeneratorVartime as _;
use elliptic_curve::point::AffineCoordinates as _;
use elliptic_curve::{CurveArithmetic, FieldBytes};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::curve25519_base;
use super::ec::Curve;
use super::fixed_base::{self, Based};

/// Fewer are multiplied one by one: a batch of them would divide for each place in a number as often as it adds.
const FEW: usize = 6;

/// A group whose keys are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// One of the curves of SEC 1.
    Sec1(Curve),
    /// Signing with Curve25519.
    Ed25519,
    /// Key agreement with Curve25519.
    X25519,
}

impl Group {
    /// Every group, the cheapest first.
    pub const ALL: [Self; 6] = [
        Self::X25519,
        Self::Ed25519,
        Self::Sec1(Curve::K256),
        Self::Sec1(Curve::P256),
        Self::Sec1(Curve::P384),
        Self::Sec1(Curve::P521),
    ];

    /// Those of Curve25519.
    pub const CURVE25519: [Self; 2] = [Self::X25519, Self::Ed25519];

    /// Bytes of a private key, and of the number that tells public keys apart.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Sec1(curve) => curve.size(),
            _ => 32,
        }
    }

    /// Of a public key, the bytes that tell it apart: x, most significant byte first, of `04 X Y`; all of it for Curve25519.
    #[must_use]
    pub fn name_of(self, public: &[u8]) -> Option<Name> {
        match self {
            Self::Sec1(curve) => public.get(1..=curve.size()).map(|x| x.to_vec()),
            _ => (public.len() == 32).then(|| public.to_vec()),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sec1(curve) => curve.name(),
            Self::Ed25519 => "Ed25519",
            Self::X25519 => "X25519",
        })
    }
}

/// What tells a public key of a group from others; two points of one x are one key and its negative.
pub type Name = Vec<u8>;

/// What a guessed private key of Ed25519 may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdwardsForm {
    /// The 32 bytes that everything follows from.
    Seed,
    /// The lower half of the seed's hash, as RFC 8032 clamps it, or what it is modulo the order of the group.
    Scalar,
}

/// The names of the public keys of `scalars`, numbers most significant byte first and of the curve's length. `None` for what
/// is zero or not below the order of the group.
#[must_use]
pub fn sec1(curve: Curve, scalars: &[&[u8]]) -> Vec<Option<Name>> {
    match curve {
        Curve::P256 => names::<p256::NistP256>(scalars),
        Curve::P384 => names::<p384::NistP384>(scalars),
        Curve::P521 => names::<p521::NistP521>(scalars),
        Curve::K256 => names::<k256::Secp256k1>(scalars),
    }
}

/// The same by the multiplication of the curve's crate, many times as slow.
#[must_use]
pub fn sec1_one_by_one(curve: Curve, scalars: &[&[u8]]) -> Vec<Option<Name>> {
    match curve {
        Curve::P256 => one_by_one::<p256::NistP256>(scalars),
        Curve::P384 => one_by_one::<p384::NistP384>(scalars),
        Curve::P521 => one_by_one::<p521::NistP521>(scalars),
        Curve::K256 => one_by_one::<k256::Secp256k1>(scalars),
    }
}

fn names<C: Based>(scalars: &[&[u8]]) -> Vec<Option<Name>> {
    let order = C::ORDER.as_ref().to_be_bytes();
    let len = FieldBytes::<C>::default().len();
    let order = order.as_ref().get(order.as_ref().len().saturating_sub(len)..).unwrap_or_default();
    let is_valid = |bytes: &[u8]| bytes.len() == len && bytes < order && bytes.iter().any(|b| *b != 0);
    let valid: Vec<bool> = scalars.iter().map(|bytes| is_valid(bytes)).collect();
    let given: Vec<&[u8]> = scalars.iter().zip(&valid).filter(|(_, valid)| **valid).map(|(bytes, _)| *bytes).collect();
    let xs = (given.len() >= FEW).then(|| fixed_base::xs::<C>(&given)).flatten();
    let Some(mut xs) = xs.map(Vec::into_iter) else { return one_by_one::<C>(scalars) };
    valid.iter().map(|valid| valid.then(|| xs.next()).flatten()).collect()
}

fn one_by_one<C: CurveArithmetic>(scalars: &[&[u8]]) -> Vec<Option<Name>> {
    let valid = |bytes: &[u8]| {
        let scalar = Option::<C::Scalar>::from(C::Scalar::from_repr(FieldBytes::<C>::try_from(bytes).ok()?))?;
        (scalar != C::Scalar::default()).then_some(scalar)
    };
    let name = |scalar: C::Scalar| C::ProjectivePoint::mul_by_generator_vartime(&scalar).to_affine().x().to_vec();
    scalars.iter().map(|bytes| valid(bytes).map(name)).collect()
}

/// The public keys of Ed25519 that follow from `secrets`.
#[must_use]
pub fn ed25519(form: EdwardsForm, secrets: &[[u8; 32]]) -> Vec<Name> {
    let scalars = scalars(secrets, |secret| edwards_scalar(form, secret));
    let points = (scalars.len() >= FEW).then(|| curve25519_base::ed25519(&scalars)).flatten();
    or_one_by_one(points, &scalars, |scalar| EdwardsPoint::mul_base(scalar).compress().to_bytes())
}

/// The same by the multiplication of the curve's crate.
#[must_use]
pub fn ed25519_one_by_one(form: EdwardsForm, secrets: &[[u8; 32]]) -> Vec<Name> {
    let scalars = scalars(secrets, |secret| edwards_scalar(form, secret));
    or_one_by_one(None, &scalars, |scalar| EdwardsPoint::mul_base(scalar).compress().to_bytes())
}

/// The public keys of X25519 that follow from `secrets`, clamped or not.
#[must_use]
pub fn x25519(secrets: &[[u8; 32]]) -> Vec<Name> {
    let scalars = scalars(secrets, |secret| Scalar::from_bytes_mod_order(clamp_integer(*secret)));
    let points = (scalars.len() >= FEW).then(|| curve25519_base::x25519(&scalars)).flatten();
    or_one_by_one(points, &scalars, |scalar| EdwardsPoint::mul_base(scalar).to_montgomery().to_bytes())
}

/// The same by the multiplication of the curve's crate.
#[must_use]
pub fn x25519_one_by_one(secrets: &[[u8; 32]]) -> Vec<Name> {
    secrets.iter().map(|secret| EdwardsPoint::mul_base_clamped(*secret).to_montgomery().to_bytes().to_vec()).collect()
}

/// Numbers below the order of the base point, of which a clamped one is the same multiple as its remainder.
fn scalars(secrets: &[[u8; 32]], scalar: impl Fn(&[u8; 32]) -> Scalar) -> Zeroizing<Vec<Scalar>> {
    Zeroizing::new(secrets.iter().map(scalar).collect())
}

fn edwards_scalar(form: EdwardsForm, secret: &[u8; 32]) -> Scalar {
    match form {
        EdwardsForm::Seed => {
            let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(secret)));
            Scalar::from_bytes_mod_order(clamp_integer(hash.first_chunk().copied().unwrap_or_default()))
        }
        EdwardsForm::Scalar => Scalar::from_bytes_mod_order(*secret),
    }
}

/// The batch's points, and where it has none what the curve's crate says.
fn or_one_by_one(
    points: Option<Vec<Option<[u8; 32]>>>,
    scalars: &[Scalar],
    one: impl Fn(&Scalar) -> [u8; 32],
) -> Vec<Name> {
    let points = points.unwrap_or_else(|| vec![None; scalars.len()]);
    points.into_iter().zip(scalars).map(|(point, scalar)| point.unwrap_or_else(|| one(scalar)).to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::edwards;
    use crate::keys::number::Number;
    use crate::keys::testing::noise;
    use elliptic_curve::Curve as _;

    fn arrays(count: usize, seed: u64) -> Vec<[u8; 32]> {
        noise(32 * count, seed).as_chunks().0.to_vec()
    }

    /// Numbers around the order of the group, and those that a table of bytes may get wrong.
    fn edges(curve: Curve) -> Vec<Vec<u8>> {
        let (len, order) = (curve.size(), order(curve));
        let mut edges: Vec<Vec<u8>> = (0..len)
            .flat_map(|at| {
                let alone = |byte: u8| (0..len).map(|i| if i == at { byte } else { 0 }).collect();
                let without = |byte: u8| (0..len).map(|i| if i >= at { byte } else { 0 }).collect();
                let stripes = |byte: u8| (0..len).map(|i| if i % (at + 2) == 1 { byte } else { 0 }).collect();
                [alone(1), alone(0x80), alone(0xff), without(1), without(0xff), stripes(0xff), stripes(1)]
            })
            .collect();
        edges.extend([vec![0; len], vec![0xff; len], [&[0x7f][..], &vec![0xff; len - 1]].concat()]);
        let two = Number::from_be(&[2]);
        for off in 0..4 {
            let off = Number::from_be(&[off]);
            let half = order.div_rem(&two).unwrap().0;
            edges.extend([&order, &half].map(|n| padded(&n.plus(&off), len)));
            edges.extend([&order, &half].map(|n| padded(&n.minus(&off).unwrap(), len)));
        }
        edges
    }

    fn order(curve: Curve) -> Number {
        match curve {
            Curve::P256 => Number::from_be(p256::NistP256::ORDER.to_be_bytes().as_ref()),
            Curve::P384 => Number::from_be(p384::NistP384::ORDER.to_be_bytes().as_ref()),
            Curve::P521 => Number::from_be(p521::NistP521::ORDER.to_be_bytes().as_ref()),
            Curve::K256 => Number::from_be(k256::Secp256k1::ORDER.to_be_bytes().as_ref()),
        }
    }

    /// Whether what the test compares comes from the tables, and not from the crate twice.
    fn fixed_base_answers(curve: Curve, scalars: &[&[u8]]) -> bool {
        let valid: Vec<&[u8]> = scalars.iter().copied().filter(|scalar| curve.point(scalar).is_some()).collect();
        let xs = match curve {
            Curve::P256 => fixed_base::xs::<p256::NistP256>(&valid),
            Curve::P384 => fixed_base::xs::<p384::NistP384>(&valid),
            Curve::P521 => fixed_base::xs::<p521::NistP521>(&valid),
            Curve::K256 => fixed_base::xs::<k256::Secp256k1>(&valid),
        };
        xs.is_some_and(|xs| xs.len() == valid.len())
    }

    fn padded(number: &Number, len: usize) -> Vec<u8> {
        let bytes = number.to_be();
        [vec![0; len - bytes.len()], bytes].concat()
    }

    #[test]
    fn batches_equal_the_curves_own_multiplication() {
        for curve in Curve::ALL {
            let len = curve.size();
            let mut scalars: Vec<Vec<u8>> = (0..200).map(|i| noise(len, i + 1)).collect();
            if curve == Curve::P521 {
                scalars.iter_mut().for_each(|scalar| scalar[0] &= 1);
            }
            scalars.extend(edges(curve));
            let slices: Vec<&[u8]> = scalars.iter().map(Vec::as_slice).collect();
            let (ours, theirs) = (sec1(curve, &slices), sec1_one_by_one(curve, &slices));
            assert!(ours == theirs && ours.iter().filter(|name| name.is_none()).count() >= 3);
            assert!(fixed_base_answers(curve, &slices));
            for (scalar, name) in slices.iter().zip(&ours) {
                let one = curve.point(scalar).and_then(|point| Group::Sec1(curve).name_of(&point));
                assert_eq!(*name, one);
                assert_eq!(sec1(curve, &[scalar]), [one]);
            }
            assert_eq!(sec1(curve, &[&[1, 2, 3]]), [None]);
            assert!(sec1(curve, &[]).is_empty());
        }
    }

    #[test]
    fn batches_of_curve25519_equal_the_crates_own_multiplication() {
        let mut secrets = arrays(300, 4);
        let order: [u8; 32] = (-Scalar::ONE).to_bytes();
        secrets.extend([[0; 32], [1; 32], [0xff; 32], order]);
        for at in 0..32 {
            for byte in [1, 8, 0x40, 0x80, 0xff] {
                secrets.push(std::array::from_fn(|i| if i == at { byte } else { 0 }));
                secrets.push(std::array::from_fn(|i| if i >= at { byte } else { 0 }));
                secrets.push(std::array::from_fn(|i| if i == at { order[i] ^ byte } else { order[i] }));
            }
        }
        // The order itself is no multiple at all.
        secrets.extend([1, 2].map(|more| std::array::from_fn(|i| if i == 0 { order[0] + more } else { order[i] })));
        assert_eq!(x25519(&secrets), x25519_one_by_one(&secrets));
        for form in [EdwardsForm::Seed, EdwardsForm::Scalar] {
            assert_eq!(ed25519(form, &secrets), ed25519_one_by_one(form, &secrets));
        }
        let scalars = scalars(&secrets, |secret| Scalar::from_bytes_mod_order(clamp_integer(*secret)));
        for answer in [curve25519_base::x25519(&scalars), curve25519_base::ed25519(&scalars)] {
            assert!(answer.unwrap().iter().all(Option::is_some), "tables answer, and not the crate twice");
        }
        assert!(x25519(&[]).is_empty() && ed25519(EdwardsForm::Seed, &[]).is_empty());
    }

    #[test]
    fn batches_of_curve25519_equal_keys_made_one_by_one() {
        let secrets = arrays(40, 3);
        let (seeds, agreed) = (ed25519(EdwardsForm::Seed, &secrets), x25519(&secrets));
        for ((secret, seed), agreed) in secrets.iter().zip(&seeds).zip(&agreed) {
            let ours = ed25519_dalek::SigningKey::from_bytes(secret).verifying_key().to_bytes();
            assert_eq!(ours[..], seed[..]);
            assert!(edwards::x25519_key(secret, Some(agreed)).unwrap().evidence == crate::finding::Evidence::Proven);
        }
        let clamped = |secret: &[u8; 32]| {
            let hash: [u8; 64] = Sha512::digest(secret).into();
            curve25519_dalek::scalar::clamp_integer(*hash.first_chunk().unwrap())
        };
        let scalars: Vec<[u8; 32]> = secrets.iter().map(clamped).collect();
        let reduced: Vec<[u8; 32]> =
            scalars.iter().map(|scalar| Scalar::from_bytes_mod_order(*scalar).to_bytes()).collect();
        assert_eq!(ed25519(EdwardsForm::Scalar, &scalars), seeds);
        assert_eq!(ed25519(EdwardsForm::Scalar, &reduced), seeds);
    }
}
