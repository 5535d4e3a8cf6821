//! A file that is still being written, from front to back: what is there already can be read, and who reads on waits.
//!
//! The writer never waits for readers, so whoever waits is woken in the end.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::image::Image;
use crate::span::Span;

/// Runs of zeros that are remembered at most: what is beyond is read.
const MOST: usize = 100_000;

/// A file under construction.
#[derive(Debug)]
pub struct Growing {
    file: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    len: u64,
    /// Runs that were left out, sorted and apart from each other.
    zeros: Vec<Span>,
    has_ended: bool,
}

impl Growing {
    /// The file, of which nothing is written yet.
    #[must_use]
    pub fn new(file: File) -> Arc<Self> {
        Arc::new(Self { file, state: Mutex::default(), changed: Condvar::new() })
    }

    /// `zeros` were left out and behind them bytes were written, so that the file now has `len`.
    pub fn grow(&self, zeros: Span, len: u64) {
        let mut state = self.state();
        state.len = len;
        let is_full = state.zeros.len() == MOST;
        match state.zeros.last_mut() {
            Some(last) if last.end() == zeros.from() => last.len += zeros.len,
            _ if zeros.is_empty() || is_full => {}
            _ => state.zeros.push(zeros),
        }
        self.changed.notify_all();
    }

    /// No more bytes will come.
    pub fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_all();
    }

    /// Whether no more bytes will come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// Waits until there are `until` bytes, or no more will come, and says how many there are.
    #[must_use]
    pub fn wait(&self, until: u64) -> u64 {
        let waits = |state: &mut State| state.len < until && !state.has_ended;
        self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner).len
    }

    /// An image of the file, however long it becomes: reading what is not there yet waits for it.
    #[must_use]
    pub fn image(self: &Arc<Self>) -> Image {
        Image::growing(self.clone())
    }

    /// An image of what is there now, which says that it has `len` bytes: what is missing is told as by a file that
    /// became shorter.
    ///
    /// # Errors
    /// What the system says.
    pub fn outline(&self, len: u64) -> io::Result<Image> {
        Ok(Image::without_holes(self.file.try_clone()?, len))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether all of `span` is there, and was left out because it is zeros.
    pub(super) fn is_hole(&self, span: Span) -> bool {
        let state = self.state();
        let behind = state.zeros.partition_point(|zeros| zeros.from() <= span.from());
        behind.checked_sub(1).and_then(|i| state.zeros.get(i)).is_some_and(|zeros| zeros.covers(&span))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::image::write_at;

    #[test]
    fn who_reads_on_waits_and_sees_the_same_as_later() {
        let file = tempfile::tempfile().unwrap();
        let growing = Growing::new(file.try_clone().unwrap());
        let image = growing.image();
        std::thread::scope(|scope| {
            let early = scope.spawn(|| (image.bytes(99_998, 4).unwrap(), image.bytes(299_999, 1000).unwrap()));
            for from in [0, 100_000, 200_000] {
                std::thread::sleep(Duration::from_millis(20));
                write_at(&file, &[7; 50_000], from + 50_000).unwrap();
                growing.grow(Span::new(from, 50_000), from + 100_000);
            }
            growing.grow(Span::new(300_000, 100), 300_100);
            growing.end();
            // Behind the end there is nothing to wait for.
            assert_eq!(early.join().unwrap(), (vec![7, 7, 0, 0], [vec![7], vec![0; 100]].concat()));
        });
        assert_eq!((growing.wait(u64::MAX), growing.has_ended()), (300_100, true));
        assert!(image.is_hole(Span::new(100_010, 40_000)) && !image.is_hole(Span::new(100_010, 50_000)));
        file.set_len(300_100).unwrap();
        let whole = growing.outline(300_100).unwrap().bytes(0, usize::MAX).unwrap();
        assert_eq!(image.bytes(0, 1 << 20).unwrap(), whole);
    }

    #[test]
    fn zeros_that_touch_are_one_run() {
        let growing = Growing::new(tempfile::tempfile().unwrap());
        growing.grow(Span::new(0, 10), 10);
        growing.grow(Span::new(10, 20), 30);
        growing.grow(Span::new(30, 0), 40);
        growing.grow(Span::new(40, 5), 45);
        assert_eq!(growing.state().zeros, [Span::new(0, 30), Span::new(40, 5)]);
    }
}
