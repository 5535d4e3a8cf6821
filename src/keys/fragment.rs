//! What is left of an RSA key when the head or the tail of its structure is gone.
//!
//! A freed copy of a key loses its first bytes to the allocator: glibc writes two pointers over them, more when the chunk is
//! joined with its neighbours. The SEQUENCE header and the version are gone then, perhaps part of n, but the INTEGERs behind
//! still stand one after the other, each with its own header. [`chain`] walks them, and [`recover`] computes the key from
//! any of them that pin it down.

use std::ops::Range;

use super::FoundKey;
use super::exponent;
use super::number::Number;
use super::rsa::RsaNumbers;
use crate::finding::{Evidence, PublicIdentity};
use crate::vault::Secret;

/// The rule of fragments that no arithmetic proves.
pub const RULE: &str = "rsa-key-fragment";
/// INTEGERs that one key can have, and some more.
const MOST: usize = 12;
/// Lengths in bytes of an INTEGER that counts as a number of a key: a prime of RSA-1024 whose first bytes are zero, and the
/// modulus of RSA-16384 with its sign.
const LENGTHS: std::ops::RangeInclusive<usize> = 60..=2049;
/// Longest version or public exponent, in bytes, its sign included.
const SHORT: usize = 9;
/// How many bytes a number may be shorter than its place allows: each byte more has a chance of 2^-8.
const SLACK: usize = 8;
/// Exponents that are tried where none is to be seen.
const COMMON_E: [u64; 6] = [65537, 3, 17, 5, 257, 37];

/// A DER INTEGER: where its header starts and which bytes its value has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integer {
    /// The tag's position.
    pub start: usize,
    /// The value's bytes, the sign's zero byte included.
    pub value: Range<usize>,
}

impl Integer {
    /// The minimal, positive INTEGER whose tag is at `at`, if it is there in full.
    #[must_use]
    pub fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let mut header = bytes.get(at..)?.iter().copied();
        let (tag, first) = (header.next()?, header.next()?);
        let (from, len) = match first {
            1..=0x7f => (2, usize::from(first)),
            0x81 => (3, usize::from(header.next().filter(|&len| len >= 0x80)?)),
            0x82 => (4, usize::from(header.next().filter(|&high| high > 0)?) << 8 | usize::from(header.next()?)),
            _ => return None,
        };
        let start = at.checked_add(from)?;
        let value = start..start.checked_add(len)?;
        let minimal = match bytes.get(value.clone())? {
            [0] | [1..0x80, ..] => true,
            [0, second, ..] => *second >= 0x80,
            _ => false,
        };
        (tag == 2 && minimal).then_some(Self { start: at, value })
    }

    fn len(&self) -> usize {
        self.value.len()
    }

    fn is_number(&self) -> bool {
        LENGTHS.contains(&self.len())
    }

    /// A version or a public exponent: odd, or zero.
    fn is_short(&self, bytes: &[u8]) -> bool {
        let odd = bytes.get(self.value.clone()).and_then(|v| v.last()).is_some_and(|last| last & 1 == 1 || *last == 0);
        self.len() <= SHORT && odd
    }
}

/// Consecutive INTEGERs with the sizes of a key's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// In order; at least two, of which at least one is a number of a key.
    pub integers: Vec<Integer>,
}

impl Chain {
    /// From the first header to the last value's end.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        let start = self.integers.first().map_or(0, |i| i.start);
        start..self.integers.last().map_or(start, |i| i.value.end)
    }

    /// The values, in order.
    #[must_use]
    pub fn values<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        self.integers.iter().filter_map(|i| bytes.get(i.value.clone())).collect()
    }
}

/// The INTEGERs from the one whose header is at `at`, as long as their sizes are those of one key's numbers: equal, double
/// or half, with a version or a public exponent between.
#[must_use]
pub fn chain(bytes: &[u8], at: usize) -> Option<Chain> {
    let mut integers: Vec<Integer> = Vec::new();
    let (mut next, mut last) = (at, None);
    while let Some(integer) = Integer::at(bytes, next).filter(|_| integers.len() < MOST) {
        let fits = match last {
            _ if integer.is_short(bytes) => integers.len() < 3,
            Some(len) => integer.is_number() && related(integer.len(), len),
            None => integer.is_number(),
        };
        if !fits {
            break;
        }
        if integer.is_number() {
            last = Some(integer.len());
        }
        next = integer.value.end;
        integers.push(integer);
    }
    (integers.len() > 1 && last.is_some()).then_some(Chain { integers })
}

