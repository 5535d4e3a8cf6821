//! Cabinets ([MS-CAB]), as Windows Error Reporting keeps reports in: folders of files that are compressed as one.

mod pack;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};

use lzxd::{Lzxd, WindowSize};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::container::out::Out;
use crate::container::{Changed, Container, Peel};
use crate::error::Result;
use crate::image::{Image, Stream};
use crate::span::{Cover, Span};

/// Cabinets.
pub struct Cab;

const MAGIC: &[u8] = b"MSCF\0\0\0\0";
/// Bytes that a block has at most when it is decoded, and that the next one may refer to.
const BLOCK: usize = 32 << 10;
/// Bytes of names and reserved areas that are read at most.
const LONGEST: usize = 256;

impl Container for Cab {
    fn name(&self) -> &'static str {
        "cab"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    fn is_archive(&self) -> bool {
        true
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        let Some(cabinet) = Cabinet::read(image) else {
            peel.gap(Span::new(0, image.len()), "the cabinet's header is damaged or cut; it was only scanned as it is");
            return Ok(());
        };
        if cabinet.files.len() < usize::from(cabinet.promised) {
            let (found, promised) = (cabinet.files.len(), cabinet.promised);
            let reason = format!("the list of files is damaged: {found} of {promised} could be read");
            peel.gap(Span::new(0, image.len()), reason);
        }
        let (mut by_folder, mut taken) = (cabinet.by_folder(), Cover::new(image.len(), false));
        for (number, folder) in cabinet.folders.iter().enumerate() {
            let files = by_folder.remove(&number).unwrap_or_default();
            if !folder_members(image, folder, &files, &mut taken, peel)? {
                return Ok(());
            }
        }
        for file in cabinet.files.iter().filter(|file| usize::from(file.folder) >= cabinet.folders.len()) {
            let reason = "it begins or goes on in another cabinet, and was not scanned";
            peel.locked(file.entry, file.name.clone(), reason.to_owned())?;
        }
        Ok(())
    }

    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut fs::File) -> Result<()> {
        pack::pack(old, changed, &mut Out::new(out))
    }
}

/// What the header of a cabinet says.
#[derive(Debug)]
pub struct Cabinet {
    /// Runs of compressed data.
    pub folders: Vec<Folder>,
    /// Files, in the order of their list.
    pub files: Vec<File>,
    /// How many files there should be.
    promised: u16,
}

/// Files that are compressed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where its entry in the header stands.
    pub entry: u64,
    /// Where its first block stands.
    pub data: u64,
    /// How many blocks it has.
    pub blocks: u16,
    /// How it is compressed.
    pub kind: u16,
    /// Bytes that are reserved in the header of each block.
    pub reserved: u8,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where its entry in the list stands.
    pub entry: u64,
    /// Its name.
    pub name: String,
    /// Its bytes, in what its folder decodes to.
    pub span: Span,
    /// The number of its folder.
    pub folder: u16,
}

impl Cabinet {
    /// Reads the header of a cabinet, its folders and its files.
    #[must_use]
    pub fn read(image: &Image) -> Option<Self> {
        let head = Fields(image.bytes(0, 36).ok()?);
        let (files_at, folders, promised, flags) = (head.u32(16)?, head.u16(26)?, head.u16(28)?, head.u16(30)?);
        let mut at = 36;
        let (mut per_folder, mut reserved) = (0, 0);
        if flags & 4 != 0 {
            let sizes = Fields(image.bytes(at, 4).ok()?);
            (per_folder, reserved) = (sizes.u8(2)?, sizes.u8(3)?);
            at += 4 + u64::from(sizes.u16(0)?);
        }
        // The names of the cabinets before and behind this one, and of their disks.
        for _ in 0..(u16::count_ones(flags & 3) * 2) {
            at += text(image, at)?.len() as u64 + 1;
        }
        let folder = |number: u16| {
            let entry = at + u64::from(number) * (8 + u64::from(per_folder));
            let fields = Fields(image.bytes(entry, 8).ok()?);
            Some(Folder { entry, data: fields.u32(0)?.into(), blocks: fields.u16(4)?, kind: fields.u16(6)?, reserved })
        };
        let folders = (0..folders).map(folder).collect::<Option<Vec<Folder>>>()?;
        Some(Self { folders, files: files(image, files_at.into(), promised), promised })
    }

