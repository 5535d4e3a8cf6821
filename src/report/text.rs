//! The report for people: findings worst first, then the dumps, then what to do, then what it comes to.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::finding::{PublicIdentity, Severity};
use crate::report::units::{Bytes, Count, Grouped, count};
use crate::report::{
    Answer, BaselineUse, Detail, DumpReport, Held, Inert, PlacedSite, Printer, Report, ReportFinding, Short, Skipped,
    wire, words,
};
use crate::vault::{Part, PartKind};

/// Text, with colours that the stream behind takes out where nobody sees them.
pub struct Text;

/// Sites of one finding that are listed unless all are asked for.
const SITES: usize = 10;
/// Faults of one dump that are listed unless all are asked for.
const FAULTS: usize = 5;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WARN: Style = AnsiColor::Yellow.on_default();

impl Printer for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn about(&self) -> &'static str {
        "for people"
    }

    fn print(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        // What a baseline accepts is counted in the result; all of it is told where all is asked for.
        let listed = |finding: &&ReportFinding| detail == Detail::Verbose || !finding.accepted;
        report.findings.iter().filter(listed).try_for_each(|finding| print_finding(report, finding, detail, out))?;
        print_known(&report.known, out)?;
        if detail != Detail::Quiet {
            print_dumps(report, detail, out)?;
            print_remedies(report, out)?;
        }
        print_result(report, out)
    }
}

fn print_finding(report: &Report, finding: &ReportFinding, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let rule = report.rule(finding);
    let title = rule.map_or("", |rule| &rule.title);
    let (severity, style) = (words::name(finding.severity).to_uppercase(), style_of(finding.severity));
    write!(out, "{BOLD}{}.{BOLD:#} {style}{severity}{style:#} {BOLD}{}{BOLD:#}", finding.number, Inert(title))?;
    if !finding.public.kind.is_empty() {
        write!(out, ", {}", Short(&finding.public.kind))?;
    }
    writeln!(out, " ({})", words::name(finding.evidence))?;
    print_public(&finding.public, out)?;
    if let Some(fingerprint) = &finding.fingerprint {
        writeln!(out, "   fingerprint  {fingerprint}")?;
    }
    for part in finding.secret.iter().flat_map(|secret| secret.parts()) {
        writeln!(out, "   {WARN}secret{WARN:#}       {}", secret_words(part))?;
    }
    print_standing(finding, out)?;
    if rule.is_some_and(|rule| !rule.profile.is_default()) {
        writeln!(out, "   {DIM}of the profile paranoid: only the words around it tell of it{DIM:#}")?;
    }
    if finding.constant {
        writeln!(
            out,
            "   {DIM}all of it lies in memory of modules that cannot be written: a constant of a program{DIM:#}"
        )?;
    }
    print_sites(report, finding, detail, out)?;
    writeln!(out)
}

/// Whether it counts, and who says so.
fn print_standing(finding: &ReportFinding, out: &mut dyn Write) -> io::Result<()> {
    match (finding.action, finding.counted) {
        _ if finding.accepted => writeln!(out, "   {DIM}not counted: the baseline accepts it{DIM:#}"),
        (Some(action), _) => writeln!(out, "   policy       {}", words::name(action)),
        (None, false) => writeln!(out, "   {DIM}not counted: its severity is below what --fail-on asks for{DIM:#}"),
        (None, true) => Ok(()),
    }
}

fn print_public(public: &PublicIdentity, out: &mut dyn Write) -> io::Result<()> {
    if let Some(spki) = &public.spki_sha256 {
        writeln!(out, "   public key   SPKI SHA-256 {}", Short(spki))?;
    }
    if let Some(fingerprint) = &public.ssh_fingerprint {
        writeln!(out, "   SSH key      {}", Short(fingerprint))?;
    }
    for certificate in &public.certificates {
        let (subject, serial) = (Short(&certificate.subject), Short(&certificate.serial));
        writeln!(out, "   certificate  {subject}, serial number {serial}")?;
    }
    public.context.iter().try_for_each(|context| writeln!(out, "   context      {}", Short(context)))
}

