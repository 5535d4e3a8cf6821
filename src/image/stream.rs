//! Reading an image from front to back, as decoders want it.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::image::Image;
use crate::span::Span;

/// Bytes that are read ahead.
const AHEAD: usize = 256 << 10;

/// A part of an image as a stream. It knows exactly how many bytes were taken from it.
#[derive(Debug)]
pub struct Stream<'a> {
    image: &'a Image,
    span: Span,
    /// Offset in the image of the next byte.
    at: u64,
    buffer: Vec<u8>,
    /// What of the buffer is not yet taken.
    ready: std::ops::Range<usize>,
}

impl<'a> Stream<'a> {
    /// The bytes of `span`, clipped to the image.
    #[must_use]
    pub fn new(image: &'a Image, span: Span) -> Self {
        let span = Span::between(span.from().min(image.len()), span.end().min(image.len()));
        Self { image, span, at: span.from(), buffer: Vec::new(), ready: 0..0 }
    }

    /// All bytes from `at` on.
    #[must_use]
    pub fn from(image: &'a Image, at: u64) -> Self {
        Self::new(image, Span::between(at.min(image.len()), image.len()))
    }

    /// Offset in the image of the next byte that is read.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes, at most `len`, without taking them.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn peek(&self, len: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.span.end() - self.at).unwrap_or(usize::MAX);
        self.image.bytes(self.at, len.min(left)).map_err(io::Error::other)
    }

    /// Passes over `len` bytes, or to the end.
    pub fn skip(&mut self, len: u64) {
        self.at = self.at.saturating_add(len).min(self.span.end());
        self.ready = 0..0;
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready.is_empty() {
            let left = usize::try_from(self.span.end() - self.at).unwrap_or(AHEAD).min(AHEAD);
            self.buffer.resize(left, 0);
            let got = self.image.read_at(self.at, &mut self.buffer).map_err(io::Error::other)?;
            self.ready = 0..got;
        }
        Ok(self.buffer.get(self.ready.clone()).unwrap_or_default())
    }

    fn consume(&mut self, taken: usize) {
        let taken = taken.min(self.ready.len());
        self.ready.start += taken;
        self.at += taken as u64;
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(into)?;
        self.consume(got);
        Ok(got)
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (start, end) = (self.span.from(), self.span.end());
        let at = match to {
            SeekFrom::Start(into) => start.checked_add(into),
            SeekFrom::End(by) => end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.filter(|at| (start..=end).contains(at)).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = at;
        self.ready = 0..0;
        Ok(at - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_knows_where_it_is() {
        let image = Image::from_bytes("x", (0..=255).collect());
        let mut stream = Stream::new(&image, Span::new(10, 20));
        let mut three = [0; 3];
        stream.read_exact(&mut three).unwrap();
        assert_eq!((three, stream.at()), ([10, 11, 12], 13));
        assert_eq!(stream.peek(2).unwrap(), [13, 14]);
        stream.skip(5);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, (18..30).collect::<Vec<u8>>());
        assert_eq!(stream.seek(SeekFrom::Start(1)).unwrap(), 1);
        assert_eq!(stream.peek(1).unwrap(), [11]);
        assert!(stream.seek(SeekFrom::End(1)).is_err());
    }

    #[test]
    fn parts_and_masks_show_what_is_theirs() {
        let image = Image::from_bytes("x", (0..=255).collect());
        let part = image.part("p".into(), Span::new(250, 100));
        assert_eq!((part.len(), part.bytes(1, 100).unwrap()), (6, vec![251, 252, 253, 254, 255]));
        let masked = image.without("m".into(), vec![Span::new(2, 2), Span::new(6, 100)]);
        assert_eq!(masked.bytes(1, 7).unwrap(), [1, 0, 0, 4, 5, 0, 0]);
        assert_eq!(masked.part("q".into(), Span::new(3, 3)).bytes(0, 3).unwrap(), [0, 4, 5]);
    }
}
