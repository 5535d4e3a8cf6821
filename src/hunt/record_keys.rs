//! Secrets of TLS connections of any library, proven by the keys that follow from them.
//!
//! **TLS 1.3.** A connection is encrypted with keys that are expanded from a secret of each side (RFC 8446, section 7.3), and libraries
//! keep both: the secret for the day when the keys are changed, the key in the cipher. So bytes from which a key follows that is in
//! memory are such a secret. Keys of AES are known by their round keys; one of ChaCha20 is known by nothing else, and is looked
//! up among all places that may hold a key ([`super::ec_places`]). Tried is what stands alone or in an allocation of its own: secrets
//! do, because what is kept for them has room for the longest.
//!
//! **TLS 1.2.** rustls (`ConnectionSecrets` in src/tls12/mod.rs) keeps the two random numbers of the handshake and the master secret
//! behind them: 112 bytes in a row. GnuTLS (`security_parameters_st` in lib/gnutls_int.h) keeps the master secret, the client's number, the
//! server's, and behind them the session's id, which has 32 bytes or none. The keys follow from just these (RFC 5246, section 6.3),
//! behind the keys of the code that authenticates where the cipher does not do so itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use zeroize::Zeroizing;

use super::ec_places::Grid;
use super::ec_scalars::{KeptPlace, Scalars};
use super::randomness::looks_random;
use super::{Clue, Clues};
use crate::detect::{Far, Hit, Hits, tls_secrets};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity};
use crate::keys::selftest;
use crate::keys::tls::{self, Hash};
use crate::span::Span;
use crate::vault::{Identity, Part, PartKind, Secret, SecretBytes};
use crate::window::Window;

/// The hash of secrets that are as long as the places of each of `ec_places::SIZES`.
const HASHES: [(usize, Hash); 2] = [(0, Hash::Sha256), (1, Hash::Sha384)];
/// Bytes of each random number of a handshake, and of a master secret.
const RANDOM: usize = 32;
const MASTER: usize = 48;
/// Bytes of both numbers and the master secret.
const ROW: usize = 2 * RANDOM + MASTER;
/// Bytes of a session's id.
const SESSION: usize = 32;
/// What a TLS 1.2 connection makes keys with, the lengths of a key, and those of the keys before it of a code that authenticates.
const MAKERS: [Hash; 2] = [Hash::Sha256, Hash::Sha384];
const KEYS: [usize; 2] = [16, 32];
const CODES: [usize; 4] = [0, 20, 32, 48];
/// Rows of a handshake that are kept of an image.
const MOST: usize = 1 << 14;

/// Two random numbers and what may be a master secret.
pub type Handshake = (Zeroizing<Vec<u8>>, Vec<Span>);

/// The rows in the owned part of the window that may be those of a handshake.
#[must_use]
pub fn handshakes(window: &Window<'_>, grids: &[Grid]) -> Vec<Handshake> {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs).map(|run| run.range.clone());
    let runs = runs.filter(|run| [ROW, ROW + SESSION].contains(&run.len()) && owned.contains(&run.start));
    let random = |row: &[u8]| row.len() >= ROW && row.chunks(RANDOM).take(3).all(looks_random);
    let rows = runs.filter(|run| random(window.slice(run.clone())));
    let orders = rows.flat_map(|run| {
        let (start, behind) = (run.start, run.len() == ROW);
        let master_last = behind.then_some((start..start + 2 * RANDOM, start + 2 * RANDOM));
        [master_last, Some((start + MASTER..start + ROW, start))].into_iter().flatten()
    });
    let row = |(randoms, master): (Range<usize>, usize)| {
        let master = master..master + MASTER;
        let row = [window.slice(randoms), window.slice(master.clone())].concat();
        (Zeroizing::new(row), window.spans(master))
    };
    orders.map(row).collect()
}

/// Rows of the whole image.
#[derive(Debug, Default)]
pub struct Handshakes {
    /// By the digest of the row.
    rows: BTreeMap<[u8; 32], Handshake>,
    dropped: bool,
}

impl Handshakes {
    /// Adds a row; where there is no more room the greatest goes, so that the order does not matter.
    pub fn add(&mut self, (row, spans): Handshake) {
        let (_, kept) = self.rows.entry(selftest::digest(&row)).or_insert_with(|| (row, spans.clone()));
        *kept = spans.min(std::mem::take(kept));
        if self.rows.len() > MOST {
            self.rows.pop_last();
            self.dropped = true;
        }
    }

