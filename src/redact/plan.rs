//! The plan: what will be overwritten, with what, and why; complete before the first byte is written.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::dump::places::Places;
use crate::dump::{DumpMap, Label};
use crate::error::{Error, Result};
use crate::fill::der_values;
use crate::finding::{Encoding, Evidence, Finding, Form, Layout, Severity, Site};
use crate::image::Image;
use crate::redact::fill::{self, Fill, Ink, Mark, Width};
use crate::redact::frozen;
use crate::scan::Outcome;
use crate::span::Span;
use crate::vault::PartKind;

/// What to redact, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How secrets are filled.
    pub fill: Fill,
    /// Findings of this severity and above are redacted.
    pub fail_on: Severity,
    /// Findings with this evidence and better are redacted.
    pub min_evidence: Evidence,
    /// Whether a secret in frozen bytes may stay there, told in the receipt, instead of being a refusal.
    pub leave_frozen: bool,
    /// Edits that a plan may have; it is kept in memory.
    pub most_edits: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fill: Fill::Mask,
            fail_on: Severity::Low,
            min_evidence: Evidence::Matched,
            leave_frozen: false,
            most_edits: 4_000_000,
        }
    }
}

impl Options {
    /// Whether a finding is to be redacted: the same question as whether it counts for an exit code, but for the state of a random
    /// generator, which goes too unless only graver findings are asked for.
    #[must_use]
    pub fn counts(&self, finding: &Finding) -> bool {
        let is_asked_for = finding.severity >= self.fail_on
            || self.fail_on <= Severity::Low && finding.severity == Severity::Info && finding.is_of_a_generator();
        is_asked_for && finding.evidence >= self.min_evidence
    }
}

/// Bytes that will be overwritten. The length cannot change: an edit holds no bytes, only what to paint over those there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Where.
    pub span: Span,
    /// The cause: the index of a finding of the scan.
    pub finding: u32,
    /// How the site that it is a part of holds the secret.
    pub form: Form,
    /// What is painted.
    pub ink: Ink,
    /// How many bytes of the pattern come before the edit's first byte.
    pub phase: u64,
}

/// Bytes of a secret that stay, because they are frozen and the user allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where.
    pub span: Span,
    /// The index of the finding.
    pub finding: u32,
    /// Whose bytes they are.
    pub label: Label,
}

/// Why there can be no plan: a secret lies in bytes that are never edited.
pub type Refusal = Left;

/// What will be done to one dump.
#[derive(Debug, Default)]
pub struct Plan {
    edits: Vec<Edit>,
    refusals: Vec<Refusal>,
    left: Vec<Left>,
    word: [u8; 4],
    /// For each finding of the scan, what a label repeats.
    labels: Vec<Vec<u8>>,
    len: u64,
}

impl Plan {
    /// A plan that was carried out, as its receipt tells of it. `edits` are sorted, disjoint and end before `len`.
    #[must_use]
    pub(crate) fn rebuilt(edits: Vec<Edit>, left: Vec<Left>, word: [u8; 4], labels: Vec<Vec<u8>>, len: u64) -> Self {
        Self { edits, refusals: Vec::new(), left, word, labels, len }
    }

    /// The four bytes of the constant, in the order of the file.
    #[must_use]
    pub fn word(&self) -> [u8; 4] {
        self.word
    }

