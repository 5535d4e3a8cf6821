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

use std::collections::BTreeMap;
use std::ops::Range;

use super::dense::{self, Bits, WORD};
use super::number_words::{Digits, Order, Place};
use super::rsa_integers::PublicKey;
use super::{Clue, Clues, Hunt, Hunter};
use crate::detect::Hits;
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::image::Image;
use crate::keys::limbs::{self, Dividend, Divisor, Exponents, LONGEST, Likeness};
use crate::keys::number::Number;
use crate::keys::rsa::{self, RsaNumbers};
use crate::keys::{asn1, exponent};
use crate::memory::AddressSpace;
use crate::window::Window;

/// Moduli of one size that are tried: each costs every candidate another division.
const MOST_KEYS: usize = 400;
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
        for target in targets(clues) {
            let half = target.dividend.half();
            let known = sizes.entry(half).or_insert_with(|| Size::of(half));
            if known.targets.len() < MOST_KEYS {
                known.targets.push(target);
            } else {
                left_out += 1;
            }
        }
        sizes.values_mut().for_each(Size::ask_for_exponents);
        Box::new(Prepared { sizes, left_out })
    }
}

/// A modulus whose primes are looked for.
struct Target {
    key: PublicKey,
    /// Whether only the modulus is known.
    assumed: bool,
    dividend: Dividend,
}

fn targets(clues: &Clues) -> impl Iterator<Item = Target> + '_ {
    clues.iter().filter_map(|clue| {
        let (modulus, exponent, assumed) = match clue {
            Clue::RsaPublicKey { modulus, exponent } => (modulus, Number::from_be(exponent), false),
            Clue::RsaModulus { modulus } => (modulus, Number::from(USUAL_E), true),
            _ => return None,
        };
        let key = PublicKey { n: Number::from_be(modulus), e: exponent };
        let dividend = rsa::is_public_key(&key.n, &key.e).then(|| Dividend::new(&key.n, &key.e))??;
        (dividend.half() >= 8).then_some(Target { key, assumed, dividend })
    })
}

/// Targets with primes of one size.
struct Size {
    targets: Vec<Target>,
    /// Their private exponents.
    exponents: Exponents,
    /// What a prime looks like.
    likeness: Likeness,
}

impl Size {
    fn of(half: usize) -> Self {
        Self { targets: Vec::new(), exponents: Exponents::default(), likeness: Likeness::new(half) }
    }

    fn ask_for_exponents(&mut self) {
        self.exponents = Exponents::of(self.targets.iter().map(|target| &target.dividend));
    }
}

/// Targets by the limbs of their primes.
struct Prepared {
    sizes: BTreeMap<usize, Size>,
    left_out: usize,
}

impl Hunt for Prepared {
    fn hunt(&self, window: &Window<'_>, memory: &AddressSpace, _image: &Image, out: &mut Hits) {
        let owned = window.owned();
        let end = (owned.end + WORD * (LONGEST + 1)).min(window.bytes().len());
        let least = self.sizes.keys().next().copied().unwrap_or(LONGEST);
        let (words, digits) = dense::stretches(window.bytes(), owned.start..end, least);
        let grids = dense::grids(window, memory);
        let look = Look { prepared: self, window, grids, orders: Order::of(memory) };
        words.into_iter().for_each(|stretch| look.words(stretch, out));
        digits.into_iter().for_each(|stretch| look.digits(stretch, out));
    }

    fn left_out(&self) -> Option<String> {
        let most =
            format!("more than {MOST_KEYS} RSA moduli of one size; the private halves of {} were not", self.left_out);
        (self.left_out > 0).then(|| format!("{most} looked for as bare numbers"))
    }
}

/// The look at one window.
struct Look<'a> {
    prepared: &'a Prepared,
    window: &'a Window<'a>,
    grids: [bool; WORD],
    orders: &'static [Order],
}

