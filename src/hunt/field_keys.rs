//! Keys of DSA and Diffie-Hellman that are nothing but numbers, proven by y = g^x (mod p).
//!
//! Where a prime is known ([`super::field_primes`]) one more walk gathers the numbers in memory ([`super::field_places`]). A prime of
//! DSA has a q that divides p - 1; then g and y are the numbers whose power by q is 1, whichever of them is which. Diffie-Hellman is
//! computed with primes of which (p - 1) / 2 is a prime too, and with 2, 3 or 5. A prime that is neither, or without a number that
//! may be y, is passed over. Then g is raised to each number that may be x, and what comes out is looked up among all that may be y.
//!
//! A power takes some 50 us, so the likeliest places are tried first, as many as a budget allows; the rest is told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::field_places::{CLASSES, Places, Rank, Short, Wanted, readings};
use super::least::Least;
use super::{Clues, ec_places};
use crate::detect::{Far, Hits};
use crate::finding::{Encoding, Form, Layout, Piece};
use crate::keys::dsa::{self, Numbers};
use crate::keys::exponent::is_probable_prime;
use crate::keys::number::{FixedBase, Modulus, Number};
use crate::keys::safe_primes::PRIMES;
use crate::span::Span;

/// Places of one class that are kept of any image, and one more for so many bytes of it.
const KEPT: (usize, u64) = (4096, 256 << 10);
/// Numbers that may be public that are kept of one image.
const WIDE: usize = 4096;
/// Products of limbs that the powers of one scan may cost, of any image, for each byte of it, and at most: a third of a second and
/// half of what a scan takes for the byte.
const WORK: (u64, u64, u64) = (1 << 27, 1, 1 << 29);
/// Numbers in a table for six bits of exponents.
const TABLE: u64 = 64;
/// Bits of the shortest private number: less than this would be found by counting.
const LEAST: u32 = 129;
/// Leading zeros that a number below q has by chance, at most.
const ZEROS: u32 = 40;
/// Bits of the longest exponent that tables are made for: for longer ones a table costs more than it saves, since there are few.
const TABLES: u32 = 320;
/// Words by which places are told apart where the cheaper ones come first.
const LONG: usize = 16;
/// Places that are tried together.
const BATCH: usize = 64;
/// Generators of groups in which nothing else is said.
const GENERATORS: [u64; 3] = [2, 3, 5];

/// Numbers of the whole image.
#[derive(Debug)]
pub struct FieldKeys {
    primes: Vec<Number>,
    orders: BTreeSet<(usize, Vec<u8>)>,
    wide: Least<u64, Vec<u8>>,
    short: [Least<(Rank, u64), Kept>; CLASSES.len()],
    work: u64,
    /// Places by their words.
    all: BTreeMap<usize, u64>,
}

/// Bytes that are to be tried, wherever they stand.
#[derive(Debug)]
struct Kept {
    /// The first place of them.
    place: Short,
    places: u64,
}

/// A group, and what may be a public number of it.
struct Target {
    prime: Number,
    order: Option<Number>,
    generator: Number,
    modulus: Modulus,
    powers: Option<FixedBase>,
    publics: HashSet<Vec<u8>>,
}

/// What is to be done: each batch may be done on a thread of its own.
pub struct Work<'a> {
    targets: Vec<Target>,
    places: Vec<&'a Short>,
    /// Places that are tried, and places that there are.
    tried: (u64, u64),
    /// Whether more numbers may be public than are kept.
    dropped: bool,
}

impl FieldKeys {
    /// None, of keys that these primes may belong to in an image of `len` bytes.
    #[must_use]
    pub fn new(primes: Vec<Number>, len: u64) -> Self {
        let most = KEPT.0.saturating_add(usize::try_from(len / KEPT.1).unwrap_or(usize::MAX / 2));
        let short = std::array::from_fn(|_| Least::new(most));
        Self {
            primes,
            orders: BTreeSet::new(),
            wide: Least::new(WIDE),
            short,
            work: len.saturating_mul(WORK.1).saturating_add(WORK.0).min(WORK.2),
            all: BTreeMap::new(),
        }
    }

