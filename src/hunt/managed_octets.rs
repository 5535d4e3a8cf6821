//! Private keys of RFC 8410 as OpenJDK and .NET hold them: an array of bytes with nothing in it but the OCTET STRING that PKCS#8 wraps.
//!
//! OpenJDK's `PKCS8Key.key` (Ed25519, X25519, Ed448, X448) is such an array for as long as the key lives; the file that it
//! came from, with the name of the algorithm, goes with the next collection of garbage. An array says how many bytes it has, in
//! front of the first one and behind a type (four bytes in OpenJDK, which may leave four empty; eight in .NET), and takes up whole words of
//! eight bytes, with zeros at its end. Which of two curves it is does not show.

//!
//! They are looked for where a runtime of either kind is in memory: the few bytes in front of a key are frequent in any process.

use memchr::memmem;

use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Hit, Hits};
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

/// Hunts for arrays that are keys.
pub struct ManagedOctets;

impl Hunter for ManagedOctets {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules()
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::ManagedHeap)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Arrays)
    }
}

struct Arrays;

impl Hunt for Arrays {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        let owned = window.owned();
        for &(len, value, kind) in &KEYS {
            // The end of an array's length, and the header.
            let head = [0, 0, 4, value];
            let seen = window.slice(owned.start..owned.end + head.len() - 1);
            for at in memmem::find_iter(seen, &head).map(|at| owned.start + at + 2) {
                let lengths = GAPS.iter().filter_map(|gap| at.checked_sub(4 + gap));
                let length = lengths.into_iter().find(|&from| is_length(window.slice(from..at), len));
                out.hits.extend(length.and_then(|length| key(window, length, at, (len, value, kind))));
            }
        }
    }
}

/// Whether the bytes in front of an array are its length, and nothing.
fn is_length(bytes: &[u8], len: u8) -> bool {
    bytes.split_first().is_some_and(|(first, rest)| *first == len && rest.iter().all(|byte| *byte == 0))
}

/// The key in the array whose length stands at `length` and whose first byte at `start`.
fn key(window: &Window<'_>, length: usize, start: usize, (len, value, kind): (u8, u8, &str)) -> Option<Hit> {
    let (len, value) = (usize::from(len), usize::from(value));
    let range = start + len - value..start + len;
    // Of 16 or 24 bytes before it and its own bytes to whole words.
    let tail = window.slice(range.end..range.end + len.next_multiple_of(8) - len);
    let bytes = window.slice(range.clone());
    let fits = bytes.len() == value && tail.iter().all(|byte| *byte == 0) && !tail.is_empty();
    if !fits || !looks_random(bytes) || !is_type(window, length) {
        return None;
    }
    let public = PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() };
    let key = FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret: Secret::bytes(bytes) };
    Some(key.at(range, Form::whole(Layout::DerFragment, Encoding::Plain)))
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
    use crate::image::Image;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    fn hits(bytes: &[u8]) -> Vec<Hit> {
        let mut clues = Clues::new(1);
        assert!(!ManagedOctets.needs(&clues));
        clues.add(Clue::ManagedHeap);
        assert!(ManagedOctets.needs(&clues));
        let pieces = [Span::new(0, bytes.len() as u64)];
        let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
        let (mut out, image) = (Hits::default(), Image::from_bytes("t", Vec::new()));
        ManagedOctets.prepare(&clues).hunt(&Shown::new(&window, &AddressSpace::new(&[]), &image), &mut out);
        out.hits
    }

    fn array(gap: usize, key: &[u8]) -> Vec<u8> {
        let len = key.len() as u8 + 2;
        let head = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[0x48, 0x68, 0, 0]].concat();
        let mut array = [&head[..], &[len, 0, 0, 0], &vec![0; gap], &[4, key.len() as u8], key].concat();
        array.resize((array.len() - gap).next_multiple_of(8) + gap, 0);
        [array, vec![1, 0, 0, 0, 0, 0, 0, 0]].concat()
    }

    #[test]
    fn an_array_that_is_an_octet_string_gives_the_key() {
        for (len, kind) in [(32, "Ed25519 or X25519"), (57, "Ed448"), (56, "X448")] {
            for gap in GAPS {
                let key = noise(len, 3);
                let bytes = [&noise(40, 1)[..], &array(gap, &key)].concat();
                let found = hits(&bytes);
                assert_eq!(found.len(), 1);
                assert_eq!((found[0].public.kind.as_str(), &bytes[found[0].range.clone()]), (kind, &key[..]));
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
        assert_eq!(hits(&changed(0, 1)).len(), 1);
        for (at, to) in [(12, 35), (17, 31), (16, 5), (51, 9), (13, 1)] {
            assert!(hits(&changed(at, to)).is_empty(), "{at}");
        }
        assert!(hits(&[&[7; 40][..], &array(0, &[0; 32])].concat()).is_empty());
        assert!(hits(&array(0, b"a text that has 32 letters in it")).is_empty());
    }
}
