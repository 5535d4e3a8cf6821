//! By what a rule knows its secret: what `rules list` tells of it, and what makes it a rule of its own.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};
use serde::Serialize;

use super::checks::Check;
use super::file::RuleText;
use super::pattern::parse;
use crate::finding::Profile;

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
        match self.checksum {
            Some(check) if check.is_structure() => Proof::Structure,
            Some(_) => Proof::Checksum,
            None if self.profile == Profile::Paranoid => Proof::Context,
            None if self.literal_is_inside() => Proof::Literal,
            None => Proof::Syntax,
        }
    }

    /// Whether it knows its secrets by themselves, counts its examples, and says where their format is documented. A rule that
    /// does is one of its own where no other finds its examples; whether that is so, only trying tells.
    #[must_use]
    pub fn knows_its_secrets(&self) -> bool {
        let shows = self.examples.len() >= 2 && self.counter_examples.len() >= 2;
        self.proof() <= Proof::Literal && !self.general && shows && self.reference.is_some()
    }

    /// Whether each secret holds letters that are always the same: the literal that triggers, or what the pattern says that a
    /// secret begins with.
    fn literal_is_inside(&self) -> bool {
        let holds = |secret: &str| self.literals.iter().any(|literal| secret.contains(literal.as_str()));
        self.examples.iter().all(|example| holds(example.secret())) || begins_with_a_literal(&self.pattern)
    }
}

/// The fewest letters that count as a literal.
const LITERAL: usize = 3;

/// Whether every group of the pattern that is a secret begins with one of a few literals.
fn begins_with_a_literal(pattern: &str) -> bool {
    let mut secrets = Vec::new();
    let parsed = parse(pattern).map(|hir| gather(&hir, &mut secrets));
    let literal = |group: &Hir| Extractor::new().extract(group).min_literal_len().is_some_and(|len| len >= LITERAL);
    parsed.is_ok() && !secrets.is_empty() && secrets.iter().all(literal)
}

fn gather(hir: &Hir, secrets: &mut Vec<Hir>) {
    match hir.kind() {
        HirKind::Capture(group) if group.name.as_ref().is_some_and(|name| name.starts_with("secret")) => {
            secrets.push((*group.sub).clone());
        }
        HirKind::Capture(group) => gather(&group.sub, secrets),
        HirKind::Repetition(repeated) => gather(&repeated.sub, secrets),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().for_each(|one| gather(one, secrets)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

impl Check {
    /// Whether it looks at a structure, and computes no checksum.
    fn is_structure(self) -> bool {
        let credentials = matches!(self, Self::BasicCredentials | Self::PlainCredentials | Self::Base64Text);
        credentials || matches!(self, Self::Jwt | Self::X25519 | Self::AzureIdentifiable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_counts_where_the_secret_begins_with_it() {
        for (pattern, is) in [
            ("(?P<secret>gh[pou]_[a-z]{36})", true),
            ("x=(?P<secret>(?:abc|defg)[0-9]+)|y(?P<secret_b>xyz)", true),
            ("password=(?P<secret>[a-z]{36})", false),
            ("(?P<secret>00[a-z]{36})", false),
            ("(?P<secret>abc.)|(?P<secret_b>[a-z]{9})", false),
            ("abcdef", false),
        ] {
            assert_eq!(begins_with_a_literal(pattern), is, "{pattern}");
        }
    }
}
