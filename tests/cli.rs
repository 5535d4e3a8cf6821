//! The program as people and scripts meet it: what it prints where, and which code it exits with.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Text with a password that counts.
const SECRET: &str = "\0\0postgres://orders:Vq7mK2xW9rT4@db01.shop.internal/orders\0\0";
const PASSWORD: &str = "Vq7mK2xW9rT4";

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
    program.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("CLICOLOR");
    program
}

fn run(args: &[&str]) -> Output {
    program().args(args).stdin(Stdio::null()).output().unwrap()
}

fn run_in(folder: &Path, args: &[&str]) -> Output {
    program().current_dir(folder).args(args).stdin(Stdio::null()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn sample(name: &str) -> String {
    format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_first_command_of_the_readme_finds_secrets() {
    let output = run(&["scan", &sample("full-memory.dmp")]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert!(out(&output).contains("CRITICAL RSA private key"), "{}", out(&output));
    assert!(out(&output).contains("exit code 1"), "{}", out(&output));
    assert_eq!(err(&output), "");
}

#[test]
fn a_dump_without_secrets_is_clean() {
    let output = run(&["scan", &sample("clean.dmp")]);
    assert_eq!(code(&output), 0, "{}", out(&output));
}

#[test]
fn an_empty_file_is_an_error_that_says_so() {
    let folder = folder(&[("empty.dmp", b"")]);
    let output = run_in(folder.path(), &["scan", "empty.dmp"]);
    assert_eq!(code(&output), 2);
    for text in [out(&output), err(&output)] {
        assert!(text.contains("empty.dmp is empty (0 bytes)"), "{text}");
    }
}

#[test]
fn four_bytes_are_scanned_as_they_are() {
    let folder = folder(&[("four", b"\x01\x02\x03\x04")]);
    let output = run_in(folder.path(), &["scan", "four", "-f", "json"]);
    assert_eq!(code(&output), 0);
    let dump = &json(&output)["dumps"][0];
    assert_eq!((&dump["format"], &dump["bytes"], &dump["scanned"]), (&"raw".into(), &4.into(), &4.into()));
}

#[test]
fn four_bytes_that_claim_to_be_a_minidump_are_scanned_and_their_fault_is_told() {
    let folder = folder(&[("four.dmp", b"MDMP")]);
    let output = run_in(folder.path(), &["scan", "four.dmp", "-f", "json"]);
    assert!([0, 3].contains(&code(&output)), "{}", out(&output));
    assert_eq!(json(&output)["dumps"][0]["scanned"], 4);
}

#[test]
fn what_cannot_be_opened_is_an_error_that_says_what_to_do() {
    let folder = folder(&[("a.dmp", b"x")]);
    for path in ["nothing.dmp", "a.dmp/below-a-file.dmp"] {
        let output = run_in(folder.path(), &["scan", path]);
        assert_eq!(code(&output), 2, "{path}");
        assert!(err(&output).contains(&format!("cannot open {path}")), "{}", err(&output));
        assert!(err(&output).contains("check that the path is right"), "{}", err(&output));
    }
}

#[test]
fn a_bad_file_among_good_ones_is_a_row_and_not_the_end() {
    let folder = folder(&[("a.dmp", b""), ("b.dmp", SECRET.as_bytes()), ("sub/c.dmp", b"nothing")]);
    let output = run_in(folder.path(), &["scan", ".", "-f", "json"]);
    assert_eq!(code(&output), 2, "an error comes before findings");
    let report = json(&output);
    let files: Vec<&str> = report["dumps"].as_array().unwrap().iter().map(|d| d["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["./a.dmp", "./b.dmp", "./sub/c.dmp"]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    assert_eq!(report["dumps"][0]["gaps"].as_array().unwrap().len(), 1);
    assert_eq!(report["summary"]["unreadable"], 1);
    assert!(report["summary"]["meaning"].as_str().unwrap().contains("1 finding at or above"));
}

#[test]
fn pipes_and_sockets_in_a_folder_are_rows_and_nothing_waits() {
    let folder = folder(&[("z.dmp", b"nothing")]);
    let fifo = folder.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    let output = run_in(folder.path(), &["scan", ".", "-f", "json"]);
    assert_eq!(code(&output), 2);
    let report = json(&output);
    assert!(report["dumps"][0]["error"].as_str().unwrap().contains("a named pipe (FIFO)"), "{report}");
    assert!(report["dumps"][1]["error"].is_string(), "{report}");
    assert_eq!(report["dumps"][2]["format"], "raw");
    let output = run_in(folder.path(), &["scan", "fifo"]);
    assert!(code(&output) == 2 && err(&output).contains("use `-`"), "{}", err(&output));
}

#[test]
fn links_are_followed_where_they_are_named_and_nowhere_else() {
    let folder = folder(&[("store/a.dmp", b"nothing"), ("elsewhere.dmp", SECRET.as_bytes())]);
    symlink("../elsewhere.dmp", folder.path().join("store/link.dmp")).unwrap();
    let output = run_in(folder.path(), &["scan", "store", "-f", "json"]);
    assert_eq!(code(&output), 0, "a link that is not followed is no gap");
    assert_eq!(json(&output)["skipped"][0]["file"], "store/link.dmp");
    assert_eq!(code(&run_in(folder.path(), &["scan", "store/link.dmp"])), 1);
}

#[test]
fn a_folder_without_files_is_an_error() {
    let output = run_in(folder(&[]).path(), &["scan", "."]);
    assert!(code(&output) == 2 && err(&output).contains("nothing to scan"), "{}", err(&output));
}

#[test]
fn standard_input_is_scanned() {
    let mut child = program()
        .args(["scan", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert!(out(&output).contains("Password in a URL"), "{}", out(&output));
    let output = run(&["scan", "-"]);
    assert!(code(&output) == 2 && err(&output).contains("empty"), "{}", err(&output));
}

#[test]
fn secrets_are_told_only_when_asked_for_and_with_a_warning() {
    let folder = folder(&[("a.dmp", SECRET.as_bytes())]);
    for format in ["text", "json", "jsonl"] {
        let output = run_in(folder.path(), &["scan", "a.dmp", "-v", "-f", format]);
        assert!(!out(&output).contains(PASSWORD) && !err(&output).contains(PASSWORD), "{format}");
        let output = run_in(folder.path(), &["scan", "a.dmp", "-f", format, "--show-secrets"]);
        assert!(out(&output).contains(PASSWORD), "{format}: {}", out(&output));
        assert!(err(&output).contains("as sensitive as the dump"), "{}", err(&output));
    }
}

#[test]
fn what_counts_can_be_chosen() {
    let folder = folder(&[("a.dmp", SECRET.as_bytes())]);
    let with = |args: &[&str]| run_in(folder.path(), &[&["scan", "a.dmp"], args].concat());
    assert_eq!(code(&with(&[])), 1);
    assert_eq!(code(&with(&["--fail-on", "critical"])), 0);
    let hidden = with(&["--min-evidence", "proven"]);
    assert_eq!(code(&hidden), 0);
    assert!(out(&hidden).contains("1 finding with less evidence than proven not listed"), "{}", out(&hidden));
}

#[test]
fn colors_are_for_those_who_see_them() {
    let folder = folder(&[("a.dmp", SECRET.as_bytes())]);
    let escape = |output: &Output| output.stdout.contains(&0x1b);
    assert!(!escape(&run_in(folder.path(), &["scan", "a.dmp"])), "a pipe sees none");
    assert!(escape(&run_in(folder.path(), &["scan", "a.dmp", "--color", "always"])));
    assert!(!escape(&run_in(folder.path(), &["scan", "a.dmp", "--no-color"])));
    let no_color = program().current_dir(folder.path()).env("NO_COLOR", "1").args(["scan", "a.dmp"]).output().unwrap();
    assert!(!escape(&no_color));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for format in ["text", "json", "jsonl"] {
        let mut child = program()
            .args(["scan", &sample("full-memory.dmp"), "-f", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((code(&output), err(&output)), (1, ""), "{format}");
    }
}

#[test]
fn a_report_file_is_private_and_whole_and_never_replaces_a_dump() {
    let folder = folder(&[("a.dmp", SECRET.as_bytes()), ("old.json", b"old")]);
    fs::set_permissions(folder.path().join("old.json"), fs::Permissions::from_mode(0o644)).unwrap();
    for name in ["new.json", "old.json"] {
        let output = run_in(folder.path(), &["scan", "a.dmp", "-f", "json", "-o", name]);
        assert_eq!((code(&output), out(&output)), (1, ""), "{}", err(&output));
        let path = folder.path().join(name);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap()["findings"].is_array());
    }
    let output = run_in(folder.path(), &["scan", ".", "-o", "a.dmp"]);
    assert!(code(&output) == 2 && err(&output).contains("choose another place"), "{}", err(&output));
    assert_eq!(fs::read(folder.path().join("a.dmp")).unwrap(), SECRET.as_bytes());
    for bad in ["missing/report.json", "."] {
        let output = run_in(folder.path(), &["scan", "a.dmp", "-o", bad]);
        assert!(code(&output) == 2 && err(&output).contains("cannot write"), "{}", err(&output));
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "nothing temporary is left: {names:?}");
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let folder = folder(&[("a.dmp", SECRET.as_bytes())]);
    let output = run_in(folder.path(), &["scan", "a.dmp", "-f", "json", "-o", "/dev/stdout"]);
    assert_eq!((code(&output), json(&output)["summary"]["exit_code"].as_u64()), (1, Some(1)));
}

#[test]
fn the_report_does_not_depend_on_the_number_of_threads() {
    let samples = format!("{}/samples", env!("CARGO_MANIFEST_DIR"));
    let report = |threads| run(&["scan", &samples, "-f", "json", "-j", threads]).stdout;
    assert_eq!(report("1"), report("4"));
}

#[test]
fn help_teaches_the_exit_codes() {
    for args in [&["--help"][..], &["-h"], &["scan", "--help"], &["scan", "-h"]] {
        let output = run(args);
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains("Exit codes:") && out(&output).contains("2 comes before 1"), "{args:?}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for args in [&[][..], &["scan"], &["scan", "--format", "xml", "x"], &["nonsense"], &["man", "nonsense"]] {
        assert_eq!(code(&run(args)), 2, "{args:?}");
    }
}

#[test]
fn map_tells_what_a_dump_is_made_of() {
    let output = run(&["map", &sample("small.dmp"), "-f", "json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let map = json(&output);
    assert_eq!((&map["schema"], &map["format"]), (&"dumpscrub-map/1".into(), &"minidump".into()));
    for totals in ["labels", "classes"] {
        let sum: u64 = map[totals].as_array().unwrap().iter().map(|total| total["bytes"].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), map["bytes"].as_u64(), "every byte has one of the {totals}");
    }
    let output = run(&["map", &sample("small.dmp")]);
    assert!(code(&output) == 0 && out(&output).contains("Bytes by class"), "{}", out(&output));
    assert_eq!(code(&run(&["map", "nothing.dmp"])), 2);
}

#[test]
fn rules_are_listed_and_hold() {
    let list = json(&run(&["rules", "list", "-f", "json"]));
    assert!(list["rules"].as_array().unwrap().iter().any(|rule| rule["id"] == "rsa-private-key"), "{list}");
    let output = run(&["rules", "check"]);
    assert_eq!((code(&output), out(&output).contains(", 0 problems")), (0, true), "{}", out(&output));
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(out(&run(&["completions", shell])).contains("min-evidence"), "{shell}");
    }
    assert!(out(&run(&["man"])).starts_with(".ie"));
    assert!(out(&run(&["man", "scan"])).contains("min\\-evidence"));
}

/// A rule of a user's, with `PATTERN` to be filled in.
const RULE: &str = r#"
[[rules]]
id = "widget-token"
title = "Widget API token"
severity = "high"
description = "A token for the API of Widget."
remedy = "Revoke it in the console and issue a new one."
literals = ["wdg_"]
pattern = '''PATTERN'''
examples = [{ text = "wdg_0123456789ab" }, { text = "t=wdg_ab9876543210;", secret = "wdg_ab9876543210" }]
counter_examples = ["wdg_", "wdg_0123"]
"#;

/// Whatever the built-in rules for any secret make of the place, the finding has the name that the user gave.
#[test]
fn a_users_rule_names_what_rules_for_any_secret_find_too() {
    let rule = RULE.replace("PATTERN", "(?P<secret>wdg_[0-9a-f]{12})");
    let folder = folder(&[("mine.toml", rule.as_bytes()), ("a.dmp", b"\0APP_TOKEN=wdg_00ff17ab34cd\0\0")]);
    let named = |words: &[&str]| json(&run_in(folder.path(), words))["findings"][0]["rule"].clone();
    assert_eq!(named(&["scan", "-f", "json", "a.dmp"]), "environment-password");
    assert_eq!(named(&["scan", "-f", "json", "--rules", "mine.toml", "a.dmp"]), "widget-token");
}

#[cfg(not(feature = "yara"))]
#[test]
fn without_the_feature_a_file_of_yara_is_refused_and_the_feature_named() {
    let folder = folder(&[("a.yar", b"rule A { strings: $a = \"abcd\" condition: $a }"), ("a.dmp", b"abcd")]);
    for words in [&["scan", "--rules", "a.yar", "a.dmp"][..], &["rules", "list", "--rules", "a.yar"]] {
        let output = run_in(folder.path(), words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(err(&output).contains("a.yar") && err(&output).contains("--features yara"), "{}", err(&output));
    }
}

#[test]
fn a_users_rule_is_listed_checked_and_found() {
    let rule = RULE.replace("PATTERN", "(?P<secret>wdg_[0-9a-f]{12})");
    let folder = folder(&[("mine.toml", rule.as_bytes()), ("a.dmp", b"\0\0wdg_00ff17ab34cd\0\0")]);
    let scan = run_in(folder.path(), &["scan", "--rules", "mine.toml", "a.dmp"]);
    assert_eq!(code(&scan), 1, "{}", err(&scan));
    assert!(out(&scan).contains("Widget API token") && !out(&scan).contains("00ff17ab34cd"), "{}", out(&scan));
    assert_eq!(code(&run_in(folder.path(), &["scan", "a.dmp"])), 0);
    for args in [["rules", "list", "--rules", "mine.toml"], ["rules", "--rules", "mine.toml", "list"]] {
        assert!(out(&run_in(folder.path(), &args)).contains("widget-token"), "{args:?}");
    }
    let check = run_in(folder.path(), &["rules", "check", "--rules", "mine.toml"]);
    assert_eq!(code(&check), 0, "{}{}", out(&check), err(&check));
}

#[test]
fn a_users_rule_that_does_not_hold_is_told_and_one_that_is_wrong_ends_the_program() {
    let asks_for_a_quote = RULE.replace("PATTERN", "(?P<secret>wdg_[0-9a-f]{12});");
    let unbounded = RULE.replace("PATTERN", "(?P<secret>wdg_.+)");
    let files: [(&str, &[u8]); 5] = [
        ("weak.toml", asks_for_a_quote.as_bytes()),
        ("wrong.toml", unbounded.as_bytes()),
        ("no.toml", b"[[rules]]\nid = 1\n"),
        ("taken.toml", &RULE.replace("PATTERN", "(?P<secret>wdg_.{8})").replace("widget-token", "jwt").into_bytes()),
        ("a.dmp", b"\0\0"),
    ];
    let folder = folder(&files);
    let check = run_in(folder.path(), &["rules", "check", "--rules", "weak.toml"]);
    assert_eq!(code(&check), 1);
    assert!(out(&check).contains("widget-token: misses the secret"), "{}", out(&check));
    for (file, why) in [
        ("wrong.toml", "rule widget-token: its pattern"),
        ("no.toml", "line 2"),
        ("taken.toml", "rule jwt: its id"),
        ("absent.toml", "cannot open"),
    ] {
        for args in [&["scan", "a.dmp"][..], &["rules", "list"], &["rules", "check"]] {
            let output = run_in(folder.path(), &[args, &["--rules", file]].concat());
            assert_eq!(code(&output), 2, "{args:?} {file}");
            assert!(err(&output).contains(why) && err(&output).contains(file), "{}", err(&output));
        }
    }
}
