//! Secrets of access points in hostapd, which stand in its memory without a name.
//!
//! `struct hostapd_ssid` (src/ap/ap_config.h): `u8 ssid[32]; size_t ssid_len; [...] struct hostapd_wpa_psk *wpa_psk; char *wpa_passphrase;`,
//! of which the key follows from the passphrase and the name of the network, which proves all three. `struct hostapd_radius_server`
//! (src/radius/radius_client.h): an address, `int port; u8 *shared_secret; size_t shared_secret_len;`. `struct radius_client`
//! (src/radius/radius_server.c), one of those that it serves itself: `struct radius_client *next; struct in_addr addr, mask; struct in6_addr addr6, mask6; char
//! *shared_secret; int shared_secret_len;`. `struct hostapd_eap_user`: `struct hostapd_eap_user *next; u8 *identity; size_t identity_len;`, 8
//! methods of 8 bytes, `u8 *password; size_t password_len;`.
//!
//! Everything that is pointed to is a text of just the length that is said. Only processes of 64 bits in little-endian order are known here.
//!
//! Cost: nothing where hostapd is not in the dump, and else one look at each word.

use std::sync::atomic::{AtomicBool, Ordering};

use super::dense::WORD;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Evidence, Rule, Severity};
use crate::keys::mac;
use crate::vault::SecretBytes;

/// The rule of these secrets.
const RULE: &str = "access-point-secret";
const KIND: &str = "hostapd";
/// Letters of a passphrase, of any other secret, of an identity and of the name of a network.
const PASSPHRASE: std::ops::RangeInclusive<usize> = 8..=63;
const LETTERS: std::ops::RangeInclusive<u64> = 4..=255;
const IDENTITY: std::ops::RangeInclusive<u64> = 1..=255;
const NETWORK: std::ops::RangeInclusive<u64> = 1..=32;
/// Bytes of a key, and of the structure that holds it.
const KEY: usize = 32;
const HOLDS_KEY: usize = 160;
/// Words from the length of a network's name to the passphrase.
const NAMED: std::ops::RangeInclusive<usize> = 2..=8;
/// Families of addresses: IPv4, IPv6.
const FAMILIES: [u32; 2] = [2, 10];
/// Words from a user's name and from the first of the methods to the password.
const USER: usize = 10;
const METHODS: usize = 8;
/// The highest method of EAP.
const METHOD: u64 = 256;
/// Keys that are worked out for any window: each takes milliseconds, and an access point has a few networks.
const TRIED: usize = 256;

/// Hunts for secrets of access points.
pub struct AccessPoints;

impl Hunter for AccessPoints {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Secret of an access point",
            Severity::Critical,
            "The passphrase of a wireless network or the key that is made of it, the secret that an access point shares with a server of \
             RADIUS or with its clients, or the password of a user.",
            "Change it, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::Hostapd)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Points::default())
    }
}

#[derive(Default)]
struct Points {
    walk: Walk,
    /// Whether there were more keys to work out than are, in any window.
    is_tired: AtomicBool,
}

impl Hunt for Points {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let mut left = Some(TRIED);
        self.walk.each(shown, structures::pointers, |place| {
            let pointer = Pointer(place);
            out.far.extend(pointer.network(&mut left).into_iter().flatten());
            out.far.extend(pointer.server().or_else(|| pointer.client()).or_else(|| pointer.user()));
        });
        if left.is_none() {
            self.is_tired.store(true, Ordering::Relaxed);
        }
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like what hostapd keeps that not all could be looked at; a secret may be missed: the dump is made to \
                      mislead";
        (self.is_tired.load(Ordering::Relaxed) || self.walk.is_spent()).then(|| reason.to_owned())
    }
}

/// What may be the pointer to a secret.
struct Pointer<'a>(&'a Place<'a>);