    /// The files of each folder, by its number.
    fn by_folder(&self) -> HashMap<usize, Vec<&File>> {
        let mut folders: HashMap<usize, Vec<&File>> = HashMap::new();
        for file in &self.files {
            folders.entry(file.folder.into()).or_default().push(file);
        }
        folders
    }
}

fn files(image: &Image, mut at: u64, promised: u16) -> Vec<File> {
    let mut files = Vec::new();
    for _ in 0..promised {
        let file = || {
            let fields = Fields(image.bytes(at, 16).ok()?);
            let name = text(image, at + 16)?;
            let span = Span::new(fields.u32(4)?.into(), fields.u32(0)?.into());
            let folder = fields.u16(8)?;
            Some((name.len(), File { entry: at, name: String::from_utf8_lossy(&name).into_owned(), span, folder }))
        };
        let Some((name, file)) = file() else { break };
        files.push(file);
        at += 16 + name as u64 + 1;
    }
    files
}

fn text(image: &Image, at: u64) -> Option<Vec<u8>> {
    let mut bytes = image.bytes(at, LONGEST).ok()?;
    let end = bytes.iter().position(|&byte| byte == 0)?;
    bytes.truncate(end);
    Some(bytes)
}

/// Fields of a header that may be cut.
struct Fields(Vec<u8>);

