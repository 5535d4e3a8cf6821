//! Text of base64 and hexadecimal digits, joined: the letters of every long run of it, with a map back to where they stand.
//!
//! What is encoded is looked for among these letters only: text, and the spellings of what is none.
//! A run goes on over line breaks and over letters that are escaped (`%2B`, `\/`, `\u002b`), and both alphabets are written
//! as one, so nothing is looked for twice or cut by the end of a line. A run is seen where [`SHORTEST`] letters
//! follow each other: 12 bytes in base64, 8 in hexadecimal, about the shortest token there is.

use std::ops::Range;

use multiversion::multiversion;

use super::marks::Marks;

/// Letters in a row that make a run. Any 15 hold a whole word of 8 at a multiple of 8, which is what is tested.
pub const SHORTEST: usize = 16;

const WORD: usize = 8;

/// The classes of a word of letters.
const ALL: u64 = u64::from_ne_bytes([1; WORD]);

/// Bytes of a run that are read at once.
const STRIDE: usize = 16;

/// Bytes that are classed at once.
const BLOCK: usize = 256;

/// What may stand for a letter, in URLs and forms, and in JSON.
const ESCAPED: &[(&[u8], u8)] =
    &[(b"%2b", b'+'), (b"%2f", b'/'), (b"\\/", b'/'), (b"\\u002b", b'+'), (b"\\u002f", b'/')];

/// What may stand for a line break.
const BREAKS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\\r\\n",
    b"\\n",
    b"%0d%0a",
    b"%0a",
    b"\\u000d\\u000a",
    b"\\u000a",
    b"&#xd;&#xa;",
    b"&#10;",
];

/// Blanks that may stand at the begin of a line.
const INDENT: usize = 32;

/// The letters of the runs in a window, in the standard alphabet, with a zero byte behind each run.
#[derive(Default)]
pub struct Letters {
    letters: zeroize::Zeroizing<Vec<u8>>,
    parts: Vec<Part>,
    runs: Vec<usize>,
    /// Where what was looked at ends, and the last run that was read.
    next: usize,
    floor: usize,
}

/// Letters that stand side by side; or one that is escaped, and then `width` is how many bytes spell it.
#[derive(Clone, Copy, Debug)]
struct Part {
    first: usize,
    at: usize,
    width: usize,
}

impl Letters {
    /// The letters.
    pub fn letters(&self) -> &[u8] {
        &self.letters
    }

    /// The letters of the run that has the letter `index`.
    pub fn run_of(&self, index: usize) -> Range<usize> {
        let next = self.runs.partition_point(|&first| first <= index);
        let start = next.checked_sub(1).and_then(|i| self.runs.get(i)).copied().unwrap_or(0);
        // A zero stands behind each run.
        let end = self.runs.get(next).copied().unwrap_or(self.letters.len()).saturating_sub(1);
        start..end.max(start)
    }

