//! gzip: members of deflate, with flags and optional fields.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    take_apart_as("gzip", begun(data, b"\x1f\x8b\x08"));
});
