//! xz: blocks of LZMA2, with checks.

use std::io::{self, Read};

use lzma_rust2::XzReader;

use crate::container::chain::{self, Frame, Next};
use crate::container::{Container, Peel};
use crate::error::Result;
use crate::image::{Image, Stream};

/// xz.
pub struct Xz;

const MAGIC: &[u8] = b"\xfd7zXZ\0";

/// Memory that a decoder may have, in KiB: a dictionary of 128 MiB. `xz -9` needs half of it.
pub const MEMORY_KIB: u32 = 130 << 10;

impl Container for Xz {
    fn name(&self) -> &'static str {
        "xz"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        chain::members::<Whole<'_>>(image, next, peel)
    }
}

/// Streams may have zeros between them, in fours.
fn next(head: &[u8]) -> Next {
    match head {
        [0, 0, 0, 0, ..] => Next::Skip(4),
        head if head.starts_with(MAGIC) => Next::Frame,
        _ => Next::End,
    }
}

struct Whole<'a>(XzReader<Stream<'a>>);

impl<'a> Frame<'a> for Whole<'a> {
    fn open(stream: Stream<'a>) -> io::Result<Self> {
        Ok(Self(XzReader::new_mem_limit(stream, false, MEMORY_KIB)))
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
