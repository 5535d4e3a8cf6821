//! Redacting what travels in containers: every dump in them is planned, written and proven like one that came alone, and
//! the container is put together around them again.
//!
//! ```text
//! container -> Tree -> a Plan for each leaf -> new leaves -> Tree::pack -> container -> Tree again -> a Proof for each leaf
//! ```
//!
//! The proof looks at nothing that packing was given: it unpacks the written container and holds each leaf that comes out
//! against the plan for the leaf that went in. What is left of a container without its members (names, comments) is never
//! edited; a secret in it is a refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use crate::container::{self, Peeled, Settings, Tree};
use crate::dump::DumpMap;
use crate::error::{Error, Gap, Result};
use crate::image::Image;
use crate::parallel;
use crate::redact::plan::{Options, Plan, plan, plan_sparing};
use crate::redact::prove::bytes::sha256;
use crate::redact::prove::{Case, Check, Digests, Manner, Proof, Tried, Verdict, attempt, secrets};
use crate::redact::rounds;
use crate::redact::write::{Written, write};
use crate::scan::{self, Engine, Outcome, Progress};

/// One leaf of a container, scanned and planned.
pub struct Part {
    /// Its name: the members that lead to it, without the name of the file.
    pub name: String,
    /// How it is described.
    pub map: DumpMap,
    /// What was found in it.
    pub outcome: Outcome,
    /// What is to be done to it.
    pub plan: Plan,
    /// Findings that are left in it on purpose, by their index.
    pub spared: BTreeSet<usize>,
}

/// Scans and plans every leaf.
///
/// # Errors
/// When something cannot be read, or a plan has too many edits.
pub fn plan_all(
    tree: &Tree,
    engine: &Engine,
    scan_options: &scan::Options,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<Part>> {
    let outer = tree.outer().origin();
    let one = |leaf: &Peeled| {
        let map = leaf.map(&scan_options.limits)?;
        let outcome = scan::scan(&leaf.image, &map, engine, scan_options, progress)?;
        let plan = plan(&leaf.image, &map, &outcome, options)?;
        Ok(Part { name: name_in(outer, leaf), map, outcome, plan, spared: BTreeSet::new() })
    };
    tree.leaves.iter().map(one).collect()
}

/// The name of a leaf in a container that is called `outer`.
#[must_use]
pub fn name_in(outer: &str, leaf: &Peeled) -> String {
    let name = leaf.image.origin().strip_prefix(outer).unwrap_or(leaf.image.origin());
    name.strip_prefix('!').unwrap_or(name).to_owned()
}

/// New leaves in the place of those that have edits, in spools, and what was read and written of each leaf.
///
/// # Errors
/// When something cannot be read or written.
pub fn write_all(
    tree: &Tree,
    parts: &[Part],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(BTreeMap<usize, Image>, Vec<Written>)> {
    let (mut new, mut all) = (BTreeMap::new(), Vec::new());
    for (number, (leaf, part)) in tree.leaves.iter().zip(parts).enumerate() {
        if part.plan.is_empty() {
            all.push(Written::unchanged(leaf.image.len()));
            continue;
        }
        let failed = |source| Error::Spool { folder: settings.folder.clone(), source };
        let file = container::create(&settings.folder).map_err(failed)?;
        let written = write(&leaf.image, &part.plan, &file, progress)?;
        new.insert(number, Image::from_file(leaf.image.origin().to_owned(), file, written.bytes));
        all.push(written);
    }
    Ok((new, all))
}

/// Writes the container with its new leaves to `out`, an empty file; its length, and what it was and is.
///
/// # Errors
/// [`Error::Refused`] where it cannot be put together with them; when something cannot be read or written.
pub fn pack(tree: &Tree, new: &BTreeMap<usize, Image>, out: &mut File, settings: &Settings) -> Result<(u64, Digests)> {
    tree.pack(new, out, settings)?;
    let failed = |source| Error::Write { what: "the redacted container".to_owned(), source };
    out.sync_all().map_err(failed)?;
    let bytes = out.metadata().map_err(failed)?.len();
    let image = Image::from_file(String::new(), out.try_clone().map_err(failed)?, bytes);
    let (before, after) = parallel::both(|| sha256(tree.outer()), || sha256(&image));
    Ok((bytes, Digests { before: before?, after: after? }))
}

/// What the proof of a container came to.
pub struct Proven {
    /// Checks of the container as a whole.
    pub checks: Vec<Check>,
    /// For each leaf what its own proof came to; none for what is left of a container.
    pub parts: Vec<Option<Proof>>,
    /// For each leaf that was proven what it was and is.
    pub digests: Vec<Option<Digests>>,
    /// What covering has brought to light, with the number of the leaf.
    shown: Vec<(usize, Outcome)>,
}

impl Proven {
    /// Everything that failed, with the name of the leaf.
    pub fn failures<'a>(&'a self, parts: &'a [Part]) -> impl Iterator<Item = (&'a str, &'a Check)> {
        let of_leaf = |(part, proof): (&'a Part, &'a Option<Proof>)| {
            proof.iter().flat_map(Proof::failures).map(|check| (part.name.as_str(), check))
        };
        let whole = self.checks.iter().filter(|check| check.verdict == Verdict::Fails);
        whole.map(|check| ("", check)).chain(parts.iter().zip(&self.parts).flat_map(of_leaf))
    }
}

/// What is to be proven: a container that was redacted.
pub struct Question<'a> {
    /// The container as it was.
    pub tree: &'a Tree,
    /// Its leaves.
    pub parts: &'a [Part],
    /// What was read and written of each.
    pub written: &'a [Written],
    /// What counts.
    pub options: &'a Options,
    /// An engine that was not used for the scan.
    pub fresh: &'a Engine,
    /// How to prove.
    pub manner: &'a Manner,
    /// How to unpack.
    pub settings: &'a Settings,
}

