//! Stacks, the heap and thread control blocks: no record names them, they follow from what is known.

use super::segments::{self, Load};
use super::{Builder, threads};
use crate::dump::{Class, Label};
use crate::span::Address;

/// Linux's usual limit of a stack. Stacks of threads are mapped among other memory, which the kernel joins to one
/// segment where the rights are the same, so that a stack pointer may point into a segment of gigabytes.
const STACK: u64 = 8 << 20;

/// The kernel begins the heap at most this far behind the executable.
const HEAP_DISTANCE: u64 = 1 << 30;

/// Below the stack pointer, code may have put things without moving it (the "red zone": 128 bytes on x86-64, 288 or 512 on
/// PowerPC).
const RED_ZONE: u64 = 512;

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

/// A stack is what the segment of the stack pointer has around it: the first thread's the whole of it, since the kernel
/// maps that one apart; another one's as far as stacks usually reach. Two in one segment end where the next one begins.
fn stacks(build: &mut Builder<'_>) {
    let mut pointers: Vec<(u64, usize)> = Vec::new();
    for (index, thread) in build.map.threads.iter().enumerate() {
        pointers.extend(thread.registers.map(|registers| (registers.sp.0, index)));
    }
    pointers.sort_unstable();
    let first_stack = build.own.auxv.above.first().copied();
    let mut before: Option<(Load, u64)> = None;
    let mut found: Vec<(usize, u64, u64)> = Vec::new();
    for (sp, index) in pointers {
        let Some(&load) = segments::holding(&build.own.loads, sp) else { continue };
        let whole = first_stack.is_some_and(|top| load.holds(top));
        let (low, high) = if whole { (0, u64::MAX) } else { (sp.saturating_sub(STACK), sp.saturating_add(STACK)) };
        let shared = before.filter(|(of, _)| *of == load);
        let start = load.start.max(shared.map_or(low, |_| sp.saturating_sub(RED_ZONE)));
        if let (Some((_, last)), Some((_, _, end))) = (shared, found.last_mut().filter(|(_, _, end)| *end > start)) {
            *end = start.max(last);
        }
        found.push((index, start, load.present.min(high)));
        before = Some((load, sp));
    }
    for (index, start, end) in found {
        let Some(len) = end.checked_sub(start).filter(|&len| len > 0) else { continue };
        build.memory_labels.paint(Address(start), len, Label::Stack(index));
        if let Some(thread) = build.map.threads.get_mut(index) {
            thread.stack = Some((Address(start), len));
        }
    }
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
