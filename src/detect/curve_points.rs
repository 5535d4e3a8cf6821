//! Public keys on elliptic curves, in the structures that name their curve: no secrets, but the clues that tell what to look
//! for.
//!
//! - DER, by the OID of the curve: in a SubjectPublicKeyInfo, in SEC 1 and PKCS#8 the BIT STRING of the point follows it at
//!   once or behind the private key; RFC 8410 has one form only.
//! - OpenSSH's wire form (RFC 5656, section 3.1; RFC 8709, section 4), by the name of the curve and the length behind it.
//! - Blobs of Windows CNG (`BCRYPT_ECCKEY_BLOB`: magic, bytes of a coordinate, x, y), public ones.
//!
//! That somebody computes on a curve is a clue too: then its order stands in memory as limbs, and the point as numbers that
//! are worth comparing (see `hunt::ec_scalars`).
//!
//! Every point is checked: it is a clue only where the equation of the curve holds.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::keys::base_points::Group;
use crate::keys::curve_points;
use crate::keys::ec::Curve;
use crate::window::Window;

/// The OIDs of the curves as DER.
const OIDS: [(&[u8], Curve); 4] = [
    (b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", Curve::P256),
    (b"\x06\x05\x2b\x81\x04\x00\x22", Curve::P384),
    (b"\x06\x05\x2b\x81\x04\x00\x23", Curve::P521),
    (b"\x06\x05\x2b\x81\x04\x00\x0a", Curve::K256),
];
/// An OID of RFC 8410 and the header of the BIT STRING behind it.
const RFC_8410: [(&[u8], Group); 2] =
    [(b"\x06\x03\x2b\x65\x70\x03\x21\x00", Group::Ed25519), (b"\x06\x03\x2b\x65\x6e\x03\x21\x00", Group::X25519)];
/// The end of the name of an OpenSSH key or of its curve, and the length of what is behind it.
const SSH: [(&[u8], Group); 4] = [
    (b"ssh-ed25519\0\0\0\x20", Group::Ed25519),
    (b"nistp256\0\0\0\x41", Group::Sec1(Curve::P256)),
    (b"nistp384\0\0\0\x61", Group::Sec1(Curve::P384)),
    (b"nistp521\0\0\0\x85", Group::Sec1(Curve::P521)),
];
/// Magic and length of CNG's public keys for ECDSA and ECDH.
const CNG: [(&[u8], Curve); 6] = [
    (b"ECS1\x20\0\0\0", Curve::P256),
    (b"ECK1\x20\0\0\0", Curve::P256),
    (b"ECS3\x30\0\0\0", Curve::P384),
    (b"ECK3\x30\0\0\0", Curve::P384),
    (b"ECS5\x42\0\0\0", Curve::P521),
    (b"ECK5\x42\0\0\0", Curve::P521),
];
/// The lower 16 bytes of the orders of the curves, as limbs from the lowest: what computes with private keys has them.
const ORDERS: [(&[u8], Curve); 4] = [
    (b"\x51\x25\x63\xfc\xc2\xca\xb9\xf3\x84\x9e\x17\xa7\xad\xfa\xe6\xbc", Curve::P256),
    (b"\x73\x29\xc5\xcc\x6a\x19\xec\xec\x7a\xa7\xb0\x48\xb2\x0d\x1a\x58", Curve::P384),
    (b"\x09\x64\x38\x91\x1e\xb7\x6f\xbb\xae\x47\x9c\x89\xb8\xc9\xb5\x3b", Curve::P521),
    (b"\x41\x41\x36\xd0\x8c\x5e\xd2\xbf\x3b\xa0\x48\xaf\xe6\xdc\xae\xba", Curve::K256),
];
/// Bytes behind an OID in which its point is looked for: a private key of the longest scalar, then the point.
const LONGEST: usize = 300;

/// Finds public keys on elliptic curves.
pub struct CurvePoints;

impl Detector for CurvePoints {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(literals().map(|(literal, _)| Literal::binary(literal)).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some((literal, form)) = literals().nth(candidate.literal) else { return };
        let start = candidate.at + literal.len();
        let bytes = window.slice(start..candidate.at + LONGEST);
        let public = match form {
            Form::Order(curve) => return out.clues.push(Clue::CurveInUse { group: Group::Sec1(curve) }),
            Form::Oid(curve) => bit_string(curve, bytes),
            Form::Bare(Group::Sec1(curve)) => {
                bytes.get(..1 + 2 * curve.size()).and_then(|p| curve_points::decode(curve, p))
            }
            Form::Bare(_) => bytes.get(..32).map(<[u8]>::to_vec),
            Form::Coordinates(curve) => {
                let xy = bytes.get(..2 * curve.size());
                xy.and_then(|xy| curve_points::decode(curve, &[&[4], xy].concat()))
            }
        };
        out.clues.extend(public.map(|public| Clue::CurvePoint { group: form.group(), public }));
    }
}

/// What stands behind a literal.
#[derive(Clone, Copy)]
enum Form {
    /// A BIT STRING with a point, somewhere.
    Oid(Curve),
    /// The public key.
    Bare(Group),
    /// x and y.
    Coordinates(Curve),
    /// Anything.
    Order(Curve),
}

impl Form {
    fn group(self) -> Group {
        match self {
            Self::Oid(curve) | Self::Coordinates(curve) | Self::Order(curve) => Group::Sec1(curve),
            Self::Bare(group) => group,
        }
    }
}

fn literals() -> impl Iterator<Item = (&'static [u8], Form)> {
    let oids = OIDS.iter().map(|&(literal, curve)| (literal, Form::Oid(curve)));
    let bare = RFC_8410.iter().chain(&SSH).map(|&(literal, group)| (literal, Form::Bare(group)));
    let orders = ORDERS.iter().map(|&(literal, curve)| (literal, Form::Order(curve)));
    oids.chain(bare).chain(CNG.iter().map(|&(literal, curve)| (literal, Form::Coordinates(curve)))).chain(orders)
}

/// The point of the first BIT STRING in `bytes` that has one of the curve.
fn bit_string(curve: Curve, bytes: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr_iter(3, bytes).find_map(|at| {
        let rest = bytes.get(at + 1..)?;
        // The length, which may take two bytes, and the number of bits that are not used.
        let point = match *rest {
            [0x81, len, 0, ..] => rest.get(3..2 + usize::from(len)),
            [len @ ..=0x7f, 0, ..] => rest.get(2..1 + usize::from(len)),
            _ => None,
        };
        curve_points::decode(curve, point?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;
    use crate::keys::testing::{element, noise};

    fn public(curve: Curve, seed: u64) -> Vec<u8> {
        curve.point(&noise(32, seed)).unwrap()
    }

    fn clue(curve: Curve, seed: u64) -> Clue {
        Clue::CurvePoint { group: Group::Sec1(curve), public: public(curve, seed) }
    }

    #[test]
    fn points_in_der_are_clues_compressed_or_not() {
        for (oid, curve) in OIDS {
            let public = public(curve, 5);
            let compressed = [&[2 + (public.last().unwrap() & 1)], &public[1..=curve.size()]].concat();
            for point in [&public, &compressed] {
                let bits = element(3, &[&[0], point]);
                let spki = [oid, &bits].concat();
                let sec1 = [oid, &element(0xa1, &[&bits])].concat();
                let scalar = element(4, &[&element(0x30, &[b"\x02\x01\x01", &element(4, &[&noise(curve.size(), 3)])])]);
                let pkcs8 = [oid, &scalar, &bits].concat();
                for bytes in [spki, sec1, pkcs8] {
                    let bytes = [&noise(7, 1), &bytes[..], &noise(9, 2)].concat();
                    assert_eq!(clues(&CurvePoints, &bytes), [clue(curve, 5)], "{curve:?}");
                }
            }
        }
    }

    #[test]
    fn keys_of_openssh_and_of_windows_are_clues() {
        for (name, group) in SSH {
            let (key, want) = match group {
                Group::Sec1(curve) => (public(curve, 7), clue(curve, 7)),
                _ => (noise(32, 8), Clue::CurvePoint { group, public: noise(32, 8) }),
            };
            let bytes = [b"\0\0\0\x13ecdsa-sha2-nistp256\0\0\0\x08", name, &key, b"\0\0"].concat();
            assert_eq!(clues(&CurvePoints, &bytes), [want]);
        }
        for (magic, curve) in CNG {
            let bytes = [magic, &public(curve, 9)[1..]].concat();
            assert_eq!(clues(&CurvePoints, &bytes), [clue(curve, 9)]);
        }
    }

    #[test]
    fn keys_of_rfc_8410_are_clues() {
        for (header, group) in RFC_8410 {
            let public = noise(32, 4);
            assert_eq!(clues(&CurvePoints, &[header, &public].concat()), [Clue::CurvePoint { group, public }]);
        }
    }

    #[test]
    fn what_is_no_point_or_is_cut_is_no_clue() {
        for (literal, form) in literals() {
            for rest in [vec![], vec![3, 0x42, 0, 4], noise(20, 1), vec![3; 200]] {
                let told = clues(&CurvePoints, &[literal, &rest].concat());
                assert!(told.is_empty() || matches!(form, Form::Bare(_) | Form::Order(_)));
            }
            if matches!(form, Form::Oid(_) | Form::Coordinates(_)) {
                assert!(clues(&CurvePoints, &[literal, &[3, 0x81, 0xff, 0], &noise(300, 1)].concat()).is_empty());
            }
        }
    }
}
