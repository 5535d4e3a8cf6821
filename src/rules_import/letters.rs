//! Which letters a pattern may take, and how a set of letters is written in a rule.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of bytes.
pub type Letters = [bool; 256];

/// Adds what `hir` may take to `letters`.
pub fn gather(hir: &Hir, letters: &mut Letters) {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| add(letters, *byte, *byte)),
        HirKind::Class(class) => ranges(class).for_each(|(first, last)| add(letters, first, last)),
        HirKind::Repetition(repetition) => gather(&repetition.sub, letters),
        HirKind::Capture(capture) => gather(&capture.sub, letters),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().for_each(|hir| gather(hir, letters)),
        HirKind::Empty | HirKind::Look(_) => {}
    }
}

/// The ranges of a class that are bytes; of a class of Unicode, the part that is ASCII.
pub fn ranges(class: &Class) -> Box<dyn Iterator<Item = (u8, u8)> + '_> {
    match class {
        Class::Bytes(class) => Box::new(class.iter().map(|range| (range.start(), range.end()))),
        Class::Unicode(class) => {
            let ascii = |letter: char| u8::try_from(u32::from(letter).min(127)).unwrap_or(127);
            let some = class.iter().filter(|range| range.start().is_ascii());
            Box::new(some.map(move |range| (ascii(range.start()), ascii(range.end()))))
        }
    }
}

fn add(letters: &mut Letters, first: u8, last: u8) {
    letters.iter_mut().take(usize::from(last) + 1).skip(usize::from(first)).for_each(|letter| *letter = true);
}

/// The bytes of a set.
pub fn members(letters: &Letters) -> impl Iterator<Item = u8> + '_ {
    (0..=255_u8).zip(letters).filter(|(_, is)| **is).map(|(byte, _)| byte)
}

/// A class as rules write it: ranges where three letters or more follow each other, and a hyphen at the end.
pub fn class(bytes: impl Iterator<Item = u8>) -> String {
    let mut bytes: Vec<u8> = bytes.collect();
    bytes.sort_unstable();
    bytes.dedup();
    let hyphen = bytes.contains(&b'-');
    bytes.retain(|byte| *byte != b'-');
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    while let Some(&first) = rest.first() {
        let follows = |(at, byte): (usize, &u8)| usize::from(*byte) == usize::from(first) + at;
        let run = rest.iter().enumerate().take_while(|&(at, byte)| follows((at, byte))).count();
        let (run, behind) = rest.split_at(run.max(1));
        match run {
            [first, _, .., last] => text.extend([char::from(*first), '-', char::from(*last)]),
            few => text.extend(few.iter().map(|byte| char::from(*byte))),
        }
        rest = behind;
    }
    if hyphen {
        text.push('-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::text::Alphabet;

    #[test]
    fn a_class_is_read_back_as_it_was() {
        for all in [&b"abcdef0189-_"[..], b"-", b"ab", b"+,-./", b"!-~", b"\\]^[", b"a-z"] {
            let text = class(all.iter().copied());
            let read = Alphabet::parse(&text).unwrap();
            let mut wanted = all.to_vec();
            wanted.sort_unstable();
            wanted.dedup();
            let held: Vec<u8> = (0..128).filter(|byte| read.holds(*byte)).collect();
            assert_eq!(held, wanted, "{text}");
        }
    }
}
