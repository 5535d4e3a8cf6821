//! Ids of access keys of AWS: no secrets, but the clue that a secret without a name may be somewhere in the dump.

use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::window::Window;

/// The rule of secrets; a rule of text finds those that stand near an id.
pub const SECRET_RULE: &str = "aws-secret-access-key";
/// How ids of lasting and of temporary keys begin, and how many letters follow.
const BEGINNINGS: [&str; 2] = ["AKIA", "ASIA"];
const LETTERS: usize = 16;
/// What the ids of Amazon's documentation end with.
const EXAMPLE: &[u8] = b"EXAMPLE";

/// Tells that an id of a key of AWS is there.
pub struct AwsIds;

impl Detector for AwsIds {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(BEGINNINGS.map(Literal::text).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: 1, after: BEGINNINGS.len() * LETTERS }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let view = TextView::around(window, candidate, 1, 2 * LETTERS);
        let at = view.letter_at(candidate.at);
        let is_id = |byte: &u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(byte);
        let letters = view.letters().get(at + 4..).unwrap_or_default();
        let id = letters.iter().take_while(|byte| is_id(byte)).count();
        let before = at.checked_sub(1).and_then(|at| view.letters().get(at)).is_some_and(u8::is_ascii_alphanumeric);
        let is_example = letters.get(..id).is_some_and(|id| id.ends_with(EXAMPLE));
        if id == LETTERS && !before && !is_example {
            out.clues.push(Clue::AwsKeyId);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{WIDTHS, clues, embed};

    #[test]
    fn an_id_is_a_clue_and_an_example_is_none() {
        for width in WIDTHS {
            for odd in [false, true] {
                // In two parts, so that nobody takes this file for one with a key in it.
                let id = ["AKIA", "WTFLHBMUAPTT2ZN5"].concat();
                assert_eq!(clues(&AwsIds, &embed(&format!("id {id} x"), width, odd)), [Clue::AwsKeyId]);
                for other in ["AKIAIOSFODNN7EXAMPLE", "AKIA", "ASIATIC", &format!("x{id}"), &format!("{id}A")] {
                    assert_eq!(clues(&AwsIds, &embed(&format!("id {other} x"), width, odd)), [], "{other}");
                }
            }
        }
    }
}
