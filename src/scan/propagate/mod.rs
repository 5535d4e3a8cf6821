//! The only searcher of known bytes: one well-formed copy of a secret gives away all the others, and what is left of them.
//!
//! Each spelling is anchored by grams of eight bytes ([`grams`]); the image is probed at every byte with one hash, and where a
//! gram stands, spelling and image are compared to both sides as far as they agree ([`run`]). All of a spelling is a site, and
//! so is a part that gives enough away: a copy whose other end was overwritten, a limb of a prime. One pass serves any
//! number of secrets at nearly the same speed; only where their spellings would fill the memory are there several. Streams of
//! gzip are decoded and searched in the same way; and what held a secret in one is searched as it is, because a compressor keeps
//! the bytes that it made without the head that they need to be decoded.

mod grams;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::detect::gzip_streams::{self, MAGIC};
use crate::error::{Gap, Result};
use crate::finding::{Encoding, Form, Piece, Site};
use crate::limits::Budget;
use crate::scan::forms::{self, Spelling, Unusual};
use crate::scan::look::DECODED;
use crate::scan::prefilter;
use crate::scan::walk::Walk;
use crate::span::Span;
use crate::vault::{Identity, Secret, SecretBytes};
use crate::window::Window;

use grams::{GRAM, Grams};

/// Bytes of a short gram: what spellings are found by that are shorter than a gram.
const SHORT: usize = 4;

/// Bytes of spellings that are searched in one pass: hundreds of RSA keys, thousands of tokens, and 100 MB of tables.
const BATCH: usize = 24 << 20;

/// Compressed bytes that are searched as they are: thousands of keys, and no more than the spellings of one pass.
const CODES: usize = BATCH;

/// Runs that a window remembers at least.
const KNOWN: usize = 1 << 14;

/// All spellings of one pass, ready to be searched.
#[derive(Debug)]
pub struct Propagation {
    spellings: Vec<Spelling>,
    grams: Grams,
    /// Spellings shorter than a gram, by their first bytes.
    short: HashMap<u32, Vec<u32>>,
    /// For each value of the two first bytes of a short spelling, whether there is one.
    short_heads: Vec<bool>,
    /// Finds the heads of streams of gzip.
    gzip: memchr::memmem::Finder<'static>,
    /// Bytes of a constant page that must be looked at before what follows it: a spelling may begin with such bytes.
    lead: usize,
}

/// A place where a secret stands.
#[derive(Debug)]
pub struct Sighted {
    /// Index of the finding.
    pub finding: usize,
    /// The place.
    pub site: Site,
    /// The bytes at the place, where they are compressed.
    pub code: Option<SecretBytes>,
}

/// Compressed bytes that hold a secret, with the number that the secret came with.
pub type Codes = Vec<(usize, SecretBytes)>;

/// Tells every place where a form of one of the secrets stands, or enough of it, with the number that the secret came with, and
/// gives back the compressed bytes that hold one, which it has searched too.
///
/// # Errors
/// What `tell` returns.
pub fn everywhere<'s>(
    walk: &mut Walk<'_>,
    unusual: Unusual,
    secrets: impl IntoIterator<Item = (usize, &'s Secret)>,
    mut tell: impl FnMut(usize, Site) -> Result<()>,
) -> Result<Codes> {
    let mut secrets = secrets.into_iter();
    let mut seen = Seen::new();
    let spell = |(finding, secret), tell: &mut dyn FnMut(Spelling)| {
        forms::spellings(finding, secret, unusual, &mut |spelling| tell(spelling));
    };
    while let Some(propagation) = Propagation::next(&mut secrets, spell) {
        propagation.over(walk, &mut seen, &mut tell)?;
    }
    let codes = seen.codes(walk);
    let mut searched = codes.iter();
    let spell = |(finding, code): &(usize, SecretBytes), tell: &mut dyn FnMut(Spelling)| {
        forms::compressed(*finding, code, &mut |spelling| tell(spelling));
    };
    while let Some(propagation) = Propagation::next(&mut searched, spell) {
        propagation.over(walk, &mut Seen::new(), &mut tell)?;
    }
    Ok(codes)
}

/// The compressed bytes that were seen to hold a secret, each once.
struct Seen {
    codes: BTreeMap<(usize, Identity), SecretBytes>,
    budget: Budget,
    left_out: usize,
}

