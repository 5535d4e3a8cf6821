//! Passwords in processes of a server of PostgreSQL and in pgbouncer, which stand there without a name.
//!
//! A process that serves a client reads its messages to the beginning of a buffer (`PqRecvBuffer`, src/backend/libpq/pqcomm.c). The password in a login is `p`,
//! the length in 4 bytes from the highest, itself included, and the password with the zero that ends it. There it is as long as the client says nothing
//! longer: while the server asks a directory, and where the process ended because the password was wrong.
//!
//! `PgUser` of pgbouncer (include/bouncer.h; since 1.23 `PgCredentials`) has a node of a tree, `left, right; int level;`, and behind it `char
//! name[MAX_USERNAME]; char passwd[MAX_PASSWORD];`: of all users of its file, and of those whom it asked a server for.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where neither is in the dump, and else one look at each
//! word.

use super::dense::WORD;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};
use crate::vault::SecretBytes;

/// The rule of these passwords.
const RULE: &str = "postgres-login-password";
/// What the message begins with, as the lower half of a word, and how many bytes of it the length does not count and the password is not.
const MESSAGE: u64 = b'p' as u64;
const HEAD: usize = 5;
/// Letters of a password in a message, whose length is then told by its last byte, and in pgbouncer, and the fewest of both.
const LETTERS: usize = 200;
const FEWEST: usize = 4;
/// Levels of a tree.
const LEVEL: u64 = 64;
/// Words of a node; letters that there is room for in a name: before 1.16, and since; and what of a password is looked at.
const NODE: usize = 3;
const NAMES: [usize; 2] = [128, 64];
const PASSWORD: usize = 128;
/// What passwords begin with that are none: how a hash says what it is, and answers of SCRAM.
const HASHES: [&[u8]; 3] = [b"md5", b"SCRAM-SHA-256", b"c="];

/// Hunts for passwords in servers of PostgreSQL and in pgbouncer.
pub struct PostgresLogins;

impl Hunter for PostgresLogins {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password in a server of PostgreSQL",
            Severity::High,
            "The password that a client sent to log in at a server of PostgreSQL, or that pgbouncer keeps of a user.",
            "Change the password of the account, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::PostgreSqlServer)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Logins::default())
    }
}

#[derive(Default)]
struct Logins(Walk);

impl Hunt for Logins {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let is_so = |word: u64| word & 0xffff_ffff == MESSAGE || is_pointer(word);
        self.0.each(
            shown,
            |block| structures::words(block, is_so),
            |place| {
                out.far.extend(message(place).or_else(|| user(place)));
            },
        );
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like logins of PostgreSQL that not all could be looked at; a password may be missed: the dump is made to \
                      mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The password of a message that begins here.
fn message(place: &Place<'_>) -> Option<Far> {
    let len = usize::try_from(place.before(0).filter(|word| word & 0xffff_ffff == MESSAGE)? >> 32 & 0xff).ok()?;
    let letters = len.checked_sub(HEAD).filter(|letters| (FEWEST..LETTERS).contains(letters))?;
    let address = place.address()?.checked_add(HEAD as u64)?;
    let text = place.text_of(address, letters as u64).filter(is_password)?;
    Some(told(place, "sent by a client".to_owned(), &text, address))
}

/// The password of a user of pgbouncer whose node begins here.
fn user(place: &Place<'_>) -> Option<Far> {
    let fits = is_pointer(place.before(0)?) && is_pointer(place.behind(1)?);
    place.behind(2).filter(|level| fits && (1..LEVEL).contains(level))?;
    // Most such words are none: what the window shows is looked at first.
    let is_letter = |byte: u8| matches!(byte, b'!'..=b'~');
    place.behind(NODE).filter(|word| word.to_le_bytes().first().is_some_and(|byte| is_letter(*byte)))?;
    let own = place.address()?.checked_add((NODE * WORD) as u64)?;
    NAMES.into_iter().find_map(|room| {
        let bytes = place.read(own, room + PASSWORD)?;
        let (name, password) = bytes.expose().split_at_checked(room)?;
        let (name, password) = (filled(name)?, filled(password)?);
        let text = SecretBytes::new(password);
        let context = format!("user {} of pgbouncer", std::str::from_utf8(name).ok()?);
        let fits = text.len() >= FEWEST && password.iter().copied().all(is_letter) && is_password(&text);
        fits.then(|| told(place, context, &text, own.saturating_add(room as u64)))
    })
}

/// The letters in a field, behind which there are only zeros.
fn filled(field: &[u8]) -> Option<&[u8]> {
    let (letters, rest) = field.split_at_checked(field.iter().position(|byte| *byte == 0)?)?;
    let is_text = !letters.is_empty() && letters.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    (is_text && rest.iter().all(|byte| *byte == 0)).then_some(letters)
}

fn is_password(text: &SecretBytes) -> bool {
    !HASHES.into_iter().any(|hash| text.expose().starts_with(hash))
}

fn told(place: &Place<'_>, context: String, text: &SecretBytes, address: u64) -> Far {
    place.password(RULE, "PostgreSQL", context, text, place.spans(address, text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::span::Span;

    fn found(parts: &[(usize, &[u8])], size: usize) -> Vec<Far> {
        hunted(&PostgresLogins, Clue::PostgreSqlServer, &memory(0x800, parts), size).far
    }

    #[test]
    fn a_message_with_a_password_is_told() {
        for size in [0x800, 0x40] {
            let far = found(&[(0x100, b"p\0\0\0\x0fvq7-Kzp!4m\0se\0postgres")], size);
            assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x105, 10)][..]));
        }
        for other in [
            &b"p\0\0\0\x0evq7-Kzp!4m\0"[..],
            b"p\0\0\x01\x0fvq7-Kzp!4m\0",
            b"p\0\0\0\x28md50123456789abcdef0123456789abcdef\0",
            b"p\0\0\0\x08abc\0",
        ] {
            assert!(found(&[(0x100, other)], 0x800).is_empty());
        }
        assert!(found(&[(0x101, b"p\0\0\0\x0fvq7-Kzp!4m\0")], 0x800).is_empty());
    }

    #[test]
    fn a_user_of_pgbouncer_is_told_behind_the_node_of_a_tree() {
        let node = words(&[BASE + 0x400, BASE + 0x480, 2]);
        for room in NAMES {
            let parts: [(usize, &[u8]); 3] = [(0x100, &node), (0x118, b"app"), (0x118 + room, b"vq7-Kzp!4m")];
            for size in [0x800, 0x18] {
                let far = found(&parts, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x118 + room as u64, 10)][..]));
                assert_eq!(far[0].hit.public.context, ["user app of pgbouncer"]);
            }
            for (at, wrong) in [(1, &b"\0"[..]), (2, b"md57-Kzp!4m"), (2, b"vq"), (2, b"vq7 Kzp 4m")] {
                let mut other = parts;
                other[at].1 = wrong;
                assert!(found(&other, 0x800).is_empty());
            }
            assert!(found(&[&parts[..], &[(0x118 + room - 2, b"x")]].concat(), 0x800).is_empty());
        }
    }
}
