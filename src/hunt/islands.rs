//! Numbers that stand alone: moduli that give themselves away by where they stand.
//!
//! A library keeps each big number in a piece of memory of its own, so a modulus is a run of random words of just the right
//! length between words that are not: the header of its chunk and the zeros behind it, the pointers of a structure. Few such
//! islands are in a process, so each of one length can be divided by each of half that length, which needs neither a
//! certificate nor the constants of Montgomery arithmetic ([`super::montgomery`]). Parts of a key that stand in a row
//! without anything between them are an island of several lengths, and are looked at one by one.
//!
//! Where what stands between the numbers of a key was not cleared, they are one run, of which only the two ends are known: a
//! modulus at the one and a prime of it at the other need no other island.
//!
//! CPython's integers say how many digits they have, which is as good.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::dense::{self, Bits, WORD};
use super::montgomery::{Candidate, HALVES, Seen, products};
use super::number_words::{Digits, Order, Place};
use crate::keys::limbs::{self, LONGEST, Likeness};
use crate::window::Window;

/// Limbs of the islands of one length that are kept. Each island may be divided by each of half the length, which takes a
/// second or two at worst.
const MOST: usize = 1 << 17;
/// Words of an island that may look like a border of it: of random words one in 2^16 does.
const BORDERS_INSIDE: usize = 2;
/// Equal parts of an island that are looked at: a modulus, its private exponent, two primes and three numbers of their size.
const PARTS: usize = 9;
/// Words that may be left at the end of a piece of memory: allocators round up.
const ROOM: usize = 1;

/// Words of the longest run of numbers of one key, and as much again for what is left between them.
const RUN: usize = PARTS * LONGEST;

/// Words on one grid of a window, and where numbers may begin and end among them.
pub struct Words<'a> {
    /// The window.
    pub window: &'a Window<'a>,
    /// Where the first of the words stands in the window.
    pub start: usize,
    /// The words.
    pub words: &'a [u64],
    /// The orders in which numbers may stand on the grid.
    pub orders: &'a [Order],
    /// Words that stand behind a border and before random ones.
    pub begins: Vec<usize>,
    /// Where memory begins or ends, sorted: a border without a word of its own.
    edges: Vec<usize>,
    big_endian: bool,
}

impl<'a> Words<'a> {
    /// Looks for borders, two words before `runs`: of words that are dense, and holes between them.
    #[must_use]
    pub fn new(window: &'a Window<'a>, start: usize, words: &'a [u64], runs: &Bits, orders: &'a [Order]) -> Self {
        let (end, last) = (start + WORD * words.len(), window.bytes().len());
        let edges = window.edges_in(start..end).filter(|edge| (edge - start).is_multiple_of(WORD));
        let mut edges: Vec<usize> = edges.map(|edge| (edge - start) / WORD).collect();
        edges.extend((last - end.min(last) < WORD).then_some(words.len()));
        if start < WORD {
            edges.insert(0, 0);
        }
        let big_endian = orders.contains(&Order::BigLimbs64);
        let mut of = Self { window, start, words, orders, begins: Vec::new(), edges, big_endian };
        if !runs.is_empty() {
            let borders = if big_endian { Bits::of(words, |word| of.is_border(word)) } else { Bits::full(words).not() };
            of.begins = borders.and(runs, 2).ones().map(|border| border + 1).collect();
        }
        of.begins.extend(of.edges.iter().copied());
        of
    }

    fn is_border(&self, word: u64) -> bool {
        !dense::is_full(word) || self.big_endian && !dense::is_full(word.swap_bytes())
    }

    /// Whether what stands before `index` ends there.
    fn ends_at(&self, index: usize) -> bool {
        self.words.get(index).is_some_and(|&word| self.is_border(word)) || self.edges.binary_search(&index).is_ok()
    }

    /// Where what begins at `first` may end, at most `most` words further on.
    pub fn ends_behind(&self, first: usize, most: usize) -> impl Iterator<Item = usize> + '_ {
        (first + 1..=(first + most).min(self.words.len())).filter(|&index| self.ends_at(index))
    }

    /// The limbs at `first`, if they may be a prime or a modulus.
    fn number(&self, first: usize, len: usize, order: Order) -> Option<Candidate> {
        let place = Place { start: self.start, words: self.words, order };
        // Of random words one in 600 is not dense.
        let dense = |words: &[u64]| words.iter().filter(|&&word| !dense::is_dense(word)).count() <= 1 + len / 16;
        // Most are told by their ends.
        let may_be = place.last(first, len) & 1 == 1 && place.first(first, len) >> 63 == 1;
        if !may_be || !dense(self.words.get(first..first + len)?) {
            return None;
        }
        let mut limbs = Zeroizing::new([0; LONGEST]);
        let limbs = place.limbs(first, len, &mut limbs).filter(|limbs| is_likely(limbs))?;
        Some(Zeroizing::new(limbs.to_vec()))
    }
}

/// Adds the islands among the words that the window owns.
pub fn in_words(words: &Words<'_>, seen: &mut Seen) {
    let owned = words.window.owned();
    let mut lone = Vec::new();
    for &first in words.begins.iter().filter(|first| owned.contains(&(words.start + WORD * **first))) {
        for end in words.ends_behind(first, RUN).take(1 + BORDERS_INSIDE) {
            (end.saturating_sub(ROOM)..=end).for_each(|end| add_parts(first, end.saturating_sub(first), &mut lone));
        }
        if let Some(end) = words.ends_behind(first, RUN).next() {
            seen.moduli.extend(at_both_ends(words, first, end));
        }
    }
    lone.sort_unstable();
    lone.dedup();
    let candidates = lone.into_iter().flat_map(|lone| words.orders.iter().map(move |order| (lone, *order)));
    seen.alone.extend(candidates.filter_map(|((first, len), order)| words.number(first, len, order)));
}

