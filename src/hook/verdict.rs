//! What a worker says of a dump, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is to be done with a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// It goes on as it is.
    Pass,
    /// It goes on redacted; the redaction is written and proven.
    Redacted,
    /// It does not go on.
    Quarantine,
}

/// What was decided, and why. It holds no byte of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What is to be done.
    pub choice: Choice,
    /// Why, in sentences; none where it passes.
    pub reasons: Vec<String>,
    /// Findings by rule, those too that only are to be reported.
    pub found: BTreeMap<String, usize>,
    /// What the dump is: `minidump`, `ELF core`, `zstd: ELF core`.
    pub format: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes that were overwritten.
    pub edited: u64,
}

impl Verdict {
    /// A dump that was not understood, or whose scan or redaction failed, does not go on.
    #[must_use]
    pub fn quarantine(reason: impl Into<String>) -> Self {
        Self {
            choice: Choice::Quarantine,
            reasons: vec![reason.into()],
            found: BTreeMap::new(),
            format: String::new(),
            bytes: 0,
            edited: 0,
        }
    }

    /// Whether what goes on is not what came.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.choice == Choice::Redacted
    }
}

/// What became of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It went on as it is.
    Passed,
    /// It went on redacted.
    Redacted,
    /// It is in quarantine.
    Quarantined,
    /// Nothing was passed on, and it could not be put into quarantine either, or was not looked at; the reason says where it is.
    FailedClosed,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Redacted, Self::Quarantined, Self::FailedClosed];

    /// Its name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Redacted => "redacted",
            Self::Quarantined => "quarantined",
            Self::FailedClosed => "failed-closed",
        }
    }
}

/// What is told of one dump when it is done.
#[derive(Clone, Debug)]
pub struct Done {
    /// The hook.
    pub kind: String,
    /// Its number, the same in the log, in the state folder and in quarantine.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// Why.
    pub reasons: Vec<String>,
    /// What was found, where it was looked at.
    pub verdict: Option<Verdict>,
    /// Seconds from its coming to this.
    pub seconds: f64,
}
