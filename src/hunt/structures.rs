//! Places where a structure may stand that nothing but its own words tell of: the pointers and numbers in it, and what it points to.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::Shown;
use super::dense::{self, LANES, WORD};
use crate::detect::{Far, Hit};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity};
use crate::span::{Address, Span};
use crate::vault::{Secret, SecretBytes};

/// Bytes of owned memory for each read of what a word points to, and how many reads any window has: a structure takes a handful of them,
/// and few words pass for one.
const FOR_EACH: usize = 16;
const LEAST: usize = 1 << 12;

/// The look at an image's words, window after window, and whether in any of them more would have been read than a budget allows.
#[derive(Default)]
pub struct Walk {
    is_spent: AtomicBool,
}

/// A word that may belong to a structure.
pub struct Place<'a> {
    /// The window that owns its first byte.
    pub shown: &'a Shown<'a>,
    /// Where in the window it begins.
    pub at: usize,
    /// Reads that are left.
    left: &'a Cell<Option<usize>>,
}

impl Walk {
    /// Calls `found` for the words of the owned part of the window that are aligned by their address and that `mask` tells of, a bit for
    /// each of 64 of them, until the budget is spent. A stitched window has none: what it shows is owned by others.
    pub fn each(
        &self,
        shown: &Shown<'_>,
        mask: impl Fn(&[u8; WORD * LANES]) -> u64,
        mut found: impl FnMut(&Place<'_>),
    ) {
        let (window, owned) = (shown.window, shown.window.owned());
        if window.is_stitched() {
            return;
        }
        let left = &Cell::new(Some(LEAST.max(owned.len() / FOR_EACH)));
        let grids = dense::grids(window, shown.memory.layout());
        for (grid, _) in grids.iter().enumerate().filter(|(_, on)| **on) {
            let first = owned.start + (grid + WORD - owned.start % WORD) % WORD;
            // The last word may end behind what the window owns.
            let words = window.slice(first..owned.end + WORD - 1);
            for (block, start) in words.chunks(WORD * LANES).zip((first..).step_by(WORD * LANES)) {
                let mut told = mask(&dense::whole(block));
                while told != 0 {
                    let at = start + WORD * told.trailing_zeros() as usize;
                    told &= told - 1;
                    if owned.contains(&at) {
                        found(&Place { shown, at, left });
                    }
                    if left.get().is_none() {
                        return self.is_spent.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    /// Whether words were passed over because the budget was spent.
    pub fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed)
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
    /// The address of the word itself.
    pub fn address(&self) -> Option<u64> {
        let place = self.shown.window.offset(self.at)?;
        self.shown.memory.places().address_of(place).map(|address| address.0)
    }

    /// The word so many words before this one, if the window shows it.
    pub fn before(&self, words: usize) -> Option<u64> {
        self.word(self.at.checked_sub(WORD.checked_mul(words)?)?)
    }

    /// The word so many words behind this one, if the window shows it.
    pub fn behind(&self, words: usize) -> Option<u64> {
        self.word(self.at.checked_add(WORD.checked_mul(words)?)?)
    }

    fn word(&self, at: usize) -> Option<u64> {
        self.shown.window.slice(at..at.checked_add(WORD)?).first_chunk().map(|word| u64::from_le_bytes(*word))
    }

    /// Takes one of the reads that are left.
    fn take(&self) -> Option<()> {
        self.left.set(self.left.get()?.checked_sub(1));
        self.left.get().map(drop)
    }

    /// The text at an address, up to the zero behind it: less than `most` bytes.
    pub fn text(&self, address: u64, most: usize) -> Option<SecretBytes> {
        self.take()?;
        self.shown.text(Address(address), most)
    }

    /// The text at an address, if it has just so many letters, which is to be bounded by the caller.
    pub fn text_of(&self, address: u64, len: u64) -> Option<SecretBytes> {
        let most = usize::try_from(len).ok()?.checked_add(1)?;
        self.text(address, most).filter(|text| text.len() as u64 == len)
    }

    /// A password that a structure with this word points to, or that stands in it.
    pub fn password(&self, rule: &str, kind: &str, context: String, text: &SecretBytes, spans: Vec<Span>) -> Far {
        self.secret(rule, kind, context, (Secret::text(text.expose()), Layout::Text), spans)
    }

    /// A key that a structure with this word points to.
    pub fn key(&self, rule: &str, kind: &str, context: String, key: &[u8], spans: Vec<Span>) -> Far {
        self.secret(rule, kind, context, (Secret::bytes(key), Layout::Bare), spans)
    }

    fn secret(
        &self,
        rule: &str,
        kind: &str,
        context: String,
        (secret, layout): (Secret, Layout),
        spans: Vec<Span>,
    ) -> Far {
        let public = PublicIdentity { kind: kind.to_owned(), context: vec![context], ..PublicIdentity::default() };
        let hit = Hit {
            rule: rule.to_owned(),
            severity: None,
            evidence: Evidence::Parsed,
            public,
            secret,
            range: self.at..self.at + WORD,
            form: Form { layout, encoding: Encoding::Plain, piece: Piece::Whole },
        };
        Far { hit, spans }
    }

    /// The bytes at an address, of `most` those that memory has. `most` is to be bounded by the caller.
    pub fn read_up_to(&self, address: u64, most: usize) -> Option<SecretBytes> {
        self.take()?;
        let mut bytes = Zeroizing::new(vec![0; most]);
        let got = self.shown.memory.read(self.shown.image, Address(address), &mut bytes).ok()?;
        bytes.get(..got).map(SecretBytes::new)
    }

    /// The bytes at an address, if memory has all of them. `len` is to be bounded by the caller.
    pub fn read(&self, address: u64, len: usize) -> Option<SecretBytes> {
        self.read_up_to(address, len).filter(|bytes| bytes.len() == len)
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
        let (walk, mut told) = (Walk::default(), Vec::new());
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            let found = |place: &Place<'_>| told.push((place.at, place.before(1), place.behind(1)));
            walk.each(&Shown::new(&window, &memory, &image), pointers, found);
        }
        assert!(!walk.is_spent());
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
    fn reads_end_with_the_budget_and_that_is_told() {
        let bytes = 0x2_0000_u64.to_le_bytes().repeat(LEAST + 9);
        let (memory, image) = (AddressSpace::new(&[]), Image::from_bytes("t", Vec::new()));
        let pieces = [Span::new(0, bytes.len() as u64)];
        for (words, is_spent) in [(LEAST, false), (LEAST + 1, true), (LEAST + 9, true)] {
            let window = Window::new(&bytes, 0..WORD * words, &pieces, &[]);
            let (walk, mut asked) = (Walk::default(), 0);
            let shown = Shown::new(&window, &memory, &image);
            walk.each(&shown, pointers, |place| {
                asked += usize::from(place.at.is_multiple_of(WORD));
                if place.at.is_multiple_of(WORD) {
                    drop(place.text(0x2_0000, 9));
                }
            });
            assert_eq!(walk.is_spent(), is_spent, "{words}");
            assert!(asked <= LEAST + 1);
        }
    }
}
