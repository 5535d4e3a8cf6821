//! apport's reports: fields of text, and of base64 where the first byte is high: then all else is one.
#![no_main]

use base64ct::{Base64, Encoding};
use dumpscrub_fuzz::containers::{begun, take_apart_as};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.first().is_some_and(|byte| byte & 0x80 != 0) {
        let field = format!("ProblemType: Crash\nCoreDump: base64\n {}\n", Base64::encode_string(&data[1..]));
        return take_apart_as("apport", field.into_bytes());
    }
    take_apart_as("apport", begun(data, b"ProblemType: Crash\n"));
});
