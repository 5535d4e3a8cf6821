//! One pass over all windows of an image: read, shown, and told in order.

use std::collections::BTreeSet;

use crate::error::{Gap, Result};
use crate::image::Image;
use crate::parallel::{self, Pool};
use crate::scan::Progress;
use crate::scan::pieces::{Buffers, Cut, Pieces, owned_gap};
use crate::scan::prefilter::is_constant;
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
    /// The file offsets where windows begin that show nothing but zeros, margins and all, as an earlier pass saw.
    blank: BTreeSet<u64>,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(image: &'a Image, pieces: &'a Pieces, buffers: &'a Pool<Buffers>, progress: &'a dyn Progress) -> Self {
        Self { image, pieces, buffers, progress, gaps: BTreeSet::new(), blank: BTreeSet::new() }
    }

    /// Shows every window to `look`, on all threads, and gives what it says to `merge` in order. What a sparse file does not
    /// store is zeros and is not shown, and what was zeros in an earlier pass is not read again.
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
        let blank = std::mem::take(&mut self.blank);
        let is_empty = |cut: &Cut| cut.is_hole(image) || blank.contains(&cut.start());
        let empty = pieces.file_from(done).filter(is_empty);
        progress.advance(empty.map(|cut| cut.owned_len()).sum());
        let cuts = pieces.file_from(done).filter(|cut| !is_empty(cut));
        let result = self.over(cuts.chain(pieces.stitched()), look, merge);
        self.blank.extend(blank);
        result
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
        let look = |window: &Window<'_>| (look(window), are_zeros(window.bytes()));
        let work = |cut: Cut| {
            let (seen, gap) = buffers.with(|buffers| pieces.with_window(&cut, image, buffers, look));
            progress.advance(if cut.is_stitched() { 0 } else { cut.owned_len() });
            (cut, seen, gap)
        };
        let (gaps, blank) = (&mut self.gaps, &mut self.blank);
        parallel::map_in_order(cuts, work, |(cut, (result, zeros), gap)| {
            if zeros && gap.is_none() && !cut.is_stitched() {
                blank.insert(cut.start());
            }
            gaps.extend(gap.and_then(|gap| owned_gap(&cut, &gap)));
            merge(&cut, result)
        })
    }
}

fn are_zeros(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| *first == 0) && is_constant(bytes)
}
