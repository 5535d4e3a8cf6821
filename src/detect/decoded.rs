//! Bytes that a detector decoded, which know where they come from.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::finding::Encoding;

/// Text that stands in the window in a code of its own, to be looked at by all detectors.
#[derive(Debug)]
pub struct Decoded {
    /// The text.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Where it stands, from the first place to the last one.
    pub places: Vec<Place>,
    /// The code.
    pub encoding: Encoding,
}

/// Where a part of the text stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its first byte; the part goes on to where the next one begins.
    pub from: usize,
    /// The bytes of the window that hold it. They begin no earlier than those of the part before.
    pub code: Range<usize>,
}

impl Decoded {
    /// Where the byte at `at` of the text begins in the window.
    #[must_use]
    pub fn start(&self, at: usize) -> usize {
        self.place(at).start
    }

    /// The bytes of the window that hold `range` of the text.
    #[must_use]
    pub fn range(&self, range: Range<usize>) -> Range<usize> {
        let first = self.place(range.start);
        let last = if range.is_empty() { first.clone() } else { self.place(range.end - 1) };
        first.start..last.end.max(first.start)
    }

    fn place(&self, at: usize) -> Range<usize> {
        let behind = self.places.partition_point(|place| place.from <= at);
        behind.checked_sub(1).and_then(|i| self.places.get(i)).map_or(0..0, |place| place.code.clone())
    }
}
