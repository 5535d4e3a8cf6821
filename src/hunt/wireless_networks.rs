//! Passphrases and passwords of wireless networks in wpa_supplicant, which stand in its memory without a name.
//!
//! `struct wpa_ssid` (wpa_supplicant/config_ssid.h) has, far from each other, `u8 *ssid; size_t ssid_len;` and `u8 psk[32]; int psk_set;
//! char *passphrase;`. The key follows from the passphrase and the name of the network, which proves all three.
//!
//! `struct eap_peer_config` (src/eap_peer/eap_config.h) begins with pairs of a pointer and a length: the identity, one to three others,
//! of which most are none, and the password. Everything that is pointed to is a text of just that length. Only processes of 64 bits in
//! little-endian order are known here.
//!
//! Cost: nothing where wpa_supplicant is not in the dump, and else one look at each word.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::dense::WORD;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown, randomness};
use crate::detect::{Far, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::keys::mac;
use crate::vault::{Secret, SecretBytes};

/// The rule of these passwords.
const RULE: &str = "wireless-network-password";
const KIND: &str = "Wi-Fi";
/// Bytes of a key, and how far before the pointer to the passphrase it ends: a number of 4 bytes lies between, and what aligns it.
const KEY: usize = 32;
const ENDS: [usize; 3] = [8, 9, 10];
/// Letters of a passphrase, of a password and of the name of a network.
const PASSPHRASE: std::ops::RangeInclusive<usize> = 8..=63;
const PASSWORD: std::ops::RangeInclusive<usize> = 4..=256;
const NETWORK: std::ops::RangeInclusive<u64> = 1..=32;
/// Words before the passphrase among which the name of the network is.
const BEFORE: usize = 64;
/// Words from the identity to the password, and of a pair.
const IDENTITIES: [usize; 3] = [8, 6, 4];
const PAIR: usize = 2;
/// Keys that are worked out for any window: each takes milliseconds, and a process has a few networks.
const TRIED: usize = 256;

/// Hunts for passwords of wireless networks.
pub struct WirelessNetworks;

impl Hunter for WirelessNetworks {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password of a wireless network",
            Severity::High,
            "The passphrase of a wireless network, proven by the key that is made of it, that key, or the password of a user of one.",
            "Change it, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::WpaSupplicant)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Networks::default())
    }
}

#[derive(Default)]
struct Networks {
    walk: Walk,
    /// Whether there were more keys to work out than are, in any window.
    is_tired: AtomicBool,
}

impl Hunt for Networks {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let mut left = Some(TRIED);
        self.walk.each(shown, structures::pointers, |place| {
            let pointer = Pointer(place);
            out.far.extend(pointer.passphrase(&mut left).into_iter().flatten());
            out.far.extend(pointer.password());
        });
        if left.is_none() {
            self.is_tired.store(true, Ordering::Relaxed);
        }
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like wireless networks that not all keys could be worked out; a passphrase may be missed: the dump is made \
                      to mislead";
        (self.is_tired.load(Ordering::Relaxed) || self.walk.is_spent()).then(|| reason.to_owned())
    }
}

/// What may be the pointer to a passphrase or to a password.
struct Pointer<'a>(&'a Place<'a>);

