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
        certificate::rsa_public_key(&der).map(|(clue, _)| clue).into_iter().collect()
    }
}
