//! Keys that are told by where they stand in a structure of a known program, when the second walk comes by.
//!
//! They have no letters to look for, but begin a run of random bytes ([`super::ec_places`]), which the walk knows anyway. So each kind
//! costs a comparison or two for each run.
//!
//! **OpenVPN.** What `--secret`, `--tls-auth` and `--tls-crypt` read is 256 bytes, which are kept as they are for as long as the process
//! lives: `struct key2` in src/openvpn/crypto.h, `int n; struct key { uint8_t cipher[64]; uint8_t hmac[64]; } keys[2]`, with n = 2.
//!
//! **rustls** keeps each secret of TLS 1.3 in room for the longest, with its length behind it (`OkmBlock` in src/crypto/tls13.rs: `buf: [u8;
//! 64], used: usize`), and several in a row. From most a key follows that proves them ([`super::record_keys`]); from the exporter's secret
//! none does, and of handshakes that are over the keys are gone.
//!
//! **GnuTLS** keeps them in a row of rooms of 64 bytes behind the length of all of them (`gnutls_key_st` in lib/gnutls_int.h: `unsigned
//! temp_secret_size; uint8_t e_ckey[64], hs_ckey[64], hs_skey[64], ap_ckey[64], ap_skey[64], ap_expkey[64]` and more), which is no whole
//! number of words of 8 bytes from the beginning. The first is zeros where no early data was sent; two are set during a handshake and five
//! when it is over, and from the key log nobody can read more than from them. OpenSSL has such rooms too, twelve of
//! them ([`tls_secrets`]), known by a constant at their beginning or, where a connection resumes another, by what follows from what. So do
//! tables of programs.
//!
//! **NSS** keeps the value of an object of PKCS#11 that is short, which is a key, in the attribute itself (`SFTKAttributeStr` in
//! lib/softoken/pkcs11i.h): the type of the attribute twice, `CKA_VALUE`, a pointer to the value, its length and the value, which has room
//! for 50 bytes.

use std::ops::Range;

use memchr::memmem;

use super::dense::WORD;
use super::ec_places::Grid;
use super::randomness::looks_random;
use super::{chacha_contexts, ticket_keys};
use crate::detect::{Hit, Hits, tls_secrets};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity};
use crate::keys::symmetric;
use crate::keys::tls::Hash;
use crate::vault::Secret;
use crate::window::Window;

/// Bytes of each of OpenVPN's keys, how many there are, and the number before them with what fills the word before it.
const KEY: usize = 64;
const KEYS: usize = 4;
const NUMBER: [u8; 4] = [2, 0, 0, 0];

/// Bytes of the room that rustls has for a secret, and of the length behind it.
const ROOM: usize = 64;
const BLOCK: usize = ROOM + 8;
/// How far before, in bytes, OpenSSL has the same of a Finished message: some 600.
const FINISHED: usize = 1024;
/// Bytes of a secret, by the hash of the connection.
const SECRETS: [usize; 2] = [32, 48];
/// Rooms in a row that GnuTLS has filled during a handshake.
const ROOMS: usize = 2;
/// Rooms in a row that OpenSSL has ([`tls_secrets`]).
const ROOMS_OF_OPENSSL: usize = 12;
/// `CKA_VALUE`, twice.
const VALUES: [u64; 2] = [0x11; 2];
/// Bytes of a value in an attribute: of 32 on they are seen.
const VALUE: std::ops::RangeInclusive<usize> = 32..=50;
/// One past the highest address of a process.
const HIGHEST: u64 = 1 << 47;

/// The keys in the owned part of the window.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid]) -> Hits {
    let mut seen = chacha_contexts::seen(window, grids);
    seen.hits.extend(ticket_keys::of_files(window, grids));
    seen.hits.extend(of_openvpn(window, grids));
    seen.hits.extend(of_rustls(window, grids));
    seen.hits.extend(in_rooms(window, grids));
    seen.hits.extend(of_nss(window, grids));
    seen
}

fn of_openvpn(window: &Window<'_>, grids: &[Grid]) -> Vec<Hit> {
    let (owned, len) = (window.owned(), KEY * KEYS);
    // The number shares a word with the first bytes of the keys, or has one before them; the last word may be cut by one or go on.
    let runs = grids.iter().flat_map(|grid| &grid.runs).map(|run| run.range.clone());
    let runs = runs.filter(|run| (len..len + 16).contains(&run.len()) && owned.contains(&run.start));
    let starts =
        runs.filter_map(|run| [run.start, run.start - 4.min(run.start)].into_iter().find(|at| is_number(window, *at)));
    let keys =
        starts.map(|number| number + NUMBER.len()).map(|at| (0..KEYS).map(move |i| at + KEY * i..at + KEY * (i + 1)));
    let whole = keys.filter(|keys| keys.clone().all(|range| is_key(window, range)) && !is_table(window, keys.clone()));
    whole.flatten().map(|range| hit(window, range, symmetric::RULE, "OpenVPN static key")).collect()
}

