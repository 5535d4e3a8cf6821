//! Places where the private key of an elliptic curve may stand: nothing but 32, 48 or 66 bytes that look random.
//!
//! No test tells such bytes from others; only the multiplication does, which takes as long as looking at a hundred kilobytes
//! of memory. So places are put in order. A *run* is a row of full words ([`dense::is_full`]) on a grid of addresses. What an
//! allocator hands out begins and ends at such words, and has a length, a pointer or zeros before and behind it: a run that
//! is exactly as long as a key comes first, and one that begins behind the length that allocators write; then the first and
//! the last words of others, then what stands inside of them. Inside of runs that are longer than any structure of keys
//! (compressed files, ciphertext) come last.
//!
//! CPython's integers are told apart by the number of their digits, which stands before them, and Java's arrays by theirs.
//!
//! How a place ranks depends on the bytes around it alone, and of the memory behind the margins on nothing.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::dense::{self, Kinds, LANES, WORD};
use super::randomness::looks_random;
use crate::finding::Encoding;
use crate::keys::digits::{self, CPYTHON};
use crate::memory::AddressSpace;
use crate::span::Span;
use crate::window::Window;

/// Words of a run that may be a structure of keys; a longer one is data.
const LONGEST: usize = 64;
/// Bytes around the owned part that say how a place ranks.
const AROUND: usize = WORD * (LONGEST + 16);
/// Of the words of a run, those that make it one.
const SHORTEST: usize = 4;
/// Places of each size that one window tells at most: what comes behind them in one window comes behind many of others too.
const MOST: usize = 4096;
/// The same where all of them are likely: in the heap of Go nearly every number is an allocation of its own.
const MOST_LIKELY: usize = 4 * MOST;
/// One of so many places inside of long runs is told.
const SAMPLED: usize = 64;

/// How likely a key stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is as long as a key, with other things before and behind it.
    Island,
    /// It begins a run, behind what may be the length of an allocation.
    Chunk,
    /// It begins or ends a run.
    Edge,
    /// It stands inside of a run that may be a structure of keys.
    Inside,
    /// It stands inside of a longer run.
    Data,
}

/// What the bytes of a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Words, in an order that is not known.
    Words,
    /// Words of an array of so many numbers of 4 bytes, or what looks like one: perhaps Java's.
    Array,
    /// Digits of CPython or libtommath.
    Digits(Encoding),
}

impl Shape {
    /// Whether the bytes of a place are a number that was read from digits, and stand nowhere as they are.
    #[must_use]
    pub fn is_digits(self) -> bool {
        matches!(self, Self::Digits(_))
    }
}

/// Words of keys: of 32 bytes, of 48, of 66 and what fills them up.
pub const SIZES: [usize; 3] = [4, 6, 9];

/// A place that may hold a key.
#[derive(Debug)]
pub struct Place {
    /// How likely.
    pub rank: Rank,
    /// What the bytes are.
    pub shape: Shape,
    /// The words there as they stand in memory, or the number that the digits are, most significant byte first.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Where.
    pub spans: Vec<Span>,
}

/// Places of one window.
#[derive(Debug, Default)]
pub struct Places {
    /// Those that are told, for each of [`SIZES`].
    pub told: [Vec<Place>; SIZES.len()],
    /// How many there are, told or not.
    pub all: [u64; SIZES.len()],
}

impl Places {
    /// Adds a place of 32 bytes that is known to be worth a look.
    pub fn add(&mut self, place: Place) {
        let ([told, ..], [all, ..]) = (&mut self.told, &mut self.all);
        told.push(place);
        *all += 1;
    }

    /// Adds a place for a key of so many bytes that is likelier than others.
    pub fn add_of(&mut self, len: usize, place: Place) {
        let mut sizes = SIZES.iter().zip(&mut self.told).zip(&mut self.all);
        if let Some(((_, told), all)) = sizes.find(|((words, _), _)| **words == len.div_ceil(WORD)) {
            told.push(place);
            *all += 1;
        }
    }

    /// Counts places of 32 bytes that are worth a look and get none.
    pub fn leave_out(&mut self, count: u64) {
        let [all, ..] = &mut self.all;
        *all += count;
    }
}

/// A row of full words.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it stands in the window.
    pub range: Range<usize>,
    /// Whether four of its words in a row may look random: so it is where [`Grid::is_random`] says so of one place in it.
    pub is_random: bool,
}