/// Where the chain starts that the INTEGER at `at` belongs to, so that whichever of its INTEGERs is looked at, the chain is
/// the same.
#[must_use]
pub fn chain_start(bytes: &[u8], at: usize) -> usize {
    let Some(first) = Integer::at(bytes, at) else { return at };
    let mut len = first.is_number().then(|| first.len());
    let mut start = at;
    for _ in 0..MOST {
        let before = match len {
            Some(len) => number_before(bytes, start, len),
            // A short INTEGER that comes first looks ahead for the size of its neighbours.
            None => {
                len = Integer::at(bytes, first.value.end).filter(Integer::is_number).map(|i| i.len());
                len.and_then(|len| number_before(bytes, start, len))
            }
        };
        if let Some(before) = before {
            (start, len) = (before.start, Some(before.len()));
            continue;
        }
        // A version or an exponent; behind an exponent another number may stand, of the size of the one after it.
        let Some(short) = short_before(bytes, start) else { break };
        start = short.start;
    }
    start
}

/// Whether two lengths are those of two numbers of one key.
fn related(a: usize, b: usize) -> bool {
    a.abs_diff(b) <= SLACK || (2 * a).abs_diff(b) <= SLACK || a.abs_diff(2 * b) <= SLACK
}

/// The number of a key that ends where the INTEGER at `end` begins, of a size that goes with `len`.
fn number_before(bytes: &[u8], end: usize, len: usize) -> Option<Integer> {
    let around = |middle: usize| middle.saturating_sub(SLACK)..=middle.saturating_add(SLACK);
    let lengths = around(len).chain(around(2 * len)).chain(around(len / 2)).filter(|len| LENGTHS.contains(len));
    lengths.filter_map(|len| integer_before(bytes, end, len)).next()
}

fn short_before(bytes: &[u8], end: usize) -> Option<Integer> {
    (1..=SHORT).filter_map(|len| integer_before(bytes, end, len)).find(|integer| integer.is_short(bytes))
}

fn integer_before(bytes: &[u8], end: usize, len: usize) -> Option<Integer> {
    let header = match len {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        _ => 4,
    };
    let start = end.checked_sub(len + header).filter(|&start| bytes.get(start) == Some(&2))?;
    Integer::at(bytes, start).filter(|integer| integer.value.end == end)
}

/// What the chain that the INTEGER at `at` belongs to is: the proven key, or a fragment of what looks like one.
#[must_use]
pub fn found(chain: &Chain, bytes: &[u8]) -> Option<FoundKey> {
    let values = chain.values(bytes);
    // Arithmetic costs milliseconds; text or code that happens to hold two headers must not cost that.
    if !values.iter().filter(|value| value.len() >= *LENGTHS.start()).all(|value| looks_random(value)) {
        return None;
    }
    match recover(&values) {
        Some(key) => key.into_found(Evidence::Proven),
        None => unproven(&values),
    }
}

/// Three numbers in a row of one size (give or take a byte), all different and all random to the eye. Two are not enough:
/// DSA and DH parameters, ECDSA signatures of P-521, and RSA public keys beside another number come in twos.
fn unproven(values: &[&[u8]]) -> Option<FoundKey> {
    let random = |value: &&[u8]| (60..=513).contains(&value.len()) && looks_random(value);
    let run = values.windows(3).find(|run| {
        let [a, b, c] = run else { return false };
        let sizes = a.len().abs_diff(b.len()) <= 1 && b.len().abs_diff(c.len()) <= 1;
        sizes && a != b && b != c && a != c && run.iter().all(random)
    })?;
    let bits = run.iter().map(|value| Number::from_be(value).bits()).max().unwrap_or_default();
    let kind = format!("INTEGERs of {bits} bits");
    let public = PublicIdentity { kind, ..PublicIdentity::default() };
    let secret = Secret::bytes(&values.concat());
    Some(FoundKey { rule: RULE, evidence: Evidence::Matched, severity: None, public, secret })
}

