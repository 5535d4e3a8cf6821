use std::path::Path;

use super::*;
use crate::dump::LabelKind;
use crate::error::{Error, Gap};
use crate::finding::Rule;
use crate::report::Decision;
use crate::span::Span;

fn parse(text: &str) -> Result<Policy> {
    file::parse(Path::new("/etc/dumpscrub/policy.toml"), text, false)
}

fn mistake(text: &str) -> String {
    match parse(text).unwrap_err() {
        Error::Policy { place, reason } => format!("{place}: {reason}"),
        other => panic!("{other}"),
    }
}

fn rule(id: &str, severity: Severity) -> Rule {
    Rule::new(id, "t", severity, "d", "r")
}

fn subject<'a>(rule: &'a Rule, labels: &[LabelKind]) -> Subject<'a> {
    Subject {
        rule,
        severity: rule.severity,
        evidence: Evidence::Matched,
        labels: labels.iter().copied().collect(),
        constant: false,
        accepted: false,
    }
}

#[test]
fn presets_say_what_they_are_for() {
    let (key, info) = (rule("rsa-private-key", Severity::Low), rule("rsa-private-key", Severity::Info));
    let gap = [Gap { span: Span::new(0, 1), reason: "r".into() }];
    for (preset, found, with_gap) in [
        (Preset::Report, Decision::Pass, Decision::Pass),
        (Preset::Redact, Decision::Redact, Decision::Quarantine),
        (Preset::Quarantine, Decision::Quarantine, Decision::Quarantine),
    ] {
        let policy = Policy::preset(preset);
        let decide = |rule, gaps: &[Gap]| policy.decide([subject(rule, &[LabelKind::Heap])], gaps);
        assert_eq!(decide(&key, &[]).decision, found, "{preset:?}");
        assert_eq!(decide(&info, &[]).decision, Decision::Pass, "{preset:?}");
        let ruling = decide(&info, &gap);
        assert_eq!(ruling.decision, with_gap, "{preset:?}");
        assert_eq!(ruling.reasons.is_empty(), with_gap == Decision::Pass, "{ruling:?}");
    }
    assert_eq!(parse("").unwrap().preset, Preset::Quarantine, "the strictest where nothing is said");
}

#[test]
fn what_is_shown_is_the_preset_and_its_examples_hold() {
    for preset in Preset::ALL {
        let text = show(preset);
        let read = Policy { name: Policy::preset(preset).name, ..parse(&text).unwrap() };
        assert_eq!(read, Policy::preset(preset));
        let uncommented: String = text.lines().map(|line| format!("{}\n", uncomment(line))).collect();
        let read = parse(&uncommented).unwrap_or_else(|e| panic!("{e}\n{uncommented}"));
        assert_eq!((read.rows.len(), read.baseline.is_some(), read.limits.spool), (3, true, Some(64 << 30)));
    }
}

/// A line of comment begins with `# `, an example with `#` and no space.
fn uncomment(line: &str) -> &str {
    if line.starts_with("# ") { line } else { line.strip_prefix('#').unwrap_or(line) }
}

#[test]
fn the_first_row_that_fits_decides() {
    let policy = parse(
        "preset = \"redact\"\n[[finding]]\nrule = [\"jwt\"]\naction = \"report\"\n\
         [[finding]]\nrule = [\"aws-*\", \"jwt\"]\naction = \"block\"\n\
         [[finding]]\nevidence = [\"proven\"]\nseverity = [\"critical\", \"high\"]\naction = \"block\"\n",
    )
    .unwrap();
    let action = |id: &str, severity, evidence| {
        let rule = rule(id, severity);
        policy.action(&Subject { evidence, ..subject(&rule, &[LabelKind::Heap]) })
    };
    assert_eq!(action("jwt", Severity::Critical, Evidence::Proven), Action::Report);
    assert_eq!(action("aws-secret", Severity::Low, Evidence::Matched), Action::Block);
    assert_eq!(action("other", Severity::High, Evidence::Proven), Action::Block);
    assert_eq!(action("other", Severity::Low, Evidence::Proven), Action::Redact);
    assert_eq!(action("other", Severity::High, Evidence::Parsed), Action::Redact);
}

#[test]
fn a_row_with_a_label_speaks_only_for_what_lies_there() {
    let policy = parse(
        "preset = \"redact\"\n[[finding]]\nlabel = [\"module\"]\naction = \"report\"\n\
         [[finding]]\nlabel = [\"environment\", \"command-line\"]\naction = \"block\"\n",
    )
    .unwrap();
    use LabelKind::{CommandLine, Environment, Heap, Module};
    let rule = rule("r", Severity::High);
    for (labels, action) in [
        (&[Module][..], Action::Report),
        (&[Module, Heap], Action::Redact),
        (&[Module, Environment], Action::Block),
        (&[CommandLine, Heap], Action::Block),
        (&[Heap], Action::Redact),
        (&[], Action::Redact),
    ] {
        assert_eq!(policy.action(&subject(&rule, labels)), action, "{labels:?}");
    }
}

#[test]
fn what_is_accepted_passes_and_what_is_constant_can_be_told_apart() {
    let policy = parse("[[finding]]\nconstant = true\naction = \"report\"\n").unwrap();
    let rule = rule("r", Severity::High);
    let plain = subject(&rule, &[LabelKind::Heap]);
    assert_eq!(policy.action(&plain), Action::Block);
    assert_eq!(policy.action(&Subject { constant: true, ..plain }), Action::Report);
    assert_eq!(policy.action(&Subject { accepted: true, ..plain }), Action::Report);
}

