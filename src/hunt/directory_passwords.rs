//! The password of the administrator of a directory in OpenLDAP's slapd, which stands in its memory without a name.
//!
//! `struct BackendDB` (servers/slapd/slap.h) has `struct berval be_rootdn; struct berval be_rootndn; struct berval be_rootpw;`: who the
//! administrator is, as written and normalized, and the password, each a length and a pointer to a text of just that length. A password that is
//! hashed begins with the name of the hash in braces, which the rules of text know.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where slapd is not in the dump, and else one look at each word.

use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};
use crate::vault::SecretBytes;

/// The rule of this password.
const RULE: &str = "directory-administrator-password";
/// Letters of a password and of a name.
const PASSWORD: std::ops::RangeInclusive<u64> = 4..=255;
const NAME: std::ops::RangeInclusive<u64> = 3..=511;

/// Hunts for passwords of administrators of directories.
pub struct DirectoryPasswords;

impl Hunter for DirectoryPasswords {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password of the administrator of a directory",
            Severity::Critical,
            "The password of the administrator of a database of OpenLDAP (rootpw), who may read and change everything in it.",
            "Change it, better to a hash of it (slappasswd), and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::OpenLdap)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Databases::default())
    }
}

#[derive(Default)]
struct Databases(Walk);

impl Hunt for Databases {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.0.each(shown, structures::pointers, |place| out.far.extend(Pointer(place).password()));
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like databases of OpenLDAP that not all could be looked at; a password may be missed: the dump is made to mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// What may be the pointer to the password.
struct Pointer<'a>(&'a Place<'a>);

impl Pointer<'_> {
    fn password(&self) -> Option<Far> {
        let len = self.0.before(1).filter(|len| PASSWORD.contains(len))?;
        let (normalized, written) = (self.pair(2)?, self.pair(4)?);
        let is_name = |text: &SecretBytes| text.expose().contains(&b'=');
        let name = self.0.text_of(written.0, written.1).filter(is_name)?;
        let is_normalized = |text: &SecretBytes| is_name(text) && text.len() <= name.len();
        self.0.text_of(normalized.0, normalized.1).filter(is_normalized)?;
        let pointer = self.0.before(0)?;
        let password = self.0.text_of(pointer, len).filter(|text| !is_hashed(text.expose()))?;
        let context = String::from_utf8_lossy(name.expose()).into_owned();
        Some(self.0.password(RULE, "OpenLDAP", context, &password, self.0.spans(pointer, password.len())))
    }

    /// The pointer so many words before, to a name, and the length before that.
    fn pair(&self, before: usize) -> Option<(u64, u64)> {
        let len = self.0.before(before + 1).filter(|len| NAME.contains(len))?;
        self.0.before(before).filter(|word| is_pointer(*word)).map(|pointer| (pointer, len))
    }
}

fn is_hashed(password: &[u8]) -> bool {
    password.first() == Some(&b'{') && password.contains(&b'}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::span::Span;
    use crate::vault::Secret;

    fn found(structure: &[u64], password: &[u8], size: usize) -> Vec<Far> {
        let structure = words(structure);
        let texts = [(0x100, &structure[..]), (0x400, b"cn=Admin, dc=x"), (0x500, b"cn=admin,dc=x"), (0x600, password)];
        hunted(&DirectoryPasswords, Clue::OpenLdap, &memory(0x800, &texts), size).far
    }

    #[test]
    fn the_password_behind_the_names_of_the_administrator_is_told() {
        let words = [14, BASE + 0x400, 13, BASE + 0x500, 10, BASE + 0x600];
        for size in [0x800, 0x88, 0x18] {
            let far = found(&words, b"vq7-Kzp!4m", size);
            assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x600, 10)][..]));
            assert_eq!(far[0].hit.secret.identity(), Secret::text(b"vq7-Kzp!4m").identity());
            assert_eq!(far[0].hit.public.context, ["cn=Admin, dc=x"]);
        }
        for (at, wrong) in [(0, 13), (2, 14), (4, 9), (3, BASE + 0x600), (5, 0)] {
            let mut words = words;
            words[at] = wrong;
            assert!(found(&words, b"vq7-Kzp!4m", 0x800).is_empty(), "{at}");
        }
        assert!(found(&words, b"{SHA}Kzp4m", 0x800).is_empty());
    }
}
