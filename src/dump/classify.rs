//! Which bytes may be edited, told word by word where a stack asks for it, and how much of a dump is what.
//!
//! A map paints stacks as free and names them in `pointer_words`: which of their words a debugger needs depends on their
//! values, and there may be gigabytes of them. So the words are looked at when somebody asks, and never kept.

use std::collections::BTreeMap;

use crate::dump::{ByteOrder, Class, DumpMap, Label};
use crate::error::Result;
use crate::image::Image;
use crate::span::{Address, Span};

/// Bytes looked at in one go.
const CHUNK: u64 = 1 << 20;

/// How many bytes are of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassTotals {
    /// Never edited.
    pub frozen: u64,
    /// Edited only where a secret covers them.
    pub keep: u64,
    /// Free to edit.
    pub free: u64,
}

/// The class of every byte of `within`: runs in order, equal neighbours joined.
///
/// In stacks every aligned word that points into a module or a stack is `Keep`; aligned by address, because memory may
/// begin at an odd place in the file. The result has up to one run for each word, so ask for a part at a time.
///
/// # Errors
/// When the image cannot be read.
pub fn classes(map: &DumpMap, image: &Image, within: Span) -> Result<Vec<(Span, Class)>> {
    Classifier::new(map).classes(image, within)
}

/// How many bytes of the whole dump are of each class; reads the stacks, in bounded memory.
///
/// # Errors
/// When the image cannot be read.
pub fn totals(map: &DumpMap, image: &Image) -> Result<ClassTotals> {
    let classifier = Classifier::new(map);
    let mut totals = ClassTotals::default();
    let mut at = 0;
    while at < image.len() {
        let within = Span::new(at, CHUNK.min(image.len() - at));
        for (span, class) in classifier.classes(image, within)? {
            match class {
                Class::Frozen => totals.frozen += span.len,
                Class::Keep => totals.keep += span.len,
                Class::Free => totals.free += span.len,
            }
        }
        at = within.end();
    }
    Ok(totals)
}

/// How many bytes have each label, in order of the labels.
#[must_use]
pub fn label_totals(map: &DumpMap) -> Vec<(Label, u64)> {
    let mut totals = BTreeMap::new();
    map.labels.all().into_iter().for_each(|(span, label)| *totals.entry(label).or_insert(0) += span.len);
    totals.into_iter().collect()
}

/// What is worked out once for all questions about one map.
struct Classifier<'a> {
    map: &'a DumpMap,
    /// Addresses of modules and stacks: sorted, disjoint.
    targets: Vec<(u64, u64)>,
    /// The regions that hold stacks: by place in the file, disjoint.
    stacks: Vec<(Span, Address)>,
}

impl<'a> Classifier<'a> {
    fn new(map: &'a DumpMap) -> Self {
        let modules = map.modules.iter().map(|m| (m.base.0, m.base.plus(m.size).0));
        let stacks = map.threads.iter().filter_map(|t| t.stack).map(|(start, len)| (start.0, start.plus(len).0));
        let targets = joined(modules.chain(stacks).collect());
        Self { map, targets, stacks: stack_regions(map) }
    }

    fn classes(&self, image: &Image, within: Span) -> Result<Vec<(Span, Class)>> {
        let mut runs = Vec::new();
        for (span, class) in self.map.classes.runs(within) {
            if class == Class::Free { self.refine(image, span, &mut runs)? } else { push(&mut runs, span, class) }
        }
        Ok(runs)
    }

    /// Splits free bytes where they are words of a stack that a debugger needs.
    fn refine(&self, image: &Image, span: Span, runs: &mut Vec<(Span, Class)>) -> Result<()> {
        let mut at = span.from();
        let first = self.stacks.partition_point(|(stack, _)| stack.end() <= at);
        for (stack, address) in self.stacks.iter().skip(first).take_while(|(stack, _)| stack.from() < span.end()) {
            let Some(part) = stack.intersection(&span) else { continue };
            push(runs, Span::between(at, part.from()), Class::Free);
            self.words(image, stack, *address, part, runs)?;
            at = part.end();
        }
        push(runs, Span::between(at, span.end()), Class::Free);
        Ok(())
    }

    fn words(
        &self,
        image: &Image,
        stack: &Span,
        base: Address,
        part: Span,
        runs: &mut Vec<(Span, Class)>,
    ) -> Result<()> {
        let width = self.map.pointer_width as u64;
        let address_of = |offset: u64| base.0.wrapping_add(offset - stack.from());
        // A word that begins before the part, or ends behind it, is looked at whole where the stack holds it whole.
        let from = part.from() - (address_of(part.from()) % width).min(part.from() - stack.from());
        let to = part.end().saturating_add(width).min(stack.end());
        let bytes = image.bytes(from, usize::try_from(to - from).unwrap_or(0))?;
        let mut at = from;
        while at < part.end() {
            let len = (width - address_of(at) % width).min(stack.end() - at);
            let word = Span::new(at, len);
            let into = usize::try_from(at - from).unwrap_or(usize::MAX);
            let value = bytes.get(into..).and_then(|rest| rest.get(..self.map.pointer_width));
            let points = len == width && value.is_some_and(|value| self.points(value));
            if let Some(shown) = word.intersection(&part) {
                push(runs, shown, if points { Class::Keep } else { Class::Free });
            }
            at = word.end();
        }
        Ok(())
    }

