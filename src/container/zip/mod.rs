//! zip and zip64 (APPNOTE.TXT 6.3): members by the directory at the end, held against the headers before their data.

mod pack;

use std::fs::File;
use std::io::{self, Read};

use ::bzip2::bufread::BzDecoder;
use ::zstd::stream::read::Decoder as ZstdDecoder;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::XzReader;
use rawzip::{ReaderAt, ZipFileHeaderRecord, ZipLocator};

use crate::container::out::Out;
use crate::container::{Changed, Container, Peel, xz, zstd};
use crate::error::Result;
use crate::image::{Image, Stream};
use crate::span::{Cover, Span};

/// zip.
pub struct Zip;

/// A member's header before its data.
const LOCAL: &[u8] = b"PK\x03\x04";
/// The end of a directory: an archive without members begins with it.
const END: &[u8] = b"PK\x05\x06";
/// The longest record of the directory: 46 bytes, and three fields of 65,535 bytes.
const RECORD: usize = 46 + 3 * 0xffff + 64;

/// The most entries that a directory may have, and the most bytes of names in it: all of them are held in memory.
const ENTRIES: usize = 200_000;
const NAMES: usize = 32 << 20;

/// Bits of a member's flags: encrypted, strongly encrypted, with an encrypted directory.
const LOCKED: u16 = 1 | 1 << 6 | 1 << 13;
/// The bit that says that sizes and CRC stand behind the data.
const DESCRIPTOR: u16 = 1 << 3;

impl Container for Zip {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(LOCAL) || head.starts_with(END)
    }

    fn is_archive(&self) -> bool {
        true
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        match directory(image) {
            Ok(entries) => listed(image, &entries, peel),
            Err(reason) => {
                peel.gap(Span::new(0, image.len()), format!("the directory is damaged or missing: {reason}"));
                walked(image, peel)
            }
        }
    }

    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        pack::pack(old, changed, &mut Out::new(out))
    }
}

/// What the directory, or a local header, says of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as it stands there.
    pub name: Vec<u8>,
    /// General purpose flags.
    pub flags: u16,
    /// The number of the compression method.
    pub method: u16,
    /// CRC-32 of the data.
    pub crc: u32,
    /// Bytes of the data as it stands in the archive.
    pub packed: u64,
    /// Bytes of the data.
    pub size: u64,
    /// Where the local header stands.
    pub header: u64,
    /// Where the record of the directory stands.
    pub record: u64,
}

/// A local header, and where the data behind it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// What it says.
    pub entry: Entry,
    /// Offset of the data.
    pub data: u64,
}

struct Source<'a>(&'a Image);

impl ReaderAt for Source<'_> {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(at, into).map_err(io::Error::other)
    }
}

/// Every entry of the directory at the end.
///
/// # Errors
/// Why it cannot be read.
pub fn directory(image: &Image) -> std::result::Result<Vec<Entry>, String> {
    let mut buffer = vec![0; RECORD];
    let located = ZipLocator::new().locate_in_reader(Source(image), &mut buffer, image.len());
    let archive = located.map_err(|(_, error)| error.to_string())?;
    let (promised, mut entries, mut names) = (archive.entries_hint(), Vec::new(), 0);
    let mut records = archive.entries(&mut buffer);
    while let Some(record) = records.next_entry().map_err(|error| error.to_string())? {
        let entry = Entry::of(&record);
        names += entry.name.len();
        if entries.len() == ENTRIES || names > NAMES {
            return Err(format!("it has more than {ENTRIES} entries, or more than {NAMES} bytes of names"));
        }
        entries.push(entry);
    }
    match entries.len() as u64 == promised {
        true => Ok(entries),
        false => Err(format!("it has {} entries and says {promised}", entries.len())),
    }
}

