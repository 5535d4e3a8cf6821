//! JSON Web Keys in any text.
#![no_main]

use dumpscrub::detect::jwk::Jwk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Jwk, data);
});
