//! The decision on one dump: scan, ask the policy, redact and prove where it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use crate::container::{self, Peeled, Settings, Tree};
use crate::dump;
use crate::error::{Error, Result};
use crate::finding::Severity;
use crate::hook::verdict::{Choice, Verdict};
use crate::image::Image;
use crate::limits::Limits;
use crate::policy::{Baseline, Policy};
use crate::redact::plan::{Options, plan_sparing};
use crate::redact::prove::{Case, Manner, Tried};
use crate::redact::rounds;
use crate::redact::wrapped::{self, Part, Question};
use crate::redact::{self, Plan};
use crate::report::{Action, Decision, Ruling};
use crate::scan::{self, Engine, Quiet};
use crate::vault::FingerprintKey;

/// Reasons that one verdict gives; the first ones say enough.
const REASONS: usize = 8;

/// What decides.
pub struct Judge<'a> {
    /// Finds.
    pub engine: &'a Engine,
    /// Proves: an engine that is not used for scans.
    pub fresh: &'a Engine,
    /// Says what is to be done.
    pub policy: &'a Policy,
    /// Findings that are accepted, and the key that their fingerprints were made with.
    pub accepted: Option<(FingerprintKey, Baseline)>,
    /// How containers are unpacked.
    pub settings: Settings,
}

/// A dump, or a member of a container, that was scanned.
struct Seen {
    part: Part,
    ruling: Ruling,
    is_shell: bool,
}

impl Judge<'_> {
    /// Decides on `image`. Where it is to be redacted, the redacted one is written to what `out` gives, and proven. `any`
    /// says that it may be a file that is no dump.
    ///
    /// # Errors
    /// When something cannot be read or written. Whatever speaks against a dump is no error but a verdict.
    pub fn judge(&self, image: Image, any: bool, out: &mut dyn FnMut() -> Result<File>) -> Result<Verdict> {
        let bytes = image.len();
        let tree = container::tree(image, &self.settings)?;
        let seen: Vec<Seen> = tree.leaves.iter().map(|leaf| self.see(&tree, leaf)).collect::<Result<_>>()?;
        let mut verdict = Verdict {
            choice: Choice::Quarantine,
            reasons: seen.iter().flat_map(Seen::reasons).take(REASONS).collect(),
            found: count(&seen),
            format: format_of(&tree, &seen),
            bytes,
            edited: 0,
        };
        if !any && seen.iter().all(|seen| seen.is_shell || seen.part.map.format == dump::UNKNOWN) {
            verdict.reasons = vec!["it is no dump of a format that this version knows, or it is cut off".to_owned()];
            return Ok(verdict);
        }
        if let Some(seen) = seen.iter().find(|seen| seen.is_unread()) {
            verdict.reasons = vec![seen.unread()];
            return Ok(verdict);
        }
        match seen.iter().map(|seen| seen.ruling.decision).max().unwrap_or(Decision::Quarantine) {
            Decision::Pass => verdict.choice = Choice::Pass,
            Decision::Redact => self.redact(&tree, seen, &mut verdict, out)?,
            Decision::Quarantine => {}
        }
        Ok(verdict)
    }

    fn see(&self, tree: &Tree, leaf: &Peeled) -> Result<Seen> {
        let map = leaf.map(&Limits::default())?;
        let outcome = scan::scan(&leaf.image, &map, self.engine, &scan::Options::default(), &Quiet)?;
        let ruling = self.policy.decide_scan(&map, &outcome, self.accepted.as_ref())?;
        let name = wrapped::name_in(tree.outer().origin(), leaf);
        let part = Part { name, map, outcome, plan: Plan::default(), spared: BTreeSet::new() };
        Ok(Seen { part, ruling, is_shell: leaf.shell.is_some() })
    }

    fn redact(
        &self,
        tree: &Tree,
        seen: Vec<Seen>,
        verdict: &mut Verdict,
        out: &mut dyn FnMut() -> Result<File>,
    ) -> Result<()> {
        let options = Options { fail_on: least(&seen), ..Options::default() };
        let mut parts = Vec::new();
        for (leaf, Seen { mut part, ruling, .. }) in tree.leaves.iter().zip(seen) {
            part.spared = spared(&ruling);
            part.plan = plan_sparing(&leaf.image, &part.map, &part.outcome, &options, &part.spared)?;
            parts.push(part);
        }
        let refused: usize = parts.iter().map(|part| part.plan.refusals().len()).sum();
        if refused > 0 {
            let text =
                format!("{refused} places with a secret cannot be redacted: a debugger cannot do without these bytes");
            verdict.reasons.insert(0, text);
            return Ok(());
        }
        let failures = self.carry_out(tree, &mut parts, &options, out)?;
        verdict.edited = parts.iter().map(|part| part.plan.bytes()).sum();
        if failures.is_empty() {
            verdict.choice = Choice::Redacted;
        } else {
            let told = failures.into_iter().take(REASONS).map(|failure| format!("the proof failed: {failure}"));
            verdict.reasons.splice(0..0, told);
        }
        Ok(())
    }

    /// Writes and proves, as often as covering brings more to light; what failed, if anything did.
    fn carry_out(
        &self,
        tree: &Tree,
        parts: &mut [Part],
        options: &Options,
        out: &mut dyn FnMut() -> Result<File>,
    ) -> Result<Vec<String>> {
        for round in 1..=rounds::ROUNDS {
            let is_last = round == rounds::ROUNDS;
            let failures = match (tree.leaves.as_slice(), &mut *parts) {
                ([leaf], [part]) if leaf.containers.is_empty() => self.write(leaf, part, options, out()?, is_last)?,
                (_, parts) => self.write_wrapped(tree, parts, options, out()?, is_last)?,
            };
            if let Some(failures) = failures {
                return Ok(failures);
            }
            if parts.iter().any(|part| !part.plan.refusals().is_empty()) {
                return Ok(vec!["covering brings a secret to light that cannot be redacted".to_owned()]);
            }
        }
        Err(Error::Internal("counting the rounds of a redaction"))
    }

    /// Writes and proves a dump; what failed, if anything did, or none where it was planned once more.
    fn write(
        &self,
        leaf: &Peeled,
        part: &mut Part,
        options: &Options,
        out: File,
        is_last: bool,
    ) -> Result<Option<Vec<String>>> {
        let Part { map, outcome, plan, .. } = part;
        let written = redact::write(&leaf.image, plan, &out, &Quiet)?;
        let new = Image::from_file("redacted".to_owned(), out, written.bytes);
        let case = Case { old: &leaf.image, map, outcome, plan, options, written: &written };
        let Tried { proof, shown, .. } = redact::attempt(&case, &new, self.fresh, &Manner::default(), &Quiet)?;
        if let Some(shown) = shown.filter(|_| !is_last)
            && let Some(lacking) = rounds::lacking(&shown, plan, options)?
        {
            rounds::add(&mut part.outcome, lacking)?;
            part.plan = plan_sparing(&leaf.image, &part.map, &part.outcome, options, &part.spared)?;
            return Ok(None);
        }
        Ok(Some(proof.failures().map(|check| format!("{}: {}", check.name, check.detail)).collect()))
    }

    /// Writes and proves a container; what failed, if anything did, or none where a part was planned once more.
    fn write_wrapped(
        &self,
        tree: &Tree,
        parts: &mut [Part],
        options: &Options,
        mut out: File,
        is_last: bool,
    ) -> Result<Option<Vec<String>>> {
        let (new, written) = wrapped::write_all(tree, parts, &self.settings, &Quiet)?;
        let (bytes, _) = match wrapped::pack(tree, &new, &mut out, &self.settings) {
            Err(Error::Refused(reason)) => return Ok(Some(vec![reason])),
            packed => packed?,
        };
        drop(new);
        let image = Image::from_file("redacted".to_owned(), out, bytes);
        let (manner, settings, fresh) = (&Manner::default(), &self.settings, self.fresh);
        let question = Question { tree, parts, written: &written, options, fresh, manner, settings };
        let proven = wrapped::prove_all(&question, image, &Quiet)?;
        if !is_last && wrapped::add_round(tree, parts, &proven, options)? {
            return Ok(None);
        }
        let told = proven.failures(parts).map(|(name, check)| format!("{name} {}: {}", check.name, check.detail));
        Ok(Some(told.collect()))
    }
}

