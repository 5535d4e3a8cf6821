//! Base64 text as memory holds it: letters, and the many ways to spell the line break between them.
//!
//! A key's text stands in a file's buffer with LF or CRLF, in an environment block as JSON with `\n` (or `\\n`, where JSON
//! was put into JSON), in a form with `%0A`, in a command line with spaces. All of them are one [`Run`]: the letters alone,
//! and where each line of them stands in the text.

use std::ops::Range;

use base64ct::{Base64Unpadded, Encoding as _};
use zeroize::Zeroizing;

/// Letters that follow each other with nothing but separators in between.
#[derive(Debug, Default)]
pub struct Run {
    letters: Letters,
    lines: Vec<Line>,
    padding: usize,
    end: usize,
}

#[derive(Default)]
struct Letters(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} letters]", self.0.len())
    }
}

/// Letters between two separators.
#[derive(Clone, Debug)]
struct Line {
    letters: Range<usize>,
    text: Range<usize>,
    /// An empty line stands before it.
    blank_before: bool,
}

/// What stands at one place of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Letter(u8),
    Padding,
    Newline,
    Return,
    Space,
}

/// What stands for something else than itself behind a backslash, a percent sign, an ampersand.
const SPELLINGS: &[(&[u8], Token)] = &[
    (b"\\n", Token::Newline),
    (b"\\r", Token::Return),
    (b"\\t", Token::Space),
    (b"\\\n", Token::Newline),
    (b"\\\r", Token::Return),
    (b"\\/", Token::Letter(b'/')),
    (b"\\u000a", Token::Newline),
    (b"\\u000d", Token::Return),
    (b"\\u002b", Token::Letter(b'+')),
    (b"\\u002f", Token::Letter(b'/')),
    (b"\\u003d", Token::Padding),
    (b"\\x0a", Token::Newline),
    (b"\\x0d", Token::Return),
    (b"%0a", Token::Newline),
    (b"%0d", Token::Return),
    (b"%20", Token::Space),
    (b"%2b", Token::Letter(b'+')),
    (b"%2f", Token::Letter(b'/')),
    (b"%3d", Token::Padding),
    (b"&#10;", Token::Newline),
    (b"&#13;", Token::Return),
    (b"&#xa;", Token::Newline),
    (b"&#xd;", Token::Return),
];

/// Backslashes that one separator may have: JSON in JSON in JSON has seven.
const BACKSLASHES: usize = 8;

impl Run {
    /// The run that begins at `from` or behind separators there. It ends before the first thing that is neither a letter
    /// nor a separator, and behind padding.
    #[must_use]
    pub fn read(text: &[u8], from: usize) -> Self {
        let mut run = Self { end: from, ..Self::default() };
        let mut gap = Gap::default();
        while let Some((token, len)) = token(text, run.end) {
            let place = run.end..run.end + len;
            match token {
                Token::Letter(_) if run.padding > 0 => break,
                Token::Padding if run.padding == 2 || run.lines.is_empty() => break,
                Token::Letter(letter) => run.push(letter, place, &mut gap),
                Token::Padding => run.pad(place),
                _ => gap.widen(token),
            }
            run.end += len;
        }
        run
    }

    /// The last run before `end` that goes up to it without a break. `None` where what stands before is no such thing.
    #[must_use]
    pub fn read_back(text: &[u8], end: usize) -> Option<Self> {
        let mut from = Self::earliest(text, end);
        let text = text.get(..end)?;
        while from < end {
            let run = Self::read(text, from);
            if run.end == end {
                return (!run.lines.is_empty()).then_some(run);
            }
            from = run.end.max(from + 1);
            // What broke the run is padding or half an escape; the next run begins at the latest behind it.
            if token(text, from).is_none_or(|(token, _)| token == Token::Padding) {
                from += 1;
            }
        }
        None
    }

    /// The first place from which nothing but bytes of a run's spelling leads up to `end`.
    #[must_use]
    pub fn earliest(text: &[u8], end: usize) -> usize {
        let before = text.get(..end).unwrap_or_default();
        let spells = |b: &u8| b.is_ascii_alphanumeric() || b"+/=\n\r\t \\%&#;".contains(b);
        before.iter().rposition(|b| !spells(b)).map_or(0, |at| at + 1)
    }

