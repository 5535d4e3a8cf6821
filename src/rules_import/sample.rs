//! Texts that a pattern matches, for rules that bring no examples: made up letter by letter, the same at each run.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::letters;

/// Letters that a secret has where its pattern leaves it open.
const USUAL: usize = 28;

/// Longest text.
const LONGEST: usize = 6000;

/// A text and where its secret stands.
#[derive(Debug)]
pub struct Sample {
    pub text: String,
    pub secret: Range<usize>,
}

/// A text that the pattern should match; whether it does must be tried. `None` where a part takes no letter that prints. `spaced`
/// says whether a gap that could be left out is made of a space: `vendor.{0,16}?\b([0-9a-f]{32})` asks for one.
pub fn text(hir: &Hir, seed: u64, spaced: bool) -> Option<Sample> {
    let mut maker = Maker { out: Vec::new(), state: seed | 1, secret: None, inside: false, spaced };
    maker.write(hir)?;
    let secret = maker.secret?;
    Some(Sample { text: String::from_utf8(maker.out).ok()?, secret })
}

struct Maker {
    out: Vec<u8>,
    state: u64,
    secret: Option<Range<usize>>,
    inside: bool,
    /// Whether a gap that could be left out is made of a space.
    spaced: bool,
}

impl Maker {
    fn write(&mut self, hir: &Hir) -> Option<()> {
        if self.out.len() > LONGEST {
            return None;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.out.extend_from_slice(&literal.0),
            HirKind::Class(class) => {
                let letter = self.letter(class)?;
                self.out.push(letter);
            }
            HirKind::Repetition(repetition) => {
                let most = repetition.max.map_or(usize::MAX, |most| most as usize);
                if self.spaced && !self.inside && repetition.min == 0 && most > 0 && takes_a_space(&repetition.sub) {
                    self.out.push(b' ');
                    return Some(());
                }
                let open = self.inside && is_letter(&repetition.sub) && !is_white(&repetition.sub);
                let usual = if open { USUAL } else { 0 };
                let times = usual.clamp(repetition.min as usize, most.max(repetition.min as usize));
                (0..times).try_for_each(|_| self.write(&repetition.sub))?;
            }
            HirKind::Capture(capture) => {
                let (from, was) = (self.out.len(), self.inside);
                let secret = capture.name.as_deref().is_some_and(|name| name.starts_with("secret"));
                self.inside |= secret;
                self.write(&capture.sub)?;
                self.inside = was;
                // Of groups in each other the outer one is the secret.
                if secret && !was && self.secret.is_none() {
                    self.secret = Some(from..self.out.len());
                }
            }
            HirKind::Concat(all) => all.iter().try_for_each(|hir| self.write(hir))?,
            HirKind::Alternation(all) => {
                let which = self.number(all.len());
                self.write(all.get(which)?)?;
            }
        }
        Some(())
    }

    /// A letter of the class: one of words, or else one that prints, or else white space. In texts with spaces some are signs.
    fn letter(&mut self, class: &Class) -> Option<u8> {
        let all: Vec<u8> = letters::ranges(class).flat_map(|(first, last)| first..=last.min(126)).collect();
        let word = |byte: &u8| byte.is_ascii_alphanumeric();
        let print = |byte: &u8| byte.is_ascii_graphic();
        let space = |byte: &u8| *byte == b' ';
        let white = |byte: &u8| matches!(byte, b'\t' | b'\n');
        let kinds: [&dyn Fn(&u8) -> bool; 4] = if self.spaced && self.number(8) == 0 {
            [&print, &word, &space, &white]
        } else {
            [&word, &print, &space, &white]
        };
        for kind in kinds {
            let some: Vec<u8> = all.iter().copied().filter(|byte| kind(byte)).collect();
            if !some.is_empty() {
                let which = self.number(some.len());
                return some.get(which).copied();
            }
        }
        None
    }

    /// A number below `below`, by Marsaglia's xorshift.
    fn number(&mut self, below: usize) -> usize {
        for (shift, left) in [(13, true), (7, false), (17, true)] {
            self.state ^= if left { self.state << shift } else { self.state >> shift };
        }
        (self.state >> 16) as usize % below.max(1)
    }
}

fn takes_a_space(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(class) => letters::ranges(class).any(|(first, last)| (first..=last).contains(&b' ')),
        HirKind::Repetition(repetition) => takes_a_space(&repetition.sub),
        HirKind::Capture(capture) => takes_a_space(&capture.sub),
        _ => false,
    }
}

/// Whether nothing but white space matches.
fn is_white(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Class(class) if letters::ranges(class).all(|(_, last)| last <= b' '))
}

fn is_letter(hir: &Hir) -> bool {
    hir.properties().maximum_len() == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::parse_pattern;

    #[test]
    fn what_is_made_up_matches() {
        for pattern in [
            "tok_(?P<secret>[a-z0-9]{8})",
            r#"(?i)key\s{0,3}[=:]\s{0,3}["'](?P<secret>[^"']{8,64})["']"#,
            r"(?:a|bc)[^a-z]{2}(?P<secret_1>x[0-9]{3,}|y{4})",
        ] {
            let regex = regex::bytes::RegexBuilder::new(pattern).unicode(false).build().unwrap();
            for seed in 1..40 {
                let sample = text(&parse_pattern(pattern).unwrap(), seed * 7919, seed % 2 == 0).unwrap();
                assert!(regex.is_match(sample.text.as_bytes()), "{pattern}: {}", sample.text);
                assert!(sample.secret.len() >= 4);
            }
        }
        assert!(text(&parse_pattern(r"(?P<secret>[\x80-\xff])").unwrap(), 3, false).is_none());
    }

    #[test]
    fn a_gap_may_hold_the_border_that_the_secret_asks_for() {
        let pattern = r"vendor(?:.|[\n\r]){0,16}?key(?:.|[\n\r]){0,32}?\b(?P<secret>[0-9a-f]{32})\b";
        let regex = regex::bytes::RegexBuilder::new(pattern).unicode(false).build().unwrap();
        let hir = parse_pattern(pattern).unwrap();
        let matches = (1..40)
            .filter(|seed| regex.is_match(text(&hir, seed * 7919, seed % 2 == 0).unwrap().text.as_bytes()))
            .count();
        assert!((10..30).contains(&matches), "{matches}");
    }

    #[test]
    fn of_groups_in_each_other_the_outer_one_is_the_secret() {
        let sample =
            text(&parse_pattern("lob=(?P<secret_1>(?P<secret_2>live|test)_[a-f]{9})").unwrap(), 7, false).unwrap();
        assert_eq!(sample.secret, 4..18);
    }
}