fn is_number(window: &Window<'_>, at: usize) -> bool {
    let before = at.checked_sub(NUMBER.len()).map(|before| window.slice(before..at));
    window.slice(at..at + NUMBER.len()) == NUMBER && before == Some(&[0; 4])
}

/// Whether most values of a byte are there: of 256 random bytes 162 are different, and more than 195 next to never; permutations, which
/// programs have as tables, have all.
fn is_table(window: &Window<'_>, keys: impl Iterator<Item = Range<usize>>) -> bool {
    keys.flat_map(|range| window.slice(range)).collect::<std::collections::BTreeSet<_>>().len() > 195
}

fn is_key(window: &Window<'_>, range: Range<usize>) -> bool {
    let key = window.slice(range);
    key.len() == KEY && key.chunks(KEY / 2).all(looks_random)
}

/// Secrets that have another one of their length beside them.
fn of_rustls(window: &Window<'_>, grids: &[Grid]) -> Vec<Hit> {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs).map(|run| run.range.clone());
    let alone = runs.filter(|run| SECRETS.contains(&run.len()) && owned.contains(&run.start));
    let in_rows = alone.filter(|run| {
        let beside = [run.start.checked_sub(BLOCK), Some(run.start + BLOCK)].into_iter().flatten();
        is_block(window, run.start, run.len())
            && beside.into_iter().any(|at| is_block(window, at, run.len()))
            && !is_finished(window, run)
    });
    in_rows.map(|run| hit(window, run, tls_secrets::RULE, "TLS 1.3 secret of rustls")).collect()
}

/// Whether the same bytes stand shortly before: so OpenSSL keeps what both sides' Finished messages hold, which was sent and is no secret
/// (`tmp.finish_md` and `previous_client_finished` in ssl/ssl_local.h).
fn is_finished(window: &Window<'_>, run: &Range<usize>) -> bool {
    let before = window.slice(run.start - FINISHED.min(run.start)..run.start);
    memmem::find(before, window.slice(run.clone())).is_some()
}

fn is_block(window: &Window<'_>, at: usize, len: usize) -> bool {
    let (block, used) = (window.slice(at..at + ROOM), window.slice(at + ROOM..at + BLOCK));
    let Some((secret, rest)) = block.split_at_checked(len) else { return false };
    used == (len as u64).to_le_bytes() && rest.iter().all(|byte| *byte == 0) && looks_random(secret)
}

/// Secrets in rooms that stand in a row: of GnuTLS, behind their length, or of OpenSSL, in which each is proven by another. The run begins
/// with the half of a word that stands before the secret.
fn in_rooms(window: &Window<'_>, grids: &[Grid]) -> Vec<Hit> {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs).map(|run| run.range.clone());
    let alone = runs.filter(|run| SECRETS.contains(&run.len()) && owned.contains(&run.start));
    let rows = alone.filter_map(|run| {
        let at = [run.start, run.start + WORD / 2].into_iter().find(|at| is_room(window, *at, run.len()))?;
        Some((at, row(window, at, run.len()))).filter(|(_, row)| row.len() >= ROOMS)
    });
    rows.flat_map(|(at, row)| {
        let of_gnutls = || hit(window, at..at + row.len, tls_secrets::RULE, "TLS 1.3 secret of GnuTLS");
        if is_of_gnutls(window, &row) { vec![of_gnutls()] } else { of_openssl(window, at, &row) }
    })
    .collect()
}

/// Filled rooms that stand in a row around one.
struct Row {
    starts: Range<usize>,
    /// Bytes of each secret.
    len: usize,
}

impl Row {
    fn len(&self) -> usize {
        self.starts.len() / ROOM
    }
}

fn row(window: &Window<'_>, at: usize, len: usize) -> Row {
    let filled = |next: fn(usize, usize) -> Option<usize>| {
        ROOM * (1..=ROOMS_OF_OPENSSL)
            .take_while(|i| next(at, ROOM * i).is_some_and(|at| is_room(window, at, len)))
            .count()
    };
    Row { starts: at - filled(usize::checked_sub)..at + ROOM + filled(usize::checked_add), len }
}

