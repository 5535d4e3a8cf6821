//! Key blobs of Windows CNG, as `BCryptExportKey` and `NCryptExportKey` write them and .NET keeps them: a magic of four
//! letters, sizes, and the numbers one after the other, most significant byte first.
//!
//! Source of the layouts: `bcrypt.h` and its documentation (BCRYPT_RSAKEY_BLOB, BCRYPT_ECCKEY_BLOB, BCRYPT_ECCFULLKEY_BLOB,
//! BCRYPT_DSA_KEY_BLOB and its V2, BCRYPT_DH_KEY_BLOB, BCRYPT_KEY_DATA_BLOB_HEADER). CNG's fourth form, PKCS#8, is DER like
//! any other. The magics `RSA1` and `RSA2` are those of the older CryptoAPI too ([`super::capi`]): there the exponent
//! follows the size and no lengths do.

use std::ops::Range;

use super::structure::{Fields, site_of};
use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Form, Layout, Piece, Rule};
use crate::hunt::Clue;
use crate::keys::fragment::looks_random;
use crate::keys::number::Number;
use crate::keys::rsa::MODULUS_BITS;
use crate::keys::rsa_parts::{LONGEST, RsaParts};
use crate::keys::{FoundKey, asn1, dsa, ec_parts, symmetric};
use crate::vault::SecretBytes;
use crate::window::Window;

/// Bytes of an RSA-16384 blob with all its numbers.
const REACH: usize = 32 + 5 * LONGEST;
/// Bytes of a coordinate or a scalar: curves of 112 to 640 bits exist.
const CURVE_BYTES: std::ops::RangeInclusive<usize> = 14..=80;
/// Bytes of the modulus of DSA and Diffie-Hellman.
const GROUP_BYTES: std::ops::RangeInclusive<usize> = 64..=512;
/// Bytes of q in the first version of DSA's blob, and of the seed that it was made from.
const Q: usize = 20;

/// Finds the private keys of CNG's blobs, and tells the public ones.
pub struct Cng;

impl Detector for Cng {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().chain([symmetric::rule()]).collect()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(BLOBS.iter().map(|(magic, _)| Literal::binary(magic)).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let at = candidate.at;
        let bytes = window.slice(at..at.saturating_add(REACH));
        let Some((_, read)) = BLOBS.get(candidate.literal) else { return };
        let Some(blob) = read(bytes) else { return };
        out.clues.extend(blob.clue);
        if let Some((key, piece)) = blob.key {
            let place = |range: Range<usize>| at + range.start..at + range.end;
            let site = site_of(window, place(0..blob.private.end), place(blob.private));
            out.hits.push(key.at(site, Form { layout: Layout::Cng, encoding: Encoding::Plain, piece }));
        }
    }
}

/// What a blob holds.
struct Blob {
    key: Option<(FoundKey, Piece)>,
    /// The bytes that are secret, which end the blob.
    private: Range<usize>,
    clue: Option<Clue>,
}

type Read = fn(&[u8]) -> Option<Blob>;

/// The magics, with the size behind it where it can be only one, and who reads what follows.
const BLOBS: &[(&[u8], Read)] = &[
    (b"RSA1", rsa),
    (b"RSA2", rsa),
    (b"RSA3", rsa),
    (b"ECS2\x20\0\0\0", |bytes| curve(bytes, "P-256")),
    (b"ECK2\x20\0\0\0", |bytes| curve(bytes, "P-256")),
    (b"ECS4\x30\0\0\0", |bytes| curve(bytes, "P-384")),
    (b"ECK4\x30\0\0\0", |bytes| curve(bytes, "P-384")),
    (b"ECS6\x42\0\0\0", |bytes| curve(bytes, "P-521")),
    (b"ECK6\x42\0\0\0", |bytes| curve(bytes, "P-521")),
    (b"ECKV", |bytes| curve(bytes, "").or_else(|| full_curve(bytes))),
    (b"ECDV", |bytes| curve(bytes, "").or_else(|| full_curve(bytes))),
    (b"DSPV", dsa_v1),
    (b"DPV2", dsa_v2),
    (b"DHPV", dh),
    (b"KDBM\x01\0\0\0", key_data),
];

