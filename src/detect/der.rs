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

/// A modulus with its exponent is a clue: somewhere else may stand one of its primes. So that noise gives none, the exponent
/// is the usual one, or a SEQUENCE holds just the two.
fn tell_public_key(chain: &Chain, bytes: &[u8], out: &mut Hits) {
    for pair in chain.integers.windows(2) {
        let [modulus, exponent] = pair else { continue };
        let number = |integer: &Integer| bytes.get(integer.value.clone()).map(Number::from_be);
        let (Some(n), Some(e)) = (number(modulus), number(exponent)) else { continue };
        let usual = e.to_u64() == Some(65537);
        if rsa::is_public_key(&n, &e) && (usual || is_sequence_of(bytes, modulus, exponent)) {
            out.clues.push(Clue::RsaPublicKey { modulus: n.to_be(), exponent: e.to_be() });
        }
    }
}

/// Whether a SEQUENCE begins right before the first INTEGER and ends right behind the second.
fn is_sequence_of(bytes: &[u8], first: &Integer, second: &Integer) -> bool {
    let starts = (3..=4).filter_map(|header| first.start.checked_sub(header));
    let mut lens = starts.filter_map(|start| Some(start + asn1::sequence_len(bytes.get(start..)?)?));
    lens.any(|end| end == second.value.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{element, noise, pkcs1, rsa_key};
    use ::rsa::pkcs8::EncodePrivateKey as _;
    use proptest::prelude::*;

    fn sweep(bytes: &[u8]) -> Hits {
        let mut out = Hits::default();
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        for at in (0..bytes.len()).filter(|&at| triggers(bytes, at)) {
            Der.confirm(Candidate { at, literal: 0, wide: false }, &window, &mut out);
        }
        let Trigger::Literals(literals) = EncryptedDer.trigger() else { return out };
        for (literal, Literal { bytes: oid, .. }) in literals.iter().enumerate() {
            for at in memchr::memmem::find_iter(bytes, oid) {
                EncryptedDer.confirm(Candidate { at, literal, wide: false }, &window, &mut out);
            }
        }
        out
    }

    fn surrounded(der: &[u8]) -> Vec<u8> {
        [&noise(700, 3), der, &noise(300, 9)].concat()
    }

    fn only(out: &Hits) -> &Hit {
        assert_eq!(out.hits.len(), 1, "{:?}", out.hits);
        &out.hits[0]
    }

    #[test]
    fn a_whole_pkcs1_structure_is_told_once_and_proven() {
        for bits in [512, 1024, 2048] {
            let der = pkcs1(bits);
            let out = sweep(&surrounded(&der));
            let hit = only(&out);
            assert_eq!((hit.evidence, hit.range.clone()), (Evidence::Proven, 700..700 + der.len()));
            assert_eq!(hit.form, Form::whole(Layout::Pkcs1, Encoding::Plain));
            assert_eq!(hit.public.kind, format!("RSA-{bits}"));
        }
    }

    #[test]
    fn pkcs8_hides_the_pkcs1_inside_it() {
        let der = rsa_key(1024).to_pkcs8_der().unwrap();
        let out = sweep(&surrounded(der.as_bytes()));
        assert_eq!(only(&out).form.layout, Layout::Pkcs8);
        assert_eq!(only(&out).range, 700..700 + der.as_bytes().len());
    }

    /// Every number of leading bytes is overwritten once. Proven while dp, dq and qinv are whole; afterwards nothing
    /// but the public key can prove it, and that is the hunter's work.
    #[test]
    fn a_key_whose_head_is_overwritten_is_proven_as_long_as_three_numbers_stand() {
        for bits in [1024, 2048] {
            let der = pkcs1(bits);
            let whole = sweep(&der).hits[0].secret.identity();
            let three_left = der.len() - 3 * (bits / 16 + 4);
            for cut in 0..der.len() {
                let mut image = surrounded(&der);
                image[700..700 + cut].copy_from_slice(&noise(cut, 77));
                let out = sweep(&image);
                let same = out.hits.iter().filter(|hit| hit.secret.identity() == whole).count();
                assert!(same <= 1, "{cut}: told {same} times");
                assert!(same == 1 || cut + 12 > three_left, "{cut} of {} is not proven", der.len());
                assert!(out.hits.iter().all(|hit| hit.evidence == Evidence::Proven), "{cut}");
                if cut > three_left + bits / 16 {
                    assert!(out.hits.is_empty());
                }
            }
        }
    }

    /// And so with the tail: proven while n, e and d stand.
    #[test]
    fn a_key_whose_tail_is_overwritten_is_proven_as_long_as_d_stands() {
        let der = pkcs1(1024);
        let behind_d = 4 + 3 + (3 + 129) + 5 + (3 + 129);
        for keep in behind_d..der.len() {
            let mut image = surrounded(&der[..keep]);
            image.extend(noise(der.len(), 5));
            let out = sweep(&image);
            let proven = out.hits.iter().filter(|hit| hit.evidence == Evidence::Proven).count();
            assert_eq!(proven, 1, "{keep} of {}", der.len());
        }
    }

    #[test]
    fn a_structure_with_one_damaged_prime_is_still_proven_and_one_with_none_is_parsed() {
        let der = pkcs1(1024);
        let damaged = |at: &[usize]| {
            let mut image = surrounded(&der);
            at.iter().for_each(|at| image[700 + at..708 + at].copy_from_slice(&noise(8, 21)));
            sweep(&image)
        };
        let d = 4 + 3 + 132 + 5 + 40;
        assert_eq!(only(&damaged(&[d])).evidence, Evidence::Proven);
        let primes = [d + 132, d + 132 + 67];
        assert_eq!(only(&damaged(&primes)).evidence, Evidence::Proven, "n, e and d are whole");
        let out = damaged(&[d, primes[0], primes[1], primes[1] + 66, primes[1] + 132]);
        assert_eq!((only(&out).evidence, only(&out).rule.as_str()), (Evidence::Parsed, rsa::RULE));
        assert_eq!(only(&out).public.context.len(), 1);
    }

    fn pbes2() -> Vec<u8> {
        let scheme =
            element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", &element(0x30, &[&noise(40, 8)])]);
        element(0x30, &[&scheme, &element(4, &[&noise(160, 4)])])
    }

    #[test]
    fn encrypted_keys_and_key_stores_are_parsed() {
        let out = sweep(&surrounded(&pbes2()));
        assert_eq!((only(&out).rule.as_str(), only(&out).evidence), (ENCRYPTED, Evidence::Parsed));
        assert_eq!(only(&out).range, 700..700 + pbes2().len());
        let data = element(0xa0, &[&element(4, &[&noise(900, 6)])]);
        let content = element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", &data]);
        let store = element(0x30, &[&[2, 1, 3], &content]);
        let out = sweep(&surrounded(&store));
        assert_eq!((only(&out).rule.as_str(), only(&out).form.layout), ("pkcs12-keystore", Layout::Pkcs12));
    }

    #[test]
    fn a_key_store_longer_than_the_margin_is_followed_into_the_image() {
        let data = element(0xa0, &[&element(4, &[&noise(60_000, 6)])]);
        let content = element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", &data]);
        let bytes = surrounded(&element(0x30, &[&[2, 1, 3], &content]));
        let image = crate::image::Image::from_bytes("t", bytes.clone());
        let pieces = [crate::span::Span::new(0, 4096)];
        let window = Window::new(&bytes[..4096], 0..1024, &pieces, &[]).with_image(&image);
        let mut out = Hits::default();
        Der.confirm(Candidate { at: 704, literal: 0, wide: false }, &window, &mut out);
        assert_eq!(only(&out).range, 700..bytes.len() - 300);
    }

    #[test]
    fn an_ec_key_in_pkcs8_and_alone() {
        let scalar = element(4, &[&noise(32, 12)]);
        let curve: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        let sec1 = element(0x30, &[&[2, 1, 1], &scalar, &element(0xa0, &[curve])]);
        let out = sweep(&surrounded(&sec1));
        assert_eq!((only(&out).public.kind.as_str(), only(&out).form.layout), ("P-256", Layout::Sec1));
        let algorithm = element(0x30, &[b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", curve]);
        let inner = element(4, &[&element(0x30, &[&[2, 1, 1], &scalar])]);
        let pkcs8 = element(0x30, &[&[2, 1, 0], &algorithm, &inner]);
        let wrapped = sweep(&surrounded(&pkcs8));
        assert_eq!(only(&wrapped).form.layout, Layout::Pkcs8);
        assert_eq!(only(&wrapped).secret.identity(), only(&out).secret.identity());
    }

    #[test]
    fn the_result_does_not_depend_on_the_window() {
        let der = pkcs1(1024);
        let bytes = surrounded(&der[9..]);
        let whole = sweep(&bytes);
        for at in 0..bytes.len() {
            let mut out = Hits::default();
            for owned in [0..at, at..bytes.len()] {
                let window = Window::new(&bytes, owned.clone(), &[], &[]);
                for at in owned.filter(|&at| triggers(&bytes, at)) {
                    Der.confirm(Candidate { at, literal: 0, wide: false }, &window, &mut out);
                }
            }
            assert_eq!(only(&out).range, only(&whole).range);
        }
    }

    #[test]
    fn a_public_key_is_a_clue_and_no_hit() {
        let der = pkcs1(1024);
        let out = sweep(&surrounded(&der[7..4 + 3 + 132 + 5]));
        assert!(out.hits.is_empty());
        assert_eq!(out.clues.len(), 1);
    }

    #[test]
    fn random_bytes_give_nothing() {
        let out = sweep(&noise(16 << 20, 0x1234_5678_9abc_def1));
        assert!(out.hits.is_empty() && out.clues.is_empty(), "{:?}", out.hits);
    }

    #[test]
    fn pairs_of_integers_that_are_no_key_are_silent() {
        let int = |len: usize, seed| element(2, &[&[0x11], &noise(len - 1, seed)]);
        let signature = element(0x30, &[&int(66, 1), &int(66, 2)]);
        let dsa = element(0x30, &[&int(256, 3), &int(32, 4), &int(256, 5)]);
        let dh = element(0x30, &[&int(256, 6), &[2, 1, 2]]);
        assert!(sweep(&[signature.clone(), signature, dsa, dh].concat()).hits.is_empty());
    }

    proptest! {
        #[test]
        fn lies_about_lengths_never_panic(
            mut der in prop::sample::select(vec![pbes2(), pkcs1(512), element(0x30, &[&[2, 1, 3, 0x30, 0x84, 0xff, 0xff, 0xff, 0xff]])]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            for (at, to) in changes {
                let at = at.index(der.len());
                der[at] = to;
            }
            let _ = sweep(&der);
            let cut = cut.index(der.len());
            let _ = (sweep(&der[cut..]), sweep(&der[..cut]), asn1::private_key(&der[cut..]), asn1::rsa_public(&der));
        }

        #[test]
        fn nested_headers_never_panic(bytes in prop::collection::vec(prop::sample::select(vec![0x30_u8, 2, 1, 0, 3, 4, 0x80, 0x81, 0x82, 0x83, 0x84, 0xff, 0x40, 0x41, 6, 9, 0xa0]), 0..600)) {
            let _ = (sweep(&bytes), asn1::private_key(&bytes), asn1::rsa_public(&bytes));
        }
    }
}
