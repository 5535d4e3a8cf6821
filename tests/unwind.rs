//! Stack traces: those of the budgeted walk are those that `minidump-processor` finds in the whole file, and what changes
//! a trace is noticed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};

use dumpscrub::dump::{self, DumpMap, Label};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::redact::unwind::{Bounds, Comparison, End, Stacks, Trust, compare, stacks};
use dumpscrub::span::Address;
use minidump::Minidump;
use minidump_processor::{ProcessState, ProcessorOptions};
use minidump_unwind::{CallStackInfo, FrameTrust, Symbolizer, string_symbol_supplier};

fn walked(bytes: Vec<u8>) -> (DumpMap, Stacks) {
    let image = Image::from_bytes("test", bytes);
    let map = dump::map(&image, &Limits::default()).unwrap();
    let stacks = stacks(&image, &map, &Bounds::default()).unwrap();
    (map, stacks)
}

/// The processor's work never waits: without a symbol server there is nothing to wait for.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the processor waits"),
    }
}

/// What the processor makes of a whole file, if it takes it at all.
fn processed(bytes: &[u8]) -> Option<ProcessState> {
    let dump = Minidump::read(bytes).ok()?;
    let symbols = Symbolizer::new(string_symbol_supplier(Default::default()));
    at_once(minidump_processor::process_minidump_with_options(&dump, &symbols, ProcessorOptions::stable_basic())).ok()
}

/// Minidumps of this repository, and those that other projects published, where they are at hand.
fn minidumps() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let published = root.join("../shared/dumps");
    let mut folders = vec![root.join("samples")];
    folders.extend(fs::read_dir(published).into_iter().flatten().map(|entry| entry.unwrap().path()));
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "dmp")).collect()
}

/// What a comparison says of a dump and the same dump with `change` written at `at`.
fn changed(bytes: &[u8], at: u64, change: &[u8]) -> Comparison {
    let mut after = bytes.to_vec();
    let at = usize::try_from(at).unwrap();
    assert_ne!(after[at..at + change.len()], *change, "nothing is changed");
    after[at..at + change.len()].copy_from_slice(change);
    compare(&walked(bytes.to_vec()).1, &walked(after).1)
}

/// Where `address` stands in the file.
fn place(map: &DumpMap, address: u64) -> u64 {
    map.regions.iter().find_map(|region| region.offset_of(Address(address))).unwrap().0
}

/// Where the first word of the first thread's stack stands that is the return address of `frame`.
fn return_address(bytes: &[u8], map: &DumpMap, stacks: &Stacks, frame: usize) -> u64 {
    let back = (stacks.threads[0].frames[frame].address.0 + 1).to_le_bytes();
    let sp = map.threads[0].registers.unwrap().sp.0;
    let words = (sp.next_multiple_of(8)..).step_by(8).map(|address| place(map, address));
    words.into_iter().find(|&at| bytes[at as usize..][..8] == back).unwrap()
}

#[test]
fn the_budgeted_walk_finds_what_the_processor_finds_in_whole_files() {
    let (mut files, mut frames) = (0, 0);
    for path in minidumps() {
        let bytes = fs::read(&path).unwrap();
        let Some(state) = processed(&bytes) else { continue };
        let (map, stacks) = walked(bytes);
        files += 1;
        assert_eq!(stacks.threads.len(), state.threads.len(), "{}", path.display());
        for (ours, theirs) in stacks.threads.iter().zip(&state.threads) {
            assert_eq!(ours.id, u64::from(theirs.thread_id));
            // The thread that wrote the dump is left out by the processor, and walked here.
            if matches!(theirs.info, CallStackInfo::DumpThreadSkipped) {
                continue;
            }
            let told = |frame: &minidump_unwind::StackFrame| {
                let module = frame.module.as_ref().map(|module| (module.name.clone(), module.raw.base_of_image));
                (frame.instruction, module, frame.trust)
            };
            let theirs: Vec<_> = theirs.frames.iter().take(Bounds::default().frames).map(told).collect();
            let told = |frame: &dumpscrub::redact::unwind::Frame| {
                let module = stacks.module_of(frame).map(|module| (module.name.clone(), module.base.0));
                (frame.address.0, module, trust(frame.trust))
            };
            let ours: Vec<_> = ours.frames.iter().map(told).collect();
            // A descriptor that runs over the end makes the processor drop a whole list of memory.
            let theirs_is_less = !map.faults.is_empty() && ours.starts_with(&theirs);
            assert!(theirs_is_less || ours == theirs, "{}: {ours:x?} {theirs:x?}", path.display());
            frames += ours.len();
        }
    }
    assert!(files >= 4 && frames >= 4, "{files} files, {frames} frames");
}