/// Magic, bits of n, bytes of e, n, p and q; then e, n, and p and q if it is private, and dp, dq, qinv and d if it is full.
fn rsa(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    let magic = fields.take(4)?;
    let sizes = RsaSizes::read(&mut fields)?;
    let RsaSizes { e, n, p, q } = sizes;
    let lens = match magic {
        b"RSA1" => [e, n, 0, 0, 0, 0, 0, 0],
        b"RSA2" => [e, n, p, q, 0, 0, 0, 0],
        _ => [e, n, p, q, p, q, p, n],
    };
    let private = fields.at() + e + n;
    let end = bytes.len().min(fields.at() + lens.iter().sum::<usize>()).max(private);
    // What the end of the image cuts off is not there; what is may be enough.
    let mut number = |len| SecretBytes::new(fields.take(len).unwrap_or_default());
    let [e, n, p, q, dp, dq, qinv, d] = lens.map(&mut number);
    let parts = RsaParts([n, e, d, p, q, dp, dq, qinv]);
    let key = (magic != b"RSA1").then(|| parts.key()).flatten();
    let clue = if key.is_some() { None } else { parts.public_key() };
    Some(Blob { key: key.map(|key| (key, Piece::Whole)), private: private..end, clue })
}

/// The lengths of an RSA blob's numbers, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct RsaSizes {
    e: usize,
    n: usize,
    p: usize,
    q: usize,
}

impl RsaSizes {
    /// The sizes behind the magic, if they are those of a CNG blob.
    pub fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let bits = fields.u32().filter(|bits| MODULUS_BITS.contains(bits))?;
        let [e, n, p, q] = [fields.size()?, fields.size()?, fields.size()?, fields.size()?];
        let half = |len: usize| len == 0 || len.abs_diff(n.div_ceil(2)) <= n / 8;
        let fits = usize::try_from(bits.div_ceil(8)) == Ok(n) && (1..=8).contains(&e) && half(p) && half(q);
        fits.then_some(Self { e, n, p, q })
    }
}

/// Magic, bytes of a coordinate, then X, Y, d. `name` is the curve's, where the magic tells it.
fn curve(bytes: &[u8], name: &str) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = fields.size().filter(|len| CURVE_BYTES.contains(len))?;
    curve_key(fields, len, len, name)
}

/// Magic, version 1, the curve's type and how it was made, bytes of the field, of the order, of the cofactor and of the
/// seed; then the curve's numbers p, a, b, Gx, Gy, order, cofactor and seed, and the key's X, Y and d.
fn full_curve(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let (1, 1..=3, _) = (fields.u32()?, fields.u32()?, fields.u32()?) else { return None };
    let field = fields.size().filter(|len| CURVE_BYTES.contains(len))?;
    let order = fields.size().filter(|len| CURVE_BYTES.contains(len))?;
    let more = fields.size()?.checked_add(fields.size()?)?;
    fields.take(more.checked_add(5 * field + order)?)?;
    curve_key(fields, field, order, "")
}

fn curve_key(mut fields: Fields<'_>, coordinate: usize, scalar: usize, name: &str) -> Option<Blob> {
    let (x, y) = (fields.take(coordinate)?, fields.take(coordinate)?);
    // Tables of magics and sizes stand in libraries; a point is random.
    let key = if looks_random(x) { private(&mut fields, scalar, |d| ec_parts::key(name, x, y, d)) } else { None };
    key.map(|(key, private)| Blob::of_number(key, private))
}

/// Magic, bytes of p, a counter, the seed and q; then p, g, y, x.
fn dsa_v1(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = fields.size().filter(|len| GROUP_BYTES.contains(len))?;
    fields.take(4 + Q)?;
    let q = fields.take(Q)?;
    let group = [fields.take(len)?, q, fields.take(len)?, fields.take(len)?];
    group_key(fields, group, Q)
}

/// Magic, bytes of p, hash algorithm, version of the standard, bytes of the seed and of q, a counter; then the seed, q, p,
/// g, y, x.
fn dsa_v2(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = fields.size().filter(|len| GROUP_BYTES.contains(len))?;
    fields.take(8)?;
    let (seed, order) = (fields.size()?, fields.size().filter(|len| (Q..=64).contains(len))?);
    fields.take(seed.checked_add(4)?)?;
    let q = fields.take(order)?;
    let group = [fields.take(len)?, q, fields.take(len)?, fields.take(len)?];
    group_key(fields, group, order)
}

