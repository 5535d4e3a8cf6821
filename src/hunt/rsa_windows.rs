//! RSA keys as libraries compute with them: bare numbers without any header, which only arithmetic can tell from noise.
//!
//! A process that uses a key holds its primes as limbs of a big number and often in no other form. Every window of memory
//! that looks random ([`dense`]) and could be a prime of a known modulus is divided into it, and every one that could be a
//! private exponent is judged by its first limb: both tests cost less than a cache miss and are wrong less than once in
//! 2^24. What passes is computed in full, so what is told is proven: p divides n, or e*d inverts.
//!
//! Numbers are looked for in four forms: 64-bit limbs from the lowest (which is every library in C, whatever the width of
//! its limbs), bytes from the highest, Java's `int[]` from the highest, and CPython's digits of 30 bits from the lowest; in
//! dumps of big-endian machines also in their limbs of 64 and of 32 bits.
//! Limbs stand where a pointer may point, by address; bytes may stand anywhere. Only primes of half the bits of n are looked
//! for, which is what every library makes.
//!
//! Not looked for, of which notes tell: the keys of well-known authorities ([`crate::keys::authorities`]), whose certificates are everywhere,
//! and numbers at odd places inside of long data that looks random throughout ([`super::noise`]). Where there is much of it, numbers in it
//! and numbers at odd places anywhere are looked for only where a word of another kind stands beside them. What the user asks for is.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::dense::{self, Bits, WORD};
use super::noise;
use super::number_words::{Digits, Order, Place};
use super::rsa_integers::PublicKey;
use super::variety::{self, Repeated};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::Hits;
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::keys::limbs::{self, Dividend, Divisor, Exponents, LONGEST, Likeness};
use crate::keys::number::Number;
use crate::keys::rsa::{self, RsaNumbers};
use crate::keys::{FoundKey, asn1, exponent};
use crate::window::Window;

/// Moduli of one size that are tried: each costs every candidate another division.
const MOST_KEYS: usize = 400;
/// Products of limbs that whole words in noise may cost, wherever they stand: half a second. One key of RSA-2048 spends it in some 200 MB;
/// a browser knows a hundred.
const MOST_PRODUCTS: u64 = 1 << 30;
/// The exponent of nearly every key.
const USUAL_E: u64 = 65537;

/// Hunts for the numbers of private keys whose modulus is known.
pub struct RsaWindows;

impl Hunter for RsaWindows {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().filter(|rule| rule.id == rsa::RULE).collect()
    }

    fn needs(&self, clues: &Clues) -> bool {
        targets(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        let mut sizes: BTreeMap<usize, Size> = BTreeMap::new();
        let mut left_out = 0;
        let well_known = clues.iter().filter(|clue| clues.is_of_an_authority(clue)).count();
        for target in targets(clues) {
            let half = target.dividend.half();
            let known = sizes.entry(half).or_insert_with(|| Size::of(half));
            known.is_asked_for |= target.is_asked_for;
            if known.targets.len() < MOST_KEYS {
                known.targets.push(target);
            } else {
                left_out += 1;
            }
        }
        sizes.values_mut().for_each(Size::ask_for_exponents);
        let products = sizes.values().map(Size::products).sum::<u64>() * (clues.noise() / WORD as u64);
        let is_noisy = products > MOST_PRODUCTS;
        Box::new(Prepared { sizes, left_out, well_known, is_noisy, passed_over: Default::default() })
    }
}

/// A modulus whose primes are looked for.
struct Target {
    key: PublicKey,
    /// Whether only the modulus is known.
    assumed: bool,
    /// Whether the user asks for this very key.
    is_asked_for: bool,
    dividend: Dividend,
    /// What its numbers proved so far.
    proven: Mutex<BTreeMap<Number, Proven>>,
}

fn targets(clues: &Clues) -> impl Iterator<Item = Target> + '_ {
    clues.iter().filter(|clue| !clues.is_of_an_authority(clue)).filter_map(|clue| {
        let (modulus, exponent, assumed) = match clue {
            Clue::RsaPublicKey { modulus, exponent } => (modulus, Number::from_be(exponent), false),
            Clue::RsaModulus { modulus } => (modulus, Number::from(USUAL_E), true),
            _ => return None,
        };
        let key = PublicKey { n: Number::from_be(modulus), e: exponent };
        let dividend = rsa::is_public_key(&key.n, &key.e).then(|| Dividend::new(&key.n, &key.e))??;
        let is_asked_for = clues.is_brought(clue);
        (dividend.half() >= 8).then(|| Target { key, assumed, is_asked_for, dividend, proven: Mutex::default() })
    })
}

