//! From a literal in a window to hits: the letters around it, the pattern, and the places where regions end.

use std::ops::Range;

use memchr::memchr;
use regex::bytes::Captures;
use zeroize::Zeroizing;

use super::checks::Checked;
use super::file::Boundary;
use super::rule::TextRule;
use crate::detect::{Candidate, Detector, Hit, Hits, Reach, TextView, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule};
use crate::vault::Secret;
use crate::window::Window;

/// Region edges on either side of a literal at which a match is tried again. A token lies in one region or two; more edges
/// than this around one come from a dump that lies, and then the whole match is told.
const EDGES: usize = 8;

/// Secrets around one anchor: a table of keys may stand there.
const AROUND_MOST: usize = 64;

/// Something that fits, in letters of a text.
struct Found {
    secret: Range<usize>,
    told: Vec<String>,
    evidence: Evidence,
    /// The secret that the value holds, where it is not the value itself.
    inner: Option<(Zeroizing<Vec<u8>>, Encoding)>,
}

/// Letters, and which of them stand at a region's edge.
struct Text<'a> {
    letters: &'a [u8],
    is_edge: &'a dyn Fn(usize) -> bool,
}

impl Detector for TextRule {
    fn rules(&self) -> Vec<Rule> {
        let text = &self.text;
        let rule = Rule::new(&text.id, &text.title, text.severity.into(), &text.description, &text.remedy);
        vec![rule.under(text.profile).for_any(text.general)]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(self.literals.clone())
    }

    fn reach(&self) -> Reach {
        let (before, after) = self.reach_letters();
        Reach { before, after }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        if self.is_inside(candidate, window) {
            return;
        }
        match self.text.around {
            None => self.confirm_here(candidate, window, out),
            Some(around) => self.confirm_around(around, candidate, window, out),
        }
    }

    fn looks_under(&self, encoding: Encoding) -> bool {
        // A rule names codes of letters; what is compressed on its way is text for all of them.
        matches!(encoding, Encoding::Huffman | Encoding::Gzip) || self.decoders().contains(&encoding)
    }
}

impl TextRule {
    /// Whether a secret that begins here would begin inside of something longer: the cheapest test, and in a megabyte of base64 the
    /// one that most places fail.
    fn is_inside(&self, candidate: Candidate, window: &Window<'_>) -> bool {
        if !self.begins || matches!(self.text.boundary, Boundary::End | Boundary::None) {
            return false;
        }
        let (at, step) = if candidate.wide { (candidate.at, 2) } else { (candidate.at, 1) };
        let before = at.checked_sub(step).and_then(|before| window.byte(before));
        let is_letter = before.zip(self.alphabet.as_ref()).is_some_and(|(letter, alphabet)| alphabet.holds(letter));
        let is_joined = || step == 1 || at.checked_sub(1).and_then(|zero| window.byte(zero)) == Some(0);
        // In big-endian text a letter begins at the zero before it.
        is_letter && is_joined() && !(at + 1 - step..=at).any(|at| window.is_edge(at))
    }

    /// A rule whose match holds the literal.
    fn confirm_here(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let view = TextView::around(window, candidate, self.text.before + 1, self.after + 1);
        let at = view.letter_at(candidate.at);
        let edge = |letter: usize| window.is_edge(view.bytes_of(letter..letter).start);
        let text = Text { letters: view.letters(), is_edge: &edge };
        let whole = self.find(&text, 0..text.letters.len(), at);
        // Where a region ends inside the match, its alphabet may go on by chance in bytes that do not belong to it.
        let seen = whole.as_ref().map_or(0..text.letters.len(), |found| at.min(found.secret.start)..found.secret.end);
        let parts = parts(&view, window, seen, at);
        let cut = parts.into_iter().filter_map(|part| self.find(&text, part, at));
        for found in whole.into_iter().chain(cut) {
            self.tell(found, &view, window, out);
        }
    }

    /// A rule whose secret stands somewhere around its anchor.
    fn confirm_around(&self, around: usize, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        if !self.is_anchored(candidate, window) {
            return;
        }
        let strip = Strip::around(window, candidate, around);
        let edge = |letter: usize| window.is_edge(strip.place(letter));
        let text = Text { letters: &strip.letters, is_edge: &edge };
        let edges = window.edges_in(strip.place(0)..strip.place(text.letters.len()));
        let cuts: Vec<usize> = edges.map(|edge| strip.letter_at(edge)).take(2 * EDGES).collect();
        let mut found = self.find_all(&text, 0..text.letters.len());
        let ends = cuts.iter().copied().chain([text.letters.len()]);
        for (start, end) in [0].iter().chain(&cuts).copied().zip(ends).filter(|_| !cuts.is_empty()) {
            found.extend(self.find_all(&text, start..end));
        }
        for found in found {
            let first = Candidate { at: strip.place(found.secret.start), ..candidate };
            let view = TextView::around(window, first, 1, found.secret.len());
            let start = view.letter_at(first.at);
            let secret = start..start + found.secret.len();
            self.tell(Found { secret, ..found }, &view, window, out);
        }
    }

