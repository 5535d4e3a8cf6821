//! Public keys: what people and tools call them, and what is hunted for when one is known.
//!
//! A key that leaked has to be found again in certificates, in `authorized_keys` and in key stores, and each of these has a
//! name of its own for it: the SHA-256 of the SubjectPublicKeyInfo, and the fingerprint that SSH prints (RFC 4716 calls it
//! that; OpenSSH writes `SHA256:` and base64 without padding). Both follow from the numbers, whatever they were written in.

use base64ct::{Base64Unpadded, Encoding as _};
use const_oid::ObjectIdentifier;
use der::Encode as _;
use sha2::{Digest as _, Sha256};
use spki::SubjectPublicKeyInfoRef;

use super::number::Number;
use super::{ec, edwards, hex, rsa};
use crate::finding::PublicIdentity;
use crate::hunt::Clue;

/// rsaEncryption and its sibling that only signs by PSS.
const RSA: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10")];
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// What it is: `RSA-2048`, `P-256`, `Ed25519`; the name or number of its algorithm where it is not computed.
    pub kind: String,
    /// SHA-256 of the SubjectPublicKeyInfo as this program tells it of private keys: of a curve with a name, its point in
    /// full.
    pub spki_sha256: [u8; 32],
    /// What SSH calls it, if SSH knows such keys.
    pub ssh_fingerprint: Option<String>,
    /// What hunters need to look for its private half as bare numbers.
    pub clue: Option<Clue>,
}

impl PublicKey {
    /// Of an RSA key's modulus and exponent. `None` where they cannot be that.
    #[must_use]
    pub fn rsa(modulus: &Number, exponent: &Number) -> Option<Self> {
        let (n, e) = (modulus.to_be(), exponent.to_be());
        let spki_sha256 = rsa::spki_sha256(&n, &e).filter(|_| rsa::is_public_key(modulus, exponent))?;
        let ssh_fingerprint = Some(ssh_rsa(&n, &e));
        let clue = Some(Clue::RsaPublicKey { modulus: n, exponent: e });
        Some(Self { kind: format!("RSA-{}", modulus.bits()), spki_sha256, ssh_fingerprint, clue })
    }

    /// Of a point in SEC 1 form on a curve with a name. `None` where it is not on the curve, or the curve is not computed.
    #[must_use]
    pub fn ec(curve: ObjectIdentifier, point: &[u8]) -> Option<Self> {
        let point = ec::whole_point(curve, point)?;
        let (kind, spki_sha256) = (ec::name(curve)?.to_owned(), ec::spki_sha256(curve, &point)?);
        Some(Self { kind, spki_sha256, ssh_fingerprint: ssh_ec(curve, &point), clue: None })
    }

    /// Of an Ed25519 or X25519 key.
    #[must_use]
    pub fn edwards(algorithm: ObjectIdentifier, public: &[u8]) -> Option<Self> {
        let public = <[u8; 32]>::try_from(public).ok()?;
        let kind = match algorithm {
            edwards::ED25519 => "Ed25519",
            edwards::X25519 => "X25519",
            _ => return None,
        };
        let spki_sha256 = edwards::spki_sha256(algorithm, &public)?;
        let ssh_fingerprint = (algorithm == edwards::ED25519).then(|| ssh_ed25519(&public));
        Some(Self { kind: kind.to_owned(), spki_sha256, ssh_fingerprint, clue: None })
    }

    /// Of a SubjectPublicKeyInfo. Keys that are not computed keep the digest of what stands there.
    #[must_use]
    pub fn of_spki(spki: &SubjectPublicKeyInfoRef<'_>) -> Option<Self> {
        let (algorithm, bits) = (&spki.algorithm, spki.subject_public_key.as_bytes()?);
        let key = match algorithm.oid {
            oid if RSA.contains(&oid) => return Self::of_pkcs1(bits),
            EC => Self::ec(algorithm.parameters?.decode_as().ok()?, bits),
            oid => Self::edwards(oid, bits),
        };
        key.or_else(|| {
            let name = const_oid::db::DB.by_oid(&algorithm.oid).map(str::to_owned);
            let kind = name.unwrap_or_else(|| algorithm.oid.to_string());
            let spki_sha256 = Sha256::digest(spki.to_der().ok()?).into();
            Some(Self { kind, spki_sha256, ssh_fingerprint: None, clue: None })
        })
    }

    /// Of the DER of a SubjectPublicKeyInfo or of PKCS#1's RSAPublicKey, and nothing behind it.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<Self> {
        let spki = SubjectPublicKeyInfoRef::try_from(der).ok();
        spki.and_then(|spki| Self::of_spki(&spki)).or_else(|| Self::of_pkcs1(der))
    }

    fn of_pkcs1(der: &[u8]) -> Option<Self> {
        let (modulus, exponent, len) = super::asn1::rsa_public(der)?;
        if len == der.len() { Self::rsa(&Number::from_be(&modulus), &Number::from_be(&exponent)) } else { None }
    }

    /// What may be told of a private key with this public half.
    #[must_use]
    pub fn identity(self) -> PublicIdentity {
        let Self { kind, spki_sha256, ssh_fingerprint, .. } = self;
        PublicIdentity { kind, spki_sha256: Some(hex(&spki_sha256)), ssh_fingerprint, ..PublicIdentity::default() }
    }
}

