//! How a literal of text looks where some of its letters are escaped, in the ways of the encoders that are in use.

use std::collections::BTreeSet;

/// Letters that HTML-minded JSON writers escape (Gson, System.Text.Json, Go): the others stand for themselves.
const IN_JSON: &[u8] = b"<>&'+=\"/";

/// Digits in either case.
const UPPER: Option<&[u8; 16]> = Some(b"0123456789ABCDEF");
const LOWER: Option<&[u8; 16]> = Some(b"0123456789abcdef");

/// What stands before an escaped letter, the digits that it is written in if it is, and which letters are escaped so.
type Way<'a> = (&'a [u8], Option<&'static [u8; 16]>, &'a dyn Fn(u8) -> bool);

/// Spellings of `literal` with percent signs and with backslashes; none where no letter of it is ever escaped.
///
/// Percent-encoding is looked for with all reserved letters encoded, and with the slash left alone, in either case of the
/// digits. In JSON the slash, the quote, line breaks and the tabulator have short escapes; all others are `\u00xx`, in either case too.
pub fn spellings(literal: &[u8]) -> BTreeSet<Vec<u8>> {
    let reserved = |b: u8| !(b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    let in_json = |b: u8| IN_JSON.contains(&b);
    // It is asked of thousands of literals whenever the program begins; most of them have no such letter.
    if !literal.iter().any(|&b| reserved(b)) {
        return BTreeSet::new();
    }
    let but_slash = |b: u8| reserved(b) && b != b'/';
    let ways: [Way<'_>; 10] = [
        (b"%", UPPER, &reserved),
        (b"%", LOWER, &reserved),
        (b"%", UPPER, &but_slash),
        (b"%", LOWER, &but_slash),
        (b"\\u00", LOWER, &in_json),
        (b"\\u00", UPPER, &in_json),
        (b"\\u00", LOWER, &|b| in_json(b) && b != b'/'),
        (b"\\", None, &|b| matches!(b, b'/' | b'"')),
        (b"\\", None, &|b| control(b).is_some()),
        (b"\\", None, &|b| control(b).is_some() || b == b'"'),
    ];
    ways.iter().map(|way| spelled(literal, way)).filter(|spelled| spelled != literal).collect()
}

fn spelled(literal: &[u8], (begin, digits, is_escaped): &Way<'_>) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(2 * literal.len());
    for &b in literal {
        let is_escaped = is_escaped(b);
        spelled.extend_from_slice(if is_escaped { begin } else { &[] });
        match digits.filter(|_| is_escaped) {
            Some(digits) => spelled.extend([b >> 4, b & 15].iter().filter_map(|digit| digits.get(usize::from(*digit)))),
            None => spelled.push(control(b).filter(|_| is_escaped).unwrap_or(b)),
        }
    }
    spelled
}

/// The letter by which a string of JSON, and most others, write a byte that ends a line or parts words.
fn control(byte: u8) -> Option<u8> {
    match byte {
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_that_encoders_escape_are_escaped() {
        let told: Vec<String> = spellings(b"://").into_iter().map(|s| String::from_utf8(s).unwrap()).collect();
        let want = [r"%3A%2F%2F", "%3A//", "%3a%2f%2f", "%3a//", r":\/\/", r":\u002F\u002F", r":\u002f\u002f"];
        assert_eq!(told, want);
        assert!(spellings(b"ghp_").is_empty());
        // All that JSON escapes is reserved too.
        assert!(IN_JSON.iter().all(|b| !spellings(&[*b]).is_empty()));
        assert!(spellings(b"PASSWORD\n").contains(br"PASSWORD\n".as_slice()));
        assert!(spellings(b"\"x\"\r\n").contains(br#"\"x\"\r\n"#.as_slice()));
    }
}
