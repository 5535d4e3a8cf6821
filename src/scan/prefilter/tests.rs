//! The prefilter held equal to a scalar reference, and what it rejects.

use std::ops::Range;

use proptest::prelude::*;

use super::pages::PAGE;
use super::*;
use crate::detect::{Hits, Literal, Reach};
use crate::finding::Rule;
use crate::window::Window;

pub struct Fixed(pub Trigger);

impl Detector for Fixed {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }
    fn trigger(&self) -> Trigger {
        self.0.clone()
    }
    fn reach(&self) -> Reach {
        Reach { before: 0, after: 0 }
    }
    fn confirm(&self, _: Candidate, _: &Window<'_>, _: &mut Hits) {}
}

fn of(literals: Vec<Literal>) -> Prefilter {
    Prefilter::new(&[Box::new(Fixed(Trigger::Literals(literals)))]).unwrap()
}

fn literals(all: &[&str]) -> Prefilter {
    of(all.iter().map(|l| Literal::text(l)).collect())
}

fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    })
    .take(len)
    .collect()
}

/// The scalar reference: every literal at every place.
fn naive(bytes: &[u8], owned: Range<usize>, all: &[Literal]) -> Vec<(usize, usize, bool)> {
    let mut found = Vec::new();
    for at in owned {
        for (i, literal) in all.iter().enumerate() {
            if bytes[at..].starts_with(&literal.bytes) {
                found.push((at, i, false));
            }
            if literal.wide && bytes[at..].starts_with(&widen(&literal.bytes)) {
                found.push((at, i, true));
            }
        }
    }
    found
}

fn told(filter: &Prefilter, bytes: &[u8], owned: Range<usize>) -> Vec<(usize, usize, bool)> {
    let mut found = Found::default();
    filter.candidates(bytes, owned, true, &mut found);
    found.triggered.iter().map(|t| (t.candidate.at, t.candidate.literal, t.candidate.wide)).collect()
}

fn text(all: &[&str]) -> Vec<Literal> {
    all.iter().map(|l| Literal::text(l)).collect()
}

#[test]
fn one_packed_searcher_is_enough_for_the_literals_of_the_program() {
    // A second one costs a tenth of the pass.
    let prefilter = Prefilter::new(&crate::detect::detectors().unwrap()).unwrap();
    assert_eq!(prefilter.literals.searchers(), 1);
}

#[test]
fn equals_the_scalar_reference_at_every_place() {
    let all = text(&["ABC", "ABCDE", "CAB", "://", "PASSWORD=", "ABCD", "BCDE", "DEAB:/"]);
    let filter = of(all.clone());
    for seed in 0..40 {
        let mut bytes = vec![0_u8; 3 * PAGE];
        for (i, b) in noise(3 * PAGE, seed).into_iter().enumerate() {
            // Letters of the literals, and long runs of zeros.
            bytes[i] = if (i / 700) % 2 == 0 { b"ABCDE\0:/"[usize::from(b & 7)] } else { 0 };
        }
        let planted = [PAGE - 1, PAGE - 3, PAGE, 2 * PAGE - 9, 2 * PAGE];
        for at in planted {
            bytes[at..at + 5].copy_from_slice(b"ABCDE");
        }
        let owned = 100..3 * PAGE - 50;
        assert_eq!(told(&filter, &bytes, owned.clone()), naive(&bytes, owned, &all), "seed {seed}");
    }
}

/// Bytes in which literals, their halves and their wide forms stand close together.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word =
        prop::sample::select(vec!["abc", "abcd", "bcde", "://", "a", "b", "cdefgh", "\0", "\u{7f}", "zzzz", "é"]);
    let piece = (word, 0..4_u8).prop_map(|(word, form)| match form {
        0 | 1 => word.as_bytes().to_vec(),
        2 => word.bytes().flat_map(|b| [b, 0]).collect(),
        _ => word.bytes().flat_map(|b| [0, b]).collect::<Vec<u8>>(),
    });
    prop::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn equals_the_scalar_reference_on_hostile_bytes(bytes in hostile(), cut in 0..100_usize, lead in 0..40_usize) {
        let mut all = text(&["abc", "abcd", "abcde", "bcde", "cdefghabcd", "://", "zzza", "h:/", "\u{7f}ab", "éa"]);
        all.push(Literal::binary(b"\0a\0b"));
        all.push(Literal { wide: true, ..Literal::binary(b"a\0bc") });
        all.extend(["abc\0", "\0abc", "a\0abc\0bcde"].map(Literal::text));
        all.push(Literal::binary(b"abcd"));
        let bytes = [vec![b'a'; lead], bytes].concat();
        let filter = of(all.clone());
        let owned = bytes.len() * cut / 300..bytes.len() - bytes.len() * cut / 300;
        prop_assert_eq!(told(&filter, &bytes, owned.clone()), naive(&bytes, owned, &all));
    }
}

proptest! {
    #[test]
    fn a_literal_of_known_followers_is_found_before_them_and_before_escapes(bytes in hostile(), lead in 0..40_usize) {
        let known = |text: &str, next: &[u8]| Literal { next: Some(next.to_vec()), ..Literal::text(text) };
        let all = vec![known("abc", b"dz"), known("://", b"a:"), known("bcd", b"%"), Literal::text("cde")];
        let bytes = [vec![b'%'; lead], bytes].concat();
        let filter = of(all.clone());
        let mut want = naive(&bytes, 0..bytes.len(), &all);
        want.retain(|&(at, literal, wide)| {
            let behind = bytes.get(at + if wide { 6 } else { 3 });
            let goes_on = |next: &[u8]| behind.is_some_and(|b| next.contains(b) || b"%\\".contains(b));
            all[literal].next.as_deref().is_none_or(goes_on)
        });
        let got = told(&filter, &bytes, 0..bytes.len());
        prop_assert!(want.iter().filter(|(.., wide)| !wide).eq(got.iter().filter(|(.., wide)| !wide)));
        prop_assert!(want.iter().filter(|place| place.2 && is_wide_behind(&bytes, place.0)).all(|place| got.contains(place)));
    }
}

