//! The blocks of bzip2: nothing lists them, but each begins with 48 bits that stand nowhere else, at any bit.
//!
//! Each block is decoded as a stream of its own: behind a header, and before the mark of an end with the block's own checksum. That of
//! the whole stream is made of those of its blocks, and compared at its end.

use std::io::{self, Cursor};

use bzip2::read::BzDecoder;

use super::next;
use crate::container::blocks::{Block, List, Listed};
use crate::container::chain::Next;
use crate::image::Image;

/// What a block begins with: the digits of pi.
const BLOCK: u64 = 0x3141_5926_5359;
/// What the end of a stream begins with: those of its square root.
const END: u64 = 0x1772_4538_5090;
/// Bits of both, and of the checksum that follows.
const MARK: u64 = 48;
const CRC: u64 = 32;
/// Bytes that a block may have; 900,000 symbols of at most 20 bits fit, with their tables.
const LONGEST: u64 = 4 << 20;
/// Bytes that are read at once.
const STEP: usize = 256 << 10;
/// Memory that the decoder of a block takes, with the block before and after.
const MEMORY: u64 = 8 << 20;

/// The blocks of all streams.
pub struct Blocks<'a> {
    image: &'a Image,
    /// Bytes of the image from `from` on.
    bytes: Vec<u8>,
    from: u64,
    place: Place,
}

enum Place {
    /// At the header of a stream, or behind the last one: this byte of the image.
    Stream(u64),
    /// At a mark, which begins with this bit of the image.
    Mark { bit: u64, digit: u8, combined: u32 },
}

impl<'a> Blocks<'a> {
    /// The blocks of `image`, which begins with a stream.
    pub fn of(image: &'a Image) -> Self {
        Self { image, bytes: Vec::new(), from: 0, place: Place::Stream(0) }
    }
}

/// Bytes of a stream's header: `BZh` and a digit.
const HEADER: u64 = 4;

impl<'a> List<'a> for Blocks<'a> {
    fn next(&mut self) -> io::Result<Listed<'a>> {
        loop {
            match self.place {
                Place::Stream(at) => {
                    let head = self.image.bytes(at, 8).map_err(io::Error::other)?;
                    if next(&head) != Next::Frame {
                        return Ok(Listed::End(at));
                    }
                    let digit = head.get(3).copied().unwrap_or(b'9');
                    self.place = Place::Mark { bit: 8 * (at + HEADER), digit, combined: 0 };
                }
                Place::Mark { bit, digit, combined } => {
                    self.let_go(bit / 8);
                    let (mark, crc) = (self.bits(bit, MARK)?, self.bits(bit + MARK, CRC)? as u32);
                    let behind = bit + MARK + CRC;
                    if mark == END && crc == combined {
                        self.place = Place::Stream(behind.div_ceil(8));
                        continue;
                    }
                    let end = if mark == BLOCK { self.find(behind)? } else { None };
                    let end = end.ok_or(io::ErrorKind::InvalidData)?;
                    self.place = Place::Mark { bit: end, digit, combined: combined.rotate_left(1) ^ crc };
                    let alone = Cursor::new(self.alone(bit, end, digit, crc)?);
                    return Ok(Listed::Block(Block { decoder: Box::new(BzDecoder::new(alone)), len: None }));
                }
            }
        }
    }

    fn memory(&self) -> u64 {
        MEMORY
    }
}

impl Blocks<'_> {
    /// The bits from one to another as a stream of one block.
    fn alone(&mut self, from: u64, to: u64, digit: u8, crc: u32) -> io::Result<Vec<u8>> {
        let bytes = self.there(from / 8, to.div_ceil(8))?;
        let (shift, whole, rest) = (from % 8, (to - from) / 8, (to - from) % 8);
        let mut alone = vec![b'B', b'Z', b'h', digit];
        let pairs = bytes.iter().zip(bytes.iter().skip(1).chain([&0]));
        alone.extend(pairs.map(|(&first, &second)| (u16::from_be_bytes([first, second]) >> (8 - shift)) as u8));
        // What stands behind the last bit of the block makes place for the end.
        let mut behind = alone.split_off((HEADER + whole) as usize).into_iter();
        let last = if rest > 0 { behind.next().unwrap_or_default() >> (8 - rest) } else { 0 };
        let end = u128::from(last) << (MARK + CRC) | u128::from(END) << CRC | u128::from(crc);
        let bits = rest + MARK + CRC;
        alone.extend((end << (128 - bits)).to_be_bytes().iter().take(bits.div_ceil(8) as usize));
        Ok(alone)
    }

    /// `count` bits, at most 56.
    fn bits(&mut self, bit: u64, count: u64) -> io::Result<u64> {
        let bytes = self.there(bit / 8, (bit + count).div_ceil(8))?;
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(u64::from_be_bytes(word) << (bit % 8) >> (64 - count))
    }

    /// The bit at which the next mark begins, from `bit` on; `None` where a block would have to be longer than blocks are.
    fn find(&mut self, bit: u64) -> io::Result<Option<u64>> {
        let mut at = bit / 8;
        while at - self.from < LONGEST {
            let Some(bytes) = self.here(at, at + 8).and_then(|bytes| bytes.first_chunk::<8>()) else {
                if self.more()? {
                    continue;
                }
                // A mark is followed by a checksum, so that one that is whole has eight bytes.
                break;
            };
            let found = if is_likely(bytes[2]) { mark_in(u64::from_be_bytes(*bytes)) } else { None };
            match found.map(|shift| at * 8 + shift) {
                Some(found) if found >= bit => return Ok(Some(found)),
                _ => at += 1,
            }
        }
        Ok(None)
    }

    /// The bytes from one to another, all of which must be there.
    fn there(&mut self, from: u64, to: u64) -> io::Result<&[u8]> {
        while self.from + (self.bytes.len() as u64) < to && self.more()? {}
        self.here(from, to).ok_or(io::ErrorKind::UnexpectedEof.into())
    }

    /// The bytes from one to another, where they were read.
    fn here(&self, from: u64, to: u64) -> Option<&[u8]> {
        let (from, to) = (from.checked_sub(self.from)?, to.checked_sub(self.from)?);
        self.bytes.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
    }

    /// Reads on; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        let more = self.image.bytes(self.from + self.bytes.len() as u64, STEP).map_err(io::Error::other)?;
        self.bytes.extend(&more);
        Ok(!more.is_empty())
    }

    /// Lets go of what stands before `from`.
    fn let_go(&mut self, from: u64) {
        let gone = usize::try_from(from.saturating_sub(self.from)).unwrap_or(usize::MAX);
        self.bytes.drain(..gone.min(self.bytes.len()));
        self.from = from;
    }
}