    fn is_anchored(&self, candidate: Candidate, window: &Window<'_>) -> bool {
        let view = TextView::around(window, candidate, self.text.before, self.after);
        let at = view.letter_at(candidate.at);
        let holds = |range: Range<usize>| range.contains(&at);
        self.anchor.as_ref().is_some_and(|anchor| anchor.find_iter(view.letters()).any(|m| holds(m.range())))
    }

    /// The match in `part` of the text that holds the letter `at`.
    fn find(&self, text: &Text<'_>, part: Range<usize>, at: usize) -> Option<Found> {
        let part = self.between_borders(text.letters, part, at);
        let must = self.text.must_follow.and_then(|c| u8::try_from(c).ok());
        let behind = text.letters.get(at..part.end)?;
        if must.is_some_and(|byte| memchr(byte, behind).is_none()) {
            return None;
        }
        if self.text.before == 0 {
            let captures = self.pattern.captures_at(behind, 0)?;
            return self.judge(text, &part, at, &captures);
        }
        let letters = text.letters.get(part.clone())?;
        let (at, mut earlier) = (at - part.start, None);
        let all = (0..=at).filter_map(|start| self.pattern.captures_at(letters, start));
        for captures in all.filter(|captures| captures.get(0).is_some_and(|whole| whole.end() > at)) {
            let judged = self.judge(text, &part, part.start, &captures);
            // In `a=1&b=2` the match of `a` may end with `&b=`: then what stands behind `b=` is in a later match.
            if self.secrets.iter().find_map(|&i| captures.get(i)).is_some_and(|secret| secret.end() > at) {
                return judged.or(earlier);
            }
            earlier = earlier.or(judged);
        }
        earlier
    }

    /// Every match in `part` of the text, each behind the one before it.
    fn find_all(&self, text: &Text<'_>, part: Range<usize>) -> Vec<Found> {
        let letters = text.letters.get(part.clone()).unwrap_or_default();
        let all = self.pattern.captures_iter(letters).filter_map(|c| self.judge(text, &part, part.start, &c));
        all.take(AROUND_MOST).collect()
    }

    /// The letters of `part` around `at` up to the nearest borders, one border on each side included.
    fn between_borders(&self, letters: &[u8], part: Range<usize>, at: usize) -> Range<usize> {
        let border = |byte: &u8| self.borders.get(usize::from(*byte)).copied().unwrap_or_default();
        let head = letters.get(part.start..at).unwrap_or_default();
        let tail = letters.get(at..part.end).unwrap_or_default();
        let start = head.iter().rposition(border).map_or(part.start, |border| part.start + border);
        // The trigger itself may hold such a letter at its ends.
        let end = tail.iter().skip(1).position(border).map_or(part.end, |end| at + end + 2);
        start..end
    }

    /// Whether what the pattern found in `part`, looking from the letter `from` on, is a secret.
    fn judge(&self, text: &Text<'_>, part: &Range<usize>, from: usize, captures: &Captures<'_>) -> Option<Found> {
        let (i, group) = self.secrets.iter().find_map(|&i| Some((i, captures.get(i)?)))?;
        let start = from + group.start();
        let (value, end) = if self.counted.contains(&i) {
            let count = *text.letters.get(start.checked_sub(1)?)?;
            let value = group.as_bytes().get(..usize::from(count))?;
            (value, start + value.len())
        } else {
            (without_escapes(first_line(group.as_bytes())), from + group.end())
        };
        let (seen, secret) = (start..end, start..start + value.len());
        let fits = self.letters_fit(value)
            && self.is_bounded(text, part, &seen)
            && !self.is_placeholder(value)
            && self.context_fits(captures);
        if !fits {
            return None;
        }
        let checked = self.text.checksum.map(|check| check.look(value));
        let (evidence, Checked { inner, part }) = match checked {
            None => (Evidence::Matched, Checked::default()),
            Some(Some(checked)) => (Evidence::Parsed, checked),
            Some(None) if self.text.checksum_optional => (Evidence::Matched, Checked::default()),
            Some(None) => return None,
        };
        let secret = part.map_or(secret.clone(), |part| secret.start + part.start..secret.start + part.end);
        if inner.as_ref().is_some_and(|(inner, _)| self.is_placeholder(inner)) {
            return None;
        }
        let told = self.contexts.iter().filter_map(|&i| captures.get(i)).map(|c| c.as_bytes());
        let told = told.filter(|c| !c.is_empty()).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        Some(Found { secret, told, evidence, inner })
    }

