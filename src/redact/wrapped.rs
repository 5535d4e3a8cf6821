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

use std::collections::BTreeMap;
use std::fs::File;

use sha2::{Digest as _, Sha256};

use crate::container::{self, Peeled, Settings, Tree};
use crate::dump::DumpMap;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::redact::plan::{Options, Plan, plan};
use crate::redact::prove::{Case, Check, Manner, Proof, prove, secrets};
use crate::redact::write::{Written, read, write};
use crate::scan::{self, Engine, Outcome, Progress};

/// Bytes that are digested at once.
const STEP: usize = 1 << 20;

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
        Ok(Part { name: name_in(outer, leaf), map, outcome, plan })
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
            all.push(unchanged(&leaf.image)?);
            continue;
        }
        let failed = |source| Error::Spool { folder: settings.folder.clone(), source };
        let mut file = container::create(&settings.folder).map_err(failed)?;
        let written = write(&leaf.image, &part.plan, &mut file, progress)?;
        new.insert(number, Image::from_file(leaf.image.origin().to_owned(), file, written.bytes));
        all.push(written);
    }
    Ok((new, all))
}

/// Writes the container with its new leaves to `out`, an empty file.
///
/// # Errors
/// [`Error::Refused`] where it cannot be put together with them; when something cannot be read or written.
pub fn pack(tree: &Tree, new: &BTreeMap<usize, Image>, out: &mut File, settings: &Settings) -> Result<Written> {
    let Written { before, covered, .. } = unchanged(tree.outer())?;
    tree.pack(new, out, settings)?;
    let failed = |source| Error::Write { what: "the redacted container".to_owned(), source };
    out.sync_all().map_err(failed)?;
    let bytes = out.metadata().map_err(failed)?.len();
    let image = Image::from_file(String::new(), out.try_clone().map_err(failed)?, bytes);
    Ok(Written { bytes, before, after: sha256(&image)?, covered })
}

/// What the proof of a container came to.
pub struct Proven {
    /// Checks of the container as a whole.
    pub checks: Vec<Check>,
    /// For each leaf what its own proof came to; none for what is left of a container.
    pub parts: Vec<Option<Proof>>,
}

impl Proven {
    /// Everything that failed, with the name of the leaf.
    pub fn failures<'a>(&'a self, parts: &'a [Part]) -> impl Iterator<Item = (&'a str, &'a Check)> {
        let of_leaf = |(part, proof): (&'a Part, &'a Option<Proof>)| {
            proof.iter().flat_map(Proof::failures).map(|check| (part.name.as_str(), check))
        };
        let whole = self.checks.iter().filter(|check| check.verdict == crate::redact::Verdict::Fails);
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
    let mut proofs = Vec::new();
    if checks.iter().all(|check| check.verdict == crate::redact::Verdict::Holds) {
        for (number, leaf) in again.leaves.iter().enumerate() {
            proofs.push(prove_leaf(question, number, leaf, &mut checks, progress)?);
        }
        checks.push(elsewhere(question, &again, progress)?);
    }
    Ok(Proven { checks, parts: proofs })
}

/// Whether the same members come out, in the same order, in the same containers and of the same sizes.
fn same_members(question: &Question<'_>, again: &Tree, outer: &str) -> Check {
    const NAME: &str = "members";
    let before = question.tree.leaves.iter().zip(question.parts);
    let shape = |leaf: &Peeled, name: String| {
        let len = if leaf.shell.is_some() { 0 } else { leaf.image.len() };
        (name, leaf.containers.clone(), leaf.shell, len, leaf.gaps.len())
    };
    let before: Vec<_> = before.map(|(leaf, part)| shape(leaf, part.name.clone())).collect();
    let after: Vec<_> = again.leaves.iter().map(|leaf| shape(leaf, name_in(outer, leaf))).collect();
    if before == after {
        let members = before.iter().filter(|leaf| leaf.2.is_none()).count();
        return Check::holds(NAME, format!("{members} come out of the written container as they went in"));
    }
    let wrong = before.iter().zip(&after).find(|(before, after)| before != after).map(|(before, _)| before.0.as_str());
    Check::fails(NAME, format!("other members come out of the written container: {}", wrong.unwrap_or("their number")))
}

fn prove_leaf(
    question: &Question<'_>,
    number: usize,
    leaf: &Peeled,
    checks: &mut Vec<Check>,
    progress: &dyn Progress,
) -> Result<Option<Proof>> {
    let Question { tree, parts, written, options, fresh, manner, .. } = question;
    let (Some(old), Some(part), Some(written)) = (tree.leaves.get(number), parts.get(number), written.get(number))
    else {
        return Err(Error::Internal("proving a container"));
    };
    if leaf.shell.is_none() {
        let Part { map, outcome, plan, .. } = part;
        let case = Case { old: &old.image, map, outcome, plan, options, written };
        return prove(&case, &leaf.image, fresh, manner, progress).map(Some);
    }
    let map = leaf.map(&manner.limits)?;
    let check = secrets::rescan(
        (&part.plan, options, &part.outcome.coverage.gaps),
        &leaf.image,
        &map,
        fresh,
        &manner.limits,
        progress,
    )?;
    let about = if part.name.is_empty() { "the container itself" } else { &part.name };
    checks.push(Check { detail: format!("{about}: {}", check.detail), ..check });
    Ok(None)
}

/// Whether no leaf holds any form of a secret of another one.
fn elsewhere(question: &Question<'_>, again: &Tree, progress: &dyn Progress) -> Result<Check> {
    const NAME: &str = "leftovers-elsewhere";
    let options = scan::Options { limits: question.manner.limits, ..scan::Options::default() };
    let mut searched = 0;
    for (number, leaf) in again.leaves.iter().enumerate() {
        let others = question.parts.iter().enumerate().filter(|(other, _)| *other != number);
        let secrets = others.flat_map(|(_, part)| {
            let counted = part.outcome.findings.iter().filter(|finding| question.options.counts(finding));
            counted.filter_map(|finding| part.outcome.vault.get(finding.secret))
        });
        let secrets: Vec<_> = secrets.enumerate().collect();
        if secrets.is_empty() {
            continue;
        }
        searched += 1;
        let map = leaf.map(&question.manner.limits)?;
        let left = scan::leftovers(&leaf.image, &map, secrets, &options, progress)?;
        if !left.is_clean() {
            let name = question.parts.get(number).map_or("", |part| &part.name);
            let text = format!("{name} holds {} places with what was found in another member", left.count);
            return Ok(Check::fails(NAME, text));
        }
    }
    Ok(Check::holds(NAME, format!("{searched} parts were searched for the secrets of all others")))
}

/// What is written of an image where nothing is overwritten.
fn unchanged(image: &Image) -> Result<Written> {
    let digest = sha256(image)?;
    Ok(Written { bytes: image.len(), before: digest, after: digest, covered: Sha256::new().finalize().into() })
}

/// SHA-256 of an image.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(image: &Image) -> Result<[u8; 32]> {
    let (mut digest, mut buffer, mut at) = (Sha256::new(), vec![0; STEP], 0);
    while at < image.len() {
        let want = usize::try_from(image.len() - at).unwrap_or(STEP).min(STEP);
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        read(image, at, bytes)?;
        digest.update(&*bytes);
        at += want as u64;
    }
    Ok(digest.finalize().into())
}
