//! Keys of RFC 8410: Ed25519, X25519, and their 448-bit kin, which are parsed and not computed.

use const_oid::ObjectIdentifier;
use der::Encode as _;
use der::asn1::BitStringRef;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256, Sha512};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::FoundKey;
use super::public::ssh_ed25519;
use crate::finding::{Evidence, Piece, PublicIdentity};
use crate::vault::{Part, PartKind, Secret, SecretBytes};

/// Signing with Curve25519.
pub const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Key agreement with Curve25519.
pub const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
/// Signing with Curve448.
pub const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
/// Key agreement with Curve448.
pub const X448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.111");

/// The Ed25519 key of a 32-byte seed. `public` is the public key that stood beside it: proven where it is the seed's;
/// where it is another's, the seed is told as parsed under its own public key.
#[must_use]
pub fn ed25519_key(seed: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).ok().filter(plausible)?);
    let own = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    // Libraries keep the expanded key too: the clamped lower half of SHA-512 of the seed is the scalar that signs.
    let expanded = Zeroizing::new(Sha512::digest(*seed));
    let mut scalar = Zeroizing::new([0; 32]);
    scalar.iter_mut().zip(expanded.iter()).for_each(|(to, from)| *to = *from);
    clamp(&mut scalar);
    // Either half of the hash gives the key away: the second one with any signature.
    let expanded = Part { piece: Piece::Expanded, kind: PartKind::Bytes, bytes: SecretBytes::new(expanded.as_slice()) };
    let parts = vec![part(Piece::Seed, &seed), part(Piece::D, &scalar), expanded];
    key("ed25519-private-key", "Ed25519", ED25519, &own, public, parts)
}

/// The Ed25519 key of which only the scalar is known that signs, clamped or modulo the order of the group, and of which
/// somebody proved that it is that of `public`. `prefix` is the other half of the seed's hash, where it stands behind the scalar.
#[must_use]
pub fn ed25519_scalar(scalar: &[u8; 32], prefix: Option<&[u8]>, public: &[u8; 32]) -> Option<FoundKey> {
    let mut parts = vec![part(Piece::D, scalar)];
    if let Some(prefix) = prefix {
        let bytes = SecretBytes::new([&scalar[..], prefix].concat());
        parts.push(Part { piece: Piece::Expanded, kind: PartKind::Bytes, bytes });
    }
    key("ed25519-private-key", "Ed25519", ED25519, public, Some(public), parts)
}

/// The X25519 key with these 32 secret bytes; `public` as for Ed25519.
#[must_use]
pub fn x25519_key(secret: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let secret = Zeroizing::new(<[u8; 32]>::try_from(secret).ok().filter(plausible)?);
    let own = PublicKey::from(&StaticSecret::from(*secret)).to_bytes();
    let mut clamped = secret.clone();
    clamp(&mut clamped);
    let mut parts = vec![part(Piece::D, &secret)];
    if *clamped != *secret {
        parts.push(part(Piece::D, &clamped));
    }
    key("x25519-private-key", "X25519", X25519, &own, public, parts)
}

/// Of cleared memory comes no key, nor of a freed one over which an allocator wrote its pointers. Of random bytes some 30 differ.
fn plausible(bytes: &[u8; 32]) -> bool {
    let different = |at: usize| bytes.iter().take(at).all(|before| Some(before) != bytes.get(at));
    (0..bytes.len()).filter(|at| different(*at)).count() >= 16
}

/// RFC 7748, section 5: three low bits and the high bit cleared, the bit below it set.
fn clamp(scalar: &mut [u8; 32]) {
    let [low, .., high] = scalar;
    *low &= 248;
    *high = *high & 127 | 64;
}

fn part(piece: Piece, bytes: &[u8; 32]) -> Part {
    Part { piece, kind: PartKind::Bytes, bytes: SecretBytes::new(*bytes) }
}

fn key(
    rule: &'static str,
    kind: &str,
    oid: ObjectIdentifier,
    own: &[u8; 32],
    given: Option<&[u8]>,
    parts: Vec<Part>,
) -> Option<FoundKey> {
    let spki = spki_sha256(oid, own)?;
    let evidence = if given == Some(own) { Evidence::Proven } else { Evidence::Parsed };
    let (kind, spki_sha256) = (kind.to_owned(), Some(super::hex(&spki)));
    let ssh_fingerprint = (oid == ED25519).then(|| ssh_ed25519(own));
    let public = PublicIdentity { kind, spki_sha256, ssh_fingerprint, ..PublicIdentity::default() };
    Some(FoundKey { rule, evidence, severity: None, public, secret: Secret::key_pair(&spki, parts) })
}

/// SHA-256 of the SubjectPublicKeyInfo of a public key of RFC 8410.
#[must_use]
pub fn spki_sha256(oid: ObjectIdentifier, public: &[u8; 32]) -> Option<[u8; 32]> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters: None };
    let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(public).ok()? };
    Some(Sha256::digest(spki.to_der().ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_memory_between_pointers_is_no_key() {
        let pointers = [0x7f31_e669_dad0_u64, 0, 0x7f31_e66a_1240, 0].map(u64::to_le_bytes).concat();
        assert!(x25519_key(&pointers, None).is_none() && ed25519_key(&pointers, None).is_none());
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_first_vector_of_rfc_8032_is_proven() {
        let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let key = ed25519_key(&seed, Some(&public)).unwrap();
        assert_eq!(key.evidence, Evidence::Proven);
        assert_eq!(ed25519_key(&seed, None).unwrap().evidence, Evidence::Parsed);
        assert_eq!(ed25519_key(&seed, Some(&seed)).unwrap().secret.identity(), key.secret.identity());
    }

    #[test]
    fn alices_key_of_rfc_7748_is_proven() {
        let secret = bytes("77076d0a7318a57d3c16c17251b26645df4c3f92ebc099acfeb22f1b8a3c0d3a".trim());
        let own = PublicKey::from(&StaticSecret::from(<[u8; 32]>::try_from(&secret[..]).unwrap())).to_bytes();
        assert_eq!(x25519_key(&secret, Some(&own)).unwrap().evidence, Evidence::Proven);
    }

    #[test]
    fn wrong_lengths_and_cleared_memory_are_no_keys() {
        assert!(ed25519_key(&[1; 31], None).is_none());
        assert!(x25519_key(&[0; 32], None).is_none());
    }
}
