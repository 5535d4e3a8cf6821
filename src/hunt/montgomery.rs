//! The join of Montgomery pairs: moduli that give themselves away, without any clue.
//!
//! Arithmetic modulo m in Montgomery's form needs the constant `-m^-1 mod 2^64`, and every library keeps it: OpenSSL's
//! `BN_MONT_CTX.n0`, BoringSSL's and Go's likewise, SymCrypt's `inv64`. A private RSA operation computes modulo p and modulo
//! q, so both stand in memory with their constants, often with n and its constant, though no certificate is there.
//!
//! The join takes two walks and no memory that grows with the dump:
//!
//! 1. [`wanted`]: every word that may be such a constant (random, odd, and beside a word that is not random, because it is
//!    a field of a structure) tells the lowest limb of its modulus, which goes into a [`Filter`] of fixed size.
//! 2. [`seen`]: every stretch that looks random and begins with a limb that the filter knows is kept, up to a budget.
//!
//! Then [`Join::moduli`] divides: where one of what was kept is p and another one is n with `n = p * q`, that is no accident;
//! the filter may err, the division does not. What it gives is a clue like a certificate's. The same walk looks for numbers
//! that stand alone ([`super::islands`]).

use zeroize::Zeroizing;

use super::Shown;
use super::dense::{self, Bits, WORD};
use super::islands::{self, Words};
use super::least::Least;
use super::number_words::{Order, Place};
use crate::keys::exponent::is_probable_prime;
use crate::keys::limbs::{self, Dividend, Divisor, LONGEST, Likeness, negated_inverse};
use crate::keys::number::Number;
use crate::memory::Layout;
use crate::window::Window;

/// Limbs of the primes that are looked for: RSA-1024 to RSA-8192.
pub const HALVES: [usize; 12] = [8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 60, 64];
/// The orders of limbs that constants are looked for in.
const CONSTANTS: [Order; 2] = [Order::Limbs, Order::BigLimbs64];
/// Candidates that are kept. Of those that may be primes each is divided into each, which takes a second at worst.
const MOST: usize = 8192;
/// Words of the smallest filter: 16 KiB, which stay in the first cache.
const SMALLEST: usize = 1 << 11;
/// Different bytes that a constant has at least: of random words six in a million have fewer.
const DIFFERENT: u32 = 5;

/// The lowest limbs of moduli whose constants the window may own.
#[must_use]
pub fn wanted(window: &Window<'_>, layout: &Layout) -> Vec<u64> {
    let mut wanted = Vec::new();
    let owned = window.owned();
    for (grid, _) in dense::grids(window, layout).iter().enumerate().filter(|(_, on)| **on) {
        let start = owned.start + (grid + WORD - owned.start % WORD) % WORD;
        let before = start.checked_sub(WORD).map(|at| window.slice(at..start));
        let before = before.and_then(|word| word.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
        let seen = window.slice(start..owned.end + 2 * WORD);
        let mut found = |at: usize, word| {
            if start + at < owned.end && has_variety(word) {
                wanted.push(negated_inverse(word));
            }
        };
        dense::alone(before, seen, &mut found);
        if layout.may_be_big_endian() && is_likely(grid, window, layout) {
            dense::alone(before.swap_bytes(), &swapped(seen), &mut found);
        }
    }
    wanted
}

/// Whether words stand on this grid by their addresses, or, where nothing tells addresses, as they do if pages of memory begin
/// where pages of the file do.
fn is_likely(grid: usize, window: &Window<'_>, layout: &Layout) -> bool {
    let first = window.offset(0).map_or(0, |offset| (WORD - offset.0 as usize % WORD) % WORD);
    layout.have_addresses() || grid == first
}

/// The bytes with those of each whole word in the other order.
fn swapped(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.as_chunks::<WORD>().0.iter().flat_map(|word| word.iter().rev().copied()).collect())
}

fn has_variety(word: u64) -> bool {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The highest bit of each byte that has its like so many bytes below it.
    let like = |bytes: u32| {
        let other = word ^ word << (8 * bytes);
        !((other & LOW).wrapping_add(LOW) | other | LOW) & u64::MAX << (8 * bytes)
    };
    let repeated = (1..8).fold(0, |repeated, bytes| repeated | like(bytes));
    8 - repeated.count_ones() >= DIFFERENT
}