    /// The bytes that the letter `index` stands in.
    pub fn place(&self, index: usize) -> Range<usize> {
        let part =
            self.parts.partition_point(|part| part.first <= index).checked_sub(1).and_then(|i| self.parts.get(i));
        part.map_or(0..0, |part| {
            let at = part.at + (index - part.first);
            at..at + part.width
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.letters.clear();
        self.parts.clear();
        self.runs.clear();
        (self.next, self.floor) = (0, 0);
    }

    /// Adds the runs that have a word in `range`. Ranges come in order. With marks, parts that have none are passed over.
    pub fn add(&mut self, bytes: &[u8], range: Range<usize>, marks: Option<&Marks>) {
        let mut classes = [0; BLOCK];
        // Where this goes on, a run may begin before it.
        let mut floor = if range.start == self.next { self.floor } else { self.floor.max(range.start) };
        let first = range.start.max(floor);
        let mut at = first;
        while at < range.end {
            let end = (at + BLOCK).min(range.end);
            if marks.is_some_and(|marks| !marks.of(at..end).contains(&1)) {
                at = end;
                continue;
            }
            classes.fill(0);
            let any = class(bytes.get(at..end).unwrap_or_default(), &mut classes);
            let words = classes.as_chunks::<WORD>().0;
            for (i, word) in (0..if any { words.len() } else { 0 }).zip((at..).step_by(WORD)) {
                // A run that was read up to here may have more words in this block.
                if word < floor || words.get(i).is_none_or(|classes| u64::from_ne_bytes(*classes) != ALL) {
                    continue;
                }
                let around = [i.checked_sub(1), Some(i + 1)].map(|i| i.and_then(|i| words.get(i)));
                floor = short(bytes, word, around).unwrap_or_else(|| self.add_run(bytes, word, floor));
            }
            // Words stand at multiples of their length from the first one.
            at = end.max(first + floor.saturating_sub(first).div_ceil(WORD) * WORD);
        }
        (self.next, self.floor) = (range.end, floor);
    }

    /// Adds the run that has the letter at `at` and begins at `floor` or behind it; tells where it ends.
    fn add_run(&mut self, bytes: &[u8], at: usize, floor: usize) -> usize {
        let (first, parts) = (self.letters.len(), self.parts.len());
        let end = self.read(bytes, begin(bytes, at, floor));
        if self.letters.len() - first < SHORTEST {
            self.letters.truncate(first);
            self.parts.truncate(parts);
        } else {
            self.letters.push(0);
            self.runs.push(first);
        }
        end
    }

    /// Adds the letters that `rest` begins with, and tells how many there are.
    fn read_letters(&mut self, rest: &[u8]) -> usize {
        let (strides, tail) = rest.as_chunks::<STRIDE>();
        for (stride, read) in strides.iter().zip((0..).step_by(STRIDE)) {
            let (mut letters, mut others) = ([0; STRIDE], 0_u8);
            for (letter, &byte) in letters.iter_mut().zip(stride) {
                *letter = standard_of(byte);
                others |= u8::from(*letter == 0);
            }
            if others != 0 {
                let last = letters.iter().take_while(|b| **b != 0).count();
                self.letters.extend_from_slice(letters.get(..last).unwrap_or_default());
                return read + last;
            }
            self.letters.extend_from_slice(&letters);
        }
        let last = tail.iter().take_while(|b| is_letter(**b)).count();
        self.letters.extend(tail.iter().take(last).map(|&b| standard(b)));
        rest.len() - tail.len() + last
    }

    fn read(&mut self, bytes: &[u8], start: usize) -> usize {
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let plain = self.read_letters(rest);
            if plain > 0 {
                self.parts.push(Part { first: self.letters.len() - plain, at, width: 1 });
                at += plain;
            } else if !joins(rest.first()) {
                return at;
            } else if let Some((letter, width)) = escaped(bytes, at) {
                self.parts.push(Part { first: self.letters.len(), at, width });
                self.letters.push(letter);
                at += width;
            } else if let Some(len) = line_break(rest) {
                at += len;
            } else {
                return at;
            }
        }
    }
}

/// `range` and the bytes before and behind it, as far as a run of letters that has one in it may go on, also where they are in
/// UTF-16: up to a byte that is no part of any run, or two zeros.
pub fn around(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let goes_on = |pair: &[u8]| match *pair {
        [0, 0] => false,
        [first, second] => [first, second].into_iter().all(|b| b == 0 || is_letter(b) || is_of_joint(b)),
        _ => true,
    };
    let head = bytes.get(..range.start).unwrap_or_default();
    let tail = bytes.get(range.end..).unwrap_or_default();
    let before = head.windows(2).rposition(|pair| !goes_on(pair)).map_or(0, |at| at + 1);
    let behind = tail.windows(2).position(|pair| !goes_on(pair)).map_or(tail.len(), |at| at + 1);
    before..range.end + behind
}

/// Whether the byte may be part of an escape or of a line break, and is no letter.
fn is_of_joint(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | b'#' | b';' | b'\r' | b'\n' | b' ' | b'\t')
}

/// Where the letters around the word at `at` end, if they are too few for a run and nothing joins them to others; `around` are
/// the classes of the words before and behind. Most words of program text end here, before anything is written down.
fn short(bytes: &[u8], at: usize, around: [Option<&[u8; WORD]>; 2]) -> Option<usize> {
    let [before, behind] = around.map(|classes| classes.map(|classes| u64::from_le_bytes(*classes) ^ ALL));
    // At the ends of a block the bytes themselves are asked.
    let count =
        |letters: &mut dyn Iterator<Item = &u8>| letters.take(WORD).take_while(|byte| is_letter(**byte)).count();
    let head = || count(&mut bytes.get(..at).unwrap_or_default().iter().rev());
    let tail = || count(&mut bytes.get(at + WORD..).unwrap_or_default().iter());
    let before = before.map_or_else(head, |others| others.leading_zeros() as usize / 8);
    let behind = behind.map_or_else(tail, |others| others.trailing_zeros() as usize / 8);
    let end = at + WORD + behind;
    // All but the first byte of an escape are letters, too.
    let begun = || at.checked_sub(before + 1).is_some_and(|head| escaped(bytes, head).is_some());
    (before + WORD + behind < SHORTEST && !goes_on(bytes, end) && !begun()).then_some(end)
}

