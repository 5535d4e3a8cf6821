//! The blocks of a file of xz by the indexes at the ends of its streams, where there is more than one: as `xz -T` writes it, which is
//! what it does by itself since 5.6.
//!
//! Each block is decoded as a stream of its own: between the header of its stream and an index that has only this block.

use std::io::{self, Cursor, Read as _};
use std::vec::IntoIter;

use lzma_rust2::XzReader;

use super::{MAGIC, MEMORY_KIB, dictionary};
use crate::container::blocks::{Block, List, Listed};
use crate::error::Result;
use crate::image::{Image, Stream};
use crate::span::Span;

/// Length of a stream's header, and of its footer.
const EDGE: u64 = 12;
/// The longest index that is read.
const LONGEST: u64 = 1 << 20;
/// Streams and runs of padding that one file may have, to be read by blocks.
const STREAMS: usize = 4096;
/// Blocks that one file may have, to be read by them.
const MOST: usize = 1 << 18;
/// Memory that a decoder takes beside its dictionary, in KiB.
const OVERHEAD_KIB: u64 = 1 << 10;

/// What the indexes list.
pub struct Blocks<'a> {
    image: &'a Image,
    listed: IntoIter<Record>,
    /// The largest dictionary that a block may have, in KiB.
    dictionary: u64,
    /// Bytes of the largest block.
    largest: u64,
}

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// Where it stands, without padding.
    span: Span,
    /// What it decodes to.
    len: u64,
    /// The first 12 bytes of its stream.
    header: [u8; EDGE as usize],
}

impl<'a> Blocks<'a> {
    /// Reads the indexes; `None` where they do not describe all of the image, or where there is nothing to gain.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn read(image: &'a Image) -> Result<Option<Self>> {
        let Some(listed) = streams(image)? else { return Ok(None) };
        let head = image.bytes(0, 64)?;
        let dictionary = dictionary(&head).and_then(dictionary_kib).filter(|&kib| kib <= MEMORY_KIB.into());
        let (Some(dictionary), true) = (dictionary, listed.len() > 1) else { return Ok(None) };
        let largest = listed.iter().map(|record| record.len).max().unwrap_or_default();
        Ok(Some(Self { image, listed: listed.into_iter(), dictionary, largest }))
    }
}

impl<'a> List<'a> for Blocks<'a> {
    fn next(&mut self) -> io::Result<Listed<'a>> {
        let Some(Record { span, len, header }) = self.listed.next() else { return Ok(Listed::End(self.image.len())) };
        let padded = Span::new(span.from(), span.len.next_multiple_of(4));
        let stream =
            Cursor::new(header).chain(Stream::new(self.image, padded)).chain(Cursor::new(end(span.len, len, header)));
        let limit = u32::try_from(self.dictionary + OVERHEAD_KIB).unwrap_or(MEMORY_KIB);
        let decoder = Box::new(XzReader::new_mem_limit(stream, false, limit));
        Ok(Listed::Block(Block { decoder, len: Some(len) }))
    }

    fn memory(&self) -> u64 {
        self.largest.saturating_add((self.dictionary + OVERHEAD_KIB) << 10)
    }
}

/// The size of a dictionary by its number (5.3.1), in KiB.
fn dictionary_kib(number: u8) -> Option<u64> {
    (number < 40).then(|| (4 | u64::from(number & 1) << 1) << (number / 2))
}

/// All blocks of all streams, in order; `None` where something is not as it should be.
fn streams(image: &Image) -> Result<Option<Vec<Record>>> {
    let (mut end, mut backwards, mut count) = (image.len(), Vec::new(), 0);
    for _ in 0..STREAMS {
        if end == 0 {
            let blocks = backwards.into_iter().rev().flatten().collect();
            return Ok(Some(blocks));
        }
        let Some(footer) = end.checked_sub(EDGE) else { return Ok(None) };
        let bytes = image.bytes(footer, EDGE as usize)?;
        if bytes.ends_with(&[0; 4]) {
            end -= 4;
            continue;
        }
        let Some((begin, blocks)) = stream(image, footer, &bytes)? else { return Ok(None) };
        count += blocks.len();
        if count > MOST {
            return Ok(None);
        }
        backwards.push(blocks);
        end = begin;
    }
    Ok(None)
}

/// Where the stream begins that has this footer, and its blocks.
fn stream(image: &Image, at: u64, footer: &[u8]) -> Result<Option<(u64, Vec<Record>)>> {
    let Some(len) = index_len(footer) else { return Ok(None) };
    let Some(index_at) = at.checked_sub(len).filter(|_| len <= LONGEST) else { return Ok(None) };
    let index = image.bytes(index_at, usize::try_from(len).unwrap_or_default())?;
    let Some(sizes) = records(&index) else { return Ok(None) };
    let total = sizes.iter().try_fold(EDGE, |sum, (packed, _)| sum.checked_add(packed.checked_next_multiple_of(4)?));
    let Some(begin) = total.and_then(|total| index_at.checked_sub(total)) else { return Ok(None) };
    let bytes = image.bytes(begin, EDGE as usize)?;
    let header = bytes
        .first_chunk()
        .filter(|header: &&[u8; 12]| header.starts_with(MAGIC) && header.get(6..8) == footer.get(8..10));
    let Some(&header) = header else { return Ok(None) };
    let mut next = begin + EDGE;
    let place = |(packed, len): (u64, u64)| {
        let span = Span::new(next, packed);
        next = span.end().next_multiple_of(4);
        Record { span, len, header }
    };
    Ok(Some((begin, sizes.into_iter().map(place).collect())))
}

