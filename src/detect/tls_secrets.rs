//! Secrets of TLS connections as OpenSSL keeps them: with them, whoever has recorded the traffic reads it.
//!
//! **TLS 1.3.** The structure of a connection (`SSL`, since 3.2 `SSL_CONNECTION`; ssl/ssl_local.h, 1.1.1 to 3.x) has twelve
//! arrays of 64 bytes one behind the other: the early, handshake, master and resumption secrets, two keys of Finished messages,
//! two hashes of the handshake so far, the traffic secrets of both sides, and two secrets of exporters. The early secret
//! of a connection that resumes no other is the same everywhere, which makes it the trigger; and the others follow from each
//! other, which proves them ([`crate::keys::tls`]).
//!
//! **Sessions.** `SSL_SESSION` begins with the version, the length of the secret, an early secret of 64 bytes that is nearly
//! always zeros, and the secret in a larger array: in TLS 1.2 it is the master secret, which opens every connection of the
//! session, and in 1.3 what the next connection is resumed with.

use std::ops::Range;

use super::{Candidate, Detector, Hit, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::hunt::randomness::looks_random;
use crate::keys::tls::Hash;
use crate::vault::{Identity, Part, PartKind, Secret, SecretBytes};
use crate::window::Window;

/// The rule of secrets of TLS.
pub const RULE: &str = "tls-session-secret";

/// Bytes of each array of a connection.
const SLOT: usize = 64;
/// Arrays of a connection.
const SLOTS: usize = 12;
/// The arrays whose secrets are told, and their names.
const SECRETS: [(usize, &str); 7] = [
    (1, "handshake secret"),
    (2, "master secret"),
    (3, "resumption master secret"),
    (8, "client traffic secret"),
    (9, "server traffic secret"),
    (10, "exporter secret"),
    (11, "early exporter secret"),
];
/// The array that has the hash of the handshake up to the server's Finished.
const TRANSCRIPT: usize = 6;
/// The arrays that follow from the master secret and that hash, and the labels of RFC 8446, section 7.1.
const DERIVED: [(usize, &[u8]); 3] = [(8, b"c ap traffic"), (9, b"s ap traffic"), (10, b"exp master")];

/// How sessions begin: version and length of the secret, as words of 8 bytes.
const SESSIONS: [(u8, u8); 3] = [(3, 48), (4, 48), (4, 32)];
/// Where a session has its early secret, and where its secret.
const EARLY_SECRET: Range<usize> = 16..80;
/// Zeros behind the secret that are looked at: its array has 256 or 512 bytes.
const BEHIND: usize = 64;

/// Finds secrets of TLS connections and sessions.
pub struct TlsSecrets;

impl Detector for TlsSecrets {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Secret of a TLS connection",
            Severity::High,
            "A secret that the keys of a TLS connection follow from: it opens what was recorded of the connection, and what \
             resumes it.",
            "Treat what the connection carried as read, and replace the credentials in it; end the sessions that can be resumed.",
        )]
    }

    fn trigger(&self) -> Trigger {
        let early = Hash::ALL.map(|hash| Literal::binary(hash.early().expose()));
        let sessions = SESSIONS.map(|(version, len)| {
            let words = [u64::from_le_bytes([version, 3, 0, 0, 0, 0, 0, 0]), u64::from(len)];
            Literal::binary(&words.map(u64::to_le_bytes).concat())
        });
        Trigger::Literals(early.into_iter().chain(sessions).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: SLOT * SLOTS }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        match Hash::ALL.get(candidate.literal) {
            Some(hash) => Connection { window, at: candidate.at, hash: *hash }.tell(out),
            None => {
                let session = SESSIONS.get(candidate.literal - Hash::ALL.len());
                out.hits.extend(session.and_then(|session| secret_of_session(window, candidate.at, *session)));
            }
        }
    }
}

/// The secrets of a connection that resumes another, whose early secret is none that everybody has, by where its handshake secret stands.
/// `None` where no master secret follows from that.
#[must_use]
pub fn resumed(window: &Window<'_>, handshake: usize, hash: Hash) -> Option<Hits> {
    let connection = Connection { window, at: handshake.checked_sub(SLOT)?, hash };
    let follows = connection
        .secret(1)
        .zip(connection.secret(2))
        .is_some_and(|(secret, master)| hash.master(secret).expose() == master);
    follows.then(|| {
        let mut hits = Hits::default();
        let early = connection.secret(0).filter(|early| *early != hash.early().expose());
        if let Some(early) = early {
            let range = connection.at..connection.at + early.len();
            hits.hits.push(hit("TLS 1.3 early secret", Evidence::Parsed, Secret::bytes(early), range));
            connection.tell(&mut hits);
        }
        hits
    })
}

