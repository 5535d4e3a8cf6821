//! Numbers of one key near each other: a modulus, a prime that divides it, and the lowest limb of the other prime.
//!
//! A number that only begins where something else ends, or only ends where something else begins, is no island: what is left
//! of older contents of its chunk may stand beside it. Such places are many, but the numbers of a key are made at the same
//! time and lie close together. So each place that may be a modulus is compared with each near it that may be a prime, by one
//! multiplication of their lowest limbs: the product of the one and the inverse of the other is the lowest limb of the other
//! prime, and that must stand near them too.

use std::ops::Range;

use zeroize::Zeroizing;

use super::dense::{self, WORD};
use super::islands::{LENGTHS, Words, is_likely};
use super::montgomery::{Filter, HALVES, products};
use super::number_words::{Order, Place};
use crate::keys::limbs::{LONGEST, negated_inverse};
use crate::window::Window;

/// Bytes between numbers that belong together, at most: half of what windows show beyond their own.
pub const NEAR: usize = 16 << 10;

/// A place that may be a modulus or a prime by its two ends.
struct Lead {
    /// Number of limbs.
    len: usize,
    /// Where it stands in the window.
    at: usize,
    order: Order,
    /// The lowest limb, or for primes its inverse.
    low: u64,
}

/// What one window holds.
#[derive(Default)]
pub struct Neighbours {
    leads: Vec<Lead>,
    fields: Vec<Field>,
}

/// Words on one grid in which there are leads.
struct Field {
    start: usize,
    words: Zeroizing<Vec<u64>>,
    orders: Vec<Order>,
}

impl Field {
    /// The odd ones among the words from `from` to `to` of the window, in every order.
    fn odd(&self, from: usize, to: usize) -> impl Iterator<Item = u64> + '_ {
        let index = |at: usize| at.saturating_sub(self.start).div_ceil(WORD).min(self.words.len());
        let words = self.words.get(index(from)..index(to)).unwrap_or_default().iter();
        words.flat_map(|&word| self.orders.iter().map(move |order| order.limb(word))).filter(|limb| limb & 1 == 1)
    }
}

impl Neighbours {
    /// Adds what stands on one grid.
    pub fn add(&mut self, words: &Words<'_>) {
        let (borders, edges) = words.borders();
        let mut ends: Vec<usize> = borders.into_iter().chain(edges).collect();
        ends.sort_unstable();
        let (before, start) = (self.leads.len(), words.start);
        for run in ends.windows(2) {
            let [from, to] = *run else { continue };
            let from = if words.words.get(from).is_some_and(|&word| dense::is_full(word)) { from } else { from + 1 };
            self.add_run(words, from..to);
        }
        if self.leads.len() > before {
            let (words, orders) = (Zeroizing::new(words.words.to_vec()), words.orders.to_vec());
            self.fields.push(Field { start, words, orders });
        }
    }

    /// The numbers with which a run begins and ends.
    fn add_run(&mut self, words: &Words<'_>, run: Range<usize>) {
        for &len in LENGTHS.iter().take_while(|len| **len <= run.len()) {
            let last = run.end - len;
            for first in [run.start].into_iter().chain((last > run.start).then_some(last)) {
                self.leads.extend(words.orders.iter().filter_map(|&order| lead(words, first, len, order)));
            }
        }
    }

    /// The moduli, most significant byte first, that begin among what the window owns.
    pub fn moduli(mut self, window: &Window<'_>) -> Vec<Vec<u8>> {
        self.leads.sort_unstable_by_key(|lead| (lead.len, lead.at));
        let of = |len: usize| {
            let from = self.leads.partition_point(|lead| lead.len < len);
            let to = self.leads.partition_point(|lead| lead.len <= len);
            self.leads.get(from..to).unwrap_or_default()
        };
        if !HALVES.iter().any(|&half| !of(half).is_empty() && !of(2 * half).is_empty()) {
            return Vec::new();
        }
        let mut filter = Filter::new(window.bytes().len() as u64);
        self.fields.iter().flat_map(|field| field.odd(0, window.bytes().len())).for_each(|limb| filter.add(limb));
        let mut moduli = Vec::new();
        for half in HALVES {
            let primes: Vec<(usize, u64, &Lead)> =
                of(half).iter().map(|lead| (lead.at, negated_inverse(lead.low).wrapping_neg(), lead)).collect();
            for modulus in of(2 * half).iter().filter(|modulus| window.owned().contains(&modulus.at)) {
                let from = primes.partition_point(|(at, ..)| at + NEAR < modulus.at);
                let near = primes.iter().skip(from).take_while(|(at, ..)| *at <= modulus.at + NEAR);
                let other = |inverse: u64| modulus.low.wrapping_mul(inverse);
                let fit = near.filter(|(_, inverse, _)| filter.has(other(*inverse)));
                let fit = fit.filter(|(_, inverse, _)| self.stands_near(other(*inverse), modulus.at));
                moduli.extend(fit.flat_map(|(.., prime)| divided(window, modulus, prime)));
            }
        }
        moduli
    }

