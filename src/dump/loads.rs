//! Memory segments of a core by address, and the stacks that lie in them.
//!
//! Cores do not say where stacks are; they follow from the stack pointers.

use crate::dump::paint::AddressCover;
use crate::dump::{Label, Thread};
use crate::span::Address;

/// The usual limit of a stack (Linux and macOS). Stacks of threads are mapped among other memory, which the kernel joins
/// to one segment where the rights are the same, so that a stack pointer may point into a segment of gigabytes.
const STACK: u64 = 8 << 20;

/// Below the stack pointer, code may have put things without moving it (the "red zone": 128 bytes on x86-64, 288 or 512 on
/// PowerPC).
const RED_ZONE: u64 = 512;

/// A run of memory that the process had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Load {
    pub start: u64,
    /// End of what was mapped.
    pub end: u64,
    /// End of what the file holds.
    pub present: u64,
    pub write: bool,
}

impl Load {
    /// Whether `address` was mapped with it.
    pub fn holds(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// The segment that holds `address`, by sorted segments; the one that starts last where they overlap.
pub(super) fn holding(loads: &[Load], address: u64) -> Option<&Load> {
    let behind = loads.partition_point(|load| load.start <= address);
    loads.get(behind.checked_sub(1)?).filter(|load| load.holds(address))
}

/// Finds each thread's stack and labels it.
///
/// A stack is what the segment of the stack pointer has around it: all of it if `whole` says that the segment is nothing
/// else, or as far as stacks usually reach. Two in one segment end where the next one begins.
pub(super) fn stacks(
    threads: &mut [Thread],
    labels: &mut AddressCover<Label>,
    loads: &[Load],
    whole: impl Fn(&Load) -> bool,
) {
    let pointer = |(index, thread): (usize, &Thread)| thread.registers.map(|registers| (registers.sp.0, index));
    let mut pointers: Vec<(u64, usize)> = threads.iter().enumerate().filter_map(pointer).collect();
    pointers.sort_unstable();
    let mut before: Option<(Load, u64)> = None;
    let mut found: Vec<(usize, u64, u64)> = Vec::new();
    for (sp, index) in pointers {
        let Some(&load) = holding(loads, sp) else { continue };
        let (low, high) =
            if whole(&load) { (0, u64::MAX) } else { (sp.saturating_sub(STACK), sp.saturating_add(STACK)) };
        let shared = before.filter(|(of, _)| *of == load);
        let start = load.start.max(shared.map_or(low, |(_, last)| last.max(sp.saturating_sub(RED_ZONE))));
        if let Some((_, _, end)) = found.last_mut().filter(|_| shared.is_some()) {
            *end = start.min(*end);
        }
        found.push((index, start, load.present.min(high)));
        before = Some((load, sp));
    }
    for (index, start, end) in found {
        let Some(len) = end.checked_sub(start).filter(|&len| len > 0) else { continue };
        labels.paint(Address(start), len, Label::Stack(index));
        if let Some(thread) = threads.get_mut(index) {
            thread.stack = Some((Address(start), len));
        }
    }
}
