//! The last INTEGERs of a freed key: one prime or one exponent alone, which only the public key from a certificate can tell
//! from noise.
//!
//! Every DER INTEGER of the right size is tried against all known moduli of that size. The tests are divisions: a prime
//! divides n; an exponent modulo p-1 gives a handful of candidates for p without knowing n (see [`exponent::primes_of`]);
//! a private exponent gives the primes by the first steps of Euclid's algorithm. qinv alone gives nothing.
//!
//! Cost: one candidate takes about 1 us for each modulus of its size as a prime and 16 us as a private exponent, so 0.3 s
//! in the worst case of 20,000 moduli, and 0.6 ms as an exponent modulo p-1 at most, whatever their number. Candidates are rare
//! (known moduli, which certificates are full of, are skipped): random data has one of a given size in 16 MiB.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use super::{Clue, Clues, Hunt, Hunter};
use crate::detect::Hits;
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::image::Image;
use crate::keys::asn1;
use crate::keys::exponent;
use crate::keys::fragment::{self, Integer};
use crate::keys::number::Number;
use crate::keys::rsa::{self, RsaNumbers};
use crate::memory::AddressSpace;
use crate::window::Window;

/// By how many bits a number may be shorter than its place allows; each more halves the chance.
const SLACK: u32 = 16;
/// Moduli that are divided by whatever may be a prime.
const FEW: usize = 200;
/// Different public exponents that are tried; nearly every key has 65537.
const MOST_EXPONENTS: usize = 8;

/// Hunts for single INTEGERs of private keys whose public key is known.
pub struct RsaIntegers;

impl Hunter for RsaIntegers {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().filter(|rule| rule.id == rsa::RULE).collect()
    }

    fn needs(&self, clues: &Clues) -> bool {
        public_keys(clues).any(|(_, is_of_an_authority)| !is_of_an_authority)
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        let mut sizes: BTreeMap<u32, Vec<PublicKey>> = BTreeMap::new();
        let mut moduli = HashSet::new();
        for (key, is_of_an_authority) in public_keys(clues) {
            moduli.insert(key.n.to_be());
            if !is_of_an_authority {
                sizes.entry(key.n.bits()).or_default().push(key);
            }
        }
        let exponents: BTreeSet<Number> = sizes.values().flatten().map(|key| key.e.clone()).collect();
        let exponents = exponents.into_iter().rev().filter(|e| e.bits() <= 17).take(MOST_EXPONENTS).collect();
        Box::new(Prepared { sizes, moduli, exponents })
    }
}

/// A public key whose private half is looked for.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    pub(super) n: Number,
    pub(super) e: Number,
}

/// The public keys, and of each whether it is that of a well-known authority: its modulus is known, and not hunted for.
fn public_keys(clues: &Clues) -> impl Iterator<Item = (PublicKey, bool)> + '_ {
    clues.iter().filter_map(|clue| match clue {
        Clue::RsaPublicKey { modulus, exponent } => {
            let key = PublicKey { n: Number::from_be(modulus), e: Number::from_be(exponent) };
            rsa::is_public_key(&key.n, &key.e).then(|| (key, clues.is_of_an_authority(clue)))
        }
        _ => None,
    })
}

/// The known keys by the bits of their moduli.
struct Prepared {
    sizes: BTreeMap<u32, Vec<PublicKey>>,
    moduli: HashSet<Vec<u8>>,
    exponents: Vec<Number>,
}

impl Hunt for Prepared {
    fn hunt(&self, window: &Window<'_>, _memory: &AddressSpace, _image: &Image, out: &mut Hits) {
        let owned = window.owned();
        for at in memchr::memchr_iter(2, window.slice(owned.clone())).map(|at| owned.start + at) {
            let Some(integer) = Integer::at(window.bytes(), at).filter(|i| i.value.len() >= 31) else { continue };
            let bytes = window.slice(integer.value.clone());
            // An exponent costs milliseconds to rule out; what is no number of a key is nearly always text or code.
            if !fragment::looks_random(bytes) {
                continue;
            }
            let value = Number::from_be(bytes);
            if let Some((key, piece)) = self.key_of(&value) {
                tell(key, piece, integer.value, out);
            }
        }
    }
}

impl Prepared {
    /// The key that the number belongs to, and which of its numbers it is.
    fn key_of(&self, value: &Number) -> Option<(RsaNumbers, Piece)> {
        let near = |bits: u32| value.bits() <= bits && value.bits() + SLACK >= bits;
        // Certificates are full of moduli, and one of 2048 bits has the size of a prime of RSA-4096.
        if !value.is_odd() || self.moduli.contains(&value.to_be()) {
            return None;
        }
        let mut sizes = self.sizes.iter();
        sizes.find_map(|(&bits, keys)| {
            if near(bits.div_ceil(2) + 2) {
                self.prime(value, keys).or_else(|| self.prime_exponent(value, keys))
            } else if near(bits) {
                self.private_exponent(value, keys)
            } else {
                None
            }
        })
    }

