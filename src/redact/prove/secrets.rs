//! Nothing is left: a fresh scan finds nothing that counts, and no form of any secret of the plan stands anywhere.

use std::collections::BTreeMap;

use crate::dump::DumpMap;
use crate::error::{Gap, Result};
use crate::image::Image;
use crate::limits::Limits;
use crate::redact::plan::{self, Left, Plan};
use crate::redact::prove::{Case, Check};
use crate::scan::{self, Engine, Options, Outcome, Progress};
use crate::span::Span;

/// Findings that an explanation names; all are counted.
const NAMED: usize = 3;

/// Whether a scan of the written file finds nothing that counts by the options, except what the plan leaves. `known` are the
/// gaps that the user allowed when the original was scanned. Where the check fails because something is found, and for
/// nothing else, the scan comes with it.
///
/// # Errors
/// When the file cannot be read or sites cannot be spilled.
pub fn rescan(
    (plan, counting, known): (&Plan, &plan::Options, &[Gap]),
    new: &Image,
    map: &DumpMap,
    fresh: &Engine,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Check, Option<Outcome>)> {
    const NAME: &str = "rescan";
    let options = Options { limits: *limits, ..Options::default() };
    let outcome = scan::scan(new, map, fresh, &options, progress)?;
    if let Some(gap) = first_new(&outcome.coverage.gaps, known) {
        return Ok((Check::fails(NAME, format!("not everything could be scanned: {}", gap.reason)), None));
    }
    let (mut count, mut named) = (0, Vec::new());
    for (index, finding) in outcome.findings.iter().enumerate().filter(|(_, f)| counting.counts(f)) {
        for site in outcome.sites.of(index) {
            let site = site?;
            if is_allowed(&site.spans, plan.left()) {
                continue;
            }
            count += 1;
            if named.len() < NAMED {
                let rule = outcome.rules.get(finding.rule.0).map_or("?", |rule| &rule.id);
                named.push(format!("{rule} at {:#x}, {} bytes", site.offset(), site.len()));
            }
        }
    }
    if count == 0 {
        let told = format!("{} bytes by a fresh engine of {} rules", outcome.coverage.scanned, outcome.rules.len());
        return Ok((Check::holds(NAME, told + &except(&outcome.coverage.gaps)), None));
    }
    let failed = Check::fails(NAME, format!("{count} sites are found in the written file: {}", named.join("; ")));
    Ok((failed, Some(outcome)))
}

/// Whether every form of every secret of the plan is gone from the written file.
///
/// # Errors
/// When the file cannot be read.
pub fn leftovers(
    case: &Case<'_>,
    new: &Image,
    map: &DumpMap,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Check> {
    const NAME: &str = "leftovers";
    let findings = case.outcome.findings.iter().enumerate().filter(|(_, f)| case.options.counts(f));
    let secrets: Vec<_> = findings.filter_map(|(i, f)| Some((i, case.outcome.vault.get(f.secret)?))).collect();
    let searched = secrets.len();
    let options = Options { limits: *limits, ..Options::default() };
    let left = scan::leftovers(new, map, secrets, &options, progress)?;
    if let Some(gap) = first_new(&left.gaps, &case.outcome.coverage.gaps) {
        return Ok(Check::fails(NAME, format!("not everything could be searched: {}", gap.reason)));
    }
    let sites: Vec<_> = left.sites.iter().filter(|(_, site)| !is_allowed(&site.spans, case.plan.left())).collect();
    // Sites beyond those that are told one by one are taken for leaks.
    let count = left.count - (left.sites.len() - sites.len()) as u64;
    if count == 0 {
        let told = format!("every form of {searched} secrets was searched and is gone");
        return Ok(Check::holds(NAME, told + &except(&left.gaps)));
    }
    let mut by_finding: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (finding, site) in &sites {
        by_finding.entry(*finding).or_insert((0, site.offset())).0 += 1;
    }
    let named = by_finding.iter().take(NAMED).map(|(finding, (count, first))| {
        let rule = case.outcome.findings.get(*finding).and_then(|f| case.outcome.rules.get(f.rule.0));
        format!("{} of finding {} ({}), the first at {first:#x}", count, finding + 1, rule.map_or("?", |r| &r.id))
    });
    let named: Vec<String> = named.collect();
    Ok(Check::fails(NAME, format!("{count} places still hold a secret: {}", named.join("; "))))
}

/// The first gap that was not one before. Only what was allowed in the original may lack in the written file.
fn first_new<'g>(gaps: &'g [Gap], known: &[Gap]) -> Option<&'g Gap> {
    let is_known = |gap: &Gap| known.iter().any(|old| old.reason == gap.reason && old.span.covers(&gap.span));
    gaps.iter().find(|gap| !is_known(gap))
}

fn except(gaps: &[Gap]) -> String {
    match gaps.len() {
        0 => String::new(),
        n => format!(", except {n} gaps that the original has too and that were allowed"),
    }
}

/// Whether a site touches bytes that the user allowed to stay.
pub(crate) fn is_allowed(spans: &[Span], left: &[Left]) -> bool {
    spans.iter().any(|span| left.iter().any(|l| l.span.overlaps(span)))
}