    /// How many letters it has, padding not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.letters.0.len()
    }

    /// Whether it has no letters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters.0.is_empty()
    }

    /// The letters alone.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.letters.0
    }

    /// Where in the text the reading ended: behind separators that trail.
    #[must_use]
    pub fn end(&self) -> usize {
        self.end
    }

    /// From the first letter to behind the last letter or padding, in the text.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        let start = self.lines.first().map_or(self.end, |line| line.text.start);
        start..self.lines.last().map_or(start, |line| line.text.end)
    }

    /// Drops what does not belong to the first line's body: where nothing closes a body, it ends with a line shorter than
    /// the first one, and before an empty or a longer one. So a header constant does not swallow the words behind it.
    #[must_use]
    pub fn keep_head(self) -> Self {
        let full = self.lines.first().map_or(0, |line| line.letters.len());
        let fits = |line: &&Line| !line.blank_before && line.letters.len() == full;
        let mut kept = 1 + self.lines.iter().skip(1).take_while(fits).count();
        if self.lines.get(kept).is_some_and(|line| !line.blank_before && line.letters.len() < full) {
            kept += 1;
        }
        self.keep(0..kept)
    }

    /// Drops what does not belong to the last line's body, which goes back over lines that are all as long as the one before
    /// the last, to one that is shorter (it was cut) or to an empty line.
    #[must_use]
    pub fn keep_tail(self) -> Self {
        let count = self.lines.len();
        let mut first = count.saturating_sub(1);
        let full = self.lines.get(first.saturating_sub(1)).map_or(0, |line| line.letters.len());
        while first > 0 && self.lines.get(first).is_some_and(|line| !line.blank_before) {
            let len = self.lines.get(first - 1).map_or(0, |line| line.letters.len());
            if len > full {
                break;
            }
            first -= 1;
            if len < full {
                break;
            }
        }
        self.keep(first..count)
    }

    /// Keeps the first `count` lines.
    #[must_use]
    pub fn keep_lines(self, count: usize) -> Self {
        self.keep(0..count)
    }

    /// The bytes that the letters say, counted in groups of four from the first one.
    #[must_use]
    pub fn decode(&self) -> Zeroizing<Vec<u8>> {
        decode(self.letters())
    }

    /// The same, with the groups counted from the end: for a run that is known to end where the text ends, and whose first
    /// letters are gone.
    #[must_use]
    pub fn decode_from_end(&self) -> Zeroizing<Vec<u8>> {
        decode(self.letters().get((self.len() + self.padding) % 4..).unwrap_or_default())
    }

    fn push(&mut self, letter: u8, place: Range<usize>, gap: &mut Gap) {
        let at = self.letters.0.len();
        self.letters.0.push(letter);
        match self.lines.last_mut() {
            Some(line) if !gap.any => {
                line.letters.end = at + 1;
                line.text.end = place.end;
            }
            _ => self.lines.push(Line { letters: at..at + 1, text: place, blank_before: gap.is_blank() }),
        }
        *gap = Gap::default();
    }

    fn pad(&mut self, place: Range<usize>) {
        self.padding += 1;
        if let Some(line) = self.lines.last_mut() {
            line.text.end = place.end;
        }
    }

    fn keep(mut self, lines: Range<usize>) -> Self {
        if lines.end < self.lines.len() {
            self.padding = 0;
        }
        self.lines.truncate(lines.end);
        self.lines.drain(..lines.start.min(self.lines.len()));
        let start = self.lines.first().map_or(0, |line| line.letters.start);
        let end = self.lines.last().map_or(0, |line| line.letters.end);
        self.letters.0.truncate(end);
        self.letters.0.drain(..start);
        for line in &mut self.lines {
            line.letters = line.letters.start - start..line.letters.end - start;
        }
        self
    }
}

/// The separators between two letters.
#[derive(Default)]
struct Gap {
    any: bool,
    newlines: usize,
    returns: usize,
}

impl Gap {
    fn widen(&mut self, token: Token) {
        self.any = true;
        self.newlines += usize::from(token == Token::Newline);
        self.returns += usize::from(token == Token::Return);
    }

    /// CRLF is one line break, and so is CR CR LF, which a careless conversion makes of it.
    fn is_blank(&self) -> bool {
        self.newlines > 1 || (self.newlines == 0 && self.returns > 1)
    }
}

fn token(text: &[u8], at: usize) -> Option<(Token, usize)> {
    let byte = *text.get(at)?;
    let token = match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => Token::Letter(byte),
        b'=' => Token::Padding,
        b'\n' => Token::Newline,
        b'\r' => Token::Return,
        b' ' | b'\t' => Token::Space,
        b'\\' | b'%' | b'&' => return spelled(text, at),
        _ => return None,
    };
    Some((token, 1))
}

fn spelled(text: &[u8], at: usize) -> Option<(Token, usize)> {
    let rest = text.get(at..)?;
    let more = rest.iter().take(BACKSLASHES).take_while(|&&b| b == b'\\').count().saturating_sub(1);
    let rest = rest.get(more..)?;
    let fits = |(spelling, _): &&(&[u8], Token)| {
        rest.get(..spelling.len()).is_some_and(|start| start.eq_ignore_ascii_case(spelling))
    };
    SPELLINGS.iter().find(fits).map(|(spelling, token)| (*token, more + spelling.len()))
}