    /// Whether a limb stands near a place: for certain, and not only within what the window happens to show.
    fn stands_near(&self, limb: u64, at: usize) -> bool {
        self.fields.iter().any(|field| field.odd(at.saturating_sub(NEAR), at + NEAR).any(|known| known == limb))
    }
}

fn lead(words: &Words<'_>, first: usize, len: usize, order: Order) -> Option<Lead> {
    let limb = |index: usize| words.words.get(index).map_or(0, |&word| order.limb(word));
    let (low, top) = (limb(first), limb(first + len - 1));
    let (low, top) = if order.lowest_first() { (low, top) } else { (top, low) };
    let at = words.start + WORD * first;
    (low & 1 == 1 && top >> 63 == 1).then_some(Lead { len, at, order, low })
}

/// The modulus, if the prime divides it.
fn divided(window: &Window<'_>, modulus: &Lead, prime: &Lead) -> Vec<Vec<u8>> {
    let limbs = |lead: &Lead| {
        let words = dense::words(window.slice(lead.at..lead.at + WORD * lead.len));
        let place = Place { start: lead.at, words: &words, order: lead.order };
        let limbs = place.limbs(0, lead.len, &mut Zeroizing::new([0; LONGEST])).map(<[u64]>::to_vec);
        limbs.map(Zeroizing::new).filter(|limbs| is_likely(limbs))
    };
    let (Some(modulus), Some(prime)) = (limbs(modulus), limbs(prime)) else { return Vec::new() };
    products(std::iter::once(modulus.as_slice()), std::iter::once(prime.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::montgomery;
    use crate::keys::number::Number;
    use crate::keys::testing::{noise, rsa_key};
    use crate::memory::AddressSpace;
    use crate::span::Span;
    use ::rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

    fn moduli(bytes: &[u8], window: usize) -> Vec<Vec<u8>> {
        let (memory, filter) = (AddressSpace::new(&[]), Filter::new(0));
        let pieces = [Span::new(0, bytes.len() as u64)];
        let windows = (0..bytes.len()).step_by(window).map(|from| from..(from + window).min(bytes.len()));
        let see = |owned| montgomery::seen(&filter, &Window::new(bytes, owned, &pieces, &[]), &memory).near;
        let mut moduli: Vec<Vec<u8>> = windows.flat_map(see).collect();
        moduli.sort_unstable();
        moduli.dedup();
        moduli
    }

    #[test]
    fn numbers_with_one_border_each_are_found_near_each_other_whatever_the_windows() {
        let limbs = |number: &[u8]| Number::from_be(number).to_be().into_iter().rev().collect::<Vec<u8>>();
        // One number in a thousand has a word that looks like a border in one order or the other.
        let full = |number: &Vec<u8>| {
            let full = |word| dense::is_full(word) && dense::is_full(word.swap_bytes());
            dense::words(number).into_iter().all(full)
        };
        let fresh = std::iter::repeat_with(|| {
            let key = rsa_key(1024);
            let [p, q] = key.primes() else { panic!() };
            [key.n().to_be_bytes(), p.to_be_bytes(), q.to_be_bytes()].map(|number| limbs(&number))
        });
        let [n, p, q] = fresh.into_iter().find(|numbers| numbers.iter().all(full)).unwrap();
        let n_be: Vec<u8> = n.iter().rev().copied().collect();
        let near = |gap: usize| {
            [&[0; 64][..], &n, &noise(48, 1), &vec![0; gap], &noise(24, 2), &p, &[0; 32], &q, &noise(16, 3), &[0; 99]]
                .concat()
        };
        for window in [1 << 20, 2000, 300] {
            assert_eq!(moduli(&near(4096), window), [n_be.clone()], "{window}");
            assert!(moduli(&near(NEAR + 4096), window).is_empty(), "{window}");
        }
        let alone = [&[0; 64][..], &n, &noise(48, 1), &[0; 64], &noise(24, 2), &p, &[0; 64]].concat();
        assert!(moduli(&alone, 1 << 20).is_empty(), "the other prime is not there");
        assert!(moduli(&noise(1 << 20, 5), 1 << 18).is_empty());
    }
}