    fn points(&self, word: &[u8]) -> bool {
        let value = value_of(word, self.map.byte_order);
        let behind = self.targets.partition_point(|(start, _)| *start <= value);
        behind.checked_sub(1).and_then(|i| self.targets.get(i)).is_some_and(|(_, end)| value < *end)
    }
}

fn value_of(word: &[u8], order: ByteOrder) -> u64 {
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    match order {
        ByteOrder::Little => word.iter().rev().fold(0, add),
        ByteOrder::Big => word.iter().fold(0, add),
    }
}

/// Adds a run, joined with the one before it where the class is the same.
fn push(runs: &mut Vec<(Span, Class)>, span: Span, class: Class) {
    match runs.last_mut() {
        _ if span.is_empty() => {}
        Some((last, of)) if *of == class && last.end() == span.from() => last.len += span.len,
        _ => runs.push((span, class)),
    }
}

fn joined(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// The places of stacks with their addresses. Where regions overlap in the file the first one's address counts, as one
/// alignment must be chosen.
fn stack_regions(map: &DumpMap) -> Vec<(Span, Address)> {
    let mut regions: Vec<(Span, Address)> = map.regions.iter().filter_map(|r| Some((r.span, r.address?))).collect();
    regions.sort_unstable();
    let mut stacks: Vec<(Span, Address)> = Vec::new();
    let mut next = 0;
    for (span, address) in regions {
        next += map.pointer_words.iter().skip(next).take_while(|words| words.end() <= span.from()).count();
        let words = map.pointer_words.iter().skip(next).take_while(|words| words.from() < span.end());
        for part in words.filter_map(|words| words.intersection(&span)) {
            if stacks.last().is_none_or(|(last, _)| last.end() <= part.from()) {
                stacks.push((part, address.plus(part.from() - span.from())));
            }
        }
    }
    stacks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Module, Region, Thread};

    fn stack_map(bytes: &[u8], at: u64, address: u64) -> DumpMap {
        let mut map = DumpMap::blank("test", bytes.len() as u64, Label::Slack);
        let span = Span::between(at, bytes.len() as u64);
        map.regions.push(Region { span, address: Some(Address(address)), label: Label::Stack(0), protection: None });
        map.pointer_words.push(span);
        map.modules.push(Module { name: "m".into(), base: Address(0x40_0000), size: 0x1000, header: None });
        let stack = Some((Address(address), span.len));
        map.threads.push(Thread { id: 1, name: None, registers: None, context: None, stack, crashed: false });
        map
    }

    #[test]
    fn words_are_aligned_by_address_and_kept_where_they_point() {
        // Three bytes of the file, then a stack at address 0x7ffd_0005: the first aligned word is three bytes in.
        let mut bytes = vec![0xff; 3 + 3];
        bytes.extend(0x40_0123_u64.to_le_bytes());
        bytes.extend(7_u64.to_le_bytes());
        bytes.extend(0x7ffd_0010_u64.to_le_bytes());
        bytes.extend([0x23, 1, 0x40, 0]);
        let image = Image::from_bytes("t", bytes.clone());
        let map = stack_map(&bytes, 3, 0x7ffd_0005);
        let runs = classes(&map, &image, Span::new(0, bytes.len() as u64)).unwrap();
        let want = [
            (0, 6, Class::Free),
            (6, 8, Class::Keep),
            (14, 8, Class::Free),
            (22, 8, Class::Keep),
            (30, 4, Class::Free),
        ];
        assert_eq!(runs, want.map(|(at, len, class)| (Span::new(at, len), class)));
        assert_eq!(totals(&map, &image).unwrap(), ClassTotals { frozen: 0, keep: 16, free: 18 });
    }

    #[test]
    fn a_part_is_classed_as_it_is_in_the_whole() {
        let bytes: Vec<u8> = (0..40_u64).flat_map(|i| (0x40_0000 + i * 0x80).to_le_bytes()).collect();
        let image = Image::from_bytes("t", bytes.clone());
        let map = stack_map(&bytes, 0, 0x9000);
        let class_of = |runs: &[(Span, Class)], at: u64| runs.iter().find(|(s, _)| s.contains(at)).map(|(_, c)| *c);
        let whole = classes(&map, &image, Span::new(0, 320)).unwrap();
        for from in 0..320 {
            let part = classes(&map, &image, Span::new(from, 13)).unwrap();
            (from..(from + 13).min(320)).for_each(|at| assert_eq!(class_of(&part, at), class_of(&whole, at)));
        }
    }
}