impl Run {
    /// Its words.
    #[must_use]
    pub fn words(&self) -> usize {
        self.range.len() / WORD
    }

    /// Whether it is too long to be a structure of keys.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.words() > LONGEST
    }
}

/// The runs on one grid, and which words of the window are dense on it.
#[derive(Debug)]
pub struct Grid {
    /// Where its first word stands.
    start: usize,
    kinds: Kinds,
    /// Words of runs that are not long which vary, and with the three behind them look random.
    random: Vec<u64>,
    /// Rows of four full words or more, four of which vary, in order. One that goes on beyond what was looked at is cut.
    pub runs: Vec<Run>,
}

/// The runs around the owned part of a window, for each grid on which words stand.
#[must_use]
pub fn grids(window: &Window<'_>, memory: &AddressSpace) -> Vec<Grid> {
    let owned = window.owned();
    let (from, to) = (owned.start.saturating_sub(AROUND), (owned.end + AROUND).min(window.bytes().len()));
    let on = dense::grids(window, memory.layout());
    let on = on.iter().enumerate().filter(|(_, on)| **on);
    on.map(|(grid, _)| Grid::new(window, from + (grid + WORD - from % WORD) % WORD..to)).collect()
}

impl Grid {
    fn new(window: &Window<'_>, range: Range<usize>) -> Self {
        let bytes = window.slice(range.clone());
        let kinds = Kinds::of(bytes.get(..bytes.len() / WORD * WORD).unwrap_or_default(), SHORTEST);
        let rows = kinds.runs.rows().filter(|row| kinds.varied.ones_in(row.clone()).next().is_some());
        let place = |row: Range<usize>| range.start + WORD * row.start..range.start + WORD * (row.end + SHORTEST - 1);
        let runs = rows.map(|row| Run { range: place(row), is_random: true }).collect();
        let random = vec![0; bytes.len().div_ceil(WORD * LANES)];
        let mut grid = Self { start: range.start, kinds, random, runs };
        grid.find_random(window);
        grid
    }

    /// Asks once what every look at the runs asks.
    fn find_random(&mut self, window: &Window<'_>) {
        let Self { start, kinds, random, runs } = self;
        for run in runs.iter_mut().filter(|run| !run.is_long()) {
            run.is_random = false;
            let first = (run.range.start - *start) / WORD;
            for index in kinds.varied.ones_in(first..first + run.words() + 1 - SHORTEST) {
                let at = *start + WORD * index;
                if looks_random(window.slice(at..at + WORD * SHORTEST)) {
                    run.is_random = true;
                    random.get_mut(index / LANES).into_iter().for_each(|bits| *bits |= 1 << (index % LANES));
                }
            }
        }
    }

    /// Whether the word of the run that stands at `at` and the three behind it, which belong to the run too, vary and look random.
    #[must_use]
    pub fn is_random(&self, window: &Window<'_>, run: &Run, at: usize) -> bool {
        if run.is_long() {
            return self.varies(at) && looks_random(window.slice(at..at + WORD * SHORTEST));
        }
        let index = (at - self.start) / WORD;
        self.random.get(index / LANES).is_some_and(|bits| bits >> (index % LANES) & 1 == 1)
    }

    /// Whether the word that stands at `at` and the `words` behind it are dense.
    pub fn is_dense(&self, at: usize, words: usize) -> bool {
        let first = (at - self.start) / WORD;
        (first..first + words).all(|index| self.kinds.dense.has(index))
    }

    /// Whether the word that stands at `at` and the three behind it vary.
    fn varies(&self, at: usize) -> bool {
        self.kinds.varied.has((at - self.start) / WORD)
    }
}

/// What has come to be too unlikely to be tried: a place that stands behind all that are kept, of as many as there is room for. It
/// only ever becomes less, so whoever asks too early keeps what will be dropped, and nothing else.
#[derive(Debug)]
pub struct Room([[AtomicU64; 2]; SIZES.len()]);

impl Default for Room {
    fn default() -> Self {
        Self(std::array::from_fn(|_| [AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)]))
    }
}

impl Room {
    /// So that two that are equal but for the lowest bits of the hash are not told apart.
    fn order(rank: Rank, hash: u64) -> u64 {
        (rank as u64) << 61 | hash >> 3
    }

    fn last(&self, size: usize, rank: Rank) -> Option<&AtomicU64> {
        self.0.get(size)?.get(usize::from(rank > Rank::Chunk))
    }

