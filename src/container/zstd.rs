//! Zstandard (RFC 8878), as `zstd` and systemd-coredump write it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};

use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use crate::container::chain::{self, Frame, Next};
use crate::container::out::Out;
use crate::container::{Changed, Container, Peel};
use crate::error::Result;
use crate::image::{Image, Stream};

/// Zstandard.
pub struct Zstd;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest window (as a power of two) that a decoder may have: 128 MiB, the same as the `zstd` program's.
pub const WINDOW_LOG: u32 = 27;

impl Container for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(&MAGIC)
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        chain::members::<Whole<'_>>(image, next, peel)
    }

    /// One frame like the first one. Skippable frames tell of the frames that were there before, and are left out.
    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let new = chain::only(changed)?;
        let head = old.bytes(past_skippable(old)?, 18)?;
        let old = header(&head).unwrap_or(Header { window: 0, sized: true, checked: true });
        Out::new(out).write(|out| {
            let mut encoder = Encoder::new(BufWriter::new(out), level(old.window))?;
            encoder.include_checksum(old.checked)?;
            encoder.include_contentsize(old.sized)?;
            if old.sized {
                encoder.set_pledged_src_size(Some(new.len()))?;
            }
            if old.window > 8 << 20 {
                encoder.long_distance_matching(true)?;
                encoder.window_log(old.window.ilog2().min(WINDOW_LOG))?;
            }
            chain::encode(new, encoder)?.finish()?.flush()
        })
    }
}

/// The length of the skippable frame that stands here, with its header.
pub fn skippable(head: &[u8]) -> Option<u64> {
    let (magic, rest) = head.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*rest.first_chunk()?);
    (0x184d_2a50..=0x184d_2a5f).contains(&u32::from_le_bytes(*magic)).then_some(8 + u64::from(len))
}

/// Skippable frames that are passed over before the first one that holds something; `pzstd` writes one.
const SKIPPED: usize = 4096;

/// Where the skippable frames end that `image` begins with.
///
/// # Errors
/// When the image cannot be read.
pub fn past_skippable(image: &Image) -> Result<u64> {
    let mut at = 0_u64;
    for _ in 0..SKIPPED {
        let Some(len) = skippable(&image.bytes(at, 8)?) else { break };
        at = at.saturating_add(len);
    }
    Ok(at)
}

fn next(head: &[u8]) -> Next {
    match head.starts_with(&MAGIC) {
        true => Next::Frame,
        false => skippable(head).map_or(Next::End, Next::Skip),
    }
}

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes that a decoder must remember.
    pub window: u64,
    /// Whether the frame says how long its content is.
    pub sized: bool,
    /// Whether a checksum of the content stands at its end.
    pub checked: bool,
}

/// Reads the header of a frame (RFC 8878, 3.1.1.1), from its magic number on.
pub fn header(head: &[u8]) -> Option<Header> {
    let rest = head.strip_prefix(&MAGIC)?;
    let (&descriptor, rest) = rest.split_first()?;
    let (size_flag, single, checked) = (descriptor >> 6, descriptor & 0x20 != 0, descriptor & 4 != 0);
    let dictionary = if descriptor & 3 == 3 { 4 } else { usize::from(descriptor & 3) };
    let sized = single || size_flag > 0;
    if single {
        let field = rest.get(dictionary..)?;
        let window = match size_flag {
            0 => u64::from(*field.first()?),
            1 => u64::from(u16::from_le_bytes(*field.first_chunk()?)) + 256,
            2 => u64::from(u32::from_le_bytes(*field.first_chunk()?)),
            _ => u64::from_le_bytes(*field.first_chunk()?),
        };
        return Some(Header { window, sized, checked });
    }
    let &byte = rest.first()?;
    let base = 1_u64 << (10 + (byte >> 3));
    Some(Header { window: base + base / 8 * u64::from(byte & 7), sized, checked })
}

/// A level whose window that is: levels 1 to 3 have 512 KiB to 2 MiB, those up to 12 have 4 MiB, higher ones 8 MiB.
fn level(window: u64) -> i32 {
    match window {
        0x20_0001..=0x40_0000 => 9,
        0x40_0001..=0x80_0000 => 15,
        1..=0x08_0000 => 1,
        _ => 3,
    }
}

struct Whole<'a>(Decoder<'static, Stream<'a>>);

impl<'a> Frame<'a> for Whole<'a> {
    fn open(stream: Stream<'a>) -> io::Result<Self> {
        let window = header(&stream.peek(18)?).map_or(0, |header| header.window);
        if window > 1 << WINDOW_LOG {
            let text = format!("its window of {window} bytes is larger than {} bytes", 1 << WINDOW_LOG);
            return Err(io::Error::other(text));
        }
        let mut decoder = Decoder::with_buffer(stream)?.single_frame();
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Self(decoder))
    }

    fn close(self) -> Stream<'a> {
        self.0.finish()
    }
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}
