//! Which letters may stand behind a literal inside of a match. A literal of three letters is no gram: with one letter more it is
//! looked for as all others are, and needs no search of its own.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};

/// Repeats that have places of their own: one more than the literal has letters.
const ROW: u32 = 4;

/// Places of a pattern from which on repeats have no places of their own, because repeats of repeats multiply.
const MANY: usize = 2000;

/// The letters of which one stands behind `literal` in every match of `hir` that holds it, with at most `before` letters in front
/// of it. None where the match may end with it.
///
/// Repeats count as if they might go on without end, and what looks around is taken to hold: so there may be too many letters,
/// and never too few.
pub fn followers(hir: &Hir, literal: &[u8], before: usize) -> Option<Vec<u8>> {
    let mut positions = Positions::default();
    let whole = positions.gather(hir);
    let mut here = positions.reached(whole.first, before);
    let mut ends = BTreeSet::new();
    for &byte in literal {
        here.retain(|&position| positions.holds(position, byte));
        ends.clone_from(&here);
        here = here.into_iter().flat_map(|position| positions.behind(position)).collect();
    }
    if whole.last.iter().any(|last| ends.contains(last)) {
        return None;
    }
    let may = |byte: &u8| here.iter().any(|&position| positions.holds(position, *byte));
    Some((0..=u8::MAX).filter(may).collect())
}

/// For each byte, whether a match of `hir` may begin with it. A match of nothing begins with any.
pub fn first(hir: &Hir) -> [bool; 256] {
    let mut positions = Positions::default();
    let whole = positions.gather(hir);
    let mut letters = [whole.empty; 256];
    let ranges = whole.first.iter().filter_map(|at| positions.all.get(*at)).flat_map(|position| &position.bytes);
    for (from, to) in ranges {
        letters.iter_mut().take(usize::from(*to) + 1).skip(usize::from(*from)).for_each(|letter| *letter = true);
    }
    letters
}

/// The places of a pattern that match one byte each, and which may come behind which (Glushkov's construction).
#[derive(Default)]
struct Positions {
    all: Vec<Position>,
}

struct Position {
    /// Ranges of bytes that it matches, ends included.
    bytes: Vec<(u8, u8)>,
    behind: BTreeSet<usize>,
}

/// A part of a pattern: whether it matches nothing too, and where it may begin and end.
#[derive(Default)]
struct Part {
    empty: bool,
    first: Vec<usize>,
    last: Vec<usize>,
}

impl Positions {
    fn holds(&self, position: usize, byte: u8) -> bool {
        self.all.get(position).is_some_and(|p| p.bytes.iter().any(|&(from, to)| (from..=to).contains(&byte)))
    }

    fn behind(&self, position: usize) -> impl Iterator<Item = usize> {
        self.all.get(position).into_iter().flat_map(|position| position.behind.iter().copied())
    }

    /// Where a match may stand behind `before` letters at most.
    fn reached(&self, first: Vec<usize>, before: usize) -> BTreeSet<usize> {
        let (mut all, mut new) = (BTreeSet::new(), BTreeSet::from_iter(first));
        for _ in 0..=before {
            let more: BTreeSet<usize> = new.iter().flat_map(|&position| self.behind(position)).collect();
            all.append(&mut new);
            new = more.difference(&all).copied().collect();
            if new.is_empty() {
                break;
            }
        }
        all
    }

