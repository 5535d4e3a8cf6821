//! Key blobs of CryptoAPI, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::capi::Capi;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Capi, data);
});
