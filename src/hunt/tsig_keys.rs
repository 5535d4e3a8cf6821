//! Keys with which servers of DNS sign what they tell each other (TSIG, RFC 8945), and with which rndc controls a server, as BIND holds them:
//! bytes without a name.
//!
//! `struct dst_key` (lib/dns/dst_internal.h) begins with the magic number `DSTK`; after a mutex and the name of the key come `unsigned int
//! key_size, key_proto, key_alg;` (bits, 3 for DNSSEC or 255 for any, and a number above 156), and after some pointers that to the key,
//! which is filled up with zeros to a block of the hash. How far these stand apart differs from version to version.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where BIND is not in the dump, and else one look at each
//! word.

use super::dense::WORD;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};

/// The rule of these keys.
const RULE: &str = "dns-tsig-key";
/// `DSTK`, most significant byte first.
const MAGIC: u32 = 0x4453_544b;
/// Bytes of the structure that are looked at.
const LEN: usize = 256;
/// Bytes of a block, which a key is filled up to, and of the longest key.
const BLOCK: usize = 64;
const LONGEST: usize = 128;
/// Words behind the numbers among which the pointer is.
const NEAR: usize = 12;
/// Whom a key is for: DNSSEC, or anybody.
const PROTOCOLS: [u32; 2] = [3, 255];

/// Hunts for keys of TSIG.
pub struct TsigKeys;

impl Hunter for TsigKeys {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "TSIG key of a DNS server",
            Severity::Critical,
            "A key with which servers of DNS sign updates and transfers of zones, or with which rndc controls a server, as BIND holds it.",
            "Make a new one (tsig-keygen, rndc-confgen) on both sides, and look for changes of zones since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::Bind)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Keys::default())
    }
}

#[derive(Default)]
struct Keys(Walk);

impl Hunt for Keys {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let mask = |block: &_| structures::words(block, |word| word as u32 == MAGIC);
        self.0.each(shown, mask, |place| out.far.extend(key(place)));
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like keys of BIND that not all could be looked at; a key may be missed: the dump is made to mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The key of the structure that begins at the place.
fn key(place: &Place<'_>) -> Option<Far> {
    let bytes = place.shown.window.slice(place.at..place.at + LEN);
    let numbers: Vec<u32> = bytes.as_chunks().0.iter().map(|number| u32::from_le_bytes(*number)).collect();
    let (at, len, name) = numbers.windows(3).enumerate().find_map(|(at, numbers)| kind(numbers, at))?;
    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).skip(at / 2 + 1).take(NEAR);
    let pointers: Vec<u64> = words.filter(|word| is_pointer(*word)).collect();
    // It is the last one of them.
    pointers.into_iter().rev().find_map(|pointer| {
        let block = place.read_up_to(pointer, LONGEST)?;
        let (key, rest) = block.expose().split_at_checked(len)?;
        let filled = rest.iter().take(BLOCK.saturating_sub(len)).all(|byte| *byte == 0);
        if !filled || block.len() < BLOCK || key.iter().filter(|byte| **byte != 0).count() <= len / 2 {
            return None;
        }
        Some(place.key(RULE, name, "BIND".to_owned(), key, place.spans(pointer, len)))
    })
}

/// Of three numbers that are the size of a key, whom it is for and its algorithm: where they stand, the bytes of the key, and what the algorithm is
/// called.
fn kind(numbers: &[u32], at: usize) -> Option<(usize, usize, &'static str)> {
    let [bits, protocol, algorithm] = numbers else { return None };
    let name = match algorithm {
        157 => "HMAC-MD5",
        161 => "HMAC-SHA1",
        162 => "HMAC-SHA224",
        163 => "HMAC-SHA256",
        164 => "HMAC-SHA384",
        165 => "HMAC-SHA512",
        _ => return None,
    };
    let len = usize::try_from(bits / 8).ok()?;
    let fits = bits.is_multiple_of(8) && (WORD..=LONGEST).contains(&len) && PROTOCOLS.contains(protocol);
    fits.then_some((at, len, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::keys::testing::noise;
    use crate::span::Span;
    use crate::vault::Secret;

    /// A structure as BIND 9.18 has it, with a key of so many bits.
    fn structure(bits: u64) -> [u64; 16] {
        let mut words = [0; 16];
        (words[0], words[1], words[4], words[7]) = (u64::from(MAGIC), 1, 3, BASE + 0x700);
        (words[8], words[9]) = (bits | 3 << 32, 163 | 0x200 << 32);
        (words[12], words[15]) = (BASE + 0x600, BASE + 0x400);
        words
    }

    fn found(structure: &[u64], key: &[u8], size: usize) -> Vec<Far> {
        // What the other pointers lead to is no key.
        let parts = [(0x100, &words(structure)[..]), (0x400, key), (0x600, &noise(64, 9)), (0x700, b"\x05tsig1")];
        hunted(&TsigKeys, Clue::Bind, &memory(0x800, &parts), size).far
    }

    #[test]
    fn keys_are_told_that_are_filled_up_with_zeros() {
        for len in [16, 32, 64] {
            let key = noise(len, 5);
            for size in [0x800, 0x88, 0x18] {
                let far = found(&structure(8 * len as u64), &key, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x400, len as u64)][..]));
                assert_eq!(far[0].hit.secret.identity(), Secret::bytes(&key).identity());
                assert_eq!(far[0].hit.public.kind, "HMAC-SHA256");
            }
        }
    }

    #[test]
    fn other_structures_are_none() {
        let wrong = [(0, 0x4453_544c), (8, 255 | 3 << 32), (8, 256 | 4 << 32), (9, 13), (15, BASE + 0x600), (15, 0)];
        for (at, wrong) in wrong {
            let mut structure = structure(256);
            structure[at] = wrong;
            assert!(found(&structure, &noise(32, 5), 0x800).is_empty(), "{at}");
        }
        assert!(
            found(&structure(256), &noise(48, 5), 0x800).is_empty() && found(&structure(256), &[], 0x800).is_empty()
        );
    }
}
