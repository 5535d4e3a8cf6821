//! Putting a zip together: what is copied, what is compressed again, and every number that tells of it.

use std::io::{BufWriter, Write as _};

use ::bzip2::write::BzEncoder;
use ::zstd::stream::write::Encoder as ZstdEncoder;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use lzma_rust2::{XzOptions, XzWriter};

use super::{DESCRIPTOR, Entry, Local, crc, directory, local, zip64};
use crate::container::Changed;
use crate::container::chain;
use crate::container::out::{Out, refused};
use crate::error::Result;
use crate::image::Image;
use crate::span::Span;

/// A member as it stands in the new archive.
struct Placed<'a> {
    entry: &'a Entry,
    /// Where its local header stands now.
    header: u64,
    crc: u32,
    packed: u64,
    size: u64,
}

/// Where a directory is and how it ends.
struct End {
    directory: u64,
    /// The record and the locator of zip64, where there are any.
    wide: Option<(u64, u64)>,
    record: u64,
}

/// See [`crate::container::Container::pack`].
///
/// # Errors
/// As there.
pub fn pack(old: &Image, changed: &Changed<'_>, out: &mut Out<'_>) -> Result<()> {
    let (mut entries, end) = (directory(old).map_err(refused)?, End::of(old)?);
    entries.sort_by_key(|entry| entry.header);
    let (mut at, mut placed) = (0, Vec::new());
    for entry in &entries {
        if entry.header < at {
            return Err(refused("two members of the archive overlap"));
        }
        out.copy(old, Span::between(at, entry.header))?;
        at = entry.header;
        let header = out.at;
        placed.push(match changed.get(&entry.record) {
            None => Placed { entry, header, crc: entry.crc, packed: entry.packed, size: entry.size },
            Some(new) => {
                let (placed, behind) = member(old, entry, new, out)?;
                at = behind;
                placed
            }
        });
    }
    out.copy(old, Span::between(at, end.directory))?;
    finish(old, &end, &placed, out)
}

/// Compresses a member again; says where the old archive goes on behind it.
fn member<'a>(old: &Image, entry: &'a Entry, new: &Image, out: &mut Out<'_>) -> Result<(Placed<'a>, u64)> {
    let lost = || refused(format!("member {} has no header", entry.told()));
    let Local { data, .. } = local(old, entry.header).ok_or_else(lost)?;
    let header = out.at;
    out.copy(old, Span::between(entry.header, data))?;
    let start = out.at;
    compress(entry, new, out)?;
    let placed = Placed { entry, header, crc: crc(new)?, packed: out.at - start, size: new.len() };
    local_header(old, &placed, data, out)?;
    let behind = descriptor(old, &placed, data + entry.packed, out)?;
    Ok((placed, behind))
}

fn compress(entry: &Entry, new: &Image, out: &mut Out<'_>) -> Result<()> {
    let level = match entry.flags >> 1 & 3 {
        1 => Compression::best(),
        2 | 3 => Compression::fast(),
        _ => Compression::default(),
    };
    match entry.method {
        0 => out.copy_all(new),
        8 => out.write(|out| chain::encode(new, DeflateEncoder::new(BufWriter::new(out), level))?.finish()?.flush()),
        12 => out.write(|out| {
            let encoder = BzEncoder::new(BufWriter::new(out), ::bzip2::Compression::best());
            chain::encode(new, encoder)?.finish()?.flush()
        }),
        20 | 93 => out.write(|out| chain::encode(new, ZstdEncoder::new(BufWriter::new(out), 3)?)?.finish()?.flush()),
        95 => out.write(|out| {
            let encoder = XzWriter::new(BufWriter::new(out), XzOptions::with_preset(6))?;
            chain::encode(new, encoder)?.finish()?.flush()
        }),
        other => Err(refused(format!("method {other} cannot be written"))),
    }
}

/// CRC-32 and sizes before the data, where they stand there.
fn local_header(old: &Image, placed: &Placed<'_>, data: u64, out: &Out<'_>) -> Result<()> {
    let entry = placed.entry;
    let head = old.bytes(entry.header, usize::try_from(data - entry.header).unwrap_or_default())?;
    let told = |at: usize| head.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    let is_told_later = entry.flags & DESCRIPTOR != 0;
    if !is_told_later || told(14) != 0 {
        out.patch(placed.header + 14, &placed.crc.to_le_bytes())?;
    }
    let names = usize::from(u16::try_from(told(26) & 0xffff).unwrap_or_default());
    let mut wide = wide_at(&head, 30 + names);
    for (at, value) in [(22, placed.size), (18, placed.packed)] {
        if told(at) == u32::MAX && wide.is_some() {
            if let Some(place) = &mut wide {
                let stands = head.get(*place..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b));
                if !is_told_later || stands != 0 {
                    out.patch(placed.header + *place as u64, &value.to_le_bytes())?;
                }
                *place += 8;
            }
        } else if !is_told_later || told(at) != 0 {
            out.patch(placed.header + at as u64, &narrow(value, entry)?.to_le_bytes())?;
        }
    }
    Ok(())
}

/// Where the numbers of zip64's extra field begin, in a header whose extra fields begin at `extra`.
fn wide_at(head: &[u8], extra: usize) -> Option<usize> {
    let fields = head.get(extra..)?;
    let field = zip64(fields)?;
    Some(extra + (field.as_ptr().addr() - fields.as_ptr().addr()))
}

