//! Primes that DSA or Diffie-Hellman may be computed with: the clue without which nobody looks for keys of theirs.
//!
//! A library keeps the prime in a piece of memory of its own, so it is a run of full words of just its length: limbs, or an array of
//! Java's. Nearly all such runs are moduli of RSA that some public key tells of, or primes of one, or signatures; of those that are
//! left few are primes, which costs a power to see, so a budget is spent.
//!
//! The primes that most programs share ([`safe_primes`](crate::keys::safe_primes)) are known by their highest words. Libraries carry
//! them as constants, so they are a clue where glibc's length of an allocation of their size stands before them, or where two copies
//! are. Two copies are the weaker clue: OpenSSL has four of them twice, of up to 8192 bits, and what it costs to look for keys of those
//! would leave nothing for a key that is there. So they count where no other prime is known.

use std::collections::{BTreeMap, HashSet};

use zeroize::Zeroizing;

use super::dense::{self, WORD};
use super::ec_places::{self, Grid};
use super::islands;
use super::least::Least;
use super::number_words::{Order, Place};
use super::{Clue, Clues};
use crate::keys::exponent::{has_divisor, is_probable_prime};
use crate::keys::limbs::{self, Dividend, Divisor, LONGEST};
use crate::keys::number::Number;
use crate::keys::safe_primes::{MARKS, PRIMES};
use crate::memory::AddressSpace;
use crate::window::Window;

/// Limbs of the shortest prime: 1024 bits.
const SHORTEST: usize = 16;
/// Lengths of primes are multiples of so many limbs.
const STEP: usize = 4;
/// Words that allocators may leave at the end of a piece of memory.
const ROOM: usize = 1;
/// Products of limbs that telling primes from other numbers may cost: of 2048 bits sixty can be asked.
const WORK: u64 = 1 << 28;
/// Numbers that are kept.
const MOST: usize = 4096;
/// Bytes by which an allocation may be longer than what it holds, its header included.
const SPARE: usize = 48;
/// What is not dense of a random number: one word in 600.
const HOLES: usize = 32;

/// What may be such a prime in one window.
#[derive(Debug, Default)]
pub struct Seen {
    /// Numbers that stand alone, lowest limb first.
    alone: Vec<Zeroizing<Vec<u64>>>,
    /// Those of [`PRIMES`] that are there, by their place in it, where, and whether that is an allocation.
    shared: Vec<(usize, u64, bool)>,
}

/// What may be such a prime among the runs that begin or end in the owned part of the window.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid], memory: &AddressSpace) -> Seen {
    let mut seen = Seen::default();
    let (owned, orders) = (window.owned(), Order::of(memory));
    for run in grids.iter().flat_map(|grid| &grid.runs) {
        let (start, last) = (run.range.start, run.range.end - WORD);
        let ends = [(start, Order::Bytes), (last, Order::Limbs)];
        let marked =
            ends.into_iter().filter(|(at, order)| owned.contains(at) && is_mark(order.limb(word(window, *at))));
        seen.shared.extend(marked.filter_map(|(at, order)| shared(window, at, order)));
        if owned.contains(&start) && run.words() >= SHORTEST {
            alone(window, start, orders, &mut seen.alone);
        }
    }
    seen
}