/// Unpacks `new`, the container as it was written, and proves every leaf that comes out.
///
/// # Errors
/// When something cannot be read. What does not hold is no error, it is told.
pub fn prove_all(question: &Question<'_>, new: Image, progress: &dyn Progress) -> Result<Proven> {
    let outer = new.origin().to_owned();
    let again = container::tree(new, question.settings)?;
    let mut checks = vec![same_members(question, &again, &outer)];
    let mut parts: Vec<Option<Proof>> = question.parts.iter().map(|_| None).collect();
    let mut all_digests: Vec<Option<Digests>> = question.parts.iter().map(|_| None).collect();
    let mut all_shown = Vec::new();
    if checks.iter().all(|check| check.verdict == Verdict::Holds) {
        for ((number, _), (_, new)) in dumps(question.tree).zip(dumps(&again)) {
            let Tried { proof, digests, shown } = prove_leaf(question, number, new, progress)?;
            all_shown.extend(shown.map(|shown| (number, shown)));
            if let (Some(part), Some(of_part)) = (parts.get_mut(number), all_digests.get_mut(number)) {
                (*part, *of_part) = (Some(proof), Some(digests));
            }
        }
        checks.push(around(question, &again, &outer, progress)?);
        checks.push(elsewhere(question, &again, progress)?);
    }
    Ok(Proven { checks, parts, digests: all_digests, shown: all_shown })
}

