//! Passwords of users in HAProxy, which stand in its memory without a name: those who may see its statistics, and those of lists.
//!
//! `struct auth_users` (include/haproxy/auth-t.h): `struct auth_users *next; unsigned int flags; char *user, *pass;` and a pointer to groups or none. The
//! only flag says that the password is no hash. Both texts, and the structure, are pieces of memory of their own; where glibc gives them out, the word
//! before each says how long it is, and that is asked for where more than the structure is needed to tell them from others.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where HAProxy is not in the dump, and else one look at each
//! word.

use super::dense::WORD;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};
use crate::vault::SecretBytes;

/// The rule of these passwords.
const RULE: &str = "haproxy-user-password";
/// The flag of a password that is no hash.
const INSECURE: u64 = 1;
/// What glibc writes before a piece of 40 bytes, and the lower bits of it that say something else.
const PIECE: u64 = 0x30;
const BITS: u64 = 7;
/// Letters of a password, and of a name.
const LETTERS: std::ops::RangeInclusive<usize> = 4..=255;

/// Hunts for passwords of users of HAProxy.
pub struct HaProxyUsers;

impl Hunter for HaProxyUsers {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password of a user of HAProxy",
            Severity::High,
            "The password of a user of a list of HAProxy, or of one who may see its statistics and change the state of servers.",
            "Change the password, better to a hash of it, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::HaProxy)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Users::default())
    }
}

#[derive(Default)]
struct Users(Walk);

impl Hunt for Users {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.0.each(
            shown,
            |block| structures::words(block, |word| word & 0xffff_ffff == INSECURE),
            |place| out.far.extend(password(place)),
        );
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like users of HAProxy that not all could be looked at; a password may be missed: the dump is made to \
                      mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The password of the user who has this flag.
fn password(place: &Place<'_>) -> Option<Far> {
    let or_none = |word: u64| word == 0 || is_pointer(word);
    let is_piece = place.before(2).is_some_and(|size| size & !BITS == PIECE);
    let fits = is_piece && or_none(place.before(1)?) && or_none(place.behind(3)?);
    let (user, pointer) = (place.behind(1)?, place.behind(2)?);
    let word = |pointer: u64| {
        let is_own = is_pointer(pointer) && pointer.is_multiple_of(WORD as u64 * 2);
        let text = is_own.then(|| place.text(pointer, LETTERS.end() + 1)).flatten()?;
        Some(text).filter(|text| !text.is_empty() && text.expose().iter().all(|letter| matches!(letter, b'!'..=b'~')))
    };
    if !fits || user == pointer {
        return None;
    }
    let text = word(pointer).filter(is_password)?;
    let context = format!("user {}", String::from_utf8_lossy(word(user)?.expose()));
    Some(place.password(RULE, "HAProxy", context, &text, place.spans(pointer, text.len())))
}

fn is_password(text: &SecretBytes) -> bool {
    LETTERS.contains(&text.len()) && !text.expose().starts_with(b"$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::span::Span;

    fn found(structure: &[u64], password: &[u8], size: usize) -> Vec<Far> {
        let structure = words(structure);
        let parts: [(usize, &[u8]); 3] = [(0x100, &structure), (0x400, b"op"), (0x500, password)];
        hunted(&HaProxyUsers, Clue::HaProxy, &memory(0x800, &parts), size).far
    }

    #[test]
    fn a_password_that_is_no_hash_is_told() {
        let user = [0x31, 0, INSECURE, BASE + 0x400, BASE + 0x500, 0];
        for size in [0x800, 0x88, 0x18] {
            let far = found(&user, b"vq7-Kzp!4m", size);
            assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x500, 10)][..]));
            assert_eq!(far[0].hit.public.context, ["user op"]);
        }
        for (at, wrong) in [(0, 0x41), (1, 7), (2, 0), (3, BASE + 0x408), (4, BASE + 0x510), (5, 9)] {
            let mut user = user;
            user[at] = wrong;
            assert!(found(&user, b"vq7-Kzp!4m", 0x800).is_empty(), "{at}");
        }
        for other in [&b"$6$salt$hash"[..], b"two words", b"abc"] {
            assert!(found(&user, other, 0x800).is_empty());
        }
    }
}
