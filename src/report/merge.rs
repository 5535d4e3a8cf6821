//! Many scans become one report: the same secret in many dumps is one finding.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::dump::DumpMap;
use crate::error::{Error, Gap, Result};
use crate::finding::{Finding, PublicIdentity, Rule};
use crate::known::Known;
use crate::report::{
    Answer, BaselineUse, DumpReport, Held, Places, Policy, Report, ReportFinding, Skipped, Standing, Tally, Verdict,
};
use crate::scan::{Coverage, Outcome};
use crate::span::Span;
use crate::vault::{FingerprintKey, Identity, Secret, Vault};

/// What a report keeps of one scan. It is made where the scan was made, so that the map and the vault can go at once.
#[derive(Debug)]
pub struct Scanned {
    dump: DumpReport,
    findings: Vec<Seen>,
}

/// A finding of one dump, told apart from others by its secret's identity.
#[derive(Debug)]
struct Seen {
    identity: Option<Identity>,
    secret: Option<Secret>,
    finding: Finding,
    standing: Standing,
}

impl Scanned {
    /// What a report keeps of the scan of `origin`. The secrets are dropped, and zeroed, unless `show_secrets`.
    ///
    /// # Errors
    /// When spilled sites cannot be read back.
    pub fn new(origin: &str, map: DumpMap, outcome: Outcome, show_secrets: bool) -> Result<Self> {
        let Outcome { findings, sites, mut coverage, vault, .. } = outcome;
        let all = (0..findings.len()).flat_map(|i| sites.of(i));
        let places = Places::of(&map, all.map(|site| Ok(site?.offset())))?;
        let see = |(i, finding)| {
            let standing = Standing::of(sites.of(i), &places)?;
            Ok(Seen { standing, ..Seen::new(finding, &vault, show_secrets) })
        };
        let findings = findings.into_iter().enumerate().map(see).collect::<Result<_>>()?;
        coverage.gaps.extend(map.gaps);
        coverage.gaps.sort();
        coverage.gaps.dedup();
        let dump = DumpReport {
            origin: origin.to_owned(),
            error: None,
            format: map.format,
            containers: Vec::new(),
            coverage,
            faults: map.faults,
            regions: map.regions.len(),
            threads: map.threads.len(),
            modules: map.modules.len(),
            decision: None,
            places,
            sites,
        };
        Ok(Self { dump, findings })
    }

    /// The row for an input that could not be scanned: a gap as large as all of it.
    #[must_use]
    pub fn failed(origin: &str, error: &Error) -> Self {
        let error = error.to_string();
        let gap = Gap { span: Span::new(0, 0), reason: format!("nothing of it was scanned: {error}") };
        let dump = DumpReport {
            origin: origin.to_owned(),
            error: Some(error),
            format: "",
            containers: Vec::new(),
            coverage: Coverage { gaps: vec![gap], ..Coverage::default() },
            faults: Vec::new(),
            regions: 0,
            threads: 0,
            modules: 0,
            decision: None,
            places: Places::default(),
            sites: Default::default(),
        };
        Self { dump, findings: Vec::new() }
    }

    /// The same one, inside of `containers`, the innermost first.
    #[must_use]
    pub fn inside(mut self, containers: Vec<&'static str>) -> Self {
        self.dump.containers = containers;
        self
    }

    /// Why it could not be scanned, where it could not.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.dump.error.as_deref()
    }
}

impl Seen {
    fn new(finding: Finding, vault: &Vault, show_secrets: bool) -> Self {
        let secret = vault.get(finding.secret);
        let identity = secret.map(Secret::identity);
        Self { identity, secret: secret.filter(|_| show_secrets).cloned(), finding, standing: Standing::default() }
    }
}

/// Puts scans together, in the order in which they are added.
#[derive(Debug)]
pub struct Builder {
    policy: Policy,
    rules: Arc<Vec<Rule>>,
    dumps: Vec<DumpReport>,
    skipped: Vec<Skipped>,
    findings: Vec<ReportFinding>,
    by_identity: HashMap<Identity, usize>,
    fingerprints: Option<FingerprintKey>,
    baseline: Option<(BaselineUse, BTreeSet<String>)>,
    known: Vec<Answer>,
}