impl Look<'_> {
    fn words(&self, stretch: Range<usize>, out: &mut Hits) {
        let shortest = self.prepared.sizes.keys().next().copied().unwrap_or(LONGEST);
        for grid in (0..WORD).filter(|_| stretch.len() >= WORD * shortest) {
            let start = stretch.start + (grid + WORD - stretch.start % WORD) % WORD;
            let words = dense::words(self.window.slice(start..stretch.end));
            let full = Bits::of(&words, dense::is_dense).without_holes();
            let runs = |half: usize| Bits::all(words.len()).and(&full.runs(half - 2), 1);
            let runs: Vec<(usize, Bits)> = self.prepared.sizes.keys().map(|&half| (half, runs(half))).collect();
            for order in self.orders.iter().copied().filter(|order| order.fits(grid, &self.grids)) {
                let odd = Bits::of(&words, |word| order.limb(word) & 1 == 1);
                let great = Bits::of(&words, |word| order.limb(word) >> 63 == 1);
                for (half, runs) in &runs {
                    let place = Place { start, words: &words, order };
                    self.primes(&place, *half, &runs.and(&place.between(&odd, &great, *half), 0), out);
                    let double = runs.and(runs, *half);
                    let odd = double.and(&odd, if order.lowest_first() { 0 } else { 2 * half - 1 });
                    self.exponents(&place, *half, &odd, out);
                }
            }
        }
    }

    fn primes(&self, place: &Place<'_>, half: usize, at: &Bits, out: &mut Hits) {
        let mut limbs = [0; LONGEST];
        for index in at.ones().filter(|&index| self.owns(place.start + WORD * index)) {
            let Some(limbs) = place.limbs(index, half, &mut limbs) else { continue };
            if let Some((numbers, piece, target)) = self.prime(limbs, half) {
                let range = place.start + WORD * index..place.start + WORD * (index + half);
                tell(numbers, target, piece, range, place.order.encoding(), out);
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
                if let Some(numbers) = target.exponent(limbs) {
                    let range = place.start + WORD * index..place.start + WORD * (index + 2 * half);
                    tell(numbers, target, Piece::D, range, place.order.encoding(), out);
                }
            }
        }
    }

    fn digits(&self, stretch: Range<usize>, out: &mut Hits) {
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
                        && let Some((numbers, piece, target)) = self.prime(&limbs, half)
                    {
                        tell(numbers, target, piece, range(prime), Encoding::Digits30, out);
                    }
                    let Some(limbs) = exponent.limbs(&words, index) else { continue };
                    let first = limbs.last().copied().unwrap_or(0);
                    if !exponents.may_begin_with(first) {
                        continue;
                    }
                    for target in targets.iter().filter(|target| target.dividend.may_have_exponent(first)) {
                        if let Some(numbers) = target.exponent(&limbs) {
                            tell(numbers, target, Piece::D, range(exponent), Encoding::Digits30, out);
                        }
                    }
                }
            }
        }
    }

    fn prime(&self, limbs: &[u64], half: usize) -> Option<(RsaNumbers, Piece, &Target)> {
        let Size { targets, likeness, .. } = self.prepared.sizes.get(&half)?;
        // Each of the three costs more than the one before.
        if !likeness.is_even(limbs) || limbs::has_small_divisor(limbs) || !likeness.has(limbs) {
            return None;
        }
        let divisor = Divisor::new(limbs)?;
        let mut divided = targets.iter().filter(|target| target.dividend.may_be_divided_by(&divisor));
        divided.find_map(|target| {
            let prime = limbs::to_number(limbs);
            let numbers = target.key.with_prime(&prime, None)?;
            let piece = if numbers.p == prime { Piece::P } else { Piece::Q };
            Some((numbers, piece, target))
        })
    }

    fn owns(&self, at: usize) -> bool {
        self.window.owned().contains(&at)
    }
}

