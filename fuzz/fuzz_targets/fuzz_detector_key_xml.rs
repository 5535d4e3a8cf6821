//! .NET's XML of keys in any text.
#![no_main]

use dumpscrub::detect::key_xml::KeyXml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&KeyXml, data);
});