fn trust(trust: Trust) -> FrameTrust {
    match trust {
        Trust::Context => FrameTrust::Context,
        Trust::Table => FrameTrust::CallFrameInfo,
        Trust::FramePointer => FrameTrust::FramePointer,
        Trust::Scan => FrameTrust::Scan,
    }
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)).unwrap()
}

#[test]
fn a_trace_that_is_not_what_it_was_is_named() {
    let bytes = sample("process.dmp");
    let (map, before) = walked(bytes.clone());
    assert!(before.threads[0].is_shown());
    assert!(compare(&before, &before).is_equal());

    let at = return_address(&bytes, &map, &before, 1);
    let found = changed(&bytes, at, &[0; 8]);
    let first = found.first.clone().unwrap();
    assert_eq!((first.thread, first.index, first.frame), (before.threads[0].id, 0, Some(1)), "{first}");
    assert!(!found.is_equal() && found.equal + 1 == found.threads);

    // Without its module, the innermost frame lies nowhere.
    let module = before.module_of(&before.threads[0].frames[0]).unwrap().base.0.to_le_bytes();
    let list = map.streams.iter().find(|stream| stream.name == "ModuleListStream").unwrap().span;
    let entry = (list.from()..list.end()).find(|&at| bytes[at as usize..].starts_with(&module)).unwrap();
    let first = changed(&bytes, entry, &[0; 12]).first.unwrap();
    assert_eq!((first.index, first.frame), (0, Some(0)), "{first}");
}

#[test]
fn what_no_trace_needs_may_change() {
    let bytes = sample("full-memory.dmp");
    let (map, before) = walked(bytes.clone());
    let free = map.regions.iter().find(|region| matches!(region.label, Label::Heap | Label::Memory)).unwrap().span;
    let other = [!bytes[free.from() as usize]];
    let found = changed(&bytes, free.from(), &other);
    assert!(found.is_equal() && found.equal == before.threads.len(), "{found:?}");
}

#[test]
fn whatever_the_bytes_are_the_walk_ends() {
    let bytes = sample("process.dmp");
    let mut seed = 5_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..500 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + random(8) {
            let at = random(bytes.len() - 8);
            let value = [0, u64::MAX, random(bytes.len()) as u64, 1 << random(64)][random(4)];
            damaged[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let (map, stacks) = walked(damaged);
        assert_eq!(map.threads.len(), stacks.threads.len());
    }
}

#[test]
fn budgets_that_are_spent_are_told() {
    let image = Image::from_bytes("test", sample("full-memory.dmp"));
    let map = dump::map(&image, &Limits::default()).unwrap();
    let ends = |bounds: Bounds| {
        let stacks = stacks(&image, &map, &bounds).unwrap();
        stacks.threads.iter().map(|thread| (thread.frames.len(), thread.end)).collect::<Vec<_>>()
    };
    let whole = Bounds::default();
    assert!(ends(Bounds { frames: 3, ..whole }).contains(&(3, End::Frames)));
    let short = ends(Bounds { frames_in_all: 1, ..whole });
    assert_eq!(short, [(1, End::Frames)]);
    assert!(ends(Bounds { stack: 64, ..whole }).iter().any(|(_, end)| *end == End::StackCut));
    assert!(ends(Bounds { stacks: 64, ..whole }).iter().any(|(_, end)| *end == End::StacksSpent));
}

/// Threads that wait at the bottom of calls whose number is known.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
volatile int kept;
__attribute__((noinline)) void down(long left) { if (left) down(left - 1); else for (;;) pause(); kept++; }
void *start(void *left) { down((long)left); return 0; }
int main(void) {
    pthread_t thread;
    for (long i = 0; i < 3; i++) pthread_create(&thread, 0, start, (void *)(10 + i));
    sleep(1);
    puts("ready");
    fflush(stdout);
    down(5);
}
"#;

/// Without the tool a test has nothing to look at; where all tools must be there that is a failure.
fn missing(what: &str) {
    assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
}

/// Compiles the program, lets it run, and has gdb write a core of it: everything that is mapped, or what gdb takes by
/// itself, which is no unwind tables.
fn core(folder: &Path, option: &str, everything: bool) -> Option<PathBuf> {
    let program = folder.join("program");
    fs::write(folder.join("program.c"), PROGRAM).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-O1", "-pthread", "-fno-optimize-sibling-calls", option, "program.c", "-o", "program"]);
    if !compile.current_dir(folder).status().ok()?.success() {
        return None;
    }
    let mut child = Command::new(&program).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let id = child.id();
    if everything {
        fs::write(format!("/proc/{id}/coredump_filter"), "0x7f").unwrap();
    }
    let made = Command::new("gcore").args(["-o", "core", &id.to_string()]).current_dir(folder).output();
    child.kill().unwrap();
    child.wait().unwrap();
    let core = folder.join(format!("core.{id}"));
    (made.is_ok_and(|made| made.status.success()) && core.exists()).then_some(core)
}

/// The return addresses that gdb gives, by thread, innermost first, without the innermost frame.
fn backtraces(folder: &Path, core: &Path) -> HashMap<u64, Vec<u64>> {
    let commands = ["set width 0", "set backtrace past-main on", "set backtrace past-entry on", "thread apply all bt"];
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-nx", "-nh", "-batch", "-iex", "set debuginfod enabled off"]);
    gdb.args(commands.iter().flat_map(|command| ["-ex", command]));
    let said = gdb.arg("program").arg("-c").arg(core).current_dir(folder).output().unwrap().stdout;
    let (mut traces, mut id) = (HashMap::<u64, Vec<u64>>::new(), 0);
    for line in String::from_utf8_lossy(&said).lines() {
        if line.starts_with("Thread ") {
            id = line.split("LWP ").nth(1).map_or(0, |rest| rest.split(')').next().unwrap().parse().unwrap());
        }
        // A frame without an address is inlined into the next one.
        let word = line.strip_prefix('#').filter(|_| id != 0).and_then(|rest| rest.split_ascii_whitespace().nth(1));
        if let Some(address) = word.and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()) {
            traces.entry(id).or_default().push(address);
        }
    }
    traces
}

