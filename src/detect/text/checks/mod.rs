//! What can be computed over a secret to tell it from letters that look like one: checksums that issuers put into their
//! tokens, and structures that decode. The list is closed: rule files name its members.

mod azure;
mod coin;
mod crc;
mod macaroon;
mod structure;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::finding::Encoding;

/// A checksum or a structure, by the name that rule files use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// GitHub: the last 6 letters are the CRC-32, in base 62, of what stands between prefix and checksum.
    Github,
    /// npm: the same as GitHub's.
    Npm,
    /// GitLab's routable tokens: the last 7 letters are the CRC-32, in base 36, of everything before them.
    GitlabRoutable,
    /// Confluent: the last 6 letters are the CRC-32, in base64 of its bytes from the lowest, of what stands before them.
    Confluent,
    /// Zuplo: the last 8 letters are the CRC-32, in hexadecimal, of the 32 letters before them or of all before them.
    Zuplo,
    /// Grafana: the last 8 letters are the CRC-32, in hexadecimal of its bytes from the lowest, of everything before them.
    Grafana,
    /// Matrix Authentication Service: the last 6 letters are the CRC-32, in base 62 from the lowest digit, of everything before them.
    Matrix,
    /// Azure: a signature stands at the one place where a key of this length has it.
    AzureIdentifiable,
    /// JSON Web Token: the header names an algorithm, the payload is JSON.
    Jwt,
    /// A macaroon of format 2 in base64: its fields and its signature.
    Macaroon,
    /// `user:password` in base64. The secret is the password.
    BasicCredentials,
    /// What SASL's mechanism PLAIN sends, in base64. The secret is the password.
    PlainCredentials,
    /// Text in base64. The secret is the text.
    Base64Text,
    /// 32 bytes in base64, with the bits set and cleared that X25519 (RFC 7748) asks for.
    X25519,
    /// BIP-173's checksum.
    Bech32,
    /// Base58 with the first 4 bytes of a double SHA-256 behind the bytes.
    Base58check,
    /// BIP-39: English words whose last bits are a checksum. The secret is the words that hold, of all that stand there.
    Bip39,
    /// BitLocker: each six digits are a multiple of eleven, and what they are a multiple by fits in 16 bits.
    Bitlocker,
    /// ISO/IEC 7812's digit.
    Luhn,
}

/// What a check came to that holds.
#[derive(Debug, Default)]
pub struct Checked {
    /// The secret in the value and how it is written there, where that is not the value itself.
    pub inner: Option<(Zeroizing<Vec<u8>>, Encoding)>,
    /// The part of the value that is the secret, where that is not all of it.
    pub part: Option<Range<usize>>,
}

/// A value with the checksum that [`Check::Github`] asks for in place of its last letters, for examples that are made up.
#[must_use]
pub fn with_github_sum(value: &str) -> Option<String> {
    crc::with_base62(value)
}

impl Check {
    /// Looks at a value; `None` where the check does not hold.
    #[must_use]
    pub fn look(self, value: &[u8]) -> Option<Checked> {
        let holds = match self {
            Self::BasicCredentials => return structure::basic_credentials(value),
            Self::PlainCredentials => return structure::plain_credentials(value),
            Self::Base64Text => return structure::base64_text(value),
            Self::Bip39 => return coin::bip39_phrase(value).map(|part| Checked { part: Some(part), inner: None }),
            Self::Github | Self::Npm => crc::base62_behind_prefix(value),
            Self::GitlabRoutable => crc::base36(value),
            Self::Confluent => crc::base64_behind_prefix(value),
            Self::Zuplo => crc::hex_big(value),
            Self::Grafana => crc::hex_little(value),
            Self::Matrix => crc::base62_backwards(value),
            Self::AzureIdentifiable => azure::is_identifiable(value),
            Self::Jwt => structure::is_jwt(value),
            Self::Macaroon => macaroon::is_macaroon(value),
            Self::X25519 => structure::is_x25519(value),
            Self::Bech32 => coin::is_bech32(value),
            Self::Base58check => coin::is_base58check(value),
            Self::Bitlocker => structure::is_bitlocker(value),
            Self::Luhn => coin::is_luhn(value),
        };
        holds.then(Checked::default)
    }
}
