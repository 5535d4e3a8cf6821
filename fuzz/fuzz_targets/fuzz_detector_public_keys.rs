//! Certificates and public keys, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::public_keys::PublicKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&PublicKeys, data);
});
