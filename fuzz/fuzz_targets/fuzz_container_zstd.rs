//! zstd: frames, skippable ones behind the first.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    take_apart_as("zstd", begun(data, b"\x28\xb5\x2f\xfd"));
});