    /// The edits, sorted and disjoint.
    #[must_use]
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// Secrets in frozen bytes; where there are any, nothing may be written.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Secrets in frozen bytes that the user allows to stay.
    #[must_use]
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// Bytes that will be overwritten.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.edits.iter().map(|edit| edit.span.len).sum()
    }

    /// Length of the image that the plan is for, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing will be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The same plan with other edits, sorted and made disjoint: for who wants to see what a proof says to a wrong plan.
    #[must_use]
    pub fn with_edits(&self, edits: Vec<Edit>) -> Self {
        let (refusals, left, labels) = (self.refusals.clone(), self.left.clone(), self.labels.clone());
        Self { edits: disjoint(edits), refusals, left, word: self.word, labels, len: self.len }
    }

    /// The edits that touch `span`, in order.
    pub fn edits_in(&self, span: Span) -> impl Iterator<Item = &Edit> {
        let first = self.edits.partition_point(|edit| edit.span.end() <= span.from());
        self.edits.iter().skip(first).take_while(move |edit| edit.span.from() < span.end())
    }

    /// Calls `see` for those of `bytes`, which stand at `at` in the image, that will be overwritten.
    pub fn covered(&self, at: u64, bytes: &[u8], mut see: impl FnMut(&[u8])) {
        let here = Span::new(at, bytes.len() as u64);
        let parts = self.edits_in(here).filter_map(|edit| edit.span.intersection(&here)?.slice_at(at));
        parts.filter_map(|range| bytes.get(range)).for_each(&mut see);
    }

    /// Paints the plan over `bytes`, which stand at `at` in the image.
    pub fn paint(&self, at: u64, bytes: &mut [u8]) {
        let here = Span::new(at, bytes.len() as u64);
        for edit in self.edits_in(here) {
            let Some(part) = edit.span.intersection(&here) else { continue };
            let Some(bytes) = part.slice_at(at).and_then(|range| bytes.get_mut(range)) else { continue };
            let label = self.labels.get(edit.finding as usize).map_or(&[][..], Vec::as_slice);
            edit.ink.paint(bytes, edit.phase + (part.from() - edit.span.from()), self.word, label);
        }
    }
}

/// Plans the redaction of everything in `outcome` that counts.
///
/// # Errors
/// When sites cannot be read back, or when there are more of them than the plan may hold: then nothing is redacted rather
/// than less.
pub fn plan(image: &Image, map: &DumpMap, outcome: &Outcome, options: &Options) -> Result<Plan> {
    plan_sparing(image, map, outcome, options, &BTreeSet::new())
}

/// The same, but leaves in place the findings with these indices, as [`Left`], because a policy only reports them. Where
/// their bytes are also those of a finding that is not spared, they are redacted.
///
/// # Errors
/// As [`plan`].
pub fn plan_sparing(
    image: &Image,
    map: &DumpMap,
    outcome: &Outcome,
    options: &Options,
    spared: &BTreeSet<usize>,
) -> Result<Plan> {
    let word = fill::word_for(map).unwrap_or_default();
    let labels = outcome.findings.iter().map(|f| fill::label(outcome.rules.get(f.rule.0).map_or("", |r| &r.id)));
    let labels = labels.collect();
    let wanted = edits(image, map, outcome, options, &|index| !spared.contains(&index))?;
    let stay = edits(image, map, outcome, options, &|index| spared.contains(&index))?;
    let (edits, frozen) = frozen::cut_out(wanted, map);
    let (mut left, refusals) = if options.leave_frozen { (frozen, Vec::new()) } else { (Vec::new(), frozen) };
    left.extend(frozen::left_of(stay, &edits, map));
    Ok(Plan { edits, refusals, left, word, labels, len: image.len() })
}

/// Disjoint edits of the findings that count and are `wanted`.
fn edits(
    image: &Image,
    map: &DumpMap,
    outcome: &Outcome,
    options: &Options,
    wanted: &dyn Fn(usize) -> bool,
) -> Result<Vec<Edit>> {
    let mut draft = Draft { image, outcome, options, places: Places::new(map), edits: Vec::new() };
    let counted = outcome.findings.iter().enumerate().filter(|(index, f)| options.counts(f) && wanted(*index));
    for (index, finding) in counted {
        let cause = u32::try_from(index).map_err(|_| Error::Internal("numbering findings"))?;
        outcome.sites.of(index).try_for_each(|site| draft.add(cause, finding, &site?))?;
    }
    Ok(disjoint(draft.edits))
}

struct Draft<'a> {
    image: &'a Image,
    outcome: &'a Outcome,
    options: &'a Options,
    places: Places<'a>,
    edits: Vec<Edit>,
}

