//! Key blobs of CNG, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::cng::Cng;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Cng, data);
});
