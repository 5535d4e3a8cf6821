//! The report: what was found, where, and what was not looked at, ready to print.
//!
//! Scans of many dumps are merged into one [`Report`]: the same secret in many dumps is one finding that knows all its
//! sites. A [`Printer`] tells it to people or to programs. A report holds no byte of a secret, unless the one door,
//! `--show-secrets`, was opened while it was built.
//!
//! ```text
//! (origin, DumpMap, Outcome) -> Scanned -> Builder -> Report -> Printer
//! ```
//!
//! Sites stay where the scan put them (in memory, or spilled to disk) and are told one by one while printing; what a
//! printer needs of the map to say where a site lies is kept in [`Places`], which is as small as the sites are few.
//! Adding a printer is one file and one line in [`PRINTERS`].

pub mod action;
mod answers;
mod json;
mod jsonl;
mod merge;
mod places;
pub mod receipt;
pub mod redaction;
pub mod standing;
mod text;
pub mod units;
mod wire;
pub mod words;

use std::io::{self, Write};
use std::sync::Arc;

use crate::dump::LabelKinds;
use crate::error::{Fault, Gap, Result};
use crate::finding::{Evidence, PublicIdentity, Rule, RuleId, Severity, Site};
use crate::scan::Coverage;
use crate::scan::sites::Sites;
use crate::vault::Secret;

pub use crate::inert::{Inert, InertJson, Short};
pub use action::{Action, Decision, Ruling};
pub use answers::Answer;
pub use json::write_document;
pub use merge::{Builder, Scanned};
pub use places::{Places, Spot};
pub use standing::Standing;

/// Tells a report in one format.
pub trait Printer: Sync {
    /// The name that `--format` takes.
    fn name(&self) -> &'static str;
    /// For whom it is, for the help text.
    fn about(&self) -> &'static str;
    /// Writes the report.
    ///
    /// # Errors
    /// When `out` cannot be written, or spilled sites cannot be read back.
    fn print(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()>;
}

/// Every printer; the first is the default.
pub const PRINTERS: &[&dyn Printer] = &[&text::Text, &json::Json, &jsonl::JsonLines];

/// How much a printer for people tells. Printers for programs always tell all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Findings and the result.
    Quiet,
    /// Findings, dumps and remedies, with long lists cut short and counted.
    #[default]
    Normal,
    /// Everything.
    Verbose,
}

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Findings of this severity and above count.
    pub fail_on: Severity,
    /// Findings with less evidence are neither listed nor counted; the report says how many there were.
    pub min_evidence: Evidence,
}

impl Default for Policy {
    fn default() -> Self {
        Self { fail_on: Severity::Low, min_evidence: Evidence::Matched }
    }
}

/// Everything that is told of a run.
#[derive(Debug)]
pub struct Report {
    /// The program's name.
    pub tool: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// What counts.
    pub policy: Policy,
    /// The id of the key that fingerprints were made with.
    pub fingerprint_key: Option<String>,
    /// The rules that were looked for.
    pub rules: Arc<Vec<Rule>>,
    /// One row for each input, in the order in which they were named; folders in order of path.
    pub dumps: Vec<DumpReport>,
    /// What was seen in a folder and left alone on purpose: symbolic links.
    pub skipped: Vec<Skipped>,
    /// One for each secret, worst first.
    pub findings: Vec<ReportFinding>,
    /// The baseline that was asked, where one was.
    pub baseline: Option<BaselineUse>,
    /// The policy that decided, where one did, and what it decided on all dumps together.
    pub gate: Option<Gate>,
    /// What is to be said of each thing that was known before, in the order in which the files name them.
    pub known: Vec<Answer>,
    /// The numbers of it all.
    pub tally: Tally,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What a baseline was good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaselineUse {
    /// Its file.
    pub file: String,
    /// Fingerprints that it accepts.
    pub entries: usize,
    /// Those that no finding has, in order.
    pub unused: Vec<String>,
}

/// What a policy decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The policy's name: its file, or a preset.
    pub policy: String,
    /// What it is, in words.
    pub about: String,
    /// What is to be done about the worst of the dumps.
    pub decision: Decision,
    /// Why they do not all pass.
    pub reasons: Vec<String>,
}

/// One input.
#[derive(Debug)]
pub struct DumpReport {
    /// Its path, or `-`.
    pub origin: String,
    /// Why it could not be scanned, where it could not. Then the rest is empty but for one gap.
    pub error: Option<String>,
    /// The format's name; empty where it could not be opened.
    pub format: &'static str,
    /// The containers that it was in, the innermost first.
    pub containers: Vec<&'static str>,
    /// What was looked at; its gaps are those of the map and of the scan together.
    pub coverage: Coverage,
    /// Records that were not as they should be.
    pub faults: Vec<Fault>,
    /// How many runs of memory it describes.
    pub regions: usize,
    /// How many threads it holds.
    pub threads: usize,
    /// How many modules it names.
    pub modules: usize,
    /// What a policy says is to be done about it, where one was asked.
    pub decision: Option<Decision>,
    places: Places,
    sites: Sites,
}