/// The arrays of a connection, from the early secret on.
struct Connection<'a> {
    window: &'a Window<'a>,
    at: usize,
    hash: Hash,
}

impl Connection<'_> {
    fn tell(&self, out: &mut Hits) {
        let (Some(handshake), Some(master)) = (self.secret(1), self.secret(2)) else { return };
        let is_proven = self.hash.master(handshake).expose() == master;
        for (slot, name) in SECRETS {
            let Some(secret) = self.secret(slot) else { continue };
            let evidence =
                if is_proven && self.follows(slot, secret, master) { Evidence::Proven } else { Evidence::Parsed };
            let at = self.at + SLOT * slot;
            out.hits.push(hit(&format!("TLS 1.3 {name}"), evidence, self.kept(slot, secret), at..at + secret.len()));
        }
    }

    /// What an array holds, if that looks random and there are zeros behind it.
    fn secret(&self, slot: usize) -> Option<&[u8]> {
        let at = self.at + SLOT * slot;
        let array = self.window.slice(at..at + SLOT);
        let (secret, behind) = array.split_at_checked(self.hash.size())?;
        let whole = array.len() == SLOT && behind.iter().all(|b| *b == 0);
        (whole && looks_random(secret)).then_some(secret)
    }

    /// Whether the secret follows from the master secret, or is one of those two that were compared.
    fn follows(&self, slot: usize, secret: &[u8], master: &[u8]) -> bool {
        let label = DERIVED.iter().find(|(derived, _)| *derived == slot).map(|(_, label)| *label);
        let hash = self.secret(TRANSCRIPT).unwrap_or_default();
        slot <= 2 || label.is_some_and(|label| self.hash.derived(master, label, hash, secret.len()).expose() == secret)
    }

    /// A traffic secret goes with the key that encrypts with it where that is one of ChaCha20, of which nothing else tells.
    fn kept(&self, slot: usize, secret: &[u8]) -> Secret {
        let part = |piece, bytes: &[u8]| Part { piece, kind: PartKind::Bytes, bytes: SecretBytes::new(bytes) };
        let mut parts = vec![part(Piece::Whole, secret)];
        if self.hash == Hash::Sha256 && (slot == 8 || slot == 9) {
            parts.push(part(Piece::RecordKey, self.hash.derived(secret, b"key", &[], 32).expose()));
        }
        Secret::known_by(Identity::of_bytes(secret), parts)
    }
}

fn secret_of_session(window: &Window<'_>, at: usize, (version, len): (u8, u8)) -> Option<Hit> {
    let from = at + EARLY_SECRET.end;
    let range = from..from + usize::from(len);
    let zeros = |range: Range<usize>| {
        window.slice(range.clone()).len() == range.len() && window.slice(range).iter().all(|b| *b == 0)
    };
    let early = at + EARLY_SECRET.start..from;
    let secret = window.slice(range.clone());
    let fits = zeros(early) && zeros(range.end..range.end + BEHIND) && looks_random(secret);
    let kind = if version == 3 { "TLS 1.2 master secret" } else { "TLS 1.3 resumption secret" };
    fits.then(|| hit(kind, Evidence::Parsed, Secret::bytes(secret), range))
}

