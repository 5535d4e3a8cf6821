//! Folders that others may write to, and files in them, without following what they put in the way.
//!
//! A hook often runs with more rights than those whose dumps it reads. So a folder is opened once, step by step and without
//! following a link, and from then on everything is done relative to its descriptor; a file is taken only if it is a regular
//! file with one name, and is looked at through its descriptor and never again by its name alone.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::identity::Identity;
use crate::error::{Error, Result};

/// An open folder. Its path is for messages and for finding it again; nothing is opened by it a second time.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// A regular file with one name, open for reading.
#[derive(Debug)]
pub struct Taken {
    /// The file.
    pub file: File,
    /// What it was when it was opened.
    pub identity: Identity,
}

impl Folder {
    /// Opens the folder at `path`; no part of the path may be a symbolic link.
    ///
    /// # Errors
    /// [`Error::Place`].
    pub fn open(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let failed = |errno: Errno, at: &Path| {
            let text = match errno {
                Errno::LOOP | Errno::NOTDIR => {
                    format!("{} is a symbolic link or no folder; name the folder itself", at.display())
                }
                errno => format!("{}: {}", at.display(), io::Error::from(errno)),
            };
            Error::Place { path: path.clone(), reason: text }
        };
        let mut fd = rustix::fs::openat(CWD, "/", folder_flags(), Mode::empty()).map_err(|e| failed(e, &path))?;
        let mut so_far = PathBuf::from("/");
        for part in path.components() {
            match part {
                Component::Normal(name) => {
                    so_far.push(name);
                    fd = rustix::fs::openat(&fd, name, folder_flags(), Mode::empty())
                        .map_err(|errno| failed(errno, &so_far))?;
                }
                Component::ParentDir => {
                    let reason = "it has .. in it; write it without".to_owned();
                    return Err(Error::Place { path, reason });
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Ok(Self { fd, path })
    }

    /// Opens a folder of our own, and makes it (0700) where there is none. It must be ours, and nobody else's to look into.
    ///
    /// # Errors
    /// [`Error::Place`].
    pub fn private(path: &Path) -> Result<Self> {
        let folder = Self::open_or_make(path)?;
        let meta = folder.meta()?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            let (uid, mode) = (meta.uid(), meta.mode() & 0o7777);
            let reason = format!(
                "it belongs to user {uid} and has mode {mode:04o}, expected one of our own that nobody else looks into; \
                 chown it and chmod 700 it"
            );
            return Err(folder.fault(reason));
        }
        Ok(folder)
    }

    /// Opens a folder that others may read and nobody else may write to, and makes it (0700) where there is none.
    ///
    /// # Errors
    /// [`Error::Place`].
    pub fn guarded(path: &Path) -> Result<Self> {
        let folder = Self::open_or_make(path)?;
        let (meta, us) = (folder.meta()?, rustix::process::geteuid());
        let is_ours = meta.uid() == us.as_raw() || us.is_root();
        if !is_ours || meta.mode() & 0o022 != 0 {
            let (uid, mode) = (meta.uid(), meta.mode() & 0o7777);
            let reason = format!(
                "it belongs to user {uid} and has mode {mode:04o}, expected one that nobody else can write to; chmod go-w it"
            );
            return Err(folder.fault(reason));
        }
        Ok(folder)
    }

    fn open_or_make(path: &Path) -> Result<Self> {
        match rustix::fs::mkdirat(CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Self::open(path),
            Err(errno) => {
                let reason = format!("it cannot be made: {}", io::Error::from(errno));
                Err(Error::Place { path: path.to_owned(), reason })
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's own metadata.
    ///
    /// # Errors
    /// [`Error::Place`].
    pub fn meta(&self) -> Result<std::fs::Metadata> {
        let file = self.fd.try_clone().map(File::from).and_then(|file| file.metadata());
        file.map_err(|source| self.fault(source.to_string()))
    }

    /// A folder in it, which is no link.
    ///
    /// # Errors
    /// What the system says.
    pub fn inside(&self, name: &OsStr) -> io::Result<Self> {
        let fd = rustix::fs::openat(&self.fd, name, folder_flags(), Mode::empty())?;
        Ok(Self { fd, path: self.path.join(name) })
    }

    /// Makes a folder (0700) in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self, name: &OsStr) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.fd, name, Mode::RWXU)?;
        self.inside(name)
    }

    /// A folder (0700) in it, which is made where there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn ensure(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.inside(OsStr::new(name)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The names in it, sorted.
    ///
    /// # Errors
    /// What the system says.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens a regular file with one name, whose owner is us, root, or the owner of the folder; in a folder where everybody
    /// has files of their own (its sticky bit is set) it may be anybody's.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidInput`] with the reason where it is not such a file.
    pub fn take(&self, name: &OsStr) -> io::Result<Taken> {
        // A pipe must not hold us up, and opening a device must have no effect: it is looked at before it is opened.
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
        if kind != rustix::fs::FileType::RegularFile {
            return Err(refused(format!("it is {}, expected a regular file", words(kind))));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?);
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(refused("it is no regular file".to_owned()));
        }
        if meta.nlink() != 1 {
            let text =
                format!("it has {} names (hard links), expected 1: under the others it would stay", meta.nlink());
            return Err(refused(text));
        }
        let folder = File::from(self.fd.try_clone()?).metadata()?;
        let known = [0, rustix::process::geteuid().as_raw(), folder.uid()];
        if folder.mode() & 0o1000 == 0 && !known.contains(&meta.uid()) {
            let text =
                format!("it belongs to user {}, expected the owner of its folder ({})", meta.uid(), folder.uid());
            return Err(refused(text));
        }
        Ok(Taken { identity: Identity::of(&file)?, file })
    }

    /// What stands at a name now, if it is a regular file.
    ///
    /// # Errors
    /// What the system says.
    pub fn look(&self, name: &OsStr) -> io::Result<Option<Identity>> {
        let stat = match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            other => other?,
        };
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            return Ok(None);
        }
        Ok(Some(Identity::of_stat(&stat)))
    }

    /// A new file (0600) in it, to write and to read.
    ///
    /// # Errors
    /// What the system says; there must be nothing with this name.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// A file of ours that is there or is made, for locks and logs.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::APPEND;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Opens a file of ours for reading, if it is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, name: &OsStr) -> io::Result<Option<File>> {
        match rustix::fs::openat(&self.fd, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Some(fd.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes a small file that is there whole or not at all, and is on disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, name: &OsStr, text: &[u8]) -> io::Result<()> {
        self.write_as(name, text, 0o600)
    }

    /// The same, with a mode of its own.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_as(&self, name: &OsStr, text: &[u8], mode: u32) -> io::Result<()> {
        let mut passing = OsString::from(".");
        passing.push(name);
        passing.push(".part");
        self.remove(&passing)?;
        let mut file = self.create(&passing)?;
        io::Write::write_all(&mut file, text)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        rustix::fs::renameat(&self.fd, &passing, &self.fd, name)?;
        self.sync()
    }

    /// Moves what has a name here to `to`, in one step. Nothing is replaced.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] where the name is taken.
    pub fn rename(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.fd, name, &to.fd, new, RenameFlags::NOREPLACE) {
            // Some file systems cannot do both in one step; then the name is given first.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(&self.fd, name, &to.fd, new, AtFlags::empty())?;
                Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
            }
            done => Ok(done?),
        }
    }

    /// Puts what has a name here in the place of `new`, in one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn replace(&self, name: &OsStr, new: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, name, &self.fd, new)?)
    }

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes an empty folder in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether nobody else has locked the folder; then it is ours until this value is dropped, or this process ends.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock(&self) -> io::Result<bool> {
        is_locked(rustix::fs::flock(&self.fd, FlockOperation::NonBlockingLockExclusive))
    }

    /// Bytes that are free for us on its disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.fd)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Makes the names in it last.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// Gives `file` to whoever owns this folder and its group, who may read it.
    ///
    /// # Errors
    /// What the system says.
    pub fn hand_over(&self, file: &File) -> io::Result<()> {
        let meta = File::from(self.fd.try_clone()?).metadata()?;
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(file, Some(meta.uid()), Some(meta.gid()))?;
        }
        file.set_permissions(std::fs::Permissions::from_mode(0o640))
    }

    /// An error about this folder.
    #[must_use]
    pub fn fault(&self, reason: impl Into<String>) -> Error {
        Error::Place { path: self.path.clone(), reason: reason.into() }
    }

    /// Its descriptor, to be watched.
    #[must_use]
    pub fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether nobody else has locked the file; then it is ours until it is closed.
