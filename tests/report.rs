//! Reports of scans that never were, told by every printer.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests may fail loudly")]

use std::sync::Arc;

use dumpscrub::dump::{DumpMap, Label, Module, Region, Thread};
use dumpscrub::error::{Error, Fault, Gap};
use dumpscrub::finding::{
    Certificate, Encoding, Evidence, Finding, Form, Layout, Piece, PublicIdentity, Rule, RuleId, Severity, Site,
};
use dumpscrub::limits::Limits;
use dumpscrub::report::{Builder, Detail, PRINTERS, Policy, Report, Scanned, Skipped, Verdict};
use dumpscrub::scan::sites::{ByFinding, Placed, SiteLog, Sites};
use dumpscrub::scan::{Coverage, Outcome};
use dumpscrub::span::{Address, FileOffset, Span};
use dumpscrub::vault::{Secret, Vault};

const EVIL: &str = "evil\x1b[2J\u{202e}.dll";

/// A secret's text, its rule, its evidence, and its sites.
type Planted<'a> = (&'a str, usize, Evidence, Vec<Site>);

fn rules() -> Arc<Vec<Rule>> {
    let rule = |id: &str, severity| Rule::new(id, &format!("Title of {id}"), severity, "It opens.", "Rotate it.");
    let rules = [("key", Severity::Critical), ("password", Severity::High), ("test-key", Severity::Info)];
    Arc::new(rules.into_iter().map(|(id, severity)| rule(id, severity)).collect())
}

fn map() -> DumpMap {
    let mut map = DumpMap::blank("minidump", 10_000, Label::Slack);
    let region = |from, len, address, label| {
        let (span, address) = (Span::new(from, len), Some(Address(address)));
        Region { span, address, label, protection: None }
    };
    map.regions = vec![region(1000, 500, 0x7fff_0000, Label::Stack(0)), region(2000, 500, 0x40_0000, Label::Module(0))];
    map.threads = vec![Thread { id: 4711, name: None, registers: None, context: None, stack: None, crashed: true }];
    map.modules = vec![Module { name: EVIL.to_owned(), base: Address(0x3f_0000), size: 0x2_0000, header: None }];
    let labels: Vec<(Span, Label)> = map.regions.iter().map(|region| (region.span, region.label)).collect();
    labels.into_iter().for_each(|(span, label)| map.labels.paint(span, label));
    let fault =
        |at| Fault { at: FileOffset(at), what: format!("stream {EVIL}"), expected: "8".into(), found: "9".into() };
    map.faults = (0..7).map(fault).collect();
    map
}

fn site(from: u64, len: u64) -> Site {
    Site { spans: vec![Span::new(from, len)], form: Form::whole(Layout::Text, Encoding::Plain) }
}

