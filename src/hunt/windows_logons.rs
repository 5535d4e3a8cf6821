//! Passwords in the structures that Windows takes and gives them in. Nothing stands beside such a password that says what it is; only the
//! structure that points to it does.
//!
//! `SEC_WINNT_AUTH_IDENTITY` (SSPI; rpcdce.h, the same as `COAUTHIDENTITY`), words of 8 bytes: user, its length, domain, its length, password,
//! and in one word the length of the password and flags: 1 where a letter has one byte, 2 where it has two. Lengths count letters.
//!
//! `CREDENTIAL` (the Credential Manager; wincred.h): flags and type in one word, name of the target, comment, time, bytes of the
//! secret, the secret, in one word how long it is kept and how many attributes there are, the attributes, an alias, the user. The secret
//! is the program's own; Windows' and most others' is a text.
//!
//! The only proof is that everything fits: all lengths end at the zero behind their texts, and all texts are printable. Only processes
//! of 64 bits in little-endian order are known here.
//!
//! Cost: nothing where the names of the functions and libraries are not in the dump, and else one look at each word.

use multiversion::multiversion;

use zeroize::Zeroizing;

use super::dense::{LANES, WORD};
use super::structures::{Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::keys::fragment::looks_random;
use crate::span::Span;
use crate::vault::Secret;

/// The rule of these passwords.
const RULE: &str = "windows-logon-password";
/// Letters of names and passwords.
const LETTERS: std::ops::RangeInclusive<usize> = 1..=256;
/// The fewest letters of a secret: copies of fewer would be found everywhere.
const FEWEST: usize = 4;
/// Bytes that a secret of the Credential Manager has at most (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
const LARGEST: usize = 5 * 512;
/// Bytes of a secret that is no text.
const RANDOM: usize = 16;
/// What the types of credentials, how long they are kept and how many attributes they have are below (`CRED_TYPE_MAXIMUM` and so on).
const TYPES: u64 = 8;
const KEPT: u64 = 4;
const ATTRIBUTES: u64 = 65;
/// Where a credential has these.
const KEPT_AT: usize = 48;
const ATTRIBUTES_AT: usize = 56;

/// Hunts for passwords that are given to Windows.
pub struct WindowsLogons;

impl Hunter for WindowsLogons {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password given to Windows",
            Severity::High,
            "The password of an account in a structure that SSPI, RPC or COM log on with, or a secret of the Credential Manager.",
            "Change the password of the account, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::WindowsLogons)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Structures::default())
    }
}

#[derive(Default)]
struct Structures {
    walk: Walk,
}

impl Hunt for Structures {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.walk.each(shown, heads, |place| {
            let structure = Structure(place);
            out.far.extend(structure.pointers().and_then(|pointers| structure.follow(&pointers)));
        });
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so many structures may hold passwords that are given to Windows that not all could be followed; one may be missed: the \
                      dump is made to mislead";
        self.walk.is_spent().then(|| reason.to_owned())
    }
}

/// One bit for each word that may be the last one of an identity or the first one of a credential: two numbers that are small, the
/// second of which is not zero.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn heads(block: &[u8; WORD * LANES]) -> u64 {
    let mut mask = 0;
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        mask |= u64::from(word & !0x7_0000_01ff == 0 && word >> 32 != 0) << i;
    }
    mask
}

/// What may be a structure, with the word that tells of it.
struct Structure<'a>(&'a Place<'a>);

/// What a structure points to, nothing of which was read.
enum Pointers {
    /// User, domain and password, each with its letters, and the bytes of a letter.
    Identity([(u64, usize); 3], usize),
    /// Target, user and secret, with the bytes of it.
    Credential(u64, u64, (u64, usize)),
}