/// The one place where people are shown a secret; there is a part to show only where `--show-secrets` was given.
fn secret_words(part: &Part) -> String {
    let bytes = part.bytes.expose();
    match std::str::from_utf8(bytes) {
        Ok(text) if part.kind == PartKind::Text => Inert(text).to_string(),
        _ => format!("{} = {}", words::name(part.piece), wire::hex(bytes)),
    }
}

fn print_sites(report: &Report, finding: &ReportFinding, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let dumps = count(finding.held.len(), "dump");
    writeln!(out, "   {} in {dumps}:", Count(finding.sites, "site"))?;
    let mut left = if detail == Detail::Verbose { usize::MAX } else { SITES };
    for held in &finding.held {
        if left == 0 {
            break;
        }
        left -= print_sites_in(report, held, left, out)?;
    }
    let shown = if detail == Detail::Verbose { finding.sites } else { SITES as u64 };
    match finding.sites.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "     {DIM}… and {} more (use -v or --format json){DIM:#}", Grouped(more)),
    }
}

/// Prints at most `most` sites and says how many it were.
fn print_sites_in(report: &Report, held: &Held, most: usize, out: &mut dyn Write) -> io::Result<usize> {
    let origin = report.dump(held).map_or("", |dump| &dump.origin);
    writeln!(out, "     {BOLD}{}{BOLD:#}", Inert(origin))?;
    let mut shown = 0;
    for site in report.sites_in(held).take(most) {
        print_site(&site.map_err(io::Error::other)?, out)?;
        shown += 1;
    }
    Ok(shown)
}

fn print_site(placed: &PlacedSite<'_>, out: &mut dyn Write) -> io::Result<()> {
    let PlacedSite { site, spot, .. } = placed;
    write!(out, "       {:#012x}  {}, {}", site.offset(), Count(site.len(), "byte"), Short(spot.label))?;
    if let Some(address) = spot.address {
        write!(out, ", address {address}")?;
    }
    if let Some((module, offset)) = spot.module {
        write!(out, " ({}+{offset:#x})", Short(module))?;
    }
    write!(out, ", {}", words::form(site.form))?;
    if site.spans.len() > 1 {
        write!(out, ", in {} pieces:", site.spans.len())?;
        site.spans.iter().try_for_each(|span| write!(out, " {}+{}", span.start, span.len))?;
    }
    writeln!(out)
}

/// The answer to a question is never left out, however quiet the report is to be.
fn print_known(known: &[Answer], out: &mut dyn Write) -> io::Result<()> {
    if known.is_empty() {
        return Ok(());
    }
    writeln!(out, "{BOLD}Known{BOLD:#}")?;
    for answer in known {
        let style = if answer.is_found() { style_of(Severity::Critical) } else { Style::new() };
        writeln!(out, "   {}\n     {style}{}{style:#}", answer.thing(), answer.words())?;
    }
    writeln!(out)
}

fn print_dumps(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}Dumps{BOLD:#}")?;
    report.dumps.iter().try_for_each(|dump| print_dump(dump, detail, out))?;
    print_skipped(&report.skipped, detail, out)?;
    writeln!(out)
}

fn print_dump(dump: &DumpReport, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "   {}: ", Inert(&dump.origin))?;
    if let Some(error) = &dump.error {
        return writeln!(out, "{WARN}NOT SCANNED{WARN:#}: {}", Inert(error));
    }
    let coverage = &dump.coverage;
    write!(out, "{}", dump.format)?;
    dump.containers.iter().try_for_each(|container| write!(out, " in {container}"))?;
    write!(out, ", {}, ", Bytes(coverage.bytes))?;
    match coverage.bytes == coverage.scanned {
        true => write!(out, "all scanned")?,
        false => write!(out, "{WARN}{} scanned{WARN:#}", Count(coverage.scanned, "byte"))?,
    }
    write!(out, ", {} of it constant, {}", Bytes(coverage.constant), count(dump.regions, "region"))?;
    write!(out, ", {}, {}", count(dump.faults.len(), "fault"), count(dump.gaps().len(), "gap"))?;
    match dump.decision {
        Some(decision) => writeln!(out, "; {BOLD}{}{BOLD:#}", words::name(decision))?,
        None => writeln!(out)?,
    }
    for gap in dump.gaps() {
        let (from, to) = (gap.span.start, gap.span.end());
        writeln!(out, "     {WARN}gap{WARN:#}: {from} to {to:#x}: {}", Inert(&gap.reason))?;
    }
    for note in &coverage.notes {
        writeln!(out, "     {DIM}note{DIM:#}: {note}")?;
    }
    print_faults(dump, detail, out)
}

