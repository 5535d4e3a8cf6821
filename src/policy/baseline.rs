//! The baseline: secrets that somebody looked at and accepts, each by its keyed fingerprint.
//!
//! A fingerprint is made of what a secret *is*, never of its place. So an entry goes on holding when the dump moves, when other
//! secrets in it are redacted or when it is packed, and a new secret at an old place is in no baseline. Whoever has only the
//! file can neither read a secret out of it nor try guesses: that takes the key.
//!
//! The layout is documented in `docs/baseline.md`; only `fingerprint` decides, all else is for people.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::finding::PublicIdentity;
use crate::policy::trust;
use crate::report::{Report, ReportFinding, write_document};
use crate::vault::FingerprintKey;

/// The name and version of the layout.
const SCHEMA: &str = "dumpscrub-baseline/1";

/// Accepted secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Id of the key that the fingerprints were made with.
    key: String,
    /// By fingerprint.
    entries: BTreeMap<String, Entry>,
}

/// An accepted secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    fingerprint: String,
    /// The rule that found it when it was accepted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    rule: String,
    /// What may be told of it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    public: PublicIdentity,
    /// Why it is accepted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    schema: String,
    fingerprint_key: String,
    accepted: Vec<Entry>,
}

/// What a new state of a baseline changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Entries that were not there.
    pub added: usize,
    /// Entries that are gone.
    pub removed: usize,
    /// Entries that stay.
    pub kept: usize,
}

impl Baseline {
    /// Nothing is accepted, in fingerprints of this key.
    #[must_use]
    pub fn empty(key: &FingerprintKey) -> Self {
        Self { key: key.id().to_owned(), entries: BTreeMap::new() }
    }

    /// The baseline in a file, whose fingerprints `key` made. `trusted` is as for [`super::Policy::read_trusted`].
    ///
    /// # Errors
    /// [`Error::Baseline`] where it is none, is of another key, or cannot be trusted; [`Error::Open`].
    pub fn read(path: &Path, key: &FingerprintKey, trusted: bool) -> Result<Self> {
        let wrong = |reason: String| Error::Baseline { path: path.display().to_string(), reason };
        let text = trust::read(path, trusted).map_err(|error| match error {
            Error::Policy { reason, .. } => wrong(reason),
            error => error,
        })?;
        Self::parse(&text, key).map_err(wrong)
    }

    fn parse(text: &str, key: &FingerprintKey) -> std::result::Result<Self, String> {
        // The version first: a later layout may have other fields, and then they are not what is wrong.
        let version = serde_json::from_str::<Version>(text).map_err(|e| format!("it is no baseline: {e}"))?;
        if version.schema != SCHEMA {
            return Err(format!("expected the layout {SCHEMA}, found {}", version.schema));
        }
        let file: FileText = serde_json::from_str(text).map_err(|e| format!("it is no baseline: {e}"))?;
        if file.fingerprint_key != key.id() {
            return Err(format!(
                "its fingerprints were made with another key: expected key {}, found {}; use the key that it was written \
                 with, or write it anew",
                key.id(),
                file.fingerprint_key
            ));
        }
        let mut entries = BTreeMap::new();
        for entry in file.accepted {
            if !is_fingerprint(&entry.fingerprint, key) {
                return Err(format!("`{}` is no fingerprint of key {}", entry.fingerprint, key.id()));
            }
            if let Some(double) = entries.insert(entry.fingerprint.clone(), entry) {
                return Err(format!("fingerprint {} is there twice", double.fingerprint));
            }
        }
        Ok(Self { key: file.fingerprint_key, entries })
    }

    /// Whether it accepts the secret of this fingerprint.
    #[must_use]
    pub fn accepts(&self, fingerprint: &str) -> bool {
        self.entries.contains_key(fingerprint)
    }

