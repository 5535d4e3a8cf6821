//! AES keys that protect nothing: OpenSSL's random generators are block ciphers, and every process that uses OpenSSL 3 holds
//! three of them, each with two or three schedules of its key.
//!
//! Such a key is told, as [`Severity::Info`], where it stands in its generator: behind five pointers and its own length.
//! Source: `PROV_DRBG_CTR` in providers/implementations/rands/drbg_ctr.c of OpenSSL 3 (`ctx_ecb, ctx_ctr, ctx_df,
//! cipher_ecb, cipher_ctr; size_t keylen; int use_df; unsigned char K[32], V[16]`), and `RAND_DRBG_CTR` in
//! crypto/rand/rand_lcl.h of OpenSSL 1.1.1, which has no `use_df`. That a schedule of the generators' well-known key stands
//! near would say less: a key of the program may be its neighbour, and the schedules of a generator may lie far from it.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use memchr::memmem;

use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::aes_schedule::{AesSchedule, RULE};
use crate::detect::{Detector as _, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity, state_of_generator};
use crate::keys::selftest;
use crate::vault::Secret;
use crate::window::Window;

/// Bytes of the five pointers before the length of the key.
const POINTERS: usize = 40;
/// Bytes of the key's length.
const LENGTH: usize = 8;
/// Bytes of V, behind the place for the longest key.
const COUNTER: usize = 16;
/// Bytes of the place for the key.
const KEY: usize = 32;

/// Finds the AES keys of random generators.
pub struct Generators;

impl Hunter for Generators {
    fn rules(&self) -> Vec<Rule> {
        AesSchedule.rules()
    }

    fn needs(&self, clues: &Clues) -> bool {
        keys(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        let keys: HashSet<[u8; 32]> = keys(clues).map(|(sha256, _)| sha256).collect();
        let lengths: BTreeSet<usize> = self::keys(clues).map(|(_, len)| len).collect();
        Box::new(Prepared { keys, lengths })
    }
}

fn keys(clues: &Clues) -> impl Iterator<Item = ([u8; 32], usize)> + '_ {
    clues.iter().filter_map(|clue| match clue {
        Clue::CipherKey { sha256, len } => Some((*sha256, *len)),
        _ => None,
    })
}

struct Prepared {
    keys: HashSet<[u8; 32]>,
    /// Of the keys, in bytes.
    lengths: BTreeSet<usize>,
}

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        let owned = window.owned();
        let seen = window.slice(owned.start..owned.end.saturating_add(LENGTH - 1));
        for &len in &self.lengths {
            let lengths =
                memmem::find_iter(seen, &(len as u64).to_le_bytes()).map(|at| owned.start + at).collect::<Vec<_>>();
            lengths.into_iter().for_each(|at| out.hits.extend(self.generator(window, at)));
        }
    }
}

impl Prepared {
    /// The generator whose key's length stands at `at`.
    fn generator(&self, window: &Window<'_>, at: usize) -> Option<Hit> {
        let pointers = window.slice(at.checked_sub(POINTERS)?..at);
        let len = usize::try_from(u64::from_le_bytes(*window.slice(at..at + LENGTH).first_chunk()?)).ok()?;
        if !pointers.as_chunks().0.iter().all(|pointer| is_pointer(u64::from_le_bytes(*pointer))) {
            return None;
        }
        // With `use_df` before it, or without.
        let with = matches!(window.slice(at + LENGTH..at + LENGTH + 4), [0 | 1, 0, 0, 0]);
        let starts = [with.then_some(at + LENGTH + 4), Some(at + LENGTH)];
        let mut places = starts.into_iter().flatten().map(|start| start..start + len);
        let place = places.find(|place| self.is_known(window, place))?;
        Some(hit(window, place))
    }

    fn is_known(&self, window: &Window<'_>, place: &Range<usize>) -> bool {
        let whole = window.slice(place.start..place.start + KEY + COUNTER).len() == KEY + COUNTER;
        whole && self.keys.contains(&selftest::digest(window.slice(place.clone())))
    }
}

/// Whether it may be a pointer to what an allocator returned, or to a library's data.
fn is_pointer(value: u64) -> bool {
    (0x1000..1 << 48).contains(&value) && value.is_multiple_of(8)
}

fn hit(window: &Window<'_>, range: Range<usize>) -> Hit {
    let context = vec![state_of_generator("OpenSSL")];
    Hit {
        rule: RULE.to_owned(),
        severity: Some(Severity::Info),
        evidence: Evidence::Proven,
        public: PublicIdentity { kind: format!("AES-{}", 8 * range.len()), context, ..PublicIdentity::default() },
        secret: Secret::bytes(window.slice(range.clone())),
        form: Form { layout: Layout::CipherState, encoding: Encoding::Plain, piece: Piece::Whole },
        range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;

    fn hunt(key: &[u8], bytes: &[u8]) -> Vec<Hit> {
        let mut clues = Clues::new(10);
        assert!(!Generators.needs(&clues));
        clues.add(Clue::CipherKey { sha256: selftest::digest(key), len: key.len() });
        assert!(Generators.needs(&clues));
        let mut out = Hits::default();
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        let image = Image::from_bytes("t", Vec::new());
        Generators.prepare(&clues).hunt(&Shown::new(&window, &AddressSpace::new(&[]), &image), &mut out);
        out.hits
    }

    fn generator(key: &[u8], use_df: &[u8]) -> Vec<u8> {
        let pointers = (1..6).flat_map(|i: u64| (0x5581_0000_0000 + 16 * i).to_le_bytes()).collect();
        let place = [key, &vec![0; 32 - key.len()], &noise(16, 2)].concat();
        [vec![9; 3], pointers, (key.len() as u64).to_le_bytes().to_vec(), use_df.to_vec(), place].concat()
    }

    #[test]
    fn a_known_key_in_a_generator_counts_for_nothing() {
        for len in [16, 24, 32] {
            let key = noise(len, 1);
            for use_df in [&[][..], &[1, 0, 0, 0], &[0, 0, 0, 0]] {
                let hits = hunt(&key, &generator(&key, use_df));
                assert_eq!(hits.len(), 1);
                let start = 3 + POINTERS + LENGTH + use_df.len();
                assert_eq!((hits[0].severity, hits[0].range.clone()), (Some(Severity::Info), start..start + len));
                assert_eq!(hits[0].secret.identity(), Secret::bytes(&key).identity());
            }
        }
    }

    #[test]
    fn other_keys_and_other_places_are_none() {
        let key = noise(32, 1);
        assert!(hunt(&noise(32, 3), &generator(&key, &[1, 0, 0, 0])).is_empty());
        let mut bytes = generator(&key, &[1, 0, 0, 0]);
        bytes[3 + 7] = 0x80;
        assert!(hunt(&key, &bytes).is_empty(), "no pointer");
        let cut = generator(&key, &[1, 0, 0, 0]);
        assert!(hunt(&key, &cut[..cut.len() - 1]).is_empty());
        assert!(hunt(&key, &[&[0; 40][..], &key].concat()).is_empty());
    }
}
