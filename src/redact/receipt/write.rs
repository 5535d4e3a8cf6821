//! Writing a receipt: entry by entry, so that a plan of millions of edits is not held a second time.

use std::cell::RefCell;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use ed25519_dalek::SigningKey;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::detect::text;
use crate::dump::DumpMap;
use crate::error::{Error, Gap, Result};
use crate::finding::Rule;
use crate::inert::InertJson;
use crate::redact::plan::Options;
use crate::redact::prove::{Case, Check, Digests, Proof};
use crate::redact::receipt::entries::Entries;
use crate::redact::receipt::envelope::Envelope;
use crate::redact::receipt::keys::hex;
use crate::redact::receipt::lines::Lines;
use crate::redact::receipt::wire::{
    Asked, Checked, Covered, Digest, Member, NotScanned, Original, PREDICATE, Redaction, RuleSet, STATEMENT, Statement,
    Subject, Tool,
};
use crate::scan::{Coverage, Outcome};
use crate::vault::{FingerprintKey, PartKind, Secret};

/// What a receipt tells of one dump.
pub struct Facts<'a> {
    /// What it tells of every redaction.
    pub about: About<'a>,
    /// The redaction.
    pub case: &'a Case<'a>,
    /// What its proof came to.
    pub proof: &'a Proof,
    /// What both files are.
    pub digests: &'a Digests,
}

/// What a receipt tells of every redaction.
pub struct About<'a> {
    /// The rules that were looked for.
    pub rules: RuleSet,
    /// Name of the file as it was, without folders.
    pub original: String,
    /// Its length.
    pub len: u64,
    /// Name of the redacted file, without folders.
    pub output: String,
    /// When.
    pub time: SystemTime,
    /// Whether the user allowed that something was not scanned.
    pub allow_gaps: bool,
    /// Whether stack traces were to be compared.
    pub stacks: bool,
    /// What fingerprints are made with, where there shall be some.
    pub fingerprints: Option<&'a FingerprintKey>,
}

/// Writes the receipt: the plain statement, or an envelope where it is to be signed.
///
/// The plain statement is streamed. To be signed it is held in memory, about 250 bytes for each edit.
///
/// # Errors
/// [`Error::Usage`] where the time is none that can be written; [`Error::Write`].
pub fn write(facts: &Facts<'_>, key: Option<&SigningKey>, out: &mut dyn Write) -> Result<()> {
    let time = rfc3339(facts.about.time)?;
    seal(key, out, |out| write_statement(facts, time.clone(), out))
}

/// Writes what `work` writes, in an envelope where there is a key to sign it with.
fn seal(key: Option<&SigningKey>, out: &mut dyn Write, work: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let failed = |source| Error::Write { what: "the receipt".to_owned(), source };
    let mut out = BufWriter::new(out);
    let written = match key {
        None => work(&mut out),
        Some(key) => {
            let mut payload = Vec::new();
            work(&mut payload).and_then(|()| Envelope::sign(&payload, key).write(&mut out))
        }
    };
    written.and_then(|()| out.flush()).map_err(failed)
}

/// The rules of a scan, by number and digest: of every rule what it says of itself, and of text rules the whole definition
/// too: those of the program and those in `files`, which the user brought. What detectors in code look for is told by the program's version.
#[must_use]
pub fn rule_set(rules: &[Rule], files: &[String]) -> RuleSet {
    let mut sorted: Vec<String> = rules.iter().map(|rule| serde_json::to_string(rule).unwrap_or_default()).collect();
    sorted.sort();
    let mut digest = Sha256::new();
    let built_in = text::BUILT_IN.iter().map(|(_, content)| *content);
    // Each with its length, so that no two lists of texts are one.
    for text in sorted.iter().map(String::as_str).chain(built_in).chain(files.iter().map(String::as_str)) {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    RuleSet { count: rules.len(), sha256: hex(&digest.finalize()) }
}

/// This program.
#[must_use]
pub fn tool() -> Tool {
    Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// The last second of the year 9999, the last one that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;

fn rfc3339(time: SystemTime) -> Result<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    if since.as_secs() > LAST_SECOND {
        return Err(Error::Usage("the time is after the year 9999".to_owned()));
    }
    Ok(humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())).to_string())
}

fn write_statement(facts: &Facts<'_>, time: String, out: &mut dyn Write) -> io::Result<()> {
    let Case { map, outcome, plan, .. } = facts.case;
    let (entries, digest) = (Entries::new(map, outcome, plan), RefCell::new(Sha256::new()));
    let mut out = Hashed { out, digest: &digest };
    let format = InertJson(Lines::default());
    statement(facts, time, &entries, &digest)
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, format))?;
    writeln!(out)
}