/// Whether the bytes vary as random ones do: text, code and tables have far fewer different values. The numbers of a key
/// pass always, for all that can be measured: they would have to be ten standard deviations from the average.
#[must_use]
pub fn looks_random(value: &[u8]) -> bool {
    distinct(value) * 256 >= expected(value.len())
}

fn distinct(value: &[u8]) -> usize {
    let mut seen = [0_u64; 4];
    for byte in value {
        if let Some(seen) = seen.get_mut(usize::from(byte >> 6)) {
            *seen |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|seen| seen.count_ones() as usize).sum()
}

/// Bytes for which it is worked out while compiling how many different values are expected: as long as numbers of keys are.
const WORKED_OUT: usize = 2048;

/// Three quarters of the different values that so many random bytes have on the average, times 256.
fn expected(len: usize) -> usize {
    static EXPECTED: [u16; WORKED_OUT] = expected_values();
    // Of more random bytes than that, all values but a tenth of one are expected.
    EXPECTED.get(len).or(EXPECTED.last()).map_or(0, |expected| usize::from(*expected))
}

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn expected_values() -> [u16; WORKED_OUT] {
    let (mut values, mut missing, mut len) = ([0; WORKED_OUT], 256.0_f64, 0);
    while len < WORKED_OUT {
        values[len] = ((256.0 - missing) * 192.0) as u16;
        missing = missing * 255.0 / 256.0;
        len += 1;
    }
    values
}

/// The key that the numbers pin down, whichever of n, e, d, p, q, dp, dq, qinv (in this order) they are. The chance that
/// numbers of no key pass is below 2^-64.
#[must_use]
pub fn recover(integers: &[&[u8]]) -> Option<RsaNumbers> {
    let numbers: Vec<Number> = integers.iter().take(MOST).map(|bytes| Number::from_be(bytes)).collect();
    let clues = Clues::of(&numbers)?;
    let key = clues.modulus_and_prime();
    let key = key.or_else(|| clues.both_exponents()).or_else(|| clues.both_primes());
    let key = key.or_else(|| clues.one_prime()).or_else(|| clues.no_prime()).or_else(|| clues.one_exponent());
    key.filter(RsaNumbers::prove)
}

/// The numbers of a chain by what they can be.
struct Clues<'a> {
    /// Of the size of n and d.
    full: Vec<&'a Number>,
    /// Of the size of p, q, dp, dq and qinv.
    half: Vec<&'a Number>,
    /// Public exponents, those that were seen first.
    exponents: Vec<Number>,
    /// How many of them were seen.
    seen: usize,
}

impl<'a> Clues<'a> {
    fn of(numbers: &'a [Number]) -> Option<Self> {
        let longest = numbers.iter().map(Number::bits).max().filter(|&bits| (240..=16384).contains(&bits))?;
        let full: Vec<&Number> = numbers.iter().filter(|n| n.bits() > longest / 4 * 3).collect();
        let half: Vec<&Number> =
            numbers.iter().filter(|n| (longest / 8 * 3..=longest / 4 * 3).contains(&n.bits())).collect();
        // Where all are of one size, they are either: n and d, or the five of half that size.
        let half = if half.is_empty() { full.clone() } else { half };
        let mut exponents: Vec<Number> =
            numbers.iter().filter(|n| (2..=64).contains(&n.bits()) && n.is_odd()).cloned().collect();
        let seen = exponents.len();
        exponents.extend(COMMON_E.map(Number::from));
        Some(Self { full, half, exponents, seen })
    }

    /// n and one of its primes.
    fn modulus_and_prime(&self) -> Option<RsaNumbers> {
        let pairs = self.full.iter().flat_map(|n| self.half.iter().map(move |p| (n, p)));
        let mut pairs = pairs.filter(|(n, p)| n.bits() > p.bits() + 64 && p.is_odd() && n.is_multiple_of(p));
        let (n, p) = pairs.next()?;
        let (p, q) = ((*p).clone(), n.div_rem(p)?.0);
        if p > q { self.key(&p, &q) } else { self.key(&q, &p) }
    }

    /// n and d, with e seen or guessed.
    fn both_exponents(&self) -> Option<RsaNumbers> {
        let pairs = self.full.windows(2).flat_map(|pair| self.exponents.iter().map(move |e| (pair, e)));
        let (p, q) = pairs
            .filter_map(|(pair, e)| match pair {
                [n, d] if n.is_odd() && d < n => exponent::factor(n, e, d),
                _ => None,
            })
            .next()?;
        self.key(&p, &q)
    }

