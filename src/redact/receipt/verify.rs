//! A receipt held against the files, by nothing but the files: whoever wrote either is not trusted.

use sha2::{Digest as _, Sha256};

use crate::container::{self, Settings, Tree};
use crate::dump::{self, Class, DumpMap};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::redact::plan::{Plan, plan};
use crate::redact::prove::bytes::sha256;
use crate::redact::prove::{self, Case, Check, Manner, Proof, Tried, secrets};
use crate::redact::receipt::VerifyingKey;
use crate::redact::receipt::entries::Entries;
use crate::redact::receipt::envelope;
use crate::redact::receipt::keys::{hex, id};
use crate::redact::receipt::read::{Receipt, Sealed};
use crate::redact::receipt::wire::{RuleSet, Secret};
use crate::redact::receipt::write::{covered, tool};
use crate::redact::rounds;
use crate::redact::wrapped::name_in;
use crate::redact::write::{Written, read, write};
use crate::scan::{self, Engine, Outcome, Progress};
use crate::span::Span;

/// Bytes that are looked at at once.
const STEP: usize = 1 << 20;

/// What is to be verified, and by what.
pub struct Question<'a> {
    /// The receipt.
    pub receipt: &'a Sealed,
    /// The redacted dump.
    pub output: &'a Image,
    /// The dump as it was, where it is at hand.
    pub original: Option<&'a Image>,
    /// Whose signature the receipt must have.
    pub public_key: Option<&'a VerifyingKey>,
    /// What scans.
    pub engine: &'a Engine,
    /// The rules of that engine.
    pub rules: &'a RuleSet,
    /// How containers are unpacked.
    pub unpacking: &'a Settings,
}

/// Checks all that can be checked.
///
/// # Errors
/// When a dump cannot be read; what does not hold is no error, it is told in the checks.
pub fn verify(question: &Question<'_>, progress: &dyn Progress) -> Result<Proof> {
    let mut checks = vec![signature(question)];
    let receipt = match question.receipt.receipt() {
        Ok(receipt) => receipt,
        Err(reason) => {
            checks.push(Check::fails("receipt", reason));
            return Ok(Proof { checks, stacks: None });
        }
    };
    checks.push(well_formed(&receipt));
    match receipt.told().members.is_some() {
        true => members(question, &receipt, checks, progress),
        false => alone(question, &receipt, checks, progress),
    }
}

/// One dump, alone or as it came out of its container.
fn alone(question: &Question<'_>, receipt: &Receipt, mut checks: Vec<Check>, progress: &dyn Progress) -> Result<Proof> {
    let plan = receipt.plan();
    let content = content(question.output, &plan, progress)?;
    checks.extend([size(receipt, question.output), digest(receipt, &content), fills(receipt, &content)]);
    match question.original {
        None => without_original(question, receipt, &plan, checks, progress),
        Some(original) => with_original(question, receipt, original, &content, checks, progress),
    }
}

/// A container: its own digest, whether the members that the receipt names come out of it, and all checks of each.
fn members(
    question: &Question<'_>,
    receipt: &Receipt,
    mut checks: Vec<Check>,
    progress: &dyn Progress,
) -> Result<Proof> {
    const NAME: &str = "members";
    checks.push(digest(receipt, &content(question.output, &receipt.plan(), progress)?));
    let output = Unpacked::of(question.output, question.unpacking)?;
    let original = question.original.map(|image| Unpacked::of(image, question.unpacking)).transpose()?;
    if let Some(original) = question.original {
        checks.push(original_digest(receipt, &hex(&sha256(original)?)));
    }
    let told: Vec<(String, Receipt)> =
        receipt.members().map(|(member, receipt)| (member.name.clone(), receipt)).collect();
    let is_same = |unpacked: &Unpacked| unpacked.dumps.iter().map(|dump| &dump.0).eq(told.iter().map(|told| &told.0));
    if !is_same(&output) || original.as_ref().is_some_and(|original| !is_same(original)) {
        checks.push(Check::fails(NAME, "other members come out of the container than the receipt names"));
        return Ok(Proof { checks, stacks: None });
    }
    checks.push(Check::holds(NAME, format!("{} come out of the container as the receipt names them", told.len())));
    checks.push(output.rest(receipt, question, progress)?);
    for (number, (name, told)) in told.iter().enumerate() {
        let Some(leaf) = output.dump(number) else { continue };
        let before = original.as_ref().and_then(|original| original.dump(number));
        let inner = Question { output: leaf, original: before, ..*question };
        let proof = alone(&inner, told, Vec::new(), progress)?;
        let name = if name.is_empty() { "its content" } else { name };
        let about = |check: Check| Check { detail: format!("{name}: {}", check.detail), ..check };
        checks.extend(proof.checks.into_iter().map(about));
    }
    Ok(Proof { checks, stacks: None })
}