/// What a receipt tells of a container.
pub struct Whole<'a> {
    /// What it tells of every receipt.
    pub about: About<'a>,
    /// The name of the outermost container's kind.
    pub container: &'static str,
    /// What it was and is.
    pub digests: &'a Digests,
    /// What counted.
    pub options: &'a Options,
    /// Checks of it as a whole.
    pub checks: &'a [Check],
    /// Its dumps.
    pub members: Vec<Inside<'a>>,
}

/// What a receipt of a container tells of one dump in it.
pub struct Inside<'a> {
    /// Its name.
    pub name: &'a str,
    /// The containers that it is in.
    pub containers: &'a [&'static str],
    /// The redaction.
    pub case: Case<'a>,
    /// What its proof came to.
    pub proof: &'a Proof,
    /// What it was and is.
    pub digests: &'a Digests,
}

/// Writes the receipt of a container, like [`write`].
///
/// # Errors
/// As there.
pub fn write_whole(whole: &Whole<'_>, key: Option<&SigningKey>, out: &mut dyn Write) -> Result<()> {
    let time = rfc3339(whole.about.time)?;
    seal(key, out, |out| {
        let digest = RefCell::new(Sha256::new());
        let entries: Vec<Entries<'_>> =
            whole.members.iter().map(|Inside { case, .. }| Entries::new(case.map, case.outcome, case.plan)).collect();
        let mut out = Hashed { out, digest: &digest };
        let format = InertJson(Lines::deep());
        whole_statement(whole, time.clone(), &entries, &digest)
            .serialize(&mut serde_json::Serializer::with_formatter(&mut out, format))?;
        writeln!(out)
    })
}

fn whole_statement<'a>(
    whole: &'a Whole<'a>,
    time: String,
    entries: &'a [Entries<'a>],
    digest: &'a RefCell<Sha256>,
) -> impl Serialize + 'a {
    let Whole { about, digests, options, members, .. } = whole;
    let is_told = members.iter().all(|member| member.case.plan.is_empty())
        || members.iter().any(|member| has_long_secret(&member.case));
    let original = Original {
        name: about.original.clone(),
        format: whole.container.to_owned(),
        bytes: about.len,
        sha256: is_told.then(|| hex(&digests.before)),
        sha256_withheld: (!is_told).then(|| WITHHELD.to_owned()),
    };
    let predicate = Redaction::<Vec<()>, Vec<()>, Vec<()>, _, _> {
        tool: tool(),
        time,
        rules: about.rules.clone(),
        options: asked(about, options),
        original,
        coverage: covered_by_all(members),
        word: hex(&[0; 4]),
        fingerprint_key: about.fingerprints.map(|key| key.id().to_owned()),
        checks: whole.checks.iter().map(checked).collect(),
        stacks: None,
        left: Vec::new(),
        findings: Vec::new(),
        edits: Vec::new(),
        members: Some(members.iter().zip(entries).map(|(member, e)| inside(member, about, e)).collect::<Vec<_>>()),
        checksum: Checksum(digest),
    };
    let subject = Subject { name: about.output.clone(), digest: Digest { sha256: hex(&digests.after) } };
    Statement { kind: STATEMENT.to_owned(), subject: vec![subject], predicate_type: PREDICATE.to_owned(), predicate }
}

fn inside<'a>(
    member: &'a Inside<'a>,
    about: &'a About<'a>,
    entries: &'a Entries<'a>,
) -> Member<LeftOf<'a>, FindingsOf<'a>, EditsOf<'a>> {
    let Inside { name, containers, case, proof, digests } = member;
    Member {
        name: (*name).to_owned(),
        containers: containers.iter().map(|&name| name.to_owned()).collect(),
        digest: Digest { sha256: hex(&digests.after) },
        original: original(case, digests, (*name).to_owned()),
        coverage: covered(case.map, case.outcome),
        word: hex(&case.plan.word()),
        checks: proof.checks.iter().map(checked).collect(),
        stacks: proof.stacks,
        left: LeftOf(entries),
        findings: FindingsOf(case.options, about.fingerprints, entries),
        edits: EditsOf(entries),
    }
}

