//! Elliptic-curve keys of formats that name the coordinates: blobs of Windows and JSON Web Keys.

use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::fragment::looks_random;
use super::public::PublicKey;
use super::{FoundKey, ec, edwards};
use crate::finding::Evidence;

/// The key of the scalar `d` and the point (x, y), all most significant byte first, on the curve that JSON Web Keys call
/// `curve`; where the name says nothing the curves of that size are tried. Proven if the point is the scalar's. A scalar
/// without a point, or beside another key's, is told as parsed if it looks like one.
#[must_use]
pub fn key(curve: &str, x: &[u8], y: &[u8], d: &[u8]) -> Option<FoundKey> {
    let (oid, len) = named(curve).map_or((None, x.len()), |(oid, len)| (Some(oid), len));
    let point = (!x.is_empty() && !y.is_empty()).then(|| point(x, y, len));
    let key = match oid {
        Some(oid) => ec::ec_key(oid, d, point.as_deref()),
        None => curve25519(x, y, d).or_else(|| ec::unnamed_curve(d, point.as_deref())),
    };
    key.filter(|key| key.evidence == Evidence::Proven || looks_random(d))
}

/// The public key of the point (x, y) on the curve that JSON Web Keys call `curve`.
#[must_use]
pub fn public_key(curve: &str, x: &[u8], y: &[u8]) -> Option<PublicKey> {
    let (oid, len) = named(curve)?;
    PublicKey::ec(oid, &point(x, y, len))
}

/// The curve of this name and the bytes of a coordinate.
fn named(curve: &str) -> Option<(ObjectIdentifier, usize)> {
    match curve {
        "P-256" => Some((ec::P256, 32)),
        "P-384" => Some((ec::P384, 48)),
        "P-521" => Some((ec::P521, 66)),
        "secp256k1" | "P-256K" => Some((ec::SECP256K1, 32)),
        _ => None,
    }
}

fn point(x: &[u8], y: &[u8], len: usize) -> Vec<u8> {
    [&[4][..], &padded(x, len), &padded(y, len)].concat()
}

/// Windows writes Curve25519 in the same form as other curves, with a second coordinate of zeros. Its numbers are least
/// significant byte first where everybody else writes them; a proof says which of the two it is.
fn curve25519(x: &[u8], y: &[u8], d: &[u8]) -> Option<FoundKey> {
    if y.iter().any(|&b| b != 0) {
        return None;
    }
    let reversed = |bytes: &[u8]| Zeroizing::new(bytes.iter().rev().copied().collect::<Vec<u8>>());
    let proven = |x: &[u8], d: &[u8]| {
        let key = edwards::x25519_key(d, Some(x));
        key.filter(|key| key.evidence == Evidence::Proven)
    };
    proven(x, d).or_else(|| proven(&reversed(x), &reversed(d)))
}

/// A coordinate as long as the curve's field: some writers drop leading zeros.
fn padded(coordinate: &[u8], len: usize) -> Vec<u8> {
    let zeros = coordinate.iter().take_while(|&&b| b == 0).count();
    let minimal = coordinate.get(zeros..).unwrap_or_default();
    [vec![0; len.saturating_sub(minimal.len())], minimal.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;
    use elliptic_curve::sec1::ToSec1Point as _;
    use x25519_dalek::StaticSecret;

    fn p256(seed: u64) -> (Vec<u8>, Vec<u8>) {
        let d = noise(32, seed);
        let key = p256::SecretKey::from_slice(&d).unwrap();
        (key.public_key().to_sec1_point(false).as_bytes()[1..].to_vec(), d)
    }

    #[test]
    fn a_point_proves_its_scalar_whatever_the_curve_is_called() {
        // Among so many keys some have a coordinate with a leading zero.
        for seed in 1..600 {
            let (point, d) = p256(seed);
            let (x, y) = point.split_at(32);
            let minimal = |bytes: &[u8]| bytes.iter().copied().skip_while(|&b| b == 0).collect::<Vec<u8>>();
            let named = key("P-256", &minimal(x), &minimal(y), &d).unwrap();
            assert_eq!((named.evidence, named.public.kind.as_str()), (Evidence::Proven, "P-256"));
        }
        let (point, d) = p256(7);
        let (x, y) = point.split_at(32);
        let unnamed = key("", x, y, &d).unwrap();
        assert_eq!((unnamed.evidence, unnamed.public.kind.as_str()), (Evidence::Proven, "P-256"));
        assert_eq!(key("P-256", &[], &[], &d).unwrap().evidence, Evidence::Parsed);
        assert_eq!(key("P-256", y, x, &d).unwrap().evidence, Evidence::Parsed);
        assert!(key("P-256", x, y, &[0; 32]).is_none() && key("P-256", x, y, b"\0\0\0\x01").is_none());
    }

    #[test]
    fn curve25519_is_proven_in_either_byte_order() {
        let d: [u8; 32] = noise(32, 5).try_into().unwrap();
        let mut x = x25519_dalek::PublicKey::from(&StaticSecret::from(d)).to_bytes();
        let mut d = d;
        for _ in 0..2 {
            let found = key("", &x, &[0; 32], &d).unwrap();
            assert_eq!((found.evidence, found.rule), (Evidence::Proven, "x25519-private-key"));
            x.reverse();
            d.reverse();
        }
        assert_ne!(key("", &d, &[0; 32], &d).unwrap().evidence, Evidence::Proven);
    }
}
