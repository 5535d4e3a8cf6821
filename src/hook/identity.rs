//! Which file something is, so that nobody can put another one in its place unseen.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

/// Which file it is and what was last done to it: as long as this is equal, nobody has touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The file system.
    pub dev: u64,
    /// The file on it.
    pub ino: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Seconds and nanoseconds of the last change of its content, as its owner may set them.
    pub mtime: (i64, i64),
    /// Seconds and nanoseconds of the last change of any kind, which nobody can set.
    pub ctime: (i64, i64),
}

impl Identity {
    /// Of an open file.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.len(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// Of what stands at a name.
    #[must_use]
    pub fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            ctime: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }

    /// Whether it is the same file with the same content; renaming a file, or changing its mode, changes its `ctime` only.
    #[must_use]
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.dev, self.ino, self.size, self.mtime) == (other.dev, other.ino, other.size, other.mtime)
    }
}
