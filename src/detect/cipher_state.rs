//! Keys of ChaCha20 and Salsa20 in the state of the cipher, by the constant that the state begins with.
//!
//! ChaCha20's state is the constant `expand 32-byte k`, the key, then a counter and a nonce (RFC 8439, section 2.3; libraries
//! divide these 16 bytes in different ways). Salsa20 puts the same constant on the diagonal of its state: four letters before
//! the first half of the key, four behind it, four before the second half, four behind it (Salsa20 specification, section 8).
//! Libraries hold the constant in their code too, followed by tables and text, or by whatever other constants the compiler
//! put there. So what stands where the key would stand must look random, and what stands where ChaCha20's counter would
//! stand must be small: of 2600 programs and libraries of a Debian system none has such a place. But linkers put all constants of 16
//! bytes together, and in programs in Rust with ring those of SHA-256 follow (`round_constants`), which are no key. What keeps no constant
//! beside the key (OpenSSL's) is found by the second walk (`hunt::chacha_contexts`).
//!
//! mbedTLS keeps the last block behind the state, which counted since (`mbedtls_chacha20_context`: `uint32_t state[16]; uint8_t
//! keystream8[64]; size_t keystream_bytes_used`): that block proves the key.
//!
//! SQLite's random generator is a ChaCha20 whose key protects nothing: `sqlite3PrngType` in src/random.c (`u32 s[16]; u8 out[64];
//! u8 n`, since 3.43). It counts before it makes a block, so `out` is the block of the state that stands before it, where ciphers count
//! afterwards. That is computed and told as [`Severity::Info`].
//!
//! So are the two of GnuTLS (lib/nettle/rnd.c: `prng_ctx_st` is nettle's `chacha_ctx`, then `size_t counter; unsigned forkid; time_t
//! last_reseed`, and `generators_ctx_st` two of them): two states stand 88 bytes apart, with equal numbers of the fork and times behind
//! them.
//!
//! And that of mimalloc, which CPython has since 3.13 (`mi_random_ctx_t` in include/mimalloc/types.h: `uint32_t input[16], output[16];
//! int output_available; bool weak`): it counts behind each block, and words of the block that were given out are zeros. One word
//! always was where any are left, since it makes a block when it is asked for a word; that tells it from mbedTLS's.

use std::ops::Range;

use zeroize::Zeroizing;

use super::round_constants;
use super::{Candidate, Detector, Hit, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity, state_of_generator};
use crate::keys::chacha;
use crate::vault::Secret;
use crate::window::Window;

/// The rule of keys of stream ciphers.
pub const RULE: &str = "stream-cipher-key";

/// What ChaCha20's state begins with, for a key of 32 bytes and for one of 16, which then stands there twice.
const CONSTANTS: [&[u8]; 2] = [b"expand 32-byte k", b"expand 16-byte k"];
/// The third part of Salsa20's constant, which is rare in text.
const DIAGONAL: [&[u8]; 2] = [b"2-by", b"6-by"];
/// Bytes of a state.
const STATE: usize = chacha::STATE;
/// Bytes of a generator: its state, the block that it made, how much of it is left, and three bytes of nothing.
const GENERATOR: usize = 2 * STATE + 4;
/// From one of GnuTLS's generators to the other: its state, and three words.
const APART: usize = STATE + 24;
/// Seconds since 1970 at which a generator may have been seeded: from 2001 to 2106.
const TIMES: Range<u64> = 1_000_000_000..1 << 32;
/// Addresses of a heap: numbers that count messages are below.
const ADDRESSES: Range<u64> = 1 << 32..1 << 47;
/// Where the third part of Salsa20's constant stands in its state.
const THIRD: usize = 40;

/// Finds states of ChaCha20 and Salsa20.
pub struct CipherState;

impl Detector for CipherState {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Stream cipher key",
            Severity::High,
            "A key of ChaCha20 or Salsa20 in the state of the cipher: it opens what was encrypted with it.",
            "Find what the process encrypts with it; replace the key, and encrypt again what must stay secret.",
        )]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(CONSTANTS.into_iter().chain(DIAGONAL).map(Literal::binary).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: APART, after: GENERATOR.max(2 * APART) }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let at = candidate.at;
        out.hits.extend(match candidate.literal {
            0 | 1 => chacha(window, at, candidate.literal == 1),
            _ => at.checked_sub(THIRD).and_then(|start| salsa(window, start, candidate.literal == 3)),
        });
    }
}

