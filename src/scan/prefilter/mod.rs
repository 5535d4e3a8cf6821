//! One cheap look at every byte for all detectors together.
//!
//! The contract: a candidate may be wrong, the detector confirms; a candidate is never missing. What one pass costs does
//! not depend on the number of rules:
//!
//! - pages of one repeated byte are passed over, because no literal is made of one byte only (`pages`);
//! - parts that hold no text are told by a test that the compiler vectorises (`marks`), and no text is looked for there;
//! - literals are found by one gram of each, those of three bytes by the grams that they begin (`grams`); those that hold no text,
//!   and those of three bytes behind which anything may stand, by packed SIMD searchers (`literals`);
//! - runs of UTF-16 are narrowed into a side buffer, which the same search goes through (`wide`);
//! - long runs of base64 and hexadecimal digits are joined in another side buffer (`letters`), in which text is told by what
//!   the letters decode to (`encoded_text`), and literals that are no text by their encoded spellings (`encoded`);
//! - DER headers are found by a test that the compiler vectorises (`integers`), and so are AES round keys (`aes_words`);
//! - padding is found where a byte begins to repeat itself (`repeated`).

mod aes_words;
mod buckets;
mod encoded;
mod encoded_text;
mod escaped;
mod grams;
mod integers;
mod letters;
mod literals;
mod marks;
mod pages;
mod rarity;
mod repeated;
#[cfg(test)]
mod tests;
mod wide;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use crate::detect::{Candidate, Detector, Literal, TEXT, Trigger};
use crate::finding::Encoding;

use aes_words::aes_words;
use encoded::{DER_HEADS, Encoded};
use encoded_text::encoded_texts;
use grams::Grams;
use grams::Scratch;
use literals::{Literals, Wanted};
use marks::Marks;
use repeated::repeated;

pub use encoded::Code;
pub use encoded_text::{EncodedText, digits_around};
pub use integers::der_integers;
pub use letters::Letters;
pub use pages::{busy_runs, is_constant};
pub use wide::Narrow;

/// What triggers which detector.
pub struct Prefilter {
    literals: Literals,
    /// What each literal triggers, by its number.
    targets: Vec<Vec<Target>>,
    /// The UTF-16 of literals that are looked for by a part of theirs.
    parted: Vec<Vec<u8>>,
    /// The bytes that text is made of; none where there is no literal of text.
    alphabet: RangeInclusive<u8>,
    der: Vec<usize>,
    aes: Vec<usize>,
    /// The detectors that look where a byte begins to repeat itself, by the byte.
    repeated: BTreeMap<u8, Vec<usize>>,
    /// The detectors that look at every window.
    whole: Vec<usize>,
    /// The encoded spellings of the literals that are no text, which are looked for among letters only.
    encoded: Literals,
    codes: Vec<Vec<(Code, usize)>>,
}

#[derive(Clone, Copy)]
struct Target {
    detector: Option<usize>,
    literal: usize,
    spelling: Spelling,
}

/// In which spellings a literal triggers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// As it is.
    Plain,
    /// As it is, and in UTF-16.
    Both,
    /// In UTF-16 only, where this is the longest part of the literal that holds no zero: how many bytes of it stand before
    /// that, and the index of the whole literal's UTF-16.
    Part(usize, usize),
    /// The literal is the UTF-16 of another one whose parts between zeros are all too short to be narrowed.
    Wide,
}

/// The bytes that may stand behind a literal, of all who look for it.
#[derive(Default)]
struct Next {
    bytes: BTreeSet<u8>,
    /// Whether somebody does not know.
    any: bool,
}

impl Next {
    /// What an escape begins with: behind a literal there may be an escaped letter.
    const ESCAPES: [u8; 2] = *b"%\\";

    fn add(&mut self, next: Option<&[u8]>) {
        self.any |= next.is_none();
        self.bytes.extend(next.into_iter().flatten().copied().chain(Self::ESCAPES));
    }

    fn known(self) -> Option<Vec<u8>> {
        (!self.any).then(|| self.bytes.into_iter().collect())
    }
}

/// A candidate, and the index of the detector that is to look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// Index of the detector. None where the literal is escaped: it stands in nobody's way until it is decoded.
    pub detector: Option<usize>,
    /// The place.
    pub candidate: Candidate,
    /// Whether it is a literal of text, around which there may be escapes.
    pub text: bool,
}

/// A place where letters stand that may be an encoded literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coded {
    /// Where the group of letters begins that the first one belongs to, by its index among the letters. Below zero where
    /// the letters begin inside of a group.
    pub group: isize,
    /// Index of the first letter.
    pub letter: usize,
    /// How they are encoded.
    pub code: Code,
}

