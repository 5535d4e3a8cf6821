//! Cores of real processes, by gdb's gcore and by the kernel: what the map says is what the system said of the process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dumpscrub::dump::{self, DumpMap, Label, Places, classify};
use dumpscrub::image;
use dumpscrub::limits::Limits;
use dumpscrub::span::Address;

/// A shell that has written down what the system says of it, and what it does then.
fn script(then: &str) -> String {
    format!("cat /proc/$$/maps >maps; cat /proc/$$/environ >environ; cat /proc/$$/cmdline >cmdline; {then}")
}

fn shell(folder: &Path, then: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &script(then), "argument of the shell"]).current_dir(folder).stdout(Stdio::null());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("DEMO_PASSWORD", "not a real one");
    command.stderr(Stdio::null()).stdin(Stdio::null());
    command
}

/// Without the tool a test has nothing to look at; where all tools must be there that is a failure.
fn missing(what: &str) {
    assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
}

#[test]
fn what_gcore_writes_is_what_the_system_said() {
    if Command::new("gcore").arg("-h").output().is_err() {
        return missing("gcore is not there: it comes with gdb");
    }
    let folder = tempfile::tempdir().unwrap();
    // The shell waits for a pipe that nobody writes to.
    let mut child = shell(folder.path(), ": >ready; read line").stdin(Stdio::piped()).spawn().unwrap();
    let started = std::time::Instant::now();
    while !folder.path().join("ready").exists() && started.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id();
    let made = Command::new("gcore").args(["-o", "core", &id.to_string()]).current_dir(folder.path()).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let core = folder.path().join(format!("core.{id}"));
    if !made.status.success() || !core.exists() {
        return missing("gcore was not allowed to look at a process");
    }
    let map = compare(folder.path(), &core);
    assert_eq!(map.threads.iter().map(|t| (t.id, t.crashed)).collect::<Vec<_>>(), [(u64::from(id), false)]);
}

#[test]
fn what_the_kernel_writes_is_what_it_said() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    // Cores may go to a program or to a folder of the system's; that is no fault of ours, with or without tools.
    if pattern.trim().is_empty() || pattern.contains(['/', '|']) {
        return;
    }
    let limited = !shell(folder.path(), "ulimit -c unlimited && kill -SEGV $$").status().unwrap().success();
    assert!(limited, "the shell must be killed");
    let core = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).find(|path| {
        let head = fs::read(path).unwrap();
        head.starts_with(b"\x7fELF")
    });
    // A hard limit of zero, or a container that forbids it.
    let Some(core) = core else { return };
    let map = compare(folder.path(), &core);
    assert_eq!(map.threads.iter().map(|thread| thread.crashed).collect::<Vec<_>>(), [true]);
    assert!(map.about.iter().any(|(_, value)| value == "SIGSEGV (11)"), "{:?}", map.about);
}

/// One line of `/proc/<pid>/maps`.
struct Line {
    start: u64,
    end: u64,
    name: String,
}

fn lines(folder: &Path) -> Vec<Line> {
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        Line { start: number(start), end: number(end), name: words.nth(4).unwrap_or_default().to_owned() }
    };
    fs::read_to_string(folder.join("maps")).unwrap().lines().map(line).collect()
}

fn compare(folder: &Path, core: &PathBuf) -> DumpMap {
    let image = image::open(core).unwrap();
    let map = dump::map(&image, &Limits::default()).unwrap();
    assert_eq!((map.format, map.faults.len(), map.gaps.len()), ("ELF core", 0, 0), "{:?}", map.faults);
    let lines = lines(folder);
    let (mut stack, mut heap, mut files) = (0, 0, 0);
    for region in &map.regions {
        let Address(address) = region.address.unwrap();
        let Some(line) = lines.iter().find(|line| (line.start..line.end).contains(&address)) else { continue };
        let labels: Vec<Label> = map.labels.runs(region.span).into_iter().map(|run| run.1).collect();
        let told = |label: &Label| label.words(&map);
        match line.name.as_str() {
            "[stack]" => {
                stack += 1;
                assert!(labels.contains(&Label::Stack(0)) && labels.contains(&Label::Environ), "{labels:?}");
            }
            // What is the heap now may have been smaller when the maps were read.
            "[heap]" => {
                heap += 1;
                assert_eq!(labels, [Label::Heap]);
            }
            "[vdso]" => assert_eq!(labels.iter().map(told).collect::<Vec<_>>(), ["module [vdso]"]),
            name if name.starts_with('/') => {
                files += 1;
                let short = name.rsplit('/').next().unwrap();
                assert_eq!(labels.iter().map(told).collect::<Vec<_>>(), [format!("module {short}")], "{address:#x}");
            }
            _ => {}
        }
    }
    assert!(stack == 1 && heap == 1 && files > 3, "{stack} stacks, {heap} heaps, {files} mappings of files");
    strings_are_right(folder, core, &map);
    assert!(classify::totals(&map, &image).unwrap().keep > 4096);
    map
}

/// Environment and command line are labelled to the byte.
fn strings_are_right(folder: &Path, core: &PathBuf, map: &DumpMap) {
    let bytes = fs::read(core).unwrap();
    let places = Places::new(map);
    let of = |wanted: Label| -> Vec<u8> {
        let runs = map
            .labels
            .all()
            .into_iter()
            .filter(|(span, label)| *label == wanted && places.address_of(span.start).is_some());
        runs.flat_map(|(span, _)| bytes.iter().skip(span.from() as usize).take(span.len as usize).copied()).collect()
    };
    for (label, file) in [(Label::Environ, "environ"), (Label::CommandLine, "cmdline")] {
        let want = fs::read(folder.join(file)).unwrap();
        // Compared without printing: what tests print should not hold environments either.
        if of(label) != want {
            panic!("{file}: {} bytes are labelled, {} expected", of(label).len(), want.len());
        }
    }
}
