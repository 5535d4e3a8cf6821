//! The look at one window: candidates confirmed, what is encoded decoded and looked at in turn, to a depth of two.
//!
//! The window owns what is encoded by the same rule as everything else: the hit belongs to the window that owns the first
//! letter of its trigger, encoded or not. So decoded text is looked at as a whole, margins and all, and only the part that
//! comes from owned letters may trigger.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::detect::{Candidate, Detector, Hit, Hits, TextView};
use crate::finding::{Encoding, Evidence, Form};
use crate::limits::Budget;
use crate::parallel::Pool;
use crate::scan::decode::escapes::Escapes;
use crate::scan::decode::{OfEscapes, OfLetters, Source, whole_run};
use crate::scan::prefilter::{Code, EncodedText, Found, Layer, Narrow, Prefilter, Triggered};
use crate::window::Window;

/// How often text may be encoded: base64 in base64.
pub const DEPTH: usize = 2;

/// Decoded bytes that a window may come to, for each of its own. One run of letters can be read as base64 in four ways and
/// as digits in two, four times its length in all, and what comes out again; text that is not made to be costly is read in
/// one way.
pub const DECODED: usize = 8;

/// Letters before a literal of text and behind it in which an escape makes the text worth decoding.
const NEAR: (usize, usize) = (64, 256);

/// Letters to each side of an escaped text that are decoded together. Triggers further away than half of it are left to
/// another look.
const AROUND: usize = 16_000;

/// Looks at one window.
pub struct Look<'a> {
    /// Who confirms.
    pub detectors: &'a [Box<dyn Detector>],
    /// Who finds.
    pub prefilter: &'a Prefilter,
    /// What the prefilter needs.
    pub pool: &'a Pool<Found>,
    budget: Budget,
    /// The encodings that the bytes now looked at were decoded from.
    under: Vec<Encoding>,
    /// Whether more was encoded than the budget allows to decode.
    pub spent: bool,
    /// Bytes of the window in pages of one repeated byte.
    pub constant: u64,
}

impl<'a> Look<'a> {
    /// A look at `window` that has not begun.
    pub fn new(
        detectors: &'a [Box<dyn Detector>],
        prefilter: &'a Prefilter,
        pool: &'a Pool<Found>,
        window: &Window<'_>,
    ) -> Self {
        let budget = Budget::new(window.bytes().len().saturating_mul(DECODED));
        Self { detectors, prefilter, pool, budget, under: Vec::new(), spent: false, constant: 0 }
    }

    /// What the detectors see.
    pub fn hits(&mut self, window: &Window<'_>) -> Hits {
        self.at_depth(window, DEPTH)
    }

    fn at_depth(&mut self, window: &Window<'_>, depth: usize) -> Hits {
        let pool = self.pool;
        pool.with(|found| {
            let mut hits = Hits::default();
            self.prefilter.candidates(window.bytes(), window.owned(), depth > 0, found);
            if depth == DEPTH {
                self.constant = found.constant;
                let candidate = Candidate { at: window.owned().start, literal: 0, wide: false };
                let whole = self.prefilter.whole().iter().filter_map(|&index| self.detectors.get(index));
                whole.for_each(|detector| detector.confirm(candidate, window, &mut hits));
            }
            for Triggered { detector, candidate, .. } in &found.triggered {
                let detector = detector.and_then(|index| self.detectors.get(index));
                if let Some(detector) = detector.filter(|d| self.under.iter().all(|e| d.looks_under(*e))) {
                    detector.confirm(*candidate, window, &mut hits);
                    self.decoded(detector.as_ref(), *candidate, window, depth, &mut hits);
                }
            }
            if depth > 0 {
                self.coded(window, &found.plain_layer, None, depth, &mut hits);
                self.coded(window, &found.wide_layer, Some(&found.narrow), depth, &mut hits);
                self.escaped(window, &found.triggered, depth, &mut hits);
            }
            hits
        })
    }