/// A set of words that never forgets one and may know some that it was not told, of a size that is fixed beforehand.
#[derive(Debug)]
pub struct Filter {
    words: Vec<u64>,
    shift: u32,
    /// Bits that are set, or a few more.
    set: u64,
    /// A larger one of the same words, which is asked where this one says yes.
    larger: Option<Box<Filter>>,
}

impl Filter {
    /// A filter for an image of `len` bytes: four bits for each of its words, 128 KiB to 128 MiB.
    #[must_use]
    pub fn new(len: u64) -> Self {
        let words = Self::size(len);
        Self { words: vec![0; words], shift: 64 - words.trailing_zeros(), set: 0, larger: None }
    }

    /// Words of the filter for an image of `len` bytes, a power of two.
    fn size(len: u64) -> usize {
        let bits = (len / 2).next_power_of_two().clamp(1 << 20, 1 << 30);
        usize::try_from(bits / 64).unwrap_or(1 << 14)
    }

    /// The filter that the same words would have made for an image of `len` bytes: none where it would be larger.
    #[must_use]
    pub fn for_image(self, len: u64) -> Option<Self> {
        let size = Self::size(len);
        match self.words.len() {
            words if words == size => Some(self),
            words => (size < words).then(|| self.of_size(size)),
        }
    }

    /// The smallest filter of the same words that still rejects nearly all others: the smaller it is, the fewer looks at it miss
    /// the cache. Of three bits all are set once in eight thousand looks, which is little to ask and would be too much to keep: of a
    /// gigabyte of noise as many places as there is room for. So a larger one is asked then.
    #[must_use]
    pub fn folded(self) -> Self {
        let size = |bits: u64| {
            let words = usize::try_from(bits * self.set / 64).unwrap_or(usize::MAX / 4).next_power_of_two();
            words.max(SMALLEST).min(self.words.len())
        };
        // One bit in twenty is set, and one in 2560.
        let (small, large) = (size(20), size(128 * 20));
        let larger = if large == self.words.len() { self } else { self.of_size(large) };
        if small == large {
            return larger;
        }
        let small = larger.of_size(small);
        Self { larger: Some(Box::new(larger)), ..small }
    }

    /// One of so many words, a power of two and at most as many as there are. The upper bits of a hash are the place, so neighbours
    /// become one.
    fn of_size(&self, size: usize) -> Self {
        let together = self.words.len() / size;
        let words = self.words.chunks(together).map(|words| words.iter().fold(0, |all, word| all | word)).collect();
        Self { words, shift: self.shift + together.trailing_zeros(), set: self.set, larger: None }
    }

    /// Whether it is large enough for an image of `len` bytes.
    #[must_use]
    pub fn is_enough(&self, len: u64) -> bool {
        Self::size(len) <= self.words.len()
    }

    /// Puts a word in.
    pub fn add(&mut self, word: u64) {
        let (at, bits) = self.slot(word);
        if let Some(word) = self.words.get_mut(at) {
            self.set += u64::from((bits & !*word).count_ones());
            *word |= bits;
        }
    }

    /// Whether the word may be in it.
    #[must_use]
    pub fn has(&self, word: u64) -> bool {
        let (at, bits) = self.slot(word);
        let has = self.words.get(at).is_some_and(|word| word & bits == bits);
        has && self.larger.as_ref().is_none_or(|larger| larger.has(word))
    }

    /// The place of a word, and three bits there, which are the same in a filter of any size: below the 24 bits of a place in
    /// the largest one.
    fn slot(&self, word: u64) -> (usize, u64) {
        let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = |by: u32| 1 << (hash >> by & 63);
        ((hash >> self.shift) as usize, bit(34) | bit(28) | bit(22))
    }
}

/// What stands from one place on and may begin with a modulus.
pub type Candidate = Zeroizing<Vec<u64>>;

/// Numbers that may be moduli or primes, and that a window owns.
#[derive(Debug, Default)]
pub struct Seen {
    /// Those whose lowest limb the filter knows.
    pub known: Vec<Candidate>,
    /// Those that stand alone: see [`super::islands`].
    pub alone: Vec<Candidate>,
    /// Moduli, most significant byte first, that a number in the same run divides.
    pub moduli: Vec<Vec<u8>>,
}

