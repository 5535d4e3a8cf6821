//! The decision that every hook shares: one dump in; passed, redacted, quarantined or failed closed comes out.
//!
//! ```text
//! slot -> our own copy -> is the source unchanged? -> a worker's verdict, written down -> carried out -> source removed
//! ```
//!
//! What goes on is always a file that we wrote: nobody who has the source open can change it afterwards. Nothing is removed
//! before what takes its place is on disk.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::hook::item::{Goal, Item, ORIGINAL, REDACTED, Source, Ticket, now};
use crate::hook::ledger::Ledger;
use crate::hook::place::Folder;
use crate::hook::put_back;
use crate::hook::quarantine::{Put, Quarantine, Quota};
use crate::hook::slots::Slots;
use crate::hook::verdict::{Choice, Done, Fate, Verdict};
use crate::hook::worker::{How, Worker};
use crate::policy::Policy;

/// Dumps that quarantine may hold, however small they are.
const MOST_KEPT: usize = 10_000;

/// Everything that a hook works with.
#[derive(Debug)]
pub struct Desk {
    /// The hook's name.
    pub kind: &'static str,
    /// What was decided already about files that stay where they are.
    pub ledger: Ledger,
    /// Dumps that must not go on.
    pub quarantine: Quarantine,
    /// Our own folder.
    pub state: Folder,
    work: Folder,
    release: Folder,
    slots: Slots,
    how: How,
    /// How many dumps are worked on at once.
    pub slot_count: usize,
    most: u64,
}

/// A dump that comes in.
pub struct Incoming<'a> {
    /// What reports call it.
    pub name: String,
    /// Where it came from, where it is a file.
    pub source: Option<Source>,
    /// Its bytes.
    pub bytes: &'a mut dyn Read,
    /// The file, where it is one: to see whether it changed while it was copied.
    pub file: Option<&'a File>,
    /// Where it goes.
    pub goal: Goal,
    /// Whether it may be a file that is no dump.
    pub any: bool,
}

impl Desk {
    /// Opens the folders of `policy`, which was read from `path`, for the hook `kind`.
    ///
    /// # Errors
    /// [`Error::Place`] where a folder is not to be used.
    pub fn open(kind: &'static str, policy: &Policy, path: &Path) -> Result<Self> {
        let (folders, limits) = (&policy.folders, &policy.limits);
        let state = Folder::private(&folders.state)?;
        let release = Folder::guarded(&folders.release)?;
        let quota = Quota { bytes: folders.quarantine_quota, count: MOST_KEPT };
        let quarantine = Quarantine::open(&folders.quarantine, quota)?;
        for other in [&release, quarantine.folder()] {
            if std::os::unix::fs::MetadataExt::dev(&other.meta()?)
                != std::os::unix::fs::MetadataExt::dev(&state.meta()?)
            {
                let state = state.path().display();
                let reason = format!(
                    "it is on another file system than {state}; dumps are moved by renaming, so put them on one"
                );
                return Err(other.fault(reason));
            }
        }
        let failed = |error: io::Error| state.fault(error.to_string());
        let work = state.ensure("items").map_err(failed)?;
        let ledger = Ledger::open(&state).map_err(failed)?;
        let slots = Slots::new(&state, limits.slots).map_err(failed)?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let path = std::path::absolute(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let how = How::this_program(&path, (cores / limits.slots.max(1)).max(1), limits.time);
        let (slot_count, most) = (limits.slots.max(1), limits.spool.unwrap_or(u64::MAX));
        Ok(Self { kind, ledger, quarantine, state, work, release, slots, how, slot_count, most })
    }

    /// Whether dumps may come from `folder`: not from one of our own, where they would go round in circles.
    ///
    /// # Errors
    /// [`Error::Place`] where they may not.
    pub fn may_come_from(&self, folder: &Folder) -> Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let which = |folder: &Folder| folder.meta().map(|meta| (meta.dev(), meta.ino()));
        let ours = [("release", &self.release), ("quarantine", self.quarantine.folder()), ("state", &self.state)];
        for (name, ours) in ours {
            if which(ours)? == which(folder)? {
                return Err(folder.fault(format!("it is the {name} folder of the policy; dumps come from another one")));
            }
        }
        Ok(())
    }

