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
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let magic = MAGIC[usize::from(choice) % MAGIC.len()];
    let image = Image::from_bytes("fuzz", [magic, rest].concat());
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
