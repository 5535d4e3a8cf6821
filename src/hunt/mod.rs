//! Hunting: finding the private half of what a first pass saw the public half of.
//!
//! A [`Clue`] is something learned locally that is no secret: a public key, a certificate. When the local pass is done, a
//! [`Hunter`] that needs such clues walks the image again and tests each place against *all* of them at once. Clues are
//! budgeted and merge in any order with the same result. Adding a hunter is one file and one line in [`HUNTERS`].

pub mod access_points;
pub mod aws_secrets;
pub mod bare_points;
mod bits;
pub mod chacha_contexts;
pub mod client_logins;
mod code;
pub mod coordinates;
pub mod dense;
pub mod digits;
pub mod directory_passwords;
pub mod ec_places;
pub mod ec_scalars;
pub mod field_keys;
mod field_places;
pub mod field_primes;
pub mod generators;
pub mod go_objects;
pub mod haproxy_users;
pub mod ike_secrets;
pub mod in_structures;
pub mod islands;
pub mod kerberos_keys;
mod least;
pub mod long_digits;
pub mod managed_octets;
pub mod montgomery;
pub mod noise;
mod number_words;
pub mod object_values;
pub mod openvpn_passwords;
pub mod point_rows;
mod pointed;
pub mod postgres_logins;
pub mod radius_users;
pub mod randomness;
pub mod record_keys;
pub mod redis_passwords;
pub mod rsa_integers;
pub mod rsa_windows;
pub mod shielded;
pub mod signing_keys;
pub mod snmp_users;
mod structures;
mod tables;
#[cfg(test)]
mod testing;
mod texts;
pub mod ticket_keys;
pub mod tsig_keys;
mod variety;
pub mod windows_logons;
pub mod wireless_networks;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use std::ops::Range;

use zeroize::Zeroizing;

use dense::WORD;
use ec_places::Grid;
use noise::Noise;

use crate::detect::{Hits, object_names};
use crate::finding::{Certificate, Rule};
use crate::image::Image;
use crate::keys::base_points::Group;
use crate::keys::limbs::LONGEST;
use crate::keys::mac::Hash;
use crate::keys::{authorities, rsa};
use crate::memory::AddressSpace;
use crate::span::Address;
use crate::vault::SecretBytes;
use crate::window::Window;

/// Something learned that is no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clue {
    /// That a runtime with a heap of objects, OpenJDK or .NET, is in memory.
    ManagedHeap,
    /// That a process of Windows may log on with passwords.
    WindowsLogons,
    /// That a server of Redis is in memory.
    Redis,
    /// That the program that joins wireless networks is in memory.
    WpaSupplicant,
    /// That OpenVPN is in memory.
    OpenVpn,
    /// That a server of OpenLDAP is in memory.
    OpenLdap,
    /// That settings of Kerberos are in memory.
    Kerberos,
    /// That strongSwan is in memory.
    StrongSwan,
    /// That the server BIND is in memory.
    Bind,
    /// That programs in JavaScript, run by V8, may be in memory.
    V8,
    /// That hostapd is in memory.
    Hostapd,
    /// That net-snmp is in memory, as an agent or as a library.
    NetSnmp,
    /// That a process of a server of PostgreSQL is in memory, or pgbouncer.
    PostgreSqlServer,
    /// That FreeRADIUS is in memory.
    FreeRadius,
    /// That HAProxy is in memory.
    HaProxy,
    /// That an id of a key of AWS is in memory.
    AwsKeyId,
    /// An RSA public key: modulus and exponent, most significant byte first, without leading zeros.
    RsaPublicKey {
        /// n
        modulus: Vec<u8>,
        /// e
        exponent: Vec<u8>,
    },
    /// An RSA modulus of which it is known that a prime of it is in memory, without its exponent.
    RsaModulus {
        /// n, most significant byte first, without leading zeros.
        modulus: Vec<u8>,
    },
    /// A public key on an elliptic curve: `04 X Y`, or the 32 bytes of a key of Curve25519.
    CurvePoint {
        /// Which curve, and what for.
        group: Group,
        /// The public key.
        public: Vec<u8>,
    },
    /// That numbers of a curve are in memory as arithmetic needs them, so that somebody may compute on it.
    CurveInUse {
        /// Which curve.
        group: Group,
    },
    /// A certificate and the SHA-256 of the public key that it certifies.
    Certificate {
        /// SHA-256 of the SubjectPublicKeyInfo.
        spki_sha256: [u8; 32],
        /// What to print of it.
        certificate: Certificate,
    },
    /// Pointers to a private key that OpenSSH keeps encrypted, and to what it is encrypted under.
    Shielded {
        /// Where the encrypted key stands.
        private: Address,
        /// Its length in bytes.
        len: u64,
        /// Where the 16 KiB of random bytes stand.
        prekey: Address,
    },
    /// A pointer to the keys of OpenSSL's session tickets.
    TicketKeys {
        /// Where they stand.
        keys: Address,
        /// Whether connections were accepted that may have been given such a ticket.
        in_use: bool,
    },
    /// That a key of AES is known, by its digest: clues hold no secrets.
    CipherKey {
        /// SHA-256 of the key.
        sha256: [u8; 32],
        /// Bytes of the key.
        len: usize,
    },
    /// A text to which the structure of a database client points that also points to its password.
    ClientText {
        /// Where the text begins in the file.
        place: u64,
        /// Whose structure it is.
        client: client_logins::Client,
    },
    /// A string of a language's runtime that is a name of what may be a secret.
    ObjectName {
        /// Where the object begins in the file.
        place: u64,
        /// How it is laid out.
        kind: object_names::Kind,
    },
    /// What a key of HMAC signed, and how its signature begins: not the token, which would be a secret.
    SignedToken {
        /// The hash that it is signed with.
        hash: Hash,
        /// What was signed.
        message: Vec<u8>,
        /// The first bytes of the signature.
        code: Vec<u8>,
    },
}

