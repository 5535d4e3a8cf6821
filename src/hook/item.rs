//! One dump on its way: a folder of our own in which every step is a rename, so that a kill at any moment leaves either the
//! step done or not begun.
//!
//! ```text
//! <state>/items/<id>/ticket.json    where it came from and where it is to go; then
//!                   original       our own copy, complete and on disk; then
//!                   redacted       where there is one: proven; and
//!                   verdict.json   what was decided. From here on it is never decided again, only carried out.
//! ```
//!
//! The folder is locked by whoever works on it. One that nobody has locked was left by a process that died, and is gone on with
//! by the next.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::hook::copy::{self, Failed};
use crate::hook::identity::Identity;
use crate::hook::place::Folder;
use crate::hook::verdict::Verdict;

/// Our own copy.
pub const ORIGINAL: &str = "original";
/// What takes its place.
pub const REDACTED: &str = "redacted";
/// What a worker writes until it has proven it.
pub const DRAFT: &str = "redacted.part";
const PART: &str = "original.part";
const TICKET: &str = "ticket.json";
const VERDICT: &str = "verdict.json";
const PLACED: &str = "placed.json";
/// Every file that an item may have. The ticket comes first and goes first: without one there is nothing to go on with.
const FILES: [&str; 7] = [TICKET, PART, ORIGINAL, DRAFT, REDACTED, PLACED, VERDICT];

/// Where a dump came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// The folder.
    pub folder: PathBuf,
    /// Its name there.
    pub name: OsString,
    /// What it was when it was taken.
    pub identity: Identity,
}

/// Where a dump goes if it may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// To the release folder, under this name; what it came from is removed.
    Release(OsString),
    /// To the place that it came from.
    InPlace,
    /// To the standard input of a program.
    Program(Vec<OsString>),
}

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ticket {
    /// The hook that took it.
    pub kind: String,
    /// What reports call it.
    pub name: String,
    /// Where it came from; nowhere where it came through a pipe.
    pub source: Option<Source>,
    /// Where it goes.
    pub goal: Goal,
    /// Whether it may be a file that is no dump: a log beside one.
    pub any: bool,
    /// When it was taken, in seconds since 1970.
    pub time: u64,
}

/// A dump on its way, locked by us.
#[derive(Debug)]
pub struct Item {
    /// Its name in the work folder, in the log and in quarantine.
    pub id: String,
    /// What is to be done.
    pub ticket: Ticket,
    folder: Folder,
}

impl Item {
    /// A new one.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(work: &Folder, ticket: Ticket) -> io::Result<Self> {
        loop {
            // Never the same number twice: it names the dump in quarantine too, when this folder is long gone.
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let id = format!("{}-{}-{number}", ticket.time, std::process::id());
            let folder = match work.make(OsStr::new(&id)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            };
            // Somebody who looks for what was left may have been here first: it is empty, and he removes it.
            if !folder.lock()? {
                continue;
            }
            let text = serde_json::to_vec(&ticket)?;
            if let Err(error) = folder.write(OsStr::new(TICKET), &text) {
                if folder.meta().is_ok_and(|meta| std::os::unix::fs::MetadataExt::nlink(&meta) > 0) {
                    return Err(error);
                }
                continue;
            }
            return Ok(Self { id, ticket, folder });
        }
    }

    /// One that was left, if it is: another may be working on it. What never began is removed.
    ///
    /// # Errors
    /// What the system says; a ticket that cannot be read.
    pub fn left(work: &Folder, id: &OsStr) -> io::Result<Option<Self>> {
        let folder = match work.inside(id) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if !folder.lock()? {
            return Ok(None);
        }
        let Some(file) = folder.read(OsStr::new(TICKET))? else {
            remove(work, id, &folder)?;
            return Ok(None);
        };
        let ticket = serde_json::from_reader(io::BufReader::new(file))?;
        Ok(Some(Self { id: id.to_string_lossy().into_owned(), ticket, folder }))
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Makes our own copy.
    ///
    /// # Errors
    /// [`Failed`]; then there is none.
    pub fn fill(&self, from: &mut dyn Read, most: u64) -> Result<u64, Failed> {
        self.folder.remove(OsStr::new(PART))?;
        let part = self.folder.create(OsStr::new(PART))?;
        let len = copy::copy(from, &part, &self.folder, most)?;
        self.folder.rename(OsStr::new(PART), &self.folder, OsStr::new(ORIGINAL))?;
        self.folder.sync()?;
        Ok(len)
    }

    /// Our own copy, if it is complete.
    ///
    /// # Errors
    /// What the system says.
    pub fn original(&self) -> io::Result<Option<File>> {
        self.folder.read(OsStr::new(ORIGINAL))
    }

    /// What was redacted and proven.
    ///
    /// # Errors
    /// What the system says.
    pub fn redacted(&self) -> io::Result<Option<File>> {
        self.folder.read(OsStr::new(REDACTED))
    }

    /// Writes down what was decided. What a worker wrote gets its name first.
    ///
    /// # Errors
    /// What the system says.
    pub fn decide(&self, verdict: &Verdict) -> io::Result<()> {
        if verdict.is_redacted() {
            self.folder.remove(OsStr::new(REDACTED))?;
            self.folder.rename(OsStr::new(DRAFT), &self.folder, OsStr::new(REDACTED))?;
        }
        self.folder.write(OsStr::new(VERDICT), &serde_json::to_vec(verdict)?)
    }

    /// What was decided, if it was.
    ///
    /// # Errors
    /// What the system says; a verdict that cannot be read.
    pub fn verdict(&self) -> io::Result<Option<Verdict>> {
        let file = self.folder.read(OsStr::new(VERDICT))?;
        Ok(file.map(|file| serde_json::from_reader(io::BufReader::new(file))).transpose()?)
    }

    /// Writes down which file is going to take the place of the source.
    ///
    /// # Errors
    /// What the system says.
    pub fn place(&self, new: &Identity) -> io::Result<()> {
        self.folder.write(OsStr::new(PLACED), &serde_json::to_vec(new)?)
    }

    /// The file that was going to take the place of the source.
    ///
    /// # Errors
    /// What the system says.
    pub fn placed(&self) -> io::Result<Option<Identity>> {
        let file = self.folder.read(OsStr::new(PLACED))?;
        Ok(file.map(|file| serde_json::from_reader(io::BufReader::new(file))).transpose()?)
    }

    /// Removes it and all that it still holds: everything is done.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(self, work: &Folder) -> io::Result<()> {
        remove(work, OsStr::new(&self.id), &self.folder)
    }
}

fn remove(work: &Folder, id: &OsStr, folder: &Folder) -> io::Result<()> {
    folder.remove(OsStr::new(TICKET))?;
    folder.sync()?;
    FILES.iter().try_for_each(|name| folder.remove(OsStr::new(name)))?;
    // What a kill left under a passing name.
    folder.names()?.iter().try_for_each(|name| folder.remove(name))?;
    work.remove_folder(id)
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
