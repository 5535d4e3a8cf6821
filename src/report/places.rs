//! Where a site lies, in words: kept small, so that the maps of ten thousand dumps need not be.
//!
//! A map can have half a million records and a dump two findings. So when a scan is done, the part of its map that its
//! sites touch is taken out of it: runs of bytes with one label, one region and one module.

use std::collections::{BTreeMap, HashMap};

use crate::dump::{DumpMap, Label, LabelKind};
use crate::error::Result;
use crate::span::{Address, Cover, Span};

/// What is known of the bytes at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot<'a> {
    /// The address that they had, where the dump says so.
    pub address: Option<Address>,
    /// Whose they are, in words: `heap`, `stack of thread 4711`.
    pub label: &'a str,
    /// The same, by kind.
    pub kind: LabelKind,
    /// The thread that they belong to, by the system's id.
    pub thread: Option<u64>,
    /// The module that holds the address, and how far into it that is, in bytes.
    pub module: Option<(&'a str, u64)>,
    /// Whether it is memory of a module that the process could not write: what stands there came from the module's file.
    pub constant: bool,
}

/// The part of a map that tells where sites lie.
#[derive(Debug, Default)]
pub struct Places {
    runs: BTreeMap<u64, Run>,
    labels: Vec<Named>,
    modules: Vec<(String, Address)>,
}

/// Bytes that have one label, one region and one module.
#[derive(Debug)]
struct Run {
    end: u64,
    /// Address of the first byte.
    address: Option<Address>,
    label: usize,
    module: Option<usize>,
    /// Whether the dump says that the process could not write here.
    unwritable: bool,
}

#[derive(Debug)]
struct Named {
    words: String,
    kind: LabelKind,
    thread: Option<u64>,
}

impl Places {
    /// What `map` says of the bytes at `offsets`.
    ///
    /// # Errors
    /// The first error among the offsets.
    pub fn of(map: &DumpMap, offsets: impl Iterator<Item = Result<u64>>) -> Result<Self> {
        let mut survey = Survey::new(map);
        let mut places = Self::default();
        for offset in offsets {
            let offset = offset?;
            if places.run_at(offset).is_none()
                && let Some((from, run)) = survey.run_at(offset, &mut places)
            {
                places.runs.insert(from, run);
            }
        }
        Ok(places)
    }

    /// What is known of the byte at `offset`, which must have been among the offsets.
    #[must_use]
    pub fn at(&self, offset: u64) -> Spot<'_> {
        let kind = LabelKind::Unknown;
        let nowhere = Spot { address: None, label: "unknown", kind, thread: None, module: None, constant: false };
        let Some((from, run)) = self.run_at(offset) else { return nowhere };
        let Some(label) = self.labels.get(run.label) else { return nowhere };
        let address = run.address.map(|address| address.plus(offset - from));
        let module = run.module.and_then(|i| self.modules.get(i)).zip(address);
        let module = module.map(|((name, base), address)| (name.as_str(), address.0.saturating_sub(base.0)));
        let constant = run.unwritable && module.is_some();
        Spot { address, label: &label.words, kind: label.kind, thread: label.thread, module, constant }
    }

    fn run_at(&self, offset: u64) -> Option<(u64, &Run)> {
        let (&from, run) = self.runs.range(..=offset).next_back()?;
        (offset < run.end).then_some((from, run))
    }
}

/// A map made ready to be asked for many places, at the price of a search each.
struct Survey<'a> {
    map: &'a DumpMap,
    /// By file offset, the first region that holds it.
    regions: Cover<Option<usize>>,
    /// By address, the first module that holds it.
    modules: Cover<Option<usize>>,
    known_labels: HashMap<Label, usize>,
    known_modules: HashMap<usize, usize>,
}

impl<'a> Survey<'a> {
    fn new(map: &'a DumpMap) -> Self {
        let (mut regions, mut modules) = (Cover::new(u64::MAX, None), Cover::new(u64::MAX, None));
        // Painted from the last to the first, so that the first one has the say where they overlap.
        for (i, region) in map.regions.iter().enumerate().rev().filter(|(_, region)| region.address.is_some()) {
            regions.paint(region.span, Some(i));
        }
        for (i, module) in map.modules.iter().enumerate().rev() {
            modules.paint(Span::new(module.base.0, module.size), Some(i));
        }
        Self { map, regions, modules, known_labels: HashMap::new(), known_modules: HashMap::new() }
    }

