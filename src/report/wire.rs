//! What JSON says, apart from the types that the program works with, so that a change here is a change of the schema.
//!
//! The layout is documented in `docs/json.md` and `docs/report.schema.json`; a test holds the three together. Offsets and
//! lengths are numbers, in bytes of the file; addresses are strings (`"0x7ffc12345678"`), because a kernel's addresses do
//! not fit a JavaScript number.

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use crate::error::{Fault, Gap};
use crate::finding::{Evidence, Form, Profile, PublicIdentity, Rule, Severity};
use crate::known::Kind;
use crate::report::{
    Action, Answer, BaselineUse, Decision, DumpReport, Gate, Held, PlacedSite, Policy, Report, ReportFinding, Skipped,
    Tally,
};
use crate::vault::{Part, PartKind};

/// The name and version of the layout. A field may be added; none changes its meaning under this name.
pub const SCHEMA: &str = "dumpscrub-report/1";

#[derive(Serialize)]
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    pub fn of(report: &Report) -> Self {
        Self { name: report.tool, version: report.version }
    }
}

#[derive(Serialize)]
pub struct WirePolicy {
    fail_on: Severity,
    min_evidence: Evidence,
}

impl From<Policy> for WirePolicy {
    fn from(Policy { fail_on, min_evidence }: Policy) -> Self {
        Self { fail_on, min_evidence }
    }
}

#[derive(Serialize)]
pub struct WireDump<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    format: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    containers: &'a [&'static str],
    bytes: u64,
    scanned: u64,
    constant: u64,
    seams: u64,
    regions: usize,
    threads: usize,
    modules: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Decision>,
    notes: &'a [String],
}

impl<'a> WireDump<'a> {
    pub fn of(dump: &'a DumpReport) -> Self {
        let coverage = &dump.coverage;
        Self {
            file: &dump.origin,
            error: dump.error.as_deref(),
            format: dump.format,
            containers: &dump.containers,
            bytes: coverage.bytes,
            scanned: coverage.scanned,
            constant: coverage.constant,
            seams: coverage.seams,
            regions: dump.regions,
            threads: dump.threads,
            modules: dump.modules,
            decision: dump.decision,
            notes: &coverage.notes,
        }
    }
}

#[derive(Serialize)]
pub struct WireFault<'a> {
    offset: u64,
    what: &'a str,
    expected: &'a str,
    found: &'a str,
}

impl<'a> WireFault<'a> {
    pub fn of(fault: &'a Fault) -> Self {
        Self { offset: fault.at.0, what: &fault.what, expected: &fault.expected, found: &fault.found }
    }
}

#[derive(Serialize)]
pub struct WireGap<'a> {
    offset: u64,
    length: u64,
    reason: &'a str,
}

impl<'a> WireGap<'a> {
    pub fn of(gap: &'a Gap) -> Self {
        Self { offset: gap.span.from(), length: gap.span.len, reason: &gap.reason }
    }
}

/// What a baseline was good for.
#[derive(Serialize)]
pub struct WireBaseline<'a> {
    file: &'a str,
    entries: usize,
    unused: &'a [String],
}

impl<'a> WireBaseline<'a> {
    pub fn of(report: &'a Report) -> Option<Self> {
        let BaselineUse { file, entries, unused } = report.baseline.as_ref()?;
        Some(Self { file, entries: *entries, unused })
    }
}

/// What a policy decided.
#[derive(Serialize)]
pub struct WireGate<'a> {
    policy: &'a str,
    about: &'a str,
    decision: Decision,
    reasons: &'a [String],
}

impl<'a> WireGate<'a> {
    pub fn of(report: &'a Report) -> Option<Self> {
        let Gate { policy, about, decision, reasons } = report.gate.as_ref()?;
        Some(Self { policy, about, decision: *decision, reasons })
    }
}

#[derive(Serialize)]
pub struct WireSkipped<'a> {
    file: &'a str,
    reason: &'static str,
}

impl<'a> WireSkipped<'a> {
    pub fn of(skipped: &'a Skipped) -> Self {
        Self { file: &skipped.origin, reason: skipped.reason }
    }
}

#[derive(Serialize)]
pub struct WireFinding<'a> {
    number: usize,
    rule: &'a str,
    title: &'a str,
    severity: Severity,
    evidence: Evidence,
    counted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    constant: bool,
    #[serde(skip_serializing_if = "Profile::is_default")]
    profile: Profile,
    public: &'a PublicIdentity,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    site_count: u64,
    dumps: Vec<WireHeld<'a>>,
    remedy: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret: Vec<WirePart>,
}

