//! From what the records said to a label and a class for every byte.
//!
//! Most of what is known is known by address (a module's range, a stack, a TEB), and the file must be coloured. So ranges
//! are painted over the address space first, from the general to the particular, and then carried over to the file
//! region by region: the cost is the number of pieces that come out, not modules times regions.

use std::collections::BTreeMap;

use super::build::{Builder, Rights};
use crate::dump::{Class, Label, Protection, Region};
use crate::limits::Budget;
use crate::span::{Address, Cover, Span};

/// A value for every address.
///
/// It borrows the arithmetic of [`Cover`], whose spans count addresses here and never leave as file spans.
#[derive(Clone, Debug)]
pub(super) struct AddressCover<T>(Cover<T>);

impl<T: Copy + PartialEq> AddressCover<T> {
    pub fn new(ground: T) -> Self {
        Self(Cover::new(u64::MAX, ground))
    }

    /// Gives `value` to the `len` bytes from `start`.
    pub fn paint(&mut self, start: Address, len: u64, value: T) {
        self.0.paint(Span::new(start.0, len), value);
    }

    /// The spans of the file that `region` holds, with their values.
    fn in_file(&self, region: &Region) -> Vec<(Span, T)> {
        let Some(Address(start)) = region.address else { return Vec::new() };
        let to_file = |run: Span| Span::new(region.span.from() + (run.from() - start), run.len);
        let runs = self.0.runs(Span::new(start, region.span.len));
        runs.into_iter().map(|(run, value)| (to_file(run), value)).collect()
    }
}

/// Colours the map.
pub(super) fn paint(build: &mut Builder<'_>, most_pieces: usize) {
    build.rights.sort_unstable();
    let mut stacks = Vec::new();
    let mut keeps = Vec::new();
    let mut budget = Budget::new(most_pieces);
    let mut regions = std::mem::take(&mut build.map.regions);
    for region in &mut regions {
        region.protection = protection_at(&build.rights, region.address);
        if !paint_region(build, region, &mut budget, &mut stacks, &mut keeps) {
            // The region is memory all the same; only the finer labels are missing.
            build.note_spent("labels of memory");
            build.map.labels.paint(region.span, Label::Memory);
        }
    }
    build.map.regions = regions;
    build.map.pointer_words = joined(stacks);
    paint_file(build, &keeps);
}

/// Paints one region; false where the budget does not suffice.
fn paint_region(
    build: &mut Builder<'_>,
    region: &mut Region,
    budget: &mut Budget,
    stacks: &mut Vec<Span>,
    keeps: &mut Vec<Span>,
) -> bool {
    if !budget.spend(1) {
        return false;
    }
    let labels = build.memory_labels.in_file(region);
    let classes = build.memory_classes.in_file(region);
    if !budget.spend(labels.len().saturating_add(classes.len())) {
        // Looking costs as much as painting, so nobody may look again and again for nothing.
        *budget = Budget::new(0);
        return false;
    }
    region.label = most_of(&labels);
    // A region that claims to go on behind the last address has bytes without one.
    if labels.iter().map(|(span, _)| span.len).sum::<u64>() < region.span.len {
        build.map.labels.paint(region.span, Label::Memory);
    }
    for (span, label) in labels {
        build.map.labels.paint(span, label);
        if matches!(label, Label::Stack(_)) {
            stacks.push(span);
        }
    }
    keeps.extend(classes.into_iter().filter(|(_, class)| *class == Class::Keep).map(|(span, _)| span));
    true
}

/// The label of most of a region's bytes.
fn most_of(labels: &[(Span, Label)]) -> Label {
    let mut bytes: BTreeMap<Label, u64> = BTreeMap::new();
    for (span, label) in labels {
        *bytes.entry(*label).or_default() += span.len;
    }
    bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map_or(Label::Memory, |(label, _)| label)
}

/// Paints what is known by place: streams over memory, since a region that claims a stream's bytes must be a lie, and
/// the stricter class over the less strict.
fn paint_file(build: &mut Builder<'_>, keeps: &[Span]) {
    for (span, label) in &build.labels {
        build.map.labels.paint(*span, *label);
    }
    for span in keeps {
        build.map.classes.paint(*span, Class::Keep);
    }
    for class in [Class::Keep, Class::Frozen] {
        for (span, _) in build.classes.iter().filter(|(_, c)| *c == class) {
            build.map.classes.paint(*span, class);
        }
    }
}

/// The rights at `address`; `rights` is sorted.
fn protection_at(rights: &[Rights], address: Option<Address>) -> Option<Protection> {
    let address = address?.0;
    let behind = rights.partition_point(|r| r.start <= address);
    let found = rights.get(behind.checked_sub(1)?).filter(|r| address < r.end)?;
    Some(Protection { read: found.read, write: found.write, execute: found.execute })
}

/// The spans in order, overlapping and touching ones as one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from() <= last.end() => *last = Span::between(last.from(), last.end().max(span.end())),
            _ => joined.push(span),
        }
    }
    joined
}
