//! Reading a receipt: the plain statement or the envelope, and whether what it says fits together.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use crate::dump::Label;
use crate::error::{Error, Gap, Result};
use crate::redact::fill::{self, Ink};
use crate::redact::plan::{Edit, Left, Options, Plan};
use crate::redact::prove::Verdict;
use crate::redact::receipt::envelope::{Envelope, PAYLOAD_TYPE, Signed};
use crate::redact::receipt::keys::hex;
use crate::redact::receipt::wire::{
    Member, NotScanned, Overwritten, PREDICATE, Redaction, STATEMENT, Secret, Statement, Subject,
};
use crate::span::Span;

/// Something, or what is wrong with it.
type Sound<T> = std::result::Result<T, String>;

/// A receipt file: the statement's bytes, not yet understood, and who signed them.
#[derive(Debug)]
pub struct Sealed {
    /// The statement.
    pub payload: Vec<u8>,
    /// The envelope's signatures; `None` where there is no envelope.
    pub signatures: Option<Vec<Signed>>,
}

/// A receipt that was understood, and that fits together.
#[derive(Clone, Debug)]
pub struct Receipt(Statement);

/// Reads a receipt file. It is held in memory.
///
/// # Errors
/// [`Error::Open`] where it cannot be read, [`Error::Receipt`] where it is neither statement nor envelope.
pub fn open(path: &Path) -> Result<Sealed> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(Error::NotAFile { path: path.to_owned(), found: "no regular file" });
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Sealed::of(bytes).map_err(|reason| Error::Receipt { path: path.display().to_string(), reason })
}

/// Enough of a file to tell what it is.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "payloadType")]
    envelope: Option<IgnoredAny>,
    #[serde(rename = "_type")]
    statement: Option<IgnoredAny>,
}

impl Sealed {
    /// What `bytes` are.
    ///
    /// # Errors
    /// Why they are no receipt.
    pub fn of(bytes: Vec<u8>) -> Sound<Self> {
        let shape: Shape = serde_json::from_slice(&bytes).map_err(|error| format!("it is not well-formed: {error}"))?;
        match shape {
            Shape { envelope: Some(_), .. } => Self::of_envelope(&bytes),
            Shape { statement: Some(_), .. } => Ok(Self { payload: bytes, signatures: None }),
            _ => Err("it is neither an in-toto statement nor a DSSE envelope".to_owned()),
        }
    }

    fn of_envelope(bytes: &[u8]) -> Sound<Self> {
        let envelope: Envelope =
            serde_json::from_slice(bytes).map_err(|e| format!("the envelope is not whole: {e}"))?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(format!("the envelope holds {}, not {PAYLOAD_TYPE}", envelope.payload_type));
        }
        if envelope.signatures.is_empty() {
            return Err("the envelope has no signature".to_owned());
        }
        Ok(Self { payload: envelope.payload()?, signatures: Some(envelope.signatures) })
    }

    /// The receipt.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn receipt(&self) -> Sound<Receipt> {
        let outline: Statement<IgnoredAny> = parse(&self.payload)?;
        check_types(&outline.kind, &outline.predicate_type)?;
        let receipt = Receipt(parse(&self.payload)?);
        check_sum(&self.payload, &receipt.told().checksum)?;
        receipt.check()?;
        Ok(receipt)
    }
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Sound<T> {
    serde_json::from_slice(payload).map_err(|error| format!("the statement is not whole: {error}"))
}

fn check_types(kind: &str, predicate: &str) -> Sound<()> {
    if kind != STATEMENT {
        return Err(format!("it is of type {kind}, not {STATEMENT}"));
    }
    let family = |kind: &str| kind.rsplit_once('/').map(|(family, version)| (family.to_owned(), version.to_owned()));
    match (family(predicate), family(PREDICATE)) {
        _ if predicate == PREDICATE => Ok(()),
        (Some((theirs, version)), Some((ours, known))) if theirs == ours => {
            Err(format!("it is of version {version}, and this program knows version {known}"))
        }
        _ => Err(format!("it says {predicate}, which is no redaction by this program")),
    }
}

/// The checksum is the last field, and covers all that stands before its value.
fn check_sum(payload: &[u8], told: &str) -> Sound<()> {
    const NAME: &[u8] = b"\"checksum\"";
    let at = payload.windows(NAME.len()).rposition(|bytes| bytes == NAME).unwrap_or(payload.len());
    let (before, field) = payload.split_at_checked(at + NAME.len()).unwrap_or((payload, &[]));
    let value = field.iter().position(|&b| b == b'"').unwrap_or(field.len());
    let digest = Sha256::new().chain_update(before).chain_update(field.get(..value).unwrap_or_default()).finalize();
    if hex(&digest) == told { Ok(()) } else { Err("it was changed: its checksum is another".to_owned()) }
}