    /// Whether the alphabet ends where the secret does, or a region.
    fn is_bounded(&self, text: &Text<'_>, part: &Range<usize>, secret: &Range<usize>) -> bool {
        let ends = || secret.end == part.end || self.is_outside(text, secret.end) || (text.is_edge)(secret.end);
        self.starts_bounded(text, part, secret.start)
            && (matches!(self.text.boundary, Boundary::Start | Boundary::None) || ends())
    }

    fn starts_bounded(&self, text: &Text<'_>, part: &Range<usize>, start: usize) -> bool {
        matches!(self.text.boundary, Boundary::End | Boundary::None)
            || start <= part.start
            || self.is_outside(text, start - 1)
            || (text.is_edge)(start)
    }

    /// Whether a letter is none of the rule's alphabet. Where there is no alphabet, a secret may end anywhere.
    fn is_outside(&self, text: &Text<'_>, at: usize) -> bool {
        let Some(alphabet) = &self.alphabet else { return true };
        text.letters.get(at).is_none_or(|&letter| !alphabet.holds(letter))
    }

    /// Tells a hit, if a word that the rule asks for stands near it.
    fn tell(&self, found: Found, view: &TextView<'_>, window: &Window<'_>, out: &mut Hits) {
        let range = view.bytes_of(found.secret.clone());
        let letter = if view.encoding() == Encoding::Plain { 1 } else { 2 };
        let far = self.text.within.unwrap_or(0) * letter;
        let around = window.slice(range.start.saturating_sub(far)..range.end.saturating_add(far));
        if self.near.as_ref().is_some_and(|words| !words.is_match(around)) {
            return;
        }
        let letters = view.letters().get(found.secret).unwrap_or_default();
        let (secret, encoding) = match &found.inner {
            Some((inner, encoding)) => (Secret::text(inner), *encoding),
            None => (Secret::text(letters), view.encoding()),
        };
        let public = PublicIdentity { context: found.told, ..PublicIdentity::default() };
        let (rule, severity, evidence) = (self.text.id.clone(), None, found.evidence);
        out.hits.push(Hit {
            rule,
            severity,
            evidence,
            public,
            secret,
            range,
            form: Form::whole(Layout::Text, encoding),
        });
    }
}

/// The value without the line breaks and NULs behind it that stand there as escapes: of a text that is a string of JSON, such as a
/// line of a log, they are what ends the value.
fn without_escapes(value: &[u8]) -> &[u8] {
    const LEAST: usize = 4;
    let control =
        |tail: &[u8]| matches!(tail, [b'\\', b'u', b'0', b'0', b'0' | b'1', digit] if digit.is_ascii_hexdigit());
    let mut left = value;
    loop {
        let short = left.len().checked_sub(2).filter(|&at| matches!(left.get(at..), Some(b"\\n" | b"\\r" | b"\\t")));
        let long = left.len().checked_sub(6).filter(|&at| left.get(at..).is_some_and(control));
        match short.or(long).and_then(|at| left.get(..at)) {
            Some(rest) if rest.len() >= LEAST => left = rest,
            _ => return left,
        }
    }
}

/// The value up to a line break that stands there as an escape, where another name and its value or the end of a string come behind
/// it: of a file that is a string of JSON, `hunter2\nhost=db`. Anything else may be a part of the value, such as a line of base64.
fn first_line(value: &[u8]) -> &[u8] {
    const LEAST: usize = 4;
    let breaks = value.windows(2).enumerate().filter(|(_, pair)| *pair == b"\\n").map(|(at, _)| at);
    let ends = |at: usize| value.get(at + 2..).is_some_and(|behind| is_closed(behind) || begins_a_line(behind));
    let Some(head) = breaks.into_iter().find(|&at| ends(at)).and_then(|at| value.get(..at)) else { return value };
    let head = without_slashes(head);
    let head = head.strip_suffix(b"\\r").map_or(head, without_slashes);
    if head.len() < LEAST { value } else { head }
}

/// Text in text has its backslashes doubled.
fn without_slashes(head: &[u8]) -> &[u8] {
    let slashes = head.iter().rev().take_while(|&&letter| letter == b'\\').count();
    head.get(..head.len() - slashes).unwrap_or(head)
}

/// The end of a string of JSON, and what may come behind it.
fn is_closed(behind: &[u8]) -> bool {
    let slashes = behind.iter().take_while(|&&letter| letter == b'\\').count();
    matches!(behind.get(slashes..), Some([b'"'] | [b'"', b',' | b'}' | b']' | b')', ..]))
}