/// The candidates that the window owns.
#[must_use]
pub fn seen(filter: &Filter, shown: &Shown<'_>) -> Seen {
    let Shown { window, memory, .. } = *shown;
    let (stretches, digits) = shown.stretches();
    let (grids, orders) = (dense::grids(window, memory.layout()), Order::of(memory));
    let mut seen = Seen::default();
    let aligned = |grid: &usize| grids.get(*grid) == Some(&true);
    for (stretch, grid) in
        stretches.iter().flat_map(|stretch| (0..WORD).filter(aligned).map(move |grid| (stretch, grid)))
    {
        let start = stretch.start + (grid + WORD - stretch.start % WORD) % WORD;
        let words = dense::words(window.slice(start..stretch.end));
        let likely = is_likely(grid, window, memory.layout());
        // The words at both ends of a number may be anything.
        let runs = Bits::dense(&words).without_holes().runs(HALVES[0] - 2);
        for &order in orders.iter().filter(|order| CONSTANTS.contains(order) && (likely || **order == Order::Limbs)) {
            known(filter, window, &Place { start, words: &words, order }, &runs, &mut seen.known);
        }
        if likely {
            let words = Words::new(window, start, &words, &runs, orders);
            islands::in_words(&words, &mut seen);
        }
    }
    islands::in_digits(window, digits, &window.owned(), &mut seen.alone);
    seen
}

/// Adds what begins with a limb that the filter knows, a word before one of `runs`.
fn known(filter: &Filter, window: &Window<'_>, place: &Place<'_>, runs: &Bits, seen: &mut Vec<Candidate>) {
    if runs.is_empty() {
        return;
    }
    let like = Likeness::new(HALVES[0]);
    let odd = Bits::bit(place.words, place.order.ends().0);
    // A look at the filter misses the cache: code and text are seen for what they are without one, and the looks of a stretch
    // follow each other with nothing between them, so that the processor waits for many at once.
    let even = place.even(&odd.and(runs, 1), HALVES[0], like);
    let known = |index: &usize| place.words.get(*index).is_some_and(|word| filter.has(place.order.limb(*word)));
    let known: Vec<bool> = even.iter().map(known).collect();
    for (index, _) in even.into_iter().zip(known).filter(|(_, known)| *known) {
        let words = place.words.get(index..(index + LONGEST).min(place.words.len())).unwrap_or_default();
        let least = words.get(..HALVES[0]).unwrap_or_default();
        if like.has(least) && window.owned().contains(&(place.start + WORD * index)) {
            seen.push(Zeroizing::new(words.iter().map(|&word| place.order.limb(word)).collect()));
        }
    }
}

/// Candidates of the whole image.
#[derive(Debug)]
pub struct Join {
    /// By the two lowest limbs; of several the longest.
    kept: Least<[u64; 2], Candidate>,
}

impl Default for Join {
    fn default() -> Self {
        Self { kept: Least::new(MOST) }
    }
}

impl Join {
    /// Keeps a candidate. The order does not matter.
    pub fn add(&mut self, candidate: Candidate) {
        let Some(key) = candidate.first_chunk::<2>().copied() else { return };
        self.kept.add(key, candidate, |kept, candidate| {
            if (candidate.len(), &**candidate) > (kept.len(), &**kept) {
                *kept = candidate;
            }
        });
    }

    /// Whether there were more than are kept: a gap.
    #[must_use]
    pub fn dropped(&self) -> bool {
        self.kept.dropped() > 0
    }

    /// The moduli, most significant byte first, that another candidate divides into two numbers of half their size.
    #[must_use]
    pub fn moduli(&self) -> Vec<Vec<u8>> {
        let mut moduli: Vec<Vec<u8>> = HALVES.iter().flat_map(|&half| self.moduli_of(half)).collect();
        moduli.sort_unstable();
        moduli.dedup();
        moduli
    }

    fn moduli_of(&self, half: usize) -> Vec<Vec<u8>> {
        let of = |len: usize| self.kept.values().filter_map(move |limbs| limbs.get(..len));
        let (like, double) = (Likeness::new(half), Likeness::new(2 * half));
        let great = |limbs: &&[u64]| like.has(limbs) && limbs.last().is_some_and(|top| top >> 63 == 1);
        products(of(2 * half).filter(|limbs| double.has(limbs)), of(half).filter(great))
    }
}

