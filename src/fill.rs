//! The marks that redaction leaves where a secret stood.
//!
//! They are known here, below the scan, because what consists of nothing but such a mark is no secret: a scan of a redacted
//! dump must not tell of it again. That switches off no finding of a secret, since there is none in the bytes. Text rules take
//! a value that holds eight such letters in a row for one too (`detect/text/value.rs`): no secret does.

use std::ops::Range;

mod der_values;

pub use der_values::values as der_values;

/// What every letter of a text becomes.
pub const LETTER: u8 = b'X';

/// What words of binary bytes may become, first choice first: the pattern that crash reporters know, and others for dumps
/// in whose address space it is a place of a module or a stack.
pub const WORDS: [u32; 8] =
    [0x0def_aced, 0x1def_aced, 0x2def_aced, 0x3def_aced, 0x4def_aced, 0x5def_aced, 0x6def_aced, 0x7def_aced];

/// What a label begins with: `dumpscrub:rsa-private-key `, again and again.
pub const LABEL: &str = "dumpscrub:";

/// The text that a label repeats.
#[must_use]
pub fn label(rule: &str) -> String {
    format!("{LABEL}{rule} ")
}

/// Whether `bytes` are what redaction leaves: a mark, or a DER structure whose values are all marks.
#[must_use]
pub fn is_redacted(bytes: &[u8]) -> bool {
    let is_all = |values: Vec<std::ops::Range<usize>>| values.into_iter().all(|v| bytes.get(v).is_some_and(is_fill));
    is_fill(bytes) || der_values(bytes).is_some_and(is_all)
}

/// Whether `bytes` are nothing but a mark: letters X, zeros, one of the words in either byte order at any phase, or a label.
///
/// UTF-16 is asked about as its letters.
#[must_use]
pub fn is_fill(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| b == LETTER) || bytes.iter().all(|&b| b == 0) || is_word(bytes) || is_label(bytes)
}

/// The runs of `text` that redaction left: eight letters X or more, and labels, cut anywhere.
#[must_use]
pub fn marks(text: &[u8]) -> Vec<Range<usize>> {
    const LETTERS: usize = 8;
    let is_label = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b" :-".contains(b);
    let kind = |b: &u8| (*b == LETTER, is_label(b));
    let (mut marks, mut at) = (Vec::new(), 0);
    for run in text.chunk_by(|a, b| kind(a) == kind(b)) {
        let here = at..at + run.len();
        at = here.end;
        let letters = run.first() == Some(&LETTER) && run.len() >= LETTERS;
        if letters || run.first().is_some_and(is_label) && memchr::memmem::find(run, LABEL.as_bytes()).is_some() {
            marks.push(here);
        }
    }
    marks
}

/// Whether at least half of `text` is a label: it says of what, in words with hyphens, or it is cut before it does.
#[must_use]
pub fn is_mostly_label(text: &[u8]) -> bool {
    let is_label = |mark: &Range<usize>| {
        let run = text.get(mark.clone()).unwrap_or_default();
        let name = memchr::memmem::find(run, LABEL.as_bytes()).and_then(|at| run.get(at + LABEL.len()..));
        name.is_some_and(|name| name.contains(&b'-') || name.is_empty() && mark.end == text.len())
    };
    let labels = marks(text).into_iter().filter(is_label);
    let all = || 2 * labels.map(|mark| mark.len()).sum::<usize>() >= text.len();
    text == LABEL.trim_end_matches(':').as_bytes() || !text.is_empty() && all()
}

/// Whether at least half of `bytes` are what a run of the letters decodes to where it stands in base64: the same three bytes
/// at every phase, since all letters are one.
#[must_use]
pub fn is_decoded_letters(bytes: &[u8]) -> bool {
    const LEAST: usize = 5;
    let follows = |pair: &[u8]| matches!(pair, [0x5d, 0x75] | [0x75, 0xd7] | [0xd7, 0x5d]);
    let pairs = bytes.windows(2).filter(|pair| follows(pair)).count();
    pairs >= LEAST && 2 * (pairs + 1) >= bytes.len()
}

