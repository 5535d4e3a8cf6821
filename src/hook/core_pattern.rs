//! `core-pattern`: the kernel writes a core into our standard input, as core(5) says under "Piping core dumps to a program".
//!
//! The kernel starts us as root with an empty environment in the folder `/`; only standard input is open; our arguments are
//! what the template asks for, and the whole template has at most 127 bytes. The process that crashed waits until all of its core was
//! read, so it is read to the end whatever happens. Nobody reads our exit code.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::hook::copy;
use crate::hook::desk::{Desk, Incoming};
use crate::hook::item::Goal;
use crate::hook::verdict::Done;

/// Programs that are known by a word, and where distributions put them.
const KNOWN: [(&str, &[&str]); 2] = [
    ("systemd-coredump", &["/usr/lib/systemd/systemd-coredump", "/lib/systemd/systemd-coredump"]),
    ("apport", &["/usr/share/apport/apport"]),
];

/// What the kernel told of the crash: the arguments that docs/hooks/core-pattern.md asks for, in their order.
const TOLD: [&str; 7] = ["%P", "%u", "%g", "%s", "%t", "%c", "%h"];

/// Takes the core on `input`. With a program to go on to, the redacted core is its standard input and `args` its arguments; else it
/// goes to the release folder.
///
/// # Errors
/// Where there is no such program; the core was read to its end then too.
pub fn run(desk: &Desk, args: &[OsString], chain: Option<&OsStr>, input: &mut dyn Read) -> Result<Done> {
    let done = goal(args, chain).map(|goal| {
        let name = name(args).to_string_lossy().into_owned();
        let incoming = Incoming { name, source: None, bytes: &mut *input, file: None, goal, any: false };
        desk.decide(&mut desk.worker(), incoming)
    });
    copy::drain(input);
    done
}

fn goal(args: &[OsString], chain: Option<&OsStr>) -> Result<Goal> {
    let Some(chain) = chain else { return Ok(Goal::Release(name(args))) };
    let program = match KNOWN.iter().find(|(word, _)| OsStr::new(word) == chain) {
        Some((word, places)) => {
            places.iter().find(|place| Path::new(place).exists()).map(OsString::from).ok_or_else(|| {
                Error::Usage(format!("{word} is not at {}; name its path with --chain", places.join(" or ")))
            })?
        }
        None if Path::new(chain).is_absolute() => chain.to_owned(),
        None => {
            let words = KNOWN.map(|(word, _)| word).join(", ");
            return Err(Error::Usage(format!(
                "--chain {}: expected an absolute path or one of {words}",
                chain.display()
            )));
        }
    };
    Ok(Goal::Program([program].into_iter().chain(args.iter().cloned()).collect()))
}

/// `core.<pid>.u<user>.s<signal>.<time>`, of what is a number; a host's name is whatever somebody called it, and is left out.
fn name(args: &[OsString]) -> OsString {
    let told = |wanted: &str| {
        let place = TOLD.iter().position(|name| *name == wanted)?;
        let text = args.get(place)?.to_str()?;
        (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).then_some(text)
    };
    let mut name = "core".to_owned();
    for (letter, wanted) in [("", "%P"), ("u", "%u"), ("s", "%s"), ("", "%t")] {
        if let Some(number) = told(wanted) {
            name.push('.');
            name.push_str(letter);
            name.push_str(number);
        }
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_name_of_a_core_is_made_of_numbers() {
        assert_eq!(name(&words("77 1000 1000 6 1750000000 0 host")), "core.77.u1000.s6.1750000000");
        assert_eq!(name(&words("../x 1000 y 11")), "core.u1000.s11");
        assert_eq!(name(&[]), "core");
    }

    #[test]
    fn the_next_program_is_a_path_or_a_word_that_is_known() {
        assert_eq!(goal(&words("1 2"), None).unwrap(), Goal::Release("core.1.u2".into()));
        let goal_of = |chain: &str| goal(&words("1 2"), Some(OsStr::new(chain)));
        assert_eq!(goal_of("/bin/cat").unwrap(), Goal::Program(words("/bin/cat 1 2")));
        assert!(goal_of("cat").is_err());
    }
}
