//! What is to be done about findings and dumps: the words that policies, gates and hooks share.

use serde::{Deserialize, Serialize};

use crate::report::words;

/// What is to be done about a finding, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is told, and changes nothing.
    Report,
    /// The dump may pass when it is redacted.
    Redact,
    /// The dump does not pass, redacted or not.
    Block,
}

/// What is to be done about a dump, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It may go on as it is.
    Pass,
    /// It may go on once it is redacted and that is proven.
    Redact,
    /// It stays.
    Quarantine,
}

impl From<Action> for Decision {
    fn from(action: Action) -> Self {
        match action {
            Action::Report => Self::Pass,
            Action::Redact => Self::Redact,
            Action::Block => Self::Quarantine,
        }
    }
}

/// What a policy comes to, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What is to be done about the dump, or about the worst of several.
    pub decision: Decision,
    /// Why it is not to pass, in sentences that hold nothing secret; none where it passes.
    pub reasons: Vec<String>,
    /// What is to be done about each finding, in their order.
    pub actions: Vec<Action>,
    /// What is to be done about each dump, where there are several.
    pub dumps: Vec<Decision>,
}

impl Ruling {
    /// The decision and its reasons in one line.
    #[must_use]
    pub fn words(&self) -> String {
        match self.reasons.is_empty() {
            true => words::name(self.decision),
            false => format!("{}: {}", words::name(self.decision), self.reasons.join("; ")),
        }
    }
}
