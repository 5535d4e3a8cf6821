//! What asks for the end of a text, or for its beginning: memory has neither. A C string ends in NUL, and the next object
//! begins right behind it.
//!
//! Where such a thing stands right before or behind the secret it is taken out, and the rule asks instead that the letters
//! of its alphabet end there. Elsewhere `^` and `$` are taken out at the ends of the pattern and refused in its middle.

use std::collections::BTreeSet;
use std::ops::Range;

use regex_syntax::ast::{AssertionKind, Ast, GroupKind};
use regex_syntax::hir::{Hir, HirKind};

use super::letters;
use crate::detect::text::parse_pattern;

/// Letters of the longest thing that ends a text: `\\n` behind a quote.
const LONGEST: usize = 4;

/// What was taken out, and what it said of the secret.
#[derive(Debug, Default)]
pub struct Stripped {
    pub removed: Vec<Range<usize>>,
    pub starts: bool,
    pub ends: bool,
}

/// A walk over a pattern's tree.
pub struct Stripper<'a> {
    pattern: &'a str,
    /// Groups that are the secret; none where all of the match is.
    secrets: &'a BTreeSet<u32>,
    /// Flags that hold for all of the pattern and change what its parts mean.
    flags: &'a str,
    removed: Vec<Range<usize>>,
}

/// Whether letters were asked to begin, and to end, where the secret does.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    starts: bool,
    ends: bool,
}

/// Which end of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

impl<'a> Stripper<'a> {
    pub fn new(pattern: &'a str, secrets: &'a BTreeSet<u32>, flags: &'a str) -> Self {
        Self { pattern, secrets, flags, removed: Vec::new() }
    }

    /// Walks it.
    ///
    /// # Errors
    /// When it asks for the beginning or the end of a text in its middle.
    pub fn strip(mut self, ast: &Ast) -> Result<Stripped, String> {
        let bounds = self.visit(ast, true, true)?;
        Ok(Stripped { removed: self.removed, starts: bounds.starts, ends: bounds.ends })
    }

    fn visit(&mut self, ast: &Ast, first: bool, last: bool) -> Result<Bounds, String> {
        match ast {
            Ast::Concat(all) => self.visit_row(&all.asts, first, last),
            Ast::Group(group) => self.visit(&group.ast, first, last),
            Ast::Alternation(all) => {
                let mut both = Bounds { starts: true, ends: true };
                for ast in &all.asts {
                    let bounds = self.visit(ast, first, last)?;
                    if self.secrets.is_empty() || self.holds_secret(ast) {
                        both = Bounds { starts: both.starts && bounds.starts, ends: both.ends && bounds.ends };
                    }
                }
                Ok(both)
            }
            Ast::Repetition(repetition) => self.visit(&repetition.ast, false, false).map(|_| Bounds::default()),
            Ast::Assertion(_) => {
                let alone = std::slice::from_ref(ast);
                self.visit_row(alone, first, last)
            }
            _ => Ok(Bounds::default()),
        }
    }

    /// Parts one behind the other, of which the first may stand at the beginning of a match and the last at its end.
    fn visit_row(&mut self, all: &[Ast], first: bool, last: bool) -> Result<Bounds, String> {
        let parts: Vec<&Ast> = all.iter().filter(|ast| !matches!(ast, Ast::Flags(_) | Ast::Empty(_))).collect();
        let (mut from, mut to, mut bounds) = (0, parts.len(), Bounds::default());
        while let Some(part) = parts.get(..to).and_then(<[&Ast]>::last).filter(|_| last && to > from) {
            let secret = parts
                .get(..to - 1)
                .and_then(<[&Ast]>::last)
                .map_or(self.secrets.is_empty(), |before| self.meets(before, End::Last));
            let Some(edge) = self.is_end(part, End::Last).filter(|edge| *edge || secret) else { break };
            let _ = edge;
            self.remove(part);
            bounds.ends |= secret;
            to -= 1;
        }
        while let Some(part) = parts.get(from).filter(|_| first && from < to) {
            let secret = parts
                .get(from + 1)
                .filter(|_| from + 1 < to)
                .map_or(self.secrets.is_empty(), |next| self.meets(next, End::First));
            let Some(_) = self.is_end(part, End::First).filter(|edge| (*edge && !is_word_boundary(part)) || secret)
            else {
                break;
            };
            self.remove(part);
            bounds.starts |= secret;
            from += 1;
        }
        // Right before a secret in the middle.
        for pair in from..to.saturating_sub(1) {
            let (Some(part), Some(next)) = (parts.get(pair), parts.get(pair + 1)) else { continue };
            let explicit = !self.secrets.is_empty() && self.meets(next, End::First);
            if explicit && self.is_end(part, End::First) == Some(true) {
                self.remove(part);
                bounds.starts = true;
            }
        }
        for (at, part) in parts.iter().enumerate().take(to).skip(from) {
            if self.is_removed(part) {
                continue;
            }
            let inner = self.visit_part(part, first && at == from, last && at + 1 == to)?;
            bounds.starts |= inner.starts && (self.holds_secret(part) || (self.secrets.is_empty() && at == from));
            bounds.ends |= inner.ends && (self.holds_secret(part) || (self.secrets.is_empty() && at + 1 == to));
        }
        Ok(bounds)
    }

