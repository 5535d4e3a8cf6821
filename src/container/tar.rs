//! tar (POSIX ustar and pax, GNU): members one behind the other, each behind a header of 512 bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

use ::tar::{EntryType, GnuExtSparseHeader, GnuSparseHeader, Header, PaxExtensions};

use crate::container::out::{Out, refused};
use crate::container::{Changed, Container, Peel};
use crate::error::Result;
use crate::image::{Image, Stream};
use crate::span::Span;

/// tar.
pub struct Tar;

/// Length of a header, and of what data is padded to.
pub const BLOCK: u64 = 512;
/// The longest name and the longest list of pax records that are read.
const LONGEST: u64 = 1 << 20;
/// The most parts that a sparse member may have.
const PARTS: usize = 1 << 20;

impl Container for Tar {
    fn name(&self) -> &'static str {
        "tar"
    }

    /// There is no magic number in old archives, but a checksum in all.
    fn probe(&self, head: &[u8]) -> bool {
        head.first_chunk::<512>().is_some_and(|block| header(block).is_some())
    }

    fn is_archive(&self) -> bool {
        true
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        let mut at = 0;
        loop {
            match entry(image, at) {
                Found::Entry(entry) => {
                    at = entry.data.end().div_ceil(BLOCK).saturating_mul(BLOCK);
                    if entry.has_data() && !peel.admit() {
                        return Ok(());
                    }
                    give(image, entry, peel)?;
                }
                Found::End => return behind(image, at, peel),
                Found::Damaged(reason) => {
                    peel.gap(Span::between(at.min(image.len()), image.len()), reason);
                    return Ok(());
                }
            }
        }
    }

    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let (mut out, mut at) = (Out::new(out), 0);
        while let Found::Entry(entry) = entry(old, at) {
            let next = entry.data.end().div_ceil(BLOCK).saturating_mul(BLOCK);
            match changed.get(&entry.header) {
                None => out.copy(old, Span::between(at, next.min(old.len())))?,
                Some(new) => {
                    out.copy(old, Span::between(at, entry.data.from()))?;
                    put(old, &entry, new, &mut out)?;
                    let padding = usize::try_from(out.at.next_multiple_of(BLOCK) - out.at).unwrap_or_default();
                    out.put(&vec![0; padding])?;
                }
            }
            at = next;
        }
        out.copy(old, Span::between(at, old.len()))
    }
}

/// Puts one member down again, with its size in its header where that is another now.
fn put(old: &Image, entry: &Entry, new: &Image, out: &mut Out<'_>) -> Result<()> {
    if let Some(map) = &entry.map {
        let mut stored = map.parts.iter();
        if new.len() != map.size {
            return Err(refused(format!("{} is sparse in its archive and has another size now", entry.name)));
        }
        return stored.try_for_each(|part| out.copy(new, *part));
    }
    if new.len() != entry.data.len {
        let block = old.bytes(entry.header, 512)?;
        if entry.has_pax_size || block.len() != 512 {
            return Err(refused(format!("{} has its size in a pax record and has another size now", entry.name)));
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&block);
        header.set_size(new.len());
        header.set_cksum();
        out.patch(out.at - BLOCK, header.as_bytes())?;
    }
    out.copy_all(new)
}

/// One member with all headers that tell of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where its own header stands, behind those that add to it.
    pub header: u64,
    /// Its data as it stands in the archive.
    pub data: Span,
    /// Whether a pax record tells its size.
    pub has_pax_size: bool,
    kind: EntryType,
    is_pax_sparse: bool,
    map: Option<Map>,
}

/// What stands at a place.
#[derive(Debug)]
pub enum Found {
    /// A member.
    Entry(Entry),
    /// Zeros, or the end of the archive.
    End,
    /// Something else, in words.
    Damaged(String),
}

impl Entry {
    fn has_data(&self) -> bool {
        self.data.len > 0 || self.kind.is_file() || self.kind.is_contiguous()
    }
}

