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
