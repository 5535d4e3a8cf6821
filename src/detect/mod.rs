//! Local detection: what can be told from the bytes around one place.
//!
//! A [`Detector`] names a cheap [`Trigger`]; the scan engine looks for all triggers in one pass and hands each place that
//! fits to the detector as a [`Candidate`]. A candidate may be wrong but must never be missing: the trigger gives no false
//! negatives, the detector confirms. Adding a detector is one file and one line in `detectors`.

pub mod der;
pub mod text;

use std::ops::Range;

use crate::error::Result;
use crate::finding::{Encoding, Evidence, Form, PublicIdentity, Rule, Severity};
use crate::hunt::Clue;
use crate::vault::Secret;
use crate::window::Window;

/// Finds one family of secrets.
pub trait Detector: Sync + Send {
    /// The rules whose findings it can make.
    fn rules(&self) -> Vec<Rule>;
    /// What makes a place worth a look.
    fn trigger(&self) -> Trigger;
    /// How far before and behind the trigger it must see, in bytes of ASCII; UTF-16 is given twice that.
    fn reach(&self) -> Reach;
    /// Looks at one candidate and tells what it found.
    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits);
}

/// Every detector: those in code, and one for each text rule that is part of the program.
///
/// # Errors
/// [`crate::error::Error::Rules`] when a rule file is wrong, which the tests rule out for the built-in ones.
pub fn detectors() -> Result<Vec<Box<dyn Detector>>> {
    let mut all: Vec<Box<dyn Detector>> = vec![Box::new(der::Der), Box::new(der::EncryptedDer)];
    all.extend(text::built_in()?.into_iter().map(|rule| Box::new(rule) as Box<dyn Detector>));
    Ok(all)
}

/// What makes a place worth a look.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// Any of these literals, in ASCII and (where the flag says so) in UTF-16 at either parity. At least 3 bytes each.
    Literals(Vec<Literal>),
    /// A place that a DER key structure or one of its INTEGERs may start at: see `scan::prefilter`.
    DerInteger,
}

/// A literal that triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The bytes, compared exactly.
    pub bytes: Vec<u8>,
    /// Whether UTF-16 spellings trigger too.
    pub wide: bool,
}

impl Literal {
    /// A literal of text, in ASCII and UTF-16.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), wide: true }
    }

    /// A literal of binary bytes.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), wide: false }
    }
}

/// Bytes that a detector must be able to see around its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Before the trigger's first byte.
    pub before: usize,
    /// From the trigger's first byte on.
    pub after: usize,
}

/// A place worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Position in the window of the trigger's first byte (of its first letter, in UTF-16).
    pub at: usize,
    /// Which of the detector's literals it was; 0 for other triggers.
    pub literal: usize,
    /// Whether the letters stand two bytes apart.
    pub wide: bool,
}

/// A secret seen at one place.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The rule's id.
    pub rule: String,
    /// `Some(Info)` where this very secret is public knowledge.
    pub severity: Option<Severity>,
    /// How sure it is.
    pub evidence: Evidence,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// The secret itself.
    pub secret: Secret,
    /// Where it stands in the window: the bytes that redaction would replace.
    pub range: Range<usize>,
    /// How it is held there.
    pub form: Form,
}

/// Where detectors put what they find.
#[derive(Debug, Default)]
pub struct Hits {
    /// Secrets.
    pub hits: Vec<Hit>,
    /// What the next passes may use.
    pub clues: Vec<Clue>,
}

impl Hits {
    /// Whether a hit with a proof covers the position, so that looking again would tell the same.
    #[must_use]
    pub fn proven_at(&self, at: usize) -> bool {
        self.hits.iter().rev().take(8).any(|hit| hit.evidence == Evidence::Proven && hit.range.contains(&at))
    }
}

/// Text at either width, seen as ASCII: letter `i` stands at `start + i * stride` in the window.
///
/// UTF-16 text of ASCII letters is narrowed once, so that one pattern serves both; a position in the narrow text maps
/// back to the bytes of the file.
#[derive(Debug)]
pub struct TextView<'a> {
    letters: std::borrow::Cow<'a, [u8]>,
    start: usize,
    wide: Option<Encoding>,
}

impl<'a> TextView<'a> {
    /// The text around a candidate: up to `before` letters before it and `after` letters from it on. Wide text ends where a
    /// letter's other byte is not zero.
    #[must_use]
    pub fn around(window: &Window<'a>, candidate: Candidate, before: usize, after: usize) -> Self {
        let bytes = window.bytes();
        if !candidate.wide {
            let start = candidate.at.saturating_sub(before);
            let letters = window.slice(start..candidate.at.saturating_add(after));
            return Self { letters: letters.into(), start, wide: None };
        }
        let mut run = wide_run(bytes, candidate.at, before, after);
        let encoding = settle_order(bytes, &mut run);
        let letters: Vec<u8> = bytes.get(run.start..run.end).unwrap_or_default().iter().step_by(2).copied().collect();
        Self { letters: letters.into(), start: run.start, wide: Some(encoding) }
    }

