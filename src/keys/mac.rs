//! HMAC with the hashes of SHA-2, as JSON Web Tokens are signed with it (RFC 7518, section 3.2), and as web frameworks sign
//! sessions, which make a key of their secret and of a word for what it signs. The one home of `sha1`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::block_api::{compress256, compress512};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

/// The hash that a code is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// `HS256`.
    Sha256,
    /// `HS384`.
    Sha384,
    /// `HS512`.
    Sha512,
    /// SHA-256, as express-session signs the ids of sessions.
    Express,
    /// SHA-256 under the SHA-256 of a word and the secret, as Django signs (`django.utils.crypto.salted_hmac`).
    Django,
    /// SHA-1 under a key that follows from a word and the secret, as itsdangerous signs; so do sessions of Flask.
    Itsdangerous,
}

/// The words with which Django's parts sign (`salt` of `django.core.signing.Signer` and what it appends).
const DJANGO: [&[u8]; 4] = [
    b"django.contrib.sessions.SessionStoresigner",
    b"django.contrib.sessions.backends.signed_cookiessigner",
    b"django.core.signingsigner",
    b"django.contrib.messagessigner",
];
/// Flask's word, and that of itsdangerous' own serializers.
const FLASK: &[u8] = b"cookie-session";
const ITSDANGEROUS: &[u8] = b"itsdangeroussigner";

impl Hash {
    /// All of them, by the names that tokens give them.
    pub const NAMES: [(&'static str, Self); 3] =
        [("HS256", Self::Sha256), ("HS384", Self::Sha384), ("HS512", Self::Sha512)];

    /// Bytes of a code.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Itsdangerous => 20,
            Self::Sha256 | Self::Express | Self::Django => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// What is signed.
    #[must_use]
    pub fn signs_what(self) -> &'static str {
        match self {
            Self::Sha256 | Self::Sha384 | Self::Sha512 => "signs JSON Web Tokens",
            Self::Express => "signs sessions of express-session",
            Self::Django => "signs what Django hands out",
            Self::Itsdangerous => "signs sessions of Flask, or what itsdangerous hands out",
        }
    }

    /// The code of `message` under `key`, without what frameworks make of a key before.
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
            Self::Sha256 | Self::Express | Self::Django => code!(Sha256),
            Self::Sha384 => code!(Sha384),
            Self::Sha512 => code!(Sha512),
            Self::Itsdangerous => code!(Sha1),
        }
    }

    /// Whether the code of `message` begins with `code`, under what the framework makes of the secret `key`.
    #[must_use]
    pub fn signs(self, key: &[u8], message: &[u8], code: &[u8]) -> bool {
        let under = |key: &[u8]| self.code(key, message).starts_with(code);
        match self {
            Self::Django => {
                DJANGO.iter().any(|word| under(&Sha256::new().chain_update(word).chain_update(key).finalize()))
            }
            Self::Itsdangerous => {
                under(&self.code(key, FLASK))
                    || under(&Sha1::new().chain_update(ITSDANGEROUS).chain_update(key).finalize())
            }
            _ => under(key),
        }
    }

    /// Bytes of a block.
    fn block(self) -> usize {
        if matches!(self, Self::Sha384 | Self::Sha512) { 128 } else { 64 }
    }

    /// The message in whole blocks, as it is hashed behind one block more (FIPS 180-4, section 5.1): a bit, zeros, and the number
    /// of bits.
    fn padded(self, message: &[u8]) -> Vec<u8> {
        let (block, count) = (self.block(), self.block() / 8);
        let bits = 8 * (block + message.len()) as u128;
        let len = (message.len() + 1 + count).next_multiple_of(block);
        let mut padded = [message, &[0x80]].concat();
        padded.resize(len - count, 0);
        padded.extend(bits.to_be_bytes().into_iter().skip(16 - count));
        padded
    }

    /// The hash of `message`.
    fn digest(self, message: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha256 | Self::Express | Self::Django => Sha256::digest(message).to_vec(),
            Self::Itsdangerous => Sha1::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        })
    }
}

/// The SHA-256 of `message`.
#[must_use]
pub fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// The key that WPA makes of a passphrase and of the name of a network (IEEE 802.11, J.4.1): PBKDF2 with 4096 rounds of HMAC-SHA1.
#[must_use]
pub fn wpa_key(passphrase: &[u8], network: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(pbkdf2::pbkdf2_hmac_array::<Sha1, 32>(passphrase, network, 4096))
}

