//! SARIF 2.1.0 (OASIS), for code scanning services and viewers.
//!
//! A result is one secret in one dump: its first place is the location, the others are related locations. Places are byte
//! regions of a binary file, with `startLine` 1 because GitHub takes no result without a line, and with addresses. Gaps and
//! inputs that could not be scanned are notifications of the run, as SARIF asks of what a tool did not do.
//!
//! Results are written one by one; what is kept of each is bounded by [`RELATED`].

use std::io::{self, Write};

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    Address, Artifact, ArtifactLocation, Invocation, Location, LogicalLocation, Message, MultiformatMessageString,
    Notification, PhysicalLocation, PropertyBag, Region, ReportingConfiguration, ReportingDescriptor,
    ReportingDescriptorReference, Result as SarifResult, ResultLevel, SCHEMA_URL, Suppression, Tool, ToolComponent,
};

use crate::finding::{Rule, RuleId, Severity};
use crate::report::{
    Action, Detail, DumpReport, Held, PlacedSite, Printer, Report, ReportFinding, phrases, words, write_document,
};

/// SARIF 2.1.0.
pub struct Sarif;

/// Related locations of one result: GitHub takes 1,000. All places are counted, and JSON lists them all.
const RELATED: usize = 999;

/// The name of our fingerprints among those of others.
const FINGERPRINT: &str = "dumpscrubSecret/1";

impl Printer for Sarif {
    fn name(&self) -> &'static str {
        "sarif"
    }

    fn about(&self) -> &'static str {
        "for code scanning services: SARIF 2.1.0"
    }

    fn print(&self, report: &Report, _detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        let rules = Rules::of(report);
        let run = Run {
            tool: tool(report, &rules),
            invocations: [invocation(report)],
            artifacts: report.dumps.iter().map(artifact).collect(),
            results: Results { report, rules: &rules },
            column_kind: "unicodeCodePoints",
        };
        write_document(&Log { schema: SCHEMA_URL, version: "2.1.0", runs: [run] }, out)
    }
}

/// The log and its run are our own types, because their results are written one by one.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation; 1],
    artifacts: Vec<Artifact>,
    results: Results<'a>,
    column_kind: &'static str,
}

/// The rules that found something, worst finding first.
struct Rules<'a>(Vec<(RuleId, &'a Rule)>);

impl<'a> Rules<'a> {
    fn of(report: &'a Report) -> Self {
        let mut rules: Vec<(RuleId, &Rule)> = Vec::new();
        for finding in &report.findings {
            if !rules.iter().any(|(id, _)| *id == finding.rule) {
                rules.extend(report.rule(finding).map(|rule| (finding.rule, rule)));
            }
        }
        Self(rules)
    }

    fn index(&self, id: RuleId) -> i64 {
        self.0.iter().position(|(known, _)| *known == id).and_then(|index| i64::try_from(index).ok()).unwrap_or(-1)
    }
}

fn tool(report: &Report, rules: &Rules<'_>) -> Tool {
    let driver = ToolComponent::builder()
        .name(report.tool)
        .semantic_version(report.version)
        .version(report.version)
        .rules(rules.0.iter().map(|(_, rule)| descriptor(rule)).collect::<Vec<_>>())
        .notifications(NOTIFICATIONS.map(|(id, text)| kind_of_notification(id, text)).to_vec())
        .build();
    Tool::builder().driver(driver).build()
}

fn descriptor(rule: &Rule) -> ReportingDescriptor {
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    let mut more = vec![("severity", json!(words::name(rule.severity)))];
    more.extend(security_severity(rule.severity).map(|number| ("security-severity", json!(number))));
    let mut properties = bag(more);
    properties.tags = Some(vec!["security".to_owned(), "secret".to_owned()]);
    ReportingDescriptor::builder()
        .id(&rule.id)
        .name(&rule.title)
        .short_description(text(&rule.title))
        .full_description(text(&rule.description))
        .help(text(&format!("{} {}", rule.description, rule.remedy)))
        .default_configuration(ReportingConfiguration::builder().level(json!(level(rule.severity))).build())
        .properties(properties)
        .build()
}

