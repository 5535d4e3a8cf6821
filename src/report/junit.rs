//! JUnit XML, for build servers: a dump is a suite, and what is asked of it are its cases.
//!
//! Each secret that counts is a case that failed. That every byte was scanned is a case of its own, which fails where there
//! is a gap and is an error where the input could not be scanned. So a suite without a failure is a dump without a finding.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use crate::report::units::Count;
use crate::report::{Detail, DumpReport, Held, Inert, Printer, Report, ReportFinding, phrases};

/// JUnit XML.
pub struct Junit;

/// Places of one finding that its case lists; all are counted.
const PLACES: usize = 10;

impl Printer for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn about(&self) -> &'static str {
        "for build servers: JUnit XML"
    }

    fn print(&self, report: &Report, _detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        let mut suites: Vec<TestSuite> = report.dumps.iter().map(suite).collect();
        for finding in &report.findings {
            for held in &finding.held {
                let (Some(suite), Some(dump)) = (suites.get_mut(held.dump), report.dump(held)) else { continue };
                suite.add_test_case(case(report, dump, finding, held)?);
            }
        }
        let mut xml = Xml::new(report.tool);
        xml.add_test_suites(suites);
        xml.serialize(&mut *out).map_err(io::Error::other)
    }
}

/// A dump, with the case that says whether all of it was scanned.
fn suite(dump: &DumpReport) -> TestSuite {
    let status = match (&dump.error, dump.gaps()) {
        (Some(error), _) => failed(NonSuccessKind::Error, "unreadable", &Inert(error).to_string()),
        (None, []) => TestCaseStatus::success(),
        (None, gaps) => {
            let mut status = failed(NonSuccessKind::Failure, "gap", "not every byte was scanned");
            let told: Vec<String> = gaps
                .iter()
                .map(|gap| format!("{} to {:#x}: {}", gap.span.start, gap.span.end(), Inert(&gap.reason)))
                .collect();
            status.set_description(told.join("\n"));
            status
        }
    };
    let mut suite = TestSuite::new(name_of(dump));
    suite.add_test_case(named("every byte is scanned", dump, status));
    suite
}

fn case(report: &Report, dump: &DumpReport, finding: &ReportFinding, held: &Held) -> io::Result<TestCase> {
    let headline = phrases::headline(report, finding);
    let status = if finding.accepted {
        let mut status = TestCaseStatus::skipped();
        status.set_message("the baseline accepts it");
        status
    } else if finding.counted {
        let rule = report.rule(finding);
        let mut status = failed(NonSuccessKind::Failure, rule.map_or("", |rule| &rule.id), &headline);
        let remedy = rule.map_or("", |rule| &rule.remedy);
        status.set_description(format!("{}{}", places(report, held)?, Inert(remedy)));
        status
    } else {
        // It is told, and nothing is asked of it.
        TestCaseStatus::success()
    };
    let mut case = named(&format!("finding {}: {headline}", finding.number), dump, status);
    if !finding.counted {
        case.set_system_out(places(report, held)?);
    }
    Ok(case)
}

fn places(report: &Report, held: &Held) -> io::Result<String> {
    let mut words = format!("{}:\n", Count(held.sites, "site"));
    for site in report.sites_in(held).take(PLACES) {
        words.push_str(&format!("{}\n", phrases::place(&site.map_err(io::Error::other)?)));
    }
    let more = held.sites.saturating_sub(PLACES as u64);
    if more > 0 {
        words.push_str(&format!("and {} (JSON lists all)\n", Count(more, "site")));
    }
    Ok(words)
}

fn failed(kind: NonSuccessKind, rule: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(Inert(rule).to_string()).set_message(message);
    status
}

fn named(name: &str, dump: &DumpReport, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(name_of(dump));
    case
}

fn name_of(dump: &DumpReport) -> String {
    Inert(&dump.origin).to_string()
}
