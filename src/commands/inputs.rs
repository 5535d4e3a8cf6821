//! From paths to inputs: folders are walked in order, and nothing in them is passed over in silence.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::{DirEntry, WalkDir};

use crate::container::{self, Settings};
use crate::error::{Error, Result};
use crate::image::{self, Growing, Image};
use crate::report::Skipped;

/// Something to scan.
#[derive(Debug)]
pub enum Input {
    /// A path that is to be opened.
    File(PathBuf),
    /// What standard input carries.
    Stdin,
    /// A place that could not be looked at.
    Failed(String, Error),
    /// Left alone on purpose.
    Skipped(Skipped),
}

impl Input {
    /// The input that a person names: a path, or `-`.
    pub fn named(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// What reports call it.
    pub fn origin(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
            Self::Failed(origin, _) => origin.clone(),
            Self::Skipped(skipped) => skipped.origin.clone(),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened, is no file, or is empty.
    pub fn open(self, settings: &Settings) -> Result<Image> {
        self.open_beside(settings, |_| {})
    }

    /// Opens it; what comes through a pipe is shown to `beside` while it comes.
    ///
    /// # Errors
    /// When it cannot be opened, is no file, or is empty.
    pub fn open_beside(self, settings: &Settings, beside: impl FnOnce(&Arc<Growing>)) -> Result<Image> {
        match self {
            Self::File(path) => image::open(&path),
            Self::Stdin => container::take("-", &mut io::stdin(), settings, beside),
            Self::Failed(_, error) => Err(error),
            Self::Skipped(skipped) => Err(Error::Usage(skipped.reason.to_owned())),
        }
    }
}

/// Every input that `paths` name, each once, in the order in which they are named; folders in order of name.
pub fn collect(paths: &[PathBuf]) -> Vec<Input> {
    let mut seen = HashSet::new();
    let mut inputs = Vec::new();
    for path in paths {
        let is_folder = path.as_os_str() != "-" && path.is_dir();
        let found = if is_folder { walk(path) } else { vec![Input::named(path)] };
        inputs.extend(found.into_iter().filter(|input| seen.insert(input.origin())));
    }
    inputs
}

fn walk(folder: &Path) -> Vec<Input> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    let mut inputs: Vec<Input> = entries.filter_map(|entry| input_of(entry, folder)).collect();
    if inputs.is_empty() {
        let origin = folder.display().to_string();
        let error = Error::Usage(format!("{origin} is a folder without any file in it: there is nothing to scan"));
        inputs.push(Input::Failed(origin, error));
    }
    inputs
}

/// What an entry of a folder is to the scan; folders themselves are nothing. What is no regular file is refused, with the
/// reason, when it is opened.
fn input_of(entry: walkdir::Result<DirEntry>, folder: &Path) -> Option<Input> {
    match entry {
        Ok(entry) if entry.file_type().is_dir() => None,
        Ok(entry) if entry.path_is_symlink() => {
            let origin = entry.path().display().to_string();
            Some(Input::Skipped(Skipped { origin, reason: "a symbolic link inside a folder is not followed" }))
        }
        Ok(entry) => Some(Input::File(entry.into_path())),
        Err(error) => {
            let path = error.path().unwrap_or(folder).to_owned();
            let source = error.into_io_error().unwrap_or_else(|| io::Error::other("the folder holds itself"));
            Some(Input::Failed(path.display().to_string(), Error::Open { path, source }))
        }
    }
}
