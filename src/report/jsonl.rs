//! The report as JSON Lines, for pipes and for logs: one object a line, told apart by `type`, see `docs/json.md`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::CompactFormatter;

use crate::report::wire::{
    SCHEMA, Summary, Tool, WireBaseline, WireDump, WireFault, WireFinding, WireGap, WireGate, WireKnown, WirePolicy,
    WireSite, WireSkipped,
};
use crate::report::{Detail, DumpReport, InertJson, Printer, Report, ReportFinding};

/// One JSON object a line.
pub struct JsonLines;

impl Printer for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn about(&self) -> &'static str {
        "for pipes: one object a line"
    }

    fn print(&self, report: &Report, _detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        line(out, "start", Start::of(report))?;
        report.dumps.iter().try_for_each(|dump| dump_lines(dump, out))?;
        report.skipped.iter().try_for_each(|skipped| line(out, "skipped", WireSkipped::of(skipped)))?;
        report.findings.iter().try_for_each(|finding| finding_lines(report, finding, out))?;
        WireBaseline::of(report).map_or(Ok(()), |baseline| line(out, "baseline", baseline))?;
        WireGate::of(report).map_or(Ok(()), |gate| line(out, "gate", gate))?;
        report.known.iter().try_for_each(|answer| line(out, "known", WireKnown::of(report, answer)))?;
        line(out, "summary", Summary::of(report))
    }
}

#[derive(Serialize)]
struct Start<'a> {
    schema: &'static str,
    tool: Tool,
    policy: WirePolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint_key: Option<&'a str>,
}

impl<'a> Start<'a> {
    fn of(report: &'a Report) -> Self {
        let (tool, policy) = (Tool::of(report), report.policy.into());
        Self { schema: SCHEMA, tool, policy, fingerprint_key: report.fingerprint_key.as_deref() }
    }
}

#[derive(Serialize)]
struct OfFile<'a, T> {
    file: &'a str,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct SiteLine<'a> {
    finding: usize,
    /// The rule's id, under the name that other scanners' lines have for it.
    kind: &'a str,
    #[serde(flatten)]
    site: WireSite<'a>,
}

fn dump_lines(dump: &DumpReport, out: &mut dyn Write) -> io::Result<()> {
    let file = dump.origin.as_str();
    line(out, "dump", WireDump::of(dump))?;
    for fault in &dump.faults {
        line(out, "fault", OfFile { file, body: WireFault::of(fault) })?;
    }
    dump.gaps().iter().try_for_each(|gap| line(out, "gap", OfFile { file, body: WireGap::of(gap) }))
}

fn finding_lines(report: &Report, finding: &ReportFinding, out: &mut dyn Write) -> io::Result<()> {
    line(out, "finding", WireFinding::of(report, finding))?;
    let kind = report.rule(finding).map_or("", |rule| &rule.id);
    for site in report.sites_of(finding) {
        let site = site.map_err(io::Error::other)?;
        line(out, "site", SiteLine { finding: finding.number, kind, site: WireSite::of(&site) })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Line<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    body: T,
}

fn line(out: &mut dyn Write, kind: &'static str, body: impl Serialize) -> io::Result<()> {
    let format = InertJson(CompactFormatter);
    Line { kind, body }.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, format))?;
    writeln!(out)
}