impl Clue {
    /// The modulus of an RSA public key.
    #[must_use]
    pub fn modulus(&self) -> Option<&[u8]> {
        match self {
            Self::RsaPublicKey { modulus, .. } | Self::RsaModulus { modulus } => Some(modulus),
            _ => None,
        }
    }
}

/// Everything learned in the local pass.
#[derive(Clone, Debug)]
pub struct Clues {
    known: BTreeMap<Clue, ()>,
    /// Those that the user brought: they need no room.
    brought: BTreeSet<Clue>,
    most: usize,
    dropped: bool,
    noise: u64,
}

impl Clues {
    /// No clues, and room for `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: BTreeMap::new(), brought: BTreeSet::new(), most, dropped: false, noise: 0 }
    }

    /// How many there is room for.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// Adds a clue that no dump gave. It is never dropped.
    pub fn bring(&mut self, clue: Clue) {
        self.brought.insert(clue);
    }

    /// Whether the user brought this clue.
    #[must_use]
    pub fn is_brought(&self, clue: &Clue) -> bool {
        self.brought.contains(clue)
    }

    /// Whether the user brought the public key of a curve.
    #[must_use]
    pub fn ask_for_points(&self) -> bool {
        self.brought.iter().any(|clue| matches!(clue, Clue::CurvePoint { .. }))
    }

    /// Whether it is the key of a well-known certificate authority, and none that the user asks for: nobody has to look for
    /// its private half.
    #[must_use]
    pub fn is_of_an_authority(&self, clue: &Clue) -> bool {
        let Clue::RsaPublicKey { modulus, exponent } = clue else { return false };
        let is_well_known = rsa::spki_sha256(modulus, exponent).is_some_and(|spki| authorities::is_well_known(&spki));
        is_well_known && !self.is_brought(clue)
    }

    /// Adds a clue. Where there is no more room the greatest goes, so that the order of adding does not matter.
    pub fn add(&mut self, clue: Clue) {
        if self.brought.contains(&clue) {
            return;
        }
        self.known.insert(clue, ());
        if self.known.len() > self.most {
            // Of tokens a few are enough, and they come last.
            self.dropped |= !matches!(self.known.pop_last(), Some((Clue::SignedToken { .. }, ())));
        }
    }

    /// Adds so many bytes that look random throughout.
    pub fn add_noise(&mut self, bytes: u64) {
        self.noise += bytes;
    }

    /// About how many bytes of the dump look random throughout ([`noise::bytes`]).
    #[must_use]
    pub fn noise(&self) -> u64 {
        self.noise
    }

    /// Whether the budget ran out and clues were lost: a gap.
    #[must_use]
    pub fn dropped(&self) -> bool {
        self.dropped
    }

    /// Every clue, those that the user brought first, each kind in order.
    pub fn iter(&self) -> impl Iterator<Item = &Clue> {
        self.brought.iter().chain(self.known.keys())
    }

    /// The certificates of the key with this SubjectPublicKeyInfo hash.
    #[must_use]
    pub fn certificates_of(&self, spki: &[u8; 32]) -> Vec<Certificate> {
        let of_key = |clue: &Clue| match clue {
            Clue::Certificate { spki_sha256, certificate } if spki_sha256 == spki => Some(certificate.clone()),
            _ => None,
        };
        self.iter().filter_map(of_key).collect()
    }
}

/// Looks for the private half of clues.
pub trait Hunter: Sync {
    /// The rules whose findings it can make.
    fn rules(&self) -> Vec<Rule>;
    /// Whether these clues give it anything to look for.
    fn needs(&self, clues: &Clues) -> bool;
    /// What it prepares once from the clues, before the windows come.
    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt>;
}

