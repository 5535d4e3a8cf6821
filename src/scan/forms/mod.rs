//! How a known secret may be written elsewhere: the byte strings that propagation searches.
//!
//! A number may stand in either byte order, in words or in digits; a text in UTF-8 or UTF-16, escaped for a URL, for JSON or for
//! XML, or in the code of HTTP/2's header fields; and all of it in hexadecimal or base64, whose letters may be UTF-16 in turn. Base64 has three phases: which letters a
//! secret becomes depends on how many bytes stand before it, modulo three; the letters at either end are shared with a
//! neighbour and are not searched, but they belong to the site.
//!
//! Each spelling also says what a run of its bytes gives away ([`surprise`]), so that what is left of a copy can be told from
//! what stands there by chance.

mod escapes;
mod structure;
mod surprise;
mod written;

use zeroize::Zeroizing;

use crate::finding::{Encoding, Form, Layout, Piece};
use crate::keys::digits::{self, Digits};
use crate::vault::{Part, PartKind, Secret, SecretBytes};

use surprise::Surprise;
use written::Written;

pub use surprise::sum;

/// Parts shorter than this are not searched: three letters stand everywhere.
pub const SHORTEST: usize = 4;

/// Texts shorter than this are searched as whole words only.
const WORD: usize = 8;

/// Bytes of a part without structure that are taken as secret throughout: the seed, scalar or key of anything that is known.
const KEY: usize = 66;

/// Bytes of the shortest and of the longest key that are searched as HMAC keeps them: it hashes longer ones.
const HMAC: (usize, usize) = (WORD, 144);

/// The longest number that is written in decimal.
const DECIMAL: usize = 2048;

/// How bytes of a spelling lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Words of 4 bytes, counted from the first byte.
    FromStart,
    /// Words of 4 bytes, counted from the last byte.
    FromEnd,
    /// Letters of one byte.
    Letters,
    /// Letters of two bytes.
    Wide,
}

/// One way in which a part of a secret may be written.
#[derive(Debug)]
pub struct Spelling {
    /// Index of the finding that it belongs to.
    pub finding: usize,
    /// What a site of it is told as.
    pub form: Form,
    /// The bytes to search.
    pub bytes: Zeroizing<Vec<u8>>,
    /// What each of the bytes gives away of the secret, in quarters of a bit.
    pub bits: Zeroizing<Vec<u8>>,
    /// What a fragment must give away to be one; `None` where only the whole counts.
    pub need: Option<u32>,
    /// Where a fragment is likely to begin and end.
    pub grain: Grain,
    /// Bytes before and behind that hold a few bits of the secret too.
    pub shared: (usize, usize),
    /// Whether line breaks may stand between the letters.
    pub broken: bool,
    /// Whether only whole words count.
    pub word: bool,
}

/// What numbers may be kept in that most processes keep none in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unusual {
    /// Limbs of big-endian machines.
    pub big_endian: bool,
    /// Small integers of V8.
    pub small_integers: bool,
}

/// Every spelling of every part of `secret`, also unusual ones.
pub fn spellings(finding: usize, secret: &Secret, unusual: Unusual, tell: &mut impl FnMut(Spelling)) {
    let alone = secret.parts().len() == 1;
    for part in secret.parts().iter().filter(|part| part.bytes.len() >= SHORTEST) {
        let mut told = Told { finding, piece: part.piece, need: None, tell };
        match part.kind {
            PartKind::Text => text(part.bytes.expose(), &mut told),
            PartKind::Number => number(part.bytes.expose(), unusual, &mut told),
            PartKind::Bytes => bytes(part, alone, &mut told),
        }
    }
    for code in secret.codes() {
        compressed(finding, code, tell);
    }
}

/// Compressed bytes that hold a secret, as they are. They begin and end with the code of its neighbours, of which copies of other
/// texts may hold a part: nobody misses that.
pub fn compressed(finding: usize, code: &SecretBytes, tell: &mut impl FnMut(Spelling)) {
    let Surprise { bits, need } = surprise::of_key(code.expose());
    let mut told = Told { finding, piece: Piece::Whole, need, tell };
    told.binary(Encoding::Gzip, Written::plain(code.expose(), &bits), Grain::FromStart);
}

/// Gives out the spellings of one part.
struct Told<'t, T> {
    finding: usize,
    piece: Piece,
    need: Option<u32>,
    tell: &'t mut T,
}

