//! Public points that stand in memory without a name: coordinates as libraries compute with them, and `04 X Y`.
//!
//! Whoever made a key, or was given one as a file that is gone, keeps the public point all the same. Only runs of full words
//! that are no longer than structures of keys are looked at, and only where both coordinates look random: that leaves some
//! thousands of tests in a process, of a microsecond each. What passes satisfies the equation of its curve, which is no
//! accident. For Curve25519 there is no such test, so its public keys are told by what stands around them alone:
//!
//! OpenSSL 3's `ECX_KEY` (crypto/include: `libctx, propq, haspubkey:1, pubkey[57], *privkey, keylen, type`) holds the public
//! key behind a byte of 1, then zeros up to a pointer, the length 32, and the type: 0 for X25519, 2 for Ed25519. In processes of 32 bits
//! the last three are words of four bytes.

use zeroize::Zeroizing;

use super::Clue;
use super::dense::{self, WORD};
use super::ec_places::{Grid, Place, Rank, Run, Shape};
use super::randomness::looks_random;
use crate::keys::base_points::{self, EdwardsForm, Group};
use crate::keys::curve_points;
use crate::keys::ec::Curve;
use crate::keys::limbs::Likeness;
use crate::window::Window;

/// Words of a run that may be coordinates one behind the other.
pub const LONGEST_ROW: usize = 24;
/// Bytes of a private key of Ed25519 with the public key behind the seed.
pub const SEED_AND_KEY: usize = 64;
/// Bytes of a seed, of a scalar, and of a public key.
const KEY: usize = 32;
/// Bytes of the hash of a seed: the scalar and what signatures begin with.
const EXPANDED: usize = 64;
/// Words of a point as curve25519-dalek keeps it: four coordinates of five limbs.
const LIMBS: usize = 20;
/// Bits of these limbs, and what they may have more before they are reduced.
const LIMB_BITS: u32 = 54;
/// Bytes of an `ECX_KEY` of 32 bits from the byte that says that there is a public key to the length: it, 57 bytes of room and two of
/// nothing, a pointer.
const ECX_32: usize = 64;
/// Runs behind the first coordinate among which the others are looked for.
const NEAR: usize = 4;
/// Bytes that they may be away.
const DISTANCE: usize = 512;

/// The public points that begin in the owned part of the window.
#[must_use]
pub fn points(window: &Window<'_>, grids: &[Grid]) -> Vec<Clue> {
    let mut found = Vec::new();
    for grid in grids {
        for (i, run) in grid.runs.iter().enumerate().filter(|(_, run)| !run.is_long()) {
            let look = Look { window, owned: window.owned() };
            found.extend(look.ecx_key(run));
            if run.is_random {
                look.octets(grid, run, &mut found);
                look.apart(run, grid.runs.get(i + 1..).unwrap_or_default(), &mut found);
            }
        }
    }
    found.extend(ecx_keys_of_32_bits(window));
    found
}

/// Private keys of Ed25519 that begin in the owned part of the window and have their public keys beside them: the place of each
/// seed or expanded seed, which is as good as found, and its clue. `objects` are places of 64 bytes that may be a seed and its public key.
#[must_use]
pub fn seeds_with_keys(window: &Window<'_>, grids: &[Grid], objects: &[usize]) -> Vec<(Place, Clue)> {
    let look = Look { window, owned: window.owned() };
    let runs = || grids.iter().flat_map(|grid| &grid.runs).filter(|run| run.is_random && !run.is_long());
    let beside = runs().flat_map(|run| look.seeds(run)).chain(objects.iter().copied()).map(|at| (at, at + KEY));
    let apart = runs().flat_map(|run| look.seeds_by_points(run));
    let ed25519 = |form| move |secrets: &[[u8; KEY]]| base_points::ed25519(form, secrets);
    let mut found = look.proven(Group::Ed25519, ed25519(EdwardsForm::Seed), KEY, beside.chain(apart));
    let expanded = runs().flat_map(|run| look.expanded(run));
    found.extend(look.proven(Group::Ed25519, ed25519(EdwardsForm::Scalar), EXPANDED, expanded));
    let either = runs().flat_map(|run| look.seeds(run)).flat_map(|at| [(at, at + KEY), (at + KEY, at)]);
    let behind_len = runs().flat_map(|run| look.behind_length(run.range.start));
    let clamped = either.chain(behind_len).filter(|(secret, key)| look.is_clamped(*secret, *key));
    found.extend(look.proven(Group::X25519, base_points::x25519, KEY, clamped));
    found
}

