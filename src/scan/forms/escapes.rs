//! The ways in which programs escape a text: the same secret as URLs, JSON, source code and XML spell it.

use super::written::Written;

/// Every percent-encoding of `text`: the letters that are kept and the case of the digits differ from one encoder to the next.
#[must_use]
pub fn percent(text: &Written) -> Vec<Written> {
    // RFC 3986's unreserved letters; with those of encodeURIComponent; with what paths keep; with what encodeURI keeps; none.
    const KEPT: [Option<&[u8]>; 5] = [Some(b""), Some(b"!'()*"), Some(b"/"), Some(b";,/?:@&=+$!'()*#"), None];
    let kept = |kept: Option<&[u8]>, b: u8| {
        kept.is_some_and(|kept| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || kept.contains(&b))
    };
    let mut all = Vec::new();
    for keep in KEPT {
        for plus in [false, true] {
            for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
                all.push(text.each(|b, out| match b {
                    b' ' if plus => out.push(b'+'),
                    _ if kept(keep, b) => out.push(b),
                    _ => {
                        out.push(b'%');
                        hex(b, digits, out);
                    }
                }));
            }
        }
    }
    all
}

/// Every escaping of `text` with backslashes, as JSON and C have them, and with the entities of XML.
#[must_use]
pub fn escaped(text: &Written) -> Vec<Written> {
    const JSON: [&[u8]; 5] = [b"", b"<>&", b"<>&'", b"<>&'=", b"<>&+'\""];
    let mut all = Vec::new();
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        for slash in [false, true] {
            all.extend(JSON.iter().map(|also| text.each(|b, out| json(b, also, slash, digits, out))));
            all.push(unicode(text, digits, slash));
        }
        all.push(text.each(|b, out| c(b, out, |b, out| short(b"\\x", b, digits, out))));
        all.push(
            text.each(|b, out| if b.is_ascii_alphanumeric() { out.push(b) } else { short(b"\\x", b, digits, out) }),
        );
        all.push(text.each(|b, out| short(b"\\x", b, digits, out)));
    }
    all.push(text.each(|b, out| c(b, out, octal)));
    all.push(text.each(|b, out| xml(b, b"&#39;", out)));
    all.push(text.each(|b, out| xml(b, b"&apos;", out)));
    all
}

fn json(byte: u8, also: &[u8], slash: bool, digits: &[u8; 16], out: &mut Vec<u8>) {
    match byte {
        _ if also.contains(&byte) => short(b"\\u00", byte, digits, out),
        b'"' | b'\\' => out.extend([b'\\', byte]),
        b'/' if slash => out.extend(b"\\/"),
        _ => match control(byte) {
            Some(letter) if letter != b'v' && letter != b'a' => out.extend([b'\\', letter]),
            _ if byte < b' ' || byte == 0x7f => short(b"\\u00", byte, digits, out),
            _ => out.push(byte),
        },
    }
}

/// JSON in ASCII alone: what is not in it, as the units of UTF-16.
fn unicode(text: &Written, digits: &[u8; 16], slash: bool) -> Written {
    text.each_letter(|letter, out| match u8::try_from(letter) {
        Ok(byte) if byte.is_ascii() => json(byte, b"", slash, digits, out),
        _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
            let [high, low] = unit.to_be_bytes();
            short(b"\\u", high, digits, out);
            hex(low, digits, out);
        }),
    })
}

fn c(byte: u8, out: &mut Vec<u8>, other: impl Fn(u8, &mut Vec<u8>)) {
    match (byte, control(byte)) {
        (b'"' | b'\\' | b'\'', _) => out.extend([b'\\', byte]),
        (_, Some(letter)) => out.extend([b'\\', letter]),
        (b' '..=b'~', _) => out.push(byte),
        _ => other(byte, out),
    }
}

fn xml(byte: u8, quote: &[u8], out: &mut Vec<u8>) {
    match byte {
        b'&' => out.extend(b"&amp;"),
        b'<' => out.extend(b"&lt;"),
        b'>' => out.extend(b"&gt;"),
        b'"' => out.extend(b"&quot;"),
        b'\'' => out.extend(quote),
        _ => out.push(byte),
    }
}

/// The letter behind the backslash for a control character that has one.
fn control(byte: u8) -> Option<u8> {
    let letters: [(u8, u8); 7] =
        [(b'\n', b'n'), (b'\r', b'r'), (b'\t', b't'), (8, b'b'), (12, b'f'), (11, b'v'), (7, b'a')];
    letters.into_iter().find(|(code, _)| *code == byte).map(|(_, letter)| letter)
}

fn short(before: &[u8], byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    out.extend(before);
    hex(byte, digits, out);
}

fn octal(byte: u8, out: &mut Vec<u8>) {
    out.extend([b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]);
}

fn hex(byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or_default();
    out.extend([digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(encode: fn(&Written) -> Vec<Written>, text: &str) -> Vec<String> {
        let plain = Written::plain(text.as_bytes(), &vec![24; text.len()]);
        let mut all: Vec<String> =
            encode(&plain).iter().map(|w| String::from_utf8(w.bytes.to_vec()).unwrap()).collect();
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn urls_and_forms_are_percent_encoded() {
        let all = all(percent, "a b/c+d");
        for spelled in ["a%20b%2Fc%2Bd", "a%20b%2fc%2bd", "a+b%2Fc%2Bd", "a%20b/c%2Bd", "%61%20%62%2F%63%2B%64"] {
            assert!(all.iter().any(|known| known == spelled), "{spelled} in {all:?}");
        }
    }

    #[test]
    fn json_c_and_xml_are_escaped() {
        let all = all(escaped, "a/\"<&+'\n\u{e9}");
        for spelled in [
            "a/\\\"<&+'\\n\u{e9}",
            "a\\/\\\"<&+'\\n\\u00e9",
            "a/\\\"\\u003c\\u0026+'\\n\u{e9}",
            "a/\\u0022\\u003C\\u0026\\u002B\\u0027\\n\u{e9}",
            "a/\\\"<&+\\'\\n\\xc3\\xa9",
            "a/\\\"<&+\\'\\n\\303\\251",
            "a/&quot;&lt;&amp;+&#39;\n\u{e9}",
        ] {
            assert!(all.iter().any(|known| known == spelled), "{spelled:?} in {all:?}");
        }
    }
}
