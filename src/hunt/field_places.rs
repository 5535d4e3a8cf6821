//! Places that may hold a number of a key of DSA or Diffie-Hellman, once a prime is known that it may be computed with.
//!
//! All of them are runs of full words in a piece of memory of their own. As long as the prime are the generator and public numbers
//! ([`Places::wide`]). Shorter ones may be private numbers ([`Places::short`]): those of DSA have the length of q, others any, and
//! the highest word of either may be anything. q itself is known at once, since it divides p - 1 ([`Places::orders`]).

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::dense::{self, Bits, WORD};
use super::ec_places;
use super::number_words::Order;
use crate::finding::Encoding;
use crate::keys::limbs::{self, LONGEST, Likeness};
use crate::keys::number::Number;
use crate::keys::safe_primes::PRIMES;
use crate::memory::AddressSpace;
use crate::span::Span;
use crate::window::Window;

/// Full words of the shortest private number: 160 bits are two and a half.
const SHORTEST: usize = 2;
/// Bits of q are a multiple of so many.
const STEP: u32 = 32;
/// Bits of q.
const ORDER: std::ops::RangeInclusive<u32> = 160..=512;
/// Words at the end of a piece of memory that may be left from before.
const ROOM: usize = 1;
/// Bytes by which an allocation may be longer than what it holds, its header included.
const SPARE: usize = 48;
/// Places that one window tells at most for each class.
const MOST: usize = 4096;

/// Words of private numbers, in classes with a budget each.
pub const CLASSES: [std::ops::RangeInclusive<usize>; 4] = [3..=3, 4..=4, 5..=8, 9..=LONGEST];

/// How likely a private number stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Behind the length of an allocation that just holds it, and all that stands there.
    Allocated,
    /// All that stands there.
    Alone,
    /// All but the last word.
    Begins,
}

/// A place that may hold a private number.
#[derive(Clone, Debug)]
pub struct Short {
    /// How likely.
    pub rank: Rank,
    /// The words as they stand in memory.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether they may be Java's.
    pub is_array: bool,
    /// Where.
    pub spans: Vec<Span>,
}

impl Short {
    /// How many words it is long.
    #[must_use]
    pub fn words(&self) -> usize {
        self.bytes.len() / WORD
    }
}

/// The places of one window.
#[derive(Debug, Default)]
pub struct Places {
    /// For a prime, by its place in the list, a number that divides p - 1.
    pub orders: BTreeSet<(usize, Vec<u8>)>,
    /// Numbers as long as a prime, most significant byte first.
    pub wide: BTreeSet<Vec<u8>>,
    /// What may be private numbers, for each of [`CLASSES`].
    pub short: [Vec<Short>; CLASSES.len()],
    /// How many there are of so many words, told or not.
    pub all: BTreeMap<usize, u64>,
}

/// What is looked for.
#[derive(Debug)]
pub struct Wanted {
    /// p - 1 of each prime that may have a q.
    before: Vec<(usize, Number)>,
    /// Words of the primes.
    lengths: BTreeSet<usize>,
}

impl Wanted {
    /// What is computed with these primes.
    #[must_use]
    pub fn new(primes: &[Number]) -> Self {
        let lengths = primes.iter().map(|prime| limbs::of_number(prime).len()).collect();
        let may_have_q = primes.iter().enumerate().filter(|(_, prime)| !PRIMES.contains(prime));
        Self { before: may_have_q.filter_map(|(at, prime)| Some((at, prime.minus_one()?))).collect(), lengths }
    }

    fn longest(&self) -> usize {
        self.lengths.last().copied().unwrap_or(0)
    }

    /// The places that the window owns.
    #[must_use]
    pub fn places(&self, window: &Window<'_>, memory: &AddressSpace) -> Places {
        let mut places = Places::default();
        let on = dense::grids(window, memory.layout());
        let owned = window.owned();
        for (grid, _) in on.iter().enumerate().filter(|(_, on)| **on) {
            let start = owned.start + (grid + WORD - owned.start % WORD) % WORD;
            let start = start.checked_sub(WORD).unwrap_or(start);
            let end = owned.end + WORD * (self.longest() + ROOM + 1);
            let words = Zeroizing::new(dense::words(window.slice(start..end)));
            let full = Bits::full(&words);
            let begins = full.runs(SHORTEST).and(&full.behind_one().not(), 0);
            // What stands before the first word is not seen, unless nothing does.
            let first_begins = start == 0 || start + WORD > owned.start;
            for first in begins.ones().filter(|first| *first > 0 || first_begins) {
                if owned.contains(&(start + WORD * first)) {
                    Run { window, start, words: &words, first, orders: Order::of(memory) }.add(self, &mut places);
                }
            }
        }
        places.short.iter_mut().for_each(keep_the_likeliest);
        places
    }
}

fn keep_the_likeliest(told: &mut Vec<Short>) {
    told.sort_by_cached_key(|place| (place.rank, ec_places::hash(&place.bytes), place.spans.first().copied()));
    told.truncate(MOST);
}

/// A run of full words.
struct Run<'a> {
    window: &'a Window<'a>,
    /// Where the words begin.
    start: usize,
    words: &'a [u64],
    /// Of them the first one of the run.
    first: usize,
    orders: &'a [Order],
}

