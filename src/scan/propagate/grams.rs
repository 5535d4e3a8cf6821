//! Which eight bytes betray which spelling: the table that every byte of the image is asked against.
//!
//! A spelling is anchored at every eighth byte (every fourth, where it is made of words of four) and at its end, and the image
//! is asked at every byte. So a run of fifteen bytes holds an anchor wherever it begins, and a limb of a number does, which is
//! where a freed copy is overwritten. Where only the whole of a spelling counts, one anchor is enough.

use std::collections::HashMap;

use multiversion::multiversion;

use crate::scan::forms::{Grain, Spelling, sum};

/// Bytes of a gram.
pub const GRAM: usize = 8;

/// Spellings that may share a gram before others of theirs are taken: what many secrets begin with anchors none of them.
const CROWD: usize = 24;

/// Places of one gram in a spelling that are anchors, each of which is compared where the gram stands: digits of text recur.
const ALIKE: usize = 8;

/// Letters between the two anchors of a whole spelling that may be broken into lines: no line is so short that a break can
/// spoil both.
const SECOND_ANCHOR: usize = 24;

/// An anchor is at most so far from the beginning, so that a window that sees it sees the beginning too.
const FURTHEST: usize = 8 << 10;

/// Where an anchor stands: in which spelling, and how many bytes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// Index of the spelling.
    pub spelling: u32,
    /// Bytes before it.
    pub at: u32,
}

/// A table of grams, by their hash, behind a filter that rejects nearly all.
#[derive(Debug)]
pub struct Grams {
    /// The bits that no gram has.
    filter: Vec<u64>,
    shift: u32,
    /// Anchors by the hash of their gram; the hash is as good as the gram, because no two grams have the same.
    anchors: Vec<(u64, Anchor)>,
    /// For each word of the filter the first of the anchors that are in it.
    starts: Vec<u32>,
}

impl Grams {
    /// The table of the spellings that are at least a gram long.
    #[must_use]
    pub fn new(spellings: &[Spelling]) -> Self {
        let mut anchors = Vec::new();
        for (i, spelling) in (0_u32..).zip(spellings) {
            anchors.extend(anchors_of(spelling).into_iter().filter_map(|at| entry(i, spelling, at)));
        }
        anchors.sort_unstable();
        if thin_crowds(spellings, &mut anchors) {
            anchors.sort_unstable();
        }
        Self::of(anchors)
    }

    /// The table of sorted anchors.
    fn of(anchors: Vec<(u64, Anchor)>) -> Self {
        // 64 bits for each gram, two of them set: one probe in six hundred goes on to the table. 32 KiB at least, 16 MiB at
        // most.
        let words = anchors.len().next_power_of_two().clamp(1 << 12, 1 << 21);
        let shift = 64 - words.trailing_zeros();
        let (mut filter, mut starts) = (vec![u64::MAX; words], vec![0_u32; words + 1]);
        for (hash, _) in &anchors {
            let (word, pair) = slot(*hash, shift);
            filter.get_mut(word).into_iter().for_each(|left| *left &= !pair);
            starts.get_mut(word + 1).into_iter().for_each(|count| *count += 1);
        }
        let mut sum = 0;
        starts.iter_mut().for_each(|start| {
            sum += *start;
            *start = sum;
        });
        Self { filter, shift, anchors, starts }
    }

    /// Whether there is no anchor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The places in `bytes` where a gram begins that may be in the table; the last gram ends where `bytes` does.
    pub fn probe(&self, bytes: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        probe(&self.filter, self.shift, bytes, &mut places);
        places
    }

    /// The anchors with this gram.
    pub fn anchors(&self, gram: u64) -> impl Iterator<Item = Anchor> + '_ {
        let hash = hash(gram);
        let word = slot(hash, self.shift).0;
        let start = |word: usize| self.starts.get(word).map_or(0, |&start| start as usize);
        let these = self.anchors.get(start(word)..start(word + 1)).unwrap_or_default();
        these.iter().filter(move |(known, _)| *known == hash).map(|(_, anchor)| *anchor)
    }
}

