//! The code that HTTP/2 and HTTP/3 write the names and values of header fields in (RFC 7541, section 5.2 and appendix B).
//!
//! A token that comes in over HTTP/2 stands in the buffers of the network in this code, and hardly anywhere as text. Codes have
//! 5 to 30 bits and follow each other without a gap, so the same text is written in eight ways, by how many bits of the byte
//! before it are taken.

use httlib_huffman::encoder::table::ENCODE_TABLE;
use httlib_huffman::{DecoderSpeed, decode as decode_into, encode as encode_into};
use zeroize::Zeroizing;

/// Bits of the longest code, in bytes.
const LONGEST: usize = 4;

/// Texts whose codes come to so many bits modulo eight, for each remainder.
const BEFORE: [&[u8]; 8] = [b"", b"aaaaa", b"aa", b"a ", b"  ", b"a", b" ", b"B"];

/// Bits of the code of a letter.
#[must_use]
pub fn bits(letter: u8) -> usize {
    ENCODE_TABLE.get(usize::from(letter)).map_or(0, |(bits, _)| usize::from(*bits))
}

/// The code of `text` where `phase` bits of its first byte belong to what stands before. The other bits of the first and of
/// the last byte are not its own.
#[must_use]
pub fn encode(text: &[u8], phase: usize) -> Zeroizing<Vec<u8>> {
    let before = BEFORE.get(phase).copied().unwrap_or_default();
    let skipped = before.iter().map(|letter| bits(*letter)).sum::<usize>() / 8;
    let all: Zeroizing<Vec<u8>> = Zeroizing::new([before, text].concat());
    // Room first: a vector that grows leaves a copy of the secret behind.
    let mut code = Zeroizing::new(Vec::with_capacity(LONGEST * all.len() + 1));
    // Every byte has a code, so there is nothing that cannot be encoded.
    if encode_into(&all, &mut code).is_err() || code.len() < skipped {
        return Zeroizing::default();
    }
    code.rotate_left(skipped);
    let rest = code.len() - skipped;
    code.truncate(rest);
    code
}

/// The text of a whole string in this code; `None` where it is none.
#[must_use]
pub fn decode(code: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // The shortest code has five bits.
    let mut text = Zeroizing::new(Vec::with_capacity(code.len() * 8 / 5 + 1));
    decode_into(code, &mut text, DecoderSpeed::FourBits).ok()?;
    // The library lets padding pass that is longer than the standard allows, and of zeros.
    (*encode(&text, 0) == code).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_the_standard_shows() {
        // RFC 7541, C.4.1 and C.6.1.
        let hex = |code: &[u8]| code.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(&encode(b"www.example.com", 0)), "f1e3c2e5f23a6ba0ab90f4ff");
        let date = encode(b"Mon, 21 Oct 2013 20:13:21 GMT", 0);
        assert_eq!(hex(&date), "d07abe941054d444a8200595040b8166e082a62d1bff");
        assert_eq!(decode(&date).unwrap().as_slice(), b"Mon, 21 Oct 2013 20:13:21 GMT");
    }

    #[test]
    fn a_text_behind_others_is_written_in_the_phase_that_they_leave() {
        let text = b"correct-horse_Battery.9%~";
        for before in [&b""[..], b"Bearer ", b"a=", b"sid=", b"x; session=", b"q", b"&", b"99"] {
            let phase = before.iter().map(|b| bits(*b)).sum::<usize>() % 8;
            let whole = encode(&[before, text, b"; next"].concat(), 0);
            let alone = encode(text, phase);
            let own = &alone[usize::from(phase > 0)..alone.len() - 1];
            assert!(whole.windows(own.len()).any(|w| w == own), "behind {before:?}");
        }
    }

    #[test]
    fn what_is_no_string_is_not_read() {
        for bytes in [
            &b"\xff\xff\xff\xff"[..],
            &[0x00],
            &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff, 0xff],
        ] {
            assert!(decode(bytes).is_none(), "{bytes:x?}");
        }
        for byte in 0..=255 {
            assert_eq!(decode(&encode(&[byte, b'a', byte], 0)).unwrap().as_slice(), [byte, b'a', byte]);
        }
    }
}
