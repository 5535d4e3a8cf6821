//! zip: local headers, and directories that may say otherwise.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    take_apart_as("zip", begun(data, b"PK\x03\x04"));
});
