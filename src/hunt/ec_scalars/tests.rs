use std::ops::Range;

use curve25519_dalek::scalar::clamp_integer;
use sha2::{Digest as _, Sha512};

use super::*;
use crate::dump::{Label, Region};
use crate::hunt::{bare_points, dense, point_rows};
use crate::keys::curve_points::montgomery;
use crate::keys::testing::noise;
use crate::memory::AddressSpace;
use crate::span::Address;
use crate::window::Window;

/// A fresh private key, most significant byte first, and its public key.
fn fresh(curve: Curve) -> (Vec<u8>, Vec<u8>) {
    loop {
        let mut scalar: Vec<u8> = (0..curve.size()).map(|_| rand::random()).collect();
        if curve == Curve::P521 {
            scalar[0] &= 1;
        }
        if let Some(point) = curve.point(&scalar) {
            return (scalar, point);
        }
    }
}

fn clues(known: &[(Group, &[u8])]) -> Clues {
    let mut clues = Clues::new(1000);
    known.iter().for_each(|(group, public)| clues.add(Clue::CurvePoint { group: *group, public: public.to_vec() }));
    clues
}

/// What windows that own so many bytes each tell together: bytes of the file and form. `phase` is the address of the first
/// byte, modulo 8.
fn hunt(clues: &Clues, bytes: &[u8], window: usize, phase: u64) -> Vec<(Range<usize>, Form)> {
    let region = Region {
        span: Span::new(0, bytes.len() as u64),
        address: Some(Address(0x7f00_0000_0000 + phase)),
        label: Label::Memory,
        protection: None,
    };
    let (memory, pieces) = (AddressSpace::new(&[region]), [Span::new(0, bytes.len() as u64)]);
    let (mut scalars, mut clues) = (Scalars::new(bytes.len() as u64, clues.ask_for_points()), clues.clone());
    for from in (0..bytes.len()).step_by(window) {
        let window = Window::new(bytes, from..(from + window).min(bytes.len()), &pieces, &[]);
        let grids = ec_places::grids(&window, &memory);
        let mut places = ec_places::places(&window, &grids, &scalars.room());
        for (seed, clue) in bare_points::seeds_with_keys(&window, &grids, &[]) {
            places.add(seed);
            clues.add(clue);
        }
        let rows = point_rows::seen(&window, &grids);
        rows.points.into_iter().for_each(|clue| clues.add(clue));
        rows.beside.into_iter().for_each(|(len, place)| places.add_of(len, place));
        scalars.add(places);
        bare_points::points(&window, &grids).into_iter().for_each(|clue| clues.add(clue));
    }
    let (targets, seen) = (Targets::new(&clues), scalars.seen());
    let mut found: Vec<(Range<usize>, Form)> = Vec::new();
    for batch in scalars.batches(&targets, &seen) {
        for Far { hit, spans } in batch.hits().far {
            assert_eq!(hit.evidence, Evidence::Proven);
            let (first, last) = (spans.first().unwrap(), spans.last().unwrap());
            found.push((first.from() as usize..last.end() as usize, hit.form));
        }
    }
    found.sort_by_key(|(range, form)| (range.start, *form));
    found.dedup();
    found
}

/// A number as it is written in memory, and what must stand before it there.
fn write(number: &[u8], encoding: Encoding) -> (u64, Vec<u8>) {
    let mut bytes = number.to_vec();
    match encoding {
        Encoding::LittleEndian => bytes.reverse(),
        Encoding::Words32 => {
            bytes.splice(..0, vec![0; bytes.len().next_multiple_of(4) - bytes.len()]);
            let count = bytes.len() as u64 / 4;
            bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
            return (count << 32 | 0x6c28, bytes);
        }
        Encoding::Digits30 => {
            let bit = |i: usize| {
                let byte = number.len().checked_sub(1 + i / 8).and_then(|at| number.get(at));
                byte.is_some_and(|byte| byte >> (i % 8) & 1 == 1)
            };
            let bits = if number.len() == 66 { 521 } else { 8 * number.len() };
            let digit = |n: usize| (0..30).fold(0_u32, |digit, i| digit | u32::from(bit(30 * n + i)) << i);
            let digits: Vec<u8> = (0..bits.div_ceil(30)).flat_map(|n| digit(n).to_le_bytes()).collect();
            return (digits.len() as u64 / 4, digits);
        }
        _ => {}
    }
    (0x31, bytes)
}