impl<T: FnMut(Spelling)> Told<'_, T> {
    fn spelling(&self, encoding: Encoding, written: Written, grain: Grain) -> Spelling {
        let form = Form { layout: Layout::Bare, encoding, piece: self.piece };
        let Written { bytes, bits } = written;
        let (finding, need) = (self.finding, self.need);
        Spelling { finding, form, bytes, bits, need, grain, shared: (0, 0), broken: false, word: false }
    }

    fn binary(&mut self, encoding: Encoding, written: Written, grain: Grain) {
        let spelling = self.spelling(encoding, written, grain);
        (self.tell)(spelling);
    }

    /// Letters, and the same in UTF-16 as programs of Windows, Java and JavaScript keep them.
    fn letters(&mut self, encoding: Encoding, written: Written, word: bool) {
        let wide = self.spelling(Encoding::Utf16Le, written.wide(), Grain::Wide);
        (self.tell)(Spelling { word, ..wide });
        let letters = self.spelling(encoding, written, Grain::Letters);
        (self.tell)(Spelling { word, ..letters });
    }

    /// As HMAC keeps its key, which any text and any short key may be.
    fn hmac(&mut self, written: &Written) {
        if (HMAC.0..=HMAC.1).contains(&written.bytes.len()) {
            self.binary(Encoding::HmacInner, written.xored(0x36), Grain::FromStart);
            self.binary(Encoding::HmacOuter, written.xored(0x5c), Grain::FromStart);
        }
    }

    fn hex(&mut self, written: &Written) {
        for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
            self.letters(Encoding::Hex, written.hex(digits), false);
        }
    }

    /// As HTTP/2 writes header fields. A text of less than a gram in this code is not searched: at every bit, short ones are
    /// there by chance.
    fn huffman(&mut self, written: &Written) {
        for phase in 0..8 {
            let (code, shared) = written.huffman(phase);
            if code.bytes.len() >= WORD {
                let spelling = self.spelling(Encoding::Huffman, code, Grain::Letters);
                (self.tell)(Spelling { shared, ..spelling });
            }
        }
    }

    fn base64(&mut self, written: &Written) {
        for phase in 0..3 {
            let (letters, shared) = written.base64(phase);
            if letters.bytes.len() < WORD {
                continue;
            }
            let url = Some(letters.url()).filter(|url| *url != letters);
            for letters in [Some(letters), url].into_iter().flatten() {
                let wide = self.spelling(Encoding::Utf16Le, letters.wide(), Grain::Wide);
                (self.tell)(Spelling { shared: (2 * shared.0, 2 * shared.1), broken: true, ..wide });
                let narrow = self.spelling(Encoding::Base64, letters, Grain::Letters);
                (self.tell)(Spelling { shared, broken: true, ..narrow });
            }
        }
    }
}

fn text(text: &[u8], told: &mut Told<'_, impl FnMut(Spelling)>) {
    let Surprise { bits, need } = surprise::of_text(text);
    told.need = need;
    let plain = Written::plain(text, &bits);
    let word = text.len() < WORD;
    told.hmac(&plain);
    told.hex(&plain);
    told.huffman(&plain);
    told.base64(&plain);
    told.base64(&plain.wide());
    let wide = plain.each_letter(|letter, out| {
        letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.extend(unit.to_be_bytes()));
    });
    let wide = told.spelling(Encoding::Utf16Be, wide, Grain::Wide);
    (told.tell)(Spelling { word, ..wide });
    let widest = plain.each_letter(|letter, out| out.extend(u32::from(letter).to_le_bytes()));
    told.binary(Encoding::Utf32Le, widest, Grain::FromStart);
    let percent = escapes::percent(&plain).into_iter().map(|written| (Encoding::Percent, written));
    let escaped = escapes::escaped(&plain).into_iter().map(|written| (Encoding::Escaped, written));
    let mut known = vec![plain.clone()];
    for (encoding, written) in percent.chain(escaped) {
        if !known.contains(&written) {
            known.push(written.clone());
            told.letters(encoding, written, word);
        }
    }
    told.letters(Encoding::Plain, plain, word);
}

fn number(bytes: &[u8], unusual: Unusual, told: &mut Told<'_, impl FnMut(Spelling)>) {
    let zeros = bytes.iter().take_while(|&&b| b == 0).count();
    let Some(bytes) = bytes.get(zeros..).filter(|bytes| bytes.len() >= SHORTEST) else { return };
    let Surprise { bits, need } = surprise::of_key(bytes);
    told.need = need;
    let number = Written::plain(bytes, &bits);
    told.binary(Encoding::LittleEndian, number.reversed(), Grain::FromStart);
    told.binary(Encoding::Words32, number.words(), Grain::FromStart);
    if unusual.big_endian {
        told.binary(Encoding::Limbs64, number.limbs(8), Grain::FromStart);
        told.binary(Encoding::Limbs32, number.limbs(4), Grain::FromStart);
    }
    // What only Montgomery arithmetic keeps is in limbs: text would be the most of its spellings, and to digits other powers of
    // two belong.
    let in_limbs = [Piece::RrP, Piece::RrQ, Piece::QinvMont, Piece::DMont, Piece::NegP, Piece::NegQ];
    if !in_limbs.contains(&told.piece) {
        let is_usual = |digits: &Digits| digits.shift == 0 || unusual.small_integers;
        for digits in digits::all().filter(is_usual) {
            told.binary(digits.encoding, number.digits(digits), Grain::FromStart);
        }
        if bytes.len() <= DECIMAL {
            told.letters(Encoding::Decimal, number.decimal(), false);
        }
        told.hex(&number);
        told.base64(&number);
    }
    told.binary(Encoding::Plain, number, Grain::FromEnd);
}