/// The number by which GitHub ranks: above 9.0 is critical, from 7.0 high, below 4.0 low.
fn security_severity(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Critical => Some("9.5"),
        Severity::High => Some("8.0"),
        Severity::Low => Some("3.0"),
        Severity::Info => None,
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Low => "warning",
        Severity::Info => "note",
    }
}

const NOTIFICATIONS: [(&str, &str); 3] = [
    ("unreadable", "An input could not be scanned."),
    ("gap", "Bytes were not scanned."),
    ("fault", "A record of a dump is not as its format says it must be; all bytes were scanned."),
];

fn kind_of_notification(id: &str, text: &str) -> ReportingDescriptor {
    let text = MultiformatMessageString::builder().text(text).build();
    ReportingDescriptor::builder().id(id).short_description(text).build()
}

fn invocation(report: &Report) -> Invocation {
    Invocation::builder()
        .execution_successful(report.tally.unreadable == 0)
        .exit_code(i64::from(report.verdict.exit_code))
        .exit_code_description(report.verdict.meaning.as_str())
        .tool_execution_notifications(report.dumps.iter().flat_map(notifications).collect::<Vec<_>>())
        .build()
}

fn notifications(dump: &DumpReport) -> Vec<Notification> {
    if let Some(error) = &dump.error {
        return vec![notification("unreadable", "error", error, location(dump, None))];
    }
    let region = |offset, len| Some(byte_region(offset, len));
    let gaps = dump
        .gaps()
        .iter()
        .map(|gap| notification("gap", "warning", &gap.reason, location(dump, region(gap.span.from(), gap.span.len))));
    let faults = dump
        .faults
        .iter()
        .map(|fault| notification("fault", "note", &fault.to_string(), location(dump, region(fault.at.0, 0))));
    gaps.chain(faults).collect()
}

fn notification(id: &str, level: &str, text: &str, at: PhysicalLocation) -> Notification {
    Notification::builder()
        .descriptor(ReportingDescriptorReference::builder().id(id).build())
        .level(json!(level))
        .message(message(text))
        .locations(vec![Location::builder().physical_location(at).build()])
        .build()
}

fn artifact(dump: &DumpReport) -> Artifact {
    let more = [("format", json!(dump.format)), ("decision", json!(dump.decision.map(words::name)))];
    let told = more.into_iter().filter(|(_, value)| !value.is_null() && value != "");
    Artifact::builder()
        .location(ArtifactLocation::builder().uri(uri(&dump.origin)).build())
        .length(i64::try_from(dump.coverage.bytes).unwrap_or(i64::MAX))
        .mime_type("application/octet-stream")
        .roles(vec![json!("analysisTarget")])
        .properties(bag(told))
        .build()
}

/// All results, written one by one.
struct Results<'a> {
    report: &'a Report,
    rules: &'a Rules<'a>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for finding in &self.report.findings {
            for held in &finding.held {
                seq.serialize_element(&self.result(finding, held).map_err(S::Error::custom)?)?;
            }
        }
        seq.end()
    }
}

