//! Key blobs of the older CryptoAPI, as `CryptExportKey` writes them, PVK files hold them and .NET's `ExportCspBlob` gives
//! them: a header, a magic, sizes, and the numbers one after the other, least significant byte first.
//!
//! Source of the layouts: the documentation of `wincrypt.h` (BLOBHEADER, RSAPUBKEY, DSSPUBKEY, DSSPRIVKEY_VER3, DHPUBKEY,
//! DHPRIVKEY_VER3, "Base Provider Key BLOBs", "DSS Version 3 Private Key BLOBs"). An RSA blob is known by its magic alone,
//! since its numbers prove it: the header in front of it is what a freed block loses first.

use std::ops::Range;

use super::cng::RsaSizes;
use super::structure::{Fields, site_of};
use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::hunt::Clue;
use crate::keys::fragment::looks_random;
use crate::keys::number::Number;
use crate::keys::rsa::MODULUS_BITS;
use crate::keys::rsa_parts::{LONGEST, RsaParts};
use crate::keys::{FoundKey, asn1, dsa, symmetric};
use crate::vault::SecretBytes;
use crate::window::Window;

/// Bytes of an RSA-16384 blob.
const REACH: usize = 32 + 5 * LONGEST;
/// Bytes of the header before an RSA magic.
const HEADER: usize = 8;
/// Bytes from an RSA magic to the first number.
const RSA_HEADER: usize = 12;
/// Bits of the modulus of DSA and Diffie-Hellman.
const GROUP_BITS: std::ops::RangeInclusive<usize> = 512..=4096;
/// Bytes of q and x in the first version of DSA's blob.
const Q: usize = 20;
/// Bytes of a counter and a seed, from which p and q were made.
const SEED: usize = 24;

/// Finds the private keys of CryptoAPI's blobs, and tells the public ones.
pub struct Capi;

impl Detector for Capi {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().chain([symmetric::rule()]).collect()
    }

    fn trigger(&self) -> Trigger {
        let ciphers = CIPHERS.iter().map(|(algorithm, ..)| Literal::binary(&identifier(*algorithm)));
        Trigger::Literals(BLOBS.iter().map(|(magic, _)| Literal::binary(magic)).chain(ciphers).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: HEADER, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let at = candidate.at;
        let bytes = window.slice(at..at.saturating_add(REACH));
        let blob = match (BLOBS.get(candidate.literal), CIPHERS.get(candidate.literal.saturating_sub(BLOBS.len()))) {
            (Some((_, read)), _) => read(bytes),
            (None, Some((_, name, lens))) if is_plain_key(window, at) => cipher_key(bytes, name, lens),
            _ => None,
        };
        let Some(blob) = blob else { return };
        out.clues.extend(blob.clue);
        // Without its header, a magic of four letters is believed only if arithmetic says the same.
        let is_cipher = candidate.literal >= BLOBS.len();
        let known = |key: &FoundKey| is_cipher || key.evidence == Evidence::Proven || has_header(window, at);
        if let Some(key) = blob.key.filter(known) {
            let place = |range: Range<usize>| at + range.start..at + range.end;
            let site = site_of(window, place(0..blob.private.end), place(blob.private));
            let form = Form { layout: Layout::Capi, encoding: Encoding::LittleEndian, piece: blob.piece };
            out.hits.push(key.at(site, form));
        }
    }
}

/// What a blob holds.
struct Blob {
    key: Option<FoundKey>,
    piece: Piece,
    private: Range<usize>,
    clue: Option<Clue>,
}

type Read = fn(&[u8]) -> Option<Blob>;
type Prove = fn(&dsa::Numbers) -> Option<FoundKey>;

/// The magics, and who reads what follows.
const BLOBS: &[(&[u8], Read)] =
    &[(b"RSA1", rsa), (b"RSA2", rsa), (b"DSS2", dsa_v2), (b"DSS4", dsa_v3), (b"DH2\0", dh_v2), (b"DH4\0", dh_v3)];

/// Algorithms of PLAINTEXTKEYBLOBs, by number and name, with the lengths that a key can have.
const CIPHERS: &[(u16, &str, Range<usize>)] = &[
    (0x6601, "DES", 8..9),
    (0x6602, "RC2", 5..129),
    (0x6603, "3DES", 24..25),
    (0x6609, "3DES-112", 16..17),
    (0x660e, "AES-128", 16..17),
    (0x660f, "AES-192", 24..25),
    (0x6610, "AES-256", 32..33),
    (0x6611, "AES", 16..33),
    (0x6801, "RC4", 5..17),
    (0x8009, "HMAC", 8..257),
];

/// The algorithm as a header ends with it. It triggers, and not the type and version before it: 0x208 stands everywhere.
fn identifier(algorithm: u16) -> [u8; 4] {
    u32::from(algorithm).to_le_bytes()
}

