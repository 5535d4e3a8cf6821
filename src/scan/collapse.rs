//! From what was seen at single places to findings: one for each secret, with all its sites.
//!
//! The same key as PEM and as DER is one secret; a fragment that lies inside a proven key is no secret of its own; a token
//! that was also seen cut short at a region's edge is told once, in its longer form.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use memchr::memmem;

use crate::detect::Hits;
use crate::error::{Gap, Result};
use crate::fill;
use crate::finding::{Evidence, Finding, Piece, PublicIdentity, Rule, RuleId, Severity, Site};
use crate::hunt::{Clue, Clues};
use crate::known::{self, KnownSecret, Thing};
use crate::limits::Limits;
use crate::scan::propagate::Codes;
use crate::scan::sites::{ByFinding, CutSpan, Placed, SiteLog, Sites};
use crate::span::Span;
use crate::vault::{Part, Secret, SecretId, Vault};
use crate::window::Window;

/// Bytes in a row that a fragment must share with a key to be of it.
const FRAGMENT_RUN: usize = 24;

/// One secret in one window, with its places told in file spans: what windows hand over.
#[derive(Debug)]
pub struct Sighting {
    rule: RuleId,
    severity: Option<Severity>,
    evidence: Evidence,
    public: PublicIdentity,
    secret: Secret,
    sites: Vec<Site>,
}

/// What one window came to.
#[derive(Debug, Default)]
pub struct Seen {
    /// Secrets.
    pub sightings: Vec<Sighting>,
    /// What later passes may use.
    pub clues: Vec<Clue>,
}

/// Rules by their id.
#[derive(Clone, Debug)]
pub struct RuleIndex {
    rules: Arc<Vec<Rule>>,
    by_id: BTreeMap<String, RuleId>,
}

impl RuleIndex {
    /// An index of `rules`.
    #[must_use]
    pub fn new(rules: Arc<Vec<Rule>>) -> Self {
        let by_id = rules.iter().enumerate().rev().map(|(i, rule)| (rule.id.clone(), RuleId(i))).collect();
        Self { rules, by_id }
    }

    /// The rules themselves.
    #[must_use]
    pub fn rules(&self) -> &Arc<Vec<Rule>> {
        &self.rules
    }

    /// Tells the hits of a window in file spans. A stitched window tells only what crosses a seam.
    #[must_use]
    pub fn seen(&self, hits: Hits, window: &Window<'_>) -> Seen {
        let mut sightings: Vec<Sighting> = Vec::new();
        let mut known = BTreeMap::new();
        let near = hits.hits.into_iter().map(|hit| {
            let spans = window.spans(hit.range.clone());
            (!window.is_stitched() || spans.len() > 1, hit, spans)
        });
        // What a pointer leads to is told by whoever sees the pointer; told twice, it is one site all the same.
        let far = hits.far.into_iter().map(|far| (true, far.hit, far.spans));
        for (crosses, hit, spans) in near.chain(far) {
            let Some(&rule) = self.by_id.get(&hit.rule).filter(|_| crosses && !spans.is_empty()) else { continue };
            // What redaction left in the place of a secret is no secret.
            if hit.secret.parts().iter().any(|part| fill::is_redacted(part.bytes.expose())) {
                continue;
            }
            let site = Site { spans, form: hit.form };
            // The same secret thousands of times in one window must not be kept thousands of times.
            let key = (hit.secret.identity(), rule, hit.evidence, hit.severity);
            let next = sightings.len();
            match sightings.get_mut(*known.entry(key).or_insert(next)) {
                Some(sighting) => sighting.add(hit.public, site),
                None => {
                    let crate::detect::Hit { severity, evidence, public, secret, .. } = hit;
                    sightings.push(Sighting { rule, severity, evidence, public, secret, sites: vec![site] });
                }
            }
        }
        Seen { sightings, clues: hits.clues }
    }

    fn severity(&self, rule: RuleId) -> Severity {
        self.rules.get(rule.0).map_or(Severity::High, |rule| rule.severity)
    }

    fn is_general(&self, rule: RuleId) -> bool {
        self.rules.get(rule.0).is_some_and(|rule| rule.general)
    }
}

