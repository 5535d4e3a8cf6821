//! Public keys and certificates: no secrets, but the clues that tell what to look for.
//!
//! Certificates and RSA public keys are found as DER, wherever they stand, and as PEM. Each becomes a [`Clue`].

use super::base64_run::Run;
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::keys::certificate;
use crate::window::Window;

/// Bytes of the longest certificate that is read. Real ones take 1 to 4 KB.
const LONGEST: usize = 15_000;
/// Bytes before a certificate's version: two SEQUENCE headers, with lengths of one to three bytes.
const HEADERS: usize = 10;
/// `[0] { INTEGER 2 }`, the version of every certificate of today, and the tag of the serial number behind it.
const VERSION_3: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02, 0x02];
/// rsaEncryption (1.2.840.113549.1.1.1) with NULL, and the tag of the BIT STRING of a public key.
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03];
/// The words behind which PEM of public things begins.
const LABELS: [&str; 4] =
    ["BEGIN CERTIFICATE-----", "BEGIN TRUSTED CERTIFICATE-----", "BEGIN PUBLIC KEY-----", "BEGIN RSA PUBLIC KEY-----"];

/// Finds certificates and RSA public keys.
pub struct PublicKeys;

impl Detector for PublicKeys {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        let binary = [VERSION_3, RSA_ENCRYPTION].map(Literal::binary);
        Trigger::Literals(binary.into_iter().chain(LABELS.map(Literal::text)).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: HEADERS, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        match candidate.literal {
            0 => out.clues.extend(certificate_around(window, candidate.at)),
            1 => out.clues.extend(rsa_key_around(window, candidate.at)),
            _ => out.clues.extend(pem(window, candidate)),
        }
    }
}

/// The certificate whose version stands at `at`.
fn certificate_around(window: &Window<'_>, at: usize) -> Vec<Clue> {
    let inner = (2..=5).filter_map(|len| at.checked_sub(len)).filter(|&start| holds(window, start, at));
    let outer = inner.flat_map(|inner| (2..=5).filter_map(move |len| Some((inner.checked_sub(len)?, inner))));
    let mut starts = outer.filter(|&(start, inner)| holds(window, start, inner)).map(|(start, _)| start);
    let clues = starts.find_map(|start| certificate::clues(window.slice(start..start.saturating_add(LONGEST))));
    clues.map(|(clues, _)| clues).unwrap_or_default()
}

/// Whether a SEQUENCE starts at `start` whose content starts at `content`.
fn holds(window: &Window<'_>, start: usize, content: usize) -> bool {
    match window.slice(start..content) {
        [0x30, len] => *len < 0x80,
        [0x30, 0x81, _] | [0x30, 0x82, _, _] | [0x30, 0x83, 0, _, _] => true,
        _ => false,
    }
}

/// The key whose algorithm's OID stands at `at`: `SEQUENCE { SEQUENCE { OID, NULL }, BIT STRING { 0, RSAPublicKey } }`.
fn rsa_key_around(window: &Window<'_>, at: usize) -> Option<Clue> {
    let bits = at + RSA_ENCRYPTION.len();
    let header = match window.slice(bits..bits.saturating_add(3)) {
        [0x82, _, _] => 3,
        [0x81, _, ..] => 2,
        _ => return None,
    };
    let unused = bits + header;
    let key = window.slice(unused + 1..unused.saturating_add(LONGEST));
    (window.byte(unused) == Some(0)).then(|| certificate::rsa_public_key(key))?.map(|(clue, _)| clue)
}

