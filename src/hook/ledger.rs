//! Which files that stay in their places were decided on already, so that each is decided on once.
//!
//! An entry is named by the file's number on its file system and holds what the file was; a file that was written to since is
//! another one. Entries whose file is gone are removed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::hook::identity::Identity;
use crate::hook::item::Source;
use crate::hook::place::Folder;

/// The entries.
#[derive(Debug)]
pub struct Ledger {
    folder: Folder,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    folder: PathBuf,
    name: OsString,
    identity: Identity,
}

impl Ledger {
    /// The one in the state folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(state: &Folder) -> io::Result<Self> {
        Ok(Self { folder: state.ensure("ledger")? })
    }

    /// Writes down that `source` was decided on, and that `now` stands in its place.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&self, source: &Source, now: &Identity) -> io::Result<()> {
        let entry = Entry { folder: source.folder.clone(), name: source.name.clone(), identity: *now };
        self.folder.write(&name_of(now), &serde_json::to_vec(&entry)?)
    }

    /// Whether this file was decided on. An entry that cannot be read is none: then it is decided on again. So is a file that was
    /// only renamed: all but the time of the last change of any kind can be set by its owner, and a number is given to new files.
    #[must_use]
    pub fn knows(&self, identity: &Identity) -> bool {
        let entry = self.entry(&name_of(identity));
        entry.is_some_and(|entry| entry.identity == *identity)
    }

    /// Removes the entries of `folder` whose files are gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn prune(&self, folder: &Folder) -> io::Result<()> {
        for name in self.folder.names()? {
            let Some(entry) = self.entry(&name).filter(|entry| entry.folder == folder.path()) else { continue };
            let is_there = folder.look(&entry.name)?.is_some_and(|now| now.ino == entry.identity.ino);
            if !is_there {
                self.folder.remove(&name)?;
            }
        }
        Ok(())
    }

    fn entry(&self, name: &OsStr) -> Option<Entry> {
        let file = self.folder.read(name).ok()??;
        serde_json::from_reader(io::BufReader::new(file)).ok()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn name_of(identity: &Identity) -> OsString {
    format!("{}-{}", identity.dev, identity.ino).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_until_it_is_written_to() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().canonicalize().unwrap();
        let (state, folder) = (Folder::private(&path.join("state")).unwrap(), Folder::open(&path).unwrap());
        let ledger = Ledger::open(&state).unwrap();
        std::fs::write(path.join("a"), "one").unwrap();
        let look = || folder.look(OsStr::new("a")).unwrap().unwrap();
        let source = Source { folder: path.clone(), name: "a".into(), identity: look() };
        assert!(!ledger.knows(&look()));
        ledger.add(&source, &look()).unwrap();
        assert!(ledger.knows(&look()));
        ledger.prune(&folder).unwrap();
        assert!(ledger.knows(&look()));
        std::fs::write(path.join("a"), "longer").unwrap();
        assert!(!ledger.knows(&look()));
        // Of the same length, and its time put back, as copies are that keep times.
        ledger.add(&source, &look()).unwrap();
        let time = path.join("a").metadata().unwrap().modified().unwrap();
        std::fs::write(path.join("a"), "LONGER").unwrap();
        std::fs::File::open(path.join("a")).unwrap().set_modified(time).unwrap();
        assert!(!ledger.knows(&look()));
        std::fs::remove_file(path.join("a")).unwrap();
        ledger.prune(&folder).unwrap();
        assert!(ledger.folder.names().unwrap().is_empty());
    }
}