/// The length of the index before a footer (2.1.2).
fn index_len(footer: &[u8]) -> Option<u64> {
    let (told, rest) = footer.split_first_chunk::<4>()?;
    let guarded = rest.get(..6)?;
    let is_whole = rest.ends_with(b"YZ") && u32::from_le_bytes(*told) == crc32fast::hash(guarded);
    is_whole.then_some((u64::from(u32::from_le_bytes(*guarded.first_chunk()?)) + 1) * 4)
}

/// The records of an index (4): of each block its length without padding, and that of what it decodes to.
fn records(index: &[u8]) -> Option<Vec<(u64, u64)>> {
    let (guarded, told) = index.split_last_chunk::<4>()?;
    if u32::from_le_bytes(*told) != crc32fast::hash(guarded) {
        return None;
    }
    let mut rest = guarded.strip_prefix(&[0])?;
    let count = number(&mut rest)?;
    let mut records = Vec::new();
    for _ in 0..count {
        let (packed, len) = (number(&mut rest)?, number(&mut rest)?);
        records.push((packed, len));
    }
    let is_padded = rest.len() < 4 && rest.iter().all(|&byte| byte == 0);
    is_padded.then_some(records)
}

/// A number of seven bits a byte, the lowest first (1.2).
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What stands behind the only block of a stream: an index, and a footer.
fn end(packed: u64, len: u64, header: [u8; EDGE as usize]) -> Vec<u8> {
    let mut index = vec![0, 1];
    for mut value in [packed, len] {
        while value > 0x7f {
            index.push(value as u8 | 0x80);
            value >>= 7;
        }
        index.push(value as u8);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend(crc32fast::hash(&index).to_le_bytes());
    let mut guarded = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    guarded.extend_from_slice(header.get(6..8).unwrap_or_default());
    index.extend(crc32fast::hash(&guarded).to_le_bytes());
    index.extend(guarded);
    index.extend(b"YZ");
    index
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::num::NonZeroU64;

    use lzma_rust2::{XzOptions, XzWriter};

    use super::*;
    use crate::container::blocks::tests::decoded;

    /// A stream of blocks of 256 KiB, the least that this encoder makes.
    fn stream(bytes: &[u8]) -> Vec<u8> {
        let mut options = XzOptions::with_preset(0);
        options.set_block_size(NonZeroU64::new(256 << 10));
        let mut writer = XzWriter::new(Vec::new(), options).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn content() -> Vec<u8> {
        (0..400_000_u32).flat_map(|i| (i.wrapping_mul(0x9e37_79b9) >> 8 & 0xffff).to_le_bytes()).collect()
    }

    #[test]
    fn streams_are_read_by_their_blocks() {
        let content = content();
        let (first, rest) = content.split_at(700_001);
        for (bytes, count) in [
            (stream(&content), 7),
            ([stream(first), vec![0; 8], stream(&[]), stream(rest), vec![0; 4]].concat(), 3 + 4),
        ] {
            let image = Image::from_bytes("x", bytes);
            let blocks = Blocks::read(&image).unwrap().unwrap();
            assert_eq!(blocks.listed.len(), count);
            let (all, end) = decoded(blocks, b"the ordinary decoder is not asked");
            assert_eq!((all.unwrap() == content, end), (true, Some(image.len())));
        }
    }

    #[test]
    fn what_the_indexes_do_not_describe_has_no_blocks() {
        let whole = stream(&content());
        let has_none = |bytes: Vec<u8>| Blocks::read(&Image::from_bytes("x", bytes)).unwrap().is_none();
        assert!(has_none(stream(&[7; 1000])), "one block");
        assert!(has_none([whole.clone(), b"more".to_vec()].concat()), "something behind");
        assert!(has_none([b"more".to_vec(), whole.clone()].concat()), "something before");
        assert!(has_none(whole[..whole.len() - 4].to_vec()), "cut");
        for back in [1, 3, 5, 9, 13, 20, 30] {
            let mut damaged = whole.clone();
            let at = damaged.len() - back;
            damaged[at] ^= 1;
            assert!(has_none(damaged), "the last but {back}");
        }
        let mut other_check = whole.clone();
        other_check[7] ^= 5;
        assert!(has_none(other_check), "a header that says otherwise than the footer");
    }

    /// Indexes whose checksums hold, and which lie.
    #[test]
    fn an_index_that_lies_is_not_believed() {
        let whole = stream(&content());
        let image = Image::from_bytes("x", whole);
        type Lie = fn(&mut Vec<Record>);
        let lies: [(&str, Lie); 5] = [
            ("too long", |all| all[2].len += 1),
            ("too short", |all| all[5].len -= 1),
            ("enormous", |all| all[0].len = u64::MAX),
            ("other borders", |all| {
                all[1].span.len += 4;
                all[2].span = Span::between(all[2].span.from() + 4, all[2].span.end());
            }),
            ("behind the end", |all| all[4].span = Span::new(1 << 60, 100)),
        ];
        for (name, lie) in lies {
            let mut blocks = Blocks::read(&image).unwrap().unwrap();
            let mut listed: Vec<_> = blocks.listed.collect();
            lie(&mut listed);
            blocks.listed = listed.into_iter();
            let (all, end) = decoded(blocks, &content());
            assert!(all.unwrap() == content() && end.is_none(), "{name}");
        }
    }

    #[test]
    fn numbers_and_dictionaries_are_read_as_they_are_written() {
        assert_eq!(number(&mut &[0xff, 0x7f][..]), Some(0x3fff));
        assert_eq!(number(&mut &[0xff; 20][..]), None);
        assert_eq!(number(&mut &[][..]), None);
        assert_eq!([0, 1, 22, 39].map(dictionary_kib), [Some(4), Some(6), Some(8 << 10), Some(3 << 20)]);
        assert_eq!(dictionary_kib(40), None);
    }
}
