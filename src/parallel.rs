//! The one home of threads: work is done in any order and told in the order of the items.
//!
//! Items are taken in batches; a batch is worked on by all threads, then its results are merged one after the other. So
//! nothing that is merged depends on which thread was faster, and memory is bounded by one batch of results.

use std::sync::Mutex;

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Items of a batch for each thread: enough to hide that some are slower and that all wait for the last one (half an item of
/// so many), few enough to keep the results small.
const BATCH: usize = 24;

/// Sets the number of threads for the whole program; 0 means one for each core.
///
/// # Errors
/// When it was set before.
pub fn set_threads(threads: usize) -> Result<()> {
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    built.map_err(|e| Error::Usage(format!("cannot start {threads} threads: {e}")))
}

/// Runs `work` inside a pool of its own of `threads` threads, so that two numbers of threads can be compared.
///
/// # Errors
/// When the threads cannot be started.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(|pool| pool.install(work)).map_err(|e| Error::Usage(format!("cannot start {threads} threads: {e}")))
}

/// How many threads there are.
#[must_use]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// How many items are worked on before they are merged.
#[must_use]
pub fn batch() -> usize {
    threads() * BATCH
}

/// Applies `f` to every item on all threads and gives the results to `merge` in the order of the items.
///
/// # Errors
/// The first error that `merge` returns; what comes after it is not merged.
pub fn map_in_order<T: Send, R: Send, E>(
    items: impl IntoIterator<Item = T>,
    f: impl Fn(T) -> R + Sync,
    mut merge: impl FnMut(R) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut items = items.into_iter();
    let most = batch();
    loop {
        let batch: Vec<T> = items.by_ref().take(most).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let results: Vec<R> = batch.into_par_iter().with_max_len(1).map(&f).collect();
        results.into_iter().try_for_each(&mut merge)?;
    }
}

/// Applies `f` to every item on all threads; the results are in the order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    items.par_iter().with_max_len(1).map(&f).collect()
}

/// Does two things at once, where there are threads for both.
pub fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(one, other)
}

/// Does `waiting`, which waits for the system, on a thread of its own while `working` works with all others.
pub fn beside<A, B: Send>(working: impl FnOnce() -> A, waiting: impl FnOnce() -> B + Send) -> (A, B) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(waiting);
        let worked = working();
        (worked, waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Buffers that are lent to whoever works on an item, so that none is allocated for each.
#[derive(Debug)]
pub struct Pool<T> {
    free: Mutex<Vec<T>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }
}

impl<T: Default> Pool<T> {
    /// Lends a buffer to `work`. It may hold what an earlier borrower left in it.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut item = self.free.lock().ok().and_then(|mut free| free.pop()).unwrap_or_default();
        let result = work(&mut item);
        if let Ok(mut free) = self.free.lock() {
            free.push(item);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let mut told = Vec::new();
            with_threads(threads, || {
                map_in_order(
                    0..1000_u64,
                    |i| i * i,
                    |r| {
                        told.push(r);
                        Ok::<(), ()>(())
                    },
                )
            })
            .unwrap()
            .unwrap();
            assert!(told.iter().copied().eq((0..1000).map(|i| i * i)), "{threads} threads");
        }
    }

    #[test]
    fn an_error_ends_it() {
        let mut told = 0;
        let end = map_in_order(
            0..10,
            |i| i,
            |i| {
                if i == 3 {
                    return Err("three");
                }
                told += 1;
                Ok(())
            },
        );
        assert_eq!((end, told), (Err("three"), 3));
    }
}
