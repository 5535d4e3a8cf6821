//! Keys of symmetric ciphers and MACs: bytes without structure, known to be a key by what stands around them.

use super::{FoundKey, selftest};
use crate::finding::{Evidence, PublicIdentity, Rule, Severity};
use crate::vault::Secret;

/// The rule of symmetric keys in a format that says that they are keys.
pub const RULE: &str = "symmetric-key";
/// Bytes of a key: DES has 8, HMAC with SHA-512 may have 128 and more. 40-bit keys of RC4 and RC2 have 5.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 5..=256;

/// The key with these bytes, of the algorithm `kind`. `None` for what is no key: cleared memory, too few different bytes.
#[must_use]
pub fn symmetric_key(bytes: &[u8], kind: &str) -> Option<FoundKey> {
    let different = bytes.iter().collect::<std::collections::BTreeSet<_>>().len();
    // Of 16 random bytes fewer than 9 differ with a chance of 2^-24.
    if !LENGTHS.contains(&bytes.len()) || different <= bytes.len().min(32) / 2 {
        return None;
    }
    let mut public = PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() };
    let known = selftest::symmetric(bytes);
    public.add_context(known.map(str::to_owned).into_iter().collect());
    let severity = known.map(|_| Severity::Info);
    let secret = if known.is_some() { Secret::known(bytes) } else { Secret::bytes(bytes) };
    Some(FoundKey { rule: RULE, evidence: Evidence::Parsed, severity, public, secret })
}

/// The rule that this module makes findings of.
#[must_use]
pub fn rule() -> Rule {
    Rule::new(
        RULE,
        "Symmetric key",
        Severity::High,
        "The key of a symmetric cipher or of a message authentication code, in a format that says so: a key blob of Windows, \
         a JSON Web Key, the static key of OpenVPN, an object of NSS.",
        "Make a new key, encrypt again what is encrypted under this one, and treat as forged what it could have signed.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn keys_of_every_length_pass_and_cleared_memory_does_not() {
        for len in [5, 8, 16, 24, 32, 64, 128, 256] {
            assert!((0..200).all(|seed| symmetric_key(&noise(len, seed), "AES").is_some()), "{len}");
            assert!(symmetric_key(&vec![0; len], "AES").is_none());
        }
        assert!(symmetric_key(&noise(4, 1), "AES").is_none() && symmetric_key(&noise(257, 1), "AES").is_none());
        let severities = [&b"a1234"[..], b"a1235"].map(|key| symmetric_key(key, "JWK").and_then(|key| key.severity));
        assert_eq!(severities, [Some(Severity::Info), None], "an example is public knowledge");
        assert!(symmetric_key(b"\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0", "AES").is_none());
    }
}