/// Targets with primes of one size.
struct Size {
    targets: Vec<Target>,
    /// Their private exponents.
    exponents: Exponents,
    /// What a prime looks like.
    likeness: Likeness,
    /// Whether the user asks for one of these keys; then nothing is passed over.
    is_asked_for: bool,
}

impl Size {
    fn of(half: usize) -> Self {
        Self {
            targets: Vec::new(),
            exponents: Exponents::default(),
            likeness: Likeness::new(half),
            is_asked_for: false,
        }
    }

    /// Products of limbs that each word of noise costs: it begins an odd and great number in one of the forms, one in four or five of these
    /// has no small divisor, and is inverted and divided.
    fn products(&self) -> u64 {
        let half = self.targets.first().map_or(0, |target| target.dividend.half());
        (half * half / 2 + 2 * half * self.targets.len()) as u64 / 4
    }

    fn ask_for_exponents(&mut self) {
        self.exponents = Exponents::of(self.targets.iter().map(|target| &target.dividend));
    }
}

/// Targets by the limbs of their primes.
struct Prepared {
    sizes: BTreeMap<usize, Size>,
    left_out: usize,
    /// Keys of authorities that are not looked for.
    well_known: usize,
    /// Whether there is more noise than is tried at all whole words.
    is_noisy: bool,
    /// Whether there were places inside of noise that were not tried.
    passed_over: AtomicBool,
}

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let Shown { window, memory, .. } = *shown;
        let (words, digits) = shown.stretches();
        let grids = dense::grids(window, memory.layout());
        let look = Look { prepared: self, shown, window, grids, orders: Order::of(memory) };
        words.iter().for_each(|stretch| look.words(stretch, out));
        digits.iter().for_each(|stretch| look.digits(stretch, out));
    }

    fn left_out(&self) -> Option<String> {
        let most =
            format!("more than {MOST_KEYS} RSA moduli of one size; the private halves of {} were not", self.left_out);
        (self.left_out > 0).then(|| format!("{most} looked for as bare numbers"))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.well_known > 0 {
            notes.push(format!(
                "{} RSA keys of well-known certificate authorities were not looked for as bare numbers",
                self.well_known
            ));
        }
        if self.passed_over.load(Ordering::Relaxed) {
            let places = if self.is_noisy {
                "whole words that have others beside them only, and elsewhere at odd places that have"
            } else {
                "whole words only"
            };
            notes.push(format!(
                "in long data that looks random throughout (compressed, encrypted), numbers of RSA keys were looked for at \
                 {places}"
            ));
        }
        notes
    }
}

/// The look at one window.
struct Look<'a> {
    prepared: &'a Prepared,
    shown: &'a Shown<'a>,
    window: &'a Window<'a>,
    grids: [bool; WORD],
    orders: &'static [Order],
}

