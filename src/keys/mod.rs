//! Private keys: what they are once their numbers are known, whatever they were written in.
//!
//! The arithmetic that *proves* a key lives here, apart from the detectors that find it: `n = p*q`, `e*d = 1`, `Q = d*G`.
//! Every crate of the RustCrypto family has its one home in this folder.

pub mod aes;
pub mod asn1;
pub mod authorities;
pub mod base_points;
pub mod certificate;
pub mod chacha;
mod curve25519_base;
pub mod curve_points;
pub mod digits;
pub mod dsa;
pub mod ec;
pub mod ec_parts;
pub mod edwards;
pub mod exponent;
mod fixed_base;
pub mod fragment;
pub mod limbs;
pub mod mac;
pub mod mont_scalars;
pub mod number;
pub mod point_join;
pub mod public;
pub mod rsa;
pub mod rsa_derived;
pub mod rsa_parts;
pub mod safe_primes;
pub mod selftest;
pub mod shield;
pub mod ssh;
pub mod symmetric;
mod template;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;

use crate::detect::Hit;
use crate::finding::{Evidence, Form, PublicIdentity, Severity};
use crate::vault::Secret;
use std::ops::Range;

/// A private key that was parsed or computed, ready to become a hit.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The rule's id: `rsa-private-key`, `ec-private-key`, `ed25519-private-key`, `encrypted-private-key`, ...
    pub rule: &'static str,
    /// How sure it is.
    pub evidence: Evidence,
    /// `Some(Info)` for a key that is public knowledge (a library's self-test).
    pub severity: Option<Severity>,
    /// Kind, SPKI SHA-256.
    pub public: PublicIdentity,
    /// The private parts.
    pub secret: Secret,
}

impl FoundKey {
    /// The hit that this key is at `range`; of severity `Info` if the key is public knowledge.
    #[must_use]
    pub fn at(mut self, range: Range<usize>, form: Form) -> Hit {
        selftest::mark(&mut self);
        let Self { rule, evidence, severity, public, secret } = self;
        Hit { rule: rule.to_owned(), severity, evidence, public, secret, range, form }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
