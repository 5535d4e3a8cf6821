//! Numbers that stand alone: moduli that give themselves away by where they stand.
//!
//! A library keeps each big number in a piece of memory of its own, so a modulus is a run of random words of just the right
//! length between words that are not: the header of its chunk and the zeros behind it, the pointers of a structure. Few such
//! islands are in a process, so each of one length can be divided by each of half that length, which needs neither a
//! certificate nor the constants of Montgomery arithmetic ([`super::montgomery`]). Parts of a key that stand in a row
//! without anything between them are an island of several lengths, and are looked at one by one.
//!
//! Where one border is missing, because the bytes beside a number were used for something else before, numbers are looked
//! for near each other ([`super::neighbours`]).
//!
//! CPython's integers say how many digits they have, which is as good.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::dense::{self, WORD};
use super::montgomery::{Candidate, HALVES, products};
use super::number_words::{Digits, Order, Place};
use crate::keys::limbs::{LONGEST, Likeness};
use crate::window::Window;

/// Islands of one length that are kept. Each may be divided by each of half the length.
const MOST: usize = 1024;
/// Words of an island that may look like a border of it: of random words one in 2^16 does.
const BORDERS_INSIDE: usize = 2;
/// Equal parts of an island that are looked at: a modulus, its private exponent, two primes and three numbers of their size.
const PARTS: usize = 9;
/// Words that may be left at the end of a piece of memory: allocators round up.
const ROOM: usize = 1;

/// What a random number looks like, by its limbs.
static LIKENESS: LazyLock<Vec<Likeness>> = LazyLock::new(|| (0..=LONGEST).map(Likeness::new).collect());

/// Words on one grid of a window, in the orders in which numbers may stand on it.
pub struct Words<'a> {
    /// The window.
    pub window: &'a Window<'a>,
    /// Where the first of the words stands in the window.
    pub start: usize,
    /// The words.
    pub words: &'a [u64],
    /// The orders.
    pub orders: &'a [Order],
}

impl Words<'_> {
    /// The words that are none of a number, and those at which memory begins or ends: sorted.
    pub fn borders(&self) -> (Vec<usize>, BTreeSet<usize>) {
        let big_endian = self.orders.contains(&Order::BigLimbs64);
        let is_full = |word: u64| dense::is_full(word) && (!big_endian || dense::is_full(word.swap_bytes()));
        let borders = self.words.iter().enumerate().filter(|(_, word)| !is_full(**word)).map(|(i, _)| i);
        let (start, end, last) = (self.start, self.start + WORD * self.words.len(), self.window.bytes().len());
        let edges = self.window.edges_in(start..end).filter(|edge| (edge - start).is_multiple_of(WORD));
        let mut edges: BTreeSet<usize> = edges.map(|edge| (edge - start) / WORD).collect();
        edges.extend((start < WORD).then_some(0));
        edges.extend((last - end.min(last) < WORD).then_some(self.words.len()));
        (borders.collect(), edges)
    }
}

/// Adds the islands among the words that the window owns.
pub fn in_words(words: &Words<'_>, seen: &mut Vec<Candidate>) {
    let mut limbs = Zeroizing::new([0; LONGEST]);
    let owned = words.window.owned();
    let (borders, edges) = words.borders();
    let lone = lone(&borders, &edges).into_iter().filter(|(index, _)| owned.contains(&(words.start + WORD * index)));
    for (index, len) in lone {
        for &order in words.orders {
            let place = Place { start: words.start, words: words.words, order };
            let limbs = place.limbs(index, len, &mut limbs);
            seen.extend(limbs.filter(|limbs| is_likely(limbs)).map(|limbs| Zeroizing::new(limbs.to_vec())));
        }
    }
}

/// Adds the integers of CPython that begin among `owned` of the stretches of digits.
pub fn in_digits(window: &Window<'_>, stretches: &[Range<usize>], owned: &Range<usize>, seen: &mut Vec<Candidate>) {
    for (stretch, grid) in stretches.iter().flat_map(|stretch| (0..WORD / 2).map(move |grid| (stretch, grid))) {
        let start = stretch.start + (grid + WORD - stretch.start % (WORD / 2)) % (WORD / 2);
        let words = dense::halves(window.slice(start..stretch.end));
        for (i, size) in words.windows(2).enumerate().filter(|(i, _)| owned.contains(&(start + 4 * i))) {
            // The number of digits, which newer versions keep above three bits for the sign.
            let [size, 0] = *size else { continue };
            let counts = |count: usize| [count as u64, (count as u64) << 3].contains(&size);
            let limbs = LENGTHS.iter().map(|&len| Digits::of(len)).find(|digits| counts(digits.count));
            let limbs = limbs.and_then(|digits| digits.limbs(&words, i + 2)).map(Zeroizing::new);
            seen.extend(limbs.filter(|limbs| is_likely(limbs)));
        }
    }
}

