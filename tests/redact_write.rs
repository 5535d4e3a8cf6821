//! Writing under bad conditions: killed at any moment, no space left, an input that changes while it is read. What is there
//! afterwards is nothing or a complete and proven file, and no file with the original's bytes.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests may fail loudly, and tell what they saw")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rand::RngExt as _;
use synth::forms::{self, Lines};
use synth::{Cpu, Memory, MinidumpBuilder, System, der, keys};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dumpscrub");

/// Moments at which the program is killed, and sizes at which the disk is full.
const TIMES: usize = 100;

/// A dump in a folder of its own, and a secret of it.
struct Place {
    folder: TempDir,
    secret: String,
}

impl Place {
    fn new(len: usize) -> Self {
        let (folder, secret) = (tempfile::tempdir().unwrap(), keys::password());
        let key = der::pkcs1(&keys::rsa(1024));
        let url = format!("postgres://app:{secret}@db.internal:5432/crm\0");
        let heap = Memory::noise(0x10_0000, len, rand::random()).with(0x1001, url.as_bytes());
        let heap = heap.with(len / 2, forms::pem("RSA PRIVATE KEY", &key, Lines::Lf).as_bytes());
        let heap = heap.with(len - 0x200, url.as_bytes());
        let dump = MinidumpBuilder { memory64: vec![heap], ..MinidumpBuilder::new(Cpu::Amd64, System::Linux) }.build();
        fs::write(folder.path().join("in.dmp"), dump.bytes).unwrap();
        Self { folder, secret }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("redact").arg(self.path("in.dmp")).args(["--no-progress", "-q"]).env("TMPDIR", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(self.folder.path());
        command
    }

    /// What the redacted dump must look like.
    fn redacted(&self) -> Vec<u8> {
        let done = self.command().args(["-o", "-", "--receipt", "first.json"]).output().unwrap();
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        fs::remove_file(self.path("first.json")).unwrap();
        assert!(forms::find_all(&done.stdout, self.secret.as_bytes()).is_empty());
        done.stdout
    }

    /// Every file of the folder but the input, which must not hold the secret.
    fn others(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let others: Vec<String> = names.filter(|name| name != "in.dmp").collect();
        for name in &others {
            let bytes = fs::read(self.path(name)).unwrap();
            assert!(!holds(&bytes, self.secret.as_bytes()), "{name} holds the secret");
        }
        others
    }
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    memchr::memmem::find(bytes, secret).is_some()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_or_a_proven_file() {
    let place = Place::new(1 << 20);
    let right = place.redacted();
    let start = Instant::now();
    place.command().args(["-o", "out.dmp"]).output().unwrap();
    let whole = start.elapsed();
    let mut finished = 0;
    for _ in 0..TIMES {
        let _ = fs::remove_file(place.path("out.dmp"));
        let _ = fs::remove_file(place.path("out.dmp.receipt.json"));
        let mut child = place.command().args(["-o", "out.dmp"]).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rand::rng().random_range(0.0..1.1)));
        child.kill().unwrap();
        child.wait().unwrap();
        let others = place.others();
        if others.iter().any(|name| name == "out.dmp") {
            finished += 1;
            assert!(fs::read(place.path("out.dmp")).unwrap() == right, "the file is there and is not the proven one");
        }
    }
    println!("{TIMES} kills: {finished} after the file had its name, {} before", TIMES - finished);
}

#[test]
fn in_place_the_original_is_there_or_the_redacted_one() {
    let place = Place::new(1 << 20);
    let (right, original) = (place.redacted(), fs::read(place.path("in.dmp")).unwrap());
    fs::set_permissions(place.path("in.dmp"), fs::Permissions::from_mode(0o640)).unwrap();
    let start = Instant::now();
    let done = place.command().arg("--in-place").output().unwrap();
    let whole = start.elapsed();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(fs::read(place.path("in.dmp")).unwrap() == right);
    assert_eq!(fs::metadata(place.path("in.dmp")).unwrap().mode() & 0o7777, 0o640);
    for _ in 0..TIMES / 4 {
        fs::write(place.path("in.dmp"), &original).unwrap();
        let mut child = place.command().arg("--in-place").spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rand::rng().random_range(0.0..1.1)));
        child.kill().unwrap();
        child.wait().unwrap();
        place.others();
        let now = fs::read(place.path("in.dmp")).unwrap();
        assert!(now == right || now == original, "the dump is neither the original nor the redacted one");
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing() {
    let place = Place::new(256 << 10);
    let len = fs::metadata(place.path("in.dmp")).unwrap().len();
    for _ in 0..TIMES {
        // In blocks of 512 bytes; the signal that the limit raises is ignored, as a full disk raises none.
        let blocks = rand::rng().random_range(0..len / 512);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" redact in.dmp -o out.dmp --no-progress -q");
        let mut command = Command::new("sh");
        command.args(["-c", &script, PROGRAM]).current_dir(place.folder.path()).env("TMPDIR", place.folder.path());
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{blocks} blocks: {}", said(&done));
        assert!(said(&done).contains("cannot write"), "{}", said(&done));
        assert_eq!(place.others(), [""; 0], "{blocks} blocks");
    }
}

