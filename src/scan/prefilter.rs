//! One cheap look at every byte for all detectors together.
//!
//! The contract: a candidate may be wrong, the detector confirms; a candidate is never missing. Literals of all detectors
//! are searched by packed SIMD groups (`aho_corasick::packed`), DER headers by a test that the compiler vectorises, and
//! pages of one repeated byte are passed over, because no literal is made of one byte only.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::packed::{Builder, Config, MatchKind, Searcher};
use multiversion::multiversion;

use crate::detect::{Candidate, Detector, Trigger};
use crate::scan::aes_words::aes_words;

/// Bytes of a page; a page of one repeated byte holds nothing.
const PAGE: usize = 4096;

/// Patterns in one packed searcher; above 64 it would fall back to a scalar search.
const GROUP: usize = 48;

/// What triggers which detector.
pub struct Prefilter {
    groups: Vec<Searcher>,
    /// Every pattern, by its first three bytes: a packed searcher names one pattern at a place, there may be more.
    patterns: BTreeMap<[u8; 3], Vec<Pattern>>,
    der: Vec<usize>,
    aes: Vec<usize>,
    longest: usize,
}

struct Pattern {
    bytes: Vec<u8>,
    targets: Vec<Target>,
}

#[derive(Clone, Copy)]
struct Target {
    detector: usize,
    literal: usize,
    wide: bool,
}

/// A candidate, and the index of the detector that is to look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// Index of the detector.
    pub detector: usize,
    /// The place.
    pub candidate: Candidate,
}

/// What a pass of the prefilter over one window came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes in pages of one repeated byte.
    pub constant: u64,
}

impl Prefilter {
    /// The prefilter of `detectors`. Literals shorter than three bytes are refused by name.
    ///
    /// # Errors
    /// The id of the first rule of a detector whose literal is too short or made of one repeated byte.
    pub fn new(detectors: &[Box<dyn Detector>]) -> Result<Self, String> {
        let mut by_bytes: BTreeMap<Vec<u8>, Vec<Target>> = BTreeMap::new();
        let (mut der, mut aes) = (Vec::new(), Vec::new());
        for (index, detector) in detectors.iter().enumerate() {
            match detector.trigger() {
                Trigger::DerInteger => der.push(index),
                Trigger::AesWords => aes.push(index),
                Trigger::Literals(literals) => {
                    for (i, literal) in literals.iter().enumerate() {
                        check(&literal.bytes).map_err(|why| refusal(detector.as_ref(), why))?;
                        let target = Target { detector: index, literal: i, wide: false };
                        by_bytes.entry(literal.bytes.clone()).or_default().push(target);
                        if literal.wide {
                            by_bytes.entry(widen(&literal.bytes)).or_default().push(Target { wide: true, ..target });
                        }
                    }
                }
            }
        }
        Ok(Self { der, aes, ..Self::of_patterns(by_bytes) })
    }

    fn of_patterns(by_bytes: BTreeMap<Vec<u8>, Vec<Target>>) -> Self {
        let all: Vec<&[u8]> = by_bytes.keys().map(Vec::as_slice).collect();
        let groups = all.chunks(GROUP).filter_map(searcher).collect();
        let longest = all.iter().map(|p| p.len()).max().unwrap_or(0);
        let mut patterns: BTreeMap<[u8; 3], Vec<Pattern>> = BTreeMap::new();
        for (bytes, targets) in by_bytes {
            if let Some(&head) = bytes.first_chunk() {
                patterns.entry(head).or_default().push(Pattern { bytes, targets });
            }
        }
        Self { groups, patterns, der: Vec::new(), aes: Vec::new(), longest }
    }

    /// Every candidate whose first byte lies in `owned`, sorted by place and detector.
    pub fn candidates(&self, bytes: &[u8], owned: Range<usize>, out: &mut Vec<Triggered>) -> Passed {
        let mut passed = Passed::default();
        for run in busy_runs(bytes, owned, self.longest.max(2), &mut passed.constant) {
            self.literals(bytes, run.clone(), out);
            if !self.der.is_empty() {
                self.der_integers(bytes, run.clone(), out);
            }
            if !self.aes.is_empty() {
                aes_words(bytes, run, |at| tell(&self.aes, at, out));
            }
        }
        out.sort_by_key(|t| (t.candidate.at, t.detector, t.candidate.literal, t.candidate.wide));
        out.dedup();
        passed
    }

    fn literals(&self, bytes: &[u8], run: Range<usize>, out: &mut Vec<Triggered>) {
        let end = (run.end + self.longest).min(bytes.len());
        for group in &self.groups {
            let mut at = run.start;
            while let Some(hit) = group.find_in(bytes, aho_corasick::Span { start: at, end }) {
                if hit.start() >= run.end {
                    break;
                }
                self.patterns_at(bytes, hit.start(), out);
                at = hit.start() + 1;
            }
        }
    }

