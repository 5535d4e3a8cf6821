//! Local detection: what can be told from the bytes around one place.
//!
//! A [`Detector`] names a cheap [`Trigger`]; the scan engine looks for all triggers in one pass and hands each place that
//! fits to the detector as a [`Candidate`]. A candidate may be wrong but must never be missing: the trigger gives no false
//! negatives, the detector confirms. Adding a detector is one file and one line in `detectors`.

pub mod der;
pub mod text;

use std::ops::Range;

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
        let letter = |at: usize| bytes.get(at).copied().filter(|&b| b != 0);
        let joined = |gap: usize| bytes.get(gap) == Some(&0);
        let mut start = candidate.at;
        for _ in 0..before {
            match start.checked_sub(2) {
                Some(at) if letter(at).is_some() && joined(at + 1) => start = at,
                _ => break,
            }
        }
        let mut letters = Vec::new();
        let mut at = start;
        let end = candidate.at.saturating_add(after.saturating_mul(2));
        while at < end {
            let Some(byte) = letter(at) else { break };
            letters.push(byte);
            at += 2;
            if !joined(at - 1) {
                break;
            }
        }
        // Both orders look alike inside; the ends tell them apart: LE has its zero behind the last letter, BE before the first.
        let big = !joined(at - 1) && start.checked_sub(1).is_some_and(joined);
        let wide = Some(if big { Encoding::Utf16Be } else { Encoding::Utf16Le });
        Self { letters: letters.into(), start, wide }
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
