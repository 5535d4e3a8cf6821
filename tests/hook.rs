//! Hooks and the decision that they share: what goes where, under bad conditions, and when they are killed at any moment.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod hook_place;
#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Stdio;
use std::time::Duration;

use hook_place::{Place, Run, clean, dump, holds, wait};

#[test]
fn each_dump_goes_where_the_policy_says() {
    let place = Place::new("redact", "");
    let (secret_dump, secret) = dump();
    let before = clean();
    fs::write(place.at("in/clean.dmp"), &before).unwrap();
    fs::write(place.at("in/secret.dmp"), &secret_dump).unwrap();
    fs::write(place.at("in/noise.dmp"), rand::random::<[u8; 32]>().repeat(20)).unwrap();
    fs::write(place.at("in/empty.dmp"), "").unwrap();
    let run = place.run("folder", &["--settle", "0", "--metrics-file", "metrics.prom", "in"]);
    let outcomes = ["clean.dmp", "secret.dmp", "noise.dmp", "empty.dmp"].map(|name| run.outcome(name));
    assert_eq!(outcomes, ["passed", "redacted", "quarantined", "quarantined"], "{}", run.all);
    assert_eq!((run.code, place.names("in")), (1, Vec::new()));
    assert_eq!(place.names("release"), ["clean.dmp", "secret.dmp"]);
    assert_eq!(fs::read(place.at("release/clean.dmp")).unwrap(), before);
    let redacted = fs::read(place.at("release/secret.dmp")).unwrap();
    assert!(redacted.len() == secret_dump.len() && !holds(&redacted, &secret));
    assert!(run.reason("noise.dmp").contains("no dump of a format"), "{}", run.all);
    assert!(!run.all.contains(&secret));
    let metrics = fs::read_to_string(place.at("metrics.prom")).unwrap();
    assert!(metrics.contains("dumpscrub_hook_dumps_total{hook=\"folder\",outcome=\"quarantined\"} 2"), "{metrics}");
    assert!(metrics.contains("dumpscrub_quarantine_dumps 2"), "{metrics}");
    for folder in ["state", "quarantine"] {
        assert_eq!(place.at(folder).metadata().unwrap().mode() & 0o777, 0o700);
    }
    place.is_at_rest();
}