    /// Every pattern that stands at `at`. Where patterns of two groups do, both groups tell of all of them; the doubles go
    /// when the candidates are sorted.
    fn patterns_at(&self, bytes: &[u8], at: usize, out: &mut Vec<Triggered>) {
        let rest = bytes.get(at..).unwrap_or_default();
        let patterns = rest.first_chunk::<3>().and_then(|head| self.patterns.get(head));
        for pattern in patterns.into_iter().flatten().filter(|p| rest.starts_with(&p.bytes)) {
            let targets = pattern.targets.iter();
            out.extend(targets.map(|t| Triggered {
                detector: t.detector,
                candidate: Candidate { at, literal: t.literal, wide: t.wide },
            }));
        }
    }

    fn der_integers(&self, bytes: &[u8], run: Range<usize>, out: &mut Vec<Triggered>) {
        der_integers(bytes, run, |at| tell(&self.der, at, out));
    }
}

fn tell(detectors: &[usize], at: usize, out: &mut Vec<Triggered>) {
    let candidate = Candidate { at, literal: 0, wide: false };
    out.extend(detectors.iter().map(|&detector| Triggered { detector, candidate }));
}

fn check(literal: &[u8]) -> Result<(), &'static str> {
    match literal {
        [] | [_] | [_, _] => Err("is shorter than 3 bytes"),
        [first, rest @ ..] if rest.iter().all(|b| b == first) => Err("is one byte repeated"),
        _ => Ok(()),
    }
}

fn refusal(detector: &dyn Detector, why: &str) -> String {
    let rule = detector.rules().first().map_or_else(|| "a detector".to_owned(), |rule| rule.id.clone());
    format!("{rule}: its trigger literal {why}")
}

/// A literal in UTF-16 without its last (LE) or first (BE) zero: what both byte orders have in common.
fn widen(literal: &[u8]) -> Vec<u8> {
    let mut wide: Vec<u8> = literal.iter().flat_map(|&b| [b, 0]).collect();
    wide.pop();
    wide
}

fn searcher(patterns: &[&[u8]]) -> Option<Searcher> {
    let mut builder: Builder = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
    builder.extend(patterns);
    builder.build()
}

/// The parts of `owned` that are not pages of one repeated byte, each begun `before` bytes early so that a literal that
/// starts at the end of such a page is seen; the bytes passed over are counted.
pub(crate) fn busy_runs(bytes: &[u8], owned: Range<usize>, before: usize, constant: &mut u64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut at = owned.start;
    while at < owned.end {
        let end = (at + PAGE).min(owned.end);
        if bytes.get(at..end).is_some_and(is_constant) {
            *constant += (end - at) as u64;
        } else {
            let start = at.saturating_sub(before).max(owned.start);
            match runs.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => runs.push(start..end),
            }
        }
        at = end;
    }
    // A literal may also begin in a constant page that is the last owned one, and go on behind it.
    if before > 0 && runs.last().is_none_or(|run| run.end < owned.end) {
        runs.push(owned.end.saturating_sub(before).max(runs.last().map_or(owned.start, |run| run.end))..owned.end);
    }
    runs
}

/// Whether every byte is the same: equal to itself moved by one, which is one `memcmp`.
fn is_constant(page: &[u8]) -> bool {
    page.split_first().is_none_or(|(_, rest)| page.get(..rest.len()) == Some(rest))
}

/// Calls `found` for every place in `run` where a DER INTEGER of a key structure may start: tag 02 followed by a version's
/// length (01), a long form (81, 82) or 64 or 65 bytes (the primes of RSA-1024).
pub fn der_integers(bytes: &[u8], run: Range<usize>, mut found: impl FnMut(usize)) {
    const BLOCK: usize = 256;
    let mut at = run.start;
    while at < run.end {
        let end = (at + BLOCK).min(run.end);
        let here = bytes.get(at..end).unwrap_or_default();
        let next = bytes.get(at + 1..(end + 1).min(bytes.len())).unwrap_or_default();
        if block_has_integer(here, next) {
            let pairs = here.iter().zip(next).enumerate();
            pairs.filter(|(_, (a, b))| is_integer(**a, **b)).for_each(|(i, _)| found(at + i));
        }
        at = end;
    }
}

fn is_integer(tag: u8, length: u8) -> bool {
    (tag == 2) & ((length == 1) | (length & 0xfe == 0x40) | (length == 0x81) | (length == 0x82))
}

