//! RSA keys of formats that name each number: blobs of Windows, JSON Web Keys, .NET's XML.
//!
//! Such a format holds all eight numbers or some of them, and memory holds it whole or with some of it overwritten. Whatever
//! pins the key down proves it; what has the right sizes and does not fit together is told as such.

use super::FoundKey;
use super::fragment::{self, looks_random};
use super::number::Number;
use super::rsa::{self, RsaNumbers};
use crate::finding::{Evidence, PublicIdentity};
use crate::hunt::Clue;
use crate::vault::{Secret, SecretBytes};

/// Bytes of the longest number that is read: a modulus of 16384 bits.
pub const LONGEST: usize = 2048;

/// The numbers as they were found, most significant byte first: n, e, d, p, q, dp, dq, qinv. Empty where the format has none.
#[derive(Clone, Debug)]
pub struct RsaParts(pub [SecretBytes; 8]);

impl RsaParts {
    /// The private key, unless all that is private was wiped or never there.
    #[must_use]
    pub fn key(&self) -> Option<FoundKey> {
        let numbers = self.0.each_ref().map(|part| Number::from_be(part.expose()));
        match of_primes(&numbers).or_else(|| self.recover(&numbers)) {
            Some(key) => key.into_found(Evidence::Proven),
            None => self.unfitting(&numbers),
        }
    }

    /// The public key, which tells hunters what to look for.
    #[must_use]
    pub fn public_key(&self) -> Option<Clue> {
        let [n, e, ..] = &self.0;
        let (n, e) = (Number::from_be(n.expose()), Number::from_be(e.expose()));
        rsa::is_public_key(&n, &e).then(|| Clue::RsaPublicKey { modulus: n.to_be(), exponent: e.to_be() })
    }

    /// The key that those numbers pin down which were not wiped. Arithmetic costs milliseconds, so constants and text that
    /// stand in a key's place must not reach it.
    fn recover(&self, numbers: &[Number; 8]) -> Option<RsaNumbers> {
        let whole =
            |bytes: &&[u8]| !bytes.is_empty() && bytes.len() <= LONGEST && (bytes.len() < 32 || looks_random(bytes));
        let values: Vec<&[u8]> = self.0.iter().map(SecretBytes::expose).filter(whole).collect();
        let private = numbers.iter().skip(2).filter(|number| number.bits() > 64).count();
        (private > 0 && values.len() > 2).then(|| fragment::recover(&values))?
    }

    /// A key whose numbers have the right sizes and do not fit together: some of it was overwritten, so even its public half
    /// cannot be trusted.
    fn unfitting(&self, numbers: &[Number; 8]) -> Option<FoundKey> {
        let [n, e, _, p, q, ..] = numbers;
        let [_, _, d_bytes, p_bytes, q_bytes, ..] = self.0.each_ref().map(SecretBytes::expose);
        let half = |number: &Number| number.bits().abs_diff(n.bits() / 2) <= n.bits() / 16;
        let primes = half(p) && half(q) && looks_random(p_bytes) && looks_random(q_bytes);
        let exponent = p_bytes.is_empty() && d_bytes.len() >= 64 && looks_random(d_bytes);
        if !rsa::is_public_key(n, e) || !(primes || exponent) {
            return None;
        }
        let context = vec!["its numbers do not fit together: some of it was overwritten".to_owned()];
        let public = PublicIdentity { kind: format!("RSA-{}", n.bits()), context, ..PublicIdentity::default() };
        let private: Vec<&[u8]> = self.0.iter().skip(2).map(SecretBytes::expose).collect();
        let private = SecretBytes::new(private.concat());
        let secret = Secret::bytes(private.expose());
        Some(FoundKey { rule: rsa::RULE, evidence: Evidence::Parsed, severity: None, public, secret })
    }
}

/// The key of n = p*q, with the private exponent as it was found if that fits, and the one that follows from the primes if
/// not.
fn of_primes([n, e, d, p, q, ..]: &[Number; 8]) -> Option<RsaNumbers> {
    if n.is_zero() || p.times(q) != *n {
        return None;
    }
    let key = |d| RsaNumbers::from_primes(p.clone(), q.clone(), e.clone(), d).filter(RsaNumbers::prove);
    let found = (!d.is_zero()).then(|| key(Some(d.clone()))).flatten();
    found.or_else(|| key(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Piece;
    use crate::keys::testing::{noise, rsa_key};
    use ::rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

    fn parts(bits: usize) -> [Vec<u8>; 8] {
        let key = rsa_key(bits);
        let [p, q] = key.primes() else { panic!() };
        let (p, q) = (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()));
        let numbers = RsaNumbers::from_primes(p, q, Number::from_be(&key.e().to_be_bytes()), None).unwrap();
        let RsaNumbers { n, e, d, p, q, dp, dq, qinv } = numbers;
        [n, e, d, p, q, dp, dq, qinv].map(|number| number.to_be())
    }

    fn key(parts: &[Vec<u8>; 8], keep: &[usize]) -> Option<FoundKey> {
        let kept = |i: usize| SecretBytes::new(if keep.contains(&i) { parts[i].clone() } else { Vec::new() });
        RsaParts(std::array::from_fn(kept)).key()
    }

    #[test]
    fn whatever_pins_the_key_down_proves_it() {
        let parts = parts(1024);
        let whole = key(&parts, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        for keep in [&[0, 1, 3, 4][..], &[0, 1, 2], &[0, 1, 3], &[0, 1, 2, 5, 6, 7], &[1, 3, 4, 5, 6, 7]] {
            let found = key(&parts, keep).unwrap();
            assert_eq!((found.evidence, found.secret.identity()), (Evidence::Proven, whole.secret.identity()));
        }
        assert!(whole.secret.parts().iter().any(|part| part.piece == Piece::P && part.bytes.expose() == parts[3]));
    }

    #[test]
    fn one_overwritten_number_does_not_matter() {
        let whole = parts(1024);
        for at in 0..8 {
            for with in [noise(whole[at].len(), 3), vec![0; whole[at].len()]] {
                let mut damaged = whole.clone();
                damaged[at] = with;
                assert_eq!(key(&damaged, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap().evidence, Evidence::Proven, "{at}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_parsed_and_what_was_wiped_is_nothing() {
        let mut parts = parts(1024);
        assert!(key(&parts, &[0, 1]).is_none(), "a public key");
        for (at, part) in parts.iter_mut().enumerate().skip(2) {
            *part = [&[0xc1], &noise(part.len() - 1, at as u64)[..]].concat();
        }
        let found = key(&parts, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
        assert_eq!((found.evidence, found.public.context.len()), (Evidence::Parsed, 1));
        assert_eq!(key(&parts, &[0, 1, 2]).unwrap().evidence, Evidence::Parsed);
        parts[2..].iter_mut().for_each(|part| part.fill(0));
        assert!(key(&parts, &[0, 1, 2, 3, 4, 5, 6, 7]).is_none());
    }
}
