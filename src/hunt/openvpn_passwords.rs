//! Passwords in OpenVPN, which stand in its memory without a name.
//!
//! `struct user_pass` (src/openvpn/misc.h) has everything in itself: `bool defined; bool token_defined; bool nocache; bool protected; char
//! username[USER_PASS_LEN]; char password[USER_PASS_LEN];`, of which older versions have three flags. There are 4096 letters of each where OpenVPN
//! takes keys from tokens, as in most packages, and 128 where not. `--auth-user-pass`, `--askpass`, `--management` and proxies all fill such
//! structures, the second and third without a user. All that is not text is zeros.
//!
//! Cost: nothing where OpenVPN is not in the dump, and else one look at each byte.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::memory::Places;
use crate::span::Address;
use crate::vault::Secret;

/// The rule of these passwords.
const RULE: &str = "openvpn-password";
/// Letters that there is room for.
const ROOMS: [usize; 2] = [4096, 128];
/// Flags before the user: what is not one in older versions may be anything.
const FLAGS: usize = 4;
/// Letters of a password, at least and at most.
const LETTERS: std::ops::RangeInclusive<usize> = 4..=127;
/// Zeros that stand before a password, or there would be a user with next to 128 letters.
const ZEROS: usize = 32;
/// Structures that may be read in any window: a process has a few.
const READ: usize = 4096;

/// Hunts for passwords in OpenVPN.
pub struct OpenVpnPasswords;

impl Hunter for OpenVpnPasswords {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password in OpenVPN",
            Severity::High,
            "The password of a user of a network, the passphrase of a private key or the password for the management, where OpenVPN keeps what \
             it was told.",
            "Change it, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::OpenVpn)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Structures { places: OnceLock::new(), is_spent: AtomicBool::new(false) })
    }
}

struct Structures {
    places: OnceLock<Places>,
    is_spent: AtomicBool,
}

impl Hunt for Structures {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let (window, owned) = (shown.window, shown.window.owned());
        if window.is_stitched() {
            return;
        }
        let from = owned.start - ZEROS.min(owned.start);
        let (mut zeros, mut left) = (0, READ);
        for (at, byte) in (from..).zip(window.slice(from..owned.end)) {
            if *byte == 0 {
                zeros += 1;
                continue;
            }
            let behind_zeros = std::mem::take(&mut zeros) >= ZEROS;
            let Some(len) = letters(shown, at).filter(|_| behind_zeros && owned.contains(&at)) else { continue };
            left -= 1;
            if left == 0 {
                self.is_spent.store(true, Ordering::Relaxed);
                return;
            }
            let places = self.places.get_or_init(|| shown.memory.places());
            let Some(address) = window.offset(at).and_then(|offset| places.address_of(offset)) else { continue };
            out.hits.extend(ROOMS.into_iter().find_map(|room| password(shown, at..at + len, address, room)));
        }
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like passwords in OpenVPN that not all could be looked at; a password may be missed: the dump is made to \
                      mislead";
        self.is_spent.load(Ordering::Relaxed).then(|| reason.to_owned())
    }
}

