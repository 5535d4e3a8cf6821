//! How far a spelling and a window agree around a place where they share a gram.

use std::ops::Range;

use crate::finding::Encoding;
use crate::scan::forms::{Grain, Spelling, sum};
use crate::window::Window;

/// Bytes in a row without which nothing is a fragment.
const LEAST: usize = 8;

/// What may stand between two letters of a text that is broken into lines: line ends, also escaped ones of a text in a text.
const BREAKS: [&[u8]; 7] = [b"\r\n", b"\n", b"\r", b"\\r\\n", b"\\n", b"\\\\n", b" "];

/// A stretch of a window and the stretch of a spelling that it is equal to, line breaks left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// In the window.
    pub here: Range<usize>,
    /// In the spelling.
    pub of: Range<usize>,
    /// Where in the window lines begin, with the byte of the spelling that begins them.
    pub lines: Vec<(usize, usize)>,
}

/// The longest run through the byte `into` of the spelling at the place `at` of the window.
#[must_use]
pub fn run(spelling: &Spelling, window: &Window<'_>, at: usize, into: usize) -> Run {
    let (head, tail) = spelling.bytes.split_at_checked(into).unwrap_or_default();
    let mut lines = Vec::new();
    let (end, to) = forward(spelling, window, at, tail, &mut lines);
    let (start, from) = backward(spelling, window, at, head, &mut lines);
    lines.iter_mut().filter(|(place, _)| *place >= at).for_each(|(_, of)| *of += into);
    Run { here: start..end, of: from..into + to, lines }
}

/// Where the run ends, and how many bytes of `tail` are in it.
fn forward(
    spelling: &Spelling,
    window: &Window<'_>,
    mut at: usize,
    tail: &[u8],
    lines: &mut Vec<(usize, usize)>,
) -> (usize, usize) {
    let mut done = 0;
    loop {
        let rest = tail.get(done..).unwrap_or_default();
        let same = common(&window.follow(at, rest.len()), rest);
        (at, done) = (at + same, done + same);
        let Some(width) = break_at(spelling, window, at).filter(|_| done < tail.len()) else { return (at, done) };
        // A break counts only where the text goes on behind it.
        let next = tail.get(done).copied();
        let mut behind = at + width;
        while let Some(more) = break_at(spelling, window, behind).filter(|_| window.byte(behind) != next) {
            behind += more;
        }
        if window.byte(behind) != next {
            return (at, done);
        }
        at = behind;
        lines.push((at, done));
    }
}

/// Where the run begins, and how many bytes of `head` are before it.
fn backward(
    spelling: &Spelling,
    window: &Window<'_>,
    mut at: usize,
    head: &[u8],
    lines: &mut Vec<(usize, usize)>,
) -> (usize, usize) {
    let mut left = head.len();
    loop {
        let rest = head.get(..left).unwrap_or_default();
        let same = common_end(window.slice(0..at), rest);
        (at, left) = (at - same, left - same);
        let Some(width) = break_before(spelling, window, at).filter(|_| left > 0) else { return (at, left) };
        let next = head.get(left - 1).copied();
        let mut before = at - width;
        let byte_before = |place: usize| place.checked_sub(1).and_then(|i| window.byte(i));
        while let Some(more) = break_before(spelling, window, before).filter(|_| byte_before(before) != next) {
            before -= more;
        }
        if byte_before(before) != next {
            return (at, left);
        }
        at = before;
        // The line before this one, told by the place where its bytes would begin.
        if let Some(start) = at.checked_sub(left) {
            lines.push((start, 0));
        }
    }
}

fn break_at(spelling: &Spelling, window: &Window<'_>, at: usize) -> Option<usize> {
    let may_begin = spelling.broken && matches!(window.byte(at), Some(b'\r' | b'\n' | b'\\' | b' '));
    if may_begin { breaks(spelling.grain, |width| window.slice(at..at + width)) } else { None }
}

fn break_before(spelling: &Spelling, window: &Window<'_>, at: usize) -> Option<usize> {
    let zero = usize::from(spelling.grain == Grain::Wide);
    let last = at.checked_sub(1 + zero).and_then(|i| window.byte(i));
    let may_end = spelling.broken && matches!(last, Some(b'\r' | b'\n' | b'r' | b'n' | b' '));
    let before = |width| at.checked_sub(width).map_or(&[][..], |from| window.slice(from..at));
    if may_end { breaks(spelling.grain, before) } else { None }
}

/// Bytes of the longest line break that stands there.
fn breaks<'w>(grain: Grain, slice: impl Fn(usize) -> &'w [u8]) -> Option<usize> {
    let unit = if grain == Grain::Wide { 2 } else { 1 };
    let stands = |letters: &&[u8]| {
        let seen = slice(unit * letters.len());
        let same =
            |(seen, letter): (&[u8], &u8)| seen.first() == Some(letter) && seen.get(1).is_none_or(|&zero| zero == 0);
        seen.len() == unit * letters.len() && seen.chunks(unit).zip(*letters).all(same)
    };
    BREAKS.into_iter().filter(stands).map(|letters| unit * letters.len()).max()
}

/// How many bytes at the beginning are the same.
fn common(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(32).zip(b.chunks_exact(32)).take_while(|(a, b)| a == b).count() * 32;
    let rest = a.iter().skip(words).zip(b.iter().skip(words));
    words + rest.take_while(|(a, b)| a == b).count()
}

/// How many bytes at the end are the same.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let words = a.rchunks_exact(32).zip(b.rchunks_exact(32)).take_while(|(a, b)| a == b).count() * 32;
    let rest = a.iter().rev().skip(words).zip(b.iter().rev().skip(words));
    words + rest.take_while(|(a, b)| a == b).count()
}

impl Run {
    /// Whether all of the spelling stands there.
    #[must_use]
    pub fn is_whole(&self, spelling: &Spelling) -> bool {
        self.of == (0..spelling.bytes.len())
    }

    /// The range of the site, if it is one: a whole spelling, or enough of it.
    #[must_use]
    pub fn site(&self, spelling: &Spelling, window: &Window<'_>) -> Option<Range<usize>> {
        // Where text in UTF-16 begins behind a zero byte or ends before one, both byte orders fit, one byte apart: that is
        // one site, told as LE.
        if spelling.form.encoding == Encoding::Utf16Be && window.byte(self.here.end) == Some(0) {
            return None;
        }
        let before = if self.of.start == 0 { spelling.shared.0 } else { 0 };
        let behind = if self.of.end == spelling.bytes.len() { spelling.shared.1 } else { 0 };
        let range = self.here.start.saturating_sub(before)..self.here.end + behind;
        if self.is_whole(spelling) {
            return (!spelling.word || is_word(window, &range)).then_some(range);
        }
        let bits = spelling.bits.get(self.of.clone()).map_or(0, sum);
        let enough = self.of.len() >= LEAST && spelling.need.is_some_and(|need| bits >= need);
        enough.then_some(range)
    }
}

/// Whether the bytes around a short secret end it: `root` in `root:` counts, in `uprooted` it does not. In UTF-16 the
/// neighbours are zero bytes; what stands next to those decides.
fn is_word(window: &Window<'_>, range: &Range<usize>) -> bool {
    let letter = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let back = |n: usize| range.start.checked_sub(n).and_then(|i| window.byte(i));
    let wide = window.byte(range.start + 1) == Some(0) || window.byte(range.start) == Some(0);
    let next = |near: Option<u8>, far: Option<u8>| letter(near) || wide && near == Some(0) && letter(far);
    !next(back(1), back(2)) && !next(window.byte(range.end), window.byte(range.end + 1))
}
