//! Keys of ChaCha20 where implementations keep no constant beside them: the key, the counter and nonce (16 bytes), and the
//! block of 64 bytes that was made last, of which the rest is still to be used.
//!
//! OpenSSL keeps them so (`EVP_CHACHA_KEY` in crypto/evp/e_chacha20_poly1305.c of 1.1.1; `PROV_CHACHA20_CTX` in
//! providers/implementations/include/prov/ciphercommon_aead.h and cipher_chacha20.h of 3), for its own cipher and inside of
//! ChaCha20-Poly1305; so does Go (`chacha20.Cipher`). That block follows from what stands before it, which proves the key.
//!
//! Where none was made yet, or the last one was used up, OpenSSL 3 is known by what stands before the key: the lengths of a key, of a
//! counter with its nonce and of a block, 32, 16 and 1, and before them the nonce that the context was given, which is the one
//! behind the key. A context of TLS changes the one behind the key with each record, and is told by the lengths alone.
//!
//! Cost: a run of full words ([`super::ec_places`]) is looked at where it begins, by a few words around it.

use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use super::dense::{self, WORD};
use super::ec_places::Grid;
use super::randomness::looks_random;
use crate::detect::{Hit, Hits, cipher_state};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity};
use crate::keys::chacha;
use crate::vault::Secret;
use crate::window::Window;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of the constant that a state begins with, and of the counter and nonce that it ends with.
const QUARTER: usize = 16;
/// What the state begins with.
const CONSTANT: &[u8; QUARTER] = b"expand 32-byte k";
/// The lengths that OpenSSL 3 keeps: of a key, of counter and nonce, of a block.
const LENGTHS: [u64; 3] = [32, 16, 1];
/// How far before the key they stand: with words of 8 bytes 120 in 3.0, and what other versions have there may differ by some
/// words; with words of 4 bytes 64.
const BEFORE: [Range<usize>; 2] = [88..160, 64..65];
/// How far before the key the nonce stands that the context was given.
const GIVEN: usize = 256;

/// The keys in the owned part of the window.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid]) -> Hits {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs).filter(|run| !run.is_long());
    // Where words have 4 bytes a key may begin in the middle of one of 8.
    let starts = runs.flat_map(|run| [run.range.start, run.range.start + WORD / 2]);
    let hits = starts.filter(|at| owned.contains(at)).filter_map(|at| key(window, at)).collect();
    Hits { hits, ..Hits::default() }
}

fn key(window: &Window<'_>, at: usize) -> Option<Hit> {
    let place = Place { window, at };
    let is_openssl = place.has_lengths();
    if !is_openssl && !place.may_have_block() {
        return None;
    }
    let key = place.slice(0..KEY);
    if key.len() < KEY || !looks_random(key) {
        return None;
    }
    let evidence = match is_openssl {
        _ if place.has_block() => Evidence::Proven,
        true if place.has_nonce() => Evidence::Parsed,
        true => Evidence::Matched,
        false => return None,
    };
    Some(Hit {
        rule: cipher_state::RULE.to_owned(),
        severity: None,
        evidence,
        public: PublicIdentity { kind: "ChaCha20".to_owned(), ..PublicIdentity::default() },
        secret: Secret::bytes(key),
        range: at..at + KEY,
        form: Form { layout: Layout::CipherState, encoding: Encoding::Plain, piece: Piece::Whole },
    })
}

/// A place where a key may begin.
struct Place<'a> {
    window: &'a Window<'a>,
    at: usize,
}

