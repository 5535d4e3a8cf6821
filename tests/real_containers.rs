//! One core of a real process in everything that dumps travel in: the same is found at the same places, and when it is
//! redacted the ordinary programs take the result, the debugger tells the same of the core inside, and no secret is in it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use synth::forms::{self, Lines};
use synth::{der, keys};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dumpscrub");

/// A program of three threads. It reads secrets from its standard input onto the heap, as they come, and expands the first 16
/// bytes as a key of AES (FIPS 197, 5.2).
const VICTIM: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned char product(unsigned char a, unsigned char b) {
    unsigned char sum = 0;
    for (; b; b >>= 1, a = (a << 1) ^ (a & 0x80 ? 0x1b : 0)) if (b & 1) sum ^= a;
    return sum;
}

static unsigned char substitute(unsigned char a) {
    unsigned char inverse = 0, out = 0x63;
    for (int b = 1; b < 256; b++) if (product(a, b) == 1) inverse = b;
    for (int i = 0; i < 5; i++) out ^= (inverse << i) | (inverse >> (8 - i));
    return out;
}

static void expand(const unsigned char *key, unsigned char *words) {
    unsigned char round = 1;
    memcpy(words, key, 16);
    for (int i = 16; i < 176; i += 4) {
        unsigned char t[4] = {words[i - 4], words[i - 3], words[i - 2], words[i - 1]};
        if (i % 16 == 0) {
            unsigned char first = t[0];
            t[0] = substitute(t[1]) ^ round; t[1] = substitute(t[2]); t[2] = substitute(t[3]); t[3] = substitute(first);
            round = product(round, 2);
        }
        for (int j = 0; j < 4; j++) words[i + j] = words[i - 16 + j] ^ t[j];
    }
}

__attribute__((noinline)) static void waits(int depth) { if (depth) waits(depth - 1); else for (;;) pause(); }
static void *worker(void *) { waits(3); return 0; }

int main() {
    size_t room = 1 << 20, len = 0, got;
    unsigned char *secrets = (unsigned char *)malloc(room), *words = (unsigned char *)malloc(176);
    while ((got = read(0, secrets + len, room - len)) > 0) len += got;
    expand(secrets, words);
    pthread_t thread;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (int i = 0; i < 2; i++) pthread_create(&thread, &small, worker, 0);
    puts("ready");
    fflush(stdout);
    waits(5);
}
"#;

/// What each wrapper is called, how the core is called in a report, the command that makes it of `in.core`, the one that takes
/// the redacted one for good, and the one that brings the core out of it again.
const WRAPPERS: &[(&str, &str, &str, &str, &str)] = &[
    ("a.gz", "", "gzip -c in.core >a.gz", "gzip -t", "gzip -dc"),
    ("a.zst", "", "zstd -q -o a.zst in.core", "zstd -qt", "zstd -qdc"),
    ("a.xz", "", "xz -1 -c in.core >a.xz", "xz -t", "xz -dc"),
    ("a.lz4", "", "lz4 -q in.core a.lz4", "lz4 -qt", "lz4 -qdc"),
    ("a.bz2", "", "bzip2 -c in.core >a.bz2", "bzip2 -t", "bzip2 -dc"),
    ("a.zip", "!in.core", "zip -q a.zip in.core", "unzip -qt", "unzip -p"),
    ("a.tar.gz", "!in.core", "tar czf a.tar.gz in.core", "tar tzf", "tar xzOf"),
    ("a.cab", "!in.core", "true", "cabextract -q -t", "cabextract -q -p"),
    ("a.crash", "!CoreDump", "true", "true", "sed -n 's/^ //p'"),
];

const TOOLS: &[&str] =
    &["c++", "gdb", "gcore", "gzip", "zstd", "xz", "lz4", "bzip2", "zip", "unzip", "tar", "cabextract", "base64"];