/// Memory with the words, each where an allocator would put it.
fn memory(chunks: &[(u64, Vec<u8>)]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut at) = (vec![0; 48], Vec::new());
    for (before, chunk) in chunks {
        bytes.extend([0x7f12_3456_7890, *before].map(u64::to_le_bytes).concat());
        at.push(bytes.len());
        bytes.extend(chunk);
        bytes.resize(bytes.len().next_multiple_of(8) + 24, 0);
    }
    (bytes, at)
}

const ENCODINGS: [Encoding; 4] = [Encoding::LittleEndian, Encoding::Plain, Encoding::Words32, Encoding::Digits30];

#[test]
fn scalars_are_found_in_every_form_whatever_the_windows() {
    for curve in Curve::ALL {
        let (scalar, public) = fresh(curve);
        let clues = clues(&[(Group::Sec1(curve), &public)]);
        for encoding in ENCODINGS {
            let (before, written) = write(&scalar, encoding);
            let len = written.len();
            let (bytes, at) = memory(&[(before, noise(32, 7)), (before, written), (before, noise(48, 8))]);
            let form = Form { layout: Layout::Bare, encoding, piece: Piece::D };
            for window in [bytes.len(), 64, 24] {
                let found = hunt(&clues, &bytes, window, 0);
                assert_eq!(found, [(at[1]..at[1] + len, form)], "{curve:?} {encoding:?} {window}");
            }
        }
    }
}

#[test]
fn scalars_stand_on_the_grid_of_addresses() {
    let (scalar, public) = fresh(Curve::P256);
    let clues = clues(&[(Group::Sec1(Curve::P256), &public)]);
    for phase in 0..8 {
        let bytes = [vec![0; 64 + 8 - phase], write(&scalar, Encoding::LittleEndian).1, vec![0; 64]].concat();
        assert_eq!(hunt(&clues, &bytes, bytes.len(), phase as u64).len(), 1, "{phase}");
    }
}

#[test]
fn scalars_in_the_midst_of_other_random_bytes_are_found() {
    for curve in [Curve::P256, Curve::P384] {
        // One in a hundred has a word that is not dense: nothing but the ends of a run is tried where one stands.
        let is_plain = |scalar: &[u8]| dense::words(scalar).into_iter().all(dense::is_dense);
        let mut keys = std::iter::repeat_with(|| fresh(curve));
        let (scalar, public) = keys.find(|(scalar, _)| is_plain(&write(scalar, Encoding::LittleEndian).1)).unwrap();
        let clues = clues(&[(Group::Sec1(curve), &public)]);
        let little = write(&scalar, Encoding::LittleEndian).1;
        let bytes = [vec![0; 64], noise(80, 1), little, noise(120, 2), vec![0; 64]].concat();
        for window in [bytes.len(), 40] {
            assert_eq!(hunt(&clues, &bytes, window, 0).len(), 1, "{curve:?}");
        }
    }
}

#[test]
fn a_point_in_memory_is_enough_where_its_curve_is_in_use() {
    for curve in Curve::ALL {
        let (scalar, public) = fresh(curve);
        let x = &public[1..=curve.size()];
        let plain: Vec<u8> = x.iter().rev().copied().collect();
        for x in [plain, montgomery(curve, x).unwrap()] {
            let chunks = [write(&scalar, Encoding::LittleEndian), (0x31, noise(32, 9)), (0x31, x)];
            let (bytes, at) = memory(&chunks);
            assert!(hunt(&Clues::new(9), &bytes, bytes.len(), 0).is_empty());
            let mut clues = Clues::new(9);
            clues.add(Clue::CurveInUse { group: Group::Sec1(curve) });
            let found = hunt(&clues, &bytes, bytes.len(), 0);
            assert_eq!(found.first().map(|(range, _)| range.start), Some(at[0]), "{curve:?}");
        }
    }
}

#[test]
fn keys_of_curve25519_are_found_as_seed_as_scalar_and_beside_their_public_key() {
    let seed: [u8; 32] = rand::random();
    let public = base_points::ed25519(EdwardsForm::Seed, &[seed]).remove(0);
    let hash: [u8; 64] = Sha512::digest(seed).into();
    let scalar = clamp_integer(*hash.first_chunk().unwrap());
    let reduced = curve25519_dalek::Scalar::from_bytes_mod_order(scalar).to_bytes();
    let form = |piece| Form { layout: Layout::Bare, encoding: Encoding::Plain, piece };
    let (bytes, at) = memory(&[(0x31, seed.to_vec()), (0x51, scalar.to_vec()), (0x31, reduced.to_vec())]);
    let found = hunt(&clues(&[(Group::Ed25519, &public)]), &bytes, bytes.len(), 0);
    let want = [(at[0], Piece::Seed), (at[1], Piece::D), (at[2], Piece::D)];
    assert_eq!(found, want.map(|(at, piece)| (at..at + 32, form(piece))));
    let (bytes, at) = memory(&[(0x51, [&seed[..], &public].concat())]);
    assert_eq!(hunt(&Clues::new(9), &bytes, bytes.len(), 0), [(at[0]..at[0] + 32, form(Piece::Seed))]);
}