/// Magic, bytes of p; then p, g, y, x, all of that length.
fn dh(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(4)?;
    let len = fields.size().filter(|len| GROUP_BYTES.contains(len))?;
    let group = [fields.take(len)?, &[], fields.take(len)?, fields.take(len)?];
    group_key(fields, group, len)
}

/// The key of p, q (empty for Diffie-Hellman), g, y, and of x, which comes next and has `len` bytes.
fn group_key(mut fields: Fields<'_>, [p, q, g, y]: [&[u8]; 4], len: usize) -> Option<Blob> {
    // A power costs milliseconds: text and tables must not reach it.
    if !looks_random(p) || !looks_random(y) {
        return None;
    }
    let [p, g, y] = [p, g, y].map(Number::from_be);
    let order = (!q.is_empty()).then(|| Number::from_be(q));
    let key = |x: &[u8]| {
        let numbers = dsa::Numbers { p, q: order, g, y: Some(y), x: Number::from_be(x) };
        if numbers.q.is_some() { dsa::dsa_key(&numbers) } else { dsa::dh_key(&numbers) }
    };
    let (key, private) = private(&mut fields, len, key)?;
    Some(Blob::of_number(key, private))
}

/// Magic, version 1, bytes of the key, the key.
fn key_data(bytes: &[u8]) -> Option<Blob> {
    let mut fields = Fields::new(bytes);
    fields.take(8)?;
    let len = fields.size().filter(|len| (8..=64).contains(len) && len.is_multiple_of(8))?;
    let (key, private) =
        private(&mut fields, len, |key| symmetric::symmetric_key(key, &format!("{}-bit key", 8 * len)))?;
    Some(Blob { key: Some((key, Piece::Whole)), private, clue: None })
}

/// The key that the next `len` bytes make, and where they stand.
fn private(
    fields: &mut Fields<'_>,
    len: usize,
    key: impl FnOnce(&[u8]) -> Option<FoundKey>,
) -> Option<(FoundKey, Range<usize>)> {
    let start = fields.at();
    let key = key(fields.take(len)?)?;
    Some((key, start..start + len))
}