/// SSH's fingerprint of an RSA key; both numbers most significant byte first, without leading zeros.
#[must_use]
pub fn ssh_rsa(modulus: &[u8], exponent: &[u8]) -> String {
    fingerprint(&[b"ssh-rsa", &mpint(exponent), &mpint(modulus)])
}

/// SSH's fingerprint of a point `04 X Y`, if SSH knows its curve (RFC 5656).
#[must_use]
pub fn ssh_ec(curve: ObjectIdentifier, point: &[u8]) -> Option<String> {
    let name = match curve {
        ec::P256 => "nistp256",
        ec::P384 => "nistp384",
        ec::P521 => "nistp521",
        _ => return None,
    };
    Some(fingerprint(&[format!("ecdsa-sha2-{name}").as_bytes(), name.as_bytes(), point]))
}

/// SSH's fingerprint of an Ed25519 key (RFC 8709).
#[must_use]
pub fn ssh_ed25519(public: &[u8; 32]) -> String {
    fingerprint(&[b"ssh-ed25519", public])
}

/// A number as RFC 4251 writes it: with a zero where its first bit would be a sign.
fn mpint(number: &[u8]) -> Vec<u8> {
    let sign = number.first().is_some_and(|first| first & 0x80 != 0);
    sign.then_some(0).into_iter().chain(number.iter().copied()).collect()
}

fn fingerprint(strings: &[&[u8]]) -> String {
    let digest = strings.iter().fold(Sha256::new(), |digest, string| {
        digest.chain_update(u32::try_from(string.len()).unwrap_or(0).to_be_bytes()).chain_update(string)
    });
    format!("SHA256:{}", Base64Unpadded::encode_string(&digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Evidence;
    use crate::keys::testing::{noise, rsa_key};
    use crate::keys::{FoundKey, ssh};
    use ::rsa::traits::PublicKeyParts as _;
    use spki::EncodePublicKey as _;
    use ssh_key::HashAlg;

    fn agrees(found: &FoundKey, public: &PublicKey) {
        assert_eq!(found.evidence, Evidence::Proven);
        let identity = public.clone().identity();
        assert_eq!((&found.public.kind, &found.public.spki_sha256), (&identity.kind, &identity.spki_sha256));
        assert_eq!(found.public.ssh_fingerprint, identity.ssh_fingerprint);
    }

    #[test]
    fn a_key_has_the_same_names_whether_its_private_or_its_public_half_is_read_and_they_are_those_of_ssh() {
        use ssh_key::{Algorithm, EcdsaCurve};
        let curves = [EcdsaCurve::NistP256].map(|curve| Algorithm::Ecdsa { curve });
        for algorithm in curves.into_iter().chain([Algorithm::Ed25519]) {
            let key = ssh_key::PrivateKey::random(&mut rand::rng(), algorithm).unwrap();
            let found = ssh::private_key(&key.to_bytes().unwrap()).unwrap().key;
            let public = ssh::public_key(&key.public_key().to_bytes().unwrap()).unwrap();
            agrees(&found, &public);
            assert_eq!(public.ssh_fingerprint, Some(key.fingerprint(HashAlg::Sha256).to_string()));
        }
    }

    #[test]
    fn an_rsa_key_is_the_same_as_spki_and_as_pkcs1() {
        let key = rsa_key(1024).to_public_key();
        let spki = PublicKey::of_der(key.to_public_key_der().unwrap().as_bytes()).unwrap();
        let number = |bytes: &[u8]| Number::from_be(bytes);
        let numbers = PublicKey::rsa(&number(&key.n().to_be_bytes()), &number(&key.e().to_be_bytes())).unwrap();
        let pkcs1 = ::rsa::pkcs1::EncodeRsaPublicKey::to_pkcs1_der(&key).unwrap();
        assert_eq!(spki, numbers);
        assert_eq!(Some(spki.clone()), PublicKey::of_der(pkcs1.as_bytes()));
        assert_eq!(spki.spki_sha256[..], Sha256::digest(key.to_public_key_der().unwrap().as_bytes())[..]);
        assert!(spki.ssh_fingerprint.unwrap().starts_with("SHA256:"));
    }

    #[test]
    fn what_is_no_public_key_is_none() {
        for seed in 0..200 {
            assert!(PublicKey::of_der(&noise(100, seed)).is_none());
        }
        assert!(PublicKey::ec(ec::P256, &[4; 65]).is_none(), "not on the curve");
        assert!(PublicKey::edwards(edwards::ED25519, &[1; 31]).is_none());
    }
}