    /// p and q in a row, and what ties them together: q * qinv = 1 (mod p), or an exponent for each.
    fn both_primes(&self) -> Option<RsaNumbers> {
        self.tied(|p, q| self.has_inverse(p, q) || self.have_exponents(p, q))
    }

    /// p and q in a row, and an exponent for one while the other is prime and no exponent itself: of q, dp, dq the second
    /// is prime by chance once in some hundreds.
    fn one_exponent(&self) -> Option<RsaNumbers> {
        self.tied(|p, q| {
            let (e, other) = match (self.exponent_of(p), self.exponent_of(q)) {
                (Some(e), None) => (e, q),
                (None, Some(e)) => (e, p),
                _ => return false,
            };
            let sizes = p.bits().min(q.bits())..=p.bits().max(q.bits());
            let may_be = |prime: &Number| sizes.contains(&prime.bits()) && exponent::is_probable_prime(prime);
            exponent::is_probable_prime(other) && !exponent::primes_of(&e, other).iter().any(may_be)
        })
    }

    fn tied(&self, are_tied: impl Fn(&Number, &Number) -> bool) -> Option<RsaNumbers> {
        self.half.windows(2).find_map(|pair| {
            let [p, q] = pair else { return None };
            let tied = p.is_odd() && q.is_odd() && p != q && are_tied(p, q);
            self.key(p, q).filter(|_| tied)
        })
    }

    /// q with dp, dq and qinv: dq gives e, dp gives p, qinv confirms it.
    fn one_prime(&self) -> Option<RsaNumbers> {
        self.half.windows(4).find_map(|four| {
            let [q, dp, dq, qinv] = four else { return None };
            let e = exponent::small_inverse(dq, &q.minus_one()?).filter(|_| q.is_odd())?;
            let p = exponent::primes_of(&e, dp).into_iter().find(|p| inverts(p, q, qinv))?;
            RsaNumbers::from_primes(p, (*q).clone(), e, None)
        })
    }

    /// dp, dq and qinv alone: every p that dp allows with every q that dq allows, until qinv confirms a pair.
    fn no_prime(&self) -> Option<RsaNumbers> {
        self.half.windows(3).find_map(|three| {
            let [dp, dq, qinv] = three else { return None };
            self.exponents.iter().filter(|_| dp.is_odd() && dq.is_odd()).find_map(|e| {
                let ps = exponent::primes_of(e, dp);
                let qs = if ps.is_empty() { Vec::new() } else { exponent::primes_of(e, dq) };
                let pairs = ps.iter().flat_map(|p| qs.iter().map(move |q| (p, q)));
                let (p, q) = pairs
                    .filter(|(p, q)| *qinv < p && p.bits().abs_diff(q.bits()) <= 16)
                    .find(|(p, q)| inverts(p, q, qinv))?;
                RsaNumbers::from_primes(p.clone(), q.clone(), e.clone(), None)
            })
        })
    }

    /// The key of these primes, with the exponent that the other numbers show, or that was seen, or else the usual one.
    fn key(&self, p: &Number, q: &Number) -> Option<RsaNumbers> {
        let shown = self.exponent_of(p).into_iter().chain(self.exponent_of(q));
        let mut exponents = shown.chain(self.exponents.iter().take(self.seen + 1).cloned());
        exponents.find_map(|e| {
            let found = self.full.iter().copied().find(|d| fits(&e, d, p) && fits(&e, d, q));
            RsaNumbers::from_primes(p.clone(), q.clone(), e, found.cloned())
        })
    }

    /// The public exponent that belongs to some number here as an exponent of the prime.
    fn exponent_of(&self, prime: &Number) -> Option<Number> {
        let order = prime.minus_one()?;
        let others = self.full.iter().chain(&self.half).filter(|n| **n != prime);
        others.filter_map(|d| exponent::small_inverse(d, &order)).find(Number::is_odd)
    }

    /// Whether both primes have exponents here, of the same public exponent.
    fn have_exponents(&self, p: &Number, q: &Number) -> bool {
        self.exponent_of(p).is_some_and(|e| self.exponent_of(q) == Some(e))
    }

