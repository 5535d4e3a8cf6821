//! "Was this very key in any of these dumps?": `--known` and `--known-secrets`, as people and scripts meet them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use synth::elf::{ElfBuilder, Segment, X86_64};
use synth::forms::{self, Lines};
use synth::{Memory, keys};
use tempfile::TempDir;

const SECRETS: u32 = 0o600;

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
    program.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn write(folder: &TempDir, name: &str, mode: u32, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn core(memory: Memory) -> Vec<u8> {
    ElfBuilder { segments: vec![Segment::new(memory, 6)], ..ElfBuilder::new(X86_64) }.build().bytes
}

fn limbs(number: &[u8]) -> Vec<u8> {
    number.iter().rev().copied().collect()
}

/// The answers in JSON, in the order of the files.
fn answers(folder: &Path, args: &[&str], code: i32) -> Vec<Value> {
    let output = run(folder, &[&["scan", "-f", "json"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["known"].as_array().unwrap().clone()
}

/// A certificate of RFC 5280 with nothing in it but what must be there.
fn certificate(spki: &[u8]) -> Vec<u8> {
    use synth::der::{integer, sequence, tlv};
    let algorithm = tlv(0x30, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00");
    let pair = sequence(&[b"\x06\x03\x55\x04\x03".to_vec(), tlv(0x0c, b"login.example")]);
    let (name, time) = (tlv(0x30, &tlv(0x31, &pair)), tlv(0x17, b"240101000000Z"));
    let validity = sequence(&[time.clone(), time]);
    let version = tlv(0xa0, &integer(&[2]));
    let body = sequence(&[version, integer(&[5]), algorithm.clone(), name.clone(), validity, name, spki.to_vec()]);
    sequence(&[body, algorithm, tlv(3, &[0; 129])])
}

#[test]
fn a_certificate_leads_to_bare_limbs_in_a_dump_that_does_not_hold_it() {
    let (key, other) = (keys::rsa(2048), keys::rsa(2048));
    let folder = TempDir::new().unwrap();
    // Random bytes on both sides, so that nothing but the modulus tells that a prime is there.
    let memory = Memory::noise(0x7f00_0000_0000, 0x4000, 5).with(0x1238, &limbs(&key.p));
    write(&folder, "held.core", 0o644, core(memory));
    write(&folder, "free.core", 0o644, core(Memory::noise(0x7f00_0000_0000, 0x4000, 6)));
    assert_eq!(run(folder.path(), &["scan", "held.core"]).status.code(), Some(0), "nobody knows what to look for");
    let (spki, spki_of_other) = (synth::der::rsa_spki(&key), synth::der::rsa_spki(&other));
    let text = [
        forms::pem("CERTIFICATE", &certificate(&spki), Lines::Lf),
        forms::pem("PUBLIC KEY", &spki_of_other, Lines::Lf),
    ];
    let text = text.join("\n");
    write(&folder, "keys.pem", 0o644, text);
    let found = answers(folder.path(), &["--known", "keys.pem", "held.core", "free.core"], 1);
    let [held, free] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (&held["found"], &held["finding"], &held["dumps"][0]["file"]),
        (&true.into(), &1.into(), &"held.core".into())
    );
    assert_eq!(
        (&held["searched"], &held["incomplete"], held["dumps"].as_array().unwrap().len()),
        (&2.into(), &0.into(), 1)
    );
    assert_eq!((&free["found"], &free["site_count"], &free["hunted"]), (&false.into(), &0.into(), &true.into()));
    assert!(free.get("finding").is_none());
    let text =
        String::from_utf8(run(folder.path(), &["scan", "-q", "--known", "keys.pem", "held.core"]).stdout).unwrap();
    assert!(text.contains("keys.pem line 1: certificate, RSA-2048, CN=login.example, serial number 05"), "{text}");
    assert!(text.contains("its private key FOUND as finding 1: 1 site in 1 dump"), "{text}");
    assert!(text.contains("its private key not found in 1 dump\n"), "{text}");
    assert!(text.contains("known from keys.pem line 1"), "{text}");
    assert!(text.contains("   SSH key      SHA256:"), "{text}");
    assert!(text.contains("   certificate  CN=login.example, serial number 05"), "{text}");
    assert_eq!(answers(folder.path(), &["--known", "keys.pem", "free.core"], 0)[0]["found"], false);
}

#[test]
fn secrets_are_found_in_every_form_and_none_is_printed() {
    let (key, token, absent) = (keys::rsa(2048), keys::password(), keys::password());
    let folder = TempDir::new().unwrap();
    let memory = Memory::zeros(0x7f00_0000_0000, 0x4000)
        .with(0x101, &forms::utf16le(&token))
        .with(0x201, forms::base64_phases(token.as_bytes())[1].as_bytes())
        .with(0x1000, &forms::words32(&key.d));
    write(&folder, "a.core", 0o644, core(memory));
    let pem = forms::pem("RSA PRIVATE KEY", &synth::der::pkcs1(&key), Lines::Lf);
    write(&folder, "secrets", SECRETS, format!("{token}\n{absent}\n{pem}"));
    assert_eq!(run(folder.path(), &["scan", "a.core"]).status.code(), Some(0), "nothing gives itself away");
    let found = answers(folder.path(), &["--known-secrets", "secrets", "a.core"], 1);
    let told: Vec<_> =
        found.iter().map(|a| (a["kind"].as_str().unwrap(), a["line"].as_u64(), a["site_count"].as_u64())).collect();
    assert_eq!(told[0], ("secret", Some(1), Some(2)));
    assert_eq!(told[1], ("secret", Some(2), Some(0)));
    assert_eq!((told[2].0, told[2].1), ("private-key", Some(3)));
    assert!(told[2].2 > Some(0));
    for format in ["text", "json", "jsonl"] {
        let output = run(folder.path(), &["scan", "-v", "-f", format, "--known-secrets", "secrets", "a.core"]);
        let all = [output.stdout, output.stderr].concat();
        for secret in [&token, &absent, &forms::hex(&key.d), &forms::hex(&key.p)] {
            assert!(forms::find_all(&all, secret.as_bytes()).is_empty(), "{format}");
        }
    }
    // What is not listed is answered all the same.
    let found = answers(
        folder.path(),
        &["--min-evidence", "proven", "--fail-on", "critical", "--known-secrets", "secrets", "a.core"],
        1,
    );
    assert!(found[0]["found"] == true && found[2]["found"] == true);
}

#[test]
fn what_is_known_is_redacted_and_the_proof_searches_for_it() {
    let token = keys::password();
    let folder = TempDir::new().unwrap();
    let memory = Memory::zeros(0x7f00_0000_0000, 0x4000)
        .with(0x101, token.as_bytes())
        .with(0x801, forms::hex(token.as_bytes()).as_bytes());
    write(&folder, "a.core", 0o644, core(memory));
    write(&folder, "secrets", SECRETS, &token);
    let redact = ["redact", "a.core", "-o", "b.core", "--no-unwind", "--known-secrets", "secrets"];
    let output = run(folder.path(), &redact);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let bytes = fs::read(folder.path().join("b.core")).unwrap();
    assert!(forms::find_all(&bytes, token.as_bytes()).is_empty());
    assert!(forms::find_all(&bytes, forms::hex(token.as_bytes()).as_bytes()).is_empty());
    assert_eq!(answers(folder.path(), &["--known-secrets", "secrets", "b.core"], 0)[0]["found"], false);
    let verify = ["verify", "b.core", "--original", "a.core", "--known-secrets", "secrets"];
    let output = run(folder.path(), &verify);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_dump_that_was_not_scanned_is_no_answer() {
    let folder = TempDir::new().unwrap();
    write(&folder, "a.core", 0o644, core(Memory::zeros(0x7f00_0000_0000, 0x1000)));
    write(&folder, "empty.core", 0o644, b"");
    write(&folder, "secrets", SECRETS, keys::password());
    let found = answers(folder.path(), &["--known-secrets", "secrets", "a.core", "empty.core"], 2);
    assert_eq!((&found[0]["searched"], &found[0]["incomplete"]), (&1.into(), &1.into()));
    let output = run(folder.path(), &["scan", "--known-secrets", "secrets", "a.core", "empty.core"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("not found in 1 dump; but not everything of 1 input was scanned"), "{text}");
}

#[test]
fn files_that_are_wrong_are_refused_and_say_what_to_do() {
    let folder = TempDir::new().unwrap();
    let (key, secret) = (keys::rsa(1024), keys::password());
    write(&folder, "a.core", 0o644, core(Memory::zeros(0x7f00_0000_0000, 0x1000)));
    let refused = |option: &str, name: &str, words: &[&str]| {
        let output = run(folder.path(), &["scan", option, name, "a.core"]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{name}: {text}");
        assert!(!text.contains(&secret) && output.stdout.is_empty(), "{name}");
    };
    let pem = forms::pem("RSA PRIVATE KEY", &synth::der::pkcs1(&key), Lines::Lf);
    for (name, mode) in [("all", 0o644), ("group", 0o640), ("writable", 0o620)] {
        write(&folder, name, mode, &secret);
        refused("--known-secrets", name, &[&format!("{mode:04o}"), "chmod 600"]);
        write(&folder, name, mode, &pem);
        refused("--known", name, &["private key on line 1", "chmod 600"]);
    }
    write(&folder, "line", 0o644, "# a comment\nwhat is this\n");
    refused("--known", "line", &["line 2", "expected certificates", "--known-secrets"]);
    write(&folder, "short", SECRETS, format!("{secret}\nabc\n"));
    refused("--known-secrets", "short", &["line 2", "4 to 65536 bytes", "found 3"]);
    write(&folder, "nothing", 0o644, "");
    refused("--known", "nothing", &["empty"]);
    let large = fs::File::create(folder.path().join("large")).unwrap();
    large.set_len(9 << 20).unwrap();
    refused("--known", "large", &["at most 8388608 bytes, found 9437184"]);
    refused("--known", ".", &["no regular file"]);
    refused("--known", "missing", &["cannot open missing"]);
    write(&folder, "key", SECRETS, &pem);
    assert_eq!(
        run(folder.path(), &["scan", "--known", "key", "a.core"]).status.code(),
        Some(0),
        "only its owner may read it"
    );
}

/// A process that holds what it read and nothing that tells what it is.
#[test]
fn a_real_process_gives_its_secrets_away() {
    let missing = |what: &str| assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
    if Command::new("gcore").arg("-h").output().is_err() || Command::new("perl").arg("-v").output().is_err() {
        return missing("gcore (of gdb) or perl is not there");
    }
    let (key, token, folder) = (keys::rsa(2048), keys::password(), TempDir::new().unwrap());
    let program = "binmode STDIN; local $/; my $held = <STDIN>; $| = 1; print qq(ready); sleep 600";
    let mut child =
        Command::new("perl").args(["-e", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let held = [limbs(&key.q), vec![0; 16], forms::utf16le(&token)].concat();
    child.stdin.take().unwrap().write_all(&held).unwrap();
    let mut ready = [0; 5];
    child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    let id = child.id();
    let made = Command::new("gcore").args(["-o", "core", &id.to_string()]).current_dir(folder.path()).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let core = format!("core.{id}");
    if !made.status.success() || !folder.path().join(&core).exists() {
        return missing("gcore was not allowed to look at a process");
    }
    write(&folder, "key.pem", 0o644, forms::pem("PUBLIC KEY", &synth::der::rsa_spki(&key), Lines::Lf));
    write(&folder, "other.pem", 0o644, forms::pem("PUBLIC KEY", &synth::der::rsa_spki(&keys::rsa(2048)), Lines::Lf));
    write(&folder, "secrets", SECRETS, &token);
    let files = ["--known", "key.pem", "--known", "other.pem", "--known-secrets", "secrets"];
    let found = answers(folder.path(), &[&files[..], &[&core]].concat(), 1);
    let told: Vec<bool> = found.iter().map(|answer| answer["found"] == true).collect();
    assert_eq!(told, [true, false, true]);
}