/// Whether the image ends like a zip: with the record that ends a directory, and the directory before it.
///
/// # Errors
/// When the image cannot be read.
pub fn ends(image: &Image) -> Result<bool> {
    const RECORD: usize = 22;
    let from = image.len().saturating_sub((RECORD + 0xffff) as u64);
    let tail = image.bytes(from, RECORD + 0xffff)?;
    // The comment, whose length stands in the record, reaches to the end of the file.
    let is_last = |at: &usize| {
        let comment = tail.get(at + 20..).and_then(|bytes| bytes.first_chunk()).map(|len| u16::from_le_bytes(*len));
        comment.is_some_and(|len| at + RECORD + usize::from(len) == tail.len())
    };
    let mut records = tail.windows(4).enumerate().filter(|(_, bytes)| *bytes == END).map(|(at, _)| at);
    let Some(at) = records.find(is_last) else { return Ok(false) };
    let locator = at.checked_sub(20).and_then(|at| tail.get(at..));
    if locator.is_some_and(|bytes| bytes.starts_with(b"PK\x06\x07")) {
        return Ok(true);
    }
    let size = tail.get(at + 12..).and_then(|bytes| bytes.first_chunk()).map_or(0, |size| u32::from_le_bytes(*size));
    let directory = (from + at as u64).checked_sub(size.into());
    Ok(match directory {
        Some(directory) if size > 0 => image.bytes(directory, 4)? == b"PK\x01\x02",
        _ => false,
    })
}

/// Where the record is that ends the archive.
fn end(image: &Image) -> Option<u64> {
    let mut buffer = vec![0; RECORD];
    let located = ZipLocator::new().locate_in_reader(Source(image), &mut buffer, image.len());
    located.ok().map(|archive| archive.eocd_offset())
}

impl Entry {
    fn of(record: &ZipFileHeaderRecord<'_>) -> Self {
        Self {
            name: record.file_path().as_bytes().to_vec(),
            flags: record.flags().bits(),
            method: record.compression_method().as_u16(),
            crc: record.crc32(),
            packed: record.compressed_size_hint(),
            size: record.uncompressed_size_hint(),
            header: record.local_header_offset(),
            record: record.central_directory_offset(),
        }
    }

    /// The name, for people.
    #[must_use]
    pub fn told(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    fn is_folder(&self) -> bool {
        self.name.ends_with(b"/") && self.size == 0 && self.packed <= 2
    }

    /// What the local header says otherwise.
    fn difference(&self, local: &Self) -> Option<&'static str> {
        let is_told_later = local.flags & DESCRIPTOR != 0;
        let sizes = |entry: &Self| (entry.packed, entry.size, entry.crc);
        let is_open = is_told_later && local.crc == 0 && (local.packed == 0 || local.packed == self.packed);
        [
            ("the name", self.name != local.name),
            ("the method", self.method != local.method),
            ("the flags", (self.flags ^ local.flags) & (LOCKED | DESCRIPTOR) != 0),
            ("sizes or CRC-32", !is_open && sizes(self) != sizes(local)),
        ]
        .into_iter()
        .find_map(|(what, differs)| differs.then_some(what))
    }
}

/// The local header at `at`.
#[must_use]
pub fn local(image: &Image, at: u64) -> Option<Local> {
    let head = image.bytes(at, 30).ok().filter(|head| head.len() == 30 && head.starts_with(LOCAL))?;
    let (u16_at, u32_at) = (
        |i: usize| head.get(i..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b)),
        |i: usize| head.get(i..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b)),
    );
    let (name_len, extra_len) = (usize::from(u16_at(26)), usize::from(u16_at(28)));
    let name = image.bytes(at + 30, name_len).ok().filter(|name| name.len() == name_len)?;
    let extra = image.bytes(at + 30 + name_len as u64, extra_len).ok().filter(|extra| extra.len() == extra_len)?;
    let (packed, size) = wide_sizes(u32_at(18), u32_at(22), &extra);
    let (flags, method, crc) = (u16_at(6), u16_at(8), u32_at(14));
    let entry = Entry { name, flags, method, crc, packed, size, header: at, record: 0 };
    Some(Local { entry, data: at + 30 + name_len as u64 + extra_len as u64 })
}

