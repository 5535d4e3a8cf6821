//! The log of hooks: one line for each decision, as text or JSON.

use std::io;
use std::sync::Mutex;

use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::commands::args::{Common, LogFormat};
use crate::error::{Error, Result};
use crate::hook::told::{self, Steady};

/// Starts the log: in the file that was asked for, in `otherwise` where there is none, or on standard error.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(common: &Common, otherwise: Option<&std::path::PathBuf>) -> Result<()> {
    let writer = match common.log_file.as_ref().or(otherwise) {
        Some(path) => BoxMakeWriter::new(Mutex::new(Steady(told::open(path)?))),
        None => BoxMakeWriter::new(|| Steady(io::stderr())),
    };
    let log = tracing_subscriber::fmt().with_writer(writer).with_target(false).with_ansi(false);
    let started = match common.log {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| Error::Internal("starting the log"))
}
