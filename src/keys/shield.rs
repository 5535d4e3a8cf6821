//! Unshielding: how OpenSSH hides the private keys that it holds in memory, undone.
//!
//! Source: `sshkey_shield_private` in OpenSSH's sshkey.c. The serialized key, padded to blocks of 16 bytes, is encrypted with
//! AES-256-CTR under the SHA-512 of 16 KiB of random bytes, the *prekey*: 32 bytes of key, then 16 of counter. It is
//! meant against reading a few bytes out of order; who has a dump has the prekey too. The one home of `aes` and `ctr`.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::{FoundKey, ssh};

/// Bytes of the prekey: `SSHKEY_SHIELD_PREKEY_LEN`.
pub const PREKEY: usize = 16 << 10;
/// Bytes of the block that a key is padded to.
pub const BLOCK: u64 = 16;
/// Bytes of the longest key that is read: RSA-16384 takes 9 KiB with its padding.
pub const LONGEST: u64 = 12 << 10;

/// The key that is hidden in `shielded` under `prekey`. That it reads as a key is the proof that the two belong together.
#[must_use]
pub fn unshield(prekey: &[u8], shielded: &[u8]) -> Option<FoundKey> {
    let digest = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(prekey)));
    let (key, rest) = digest.split_first_chunk::<32>()?;
    let counter = rest.first_chunk::<16>()?;
    let mut plain = Zeroizing::new(shielded.to_vec());
    Ctr128BE::<Aes256>::new(key.into(), counter.into()).apply_keystream(&mut plain);
    ssh::serialized(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Evidence;
    use crate::keys::testing::{noise, ssh_serialized, ssh_shielded};

    #[test]
    fn what_is_shielded_comes_out_again() {
        for (ed25519, rule) in [(true, "ed25519-private-key"), (false, "ec-private-key")] {
            let (prekey, plain) = (noise(PREKEY, 1), ssh_serialized(ed25519));
            let shielded = ssh_shielded(&prekey, &plain);
            let key = unshield(&prekey, &shielded).unwrap();
            assert_eq!((key.rule, key.evidence), (rule, Evidence::Proven));
            assert!(unshield(&noise(PREKEY, 2), &shielded).is_none());
            assert!(unshield(&prekey, &shielded[16..]).is_none());
            assert!(unshield(&prekey, &[]).is_none());
        }
    }
}