/// What was scanned of all dumps together. Gaps are told with the dump that they are of.
fn covered_by_all(members: &[Inside<'_>]) -> Covered {
    let sum = |field: fn(&Coverage) -> u64| members.iter().map(|member| field(&member.case.outcome.coverage)).sum();
    Covered {
        bytes: sum(|coverage| coverage.bytes),
        scanned: sum(|coverage| coverage.scanned),
        constant: sum(|coverage| coverage.constant),
        seams: sum(|coverage| coverage.seams),
        gaps: Vec::new(),
    }
}

fn statement<'a>(
    facts: &'a Facts<'a>,
    time: String,
    entries: &'a Entries<'a>,
    digest: &'a RefCell<Sha256>,
) -> impl Serialize + 'a {
    let Facts { about, case, proof, digests } = facts;
    let Case { map, outcome, plan, options, .. } = case;
    let predicate = Redaction::<_, _, _, _, Vec<()>> {
        tool: tool(),
        time,
        rules: about.rules.clone(),
        options: asked(about, options),
        original: original(case, digests, about.original.clone()),
        coverage: covered(map, outcome),
        word: hex(&plan.word()),
        fingerprint_key: about.fingerprints.map(|key| key.id().to_owned()),
        checks: proof.checks.iter().map(checked).collect(),
        stacks: proof.stacks,
        left: LeftOf(entries),
        findings: FindingsOf(options, about.fingerprints, entries),
        edits: EditsOf(entries),
        members: None,
        checksum: Checksum(digest),
    };
    let subject = Subject { name: about.output.clone(), digest: Digest { sha256: hex(&digests.after) } };
    Statement { kind: STATEMENT.to_owned(), subject: vec![subject], predicate_type: PREDICATE.to_owned(), predicate }
}

fn asked(about: &About<'_>, options: &Options) -> Asked {
    Asked {
        fill: options.fill,
        fail_on: options.fail_on,
        min_evidence: options.min_evidence,
        leave_frozen: options.leave_frozen,
        allow_gaps: about.allow_gaps,
        stacks: about.stacks,
    }
}

fn original(case: &Case<'_>, digests: &Digests, name: String) -> Original {
    let Case { map, written, .. } = case;
    let told = tells_original(case);
    Original {
        name,
        format: map.format.to_owned(),
        bytes: written.bytes,
        sha256: told.then(|| hex(&digests.before)),
        sha256_withheld: (!told).then(|| WITHHELD.to_owned()),
    }
}

/// Why the SHA-256 of an original is not told.
const WITHHELD: &str = "everything that was redacted is short: whoever has the redacted dump could try guesses against \
                        the SHA-256 of the original";

/// Whether the digest of the original gives nothing away. With the redacted dump at hand it is a test for guesses of all
/// that was redacted at once, so that one secret too long to be guessed is enough.
fn tells_original(case: &Case<'_>) -> bool {
    !case.outcome.findings.iter().any(|finding| case.options.counts(finding)) || has_long_secret(case)
}

/// What came to light in a later round holds filler, which is no secret, so it is not asked.
fn has_long_secret(case: &Case<'_>) -> bool {
    let first = case.outcome.later.first().copied().unwrap_or(usize::MAX);
    let redacted = case.outcome.findings.iter().take(first).filter(|finding| case.options.counts(finding));
    redacted.filter_map(|finding| case.outcome.vault.get(finding.secret)).any(is_beyond_guessing)
}

fn is_beyond_guessing(secret: &Secret) -> bool {
    secret.parts().iter().any(|part| match part.kind {
        // People choose texts, so that a byte of them is worth much less than 8 bits.
        PartKind::Text => part.bytes.len() >= 32,
        PartKind::Bytes | PartKind::Number => part.bytes.len() >= 16,
    })
}

/// What was scanned of a dump, and what was not.
pub(crate) fn covered(map: &DumpMap, outcome: &Outcome) -> Covered {
    let coverage = &outcome.coverage;
    let mut gaps: Vec<&Gap> = coverage.gaps.iter().chain(&map.gaps).collect();
    gaps.sort();
    gaps.dedup();
    let told = |gap: &&Gap| NotScanned { offset: gap.span.from(), length: gap.span.len, reason: gap.reason.clone() };
    Covered {
        bytes: coverage.bytes,
        scanned: coverage.scanned,
        constant: coverage.constant,
        seams: coverage.seams,
        gaps: gaps.iter().map(told).collect(),
    }
}

fn checked(check: &Check) -> Checked {
    Checked { name: check.name.to_owned(), verdict: check.verdict, detail: check.detail.clone() }
}

struct LeftOf<'a>(&'a Entries<'a>);

impl Serialize for LeftOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.left())
    }
}

struct FindingsOf<'a>(&'a Options, Option<&'a FingerprintKey>, &'a Entries<'a>);

impl Serialize for FindingsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Self(options, fingerprints, entries) = self;
        serializer.collect_seq(entries.findings(|finding| options.counts(finding), *fingerprints))
    }
}

struct EditsOf<'a>(&'a Entries<'a>);

impl Serialize for EditsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.edits())
    }
}

/// The digest of what was written before it.
struct Checksum<'a>(&'a RefCell<Sha256>);

impl Serialize for Checksum<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        // What is written from here on is digested too, so the digest must not stay borrowed.
        let so_far = self.0.borrow().clone();
        serializer.serialize_str(&hex(&so_far.finalize()))
    }
}

/// Digests what goes through it.
struct Hashed<'a> {
    out: &'a mut dyn Write,
    digest: &'a RefCell<Sha256>,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.borrow_mut().update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
