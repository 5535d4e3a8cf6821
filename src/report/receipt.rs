//! A receipt for people: the page for somebody who must sign off, and the answer for somebody in a debugger.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;

use crate::finding::Severity;
use crate::redact::Verdict;
use crate::redact::fill::Mark;
use crate::redact::receipt::Receipt;
use crate::redact::receipt::wire::{Checked, Fate, Overwritten, Redaction, Secret};
use crate::report::redaction::print_check;
use crate::report::units::{Bytes, Count, count};
use crate::report::{Detail, Inert, Short, words};

const BOLD: Style = Style::new().bold();

/// Findings that are listed one by one when all are not asked for; kinds are always counted.
const LISTED: usize = 10;

/// Shows a receipt on one page. `signed_by` are the keys that its envelope names.
///
/// # Errors
/// When `out` cannot be written.
pub fn show(receipt: &Receipt, signed_by: &[&str], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let told = receipt.told();
    head(receipt, signed_by, out)?;
    if told.members.is_none() {
        secrets(told, detail, out)?;
        stays(told, detail, out)?;
    }
    checks(told, out)?;
    for (member, receipt) in receipt.members() {
        let (told, containers) = (receipt.told(), member.containers.join(" in "));
        let name = if member.name.is_empty() { "its content" } else { &member.name };
        writeln!(out, "\n{BOLD}Member{BOLD:#} {}", Inert(name))?;
        writeln!(out, "  {}, {} in {}", told.original.format, Bytes(told.original.bytes), Inert(&containers))?;
        writeln!(out, "  SHA-256 now {}", Inert(receipt.after()))?;
        secrets(told, detail, out)?;
        stays(told, detail, out)?;
        checks(told, out)?;
    }
    writeln!(out)?;
    writeln!(out, "This page shows what the receipt says. Whether it is so is what dumpscrub verify checks.")
}

fn head(receipt: &Receipt, signed_by: &[&str], out: &mut dyn Write) -> io::Result<()> {
    let told = receipt.told();
    let name = receipt.statement().subject.first().map_or("", |subject| &subject.name);
    let original = &told.original;
    writeln!(out, "{BOLD}Receipt of a redaction{BOLD:#}")?;
    let mut line = |name: &str, value: String| writeln!(out, "  {name:<16} {}", Inert(&value));
    line("redacted dump", name.to_owned())?;
    line("its SHA-256", receipt.after().to_owned())?;
    line("made from", format!("{}, {}, {}", original.name, original.format, Bytes(original.bytes)))?;
    let withheld = original.sha256_withheld.as_deref().unwrap_or("not told");
    line("its SHA-256", original.sha256.clone().unwrap_or_else(|| format!("withheld: {withheld}")))?;
    line("when", told.time.clone())?;
    line("by", format!("{} {}", told.tool.name, told.tool.version))?;
    line("rules", format!("{}, SHA-256 {}", told.rules.count, told.rules.sha256))?;
    line("redacted was", asked(told))?;
    match signed_by {
        [] => line("signed by", "nobody".to_owned()),
        keys => line("signed by", format!("key {} (not checked here)", keys.join(", "))),
    }
}

fn asked(told: &Redaction) -> String {
    let options = &told.options;
    let (severity, evidence) = (words::name(options.fail_on), words::name(options.min_evidence));
    format!("severity {severity} and above, evidence {evidence} and better; filled with {}", words::name(options.fill))
}

fn secrets(told: &Redaction, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let bytes: u64 = told.edits.iter().map(|edit| edit.length).sum();
    let redacted: Vec<&Secret> = told.findings.iter().filter(|finding| finding.fate != Fate::NotCounted).collect();
    writeln!(out, "\n{BOLD}Redacted{BOLD:#}")?;
    let (secrets, edits) = (count(redacted.len(), "secret"), count(told.edits.len(), "place"));
    writeln!(out, "  {secrets}, {} in {edits}", Bytes(bytes))?;
    let mut kinds: BTreeMap<(std::cmp::Reverse<Severity>, &str), usize> = BTreeMap::new();
    for finding in &redacted {
        *kinds.entry((std::cmp::Reverse(finding.severity), finding.title.as_str())).or_default() += 1;
    }
    for ((severity, title), number) in kinds {
        writeln!(out, "  {number:>6}  {} ({})", Inert(title), words::name(severity.0))?;
    }
    let most = if detail == Detail::Verbose { usize::MAX } else { LISTED };
    let named = redacted.iter().filter(|finding| is_named(finding));
    named.clone().take(most).try_for_each(|finding| writeln!(out, "  {}", secret(finding)))?;
    match named.count().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "  and {} with a name (use -v to list all)", count(more, "more secret")),
    }
}

/// Whether there is more to say of a finding than its kind.
fn is_named(finding: &Secret) -> bool {
    finding.public.spki_sha256.is_some() || finding.fingerprint.is_some()
}

