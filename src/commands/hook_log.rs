//! The log of hooks: one line for each decision, as text or JSON.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::commands::args::{Common, LogFormat};
use crate::error::{Error, Result};

/// Starts the log: in the file that was asked for, in `otherwise` where there is none, or on standard error.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(common: &Common, otherwise: Option<&std::path::PathBuf>) -> Result<()> {
    let writer = match common.log_file.as_ref().or(otherwise) {
        Some(path) => BoxMakeWriter::new(Mutex::new(open(path)?)),
        None => BoxMakeWriter::new(io::stderr),
    };
    let log = tracing_subscriber::fmt().with_writer(writer).with_target(false).with_ansi(false);
    let started = match common.log {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| Error::Internal("starting the log"))
}

/// Appended to, so that several hooks can share it; only its owner reads it.
fn open(path: &Path) -> Result<File> {
    let opened = File::options().append(true).create(true).mode(0o600).open(path);
    opened.map_err(|source| Error::Write { what: format!("the log {}", path.display()), source })
}
