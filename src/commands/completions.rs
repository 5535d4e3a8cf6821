//! `dumpscrub completions`: what a shell needs to complete the command line.

use crate::commands::{args, exit, output};
use crate::error::Result;

/// Prints the completions for `shell`.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(shell: clap_complete::Shell) -> Result<u8> {
    // `generate` panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "dumpscrub", &mut script);
    output::to_stdout(|out| out.write_all(&script))?;
    Ok(exit::CLEAN)
}
