//! tar: members whose headers have checksums that hold.
#![no_main]

use dumpscrub_fuzz::containers::take_apart_as;
use dumpscrub_fuzz::mend;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut all = data.to_vec();
    mend::tar(&mut all);
    take_apart_as("tar", all);
});
