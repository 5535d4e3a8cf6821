//! Places where a DER INTEGER of a key structure may start.

use std::ops::Range;

use multiversion::multiversion;

/// Calls `found` for every place in `run` where a DER INTEGER of a key structure may start: tag 02 followed by a version's
/// length (01), a long form (81, 82) or 64 or 65 bytes (the primes of RSA-1024).
pub fn der_integers(bytes: &[u8], run: Range<usize>, mut found: impl FnMut(usize)) {
    const BLOCK: usize = 256;
    let mut at = run.start;
    while at < run.end {
        let end = (at + BLOCK).min(run.end);
        let here = bytes.get(at..end).unwrap_or_default();
        let next = bytes.get(at + 1..(end + 1).min(bytes.len())).unwrap_or_default();
        if block_has_integer(here, next) {
            let pairs = here.iter().zip(next).enumerate();
            pairs.filter(|(_, (a, b))| is_integer(**a, **b)).for_each(|(i, _)| found(at + i));
        }
        at = end;
    }
}

pub(super) fn is_integer(tag: u8, length: u8) -> bool {
    (tag == 2) & ((length == 1) | (length & 0xfe == 0x40) | (length == 0x81) | (length == 0x82))
}

/// Whether `is_integer` holds anywhere: written without branches so that it becomes vector code.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn block_has_integer(here: &[u8], next: &[u8]) -> bool {
    let pairs = here.iter().zip(next);
    pairs.fold(0_u8, |any, (&a, &b)| {
        let tag = u8::from(a == 2);
        let length = u8::from(b == 1) | u8::from(b & 0xfe == 0x40) | u8::from(b == 0x81) | u8::from(b == 0x82);
        any | (tag & length)
    }) != 0
}
