//! Passwords of Redis and of what came from it, which stand in its memory without a name.
//!
//! Of each password of a user, `requirepass` included, it keeps the SHA-256 in 64 hexadecimal digits (acl.c: `ACLHashPassword`) in one of its
//! strings (sds.h): before the letters stand the length and the room in a byte each and the type, 1; of strings of less than 32 letters
//! one byte, eight times the length. The first walk gathers the digests. The second one tries the strings, whole and
//! behind `>`, as `ACL SETUSER` and `user` in its configuration write passwords: what has such a digest is a password, and nothing else
//! is.
//!
//! Of the password for the server that a replica copies from there is no digest. Fields of `struct redisServer` (server.h) point to it:
//! `char *masteruser; sds masterauth; char *masterhost; int masterport; int repl_timeout; client *master, *cached_master; int
//! repl_syncio_timeout; int repl_state;`, of which the last but one is always 5 (since 2.8).
//!
//! Cost: nothing where no server of Redis is in the dump; a second walk only where it has digests.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::dense::WORD;
use super::least::Least;
use super::structures::{self, Place, Walk, is_pointer};
use super::texts::{self, Text};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::keys::mac;
use crate::vault::Secret;
use crate::window::Window;

/// The rule of these passwords.
const RULE: &str = "redis-password";
/// Digests that are kept: users have one or two each, but what is stored may look like them.
const MOST: usize = 1 << 18;
/// Letters of a digest.
const DIGITS: usize = 64;
/// From how many letters on the length of a string does not fit into the byte with the type.
const LONG: usize = 32;
/// Letters of the password of a replica.
const LETTERS: std::ops::Range<usize> = 4..256;
/// Seconds that a replica waits for one message, and one past the last state of a replica.
const SYNC_TIMEOUT: u64 = 5;
const STATES: u64 = 32;
/// Seconds after which a replica gives up, at most.
const TIMEOUT: u64 = 10_000_000;

type Digest = [u8; DIGITS / 2];

/// Hunts for passwords of Redis.
pub struct RedisPasswords;

impl Hunter for RedisPasswords {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password of Redis",
            Severity::Critical,
            "The password of a user of a Redis server, which stands in the server's memory beside its SHA-256, or the one with which it logs \
             in at the server that it copies from.",
            "Change the password, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::Redis)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Digests { found: Mutex::new(Least::new(MOST)), walk: Walk::default() })
    }
}

/// The first walk.
struct Digests {
    found: Mutex<Least<Digest, Digest>>,
    walk: Walk,
}

impl Hunt for Digests {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        texts::each(window, |Text { letters, range, wide, .. }| {
            let digest = || digest(letters).filter(|_| !wide && is_string(window, range.start, letters.len()));
            if let Some(digest) = digest() {
                self.found.lock().unwrap_or_else(PoisonError::into_inner).add(digest, digest, |_, _| ());
            }
        });
        self.replicas(shown, out);
    }

    fn further(&self, _is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Box<dyn Hunt>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let digests: BTreeSet<Digest> = found.values().copied().collect();
        (!digests.is_empty()).then(|| Box::new(Strings(digests)) as Box<dyn Hunt>)
    }

    fn given_up(&self) -> Option<String> {
        let left_out = self.found.lock().unwrap_or_else(PoisonError::into_inner).dropped() > 0;
        let reason = "so much looks like digests of passwords of Redis, or like what points to one, that not all could be tried; a password \
                      may be missed";
        (left_out || self.walk.is_spent()).then(|| reason.to_owned())
    }
}

impl Digests {
    /// Tells the passwords of replicas to which the words point that the window owns.
    fn replicas(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.walk.each(
            shown,
            |block| structures::words(block, is_state),
            |place| out.far.extend(replica(place).and_then(|pointer| password(place, pointer))),
        );
    }
}

/// Whether a word may be the time-out and the state of a replica.
fn is_state(word: u64) -> bool {
    word & 0xffff_ffff == SYNC_TIMEOUT && word >> 32 < STATES
}

/// The pointer to the password, if the words before the state are what they should be.
fn replica(place: &Place<'_>) -> Option<u64> {
    let word = |before| place.before(before);
    let or_none = |before| word(before).is_some_and(|word| word == 0 || is_pointer(word));
    let port = word(3)?;
    let fits = [6, 4, 2, 1].into_iter().all(or_none)
        && port & 0xffff_ffff <= u64::from(u16::MAX)
        && (1..=TIMEOUT).contains(&(port >> 32));
    word(5).filter(|pointer| fits && is_pointer(*pointer))
}

/// The password that a pointer leads to.
fn password(place: &Place<'_>, pointer: u64) -> Option<Far> {
    let text = place.text(pointer, LETTERS.end).filter(|text| LETTERS.contains(&text.len()))?;
    let spans = place.spans(pointer, text.len());
    let context = "for the server that this one copies from";
    let hit = hit(Secret::text(text.expose()), Evidence::Parsed, place.at..place.at + WORD, context);
    Some(Far { hit, spans })
}

/// The second walk.
struct Strings(BTreeSet<Digest>);