impl Draft<'_> {
    fn add(&mut self, cause: u32, finding: &Finding, site: &Site) -> Result<()> {
        if self.edits.len() >= self.options.most_edits {
            let reason = format!(
                "there are more than {} places to redact; nothing was written, because a part is not enough",
                self.options.most_edits
            );
            return Err(Error::Refused(reason));
        }
        let ink = self.ink(finding, site)?;
        let mut before = 0;
        for part in self.parts(site, ink)? {
            match part {
                Part::Edit(span) => {
                    let phase = if ink.mark == Mark::Word { self.address_or_offset(span) } else { before };
                    self.edits.push(Edit { span, finding: cause, form: site.form, ink, phase });
                    before += span.len;
                }
                Part::Stays(len) => before += len,
            }
        }
        Ok(())
    }

    fn ink(&self, finding: &Finding, site: &Site) -> Result<Ink> {
        let width = self.width(site)?;
        let textual = self.is_textual(finding, site);
        let mark = match self.options.fill {
            Fill::Mask if textual => Mark::Letters,
            Fill::Mask | Fill::Constant => Mark::Word,
            Fill::Zero => Mark::Zero,
            // A label would be read by nobody there, and be something else to whoever decodes it.
            Fill::Label if is_encoded(site.form.encoding) => Mark::Letters,
            Fill::Label => Mark::Label,
        };
        let in_lines = matches!(site.form.layout, Layout::Pem | Layout::PemFragment | Layout::OpenSsh | Layout::Putty);
        let keeps_lines = mark == Mark::Letters && (in_lines || site.form.encoding == Encoding::Base64);
        Ok(Ink { mark, width: if textual { width } else { Width::Narrow }, keeps_lines })
    }

    /// Whether a site holds text: what it is written in says so, or, where it is bare, what the secret is.
    fn is_textual(&self, finding: &Finding, site: &Site) -> bool {
        let Form { layout, encoding, piece } = site.form;
        let written = match encoding {
            Encoding::Utf16Le | Encoding::Utf16Be | Encoding::Hex | Encoding::Base64 => true,
            Encoding::Utf32Le | Encoding::Decimal | Encoding::Percent | Encoding::Escaped => true,
            Encoding::Plain => false,
            Encoding::LittleEndian | Encoding::Words32 | Encoding::Swapped32 => return false,
            Encoding::Limbs64 | Encoding::Limbs32 | Encoding::HmacInner | Encoding::HmacOuter => return false,
            Encoding::Digits28 | Encoding::Digits30 | Encoding::Digits60 => return false,
            Encoding::SmallIntegers26 | Encoding::SmallIntegers28 | Encoding::Huffman | Encoding::Gzip => return false,
        };
        let wrapped = matches!(
            layout,
            Layout::Pem | Layout::PemFragment | Layout::Putty | Layout::Text | Layout::KeyXml | Layout::Jwk
        );
        let parts = self.outcome.vault.get(finding.secret).map_or(&[][..], |secret| secret.parts());
        let of_piece = parts.iter().find(|part| part.piece == piece).or(parts.first());
        written || wrapped || layout == Layout::Bare && of_piece.is_some_and(|part| part.kind == PartKind::Text)
    }

    /// UTF-16 by its form; text of another encoding may stand in UTF-16 too, and then every other byte is zero.
    fn width(&self, site: &Site) -> Result<Width> {
        match site.form.encoding {
            Encoding::Utf16Le => Ok(Width::WideLe),
            Encoding::Utf16Be => Ok(Width::WideBe),
            Encoding::Utf32Le => Ok(Width::Wide32Le),
            Encoding::Hex | Encoding::Base64 | Encoding::Percent | Encoding::Escaped => self.width_of_bytes(site),
            _ => Ok(Width::Narrow),
        }
    }

    fn width_of_bytes(&self, site: &Site) -> Result<Width> {
        let head = site.spans.first().copied().unwrap_or(Span::new(0, 0));
        let bytes = self.image.bytes(head.from(), usize::try_from(head.len.min(16)).unwrap_or(16))?;
        let zeros = |phase: usize| bytes.len() > 2 && bytes.iter().skip(phase).step_by(2).all(|&b| b == 0);
        Ok(if zeros(1) {
            Width::WideLe
        } else if zeros(0) {
            Width::WideBe
        } else {
            Width::Narrow
        })
    }

    /// The parts of a site in order. A DER structure keeps its tags and lengths, so that it can still be read as one.
    fn parts(&self, site: &Site, ink: Ink) -> Result<Vec<Part>> {
        let whole = || site.spans.iter().copied().map(Part::Edit).collect();
        let is_der = matches!(site.form.layout, Layout::Pkcs1 | Layout::Pkcs8 | Layout::Sec1 | Layout::Pkcs12)
            && site.form.encoding == Encoding::Plain
            && ink.mark == Mark::Word
            && self.options.fill == Fill::Mask;
        let [span] = site.spans.as_slice() else { return Ok(whole()) };
        if !is_der || span.len > LONGEST_DER {
            return Ok(whole());
        }
        let der = self.image.bytes(span.from(), usize::try_from(span.len).unwrap_or(usize::MAX))?;
        let Some(values) = der_values(&der) else { return Ok(whole()) };
        let (mut parts, mut at) = (Vec::new(), 0);
        for value in values {
            parts.push(Part::Stays((value.start - at) as u64));
            parts.push(Part::Edit(Span::new(span.from() + value.start as u64, value.len() as u64)));
            at = value.end;
        }
        Ok(parts)
    }

    fn address_or_offset(&self, span: Span) -> u64 {
        self.places.address_of(span.start).map_or(span.from(), |address| address.0)
    }
}