impl Results<'_> {
    fn result(&self, finding: &ReportFinding, held: &Held) -> io::Result<SarifResult> {
        let mut places = Vec::new();
        for site in self.report.sites_in(held).take(RELATED + 1) {
            places.push(placed(&site.map_err(io::Error::other)?));
        }
        let mut places = places.into_iter();
        let first: Vec<Location> = places.next().into_iter().collect();
        let related: Vec<Location> = places.zip(1..).map(|(place, id)| Location { id: Some(id), ..place }).collect();
        let rule = self.report.rule(finding);
        let mut result = SarifResult::builder()
            .rule_id(rule.map_or("", |rule| &rule.id))
            .rule_index(self.rules.index(finding.rule))
            .level(result_level(finding))
            .message(message(&self.words(finding, held)))
            .locations(first)
            .occurrence_count(i64::try_from(held.sites).unwrap_or(i64::MAX))
            .properties(bag(told(finding)))
            .build();
        result.related_locations = Some(related).filter(|all| !all.is_empty());
        result.partial_fingerprints = phrases::identity(finding).map(|name| [(FINGERPRINT.to_owned(), name)].into());
        if finding.accepted {
            let accepted = Suppression::builder().kind(json!("external")).status(json!("accepted"));
            result.suppressions = Some(vec![accepted.justification("the baseline accepts it").build()]);
        }
        Ok(result)
    }

    /// The first sentence is what services show of it.
    fn words(&self, finding: &ReportFinding, held: &Held) -> String {
        let sites = crate::report::units::Count(held.sites, "site");
        let remedy = self.report.rule(finding).map_or("", |rule| &rule.remedy);
        format!("{}, at {sites}. {remedy}", phrases::headline(self.report, finding))
    }
}

fn result_level(finding: &ReportFinding) -> ResultLevel {
    match (finding.counted, finding.action, finding.severity) {
        (false, _, _) => ResultLevel::Note,
        (true, Some(Action::Block), _) | (true, _, Severity::Critical | Severity::High) => ResultLevel::Error,
        (true, _, _) => ResultLevel::Warning,
    }
}

fn told(finding: &ReportFinding) -> Vec<(&'static str, Value)> {
    let mut told = vec![
        ("severity", json!(words::name(finding.severity))),
        ("evidence", json!(words::name(finding.evidence))),
        ("counted", json!(finding.counted)),
        ("public", json!(finding.public)),
    ];
    told.extend(finding.action.map(|action| ("action", json!(words::name(action)))));
    told.extend(finding.constant.then_some(("constant", json!(true))));
    told
}

fn placed(placed: &PlacedSite<'_>) -> Location {
    let PlacedSite { dump, site, spot } = placed;
    let first = site.spans.first().map_or(0, |span| span.len);
    let mut at = location(dump, Some(byte_region(site.offset(), first)));
    if let Some(address) = spot.address {
        let mut told = Address::builder().fully_qualified_name(address.to_string()).kind("data").build();
        // A kernel's addresses do not fit the type; the name has them.
        told.absolute_address = i64::try_from(address.0).ok();
        told.length = i64::try_from(first).ok();
        told.name = spot.module.map(|(module, offset)| format!("{module}+{offset:#x}"));
        at.address = Some(told);
    }
    let logical = LogicalLocation::builder().fully_qualified_name(spot.label).build();
    Location::builder()
        .physical_location(at)
        .logical_locations(vec![logical])
        .message(message(&phrases::place(placed)))
        .build()
}

fn location(dump: &DumpReport, region: Option<Region>) -> PhysicalLocation {
    let artifact = ArtifactLocation::builder().uri(uri(&dump.origin)).build();
    let mut location = PhysicalLocation::builder().artifact_location(artifact).build();
    location.region = region;
    location
}

fn byte_region(offset: u64, len: u64) -> Region {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Region::builder().start_line(1).byte_offset(number(offset)).byte_length(number(len)).build()
}

fn message(text: &str) -> Message {
    Message::builder().text(text).build()
}

fn bag(more: impl IntoIterator<Item = (&'static str, Value)>) -> PropertyBag {
    let additional_properties = more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    PropertyBag { tags: None, additional_properties }
}

/// A path as a URI reference (RFC 3986): what is no letter, digit or one of `-._~/!` is percent-encoded.
fn uri(origin: &str) -> String {
    let mut uri = String::with_capacity(origin.len() + 7);
    if origin.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in origin.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'!' => uri.push(byte.into()),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(uri("dumps/a b.dmp"), "dumps/a%20b.dmp");
        assert_eq!(uri("/var/crash/\u{e4}:1.dmp"), "file:///var/crash/%C3%A4%3A1.dmp");
        assert_eq!(uri("bundle.zip!core.zst"), "bundle.zip!core.zst");
    }
}
