//! Cabinets: folders of blocks, whose checksums are not asked for.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use dumpscrub_fuzz::mend;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut all = begun(data, b"MSCF\0\0\0\0");
    mend::cab(&mut all);
    take_apart_as("cab", all);
});
