//! Memory as the process saw it: reads at an address, across regions that lie anywhere in the file.
//!
//! A dump stores neighbours in address far apart in the file, so a key can end in one region and go on in another. An
//! [`AddressSpace`] follows addresses. Where regions overlap (hostile or merely bogus descriptors) every region that holds
//! an address is a candidate, because a descriptor that lies must not be able to hide what another one shows.

use crate::dump::{ByteOrder, DumpMap, Region};
use crate::error::Result;
use crate::image::Image;
use crate::span::{Address, FileOffset, Span};

/// Seams that are told at most: a dump of 4 GiB in shuffled pages has as many.
const MOST_SEAMS: usize = 1 << 20;

/// Regions that are looked at for one address. Real dumps need two or three.
const MOST_HOLDERS: usize = 64;

/// The regions that have addresses, by address.
#[derive(Clone, Debug)]
pub struct AddressSpace {
    /// Sorted by address, then by place in the file.
    regions: Vec<Mapped>,
    /// A tree over `regions` as an array: node `n` has the children `2n` and `2n + 1` and holds the highest end below it;
    /// the leaves stand from `leaves` on. It finds the next region that reaches an address without walking over those
    /// that do not: one giant region below 100,000 small ones would make a walk quadratic.
    ends: Vec<u64>,
    leaves: usize,
    layout: Layout,
}

/// How the words of the memory stand in the file: all that the local pass knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bit by bit: see [`Layout::phases`].
    phases: u8,
    big_endian: bool,
    has_addresses: bool,
}

impl Layout {
    /// Whether the process may have been one of a big-endian machine: the dump says so, or says nothing.
    #[must_use]
    pub fn may_be_big_endian(&self) -> bool {
        self.big_endian
    }

    /// Whether any region has an address.
    #[must_use]
    pub fn have_addresses(&self) -> bool {
        self.has_addresses
    }

    /// What must be added to a file offset so that it is a whole number of words of 8 bytes exactly where an address is: one
    /// or two numbers below 8 in most dumps. All of them where no region has an address.
    pub fn phases(&self) -> impl Iterator<Item = u64> + '_ {
        (0..8).filter(|phase| self.phases >> phase & 1 == 1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mapped {
    address: u64,
    file: u64,
    len: u64,
}

impl Mapped {
    fn end(&self) -> u64 {
        self.address.saturating_add(self.len)
    }

    fn offset_of(&self, address: u64) -> u64 {
        self.file + (address - self.address)
    }
}

/// A place where memory goes on and the file does not: the byte before `address` stands at `left`, the byte at `address`
/// stands at `right`, and `right` is not `left + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seam {
    /// Address of the first byte behind the seam.
    pub address: Address,
    /// File offset of the last byte before the seam.
    pub left: FileOffset,
    /// File offset of the first byte behind it.
    pub right: FileOffset,
}

impl AddressSpace {
    /// The address space of `regions`.
    #[must_use]
    pub fn new(regions: &[Region]) -> Self {
        let mut mapped: Vec<Mapped> = regions.iter().filter_map(mapped).collect();
        mapped.sort_unstable();
        mapped.dedup();
        let leaves = mapped.len().next_power_of_two();
        let mut ends = vec![0; leaves];
        ends.extend(mapped.iter().map(Mapped::end));
        ends.resize(2 * leaves, 0);
        for node in (1..leaves).rev() {
            let highest = ends.get(2 * node).max(ends.get(2 * node + 1)).copied().unwrap_or(0);
            if let Some(end) = ends.get_mut(node) {
                *end = highest;
            }
        }
        let (phases, is_empty) = (phases(&mapped), mapped.is_empty());
        let layout = Layout { phases, big_endian: is_empty, has_addresses: !is_empty };
        Self { regions: mapped, ends, leaves, layout }
    }

    /// The address space of the memory that `map` describes.
    #[must_use]
    pub fn of(map: &DumpMap) -> Self {
        let mut space = Self::new(&map.regions);
        space.layout.big_endian |= map.byte_order == ByteOrder::Big;
        space
    }