/// The member whose headers begin at `at`.
#[must_use]
pub fn entry(image: &Image, at: u64) -> Found {
    let (mut name, mut pax, mut at) = (None, Pax::default(), at);
    loop {
        let block = image.bytes(at, 512).unwrap_or_default();
        if block.is_empty() {
            return Found::Damaged("the archive ends without its end mark: it may be cut".to_owned());
        }
        if block.iter().all(|&byte| byte == 0) {
            return Found::End;
        }
        let Some(header) = block.first_chunk::<512>().and_then(header) else {
            return Found::Damaged(format!(
                "the header at {at:#x} is damaged or cut; what comes behind was not unpacked"
            ));
        };
        let Some(size) = size(header) else {
            return Found::Damaged(format!("the header at {at:#x} says no size; what comes behind was not unpacked"));
        };
        let (kind, data) = (header.entry_type(), at + BLOCK);
        let is_more = kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions();
        if !is_more && !kind.is_pax_global_extensions() {
            let len = pax.size.unwrap_or(size);
            let map = if kind.is_gnu_sparse() { Map::read(image, at, header, len) } else { None };
            let data = Span::new(data + map.as_ref().map_or(0, |map| map.blocks * BLOCK), len);
            let own = || String::from_utf8_lossy(&header.path_bytes()).into_owned();
            let name = pax.path.or(name).unwrap_or_else(own);
            let (has_pax_size, is_pax_sparse) = (pax.size.is_some(), pax.is_sparse);
            return Found::Entry(Entry { name, header: at, has_pax_size, data, kind, is_pax_sparse, map });
        }
        let text = image.bytes(data, usize::try_from(size.min(LONGEST)).unwrap_or_default()).unwrap_or_default();
        if size > LONGEST || (text.len() as u64) < size {
            return Found::Damaged(format!(
                "the header at {at:#x} is too long or cut; what comes behind was not unpacked"
            ));
        }
        if kind.is_gnu_longname() {
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            name = Some(String::from_utf8_lossy(text).into_owned());
        } else if kind.is_pax_local_extensions() {
            pax.read(&text);
        }
        at = data.saturating_add(size).div_ceil(BLOCK).saturating_mul(BLOCK);
    }
}

/// What pax records say of the member behind them.
#[derive(Debug, Default)]
struct Pax {
    path: Option<String>,
    size: Option<u64>,
    is_sparse: bool,
}

