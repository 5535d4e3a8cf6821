//! What detectors of binary structures share: fields one after the other, and which bytes are the site.

use std::ops::Range;

use crate::window::Window;

/// Reads the fields of a structure in order. Lengths come from the structure itself: a field that is not there in full is
/// `None`.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of what `bytes` begin with.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let field = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(field)
    }

    /// The next 32 bits, least significant byte first, as Windows writes lengths and flags.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// The next 32 bits as a length in bytes.
    pub fn size(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }
}

/// The bytes that a hit of the secret `part` of `structure` should name. That is the part, so that redaction leaves the
/// rest readable. But a stitched window tells only what crosses a seam: where a seam cuts the structure and spares the part,
/// nobody else sees the structure whole, so all of it is the site.
#[must_use]
pub fn site_of(window: &Window<'_>, structure: Range<usize>, part: Range<usize>) -> Range<usize> {
    let is_cut = |range: &Range<usize>| window.spans(range.clone()).len() > 1;
    if window.is_stitched() && !is_cut(&part) && is_cut(&structure) { structure } else { part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    #[test]
    fn a_length_that_lies_ends_the_reading() {
        let mut fields = Fields::new(b"\x02\0\0\0ab\xff\xff\xff\xff");
        assert_eq!(fields.size(), Some(2));
        assert_eq!(fields.take(2), Some(&b"ab"[..]));
        let len = fields.size().unwrap();
        assert_eq!((fields.take(len), fields.at()), (None, 10));
        assert_eq!(fields.take(usize::MAX), None);
    }

    #[test]
    fn a_seam_outside_of_the_part_makes_the_whole_structure_the_site() {
        let pieces = [Span::new(100, 4), Span::new(10, 6)];
        let stitched = Window::new(b"abcdEFGHIJ", 0..10, &pieces, &[4]);
        assert_eq!(site_of(&stitched, 2..9, 5..8), 2..9);
        assert_eq!(site_of(&stitched, 2..9, 3..8), 3..8);
        assert_eq!(site_of(&stitched, 5..9, 6..8), 6..8, "told by the window in file order");
        let plain = Window::new(b"abcdEFGHIJ", 0..10, &pieces[..1], &[]);
        assert_eq!(site_of(&plain, 2..9, 5..8), 5..8);
    }
}
