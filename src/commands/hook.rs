//! `dumpscrub hook`: policy, folders, one kind of hook; a line in the log for each decision.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::commands::args::{Common, HookArgs, HookKind, Waiting};
use crate::commands::{complain, crash, exit, hook_log};
use crate::container::Settings;
use crate::detect;
use crate::error::{Error, Result};
use crate::hook::desk::Desk;
use crate::hook::folder::{self, Manner, Sweep};
use crate::hook::item::{DRAFT, ORIGINAL};
use crate::hook::judge::Judge;
use crate::hook::place::Folder;
use crate::hook::verdict::{Done, Fate, Verdict};
use crate::hook::worker::{self, Request};
use crate::hook::{copy, core_pattern, crashpad, file, told};
use crate::image::Image;
use crate::parallel;
use crate::policy::Policy;
use crate::scan::Engine;

/// The hook that the kernel calls.
const CORE_PATTERN: &str = "core-pattern";

/// Runs one hook, and says with which code to exit.
///
/// # Errors
/// When the policy is wrong or a folder cannot be used. What goes wrong with a dump is told in the log.
pub fn run(args: &HookArgs) -> Result<u8> {
    let common = args.kind.common();
    match &args.kind {
        HookKind::Work { threads, .. } => work(common, *threads),
        HookKind::CorePattern { .. } => {
            let ran = hook(&args.kind);
            // Whatever went wrong before: the process that crashed waits until its core is read.
            copy::drain(&mut io::stdin());
            if let Err(error) = &ran {
                to_kernel(&format!("{error}; a core that is neither in the release folder nor in quarantine is lost"));
            }
            ran
        }
        kind => hook(kind),
    }
}

fn hook(kind: &HookKind) -> Result<u8> {
    let common = kind.common();
    worker::leave_no_core().map_err(|source| Error::Write { what: "the limits of this process".to_owned(), source })?;
    let policy = policy(&common.policy)?;
    let desk = Desk::open(kind.name(), &policy, &common.policy)?;
    hook_log::start(common, log_of(kind, &desk).as_ref())?;
    let told = Told { desk: &desk, common, worst: Mutex::new(None) };
    let left = match kind {
        HookKind::CorePattern { chain, args, .. } => {
            told.tell(core_pattern::run(&desk, args, chain.as_deref(), &mut io::stdin())?);
            desk.resume(&mut desk.worker(), &mut |done| told.tell(done))?;
            Sweep::default()
        }
        HookKind::Folder { folder, waiting, .. } => sweep(&told, folder, *waiting, &folder::EVERY)?,
        HookKind::SystemdCoredump { folder, waiting, .. } => sweep(&told, folder, *waiting, &folder::SYSTEMD_COREDUMP)?,
        HookKind::Wer { folder, waiting, .. } => sweep(&told, folder, *waiting, &folder::WER)?,
        HookKind::Apport { folder, waiting, .. } => sweep(&told, folder, *waiting, &folder::APPORT)?,
        HookKind::Abrt { folder, .. } => {
            // abrt says when the folder is complete.
            let waiting = Waiting { watch: false, settle: Duration::ZERO };
            sweep(&told, &real(folder)?, waiting, &folder::ABRT)?
        }
        HookKind::Crashpad { database, watch, .. } => {
            let leave = |name: &OsStr, reason: &str| told.left(name, reason);
            crashpad::run(&desk, database, *watch, &|done| told.tell(done), &leave)?
        }
        HookKind::SentryNative { envelope, then, .. } => one_file(&told, envelope, then, true)?,
        HookKind::Breakpad { dump, then, .. } => one_file(&told, dump, then, false)?,
        HookKind::Resume { .. } => {
            desk.resume(&mut desk.worker(), &mut |done| told.tell(done))?;
            Sweep::default()
        }
        HookKind::Work { .. } => return Err(Error::Internal("starting a worker")),
    };
    told::is_whole()?;
    Ok(told.code(left))
}

/// A policy for a hook: one that runs as root trusts only what root alone can write.
fn policy(path: &Path) -> Result<Policy> {
    match worker::is_root() {
        true => Policy::read_trusted(path),
        false => Policy::read(path),
    }
}

fn log_of(kind: &HookKind, desk: &Desk) -> Option<PathBuf> {
    matches!(kind, HookKind::CorePattern { .. }).then(|| desk.state.path().join("hook.log"))
}

fn sweep(told: &Told<'_>, path: &Path, waiting: Waiting, kind: &folder::Kind) -> Result<Sweep> {
    let manner = Manner { watch: waiting.watch, settle: waiting.settle, kind };
    folder::run(told.desk, path, &manner, &|done| told.tell(done), &|name, reason| told.left(name, reason))
}