impl Sighting {
    fn add(&mut self, public: PublicIdentity, site: Site) {
        self.public.add_context(public.context);
        self.sites.push(site);
    }

    fn is_harmless(&self) -> bool {
        self.severity == Some(Severity::Info)
    }

    fn first(&self) -> u64 {
        self.sites.iter().map(Site::offset).min().unwrap_or(0)
    }
}

/// Collects sightings, in file order, into findings.
#[derive(Debug)]
pub struct Collector {
    rules: RuleIndex,
    vault: Vault,
    drafts: Vec<Draft>,
    by_secret: BTreeMap<SecretId, usize>,
    log: SiteLog<Placed>,
    limits: Limits,
    /// Fragments that turned out to be of a known key: the fragment's index and the key's.
    adopted: BTreeMap<u32, u32>,
    /// Sightings whose secret the vault had no room for.
    dropped: u64,
}

#[derive(Debug)]
struct Draft {
    finding: Finding,
    first: u64,
    alive: bool,
    /// Whether some place tells that this very secret counts for nothing. It need not be the first place that is seen.
    harmless: bool,
    /// Whether the user asks for it: then it is told even where a better finding explains its places.
    known: bool,
    /// Whether no place has told yet what it is.
    unnamed: bool,
    /// Whether only rules that are for any secret have told of it.
    general: bool,
}