/// Adds what the proof has brought to light to the parts, and plans these again, where nothing else is wrong: see
/// [`rounds`]. Whether anything changed.
///
/// # Errors
/// As those of [`plan_all`].
pub fn add_round(tree: &Tree, parts: &mut [Part], proven: &Proven, options: &Options) -> Result<bool> {
    let is_all = proven.failures(parts).count() == proven.shown.len();
    let mut changed = false;
    for (number, shown) in proven.shown.iter().filter(|_| is_all) {
        let (Some(leaf), Some(part)) = (tree.leaves.get(*number), parts.get_mut(*number)) else {
            return Err(Error::Internal("planning a member once more"));
        };
        if let Some(lacking) = rounds::lacking(shown, &part.plan, options)? {
            rounds::add(&mut part.outcome, lacking)?;
            part.plan = plan_sparing(&leaf.image, &part.map, &part.outcome, options, &part.spared)?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Plans all parts again, by other options.
///
/// # Errors
/// As those of [`plan_all`].
pub fn plan_again(tree: &Tree, parts: &mut [Part], options: &Options) -> Result<()> {
    for (leaf, part) in tree.leaves.iter().zip(parts) {
        part.plan = plan_sparing(&leaf.image, &part.map, &part.outcome, options, &part.spared)?;
    }
    Ok(())
}

/// The leaves that are no shells, with their numbers.
fn dumps(tree: &Tree) -> impl Iterator<Item = (usize, &Peeled)> {
    tree.leaves.iter().enumerate().filter(|(_, leaf)| leaf.shell.is_none())
}

/// Whether the same members come out, in the same order, in the same containers and of the same sizes.
fn same_members(question: &Question<'_>, again: &Tree, outer: &str) -> Check {
    const NAME: &str = "members";
    let shape =
        |leaf: &Peeled, outer: &str| (name_in(outer, leaf), leaf.containers.clone(), leaf.image.len(), leaf.gaps.len());
    let before: Vec<_> = dumps(question.tree).map(|(_, leaf)| shape(leaf, question.tree.outer().origin())).collect();
    let after: Vec<_> = dumps(again).map(|(_, leaf)| shape(leaf, outer)).collect();
    if before == after {
        let members = before.len();
        return Check::holds(NAME, format!("{members} come out of the written container as they went in"));
    }
    let wrong = before.iter().zip(&after).find(|(before, after)| before != after).map(|(before, _)| before.0.as_str());
    Check::fails(NAME, format!("other members come out of the written container: {}", wrong.unwrap_or("their number")))
}

fn prove_leaf(question: &Question<'_>, number: usize, new: &Peeled, progress: &dyn Progress) -> Result<Tried> {
    let Question { tree, parts, written, options, fresh, manner, .. } = question;
    let (Some(old), Some(part), Some(written)) = (tree.leaves.get(number), parts.get(number), written.get(number))
    else {
        return Err(Error::Internal("proving a container"));
    };
    let Part { map, outcome, plan, .. } = part;
    let case = Case { old: &old.image, map, outcome, plan, options, written };
    attempt(&case, &new.image, fresh, manner, progress)
}

/// Whether nothing that counts is in what is left of the written containers without their members.
fn around(question: &Question<'_>, again: &Tree, outer: &str, progress: &dyn Progress) -> Result<Check> {
    const NAME: &str = "around-members";
    let shells = question.tree.leaves.iter().zip(question.parts).filter(|(leaf, _)| leaf.shell.is_some());
    let known: Vec<Gap> = shells.flat_map(|(_, part)| part.outcome.coverage.gaps.clone()).collect();
    let (Question { options, fresh, manner, .. }, mut searched) = (question, 0);
    for shell in again.leaves.iter().filter(|leaf| leaf.shell.is_some()) {
        let map = shell.map(&manner.limits)?;
        let counting = (&Plan::default(), *options, known.as_slice());
        let (check, _) = secrets::rescan(counting, &shell.image, &map, fresh, &manner.limits, progress)?;
        if check.verdict == Verdict::Fails {
            return Ok(Check::fails(NAME, format!("{}: {}", name_in(outer, shell), check.detail)));
        }
        searched += 1;
    }
    Ok(Check::holds(NAME, format!("{searched} containers hold nothing that counts around their members")))
}

/// Whether no leaf holds any form of a secret of another one.
fn elsewhere(question: &Question<'_>, again: &Tree, progress: &dyn Progress) -> Result<Check> {
    const NAME: &str = "leftovers-elsewhere";
    let options = scan::Options { limits: question.manner.limits, ..scan::Options::default() };
    let (mut numbers, mut searched) = (dumps(question.tree).map(|(number, _)| number), 0);
    for leaf in &again.leaves {
        let own = if leaf.shell.is_none() { numbers.next() } else { None };
        let others = question.parts.iter().enumerate().filter(|(other, _)| Some(*other) != own);
        let secrets = others.flat_map(|(_, part)| {
            let all = part.outcome.findings.iter().enumerate();
            let counted = all.filter(|(i, finding)| question.options.counts(finding) && !part.spared.contains(i));
            counted.filter_map(|(_, finding)| part.outcome.vault.get(finding.secret))
        });
        let secrets: Vec<_> = secrets.enumerate().collect();
        if secrets.is_empty() {
            continue;
        }
        searched += 1;
        let map = leaf.map(&question.manner.limits)?;
        let left = scan::leftovers(&leaf.image, &map, secrets, &options, progress)?;
        if left.count > 0 {
            let name = leaf.image.origin();
            let text = format!("{name} holds {} places with what was found in another member", left.count);
            return Ok(Check::fails(NAME, text));
        }
    }
    Ok(Check::holds(NAME, format!("{searched} parts were searched for the secrets of all others")))
}
