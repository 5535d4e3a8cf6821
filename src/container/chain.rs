//! Frames that follow each other in one file and decode to one stream: what `cat a.gz b.gz` and `pzstd` write.

use std::io::{self, Read, Write};
use std::ops::Range;

use crate::container::blocks::{self, List};
use crate::container::spool::Spool;
use crate::container::{Changed, Peel};
use crate::error::{Error, Result};
use crate::image::{Image, Stream};
use crate::span::Span;

/// The decoder of one frame.
pub trait Frame<'a>: Read + Send + Sized {
    /// Begins to decode the frame that stands next in `stream`.
    ///
    /// # Errors
    /// When it cannot be decoded, or would need more memory than it may have.
    fn open(stream: Stream<'a>) -> io::Result<Self>;
    /// The stream, behind the frame.
    fn close(self) -> Stream<'a>;
}

/// What stands next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A frame.
    Frame,
    /// So many bytes that decode to nothing, and may hold anything.
    Skip(u64),
    /// So many bytes of padding.
    Pad(u64),
    /// Nothing of this codec.
    End,
}

/// Bytes by which [`Next`] is told.
const HEAD: usize = 64;

/// The most runs of skippable frames that are remembered.
const SKIPPED: usize = 1 << 20;

/// Bytes that a frame is asked for at once. Always as many, whatever is asked of the chain: where a decoder fails, it loses what it made
/// since it was asked, and what is shown of a damaged stream must not depend on how it was read.
const STEP: usize = 16 << 10;

/// Decodes frames until there is none.
struct Chain<'a, F> {
    state: State<'a, F>,
    next: fn(&[u8]) -> Next,
    skipped: Vec<Span>,
    /// What was decoded, and which of it nobody has read.
    step: Vec<u8>,
    ready: Range<usize>,
}

enum State<'a, F> {
    Between(Stream<'a>),
    Inside(F),
    /// All frames are decoded, up to here; `None` where one is damaged.
    Done(Option<u64>),
}

impl<'a, F: Frame<'a>> Chain<'a, F> {
    fn enter(&mut self, stream: Stream<'a>) -> io::Result<State<'a, F>> {
        let mut stream = stream;
        Ok(match (self.next)(&stream.peek(HEAD)?) {
            Next::Frame => State::Inside(F::open(stream)?),
            Next::Pad(len) => {
                stream.skip(len);
                State::Between(stream)
            }
            Next::Skip(len) => {
                let from = stream.at();
                stream.skip(len);
                self.skip(Span::between(from, stream.at()))?;
                State::Between(stream)
            }
            Next::End => State::Done(Some(stream.at())),
        })
    }

    /// Decodes the next bytes, and says how many; none at the end.
    fn decode(&mut self) -> io::Result<usize> {
        self.step.resize(STEP, 0);
        loop {
            // Should the frame fail, the chain has ended.
            match std::mem::replace(&mut self.state, State::Done(None)) {
                State::Between(stream) => self.state = self.enter(stream)?,
                State::Inside(mut frame) => match frame.read(&mut self.step)? {
                    0 => self.state = State::Between(frame.close()),
                    got => {
                        self.state = State::Inside(frame);
                        return Ok(got);
                    }
                },
                State::Done(end) => {
                    self.state = State::Done(end);
                    return Ok(0);
                }
            }
        }
    }

    fn skip(&mut self, span: Span) -> io::Result<()> {
        let is_full = self.skipped.len() == SKIPPED;
        match self.skipped.last_mut() {
            Some(last) if last.end() == span.from() => *last = Span::between(last.from(), span.end()),
            _ if is_full => {
                return Err(io::Error::other(format!("more than {SKIPPED} skippable frames stand between others")));
            }
            _ => self.skipped.push(span),
        }
        Ok(())
    }
}

impl<'a, F: Frame<'a>> Read for Chain<'a, F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            self.ready = 0..self.decode()?;
        }
        let got = self.step.get(self.ready.clone()).unwrap_or_default().read(into)?;
        self.ready.start += got;
        Ok(got)
    }
}

/// The one member that takes the place of what was in a container of one stream.
///
/// # Errors
/// Where there is none.
pub fn only<'a>(changed: &Changed<'a>) -> Result<&'a Image> {
    changed.values().next().copied().ok_or(Error::Internal("packing a stream without its content"))
}

/// Encodes all of `image` with `encoder`, and gives it back to be finished.
///
/// # Errors
/// When the image cannot be read, or the encoder cannot write.
pub fn encode<W: Write>(image: &Image, mut encoder: W) -> io::Result<W> {
    io::copy(&mut Stream::from(image, 0), &mut encoder)?;
    Ok(encoder)
}

/// Gives the one member of `image` that the frames decode to.
///
/// # Errors
/// When the image cannot be read or the spool cannot be written.
pub fn members<'a, F: Frame<'a>>(image: &'a Image, next: fn(&[u8]) -> Next, peel: &mut Peel<'_>) -> Result<()> {
    give::<F>(image, next, peel, |chain, peel| (peel.decode(chain), None))
}

/// As [`members`], decoded by the blocks of this list where they hold what it says.
///
/// # Errors
/// When the image cannot be read or the spool cannot be written.
pub fn by_blocks<'a, F: Frame<'a>>(
    image: &'a Image,
    next: fn(&[u8]) -> Next,
    list: Box<dyn List<'a> + 'a>,
    peel: &mut Peel<'_>,
) -> Result<()> {
    give::<F>(image, next, peel, |chain, peel| blocks::read(list, peel.threads(), chain, |reader| peel.decode(reader)))
}

/// Gives what `decode` makes of the frames; where it did not ask them to the end, it says where they end.
fn give<'a, F: Frame<'a>>(
    image: &'a Image,
    next: fn(&[u8]) -> Next,
    peel: &mut Peel<'_>,
    decode: impl FnOnce(&mut Chain<'a, F>, &mut Peel<'_>) -> (Result<Spool>, Option<u64>),
) -> Result<()> {
    if !peel.admit() {
        return Ok(());
    }
    let state = State::Between(Stream::from(image, 0));
    let mut chain = Chain::<F> { state, next, skipped: Vec::new(), step: Vec::new(), ready: 0..0 };
    let (spool, end) = decode(&mut chain, peel);
    let spool = spool?;
    if let Some(end) = end {
        chain.state = State::Done(Some(end));
    }
    // What was decoded behind a cut depends on how far the decoder was ahead.
    if let (None, State::Done(Some(end))) = (&spool.cut, &chain.state) {
        let (mut at, end) = (0, *end);
        for skipped in chain.skipped {
            peel.cover(Span::between(at, skipped.from()));
            at = skipped.end();
        }
        peel.cover(Span::between(at, end));
        trailing(image, end, peel)?;
    }
    peel.decoded(0, None, spool, Vec::new())
}

/// What stands behind the last frame is padding, where it is zeros, or something that is not understood.
fn trailing(image: &Image, end: u64, peel: &mut Peel<'_>) -> Result<()> {
    let rest = Span::between(end, image.len());
    let (mut at, mut buffer) = (end, vec![0; 1 << 20]);
    while at < image.len() {
        let got = image.read_at(at, &mut buffer)?;
        if got == 0 || buffer.iter().take(got).any(|&byte| byte != 0) {
            let reason = "behind the end of the compressed stream stands something else; it was not unpacked, only \
                          scanned as it is";
            peel.gap(rest, reason);
            return Ok(());
        }
        at += got as u64;
    }
    peel.cover(rest);
    Ok(())
}
