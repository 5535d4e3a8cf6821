//! Passwords in FreeRADIUS, of users of its files and of those who log in, which stand in its memory without a name.
//!
//! `VALUE_PAIR` (lib/libradius.h of version 3): `DICT_ATTR const *da; struct value_pair *next; FR_TOKEN op; int8_t tag; [...] value_type_t type; size_t
//! vp_length; value_data data;`, where the type says that there is a value and the data of a text begin with a pointer to it, which has just that
//! length. `DICT_ATTR` ends with the name of the attribute, behind 20 bytes or a few more.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where FreeRADIUS is not in the dump, and else one look at
//! each word.

use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};

/// The rule of these passwords.
const RULE: &str = "radius-user-password";
/// What the type of a pair is that has a value.
const DATA: u64 = 3;
/// Letters of a password.
const LETTERS: std::ops::RangeInclusive<u64> = 4..=253;
/// Tokens of operators.
const OPERATORS: u64 = 64;
/// Where in an attribute its name may begin.
const NAME: std::ops::RangeInclusive<usize> = 16..=40;
/// Names of attributes that are passwords.
const PASSWORDS: [&[u8]; 6] = [
    b"Cleartext-Password",
    b"User-Password",
    b"Password-With-Header",
    b"Tunnel-Password",
    b"MS-CHAP-New-Cleartext-Password",
    b"ARAP-Password",
];
const LONGEST: usize = 32;

/// Hunts for passwords of users of FreeRADIUS.
pub struct RadiusUsers;

impl Hunter for RadiusUsers {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password of a user of RADIUS",
            Severity::High,
            "A password that a server of RADIUS knows of a user, or that the user sent to log in.",
            "Change the password of the account, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::FreeRadius)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Pairs::default())
    }
}

#[derive(Default)]
struct Pairs(Walk);

impl Hunt for Pairs {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.0.each(
            shown,
            |block| structures::words(block, |word| word & 0xffff_ffff == DATA),
            |place| out.far.extend(password(place)),
        );
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like attributes of FreeRADIUS that not all could be looked at; a password may be missed: the dump is made \
                      to mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The password of a pair that has this type.
fn password(place: &Place<'_>) -> Option<Far> {
    let len = place.behind(1).filter(|len| LETTERS.contains(len))?;
    let (pointer, attribute) = (place.behind(2)?, place.before(4)?);
    let next = place.before(3)?;
    let fits = is_pointer(pointer) && is_pointer(attribute) && (next == 0 || is_pointer(next));
    place.before(2).filter(|operator| fits && operator & 0xffff_ffff < OPERATORS)?;
    let bytes = place.read_up_to(attribute, NAME.end() + LONGEST)?;
    let name = NAME.into_iter().find_map(|at| {
        let name = bytes.expose().get(at..)?;
        PASSWORDS.into_iter().find(|known| name.strip_prefix(*known).is_some_and(|rest| rest.first() == Some(&0)))
    })?;
    let text = place.text_of(pointer, len)?;
    let context = String::from_utf8_lossy(name).into_owned();
    Some(place.password(RULE, "FreeRADIUS", context, &text, place.spans(pointer, text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::span::Span;

    fn found(structure: &[u64], name: &[u8], size: usize) -> Vec<Far> {
        let structure = words(structure);
        let parts: [(usize, &[u8]); 3] = [(0x100, &structure), (0x414, name), (0x500, b"vq7-Kzp!4m")];
        hunted(&RadiusUsers, Clue::FreeRadius, &memory(0x800, &parts), size).far
    }

    #[test]
    fn a_password_is_told_by_the_name_of_its_attribute() {
        let pair = [BASE + 0x400, 0, 0x80_0000_000b, 0, DATA, 10, BASE + 0x500];
        for name in PASSWORDS {
            for size in [0x800, 0x88, 0x18] {
                let far = found(&pair, name, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x500, 10)][..]));
            }
        }
        assert!(found(&pair, b"User-Name", 0x800).is_empty());
        for (at, wrong) in [(0, 4), (1, 4), (2, 64), (4, 1), (5, 9), (6, 0)] {
            let mut pair = pair;
            pair[at] = wrong;
            assert!(found(&pair, PASSWORDS[0], 0x800).is_empty(), "{at}");
        }
    }
}
