//! GitHub's workflow commands: a line for each finding that a run's page shows as an annotation of the file.

use std::io::{self, Write};

use crate::report::{Detail, DumpReport, Inert, Printer, Report, ReportFinding, phrases, units::Count};

/// GitHub annotations.
pub struct Github;

impl Printer for Github {
    fn name(&self) -> &'static str {
        "github"
    }

    fn about(&self) -> &'static str {
        "for GitHub Actions: annotations"
    }

    fn print(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        for finding in report.findings.iter().filter(|finding| !finding.accepted) {
            print_finding(report, finding, out)?;
        }
        report.dumps.iter().try_for_each(|dump| print_dump(dump, out))?;
        let level = if report.verdict.exit_code == 0 { "notice" } else { "error" };
        if detail == Detail::Quiet && level == "notice" {
            return Ok(());
        }
        let words = format!("exit code {}: {}", report.verdict.exit_code, report.verdict.meaning);
        command(out, level, None, report.tool, &words)
    }
}

fn print_finding(report: &Report, finding: &ReportFinding, out: &mut dyn Write) -> io::Result<()> {
    let rule = report.rule(finding);
    let level = if finding.counted { "error" } else { "notice" };
    for held in &finding.held {
        let Some(dump) = report.dump(held) else { continue };
        let first = report.sites_in(held).next().transpose().map_err(io::Error::other)?;
        let place = first.map_or_else(String::new, |site| phrases::place(&site));
        let (headline, sites) = (phrases::headline(report, finding), Count(held.sites, "site"));
        let words = format!("{headline}, at {sites}; the first: {place}. {}", rule.map_or("", |rule| &rule.remedy));
        command(out, level, Some(&dump.origin), rule.map_or("", |rule| &rule.title), &words)?;
    }
    Ok(())
}

fn print_dump(dump: &DumpReport, out: &mut dyn Write) -> io::Result<()> {
    if let Some(error) = &dump.error {
        return command(out, "error", Some(&dump.origin), "not scanned", error);
    }
    dump.gaps().iter().try_for_each(|gap| {
        let words = format!("{} to {:#x}: {}", gap.span.start, gap.span.end(), gap.reason);
        command(out, "warning", Some(&dump.origin), "not everything was scanned", &words)
    })
}

/// One line. What a dump holds must not end it, or the next line would be a command of the dump's.
fn command(out: &mut dyn Write, level: &str, file: Option<&str>, title: &str, words: &str) -> io::Result<()> {
    let file = file.map_or_else(String::new, |file| format!("file={},line=1,", property(file)));
    writeln!(out, "::{level} {file}title={}::{}", property(title), data(words))
}

fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    Inert(&text).to_string()
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_dump_holds_ends_a_line_or_begins_a_command() {
        let mut out = Vec::new();
        command(&mut out, "error", Some("a,b:c\n::error::x"), "t\r\n::warning::y", "100%\n::set-output::z\u{1b}[2J")
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.starts_with("::error file=a%2Cb%3Ac%0A%3A%3Aerror%3A%3Ax,line=1,title=t%0D%0A"), "{text}");
        assert!(text.contains("::100%25%0A") && !text.contains('\u{1b}'), "{text}");
    }
}
