//! Bytes handed to detectors: an *owned* part, and margins on both sides so that a secret that begins or ends outside can
//! still be seen whole.
//!
//! The window that owns a candidate's trigger byte owns the hit, so every hit is told once, however the image is cut. This
//! is the only place where positions in a window become file spans: a window over plain file bytes is one piece; a window
//! stitched across an address seam is several.

use std::borrow::Cow;
use std::ops::Range;

use crate::image::Image;
use crate::span::{FileOffset, Span};

/// A stretch of bytes to look at.
#[derive(Debug)]
pub struct Window<'a> {
    bytes: &'a [u8],
    owned: Range<usize>,
    pieces: &'a [Span],
    /// Positions in the window where a region begins or ends, sorted: there a token may end though its alphabet goes on.
    edges: &'a [usize],
    image: Option<&'a Image>,
}

impl<'a> Window<'a> {
    /// A window of `bytes`, of which `owned` may trigger. `pieces` are the file spans that the bytes were read from, in
    /// order, together as long as `bytes`; `edges` are the region borders inside.
    #[must_use]
    pub fn new(bytes: &'a [u8], owned: Range<usize>, pieces: &'a [Span], edges: &'a [usize]) -> Self {
        Self { bytes, owned, pieces, edges, image: None }
    }

    /// The same window, able to follow a secret past its margins into `image`. Only for windows of one piece.
    #[must_use]
    pub fn with_image(mut self, image: &'a Image) -> Self {
        self.image = Some(image);
        self
    }

    /// Everything that can be seen, margins included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The positions whose triggers this window owns.
    #[must_use]
    pub fn owned(&self) -> Range<usize> {
        self.owned.clone()
    }

    /// The byte at `at`, if the window reaches there.
    #[must_use]
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The bytes of `range` that the window has; empty where it lies outside.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> &'a [u8] {
        let end = range.end.min(self.bytes.len());
        self.bytes.get(range.start.min(end)..end).unwrap_or_default()
    }

    /// `len` bytes from `at`, read from the image where they run past the margin. Fewer where there are no more.
    #[must_use]
    pub fn follow(&self, at: usize, len: usize) -> Cow<'a, [u8]> {
        let seen = self.slice(at..at.saturating_add(len));
        let more = match (self.image, self.pieces) {
            (Some(image), [piece]) if seen.len() < len => image.bytes(piece.from() + at as u64, len).ok(),
            _ => None,
        };
        match more {
            Some(bytes) if bytes.len() > seen.len() => Cow::Owned(bytes),
            _ => Cow::Borrowed(seen),
        }
    }

    /// Whether a region begins or ends at `at`.
    #[must_use]
    pub fn is_edge(&self, at: usize) -> bool {
        self.edges.binary_search(&at).is_ok()
    }

    /// The region borders inside `range` (its own ends not counted).
    pub fn edges_in(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let from = self.edges.partition_point(|&e| e <= range.start);
        self.edges.iter().skip(from).copied().take_while(move |&e| e < range.end)
    }

    /// The file spans of `range`, in the order of the bytes. A range that was followed past the margin of a one-piece
    /// window goes on in the file.
    #[must_use]
    pub fn spans(&self, range: Range<usize>) -> Vec<Span> {
        if let [piece] = self.pieces {
            return vec![Span::between(piece.from() + range.start as u64, piece.from() + range.end as u64)];
        }
        let (from, to) = (range.start as u64, range.end as u64);
        let (mut spans, mut at) = (Vec::new(), 0_u64);
        for piece in self.pieces {
            let (a, b) = (from.max(at), to.min(at + piece.len));
            if a < b {
                spans.push(Span::between(piece.from() + (a - at), piece.from() + (b - at)));
            }
            at += piece.len;
        }
        spans
    }

    /// The file offset of the byte at `at`.
    #[must_use]
    pub fn offset(&self, at: usize) -> Option<FileOffset> {
        match self.pieces {
            [piece] => Some(FileOffset(piece.from() + at as u64)),
            _ => self.spans(at..at + 1).first().map(|span| span.start),
        }
    }

    /// Whether the window is stitched from more than one piece.
    #[must_use]
    pub fn is_stitched(&self) -> bool {
        self.pieces.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stitched_window_maps_back_to_the_pieces() {
        let pieces = [Span::new(100, 4), Span::new(10, 6)];
        let window = Window::new(b"abcdEFGHIJ", 0..10, &pieces, &[4]);
        assert_eq!(window.spans(2..7), [Span::new(102, 2), Span::new(10, 3)]);
        assert_eq!(window.offset(4), Some(FileOffset(10)));
        assert!(window.is_edge(4) && !window.is_edge(5));
    }

    #[test]
    fn a_secret_longer_than_the_margin_is_followed_into_the_image() {
        let image = Image::from_bytes("t", (0..=255).collect());
        let bytes = image.bytes(16, 32).unwrap_or_default();
        let pieces = [Span::new(16, 32)];
        let window = Window::new(&bytes, 4..8, &pieces, &[]).with_image(&image);
        assert_eq!(window.follow(4, 100).len(), 100);
        assert_eq!(window.follow(4, 100).first(), Some(&20));
        assert_eq!(window.follow(4, 1000).len(), 236, "the image ends there");
    }
}
