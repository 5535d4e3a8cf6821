//! DPAPI blobs with any lengths inside.
#![no_main]

use dumpscrub::detect::dpapi::Dpapi;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Dpapi, data);
});