impl Place<'_> {
    /// Bytes from the key on.
    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.window.slice(self.at + range.start..self.at + range.end)
    }

    fn word(&self, at: usize) -> u64 {
        self.slice(at..at + WORD).first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
    }

    /// Whether OpenSSL's lengths stand before the key.
    fn has_lengths(&self) -> bool {
        let [wide, narrow] = BEFORE;
        self.lengths_in(wide, WORD) || self.lengths_in(narrow, WORD / 2)
    }

    fn lengths_in(&self, before: Range<usize>, size: usize) -> bool {
        let word = |at: usize| {
            let bytes = self.window.slice(at..at + size);
            bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
        };
        let places = before.step_by(size).filter_map(|before| self.at.checked_sub(before));
        places.into_iter().any(|at| LENGTHS.iter().enumerate().all(|(i, length)| word(at + size * i) == *length))
    }

    /// Whether the nonce behind the key is also the one that the context was given.
    fn has_nonce(&self) -> bool {
        let nonce = self.slice(KEY + QUARTER / 4..KEY + QUARTER);
        let is_nothing = nonce.iter().all(|byte| *byte == 0);
        !is_nothing && memmem::find(self.window.slice(self.at.saturating_sub(GIVEN)..self.at), nonce).is_some()
    }

    /// Whether the counter is below 2^24, which is a gigabyte, and what follows the nonce does not look like other memory.
    fn may_have_block(&self) -> bool {
        let block = KEY + QUARTER;
        self.slice(KEY + 3..KEY + 4) == [0]
            && [0, 1, 2, 3].into_iter().all(|i| dense::is_full(self.word(block + WORD * i)))
            && looks_random(self.slice(block..block + KEY))
    }

    /// Whether what follows the nonce is a block that the key makes: with the counter that stands there, or the one before it.
    fn has_block(&self) -> bool {
        let (key, rest) = (self.slice(0..KEY), self.slice(KEY..KEY + QUARTER));
        let behind = self.slice(KEY + QUARTER..KEY + QUARTER + chacha::STATE);
        let Some((counter, nonce)) = rest.split_first_chunk().filter(|_| behind.len() == chacha::STATE) else {
            return false;
        };
        let counter = u32::from_le_bytes(*counter);
        [counter, counter.wrapping_sub(1)].into_iter().any(|counter| {
            let state = Zeroizing::new([&CONSTANT[..], key, &counter.to_le_bytes(), nonce].concat());
            let block = state.first_chunk().and_then(chacha::block);
            block.is_some_and(|block| block[..] == *behind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    /// What is found, window after window of so many bytes.
    fn found(bytes: &[u8], size: usize) -> Vec<(Range<usize>, Evidence)> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let mut found = Vec::new();
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            let hits = seen(&window, &ec_places::grids(&window, &memory)).hits;
            found.extend(hits.into_iter().map(|hit| (hit.range, hit.evidence)));
        }
        found.dedup();
        found
    }

    fn nonce() -> Vec<u8> {
        noise(12, 8)
    }

    fn block(counter: u32) -> Vec<u8> {
        let state = [&CONSTANT[..], &noise(32, 7), &counter.to_le_bytes(), &nonce()].concat();
        chacha::block(state.first_chunk().unwrap()).unwrap().to_vec()
    }

    /// OpenSSL's context with words of `size` bytes, whose key stands at 400 and whose nonce was given as `given`.
    fn context(size: usize, given: &[u8], counter: u32, block: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 400];
        let before = if size == 8 { 120 } else { 64 };
        for (i, length) in LENGTHS.iter().enumerate() {
            let at = 400 - before + size * i;
            bytes[at..at + size].copy_from_slice(&length.to_le_bytes()[..size]);
        }
        bytes[400 - 156..400 - 144].copy_from_slice(given);
        [bytes, noise(32, 7), counter.to_le_bytes().to_vec(), nonce(), block.to_vec(), vec![0; 400]].concat()
    }

    #[test]
    fn a_key_is_proven_by_the_block_behind_it_in_any_window_and_on_any_grid() {
        let bare = |counter: u32| {
            let state = [noise(32, 7), counter.to_le_bytes().to_vec(), nonce()].concat();
            [vec![0; 400], state, block(5), vec![0; 400]].concat()
        };
        for size in [4096, 64, 24] {
            // OpenSSL counts when a block is used up, Go when it is made.
            for counter in [5, 6] {
                assert_eq!(found(&bare(counter), size), [(400..432, Evidence::Proven)]);
            }
            let shifted = [&[0; 4][..], &bare(5)].concat();
            assert_eq!(found(&shifted, size), [(404..436, Evidence::Proven)]);
        }
        for counter in [4, 7, 5 | 1 << 24] {
            assert_eq!(found(&bare(counter), 4096), []);
        }
    }

    #[test]
    fn openssl_is_known_without_a_block() {
        for size in [8, 4] {
            let context = |given: &[u8], counter, block: &[u8]| found(&context(size, given, counter, block), 4096);
            assert_eq!(context(&nonce(), 0, &[0; 64]), [(400..432, Evidence::Parsed)]);
            assert_eq!(context(&noise(12, 9), 3, &[0; 64]), [(400..432, Evidence::Matched)]);
            assert_eq!(context(&nonce(), 5 | 1 << 24, &block(5 | 1 << 24)), [(400..432, Evidence::Proven)]);
        }
    }

    #[test]
    fn other_memory_has_none() {
        let mut other = context(8, &nonce(), 0, &[0; 64]);
        other[400 - 120] = 31;
        assert_eq!(found(&other, 4096), []);
        let mut plain = context(8, &nonce(), 0, &[0; 64]);
        plain[400..432].copy_from_slice(&[&[0xf0, 0x11][..]; 16].concat());
        assert_eq!(found(&plain, 4096), []);
        assert_eq!(found(&noise(1 << 16, 1), 4096), []);
    }
}