fn chacha(window: &Window<'_>, start: usize, short: bool) -> Option<Hit> {
    let state: &[u8; STATE] = window.slice(start..start + STATE).first_chunk()?;
    let (key, rest) = state.split_at(48);
    let key = key.get(16..)?;
    let secret = key_of(key, short).filter(|key| !round_constants::are_in(key))?;
    // Of 32 or of 64 bits, it stands first, its low byte first: below 2^24 it has counted less than a gigabyte.
    let mut hit = matches!(rest, [_, _, _, 0, ..])
        .then(|| hit("ChaCha20", Evidence::Matched, &secret, start + 16..start + 48))?;
    let behind = window.slice(start + STATE..start + GENERATOR);
    if block_before(state).is_some_and(|block| behind.starts_with(&*block)) {
        hit.evidence = Evidence::Proven;
    }
    if is_generator(state, behind) {
        hit.severity = Some(Severity::Info);
        hit.public.add_context(vec![state_of_generator("SQLite")]);
    }
    if is_of_mimalloc(state, behind) {
        hit.severity = Some(Severity::Info);
        hit.public.add_context(vec![state_of_generator("mimalloc")]);
    }
    if is_of_gnutls(window, start) {
        hit.severity = Some(Severity::Info);
        hit.public.add_context(vec![state_of_generator("GnuTLS")]);
    }
    Some(hit)
}

/// Whether the state is one of two that GnuTLS makes random numbers with.
fn is_of_gnutls(window: &Window<'_>, start: usize) -> bool {
    let word = |at: usize| window.slice(at..at + 8).first_chunk().map(|word| u64::from_le_bytes(*word));
    // The number of the fork, where a generator's state, counter and time are there.
    let fork = |at: usize| {
        let begins = CONSTANTS.first().is_some_and(|constant| window.slice(at..at + constant.len()) == *constant);
        let [counter, fork, time] = [0, 8, 16].map(|into| word(at + STATE + into));
        let fits = begins && counter? < 1 << 32 && TIMES.contains(&time?);
        fork.filter(|_| fits).map(|fork| fork as u32)
    };
    let other = [start.checked_sub(APART), Some(start + APART)].into_iter().flatten();
    fork(start).is_some_and(|here| other.into_iter().any(|other| fork(other) == Some(here)))
}

/// Whether what stands behind the state is the block that it makes, and a number of bytes of it.
fn is_generator(state: &[u8; STATE], behind: &[u8]) -> bool {
    let Some((out, left)) = behind.split_at_checked(STATE) else { return false };
    let is_count = matches!(*left, [left, 0, 0, 0] if usize::from(left) <= STATE);
    is_count && chacha::block(state).is_some_and(|block| block[..] == *out)
}

/// Whether what stands behind the state is the block that it made before it counted, zeros for what was given out of it, and how
/// many words are left. Of a block that was given out whole, or was not made yet, only zeros are there; then what tells is the nonce, which is
/// the address of a heap.
fn is_of_mimalloc(state: &[u8; STATE], behind: &[u8]) -> bool {
    let Some((out, left)) = behind.split_at_checked(STATE) else { return false };
    let [left @ 0..=15, 0, 0, 0] = *left else { return false };
    if left == 0 {
        let nonce = state.last_chunk().map(|nonce| u64::from_le_bytes(*nonce));
        return out.iter().all(|byte| *byte == 0)
            && nonce.is_some_and(|nonce| ADDRESSES.contains(&nonce) && nonce % 8 == 0);
    }
    let given_out = STATE - 4 * usize::from(left);
    let zeros = out.iter().take(given_out).all(|byte| *byte == 0);
    zeros && block_before(state).is_some_and(|block| block.iter().skip(given_out).eq(out.iter().skip(given_out)))
}

/// The block that the state made before it counted.
fn block_before(state: &[u8; STATE]) -> Option<Zeroizing<[u8; STATE]>> {
    let mut before = Zeroizing::new(*state);
    let counter = before.get_mut(48..56)?;
    let counted = counter.first_chunk().map_or(0, |counter| u64::from_le_bytes(*counter));
    counter.copy_from_slice(&counted.wrapping_sub(1).to_le_bytes());
    chacha::block(&before)
}

fn salsa(window: &Window<'_>, start: usize, short: bool) -> Option<Hit> {
    let state: &[u8; STATE] = window.slice(start..start + STATE).first_chunk()?;
    let constant = CONSTANTS.get(usize::from(short))?;
    let places = constant.chunks(4).zip(state.chunks(4).step_by(5));
    let key = [state.get(4..20)?, state.get(44..60)?].concat();
    let fits = places.into_iter().all(|(part, place)| part == place);
    let secret = key_of(&key, short).filter(|_| fits)?;
    Some(hit("Salsa20", Evidence::Parsed, &secret, start + 4..start + 60))
}

