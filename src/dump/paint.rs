//! From what the records said to a label and a class for every byte.
//!
//! Most of what is known is known by address (a module's range, a stack, a TEB), and the file must be coloured. So ranges
//! are painted over the address space first, from the general to the particular, and then carried over to the file
//! region by region: the cost is the number of pieces that come out, not modules times regions.

use std::collections::BTreeMap;

use crate::dump::build::{Builder, Rights};
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
pub(super) fn paint<Own>(build: &mut Builder<'_, Own>, most_pieces: usize) {
    build.rights.sort_unstable();
    let mut stacks = Vec::new();
    let mut keeps = Vec::new();
    let mut budget = Budget::new(most_pieces);
    let mut regions = std::mem::take(&mut build.map.regions);
    for region in &mut regions {
        region.protection = region.protection.or_else(|| protection_at(&build.rights, region.address));
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
fn paint_region<Own>(
    build: &mut Builder<'_, Own>,
    region: &mut Region,
    budget: &mut Budget,
    stacks: &mut Vec<Span>,
    keeps: &mut Vec<Span>,
) -> bool {
    if budget.is_spent() {
        return false;
    }
    let labels = build.memory_labels.in_file(region);
    let classes = build.memory_classes.in_file(region);
    // A region of one label and one class costs one unit: a dump of shuffled pages is nothing but such regions.
    if !budget.spend(labels.len().max(1).saturating_add(classes.len().saturating_sub(1))) {
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

/// The label of most of a region's bytes; where two have as many, the one that says more.
fn most_of(labels: &[(Span, Label)]) -> Label {
    let mut bytes: BTreeMap<Label, u64> = BTreeMap::new();
    for (span, label) in labels {
        *bytes.entry(*label).or_default() += span.len;
    }
    bytes.into_iter().rev().max_by_key(|(_, bytes)| *bytes).map_or(Label::Memory, |(label, _)| label)
}

/// Paints what is known by place: streams over memory, since a region that claims a stream's bytes must be a lie, and
/// the stricter class over the less strict.
fn paint_file<Own>(build: &mut Builder<'_, Own>, keeps: &[Span]) {
    // The header and the directory last of all: a stream that claims their bytes lies as well.
    let is_header = |label: &&(Span, Label)| label.1 == Label::Header;
    let streams = build.labels.iter().filter(|label| !is_header(label));
    for (span, label) in streams.chain(build.labels.iter().filter(is_header)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Format;
    use crate::dump::minidump::testing::{File, kind, label, module, thread};
    use crate::image::Image;
    use crate::limits::Limits;

    #[test]
    fn one_region_has_the_labels_of_all_that_lies_in_it() {
        let mut file = File::new(3);
        let at = file.memory(0x1000, &[1; 0x4000]);
        let mut modules = vec![(2, 4)];
        modules.extend(module(0x1800, 0x800, 0, (0, 0)));
        modules.extend(module(0x4800, 0x8000, 0, (0, 0)));
        file.numbers(kind::MODULES, &modules);
        let mut threads = vec![(1, 4)];
        threads.extend(thread(3, 0, (0x3000, 0x1800, 0), (0, 0)));
        file.numbers(kind::THREADS, &threads);
        let map = file.map();
        assert_eq!(map.regions.len(), 1);
        assert_eq!(map.regions[0].label, Label::Stack(0), "the stack has most of the bytes");
        let labels = [0x7ff, 0x800, 0xfff, 0x1000, 0x2000, 0x37ff, 0x3800].map(|i| label(&map, at + i));
        let (memory, stack, module) = ("memory", "stack of thread 3", "module ");
        assert_eq!(labels, [memory, module, module, memory, stack, stack, module]);
        assert_eq!(map.pointer_words, [Span::new(at + 0x2000, 0x1800)]);
    }

    #[test]
    fn a_region_over_the_header_takes_nothing_away_from_it() {
        let mut file = File::new(1);
        file.numbers(kind::MEMORY, &[(1, 4), (0x1000, 8), (64, 4), (0, 4)]);
        let map = file.map();
        assert_eq!(label(&map, 0), "header");
        assert_eq!(map.classes.at(0), Some(Class::Frozen));
        assert_eq!(map.regions.len(), 1);
    }

    #[test]
    fn a_spent_budget_is_a_gap_and_the_rest_is_memory() {
        let mut file = File::new(1);
        let at = file.put(&[1; 64]);
        let mut numbers = vec![(8, 4)];
        (0..8).for_each(|i| numbers.extend([(0x1000 + i * 0x100, 8), (8, 4), (at + i * 8, 4)]));
        file.numbers(kind::MEMORY, &numbers);
        let image = Image::from_bytes("test", file.finish());
        let limits = Limits { map_records: 5, ..Limits::default() };
        let map = crate::dump::minidump::Minidump.map(&image, &limits).unwrap();
        assert_eq!(map.regions.len(), 4, "one record is the stream");
        assert!(map.gaps.iter().all(|gap| gap.reason.starts_with("map budget spent: ")), "{:?}", map.gaps);
        assert!(!map.gaps.is_empty());
        assert_eq!(label(&map, at), "memory");
    }

    #[test]
    fn modules_by_the_thousand_over_regions_by_the_thousand_are_no_product() {
        // Every region claims all addresses, and every module has a piece of them: 10,000 times 10,000 pieces.
        let mut file = File::new(2);
        let mut modules = vec![(10_000, 4)];
        (0..10_000).for_each(|i| modules.extend(module(0x1000 + 16 * i, 8, 0, (0, 0))));
        file.numbers(kind::MODULES, &modules);
        let at = file.put(&[0; 200_000]);
        let mut regions = vec![(10_000, 4)];
        (0..10_000).for_each(|i| regions.extend([(0x1000 + i, 8), (160_000, 4), (at + i, 4)]));
        file.numbers(kind::MEMORY, &regions);
        let work = crate::detect::testing::Work::begin();
        let map = file.map();
        assert_eq!((map.regions.len(), map.modules.len()), (10_000, 10_000));
        assert_eq!(map.gaps.len(), 1, "{:?}", map.gaps);
        assert!(work.seconds() < 20);
    }
}
