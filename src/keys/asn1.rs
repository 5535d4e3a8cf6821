//! DER: the one home of der, pkcs1, pkcs8, sec1 and spki structures.

use super::FoundKey;
use crate::finding::{Layout, Rule};

/// A private key that stood at the start of some bytes.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The key.
    pub key: FoundKey,
    /// How many bytes its structure takes, header included.
    pub len: usize,
    /// Which structure it was.
    pub layout: Layout,
}

/// The private key that `der` starts with: PKCS#1, PKCS#8 (plain or encrypted), SEC 1 or PKCS#12. What follows it does not
/// matter.
#[must_use]
pub fn private_key(der: &[u8]) -> Option<Parsed> {
    let _ = der;
    None
}

/// Modulus and exponent (most significant byte first, no leading zeros) of the RSA public key that `der` starts with, and
/// its length in bytes: a SubjectPublicKeyInfo or PKCS#1's RSAPublicKey.
#[must_use]
pub fn rsa_public(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>, usize)> {
    let _ = der;
    None
}

/// Every rule that this folder can make findings of.
#[must_use]
pub fn rules() -> Vec<Rule> {
    Vec::new()
}
