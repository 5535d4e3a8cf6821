//! Text at either width, as detectors look at it.

use std::ops::Range;

use super::Candidate;
use crate::finding::Encoding;
use crate::window::Window;

/// Text at either width, seen as ASCII: letter `i` stands at `start + i * stride` in the window.
///
/// UTF-16 text of ASCII letters is narrowed once, so that one pattern serves both; a position in the narrow text maps
/// back to the bytes of the file.
#[derive(Debug)]
pub struct TextView<'a> {
    letters: std::borrow::Cow<'a, [u8]>,
    start: usize,
    wide: Option<Encoding>,
    /// Length of the window: the last letter's zero may lie beyond it.
    limit: usize,
}

impl<'a> TextView<'a> {
    /// The text around a candidate: up to `before` letters before it and `after` letters from it on. Wide text ends where a
    /// letter's other byte is not zero.
    #[must_use]
    pub fn around(window: &Window<'a>, candidate: Candidate, before: usize, after: usize) -> Self {
        let bytes = window.bytes();
        let limit = bytes.len();
        if !candidate.wide {
            let start = candidate.at.saturating_sub(before);
            let letters = window.slice(start..candidate.at.saturating_add(after));
            return Self { letters: letters.into(), start, wide: None, limit };
        }
        let at = candidate.at;
        let (head, tail) = (wide_before(bytes, at, before + ENDS), wide_from(bytes, at, after.saturating_add(ENDS)));
        let (mut start, mut end) = (at - 2 * head.min(before), end_of(at, tail.min(after)));
        let order = byte_order(bytes, at - 2 * head..end_of(at, tail));
        trim(bytes, order, candidate.at, &mut start, &mut end);
        let (pairs, last) = window.slice(start..end).as_chunks::<2>();
        let letters: Vec<u8> = pairs.iter().map(|[letter, _]| *letter).chain(last.iter().copied()).collect();
        Self { letters: letters.into(), start, wide: Some(order), limit }
    }

    /// The letters, one byte each.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.letters
    }

    /// How the letters are written in the window.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.wide.unwrap_or(Encoding::Plain)
    }

    /// The bytes of the window that hold the letters `range`, the zero bytes of UTF-16 included.
    #[must_use]
    pub fn bytes_of(&self, range: Range<usize>) -> Range<usize> {
        let place = |letter: usize| match self.wide {
            None => self.start + letter,
            Some(Encoding::Utf16Be) => (self.start + 2 * letter).saturating_sub(1),
            Some(_) => self.start + 2 * letter,
        };
        place(range.start)..place(range.end).min(self.limit)
    }

    /// The letter that stands at a position of the window.
    #[must_use]
    pub fn letter_at(&self, at: usize) -> usize {
        at.saturating_sub(self.start) / if self.wide.is_some() { 2 } else { 1 }
    }
}

/// Letters beyond a view that are looked at to find the text's ends, which tell its byte order.
const ENDS: usize = 256;

/// How many letters of wide text stand before one at `at`, `most` of them at most.
fn wide_before(bytes: &[u8], at: usize, most: usize) -> usize {
    let before = bytes.get(..at).unwrap_or_default();
    // From the back, a letter is a zero with what stands before it.
    let (_, letters) = before.as_rchunks::<2>();
    let is_letter = |pair: &&[u8; 2]| matches!(pair, [letter, 0] if *letter != 0);
    letters.iter().rev().take(most).take_while(is_letter).count()
}

/// How many letters of wide text begin at `at`, `most` of them at most: the zero behind the last may be another byte.
fn wide_from(bytes: &[u8], at: usize, most: usize) -> usize {
    /// Words of four letters that are looked at together.
    const ROW: usize = 8;
    let rest = bytes.get(at..).unwrap_or_default();
    let (letters, _) = rest.as_chunks::<2>();
    let (words, _) = rest.as_chunks::<8>();
    let all = |row: &&[[u8; 8]]| row.iter().fold(0, |any, word| any | others(u64::from_le_bytes(*word))) == 0;
    let is_letter = |pair: &[u8; 2]| matches!(pair, [letter, 0] if *letter != 0);
    let rows = 4 * ROW * words.chunks_exact(ROW).take(most / (4 * ROW)).take_while(all).count();
    let whole = rows + letters.iter().skip(rows).take(most - rows).take_while(|pair| is_letter(pair)).count();
    let last = bytes.get(at + 2 * whole).is_some_and(|letter| *letter != 0);
    if whole < most { whole + usize::from(last) } else { whole }
}

