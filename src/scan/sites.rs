//! Sites, grouped by finding.

use crate::finding::Site;

/// The sites of all findings of one scan.
#[derive(Debug, Default)]
pub struct Sites {
    sites: Vec<Vec<Site>>,
}

impl Sites {
    /// The sites of the finding with this index, in file order.
    pub fn of(&self, finding: usize) -> impl Iterator<Item = Site> + '_ {
        self.sites.get(finding).into_iter().flatten().cloned()
    }
}