impl Target {
    fn exponent(&self, limbs: &[u64]) -> Option<RsaNumbers> {
        let d = limbs::to_number(limbs);
        if d >= self.key.n {
            return None;
        }
        let (p, _) = exponent::factor(&self.key.n, &self.key.e, &d)?;
        self.key.with_prime(&p, Some(d))
    }
}

fn tell(key: RsaNumbers, target: &Target, piece: Piece, range: Range<usize>, encoding: Encoding, out: &mut Hits) {
    let form = Form { layout: Layout::Bare, encoding, piece };
    let Some(mut found) = key.into_found(Evidence::Proven) else { return };
    if target.assumed {
        found.public.context.push(format!("its public exponent was not seen; taken to be {USUAL_E}"));
    }
    out.hits.push(found.at(range, form));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Label, Region};
    use crate::keys::testing::{noise, rsa_key};
    use crate::span::{Address, Span};
    use ::rsa::traits::PrivateKeyParts as _;

    fn key(bits: usize) -> RsaNumbers {
        let key = rsa_key(bits);
        let [p, q] = key.primes() else { panic!() };
        let (p, q) = (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()));
        let (p, q) = if p > q { (p, q) } else { (q, p) };
        RsaNumbers::from_primes(p, q, Number::from(USUAL_E), None).unwrap()
    }

    fn clues(keys: &[&RsaNumbers]) -> Clues {
        let mut clues = Clues::new(1000);
        for key in keys {
            clues.add(Clue::RsaPublicKey { modulus: key.n.to_be(), exponent: key.e.to_be() });
        }
        clues
    }

    /// What windows that own so many bytes each tell together: range and form.
    fn hunt(clues: &Clues, bytes: &[u8], window: usize, phase: u64) -> Vec<(Range<usize>, Form)> {
        let region = Region {
            span: Span::new(0, bytes.len() as u64),
            address: Some(Address(0x7f00_0000_0000 + phase)),
            label: Label::Memory,
            protection: None,
        };
        let (memory, image) = (AddressSpace::new(&[region]), Image::from_bytes("t", Vec::new()));
        let hunt = RsaWindows.prepare(clues);
        let mut out = Hits::default();
        let pieces = [Span::new(0, bytes.len() as u64)];
        for from in (0..bytes.len()).step_by(window) {
            let owned = from..(from + window).min(bytes.len());
            hunt.hunt(&Window::new(bytes, owned, &pieces, &[]), &memory, &image, &mut out);
        }
        assert!(out.hits.iter().all(|hit| hit.evidence == Evidence::Proven));
        out.hits.into_iter().map(|hit| (hit.range, hit.form)).collect()
    }

    /// A number in one of the four forms, by another way than the one that it is read by.
    fn write(number: &Number, encoding: Encoding) -> Vec<u8> {
        let mut bytes = number.to_be();
        match encoding {
            Encoding::LittleEndian => bytes.reverse(),
            Encoding::Words32 => {
                bytes.splice(..0, vec![0; bytes.len().next_multiple_of(4) - bytes.len()]);
                bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
            }
            Encoding::Digits30 => {
                let (mut rest, mut digits) = (number.clone(), Vec::new());
                while !rest.is_zero() {
                    let (next, digit) = rest.div_rem(&Number::from(1 << 30)).unwrap();
                    digits.extend((digit.to_u64().unwrap() as u32).to_le_bytes());
                    rest = next;
                }
                return digits;
            }
            _ => {}
        }
        bytes
    }

    const ENCODINGS: [Encoding; 4] = [Encoding::LittleEndian, Encoding::Plain, Encoding::Words32, Encoding::Digits30];

    #[test]
    fn primes_and_exponents_are_found_in_every_form_whatever_the_windows() {
        for bits in [1024, 1536, 2048] {
            let (other, key) = (key(1024), key(bits));
            let clues = clues(&[&other, &key]);
            let numbers = [(&key.p, Piece::P), (&key.q, Piece::Q), (&key.d, Piece::D)];
            for encoding in ENCODINGS {
                let (mut bytes, mut want) = (vec![0; 40], Vec::new());
                for (number, piece) in numbers {
                    let written = write(number, encoding);
                    if piece == Piece::D && written.len() != write(&key.n, encoding).len() {
                        continue;
                    }
                    want.push((
                        bytes.len()..bytes.len() + written.len(),
                        Form { layout: Layout::Bare, encoding, piece },
                    ));
                    bytes.extend(written);
                    bytes.extend([0x7f12_3456_7890_u64, 17, 0].map(u64::to_le_bytes).concat());
                    bytes.resize(bytes.len().next_multiple_of(8), 0);
                }
                // One exponent in some hundreds is out of reach, which is why the primes are looked for too.
                let exponent = |(_, form): &(Range<usize>, Form)| form.piece == Piece::D;
                for window in [bytes.len(), 64, 24] {
                    let got = hunt(&clues, &bytes, window, 0);
                    assert!(got.iter().all(|site| want.contains(site)), "{bits} {encoding:?}");
                    assert!(want.iter().all(|site| got.contains(site) || exponent(site)), "{bits} {encoding:?}");
                }
            }
        }
    }

    #[test]
    fn limbs_stand_on_the_grid_of_addresses_and_bytes_anywhere() {
        let key = key(1024);
        let clues = clues(&[&key]);
        for phase in 0..8 {
            let bytes = [vec![0; 64 + 8 - phase], write(&key.p, Encoding::LittleEndian), vec![0; 64]].concat();
            assert_eq!(hunt(&clues, &bytes, bytes.len(), phase as u64).len(), 1, "{phase}");
            let bytes = [vec![0; 64 + phase], write(&key.q, Encoding::Plain), vec![0; 64]].concat();
            assert_eq!(hunt(&clues, &bytes, bytes.len(), 0).len(), 1, "{phase}");
        }
    }

    #[test]
    fn numbers_in_the_midst_of_noise_are_found_and_noise_is_none() {
        let key = key(2048);
        let clues = clues(&[&key]);
        let mut bytes = noise(1 << 20, 9);
        assert!(hunt(&clues, &bytes, 1 << 18, 0).is_empty());
        for (i, encoding) in ENCODINGS.into_iter().enumerate() {
            let written = write(&key.p, encoding);
            bytes[80_000 * (i + 1)..][..written.len()].copy_from_slice(&written);
        }
        let got: Vec<Encoding> = hunt(&clues, &bytes, 1 << 18, 0).into_iter().map(|(_, form)| form.encoding).collect();
        assert_eq!(got, ENCODINGS);
    }

    #[test]
    fn a_modulus_without_an_exponent_is_hunted_and_the_guess_is_told() {
        let key = key(1024);
        let mut clues = Clues::new(9);
        assert!(!RsaWindows.needs(&clues));
        clues.add(Clue::RsaModulus { modulus: key.n.to_be() });
        let bytes = [vec![0; 64], write(&key.p, Encoding::LittleEndian), vec![0; 64]].concat();
        let (mut out, pieces) = (Hits::default(), [Span::new(0, bytes.len() as u64)]);
        let image = Image::from_bytes("t", Vec::new());
        RsaWindows.prepare(&clues).hunt(
            &Window::new(&bytes, 0..bytes.len(), &pieces, &[]),
            &AddressSpace::new(&[]),
            &image,
            &mut out,
        );
        let [hit] = &out.hits[..] else { panic!() };
        assert!(hit.public.context.iter().any(|line| line.contains("65537")));
    }

    #[test]
    fn too_many_moduli_are_a_gap() {
        let mut clues = Clues::new(2000);
        for i in 0..=MOST_KEYS as u64 {
            let modulus = [&[0x80], &noise(126, i)[..], &[1]].concat();
            clues.add(Clue::RsaPublicKey { modulus, exponent: vec![1, 0, 1] });
        }
        assert!(RsaWindows.prepare(&clues).left_out().unwrap().contains("of 1 were not"));
    }
}
