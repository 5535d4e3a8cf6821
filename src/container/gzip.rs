//! gzip (RFC 1952): members of deflate, each with its CRC-32.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder, GzHeader};

use crate::container::chain::{self, Frame, Next};
use crate::container::out::Out;
use crate::container::{Changed, Container, Peel};
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

    /// One member, with the header of the first one.
    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let new = chain::only(changed)?;
        let mut first = GzDecoder::new(Stream::from(old, 0));
        // The header is there once something was read.
        let _ = first.read(&mut [0]);
        let level = level(old.bytes(8, 1)?.first().copied());
        Out::new(out).write(|out| {
            let encoder = builder(first.header()).write(BufWriter::new(out), level);
            chain::encode(new, encoder)?.finish()?.flush()
        })
    }
}

/// What the header says of the level: 2 is the best, 4 the fastest.
fn level(flags: Option<u8>) -> Compression {
    match flags {
        Some(2) => Compression::best(),
        Some(4) => Compression::fast(),
        _ => Compression::default(),
    }
}

fn builder(header: Option<&GzHeader>) -> GzBuilder {
    let Some(header) = header else { return GzBuilder::new() };
    let mut builder = GzBuilder::new().mtime(header.mtime()).operating_system(header.operating_system());
    if let Some(name) = header.filename() {
        builder = builder.filename(name);
    }
    if let Some(comment) = header.comment() {
        builder = builder.comment(comment);
    }
    if let Some(extra) = header.extra() {
        builder = builder.extra(extra);
    }
    builder
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