struct Look<'a> {
    window: &'a Window<'a>,
    owned: std::ops::Range<usize>,
}

impl Look<'_> {
    fn word(&self, at: usize) -> Option<u64> {
        self.window.slice(at..at + WORD).first_chunk().map(|word| u64::from_le_bytes(*word))
    }

    /// A coordinate of the curve that begins at `at`, if it looks like one.
    fn coordinate(&self, curve: Curve, at: usize) -> Option<&[u8]> {
        let bytes = self.window.slice(at..at + curve.size());
        (bytes.len() == curve.size() && looks_random(bytes)).then_some(bytes)
    }

    /// Where 64 bytes of a private key of Ed25519 may stand in a run: at its ends, and one behind the other from its start.
    fn seeds(&self, run: &Run) -> impl Iterator<Item = usize> + use<> {
        let (start, last) = (run.range.start, run.range.end.saturating_sub(SEED_AND_KEY));
        let (step, end) = (SEED_AND_KEY, if (8..=LONGEST_ROW).contains(&run.words()) { last + 1 } else { start });
        let owned = self.owned.clone();
        let aside = (start < end && !(last - start).is_multiple_of(step)).then_some(last);
        (start..end).step_by(step).chain(aside).filter(move |at| owned.contains(at))
    }

    /// Whether a secret of X25519 may stand at `secret`, as programs keep it that clamp it when they make it, and its
    /// public key at `key`. So WireGuard keeps its own key, the kernel behind its public one, others before it.
    fn is_clamped(&self, secret: usize, key: usize) -> bool {
        let byte = |at: usize| self.window.byte(at).unwrap_or_default();
        byte(secret) & 7 == 0 && byte(secret + KEY - 1) >> 6 == 1 && byte(key + KEY - 1) < 0x80
    }

    /// Where wolfSSL keeps a secret of X25519: behind the public key and a byte of its length, if that was ever set
    /// (`curve25519_key` in wolfssl/wolfcrypt/curve25519.h: `ECPoint p` is `byte point[32]; byte pointSz`, and `byte k[32]` follows).
    fn behind_length(&self, at: usize) -> Option<(usize, usize)> {
        let is_length = self.window.byte(at + KEY).is_some_and(|len| len == 0 || usize::from(len) == KEY);
        (is_length && self.owned.contains(&at)).then_some((at + KEY + 1, at))
    }

    /// Where ed25519-dalek's `SigningKey` may hold a seed, at an end of a run: its `VerifyingKey` beside it is 32 bytes and the
    /// same point as limbs, in an order that the compiler chooses. The limbs may belong to the run or not.
    fn seeds_by_points(&self, run: &Run) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (point, first, last) = (WORD * LIMBS, run.range.start, run.range.end - KEY);
        let behind = self.is_point(first + KEY).then_some((first, first + KEY + point));
        let before = last.checked_sub(point).filter(|at| self.is_point(*at)).map(|at| (last, at.saturating_sub(KEY)));
        let next_to = last.checked_sub(KEY + point).filter(|at| self.is_point(*at)).map(|_| (last, last - KEY));
        let owned = self.owned.clone();
        [behind, before, next_to].into_iter().flatten().filter(move |(at, _)| owned.contains(at))
    }

    /// Whether limbs of a point stand there; nothing else in memory is twenty words without an upper byte that are not small.
    fn is_point(&self, at: usize) -> bool {
        let is_limb = |i: &usize| self.word(at + WORD * i).is_some_and(|word| word >> LIMB_BITS == 0);
        let is_small = |i: &usize| self.word(at + WORD * i).is_none_or(|word| word >> 32 == 0);
        (0..LIMBS).all(|i| is_limb(&i)) && (0..LIMBS).filter(is_small).count() <= LIMBS / 4
    }

    /// Where the hash of a seed may stand, and its public key: behind it, as ring keeps a private key, or before it, as Tor does
    /// (`ed25519_keypair_t` in src/lib/crypt_ops/crypto_ed25519.h: `pubkey`, `seckey`), at the ends of a run.
    fn expanded(&self, run: &Run) -> Vec<(usize, usize)> {
        let (first, last) = (run.range.start, run.range.end.saturating_sub(EXPANDED + KEY));
        let begins = [Some(first).filter(|at| *at <= last), Some(last).filter(|at| *at > first)];
        let places = begins.into_iter().flatten().flat_map(|at| [(at, at + EXPANDED), (at + KEY, at)]);
        let is_clamped = |at: usize| {
            let ends = (self.window.byte(at), self.window.byte(at + KEY - 1));
            matches!(ends, (Some(low), Some(high)) if low & 7 == 0 && high & 0xc0 == 0x40)
        };
        places.filter(|(at, _)| self.owned.contains(at) && is_clamped(*at)).collect()
    }

    /// Of places of private keys and of what may be their public keys those that belong together, each place `len` bytes long.
    fn proven(
        &self,
        group: Group,
        publics: impl Fn(&[[u8; KEY]]) -> Vec<Vec<u8>>,
        len: usize,
        places: impl Iterator<Item = (usize, usize)>,
    ) -> Vec<(Place, Clue)> {
        let (mut secrets, mut keys) = (Zeroizing::new(Vec::new()), Vec::new());
        // What is no key is known sooner from all of it.
        let like = Likeness::new(2 * KEY / WORD);
        for (at, key) in places {
            let (secret, key) = (self.window.slice(at..at + KEY), self.window.slice(key..key + KEY));
            let random = |secret: &&[u8; KEY]| {
                looks_random(*secret) && looks_random(key) && like.has(&dense::words(&[*secret, key].concat()))
            };
            let Some(secret) = secret.first_chunk().filter(random) else { continue };
            secrets.push(*secret);
            keys.push((at, key));
        }
        let publics = publics(&secrets);
        let place = |at: usize| {
            let (bytes, spans) =
                (Zeroizing::new(self.window.slice(at..at + len).to_vec()), self.window.spans(at..at + len));
            Place { rank: Rank::Island, shape: Shape::Words, bytes, spans }
        };
        let found = keys.into_iter().zip(publics).filter(|((_, key), public)| public == key);
        found.map(|((at, _), public)| (place(at), Clue::CurvePoint { group, public })).collect()
    }

    /// `04 X Y`, wherever it begins.
    fn octets(&self, grid: &Grid, run: &Run, found: &mut Vec<Clue>) {
        if run.words() < 7 {
            return;
        }
        let range = run.range.start.saturating_sub(WORD)..run.range.end;
        for at in memchr::memchr_iter(4, self.window.slice(range.clone())).map(|at| range.start + at) {
            if !self.owned.contains(&at) {
                continue;
            }
            // Of every curve the coordinates begin at the same place, and go on for longer than the four words there.
            let first = run.range.start + (at + 1).saturating_sub(run.range.start).next_multiple_of(WORD);
            if !grid.is_random(self.window, run, first) || !looks_random(self.window.slice(at + 1..at + 1 + KEY)) {
                continue;
            }
            for curve in Curve::ALL.into_iter().filter(|curve| at + 2 * curve.size() < run.range.end + 2 * WORD) {
                // Of the longest coordinates the first byte is 0 or 1.
                let fits = curve != Curve::P521 || self.window.byte(at + 1).is_some_and(|b| b < 2);
                let (x, y) = (self.coordinate(curve, at + 1), self.coordinate(curve, at + 1 + curve.size()));
                if let (true, Some(_), Some(_)) = (fits, x, y) {
                    let public = self.window.slice(at..at + 1 + 2 * curve.size());
                    tell(curve, curve_points::decode(curve, public), found);
                }
            }
        }
    }

    /// Coordinates in allocations of their own.
    fn apart(&self, run: &Run, next: &[Run], found: &mut Vec<Clue>) {
        if !self.owned.contains(&run.range.start) {
            return;
        }
        let near = || next.iter().take(NEAR).take_while(|other| other.range.start <= run.range.start + DISTANCE);
        for curve in Curve::ALL {
            let words = (curve.size() / WORD).min(8);
            if run.words() != words {
                continue;
            }
            let Some(first) = self.limbs(curve, run) else { continue };
            let others: Vec<&[u8]> =
                near().filter(|run| run.words() == words).filter_map(|run| self.limbs(curve, run)).collect();
            let points = curve_points::points(curve, first, &others).into_iter();
            found.extend(points.map(|public| Clue::CurvePoint { group: Group::Sec1(curve), public }));
        }
    }

    /// The limbs of a coordinate that a run is, the highest one of P-521 behind it.
    fn limbs(&self, curve: Curve, run: &Run) -> Option<&[u8]> {
        let bytes = self.window.slice(run.range.start..run.range.start + curve.size().next_multiple_of(WORD));
        (bytes.len() >= curve.size() && looks_random(bytes)).then_some(bytes)
    }

    fn ecx_key(&self, run: &Run) -> Option<Clue> {
        let at = run.range.start;
        let word = |i: usize| self.word(at + WORD * i);
        let (1, Some(1), true) = (run.words() / 4, self.window.byte(at), self.owned.contains(&at)) else { return None };
        let zeros = word(4)? < 256 && [5, 6, 7].into_iter().all(|i| word(i) == Some(0));
        let pointer = word(8).is_some_and(|word| word != 0 && !dense::is_full(word));
        if !(zeros && pointer && word(9) == Some(32)) {
            return None;
        }
        let group = match word(10)? as u32 {
            0 => Group::X25519,
            2 => Group::Ed25519,
            _ => return None,
        };
        Some(Clue::CurvePoint { group, public: self.window.slice(at + 1..at + 33).to_vec() })
    }
}

