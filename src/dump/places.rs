//! From a place in the file to what stands there: the way back that reports and detectors ask for by the thousand.

use crate::dump::{DumpMap, Label};
use crate::span::{Address, Cover, FileOffset, Span};

/// An index of a map's regions by file offset.
///
/// Where regions overlap in the file the first one in the map's order answers, always the same one.
#[derive(Debug)]
pub struct Places<'a> {
    map: &'a DumpMap,
    /// For every byte the region that answers, if any. A cover and not a sorted list with a walk back: one giant region
    /// below 100,000 small ones costs it nothing.
    regions: Cover<Option<usize>>,
}

impl<'a> Places<'a> {
    /// The index of `map`, built in `O(n log n)`.
    #[must_use]
    pub fn new(map: &'a DumpMap) -> Self {
        let end = map.regions.iter().map(|region| region.span.end()).max().unwrap_or(0);
        let mut regions = Cover::new(end, None);
        for (index, region) in map.regions.iter().enumerate().rev().filter(|(_, r)| r.address.is_some()) {
            regions.paint(region.span, Some(index));
        }
        Self { map, regions }
    }

    /// The address of the byte at `offset`, where it is memory.
    #[must_use]
    pub fn address_of(&self, offset: FileOffset) -> Option<Address> {
        let index = self.regions.at(offset.0)??;
        self.map.regions.get(index)?.address_of(offset)
    }

    /// Whose the byte at `offset` is.
    #[must_use]
    pub fn label_of(&self, offset: FileOffset) -> Label {
        self.map.labels.at(offset.0).unwrap_or(Label::Unknown)
    }

    /// The map that is indexed.
    #[must_use]
    pub fn map(&self) -> &'a DumpMap {
        self.map
    }

    /// The stretches of `within` that are memory, each of one region, with the address of its first byte.
    pub(crate) fn memory_in(&self, within: Span) -> Vec<(Span, Address)> {
        let runs = self.regions.runs(within);
        runs.into_iter().filter_map(|(run, _)| Some((run, self.address_of(run.start)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Region;

    fn region(address: u64, file: u64, len: u64) -> Region {
        Region { span: Span::new(file, len), address: Some(Address(address)), label: Label::Memory, protection: None }
    }

    #[test]
    fn the_first_region_that_holds_a_byte_answers() {
        let mut map = DumpMap::blank("test", 1000, Label::Slack);
        map.regions = vec![region(0x10000, 100, 50), region(0x20000, 0, 1000), region(0x30000, 120, 50)];
        map.labels.paint(Span::new(100, 50), Label::Heap);
        let places = Places::new(&map);
        assert_eq!(places.address_of(FileOffset(149)), Some(Address(0x10031)));
        assert_eq!(places.address_of(FileOffset(150)), Some(Address(0x20096)));
        assert_eq!(places.address_of(FileOffset(1000)), None);
        assert_eq!(places.label_of(FileOffset(120)), Label::Heap);
        assert_eq!(places.label_of(FileOffset(999)), Label::Slack);
    }

    #[test]
    fn a_giant_region_under_many_small_ones_is_found() {
        let mut map = DumpMap::blank("test", 1 << 20, Label::Slack);
        map.regions = (0..50_000).map(|i| region(i << 20, i * 16, 8)).collect();
        map.regions.push(region(1 << 60, 0, 1 << 20));
        let places = Places::new(&map);
        assert_eq!(places.address_of(FileOffset(16 * 40_000 + 9)), Some(Address((1 << 60) + 16 * 40_000 + 9)));
        assert_eq!(places.address_of(FileOffset(16 * 40_000 + 7)), Some(Address((40_000 << 20) + 7)));
    }
}
