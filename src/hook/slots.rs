//! Slots: how many dumps are worked on at once on the whole machine.
//!
//! A slot is a file of the state folder with a lock on it. The lock goes with the process that holds it, however that ends,
//! so a slot can never be lost; who finds none free waits. A crash storm becomes a queue and no storm of scans.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use crate::hook::place::{self, Folder};

/// Between two looks for a free slot.
const PAUSE: Duration = Duration::from_millis(50);

/// The slots of one machine.
#[derive(Debug)]
pub struct Slots {
    folder: Folder,
    count: usize,
}

/// One slot, ours until it is dropped.
#[derive(Debug)]
pub struct Slot {
    _lock: File,
}

impl Slots {
    /// `count` slots in the state folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(state: &Folder, count: usize) -> io::Result<Self> {
        Ok(Self { folder: state.ensure("slots")?, count: count.max(1) })
    }

    /// Waits for a slot, at most for `patience`; none came free where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&self, patience: Duration) -> io::Result<Option<Slot>> {
        let start = Instant::now();
        loop {
            if let Some(slot) = self.free()? {
                return Ok(Some(slot));
            }
            if start.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(PAUSE.min(patience.saturating_sub(start.elapsed())));
        }
    }

    fn free(&self) -> io::Result<Option<Slot>> {
        for number in 0..self.count {
            let file = self.folder.keep(&number.to_string())?;
            if place::lock(&file)? {
                return Ok(Some(Slot { _lock: file }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_slots_as_were_asked_for() {
        let place = tempfile::tempdir().unwrap();
        let state = Folder::private(&place.path().canonicalize().unwrap().join("state")).unwrap();
        let slots = Slots::new(&state, 2).unwrap();
        let one = slots.wait(Duration::ZERO).unwrap();
        let two = slots.wait(Duration::ZERO).unwrap();
        assert!(one.is_some() && two.is_some());
        assert!(slots.wait(Duration::ZERO).unwrap().is_none());
        drop(one);
        assert!(slots.wait(Duration::ZERO).unwrap().is_some());
    }
}
