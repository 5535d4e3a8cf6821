//! The two coordinate systems, kept apart by type.
//!
//! A [`FileOffset`] counts bytes from the start of the image; an [`Address`] counts bytes in the memory of the process
//! that was dumped. Adding one to the other is the classic mistake of this field, so there is no operation that does it:
//! only a [`crate::dump::Region`] knows how the two relate.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A place in the image, in bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FileOffset(pub u64);

/// A place in the dumped process's virtual (or physical) memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Address(pub u64);

impl fmt::Display for FileOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Address {
    /// The address `bytes` further on; saturates at the top of the address space.
    #[must_use]
    pub fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

/// A run of bytes of the image: `len` bytes from `start`. Never wraps: `start + len <= u64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// First byte, as a file offset.
    pub start: FileOffset,
    /// Number of bytes.
    pub len: u64,
}

impl Span {
    /// `len` bytes from `start`, shortened where they would run past the end of the 64-bit range.
    #[must_use]
    pub fn new(start: u64, len: u64) -> Self {
        Self { start: FileOffset(start), len: len.min(u64::MAX - start) }
    }

    /// The bytes `from..to`; empty when `to < from`.
    #[must_use]
    pub fn between(from: u64, to: u64) -> Self {
        Self::new(from, to.saturating_sub(from))
    }

    /// First byte.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.start.0
    }

    /// One past the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.0.saturating_add(self.len)
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the byte at `offset` is in it.
    #[must_use]
    pub fn contains(&self, offset: u64) -> bool {
        (self.from()..self.end()).contains(&offset)
    }

    /// Whether every byte of `other` is in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.from() <= other.from() && other.end() <= self.end()
    }

    /// Whether the two share a byte.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from() < other.end() && other.from() < self.end()
    }

    /// The bytes that are in both, if there are any.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let both = Self::between(self.from().max(other.from()), self.end().min(other.end()));
        (!both.is_empty()).then_some(both)
    }

    /// Where it is in bytes that stand at `at`, none if it begins before them.
    #[must_use]
    pub fn slice_at(&self, at: u64) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(self.from().checked_sub(at)?).ok()?;
        Some(from..usize::try_from(self.end() - at).ok()?)
    }
}

/// A value for every byte of `0..end`: later paint covers earlier paint.
///
/// It is how a format says "this is a stack, that is a header" without having to sort out overlaps: it paints from the
/// general to the particular, and hostile, overlapping descriptors cost one entry each, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover<T> {
    starts: BTreeMap<u64, T>,
    end: u64,
}

impl<T: Copy + PartialEq> Cover<T> {
    /// The whole of `0..end` has the value `ground`.
    #[must_use]
    pub fn new(end: u64, ground: T) -> Self {
        Self { starts: BTreeMap::from([(0, ground)]), end }
    }

    /// Gives `value` to every byte of `span` that lies inside the cover.
    pub fn paint(&mut self, span: Span, value: T) {
        let (from, to) = (span.from(), span.end().min(self.end));
        if from >= to {
            return;
        }
        let behind = self.at(to);
        let inside: Vec<u64> = self.starts.range(from..to).map(|(&at, _)| at).collect();
        for at in inside {
            self.starts.remove(&at);
        }
        self.starts.insert(from, value);
        if to < self.end
            && let Some(behind) = behind
        {
            self.starts.insert(to, behind);
        }
    }

    /// The value at `offset`; beyond the end, the last one.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<T> {
        self.starts.range(..=offset).next_back().map(|(_, &value)| value)
    }

    /// The value at `offset` and the bytes around it that were painted with it in one stroke.
    #[must_use]
    pub fn run_at(&self, offset: u64) -> Option<(Span, T)> {
        let (&from, &value) = self.starts.range(..=offset).next_back()?;
        let next = self.starts.range(offset.saturating_add(1)..).next().map_or(self.end, |(&next, _)| next);
        Some((Span::between(from, next), value))
    }

    /// Runs of one value that together make up `within`, in order; neighbours of equal value are joined.
    pub fn runs(&self, within: Span) -> Vec<(Span, T)> {
        let mut runs: Vec<(Span, T)> = Vec::new();
        let mut at = within.from();
        let to = within.end().min(self.end);
        while at < to {
            let Some(value) = self.at(at) else { break };
            let next = self.starts.range(at.saturating_add(1)..).next().map_or(self.end, |(&next, _)| next).min(to);
            match runs.last_mut() {
                Some((span, last)) if *last == value => span.len += next - at,
                _ => runs.push((Span::between(at, next), value)),
            }
            at = next;
        }
        runs
    }

    /// Every run, in order.
    #[must_use]
    pub fn all(&self) -> Vec<(Span, T)> {
        self.runs(Span::new(0, self.end))
    }

    /// How many separate paints it holds; what a budget is spent on.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.starts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_paint_covers_earlier_paint_and_leaves_the_rest() {
        let mut cover = Cover::new(100, 'g');
        cover.paint(Span::new(10, 50), 'a');
        cover.paint(Span::new(20, 10), 'b');
        cover.paint(Span::new(90, 500), 'c');
        let runs: Vec<(u64, u64, char)> = cover.all().iter().map(|(s, v)| (s.from(), s.end(), *v)).collect();
        assert_eq!(runs, [(0, 10, 'g'), (10, 20, 'a'), (20, 30, 'b'), (30, 60, 'a'), (60, 90, 'g'), (90, 100, 'c')]);
    }

    #[test]
    fn a_cover_tiles_its_range_whatever_is_painted() {
        let mut cover = Cover::new(64, 0_u64);
        let mut seed = 7_u64;
        for value in 1..500 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            cover.paint(Span::new(seed >> 58, (seed >> 40) & 31), value);
            let runs = cover.all();
            assert_eq!(runs.first().map(|r| r.0.from()), Some(0));
            assert_eq!(runs.last().map(|r| r.0.end()), Some(64));
            assert!(runs.windows(2).all(|w| matches!(w, [a, b] if a.0.end() == b.0.from())));
        }
    }

    #[test]
    fn spans_never_wrap() {
        let span = Span::new(u64::MAX - 1, 100);
        assert_eq!(span.end(), u64::MAX);
        assert!(Span::new(5, 5).intersection(&Span::new(10, 1)).is_none());
    }
}