/// Checks what was walked of a core against gdb: each of gdb's return addresses must be among ours, in order.
fn check_core(option: &str, everything: bool, trusts: &[Trust]) -> Option<(Vec<u8>, DumpMap, Stacks)> {
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path(), option, everything)?;
    let bytes = fs::read(&core).unwrap();
    let (map, stacks) = walked(bytes.clone());
    assert_eq!(stacks.threads.len(), 4);
    let traces = backtraces(folder.path(), &core);
    assert_eq!(traces.len(), 4);
    for (thread, calls) in stacks.threads.iter().zip([5, 10, 11, 12]) {
        assert!(thread.is_shown());
        let mut ours = thread.frames.iter().map(|frame| frame.address.0 + u64::from(frame.trust != Trust::Context));
        let theirs = traces.get(&thread.id).unwrap();
        // Of `down` alone there are as many callers; the others are libraries'. A library function leaves the frame pointer
        // as it was, so that frame pointers lead past its caller.
        let wanted = theirs.iter().take(calls + 2).skip(if everything { 0 } else { 2 });
        let lost: Vec<_> = wanted.filter(|&&theirs| !ours.any(|ours| ours == theirs)).collect();
        assert!(lost.is_empty(), "{option}: {lost:x?} of {theirs:x?} are not in {:x?}", thread.frames);
        assert!(thread.frames.iter().skip(1).all(|frame| trusts.contains(&frame.trust)), "{:x?}", thread.frames);
        if everything {
            assert!(thread.frames.len() >= theirs.len(), "{:x?} {theirs:x?}", thread.frames);
        }
    }
    Some((bytes, map, stacks))
}

#[test]
fn a_core_of_everything_is_unwound_as_gdb_does_and_its_tables_are_held() {
    let Some((bytes, map, before)) = check_core("-fomit-frame-pointer", true, &[Trust::Table]) else {
        return missing("no core: cc, gdb, or the right to look at a process");
    };
    let at = return_address(&bytes, &map, &before, 1);
    let first = changed(&bytes, at, &[0; 8]).first.unwrap();
    assert_eq!((first.index, first.frame), (0, Some(1)), "{first}");

    let table = before.tables.iter().find(|table| table.section == ".eh_frame").unwrap();
    let at = place(&map, table.address.0 + table.len - 8);
    let found = changed(&bytes, at, &[!bytes[at as usize]]);
    assert!(!found.is_equal() && found.tables_changed == [table.clone()], "{found:?}");

    let heap = map.labels.all().into_iter().find(|(_, label)| *label == Label::Heap).unwrap().0;
    let found = changed(&bytes, heap.from(), &[!bytes[heap.from() as usize]]);
    assert!(found.is_equal() && found.shown == 4 && found.tables > 3, "{found:?}");
}

#[test]
fn a_small_core_is_unwound_by_frame_pointers_and_by_scanning() {
    // Libraries are built without frame pointers: the way out of them is guessed, also in what calls `main`.
    let trusts = [Trust::FramePointer, Trust::Scan, Trust::Table];
    if check_core("-fno-omit-frame-pointer", false, &trusts).is_none() {
        missing("no core: cc, gdb, or the right to look at a process");
    }
}
