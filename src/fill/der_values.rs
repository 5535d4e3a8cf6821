//! Which bytes of a DER structure are values, so that a redacted structure can still be read as one.

use std::ops::Range;

/// Values shorter than this stay: versions, public exponents, iteration counts.
const SHORT: usize = 4;

/// Structures inside structures, deeper than any key's.
const DEEPEST: usize = 16;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;

/// The contents of every INTEGER, OCTET STRING and BIT STRING in `der` that is worth hiding, where `der` is one whole
/// structure; an OCTET STRING or BIT STRING that holds a structure itself is looked into. `None` where `der` is not one
/// whole structure or has no such value, and then all of it must go.
#[must_use]
pub fn values(der: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let whole = der.first().is_some_and(|tag| tag & CONSTRUCTED != 0);
    (whole && walk(der, 0, DEEPEST, &mut found) && !found.is_empty()).then_some(found)
}

/// Walks elements that together must fill `bytes`; `base` is where these stand in the structure.
fn walk(bytes: &[u8], base: usize, depth: usize, found: &mut Vec<Range<usize>>) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        let Some((tag, head, len)) = element(bytes.get(at..).unwrap_or_default()) else { return false };
        let (from, to) = (at + head, at + head + len);
        let Some(content) = bytes.get(from..to) else { return false };
        if tag & CONSTRUCTED != 0 {
            if depth == 0 || !walk(content, base + from, depth - 1, found) {
                return false;
            }
        } else {
            hide(tag, content, base + from, depth, found);
        }
        at = to;
    }
    true
}

fn hide(tag: u8, content: &[u8], base: usize, depth: usize, found: &mut Vec<Range<usize>>) {
    let skip = usize::from(tag == BIT_STRING);
    let inner = content.get(skip..).unwrap_or_default();
    let mut inside = Vec::new();
    let holds = matches!(tag, OCTET_STRING | BIT_STRING) && depth > 0 && is_structure(inner);
    if holds && walk(inner, base + skip, depth - 1, &mut inside) && !inside.is_empty() {
        found.extend(inside);
    } else if (tag == INTEGER || tag == OCTET_STRING || tag == BIT_STRING || is_unknown(tag)) && inner.len() > SHORT {
        found.push(base + skip..base + content.len());
    }
}

/// Context-specific primitives hold what their structure says: they are values too.
fn is_unknown(tag: u8) -> bool {
    tag & 0xc0 == 0x80
}

fn is_structure(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x30 | 0x04 | 0x02))
        && element(bytes).is_some_and(|(_, head, len)| head + len == bytes.len())
}

/// Tag, length of the header and length of the content of the element that `bytes` begin with.
fn element(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let count = usize::from(first & 0x7f);
    match first {
        0..=0x7f => Some((tag, 2, first.into())),
        0x81..=0x84 => {
            let digits = rest.get(..count)?;
            Some((tag, 2 + count, digits.iter().fold(0, |len, &d| len << 8 | usize::from(d))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_and_the_structure_stays() {
        let der = [0x30, 0x12, 2, 1, 0, 4, 0x0d, 0x30, 0x0b, 2, 1, 1, 4, 6, 9, 9, 9, 9, 9, 9];
        let found = values(&der).unwrap_or_default();
        assert_eq!((found.len(), found.first()), (1, Some(&(14..20))));
    }

    #[test]
    fn what_is_no_whole_structure_has_no_values() {
        assert_eq!(values(&[0x30, 0x12, 2, 1, 0]), None);
        assert_eq!(values(&[0x30, 3, 2, 1, 0]), None, "nothing to hide");
        assert_eq!(values(b"text"), None);
        assert_eq!(values(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1]), None);
        assert_eq!(values(&[]), None);
    }

    #[test]
    fn deep_nesting_ends() {
        let mut der = vec![4, 5, 1, 2, 3, 4, 5];
        for _ in 0..60 {
            der = [vec![0x30, u8::try_from(der.len()).unwrap()], der].concat();
        }
        assert_eq!(values(&der), None);
    }
}
