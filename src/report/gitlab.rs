//! GitLab's secret detection report, version 15 of its schema, for the security dashboard.
//!
//! A vulnerability is one secret in one dump. GitLab takes two of them for one where the first identifier, the file and the
//! line are the same, and a dump has no lines; so the first identifier names the secret, and the second its rule.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::finding::Severity;
use crate::report::{Detail, DumpReport, Held, Printer, Report, ReportFinding, phrases, wire, write_document};

/// GitLab's secret detection report.
pub struct Gitlab;

/// The version of GitLab's schema: the first that all current versions of GitLab take.
const SCHEMA: &str = "15.0.4";

/// GitLab takes names of this many characters.
const LONGEST_NAME: usize = 255;

/// What stands for the commit of files that are in none.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

impl Printer for Gitlab {
    fn name(&self) -> &'static str {
        "gitlab"
    }

    fn about(&self) -> &'static str {
        "for GitLab: secret detection report"
    }

    fn print(&self, report: &Report, _detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        write_document(&Document { version: SCHEMA, scan: scan(report), vulnerabilities: All(report) }, out)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    scan: Value,
    vulnerabilities: All<'a>,
}

fn scan(report: &Report) -> Value {
    let program = json!({
        "id": report.tool, "name": report.tool, "version": report.version, "vendor": { "name": report.tool },
    });
    let [start, end] = [report.started, report.ended].map(time);
    let status = if report.tally.unreadable > 0 { "failure" } else { "success" };
    json!({
        "type": "secret_detection",
        "analyzer": program, "scanner": program,
        "start_time": start, "end_time": end,
        "status": status,
        "messages": messages(report),
    })
}

/// What was not scanned, and what it all comes to.
fn messages(report: &Report) -> Vec<Value> {
    let message = |level: &str, text: String| json!({ "level": level, "value": text });
    let mut all = Vec::new();
    for dump in &report.dumps {
        match &dump.error {
            Some(error) => all.push(message("fatal", format!("{}: {error}", dump.origin))),
            None => all.extend(dump.gaps().iter().map(|gap| {
                let (from, to) = (gap.span.start, gap.span.end());
                message("warn", format!("{}: not scanned: {from} to {to:#x}: {}", dump.origin, gap.reason))
            })),
        }
    }
    all.push(message("info", format!("exit code {}: {}", report.verdict.exit_code, report.verdict.meaning)));
    all
}

/// `yyyy-mm-ddThh:mm:ss`, as the schema asks.
fn time(at: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.trim_end_matches('Z').to_owned()
}

/// All vulnerabilities, written one by one: what a baseline accepts is none, and what is only told is of severity Info.
struct All<'a>(&'a Report);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for finding in self.0.findings.iter().filter(|finding| !finding.accepted) {
            for held in &finding.held {
                let Some(dump) = self.0.dump(held) else { continue };
                seq.serialize_element(&vulnerability(self.0, finding, held, dump).map_err(S::Error::custom)?)?;
            }
        }
        seq.end()
    }
}

fn vulnerability(report: &Report, finding: &ReportFinding, held: &Held, dump: &DumpReport) -> io::Result<Value> {
    let rule = report.rule(finding);
    let (id, title) = rule.map_or(("", ""), |rule| (rule.id.as_str(), rule.title.as_str()));
    let first = report.sites_in(held).next().transpose().map_err(io::Error::other)?;
    let place = first.map_or_else(String::new, |site| phrases::place(&site));
    // Without a key for fingerprints a text has no name; then the place of this one is all that tells it from others.
    let name = phrases::identity(finding).unwrap_or_else(|| format!("{id}:{:#x}", held.first));
    let sites = crate::report::units::Count(held.sites, "site");
    let description = rule.map_or("", |rule| &rule.description);
    Ok(json!({
        "id": uuid(&[&dump.origin, id, &name]),
        "name": title.chars().take(LONGEST_NAME).collect::<String>(),
        "description": format!("{}, at {sites}; the first: {place}. {description}", phrases::headline(report, finding)),
        "severity": severity(finding),
        "solution": rule.map_or("", |rule| &rule.remedy),
        "identifiers": [
            { "type": "dumpscrub_secret", "name": format!("{title}: {name}"), "value": name },
            { "type": "dumpscrub_rule", "name": format!("dumpscrub rule {id}"), "value": id },
        ],
        "location": { "file": dump.origin, "start_line": 1, "commit": { "sha": NO_COMMIT } },
    }))
}

fn severity(finding: &ReportFinding) -> &'static str {
    match finding.severity {
        _ if !finding.counted => "Info",
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Low => "Low",
        Severity::Info => "Info",
    }
}

/// A name in the form of a UUID (RFC 9562, version 8: of our own making), the same for the same finding in the same dump.
fn uuid(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    let mut bytes: [u8; 16] = [0; 16];
    bytes.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x80;
    *variant = *variant & 0x3f | 0x80;
    let hex = wire::hex(&bytes);
    let group = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", group(0, 8), group(8, 12), group(12, 16), group(16, 20), group(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_uuid_and_depends_on_every_part() {
        let one = uuid(&["a", "bc"]);
        assert_eq!((one.len(), one.split('-').count(), &one[14..15]), (36, 5, "8"));
        assert_eq!(one, uuid(&["a", "bc"]));
        assert_ne!(one, uuid(&["ab", "c"]));
    }

    #[test]
    fn times_have_no_zone() {
        assert_eq!(time(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00");
    }
}