fn outcome(planted: &[Planted<'_>]) -> Outcome {
    let (rules, mut vault) = (rules(), Vault::new(&Limits::default()));
    let mut log = SiteLog::<ByFinding>::new(1000);
    let mut findings = Vec::new();
    for (text, rule, evidence, sites) in planted {
        sites.iter().for_each(|site| log.push(Placed::new(findings.len() as u32, site.clone())).unwrap());
        findings.push(Finding {
            rule: RuleId(*rule),
            severity: rules[*rule].severity,
            evidence: *evidence,
            public: PublicIdentity { context: vec![format!("user {EVIL}")], ..PublicIdentity::default() },
            secret: vault.insert(&Secret::text(text.as_bytes())).unwrap(),
            sites: sites.len() as u64,
        });
    }
    let sites = Sites::grouped(log, findings.len(), 1000).unwrap();
    let coverage = Coverage { bytes: 10_000, scanned: 10_000, ..Coverage::default() };
    Outcome { rules, findings, sites, coverage, vault, later: Vec::new() }
}

fn report(dumps: &[(&str, &[Planted<'_>])], policy: Policy, show_secrets: bool) -> Report {
    let mut builder = Builder::new(rules(), policy);
    for (origin, planted) in dumps {
        builder.add(Scanned::new(origin, map(), outcome(planted), show_secrets).unwrap());
    }
    builder.finish()
}

fn told(report: &Report, format: &str, detail: Detail) -> String {
    let printer = PRINTERS.iter().find(|printer| printer.name() == format).unwrap();
    let mut out = Vec::new();
    printer.print(report, detail, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

fn busy() -> Report {
    let cut = Site {
        spans: vec![Span::new(1490, 10), Span::new(2000, 6)],
        form: Form { layout: Layout::Bare, encoding: Encoding::LittleEndian, piece: Piece::P },
    };
    let many: Vec<Site> = (0..40).map(|i| site(3000 + 10 * i, 5)).collect();
    let first: &[Planted<'_>] = &[
        ("hunter2", 1, Evidence::Matched, many),
        ("the key", 0, Evidence::Proven, vec![cut]),
        ("known", 2, Evidence::Proven, vec![site(2100, 5)]),
    ];
    let second: &[Planted<'_>] = &[("the key", 0, Evidence::Parsed, vec![site(5, 7)])];
    let mut report = report(&[("a.dmp", first), ("b.dmp", second)], Policy::default(), false);
    report.verdict = Verdict { exit_code: 1, meaning: "2 findings".into() };
    report
}

#[test]
fn one_secret_in_two_dumps_is_one_finding_and_the_worst_comes_first() {
    let report = busy();
    let heads: Vec<_> =
        report.findings.iter().map(|f| (f.number, f.rule.0, f.sites, f.held.len(), f.counted)).collect();
    assert_eq!(heads, [(1, 0, 2, 2, true), (2, 1, 40, 1, true), (3, 2, 1, 1, false)]);
    assert_eq!(report.findings[0].evidence, Evidence::Proven);
    let places: Vec<_> = report.sites_of(&report.findings[0]).map(|s| s.unwrap()).collect();
    assert_eq!(places[0].dump.origin, "a.dmp");
    assert_eq!((places[0].spot.thread, places[0].site.len()), (Some(4711), 16));
    assert_eq!((places[1].dump.origin.as_str(), places[1].spot.label), ("b.dmp", "slack"));
    assert_eq!((report.tally.findings, report.tally.counted, report.tally.sites), (3, 2, 43));
}

#[test]
fn the_order_of_findings_does_not_depend_on_the_order_of_dumps_with_other_names() {
    let some: &[Planted<'_>] = &[("x", 1, Evidence::Matched, vec![site(9, 1)])];
    let other: &[Planted<'_>] = &[("y", 1, Evidence::Matched, vec![site(5, 1)])];
    for dumps in [[("a", some), ("b", other)], [("b", other), ("a", some)]] {
        let report = report(&dumps, Policy::default(), false);
        let firsts: Vec<u64> = report.findings.iter().map(|f| f.held[0].first).collect();
        assert_eq!(firsts, [9, 5]);
    }
}

#[test]
fn no_printer_tells_a_secret_unless_asked() {
    let planted: &[Planted<'_>] = &[("hunter2", 1, Evidence::Matched, vec![site(5, 7)])];
    for (show, format) in [false, true].into_iter().flat_map(|show| PRINTERS.iter().map(move |p| (show, p.name()))) {
        let report = report(&[("a", planted)], Policy::default(), show);
        let text = told(&report, format, Detail::Verbose);
        // What goes to other services holds no secret, whoever asks.
        let may = ["text", "json", "jsonl"].contains(&format);
        assert_eq!(text.contains("hunter2") || text.contains("68756e74"), show && may, "{format}: {text}");
        assert!(!format!("{report:?}").contains("hunter2"));
    }
}

#[test]
fn no_printer_lets_a_dump_speak_to_the_terminal() {
    for printer in PRINTERS {
        let text = told(&busy(), printer.name(), Detail::Verbose);
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
        assert!(text.contains("evil"), "{text}");
    }
}

#[test]
fn text_cuts_long_lists_and_counts_them() {
    let text = told(&busy(), "text", Detail::Normal);
    assert!(text.contains("40 sites in 1 dump") && text.contains("… and 30 more (use -v or --format json)"), "{text}");
    assert!(text.contains("… and 2 faults more"), "{text}");
    assert!(text.contains("stack of thread 4711, address 0x7fff01ea"), "{text}");
    assert!(text.contains("in 2 pieces: 0x5d2+10 0x7d0+6"), "{text}");
    assert!(text.contains("exit code 1: 2 findings"), "{text}");
    let verbose = told(&busy(), "text", Detail::Verbose);
    assert!(!verbose.contains("more (use -v"), "{verbose}");
    assert_eq!(verbose.matches("  0x").count(), 43, "{verbose}");
    let quiet = told(&busy(), "text", Detail::Quiet);
    assert!(quiet.contains("exit code 1") && !quiet.contains("Dumps"), "{quiet}");
}

#[test]
fn json_tells_every_site() {
    let value: serde_json::Value = serde_json::from_str(&told(&busy(), "json", Detail::Normal)).unwrap();
    assert_eq!(value["schema"], "dumpscrub-report/1");
    assert_eq!(value["findings"][1]["sites"].as_array().unwrap().len(), 40);
    let cut = &value["findings"][0]["sites"][0];
    assert_eq!(cut["pieces"], serde_json::json!([[1490, 10], [2000, 6]]));
    assert_eq!((&cut["length"], &cut["thread"]), (&16.into(), &4711.into()));
    assert_eq!(cut["form"], serde_json::json!({"layout": "bare", "encoding": "little-endian", "piece": "p"}));
    let module = &value["findings"][2]["sites"][0];
    assert_eq!((&module["module"], &module["module_offset"]), (&EVIL.into(), &(0x1_0000 + 100).into()));
    assert_eq!(module["address"], "0x400064");
}

#[test]
fn json_lines_tell_every_site_on_a_line_of_its_own() {
    let text = told(&busy(), "jsonl", Detail::Normal);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("start"), of("dump"), of("fault"), of("finding"), of("site"), of("summary")), (1, 2, 14, 3, 43, 1));
    let site = lines.iter().find(|line| line["type"] == "site").unwrap();
    assert_eq!((&site["finding"], &site["kind"], &site["offset"]), (&1.into(), &"key".into(), &1490.into()));
    assert_eq!(lines.last().unwrap()["type"], "summary");
}

#[test]
fn what_failed_is_a_row_and_a_gap_and_what_is_left_out_is_counted() {
    let planted: &[Planted<'_>] = &[("hunter2", 1, Evidence::Matched, vec![site(5, 7)])];
    let policy = Policy { fail_on: Severity::Low, min_evidence: Evidence::Parsed };
    let mut builder = Builder::new(rules(), policy);
    builder.add(Scanned::failed("gone.dmp", &Error::Empty { path: "gone.dmp".into() }));
    builder.add(Scanned::new("a", map(), outcome(planted), false).unwrap());
    builder.skip(Skipped { origin: "link".into(), reason: "why" });
    let report = builder.finish();
    let tally = report.tally;
    assert_eq!((tally.scanned, tally.unreadable, tally.gaps, tally.below_evidence, tally.findings), (1, 1, 1, 1, 0));
    let text = told(&report, "text", Detail::Normal);
    assert!(text.contains("gone.dmp: NOT SCANNED: gone.dmp is empty"), "{text}");
    assert!(text.contains("1 finding with less evidence than parsed not listed"), "{text}");
    assert!(text.contains("1 symbolic link not followed"), "{text}");
}

#[test]
fn gaps_of_the_map_and_of_the_scan_are_told_once() {
    let gap = |at| Gap { span: Span::new(at, 5), reason: "spent".into() };
    let (mut map, mut outcome) = (map(), outcome(&[]));
    map.gaps = vec![gap(5), gap(1)];
    outcome.coverage.gaps = vec![gap(5)];
    outcome.coverage.scanned = 9_995;
    let mut builder = Builder::new(rules(), Policy::default());
    builder.add(Scanned::new("a", map, outcome, false).unwrap());
    let report = builder.finish();
    assert_eq!(report.dumps[0].gaps(), [gap(1), gap(5)]);
    let text = told(&report, "text", Detail::Normal);
    assert!(text.contains("gap: 0x1 to 0x6: spent") && text.contains("9,995 bytes scanned"), "{text}");
}

#[test]
fn certificates_of_all_dumps_are_told() {
    let certificate = |serial: &str| Certificate { subject: "CN=x".into(), serial: serial.into() };
    let scanned = |serial: &str| {
        let mut outcome = outcome(&[("k", 0, Evidence::Proven, vec![site(1, 1)])]);
        outcome.findings[0].public.certificates = vec![certificate(serial)];
        Scanned::new(serial, map(), outcome, false).unwrap()
    };
    let mut builder = Builder::new(rules(), Policy::default());
    ["2", "1", "2"].into_iter().for_each(|serial| builder.add(scanned(serial)));
    let report = builder.finish();
    assert_eq!(report.findings[0].public.certificates, [certificate("1"), certificate("2")]);
}
