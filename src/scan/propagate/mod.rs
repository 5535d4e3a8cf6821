//! The only searcher of known bytes: one well-formed copy of a secret gives away all the others.
//!
//! Each spelling is anchored by a few short grams; the image is probed with one hash at every eighth byte (every byte where
//! secrets are short), and what hits is compared in full. So one pass serves any number of secrets at nearly the same
//! speed: with all eight phases of an anchor in the table, no copy can slip between two probes.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::Result;
use crate::finding::{Encoding, Site};
use crate::scan::forms::{self, Spelling};
use crate::scan::prefilter;
use crate::scan::walk::Walk;
use crate::vault::Secret;
use crate::window::Window;

/// Bytes of a long gram and the distance between two probes for it.
const LONG: usize = 8;

/// Bytes of a short gram.
const SHORT: usize = 4;

/// A spelling this long has a long gram at every phase of an anchor.
const LONG_SPELLING: usize = 2 * LONG - 1;

/// Letters between the two anchors of a spelling that may be broken into lines: no line is so short that a break can
/// spoil both.
const SECOND_ANCHOR: usize = 24;

/// Spellings that are searched in one pass; more are searched in further passes, so that the tables stay small.
const BATCH: usize = 60_000;

/// Where an anchor stands: in which spelling, and how many bytes into it.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    spelling: u32,
    at: u32,
}

/// All spellings of one pass, ready to be searched.
#[derive(Debug)]
pub struct Propagation {
    spellings: Vec<Spelling>,
    long: Grams,
    short: Grams,
    /// Bytes of a constant page that must be looked at before what follows it: a spelling may begin with such bytes.
    lead: usize,
}

/// A table of grams behind a bitmap that rejects nearly all probes.
#[derive(Debug)]
struct Grams {
    bitmap: Vec<u64>,
    shift: u32,
    anchors: HashMap<u64, Vec<Anchor>>,
    step: usize,
}

/// A place where a secret stands.
#[derive(Debug)]
pub struct Sighted {
    /// Index of the finding.
    pub finding: usize,
    /// The place.
    pub site: Site,
}

/// Tells every place where a form of one of the secrets stands, with the number that the secret came with.
///
/// # Errors
/// What `tell` returns.
pub fn everywhere<'s>(
    walk: &mut Walk<'_>,
    secrets: impl IntoIterator<Item = (usize, &'s Secret)>,
    tell: impl FnMut(usize, Site) -> Result<()>,
) -> Result<()> {
    search(walk, spellings(secrets), tell)
}

/// Every spelling of every secret.
pub fn spellings<'s>(secrets: impl IntoIterator<Item = (usize, &'s Secret)>) -> Vec<Spelling> {
    let mut spellings = Vec::new();
    secrets.into_iter().for_each(|(finding, secret)| forms::spellings(finding, secret, &mut |s| spellings.push(s)));
    spellings
}

/// Searches the spellings, in as many passes as they need.
///
/// # Errors
/// What `tell` returns.
pub fn search(
    walk: &mut Walk<'_>,
    mut spellings: Vec<Spelling>,
    mut tell: impl FnMut(usize, Site) -> Result<()>,
) -> Result<()> {
    while !spellings.is_empty() {
        let rest = spellings.split_off(spellings.len().min(BATCH));
        let propagation = Propagation::new(std::mem::replace(&mut spellings, rest));
        let look = |window: &Window<'_>| propagation.search(window);
        walk.windows("propagate", look, |_, found| found.into_iter().try_for_each(|s| tell(s.finding, s.site)))?;
    }
    Ok(())
}

impl Propagation {
    /// Works `spellings` into tables.
    #[must_use]
    pub fn new(spellings: Vec<Spelling>) -> Self {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        let mut step = LONG;
        for (i, spelling) in spellings.iter().enumerate() {
            let bytes = spelling.bytes.as_slice();
            if bytes.len() >= LONG_SPELLING {
                anchor(i, bytes, 0, LONG, &mut long);
                if spelling.broken && bytes.len() >= SECOND_ANCHOR + LONG_SPELLING {
                    anchor(i, bytes, SECOND_ANCHOR, LONG, &mut long);
                }
            } else if bytes.len() >= SHORT {
                step = step.min(bytes.len() - SHORT + 1);
                short.push(i);
            }
        }
        let mut grams = Vec::new();
        for i in short {
            let bytes = spellings.get(i).map_or(&[][..], |s| s.bytes.as_slice());
            (0..step).for_each(|at| push_gram(i, bytes, at, SHORT, &mut grams));
        }
        let lead = spellings.iter().map(|s| leading(&s.bytes)).max().unwrap_or(0) + LONG;
        Self { long: Grams::new(long, LONG), short: Grams::new(grams, step), spellings, lead }
    }

