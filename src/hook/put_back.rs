//! What is done in the folder that a dump came from: it is removed, replaced, or made private. Others may write there, so
//! each step makes sure that it is still the file that was decided on.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use rustix::fs::{Timespec, Timestamps};

use crate::error::{Error, Result};
use crate::hook::copy;
use crate::hook::identity::Identity;
use crate::hook::item::{Item, Source};
use crate::hook::place::Folder;
use crate::redact::draft;

/// Files of ours in folders of others begin so.
pub const OURS: &str = ".dumpscrub-";

/// Removes the file that was decided on. Another one that has its name by now stays; one that is gone is removed already.
///
/// # Errors
/// [`Error::Place`]; the file is still there then.
pub fn remove(source: &Source, id: &str) -> Result<()> {
    let Some(folder) = open(source)? else { return Ok(()) };
    let failed = |error: io::Error| folder.fault(format!("{}: it cannot be removed: {error}", source.name.display()));
    let aside = aside(id);
    // A name cannot be removed only if it is still that file's, so it is renamed first, and looked at then.
    let is_aside = |identity: &Option<Identity>| identity.is_some_and(|now| now.is_same_content(&source.identity));
    if !is_aside(&folder.look(&aside).map_err(failed)?) {
        if !folder.look(&source.name).map_err(failed)?.is_some_and(|now| now.is_same_content(&source.identity)) {
            return Ok(());
        }
        folder.rename(&source.name, &folder, &aside).map_err(failed)?;
        if !is_aside(&folder.look(&aside).map_err(failed)?) {
            return folder.rename(&aside, &folder, &source.name).map_err(failed);
        }
    }
    folder.remove(&aside).and_then(|()| folder.sync()).map_err(failed)
}

/// Lets only its owner read the file.
///
/// # Errors
/// Where it is not the file that was decided on any more, or the system refuses.
pub fn narrow(source: &Source) -> Result<()> {
    let Some(folder) = open(source)? else { return Ok(()) };
    let failed = |error: io::Error| folder.fault(format!("{}: {error}", source.name.display()));
    let taken = folder.take(&source.name).map_err(failed)?;
    if !taken.identity.is_same_content(&source.identity) {
        return Err(folder.fault("another file has its name now"));
    }
    taken.file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)
}

/// Puts `new` in the place of the source, in one step, with the source's owner, mode, extended attributes and time. Returns
/// what stands there then; nothing where the source is not what it was, and then nothing is done.
///
/// # Errors
/// [`Error::Place`], [`Error::Write`]; the source is still in its place then.
pub fn replace(item: &Item, source: &Source, mut new: File) -> Result<Option<Identity>> {
    let Some(folder) = open(source)? else { return Ok(None) };
    let failed = |error: io::Error| folder.fault(format!("{}: it cannot be replaced: {error}", source.name.display()));
    let now = folder.look(&source.name).map_err(failed)?;
    if let (Some(placed), Some(now)) = (item.placed().map_err(failed)?, now)
        && placed.is_same_content(&now)
    {
        // A kill came between the rename and what follows it.
        return Ok(Some(now));
    }
    let old = match folder.take(&source.name) {
        Ok(old) if old.identity == source.identity => old,
        _ => return Ok(None),
    };
    let aside = aside(&item.id);
    folder.remove(&aside).map_err(failed)?;
    let draft = folder.create(&aside).map_err(failed)?;
    let placed = prepare(&mut new, &draft, &old.file, &folder).and_then(|()| Identity::of(&draft).map_err(failed));
    let named = placed.and_then(|placed| {
        item.place(&placed).map_err(failed)?;
        // The last look before the rename: what was written to since is not replaced.
        if folder.look(&source.name).map_err(failed)? != Some(source.identity) {
            return Ok(None);
        }
        folder.replace(&aside, &source.name).map_err(failed)?;
        folder.sync().map_err(failed)?;
        match folder.look(&source.name).map_err(failed)? {
            Some(now) if now.is_same_content(&placed) => Ok(Some(now)),
            _ => Err(folder.fault(format!("{}: somebody else put another file there", source.name.display()))),
        }
    });
    if !matches!(named, Ok(Some(_))) {
        // The draft holds nothing that was to be redacted; what cannot be removed is of no harm.
        let _ = folder.remove(&aside);
    }
    named
}

fn prepare(new: &mut File, draft: &File, old: &File, folder: &Folder) -> Result<()> {
    let failed = |text: String| folder.fault(text);
    copy::copy(new, draft, folder, u64::MAX).map_err(|error| failed(error.to_string()))?;
    draft::look_like(draft, old)?;
    let meta = old.metadata().map_err(|error| failed(error.to_string()))?;
    let time = |seconds: i64, nanos: i64| Timespec { tv_sec: seconds, tv_nsec: nanos };
    use std::os::unix::fs::MetadataExt as _;
    let times = Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    };
    rustix::fs::futimens(draft, &times).map_err(|error| failed(io::Error::from(error).to_string()))?;
    draft.sync_all().map_err(|error| failed(error.to_string()))
}

/// The folder of a source; none where it is gone, and the source with it.
fn open(source: &Source) -> Result<Option<Folder>> {
    match Folder::open(&source.folder) {
        Ok(folder) => Ok(Some(folder)),
        Err(Error::Place { .. }) if !source.folder.exists() => Ok(None),
        Err(error) => Err(error),
    }
}

fn aside(id: &str) -> OsString {
    format!("{OURS}{id}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn source(folder: &Folder, name: &str) -> Source {
        let identity = folder.take(OsStr::new(name)).unwrap().identity;
        Source { folder: folder.path().to_owned(), name: name.into(), identity }
    }

    #[test]
    fn only_the_file_that_was_decided_on_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().canonicalize().unwrap()).unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let decided = source(&folder, "a");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another").unwrap();
        remove(&decided, "1").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        remove(&source(&folder, "a"), "1").unwrap();
        assert!(folder.names().unwrap().is_empty());
    }

    #[test]
    fn a_link_that_took_the_place_of_a_file_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().canonicalize().unwrap()).unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "one").unwrap();
        std::fs::write(folder.path().join("other"), "other").unwrap();
        let decided = source(&folder, "a");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        remove(&decided, "1").unwrap();
        assert!(narrow(&decided).is_err());
        assert_eq!(std::fs::read(folder.path().join("other")).unwrap(), b"other");
        assert!(path.symlink_metadata().unwrap().is_symlink());
    }
}