impl Structure<'_> {
    /// What it points to, if its numbers and pointers are those of a structure.
    fn pointers(&self) -> Option<Pointers> {
        self.identity().or_else(|| self.credential())
    }

    fn identity(&self) -> Option<Pointers> {
        let word = |words| self.0.before(words);
        let pair = |words: usize| Some((word(words)?, (word(words - 1)? & 0xffff_ffff) as usize));
        let width = (word(0)? >> 32) as usize;
        let texts @ [user, domain, password] = [pair(5)?, pair(3)?, pair(1)?];
        let is_text = |(address, len): (u64, usize)| is_pointer(address) && LETTERS.contains(&len);
        let has_domain = is_text(domain) || domain.1 == 0 && (domain.0 == 0 || is_pointer(domain.0));
        let fits = matches!(width, 1 | 2) && is_text(user) && has_domain && is_text(password);
        fits.then_some(Pointers::Identity(texts, width))
    }

    fn credential(&self) -> Option<Pointers> {
        let word = |bytes: usize| self.0.behind(bytes / WORD);
        let (head, kept, attributes) = (word(0)?, word(KEPT_AT)?, word(ATTRIBUTES_AT)?);
        let or_none = |address: u64| address == 0 || is_pointer(address);
        let (target, comment, alias, user) = (word(8)?, word(16)?, word(64)?, word(72)?);
        let secret = (word(40)?, (word(32)? & 0xffff_ffff) as usize);
        let fits = head & 0xffff_ffff < 0x10
            && (1..TYPES).contains(&(head >> 32))
            && (1..KEPT).contains(&(kept & 0xffff_ffff))
            && kept >> 32 < ATTRIBUTES
            && (attributes == 0) == (kept >> 32 == 0)
            && [comment, alias, user, attributes].into_iter().all(or_none)
            && [target, secret.0].into_iter().all(is_pointer)
            && (FEWEST..=LARGEST).contains(&secret.1);
        fits.then_some(Pointers::Credential(target, user, secret))
    }

    /// The secret, if everything that it points to is what it should be.
    fn follow(&self, pointers: &Pointers) -> Option<Far> {
        match *pointers {
            Pointers::Identity([user, domain, password], width) => {
                let user = self.text(user, width)?;
                if domain.1 > 0 {
                    self.text(domain, width)?;
                }
                let (address, len) = password;
                let secret = self.text(password, width).filter(|text| is_secret(text))?;
                self.far(Secret::text(secret.as_bytes()), &user, (address, len * width), encoding(width))
            }
            Pointers::Credential(target, user, (address, len)) => {
                let target = self.text_to_zero(target)?;
                let user = if user == 0 { target } else { self.text_to_zero(user)? };
                let (secret, encoding) = blob(self.0.read(address, len)?.expose())?;
                self.far(secret, &user, (address, len), encoding)
            }
        }
    }

    /// So many letters, if they are printable and a zero stands behind them.
    fn text(&self, (address, len): (u64, usize), width: usize) -> Option<Zeroizing<String>> {
        let bytes = self.0.read(address, (len + 1) * width)?;
        let (text, zero) = bytes.expose().split_at_checked(len * width)?;
        zero.iter().all(|byte| *byte == 0).then(|| letters(text, width)).flatten()
    }

    /// The letters of UTF-16 up to the zero behind them.
    fn text_to_zero(&self, address: u64) -> Option<Zeroizing<String>> {
        let bytes = self.0.read_up_to(address, 2 * LETTERS.end())?;
        let units = bytes.expose().as_chunks().0;
        let len = units.iter().position(|unit: &[u8; 2]| *unit == [0; 2]).filter(|len| *len > 0)?;
        letters(bytes.expose().get(..2 * len)?, 2)
    }

    fn far(&self, secret: Secret, user: &str, (address, len): (u64, usize), encoding: Encoding) -> Option<Far> {
        let spans: Vec<Span> = self.0.spans(address, len);
        let is_whole = spans.iter().map(|span| span.len).sum::<u64>() == len as u64;
        let hit = Hit {
            rule: RULE.to_owned(),
            severity: None,
            evidence: Evidence::Parsed,
            public: PublicIdentity { context: vec![user.to_owned()], ..PublicIdentity::default() },
            secret,
            range: self.0.at..self.0.at + WORD,
            form: Form { layout: Layout::Text, encoding, piece: Piece::Whole },
        };
        is_whole.then_some(Far { hit, spans })
    }
}

fn encoding(width: usize) -> Encoding {
    if width == 1 { Encoding::Plain } else { Encoding::Utf16Le }
}

