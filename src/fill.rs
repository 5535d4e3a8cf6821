//! The marks that redaction leaves where a secret stood.
//!
//! They are known here, below the scan, because what consists of nothing but such a mark is no secret: a scan of a redacted
//! dump must not tell of it again. That switches off no finding of a secret, since there is none in the bytes. Text rules take
//! a value that holds eight such letters in a row for one too (`detect/text/value.rs`): no secret does.

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
    fn a_secret_is_no_mark() {
        for secret in ["hunter2", "XXXXXXXy", "dumpscrub:Password1", "xxxx", "dumpscrub:a dumpscrub:b dumpscrub:a "] {
            assert!(!is_fill(secret.as_bytes()), "{secret}");
        }
        assert!(!is_fill(&[0xed, 0xac, 0xef, 0x0d, 0xed, 0xac, 0xef, 0x0e]));
    }
}
