//! Which bytes may be edited, down to the words of a stack.
//!
//! A format says it for records and blocks. On a stack it depends on the value: a word that points into a module may be a
//! return address, one that points into a stack a saved frame pointer, and an unwinder needs both. Millions of words are
//! not worth an entry each, so they are looked at when somebody asks, a stretch at a time.

use std::collections::BTreeMap;

use crate::dump::places::Places;
use crate::dump::{ByteOrder, Class, DumpMap, Label};
use crate::error::Result;
use crate::image::Image;
use crate::span::{Cover, Span};

/// Bytes that are looked at at once.
const STEP: u64 = 1 << 20;

/// The classes of the bytes of `within`, in order; together they are the part of `within` that the image has.
///
/// For one question; whoever asks again and again makes a [`Classifier`] once.
///
/// # Errors
/// When the image cannot be read.
pub fn classes(map: &DumpMap, image: &Image, within: Span) -> Result<Vec<(Span, Class)>> {
    Classifier::new(map).classes(image, within)
}

/// Bytes of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassTotals {
    /// Never edited.
    pub frozen: u64,
    /// Edited only where a secret covers them.
    pub keep: u64,
    /// May be edited.
    pub free: u64,
}

/// Bytes of each class in the whole image, in memory of fixed size.
///
/// # Errors
/// When the image cannot be read.
pub fn totals(map: &DumpMap, image: &Image) -> Result<ClassTotals> {
    let classifier = Classifier::new(map);
    let mut totals = ClassTotals::default();
    for (span, class) in map.classes.all() {
        totals.add(class, span.len);
    }
    // Only stacks are looked at, not the gigabytes between them.
    for span in &map.pointer_words {
        let mut at = span.from();
        while at < span.end() {
            let step = Span::new(at, STEP.min(span.end() - at));
            let kept: u64 = classifier.kept_words(image, step)?.iter().map(|word| classifier.free_in(*word)).sum();
            totals.keep += kept;
            totals.free -= kept.min(totals.free);
            at = step.end();
        }
    }
    Ok(totals)
}

/// Bytes of each label, in the labels' order; together they are the image.
#[must_use]
pub fn label_totals(map: &DumpMap) -> Vec<(Label, u64)> {
    let mut totals = BTreeMap::new();
    for (span, label) in map.labels.all() {
        *totals.entry(label).or_insert(0) += span.len;
    }
    totals.into_iter().collect()
}

/// What is needed to class any stretch of one dump.
#[derive(Debug)]
pub struct Classifier<'a> {
    places: Places<'a>,
    /// Addresses in modules and stacks: what a word worth keeping points into.
    targets: Cover<bool>,
    /// On ARM64 the upper bits of a return address may be a signature, which is no part of the address.
    signed: bool,
}

impl<'a> Classifier<'a> {
    /// Prepares the map's modules and stacks.
    #[must_use]
    pub fn new(map: &'a DumpMap) -> Self {
        // The cover's offsets are addresses here.
        let mut targets = Cover::new(u64::MAX, false);
        for module in &map.modules {
            targets.paint(Span::new(module.base.0, module.size), true);
        }
        for (start, len) in map.threads.iter().filter_map(|thread| thread.stack) {
            targets.paint(Span::new(start.0, len), true);
        }
        let signed = map.about.iter().any(|(key, value)| *key == "cpu" && value == "arm64");
        Self { places: Places::new(map), targets, signed }
    }

    /// The classes of the bytes of `within`, in order.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn classes(&self, image: &Image, within: Span) -> Result<Vec<(Span, Class)>> {
        let words = self.kept_words(image, within)?;
        let (mut classes, mut next) = (Vec::new(), 0);
        for (run, class) in self.places.map().classes.runs(within) {
            let mut at = run.from();
            while let Some(word) = words.get(next).filter(|word| word.from() < run.end()) {
                let (from, to) = (word.from().max(at), word.end().min(run.end()));
                push(&mut classes, Span::between(at, from), class);
                push(&mut classes, Span::between(from, to), class.max(Class::Keep));
                at = to;
                // The base class changes inside the word: the rest of the word belongs to the next run.
                if word.end() > run.end() {
                    break;
                }
                next += 1;
            }
            push(&mut classes, Span::between(at, run.end()), class);
        }
        Ok(classes)
    }

    /// The parts in `within` of words that point into a module or a stack, in order.
    fn kept_words(&self, image: &Image, within: Span) -> Result<Vec<Span>> {
        let map = self.places.map();
        let first = map.pointer_words.partition_point(|span| span.end() <= within.from());
        let mut words = Vec::new();
        for span in map.pointer_words.iter().skip(first).take_while(|span| span.from() < within.end()) {
            // A word that lies across the border of `within` is read whole.
            let more = map.pointer_width as u64;
            let wide = Span::between(within.from().saturating_sub(more), within.end().saturating_add(more));
            for (run, address) in span.intersection(&wide).map(|part| self.places.memory_in(part)).unwrap_or_default() {
                self.words_of(image, run, address.0, within, &mut words)?;
            }
        }
        Ok(words)
    }

    /// Words are aligned by address: memory may begin at an odd place of the file.
    fn words_of(&self, image: &Image, run: Span, address: u64, within: Span, words: &mut Vec<Span>) -> Result<()> {
        let width = self.places.map().pointer_width.max(1);
        let skip = address.next_multiple_of(width as u64) - address;
        let bytes = image.bytes(run.from() + skip, usize::try_from(run.len.saturating_sub(skip)).unwrap_or(0))?;
        for (i, word) in bytes.chunks_exact(width).enumerate() {
            let span = Span::new(run.from() + skip + (i * width) as u64, width as u64);
            if self.points(word) {
                words.extend(span.intersection(&within));
            }
        }
        Ok(())
    }

    fn points(&self, word: &[u8]) -> bool {
        let digit = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = match self.places.map().byte_order {
            ByteOrder::Little => word.iter().rev().fold(0, digit),
            ByteOrder::Big => word.iter().fold(0, digit),
        };
        let hits = |address: u64| self.targets.at(address) == Some(true);
        // User space has 47 bits on the systems that sign pointers.
        hits(value) || self.signed && hits(value & ((1 << 47) - 1))
    }

    /// Bytes of `span` that are free by the map alone.
    fn free_in(&self, span: Span) -> u64 {
        let runs = self.places.map().classes.runs(span);
        runs.iter().filter(|(_, class)| *class == Class::Free).map(|(run, _)| run.len).sum()
    }
}