/// Sizes with those of zip64's extra field (4.5.3): first the size, then that of the packed data, where they are all ones.
fn wide_sizes(packed: u32, size: u32, extra: &[u8]) -> (u64, u64) {
    let mut wide = zip64(extra).unwrap_or_default();
    let mut next = |narrow: u32| match wide.split_first_chunk::<8>() {
        Some((value, rest)) if narrow == u32::MAX => {
            wide = rest;
            u64::from_le_bytes(*value)
        }
        _ => u64::from(narrow),
    };
    let size = next(size);
    (next(packed), size)
}

fn zip64(mut extra: &[u8]) -> Option<&[u8]> {
    while let Some((&[a, b, c, d], rest)) = extra.split_first_chunk::<4>() {
        let (field, behind) = rest.split_at_checked(usize::from(u16::from_le_bytes([c, d])))?;
        if u16::from_le_bytes([a, b]) == 1 {
            return Some(field);
        }
        extra = behind;
    }
    None
}

/// Members by the directory.
fn listed(image: &Image, entries: &[Entry], peel: &mut Peel<'_>) -> Result<()> {
    let mut taken = Cover::new(image.len(), false);
    for entry in entries {
        let Some(Local { entry: local, data }) = local(image, entry.header) else {
            let reason =
                format!("member {}: there is no header at {:#x}, where the directory says", entry.told(), entry.header);
            peel.gap(Span::new(entry.header.min(image.len()), 0), reason);
            continue;
        };
        let mut reasons = Vec::new();
        if let Some(what) = entry.difference(&local) {
            reasons.push(format!("the directory of the archive and the header before the data disagree about {what}"));
        }
        let whole = Span::new(entry.header, data.saturating_add(entry.packed) - entry.header);
        let shared = taken.runs(whole).iter().filter(|(_, taken)| *taken).map(|(span, _)| span.len).sum();
        if shared > 0 {
            reasons.push("its bytes overlap those of another member: an archive that is made to mislead".to_owned());
        }
        if !peel.share(shared) {
            return Ok(());
        }
        if whole.end() > image.len() {
            reasons.push("its data ends outside of the archive".to_owned());
        }
        taken.paint(whole, true);
        let is_empty = entry.is_folder() && local.is_folder() && reasons.is_empty();
        if is_empty {
            continue;
        }
        if !peel.admit() {
            return Ok(());
        }
        member(image, entry, Span::new(data, entry.packed), reasons, peel)?;
    }
    unlisted(image, &taken, peel);
    Ok(())
}

/// Members that no directory names: other programs may unpack them.
fn unlisted(image: &Image, taken: &Cover<bool>, peel: &mut Peel<'_>) {
    for (span, is_taken) in taken.all() {
        if !is_taken && local(image, span.from()).is_some() {
            peel.gap(span, "here stands a member that the directory does not name; it was only scanned as it is");
        }
    }
}

/// Members by their headers alone, one behind the other.
fn walked(image: &Image, peel: &mut Peel<'_>) -> Result<()> {
    let mut at = 0;
    while let Some(Local { entry, data }) = local(image, at) {
        if !peel.admit() {
            return Ok(());
        }
        let is_told = entry.flags & DESCRIPTOR == 0 || entry.packed > 0;
        let packed = if is_told { entry.packed } else { image.len() - data.min(image.len()) };
        let end = member(image, &Entry { packed, ..entry }, Span::new(data, packed), Vec::new(), peel)?;
        let Some(next) = end.or(is_told.then_some(data.saturating_add(packed))) else { return Ok(()) };
        at = if is_told { data.saturating_add(packed) } else { behind_descriptor(image, next) };
    }
    Ok(())
}

/// Passes over a descriptor, which has 12 or 20 bytes, with or without a signature.
fn behind_descriptor(image: &Image, at: u64) -> u64 {
    let is_header = |at: &u64| image.bytes(*at, 4).is_ok_and(|magic| magic == LOCAL);
    [at + 16, at + 12, at + 24, at + 20].into_iter().find(is_header).unwrap_or(image.len())
}