#[test]
fn a_profile_is_that_of_the_rule() {
    let policy = parse("[scan]\nprofile = \"paranoid\"\n[[finding]]\nprofile = \"paranoid\"\naction = \"report\"\n");
    let policy = policy.unwrap();
    let plain = rule("r", Severity::High);
    let paranoid = rule("p", Severity::High).under(Profile::Paranoid);
    assert_eq!(policy.action(&subject(&plain, &[])), Action::Block);
    assert_eq!(policy.action(&subject(&paranoid, &[])), Action::Report);
    assert_eq!(policy.profile, Profile::Paranoid);
}

#[test]
fn a_mistake_is_told_with_line_and_column() {
    let mut wrong = Vec::new();
    for (text, place, word) in [
        ("presett = \"redact\"\n", "line 1, column 1", "presett"),
        ("version = 1\npreset = \"redcat\"\n", "line 2, column 10", "redcat"),
        ("version = 2\n", "line 1, column 11", "expected version 1, found 2"),
        ("gaps = \"pass\"\n", "line 1, column 8", "pass"),
        ("preset = 3\n", "line 1, column 10", "wanted string"),
        ("[[finding]]\naction = \"block\"\nrule = [\"jwt\", \"jwtt\"]\n", "line 3, column 16", "`jwtt`"),
        ("[[finding]]\nrule = [\"no-such-*\"]\naction = \"block\"\n", "line 2, column 9", "begins with `no-such-`"),
        ("[[finding]]\nrule = []\naction = \"block\"\n", "line 2, column 8", "fits no finding"),
        ("[[finding]]\nrule = [\"jwt\"]\n", "line 1, column 1", "action"),
        ("[[finding]]\nlabel = [\"haep\"]\naction = \"block\"\n", "line 2, column 10", "haep"),
        ("[[finding]]\nseverity = [\"medium\"]\naction = \"block\"\n", "line 2, column 13", "medium"),
        ("[[findings]]\naction = \"block\"\n", "line 1, column 3", "findings"),
        ("[limits]\ntime = \"soon\"\n", "line 2, column 8", "soon"),
        ("[limits]\nmemory = \"4 GB\"\n", "line 2, column 10", "4 GB"),
        ("[limits]\nslots = 0\n", "line 2, column 9", "found 0"),
        ("[folders]\nquarantine_quota = \"0\"\n", "line 2, column 20", "found \"0\""),
        (
            "[folders]\nrelease = \"a\"\nquarantine = \"a\"\n",
            "line 3, column 14",
            "release and quarantine must be apart",
        ),
        ("[folders]\nrelease = \"a\"\nstate = \"./a/b\"\n", "line 3, column 9", "release and state must be apart"),
        ("[folders]\nquarantine = \"/var/lib/dumpscrub\"\n", "line 2, column 14", "must be apart"),
        ("[baseline]\nfile = \"a\"\n", "line 1, column 1", "fingerprint_key"),
        ("[folders]\n# \u{e4}\nrelease = \"a\nb\"\n", "line ", ""),
    ] {
        let told = mistake(text);
        if !told.contains(&format!("policy.toml, {place}")) || !told.contains(word) {
            wrong.push(format!("{text}\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_begin_at_the_folder_of_the_file() {
    let policy = parse(
        "[baseline]\nfile = \"b.json\"\nfingerprint_key = \"/k\"\n[folders]\nrelease = \"out\"\n\
         [limits]\ntime = \"90s\"\nmemory = \"1G\"\nslots = 8\n",
    )
    .unwrap();
    let baseline = policy.baseline.unwrap();
    assert_eq!(baseline.file, Path::new("/etc/dumpscrub/b.json"));
    assert_eq!(baseline.fingerprint_key, Path::new("/k"));
    assert_eq!(policy.folders.release, Path::new("/etc/dumpscrub/out"));
    assert_eq!(policy.folders.state, Folders::default().state);
    let Limits { time, memory, spool, slots } = policy.limits;
    assert_eq!((time.as_secs(), memory, spool, slots), (90, 1 << 30, None, 8));
}

#[test]
fn a_rule_file_that_is_named_is_read_and_its_rules_are_known() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.toml");
    let text = "[scan]\nrules = [\"own.toml\"]\n[[finding]]\nrule = [\"own-token\"]\naction = \"report\"\n";
    std::fs::write(&path, text).unwrap();
    assert!(matches!(Policy::read(&path), Err(Error::Open { .. })), "the rule file is not there");
    let own = r#"
[[rules]]
id = "own-token"
title = "t"
severity = "high"
description = "d"
remedy = "r"
literals = ["own_"]
pattern = "(?P<secret>own_[a-z]{20})"
examples = [{ text = "own_abcdefghijklmnopqrst" }, { text = "own_bbcdefghijklmnopqrst" }]
counter_examples = ["own_a", "own_b"]
"#;
    std::fs::write(folder.path().join("own.toml"), own).unwrap();
    let policy = Policy::read(&path).unwrap();
    assert_eq!(policy.rules, [folder.path().join("own.toml")]);
    assert_eq!(policy.action(&subject(&rule("own-token", Severity::High), &[])), Action::Report);
}

#[test]
fn what_the_page_shows_is_right() {
    let page = include_str!("../../docs/policy.md");
    let shown: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(shown.len() >= 2);
    for text in shown {
        assert!(parse(text).is_ok_and(|policy| !policy.rows.is_empty()), "{text}");
    }
}
