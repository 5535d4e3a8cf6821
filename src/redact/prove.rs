//! The proof: the written file is the old file with the plan laid over it and nothing else, holds none of the secrets in
//! any form, and still tells a debugger the same.
//!
//! Each check looks at the files themselves and trusts nothing that planning or writing concluded. All are made, also when
//! one fails, so that a receipt or an error tells everything at once.

pub(crate) mod bytes;
pub(crate) mod secrets;
mod stacks;

use serde::{Deserialize, Serialize};

use crate::dump::{self, DumpMap};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;
use crate::redact::plan::{Options, Plan};
use crate::redact::write::Written;
use crate::scan::{Engine, Outcome, Progress};

pub use bytes::Digests;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not: the file must not leave.
    Fails,
    /// It could not be shown, or was not asked for; the detail says why.
    NotShown,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: `same-size`, `planned-bytes-only`, `same-map`, `rescan`, `leftovers`, `stacks`.
    pub name: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// In words: how much was compared, or what is wrong and where. It names no byte of a secret.
    pub detail: String,
}

impl Check {
    pub(crate) fn holds(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Holds, detail: detail.into() }
    }

    pub(crate) fn fails(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fails, detail: detail.into() }
    }

    pub(crate) fn not_shown(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::NotShown, detail: detail.into() }
    }
}

/// The evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Every check, in the order in which they were made.
    pub checks: Vec<Check>,
    /// Threads by what their stacks came to; `None` where stacks were not compared.
    pub stacks: Option<StackCounts>,
}

/// How many threads unwind as before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackCounts {
    /// Threads of the dump.
    pub threads: usize,
    /// Threads whose frames are equal before and after.
    pub equal: usize,
    /// Threads with fewer than two frames: equal, but that shows nothing.
    pub not_shown: usize,
    /// Threads whose frames differ.
    pub different: usize,
    /// Frames that were compared.
    pub frames: usize,
    /// Unwind tables in the dump's memory that were compared, byte by byte.
    pub tables: usize,
}

impl Proof {
    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Fails)
    }
}

/// What a proof is about.
pub struct Case<'a> {
    /// The dump as it was.
    pub old: &'a Image,
    /// Its map.
    pub map: &'a DumpMap,
    /// What the scan found in it; its vault knows what to search for.
    pub outcome: &'a Outcome,
    /// What was to be changed.
    pub plan: &'a Plan,
    /// What counts.
    pub options: &'a Options,
    /// What was read while the file was written.
    pub written: &'a Written,
}

/// How to prove.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether stacks are unwound; all other checks are always made.
    pub stacks: bool,
    /// Budgets.
    pub limits: Limits,
}

impl Default for Manner {
    fn default() -> Self {
        Self { stacks: true, limits: Limits::default() }
    }
}

/// A proof, and what stands in its way.
pub struct Tried {
    /// The proof.
    pub proof: Proof,
    /// What both files are, as they were compared.
    pub digests: Digests,
    /// A scan of the written file, where nothing is wrong with it but what that scan finds: see [`super::rounds`].
    pub shown: Option<Outcome>,
}

/// Checks the written file `new` against `case`. `fresh` is an engine that was not used for the scan.
///
/// # Errors
/// When a file cannot be read; a check that fails is no error, it is told in the proof.
pub fn prove(case: &Case<'_>, new: &Image, fresh: &Engine, manner: &Manner, progress: &dyn Progress) -> Result<Proof> {
    attempt(case, new, fresh, manner, progress).map(|tried| tried.proof)
}

/// As [`prove`]; also tells what covering has brought to light.
///
/// # Errors
/// As there.
pub fn attempt(
    case: &Case<'_>,
    new: &Image,
    fresh: &Engine,
    manner: &Manner,
    progress: &dyn Progress,
) -> Result<Tried> {
    let (planned, digests) = bytes::planned_only(case, new, progress)?;
    let mut checks = vec![bytes::same_size(case.old, new), planned];
    let map = dump::map(new, &manner.limits)?;
    checks.push(same_map(case.map, &map));
    let counting = (case.plan, case.options, case.outcome.coverage.gaps.as_slice());
    let (rescan, found) = secrets::rescan(counting, new, &map, fresh, &manner.limits, progress)?;
    checks.push(rescan);
    checks.push(secrets::leftovers(case, new, &map, &manner.limits, progress)?);
    let (check, stacks) = stacks::same(case, new, &map, manner)?;
    checks.push(check);
    let proof = Proof { checks, stacks };
    let shown = found.filter(|_| proof.failures().count() == 1);
    Ok(Tried { proof, digests, shown })
}

/// Whether both files are described alike.
fn same_map(old: &DumpMap, new: &DumpMap) -> Check {
    const NAME: &str = "same-map";
    match old.difference(new) {
        None => {
            let (regions, threads, modules) = (old.regions.len(), old.threads.len(), old.modules.len());
            let detail = format!("{} with {regions} regions, {threads} threads, {modules} modules", old.format);
            Check::holds(NAME, detail)
        }
        Some(what) => Check::fails(NAME, format!("{what} are described differently than before")),
    }
}