fn narrow(value: u64, entry: &Entry) -> Result<u32> {
    let fits = u32::try_from(value).ok().filter(|value| *value != u32::MAX);
    fits.ok_or_else(|| refused(format!("member {} would need zip64 now", entry.told())))
}

/// CRC-32 and sizes behind the data, in the shape in which they stood there. Says where the old archive goes on.
fn descriptor(old: &Image, placed: &Placed<'_>, at: u64, out: &mut Out<'_>) -> Result<u64> {
    let entry = placed.entry;
    if entry.flags & DESCRIPTOR == 0 {
        return Ok(at);
    }
    for (signed, wide) in [(true, false), (true, true), (false, false), (false, true)] {
        let before = told((signed, wide), entry.crc, entry.packed, entry.size);
        if before.as_ref().is_some_and(|before| old.bytes(at, before.len()).is_ok_and(|bytes| bytes == *before)) {
            let now = told((signed, wide), placed.crc, placed.packed, placed.size);
            out.put(&now.ok_or_else(|| refused(format!("member {} would need zip64 now", entry.told())))?)?;
            return Ok(at + before.map_or(0, |before| before.len() as u64));
        }
    }
    Err(refused(format!("what stands behind the data of member {} is not understood", entry.told())))
}

fn told((signed, wide): (bool, bool), crc: u32, packed: u64, size: u64) -> Option<Vec<u8>> {
    let mut bytes = if signed { b"PK\x07\x08".to_vec() } else { Vec::new() };
    bytes.extend(crc.to_le_bytes());
    for value in [packed, size] {
        match wide {
            true => bytes.extend(value.to_le_bytes()),
            false => bytes.extend(u32::try_from(value).ok()?.to_le_bytes()),
        }
    }
    Some(bytes)
}

impl End {
    fn of(old: &Image) -> Result<Self> {
        let lost = || refused("the end of the archive's directory is not where it should be");
        let record = super::end(old).ok_or_else(lost)?;
        let fields = old.bytes(record, 22)?;
        let narrow = fields.get(16..).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b)).ok_or_else(lost)?;
        let locator = record.checked_sub(20).filter(|at| old.bytes(*at, 4).is_ok_and(|magic| magic == b"PK\x06\x07"));
        let wide_at =
            |at: u64| Ok::<_, crate::error::Error>(old.bytes(at, 8)?.first_chunk().map(|b| u64::from_le_bytes(*b)));
        let wide = match locator {
            Some(locator) => Some((wide_at(locator + 8)?.ok_or_else(lost)?, locator)),
            None => None,
        };
        let directory = match wide {
            Some((record, _)) => wide_at(record + 48)?.ok_or_else(lost)?,
            None => narrow.into(),
        };
        Ok(Self { directory, wide, record })
    }
}

/// The directory and what stands behind it.
fn finish(old: &Image, end: &End, placed: &[Placed<'_>], out: &mut Out<'_>) -> Result<()> {
    // By the directory's length its records may be elsewhere; what stands before it is not copied with it.
    let wide = end.wide.into_iter().flat_map(|(record, locator)| [record, locator]);
    let mut parts = placed.iter().map(|member| member.entry.record).chain(wide).chain([end.record]);
    if parts.any(|part| part < end.directory) {
        return Err(refused("its directory does not stand where its end says"));
    }
    let (start, shift) = (out.at, out.at.wrapping_sub(end.directory));
    out.copy(old, Span::between(end.directory, old.len()))?;
    let moved = |at: u64| at.wrapping_add(shift);
    for member in placed {
        record(old, member, moved(member.entry.record), out)?;
    }
    if let Some((record, locator)) = end.wide {
        out.patch(moved(record) + 48, &start.to_le_bytes())?;
        out.patch(moved(locator) + 8, &moved(record).to_le_bytes())?;
    }
    let stands = old.bytes(end.record + 16, 4)?;
    if stands != [0xff; 4] {
        let start = u32::try_from(start).ok().filter(|start| *start != u32::MAX);
        out.patch(
            moved(end.record) + 16,
            &start.ok_or_else(|| refused("the archive would need zip64 now"))?.to_le_bytes(),
        )?;
    }
    Ok(())
}

/// The numbers of one record of the directory, which stands at `now`.
fn record(old: &Image, placed: &Placed<'_>, now: u64, out: &Out<'_>) -> Result<()> {
    let entry = placed.entry;
    let head = old.bytes(entry.record, super::RECORD)?;
    let u16_at = |at: usize| head.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b));
    let told = |at: usize| head.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    let (extra, extra_len) = (46 + usize::from(u16_at(28)), usize::from(u16_at(30)));
    let mut wide = wide_at(head.get(..extra + extra_len).unwrap_or_default(), extra);
    out.patch(now + 16, &placed.crc.to_le_bytes())?;
    for (at, value) in [(24, placed.size), (20, placed.packed), (42, placed.header)] {
        match &mut wide {
            Some(place) if told(at) == u32::MAX => {
                out.patch(now + *place as u64, &value.to_le_bytes())?;
                *place += 8;
            }
            _ => out.patch(now + at as u64, &narrow(value, entry)?.to_le_bytes())?,
        }
    }
    Ok(())
}
