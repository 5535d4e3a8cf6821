//! PuTTY's key files, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::putty::Putty;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Putty, data);
});
