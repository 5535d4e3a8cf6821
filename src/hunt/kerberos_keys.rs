//! Keys that programs hold which use MIT Kerberos: of sessions, of services, of users who typed a password, and in krb5kdc the one under which
//! the keys of the whole realm are kept.
//!
//! `krb5_keyblock` (krb5.h) is `krb5_magic magic; krb5_enctype enctype; unsigned int length; krb5_octet *contents;`: three numbers of four bytes, of
//! which `magic` is `KV5M_KEYBLOCK` (-1760647421), and a pointer to a key, which on machines with 64 bits stands behind four bytes that
//! nobody sets. In `krb5_creds` the number is missing where the key came with an answer of the server; there the times of the ticket stand behind the
//! pointer: when the user logged in, from when and until when it is good. What it points to may have been given back and be something else by now, so only what looks random is told. (libkrb5
//! wipes a key before it gives it back.)
//!
//! Only processes in little-endian order are known here. Cost: nothing where no settings of Kerberos are in the dump, and else one look at each
//! word.

use super::dense::WORD;
use super::randomness::all_look_random;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::keys::FoundKey;
use crate::vault::Secret;

/// The rule of these keys.
const RULE: &str = "kerberos-key";
/// `KV5M_KEYBLOCK`.
const MAGIC: u32 = 0x970e_a703;

/// Bytes of the times of a ticket that are looked at.
const TIMES: usize = 12;
/// The year 2000, and four hundred days.
const SINCE: u32 = 946_684_800;
const LONGEST: u32 = 400 * 86_400;

/// Hunts for keys of Kerberos.
pub struct KerberosKeys;

impl Hunter for KerberosKeys {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Kerberos key of a program",
            Severity::High,
            "A key as MIT Kerberos holds it: of a session or a service, or in a server (krb5kdc, kadmind) the master key of the realm.",
            "End the session (kdestroy); make new keys for the service (ktadd), and in a server a new master key (kdb5_util add_mkey).",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::Kerberos)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Blocks::default())
    }
}

#[derive(Default)]
struct Blocks(Walk);

impl Hunt for Blocks {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let kinds = 0x10..0x20;
        let begins = |word: u64| (word as u32 == MAGIC) | (word as u32 == 0) & kinds.contains(&(word >> 32));
        let mask = |block: &_| structures::words(block, begins);
        self.0.each(shown, mask, |place| out.far.extend(key(place)));
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like keys of Kerberos that not all could be looked at; a key may be missed: the dump is made to mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The key of the structure that may begin at the place.
fn key(place: &Place<'_>) -> Option<Far> {
    let range = place.at..place.at + 3 * WORD;
    let bytes = place.shown.window.slice(place.at..range.end + TIMES);
    let numbers: Vec<u32> = bytes.as_chunks().0.iter().map(|number| u32::from_le_bytes(*number)).collect();
    let [magic, kind, len, narrow, behind @ ..] = &numbers[..] else { return None };
    let (kind, len) = (find(*kind)?, *len as usize);
    if len != kind.len {
        return None;
    }
    let is_ticket = |times: &[u32]| *magic == MAGIC || are_times(times);
    let wide = match behind {
        [low, high, times @ ..] if is_ticket(times) => Some(u64::from(*low) | u64::from(*high) << 32),
        _ => None,
    };
    let narrow = Some(u64::from(*narrow)).filter(|_| is_ticket(behind));
    // Of two pointers one leads nowhere, or to something that does not look like a key.
    [wide, narrow].into_iter().flatten().filter(|pointer| is_pointer(*pointer)).find_map(|pointer| {
        let key = place.read(pointer, len).filter(|key| all_look_random(key.expose()))?;
        let public = PublicIdentity { kind: kind.name.to_owned(), ..PublicIdentity::default() };
        let secret = Secret::bytes(key.expose());
        let key = FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret };
        let form = Form::whole(Layout::Kerberos, Encoding::Plain);
        Some(Far { hit: key.at(range.clone(), form), spans: place.spans(pointer, len) })
    })
}

/// Whether these begin as the times of a ticket do, in seconds since 1970: of the login, of the beginning, which may be missing, and of the end.
fn are_times(times: &[u32]) -> bool {
    let [login, begin, end, ..] = *times else { return false };
    SINCE < login && (begin == 0 || begin >= login) && end > login.max(begin) && end - login < LONGEST
}

