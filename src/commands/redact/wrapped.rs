//! Redacting a container: every dump in it, and the container around them again.

use crate::commands::args::{Manner, RedactArgs};
use crate::commands::output::{Plain, to_stdout};
use crate::commands::paper::Paper;
use crate::commands::progress::Bar;
use crate::commands::{complain, engine_with, exit};
use crate::container::{self, Settings, Tree};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::redact::fill::Fill;
use crate::redact::plan::Options;
use crate::redact::prove::{Case, Manner as ProofManner};
use crate::redact::receipt::{self, Inside, Whole};
use crate::redact::rounds;
use crate::redact::wrapped::{self, Part, Proven, Question};
use crate::redact::{Digests, Written};
use crate::report::redaction::{Bundle, Redaction, print_bundle};
use crate::scan;

use super::{Goal, about, bar_free, options, publish, without_labels};

/// See [`super::redact`].
pub fn redact(
    args: &RedactArgs,
    image: Image,
    goal: &Goal,
    paper: Option<&Paper>,
    bar: &Bar,
    manner: &Manner,
) -> Result<u8> {
    let mut job =
        Job { args, goal, bar, manner, options: options(args), settings: args.unpacking.settings(args.threads) };
    let scan_options = scan::Options::default();
    let tree = container::tree(image, &job.settings)?;
    let mut parts =
        wrapped::plan_all(&tree, &engine_with(&args.user_rules, &args.known)?, &scan_options, &job.options, bar)?;
    let has_gaps = parts.iter().any(|part| !part.outcome.coverage.gaps.is_empty());
    if has_gaps && !args.allow_gaps {
        job.refuse(&tree, &parts, "not everything could be scanned, and what was not scanned cannot be redacted")?;
        return Ok(exit::GAP);
    }
    let mut round = 1;
    while round <= rounds::ROUNDS {
        if parts.iter().any(|part| !part.plan.refusals().is_empty()) {
            job.refuse(&tree, &parts, "a secret lies in bytes that cannot be edited")?;
            return Ok(exit::FINDINGS);
        }
        let Some(paper) = paper else {
            return job.tell(&mut job.bundle(&tree, &parts)).map(|()| exit::CLEAN);
        };
        match job.carry_out(&tree, &mut parts, paper, round)? {
            Step::Ends(code) => return Ok(code),
            Step::GoesOn => round += 1,
            Step::NoLabels => {
                job.options.fill = without_labels(bar);
                wrapped::plan_again(&tree, &mut parts, &job.options)?;
            }
        }
    }
    Err(Error::Internal("counting the rounds of a redaction"))
}

/// What a round came to.
enum Step {
    /// The redaction is over, with this exit code.
    Ends(u8),
    /// The parts were planned once more.
    GoesOn,
    /// It does not hold with labels.
    NoLabels,
}

/// What stays the same while a container is redacted.
struct Job<'a> {
    args: &'a RedactArgs,
    goal: &'a Goal,
    bar: &'a Bar,
    manner: &'a Manner,
    options: Options,
    settings: Settings,
}

