//! Elliptic-curve keys: the public point is computed from the private scalar, and where the point that stood beside it is
//! the same one, the key is proven.

use const_oid::ObjectIdentifier;
use der::Encode as _;
use der::asn1::{AnyRef, BitStringRef};
use elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey};
use sha2::{Digest as _, Sha256};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::FoundKey;
use super::mont_scalars;
use super::number::Number;
use super::public::ssh_ec;
use crate::finding::{Evidence, Piece, PublicIdentity};
use crate::vault::{Part, PartKind, Secret, SecretBytes};

/// The rule of elliptic-curve keys.
pub const RULE: &str = "ec-private-key";
/// NIST P-256, also secp256r1 and prime256v1.
pub const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// NIST P-384.
pub const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// NIST P-521.
pub const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
/// The curve of Bitcoin.
pub const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");

/// The algorithm of keys on curves that parameters name (RFC 5480).
pub const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// What is said of a key whose public point is another key's: the scalar or the point was overwritten.
const CONTRADICTION: &str = "the public key that stands beside it belongs to another private key";

/// The key with this private scalar, most significant byte first, on the curve with this OID. `public` is the point that
/// stood beside it, in SEC 1 form (compressed or not): where it equals scalar * G the key is proven. Where it does not, the
/// scalar may still be somebody's key, so it is told as parsed, under the public key that follows from the scalar.
/// `None` for a scalar that is zero or not below the order of the curve.
#[must_use]
pub fn ec_key(curve: ObjectIdentifier, scalar: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    match Curve::of(curve) {
        Some(curve) => curve.key(scalar, public),
        None => unknown_curve(curve_name(curve), scalar),
    }
}

/// The key of a structure that does not name its curve, as the inner structure of PKCS#8 does: the curve on which the
/// scalar yields the public key. Without a public key that fits it is only bytes.
#[must_use]
pub fn unnamed_curve(scalar: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let proven = Curve::ALL.iter().filter_map(|curve| curve.key(scalar, Some(public?)));
    let mut proven = proven.filter(|key| key.evidence == Evidence::Proven);
    proven.next().or_else(|| unknown_curve("EC".to_owned(), scalar))
}

/// A curve whose points are computed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// The curve of Bitcoin.
    K256,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::K256];

    /// The curve of this OID.
    #[must_use]
    pub fn of(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.oid() == oid)
    }

    /// Its OID.
    #[must_use]
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => P256,
            Self::P384 => P384,
            Self::P521 => P521,
            Self::K256 => SECP256K1,
        }
    }

    /// Bytes of a scalar and of a coordinate.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::P256 | Self::K256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::K256 => "secp256k1",
        }
    }

    /// scalar * G as `04 X Y`.
    #[must_use]
    pub fn point(self, scalar: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::P256 => point::<p256::NistP256>(scalar, self.size()),
            Self::P384 => point::<p384::NistP384>(scalar, self.size()),
            Self::P521 => point::<p521::NistP521>(scalar, self.size()),
            Self::K256 => point::<k256::Secp256k1>(scalar, self.size()),
        }
    }

    fn key(self, scalar: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
        let point = self.point(scalar)?;
        let spki = spki_sha256(self.oid(), &point)?;
        let fits = public.map(|public| same_point(public, &point));
        let evidence = if fits == Some(true) { Evidence::Proven } else { Evidence::Parsed };
        let context = if fits == Some(false) { vec![CONTRADICTION.to_owned()] } else { Vec::new() };
        let (kind, spki_sha256) = (self.name().to_owned(), Some(super::hex(&spki)));
        let ssh_fingerprint = ssh_ec(self.oid(), &point);
        let public = PublicIdentity { kind, spki_sha256, ssh_fingerprint, context, ..PublicIdentity::default() };
        let minimal = |bytes: &[u8]| SecretBytes::new(Number::from_be(bytes).to_be());
        let part = |piece, bytes| Part { piece, kind: PartKind::Number, bytes };
        let montgomery = mont_scalars::montgomery(self, minimal(scalar).expose());
        let forms = [Some(part(Piece::D, minimal(scalar))), montgomery.map(|form| part(Piece::DMont, minimal(&form)))];
        let secret = Secret::key_pair(&spki, forms.into_iter().flatten().collect());
        Some(FoundKey { rule: RULE, evidence, severity: None, public, secret })
    }
}

fn point<C>(scalar: &[u8], len: usize) -> Option<Vec<u8>>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let minimal = SecretBytes::new(Number::from_be(scalar).to_be());
    let mut padded = vec![0; len.checked_sub(minimal.len())?];
    padded.extend_from_slice(minimal.expose());
    let padded = SecretBytes::new(padded);
    let key = SecretKey::<C>::from_slice(padded.expose()).ok()?;
    Some(key.public_key().as_affine().to_sec1_point(false).as_bytes().to_vec())
}

