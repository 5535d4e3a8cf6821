//! `dumpscrub redact`: scan, plan, write, prove, and only then a name.

mod wrapped;

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use crate::commands::args::{Manner, RedactArgs};
use crate::commands::inputs::Input;
use crate::commands::output::{Plain, all_to_stdout, to_stdout};
use crate::commands::paper::{self, Paper, Published};
use crate::commands::progress::Bar;
use crate::commands::{complain, engine_with, exit, set_threads};
use crate::container;
use crate::dump::{self, DumpMap};
use crate::error::{Error, Result};
use crate::finding::Rule;
use crate::image::Image;
use crate::parallel;
use crate::redact::draft::{self, Draft};
use crate::redact::fill::Fill;
use crate::redact::plan::Options;
use crate::redact::prove::{Case, Manner as ProofManner, Tried};
use crate::redact::receipt::{self, About, Facts};
use crate::redact::rounds::{self, Shown};
use crate::redact::{self, Proof};
use crate::report::redaction::{self, Redaction};
use crate::scan::{self, Outcome};

/// Where the redacted dump goes.
#[derive(Debug)]
enum Goal {
    /// A new file, or one that may be replaced.
    File { path: PathBuf, replace: bool, original: Option<PathBuf> },
    /// The place of the input.
    InPlace { path: PathBuf, original: File },
    /// Standard output, once the proof holds; until then in this folder.
    Stdout { folder: PathBuf },
    /// Nowhere: only the plan is wanted.
    Nowhere,
}

/// Redacts, and says with which code to exit.
///
/// # Errors
/// When a file cannot be read or written, or changed meanwhile. A refusal and a failed proof are no errors: they are told.
pub fn run(args: &RedactArgs, manner: &Manner) -> Result<u8> {
    let goal = Goal::of(args)?;
    let paper = if args.dry_run { None } else { Some(Paper::of(args, goal.path())?) };
    set_threads(args.threads)?;
    let bar = Bar::new(!args.no_progress && !manner.quiet);
    let done = redact(args, &goal, paper.as_ref(), &bar, manner);
    bar.finish();
    done
}

fn redact(args: &RedactArgs, goal: &Goal, paper: Option<&Paper>, bar: &Bar, manner: &Manner) -> Result<u8> {
    let (scan_options, options) = (scan::Options::default(), options(args));
    let origin = Input::named(&args.dump).origin();
    let image = Input::named(&args.dump).open(&args.unpacking.settings(args.threads))?;
    if container::recognise(&image)?.is_some() {
        return wrapped::redact(args, image, goal, paper, bar, manner);
    }
    let map = dump::map(&image, &scan_options.limits)?;
    let mut outcome = scan::scan(&image, &map, &engine_with(&args.user_rules, &args.known)?, &scan_options, bar)?;
    let mut job = Job { args, goal, paper, bar, manner, origin: &origin, image: &image, map: &map, options };
    let mut round = 1;
    while round <= rounds::ROUNDS {
        match job.round(&outcome, round)? {
            Step::Ends(code) => return Ok(code),
            Step::GoesOn(shown) => {
                rounds::add(&mut outcome, shown)?;
                round += 1;
            }
            Step::NoLabels => job.options.fill = without_labels(bar),
        }
    }
    Err(Error::Internal("counting the rounds of a redaction"))
}

/// What is filled with where labels do not do.
fn without_labels(bar: &Bar) -> Fill {
    let text = "labels, with what stands beside them, are taken for secrets in this dump: letters X take their place";
    bar.pause(|| complain("warning", text));
    Fill::Mask
}

/// What stays the same from round to round.
struct Job<'a> {
    args: &'a RedactArgs,
    goal: &'a Goal,
    paper: Option<&'a Paper>,
    bar: &'a Bar,
    manner: &'a Manner,
    origin: &'a str,
    image: &'a Image,
    map: &'a DumpMap,
    options: Options,
}

/// What a round came to.
enum Step {
    /// The redaction is over, with this exit code.
    Ends(u8),
    /// Covering has brought this to light.
    GoesOn(Shown),
    /// It does not hold with labels.
    NoLabels,
}