fn secret(finding: &Secret) -> String {
    let mut words = format!("finding {}: {}", finding.number, Inert(&finding.title));
    if !finding.public.kind.is_empty() {
        words = format!("{words}, {}", Short(&finding.public.kind));
    }
    if let Some(spki) = &finding.public.spki_sha256 {
        words = format!("{words}, public key {}", Short(spki));
    }
    if let Some(fingerprint) = &finding.fingerprint {
        words = format!("{words}, {}", Short(fingerprint));
    }
    words
}

fn stays(told: &Redaction, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{BOLD}Left as it was{BOLD:#}")?;
    let others = told.findings.iter().filter(|finding| finding.fate == Fate::NotCounted);
    let number = others.clone().count();
    if number > 0 {
        writeln!(out, "  {} below what was to be redacted:", count(number, "finding"))?;
        let most = if detail == Detail::Verbose { usize::MAX } else { LISTED };
        for finding in others.take(most) {
            let (severity, evidence) = (words::name(finding.severity), words::name(finding.evidence));
            writeln!(out, "    finding {}: {} ({severity}, {evidence})", finding.number, Inert(&finding.title))?;
        }
    }
    for left in &told.left {
        let (at, label) = (left.offset, Inert(&left.label));
        write!(out, "  {} of finding {} at offset {at:#x}, in {label}: ", Count(left.length, "byte"), left.finding)?;
        writeln!(out, "never edited, and the user allowed it")?;
    }
    for gap in &told.coverage.gaps {
        let (from, reason) = (gap.offset, Inert(&gap.reason));
        writeln!(out, "  {} at offset {from:#x} not scanned: {reason}", Count(gap.length, "byte"))?;
    }
    if number == 0 && told.left.is_empty() && told.coverage.gaps.is_empty() {
        writeln!(out, "  nothing that was found")?;
    }
    let coverage = &told.coverage;
    writeln!(out, "  {} of {} scanned", Bytes(coverage.scanned), Bytes(coverage.bytes))
}

fn checks(told: &Redaction, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{BOLD}Proven{BOLD:#}")?;
    let (shown, others): (Vec<&Checked>, Vec<&Checked>) =
        told.checks.iter().partition(|check| check.verdict != Verdict::NotShown);
    let print = |check: &&Checked, out: &mut dyn Write| print_check(&check.name, check.verdict, &check.detail, out);
    shown.iter().try_for_each(|check| print(check, out))?;
    if !others.is_empty() {
        writeln!(out, "\n{BOLD}Not shown{BOLD:#}")?;
        others.iter().try_for_each(|check| print(check, out))?;
    }
    match told.stacks {
        Some(stacks) if stacks.not_shown > 0 => {
            let (none, all) = (stacks.not_shown, count(stacks.threads, "thread"));
            writeln!(out, "  of {all}, {none} have fewer than two frames, which shows nothing")
        }
        _ => Ok(()),
    }
}

/// Tells what stands at a place: an address, or an offset of the file.
///
/// # Errors
/// When `out` cannot be written.
pub fn explain(
    receipt: &Receipt,
    place: u64,
    is_offset: bool,
    edits: &[&Overwritten],
    out: &mut dyn Write,
) -> io::Result<()> {
    let what = if is_offset { "offset" } else { "address" };
    if edits.is_empty() {
        writeln!(out, "{what} {place:#x}: original; no byte that redaction changed stands there")?;
        return Ok(());
    }
    edits.iter().try_for_each(|edit| {
        let start = if is_offset { edit.offset } else { edit.address.map_or(0, |address| address.0) };
        writeln!(out, "{what} {place:#x}: redacted; this is byte {} of {}", place - start, edit.length)?;
        explain_edit(receipt, edit, out)
    })
}

fn explain_edit(receipt: &Receipt, edit: &Overwritten, out: &mut dyn Write) -> io::Result<()> {
    let finding = receipt.finding(edit.finding);
    let title = finding.map_or("", |finding| &finding.title);
    let kind = finding.map_or("", |finding| &finding.public.kind);
    let comma = if kind.is_empty() { "" } else { ", " };
    let at = edit.address.map_or(String::new(), |address| format!(", address {:#x}", address.0));
    writeln!(
        out,
        "  secret  finding {}: {}{comma}{} ({})",
        edit.finding,
        Inert(title),
        Short(kind),
        Inert(&edit.rule)
    )?;
    writeln!(out, "  length  {} at offset {:#x}{at}", Count(edit.length, "byte"), edit.offset)?;
    writeln!(out, "  form    {}", words::form(edit.form))?;
    writeln!(out, "  fill    {}", fill(receipt, edit))
}

fn fill(receipt: &Receipt, edit: &Overwritten) -> String {
    match edit.mark {
        Mark::Letters => "letters X".to_owned(),
        Mark::Word => format!("the constant, bytes {} again and again", receipt.told().word),
        Mark::Zero => "zeros".to_owned(),
        Mark::Label => "the rule's name again and again".to_owned(),
    }
}