impl Run<'_> {
    fn add(&self, wanted: &Wanted, places: &mut Places) {
        let most = wanted.longest() + ROOM;
        let behind = self.words.get(self.first..).unwrap_or_default();
        // A random word is not full once in 65,536 times, and long numbers have many.
        let len = behind.iter().take(most + 1).take_while(|word| dense::is_full(**word)).count();
        for &words in &wanted.lengths {
            self.add_wide(words, behind, places);
        }
        if len > most || !varies(behind.get(..len).unwrap_or_default()) {
            return;
        }
        let next = behind.get(len).copied().unwrap_or(0);
        // The highest word of a number may be small.
        let with_next = (next != 0 && next >> 47 == 0).then_some(len + 1);
        let rank = |words| if self.is_allocated(words) { Rank::Allocated } else { Rank::Alone };
        let whole = [with_next, Some(len)].into_iter().flatten().map(|words| (words, rank(words)));
        let begins = (len > ROOM).then_some((len - ROOM, Rank::Begins));
        for (words, rank) in whole.chain(begins) {
            self.add_short(words, rank, wanted, places);
        }
    }

    fn add_short(&self, words: usize, rank: Rank, wanted: &Wanted, places: &mut Places) {
        let at = self.start + WORD * self.first;
        let bytes = self.window.slice(at..at + WORD * words);
        if bytes.len() < WORD * words || words > wanted.longest() {
            return;
        }
        let before = self.before();
        let is_array = (before >> 32) as usize == 2 * words || (before >> 32) as usize + 1 == 2 * words;
        for (_, number) in readings(bytes, is_array) {
            let is_order = ORDER.contains(&number.bits()) && number.bits().is_multiple_of(STEP) && number.is_odd();
            for (prime, before) in wanted.before.iter().filter(|_| is_order) {
                if before.is_multiple_of(&number) {
                    places.orders.insert((*prime, number.to_be()));
                }
            }
        }
        let class = CLASSES.iter().position(|class| class.contains(&words));
        let Some(told) = class.and_then(|class| places.short.get_mut(class)) else { return };
        // A stitched window shows again what is on both sides of its seam.
        let spans = self.window.spans(at..at + bytes.len());
        if self.window.is_stitched() && spans.len() < 2 {
            return;
        }
        told.push(Short { rank, bytes: Zeroizing::new(bytes.to_vec()), is_array, spans });
        *places.all.entry(words).or_default() += 1;
        if told.len() > 2 * MOST {
            keep_the_likeliest(told);
        }
    }

    /// Adds what is as long as a prime.
    fn add_wide(&self, words: usize, behind: &[u64], places: &mut Places) {
        let Some(number) = behind.get(..words) else { return };
        let small = number.iter().filter(|word| !dense::is_full(**word)).count();
        let ends = (words..=words + ROOM).any(|end| behind.get(end).is_none_or(|word| !dense::is_full(*word)));
        if !ends || small > 1 + words / 32 || !Likeness::new(words).has(number) {
            return;
        }
        let array = (self.before() >> 32) as usize == 2 * words;
        for order in self.orders.iter().filter(|order| **order != Order::Words32 || array) {
            let mut limbs: Zeroizing<Vec<u64>> = Zeroizing::new(number.iter().map(|word| order.limb(*word)).collect());
            if !order.lowest_first() {
                limbs.reverse();
            }
            places.wide.insert(limbs::to_number(&limbs).to_be());
        }
    }

    fn before(&self) -> u64 {
        self.first.checked_sub(1).and_then(|before| self.words.get(before)).copied().unwrap_or(0)
    }

    /// Whether glibc's length of an allocation stands before it that just holds so many words: a multiple of 16, with three flags below.
    fn is_allocated(&self, words: usize) -> bool {
        let len = WORD * words;
        (len + WORD..=len + SPARE).contains(&((self.before() & !7) as usize))
    }
}

/// Whether about half of the bits are set, the bytes differ, and many have their highest bit set, which text has not.
fn varies(words: &[u64]) -> bool {
    let high: u32 = words.iter().map(|word| (word & 0x8080_8080_8080_8080).count_ones()).sum();
    high as usize >= words.len() && Likeness::new(words.len()).has(words)
}

/// The numbers that the bytes of a place may be, and how they are written.
#[must_use]
pub fn readings(bytes: &[u8], is_array: bool) -> Vec<(Encoding, Number)> {
    let little: Zeroizing<Vec<u8>> = Zeroizing::new(bytes.iter().rev().copied().collect());
    let zeros = little.iter().take_while(|byte| **byte == 0).count();
    let plain = bytes.get(..bytes.len() - zeros).unwrap_or_default();
    let mut readings =
        vec![(Encoding::LittleEndian, Number::from_be(&little)), (Encoding::Plain, Number::from_be(plain))];
    if is_array {
        let words = bytes.get(..bytes.len() - zeros / 4 * 4).unwrap_or_default();
        let words: Zeroizing<Vec<u8>> =
            Zeroizing::new(words.chunks(4).flat_map(|word| word.iter().rev().copied()).collect());
        readings.push((Encoding::Words32, Number::from_be(&words)));
    }
    readings
}
