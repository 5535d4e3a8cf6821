//! What a redaction came to, told to people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::dump::DumpMap;
use crate::redact::plan::Options;
use crate::redact::{Check, Left, Plan, Proof, Verdict};
use crate::report::units::{Bytes, count};
use crate::report::{Detail, Inert, words};
use crate::scan::Outcome;

/// Edits that are listed for people when all are not asked for.
const LISTED: usize = 10;

/// What is told.
pub struct Redaction<'a> {
    origin: &'a str,
    map: &'a DumpMap,
    outcome: &'a Outcome,
    plan: &'a Plan,
    options: &'a Options,
    refused: Option<&'static str>,
    proof: Option<&'a Proof>,
    receipt: Option<String>,
}

impl<'a> Redaction<'a> {
    /// A redaction that is planned.
    #[must_use]
    pub fn new(origin: &'a str, map: &'a DumpMap, outcome: &'a Outcome, plan: &'a Plan, options: &'a Options) -> Self {
        Self { origin, map, outcome, plan, options, refused: None, proof: None, receipt: None }
    }

    /// The same one, refused for a reason.
    #[must_use]
    pub fn refused(&self, reason: &'static str) -> Self {
        Self { refused: Some(reason), receipt: self.receipt.clone(), ..*self }
    }

    /// Adds what the proof came to.
    pub fn prove(&mut self, proof: &'a Proof) {
        self.proof = Some(proof);
    }

    /// Adds where the receipt is, and who signed it.
    pub fn file(&mut self, receipt: String) {
        self.receipt = Some(receipt);
    }

    fn rule(&self, finding: u32) -> &'a str {
        let finding = self.outcome.findings.get(finding as usize);
        finding.and_then(|f| self.outcome.rules.get(f.rule.0)).map_or("?", |rule| &rule.id)
    }
}

/// Prints it.
///
/// # Errors
/// When `out` cannot be written.
pub fn print(told: &Redaction<'_>, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    if detail != Detail::Quiet {
        head(told, out)?;
        edits(told, detail, out)?;
    }
    left("left in place, as allowed", told, told.plan.left(), out)?;
    left("cannot be edited", told, told.plan.refusals(), out)?;
    if let Some(proof) = told.proof.filter(|_| detail != Detail::Quiet) {
        checks(proof, out)?;
    }
    if let Some(receipt) = told.receipt.as_ref().filter(|_| detail != Detail::Quiet) {
        writeln!(out, "Receipt: {}", Inert(receipt))?;
    }
    result(told, out)
}

/// What is told of a container and the dumps in it.
pub struct Bundle<'a> {
    /// The name of the file.
    pub origin: &'a str,
    /// Every dump, and what is left of every container.
    pub parts: Vec<Redaction<'a>>,
    /// What was checked of it as a whole; empty before the proof.
    pub checks: &'a [Check],
    /// Why it was refused.
    pub refused: Option<&'static str>,
    /// Where the receipt is, and who signed it.
    pub receipt: Option<String>,
}

/// Prints what became of a container.
///
/// # Errors
/// When `out` cannot be written.
pub fn print_bundle(told: &Bundle<'_>, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for part in &told.parts {
        // What is left of a container is mostly nothing to tell of.
        let is_told =
            part.proof.is_some() || !part.outcome.findings.is_empty() || !part.outcome.coverage.gaps.is_empty();
        if detail != Detail::Quiet && is_told {
            head(part, out)?;
            edits(part, detail, out)?;
        }
        left("left in place, as allowed", part, part.plan.left(), out)?;
        left("cannot be edited", part, part.plan.refusals(), out)?;
        if let Some(proof) = part.proof.filter(|_| detail != Detail::Quiet) {
            checks(proof, out)?;
        }
    }
    if detail != Detail::Quiet && !told.checks.is_empty() {
        writeln!(out, "{} as a whole:", Inert(told.origin))?;
        told.checks.iter().try_for_each(|check| print_check(check.name, check.verdict, &check.detail, out))?;
    }
    if let Some(receipt) = told.receipt.as_ref().filter(|_| detail != Detail::Quiet) {
        writeln!(out, "Receipt: {}", Inert(receipt))?;
    }
    let proofs = || told.parts.iter().filter_map(|part| part.proof);
    let failed =
        told.checks.iter().any(|check| check.verdict == Verdict::Fails) || proofs().any(|proof| !proof.holds());
    let text = match told.refused {
        Some(reason) => format!("refused: {reason}; nothing was written"),
        None if failed => "the proof failed; nothing was written".to_owned(),
        None if told.checks.is_empty() => "a plan only; nothing was written".to_owned(),
        None => "written and proven".to_owned(),
    };
    writeln!(out, "Result: {text}")
}

