//! Private keys of SSH: OpenSSH's `openssh-key-v1` and PuTTY's two blobs. The one home of `ssh-key`.
//!
//! Source of the layouts: OpenSSH's PROTOCOL.key, RFC 4251 section 5 (string, mpint), and the appendix "PPK file format" of
//! PuTTY's manual. The crate reads what is whole. What is cut is searched for the numbers that still prove a key:
//! `seed || public key` of Ed25519, point and scalar of ECDSA, `q^-1 mod p, p, q` of RSA.

use std::ops::Range;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use memchr::memmem;
use ssh_key::encoding::Decode as _;
use ssh_key::private::{EcdsaKeypair, Ed25519Keypair, KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{EcdsaCurve, Mpint, PrivateKey, PublicKey};

use super::asn1::Parsed;
use super::ec::ec_key;
use super::edwards::{ED25519, ed25519_key};
use super::number::Number;
use super::rsa::RsaNumbers;
use super::{FoundKey, public};
use crate::finding::{Evidence, Layout, PublicIdentity, Rule, Severity};
use crate::vault::Secret;

/// What the binary form begins with.
pub const MAGIC: &[u8] = b"openssh-key-v1\0";
/// The rule of SSH keys whose kind is not computed here: DSA, keys of a hardware token.
pub const RULE: &str = "openssh-private-key";
/// The rule of keys that a passphrase protects, the same as for PKCS#8.
pub const ENCRYPTED: &str = "encrypted-private-key";

/// How the names of kinds of keys begin; those of certificates go on behind.
const KINDS: [&str; 5] = ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp", "sk-", "ssh-dss"];

/// Places that are tried as one kind of number in one cut key: hostile bytes may claim any number of them.
const TRIES: usize = 16;
/// Bytes of the longest number: the modulus of RSA-16384 and the zero before it.
const LONGEST_NUMBER: usize = 2049;
/// Public exponents that SSH programs make, the present one first, for a key whose exponent is cut off.
const EXPONENTS: [u64; 4] = [65537, 35, 37, 3];

/// The rule that only this module makes findings of.
#[must_use]
pub fn rules() -> Vec<Rule> {
    vec![Rule::new(
        RULE,
        "SSH private key",
        Severity::Critical,
        "A private key of SSH of a kind that is not computed, such as DSA or the handle of a hardware token's key.",
        "Remove the public key from every authorized_keys file and server, and make a new pair.",
    )]
}

/// The key that `bytes` start with in OpenSSH's binary form. What follows it does not matter.
#[must_use]
pub fn private_key(bytes: &[u8]) -> Option<Parsed> {
    let frame = Frame::read(bytes)?;
    let whole = bytes.get(..frame.len)?;
    let key = if frame.cipher == b"none" {
        let read = PrivateKey::from_bytes(whole).ok();
        read.and_then(|key| found(key.key_data(), whole)).or_else(|| recover(whole).map(|(key, _)| key))?
    } else {
        encrypted(whole, PublicKey::from_bytes(frame.public).ok().as_ref().map(PublicKey::key_data))
    };
    Some(Parsed { key, len: frame.len, layout: Layout::OpenSsh })
}

/// The key that `bytes` start with as OpenSSH writes it to hold or send it: the name of its kind, then its numbers.
#[must_use]
pub fn serialized(bytes: &[u8]) -> Option<FoundKey> {
    let kind = string(&mut { bytes })?;
    if !is_kind(kind) {
        return None;
    }
    let read = KeypairData::decode(&mut { bytes }).ok();
    read.and_then(|key| found(&key, bytes)).or_else(|| recover(bytes).map(|(key, _)| key))
}

/// The key whose numbers stand in `bytes`, a part of an unencrypted key whose head or tail is gone, and where they stand.
/// Always proven. It looks no further than the next key's magic, so that many magics cost no more than one.
#[must_use]
pub fn recover(bytes: &[u8]) -> Option<(FoundKey, Range<usize>)> {
    let end = memmem::find_iter(bytes, MAGIC).find(|&at| at > 0).unwrap_or(bytes.len());
    let bytes = bytes.get(..end)?;
    recover_ed25519(bytes).or_else(|| recover_ecdsa(bytes)).or_else(|| recover_rsa(bytes))
}

/// The key of a PuTTY file: its public blob and its private one, unencrypted.
#[must_use]
pub fn putty(public: &[u8], private: &[u8]) -> Option<FoundKey> {
    let public = PublicKey::from_bytes(public).ok()?;
    let numbers = Mpints::new(private);
    match public.key_data() {
        KeyData::Rsa(public) => {
            let [d, p, q] = numbers.exactly()?;
            rsa_key(Number::from_be(public.n().as_bytes()), Number::from_be(public.e().as_bytes()), d, p, q)
        }
        // The seed is written as a number, so its leading zeros may be missing and one may be there too many.
        KeyData::Ed25519(public) => {
            let [seed] = numbers.exactly()?;
            ed25519_key(&padded(&seed, 32)?, Some(&public.0))
        }
        KeyData::Ecdsa(public) => {
            let [scalar] = numbers.exactly()?;
            let point = public.as_sec1_bytes();
            ec_key(oid(public.curve()), &padded(&scalar, scalar_len(point))?, Some(point))
        }
        other => Some(unknown(other.algorithm().as_str(), private)),
    }
}

/// A key that a passphrase protects; `public` is the public key that stands beside it in clear.
#[must_use]
pub fn encrypted(bytes: &[u8], public: Option<&KeyData>) -> FoundKey {
    let public = public.map(identity).unwrap_or_default();
    FoundKey { rule: ENCRYPTED, evidence: Evidence::Parsed, severity: None, public, secret: Secret::bytes(bytes) }
}

/// An encrypted PuTTY key: its public blob and its private one.
#[must_use]
pub fn putty_encrypted(public: &[u8], private: &[u8]) -> FoundKey {
    encrypted(private, PublicKey::from_bytes(public).ok().as_ref().map(PublicKey::key_data))
}

fn found(data: &KeypairData, bytes: &[u8]) -> Option<FoundKey> {
    match data {
        KeypairData::Rsa(key) => rsa(key),
        KeypairData::Ecdsa(key) => ecdsa(key),
        KeypairData::Ed25519(Ed25519Keypair { public, private }) => ed25519_key(&private.to_bytes(), Some(&public.0)),
        other => Some(unknown(other.algorithm().ok()?.as_str(), bytes)),
    }
}

fn rsa(key: &RsaKeypair) -> Option<FoundKey> {
    let number = |mpint: &Mpint| Number::from_be(mpint.as_bytes());
    let (public, private) = (key.public(), key.private());
    rsa_key(number(public.n()), number(public.e()), number(private.d()), number(private.p()), number(private.q()))
}

fn rsa_key(n: Number, e: Number, d: Number, p: Number, q: Number) -> Option<FoundKey> {
    let numbers = RsaNumbers::from_primes(p, q, e, Some(d))?;
    if numbers.n == n && numbers.prove() { numbers.into_found(Evidence::Proven) } else { None }
}

fn ecdsa(key: &EcdsaKeypair) -> Option<FoundKey> {
    ec_key(oid(key.curve()), key.private_key_bytes(), Some(key.public_key_bytes()))
}

fn unknown(kind: &str, bytes: &[u8]) -> FoundKey {
    let public = PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() };
    FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret: Secret::bytes(bytes) }
}