impl Seen {
    fn new() -> Self {
        Self { codes: BTreeMap::new(), budget: Budget::new(CODES), left_out: 0 }
    }

    fn add(&mut self, finding: usize, code: SecretBytes) {
        let key = (finding, Identity::of_bytes(code.expose()));
        if self.codes.contains_key(&key) {
            return;
        }
        match self.budget.spend(code.len()) {
            true => drop(self.codes.insert(key, code)),
            false => self.left_out += 1,
        }
    }

    /// All of them; where there are more than the budget allows, that is a gap.
    fn codes(self, walk: &mut Walk<'_>) -> Codes {
        if self.left_out > 0 {
            let reason = format!(
                "there are more compressed copies of secrets than the budget of {CODES} bytes holds; copies without their heads \
                 of {} were not looked for",
                self.left_out
            );
            walk.gaps.insert(Gap { span: Span::new(0, walk.image.len()), reason });
        }
        self.codes.into_iter().map(|((finding, _), code)| (finding, code)).collect()
    }
}

impl Propagation {
    /// As many of the secrets as one pass can search; `None` when there are no more.
    fn next<S>(secrets: &mut impl Iterator<Item = S>, spell: impl Fn(S, &mut dyn FnMut(Spelling))) -> Option<Self> {
        let (mut spellings, mut bytes) = (Vec::new(), 0);
        for secret in secrets {
            spell(secret, &mut |spelling| {
                bytes += spelling.bytes.len();
                spellings.push(spelling);
            });
            if bytes >= BATCH {
                break;
            }
        }
        (!spellings.is_empty()).then(|| Self::new(spellings))
    }

    /// Tells every place in the image.
    fn over(
        &self,
        walk: &mut Walk<'_>,
        seen: &mut Seen,
        tell: &mut impl FnMut(usize, Site) -> Result<()>,
    ) -> Result<()> {
        let look = |window: &Window<'_>| self.search(window);
        walk.windows("propagate", look, |_, found| {
            found.into_iter().try_for_each(|Sighted { finding, site, code }| {
                code.into_iter().for_each(|code| seen.add(finding, code));
                tell(finding, site)
            })
        })
    }

    /// Works `spellings` into tables.
    #[must_use]
    pub fn new(spellings: Vec<Spelling>) -> Self {
        let mut short: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut short_heads = vec![false; 1 << 16];
        for (i, spelling) in (0_u32..).zip(&spellings).filter(|(_, s)| s.bytes.len() < GRAM) {
            let Some(head) = spelling.bytes.first_chunk().map(|head| u32::from_le_bytes(*head)) else { continue };
            short.entry(head).or_default().push(i);
            short_heads.get_mut(head as usize & 0xffff).into_iter().for_each(|known| *known = true);
        }
        let lead = spellings.iter().map(|s| leading(&s.bytes)).max().unwrap_or(0) + GRAM;
        let gzip = memchr::memmem::Finder::new(&MAGIC);
        Self { grams: Grams::new(&spellings), spellings, short, short_heads, gzip, lead }
    }

    /// Every place in the window where a spelling stands, or enough of it, whose gram the window owns. A place in another
    /// one of the same finding is left out.
    #[must_use]
    pub fn search(&self, window: &Window<'_>) -> Vec<Sighted> {
        let mut all: Vec<Sighted> =
            self.places(window).into_iter().filter_map(|found| sighted(found, window)).collect();
        let mut budget = Budget::new(window.bytes().len().saturating_mul(DECODED));
        let heads = window.slice(window.owned().start..window.owned().end + MAGIC.len() - 1);
        // Where there is more than the budget allows, the local pass has told of it.
        for at in self.gzip.find_iter(heads) {
            let Some(text) = gzip_streams::inflate(window, window.owned().start + at, &mut budget) else { continue };
            let inside = self.places(&Window::new(&text.bytes, 0..text.bytes.len(), &[], &[]));
            all.extend(inside.into_iter().filter_map(|(finding, range, form)| {
                let range = text.range(range);
                let code = SecretBytes::new(window.follow(range.start, range.len()));
                let found = sighted((finding, range, Form { encoding: Encoding::Gzip, ..form }), window)?;
                Some(Sighted { code: Some(code), ..found })
            }));
        }
        all
    }