/// Whether the length of the secrets stands before the row, or before one more room that is empty.
fn is_of_gnutls(window: &Window<'_>, row: &Row) -> bool {
    let has_length = |from: usize| {
        let at = from.checked_sub(WORD / 2)?;
        Some(is_length(window.slice(at..from), row.len))
    };
    let empty = row.starts.start.checked_sub(ROOM);
    let is_empty = |from: &usize| window.slice(*from..from + ROOM).iter().all(|byte| *byte == 0);
    [Some(row.starts.start), empty.filter(is_empty)].into_iter().flatten().any(|from| has_length(from) == Some(true))
}

fn is_length(bytes: &[u8], len: usize) -> bool {
    bytes.first_chunk().is_some_and(|bytes| u32::from_le_bytes(*bytes) as usize == len)
}

/// The secrets of an OpenSSL connection, told at its handshake secret; none at others of its row, or where the row is no such one.
fn of_openssl(window: &Window<'_>, at: usize, row: &Row) -> Vec<Hit> {
    let Some(hash) = Hash::ALL.into_iter().find(|hash| hash.size() == row.len) else { return Vec::new() };
    let mut rooms = row.starts.clone().step_by(ROOM);
    let connection = rooms.find_map(|room| Some((room, tls_secrets::resumed(window, room, hash)?)));
    connection.filter(|(handshake, _)| *handshake == at).map_or_else(Vec::new, |(_, hits)| hits.hits)
}

fn is_room(window: &Window<'_>, at: usize, len: usize) -> bool {
    let room = window.slice(at..at + ROOM);
    let before = at.checked_sub(WORD / 2).map(|before| window.slice(before..at));
    let parts = room.split_at_checked(len).filter(|_| room.len() == ROOM);
    let is_secret = |secret: &[u8]| looks_random(secret) && !is_of_floats(secret);
    parts.is_some_and(|(secret, rest)| rest.iter().all(|byte| *byte == 0) && is_secret(secret))
        && before.is_some_and(|before| is_length(before, 0) || is_length(before, len))
}

/// Whether each word is a number of floating point of ordinary size, from 2^-96 to 2^96: rows of coefficients have rooms that are filled to a
/// part of them. Of secrets one in 13,000 of the shortest is so by chance, and then its neighbours are told.
fn is_of_floats(bytes: &[u8]) -> bool {
    let is_ordinary = |word: &[u8; WORD]| (0x3a..0x46).contains(&(word[WORD - 1] & 0x7f));
    bytes.as_chunks::<WORD>().0.iter().all(is_ordinary)
}

fn of_nss(window: &Window<'_>, grids: &[Grid]) -> Vec<Hit> {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs).map(|run| run.range.start).filter(|at| owned.contains(at));
    let word = |at: usize| window.slice(at..at + WORD).first_chunk().map(|word| u64::from_le_bytes(*word));
    let value = |at: usize| {
        let before = at.checked_sub(4 * WORD)?;
        let is_value = [0, 1].map(|i| word(before + WORD * i)) == VALUES.map(Some);
        let is_pointed_to = word(before + 2 * WORD).is_some_and(|pointer| (0x1000..HIGHEST).contains(&pointer));
        let len = usize::try_from(word(before + 3 * WORD)?).ok().filter(|len| VALUE.contains(len))?;
        let bytes = window.slice(at..at + len);
        (is_value && is_pointed_to && bytes.len() == len && looks_random(bytes)).then_some(at..at + len)
    };
    let values = runs.filter_map(value);
    values
        .map(|value| Hit {
            evidence: Evidence::Parsed,
            ..hit(window, value, symmetric::RULE, "key in an object of NSS")
        })
        .collect()
}

