//! Places where a DER INTEGER of a key structure may start.

use std::ops::Range;

use multiversion::multiversion;

/// Bytes that are tested at once.
const BLOCK: usize = 256;

/// Calls `found` for every place in `run` where a DER INTEGER of a key structure may start: tag 02 followed by a version of 0
/// or 1, by a length in its shortest long form (81 80 to 81 ff, 82 01 00 to 82 1f ff), or by 64 or 65 bytes (the primes of RSA-1024).
pub fn der_integers(bytes: &[u8], run: Range<usize>, mut found: impl FnMut(usize)) {
    let mut begins = [0; BLOCK];
    let mut at = run.start;
    while at < run.end {
        let end = (at + BLOCK).min(run.end);
        let behind = |n: usize| bytes.get(at + n..(end + n).min(bytes.len())).unwrap_or_default();
        if block_has_integer([behind(0), behind(1), behind(2)], &mut begins) {
            memchr::memchr_iter(1, &begins).for_each(|begin| found(at + begin));
        }
        at = end;
    }
}

/// Whether the tag, the length's first byte and what follows may begin such an INTEGER.
#[inline(always)]
pub(super) fn is_integer(tag: u8, length: u8, next: u8) -> bool {
    let version = (length == 1) & (next <= 1);
    let prime = length & 0xfe == 0x40;
    let long = (length == 0x81) & (next >= 0x80) | (length == 0x82) & (next.wrapping_sub(1) < 0x1f);
    (tag == 2) & (version | prime | long)
}

/// Whether `is_integer` holds for any third byte.
#[inline(always)]
fn may_be_integer(tag: u8, length: u8) -> bool {
    (tag == 2) & ((length == 1) | (length & 0xfe == 0x40) | (length.wrapping_sub(0x81) < 2))
}

/// Whether `is_integer` holds anywhere, and 1 for each place where it does: written without branches so that it becomes vector
/// code.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn block_has_integer([tags, lengths, nexts]: [&[u8]; 3], begins: &mut [u8; BLOCK]) -> bool {
    // Mostly there is none in a whole block: that is told by the first two bytes, and nothing is written down.
    if let (Some(tags), Some(lengths)) = (tags.first_chunk::<BLOCK>(), lengths.first_chunk::<BLOCK>())
        && !tags.iter().zip(lengths).fold(false, |any, (&tag, &length)| any | may_be_integer(tag, length))
    {
        return false;
    }
    begins.fill(0);
    let heads = tags.iter().zip(lengths).zip(nexts);
    begins.iter_mut().zip(heads).fold(0_u8, |any, (begin, ((&tag, &length), &next))| {
        *begin = u8::from(is_integer(tag, length, next));
        any | *begin
    }) != 0
}