impl DumpReport {
    /// What was not scanned of it.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.coverage.gaps
    }
}

/// What was left alone on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path.
    pub origin: String,
    /// Why.
    pub reason: &'static str,
}

/// One secret, in however many dumps.
#[derive(Debug)]
pub struct ReportFinding {
    /// Its number in this report, from 1. It names nothing beyond this report.
    pub number: usize,
    /// What kind of secret.
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// The best evidence that any site gave.
    pub evidence: Evidence,
    /// Whether it counts for the exit code.
    pub counted: bool,
    /// Whether a baseline accepts it: then it does not count.
    pub accepted: bool,
    /// What a policy says is to be done about it, where one was asked.
    pub action: Option<Action>,
    /// Whether all of its sites lie in memory of modules that the process could not write: it is a constant of a program, and
    /// seldom anybody's secret.
    pub constant: bool,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// Its keyed fingerprint, where there was a key to make it with.
    pub fingerprint: Option<String>,
    /// How many sites it has, in all dumps together.
    pub sites: u64,
    /// In which dumps it is.
    pub held: Vec<Held>,
    /// The secret itself, only where `--show-secrets` asked for it.
    pub secret: Option<Secret>,
}

/// A finding's share of one dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Index of the dump in [`Report::dumps`].
    pub dump: usize,
    /// How many sites it has there.
    pub sites: u64,
    /// File offset of the first of them.
    pub first: u64,
    /// The kinds of memory that they lie in.
    pub labels: LabelKinds,
    /// Whether all of them lie in memory of modules that the process could not write.
    pub constant: bool,
    /// Index of the finding in that dump's own scan.
    finding: usize,
}

/// A site and where it lies.
#[derive(Debug)]
pub struct PlacedSite<'a> {
    /// The dump that it is in.
    pub dump: &'a DumpReport,
    /// The bytes, and how they hold the secret.
    pub site: Site,
    /// Whose memory that is.
    pub spot: Spot<'a>,
}

/// The numbers of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that were scanned.
    pub scanned: usize,
    /// Inputs that could not be scanned.
    pub unreadable: usize,
    /// Bytes of all images that were scanned or should have been.
    pub bytes: u64,
    /// Findings that are listed.
    pub findings: usize,
    /// Of those, the ones that count for the exit code.
    pub counted: usize,
    /// Findings that do not count because a baseline accepts them.
    pub accepted: usize,
    /// Findings that are not listed because their evidence is below what was asked for.
    pub below_evidence: usize,
    /// Sites of the findings that are listed.
    pub sites: u64,
    /// Faults in all dumps together.
    pub faults: usize,
    /// Gaps in all dumps together.
    pub gaps: usize,
}

/// What a report comes to: the exit code, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The process's exit code.
    pub exit_code: u8,
    /// What it means here, in a sentence.
    pub meaning: String,
}

impl Report {
    /// Takes in what a policy decided: what it does not let pass counts, and nothing else does.
    pub fn judge(&mut self, policy: &str, about: &str, ruling: Ruling) {
        for (finding, action) in self.findings.iter_mut().zip(ruling.actions) {
            finding.action = Some(action);
            finding.counted = action > Action::Report;
        }
        for (dump, decision) in self.dumps.iter_mut().zip(ruling.dumps) {
            dump.decision = Some(decision);
        }
        self.tally.counted = self.findings.iter().filter(|finding| finding.counted).count();
        let Ruling { decision, reasons, .. } = ruling;
        self.gate = Some(Gate { policy: policy.to_owned(), about: about.to_owned(), decision, reasons });
    }

    /// The rule of a finding.
    #[must_use]
    pub fn rule(&self, finding: &ReportFinding) -> Option<&Rule> {
        self.rules.get(finding.rule.0)
    }

    /// Every site of a finding, dump by dump, in file order.
    pub fn sites_of<'a>(&'a self, finding: &'a ReportFinding) -> impl Iterator<Item = Result<PlacedSite<'a>>> + 'a {
        finding.held.iter().flat_map(|held| self.sites_in(held))
    }

    /// Every site of a finding in one dump, in file order.
    pub fn sites_in<'a>(&'a self, held: &Held) -> impl Iterator<Item = Result<PlacedSite<'a>>> + 'a {
        let finding = held.finding;
        let placed = |dump: &'a DumpReport, site: Site| PlacedSite { spot: dump.places.at(site.offset()), dump, site };
        let dump = self.dumps.get(held.dump).into_iter();
        dump.flat_map(move |dump| dump.sites.of(finding).map(move |site| Ok(placed(dump, site?))))
    }

    /// The dump that holds a share of a finding.
    #[must_use]
    pub fn dump(&self, held: &Held) -> Option<&DumpReport> {
        self.dumps.get(held.dump)
    }
}
