//! What the detectors' tests share: keys made on the spot, text in every width, and a small engine without a prefilter.

use base64ct::{Base64, Encoding as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use sec1::der::Encode as _;
use ssh_key::private::KeypairData;
use ssh_key::{Algorithm, EcdsaCurve, Mpint, PrivateKey};

use super::{Candidate, Detector, Hit, Hits, Literal, REPEATED, Trigger};
use crate::finding::Encoding;
use crate::hunt::Clue;
use crate::window::Window;

/// The processor's time that this thread takes, in which other processes of a busy machine have no part; the time on the clock
/// where the system does not tell it.
pub struct Work(Option<u64>, std::time::Instant);

impl Work {
    /// Work that begins.
    pub fn begin() -> Self {
        Self(Self::nanoseconds(), std::time::Instant::now())
    }

    fn nanoseconds() -> Option<u64> {
        std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
    }

    /// Whole seconds since it began.
    pub fn seconds(&self) -> u64 {
        let taken = self.0.zip(Self::nanoseconds()).map(|(then, now)| now.saturating_sub(then) / 1_000_000_000);
        taken.unwrap_or_else(|| self.1.elapsed().as_secs())
    }
}

/// What `detector` finds in `bytes`, every place of every literal tried, as the scan would.
pub fn scan(detector: &dyn Detector, bytes: &[u8]) -> Hits {
    let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
    let mut out = Hits::default();
    let literals = match detector.trigger() {
        Trigger::Literals(literals) => literals,
        Trigger::Window => {
            detector.confirm(Candidate { at: 0, literal: 0, wide: false }, &window, &mut out);
            return out;
        }
        Trigger::Repeated(byte) => {
            let seen = bytes.windows(REPEATED).enumerate().filter(|(_, run)| run.iter().all(|b| *b == byte));
            let begins = seen.filter(|(at, _)| at.checked_sub(1).is_none_or(|before| bytes[before] != byte));
            begins.for_each(|(at, _)| detector.confirm(Candidate { at, literal: 0, wide: false }, &window, &mut out));
            return out;
        }
        Trigger::DerInteger | Trigger::AesWords => return out,
    };
    for (index, literal) in literals.iter().enumerate() {
        for candidate in candidates(bytes, index, literal) {
            detector.confirm(candidate, &window, &mut out);
        }
    }
    out
}

/// Its hits.
pub fn hits(detector: &dyn Detector, bytes: &[u8]) -> Vec<Hit> {
    scan(detector, bytes).hits
}

/// Its one hit.
pub fn hit(detector: &dyn Detector, bytes: &[u8]) -> Hit {
    let mut hits = hits(detector, bytes);
    assert_eq!(hits.len(), 1, "{hits:?}");
    hits.remove(0)
}

/// Its clues.
pub fn clues(detector: &dyn Detector, bytes: &[u8]) -> Vec<Clue> {
    scan(detector, bytes).clues
}

/// The places where a literal stands.
pub fn candidates(bytes: &[u8], index: usize, literal: &Literal) -> Vec<Candidate> {
    let spread: Vec<u8> = literal.bytes.iter().flat_map(|&b| [b, 0]).collect();
    let wide = &spread[..spread.len() - 1];
    let places = |pattern: &[u8], wide: bool| -> Vec<Candidate> {
        let starts = bytes.windows(pattern.len()).enumerate().filter(|(_, w)| *w == pattern);
        starts.map(|(at, _)| Candidate { at, literal: index, wide }).collect()
    };
    let mut all = places(&literal.bytes, false);
    if literal.wide {
        all.extend(places(wide, true));
    }
    all
}

/// The widths that text comes in.
pub const WIDTHS: [Encoding; 3] = [Encoding::Plain, Encoding::Utf16Le, Encoding::Utf16Be];

/// `text` in one of them.
pub fn encode(text: &str, width: Encoding) -> Vec<u8> {
    match width {
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

/// `text` at an offset of either parity, with foreign bytes around it and the NUL that C and Windows put behind it.
pub fn embed(text: &str, width: Encoding, odd: bool) -> Vec<u8> {
    let head = if odd { &b"\xf0\xf1\xf2"[..] } else { b"\xf0\xf1\xf2\xf3" };
    let nul = if width == Encoding::Plain { &b"\0"[..] } else { b"\0\0" };
    [head, &encode(text, width), nul, b"\xf4\xf5\xf6\xf7"].concat()
}

/// The text that a hit's range holds.
pub fn text_of(bytes: &[u8], hit: &Hit) -> String {
    let range = &bytes[hit.range.clone()];
    let unit = |pair: &[u8]| match hit.form.encoding {
        Encoding::Utf16Le => u16::from_le_bytes([pair[0], pair[1]]),
        _ => u16::from_be_bytes([pair[0], pair[1]]),
    };
    match hit.form.encoding {
        Encoding::Plain => String::from_utf8(range.to_vec()).unwrap(),
        _ => String::from_utf16(&range.chunks_exact(2).map(unit).collect::<Vec<_>>()).unwrap(),
    }
}

/// Base64 in lines of `width` letters.
pub fn lines(bytes: &[u8], width: usize, separator: &str) -> String {
    let letters = Base64::encode_string(bytes);
    let lines: Vec<&str> = letters.as_bytes().chunks(width).map(|l| std::str::from_utf8(l).unwrap()).collect();
    lines.join(separator)
}

/// PEM with a label and a separator.
pub fn pem(label: &str, der: &[u8], separator: &str) -> String {
    let body = lines(der, 64, separator);
    format!("-----BEGIN {label}-----{separator}{body}{separator}-----END {label}-----")
}

/// A fresh RSA key; the same for the same seed.
pub fn rsa_key(seed: u64, bits: usize) -> rsa::PrivateKey {
    rsa::PrivateKey::new(&mut StdRng::seed_from_u64(seed), bits).unwrap()
}

/// PKCS#1's DER.
pub fn pkcs1(key: &rsa::PrivateKey) -> Vec<u8> {
    key.to_pkcs1_der().unwrap().as_bytes().to_vec()
}

/// PKCS#8's DER.
pub fn pkcs8(key: &rsa::PrivateKey) -> Vec<u8> {
    key.to_pkcs8_der().unwrap().as_bytes().to_vec()
}

/// Stands behind the numbers of an SSH key.
const COMMENT: &str = "a comment of some length";

/// A fresh SSH key: Ed25519, or ECDSA with NIST P-256.
pub fn ssh_key(seed: u64, ed25519: bool) -> PrivateKey {
    let curve = EcdsaCurve::NistP256;
    let algorithm = if ed25519 { Algorithm::Ed25519 } else { Algorithm::Ecdsa { curve } };
    let mut key = PrivateKey::random(&mut StdRng::seed_from_u64(seed), algorithm).unwrap();
    key.set_comment(COMMENT);
    key
}

/// An SSH key of the numbers of `key`.
pub fn ssh_rsa(key: &rsa::PrivateKey) -> PrivateKey {
    let mpint = |bytes: Vec<u8>| Mpint::from_positive_bytes(&bytes);
    let (e, n) = (mpint(key.e().to_be_bytes().to_vec()), mpint(key.n().to_be_bytes().to_vec()));
    let public = ssh_key::public::RsaPublicKey::new(e, n).unwrap();
    let [p, q] = key.primes() else { panic!("two primes") };
    let qinv = mpint(key.crt_coefficient().unwrap().to_be_bytes().to_vec());
    let d = mpint(key.d().to_be_bytes().to_vec());
    let private =
        ssh_key::private::RsaPrivateKey::new(d, qinv, mpint(p.to_be_bytes().to_vec()), mpint(q.to_be_bytes().to_vec()));
    let pair = ssh_key::private::RsaKeypair::new(public, private.unwrap()).unwrap();
    PrivateKey::new(KeypairData::Rsa(pair), COMMENT).unwrap()
}

/// SEC 1's DER of an ECDSA key with NIST P-256.
pub fn sec1(key: &PrivateKey) -> Vec<u8> {
    let Some(pair) = key.key_data().ecdsa() else { panic!("an ECDSA key") };
    let oid = const_oid::db::rfc5912::SECP_256_R_1;
    let made = sec1::EcPrivateKey {
        private_key: pair.private_key_bytes(),
        parameters: Some(sec1::EcParameters::NamedCurve(oid)),
        public_key: Some(pair.public_key_bytes()),
    };
    made.to_der().unwrap()
}
