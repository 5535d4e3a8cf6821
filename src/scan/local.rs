//! The local pass: every byte once, in file order, blind to the map but for the borders of regions and how words lie.
//!
//! It may begin while the image is still being decoded ([`Ahead`]): a window shows the same bytes however long the image
//! becomes behind it. What the map will say is guessed from the first bytes, where most formats describe all; when the whole
//! image is there and described, what was done ahead counts if it was done by the same borders, and else is done again. So
//! the result is that of a pass that began at the end, to the last byte.

use std::sync::Arc;

use crate::dump;
use crate::error::Result;
use crate::hunt::Clues;
use crate::hunt::montgomery::{self, Filter};
use crate::hunt::noise;
use crate::image::{Growing, Image};
use crate::limits::Limits;
use crate::memory::Layout;
use crate::window::Window;

use super::collapse::{Collector, Seen};
use super::look::Look;
use super::pieces::{Cut, MARGIN, Pieces};
use super::walk::Walk;
use super::{Engine, Options, Progress, parallel};

/// What the local pass sees in one window.
struct Local {
    seen: Seen,
    /// Bytes in constant pages.
    constant: u64,
    /// Whether more was encoded in it than the budget allows to decode.
    spent: bool,
    /// The lowest limbs of moduli whose constants it holds.
    wanted: Vec<u64>,
    /// Bytes that look random throughout.
    noise: u64,
}

/// What the local pass has come to.
pub struct Pass {
    /// Findings.
    pub collector: Collector,
    /// What hunters may use.
    pub clues: Clues,
    /// The lowest limbs of moduli whose constants were seen.
    pub wanted: Filter,
    /// Bytes in constant pages.
    pub constant: u64,
    /// Whether more was encoded somewhere than the budget allows to decode.
    pub spent: bool,
    /// Windows of the file that are done.
    done: u64,
}

impl Pass {
    /// A pass over an image of `len` bytes that has not begun. What the user knows is there from the beginning.
    pub fn new(engine: &Engine, limits: &Limits, len: u64) -> Self {
        let mut clues = Clues::new(limits.clues);
        let mut collector = Collector::new(engine.rules.clone(), *limits);
        let things = &engine.known.0;
        things.iter().flat_map(|thing| &thing.clues).for_each(|clue| clues.bring(clue.clone()));
        let known = things.iter().filter_map(|thing| thing.secret.as_ref().zip(Some(thing)));
        known.for_each(|known| collector.know(known));
        Self { collector, clues, wanted: Filter::new(len), constant: 0, spent: false, done: 0 }
    }

    /// Does what is left to do of the image.
    ///
    /// # Errors
    /// When sites cannot be spilled.
    pub fn finish(&mut self, engine: &Engine, walk: &mut Walk<'_>) -> Result<()> {
        // What a sparse file does not store is zeros and is not looked at in any pass.
        let (image, pieces, done) = (walk.image, walk.pieces, self.done);
        let holes = pieces.file_from(done).filter(|cut| cut.is_hole(image)).map(|cut| cut.owned_len());
        self.constant += holes.sum::<u64>();
        let layout = pieces.memory().layout();
        walk.windows_from(done, "scan", |window| engine.local(window, layout), |cut, local| self.merge(cut, local))
    }

    fn merge(&mut self, cut: &Cut, local: Local) -> Result<()> {
        let Local { seen, constant, spent, wanted, noise } = local;
        self.constant += if cut.is_stitched() { 0 } else { constant };
        self.clues.add_noise(if cut.is_stitched() { 0 } else { noise });
        self.spent |= spent;
        seen.clues.into_iter().for_each(|clue| self.clues.add(clue));
        wanted.into_iter().for_each(|word| self.wanted.add(word));
        self.collector.add(seen.sightings)
    }
}

impl Engine {
    fn local(&self, window: &Window<'_>, layout: &Layout) -> Local {
        let (hits, Look { constant, spent, .. }) = self.look(window);
        let (wanted, noise) = (montgomery::wanted(window, layout), noise::bytes(window));
        Local { seen: self.rules.seen(hits, window), constant, spent, wanted, noise }
    }
}

/// A local pass over the first windows of an image that was not whole yet.
pub struct Ahead {
    pass: Pass,
    pieces: Pieces,
}

/// Windows that must be there before the map is guessed: the headers and notes of large cores.
const FIRST: u64 = 8;

/// The length that is guessed where the first bytes do not tell of memory.
const GUESS: u64 = 256 << 20;

impl Ahead {
    /// Looks at `growing` as far as it comes, until there is no more to come; `None` where that is not worth anything.
    pub fn look(growing: &Arc<Growing>, engine: &Engine, options: &Options, progress: &dyn Progress) -> Option<Self> {
        let first = FIRST * options.window as u64;
        if growing.wait(first) < first || growing.has_ended() {
            return None;
        }
        let map = dump::map(&growing.outline(LONG).ok()?, &options.limits).ok()?;
        let pieces = Pieces::ahead(LONG, &map, options.window);
        let guess = pieces.last_edge().map_or(GUESS, |last| (last + last / 16).max(GUESS));
        let mut ahead = Self { pass: Pass::new(engine, &options.limits, guess), pieces };
        let image = growing.image();
        while let Some(ready) = ahead.ready(growing) {
            ahead.advance(ready, &image, engine, progress)?;
        }
        Some(ahead)
    }

    /// How many windows are there, once there is one more for each thread; `None` when no more will come, or more came than
    /// was guessed.
    fn ready(&self, growing: &Growing) -> Option<u64> {
        let (window, margin) = (self.pieces.window(), MARGIN as u64);
        let want = self.pass.done + parallel::threads() as u64;
        let there = growing.wait(want * window + margin);
        let ready = there.saturating_sub(margin) / window;
        (ready >= want && !growing.has_ended() && self.pass.wanted.is_enough(there)).then_some(ready)
    }

    /// `None` where it came to nothing: a place that could not be read, a spill that failed. The pass over the whole image will
    /// tell of that.
    fn advance(&mut self, ready: u64, image: &Image, engine: &Engine, progress: &dyn Progress) -> Option<()> {
        let (pass, pieces) = (&mut self.pass, &self.pieces);
        // A batch at a time, so that what was decoded meanwhile is told as done in time.
        let ready = ready.min(pass.done + parallel::batch() as u64);
        let mut walk = Walk::new(image, pieces, &engine.buffers, progress);
        let cuts = || pieces.file_from(pass.done).take(usize::try_from(ready - pass.done).unwrap_or(usize::MAX));
        let holes = cuts().filter(|cut| cut.is_hole(image)).map(|cut| cut.owned_len()).sum::<u64>();
        let dense: Vec<Cut> = cuts().filter(|cut| !cut.is_hole(image)).collect();
        progress.pass("scan", (ready - pass.done) * pieces.window());
        progress.advance(holes);
        pass.constant += holes;
        let layout = pieces.memory().layout();
        walk.over(dense, |window| engine.local(window, layout), |cut, local| pass.merge(cut, local)).ok()?;
        pass.done = ready;
        walk.gaps.is_empty().then_some(())
    }

    /// The pass, where it is what a pass over the whole image would have come to so far.
    pub fn fit(self, pieces: &Pieces, len: u64) -> Option<Pass> {
        let Self { mut pass, pieces: guessed } = self;
        if !guessed.shows_the_same(pieces, pass.done) {
            return None;
        }
        pass.wanted = pass.wanted.for_image(len)?;
        Some(pass)
    }
}

/// Longer than any image, so that no region is cut off at the end of one.
const LONG: u64 = 1 << 62;