    /// How its words stand in the file.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether the process may have been one of a big-endian machine: the dump says so, or says nothing.
    #[must_use]
    pub fn may_be_big_endian(&self) -> bool {
        self.layout.big_endian
    }

    /// Whether no region has an address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Every file offset at which the byte of `address` stands, lowest region first, at most `most`.
    #[must_use]
    pub fn offsets_of(&self, address: Address, most: usize) -> Vec<FileOffset> {
        self.holders(address.0, most).into_iter().map(|m| FileOffset(m.offset_of(address.0))).collect()
    }

    /// The addresses of the lowest region that holds `address`: its first, and the one behind its last.
    #[must_use]
    pub fn region_at(&self, address: Address) -> Option<(Address, Address)> {
        let region = self.holders(address.0, 1).into_iter().next()?;
        Some((Address(region.address), Address(region.end())))
    }

    /// The regions by where they stand in the file.
    #[must_use]
    pub fn places(&self) -> Places {
        let mut regions = self.regions.clone();
        regions.sort_unstable_by_key(|region| (region.file, region.address));
        Places(regions)
    }

    /// The file spans that together hold `len` bytes from `address` on, as far as memory goes on; the first candidate is
    /// taken where regions overlap.
    #[must_use]
    pub fn spans_from(&self, address: Address, len: u64) -> Vec<Span> {
        let (mut at, to) = (address.0, address.0.saturating_add(len));
        let mut spans = Vec::new();
        while at < to {
            let Some(region) = self.holders(at, 1).into_iter().next() else { break };
            let end = region.end().min(to);
            push_joined(&mut spans, Span::between(region.offset_of(at), region.offset_of(at) + (end - at)));
            at = end;
        }
        spans
    }

    /// The file spans that together hold the `len` bytes before `address`, as far back as memory goes on.
    #[must_use]
    pub fn spans_before(&self, address: Address, len: u64) -> Vec<Span> {
        let (mut at, down_to) = (address.0, address.0.saturating_sub(len));
        let mut spans = Vec::new();
        while at > down_to {
            let Some(region) = self.holders(at - 1, 1).into_iter().next() else { break };
            let start = region.address.max(down_to);
            let offset = region.offset_of(start);
            spans.push(Span::between(offset, offset + (at - start)));
            at = start;
        }
        spans.reverse();
        spans
    }

    /// Fills `into` with memory from `address` on and says how many bytes there were.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn read(&self, image: &Image, address: Address, into: &mut [u8]) -> Result<usize> {
        let mut done = 0_usize;
        for span in self.spans_from(address, into.len() as u64) {
            let len = usize::try_from(span.len).unwrap_or(usize::MAX);
            let Some(part) = into.get_mut(done..done.saturating_add(len)) else { break };
            let got = image.read_at(span.from(), part)?;
            done += got;
            if got < len {
                break;
            }
        }
        Ok(done)
    }

    /// The file spans of up to `len` bytes on each side of a seam, through the two regions that meet there, and how many of
    /// the bytes lie before it. Further away the first candidate is taken where regions overlap.
    #[must_use]
    pub fn around(&self, seam: &Seam, len: u64) -> (Vec<Span>, u64) {
        let Seam { address: Address(address), left, right } = *seam;
        let at = |address: u64, offset: FileOffset| {
            self.holders(address, MOST_HOLDERS).into_iter().find(|m| m.offset_of(address) == offset.0)
        };
        let (Some(before), Some(behind)) = (at(address - 1, left), at(address, right)) else { return (Vec::new(), 0) };
        let start = before.address.max(address.saturating_sub(len));
        let mut spans = self.spans_before(Address(start), len - (address - start));
        push_joined(&mut spans, Span::between(before.offset_of(start), left.0 + 1));
        let before_len = spans.iter().map(|s| s.len).sum();
        let end = behind.end().min(address.saturating_add(len));
        push_joined(&mut spans, Span::between(right.0, right.0 + (end - address)));
        self.spans_from(Address(end), len - (end - address)).into_iter().for_each(|s| push_joined(&mut spans, s));
        (spans, before_len)
    }

