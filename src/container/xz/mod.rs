//! xz: blocks of LZMA2, with checks.

mod index;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};

use lzma_rust2::{CheckType, XzOptions, XzReader, XzWriter};

use crate::container::chain::{self, Frame, Next};
use crate::container::out::Out;
use crate::container::{Changed, Container, Peel};
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
        match index::Blocks::read(image)? {
            Some(blocks) => chain::by_blocks::<Whole<'_>>(image, next, Box::new(blocks), peel),
            None => chain::members::<Whole<'_>>(image, next, peel),
        }
    }

    /// One stream of one block, with the check of the first one, and the preset that has its dictionary.
    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let new = chain::only(changed)?;
        let head = old.bytes(0, 64)?;
        let mut options = XzOptions::with_preset(preset(&head));
        options.set_check_sum_type(match head.get(7) {
            Some(0) => CheckType::None,
            Some(1) => CheckType::Crc32,
            Some(10) => CheckType::Sha256,
            _ => CheckType::Crc64,
        });
        Out::new(out).write(|out| {
            let encoder = XzWriter::new(BufWriter::new(out), options)?;
            chain::encode(new, encoder)?.finish()?.flush()
        })
    }
}

/// The number of the dictionary of the first block (the .xz format, 3.1 and 5.3.1), where LZMA2 is the only filter.
fn dictionary(head: &[u8]) -> Option<u8> {
    let block = head.get(12..)?;
    let (flags, mut at) = (*block.get(1)?, 2);
    // The sizes of the block may stand before its filters, each as a number of seven bits a byte.
    for _ in 0..u32::from(flags & 0x40 != 0) + u32::from(flags & 0x80 != 0) {
        while *block.get(at)? & 0x80 != 0 {
            at += 1;
        }
        at += 1;
    }
    (flags & 3 == 0 && block.get(at..at + 2)? == [0x21, 1]).then_some(*block.get(at + 2)?)
}

/// The preset whose dictionary is that of the first block, or 6.
fn preset(head: &[u8]) -> u32 {
    match dictionary(head) {
        Some(0..=12) => 0,
        Some(13..=16) => 1,
        Some(17..=18) => 2,
        Some(19..=20) => 4,
        Some(23..=24) => 7,
        Some(25..=26) => 8,
        Some(27..) => 9,
        Some(21..=22) | None => 6,
    }
}

/// Streams may have zeros between them, in fours.
fn next(head: &[u8]) -> Next {
    let zeros = head.iter().take_while(|&&byte| byte == 0).count() / 4 * 4;
    match zeros {
        0 if head.starts_with(MAGIC) => Next::Frame,
        0 => Next::End,
        zeros => Next::Pad(zeros as u64),
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