/// Whether `is_integer` holds anywhere: written without branches so that it becomes vector code.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn block_has_integer(here: &[u8], next: &[u8]) -> bool {
    let pairs = here.iter().zip(next);
    pairs.fold(0_u8, |any, (&a, &b)| {
        let tag = u8::from(a == 2);
        let length = u8::from(b == 1) | u8::from(b & 0xfe == 0x40) | u8::from(b == 0x81) | u8::from(b == 0x82);
        any | (tag & length)
    }) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Hits, Literal, Reach};
    use crate::finding::Rule;
    use crate::window::Window;

    struct Fixed(Trigger);

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

    fn literals(all: &[&str]) -> Prefilter {
        let literals = all.iter().map(|l| Literal::text(l)).collect();
        Prefilter::new(&[Box::new(Fixed(Trigger::Literals(literals)))]).unwrap()
    }

    fn noise(len: usize, mut seed: u64) -> Vec<u8> {
        std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        })
        .take(len)
        .collect()
    }

    /// The scalar reference: every pattern at every place.
    fn naive(bytes: &[u8], owned: Range<usize>, all: &[&str]) -> Vec<(usize, usize, bool)> {
        let mut found = Vec::new();
        for at in owned {
            for (i, literal) in all.iter().enumerate() {
                if bytes[at..].starts_with(literal.as_bytes()) {
                    found.push((at, i, false));
                }
                if bytes[at..].starts_with(&widen(literal.as_bytes())) {
                    found.push((at, i, true));
                }
            }
        }
        found
    }

    #[test]
    fn equals_the_scalar_reference_at_every_place() {
        let all = ["ABC", "ABCDE", "CAB", "://", "PASSWORD="];
        let filter = literals(&all);
        for seed in 0..40 {
            let mut bytes = vec![0_u8; 3 * PAGE];
            for (i, b) in noise(3 * PAGE, seed).into_iter().enumerate() {
                // Letters of the patterns, and long runs of zeros.
                bytes[i] = if (i / 700) % 2 == 0 { b"ABCDE\0:/"[usize::from(b & 7)] } else { 0 };
            }
            let planted = [PAGE - 1, PAGE - 3, PAGE, 2 * PAGE - 9, 2 * PAGE];
            for at in planted {
                bytes[at..at + 5].copy_from_slice(b"ABCDE");
            }
            let owned = 100..3 * PAGE - 50;
            let mut out = Vec::new();
            filter.candidates(&bytes, owned.clone(), &mut out);
            let got: Vec<_> = out.iter().map(|t| (t.candidate.at, t.candidate.literal, t.candidate.wide)).collect();
            assert_eq!(got, naive(&bytes, owned, &all), "seed {seed}");
        }
    }

    #[test]
    fn der_test_equals_the_scalar_reference() {
        let mut bytes = noise(100_000, 9);
        bytes.iter_mut().step_by(3).for_each(|b| *b = 2);
        let mut got = Vec::new();
        der_integers(&bytes, 17..99_999, |at| got.push(at));
        let want: Vec<usize> = (17..99_999).filter(|&i| is_integer(bytes[i], bytes[i + 1])).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn a_literal_in_the_first_or_last_bytes_of_a_constant_page_is_seen() {
        let filter = literals(&["AAAB"]);
        let mut bytes = vec![b'A'; 4 * PAGE];
        bytes[2 * PAGE] = b'B';
        bytes[3 * PAGE + 1] = b'B';
        for owned in [0..4 * PAGE, 0..2 * PAGE, PAGE..2 * PAGE, 0..3 * PAGE] {
            let mut out = Vec::new();
            filter.candidates(&bytes, owned.clone(), &mut out);
            let want: Vec<usize> = [2 * PAGE - 3, 3 * PAGE - 2].into_iter().filter(|at| owned.contains(at)).collect();
            assert_eq!(out.iter().map(|t| t.candidate.at).collect::<Vec<_>>(), want, "{owned:?}");
        }
    }

    #[test]
    fn it_rejects() {
        let filter = literals(&["PRIVATE KEY", "uthorization:", "://"]);
        let bytes = noise(1 << 22, 77);
        let mut out = Vec::new();
        filter.candidates(&bytes, 0..bytes.len(), &mut out);
        assert!(out.len() <= 4, "{} candidates in 4 MiB of random bytes", out.len());
    }

    #[test]
    fn constant_pages_are_counted_and_passed_over() {
        let filter = literals(&["ABC"]);
        let bytes = vec![0; 16 * PAGE];
        assert_eq!(filter.candidates(&bytes, 0..16 * PAGE, &mut Vec::new()).constant, 16 * PAGE as u64);
    }

    #[test]
    fn a_literal_that_would_trigger_everywhere_is_refused() {
        let short = Fixed(Trigger::Literals(vec![Literal::text("ab")]));
        assert!(Prefilter::new(&[Box::new(short)]).is_err());
    }
}
