//! Sessions of TLS as OpenSSL, LibreSSL and BoringSSL write them down: for a cache that processes share, for a ticket, for a file.
//!
//! `SSL_SESSION` in ASN.1 (ssl/ssl_asn1.c): version, protocol, cipher, the session's id and its secret, both OCTET STRINGs, then `[1]`
//! the time in seconds, of four bytes from 1970 to 2038, and `[2]` the seconds that it lasts. In TLS 1.2 the secret is the master
//! secret of 48 bytes, in 1.3 what the next connection is resumed with, of 32 or 48.
//!
//! The tag of the time triggers, because it stands behind the secret: allocators write over the first bytes of what was freed, and of
//! most sessions that were written down no more is left than a part.

use super::{Candidate, Detector, Hit, Hits, Literal, Reach, Trigger, tls_secrets};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule};
use crate::keys::fragment::looks_random;
use crate::vault::Secret;
use crate::window::Window;

/// The time's tag and length, and those of the INTEGER in it.
const TIME: [u8; 4] = [0xa1, 6, 2, 4];
/// The tag of how long it lasts.
const LASTS: u8 = 0xa2;
/// Bytes of a secret.
const SECRETS: [usize; 2] = [48, 32];
/// The tag of an OCTET STRING.
const OCTETS: u8 = 4;

/// Finds written sessions.
pub struct TlsSessions;

impl Detector for TlsSessions {
    fn rules(&self) -> Vec<Rule> {
        tls_secrets::TlsSecrets.rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(&TIME)])
    }

    fn reach(&self) -> Reach {
        Reach { before: 64, after: 32 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        if lasts(window.slice(candidate.at + 8..candidate.at + 16)) {
            out.hits.extend(SECRETS.into_iter().find_map(|len| secret(window, candidate.at, len)));
        }
    }
}

/// Whether bytes are `[2]` with an INTEGER of one byte to four.
fn lasts(bytes: &[u8]) -> bool {
    matches!(bytes, [LASTS, outer @ 3..=6, 2, inner @ 1..=4, ..] if *outer == inner + 2)
}

/// The secret of `len` bytes before `at`. Its tag may be gone.
fn secret(window: &Window<'_>, at: usize, len: usize) -> Option<Hit> {
    let range = at.checked_sub(len)?..at;
    let secret = window.slice(range.clone());
    let is_long = window.byte(range.start.checked_sub(1)?) == Some(len as u8);
    if !is_long || !looks_random(secret) {
        return None;
    }
    let has_tag = range.start.checked_sub(2).and_then(|at| window.byte(at)) == Some(OCTETS);
    Some(Hit {
        rule: tls_secrets::RULE.to_owned(),
        severity: None,
        evidence: if has_tag { Evidence::Parsed } else { Evidence::Matched },
        public: PublicIdentity { kind: "TLS session secret".to_owned(), ..PublicIdentity::default() },
        secret: Secret::bytes(secret),
        range,
        form: Form { layout: Layout::DerFragment, encoding: Encoding::Plain, piece: Piece::Whole },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::hits;
    use crate::keys::testing::noise;

    fn session(len: usize, id: usize) -> Vec<u8> {
        let head =
            [&[0x30, 0x81, 0x80, 2, 1, 1, 2, 2, 3, 3, 4, 2, 0xcc, 0xa8, 4, id as u8][..], &noise(id, 2)].concat();
        let tail = [&TIME[..], &[0x6b, 0xd, 0x1f, 0x97, LASTS, 4, 2, 2, 0x1c, 0x20, 0xa4, 2, 4, 0]].concat();
        [head, vec![OCTETS, len as u8], noise(len, 3), tail].concat()
    }

    #[test]
    fn a_session_gives_its_secret_also_where_its_head_is_gone() {
        for (len, id) in [(48, 32), (48, 0), (32, 32)] {
            let whole = session(len, id);
            let from = 18 + id;
            let gone = [&noise(from - 1, 5)[..], &whole[from - 1..]].concat();
            for (bytes, evidence) in [(whole, Evidence::Parsed), (gone, Evidence::Matched)] {
                let found = hits(&TlsSessions, &bytes);
                assert_eq!(found.len(), 1);
                assert_eq!((found[0].range.clone(), found[0].evidence), (from..from + len, evidence));
            }
        }
    }

    #[test]
    fn another_structure_is_none() {
        let whole = session(48, 32);
        for (at, value) in [(49, 47), (50 + 48 + 8, 0xa3), (50 + 48 + 9, 5), (50 + 48 + 11, 9)] {
            let mut other = whole.clone();
            other[at] = value;
            assert!(hits(&TlsSessions, &other).is_empty(), "{at}");
        }
        let mut plain = whole.clone();
        plain[50..98].fill(7);
        assert!(hits(&TlsSessions, &plain).is_empty() && hits(&TlsSessions, &whole[60..]).is_empty());
    }
}