impl Builder {
    /// A report of nothing yet, on findings of `rules`.
    #[must_use]
    pub fn new(rules: Arc<Vec<Rule>>, policy: Policy) -> Self {
        let (dumps, skipped, findings, known) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (fingerprints, baseline) = (None, None);
        Self { policy, rules, dumps, skipped, findings, by_identity: HashMap::new(), fingerprints, baseline, known }
    }

    /// The same one, which answers for each thing that the user knows.
    #[must_use]
    pub fn with_known(self, known: &Known) -> Self {
        Self { known: known.0.iter().map(Answer::open).collect(), ..self }
    }

    /// The same one, which tells fingerprints where there is a key to make them with.
    #[must_use]
    pub fn with_fingerprints(self, key: Option<FingerprintKey>) -> Self {
        Self { fingerprints: key, ..self }
    }

    /// The same one, in which the secrets of these fingerprints do not count. The baseline's `file` is only told.
    #[must_use]
    pub fn with_baseline(self, file: &str, accepted: BTreeSet<String>) -> Self {
        let told = BaselineUse { file: file.to_owned(), entries: accepted.len(), unused: Vec::new() };
        Self { baseline: Some((told, accepted)), ..self }
    }

    /// Adds one scan.
    pub fn add(&mut self, scanned: Scanned) {
        let dump = self.dumps.len();
        self.dumps.push(scanned.dump);
        for (i, seen) in scanned.findings.into_iter().enumerate() {
            let Standing { first, labels, constant } = seen.standing;
            let held = Held { dump, sites: seen.finding.sites, first, labels, constant, finding: i };
            self.add_finding(held, seen);
        }
    }

    /// Adds what was left alone on purpose.
    pub fn skip(&mut self, skipped: Skipped) {
        self.skipped.push(skipped);
    }

    fn add_finding(&mut self, held: Held, seen: Seen) {
        let known = seen.identity.and_then(|identity| self.by_identity.get(&identity).copied());
        match known.and_then(|known| self.findings.get_mut(known)) {
            Some(known) => join(known, held, seen),
            None => {
                if let Some(identity) = seen.identity {
                    self.by_identity.insert(identity, self.findings.len());
                }
                let fingerprint =
                    seen.identity.zip(self.fingerprints.as_ref()).map(|(identity, key)| key.of(&identity));
                self.findings.push(ReportFinding { fingerprint, ..first_of(held, seen) });
            }
        }
    }

