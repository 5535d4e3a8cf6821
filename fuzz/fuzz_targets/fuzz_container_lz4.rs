//! LZ4: frames, and legacy ones where the first byte says so.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use dumpscrub_fuzz::mend;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.first() == Some(&2) {
        return take_apart_as("lz4", begun(data, b"\x02\x21\x4c\x18"));
    }
    let mut all = begun(data, b"\x04\x22\x4d\x18");
    mend::lz4(&mut all);
    take_apart_as("lz4", all);
});