/// The bytes that letters of the standard alphabet say, counted in groups of four from the first one.
#[must_use]
pub fn decode(letters: &[u8]) -> Zeroizing<Vec<u8>> {
    let (groups, rest) = letters.split_at(letters.len() / 4 * 4);
    let mut bytes = Zeroizing::new(bytes_of(groups));
    // Two or three letters at the end hold one or two bytes. Their spare bits are not looked at: a cut leaves anything there.
    if rest.len() > 1 {
        let mut last = [b'A'; 4];
        last.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
        bytes.extend(bytes_of(&last).into_iter().take(rest.len() - 1));
    }
    bytes
}

fn bytes_of(groups: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(groups).unwrap_or_default();
    Base64Unpadded::decode_vec(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(run: &Run) -> &str {
        std::str::from_utf8(run.letters()).unwrap()
    }

    #[test]
    fn every_spelling_of_a_line_break_joins_the_lines() {
        for gap in [
            "\n",
            "\r\n",
            "\r",
            "\\n",
            "\\r\\n",
            "\\\\n",
            "\\\\\\\\n",
            "\\u000a",
            "\\u000D\\u000A",
            "%0A",
            "%0D%0a",
            " ",
            "&#10;",
            "&#xD;&#xA;",
            "\\\n",
            "",
        ] {
            let text = format!("{gap}QUJD{gap}REVG{gap}Rw=={gap}-----END");
            let run = Run::read(text.as_bytes(), 0);
            assert_eq!(letters(&run), "QUJDREVGRw", "{gap:?}");
            assert_eq!(&**run.decode(), b"ABCDEFG");
            assert_eq!(&text[run.end()..], "-----END", "{gap:?}");
            assert!(text[run.range()].starts_with("QUJD") && text[run.range()].ends_with("Rw=="), "{gap:?}");
            let back = Run::read_back(text.as_bytes(), run.end()).unwrap();
            assert_eq!(back.range(), run.range());
        }
    }

    #[test]
    fn letters_may_be_escaped_too() {
        let run = Run::read(b"ab\\u002Bc\\/d%2Be%3D%3D\0", 0);
        assert_eq!(letters(&run), "ab+c/d+e");
        assert_eq!(run.padding, 2);
    }

    #[test]
    fn groups_are_counted_from_the_end_where_the_head_is_gone() {
        for cut in 0..9 {
            let text = &"QUJDREVGRw=="[cut..];
            let run = Run::read_back(text.as_bytes(), text.len()).unwrap();
            assert!(b"ABCDEFG".ends_with(&run.decode_from_end()), "{cut}");
            assert!(run.decode_from_end().len() + 3 * cut.div_ceil(4) >= 7, "{cut}");
        }
    }

    #[test]
    fn a_run_read_back_starts_behind_what_breaks_it() {
        let text = b"no: key=QUJD%zzREVG\nRw==";
        let run = Run::read_back(text, text.len()).unwrap();
        assert_eq!(letters(&run), "zzREVGRw");
        assert!(Run::read_back(b"a:", 2).is_none());
        assert!(Run::read_back(b"", 0).is_none());
    }

    #[test]
    fn prose_behind_a_body_is_left_alone() {
        let text = b"AAAAAAAA\nBBBBBBBB\nCCC\nthis is not part of it";
        assert_eq!(letters(&Run::read(text, 0).keep_head()), "AAAAAAAABBBBBBBBCCC");
        let text = b"AAAAAAAA\nBBBBBBBB\n\nCCCCCCCC";
        assert_eq!(letters(&Run::read(text, 0).keep_head()), "AAAAAAAABBBBBBBB");
        assert_eq!(letters(&Run::read(text, 0).keep_tail()), "CCCCCCCC");
        let text = b"words before\nAAA\nBBBBBBBB\nCCCCCCCC\nDD==";
        let run = Run::read_back(text, text.len()).unwrap().keep_tail();
        assert_eq!(letters(&run), "AAABBBBBBBBCCCCCCCCDD");
        assert_eq!(&text[run.range()], b"AAA\nBBBBBBBB\nCCCCCCCC\nDD==");
    }

    #[test]
    fn hostile_text_ends_a_run_and_nothing_else() {
        for text in [&b"\\"[..], b"\\\\\\\\\\\\\\\\\\\\\\\\n", b"%", b"%0", b"&#", b"=", b"==", b"\\u00", b"\xff\xfe"] {
            let run = Run::read(text, 0);
            assert!(run.decode().len() < 2);
            let _ = Run::read_back(text, text.len());
            let _ = Run::read(text, 99).keep_head().range();
        }
    }
}