impl Pax {
    fn read(&mut self, text: &[u8]) {
        for record in PaxExtensions::new(text).flatten() {
            let value = String::from_utf8_lossy(record.value_bytes());
            match record.key() {
                Ok("path") => self.path = Some(value.into_owned()),
                Ok("size") => self.size = value.parse().ok(),
                Ok(key) if key.starts_with("GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
        }
    }
}

fn header(block: &[u8; 512]) -> Option<&Header> {
    let header = Header::from_byte_slice(block);
    // The field of the checksum itself counts as spaces.
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let counted = sum(block.get(..148)?) + 8 * 32 + sum(block.get(156..)?);
    (header.cksum().ok()? == counted && size(header).is_some()).then_some(header)
}

/// The size of what stands behind a header. Labels of volumes, and folders of old programs, have none.
fn size(header: &Header) -> Option<u64> {
    let is_blank = header.as_old().size.iter().all(|byte| matches!(byte, 0 | b' '));
    if is_blank { Some(0) } else { header.entry_size().ok() }
}

fn give(image: &Image, entry: Entry, peel: &mut Peel<'_>) -> Result<()> {
    if !entry.has_data() {
        return Ok(());
    }
    if entry.kind.is_gnu_sparse() {
        return sparse(image, entry, peel);
    }
    let mut reasons = Vec::new();
    if entry.data.end() > image.len() {
        let present = image.len().saturating_sub(entry.data.from());
        reasons.push(format!("only {present} of its {} bytes are there: the archive is cut", entry.data.len));
    }
    if entry.is_pax_sparse {
        let reason = "it is sparse (pax records GNU.sparse.*); it was scanned as it is stored, without its holes";
        reasons.push(reason.to_owned());
    }
    peel.stored(entry.header, entry.name, entry.data, reasons)
}

/// A member of which only the parts are stored that are not zeros.
fn sparse(image: &Image, entry: Entry, peel: &mut Peel<'_>) -> Result<()> {
    let Some(map) = entry.map else {
        let reason = "it is sparse, and its map is damaged; it was only scanned as it is stored";
        return peel.stored(entry.header, entry.name, entry.data, vec![reason.to_owned()]);
    };
    let mut parts = Parts { from: Stream::new(image, entry.data), map, at: 0 };
    let spool = peel.decode(&mut parts)?;
    if spool.cut.is_none() {
        peel.cover(entry.data);
    }
    peel.decoded(entry.header, Some(entry.name), spool, Vec::new())
}

/// Where the stored parts of a sparse member belong.
#[derive(Clone, Debug, Default)]
struct Map {
    /// Parts in order, apart from each other.
    parts: VecDeque<Span>,
    size: u64,
    /// Headers of more parts that stand before the data.
    blocks: u64,
}

impl Map {
    /// The map of GNU's sparse format, which begins in the header at `at`. `None` where it contradicts itself.
    fn read(image: &Image, at: u64, header: &Header, stored: u64) -> Option<Self> {
        let gnu = header.as_gnu()?;
        let mut map = Self { size: gnu.real_size().ok()?, ..Self::default() };
        map.add(&gnu.sparse)?;
        let mut is_extended = gnu.is_extended();
        while is_extended {
            map.blocks += 1;
            let mut more = GnuExtSparseHeader::new();
            let block = image.bytes(at + map.blocks * BLOCK, 512).ok()?;
            (block.len() == 512).then(|| more.as_mut_bytes().copy_from_slice(&block))?;
            map.add(&more.sparse)?;
            is_extended = more.is_extended();
        }
        let sum: u64 = map.parts.iter().map(|part| part.len).sum();
        (sum == stored).then_some(map)
    }

    fn add(&mut self, records: &[GnuSparseHeader]) -> Option<()> {
        for record in records.iter().filter(|record| !record.is_empty()) {
            let part = Span::new(record.offset().ok()?, record.length().ok()?);
            let is_behind = self.parts.back().is_none_or(|last| last.end() <= part.from());
            (is_behind && part.end() <= self.size && self.parts.len() < PARTS).then(|| self.parts.push_back(part))?;
        }
        Some(())
    }
}

/// A sparse member with its zeros.
struct Parts<'a> {
    from: Stream<'a>,
    map: Map,
    at: u64,
}

impl Read for Parts<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.map.parts.front().is_some_and(|part| part.end() <= self.at) {
            self.map.parts.pop_front();
        }
        let (end, is_zero) = match self.map.parts.front() {
            Some(part) if part.from() <= self.at => (part.end(), false),
            Some(part) => (part.from(), true),
            None => (self.map.size, true),
        };
        let len = usize::try_from(end - self.at).unwrap_or(usize::MAX).min(into.len());
        let into = into.get_mut(..len).unwrap_or_default();
        let got = if is_zero { len } else { self.from.read(into)? };
        match is_zero {
            true => into.fill(0),
            false if got == 0 && len > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            false => {}
        }
        self.at += got as u64;
        Ok(got)
    }
}

/// What stands behind the end of an archive should be nothing.
fn behind(image: &Image, end: u64, peel: &mut Peel<'_>) -> Result<()> {
    let (mut at, mut buffer) = (end, vec![0; 1 << 20]);
    while at < image.len() {
        let got = image.read_at(at, &mut buffer)?;
        let read = buffer.get(..got).unwrap_or_default();
        if got == 0 || read.iter().any(|&byte| byte != 0) {
            let reason =
                "behind the end of the archive stands something else; it was not unpacked, only scanned as it is";
            peel.gap(Span::between(end, image.len()), reason);
            return Ok(());
        }
        at += got as u64;
    }
    Ok(())
}
