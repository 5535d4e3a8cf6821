//! Every stack unwinds as before.

use crate::dump::DumpMap;
use crate::error::Result;
use crate::image::Image;
use crate::redact::prove::{Case, Check, Manner, StackCounts};
use crate::redact::unwind::{Bounds, Comparison, End, Stacks, compare, stacks};

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
        tables: found.tables,
    };
    Ok((verdict(NAME, &counts, wrong(&before, &found), &limits_met(&before)), Some(counts)))
}

/// What differs, if anything does.
fn wrong(before: &Stacks, found: &Comparison) -> Option<String> {
    let table = found.tables_changed.first().map(|table| {
        let module = usize::try_from(table.module).ok().and_then(|i| before.modules.get(i));
        let module = module.map_or("?", |module| module.name.as_str());
        format!("the unwind table {} of {module} at {} differs", table.section, table.address)
    });
    found.first.as_ref().map(ToString::to_string).or(table)
}

/// What was not compared because a budget ran out: told, because it proves nothing.
fn limits_met(before: &Stacks) -> String {
    let cut = before.threads.iter().filter(|thread| !matches!(thread.end, End::Done)).count();
    let mut told = String::new();
    if cut > 0 {
        told += &format!("; {cut} threads were not walked to their end");
    }
    if before.table_work_spent {
        told += "; some threads were walked without their unwind tables";
    }
    if before.tables_left_out > 0 {
        told += &format!("; the unwind tables of {} modules were left out", before.tables_left_out);
    }
    told
}

fn verdict(name: &'static str, counts: &StackCounts, difference: Option<String>, limits: &str) -> Check {
    if let Some(difference) = difference {
        return Check::fails(name, difference);
    }
    let StackCounts { threads, not_shown, frames, tables, .. } = counts;
    if threads == not_shown {
        let why = if *threads == 0 { "the dump has no threads" } else { "no thread has two frames or more" };
        return Check::not_shown(name, why);
    }
    let shown = threads - not_shown;
    let others = if *not_shown == 0 { String::new() } else { format!("; {not_shown} threads have fewer than two") };
    let tables = if *tables == 0 { String::new() } else { format!("; {tables} unwind tables are equal") };
    Check::holds(name, format!("{frames} frames of {shown} threads are equal{others}{tables}{limits}"))
}

fn frames(stacks: &Stacks) -> usize {
    stacks.threads.iter().map(|thread| thread.frames.len()).sum()
}