/// Algorithm, bytes of the key, the key.
fn cipher_key(bytes: &[u8], name: &str, lens: &Range<usize>) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = fields.size().filter(|len| lens.contains(len))?;
    let private = fields.at()..fields.at() + len;
    let key = symmetric::symmetric_key(fields.take(len)?, name)?;
    Some(Blob { key: Some(key), piece: Piece::Whole, private, clue: None })
}

/// Whether the header of a private key stands before the magic at `at`: type 7, version 2 or 3, and what the key is for: RSA
/// exchange (0xA400) or signatures (0x2400), DSA (0x2200), Diffie-Hellman of two kinds (0xAA01, 0xAA02).
fn has_header(window: &Window<'_>, at: usize) -> bool {
    let header = at.checked_sub(HEADER).map(|start| window.slice(start..at));
    matches!(header, Some([7, 2 | 3, 0, 0, 0, 0xa4 | 0x24 | 0x22, 0, 0] | [7, 2 | 3, 0, 0, 1 | 2, 0xaa, 0, 0]))
}

/// Whether type 8 and version 2 stand before the algorithm at `at`.
fn is_plain_key(window: &Window<'_>, at: usize) -> bool {
    at.checked_sub(4).map(|start| window.slice(start..at)) == Some(&[8, 2, 0, 0])
}

/// Magic, bits of n, e in 4 bytes; then n, and p, q, dp, dq, qinv and d if it is private.
fn rsa(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    let is_private = fields.take(4)? == b"RSA2";
    if RsaSizes::read(&mut fields.clone()).is_some() {
        return None;
    }
    let bits = fields.u32().filter(|bits| MODULUS_BITS.contains(bits) && bits.is_multiple_of(16))?;
    let e = fields.take(4).filter(|e| e.first().is_some_and(|low| low & 1 == 1))?;
    let full = usize::try_from(bits / 8).ok()?;
    // What the end of the image cuts off is not there; what is may be enough.
    let mut number = |len| be(fields.take(len).unwrap_or_default());
    let (n, half) = (number(full), if is_private { full / 2 } else { 0 });
    let [p, q, dp, dq, qinv] = [half; 5].map(&mut number);
    let d = number(2 * half);
    let start = (RSA_HEADER + full).min(bytes.len());
    let private = start..bytes.len().min(start + 7 * half);
    let parts = RsaParts([n, be(e), d, p, q, dp, dq, qinv]);
    let key = is_private.then(|| parts.key()).flatten();
    let clue = if key.is_some() { None } else { parts.public_key() };
    Some(Blob { key, piece: Piece::Whole, private, clue })
}

/// Magic, bits of p; then p, q, g, x, a counter and a seed. y is not there.
fn dsa_v2(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = group_len(&mut fields)?;
    let [p, q, g] = [fields.take(len)?, fields.take(Q)?, fields.take(len)?];
    group_key(fields, [p, q, g, &[]], Q, dsa::dsa_key)
}

/// Magic, bits of p; then p, g, x, all of that length. y is not there.
fn dh_v2(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = group_len(&mut fields)?;
    let [p, g] = [fields.take(len)?, fields.take(len)?];
    group_key(fields, [p, &[], g, &[]], len, dsa::dh_key)
}

/// Magic, bits of p, q, j and x, a counter and a seed; then p, q, g, j, y, x. Diffie-Hellman may come without q.
fn v3(bytes: &[u8], prove: Prove) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = group_len(&mut fields)?;
    let mut bytes_of = || fields.size().map(|bits| bits.div_ceil(8)).filter(|&bytes| bytes <= len);
    let [q, j, x] = [bytes_of()?, bytes_of()?, bytes_of()?];
    fields.take(SEED)?;
    let [p, q, g, _, y] = [fields.take(len)?, fields.take(q)?, fields.take(len)?, fields.take(j)?, fields.take(len)?];
    group_key(fields, [p, q, g, y], x, prove)
}

fn dsa_v3(bytes: &[u8]) -> Option<Blob> {
    v3(bytes, dsa::dsa_key)
}

fn dh_v3(bytes: &[u8]) -> Option<Blob> {
    v3(bytes, dsa::dh_key)
}

/// The bytes of p, whose bits come next.
fn group_len(fields: &mut Fields<'_>) -> Option<usize> {
    fields.size().filter(|bits| GROUP_BITS.contains(bits) && bits.is_multiple_of(8)).map(|bits| bits / 8)
}

