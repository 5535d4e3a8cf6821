//! Where OpenSSL's `SSL_CTX` points to the keys of session tickets: no secret itself, but the clue to them.
//!
//! Source: `struct ssl_ctx_st` in ssl/ssl_local.h, 1.1.1 to 3.x: `size_t split_send_fragment; size_t max_send_fragment;`, both 16384
//! where nobody changed them, then six or seven fields, and in `ext` the name of the keys, `unsigned char tick_key_name[16]`, with
//! `SSL_CTX_EXT_SECURE *secure` behind it; some fields further on `int status_type`, -1 or 1. `secure` are two keys of 32 bytes, of
//! HMAC and of AES. Only processes of 64 bits in little-endian order are known here.
//!
//! A client has such keys too, and never uses them. How often a context accepted connections stands before these fields
//! (`stats.sess_accept`); where the fields around that number are those of 3.0 and it is zero, the keys protect nothing.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::span::Address;
use crate::window::Window;

/// The two fields that trigger.
const FRAGMENT: u64 = 16384;
/// Where the name may stand, from them on: fields came and went between the versions.
const NAMES: [usize; 3] = [72, 64, 80];
/// Bytes of the name.
const NAME: usize = 16;
/// From the name to the pointer, and to the type of status requests.
const SECURE: usize = NAME;
const STATUS: usize = 56;
/// How far before the two fields the statistics begin, in OpenSSL 3.0: eleven numbers of 4 bytes.
const STATISTICS: usize = 360;
/// Which of the numbers says how many connections were accepted.
const ACCEPTED: usize = 3;
const NUMBERS: usize = 11;
/// How far before the two fields the mode of the cache and the life of sessions in seconds stand.
const MODE: usize = 400;
const LIFE: usize = 392;
/// One past the highest address of a process.
const HIGHEST: u64 = 1 << 47;

/// Finds what points to keys of session tickets.
pub struct TicketKeys;

impl Detector for TicketKeys {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(&[FRAGMENT, FRAGMENT].map(u64::to_le_bytes).concat())])
    }

    fn reach(&self) -> Reach {
        Reach { before: MODE, after: 80 + STATUS + 8 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let context = Context { window, at: candidate.at };
        if let Some(keys) = NAMES.into_iter().find_map(|name| context.keys(name)) {
            out.clues.push(Clue::TicketKeys { keys, in_use: !context.is_idle() });
        }
    }
}

/// The fields around the two that trigger.
struct Context<'a> {
    window: &'a Window<'a>,
    at: usize,
}

impl Context<'_> {
    fn word(&self, at: usize) -> Option<u64> {
        self.window.slice(at..at + 8).first_chunk().map(|word| u64::from_le_bytes(*word))
    }

    fn number(&self, at: usize) -> Option<u32> {
        self.window.slice(at..at + 4).first_chunk().map(|word| u32::from_le_bytes(*word))
    }

    /// Where the keys stand, if the name does at `name`.
    fn keys(&self, name: usize) -> Option<Address> {
        let at = self.at + name;
        let between = (self.at + 16..at).chain(at + SECURE + 8..at + STATUS).step_by(8);
        let may_be_pointer = |word: u64| word < HIGHEST;
        let mut different = self.window.slice(at..at + NAME).to_vec();
        different.sort_unstable();
        different.dedup();
        let status = self.number(at + STATUS)?;
        let fits = different.len() > NAME / 2
            && (status == u32::MAX || status == 1)
            && between.into_iter().all(|at| self.word(at).is_some_and(may_be_pointer));
        let keys = self.word(at + SECURE)?;
        (fits && (0x1000..HIGHEST).contains(&keys) && keys.is_multiple_of(8)).then_some(Address(keys))
    }

    /// Whether the statistics say that no connection was accepted; where they may not be statistics they say nothing.
    fn is_idle(&self) -> bool {
        let before = |distance: usize| self.at.checked_sub(distance);
        let numbers = || {
            let from = before(STATISTICS)?;
            (0..NUMBERS).map(|i| self.number(from + 4 * i)).collect::<Option<Vec<u32>>>()
        };
        let mode = before(MODE).and_then(|at| self.word(at));
        let life = before(LIFE).and_then(|at| self.word(at));
        let are_statistics = |numbers: &[u32]| {
            numbers.iter().all(|number| number >> 31 == 0)
                && mode.is_some_and(|mode| mode < 0x1000)
                && life.is_some_and(|life| (1..1 << 31).contains(&life))
        };
        numbers().is_some_and(|numbers| are_statistics(&numbers) && numbers.get(ACCEPTED) == Some(&0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;
    use crate::keys::testing::noise;

    const KEYS: u64 = 0x5581_0000_1230;

    /// A context of OpenSSL 3.0 that accepted so many connections, with the name at `name` behind the two fields.
    fn context(accepted: u32, name: usize) -> Vec<u8> {
        let mut bytes = vec![0; 700];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(500 - MODE, &2_u64.to_le_bytes());
        put(500 - LIFE, &7200_u64.to_le_bytes());
        put(500 - STATISTICS + 4 * ACCEPTED, &accepted.to_le_bytes());
        put(500, &[FRAGMENT, FRAGMENT].map(u64::to_le_bytes).concat());
        put(500 + name, &noise(NAME, 3));
        put(500 + name + SECURE, &KEYS.to_le_bytes());
        put(500 + name + STATUS, &[0xff; 4]);
        bytes
    }

    #[test]
    fn a_context_of_any_version_is_a_clue() {
        for name in NAMES {
            for (accepted, in_use) in [(5, true), (0, false)] {
                let clue = Clue::TicketKeys { keys: Address(KEYS), in_use };
                assert_eq!(clues(&TicketKeys, &context(accepted, name)), [clue], "{name}");
            }
        }
        let mut other = context(0, 72);
        other[500 - LIFE..500 - LIFE + 8].fill(0);
        assert_eq!(clues(&TicketKeys, &other), [Clue::TicketKeys { keys: Address(KEYS), in_use: true }]);
    }

    #[test]
    fn other_memory_is_none() {
        let context = context(1, 72);
        // Another length of fragments, no name, no pointer, none of an allocator, no type, a word before the name and one behind it
        // that no pointer is.
        let changes: [(usize, &[u8]); 7] = [
            (500, &[1]),
            (572, &[0; 16]),
            (588, &[0; 8]),
            (588, &[1]),
            (500 + 72 + STATUS, &[0; 4]),
            (540, &[0xff; 8]),
            (500 + 104, &[0xff; 8]),
        ];
        for (at, value) in changes {
            let mut other = context.clone();
            other[at..at + value.len()].copy_from_slice(value);
            assert_eq!(clues(&TicketKeys, &other), [], "{at}");
        }
        assert_eq!(clues(&TicketKeys, &[FRAGMENT, FRAGMENT].map(u64::to_le_bytes).concat()), []);
        assert_eq!(clues(&TicketKeys, &[FRAGMENT; 200].map(u64::to_le_bytes).concat()), []);
    }
}