/// Messages that are signed with one hash, and how their codes begin: worked out as far as it goes without the key, since
/// hundreds of thousands of keys are tried.
///
/// A key costs two blocks of the hash, however many messages there are; each of them costs its own blocks and one more.
#[derive(Debug)]
pub struct Signed {
    hash: Hash,
    messages: Vec<Message>,
    /// A block with room for a digest, which the outer hash is made of.
    digest: Vec<u8>,
}

#[derive(Debug)]
struct Message {
    /// With what the hash puts behind it, in whole blocks. One more stands before them, that of the key. As it is where the key is
    /// made of a secret first.
    blocks: Vec<u8>,
    /// How its code begins.
    code: Vec<u8>,
}

impl Signed {
    /// Messages, each with the beginning of its code.
    pub fn new<'m>(hash: Hash, messages: impl IntoIterator<Item = (&'m [u8], &'m [u8])>) -> Self {
        let is_made = matches!(hash, Hash::Django | Hash::Itsdangerous);
        let blocks = |message: &[u8]| if is_made { message.to_vec() } else { hash.padded(message) };
        let message = |(message, code): (&[u8], &[u8])| Message { blocks: blocks(message), code: code.to_vec() };
        let digest = hash.padded(&vec![0; hash.size()]);
        Self { hash, messages: messages.into_iter().map(message).collect(), digest }
    }

    /// How they are signed.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether the code of one of them under `key` begins as it should.
    #[must_use]
    pub fn is_by(&self, key: &[u8]) -> bool {
        match self.hash {
            Hash::Sha256 | Hash::Express => self.is_by_key::<[u32; 8], 64>(key),
            Hash::Sha384 | Hash::Sha512 => self.is_by_key::<[u64; 8], 128>(key),
            Hash::Django | Hash::Itsdangerous => {
                self.messages.iter().any(|message| self.hash.signs(key, &message.blocks, &message.code))
            }
        }
    }

    fn is_by_key<S: State<BLOCK>, const BLOCK: usize>(&self, key: &[u8]) -> bool {
        let digest = (key.len() > BLOCK).then(|| self.hash.digest(key));
        let key = digest.as_ref().map_or(key, |digest| digest.as_slice());
        let behind = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = S::first(self.hash);
            state.compress(&[block]);
            state
        };
        let (inner, outer, size) = (behind(0x36), behind(0x5c), self.hash.size());
        let mut digest_block = [0; BLOCK];
        digest_block.iter_mut().zip(&self.digest).for_each(|(to, from)| *to = *from);
        let code = |message: &Message| {
            let mut state = inner;
            state.compress(message.blocks.as_chunks().0);
            let mut last = digest_block;
            last.iter_mut().zip(state.octets()).take(size).for_each(|(byte, digest)| *byte = digest);
            let mut state = outer;
            state.compress(&[last]);
            state.octets()
        };
        let begins = |message: &Message| code(message).get(..size).is_some_and(|code| code.starts_with(&message.code));
        self.messages.iter().any(begins)
    }
}

/// What a hash has made of the blocks so far.
trait State<const BLOCK: usize>: Copy {
    fn first(hash: Hash) -> Self;
    fn compress(&mut self, blocks: &[[u8; BLOCK]]);
    /// The hash, where this was the last block: the first bytes of these.
    fn octets(&self) -> [u8; 64];
}

impl State<64> for [u32; 8] {
    fn first(_hash: Hash) -> Self {
        // FIPS 180-4, section 5.3.3.
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19]
    }

    fn compress(&mut self, blocks: &[[u8; 64]]) {
        compress256(self, blocks);
    }

    fn octets(&self) -> [u8; 64] {
        let mut octets = [0; 64];
        octets.as_chunks_mut().0.iter_mut().zip(self).for_each(|(to, word)| *to = word.to_be_bytes());
        octets
    }
}

impl State<128> for [u64; 8] {
    fn first(hash: Hash) -> Self {
        // FIPS 180-4, sections 5.3.4 and 5.3.5.
        if hash == Hash::Sha384 {
            [
                0xcbbb_9d5d_c105_9ed8,
                0x629a_292a_367c_d507,
                0x9159_015a_3070_dd17,
                0x152f_ecd8_f70e_5939,
                0x6733_2667_ffc0_0b31,
                0x8eb4_4a87_6858_1511,
                0xdb0c_2e0d_64f9_8fa7,
                0x47b5_481d_befa_4fa4,
            ]
        } else {
            [
                0x6a09_e667_f3bc_c908,
                0xbb67_ae85_84ca_a73b,
                0x3c6e_f372_fe94_f82b,
                0xa54f_f53a_5f1d_36f1,
                0x510e_527f_ade6_82d1,
                0x9b05_688c_2b3e_6c1f,
                0x1f83_d9ab_fb41_bd6b,
                0x5be0_cd19_137e_2179,
            ]
        }
    }