    /// Whether the two sides of a seam are the only bytes that the regions give for their addresses.
    #[must_use]
    pub fn is_plain(&self, seam: &Seam) -> bool {
        let one = |address: u64, offset: FileOffset| self.offsets_of(Address(address), 2) == [offset];
        one(seam.address.0 - 1, seam.left) && one(seam.address.0, seam.right)
    }

    /// Seams in order of address, with at most `most` pairs at one address and [`MOST_SEAMS`] in all, and whether there were
    /// more than that.
    #[must_use]
    pub fn seams(&self, most: usize) -> (Vec<Seam>, bool) {
        let mut borders: Vec<u64> = self.regions.iter().flat_map(|m| [m.address, m.end()]).collect();
        borders.sort_unstable();
        borders.dedup();
        let (mut seams, mut more) = (Vec::new(), false);
        for address in borders.into_iter().filter(|&a| a > 0) {
            if seams.len() > MOST_SEAMS {
                more = true;
                break;
            }
            more |= !self.seams_at(address, most.min(MOST_HOLDERS), &mut seams);
        }
        (seams, more)
    }

    /// Adds the seams at one address; false where there were more than `most`.
    fn seams_at(&self, address: u64, most: usize, seams: &mut Vec<Seam>) -> bool {
        let before = self.holders(address - 1, most + 1);
        let behind = if before.is_empty() { Vec::new() } else { self.holders(address, most + 1) };
        let first = seams.len();
        for (left, right) in before.iter().flat_map(|l| behind.iter().map(move |r| (l, r))) {
            let (left, right) = (left.offset_of(address - 1), right.offset_of(address));
            let seam = Seam { address: Address(address), left: FileOffset(left), right: FileOffset(right) };
            if right == left + 1 || seams.iter().skip(first).any(|s| *s == seam) {
                continue;
            }
            if seams.len() - first == most {
                return false;
            }
            seams.push(seam);
        }
        before.len() <= most && behind.len() <= most
    }

    /// The regions that hold `address`, lowest first, at most `most`: `O(most * log n)`.
    fn holders(&self, address: u64, most: usize) -> Vec<Mapped> {
        let behind = self.regions.partition_point(|m| m.address <= address);
        let mut holders = Vec::new();
        let mut from = 0;
        while holders.len() < most
            && let Some(index) = self.next_reaching(from, address).filter(|&index| index < behind)
        {
            holders.extend(self.regions.get(index).copied());
            from = index + 1;
        }
        holders
    }

