//! PKCS#12 in BER, nested in any way.
#![no_main]

use dumpscrub::detect::pfx::Pfx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Pfx, data);
});
