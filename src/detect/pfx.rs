//! PKCS#12 (PFX) key stores whose lengths are not said before but marked by an end, as NSS and with it Firefox write them.
//!
//! Such BER is no DER, so the DER detector passes it over. Nothing of it needs to be read but the headers: they lead from
//! element to element to the end, which is how long the store is.

use std::ops::Range;

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule};
use crate::keys::{FoundKey, asn1};
use crate::vault::Secret;
use crate::window::Window;

/// The rule of key stores, the same as for those in DER.
const RULE: &str = "pkcs12-keystore";
/// A SEQUENCE without a length, and PFX's version in it.
const OUTER: &[u8] = b"\x30\x80\x02\x01\x03\x30";
/// The version, and a SEQUENCE without a length for the contents: a store may say the length outside and not inside.
const INNER: &[u8] = b"\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// PKCS#7's contents, of which the last byte tells `data` (1) and `signedData` (2).
const CONTENTS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// Bytes that are seen at once; the rest is followed through the image.
const REACH: usize = 4096;
/// How deep elements without a length may be nested: PFX takes about ten.
const DEEPEST: usize = 32;
/// Elements of one store. NSS writes long strings in many short pieces.
const MOST_ELEMENTS: usize = 20_000;

/// Finds PKCS#12 in BER.
pub struct Pfx;

impl Detector for Pfx {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().filter(|rule| rule.id == RULE).collect()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals([OUTER, INNER].map(Literal::binary).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: 5, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        if let Some(range) = whole(candidate, window) {
            let bytes = window.follow(range.start, range.len());
            let form = Form::whole(Layout::Pkcs12, Encoding::Plain);
            let key = (bytes.len() == range.len()).then(|| store(&bytes));
            out.hits.extend(key.map(|key| key.at(range, form)));
        }
    }
}

/// Where the store of a candidate begins and ends.
fn whole(candidate: Candidate, window: &Window<'_>) -> Option<Range<usize>> {
    let is_open = candidate.literal == 0;
    let version = if is_open { candidate.at + 2 } else { candidate.at };
    let contents = holds_pkcs7(window, version).then(|| end(window, version + 3))??;
    let headers = if is_open { 2..=2 } else { 2..=5 };
    headers.filter_map(|size| version.checked_sub(size)).find_map(|start| {
        let header = Header::read(window, start).filter(|header| start + header.size == version)?;
        let is_store = window.byte(start) == Some(0x30) && header.len.is_none() == is_open;
        let end = end(window, start).filter(|&end| is_store && end >= contents)?;
        (end - start <= asn1::LONGEST).then_some(start..end)
    })
}

fn store(bytes: &[u8]) -> FoundKey {
    let (public, secret) = (PublicIdentity::default(), Secret::bytes(bytes));
    FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret }
}

/// Whether the contents that stand behind the version at `at` are PKCS#7's.
fn holds_pkcs7(window: &Window<'_>, at: usize) -> bool {
    let contents = at + 3;
    let inside = Header::read(window, contents).map(|header| contents + header.size);
    inside.is_some_and(|at| match window.slice(at..at + CONTENTS.len() + 1).split_last() {
        Some((1 | 2, head)) => head == CONTENTS,
        _ => false,
    })
}

/// Tag and length of an element of BER.
struct Header {
    constructed: bool,
    /// `None` where an end is marked behind the content.
    len: Option<usize>,
    /// Bytes of the header.
    size: usize,
}

impl Header {
    fn read(window: &Window<'_>, at: usize) -> Option<Self> {
        let bytes = window.follow(at, 6);
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // Tags of more than one byte do not stand in PFX.
        let constructed = (tag & 0x1f != 0x1f).then_some(tag & 0x20 != 0)?;
        let more = usize::from(first & 0x7f);
        let len = match first {
            0..0x80 => return Some(Self { constructed, len: Some(more), size: 2 }),
            0x80 => return Some(Self { constructed, len: None, size: 2 }),
            0x81..=0x84 => rest.get(..more)?.iter().fold(0, |len, &b| len << 8 | usize::from(b)),
            _ => return None,
        };
        Some(Self { constructed, len: Some(len), size: 2 + more })
    }
}

