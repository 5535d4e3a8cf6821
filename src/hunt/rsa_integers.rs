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

use multiversion::multiversion;

use super::bits::{ones, pack};
use super::dense::{LANES, whole};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::Hits;
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::keys::asn1;
use crate::keys::exponent;
use crate::keys::fragment::{self, Integer};
use crate::keys::number::Number;
use crate::keys::rsa::{self, RsaNumbers};

/// By how many bits a number may be shorter than its place allows; each more halves the chance.
const SLACK: u32 = 16;
/// Bytes of the shortest number that is tried.
const SHORTEST: u32 = 31;
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
        let lengths = lengths(&sizes);
        let is_short = |len: &usize| lengths.get(*len) == Some(&true);
        let first = (0..LONG).find(is_short).unwrap_or(LONG);
        let last = (0..LONG).rfind(is_short).unwrap_or(LONG);
        Box::new(Prepared { short: [first as u8, (last - first) as u8], lengths, sizes, moduli, exponents })
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
    /// For each number of bytes whether one of their numbers may be an INTEGER of it.
    lengths: Vec<bool>,
    /// The least of those that are written as one byte, and by how much the greatest is more.
    short: [u8; 2],
}

/// Bytes of a number of the least length that is written in more than one byte, as what it begins with says.
const LONG: usize = 0x81;
/// Places of tags that are looked for together.
const SEEN: usize = LANES + 1;

/// Which lengths INTEGERs may have that belong to keys of these sizes.
fn lengths(sizes: &BTreeMap<u32, Vec<PublicKey>>) -> Vec<bool> {
    let mut lengths = Vec::new();
    for bits in sizes.keys().flat_map(|bits| [*bits, bits.div_ceil(2) + 2]) {
        // An INTEGER is a byte longer than its number at most.
        let (least, most) = ((bits.saturating_sub(SLACK) / 8).max(SHORTEST), bits / 8 + 2);
        lengths.resize(lengths.len().max(most as usize + 1), false);
        lengths.iter_mut().take(most as usize + 1).skip(least as usize).for_each(|fits| *fits = true);
    }
    lengths
}

/// Where tags of INTEGERs stand in front of a length of several bytes, or of one byte that may be it; the last byte is no tag.
fn tags(bytes: &[u8], short: [u8; 2]) -> impl Iterator<Item = usize> + '_ {
    let mask = move |at: usize| has_tag(&whole(bytes.get(at..).unwrap_or_default()), short);
    let blocks = (0..bytes.len().saturating_sub(1)).step_by(LANES);
    blocks.flat_map(move |at| ones(mask(at)).map(move |bit| at + bit))
}

/// The same of 64 places, without branches, so that it becomes vector code.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn has_tag(seen: &[u8; SEEN], [least, more]: [u8; 2]) -> u64 {
    let mut tags = [0_u8; LANES];
    for ((tag, byte), length) in tags.iter_mut().zip(seen).zip(seen.iter().skip(1)) {
        let is_short = u8::from(length.wrapping_sub(least) <= more);
        let is_long = u8::from(length.wrapping_sub(LONG as u8) <= 1);
        *tag = u8::from(*byte == 2) & (is_short | is_long);
    }
    pack(&tags)
}

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        let owned = window.owned();
        for at in tags(window.slice(owned.start..owned.end + 1), self.short).map(|at| owned.start + at) {
            let fits = |integer: &Integer| self.lengths.get(integer.value.len()) == Some(&true);
            let Some(integer) = Integer::at(window.bytes(), at).filter(fits) else { continue };
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
    use crate::image::Image;
    use crate::keys::fragment;
    use crate::keys::testing::{noise, pkcs1};
    use crate::memory::AddressSpace;
    use crate::window::Window;

    fn hunt(clues: &[Clue], bytes: &[u8]) -> Hits {
        let mut known = Clues::new(100);
        clues.iter().for_each(|clue| known.add(clue.clone()));
        assert!(RsaIntegers.needs(&known));
        let mut out = Hits::default();
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        let image = Image::from_bytes("t", Vec::new());
        RsaIntegers.prepare(&known).hunt(&Shown::new(&window, &AddressSpace::new(&[]), &image), &mut out);
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
    fn tags_equal_those_of_a_plain_walk() {
        for (seed, short) in (0..50).flat_map(|seed| [(seed, [0x40, 2]), (seed, [LONG as u8, 0])]) {
            let bytes: Vec<u8> =
                noise(700 + seed as usize, seed).iter().map(|b| if b & 1 == 0 { 2 } else { b / 2 + 8 }).collect();
            let fits = |next: u8| (short[0]..=short[0] + short[1]).contains(&next) || [0x81, 0x82].contains(&next);
            let want = (0..bytes.len() - 1).filter(|&at| bytes[at] == 2 && fits(bytes[at + 1]));
            assert!(tags(&bytes, short).eq(want), "{seed}");
        }
        assert_eq!(tags(&[], [0x40, 2]).count() + tags(&[2], [0x40, 2]).count(), 0);
    }

    #[test]
    fn no_number_that_a_key_may_have_is_of_another_length() {
        let der = pkcs1(1024);
        let Clue::RsaPublicKey { modulus, exponent } = clue(&der) else { panic!() };
        let key = PublicKey { n: Number::from_be(&modulus), e: Number::from_be(&exponent) };
        let lengths = lengths(&BTreeMap::from([(1024, vec![key])]));
        let near = |bits: u32| (1008..=1024).contains(&bits) || (498..=514).contains(&bits);
        for bits in (241..1100).filter(|bits| near(*bits)) {
            assert!(lengths[bits as usize / 8 + 1], "{bits}");
        }
        assert!(!lengths[50] && !lengths[90] && lengths.get(140).is_none());
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
