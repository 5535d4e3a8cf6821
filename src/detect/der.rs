//! Private keys in DER: whole structures, and the INTEGERs of an RSA key whose structure is gone.
//!
//! A structure is known by the version INTEGER that stands first in it and by what comes next, for example
//! `30 82 04 A4 | 02 01 00 | 02 82 01 01 00 ...` for PKCS#1. The version triggers, the SEQUENCE header is looked for before
//! it, and the structure is parsed from there. Where that fails, the INTEGER may belong to a chain ([`fragment`]); the first
//! INTEGER of the chain that triggers owns the hit, so that a chain is told once, from whichever window.

use std::borrow::Cow;

use super::{Candidate, Detector, Hit, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::hunt::Clue;
use crate::keys::asn1::{self, Parsed};
use crate::keys::fragment::{self, Chain, Integer};
use crate::keys::number::Number;
use crate::keys::rsa;
use crate::window::Window;

/// Longer than any structure but PKCS#12, which is followed through the image: RSA-16384 takes 9.3 KiB.
const REACH: usize = 32 << 10;
/// How far before an inner structure the version of the PKCS#8 around it can stand: the parameters of RSASSA-PSS take most.
const WRAPPER: usize = 128;
/// The rule of what [`EncryptedDer`] finds.
const ENCRYPTED: &str = "encrypted-private-key";

/// Finds plain private keys.
pub struct Der;

impl Detector for Der {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().filter(|rule| rule.id != ENCRYPTED).collect()
    }

    fn trigger(&self) -> Trigger {
        Trigger::DerInteger
    }

    fn reach(&self) -> Reach {
        Reach { before: REACH, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        match structure(window, candidate.at) {
            Some((start, parsed)) => tell_structure(window, start, parsed, out),
            None => tell_chain(window, candidate.at, out),
        }
    }
}

/// Finds private keys under a password, by the identifier of the password-based encryption.
pub struct EncryptedDer;

impl Detector for EncryptedDer {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().filter(|rule| rule.id == ENCRYPTED).collect()
    }

    fn trigger(&self) -> Trigger {
        // PKCS#5 (PBES2 and the older schemes) and PKCS#12's own schemes; the last byte of each tells which.
        let pkcs5 = Literal::binary(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05");
        let pkcs12 = Literal::binary(b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01");
        Trigger::Literals(vec![pkcs5, pkcs12])
    }

    fn reach(&self) -> Reach {
        Reach { before: 16, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let algorithms = headers_before(window, candidate.at);
        let starts = algorithms.into_iter().flat_map(|algorithm| headers_before(window, algorithm));
        let mut keys = starts.filter_map(|start| Some((start, parse(window, start, REACH)?)));
        if let Some((start, parsed)) = keys.find(|(_, parsed)| parsed.key.rule == ENCRYPTED) {
            push(start, parsed, out);
        }
    }
}

/// The structure whose version INTEGER is at `at`, and where it starts.
fn structure(window: &Window<'_>, at: usize) -> Option<(usize, Parsed)> {
    let longest = match window.slice(at..at.saturating_add(4)) {
        [2, 1, 0 | 1, 2 | 0x30] | [2, 1, 1, 4] => REACH,
        [2, 1, 3, 0x30] => asn1::LONGEST,
        _ => return None,
    };
    let starts = headers_before(window, at);
    starts.into_iter().find_map(|start| Some((start, parse(window, start, longest)?)))
}

/// Where a SEQUENCE can start whose content begins at `at`.
fn headers_before(window: &Window<'_>, at: usize) -> Vec<usize> {
    let header = |len: usize| {
        let start = at.checked_sub(len)?;
        let fits = match window.slice(start..at) {
            [0x30, 0..=0x7f] => len == 2,
            [0x30, more @ 0x81..=0x83, ..] => usize::from(*more & 0x0f) + 2 == len,
            _ => false,
        };
        fits.then_some(start)
    };
    (2..=5).filter_map(header).collect()
}

/// The key that starts at `start`, if its structure is no longer than `longest`.
fn parse(window: &Window<'_>, start: usize, longest: usize) -> Option<Parsed> {
    let len = asn1::sequence_len(window.slice(start..start.saturating_add(8))).filter(|&len| len <= longest)?;
    let seen = window.slice(start..start.saturating_add(len));
    // A PKCS#12 file may be longer than the margin. What begins like one is read in full only if its first fields fit.
    let bytes = if seen.len() < len && is_pkcs12(seen) { window.follow(start, len) } else { Cow::Borrowed(seen) };
    asn1::private_key(&bytes)
}

/// Whether it begins like PKCS#12: somewhere in the first bytes stands the identifier of PKCS#7 contents.
fn is_pkcs12(seen: &[u8]) -> bool {
    let head = seen.get(..seen.len().min(32)).unwrap_or_default();
    memchr::memmem::find(head, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07").is_some()
}

fn tell_structure(window: &Window<'_>, start: usize, parsed: Parsed, out: &mut Hits) {
    let inner = matches!(parsed.layout, Layout::Pkcs1 | Layout::Sec1) && is_wrapped(window, start, parsed.len);
    // A key store inside a key store is told by the outer one.
    let stored = |hit: &Hit| hit.form.layout == Layout::Pkcs12 && hit.range.contains(&start);
    let nested = parsed.layout == Layout::Pkcs12 && out.hits.iter().rev().take(8).any(stored);
    if !inner && !nested {
        push(start, parsed, out);
    }
}

/// Whether the structure of `len` bytes at `start` is the inner part of a PKCS#8 key, whose own version tells it.
fn is_wrapped(window: &Window<'_>, start: usize, len: usize) -> bool {
    let versions = (start.saturating_sub(WRAPPER)..start).rev();
    let mut versions = versions.filter(|&at| matches!(window.slice(at..at + 4), [2, 1, 0 | 1, 0x30]));
    versions
        .any(|at| structure(window, at).is_some_and(|(outer, parsed)| outer + parsed.len >= start.saturating_add(len)))
}

fn push(start: usize, parsed: Parsed, out: &mut Hits) {
    let Parsed { key, len, layout } = parsed;
    out.hits.push(key.at(start..start.saturating_add(len), Form::whole(layout, Encoding::Plain)));
}

/// Tells the chain of INTEGERs that the one at `at` belongs to, if it is the one that owns it.
fn tell_chain(window: &Window<'_>, at: usize, out: &mut Hits) {
    let bytes = window.bytes();
    let Some(chain) = owned_chain(bytes, at) else { return };
    match fragment::found(&chain, bytes) {
        Some(key) => {
            let form = Form { layout: Layout::DerFragment, encoding: Encoding::Plain, piece: Piece::Fragment };
            if key.evidence != Evidence::Proven {
                tell_public_key(&chain, bytes, out);
            }
            out.hits.push(key.at(chain.range(), form));
        }
        None => tell_public_key(&chain, bytes, out),
    }
}

fn owned_chain(bytes: &[u8], at: usize) -> Option<Chain> {
    Integer::at(bytes, at)?;
    let start = fragment::chain_start(bytes, at);
    let holds = |chain: &Chain| chain.integers.iter().any(|integer| integer.start == at);
    let chain = fragment::chain(bytes, start).filter(holds).or_else(|| fragment::chain(bytes, at))?;
    let owner = chain.integers.iter().find(|integer| triggers(bytes, integer.start))?;
    (owner.start == at).then_some(chain)
}

/// The second bytes that the prefilter lets through: see [`Trigger::DerInteger`].
fn triggers(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at.saturating_add(2)), Some([2, 0x01 | 0x40 | 0x41 | 0x81 | 0x82]))
}

/// A modulus with its exponent is a clue: somewhere else may stand one of its primes.
fn tell_public_key(chain: &Chain, bytes: &[u8], out: &mut Hits) {
    for pair in chain.values(bytes).windows(2) {
        let [modulus, exponent] = pair else { continue };
        let (n, e) = (Number::from_be(modulus), Number::from_be(exponent));
        if exponent.len() <= 9 && rsa::is_public_key(&n, &e) {
            out.clues.push(Clue::RsaPublicKey { modulus: n.to_be(), exponent: e.to_be() });
        }
    }
}