impl Pointer<'_> {
    /// The passphrase of a network and its key.
    fn network(&self, left: &mut Option<usize>) -> Option<Vec<Far>> {
        let name = NAMED.into_iter().find_map(|before| self.name(before))?;
        let (keys, at) = (self.0.before(1).filter(|word| is_pointer(*word))?, self.0.before(0)?);
        let text = self.0.text(at, PASSPHRASE.end() + 1).filter(|text| PASSPHRASE.contains(&text.len()))?;
        let holds = self.0.read_up_to(keys, HOLDS_KEY)?;
        *left = left.and_then(|left| left.checked_sub(1));
        (*left)?;
        let key = mac::wpa_key(text.expose(), &name);
        let start = holds.expose().windows(KEY).position(|window| window == key.as_slice())?;
        let context = format!("network {}", String::from_utf8_lossy(&name));
        let mut passphrase = self.far(&text, context.clone())?;
        passphrase.hit.evidence = Evidence::Proven;
        let mut made =
            self.0.key(RULE, KIND, context, key.as_slice(), self.0.spans(keys.checked_add(start as u64)?, KEY));
        made.hit.evidence = Evidence::Proven;
        Some(vec![passphrase, made])
    }

    /// The name of a network, if its length stands so many words before.
    fn name(&self, before: usize) -> Option<Vec<u8>> {
        let len = usize::try_from(self.0.before(before).filter(|len| NETWORK.contains(len))?).ok()?;
        let end = self.0.at.checked_sub(before * WORD)?;
        let (name, rest) = self.0.shown.window.slice(end.checked_sub(KEY)?..end).split_at_checked(len)?;
        let is_name = !name.contains(&0) && rest.iter().all(|byte| *byte == 0);
        is_name.then(|| name.to_vec())
    }

    /// The secret that is shared with a server of RADIUS.
    fn server(&self) -> Option<Far> {
        let family = self.0.before(3)? as u32;
        let port = self.0.before(1)? >> 32;
        let fits = FAMILIES.contains(&family) && (1..=u64::from(u16::MAX)).contains(&port);
        let len = self.0.behind(1).filter(|len| fits && LETTERS.contains(len))?;
        self.told(len, format!("server of RADIUS at port {port}"))
    }

    /// The secret that is shared with a client of the server of RADIUS that is built in.
    fn client(&self) -> Option<Far> {
        let or_none = |word: u64| word == 0 || is_pointer(word);
        let mask = u32::from_be(u32::try_from(self.0.before(5)? >> 32).ok()?);
        let (mask6_high, mask6_low) = (self.0.before(2)?, self.0.before(1)?);
        let is_mask = mask.count_ones() == mask.leading_ones()
            && mask6_high.count_ones() == u64::from_be(mask6_high).leading_ones()
            && mask6_low.count_ones() == u64::from_be(mask6_low).leading_ones();
        let is_any = mask != 0 || mask6_high != 0;
        let fits = is_mask && is_any && or_none(self.0.before(6)?) && or_none(self.0.behind(2)?);
        let len = (self.0.behind(1)? & 0xffff_ffff, fits);
        self.told(Some(len.0).filter(|length| len.1 && LETTERS.contains(length))?, "client of RADIUS".to_owned())
    }

    /// The password of a user.
    fn user(&self) -> Option<Far> {
        let len = self.0.behind(1).filter(|len| LETTERS.contains(len))?;
        let mut methods = (1..=METHODS).filter_map(|before| self.0.before(before));
        let fits = methods.all(|method| method & 0xffff_ffff == 0 && method >> 32 < METHOD);
        let next = self.0.before(USER + 1).filter(|word| fits && (*word == 0 || is_pointer(*word)));
        let identity_len = next.and_then(|_| self.0.before(USER - 1)).filter(|len| IDENTITY.contains(len))?;
        let identity = self.0.before(USER).filter(|word| is_pointer(*word))?;
        let identity = self.0.text_of(identity, identity_len)?;
        self.told(len, format!("user {}", String::from_utf8_lossy(identity.expose())))
    }

    /// The secret that is pointed to, if it has just so many letters.
    fn told(&self, len: u64, context: String) -> Option<Far> {
        self.far(&self.0.text_of(self.0.before(0)?, len)?, context)
    }

    fn far(&self, text: &SecretBytes, context: String) -> Option<Far> {
        Some(self.0.password(RULE, KIND, context, text, self.0.spans(self.0.before(0)?, text.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::span::Span;
    use crate::vault::Secret;

    const SECRET: &[u8] = b"vq7-Kzp!4m";

    /// What is found where the structure points to the secret at 0x500, and to a name at 0x400.
    fn found(structure: &[u64], size: usize) -> Vec<Far> {
        let structure = words(structure);
        let parts: [(usize, &[u8]); 3] = [(0x100, &structure), (0x400, b"joe"), (0x500, SECRET)];
        hunted(&AccessPoints, Clue::Hostapd, &memory(0x800, &parts), size).far
    }

    #[test]
    fn a_passphrase_is_proven_by_the_key_that_is_made_of_it() {
        let key = mac::wpa_key(SECRET, b"corpnet");
        let structure = words(&[7, 0x5_3b16_eb57, 0, 0, 3, BASE + 0x600, BASE + 0x500]);
        let mut parts: [(usize, &[u8]); 4] =
            [(0x100, b"corpnet"), (0x120, &structure), (0x500, SECRET), (0x628, key.as_slice())];
        for size in [0x800, 0x88] {
            let far = hunted(&AccessPoints, Clue::Hostapd, &memory(0x800, &parts), size).far;
            let spans: Vec<Span> = far.iter().flat_map(|far| far.spans.clone()).collect();
            assert_eq!(spans, [Span::new(0x500, 10), Span::new(0x628, 32)]);
            assert!(far.iter().all(|far| far.hit.evidence == Evidence::Proven));
            assert_eq!(far[1].hit.secret.identity(), Secret::bytes(key.as_slice()).identity());
        }
        parts[2].1 = b"vq7-Kzp!4n";
        assert!(hunted(&AccessPoints, Clue::Hostapd, &memory(0x800, &parts), 0x800).far.is_empty());
    }

    #[test]
    fn secrets_that_are_shared_are_told_where_all_fits() {
        let server = [0x0100_007f_0000_0002, 0, 0x46c8_0000_0000, BASE + 0x500, 10];
        let client = [0, 0x00ff_ffff_0000_007f, 0, 0, 0, 0, BASE + 0x500, 10, 0];
        let mut user = [0; 13];
        (user[1], user[2], user[3], user[11], user[12]) = (BASE + 0x400, 3, 4 << 32, BASE + 0x500, 10);
        for (structure, context) in
            [(&server[..], "server of RADIUS at port 18120"), (&client, "client of RADIUS"), (&user, "user joe")]
        {
            for size in [0x800, 0x88] {
                let far = found(structure, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x500, 10)][..]), "{context}");
                assert_eq!(far[0].hit.public.context, [context]);
            }
        }
        for (at, wrong) in [(0, 3), (2, 5), (4, 9)] {
            let mut server = server;
            server[at] = wrong;
            assert!(found(&server, 0x800).is_empty(), "{at}");
        }
        for (at, wrong) in [(0, 3), (1, 0x00fe_ff00_0000_007f), (7, 9)] {
            let mut client = client;
            client[at] = wrong;
            assert!(found(&client, 0x800).is_empty(), "{at}");
        }
        for (at, wrong) in [(0, 3), (2, 4), (5, 1), (12, 9)] {
            let mut user = user;
            user[at] = wrong;
            assert!(found(&user, 0x800).is_empty(), "{at}");
        }
    }
}