/// The key of p, q (empty where the format has none), g, y (too), and of x, which comes next and has `len` bytes.
fn group_key(mut fields: Fields<'_>, [p, q, g, y]: [&[u8]; 4], len: usize, prove: Prove) -> Option<Blob> {
    let private = fields.at()..fields.at() + len;
    let x = fields.take(len)?;
    // A power costs milliseconds: text and tables must not reach it.
    if !looks_random(p) {
        return None;
    }
    let number = |bytes: &[u8]| Number::from_be(be(bytes).expose());
    let there = |bytes: &[u8]| (!bytes.is_empty()).then(|| number(bytes));
    let numbers = dsa::Numbers { p: number(p), q: there(q), g: number(g), y: there(y), x: number(x) };
    Some(Blob { key: Some(prove(&numbers)?), piece: Piece::D, private, clue: None })
}

/// The bytes of a number, most significant first.
fn be(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.iter().rev().copied().collect::<Vec<u8>>())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::detect::testing::{clues, hit, hits, rsa_key};
    use crate::keys::dsa::tests::fresh;
    use crate::keys::testing::noise;
    use ::rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

    /// n, e, d, p, q, dp, dq, qinv of a key, most significant byte first, padded to the sizes that blobs have.
    pub(crate) fn rsa_numbers(seed: u64, bits: usize) -> [Vec<u8>; 8] {
        let key = rsa_key(seed, bits);
        let [p, q] = key.primes() else { panic!("two primes") };
        let (full, half) = (bits / 8, bits / 16);
        let pad = |bytes: &[u8], len: usize| {
            let minimal: Vec<u8> = bytes.iter().copied().skip_while(|&b| b == 0).collect();
            [vec![0; len - minimal.len()], minimal].concat()
        };
        [
            pad(&key.n().to_be_bytes(), full),
            pad(&key.e().to_be_bytes(), 3),
            pad(&key.d().to_be_bytes(), full),
            pad(&p.to_be_bytes(), half),
            pad(&q.to_be_bytes(), half),
            pad(&key.dp().unwrap().to_be_bytes(), half),
            pad(&key.dq().unwrap().to_be_bytes(), half),
            pad(&key.crt_coefficient().unwrap().to_be_bytes(), half),
        ]
    }

    fn le(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().rev().copied().collect()
    }

    fn int(value: usize) -> Vec<u8> {
        (value as u32).to_le_bytes().to_vec()
    }

    fn rsa_blob(numbers: &[Vec<u8>; 8], algorithm: u8) -> Vec<u8> {
        let [n, _, d, p, q, dp, dq, qinv] = numbers;
        let head = [&[7, 2, 0, 0, 0, algorithm, 0, 0][..], b"RSA2", &int(8 * n.len()), &int(65537)].concat();
        [head, [n, p, q, dp, dq, qinv, d].map(|n| le(n)).concat()].concat()
    }

    fn surrounded(blob: &[u8]) -> Vec<u8> {
        [&noise(77, 3), blob, &noise(99, 9)].concat()
    }

    #[test]
    fn a_private_key_blob_is_proven_and_its_private_half_is_the_site() {
        for (bits, algorithm) in [(1024, 0x24), (2048, 0xa4)] {
            let blob = rsa_blob(&rsa_numbers(1, bits), algorithm);
            let hit = hit(&Capi, &surrounded(&blob));
            assert_eq!((hit.rule.as_str(), hit.evidence), ("rsa-private-key", Evidence::Proven));
            assert_eq!(hit.public.kind, format!("RSA-{bits}"));
            assert_eq!(hit.form, Form::whole(Layout::Capi, Encoding::LittleEndian));
            assert_eq!(hit.range, 77 + 20 + bits / 8..77 + blob.len());
        }
    }

    #[test]
    fn a_blob_without_its_header_or_with_a_damaged_number_is_proven() {
        let blob = rsa_blob(&rsa_numbers(1, 1024), 0xa4);
        let whole = hit(&Capi, &blob);
        let bare = hit(&Capi, &blob[8..]);
        assert_eq!(bare.secret.identity(), whole.secret.identity());
        for at in (20..blob.len() - 16).step_by(64) {
            let mut damaged = blob.clone();
            damaged[at..at + 16].copy_from_slice(&noise(16, at as u64));
            let hit = hit(&Capi, &damaged);
            assert_eq!((hit.evidence, hit.secret.identity()), (Evidence::Proven, whole.secret.identity()), "{at}");
        }
        for keep in (20 + 128 + 64..blob.len()).step_by(40) {
            let cut = hit(&Capi, &blob[..keep]);
            assert_eq!((cut.evidence, cut.range), (Evidence::Proven, 20 + 128..keep), "{keep}");
        }
    }

    #[test]
    fn a_public_key_blob_is_a_clue_and_a_wiped_private_one_too() {
        let [n, ..] = rsa_numbers(1, 1024);
        let public = [&b"\x06\x02\0\0\0\xa4\0\0RSA1"[..], &int(1024), &int(65537), &le(&n)].concat();
        let clue = Clue::RsaPublicKey { modulus: n, exponent: vec![1, 0, 1] };
        assert_eq!(clues(&Capi, &surrounded(&public)), std::slice::from_ref(&clue));
        assert!(hits(&Capi, &public).is_empty());
        let mut wiped = rsa_blob(&rsa_numbers(1, 1024), 0xa4);
        wiped[20 + 128..].fill(0);
        assert_eq!(clues(&Capi, &wiped), [clue]);
        assert!(hits(&Capi, &wiped).is_empty());
    }

    #[test]
    fn a_key_whose_numbers_do_not_fit_needs_its_header() {
        let mut blob = rsa_blob(&rsa_numbers(1, 1024), 0xa4);
        blob[20 + 128..].copy_from_slice(&noise(5 * 64 + 128, 7));
        for number in 0..5 {
            blob[20 + 128 + 64 * number + 63] |= 0x80;
        }
        assert_eq!(hit(&Capi, &blob).evidence, Evidence::Parsed);
        assert!(hits(&Capi, &blob[8..]).is_empty());
    }

    #[test]
    fn dsa_and_diffie_hellman_are_read_in_both_versions() {
        let key = fresh(1024, 160);
        let number = |n: &Number, len: usize| {
            let bytes = n.to_be();
            le(&[vec![0; len - bytes.len()], bytes].concat())
        };
        let [p, g, y] = [&key.p, &key.g, key.y.as_ref().unwrap()].map(|n| number(n, 128));
        let (q, x) = (number(key.q.as_ref().unwrap(), 20), number(&key.x, 20));
        let dsa_v2 = [&b"\x07\x02\0\0\0\x22\0\0DSS2"[..], &int(1024), &p, &q, &g, &x, &[0xff; 24]].concat();
        let sizes = [1024, 160, 0, 160].map(int).concat();
        let v3 = |head: &[u8]| [head, &sizes, &[0xff; 24], &p, &q, &g, &y, &x].concat();
        let wide_x = number(&key.x, 128);
        let dh_v2 = [&b"\x07\x02\0\0\x01\xaa\0\0DH2\0"[..], &int(1024), &p, &g, &wide_x].concat();
        let dsa_v3 = v3(b"\x07\x03\0\0\0\x22\0\0DSS4");
        let dh_v3 = v3(b"\x07\x03\0\0\x02\xaa\0\0DH4\0");
        for (blob, kind, evidence, tail) in [
            (dsa_v2, "DSA-1024", Evidence::Parsed, 24..44),
            (dsa_v3, "DSA-1024", Evidence::Proven, 0..20),
            (dh_v2, "DH-1024", Evidence::Parsed, 0..128),
            (dh_v3, "DH-1024", Evidence::Proven, 0..20),
        ] {
            let found = hit(&Capi, &surrounded(&blob));
            assert_eq!((found.rule.as_str(), found.public.kind.as_str()), ("private-key", kind));
            assert_eq!((found.evidence, found.form.piece), (evidence, Piece::D));
            let end = 77 + blob.len();
            // A short x in a long field is random in its low bytes only.
            assert_eq!(found.range, end - tail.end..end - tail.start);
        }
    }

    #[test]
    fn plain_keys_of_ciphers_are_parsed() {
        for (algorithm, name, lens) in CIPHERS {
            let key = noise(lens.end - 1, 5);
            let blob = [&[8, 2, 0, 0], &identifier(*algorithm)[..], &int(key.len()), &key].concat();
            let found = hit(&Capi, &surrounded(&blob));
            assert_eq!((found.rule.as_str(), found.public.kind.as_str()), (symmetric::RULE, *name));
            assert_eq!((found.evidence, found.range), (Evidence::Parsed, 77 + 12..77 + blob.len()));
            let wiped = [&blob[..12], &vec![0; key.len()]].concat();
            assert!(hits(&Capi, &wiped).is_empty());
            let lie = [&blob[..8], &int(lens.end), &key, &[1]].concat();
            assert!(hits(&Capi, &lie).is_empty());
        }
    }

    #[test]
    fn hostile_bytes_cost_little_and_say_nothing() {
        let work = crate::detect::testing::Work::begin();
        for (magic, _) in BLOBS {
            for size in [0, 512, 4096, 16384, u32::MAX as usize] {
                let unit = [magic, &int(size)[..], &int(3), &int(64)].concat();
                assert!(hits(&Capi, &unit.repeat(2000)).is_empty());
                assert!(hits(&Capi, &[&unit[..], &vec![0xff; 9000]].concat()).is_empty());
            }
        }
        assert!(work.seconds() < 20);
    }
}