/// Whether it is the name of a kind of key, as lines of `authorized_keys` have it before the key.
#[must_use]
pub fn is_kind(name: &[u8]) -> bool {
    KINDS.iter().any(|known| name.starts_with(known.as_bytes()))
}

/// The public key in the form in which SSH sends it: the name of its kind, then its numbers. `None` for kinds that are not
/// computed: DSA, keys of a hardware token, certificates.
#[must_use]
pub fn public_key(bytes: &[u8]) -> Option<public::PublicKey> {
    of_data(PublicKey::from_bytes(bytes).ok()?.key_data())
}

fn of_data(data: &KeyData) -> Option<public::PublicKey> {
    match data {
        KeyData::Rsa(key) => {
            public::PublicKey::rsa(&Number::from_be(key.n().as_bytes()), &Number::from_be(key.e().as_bytes()))
        }
        KeyData::Ecdsa(key) => public::PublicKey::ec(oid(key.curve()), key.as_sec1_bytes()),
        KeyData::Ed25519(key) => public::PublicKey::edwards(ED25519, &key.0),
        _ => None,
    }
}

fn identity(data: &KeyData) -> PublicIdentity {
    let unknown = || PublicIdentity { kind: data.algorithm().as_str().to_owned(), ..PublicIdentity::default() };
    of_data(data).map_or_else(unknown, public::PublicKey::identity)
}

fn oid(curve: EcdsaCurve) -> ObjectIdentifier {
    match curve {
        EcdsaCurve::NistP256 => SECP_256_R_1,
        EcdsaCurve::NistP384 => SECP_384_R_1,
        EcdsaCurve::NistP521 => SECP_521_R_1,
    }
}

/// Bytes of a scalar on the curve of an uncompressed point: `04 X Y`.
fn scalar_len(point: &[u8]) -> usize {
    point.len() / 2
}

/// The outer frame of the binary form.
struct Frame<'a> {
    cipher: &'a [u8],
    public: &'a [u8],
    /// Of the whole key, in bytes.
    len: usize,
}

impl<'a> Frame<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let cipher = string(&mut rest)?;
        let (_kdf, _options) = (string(&mut rest)?, string(&mut rest)?);
        let keys = rest.split_off(..4)?;
        let public = string(&mut rest)?;
        let private = string(&mut rest)?;
        let plausible = keys == [0, 0, 0, 1] && cipher.len() < 64 && cipher.is_ascii() && private.len() >= 16;
        // These ciphers put their tag behind the private part.
        let tagged = [&b"aes128-gcm@openssh.com"[..], b"aes256-gcm@openssh.com", b"chacha20-poly1305@openssh.com"];
        if tagged.contains(&cipher) {
            rest.split_off(..16)?;
        }
        plausible.then(|| Self { cipher, public, len: bytes.len() - rest.len() })
    }
}