/// Zero where four pairs of bytes are letters with a zero behind each.
fn others(word: u64) -> u64 {
    const LOW: u64 = 0x0001_0001_0001_0001;
    // Without the bytes that must be zero, a lane is below zero after this if it was zero.
    let zeros = (word & (0xff * LOW)).wrapping_sub(LOW) & (0x8000 * LOW);
    word & (0xff00 * LOW) | zeros
}

/// One past the last byte that is none of the zeros, of so many letters of wide text.
fn end_of(at: usize, letters: usize) -> usize {
    if letters == 0 { at } else { at + 2 * letters - 1 }
}

/// The byte order of UTF-16 text, from what stands around it: inside, both look alike. `text` begins with the first letter
/// and ends behind the last.
///
/// LE text has a zero behind its last letter and two more where NUL ends it; BE text has a zero before its first letter, and
/// NUL behind it is two zeros. Where the neighbour is no zero it is taken for a letter, so a letter that is none tells too.
/// Where all that says nothing it is LE, the order of every machine that makes minidumps.
fn byte_order(bytes: &[u8], text: Range<usize>) -> Encoding {
    const MANY: usize = 4;
    let zeros = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take(MANY).take_while(|b| **b == 0).count();
    let before = zeros(&mut bytes.get(..text.start).unwrap_or_default().iter().rev());
    let after = zeros(&mut bytes.get(text.end..).unwrap_or_default().iter());
    let is_text = |at: usize| bytes.get(at).is_some_and(is_text);
    let (first, last) = (is_text(text.start), is_text(text.end.saturating_sub(1)));
    let big = match (before, after) {
        // No zero behind the last letter: it is BE, or the last letter is the neighbour's.
        (0, 0) => !first && last,
        (_, 0) => last,
        (_, 2) => true,
        (_, 1 | 3) => false,
        (before, _) => before == 0 && !first,
    };
    if big { Encoding::Utf16Be } else { Encoding::Utf16Le }
}

/// Takes off the letter at an end that is a byte of the neighbour: `ff` in `t 00 ff ff`. Where it could be a letter of the
/// text it stays, because one too many hides nothing.
fn trim(bytes: &[u8], order: Encoding, at: usize, start: &mut usize, end: &mut usize) {
    let zero = |at: usize| bytes.get(at) == Some(&0);
    let foreign = |at: usize| bytes.get(at).is_some_and(|b| !is_text(b));
    let last = end.saturating_sub(1);
    if order == Encoding::Utf16Le && last > at && foreign(last) && !zero(*end) {
        *end = last - 1;
    }
    if order == Encoding::Utf16Be && *start < at && foreign(*start) && !start.checked_sub(1).is_some_and(zero) {
        *start += 2;
    }
}

