//! How a literal of text looks where some of its letters are escaped, in the ways of the encoders that are in use.

use std::collections::BTreeSet;

/// Letters that HTML-minded JSON writers escape (Gson, System.Text.Json, Go): the others stand for themselves.
const IN_JSON: &[u8] = b"<>&'+=\"/";

/// Spellings of `literal` with percent signs and with backslashes; none where no letter of it is ever escaped.
///
/// Percent-encoding is looked for with all reserved letters encoded, and with the slash left alone, in either case of the
/// digits. In JSON the slash and the quote have short escapes; all others are `\u00xx`, in either case too.
pub fn spellings(literal: &[u8]) -> BTreeSet<Vec<u8>> {
    let spell = |escape: &dyn Fn(u8) -> Option<String>| -> Vec<u8> {
        literal.iter().flat_map(|&b| escape(b).map_or_else(|| vec![b], String::into_bytes)).collect()
    };
    let reserved = |b: u8| !(b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    let in_json = |b: u8| IN_JSON.contains(&b);
    let ways: [&dyn Fn(u8) -> Option<String>; 8] = [
        &|b| reserved(b).then(|| format!("%{b:02X}")),
        &|b| reserved(b).then(|| format!("%{b:02x}")),
        &|b| (reserved(b) && b != b'/').then(|| format!("%{b:02X}")),
        &|b| (reserved(b) && b != b'/').then(|| format!("%{b:02x}")),
        &|b| in_json(b).then(|| format!("\\u{b:04x}")),
        &|b| in_json(b).then(|| format!("\\u{b:04X}")),
        &|b| (in_json(b) && b != b'/').then(|| format!("\\u{b:04x}")),
        &|b| matches!(b, b'/' | b'"').then(|| format!("\\{}", char::from(b))),
    ];
    ways.iter().map(|way| spell(way)).filter(|spelled| spelled != literal).collect()
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
    }
}
