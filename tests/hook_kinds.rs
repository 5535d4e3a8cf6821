//! Each kind of hook on what its pipeline leaves: where the files lie, what stays as it was, what is handed on.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of it")]
mod hook_place;
#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use hook_place::{PROGRAM, Place, Run, clean, dump, holds, names, wait};

/// A program that writes down its arguments and its standard input.
fn witness(place: &Place) -> String {
    let (path, told) = (place.at("witness"), place.path.display().to_string());
    fs::write(&path, format!("#!/bin/sh\necho \"$@\" >{told}/arguments\ncat >{told}/input\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// As the kernel starts it: nothing open but standard input, no environment, the folder `/`.
fn as_kernel(place: &Place, args: &[&str], core: &[u8]) -> std::process::ExitStatus {
    let policy = place.at("policy.toml").display().to_string();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$@\" >&- 2>&-", "sh", PROGRAM, "hook", "core-pattern", "--policy", &policy]);
    let mut child = command.args(args).env_clear().current_dir("/").stdin(Stdio::piped()).spawn().unwrap();
    // The write fails unless all of it is read: the process that crashed would hang, or its core be cut.
    child.stdin.take().unwrap().write_all(core).unwrap();
    child.wait().unwrap()
}

#[test]
fn a_core_from_the_kernels_pipe_is_stored_redacted() {
    let place = Place::new("redact", "");
    let (core, secret) = dump();
    let told = ["--", "4711", "1000", "1000", "6", "1750000000", "0", "host"];
    assert_eq!(as_kernel(&place, &told, &core).code(), Some(0));
    assert_eq!(place.names("release"), ["core.4711.u1000.s6.1750000000"]);
    let stored = fs::read(place.at("release/core.4711.u1000.s6.1750000000")).unwrap();
    assert!(stored.len() == core.len() && !holds(&stored, &secret));
    let log = fs::read_to_string(place.at("state/hook.log")).unwrap();
    assert!(log.contains("outcome=\"redacted\"") && !log.contains(&secret), "{log}");
    place.is_at_rest();
}

#[test]
fn a_core_is_read_to_its_end_whatever_happens() {
    let place = Place::new("redact", "");
    let noise = vec![7; 3 << 20];
    assert_eq!(as_kernel(&place, &["--", "1"], &noise).code(), Some(1), "no dump: quarantine");
    assert_eq!(as_kernel(&place, &["--chain", "no-such-program", "--", "1"], &noise).code(), Some(2));
    fs::write(place.at("policy.toml"), "nonsense").unwrap();
    assert_eq!(as_kernel(&place, &["--", "1"], &noise).code(), Some(2));
    assert!(place.names("release").is_empty());
}

#[test]
fn a_core_is_handed_on_redacted_with_the_same_arguments() {
    let place = Place::new("redact", "");
    let ((core, secret), witness) = (dump(), witness(&place));
    let code = as_kernel(&place, &["--chain", &witness, "--", "4711", "1000", "", "-6", "host"], &core);
    assert_eq!(code.code(), Some(0));
    assert_eq!(fs::read_to_string(place.at("arguments")).unwrap(), "4711 1000  -6 host\n");
    let input = fs::read(place.at("input")).unwrap();
    assert!(input.len() == core.len() && !holds(&input, &secret));
    assert!(place.names("release").is_empty());
    place.is_at_rest();
}

#[test]
fn the_templates_of_the_documentation_fit_into_the_kernels_127_bytes() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hooks/core-pattern.md")).unwrap();
    let templates: Vec<&str> = page.lines().filter_map(|line| line.find("|/usr/").map(|at| &line[at..])).collect();
    assert!(templates.len() >= 2);
    for template in templates {
        assert!(template.len() <= 127, "{} bytes: {template}", template.len());
    }
}

