//! Any bytes are taken apart and put together again within their budgets; the first byte chooses the container.
#![no_main]

use dumpscrub_fuzz::containers::take_apart;
use dumpscrub_fuzz::mend;
use libfuzzer_sys::fuzz_target;

/// What each container begins with.
const MAGIC: &[&[u8]] = &[
    b"",
    b"\x28\xb5\x2f\xfd",
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\0",
    b"\x04\x22\x4d\x18",
    b"\x02\x21\x4c\x18",
    b"BZh91AY&SY",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"MSCF\0\0\0\0",
    b"ProblemType: Crash\nCoreDump: base64\n ",
    b"{\"event_id\":\"1\"}\n{\"type\":\"attachment\",\"length\":",
    // A tar: see `mend`.
    b"",
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let choice = usize::from(choice) % MAGIC.len();
    let mut bytes = [MAGIC[choice], rest].concat();
    if choice + 1 == MAGIC.len() {
        mend::tar(&mut bytes);
    }
    take_apart(bytes);
});