/// The text that the bytes are, with so many for each letter, if all of it can be printed.
fn letters(bytes: &[u8], width: usize) -> Option<Zeroizing<String>> {
    let text = if width == 1 {
        std::str::from_utf8(bytes).ok()?.to_owned()
    } else {
        let units: Vec<u16> = bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        String::from_utf16(&Zeroizing::new(units)).ok()?
    };
    Some(Zeroizing::new(text)).filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

/// Whether a text is long enough, and not what programs write over a password or show instead of it.
fn is_secret(text: &str) -> bool {
    let first = text.chars().next();
    text.chars().count() >= FEWEST && text.chars().any(|letter| Some(letter) != first)
}

/// What the secret of a credential is: text in either width, or bytes that look random.
fn blob(bytes: &[u8]) -> Option<(Secret, Encoding)> {
    // Nearly all random bytes are letters of UTF-16 too.
    let is_random = bytes.len() >= RANDOM && looks_random(bytes);
    let widths = [1, 2].into_iter().filter(|width| *width == 1 || bytes.len().is_multiple_of(2) && !is_random);
    let text = widths.filter_map(|width| Some((letters(bytes, width)?, width))).next();
    match text {
        Some((text, width)) => is_secret(&text).then(|| (Secret::text(text.as_bytes()), encoding(width))),
        None => is_random.then(|| (Secret::bytes(bytes), Encoding::Plain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{self, BASE, hunted};
    use crate::keys::testing::noise;

    const PASSWORD: &str = "vq7-Kzp!4m";

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    /// What is found in memory that begins with `bytes`, window after window of so many bytes.
    fn found(bytes: &[u8], size: usize) -> Vec<Far> {
        hunted(&WindowsLogons, Clue::WindowsLogons, bytes, size).far
    }

    /// Memory with words at 0x100, and texts where the words point to.
    fn memory(words: &[u64], texts: &[(usize, Vec<u8>)]) -> Vec<u8> {
        let words = testing::words(words);
        let texts = texts.iter().map(|(at, text)| (*at, text.as_slice()));
        testing::memory(0x1000, &[(0x100, &words[..])].into_iter().chain(texts).collect::<Vec<_>>())
    }

    fn identity(letters: u64, flags: u64, password: &[u8]) -> Vec<u8> {
        let (user, domain) =
            if flags == 2 { (wide("svc"), wide("CORP")) } else { (b"svc\0".to_vec(), b"CORP\0".to_vec()) };
        let words = [BASE + 0x200, 3, BASE + 0x300, 4, BASE + 0x400, letters | flags << 32];
        memory(&words, &[(0x200, user), (0x300, domain), (0x400, password.to_vec())])
    }

    #[test]
    fn an_identity_of_either_width_leads_to_its_password() {
        let (narrow, len) = ([PASSWORD.as_bytes(), b"\0"].concat(), PASSWORD.len() as u64);
        for (flags, password, width) in [(2, wide(PASSWORD), 2), (1, narrow, 1)] {
            for size in [4096, 256, 72] {
                let far = found(&identity(len, flags, &password), size);
                assert_eq!(far.len(), 1);
                assert_eq!(far[0].spans, [Span::new(0x400, len * width)]);
                assert_eq!(far[0].hit.secret.identity(), Secret::text(PASSWORD.as_bytes()).identity());
                assert_eq!(far[0].hit.public.context, ["svc"]);
            }
        }
    }

    #[test]
    fn an_identity_in_which_anything_does_not_fit_is_none() {
        let len = PASSWORD.len() as u64;
        let bad = [
            identity(len - 1, 2, &wide(PASSWORD)),
            identity(len + 1, 2, &wide(PASSWORD)),
            identity(len, 3, &wide(PASSWORD)),
            identity(len, 2, &wide("vq7-K\u{1}p!4m")),
            identity(8, 2, &wide("********")),
            identity(3, 2, &wide("vq7")),
        ];
        assert!(bad.iter().all(|bytes| found(bytes, 4096).is_empty()));
        let mut cut = identity(len, 2, &wide(PASSWORD));
        cut.truncate(0x404);
        assert!(found(&cut, 4096).is_empty());
    }

    fn credential(secret: &[u8], changes: &[(usize, u64)]) -> Vec<u8> {
        let len = secret.len() as u64;
        let mut words = [1 << 32, BASE + 0x200, 0, 0x1dc_0000_0000_0000, len, BASE + 0x400, 2, 0, 0, BASE + 0x300];
        changes.iter().for_each(|(at, word)| words[*at] = *word);
        memory(&words, &[(0x200, wide("git:https://git.corp")), (0x300, wide("deploy")), (0x400, secret.to_vec())])
    }

    #[test]
    fn a_credential_leads_to_a_secret_of_any_kind() {
        let text = wide(PASSWORD);
        let text = &text[..text.len() - 2];
        let random = noise(32, 5);
        let secret = |secret: Secret| secret.identity();
        for (bytes, identity) in [
            (text, secret(Secret::text(PASSWORD.as_bytes()))),
            (PASSWORD.as_bytes(), secret(Secret::text(PASSWORD.as_bytes()))),
            (&random, secret(Secret::bytes(&random))),
        ] {
            for (changes, user) in [(&[][..], "deploy"), (&[(9, 0)], "git:https://git.corp")] {
                let far = found(&credential(bytes, changes), 4096);
                assert_eq!(far.len(), 1);
                assert_eq!(far[0].spans, [Span::new(0x400, bytes.len() as u64)]);
                assert_eq!(far[0].hit.secret.identity(), identity);
                assert_eq!(far[0].hit.public.context, [user]);
            }
        }
    }

    #[test]
    fn a_credential_in_which_anything_does_not_fit_is_none() {
        let secret = wide(PASSWORD);
        for change in [
            (0, 9 << 32),
            (0, 0x20 | 1 << 32),
            (1, 0),
            (1, BASE + 0x800),
            (4, 3),
            (4, 0x1000),
            (6, 4),
            (6, 2 | 1 << 32),
            (7, 1),
        ] {
            assert!(found(&credential(&secret[..20], &[change]), 4096).is_empty(), "{change:?}");
        }
        assert!(found(&credential(&[0; 32], &[]), 4096).is_empty());
    }
}