///
/// # Errors
/// What the system says.
pub fn lock(file: &File) -> io::Result<bool> {
    is_locked(rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive))
}

/// Waits until nobody else has locked the file.
///
/// # Errors
/// What the system says.
pub fn lock_in_turn(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(file, FlockOperation::LockExclusive)?)
}

fn is_locked(done: std::result::Result<(), Errno>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn refused(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn words(kind: rustix::fs::FileType) -> &'static str {
    use rustix::fs::FileType as T;
    match kind {
        T::Symlink => "a symbolic link",
        T::Directory => "a folder",
        T::Fifo => "a named pipe",
        T::Socket => "a socket",
        T::CharacterDevice | T::BlockDevice => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().canonicalize().unwrap()).unwrap();
        (place, folder)
    }

    fn reason(folder: &Folder, name: &str) -> String {
        folder.take(OsStr::new(name)).unwrap_err().to_string()
    }

    #[test]
    fn only_a_regular_file_with_one_name_is_taken() {
        let (place, folder) = folder();
        let path = place.path();
        std::fs::write(path.join("a"), "dump").unwrap();
        assert_eq!(folder.take(OsStr::new("a")).unwrap().identity.size, 4);
        std::fs::hard_link(path.join("a"), path.join("b")).unwrap();
        assert!(reason(&folder, "a").contains("2 names"));
        symlink("/etc/passwd", path.join("c")).unwrap();
        assert!(reason(&folder, "c").contains("a symbolic link"));
        rustix::fs::mknodat(&folder.fd, "d", rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(reason(&folder, "d").contains("a named pipe"));
        assert!(folder.take(OsStr::new("e")).is_err());
    }

    #[test]
    fn a_path_with_a_link_in_it_is_no_folder_of_ours() {
        let (place, _) = folder();
        let path = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(path.join("real/deep")).unwrap();
        symlink(path.join("real"), path.join("link")).unwrap();
        assert!(Folder::open(&path.join("real/deep")).is_ok());
        let error = Folder::open(&path.join("link/deep")).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        assert!(Folder::open(&path.join("real/../real")).is_err());
    }

    #[test]
    fn a_folder_that_others_look_into_is_not_private() {
        let (place, _) = folder();
        let path = place.path().canonicalize().unwrap();
        let made = Folder::private(&path.join("new")).unwrap();
        assert_eq!(made.meta().unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(path.join("new"), std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(Folder::private(&path.join("new")).is_err());
        assert!(Folder::guarded(&path.join("new")).is_ok());
        std::fs::set_permissions(path.join("new"), std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(Folder::guarded(&path.join("new")).is_err());
    }

    #[test]
    fn moving_replaces_nothing() {
        let (place, folder) = folder();
        std::fs::write(place.path().join("a"), "one").unwrap();
        std::fs::write(place.path().join("b"), "two").unwrap();
        let taken = folder.rename(OsStr::new("a"), &folder, OsStr::new("b"));
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        folder.rename(OsStr::new("a"), &folder, OsStr::new("c")).unwrap();
        assert_eq!(folder.names().unwrap(), ["b", "c"]);
    }
}