struct Place {
    folder: TempDir,
    /// What must not be in a redacted core.
    secrets: Vec<(&'static str, Vec<u8>)>,
}

impl Place {
    /// A folder with a core of a process that holds fresh secrets; `None` where a tool is missing and need not be there.
    fn new() -> Option<Self> {
        if let Some(tool) = TOOLS.iter().find(|tool| !has(tool)) {
            assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{tool} is missing");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (key, round_key, password) = (keys::rsa(1024), rand::random::<[u8; 16]>(), keys::password());
        let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&key), Lines::Lf);
        let url = format!("postgres://app:{password}@db.internal:5432/crm\0");
        let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
        let limbs =
            [reversed(&key.n), vec![0; 16], reversed(&key.p), vec![0; 16], reversed(&key.q), vec![0; 16]].concat();
        let all = [&round_key[..], &[0; 48], url.as_bytes(), &[0; 32], pem.as_bytes(), &[0; 32], &limbs].concat();
        let place = Self {
            folder,
            secrets: vec![
                ("password", password.into_bytes()),
                ("AES key", round_key.to_vec()),
                ("p", key.p.clone()),
                ("p from its end", reversed(&key.p)),
                ("q from its end", reversed(&key.q)),
                ("a line of PEM", pem.lines().nth(8).unwrap().as_bytes().to_vec()),
            ],
        };
        fs::write(place.path("victim.cc"), VICTIM).unwrap();
        place.sh("c++ -g -O0 -pthread -o victim victim.cc");
        place.dump(&all).then_some(place)
    }

    /// Whether the debugger was allowed to look at the process.
    fn dump(&self, secrets: &[u8]) -> bool {
        let mut child = Command::new(self.path("victim"));
        child.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(secrets).unwrap();
        let mut ready = [0];
        std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut ready).unwrap();
        let dumped = self.run("gcore", &["-o", "core", &child.id().to_string()]);
        child.kill().unwrap();
        child.wait().unwrap();
        let core = self.path(&format!("core.{}", child.id()));
        if !core.exists() {
            let said = String::from_utf8_lossy(&dumped.stderr);
            assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "there is no core: {said}");
            return false;
        }
        fs::rename(core, self.path("in.core")).unwrap();
        true
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program).args(args).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }

    fn sh(&self, script: &str) -> Vec<u8> {
        let done = self.run("sh", &["-ec", script]);
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Makes a wrapper around `in.core`.
    fn wrap(&self, name: &str, script: &str) {
        self.sh(script);
        match name {
            "a.cab" => fs::write(self.path(name), self.cabinet()).unwrap(),
            "a.crash" => fs::write(self.path(name), self.report()).unwrap(),
            _ => {}
        }
    }

    fn cabinet(&self) -> Vec<u8> {
        let mut builder = cab::CabinetBuilder::new();
        builder.add_folder(cab::CompressionType::MsZip).add_file("in.core");
        let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
        writer.next_file().unwrap().unwrap().write_all(&fs::read(self.path("in.core")).unwrap()).unwrap();
        writer.finish().unwrap().into_inner()
    }

    /// A report of apport: a line of base64 for each part of what is compressed.
    fn report(&self) -> Vec<u8> {
        let lines = self.sh("gzip -c in.core | base64 -w 100000 | sed 's/^/ /'");
        [b"ProblemType: Crash\nCoreDump: base64\n", &lines[..], b"Signal: 11\n"].concat()
    }

    /// What a scan of a file finds: rules, evidence and offsets, all in one member.
    fn scan(&self, name: &str, member: &str) -> Vec<(String, String, u64)> {
        let done = self.run(PROGRAM, &["scan", "-q", "-f", "json", name]);
        found(&done.stdout, &format!("{name}{member}"))
    }

    fn scan_pipe(&self, name: &str, member: &str) -> Vec<(String, String, u64)> {
        found(&self.sh(&format!("cat {name} | {PROGRAM} scan -q -f json - || test $? = 1")), &format!("-{member}"))
    }

    /// What the debugger says of all threads.
    fn traces(&self, core: &str) -> String {
        let asked = ["-nx", "-batch", "-ex", "thread apply all backtrace", "victim", core];
        String::from_utf8(self.run("gdb", &asked).stdout).unwrap()
    }

    fn leaks(&self, core: &str) -> Vec<&str> {
        let bytes = fs::read(self.path(core)).unwrap();
        let is_there = |secret: &[u8]| memchr::memmem::find(&bytes, secret).is_some();
        self.secrets.iter().filter(|(_, secret)| is_there(secret)).map(|(name, _)| *name).collect()
    }
}

