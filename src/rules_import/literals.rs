//! The literals that a pattern is found by: of every match of it, one of them is a part.

use std::cmp::Reverse;

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};

use super::exact::{FEW, MANY, product, texts};

/// Most literals of one rule.
const MOST: usize = 256;

/// Letters of a literal; more would not make it rarer.
const ENOUGH: usize = 12;

/// Literals, and how far a match may begin before one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub literals: Vec<String>,
    pub before: usize,
}

/// Most letters of a class of which each begins a literal of its own, where there is nothing better: `SK[0-9a-f]`.
const WIDE: usize = 26;

/// The best literals of a pattern, if it has any of three letters and more: those of words, or else those with which it begins, or
/// else those of words with a digit: `[0-9]Q~`.
pub fn of(hir: &Hir) -> Option<Found> {
    of_words(hir, FEW).or_else(|| at_the_beginning(hir)).or_else(|| of_words(hir, MANY))
}

fn at_the_beginning(hir: &Hir) -> Option<Found> {
    let of_length = |letters: usize| {
        let mut extractor = Extractor::new();
        extractor.limit_class(WIDE).limit_total(MOST).limit_literal_len(letters);
        let mut all = extractor.extract(hir);
        all.minimize_by_preference();
        literals(all.literals()?.iter().map(|literal| literal.as_bytes().to_vec()))
    };
    // As few as there are, and of those the longest: more letters may make many more.
    let few = |found: &Found| (Reverse(found.literals.len()), found.literals.iter().map(String::len).min());
    (3..=ENOUGH).filter_map(of_length).max_by_key(few)
}

fn of_words(hir: &Hir, few: usize) -> Option<Found> {
    let mut best: Option<Found> = None;
    let mut offer = |found: Found| {
        if best.as_ref().is_none_or(|best| score(best) < score(&found)) {
            best = Some(found);
        }
    };
    match hir.kind() {
        HirKind::Capture(capture) => return of_words(&capture.sub, few),
        HirKind::Repetition(repetition) if repetition.min > 0 => return of_words(&repetition.sub, few),
        HirKind::Alternation(all) if texts(hir, few).is_none() => return of_each(all, few),
        HirKind::Concat(all) => in_row(all, few, &mut offer),
        _ => in_row(std::slice::from_ref(hir), few, &mut offer),
    }
    best
}

/// Each alternative must have some of its own.
fn of_each(all: &[Hir], few: usize) -> Option<Found> {
    let each: Vec<Found> = all.iter().map(|hir| of_words(hir, few)).collect::<Option<_>>()?;
    let before = each.iter().map(|found| found.before).max()?;
    literals(each.into_iter().flat_map(|found| found.literals.into_iter().map(String::into_bytes)))
        .map(|found| Found { before, ..found })
}

/// Parts that stand one behind the other: those in a row that are few texts each, and those that hold literals themselves.
fn in_row(all: &[Hir], few: usize, offer: &mut impl FnMut(Found)) {
    let mut before = Some(0_usize);
    for (at, hir) in all.iter().enumerate() {
        let Some(letters) = before else { return };
        let mut row = vec![Vec::new()];
        for hir in all.iter().skip(at) {
            let Some(more) = pieces(hir, few).and_then(|more| product(&row, &more)) else { break };
            row = more;
            literals(row.iter().cloned())
                .map(|found| Found { before: letters, ..found })
                .into_iter()
                .for_each(&mut *offer);
            if is_cut(hir) {
                break;
            }
        }
        // What stands in it: a word in any case is a row of classes, a group may hold anything.
        if texts(hir, few).is_none() {
            let inside = match hir.kind() {
                HirKind::Concat(_) | HirKind::Alternation(_) | HirKind::Capture(_) => of_words(hir, few),
                // What may be left out holds no literal of every match.
                HirKind::Repetition(repetition) if repetition.min > 0 => of_words(&repetition.sub, few),
                _ => None,
            };
            inside.map(|found| Found { before: letters + found.before, ..found }).into_iter().for_each(&mut *offer);
        }
        before = hir.properties().maximum_len().map(|most| letters.saturating_add(most));
    }
}

/// The texts of a part, or the beginning of one that is too long to be listed.
fn pieces(hir: &Hir, few: usize) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.iter().copied().take(ENOUGH).collect()]),
        _ => texts(hir, few),
    }
}

/// Whether only the beginning of a part is taken.
fn is_cut(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Literal(literal) if literal.0.len() > ENOUGH)
}

/// The texts as literals, where each can be one.
fn literals(all: impl Iterator<Item = Vec<u8>>) -> Option<Found> {
    let mut literals: Vec<String> = all.map(String::from_utf8).collect::<Result<_, _>>().ok()?;
    literals.sort();
    literals.dedup();
    let good = |text: &String| {
        let mut bytes = text.bytes();
        let first = bytes.next();
        text.len() >= 3
            && text.is_ascii()
            && bytes.any(|byte| Some(byte) != first)
            && text.bytes().all(|b| (32..127).contains(&b))
    };
    (!literals.is_empty() && literals.len() <= MOST && literals.iter().all(good))
        .then_some(Found { literals, before: 0 })
}

/// The longer and the fewer the better, and at the beginning better still: then a pattern is tried at one place only.
fn score(found: &Found) -> i64 {
    let shortest = found.literals.iter().map(String::len).min().unwrap_or(0).min(10) as i64;
    let many = i64::from(found.literals.len().ilog2());
    16 * shortest - 5 * many - if found.before > 0 { 8 } else { 0 } - if shortest < 4 { 24 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::parse_pattern;

    fn found(pattern: &str) -> Option<(usize, usize, String)> {
        let found = of(&parse_pattern(pattern).unwrap())?;
        Some((found.literals.len(), found.before, found.literals[0].clone()))
    }

    #[test]
    fn every_match_holds_one_of_them() {
        for (pattern, literals, before, first) in [
            ("(tok_[a-z]{8})", 1, 0, "tok_"),
            ("(?:gha|ghb|ghc)_[a-z]{4}", 3, 0, "gha_"),
            ("[a-z]{2,4}:(secret[0-9])", 1, 5, "secret"),
            (r"\bwidget.{0,9}([a-f]{8})", 1, 0, "widget"),
            ("a(?:bcd|efgh)[0-9]{3}|xyzzy[0-9]", 3, 0, "abcd"),
        ] {
            assert_eq!(found(pattern), Some((literals, before, first.to_owned())), "{pattern}");
        }
        assert_eq!(found("[a-z]{3}[0-9]Q~[a-z]{31}"), Some((10, 3, "0Q~".to_owned())));
        assert_eq!(found("SK[0-9a-f]{32}"), Some((16, 0, "SK0".to_owned())));
        assert_eq!(found(r"\$5(?:\$rounds=[0-9]{3})?\$[a-z]{8}").map(|(_, before, _)| before), Some(0));
        assert_eq!(found("(?i)sq[pua]_[a-z0-9]{40}"), Some((24, 0, "SQA_".to_owned())));
        let (many, before, _) = found("(?i)widget[0-9]{8}").unwrap();
        assert!(many <= 64 && before <= 2, "{many} {before}");
        for none in ["[a-z0-9]{32}", "ab", "aaa", "(?:abc)?[0-9]{9}", "abc|[0-9]{9}"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
