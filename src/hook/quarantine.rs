//! Quarantine: dumps that must not go on, each with the reason beside it, until a person decides.
//!
//! ```text
//! <quarantine>/<id>.dump   the dump as it came, which only the hook's user reads
//!              <id>.json   where it came from, and why it is here; no byte of a secret
//! ```
//!
//! Nothing leaves it by itself. When it is full, nothing comes in either, and the hook says so.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hook::item::{Item, ORIGINAL};
use crate::hook::place::{self, Folder};
use crate::hook::verdict::Verdict;

const LOCK: &str = ".lock";

/// How much may be in it.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Bytes on disk.
    pub bytes: u64,
    /// Dumps.
    pub count: usize,
}

/// The folder.
#[derive(Debug)]
pub struct Quarantine {
    folder: Folder,
    quota: Quota,
}

/// Why a dump is in quarantine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reason {
    /// The format of this file.
    pub version: u32,
    /// The dump's number.
    pub id: String,
    /// The hook that took it.
    pub kind: String,
    /// What it was called.
    pub name: String,
    /// The folder that it came from, where it came from one.
    pub folder: Option<String>,
    /// When it was taken, in seconds since 1970.
    pub time: u64,
    /// What was found, and why it does not go on.
    pub verdict: Verdict,
}

/// A dump in quarantine.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// Its length in bytes.
    pub len: u64,
}

/// What is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on disk.
    pub bytes: u64,
    /// Dumps.
    pub count: usize,
}

/// Whether a dump was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// It is in.
    Kept,
    /// There is no room for it, and why.
    Full(String),
}

impl Quarantine {
    /// Opens it, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Place`] where it is not ours alone.
    pub fn open(path: &Path, quota: Quota) -> Result<Self> {
        Ok(Self { folder: Folder::private(path)?, quota })
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Takes the dump of an item, by renaming it, if there is room.
    ///
    /// # Errors
    /// What the system says; then it is still in the item.
    pub fn put(&self, item: &Item, verdict: &Verdict) -> io::Result<Put> {
        let _turn = self.turn()?;
        let (dump, note) = names(&item.id);
        let Some(original) = item.original()? else {
            // A kill came between the rename and what follows it.
            return match self.folder.look(&dump)? {
                Some(_) => Ok(Put::Kept),
                None => Err(io::Error::other("our own copy of the dump is gone")),
            };
        };
        let (usage, more) = (self.usage()?, original.metadata()?.blocks() * 512);
        if usage.count >= self.quota.count || usage.bytes.saturating_add(more) > self.quota.bytes {
            let Quota { bytes, count } = self.quota;
            return Ok(Put::Full(format!(
                "quarantine is full: {} dumps of {count} and {} bytes of {bytes}, and this one needs {more}; make room with \
                 dumpscrub quarantine purge",
                usage.count, usage.bytes
            )));
        }
        let ticket = &item.ticket;
        let reason = Reason {
            version: 1,
            id: item.id.clone(),
            kind: ticket.kind.clone(),
            name: ticket.name.clone(),
            folder: ticket.source.as_ref().map(|source| source.folder.display().to_string()),
            time: ticket.time,
            verdict: verdict.clone(),
        };
        self.folder.write(&note, &serde_json::to_vec_pretty(&reason)?)?;
        item.folder().rename(OsStr::new(ORIGINAL), &self.folder, &dump)?;
        self.folder.sync()?;
        Ok(Put::Kept)
    }

    /// What is in it, in the order of their numbers. A note without a dump is what a kill left, and is nothing.
    ///
    /// # Errors
    /// [`Error::Place`] where one cannot be read.
    pub fn list(&self) -> Result<Vec<Kept>> {
        let names = self.folder.names().map_err(|error| self.failed(&error))?;
        let ids = names.iter().filter_map(|name| name.to_str()?.strip_suffix(".dump"));
        ids.map(|id| self.find(id)).collect()
    }

    /// The dump with this number.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is none; [`Error::Place`] where its note cannot be read.
    pub fn find(&self, id: &str) -> Result<Kept> {
        let (dump, note) = names(id);
        let looked = if is_id(id) { self.folder.look(&dump) } else { Ok(None) };
        let Some(identity) = looked.map_err(|error| self.failed(&error))? else {
            let place = self.folder.path().display();
            return Err(Error::Usage(format!(
                "there is no dump {id} in {place}; dumpscrub quarantine list names them"
            )));
        };
        let file = self.folder.read(&note).map_err(|error| self.failed(&error))?;
        let reason = file.map(|file| serde_json::from_reader(io::BufReader::new(file))).transpose();
        let reason: Option<Reason> = reason.map_err(|error| self.failed(&error.into()))?;
        let reason = reason.unwrap_or_else(|| Reason {
            version: 1,
            id: id.to_owned(),
            kind: "?".to_owned(),
            name: "?".to_owned(),
            folder: None,
            time: 0,
            verdict: Verdict::quarantine("the note that says why is gone"),
        });
        Ok(Kept { reason, len: identity.size })
    }

    /// Moves a dump, as it is and with all that it holds, to `to` under `name`.
    ///
    /// # Errors
    /// Where there is none, the name is taken, or it cannot be moved.
    pub fn release(&self, id: &str, to: &Folder, name: &OsStr) -> Result<Kept> {
        let kept = self.find(id)?;
        let (dump, note) = names(id);
        let failed = |error: io::Error| to.fault(format!("{}: {error}", name.display()));
        let file = self.folder.read(&dump).map_err(failed)?;
        file.map_or(Ok(()), |file| to.hand_over(&file)).map_err(failed)?;
        self.folder.rename(&dump, to, name).map_err(failed)?;
        self.folder.remove(&note).and_then(|()| to.sync()).map_err(failed)?;
        Ok(kept)
    }

    /// Removes a dump for good.
    ///
    /// # Errors
    /// Where there is none, or it cannot be removed.
    pub fn purge(&self, id: &str) -> Result<Kept> {
        let kept = self.find(id)?;
        let (dump, note) = names(id);
        let gone = self.folder.remove(&dump).and_then(|()| self.folder.remove(&note));
        gone.and_then(|()| self.folder.sync()).map_err(|error| self.failed(&error))?;
        Ok(kept)
    }

    /// What is in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for name in self.folder.names()? {
            if Path::new(&name).extension().is_none_or(|end| end != "dump") {
                continue;
            }
            if let Some(file) = self.folder.read(&name)? {
                usage.bytes += file.metadata()?.blocks() * 512;
                usage.count += 1;
            }
        }
        Ok(usage)
    }

    /// One after the other, so that the quota is asked and filled in one step.
    fn turn(&self) -> io::Result<File> {
        let lock = self.folder.keep(LOCK)?;
        place::lock_in_turn(&lock)?;
        Ok(lock)
    }

    fn failed(&self, error: &io::Error) -> Error {
        self.folder.fault(error.to_string())
    }
}

/// The names of a dump and its note.
fn names(id: &str) -> (OsString, OsString) {
    (format!("{id}.dump").into(), format!("{id}.json").into())
}

/// Numbers are made of digits and dashes; nothing else is a part of a path.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_digit() || c == '-')
}
