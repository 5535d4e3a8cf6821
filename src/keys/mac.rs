//! HMAC with the hashes of SHA-2, as JSON Web Tokens are signed with it (RFC 7518, section 3.2).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

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

#[cfg(test)]
mod tests {
    use super::*;

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
