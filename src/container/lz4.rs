//! LZ4 frames, as `lz4` and systemd-coredump write them.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use crate::container::chain::{self, Frame, Next};
use crate::container::out::Out;
use crate::container::{Changed, Container, Peel, zstd};
use crate::error::Result;
use crate::image::{Image, Stream};

/// LZ4 frames.
pub struct Lz4;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// What `lz4 -l` and the kernel write: blocks of 8 MiB and no end.
const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// The shortest header: magic, flags, block sizes, checksum.
const SHORTEST: usize = 7;
/// The longest: with the size of the content and the number of a dictionary.
const LONGEST: usize = SHORTEST + 8 + 4;

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

    /// One frame with the flags of the first one (LZ4 frame format, "Frame Descriptor").
    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let new = chain::only(changed)?;
        let head = old.bytes(zstd::past_skippable(old)?, SHORTEST)?;
        let is_legacy = head.starts_with(&LEGACY);
        let (flags, sizes) = match head.get(4..6) {
            Some(&[flags, sizes]) if !is_legacy => (flags, sizes),
            _ => (0x64, 0x70),
        };
        let info = FrameInfo::new()
            .legacy_frame(is_legacy)
            .block_mode(if flags & 0x20 != 0 { BlockMode::Independent } else { BlockMode::Linked })
            .block_checksums(flags & 0x10 != 0)
            .content_size((flags & 8 != 0).then_some(new.len()))
            .content_checksum(flags & 4 != 0)
            .block_size(match sizes >> 4 & 7 {
                4 => BlockSize::Max64KB,
                5 => BlockSize::Max256KB,
                6 => BlockSize::Max1MB,
                _ => BlockSize::Max4MB,
            });
        Out::new(out).write(|out| {
            let encoder = FrameEncoder::with_frame_info(info, BufWriter::new(out));
            chain::encode(new, encoder)?.finish().map_err(io::Error::other)?.flush()
        })
    }
}

fn next(head: &[u8]) -> Next {
    match head.first_chunk::<4>() {
        Some(&(MAGIC | LEGACY)) => Next::Frame,
        _ => zstd::skippable(head).map_or(Next::End, Next::Skip),
    }
}

/// Bytes that a header takes which begins with `head` (LZ4 frame format, "Frame Descriptor").
fn header_len(head: &[u8]) -> usize {
    match head.get(4) {
        _ if head.starts_with(&LEGACY) => LEGACY.len(),
        Some(flags) => SHORTEST + if flags & 8 != 0 { 8 } else { 0 } + if flags & 1 != 0 { 4 } else { 0 },
        None => SHORTEST,
    }
}

/// The decoder of one frame.
struct Whole<'a> {
    decoder: FrameDecoder<Noted<'a>>,
    /// Whether it ends where the file does, and not with a mark.
    is_legacy: bool,
}

/// A stream that notes when more is asked of it than it has.
struct Noted<'a> {
    stream: Stream<'a>,
    is_short: bool,
}

impl<'a> Frame<'a> for Whole<'a> {
    fn open(stream: Stream<'a>) -> io::Result<Self> {
        // The decoder takes a header that is cut for the end of the file.
        let head = stream.peek(LONGEST)?;
        if head.len() < header_len(&head) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the header is cut"));
        }
        let is_legacy = head.starts_with(&LEGACY);
        Ok(Self { decoder: FrameDecoder::new(Noted { stream, is_short: false }), is_legacy })
    }

    fn close(self) -> Stream<'a> {
        self.decoder.into_inner().stream
    }
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.decoder.read(into)?;
        // The decoder takes a frame that is cut between two blocks for a whole one.
        if got == 0 && !into.is_empty() && !self.is_legacy && self.decoder.get_ref().is_short {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the frame is cut: its end mark is missing"));
        }
        Ok(got)
    }
}

impl Read for Noted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.stream.read(into)?;
        self.is_short |= got == 0 && !into.is_empty();
        Ok(got)
    }
}
