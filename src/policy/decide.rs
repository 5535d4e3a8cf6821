//! The decision: from what was found, and what was not looked at, to what is done about the dump.

use std::collections::BTreeMap;

use crate::dump::{DumpMap, LabelKinds};
use crate::error::{Gap, Result};
use crate::finding::{Evidence, Finding, Rule, Severity};
use crate::policy::{Baseline, Gaps, Policy, Row};
use crate::report::units::count;
use crate::report::{Action, Decision, Report, ReportFinding, Ruling, Standing};
use crate::scan::Outcome;
use crate::vault::{FingerprintKey, Secret};

/// What a policy asks about a finding in one dump.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its rule.
    pub rule: &'a Rule,
    /// How bad it is: the rule's severity, or `Info` where it is public knowledge.
    pub severity: Severity,
    /// The best evidence for it.
    pub evidence: Evidence,
    /// The kinds of memory that its sites begin in.
    pub labels: LabelKinds,
    /// Whether all of its sites lie in memory of modules that the process could not write.
    pub constant: bool,
    /// Whether a baseline accepts it.
    pub accepted: bool,
}

/// Rules that a reason names; all findings are counted.
const NAMED: usize = 5;

impl Policy {
    /// What is to be done about one finding.
    ///
    /// The first row that fits speaks for it. A row that asks for memory of certain kinds speaks for the sites in it, and
    /// the next rows for the others; the strictest of the answers counts, because a secret is redacted everywhere or nowhere.
    #[must_use]
    pub fn action(&self, subject: &Subject<'_>) -> Action {
        if subject.accepted {
            return Action::Report;
        }
        let (mut strictest, mut left) = (Action::Report, subject.labels);
        for row in self.rows.iter().filter(|row| row.fits(subject)) {
            match row.label {
                None => return strictest.max(row.action),
                Some(labels) if labels.intersects(left) => {
                    strictest = strictest.max(row.action);
                    left = left.without(labels);
                    if left.is_empty() {
                        return strictest;
                    }
                }
                Some(_) => {}
            }
        }
        strictest.max(self.preset.action(subject.severity))
    }

    /// What is to be done about a dump with these findings and these bytes that were not scanned.
    #[must_use]
    pub fn decide<'a>(&self, subjects: impl IntoIterator<Item = Subject<'a>>, gaps: &[Gap]) -> Ruling {
        let mut told = Told::default();
        let rule = |subject: Subject<'a>| {
            let action = self.action(&subject);
            told.add(action, &subject.rule.id);
            action
        };
        let actions: Vec<Action> = subjects.into_iter().map(rule).collect();
        told.gaps(self.gaps, gaps.len());
        let (decision, reasons) = told.end();
        Ruling { decision, reasons, actions, dumps: Vec::new() }
    }

    /// What is to be done about a dump that was scanned. `baseline` comes with the key that its
    /// fingerprints were made with: see [`Policy::read_baseline`].
    ///
    /// # Errors
    /// When spilled sites cannot be read back.
    pub fn decide_scan(
        &self,
        map: &DumpMap,
        outcome: &Outcome,
        baseline: Option<&(FingerprintKey, Baseline)>,
    ) -> Result<Ruling> {
        let standings = Standing::of_all(map, outcome)?;
        let is_accepted = |finding: &Finding| {
            let identity = outcome.vault.get(finding.secret).map(Secret::identity);
            baseline.zip(identity).is_some_and(|((key, known), identity)| known.accepts(&key.of(&identity)))
        };
        let subjects = outcome.findings.iter().zip(&standings).filter_map(|(finding, standing)| {
            let rule = outcome.rules.get(finding.rule.0)?;
            let (severity, evidence, accepted) = (finding.severity, finding.evidence, is_accepted(finding));
            let Standing { labels, constant, .. } = *standing;
            Some(Subject { rule, severity, evidence, labels, constant, accepted })
        });
        let mut gaps = outcome.coverage.gaps.clone();
        gaps.extend(map.gaps.iter().cloned());
        gaps.sort();
        gaps.dedup();
        Ok(self.decide(subjects, &gaps))
    }

    /// What is to be done about the dumps of a report: each by itself, and all of them together.
    #[must_use]
    pub fn decide_report(&self, report: &Report) -> Ruling {
        let mut told = Told::default();
        let mut dumps = vec![Decision::Pass; report.dumps.len()];
        let mut actions = Vec::new();
        for finding in &report.findings {
            let mut strictest = Action::Report;
            for (dump, action) in self.actions_in(report, finding) {
                strictest = strictest.max(action);
                raise(&mut dumps, dump, action.into());
            }
            told.add(strictest, report.rule(finding).map_or("?", |rule| &rule.id));
            actions.push(strictest);
        }
        for (index, dump) in report.dumps.iter().enumerate() {
            let gaps = if dump.error.is_some() { 0 } else { dump.gaps().len() };
            if dump.error.is_some() || gaps > 0 && self.gaps == Gaps::Quarantine {
                raise(&mut dumps, index, Decision::Quarantine);
            }
            told.gaps(self.gaps, gaps);
        }
        told.unreadable = report.tally.unreadable;
        let (decision, reasons) = told.end();
        Ruling { decision, reasons, actions, dumps }
    }

    /// What is to be done about a finding in each of the dumps that hold it.
    fn actions_in(&self, report: &Report, finding: &ReportFinding) -> impl Iterator<Item = (usize, Action)> {
        let subject = report.rule(finding).map(|rule| Subject {
            rule,
            severity: finding.severity,
            evidence: finding.evidence,
            labels: LabelKinds::default(),
            constant: false,
            accepted: finding.accepted,
        });
        finding.held.iter().map(move |held| {
            let subject = subject.map(|subject| Subject { labels: held.labels, constant: held.constant, ..subject });
            // A finding without a rule there is none; nothing that is not understood passes.
            (held.dump, subject.map_or(Action::Block, |subject| self.action(&subject)))
        })
    }
}

