//! Any bytes are taken apart and put together again within their budgets; the first byte chooses the container.
#![no_main]

use dumpscrub::container::{self, Settings};
use dumpscrub::image::Image;
use dumpscrub::span::Span;
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
    // A tar: see `with_sums`.
    b"",
];

/// Gives every block that is not empty a right checksum, which no fuzzer would find: each may be a header of a tar.
fn with_sums(data: &[u8]) -> Vec<u8> {
    let mut all = data.to_vec();
    for header in all.chunks_exact_mut(512).filter(|block| block[0] != 0) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    all
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let choice = usize::from(choice) % MAGIC.len();
    let bytes = if choice + 1 == MAGIC.len() { with_sums(rest) } else { [MAGIC[choice], rest].concat() };
    let image = Image::from_bytes("fuzz", bytes);
    let mut settings = Settings::default();
    settings.limits.modest = 1 << 20;
    settings.limits.ratio = 1;
    settings.limits.members = 100;
    let whole = image.part("fuzz".to_owned(), Span::new(0, image.len()));
    container::peel(whole, &settings, &mut |peeled| {
        assert!(peeled.gaps.iter().all(|gap| gap.span.end() <= peeled.image.len()));
        Ok(())
    })
    .unwrap();
    let Ok(tree) = container::tree(image, &settings) else { return };
    let zeros = tree.leaves.iter().enumerate().filter(|(_, leaf)| leaf.shell.is_none() && leaf.image.len() < 1 << 20);
    let zeros = zeros.map(|(number, leaf)| (number, Image::from_bytes("new", vec![0; leaf.image.len() as usize])));
    let mut out = container::create(&settings.folder).unwrap();
    // What cannot be put together is refused.
    let _ = tree.pack(&zeros.collect(), &mut out, &settings);
});
