//! RSA keys whose numbers are in digits of 28 or of 60 bits, as libtommath keeps them: Wine's CryptoAPI, libtomcrypt, Dropbear; and in those of
//! libraries in JavaScript (node-forge).
//!
//! Each number has a piece of memory of its own, filled up with zeros, and so many digits tell of what length it is. A digit of 28
//! bits takes four bytes and one of 60 bits eight, so their upper four bits are zeros, which a random row of digits is next to
//! never by chance. What is gathered is divided: a number of half the length of a modulus that divides it proves the key.

use zeroize::Zeroizing;

use super::dense::{self, WORD};
use super::digits::Scripts;
use super::ec_places::{self, Grid};
use super::islands;
use super::least::Least;
use super::montgomery::HALVES;
use super::{Clue, Clues};
use crate::detect::{Far, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece};
use crate::keys::digits::{self, Digits, IN_WORDS};
use crate::keys::exponent::is_probable_prime;
use crate::keys::limbs::{self, Dividend, Divisor, LONGEST};
use crate::keys::number::Number;
use crate::keys::rsa::RsaNumbers;
use crate::span::Span;
use crate::window::Window;

/// The public exponent of a modulus that nothing tells the exponent of.
const USUAL_E: u64 = 65537;
/// Words of digits that a run is known by.
const HEAD: usize = 6;
/// Numbers that are kept. A process has some for each of its keys.
const MOST: usize = 4096;

/// A number in digits.
#[derive(Debug)]
pub struct Written {
    /// Lowest first.
    limbs: Zeroizing<Vec<u64>>,
    encoding: Encoding,
    spans: Vec<Span>,
}

/// The numbers that begin in the owned part of the window, as long as primes and moduli are.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid], scripts: Option<&Scripts>) -> Vec<Written> {
    let mut seen = Vec::new();
    let owned = window.owned();
    let in_runs = Scripts::in_runs(scripts);
    for run in grids.iter().flat_map(|grid| &grid.runs) {
        let start = run.range.start;
        if !owned.contains(&start) || run.words() < HALVES[0] {
            continue;
        }
        // The first word may be a header of the allocation.
        let head = window.slice(start + WORD..start + WORD * HEAD).as_chunks().0;
        let head = head.iter().fold(0, |all, word| all | u64::from_le_bytes(*word));
        let fits = |digits: &&Digits| head & digits.outside() == 0;
        seen.extend(in_runs.iter().filter(fits).filter_map(|digits| number(*digits, window, start)));
    }
    for (start, _) in scripts.into_iter().flat_map(|scripts| &scripts.rows).filter(|(_, words)| *words >= HALVES[0]) {
        seen.extend(IN_WORDS.iter().filter_map(|digits| number(*digits, window, *start)));
    }
    seen
}

/// The number that begins with the word at `start`, with one of its halves, or behind it.
fn number(layout: Digits, window: &Window<'_>, start: usize) -> Option<Written> {
    let (from, size) = (start.saturating_sub(WORD), layout.size);
    let most = layout.count(64 * LONGEST) + 2 * WORD / size + 2;
    let digits = window.slice(from..from + size * most).chunks_exact(size);
    // Zero, as what is no digit, ends a number.
    let digits = digits.map(|bytes| layout.digit(bytes).unwrap_or_default());
    let digits: Zeroizing<Vec<u64>> = Zeroizing::new(digits.collect());
    // A small word before it may be a length of the allocation, so each place is tried.
    let last = (start - from + 2 * WORD) / size;
    let number = |first: usize| {
        let row = digits.get(first..)?;
        let count = row.iter().take_while(|digit| **digit != 0).count();
        let len = islands::LENGTHS.iter().copied().find(|len| layout.count(64 * len) == count)?;
        let limbs = limbs(layout, row.get(..count)?, len).filter(|limbs| islands::is_likely(limbs))?;
        let at = from + size * first;
        let spans = window.spans(at..at + size * count);
        let is_told = window.is_stitched() && spans.len() < 2;
        (!is_told).then_some(Written { limbs, encoding: layout.encoding, spans })
    };
    (0..last).find_map(number)
}

/// The limbs of the number; `None` where it has more.
fn limbs(layout: Digits, digits: &[u64], len: usize) -> Option<Zeroizing<Vec<u64>>> {
    let mut bytes = digits::joined(digits.iter().copied(), layout.bits);
    let fits = bytes.iter().skip(WORD * len).all(|byte| *byte == 0);
    bytes.resize(WORD * len, 0);
    fits.then(|| Zeroizing::new(dense::words(&bytes)))
}

/// Numbers of the whole image.
#[derive(Debug)]
pub struct LongDigits {
    /// By a hash; of several places the first.
    kept: Least<u64, Written>,
}

impl Default for LongDigits {
    fn default() -> Self {
        Self { kept: Least::new(MOST) }
    }
}

impl LongDigits {
    /// Adds a number. The order of adding does not matter.
    pub fn add(&mut self, written: Written) {
        let bytes: Zeroizing<Vec<u8>> =
            Zeroizing::new(written.limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect());
        self.kept.add(ec_places::hash(&bytes), written, |known, written| {
            if written.spans < known.spans {
                *known = written;
            }
        });
    }