    fn visit_part(&mut self, part: &Ast, first: bool, last: bool) -> Result<Bounds, String> {
        let Ast::Assertion(assertion) = part else { return self.visit(part, first, last) };
        match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText | AssertionKind::EndLine | AssertionKind::EndText => {
                Err("its pattern asks for the beginning or the end of a text in its middle".to_owned())
            }
            _ => Ok(Bounds::default()),
        }
    }

    /// Whether the part says that a text ends (begins) here: `Some(true)` where it names the end itself or a word's,
    /// `Some(false)` where it names letters that come behind a text.
    fn is_end(&self, part: &Ast, end: End) -> Option<bool> {
        if self.holds_secret(part) {
            return None;
        }
        match part {
            Ast::Assertion(assertion) => asserts(&assertion.kind, end).then_some(true),
            Ast::Group(group) => self.is_end(&group.ast, end),
            Ast::Alternation(all) => {
                let each: Option<Vec<bool>> = all.asts.iter().map(|ast| self.is_end(ast, end)).collect();
                each.map(|each| each.contains(&true))
            }
            _ => self.ends_text(part).then_some(false),
        }
    }

    /// Whether the part is one letter or few of those that stand around texts: quotes, white space.
    fn ends_text(&self, part: &Ast) -> bool {
        let span = part.span();
        let text = self.pattern.get(span.start.offset..span.end.offset).unwrap_or_default();
        let Ok(hir) = parse_pattern(&format!("{}{text}", self.flags)) else { return false };
        let properties = hir.properties();
        let few = properties.minimum_len().is_some_and(|least| least > 0)
            && properties.maximum_len().is_some_and(|most| most <= LONGEST);
        let mut letters = [false; 256];
        first_letters(&hir, &mut letters);
        let any = |wanted: &[u8]| letters::members(&letters).any(|letter| wanted.contains(&letter));
        let words = letters::members(&letters).any(|letter| letter.is_ascii_alphanumeric());
        few && !words && any(b"\"' \n\\")
    }

    fn remove(&mut self, part: &Ast) {
        let span = part.span();
        self.removed.push(span.start.offset..span.end.offset);
    }

    fn is_removed(&self, part: &Ast) -> bool {
        let span = part.span();
        self.removed.contains(&(span.start.offset..span.end.offset))
    }

    fn is_secret(&self, kind: &GroupKind) -> bool {
        match kind {
            GroupKind::CaptureIndex(index) => self.secrets.contains(index),
            GroupKind::CaptureName { name, .. } => self.secrets.contains(&name.index),
            GroupKind::NonCapturing(_) => false,
        }
    }

    fn holds_secret(&self, ast: &Ast) -> bool {
        match ast {
            Ast::Group(group) => self.is_secret(&group.kind) || self.holds_secret(&group.ast),
            Ast::Repetition(repetition) => self.holds_secret(&repetition.ast),
            Ast::Alternation(all) => all.asts.iter().any(|ast| self.holds_secret(ast)),
            Ast::Concat(all) => all.asts.iter().any(|ast| self.holds_secret(ast)),
            _ => false,
        }
    }

    /// Whether the secret stands at this end of the part. Where all of the match is the secret, it does.
    fn meets(&self, ast: &Ast, end: End) -> bool {
        if self.secrets.is_empty() {
            return true;
        }
        let of_row = |all: &[Ast]| {
            let mut parts = all.iter().filter(|ast| !matches!(ast, Ast::Flags(_) | Ast::Empty(_)));
            let part = if end == End::First { parts.next() } else { parts.next_back() };
            part.is_some_and(|part| self.meets(part, end))
        };
        match ast {
            Ast::Group(group) => self.is_secret(&group.kind) || self.meets(&group.ast, end),
            Ast::Alternation(all) => all.asts.iter().all(|ast| self.meets(ast, end)),
            Ast::Concat(all) => of_row(&all.asts),
            _ => false,
        }
    }
}

fn is_word_boundary(part: &Ast) -> bool {
    matches!(part, Ast::Assertion(assertion) if matches!(assertion.kind, AssertionKind::WordBoundary))
}

fn asserts(kind: &AssertionKind, end: End) -> bool {
    use AssertionKind as Kind;
    match kind {
        Kind::WordBoundary => true,
        Kind::StartLine
        | Kind::StartText
        | Kind::WordBoundaryStart
        | Kind::WordBoundaryStartAngle
        | Kind::WordBoundaryStartHalf => end == End::First,
        Kind::EndLine
        | Kind::EndText
        | Kind::WordBoundaryEnd
        | Kind::WordBoundaryEndAngle
        | Kind::WordBoundaryEndHalf => end == End::Last,
        Kind::NotWordBoundary => false,
    }
}

/// The letters that a match may begin with.
fn first_letters(hir: &Hir, all: &mut letters::Letters) {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let first = literal.0.first().map(|byte| usize::from(*byte));
            first.and_then(|at| all.get_mut(at)).into_iter().for_each(|letter| *letter = true);
        }
        HirKind::Capture(capture) => first_letters(&capture.sub, all),
        HirKind::Repetition(repetition) => first_letters(&repetition.sub, all),
        HirKind::Alternation(each) => each.iter().for_each(|hir| first_letters(hir, all)),
        HirKind::Concat(each) => {
            for hir in each {
                first_letters(hir, all);
                if hir.properties().minimum_len() != Some(0) {
                    return;
                }
            }
        }
        _ => letters::gather(hir, all),
    }
}