#[test]
fn secrets_of_x25519_are_found_clamped_or_not() {
    let mut secret: [u8; 32] = rand::random();
    // One in 32 is clamped as it is, and then both places hold the same.
    secret[0] |= 1;
    let public = base_points::x25519(&[secret]).remove(0);
    let (bytes, at) = memory(&[(0x31, secret.to_vec()), (0x31, clamp_integer(secret).to_vec())]);
    let found = hunt(&clues(&[(Group::X25519, &public)]), &bytes, bytes.len(), 0);
    assert_eq!(found.iter().map(|(range, _)| range.start).collect::<Vec<_>>(), at);
}

fn form(piece: Piece) -> Form {
    Form { layout: Layout::Bare, encoding: Encoding::Plain, piece }
}

#[test]
fn pairs_of_curve25519_are_found_though_nothing_names_them() {
    let secret: [u8; 32] = rand::random();
    let seed = base_points::ed25519(EdwardsForm::Seed, &[secret]).remove(0);
    let agreed = base_points::x25519(&[secret]).remove(0);
    for (public, piece) in [(seed, Piece::Seed), (agreed, Piece::D)] {
        let (bytes, at) = memory(&[(0x31, secret.to_vec()), (0x31, public)]);
        assert_eq!(hunt(&Clues::new(9), &bytes, bytes.len(), 0), [(at[0]..at[0] + 32, form(piece))]);
    }
}

#[test]
fn a_seed_before_its_key_is_tried_however_many_other_places_there_are() {
    let secret: [u8; 32] = rand::random();
    let public = base_points::ed25519(EdwardsForm::Seed, &[secret]).remove(0);
    // As Go's allocator does it: one object behind the other, and no room between them.
    let key = [&secret[..], &public].concat();
    for (before, behind) in [(0, 0), (64, 64), (40, 0)] {
        let others = (0..3000).flat_map(|i| [noise(128, i + 1), vec![0; 16]].concat()).collect::<Vec<_>>();
        let row = [&noise(before, 5000)[..], &key, &noise(behind, 5001), &[0; 64]].concat();
        let bytes = [others, row].concat();
        let at = 3000 * 144 + before;
        assert_eq!(hunt(&Clues::new(9), &bytes, 1 << 16, 0), [(at..at + 32, form(Piece::Seed))], "{before} {behind}");
    }
}

#[test]
fn only_curves_that_the_clues_name_are_tried() {
    let ((scalar, _), (_, other)) = (fresh(Curve::P256), fresh(Curve::K256));
    let (bytes, _) = memory(&[write(&scalar, Encoding::LittleEndian)]);
    assert!(hunt(&Clues::new(9), &bytes, bytes.len(), 0).is_empty());
    assert!(hunt(&clues(&[(Group::Sec1(Curve::K256), &other)]), &bytes, bytes.len(), 0).is_empty());
}

#[test]
fn the_order_of_adding_does_not_matter_and_what_is_left_out_is_counted() {
    let bytes: Vec<Vec<u8>> = (0..3000).map(|i| noise(32, i + 1)).collect();
    let add = |order: &mut dyn Iterator<Item = (usize, &Vec<u8>)>, is_asked_for| {
        let mut scalars = Scalars::new(0, is_asked_for);
        for (i, bytes) in order {
            let place = Place {
                rank: Rank::Edge,
                shape: Shape::Words,
                bytes: Zeroizing::new(bytes.clone()),
                spans: vec![Span::new(i as u64, 32)],
            };
            scalars.add(Places { told: [vec![place], Vec::new(), Vec::new()], all: [1, 0, 0] });
        }
        let kept = scalars.sizes[0].known().map(|known| known.spans.clone()).collect::<Vec<_>>();
        let (_, public) = fresh(Curve::P256);
        (kept, scalars.tried(&Targets::new(&clues(&[(Group::Sec1(Curve::P256), &public)]))))
    };
    let one = add(&mut bytes.iter().enumerate().chain(bytes.iter().enumerate()), false);
    let two = add(&mut bytes.iter().enumerate().rev().chain(bytes.iter().enumerate()), false);
    assert!(one == two && one.1 == (2 * OTHERS.0 as u64, 6000));
    assert_eq!(add(&mut bytes.iter().enumerate(), true).1, (3000, 3000), "whoever asks for a key waits");
}

