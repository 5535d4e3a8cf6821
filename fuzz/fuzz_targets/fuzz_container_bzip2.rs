//! bzip2: streams of blocks.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let digit = b'1' + data.get(3).map_or(8, |byte| byte.wrapping_sub(b'1') % 9);
    let beginning = [b"BZh", &[digit][..], b"1AY&SY"].concat();
    take_apart_as("bzip2", begun(data, &beginning));
});
