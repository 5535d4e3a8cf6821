//! Communities and keys of users in agents of net-snmp and in what is built upon it, which stand in its memory without a name.
//!
//! `struct usmUser` (snmpusm.h): `char *name; char *secName; oid *cloneFrom; size_t cloneFromLen; oid *authProtocol; size_t authProtocolLen;
//! u_char *authKey; size_t authKeyLen; oid *privProtocol; size_t privProtocolLen; u_char *privKey; size_t privKeyLen;`, and since 5.8 one more
//! pair behind the first key and before the second, mostly none. Protocols are numbers below 1.3.6.1.6.3.10.1, in a word each. The keys
//! are made of the passphrases and of the agent's id (RFC 3414, section 2.6); whoever has them can pose as the user at this agent.
//!
//! `com2SecEntry` (snmplib/snmpUDPDomain.c): `char *secName; char *contextName; struct com2SecEntry *next; in_addr_t network, mask; int negate; char
//! community[1];`, where the first two point behind the community, in the same piece of memory.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where net-snmp is not in the dump, and else one look
//! at each word.

use super::dense::WORD;
use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};

/// The rule of these secrets.
const RULE: &str = "snmp-agent-secret";
const KIND: &str = "net-snmp";
/// Numbers of a protocol, and those that all begin with.
const PROTOCOL: u64 = 10;
const PREFIX: [u64; 8] = [1, 3, 6, 1, 6, 3, 10, 1];
/// Bytes of keys: of MD5 and SHA, and what is used of them for DES and AES.
const KEYS: [u64; 7] = [16, 20, 24, 28, 32, 48, 64];
/// Words from the first protocol to its key, and before 5.8 and since to the second protocol and to all that may be keys.
const KEY: usize = 2;
const PLACES: [(usize, &[usize]); 2] = [(4, &[KEY, 6]), (6, &[KEY, 4, 8, 10])];
/// Words from the protocol to the user's name.
const NAME: usize = 4;
/// Bytes of an address, of IPv4 and of IPv6, before which there are three words, and behind which there is a mask as long and a number of 4 bytes.
const ADDRESSES: [usize; 2] = [4, 16];
const NEGATE: usize = 4;
/// Letters of a community and of a name for it.
const LETTERS: std::ops::RangeInclusive<usize> = 4..=255;
const SECURITY: std::ops::RangeInclusive<u64> = 1..=64;
/// Communities that agents come with.
const DEFAULTS: [&[u8]; 2] = [b"public", b"private"];

/// Hunts for communities and keys of users of SNMP.
pub struct SnmpUsers;

impl Hunter for SnmpUsers {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Secret of SNMP",
            Severity::High,
            "A community of an agent of SNMP, or a key that is made of the passphrase of a user of its version 3 for one agent.",
            "Change the community or the passphrases, and look for their use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::NetSnmp)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Agents::default())
    }
}

#[derive(Default)]
struct Agents(Walk);

impl Hunt for Agents {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.0.each(shown, structures::pointers, |place| {
            let pointer = Pointer(place);
            out.far.extend(pointer.community());
            out.far.extend(pointer.keys().into_iter().flatten());
        });
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like communities and users of SNMP that not all could be looked at; a secret may be missed: the dump is \
                      made to mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The first word of an entry, or what may point to a user's protocol.
struct Pointer<'a>(&'a Place<'a>);

impl Pointer<'_> {
    fn community(&self) -> Option<Far> {
        let (security, context) = (self.0.before(0)?, self.0.behind(1)?);
        let own = self.0.address()?;
        let len = context.checked_sub(security).filter(|len| SECURITY.contains(len))?;
        self.0.behind(2).filter(|next| *next == 0 || is_pointer(*next))?;
        let (at, text) = ADDRESSES.into_iter().find_map(|bytes| {
            let (at, letters) = self.room(own, security, bytes)?;
            self.0.text_of(at, letters).map(|text| (at, text))
        })?;
        // The context begins with the zero behind the name, or behind that.
        let name = [len, len - 1].into_iter().find_map(|len| self.0.text_of(security, len))?;
        let is_secret = LETTERS.contains(&text.len()) && !DEFAULTS.contains(&text.expose());
        let context = format!("community {}", String::from_utf8_lossy(name.expose()));
        is_secret.then(|| self.0.password(RULE, KIND, context, &text, self.0.spans(at, text.len())))
    }

    /// Where a community begins in an entry with addresses of so many bytes, and how many letters there are before the name.
    fn room(&self, own: u64, security: u64, bytes: usize) -> Option<(u64, u64)> {
        let head = 3 * WORD + 2 * bytes + NEGATE;
        let letters = security.checked_sub(own)?.checked_sub(head as u64 + 1)?;
        let fits = usize::try_from(letters).is_ok_and(|letters| LETTERS.contains(&letters));
        let from = self.0.at.checked_add(3 * WORD + bytes).filter(|_| fits)?;
        let (mask, negate) = self.0.shown.window.slice(from..from + bytes + NEGATE).split_at_checked(bytes)?;
        let zeros = mask.iter().rev().take_while(|byte| **byte == 0).count();
        let is_mask = mask.iter().rev().skip(zeros + 1).all(|byte| *byte == 0xff)
            && mask.iter().rev().nth(zeros).is_none_or(|byte| byte.count_ones() == byte.leading_ones());
        let is_entry = is_mask && matches!(negate, [0 | 1, 0, 0, 0]);
        is_entry.then_some((own.checked_add(head as u64)?, letters))
    }