/// The moduli that begin or end a run whose other end is a prime of theirs.
fn at_both_ends(words: &Words<'_>, first: usize, end: usize) -> Vec<Vec<u8>> {
    let mut moduli = Vec::new();
    for (half, &order) in HALVES.into_iter().flat_map(|half| words.orders.iter().map(move |order| (half, order))) {
        if 3 * half > end - first {
            break;
        }
        for (modulus, prime) in [(first, end - half), (end - 2 * half, first)] {
            if let Some(modulus) = words.number(modulus, 2 * half, order)
                && let Some(prime) = words.number(prime, half, order)
            {
                moduli.extend(products(std::iter::once(modulus.as_slice()), std::iter::once(prime.as_slice())));
            }
        }
    }
    moduli
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

/// Adds the places of numbers in an island of `len` words.
fn add_parts(first: usize, len: usize, lone: &mut Vec<(usize, usize)>) {
    if LENGTHS.contains(&len) {
        lone.push((first, len));
    }
    for half in HALVES.into_iter().filter(|half| len.is_multiple_of(*half) && (3..=PARTS).contains(&(len / half))) {
        let places = (first..first + len).step_by(half);
        lone.extend(places.flat_map(|at| [(at, half), (at, 2 * half)]));
    }
}

/// Whether it may be a prime or a modulus: neither has small divisors.
#[must_use]
pub fn is_likely(limbs: &[u64]) -> bool {
    let odd = limbs.first().is_some_and(|low| low & 1 == 1);
    let great = limbs.last().is_some_and(|top| top >> 63 == 1);
    let random = limbs.len() <= LONGEST && Likeness::new(limbs.len()).has(limbs) && !is_text(limbs);
    odd && great && random && !limbs::has_small_divisor(limbs)
}

/// Whether fewer bytes have their highest bit set than have it by chance, by four standard deviations: text among numbers.
fn is_text(limbs: &[u64]) -> bool {
    let high: u32 = limbs.iter().map(|limb| (limb & 0x8080_8080_8080_8080).count_ones()).sum();
    f64::from(high) + 4.0 * (2.0 * limbs.len() as f64).sqrt() < 4.0 * limbs.len() as f64
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
        if of_len.len() * len > MOST {
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
    use crate::hunt::Shown;
    use crate::image::Image;
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
        let image = Image::from_bytes("t", Vec::new());
        let pieces = [Span::new(0, bytes.len() as u64)];
        let (mut islands, mut moduli) = (Islands::default(), BTreeSet::new());
        for from in (0..bytes.len()).step_by(window) {
            let owned = from..(from + window).min(bytes.len());
            let window = Window::new(bytes, owned, &pieces, &[]);
            let seen = crate::hunt::montgomery::seen(&filter, &Shown::new(&window, &memory, &image));
            seen.alone.into_iter().for_each(|island| islands.add(island));
            moduli.extend(seen.moduli);
        }
        moduli.extend(islands.moduli());
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
            for (shift, tail) in [(0, vec![0; 16]), (0, noise(8, 3)), (8, 0x91_u64.to_le_bytes().to_vec())] {
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
    fn the_ends_of_a_run_are_tried_with_each_other() {
        // One key in ten has a word that looks like a border, or like other memory, in some order.
        let plain = |word: u64| dense::is_dense(word) && dense::is_dense(word.swap_bytes());
        let whole = |number: &Number| ORDERS.iter().all(|o| dense::words(&in_order(number, *o)).into_iter().all(plain));
        let mut keys = std::iter::repeat_with(|| key(1024));
        // And some private exponents are a byte shorter, which no library writes so.
        let is_long = |key: &RsaNumbers| key.d.bits() > 1016;
        let key = keys.find(|key| is_long(key) && [&key.n, &key.d, &key.q].into_iter().all(whole)).unwrap();
        for order in ORDERS {
            let [n, d, p] = [&key.n, &key.d, &key.q].map(|number| in_order(number, order));
            for row in [[&n[..], &noise(16, 1), &d, &noise(40, 2), &p], [&p, &noise(16, 3), &d, &noise(16, 4), &n]] {
                let heap = [vec![0; 64], row.concat(), vec![0; 64]].concat();
                for window in [1 << 16, 40] {
                    assert_eq!(moduli(&heap, window), [key.n.to_be()], "{order:?} {window}");
                }
            }
        }
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
        let islands: Vec<Vec<u64>> =
            noise(8 * 24 * (MOST / 16 + 50), 1).chunks_exact(8 * 24).map(dense::words).collect();
        let (mut one, mut two) = (Islands::default(), Islands::default());
        for island in &islands {
            one.add(Zeroizing::new(island[..16].to_vec()));
            two.add(Zeroizing::new(island[..16].to_vec()));
        }
        islands.iter().rev().for_each(|island| two.add(Zeroizing::new(island[..16].to_vec())));
        assert!(!one.dropped(), "nothing goes with them");
        one.add(Zeroizing::new(islands[0][..8].to_vec()));
        assert!(one.dropped() && one.by_len[&16] == two.by_len[&16] && one.by_len[&16].len() == MOST / 16);
    }
}
