//! PEM texts at either width, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::pem::Pem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Pem, data);
});