/// A hunter with its clues worked in, shared by all threads.
pub trait Hunt: Sync + Send {
    /// Looks at one window.
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits);
    /// What is to be hunted for in one more walk, when all windows were looked at; only under names that are wanted.
    fn further(&self, _is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Box<dyn Hunt>> {
        None
    }
    /// What it does not look for because that would take too long, in words: a gap.
    fn left_out(&self) -> Option<String> {
        None
    }
    /// Why it did not look at all that it should have, when all windows were looked at, in words: a gap.
    fn given_up(&self) -> Option<String> {
        None
    }
    /// What it does not look for because it is next to never there, in words, when all windows were looked at: nothing that
    /// anybody has to act on.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A window, and what is worked out of it once for all that look at it.
pub struct Shown<'a> {
    /// The window.
    pub window: &'a Window<'a>,
    /// Memory beyond it is read through this.
    pub memory: &'a AddressSpace,
    /// The whole image.
    pub image: &'a Image,
    grids: OnceCell<Vec<Grid>>,
    stretches: OnceCell<Stretches>,
    noise: OnceCell<Noise>,
}

/// Where numbers may stand: in whole words, and in digits of 30 bits.
pub type Stretches = (Vec<Range<usize>>, Vec<Range<usize>>);

impl<'a> Shown<'a> {
    /// A window of which nothing is worked out yet.
    #[must_use]
    pub fn new(window: &'a Window<'a>, memory: &'a AddressSpace, image: &'a Image) -> Self {
        Self { window, memory, image, grids: OnceCell::new(), stretches: OnceCell::new(), noise: OnceCell::new() }
    }

    /// The text at an address up to the zero behind it: less than `most` bytes of UTF-8 without control characters.
    #[must_use]
    pub fn text(&self, at: Address, most: usize) -> Option<SecretBytes> {
        let mut bytes = Zeroizing::new(vec![0; most]);
        let got = self.memory.read(self.image, at, &mut bytes).ok()?;
        let len = bytes.iter().take(got).position(|byte| *byte == 0)?;
        let text = SecretBytes::new(bytes.get(..len)?);
        let is_text = std::str::from_utf8(text.expose()).is_ok_and(|text| !text.chars().any(char::is_control));
        is_text.then_some(text)
    }

    /// The runs of full words.
    pub fn grids(&self) -> &[Grid] {
        self.grids.get_or_init(|| ec_places::grids(self.window, self.memory))
    }

    /// Where it is noise.
    pub fn noise(&self) -> &Noise {
        self.noise.get_or_init(|| Noise::of(self.window))
    }

    /// The stretches in which numbers of RSA keys of any size may stand that the window owns.
    pub fn stretches(&self) -> &Stretches {
        self.stretches.get_or_init(|| {
            let (bytes, owned) = (self.window.bytes(), self.window.owned());
            let end = (owned.end + WORD * (LONGEST + 1)).min(bytes.len());
            dense::stretches(bytes, owned.start..end, montgomery::HALVES[0])
        })
    }
}

/// Every hunter.
pub const HUNTERS: &[&dyn Hunter] = &[
    &rsa_integers::RsaIntegers,
    &rsa_windows::RsaWindows,
    &shielded::Shielded,
    &generators::Generators,
    &signing_keys::SigningKeys,
    &managed_octets::ManagedOctets,
    &ticket_keys::TicketKeys,
    &aws_secrets::AwsSecrets,
    &object_values::ObjectValues,
    &windows_logons::WindowsLogons,
    &redis_passwords::RedisPasswords,
    &client_logins::ClientLogins,
    &wireless_networks::WirelessNetworks,
    &openvpn_passwords::OpenVpnPasswords,
    &directory_passwords::DirectoryPasswords,
    &kerberos_keys::KerberosKeys,
    &ike_secrets::IkeSecrets,
    &tsig_keys::TsigKeys,
    &access_points::AccessPoints,
    &snmp_users::SnmpUsers,
    &postgres_logins::PostgresLogins,
    &radius_users::RadiusUsers,
    &haproxy_users::HaProxyUsers,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Clue {
        Clue::RsaPublicKey { modulus: vec![n], exponent: vec![3] }
    }

    #[test]
    fn clues_merge_in_any_order_with_the_same_result() {
        let (mut a, mut b) = (Clues::new(3), Clues::new(3));
        [5, 1, 4, 2, 3].into_iter().for_each(|n| a.add(key(n)));
        [3, 2, 1, 4, 5, 5].into_iter().for_each(|n| b.add(key(n)));
        assert!(a.iter().eq(b.iter()));
        assert!(a.dropped() && b.dropped());
        assert_eq!(a.iter().count(), 3);
    }

    #[test]
    fn what_the_user_brings_needs_no_room_and_comes_first() {
        let mut clues = Clues::new(2);
        clues.bring(key(9));
        [1, 9, 2].into_iter().for_each(|n| clues.add(key(n)));
        assert!(clues.iter().eq(&[key(9), key(1), key(2)]) && !clues.dropped());
        clues.add(key(3));
        assert!(clues.iter().eq(&[key(9), key(1), key(2)]) && clues.dropped());
    }
}
