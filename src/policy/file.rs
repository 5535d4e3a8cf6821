//! `dumpscrub.toml`: what the file says, checked to the last word, and where it is wrong.
//!
//! A field that the file does not have keeps the preset's value. A field that the program does not know, a value that it
//! cannot read, and a rule that does not exist are mistakes and no warnings: whoever wrote them thinks that they do something.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::dump::LabelKind;
use crate::error::{Error, Result};
use crate::finding::{Evidence, Profile, Rule, Severity};
use crate::policy::{BaselineFiles, Folders, Gaps, Limits, Pattern, Policy, Preset, Row, trust};
use crate::report::{Action, units};
use crate::scan;

/// The version of the layout that this program reads.
const VERSION: u32 = 1;

/// Dumps that may be worked on at the same time: more is a slip of the pen.
const MOST_SLOTS: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    version: Option<Spanned<u32>>,
    preset: Option<Preset>,
    gaps: Option<Gaps>,
    #[serde(default)]
    scan: ScanText,
    #[serde(default)]
    finding: Vec<RowText>,
    baseline: Option<BaselineText>,
    #[serde(default)]
    limits: LimitsText,
    #[serde(default)]
    folders: FoldersText,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScanText {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    rules: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowText {
    rule: Option<Spanned<Vec<Spanned<String>>>>,
    severity: Option<Spanned<Vec<Severity>>>,
    evidence: Option<Spanned<Vec<Evidence>>>,
    profile: Option<Profile>,
    label: Option<Spanned<Vec<LabelKind>>>,
    constant: Option<bool>,
    action: Action,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineText {
    file: PathBuf,
    fingerprint_key: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    time: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    spool: Option<Spanned<String>>,
    slots: Option<Spanned<usize>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldersText {
    release: Option<Spanned<PathBuf>>,
    quarantine: Option<Spanned<PathBuf>>,
    state: Option<Spanned<PathBuf>>,
    spool: Option<PathBuf>,
    quarantine_quota: Option<Spanned<String>>,
}

/// What is wrong, and the bytes of the file that it is about.
struct Mistake {
    at: Range<usize>,
    what: String,
}

/// Reads the text of the file `path`, whose folder its relative paths are taken from.
///
/// # Errors
/// [`Error::Policy`] with line and column; what is wrong with the rule files that it names.
pub fn parse(path: &Path, text: &str, trusted: bool) -> Result<Policy> {
    let place = |Mistake { at, what }: Mistake| {
        let (line, column) = line_and_column(text, at.start);
        Error::Policy { place: format!("{}, line {line}, column {column}", path.display()), reason: what }
    };
    let file: FileText = toml::from_str(text).map_err(|error| {
        place(Mistake { at: error.span().unwrap_or(0..0), what: error.message().trim_end().replace('\n', "; ") })
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let rules: Vec<PathBuf> = file.scan.rules.iter().map(|rules| folder.join(rules)).collect();
    if trusted {
        rules.iter().try_for_each(|rules| trust::read(rules, true).map(|_| ()))?;
    }
    let known = scan::rules_with(&rules)?;
    resolve(file, path, rules, &known, trusted).map_err(place)
}

fn resolve(
    file: FileText,
    path: &Path,
    rules: Vec<PathBuf>,
    known: &[Rule],
    trusted: bool,
) -> std::result::Result<Policy, Mistake> {
    if let Some(version) = file.version.filter(|version| *version.get_ref() != VERSION) {
        let what = format!("expected version {VERSION}, found {}; another program reads this file", version.get_ref());
        return Err(Mistake { at: version.span(), what });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let preset = Policy::preset(file.preset.unwrap_or_default());
    let rows = file.finding.into_iter().map(|row| row.resolve(known)).collect::<std::result::Result<_, _>>()?;
    let baseline = file.baseline.map(|baseline| BaselineFiles {
        file: folder.join(baseline.file),
        fingerprint_key: folder.join(baseline.fingerprint_key),
    });
    Ok(Policy {
        name: path.display().to_string(),
        gaps: file.gaps.unwrap_or(preset.gaps),
        profile: file.scan.profile,
        rules,
        baseline,
        limits: file.limits.resolve()?,
        folders: file.folders.resolve(folder)?,
        rows,
        trusted,
        ..preset
    })
}

impl RowText {
    fn resolve(self, known: &[Rule]) -> std::result::Result<Row, Mistake> {
        let rule = filled(self.rule, "rule")?;
        if let Some(rules) = &rule {
            rules.iter().try_for_each(|rule| is_known(rule, known))?;
        }
        Ok(Row {
            rule: rule.map(|rules| rules.iter().map(|rule| Pattern::new(rule.get_ref())).collect()),
            severity: filled(self.severity, "severity")?,
            evidence: filled(self.evidence, "evidence")?,
            profile: self.profile,
            label: filled(self.label, "label")?.map(|labels| labels.into_iter().collect()),
            constant: self.constant,
            action: self.action,
        })
    }
}

/// An empty list would fit nothing, and a row that fits nothing is a slip of the pen.
fn filled<T>(list: Option<Spanned<Vec<T>>>, what: &str) -> std::result::Result<Option<Vec<T>>, Mistake> {
    match list {
        Some(list) if list.get_ref().is_empty() => {
            let what = format!("an empty list of `{what}` fits no finding; leave `{what}` out to mean any");
            Err(Mistake { at: list.span(), what })
        }
        list => Ok(list.map(Spanned::into_inner)),
    }
}

fn is_known(rule: &Spanned<String>, known: &[Rule]) -> std::result::Result<(), Mistake> {
    let pattern = Pattern::new(rule.get_ref());
    if known.iter().any(|rule| pattern.fits(&rule.id)) {
        return Ok(());
    }
    let what = match &pattern {
        Pattern::Id(id) => format!("there is no rule `{id}`; dumpscrub rules list names all"),
        Pattern::Prefix(prefix) => {
            format!("there is no rule whose id begins with `{prefix}`; dumpscrub rules list names all")
        }
    };
    Err(Mistake { at: rule.span(), what })
}

impl LimitsText {
    fn resolve(self) -> std::result::Result<Limits, Mistake> {
        let default = Limits::default();
        let slots = self.slots.as_ref().filter(|slots| !(1..=MOST_SLOTS).contains(slots.get_ref()));
        if let Some(slots) = slots {
            let what = format!("expected 1 to {MOST_SLOTS} slots, found {}", slots.get_ref());
            return Err(Mistake { at: slots.span(), what });
        }
        Ok(Limits {
            time: self.time.map(duration).transpose()?.unwrap_or(default.time),
            memory: self.memory.map(bytes).transpose()?.unwrap_or(default.memory),
            spool: self.spool.map(bytes).transpose()?,
            slots: self.slots.map_or(default.slots, Spanned::into_inner),
        })
    }
}

impl FoldersText {
    fn resolve(self, folder: &Path) -> std::result::Result<Folders, Mistake> {
        let default = Folders::default();
        let named = [&self.release, &self.quarantine, &self.state];
        let spans = named.map(|named| named.as_ref().map(Spanned::span));
        let or = |named: Option<Spanned<PathBuf>>, default| named.map_or(default, |named| folder.join(named.get_ref()));
        let folders = Folders {
            release: or(self.release, default.release),
            quarantine: or(self.quarantine, default.quarantine),
            state: or(self.state, default.state),
            spool: self.spool.map(|spool| folder.join(spool)),
            quarantine_quota: self.quarantine_quota.map(bytes).transpose()?.unwrap_or(default.quarantine_quota),
        };
        are_apart(&folders, &spans)?;
        Ok(folders)
    }
}

/// Who may read the release folder must not come upon what did not pass, or was not decided on yet.
fn are_apart(folders: &Folders, spans: &[Option<Range<usize>>; 3]) -> std::result::Result<(), Mistake> {
    let Folders { release, quarantine, state, .. } = folders;
    let all = [("release", release), ("quarantine", quarantine), ("state", state)];
    // `./a` is `a`, and both may be written.
    let plain = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    for (at, (one, first)) in all.iter().enumerate() {
        for (behind, (other, second)) in all.iter().enumerate().skip(at + 1) {
            let (first, second) = (plain(first), plain(second));
            if first.starts_with(&second) || second.starts_with(&first) {
                let what =
                    format!("the folders {one} and {other} must be apart: neither the same nor one in the other");
                let span = |at: usize| spans.get(at).cloned().flatten();
                return Err(Mistake { at: span(behind).or_else(|| span(at)).unwrap_or(0..0), what });
            }
        }
    }
    Ok(())
}

fn bytes(text: Spanned<String>) -> std::result::Result<u64, Mistake> {
    let size = units::size(text.get_ref()).filter(|&size| size > 0);
    let what = || format!("expected a number of bytes such as \"500M\" or \"64G\", found \"{}\"", text.get_ref());
    size.ok_or_else(|| Mistake { at: text.span(), what: what() })
}

fn duration(text: Spanned<String>) -> std::result::Result<Duration, Mistake> {
    let time = humantime::parse_duration(text.get_ref()).ok().filter(|time| !time.is_zero());
    let what = || format!("expected a time such as \"90s\", \"10m\" or \"2h\", found \"{}\"", text.get_ref());
    time.ok_or_else(|| Mistake { at: text.span(), what: what() })
}

/// Line and column of a byte, from 1; columns are characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
