//! HMAC with the hashes of SHA-2, as JSON Web Tokens are signed with it (RFC 7518, section 3.2).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The hash that a code is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// `HS256`.
    Sha256,
    /// `HS384`.
    Sha384,
    /// `HS512`.
    Sha512,
}

impl Hash {
    /// All of them, by the names that tokens give them.
    pub const NAMES: [(&'static str, Self); 3] =
        [("HS256", Self::Sha256), ("HS384", Self::Sha384), ("HS512", Self::Sha512)];

    /// Bytes of a code.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The code of `message` under `key`.
    #[must_use]
    pub fn code(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        macro_rules! code {
            ($hash:ty) => {
                // Of a key of any length there is a code.
                Hmac::<$hash>::new_from_slice(key)
                    .map_or_else(|_| Vec::new(), |mac| mac.chain_update(message).finalize().into_bytes().to_vec())
            };
        }
        match self {
            Self::Sha256 => code!(Sha256),
            Self::Sha384 => code!(Sha384),
            Self::Sha512 => code!(Sha512),
        }
    }

    /// Whether the code of `message` under `key` begins with `code`.
    #[must_use]
    pub fn signs(self, key: &[u8], message: &[u8], code: &[u8]) -> bool {
        self.code(key, message).starts_with(code)
    }
}

/// Whether a key is one that every handshake of TLS 1.3 without a pre-shared key begins with (RFC 8446, section 7.1): the secret of
/// nothing, and what is derived from it. Both are public.
#[must_use]
pub fn is_of_every_handshake(key: &[u8]) -> bool {
    let (hash, nothing) = match key.len() {
        32 => (Hash::Sha256, Sha256::digest([]).to_vec()),
        48 => (Hash::Sha384, Sha384::digest([]).to_vec()),
        _ => return false,
    };
    let zeros = vec![0; hash.size()];
    let early = hash.code(&zeros, &zeros);
    let size = hash.size() as u8;
    let label = [&[0, size, 13][..], b"tls13 derived", &[size], &nothing, &[1]].concat();
    key == early || key == hash.code(&early, &label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_secrets_of_rfc_8448_are_known() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        // Section 3, "extract secret early" and "derive secret for handshake".
        let early = hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
        let derived = hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba");
        assert!(is_of_every_handshake(&early) && is_of_every_handshake(&derived));
        assert!(!is_of_every_handshake(&[7; 32]) && !is_of_every_handshake(&early[1..]));
    }

    #[test]
    fn the_code_of_rfc_4231_holds_and_no_other() {
        // Test case 2.
        let (key, message) = (b"Jefe", b"what do ya want for nothing?");
        assert!(Hash::Sha256.signs(key, message, b"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e"));
        assert!(Hash::Sha384.signs(key, message, b"\xaf\x45\xd2\xe3\x76\x48\x40\x31"));
        assert!(Hash::Sha512.signs(key, message, b"\x16\x4b\x7a\x7b\xfc\xf8\x19\xe2"));
        assert!(!Hash::Sha512.signs(b"jefe", message, b"\x16\x4b\x7a\x7b\xfc\xf8\x19\xe2"));
    }
}