fn pem(window: &Window<'_>, candidate: Candidate) -> Vec<Clue> {
    let Some(label) = LABELS.get(candidate.literal.saturating_sub(2)) else { return Vec::new() };
    let view = TextView::around(window, candidate, 0, LONGEST);
    let der = Run::read(view.letters(), label.len()).decode();
    if label.ends_with("CERTIFICATE-----") {
        certificate::clues(&der).map(|(clues, _)| clues).unwrap_or_default()
    } else {
        let rsa = certificate::rsa_public_key(&der).map(|(clue, _)| clue);
        rsa.or_else(|| certificate::curve_point(&der)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{WIDTHS, clues, embed, lines, rsa_key};
    use crate::keys::testing::{element, noise};
    use rsa::pkcs1::EncodeRsaPublicKey as _;
    use rsa::pkcs8::EncodePublicKey as _;
    use rsa::traits::PublicKeyParts as _;
    use sha2::{Digest as _, Sha256};

    const SHA256_WITH_RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";

    fn name(common_name: &str) -> Vec<u8> {
        let pair = element(0x30, &[b"\x06\x03\x55\x04\x03", &element(0x0c, &[common_name.as_bytes()])]);
        element(0x30, &[&element(0x31, &[&pair])])
    }

    fn spki(seed: u64) -> Vec<u8> {
        rsa_key(seed, 1024).to_public_key().to_public_key_der().unwrap().as_bytes().to_vec()
    }

    fn certificate(seed: u64, common_name: &str, serial: &[u8]) -> Vec<u8> {
        let algorithm = element(0x30, &[SHA256_WITH_RSA]);
        let time = element(0x17, &[b"240101000000Z"]);
        let validity = element(0x30, &[&time, &time]);
        let body = element(
            0x30,
            &[
                &element(0xa0, &[b"\x02\x01\x02"]),
                &element(0x02, &[serial]),
                &algorithm,
                &name("issuer"),
                &validity,
                &name(common_name),
                &spki(seed),
            ],
        );
        element(0x30, &[&body, &algorithm, &element(0x03, &[&[0], &noise(128, seed)])])
    }

    fn rsa_clue(seed: u64) -> Clue {
        let key = rsa_key(seed, 1024).to_public_key();
        let exponent = key.e().to_be_bytes();
        let exponent = exponent.iter().copied().skip_while(|&b| b == 0).collect();
        Clue::RsaPublicKey { modulus: key.n().to_be_bytes().to_vec(), exponent }
    }

    fn sorted(mut clues: Vec<Clue>) -> Vec<Clue> {
        clues.sort();
        clues.dedup();
        clues
    }

    fn expected(seed: u64, subject: &str, serial: &str) -> Vec<Clue> {
        let certificate = crate::finding::Certificate { subject: subject.to_owned(), serial: serial.to_owned() };
        let clue = Clue::Certificate { spki_sha256: Sha256::digest(spki(seed)).into(), certificate };
        sorted(vec![clue, rsa_clue(seed)])
    }

    #[test]
    fn a_certificate_in_der_tells_its_key_and_its_name() {
        let der = certificate(1, "login.example", b"\x00\xfe\x01");
        let bytes = [b"\x30\x82\x30", &der[..], b"\x30\x82"].concat();
        assert_eq!(sorted(clues(&PublicKeys, &bytes)), expected(1, "CN=login.example", "fe01"));
        let cut = &bytes[..bytes.len() - 40];
        assert_eq!(sorted(clues(&PublicKeys, cut)), [rsa_clue(1)], "its key is still there");
    }

    #[test]
    fn a_certificate_in_pem_tells_the_same_at_any_width() {
        let der = certificate(1, "a, b", b"\x05");
        for label in ["CERTIFICATE", "TRUSTED CERTIFICATE"] {
            for gap in ["\n", "\\n", "%0A", ""] {
                let body = lines(&der, 64, gap);
                let text = format!("-----BEGIN {label}-----{gap}{body}{gap}-----END {label}-----");
                for width in WIDTHS {
                    let found = sorted(clues(&PublicKeys, &embed(&text, width, true)));
                    assert_eq!(found, expected(1, "CN=a\\, b", "05"), "{width:?}");
                }
            }
        }
    }

    #[test]
    fn bare_public_keys_are_clues() {
        assert_eq!(clues(&PublicKeys, &[b"\x01", &spki(1)[..]].concat()), [rsa_clue(1)]);
        let pkcs1 = rsa_key(1, 1024).to_public_key().to_pkcs1_der().unwrap().as_bytes().to_vec();
        for (label, der) in [("PUBLIC KEY", spki(1)), ("RSA PUBLIC KEY", pkcs1)] {
            let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines(&der, 64, "\n"));
            assert_eq!(clues(&PublicKeys, text.as_bytes()), [rsa_clue(1)]);
        }
    }

    #[test]
    fn a_subject_cannot_speak_to_the_terminal() {
        let der = certificate(1, "\u{1b}[2Jgone\r\n", b"\x05");
        for clue in clues(&PublicKeys, &der) {
            if let Clue::Certificate { certificate, .. } = clue {
                assert!(!certificate.subject.contains(char::is_control), "{:?}", certificate.subject);
            }
        }
    }

    #[test]
    fn hostile_bytes_are_no_clue() {
        let work = crate::detect::testing::Work::begin();
        let fake = |header: &[u8]| [header, header, VERSION_3].concat().repeat(20_000);
        for bytes in [
            fake(b"\x30\x82\x7f\xff"),
            fake(b"\x30\x7f"),
            VERSION_3.repeat(30_000),
            RSA_ENCRYPTION.repeat(10_000),
            [RSA_ENCRYPTION, b"\x82\xff\xff\x00\x30\x82\xff\xff\x02\x82\xff\xff"].concat().repeat(5_000),
            b"-----BEGIN CERTIFICATE-----".repeat(5_000),
            b"-----BEGIN PUBLIC KEY-----AAAA".repeat(5_000),
        ] {
            assert!(clues(&PublicKeys, &bytes).is_empty());
            assert!(clues(&PublicKeys, &bytes[3..bytes.len() - 3]).is_empty());
        }
        assert!(work.seconds() < 20);
    }
}