impl Pointer<'_> {
    /// A passphrase, and the key that is made of it.
    fn passphrase(&self, left: &mut Option<usize>) -> Option<[Far; 2]> {
        let is_set = self.0.before(1)? as u32 == 1;
        let window = self.0.shown.window;
        let keys = ENDS.into_iter().filter(|_| is_set).filter_map(|end| {
            let end = self.0.at.checked_sub(end)?;
            let range = end.checked_sub(KEY)?..end;
            Some(range).filter(|range| randomness::looks_random(window.slice(range.clone())))
        });
        let keys: Vec<Range<usize>> = keys.collect();
        let text = if keys.is_empty() { return None } else { self.text(self.0.before(0)?)? };
        if !PASSPHRASE.contains(&text.len()) {
            return None;
        }
        let names = (KEY / WORD + 1..BEFORE).filter_map(|before| {
            let len = self.0.before(before - 1).filter(|len| NETWORK.contains(len))?;
            self.0.read(self.0.before(before).filter(|word| is_pointer(*word))?, len as usize)
        });
        for name in names {
            *left = left.and_then(|left| left.checked_sub(1));
            (*left)?;
            let key = mac::wpa_key(text.expose(), name.expose());
            let Some(range) = keys.iter().find(|range| window.slice((*range).clone()) == key.as_slice()) else {
                continue;
            };
            let context = format!("network {}", String::from_utf8_lossy(name.expose()));
            let mut made = self.0.key(RULE, KIND, context.clone(), key.as_slice(), window.spans(range.clone()));
            made.hit.evidence = Evidence::Proven;
            return Some([self.far(&text, Evidence::Proven, context)?, made]);
        }
        None
    }

    fn password(&self) -> Option<Far> {
        let (secret, secret_len) = (self.0.before(0)?, self.0.behind(1)?);
        let len = usize::try_from(secret_len).ok()?;
        if !PASSWORD.contains(&len) {
            return None;
        }
        // The dynamic linker has pairs too, whose texts are parts of each other.
        let is_apart = |pointer: u64, len: u64| {
            !(pointer..=pointer + len).contains(&secret) && !(secret..=secret + secret_len).contains(&pointer)
        };
        let identity = IDENTITIES.into_iter().find_map(|before| {
            let pair = |before| Some((self.0.before(before)?, self.0.before(before - 1)?));
            let is_pair =
                |before| pair(before).is_some_and(|pair| pair == (0, 0) || is_pointer(pair.0) && pair.1 <= 256);
            let (pointer, len) =
                pair(before).filter(|(pointer, len)| is_pointer(*pointer) && (1..=256).contains(len))?;
            let between = (PAIR..before).step_by(PAIR).all(is_pair);
            let fits = between && is_apart(pointer, len);
            self.text(pointer).filter(|text| fits && text.len() as u64 == len)
        })?;
        let text = self.text(self.0.before(0)?).filter(|text| text.len() == len)?;
        self.far(&text, Evidence::Parsed, format!("user {}", String::from_utf8_lossy(identity.expose())))
    }

    fn text(&self, at: u64) -> Option<SecretBytes> {
        self.0.text(at, PASSWORD.end() + 1)
    }

    fn far(&self, text: &SecretBytes, evidence: Evidence, context: String) -> Option<Far> {
        let spans = self.0.spans(self.0.before(0)?, text.len());
        let hit = Hit {
            rule: RULE.to_owned(),
            severity: None,
            evidence,
            public: PublicIdentity { kind: KIND.to_owned(), context: vec![context], ..PublicIdentity::default() },
            secret: Secret::text(text.expose()),
            range: self.0.at..self.0.at + WORD,
            form: Form { layout: Layout::Text, encoding: Encoding::Plain, piece: Piece::Whole },
        };
        Some(Far { hit, spans })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{self, BASE, hunted, words};
    use crate::span::Span;

    fn found(bytes: &[u8], size: usize) -> Vec<Far> {
        hunted(&WirelessNetworks, Clue::WpaSupplicant, bytes, size).far
    }

    fn memory(parts: &[(usize, &[u8])]) -> Vec<u8> {
        testing::memory(0x800, parts)
    }

    #[test]
    fn a_passphrase_is_proven_by_the_key_that_is_made_of_it() {
        let key = mac::wpa_key(b"vq7-Kzp!4m", b"corp");
        let network = words(&[BASE + 0x400, 4]);
        let passphrase = words(&[1, BASE + 0x500]);
        // Before the pointer at 0x200 stands the number at 0x1f8, and before that the key, with two bytes or none between.
        for start in [0x1f8 - KEY, 0x1f8 - 2 - KEY] {
            let parts: [(usize, &[u8]); 5] =
                [(0x100, &network), (start, &key[..]), (0x1f8, &passphrase), (0x400, b"corp"), (0x500, b"vq7-Kzp!4m")];
            for size in [0x800, 0x88] {
                let far = found(&memory(&parts), size);
                let spans: Vec<Span> = far.iter().flat_map(|far| far.spans.clone()).collect();
                assert_eq!(spans, [Span::new(0x500, 10), Span::new(start as u64, KEY as u64)]);
                assert!(far.iter().all(|far| far.hit.evidence == Evidence::Proven));
            }
            let mut other = parts;
            other[4].1 = b"vq7-Kzp!4n";
            assert!(found(&memory(&other), 0x800).is_empty());
        }
    }

    #[test]
    fn a_password_of_a_user_is_told_where_all_lengths_fit() {
        for before in IDENTITIES {
            let mut structure = vec![0; before + PAIR];
            structure[0..2].copy_from_slice(&[BASE + 0x400, 3]);
            structure[before..].copy_from_slice(&[BASE + 0x500, 10]);
            let parts =
                |structure: &[u64]| memory(&[(0x100, &words(structure)), (0x400, b"joe"), (0x500, b"vq7-Kzp!4m")]);
            let far = found(&parts(&structure), 0x90);
            assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x500, 10)][..]));
            assert_eq!(far[0].hit.public.context, ["user joe"]);
            for (at, wrong) in [(1, 4), (before + 1, 9), (2, 7)] {
                let mut structure = structure.clone();
                structure[at] = wrong;
                assert!(found(&parts(&structure), 0x800).is_empty(), "{at}");
            }
        }
        // As the dynamic linker has them.
        let pairs = words(&[BASE + 0x400, 11, BASE + 0x400, 11, BASE + 0x404, 7]);
        assert!(found(&memory(&[(0x100, &pairs), (0x400, b"tls/x86_64/")]), 0x800).is_empty());
    }
}
