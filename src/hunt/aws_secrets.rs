//! Secret access keys of AWS that stand far from everything that tells of them.
//!
//! A secret is 40 letters of base64 and nothing else. A rule knows it by the key id or the name near it (`aws-secret-access-key`); but
//! objects of a running program, strings of CPython, Java or Node, stand wherever there was room. What is left to go by is that a key id is
//! somewhere in the dump, and that a text of exactly 40 such letters has those of all kinds as mixed as random ones are. Nothing proves
//! that it is one, and the finding says so.
//!
//! Cost: nothing where no key id is in the dump.

use std::ops::Range;

use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::aws_ids;
use crate::detect::{Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule};
use crate::vault::Secret;
use crate::window::Window;

/// Letters of a secret.
const LETTERS: usize = 40;
/// The fewest of each kind: of random ones there are fewer capitals or small letters once in 2000 times, and no digit once in 900.
const CAPITALS: usize = 7;
const SMALL: usize = 7;
const DIGITS: usize = 1;
/// How often the kind changes from one letter to the next: 25 times on average, and fewer than 16 times once in 1000; words that are
/// joined by capitals change it less.
const CHANGES: usize = 16;
/// Different letters: 30 on average.
const DIFFERENT: usize = 23;
/// Small letters in a row: of random letters there are more once in 70 times, of words mostly.
const ROW: usize = 7;
/// What stands before or behind a part of a longer name, and behind one of a longer text of base64.
const JOINS: &[u8] = b"_.$:-";

/// Hunts for secret access keys.
pub struct AwsSecrets;

impl Hunter for AwsSecrets {
    fn rules(&self) -> Vec<Rule> {
        // A rule of text declares it.
        Vec::new()
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| matches!(clue, Clue::AwsKeyId))
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Prepared)
    }
}

struct Prepared;

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        for (step, encoding) in [(1, Encoding::Plain), (2, Encoding::Utf16Le)] {
            out.hits.extend(texts(window, step).into_iter().map(|(letters, range)| hit(&letters, range, encoding)));
        }
    }
}

/// The texts of exactly so many letters, one every `step` bytes, that begin in the owned part of the window and may be secrets.
fn texts(window: &Window<'_>, step: usize) -> Vec<(Vec<u8>, Range<usize>)> {
    let (owned, bytes, len) = (window.owned(), window.bytes(), LETTERS * step);
    let is_letter = |at: usize| {
        let is_wide = step == 1 || bytes.get(at + 1) == Some(&0);
        is_wide && bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+'))
    };
    // Of so many bytes in a row one place is enough to see a text, for each parity that it may have.
    let seen = (owned.start..owned.end + len).step_by(len).flat_map(|at| at..at + step).filter(|at| is_letter(*at));
    let begins = seen.filter_map(|at| {
        let before = (1..=LETTERS).take_while(|i| at.checked_sub(step * i).is_some_and(is_letter)).count();
        Some(at - step * before).filter(|start| before < LETTERS && owned.contains(start))
    });
    let joins = |at: usize| bytes.get(at).is_some_and(|byte| JOINS.contains(byte));
    let whole = begins.filter(|start| {
        let end = start + len;
        let is_part = start.checked_sub(step).is_some_and(joins) || joins(end) || bytes.get(end) == Some(&b'=');
        !is_part && (0..=LETTERS).take_while(|i| is_letter(start + step * i)).count() == LETTERS
    });
    let letters = |start: usize| bytes.iter().skip(start).step_by(step).take(LETTERS).copied().collect();
    let texts = whole.map(|start| (letters(start), start..start + len));
    texts.filter(|(letters, _): &(Vec<u8>, _)| is_likely(letters)).collect()
}

/// Whether the letters are mixed as random ones are.
fn is_likely(letters: &[u8]) -> bool {
    let kind = |byte: &u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let count = |of: i32| letters.iter().filter(|byte| kind(byte) == of).count();
    let changes = letters.iter().zip(letters.iter().skip(1)).filter(|(a, b)| kind(a) != kind(b)).count();
    let different = letters.iter().collect::<std::collections::BTreeSet<_>>().len();
    let row = letters.split(|byte| !byte.is_ascii_lowercase()).map(<[u8]>::len).max();
    row <= Some(ROW)
        && count(0) >= CAPITALS
        && count(1) >= SMALL
        && count(2) >= DIGITS
        && changes >= CHANGES
        && different >= DIFFERENT
}

fn hit(letters: &[u8], range: Range<usize>, encoding: Encoding) -> Hit {
    let context = vec!["40 letters such as secrets of AWS have, in a dump with a key id of AWS".to_owned()];
    Hit {
        rule: aws_ids::SECRET_RULE.to_owned(),
        severity: None,
        evidence: Evidence::Matched,
        public: PublicIdentity { kind: "AWS".to_owned(), context, ..PublicIdentity::default() },
        secret: Secret::text(letters),
        range,
        form: Form { layout: Layout::Text, encoding, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    const KEY: &str = "JRObm17lptH4RVrF1/lrVlLtQ0LvJgzPqe1bJpZd";

    fn found(bytes: &[u8], size: usize) -> Vec<(Range<usize>, Encoding)> {
        let pieces = [Span::new(0, bytes.len() as u64)];
        let (mut out, image) = (Hits::default(), Image::from_bytes("t", Vec::new()));
        let mut clues = Clues::new(10);
        assert!(!AwsSecrets.needs(&clues));
        clues.add(Clue::AwsKeyId);
        assert!(AwsSecrets.needs(&clues));
        let hunt = AwsSecrets.prepare(&clues);
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            hunt.hunt(&Shown::new(&window, &AddressSpace::new(&[]), &image), &mut out);
        }
        out.hits.into_iter().map(|hit| (hit.range, hit.form.encoding)).collect()
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands_in_either_width_and_any_window() {
        let wide: Vec<u8> = KEY.bytes().flat_map(|byte| [byte, 0]).collect();
        for shift in [0, 1, 39, 40, 41, 77] {
            for size in [4096, 64, 7] {
                let place = |text: &[u8]| [&vec![0; 100 + shift][..], text, &[0; 200]].concat();
                let start = 100 + shift;
                assert_eq!(found(&place(KEY.as_bytes()), size), [(start..start + 40, Encoding::Plain)]);
                assert_eq!(found(&place(&wide), size), [(start..start + 80, Encoding::Utf16Le)]);
            }
        }
    }

    #[test]
    fn other_texts_of_40_letters_are_none() {
        for text in [
            "162646ffa9204c1c9eeb488c6daa9b7fcd3ce281",
            "AbstractRequestHandlerFactoryBeanConfig1",
            "/usr/lib/python3/dist/botocore/data/S3A1",
            "7ATraitsEE21QueueResponseCallbackEiEUlS2_",
            &format!("{KEY}x"),
            &format!("_{KEY}"),
            &format!("{KEY}=="),
            KEY.get(1..).unwrap(),
        ] {
            assert!(found(&[&[0; 100][..], text.as_bytes(), &[0; 100]].concat(), 4096).is_empty(), "{text}");
        }
    }
}