    /// The run around `offset`, by its first byte; its label and module are put into `places`.
    fn run_at(&mut self, offset: u64, places: &mut Places) -> Option<(u64, Run)> {
        let (mut span, label) = self.map.labels.run_at(offset)?;
        let label = self.label(label, places);
        let (within, region) = self.regions.run_at(offset)?;
        span = span.intersection(&within)?;
        let Some((region, base)) = region.and_then(|i| self.map.regions.get(i)).and_then(|r| Some((r, r.address?)))
        else {
            return Some((span.from(), Run { end: span.end(), address: None, label, module: None, unwritable: false }));
        };
        let address_of = |offset: u64| base.plus(offset.saturating_sub(region.span.from()));
        let (within, module) = self.modules.run_at(address_of(offset).0)?;
        // A bogus region can reach beyond the last address; its bytes there are told one by one.
        let part = span.intersection(&part_of(region.span, base, within)).filter(|part| part.contains(offset));
        span = part.unwrap_or(Span::new(offset, 1));
        let module = module.and_then(|i| self.module(i, places));
        let unwritable = region.protection.is_some_and(|rights| rights.read && !rights.write);
        Some((span.from(), Run { end: span.end(), address: Some(address_of(span.from())), label, module, unwritable }))
    }

    fn label(&mut self, label: Label, places: &mut Places) -> usize {
        let map = self.map;
        *self.known_labels.entry(label).or_insert_with(|| {
            let (words, kind, thread) = (label.words(map), label.kind(), thread_of(label, map));
            places.labels.push(Named { words, kind, thread });
            places.labels.len() - 1
        })
    }

    fn module(&mut self, i: usize, places: &mut Places) -> Option<usize> {
        let module = self.map.modules.get(i)?;
        Some(*self.known_modules.entry(i).or_insert_with(|| {
            places.modules.push((module.short_name().to_owned(), module.base));
            places.modules.len() - 1
        }))
    }
}

/// The bytes of a region at `base` whose addresses are in `within`.
fn part_of(region: Span, base: Address, within: Span) -> Span {
    let into = |address: u64| region.from().saturating_add(address.saturating_sub(base.0).min(region.len));
    Span::between(into(within.from()), into(within.end()))
}

fn thread_of(label: Label, map: &DumpMap) -> Option<u64> {
    match label {
        Label::Stack(i) | Label::Registers(i) | Label::Teb(i) => map.threads.get(i).map(|thread| thread.id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Module, Region, Thread};
    use crate::span::FileOffset;

    fn map() -> DumpMap {
        let mut map = DumpMap::blank("test", 1000, Label::Slack);
        let region = |from, len, address, label| Region {
            span: Span::new(from, len),
            address: Some(Address(address)),
            label,
            protection: None,
        };
        map.regions = vec![
            region(100, 200, 0xffff_8000_0000_0000, Label::Heap),
            region(250, 300, 0x1000, Label::Memory),
            region(900, 100, u64::MAX - 95, Label::Memory),
        ];
        map.modules = vec![
            Module { name: r"C:\a\one.dll".to_owned(), base: Address(0x1080), size: 0x40, header: None },
            Module { name: "two".to_owned(), base: Address(0x1000), size: 0x1000, header: None },
        ];
        map.threads =
            vec![Thread { id: 4711, name: None, registers: None, context: None, stack: None, crashed: false }];
        map.labels.paint(Span::new(100, 200), Label::Heap);
        map.labels.paint(Span::new(250, 20), Label::Stack(0));
        map
    }

    #[test]
    fn places_tell_what_the_map_tells_for_every_byte() {
        let map = map();
        // One at a time, so that each is answered from its own run; and all at once, so that runs are shared.
        let all = Places::of(&map, (0..1000).map(Ok)).unwrap();
        for offset in 0..1000 {
            let one = Places::of(&map, std::iter::once(Ok(offset))).unwrap();
            assert_eq!(one.at(offset), all.at(offset));
            let spot = all.at(offset);
            assert_eq!(spot.address, crate::dump::Places::new(&map).address_of(FileOffset(offset)), "{offset}");
            let label = map.labels.at(offset).unwrap();
            assert_eq!((spot.label, spot.kind), (label.words(&map).as_str(), label.kind()), "{offset}");
            let module =
                spot.address.and_then(|a| Some((map.module_at(a)?.short_name(), a.0 - map.module_at(a)?.base.0)));
            assert_eq!(spot.module, module, "{offset}");
        }
        assert!((0..1000).all(|offset| !all.at(offset).constant), "the dump says nothing of rights");
        assert!(all.runs.len() < 20, "{}", all.runs.len());
        assert_eq!(all.at(255).thread, Some(4711));
    }

    #[test]
    fn what_a_module_holds_in_memory_that_cannot_be_written_is_constant() {
        let rights = |write| Some(crate::dump::Protection { read: true, write, execute: false });
        for (protection, module, constant) in [
            (rights(false), true, true),
            (rights(true), true, false),
            (None, true, false),
            (rights(false), false, false),
        ] {
            let mut map = map();
            map.regions.iter_mut().for_each(|region| region.protection = protection);
            map.modules.retain(|_| module);
            let places = Places::of(&map, std::iter::once(Ok(400))).unwrap();
            assert_eq!(places.at(400).constant, constant, "{protection:?} {module}");
        }
    }
}
