//! Private keys of Ed25519 in the heap of Go, where nothing stands between objects of one size.
//!
//! Other allocators write a length before what they hand out, or leave room behind it, so a key is an end of what looks random
//! ([`super::bare_points`]). Go hands out objects of 64 bytes one behind the other from the start of a page, each at a multiple of 64: a private key
//! (`crypto/ed25519`: the seed and the public key) may have hashes and signatures of the same size on both sides. So each such object that looks
//! random may be one, and the multiplication says whether it is.
//!
//! Source: `arenaHint` in runtime/malloc.go: on 64-bit machines the heap begins at 0xc000000000 and grows upwards from there.
//!
//! Cost: nothing where there is no memory at that address, and else some microseconds for each object of the heap that looks random. In the midst
//! of noise ([`super::noise`]), which is large objects mostly, no more are tried than [`MOST_IN_NOISE`] in a window.

use std::ops::Range;

use super::Shown;
use super::bare_points::SEED_AND_KEY;
use super::dense::WORD;
use super::ec_places::Grid;
use super::noise::FAR;
use crate::memory::AddressSpace;
use crate::span::Address;

/// Where the heap begins, and where no program's ends: 64 GiB.
const HEAP: Range<u64> = 0xc0_0000_0000..0xd0_0000_0000;
/// Objects in the midst of noise that are tried in each window: some milliseconds.
const MOST_IN_NOISE: usize = 1024;

/// Objects of 64 bytes that may be private keys.
#[derive(Debug, Default)]
pub struct Objects {
    /// Where they begin in the window.
    pub at: Vec<usize>,
    /// How many more there are.
    pub left_out: u64,
}

/// Those that the window owns.
#[must_use]
pub fn objects(shown: &Shown<'_>, grids: &[Grid]) -> Objects {
    let mut found = Objects::default();
    let (window, owned) = (shown.window, shown.window.owned());
    if window.is_stitched() || !has_heap(shown.memory) {
        return found;
    }
    let (places, mut in_noise) = (shown.memory.places(), 0);
    for (grid, run) in grids.iter().flat_map(|grid| grid.runs.iter().map(move |run| (grid, run))) {
        let Some(address) = window.offset(run.range.start).and_then(|offset| places.address_of(offset)) else {
            continue;
        };
        let skipped = (address.0.next_multiple_of(SEED_AND_KEY as u64) - address.0) as usize;
        let first = run.range.start + skipped;
        let last = (run.range.end + 1).saturating_sub(SEED_AND_KEY);
        if !HEAP.contains(&address.0) {
            continue;
        }
        let whole = (first..last).step_by(SEED_AND_KEY).filter(|at| owned.contains(at));
        for at in whole.filter(|at| grid.is_dense(*at, SEED_AND_KEY / WORD)) {
            let is_in_noise = shown.noise().is_around(&(at..at + SEED_AND_KEY), FAR);
            in_noise += usize::from(is_in_noise);
            if is_in_noise && in_noise > MOST_IN_NOISE {
                found.left_out += 1;
            } else {
                found.at.push(at);
            }
        }
    }
    found
}

/// Whether there is a heap of Go.
fn has_heap(memory: &AddressSpace) -> bool {
    !memory.offsets_of(Address(HEAP.start), 1).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Label, Region};
    use crate::hunt::bare_points;
    use crate::image::Image;
    use crate::keys::base_points::{self, EdwardsForm, Group};
    use crate::keys::testing::noise;
    use crate::span::Span;
    use crate::window::Window;

    /// A private key as Go keeps it.
    fn key(seed: u64) -> Vec<u8> {
        let secret: [u8; 32] = noise(32, seed).try_into().unwrap();
        let public = base_points::ed25519(EdwardsForm::Seed, &[secret]).remove(0);
        [&secret[..], &public].concat()
    }

    /// Where keys are found in memory at an address, window after window of so many bytes, and how many objects are left out.
    fn found(bytes: &[u8], address: u64, size: usize) -> (Vec<u64>, u64) {
        let span = Span::new(0, bytes.len() as u64);
        let region = Region { span, address: Some(Address(address)), label: Label::Memory, protection: None };
        let (image, memory) = (Image::from_bytes("t", bytes.to_vec()), AddressSpace::new(&[region]));
        let (mut at, mut left_out) = (Vec::new(), 0);
        for from in (0..bytes.len()).step_by(size) {
            let (start, end) = (from.saturating_sub(8192), (from + size + 8192).min(bytes.len()));
            let owned = from - start..(from + size).min(bytes.len()) - start;
            let pieces = [Span::new(start as u64, (end - start) as u64)];
            let window = Window::new(&bytes[start..end], owned, &pieces, &[]);
            let shown = Shown::new(&window, &memory, &image);
            let objects = objects(&shown, shown.grids());
            left_out += objects.left_out;
            for (place, clue) in bare_points::seeds_with_keys(&window, shown.grids(), &objects.at) {
                assert!(matches!(clue, crate::hunt::Clue::CurvePoint { group: Group::Ed25519, .. }));
                at.push(place.spans[0].from());
            }
        }
        at.sort_unstable();
        at.dedup();
        (at, left_out)
    }

    #[test]
    fn keys_between_other_random_objects_are_found_in_the_heap_of_go_alone() {
        let mut bytes = noise(64 * 200, 1);
        for (at, seed) in [(64 * 40, 2), (64 * 41, 3), (64 * 199, 4), (64 * 70 + 32, 5)] {
            bytes.splice(at..(at + 64), key(seed));
        }
        bytes.truncate(64 * 200);
        for size in [1 << 16, 4096, 64 * 41 + 8] {
            assert_eq!(found(&bytes, HEAP.start, size), (vec![64 * 40, 64 * 41, 64 * 199], 0), "{size}");
        }
        // An end of what looks random is tried wherever it stands.
        assert!(found(&bytes, 0x7f12_0000_0000, 1 << 16).0.is_empty());
    }

    #[test]
    fn in_the_midst_of_much_noise_some_are_left_out_and_counted() {
        let bytes = noise(64 * 3000, 6);
        let (at, left_out) = found(&bytes, HEAP.start, 1 << 20);
        assert!(at.is_empty());
        assert!((1700..2000).contains(&left_out), "{left_out}");
    }
}