fn print_faults(dump: &DumpReport, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let most = if detail == Detail::Verbose { usize::MAX } else { FAULTS };
    for fault in dump.faults.iter().take(most) {
        writeln!(out, "     {DIM}fault{DIM:#}: {}", Short(&fault.to_string()))?;
    }
    match dump.faults.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "     {DIM}… and {} more (use -v or --format json){DIM:#}", count(more, "fault")),
    }
}

fn print_skipped(skipped: &[Skipped], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    let links = count(skipped.len(), "symbolic link");
    writeln!(out, "   {links} not followed; name one to scan what it points to")?;
    let listed = skipped.iter().filter(|_| detail == Detail::Verbose);
    let mut listed = listed.map(|skipped| &skipped.origin);
    listed.try_for_each(|origin| writeln!(out, "     {}", Inert(origin)))
}

/// What each rule that found something means and asks for, once.
fn print_remedies(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut rules = Vec::new();
    for finding in report.findings.iter().filter(|finding| !finding.accepted) {
        if !rules.contains(&finding.rule) {
            rules.push(finding.rule);
        }
    }
    if rules.is_empty() {
        return Ok(());
    }
    writeln!(out, "{BOLD}What it means, and what to do{BOLD:#}")?;
    for rule in rules.iter().filter_map(|rule| report.rules.get(rule.0)) {
        let (title, description) = (Inert(&rule.title), Inert(&rule.description));
        writeln!(out, "   {BOLD}{title}{BOLD:#} ({}): {description}", Inert(&rule.id))?;
        writeln!(out, "     {}", Inert(&rule.remedy))?;
    }
    writeln!(out)
}

/// What a baseline hides, and what of it is of no use.
fn print_baseline(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Some(BaselineUse { file, entries, unused: fingerprints }) = &report.baseline else { return Ok(()) };
    let (file, accepted) = (Inert(file), count(report.tally.accepted, "finding"));
    writeln!(out, "{accepted} accepted by the baseline {file} and not listed (use -v)")?;
    if !fingerprints.is_empty() {
        let (unused, all) = (Grouped(fingerprints.len() as u64), Grouped(*entries as u64));
        writeln!(out, "not found of the fingerprints in the baseline ({unused} of {all}):")?;
        fingerprints.iter().try_for_each(|fingerprint| writeln!(out, "   {}", Inert(fingerprint)))?;
    }
    Ok(())
}

fn print_result(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (tally, verdict) = (&report.tally, &report.verdict);
    print_baseline(report, out)?;
    if tally.below_evidence > 0 {
        let asked = words::name(report.policy.min_evidence);
        writeln!(out, "{} with less evidence than {asked} not listed", count(tally.below_evidence, "finding"))?;
    }
    if let Some(gate) = &report.gate {
        writeln!(out, "{BOLD}Policy{BOLD:#}: {} ({})", Inert(&gate.policy), gate.about)?;
    }
    let inputs = count(tally.scanned, "dump");
    write!(out, "{BOLD}Result{BOLD:#}: {} ({} counted) at ", count(tally.findings, "finding"), tally.counted)?;
    write!(out, "{} in {inputs} of {}", Count(tally.sites, "site"), Bytes(tally.bytes))?;
    writeln!(out, "; exit code {}: {}", verdict.exit_code, Inert(&verdict.meaning))
}

fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::Red.on_default().bold(),
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Low => AnsiColor::Yellow.on_default(),
        Severity::Info => AnsiColor::Cyan.on_default(),
    }
}
