//! One file that a program names: redacted in its place, and only then handed on. What `breakpad` and `sentry-native` are.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::hook::desk::{Desk, Incoming};
use crate::hook::item::{Goal, Source};
use crate::hook::place::Folder;
use crate::hook::verdict::{Done, Fate};

/// Decides on the file at `path` and leaves it in its place, redacted where that is needed. `any` says that it may be no dump.
///
/// # Errors
/// Where it cannot be taken.
pub fn decide(desk: &Desk, path: &Path, any: bool) -> Result<Done> {
    let path = std::path::absolute(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::Usage(format!("{} is no file", path.display())));
    };
    let folder = Folder::open(folder)?;
    let failed = |error: std::io::Error| folder.fault(format!("{}: it was not taken: {error}", name.display()));
    let taken = folder.take(name).map_err(failed)?;
    let source = Source { folder: folder.path().to_owned(), name: name.to_owned(), identity: taken.identity };
    let mut bytes = &taken.file;
    Ok(desk.decide(
        &mut desk.worker(),
        Incoming {
            name: name.to_string_lossy().into_owned(),
            source: Some(source),
            bytes: &mut bytes,
            file: Some(&taken.file),
            goal: Goal::InPlace,
            any,
        },
    ))
}

/// Runs the program that the file goes to, with the file as its last argument, where it may go on.
///
/// # Errors
/// Where the program cannot be run, or fails.
pub fn hand_on(done: &Done, path: &Path, command: &[OsString]) -> Result<()> {
    let Some((program, args)) = command.split_first() else { return Ok(()) };
    if !matches!(done.fate, Fate::Passed | Fate::Redacted) {
        return Ok(());
    }
    let failed = |reason: String| Error::Program { path: program.into(), reason };
    let status = Command::new(program).args(args).arg(path).status();
    let status =
        status.map_err(|error| failed(format!("it cannot be run: {error}; the file is decided on and stays")))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(format!("it ended with {status}; the file is decided on and stays"))),
    }
}
