//! What a receipt says, field by field: an in-toto statement whose predicate is the redaction.
//!
//! The same types are written and read. Lists that may be long are type parameters: iterators while a receipt is written,
//! vectors once it is read. Offsets and lengths are numbers, in bytes of the file; addresses are strings, because a
//! kernel's addresses do not fit the numbers of JavaScript. `docs/receipt.md` and `docs/receipt.schema.json` describe the
//! same fields, and a test holds the three together.

use serde::{Deserialize, Serialize};

use crate::finding::{Evidence, Form, PublicIdentity, Severity};
use crate::redact::fill::{Fill, Mark, Width};
use crate::redact::prove::{StackCounts, Verdict};

/// The type of every in-toto statement of version 1.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// The type of the predicate, with its version.
///
/// in-toto asks for a URI that is nobody else's. A random UUID is one without claiming a domain, and what stands behind
/// the `#` says to people what it is. A field may be added under this name; none changes its meaning.
pub const PREDICATE: &str = "urn:uuid:c1bc550e-c780-4cd9-b71e-a96a97189e84#dumpscrub-redaction/1";

/// An in-toto statement.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Statement<P = Redaction> {
    /// [`STATEMENT`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// The redacted dump.
    pub subject: Vec<Subject>,
    /// [`PREDICATE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of it.
    pub predicate: P,
}

/// The file that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Subject {
    /// Its name, without folders.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// A digest of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Digest {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The predicate: what was done to the dump, and what was checked.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Redaction<L = Vec<Stayed>, F = Vec<Secret>, E = Vec<Overwritten>, C = String, M = Vec<Member>> {
    /// The program.
    pub tool: Tool,
    /// When the receipt was made: RFC 3339, UTC.
    pub time: String,
    /// The rules that secrets were looked for with.
    pub rules: RuleSet,
    /// What the user asked for.
    pub options: Asked,
    /// The dump as it was.
    pub original: Original,
    /// What was scanned of it, and what was not.
    pub coverage: Covered,
    /// The four bytes of the constant that binary bytes are filled with, in hexadecimal, in the order of the file.
    pub word: String,
    /// The id of the key that fingerprints are made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_key: Option<String>,
    /// What was checked of the written file, and what it came to.
    pub checks: Vec<Checked>,
    /// Threads by what their stacks came to, where stacks were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<StackCounts>,
    /// Bytes of secrets that stay because they are never edited and the user allowed it.
    pub left: L,
    /// Every secret that was found.
    pub findings: F,
    /// Every run of bytes that was overwritten, in file order.
    pub edits: E,
    /// The dumps in a container, each with all of the above; then what is above tells of the container only.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub members: Option<M>,
    /// SHA-256 in hexadecimal of all that stands before it in the statement. It shows accidents; only a signature shows
    /// intent.
    pub checksum: C,
}

fn none<T>() -> Option<T> {
    None
}

/// One dump of a container.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Member<L = Vec<Stayed>, F = Vec<Secret>, E = Vec<Overwritten>> {
    /// The names that lead to it, with `!` between those of containers in each other; empty for the content of a container
    /// of one stream.
    pub name: String,
    /// The containers that it is in, the innermost first.
    pub containers: Vec<String>,
    /// Its digest as it is in the redacted container.
    pub digest: Digest,
    /// The dump as it was.
    pub original: Original,
    /// What was scanned of it, and what was not.
    pub coverage: Covered,
    /// The four bytes of the constant that binary bytes are filled with.
    pub word: String,
    /// What was checked of it, after the written container was unpacked again.
    pub checks: Vec<Checked>,
    /// Threads by what their stacks came to, where stacks were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<StackCounts>,
    /// Bytes of secrets that stay.
    pub left: L,
    /// Every secret that was found in it, with numbers of its own.
    pub findings: F,
    /// Every run of its bytes that was overwritten.
    pub edits: E,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A set of rules, by number and digest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RuleSet {
    /// How many rules.
    pub count: usize,
    /// SHA-256 over all of them in hexadecimal.
    pub sha256: String,
}

/// The options of a redaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Asked {
    /// What takes the place of secrets.
    pub fill: Fill,
    /// Findings of this severity and above are redacted.
    pub fail_on: Severity,
    /// Findings with this evidence and better are redacted.
    pub min_evidence: Evidence,
    /// Whether secrets in bytes that are never edited may stay.
    pub leave_frozen: bool,
    /// Whether bytes that could not be scanned may stay.
    pub allow_gaps: bool,
    /// Whether stack traces were to be compared.
    pub stacks: bool,
}

/// The dump as it was.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Original {
    /// Its name, without folders.
    pub name: String,
    /// The name of its format.
    pub format: String,
    /// Its length; that of the redacted dump is the same, and that of a redacted container is another.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why its SHA-256 is not told, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256_withheld: Option<String>,
}

/// What was scanned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Covered {
    /// Bytes of the dump.
    pub bytes: u64,
    /// Bytes that were scanned.
    pub scanned: u64,
    /// Of those, bytes in pages of one repeated byte.
    pub constant: u64,
    /// Places where memory goes on and the file does not, each scanned across.
    pub seams: u64,
    /// What was not scanned.
    pub gaps: Vec<NotScanned>,
}

/// Bytes that were not scanned, or a budget that ran out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NotScanned {
    /// Where.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Why.
    pub reason: String,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// What it came to.
    pub verdict: Verdict,
    /// In words.
    pub detail: String,
}

/// Bytes of a secret that stay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Stayed {
    /// Where.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// The address of the first, where it is memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Hex>,
    /// The number of the finding.
    pub finding: usize,
    /// Whose bytes they are.
    pub label: String,
}

/// What became of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// All of its sites were overwritten.
    Redacted,
    /// Some of its bytes were left, as the user allowed.
    Left,
    /// Its severity or its evidence is below what was asked for: it stays as it is.
    NotCounted,
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Secret {
    /// Its number in this receipt, from 1.
    pub number: usize,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub evidence: Evidence,
    /// What became of it.
    pub fate: Fate,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// In how many places it was.
    pub site_count: u64,
    /// In which round it came to light: 1 where a scan of the original finds it, more where something had to be covered first.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub round: usize,
    /// Its keyed fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// One run of bytes that was overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Overwritten {
    /// Where.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// The address of the first, where it is memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Hex>,
    /// The cause: the number of a finding.
    pub finding: usize,
    /// The rule of that finding.
    pub rule: String,
    /// How the secret was held there.
    pub form: Form,
    /// What stands there now.
    pub mark: Mark,
    /// How letters stand in the file.
    pub width: Width,
    /// How many bytes of the pattern come before the first byte.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub phase: u64,
    /// Whether line breaks and padding of base64 stayed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_lines: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_one(number: &usize) -> bool {
    *number == 1
}

/// An address, written as `0x7ffc12345678`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub u64);

impl From<Hex> for String {
    fn from(hex: Hex) -> Self {
        format!("{:#x}", hex.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Self).ok_or("an address is written as 0x1f")
    }
}
