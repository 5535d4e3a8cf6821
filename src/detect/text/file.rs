//! What a rule file says, before it is compiled: one TOML block for each rule.

use std::ops::{Deref, RangeInclusive};

use serde::Deserialize;

use super::checks::Check;
use crate::finding::{Encoding, Profile, Severity};

/// A rule as its TOML block says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// Stable identifier.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// `critical`, `high`, `low` or `info`.
    pub severity: SeverityName,
    /// What it is.
    pub description: String,
    /// What to do when it leaked.
    pub remedy: String,
    /// Where the format is documented: a page of the vendor's, a standard. The rules of the program all name one.
    pub reference: Option<String>,
    /// `default` or `paranoid`: a rule that knows a secret only by the words around it belongs to the latter.
    #[serde(default)]
    pub profile: Profile,
    /// The field of its file.
    #[serde(skip)]
    pub field: String,
    /// Any of these must stand inside the match (inside the anchor, where there is one). At least three letters each.
    pub literals: Vec<String>,
    /// The pattern. The group `secret` (or any whose name begins so) is the secret, as many
    /// letters of it as the letter before says where the name begins with `secret_counted`; groups whose names begin with
    /// `context` are told in the report and must not be secret.
    pub pattern: String,
    /// Letters before a literal that a match may begin at.
    #[serde(default)]
    pub before: usize,
    /// Letters from a literal's first on that a match may take; the longest match of the pattern where it is not given.
    pub after: Option<usize>,
    /// A pattern that must match at the literal. The secret is then looked for in the letters around it, and not in the
    /// same match.
    pub anchor: Option<String>,
    /// Letters on both sides of a literal in which the secret of a rule with an anchor is looked for.
    pub around: Option<usize>,
    /// Letters that no match holds, except one at either end; NUL is always one of them. The pattern is tried only on the
    /// letters between two of these, so a rule whose literal is frequent should name what it can.
    #[serde(default)]
    pub never_inside: String,
    /// Whether a match may hold NUL: for the words of a command line as the kernel lays them out.
    #[serde(default)]
    pub nul_inside: bool,
    /// A byte that a match must hold behind its literal, looked for before the pattern is tried.
    pub must_follow: Option<char>,
    /// The letters that the secret is made of, as in a class of the pattern: `A-Za-z0-9_-`.
    pub alphabet: Option<String>,
    /// Where a byte outside the alphabet, or the edge of a region, must stand: `both`, `start`, `end` or `none`.
    #[serde(default)]
    pub boundary: Boundary,
    /// Letters of the secret: a number, or the least and the most.
    pub length: Option<Length>,
    /// Classes of letters of which the secret must hold one each: `["A-Z", "0-9"]`. A class that is listed twice asks for two.
    #[serde(default)]
    pub must_hold: Vec<String>,
    /// Bits of information that each letter must carry, by Shannon's measure over the secret's own letters.
    pub entropy: Option<f64>,
    /// The checksum or the structure that must hold.
    pub checksum: Option<Check>,
    /// Whether a secret whose checksum does not hold is told all the same, as one that merely fits the pattern.
    #[serde(default)]
    pub checksum_optional: bool,
    /// Words of which one must stand near, in any case and in ASCII or UTF-16.
    #[serde(default)]
    pub near: Vec<String>,
    /// How many letters from the secret `near` looks.
    pub within: Option<usize>,
    /// A pattern that some context group must match.
    pub requires_context: Option<String>,
    /// Values that are no secrets, compared without case; more than the ones that never are.
    #[serde(default)]
    pub placeholders: Vec<String>,
    /// Hosts whose credentials are documentation; their subdomains too.
    #[serde(default)]
    pub reserved_hosts: Vec<String>,
    /// Patterns of values that are no secrets.
    #[serde(default)]
    pub ignore_values: Vec<String>,
    /// Patterns of whole matches that hold no secret.
    #[serde(default)]
    pub ignore_matches: Vec<String>,
    /// Patterns of which each must be found in a value.
    #[serde(default)]
    pub must_match: Vec<String>,
    /// Encodings under which the rule is tried.
    #[serde(default = "Decoder::all")]
    pub decoders: Vec<Decoder>,
    /// Whether it is for any secret that stands where it looks, also for those that other rules know better: what these find
    /// is theirs, and no overlap with it is a fault.
    #[serde(default)]
    pub general: bool,
    /// Other rules that find the secrets of this rule's examples too.
    #[serde(default)]
    pub overlaps: Vec<String>,
    /// Texts in which the rule must find the secret.
    pub examples: Vec<Example>,
    /// Texts in which it must find nothing.
    pub counter_examples: Vec<Joined>,
}

/// A text and the secret in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The text.
    pub text: Joined,
    secret: Option<Joined>,
    /// What the pattern needs right behind the secret, where it needs anything: the `@host` of a URL.
    #[serde(default)]
    pub needs: String,
}

impl Example {
    /// The part of the text that the rule must find: all of it, unless the example names one.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.secret.as_ref().unwrap_or(&self.text)
    }
}

/// A text that may stand in pieces: a token with a checksum that holds must not stand in the file as one word, or services
/// that look for leaked tokens would take it for one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Pieces")]
pub struct Joined(String);

impl Deref for Joined {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of the pieces of one")]
enum Pieces {
    One(String),
    Many(Vec<String>),
}

impl From<Pieces> for Joined {
    fn from(pieces: Pieces) -> Self {
        match pieces {
            Pieces::One(text) => Self(text),
            Pieces::Many(pieces) => Self(pieces.concat()),
        }
    }
}

/// How long a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a number of letters, or the least and the most: [16, 64]")]
pub enum Length {
    /// So many letters.
    Exact(usize),
    /// The least and the most.
    Between(usize, usize),
}

impl Length {
    /// The least and the most, and what lies between them.
    #[must_use]
    pub fn range(self) -> RangeInclusive<usize> {
        match self {
            Self::Exact(letters) => letters..=letters,
            Self::Between(least, most) => least..=most,
        }
    }
}

/// At which ends of a secret its alphabet must end too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// Before and behind.
    #[default]
    Both,
    /// Before it.
    Start,
    /// Behind it.
    End,
    /// Nowhere: a checksum says more, and strings of Go and Rust have no end.
    None,
}

/// An encoding that the engine takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoder {
    /// Base64 of either alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// Percent-encoding.
    Percent,
    /// Backslash escapes of JSON and C.
    Escapes,
}

impl Decoder {
    fn all() -> Vec<Self> {
        vec![Self::Base64, Self::Hex, Self::Percent, Self::Escapes]
    }

    /// The encoding that it takes off.
    #[must_use]
    pub fn encoding(self) -> Encoding {
        match self {
            Self::Base64 => Encoding::Base64,
            Self::Hex => Encoding::Hex,
            Self::Percent => Encoding::Percent,
            Self::Escapes => Encoding::Escaped,
        }
    }
}

/// Severity as rule files spell it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeverityName {
    /// See [`Severity::Info`].
    Info,
    /// See [`Severity::Low`].
    Low,
    /// See [`Severity::High`].
    High,
    /// See [`Severity::Critical`].
    Critical,
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Info => Self::Info,
            SeverityName::Low => Self::Low,
            SeverityName::High => Self::High,
            SeverityName::Critical => Self::Critical,
        }
    }
}

/// What stands in a rule file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    /// What the rules have in common: `cloud`, `payment`.
    #[serde(default)]
    pub field: String,
    pub rules: Vec<RuleText>,
}
