//! The search for the proof of a redaction: known secrets in an image that should hold none of them.
//!
//! A scan of the written file is not enough, because it has lost its anchors: with the PEM header gone, the bare prime that
//! was overlooked looks like noise. So what was found before is searched again by the very code that the scan propagates
//! with: whatever this would find, the scan has found and the redaction has planned.

use crate::dump::DumpMap;
use crate::error::{Gap, Result};
use crate::finding::Site;
use crate::image::Image;
use crate::parallel::Pool;
use crate::scan::forms::Unusual;
use crate::scan::pieces::Pieces;
use crate::scan::walk::Walk;
use crate::scan::{Options, Progress, propagate};
use crate::vault::Secret;

/// Sites that are told one by one; the others are counted.
pub const TOLD: usize = 1000;

/// What is left of known secrets in an image.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// The first sites in file order (those across seams last), each with the number that its secret was given with.
    pub sites: Vec<(usize, Site)>,
    /// How many sites there are in all. A site that lies in another one is counted too.
    pub count: u64,
    /// Bytes that could not be read or seams that could not be stitched: nothing is known of them.
    pub gaps: Vec<Gap>,
}

impl Leftovers {
    /// Whether every byte was looked at and nothing is left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.count == 0 && self.gaps.is_empty()
    }
}

/// Searches every form and every fragment of `secrets` in `image`, which `map` describes, also across the seams of memory.
/// The numbers that come with the secrets are given back with their sites. `secrets` are those of [`crate::scan::Outcome::secrets`]:
/// secrets that were no findings of their own, because better ones explain them, may hold public bytes that nobody redacts.
///
/// # Errors
/// None of today's: what cannot be read is a gap.
pub fn leftovers<'s>(
    image: &Image,
    map: &DumpMap,
    secrets: impl IntoIterator<Item = (usize, &'s Secret)>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Leftovers> {
    let pieces = Pieces::new(image.len(), map, options.window, &options.limits);
    let buffers = Pool::default();
    let mut walk = Walk::new(image, &pieces, &buffers, progress);
    walk.gaps.extend(pieces.gaps.iter().cloned());
    let mut left = Leftovers::default();
    // Nothing is left out where something is to be proven.
    let unusual = Unusual { big_endian: walk.pieces.memory().may_be_big_endian(), small_integers: true };
    propagate::everywhere(&mut walk, unusual, secrets, |finding, site| {
        left.count += 1;
        if left.sites.len() < TOLD {
            left.sites.push((finding, site));
        }
        Ok(())
    })?;
    left.gaps.extend(walk.gaps);
    Ok(left)
}
