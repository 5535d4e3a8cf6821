//! Reading a file that decides what leaves the machine: once, and where it matters only from who may decide that.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::error::{Error, Result};

/// Bytes of the longest file: a baseline of fifty thousand findings.
const LONGEST: u64 = 16 << 20;

/// The text of a file. Where it must be `trusted`, it belongs to root or to who runs this, nobody else can write to it or put
/// another file in its place, and it is no symbolic link. It is opened once, and what is checked is what was opened.
///
/// # Errors
/// [`Error::Open`], or [`Error::Policy`] where it is not what it should be.
pub fn read(path: &Path, trusted: bool) -> Result<String> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let wrong = |reason: String| Error::Policy { place: path.display().to_string(), reason };
    let mut file = if trusted { open_trusted(path)? } else { File::open(path).map_err(failed)? };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(wrong("it is no regular file".to_owned()));
    }
    if meta.len() > LONGEST {
        return Err(wrong(format!("expected at most {LONGEST} bytes, found {}", meta.len())));
    }
    let mut text = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn open_trusted(path: &Path) -> Result<File> {
    let wrong = |reason: String| Error::Policy { place: path.display().to_string(), reason };
    let failed = |source: rustix::io::Errno| match source {
        rustix::io::Errno::LOOP => wrong("it is a symbolic link; name the file itself".to_owned()),
        source => Error::Open { path: path.to_owned(), source: source.into() },
    };
    let (folder, name) = (path.parent().filter(|folder| !folder.as_os_str().is_empty()), path.file_name());
    let Some(name) = name else { return Err(wrong("it is no regular file".to_owned())) };
    let folder = folder.unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags | OFlags::DIRECTORY, Mode::empty()).map_err(failed)?;
    let folder_file = File::from(opened);
    // Nothing waits for a pipe that somebody put there.
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::openat(&folder_file, name, flags, Mode::empty()).map_err(failed)?);
    let me = rustix::process::geteuid().as_raw();
    for (what, file) in [("it", &file), ("its folder", &folder_file)] {
        let meta = file.metadata().map_err(|source| Error::Open { path: path.to_owned(), source })?;
        if let Some(reason) = doubt(meta.uid(), meta.mode(), me) {
            return Err(wrong(format!("{what} {reason}")));
        }
    }
    Ok(file)
}

/// Why a file of this owner and mode is not to be trusted by `me`.
fn doubt(owner: u32, mode: u32, me: u32) -> Option<String> {
    if owner != 0 && owner != me {
        let expected = if me == 0 { "0 (root)".to_owned() } else { format!("0 (root) or {me}") };
        return Some(format!("belongs to somebody else: expected user id {expected}, found {owner}; use chown root"));
    }
    // In a folder with the sticky bit, such as /tmp, nobody can replace a file of somebody else.
    let is_shared_folder = mode & 0o170_000 == 0o040_000 && mode & 0o1000 != 0;
    (mode & 0o022 != 0 && !is_shared_folder).then(|| {
        format!(
            "can be written by others than its owner: expected no such rights, found mode {:04o}; use chmod go-w",
            mode & 0o7777
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_root_or_the_reader_can_write_is_trusted() {
        for (owner, mode, me) in
            [(0, 0o100_644, 0), (0, 0o100_600, 1000), (1000, 0o100_600, 1000), (0, 0o041_777, 0), (0, 0o040_755, 5)]
        {
            assert_eq!(doubt(owner, mode, me), None, "{owner} {mode:o} {me}");
        }
        for (owner, mode, me) in
            [(1000, 0o100_644, 0), (0, 0o100_664, 0), (0, 0o100_646, 0), (7, 0o100_600, 1000), (0, 0o040_777, 0)]
        {
            assert!(doubt(owner, mode, me).is_some(), "{owner} {mode:o} {me}");
        }
        // The sticky bit of a file protects nothing.
        assert!(doubt(0, 0o101_666, 0).is_some());
    }

    #[test]
    fn a_link_and_a_file_that_others_can_write_are_refused_and_a_plain_one_is_read() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::TempDir::new().unwrap();
        let (plain, link) = (folder.path().join("plain"), folder.path().join("link"));
        std::fs::write(&plain, "version = 1\n").unwrap();
        symlink(&plain, &link).unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(&plain, 0o644);
        assert_eq!(read(&plain, true).unwrap(), "version = 1\n");
        assert!(read(&link, true).unwrap_err().to_string().contains("symbolic link"));
        assert_eq!(read(&link, false).unwrap(), "version = 1\n");
        mode(&plain, 0o664);
        assert!(read(&plain, true).unwrap_err().to_string().contains("chmod go-w"));
        mode(&plain, 0o644);
        mode(folder.path(), 0o777);
        assert!(read(&plain, true).unwrap_err().to_string().contains("its folder"));
    }
}
