//! What comes to light only once something else is covered.
//!
//! A rule sees a secret by what stands around it, and filler stands where a value stood: with the letters behind it the
//! filler may be a value that nobody saw before. So what the scan of the written file finds is covered in the original as well, and
//! everything is written and proven anew. The proof knows nothing of rounds: the last one has to hold like a first.

use crate::error::{Error, Result};
use crate::finding::{Finding, RuleId, Site};
use crate::limits::Limits;
use crate::redact::plan::{Options, Plan};
use crate::redact::prove::secrets::is_allowed;
use crate::scan::Outcome;
use crate::scan::sites::{ByFinding, Placed, SiteLog, Sites};
use crate::span::Span;
use crate::vault::Secret;

/// How often a dump is written before it is refused. What does not come to rest by then makes a secret of every filler.
pub const ROUNDS: usize = 4;

/// Findings in a written file that its plan lacks.
pub struct Shown(Vec<New>);

struct New {
    rule: String,
    finding: Finding,
    secret: Secret,
    sites: Vec<Site>,
}

/// What `scan`, of the file that was written by `plan`, has found that counts and may not stay; none where the plan covers all of
/// it already, so that another round would end like this one.
///
/// # Errors
/// When sites cannot be read back.
pub fn lacking(scan: &Outcome, plan: &Plan, options: &Options) -> Result<Option<Shown>> {
    let mut all = Vec::new();
    for (index, finding) in scan.findings.iter().enumerate().filter(|(_, finding)| options.counts(finding)) {
        let sites: Vec<Site> = scan.sites.of(index).collect::<Result<_>>()?;
        let sites: Vec<Site> = sites.into_iter().filter(|site| !is_allowed(&site.spans, plan.left())).collect();
        let (rule, secret) = (scan.rules.get(finding.rule.0), scan.vault.get(finding.secret));
        let (Some(rule), Some(secret)) = (rule, secret) else { return Err(Error::Internal("reading a finding back")) };
        if !sites.is_empty() {
            all.push(New { rule: rule.id.clone(), finding: finding.clone(), secret: secret.clone(), sites });
        }
    }
    let mut spans = all.iter().flat_map(|new| &new.sites).flat_map(|site| &site.spans);
    let lacks = spans.any(|span| !is_covered(plan, *span));
    Ok(lacks.then_some(Shown(all)))
}

/// Adds it to what is known. What was found first keeps its numbers.
///
/// # Errors
/// [`Error::Refused`] where there are more secrets than can be kept; when sites cannot be read back or spilled.
pub fn add(outcome: &mut Outcome, shown: Shown) -> Result<()> {
    let in_memory = Limits::default().sites_in_memory;
    let mut log = SiteLog::<ByFinding>::new(in_memory);
    let numbered = |index: usize| u32::try_from(index).map_err(|_| Error::Internal("numbering findings"));
    for index in 0..outcome.findings.len() {
        let number = numbered(index)?;
        outcome.sites.of(index).try_for_each(|site| log.push(Placed::new(number, site?)))?;
    }
    outcome.later.push(outcome.findings.len());
    for New { rule, finding, secret, sites } in shown.0 {
        let full = || Error::Refused("covering brings more secrets to light than can be kept".to_owned());
        let rule = outcome.rules.iter().position(|known| known.id == rule).ok_or(Error::Internal("naming a rule"))?;
        let secret = outcome.vault.insert(&secret).ok_or_else(full)?;
        let number = numbered(outcome.findings.len())?;
        outcome.findings.push(Finding { rule: RuleId(rule), secret, sites: sites.len() as u64, ..finding });
        sites.into_iter().try_for_each(|site| log.push(Placed::new(number, site)))?;
    }
    outcome.sites = Sites::grouped(log, outcome.findings.len(), in_memory)?;
    Ok(())
}

fn is_covered(plan: &Plan, span: Span) -> bool {
    plan.edits_in(span).filter_map(|edit| edit.span.intersection(&span)).map(|part| part.len).sum::<u64>() == span.len
}
