//! Text in gzip (RFC 1952), as clients and servers of HTTP keep the bodies that they received and sent.
//!
//! A stream is decoded from its header on as far as it goes: what comes behind bytes that were overwritten is lost to everybody.
//! It is fed a few bytes at a time, so that it is known which of them hold the code of what comes out. The code of a piece of
//! text cannot be told from that of its neighbours by whole bytes, so a site is a little longer than its text's code.

use flate2::{Decompress, FlushDecompress, Status};
use zeroize::Zeroizing;

use super::decoded::Place;
use super::{Candidate, Decoded, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Rule};
use crate::limits::Budget;
use crate::window::Window;

/// How a stream begins that is deflated, as all are.
pub const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Bytes of a header without a name and a comment.
const HEAD: usize = 10;

/// Bytes of a name or a comment that may stand in a header.
const NAME: usize = 4 << 10;

/// Bytes of an extra field, behind its length.
const EXTRA: usize = 2 + (64 << 10);

/// What a header costs at least, in bytes of text: a decoder is made for it.
const PRICE: usize = 256;

/// Compressed bytes that are decoded at once.
const STEP: usize = 8;

/// Bytes before a step that may hold the code of what comes out in it: a length with a distance has up to 48 bits, and the decoder
/// reads up to eight bytes ahead.
const BACK: usize = 14;

/// Compressed bytes that are read at once behind the margin of a window.
const READ: usize = 64 << 10;

/// Bytes of text that come out of one step at most: deflate makes 1,032 bytes of one.
const OUT: usize = 16 << 10;

/// Reads streams of gzip.
#[derive(Debug)]
pub struct GzipStreams;

impl Detector for GzipStreams {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(&MAGIC)])
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: HEAD }
    }

    fn confirm(&self, _candidate: Candidate, _window: &Window<'_>, _out: &mut Hits) {}

    fn decoded(&self, candidate: Candidate, window: &Window<'_>, budget: &mut Budget) -> Vec<Decoded> {
        inflate(window, candidate.at, budget).into_iter().collect()
    }
}

/// The text of the stream that begins at `at`, as far as the budget goes or a step further; `None` where nothing comes out.
#[must_use]
pub fn inflate(window: &Window<'_>, at: usize, budget: &mut Budget) -> Option<Decoded> {
    let mut at = behind_header(window, at).filter(|_| !budget.is_spent())?;
    let (text, places) = (Zeroizing::default(), Vec::new());
    let mut stream = Stream { inflater: Decompress::new(false), begins: at, text, places };
    loop {
        let shown = window.slice(at..window.bytes().len());
        let code = if shown.is_empty() { window.follow(at, READ) } else { shown.into() };
        let Some(read) = stream.feed(&code, at, budget.left()).filter(|_| !code.is_empty()) else { break };
        at += read;
    }
    let Stream { text, places, .. } = stream;
    budget.take(text.len().max(PRICE));
    (!text.is_empty()).then_some(Decoded { bytes: text, places, encoding: Encoding::Gzip })
}

/// Where the deflated bytes begin behind the header at `at`; `None` where that is no header.
fn behind_header(window: &Window<'_>, at: usize) -> Option<usize> {
    let (checked, extra, name, comment, reserved) = (2, 4, 8, 16, 0xe0);
    let head = window.follow(at, HEAD);
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _] = *head.as_ref() else { return None };
    if flags & reserved != 0 {
        return None;
    }
    let longest = if flags & (extra | name | comment) == 0 { 0 } else { EXTRA + 2 * NAME };
    let names = window.follow(at + HEAD, longest);
    let mut rest = names.as_ref();
    if flags & extra != 0 {
        let [low, high, more @ ..] = rest else { return None };
        rest = more.get(usize::from(u16::from_le_bytes([*low, *high]))..)?;
    }
    for text in [name, comment] {
        if flags & text != 0 {
            let end = memchr::memchr(0, rest.get(..NAME).unwrap_or(rest))?;
            rest = rest.get(end + 1..)?;
        }
    }
    Some(at + HEAD + (names.len() - rest.len()) + if flags & checked == 0 { 0 } else { 2 })
}

/// A stream that is being decoded.
struct Stream {
    inflater: Decompress,
    /// Where its first compressed byte stands.
    begins: usize,
    text: Zeroizing<Vec<u8>>,
    places: Vec<Place>,
}

impl Stream {
    /// Decodes what stands at `at` of the window, and tells how many bytes of it were read; `None` where the stream ended, is
    /// broken, or has come to `most` bytes of text.
    fn feed(&mut self, code: &[u8], at: usize, most: usize) -> Option<usize> {
        let mut done = 0;
        let mut out = Zeroizing::new([0; OUT]);
        while done < code.len() {
            let step = code.get(done..code.len().min(done + STEP)).unwrap_or_default();
            let before = (self.inflater.total_in(), self.inflater.total_out());
            let status = self.inflater.decompress(step, out.as_mut_slice(), FlushDecompress::None);
            let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(0);
            let (read, made) = (count(self.inflater.total_in(), before.0), count(self.inflater.total_out(), before.1));
            self.add(out.get(..made).unwrap_or_default(), at + done, read);
            done += read;
            if self.text.len() >= most || !matches!(status, Ok(Status::Ok)) || read == 0 && made == 0 {
                return None;
            }
        }
        Some(done)
    }

