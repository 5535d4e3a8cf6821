//! The search for literals: grams for those of four bytes and more, packed SIMD searchers for those of three.

use std::ops::Range;

use aho_corasick::Span;
use aho_corasick::packed::{Builder, Config, MatchKind, Searcher};
use memchr::memmem::Finder;

use super::grams::{GRAM, Grams};

/// Patterns in one packed searcher; above 64 it would fall back to a scalar search.
const GROUP: usize = 48;

/// Literals, each with a number, ready to be searched.
pub struct Literals<const WORDS: usize> {
    grams: Grams<WORDS>,
    short: Vec<Short>,
    longest: usize,
}

/// Literals of three bytes: no two of them can stand at one place, so the searcher names the only one.
struct Short {
    search: Search,
    numbers: Vec<u32>,
}

enum Search {
    Packed(Searcher),
    /// For processors without the vector instructions that packed searchers need.
    OneByOne(Vec<Finder<'static>>),
}

impl<const WORDS: usize> Literals<WORDS> {
    /// A search for `literals`, which are all different and three bytes long at least.
    pub fn new(literals: Vec<(Vec<u8>, u32)>, commonness: fn(&[u8]) -> u32) -> Self {
        let longest = literals.iter().map(|(bytes, _)| bytes.len()).max().unwrap_or(0);
        let (long, short): (Vec<_>, Vec<_>) = literals.into_iter().partition(|(bytes, _)| bytes.len() >= GRAM);
        let short = short.chunks(GROUP).map(Short::new).collect();
        Self { grams: Grams::new(&long, commonness), short, longest }
    }

    /// Length of the longest literal.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Calls `found` with the number of every literal that begins at a place of `range`, and that place.
    pub fn find(&self, bytes: &[u8], range: Range<usize>, mut found: impl FnMut(u32, usize)) {
        self.grams.find(bytes, range.clone(), &mut found);
        self.short.iter().for_each(|short| short.find(bytes, range.clone(), &mut found));
    }
}

impl Short {
    fn new(literals: &[(Vec<u8>, u32)]) -> Self {
        let mut builder: Builder = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
        builder.extend(literals.iter().map(|(bytes, _)| bytes));
        let finders = |all: &[(Vec<u8>, u32)]| all.iter().map(|(bytes, _)| Finder::new(bytes).into_owned()).collect();
        let numbers = literals.iter().map(|(_, number)| *number).collect();
        match builder.build() {
            Some(searcher) => Self { search: Search::Packed(searcher), numbers },
            None => Self { search: Search::OneByOne(finders(literals)), numbers },
        }
    }

    fn find(&self, bytes: &[u8], range: Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let end = (range.end + 2).min(bytes.len());
        let mut tell = |index: usize, at| self.numbers.get(index).into_iter().for_each(|&number| found(number, at));
        match &self.search {
            Search::Packed(searcher) => {
                let mut start = range.start;
                while let Some(hit) = searcher.find_in(bytes, Span { start, end }) {
                    tell(hit.pattern().as_usize(), hit.start());
                    start = hit.start() + 1;
                }
            }
            Search::OneByOne(finders) => {
                for (index, finder) in finders.iter().enumerate() {
                    let mut start = range.start;
                    while let Some(at) = bytes.get(start..end).and_then(|rest| finder.find(rest)) {
                        tell(index, start + at);
                        start += at + 1;
                    }
                }
            }
        }
    }
}
