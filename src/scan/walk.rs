//! One pass over all windows of an image: read, shown, and told in order.

use std::collections::BTreeSet;

use crate::error::{Gap, Result};
use crate::image::Image;
use crate::scan::Progress;
use crate::scan::parallel::{self, Pool};
use crate::scan::pieces::{Buffers, Cut, Pieces, owned_gap};
use crate::window::Window;

/// An image, how it is cut, and what could not be read of it so far.
pub struct Walk<'a> {
    /// The bytes.
    pub image: &'a Image,
    /// The windows.
    pub pieces: &'a Pieces,
    /// Buffers to read them into.
    pub buffers: &'a Pool<Buffers>,
    /// Is told how far the work is.
    pub progress: &'a dyn Progress,
    /// Bytes that could not be read, each told once whatever the number of passes.
    pub gaps: BTreeSet<Gap>,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(image: &'a Image, pieces: &'a Pieces, buffers: &'a Pool<Buffers>, progress: &'a dyn Progress) -> Self {
        Self { image, pieces, buffers, progress, gaps: BTreeSet::new() }
    }

    /// Shows every window to `look`, on all threads, and gives what it says to `merge` in order. What a sparse file does not
    /// store is zeros and is not shown.
    ///
    /// # Errors
    /// What `merge` returns.
    pub fn windows<R: Send>(
        &mut self,
        pass: &'static str,
        look: impl Fn(&Window<'_>) -> R + Sync,
        merge: impl FnMut(&Cut, R) -> Result<()>,
    ) -> Result<()> {
        self.windows_from(0, pass, look, merge)
    }

    /// The same without the first `done` windows of the file.
    ///
    /// # Errors
    /// What `merge` returns.
    pub fn windows_from<R: Send>(
        &mut self,
        done: u64,
        pass: &'static str,
        look: impl Fn(&Window<'_>) -> R + Sync,
        merge: impl FnMut(&Cut, R) -> Result<()>,
    ) -> Result<()> {
        let (pieces, image, progress) = (self.pieces, self.image, self.progress);
        progress.pass(pass, image.len().saturating_sub(done.saturating_mul(pieces.window())));
        let holes = pieces.file_from(done).filter(|cut| cut.is_hole(image));
        progress.advance(holes.map(|hole| hole.owned_len()).sum());
        let cuts = pieces.file_from(done).filter(|cut| !cut.is_hole(image));
        self.over(cuts.chain(pieces.stitched()), look, merge)
    }

    /// Shows these windows only.
    ///
    /// # Errors
    /// What `merge` returns.
    pub fn over<R: Send>(
        &mut self,
        cuts: impl IntoIterator<Item = Cut>,
        look: impl Fn(&Window<'_>) -> R + Sync,
        mut merge: impl FnMut(&Cut, R) -> Result<()>,
    ) -> Result<()> {
        let (pieces, image, progress, buffers) = (self.pieces, self.image, self.progress, self.buffers);
        let work = |cut: Cut| {
            let (result, gap) = buffers.with(|buffers| pieces.with_window(&cut, image, buffers, &look));
            progress.advance(if cut.is_stitched() { 0 } else { cut.owned_len() });
            (cut, result, gap)
        };
        let gaps = &mut self.gaps;
        parallel::map_in_order(cuts, work, |(cut, result, gap)| {
            gaps.extend(gap.and_then(|gap| owned_gap(&cut, &gap)));
            merge(&cut, result)
        })
    }
}
