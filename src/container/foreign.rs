//! Containers that are known and not unpacked: what is in them was not scanned, and that is told.

use crate::error::Gap;
use crate::image::Image;
use crate::span::Span;

/// Names, and the bytes that files of that kind begin with.
const FOREIGN: &[(&str, &[u8])] = &[
    ("a 7z archive", b"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", b"Rar!\x1a\x07"),
    ("an lzip file", b"LZIP\x01"),
    ("an lzop file", b"\x89LZO\0\r\n\x1a\n"),
    ("a file of compress", b"\x1f\x9d"),
    ("a framed Snappy stream", b"\xff\x06\0\0sNaPpY"),
    ("a compressed AVML image", b"AVML\x02"),
    ("a kdump-compressed dump", b"KDUMP   "),
    ("a file encrypted with age", b"age-encryption.org/"),
    ("an encrypted PGP message", b"-----BEGIN PGP MESSAGE-----"),
    ("an encrypted disk image (LUKS)", b"LUKS\xba\xbe"),
    ("an OpenSSL-encrypted file", b"Salted__"),
    ("a zip archive of several parts", b"PK\x07\x08PK\x03\x04"),
];

/// The gap of an image that begins like a container that is not unpacked.
pub fn gap(head: &[u8], image: &Image) -> Option<Gap> {
    let (name, _) = FOREIGN.iter().find(|(_, magic)| head.starts_with(magic))?;
    let reason = format!("this is {name}, which is not unpacked; it was only scanned as it is");
    Some(Gap { span: Span::new(0, image.len()), reason })
}
