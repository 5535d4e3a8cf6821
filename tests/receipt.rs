//! Receipts: written, signed, verified, refused when a byte is changed, and silent about the secrets.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests may fail loudly")]

#[path = "receipt/forged.rs"]
mod forged;
#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use dumpscrub::redact::Verdict;
use forged::resealed;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use synth::forms::{self, Lines};
use synth::{Cpu, Memory, MinidumpBuilder, System, der, keys};
use tempfile::TempDir;

/// FunctionTableStream of MINIDUMP_STREAM_TYPE.
const FUNCTION_TABLE: u32 = 13;

/// Where the dump of these tests has its memory.
const HEAP: u64 = 0x7ffe_0010_0000;

/// A folder with `in.dmp`, `key`, `key.pub`, `other`, `other.pub` and `fp`, and what is secret in the dump.
struct Place {
    folder: TempDir,
    password: String,
    rsa: der::RsaNumbers,
    scalar: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (rsa, pair, password) = (keys::rsa(1024), keys::p256(), keys::password());
        let url = format!("postgres://app:{password}@db.internal:5432/crm\0");
        let heap = Memory::noise(HEAP, 0x3000, rand::random())
            .with(0x101, forms::pem("RSA PRIVATE KEY", &der::pkcs1(&rsa), Lines::Lf).as_bytes())
            .with(0x1003, &pair.p256_pkcs8())
            .with(0x1fff, &[0])
            .with(0x2000, url.as_bytes())
            .with(0x2800, &forms::utf16le(&url));
        let builder = MinidumpBuilder { memory: vec![heap], ..MinidumpBuilder::new(Cpu::Amd64, System::Linux) };
        fs::write(folder.path().join("in.dmp"), builder.build().bytes).unwrap();
        let place = Self { folder, password, rsa, scalar: pair.secret.to_vec() };
        for args in [["signing", "key"], ["signing", "other"], ["fingerprint", "fp"]] {
            place.good(&["key", "new", args[0], "-o", args[1]]);
        }
        place
    }

    /// What `redact in.dmp -o out.dmp` and `more` leave behind.
    fn redacted(more: &[&str]) -> Self {
        let place = Self::new();
        place.good(&[&["redact", "in.dmp", "-o", "out.dmp"], more].concat());
        place
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null()).env_remove("SOURCE_DATE_EPOCH");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output of a run that must exit with `code`.
    fn exits(&self, code: i32, args: &[&str]) -> String {
        told(&self.run(args), code, args)
    }

    fn good(&self, args: &[&str]) -> String {
        self.exits(0, args)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn statement(&self) -> Value {
        statement(&self.read("out.dmp.receipt.json"))
    }
}

/// Both streams of a run that must exit with `code`.
fn told(output: &Output, code: i32, args: &[&str]) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

/// The statement in a receipt of either kind.
fn statement(receipt: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(receipt).unwrap();
    match value.get("payload") {
        Some(payload) => serde_json::from_slice(&decoded(payload)).unwrap(),
        None => value,
    }
}

fn decoded(base64: &Value) -> Vec<u8> {
    use base64ct::Encoding as _;
    base64ct::Base64::decode_vec(base64.as_str().unwrap()).unwrap()
}

/// Without the tool a test has nothing to ask; where all tools must be there that is a failure.
fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    assert!(found || std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "openssl is not there");
    found
}