/// Bytes in a fixed order. Short ones are a key throughout, whose bytes programs also keep as a number or in words. Of long ones
/// nobody knows which are secret; where the secret has other parts, those tell what is left of it.
fn bytes(part: &Part, alone: bool, told: &mut Told<'_, impl FnMut(Spelling)>) {
    let bytes = part.bytes.expose();
    let key = part.piece != Piece::Whole || bytes.len() <= KEY;
    let Surprise { bits, need } = match key {
        true => surprise::of_key(bytes),
        false => surprise::of_unknown(bytes, structure::public_ranges(bytes)),
    };
    told.need = need.filter(|_| key || alone);
    let plain = Written::plain(bytes, &bits);
    if key && bytes.len() <= KEY {
        told.binary(Encoding::LittleEndian, plain.reversed(), Grain::FromStart);
    }
    if key && bytes.len().is_multiple_of(4) {
        told.binary(Encoding::Swapped32, plain.words(), Grain::FromStart);
    }
    if key {
        told.hmac(&plain);
    }
    told.hex(&plain);
    told.base64(&plain);
    told.binary(Encoding::Plain, plain, Grain::FromStart);
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64Unpadded, Encoding as _};

    use crate::huffman;

    #[test]
    fn base64_of_any_text_around_a_secret_holds_its_letters() {
        let secret = Secret::text(b"correct-horse-battery");
        for before in 0..7 {
            let text = [vec![b'x'; before], b"correct-horse-battery".to_vec(), b"tail".to_vec()].concat();
            let encoded = Base64Unpadded::encode_string(&text).into_bytes();
            let mut found = 0;
            spellings(0, &secret, Unusual { big_endian: true, small_integers: true }, &mut |s| {
                let here = encoded.windows(s.bytes.len()).any(|w| w == &s.bytes[..]);
                found += usize::from(here && s.form.encoding == Encoding::Base64);
            });
            assert_eq!(found, 1, "{before} bytes before");
        }
    }

    #[test]
    fn header_fields_of_http_2_hold_the_code_of_a_secret_wherever_it_begins() {
        let text = b"ghp_correct-horse-battery";
        let secret = Secret::text(text);
        for before in [&b""[..], b"Bearer ", b"x", b"sid=", b"a=b; s="] {
            let code = huffman::encode(&[before, text, b"; path=/"].concat(), 0);
            let mut found = 0;
            spellings(0, &secret, Unusual::default(), &mut |s| {
                let here = code.windows(s.bytes.len()).any(|w| w == &s.bytes[..]);
                found += usize::from(here && s.form.encoding == Encoding::Huffman);
            });
            assert_eq!(found, 1, "behind {before:?}");
        }
    }

    #[test]
    fn a_number_is_spelled_in_both_orders_and_a_text_in_utf_16() {
        let mut forms = Vec::new();
        spellings(0, &Secret::text(b"0123456789"), Unusual::default(), &mut |s| forms.push(s.form.encoding));
        assert!(forms.contains(&Encoding::Utf16Le) && forms.contains(&Encoding::Utf16Be));
        assert!(!forms.contains(&Encoding::LittleEndian));
    }

    #[test]
    fn every_spelling_has_bits_for_its_bytes_and_none_is_told_twice() {
        for secret in
            [Secret::text(b"k7Qd02mXw9/Tz4+KpR<\"7 x\n"), Secret::bytes(&[9; 32]), Secret::bytes(&[0x30; 900])]
        {
            let mut known = Vec::new();
            spellings(0, &secret, Unusual { big_endian: true, small_integers: true }, &mut |s| {
                assert_eq!(s.bytes.len(), s.bits.len());
                known.push((s.form.encoding, s.bytes.to_vec()));
            });
            let all = known.len();
            known.sort_by(|a, b| (a.0 as u8, &a.1).cmp(&(b.0 as u8, &b.1)));
            known.dedup();
            assert!(known.len() >= all - 4, "{} of {all}", known.len());
        }
    }
}
