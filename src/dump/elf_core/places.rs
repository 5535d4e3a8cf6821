//! Stacks, the heap and thread control blocks: no record names them, they follow from what is known.

use super::{Builder, threads};
use crate::dump::loads::{self, Load};
use crate::dump::{Class, Label};
use crate::span::Address;

/// The kernel begins the heap at most this far behind the executable.
const HEAP_DISTANCE: u64 = 1 << 30;

/// Paints what is known of memory beside the modules, which must have been read.
pub(super) fn read(build: &mut Builder<'_>) {
    if !build.own.physical {
        heap(build);
    }
    stacks(build);
    control_blocks(build);
}

/// The heap that `brk` grows: the first writable memory that is no file's, behind the executable.
fn heap(build: &mut Builder<'_>) {
    let Some(inside) = build.own.auxv.headers.or(build.own.auxv.entry) else { return };
    let modules = &build.map.modules;
    let Some(executable) = modules.iter().find(|module| module.holds(Address(inside))) else { return };
    let end = executable.base.plus(executable.size).0;
    let next = modules.iter().map(|module| module.base.0).filter(|&base| base >= end).min().unwrap_or(u64::MAX);
    let limit = next.min(end.saturating_add(HEAP_DISTANCE));
    let behind = build.own.loads.iter().filter(|load| load.write && load.end > end && load.start < limit);
    // Without the header of the executable its zeroed data cannot be told from the heap; it stands directly behind.
    let heap = behind.min_by_key(|load| load.start).copied();
    if let Some(Load { start, end: heap_end, .. }) = heap {
        let start = start.max(end);
        build.memory_labels.paint(Address(start), heap_end - start, Label::Heap);
    }
}

/// The first thread's stack is a segment of its own, which holds the strings that the kernel put there.
fn stacks(build: &mut Builder<'_>) {
    let top = build.own.auxv.above.first().copied();
    let whole = |load: &Load| top.is_some_and(|top| load.holds(top));
    loads::stacks(&mut build.map.threads, &mut build.memory_labels, &build.own.loads, whole);
}

/// What debuggers find a thread's variables and its id by.
fn control_blocks(build: &mut Builder<'_>) {
    for pointer in build.own.thread_pointers.iter().flatten() {
        let (start, len) = threads::control_block(build.own.machine, *pointer);
        build.memory_classes.paint(start, len, Class::Keep);
    }
}

/// Labels a range of addresses that is edited freely even where the memory around it is kept.
pub(super) fn free(build: &mut Builder<'_>, start: Address, end: Address, label: Label) {
    if let Some(len) = end.0.checked_sub(start.0) {
        build.memory_labels.paint(start, len, label);
        build.memory_classes.paint(start, len, Class::Free);
    }
}
