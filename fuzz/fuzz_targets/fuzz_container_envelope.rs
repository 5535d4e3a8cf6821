//! Sentry's envelopes: headers of JSON, items with a length and without.
#![no_main]

use dumpscrub_fuzz::containers::{begun, take_apart_as};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    take_apart_as("sentry envelope", begun(data, b"{\"event_id\":\"1\"}\n{\""));
});
