//! Which bytes of a DER structure are nobody's secret: headers, object identifiers, names, the modulus.
//!
//! The structure was found before; here it is only walked, also where its end is gone, so that what all structures of the
//! kind share is not told as a fragment of this one.

use std::ops::Range;

/// Shorter contents are versions, salts and counters.
const SHORT: usize = 16;
/// Levels that are walked; a structure that is deeper is taken as secret from there on.
const DEEPEST: usize = 12;

const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const CONSTRUCTED: u8 = 0x20;
const CONTEXT: u8 = 0x80;

/// The ranges of `bytes` that are not secret; none where it is no SEQUENCE.
#[must_use]
pub fn public_ranges(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut walk = Walk { bytes, public: Vec::new(), modulus_seen: false };
    if bytes.first() == Some(&0x30) {
        walk.elements(0..bytes.len(), 0);
    }
    walk.public
}

struct Walk<'a> {
    bytes: &'a [u8],
    public: Vec<Range<usize>>,
    modulus_seen: bool,
}

impl Walk<'_> {
    fn elements(&mut self, within: Range<usize>, depth: usize) {
        let mut at = within.start;
        while let Some((tag, content)) = self.header(at, within.end) {
            self.public.push(at..content.start);
            at = content.end;
            self.element(tag, content, depth);
        }
    }

    fn element(&mut self, tag: u8, content: Range<usize>, depth: usize) {
        if tag & CONSTRUCTED != 0 || tag == OCTET_STRING && self.is_structure(&content) {
            if depth < DEEPEST {
                self.elements(content, depth + 1);
            }
            return;
        }
        // The first long INTEGER of a key is public: the modulus of RSA, the prime of DSA.
        let modulus = tag == INTEGER && content.len() > SHORT && !std::mem::replace(&mut self.modulus_seen, true);
        let secret = matches!(tag, INTEGER | OCTET_STRING) || tag & 0xc0 == CONTEXT;
        if modulus || !secret || content.len() < SHORT {
            self.public.push(content);
        }
    }

    /// Whether it is a SEQUENCE that fills the content.
    fn is_structure(&self, content: &Range<usize>) -> bool {
        let inner = self.header(content.start, content.end);
        self.bytes.get(content.start) == Some(&0x30) && inner.is_some_and(|(_, inner)| inner.end == content.end)
    }

    /// The tag of the element at `at` and where its content lies; content that is cut off ends at `end`.
    fn header(&self, at: usize, end: usize) -> Option<(u8, Range<usize>)> {
        let rest = self.bytes.get(at..end)?;
        let (&tag, rest) = rest.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, start) = match first {
            0..=0x7f => (usize::from(first), at + 2),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let len = rest.get(..count)?.iter().fold(0, |len: usize, &b| len << 8 | usize::from(b));
                (len, at + 2 + count)
            }
            _ => return None,
        };
        Some((tag, start..start.saturating_add(len).min(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::rsa_key;
    use ::rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
    use pkcs8::EncodePrivateKey as _;

    #[test]
    fn the_modulus_and_the_headers_of_a_key_are_public_and_its_private_numbers_are_not() {
        let key = rsa_key(1024);
        let der = key.to_pkcs8_der().unwrap().as_bytes().to_vec();
        let public = public_ranges(&der);
        let is_public = |bytes: &[u8]| {
            let at = memchr::memmem::find(&der, bytes).unwrap();
            (at..at + bytes.len()).all(|i| public.iter().any(|range| range.contains(&i)))
        };
        assert!(is_public(&key.n().to_be_bytes()));
        assert!(is_public(&der[..20]));
        let d = key.d().to_be_bytes();
        let (at, short) = (memchr::memmem::find(&der, &d[4..]).unwrap(), d.len() - 4);
        assert!((at..at + short).all(|i| !public.iter().any(|range| range.contains(&i))));
        let cut = public_ranges(&der[..100]);
        assert!(cut.iter().all(|range| range.end <= 100) && cut.iter().any(|range| range.end == 100));
    }

    #[test]
    fn what_is_no_structure_has_no_public_part() {
        assert!(public_ranges(b"").is_empty() && public_ranges(&[0x30]).is_empty());
        assert!(public_ranges(&[7; 90]).is_empty());
    }
}
