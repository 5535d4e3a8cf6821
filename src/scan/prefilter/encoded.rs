//! How a literal that is no text looks when it is encoded: the letters that are the same whatever stands around it. (Text is
//! told by what it decodes to, see `encoded_text`.)
//!
//! Base64 has three phases: which letters a literal becomes depends on how many bytes stand before it, modulo three. A
//! literal of three bytes may leave only three letters that are certain; then a fourth one is added in each of the ways in
//! which its few open bits may be filled. So the shortest literal that triggers at all, three bytes, also does in base64 and
//! in hexadecimal.

use std::collections::BTreeSet;

use base64ct::{Base64Unpadded, Encoding as _};

use super::grams::GRAM;
use super::widen;
use crate::detect::Literal;

/// How text stands for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Four letters for three bytes.
    Base64,
    /// Two digits for a byte.
    Hex,
}

impl Code {
    /// Letters of a group, and the bytes that it stands for.
    #[must_use]
    pub fn group(self) -> (usize, usize) {
        match self {
            Self::Base64 => (4, 3),
            Self::Hex => (2, 1),
        }
    }
}

/// One spelling of a literal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Encoded {
    /// The letters that are certain, in the standard alphabet.
    pub letters: Vec<u8>,
    /// What they are.
    pub code: Code,
    /// How many letters of its group stand before the first one.
    pub into: usize,
}

/// Bytes of a literal that are spelled: more would make no literal rarer.
const MOST: usize = 18;

/// Begins of the DER structures of private keys: version and what follows it. They have no literal of their own.
pub const DER_HEADS: [&[u8]; 6] = [
    b"\x02\x01\x00\x02\x81",
    b"\x02\x01\x00\x02\x82",
    b"\x02\x01\x00\x30\x0d\x06",
    b"\x02\x01\x00\x30\x05\x06",
    b"\x02\x01\x00\x30\x10\x06",
    b"\x02\x01\x01\x04",
];

/// Every spelling of `literal`. What is encoded twice is text when it is decoded once.
pub fn spellings(literal: &Literal) -> BTreeSet<Encoded> {
    let bytes = literal.bytes.get(..MOST).unwrap_or(&literal.bytes);
    let mut once = encode(bytes);
    if literal.wide {
        once.extend(encode(&widen(bytes)));
    }
    once
}

fn encode(bytes: &[u8]) -> BTreeSet<Encoded> {
    let mut all: BTreeSet<Encoded> = (0..3).flat_map(|phase| base64(bytes, phase)).collect();
    let hex = |letters: String| Encoded { letters: letters.into_bytes(), code: Code::Hex, into: 0 };
    all.insert(hex(base16ct::lower::encode_string(bytes)));
    all.insert(hex(base16ct::upper::encode_string(bytes)));
    all
}

/// The letters of `bytes` when `phase` bytes stand before them in their group.
fn base64(bytes: &[u8], phase: usize) -> Vec<Encoded> {
    let own = 8 * phase..8 * (phase + bytes.len());
    let certain = own.start.div_ceil(6)..own.end / 6;
    if certain.len() >= GRAM {
        return vec![letters(bytes, phase, certain, &[])];
    }
    // With three bytes, one of the neighbours has four bits that are certain and two that are open: 0 to 3.
    let behind = own.end % 6 == 4;
    let around = if behind { certain.start..certain.end + 1 } else { certain.start.saturating_sub(1)..certain.end };
    let filled = |open: u8| match behind {
        true => letters(bytes, phase, around.clone(), &[open << 6]),
        false => letters_behind(bytes, phase, around.clone(), open),
    };
    (0..4).map(filled).collect()
}

fn letters(bytes: &[u8], phase: usize, which: std::ops::Range<usize>, behind: &[u8]) -> Encoded {
    encoded(&[[0; 3].get(..phase).unwrap_or_default(), bytes, behind].concat(), which)
}

/// The same, with the open bits at the end of the byte before.
fn letters_behind(bytes: &[u8], phase: usize, which: std::ops::Range<usize>, open: u8) -> Encoded {
    let before = [0, 0, open];
    encoded(&[before.get(before.len() - phase..).unwrap_or_default(), bytes].concat(), which)
}

fn encoded(stream: &[u8], which: std::ops::Range<usize>) -> Encoded {
    let all = Base64Unpadded::encode_string(stream).into_bytes();
    let into = which.start % Code::Base64.group().0;
    Encoded { letters: all.get(which).unwrap_or_default().to_vec(), code: Code::Base64, into }
}