fn head(told: &Redaction<'_>, out: &mut dyn Write) -> io::Result<()> {
    let counted = told.outcome.findings.iter().filter(|f| told.options.counts(f)).count();
    let others = told.outcome.findings.len() - counted;
    writeln!(out, "{}: {}, {}", Inert(told.origin), told.map.format, Bytes(told.outcome.coverage.bytes))?;
    let (edits, size) = (told.plan.edits().len(), told.plan.bytes());
    writeln!(out, "{} to redact: {}, {}", count(counted, "finding"), count(edits, "edit"), Bytes(size))?;
    if others > 0 {
        writeln!(out, "{} that do not count stay", count(others, "finding"))?;
    }
    later(told, out)?;
    told.outcome
        .coverage
        .gaps
        .iter()
        .try_for_each(|gap| writeln!(out, "gap: {} bytes at {}: {}", gap.span.len, gap.span.start, Inert(&gap.reason)))
}

/// What came to light only once something else was covered, round by round.
fn later(told: &Redaction<'_>, out: &mut dyn Write) -> io::Result<()> {
    let outcome = told.outcome;
    let ends = outcome.later.iter().skip(1).copied().chain([outcome.findings.len()]);
    for (round, (from, to)) in (2..).zip(outcome.later.iter().copied().zip(ends)) {
        let found = count(to - from, "finding");
        writeln!(out, "{found} of these came to light in round {round}, when what was found before was covered")?;
    }
    Ok(())
}

fn edits(told: &Redaction<'_>, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let most = if detail == Detail::Verbose { usize::MAX } else { LISTED };
    for edit in told.plan.edits().iter().take(most) {
        let (rule, form) = (told.rule(edit.finding), words::form(edit.form));
        let fill = words::name(edit.ink.mark);
        writeln!(out, "  {:#012x}  {:>6} bytes  {rule}: {form}; filled with {fill}", edit.span.from(), edit.span.len)?;
    }
    match told.plan.edits().len().checked_sub(most) {
        Some(more) if more > 0 => writeln!(out, "  and {} (use -v to list all)", count(more, "more edit")),
        _ => Ok(()),
    }
}

fn left(why: &str, told: &Redaction<'_>, left: &[Left], out: &mut dyn Write) -> io::Result<()> {
    left.iter().try_for_each(|left| {
        let (rule, label) = (told.rule(left.finding), left.label.words(told.map));
        writeln!(out, "{why}: {} bytes of {rule} at {}, in {}", left.span.len, left.span.start, Inert(&label))
    })
}

fn checks(proof: &Proof, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Proof:")?;
    proof.checks.iter().try_for_each(|check| print_check(check.name, check.verdict, &check.detail, out))
}

/// Prints one check on a line.
///
/// # Errors
/// When `out` cannot be written.
pub fn print_check(name: &str, verdict: Verdict, detail: &str, out: &mut dyn Write) -> io::Result<()> {
    let (word, color) = match verdict {
        Verdict::Holds => ("holds", AnsiColor::Green),
        Verdict::Fails => ("FAILS", AnsiColor::Red),
        Verdict::NotShown => ("not shown", AnsiColor::Yellow),
    };
    let style = Style::new().fg_color(Some(color.into()));
    writeln!(out, "  {style}{word:<9}{style:#}  {}: {}", Inert(name), Inert(detail))
}

fn result(told: &Redaction<'_>, out: &mut dyn Write) -> io::Result<()> {
    let text = match (told.refused, told.proof) {
        (Some(reason), _) => format!("refused: {reason}; nothing was written"),
        (None, Some(proof)) if !proof.holds() => "the proof failed; nothing was written".to_owned(),
        (None, Some(_)) => "written and proven".to_owned(),
        (None, None) => "a plan only; nothing was written".to_owned(),
    };
    writeln!(out, "Result: {text}")
}
