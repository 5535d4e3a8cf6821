//! Dumps in their wrappers: the same findings at the same offsets as in the dump itself, whatever it travels in.
//!
//! The wrappers are made by the ordinary programs, which share no code with ours.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use synth::forms::{self, Lines};
use synth::{Cpu, Memory, MinidumpBuilder, System, der, keys};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dumpscrub");

/// What each wrapper is called, and the command that makes it of `in.dmp`.
const WRAPPERS: &[(&str, &str, &[&str])] = &[
    ("in.dmp.gz", "gzip -c in.dmp >in.dmp.gz", &["gzip"]),
    ("two.gz", "(head -c 70000 in.dmp | gzip -9; tail -c +70001 in.dmp | gzip -1) >two.gz", &["gzip"]),
    ("in.dmp.zst", "zstd -q in.dmp", &["zstd"]),
    ("nosize.zst", "zstd -q -19 --long=27 <in.dmp >nosize.zst", &["zstd"]),
    ("in.dmp.xz", "xz -k in.dmp", &["xz"]),
    ("in.dmp.lz4", "lz4 -q in.dmp in.dmp.lz4", &["lz4"]),
    ("linked.lz4", "lz4 -q -BD -B4 in.dmp linked.lz4", &["lz4"]),
    ("in.dmp.bz2", "bzip2 -k in.dmp", &["bzip2"]),
    ("one.zip", "zip -q one.zip in.dmp", &["zip"]),
    ("stored.zip", "zip -q -0 stored.zip in.dmp", &["zip"]),
    ("wide.zip", "zip -q -fz wide.zip in.dmp", &["zip"]),
    ("piped.zip", "cat in.dmp | zip -q piped.zip -", &["zip"]),
    ("in.tar", "tar cf in.tar in.dmp", &["tar"]),
    ("sparse.tar", "tar cSf sparse.tar in.dmp", &["tar"]),
    ("pax.tar", "tar --format=pax -cf pax.tar in.dmp", &["tar"]),
    ("in.tar.gz", "tar czf in.tar.gz in.dmp", &["tar", "gzip"]),
    ("deep.zip", "xz -c in.dmp >x.xz && tar czf x.tgz x.xz && zip -q deep.zip x.tgz", &["tar", "gzip", "xz", "zip"]),
];

/// A dump with secrets in a folder of its own, and what a scan of it finds.
struct Place {
    folder: TempDir,
    sites: Vec<(String, u64)>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("postgres://app:{}@db.internal:5432/crm\0", keys::password());
        let heap = Memory::noise(0x10_0000, 150_000, rand::random()).with(0x1001, url.as_bytes());
        let key = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&keys::rsa(1024)), Lines::Lf);
        let heap = heap.with(90_000, key.as_bytes()).with(149_000, url.as_bytes());
        let quiet = Memory::new(0x20_0000, vec![0; 600_000]);
        let dump =
            MinidumpBuilder { memory64: vec![heap, quiet], ..MinidumpBuilder::new(Cpu::Amd64, System::Linux) }.build();
        fs::write(folder.path().join("in.dmp"), dump.bytes).unwrap();
        let mut place = Self { folder, sites: Vec::new() };
        place.sites = sites(&place.scan("in.dmp"), "in.dmp");
        assert!(place.sites.len() >= 3);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a wrapper; `false` where a tool is missing and need not be there.
    fn make(&self, script: &str, tools: &[&str]) -> bool {
        for tool in tools {
            if !has(tool) {
                assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{tool} is missing");
                return false;
            }
        }
        let made = Command::new("sh").args(["-ec", script]).current_dir(self.folder.path()).output().unwrap();
        assert!(made.status.success(), "{script}: {}", String::from_utf8_lossy(&made.stderr));
        true
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(PROGRAM).args(args).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }

    fn scan(&self, name: &str) -> Value {
        serde_json::from_slice(&self.run(&["scan", "-f", "json", name]).stdout).unwrap()
    }
}

fn has(tool: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success()
}

