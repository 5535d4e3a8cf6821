//! The few texts that a part of a pattern can be, where they are few: `(?i)key` is eight.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::letters;

/// Most texts of one part: a word of six letters in any case.
pub const MOST: usize = 64;

/// Most letters of a class of which each is tried.
pub const FEW: usize = 4;

/// Longest text that is made of a part; more tells nothing more.
const LONGEST: usize = 24;

/// Most letters of a class of which each is tried, where there is nothing better: a digit.
pub const MANY: usize = 10;

/// All texts that `hir` can be, or nothing where they are too many. A class of more than `few` letters is too many.
pub fn texts(hir: &Hir, few: usize) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => (literal.0.len() <= LONGEST).then(|| vec![literal.0.to_vec()]),
        HirKind::Class(class) => of_class(class, few),
        HirKind::Capture(capture) => texts(&capture.sub, few),
        HirKind::Repetition(repetition) if repetition.max == Some(repetition.min) => {
            let one = texts(&repetition.sub, few)?;
            (0..repetition.min.min(LONGEST as u32 + 1)).try_fold(vec![Vec::new()], |all, _| product(&all, &one))
        }
        HirKind::Repetition(_) => None,
        HirKind::Concat(all) => {
            all.iter().try_fold(vec![Vec::new()], |so_far, hir| product(&so_far, &texts(hir, few)?))
        }
        HirKind::Alternation(all) => {
            let mut each = Vec::new();
            for hir in all {
                each.extend(texts(hir, few)?);
            }
            (each.len() <= MOST).then_some(each)
        }
    }
}

/// Each of `heads` with each of `tails` behind it, unless they are too many or too long.
pub fn product(heads: &[Vec<u8>], tails: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let longest = |all: &[Vec<u8>]| all.iter().map(Vec::len).max().unwrap_or(0);
    let few = heads.len().saturating_mul(tails.len()) <= MOST && longest(heads) + longest(tails) <= LONGEST;
    few.then(|| heads.iter().flat_map(|head| tails.iter().map(move |tail| [&head[..], tail].concat())).collect())
}

fn of_class(class: &Class, few: usize) -> Option<Vec<Vec<u8>>> {
    let bytes: Vec<Vec<u8>> = letters::ranges(class).flat_map(|(first, last)| first..=last).map(|b| vec![b]).collect();
    // A class of Unicode may hold letters that are no byte.
    let all = !matches!(class, Class::Unicode(class) if class.iter().any(|range| !range.end().is_ascii()));
    (all && bytes.len() <= few).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::parse_pattern;

    #[test]
    fn few_texts_are_listed_and_many_are_not() {
        let count = |pattern: &str| texts(&parse_pattern(pattern).unwrap(), FEW).map(|all| all.len());
        for (pattern, texts) in [
            ("abc", Some(1)),
            ("(?i)key", Some(8)),
            ("(a|b)c{2}", Some(2)),
            (r"\bab$", Some(1)),
            ("[0-9]", None),
            ("a+", None),
            ("(?i)abcdefgh", None),
            ("a{30}", None),
        ] {
            assert_eq!(count(pattern), texts, "{pattern}");
        }
    }
}
