//! Strings of CPython that say of what the value is that they are the key of in a dict: no secrets, but the clues to values that
//! stand far from their names.
//!
//! Source: `PyASCIIObject` in Include/cpython/unicodeobject.h, words of 8 bytes: count of references, type, length, hash, a word with
//! the state in its first byte, up to 3.11 one word more (`wstr`), and the letters with a NUL behind them. The state of a
//! string of ASCII is told by its bits: one byte for each letter (`kind`, bits 2 to 4), compact, ascii. Only processes of 64 bits in
//! little-endian order are known here, and none of the build without the global lock.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::window::Window;

/// How names end, with the NUL behind them.
const ENDS: &[&str] = &[
    "assword\0",
    "ASSWORD\0",
    "asswd\0",
    "ASSWD\0",
    "assphrase\0",
    "ASSPHRASE\0",
    "ecret\0",
    "ECRET\0",
    "oken\0",
    "OKEN\0",
    "_pass\0",
    "_PASS\0",
    "Pass\0",
    "_pwd\0",
    "_PWD\0",
    "_key\0",
    "_KEY\0",
    "apikey\0",
    "APIKEY\0",
    "piKey\0",
    "retKey\0",
    "essKey\0",
    "redential\0",
    "REDENTIAL\0",
    "redentials\0",
    "REDENTIALS\0",
    "_AUTH\0",
    "_SALT\0",
];
/// Letters of the longest name.
pub const LONGEST: usize = 64;
/// Bytes before the letters, from 3.12 on and before.
pub const HEADERS: [u8; 2] = [40, 48];
/// Where the length stands in a string, and the state.
pub const LENGTH: usize = 16;
const STATE: usize = 32;

/// Finds names in strings of CPython.
pub struct ObjectNames;

impl Detector for ObjectNames {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(ENDS.iter().map(|end| Literal::binary(end.as_bytes())).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: LONGEST + 48, after: 16 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let end = candidate.at + ENDS.get(candidate.literal).map_or(0, |end| end.len().saturating_sub(1));
        let starts = (1..=LONGEST).map_while(|len| end.checked_sub(len).filter(|at| is_letter(window.byte(*at))));
        let objects = starts.flat_map(|start| HEADERS.map(|header| (start, header)));
        let fits = |&(start, header): &(usize, u8)| {
            let object = start.checked_sub(usize::from(header));
            object.is_some_and(|object| is_ascii(window.slice(object..start), end - start))
        };
        let place = |(start, header): (usize, u8)| {
            let place = window.offset(start - usize::from(header))?.0;
            Some(Clue::ObjectName { place, header })
        };
        out.clues.extend(objects.filter(fits).find_map(place));
    }
}

/// What names are made of.
fn is_letter(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
}

/// Whether it is the header of a string of so many letters, all of ASCII.
#[must_use]
pub fn is_ascii(header: &[u8], len: usize) -> bool {
    // Whether it is interned or static says nothing, and nobody clears the bytes behind these bits.
    const OTHERS: u8 = 0x83;
    const ASCII: u8 = 0x64;
    let length = header.get(LENGTH..LENGTH + 8).and_then(|word| word.first_chunk());
    length.is_some_and(|word| u64::from_le_bytes(*word) == len as u64)
        && header.get(STATE).is_some_and(|state| state & !OTHERS == ASCII)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;

    /// A string in memory, behind other bytes.
    fn string(header: u8, state: u32, len: u64, letters: &str) -> Vec<u8> {
        let mut head = vec![0; usize::from(header)];
        head[..8].copy_from_slice(&7_u64.to_le_bytes());
        head[LENGTH..LENGTH + 8].copy_from_slice(&len.to_le_bytes());
        head[LENGTH + 8..STATE].copy_from_slice(&[0x61; 8]);
        head[STATE..STATE + 4].copy_from_slice(&state.to_le_bytes());
        [&[0x61; 200][..], &head, letters.as_bytes(), &[0; 20]].concat()
    }

    fn names(bytes: &[u8]) -> Vec<(u64, u8)> {
        let window = Window::new(
            bytes,
            0..bytes.len(),
            &[crate::span::Span { start: crate::span::FileOffset(1000), len: 1 << 20 }],
            &[],
        );
        let mut out = Hits::default();
        for (literal, end) in ENDS.iter().enumerate() {
            for at in memchr::memmem::find_iter(bytes, end.as_bytes()) {
                ObjectNames.confirm(Candidate { at, literal, wide: false }, &window, &mut out);
            }
        }
        let clue = |clue| match clue {
            Clue::ObjectName { place, header } => (place, header),
            other => panic!("{other:?}"),
        };
        out.clues.into_iter().map(clue).collect()
    }

    #[test]
    fn strings_of_either_layout_are_names() {
        for header in HEADERS {
            for state in [0xe4, 0xe5, 0x64, 0x66, 0xa3_cce4] {
                for name in ["DB_PASSWORD", "password", "x-api_key", "client_secret"] {
                    let found = names(&string(header, state, name.len() as u64, name));
                    assert_eq!(found, [(1200, header)], "{name}");
                }
            }
        }
    }

    #[test]
    fn other_letters_are_none() {
        assert_eq!(names(&string(40, 0x64, 10, "DB_PASSWORD")), []);
        assert_eq!(names(&string(40, 0x68, 11, "DB_PASSWORD")), []);
        assert_eq!(names(&string(48, 0x44, 11, "DB_PASSWORD")), []);
        assert_eq!(names(&string(48, 0xe4, 13, "DB_PASSWORD_2")), []);
        assert_eq!(clues(&ObjectNames, b"password\0"), []);
    }
}
