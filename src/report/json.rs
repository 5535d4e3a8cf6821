//! The report as one JSON document, for programs: schema `dumpscrub-report/1`, see `docs/json.md`.

use std::io::{self, Write};

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use serde_json::ser::PrettyFormatter;

use crate::finding::Rule;
use crate::report::wire::{
    SCHEMA, Summary, Tool, WireBaseline, WireDump, WireFault, WireFinding, WireGap, WireGate, WireKnown, WirePolicy,
    WireSites, WireSkipped,
};
use crate::report::{Detail, DumpReport, InertJson, Printer, Report, ReportFinding};

/// One JSON document.
pub struct Json;

impl Printer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "for programs: one document"
    }

    fn print(&self, report: &Report, _detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        write_document(&Document::of(report), out)
    }
}

/// Writes a value as JSON that is laid out for reading and that no terminal can be harmed by.
///
/// # Errors
/// When `out` cannot be written, or the value cannot be told.
pub fn write_document(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let format = InertJson(PrettyFormatter::new());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, format))?;
    writeln!(out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool,
    policy: WirePolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint_key: Option<&'a str>,
    rules: &'a [Rule],
    dumps: Vec<FullDump<'a>>,
    skipped: Vec<WireSkipped<'a>>,
    findings: Findings<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<WireBaseline<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<WireGate<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    known: Vec<WireKnown<'a>>,
    summary: Summary<'a>,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            schema: SCHEMA,
            tool: Tool::of(report),
            policy: report.policy.into(),
            fingerprint_key: report.fingerprint_key.as_deref(),
            rules: &report.rules,
            dumps: report.dumps.iter().map(FullDump::of).collect(),
            skipped: report.skipped.iter().map(WireSkipped::of).collect(),
            findings: Findings(report),
            baseline: WireBaseline::of(report),
            gate: WireGate::of(report),
            known: report.known.iter().map(|answer| WireKnown::of(report, answer)).collect(),
            summary: Summary::of(report),
        }
    }
}

#[derive(Serialize)]
struct FullDump<'a> {
    #[serde(flatten)]
    dump: WireDump<'a>,
    faults: Vec<WireFault<'a>>,
    gaps: Vec<WireGap<'a>>,
}

impl<'a> FullDump<'a> {
    fn of(dump: &'a DumpReport) -> Self {
        let faults = dump.faults.iter().map(WireFault::of).collect();
        Self { dump: WireDump::of(dump), faults, gaps: dump.gaps().iter().map(WireGap::of).collect() }
    }
}

/// All findings with all their sites, written one by one.
struct Findings<'a>(&'a Report);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.findings.len()))?;
        self.0.findings.iter().try_for_each(|finding| seq.serialize_element(&FullFinding::of(self.0, finding)))?;
        seq.end()
    }
}

#[derive(Serialize)]
struct FullFinding<'a> {
    #[serde(flatten)]
    finding: WireFinding<'a>,
    sites: WireSites<'a>,
}

impl<'a> FullFinding<'a> {
    fn of(report: &'a Report, finding: &'a ReportFinding) -> Self {
        Self { finding: WireFinding::of(report, finding), sites: WireSites(report, finding) }
    }
}