    /// Adds the places of `hir`, which the parser has bounded in depth.
    fn gather(&mut self, hir: &Hir) -> Part {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Part { empty: true, ..Part::default() },
            HirKind::Literal(literal) => {
                let parts: Vec<Part> = literal.0.iter().map(|&byte| self.place(vec![(byte, byte)])).collect();
                self.in_a_row(parts)
            }
            HirKind::Class(Class::Bytes(class)) => self.place(class.iter().map(|r| (r.start(), r.end())).collect()),
            HirKind::Class(Class::Unicode(class)) => {
                let one = |r: &ClassUnicodeRange| {
                    Some((u8::try_from(r.start()).ok()?, r.end()))
                        .filter(|(_, end)| end.is_ascii())
                        .and_then(|(start, end)| Some((start, u8::try_from(end).ok()?)))
                };
                // What is no ASCII takes several bytes, any of them.
                let ranges: Option<Vec<_>> = class.iter().map(one).collect();
                let part = self.place(ranges.clone().unwrap_or_else(|| vec![(0, u8::MAX)]));
                self.connect(if ranges.is_none() { &part.last } else { &[] }, &part.first);
                part
            }
            HirKind::Capture(group) => self.gather(&group.sub),
            HirKind::Repetition(repetition) => {
                // What is repeated so often stands there one after the other; only the last may go on.
                let most = if self.all.len() < MANY { ROW } else { 1 };
                let mut parts: Vec<Part> =
                    (0..repetition.min.clamp(1, most)).map(|_| self.gather(&repetition.sub)).collect();
                let goes_on = repetition.max.is_none_or(|max| max as usize > parts.len());
                if let Some(last) = parts.last_mut() {
                    self.connect(if goes_on { &last.last } else { &[] }, &last.first);
                    last.empty |= repetition.min == 0;
                }
                self.in_a_row(parts)
            }
            HirKind::Concat(parts) => {
                let parts: Vec<Part> = parts.iter().map(|part| self.gather(part)).collect();
                self.in_a_row(parts)
            }
            HirKind::Alternation(parts) => {
                parts.iter().map(|part| self.gather(part)).fold(Part::default(), |all, part| Part {
                    empty: all.empty || part.empty,
                    first: [all.first, part.first].concat(),
                    last: [all.last, part.last].concat(),
                })
            }
        }
    }

    fn place(&mut self, bytes: Vec<(u8, u8)>) -> Part {
        let at = vec![self.all.len()];
        self.all.push(Position { bytes, behind: BTreeSet::new() });
        Part { empty: false, first: at.clone(), last: at }
    }

    fn in_a_row(&mut self, parts: Vec<Part>) -> Part {
        let nothing = Part { empty: true, ..Part::default() };
        parts.into_iter().fold(nothing, |before, part| {
            self.connect(&before.last, &part.first);
            let first = if before.empty { [before.first, part.first].concat() } else { before.first };
            let last = if part.empty { [before.last, part.last].concat() } else { part.last };
            Part { empty: before.empty && part.empty, first, last }
        })
    }

    fn connect(&mut self, before: &[usize], behind: &[usize]) {
        for &position in before {
            if let Some(position) = self.all.get_mut(position) {
                position.behind.extend(behind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::pattern::parse;

    fn behind(pattern: &str, literal: &str) -> Option<String> {
        let letters = followers(&parse(pattern).unwrap(), literal.as_bytes(), 9)?;
        Some(letters.into_iter().map(char::from).collect())
    }

    #[test]
    fn letters_behind_a_literal_are_those_of_the_pattern() {
        assert_eq!(behind("SK[0-9a-f]{32}", "SK0").unwrap(), "0123456789abcdef");
        assert_eq!(behind("(?P<secret>sk-[A-C]{3}x?)", "sk-").unwrap(), "ABC");
        assert_eq!(behind("[a-z]{1,9}://(?:[u-w]{0,3}):(?:p)", "://").unwrap(), ":uvw");
        assert_eq!(behind("(?:[*]|[0-9]{2,5}):(?:[*]|[ab]{1,2}):[c-e]", ":*:").unwrap(), "cde");
        assert_eq!(behind("(?:abcx|zabcy|c(?:abc)?w)", "abc").unwrap(), "wxy");
        assert_eq!(behind("(?:a|b|c){3}d", "abc").unwrap(), "d");
        let near = followers(&parse("[0-9Q~]{3}[78]Q~[a-cQ7~]{31,34}").unwrap(), b"7Q~", 3);
        assert_eq!(near.unwrap(), b"78Qabc~");
        assert_eq!(behind("(?:[a-c][a-c]){4}", "abc"), None);
        let begun = |pattern| followers(&parse(pattern).unwrap(), b"hf_", 0);
        assert_eq!(begun("hf_[hf]{34}").unwrap(), b"fh");
        assert_eq!(behind("x(?:[a-c][a-c]){4}", "xab").unwrap(), "abc");
    }

    #[test]
    fn a_match_that_may_end_at_the_literal_tells_nothing() {
        assert_eq!(behind("abc", "abc"), None);
        assert_eq!(behind("abcd?", "abc"), None);
        assert_eq!(behind("x?[a-c]{2,9}", "abc"), None);
        assert_eq!(behind("zabc(?:d|$)", "abc"), None);
    }

    #[test]
    fn no_letter_of_a_match_is_missing() {
        let patterns = ["a{2,3}(?:b|ca)*d", "(?:ab?){1,3}c(?:a|b)", "(?i:ab)[a-d]{2,4}", r"(?:\A|d)abc?[ab]+?d"];
        for pattern in patterns {
            let regex = regex::bytes::Regex::new(&format!(r"(?-u)\A(?:{pattern})\z")).unwrap();
            for number in 0..4_usize.pow(6) {
                let text: Vec<u8> = (0..6).map(|i| b"abcd"[number >> (2 * i) & 3]).collect();
                for len in (4..=6).filter(|&len| regex.is_match(&text[..len])) {
                    for (literal, next) in (0..len - 3).map(|at| (&text[at..at + 3], text[at + 3])) {
                        let letters = |before| followers(&parse(pattern).unwrap(), literal, before);
                        let holds = |letters: Option<Vec<u8>>| letters.is_none_or(|l| l.contains(&next));
                        assert!(holds(letters(6)), "{pattern} {:?}", text.escape_ascii());
                        assert!(literal != &text[..3] || holds(letters(0)), "{pattern} {:?}", text.escape_ascii());
                    }
                }
            }
        }
    }
}
