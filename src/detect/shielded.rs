//! Where OpenSSH's structure of a key points to a private key that is kept encrypted: no secret itself, but the clue to one.
//!
//! Source: the last fields of `struct sshkey` in OpenSSH's sshkey.h: `u_char *shielded_private; size_t shielded_len;
//! u_char *shield_prekey; size_t shield_prekey_len;`, the last one always 16384. In programs of 32 bits fields are of four bytes, and
//! zeros fill the structure up. Only programs in little-endian order are known here.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::keys::shield::{BLOCK, LONGEST, PREKEY};
use crate::span::Address;
use crate::window::Window;

/// Bytes of the fields before the prekey's length.
const BEFORE: usize = 24;
/// One past the highest address of a process on x86-64 and on ARM64: 48 bits.
const HIGHEST: u64 = 1 << 48;

/// Finds what points to shielded keys.
pub struct Shielded;

impl Detector for Shielded {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(&(PREKEY as u64).to_le_bytes())])
    }

    fn reach(&self) -> Reach {
        Reach { before: BEFORE, after: 8 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let before = |bytes: usize| candidate.at.checked_sub(bytes).map(|start| window.slice(start..candidate.at));
        let wide = before(BEFORE).and_then(|fields| fields.as_chunks().0.first_chunk());
        let wide = wide.map(|fields: &[[u8; 8]; 3]| fields.map(u64::from_le_bytes));
        let narrow = before(BEFORE / 2).and_then(|fields| fields.as_chunks().0.first_chunk());
        let narrow = narrow.map(|fields: &[[u8; 4]; 3]| fields.map(|field| u64::from(u32::from_le_bytes(field))));
        for [private, len, prekey] in [wide, narrow].into_iter().flatten() {
            let is_len = len > 0 && len <= LONGEST && len.is_multiple_of(BLOCK);
            if is_len && is_pointer(private) && is_pointer(prekey) && private != prekey {
                out.clues.push(Clue::Shielded { private: Address(private), len, prekey: Address(prekey) });
            }
        }
    }
}

/// Whether it may be what an allocator returned.
fn is_pointer(value: u64) -> bool {
    (0x1000..HIGHEST).contains(&value) && value.is_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;
    use crate::keys::testing::noise;

    fn fields(fields: [u64; 4]) -> Vec<u8> {
        [vec![7; 5], fields.map(u64::to_le_bytes).concat(), vec![7; 5]].concat()
    }

    #[test]
    fn the_fields_are_a_clue() {
        let clue = Clue::Shielded { private: Address(0x5581_0000_1230), len: 1280, prekey: Address(0x5581_0000_5550) };
        assert_eq!(clues(&Shielded, &fields([0x5581_0000_1230, 1280, 0x5581_0000_5550, 16384])), [clue]);
    }

    #[test]
    fn fields_of_four_bytes_are_a_clue() {
        let fields = [0x56b2_b360_u32, 1392, 0x56b2_4230, 16384, 0].map(u32::to_le_bytes).concat();
        let clue = Clue::Shielded { private: Address(0x56b2_b360), len: 1392, prekey: Address(0x56b2_4230) };
        for before in [0, 5, 12] {
            assert_eq!(clues(&Shielded, &[vec![7; before], fields.clone()].concat()), std::slice::from_ref(&clue));
        }
    }

    #[test]
    fn other_numbers_are_none() {
        let (a, b) = (0x5581_0000_1230, 0x5581_0000_5550);
        let wrong = [[0, 1280, b, 16384], [a, 1281, b, 16384], [a, 1280, a, 16384], [a, 0, b, 16384]];
        let wrong = wrong.into_iter().chain([[a, 1 << 20, b, 16384], [a, 1280, b, 16383], [a, 1280, 1 << 50, 16384]]);
        for numbers in wrong {
            assert_eq!(clues(&Shielded, &fields(numbers)), [], "{numbers:x?}");
        }
        assert_eq!(clues(&Shielded, &[0, 0x40, 0, 0, 0, 0, 0, 0]), []);
        assert_eq!(clues(&Shielded, &noise(1 << 16, 1)), []);
    }
}