#[test]
fn an_input_that_is_cut_while_it_is_read_is_an_error_or_was_read_before() {
    let place = Place::new(1 << 20);
    let (right, original) = (place.redacted(), fs::read(place.path("in.dmp")).unwrap());
    let start = Instant::now();
    place.command().args(["-o", "out.dmp"]).output().unwrap();
    let whole = start.elapsed();
    let mut refused = 0;
    for _ in 0..TIMES / 4 {
        let _ = fs::remove_file(place.path("out.dmp"));
        let _ = fs::remove_file(place.path("out.dmp.receipt.json"));
        fs::write(place.path("in.dmp"), &original).unwrap();
        let child = place.command().args(["-o", "out.dmp"]).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rand::rng().random_range(0.0..1.0)));
        let file = fs::File::options().write(true).open(place.path("in.dmp")).unwrap();
        file.set_len(rand::rng().random_range(0..original.len() as u64)).unwrap();
        let done = child.wait_with_output().unwrap();
        match fs::read(place.path("out.dmp")) {
            // The cut came after the last read, or before the first: then it is the dump that was there.
            Ok(out) => assert!(out == right || out.len() < right.len(), "{}", said(&done)),
            Err(_) => {
                refused += 1;
                assert_ne!(done.status.code(), Some(0));
                assert!(!done.stderr.is_empty() || String::from_utf8_lossy(&done.stdout).contains("refused"));
                assert_eq!(place.others(), [""; 0]);
            }
        }
    }
    println!("{} cuts: {refused} refused, the others came before or after the reading", TIMES / 4);
}

#[test]
fn bad_goals_are_refused_before_any_work() {
    let place = Place::new(64 << 10);
    let try_with = |args: &[&str]| {
        let done = place.command().args(args).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{args:?}: {}", said(&done));
        said(&done)
    };
    assert!(try_with(&["-o", "in.dmp"]).contains("--in-place"));
    assert!(try_with(&["-o", "no/such/folder/out.dmp"]).contains("no/such/folder/out.dmp"));
    assert!(try_with(&["-o", "."]).contains("directory"));
    fs::write(place.path("there.dmp"), "something").unwrap();
    assert!(try_with(&["-o", "there.dmp"]).contains("--force"));
    fs::hard_link(place.path("in.dmp"), place.path("other.dmp")).unwrap();
    assert!(try_with(&["--in-place"]).contains("hard links"));
    fs::remove_file(place.path("other.dmp")).unwrap();
    assert!(try_with(&[]).contains("--output"));
    assert_eq!(fs::read(place.path("there.dmp")).unwrap(), b"something");
}

#[test]
fn standard_input_and_output_carry_dumps_too() {
    let place = Place::new(64 << 10);
    let mut command = Command::new(PROGRAM);
    let receipt = place.path("r.json");
    command.args(["redact", "-", "-o", "-", "--no-progress", "--receipt"]).arg(receipt).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).env("TMPDIR", place.folder.path()).spawn().unwrap();
    let bytes = fs::read(place.path("in.dmp")).unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(out == place.redacted(), "the same as from a file");
    assert!(said(&done).contains("planned-bytes-only"), "people are told on standard error");
}

#[test]
fn a_dry_run_writes_nothing_and_tells_the_plan() {
    let place = Place::new(64 << 10);
    let mut command = Command::new(PROGRAM);
    let done = command.arg("redact").arg(place.path("in.dmp")).args(["-n", "-v"]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(told.contains("url-credentials") && told.contains("nothing was written"), "{told}");
    assert!(!told.contains(&place.secret));
    assert_eq!(place.others(), [""; 0]);
    assert!(Path::new(&place.path("in.dmp")).exists());
}
