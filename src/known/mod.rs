//! What the user knows already: keys, certificates and secrets of which it is asked whether a dump holds them.
//!
//! A dump need not hold anything that tells which keys to look for: the public half may be in no memory at all, and the key
//! itself in no form that gives itself away. So the user may say what to look for. Of a public key the private half is hunted
//! as if the dump had told of it; a secret is searched in every form in which copies of found secrets are searched. Either
//! way each thing gets an answer: where it was found, or that it was not.
//!
//! ```text
//! read(path) -> Thing -> Known -> Engine::with_known -> scan -> Report
//! ```

mod parse;
mod read;

use crate::finding::{Certificate, Evidence, PublicIdentity, Rule, Severity};
use crate::hunt::Clue;
use crate::vault::{Identity, Secret};

pub use read::{Content, read};

/// The rule of secret texts that the user named.
pub const RULE: &str = "known-secret";

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A certificate.
    Certificate,
    /// A public key.
    PublicKey,
    /// A private key.
    PrivateKey,
    /// A text that is secret.
    Text,
}

/// A secret that is searched.
#[derive(Clone, Debug)]
pub struct KnownSecret {
    /// The id of the rule that names it.
    pub rule: String,
    /// `Some(Info)` where it is public knowledge.
    pub severity: Option<Severity>,
    /// How sure a place is at which it is found.
    pub evidence: Evidence,
    /// The secret itself.
    pub secret: Secret,
}

/// One thing that the user knows.
#[derive(Clone, Debug)]
pub struct Thing {
    /// The file that names it.
    pub file: String,
    /// Line of the file on which it begins, from 1; none in a file that is no text.
    pub line: Option<usize>,
    /// What kind of thing.
    pub kind: Kind,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// What makes it the same thing in a dump.
    pub identity: Identity,
    /// What hunters need.
    pub clues: Vec<Clue>,
    /// What is searched, where the secret itself is known.
    pub secret: Option<KnownSecret>,
}

impl Thing {
    /// Whether its secret is looked for wherever it may stand. If not, it is found only where a structure holds it: PEM, DER
    /// and their kin.
    #[must_use]
    pub fn is_hunted(&self) -> bool {
        self.secret.is_some() || self.clues.iter().any(|clue| !matches!(clue, Clue::Certificate { .. }))
    }

    /// The certificate that it is.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.public.certificates.first().filter(|_| self.kind == Kind::Certificate)
    }

    /// Where it comes from, for people: `keys.pem`, `secrets.txt line 3`.
    #[must_use]
    pub fn place(&self) -> String {
        self.line.map_or_else(|| self.file.clone(), |line| format!("{} line {line}", self.file))
    }
}

/// Everything that the user knows.
#[derive(Clone, Debug, Default)]
pub struct Known(pub Vec<Thing>);

impl Known {
    /// What a finding of this identity is to be told as: where it is known from.
    #[must_use]
    pub fn sources(&self, identity: Identity) -> Vec<String> {
        let same = self.0.iter().filter(|thing| thing.identity == identity);
        same.map(|thing| format!("known from {}", thing.place())).collect()
    }
}

/// The rule of [`RULE`].
#[must_use]
pub fn rule() -> Rule {
    Rule::new(
        RULE,
        "Known secret",
        Severity::High,
        "A secret that was named with --known-secrets, in one of the forms in which programs keep it.",
        "Replace it wherever it is used: whoever has the dump has it.",
    )
}
