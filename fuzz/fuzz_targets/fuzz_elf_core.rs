//! Any bytes behind the beginning of an ELF core, or of a Mach-O core, are mapped: every one has a label and a class.
#![no_main]

use dumpscrub::image::Image;
use libfuzzer_sys::fuzz_target;

/// 64-bit little-endian, 32-bit big-endian: magic, class, order, version, padding, ET_CORE; then a Mach-O core's magic,
/// processor, subtype and MH_CORE.
const HEADS: [&[u8]; 3] = [
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0",
    b"\x7fELF\x01\x02\x01\0\0\0\0\0\0\0\0\0\0\x04",
    b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x04\0\0\0",
];

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    // What starts as a core is taken as it is, so that seeds can be real ones.
    let bytes = if data.starts_with(b"\x7fELF") {
        data.to_vec()
    } else {
        [HEADS[usize::from(*kind) % HEADS.len()], rest].concat()
    };
    dumpscrub_fuzz::map(&Image::from_bytes("fuzz", bytes));
});
