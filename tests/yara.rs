//! Rules of YARA in dumps. Needs the feature: `cargo test --features yara --test yara`.
#![cfg(feature = "yara")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

use dumpscrub::detect::{self, Detector, yara};
use dumpscrub::dump;
use dumpscrub::finding::{Encoding, Evidence, Profile};
use dumpscrub::image::Image;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};

const RULES: &str = r#"
rule Widget_License : secrets {
    meta:
        description = "A license of Widget."
        severity = "critical"
    strings:
        $text = "WDG-LICENSE-7319" ascii wide
        $number = /WDGN:[0-9]{12}/ fullword
        $hex = { 57 44 47 00 [2-4] 99 (AA|BB) }
    condition:
        $text or any of ($number, $hex)
}
"#;

fn engine(rules: &str) -> Engine {
    let detectors: Vec<Box<dyn Detector>> = vec![Box::new(yara::parse("test.yar", rules).unwrap())];
    Engine::new(detectors).unwrap()
}

fn scan(bytes: &[u8], window: usize) -> Outcome {
    let options = Options { window, ..Options::default() };
    let image = Image::from_bytes("test.bin", bytes.to_vec());
    let map = dump::map(&image, &options.limits).unwrap();
    scan::scan(&image, &map, &engine(RULES), &options, &Quiet).unwrap()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A dump of 200,000 bytes with strings at these places.
fn dump_with(planted: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    for (at, what) in planted {
        bytes[*at..at + what.len()].copy_from_slice(what);
    }
    bytes
}

/// Where the strings of the rule were found, with their encoding, whatever the finding.
fn sites(outcome: &Outcome) -> Vec<(u64, u64, Encoding)> {
    let all = (0..outcome.findings.len()).flat_map(|i| outcome.sites.of(i).map(Result::unwrap).collect::<Vec<_>>());
    let mut all: Vec<_> = all.map(|s| (s.spans[0].from(), s.spans[0].len, s.form.encoding)).collect();
    all.sort_unstable();
    all
}

#[test]
fn strings_are_found_at_every_seam_of_windows_in_ascii_and_wide() {
    let (text, wide) = (b"WDG-LICENSE-7319", wide("WDG-LICENSE-7319"));
    let window = 40_000;
    // Every way in which the seam at 40,000 and the one at 80,000 can cut them.
    for shift in 0..=32 {
        let at = [window - shift, 2 * window - shift, 120_500];
        let bytes = dump_with(&[(at[0], text), (at[1], &wide), (at[2], b"\0WDGN:123456789012\0")]);
        let outcome = scan(&bytes, window);
        let want = vec![
            (at[0] as u64, 16, Encoding::Plain),
            (at[1] as u64, 32, Encoding::Utf16Le),
            (at[2] as u64 + 1, 17, Encoding::Plain),
        ];
        assert_eq!(sites(&outcome), want, "shift {shift}");
        // The same license, in two spellings, is one finding.
        assert_eq!(outcome.findings.len(), 2, "shift {shift}");
        assert!(outcome.findings.iter().all(|f| f.evidence == Evidence::Matched));
    }
}

#[test]
fn the_size_of_windows_changes_nothing() {
    let hex = [0x57, 0x44, 0x47, 0, 1, 2, 3, 0x99, 0xbb];
    let bytes = dump_with(&[(99_990, b"WDG-LICENSE-7319"), (150_001, &hex)]);
    let whole = sites(&scan(&bytes, 1 << 20));
    assert_eq!(whole.len(), 2, "{whole:?}");
    for window in [50_000, 99_991, 100_000, 150_005] {
        assert_eq!(sites(&scan(&bytes, window)), whole, "windows of {window}");
    }
}

#[test]
fn what_asks_about_a_whole_file_is_refused_by_name() {
    let strings = r#"strings: $a = "abcd" $b = "efgh""#;
    for (condition, why) in [
        ("filesize < 1MB and $a and $b", "several things together"),
        ("$a and $b", "several things together"),
        ("#a > 3 or $b", "computes something"),
        ("$a at 0 or $b", "where a string stands"),
        ("all of them", "more than one"),
        ("not $a or $b", "what is not there"),
        ("uint16(0) == 0x5a4d or any of them", "computes something"),
        ("for any of them : ( $ at 0 )", "is a loop"),
    ] {
        let error =
            yara::parse("a.yar", &format!("rule Odd_One {{ {strings} condition: {condition} }}")).err().unwrap();
        let told = error.to_string();
        assert!(told.contains("a.yar") && told.contains("Odd_One") && told.contains(why), "{condition}: {told}");
    }
    for (strings, why) in [
        ("$a = /abc.*d/", "repeats without bound"),
        ("$a = /^abcd/", "where the file begins"),
        ("$a = { 61 62 [-] 63 64 }", "jump without bound"),
        ("$a = { 61 62 63 [1-20000] 64 }", "more than 16000"),
    ] {
        let error =
            yara::parse("a.yar", &format!("rule Odd_One {{ strings: {strings} condition: $a }}")).err().unwrap();
        assert!(error.to_string().contains(why), "{strings}: {error}");
    }
    let module = yara::parse("a.yar", "import \"pe\"\nrule A { strings: $a = \"abcd\" condition: $a }").err().unwrap();
    assert!(module.to_string().contains("`pe`"), "{module}");
    assert!(yara::parse("a.yar", "rule A { strings: $a = \"abcd\" condition: $a ").is_err(), "what does not parse");
    assert!(yara::parse("a.yar", "rule A { strings: $a = \"abcd\" condition: all of them }").is_ok(), "one string");
}

#[test]
fn the_program_takes_a_file_and_redacts_what_it_finds() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("my.yar"), RULES).unwrap();
    fs::write(path("a.bin"), dump_with(&[(5_000, b"WDG-LICENSE-7319"), (9_000, &wide("WDG-LICENSE-7319"))])).unwrap();
    let run = |words: &[&str], files: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        command.args(words).args(files).args([Path::new("--rules"), &path("my.yar")]).output().unwrap()
    };
    let found = run(&["scan", "-f", "json"], &[&path("a.bin")]);
    let report: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((found.status.code(), report["findings"][0]["rule"].as_str()), (Some(1), Some("yara-widget-license")));
    assert_eq!(report["findings"][0]["severity"], "critical");
    let out = path("b.bin");
    let redacted = run(&["redact", "-o", out.to_str().unwrap()], &[&path("a.bin")]);
    assert_eq!(redacted.status.code(), Some(0), "{}", String::from_utf8_lossy(&redacted.stderr));
    let left = fs::read(&out).unwrap();
    assert!(!left.windows(7).any(|w| w == b"LICENSE") && !left.windows(14).any(|w| w == wide("LICENSE")));
    let listed = run(&["rules", "list"], &[]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("yara-widget-license"));
}

#[test]
fn an_id_that_is_taken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.yar", "b.yara"].map(|name| folder.path().join(name));
    files.iter().for_each(|file| fs::write(file, RULES).unwrap());
    let error = detect::detectors_with(&files, Profile::Default).err().unwrap();
    assert!(error.to_string().contains("yara-widget-license"), "{error}");
}