impl Receipt {
    /// The statement.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.0
    }

    /// What is said of the redaction.
    #[must_use]
    pub fn told(&self) -> &Redaction {
        &self.0.predicate
    }

    /// SHA-256 of the redacted dump in hexadecimal.
    #[must_use]
    pub fn after(&self) -> &str {
        self.0.subject.first().map_or("", |subject| &subject.digest.sha256)
    }

    /// The finding with this number.
    #[must_use]
    pub fn finding(&self, number: usize) -> Option<&Secret> {
        self.told().findings.get(number.checked_sub(1)?)
    }

    /// The edit that covers the byte at `offset`.
    #[must_use]
    pub fn at_offset(&self, offset: u64) -> Option<&Overwritten> {
        let edits = &self.told().edits;
        let next = edits.partition_point(|edit| edit.offset <= offset);
        edits.get(next.checked_sub(1)?).filter(|edit| offset - edit.offset < edit.length)
    }

    /// Every edit that covers `address`: more than one where the dump holds the same memory twice.
    pub fn at_address(&self, address: u64) -> impl Iterator<Item = &Overwritten> {
        let covers = move |edit: &&Overwritten| {
            let into = edit.address.and_then(|start| address.checked_sub(start.0));
            into.is_some_and(|into| into < edit.length)
        };
        self.told().edits.iter().filter(covers)
    }

    /// The receipts of the dumps in a container, each as if it had come alone, with its name and its containers.
    pub fn members(&self) -> impl Iterator<Item = (&Member, Self)> {
        self.told().members.iter().flatten().map(|member| (member, self.of_member(member)))
    }

    fn of_member(&self, member: &Member) -> Self {
        let told = self.told();
        let predicate = Redaction {
            original: member.original.clone(),
            coverage: member.coverage.clone(),
            word: member.word.clone(),
            checks: member.checks.clone(),
            stacks: member.stacks,
            left: member.left.clone(),
            findings: member.findings.clone(),
            edits: member.edits.clone(),
            members: None,
            tool: told.tool.clone(),
            time: told.time.clone(),
            rules: told.rules.clone(),
            options: told.options.clone(),
            fingerprint_key: told.fingerprint_key.clone(),
            checksum: told.checksum.clone(),
        };
        let subject = vec![Subject { name: member.name.clone(), digest: member.digest.clone() }];
        let (kind, predicate_type) = (self.0.kind.clone(), self.0.predicate_type.clone());
        Self(Statement { kind, subject, predicate_type, predicate })
    }

    /// What counted for the redaction.
    #[must_use]
    pub fn options(&self) -> Options {
        let asked = &self.told().options;
        Options {
            fill: asked.fill,
            fail_on: asked.fail_on,
            min_evidence: asked.min_evidence,
            leave_frozen: asked.leave_frozen,
            ..Options::default()
        }
    }

    /// What was not scanned of the original, if that was allowed.
    #[must_use]
    pub fn allowed_gaps(&self) -> Vec<Gap> {
        let (told, allowed) = (self.told(), self.told().options.allow_gaps);
        let gap = |gap: &NotScanned| Gap { span: Span::new(gap.offset, gap.length), reason: gap.reason.clone() };
        told.coverage.gaps.iter().filter(|_| allowed).map(gap).collect()
    }

    /// The plan that was carried out.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let told = self.told();
        let edits = told.edits.iter().map(|edit| Edit {
            span: Span::new(edit.offset, edit.length),
            finding: index(edit.finding),
            form: edit.form,
            ink: Ink { mark: edit.mark, width: edit.width, keeps_lines: edit.keeps_lines },
            phase: edit.phase,
        });
        let left = told.left.iter().map(|left| Left {
            span: Span::new(left.offset, left.length),
            finding: index(left.finding),
            label: Label::Unknown,
        });
        let labels = told.findings.iter().map(|finding| fill::label(&finding.rule)).collect();
        Plan::rebuilt(
            edits.collect(),
            left.collect(),
            word(&told.word).unwrap_or_default(),
            labels,
            told.original.bytes,
        )
    }

    /// Whether what it says fits together: all that is asked of it later may rely on this.
    fn check(&self) -> Sound<()> {
        let told = self.told();
        if self.0.subject.len() != 1 || !is_digest(self.after()) {
            return Err("it does not name one file with its SHA-256".to_owned());
        }
        if told.original.sha256.as_deref().is_some_and(|digest| !is_digest(digest)) || word(&told.word).is_none() {
            return Err("the SHA-256 of the original or the constant is not hexadecimal".to_owned());
        }
        if humantime::parse_rfc3339(&told.time).is_err() {
            return Err(format!("{} is no time", told.time));
        }
        if let Some(check) = told.checks.iter().find(|check| check.verdict == Verdict::Fails) {
            return Err(format!("it tells of a proof that failed: {}", check.name));
        }
        if told.members.is_some() && !(told.edits.is_empty() && told.findings.is_empty() && told.left.is_empty()) {
            return Err("it tells of a container and of edits outside of its members".to_owned());
        }
        self.check_findings()?;
        self.check_edits()?;
        let wrong = |(member, receipt): (&Member, Self)| {
            receipt.check().map_err(|reason| format!("member {}: {reason}", member.name))
        };
        self.members().try_for_each(wrong)
    }

    fn check_findings(&self) -> Sound<()> {
        let told = self.told();
        if !told.findings.iter().map(|finding| finding.number).eq(1..=told.findings.len()) {
            return Err("its findings are not numbered from 1 on".to_owned());
        }
        let lost = told.left.iter().find(|left| self.finding(left.finding).is_none());
        match lost {
            Some(left) => Err(format!("finding {} of what was left is not there", left.finding)),
            None => Ok(()),
        }
    }

    fn check_edits(&self) -> Sound<()> {
        let (mut end, len) = (0, self.told().original.bytes);
        for edit in &self.told().edits {
            let at = edit.offset;
            if self.finding(edit.finding).is_none_or(|finding| finding.rule != edit.rule) {
                return Err(format!("the edit at {at:#x} is of a finding that is not there"));
            }
            let after = edit.offset.checked_add(edit.length).filter(|&after| after <= len && edit.length > 0);
            let Some(after) = after.filter(|_| edit.offset >= end) else {
                return Err(format!("the edit at {at:#x} overlaps another or lies outside of the dump"));
            };
            end = after;
        }
        Ok(())
    }
}

/// Numbers count from 1.
fn index(number: usize) -> u32 {
    u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn word(text: &str) -> Option<[u8; 4]> {
    let value = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8)?;
    Some(value.to_be_bytes())
}