impl Collector {
    /// An empty collector.
    #[must_use]
    pub fn new(rules: RuleIndex, limits: Limits) -> Self {
        let (vault, log) = (Vault::new(&limits), SiteLog::new(limits.sites_in_memory));
        Self {
            rules,
            vault,
            drafts: Vec::new(),
            by_secret: BTreeMap::new(),
            log,
            limits,
            adopted: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// Adds what a window saw.
    ///
    /// # Errors
    /// When sites cannot be spilled.
    pub fn add(&mut self, seen: Vec<Sighting>) -> Result<()> {
        seen.into_iter().try_for_each(|sighting| self.add_one(sighting))
    }

    fn add_one(&mut self, sighting: Sighting) -> Result<()> {
        let Some(secret) = self.vault.insert(&sighting.secret) else {
            self.dropped += sighting.sites.len() as u64;
            return Ok(());
        };
        let severity = sighting.severity.unwrap_or_else(|| self.rules.severity(sighting.rule));
        let general = self.rules.is_general(sighting.rule);
        let next = self.drafts.len();
        let index = *self.by_secret.entry(secret).or_insert(next);
        if let Some(draft) = self.drafts.get_mut(index) {
            draft.add(&sighting, severity, general);
        } else {
            let Sighting { rule, evidence, public, .. } = &sighting;
            let mut public = public.clone();
            public.add_context(Vec::new());
            let finding = Finding { rule: *rule, severity, evidence: *evidence, public, secret, sites: 0 };
            self.drafts.push(Draft {
                finding,
                first: sighting.first(),
                alive: false,
                harmless: sighting.is_harmless(),
                known: false,
                unnamed: false,
                general,
            });
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        sighting.sites.into_iter().try_for_each(|site| self.log.push(Placed::new(index, site)))
    }

    /// Puts in a secret that the user knows, of which no place was seen yet.
    pub fn know(&mut self, (asked, thing): (&KnownSecret, &Thing)) {
        let (Some(secret), Some(&rule)) = (self.vault.insert(&asked.secret), self.rules.by_id.get(&asked.rule)) else {
            self.dropped += 1;
            return;
        };
        let severity = asked.severity.unwrap_or_else(|| self.rules.severity(rule));
        let harmless = asked.severity == Some(Severity::Info);
        let public = PublicIdentity { context: Vec::new(), ..thing.public.clone() };
        let finding = Finding { rule, severity, evidence: asked.evidence, public, secret, sites: 0 };
        let unnamed = asked.rule == known::RULE;
        let draft = Draft { finding, first: u64::MAX, alive: false, harmless, known: true, unnamed, general: false };
        if let Entry::Vacant(free) = self.by_secret.entry(secret) {
            free.insert(self.drafts.len());
            self.drafts.push(draft);
        }
    }

    /// Drops sites that lie in another site of the same finding, and tells which findings have a site of their own, and not
    /// only sites that better findings explain.
    ///
    /// # Errors
    /// When spilled sites cannot be read.
    pub fn sweep(&mut self) -> Result<()> {
        self.adopt();
        let log = std::mem::replace(&mut self.log, SiteLog::new(self.limits.sites_in_memory));
        let mut kept = SiteLog::new(self.limits.sites_in_memory);
        let mut sweep = Sweep::new(log.cut_spans(), &self.adopted);
        self.drafts.iter_mut().for_each(|draft| draft.alive = false);
        log.in_order(|mut site| {
            site.finding = self.adopted.get(&site.finding).copied().unwrap_or(site.finding);
            let verdict = sweep.judge(&site, &self.drafts);
            if let Some(draft) = self.drafts.get_mut(site.finding as usize) {
                draft.alive |= verdict == Verdict::Own || draft.known && verdict == Verdict::Explained;
                draft.first = if draft.known { draft.first.min(site.offset) } else { draft.first };
            }
            if verdict == Verdict::Double { Ok(()) } else { kept.push(site) }
        })?;
        self.log = kept;
        Ok(())
    }

    /// Gives fragments that hold a run of bytes of a proven key to that key: a text cut short somewhere else is no secret of
    /// its own.
    fn adopt(&mut self) {
        let proven: Vec<(u32, &Part)> =
            self.drafts_with(Evidence::Proven).flat_map(|(i, s)| s.parts().iter().map(move |p| (i, p))).collect();
        let whole: Vec<(u32, &Part)> = proven.into_iter().filter(|(_, part)| part.piece == Piece::Whole).collect();
        let of_key = |fragment: &Secret| {
            let runs = fragment.parts().iter().flat_map(|part| part.bytes.expose().chunks_exact(FRAGMENT_RUN));
            let mut owners =
                runs.filter_map(|run| whole.iter().find(|(_, w)| memmem::find(w.bytes.expose(), run).is_some()));
            owners.next().map(|(owner, _)| *owner)
        };
        let matched = self.drafts_with(Evidence::Matched).filter(|(i, _)| self.is_fragment(*i));
        let adopted: Vec<(u32, u32)> = matched.filter_map(|(i, secret)| Some((i, of_key(secret)?))).collect();
        self.adopted.extend(adopted);
    }

    fn drafts_with(&self, evidence: Evidence) -> impl Iterator<Item = (u32, &Secret)> {
        let drafts = (0_u32..).zip(&self.drafts).filter(move |(_, draft)| draft.finding.evidence == evidence);
        drafts.filter_map(|(i, draft)| Some((i, self.vault.get(draft.finding.secret)?)))
    }

    fn is_fragment(&self, draft: u32) -> bool {
        let rule = self.drafts.get(draft as usize).and_then(|d| self.rules.rules().get(d.finding.rule.0));
        rule.is_some_and(|rule| rule.id.ends_with("-fragment"))
    }

    /// Lets `search` have the secrets, each with a number, and takes the sites that it tells with these numbers.
    ///
    /// Also those that a better finding explains where they were seen: a region that lies about its end can make a token
    /// look longer than it is, and that must not hide the token's other copies. Where those stand for themselves, the
    /// finding does too. What it gives back is kept with the secrets.
    ///
    /// # Errors
    /// When sites cannot be spilled, and what `search` returns.
    pub fn search(
        &mut self,
        search: impl FnOnce(
            &mut dyn Iterator<Item = (usize, &Secret)>,
            &mut dyn FnMut(usize, Site) -> Result<()>,
        ) -> Result<Codes>,
    ) -> Result<()> {
        let Self { drafts, vault, adopted, log, .. } = self;
        let own = |i: &usize| u32::try_from(*i).is_ok_and(|i| !adopted.contains_key(&i));
        let own_drafts = drafts.iter().enumerate().filter(|(i, _)| own(i));
        let mut secrets = own_drafts.filter_map(|(i, draft)| Some((i, vault.get(draft.finding.secret)?)));
        let mut tell = |finding, site| log.push(Placed::new(u32::try_from(finding).unwrap_or(u32::MAX), site));
        for (i, code) in search(&mut secrets, &mut tell)? {
            if let Some(draft) = drafts.get(i) {
                vault.add_code(draft.finding.secret, code);
            }
        }
        Ok(())
    }

    /// The findings, worst first, with their sites and the certificates of their keys.
    ///
    /// # Errors
    /// When sites cannot be spilled or read back.
    pub fn finish(mut self, clues: &Clues, gaps: &mut Vec<Gap>, len: u64) -> Result<(Vec<Finding>, Sites, Vault)> {
        self.sweep()?;
        if self.dropped > 0 {
            let reason = format!(
                "there are more different secrets than the budget of {} holds; {} places are not listed",
                self.limits.secrets, self.dropped
            );
            gaps.push(Gap { span: Span::new(0, len), reason });
        }
        let order = self.order();
        let mut log = SiteLog::<ByFinding>::new(self.limits.sites_in_memory);
        let mut counts = vec![0_u64; self.drafts.len()];
        self.log.in_order(|mut site| {
            let Some(&Some(index)) = order.get(site.finding as usize) else { return Ok(()) };
            site.finding = index;
            if let Some(count) = counts.get_mut(index as usize) {
                *count += 1;
            }
            log.push(site)
        })?;
        let mut findings: Vec<(u32, Finding)> =
            order.iter().zip(self.drafts).filter_map(|(i, d)| Some(((*i)?, d.finding))).collect();
        findings.sort_by_key(|(i, _)| *i);
        let mut findings: Vec<Finding> = findings.into_iter().map(|(_, finding)| finding).collect();
        for (finding, count) in findings.iter_mut().zip(counts) {
            finding.sites = count;
            name_certificates(&mut finding.public, clues);
        }
        let sites = Sites::grouped(log, findings.len(), self.limits.sites_in_memory)?;
        Ok((findings, sites, self.vault))
    }

    /// For each draft its place among the findings, worst first.
    fn order(&self) -> Vec<Option<u32>> {
        let mut alive: Vec<usize> =
            (0..self.drafts.len()).filter(|&i| self.drafts.get(i).is_some_and(|d| d.alive)).collect();
        let key = |&i: &usize| {
            self.drafts
                .get(i)
                .map(|d| (std::cmp::Reverse((d.finding.severity, d.finding.evidence)), d.first, d.finding.rule, i))
        };
        alive.sort_by_key(key);
        let mut order = vec![None; self.drafts.len()];
        for (place, i) in alive.into_iter().enumerate() {
            if let Some(slot) = order.get_mut(i) {
                *slot = u32::try_from(place).ok();
            }
        }
        order
    }
}

impl Draft {
    /// Takes in another sighting of the same secret. The best rule names it, whatever came first; one that is for any secret
    /// only where no other does, and then it does not say how bad it is either.
    fn add(&mut self, sighting: &Sighting, severity: Severity, general: bool) {
        let finding = &mut self.finding;
        let unnamed = std::mem::take(&mut self.unnamed);
        let was_general = self.general;
        self.general = general && (was_general || unnamed);
        let (knows_more, knows_less) = (was_general && !general, general && !was_general && !unnamed);
        let better = (sighting.evidence, severity, std::cmp::Reverse(sighting.rule));
        let is_better = better > (finding.evidence, finding.severity, std::cmp::Reverse(finding.rule));
        finding.evidence = finding.evidence.max(sighting.evidence);
        if unnamed || knows_more || is_better && !knows_less {
            finding.rule = sighting.rule;
            finding.public.kind.clone_from(&sighting.public.kind);
            finding.public.spki_sha256.clone_from(&sighting.public.spki_sha256);
            finding.public.ssh_fingerprint.clone_from(&sighting.public.ssh_fingerprint);
        }
        self.harmless |= sighting.is_harmless();
        finding.severity = match (knows_more, knows_less) {
            _ if self.harmless => Severity::Info,
            (true, _) => severity,
            (_, true) => finding.severity,
            _ => finding.severity.max(severity),
        };
        finding.public.add_context(sighting.public.context.clone());
        self.first = self.first.min(sighting.first());
    }
}

fn name_certificates(public: &mut PublicIdentity, clues: &Clues) {
    let spki = public.spki_sha256.as_deref().and_then(digest_of_hex);
    public.certificates = spki.map(|spki| clues.certificates_of(&spki)).unwrap_or_default();
}

fn digest_of_hex(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (i, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// What a site is, seen among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It lies in another site of the same finding.
    Double,
    /// It lies in a site of a better finding.
    Explained,
    /// It stands for itself.
    Own,
}

/// Walks sites in order of place and knows which of the earlier ones are still open.
#[derive(Debug)]
struct Sweep {
    open: Vec<(Span, u32)>,
    /// Pieces of sites that a seam cuts, by start; they may lie anywhere.
    cut: Vec<CutSpan>,
    /// Sites that a seam cuts, by the end of their first span, which is the seam.
    at_seam: BTreeMap<u64, Vec<Placed>>,
}

impl Sweep {
    fn new(mut cut: Vec<CutSpan>, adopted: &BTreeMap<u32, u32>) -> Self {
        cut.iter_mut().for_each(|cut| cut.finding = adopted.get(&cut.finding).copied().unwrap_or(cut.finding));
        cut.sort_unstable();
        Self { open: Vec::new(), cut, at_seam: BTreeMap::new() }
    }

    fn judge(&mut self, site: &Placed, drafts: &[Draft]) -> Verdict {
        if let Some(spans) = &site.cut {
            return self.judge_cut(site, spans, drafts);
        }
        let span = Span::new(site.offset, site.len.0);
        self.open.retain(|(open, _)| open.end() > span.from());
        let before = self.cut.partition_point(|cut| cut.span.from() < span.end());
        let mut cut = self.cut.iter().take(before).rev().take(64);
        if site.form.is_fragment() && cut.clone().any(|cut| cut.finding == site.finding && cut.is_seen_as(&span)) {
            return Verdict::Double;
        }
        let cut = cut.by_ref().map(|cut| (&cut.span, cut.site_len, cut.finding));
        let open = self.open.iter().map(|(open, by)| (open, open.len, *by));
        let around = open.chain(cut).filter(|(outer, ..)| outer.covers(&span));
        let verdict = worst(around.map(|(_, outer, by)| explained(site, span.len, outer, by, drafts)));
        if verdict != Verdict::Double {
            self.open.push((span, site.finding));
        }
        verdict
    }

    /// A site that a seam cuts lies in another one only if that is cut by the same seam; it then begins no later and was
    /// told before.
    fn judge_cut(&mut self, site: &Placed, spans: &[Span], drafts: &[Draft]) -> Verdict {
        let seam = spans.first().map_or(0, Span::end);
        let others = self.at_seam.entry(seam).or_default();
        let covers = |other: &&Placed| {
            let outer = other.cut.as_deref().unwrap_or_default();
            spans.iter().all(|span| outer.iter().any(|o| o.covers(span)))
        };
        let around = others.iter().filter(covers);
        let verdict = worst(around.map(|o| explained(site, site.len.0, o.len.0, o.finding, drafts)));
        if verdict != Verdict::Double {
            others.push(site.clone());
        }
        verdict
    }
}

/// The verdict that counts where several others lie around a site.
fn worst(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.min_by_key(|v| *v as u8).unwrap_or(Verdict::Own)
}

/// What a site of `len` bytes is that lies in one of `outer` bytes of the finding `by`.
fn explained(site: &Placed, len: u64, outer: u64, by: u32, drafts: &[Draft]) -> Verdict {
    if by == site.finding {
        return Verdict::Double;
    }
    let of = |i: u32| drafts.get(i as usize).map(|draft| (draft.finding.evidence, draft.finding.rule));
    match (of(site.finding), of(by)) {
        (Some((inner, _)), Some((better, _))) if better > inner => Verdict::Explained,
        (Some(inner), Some(same)) if inner == same && outer > len => Verdict::Explained,
        _ => Verdict::Own,
    }
}