    /// The keys of a user.
    fn keys(&self) -> Option<Vec<Far>> {
        self.key(KEY)?;
        self.protocol(0)?;
        let name = self.0.before(NAME).filter(|word| is_pointer(*word))?;
        let name = self.0.text(name, *LETTERS.end()).filter(|name| !name.is_empty())?;
        let (_, keys) = PLACES.into_iter().find(|(private, _)| self.protocol(*private).is_some())?;
        let told = keys.iter().filter_map(|behind| {
            let (pointer, len) = self.key(*behind)?;
            let bytes = self.0.read(pointer, usize::try_from(len).ok()?)?;
            let context = format!("key of user {}", String::from_utf8_lossy(name.expose()));
            let is_key = bytes.expose().iter().filter(|byte| **byte != 0).count() > bytes.len() / 2;
            is_key.then(|| self.0.key(RULE, KIND, context, bytes.expose(), self.0.spans(pointer, bytes.len())))
        });
        Some(told.collect())
    }

    /// A pointer to a key and its length, if they stand so many words behind.
    fn key(&self, behind: usize) -> Option<(u64, u64)> {
        let len = self.0.behind(behind + 1).filter(|len| KEYS.contains(len))?;
        self.0.behind(behind).filter(|word| is_pointer(*word)).map(|pointer| (pointer, len))
    }

    /// That so many words behind there is a protocol.
    fn protocol(&self, behind: usize) -> Option<()> {
        self.0.behind(behind + 1).filter(|len| *len == PROTOCOL)?;
        let pointer = self.0.behind(behind).filter(|word| is_pointer(*word))?;
        let bytes = self.0.read(pointer, PREFIX.len() * WORD)?;
        let numbers = bytes.expose().as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        numbers.eq(PREFIX).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::keys::testing::noise;
    use crate::span::Span;
    use crate::vault::Secret;

    fn found(parts: &[(usize, &[u8])], size: usize) -> Vec<Far> {
        hunted(&SnmpUsers, Clue::NetSnmp, &memory(0x800, parts), size).far
    }

    #[test]
    fn a_community_is_told_by_what_points_behind_it() {
        for (head, community, behind, told) in
            [(36, &b"vq7Kzp4m"[..], 5, 1), (60, b"vq7Kzp4m", 6, 1), (36, b"public", 5, 0), (40, b"vq7Kzp4m", 5, 0)]
        {
            let name = 0x100 + head + community.len() + 1;
            let structure = words(&[BASE + name as u64, BASE + name as u64 + behind, 0]);
            let text = [community, b"\0comm1\0\0"].concat();
            let parts: [(usize, &[u8]); 2] = [(0x100, &structure), (0x100 + head, &text)];
            for size in [0x800, 0x18] {
                let spans: Vec<Span> = found(&parts, size).into_iter().flat_map(|far| far.spans).collect();
                let wanted = [Span::new(0x100 + head as u64, community.len() as u64)];
                assert_eq!(spans, wanted[..told], "{head}");
            }
            // No mask of an address.
            let mask: (usize, &[u8]) = (0x100 + head - 8, &[0xff, 0, 0xff, 0]);
            assert!(found(&[parts[0], mask, parts[1]], 0x800).is_empty());
        }
    }

    #[test]
    fn keys_of_a_user_are_told_beside_their_protocols() {
        let key = noise(20, 3);
        for between in [&[0, 0][..], &[]] {
            let name = [BASE + 0x400, BASE + 0x400, 0, 0];
            let first = [BASE + 0x500, PROTOCOL, BASE + 0x600, 20];
            let (second, key_of_it) = ([BASE + 0x580, PROTOCOL], [BASE + 0x640, 16]);
            let structure = [&name[..], &first, between, &second, between, &key_of_it].concat();
            let bytes = words(&structure);
            let protocol = words(&[&PREFIX[..], &[1, 3]].concat());
            let parts: [(usize, &[u8]); 6] = [
                (0x100, &bytes),
                (0x400, b"alice"),
                (0x500, &protocol),
                (0x580, &protocol),
                (0x600, &key),
                (0x640, &key),
            ];
            for size in [0x800, 0x88] {
                let spans: Vec<Span> = found(&parts, size).into_iter().flat_map(|far| far.spans).collect();
                assert_eq!(spans, [Span::new(0x600, 20), Span::new(0x640, 16)]);
            }
            assert_eq!(found(&parts, 0x800)[0].hit.secret.identity(), Secret::bytes(&key).identity());
            let mut other = parts;
            other[2].1 = &[1; 80];
            assert!(found(&other, 0x800).is_empty());
        }
    }
}