/// Letters of the window, and the places among them that are worth a look.
#[derive(Default)]
pub struct Layer {
    /// The letters.
    pub letters: Letters,
    /// The places, in order.
    pub coded: Vec<Coded>,
    /// What decodes to text.
    pub texts: Vec<EncodedText>,
}

/// What a pass of the prefilter over one window came to; to be used again for the next one.
#[derive(Default)]
pub struct Found {
    /// The candidates, sorted by place and detector.
    pub triggered: Vec<Triggered>,
    /// Bytes in pages of one repeated byte.
    pub constant: u64,
    marks: Marks,
    scratch: Scratch,
    /// The letters of text in UTF-16.
    pub narrow: Narrow,
    /// Letters of base64 and of hexadecimal digits in the window itself.
    pub plain_layer: Layer,
    /// The same in the narrow letters.
    pub wide_layer: Layer,
}

impl Prefilter {
    /// The prefilter of `detectors`. Literals shorter than three bytes are refused by name.
    ///
    /// # Errors
    /// The id of the first rule of a detector whose literal is too short or made of one repeated byte.
    pub fn new(detectors: &[Box<dyn Detector>]) -> Result<Self, String> {
        let mut by_bytes: BTreeMap<Vec<u8>, (Vec<Target>, Next)> = BTreeMap::new();
        let (mut der, mut aes, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        let mut repeated: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        let (mut alphabet, mut parted) = (NONE, Vec::new());
        let mut spelled = BTreeSet::new();
        for (index, detector) in detectors.iter().enumerate() {
            match detector.trigger() {
                Trigger::DerInteger => {
                    der.push(index);
                    spelled.extend(DER_HEADS.iter().flat_map(|head| encoded::spellings(&Literal::binary(head))));
                }
                Trigger::AesWords => aes.push(index),
                Trigger::Repeated(byte) => repeated.entry(byte).or_default().push(index),
                Trigger::Window => whole.push(index),
                Trigger::Literals(literals) => {
                    for (i, literal) in literals.iter().enumerate() {
                        check(&literal.bytes).map_err(|why| refusal(detector.as_ref(), why))?;
                        alphabet = widened(alphabet, literal);
                        let under_letters =
                            || [Encoding::Base64, Encoding::Hex].iter().any(|e| detector.looks_under(*e));
                        if !is_text(literal) && under_letters() {
                            spelled.extend(encoded::spellings(literal));
                        }
                        for (bytes, spelling) in spellings(literal, &mut parted) {
                            let (targets, next) = by_bytes.entry(bytes).or_default();
                            next.add(literal.next.as_deref().filter(|_| spelling == Spelling::Both));
                            targets.push(Target { detector: Some(index), literal: i, spelling });
                        }
                        let escaped = if literal.wide { escaped::spellings(&literal.bytes) } else { BTreeSet::new() };
                        for bytes in escaped {
                            let (targets, next) = by_bytes.entry(bytes).or_default();
                            next.add(None);
                            targets.push(Target { detector: None, literal: 0, spelling: Spelling::Both });
                        }
                    }
                }
            }
        }
        let (bytes, wanted): (Vec<_>, Vec<_>) = by_bytes.into_iter().unzip();
        let (targets, next): (Vec<Vec<Target>>, Vec<_>) = wanted.into_iter().unzip();
        let wanted = bytes.into_iter().zip(next).zip(0..);
        let wanted = wanted.map(|((bytes, next), number)| Wanted { bytes, number, next: next.known() });
        let literals = Literals::new(wanted.collect(), rarity::of_text);
        let (encoded, codes) = search_of(spelled);
        Ok(Self { literals, targets, parted, alphabet, der, aes, repeated, whole, encoded, codes })
    }

    /// The detectors that look at every window.
    #[must_use]
    pub fn whole(&self) -> &[usize] {
        &self.whole
    }

    /// Finds every candidate whose first byte lies in `owned`; and with `deeper`, what may be encoded anywhere in `bytes`.
    pub fn candidates(&self, bytes: &[u8], owned: Range<usize>, deeper: bool, found: &mut Found) {
        found.clear();
        found.marks.clear(bytes);
        let deeper = deeper && !(self.codes.is_empty() && self.alphabet.is_empty());
        let texts = deeper || !self.targets.is_empty();
        // What is encoded is decoded as a whole, so the margins count too, as far as it may go on in them.
        let longest = owned.end.saturating_add(2 * self.literals.longest()).min(bytes.len());
        let seen = match (texts, deeper) {
            (true, true) => letters::around(bytes, owned.start..longest),
            (true, false) => owned.start..longest,
            (false, _) => owned.clone(),
        };
        let runs = busy_runs(bytes, seen, self.literals.longest().max(2), &owned, &mut found.constant);
        for tile in runs.into_iter().flat_map(tiles) {
            if texts {
                self.texts(bytes, tile.clone(), deeper, found);
            }
            let own = tile.start.max(owned.start)..tile.end.min(owned.end);
            if own.is_empty() {
                continue;
            }
            self.plain(bytes, own.clone(), found);
            if !self.der.is_empty() {
                der_integers(bytes, own.clone(), |at| tell(&self.der, at, found));
            }
            if !self.aes.is_empty() {
                aes_words(bytes, own.clone(), |at| tell(&self.aes, at, found));
            }
            for (&byte, detectors) in &self.repeated {
                repeated(bytes, own.clone(), byte, |at| tell(detectors, at, found));
            }
        }
        self.wide(bytes, &owned, found);
        if deeper {
            found.wide_layer.letters.add(found.narrow.letters(), 0..found.narrow.letters().len(), None);
            self.coded(&mut found.plain_layer, &mut found.scratch);
            self.coded(&mut found.wide_layer, &mut found.scratch);
        }
        found.triggered.sort_by_key(|t| (t.candidate.at, t.detector, t.candidate.literal, t.candidate.wide));
        found.triggered.dedup();
    }

    /// Marks the text of `run`, narrows what is UTF-16, and with `deeper` gathers what may be encoded.
    fn texts(&self, bytes: &[u8], run: Range<usize>, deeper: bool, found: &mut Found) {
        // A literal that begins in the run may be looked for by letters behind it.
        let reached = run.end.saturating_add(self.literals.deepest() + 1).min(bytes.len());
        found.marks.look(bytes, run.start..reached);
        if !self.alphabet.is_empty() {
            found.narrow.add(bytes, run.clone(), &self.alphabet);
        }
        if deeper {
            found.plain_layer.letters.add(bytes, run, Some(&found.marks));
        }
    }

    fn coded(&self, layer: &mut Layer, scratch: &mut Scratch) {
        let (letters, coded) = (layer.letters.letters(), &mut layer.coded);
        self.encoded.find(letters, 0..letters.len(), None, scratch, |number, letter| {
            let codes = self.codes.get(number as usize).into_iter().flatten();
            let group = |into: usize| letter.cast_signed() - into.cast_signed();
            coded.extend(codes.map(|&(code, into)| Coded { group: group(into), letter, code }));
        });
        coded.sort_unstable();
        if !self.alphabet.is_empty() {
            encoded_texts(&layer.letters, &mut layer.texts);
        }
    }

    fn plain(&self, bytes: &[u8], run: Range<usize>, found: &mut Found) {
        let Found { triggered, marks, scratch, .. } = found;
        self.literals.find(bytes, run, Some(marks), scratch, |number, at| {
            let targets = self.targets.get(number as usize).into_iter().flatten();
            let targets = targets.filter(|t| !matches!(t.spelling, Spelling::Part(..)));
            triggered.extend(targets.map(|t| t.at(at, t.spelling == Spelling::Wide)));
        });
    }

    /// The literals in the narrow letters. A run that begins in `owned` may go on behind it.
    fn wide(&self, bytes: &[u8], owned: &Range<usize>, found: &mut Found) {
        let Found { triggered, narrow, scratch, .. } = found;
        let letters = narrow.letters();
        self.literals.find(letters, 0..letters.len(), None, scratch, |number, index| {
            let at = narrow.at(index);
            let targets = self.targets.get(number as usize).into_iter().flatten();
            triggered.extend(targets.filter_map(|t| {
                let start = match t.spelling {
                    Spelling::Both => at,
                    Spelling::Part(before, whole) => {
                        let start = at.checked_sub(2 * before)?;
                        let whole = self.parted.get(whole)?;
                        bytes.get(start..).filter(|here| here.starts_with(whole)).map(|_| start)?
                    }
                    Spelling::Plain | Spelling::Wide => return None,
                };
                owned.contains(&start).then(|| t.at(start, true))
            }));
        });
    }
}

fn tell(detectors: &[usize], at: usize, found: &mut Found) {
    let candidate = Candidate { at, literal: 0, wide: false };
    let told = |&detector| Triggered { detector: Some(detector), candidate, text: false };
    found.triggered.extend(detectors.iter().map(told));
}

impl Target {
    fn at(&self, at: usize, wide: bool) -> Triggered {
        let candidate = Candidate { at, literal: self.literal, wide };
        Triggered { detector: self.detector, candidate, text: self.spelling != Spelling::Plain }
    }
}

impl Found {
    fn clear(&mut self) {
        self.triggered.clear();
        self.narrow.clear();
        self.constant = 0;
        for layer in [&mut self.plain_layer, &mut self.wide_layer] {
            layer.letters.clear();
            layer.coded.clear();
            layer.texts.clear();
        }
    }
}

/// The search for encoded spellings, and what each of them is.
fn search_of(spelled: BTreeSet<Encoded>) -> (Literals, Vec<Vec<(Code, usize)>>) {
    let mut by_letters: BTreeMap<Vec<u8>, Vec<(Code, usize)>> = BTreeMap::new();
    for Encoded { letters, code, into } in spelled {
        by_letters.entry(letters).or_default().push((code, into));
    }
    let (letters, codes): (Vec<_>, Vec<_>) = by_letters.into_iter().unzip();
    let wanted = letters.into_iter().zip(0..).map(|(bytes, number)| Wanted { bytes, number, next: None });
    (Literals::new(wanted.collect(), rarity::of_letters), codes)
}

/// Bytes that all tests look at before the next ones: as many as stay in the first cache.
const TILE: usize = 32 << 10;

fn tiles(run: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    run.clone().step_by(TILE).map(move |start| start..(start + TILE).min(run.end))
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

/// Whether a literal is looked for in a search of its own, which each scan pays for: no four letters of text stand in it in a row,
/// and not three with a fourth behind them in every match.
#[must_use]
pub fn is_searched_apart(literal: &Literal) -> bool {
    spellings(literal, &mut Vec::new()).into_iter().any(|(bytes, spelling)| {
        let next = literal.next.clone().filter(|_| spelling == Spelling::Both);
        !Grams::takes(&Wanted { bytes, number: 0, next })
    })
}

/// Whether a literal is found by decoding what is text.
fn is_text(literal: &Literal) -> bool {
    literal.wide && literal.bytes.iter().all(|&b| marks::is_text(b))
}

/// The byte strings to look for. Narrow letters hold no zero, so what holds one is looked for in its wide form.
fn spellings(literal: &Literal, parted: &mut Vec<Vec<u8>>) -> Vec<(Vec<u8>, Spelling)> {
    let plain = literal.bytes.clone();
    match (literal.wide, plain.contains(&0)) {
        (false, _) => vec![(plain, Spelling::Plain)],
        (true, false) => vec![(plain, Spelling::Both)],
        (true, true) => {
            let wide = widen(&plain);
            let wide = match longest_part(&plain) {
                Some((before, part)) => {
                    parted.push(wide);
                    (part, Spelling::Part(before, parted.len() - 1))
                }
                None => (wide, Spelling::Wide),
            };
            vec![(plain, Spelling::Plain), wide]
        }
    }
}

/// The longest part of a literal that holds no zero, where it has letters enough to be narrowed, and what stands before it.
fn longest_part(literal: &[u8]) -> Option<(usize, Vec<u8>)> {
    let parts = literal.split(|&b| b == 0).scan(0, |at, part| {
        let before = *at;
        *at += part.len() + 1;
        Some((before, part))
    });
    let (before, part) = parts.max_by_key(|(_, part)| part.len())?;
    check(part).ok().map(|()| (before, part.to_vec()))
}

/// No byte at all.
#[expect(clippy::reversed_empty_ranges, reason = "the empty range that any letter widens")]
const NONE: RangeInclusive<u8> = u8::MAX..=1;

/// `alphabet` and the letters of the literal, if it is one of text; and with them what text around it is made of, because
/// that may be encoded.
fn widened(alphabet: RangeInclusive<u8>, literal: &Literal) -> RangeInclusive<u8> {
    if !literal.wide {
        return alphabet;
    }
    let letters = literal.bytes.iter().copied().filter(|&b| b != 0).chain([*TEXT.start(), *TEXT.end()]);
    letters.fold(alphabet, |all, b| b.min(*all.start())..=b.max(*all.end()))
}

/// A literal in UTF-16 without its last (LE) or first (BE) zero: what both byte orders have in common.
fn widen(literal: &[u8]) -> Vec<u8> {
    let mut wide: Vec<u8> = literal.iter().flat_map(|&b| [b, 0]).collect();
    wide.pop();
    wide
}