/// Rules and offsets of all sites in a file; none may be elsewhere.
fn sites(report: &Value, file: &str) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        for site in finding["sites"].as_array().unwrap() {
            assert_eq!(site["file"], file, "{site}");
            all.push((finding["rule"].as_str().unwrap().to_owned(), site["offset"].as_u64().unwrap()));
        }
    }
    all.sort();
    all
}

/// The file, without its container's name, that holds the findings.
fn file_of(name: &str) -> String {
    match name {
        "in.tar" | "sparse.tar" | "pax.tar" | "in.tar.gz" | "one.zip" | "stored.zip" | "wide.zip" => {
            format!("{name}!in.dmp")
        }
        "piped.zip" => "piped.zip!-".to_owned(),
        "deep.zip" => "deep.zip!x.tgz!x.xz".to_owned(),
        _ => name.to_owned(),
    }
}

/// Everything that the report says was not scanned.
fn gaps(report: &Value) -> Vec<String> {
    let gaps = report["dumps"].as_array().unwrap().iter().flat_map(|dump| dump["gaps"].as_array().unwrap());
    gaps.map(|gap| gap["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_is_found_in_every_wrapper() {
    let place = Place::new();
    for (name, script, tools) in WRAPPERS {
        if place.make(script, tools) {
            let report = place.scan(name);
            assert_eq!(sites(&report, &file_of(name)), place.sites, "{name}");
            assert_eq!(gaps(&report), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn the_same_is_found_through_a_pipe() {
    let place = Place::new();
    let mut names = vec![("in.dmp", "-")];
    if place.make("zstd -q in.dmp && tar czf in.tgz in.dmp", &["zstd", "tar", "gzip"]) {
        names.extend([("in.dmp.zst", "-"), ("in.tgz", "-!in.dmp")]);
    }
    for (name, told) in names {
        let mut child = Command::new(PROGRAM);
        child.args(["scan", "-f", "json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&fs::read(place.path(name)).unwrap()).unwrap();
        let report: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(sites(&report, told), place.sites, "{name}");
    }
}

#[test]
fn what_cannot_be_unpacked_is_a_gap_by_name() {
    let place = Place::new();
    let scripts: &[(&str, &str, &[&str], &str)] = &[
        ("locked.zip", "zip -q -P secret locked.zip in.dmp", &["zip"], "encrypted"),
        ("cut.gz", "gzip -c in.dmp | head -c 60000 >cut.gz", &["gzip"], "only to byte"),
        ("cut.zst", "zstd -q -c in.dmp | head -c 60000 >cut.zst", &["zstd"], "only to byte"),
        ("cut.xz", "xz -c in.dmp | head -c 60000 >cut.xz", &["xz"], "only to byte"),
        ("cut.lz4", "lz4 -q -c -B4 in.dmp | head -c 70000 >cut.lz4", &["lz4"], "only to byte"),
        ("cut.bz2", "bzip2 -1 -c in.dmp | head -c 110000 >cut.bz2", &["bzip2"], "only to byte"),
        ("cut.zip", "zip -q x.zip in.dmp && head -c 60000 x.zip >cut.zip", &["zip"], "directory is damaged or missing"),
        ("cut.tar", "tar cf x.tar in.dmp && head -c 60000 x.tar >cut.tar", &["tar"], "the archive is cut"),
        ("more.gz", "(gzip -c in.dmp; echo more) >more.gz", &["gzip"], "something else"),
        ("wide.zst", "zstd -q --long=28 <in.dmp >wide.zst", &["zstd"], "its window of"),
        ("odd.7z", "printf '7z\\274\\257\\047\\034 and more' >odd.7z", &[], "7z"),
    ];
    for (name, script, tools, words) in scripts {
        if place.make(script, tools) {
            let done = place.run(&["scan", "-f", "json", name]);
            let report: Value = serde_json::from_slice(&done.stdout).unwrap();
            assert!(gaps(&report).iter().any(|gap| gap.contains(words)), "{name}: {:?}", gaps(&report));
            // What came before the damage was scanned: the first password stands near the start.
            let is_found = done.status.code() == Some(1);
            assert!(is_found || (done.status.code() == Some(3) && !name.starts_with("cut.")), "{name}");
        }
    }
}

#[test]
fn an_archive_that_lies_is_told() {
    let place = Place::new();
    if !place.make("zip -q x.zip in.dmp", &["zip"]) {
        return;
    }
    let whole = fs::read(place.path("x.zip")).unwrap();
    let central = forms::find_all(&whole, b"PK\x01\x02")[0];
    // Name, method, size, CRC-32: in the directory and before the data.
    for (at, words) in [(central + 46, "the name"), (30, "the name"), (8, "the method"), (14, "CRC-32"), (22, "CRC-32")]
    {
        let mut lying = whole.clone();
        lying[at] ^= 1;
        fs::write(place.path("lying.zip"), lying).unwrap();
        let report = place.scan("lying.zip");
        assert!(gaps(&report).iter().any(|gap| gap.contains(words)), "{at}: {:?}", gaps(&report));
    }
    // A member that no directory names.
    let hidden = [&whole[..central], &whole[..]].concat();
    let mut shifted = hidden.clone();
    let (second, directory) = (central, central + central);
    let end = forms::find_all(&shifted, b"PK\x05\x06")[0];
    shifted[directory + 42..directory + 46].copy_from_slice(&u32::try_from(second).unwrap().to_le_bytes());
    shifted[end + 16..end + 20].copy_from_slice(&u32::try_from(directory).unwrap().to_le_bytes());
    fs::write(place.path("hidden.zip"), shifted).unwrap();
    let report = place.scan("hidden.zip");
    assert!(gaps(&report).iter().any(|gap| gap.contains("does not name")), "{:?}", gaps(&report));
}

#[test]
fn names_are_never_paths() {
    let place = Place::new();
    let script = "mkdir d && cp in.dmp d/in.dmp && cd d && tar -P -cf ../up.tar ../d/../d/in.dmp && rm in.dmp";
    if place.make(script, &["tar"]) {
        let before = fs::read_dir(place.folder.path()).unwrap().count();
        let report = place.scan("up.tar");
        assert_eq!(sites(&report, "up.tar!../d/../d/in.dmp"), place.sites);
        assert_eq!(fs::read_dir(place.path("d")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), before);
    }
}

#[test]
fn a_bomb_goes_off_in_a_box() {
    let place = Place::new();
    let script = "head -c 2000000000 /dev/zero | zstd -q >z && zstd -q -19 <z >zeros.zst";
    if place.make(script, &["zstd"]) {
        let started = std::time::Instant::now();
        let done = place.run(&["scan", "-f", "json", "zeros.zst"]);
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(done.status.code(), Some(3));
        assert!(gaps(&report)[0].contains("more than may be unpacked"), "{:?}", gaps(&report));
        assert!(started.elapsed().as_secs() < 60);
        let more = place.run(&["scan", "-q", "--unpack-limit", "4G", "zeros.zst"]);
        assert_eq!(more.status.code(), Some(0));
    }
}

/// What the ordinary program says of a wrapper.
const JUDGES: &[(&str, &str)] = &[
    ("gz", "gzip -t"),
    ("zst", "zstd -qt --long=27"),
    ("xz", "xz -t"),
    ("lz4", "lz4 -qt"),
    ("bz2", "bzip2 -t"),
    ("zip", "unzip -qt"),
    ("tar", "tar tf"),
    ("cab", "cabextract -t"),
];

#[test]
fn every_wrapper_comes_back_redacted() {
    let place = Place::new();
    for (name, script, tools) in WRAPPERS {
        if !place.make(script, tools) {
            continue;
        }
        let out = format!("out-{name}");
        let done = place.run(&["redact", name, "-o", &out, "--no-unwind"]);
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{name}: {said}");
        // Nothing that counts is left, and nothing else is different.
        let report = place.scan(&out);
        assert_eq!(report["summary"]["counted"], 0, "{name}");
        assert_eq!(gaps(&report), Vec::<String>::new(), "{name}");
        let kind = name.rsplit('.').next().unwrap();
        let judge = JUDGES.iter().find(|(end, _)| *end == kind).unwrap().1;
        place.make(&format!("{judge} {out} >/dev/null"), &[judge.split(' ').next().unwrap()]);
        let verified = place.run(&["verify", &out, "--original", name]);
        let said = String::from_utf8_lossy(&verified.stdout);
        assert_eq!(verified.status.code(), Some(0), "{name}: {said}");
        assert_eq!(place.run(&["verify", &out]).status.code(), Some(0), "{name}");
    }
}

#[test]
fn what_is_not_redacted_is_the_same_byte_for_byte() {
    let place = Place::new();
    let script = "mkdir d && echo some text >d/a.txt && echo more >d/z.txt && chmod 640 d/z.txt && \
                  touch -d '2021-02-03 04:05:06' d/a.txt && cp in.dmp d/m.dmp && \
                  zip -qr all.zip d && tar cf all.tar d && rm -r d";
    if !place.make(script, &["zip", "tar", "unzip"]) {
        return;
    }
    for (name, list) in [("all.zip", "unzip -Zv"), ("all.tar", "tar tvf")] {
        let out = format!("out-{name}");
        let done = place.run(&["redact", name, "-o", &out, "--no-unwind", "-q"]);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        // Names, order, modes, times; sizes and checksums of what was redacted are others.
        let listed = |file: &str| {
            let mut done = Command::new("sh");
            let done = done.args(["-c", &format!("{list} {file}")]).current_dir(place.folder.path()).output().unwrap();
            let text = String::from_utf8(done.stdout).unwrap();
            let told = text.lines().filter(|line| {
                let line = line.to_lowercase();
                ["file system", "modified", "permission", "attributes", "mtime", ".txt", "entry #"]
                    .iter()
                    .any(|word| line.contains(word))
            });
            told.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(listed(name), listed(&out), "{name}");
        assert!(!listed(name).is_empty());
        let receipt: Value =
            serde_json::from_slice(&fs::read(place.path(&format!("{out}.receipt.json"))).unwrap()).unwrap();
        let members = receipt["predicate"]["members"].as_array().unwrap();
        let text = members.iter().find(|member| member["name"] == "d/a.txt").unwrap();
        assert_eq!(text["digest"]["sha256"], text["original"]["sha256"]);
        let dump = members.iter().find(|member| member["name"] == "d/m.dmp").unwrap();
        assert_ne!(dump["digest"]["sha256"], dump["original"]["sha256"]);
    }
}

#[test]
fn a_pipe_is_redacted_into_a_pipe() {
    let place = Place::new();
    if !place.make("zstd -q in.dmp", &["zstd"]) {
        return;
    }
    let mut program = Command::new(PROGRAM);
    program.args(["redact", "-", "-o", "-", "--receipt", "r.json", "--no-unwind"]).current_dir(place.folder.path());
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(place.path("in.dmp.zst")).unwrap()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    fs::write(place.path("out.zst"), done.stdout).unwrap();
    assert_eq!(place.scan("out.zst")["summary"]["counted"], 0);
    assert_eq!(place.run(&["verify", "out.zst", "--receipt", "r.json"]).status.code(), Some(0));
    let shown = place.run(&["receipt", "show", "r.json"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("minidump"));
}

#[test]
fn a_container_with_a_gap_is_not_redacted() {
    let place = Place::new();
    if place.make("gzip -c in.dmp | head -c 60000 >cut.gz && zip -q -P secret locked.zip in.dmp", &["gzip", "zip"]) {
        for name in ["cut.gz", "locked.zip"] {
            let done = place.run(&["redact", name, "-o", "out", "--no-unwind"]);
            assert_eq!(done.status.code(), Some(3), "{name}");
            assert!(!place.path("out").exists() && !place.path("out.receipt.json").exists());
        }
    }
}

#[test]
fn a_redacted_container_that_was_changed_is_rejected() {
    let place = Place::new();
    if !place.make("zip -q -0 one.zip in.dmp", &["zip"]) {
        return;
    }
    assert_eq!(place.run(&["redact", "one.zip", "-o", "out.zip", "--no-unwind"]).status.code(), Some(0));
    let whole = fs::read(place.path("out.zip")).unwrap();
    for at in [40, 5000, whole.len() / 2, whole.len() - 30] {
        let mut other = whole.clone();
        other[at] ^= 1;
        fs::write(place.path("out.zip"), other).unwrap();
        assert_eq!(place.run(&["verify", "out.zip"]).status.code(), Some(1), "{at}");
    }
}

/// A cabinet of two folders, by a writer that is not ours.
fn cabinet(files: &[(&str, &[u8])], kind: cab::CompressionType) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(kind);
    files.iter().for_each(|(name, _)| {
        folder.add_file(*name);
    });
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        let (_, bytes) = files.iter().find(|(name, _)| *name == file.file_name()).unwrap();
        file.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn cabinets_are_taken_apart_and_put_together() {
    let place = Place::new();
    let dump = fs::read(place.path("in.dmp")).unwrap();
    for kind in [cab::CompressionType::None, cab::CompressionType::MsZip] {
        let files: &[(&str, &[u8])] = &[("Report.wer", b"Version=1"), ("in.dmp", &dump), ("more.txt", b"more")];
        fs::write(place.path("in.cab"), cabinet(files, kind)).unwrap();
        let report = place.scan("in.cab");
        assert_eq!((sites(&report, "in.cab!in.dmp"), gaps(&report)), (place.sites.clone(), Vec::new()), "{kind:?}");
        let done = place.run(&["redact", "in.cab", "-o", "out.cab", "--force", "--no-unwind"]);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(place.scan("out.cab")["summary"]["counted"], 0);
        assert_eq!(place.run(&["verify", "out.cab", "--original", "in.cab"]).status.code(), Some(0));
        place.make("cabextract -t out.cab", &["cabextract"]);
        let bytes = std::io::Cursor::new(fs::read(place.path("out.cab")).unwrap());
        let mut text = Vec::new();
        let mut cabinet = cab::Cabinet::new(bytes).unwrap();
        std::io::copy(&mut cabinet.read_file("more.txt").unwrap(), &mut text).unwrap();
        assert_eq!(text, b"more");
        let mut redacted = Vec::new();
        std::io::copy(&mut cabinet.read_file("in.dmp").unwrap(), &mut redacted).unwrap();
        assert_eq!(redacted.len(), dump.len());
    }
}

#[test]
fn reports_of_apport_are_taken_apart_and_put_together() {
    use base64ct::Encoding as _;
    let place = Place::new();
    if !place.make("gzip -9 -n -c in.dmp >in.gz", &["gzip"]) {
        return;
    }
    // The header of gzip on a line of its own, as apport writes it.
    let packed = fs::read(place.path("in.gz")).unwrap();
    let lines = [&packed[..10], &packed[10..50_000], &packed[50_000..]].map(base64ct::Base64::encode_string);
    let password = keys::password();
    let text = format!(
        "ProblemType: Crash\nArchitecture: amd64\nCoreDump: base64\n {}\n {}\n {}\nProcCmdline: psql postgres://app:{password}@db.internal/crm\n",
        lines[0], lines[1], lines[2]
    );
    fs::write(place.path("in.crash"), &text).unwrap();
    let report = place.scan("in.crash");
    assert_eq!(gaps(&report), Vec::<String>::new());
    let done = place.run(&["redact", "in.crash", "-o", "out.crash", "--no-unwind"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(place.scan("out.crash")["summary"]["counted"], 0);
    assert_eq!(place.run(&["verify", "out.crash", "--original", "in.crash"]).status.code(), Some(0));
    let redacted = fs::read_to_string(place.path("out.crash")).unwrap();
    assert!(
        !redacted.contains(&password)
            && redacted.starts_with("ProblemType: Crash\nArchitecture: amd64\nCoreDump: base64\n ")
    );
    assert!(redacted.contains("\nProcCmdline: psql postgres://app:"));
}