/// Whether letters that end at `end` and are too few for a run are a part of one: an escape follows, or a line break and enough letters. A
/// word at the end of a line of prose is none.
fn goes_on(bytes: &[u8], end: usize) -> bool {
    let rest = bytes.get(end..).unwrap_or_default();
    let enough = |at: usize| rest.get(at..at + SHORTEST).is_some_and(|line| line.iter().all(|byte| is_letter(*byte)));
    joins(rest.first()) && (escaped(bytes, end).is_some() || line_break(rest).is_some_and(enough))
}

/// Whether an escape or a line break may begin with the byte.
fn joins(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b'\\' | b'%' | b'&' | b'\r' | b'\n'))
}

/// Where the run that has a letter at `at` begins: lines before are found by themselves, so only escapes are stepped over.
fn begin(bytes: &[u8], at: usize, floor: usize) -> usize {
    let mut start = at;
    loop {
        let before = bytes.get(floor..start).unwrap_or_default();
        start -= before.iter().rev().take_while(|b| is_letter(**b)).count();
        // All but the first byte of an escape are letters, too.
        let escape = start.checked_sub(1).filter(|&mark| mark >= floor && escaped(bytes, mark).is_some());
        match escape {
            Some(mark) => start = mark,
            None => return skip_half_escape(bytes, start, floor),
        }
    }
}

/// The letter that is escaped at `at`, and the length of its spelling.
fn escaped(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(at..).filter(|rest| joins(rest.first()))?;
    ESCAPED.iter().find(|(spelling, _)| begins(rest, spelling)).map(|(spelling, letter)| (*letter, spelling.len()))
}

/// The letter behind a backslash or a percent sign belongs to an escape that ends the run: `n` in `\nQUJD`.
fn skip_half_escape(bytes: &[u8], start: usize, floor: usize) -> usize {
    let before = start.checked_sub(1).filter(|&i| i >= floor).and_then(|i| bytes.get(i));
    let len = match (before, bytes.get(start)) {
        (Some(b'\\'), Some(b'u')) => 5,
        (Some(b'\\'), Some(b'x')) => 3,
        (Some(b'\\'), Some(b'n' | b'r' | b't' | b'f' | b'b' | b'v' | b'a' | b'0')) => 1,
        (Some(b'%'), _) => 2,
        _ => 0,
    };
    start + len
}

/// How long the line break at the begin of `rest` is, its indent included, where a letter follows.
fn line_break(rest: &[u8]) -> Option<usize> {
    let spelling = BREAKS.iter().find(|spelling| begins(rest, spelling))?;
    let behind = rest.get(spelling.len()..)?;
    let indent = behind.iter().take(INDENT).take_while(|b| matches!(b, b' ' | b'\t')).count();
    behind.get(indent).is_some_and(|b| is_letter(*b)).then_some(spelling.len() + indent)
}

fn begins(rest: &[u8], spelling: &[u8]) -> bool {
    rest.get(..spelling.len()).is_some_and(|start| start.eq_ignore_ascii_case(spelling))
}

/// Each letter in the standard alphabet, and zero for what is none: one load says both, at every byte of every run.
const STANDARD: [u8; 256] = standard_letters();

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn standard_letters() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = standard_of(byte);
        byte += 1;
    }
    table
}

/// The same without a table, so that it becomes vector code.
#[inline]
const fn standard_of(byte: u8) -> u8 {
    let alphabetic = (byte | 0x20).wrapping_sub(b'a') < 26;
    // The digits and the slash before them.
    let same = alphabetic | (byte.wrapping_sub(b'/') < 11) | (byte == b'+');
    let mut letter = if same { byte } else { 0 };
    letter = if byte == b'-' { b'+' } else { letter };
    if byte == b'_' { b'/' } else { letter }
}

#[inline]
fn standard(byte: u8) -> u8 {
    STANDARD.get(usize::from(byte)).copied().unwrap_or_default()
}

#[inline]
fn is_letter(byte: u8) -> bool {
    standard(byte) != 0
}