fn word(window: &Window<'_>, at: usize) -> u64 {
    window.slice(at..at + WORD).first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

fn is_mark(limb: u64) -> bool {
    MARKS.contains(&limb)
}

/// Which of [`PRIMES`] stands there whose second limb from above is at `at`, where in the file, and whether in an allocation.
fn shared(window: &Window<'_>, at: usize, order: Order) -> Option<(usize, u64, bool)> {
    PRIMES.iter().enumerate().find_map(|(which, prime)| {
        let limbs = limbs::of_number(prime);
        let lowest_first = order.lowest_first();
        let start = if lowest_first { (at + 2 * WORD).checked_sub(WORD * limbs.len()) } else { at.checked_sub(WORD) };
        let start = start?;
        let words = dense::words(window.slice(start..start + WORD * limbs.len()));
        let mut here: Vec<u64> = words.iter().map(|word| order.limb(*word)).collect();
        if !lowest_first {
            here.reverse();
        }
        let found = || Some((which, window.offset(start)?.0, is_allocated(window, start, WORD * limbs.len())));
        (*here == **limbs).then(found)?
    })
}

/// Whether glibc's length of an allocation stands before `start` that just holds so many bytes.
fn is_allocated(window: &Window<'_>, start: usize, len: usize) -> bool {
    let length = start.checked_sub(WORD).map_or(0, |before| word(window, before)) & !7;
    (len + WORD..=len + SPARE).contains(&(length as usize))
}

/// The numbers that are all of the run that begins at `start`, in each order.
fn alone(window: &Window<'_>, start: usize, orders: &[Order], told: &mut Vec<Zeroizing<Vec<u64>>>) {
    let words = Zeroizing::new(dense::words(window.slice(start..start + WORD * (LONGEST + ROOM + 1))));
    let len = words.iter().take_while(|word| dense::is_full(**word)).count();
    let lens =
        (len.saturating_sub(ROOM)..=len).filter(|len| len.is_multiple_of(STEP) && (SHORTEST..=LONGEST).contains(len));
    for len in lens {
        let dense = words.iter().take(len).filter(|word| dense::is_dense(**word)).count();
        if len - dense > 1 + len / HOLES {
            continue;
        }
        let before = start.checked_sub(WORD).map_or(0, |before| word(window, before));
        let is_array = (before >> 32) as usize == 2 * len;
        // Bytes from the highest are mostly signatures.
        let kept = |order: &&Order| order.lowest_first() || **order == Order::Words32 && is_array;
        for &order in orders.iter().filter(kept) {
            let place = Place { start, words: &words, order };
            let mut into = Zeroizing::new([0; LONGEST]);
            let number = place.limbs(0, len, &mut into).filter(|limbs| islands::is_likely(limbs));
            told.extend(number.map(|limbs| Zeroizing::new(limbs.to_vec())));
        }
    }
}

/// What may be such a prime in the whole image.
#[derive(Debug)]
pub struct FieldPrimes {
    /// By a hash, so that of many those are kept that chance picks.
    alone: Least<u64, Zeroizing<Vec<u64>>>,
    /// By prime and place, and whether the place is an allocation.
    shared: BTreeMap<(usize, u64), bool>,
}

impl Default for FieldPrimes {
    fn default() -> Self {
        Self { alone: Least::new(MOST), shared: BTreeMap::new() }
    }
}

impl FieldPrimes {
    /// Adds what a window holds. The order of adding does not matter.
    pub fn add(&mut self, seen: Seen) {
        self.shared.extend(seen.shared.into_iter().map(|(which, at, allocated)| ((which, at), allocated)));
        for limbs in seen.alone {
            let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect());
            self.alone.add(ec_places::hash(&bytes), limbs, |kept, limbs| *kept = limbs);
        }
    }

    /// Those of [`PRIMES`] that are not only a library's constant: the ones that stand in an allocation, and the ones of which there are
    /// two copies elsewhere.
    fn shared(&self) -> [Vec<Number>; 2] {
        let mut places: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
        for ((which, _), allocated) in &self.shared {
            let (copies, is_allocated) = places.entry(*which).or_default();
            (*copies, *is_allocated) = (*copies + 1, *is_allocated || *allocated);
        }
        let of = |allocated: bool| {
            let fits = |(copies, is_allocated): (usize, bool)| is_allocated == allocated && (allocated || copies > 1);
            let those = places.iter().filter(|(_, place)| fits(**place));
            those.filter_map(|(which, _)| PRIMES.get(*which).cloned()).collect()
        };
        [of(true), of(false)]
    }

    /// The primes, none of them one of RSA as far as the clues tell, and what was not asked, in words.
    #[must_use]
    pub fn primes(&self, clues: &Clues) -> (Vec<Number>, Option<String>) {
        // Parameters of Diffie-Hellman are written as public keys of RSA are, with the generator for the exponent.
        let may_be_field =
            |clue: &Clue| matches!(clue, Clue::RsaPublicKey { exponent, .. } if matches!(exponent.as_slice(), [3 | 5]));
        let moduli = clues.iter().filter(|clue| !may_be_field(clue)).filter_map(Clue::modulus);
        let moduli: HashSet<&[u8]> = moduli.collect();
        // The exponent plays no part in a division.
        let dividends = moduli.iter().filter_map(|n| Dividend::new(&Number::from_be(n), &Number::from(3)));
        let dividends: Vec<Dividend> = if self.alone.len() == 0 { Vec::new() } else { dividends.collect() };
        let is_of_rsa = |limbs: &[u64], number: &Number| {
            let divides = |p: &Divisor| dividends.iter().any(|n| n.half() == limbs.len() && n.may_be_divided_by(p));
            moduli.contains(number.to_be().as_slice()) || Divisor::new(limbs).is_some_and(|p| divides(&p))
        };
        let [mut primes, copied] = self.shared();
        let (mut work, mut left) = (WORK, self.alone.dropped());
        for limbs in self.alone.values() {
            let number = limbs::to_number(limbs);
            let is_known = primes.contains(&number) || copied.contains(&number);
            if is_known || is_of_rsa(limbs, &number) || has_divisor(&number) {
                continue;
            }
            // A square for each bit, and each costs two products for each pair of limbs.
            match work.checked_sub(128 * (limbs.len() as u64).pow(3)) {
                Some(rest) => work = rest,
                None => {
                    left += 1;
                    continue;
                }
            }
            if is_probable_prime(&number) {
                primes.push(number);
            }
        }
        if primes.is_empty() {
            primes = copied;
        }
        let note = (left > 0).then(|| {
            format!(
                "{left} more numbers that stand alone were not asked whether they are primes of DSA or Diffie-Hellman"
            )
        });
        (primes, note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of an image with these places of shared primes, and these that stand alone.
    fn primes(shared: &[(usize, bool)], alone: &[&Number]) -> Vec<Number> {
        let shared =
            shared.iter().enumerate().map(|(at, (which, allocated))| (*which, at as u64, *allocated)).collect();
        let alone = alone.iter().map(|number| Zeroizing::new(limbs::of_number(number).to_vec())).collect();
        let mut all = FieldPrimes::default();
        all.add(Seen { alone, shared });
        all.primes(&Clues::new(10)).0
    }

    #[test]
    fn constants_that_libraries_have_twice_count_where_no_other_prime_is_known() {
        let prime = |which: usize| PRIMES[which].clone();
        assert_eq!(primes(&[(3, false)], &[]), []);
        assert_eq!(primes(&[(3, false), (3, false)], &[]), [prime(3)]);
        assert_eq!(primes(&[(3, false), (3, false), (4, false), (2, true)], &[]), [prime(2)]);
        assert_eq!(primes(&[(3, false), (3, true), (4, false), (4, false)], &[]), [prime(3)]);
        // One that nobody shares: 2^1024 - 105, the greatest prime of 1024 bits.
        let own = Number::power_of_two(1024).minus(&Number::from(105)).unwrap();
        assert_eq!(primes(&[(3, false), (3, false)], &[&own]), [own]);
    }
}