    /// Base64 and hexadecimal digits.
    fn coded(&mut self, window: &Window<'_>, layer: &Layer, narrow: Option<&Narrow>, depth: usize, hits: &mut Hits) {
        let (mut whole, mut digits) = (BTreeSet::new(), 0..0);
        for coded in &layer.coded {
            let run = whole_run(&layer.letters, coded, &mut digits);
            if whole.insert((coded.code, run.start, run.end)) {
                self.letters(window, layer, coded.code, run, narrow, depth, hits);
            }
        }
        // Text is a part of a run, which may be decoded as a whole already.
        let is_done = |text: &EncodedText| {
            let EncodedText { code, letters } = text;
            let before = whole.range(..=(*code, letters.start, usize::MAX)).next_back();
            before.is_some_and(|(other, start, end)| {
                other == code && *end >= letters.end && (letters.start - start) % code.group().0 == 0
            })
        };
        for text in layer.texts.iter().filter(|text| !is_done(text)) {
            self.letters(window, layer, text.code, text.letters.clone(), narrow, depth, hits);
        }
    }

    /// Letters that begin with a group.
    #[expect(clippy::too_many_arguments, reason = "the state of one walk over the window, which nothing else shares")]
    fn letters(
        &mut self,
        window: &Window<'_>,
        layer: &Layer,
        code: Code,
        run: Range<usize>,
        narrow: Option<&Narrow>,
        depth: usize,
        hits: &mut Hits,
    ) {
        if !self.afford(run.len()) {
            return;
        }
        let source = OfLetters::new(code, run, &layer.letters, window, narrow);
        self.told(window, &source, depth, hits);
    }

    /// What the detector decodes itself: that is looked at once more, however deep it lies, because letters are what most often
    /// stands around compressed bytes; but not what comes out of itself.
    fn decoded(
        &mut self,
        detector: &dyn Detector,
        candidate: Candidate,
        window: &Window<'_>,
        depth: usize,
        hits: &mut Hits,
    ) {
        let again = self.under.iter().any(|encoding| [Encoding::Gzip, Encoding::Huffman].contains(encoding));
        let depth = if again { depth } else { depth.max(1) };
        if depth == 0 {
            return;
        }
        for source in detector.decoded(candidate, window, &mut self.budget) {
            self.told(window, &source, depth, hits);
        }
        self.spent |= self.budget.is_spent();
    }

    /// Looks at decoded bytes, and tells the hits where the encoded ones stand.
    fn told(&mut self, window: &Window<'_>, source: &dyn Source, depth: usize, hits: &mut Hits) {
        let inner = self.inside(window, source, window.owned(), depth);
        hits.hits.extend(inner.hits.into_iter().map(|hit| Hit {
            range: source.range(hit.range),
            form: Form { encoding: source.encoding(), ..hit.form },
            ..hit
        }));
        hits.clues.extend(inner.clues);
    }

    /// Text with escapes around literals of text.
    fn escaped(&mut self, window: &Window<'_>, triggered: &[Triggered], depth: usize, hits: &mut Hits) {
        let mut done = [0; 4];
        let mut better = Better::default();
        for one in triggered.iter().filter(|one| one.text) {
            let near = TextView::around(window, one.candidate, NEAR.0, NEAR.1);
            if memchr::memchr2(b'%', b'\\', near.letters()).is_none() {
                continue;
            }
            for kind in [Escapes::Percent, Escapes::Backslash] {
                let slot = usize::from(one.candidate.wide) + 2 * usize::from(kind == Escapes::Percent);
                let Some(done) = done.get_mut(slot).filter(|done| **done <= one.candidate.at) else { continue };
                if kind.any_in(near.letters()) {
                    let view = TextView::around(window, one.candidate, AROUND, AROUND);
                    *done = self.unescape(window, &view, one.candidate.at, kind, *done, depth, &mut better);
                }
            }
        }
        better.replace(hits);
    }