fn has(tool: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success()
}

fn found(report: &[u8], file: &str) -> Vec<(String, String, u64)> {
    let report: Value = serde_json::from_slice(report).unwrap();
    let gaps: Vec<_> =
        report["dumps"].as_array().unwrap().iter().flat_map(|dump| dump["gaps"].as_array().unwrap()).collect();
    assert!(gaps.is_empty(), "{file}: {gaps:?}");
    let mut all = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        for site in finding["sites"].as_array().unwrap() {
            assert_eq!(site["file"], file, "{site}");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            all.push((text(&finding["rule"]), text(&finding["evidence"]), site["offset"].as_u64().unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_real_core_is_scanned_and_redacted_in_every_wrapper() {
    let Some(place) = Place::new() else { return };
    let sites = place.scan("in.core", "");
    for rule in ["aes-key", "rsa-private-key", "url-credentials"] {
        assert!(sites.iter().any(|(told, _, _)| told.contains(rule)), "no {rule} in {sites:?}");
    }
    assert_eq!(place.scan_pipe("in.core", ""), sites);
    assert_eq!(place.leaks("in.core").len(), place.secrets.len() - 1, "all but p from its first byte on");
    let traces = place.traces("in.core");
    assert!(traces.matches("waits").count() >= 14 && traces.contains("worker"), "{traces}");
    for (name, member, make, judge, extract) in WRAPPERS {
        place.wrap(name, make);
        assert_eq!(place.scan(name, member), sites, "{name}");
        // Through a pipe everything is the same file: one stream and one archive will do.
        if ["a.zst", "a.tar.gz"].contains(name) {
            assert_eq!(place.scan_pipe(name, member), sites, "{name} through a pipe");
        }
        let out = format!("out-{name}");
        let done = place.run(PROGRAM, &["redact", "-q", name, "-o", &out]);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        place.sh(&format!("{judge} {out}"));
        let unpack =
            if *name == "a.crash" { "| while read -r line; do echo $line | base64 -d; done | gzip -dc" } else { "" };
        place.sh(&format!("{extract} {out} {unpack} >out.core"));
        assert_eq!(
            fs::metadata(place.path("out.core")).unwrap().len(),
            fs::metadata(place.path("in.core")).unwrap().len()
        );
        assert_eq!(place.leaks("out.core"), Vec::<&str>::new(), "{name}");
        assert!(place.traces("out.core") == traces, "{name}: {}", place.traces("out.core"));
    }
}

/// Nothing is on standard output before the proof holds, and what is there then is what `-o FILE` writes.
#[test]
fn a_real_core_is_redacted_from_a_pipe_into_a_pipe() {
    let Some(place) = Place::new() else { return };
    place.sh("zstd -q -o a.zst in.core");
    for (name, unpack) in [("in.core", "cat"), ("a.zst", "zstd -qdc")] {
        place.sh(&format!("cat {name} | {PROGRAM} redact -q - -o - --receipt {name}.json | {unpack} >out.core"));
        assert_eq!(place.leaks("out.core"), Vec::<&str>::new(), "{name}");
        assert_eq!(place.traces("out.core"), place.traces("in.core"));
    }
    let cut = place.run("sh", &["-c", &format!("head -c 20000 a.zst | {PROGRAM} redact -q - -o - --receipt cut.json")]);
    assert_eq!((cut.status.code(), cut.stdout.len()), (Some(3), 0));
    assert!(!place.path("cut.json").exists());
}