/// Gives one member; says where its data ends, where decoding it shows that.
fn member(
    image: &Image,
    entry: &Entry,
    data: Span,
    mut reasons: Vec<String>,
    peel: &mut Peel<'_>,
) -> Result<Option<u64>> {
    let name = entry.told();
    if entry.flags & LOCKED != 0 || entry.method == 99 {
        reasons.push("it is encrypted, and was not scanned".to_owned());
        return peel.locked(entry.record, name, reasons.join("; ")).map(|()| None);
    }
    if entry.method == 0 {
        let present = image.part(String::new(), data);
        let is_cut = present.len() < entry.size;
        reasons.extend(is_cut.then(|| format!("{} of its {} bytes are there", present.len(), entry.size)));
        reasons.extend((entry.packed != entry.size).then(|| "it is stored and has two different sizes".to_owned()));
        if !is_cut && crc(&present)? != entry.crc && entry.flags & DESCRIPTOR == 0 {
            reasons.push("its CRC-32 is another than the archive says".to_owned());
        }
        return peel.stored(entry.record, name, data, reasons).map(|()| Some(data.end()));
    }
    let mut decoder = match Decoder::of(entry.method, Stream::new(image, data)) {
        Ok(decoder) => decoder,
        Err(reason) => {
            reasons.push(reason);
            return peel.locked(entry.record, name, reasons.join("; ")).map(|()| None);
        }
    };
    let spool = peel.decode(&mut decoder)?;
    let end = decoder.at();
    if spool.cut.is_none() {
        peel.cover(Span::between(data.from(), end));
        let is_known = entry.record > 0 || entry.flags & DESCRIPTOR == 0;
        if is_known && end < data.end() {
            reasons.push(format!("{} bytes behind the end of its compressed data were not unpacked", data.end() - end));
        }
        if is_known && (spool.len, spool.crc) != (entry.size, entry.crc) {
            reasons.push("its size or CRC-32 is another than the archive says".to_owned());
        }
    }
    let is_whole = spool.cut.is_none();
    peel.decoded(entry.record, Some(name), spool, reasons)?;
    Ok(is_whole.then_some(end))
}

fn crc(image: &Image) -> Result<u32> {
    let (mut crc, mut buffer, mut at) = (crc32fast::Hasher::new(), vec![0; 1 << 20], 0);
    while at < image.len() {
        let got = image.read_at(at, &mut buffer)?;
        if got == 0 {
            break;
        }
        crc.update(buffer.get(..got).unwrap_or_default());
        at += got as u64;
    }
    Ok(crc.finalize())
}

enum Decoder<'a> {
    Deflate(DeflateDecoder<Stream<'a>>),
    Bzip2(BzDecoder<Stream<'a>>),
    Zstd(ZstdDecoder<'static, Stream<'a>>),
    Xz(Box<XzReader<Stream<'a>>>),
}

impl<'a> Decoder<'a> {
    fn of(method: u16, data: Stream<'a>) -> std::result::Result<Self, String> {
        let failed = |error: io::Error| error.to_string();
        match method {
            8 => Ok(Self::Deflate(DeflateDecoder::new(data))),
            12 => Ok(Self::Bzip2(BzDecoder::new(data))),
            20 | 93 => {
                let mut decoder = ZstdDecoder::with_buffer(data).map_err(failed)?;
                decoder.window_log_max(zstd::WINDOW_LOG).map_err(failed)?;
                Ok(Self::Zstd(decoder))
            }
            95 => Ok(Self::Xz(Box::new(XzReader::new_mem_limit(data, true, xz::MEMORY_KIB)))),
            other => Err(format!("it is compressed with method {other}, which is not unpacked; it was not scanned")),
        }
    }

    /// Where in the archive it stopped.
    fn at(&self) -> u64 {
        match self {
            Self::Deflate(decoder) => decoder.get_ref().at(),
            Self::Bzip2(decoder) => decoder.get_ref().at(),
            Self::Zstd(decoder) => decoder.get_ref().at(),
            Self::Xz(decoder) => decoder.inner().at(),
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Deflate(decoder) => decoder.read(into),
            Self::Bzip2(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
            Self::Xz(decoder) => decoder.read(into),
        }
    }
}
