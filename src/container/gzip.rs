//! gzip (RFC 1952): members of deflate, each with its CRC-32.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;

use crate::container::chain::{self, Frame, Next};
use crate::container::{Container, Peel};
use crate::error::Result;
use crate::image::{Image, Stream};

/// gzip.
pub struct Gzip;

/// The two bytes that every member begins with, and deflate, the one method that there is.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

impl Container for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(&MAGIC)
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        chain::members::<Member<'_>>(image, next, peel)
    }
}

fn next(head: &[u8]) -> Next {
    if head.starts_with(&MAGIC) { Next::Frame } else { Next::End }
}

struct Member<'a>(GzDecoder<Stream<'a>>);

impl<'a> Frame<'a> for Member<'a> {
    fn open(stream: Stream<'a>) -> io::Result<Self> {
        Ok(Self(GzDecoder::new(stream)))
    }

    fn close(self) -> Stream<'a> {
        self.0.into_inner()
    }
}

impl Read for Member<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}
