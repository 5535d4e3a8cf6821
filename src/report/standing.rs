//! Where a finding stands in one dump, summed up: what it takes to rank it and to decide on it, without its sites.

use crate::dump::{DumpMap, LabelKinds};
use crate::error::Result;
use crate::finding::Site;
use crate::report::Places;
use crate::scan::Outcome;

/// The sum of all sites of a finding in one dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// File offset of its first site; 0 where it has none.
    pub first: u64,
    /// The kinds of memory that its sites begin in.
    pub labels: LabelKinds,
    /// Whether it has sites, and all of them lie in memory of modules that the process could not write.
    pub constant: bool,
}

impl Standing {
    /// The sum of `sites`, which `places` must know.
    ///
    /// # Errors
    /// When spilled sites cannot be read back.
    pub fn of(sites: impl Iterator<Item = Result<Site>>, places: &Places) -> Result<Self> {
        let mut sum: Option<Self> = None;
        for site in sites {
            let first = site?.offset();
            let spot = places.at(first);
            let sum = sum.get_or_insert(Self { first, constant: true, ..Self::default() });
            sum.labels.insert(spot.kind);
            sum.constant &= spot.constant;
        }
        Ok(sum.unwrap_or_default())
    }

    /// The sum of each finding of a scan, in their order.
    ///
    /// # Errors
    /// When spilled sites cannot be read back.
    pub fn of_all(map: &DumpMap, outcome: &Outcome) -> Result<Vec<Self>> {
        let Outcome { findings, sites, .. } = outcome;
        let all = (0..findings.len()).flat_map(|i| sites.of(i));
        let places = Places::of(map, all.map(|site| Ok(site?.offset())))?;
        (0..findings.len()).map(|i| Self::of(sites.of(i), &places)).collect()
    }
}
