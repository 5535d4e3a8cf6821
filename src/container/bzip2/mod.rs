//! bzip2: blocks of up to 900 kB, each with its CRC-32.

mod blocks;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};

use bzip2::Compression;
use bzip2::bufread::BzDecoder;
use bzip2::write::BzEncoder;

use crate::container::chain::{self, Frame, Next};
use crate::container::out::Out;
use crate::container::{Changed, Container, Peel};
use crate::error::Result;
use crate::image::{Image, Stream};

/// bzip2.
pub struct Bzip2;

impl Container for Bzip2 {
    fn name(&self) -> &'static str {
        "bzip2"
    }

    fn probe(&self, head: &[u8]) -> bool {
        next(head) == Next::Frame
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        chain::by_blocks::<Whole<'_>>(image, next, Box::new(blocks::Blocks::of(image)), peel)
    }

    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let new = chain::only(changed)?;
        let digit = old.bytes(3, 1)?.first().map_or(9, |digit| u32::from(digit.saturating_sub(b'0')));
        Out::new(out).write(|out| {
            let encoder = BzEncoder::new(BufWriter::new(out), Compression::new(digit.clamp(1, 9)));
            chain::encode(new, encoder)?.finish()?.flush()
        })
    }
}

/// `BZh`, the size of blocks as a digit, and the magic number of a block or of the end.
fn next(head: &[u8]) -> Next {
    let is_sized = head.get(3).is_some_and(|digit| (b'1'..=b'9').contains(digit));
    let block = head.get(4..8).unwrap_or_default();
    let is_begun = block == [0x31, 0x41, 0x59, 0x26] || block == [0x17, 0x72, 0x45, 0x38];
    if head.starts_with(b"BZh") && is_sized && is_begun { Next::Frame } else { Next::End }
}

struct Whole<'a> {
    decoder: BzDecoder<Stream<'a>>,
    /// What was wrong behind the bytes that were given last.
    failed: Option<io::Error>,
}

impl<'a> Frame<'a> for Whole<'a> {
    fn open(stream: Stream<'a>) -> io::Result<Self> {
        Ok(Self { decoder: BzDecoder::new(stream), failed: None })
    }

    fn close(self) -> Stream<'a> {
        self.decoder.into_inner()
    }
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let before = self.decoder.total_out();
        // What stands before an error is there, though the decoder tells of the error only.
        self.decoder.read(into).or_else(|error| {
            let got = usize::try_from(self.decoder.total_out() - before).unwrap_or_default().min(into.len());
            if got == 0 {
                return Err(error);
            }
            self.failed = Some(error);
            Ok(got)
        })
    }
}