impl ClassTotals {
    fn add(&mut self, class: Class, bytes: u64) {
        match class {
            Class::Frozen => self.frozen += bytes,
            Class::Keep => self.keep += bytes,
            Class::Free => self.free += bytes,
        }
    }
}

fn push(classes: &mut Vec<(Span, Class)>, span: Span, class: Class) {
    match classes.last_mut() {
        _ if span.is_empty() => {}
        Some((last, known)) if *known == class => last.len += span.len,
        _ => classes.push((span, class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Module, Region, Thread};
    use crate::span::Address;

    /// A stack whose memory starts at offset 5 of the file and at address 0x7004, so that neither is aligned.
    fn stack(words: &[u64]) -> (DumpMap, Image) {
        let mut bytes = vec![0xee; 5 + 4];
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.extend([0xee; 3]);
        let mut map = DumpMap::blank("test", bytes.len() as u64, Label::Slack);
        let (span, start, len) = (Span::new(5, bytes.len() as u64 - 5), Address(0x7004), bytes.len() as u64 - 5);
        map.regions.push(Region { span, address: Some(start), label: Label::Stack(0), protection: None });
        map.modules.push(Module { name: "a".to_owned(), base: Address(0x40_0000), size: 0x1000, header: None });
        let stack = Some((start, len));
        map.threads.push(Thread { id: 1, name: None, registers: None, context: None, stack, crashed: false });
        map.labels.paint(span, Label::Stack(0));
        map.pointer_words.push(span);
        (map, Image::from_bytes("test", bytes))
    }

    #[test]
    fn words_that_point_into_a_module_or_a_stack_are_kept() -> Result<()> {
        let (map, image) = stack(&[1, 0x40_0fff, 0x40_1000, 0x7008, u64::MAX]);
        let classes = classes(&map, &image, Span::new(0, 100))?;
        let kept: Vec<Span> = classes.iter().filter(|(_, c)| *c == Class::Keep).map(|(s, _)| *s).collect();
        assert_eq!(kept, [Span::new(17, 8), Span::new(33, 8)]);
        assert_eq!(totals(&map, &image)?, ClassTotals { frozen: 0, keep: 16, free: image.len() - 16 });
        assert_eq!(label_totals(&map), [(Label::Stack(0), image.len() - 5), (Label::Slack, 5)]);
        Ok(())
    }

    #[test]
    fn the_answer_does_not_depend_on_where_it_is_cut() -> Result<()> {
        let (mut map, image) = stack(&[0x7008, 0x40_0001, 3, 0x7004]);
        map.classes.paint(Span::new(20, 3), Class::Frozen);
        let classifier = Classifier::new(&map);
        let whole = classifier.classes(&image, Span::new(0, image.len()))?;
        for cut in 0..image.len() {
            let mut parts = Vec::new();
            for part in [Span::new(0, cut), Span::between(cut, image.len())] {
                classifier.classes(&image, part)?.iter().for_each(|&(span, class)| push(&mut parts, span, class));
            }
            assert_eq!(parts, whole, "cut at {cut}");
        }
        Ok(())
    }

    #[test]
    fn a_signed_return_address_is_a_pointer_on_arm64_only() -> Result<()> {
        let (mut map, image) = stack(&[0xab12_8000_0040_0004]);
        assert_eq!(totals(&map, &image)?.keep, 0);
        map.about.push(("cpu", "arm64".to_owned()));
        assert_eq!(totals(&map, &image)?.keep, 8);
        Ok(())
    }

    #[test]
    fn frozen_stays_frozen_under_a_pointer() -> Result<()> {
        let (mut map, image) = stack(&[0x7008]);
        map.classes.paint(Span::new(9, 4), Class::Frozen);
        assert_eq!(totals(&map, &image)?, ClassTotals { frozen: 4, keep: 4, free: image.len() - 8 });
        Ok(())
    }
}
