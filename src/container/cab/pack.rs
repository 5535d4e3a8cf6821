//! Putting a cabinet together: the folders that hold a changed file are compressed again, all others are copied.
//!
//! A folder keeps its number of blocks, because a block always holds 32 KiB. What was LZX or MSZIP comes back as MSZIP: there
//! is no other encoder, and whoever reads LZX reads MSZIP.

use std::io::{self, BufReader, Read};

use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

use super::{BLOCK, Blocks, Cabinet, Codec, File, Folder, checksum};
use crate::container::Changed;
use crate::container::out::{Out, refused};
use crate::error::Result;
use crate::image::{Image, Stream};
use crate::span::Span;

/// See [`crate::container::Container::pack`].
///
/// # Errors
/// As there.
pub fn pack(old: &Image, changed: &Changed<'_>, out: &mut Out<'_>) -> Result<()> {
    let cabinet = Cabinet::read(old).ok_or_else(|| refused("the cabinet's header is damaged"))?;
    let mut order: Vec<(usize, &Folder)> = cabinet.folders.iter().enumerate().collect();
    order.sort_by_key(|(_, folder)| folder.data);
    let (mut at, mut moved) = (0, Vec::new());
    for (number, folder) in order {
        if folder.data < at {
            return Err(refused("two folders of the cabinet overlap"));
        }
        out.copy(old, Span::between(at, folder.data))?;
        at = folder.data;
        moved.push((folder, out.at, folder.kind));
        let files = cabinet.files.iter().filter(|file| usize::from(file.folder) == number);
        let new: Vec<(&File, &Image)> = files.filter_map(|file| Some((file, *changed.get(&file.entry)?))).collect();
        if let Some(last) = moved.last_mut().filter(|_| !new.is_empty()) {
            let (end, kind) = again(old, folder, &new, out)?;
            (at, last.2) = (end, kind);
        }
    }
    out.copy(old, Span::between(at, old.len()))?;
    for (folder, data, kind) in moved {
        out.patch(folder.entry, &narrow(data)?.to_le_bytes())?;
        out.patch(folder.entry + 6, &kind.to_le_bytes())?;
    }
    out.patch(8, &narrow(out.at)?.to_le_bytes())
}

fn narrow(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| refused("the cabinet would be larger than cabinets can be"))
}

/// Compresses a folder again, with `new` files over the old ones. Says where it ended, and how it is compressed now.
fn again(old: &Image, folder: &Folder, new: &[(&File, &Image)], out: &mut Out<'_>) -> Result<(u64, u16)> {
    let lost = || refused("a folder's compression is not known");
    let is_stored = folder.kind & 0xf == 0;
    if let Some((file, _)) = new.iter().find(|(file, image)| file.span.len != image.len()) {
        return Err(refused(format!("{} has another size now, which its cabinet cannot have", file.name)));
    }
    let mut blocks = Blocks::new(old, folder, Codec::of(folder.kind).ok_or_else(lost)?);
    let mut at = 0;
    while blocks.left > 0 {
        let header = blocks.at.at();
        out.write(|_| blocks.refill())?;
        let mut bytes = std::mem::take(&mut blocks.ready);
        blocks.used = 0;
        new.iter().try_for_each(|(file, image)| overlay(at, &mut bytes, file.span, image))?;
        at += bytes.len() as u64;
        let reserved = old.bytes(header + 8, folder.reserved.into())?;
        block(&bytes, &reserved, is_stored, out)?;
    }
    Ok((blocks.at.at(), if is_stored { folder.kind } else { 1 }))
}

/// Lays what of a file belongs into the block at `at` over it.
fn overlay(at: u64, block: &mut [u8], span: Span, new: &Image) -> Result<()> {
    let Some(both) = Span::new(at, block.len() as u64).intersection(&span) else { return Ok(()) };
    let (from, to) = (both.from() - at, both.end() - at);
    let range = usize::try_from(from).unwrap_or_default()..usize::try_from(to).unwrap_or_default();
    let part = Stream::new(new, Span::new(both.from() - span.from(), both.len));
    let read = BufReader::new(part).read_exact(block.get_mut(range).unwrap_or_default());
    read.map_err(|_| refused(format!("{} could not be read", new.origin())))
}

fn block(bytes: &[u8], reserved: &[u8], is_stored: bool, out: &mut Out<'_>) -> Result<()> {
    let data = if is_stored { bytes.to_vec() } else { out.write(|_| mszip(bytes))? };
    let len = |bytes: &[u8]| u16::try_from(bytes.len()).map_err(|_| refused("a block is larger than blocks can be"));
    let sizes = [len(&data)?.to_le_bytes(), len(bytes)?.to_le_bytes()].concat();
    let before = [&sizes, reserved].concat();
    out.put(&checksum(&before, checksum(&data, 0)).to_le_bytes())?;
    out.put(&before)?;
    out.put(&data)
}

/// A block that refers to none before it.
///
/// Its codes are the fixed ones of deflate: an encoder that makes codes of its own writes a single code for distances where
/// there is one distance only, as in pages of zeros, and cabextract refuses that.
fn mszip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    const SIGNATURE: &[u8] = b"CK";
    let mut encoder = CompressorOxide::new(create_comp_flags_from_zip_params(6, 0, CompressionStrategy::Fixed.into()));
    // The longest code has nine bits.
    let mut packed = vec![0; SIGNATURE.len() + BLOCK * 9 / 8 + 64];
    let (signature, room) = packed.split_at_mut(SIGNATURE.len());
    signature.copy_from_slice(SIGNATURE);
    let (status, _, len) = compress(&mut encoder, bytes, room, TDEFLFlush::Finish);
    if status != TDEFLStatus::Done {
        return Err(io::Error::other("a block could not be compressed"));
    }
    packed.truncate(SIGNATURE.len() + len);
    Ok(packed)
}