/// Fibonacci hashing: the high bits of the product depend on all bits of the gram.
#[inline(always)]
fn hash(gram: u64) -> u64 {
    gram.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Pairs of bits of a word, of which a gram has one. Both are asked in one step: to ask for one first would be one branch in thirty
/// that nobody can foresee.
static PAIRS: [u64; 512] = pairs();

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn pairs() -> [u64; 512] {
    let (mut pairs, mut at) = ([0; 512], 0);
    while at < pairs.len() {
        // Eight bits that each of the 64 goes with, none of which it goes with from the other side.
        let (one, apart) = (at % 64, 1 + at / 64 * 3);
        pairs[at] = 1 << one | 1 << ((one + apart) % 64);
        at += 1;
    }
    pairs
}

/// Where in the filter a gram is: its word, and the two bits of it. The upper bits of the hash are the word, at most 21 of them.
#[inline(always)]
fn slot(hash: u64, shift: u32) -> (usize, u64) {
    let pair = (hash >> 23) as usize % PAIRS.len();
    ((hash >> shift) as usize, PAIRS.get(pair).copied().unwrap_or(0))
}

/// Whether the filter has the gram: whether neither bit is left.
#[inline(always)]
fn may_have(filter: &[u64], shift: u32, gram: u64) -> bool {
    let (word, pair) = slot(hash(gram), shift);
    filter.get(word).is_some_and(|left| left & pair == 0)
}

/// Few are kept: the way to the next byte leads past it.
#[cold]
fn keep(places: &mut Vec<usize>, at: usize) {
    places.push(at);
}

/// Asks at every byte. Shifts by a register are three times as fast where the machine has BMI2.
#[multiversion(targets("x86_64+bmi1+bmi2"))]
fn probe(filter: &[u64], shift: u32, bytes: &[u8], places: &mut Vec<usize>) {
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        // No gram is all zeros, and memory is full of them.
        if u128::from_le_bytes(*chunk) != 0 {
            for k in 0..GRAM {
                let gram = chunk.get(k..k + GRAM).and_then(|gram| gram.first_chunk());
                if gram.is_some_and(|gram| may_have(filter, shift, u64::from_le_bytes(*gram))) {
                    keep(places, at + k);
                }
            }
        }
        at += GRAM;
    }
    let rest = bytes.get(at..).unwrap_or_default().windows(GRAM).filter_map(|gram| gram.first_chunk());
    let hits = (at..).zip(rest).filter(|(_, gram)| may_have(filter, shift, u64::from_le_bytes(**gram)));
    places.extend(hits.map(|(at, _)| at));
}

/// The gram at `at`.
#[must_use]
pub fn gram_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|gram| u64::from_le_bytes(*gram))
}

fn entry(spelling: u32, of: &Spelling, at: usize) -> Option<(u64, Anchor)> {
    Some((hash(gram_at(&of.bytes, at)?), Anchor { spelling, at: u32::try_from(at).ok()? }))
}

/// Where a spelling is anchored.
fn anchors_of(spelling: &Spelling) -> Vec<usize> {
    let Some(last) = spelling.bytes.len().checked_sub(GRAM) else { return Vec::new() };
    match spelling.need {
        Some(need) if sum(&spelling.bits) >= need => fragment_anchors(spelling, last),
        _ => whole_anchors(spelling, last),
    }
}

fn fragment_anchors(spelling: &Spelling, last: usize) -> Vec<usize> {
    let (first, step) = match spelling.grain {
        Grain::FromStart => (0, 4),
        Grain::FromEnd => (last % 4, 4),
        Grain::Letters => (0, GRAM),
        // Two letters in four bytes: a fragment has at least twice the bytes.
        Grain::Wide => (0, if spelling.bytes.len() > 8 * GRAM { 2 * GRAM } else { GRAM }),
    };
    let all = std::iter::once(0).chain((first..last).step_by(step)).chain([last]);
    // What gives nothing away is everywhere, and so is one letter repeated, and the last digit of a number if that is a small
    // number by itself.
    let telling = |at: usize| spelling.bits.get(at..at + GRAM).map_or(0, sum) > 0;
    let good = |at: usize| {
        let gram = gram_at(&spelling.bytes, at).filter(|gram| !is_constant(*gram) && !is_small(*gram) && telling(at));
        gram.map(|gram| (gram, at))
    };
    // Digits happen to repeat themselves, `5b5b`. Whatever run holds them holds the nearest gram before or behind that is good.
    let nearest = |at: usize| {
        let before = (at.saturating_sub(GRAM)..at).rev().find_map(good);
        let behind = (at + 1..last.min(at + GRAM)).find_map(good);
        before.into_iter().chain(behind)
    };
    let here_or_near = |at: usize| {
        let here = good(at);
        let near = here.is_none() && telling(at);
        here.into_iter().chain(near.then(|| nearest(at)).into_iter().flatten())
    };
    let mut grams: Vec<(u64, usize)> = all.flat_map(here_or_near).collect();
    grams.sort_unstable();
    grams.dedup();
    // A part of the spelling may have no other gram than one that recurs in it.
    let alike = grams.chunk_by(|(one, _), (other, _)| one == other);
    let mut anchors: Vec<usize> = alike.flat_map(|same| same.iter().take(ALIKE).map(|(_, at)| *at)).collect();
    if anchors.is_empty() || spelling.bits.first() == Some(&0) {
        anchors.extend(whole_anchors(spelling, last));
    }
    anchors
}