/// Lengths of primes and of moduli, in limbs.
pub static LENGTHS: LazyLock<BTreeSet<usize>> =
    LazyLock::new(|| HALVES.iter().flat_map(|half| [*half, 2 * half]).collect());

/// Where a number may stand alone, and how many words it then has.
fn lone(borders: &[usize], edges: &BTreeSet<usize>) -> BTreeSet<(usize, usize)> {
    let mut ends: Vec<usize> = borders.iter().chain(edges).copied().collect();
    ends.sort_unstable();
    let mut lone = BTreeSet::new();
    for first in borders.iter().map(|border| border + 1).chain(edges.iter().copied()) {
        let behind = ends.partition_point(|&end| end <= first);
        let ends = ends.iter().skip(behind).take(1 + BORDERS_INSIDE);
        for end in ends.flat_map(|end| end.saturating_sub(ROOM)..=*end) {
            add_parts(first, end.saturating_sub(first), &mut lone);
        }
    }
    lone
}

/// The places of numbers in an island of `len` words.
fn add_parts(first: usize, len: usize, lone: &mut BTreeSet<(usize, usize)>) {
    if LENGTHS.contains(&len) {
        lone.insert((first, len));
    }
    for half in HALVES.into_iter().filter(|half| len.is_multiple_of(*half) && (3..=PARTS).contains(&(len / half))) {
        let places = (first..first + len).step_by(half);
        lone.extend(places.flat_map(|at| [(at, half), (at, 2 * half)]));
    }
}

/// Whether it may be a prime or a modulus.
pub fn is_likely(limbs: &[u64]) -> bool {
    let odd = limbs.first().is_some_and(|low| low & 1 == 1);
    let great = limbs.last().is_some_and(|top| top >> 63 == 1);
    odd && great && LIKENESS.get(limbs.len()).is_some_and(|like| like.has(limbs))
}

/// Islands of the whole image.
#[derive(Debug, Default)]
pub struct Islands {
    /// By length, and then by the two lowest limbs; of several the greatest.
    by_len: BTreeMap<usize, BTreeMap<[u64; 2], Candidate>>,
    dropped: BTreeSet<usize>,
}

impl Islands {
    /// Keeps an island. Where there is no more room the greatest of its length goes, so that the order does not matter.
    pub fn add(&mut self, island: Candidate) {
        let (len, Some(key)) = (island.len(), island.first_chunk().copied()) else { return };
        let of_len = self.by_len.entry(len).or_default();
        let kept = of_len.entry(key).or_default();
        if island.as_slice() > kept.as_slice() {
            *kept = island;
        }
        if of_len.len() > MOST {
            of_len.pop_last();
            self.dropped.insert(len);
        }
    }

    /// Whether there were more than are kept of a length, and some of the length that goes with it: a gap.
    #[must_use]
    pub fn dropped(&self) -> bool {
        let pairs = |half: &usize| self.by_len.contains_key(half) && self.by_len.contains_key(&(2 * half));
        let dropped = |half: &usize| self.dropped.contains(half) || self.dropped.contains(&(2 * half));
        HALVES.iter().any(|half| pairs(half) && dropped(half))
    }