/// How many letters begin here, if a zero ends them and there are as many as a password has.
fn letters(shown: &Shown<'_>, at: usize) -> Option<usize> {
    let bytes = shown.window.slice(at..at + LETTERS.end() + 1);
    let len = bytes.iter().position(|byte| *byte == 0)?;
    (LETTERS.contains(&len) && is_text(bytes.get(..len)?)).then_some(len)
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// The password, if the letters stand where a structure with so much room has it.
fn password(shown: &Shown<'_>, range: Range<usize>, address: Address, room: usize) -> Option<Hit> {
    let start = address.0.checked_sub((room + FLAGS) as u64)?;
    let mut structure = Zeroizing::new(vec![0; FLAGS + 2 * room]);
    let got = shown.memory.read(shown.image, Address(start), &mut structure).ok()?;
    let (flags, rooms) = structure.split_first_chunk::<FLAGS>().filter(|_| got == structure.len())?;
    let (user, password) = rooms.split_at_checked(room)?;
    let (user, password) = (filled(user)?, filled(password).filter(|password| password.len() == range.len())?);
    let [first, second, third, fourth] = *flags;
    let are_flags = [second, third, fourth].iter().all(|flag| *flag <= 1);
    // Without a user, or where there are fewer zeros that could be something else, only what is said to be defined counts.
    let is_defined = first == 1 || second == 1;
    let told = are_flags && (is_defined || room == ROOMS[0] && !user.is_empty());
    told.then(|| hit(password, user, range))
}

/// The letters, if all behind them is zeros.
fn filled(room: &[u8]) -> Option<&[u8]> {
    let len = room.iter().position(|byte| *byte == 0)?;
    let (text, rest) = room.split_at_checked(len)?;
    (is_text(text) && rest.iter().all(|byte| *byte == 0)).then_some(text)
}

fn hit(password: &[u8], user: &[u8], range: Range<usize>) -> Hit {
    let user = String::from_utf8_lossy(user);
    Hit {
        rule: RULE.to_owned(),
        severity: None,
        evidence: Evidence::Parsed,
        public: PublicIdentity {
            kind: "OpenVPN".to_owned(),
            context: if user.is_empty() { Vec::new() } else { vec![format!("user {user}")] },
            ..PublicIdentity::default()
        },
        secret: Secret::text(password),
        range,
        form: Form { layout: Layout::Text, encoding: Encoding::Plain, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::hunted;

    const PASSWORD: &[u8] = b"vq7-Kzp!4m";

    fn found(bytes: &[u8], size: usize) -> Vec<Hit> {
        hunted(&OpenVpnPasswords, Clue::OpenVpn, bytes, size).hits
    }

    /// Something, these flags, the user and the password, and something again.
    fn memory(flags: &[u8], user: &[u8], password: &[u8], room: usize) -> Vec<u8> {
        let filled = |text: &[u8]| [text, &vec![0; room - text.len()]].concat();
        [&[0x55; 100], flags, &filled(user), &filled(password), &[0xaa; 100]].concat()
    }

    #[test]
    fn a_structure_gives_its_password_away() {
        for room in ROOMS {
            for flags in [&[1, 0, 0, 0][..], &[1, 0, 1], &[1, 1, 0, 0]] {
                for (user, context) in [(&b"joe"[..], vec!["user joe".to_owned()]), (b"", Vec::new())] {
                    let at = 100 + flags.len() + room;
                    for size in [0x4000, 0x170, 0x40] {
                        let hits = found(&memory(flags, user, PASSWORD, room), size);
                        assert_eq!((hits.len(), hits[0].range.clone()), (1, at..at + PASSWORD.len()), "{flags:?}");
                        assert_eq!(hits[0].secret.identity(), Secret::text(PASSWORD).identity());
                        assert_eq!(hits[0].public.context, context);
                    }
                }
            }
        }
        assert_eq!(found(&memory(&[0, 0, 0, 0], b"joe", PASSWORD, ROOMS[0]), 0x4000).len(), 1);
    }

    #[test]
    fn what_is_no_such_structure_is_none() {
        for (flags, user, password) in [
            (&[0, 0, 0, 0][..], &b""[..], PASSWORD),
            (&[2, 2, 0, 0], b"joe", PASSWORD),
            (&[1, 0, 0, 0], b"j\noe", PASSWORD),
            (&[1, 0, 0, 0], b"joe\0x", PASSWORD),
            (&[1, 0, 0, 0], b"joe", b"vq7-\0Kzp"),
            (&[1, 0, 0, 0], b"joe", b"vq7"),
        ] {
            assert!(found(&memory(flags, user, password, ROOMS[0]), 0x4000).is_empty(), "{flags:?} {user:?}");
        }
        assert!(found(&memory(&[0, 0, 0, 0], b"joe", PASSWORD, ROOMS[1]), 0x4000).is_empty());
    }
}
