//! Keys of HMAC as implementations hold them ready: the two blocks that a message is hashed with.
//!
//! HMAC (RFC 2104) pads its key with zeros to a block of the hash, and begins the inner hash with that block exclusive-or 0x36 and the
//! outer one with the same exclusive-or 0x5c. OpenJDK (`HmacCore`), Go (`crypto/hmac`), PyCryptodome, mbed TLS and others keep both blocks
//! for as long as the key is in use, whereas the key itself is long gone, or is bytes without a name among others. What
//! follows the key is then 0x5c throughout in one block and 0x36 in the other, and the blocks differ by 0x6a in every byte: that is
//! no accident. A key as long as the block leaves no such run, and is not found here.

use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use super::{Candidate, Detector, Hit, Hits, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::keys::mac;
use crate::vault::Secret;
use crate::window::Window;

/// The rule of keys of HMAC.
pub const RULE: &str = "hmac-key";
/// What the outer and the inner block are padded with.
const OUTER: u8 = 0x5c;
const INNER: u8 = 0x36;
/// Bytes of padding without which nothing is looked at.
const PADDING: usize = 8;
/// Bytes of a block, the longest first: of SHA-3 (224, 256, 384, 512 bits), of SHA-512 and SHA-384, of the hashes before them.
const BLOCKS: [usize; 6] = [144, 136, 128, 104, 72, 64];
const LONGEST: usize = 144;
/// The shortest key: fewer bytes than a password has.
const SHORTEST: usize = 6;
/// Different bytes of the plainest key.
const VARIETY: usize = 5;
/// How far apart the blocks may begin: they are allocated one after the other.
const APART: usize = 2048;

/// Finds the blocks that HMAC begins with.
pub struct HmacPads;

impl Detector for HmacPads {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "HMAC key",
            Severity::High,
            "A key of HMAC in the two blocks that implementations keep of it. It signs tokens, cookies or requests, or is the password that \
             a key is derived from.",
            "Find what the process signs or derives with it, make a new key, and treat as forged what it could have signed.",
        )]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Repeated(OUTER)
    }

    fn reach(&self) -> Reach {
        Reach { before: APART + LONGEST, after: APART + 2 * LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        out.hits.extend(blocks(window, candidate.at).into_iter().flatten());
    }

    /// Nobody encodes these blocks.
    fn looks_under(&self, _encoding: Encoding) -> bool {
        false
    }
}

/// The two blocks of which the outer one has its padding at `run`.
fn blocks(window: &Window<'_>, run: usize) -> Option<[Hit; 2]> {
    let len = window.slice(run..run + LONGEST).iter().take_while(|byte| **byte == OUTER).count();
    let mut heads =
        BLOCKS.into_iter().filter_map(|block| Some(block.checked_sub(len)?).filter(|head| *head >= SHORTEST));
    let (inner, outer) = heads.find_map(|head| {
        let outer = run.checked_sub(head)?..run;
        let inner = inner(window, &outer, len).filter(|_| !holds_padding(window.slice(outer.clone())))?;
        Some((inner, outer))
    })?;
    let secret = key(window.slice(outer.clone()))?;
    Some([hit(secret.clone(), outer, Encoding::HmacOuter), hit(secret, inner, Encoding::HmacInner)])
}

/// Where the key stands in the inner block that belongs to an outer one with the key at `outer` and `len` bytes of padding.
fn inner(window: &Window<'_>, outer: &Range<usize>, len: usize) -> Option<Range<usize>> {
    let head = window.slice(outer.clone());
    let other: Zeroizing<Vec<u8>> = Zeroizing::new(head.iter().map(|byte| byte ^ OUTER ^ INNER).collect());
    let from = outer.start.saturating_sub(APART);
    let around = window.slice(from..outer.start + APART + LONGEST);
    let mut places = memmem::find_iter(around, &other[..]).map(|at| from + at..from + at + head.len());
    // Both blocks end together: what follows is not padding in both.
    let padding = |at: usize| window.slice(at..at + len).iter().take_while(|byte| **byte == INNER).count();
    places.find(|range| padding(range.end) == len)
}

/// Whether a head goes back into the padding of other blocks: where many lie side by side, what stands before two blocks may differ as
/// they do.
fn holds_padding(head: &[u8]) -> bool {
    head.windows(PADDING).any(|bytes| bytes == [OUTER; PADDING] || bytes == [INNER; PADDING])
}

