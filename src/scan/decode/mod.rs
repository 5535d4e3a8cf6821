//! What is encoded in a window, decoded: bytes that know where they come from.
//!
//! Each kind of encoding gives a [`Source`]: the decoded bytes, and for each range of them the bytes of the window that hold
//! it. The window of decoded bytes is looked at like any other, and the hits are told where the encoded bytes stand.

pub mod escapes;
#[cfg(test)]
mod tests;

use std::ops::Range;

use zeroize::Zeroizing;

use crate::detect::{Candidate, Decoded, TextView, base64_run};
use crate::finding::Encoding;
use crate::scan::prefilter::{Code, Coded, Letters, Narrow, digits_around};
use crate::window::Window;

use escapes::{Escapes, Unescaped};

/// Decoded bytes.
pub trait Source {
    /// The bytes.
    fn bytes(&self) -> &[u8];
    /// Where in the window the byte at `at` begins; never before where the one before it begins.
    fn start(&self, at: usize) -> usize;
    /// The bytes of the window that hold `range`.
    fn range(&self, range: Range<usize>) -> Range<usize>;
    /// How it is encoded.
    fn encoding(&self) -> Encoding;

    /// The first byte that begins at `at` of the window or behind it.
    fn first_from(&self, at: usize) -> usize {
        let (mut low, mut high) = (0, self.bytes().len());
        // Mostly it is all of the bytes or none.
        if high == 0 || self.start(0) >= at {
            return 0;
        }
        if self.start(high - 1) < at {
            return high;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start(middle) < at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Decoded letters of base64 or hexadecimal digits.
pub struct OfLetters<'a> {
    bytes: Zeroizing<Vec<u8>>,
    code: Code,
    first: usize,
    letters: &'a Letters,
    /// The window, and the narrow letters where the text is in UTF-16.
    window: &'a Window<'a>,
    narrow: Option<&'a Narrow>,
}

/// The letters to decode for a place: from the first whole group of its run to the run's end.
#[must_use]
pub fn whole_run(letters: &Letters, coded: &Coded, digits: &mut Range<usize>) -> Range<usize> {
    let mut run = letters.run_of(coded.letter);
    if coded.code == Code::Hex {
        if !digits.contains(&coded.letter) {
            *digits = digits_around(letters.letters(), coded.letter);
        }
        run = digits.clone();
    }
    let group = coded.code.group().0.cast_signed();
    let skip = (coded.group - run.start.cast_signed()).rem_euclid(group);
    (run.start + skip.unsigned_abs()).min(run.end)..run.end
}

impl<'a> OfLetters<'a> {
    /// Decodes the letters `run`, which begin with a group.
    pub fn new(
        code: Code,
        run: Range<usize>,
        letters: &'a Letters,
        window: &'a Window<'a>,
        narrow: Option<&'a Narrow>,
    ) -> Self {
        let first = run.start;
        let text = letters.letters().get(run).unwrap_or_default();
        let bytes = match code {
            Code::Base64 => base64_run::decode(text),
            Code::Hex => {
                let whole = text.get(..text.len() / 2 * 2).unwrap_or_default();
                Zeroizing::new(base16ct::mixed::decode_vec(whole).unwrap_or_default())
            }
        };
        Self { bytes, code, first, letters, window, narrow }
    }
}

impl Source for OfLetters<'_> {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn start(&self, at: usize) -> usize {
        let (letters, bytes) = self.code.group();
        let place = self.letters.place(self.first + at * letters / bytes).start;
        self.narrow.map_or(place, |narrow| narrow.at(place))
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        let (letters, bytes) = self.code.group();
        let first = self.letters.place(self.first + range.start * letters / bytes).start;
        let behind = self.first + (range.end * letters).div_ceil(bytes);
        let end = self.letters.place(behind.saturating_sub(1)).end.max(first);
        let Some(narrow) = self.narrow else { return first..end };
        let candidate = Candidate { at: narrow.at(first), literal: 0, wide: true };
        let view = TextView::around(self.window, candidate, 0, end - first);
        let at = view.letter_at(candidate.at);
        view.bytes_of(at..at + (end - first))
    }

    fn encoding(&self) -> Encoding {
        match self.code {
            Code::Base64 => Encoding::Base64,
            Code::Hex => Encoding::Hex,
        }
    }
}

impl Source for Decoded {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn start(&self, at: usize) -> usize {
        self.start(at)
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        self.range(range)
    }

    fn encoding(&self) -> Encoding {
        self.encoding
    }
}

/// Text without its escapes.
pub struct OfEscapes<'a> {
    /// The text.
    pub text: Unescaped,
    /// The letters that it was read from, and the first of them.
    pub view: &'a TextView<'a>,
    /// Index of the first letter.
    pub first: usize,
    /// Which escapes it had.
    pub kind: Escapes,
}

impl Source for OfEscapes<'_> {
    fn bytes(&self) -> &[u8] {
        &self.text.bytes
    }

    fn start(&self, at: usize) -> usize {
        self.range(at..at + 1).start
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        let first = self.text.places.get(range.start).map_or(0, |place| place.start);
        let end = range.end.checked_sub(1).and_then(|last| self.text.places.get(last)).map_or(first, |place| place.end);
        self.view.bytes_of(self.first + first..self.first + end.max(first))
    }

    fn encoding(&self) -> Encoding {
        match self.kind {
            Escapes::Percent => Encoding::Percent,
            Escapes::Backslash => Encoding::Escaped,
        }
    }
}