impl Hunt for Strings {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        texts::each(window, |Text { letters, range, wide, .. }| {
            // The byte of the length may be a letter.
            for (letters, start) in [Some(letters), letters.get(1..)].into_iter().flatten().zip(range.start..) {
                if wide || !is_string(window, start, letters.len()) {
                    continue;
                }
                let behind = letters.strip_prefix(b">").map(|password| (password, start + 1));
                for (password, start) in [(letters, start)].into_iter().chain(behind) {
                    let range = start..start + password.len();
                    // Of a text that begins with a sign, what stands behind the sign is told once more.
                    if out.hits.last().is_none_or(|last| last.range != range) && self.has(password) {
                        out.hits.push(hit(Secret::text(password), Evidence::Proven, range, "of a user"));
                    }
                }
            }
        });
    }
}

impl Strings {
    fn has(&self, letters: &[u8]) -> bool {
        self.0.contains(&mac::sha256(letters))
    }
}

/// What 64 digits say.
fn digest(letters: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    (letters.len() == DIGITS && base16ct::lower::decode(letters, &mut digest).is_ok()).then_some(digest)
}

/// Whether so many letters are one of the strings of Redis.
fn is_string(window: &Window<'_>, start: usize, len: usize) -> bool {
    let before = |bytes: usize| start.checked_sub(bytes).and_then(|at| window.byte(at)).map(usize::from);
    let says = if len < LONG {
        before(1) == Some(len << 3)
    } else {
        before(1) == Some(1) && before(3) == Some(len) && before(2) >= Some(len)
    };
    says && window.byte(start + len) == Some(0)
}

fn hit(secret: Secret, evidence: Evidence, range: std::ops::Range<usize>, whose: &str) -> Hit {
    Hit {
        rule: RULE.to_owned(),
        severity: None,
        evidence,
        public: PublicIdentity {
            kind: "Redis".to_owned(),
            context: vec![whose.to_owned()],
            ..PublicIdentity::default()
        },
        secret,
        range,
        form: Form { layout: Layout::Text, encoding: Encoding::Plain, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted};
    use crate::span::Span;

    /// A string as Redis has it.
    fn string(text: &[u8]) -> Vec<u8> {
        let len = text.len() as u8;
        let head = if text.len() < LONG { vec![len << 3] } else { vec![len, len + 12, 1] };
        [&head[..], text, b"\0\0\0"].concat()
    }

    fn digits(password: &[u8]) -> Vec<u8> {
        mac::sha256(password).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
    }

    /// What both walks find, window after window of so many bytes.
    fn found(bytes: &[u8], size: usize) -> Hits {
        hunted(&RedisPasswords, Clue::Redis, bytes, size)
    }

    #[test]
    fn a_string_whose_digest_is_there_is_a_password_and_no_other_is() {
        // With 12 letters the byte before the string is a letter, too.
        for password in [&b"vq7-Kzp!4mTx9wLb2R"[..], b"foobared", b"vq7-Kzp!4mTx", &b"Zk3vQ9x;".repeat(8)] {
            let rule = [b">", password].concat();
            let parts = [&[0; 9][..], &string(&digits(password)), &string(b"0123456789abcdefgh"), &string(&rule)];
            let bytes = parts.concat();
            let start = bytes.len() - 3 - password.len();
            for size in [4096, 64, 17] {
                let out = found(&bytes, size);
                assert_eq!((out.hits.len(), out.hits[0].range.clone()), (1, start..start + password.len()));
                assert_eq!(out.hits[0].secret.identity(), Secret::text(password).identity());
            }
            let plain = [&string(&digits(password))[..], &string(password)].concat();
            assert_eq!(found(&plain, 4096).hits.len(), 1);
            // Not one of its strings, and no digest of one.
            let bare = [&string(&digits(password))[..], b"\0\0", password, b"\0"].concat();
            assert!(found(&bare, 4096).hits.is_empty());
            let bare = [&[0; 3], &digits(password)[..], b"\0", &string(password)].concat();
            assert!(found(&bare, 4096).hits.is_empty());
        }
    }

    #[test]
    fn a_replica_gives_its_password_away() {
        let words = |pointer: u64, timeout: u64, state: u64| {
            let words = [0, pointer, BASE + 0x200, 6400 | timeout << 32, 0, 0, state];
            let mut bytes = vec![0; 0x400];
            bytes[0x100..0x138].copy_from_slice(&words.map(u64::to_le_bytes).concat());
            bytes[0x300..0x30a].copy_from_slice(b"vq7-Kzp!4m");
            bytes
        };
        for size in [0x400, 0x40, 0x18] {
            let out = found(&words(BASE + 0x300, 60, 5 | 1 << 32), size);
            assert_eq!((out.far.len(), &out.far[0].spans[..]), (1, &[Span::new(0x300, 10)][..]));
        }
        for (pointer, timeout, state) in
            [(0, 60, 5), (BASE + 0x300, 0, 5), (BASE + 0x300, 60, 6), (BASE + 0x280, 60, 5)]
        {
            assert!(found(&words(pointer, timeout, state), 0x400).far.is_empty());
        }
    }
}
