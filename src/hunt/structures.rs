//! Places where a structure may stand that nothing but its own words tell of: the pointers and numbers in it, and what it points to.

use std::ops::ControlFlow;

use zeroize::Zeroizing;

use super::Shown;
use super::dense::{self, LANES, WORD};
use crate::span::{Address, Span};
use crate::vault::SecretBytes;

/// A word that may belong to a structure.
pub struct Place<'a> {
    /// The window that owns its first byte.
    pub shown: &'a Shown<'a>,
    /// Where in the window it begins.
    pub at: usize,
}

/// Calls `found` for the words of the owned part of the window that are aligned by their address and that `mask` tells of, a bit for
/// each of 64 of them, until it breaks off. A stitched window has none: what it shows is owned by others.
pub fn each<'a>(
    shown: &'a Shown<'a>,
    mask: impl Fn(&[u8; WORD * LANES]) -> u64,
    mut found: impl FnMut(Place<'a>) -> ControlFlow<()>,
) {
    let (window, owned) = (shown.window, shown.window.owned());
    if window.is_stitched() {
        return;
    }
    let grids = dense::grids(window, shown.memory.layout());
    for (grid, _) in grids.iter().enumerate().filter(|(_, on)| **on) {
        let first = owned.start + (grid + WORD - owned.start % WORD) % WORD;
        // The last word may end behind what the window owns.
        let words = window.slice(first..owned.end + WORD - 1);
        for (block, start) in words.chunks(WORD * LANES).zip((first..).step_by(WORD * LANES)) {
            let mut left = mask(&dense::whole(block));
            while left != 0 {
                let at = start + WORD * left.trailing_zeros() as usize;
                left &= left - 1;
                if owned.contains(&at) && found(Place { shown, at }).is_break() {
                    return;
                }
            }
        }
    }
}

/// One bit for each word that may be a pointer to what a process has allocated.
pub fn pointers(block: &[u8; WORD * LANES]) -> u64 {
    words(block, is_pointer)
}

/// One bit for each word that is so.
#[inline(always)]
pub fn words(block: &[u8; WORD * LANES], is_so: impl Fn(u64) -> bool) -> u64 {
    let words = block.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    (0..).zip(words).fold(0, |mask, (i, word)| mask | u64::from(is_so(word)) << i)
}

/// Whether the word may be an address of a process: above what is never mapped, and of the lower half.
pub fn is_pointer(word: u64) -> bool {
    (0x1_0000..1 << 47).contains(&word)
}

impl Place<'_> {
    /// The word so many words behind this one, or before it, if the window shows it.
    pub fn word(&self, behind: isize) -> Option<u64> {
        let at = self.at.checked_add_signed(behind.checked_mul(WORD as isize)?)?;
        self.shown.window.slice(at..at.checked_add(WORD)?).first_chunk().map(|word| u64::from_le_bytes(*word))
    }

    /// The text at an address, up to the zero behind it: less than `most` bytes.
    pub fn text(&self, address: u64, most: usize) -> Option<SecretBytes> {
        self.shown.text(Address(address), most)
    }

    /// The bytes at an address, if memory has all of them. `len` is to be bounded by the caller.
    pub fn read(&self, address: u64, len: usize) -> Option<SecretBytes> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        let got = self.shown.memory.read(self.shown.image, Address(address), &mut bytes).ok()?;
        (got == len).then(|| SecretBytes::new(bytes.as_slice()))
    }

    /// Where in the file the bytes at an address stand.
    pub fn spans(&self, address: u64, len: usize) -> Vec<Span> {
        self.shown.memory.spans_from(Address(address), len as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::memory::AddressSpace;
    use crate::window::Window;

    /// The words that windows which own so many bytes each tell of, wherever the grid of words lies.
    fn told(bytes: &[u8], size: usize) -> Vec<(usize, Option<u64>, Option<u64>)> {
        let (memory, image) = (AddressSpace::new(&[]), Image::from_bytes("t", Vec::new()));
        let pieces = [Span::new(0, bytes.len() as u64)];
        let mut told = Vec::new();
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            each(&Shown::new(&window, &memory, &image), pointers, |place| {
                told.push((place.at, place.word(-1), place.word(1)));
                ControlFlow::Continue(())
            });
        }
        told.sort_unstable();
        told
    }

    #[test]
    fn every_pointer_is_told_once_also_across_the_edge_of_a_window() {
        let mut bytes = vec![0xff; 3000];
        let at = [0, 16, 511, 1024, 2043];
        for at in at {
            bytes[at..at + 8].copy_from_slice(&0x5555_0123_4567_u64.to_le_bytes());
        }
        for size in [3000, 512, 517, 40] {
            let places: Vec<usize> =
                told(&bytes, size).into_iter().map(|(at, ..)| at).filter(|place| at.contains(place)).collect();
            assert_eq!(places, at, "{size}");
        }
        assert_eq!(told(&bytes, 517)[0], (0, None, Some(u64::MAX)));
    }

    #[test]
    fn who_breaks_off_is_asked_no_more() {
        let bytes = [0, 0, 1, 0, 0, 0, 0, 0].repeat(99);
        let (memory, image) = (AddressSpace::new(&[]), Image::from_bytes("t", Vec::new()));
        let pieces = [Span::new(0, bytes.len() as u64)];
        let window = Window::new(&bytes, 0..bytes.len(), &pieces, &[]);
        let mut asked = 0;
        each(&Shown::new(&window, &memory, &image), pointers, |_| {
            asked += 1;
            if asked == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(asked, 7);
    }
}