/// The best gram of the spelling, and another one in another line where it may be broken into lines.
fn whole_anchors(spelling: &Spelling, last: usize) -> Vec<usize> {
    let last = last.min(FURTHEST);
    let unlike = |at: &usize| {
        let gram = gram_at(&spelling.bytes, *at).map_or([0; GRAM], u64::to_le_bytes);
        let mut kinds = gram;
        kinds.sort_unstable();
        (kinds.windows(2).filter(|w| matches!(w, [a, b] if a != b)).count(), std::cmp::Reverse(*at))
    };
    let near = (0..=last.min(SECOND_ANCHOR - 1)).max_by_key(unlike);
    let far = (2 * SECOND_ANCHOR..=last.min(3 * SECOND_ANCHOR)).max_by_key(unlike).filter(|_| spelling.broken);
    near.into_iter().chain(far).collect()
}

fn is_small(gram: u64) -> bool {
    gram.min(gram.swap_bytes()) < 1 << 16
}

/// Whether it is one byte, or two or four bytes, over and over: as fields of small numbers are.
fn is_constant(gram: u64) -> bool {
    gram == gram.rotate_left(32)
}

/// Takes the anchors away, of these sorted ones, that too many spellings share, and says whether there were such. Spellings
/// that have no other one are anchored where the fewest are like them.
fn thin_crowds(spellings: &[Spelling], anchors: &mut Vec<(u64, Anchor)>) -> bool {
    let same = |a: &(u64, Anchor), b: &(u64, Anchor)| a.0 == b.0;
    if anchors.chunk_by(same).all(|crowd| crowd.len() <= CROWD) {
        return false;
    }
    let few: Vec<(u64, Anchor)> = anchors.chunk_by(same).filter(|c| c.len() <= CROWD).flatten().copied().collect();
    let mut lost = vec![false; spellings.len()];
    let mut mark = |anchor: &Anchor, is: bool| lost.get_mut(anchor.spelling as usize).into_iter().for_each(|l| *l = is);
    anchors.iter().for_each(|(_, anchor)| mark(anchor, true));
    few.iter().for_each(|(_, anchor)| mark(anchor, false));
    let lost: Vec<u32> = (0_u32..).zip(&lost).filter(|(_, lost)| **lost).map(|(i, _)| i).collect();
    *anchors = few;
    anchors.extend(rarest(spellings, &lost));
    true
}

/// For each of these spellings its gram that is in the fewest of them.
fn rarest(spellings: &[Spelling], these: &[u32]) -> Vec<(u64, Anchor)> {
    let of = |i: u32| spellings.get(i as usize).filter(|s| s.bytes.len() >= GRAM).map(|s| (i, s));
    let grams = |s: &Spelling| {
        let head = s.bytes.get(..s.bytes.len().min(FURTHEST)).unwrap_or_default();
        head.windows(GRAM).filter_map(|w| gram_at(w, 0)).collect::<Vec<u64>>()
    };
    let mut sharing: HashMap<u64, usize> = HashMap::new();
    let all = || these.iter().filter_map(|&i| of(i));
    all().flat_map(|(_, s)| grams(s)).for_each(|gram| *sharing.entry(gram).or_default() += 1);
    let best = |(i, s): (u32, &Spelling)| {
        let at = grams(s).iter().enumerate().min_by_key(|(_, gram)| sharing.get(gram)).map(|(at, _)| at)?;
        entry(i, s, at)
    };
    all().filter_map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_probe_finds_every_gram_and_hardly_more() {
        let noise = |seed: u64, len: usize| {
            let mut state = seed;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 24) as u8
            };
            (0..len).map(|_| next()).collect::<Vec<u8>>()
        };
        let grams: Vec<u64> = noise(7, 8000).chunks(8).filter_map(|c| gram_at(c, 0)).collect();
        let mut anchors: Vec<_> = grams.iter().map(|&gram| (hash(gram), Anchor { spelling: 0, at: 0 })).collect();
        anchors.sort_unstable();
        let table = Grams::of(anchors);
        for len in [0, 7, 8, 9, 15, 16, 17, 23, 24, 5000] {
            let mut bytes = noise(9, len);
            let plants: Vec<usize> = (0..len.saturating_sub(7)).step_by(61).collect();
            plants.iter().zip(&grams).for_each(|(&at, gram)| bytes[at..at + 8].copy_from_slice(&gram.to_le_bytes()));
            let scalar: Vec<usize> = (0..len.saturating_sub(7))
                .filter(|&at| may_have(&table.filter, table.shift, gram_at(&bytes, at).unwrap()))
                .collect();
            assert_eq!(table.probe(&bytes), scalar, "{len} bytes");
            assert!(plants.iter().all(|at| scalar.contains(at)));
            assert!(plants.iter().all(|&at| table.anchors(gram_at(&bytes, at).unwrap()).count() == 1));
            assert!(scalar.len() <= plants.len() + 2 + len / 100, "{} of {len}", scalar.len());
        }
    }
}