    /// What the walk looks for.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted::new(&self.primes)
    }

    /// Adds what a window holds. The order of adding does not matter.
    pub fn add(&mut self, places: Places) {
        self.orders.extend(places.orders);
        places.all.into_iter().for_each(|(words, all)| *self.all.entry(words).or_default() += all);
        for number in places.wide {
            self.wide.add(ec_places::hash(&number), number, |kept, number| *kept = number);
        }
        for (kept, told) in self.short.iter_mut().zip(places.short) {
            for place in told {
                let key = (place.rank, ec_places::hash(&place.bytes));
                kept.add(key, Kept { place, places: 1 }, |known, Kept { place, places }| {
                    known.places += places;
                    if place.spans < known.place.spans {
                        known.place = place;
                    }
                });
            }
        }
    }

    /// What is to be tried.
    #[must_use]
    pub fn work(&self, clues: &Clues) -> Work<'_> {
        let mut targets: Vec<Target> = (0..self.primes.len()).flat_map(|at| self.targets(at, clues)).collect();
        let fits = |words: usize| targets.iter().any(|target| target.fits(words));
        let kept = self.short.iter().flat_map(Least::values).filter(|kept| fits(kept.place.words()));
        let mut kept: Vec<&Kept> = kept.collect();
        // Of equals the long ones, which cost most, come last; and those of three words behind those of four: below 193 bits only q
        // of 160 bits has private numbers.
        kept.sort_by_key(|kept| (kept.place.rank, kept.place.words().div_ceil(LONG), kept.place.words() < 4));
        let (mut work, mut tables) = (self.work, vec![0; targets.len()]);
        kept.retain(|kept| {
            let words = kept.place.words();
            let fitting = || targets.iter().zip(&tables).filter(|(target, _)| target.fits(words));
            let cost = fitting().map(|(target, table)| target.work(words) + target.table(*table, words)).sum();
            let Some(rest) = work.checked_sub(cost) else { return false };
            work = rest;
            let longer =
                targets.iter().zip(&mut tables).filter(|(target, table)| target.fits(words) && **table < words);
            longer.for_each(|(_, table)| *table = words);
            true
        });
        let all = self.all.iter().filter(|(words, _)| fits(**words)).map(|(_, all)| all).sum();
        let tried = (kept.iter().map(|kept| kept.places).sum(), all);
        let places: Vec<&Short> = kept.into_iter().map(|kept| &kept.place).collect();
        targets.iter_mut().for_each(|target| target.prepare(&places));
        Work { dropped: self.wide.dropped() > 0 && !targets.is_empty(), targets, places, tried }
    }

    fn targets(&self, at: usize, clues: &Clues) -> Vec<Target> {
        let (Some(prime), Some(modulus)) = (self.primes.get(at), self.primes.get(at).and_then(Modulus::new)) else {
            return Vec::new();
        };
        let orders = self.orders.iter().filter(|(of, _)| *of == at).map(|(_, order)| Number::from_be(order));
        let orders: Vec<Number> = orders.filter(is_probable_prime).collect();
        let len = words_of(prime);
        let wide = self.wide.values().map(|bytes| Number::from_be(bytes));
        let wide: Vec<Number> = wide.filter(|w| w < prime && w.bits() > 64 * (len as u32 - 2)).collect();
        let target = |order: Option<&Number>, generator: &Number, publics: &[Number]| Target {
            prime: prime.clone(),
            order: order.cloned(),
            generator: generator.clone(),
            modulus: modulus.clone(),
            powers: None,
            publics: publics.iter().filter(|y| *y != generator).map(Number::to_be).collect(),
        };
        let mut targets = Vec::new();
        for order in &orders {
            let in_group = |w: &&Number| modulus.pow(w, order).is_some_and(|power| power.is_one());
            let members: Vec<Number> = wide.iter().filter(in_group).cloned().collect();
            // Alone, it is a generator without a public number.
            if members.len() > 1 {
                targets.extend(members.iter().map(|g| target(Some(order), g, &members)));
            }
        }
        let half = || prime.minus_one().and_then(|even| Some(even.div_rem(&Number::from(2))?.0));
        let is_safe = || PRIMES.contains(prime) || half().is_some_and(|half| is_probable_prime(&half));
        let moduli: HashSet<&[u8]> = clues.iter().filter_map(|clue| clue.modulus()).collect();
        let publics: Vec<Number> = wide.into_iter().filter(|w| !moduli.contains(w.to_be().as_slice())).collect();
        if orders.is_empty() && !publics.is_empty() && is_safe() {
            let generators = if PRIMES.contains(prime) { &GENERATORS[..1] } else { &GENERATORS };
            targets.extend(generators.iter().map(|g| target(None, &Number::from(*g), &publics)));
        }
        targets
    }
}