/// systemd-coredump stores a core compressed, with what it knows of the process in extended attributes.
#[test]
fn a_core_of_systemd_coredump_is_rewritten_in_its_place() {
    let place = Place::new("redact", "");
    let (core, secret) = dump();
    let path = place.at("in/core.app.1000.9ec79c33.4711.1750000000000000.zst");
    fs::write(&path, zstd::stream::encode_all(&core[..], 3).unwrap()).unwrap();
    fs::write(place.at("in/.#core.app.half"), "still being written").unwrap();
    rustix::fs::setxattr(&path, "user.coredump.pid", b"4711", rustix::fs::XattrFlags::empty()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000);
    fs::File::open(&path).unwrap().set_modified(time).unwrap();
    let before = path.metadata().unwrap();
    let run = place.run("systemd-coredump", &["--settle", "0", "in"]);
    assert_eq!(run.code, 0, "{}", run.all);
    let (stored, after) = (zstd::stream::decode_all(&fs::read(&path).unwrap()[..]).unwrap(), path.metadata().unwrap());
    assert!(stored.len() == core.len() && !holds(&stored, &secret));
    let looks = |meta: &fs::Metadata| (meta.uid(), meta.gid(), meta.mode(), meta.modified().unwrap());
    assert_eq!(looks(&before), looks(&after));
    let mut value = [0_u8; 16];
    let len = rustix::fs::getxattr(&path, "user.coredump.pid", &mut value[..]).unwrap();
    assert_eq!(&value[..len], b"4711");
    // Once is enough.
    let again = place.run("systemd-coredump", &["--settle", "0", "in"]);
    assert!(again.code == 0 && again.decided.is_empty(), "{}", again.all);
    assert_eq!(place.names("in").len(), 2);
    place.is_at_rest();
}

const UUID: &str = "0b9a1e8c-6a52-4f5e-9d2c-1f6d3a7b5e40";
const OTHER: &str = "7c6d5e4f-1a2b-4c3d-8e9f-0a1b2c3d4e5f";

/// A database as Crashpad lays it out on Linux, written by hand: crash_report_database_generic.cc.
#[test]
fn reports_of_a_crashpad_database_are_redacted_under_its_lock() {
    let place = Place::new("redact", "");
    let ((first, secret), (second, held)) = (dump(), dump());
    for folder in ["new", "pending", "completed", "attachments"] {
        fs::create_dir_all(place.at("in").join(folder)).unwrap();
    }
    fs::create_dir(place.at("in/attachments").join(UUID)).unwrap();
    let at = |name: &str| place.at("in").join(name);
    let note = at(&format!("attachments/{UUID}/log.txt"));
    fs::write(&note, format!("connect postgres://app:{secret}@db.internal:5432/crm\n")).unwrap();
    let (dmp, meta) = (at(&format!("pending/{UUID}.dmp")), at(&format!("pending/{UUID}.meta")));
    fs::write(&dmp, &first).unwrap();
    fs::write(&meta, [1_u8; 40]).unwrap();
    fs::write(at(&format!("completed/{OTHER}.dmp")), &second).unwrap();
    fs::write(at(&format!("new/{OTHER}.dmp")), &second).unwrap();
    // Crashpad's own upload of the second is under way.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    fs::write(at(&format!("completed/{OTHER}.lock")), now.to_ne_bytes()).unwrap();
    let run = place.run("crashpad", &["in"]);
    assert_eq!(run.code, 3, "{}", run.all);
    let redacted = fs::read(&dmp).unwrap();
    assert!(redacted.len() == first.len() && !holds(&redacted, &secret));
    assert!(!holds(&fs::read(&note).unwrap(), &secret));
    assert_eq!(fs::read(&meta).unwrap(), [1_u8; 40]);
    assert_eq!(names(&at("pending")), [format!("{UUID}.dmp"), format!("{UUID}.meta")], "no lock is left");
    assert!(holds(&fs::read(at(&format!("completed/{OTHER}.dmp"))).unwrap(), &held), "its lock was honoured");
    assert_eq!(fs::read(at(&format!("new/{OTHER}.dmp"))).unwrap(), second, "still being written");
    // The upload ends; and a lock that a killed hook of ours left does not stop us.
    fs::write(at(&format!("completed/{OTHER}.lock")), [&now.to_ne_bytes()[..], b"dumpscrub"].concat()).unwrap();
    let run = place.run("crashpad", &["in"]);
    assert_eq!((run.code, run.decided.len()), (0, 1), "{}", run.all);
    assert!(!holds(&fs::read(at(&format!("completed/{OTHER}.dmp"))).unwrap(), &held));
    assert!(place.run("crashpad", &["in"]).decided.is_empty(), "once is enough");
    place.is_at_rest();
}