impl<'a> WireFinding<'a> {
    pub fn of(report: &'a Report, finding: &'a ReportFinding) -> Self {
        let rule = |field: fn(&'a Rule) -> &'a str| report.rule(finding).map_or("", field);
        Self {
            number: finding.number,
            rule: rule(|rule| &rule.id),
            title: rule(|rule| &rule.title),
            severity: finding.severity,
            evidence: finding.evidence,
            counted: finding.counted,
            accepted: finding.accepted,
            action: finding.action,
            constant: finding.constant,
            profile: report.rule(finding).map_or(Profile::Default, |rule| rule.profile),
            public: &finding.public,
            fingerprint: finding.fingerprint.as_deref(),
            site_count: finding.sites,
            dumps: finding.held.iter().filter_map(|held| WireHeld::of(report, held)).collect(),
            remedy: rule(|rule| &rule.remedy),
            secret: finding.secret.iter().flat_map(|secret| secret.parts()).map(WirePart::of).collect(),
        }
    }
}

/// What is said of one thing that was known before.
#[derive(Serialize)]
pub struct WireKnown<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    kind: &'static str,
    public: &'a PublicIdentity,
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<usize>,
    site_count: u64,
    dumps: Vec<WireHeld<'a>>,
    searched: usize,
    incomplete: usize,
    hunted: bool,
}

impl<'a> WireKnown<'a> {
    pub fn of(report: &'a Report, answer: &'a Answer) -> Self {
        let kind = match answer.kind {
            Kind::Certificate => "certificate",
            Kind::PublicKey => "public-key",
            Kind::PrivateKey => "private-key",
            Kind::Text => "secret",
        };
        Self {
            file: &answer.file,
            line: answer.line,
            kind,
            public: &answer.public,
            found: answer.is_found(),
            finding: answer.finding,
            site_count: answer.sites,
            dumps: answer.held.iter().filter_map(|held| WireHeld::of(report, held)).collect(),
            searched: answer.searched,
            incomplete: answer.incomplete,
            hunted: answer.hunted,
        }
    }
}

#[derive(Serialize)]
struct WireHeld<'a> {
    file: &'a str,
    site_count: u64,
}

impl<'a> WireHeld<'a> {
    fn of(report: &'a Report, held: &Held) -> Option<Self> {
        Some(Self { file: &report.dump(held)?.origin, site_count: held.sites })
    }
}

/// A part of a secret: only ever made where `--show-secrets` was given.
#[derive(Serialize)]
struct WirePart {
    piece: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

impl WirePart {
    fn of(part: &Part) -> Self {
        let text = std::str::from_utf8(part.bytes.expose()).ok().filter(|_| part.kind == PartKind::Text);
        let hex = if text.is_some() { None } else { Some(hex(part.bytes.expose())) };
        Self { piece: super::words::name(part.piece), text: text.map(str::to_owned), hex }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize)]
pub struct WireSite<'a> {
    file: &'a str,
    offset: u64,
    length: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<[u64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_offset: Option<u64>,
    form: Form,
}

impl<'a> WireSite<'a> {
    pub fn of(placed: &PlacedSite<'a>) -> Self {
        let PlacedSite { dump, site, spot } = placed;
        let cut = site.spans.iter().filter(|_| site.spans.len() > 1);
        Self {
            file: &dump.origin,
            offset: site.offset(),
            length: site.len(),
            pieces: cut.map(|span| [span.from(), span.len]).collect(),
            address: spot.address.map(|address| address.to_string()),
            label: spot.label,
            thread: spot.thread,
            module: spot.module.map(|(name, _)| name),
            module_offset: spot.module.map(|(_, offset)| offset),
            form: site.form,
        }
    }
}

/// All sites of a finding, written one by one.
pub struct WireSites<'a>(pub &'a Report, pub &'a ReportFinding);

impl Serialize for WireSites<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for site in self.0.sites_of(self.1) {
            seq.serialize_element(&WireSite::of(&site.map_err(S::Error::custom)?))?;
        }
        seq.end()
    }
}

#[derive(Serialize)]
pub struct Summary<'a> {
    scanned: usize,
    unreadable: usize,
    bytes: u64,
    findings: usize,
    counted: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<usize>,
    below_evidence: usize,
    sites: u64,
    faults: usize,
    gaps: usize,
    exit_code: u8,
    meaning: &'a str,
}

impl<'a> Summary<'a> {
    pub fn of(report: &'a Report) -> Self {
        let Tally { scanned, unreadable, bytes, findings, counted, accepted, below_evidence, sites, faults, gaps } =
            report.tally;
        let accepted = report.baseline.is_some().then_some(accepted);
        let (exit_code, meaning) = (report.verdict.exit_code, report.verdict.meaning.as_str());
        Self {
            scanned,
            unreadable,
            bytes,
            findings,
            counted,
            accepted,
            below_evidence,
            sites,
            faults,
            gaps,
            exit_code,
            meaning,
        }
    }
}