    /// Says which is the last of the places of a size that are kept, of those that are likely or of the others.
    pub fn ends_with(&self, size: usize, rank: Rank, hash: u64) {
        self.last(size, rank).into_iter().for_each(|last| last.store(Self::order(rank, hash), Ordering::Relaxed));
    }

    /// Whether there may be room for a place.
    fn is_for(&self, size: usize, seen: &Seen) -> bool {
        let last = self.last(size, seen.rank).map_or(u64::MAX, |last| last.load(Ordering::Relaxed));
        Self::order(seen.rank, seen.hash) <= last
    }
}

/// The places of the window that keys may stand at, for which there may be room.
pub fn places(window: &Window<'_>, grids: &[Grid], room: &Room) -> Places {
    let (mut places, mut sizes) = (Places::default(), SIZES.map(|_| (Vec::new(), MOST)));
    for grid in grids {
        for run in grid.runs.iter().filter(|run| run.is_random) {
            let sampled = sampled(window, grid, run);
            for (((seen, kept), all), &words) in sizes.iter_mut().zip(&mut places.all).zip(&SIZES) {
                *all += in_run(window, grid, run, words, &sampled, seen);
                if seen.len() >= 2 * *kept {
                    keep_the_likeliest(window, seen);
                    *kept = seen.len().max(MOST);
                }
            }
        }
    }
    for ((size, (mut seen, _)), told) in sizes.into_iter().enumerate().zip(&mut places.told) {
        if seen.len() > MOST {
            keep_the_likeliest(window, &mut seen);
        }
        told.extend(seen.into_iter().filter(|seen| room.is_for(size, seen)).map(|seen| seen.place(window)));
    }
    places
}

/// Keeps [`MOST`], or more if they are likely, in the order in which they would be tried, so that a window full of noise takes no more memory
/// than others.
fn keep_the_likeliest(window: &Window<'_>, seen: &mut Vec<Seen>) {
    seen.sort_by_cached_key(|seen| (seen.rank, seen.hash, window.offset(seen.range.start)));
    seen.dedup_by(|a, b| (a.rank, a.hash) == (b.rank, b.hash) && a.bytes(window) == b.bytes(window));
    let likely = seen.partition_point(|seen| seen.rank <= Rank::Chunk);
    seen.truncate(likely.clamp(MOST, MOST_LIKELY));
}

/// Adds the places in a run that the window owns; how many there are.
fn in_run(window: &Window<'_>, grid: &Grid, run: &Run, words: usize, sampled: &[usize], seen: &mut Vec<Seen>) -> u64 {
    // The longest key leaves a word that is not full: two of its bytes stand in it, or none.
    let full = words.min(8);
    let owned = window.owned();
    let Range { start: first, end } = begins(window, run, full);
    let look = |at: usize| Seen::at(window, grid, run, at, words, full);
    let random = |at: &usize| grid.is_random(window, run, *at);
    let before = seen.len();
    if !run.is_long() {
        seen.extend((first..end).step_by(WORD).filter(random).filter_map(look));
        return (seen.len() - before) as u64;
    }
    let last = run.range.end - WORD * full;
    seen.extend([run.range.start, last].into_iter().filter(|at| owned.contains(at)).filter(random).filter_map(look));
    let inside = sampled.iter().copied().filter(|at| *at < end && *at != run.range.start && *at != last);
    seen.extend(inside.filter_map(look));
    (end.saturating_sub(first) / WORD) as u64
}

/// Where in a run so many full words may begin that the window owns.
fn begins(window: &Window<'_>, run: &Run, full: usize) -> Range<usize> {
    let owned = window.owned();
    let first = run.range.start + owned.start.saturating_sub(run.range.start).next_multiple_of(WORD);
    first..owned.end.min((run.range.end + 1).saturating_sub(WORD * full))
}

/// The places inside of a long run that are told, if they look random. Which ones follows from their place in the file, so it does not
/// matter which window sees them.
fn sampled(window: &Window<'_>, grid: &Grid, run: &Run) -> Vec<usize> {
    if !run.is_long() {
        return Vec::new();
    }
    let Range { start: first, end } = begins(window, run, SHORTEST);
    let offset = window.offset(first).map_or(0, |offset| offset.0 as usize / WORD);
    let skipped = WORD * (SAMPLED - 1 - (offset + SAMPLED - 1) % SAMPLED);
    let sampled = (first + skipped..end).step_by(WORD * SAMPLED);
    sampled.filter(|at| grid.is_random(window, run, *at)).collect()
}

