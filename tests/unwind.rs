//! Stack traces: those of the budgeted walk are those that `minidump-processor` finds in the whole file, and what changes
//! a trace is noticed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use dumpscrub::dump::{self, DumpMap};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::redact::unwind::{Bounds, Stacks, Trust, stacks};
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