impl Target {
    /// Works out the tables for the longest of the places.
    fn prepare(&mut self, places: &[&Short]) {
        let fitting = || places.iter().map(|place| place.words()).filter(|words| self.fits(*words));
        // Each is read in two ways; the table is of no use for longer ones.
        let exponents = 2 * fitting().filter(|words| 64 * *words as u32 <= TABLES).count();
        let bits = fitting().max().map(|words| (64 * words as u32).min(TABLES));
        self.powers = bits.and_then(|bits| FixedBase::new(&self.generator, &self.modulus, bits, exponents));
    }

    /// Whether so many words are about as long as a private number of this group.
    fn fits(&self, words: usize) -> bool {
        match &self.order {
            Some(order) => words == words_of(order),
            None => words <= words_of(&self.prime),
        }
    }

    /// About how many products of limbs it takes to try so many words: two readings, a multiplication for every six bits, or, where
    /// no table is that long, five for every four bits.
    fn work(&self, words: usize) -> u64 {
        let bits = 64 * words as u64;
        let times = if bits > u64::from(TABLES) { bits + bits / 4 } else { sixes(words) };
        2 * times * self.product()
    }

    /// The same to make a table longer.
    fn table(&self, from: usize, to: usize) -> u64 {
        TABLE * sixes(to).saturating_sub(sixes(from)) * self.product()
    }

    fn product(&self) -> u64 {
        2 * (words_of(&self.prime) as u64).pow(2)
    }

    fn key(&self, x: &Number) -> Option<Numbers> {
        let bits = x.bits();
        let fits = match &self.order {
            Some(order) => x < order && bits + ZEROS >= order.bits(),
            None => x < &self.prime && bits >= LEAST,
        };
        let powers = self.powers.as_ref().filter(|_| fits)?;
        let y = if bits > TABLES { self.modulus.pow(&self.generator, x) } else { powers.pow(x) }?;
        let known = self.publics.contains(&y.to_be());
        let Self { prime, order, generator, .. } = self;
        known.then(|| Numbers { p: prime.clone(), q: order.clone(), g: generator.clone(), y: Some(y), x: x.clone() })
    }
}

impl Work<'_> {
    /// The work in pieces.
    pub fn batches(&self) -> impl Iterator<Item = (&Self, &[&Short])> {
        self.places.chunks(BATCH).filter(|_| !self.targets.is_empty()).map(move |places| (self, places))
    }

    /// What was not tried, in words.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let (tried, all) = self.tried;
        let more = if self.dropped { "; not all numbers that may be public were kept" } else { "" };
        (tried < all || self.dropped).then(|| {
            format!(
                "{tried} of {all} places that may hold the private number of a key of DSA or Diffie-Hellman were tried, the most \
                 likely first{more}"
            )
        })
    }

    /// The keys that are proven at these places.
    #[must_use]
    pub fn hits(&self, places: &[&Short]) -> Hits {
        let mut hits = Hits::default();
        for place in places {
            for (encoding, x) in readings(&place.bytes, place.is_array) {
                for target in self.targets.iter().filter(|target| target.fits(place.words())) {
                    if let Some(key) = target.key(&x).as_ref().and_then(dsa::proven_key) {
                        let len = x.to_be().len();
                        let form = Form { layout: Layout::Bare, encoding, piece: Piece::D };
                        hits.far.push(Far { hit: key.at(0..len, form), spans: cut(&place.spans, encoding, len) });
                    }
                }
            }
        }
        hits
    }
}

/// How often there are six bits in so many words, as far as tables go.
fn sixes(words: usize) -> u64 {
    u64::from(TABLES).min(64 * words as u64).div_ceil(6)
}

fn words_of(number: &Number) -> usize {
    (number.bits() as usize).div_ceil(64)
}

/// The spans of a number of `len` bytes: of Java's words whole ones.
fn cut(spans: &[Span], encoding: Encoding, len: usize) -> Vec<Span> {
    let mut left = if encoding == Encoding::Words32 { len.next_multiple_of(4) } else { len } as u64;
    let cut = |span: &Span| {
        let len = span.len.min(left);
        left -= len;
        (len > 0).then(|| Span::new(span.from(), len))
    };
    spans.iter().filter_map(cut).collect()
}