/// The key, if it looks like one.
fn key_of(key: &[u8], short: bool) -> Option<Vec<u8>> {
    let (first, second) = key.split_at_checked(16)?;
    match short {
        true => (first == second && looks_random(first)).then(|| first.to_vec()),
        false => (looks_random(first) && looks_random(second)).then(|| key.to_vec()),
    }
}

/// Of 16 random bytes fewer than 12 differ once in 10,000 times, and more than 13 are printable text once in 10,000 too.
fn looks_random(bytes: &[u8]) -> bool {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let printable = bytes.iter().filter(|b| (0x20..0x7f).contains(*b)).count();
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    let counting = pairs.filter(|(a, b)| b.wrapping_sub(**a) <= 1).count();
    sorted.len() >= 12 && printable <= 13 && counting <= 6
}

fn hit(kind: &str, evidence: Evidence, secret: &[u8], range: Range<usize>) -> Hit {
    Hit {
        rule: RULE.to_owned(),
        severity: None,
        evidence,
        public: PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() },
        secret: Secret::bytes(secret),
        range,
        form: Form { layout: Layout::CipherState, encoding: Encoding::Plain, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits};
    use crate::keys::testing::noise;

    fn around(state: &[u8]) -> Vec<u8> {
        [&noise(77, 1)[..], state, &noise(99, 2)].concat()
    }

    #[test]
    fn a_state_of_chacha20_gives_its_key() {
        let key = noise(32, 3);
        let counter = [&7_u32.to_le_bytes()[..], &noise(12, 4)].concat();
        let djb = [&7_u64.to_le_bytes()[..], &noise(8, 4)].concat();
        for tail in [counter, djb] {
            let found = hit(&CipherState, &around(&[CONSTANTS[0], &key, &tail].concat()));
            assert_eq!((found.evidence, found.range), (Evidence::Matched, 77 + 16..77 + 48));
            assert_eq!(found.secret.identity(), Secret::bytes(&key).identity());
        }
        assert!(hits(&CipherState, &around(&[CONSTANTS[0], &key, &[9; 16]].concat())).is_empty(), "no counter");
    }

    #[test]
    fn a_state_with_its_own_block_behind_it_is_a_generator() {
        for counter in [1_u32, 77, 0x00ff_ffff] {
            let state = [CONSTANTS[0], &noise(32, 3), &counter.to_le_bytes(), &noise(12, 4)].concat();
            let block = chacha::block(state.first_chunk().unwrap()).unwrap();
            let severity =
                |out: &[u8], left: [u8; 4]| hit(&CipherState, &around(&[&state, out, &left].concat())).severity;
            for left in [0, 5, 64] {
                assert_eq!(severity(&*block, [left, 0, 0, 0]), Some(Severity::Info));
            }
            assert_eq!(severity(&*block, [65, 0, 0, 0]), None);
            assert_eq!(severity(&*block, [5, 1, 0, 0]), None);
            let mut other = block.clone();
            other[63] ^= 1;
            assert_eq!(severity(&*other, [5, 0, 0, 0]), None);
            // A cipher that counts behind each block.
            let next = [&state[..48], &(counter + 1).to_le_bytes(), &state[52..]].concat();
            let after = chacha::block(next.first_chunk().unwrap()).unwrap();
            assert_eq!(severity(&*after, [5, 0, 0, 0]), None);
            let cut = hit(&CipherState, &[&state[..], &*block].concat());
            assert_eq!(cut.severity, None, "nothing tells how much is left");
        }
    }

    #[test]
    fn a_state_with_what_is_left_of_the_block_before_it_is_mimallocs() {
        let state = |counter: u64| [CONSTANTS[0], &noise(32, 3), &counter.to_le_bytes(), &noise(8, 4)].concat();
        for counter in [1, 77, 0x00ff_ffff] {
            let block = chacha::block(state(counter - 1).first_chunk().unwrap()).unwrap();
            let severity = |given_out: usize, left: u8| {
                let out = [&vec![0; 4 * given_out][..], &block[4 * given_out..], &[left, 0, 0, 0]].concat();
                hit(&CipherState, &around(&[state(counter), out].concat())).severity
            };
            for given_out in [1, 6, 15] {
                assert_eq!(severity(given_out, 16 - given_out as u8), Some(Severity::Info));
                assert_eq!(severity(given_out, 17 - given_out as u8), None);
            }
            // mbedTLS, which counts bytes that were used.
            for used in [1, 16, 64] {
                let found = hit(&CipherState, &around(&[&state(counter)[..], &*block, &[used, 0, 0, 0]].concat()));
                assert_eq!((found.severity, found.evidence), (None, Evidence::Proven));
            }
            assert_eq!(severity(16, 0), None, "nothing is left to tell by");
        }
        let used_up = |counter: u64, nonce: u64, out: u8| {
            let state = [CONSTANTS[0], &noise(32, 3), &counter.to_le_bytes(), &nonce.to_le_bytes()].concat();
            hit(&CipherState, &around(&[&state[..], &[out; STATE], &[0; 4]].concat())).severity
        };
        let heap = 0x7f0e_3b2e_28b0;
        assert_eq!([used_up(0, heap, 0), used_up(77, heap, 0)], [Some(Severity::Info); 2]);
        assert_eq!([used_up(0, heap, 1), used_up(0, heap + 1, 0), used_up(0, 4096, 0), used_up(0, !0, 0)], [None; 4]);
    }

    #[test]
    fn constants_of_other_algorithms_are_no_key() {
        // As they follow each other in a program in Rust with ring.
        let key = [
            0x428a_2f98_u32,
            0x7137_4491,
            0xb5c0_fbcf,
            0xe9b5_dba5,
            0xd192_e819,
            0xd699_0624,
            0xf40e_3585,
            0x106a_a070,
        ];
        let state = |key: &[u8]| around(&[CONSTANTS[0], key, &[1, 0, 0, 0], &noise(12, 4)].concat());
        assert!(hits(&CipherState, &state(&key.map(u32::to_le_bytes).concat())).is_empty());
        assert_eq!(hits(&CipherState, &state(&noise(32, 3))).len(), 1);
    }

    #[test]
    fn two_states_with_their_counters_and_times_are_generators_of_gnutls() {
        let generator = |seed, fork: u64, time: u64| {
            let state = [CONSTANTS[0], &noise(32, seed), &7_u64.to_le_bytes(), &noise(8, seed)].concat();
            [state, [4096, fork, time].map(u64::to_le_bytes).concat()].concat()
        };
        let now = 1_790_000_000;
        let severities = |second: Vec<u8>| {
            let bytes = around(&[generator(3, 1, now), second].concat());
            hits(&CipherState, &bytes).iter().map(|hit| hit.severity).collect::<Vec<_>>()
        };
        assert_eq!(severities(generator(4, 1, now + 5)), [Some(Severity::Info); 2]);
        for other in [generator(4, 2, now), generator(4, 1, 12), [vec![0; 8], generator(4, 1, now)].concat()] {
            assert_eq!(severities(other), [None; 2]);
        }
    }

    #[test]
    fn a_state_of_salsa20_gives_its_key() {
        let key = noise(32, 3);
        let state = [b"expa", &key[..16], b"nd 3", &noise(16, 4), b"2-by", &key[16..], b"te k"].concat();
        let found = hit(&CipherState, &around(&state));
        assert_eq!((found.public.kind.as_str(), found.evidence), ("Salsa20", Evidence::Parsed));
        assert_eq!(found.secret.identity(), Secret::bytes(&key).identity());
    }

    #[test]
    fn a_key_of_16_bytes_stands_there_twice() {
        let key = noise(16, 3);
        let state = [CONSTANTS[1], &key, &key, &[0; 16]].concat();
        assert_eq!(hit(&CipherState, &around(&state)).secret.identity(), Secret::bytes(&key).identity());
        let salsa = [b"expa", &key[..], b"nd 1", &noise(16, 4), b"6-by", &key, b"te k"].concat();
        assert_eq!(hit(&CipherState, &around(&salsa)).secret.identity(), Secret::bytes(&key).identity());
        let two = [CONSTANTS[1], &noise(32, 5), &[0; 16]].concat();
        assert!(hits(&CipherState, &around(&two)).is_empty());
    }

    #[test]
    fn the_constant_among_constants_is_no_state() {
        let counting: Vec<u8> = (0..48).collect();
        let text = b"expand 16-byte kChaCha20 for x86_64, CRYPTOGAMS by <a person at an address>";
        for tail in [&[0; 48][..], &[0xff; 48], &counting, text, &[1, 0, 0, 0].repeat(12), b"short"] {
            assert!(hits(&CipherState, &[CONSTANTS[0], tail].concat()).is_empty());
        }
    }
}