    /// A worker that is not started yet.
    #[must_use]
    pub fn worker(&self) -> Worker<'_> {
        Worker::new(&self.how)
    }

    /// Decides about a dump and carries it out.
    pub fn decide(&self, worker: &mut Worker<'_>, incoming: Incoming<'_>) -> Done {
        let start = Instant::now();
        let (name, kind) = (incoming.name.clone(), self.kind.to_owned());
        let closed = |id: String, reason: String| Done {
            kind: kind.clone(),
            id,
            name: name.clone(),
            fate: Fate::FailedClosed,
            reasons: vec![reason],
            verdict: None,
            seconds: start.elapsed().as_secs_f64(),
        };
        let _slot = match self.slots.wait(self.how.time) {
            Ok(Some(slot)) => slot,
            Ok(None) => {
                let reason = format!("no slot came free within {} seconds", self.how.time.as_secs());
                return closed(String::new(), reason);
            }
            Err(error) => return closed(String::new(), format!("slots cannot be used: {error}")),
        };
        let item = match self.take(incoming) {
            Ok(item) => item,
            Err((id, reason)) => return closed(id, reason),
        };
        let mut done = self.carry_on(item, worker);
        done.seconds = start.elapsed().as_secs_f64();
        done
    }

    /// Makes our own copy of what comes in.
    fn take(&self, incoming: Incoming<'_>) -> std::result::Result<Item, (String, String)> {
        let Incoming { name, source, bytes, file, goal, any } = incoming;
        let ticket = Ticket { kind: self.kind.to_owned(), name, source, goal, any, time: now() };
        let item = Item::new(&self.work, ticket);
        let item = item.map_err(|error| (String::new(), format!("the state folder cannot be written: {error}")))?;
        let filled = item.fill(bytes, self.most).map_err(|failed| format!("it could not be copied: {failed}"));
        let checked = filled.and_then(|_| match (file, &item.ticket.source) {
            (Some(file), Some(source)) => unchanged(file, source),
            _ => Ok(()),
        });
        match checked {
            Ok(()) => Ok(item),
            Err(reason) => {
                let id = item.id.clone();
                // What cannot be removed is removed by the next one who looks for what was left.
                let _ = item.close(&self.work);
                Err((id, reason))
            }
        }
    }

    /// Goes on with everything that was left by processes that died. Items that others work on are left to them.
    ///
    /// # Errors
    /// [`Error::Place`] where the work folder cannot be read.
    pub fn resume(&self, worker: &mut Worker<'_>, tell: &mut dyn FnMut(Done)) -> Result<()> {
        for id in self.work.names().map_err(|error| self.work.fault(error.to_string()))? {
            match Item::left(&self.work, &id) {
                Ok(None) => {}
                Ok(Some(item)) => {
                    let is_begun = item.original().is_ok_and(|file| file.is_some())
                        || item.verdict().is_ok_and(|verdict| verdict.is_some());
                    if is_begun {
                        let _slot = self.slots.wait(self.how.time);
                        tell(self.carry_on(item, worker));
                    } else {
                        // Our copy was not complete: the source is still there, or what came through a pipe is lost.
                        let _ = item.close(&self.work);
                    }
                }
                Err(error) => {
                    let reason = format!("what was left of it cannot be read, and stays in the state folder: {error}");
                    let (id, kind) = (id.to_string_lossy().into_owned(), self.kind.to_owned());
                    let (name, fate) = (id.clone(), Fate::FailedClosed);
                    tell(Done { kind, id, name, fate, reasons: vec![reason], verdict: None, seconds: 0.0 });
                }
            }
        }
        Ok(())
    }

    /// Decides, unless that was done before, and carries out what was decided.
    fn carry_on(&self, item: Item, worker: &mut Worker<'_>) -> Done {
        let start = Instant::now();
        let told = |fate, reasons, verdict| Done {
            kind: item.ticket.kind.clone(),
            id: item.id.clone(),
            name: item.ticket.name.clone(),
            fate,
            reasons,
            verdict,
            seconds: start.elapsed().as_secs_f64(),
        };
        let stays = format!("; it stays in {}", item.folder().path().display());
        let verdict = match self.verdict(&item, worker) {
            Ok(verdict) => verdict,
            Err(error) => {
                let reason = format!("the decision could not be written down: {error}{stays}");
                return told(Fate::FailedClosed, vec![reason], None);
            }
        };
        match self.carry_out(&item, &verdict) {
            Ok(Outcome::Done(fate)) => {
                let done = told(fate, verdict.reasons.clone(), Some(verdict));
                let _ = item.close(&self.work);
                done
            }
            Ok(Outcome::Dropped(reason)) => {
                let reasons = verdict.reasons.iter().cloned().chain([reason]).collect();
                let done = told(Fate::FailedClosed, reasons, Some(verdict));
                let _ = item.close(&self.work);
                done
            }
            Err(error) => {
                let reasons = verdict.reasons.iter().cloned().chain([format!("{error}{stays}")]).collect();
                told(Fate::FailedClosed, reasons, Some(verdict))
            }
        }
    }

    fn verdict(&self, item: &Item, worker: &mut Worker<'_>) -> io::Result<Verdict> {
        if let Some(verdict) = item.verdict()? {
            return Ok(verdict);
        }
        let verdict = worker.ask(&item.id, item.ticket.any);
        item.decide(&verdict)?;
        Ok(verdict)
    }

    fn carry_out(&self, item: &Item, verdict: &Verdict) -> Result<Outcome> {
        let failed = |error: io::Error| item.folder().fault(error.to_string());
        let fate = match (verdict.choice, &item.ticket.goal) {
            (Choice::Quarantine, _) => match self.quarantine.put(item, verdict).map_err(failed)? {
                Put::Kept => Fate::Quarantined,
                Put::Full(reason) => return Ok(Outcome::Dropped(self.leave(item, reason))),
            },
            (choice, Goal::Release(name)) => {
                self.release(item, choice, name)?;
                fate_of(choice)
            }
            (choice, Goal::InPlace) => return self.settle_in_place(item, choice),
            (choice, Goal::Program(command)) => {
                let file = if choice == Choice::Redacted { item.redacted() } else { item.original() };
                hand_on(file.map_err(failed)?, command)?;
                fate_of(choice)
            }
        };
        if let Some(source) = &item.ticket.source {
            put_back::remove(source, &item.id)?;
        }
        Ok(Outcome::Done(fate))
    }

    /// There is no room in quarantine: a file stays where it is and only its owner reads it; what came through a pipe is
    /// dropped.
    fn leave(&self, item: &Item, reason: String) -> String {
        match &item.ticket.source {
            None => format!("{reason}; it came through a pipe and was dropped"),
            Some(source) => match put_back::narrow(source) {
                Ok(()) => format!("{reason}; it stays where it is, and only its owner reads it (0600)"),
                Err(error) => format!("{reason}; it stays where it is, and its mode could not be changed: {error}"),
            },
        }
    }

    /// Renames it into the release folder. Where that was done before a kill, it is done.
    fn release(&self, item: &Item, choice: Choice, name: &OsStr) -> Result<()> {
        let failed = |error: io::Error| self.release.fault(format!("{}: {error}", name.display()));
        let from = OsStr::new(if choice == Choice::Redacted { REDACTED } else { ORIGINAL });
        let Some(file) = item.folder().read(from).map_err(failed)? else { return Ok(()) };
        self.release.hand_over(&file).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        match item.folder().rename(from, &self.release, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                item.folder().rename(from, &self.release, &with_id(name, &item.id)).map_err(failed)?;
            }
            done => done.map_err(failed)?,
        }
        self.release.sync().map_err(failed)
    }

    fn settle_in_place(&self, item: &Item, choice: Choice) -> Result<Outcome> {
        let Some(source) = &item.ticket.source else {
            return Err(Error::Internal("replacing what came through a pipe"));
        };
        let failed = |error: io::Error| item.folder().fault(error.to_string());
        let now = match choice {
            Choice::Redacted => {
                let Some(new) = item.redacted().map_err(failed)? else {
                    return Err(item.folder().fault("what was redacted is gone"));
                };
                match put_back::replace(item, source, new)? {
                    Some(identity) => identity,
                    None => return Ok(Outcome::Dropped(CHANGED.to_owned())),
                }
            }
            _ => source.identity,
        };
        self.ledger.add(source, &now).map_err(failed)?;
        Ok(Outcome::Done(fate_of(choice)))
    }
}