    fn has_inverse(&self, p: &Number, q: &Number) -> bool {
        self.half.iter().any(|qinv| *qinv < p && inverts(p, q, qinv))
    }
}

/// q * qinv = 1 (mod p)
fn inverts(p: &Number, q: &Number, qinv: &Number) -> bool {
    q.times(qinv).rem(p).is_some_and(|rest| rest.is_one())
}

/// e * d = 1 (mod p - 1)
fn fits(e: &Number, d: &Number, p: &Number) -> bool {
    p.minus_one().and_then(|order| e.times(d).rem(&order)).is_some_and(|rest| rest.is_one())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{element, noise, pkcs1};

    /// n, e, d, p, q, dp, dq, qinv
    fn numbers(der: &[u8]) -> Vec<Vec<u8>> {
        let chain = chain(der, 4).unwrap();
        chain.values(der).iter().skip(1).map(|value| value.to_vec()).collect()
    }

    #[test]
    fn a_key_is_recovered_from_what_pins_it_down_and_from_nothing_less() {
        let all = numbers(&pkcs1(1024));
        let enough: &[&[usize]] = &[
            &[0, 1, 2],
            &[0, 2],
            &[0, 1, 3],
            &[0, 1, 4],
            &[0, 1, 2, 3, 4, 5, 6, 7],
            &[3, 4, 7],
            &[2, 3, 4],
            &[4, 5, 6, 7],
            &[5, 6, 7],
            &[1, 2, 3, 4, 5],
            &[2, 3, 4, 5, 6, 7],
        ];
        let pick = |which: &[usize]| which.iter().map(|&i| all[i].as_slice()).collect::<Vec<_>>();
        for which in enough {
            let key = recover(&pick(which)).unwrap_or_else(|| panic!("{which:?}"));
            assert_eq!(key.n.to_be(), Number::from_be(&all[0]).to_be(), "{which:?}");
        }
        // An exponent for one of the primes is enough but for some of ten keys, whose other prime could be an exponent too.
        for which in [&[3, 4, 5], &[3, 4, 6]] {
            let key = recover(&pick(which));
            assert!(key.is_none_or(|key| key.n.to_be() == Number::from_be(&all[0]).to_be()), "{which:?}");
        }
        let short: &[&[usize]] = &[&[0], &[0, 1], &[2], &[1, 2], &[3, 4], &[4, 5], &[5, 6], &[6, 7], &[4, 5, 6], &[]];
        for which in short {
            assert!(recover(&pick(which)).is_none(), "{which:?}");
        }
    }

    #[test]
    fn an_exponent_for_one_prime_is_enough_for_most_keys() {
        let recovered = (0..12).filter(|_| {
            let all = numbers(&pkcs1(1024));
            let some: Vec<&[u8]> = all.iter().skip(3).take(3).map(Vec::as_slice).collect();
            recover(&some).is_some()
        });
        assert!(recovered.count() >= 4);
    }

    #[test]
    fn wherever_one_looks_the_chain_is_the_same() {
        let der = pkcs1(2048);
        for skip in [4, 7, 7 + 261, 7 + 261 + 5] {
            let bytes = [noise(99, 5), der[skip..].to_vec(), noise(99, 6)].concat();
            let whole = chain(&bytes, 99).unwrap();
            for integer in &whole.integers {
                assert_eq!(chain_start(&bytes, integer.start), 99, "{skip} {integer:?}");
            }
            assert_eq!(whole.range(), 99..99 + der.len() - skip);
        }
    }

    #[test]
    fn three_random_numbers_of_one_size_are_a_fragment_and_two_are_not() {
        let int = |seed| element(2, &[&[0x55], &noise(127, seed)]);
        let bytes = [int(1), int(2), int(3)].concat();
        let key = found(&chain(&bytes, 0).unwrap(), &bytes).unwrap();
        assert_eq!((key.rule, key.evidence), (RULE, Evidence::Matched));
        let two = [int(1), int(2)].concat();
        assert!(found(&chain(&two, 0).unwrap(), &two).is_none());
        let same = [int(1), int(1), int(1)].concat();
        assert!(found(&chain(&same, 0).unwrap(), &same).is_none());
        let dull = element(2, &[&[0x55; 128]]);
        let dull = [dull, int(2), int(3)].concat();
        assert!(found(&chain(&dull, 0).unwrap(), &dull).is_none());
    }
}