    fn places(&self, window: &Window<'_>) -> Vec<Found> {
        let mut found =
            Search { propagation: self, window, known: HashMap::new(), most_known: KNOWN, ranges: Vec::new() };
        let mut constant = 0;
        for run in prefilter::busy_runs(window.bytes(), window.owned(), self.lead, &window.owned(), &mut constant) {
            if !self.grams.is_empty() {
                self.probe(run.clone(), window, &mut found);
            }
            if !self.short.is_empty() {
                self.probe_short(run, window, &mut found);
            }
        }
        found.outermost()
    }

    fn probe(&self, run: Range<usize>, window: &Window<'_>, found: &mut Search<'_>) {
        // The last probe reads past the run, into what the margin shows.
        let bytes = window.slice(run.start..run.end + GRAM - 1);
        for at in self.grams.probe(bytes) {
            let gram = grams::gram_at(bytes, at).unwrap_or(0);
            self.grams
                .anchors(gram)
                .for_each(|anchor| found.compare(anchor.spelling, run.start + at, anchor.at as usize));
        }
    }

    fn probe_short(&self, run: Range<usize>, window: &Window<'_>, found: &mut Search<'_>) {
        let bytes = window.slice(run.start..run.end + SHORT - 1);
        for (at, head) in bytes.windows(SHORT).enumerate() {
            let head = head.first_chunk().map_or(0, |head| u32::from_le_bytes(*head));
            if self.short_heads.get(head as usize & 0xffff) == Some(&true) {
                let these = self.short.get(&head).into_iter().flatten();
                these.for_each(|&spelling| found.compare(spelling, run.start + at, 0));
            }
        }
    }
}

/// A finding, and where and how a secret of it stands.
type Found = (usize, Range<usize>, Form);

/// What was found in a window so far.
struct Search<'a> {
    propagation: &'a Propagation,
    window: &'a Window<'a>,
    /// For a spelling and the place where its first byte would stand, where the run ends that was found there: its other
    /// anchors need not be compared again.
    known: HashMap<(u32, i64), usize>,
    /// How many of those there may be before the ones are dropped that lie behind.
    most_known: usize,
    ranges: Vec<Found>,
}

impl Search<'_> {
    fn compare(&mut self, index: u32, at: usize, into: usize) {
        let Some(spelling) = self.propagation.spellings.get(index as usize) else { return };
        let begins = |place: usize, of: usize| (index, place as i64 - of as i64);
        if self.known.get(&begins(at, into)).is_some_and(|&end| at < end) {
            return;
        }
        if self.known.len() >= self.most_known {
            self.known.retain(|_, end| *end > at);
            self.most_known = KNOWN.max(2 * self.known.len());
        }
        let run = run::run(spelling, self.window, at, into);
        // Short ones are sooner compared again than looked up.
        if run.of.len() > 4 * GRAM {
            self.known.insert(begins(run.here.start, run.of.start), run.here.end);
            self.known.insert(begins(at, into), run.here.end);
            self.known.extend(run.lines.iter().map(|&(place, of)| (begins(place, of), run.here.end)));
        }
        let Some(range) = run.site(spelling, self.window) else { return };
        let piece = if run.is_whole(spelling) { spelling.form.piece } else { Piece::Fragment };
        self.ranges.push((spelling.finding, range, Form { piece, ..spelling.form }));
    }

    /// The places, without those that lie in others of the same finding.
    fn outermost(mut self) -> Vec<Found> {
        self.ranges.sort_by(|a, b| {
            let order = |(finding, range, form): &Found| {
                (*finding, range.start, std::cmp::Reverse(range.end), form.piece == Piece::Fragment, *form)
            };
            order(a).cmp(&order(b))
        });
        let mut last: Option<(usize, usize)> = None;
        self.ranges.retain(|(finding, range, _)| {
            let inside = last.is_some_and(|(of, end)| of == *finding && range.end <= end);
            if !inside {
                last = Some((*finding, range.end));
            }
            !inside
        });
        self.ranges
    }
}

/// The site at a place of the window; none where another window tells of it.
fn sighted((finding, range, form): Found, window: &Window<'_>) -> Option<Sighted> {
    let spans = window.spans(range);
    let told = !spans.is_empty() && (!window.is_stitched() || spans.len() > 1);
    told.then_some(Sighted { finding, site: Site { spans, form }, code: None })
}

/// How many bytes at the beginning are the same.
fn leading(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |first| bytes.iter().take_while(|b| *b == first).count())
}