/// The key of an outer block; `None` for one of few different bytes, which keeps no secret.
fn key(head: &[u8]) -> Option<Secret> {
    let key: Zeroizing<Vec<u8>> = Zeroizing::new(head.iter().map(|byte| byte ^ OUTER).collect());
    let different = key.iter().collect::<std::collections::BTreeSet<_>>().len();
    let is_text = key.iter().all(|byte| (0x20..0x7f).contains(byte));
    (different >= VARIETY && !mac::is_of_every_handshake(&key))
        .then(|| if is_text { Secret::text(&key) } else { Secret::bytes(&key) })
}

fn hit(secret: Secret, range: Range<usize>, encoding: Encoding) -> Hit {
    Hit {
        rule: RULE.to_owned(),
        severity: None,
        evidence: Evidence::Proven,
        public: PublicIdentity { kind: "HMAC".to_owned(), ..PublicIdentity::default() },
        secret,
        range,
        form: Form { layout: Layout::CipherState, encoding, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::hits;
    use crate::keys::testing::noise;

    fn block(key: &[u8], pad: u8, len: usize) -> Vec<u8> {
        let mut block: Vec<u8> = key.iter().map(|byte| byte ^ pad).collect();
        block.resize(len, pad);
        block
    }

    fn found(bytes: &[u8]) -> Vec<(Range<usize>, Encoding)> {
        hits(&HmacPads, bytes).into_iter().map(|hit| (hit.range, hit.form.encoding)).collect()
    }

    #[test]
    fn two_blocks_give_the_key_of_any_length_and_hash_in_either_order() {
        for len in BLOCKS {
            for key in [noise(16, 1), noise(32, 2), noise(len - PADDING, 3), b"correct horse battery".to_vec()] {
                let (outer, inner) = (block(&key, OUTER, len), block(&key, INNER, len));
                for (first, second, outer_first) in [(&outer, &inner, true), (&inner, &outer, false)] {
                    for gap in [0, 16, 900] {
                        let bytes = [&noise(50, 9)[..], first, &noise(gap, 8), second, &noise(70, 7)].concat();
                        let (a, b) = (50..50 + key.len(), 50 + len + gap..50 + len + gap + key.len());
                        let (outer, inner) = if outer_first { (a, b) } else { (b, a) };
                        assert_eq!(found(&bytes), [(outer, Encoding::HmacOuter), (inner, Encoding::HmacInner)]);
                        let secret = hits(&HmacPads, &bytes).remove(0).secret;
                        assert_eq!(secret.identity(), Secret::bytes(&key).identity());
                    }
                }
            }
        }
    }

    #[test]
    fn blocks_side_by_side_give_their_own_keys() {
        for len in [64, 128] {
            let keys = [noise(32, 1), noise(32, 2), noise(32, 1)];
            let pair = |key: &Vec<u8>| [block(key, OUTER, len), block(key, INNER, len)].concat();
            let bytes = [noise(50, 9), keys.iter().flat_map(pair).collect(), noise(70, 7)].concat();
            let found = hits(&HmacPads, &bytes);
            assert_eq!(found.len(), 6);
            assert!(found.iter().all(|hit| hit.range.len() == 32 && (hit.range.start - 50).is_multiple_of(len)));
        }
    }

    #[test]
    fn padding_alone_or_of_another_key_is_none() {
        let (key, other) = (noise(32, 1), noise(32, 2));
        let outer = block(&key, OUTER, 64);
        let around = |second: &[u8]| [&noise(50, 9)[..], &outer, &[0; 16], second, &noise(70, 7)].concat();
        let cut = &block(&key, INNER, 60);
        for second in [&[][..], &outer, &block(&other, INNER, 64), cut, &[&key[..], &[INNER; 32]].concat()] {
            assert!(found(&around(second)).is_empty());
        }
        let plain = [0; 32];
        let blocks = [block(&plain, OUTER, 64), block(&plain, INNER, 64)].concat();
        assert!(found(&[&noise(50, 9)[..], &blocks, &[0; 70]].concat()).is_empty());
        assert!(found(&[&b"C:"[..], &[OUTER; 40], b"x", &[INNER; 40]].concat()).is_empty());
    }
}