/// Crashpad would upload a report that stays in its place undecided, but for the lock.
#[test]
fn a_report_that_cannot_be_decided_on_stays_locked() {
    let place = Place::new("quarantine", "");
    place.policy("quarantine", "quarantine_quota = \"4K\"", "");
    fs::create_dir_all(place.at("in/pending")).unwrap();
    fs::write(place.at("in/pending").join(format!("{UUID}.dmp")), dump().0).unwrap();
    let run = place.run("crashpad", &["in"]);
    assert_eq!((run.code, run.outcome(&format!("{UUID}.dmp"))), (2, "failed-closed"), "{}", run.all);
    assert_eq!(names(&place.at("in/pending")), [format!("{UUID}.dmp"), format!("{UUID}.lock")]);
    place.policy("quarantine", "quarantine_quota = \"1G\"", "");
    assert_eq!(place.run("crashpad", &["in"]).outcome(&format!("{UUID}.dmp")), "quarantined");
    assert_eq!(names(&place.at("in/pending")), Vec::<String>::new());
}

#[test]
fn a_database_that_vanishes_ends_the_watch() {
    let place = Place::new("redact", "");
    fs::create_dir_all(place.at("in/pending")).unwrap();
    let path = place.at("in/pending").join(format!("{UUID}.dmp"));
    let (bytes, secret) = dump();
    fs::write(&path, bytes).unwrap();
    let mut child = place.hook("crashpad", &["--watch", "in"]).spawn().unwrap();
    wait(|| !holds(&fs::read(&path).unwrap(), &secret));
    fs::remove_dir_all(place.at("in")).unwrap();
    wait(|| child.try_wait().unwrap().is_some());
    let run = Run::of(child.wait_with_output().unwrap());
    assert!(run.code == 2 && run.all.contains("removed"), "{}", run.all);
}

#[test]
fn a_report_that_does_not_go_on_is_taken_out_of_the_database() {
    let place = Place::new("quarantine", "");
    fs::create_dir(place.at("in/reports")).unwrap();
    fs::write(place.at("in/metadata"), "CPAD").unwrap();
    let (bytes, _) = dump();
    fs::write(place.at("in/reports").join(format!("{UUID}.dmp")), &bytes).unwrap();
    fs::write(place.at("in/reports").join(format!("{OTHER}.dmp")), clean()).unwrap();
    let run = place.run("crashpad", &["in"]);
    assert_eq!((run.code, run.outcome(&format!("{UUID}.dmp"))), (1, "quarantined"), "{}", run.all);
    assert_eq!(names(&place.at("in/reports")), [format!("{OTHER}.dmp")]);
    assert_eq!(place.run("crashpad", &["release"]).code, 2, "no database");
}

/// An envelope by its description (develop.sentry.dev): the minidump, an event with a password, and the DSN.
#[test]
fn an_envelope_of_sentry_is_redacted_and_handed_on() {
    let place = Place::new("redact", "[[finding]]\nrule = [\"sentry-dsn\"]\naction = \"report\"");
    let ((bytes, secret), witness) = (dump(), witness(&place));
    let key: String =
        (0..32).map(|_| char::from(b"0123456789abcdef"[usize::from(rand::random::<u8>() % 16)])).collect();
    let dsn = format!("https://{key}@o417.ingest.sentry.io/1");
    let event = format!("{{\"message\":\"postgres://app:{secret}@db.internal:5432/crm\"}}");
    let mut envelope =
        format!("{{\"dsn\":\"{dsn}\",\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}}\n").into_bytes();
    envelope.extend(format!("{{\"type\":\"event\",\"length\":{}}}\n{event}\n", event.len()).bytes());
    let header = format!(
        "{{\"type\":\"attachment\",\"length\":{},\"filename\":\"minidump.dmp\",\"attachment_type\":\"event.minidump\"}}\n",
        bytes.len()
    );
    envelope.extend(header.bytes().chain(bytes.iter().copied()).chain(*b"\n"));
    let path = place.at("in/a.envelope");
    fs::write(&path, &envelope).unwrap();
    let path = path.display().to_string();
    let run = place.run("sentry-native", &[&path, "--", &witness, "--send"]);
    assert_eq!((run.code, run.outcome("a.envelope")), (0, "redacted"), "{}", run.all);
    let redacted = fs::read(&path).unwrap();
    assert!(redacted.len() == envelope.len() && !holds(&redacted, &secret));
    assert!(holds(&redacted, &dsn) && holds(&redacted, &header), "it still knows where to go, and what it holds");
    assert_eq!(fs::read_to_string(place.at("arguments")).unwrap(), format!("--send {path}\n"));
    place.is_at_rest();
}