    /// Every place in the window where a spelling stands, whose anchor the window owns.
    #[must_use]
    pub fn search(&self, window: &Window<'_>) -> Vec<Sighted> {
        let mut found = Vec::new();
        let mut constant = 0;
        for run in prefilter::busy_runs(window.bytes(), window.owned(), self.lead, &mut constant) {
            self.probe(&self.long, LONG, run.clone(), window, &mut found);
            self.probe(&self.short, SHORT, run, window, &mut found);
        }
        found.sort_by(|a: &Sighted, b| (a.finding, &a.site).cmp(&(b.finding, &b.site)));
        found.dedup_by(|a, b| a.finding == b.finding && a.site == b.site);
        found
    }

    fn probe(&self, grams: &Grams, size: usize, run: Range<usize>, window: &Window<'_>, found: &mut Vec<Sighted>) {
        if grams.anchors.is_empty() {
            return;
        }
        // The last probe may read past the run, into what the margin shows.
        let end = (run.end + size - 1).min(window.bytes().len());
        let bytes = window.slice(run.start..end);
        let mut hit = |at: usize, gram: u64| {
            for anchor in grams.anchors.get(&gram).into_iter().flatten() {
                let spelling = self.spellings.get(anchor.spelling as usize);
                let site = spelling.and_then(|s| Some((s, s.whole(window, run.start + at, anchor.at as usize)?)));
                found.extend(site.and_then(|(s, range)| sighted(s, range, window)));
            }
        };
        if size == LONG && grams.step == LONG {
            let grams_at = bytes.chunks_exact(LONG).filter_map(|c| c.first_chunk()).map(|c| u64::from_le_bytes(*c));
            grams_at.enumerate().filter(|&(_, g)| grams.may_have(g)).for_each(|(i, g)| hit(i * LONG, g));
        } else {
            let windows = bytes.windows(size).step_by(grams.step).map(gram_of);
            windows.enumerate().filter(|&(_, g)| grams.may_have(g)).for_each(|(i, g)| hit(i * grams.step, g));
        }
    }
}

/// How many bytes at the beginning are the same.
fn leading(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |first| bytes.iter().take_while(|b| *b == first).count())
}

/// Grams at every phase of an anchor that begins `from` bytes into a spelling.
fn anchor(spelling: usize, bytes: &[u8], from: usize, size: usize, grams: &mut Vec<(u64, Anchor)>) {
    (from..from + size).for_each(|at| push_gram(spelling, bytes, at, size, grams));
}

fn push_gram(spelling: usize, bytes: &[u8], at: usize, size: usize, grams: &mut Vec<(u64, Anchor)>) {
    let gram = bytes.get(at..at + size).map(gram_of);
    let (spelling, at) = (u32::try_from(spelling).unwrap_or(u32::MAX), u32::try_from(at).unwrap_or(u32::MAX));
    grams.extend(gram.map(|gram| (gram, Anchor { spelling, at })));
}

fn gram_of(bytes: &[u8]) -> u64 {
    let mut gram = [0; 8];
    gram.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(gram)
}

impl Grams {
    fn new(grams: Vec<(u64, Anchor)>, step: usize) -> Self {
        // 64 bits for each gram, so that one probe in 64 at most goes on to the table; 32 KiB at least, 4 MiB at most.
        let bits = (grams.len().max(1) * 64).next_power_of_two().clamp(1 << 18, 1 << 25);
        let shift = 64 - bits.trailing_zeros();
        let mut table = Self { bitmap: vec![0; bits / 64], shift, anchors: HashMap::new(), step };
        for (gram, anchor) in grams {
            let slot = table.slot(gram);
            if let Some(word) = table.bitmap.get_mut(slot / 64) {
                *word |= 1 << (slot % 64);
            }
            table.anchors.entry(gram).or_default().push(anchor);
        }
        table
    }