/// A container taken apart: names of its dumps, and which leaves they are.
struct Unpacked {
    tree: Tree,
    dumps: Vec<(String, usize)>,
}

impl Unpacked {
    fn of(image: &Image, settings: &Settings) -> Result<Self> {
        let whole = image.part(image.origin().to_owned(), Span::new(0, image.len()));
        let tree = container::tree(whole, settings)?;
        let dumps = tree.leaves.iter().enumerate().filter(|(_, leaf)| leaf.shell.is_none());
        let dumps = dumps.map(|(number, leaf)| (name_in(image.origin(), leaf), number)).collect();
        Ok(Self { tree, dumps })
    }

    fn dump(&self, number: usize) -> Option<&Image> {
        let (_, leaf) = self.dumps.get(number)?;
        self.tree.leaves.get(*leaf).map(|leaf| &leaf.image)
    }

    /// Whether nothing that counts is in what is left of the containers, and all of them could be unpacked.
    fn rest(&self, receipt: &Receipt, question: &Question<'_>, progress: &dyn Progress) -> Result<Check> {
        const NAME: &str = "containers";
        let (options, limits, mut shells) = (receipt.options(), Manner::default().limits, 0);
        if let Some(gap) = self.tree.leaves.iter().flat_map(|leaf| &leaf.gaps).next() {
            return Ok(Check::fails(NAME, format!("not everything could be unpacked: {}", gap.reason)));
        }
        for shell in self.tree.leaves.iter().filter(|leaf| leaf.shell.is_some()) {
            let map = shell.map(&limits)?;
            let known = receipt.allowed_gaps();
            let counting = (&Plan::default(), &options, &known[..]);
            let (check, _) = secrets::rescan(counting, &shell.image, &map, question.engine, &limits, progress)?;
            if check.verdict == prove::Verdict::Fails {
                return Ok(Check { name: NAME, ..check });
            }
            shells += 1;
        }
        Ok(Check::holds(NAME, format!("{shells} archives hold nothing that counts around their members")))
    }
}

fn signature(question: &Question<'_>) -> Check {
    const NAME: &str = "signature";
    let Sealed { payload, signatures } = question.receipt;
    match (signatures, question.public_key) {
        (None, None) => Check::not_shown(NAME, "the receipt is not signed: anybody may have written it"),
        (None, Some(_)) => Check::fails(NAME, "the receipt is not signed"),
        (Some(signatures), None) => {
            let by: Vec<&str> = signatures.iter().map(|signed| signed.keyid.as_str()).collect();
            let by = by.join(", ");
            Check::not_shown(NAME, format!("it names key {by} and was not checked: give the key with --public-key"))
        }
        (Some(signatures), Some(key)) => match envelope::check(payload, signatures, key) {
            Ok(()) => Check::holds(NAME, format!("by key {}", id(key))),
            Err(reason) => Check::fails(NAME, reason),
        },
    }
}

fn well_formed(receipt: &Receipt) -> Check {
    let (told, tool) = (receipt.told(), &receipt.told().tool);
    let (findings, edits) = (told.findings.len(), told.edits.len());
    let detail = format!("by {} {} at {}; {findings} findings, {edits} edits", tool.name, tool.version, told.time);
    Check::holds("receipt", detail)
}

fn size(receipt: &Receipt, output: &Image) -> Check {
    let (told, len) = (receipt.told().original.bytes, output.len());
    if told == len {
        return Check::holds("size", format!("{len} bytes"));
    }
    Check::fails("size", format!("the dump has {len} bytes, and the receipt is for one of {told}"))
}

fn digest(receipt: &Receipt, content: &Content) -> Check {
    let found = hex(&content.digest);
    if found == receipt.after() {
        return Check::holds("output-sha256", found);
    }
    let detail = format!("the dump is not the one that was written: its SHA-256 is {found}");
    Check::fails("output-sha256", detail)
}

fn fills(receipt: &Receipt, content: &Content) -> Check {
    let (edits, plan) = (receipt.told().edits.len(), receipt.plan().bytes());
    match content.first {
        None => Check::holds("fills", format!("all {plan} bytes of {edits} edits are what the receipt says")),
        Some(first) => {
            let told = receipt.at_offset(first).map_or(0, |edit| edit.finding);
            let differ = content.different;
            let detail = format!("{differ} bytes that were overwritten hold something else, the first at {first:#x}");
            Check::fails("fills", format!("{detail}, of finding {told}"))
        }
    }
}