/// Those of `moduli`, most significant byte first, that one of `primes` divides, and both that and the quotient may be prime: what
/// private arithmetic leaves behind is also a prime times any number. Half their limbs is what the primes have.
pub fn products<'l>(moduli: impl Iterator<Item = &'l [u64]>, primes: impl Iterator<Item = &'l [u64]>) -> Vec<Vec<u8>> {
    let mut moduli = moduli.peekable();
    if moduli.peek().is_none() {
        return Vec::new();
    }
    let primes = primes.filter(|limbs| !limbs::has_small_divisor(limbs));
    let primes: Vec<(Divisor, &[u64])> = primes.filter_map(|limbs| Some((Divisor::new(limbs)?, limbs))).collect();
    let divided = moduli.filter(|_| !primes.is_empty()).filter_map(|limbs| {
        let n = limbs::to_number(limbs);
        // The exponent plays no part in a division.
        let dividend = Dividend::new(&n, &Number::from(3))?;
        let mut divisors = primes.iter().filter(|(prime, _)| dividend.may_be_divided_by(prime));
        divisors.any(|(_, limbs)| is_product_of_primes(&n, &limbs::to_number(limbs))).then(|| n.to_be())
    });
    divided.collect()
}

fn is_product_of_primes(n: &Number, prime: &Number) -> bool {
    let quotient = n.div_rem(prime).filter(|(_, rest)| rest.is_zero());
    quotient.is_some_and(|(other, _)| is_probable_prime(prime) && is_probable_prime(&other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
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

    fn limbs_of(number: &Number) -> Vec<u64> {
        let bytes = number.to_be();
        bytes.rchunks(8).map(|limb| limb.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte))).collect()
    }

    #[test]
    fn a_prime_times_any_number_is_no_modulus() {
        // As CRT leaves it behind: q times what is no prime, but has no small divisor either.
        let (key, other) = (key(2048), key(1024));
        let told =
            |n: &Number| products([limbs_of(n).as_slice()].into_iter(), [limbs_of(&key.p).as_slice()].into_iter());
        assert_eq!(told(&key.n), [key.n.to_be()]);
        assert!(told(&key.p.times(&other.n)).is_empty());
    }

    /// Limbs as a library keeps them: in a chunk of their own, and the constant in a structure of pointers elsewhere.
    fn context(number: &Number) -> (Vec<u8>, Vec<u8>) {
        let limbs: Vec<u8> = number.to_be().into_iter().rev().collect();
        let low = u64::from_le_bytes(*limbs.first_chunk().unwrap());
        let structure = [0x7f00_1234_5670, 16, 0, negated_inverse(low), 0, 0x5500_0000_1230];
        (
            [&0x91_u64.to_le_bytes()[..], &limbs, &[0; 8]].concat(),
            structure.iter().flat_map(|word: &u64| word.to_le_bytes()).collect(),
        )
    }

    fn join(bytes: &[u8], window: usize) -> Join {
        let memory = AddressSpace::new(&[]);
        let windows: Vec<_> =
            (0..bytes.len()).step_by(window).map(|from| from..(from + window).min(bytes.len())).collect();
        let mut filter = Filter::new(bytes.len() as u64);
        let pieces = [Span::new(0, bytes.len() as u64)];
        let windows = || windows.iter().map(|owned| Window::new(bytes, owned.clone(), &pieces, &[]));
        windows().flat_map(|window| wanted(&window, memory.layout())).for_each(|word| filter.add(word));
        let mut join = Join::default();
        let image = Image::from_bytes("t", Vec::new());
        windows()
            .flat_map(|window| seen(&filter, &Shown::new(&window, &memory, &image)).known)
            .for_each(|candidate| join.add(candidate));
        join
    }

    #[test]
    fn a_modulus_and_one_prime_with_their_constants_are_enough_wherever_they_stand() {
        for bits in [1024, 1536, 2048] {
            let key = key(bits);
            let ((n, n_context), (p, p_context)) = (context(&key.n), context(&key.p));
            for shift in [0, 3] {
                let bytes = [
                    &vec![0; shift][..],
                    &p_context,
                    &[0; 64],
                    &n,
                    &noise(4096, 1),
                    &[0; 64],
                    &p,
                    &n_context,
                    &[0; 64],
                ];
                let bytes = bytes.concat();
                for window in [bytes.len(), 160, 24] {
                    assert_eq!(join(&bytes, window).moduli(), [key.n.to_be()], "{bits} {shift} {window}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_differ_are_those_that_a_plain_count_finds() {
        for bytes in noise(80_000, 9).chunks_exact(8) {
            let few: Vec<u8> = bytes.iter().map(|byte| byte % 11).collect();
            let mut different = few.clone();
            different.sort_unstable();
            different.dedup();
            let word = u64::from_le_bytes(few.try_into().unwrap());
            assert_eq!(has_variety(word), different.len() >= DIFFERENT as usize, "{word:x}");
        }
    }

    #[test]
    fn what_stands_behind_a_modulus_does_not_matter() {
        let key = key(1024);
        let (limbs, constant) = context(&key.n);
        let (prime, other) = context(&key.q);
        let bytes = [
            &limbs[..limbs.len() - 8],
            &noise(512, 2),
            &[0; 64],
            &constant,
            &prime[..prime.len() - 8],
            &noise(256, 3),
            &[0; 64],
            &other,
        ];
        assert_eq!(join(&bytes.concat(), 1 << 12).moduli(), [key.n.to_be()]);
    }

    #[test]
    fn without_constants_and_in_noise_there_is_nothing() {
        let key = key(1024);
        let bytes = [vec![0; 64], context(&key.n).0, vec![0; 64], context(&key.p).0, vec![0; 64]].concat();
        assert!(join(&bytes, bytes.len()).moduli().is_empty());
        let noise = join(&noise(1 << 22, 4), 1 << 20);
        assert!(noise.kept.len() < 4 && noise.moduli().is_empty() && !noise.dropped());
    }

    #[test]
    fn more_than_the_budget_are_dropped_in_any_order_alike() {
        let candidates: Vec<Vec<u64>> = noise(32 * (MOST + 50), 1).chunks_exact(32).map(dense::words).collect();
        let (mut one, mut two) = (Join::default(), Join::default());
        candidates.iter().for_each(|limbs| one.add(Zeroizing::new(limbs.clone())));
        candidates.iter().rev().for_each(|limbs| two.add(Zeroizing::new(limbs.clone())));
        assert!(one.dropped() && one.kept.values().eq(two.kept.values()) && one.kept.len() == MOST);
    }

    #[test]
    fn the_filter_forgets_nothing_and_rejects_nearly_all() {
        let mut filter = Filter::new(64 << 20);
        let words = dense::words(&noise(8 * 100_000, 1));
        words.iter().for_each(|&word| filter.add(word));
        assert!(words.iter().all(|&word| filter.has(word)));
        let wrong = dense::words(&noise(8 * 100_000, 2)).into_iter().filter(|&word| filter.has(word)).count();
        assert!(wrong < 300, "{wrong}");
    }

    #[test]
    fn a_filter_that_was_made_too_large_becomes_the_one_that_would_have_been_made() {
        let words = dense::words(&noise(8 * 10_000, 3));
        let filter = |len| {
            let mut filter = Filter::new(len);
            words.iter().for_each(|&word| filter.add(word));
            filter
        };
        for len in [0, 1 << 20, (4 << 20) + 1, 64 << 20] {
            let smaller = filter(256 << 20).for_image(len).unwrap();
            assert_eq!((smaller.words, smaller.shift), (filter(len).words, filter(len).shift));
        }
        // Folded it is small, and lets no more pass than before.
        let folded = filter(256 << 20).folded();
        assert!(folded.words.len() <= 1 << 14 && words.iter().all(|&word| folded.has(word)));
        let wrong = dense::words(&noise(8 << 20, 4)).into_iter().filter(|&word| folded.has(word)).count();
        assert!(wrong < 20, "{wrong} of a million");
        assert!(!filter(4 << 20).is_enough(64 << 20) && filter(4 << 20).for_image(64 << 20).is_none());
    }
}