    fn slot(&self, gram: u64) -> usize {
        // Fibonacci hashing: the high bits of the product depend on all bits of the gram.
        (gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    fn may_have(&self, gram: u64) -> bool {
        let slot = self.slot(gram);
        self.bitmap.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }
}

impl Spelling {
    /// The range of the whole spelling when the byte `into` of it stands at `at`; `None` when it does not stand there.
    fn whole(&self, window: &Window<'_>, at: usize, into: usize) -> Option<Range<usize>> {
        let (head, tail) = self.bytes.split_at_checked(into)?;
        let end = self.matched_forward(window, at, tail)?;
        let start = self.matched_backward(window, at, head)?;
        // Between two NUL characters both byte orders of UTF-16 fit, one byte apart: that is one site, told as LE.
        if self.form.encoding == Encoding::Utf16Be && window.byte(end) == Some(0) {
            return None;
        }
        let range = start.saturating_sub(self.shared.0)..end + self.shared.1;
        (!self.word || is_word(window, &range)).then_some(range)
    }

    fn matched_forward(&self, window: &Window<'_>, at: usize, tail: &[u8]) -> Option<usize> {
        if !self.broken {
            let here = window.follow(at, tail.len());
            return (*here == *tail).then_some(at + tail.len());
        }
        let mut at = at;
        for letter in tail {
            while window.byte(at).is_some_and(is_break) {
                at += 1;
            }
            if window.byte(at)? != *letter {
                return None;
            }
            at += 1;
        }
        Some(at)
    }

    fn matched_backward(&self, window: &Window<'_>, at: usize, head: &[u8]) -> Option<usize> {
        let mut at = at;
        for letter in head.iter().rev() {
            while self.broken && at.checked_sub(1).and_then(|i| window.byte(i)).is_some_and(is_break) {
                at -= 1;
            }
            at = at.checked_sub(1)?;
            if window.byte(at)? != *letter {
                return None;
            }
        }
        Some(at)
    }
}

fn is_break(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Whether the bytes around a short secret end it: `root` in `root:` counts, in `uprooted` it does not. In UTF-16 the
/// neighbours are zero bytes; what stands next to those decides.
fn is_word(window: &Window<'_>, range: &Range<usize>) -> bool {
    let letter = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let back = |n: usize| range.start.checked_sub(n).and_then(|i| window.byte(i));
    let wide = window.byte(range.start + 1) == Some(0) || window.byte(range.start) == Some(0);
    let next = |near: Option<u8>, far: Option<u8>| letter(near) || wide && near == Some(0) && letter(far);
    !next(back(1), back(2)) && !next(window.byte(range.end), window.byte(range.end + 1))
}

fn sighted(spelling: &Spelling, range: Range<usize>, window: &Window<'_>) -> Option<Sighted> {
    let spans = window.spans(range);
    if spans.is_empty() || window.is_stitched() && spans.len() < 2 {
        return None;
    }
    Some(Sighted { finding: spelling.finding, site: Site { spans, form: spelling.form } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::forms::spellings;
    use crate::span::Span;
    use crate::vault::Secret;

    fn sites(haystack: &[u8], owned: Range<usize>, secrets: &[&[u8]]) -> Vec<(usize, u64, u64)> {
        let mut all = Vec::new();
        for (i, secret) in secrets.iter().enumerate() {
            spellings(i, &Secret::text(secret), &mut |s| all.push(s));
        }
        let pieces = [Span::new(0, haystack.len() as u64)];
        let window = Window::new(haystack, owned, &pieces, &[]);
        let found = Propagation::new(all).search(&window);
        found.iter().map(|s| (s.finding, s.site.offset(), s.site.len())).collect()
    }

    #[test]
    fn a_copy_is_found_at_every_offset_whoever_owns_it() {
        for secret in [&b"hunter2x"[..], b"correct-horse", b"correct-horse-battery-staple"] {
            for at in 0..40 {
                let mut bytes = vec![b'.'; 200];
                bytes[at..at + secret.len()].copy_from_slice(secret);
                let n = secret.len() as u64;
                assert_eq!(sites(&bytes, 0..200, &[secret]), [(0, at as u64, n)], "at {at}");
                let mut halves = sites(&bytes, 0..at + 5, &[secret]);
                halves.extend(sites(&bytes, at + 5..200, &[secret]));
                // Where short grams are probed at distances that differ, both may tell of it; the sweep drops the double.
                halves.dedup();
                assert_eq!(halves, [(0, at as u64, n)], "cut behind {at}");
            }
        }
    }

    #[test]
    fn base64_is_found_across_line_breaks() {
        let secret = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let encoded = <base64ct::Base64 as base64ct::Encoding>::encode_string(secret);
        for cut in 1..encoded.len() - 1 {
            let broken = format!("=={}\r\n{}==", &encoded[..cut], &encoded[cut..]);
            assert_eq!(sites(broken.as_bytes(), 0..broken.len(), &[secret]).len(), 1, "broken at {cut}");
        }
    }

    #[test]
    fn a_short_secret_counts_as_a_whole_word_only() {
        let text = b"uprooted root: root2 _root /root\0";
        let places: Vec<u64> = sites(text, 0..text.len(), &[b"root"]).iter().map(|s| s.1).collect();
        assert_eq!(places, [9, 28]);
    }

    #[test]
    fn utf_16_at_odd_offsets_is_found() {
        let mut bytes = vec![7; 33];
        bytes.extend("correct-horse".encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([7; 20]);
        assert_eq!(sites(&bytes, 0..bytes.len(), &[b"correct-horse"]), [(0, 33, 26)]);
    }
}