    /// Whether there were more than are kept.
    #[must_use]
    pub fn dropped(&self) -> bool {
        self.kept.dropped() > 0
    }

    /// The keys of which a prime is there, and the modulus too or a public key of it.
    #[must_use]
    pub fn hits(&self, clues: &Clues) -> Hits {
        let mut hits = Hits::default();
        if self.kept.len() == 0 {
            return hits;
        }
        let of_clue = |clue: &Clue| match clue {
            Clue::RsaPublicKey { modulus, exponent } => Some((Number::from_be(modulus), Number::from_be(exponent))),
            Clue::RsaModulus { modulus } => Some((Number::from_be(modulus), Number::from(USUAL_E))),
            _ => None,
        };
        let own = self.kept.values().map(|written| (limbs::to_number(&written.limbs), Number::from(USUAL_E)));
        let moduli = clues.iter().filter_map(of_clue).chain(own);
        let moduli: Vec<(Dividend, Number, Number)> =
            moduli.filter_map(|(n, e)| Some((Dividend::new(&n, &e)?, n, e))).collect();
        for written in self.kept.values() {
            let Some(divisor) = Divisor::new(&written.limbs) else { continue };
            let p = limbs::to_number(&written.limbs);
            let divided =
                moduli.iter().filter(|(n, ..)| n.half() == written.limbs.len() && n.may_be_divided_by(&divisor));
            for (_, n, e) in divided {
                let q = n.div_rem(&p).filter(|(_, rest)| rest.is_zero()).map(|(q, _)| q);
                let q = q.filter(|q| is_probable_prime(&p) && is_probable_prime(q));
                let key = q.and_then(|q| RsaNumbers::from_primes(p.clone(), q, e.clone(), None));
                if let Some(key) = key.and_then(|key| key.into_found(Evidence::Proven)) {
                    let form = Form { layout: Layout::Bare, encoding: written.encoding, piece: Piece::P };
                    let len = written.spans.iter().map(|span| span.len as usize).sum();
                    hits.far.push(Far { hit: key.at(0..len, form), spans: written.spans.clone() });
                }
            }
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::digits::testing::divided;
    use crate::keys::digits::{IN_HALVES, TOMMATH};
    use crate::keys::testing::{noise, rsa_key};
    use crate::memory::AddressSpace;
    use ::rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

    fn hits(bytes: &[u8], window: usize, clues: &Clues) -> Vec<Far> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut all = LongDigits::default();
        for from in (0..bytes.len()).step_by(window) {
            let window = Window::new(bytes, from..(from + window).min(bytes.len()), &pieces, &[]);
            let grids = ec_places::grids(&window, &memory);
            let scripts = Scripts::of(&window, &memory);
            seen(&window, &grids, Some(&scripts)).into_iter().for_each(|written| all.add(written));
        }
        all.hits(clues).far
    }

    #[test]
    fn a_prime_and_the_modulus_prove_the_key_in_digits_of_both_sizes() {
        let sizes =
            TOMMATH.into_iter().chain(IN_WORDS).chain(IN_HALVES).flat_map(|digits| [(1024, digits), (2048, digits)]);
        for (modulus, digits) in sizes.chain([(1536, TOMMATH[0])]) {
            let key = rsa_key(modulus);
            let number = |bytes: &[u8]| Number::from_be(bytes);
            let (n, p) = (number(&key.n().to_be_bytes()), number(&key.primes()[0].to_be_bytes()));
            // Headers of glibc, and of Wine.
            for header in [0x131_u64, 0x5355_0008_0000_0011] {
                let chunk = |number| [&header.to_le_bytes()[..], &divided(number, digits), &[0; 80]].concat();
                let heap =
                    [vec![0; 64], chunk(&n), vec![0; 64 - chunk(&n).len() % 8], chunk(&p), noise(64, 1)].concat();
                for window in [1 << 16, 40] {
                    let found = hits(&heap, window, &Clues::new(9));
                    let [far] = &found[..] else { panic!("{modulus} {digits:?} {header:x} {window} {}", found.len()) };
                    assert_eq!(far.hit.public.kind, format!("RSA-{modulus}"));
                    let span = far.spans[0];
                    assert_eq!(heap[span.from() as usize..span.end() as usize], divided(&p, digits));
                }
                let mut clues = Clues::new(9);
                let alone = [vec![0; 64], chunk(&p)].concat();
                assert!(hits(&alone, 1 << 16, &clues).is_empty());
                clues.add(Clue::RsaModulus { modulus: n.to_be() });
                assert_eq!(hits(&alone, 1 << 16, &clues).len(), 1);
            }
        }
    }

    #[test]
    fn noise_and_other_digits_are_none() {
        assert!(hits(&noise(1 << 20, 3), 1 << 20, &Clues::new(9)).is_empty());
        let masked: Vec<u8> = noise(1 << 16, 4).chunks(4).flat_map(|d| [d[0], d[1], d[2], d[3] & 0x0f]).collect();
        assert!(hits(&masked, 1 << 16, &Clues::new(9)).is_empty());
    }
}