/// Public keys of Curve25519 as OpenSSL keeps them in processes of 32 bits, which align nothing to eight bytes.
fn ecx_keys_of_32_bits(window: &Window<'_>) -> Vec<Clue> {
    let owned = window.owned();
    let bytes = window.slice(owned.start..owned.end + ECX_32 + 8);
    let key = |at: usize| {
        let group = match bytes.get(at + 4..)?.first_chunk()? {
            [0, 0, 0, 0] => Group::X25519,
            [2, 0, 0, 0] => Group::Ed25519,
            _ => return None,
        };
        let whole = bytes.get(at.checked_sub(ECX_32)?..at)?;
        let (key, behind) = whole.split_first().filter(|(has, _)| **has == 1)?.1.split_at_checked(KEY)?;
        let (zeros, pointer) = behind.split_last_chunk::<4>()?;
        let fits = zeros.iter().all(|byte| *byte == 0) && u32::from_le_bytes(*pointer) >= 0x1000 && looks_random(key);
        fits.then(|| Clue::CurvePoint { group, public: key.to_vec() })
    };
    memchr::memmem::find_iter(bytes, &[32, 0, 0, 0]).filter_map(key).collect()
}

fn tell(curve: Curve, point: Option<Vec<u8>>, found: &mut Vec<Clue>) {
    found.extend(point.map(|public| Clue::CurvePoint { group: Group::Sec1(curve), public }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::{ec_places, point_rows};
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    fn points_in(bytes: &[u8], window: usize) -> Vec<Clue> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut found = Vec::new();
        for from in (0..bytes.len()).step_by(window) {
            let window = Window::new(bytes, from..(from + window).min(bytes.len()), &pieces, &[]);
            let grids = ec_places::grids(&window, &memory);
            found.extend(points(&window, &grids));
            found.extend(point_rows::seen(&window, &grids).points);
        }
        found.sort();
        found.dedup();
        found
    }

    fn public(curve: Curve, seed: u64) -> Vec<u8> {
        curve.point(&noise(32, seed)).unwrap()
    }

    fn clue(curve: Curve) -> Clue {
        Clue::CurvePoint { group: Group::Sec1(curve), public: public(curve, 5) }
    }

    fn reversed(bytes: &[u8]) -> Vec<u8> {
        let mut limbs: Vec<u8> = bytes.iter().rev().copied().collect();
        limbs.resize(bytes.len().next_multiple_of(8), 0);
        limbs
    }

    #[test]
    fn points_are_told_wherever_they_stand_in_octets() {
        for curve in Curve::ALL {
            for shift in 0..8 {
                let bytes = [&[0; 64][..], &vec![0; shift], &public(curve, 5), &[0; 64]].concat();
                for window in [bytes.len(), 24] {
                    assert!(points_in(&bytes, window).contains(&clue(curve)), "{curve:?} {shift}");
                }
            }
        }
    }

    #[test]
    fn coordinates_are_told_side_by_side_and_in_allocations_of_their_own() {
        for curve in Curve::ALL {
            let octets = public(curve, 5);
            let (x, y) = octets[1..].split_at(curve.size());
            let montgomery = |c: &[u8]| curve_points::montgomery(curve, c).unwrap();
            let gap = [&[0; 8][..], &0x31_u64.to_le_bytes()].concat();
            for (x, y) in [(reversed(x), reversed(y)), (montgomery(x), montgomery(y))] {
                let apart = [&[0; 64][..], &x, &gap, &y, &[0; 64]].concat();
                assert_eq!(points_in(&apart, apart.len()), [clue(curve)], "{curve:?}");
                assert_eq!(points_in(&apart, 16), [clue(curve)], "{curve:?}");
                let row = [&[0; 64][..], &x, &y, &[0; 64]].concat();
                if curve != Curve::P521 {
                    assert_eq!(points_in(&row, row.len()), [clue(curve)], "{curve:?}");
                }
            }
        }
    }

    #[test]
    fn keys_of_openssl_for_curve25519_are_told_by_their_structure() {
        for (kind, group) in [(0_u64, Group::X25519), (2, Group::Ed25519)] {
            let public = noise(32, 3);
            let words = [0x55aa_1234_5670, 32, kind | 1 << 32].map(u64::to_le_bytes).concat();
            let key = |tail: &[u8]| [&[0; 64][..], &[1], &public, &[0; 31], tail, &[0; 32]].concat();
            let want = Clue::CurvePoint { group, public: public.clone() };
            assert_eq!(points_in(&key(&words), 200), [want]);
            assert!(points_in(&key(&[0; 24]), 200).is_empty());
        }
    }

    #[test]
    fn keys_of_openssl_in_processes_of_32_bits_are_told_at_any_place_of_the_file() {
        for (kind, group) in [(0, Group::X25519), (2, Group::Ed25519)] {
            let public = noise(32, 3);
            let tail = [0x0a52_2930_u32, 32, kind, 2].map(u32::to_le_bytes).concat();
            let key = |has: u8, tail: &[u8]| [&[0; 61][..], &[has], &public, &[0; 27], tail, &[0; 32]].concat();
            let want = Clue::CurvePoint { group, public: public.clone() };
            for window in [300, 40] {
                assert_eq!(points_in(&key(1, &tail), window), std::slice::from_ref(&want));
            }
            assert!(points_in(&key(0, &tail), 300).is_empty() && points_in(&key(1, &[0; 16]), 300).is_empty());
        }
    }

    /// What is told of private keys beside public ones, and where.
    fn told(first: &[u8], second: &[u8], window: usize) -> Vec<(Vec<Span>, Clue)> {
        let bytes = [&[0; 64][..], first, second, &[0; 64]].concat();
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut found = Vec::new();
        for from in (0..bytes.len()).step_by(window) {
            let window = Window::new(&bytes, from..(from + window).min(bytes.len()), &pieces, &[]);
            found.extend(seeds_with_keys(&window, &ec_places::grids(&window, &memory), &[]));
        }
        found.into_iter().map(|(place, clue)| (place.spans, clue)).collect()
    }

    #[test]
    fn the_hash_of_a_seed_is_told_before_and_behind_its_public_key() {
        let mut hash = noise(64, 8);
        (hash[0], hash[31]) = (hash[0] & 0xf8, hash[31] & 0x7f | 0x40);
        let public = base_points::ed25519(EdwardsForm::Scalar, &[*hash.first_chunk().unwrap()]).remove(0);
        let clue = Clue::CurvePoint { group: Group::Ed25519, public: public.clone() };
        for window in [4096, 40] {
            assert_eq!(told(&hash, &public, window), [(vec![Span::new(64, 64)], clue.clone())]);
            assert_eq!(told(&public, &hash, window), [(vec![Span::new(96, 64)], clue.clone())]);
            assert!(told(&hash, &noise(32, 7), window).is_empty());
        }
    }

    #[test]
    fn secrets_of_x25519_are_told_beside_their_public_keys() {
        let mut secret: [u8; 32] = noise(32, 6).try_into().unwrap();
        (secret[0], secret[31]) = (secret[0] & 0xf8, secret[31] & 0x7f | 0x40);
        let public = base_points::x25519(&[secret]).remove(0);
        let clue = Clue::CurvePoint { group: Group::X25519, public: public.clone() };
        for window in [4096, 40] {
            let found = |at| (vec![Span::new(at, 32)], clue.clone());
            assert_eq!(told(&secret, &public, window), [found(64)]);
            assert_eq!(told(&public, &secret, window), [found(96)]);
            assert!(told(&secret, &noise(32, 7), window).is_empty());
        }
        // As wolfSSL has them.
        for (len, is_told) in [(0, true), (32, true), (31, false)] {
            let found = told(&public, &[&[len], &secret[..], &[0; 3]].concat(), 4096);
            assert_eq!(found == [(vec![Span::new(97, 32)], clue.clone())], is_told);
        }
        secret[0] |= 1;
        assert!(told(&secret, &public, 4096).is_empty());
    }

    #[test]
    fn noise_holds_no_point() {
        assert!(points_in(&noise(1 << 18, 4), 1 << 16).is_empty());
        let islands: Vec<u8> =
            (0..2000).flat_map(|i| [noise(32 + 32 * (i as usize % 3), i + 1), vec![0; 16]].concat()).collect();
        assert!(points_in(&islands, 1 << 16).is_empty());
    }
}
