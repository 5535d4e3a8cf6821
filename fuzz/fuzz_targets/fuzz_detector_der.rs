//! DER structures and lone INTEGERs, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::der::{Der, EncryptedDer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Der, data);
    dumpscrub_fuzz::confirm_everywhere(&EncryptedDer, data);
});