    /// The fingerprints that it accepts.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeSet<String> {
        self.entries.keys().cloned().collect()
    }

    /// How many secrets it accepts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it accepts nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Accepts every finding of a report that counts or is accepted, for this reason; entries that are there keep theirs. With
    /// `prune`, entries that the report does not have go.
    pub fn accept(&mut self, report: &Report, reason: &str, prune: bool) -> Change {
        let found = report.findings.iter().filter(|finding| finding.counted || finding.accepted);
        let found: Vec<(&String, &ReportFinding)> =
            found.filter_map(|finding| Some((finding.fingerprint.as_ref()?, finding))).collect();
        let before = self.entries.len();
        if prune {
            let present: HashSet<&String> = found.iter().map(|(fingerprint, _)| *fingerprint).collect();
            self.entries.retain(|fingerprint, _| present.contains(fingerprint));
        }
        let kept = self.entries.len();
        for (fingerprint, finding) in found {
            self.entries.entry(fingerprint.clone()).or_insert_with(|| Entry {
                fingerprint: fingerprint.clone(),
                rule: report.rule(finding).map_or_else(String::new, |rule| rule.id.clone()),
                // What else a place tells is of the dump and not of the secret, and may be anybody's name.
                public: PublicIdentity { context: Vec::new(), ..finding.public.clone() },
                reason: reason.to_owned(),
            });
        }
        Change { added: self.entries.len() - kept, removed: before - kept, kept }
    }

    /// Writes it, in order of fingerprint, so that two of them can be compared line by line.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let accepted = self.entries.values().cloned().collect();
        write_document(&FileText { schema: SCHEMA.to_owned(), fingerprint_key: self.key.clone(), accepted }, out)
    }
}

#[derive(Deserialize)]
struct Version {
    schema: String,
}

fn is_nothing(public: &PublicIdentity) -> bool {
    *public == PublicIdentity::default()
}

/// Whether it can be a fingerprint of this key: `fp1:`, the key's id, 32 hexadecimal digits.
fn is_fingerprint(text: &str, key: &FingerprintKey) -> bool {
    let digits = text.strip_prefix("fp1:").and_then(|rest| rest.strip_prefix(key.id()));
    let digits = digits.and_then(|rest| rest.strip_prefix(':'));
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Identity;

    fn key(byte: u8) -> FingerprintKey {
        FingerprintKey::new([byte; 32])
    }

    fn file(key: &FingerprintKey, accepted: &[&str]) -> String {
        let entries: Vec<String> = accepted.iter().map(|f| format!("{{\"fingerprint\":\"{f}\"}}")).collect();
        let (id, entries) = (key.id(), entries.join(","));
        format!("{{\"schema\":\"{SCHEMA}\",\"fingerprint_key\":\"{id}\",\"accepted\":[{entries}]}}")
    }

    #[test]
    fn what_is_written_is_read_back() {
        let key = key(7);
        let one = key.of(&Identity::of_bytes(b"one"));
        let baseline = Baseline::parse(&file(&key, &[&one]), &key).unwrap();
        assert_eq!((baseline.len(), baseline.fingerprints().contains(&one)), (1, true));
        let mut text = Vec::new();
        baseline.write(&mut text).unwrap();
        assert_eq!(Baseline::parse(std::str::from_utf8(&text).unwrap(), &key).unwrap(), baseline);
        assert!(Baseline::empty(&key).is_empty());
    }

    #[test]
    fn what_is_not_right_is_refused_and_told() {
        let (mine, other) = (key(1), key(2));
        let one = mine.of(&Identity::of_bytes(b"one"));
        let good = file(&mine, &[&one]);
        for (text, told) in [
            (good.replace("baseline/1", "baseline/2"), "expected the layout dumpscrub-baseline/1"),
            (good.replace("fingerprint\":", "fingerprimt\":"), "line 1 column"),
            (good.replace("fp1:", "fp2:"), "is no fingerprint"),
            (file(&mine, &[&one, &one]), "is there twice"),
            (file(&mine, &[&other.of(&Identity::of_bytes(b"one"))]), "is no fingerprint"),
            (file(&other, &[]), "made with another key"),
            ("[]".to_owned(), "no baseline"),
            (String::new(), "no baseline"),
        ] {
            let error = Baseline::parse(&text, &mine).unwrap_err();
            assert!(error.contains(told), "{text}\n{error}");
        }
    }
}
