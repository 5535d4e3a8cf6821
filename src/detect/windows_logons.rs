//! That what a Windows process gives the system to log on with may be in memory: no secret, but the clue to look for structures of passwords
//! (`hunt::windows_logons`). A process holds the name of the function that takes them or of the library that has it: among its imports,
//! in its list of modules, or in the dump's.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Rule};
use crate::hunt::Clue;
use crate::window::Window;

/// Names of functions, and of the libraries that have them as the system and as programs write them.
const NAMES: [&str; 8] = [
    "AcquireCredentialsHandle",
    "CredReadW",
    "advapi32.dll",
    "ADVAPI32.dll",
    "sspicli.dll",
    "SspiCli.dll",
    "secur32.dll",
    "SECUR32.dll",
];

/// Tells of such processes.
pub struct WindowsLogons;

impl Detector for WindowsLogons {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(NAMES.map(Literal::text).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: 0 }
    }

    fn confirm(&self, _candidate: Candidate, _window: &Window<'_>, out: &mut Hits) {
        out.clues.push(Clue::WindowsLogons);
    }

    fn looks_under(&self, _encoding: Encoding) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;

    #[test]
    fn names_of_functions_and_libraries_are_told_and_others_are_not() {
        for name in NAMES {
            let wide: Vec<u8> = name.bytes().flat_map(|byte| [byte, 0]).collect();
            for text in [name.as_bytes(), &wide] {
                assert_eq!(clues(&WindowsLogons, &[b"\0\0", text, b"\0\0"].concat()), [Clue::WindowsLogons], "{name}");
            }
        }
        assert!(clues(&WindowsLogons, b"AcquireCredentials kernel32.dll").is_empty());
    }
}
