//! Containers that are known and not unpacked: what is in them was not scanned, and that is told.

use flate2::FlushDecompress;

use crate::container::{HEAD, zip, zstd};
use crate::error::{Gap, Result};
use crate::image::Image;
use crate::span::Span;

/// Names, and the bytes that files of that kind begin with.
const FOREIGN: &[(&str, &[u8])] = &[
    ("a 7z archive", b"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", b"Rar!\x1a\x07"),
    ("a cpio archive", b"070701"),
    ("a cpio archive", b"070702"),
    ("a cpio archive", b"070707"),
    ("a cpio archive", b"\xc7\x71"),
    ("an ar archive", b"!<arch>\n"),
    ("a xar archive", b"xar!\0\x1c"),
    ("a WIM image", b"MSWIM\0\0\0"),
    ("a squashfs image", b"hsqs"),
    ("a QEMU disk image", b"QFI\xfb"),
    ("a VMware disk image", b"KDMV"),
    ("an lzip file", b"LZIP\x01"),
    ("an lzop file", b"\x89LZO\0\r\n\x1a\n"),
    ("an lrzip file", b"LRZI"),
    ("an LZMA file", b"\x5d\0\0"),
    ("a file of compress", b"\x1f\x9d"),
    ("a file of pack", b"\x1f\x1e"),
    ("a file of the first bzip", b"BZ0"),
    ("a file of an old version of zstd", b"\x22\xb5\x2f\xfd"),
    ("a file of an old version of zstd", b"\x23\xb5\x2f\xfd"),
    ("a file of an old version of zstd", b"\x24\xb5\x2f\xfd"),
    ("a file of an old version of zstd", b"\x25\xb5\x2f\xfd"),
    ("a file of an old version of zstd", b"\x26\xb5\x2f\xfd"),
    ("a file of an old version of zstd", b"\x27\xb5\x2f\xfd"),
    ("an LZFSE file", b"bvx2"),
    ("an LZFSE file", b"bvxn"),
    ("a framed Snappy stream", b"\xff\x06\0\0sNaPpY"),
    ("a compressed AVML image", b"AVML\x02"),
    ("a kdump-compressed dump", b"KDUMP   "),
    ("a flattened kdump", b"makedumpfile\0"),
    ("a file encrypted with age", b"age-encryption.org/"),
    ("a file encrypted with age", b"-----BEGIN AGE ENCRYPTED FILE-----"),
    ("an encrypted PGP message", b"-----BEGIN PGP MESSAGE-----"),
    ("an encrypted disk image (LUKS)", b"LUKS\xba\xbe"),
    ("an OpenSSL-encrypted file", b"Salted__"),
    ("a zip archive of several parts", b"PK\x07\x08PK\x03\x04"),
];

/// The gap of an image that is a container which is not unpacked, by its first bytes or by its last.
///
/// # Errors
/// When the image cannot be read.
pub fn gap(image: &Image) -> Result<Option<Gap>> {
    let head = image.bytes(0, HEAD)?;
    let by_head = FOREIGN.iter().find(|(_, magic)| head.starts_with(magic)).map(|(name, _)| *name);
    let name = match by_head {
        Some("an LZMA file") if !is_lzma(&head) => None,
        Some(name) => Some(name),
        None if is_zlib(&head) => Some("a zlib stream"),
        None if zstd::skippable(&head).is_some() => Some("a file of skippable frames"),
        None if zip::ends(image)? => Some("a dump with a zip archive behind it"),
        None => None,
    };
    let reason = |name| format!("this is {name}, which is not unpacked; it was only scanned as it is");
    Ok(name.map(|name| Gap { span: Span::new(0, image.len()), reason: reason(name) }))
}

/// Whether it begins like zlib at its usual window, and goes on like deflate for as long as can be seen.
fn is_zlib(head: &[u8]) -> bool {
    let [0x78, flags, ..] = head else { return false };
    let is_checked = (0x7800 + u32::from(*flags)) % 31 == 0 && flags & 0x20 == 0;
    let mut inflater = flate2::Decompress::new(true);
    is_checked
        && inflater.decompress(head, &mut vec![0; 1 << 20], FlushDecompress::None).is_ok()
        && inflater.total_out() > 0
}

/// Whether it is the header of an LZMA file, which has no magic number: properties that everybody uses, a dictionary of a power of
/// two, or one and a half of it, and a size that is not known or not absurd.
fn is_lzma(head: &[u8]) -> bool {
    let word = |at: usize| head.get(at..).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    let Some(((dictionary, low), high)) = word(1).zip(word(5)).zip(word(9)) else { return false };
    let is_round = dictionary.is_power_of_two() || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    let is_sized = (low, high) == (u32::MAX, u32::MAX) || high < 0x100;
    is_round && dictionary >= 1 << 12 && is_sized && head.get(13) == Some(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Option<String> {
        gap(&Image::from_bytes("x", bytes.to_vec())).unwrap().map(|gap| gap.reason)
    }

    #[test]
    fn what_begins_with_a_known_magic_number_is_named() {
        assert!(name(b"070701 and more").unwrap().contains("a cpio archive"));
        assert!(name(b"\x27\xb5\x2f\xfd\0").unwrap().contains("old version of zstd"));
        assert_eq!(name(b"\x7fELF\x02\x01\x01"), None);
    }

    #[test]
    fn lzma_is_told_from_bytes_that_begin_like_it() {
        let mut head = b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x12".to_vec();
        assert!(name(&head).unwrap().contains("an LZMA file"));
        head[3] = 0x81;
        assert_eq!(name(&head), None);
        assert_eq!(name(b"\x5d\0\0"), None);
    }
}