    fn prime(&self, value: &Number, keys: &[PublicKey]) -> Option<(RsaNumbers, Piece)> {
        let key = keys.iter().find(|key| key.n.is_multiple_of(value))?;
        let numbers = key.with_prime(value, None)?;
        let piece = if numbers.p == *value { Piece::P } else { Piece::Q };
        Some((numbers, piece))
    }

    fn prime_exponent(&self, value: &Number, keys: &[PublicKey]) -> Option<(RsaNumbers, Piece)> {
        let primes = self.exponents.iter().flat_map(|e| exponent::primes_of(e, value));
        let size = keys.first()?.n.bits().div_ceil(2);
        // To divide some moduli costs less than to tell that it is no prime.
        let may_divide = |p: &Number| keys.len() <= FEW || exponent::is_probable_prime(p);
        let mut primes = primes.filter(|p| p.bits().abs_diff(size) <= SLACK && may_divide(p));
        let (numbers, _) = primes.find_map(|p| self.prime(&p, keys))?;
        let piece = match value {
            v if *v == numbers.dp => Piece::Dp,
            v if *v == numbers.dq => Piece::Dq,
            _ => return None,
        };
        Some((numbers, piece))
    }

    fn private_exponent(&self, value: &Number, keys: &[PublicKey]) -> Option<(RsaNumbers, Piece)> {
        let mut factored = keys.iter().filter(|key| *value < key.n).filter_map(|key| {
            let (p, _) = exponent::factor(&key.n, &key.e, value)?;
            key.with_prime(&p, Some(value.clone()))
        });
        factored.next().map(|numbers| (numbers, Piece::D))
    }
}

impl PublicKey {
    /// The private key, from one prime. The greater one is called p, as nearly every library does.
    pub(super) fn with_prime(&self, prime: &Number, d: Option<Number>) -> Option<RsaNumbers> {
        let other = self.n.div_rem(prime)?.0;
        let (p, q) = if *prime > other { (prime.clone(), other) } else { (other, prime.clone()) };
        RsaNumbers::from_primes(p, q, self.e.clone(), d).filter(RsaNumbers::prove)
    }
}

fn tell(key: RsaNumbers, piece: Piece, range: Range<usize>, out: &mut Hits) {
    let form = Form { layout: Layout::DerFragment, encoding: Encoding::Plain, piece };
    if let Some(key) = key.into_found(Evidence::Proven) {
        out.hits.push(key.at(range, form));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::fragment;
    use crate::keys::testing::{noise, pkcs1};

    fn hunt(clues: &[Clue], bytes: &[u8]) -> Hits {
        let mut known = Clues::new(100);
        clues.iter().for_each(|clue| known.add(clue.clone()));
        assert!(RsaIntegers.needs(&known));
        let mut out = Hits::default();
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        let image = Image::from_bytes("t", Vec::new());
        RsaIntegers.prepare(&known).hunt(&window, &AddressSpace::new(&[]), &image, &mut out);
        out
    }

    fn clue(der: &[u8]) -> Clue {
        let values = fragment::chain(der, 4).unwrap().values(der).into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
        let plain = |bytes: &[u8]| Number::from_be(bytes).to_be();
        Clue::RsaPublicKey { modulus: plain(&values[1]), exponent: plain(&values[2]) }
    }

    #[test]
    fn any_single_integer_but_qinv_gives_the_key_away() {
        let (der, other, bigger) = (pkcs1(1024), pkcs1(1024), pkcs1(2048));
        let clues = [clue(&other), clue(&der), clue(&bigger)];
        let integers = fragment::chain(&der, 4).unwrap().integers;
        let pieces = [Piece::D, Piece::P, Piece::Q, Piece::Dp, Piece::Dq];
        for (integer, piece) in integers.iter().skip(3).zip(pieces) {
            let bytes = [&noise(50, 4), &der[integer.start..integer.value.end], &noise(50, 5)].concat();
            let out = hunt(&clues, &bytes);
            assert_eq!(out.hits.len(), 1, "{piece:?}");
            assert_eq!((out.hits[0].evidence, out.hits[0].range.end), (Evidence::Proven, bytes.len() - 50));
            let swapped = [(Piece::P, Piece::Q), (Piece::Dp, Piece::Dq)].map(|(a, b)| [(a, b), (b, a)]).concat();
            let told = out.hits[0].form.piece;
            assert!(told == piece || swapped.contains(&(told, piece)), "{told:?} {piece:?}");
        }
    }

    #[test]
    fn public_numbers_and_noise_give_nothing() {
        let der = pkcs1(1024);
        let modulus = &fragment::chain(&der, 4).unwrap().integers[1];
        let bytes = [&der[modulus.start..modulus.value.end], &noise(1 << 20, 11)].concat();
        assert!(hunt(&[clue(&der)], &bytes).hits.is_empty());
    }

    #[test]
    fn degenerate_public_keys_are_not_used() {
        let mut clues = Clues::new(9);
        clues.add(Clue::RsaPublicKey { modulus: Vec::new(), exponent: vec![3] });
        clues.add(Clue::RsaPublicKey { modulus: vec![0xfe; 128], exponent: vec![3] });
        clues.add(Clue::RsaPublicKey { modulus: vec![0xff; 128], exponent: vec![2] });
        assert!(!RsaIntegers.needs(&clues));
    }
}