fn hit(kind: &str, evidence: Evidence, secret: Secret, range: Range<usize>) -> Hit {
    Hit {
        rule: RULE.to_owned(),
        severity: None,
        evidence,
        public: PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() },
        secret,
        range,
        form: Form { layout: Layout::CipherState, encoding: Encoding::Plain, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::hits;
    use crate::keys::testing::noise;

    /// The arrays of a connection whose secrets follow from each other, between other fields.
    fn connection(hash: Hash, seed: u64) -> Vec<u8> {
        let size = hash.size();
        let (handshake, transcript) = (noise(size, seed), noise(size, seed + 1));
        let master = hash.master(&handshake).expose().to_vec();
        let derived = |label| hash.derived(&master, label, &transcript, size).expose().to_vec();
        let others = (2..6).map(|i| noise(size, seed + i));
        let app = [derived(b"c ap traffic"), derived(b"s ap traffic"), derived(b"exp master"), Vec::new()];
        let all = [hash.early().expose().to_vec(), handshake, master.clone()].into_iter().chain(others.take(3));
        let all = all.chain([transcript.clone(), noise(size, seed + 9)]).chain(app);
        let arrays = all.flat_map(|mut array| {
            array.resize(SLOT, 0);
            array
        });
        [noise(40, 1), arrays.collect(), noise(100, 2)].concat()
    }

    #[test]
    fn the_secrets_of_a_connection_are_proven_by_each_other() {
        for hash in Hash::ALL {
            let bytes = connection(hash, 5);
            let found = hits(&TlsSecrets, &bytes);
            let told: Vec<(&str, Evidence)> =
                found.iter().map(|hit| (hit.public.kind.as_str(), hit.evidence)).collect();
            let proven = |name: &'static str| (name, Evidence::Proven);
            let want = [
                proven("TLS 1.3 handshake secret"),
                proven("TLS 1.3 master secret"),
                ("TLS 1.3 resumption master secret", Evidence::Parsed),
                proven("TLS 1.3 client traffic secret"),
                proven("TLS 1.3 server traffic secret"),
                proven("TLS 1.3 exporter secret"),
            ];
            assert_eq!(told, want);
            assert!(found.iter().all(|hit| hit.range.len() == hash.size() && (hit.range.start - 40) % SLOT == 0));
            assert_eq!(found[3].secret.parts().len(), if hash == Hash::Sha256 { 2 } else { 1 });
        }
    }

    #[test]
    fn a_connection_that_resumes_another_is_known_by_the_secrets_that_follow_from_each_other() {
        for hash in Hash::ALL {
            let told = |bytes: &[u8]| {
                let pieces = [crate::span::Span::new(0, bytes.len() as u64)];
                let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
                resumed(&window, 40 + SLOT, hash)
                    .map(|hits| hits.hits.iter().map(|hit| hit.evidence).collect::<Vec<_>>())
            };
            let mut bytes = connection(hash, 5);
            assert_eq!(told(&bytes), Some(Vec::new()), "the detector tells a connection that resumes none");
            bytes[40..40 + hash.size()].copy_from_slice(&noise(hash.size(), 8));
            let [parsed, proven] = [Evidence::Parsed, Evidence::Proven];
            assert_eq!(told(&bytes), Some(vec![parsed, proven, proven, parsed, proven, proven, proven]));
            bytes[40 + 2 * SLOT] ^= 1;
            assert_eq!(told(&bytes), None);
        }
    }

    #[test]
    fn what_was_changed_is_told_and_not_proven() {
        let mut bytes = connection(Hash::Sha256, 6);
        // The traffic secrets change while a connection lasts.
        bytes[40 + 8 * SLOT] ^= 1;
        let evidence = |bytes: &[u8], i: usize| hits(&TlsSecrets, bytes)[i].evidence;
        assert_eq!([3, 4].map(|i| evidence(&bytes, i)), [Evidence::Parsed, Evidence::Proven]);
        bytes[40 + 2 * SLOT] ^= 1;
        assert_eq!([0, 1, 4].map(|i| evidence(&bytes, i)), [Evidence::Parsed; 3]);
    }

    #[test]
    fn the_constant_alone_is_no_connection() {
        for behind in [vec![0; 1000], vec![0xff; 1000], noise(1000, 3), Vec::new()] {
            assert!(hits(&TlsSecrets, &[Hash::Sha256.early().expose(), &behind].concat()).is_empty());
        }
    }

    #[test]
    fn a_session_has_its_secret_behind_zeros() {
        for (version, len, kind) in [(3, 48, "TLS 1.2 master secret"), (4, 32, "TLS 1.3 resumption secret")] {
            let head = [&[version, 3, 0, 0, 0, 0, 0, 0][..], &[len, 0, 0, 0, 0, 0, 0, 0], &[0; 64]].concat();
            let secret = noise(usize::from(len), 4);
            let found = hits(&TlsSecrets, &[&head, &secret, &[0; 208][..]].concat());
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].public.kind.as_str(), found[0].range.clone()), (kind, 80..80 + secret.len()));
            for other in [[&head, &secret, &noise(208, 5)[..]].concat(), [&head[..], &[0; 256]].concat(), head] {
                assert!(hits(&TlsSecrets, &other).is_empty());
            }
        }
    }
}
