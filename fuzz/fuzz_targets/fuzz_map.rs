//! Any bytes are mapped, and every one of them has a label and a class.
#![no_main]

use dumpscrub::image::Image;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::map(&Image::from_bytes("fuzz", data.to_vec()));
});