fn hit(window: &Window<'_>, range: Range<usize>, rule: &str, kind: &str) -> Hit {
    Hit {
        rule: rule.to_owned(),
        severity: None,
        evidence: Evidence::Matched,
        public: PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() },
        secret: Secret::bytes(window.slice(range.clone())),
        range,
        form: Form { layout: Layout::Bare, encoding: Encoding::Plain, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    fn found(bytes: &[u8]) -> Vec<Range<usize>> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
        let mut found: Vec<usize> =
            seen(&window, &ec_places::grids(&window, &memory)).hits.into_iter().map(|hit| hit.range.start).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| at..at + KEY).collect()
    }

    #[test]
    fn the_keys_of_openvpn_are_known_by_their_number() {
        for shift in [0, 4, 8] {
            let keys = |number: &[u8]| [&vec![0; 200 + shift][..], number, &noise(256, 3), &[0; 200]].concat();
            let first = 200 + shift + 4;
            assert_eq!(found(&keys(&NUMBER)), [0, 64, 128, 192].map(|at| first + at..first + at + KEY));
            assert!(found(&keys(&[1, 0, 0, 0])).is_empty());
        }
        assert!(found(&[&[0; 200][..], &NUMBER, &noise(200, 3), &[0; 200]].concat()).is_empty());
        assert!(found(&[&[0; 200][..], &NUMBER, &noise(400, 3), &[0; 200]].concat()).is_empty());
    }

    #[test]
    fn secrets_of_rustls_are_known_by_their_row() {
        for len in SECRETS {
            let block = |seed, used: usize| {
                let mut block = noise(len, seed);
                block.resize(ROOM, 0);
                [block, (used as u64).to_le_bytes().to_vec()].concat()
            };
            let row = |blocks: &[Vec<u8>]| found(&[&[0; 200][..], &blocks.concat(), &[0; 200]].concat());
            assert_eq!(row(&[block(1, len), block(2, len)]), [200, 272].map(|at| at..at + KEY));
            assert_eq!(row(&[block(1, len), block(2, len), block(3, len)]).len(), 3);
            let sent = [&[0; 200][..], &noise(len, 2), &[0; 200], &block(1, len), &block(2, len), &[0; 200]].concat();
            let starts = found(&sent).into_iter().map(|range| range.start);
            assert!(starts.eq([400 + len]), "what was sent shortly before is no secret");
            for other in [vec![block(1, len)], vec![block(1, len), block(2, 31)], vec![block(1, 31), block(2, 31)]] {
                assert!(row(&other).is_empty());
            }
        }
    }

    #[test]
    fn secrets_of_gnutls_are_known_by_their_row_and_their_length() {
        for len in SECRETS {
            let room = |seed| {
                let mut room = noise(len, seed);
                room.resize(ROOM, 0);
                room
            };
            let rooms = |count: u64| (1..=count).map(room).collect::<Vec<_>>().concat();
            for shift in [0, 4] {
                let row = |length: usize, early: &[u8], count| {
                    let length = (length as u32).to_le_bytes();
                    let found = found(&[&vec![0; 200 + shift][..], &length, early, &rooms(count), &[0; 200]].concat());
                    found.into_iter().map(|range| range.start).collect::<Vec<_>>()
                };
                let places = |from: usize, count: usize| (0..count).map(|i| from + ROOM * i).collect::<Vec<_>>();
                for count in [2, 4, 6] {
                    assert_eq!(row(len, &[0; ROOM], count as u64), places(204 + shift + ROOM, count), "{len} {shift}");
                    assert_eq!(row(len, &[], count as u64), places(204 + shift, count), "{len} {shift}");
                    assert!(row(80 - len, &[0; ROOM], count as u64).is_empty(), "another length");
                    assert!(row(0, &[0; ROOM], count as u64).is_empty(), "a table");
                    assert!(row(len, &[1; ROOM], count as u64).is_empty(), "something between");
                }
                assert!(row(len, &[0; ROOM], 1).is_empty());
            }
        }
    }

    #[test]
    fn rows_of_floating_point_numbers_are_no_secrets() {
        for words in [4, 6] {
            let room = |seed| {
                let numbers = noise(8 * words, seed);
                let number = |bytes: &[u8]| {
                    (bytes[0] as f64 - 128.5) / (1.0 + f64::from(bytes[1]) + f64::from(bytes[2]) / 251.0)
                };
                let mut room: Vec<u8> = numbers.chunks(8).flat_map(|bytes| number(bytes).to_le_bytes()).collect();
                assert!(is_of_floats(&room));
                room.resize(ROOM, 0);
                room
            };
            assert!(found(&[vec![0; 200], (1..9).flat_map(room).collect(), vec![0; 200]].concat()).is_empty());
        }
    }

    #[test]
    fn values_of_objects_of_nss_are_known_by_their_attribute() {
        let attribute = |kind: u64, pointer: u64, len: u64| {
            let head = [0x11, kind, pointer, len].map(u64::to_le_bytes).concat();
            let mut value = noise(48, 5);
            value.truncate(len.min(48) as usize);
            found(&[&[0; 200][..], &head, &value, &[0; 200]].concat())
        };
        for len in [32, 48] {
            let found = attribute(0x11, 0x5610_4bf0_6898, len);
            assert_eq!(found.first().map(|range| range.start), Some(232));
        }
        for (kind, pointer, len) in [(0x101, 0x5610_4bf0_6898, 32), (0x11, 3, 32), (0x11, 0x5610_4bf0_6898, 51)] {
            assert!(attribute(kind, pointer, len).is_empty());
        }
    }
}
