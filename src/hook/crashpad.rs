//! `crashpad`: a Crashpad database, each report in its place and under the lock that Crashpad honours.
//!
//! ```text
//! Linux, Android: pending/ completed/  <uuid>.dmp  <uuid>.meta  <uuid>.lock   attachments/<uuid>/
//! macOS:          pending/ completed/  <uuid>.dmp, locked by flock             attachments/<uuid>/
//! Windows:        reports/             <uuid>.dmp  metadata                    attachments/<uuid>/
//! ```
//! (client/crash_report_database_generic.cc, _mac.mm and _win.cc of Crashpad.) A report in `new/` is still being written.
//!
//! The lock on Linux is a file that is created exclusively and holds the time as a `time_t`; while it is there Crashpad answers
//! that the report is busy, and when it is older than three days its prune thread removes it. Behind the time we write our
//! name, so that a lock that a killed hook left is known as ours: only one hook works on a database at a time.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::hook::desk::Desk;
use crate::hook::folder::{self, Kind, Sweep};
use crate::hook::item::now;
use crate::hook::place::{self, Folder};
use crate::hook::told;
use crate::hook::verdict::{Done, Fate};
use crate::hook::watch::Watch;
use crate::hook::worker::Worker;

/// Our name in a lock.
const OURS: &[u8] = b"dumpscrub";
/// Age, in seconds, at which Crashpad itself takes a lock for left over.
const EXPIRED: u64 = 3 * 24 * 60 * 60;
/// Between two looks at a database.
const LOOK: Duration = Duration::from_secs(1);

/// Decides on every report of the database at `path`, and where `watch` says so on everything that comes.
///
/// # Errors
/// When it is no database or cannot be read.
pub fn run(desk: &Desk, path: &Path, watch: bool, tell: &dyn Fn(Done), leave: &dyn Fn(&OsStr, &str)) -> Result<Sweep> {
    let database = Folder::open(path)?;
    if !database.lock().map_err(|error| database.fault(error.to_string()))? {
        return Err(database.fault("another dumpscrub works on it (its lock is held); only one may"));
    }
    let mut worker = desk.worker();
    desk.resume(&mut worker, &mut |done| tell(done))?;
    let folders = folders(&database)?;
    let notices = if watch { Some(watch_all(&folders)?) } else { None };
    let (mut known, mut tried) = (HashMap::new(), Tried::new());
    loop {
        let mut left = 0;
        for folder in &folders {
            told::is_whole()?;
            for (name, reason) in sweep(desk, &mut worker, &database, folder, &mut tried, tell)? {
                left += 1;
                if known.insert(name.clone(), reason.clone()).is_none_or(|old| old != reason) {
                    leave(&name, &reason);
                }
            }
            desk.ledger.prune(folder).map_err(|error| folder.fault(error.to_string()))?;
        }
        let Some(notices) = &notices else { return Ok(Sweep { left }) };
        notices.wait(LOOK)?;
        [&database].into_iter().chain(&folders).try_for_each(folder::is_there)?;
    }
}

/// The folders with reports that are complete.
fn folders(database: &Folder) -> Result<Vec<Folder>> {
    let mut folders = Vec::new();
    for name in ["pending", "completed", "reports"] {
        match database.inside(OsStr::new(name)) {
            Ok(folder) => folders.push(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(database.fault(format!("{name}: {error}"))),
        }
    }
    match folders.is_empty() {
        true => {
            Err(database.fault("it has none of the folders pending, completed and reports: it is no Crashpad database"))
        }
        false => Ok(folders),
    }
}

fn watch_all(folders: &[Folder]) -> Result<Watch> {
    let mut all = folders.iter();
    let Some(first) = all.next() else { return Err(crate::error::Error::Internal("watching a database")) };
    let watch = Watch::new(first)?;
    all.try_for_each(|folder| watch.add(folder))?;
    Ok(watch)
}

/// Decides on the reports of one folder; returns those that were left, and why.
fn sweep(
    desk: &Desk,
    worker: &mut Worker<'_>,
    database: &Folder,
    folder: &Folder,
    tried: &mut Tried,
    tell: &dyn Fn(Done),
) -> Result<Vec<(OsString, String)>> {
    let failed = |error: io::Error| folder.fault(error.to_string());
    let mut left = Vec::new();
    for name in folder.names().map_err(failed)? {
        let Some(uuid) = Path::new(&name).file_stem().filter(|_| name.as_encoded_bytes().ends_with(b".dmp")) else {
            continue;
        };
        let identity = folder.look(&name).map_err(failed)?;
        let attachments = attachments(database, uuid).map_err(failed)?;
        let is_known = identity.is_some_and(|identity| desk.ledger.knows(&identity));
        let is_all_known =
            attachments.iter().flat_map(|(folder, names)| names.iter().map(move |name| folder.look(name)));
        if is_known && is_all_known.flatten().flatten().all(|identity| desk.ledger.knows(&identity)) {
            continue;
        }
        if tried.get(&name).is_some_and(|at| at.elapsed() < folder::AGAIN) {
            continue;
        }
        match Lock::take(folder, uuid, &name) {
            Ok(lock) => {
                if report(desk, worker, folder, &name, attachments, tell) {
                    tried.remove(&name);
                } else {
                    tried.insert(name, Instant::now());
                    lock.stay();
                }
            }
            // Crashpad moved it to another of its folders, or removed it, since it was seen.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => left.push((name.clone(), error.to_string())),
        }
    }
    Ok(left)
}

/// The files that are uploaded with a report.
fn attachments(database: &Folder, uuid: &OsStr) -> io::Result<Option<(Folder, Vec<OsString>)>> {
    let none = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    let folder = database.inside(OsStr::new("attachments")).and_then(|folder| folder.inside(uuid));
    folder.map_or_else(none, |folder| folder.names().map(|names| Some((folder, names))))
}

/// Decides on a report and what goes with it. An attachment that does not go on is taken out of the report; of a report whose dump
/// does not go on the record is removed too. Returns whether everything was decided on.
fn report(
    desk: &Desk,
    worker: &mut Worker<'_>,
    folder: &Folder,
    name: &OsStr,
    attachments: Option<(Folder, Vec<OsString>)>,
    tell: &dyn Fn(Done),
) -> bool {
    let mut is_decided = true;
    let mut tell = |done: Done| {
        is_decided &= done.fate != Fate::FailedClosed;
        tell(done);
    };
    let kind = Kind { wanted: |_| true, in_place: true, any: true };
    for (folder, name) in attachments.iter().flat_map(|(folder, names)| names.iter().map(move |name| (folder, name))) {
        if folder.look(name).is_ok_and(|identity| identity.is_some_and(|identity| desk.ledger.knows(&identity))) {
            continue;
        }
        let done = folder::decide(desk, worker, folder, name, &kind);
        let done = done.unwrap_or_else(|error| folder::refused(desk, name, &error));
        // Attachments of all reports have the same names.
        let report = folder.path().file_name().unwrap_or_default().display();
        tell(Done { name: format!("{report}/{}", done.name), ..done });
    }
    let done = folder::decide(desk, worker, folder, name, &Kind { any: false, ..kind });
    let done = done.unwrap_or_else(|error| folder::refused(desk, name, &error));
    if done.fate == Fate::Quarantined {
        let meta = Path::new(name).with_extension("meta");
        // A record of a report that is gone is removed by Crashpad too.
        let _ = folder.remove(meta.as_os_str());
    }
    tell(done);
    is_decided
}

/// Reports that were tried in vain, and when.
type Tried = HashMap<OsString, Instant>;

/// The lock of a report, ours until it is dropped.
struct Lock<'a> {
    folder: &'a Folder,
    name: OsString,
    stays: bool,
    _dump: std::fs::File,
}

