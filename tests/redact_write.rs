//! Writing under bad conditions: killed at any moment, no space left, an input that changes while it is read. What is there
//! afterwards is nothing or a complete and proven file, and no file with the original's bytes.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail loudly, and tell what they saw"
)]

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
        Self::of(Memory::noise(0x10_0000, len, rand::random()), &[])
    }

    /// A dump of this heap, with secrets in it, and `more` at 0x2000.
    fn of(heap: Memory, more: &[u8]) -> Self {
        let (folder, secret) = (tempfile::tempdir().unwrap(), keys::password());
        let key = der::pkcs1(&keys::rsa(1024));
        let url = format!("postgres://app:{secret}@db.internal:5432/crm\0");
        let len = heap.len();
        let heap = heap.with(0x2000, more).with(0x1001, url.as_bytes());
        let heap = heap.with(len - 0x2000, forms::pem("RSA PRIVATE KEY", &key, Lines::Lf).as_bytes());
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

/// The spool of what was unpacked, the new members and the new container are in the same folder, and have no names there.
#[test]
fn killed_at_any_moment_it_leaves_nothing_of_a_container() {
    let place = Place::new(1 << 20);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&fs::read(place.path("in.dmp")).unwrap()).unwrap();
    fs::write(place.path("in.dmp"), packed.finish().unwrap()).unwrap();
    let start = Instant::now();
    let right = place.redacted();
    let whole = start.elapsed();
    for _ in 0..TIMES / 4 {
        let _ = fs::remove_file(place.path("out.dmp"));
        let _ = fs::remove_file(place.path("out.dmp.receipt.json"));
        let mut child = place.command().args(["-o", "out.dmp", "--spool-dir", "."]).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rand::rng().random_range(0.0..1.1)));
        child.kill().unwrap();
        child.wait().unwrap();
        let is_there = place.others().iter().any(|name| name == "out.dmp");
        assert!(
            !is_there || fs::read(place.path("out.dmp")).unwrap() == right,
            "it is there and is not the proven one"
        );
        let known = |name: &String| name == "out.dmp" || name == "out.dmp.receipt.json";
        assert_eq!(place.others().into_iter().filter(|name| !known(name)).collect::<Vec<_>>(), [""; 0]);
    }
}

/// systemd-coredump keeps what it knows of a crash in extended attributes of the core's file; others are not copied to new files.
#[test]
fn what_systemd_wrote_of_the_crash_is_kept() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let place = Place::new(64 << 10);
    let facts = [("user.coredump.pid", "4711"), ("user.coredump.comm", "nginx"), ("user.of-somebody", "else")];
    for (name, value) in facts {
        match setxattr(place.path("in.dmp"), name, value.as_bytes(), XattrFlags::empty()) {
            Err(rustix::io::Errno::NOTSUP) => return println!("this file system has no extended attributes"),
            done => done.unwrap(),
        }
    }
    let kept = |file: &str| {
        let mut value = [0_u8; 64];
        let has = |(name, told): &(&str, &str)| {
            getxattr(place.path(file), *name, &mut value[..]).is_ok_and(|len| &value[..len] == told.as_bytes())
        };
        facts.iter().map(has).collect::<Vec<_>>()
    };
    assert_eq!(place.command().args(["-o", "out.dmp"]).output().unwrap().status.code(), Some(0));
    assert_eq!(kept("out.dmp"), [true, true, false]);
    assert_eq!(fs::metadata(place.path("out.dmp")).unwrap().mode() & 0o7777, 0o600);
    let done = place.command().args(["--in-place", "--force"]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(kept("in.dmp"), [true, true, true]);
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
    command
        .args(["redact", "-", "-o", "-", "--no-progress", "--receipt"])
        .arg(receipt)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
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
fn a_reader_that_is_gone_gets_no_dump_and_that_is_an_error() {
    let place = Place::new(1 << 20);
    let mut child = place.command().args(["-o", "-", "--receipt", "r.json"]).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert!(said(&done).contains("standard output"), "{}", said(&done));
    assert_eq!(place.others(), [""; 0], "no receipt either");
}

#[test]
fn what_could_not_be_scanned_is_a_refusal_or_an_exception_that_everyone_is_told() {
    // More public keys than are hunted for at once; no such number is a key, which nobody can see.
    let key = keys::rsa(1024);
    let public = der::rsa_spki(&key);
    let modulus = forms::find_all(&public, &key.n)[0];
    let mut many = vec![0; 1024];
    for _ in 0..500 {
        let mut one = public.clone();
        one[modulus + 1..][..126].fill_with(rand::random);
        many.extend(one);
    }
    let place = Place::of(Memory::noise(0x10_0000, 128 << 10, rand::random()), &many);
    let done = place.command().args(["-o", "out.dmp"]).output().unwrap();
    assert_eq!((done.status.code(), place.others()), (Some(3), vec![]), "{}", said(&done));
    let done = place.command().args(["-o", "out.dmp", "--allow-gaps"]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(forms::find_all(&fs::read(place.path("out.dmp")).unwrap(), place.secret.as_bytes()).is_empty());
    for original in [&[][..], &["--original", "in.dmp"]] {
        let mut verify = Command::new(PROGRAM);
        verify.args(["verify", "out.dmp", "--receipt", "out.dmp.receipt.json", "--no-progress"]).args(original);
        let done = verify.current_dir(place.folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(0), "{told} {}", said(&done));
        assert!(told.contains("that the original has too"), "{told}");
    }
    let receipt = fs::read_to_string(place.path("out.dmp.receipt.json")).unwrap();
    assert!(!receipt.is_empty());
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
