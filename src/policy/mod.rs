//! The policy: what is to be done about what was found, said once, in a file, by whoever answers for it.
//!
//! A [`Policy`] is a preset and what was changed of it. It looks at each finding by rule, severity, evidence, profile and
//! the memory that it lies in, and says to [`Action::Report`] it, to [`Action::Redact`] it, or to [`Action::Block`] the dump.
//! The strictest answer decides on the dump: it passes, it passes redacted, or it stays in quarantine. So gates and hooks
//! ask the same question and get the same answer.
//!
//! ```text
//! dumpscrub.toml -> Policy;  (findings, gaps) -> Policy::decide -> Ruling { decision, reasons, actions }
//! ```
//!
//! A policy comes from a path that somebody named, never from the working directory and never from beside a dump: what
//! brings a dump must not bring the rules that it is judged by. What fails is not decided here: a dump that could not be
//! scanned, or whose redaction was refused or not proven, never passes.

pub mod baseline;
mod decide;
mod file;
mod show;
mod trust;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dump::LabelKinds;
use crate::error::Result;
use crate::finding::{Evidence, Profile, Severity};
use crate::redact::receipt::keys;
use crate::report::{Action, words};
use crate::vault::FingerprintKey;

pub use baseline::Baseline;
pub use decide::Subject;
pub use show::show;

/// What is to be done about findings and gaps, and within which bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is called: the path of its file, or the preset's name.
    pub name: String,
    /// What it is made from.
    pub preset: Preset,
    /// What is done about bytes that were not scanned.
    pub gaps: Gaps,
    /// The rules that are looked for.
    pub profile: Profile,
    /// Files with rules of the user's.
    pub rules: Vec<PathBuf>,
    /// Findings that are accepted.
    pub baseline: Option<BaselineFiles>,
    /// How much of the machine one dump may use.
    pub limits: Limits,
    /// Where hooks put dumps.
    pub folders: Folders,
    /// The first row that fits decides; behind them come those of the preset.
    rows: Vec<Row>,
    /// Whether what it names must belong to who may change it, too.
    trusted: bool,
}

/// A policy that a word names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Findings and gaps are told; every dump that could be scanned passes.
    Report,
    /// Findings are redacted, and the redacted dump passes; a dump with a gap does not.
    Redact,
    /// A dump with a finding or a gap does not pass.
    #[default]
    Quarantine,
}

impl Preset {
    /// Every preset, the least strict first.
    pub const ALL: [Self; 3] = [Self::Report, Self::Redact, Self::Quarantine];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Redact => "redact",
            Self::Quarantine => "quarantine",
        }
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Report => "findings and gaps are told, and every dump that could be scanned passes",
            Self::Redact => "findings are redacted, and the redacted dump passes; a dump with a gap does not",
            Self::Quarantine => "a dump with a finding or a gap does not pass",
        }
    }

    fn gaps(self) -> Gaps {
        if self == Self::Report { Gaps::Report } else { Gaps::Quarantine }
    }

    /// What is done about a finding that no row of the file speaks of: what is public knowledge is only told.
    fn action(self, severity: Severity) -> Action {
        match self {
            _ if severity == Severity::Info => Action::Report,
            Self::Report => Action::Report,
            Self::Redact => Action::Redact,
            Self::Quarantine => Action::Block,
        }
    }
}

/// What is done about bytes that were not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gaps {
    /// They are told.
    Report,
    /// The dump does not pass: nobody knows what is in them.
    Quarantine,
}

/// Some findings, and what is done about them. Where it asks nothing, all findings fit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    rule: Option<Vec<Pattern>>,
    severity: Option<Vec<Severity>>,
    evidence: Option<Vec<Evidence>>,
    profile: Option<Profile>,
    label: Option<LabelKinds>,
    constant: Option<bool>,
    action: Action,
}

/// A rule's id, or the first letters of one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Id(String),
    Prefix(String),
}

impl Pattern {
    /// `jwt` is an id, `aws-*` every id that begins with `aws-`.
    fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Id(text.to_owned()),
        }
    }

    fn fits(&self, id: &str) -> bool {
        match self {
            Self::Id(known) => known == id,
            Self::Prefix(prefix) => id.starts_with(prefix.as_str()),
        }
    }
}

/// The files of a baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineFiles {
    /// The baseline.
    pub file: PathBuf,
    /// The key that its fingerprints were made with.
    pub fingerprint_key: PathBuf,
}

/// How much of the machine one dump may use. A dump that would need more does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from the start to the decision.
    pub time: Duration,
    /// Memory of the process, in bytes.
    pub memory: u64,
    /// Bytes that its containers may unpack to; by the size of the input where it is not given.
    pub spool: Option<u64>,
    /// Dumps that are worked on at the same time on one machine.
    pub slots: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30 * 60), memory: 4 << 30, spool: None, slots: 2 }
    }
}

/// Where hooks put dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Dumps that passed: the only folder that an uploader is to read.
    pub release: PathBuf,
    /// Dumps that did not, each with the reason beside it.
    pub quarantine: PathBuf,
    /// What is being worked on, slots and locks.
    pub state: PathBuf,
    /// Where containers and pipes are unpacked; the system's folder for such files where it is not given.
    pub spool: Option<PathBuf>,
    /// Bytes that the quarantine may hold.
    pub quarantine_quota: u64,
}

impl Default for Folders {
    fn default() -> Self {
        let under = |name: &str| Path::new("/var/lib/dumpscrub").join(name);
        Self {
            release: under("release"),
            quarantine: under("quarantine"),
            state: under("state"),
            spool: None,
            quarantine_quota: 20 << 30,
        }
    }
}

impl Policy {
    /// The policy that is a preset and nothing else.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        Self {
            name: format!("preset {}", preset.name()),
            preset,
            gaps: preset.gaps(),
            profile: Profile::Default,
            rules: Vec::new(),
            baseline: None,
            limits: Limits::default(),
            folders: Folders::default(),
            rows: Vec::new(),
            trusted: false,
        }
    }

    /// The policy in a file. Paths in it are taken from the folder of the file.
    ///
    /// # Errors
    /// [`crate::error::Error::Policy`] with line and column of the first mistake; [`crate::error::Error::Open`]; what is
    /// wrong with the rule files that it names.
    pub fn read(path: &Path) -> Result<Self> {
        file::parse(path, &trust::read(path, false)?, false)
    }

    /// The same, for who runs with more rights than those who could have written the file: it must belong to root or to who
    /// runs this, nobody else may be able to write to it or to its folder, and its path may not end in a symbolic link. So must
    /// the rule files and the baseline that it names.
    ///
    /// # Errors
    /// As [`Policy::read`], and [`crate::error::Error::Policy`] where it is not to be trusted.
    pub fn read_trusted(path: &Path) -> Result<Self> {
        file::parse(path, &trust::read(path, true)?, true)
    }

    /// The baseline that it names and the key of its fingerprints, read now.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn read_baseline(&self) -> Result<Option<(FingerprintKey, Baseline)>> {
        let Some(files) = &self.baseline else { return Ok(None) };
        let key = keys::read_fingerprint(&files.fingerprint_key)?;
        let baseline = Baseline::read(&files.file, &key, self.trusted)?;
        Ok(Some((key, baseline)))
    }

    /// How strict it is with findings, in words, for reports.
    #[must_use]
    pub fn words(&self) -> String {
        let rows = match self.rows.len() {
            0 => String::new(),
            1 => " and 1 row of its own".to_owned(),
            n => format!(" and {n} rows of its own"),
        };
        format!("preset {}{rows}, gaps: {}", self.preset.name(), words::name(self.gaps))
    }
}
