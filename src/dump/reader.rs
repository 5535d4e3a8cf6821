//! Checked reads of a format's records: nothing here trusts a number from the file.

use scroll::Pread;
use scroll::ctx::{SizeWith, TryFromCtx};

use crate::error::{Fault, Result};
use crate::image::Image;
use crate::span::{FileOffset, Span};

/// Faults that are kept; a hostile file can have one for every twelve of its bytes, and nobody reads the thousandth.
const MOST_FAULTS: usize = 1000;

/// Reads records out of an image and collects the faults that are met on the way.
pub struct Reader<'a> {
    image: &'a Image,
    endian: scroll::Endian,
    faults: Vec<Fault>,
    more_faults: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `image` in the byte order `endian`.
    #[must_use]
    pub fn new(image: &'a Image, endian: scroll::Endian) -> Self {
        Self { image, endian, faults: Vec::new(), more_faults: 0 }
    }

    /// The image that is read.
    #[must_use]
    pub fn image(&self) -> &'a Image {
        self.image
    }

    /// The byte order of the records.
    #[must_use]
    pub fn endian(&self) -> scroll::Endian {
        self.endian
    }

    /// One record at `at`, or `None` where the image ends before it does.
    ///
    /// # Errors
    /// Only when the image cannot be read.
    pub fn record<T>(&self, at: u64) -> Result<Option<T>>
    where
        T: for<'b> TryFromCtx<'b, scroll::Endian, [u8], Error = scroll::Error> + SizeWith<scroll::Endian>,
    {
        let bytes = self.image.bytes(at, T::size_with(&self.endian))?;
        Ok(bytes.pread_with(0, self.endian).ok())
    }

    /// The part of `len` bytes at `at` that the image has; a fault named `what` where it is not all of it.
    pub fn clip(&mut self, what: &str, record_at: u64, at: u64, len: u64) -> Span {
        let present = Span::new(at, len).end().min(self.image.len()).saturating_sub(at);
        if present < len {
            let expected = format!("{len} bytes at {}", FileOffset(at));
            let found = format!("{present} (the file ends at {})", FileOffset(self.image.len()));
            self.fault(record_at, what, expected, found);
        }
        Span::new(at, present)
    }

    /// Notes a record that is not as it should be; from the thousandth on they are only counted.
    pub fn fault(&mut self, at: u64, what: &str, expected: impl Into<String>, found: impl Into<String>) {
        if self.faults.len() >= MOST_FAULTS {
            self.more_faults += 1;
            return;
        }
        let (expected, found) = (expected.into(), found.into());
        self.faults.push(Fault { at: FileOffset(at), what: what.to_owned(), expected, found });
    }

    /// The faults met so far, which the reader gives away; one at the image's end stands for those that were only counted.
    #[must_use]
    pub fn take_faults(&mut self) -> Vec<Fault> {
        if let more @ 1.. = std::mem::take(&mut self.more_faults) {
            let (at, found) = (FileOffset(self.image.len()), format!("{more} more"));
            let expected = format!("no more than {MOST_FAULTS} faults");
            self.faults.push(Fault { at, what: "records".to_owned(), expected, found });
        }
        std::mem::take(&mut self.faults)
    }
}