    /// The moduli, most significant byte first, that another island divides into two numbers of half their size.
    pub fn moduli(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let of = |len: usize| {
            self.by_len.get(&len).into_iter().flat_map(|of_len| of_len.values()).map(|island| island.as_slice())
        };
        HALVES.into_iter().flat_map(move |half| products(of(2 * half), of(half)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::number::Number;
    use crate::keys::rsa::RsaNumbers;
    use crate::keys::testing::{noise, rsa_key};
    use crate::memory::AddressSpace;
    use crate::span::Span;
    use ::rsa::traits::PrivateKeyParts as _;

    fn key(bits: usize) -> RsaNumbers {
        let key = rsa_key(bits);
        let [p, q] = key.primes() else { panic!() };
        let (p, q) = (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()));
        RsaNumbers::from_primes(p, q, Number::from(65537), None).unwrap()
    }

    fn moduli(bytes: &[u8], window: usize) -> Vec<Vec<u8>> {
        let (memory, filter) = (AddressSpace::new(&[]), crate::hunt::montgomery::Filter::new(0));
        let pieces = [Span::new(0, bytes.len() as u64)];
        let mut islands = Islands::default();
        for from in (0..bytes.len()).step_by(window) {
            let owned = from..(from + window).min(bytes.len());
            let window = Window::new(bytes, owned, &pieces, &[]);
            let seen = crate::hunt::montgomery::seen(&filter, &window, &memory);
            seen.alone.into_iter().for_each(|island| islands.add(island));
        }
        let moduli: BTreeSet<Vec<u8>> = islands.moduli().collect();
        moduli.into_iter().collect()
    }

    /// Words of eight bytes in some order, by another way than the one that they are read by.
    fn in_order(number: &Number, order: Order) -> Vec<u8> {
        let bytes = number.to_be();
        match order {
            Order::Limbs => bytes.into_iter().rev().collect(),
            Order::Bytes => bytes,
            Order::Words32 => bytes.chunks(4).flat_map(|word| word.iter().rev().copied()).collect(),
            Order::BigLimbs64 => bytes.rchunks(8).flatten().copied().collect(),
            Order::BigLimbs32 => bytes.rchunks(4).flatten().copied().collect(),
        }
    }

    const ORDERS: [Order; 5] = [Order::Limbs, Order::Bytes, Order::Words32, Order::BigLimbs64, Order::BigLimbs32];

    #[test]
    fn a_modulus_and_a_prime_that_stand_alone_are_enough_in_every_order() {
        for (bits, order) in [1024, 1536, 2048].into_iter().flat_map(|bits| ORDERS.map(|order| (bits, order))) {
            let key = key(bits);
            for (shift, tail) in [(0, vec![0; 16]), (0, noise(8, 3)), (4, 0x91_u64.to_le_bytes().to_vec())] {
                let heap = [
                    &vec![0; 64 + shift][..],
                    &in_order(&key.n, order),
                    &tail,
                    &[0; 64],
                    &noise(4096, 2),
                    &[0; 64],
                    &in_order(&key.q, order),
                    &[0; 64],
                ];
                for window in [1 << 16, 40] {
                    assert_eq!(moduli(&heap.concat(), window), [key.n.to_be()], "{bits} {order:?} {shift} {window}");
                }
            }
        }
    }

    #[test]
    fn numbers_in_a_row_are_taken_apart() {
        let key = key(1024);
        let row = [&key.n, &key.p, &key.q].map(|number| in_order(number, Order::Limbs)).concat();
        let heap = [vec![0; 64], row, vec![0; 64]].concat();
        assert_eq!(moduli(&heap, 1 << 16), [key.n.to_be()]);
    }

    #[test]
    fn integers_of_python_say_how_long_they_are() {
        let key = key(2048);
        let integer = |number: &Number, tag: fn(u64) -> u64| {
            let (mut rest, mut digits) = (number.clone(), Vec::new());
            while !rest.is_zero() {
                let (next, digit) = rest.div_rem(&Number::from(1 << 30)).unwrap();
                digits.extend((digit.to_u64().unwrap() as u32).to_le_bytes());
                rest = next;
            }
            let header = [1_u64, 0x7f12_3456_7890, tag(digits.len() as u64 / 4)];
            [header.map(u64::to_le_bytes).concat(), digits, vec![0; 20]].concat()
        };
        for tag in [|count| count, |count| count << 3] {
            let bytes = [vec![0; 128], integer(&key.n, tag), vec![0; 128], integer(&key.p, tag), vec![0; 128]].concat();
            for window in [1 << 16, 100] {
                assert_eq!(moduli(&bytes, window), [key.n.to_be()]);
            }
        }
    }

    #[test]
    fn noise_is_no_island_and_more_than_the_budget_are_dropped_in_any_order_alike() {
        assert!(moduli(&noise(1 << 22, 4), 1 << 20).is_empty());
        let islands: Vec<Vec<u64>> = noise(8 * 24 * (MOST + 50), 1).chunks_exact(8 * 24).map(dense::words).collect();
        let (mut one, mut two) = (Islands::default(), Islands::default());
        for island in &islands {
            one.add(Zeroizing::new(island[..16].to_vec()));
            two.add(Zeroizing::new(island[..16].to_vec()));
        }
        islands.iter().rev().for_each(|island| two.add(Zeroizing::new(island[..16].to_vec())));
        assert!(!one.dropped(), "nothing goes with them");
        one.add(Zeroizing::new(islands[0][..8].to_vec()));
        assert!(one.dropped() && one.by_len[&16] == two.by_len[&16] && one.by_len[&16].len() == MOST);
    }
}