#[test]
fn noise_holds_no_key_and_no_point() {
    let (_, public) = fresh(Curve::P256);
    let bytes = noise(1 << 20, 5);
    let clues =
        clues(&[(Group::Sec1(Curve::P256), &public), (Group::Ed25519, &noise(32, 1)), (Group::X25519, &noise(32, 2))]);
    assert!(hunt(&clues, &bytes, 1 << 18, 0).is_empty());
}

#[test]
fn scalars_in_montgomery_form_are_found_where_they_stand_alone_or_begin_an_allocation() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let (scalar, public) = fresh(curve);
        let mut limbs = mont_scalars::montgomery(curve, &scalar).unwrap().to_vec();
        limbs.reverse();
        let (len, clues) = (limbs.len(), clues(&[(Group::Sec1(curve), &public)]));
        let form = Form { layout: Layout::Bare, encoding: Encoding::LittleEndian, piece: Piece::DMont };
        // RustCrypto keeps the point behind it.
        let point = noise(96, 9);
        for chunk in [limbs.clone(), [limbs, point].concat()] {
            let chunk_len = (chunk.len() as u64 + 8).next_multiple_of(16) | 1;
            let (mut bytes, at) = memory(&[(0x31, noise(24, 7)), (chunk_len, chunk)]);
            // Behind it the length of the next allocation.
            bytes.resize(at[1] + (chunk_len & !7) as usize - 8, 0);
            bytes.extend([0x21, 0, 0, 0_u64].map(u64::to_le_bytes).concat());
            for window in [bytes.len(), 64] {
                assert_eq!(hunt(&clues, &bytes, window, 0), [(at[1]..at[1] + len, form)], "{curve:?} {window}");
            }
        }
    }
}

/// A seed of Ed25519, the hash of it with its first half clamped, and the public key.
fn ed25519() -> ([u8; 32], [u8; 64], [u8; 32]) {
    let seed: [u8; 32] = rand::random();
    let mut hash: [u8; 64] = Sha512::digest(seed).into();
    let scalar = clamp_integer(*hash.first_chunk().unwrap());
    hash[..32].copy_from_slice(&scalar);
    (seed, hash, ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes())
}

#[test]
fn a_hash_of_a_seed_is_found_with_its_public_key_behind_it_and_is_a_site_in_full() {
    for around in [0, 16] {
        let (_, hash, public) = ed25519();
        let bytes = [vec![0; 64], noise(around, 3), hash.to_vec(), public.to_vec(), vec![0; 64]].concat();
        let at = 64 + around;
        for window in [bytes.len(), 64, 24] {
            let found = hunt(&clues(&[]), &bytes, window, 0);
            let form = Form { layout: Layout::Bare, encoding: Encoding::Plain, piece: Piece::Expanded };
            // As a scalar alone it may be found too.
            assert_eq!(found.last(), Some(&(at..at + 64, form)), "{around} {window}");
            assert!(found.iter().all(|(range, _)| range.start == at));
        }
        let bytes = [vec![0; 64], hash.to_vec(), noise(32, 5), vec![0; 64]].concat();
        assert!(hunt(&clues(&[]), &bytes, bytes.len(), 0).is_empty());
    }
}

#[test]
fn a_seed_is_found_beside_the_limbs_of_its_public_key() {
    for round in 0..40 {
        let (seed, _, public) = ed25519();
        let words = dense::words(&noise(160, 100 + round)).into_iter().map(|word| word >> 13);
        let limbs: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let orders: [[&[u8]; 3]; 3] = [[&public, &limbs, &seed], [&limbs, &public, &seed], [&seed, &limbs, &public]];
        for parts in orders {
            let bytes = [vec![0; 256], parts.concat(), vec![0; 64]].concat();
            let at = bytes.windows(32).position(|bytes| bytes == seed).unwrap();
            for window in [bytes.len(), 24] {
                let found = hunt(&clues(&[]), &bytes, window, 0);
                assert!(found.len() == 1 && found.iter().all(|(range, _)| *range == (at..at + 32)), "{round}");
            }
        }
    }
}