impl Blob {
    fn of_number(key: FoundKey, private: Range<usize>) -> Self {
        Self { key: Some((key, Piece::D)), private, clue: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::capi::Capi;
    use crate::detect::capi::tests::rsa_numbers;
    use crate::detect::testing::{clues, hit, hits, pkcs8, rsa_key};
    use crate::finding::Evidence;
    use crate::keys::dsa::tests::fresh;
    use crate::keys::testing::{element, noise};
    use elliptic_curve::sec1::ToSec1Point as _;

    fn int(value: usize) -> Vec<u8> {
        (value as u32).to_le_bytes().to_vec()
    }

    fn surrounded(blob: &[u8]) -> Vec<u8> {
        [&noise(77, 3), blob, &noise(99, 9)].concat()
    }

    fn rsa_blob(magic: &[u8], numbers: &[Vec<u8>; 8]) -> Vec<u8> {
        let [n, e, d, p, q, dp, dq, qinv] = numbers;
        let of: &[&Vec<u8>] = match magic {
            b"RSA1" => &[e, n],
            b"RSA2" => &[e, n, p, q],
            _ => &[e, n, p, q, dp, dq, qinv, d],
        };
        let primes = if magic == b"RSA1" { [0, 0] } else { [p.len(), q.len()] };
        let sizes = [8 * n.len(), e.len(), n.len(), primes[0], primes[1]].map(int).concat();
        let numbers: Vec<u8> = of.iter().flat_map(|n| n.iter().copied()).collect();
        [magic, &sizes, &numbers].concat()
    }

    #[test]
    fn rsa_blobs_of_both_lengths_are_proven_and_are_not_taken_for_the_older_kind() {
        for bits in [1024, 2048] {
            let numbers = rsa_numbers(1, bits);
            for magic in [b"RSA2", b"RSA3"] {
                let blob = surrounded(&rsa_blob(magic, &numbers));
                let hit = hit(&Cng, &blob);
                assert_eq!((hit.rule.as_str(), hit.evidence), ("rsa-private-key", Evidence::Proven));
                assert_eq!(hit.form, Form::whole(Layout::Cng, Encoding::Plain));
                assert_eq!(hit.range, 77 + 24 + 3 + bits / 8..blob.len() - 99);
                assert!(hits(&Capi, &blob).is_empty() && clues(&Capi, &blob).is_empty());
            }
        }
    }

    #[test]
    fn a_damaged_or_cut_blob_is_proven_by_what_is_left() {
        let blob = rsa_blob(b"RSA3", &rsa_numbers(1, 1024));
        let whole = hit(&Cng, &blob);
        for at in (24 + 3..blob.len() - 16).step_by(64) {
            let mut damaged = blob.clone();
            damaged[at..at + 16].copy_from_slice(&noise(16, at as u64));
            let hit = hit(&Cng, &damaged);
            assert_eq!((hit.evidence, hit.secret.identity()), (Evidence::Proven, whole.secret.identity()), "{at}");
        }
        let private = 24 + 3 + 128;
        for keep in (private + 64..blob.len()).step_by(40) {
            let cut = hit(&Cng, &blob[..keep]);
            assert_eq!((cut.evidence, cut.range), (Evidence::Proven, private..keep), "{keep}");
        }
    }

    #[test]
    fn a_public_blob_is_a_clue() {
        let numbers = rsa_numbers(1, 1024);
        let blob = rsa_blob(b"RSA1", &numbers);
        let clue = Clue::RsaPublicKey { modulus: numbers[0].clone(), exponent: vec![1, 0, 1] };
        assert_eq!(clues(&Cng, &surrounded(&blob)), [clue]);
        assert!(hits(&Cng, &blob).is_empty());
    }

    /// X and Y, and d, of a fresh key.
    fn point(curve: &str) -> (Vec<u8>, Vec<u8>) {
        macro_rules! of {
            ($curve:ty, $len:expr) => {{
                let mut d = noise($len, rand::random());
                // Below the order, which has 521 bits in 66 bytes.
                d[0] = 0;
                let key = elliptic_curve::SecretKey::<$curve>::from_slice(&d).unwrap();
                (key.public_key().as_affine().to_sec1_point(false).as_bytes()[1..].to_vec(), d)
            }};
        }
        match curve {
            "P-256" => of!(p256::NistP256, 32),
            "P-384" => of!(p384::NistP384, 48),
            "P-521" => of!(p521::NistP521, 66),
            _ => of!(k256::Secp256k1, 32),
        }
    }

    #[test]
    fn every_private_magic_of_curves_is_proven() {
        for (magic, curve) in [
            (b"ECS2", "P-256"),
            (b"ECK2", "P-256"),
            (b"ECS4", "P-384"),
            (b"ECK4", "P-384"),
            (b"ECS6", "P-521"),
            (b"ECK6", "P-521"),
            (b"ECKV", "P-384"),
            (b"ECDV", "secp256k1"),
        ] {
            let (xy, d) = point(curve);
            let blob = surrounded(&[&magic[..], &int(d.len()), &xy, &d].concat());
            let hit = hit(&Cng, &blob);
            assert_eq!(
                (hit.rule.as_str(), hit.evidence, hit.public.kind.as_str()),
                ("ec-private-key", Evidence::Proven, curve)
            );
            assert_eq!((hit.form.piece, &blob[hit.range.clone()]), (Piece::D, &d[..]));
        }
    }

    #[test]
    fn a_blob_that_spells_its_curve_out_is_proven() {
        let (xy, d) = point("secp256k1");
        let sizes = [1, 1, 0, 32, 32, 1, 20].map(int).concat();
        let blob = surrounded(&[b"ECDV", &sizes[..], &noise(6 * 32 + 21, 4), &xy, &d].concat());
        let hit = hit(&Cng, &blob);
        assert_eq!((hit.evidence, hit.public.kind.as_str()), (Evidence::Proven, "secp256k1"));
        assert_eq!(&blob[hit.range.clone()], &d[..]);
    }

    #[test]
    fn a_curve_that_is_not_computed_is_parsed_and_a_table_of_magics_is_nothing() {
        let (xy, d) = (noise(48, 1), noise(24, 2));
        let found = hit(&Cng, &surrounded(&[b"ECDV", &int(24)[..], &xy, &d].concat()));
        assert_eq!((found.rule.as_str(), found.evidence), ("ec-private-key", Evidence::Parsed));
        let table: Vec<u8> =
            BLOBS.iter().flat_map(|(magic, _)| [magic, &int(32)[..], &int(7), &[0; 90]].concat()).collect();
        assert!(hits(&Cng, &table).is_empty());
    }

    #[test]
    fn dsa_and_diffie_hellman_are_proven() {
        for (q_bits, len) in [(160, 20), (256, 32)] {
            let key = fresh(1024, q_bits);
            let number = |n: &Number, len: usize| {
                let bytes = n.to_be();
                [vec![0; len - bytes.len()], bytes].concat()
            };
            let [p, g, y] = [&key.p, &key.g, key.y.as_ref().unwrap()].map(|n| number(n, 128));
            let (q, x) = (number(key.q.as_ref().unwrap(), len), number(&key.x, len));
            let v1 = [b"DSPV", &int(128)[..], &[0xff; 24], &q, &p, &g, &y, &x].concat();
            let sizes = [128, 1, 1, 32, len].map(int).concat();
            let v2 = [b"DPV2", &sizes[..], &[0xff; 4], &noise(32, 1), &q, &p, &g, &y, &x].concat();
            let dh = [b"DHPV", &int(128)[..], &p, &g, &y, &number(&key.x, 128)].concat();
            for (blob, kind) in [(v1, "DSA-1024"), (v2, "DSA-1024"), (dh, "DH-1024")] {
                if kind == "DSA-1024" && len == 32 && blob.starts_with(b"DSPV") {
                    continue;
                }
                let bytes = surrounded(&blob);
                let found = hit(&Cng, &bytes);
                assert_eq!((found.rule.as_str(), found.public.kind.as_str()), ("private-key", kind));
                assert_eq!((found.evidence, found.form.piece), (Evidence::Proven, Piece::D));
                assert!(bytes[found.range.clone()].ends_with(&x));
            }
        }
    }

    /// NCRYPT_PKCS8_PRIVATE_KEY_BLOB: Windows adds the key's usage as an attribute.
    #[test]
    fn pkcs8_as_windows_writes_it_is_read_by_the_der_detector() {
        let plain = pkcs8(&rsa_key(1, 1024));
        let usage = b"\xa0\x0d\x30\x0b\x06\x03\x55\x1d\x0f\x31\x04\x03\x02\x00\x10";
        let der = element(0x30, &[&plain[4..], usage]);
        let found = asn1::private_key(&der).unwrap();
        assert_eq!((found.len, found.key.evidence), (der.len(), Evidence::Proven));
        let blob = hit(&Cng, &rsa_blob(b"RSA2", &rsa_numbers(1, 1024)));
        assert_eq!(found.key.secret.identity(), blob.secret.identity());
    }

    #[test]
    fn key_data_is_parsed() {
        for len in [16, 24, 32, 64] {
            let blob = [b"KDBM", &int(1)[..], &int(len), &noise(len, 5)].concat();
            let found = hit(&Cng, &surrounded(&blob));
            assert_eq!((found.rule.as_str(), found.evidence), (symmetric::RULE, Evidence::Parsed));
            assert_eq!((found.form.piece, found.range), (Piece::Whole, 77 + 12..77 + blob.len()));
        }
        let lies = [b"KDBM", &int(1)[..], &int(17), &noise(17, 5)].concat();
        assert!(hits(&Cng, &lies).is_empty());
    }

    #[test]
    fn hostile_bytes_cost_little_and_say_nothing() {
        let work = crate::detect::testing::Work::begin();
        for (magic, _) in BLOBS {
            for size in [0, 1, 32, 64, 512, 16384, u32::MAX as usize] {
                let unit = [magic, &int(size)[..], &int(3), &int(64), &int(32)].concat();
                assert!(hits(&Cng, &unit.repeat(2000)).is_empty());
                assert!(hits(&Cng, &[&unit[..], &vec![0xff; 9000]].concat()).is_empty());
            }
        }
        assert!(work.seconds() < 20);
    }
}