fn one_file(told: &Told<'_>, path: &Path, then: &[OsString], any: bool) -> Result<Sweep> {
    let done = file::decide(told.desk, path, any)?;
    told.tell(done.clone());
    file::hand_on(&done, path, then)?;
    told.desk.resume(&mut told.desk.worker(), &mut |done| told.tell(done))?;
    Ok(Sweep::default())
}

/// The working directory by its name: a hook that is called in the folder that it is for.
fn real(folder: &Path) -> Result<PathBuf> {
    match folder == Path::new(".") {
        true => std::env::current_dir().map_err(|source| Error::Open { path: folder.to_owned(), source }),
        false => Ok(folder.to_owned()),
    }
}

/// Tells of decisions, and remembers the worst.
struct Told<'a> {
    desk: &'a Desk,
    common: &'a Common,
    worst: Mutex<Option<Fate>>,
}

impl Told<'_> {
    fn tell(&self, done: Done) {
        told::log(&done);
        let kept = self.desk.quarantine.usage().unwrap_or_default();
        if let Err(error) = told::count(&self.desk.state, &done, kept, self.common.metrics_file.as_deref()) {
            complain("warning", error);
        }
        if self.desk.kind == CORE_PATTERN && done.fate == Fate::FailedClosed {
            to_kernel(&format!("{} failed closed: {}", done.name, done.reasons.join("; ")));
        }
        if let Ok(mut worst) = self.worst.lock() {
            *worst = (*worst).max(Some(done.fate));
        }
    }

    fn left(&self, name: &OsStr, reason: &str) {
        told::log_left(self.desk.kind, &name.to_string_lossy(), reason);
    }

    fn code(&self, sweep: Sweep) -> u8 {
        let worst = self.worst.lock().ok().and_then(|worst| *worst);
        match worst {
            Some(Fate::FailedClosed) => exit::ERROR,
            Some(Fate::Quarantined) => exit::FINDINGS,
            _ if sweep.left > 0 => exit::GAP,
            _ => exit::CLEAN,
        }
    }
}

/// A hook of the kernel has nobody else to tell: one line in the kernel's log, which takes each write for a line.
fn to_kernel(text: &str) {
    if let Ok(mut log) = File::options().write(true).open("/dev/kmsg") {
        let _ = log.write_all(format!("<3>dumpscrub: {}\n", crate::report::Inert(text)).as_bytes());
    }
}

/// The worker: looks at one dump after the other.
fn work(common: &Common, threads: u16) -> Result<u8> {
    let failed = |source| Error::Write { what: "the worker's answers".to_owned(), source };
    // Before the policy, of which all threads read the rules.
    parallel::set_threads(threads.into())?;
    let policy = policy(&common.policy)?;
    worker::confine(policy.limits.memory).map_err(failed)?;
    let engine = || Engine::new(detect::detectors_with(&policy.rules, policy.profile)?);
    let folder = policy.folders.spool.clone().unwrap_or_else(|| policy.folders.state.clone());
    let mut settings = Settings { folder, ..Settings::default() };
    if let Some(limit) = policy.limits.spool {
        (settings.limits.modest, settings.limits.bytes) = (limit, limit);
    }
    let (engine, fresh) = (engine()?, engine()?);
    let accepted = policy.read_baseline()?;
    let judge = Judge { engine: &engine, fresh: &fresh, policy: &policy, accepted, settings };
    let work = Folder::private(&policy.folders.state)?.ensure("items").map_err(failed)?;
    let answer = |request: &Request| {
        let judged = crash::guard("deciding on this dump", || look(&judge, &work, request));
        let verdict = judged.and_then(|judged| judged);
        verdict.unwrap_or_else(|error| Verdict::quarantine(format!("it could not be decided on: {error}")))
    };
    worker::serve(io::stdin().lock(), io::stdout().lock(), answer).map_err(failed)?;
    Ok(exit::CLEAN)
}

fn look(judge: &Judge<'_>, work: &Folder, request: &Request) -> Result<Verdict> {
    let failed = |source| Error::Open { path: work.path().join(&request.id), source };
    let folder = work.inside(OsStr::new(&request.id)).map_err(failed)?;
    let file = folder.read(OsStr::new(ORIGINAL)).map_err(failed)?;
    let file = file.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let len = file.metadata().map_err(failed)?.len();
    if len == 0 {
        return Ok(Verdict::quarantine("it is empty (0 bytes): there is no dump in it"));
    }
    let image = Image::from_file("dump".to_owned(), file, len);
    let mut draft = || folder.remove(OsStr::new(DRAFT)).and_then(|()| folder.create(OsStr::new(DRAFT))).map_err(failed);
    judge.judge(image, request.any, &mut draft)
}
