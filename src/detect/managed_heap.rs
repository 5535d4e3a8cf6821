//! That a runtime with a heap of objects is in memory, OpenJDK or .NET: no secret, but the clue that there may be keys in its arrays
//! (`hunt::managed_octets`). Every process of theirs holds the name of the class that all others derive from, or of the library
//! that it is in.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Rule};
use crate::hunt::Clue;
use crate::window::Window;

/// Names that every process of such a runtime holds.
const NAMES: [&str; 2] = ["java/lang/Object", "System.Private.CoreLib"];

/// Tells of such runtimes.
pub struct ManagedHeap;

impl Detector for ManagedHeap {
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
        out.clues.push(Clue::ManagedHeap);
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
    fn names_of_runtimes_are_told_and_others_are_not() {
        for name in NAMES {
            assert_eq!(clues(&ManagedHeap, format!("a {name};").as_bytes()), [Clue::ManagedHeap]);
        }
        assert!(clues(&ManagedHeap, b"java/lang/Objec").is_empty());
    }
}