fn raise(dumps: &mut [Decision], index: usize, to: Decision) {
    if let Some(decision) = dumps.get_mut(index) {
        *decision = (*decision).max(to);
    }
}

impl Row {
    /// Whether it speaks of the finding, wherever that lies.
    fn fits(&self, subject: &Subject<'_>) -> bool {
        self.rule.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule.fits(&subject.rule.id)))
            && self.severity.as_ref().is_none_or(|all| all.contains(&subject.severity))
            && self.evidence.as_ref().is_none_or(|all| all.contains(&subject.evidence))
            && self.profile.is_none_or(|profile| profile == subject.rule.profile)
            && self.constant.is_none_or(|constant| constant == subject.constant)
    }
}

/// What speaks against a dump, counted.
#[derive(Default)]
struct Told {
    /// Findings by rule, for each action but the mildest.
    findings: BTreeMap<Action, BTreeMap<String, usize>>,
    gaps: usize,
    unreadable: usize,
}

impl Told {
    fn add(&mut self, action: Action, rule: &str) {
        if action > Action::Report {
            *self.findings.entry(action).or_default().entry(rule.to_owned()).or_default() += 1;
        }
    }

    fn gaps(&mut self, gaps: Gaps, more: usize) {
        if gaps == Gaps::Quarantine {
            self.gaps += more;
        }
    }

    fn end(self) -> (Decision, Vec<String>) {
        let mut reasons = Vec::new();
        if self.unreadable > 0 {
            reasons.push((Decision::Quarantine, format!("{} could not be scanned", count(self.unreadable, "input"))));
        }
        for (&action, rules) in self.findings.iter().rev() {
            let verb = if action == Action::Block { "block" } else { "have to be redacted" };
            let findings = count(rules.values().sum(), "finding");
            reasons.push((action.into(), format!("{findings} that {verb}: {}", name_all(rules))));
        }
        if self.gaps > 0 {
            reasons.push((Decision::Quarantine, format!("not everything was scanned ({})", count(self.gaps, "gap"))));
        }
        let decision = reasons.iter().map(|(decision, _)| *decision).max().unwrap_or(Decision::Pass);
        (decision, reasons.into_iter().map(|(_, reason)| reason).collect())
    }
}

fn name_all(rules: &BTreeMap<String, usize>) -> String {
    let mut named: Vec<String> = rules.iter().take(NAMED).map(|(rule, n)| format!("{rule} ({n})")).collect();
    if rules.len() > NAMED {
        named.push(format!("and {} more", rules.len() - NAMED));
    }
    named.join(", ")
}
