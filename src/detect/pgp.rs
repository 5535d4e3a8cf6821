//! Secret-key packets of OpenPGP as bytes, not armoured: what GnuPG and Sequoia read and write.
//!
//! The public half stands before the private one, so the numbers prove each other. Source: RFC 9580, sections 4.2 (headers
//! of packets), 5.5.2 and 5.5.3 (keys of version 4), 9.1 and 9.2 (algorithms and curves).

use std::ops::Range;

use zeroize::Zeroizing;

use super::pem::key_rules;
use super::structure::site_of;
use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule};
use crate::keys::FoundKey;
use crate::keys::edwards::{ed25519_key, x25519_key};
use crate::keys::number::Number;
use crate::keys::rsa::RsaNumbers;
use crate::vault::Secret;
use crate::window::Window;

/// The rule of encrypted keys, the same as for those in DER.
const ENCRYPTED: &str = "encrypted-private-key";
/// The exponent of every RSA key that is made today, 65537, as a number of OpenPGP: 17 bits, three bytes.
const EXPONENT: &[u8] = &[0, 17, 1, 0, 1];
/// The curve of Ed25519 keys: length and object identifier.
const ED25519: &[u8] = &[9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];
/// The curve of X25519 keys.
const X25519: &[u8] = &[10, 0x2b, 6, 1, 4, 1, 0x97, 0x55, 1, 5, 1];
/// Sizes of RSA keys in bytes.
const MODULI: [usize; 6] = [128, 192, 256, 384, 512, 1024];
/// Version, time and algorithm of a key.
const HEAD: usize = 6;
/// Bytes of a packet with the longest key.
const LONGEST: usize = 6000;

/// Finds secret keys of OpenPGP.
pub struct Pgp;

impl Detector for Pgp {
    fn rules(&self) -> Vec<Rule> {
        key_rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals([EXPONENT, ED25519, X25519].map(Literal::binary).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: 1024 + HEAD + 8, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some(packet) = Packet::around(candidate, window) else { return };
        let secret = packet.secret.clone();
        let Some(key) = packet.key(window.slice(packet.start..packet.secret.end)) else { return };
        let site = site_of(window, packet.start..secret.end, secret);
        out.hits.push(key.at(site, Form::whole(Layout::Pgp, Encoding::Plain)));
    }
}

/// Which numbers a key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa(usize),
    Ed25519,
    X25519,
}

/// A secret-key packet.
#[derive(Debug)]
struct Packet {
    kind: Kind,
    /// Its version stands here.
    start: usize,
    /// The octet that says how the private half is encrypted.
    usage: usize,
    /// The private half and its checksum.
    secret: Range<usize>,
}

impl Packet {
    /// The packet whose exponent or curve the candidate is.
    fn around(candidate: Candidate, window: &Window<'_>) -> Option<Self> {
        let at = candidate.at;
        let (kind, algorithms, start, usage) = match candidate.literal {
            0 => {
                let fits = |bytes: &usize| {
                    let bits = at.checked_sub(bytes + 2).map(|from| window.slice(from..from + 2));
                    bits == Some(&u16::try_from(bytes * 8).unwrap_or(0).to_be_bytes()[..])
                };
                let bytes = MODULI.into_iter().find(fits)?;
                (Kind::Rsa(bytes), &[1, 2, 3][..], at.checked_sub(bytes + 2 + HEAD)?, at + EXPONENT.len())
            }
            1 => (Kind::Ed25519, &[22][..], at.checked_sub(HEAD)?, at + ED25519.len() + 35),
            // The parameters of the key derivation stand behind the point: their length and that many bytes.
            _ => {
                let parameters = at + X25519.len() + 35;
                (Kind::X25519, &[18][..], at.checked_sub(HEAD)?, parameters + 1 + usize::from(window.byte(parameters)?))
            }
        };
        let algorithm = window.byte(start + HEAD - 1)?;
        let len = length(window, start)?;
        let secret = usage + 1..start.checked_add(len)?;
        let fits =
            window.byte(start) == Some(4) && algorithms.contains(&algorithm) && secret.len() > 2 && len <= LONGEST;
        (fits && window.byte(secret.end - 1).is_some()).then_some(Self { kind, start, usage, secret })
    }