fn openssl(folder: &Path, args: &[&str]) -> Output {
    let output = Command::new("openssl").current_dir(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_redaction_leaves_a_receipt_that_holds() {
    let place = Place::redacted(&[]);
    let text = place.good(&["verify", "out.dmp"]);
    assert!(text.contains("not signed") && text.contains("needs --original"), "{text}");
    let text = place.good(&["verify", "out.dmp", "--receipt", "out.dmp.receipt.json", "--original", "in.dmp"]);
    assert!(text.contains("same-plan: planned again") && text.contains("leftovers: every form"), "{text}");
    let told = place.statement();
    let digest = |name| hex(&Sha256::digest(place.read(name)));
    assert_eq!(told["subject"][0]["name"], "out.dmp");
    assert_eq!(told["subject"][0]["digest"]["sha256"], digest("out.dmp"));
    assert_eq!(told["predicate"]["original"]["sha256"], digest("in.dmp"));
    assert_eq!(told["predicate"]["findings"].as_array().unwrap().len(), 3);
    assert_eq!(place.path("out.dmp.receipt.json").metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn what_the_receipt_lists_is_what_changed() {
    let place = Place::redacted(&[]);
    let (before, after) = (place.read("in.dmp"), place.read("out.dmp"));
    let mut listed = vec![false; before.len()];
    for edit in place.statement()["predicate"]["edits"].as_array().unwrap() {
        let at = usize::try_from(edit["offset"].as_u64().unwrap()).unwrap();
        listed[at..at + usize::try_from(edit["length"].as_u64().unwrap()).unwrap()].fill(true);
    }
    let changed = before.iter().zip(&after).map(|(a, b)| a != b);
    assert!(changed.zip(&listed).all(|(changed, &listed)| listed || !changed));
    assert!(listed.iter().filter(|listed| **listed).count() > 900);
}

#[test]
fn a_signed_receipt_holds_for_its_key_only() {
    let place = Place::redacted(&["--sign", "key"]);
    let with = |key| place.run(&["verify", "out.dmp", "--public-key", key]);
    let text = told(&with("key.pub"), 0, &[]);
    assert!(text.contains("holds      signature: by key "), "{text}");
    let text = told(&with("other.pub"), 1, &[]);
    assert!(text.contains("signature: it is signed by key") && text.contains("rejected: signature"), "{text}");
    let text = place.good(&["verify", "out.dmp"]);
    assert!(text.contains("was not checked: give the key with --public-key"), "{text}");
    let unsigned = Place::redacted(&[]);
    let text = unsigned.exits(1, &["verify", "out.dmp", "--public-key", "key.pub"]);
    assert!(text.contains("signature: the receipt is not signed"), "{text}");
}

#[test]
fn openssl_agrees() {
    if !has_openssl() {
        return;
    }
    let place = Place::redacted(&["--sign", "key"]);
    let folder = place.folder.path();
    let envelope: Value = serde_json::from_slice(&place.read("out.dmp.receipt.json")).unwrap();
    let payload = decoded(&envelope["payload"]);
    let kind = "application/vnd.in-toto+json";
    assert_eq!(envelope["payloadType"], kind);
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend(payload);
    fs::write(folder.join("message"), message).unwrap();
    fs::write(folder.join("sig"), decoded(&envelope["signatures"][0]["sig"])).unwrap();
    let args = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pub", "-rawin", "-in", "message", "-sigfile", "sig"];
    openssl(folder, &args);
    let public = openssl(folder, &["pkey", "-in", "key", "-pubout"]).stdout;
    assert_eq!(public, place.read("key.pub"), "openssl reads the private key");
    let spki = openssl(folder, &["pkey", "-pubin", "-in", "key.pub", "-outform", "DER"]).stdout;
    assert_eq!(envelope["signatures"][0]["keyid"], hex(&Sha256::digest(spki)));
    // And a key that openssl made signs.
    openssl(folder, &["genpkey", "-algorithm", "ed25519", "-out", "theirs"]);
    openssl(folder, &["pkey", "-in", "theirs", "-pubout", "-out", "theirs.pub"]);
    fs::set_permissions(folder.join("theirs"), fs::Permissions::from_mode(0o600)).unwrap();
    place.good(&["redact", "in.dmp", "-o", "two.dmp", "--sign", "theirs"]);
    place.good(&["verify", "two.dmp", "--public-key", "theirs.pub"]);
}

#[test]
fn the_time_can_be_given_and_then_everything_is_the_same() {
    let place = Place::new();
    let redact = |out: &str, epoch: &str| {
        let args = ["redact", "in.dmp", "-o", "out.dmp", "--force", "--sign", "key", "--receipt", out];
        place.command(&args).env("SOURCE_DATE_EPOCH", epoch).output().unwrap()
    };
    told(&redact("one.json", "1700000000"), 0, &[]);
    told(&redact("two.json", "1700000000"), 0, &[]);
    assert_eq!(place.read("one.json"), place.read("two.json"));
    assert_eq!(statement(&place.read("one.json"))["predicate"]["time"], "2023-11-14T22:13:20Z");
    for epoch in ["yesterday", "", "-1", "99999999999999"] {
        let text = told(&redact("three.json", epoch), 2, &[]);
        assert!(text.contains("SOURCE_DATE_EPOCH") || text.contains("9999"), "{text}");
        assert!(!place.path("three.json").exists());
    }
}

#[test]
fn a_receipt_holds_nothing_of_a_secret() {
    for more in [&["--fingerprint-key", "fp"][..], &["--fingerprint-key", "fp", "--sign", "key"], &["--fill", "label"]]
    {
        let place = Place::redacted(more);
        let receipt = place.read("out.dmp.receipt.json");
        let plain = place.statement().to_string();
        let shown = place.good(&["receipt", "show", "out.dmp.receipt.json", "-v"]);
        let verified = place.good(&["verify", "out.dmp", "--original", "in.dmp"]);
        for text in [&receipt, plain.as_bytes(), shown.as_bytes(), verified.as_bytes()] {
            for part in secret_parts(&place) {
                assert!(!text.windows(part.len()).any(|seen| seen == part), "{}", String::from_utf8_lossy(&part));
            }
        }
    }
}

/// Every stretch of 8 bytes of every secret in every way to write it, and its digests without a key.
fn secret_parts(place: &Place) -> Vec<Vec<u8>> {
    let rsa = &place.rsa;
    let secrets = [place.password.as_bytes(), &rsa.d, &rsa.p, &rsa.q, &rsa.dp, &rsa.dq, &rsa.qinv, &place.scalar];
    let mut parts = Vec::new();
    for secret in secrets {
        for turned in [secret.to_vec(), forms::reversed(secret)] {
            for part in turned.windows(8) {
                parts.extend([part.to_vec(), forms::hex(part).into(), forms::hex_upper(part).into()]);
                parts.extend(forms::base64_phases(part).map(String::into_bytes));
            }
        }
        let bytes = Sha256::new().chain_update(b"bytes\0").chain_update(secret).finalize();
        for digest in [Sha256::digest(secret), bytes] {
            parts.push(hex(&digest)[..16].into());
        }
    }
    parts.extend(place.password.as_bytes().windows(6).map(<[u8]>::to_vec));
    parts.extend(place.password.as_bytes().windows(6).map(|part| forms::utf16le(std::str::from_utf8(part).unwrap())));
    parts
}

/// With the redacted dump at hand, the SHA-256 of the original is a test for guesses.
#[test]
fn the_digest_of_the_original_is_withheld_where_only_short_secrets_went() {
    let place = Place::new();
    let text = format!("\0\0postgres://app:{}@db.internal/crm\0\0", place.password);
    fs::write(place.path("in.dmp"), &text).unwrap();
    place.good(&["redact", "in.dmp", "-o", "out.dmp"]);
    let told = place.statement();
    assert!(told["predicate"]["original"].get("sha256").is_none());
    assert!(told["predicate"]["original"]["sha256_withheld"].as_str().unwrap().contains("guesses"));
    assert!(!told.to_string().contains(&hex(&Sha256::digest(text))));
    let text = place.good(&["verify", "out.dmp", "--original", "in.dmp"]);
    assert!(text.contains("not shown  original-sha256") && text.contains("holds      planned-bytes-only"), "{text}");
}

#[test]
fn one_secret_has_one_fingerprint_in_every_form_and_dump() {
    let place = Place::new();
    let wide = forms::utf16le(&format!("postgres://app:{}@db.internal/crm", place.password));
    fs::write(place.path("der.bin"), [&[0; 64][..], &der::pkcs8_rsa(&place.rsa), &[0; 64]].concat()).unwrap();
    fs::write(place.path("wide.bin"), [&[0; 64][..], &wide, &[0; 64]].concat()).unwrap();
    place.good(&["key", "new", "fingerprint", "-o", "fp2"]);
    let scanned = |file: &str, key: &str| {
        let output = place.run(&["scan", file, "-f", "json", "--fingerprint-key", key]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().map(|f| f["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = scanned("in.dmp", "fp");
    assert_eq!(all.len(), 3);
    for file in ["der.bin", "wide.bin"] {
        let one = scanned(file, "fp");
        assert!(one.len() == 1 && all.contains(&one[0]), "{file}: {one:?} of {all:?}");
        assert!(!scanned(file, "fp2").contains(&one[0]));
    }
    place.good(&["redact", "in.dmp", "-o", "out.dmp", "--fingerprint-key", "fp"]);
    let told = place.statement();
    let findings = told["predicate"]["findings"].as_array().unwrap();
    assert!(findings.iter().all(|f| all.contains(&f["fingerprint"].as_str().unwrap().to_owned())));
    let id = told["predicate"]["fingerprint_key"].as_str().unwrap();
    assert!(all.iter().all(|fingerprint| fingerprint.starts_with(&format!("fp1:{id}:"))));
    let text = String::from_utf8(place.run(&["scan", "in.dmp", "--fingerprint-key", "fp"]).stdout).unwrap();
    assert!(all.iter().all(|fingerprint| text.contains(fingerprint)), "{text}");
    let report: Value = serde_json::from_slice(&place.run(&["scan", "in.dmp", "-f", "json"]).stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding.get("fingerprint").is_none()), "without a key there is none");
}

#[test]
fn a_place_is_explained_by_address_and_by_offset() {
    let place = Place::redacted(&["--sign", "key"]);
    let explain = |at: &str, more: &[&str]| place.good(&[&["explain", "out.dmp.receipt.json", at], more].concat());
    let url = HEAP + 0x2000 + "postgres://app:".len() as u64;
    let text = explain(&format!("{:#x}", url + 5), &[]);
    assert!(text.contains("redacted; this is byte 5 of 24") && text.contains("url-credentials"), "{text}");
    assert!(text.contains("letters X"), "{text}");
    let windbg = format!("{:08x}`{:08x}", url >> 32, url & 0xffff_ffff);
    assert!(explain(&windbg, &[]).contains("byte 0 of 24"));
    assert!(explain(&format!("{:#x}", url - 1), &[]).contains("original"));
    assert!(explain(&format!("{:#x}", url + 24), &[]).contains("original"));
    let json: Value = serde_json::from_str(&explain(&format!("{url:#x}"), &["-f", "json"])).unwrap();
    let edit = &json["edits"][0];
    assert_eq!((&json["redacted"], &edit["rule"]), (&true.into(), &"url-credentials".into()));
    assert_eq!(edit["address"], format!("{url:#x}"));
    let offset = edit["offset"].as_u64().unwrap();
    assert_eq!(&place.read("in.dmp")[usize::try_from(offset).unwrap()..][..24], place.password.as_bytes());
    assert!(explain(&offset.to_string(), &["--offset"]).contains("byte 0 of 24"));
    assert!(explain(&format!("{:#x}", offset + 23), &["--offset"]).contains("byte 23 of 24"));
    assert!(explain("0", &["--offset"]).contains("original"));
    for (at, more) in [("4096", &[][..]), ("rsp", &[]), ("0xfffffff", &["--offset"]), ("1f", &["--offset"])] {
        place.exits(2, &[&["explain", "out.dmp.receipt.json", at], more].concat());
    }
}

#[test]
fn the_page_says_what_whoever_signs_off_must_know() {
    let place = Place::redacted(&["--sign", "key", "--fail-on", "critical", "--no-unwind"]);
    let text = place.good(&["receipt", "show", "out.dmp.receipt.json"]);
    for words in [
        "2 secrets",
        "RSA private key (critical)",
        "1 finding below what was to be redacted",
        "Password in a URL (high, matched)",
        "Not shown",
        "switched off by the user",
        "signed by        key",
        "severity critical and above",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

/// A secret in a stream that is never edited: the function table.
#[test]
fn what_stays_is_told_and_excuses_nothing_else() {
    let place = Place::new();
    let url = format!("postgres://app:{}@db.internal/crm", place.password);
    let heap = Memory::noise(HEAP, 0x3000, 1).with(0x1000, &der::pkcs8_rsa(&place.rsa));
    let builder = MinidumpBuilder {
        memory: vec![heap],
        streams: vec![synth::RawStream::new(FUNCTION_TABLE, url.as_bytes())],
        ..MinidumpBuilder::new(Cpu::Amd64, System::Linux)
    };
    fs::write(place.path("in.dmp"), builder.build().bytes).unwrap();
    let text = place.exits(1, &["redact", "in.dmp", "-o", "out.dmp"]);
    assert!(text.contains("refused") && !place.path("out.dmp.receipt.json").exists(), "{text}");
    place.good(&["redact", "in.dmp", "-o", "out.dmp", "--leave-frozen"]);
    let text = place.good(&["verify", "out.dmp", "--original", "in.dmp"]);
    assert!(text.contains("holds      left: 24 bytes of secrets stay"), "{text}");
    place.good(&["verify", "out.dmp"]);
    let told = place.statement();
    let fates: Vec<&str> =
        told["predicate"]["findings"].as_array().unwrap().iter().map(|f| f["fate"].as_str().unwrap()).collect();
    assert_eq!(fates, ["redacted", "left"]);
    let text = place.good(&["receipt", "show", "out.dmp.receipt.json"]);
    assert!(text.contains("24 bytes of finding 2") && text.contains("the user allowed it"), "{text}");
    // A receipt that says that something else was left is refused.
    let edit = told["predicate"]["edits"][0]["offset"].as_u64().unwrap();
    let (receipt, left) =
        (String::from_utf8(place.read("out.dmp.receipt.json")).unwrap(), &told["predicate"]["left"][0]);
    let forged = receipt.replace(
        &format!("{{\"offset\": {}, \"length\": 24", left["offset"]),
        &format!("{{\"offset\": {edit}, \"length\": 24"),
    );
    assert_ne!(forged, receipt);
    fs::write(place.path("forged.json"), resealed(&forged, &place.read("out.dmp"))).unwrap();
    let text = place.exits(1, &["verify", "out.dmp", "--receipt", "forged.json"]);
    assert!(text.contains("FAILS      left") && text.contains("could have been redacted"), "{text}");
}

#[test]
fn mistakes_are_told() {
    let place = Place::redacted(&[]);
    let receipt = String::from_utf8(place.read("out.dmp.receipt.json")).unwrap();
    fs::write(place.path("newer.json"), receipt.replace("dumpscrub-redaction/1", "dumpscrub-redaction/2")).unwrap();
    fs::write(place.path("other.json"), "{\"a\": 1}").unwrap();
    let refused = |code: i32, args: &[&str], words: &str| {
        let text = place.exits(code, args);
        assert!(text.contains(words), "{args:?}: {text}");
    };
    refused(2, &["verify", "out.dmp", "--receipt", "nothing.json"], "cannot open nothing.json");
    refused(1, &["verify", "out.dmp", "--receipt", "newer.json"], "of version 2, and this program knows version 1");
    refused(1, &["verify", "out.dmp", "--receipt", "in.dmp"], "not well-formed");
    for command in [&["explain", "other.json", "0x10"][..], &["receipt", "show", "other.json"]] {
        refused(2, command, "neither an in-toto statement nor a DSSE envelope");
    }
    refused(2, &["receipt", "show", "newer.json"], "of version 2");
    refused(2, &["receipt", "show", "."], "no regular file");
    refused(2, &["verify", "out.dmp", "--public-key", "key"], "no Ed25519 public key");
    refused(2, &["redact", "in.dmp", "-o", "-"], "name its receipt with --receipt");
    refused(2, &["redact", "in.dmp", "-o", "b.dmp", "--receipt", "b.dmp"], "take the place of the dump");
    refused(2, &["redact", "in.dmp", "-o", "b.dmp", "--receipt", "./in.dmp", "--force"], "take the place of the dump");
    refused(2, &["redact", "in.dmp", "-o", "b.dmp", "--receipt", "other.json"], "other.json is there already");
    refused(2, &["redact", "in.dmp", "-o", "b.dmp", "--sign", "key.pub"], "others than its owner may read");
    refused(2, &["redact", "in.dmp", "-o", "b.dmp", "--sign", "fp"], "no Ed25519 private key");
    refused(2, &["redact", "in.dmp", "-o", "b.dmp", "--fingerprint-key", "key"], "no fingerprint key");
    refused(2, &["key", "new", "signing", "-o", "key"], "a key is never replaced");
    fs::set_permissions(place.path("fp"), fs::Permissions::from_mode(0o640)).unwrap();
    refused(2, &["scan", "in.dmp", "--fingerprint-key", "fp"], "(mode 0640); use chmod 600");
    assert!(!place.path("b.dmp").exists() && !place.path("b.dmp.receipt.json").exists());
}

#[test]
fn a_dump_in_place_and_one_on_standard_output_have_receipts() {
    let place = Place::new();
    fs::copy(place.path("in.dmp"), place.path("core")).unwrap();
    place.good(&["redact", "core", "--in-place"]);
    place.good(&["verify", "core", "--original", "in.dmp"]);
    let output = place.run(&["redact", "in.dmp", "-o", "-", "--receipt", "r.json"]);
    assert_eq!(output.status.code(), Some(0));
    fs::write(place.path("piped"), &output.stdout).unwrap();
    place.good(&["verify", "piped", "--receipt", "r.json", "--original", "in.dmp"]);
    assert_eq!(output.stdout, place.read("core"));
    place.good(&["redact", "in.dmp", "--dry-run"]);
    assert!(!place.path("in.dmp.receipt.json").exists());
}

/// The output gets in the way while standard input is read: then there is no receipt of it, and an older one is as before.
#[test]
fn no_receipt_stays_of_a_dump_that_was_not_written() {
    let place = Place::new();
    let redact = |more: &[&str], obstacle: &dyn Fn()| {
        let args = [&["redact", "-", "-o", "late.dmp"], more].concat();
        let mut child = place.command(&args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&place.read("in.dmp")).unwrap();
        // It has looked at its goal when it has read more than a pipe holds.
        stdin.write_all(&[0; 1 << 18]).unwrap();
        obstacle();
        drop(stdin);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(2), "{more:?}");
    };
    redact(&[], &|| fs::write(place.path("late.dmp"), "mine").unwrap());
    assert!(!place.path("late.dmp.receipt.json").exists());
    assert_eq!(place.read("late.dmp"), b"mine");
    fs::write(place.path("late.dmp.receipt.json"), "older").unwrap();
    redact(&["--force"], &|| {
        fs::remove_file(place.path("late.dmp")).unwrap();
        fs::create_dir(place.path("late.dmp")).unwrap();
    });
    assert_eq!(place.read("late.dmp.receipt.json"), b"older");
}

#[test]
fn the_verdict_is_told_to_programs() {
    let place = Place::redacted(&[]);
    let told: Value = serde_json::from_str(&place.good(&["verify", "out.dmp", "-f", "json"])).unwrap();
    assert_eq!((&told["schema"], &told["holds"]), (&"dumpscrub-verify/1".into(), &true.into()));
    let verdicts: Vec<&str> =
        told["checks"].as_array().unwrap().iter().map(|c| c["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.contains(&"holds") && verdicts.contains(&"not-shown"));
    let _: Verdict = serde_json::from_value(told["checks"][0]["verdict"].clone()).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    forms::hex(bytes)
}
