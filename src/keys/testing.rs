//! Fresh keys for tests: nothing that protects anything, and nothing that is checked in.

use ::aes::Aes256;
use ::rsa::PrivateKey;
use ::rsa::pkcs1::EncodeRsaPrivateKey as _;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use sha2::{Digest as _, Sha512};
use ssh_key::encoding::Encode as _;
use ssh_key::{Algorithm, EcdsaCurve};

/// A key of so many bits.
pub(crate) fn rsa_key(bits: usize) -> PrivateKey {
    PrivateKey::new_unchecked(&mut rand::rng(), bits).unwrap()
}

/// PKCS#1's DER of a fresh key.
pub(crate) fn pkcs1(bits: usize) -> Vec<u8> {
    rsa_key(bits).to_pkcs1_der().unwrap().as_bytes().to_vec()
}

/// A DER element.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = content.len();
    let header = match len {
        0..0x80 => vec![tag, len as u8],
        0x80..0x100 => vec![tag, 0x81, len as u8],
        _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
    };
    [header, content].concat()
}

/// Bytes that look random and are the same every time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// A fresh key as OpenSSH serializes it in memory, with its padding: Ed25519, or ECDSA with P-256.
pub(crate) fn ssh_serialized(ed25519: bool) -> Vec<u8> {
    let algorithm = if ed25519 { Algorithm::Ed25519 } else { Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } };
    let key = ssh_key::PrivateKey::random(&mut rand::rng(), algorithm).unwrap();
    let mut bytes = key.key_data().encode_vec().unwrap();
    (1..=16_u8).take(15 - (bytes.len() + 15) % 16).for_each(|n| bytes.push(n));
    bytes
}

/// A serialized key as OpenSSH shields it under a prekey.
pub(crate) fn ssh_shielded(prekey: &[u8], plain: &[u8]) -> Vec<u8> {
    let digest: [u8; 64] = Sha512::digest(prekey).into();
    let mut bytes = plain.to_vec();
    let (key, counter) = (digest.first_chunk::<32>().unwrap(), digest[32..].first_chunk::<16>().unwrap());
    Ctr128BE::<Aes256>::new(key.into(), counter.into()).apply_keystream(&mut bytes);
    bytes
}
