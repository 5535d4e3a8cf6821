//! By what a rule knows its secret: what `rules list` tells of it, and what makes it a rule of its own.

use serde::Serialize;

use super::checks::Check;
use super::file::RuleText;
use crate::finding::Profile;

/// The field of rules that know a secret by syntax that anybody uses: `password=` in a form, an environment variable.
const GENERIC: &str = "generic";

/// By what a rule knows its secret, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// A checksum over its letters.
    Checksum,
    /// A structure that decodes.
    Structure,
    /// Letters of the secret itself: the prefix of a vendor.
    Literal,
    /// Letters that stand around it: the name of a member, of a header, of a cookie.
    Syntax,
    /// A word near it, and its own letters.
    Context,
}

impl RuleText {
    /// By what it knows its secret.
    #[must_use]
    pub fn proof(&self) -> Proof {
        let holds_literal = |secret: &str| self.literals.iter().any(|literal| secret.contains(literal.as_str()));
        match self.checksum {
            Some(check) if check.is_structure() => Proof::Structure,
            Some(_) => Proof::Checksum,
            None if self.profile == Profile::Paranoid => Proof::Context,
            None if self.examples.iter().all(|example| holds_literal(example.secret())) => Proof::Literal,
            None => Proof::Syntax,
        }
    }

    /// Whether it counts as a rule of its own: it knows its secrets by a checksum, by a structure, or by letters that one
    /// vendor or one tool uses, in them or around them; it says where their format is documented; and its examples, two at
    /// least and two counter-examples, are found by no other rule.
    #[must_use]
    pub fn is_specific(&self) -> bool {
        let proof = self.proof();
        let knows = proof <= Proof::Structure || (proof < Proof::Context && self.field != GENERIC);
        let shows = self.examples.len() >= 2 && self.counter_examples.len() >= 2;
        knows && shows && self.reference.is_some() && self.overlaps.is_empty()
    }
}

impl Check {
    /// Whether it looks at a structure, and computes no checksum.
    fn is_structure(self) -> bool {
        matches!(self, Self::Jwt | Self::BasicCredentials | Self::X25519 | Self::AzureIdentifiable)
    }
}