impl Seen {
    /// Whether it only begins like a dump: what is known of no memory was looked at byte by byte, and not as what it is.
    fn is_unread(&self) -> bool {
        !self.is_shell && self.part.map.format != dump::UNKNOWN && self.part.map.regions.is_empty()
    }

    fn unread(&self) -> String {
        let (name, format) = (&self.part.name, self.part.map.format);
        let name = if name.is_empty() { "it" } else { name };
        format!("{name} begins like a dump ({format}), and no memory can be read in it: it is cut off or damaged")
    }

    fn reasons(&self) -> impl Iterator<Item = String> {
        let name = &self.part.name;
        self.ruling.reasons.iter().map(move |reason| match name.is_empty() {
            true => reason.clone(),
            false => format!("{name}: {reason}"),
        })
    }
}

/// Findings that only are to be reported.
fn spared(ruling: &Ruling) -> BTreeSet<usize> {
    let reported = ruling.actions.iter().enumerate().filter(|(_, action)| **action == Action::Report);
    reported.map(|(index, _)| index).collect()
}

/// The least severity that counts: what is public knowledge counts only where the policy says to redact it.
fn least(seen: &[Seen]) -> Severity {
    let is_wanted = |seen: &Seen| {
        let findings = seen.part.outcome.findings.iter().zip(&seen.ruling.actions);
        findings.into_iter().any(|(finding, action)| *action > Action::Report && finding.severity == Severity::Info)
    };
    if seen.iter().any(is_wanted) { Severity::Info } else { Options::default().fail_on }
}

fn count(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for Part { outcome, .. } in seen.iter().map(|seen| &seen.part) {
        for finding in &outcome.findings {
            let rule = outcome.rules.get(finding.rule.0).map_or("?", |rule| &rule.id);
            *found.entry(rule.to_owned()).or_default() += 1;
        }
    }
    found
}

/// The containers from the outside in, and the formats of what is in them.
fn format_of(tree: &Tree, seen: &[Seen]) -> String {
    let mut formats: Vec<&str> = Vec::new();
    for seen in seen.iter().filter(|seen| !seen.is_shell) {
        if !formats.contains(&seen.part.map.format) {
            formats.push(seen.part.map.format);
        }
    }
    let around = tree.leaves.iter().find(|leaf| leaf.shell.is_none()).map(|leaf| leaf.containers.as_slice());
    let around: String = around.unwrap_or_default().iter().rev().map(|name| format!("{name}: ")).collect();
    around + &formats.join(", ")
}