    /// Looks at the escaped text around `at`, as far as that was not done up to `from`, and tells how far it is done now.
    #[expect(clippy::too_many_arguments, reason = "the state of one walk over the window, which nothing else shares")]
    fn unescape(
        &mut self,
        window: &Window<'_>,
        view: &TextView<'_>,
        at: usize,
        kind: Escapes,
        from: usize,
        depth: usize,
        better: &mut Better,
    ) -> usize {
        let letter = view.letter_at(at);
        let run = kind.run(view.letters(), letter);
        let until = view.bytes_of(run.end.min(letter + AROUND / 2)..run.end).start.max(at + 1);
        if self.afford(run.len()) {
            let text = kind.decode(view.letters().get(run.clone()).unwrap_or_default());
            let source = OfEscapes { text, view, first: run.start, kind };
            let owned = window.owned();
            let inner = self.inside(window, &source, owned.start.max(from)..owned.end.min(until), depth);
            let wide = if view.encoding() == Encoding::Plain { 1 } else { 2 };
            for hit in inner.hits {
                let range = source.range(hit.range.clone());
                // Where no letter of the secret is escaped, it stands there as it is.
                let as_it_is = range.len() == hit.range.len() * wide;
                let encoding = match hit.form.encoding {
                    _ if !as_it_is => source.encoding(),
                    Encoding::Plain => view.encoding(),
                    inner => inner,
                };
                better.add(Hit { range, form: Form { encoding, ..hit.form }, ..hit }, as_it_is);
            }
            better.hits.clues.extend(inner.clues);
        }
        until
    }

    /// Looks at decoded bytes; what comes from `owned` may trigger.
    fn inside(&mut self, window: &Window<'_>, source: &dyn Source, owned: Range<usize>, depth: usize) -> Hits {
        let bytes = source.bytes();
        let first = source.first_from(owned.start);
        let owned = first..source.first_from(owned.end).max(first);
        if owned.is_empty() {
            return Hits::default();
        }
        let edges = window.edges_in(source.range(0..bytes.len()));
        let edges: Vec<usize> = edges.map(|edge| source.first_from(edge)).collect();
        self.under.push(source.encoding());
        let hits = self.at_depth(&Window::new(bytes, owned, &[], &edges), depth - 1);
        self.under.pop();
        hits
    }

    fn afford(&mut self, letters: usize) -> bool {
        let afforded = self.budget.spend(letters);
        self.spent |= !afforded;
        afforded
    }
}

/// What was found in text without its escapes, which replaces what was found in the same bytes with them: there the escapes
/// were taken for a part of the secret.
#[derive(Default)]
struct Better {
    hits: Hits,
    /// Rule and range of those hits that hold an escape.
    unescaped: BTreeSet<(String, usize, usize)>,
    /// Those that hold none: very likely they were found already.
    plain: BTreeSet<(String, usize, usize)>,
}

/// Hits before a place that may reach over it are looked for among so many.
const OVERLAPPING: usize = 8;

impl Better {
    fn add(&mut self, hit: Hit, as_it_is: bool) {
        let key = (hit.rule.clone(), hit.range.start, hit.range.end);
        let known = if as_it_is { &mut self.plain } else { &mut self.unescaped };
        known.insert(key);
        self.hits.hits.push(hit);
    }

    fn replace(self, hits: &mut Hits) {
        if self.hits.hits.is_empty() {
            return hits.clues.extend(self.hits.clues);
        }
        let covered = |hit: &Hit| {
            let (from, to) = ((hit.rule.clone(), 0, 0), (hit.rule.clone(), hit.range.start, usize::MAX));
            let before = self.unescaped.range(from..=to).rev().take(OVERLAPPING);
            hit.evidence == Evidence::Matched && before.into_iter().any(|(_, _, end)| *end >= hit.range.end)
        };
        let twice = |hit: &Hit| self.plain.contains(&(hit.rule.clone(), hit.range.start, hit.range.end));
        hits.hits.retain(|hit| !covered(hit) && !twice(hit));
        hits.hits.extend(self.hits.hits);
        hits.clues.extend(self.hits.clues);
    }
}