    /// The letters, one byte each.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.letters
    }

    /// How the letters are written in the window.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.wide.unwrap_or(Encoding::Plain)
    }

    /// The bytes of the window that hold the letters `range`, the zero bytes of UTF-16 included.
    #[must_use]
    pub fn bytes_of(&self, range: Range<usize>) -> Range<usize> {
        match self.wide {
            None => self.start + range.start..self.start + range.end,
            Some(Encoding::Utf16Be) => {
                (self.start + 2 * range.start).saturating_sub(1)..(self.start + 2 * range.end).saturating_sub(1)
            }
            Some(_) => self.start + 2 * range.start..self.start + 2 * range.end,
        }
    }

    /// The letter that stands at a position of the window.
    #[must_use]
    pub fn letter_at(&self, at: usize) -> usize {
        at.saturating_sub(self.start) / if self.wide.is_some() { 2 } else { 1 }
    }
}

/// The longest run of letters two bytes apart, each joined to the next by a zero byte, around the letter at `at`: from the
/// first letter to one past the last.
fn wide_run(bytes: &[u8], at: usize, before: usize, after: usize) -> Range<usize> {
    let letter = |at: usize| bytes.get(at).is_some_and(|&b| b != 0);
    let joined = |gap: usize| bytes.get(gap) == Some(&0);
    let (mut start, mut last) = (at, at);
    for _ in 0..before {
        match start.checked_sub(2) {
            Some(previous) if letter(previous) && joined(previous + 1) => start = previous,
            _ => break,
        }
    }
    for _ in 1..after {
        if !(joined(last + 1) && letter(last + 2)) {
            break;
        }
        last += 2;
    }
    start..last + 1
}

/// Tells the byte order of a run of wide letters, and takes off the letter at an end that does not belong to it.
///
/// Inside a run both orders look alike; the ends tell them apart. Little-endian has its zero behind the last letter,
/// big-endian before the first. A byte of the neighbour can pass for a letter at one end: `ff` in `t 00 ff ff`.
fn settle_order(bytes: &[u8], run: &mut Range<usize>) -> Encoding {
    let zero = |at: Option<usize>| at.is_some_and(|at| bytes.get(at) == Some(&0));
    let odd = |at: usize| bytes.get(at).is_some_and(|b| !(b.is_ascii_graphic() || b.is_ascii_whitespace()));
    let (before, behind) = (zero(run.start.checked_sub(1)), zero(Some(run.end)));
    let (odd_first, odd_last) = (odd(run.start), odd(run.end.saturating_sub(1)));
    let single = run.len() < 3;
    let little = match (before, behind) {
        (true, true) => true,
        (true, false) => odd_last,
        (false, true) => !odd_first,
        (false, false) => odd_last || !odd_first,
    };
    // Where neither end tells, all letters are kept: one too many hides nothing.
    match (little, before, behind) {
        (true, _, false) if odd_last && !single => run.end -= 2,
        (false, false, _) if !single => run.start += 2,
        _ => {}
    }
    if little { Encoding::Utf16Le } else { Encoding::Utf16Be }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn view(bytes: &[u8], at: usize) -> (Vec<u8>, Encoding, Range<usize>) {
        let pieces = [Span::new(0, bytes.len() as u64)];
        let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
        let view = TextView::around(&window, Candidate { at, literal: 0, wide: true }, 100, 100);
        (view.letters().to_vec(), view.encoding(), view.bytes_of(0..view.letters().len()))
    }

    #[test]
    fn both_orders_are_told_apart_by_their_ends() {
        use Encoding::{Utf16Be, Utf16Le};
        for (before, behind) in [(0xff, 0xff), (1, 1), (0, 0xff), (0xff, 0)] {
            for pad in [4, 5] {
                for (big, order) in [(false, Utf16Le), (true, Utf16Be)] {
                    let unit = |c: u16| if big { c.to_be_bytes() } else { c.to_le_bytes() };
                    let text: Vec<u8> = "secret".encode_utf16().flat_map(unit).collect();
                    let bytes = [vec![before; pad], text, vec![behind; 4]].concat();
                    let got = view(&bytes, pad + 4 + usize::from(big));
                    assert_eq!(
                        got,
                        (b"secret".to_vec(), order, pad..pad + 12),
                        "{before:#x} {behind:#x} {pad} {order:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn where_neither_end_tells_no_letter_is_lost() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes = [vec![b'x'; 4], "secret".encode_utf16().flat_map(order).collect(), vec![b'y'; 4]].concat();
            let letters = view(&bytes, 9 - usize::from(bytes[4] != 0)).0;
            assert!(letters.windows(6).any(|w| w == b"secret"), "{letters:?}");
        }
    }

    #[test]
    fn between_zeros_the_letters_are_the_same_in_either_order() {
        let bytes = [vec![0; 5], "secret".encode_utf16().flat_map(u16::to_be_bytes).collect(), vec![0; 5]].concat();
        assert_eq!(view(&bytes, 8).0, b"secret");
    }
}