impl Look<'_> {
    fn words(&self, stretch: &Range<usize>, out: &mut Hits) {
        let shortest = self.prepared.sizes.keys().next().copied().unwrap_or(LONGEST);
        let varied = OnceCell::new();
        for grid in (0..WORD).filter(|_| stretch.len() >= WORD * shortest) {
            let start = stretch.start + (grid + WORD - stretch.start % WORD) % WORD;
            let words = dense::words(self.window.slice(start..stretch.end));
            let mut runs = self.runs(&words);
            if !runs.is_empty() {
                // On other grids than that of the stretch a number begins inside of a word.
                let inside = usize::from(start > stretch.start);
                let varied: &Vec<Bits> = varied.get_or_init(|| self.varied(stretch));
                runs.iter_mut().zip(varied).for_each(|((_, runs), varied)| *runs = runs.and(varied, inside));
                runs.retain(|(_, runs)| !runs.is_empty());
            }
            if runs.is_empty() {
                continue;
            }
            for order in self.orders.iter().copied().filter(|order| order.fits(grid, &self.grids)) {
                let (lowest, highest) = order.ends();
                let (odd, great) = (Bits::bit(&words, lowest), Bits::bit(&words, highest));
                for (half, runs) in &runs {
                    let place = Place { start, words: &words, order };
                    let primes = runs.and(&place.between(&odd, &great, *half), 0);
                    self.primes(&place, *half, &self.outside_of_noise(&place, primes, *half, *half), out);
                    let double = runs.and(runs, *half);
                    if !double.is_empty() {
                        let odd = double.and(&odd, if order.lowest_first() { 0 } else { 2 * half - 1 });
                        self.exponents(&place, *half, &self.outside_of_noise(&place, odd, 2 * half, *half), out);
                    }
                }
            }
        }
    }

    /// For each size the words of the stretch from which on whole words of a number of it may stand, one less than it has.
    fn varied(&self, stretch: &Range<usize>) -> Vec<Bits> {
        let bytes = self.window.slice(stretch.start..stretch.end + variety::SEEN);
        let repeated = Repeated::of(bytes, stretch.len() / WORD);
        self.prepared.sizes.keys().map(|half| repeated.few(half - 1)).collect()
    }

    /// For each size where its numbers may begin: a word before a run of full ones that is two words shorter.
    fn runs(&self, words: &[u64]) -> Vec<(usize, Bits)> {
        let (mut runs, mut have) = (Bits::dense(words).without_holes(), 1);
        let mut found = Vec::new();
        for &half in self.prepared.sizes.keys() {
            runs = runs.longer(have, half - 2);
            have = half - 2;
            if runs.is_empty() {
                break;
            }
            found.push((half, runs.clone().before(1)));
        }
        found
    }

    fn primes(&self, place: &Place<'_>, half: usize, at: &Bits, out: &mut Hits) {
        let Some(Size { likeness, .. }) = self.prepared.sizes.get(&half) else { return };
        let mut limbs = [0; LONGEST];
        // First what costs least.
        let even = place.even(at, half, *likeness).into_iter();
        for index in even.filter(|&index| self.owns(place.start + WORD * index)) {
            let Some(limbs) = place.limbs(index, half, &mut limbs) else { continue };
            if let Some(proven) = self.prime(limbs, half) {
                let range = place.start + WORD * index..place.start + WORD * (index + half);
                proven.tell(range, place.order.encoding(), out);
            }
        }
    }

    fn exponents(&self, place: &Place<'_>, half: usize, at: &Bits, out: &mut Hits) {
        let Some(Size { targets, exponents, .. }) = self.prepared.sizes.get(&half) else { return };
        let mut limbs = [0; LONGEST];
        for index in at.ones().filter(|&index| self.owns(place.start + WORD * index)) {
            let first = place.first(index, 2 * half);
            if !exponents.may_begin_with(first) {
                continue;
            }
            for target in targets.iter().filter(|target| target.dividend.may_have_exponent(first)) {
                let Some(limbs) = place.limbs(index, 2 * half, &mut limbs) else { break };
                if let Some(proven) = target.exponent(limbs) {
                    let range = place.start + WORD * index..place.start + WORD * (index + 2 * half);
                    proven.tell(range, place.order.encoding(), out);
                }
            }
        }
    }

    /// Those of the places of numbers of `len` words, with primes of `half` words, that are tried though noise is around them: all but those
    /// at odd places and, where there is too much noise, those that have no other word before or behind them; then at odd places it is asked
    /// for wherever they are.
    fn outside_of_noise(&self, place: &Place<'_>, at: Bits, len: usize, half: usize) -> Bits {
        let is_whole = self.grids.get(place.start % WORD) == Some(&true) || place.order != Order::Bytes;
        let is_noisy = self.prepared.is_noisy;
        let is_asked_for = || self.prepared.sizes.get(&half).is_some_and(|size| size.is_asked_for);
        // Noise is dense, so what is shorter is none. Most of what is dense is, and this costs least.
        let is_short = is_whole && WORD * place.words.len() < 2 * noise::NEAR;
        if is_whole && !is_noisy || is_short || at.is_empty() || is_asked_for() {
            return at;
        }
        let noise = |around| self.shown.noise().words(place.start, place.words.len(), len, around);
        let over = match (is_whole, is_noisy) {
            (true, _) => noise(noise::NEAR).and(&place.amid(len), 0),
            (false, true) => place.amid(len),
            (false, false) => noise(noise::FAR),
        };
        let over = at.and(&over, 0);
        if over.is_empty() {
            return at;
        }
        self.prepared.passed_over.store(true, Ordering::Relaxed);
        at.and(&over.not(), 0)
    }

    fn digits(&self, stretch: &Range<usize>, out: &mut Hits) {
        for grid in 0..WORD / 2 {
            if !Order::Words32.fits(grid, &self.grids) {
                continue;
            }
            let start = stretch.start + (grid + WORD - stretch.start % (WORD / 2)) % (WORD / 2);
            let words = dense::halves(self.window.slice(start..stretch.end));
            let full = Bits::of(&words, |word| dense::is_digit(word as u32)).without_holes();
            let odd = Bits::of(&words, |word| word & 1 == 1);
            for (&half, Size { targets, exponents, .. }) in &self.prepared.sizes {
                let (prime, exponent) = (Digits::of(half), Digits::of(2 * half));
                let at = full.runs(prime.count - 1).and(&odd, 0);
                for index in at.ones().filter(|&index| self.owns(start + 4 * index)) {
                    let range = |digits: Digits| start + 4 * index..start + 4 * (index + digits.count);
                    if let Some(limbs) =
                        prime.limbs(&words, index).filter(|limbs| limbs.last().is_some_and(|l| l >> 63 == 1))
                        && let Some(proven) = self.prime(&limbs, half)
                    {
                        proven.tell(range(prime), Encoding::Digits30, out);
                    }
                    let Some(limbs) = exponent.limbs(&words, index) else { continue };
                    let first = limbs.last().copied().unwrap_or(0);
                    if !exponents.may_begin_with(first) {
                        continue;
                    }
                    for target in targets.iter().filter(|target| target.dividend.may_have_exponent(first)) {
                        if let Some(proven) = target.exponent(&limbs) {
                            proven.tell(range(exponent), Encoding::Digits30, out);
                        }
                    }
                }
            }
        }
    }

    fn prime(&self, limbs: &[u64], half: usize) -> Option<Proven> {
        let Size { targets, likeness, .. } = self.prepared.sizes.get(&half)?;
        // Each of the three costs more than the one before.
        if !likeness.is_even(limbs) || limbs::has_small_divisor(limbs) || !likeness.has(limbs) {
            return None;
        }
        let divisor = Divisor::new(limbs)?;
        let mut divided = targets.iter().filter(|target| target.dividend.may_be_divided_by(&divisor));
        divided.find_map(|target| target.prime(limbs))
    }

    fn owns(&self, at: usize) -> bool {
        self.window.owned().contains(&at)
    }
}