/// Whether `given` (compressed `02|03 X`, plain `04 X Y` or hybrid `06|07 X Y`) is the point `04 X Y`.
fn same_point(given: &[u8], point: &[u8]) -> bool {
    let half = point.len() / 2;
    let odd = point.last().is_some_and(|y| y & 1 == 1);
    match given.first() {
        Some(4) => given == point,
        Some(6 | 7) => given.get(1..) == point.get(1..),
        Some(tag @ (2 | 3)) => (*tag == 3) == odd && given.get(1..) == point.get(1..=half),
        _ => false,
    }
}

/// The point of a public key in SEC 1 form, compressed or not, as `04 X Y`, if it lies on the curve.
#[must_use]
pub fn whole_point(curve: ObjectIdentifier, point: &[u8]) -> Option<Vec<u8>> {
    match Curve::of(curve)? {
        Curve::P256 => whole::<p256::NistP256>(point),
        Curve::P384 => whole::<p384::NistP384>(point),
        Curve::P521 => whole::<p521::NistP521>(point),
        Curve::K256 => whole::<k256::Secp256k1>(point),
    }
}

fn whole<C>(point: &[u8]) -> Option<Vec<u8>>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let key = PublicKey::<C>::from_sec1_bytes(point).ok()?;
    Some(key.as_affine().to_sec1_point(false).as_bytes().to_vec())
}

/// What people call the curve.
#[must_use]
pub fn name(curve: ObjectIdentifier) -> Option<&'static str> {
    Curve::of(curve).map(Curve::name)
}

/// SHA-256 of the SubjectPublicKeyInfo of a point on a curve with a name.
#[must_use]
pub fn spki_sha256(curve: ObjectIdentifier, point: &[u8]) -> Option<[u8; 32]> {
    let algorithm = AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(AnyRef::from(&curve)) };
    let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(point).ok()? };
    Some(Sha256::digest(spki.to_der().ok()?).into())
}

/// A scalar on a curve that is not computed here. Curves of 112 to 640 bits exist.
fn unknown_curve(kind: String, scalar: &[u8]) -> Option<FoundKey> {
    let varied = scalar.iter().collect::<std::collections::BTreeSet<_>>().len() > scalar.len() / 3;
    if !(14..=80).contains(&scalar.len()) || !varied {
        return None;
    }
    let public = PublicIdentity { kind, ..PublicIdentity::default() };
    let secret = Secret::bytes(scalar);
    Some(FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret })
}

fn curve_name(curve: ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(&curve).map_or_else(|| format!("EC {curve}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar() -> [u8; 32] {
        std::array::from_fn(|i| (i * 7 + 1) as u8)
    }

    #[test]
    fn a_key_is_proven_by_its_public_point_in_every_form() {
        for curve in Curve::ALL {
            let point = curve.point(&scalar()).unwrap();
            let half = point.len() / 2;
            let compressed = [&[2 + (point.last().unwrap() & 1)], &point[1..=half]].concat();
            for public in [&point, &compressed] {
                let key = ec_key(curve.oid(), &scalar(), Some(public)).unwrap();
                assert_eq!((key.evidence, key.public.kind.as_str()), (Evidence::Proven, curve.name()));
                let unnamed = unnamed_curve(&scalar(), Some(public)).unwrap();
                assert_eq!(unnamed.secret.identity(), key.secret.identity());
            }
        }
    }

    #[test]
    fn without_a_point_or_with_a_wrong_one_it_is_parsed_under_the_scalars_own_identity() {
        let alone = ec_key(P256, &scalar(), None).unwrap();
        let mut other = Curve::P256.point(&scalar()).unwrap();
        other[9] ^= 1;
        let wrong = ec_key(P256, &scalar(), Some(&other)).unwrap();
        assert_eq!((alone.evidence, wrong.evidence), (Evidence::Parsed, Evidence::Parsed));
        assert_eq!(alone.secret.identity(), wrong.secret.identity());
        assert_eq!(wrong.public.context, [CONTRADICTION]);
    }

    #[test]
    fn scalars_outside_the_group_are_refused() {
        for curve in Curve::ALL {
            assert!(ec_key(curve.oid(), &[0; 32], None).is_none());
            assert!(ec_key(curve.oid(), &[0xff; 66], None).is_none());
            assert!(ec_key(curve.oid(), &[], None).is_none());
        }
    }

    #[test]
    fn the_public_key_of_scalar_one_is_the_generator() {
        let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
        assert_eq!(super::super::hex(&Curve::P256.point(&[1]).unwrap()[1..33]), x);
    }
}
