//! `dumpscrub policy`: whether a policy is right, and one to begin with.

use crate::commands::args::PolicyAction;
use crate::commands::{exit, output};
use crate::error::Result;
use crate::policy::{Policy, show};
use crate::report::Inert;

/// Checks or shows, and says with which code to exit.
///
/// # Errors
/// When the policy is wrong, or standard output cannot be written.
pub fn run(action: &PolicyAction) -> Result<u8> {
    match action {
        PolicyAction::Check { file, trusted } => {
            let policy = if *trusted { Policy::read_trusted(file)? } else { Policy::read(file)? };
            let baseline = policy.read_baseline()?;
            output::to_stdout(|out| {
                writeln!(out, "{}: {}", Inert(&policy.name), policy.words())?;
                let Some((key, baseline)) = &baseline else { return Ok(()) };
                writeln!(out, "   baseline: {} fingerprints of key {}", baseline.len(), key.id())
            })?;
        }
        PolicyAction::Show { preset } => output::to_stdout(|out| out.write_all(show(*preset).as_bytes()))?,
    }
    Ok(exit::CLEAN)
}