fn is_text(byte: &u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    const TEXT: &str = "say KEY=abc;";

    fn wide(order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        TEXT.encode_utf16().flat_map(order).collect()
    }

    fn look(bytes: &[u8], before: usize, after: usize, check: impl Fn(&TextView<'_>)) {
        let key: Vec<u8> = "KEY".bytes().flat_map(|b| [b, 0]).take(5).collect();
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        check(&TextView::around(&window, Candidate { at, literal: 0, wide: true }, before, after));
    }

    #[test]
    fn wide_text_is_narrowed_and_its_places_map_back() {
        for head in [&b""[..], b"\0", b"\0\0", b"\0\0\0", b"\0\0\0\0\0", b"\xf1", b"\xf1\xf2", b"\xf1\xf2\0\0"] {
            for tail in [&b"\0\0"[..], b"\0\0\xf1", b"\xf3\xf4", b"\0\0\0\0\0\0"] {
                for (order, encoding) in
                    [(u16::to_le_bytes as fn(u16) -> [u8; 2], Encoding::Utf16Le), (u16::to_be_bytes, Encoding::Utf16Be)]
                {
                    let bytes = [head, &wide(order), tail].concat();
                    // Zeros on both sides say nothing about the order, and then it is LE.
                    let told = head.len() < 4 || head.contains(&0xf1) || tail.len() < 6;
                    if encoding == Encoding::Utf16Be && (!told || tail.len() == 6) {
                        continue;
                    }
                    look(&bytes, 100, 100, |view| {
                        let text = view.letters();
                        let at = text.windows(3).position(|w| w == b"KEY").unwrap();
                        assert!(text[at - 4..].starts_with(TEXT.as_bytes()), "{head:?} {tail:?} {encoding:?}");
                        assert_eq!(view.encoding(), encoding, "{head:?} {tail:?}");
                        let range = view.bytes_of(at + 4..at + 7);
                        assert_eq!(bytes[range], "abc".encode_utf16().flat_map(order).collect::<Vec<u8>>());
                    });
                }
            }
        }
    }

    #[test]
    fn a_view_that_is_shorter_than_the_text_knows_its_order_all_the_same() {
        let bytes = [&b"\x07"[..], &wide(u16::to_be_bytes), b"\0\0\x07"].concat();
        look(&bytes, 2, 5, |view| {
            assert_eq!(view.letters(), b"y KEY=a");
            assert_eq!(view.encoding(), Encoding::Utf16Be);
        });
    }

    #[test]
    fn the_last_letters_zero_may_lie_outside_the_window() {
        let bytes = wide(u16::to_le_bytes);
        let cut = &bytes[..bytes.len() - 1];
        look(cut, 100, 100, |view| {
            assert_eq!(view.letters(), TEXT.as_bytes());
            assert_eq!(view.bytes_of(0..TEXT.len()), 0..cut.len());
        });
    }

    fn view(bytes: &[u8], at: usize) -> (Vec<u8>, Encoding, Range<usize>) {
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        let view = TextView::around(&window, Candidate { at, literal: 0, wide: true }, 100, 100);
        (view.letters().to_vec(), view.encoding(), view.bytes_of(0..view.letters().len()))
    }

    #[test]
    fn both_orders_are_told_apart_by_their_ends() {
        use Encoding::{Utf16Be, Utf16Le};
        for (before, behind) in [(0xff, 0xff), (1, 1), (0, 0xff), (0xff, 0)] {
            for pad in [4, 5] {
                for (big, order) in [(false, Utf16Le), (true, Utf16Be)] {
                    let unit = |c: u16| if big { c.to_be_bytes() } else { c.to_le_bytes() };
                    let text: Vec<u8> = "secret".encode_utf16().flat_map(unit).collect();
                    let bytes = [vec![before; pad], text, vec![behind; 4]].concat();
                    let got = view(&bytes, pad + 4 + usize::from(big));
                    let want = (b"secret".to_vec(), order, pad..pad + 12);
                    assert_eq!(got, want, "{before:#x} {behind:#x} {pad} {order:?}");
                }
            }
        }
    }

    #[test]
    fn where_neither_end_tells_no_letter_is_lost() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes = [vec![b'x'; 4], "secret".encode_utf16().flat_map(order).collect(), vec![b'y'; 4]].concat();
            assert!(view(&bytes, 9 - usize::from(bytes[4] != 0)).0.windows(6).any(|w| w == b"secret"));
        }
    }

    #[test]
    fn between_zeros_the_letters_are_the_same_in_either_order() {
        let bytes = [vec![0; 5], "secret".encode_utf16().flat_map(u16::to_be_bytes).collect(), vec![0; 5]].concat();
        assert_eq!(view(&bytes, 8).0, b"secret");
    }

    #[test]
    fn lengths_of_wide_text_equal_those_of_a_plain_walk() {
        for seed in 0..300 {
            let mut bytes: Vec<u8> = noise(400, seed).iter().flat_map(|byte| [byte | 1, 0]).collect();
            for (i, n) in noise(8, seed + 1000).chunks_exact(2).enumerate() {
                bytes[usize::from(n[0]) * 3] = if i == 0 { 0 } else { n[1] & 1 };
            }
            bytes.truncate(800 - usize::from(seed % 7 == 0) * 33);
            for at in (0..bytes.len()).step_by(29) {
                let is_letter = |at: usize| bytes.get(at).is_some_and(|byte| *byte != 0);
                let is_joined = |at: usize| bytes.get(at) == Some(&0);
                let from =
                    (0..).take_while(|i| is_letter(at + 2 * i) && (*i == 0 || is_joined(at + 2 * i - 1))).count();
                let is_before = |i: &usize| 2 * i <= at && is_letter(at - 2 * i) && is_joined(at - 2 * i + 1);
                let before = (1..).take_while(is_before).count();
                for most in [0, 1, 31, 32, 33, 64, 100, 5000] {
                    assert_eq!(wide_from(&bytes, at, most), from.min(most), "{seed} {at} {most}");
                    assert_eq!(wide_before(&bytes, at, most), before.min(most), "{seed} {at} {most}");
                }
            }
        }
    }
}