/// A longer structure is overwritten whole.
const LONGEST_DER: u64 = 1 << 20;

/// A part of a site.
enum Part {
    /// It goes.
    Edit(Span),
    /// So many bytes stay.
    Stays(u64),
}

/// Whether text that is written so is decoded before anybody reads it.
fn is_encoded(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Hex | Encoding::Base64 | Encoding::Decimal | Encoding::Percent | Encoding::Escaped)
}

/// Sorts edits and cuts away what an earlier or longer one covers already.
fn disjoint(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by_key(|edit| (edit.span.from(), Reverse(edit.span.len), edit.finding, edit.form));
    let mut end = 0_u64;
    edits.retain_mut(|edit| {
        let cut = end.saturating_sub(edit.span.from());
        if cut >= edit.span.len {
            return false;
        }
        edit.span = Span::between(edit.span.from() + cut, edit.span.end());
        edit.phase += cut;
        end = edit.span.end();
        true
    });
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(from: u64, len: u64, finding: u32) -> Edit {
        let form = Form::whole(Layout::Text, Encoding::Plain);
        let ink = Ink { mark: Mark::Letters, width: Width::Narrow, keeps_lines: false };
        Edit { span: Span::new(from, len), finding, form, ink, phase: 0 }
    }

    #[test]
    fn edits_become_disjoint_and_lose_no_byte() {
        let all = vec![edit(10, 10, 1), edit(0, 12, 0), edit(3, 2, 2), edit(30, 1, 3), edit(18, 4, 4)];
        let cut: Vec<(u64, u64, u32, u64)> =
            disjoint(all).iter().map(|e| (e.span.from(), e.span.end(), e.finding, e.phase)).collect();
        assert_eq!(cut, [(0, 12, 0, 0), (12, 20, 1, 2), (20, 22, 4, 2), (30, 31, 3, 0)]);
    }

    #[test]
    fn the_state_of_a_generator_goes_too_unless_graver_findings_are_asked_for() {
        use crate::finding::{PublicIdentity, RuleId};
        use crate::vault::{Secret, Vault};

        let secret =
            Vault::new(&crate::limits::Limits::default()).insert(&Secret::text(b"a-secret-of-a-test")).unwrap();
        let finding = |context: &str, severity| {
            let public = PublicIdentity { context: vec![context.to_owned()], ..PublicIdentity::default() };
            Finding { rule: RuleId(0), severity, evidence: Evidence::Proven, public, secret, sites: 1 }
        };
        let counts =
            |fail_on, context, severity| Options { fail_on, ..Options::default() }.counts(&finding(context, severity));
        let (state, public) = ("state of OpenSSL's random generator", "public knowledge: a key that only counts");
        assert!(counts(Severity::Low, state, Severity::Info) && !counts(Severity::High, state, Severity::Info));
        assert!(!counts(Severity::Low, public, Severity::Info) && counts(Severity::Info, public, Severity::Info));
        assert!(counts(Severity::Low, public, Severity::Low));
    }

    #[test]
    fn painting_in_pieces_is_painting_at_once() {
        let plan = Plan { edits: vec![edit(2, 5, 0), edit(9, 3, 0)], ..Plan::default() };
        let mut whole = *b"0123456789abcdef";
        plan.paint(0, &mut whole);
        assert_eq!(&whole, b"01XXXXX78XXXcdef");
        for cut in 0..16 {
            let mut halves = *b"0123456789abcdef";
            let (head, tail) = halves.split_at_mut(cut);
            plan.paint(0, head);
            plan.paint(cut as u64, tail);
            assert_eq!(halves, whole);
        }
    }
}