impl Fields {
    fn u8(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// Gives the files of one folder; whether there may be more. `taken` is what folders before it stand in.
fn folder_members(
    image: &Image,
    folder: &Folder,
    files: &[&File],
    taken: &mut Cover<bool>,
    peel: &mut Peel<'_>,
) -> Result<bool> {
    if files.is_empty() {
        if folder.blocks > 0 {
            let reason = "no file of the cabinet's list stands in this folder; it was not unpacked";
            peel.gap(Span::new(folder.data.min(image.len()), 0), reason);
        }
        return Ok(true);
    }
    let Some(codec) = Codec::of(folder.kind) else {
        let reason = format!("it is compressed with method {}, which is not unpacked; it was not scanned", folder.kind);
        files.iter().try_for_each(|file| peel.locked(file.entry, file.name.clone(), reason.clone()))?;
        return Ok(true);
    };
    let mut blocks = Blocks::new(image, folder, codec);
    let mut spool = if files.len() == 1 { peel.decode(&mut blocks) } else { peel.decode_together(&mut blocks) }?;
    let whole = Span::between(folder.data, blocks.at.at().max(folder.data));
    if spool.cut.is_none() {
        peel.cover(whole);
    }
    if !peel.share(common(taken, whole)) {
        return Ok(false);
    }
    let (cut, shared) = (spool.cut.take(), peel.shared(spool));
    let mut given = Cover::new(shared.image.len(), false);
    for file in files {
        if !peel.admit() || !peel.share(common(&mut given, file.span)) {
            return Ok(false);
        }
        let mut reasons = Vec::new();
        if file.span.end() > shared.image.len() {
            let why = cut.as_deref().unwrap_or("its folder ends there");
            let present = shared.image.len().saturating_sub(file.span.from());
            reasons.push(format!("only {present} of its {} bytes could be unpacked: {why}", file.span.len));
        }
        peel.inside(file.entry, file.name.clone(), &shared, file.span, reasons)?;
    }
    let place = Span::new(folder.data.min(image.len()), 0);
    if let Some(cut) = cut {
        peel.gap(place, format!("a folder could not be unpacked to its end: {cut}"));
    }
    let lost: u64 = given.all().iter().filter(|(_, given)| !given).map(|(span, _)| span.len).sum();
    if lost > 0 {
        peel.gap(
            place,
            format!("{lost} bytes of a folder belong to no file of the cabinet's list, and were not scanned"),
        );
    }
    Ok(true)
}

/// How many bytes of `span` are taken already; then all of them are.
fn common(taken: &mut Cover<bool>, span: Span) -> u64 {
    let common = taken.runs(span).iter().filter(|(_, taken)| *taken).map(|(span, _)| span.len).sum();
    taken.paint(span, true);
    common
}

enum Codec {
    Stored,
    /// What was decoded last, and a decoder's state.
    MsZip(Vec<u8>, Box<DecompressorOxide>),
    Lzx(Box<Lzxd>),
}

impl Codec {
    fn of(kind: u16) -> Option<Self> {
        match kind & 0xf {
            0 => Some(Self::Stored),
            1 => Some(Self::MsZip(Vec::new(), Box::default())),
            3 => Some(Self::Lzx(Box::new(Lzxd::new(window(kind >> 8)?)))),
            _ => None,
        }
    }

    /// One block, which has `len` bytes when it is decoded.
    fn decode(&mut self, block: &[u8], len: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Stored => Ok(block.to_vec()),
            Self::MsZip(before, state) => mszip(before, state, block, len),
            Self::Lzx(lzx) => lzx.decompress_next(block, len).map(<[u8]>::to_vec).map_err(io::Error::other),
        }
    }
}

/// The window of LZX, as a power of two.
fn window(log: u16) -> Option<WindowSize> {
    Some(match log & 0x1f {
        15 => WindowSize::KB32,
        16 => WindowSize::KB64,
        17 => WindowSize::KB128,
        18 => WindowSize::KB256,
        19 => WindowSize::KB512,
        20 => WindowSize::MB1,
        21 => WindowSize::MB2,
        22 => WindowSize::MB4,
        23 => WindowSize::MB8,
        24 => WindowSize::MB16,
        25 => WindowSize::MB32,
        _ => return None,
    })
}

/// `CK`, and deflate that may refer to the block before.
fn mszip(before: &mut Vec<u8>, state: &mut DecompressorOxide, block: &[u8], len: usize) -> io::Result<Vec<u8>> {
    let data = block.strip_prefix(b"CK").ok_or_else(|| io::Error::other("a block does not begin with CK"))?;
    state.init();
    let known = before.len();
    before.resize(known + len, 0);
    let (status, _, got) = decompress(state, data, before, known, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
    if status != TINFLStatus::Done || got != len {
        return Err(io::Error::other("a block is damaged"));
    }
    let decoded = before.get(known..).unwrap_or_default().to_vec();
    before.drain(..before.len().saturating_sub(BLOCK));
    Ok(decoded)
}

/// A folder, block by block.
struct Blocks<'a> {
    at: Stream<'a>,
    left: u16,
    reserved: u8,
    codec: Codec,
    ready: Vec<u8>,
    used: usize,
}

impl<'a> Blocks<'a> {
    fn new(image: &'a Image, folder: &Folder, codec: Codec) -> Self {
        let at = Stream::from(image, folder.data);
        Self { at, left: folder.blocks, reserved: folder.reserved, codec, ready: Vec::new(), used: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.left -= 1;
        let mut header = [0; 8];
        self.at.read_exact(&mut header)?;
        let [a, b, c, d, packed @ .., e, f] = header;
        let (packed, len) = (u16::from_le_bytes(packed), usize::from(u16::from_le_bytes([e, f])));
        if len == 0 || len > BLOCK {
            return Err(io::Error::other("a block is larger than blocks can be, or goes on in another cabinet"));
        }
        let mut rest = vec![0; usize::from(self.reserved) + usize::from(packed)];
        self.at.read_exact(&mut rest)?;
        let told = u32::from_le_bytes([a, b, c, d]);
        let (reserved, data) = rest.split_at_checked(self.reserved.into()).unwrap_or_default();
        // The checksum goes over the data, and then over what stands before it.
        let before = [header.get(4..).unwrap_or_default(), reserved].concat();
        if told != 0 && told != checksum(&before, checksum(data, 0)) {
            return Err(io::Error::other("the checksum of a block is wrong"));
        }
        (self.ready, self.used) = (self.codec.decode(data, len)?, 0);
        if self.ready.len() == len { Ok(()) } else { Err(io::Error::other("a block has another size than it says")) }
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.used == self.ready.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.refill()?;
        }
        let got = self.ready.get(self.used..).unwrap_or_default().read(into)?;
        self.used += got;
        Ok(got)
    }
}

/// The exclusive or of 32-bit words; what is left at the end counts from the other side ([MS-CAB] 3.1).
#[must_use]
pub fn checksum(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().fold(seed, |sum, word| sum ^ u32::from_le_bytes(*word));
    rest.iter().fold(0, |last, &byte| last << 8 | u32::from(byte)) ^ sum
}