/// A place whose bytes were not copied yet: most are not kept.
struct Seen {
    rank: Rank,
    shape: Shape,
    /// Of its bytes.
    hash: u64,
    range: Range<usize>,
    /// The number that digits are.
    number: Option<Zeroizing<Vec<u8>>>,
}

impl Seen {
    /// Of a place that looks random.
    fn at(window: &Window<'_>, grid: &Grid, run: &Run, at: usize, words: usize, full: usize) -> Option<Self> {
        let rank = rank(window, grid, run, at, full)?;
        let range = at..at + WORD * words;
        let bytes = window.slice(range.clone());
        // A stitched window shows again what is on both sides of its seam.
        if bytes.len() < WORD * words || window.is_stitched() && window.spans(range.clone()).len() < 2 {
            return None;
        }
        let before = before(window, at);
        let number = if at == run.range.start { of_cpython(window, at, before, words) } else { None };
        if let Some((number, len)) = number {
            let hash = hash(&number);
            let (rank, shape, range) = (Rank::Island, Shape::Digits(Encoding::Digits30), at..at + len);
            return Some(Self { rank, shape, hash, range, number: Some(number) });
        }
        let numbers = if words == 9 { 17 } else { 2 * words as u64 };
        let shape = if before >> 32 == numbers { Shape::Array } else { Shape::Words };
        Some(Self { rank, shape, hash: hash(bytes), range, number: None })
    }

    fn bytes<'a>(&'a self, window: &Window<'a>) -> &'a [u8] {
        self.number.as_ref().map_or_else(|| window.slice(self.range.clone()), |number| number.as_slice())
    }

    fn place(self, window: &Window<'_>) -> Place {
        let bytes = Zeroizing::new(self.bytes(window).to_vec());
        Place { rank: self.rank, shape: self.shape, bytes, spans: window.spans(self.range) }
    }
}

/// The word before a place; 0 where there is none.
fn before(window: &Window<'_>, at: usize) -> u64 {
    let word = at.checked_sub(WORD).map(|before| window.slice(before..at));
    word.and_then(|word| word.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
}

fn rank(window: &Window<'_>, grid: &Grid, run: &Run, at: usize, words: usize) -> Option<Rank> {
    let (first, last) = (at == run.range.start, at + WORD * words == run.range.end);
    match (first, last) {
        (true, true) => Some(Rank::Island),
        (true, false) if is_chunk(window, at) => Some(Rank::Chunk),
        (true, false) | (false, true) => Some(Rank::Edge),
        _ if !grid.is_dense(at, words) => None,
        _ if run.is_long() => Some(Rank::Data),
        _ => Some(Rank::Inside),
    }
}

/// Whether glibc's length of an allocation stands before `at`, and another one where the next allocation begins, as far as
/// the window shows it: a multiple of 16, with three flags in the bits below.
fn is_chunk(window: &Window<'_>, at: usize) -> bool {
    let is_length = |word: u64| (0x20..0x1_0000).contains(&word) && word & 8 == 0;
    let length = before(window, at);
    let next = at + (length & !7) as usize % 0x1_0000;
    is_length(length) && (next > window.bytes().len() || is_length(before(window, next)))
}

/// The number of so many words that CPython's digits from `at` on make, most significant byte first, and the bytes of the
/// digits. Before them stands how many they are, since CPython 3.12 times 8.
fn of_cpython(window: &Window<'_>, at: usize, before: u64, words: usize) -> Option<(Zeroizing<Vec<u8>>, usize)> {
    let bits = if words == 9 { 521 } else { 64 * words };
    let count = CPYTHON.count(bits);
    if before != count as u64 && before != 8 * count as u64 {
        return None;
    }
    let bytes = window.slice(at..at + 4 * count);
    let digits: Option<Vec<u64>> = bytes.chunks_exact(CPYTHON.size).map(|bytes| CPYTHON.digit(bytes)).collect();
    let digits = Zeroizing::new(digits?);
    let (mut number, len) = (digits::joined(digits.iter().copied(), CPYTHON.bits), bits.div_ceil(8));
    let fits = bytes.len() == 4 * count && number.iter().skip(len).all(|b| *b == 0);
    number.truncate(len);
    number.reverse();
    fits.then_some((number, bytes.len()))
}

/// A number that follows from the bytes, evenly spread for random ones.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(0, |hash: u64, word| (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(32)
}