#[test]
fn what_is_in_quarantine_is_listed_released_and_purged() {
    let place = Place::new("quarantine", "");
    let (bytes, secret) = dump();
    for name in ["a.dmp", "b.dmp"] {
        fs::write(place.at("in").join(name), &bytes).unwrap();
    }
    assert_eq!(place.sweep().code, 1);
    assert_eq!(place.names("release"), Vec::<String>::new());
    let listed = place.quarantine("list", &["--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|kept| kept["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(
        listed[0]["verdict"]["found"]["database-url"].is_number() || listed[0]["verdict"]["reasons"][0].is_string()
    );
    assert!(!listed.to_string().contains(&secret));
    let kept = place.at("quarantine").join(format!("{}.dump", ids[0]));
    assert_eq!(kept.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(place.quarantine("release", &[ids[0]]).status.success());
    assert_eq!(fs::read(place.at("release").join(listed[0]["name"].as_str().unwrap())).unwrap(), bytes);
    assert!(place.quarantine("purge", &[ids[1]]).status.success());
    assert_eq!(place.quarantine("purge", &["../state"]).status.code(), Some(2));
    assert_eq!(place.quarantine("list", &[]).stdout, b"quarantine is empty\n");
}

#[test]
fn a_full_quarantine_leaves_the_dump_to_its_owner() {
    let place = Place::new("quarantine", "");
    place.policy("quarantine", "quarantine_quota = \"4K\"", "");
    let (bytes, _) = dump();
    fs::write(place.at("in/a.dmp"), &bytes).unwrap();
    fs::set_permissions(place.at("in/a.dmp"), fs::Permissions::from_mode(0o644)).unwrap();
    let run = place.sweep();
    assert_eq!((run.code, run.outcome("a.dmp")), (2, "failed-closed"));
    assert!(run.reason("a.dmp").contains("quarantine is full"), "{}", run.all);
    assert_eq!(fs::read(place.at("in/a.dmp")).unwrap(), bytes);
    assert_eq!(place.at("in/a.dmp").metadata().unwrap().mode() & 0o777, 0o600);
    assert!(place.names("release").is_empty() && place.names("quarantine").iter().all(|name| !name.ends_with(".dump")));
    place.is_at_rest();
    // With room again the same dump is decided on.
    place.policy("quarantine", "quarantine_quota = \"1G\"", "");
    assert_eq!(place.sweep().outcome("a.dmp"), "quarantined");
}

#[test]
fn links_and_files_with_two_names_are_left() {
    let place = Place::new("redact", "");
    let (bytes, _) = dump();
    fs::write(place.at("elsewhere.dmp"), &bytes).unwrap();
    fs::write(place.at("other.dmp"), &bytes).unwrap();
    symlink(place.at("elsewhere.dmp"), place.at("in/link.dmp")).unwrap();
    fs::hard_link(place.at("other.dmp"), place.at("in/hard.dmp")).unwrap();
    let run = place.sweep();
    assert_eq!(run.code, 2, "{}", run.all);
    assert!(run.all.contains("it is a link") && run.reason("hard.dmp").contains("2 names"), "{}", run.all);
    assert_eq!(fs::read(place.at("elsewhere.dmp")).unwrap(), bytes);
    assert_eq!(fs::read(place.at("other.dmp")).unwrap(), bytes);
    assert!(place.names("release").is_empty());
}

#[test]
fn what_cannot_work_is_said_and_nothing_goes_on() {
    let place = Place::new("redact", "");
    let (bytes, _) = dump();
    fs::write(place.at("in/a.dmp"), &bytes).unwrap();
    let fails = |args: &[&str], text: &str| {
        let run = place.run("folder", args);
        assert!(run.code == 2 && run.all.contains(text), "{}", run.all);
        assert_eq!(place.names("in"), ["a.dmp"]);
    };
    fails(&["--settle", "0", "gone"], "folder");
    // Somebody else's lock.
    let lock = fs::File::open(place.at("in")).unwrap();
    lock.lock().unwrap();
    fails(&["--settle", "0", "--watch", "in"], "its lock is held");
    place.policy("redact", "", "[limits]\ntime = \"1s\"");
    fails(&["--settle", "0", "in"], "its lock is held");
    drop(lock);
    place.policy("redact", "", "");
    fs::create_dir_all(place.at("release")).unwrap();
    fs::set_permissions(place.at("release"), fs::Permissions::from_mode(0o777)).unwrap();
    fails(&["--settle", "0", "in"], "nobody else can write");
    fs::set_permissions(place.at("release"), fs::Permissions::from_mode(0o755)).unwrap();
    fails(&["--settle", "0", "release"], "it is the release folder");
    place.policy("redact", "", "[[finding]]\nrule = [\"no-such-rule\"]\naction = \"report\"");
    fails(&["--settle", "0", "in"], "no-such-rule");
    place.policy("redact", "", "");
    assert_eq!(place.sweep().outcome("a.dmp"), "redacted");
}

/// What begins like a dump and cannot be read as one was looked at byte by byte only.
#[test]
fn a_dump_that_cannot_be_parsed_does_not_go_on() {
    let place = Place::new("redact", "");
    let (bytes, _) = dump();
    fs::write(place.at("in/header.dmp"), &bytes[..32]).unwrap();
    let mut lost = bytes.clone();
    // The stream directory lies behind the end of the file.
    lost[12..16].copy_from_slice(&0x7fff_ff00_u32.to_le_bytes());
    fs::write(place.at("in/lost.dmp"), lost).unwrap();
    let run = place.sweep();
    for name in ["header.dmp", "lost.dmp"] {
        assert_eq!(run.outcome(name), "quarantined", "{}", run.all);
        assert!(run.reason(name).contains("no memory can be read"), "{}", run.all);
    }
    assert!(place.names("release").is_empty());
    place.is_at_rest();
}

/// Nobody reads the log any more: the hook says so and ends, and what it did not tell of is not lost.
#[test]
fn a_hook_whose_log_fails_ends_and_takes_no_more() {
    let place = Place::new("redact", "");
    for number in 0..20 {
        fs::write(place.at(&format!("in/{number:02}.dmp")), dump().0).unwrap();
    }
    let run = place.run("folder", &["--settle", "0", "--log-file", "/dev/full", "in"]);
    assert!(run.code == 2 && run.all.contains("cannot write the log"), "{}", run.all);
    assert!(!run.all.contains("internal error") && place.names("in").len() > 10, "{}", run.all);
    assert_eq!(place.names("in").len() + place.names("release").len(), 20);
    place.is_at_rest();
}

#[test]
fn a_dump_that_takes_too_long_or_too_much_goes_to_quarantine() {
    let place = Place::new("redact", "[limits]\ntime = \"1s\"\nmemory = \"4G\"\n");
    // More than any machine scans in a second.
    let file = fs::File::create(place.at("in/long.dmp")).unwrap();
    let noise: Vec<u8> = rand::random::<[u8; 32]>().repeat(1 << 15);
    for at in 0..160_u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, &noise, at << 20).unwrap();
    }
    drop(file);
    let run = place.sweep();
    assert_eq!(run.outcome("long.dmp"), "quarantined", "{}", run.all);
    assert!(run.reason("long.dmp").contains("within 1 seconds"), "{}", run.all);
    place.policy("redact", "", "[limits]\nmemory = \"4M\"\n");
    fs::write(place.at("in/b.dmp"), dump().0).unwrap();
    let run = place.sweep();
    assert_eq!(run.outcome("b.dmp"), "quarantined", "{}", run.all);
    assert!(place.names("release").is_empty());
    place.is_at_rest();
}

#[test]
fn a_folder_that_vanishes_ends_the_watch() {
    let place = Place::new("redact", "");
    let mut child = place.hook("folder", &["--watch", "--settle", "0.1", "in"]).spawn().unwrap();
    let (bytes, secret) = dump();
    fs::write(place.at("in/a.dmp"), bytes).unwrap();
    wait(|| place.names("release") == ["a.dmp"] && place.names("in").is_empty());
    assert!(!holds(&fs::read(place.at("release/a.dmp")).unwrap(), &secret));
    fs::remove_dir(place.at("in")).unwrap();
    wait(|| child.try_wait().unwrap().is_some());
    let run = Run::of(child.wait_with_output().unwrap());
    assert!(run.code == 2 && run.all.contains("removed"), "{}", run.all);
}

/// The watcher never takes a dump that is still being written.
#[test]
fn a_dump_that_grows_is_left_until_it_is_complete() {
    let place = Place::new("redact", "");
    let mut child = place.hook("folder", &["--watch", "--settle", "1.5", "in"]).spawn().unwrap();
    let (bytes, secret) = dump();
    for part in 1..=8 {
        fs::write(place.at("in/a.dmp"), &bytes[..bytes.len() * part / 8]).unwrap();
        assert!(place.names("release").is_empty() && place.names("quarantine").len() <= 1);
        std::thread::sleep(Duration::from_millis(300));
    }
    wait(|| !place.names("release").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let redacted = fs::read(place.at("release/a.dmp")).unwrap();
    assert!(redacted.len() == bytes.len() && !holds(&redacted, &secret));
}

#[test]
fn killed_at_any_moment_it_loses_none_and_passes_on_none_undecided() {
    const DUMPS: usize = 40;
    let place = Place::new("redact", "");
    let mut secrets = Vec::new();
    for number in 0..DUMPS {
        let (bytes, secret) = dump();
        fs::write(place.at(&format!("in/{number:03}.dmp")), bytes).unwrap();
        secrets.push(secret);
    }
    let mut kills = 0;
    for round in 0..2 * DUMPS {
        let before = place.names("release").len();
        let mut child = place.hook("folder", &["--settle", "0", "in"]).stderr(Stdio::null()).spawn().unwrap();
        // Told by what it has done, for machines differ: the first at once, then by turns at any moment of its
        // beginning and of the time after one more dump is out.
        if round % 2 == 1 {
            wait(|| place.names("release").len() > before || child.try_wait().unwrap().is_some());
        }
        std::thread::sleep(Duration::from_millis(rand::random::<u64>() % (1 + 10 * round.min(30) as u64)));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        for name in place.names("release") {
            let (number, _) = name.split_once('.').unwrap();
            let secret = &secrets[number.parse::<usize>().unwrap()];
            assert!(!holds(&fs::read(place.at("release").join(&name)).unwrap(), secret), "{name} after {kills} kills");
        }
    }
    assert_eq!(place.sweep().code, 0);
    let expected: Vec<String> = (0..DUMPS).map(|number| format!("{number:03}.dmp")).collect();
    assert_eq!(place.names("release"), expected, "each once, after {kills} kills");
    assert!(kills > 0 && place.names("in").is_empty());
    assert!(place.names("quarantine").iter().all(|name| !name.ends_with(".dump")));
    place.is_at_rest();
}

#[test]
fn a_thousand_dumps_at_once_are_decided_on_once_each() {
    const DUMPS: usize = 1000;
    let place = Place::new("redact", "");
    let (bytes, secret) = dump();
    let innocent = clean();
    for number in 0..DUMPS {
        let bytes = if number % 10 == 0 { &bytes } else { &innocent };
        fs::write(place.at(&format!("in/{number:04}.dmp")), bytes).unwrap();
    }
    let run = place.sweep();
    assert_eq!((run.code, run.decided.len()), (0, DUMPS));
    assert_eq!(run.all.lines().filter(|line| line.contains("\"decided\"")).count(), DUMPS, "each in one line");
    let released = place.names("release");
    assert_eq!(released.len(), DUMPS);
    for name in released {
        assert!(!holds(&fs::read(place.at("release").join(name)).unwrap(), &secret));
    }
    assert!(place.names("in").is_empty());
    place.is_at_rest();
}
