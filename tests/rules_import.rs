//! Rules of other scanners: what comes of them, that they hold, and that they find what stands in memory.
//!
//! The files are written here, in the formats of gitleaks and Kingfisher, with vendors that do not exist; tokens are made
//! fresh at each run.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rand::RngExt as _;
use serde_json::Value;
use tempfile::TempDir;

/// Vendors of the file in gitleaks' format.
const VENDORS: usize = 120;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dumpscrub")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The name of a vendor that does not exist: three syllables.
fn vendor(n: usize) -> String {
    let heads = ["bru", "cla", "dro", "fli", "gro", "kwa", "plo", "sni", "tra", "vro", "zwe", "gli"];
    let tails = ["ndax", "mpix", "lkov", "rvex", "stoq", "bbuz", "nkyl", "fthe", "gdow", "pzim"];
    format!("{}{}", heads[n % heads.len()], tails[n / heads.len() % tails.len()])
}

/// The rule of a vendor, in one of the shapes that such files have, and the text that its token stands in.
fn rule(n: usize, letters: &dyn Fn(&str, usize) -> String) -> (String, String) {
    let name = vendor(n);
    let word = "abcdefghijklmnopqrstuvwxyz0123456789";
    let hex = "0123456789abcdef";
    let (lines, text) = match n % 6 {
        0 => (
            format!(r#"regex = '''\b({name}_[a-z0-9]{{32}})(?:[\x60'"\s;]|\\[nr]|$)'''"#),
            format!("{name}_{}", letters(word, 32)),
        ),
        1 => (
            format!(
                r#"regex = '''(?i)[\w.-]{{0,50}}?(?:{name})(?:[ \t\w.-]{{0,20}})[\s'"]{{0,3}}(?:=|>|:{{1,3}}=|=>|:)[\x60'"\s=]{{0,5}}([a-f0-9]{{40}})(?:[\x60'"\s;]|\\[nr]|$)'''
entropy = 3"#
            ),
            format!("{}.value: '{}'", name.to_uppercase(), letters(hex, 40)),
        ),
        2 => (
            format!(r"regex = '''\b{name}-[A-Z0-9]{{24}}\b'''"),
            format!("{name}-{}", letters(word, 24).to_uppercase()),
        ),
        3 => (
            format!(
                "regex = '''{name}_sk_[a-zA-Z0-9+/]{{40,}}={{0,3}}'''\n[[rules.allowlists]]\nregexes = ['^{name}_sk_demo']\nstopwords = ['sample']"
            ),
            format!("{name}_sk_{}", letters(word, 60)),
        ),
        4 => (
            format!(
                r#"regex = '''(?:^|["'\s=])(id-)?({name}\.[\w-]{{20,40}})(?:$|["'\s])'''
secretGroup = 2"#
            ),
            format!("x={name}.{}", letters(word, 30)),
        ),
        _ => (
            format!("regex = '''\\b[a-z0-9]{{32}}\\b'''\nentropy = 3\nkeywords = ['{name}']"),
            format!("{name} token {}", letters(word, 32)),
        ),
    };
    (format!("[[rules]]\nid = \"{name}-token\"\ndescription = \"A token of {name}.\"\n{lines}\n\n"), text)
}

/// Rules that cannot be, and why.
const REFUSED: &[(&str, &str, &str)] = &[
    ("looks-ahead", "regex = '''qqq_(?!demo)[a-z0-9]{20}'''", "looks ahead"),
    ("refers-back", r"regex = '''qqr_([a-z]{9})\1'''", "refers back"),
    ("names-only", "path = '''\\.p12$'''", "names of files"),
    ("helps-others", "regex = '''qqs_[a-z]{9}'''\nskipReport = true", "skipReport"),
    ("no-literal", "regex = '''[a-z0-9]{32}'''", "three letters"),
    ("asks-much", "regex = '''qqt_[a-z]{9}'''\nfilter = '''let a = 1; a == 1'''", "filter"),
];

#[test]
fn a_file_of_gitleaks_is_imported_and_what_cannot_be_is_refused_by_name() {
    let letters = |alphabet: &str, n: usize| -> String {
        let all: Vec<char> = alphabet.chars().collect();
        (0..n).map(|_| all[rand::rng().random_range(0..all.len())]).collect()
    };
    let (mut file, mut dump, mut planted) = ("title = \"mine\"\n\n".to_owned(), vec![0_u8; 64], Vec::new());
    for n in 0..VENDORS {
        let (rule, text) = rule(n, &letters);
        file.push_str(&rule);
        // A C string and UTF-16 at an odd offset, each between bytes that are no text.
        dump.extend([&[0xff, 1, 0][..], text.as_bytes(), &[0, 1, 0xff, 3, 0]].concat());
        dump.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        dump.extend([0; 9]);
        planted.push(format!("{}-token", vendor(n)));
    }
    for (id, lines, _) in REFUSED {
        write!(file, "[[rules]]\nid = \"{id}\"\ndescription = \"d\"\n{lines}\n\n").unwrap();
    }
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("rules.toml"), &file).unwrap();
    fs::write(path("memory.bin"), &dump).unwrap();

    let output = run(&["rules", "import", &path("rules.toml"), "-o", &path("ours.toml"), "-f", "json"]);
    assert_eq!(output.status.code(), Some(1), "some are refused");
    let report = json(&output);
    let told: Vec<&Value> =
        report["rules"].as_array().unwrap().iter().filter(|rule| rule["refused"].is_string()).collect();
    assert_eq!(report["imported"], VENDORS, "{told:#?}");
    for (id, _, why) in REFUSED {
        let rule = told.iter().find(|rule| rule["from"] == *id).unwrap();
        assert!(rule["refused"].as_str().unwrap().contains(why), "{rule}");
    }
    assert_eq!(told.len(), REFUSED.len());

    let scan = run(&["scan", "--rules", &path("ours.toml"), "-q", "-f", "json", &path("memory.bin")]);
    let findings = json(&scan);
    let found: BTreeSet<&str> =
        findings["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect();
    let missed: Vec<&String> = planted.iter().filter(|id| !found.contains(id.as_str())).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_file_of_kingfisher_is_imported_with_its_examples() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let file = r#"rules:
  - name: Quibble Token
    id: kingfisher.quibble.1
    pattern: |
      (?xi)
      \b
      quibble
      (?:.|[\n\r]){0,32}?
      \b
      (
        qbl_[a-z0-9]{24}
      )
      \b
    pattern_requirements:
      min_digits: 2
      ignore_if_contains: [demo]
    min_entropy: 3.0
    confidence: medium
    examples:
      - 'quibble_key = "qbl_8f2k1m9x7c4v6b3n5z0q2w7e"'
      - 'QUIBBLE: qbl_0p9o8i7u6y5t4r3e2w1q5a6s'
    negative_examples:
      - 'quibble qbl_short'
    references:
      - https://quibble.example/docs
    validation:
      type: Http
  - name: Quibble host
    id: kingfisher.quibble.2
    visible: false
    pattern: '([a-z]+\.quibble\.example)'
"#;
    fs::write(path("rules.yml"), file).unwrap();
    let output = run(&["rules", "import", &path("rules.yml")]);
    assert_eq!(output.status.code(), Some(1));
    let (rules, report) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    for word in ["`validation` was left out", "kingfisher.quibble.2: refused", "1 rule imported"] {
        assert!(report.contains(word), "{word}: {report}");
    }
    fs::write(path("ours.toml"), &rules).unwrap();
    let parsed: toml::Table = rules.parse().unwrap();
    let rule = &parsed["rules"][0];
    assert_eq!(rule["id"].as_str(), Some("kingfisher-quibble-1"));
    assert_eq!(rule["examples"][0]["secret"].as_str(), Some("qbl_8f2k1m9x7c4v6b3n5z0q2w7e"));
    assert!(Path::new(&path("ours.toml")).exists());
    let list = run(&["rules", "list", "--rules", &path("ours.toml"), "-f", "json"]);
    assert!(json(&list)["rules"].as_array().unwrap().iter().any(|rule| rule["id"] == "kingfisher-quibble-1"));
}

#[test]
fn what_is_no_file_of_rules_is_an_error() {
    let folder = TempDir::new().unwrap();
    for (name, content) in
        [("a.toml", "title = 'x'"), ("b.yml", "- a"), ("c", "neither {"), ("d.toml", "[[rules]]\nregex = 'a'")]
    {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let output = run(&["rules", "import", path.to_str().unwrap()]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(name), "{name}");
    }
}