    /// The report, findings worst first, without a verdict yet.
    #[must_use]
    pub fn finish(self) -> Report {
        let Self { policy, rules, dumps, skipped, mut findings, fingerprints, baseline, by_identity, mut known } = self;
        let found = |answer: &Answer| by_identity.get(answer.identity()).and_then(|&index| findings.get(index));
        for answer in &mut known {
            if let Some(finding) = found(answer) {
                answer.found(finding);
            }
            answer.searched(&dumps);
        }
        let baseline = baseline.map(|(told, accepted)| accept(&mut findings, told, accepted));
        let all = findings.len();
        findings.retain(|finding| finding.evidence >= policy.min_evidence);
        let below_evidence = all - findings.len();
        sort(&mut findings, &dumps);
        for (i, finding) in findings.iter_mut().enumerate() {
            finding.number = i + 1;
            finding.counted = finding.severity >= policy.fail_on && !finding.accepted;
        }
        for answer in known.iter_mut().filter(|answer| answer.is_found()) {
            // A finding is known by its first place, which no other finding of its dump has with the same number.
            let same = |finding: &&ReportFinding| finding.held == answer.held;
            answer.finding = findings.iter().find(same).map(|finding| finding.number);
        }
        let tally = tally(&dumps, &findings, below_evidence);
        let (tool, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let (fingerprint_key, verdict) = (fingerprints.map(|key| key.id().to_owned()), Verdict::default());
        Report {
            tool,
            version,
            policy,
            fingerprint_key,
            rules,
            dumps,
            skipped,
            findings,
            baseline,
            gate: None,
            known,
            tally,
            verdict,
        }
    }
}

/// Marks what the baseline accepts, and tells what of it was of no use.
fn accept(findings: &mut [ReportFinding], told: BaselineUse, accepted: BTreeSet<String>) -> BaselineUse {
    let mut unused = accepted.clone();
    for finding in findings {
        let Some(fingerprint) = &finding.fingerprint else { continue };
        finding.accepted = accepted.contains(fingerprint);
        unused.remove(fingerprint);
    }
    BaselineUse { unused: unused.into_iter().collect(), ..told }
}

fn first_of(held: Held, seen: Seen) -> ReportFinding {
    let Finding { rule, severity, evidence, public, sites, .. } = seen.finding;
    let (held, secret) = (vec![held], seen.secret);
    ReportFinding {
        number: 0,
        rule,
        severity,
        evidence,
        counted: false,
        accepted: false,
        action: None,
        constant: seen.standing.constant,
        public,
        fingerprint: None,
        sites,
        held,
        secret,
    }
}

/// The same secret in one more dump. The best telling of it wins, whichever dump came first.
fn join(known: &mut ReportFinding, held: Held, seen: Seen) {
    let Finding { rule, severity, evidence, public, sites, .. } = seen.finding;
    let better = (severity, evidence).cmp(&(known.severity, known.evidence));
    if better.then(known.rule.cmp(&rule)).is_gt() {
        known.rule = rule;
    }
    known.constant &= seen.standing.constant;
    known.severity = known.severity.max(severity);
    known.evidence = known.evidence.max(evidence);
    known.sites = known.sites.saturating_add(sites);
    known.held.push(held);
    known.secret = known.secret.take().or(seen.secret);
    join_public(&mut known.public, public);
}

fn join_public(known: &mut PublicIdentity, other: PublicIdentity) {
    if known.kind.is_empty() {
        known.kind = other.kind;
    }
    known.spki_sha256 = known.spki_sha256.take().or(other.spki_sha256);
    known.ssh_fingerprint = known.ssh_fingerprint.take().or(other.ssh_fingerprint);
    join_sorted(&mut known.certificates, other.certificates);
    join_sorted(&mut known.context, other.context);
}

fn join_sorted<T: Ord>(known: &mut Vec<T>, other: Vec<T>) {
    known.extend(other);
    known.sort();
    known.dedup();
}

/// Worst first, and what a baseline accepts last: severity, whether it is more than a constant of a program, evidence, number of sites; then by place, so that
/// the order never depends on chance.
fn sort(findings: &mut [ReportFinding], dumps: &[DumpReport]) {
    let place = |finding: &ReportFinding| {
        let first = finding.held.first()?;
        Some((dumps.get(first.dump)?.origin.as_str(), first.first, first.finding))
    };
    findings.sort_by(|a, b| {
        let badness = |f: &ReportFinding| (!f.accepted, f.severity, !f.constant, f.evidence, f.sites);
        let worse = badness(b).cmp(&badness(a));
        worse.then_with(|| place(a).cmp(&place(b))).then(a.rule.cmp(&b.rule))
    });
}

fn tally(dumps: &[DumpReport], findings: &[ReportFinding], below_evidence: usize) -> Tally {
    let unreadable = dumps.iter().filter(|dump| dump.error.is_some()).count();
    Tally {
        scanned: dumps.len() - unreadable,
        unreadable,
        bytes: dumps.iter().map(|dump| dump.coverage.bytes).sum(),
        findings: findings.len(),
        counted: findings.iter().filter(|finding| finding.counted).count(),
        accepted: findings.iter().filter(|finding| finding.accepted).count(),
        below_evidence,
        sites: findings.iter().map(|finding| finding.sites).sum(),
        faults: dumps.iter().map(|dump| dump.faults.len()).sum(),
        gaps: dumps.iter().map(|dump| dump.gaps().len()).sum(),
    }
}
