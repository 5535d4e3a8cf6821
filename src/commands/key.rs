//! `dumpscrub key`: making keys.

use std::fmt::Display;
use std::path::Path;

use crate::commands::args::{KeyAction, NewKey};
use crate::commands::{exit, output};
use crate::error::Result;
use crate::redact::receipt::keys;
use crate::report::Inert;

/// Makes a key and tells its id.
///
/// # Errors
/// When the file is there already or cannot be written.
pub fn run(action: &KeyAction) -> Result<u8> {
    let KeyAction::New { kind } = action;
    match kind {
        NewKey::Signing(file) => {
            let (public, id) = keys::new_signing(&file.output)?;
            tell(&[("signing key", path(&file.output)), ("public key", path(&public)), ("key id", id)])?;
        }
        NewKey::Fingerprint(file) => {
            let id = keys::new_fingerprint(&file.output)?;
            tell(&[("fingerprint key", path(&file.output)), ("key id", id)])?;
        }
    }
    Ok(exit::CLEAN)
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn tell(lines: &[(&str, impl Display)]) -> Result<()> {
    output::to_stdout(|out| {
        lines.iter().try_for_each(|(name, value)| writeln!(out, "{name:<16} {}", Inert(&value.to_string())))
    })
}