/// Where the element at `start` ends. Only elements without a length are entered.
fn end(window: &Window<'_>, start: usize) -> Option<usize> {
    let (mut at, mut open) = (start, 0_usize);
    for _ in 0..MOST_ELEMENTS {
        let header = Header::read(window, at)?;
        at += header.size;
        match header.len {
            // Two zeros where an element could begin are the end.
            Some(0) if open > 0 && !header.constructed && window.follow(at - 2, 1).first() == Some(&0) => open -= 1,
            Some(len) => at = at.checked_add(len)?,
            None if header.constructed && open < DEEPEST => open += 1,
            None => return None,
        }
        if open == 0 {
            return Some(at);
        }
        if at - start > asn1::LONGEST {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits};
    use crate::image::Image;
    use crate::keys::testing::{element, noise};
    use crate::span::Span;
    use proptest::prelude::*;

    /// An element whose end is marked.
    fn open(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        [&[tag, 0x80], &parts.concat()[..], &[0, 0]].concat()
    }

    /// A store whose contents are strings of some pieces, by NSS's pattern: what `build` says is closed by an end.
    fn store_of(pieces: usize, outer: fn(u8, &[&[u8]]) -> Vec<u8>, inner: fn(u8, &[&[u8]]) -> Vec<u8>) -> Vec<u8> {
        let pieces: Vec<u8> = (0..pieces).flat_map(|i| element(4, &[&noise(200, i as u64)])).collect();
        let data = open(0xa0, &[&open(0x24, &[&pieces])]);
        let contents = inner(0x30, &[CONTENTS, &[1], &data]);
        outer(0x30, &[&[2, 1, 3], &contents, &element(0x30, &[&element(4, &[&noise(20, 5)])])])
    }

    fn surrounded(bytes: &[u8]) -> Vec<u8> {
        [&noise(77, 3), bytes, &noise(99, 9)].concat()
    }

    #[test]
    fn a_store_without_lengths_is_followed_to_its_end() {
        for bytes in [store_of(3, open, open), store_of(3, open, element), store_of(3, element, open)] {
            let found = hit(&Pfx, &surrounded(&bytes));
            assert_eq!((found.rule.as_str(), found.evidence), (RULE, Evidence::Parsed));
            assert_eq!((found.range, found.form.layout), (77..77 + bytes.len(), Layout::Pkcs12));
        }
    }

    #[test]
    fn a_store_longer_than_the_window_is_followed_into_the_image_and_a_cut_one_is_none() {
        let bytes = store_of(300, open, open);
        let look = |keep: usize| {
            let image = Image::from_bytes("t", bytes[..keep].to_vec());
            let mut out = Hits::default();
            let pieces = [Span::new(0, 4096)];
            let window = Window::new(&bytes[..4096], 0..1024, &pieces, &[]).with_image(&image);
            Pfx.confirm(Candidate { at: 0, literal: 0, wide: false }, &window, &mut out);
            out.hits
        };
        assert_eq!(look(bytes.len())[0].range, 0..bytes.len());
        assert!(look(bytes.len() - 1).is_empty());
    }

    #[test]
    fn hostile_nesting_costs_little_and_says_nothing() {
        let work = crate::detect::testing::Work::begin();
        let long = [INNER, b"\x01\xa0\x84\x00\x0f\xff\xff"].concat();
        for unit in
            [OUTER, INNER, &[OUTER, &INNER[4..], &[1]].concat(), &[b"\x30\x80", &long[..]].concat(), b"\x30\x80"]
        {
            assert!(hits(&Pfx, &unit.repeat(10_000)).is_empty());
        }
        assert!(work.seconds() < 20);
    }

    proptest! {
        #[test]
        fn any_change_is_read_without_a_panic(at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = store_of(2, open, open);
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = hits(&Pfx, &bytes);
            let _ = hits(&Pfx, &bytes[..cut.index(bytes.len())]);
        }
    }
}
