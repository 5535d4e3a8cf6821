//! Every stack unwinds as before.

use crate::dump::DumpMap;
use crate::error::Result;
use crate::image::Image;
use crate::redact::prove::{Case, Check, Manner, StackCounts};
use crate::redact::unwind::{Bounds, Stacks, compare, stacks};

/// Whether all threads of both files have the same frames.
///
/// # Errors
/// When a file cannot be read.
pub fn same(case: &Case<'_>, new: &Image, map: &DumpMap, manner: &Manner) -> Result<(Check, Option<StackCounts>)> {
    const NAME: &str = "stacks";
    if !manner.stacks {
        return Ok((Check::not_shown(NAME, "switched off by the user"), None));
    }
    let bounds = Bounds::default();
    let (before, after) = (stacks(case.old, case.map, &bounds)?, stacks(new, map, &bounds)?);
    let found = compare(&before, &after);
    let counts = StackCounts {
        threads: found.threads,
        equal: found.equal,
        not_shown: found.not_shown,
        different: found.threads - found.equal,
        frames: frames(&before),
    };
    Ok((verdict(NAME, &counts, found.first.map(|first| first.to_string())), Some(counts)))
}

fn verdict(name: &'static str, counts: &StackCounts, difference: Option<String>) -> Check {
    if let Some(difference) = difference {
        return Check::fails(name, difference);
    }
    let StackCounts { threads, not_shown, frames, .. } = counts;
    if threads == not_shown {
        let why = if *threads == 0 { "the dump has no threads" } else { "no thread has two frames or more" };
        return Check::not_shown(name, why);
    }
    let shown = threads - not_shown;
    let others = if *not_shown == 0 { String::new() } else { format!("; {not_shown} threads have fewer than two") };
    Check::holds(name, format!("{frames} frames of {shown} threads are equal{others}"))
}

fn frames(stacks: &Stacks) -> usize {
    stacks.threads.iter().map(|thread| thread.frames.len()).sum()
}
