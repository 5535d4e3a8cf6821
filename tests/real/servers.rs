//! Servers that really run, with passwords made for the test: every copy that a plain search of bytes knows of is a site.

use std::fs;

use crate::NOT_ALLOWED;
use crate::real::{Scanned, Victim, command, first_missing, missing};
use dumpscrub::finding::Evidence;

/// A password of so many letters.
fn password(len: usize) -> String {
    let letters = b"abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789";
    (0..len).map(|_| char::from(letters[rand::random_range(0..letters.len())])).collect()
}

#[test]
fn redis_keeps_passwords_without_a_name() {
    if let Some(tool) = first_missing(&[&["redis-server", "--version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The byte with the length of the second one is a letter.
    let [own, short, long, master] = [18, 11, 40, 20].map(password);
    let lines = [
        "port 0\nunixsocket socket\nsave \"\"\n".to_owned(),
        format!("requirepass {own}\nmasterauth {master}\n"),
        format!("user ann on >{short} ~* +@all\nuser bob on >{long} ~* +@all\n"),
    ];
    fs::write(folder.join("redis.conf"), lines.concat()).unwrap();
    let victim = Victim::with_file(command("redis-server", folder).arg("redis.conf"), &folder.join("socket"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for text in [&own, &short, &long, &master] {
        assert!(scanned.copies(text.as_bytes()) >= 1, "{} letters", text.len());
    }
    let of_redis = scanned.outcome.findings.iter().filter(|finding| finding.public.kind == "Redis");
    assert_eq!(of_redis.filter(|finding| finding.evidence == Evidence::Proven).count(), 3);
}
