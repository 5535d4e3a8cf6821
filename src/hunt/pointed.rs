//! What clues point to: the window that owns the first byte of it in the file does the work, once, wherever the rest stands.

use std::sync::OnceLock;

use super::Shown;
use crate::memory::AddressSpace;
use crate::span::Address;

/// Pointers of clues, each with what the clue tells.
pub struct Pointed<T> {
    pointers: Vec<(Address, T)>,
    /// By the place in the file where what is pointed to begins.
    places: OnceLock<Vec<(u64, T)>>,
}

impl<T: Copy + Ord> Pointed<T> {
    /// Addresses, and what is told of each.
    pub fn new(pointers: impl Iterator<Item = (Address, T)>) -> Self {
        Self { pointers: pointers.collect(), places: OnceLock::new() }
    }

    /// Calls `found` with each of those that begin in the owned part of the window, and where in the window it does. A stitched
    /// window has none: what it shows is owned by others.
    pub fn each(&self, shown: &Shown<'_>, mut found: impl FnMut(T, usize)) {
        let window = shown.window;
        let owned = window.owned();
        let [span] = window.spans(owned.clone())[..] else { return };
        if window.is_stitched() {
            return;
        }
        let places = self.places.get_or_init(|| self.places(shown.memory));
        let first = places.partition_point(|(place, _)| *place < span.from());
        for (place, told) in places.iter().skip(first).take_while(|(place, _)| *place < span.end()) {
            found(*told, owned.start + usize::try_from(place - span.from()).unwrap_or(0));
        }
    }

    fn places(&self, memory: &AddressSpace) -> Vec<(u64, T)> {
        let place = |&(address, told): &(Address, T)| Some((memory.spans_from(address, 1).first()?.from(), told));
        let mut places: Vec<(u64, T)> = self.pointers.iter().filter_map(place).collect();
        places.sort();
        places
    }
}