/// A kind of encryption.
struct Kind {
    number: u32,
    /// Bytes of a key.
    len: usize,
    name: &'static str,
}

/// Those in use whose keys are long enough to be told from other bytes (IANA, "Kerberos Encryption Type Numbers"; RFC 3961, 3962, 4757,
/// 6803, 8009).
const KINDS: [Kind; 8] = [
    Kind { number: 16, len: 24, name: "des3-cbc-sha1-kd" },
    Kind { number: 17, len: 16, name: "aes128-cts-hmac-sha1-96" },
    Kind { number: 18, len: 32, name: "aes256-cts-hmac-sha1-96" },
    Kind { number: 19, len: 16, name: "aes128-cts-hmac-sha256-128" },
    Kind { number: 20, len: 32, name: "aes256-cts-hmac-sha384-192" },
    Kind { number: 23, len: 16, name: "rc4-hmac" },
    Kind { number: 25, len: 16, name: "camellia128-cts-cmac" },
    Kind { number: 26, len: 32, name: "camellia256-cts-cmac" },
];

fn find(number: u32) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory};
    use crate::keys::testing::noise;
    use crate::span::Span;

    /// What is told of a structure of such numbers behind the magic one, and of a key.
    fn found(at: usize, numbers: &[u32], key: &[u8], size: usize) -> Vec<Far> {
        found_with(MAGIC, at, numbers, key, size)
    }

    fn found_with(magic: u32, at: usize, numbers: &[u32], key: &[u8], size: usize) -> Vec<Far> {
        let numbers: Vec<u8> = [&[magic], numbers].concat().iter().flat_map(|number| number.to_le_bytes()).collect();
        let memory = memory(0x400, &[(0x123, key), (at, &numbers)]);
        hunted(&KerberosKeys, Clue::Kerberos, &memory, size).far
    }

    const HIGH: u32 = (BASE >> 32) as u32;
    const LOW: u32 = BASE as u32 + 0x123;

    #[test]
    fn what_the_structure_points_to_is_told_if_it_looks_random() {
        let key = noise(32, 3);
        for size in [0x400, 0x30, 0x18] {
            // What nobody sets may be a pointer itself.
            for unset in [0, 0x5581_0000] {
                let far = found(0x200, &[18, 32, unset, LOW, HIGH], &key, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x123, 32)][..]));
                assert_eq!(far[0].hit.secret.identity(), Secret::bytes(&key).identity());
                assert_eq!(far[0].hit.public.kind, "aes256-cts-hmac-sha1-96");
            }
        }
        // In processes of 32 bits the pointer comes sooner, and the structure stands at half a word too.
        for at in [0x200, 0x204] {
            assert_eq!(found(at, &[18, 32, LOW, 7, 7], &key, 0x18)[0].spans, [Span::new(0x123, 32)]);
        }
        assert!(found(0x200, &[18, 32, 0, LOW, HIGH], b"host/service@EXAMPLE.ORG........", 0x400).is_empty());
    }

    #[test]
    fn keys_of_tickets_are_told_by_their_times() {
        let (key, login, hours) = (noise(32, 3), 1_796_100_000, 36_000);
        for times in [[login, login, login + hours], [login, 0, login + hours]] {
            let numbers = [&[18, 32, 0, LOW, HIGH], &times[..]].concat();
            assert_eq!(found_with(0, 0x200, &numbers, &key, 0x18).len(), 1);
            let numbers = [&[18, 32, LOW], &times[..]].concat();
            assert_eq!(found_with(0, 0x204, &numbers, &key, 0x18).len(), 1);
        }
        for times in [[0, 0, hours], [login, login - 1, login + hours], [login, login, login], [login, 0, u32::MAX]] {
            assert!(found_with(0, 0x200, &[&[18, 32, 0, LOW, HIGH], &times[..]].concat(), &key, 0x400).is_empty());
        }
        assert!(found_with(0, 0x200, &[18, 32, 0, LOW, HIGH], &key, 0x400).is_empty());
    }

    #[test]
    fn other_numbers_are_none() {
        let key = noise(32, 3);
        for numbers in [[18, 16, 0, LOW, HIGH], [17, 32, 0, LOW, HIGH], [3, 8, 0, LOW, HIGH], [18, 32, 0, 0, 0]] {
            assert!(found(0x200, &numbers, &key, 0x400).is_empty(), "{numbers:?}");
        }
    }
}
