//! AES round keys in every layout, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::aes_schedule::AesSchedule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&AesSchedule, data);
});
