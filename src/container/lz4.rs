//! LZ4 frames, as `lz4` and systemd-coredump write them.

use std::io::{self, Read};

use lz4_flex::frame::FrameDecoder;

use crate::container::chain::{self, Frame, Next};
use crate::container::{Container, Peel, zstd};
use crate::error::Result;
use crate::image::{Image, Stream};

/// LZ4 frames.
pub struct Lz4;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// What `lz4 -l` and the kernel write: blocks of 8 MiB and no end.
const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// The shortest header: magic, flags, block sizes, checksum.
const SHORTEST: usize = 7;

impl Container for Lz4 {
    fn name(&self) -> &'static str {
        "lz4"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(&MAGIC) || head.starts_with(&LEGACY)
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        chain::members::<Whole<'_>>(image, next, peel)
    }
}

fn next(head: &[u8]) -> Next {
    match head.first_chunk::<4>() {
        Some(&(MAGIC | LEGACY)) => Next::Frame,
        _ => zstd::skippable(head).map_or(Next::End, Next::Skip),
    }
}

struct Whole<'a>(FrameDecoder<Stream<'a>>);

impl<'a> Frame<'a> for Whole<'a> {
    fn open(stream: Stream<'a>) -> io::Result<Self> {
        // The decoder takes a header that is cut for the end of the file.
        let head = stream.peek(SHORTEST)?;
        if head.len() < SHORTEST && !head.starts_with(&LEGACY) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the header is cut"));
        }
        Ok(Self(FrameDecoder::new(stream)))
    }

    fn close(self) -> Stream<'a> {
        self.0.into_inner()
    }
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}