    /// What is said where rows were lost.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let note =
            "more rows of 112 random bytes than are tried as handshakes of TLS 1.2; a master secret may be missed";
        self.dropped.then(|| note.to_owned())
    }
}

/// The secrets among what was gathered from which keys follow that are in memory.
#[must_use]
pub fn hits(clues: &Clues, scalars: &Scalars, handshakes: &Handshakes) -> Hits {
    let keys = Keys::new(clues, scalars);
    let mut out = Hits::default();
    for (size, hash) in HASHES {
        keys.traffic_secrets(size, hash, scalars, &mut out);
    }
    let masters = handshakes.rows.values().filter_map(|(row, spans)| {
        let secret = keys.master(row)?;
        Some(far("TLS 1.2 master secret", Evidence::Proven, secret, spans.clone()))
    });
    out.far.extend(masters);
    out
}

/// Keys that are in memory, or may be.
struct Keys<'a> {
    /// Of AES, by their digests; and their lengths.
    aes: HashSet<[u8; 32]>,
    lengths: BTreeSet<usize>,
    /// 32 bytes that may be a key of ChaCha20.
    places: HashSet<&'a [u8]>,
}

impl<'a> Keys<'a> {
    fn new(clues: &Clues, scalars: &'a Scalars) -> Self {
        let aes = clues.iter().filter_map(|clue| match clue {
            Clue::CipherKey { sha256, len } => Some((*sha256, *len)),
            _ => None,
        });
        let (aes, lengths) = aes.unzip();
        let places = scalars.places(0).filter(|place| !place.shape.is_digits()).map(|place| place.bytes).collect();
        Self { aes, lengths, places }
    }

    fn has_aes(&self, key: &[u8]) -> bool {
        self.lengths.contains(&key.len()) && self.aes.contains(&selftest::digest(key))
    }

    fn has(&self, key: &[u8]) -> bool {
        self.has_aes(key) || self.places.contains(key)
    }

    /// The key that follows from a traffic secret.
    fn record_key(&self, hash: Hash, secret: &[u8]) -> Option<SecretBytes> {
        let key = |len| hash.record_key(secret, len);
        let short = || (hash == Hash::Sha256 && self.lengths.contains(&16)).then(|| key(16));
        let long = || (hash == Hash::Sha256 || self.lengths.contains(&32)).then(|| key(32));
        short().filter(|key| self.has_aes(key.expose())).or_else(|| long().filter(|key| self.has(key.expose())))
    }

    fn traffic_secrets(&self, size: usize, hash: Hash, scalars: &Scalars, out: &mut Hits) {
        let places = scalars.places(size).filter(|place| place.is_alone && !place.shape.is_digits());
        for place in places.filter(|place| place.bytes.len() == hash.size()) {
            if let Some((at, key)) = whole(&place).zip(self.record_key(hash, place.bytes)) {
                let secret = with_key(place.bytes, key.expose());
                out.far.push(far("TLS 1.3 traffic secret", Evidence::Proven, secret, vec![at]));
            }
        }
    }

    /// The master secret of a row, with the keys that follow from it.
    fn master(&self, row: &[u8]) -> Option<Secret> {
        let (randoms, master) = row.split_at_checked(2 * RANDOM)?;
        let (first, second) = randoms.split_at_checked(RANDOM)?;
        // The server's number stands first where keys are made.
        let orders = [[second, first].concat(), randoms.to_vec()];
        let behind = |code: usize, len: usize| 2 * code..2 * code + len;
        let keys = || CODES.into_iter().flat_map(|code| KEYS.map(|len| behind(code, len)));
        orders.iter().flat_map(|randoms| MAKERS.map(|hash| (hash, randoms))).find_map(|(hash, randoms)| {
            let block = tls::key_block(hash, master, randoms, 2 * CODES[3] + KEYS[1]);
            let key = keys().filter_map(|at| block.expose().get(at)).find(|key| self.has(key))?;
            Some(with_key(master, key))
        })
    }
}

/// Where a place stands, if it is not cut in two.
fn whole(place: &KeptPlace<'_>) -> Option<Span> {
    place.at.filter(|at| at.len == place.bytes.len() as u64)
}

