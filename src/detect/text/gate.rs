//! What a pattern needs, asked before the pattern itself: a hundred thousand places of a dump of text have a rule's literal, and
//! few of them more than that.
//!
//! A repeat of up to thousands of letters becomes thousands of states, which take milliseconds to compile and memory to walk. To see that
//! a pattern does not fit, it is enough to ask for a shorter one with repeats that have no end: what the pattern fits, this one fits too.
//! And it is asked for at the letters where a match may begin, instead of in all that stands behind them.

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};

use super::followers;

/// Repeats of so many are told apart from those of more.
const SHORT: u32 = 24;

/// What a pattern needs.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Fits where the pattern does, and elsewhere.
    looser: Regex,
    /// For each byte, whether a match may begin with it.
    first: Box<[bool; 256]>,
}

impl Gate {
    /// That of the pattern whose parsed form is `hir`; `None` where it cannot be compiled.
    pub fn of(hir: &Hir) -> Option<Self> {
        let bytes = Regex::config().utf8_empty(false);
        let looser = Regex::builder().configure(bytes).build_from_hir(&loosened(hir)).ok()?;
        Some(Self { looser, first: Box::new(followers::first(hir)) })
    }

    /// Whether a match may begin at `start`.
    pub fn may_begin(&self, letters: &[u8], start: usize) -> bool {
        let first = letters.get(start).and_then(|letter| self.first.get(usize::from(*letter)));
        let input = || Input::new(letters).span(start..letters.len()).anchored(Anchored::Yes).earliest(true);
        first == Some(&true) && self.looser.is_match(input())
    }
}

/// `hir` with repeats of many letters made repeats without an end, and without its groups; the parser has bounded its depth.
fn loosened(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Capture(Capture { sub, .. }) => loosened(sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(loosened).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(loosened).collect()),
        HirKind::Repetition(all) => {
            let max = all.max.filter(|max| *max <= SHORT);
            let sub = Box::new(loosened(&all.sub));
            Hir::repetition(Repetition { min: all.min.min(SHORT), max, greedy: all.greedy, sub })
        }
        _ => hir.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::pattern::parse;

    #[test]
    fn what_a_pattern_fits_its_gate_lets_through() {
        let patterns = [
            "ab{1,99}c",
            "(?:a|b){30,40}d?",
            "(?P<secret>[abc]{25,30})d",
            "(?:\\A|[^a])b(?:c|da){1,3}",
            "(?i:A)?[bc]+?d",
            "a*",
        ];
        let mut next = 1_u64;
        for pattern in patterns {
            let hir = parse(pattern).unwrap();
            let gate = Gate::of(&hir).unwrap();
            let regex = regex::bytes::Regex::new(&format!("(?-u){pattern}")).unwrap();
            for len in (0..400).map(|n| n % 60 + 1) {
                let letter = |_| {
                    next = next.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    b"abcd"[(next >> 61) as usize % if len % 3 == 0 { 2 } else { 4 }]
                };
                let text: Vec<u8> = (0..len).map(letter).collect();
                for start in 0..len {
                    let fits = regex.find_at(&text, start).is_some_and(|found| found.start() == start);
                    let may = gate.may_begin(&text, start);
                    assert!(may || !fits, "{pattern} at {start} of {}", text.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn it_turns_away_what_has_no_more_than_a_literal() {
        let gate = Gate::of(&parse("key=[a-z]{8,4000};").unwrap()).unwrap();
        assert!(gate.may_begin(b"key=abcdefghi;", 0));
        assert!(!gate.may_begin(b"key=abcdefghi ;", 0) && !gate.may_begin(b" key=abcdefghi;", 0));
    }
}
