//! What can go wrong, told so that somebody can act on it: what was being done, where, what was expected, what was found.
//!
//! An [`Error`] ends the work on one dump. What merely makes a dump's *map* poorer (a bad record, a clipped stream) is a
//! [`Fault`] and goes on; what leaves bytes *unscanned* is a [`Gap`] and is never silent.

use std::path::PathBuf;

use serde::Serialize;

use crate::span::{FileOffset, Span};

/// Result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Ends the work on one input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or looked at.
    #[error("cannot open {path}: {source}; check that the path is right and that you may read it")]
    Open {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path is not a regular file and not a folder.
    #[error(
        "{path} is {found}, expected a regular file or a folder; to scan what a pipe carries, use `-` and redirect it"
    )]
    NotAFile {
        /// The path as it was given.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// The file is empty.
    #[error("{path} is empty (0 bytes): there is no dump in it; was it still being written?")]
    Empty {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A read failed.
    #[error("cannot read {len} bytes at offset {at} of {path}: {source}")]
    Read {
        /// The image's origin.
        path: String,
        /// Where the read began.
        at: FileOffset,
        /// How many bytes were asked for.
        len: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// A spool, for input that cannot seek or must be unpacked, could not be made or written.
    #[error(
        "cannot spool to a temporary file in {folder}: {source}; choose a folder with enough space with --spool-dir"
    )]
    Spool {
        /// The folder of spool files.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A rule file is wrong.
    #[error("rule file {file}: {reason}")]
    Rules {
        /// Which file.
        file: String,
        /// What is wrong and where.
        reason: String,
    },
    /// Output could not be written.
    #[error("cannot write {what}: {source}")]
    Write {
        /// What was being written.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The input is not what it was when it was opened.
    #[error("{path} changed while it was read: {what}; nothing was written; try again when nobody writes to it")]
    Changed {
        /// The image's origin.
        path: String,
        /// What is different.
        what: String,
    },
    /// A redaction that must not be done.
    #[error("refused: {0}")]
    Refused(String),
    /// A file that is not the receipt of a redaction.
    #[error("{path} is not a receipt that this version understands: {reason}")]
    Receipt {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key file that is not to be used.
    #[error("key file {path}: {reason}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it. It names no byte of the key.
        reason: String,
    },
    /// A file of things that are known already and that cannot be used.
    #[error("known file {path}: {reason}")]
    Known {
        /// The file.
        path: String,
        /// What is wrong with it, where, and what to do. It names no byte of a secret.
        reason: String,
    },
    /// A folder that cannot be used, or something in it.
    #[error("folder {path}: {reason}")]
    Place {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A program that a dump is handed on to, and that did not take it.
    #[error("program {path}: {reason}")]
    Program {
        /// The program.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A policy, or a file that it names, that is wrong or not to be trusted.
    #[error("policy {place}: {reason}")]
    Policy {
        /// The file, with line and column where the mistake has one.
        place: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A baseline that is not to be used.
    #[error("baseline {path}: {reason}")]
    Baseline {
        /// The file.
        path: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A bug of this program, met while doing what the text says. It names no byte of the dump.
    #[error("internal error while {0}: this is a bug in dumpscrub; the message on standard error says where")]
    Internal(&'static str),
    /// Something the user asked for does not make sense.
    #[error("{0}")]
    Usage(String),
}

/// One record of a dump that is not as its format says it must be. The map is poorer for it; the scan is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Where the bad record stands in the image.
    pub at: FileOffset,
    /// What was being read, e.g. `Memory64List descriptor 3`.
    pub what: String,
    /// What the format asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}: expected {}, found {}", self.what, self.at, self.expected, self.found)
    }
}

/// Bytes that were not scanned, or a budget that ran out. A gap is never exit code 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// The bytes concerned; the whole image where a budget ran out.
    pub span: Span,
    /// Why, and what to do about it.
    pub reason: String,
}
