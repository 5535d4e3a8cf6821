//! Names for secrets that only the holder of a key can make or compare.
//!
//! A digest of a short secret gives it away to whoever tries all short secrets. A keyed one does not, and is the same for
//! the same secret wherever it stands and in whatever form: it is made of what the secret *is*, never of its place.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::vault::{Identity, SecretBytes};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Bytes of a fingerprint that are told: with 128 bits no two secrets share one by chance.
const TOLD: usize = 16;

/// Bytes of a key's id.
const ID_BYTES: usize = 8;

/// What fingerprints are made with. Whoever has it can try guesses, so it stays with those who compare.
pub struct FingerprintKey {
    key: SecretBytes,
    id: String,
}

impl FingerprintKey {
    /// The key of these bytes, which must have been chosen at random.
    #[must_use]
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        let key = SecretBytes::new(key);
        let id = hex(&tag(&key, b"key id", &[]), ID_BYTES);
        Self { key, id }
    }

    /// The key's public name: fingerprints of different keys cannot be compared, and this tells them apart.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The fingerprint of a secret: `fp1:`, the key's id, and 128 bits of HMAC-SHA256 in hexadecimal.
    #[must_use]
    pub fn of(&self, identity: &Identity) -> String {
        format!("fp1:{}:{}", self.id, hex(&tag(&self.key, b"secret", &identity.0), TOLD))
    }

    /// The key's bytes, to be written to its file.
    #[must_use]
    pub fn secret(&self) -> &SecretBytes {
        &self.key
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[fingerprint key {}]", self.id)
    }
}

/// HMAC-SHA256 of `bytes`, kept apart by `purpose` from what the key does otherwise.
fn tag(key: &SecretBytes, purpose: &[u8], bytes: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length; this one is never refused.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else { return Vec::new() };
    mac.chain_update(b"dumpscrub ")
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(bytes)
        .finalize()
        .into_bytes()
        .to_vec()
}

fn hex(bytes: &[u8], most: usize) -> String {
    bytes.iter().take(most).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_names_the_secret_and_the_key() {
        let (a, b) = (FingerprintKey::new([1; 32]), FingerprintKey::new([2; 32]));
        let (one, two) = (Identity::of_bytes(b"one"), Identity::of_bytes(b"two"));
        assert_eq!(a.of(&one), a.of(&Identity::of_bytes(b"one")));
        assert_ne!(a.of(&one), a.of(&two));
        assert_ne!(a.of(&one), b.of(&one));
        assert!(a.of(&one).starts_with(&format!("fp1:{}:", a.id())));
        assert_eq!(a.of(&one).len(), "fp1::".len() + 16 + 32);
        assert_ne!(a.id(), b.id());
    }

    /// RFC 4231, test case 2, so that what the crate is asked for is what the RFC means.
    #[test]
    fn the_tag_is_that_of_the_rfc() {
        let mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap().chain_update(b"what do ya want for nothing?");
        assert_eq!(
            hex(&mac.finalize().into_bytes(), 32),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_key_does_not_print() {
        assert!(!format!("{:?}", FingerprintKey::new([0x5a; 32])).contains("5a5a"));
    }
}
