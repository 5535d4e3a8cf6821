//! xz: streams, blocks, filters and indexes, where the checksums of the first block and the last index hold.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use dumpscrub_fuzz::mend;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut all = begun(data, b"\xfd7zXZ\0");
    mend::xz(&mut all);
    take_apart_as("xz", all);
});