    /// The key, proven by its own numbers; or as what it is, where it is encrypted.
    fn key(&self, bytes: &[u8]) -> Option<FoundKey> {
        let part = |range: Range<usize>| bytes.get(range.start - self.start..range.end - self.start);
        let (usage, secret) = (part(self.usage..self.usage + 1)?, part(self.secret.clone())?);
        match usage {
            [0] => self.open(bytes, secret),
            [253..=255] => Some(self.encrypted(secret)),
            _ => None,
        }
    }

    fn open(&self, bytes: &[u8], secret: &[u8]) -> Option<FoundKey> {
        let mut rest = secret;
        match self.kind {
            Kind::Rsa(len) => {
                let n = Number::from_be(bytes.get(HEAD + 2..HEAD + 2 + len)?);
                let [d, p, q] = [integer(&mut rest)?, integer(&mut rest)?, integer(&mut rest)?].map(Number::from_be);
                let e = Number::from_be(&[1, 0, 1]);
                let numbers = RsaNumbers::from_primes(p, q, e, Some(d)).filter(|key| key.n == n && key.prove())?;
                numbers.into_found(Evidence::Proven)
            }
            Kind::Ed25519 => ed25519_key(number(&mut rest)?.as_slice(), self.point(bytes, ED25519)),
            Kind::X25519 => {
                // A number like any other here, its most significant byte first; the curve's own order is the reverse.
                let mut secret = number(&mut rest)?;
                secret.reverse();
                x25519_key(secret.as_slice(), self.point(bytes, X25519))
            }
        }
    }

    /// The public point: 263 bits, of which the first byte says that it is as the curve writes it.
    fn point<'a>(&self, bytes: &'a [u8], curve: &[u8]) -> Option<&'a [u8]> {
        let from = HEAD + curve.len();
        let head = bytes.get(from..from + 3)?;
        bytes.get(from + 3..from + 35).filter(|_| head == [1, 7, 0x40])
    }

    fn encrypted(&self, secret: &[u8]) -> FoundKey {
        let kind = match self.kind {
            Kind::Rsa(bytes) => format!("RSA-{}", bytes * 8),
            Kind::Ed25519 => "Ed25519".to_owned(),
            Kind::X25519 => "X25519".to_owned(),
        };
        let public = PublicIdentity { kind, ..PublicIdentity::default() };
        FoundKey { rule: ENCRYPTED, evidence: Evidence::Parsed, severity: None, public, secret: Secret::bytes(secret) }
    }
}

/// How long the packet is whose body begins at `start`: its header stands before it, in the old form or in the new one, and
/// says that it is a secret key or a secret subkey.
fn length(window: &Window<'_>, start: usize) -> Option<usize> {
    let before = |bytes: usize| start.checked_sub(bytes).map(|from| window.slice(from..start)).unwrap_or_default();
    match (before(6), before(5), before(3), before(2)) {
        ([0xc5 | 0xc7, 0xff, a, b, c, d], ..) | (_, [0x96 | 0x9e, a, b, c, d], ..) => {
            usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()
        }
        (_, _, [0x95 | 0x9d, high, low], _) => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        (_, _, [0xc5 | 0xc7, high @ 192..=223, low], _) => {
            Some((usize::from(*high) - 192) * 256 + usize::from(*low) + 192)
        }
        (.., [0x94 | 0x9c | 0xc5 | 0xc7, len]) => Some(usize::from(*len)),
        _ => None,
    }
}

/// The next number: how many bits, and its bytes.
fn integer<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let ([high, low], behind) =
        rest.split_at_checked(2).and_then(|(head, rest)| Some((<[u8; 2]>::try_from(head).ok()?, rest)))?;
    let bytes = usize::from(u16::from_be_bytes([high, low])).div_ceil(8);
    let (integer, behind) = behind.split_at_checked(bytes)?;
    *rest = behind;
    Some(integer)
}