/// Whether a fourth letter of UTF-16 stands behind three.
fn is_wide_behind(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 5) == Some(&0)
}

#[test]
fn a_literal_is_found_at_every_place_of_every_window() {
    let all = text(&["sk_", "ghp_", "glpat-", "PRIVATE KEY-----"]);
    let filter = of(all.clone());
    for literal in &all {
        for spelled in [literal.bytes.clone(), widen(&literal.bytes)] {
            for at in (0..600).chain(PAGE - 40..PAGE + 8) {
                let mut bytes = vec![0xee; PAGE + 300];
                bytes[at..at + spelled.len()].copy_from_slice(&spelled);
                let end = bytes.len();
                for owned in [0..end, at..end, 0..at + 1, at..at + 1, at / 2..end] {
                    assert_eq!(told(&filter, &bytes, owned.clone()).len(), 1, "{at} {owned:?}");
                }
                assert_eq!(told(&filter, &bytes[..at + spelled.len()], 0..at + 1).len(), 1, "{at}, the window's end");
                assert!(told(&filter, &bytes, 0..at).is_empty() && told(&filter, &bytes, at + 1..end).is_empty());
            }
        }
    }
}

#[test]
fn der_test_equals_the_scalar_reference() {
    let mut bytes = noise(100_000, 9);
    for (i, head) in bytes.chunks_mut(3).enumerate() {
        head[0] = 2;
        head.iter_mut()
            .skip(1)
            .for_each(|b| *b = if i % 2 == 0 { *b } else { [0, 1, 0x40, 0x81, 0x82][usize::from(*b) % 5] });
    }
    let mut got = Vec::new();
    der_integers(&bytes, 17..99_999, |at| got.push(at));
    let want: Vec<usize> =
        (17..99_998).filter(|&i| integers::is_integer(bytes[i], bytes[i + 1], bytes[i + 2])).collect();
    assert_eq!(got, want);
}

#[test]
fn a_literal_in_the_first_or_last_bytes_of_a_constant_page_is_seen() {
    let filter = literals(&["AAAB"]);
    let mut bytes = vec![b'A'; 4 * PAGE];
    bytes[2 * PAGE] = b'B';
    bytes[3 * PAGE + 1] = b'B';
    for owned in [0..4 * PAGE, 0..2 * PAGE, PAGE..2 * PAGE, 0..3 * PAGE] {
        let want: Vec<usize> = [2 * PAGE - 3, 3 * PAGE - 2].into_iter().filter(|at| owned.contains(at)).collect();
        let got: Vec<usize> = told(&filter, &bytes, owned.clone()).iter().map(|t| t.0).collect();
        assert_eq!(got, want, "{owned:?}");
    }
}

#[test]
fn a_literal_across_two_constant_pages_is_seen() {
    let bytes = [vec![b'A'; PAGE], vec![b'B'; PAGE], vec![0; PAGE]].concat();
    assert_eq!(
        told(&literals(&["AAABB", "BB\0\0"]), &bytes, 0..bytes.len()),
        [(PAGE - 3, 0, false), (2 * PAGE - 2, 1, false)]
    );
}

#[test]
fn constant_pages_are_counted_and_passed_over() {
    let mut found = Found::default();
    literals(&["ABC"]).candidates(&vec![0; 16 * PAGE], 0..16 * PAGE, true, &mut found);
    assert_eq!(found.constant, 16 * PAGE as u64);
}

#[test]
fn it_rejects() {
    let filter = Prefilter::new(&crate::detect::detectors().unwrap()).unwrap();
    let bytes = noise(1 << 23, 77);
    let all = told(&filter, &bytes, 0..bytes.len());
    // The test for DER INTEGERs has no literal of three bytes: it lets some 40 places in a megabyte pass.
    let integers = (0..bytes.len() - 2).filter(|&i| integers::is_integer(bytes[i], bytes[i + 1], bytes[i + 2])).count();
    assert!(all.len() <= 2 * integers + 16, "{} candidates in 8 MiB of random bytes, {integers} INTEGERs", all.len());
    let filter = literals(&["PRIVATE KEY", "uthorization:", "://", "ghp_"]);
    let literals = told(&filter, &bytes, 0..bytes.len()).len();
    assert!(literals <= 8, "{literals} candidates in 8 MiB of random bytes");
}

#[test]
fn a_file_of_one_gram_costs_a_bounded_look_at_each_place() {
    let all: Vec<String> = (0..2000).map(|i| format!("abcd{i:05}")).collect();
    let filter = of(all.iter().map(|l| Literal::text(l)).collect());
    let bytes = b"abcd".repeat(1 << 18);
    let work = crate::detect::testing::Work::begin();
    assert!(told(&filter, &bytes, 0..bytes.len()).is_empty());
    // One binary search at each place; a comparison with each of the literals would take minutes.
    assert!(work.seconds() < 5);
}

#[test]
fn a_literal_that_would_trigger_everywhere_is_refused() {
    for short in ["ab", "", "aaaa"] {
        let short = Fixed(Trigger::Literals(vec![Literal::text(short)]));
        assert!(Prefilter::new(&[Box::new(short)]).is_err());
    }
}