#[test]
fn what_does_not_go_on_is_not_handed_on() {
    let place = Place::new("quarantine", "");
    let witness = witness(&place);
    fs::write(place.at("in/a.dmp"), dump().0).unwrap();
    let path = place.at("in/a.dmp").display().to_string();
    let run = place.run("breakpad", &[&path, "--", &witness]);
    assert_eq!((run.code, run.outcome("a.dmp")), (1, "quarantined"), "{}", run.all);
    assert!(!place.at("arguments").exists() && place.names("in").is_empty());
    fs::write(place.at("in/b.dmp"), clean()).unwrap();
    let path = place.at("in/b.dmp").display().to_string();
    assert_eq!(place.run("breakpad", &[&path, "--", &witness]).code, 0);
    assert_eq!(fs::read_to_string(place.at("arguments")).unwrap(), format!("{path}\n"));
    assert_eq!(place.run("breakpad", &[&path, "--", "/bin/false"]).code, 2, "a sender that fails is told");
}

#[test]
fn dumps_of_local_dumps_go_to_the_release_folder() {
    let place = Place::new("redact", "");
    let (bytes, secret) = dump();
    fs::write(place.at("in/app.exe.4711.DMP"), &bytes).unwrap();
    fs::write(place.at("in/Report.wer"), "Version=1").unwrap();
    let run = place.run("wer", &["--settle", "0", "in"]);
    assert_eq!(run.code, 0, "{}", run.all);
    assert_eq!(
        (place.names("release"), place.names("in")),
        (vec!["app.exe.4711.DMP".into()], vec!["Report.wer".into()])
    );
    assert!(!holds(&fs::read(place.at("release/app.exe.4711.DMP")).unwrap(), &secret));
}

/// abrt calls the hook in the problem folder, and deletes the folder where it exits with anything but 0.
#[test]
fn every_file_of_a_problem_folder_of_abrt_is_redacted() {
    let place = Place::new("redact", "");
    let (core, secret) = dump();
    fs::write(place.at("in/coredump"), &core).unwrap();
    fs::write(place.at("in/environ"), format!("DATABASE=postgres://app:{secret}@db.internal:5432/crm\n")).unwrap();
    fs::write(place.at("in/type"), "CCpp").unwrap();
    std::os::unix::fs::symlink("4711", place.at("in/.lock")).unwrap();
    let run = Run::of(place.hook("abrt", &[]).current_dir(place.at("in")).output().unwrap());
    assert_eq!((run.code, run.decided.len()), (0, 3), "{}", run.all);
    assert_eq!(fs::read_to_string(place.at("in/type")).unwrap(), "CCpp");
    for name in ["coredump", "environ"] {
        assert!(!holds(&fs::read(place.at("in").join(name)).unwrap(), &secret), "{name}");
    }
}

#[test]
fn reports_of_apport_are_redacted_in_their_places() {
    let place = Place::new("redact", "");
    let (core, secret) = dump();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&core).unwrap();
    let packed = <base64ct::Base64 as base64ct::Encoding>::encode_string(&packed.finish().unwrap());
    let report = format!(
        "ProblemType: Crash\nCoreDump: base64\n {packed}\nProcEnviron: postgres://app:{secret}@db.internal/crm\n"
    );
    fs::write(place.at("in/_usr_bin_app.1000.crash"), &report).unwrap();
    fs::write(place.at("in/_usr_bin_app.1000.upload"), "").unwrap();
    let run = place.run("apport", &["--settle", "0", "in"]);
    assert_eq!((run.code, run.decided.len()), (0, 1), "{}", run.all);
    let redacted = fs::read_to_string(place.at("in/_usr_bin_app.1000.crash")).unwrap();
    assert!(!redacted.contains(&secret) && !redacted.contains(&packed));
    let lines = redacted.lines().filter(|line| line.starts_with(' '));
    let packed: Vec<u8> =
        lines.flat_map(|line| <base64ct::Base64 as base64ct::Encoding>::decode_vec(line.trim()).unwrap()).collect();
    let mut core = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut core).unwrap();
    assert!(!holds(&core, &secret));
}
