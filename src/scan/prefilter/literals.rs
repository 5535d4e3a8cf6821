//! The search for literals: grams for those that hold four bytes of text or stand before one more of it, packed SIMD searchers
//! for the others, of which there are few.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aho_corasick::Span;
use aho_corasick::packed::{Builder, Config, MatchKind, Searcher};
use memchr::memmem::Finder;

use super::buckets;
use super::grams::{Grams, Scratch};
use super::marks::Marks;

/// Patterns in one packed searcher; with more it would work half as fast, as with a second one.
const GROUP: usize = 32;

/// Bytes of a head: with four the searchers are slower, and three that are rare let hardly more pass.
const HEAD: usize = 3;

/// What it is worth, in the units of commonness, that another literal has the same head.
const SHARED: i64 = 3;

/// A literal to be searched.
pub struct Wanted {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it is told by.
    pub number: u32,
    /// The bytes of which one stands behind it wherever it counts, where that is known.
    pub next: Option<Vec<u8>>,
}

/// Literals, each with a number, ready to be searched.
pub struct Literals {
    grams: Grams,
    short: Vec<Short>,
    longest: usize,
}

/// Literals by a few bytes of each, its rarest: no two of these heads can stand at one place, so the searcher names the only
/// one.
struct Short {
    search: Search,
    /// The literals of each head.
    by_head: Vec<Vec<Tail>>,
    /// The furthest that a head's last byte stands behind the first one of their literal.
    deepest: usize,
}

/// A literal whose head stands `into` bytes behind its first one.
struct Tail {
    into: usize,
    literal: Box<[u8]>,
    number: u32,
}

enum Search {
    Packed(Searcher),
    /// For processors without the vector instructions that packed searchers need.
    OneByOne(Vec<Finder<'static>>),
}

impl Literals {
    /// A search for `literals`, which are all different and three bytes long at least.
    pub fn new(literals: Vec<Wanted>, commonness: fn(&[u8]) -> u32) -> Self {
        let longest = literals.iter().map(|literal| literal.bytes.len()).max().unwrap_or(0);
        let (long, short): (Vec<_>, Vec<_>) = literals.into_iter().partition(Grams::takes);
        Self { grams: Grams::new(&long, commonness), short: searchers(short, commonness).collect(), longest }
    }

    /// Length of the longest literal.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Calls `found` with the number of every literal that begins at a place of `range`, and that place. With marks, blocks
    /// that have none are passed over where only text is looked for.
    pub fn find(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        marks: Option<&Marks>,
        scratch: &mut Scratch,
        mut found: impl FnMut(u32, usize),
    ) {
        self.grams.find(bytes, range.clone(), marks, scratch, &mut found);
        self.short.iter().for_each(|short| short.find(bytes, range.clone(), &mut found));
    }

    /// How many packed searchers go over all bytes.
    #[cfg(test)]
    pub fn searchers(&self) -> usize {
        self.short.len()
    }

    /// How far behind a literal's first byte the bytes may stand by which it is found.
    pub fn deepest(&self) -> usize {
        self.grams.deepest()
    }
}

fn heads_of(literal: &[u8]) -> impl Iterator<Item = [u8; HEAD]> {
    literal.windows(HEAD).filter_map(|head| head.first_chunk().copied())
}

/// Packed searchers for `literals` by the rarest bytes of each.
fn searchers(literals: Vec<Wanted>, commonness: fn(&[u8]) -> u32) -> impl Iterator<Item = Short> {
    let mut shared: BTreeMap<[u8; HEAD], i64> = BTreeMap::new();
    let all_heads = literals.iter().flat_map(|literal| BTreeSet::from_iter(heads_of(&literal.bytes)));
    all_heads.for_each(|head| *shared.entry(head).or_default() += 1);
    let mut heads: BTreeMap<[u8; HEAD], Vec<Tail>> = BTreeMap::new();
    for Wanted { bytes: literal, number, .. } in literals {
        // A head that others have too makes fewer of them.
        let price =
            |head: &[u8; HEAD]| i64::from(commonness(head)) - SHARED * shared.get(head).copied().unwrap_or_default();
        let all = heads_of(&literal).enumerate();
        if let Some((into, head)) = all.min_by_key(|(_, head)| price(head)) {
            let literal = literal.as_slice().into();
            heads.entry(head).or_default().push(Tail { into, literal, number });
        }
    }
    let (heads, mut tails): (Vec<_>, Vec<_>) = heads.into_iter().unzip();
    let order = buckets::order(&heads);
    let ordered = order.into_iter().filter_map(|i| heads.get(i).copied().zip(tails.get_mut(i).map(std::mem::take)));
    let ordered: Vec<_> = ordered.collect();
    let mut ordered = ordered.into_iter().peekable();
    std::iter::from_fn(move || ordered.peek().is_some().then(|| Short::new(ordered.by_ref().take(GROUP).collect())))
}

impl Short {
    fn new(heads: Vec<([u8; HEAD], Vec<Tail>)>) -> Self {
        let (heads, by_head): (Vec<_>, Vec<_>) = heads.into_iter().unzip();
        let mut builder: Builder = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
        builder.extend(&heads);
        let finders = || heads.iter().map(|head| Finder::new(head).into_owned()).collect();
        let search = builder.build().map_or_else(|| Search::OneByOne(finders()), Search::Packed);
        let deepest = by_head.iter().flatten().map(|tail| tail.into + HEAD - 1).max().unwrap_or(0);
        Self { search, by_head, deepest }
    }

    fn find(&self, bytes: &[u8], range: Range<usize>, found: &mut impl FnMut(u32, usize)) {
        let end = range.end.saturating_add(self.deepest).min(bytes.len());
        let mut tell = |head: usize, at: usize| {
            for tail in self.by_head.get(head).into_iter().flatten() {
                let start = at.checked_sub(tail.into).filter(|start| range.contains(start));
                let here = |start: &usize| bytes.get(*start..).is_some_and(|rest| rest.starts_with(&tail.literal));
                start.filter(here).into_iter().for_each(|start| found(tail.number, start));
            }
        };
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
