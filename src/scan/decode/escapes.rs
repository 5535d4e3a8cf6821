//! Percent-encoding, and the backslash escapes of JSON and C.
//!
//! Most letters of such text stand for themselves, so a rule's literal nearly always triggers in it as it is. What tells
//! that the text must be decoded is an escape close by. Both kinds are our own code, because each decoded byte must be known
//! with its place, and because what is no escape stands for itself here and is an error to any library.

use std::ops::Range;

use zeroize::Zeroizing;

/// Which kind of escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// `%41`.
    Percent,
    /// `\n`, `\"`, `\u0041`, `\x41`, `\101`.
    Backslash,
}

/// Text without its escapes, and where each byte of it comes from.
pub struct Unescaped {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The letters of the text that say each byte.
    pub places: Vec<Range<usize>>,
}

impl Escapes {
    /// Whether there is such an escape anywhere in `text`.
    #[must_use]
    pub fn any_in(self, text: &[u8]) -> bool {
        memchr::memchr_iter(self.mark(), text).any(|at| self.escape(text.get(at..).unwrap_or_default()).is_some())
    }

    /// The part of `text` around `at` that may be escaped as one: what is percent-encoded has no blanks and quotes; what
    /// has backslashes ends at a quote without one, and at the end of the line.
    #[must_use]
    pub fn run(self, text: &[u8], at: usize) -> Range<usize> {
        let (head, tail) = text.split_at_checked(at).unwrap_or((text, &[]));
        match self {
            Self::Percent => {
                let start = head.iter().rposition(|b| !is_in_url(*b)).map_or(0, |i| i + 1);
                start..at + tail.iter().position(|b| !is_in_url(*b)).unwrap_or(tail.len())
            }
            Self::Backslash => begin_of_string(head)..at + end_of_string(tail),
        }
    }

    /// `text` without its escapes.
    #[must_use]
    pub fn decode(self, text: &[u8]) -> Unescaped {
        let mut all = Unescaped { bytes: Zeroizing::new(Vec::with_capacity(text.len())), places: Vec::new() };
        let mut at = 0;
        while let Some(&letter) = text.get(at) {
            let escape = (letter == self.mark()).then(|| self.escape(text.get(at..)?)).flatten();
            let (said, len) = escape.unwrap_or((Said::Byte(letter), 1));
            all.push(said, at..at + len);
            at += len;
        }
        all
    }

    fn mark(self) -> u8 {
        match self {
            Self::Percent => b'%',
            Self::Backslash => b'\\',
        }
    }

    /// What the escape at the begin of `text` says, and its length.
    fn escape(self, text: &[u8]) -> Option<(Said, usize)> {
        match self {
            Self::Percent => Some((Said::Byte(u8::try_from(digits(text.get(1..3)?, 16)?).ok()?), 3)),
            Self::Backslash => backslash(text),
        }
    }
}

impl Unescaped {
    fn push(&mut self, said: Said, place: Range<usize>) {
        let mut buffer = [0; 4];
        let bytes = match said {
            Said::Byte(byte) => {
                buffer = [byte, 0, 0, 0];
                buffer.get(..1).unwrap_or_default()
            }
            Said::Char(char) => char.encode_utf8(&mut buffer).as_bytes(),
        };
        self.bytes.extend(bytes);
        self.places.extend(bytes.iter().map(|_| place.clone()));
    }
}

/// What an escape says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Byte(u8),
    Char(char),
}

fn backslash(text: &[u8]) -> Option<(Said, usize)> {
    let byte = |byte| Some((Said::Byte(byte), 2));
    match *text.get(1)? {
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'b' => byte(8),
        b'f' => byte(12),
        b'v' => byte(11),
        b'a' => byte(7),
        b'e' => byte(27),
        quoted @ (b'"' | b'\'' | b'\\' | b'/' | b'`') => byte(quoted),
        b'x' => Some((Said::Byte(u8::try_from(digits(text.get(2..4)?, 16)?).ok()?), 4)),
        b'u' => unicode(text),
        b'0'..=b'7' => {
            let len = text.iter().skip(1).take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
            Some((Said::Byte(u8::try_from(digits(text.get(1..1 + len)?, 8)?).ok()?), 1 + len))
        }
        _ => None,
    }
}

fn unicode(text: &[u8]) -> Option<(Said, usize)> {
    let unit = |at: usize| digits(text.get(at..at + 4)?, 16).and_then(|unit| u16::try_from(unit).ok());
    let first = unit(2)?;
    let second = || (text.get(6..8) == Some(b"\\u")).then(|| unit(8)).flatten();
    match char::from_u32(u32::from(first)) {
        Some(char) => Some((Said::Char(char), 6)),
        None => {
            let char = char::decode_utf16([first, second()?]).next()?.ok()?;
            Some((Said::Char(char), 12))
        }
    }
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    text.iter().try_fold(0, |value, &b| Some(value * radix + char::from(b).to_digit(radix)?))
}

fn is_in_url(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`')
}

fn is_in_string(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

/// Where the string that `head` ends in begins: behind the last quote without a backslash.
fn begin_of_string(head: &[u8]) -> usize {
    let mut start = head.len();
    while let Some(&byte) = start.checked_sub(1).and_then(|i| head.get(i)) {
        let before = head.get(..start - 1).unwrap_or_default();
        if !is_in_string(byte) || byte == b'"' && !before.ends_with(b"\\") {
            break;
        }
        start -= 1;
    }
    start
}

fn end_of_string(tail: &[u8]) -> usize {
    let mut escaped = false;
    let ends = |&byte: &u8| {
        let end = !is_in_string(byte) || byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    };
    tail.iter().position(ends).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(kind: Escapes, text: &str) -> String {
        String::from_utf8_lossy(&kind.decode(text.as_bytes()).bytes).into_owned()
    }

    #[test]
    fn escapes_are_decoded_and_what_is_none_stands_for_itself() {
        assert_eq!(decoded(Escapes::Percent, "a%3A%2f%2Fb%4"), "a://b%4");
        assert_eq!(decoded(Escapes::Percent, "100%zz%%41"), "100%zz%A");
        let text = r#"\"a\u003d\x41\101\/\\n\d\ud83d\ude00\ud83d!\u12"#;
        assert_eq!(decoded(Escapes::Backslash, text), "\"a=AA/\\n\\d\u{1f600}\\ud83d!\\u12");
    }

    #[test]
    fn every_byte_knows_its_place() {
        let all = Escapes::Backslash.decode(br"a\u20acb\n");
        assert_eq!(all.places, [0..1, 1..7, 1..7, 1..7, 7..8, 8..10]);
    }

    #[test]
    fn a_run_ends_at_what_cannot_be_in_it() {
        let text = br#"{"a": "x\"y://z\\", "b""#;
        let at = text.windows(3).position(|w| w == b"://").unwrap();
        assert_eq!(&text[Escapes::Backslash.run(text, at)], br#"x\"y://z\\"#);
        let text = b"see a%3A//b c";
        assert_eq!(&text[Escapes::Percent.run(text, 8)], b"a%3A//b");
        assert_eq!(Escapes::Percent.run(b"", 0), 0..0);
        assert_eq!(Escapes::Backslash.run(b"\\\"", 2), 0..2);
    }
}