/// Writes 1 for every letter, and tells whether there is a word of letters only: without branches, so that it becomes vector code.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn class(block: &[u8], classes: &mut [u8; BLOCK]) -> bool {
    for (class, &b) in classes.iter_mut().zip(block) {
        let alphabetic = (b | 0x20).wrapping_sub(b'a') < 26;
        // The digits and the slash before them.
        let digit = b.wrapping_sub(b'/') < 11;
        *class = u8::from(alphabetic | digit | (b == b'+') | (b == b'-') | (b == b'_'));
    }
    classes.as_chunks().0.iter().fold(false, |any, word| any | (u64::from_ne_bytes(*word) == ALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs of a text as they are joined, and the bytes that each letter stands in.
    fn runs(text: &[u8]) -> Vec<String> {
        let mut letters = Letters::default();
        letters.add(text, 0..text.len(), None);
        for (i, &letter) in letters.letters().iter().enumerate().filter(|(_, b)| **b != 0) {
            let place = &text[letters.place(i)];
            assert!(place.len() > 1 || standard(place[0]) == letter);
            assert!(letters.run_of(i).contains(&i));
        }
        let all = letters.letters().split(|b| *b == 0).filter(|run| !run.is_empty());
        all.map(|run| String::from_utf8_lossy(run).into_owned()).collect()
    }

    #[test]
    fn letters_are_those_of_both_alphabets_in_the_standard_one() {
        let wanted = |byte: u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            b'+' | b'/' => byte,
            _ if byte.is_ascii_alphanumeric() => byte,
            _ => 0,
        };
        for byte in 0..=u8::MAX {
            assert_eq!([standard(byte), standard_of(byte)], [wanted(byte); 2], "{byte}");
        }
    }

    #[test]
    fn letters_are_read_as_far_as_they_go_at_every_length() {
        for len in 0..3 * STRIDE {
            let mut letters = Letters::default();
            let text = [vec![b'-'; len], b"=QUJD".to_vec()].concat();
            assert_eq!(letters.read_letters(&text), len);
            assert_eq!(letters.letters(), vec![b'+'; len]);
        }
    }

    #[test]
    fn a_run_is_seen_wherever_it_stands_and_a_shorter_one_is_not() {
        for before in 0..600 {
            let around = |run: &str| [&vec![b'.'; before][..], run.as_bytes(), b"...................."].concat();
            assert_eq!(runs(&around("QUJDREVGR0hJSktM")), ["QUJDREVGR0hJSktM"], "{before}");
            assert!(runs(&around("QUJDREVGR0hJSkt")).is_empty(), "{before}");
        }
    }

    #[test]
    fn words_of_two_lines_are_no_run_and_a_short_line_before_a_long_one_is_part_of_it() {
        for before in 0..300 {
            let of = |text: &str| runs(format!("{}{text}................", ".".repeat(before)).as_bytes());
            assert!(of("documentation\nprogramming").is_empty() && of("documentation\\nprogramming").is_empty());
            assert_eq!(of("QUJDREVGR0hJSktMTU5\nPUVJT"), ["QUJDREVGR0hJSktMTU5PUVJT"], "{before}");
            let both = of("QUJDREVGR0hJSkt\nMTU5PUVJTVFVWV1h");
            assert_eq!(both, ["QUJDREVGR0hJSktMTU5PUVJTVFVWV1h"], "{before}");
            assert_eq!(of("QUJDREVGR0hJSkt%2BTU5P"), ["QUJDREVGR0hJSkt+TU5P"], "{before}");
            assert_eq!(of("QU%2fDREVGR0hJSktMTU"), ["QU/DREVGR0hJSktMTU"], "{before}");
        }
    }

    #[test]
    fn what_runs_are_made_of_is_seen_around_a_range_and_nothing_else_ends_them() {
        let all = ESCAPED.iter().map(|(spelling, _)| *spelling).chain(BREAKS.iter().copied());
        assert!(all.flatten().all(|&b| is_letter(b) || is_of_joint(b)));
        let text = b"!!abc%2b\\n\r\n de!!";
        assert_eq!(around(text, 8..9), 2..text.len() - 2);
        let wide: Vec<u8> = text.iter().flat_map(|&b| [b, 0]).collect();
        let seen = around(&wide, 16..18);
        assert!(seen.contains(&4) && seen.contains(&(2 * text.len() - 6)) && seen.len() < 2 * text.len());
        assert_eq!(around(b"abc\0\0def\0\0abc", 6..7), 4..9);
    }

    #[test]
    fn lines_and_escaped_letters_are_joined_and_both_alphabets_are_one() {
        for gap in ["\n", "\r\n", "\\n", "%0A", "\\u000a", "\n   "] {
            assert_eq!(runs(format!("!QUJDREVGR0hJSktM{gap}TU5P=").as_bytes()), ["QUJDREVGR0hJSktMTU5P"], "{gap:?}");
        }
        assert_eq!(runs(b"a:QU%2BREVGR0hJSktMTU5P\\/JSktM-_ab "), ["QU+REVGR0hJSktMTU5P/JSktM+/ab"]);
        assert_eq!(runs(b"=QUJDREVGR0hJSktM=QUJDREVGR0hJSktN"), ["QUJDREVGR0hJSktM", "QUJDREVGR0hJSktN"]);
        assert_eq!(runs(b"\\nQUJDREVGR0hJSktM"), ["QUJDREVGR0hJSktM"], "the escape's letter is none of the run");
    }
}