/// `name=value` or `name: value`, the name of letters only: the last line of base64 is none.
fn begins_a_line(behind: &[u8]) -> bool {
    let is_name = |letter: &&u8| letter.is_ascii_alphabetic() || matches!(letter, b'_' | b'.' | b'-');
    let name = behind.iter().take_while(is_name).count();
    let named = (2..=60).contains(&name) && behind.first().is_some_and(u8::is_ascii_alphabetic);
    let valued = match behind.get(name..) {
        Some([b'=', first, ..]) => first.is_ascii_alphanumeric() || matches!(first, b'/' | b'$'),
        Some([b':', b' ', ..]) => true,
        _ => false,
    };
    named && valued
}

/// The text up to, and from, each region edge inside `seen`; nearest to the letter `at` first.
fn parts(view: &TextView<'_>, window: &Window<'_>, seen: Range<usize>, at: usize) -> Vec<Range<usize>> {
    let len = view.letters().len();
    let letters = |range: Range<usize>| window.edges_in(view.bytes_of(range)).map(|edge| view.letter_at(edge));
    let behind = letters(at..seen.end).filter(|&edge| edge > at).take(EDGES).map(|edge| 0..edge);
    let mut before: Vec<usize> = letters(seen.start..at.max(seen.start)).chain(letters_at(view, window, at)).collect();
    before.reverse();
    behind.chain(before.into_iter().take(EDGES).map(|edge| edge..len)).collect()
}

/// The letter `at`, if a region begins right there.
fn letters_at(view: &TextView<'_>, window: &Window<'_>, at: usize) -> Option<usize> {
    window.is_edge(view.bytes_of(at..at).start).then_some(at)
}

/// Letters around an anchor, whatever stands between them: UTF-16 is narrowed at the anchor's parity, and what is no letter
/// becomes NUL.
struct Strip<'a> {
    letters: std::borrow::Cow<'a, [u8]>,
    start: usize,
    stride: usize,
}

impl<'a> Strip<'a> {
    fn around(window: &Window<'a>, candidate: Candidate, letters: usize) -> Self {
        let stride = if candidate.wide { 2 } else { 1 };
        let start = candidate.at - (candidate.at / stride).min(letters) * stride;
        let bytes = window.slice(start..candidate.at.saturating_add(letters * stride));
        if !candidate.wide {
            return Self { letters: bytes.into(), start, stride };
        }
        let zero = |at: Option<usize>| at.and_then(|at| window.byte(at)) == Some(0);
        let letter = |(at, byte): (usize, &u8)| {
            let wide = zero(Some(at + 1)) || zero(at.checked_sub(1));
            if wide { *byte } else { 0 }
        };
        let narrowed: Vec<u8> = (start..).step_by(2).zip(bytes.iter().step_by(2)).map(letter).collect();
        Self { letters: narrowed.into(), start, stride }
    }

    fn place(&self, letter: usize) -> usize {
        self.start + letter * self.stride
    }

    fn letter_at(&self, place: usize) -> usize {
        place.saturating_sub(self.start).div_ceil(self.stride).min(self.letters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{first_line, without_escapes};

    #[test]
    fn what_comes_behind_an_escaped_line_break_is_of_the_value_unless_it_is_a_line() {
        for (text, want) in [
            (r"hunter2\nhost=db", "hunter2"),
            (r"hunter2\r\nspring.jpa.x=1", "hunter2"),
            (r"hunter2\\nhost=db", "hunter2"),
            (r#"hunter2\r\n"}"#, "hunter2"),
            (r#"hunter2\\r\\n\"}"#, "hunter2"),
            (r"hunter2\nuser: app", "hunter2"),
            (r"hun\nter2", r"hun\nter2"),
            (r"hun\nter2=", r"hun\nter2="),
            (r"QUJDREVG\nR0hJSks=\n", r"QUJDREVG\nR0hJSks=\n"),
            (r"abc\nhost=db", r"abc\nhost=db"),
            ("", ""),
        ] {
            assert_eq!(first_line(text.as_bytes()), want.as_bytes(), "{text}");
        }
    }

    #[test]
    fn escapes_behind_a_value_are_not_of_it() {
        for (text, want) in [
            (r"hunter2\n", "hunter2"),
            (r"hunter2\r\n", "hunter2"),
            (r"hunter2\u0000\u001f", "hunter2"),
            (r"hunter2\u0041", r"hunter2\u0041"),
            (r"hun\nter2", r"hun\nter2"),
            (r"abc\n", r"abc\n"),
            ("", ""),
        ] {
            assert_eq!(without_escapes(text.as_bytes()), want.as_bytes(), "{text}");
        }
    }
}
