//! `gate`, `policy` and `baseline` as build servers and people meet them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with the files of a test, in which the program runs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        program.current_dir(self.0.path()).args(args).stdin(Stdio::null()).env("NO_COLOR", "1").output().unwrap()
    }

    /// Runs it, checks its exit code, and gives what it said on standard output.
    fn ends(&self, code: i32, args: &[&str]) -> String {
        let done = self.run(args);
        let (out, err) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
        assert_eq!(done.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        out
    }

    /// The same, and what it said on standard error.
    fn complains(&self, code: i32, args: &[&str]) -> String {
        self.ends(code, args);
        String::from_utf8(self.run(args).stderr).unwrap()
    }

    fn key(&self, name: &str) {
        self.ends(0, &["key", "new", "fingerprint", "-o", name]);
    }
}

fn sample(name: &str) -> String {
    format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A password that nobody used before, of a shape that rules ask for.
fn password() -> String {
    let mut bytes = [0_u8; 12];
    rand::fill(&mut bytes);
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let drawn: String = bytes.iter().map(|byte| char::from(letters[usize::from(*byte) % letters.len()])).collect();
    format!("q7{drawn}Zk")
}

fn url(password: &str) -> Vec<u8> {
    format!("\0\0postgres://orders:{password}@db01.shop.internal/orders\0\0").into_bytes()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A gzip file whose last bytes are missing.
fn cut_gzip() -> Vec<u8> {
    use std::io::Write as _;
    let mut noise = vec![0; 100_000];
    rand::fill(&mut noise[..]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&noise).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    packed
}

#[test]
fn every_exit_code_of_the_gate_is_reached() {
    let place = Place::new();
    place.write("cut.gz", cut_gzip());
    let passes = place.ends(0, &["gate", &sample("clean.dmp")]);
    assert!(passes.contains("exit code 0: the policy lets every dump pass"), "{passes}");
    let found = place.ends(1, &["gate", &sample("full-memory.dmp")]);
    assert!(found.contains("quarantine: ") && found.contains("that block: "), "{found}");
    place.ends(2, &["gate", "nothing.dmp"]);
    place.ends(2, &["gate", &sample("full-memory.dmp"), "nothing.dmp"]);
    place.ends(3, &["gate", "cut.gz"]);
    // Findings come before gaps, and errors before both.
    place.ends(1, &["gate", "cut.gz", &sample("full-memory.dmp")]);
    place.ends(2, &["gate", "cut.gz", &sample("full-memory.dmp"), "nothing.dmp"]);
}

#[test]
fn a_preset_decides_on_each_dump() {
    let place = Place::new();
    place.write("cut.gz", cut_gzip());
    let (full, clean) = (sample("full-memory.dmp"), sample("clean.dmp"));
    for (preset, code, worst) in [("report", 0, "pass"), ("redact", 1, "redact"), ("quarantine", 1, "quarantine")] {
        let text = place.ends(code, &["gate", "--preset", preset, "-f", "json", &full, &clean]);
        let report = json(&text);
        assert_eq!(report["gate"]["decision"], worst);
        let decisions: Vec<&str> =
            report["dumps"].as_array().unwrap().iter().map(|dump| dump["decision"].as_str().unwrap()).collect();
        assert_eq!(decisions, [worst, "pass"]);
        assert_eq!(report["summary"]["exit_code"], code);
    }
    place.ends(0, &["gate", "--preset", "report", "cut.gz"]);
    place.ends(3, &["gate", "--preset", "redact", "cut.gz"]);
    // What could not be looked at passes under none.
    place.ends(2, &["gate", "--preset", "report", "nothing.dmp"]);
}

#[test]
fn a_policy_tells_findings_apart() {
    let place = Place::new();
    place.write("url.bin", url(&password()));
    let policy = "preset = \"redact\"\n[[finding]]\nrule = [\"RULE\"]\naction = \"report\"\n";
    let found = json(&place.ends(1, &["gate", "-f", "json", "url.bin"]));
    let rule = found["findings"][0]["rule"].as_str().unwrap();
    assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found}");
    place.write("policy.toml", policy.replace("RULE", rule));
    let text = place.ends(0, &["gate", "--policy", "policy.toml", "-f", "json", "url.bin"]);
    assert_eq!(json(&text)["findings"][0]["action"], "report");
    place.write("policy.toml", policy.replace("RULE", rule).replace("\"report\"", "\"block\""));
    let text = place.ends(1, &["gate", "--policy", "policy.toml", "-f", "json", "url.bin"]);
    assert_eq!(
        (&json(&text)["findings"][0]["action"], &json(&text)["gate"]["decision"]),
        (&"block".into(), &"quarantine".into())
    );
    let told = place.ends(1, &["gate", "--policy", "policy.toml", "url.bin"]);
    assert!(told.contains("policy       block") && told.contains("Policy: policy.toml"), "{told}");
}

#[test]
fn a_policy_that_is_wrong_ends_the_program_before_a_dump_is_read() {
    let place = Place::new();
    place.write("policy.toml", "[[finding]]\nrule = [\"no-such-rule\"]\naction = \"report\"\n");
    for args in [&["gate", "--policy", "policy.toml", "nothing.dmp"][..], &["policy", "check", "policy.toml"]] {
        let said = place.complains(2, args);
        assert!(said.contains("policy.toml, line 2, column 9: there is no rule `no-such-rule`"), "{said}");
        assert!(!said.contains("nothing.dmp"), "{said}");
    }
    place.ends(2, &["gate", "--policy", "none.toml", &sample("clean.dmp")]);
    place.ends(2, &["gate", "--preset", "lenient", &sample("clean.dmp")]);
    place.ends(2, &["gate", "--preset", "report", "--policy", "policy.toml", &sample("clean.dmp")]);
}

#[test]
fn what_policy_show_prints_is_a_policy() {
    let place = Place::new();
    for preset in ["report", "redact", "quarantine"] {
        place.write("policy.toml", place.ends(0, &["policy", "show", "--preset", preset]));
        let told = place.ends(0, &["policy", "check", "policy.toml"]);
        assert!(told.contains(&format!("preset {preset}, gaps: ")), "{told}");
        let with_file = place.run(&["gate", "-f", "json", "--policy", "policy.toml", &sample("small.dmp")]);
        let with_name = place.run(&["gate", "-f", "json", "--preset", preset, &sample("small.dmp")]);
        assert_eq!(with_file.status.code(), with_name.status.code());
        let findings = |done: &Output| json(std::str::from_utf8(&done.stdout).unwrap())["findings"].clone();
        assert_eq!(findings(&with_file), findings(&with_name));
    }
    assert_eq!(place.run(&["policy", "show"]).status.code(), Some(2));
}

#[test]
fn a_policy_beside_a_dump_is_not_read() {
    let place = Place::new();
    place.write("dumpscrub.toml", "preset = \"report\"\n");
    place.write("url.bin", url(&password()));
    place.ends(1, &["gate", "url.bin"]);
}

#[test]
fn a_baseline_hides_what_was_accepted_and_nothing_new_in_its_place() {
    let place = Place::new();
    let (old, new) = (password(), password());
    place.key("key");
    place.write("dump.bin", url(&old));
    let told = place
        .ends(0, &["baseline", "write", "dump.bin", "-o", "b.json", "--fingerprint-key", "key", "--reason", "a test"]);
    assert!(told.contains("1 secret accepted (1 new, 0 from before, 0 taken out)"), "{told}");
    let written = fs::read_to_string(place.path("b.json")).unwrap();
    assert!(
        !written.contains(&old) && written.contains("dumpscrub-baseline/1") && written.contains("a test"),
        "{written}"
    );
    let with = |code, command: &str, dump: &str| {
        place.ends(code, &[command, "--baseline", "b.json", "--fingerprint-key", "key", "-f", "json", dump])
    };
    for command in ["gate", "scan"] {
        let report = json(&with(0, command, "dump.bin"));
        assert_eq!((&report["summary"]["accepted"], &report["summary"]["counted"]), (&1.into(), &0.into()));
        assert_eq!(report["findings"][0]["accepted"], true);
        assert_eq!(report["baseline"]["unused"].as_array().unwrap().len(), 0);
        let text = place.ends(0, &[command, "--baseline", "b.json", "--fingerprint-key", "key", "dump.bin"]);
        assert!(text.contains("1 finding accepted by the baseline b.json and not listed"), "{text}");
        // Another secret at the same place, of the same length, found by the same rule.
        place.write("new.bin", url(&new));
        let report = json(&with(1, command, "new.bin"));
        assert_eq!((&report["summary"]["accepted"], &report["summary"]["counted"]), (&0.into(), &1.into()));
        assert_eq!(report["baseline"]["unused"].as_array().unwrap().len(), 1);
        let text = place.ends(1, &[command, "--baseline", "b.json", "--fingerprint-key", "key", "new.bin"]);
        assert!(text.contains("not found of the fingerprints in the baseline (1 of 1):"), "{text}");
        // The old secret elsewhere, packed, beside a new one.
        place.write("both.bin", [vec![0; 5000], url(&old), vec![0; 100], url(&new)].concat());
        let report = json(&with(1, command, "both.bin"));
        assert_eq!((&report["summary"]["accepted"], &report["summary"]["counted"]), (&1.into(), &1.into()));
    }
}

#[test]
fn a_baseline_holds_when_other_secrets_are_redacted() {
    let place = Place::new();
    let (kept, gone) = (password(), password());
    place.key("key");
    place.write("dump.bin", [url(&kept), vec![0; 64], url(&gone)].concat());
    place.ends(0, &["baseline", "write", "dump.bin", "-o", "b.json", "--fingerprint-key", "key"]);
    let redacted = String::from_utf8(fs::read(place.path("dump.bin")).unwrap()).unwrap();
    place.write("redacted.bin", redacted.replace(&gone, &"X".repeat(gone.len())));
    let report = json(
        &place.ends(0, &["gate", "--baseline", "b.json", "--fingerprint-key", "key", "-f", "json", "redacted.bin"]),
    );
    assert_eq!(report["summary"]["accepted"], 1);
    assert_eq!(report["baseline"]["unused"].as_array().unwrap().len(), 1);
    // And when it is taken up again: what is not there any more goes where that is asked for.
    let update = ["baseline", "write", "redacted.bin", "-o", "b.json", "--fingerprint-key", "key", "--update"];
    assert!(place.ends(0, &update).contains("(0 new, 2 from before, 0 taken out)"));
    let prune = [&update[..], &["--prune"]].concat();
    assert!(place.ends(0, &prune).contains("(0 new, 1 from before, 1 taken out)"));
    place.ends(2, &update[..update.len() - 1]);
}

#[test]
fn a_baseline_without_its_key_is_an_error() {
    let place = Place::new();
    place.key("key");
    place.key("other");
    place.write("dump.bin", url(&password()));
    place.ends(0, &["baseline", "write", "dump.bin", "-o", "b.json", "--fingerprint-key", "key"]);
    let said = place.complains(2, &["gate", "--baseline", "b.json", "--fingerprint-key", "other", "dump.bin"]);
    assert!(said.contains("made with another key"), "{said}");
    let said = place.complains(2, &["scan", "--baseline", "b.json", "dump.bin"]);
    assert!(said.contains("needs --fingerprint-key"), "{said}");
    place.write("b.json", "{}");
    place.ends(2, &["gate", "--baseline", "b.json", "--fingerprint-key", "key", "dump.bin"]);
    // An input that cannot be read makes no baseline.
    place.ends(2, &["baseline", "write", "nothing", "-o", "c.json", "--fingerprint-key", "key"]);
    assert!(!place.path("c.json").exists());
}

#[test]
fn a_policy_brings_its_baseline() {
    let place = Place::new();
    place.key("key");
    place.write("dump.bin", url(&password()));
    place.ends(0, &["baseline", "write", "dump.bin", "-o", "b.json", "--fingerprint-key", "key"]);
    place.write("policy.toml", "[baseline]\nfile = \"b.json\"\nfingerprint_key = \"key\"\n");
    place.ends(0, &["gate", "--policy", "policy.toml", "dump.bin"]);
    let told = place.ends(0, &["policy", "check", "policy.toml"]);
    assert!(told.contains("baseline: 1 fingerprints of key "), "{told}");
    place.ends(2, &["gate", "--policy", "policy.toml", "--baseline", "b.json", "--fingerprint-key", "key", "dump.bin"]);
    fs::remove_file(place.path("b.json")).unwrap();
    place.ends(2, &["gate", "--policy", "policy.toml", "dump.bin"]);
    place.ends(2, &["policy", "check", "policy.toml"]);
}

#[test]
fn several_reports_are_written_at_once() {
    let place = Place::new();
    place.write("url.bin", url(&password()));
    let args = ["gate", "url.bin", "-f", "json", "--report", "sarif=a.sarif", "--report", "junit=b.xml"];
    json(&place.ends(1, &args));
    assert_eq!(json(&fs::read_to_string(place.path("a.sarif")).unwrap())["version"], "2.1.0");
    assert!(fs::read_to_string(place.path("b.xml")).unwrap().contains("<testsuites"));
    for wrong in ["sarif", "sarif=", "sarof=x", "sarif=url.bin"] {
        place.ends(2, &["gate", "url.bin", "--report", wrong]);
    }
    let said = place.complains(2, &["gate", "url.bin", "--report", "sarif=x", "--report", "json=x"]);
    assert!(said.contains("two reports would go to one place"), "{said}");
}
