//! `dumpscrub man`: the manual pages, made from the same words as `--help`.

use crate::commands::{args, exit, output};
use crate::error::{Error, Result};

/// Prints the page of `command`, or the program's own.
///
/// # Errors
/// When there is no such command, or standard output cannot be written.
pub fn run(command: Option<&str>) -> Result<u8> {
    let mut program = args::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found.ok_or_else(|| Error::Usage(format!("there is no command {name}; see dumpscrub --help")))?
        }
    };
    output::to_stdout(|out| clap_mangen::Man::new(page).render(out))?;
    Ok(exit::CLEAN)
}