impl Job<'_> {
    fn round(&self, outcome: &Outcome, round: usize) -> Result<Step> {
        let Self { args, goal, bar, image, map, options, .. } = self;
        let plan = redact::plan(image, map, outcome, options)?;
        let mut told = Redaction::new(self.origin, map, outcome, &plan, options);
        if !outcome.coverage.gaps.is_empty() && !args.allow_gaps {
            self.tell(&told.refused("not everything could be scanned, and what was not scanned cannot be redacted"))?;
            return Ok(Step::Ends(exit::GAP));
        }
        if !plan.refusals().is_empty() {
            self.tell(&told.refused("a secret lies in bytes that a debugger cannot do without"))?;
            return Ok(Step::Ends(exit::FINDINGS));
        }
        let (Some(draft), Some(paper)) = (goal.draft()?, self.paper) else {
            self.tell(&told)?;
            return Ok(Step::Ends(exit::CLEAN));
        };
        let file = draft.file().try_clone().map_err(|source| goal.failed(source))?;
        let written = redact::write(image, &plan, &file, *bar)?;
        let new = Image::from_file(goal.name(), file, written.bytes);
        let case = Case { old: image, map, outcome, plan: &plan, options, written: &written };
        let how = ProofManner { stacks: !args.no_unwind, limits: scan::Options::default().limits };
        let fresh = engine_with(&args.user_rules, &args.known)?;
        // The disk may take its time while the proof reads what it will hold.
        let (tried, on_disk) =
            parallel::beside(|| redact::attempt(&case, &new, &fresh, &how, *bar), || draft.file().sync_all());
        on_disk.map_err(|source| goal.failed(source))?;
        let Tried { proof, digests, shown } = tried?;
        if options.fill == Fill::Label && !proof.holds() {
            return Ok(Step::NoLabels);
        }
        if let Some(shown) = shown.filter(|_| round < rounds::ROUNDS)
            && let Some(lacking) = rounds::lacking(&shown, &plan, options)?
        {
            return Ok(Step::GoesOn(lacking));
        }
        told.prove(&proof);
        if !proof.holds() {
            self.tell(&told)?;
            failures(&proof);
            return Ok(Step::Ends(exit::FINDINGS));
        }
        let about = about(args, goal, paper, &outcome.rules, image.len())?;
        let facts = Facts { about, case: &case, proof: &proof, digests: &digests };
        let receipt = paper.draft(|key, out| receipt::write(&facts, key, out))?;
        told.file(publish(goal, draft, paper, receipt)?.words());
        self.tell(&told)?;
        Ok(Step::Ends(exit::CLEAN))
    }

    fn tell(&self, told: &Redaction<'_>) -> Result<()> {
        bar_free(self.bar, || print(told, self.goal, self.manner))
    }
}

/// What the receipt tells of every redaction; `rules` are those of the scan.
fn about<'a>(args: &RedactArgs, goal: &Goal, paper: &'a Paper, rules: &[Rule], len: u64) -> Result<About<'a>> {
    Ok(About {
        rules: paper::rule_set(rules, &args.user_rules)?,
        original: paper::name_of(&args.dump),
        len,
        output: paper::name_of(Path::new(&goal.name())),
        time: paper.time,
        allow_gaps: args.allow_gaps,
        stacks: !args.no_unwind,
        fingerprints: paper.fingerprints.as_ref(),
    })
}

/// The receipt first, so that no redacted dump is without one.
fn publish(goal: &Goal, dump: Draft, paper: &Paper, receipt: Draft) -> Result<Published> {
    let published = paper.publish(receipt)?;
    match goal.publish(dump) {
        Ok(()) => Ok(published),
        Err(error) => {
            published.take_back();
            Err(error)
        }
    }
}

fn options(args: &RedactArgs) -> Options {
    Options {
        fill: args.fill,
        fail_on: args.fail_on,
        min_evidence: args.min_evidence,
        leave_frozen: args.leave_frozen,
        ..Options::default()
    }
}

fn failures(proof: &Proof) {
    for check in proof.failures() {
        complain("error", format!("the proof failed, nothing was written: {}: {}", check.name, check.detail));
    }
}

fn bar_free(bar: &Bar, speak: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut said = Ok(());
    bar.pause(|| said = speak());
    said
}