    fn add(&mut self, text: &[u8], at: usize, read: usize) {
        if text.is_empty() {
            return;
        }
        let code = at.saturating_sub(BACK).max(self.begins)..at + read;
        self.places.push(Place { from: self.text.len(), code });
        grow(&mut self.text, text);
    }
}

/// Adds `more` without leaving a copy behind where the bytes have to move.
fn grow(text: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    if text.capacity() < text.len() + more.len() {
        let mut wider = Zeroizing::new(Vec::with_capacity(2 * text.capacity() + more.len().max(OUT)));
        wider.extend_from_slice(text);
        *text = wider;
    }
    text.extend_from_slice(more);
}

/// A stream for tests.
#[cfg(test)]
pub fn stream_of(text: &[u8], builder: flate2::GzBuilder, level: u32) -> Vec<u8> {
    use std::io::Write as _;
    let mut stream = builder.write(Vec::new(), flate2::Compression::new(level));
    stream.write_all(text).unwrap();
    stream.finish().unwrap()
}

#[cfg(test)]
mod tests {
    use flate2::GzBuilder;

    use super::*;
    use crate::span::Span;

    const TOKEN: &[u8] = b"token-0123456789-correct-horse-battery";

    fn body() -> Vec<u8> {
        let fill = |from: u32| {
            (from..from + 300).map(|i| format!("{{\"n\": {}}}, ", i.wrapping_mul(2_654_435_761))).collect::<String>()
        };
        [fill(0).as_bytes(), TOKEN, fill(1000).as_bytes()].concat()
    }

    fn read(bytes: &[u8], at: usize, most: usize) -> Option<Decoded> {
        let pieces = [Span::new(0, bytes.len() as u64)];
        inflate(&Window::new(bytes, 0..bytes.len(), &pieces, &[]), at, &mut Budget::new(most))
    }

    #[test]
    fn a_stream_is_read_behind_any_header_and_without_its_end() {
        let builders = [
            GzBuilder::new(),
            GzBuilder::new().filename("a.json").comment("of a test"),
            GzBuilder::new().extra(vec![7; 40]).mtime(77),
        ];
        for (builder, level) in builders.into_iter().zip([0, 6, 9]) {
            let bytes = [&[0x1f; 9][..], &stream_of(&body(), builder, level), &[0xab; 9]].concat();
            let all = read(&bytes, 9, 1 << 20).unwrap();
            assert_eq!(all.bytes.as_slice(), &body()[..]);
            let cut = read(&bytes[..bytes.len() / 2], 9, 1 << 20).unwrap();
            assert!(cut.bytes.len() > 1000 && body().starts_with(&cut.bytes));
            let few = read(&bytes, 9, 2000).unwrap();
            assert!((2000..2000 + OUT).contains(&few.bytes.len()) && body().starts_with(&few.bytes));
            assert!(read(&bytes, 9, 0).is_none());
        }
    }

    #[test]
    fn a_text_is_gone_when_the_bytes_are_that_are_told_of_it() {
        for level in [0, 1, 6, 9] {
            let bytes = stream_of(&body(), GzBuilder::new(), level);
            let at = body().windows(TOKEN.len()).position(|w| w == TOKEN).unwrap();
            let all = read(&bytes, 0, 1 << 20).unwrap();
            let range = all.range(at..at + TOKEN.len());
            assert!(range.len() <= TOKEN.len() + 3 * BACK, "{range:?}");
            let mut other = bytes.clone();
            other[range.clone()].fill(0x55);
            let left = read(&other, 0, 1 << 20).map_or_else(Vec::new, |left| left.bytes.to_vec());
            assert!(!left.windows(8).any(|w| TOKEN.windows(8).any(|t| t == w)), "level {level}");
            // Neither bytes before it nor bytes behind it hold any of it.
            let mut before = bytes.clone();
            before.truncate(range.start);
            let left = read(&before, 0, 1 << 20).unwrap();
            assert!(!left.bytes.windows(4).any(|w| w == &TOKEN[..4]), "level {level}");
        }
    }

    #[test]
    fn what_is_no_stream_gives_nothing() {
        let bytes = stream_of(&body(), GzBuilder::new(), 6);
        for at in 0..10 {
            let mut other = bytes.clone();
            other[at] = 0xff;
            let read = read(&other, 0, 1 << 20);
            assert_eq!(read.is_some(), at >= 4, "byte {at} of the header");
        }
        assert!(read(&bytes[..9], 0, 1 << 20).is_none());
        assert!(read(&[&MAGIC[..], &[0; 60]].concat(), 0, 1 << 20).is_none());
    }
}