impl<'a> Lock<'a> {
    /// Takes the lock in every way that Crashpad knows: the file on Linux, `flock` on macOS.
    fn take(folder: &'a Folder, uuid: &OsStr, dump: &OsStr) -> io::Result<Self> {
        let file = folder.take(dump)?.file;
        if !place::lock(&file)? {
            return Err(io::Error::other("another process holds the lock of this report"));
        }
        let mut name = uuid.to_owned();
        name.push(".lock");
        let mut lock = match folder.create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                take_over(folder, &name)?;
                folder.create(&name)?
            }
            created => created?,
        };
        lock.write_all(&now().to_ne_bytes())?;
        lock.write_all(OURS)?;
        Ok(Self { folder, name, stays: false, _dump: file })
    }

    /// Leaves the file where it is: Crashpad passes over a report that could not be decided on, until this lock expires. The
    /// next look knows it as ours.
    fn stay(mut self) {
        self.stays = true;
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if !self.stays {
            // One that cannot be removed is known as ours by the next hook, and expires.
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// Removes a lock that nobody holds any more: ours, because no other hook is here, or one that has expired.
fn take_over(folder: &Folder, name: &OsStr) -> io::Result<()> {
    let mut content = Vec::new();
    folder.take(name)?.file.take(64).read_to_end(&mut content)?;
    let time = content.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
    let is_ours = content.get(8..) == Some(OURS);
    match time {
        Some(time) if is_ours || now().saturating_sub(time) > EXPIRED => folder.remove(name),
        _ => Err(io::Error::other(format!("{} is there: another process works on this report", name.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().canonicalize().unwrap()).unwrap();
        std::fs::write(place.path().join("a.dmp"), "dump").unwrap();
        (place, folder)
    }

    fn take(folder: &Folder) -> io::Result<Lock<'_>> {
        Lock::take(folder, OsStr::new("a"), OsStr::new("a.dmp"))
    }

    #[test]
    fn a_lock_begins_with_the_time_and_goes_when_it_is_dropped() {
        let (place, folder) = folder();
        let lock = take(&folder).unwrap();
        let content = std::fs::read(place.path().join("a.lock")).unwrap();
        assert!(now() - u64::from_ne_bytes(*content.first_chunk().unwrap()) < 60);
        assert!(take(&folder).is_err(), "the dump is locked");
        drop(lock);
        assert_eq!(folder.names().unwrap(), ["a.dmp"]);
        take(&folder).unwrap().stay();
        assert_eq!(folder.names().unwrap(), ["a.dmp", "a.lock"], "it could not be decided on");
        drop(take(&folder).unwrap());
        assert_eq!(folder.names().unwrap(), ["a.dmp"]);
        std::fs::remove_file(place.path().join("a.dmp")).unwrap();
        let gone = take(&folder).err().unwrap();
        assert_eq!(
            gone.kind(),
            io::ErrorKind::NotFound,
            "Crashpad moved it: that is no reason to say that it was left"
        );
    }

    #[test]
    fn a_lock_of_crashpad_is_honoured_until_it_expires() {
        let (place, folder) = folder();
        let write = |time: u64, more: &[u8]| {
            let content = [&time.to_ne_bytes()[..], more].concat();
            std::fs::write(place.path().join("a.lock"), content).unwrap();
        };
        write(now(), b"");
        assert!(take(&folder).is_err());
        assert!(place.path().join("a.lock").exists());
        write(now() - EXPIRED - 60, b"");
        drop(take(&folder).unwrap());
        write(now(), OURS);
        drop(take(&folder).unwrap());
        std::fs::write(place.path().join("a.lock"), "cut").unwrap();
        assert!(take(&folder).is_err());
    }
}
