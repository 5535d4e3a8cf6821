//! The traces of two dumps, frame by frame.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::{Frame, Stacks, Table, ThreadStack};

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Threads of the dump before.
    pub threads: usize,
    /// Threads of the dump before of which at least one caller is shown.
    pub shown: usize,
    /// Threads of the dump before of which no caller is shown: nothing is proven for them.
    pub not_shown: usize,
    /// Threads whose traces are the same in both.
    pub equal: usize,
    /// The first thread whose traces are not.
    pub first: Option<Difference>,
    /// Unwind tables of the dump before.
    pub tables: usize,
    /// The unwind tables of the dump before that are not, byte by byte, in the dump after.
    pub tables_changed: Vec<Table>,
}

impl Comparison {
    /// Whether every trace and every unwind table is what it was.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.first.is_none() && self.tables_changed.is_empty()
    }
}

/// Where two traces part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The thread's id before, or after where there was none before.
    pub thread: u64,
    /// Its place in the list of threads.
    pub index: usize,
    /// The first frame that differs, from 0, the innermost; `None` where the threads themselves are not the same.
    pub frame: Option<usize>,
    /// What was there before, in words.
    pub before: String,
    /// What is there after, in words.
    pub after: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {}", self.thread)?;
        if let Some(frame) = self.frame {
            write!(f, ", frame {frame}")?;
        }
        write!(f, ": {} before, {} after", self.before, self.after)
    }
}

/// Compares the traces of a dump before and after a change.
///
/// Threads are compared by their place in the list, frames by address, module (name and base) and trust.
#[must_use]
pub fn compare(before: &Stacks, after: &Stacks) -> Comparison {
    let shown = before.threads.iter().filter(|thread| thread.is_shown()).count();
    let threads = before.threads.len();
    let mut found = Comparison {
        threads,
        shown,
        not_shown: threads - shown,
        equal: 0,
        first: None,
        tables: before.tables.len(),
        tables_changed: changed(before, after),
    };
    for index in 0..threads.max(after.threads.len()) {
        match difference(before, after, index) {
            None => found.equal += 1,
            difference => found.first = found.first.take().or(difference),
        }
    }
    found
}

fn changed(before: &Stacks, after: &Stacks) -> Vec<Table> {
    let known: HashSet<&Table> = after.tables.iter().collect();
    before.tables.iter().filter(|table| !known.contains(table)).cloned().collect()
}

fn difference(before: &Stacks, after: &Stacks, index: usize) -> Option<Difference> {
    let (was, is) = (before.threads.get(index), after.threads.get(index));
    let thread = was.or(is)?.id;
    let told = |frame, before, after| Some(Difference { thread, index, frame, before, after });
    let (Some(was), Some(is)) = (was, is) else { return told(None, name(was), name(is)) };
    if was.id != is.id {
        return told(None, name(Some(was)), name(Some(is)));
    }
    for frame in 0..was.frames.len().max(is.frames.len()) {
        let (a, b) = (was.frames.get(frame), is.frames.get(frame));
        if !same(before, a, after, b) {
            return told(Some(frame), before.words(a), after.words(b));
        }
    }
    if was.end == is.end { None } else { told(None, was.end.to_string(), is.end.to_string()) }
}

fn name(thread: Option<&ThreadStack>) -> String {
    thread.map_or("no thread".to_owned(), |thread| format!("thread {}", thread.id))
}

fn same(before: &Stacks, a: Option<&Frame>, after: &Stacks, b: Option<&Frame>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() && b.is_none() };
    (a.address, a.trust) == (b.address, b.trust) && before.module_of(a) == after.module_of(b)
}

#[cfg(test)]
mod tests {
    use super::super::{End, ModuleName, Trust};
    use super::*;
    use crate::span::Address;

    fn frame(address: u64, module: Option<u32>, trust: Trust) -> Frame {
        Frame { address: Address(address), module, trust }
    }

    /// Two threads: one with two frames, one with one.
    fn stacks() -> Stacks {
        let frames = vec![frame(0x1010, Some(0), Trust::Context), frame(0x2010, Some(1), Trust::Scan)];
        let shown = ThreadStack { id: 7, frames, end: End::Done };
        let not_shown = ThreadStack { id: 8, frames: vec![frame(0x5000, None, Trust::Context)], end: End::NoStack };
        let module = |name: &str, base| ModuleName { name: name.to_owned(), base: Address(base) };
        let modules = vec![module("/lib/a.so", 0x1000), module(r"C:\b.dll", 0x2000)];
        let table = Table { module: 0, section: ".eh_frame", address: Address(0x1800), len: 8, sha256: [1; 32] };
        Stacks {
            threads: vec![shown, not_shown],
            modules,
            tables: vec![table],
            tables_left_out: 0,
            table_work_spent: false,
        }
    }

    fn first(after: &Stacks) -> String {
        compare(&stacks(), after).first.unwrap().to_string()
    }

    #[test]
    fn what_is_the_same_is_counted() {
        let found = compare(&stacks(), &stacks());
        assert!(found.is_equal());
        assert_eq!((found.threads, found.shown, found.not_shown, found.equal, found.tables), (2, 1, 1, 2, 1));
    }

    #[test]
    fn the_first_difference_is_named() {
        let mut after = stacks();
        after.threads[0].frames[1] = frame(0x2020, Some(1), Trust::Scan);
        assert_eq!(first(&after), "thread 7, frame 1: b.dll+0x10 (stack scan) before, b.dll+0x20 (stack scan) after");
        after.threads[0].frames[1] = frame(0x2010, Some(1), Trust::FramePointer);
        assert_eq!(
            first(&after),
            "thread 7, frame 1: b.dll+0x10 (stack scan) before, b.dll+0x10 (frame pointer) after"
        );
        after.threads[0].frames.truncate(1);
        assert_eq!(first(&after), "thread 7, frame 1: b.dll+0x10 (stack scan) before, no frame after");
        let mut after = stacks();
        after.modules[1].name = "c.dll".to_owned();
        assert_eq!(first(&after), "thread 7, frame 1: b.dll+0x10 (stack scan) before, c.dll+0x10 (stack scan) after");
        let mut after = stacks();
        after.threads[1].end = End::NoRegisters;
        assert!(first(&after).starts_with("thread 8: the dump has no memory"), "{}", first(&after));
        after.threads.truncate(1);
        assert_eq!(first(&after), "thread 8: thread 8 before, no thread after");
        assert_eq!(compare(&stacks(), &after).equal, 1);
    }

    #[test]
    fn a_table_that_changed_is_a_difference() {
        let mut after = stacks();
        after.tables[0].sha256[31] ^= 1;
        let found = compare(&stacks(), &after);
        assert!(!found.is_equal() && found.first.is_none());
        assert_eq!(found.tables_changed, stacks().tables);
    }
}
