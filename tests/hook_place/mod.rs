//! A place for hooks: a policy, the folders that it names, dumps with fresh secrets, and the program.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::synth::{Cpu, Memory, MinidumpBuilder, System, keys};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_dumpscrub");

/// Folders and a policy.
pub struct Place {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Place {
    /// With this preset, and `more` of a policy.
    pub fn new(preset: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let place = Self { _folder: folder, path };
        fs::create_dir(place.at("in")).unwrap();
        place.policy(preset, "", more);
        place
    }

    /// Writes the policy; `folders` are more lines of its table of folders.
    pub fn policy(&self, preset: &str, folders: &str, more: &str) {
        let text = format!(
            "version = 1\npreset = \"{preset}\"\n{more}\n[folders]\nrelease = \"release\"\nquarantine = \"quarantine\"\n\
             state = \"state\"\n{folders}\n"
        );
        fs::write(self.at("policy.toml"), text).unwrap();
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A hook, with its log as JSON on standard error.
    pub fn hook(&self, kind: &str, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["hook", kind, "--log", "json", "--policy"]).arg(self.at("policy.toml")).args(args);
        command.current_dir(&self.path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, kind: &str, args: &[&str]) -> Run {
        Run::of(self.hook(kind, args).output().unwrap())
    }

    /// The folder `in` once.
    pub fn sweep(&self) -> Run {
        self.run("folder", &["--settle", "0", "in"])
    }

    pub fn quarantine(&self, action: &str, args: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(["quarantine", action, "--policy"]).arg(self.at("policy.toml")).args(args);
        command.current_dir(&self.path).output().unwrap()
    }

    pub fn names(&self, folder: &str) -> Vec<String> {
        names(&self.at(folder))
    }

    /// Nothing is under way, and nothing of ours lies around.
    pub fn is_at_rest(&self) {
        assert_eq!(self.names("state/items"), Vec::<String>::new());
        assert!(!self.names("in").iter().any(|name| name.starts_with(".dumpscrub-")));
    }
}

/// Names in a folder, sorted; none where there is no folder.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a hook did.
pub struct Run {
    pub code: i32,
    /// The lines of its log that tell of decisions, by the name of the dump.
    pub decided: BTreeMap<String, Value>,
    pub all: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let all = String::from_utf8(output.stderr).unwrap();
        let lines = all.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let decided = lines.filter(|line| line["message"] == "decided");
        let decided = decided.map(|line| (line["name"].as_str().unwrap().to_owned(), line)).collect();
        Self { code: output.status.code().unwrap_or(-1), decided, all }
    }

    pub fn outcome(&self, name: &str) -> &str {
        let line = self.decided.get(name);
        line.and_then(|line| line["outcome"].as_str()).unwrap_or_else(|| panic!("{name} is not in\n{}", self.all))
    }

    pub fn reason(&self, name: &str) -> &str {
        self.decided.get(name).and_then(|line| line["reason"].as_str()).unwrap_or_default()
    }
}

/// A small dump with a password in it, and the password.
pub fn dump() -> (Vec<u8>, String) {
    let secret = keys::password();
    let heap = Memory::noise(0x10_0000, 0x1000, rand::random());
    let heap = heap.with(0x100, format!("\0postgres://app:{secret}@db.internal:5432/crm\0").as_bytes());
    (build(heap), secret)
}

/// A small dump without anything secret.
pub fn clean() -> Vec<u8> {
    build(Memory::noise(0x10_0000, 0x1000, rand::random()))
}

fn build(heap: Memory) -> Vec<u8> {
    MinidumpBuilder { memory64: vec![heap], ..MinidumpBuilder::new(Cpu::Amd64, System::Linux) }.build().bytes
}

/// Whether `text` stands in `bytes`.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Waits until it is so, at most a minute.
pub fn wait(mut until: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if until() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(until(), "it did not happen within a minute");
}