impl Job<'_> {
    /// Writes and proves.
    fn carry_out(&self, tree: &Tree, parts: &mut [Part], paper: &Paper, round: usize) -> Result<Step> {
        let Some(draft) = self.goal.draft()? else { return Ok(Step::Ends(exit::CLEAN)) };
        let (new, written) = wrapped::write_all(tree, parts, &self.settings, self.bar)?;
        let mut file = draft.file().try_clone().map_err(|source| self.goal.failed(source))?;
        let (bytes, digests) = wrapped::pack(tree, &new, &mut file, &self.settings)?;
        // What is proven is what comes out of the written file; what went into it is not looked at again.
        drop(new);
        let image = Image::from_file(self.goal.name(), file, bytes);
        let proven = self.prove(tree, parts, &written, image)?;
        if self.options.fill == Fill::Label && proven.failures(parts).next().is_some() {
            return Ok(Step::NoLabels);
        }
        if round < rounds::ROUNDS && wrapped::add_round(tree, parts, &proven, &self.options)? {
            return Ok(Step::GoesOn);
        }
        let mut told = self.bundle(tree, parts);
        told.checks = &proven.checks;
        for (part, proof) in told.parts.iter_mut().zip(&proven.parts) {
            proof.iter().for_each(|proof| part.prove(proof));
        }
        if proven.failures(parts).next().is_some() {
            self.tell(&mut told)?;
            failures(&proven, parts);
            return Ok(Step::Ends(exit::FINDINGS));
        }
        let receipt = self.receipt(paper, tree, parts, (&digests, &written, &proven))?;
        told.receipt = Some(publish(self.goal, draft, paper, receipt)?.words());
        self.tell(&mut told)?;
        Ok(Step::Ends(exit::CLEAN))
    }

    fn prove(&self, tree: &Tree, parts: &[Part], written: &[Written], image: Image) -> Result<Proven> {
        let manner = ProofManner { stacks: !self.args.no_unwind, ..ProofManner::default() };
        let (fresh, options, settings) =
            (engine_with(&self.args.user_rules, &self.args.known)?, &self.options, &self.settings);
        let question = Question { tree, parts, written, options, fresh: &fresh, manner: &manner, settings };
        wrapped::prove_all(&question, image, self.bar)
    }

    fn receipt(
        &self,
        paper: &Paper,
        tree: &Tree,
        parts: &[Part],
        (digests, written, proven): (&Digests, &[Written], &Proven),
    ) -> Result<crate::redact::draft::Draft> {
        let rules = parts.first().map(|part| part.outcome.rules.clone()).unwrap_or_default();
        let container = container::recognise(tree.outer())?.map_or("", |container| container.name());
        let proofs = proven.parts.iter().zip(&proven.digests);
        let all = tree.leaves.iter().zip(parts).zip(written).zip(proofs);
        let members = all.filter_map(|(((leaf, part), written), (proof, digests))| {
            let Part { name, map, outcome, plan, .. } = part;
            let case = Case { old: &leaf.image, map, outcome, plan, options: &self.options, written };
            Some(Inside {
                name,
                containers: &leaf.containers,
                case,
                proof: proof.as_ref()?,
                digests: digests.as_ref()?,
            })
        });
        let whole = Whole {
            about: about(self.args, self.goal, paper, &rules, tree.outer().len())?,
            container,
            digests,
            options: &self.options,
            checks: &proven.checks,
            members: members.collect(),
        };
        paper.draft(|key, out| receipt::write_whole(&whole, key, out))
    }

    fn bundle<'b>(&'b self, tree: &'b Tree, parts: &'b [Part]) -> Bundle<'b> {
        let one = |(leaf, part): (&'b container::Peeled, &'b Part)| {
            Redaction::new(leaf.image.origin(), &part.map, &part.outcome, &part.plan, &self.options)
        };
        let parts = tree.leaves.iter().zip(parts).map(one).collect();
        Bundle { origin: tree.outer().origin(), parts, checks: &[], refused: None, receipt: None }
    }

    fn refuse(&self, tree: &Tree, parts: &[Part], why: &'static str) -> Result<()> {
        let mut told = self.bundle(tree, parts);
        told.refused = Some(why);
        self.tell(&mut told)
    }

    /// The container itself may be on standard output; then people are told on the other.
    fn tell(&self, told: &mut Bundle<'_>) -> Result<()> {
        let detail = self.manner.detail();
        bar_free(self.bar, || match self.goal {
            Goal::Stdout { .. } => {
                let printed = print_bundle(told, detail, &mut anstream::stderr());
                printed.map_err(|source| self.goal.failed(source))
            }
            _ => to_stdout(|out| print_bundle(told, detail, &mut Plain::new(out))),
        })
    }
}

fn failures(proven: &Proven, parts: &[Part]) {
    for (name, check) in proven.failures(parts) {
        let (check, detail) = (check.name, &check.detail);
        complain("error", format!("the proof failed, nothing was written: {name} {check}: {detail}"));
    }
}