/// A secret with a key that follows from it: nothing else may tell of one of ChaCha20.
fn with_key(secret: &[u8], key: &[u8]) -> Secret {
    let part = |piece, bytes: &[u8]| Part { piece, kind: PartKind::Bytes, bytes: SecretBytes::new(bytes) };
    Secret::known_by(Identity::of_bytes(secret), vec![part(Piece::Whole, secret), part(Piece::RecordKey, key)])
}

fn far(kind: &str, evidence: Evidence, secret: Secret, spans: Vec<Span>) -> Far {
    let hit = Hit {
        rule: tls_secrets::RULE.to_owned(),
        severity: None,
        evidence,
        public: PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() },
        secret,
        range: 0..0,
        form: Form { layout: Layout::Bare, encoding: Encoding::Plain, piece: Piece::Whole },
    };
    Far { hit, spans }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;

    fn found(bytes: &[u8], aes: &[&[u8]], size: usize) -> Vec<(String, Evidence, Vec<Span>)> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut scalars = Scalars::new(bytes.len() as u64, false);
        let (mut handshakes, mut clues) = (Handshakes::default(), Clues::new(10));
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            let grids = ec_places::grids(&window, &memory);
            let room = scalars.room();
            scalars.add(ec_places::places(&window, &grids, &room));
            super::handshakes(&window, &grids).into_iter().for_each(|row| handshakes.add(row));
        }
        for key in aes {
            clues.add(Clue::CipherKey { sha256: selftest::digest(key), len: key.len() });
        }
        let hits = hits(&clues, &scalars, &handshakes);
        let mut all: Vec<_> =
            hits.far.into_iter().map(|far| (far.hit.public.kind, far.hit.evidence, far.spans)).collect();
        all.sort_by_key(|(_, _, spans)| spans.clone());
        all
    }

    #[test]
    fn a_traffic_secret_is_proven_by_its_key() {
        for (hash, len) in [(Hash::Sha256, 16), (Hash::Sha256, 32), (Hash::Sha384, 32)] {
            let secret = noise(hash.size(), 1);
            let key = hash.derived(&secret, b"key", &[], len).expose().to_vec();
            let is_chacha = hash == Hash::Sha256 && len == 32;
            let there = if is_chacha { key.clone() } else { Vec::new() };
            let bytes = [&[0; 64][..], &there, &[0; 64], &secret, &[0; 100]].concat();
            let aes = if is_chacha { vec![] } else { vec![key.as_slice()] };
            for size in [4096, 40] {
                let at = Span::new(128 + there.len() as u64, hash.size() as u64);
                let want = ("TLS 1.3 traffic secret".to_owned(), Evidence::Proven, vec![at]);
                assert_eq!(found(&bytes, &aes, size), [want], "{hash:?} {len}");
            }
            let others = [noise(16, 9), noise(32, 9)];
            assert_eq!(found(&bytes, &others.each_ref().map(Vec::as_slice), 4096).is_empty(), !is_chacha);
        }
    }

    #[test]
    fn a_master_secret_is_proven_by_what_follows_from_it_and_the_random_numbers_beside_it() {
        let row = noise(112, 4);
        // As rustls keeps it and as GnuTLS does, without the session's id and with it.
        let (randoms, master) = row.split_at(64);
        let behind = [master, randoms].concat();
        let rows = [(row.clone(), 64), (behind.clone(), 0), ([behind, noise(32, 5)].concat(), 0)];
        for (row, at) in rows {
            let bytes = [&[0; 64][..], &row, &[0; 64]].concat();
            let randoms = [&randoms[32..], &randoms[..32]].concat();
            for (hash, code, len) in [
                (Hash::Sha256, 0, 16),
                (Hash::Sha256, 0, 32),
                (Hash::Sha384, 0, 32),
                (Hash::Sha256, 20, 16),
                (Hash::Sha256, 32, 32),
                (Hash::Sha384, 48, 32),
            ] {
                let block = tls::key_block(hash, master, &randoms, 2 * code + len);
                let found = found(&bytes, &[&block.expose()[2 * code..]], 4096);
                let place = Span::new(64 + at, 48);
                assert_eq!(found, [("TLS 1.2 master secret".to_owned(), Evidence::Proven, vec![place])]);
            }
            assert!(found(&bytes, &[&noise(16, 9)], 4096).is_empty());
        }
    }
}