/// What one walk over the redacted dump tells.
struct Content {
    /// SHA-256.
    digest: [u8; 32],
    /// Bytes of edits that are not what the edits paint.
    different: u64,
    /// The first of them.
    first: Option<u64>,
}

/// An edit paints over its own result without changing it, since no fill depends on what stood there but for line breaks,
/// which stay.
fn content(image: &Image, plan: &Plan, progress: &dyn Progress) -> Result<Content> {
    progress.pass("verify", image.len());
    let (mut digest, mut buffer, mut painted) = (Sha256::new(), vec![0; STEP], vec![0; STEP]);
    let (mut different, mut first) = (0, None);
    each_step(image, &mut buffer, |at, bytes| {
        digest.update(bytes);
        let ours = painted.get_mut(..bytes.len()).unwrap_or_default();
        ours.copy_from_slice(bytes);
        plan.paint(at, ours);
        if ours != bytes {
            let unlike = ours.iter().zip(bytes).enumerate().filter(|(_, (a, b))| a != b);
            different += unlike.clone().count() as u64;
            first = first.or(unlike.map(|(i, _)| at + i as u64).next());
        }
        progress.advance(bytes.len() as u64);
    })?;
    Ok(Content { digest: digest.finalize().into(), different, first })
}

fn each_step(image: &Image, buffer: &mut [u8], mut see: impl FnMut(u64, &[u8])) -> Result<()> {
    let mut at = 0;
    while at < image.len() {
        let want = usize::try_from(image.len() - at).unwrap_or(STEP).min(buffer.len());
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        read(image, at, bytes)?;
        see(at, bytes);
        at += want as u64;
    }
    Ok(())
}

/// Checks that ask for the original, and what they would show.
const NEED_ORIGINAL: [(&str, &str); 6] = [
    ("original-sha256", "the original is the one that was redacted"),
    ("same-plan", "what was overwritten is what had to be"),
    ("planned-bytes-only", "no other byte was changed"),
    ("same-map", "both files are described alike"),
    ("leftovers", "no form of any secret is left"),
    ("stacks", "every stack unwinds as before"),
];

fn without_original(
    question: &Question<'_>,
    receipt: &Receipt,
    plan: &Plan,
    mut checks: Vec<Check>,
    progress: &dyn Progress,
) -> Result<Proof> {
    let (manner, options) = (Manner::default(), receipt.options());
    let map = dump::map(question.output, &manner.limits)?;
    checks.extend(left(receipt, &map));
    let known = receipt.allowed_gaps();
    let counting = (plan, &options, &known[..]);
    checks.push(secrets::rescan(counting, question.output, &map, question.engine, &manner.limits, progress)?.0);
    checks.extend(NEED_ORIGINAL.map(|(name, what)| Check::not_shown(name, format!("that {what}: needs --original"))));
    Ok(Proof { checks, stacks: None })
}

fn with_original(
    question: &Question<'_>,
    receipt: &Receipt,
    original: &Image,
    content: &Content,
    mut checks: Vec<Check>,
    progress: &dyn Progress,
) -> Result<Proof> {
    let (options, manner) = (receipt.options(), Manner::default());
    let plan = receipt.plan();
    let map = dump::map(original, &manner.limits)?;
    let scan_options = scan::Options { limits: manner.limits, ..scan::Options::default() };
    let mut outcome = scan::scan(original, &map, question.engine, &scan_options, progress)?;
    replay(question, receipt, (original, &map), &mut outcome, progress)?;
    // The proof compares with what is in the files now; whether that is what was written is told beside it.
    let written = Written { bytes: question.output.len(), covered: covered_by(original, &plan)? };
    let case = Case { old: original, map: &map, outcome: &outcome, plan: &plan, options: &options, written: &written };
    let Tried { proof, digests, .. } = prove::attempt(&case, question.output, question.engine, &manner, progress)?;
    checks.push(original_digest(receipt, &hex(&digests.before)));
    if digests.after != content.digest {
        checks.push(Check::fails("output-sha256", "the dump changed while it was verified"));
    }
    checks.push(same_plan(question, receipt, original, &map, &outcome)?);
    checks.extend(left(receipt, &map));
    checks.extend(proof.checks.into_iter().filter(|check| check.name != "same-size"));
    Ok(Proof { checks, stacks: proof.stacks })
}