/// How many bits stand in a word before a mark that begins in its first byte.
fn mark_in(word: u64) -> Option<u64> {
    (0..8).find(|shift| [BLOCK, END].contains(&(word << shift >> (64 - MARK))))
}

/// Whether the third byte may be this one where a mark begins in the first: a sixteenth of all may.
fn is_likely(third: u8) -> bool {
    const LOW: u128 = likely(0);
    const HIGH: u128 = likely(128);
    let half = if third < 128 { LOW } else { HIGH };
    half >> (third & 127) & 1 != 0
}

/// 128 bytes from `first` on, a bit for each.
const fn likely(first: u64) -> u128 {
    let (mut bits, mut shift) = (0, 0);
    while shift < 8 {
        let thirds = (BLOCK >> (24 + shift) & 0xff, END >> (24 + shift) & 0xff);
        bits |= if thirds.0 & 128 == first { 1 << (thirds.0 & 127) } else { 0 };
        bits |= if thirds.1 & 128 == first { 1 << (thirds.1 & 127) } else { 0 };
        shift += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bzip2::Compression;
    use bzip2::write::BzEncoder;

    use super::*;
    use crate::container::blocks::tests::decoded;

    fn stream(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = BzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Noise, text, and zeros, of which a block holds many.
    fn content() -> Vec<u8> {
        let noise = (0..120_000_u32).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes());
        let text = (0..40_000_u32).flat_map(|i| format!("{i:x} ").into_bytes());
        noise.chain(text).chain(std::iter::repeat_n(0, 3_000_000)).collect()
    }

    fn count(image: &Image) -> usize {
        let mut blocks = Blocks::of(image);
        std::iter::from_fn(|| matches!(blocks.next(), Ok(Listed::Block(_))).then_some(())).count()
    }

    #[test]
    fn every_block_is_found_at_whatever_bit_it_begins() {
        let content = content();
        // Streams before it move the marks of the last one by no bit, but blocks of other lengths do.
        for cut in [0, 1, 2, 3, 5, 7, 100, 1001] {
            let bytes = stream(&content[cut..], 1);
            let image = Image::from_bytes("x", bytes);
            assert!(count(&image) >= 6, "{}", count(&image));
            let (all, end) = decoded(Blocks::of(&image), b"the ordinary decoder is not asked");
            assert_eq!((all.unwrap() == content[cut..], end), (true, Some(image.len())), "{cut}");
        }
    }

    #[test]
    fn streams_follow_each_other_and_something_may_stand_behind() {
        let content = content();
        let (first, rest) = content.split_at(333_333);
        let streams = [stream(first, 9), stream(&[], 1), stream(rest, 2)].concat();
        for behind in [&b""[..], b"\0\0\0", b"something else", b"BZh91AY&"] {
            let image = Image::from_bytes("x", [&streams, behind].concat());
            let (all, end) = decoded(Blocks::of(&image), &content);
            let want = (behind != b"BZh91AY&").then_some(streams.len() as u64);
            assert_eq!((all.unwrap() == content, end), (true, want), "{behind:?}");
        }
    }

    #[test]
    fn what_is_damaged_is_read_by_the_ordinary_decoder() {
        let content = content();
        let whole = stream(&content, 1);
        // A mark in the middle of a block, another checksum of a block, another one of the stream.
        let mark = BLOCK.to_be_bytes();
        let damages: [(usize, &[u8]); 4] = [(30_000, &mark[2..]), (20, b"x"), (10, b"y"), (whole.len() - 3, b"z")];
        for (at, bytes) in damages {
            let mut damaged = whole.clone();
            damaged[at..at + bytes.len()].copy_from_slice(bytes);
            let image = Image::from_bytes("x", damaged);
            let (all, end) = decoded(Blocks::of(&image), &content);
            assert_eq!((all.unwrap() == content, end), (true, None), "{at}");
        }
        for at in [9, 13, 14, 20, 50_000, whole.len() - 1] {
            let image = Image::from_bytes("x", whole[..at].to_vec());
            let (all, end) = decoded(Blocks::of(&image), &content);
            assert_eq!((all.unwrap() == content, end.is_none()), (true, true), "{at}");
        }
    }

    #[test]
    fn a_mark_is_told_at_every_bit_by_one_byte_first() {
        for mark in [BLOCK, END] {
            for shift in 0..8 {
                let word = mark << (16 - shift);
                assert_eq!(mark_in(word), Some(shift));
                assert!(is_likely(word.to_be_bytes()[2]));
            }
        }
        let likely = (0..=255).filter(|&byte| is_likely(byte)).count();
        assert!(likely <= 16, "{likely}");
        assert_eq!(mark_in(0x0123_4567_89ab_cdef), None);
    }
}