    /// The first region from `from` on that ends behind `address`.
    fn next_reaching(&self, from: usize, address: u64) -> Option<usize> {
        let reaches = |node: usize| self.ends.get(node).is_some_and(|&end| end > address);
        if from >= self.leaves {
            return None;
        }
        let mut node = self.leaves + from;
        // Up and to the right until a subtree has one, then down to its first.
        while !reaches(node) {
            while node % 2 == 1 {
                node /= 2;
            }
            // Node 0 is no node: the right edge of the tree was reached.
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < self.leaves {
            node = if reaches(2 * node) { 2 * node } else { 2 * node + 1 };
        }
        Some(node - self.leaves)
    }
}

/// Regions by where they stand in the file: tells the address of what stands at a place.
#[derive(Debug)]
pub struct Places(Vec<Mapped>);

impl Places {
    /// The address of the byte at `offset`; that of the last region that begins there or before where regions overlap.
    #[must_use]
    pub fn address_of(&self, offset: FileOffset) -> Option<Address> {
        let behind = self.0.partition_point(|region| region.file <= offset.0);
        let before = self.0.get(..behind)?.iter().rev().take(MOST_HOLDERS);
        let region = before.into_iter().find(|region| offset.0 - region.file < region.len)?;
        Some(Address(region.address.saturating_add(offset.0 - region.file)))
    }
}

/// File offsets themselves count too: a map that is wrong must not hide what stands where a page would begin. Words of
/// programs of 32 bits have 4 bytes.
fn phases(regions: &[Mapped]) -> u8 {
    if regions.is_empty() {
        return u8::MAX;
    }
    let of = |region: &Mapped| 1_u8 << (region.address.wrapping_sub(region.file) % 8);
    let phases = regions.iter().map(of).fold(1, |all, phase| all | phase);
    let narrow = regions.iter().all(|region| region.end() <= 1 << 32);
    if narrow { phases | phases.rotate_left(4) } else { phases }
}

fn mapped(region: &Region) -> Option<Mapped> {
    let address = region.address?.0;
    (region.span.len > 0).then_some(Mapped { address, file: region.span.from(), len: region.span.len })
}

fn push_joined(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.end() == span.from() => last.len += span.len,
        _ => spans.push(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Label;

    fn region(address: u64, file: u64, len: u64) -> Region {
        Region { span: Span::new(file, len), address: Some(Address(address)), label: Label::Memory, protection: None }
    }

    #[test]
    fn reads_follow_addresses_not_the_file() {
        let image = Image::from_bytes("t", b"WORLDxxHELLO".to_vec());
        let space = AddressSpace::new(&[region(0x1005, 0, 5), region(0x1000, 7, 5)]);
        let mut buf = [0; 16];
        let got = space.read(&image, Address(0x1002), &mut buf).unwrap_or(0);
        assert_eq!(buf.get(..got), Some(&b"LLOWORLD"[..]));
        assert_eq!(space.spans_before(Address(0x1006), 3), [Span::new(10, 2), Span::new(0, 1)]);
    }

    #[test]
    fn places_have_addresses() {
        let places = AddressSpace::new(&[region(0x1005, 0, 5), region(0x1000, 7, 5), region(0x9000, 8, 2)]).places();
        let addresses =
            [0, 4, 5, 7, 8, 10, 11, 12].map(|at| places.address_of(FileOffset(at)).map(|address| address.0));
        assert_eq!(addresses[..4], [Some(0x1005), Some(0x1009), None, Some(0x1000)]);
        assert_eq!(addresses[4..], [Some(0x9000), Some(0x1003), Some(0x1004), None]);
    }

    #[test]
    fn a_seam_is_where_memory_goes_on_and_the_file_does_not() {
        let space = AddressSpace::new(&[region(0x1005, 0, 5), region(0x1000, 7, 5), region(0x100a, 5, 2)]);
        let (seams, more) = space.seams(8);
        assert_eq!(seams, [Seam { address: Address(0x1005), left: FileOffset(11), right: FileOffset(0) }]);
        assert!(!more);
    }

    #[test]
    fn overlapping_regions_yield_every_candidate() {
        let space = AddressSpace::new(&[region(0x1000, 0, 100), region(0x1010, 500, 10)]);
        assert_eq!(space.offsets_of(Address(0x1012), 9), [FileOffset(0x12), FileOffset(502)]);
        let (seams, _) = space.seams(8);
        assert_eq!(seams.len(), 2, "into the bogus region and out of it again: {seams:?}");
    }

    #[test]
    fn one_giant_region_below_many_small_ones_costs_no_walk() {
        let small = (0..100_000).map(|i| region(0x10_0000 + i * 64, i * 32, 32));
        let giant = region(0x1000, 1 << 30, 1 << 40);
        let space = AddressSpace::new(&small.chain([giant]).collect::<Vec<_>>());
        let between = Address(0x10_0000 + 99_999 * 64 + 40);
        assert_eq!(space.offsets_of(between, 9), [FileOffset((1 << 30) + between.0 - 0x1000)]);
        assert_eq!(space.offsets_of(Address(0x10_0000 + 64), 9).len(), 2);
        let (seams, more) = space.seams(8);
        assert_eq!(seams.len(), 300_000 - 100_000, "into and out of each: {}", seams.len());
        assert!(!more);
    }

    #[test]
    fn holders_are_those_that_a_plain_search_finds() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for count in 0..40 {
            let regions: Vec<Region> = (0..count).map(|i| region(random(50), i * 100, random(30))).collect();
            let space = AddressSpace::new(&regions);
            for address in 0..90 {
                let plain: Vec<Mapped> =
                    space.regions.iter().copied().filter(|m| (m.address..m.end()).contains(&address)).collect();
                assert_eq!(space.holders(address, 99), plain);
                assert_eq!(space.holders(address, 2), plain.iter().copied().take(2).collect::<Vec<_>>());
            }
        }
    }
}