impl Target {
    fn prime(&self, limbs: &[u64]) -> Option<Proven> {
        self.once(limbs, |prime| {
            let numbers = self.key.with_prime(prime, None)?;
            // The other prime stands in memory too, and would derive the same key.
            let proven = vec![(numbers.p.clone(), Piece::P), (numbers.q.clone(), Piece::Q)];
            Some((numbers, proven))
        })
    }

    fn exponent(&self, limbs: &[u64]) -> Option<Proven> {
        self.once(limbs, |d| {
            let (p, _) = (*d < self.key.n).then(|| exponent::factor(&self.key.n, &self.key.e, d))??;
            Some((self.key.with_prime(&p, Some(d.clone()))?, vec![(d.clone(), Piece::D)]))
        })
    }

    /// Proves a number the first time it is seen, and tells which others prove the same key: Java leaves thousands of copies, and
    /// to derive a key takes a millisecond.
    fn once(&self, limbs: &[u64], prove: impl FnOnce(&Number) -> Option<(RsaNumbers, Numbers)>) -> Option<Proven> {
        let number = limbs::to_number(limbs);
        let known = || self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(proven) = known().get(&number) {
            return Some(proven.clone());
        }
        let (numbers, proven) = prove(&number)?;
        let mut key = numbers.into_found(Evidence::Proven)?;
        if self.assumed {
            key.public.context.push(format!("its public exponent was not seen; taken to be {USUAL_E}"));
        }
        let mut known = known();
        known.extend(proven.into_iter().map(|(number, piece)| (number, Proven { key: key.clone(), piece })));
        known.get(&number).cloned()
    }
}

/// Numbers of a key, and which they are.
type Numbers = Vec<(Number, Piece)>;

/// A key, and which of its numbers proved it.
#[derive(Clone)]
struct Proven {
    key: FoundKey,
    piece: Piece,
}

impl Proven {
    fn tell(self, range: Range<usize>, encoding: Encoding, out: &mut Hits) {
        let form = Form { layout: Layout::Bare, encoding, piece: self.piece };
        out.hits.push(self.key.at(range, form));
    }
}

#[cfg(test)]
mod tests;