    fn compress(&mut self, blocks: &[[u8; 128]]) {
        compress512(self, blocks);
    }

    fn octets(&self) -> [u8; 64] {
        let mut octets = [0; 64];
        octets.as_chunks_mut().0.iter_mut().zip(self).for_each(|(to, word)| *to = word.to_be_bytes());
        octets
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
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn the_key_of_a_network_is_that_of_the_standard() {
        // IEEE 802.11, J.4.2.
        let key = wpa_key(b"password", b"IEEE");
        assert_eq!(key[..8], [0xf4, 0x2c, 0x6f, 0xc5, 0x2d, 0xf0, 0xeb, 0xef]);
        assert_eq!(key[28..], [0x97, 0x10, 0xa1, 0x2e]);
    }

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
        let signs = |hash, key: &[u8], code: &[u8]| Signed::new(hash, [(&message[..], code)]).is_by(key);
        assert!(signs(Hash::Sha256, key, b"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e"));
        assert!(signs(Hash::Sha384, key, b"\xaf\x45\xd2\xe3\x76\x48\x40\x31"));
        assert!(signs(Hash::Sha512, key, b"\x16\x4b\x7a\x7b\xfc\xf8\x19\xe2"));
        assert!(!signs(Hash::Sha512, b"jefe", b"\x16\x4b\x7a\x7b\xfc\xf8\x19\xe2"));
    }

    #[test]
    fn codes_equal_those_of_the_crate_for_keys_and_messages_of_every_length() {
        for (_, hash) in Hash::NAMES {
            for len in 0..300 {
                let (key, message) = (noise(len, 1), noise(299 - len, 2));
                let code = hash.code(&key, &message);
                let other = noise(hash.size(), 3);
                assert!(
                    Signed::new(hash, [(&message[..], &other[..]), (&message, &code)]).is_by(&key),
                    "{hash:?} {len}"
                );
                let longer = [&code[..], &[0]].concat();
                assert!(!Signed::new(hash, [(&message[..], &other[..]), (&message, &longer)]).is_by(&key));
            }
        }
    }

    #[test]
    fn what_frameworks_signed_is_proven() {
        // Made with Flask 3, itsdangerous 2, Django 5 and cookie-signature 1.
        let signed = [
            (Hash::Itsdangerous, "a secret of flask", "eyJ1aWQiOjQyfQ.aw0k9g.rDNIpyrtto4vgXt7SB85L2VUHIA"),
            (Hash::Itsdangerous, "a secret of it", "eyJ1IjoxfQ.aw0k9g.HdyaPkhVepUCX2sHGgFAGb5sW94"),
            (Hash::Django, "a secret of django", "eyJhIjoxfQ:1xXvle:iwpcQ7az95BkF3eZUxCRTGZb64NcQHuM_p_n81mFHsY"),
            (Hash::Django, "a secret of django", "eyJrIjo1fQ:1xXvle:x18mQNgmqQeHA0DjUC4xc6A5PXG3PsUZBSG2xoRG2LM"),
            (Hash::Django, "a secret of django", "eyJrIjoxfQ:1xXvle:3TL9R0FujfMFSsgFacNnIzZqV22r2yKCmN3HHt4HEws"),
            (
                Hash::Express,
                "a secret of express",
                "Zk3v0bq8mXw1T5c2R9y7L4n6P0s8D2f1.otQEcxJccgPMf9sxQtAj2rDWmHr3a-twtF1T0UxcY-Q",
            ),
        ];
        for (hash, secret, text) in signed {
            let (message, signature) = text.rsplit_once([':', '.']).unwrap();
            let code = Base64UrlUnpadded::decode_vec(signature).unwrap();
            assert_eq!(code.len(), hash.size());
            assert!(hash.signs(secret.as_bytes(), message.as_bytes(), &code[..16]), "{secret}");
            assert!(!hash.signs(b"another secret", message.as_bytes(), &code[..16]), "{secret}");
        }
    }
}
