//! Certificates: whose key they certify. The one home of `x509-cert`.

use der::{Decode as _, Encode as _};
use sha2::{Digest as _, Sha256};
use x509_cert::certificate::{CertificateInner, Raw};

use super::public::PublicKey;
use super::{asn1, hex};
use crate::finding::Certificate;
use crate::hunt::Clue;

/// Letters of a subject that are printed: enough for any name, too few to fill a report.
const SUBJECT: usize = 256;

/// What the certificate that `der` starts with tells of its key, and its length in bytes. What follows it does not matter.
#[must_use]
pub fn clues(der: &[u8]) -> Option<(Vec<Clue>, usize)> {
    let len = asn1::sequence_len(der)?;
    // Raw accepts what the standard forbids and the world issues, such as a negative serial number.
    let parsed = CertificateInner::<Raw>::from_der(der.get(..len)?).ok()?;
    let body = parsed.tbs_certificate();
    let spki = body.subject_public_key_info().to_der().ok()?;
    let subject = printable(&body.subject().to_string());
    let serial = body.serial_number().as_bytes();
    let certificate = Certificate { subject, serial: hex(serial.strip_prefix(&[0]).unwrap_or(serial)) };
    let named = PublicKey::of_der(&spki).map(|key| key.spki_sha256);
    let spki_sha256 = named.unwrap_or_else(|| Sha256::digest(&spki).into());
    let mut clues = vec![Clue::Certificate { spki_sha256, certificate }];
    clues.extend(rsa_public_key(&spki).map(|(clue, _)| clue));
    Some((clues, len))
}

/// The public key that the certificate that `der` starts with certifies.
#[must_use]
pub fn public_key(der: &[u8]) -> Option<PublicKey> {
    let parsed = CertificateInner::<Raw>::from_der(der.get(..asn1::sequence_len(der)?)?).ok()?;
    PublicKey::of_der(&parsed.tbs_certificate().subject_public_key_info().to_der().ok()?)
}

/// The RSA public key that `der` starts with (SubjectPublicKeyInfo or PKCS#1), and its length in bytes.
#[must_use]
pub fn rsa_public_key(der: &[u8]) -> Option<(Clue, usize)> {
    let (modulus, exponent, len) = asn1::rsa_public(der)?;
    Some((Clue::RsaPublicKey { modulus, exponent }, len))
}

/// A certificate is input like all else: control characters in its subject must not reach a terminal.
fn printable(subject: &str) -> String {
    let show = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    subject.chars().take(SUBJECT).map(show).collect()
}
