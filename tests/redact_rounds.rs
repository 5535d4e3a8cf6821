//! What comes to light only once something else is covered: it is covered too, round by round, and told as such.
//!
//! The rules of these tests see a secret in filler (letters X) and digits behind it. Rules of the program's own must not do so, but
//! one that knows a value by its name may, where letters of the value's alphabet stand right behind what another rule covers.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests may fail loudly")]

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Covers `tok_` and 16 letters, and what it leaves is the beginning of what the second one sees.
const RULES: &str = r#"
[[rules]]
id = "first-token"
title = "A token"
severity = "high"
description = "A token of these tests."
remedy = "None."
literals = ["tok_"]
pattern = '''(?P<secret>tok_[a-z]{16})'''
examples = [{ text = "tok_qwertzuiopasdfgh" }, { text = "tok_yxcvbnmlkjhgfdsa" }]
counter_examples = ["tok_1", "tok_"]

[[rules]]
id = "second-value"
title = "A value"
severity = "high"
description = "A value of these tests."
remedy = "None."
literals = ["name="]
pattern = '''name=X{20,60}(?P<secret>[0-9]{DIGITS})'''
examples = [{ text = "name=XXXXXXXXXXXXXXXXXXXX91827364", secret = "91827364" }, { text = "name=XXXXXXXXXXXXXXXXXXXX52637485", secret = "52637485" }]
counter_examples = ["name=X", "name="]
"#;

struct Place(TempDir);

impl Place {
    /// A dump of no format with a token and `tail` right behind it, in ASCII and in UTF-16; so many `digits` are covered in a round.
    fn new(tail: &str, digits: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let text = format!("name=tok_qpwoeirutyalskdj{tail}");
        let wide: Vec<u8> = text.bytes().flat_map(|b| [b, 0]).collect();
        let dump = [&b"\0\0"[..], text.as_bytes(), b"\0\0\x01", &wide, &[0; 64]].concat();
        fs::write(folder.path().join("in.dmp"), dump).unwrap();
        fs::write(folder.path().join("rules.toml"), RULES.replace("DIGITS", digits)).unwrap();
        Self(folder)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        command.current_dir(self.0.path()).args(args).args(["--rules", "rules.toml"]);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }
}

fn words(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

#[test]
fn what_covering_brings_to_light_is_covered_too() {
    let place = Place::new("27183645", "8");
    let scan = place.run(&["scan", "in.dmp"]);
    assert!(!words(&scan).contains("second-value"), "{}", words(&scan));
    let done = place.run(&["redact", "in.dmp", "-o", "out.dmp"]);
    let told = words(&done);
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(told.contains("1 finding of these came to light in round 2"), "{told}");
    let narrow = [&b"\0\0name="[..], &[b'X'; 28], &[0, 0, 1]].concat();
    assert_eq!(place.read("out.dmp")[..narrow.len()], narrow);
    assert!(!place.read("out.dmp").contains(&b'7'));
    let receipt: Value = serde_json::from_slice(&place.read("out.dmp.receipt.json")).unwrap();
    let findings = receipt["predicate"]["findings"].as_array().unwrap();
    let told = |rule: &str| findings.iter().find(|finding| finding["rule"] == rule).unwrap();
    assert_eq!((&told("first-token")["round"], &told("second-value")["round"]), (&Value::Null, &Value::from(2)));
    assert_eq!(told("second-value")["site_count"], 2);
    for original in [&[][..], &["--original", "in.dmp"]] {
        let verified = place.run(&[&["verify", "--receipt", "out.dmp.receipt.json", "out.dmp"], original].concat());
        assert_eq!(verified.status.code(), Some(0), "{}", words(&verified));
    }
    let again = place.run(&["scan", "out.dmp"]);
    assert_eq!(again.status.code(), Some(0), "{}", words(&again));
}

#[test]
fn members_of_containers_go_through_rounds_too() {
    let place = Place::new("27183645", "8");
    let packed = Command::new("gzip").args(["-k", "in.dmp"]).current_dir(place.0.path()).status();
    assert!(packed.unwrap().success());
    let done = place.run(&["redact", "in.dmp.gz", "-o", "out.dmp.gz"]);
    assert_eq!(done.status.code(), Some(0), "{}", words(&done));
    assert!(words(&done).contains("came to light in round 2"), "{}", words(&done));
    let verified = ["verify", "--receipt", "out.dmp.gz.receipt.json", "out.dmp.gz", "--original", "in.dmp.gz"];
    assert_eq!(place.run(&verified).status.code(), Some(0), "{}", words(&place.run(&verified)));
}

#[test]
fn what_does_not_come_to_rest_is_refused() {
    // Four digits in each round: eight rounds would be needed.
    let place = Place::new("27183645901827364554637281903645", "4");
    let done = place.run(&["redact", "in.dmp", "-o", "out.dmp"]);
    let told = words(&done);
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("came to light in round 4") && told.contains("the proof failed"), "{told}");
    assert!(!place.0.path().join("out.dmp").exists());
    assert!(!place.0.path().join("out.dmp.receipt.json").exists());
}

/// Filler that stands in base64 is decoded like any other text there, and a label fits what rules ask of a value.
#[test]
fn no_fill_is_taken_for_a_secret() {
    let texts = [
        ["eyJob3N0IjogImEiLCAicGFzc3dvcmQiOiAiWms4", "MW1RcEwwYVZkNzJYcyIsICJwb3J0IjogMX0="].concat(),
        ["\nDB_PASSWORD=Zk81mQp", "L0aVd72Xs==dkQpWzRtYvLmXcNbGhJsUoIeAaZz\n"].concat(),
        ["\nuserPassword: m4TqWz", "8xLpRv2Kd\n"].concat(),
        ["AUTH LOGIN c3ZjQGNvcnA=\r\n334 UGFzc3dvcmQ6\r\nUTN4", "OHdaMnRMOXZO\r\n"].concat(),
    ];
    let place = Place::new("", "8");
    fs::write(place.0.path().join("in.dmp"), texts.join("\0\x01\0")).unwrap();
    for fill in ["mask", "constant", "zero", "label"] {
        let output = format!("{fill}.dmp");
        let done = place.run(&["redact", "in.dmp", "-o", &output, "--fill", fill]);
        assert_eq!(done.status.code(), Some(0), "{fill}: {}", words(&done));
        assert!(place.read(&output) != place.read("in.dmp"));
    }
    assert!(String::from_utf8_lossy(&place.read("label.dmp")).contains("dumpscrub:environment-password "));
}

#[test]
fn where_a_label_would_be_a_secret_there_are_none() {
    let place = Place::new("", "8");
    // The name of the rule is what another one asks for before a value.
    let text = ["rpa_", "kdeLMEDZ8bFmpEjkYYWbhTIyl8Wq5laac1ExZvYPpX8s3==KnKDcdVfhv4jx9vq0rEYjVhqq1bOqykOYp"].concat();
    fs::write(place.0.path().join("in.dmp"), [b"\0\x01", text.as_bytes(), b"\0\x01"].concat()).unwrap();
    let done = place.run(&["redact", "in.dmp", "-o", "out.dmp", "--fill", "label"]);
    let told = words(&done);
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(told.contains("letters X take their place"), "{told}");
    assert!(!String::from_utf8_lossy(&place.read("out.dmp")).contains("dumpscrub:"));
    let verified = ["verify", "--receipt", "out.dmp.receipt.json", "out.dmp", "--original", "in.dmp"];
    assert_eq!(place.run(&verified).status.code(), Some(0), "{}", words(&place.run(&verified)));
}
