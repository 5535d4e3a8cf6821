//! Pages of one repeated byte, which hold nothing and are most of many dumps.

use std::ops::Range;

/// Bytes of a page; a page of one repeated byte holds nothing.
pub const PAGE: usize = 4096;

/// The parts of `seen` that are not pages of one repeated byte, each begun `before` bytes early so that a literal that
/// starts at the end of such a page is seen; those of the bytes passed over that are `owned` are counted.
pub fn busy_runs(
    bytes: &[u8],
    seen: Range<usize>,
    before: usize,
    owned: &Range<usize>,
    constant: &mut u64,
) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut at = seen.start;
    while at < seen.end {
        let end = (at + PAGE).min(seen.end);
        if bytes.get(at..end).is_some_and(is_constant) {
            *constant += end.min(owned.end).saturating_sub(at.max(owned.start)) as u64;
            // Where it is another byte than the page before repeats, a literal may stand across the border.
            if at > seen.start && bytes.get(at - 1) != bytes.get(at) {
                add(&mut runs, at.saturating_sub(before).max(seen.start)..at);
            }
        } else {
            add(&mut runs, at.saturating_sub(before).max(seen.start)..end);
        }
        at = end;
    }
    // A literal may also begin in a constant page that is the last one that is seen, and go on behind it.
    if before > 0 && runs.last().is_none_or(|run| run.end < seen.end) {
        runs.push(seen.end.saturating_sub(before).max(runs.last().map_or(seen.start, |run| run.end))..seen.end);
    }
    runs
}

fn add(runs: &mut Vec<Range<usize>>, run: Range<usize>) {
    match runs.last_mut() {
        Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
        _ => runs.push(run),
    }
}

/// Whether every byte is the same: equal to itself moved by one, which is one `memcmp`.
#[must_use]
pub fn is_constant(page: &[u8]) -> bool {
    page.split_first().is_none_or(|(_, rest)| page.get(..rest.len()) == Some(rest))
}
