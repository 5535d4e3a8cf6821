//! What the targets of the containers share: bytes are made to begin as their container does, whatever the fuzzer makes of
//! them, are taken apart and put together again.

use std::collections::BTreeMap;

use dumpscrub::container::{self, Peeled, Settings, Tree};
use dumpscrub::image::Image;
use dumpscrub::span::Span;

/// Takes the bytes apart and puts them together again, within budgets. Where nothing is wrong with them, the members that
/// were changed must come out changed.
pub fn take_apart(bytes: Vec<u8>) {
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
    let zeros: BTreeMap<usize, Image> = zeros.collect();
    let mut out = container::create(&settings.folder).unwrap();
    // What cannot be put together is refused.
    let packed = tree.pack(&zeros, &mut out, &settings);
    // Those that are text show it as members: zeros in its place are another container, or none.
    let is_text = |name: &&str| ["apport", "sentry envelope"].contains(name);
    let is_sound = |leaf: &Peeled| leaf.gaps.is_empty() && !leaf.containers.iter().any(|name| is_text(name));
    if packed.is_ok() && tree.leaves.iter().all(is_sound) {
        let len = out.metadata().unwrap().len();
        settings.limits.modest = 4 << 20;
        comes_out(&tree, &zeros, Image::from_file("fuzz".to_owned(), out, len), &settings);
    }
}

/// Whether what was written holds as many bytes in members as what it was made of, and all of them changed.
fn comes_out(old: &Tree, new: &BTreeMap<usize, Image>, written: Image, settings: &Settings) {
    let again = container::tree(written, settings).unwrap();
    let members =
        |tree: &Tree| tree.leaves.iter().filter(|leaf| leaf.shell.is_none()).map(|leaf| leaf.image.len()).sum::<u64>();
    assert_eq!(members(old), members(&again));
    if new.len() == old.leaves.iter().filter(|leaf| leaf.shell.is_none()).count() {
        for leaf in again.leaves.iter().filter(|leaf| leaf.shell.is_none()) {
            let bytes = leaf.image.bytes(0, usize::MAX).unwrap();
            assert!(bytes.iter().all(|&byte| byte == 0), "{} was not changed", leaf.image.origin());
        }
    }
}

/// As [`take_apart`], of bytes that must be taken for a `name`.
pub fn take_apart_as(name: &str, bytes: Vec<u8>) {
    let image = Image::from_bytes("fuzz", bytes.clone());
    let known = container::recognise(&image).unwrap().map(container::Container::name);
    assert_eq!(known, Some(name), "the target has left its format");
    take_apart(bytes);
}

/// The bytes with `beginning` in the place of their first ones.
pub fn begun(data: &[u8], beginning: &[u8]) -> Vec<u8> {
    let mut all = data.to_vec();
    all.resize(data.len().max(beginning.len()), 0);
    all[..beginning.len()].copy_from_slice(beginning);
    all
}
