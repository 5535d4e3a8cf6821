//! The secrets of a TLS 1.3 connection and how each follows from another (RFC 8446, section 7.1). The one home of `hkdf`.

use hkdf::Hkdf;
use sha2::{Digest as _, Sha256, Sha384};

use super::mac;
use crate::vault::SecretBytes;

/// The hash of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Suites with AES-128 or ChaCha20.
    Sha256,
    /// Suites with AES-256.
    Sha384,
}

impl Hash {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha384];

    /// Bytes of a secret.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// The early secret of a connection that resumes no other: it is made of zeros only, so it is the same for all.
    #[must_use]
    pub fn early(self) -> SecretBytes {
        self.extract(&[])
    }

    /// The master secret that follows from the handshake secret.
    #[must_use]
    pub fn master(self, handshake: &[u8]) -> SecretBytes {
        let nothing = match self {
            Self::Sha256 => Sha256::digest([]).to_vec(),
            Self::Sha384 => Sha384::digest([]).to_vec(),
        };
        self.extract(self.derived(handshake, b"derived", &nothing, self.size()).expose())
    }

    /// HKDF-Expand-Label: `len` bytes that follow from a secret, a label and a context. No bytes where the secret is too short.
    #[must_use]
    pub fn derived(self, secret: &[u8], label: &[u8], context: &[u8], len: usize) -> SecretBytes {
        let mut out = vec![0; len];
        let of = |part: &[u8]| [&[part.len() as u8], part].concat();
        let info = [&(len as u16).to_be_bytes()[..], &of(&[b"tls13 ", label].concat()), &of(context)].concat();
        let made = match self {
            Self::Sha256 => Hkdf::<Sha256>::from_prk(secret).is_ok_and(|kdf| kdf.expand(&info, &mut out).is_ok()),
            Self::Sha384 => Hkdf::<Sha384>::from_prk(secret).is_ok_and(|kdf| kdf.expand(&info, &mut out).is_ok()),
        };
        SecretBytes::new(if made { out } else { Vec::new() })
    }

    /// The key of `len` bytes, no more than the hash has, that a traffic secret gives (RFC 8446, section 7.3): [`Self::derived`] with the
    /// label of keys, in as little work as that takes.
    #[must_use]
    pub fn record_key(self, secret: &[u8], len: u8) -> SecretBytes {
        let info = [0, len, 9, b't', b'l', b's', b'1', b'3', b' ', b'k', b'e', b'y', 0, 1];
        let mut key = self.mac().code(secret, &info);
        key.truncate(len.into());
        SecretBytes::new(key)
    }

    fn mac(self) -> mac::Hash {
        match self {
            Self::Sha256 => mac::Hash::Sha256,
            Self::Sha384 => mac::Hash::Sha384,
        }
    }

    /// HKDF-Extract of as many zeros as the hash has bytes.
    fn extract(self, salt: &[u8]) -> SecretBytes {
        let zeros = &vec![0; self.size()];
        SecretBytes::new(match self {
            Self::Sha256 => Hkdf::<Sha256>::extract(Some(salt), zeros).0.to_vec(),
            Self::Sha384 => Hkdf::<Sha384>::extract(Some(salt), zeros).0.to_vec(),
        })
    }
}

/// The first bytes of the keys of a TLS 1.2 connection (RFC 5246, sections 5 and 6.3): what follows from the master secret and the two
/// random numbers of the handshake, the server's first.
#[must_use]
pub fn key_block(hash: Hash, master: &[u8], randoms: &[u8], len: usize) -> SecretBytes {
    pseudo_random(hash, master, &[b"key expansion", randoms].concat(), len)
}

/// `P_hash`: `len` bytes that follow from a secret and a seed.
fn pseudo_random(hash: Hash, secret: &[u8], seed: &[u8], len: usize) -> SecretBytes {
    let (mac, mut chain, mut made) = (hash.mac(), seed.to_vec(), Vec::new());
    while made.len() < len {
        chain = mac.code(secret, &chain);
        made.extend(mac.code(secret, &[&chain[..], seed].concat()));
    }
    made.truncate(len);
    SecretBytes::new(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        base16ct::lower::decode_vec(text).unwrap()
    }

    #[test]
    fn the_secrets_of_rfc_8448_come_out() {
        // Section 3, "Simple 1-RTT Handshake".
        let handshake = hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
        let master = hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919");
        let transcript = hex("9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13");
        let server = hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
        let hash = Hash::Sha256;
        assert_eq!(hash.master(&handshake).expose(), master);
        assert_eq!(hash.derived(&master, b"s ap traffic", &transcript, 32).expose(), server);
        assert_eq!(hash.derived(&server, b"key", &[], 16).expose(), hex("9f02283b6c9c07efc26bb9f2ac92e356"));
    }

    #[test]
    fn the_early_secret_is_a_constant() {
        let early = "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a";
        assert_eq!(Hash::Sha256.early().expose(), hex(early));
        let early = "7ee8206f5570023e6dc7519eb1073bc4e791ad37b5c382aa10ba18e2357e716971f9362f2c2fe2a76bfd78dfec4ea9b5";
        assert_eq!(Hash::Sha384.early().expose(), hex(early));
    }

    #[test]
    fn a_record_key_is_what_the_label_of_keys_gives() {
        for (hash, len) in [(Hash::Sha256, 16), (Hash::Sha256, 32), (Hash::Sha384, 32)] {
            let secret = vec![7; hash.size()];
            assert!(hash.record_key(&secret, len) == hash.derived(&secret, b"key", &[], len.into()));
        }
    }

    #[test]
    fn a_key_block_is_that_of_the_ietf_s_test_vector() {
        // The vector for P_SHA256 that the TLS working group's list has, of 100 bytes, under the label "test label".
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let (secret, seed) = (hex("9bbe436ba940f017b17652849a71db35"), hex("a0ba9f936cda311827a6f796ffd5198c"));
        let made = pseudo_random(Hash::Sha256, &secret, &[b"test label", &seed[..]].concat(), 100);
        assert!(made.expose().starts_with(&hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")));
        assert_eq!(made.len(), 100);
    }
}
