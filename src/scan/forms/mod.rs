//! How a known secret may be written elsewhere: the byte strings that propagation searches.
//!
//! A number may stand in either byte order, a text in UTF-8 or UTF-16, and all of it in hexadecimal or base64. Base64 has
//! three phases: which letters a secret becomes depends on how many bytes stand before it, modulo three; the letters at
//! either end are shared with a neighbour and are not searched, but they belong to the site.

use base64ct::{Base64Unpadded, Encoding as _};
use zeroize::Zeroizing;

use crate::finding::{Encoding, Form, Layout};
use crate::vault::{Part, PartKind, Secret};

/// Parts shorter than this are not searched: three letters stand everywhere.
pub const SHORTEST: usize = 4;

/// Texts shorter than this are searched as whole words only.
const WORD: usize = 8;

/// One way in which a part of a secret may be written.
#[derive(Debug)]
pub struct Spelling {
    /// Index of the finding that it belongs to.
    pub finding: usize,
    /// What a site of it is told as.
    pub form: Form,
    /// The bytes to search.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Bytes before and behind that hold a few bits of the secret too.
    pub shared: (usize, usize),
    /// Whether line breaks may stand between the letters.
    pub broken: bool,
    /// Whether only whole words count.
    pub word: bool,
}

/// Every spelling of every part of `secret`.
pub fn spellings(finding: usize, secret: &Secret, tell: &mut impl FnMut(Spelling)) {
    for part in secret.parts().iter().filter(|part| part.bytes.len() >= SHORTEST) {
        spellings_of_part(finding, part, tell);
    }
}

fn spellings_of_part(finding: usize, part: &Part, tell: &mut impl FnMut(Spelling)) {
    let bytes = part.bytes.expose();
    let word = bytes.len() < WORD;
    let mut plain = |encoding, bytes: Vec<u8>, word| {
        let form = Form { layout: Layout::Bare, encoding, piece: part.piece };
        tell(Spelling { finding, form, bytes: Zeroizing::new(bytes), shared: (0, 0), broken: false, word });
    };
    plain(Encoding::Plain, bytes.to_vec(), word);
    match part.kind {
        PartKind::Bytes => {}
        PartKind::Number => plain(Encoding::LittleEndian, bytes.iter().rev().copied().collect(), false),
        PartKind::Text => {
            plain(Encoding::Utf16Le, bytes.iter().flat_map(|&b| [b, 0]).collect(), word);
            plain(Encoding::Utf16Be, bytes.iter().flat_map(|&b| [0, b]).collect(), word);
        }
    }
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        plain(Encoding::Hex, hex(bytes, digits), false);
    }
    (0..3).filter_map(|phase| base64(finding, part, phase)).for_each(|spelling| {
        let url: Vec<u8> = spelling
            .bytes
            .iter()
            .map(|&b| {
                if b == b'+' {
                    b'-'
                } else if b == b'/' {
                    b'_'
                } else {
                    b
                }
            })
            .collect();
        let other = (url != *spelling.bytes).then(|| Spelling { bytes: Zeroizing::new(url), ..copy(&spelling) });
        tell(spelling);
        other.into_iter().for_each(&mut *tell);
    });
}

fn copy(spelling: &Spelling) -> Spelling {
    Spelling { bytes: Zeroizing::new(Vec::new()), ..*spelling }
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or_default();
    bytes.iter().flat_map(|&b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// The letters that `part` becomes when `phase` bytes stand before it in its group of three, without those that it shares
/// with its neighbours. `None` where too few are left to be told from chance.
fn base64(finding: usize, part: &Part, phase: usize) -> Option<Spelling> {
    let mut stream = Zeroizing::new(vec![0; phase]);
    stream.extend_from_slice(part.bytes.expose());
    let letters = Zeroizing::new(Base64Unpadded::encode_string(&stream).into_bytes());
    let whole = stream.len() * 8 / 6;
    let before = (phase * 8).div_ceil(6);
    let own = letters.get(before..whole).filter(|own| own.len() >= WORD)?;
    let shared = (usize::from(phase > 0), letters.len() - whole);
    let form = Form { layout: Layout::Bare, encoding: Encoding::Base64, piece: part.piece };
    Some(Spelling { finding, form, bytes: Zeroizing::new(own.to_vec()), shared, broken: true, word: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_any_text_around_a_secret_holds_its_letters() {
        let secret = Secret::text(b"correct-horse-battery");
        for before in 0..7 {
            let text = [vec![b'x'; before], b"correct-horse-battery".to_vec(), b"tail".to_vec()].concat();
            let encoded = Base64Unpadded::encode_string(&text).into_bytes();
            let mut found = 0;
            spellings(0, &secret, &mut |s| {
                let here = encoded.windows(s.bytes.len()).any(|w| w == &s.bytes[..]);
                found += usize::from(here && s.form.encoding == Encoding::Base64);
            });
            assert_eq!(found, 1, "{before} bytes before");
        }
    }

    #[test]
    fn a_number_is_spelled_in_both_orders_and_a_text_in_utf_16() {
        let mut forms = Vec::new();
        spellings(0, &Secret::text(b"0123456789"), &mut |s| forms.push(s.form.encoding));
        assert!(forms.contains(&Encoding::Utf16Le) && forms.contains(&Encoding::Utf16Be));
        assert!(!forms.contains(&Encoding::LittleEndian));
    }
}