/// RFC 4251's string: its length in four bytes, then the bytes.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.first_chunk::<4>()?;
    let end = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(4)?;
    rest.split_off(..end)?.get(4..)
}

/// Numbers of RFC 4251 that follow each other. All numbers of a key are positive, so a zero that is missing before a set top
/// bit is forgiven, and so is one too many.
struct Mpints<'a>(&'a [u8]);

impl<'a> Mpints<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Exactly the first `N`.
    fn exactly<const N: usize>(self) -> Option<[Number; N]> {
        self.take(N).collect::<Vec<_>>().try_into().ok()
    }
}

impl Iterator for Mpints<'_> {
    type Item = Number;

    fn next(&mut self) -> Option<Number> {
        // No key has longer ones, and arithmetic with what hostile bytes claim would cost seconds.
        string(&mut self.0).filter(|bytes| bytes.len() <= LONGEST_NUMBER).map(Number::from_be)
    }
}

/// `number` in exactly `len` bytes.
fn padded(number: &Number, len: usize) -> Option<Vec<u8>> {
    let bytes = number.to_be();
    let mut padded = vec![0; len.checked_sub(bytes.len())?];
    padded.extend(bytes);
    Some(padded)
}

/// `uint32 64, seed, public key`; where the public key is cut off, the one before it: `uint32 32, public key, uint32 64`.
fn recover_ed25519(bytes: &[u8]) -> Option<(FoundKey, Range<usize>)> {
    let proven = |at: usize| {
        let seed = at + 4..at + 36;
        let public = bytes.get(at + 36..at + 68).or_else(|| bytes.get(at.checked_sub(32)?..at))?;
        Some((proven(ed25519_key(bytes.get(seed.clone())?, Some(public)))?, seed))
    };
    memmem::find_iter(bytes, &64_u32.to_be_bytes()).take(TRIES).find_map(proven)
}

/// `string "nistp256", string point, mpint scalar`.
fn recover_ecdsa(bytes: &[u8]) -> Option<(FoundKey, Range<usize>)> {
    let of_curve = |curve: EcdsaCurve| {
        let mut places = memmem::find_iter(bytes, curve.as_str()).take(TRIES);
        places.find_map(|at| ecdsa_at(bytes, curve, at + curve.as_str().len()))
    };
    [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521].into_iter().find_map(of_curve)
}

fn ecdsa_at(bytes: &[u8], curve: EcdsaCurve, at: usize) -> Option<(FoundKey, Range<usize>)> {
    let mut rest = bytes.get(at..)?;
    let point = string(&mut rest)?;
    let start = bytes.len() - rest.len();
    let scalar = Number::from_be(string(&mut rest)?);
    let key = ec_key(oid(curve), &padded(&scalar, scalar_len(point))?, Some(point));
    Some((proven(key)?, start..bytes.len() - rest.len()))
}

/// `mpint d, mpint q^-1 mod p, mpint p, mpint q`, where d may be gone.
fn recover_rsa(bytes: &[u8]) -> Option<(FoundKey, Range<usize>)> {
    let starts = (0..bytes.len()).filter(|&at| is_big_number(bytes, at));
    starts.take(TRIES).find_map(|start| {
        let mut numbers = Mpints::new(bytes.get(start..)?);
        let mut before = None;
        let (mut qinv, mut p) = (numbers.next()?, numbers.next()?);
        for _ in 0..4 {
            let q = numbers.next()?;
            if let Some(key) = prove_rsa(before.as_ref(), &qinv, &p, &q) {
                return Some((key, start..bytes.len() - numbers.0.len()));
            }
            (before, qinv, p) = (Some(qinv), p, q);
        }
        None
    })
}

/// Whether a number as long as a factor of a key may start at `at`: 32 to 2047 bytes.
fn is_big_number(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..at + 5) {
        Some(&[0, 0, high, low, first]) => (32..2048).contains(&u16::from_be_bytes([high, low])) && first < 0x80,
        _ => false,
    }
}

fn prove_rsa(d: Option<&Number>, qinv: &Number, p: &Number, q: &Number) -> Option<FoundKey> {
    if q.bits() < 128 || p.bits() < 128 || !qinv.times(q).rem(p)?.is_one() {
        return None;
    }
    let with = |e: u64, d: Option<&Number>| {
        let key = RsaNumbers::from_primes(p.clone(), q.clone(), Number::from(e), d.cloned())?;
        if key.prove() { key.into_found(Evidence::Proven) } else { None }
    };
    EXPONENTS.into_iter().find_map(|e| with(e, Some(d?))).or_else(|| EXPONENTS.into_iter().find_map(|e| with(e, None)))
}

fn proven(key: Option<FoundKey>) -> Option<FoundKey> {
    key.filter(|key| key.evidence == Evidence::Proven)
}
