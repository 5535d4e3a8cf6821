//! What tests of hunters share.

use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::Hits;
use crate::dump::{Label, Region};
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::{Address, Span};
use crate::window::Window;

/// The address of the first byte of memory.
pub const BASE: u64 = 0x2_0000;

/// What is found in memory, window after window of so many bytes, by all walks; a hunter hunts because of the clue, and nothing is given up.
pub fn hunted(hunter: &dyn Hunter, clue: Clue, bytes: &[u8], size: usize) -> Hits {
    let span = Span::new(0, bytes.len() as u64);
    let region = Region { span, address: Some(Address(BASE)), label: Label::Memory, protection: None };
    let (image, memory) = (Image::from_bytes("t", bytes.to_vec()), AddressSpace::new(&[region]));
    let mut clues = Clues::new(10);
    assert!(!hunter.needs(&clues));
    clues.add(clue);
    assert!(hunter.needs(&clues));
    let mut out = Hits::default();
    let walk = |hunt: &dyn Hunt, out: &mut Hits| {
        for from in (0..bytes.len()).step_by(size) {
            let pieces = [span];
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            hunt.hunt(&Shown::new(&window, &memory, &image), out);
        }
    };
    let hunt = hunter.prepare(&clues);
    walk(&*hunt, &mut out);
    hunt.further(&|_| true).into_iter().for_each(|further| walk(&*further, &mut out));
    assert_eq!(hunt.given_up(), None);
    out
}

/// Memory of so many bytes, of which these parts are not zeros.
pub fn memory(len: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; len];
    parts.iter().for_each(|(at, part)| bytes[*at..at + part.len()].copy_from_slice(part));
    bytes
}

/// Words as they stand in memory.
pub fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
