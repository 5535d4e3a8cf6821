//! A plan and its findings, entry by entry, as a receipt lists them.

use std::collections::HashSet;

use crate::dump::DumpMap;
use crate::dump::places::Places;
use crate::finding::Finding;
use crate::redact::fill::Mark;
use crate::redact::plan::{Edit, Left, Plan};
use crate::redact::receipt::wire::{Fate, Hex, Overwritten, Secret, Stayed};
use crate::scan::Outcome;
use crate::span::Span;
use crate::vault::FingerprintKey;

/// What entries are made of.
pub struct Entries<'a> {
    outcome: &'a Outcome,
    plan: &'a Plan,
    places: Places<'a>,
    map: &'a DumpMap,
}

impl<'a> Entries<'a> {
    /// The entries of `plan`, which was made of `outcome`.
    #[must_use]
    pub fn new(map: &'a DumpMap, outcome: &'a Outcome, plan: &'a Plan) -> Self {
        Self { outcome, plan, places: Places::new(map), map }
    }

    /// Every edit in file order. An edit that runs over the end of a region is more than one entry, so that each has the
    /// address of all of its bytes.
    pub fn edits(&self) -> impl Iterator<Item = Overwritten> {
        self.plan.edits().iter().flat_map(|edit| self.pieces(edit.span).into_iter().map(|piece| self.edit(edit, piece)))
    }

    /// What stays.
    pub fn left(&self) -> impl Iterator<Item = Stayed> {
        self.plan
            .left()
            .iter()
            .flat_map(|left| self.pieces(left.span).into_iter().map(|piece| self.stayed(left, piece)))
    }

    /// Every finding in the scan's order, which is the order of their numbers.
    pub fn findings(
        &self,
        counts: impl Fn(&Finding) -> bool,
        key: Option<&FingerprintKey>,
    ) -> impl Iterator<Item = Secret> {
        let left: HashSet<u32> = self.plan.left().iter().map(|left| left.finding).collect();
        self.outcome.findings.iter().zip(0_u32..).map(move |(finding, index)| {
            let fate = match (counts(finding), left.contains(&index)) {
                (false, _) => Fate::NotCounted,
                (true, true) => Fate::Left,
                (true, false) => Fate::Redacted,
            };
            self.finding(finding, number(index), fate, key)
        })
    }

    fn finding(&self, finding: &Finding, number: usize, fate: Fate, key: Option<&FingerprintKey>) -> Secret {
        let rule = self.outcome.rules.get(finding.rule.0);
        let identity = self.outcome.vault.get(finding.secret).map(|secret| secret.identity());
        Secret {
            number,
            rule: rule.map(|rule| rule.id.clone()).unwrap_or_default(),
            title: rule.map(|rule| rule.title.clone()).unwrap_or_default(),
            severity: finding.severity,
            evidence: finding.evidence,
            fate,
            public: finding.public.clone(),
            site_count: finding.sites,
            round: self.outcome.round_of(number - 1),
            fingerprint: key.zip(identity).map(|(key, identity)| key.of(&identity)),
        }
    }

    fn edit(&self, edit: &Edit, (span, address): (Span, Option<Hex>)) -> Overwritten {
        let phase = edit.phase + (span.from() - edit.span.from());
        // The constant's phase is an address, of which only the place in the word matters.
        let phase = if edit.ink.mark == Mark::Word { phase % WORD } else { phase };
        Overwritten {
            offset: span.from(),
            length: span.len,
            address,
            finding: number(edit.finding),
            rule: self.rule(edit.finding),
            form: edit.form,
            mark: edit.ink.mark,
            width: edit.ink.width,
            phase,
            keeps_lines: edit.ink.keeps_lines,
        }
    }

    fn stayed(&self, left: &Left, (span, address): (Span, Option<Hex>)) -> Stayed {
        let (finding, label) = (number(left.finding), left.label.words(self.map));
        Stayed { offset: span.from(), length: span.len, address, finding, label }
    }

    fn rule(&self, finding: u32) -> String {
        let finding = self.outcome.findings.get(finding as usize);
        finding.and_then(|f| self.outcome.rules.get(f.rule.0)).map(|rule| rule.id.clone()).unwrap_or_default()
    }

    /// The parts of a span that are each of one region, or of none.
    fn pieces(&self, span: Span) -> Vec<(Span, Option<Hex>)> {
        let (mut pieces, mut at) = (Vec::new(), span.from());
        for (run, address) in self.places.memory_in(span) {
            pieces.extend(between(at, run.from()));
            pieces.push((run, Some(Hex(address.0))));
            at = run.end();
        }
        pieces.extend(between(at, span.end()));
        pieces
    }
}

/// Bytes of the constant.
const WORD: u64 = 4;

fn number(index: u32) -> usize {
    index as usize + 1
}

fn between(from: u64, to: u64) -> Option<(Span, Option<Hex>)> {
    (from < to).then(|| (Span::between(from, to), None))
}
