//! S-expressions of libgcrypt in any bytes.
#![no_main]

use dumpscrub::detect::sexp::Sexp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&Sexp, data);
});