/// Goes through the rounds again that the receipt tells of: what came to light only once something else was covered is not
/// to be found in the original.
fn replay(
    question: &Question<'_>,
    receipt: &Receipt,
    (original, map): (&Image, &DumpMap),
    outcome: &mut Outcome,
    progress: &dyn Progress,
) -> Result<()> {
    let (options, limits) = (receipt.options(), Manner::default().limits);
    let told = receipt.told().findings.iter().map(|finding| finding.round).max().unwrap_or(1);
    let folder = &question.unpacking.folder;
    for _ in 1..told.min(rounds::ROUNDS) {
        let plan = plan(original, map, outcome, &options)?;
        if !plan.refusals().is_empty() {
            break;
        }
        let failed = |source| Error::Spool { folder: folder.clone(), source };
        let file = container::create(folder).map_err(failed)?;
        let written = write(original, &plan, &file, progress)?;
        let new = Image::from_file(question.output.origin().to_owned(), file, written.bytes);
        let counting = (&plan, &options, outcome.coverage.gaps.as_slice());
        let (_, shown) = secrets::rescan(counting, &new, map, question.engine, &limits, progress)?;
        let lacking = shown.map(|shown| rounds::lacking(&shown, &plan, &options)).transpose()?.flatten();
        let Some(lacking) = lacking else { break };
        rounds::add(outcome, lacking)?;
    }
    Ok(())
}

/// SHA-256 of what the plan overwrites.
fn covered_by(image: &Image, plan: &Plan) -> Result<[u8; 32]> {
    let (mut covered, mut buffer) = (Sha256::new(), vec![0; STEP]);
    for edit in plan.edits() {
        let mut at = edit.span.from();
        while at < edit.span.end() {
            let want = usize::try_from(edit.span.end() - at).unwrap_or(STEP).min(STEP);
            let bytes = buffer.get_mut(..want).unwrap_or_default();
            read(image, at, bytes)?;
            covered.update(&*bytes);
            at += want as u64;
        }
    }
    Ok(covered.finalize().into())
}

fn original_digest(receipt: &Receipt, before: &str) -> Check {
    const NAME: &str = "original-sha256";
    match &receipt.told().original.sha256 {
        Some(told) if told == before => Check::holds(NAME, before),
        Some(_) => {
            Check::fails(NAME, format!("the original is not the dump that was redacted: its SHA-256 is {before}"))
        }
        None => {
            let why = receipt.told().original.sha256_withheld.as_deref().unwrap_or("no reason given");
            Check::not_shown(NAME, format!("the receipt does not tell it: {why}"))
        }
    }
}

/// Whether this program plans the same for the original. Only the version that made the receipt, with the same rules, can
/// be asked.
fn same_plan(
    question: &Question<'_>,
    receipt: &Receipt,
    original: &Image,
    map: &DumpMap,
    outcome: &Outcome,
) -> Result<Check> {
    const NAME: &str = "same-plan";
    let (told, options) = (receipt.told(), receipt.options());
    if told.tool != tool() || told.rules != *question.rules {
        let text = "the receipt was made by another version or with other rules, which may find more or less";
        return Ok(Check::not_shown(NAME, text));
    }
    let again = plan(original, map, outcome, &options)?;
    let entries = Entries::new(map, outcome, &again);
    let findings = entries.findings(|finding| options.counts(finding), None);
    let bare = told.findings.iter().map(|finding| Secret { fingerprint: None, ..finding.clone() });
    let differs = [
        ("findings", !findings.eq(bare)),
        ("edits", !entries.edits().eq(told.edits.iter().cloned())),
        ("bytes that were left", !entries.left().eq(told.left.iter().cloned())),
        ("coverage", covered(map, outcome) != told.coverage),
        ("format", told.original.format != map.format),
    ];
    let differs: Vec<&str> = differs.into_iter().filter_map(|(what, differs)| differs.then_some(what)).collect();
    if differs.is_empty() {
        return Ok(Check::holds(NAME, "planned again from the original: the same findings and the same edits"));
    }
    Ok(Check::fails(NAME, format!("planned again from the original, other {} come out", differs.join(" and "))))
}

/// Whether what a receipt says was left is in bytes that are never edited: it excuses nothing else.
fn left(receipt: &Receipt, map: &DumpMap) -> Option<Check> {
    const NAME: &str = "left";
    let told = &receipt.told().left;
    let is_frozen = |span| map.classes.runs(span).into_iter().all(|(_, class)| class == Class::Frozen);
    let wrong = told.iter().find(|left| !is_frozen(Span::new(left.offset, left.length)));
    match wrong {
        _ if told.is_empty() => None,
        Some(wrong) => Some(Check::fails(NAME, format!("the bytes at {:#x} could have been redacted", wrong.offset))),
        None => {
            let bytes: u64 = told.iter().map(|left| left.length).sum();
            Some(Check::holds(NAME, format!("{bytes} bytes of secrets stay, all in bytes that are never edited")))
        }
    }
}