/// The dump itself may be on standard output; then people are told on the other.
fn print(told: &Redaction<'_>, goal: &Goal, manner: &Manner) -> Result<()> {
    let detail = manner.detail();
    if matches!(goal, Goal::Stdout { .. }) {
        let mut out = anstream::stderr();
        return redaction::print(told, detail, &mut out).map_err(|source| goal.failed(source));
    }
    to_stdout(|out| redaction::print(told, detail, &mut Plain::new(out)))
}

impl Goal {
    /// Looks at once whether the goal can be reached, so that a long scan does not end in an error that was clear before.
    fn of(args: &RedactArgs) -> Result<Self> {
        let is_stdin = args.dump.as_os_str() == "-";
        if args.dry_run {
            return Ok(Self::Nowhere);
        }
        if args.in_place {
            return if is_stdin {
                Err(usage("standard input cannot be redacted in place; use -o"))
            } else {
                in_place(&args.dump)
            };
        }
        let path = args.output.clone().unwrap_or_default();
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout { folder: args.unpacking.settings(args.threads).folder });
        }
        let same = || path.canonicalize().is_ok_and(|out| args.dump.canonicalize().is_ok_and(|dump| dump == out));
        if !is_stdin && same() {
            return Err(usage("the output is the input; to replace it, use --in-place"));
        }
        if path.is_dir() {
            return Err(Error::Write { what: path.display().to_string(), source: io::ErrorKind::IsADirectory.into() });
        }
        if path.symlink_metadata().is_ok() && !args.force {
            return Err(usage(&format!("{} is there already; to replace it, use --force", path.display())));
        }
        Draft::beside(&path)?;
        let original = (!is_stdin).then(|| args.dump.clone());
        Ok(Self::File { path, replace: args.force, original })
    }

    fn draft(&self) -> Result<Option<Draft>> {
        match self {
            Self::File { path, .. } | Self::InPlace { path, .. } => Draft::beside(path).map(Some),
            Self::Stdout { folder } => Draft::beside(&folder.join("dumpscrub")).map(Some),
            Self::Nowhere => Ok(None),
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } | Self::InPlace { path, .. } => Some(path),
            Self::Stdout { .. } | Self::Nowhere => None,
        }
    }

    fn name(&self) -> String {
        self.path().map_or("-".to_owned(), |path| path.display().to_string())
    }

    fn publish(&self, draft: Draft) -> Result<()> {
        match self {
            Self::File { path, replace, original } => {
                if let Some(original) = original {
                    self.keep_facts(&draft, original)?;
                }
                draft.publish(path, *replace)
            }
            Self::InPlace { path, original } => {
                draft.look_like(original)?;
                let meta = original.metadata().map_err(|source| self.failed(source))?;
                draft::is_unchanged(path, &meta)?;
                draft.publish(path, true)
            }
            Self::Stdout { .. } => {
                let mut file = draft.file();
                file.rewind().map_err(|source| self.failed(source))?;
                all_to_stdout(&mut file)
            }
            Self::Nowhere => Ok(()),
        }
    }

    fn keep_facts(&self, draft: &Draft, original: &Path) -> Result<()> {
        let file = File::open(original).map_err(|source| Error::Open { path: original.to_owned(), source })?;
        if !draft.keep_facts(&file)? {
            let name = self.name();
            complain(
                "warning",
                format!("{name}: its file system cannot keep the attributes user.coredump.* of the original"),
            );
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Write { what: self.name(), source }
    }
}

/// A link is followed, so that the file behind it is replaced. A file with more names than one is refused: under the other
/// names the original would stay.
fn in_place(path: &Path) -> Result<Goal> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let path = path.canonicalize().map_err(failed)?;
    let original = File::open(&path).map_err(failed)?;
    if draft::names_of(&original).map_err(failed)? > 1 {
        let text = "it has more than one name (hard links), and under the others the original would stay";
        return Err(usage(&format!("{}: {text}; use -o", path.display())));
    }
    Draft::beside(&path)?;
    Ok(Goal::InPlace { path, original })
}

fn usage(text: &str) -> Error {
    Error::Usage(text.to_owned())
}
