//! A file that has no name until it is proven.
//!
//! Where the system has files without names (`O_TMPFILE`) a kill at any moment leaves nothing behind. Elsewhere the draft has
//! a name of its own, is readable by its owner only, and holds nothing that the plan takes out.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, XattrFlags};

use crate::error::{Error, Result};

/// A file being written, in the folder that it will have its name in.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Nameless(File),
    Named(tempfile::NamedTempFile),
}

impl Draft {
    /// An empty draft in the folder of `path`, mode 0600.
    ///
    /// # Errors
    /// [`Error::Write`] when nothing can be written there.
    pub fn beside(path: &Path) -> Result<Self> {
        let folder = folder_of(path);
        let failed = |source| Error::Write { what: path.display().to_string(), source };
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let body = match rustix::fs::openat(CWD, &folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Body::Nameless(file.into()),
            Err(_) => Body::Named(temporary(&folder).map_err(failed)?),
        };
        Ok(Self { folder, body })
    }

    /// The file, to write and to read.
    #[must_use]
    pub fn file(&self) -> &File {
        match &self.body {
            Body::Nameless(file) => file,
            Body::Named(file) => file.as_file(),
        }
    }

    /// Gives the draft its name. Where something has that name already it is replaced if `replace` says so, in one step.
    ///
    /// # Errors
    /// [`Error::Write`]; [`io::ErrorKind::AlreadyExists`] inside where there is such a file and it is not to be replaced.
    pub fn publish(self, path: &Path, replace: bool) -> Result<()> {
        let failed = |source: io::Error| Error::Write { what: path.display().to_string(), source };
        self.file().sync_all().map_err(failed)?;
        match self.body {
            Body::Named(file) if replace => drop(file.persist(path).map_err(|e| failed(e.error))?),
            Body::Named(file) => drop(file.persist_noclobber(path).map_err(|e| failed(e.error))?),
            Body::Nameless(file) if replace => replace_by(&file, path, &self.folder).map_err(failed)?,
            Body::Nameless(file) => link(&file, path).map_err(failed)?,
        }
        // The name is on disk only when the folder is.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Lets everybody read it: for a public key.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn share(&self) -> Result<()> {
        let shared = self.file().set_permissions(std::fs::Permissions::from_mode(0o644));
        shared.map_err(|source| Error::Write { what: "the mode of a file".to_owned(), source })
    }

    /// Gives the draft the looks of `original`: see [`look_like`].
    ///
    /// # Errors
    /// As [`look_like`].
    pub fn look_like(&self, original: &File) -> Result<()> {
        look_like(self.file(), original)
    }

    /// Gives the draft what systemd-coredump has written down of the crash in extended attributes of `original`
    /// (`user.coredump.*`: process, signal, time), because its tools look for it there. Whether that could be kept: not every
    /// file system has such attributes.
    ///
    /// # Errors
    /// [`Error::Write`] when the attributes cannot be read or written where there are some.
    pub fn keep_facts(&self, original: &File) -> Result<bool> {
        const FACTS: &[u8] = b"user.coredump.";
        match copy_attributes(original, self.file(), |name| name.starts_with(FACTS)) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTSUP.raw_os_error()) => Ok(false),
            Err(source) => Err(Error::Write { what: "the extended attributes of a dump".to_owned(), source }),
            Ok(()) => Ok(true),
        }
    }
}

/// Gives `file` the owner, the mode and the extended attributes (access control lists are some of these) of `original`,
/// because it will stand in its place.
///
/// # Errors
/// [`Error::Write`] when one of them cannot be restored: a dump that others may suddenly read, or that its collector
/// cannot, is not a dump in its place.
pub fn look_like(file: &File, original: &File) -> Result<()> {
    let failed = |source: io::Error| {
        let what = "the owner, mode or extended attributes of the original".to_owned();
        Error::Write { what, source }
    };
    let meta = original.metadata().map_err(failed)?;
    std::os::unix::fs::fchown(file, Some(meta.uid()), Some(meta.gid())).map_err(failed)?;
    file.set_permissions(std::fs::Permissions::from_mode(meta.mode() & 0o7777)).map_err(failed)?;
    copy_attributes(original, file, |_| true).map_err(failed)
}

/// Whether `path` still is the file that `original` was opened from, with the same length and time of change.
///
/// # Errors
/// [`Error::Changed`] with what is different.
pub fn is_unchanged(path: &Path, original: &Metadata) -> Result<()> {
    let changed = |what: &str| Error::Changed { path: path.display().to_string(), what: what.to_owned() };
    let now = path.metadata().map_err(|_| changed("it is gone"))?;
    if (now.dev(), now.ino()) != (original.dev(), original.ino()) {
        return Err(changed("another file has its name now"));
    }
    if now.len() != original.len() {
        return Err(changed(&format!("it was {} bytes long and is {} now", original.len(), now.len())));
    }
    let time = |meta: &Metadata| (meta.mtime(), meta.mtime_nsec());
    if time(&now) == time(original) { Ok(()) } else { Err(changed("it was written to")) }
}

/// The mode of a file, where others than its owner may do anything with it.
///
/// # Errors
/// When the system cannot tell.
pub fn open_to_others(file: &File) -> io::Result<Option<u32>> {
    let mode = file.metadata()?.mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// How many names (hard links) a file has.
///
/// # Errors
/// When the system cannot tell.
pub fn names_of(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.nlink())
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".dumpscrub-").tempfile_in(folder)
}

/// `linkat` through the descriptor's entry in /proc: the one way to name a nameless file without privileges.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let entry = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    Ok(rustix::fs::linkat(CWD, entry, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// There is no call that names a file and replaces another at once, so it gets a passing name first.
fn replace_by(file: &File, path: &Path, folder: &Path) -> io::Result<()> {
    let passing = temporary(folder)?.into_temp_path();
    std::fs::remove_file(&passing)?;
    link(file, &passing)?;
    passing.persist(path).map_err(|e| e.error)
}

fn copy_attributes(from: &File, to: &File, is_wanted: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let mut names = vec![0_u8; 64 << 10];
    let len = match rustix::fs::flistxattr(from, &mut names[..]) {
        Err(rustix::io::Errno::NOTSUP) => return Ok(()),
        listed => listed?,
    };
    names.truncate(len);
    let mut value = vec![0_u8; 64 << 10];
    for name in names.split(|&b| b == 0).filter(|name| !name.is_empty() && is_wanted(name)) {
        let len = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        rustix::fs::fsetxattr(to, name, value.get(..len).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.dmp");
        let draft = Draft::beside(&path).unwrap();
        draft.file().write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_is_given_once_and_replaced_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.dmp");
        let publish = |text: &[u8], replace| {
            let draft = Draft::beside(&path).unwrap();
            draft.file().write_all(text).unwrap();
            draft.publish(&path, replace)
        };
        publish(b"one", false).unwrap();
        let again = publish(b"two", false);
        assert!(matches!(again, Err(Error::Write { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        publish(b"three", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_happens_to_the_original_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.dmp");
        std::fs::write(&path, b"dump").unwrap();
        let meta = path.metadata().unwrap();
        is_unchanged(&path, &meta).unwrap();
        std::fs::write(&path, b"dum").unwrap();
        assert!(is_unchanged(&path, &meta).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(is_unchanged(&path, &meta).is_err());
    }
}
