//! Private keys of RFC 8410 as OpenJDK and .NET hold them: an array of bytes with nothing in it but the OCTET STRING that PKCS#8 wraps.
//!
//! OpenJDK's `PKCS8Key.key` (Ed25519, X25519, Ed448, X448) is such an array for as long as the key lives; the file that it
//! came from, with the name of the algorithm, goes with the next collection of garbage. An array says how many bytes it has, in
//! front of the first one and behind a type (four bytes in OpenJDK, which may leave four empty; eight in .NET), and takes up whole words of
//! eight bytes, with zeros at its end. Which of two curves it is does not show.

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule};
use crate::keys::fragment::looks_random;
use crate::keys::{FoundKey, asn1};
use crate::vault::Secret;
use crate::window::Window;

/// The rule of keys that are not computed.
const RULE: &str = "private-key";
/// Bytes of the OCTET STRING, its value, and whose it is.
const KEYS: [(u8, u8, &str); 3] = [(34, 32, "Ed25519 or X25519"), (59, 57, "Ed448"), (58, 56, "X448")];
/// Bytes of nothing between the length and the first byte.
const GAPS: [usize; 2] = [0, 4];
/// Bytes of a literal: a length, nothing, a header.
const LONGEST: usize = 10;
/// Bytes before the length: a word for locks and the collector, and the type.
const HEAD: usize = 12;

/// Finds arrays that are keys.
pub struct ManagedOctets;

impl Detector for ManagedOctets {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(forms().map(|(gap, (len, value, _))| Literal::binary(&literal(gap, len, value))).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: HEAD, after: LONGEST + 72 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some((gap, (len, value, kind))) = forms().nth(candidate.literal) else { return };
        let (len, value) = (usize::from(len), usize::from(value));
        let start = candidate.at + 4 + gap;
        let range = start + len - value..start + len;
        // The array's own end: of 16 or 24 bytes before it and its bytes to whole words.
        let tail = window.slice(range.end..range.end + len.next_multiple_of(8) - len);
        let bytes = window.slice(range.clone());
        let fits = bytes.len() == value && tail.iter().all(|byte| *byte == 0) && !tail.is_empty();
        if !fits || !looks_random(bytes) || !is_type(window, candidate.at) {
            return;
        }
        let public = PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() };
        let secret = Secret::bytes(bytes);
        let key = FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret };
        out.hits.push(key.at(range, Form::whole(Layout::DerFragment, Encoding::Plain)));
    }
}

fn forms() -> impl Iterator<Item = (usize, (u8, u8, &'static str))> {
    GAPS.into_iter().flat_map(|gap| KEYS.into_iter().map(move |key| (gap, key)))
}

fn literal(gap: usize, len: u8, value: u8) -> Vec<u8> {
    let mut literal = vec![len, 0, 0, 0];
    literal.resize(literal.len() + gap, 0);
    literal.extend([4, value]);
    literal
}

/// Whether what stands before a length may be a type: no text, and not nothing.
fn is_type(window: &Window<'_>, length: usize) -> bool {
    let kind = length.checked_sub(4).map(|from| window.slice(from..length)).unwrap_or_default();
    let word = kind.first_chunk().map(|kind| u32::from_le_bytes(*kind));
    word.is_some_and(|word| word != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits};
    use crate::keys::testing::noise;

    fn array(gap: usize, key: &[u8]) -> Vec<u8> {
        let len = key.len() as u8 + 2;
        let head = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[0x48, 0x68, 0, 0]].concat();
        let mut array = [head, literal(gap, len, key.len() as u8), key.to_vec()].concat();
        array.resize((array.len() - gap).next_multiple_of(8) + gap, 0);
        [array, vec![1, 0, 0, 0, 0, 0, 0, 0]].concat()
    }

    #[test]
    fn an_array_that_is_an_octet_string_gives_the_key() {
        for (len, kind) in [(32, "Ed25519 or X25519"), (57, "Ed448"), (56, "X448")] {
            for gap in GAPS {
                let key = noise(len, 3);
                let bytes = [&noise(40, 1)[..], &array(gap, &key)].concat();
                let found = hit(&ManagedOctets, &bytes);
                assert_eq!((found.public.kind.as_str(), &bytes[found.range]), (kind, &key[..]));
            }
        }
    }

    #[test]
    fn other_arrays_are_none() {
        let whole = array(0, &noise(32, 3));
        let changed = |at: usize, to: u8| {
            let mut bytes = whole.clone();
            bytes[at] = to;
            [&noise(40, 1)[..], &bytes].concat()
        };
        assert_eq!(hits(&ManagedOctets, &changed(0, 1)).len(), 1);
        for (at, to) in [(12, 35), (17, 31), (16, 5), (51, 9), (13, 1)] {
            assert!(hits(&ManagedOctets, &changed(at, to)).is_empty(), "{at}");
        }
        assert!(hits(&ManagedOctets, &[&[7; 40][..], &array(0, &[0; 32])].concat()).is_empty());
        assert!(hits(&ManagedOctets, &array(0, b"a text that has 32 letters in it")).is_empty());
    }
}