fn is_word(bytes: &[u8]) -> bool {
    let Some(word) = bytes.first_chunk::<4>() else { return false };
    let repeats = bytes.iter().skip(4).zip(bytes).all(|(later, earlier)| later == earlier);
    let is_one = |turn: u32| {
        let value = u32::from_le_bytes(*word).rotate_left(8 * turn);
        WORDS.iter().any(|w| *w == value || w.swap_bytes() == value)
    };
    repeats && (0..4).any(is_one)
}

/// A label repeats its own first part; it may begin at any letter where a site lies inside another.
fn is_label(bytes: &[u8]) -> bool {
    let whole = LABEL.as_bytes();
    let Some(at) = memchr::memmem::find(bytes, whole) else { return false };
    let rest = bytes.get(at..).unwrap_or_default();
    let period = memchr::memmem::find(rest.get(1..).unwrap_or_default(), whole).map_or(rest.len(), |next| next + 1);
    let is_rule = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b" :-".contains(b);
    bytes.iter().all(is_rule) && rest.iter().skip(period).zip(rest).all(|(later, earlier)| later == earlier)
}

#[cfg(test)]
mod tests {
    use base64ct::Encoding as _;

    use super::*;

    fn cycle(of: &[u8], phase: usize, len: usize) -> Vec<u8> {
        of.iter().copied().cycle().skip(phase).take(len).collect()
    }

    #[test]
    fn every_mark_is_known_at_every_phase() {
        for word in WORDS {
            for phase in 0..4 {
                assert!(
                    is_fill(&cycle(&word.to_le_bytes(), phase, 37)) && is_fill(&cycle(&word.to_be_bytes(), phase, 32))
                );
            }
        }
        assert!(is_fill(&[b'X'; 9]) && is_fill(&[0; 9]));
        let label = label("rsa-private-key");
        for len in 10..200 {
            assert!(is_fill(&cycle(label.as_bytes(), 0, len)), "{len}");
        }
        assert!(is_fill(&cycle(label.as_bytes(), 20, 80)));
    }

    #[test]
    fn letters_are_known_where_they_were_decoded() {
        for text in ["XXXXXXXXXXXX", "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "Ijp4XXXXXXXXXXXXXXXXXX"] {
            let mut bytes = vec![0; 64];
            let decoded = base64ct::Base64Unpadded::decode(&text[..text.len() / 4 * 4], &mut bytes).unwrap();
            assert!(is_decoded_letters(decoded), "{text}");
        }
        assert!(!is_decoded_letters(b"hunter2]u") && !is_decoded_letters(&[0x5d, 0x75, 0xd7, 0x5d]));
    }

    #[test]
    fn labels_are_known_wherever_they_are_cut() {
        for text in [
            "dumpscrub:ldif-passwor==",
            "password dumpscrub:ldif-pass",
            "dumpscrub:",
            "dumpscrub",
            "dumpscrub:a-b dump=x",
        ] {
            assert!(is_mostly_label(text.as_bytes()), "{text}");
        }
        for text in
            ["dumpscrub:Hunter2", "dumpscrub:hunter2", "dumpscrub:a-b kLq7ZtR2mWv9XyPd5TzN", "dumpscrub-token1", ""]
        {
            assert!(!is_mostly_label(text.as_bytes()), "{text}");
        }
        assert_eq!(marks(b"aXXXXXXXXb=dumpscrub:a-b dum=Xq"), [1..9, 11..28]);
    }

    #[test]
    fn a_secret_is_no_mark() {
        for secret in ["hunter2", "XXXXXXXy", "dumpscrub:Password1", "xxxx", "dumpscrub:a dumpscrub:b dumpscrub:a "] {
            assert!(!is_fill(secret.as_bytes()), "{secret}");
        }
        assert!(!is_fill(&[0xed, 0xac, 0xef, 0x0d, 0xed, 0xac, 0xef, 0x0e]));
    }
}
