//! The secret bytes themselves, between the passes and nowhere else.
//!
//! Findings hold none of them: they refer to the vault by [`SecretId`]. What is in here is zeroed when it is dropped and
//! cannot be printed; `--show-secrets` is the one door, and it asks the vault by name.

mod fingerprint;

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::limits::{Budget, Limits};

pub use fingerprint::{FingerprintKey, KEY_BYTES};

/// Bytes that are zeroed on drop and do not print.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes `bytes` into keeping.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for code that searches or proves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} secret bytes]", self.0.len())
    }
}

/// How a part of a secret may be written down, which decides the forms that propagation searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Bytes in a fixed order: DER, a seed, a binary token.
    Bytes,
    /// A number, most significant byte first; memory may hold it in either byte order.
    Number,
    /// Text in UTF-8 or ASCII.
    Text,
}

/// One searchable part of a secret: the whole of a token, one prime of an RSA key.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is: see [`crate::finding::Piece`].
    pub piece: crate::finding::Piece,
    /// How it may be written.
    pub kind: PartKind,
    /// The bytes.
    pub bytes: SecretBytes,
}

/// A secret: what makes it the same one wherever it is found, and the parts to search for.
#[derive(Clone, Debug)]
pub struct Secret {
    identity: Identity,
    parts: Vec<Part>,
    codes: Vec<SecretBytes>,
}

/// What makes two secrets the same one. A digest that never leaves the process: fingerprints for people are keyed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 32]);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[identity]")
    }
}

impl Identity {
    /// The identity of a key pair: its public key, so that PEM, DER and bare numbers of one key are one secret.
    #[must_use]
    pub fn of_public_key(spki_sha256: &[u8; 32]) -> Self {
        Self::of(b"public key", spki_sha256)
    }

    /// The identity of a secret that is just its bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of(b"bytes", bytes)
    }

    fn of(domain: &[u8], bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update(domain).chain_update([0]).chain_update(bytes).finalize().into())
    }
}

impl Secret {
    /// A key pair, known by the SHA-256 of its SubjectPublicKeyInfo, with the private parts to search for.
    #[must_use]
    pub fn key_pair(spki_sha256: &[u8; 32], parts: Vec<Part>) -> Self {
        Self { identity: Identity::of_public_key(spki_sha256), parts, codes: Vec::new() }
    }

    /// A secret that something else than its bytes makes the same one, with the parts to search for.
    #[must_use]
    pub fn known_by(identity: Identity, parts: Vec<Part>) -> Self {
        Self { identity, parts, codes: Vec::new() }
    }

    /// A secret text: a token, a password.
    #[must_use]
    pub fn text(text: &[u8]) -> Self {
        Self::whole(PartKind::Text, text)
    }

    /// Secret bytes of which no more is known: an encrypted key, a fragment.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::whole(PartKind::Bytes, bytes)
    }

    /// Bytes that are public knowledge: told in the structure where they stand, and not searched for elsewhere, where they
    /// may be anything.
    #[must_use]
    pub fn known(bytes: &[u8]) -> Self {
        Self { identity: Identity::of_bytes(bytes), parts: Vec::new(), codes: Vec::new() }
    }

    fn whole(kind: PartKind, bytes: &[u8]) -> Self {
        let part = Part { piece: crate::finding::Piece::Whole, kind, bytes: SecretBytes::new(bytes) };
        Self { identity: Identity::of_bytes(bytes), parts: vec![part], codes: Vec::new() }
    }

    /// What makes it the same secret elsewhere.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The parts to search for.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Compressed bytes that were seen to hold the secret.
    #[must_use]
    pub fn codes(&self) -> &[SecretBytes] {
        &self.codes
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }
}

/// A secret's place in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId(usize);

/// All secrets of one scan, each once.
#[derive(Debug)]
pub struct Vault {
    secrets: Vec<Secret>,
    by_identity: HashMap<Identity, SecretId>,
    count: Budget,
    bytes: Budget,
}

impl Vault {
    /// An empty vault with the budgets of `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let (count, bytes) = (Budget::new(limits.secrets), Budget::new(limits.secret_bytes));
        Self { secrets: Vec::new(), by_identity: HashMap::new(), count, bytes }
    }

    /// Puts `secret` in, or finds it there already (then parts that are new are added). `None` when a budget is spent.
    pub fn insert(&mut self, secret: &Secret) -> Option<SecretId> {
        if let Some(&id) = self.by_identity.get(&secret.identity) {
            self.add_parts(id, secret);
            return Some(id);
        }
        if !(self.count.spend(1) && self.bytes.spend(secret.size())) {
            return None;
        }
        let id = SecretId(self.secrets.len());
        self.secrets.push(secret.clone());
        self.by_identity.insert(secret.identity, id);
        Some(id)
    }

    fn add_parts(&mut self, id: SecretId, other: &Secret) {
        let Some(known) = self.secrets.get_mut(id.0) else { return };
        for part in &other.parts {
            let new = !known.parts.iter().any(|p| p.piece == part.piece && p.bytes == part.bytes);
            if new && self.bytes.spend(part.bytes.len()) {
                known.parts.push(part.clone());
            }
        }
    }

    /// Adds compressed bytes that were seen to hold the secret.
    pub fn add_code(&mut self, id: SecretId, code: SecretBytes) {
        if let Some(known) = self.secrets.get_mut(id.0) {
            known.codes.push(code);
        }
    }

    /// The secret with this id.
    #[must_use]
    pub fn get(&self, id: SecretId) -> Option<&Secret> {
        self.secrets.get(id.0)
    }

    /// Every secret with its id.
    pub fn iter(&self) -> impl Iterator<Item = (SecretId, &Secret)> {
        self.secrets.iter().enumerate().map(|(i, secret)| (SecretId(i), secret))
    }

    /// How many different secrets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_vault_prints() {
        let mut vault = Vault::new(&Limits::default());
        let secret = Secret::text(b"correct horse");
        let id = vault.insert(&secret);
        let printed = format!("{vault:?} {secret:?} {id:?}");
        assert!(!printed.contains("correct") && !printed.contains("99, 111"), "{printed}");
    }

    #[test]
    fn one_secret_is_kept_once() {
        let mut vault = Vault::new(&Limits::default());
        let first = vault.insert(&Secret::text(b"correct horse"));
        assert_eq!(vault.insert(&Secret::text(b"correct horse")), first);
        assert_ne!(vault.insert(&Secret::text(b"battery staple")), first);
        assert_eq!(vault.len(), 2);
    }
}