/// How an item ended.
enum Outcome {
    Done(Fate),
    /// Nothing was passed on, and the item is not needed any more.
    Dropped(String),
}

const CHANGED: &str =
    "it changed, or went, while it was decided on; nothing was written; the next look decides on what is there";

fn fate_of(choice: Choice) -> Fate {
    match choice {
        Choice::Pass => Fate::Passed,
        Choice::Redacted => Fate::Redacted,
        Choice::Quarantine => Fate::Quarantined,
    }
}

fn unchanged(file: &File, source: &Source) -> std::result::Result<(), String> {
    match crate::hook::identity::Identity::of(file) {
        Ok(now) if now == source.identity => Ok(()),
        Ok(_) => Err("it changed while it was read: somebody still writes to it".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `a.dmp` becomes `a.<id>.dmp`: what uploaders look for stays at the end.
fn with_id(name: &OsStr, id: &str) -> OsString {
    let path = PathBuf::from(name);
    let (Some(stem), Some(end)) = (path.file_stem(), path.extension()) else {
        return [name, OsStr::new("."), OsStr::new(id)].into_iter().collect();
    };
    [stem, OsStr::new("."), OsStr::new(id), OsStr::new("."), end].into_iter().collect()
}

/// Runs a program with the dump on its standard input, and waits for it.
fn hand_on(file: Option<File>, command: &[OsString]) -> Result<()> {
    let (Some(file), Some((program, args))) = (file, command.split_first()) else {
        return Err(Error::Internal("handing a dump on"));
    };
    let failed = |reason: String| Error::Program { path: PathBuf::from(program), reason };
    let status = Command::new(program).args(args).stdin(Stdio::from(file)).stdout(Stdio::null()).status();
    let status = status.map_err(|error| failed(format!("it cannot be run: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(format!("the dump was handed on to it, and it ended with {status}"))),
    }
}

/// How long a worker may take, for hooks that wait for something else.
impl Desk {
    /// The policy's limit of time for one dump.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.how.time
    }

    /// The folder that items are in.
    #[must_use]
    pub fn work(&self) -> &Folder {
        &self.work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_dump_of_a_name_keeps_its_ending() {
        assert_eq!(with_id(OsStr::new("a.dmp"), "7-1-0"), "a.7-1-0.dmp");
        assert_eq!(with_id(OsStr::new("core"), "7-1-0"), "core.7-1-0");
    }
}