/// The next number, with the zeros before it that 32 bytes have.
fn number(rest: &mut &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let integer = integer(rest)?;
    let mut all = Zeroizing::new([0; 32]);
    let from = 32_usize.checked_sub(integer.len())?;
    all.get_mut(from..)?.copy_from_slice(integer);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits, rsa_key};
    use crate::keys::testing::noise;
    use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

    fn mpi(bytes: &[u8]) -> Vec<u8> {
        let bytes: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
        let bits = bytes.len() * 8 - bytes[0].leading_zeros() as usize;
        [&(bits as u16).to_be_bytes()[..], &bytes].concat()
    }

    /// A packet with each header that its length can have.
    fn packets(body: &[u8]) -> Vec<Vec<u8>> {
        let len = (body.len() as u32).to_be_bytes();
        let mut heads =
            vec![[&[0xc5, 0xff][..], &len].concat(), [&[0x9e][..], &len].concat(), [&[0x95][..], &len[2..]].concat()];
        if body.len() > 191 {
            let rest = body.len() - 192;
            heads.push(vec![0xc7, (rest / 256) as u8 + 192, (rest % 256) as u8]);
        } else {
            heads.extend([vec![0x94, len[3]], vec![0xc5, len[3]]]);
        }
        heads.into_iter().map(|head| [&head[..], body].concat()).collect()
    }

    fn body(algorithm: u8, public: &[u8], usage: u8, private: &[u8]) -> Vec<u8> {
        let sum = private.iter().fold(0_u16, |sum, b| sum.wrapping_add(u16::from(*b)));
        [&[4, 0x65, 0x12, 0x34, 0x56, algorithm][..], public, &[usage], private, &sum.to_be_bytes()].concat()
    }

    #[test]
    fn keys_are_proven_by_their_public_half() {
        let key = rsa_key(7, 2048);
        let primes = key.primes();
        let public = [mpi(&key.n().to_be_bytes()), mpi(&[1, 0, 1])].concat();
        let private =
            [mpi(&key.d().to_be_bytes()), mpi(&primes[0].to_be_bytes()), mpi(&primes[1].to_be_bytes()), mpi(&[9; 128])]
                .concat();
        let seed = noise(32, 5);
        let point = ed25519_dalek::SigningKey::from_bytes(&seed.clone().try_into().unwrap()).verifying_key().to_bytes();
        let edwards = [ED25519, &[1, 7, 0x40], &point[..]].concat();
        let mut scalar: [u8; 32] = noise(32, 6).try_into().unwrap();
        scalar[0] &= 248;
        scalar[31] = scalar[31] & 127 | 64;
        let point = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(scalar)).to_bytes();
        let montgomery = [X25519, &[1, 7, 0x40], &point[..], &[3, 1, 8, 7]].concat();
        let reversed: Vec<u8> = scalar.iter().rev().copied().collect();
        for (rule, body) in [
            ("rsa-private-key", body(1, &public, 0, &private)),
            ("ed25519-private-key", body(22, &edwards, 0, &mpi(&seed))),
            ("x25519-private-key", body(18, &montgomery, 0, &mpi(&reversed))),
        ] {
            for packet in packets(&body) {
                let bytes = [&[7; 20][..], &packet, &[0; 40]].concat();
                let hit = hit(&Pgp, &bytes);
                assert_eq!((hit.rule.as_str(), hit.evidence), (rule, Evidence::Proven));
                assert_eq!(hit.range.end, 20 + packet.len());
                for cut in [30, packet.len() / 2, packet.len() - 1] {
                    assert!(hits(&Pgp, &packet[..cut]).is_empty());
                }
            }
        }
    }

    #[test]
    fn what_is_encrypted_is_told_as_such_and_public_keys_are_not() {
        let key = rsa_key(8, 1024);
        let public = [mpi(&key.n().to_be_bytes()), mpi(&[1, 0, 1])].concat();
        let found = hit(&Pgp, &packets(&body(1, &public, 254, &noise(400, 3)))[0]);
        assert_eq!((found.rule.as_str(), found.public.kind.as_str()), ("encrypted-private-key", "RSA-1024"));
        let mut packet = packets(&body(1, &public, 0, &noise(400, 3)))[2].clone();
        assert!(hits(&Pgp, &packet).is_empty(), "numbers that prove nothing");
        packet[0] = 0x99;
        assert!(hits(&Pgp, &packet).is_empty(), "a public key");
    }
}
