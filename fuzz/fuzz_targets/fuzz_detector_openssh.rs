//! OpenSSH's private keys, whole, cut and damaged.
#![no_main]

use dumpscrub::detect::openssh::OpenSsh;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&OpenSsh, data);
});
