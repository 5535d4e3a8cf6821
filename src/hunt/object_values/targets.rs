//! What pointers are looked for to, and the look at every word.

use multiversion::multiversion;

use super::Target;
use super::reader::word;
use crate::hunt::dense::{LANES, WORD};

/// All that one walk looks for pointers to.
pub struct Targets {
    /// By address.
    targets: Vec<Target>,
    /// Where they stand: the first address, and how far it is to the last.
    ranges: [(u64, u64); RANGES],
    /// One bit for some of the lower bits of each address.
    filter: Box<[u64; FILTER]>,
}

/// Ranges of addresses in which names stand: those of static strings, and some of the heap.
pub const RANGES: usize = 3;

/// Words of the filter.
const FILTER: usize = 1024;

fn bit(address: u64) -> (usize, u64) {
    ((address >> 10) as usize % FILTER, 1 << (address >> 4 & 63))
}

impl Targets {
    /// A set of these.
    pub fn new(mut targets: Vec<Target>) -> Self {
        targets.sort();
        targets.dedup();
        let addresses: Vec<u64> = targets.iter().map(|target| target.address).collect();
        let mut filter = Box::new([0; FILTER]);
        for (at, bit) in addresses.iter().copied().map(bit) {
            filter.iter_mut().skip(at).take(1).for_each(|word| *word |= bit);
        }
        Self { targets, ranges: ranges(&addresses), filter }
    }

    /// Calls `found` for every word of `bytes` that is the address of a target, once for each.
    pub fn pointers<'a>(&'a self, bytes: &[u8], mut found: impl FnMut(usize, &'a Target)) {
        let (blocks, rest) = bytes.as_chunks::<{ WORD * LANES }>();
        let mut last = [0; WORD * LANES];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for (block, at) in blocks.iter().chain([&last]).zip((0..).step_by(WORD * LANES)) {
            let mut left = within(block, &self.ranges);
            while left != 0 {
                let i = WORD * left.trailing_zeros() as usize;
                left &= left - 1;
                let targets = word(block, i).into_iter().flat_map(|word| self.at(word));
                targets.for_each(|target| found(at + i, target));
            }
        }
    }

    fn at(&self, address: u64) -> impl Iterator<Item = &Target> {
        let (word, bit) = bit(address);
        let may_be = self.filter.get(word).is_some_and(|word| word & bit != 0);
        let from = if may_be { self.targets.partition_point(|target| target.address < address) } else { usize::MAX };
        let behind = self.targets.get(from..).unwrap_or_default().iter();
        behind.take_while(move |target| target.address == address)
    }
}

/// The ranges that names stand in, widened over the gaps that are the narrowest.
fn ranges(addresses: &[u64]) -> [(u64, u64); RANGES] {
    let mut parts: Vec<(u64, u64)> = addresses.iter().map(|address| (*address, *address)).collect();
    let mut gaps: Vec<u64> = parts.iter().zip(parts.iter().skip(1)).map(|(a, b)| b.0 - a.1).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    let widest = gaps.get(RANGES - 2).copied().unwrap_or(0).max(1);
    parts.dedup_by(|next, part| {
        let joins = next.0 - part.1 < widest;
        part.1 = if joins { next.1 } else { part.1 };
        joins
    });
    // Where gaps are as wide as each other there are more of them.
    let rest = parts.split_off(parts.len().min(RANGES));
    let mut ranges = [parts.first().map_or((u64::MAX, 0), |(first, last)| (*first, last - first)); RANGES];
    ranges.iter_mut().zip(&parts).for_each(|(range, (first, last))| *range = (*first, last - first));
    if let (Some((_, last)), Some(range)) = (rest.last(), ranges.last_mut()) {
        range.1 = last - range.0;
    }
    ranges
}

/// One bit for each word that is an address in one of the ranges: where it begins, and how far it is to its last address.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
pub fn within(block: &[u8; WORD * LANES], ranges: &[(u64, u64); RANGES]) -> u64 {
    let [a, b, c] = *ranges;
    let mut mask = 0;
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is_in = |(first, len): (u64, u64)| word.wrapping_sub(first) <= len;
        mask |= u64::from(is_in(a) | is_in(b) | is_in(c)) << i;
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_every_address() {
        for addresses in [
            &[][..],
            &[8],
            &[8, 16, 24],
            &[8, 1 << 20, 1 << 30, 1 << 40, (1 << 40) + 8],
            &[8, 16, 900, 908, 1800, 1808],
        ] {
            let ranges = ranges(addresses);
            let is_in = |at: u64| ranges.iter().any(|(first, len)| at.wrapping_sub(*first) <= *len);
            assert!(addresses.iter().all(|at| is_in(*at)), "{ranges:x?}");
        }
    }
}
