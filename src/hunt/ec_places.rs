//! Places where the private key of an elliptic curve may stand: nothing but 32, 48 or 66 bytes that look random.
//!
//! No test tells such bytes from others; only the multiplication does, which takes as long as looking at a hundred kilobytes
//! of memory. So places are put in order. A *run* is a row of full words ([`dense::is_full`]) on a grid of addresses. What an
//! allocator hands out begins and ends at such words, and has a length, a pointer or zeros before and behind it: a run that
//! is exactly as long as a key comes first, then the first and the last words of a longer one, then what stands inside of
//! it. Inside of runs that are longer than any structure of keys (compressed files, ciphertext) come last.
//!
//! How a place ranks depends on the bytes around it alone, and of the memory behind the margins on nothing.

use std::ops::Range;

use zeroize::Zeroizing;

use super::dense::{self, Bits, WORD};
use crate::memory::AddressSpace;
use crate::span::Span;
use crate::window::Window;

/// Words of a run that may be a structure of keys; a longer one is data.
const LONGEST: usize = 64;
/// Bytes around the owned part that say how a place ranks.
const AROUND: usize = WORD * (LONGEST + 16);
/// Of the words of a run, those that make it one.
const SHORTEST: usize = 4;
/// One of so many places inside of long runs is told; which one follows from its bytes.
const SAMPLED: u64 = 64;

/// How likely a key stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is as long as a key, with other things before and behind it.
    Island,
    /// It begins or ends a run.
    Edge,
    /// It stands inside of a run that may be a structure of keys.
    Inside,
    /// It stands inside of a longer run.
    Data,
}

/// Words of keys: of 32 bytes, of 48, of 66 and what fills them up.
pub const SIZES: [usize; 3] = [4, 6, 9];

/// A place that may hold a key.
#[derive(Debug)]
pub struct Place {
    /// How likely.
    pub rank: Rank,
    /// The words there, as they stand in memory.
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

/// A row of full words.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it stands in the window.
    pub range: Range<usize>,
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
    dense: Bits,
    /// Rows of four full words or more, in order. One that goes on beyond what was looked at is cut.
    pub runs: Vec<Run>,
}

/// The runs around the owned part of a window, for each grid on which words stand.
#[must_use]
pub fn grids(window: &Window<'_>, memory: &AddressSpace) -> Vec<Grid> {
    let owned = window.owned();
    let (from, to) = (owned.start.saturating_sub(AROUND), (owned.end + AROUND).min(window.bytes().len()));
    let on = dense::grids(window, memory);
    let on = on.iter().enumerate().filter(|(_, on)| **on);
    on.map(|(grid, _)| Grid::new(window, from + (grid + WORD - from % WORD) % WORD..to)).collect()
}

impl Grid {
    fn new(window: &Window<'_>, range: Range<usize>) -> Self {
        let bytes = window.slice(range.clone());
        let (full, dense) = dense::full_and_dense(bytes.get(..bytes.len() / WORD * WORD).unwrap_or_default());
        let mut runs: Vec<Run> = Vec::new();
        for index in full.runs(SHORTEST).ones() {
            let at = range.start + WORD * index;
            match runs.last_mut() {
                Some(run) if at < run.range.end => run.range.end = at + WORD * SHORTEST,
                _ => runs.push(Run { range: at..at + WORD * SHORTEST }),
            }
        }
        Self { start: range.start, dense, runs }
    }

    /// Whether the word that stands at `at` and the `words` behind it are dense.
    fn is_dense(&self, at: usize, words: usize) -> bool {
        let first = (at - self.start) / WORD;
        (first..first + words).all(|index| self.dense.has(index))
    }
}

/// The places of the window that keys may stand at.
pub fn places(window: &Window<'_>, grids: &[Grid]) -> Places {
    let mut places = Places::default();
    for grid in grids {
        for run in &grid.runs {
            for (size, &words) in SIZES.iter().enumerate() {
                in_run(window, grid, run, size, words, &mut places);
            }
        }
    }
    places
}

fn in_run(window: &Window<'_>, grid: &Grid, run: &Run, size: usize, words: usize, places: &mut Places) {
    // The longest key leaves a word that is not full: two of its bytes stand in it, or none.
    let full = words.min(8);
    let owned = window.owned();
    let first = run.range.start + owned.start.saturating_sub(run.range.start).next_multiple_of(WORD);
    let last = run.range.end.saturating_sub(WORD * full).min(owned.end.saturating_sub(1));
    for at in (first..=last).step_by(WORD) {
        let rank = rank(grid, run, at, full);
        if let Some(rank) = rank
            && let Some(place) = place(window, at, words, rank)
            && looks_random(&place)
        {
            let (Some(all), Some(told)) = (places.all.get_mut(size), places.told.get_mut(size)) else { return };
            *all += 1;
            if rank < Rank::Data || hash(&place) % SAMPLED == 0 {
                let spans = window.spans(at..at + place.len());
                let bytes = Zeroizing::new(place.to_vec());
                // A stitched window shows again what is on both sides of its seam.
                if !window.is_stitched() || spans.len() > 1 {
                    told.push(Place { rank, bytes, spans });
                }
            }
        }
    }
}

fn rank(grid: &Grid, run: &Run, at: usize, words: usize) -> Option<Rank> {
    let (first, last) = (at == run.range.start, at + WORD * words == run.range.end);
    match (first, last) {
        (true, true) => Some(Rank::Island),
        (true, false) | (false, true) => Some(Rank::Edge),
        _ if !grid.is_dense(at, words) => None,
        _ if run.is_long() => Some(Rank::Data),
        _ => Some(Rank::Inside),
    }
}

fn place<'a>(window: &Window<'a>, at: usize, words: usize, _rank: Rank) -> Option<&'a [u8]> {
    let bytes = window.slice(at..at + WORD * words);
    (bytes.len() == WORD * words).then_some(bytes)
}

/// Whether the first 32 bytes vary as random ones do. Of random ones one in 10^5 does not; text has no high bits, code and
/// tables have few values.
#[must_use]
pub fn looks_random(bytes: &[u8]) -> bool {
    let bytes = bytes.get(..32).unwrap_or(bytes);
    let high = bytes.iter().filter(|b| **b >= 128).count();
    (5..=27).contains(&high) && different(bytes) >= 24
}

/// How many different values the bytes have.
fn different(bytes: &[u8]) -> u32 {
    let mut seen = [0_u64; 4];
    for byte in bytes {
        if let Some(seen) = seen.get_mut(usize::from(byte >> 6)) {
            *seen |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|seen| seen.count_ones()).sum()
}

/// A number that follows from the bytes, evenly spread for random ones.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(0, |hash: u64, word| (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(32)
}
