//! The literals that a pattern is found by: of every match of it, one of them is a part.

use regex_syntax::hir::{Hir, HirKind};

use super::exact::{product, texts};

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

/// The best literals of a pattern, if it has any of three letters and more.
pub fn of(hir: &Hir) -> Option<Found> {
    let mut best: Option<Found> = None;
    let mut offer = |found: Found| {
        if best.as_ref().is_none_or(|best| score(best) < score(&found)) {
            best = Some(found);
        }
    };
    match hir.kind() {
        HirKind::Capture(capture) => return of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => return of(&repetition.sub),
        HirKind::Alternation(all) if texts(hir).is_none() => return of_each(all),
        HirKind::Concat(all) => in_row(all, &mut offer),
        _ => in_row(std::slice::from_ref(hir), &mut offer),
    }
    best
}

/// Each alternative must have some of its own.
fn of_each(all: &[Hir]) -> Option<Found> {
    let each: Vec<Found> = all.iter().map(of).collect::<Option<_>>()?;
    let before = each.iter().map(|found| found.before).max()?;
    literals(each.into_iter().flat_map(|found| found.literals.into_iter().map(String::into_bytes)))
        .map(|found| Found { before, ..found })
}

/// Parts that stand one behind the other: those in a row that are few texts each, and those that hold literals themselves.
fn in_row(all: &[Hir], offer: &mut impl FnMut(Found)) {
    let mut before = Some(0_usize);
    for (at, hir) in all.iter().enumerate() {
        let Some(letters) = before else { return };
        let mut row = vec![Vec::new()];
        for hir in all.iter().skip(at) {
            let Some(more) = pieces(hir).and_then(|more| product(&row, &more)) else { break };
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
        if texts(hir).is_none() {
            let inside = match hir.kind() {
                HirKind::Concat(_) | HirKind::Alternation(_) | HirKind::Capture(_) => of(hir),
                // What may be left out holds no literal of every match.
                HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub),
                _ => None,
            };
            inside.map(|found| Found { before: letters + found.before, ..found }).into_iter().for_each(&mut *offer);
        }
        before = hir.properties().maximum_len().map(|most| letters.saturating_add(most));
    }
}

/// The texts of a part, or the beginning of one that is too long to be listed.
fn pieces(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.iter().copied().take(ENOUGH).collect()]),
        _ => texts(hir),
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
        let (many, before, _) = found("(?i)widget[0-9]{8}").unwrap();
        assert!(many <= 64 && before <= 2, "{many} {before}");
        for none in ["[a-z0-9]{32}", "ab", "aaa", "(?:abc)?[0-9]{9}", "abc|[0-9]{9}"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
