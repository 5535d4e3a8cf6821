//! Checksums that wallets made common, and that others took over: age for its keys, cards for their numbers.

use std::ops::Range;

use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use bip39::{Language, Mnemonic};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Longest text that is decoded: an extended key has 111 letters, an age key 74.
const LONGEST: usize = 512;

/// BIP-173, either case.
pub(super) fn is_bech32(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= LONGEST);
    text.is_some_and(|text| CheckedHrpstring::new::<Bech32>(text).is_ok())
}

/// Base58 of bytes and the first four of their double SHA-256.
pub(super) fn is_base58check(value: &[u8]) -> bool {
    let mut bytes = Zeroizing::new([0_u8; LONGEST]);
    let len = Some(value).filter(|v| v.len() <= LONGEST).and_then(|v| bs58::decode(v).onto(bytes.as_mut_slice()).ok());
    let split = len.and_then(|len| bytes.get(..len)).and_then(<[u8]>::split_last_chunk::<4>);
    split.is_some_and(|(payload, sum)| Sha256::digest(Sha256::digest(payload)).starts_with(sum))
}

/// The first 24, 21, 18, 15 or 12 English words, in lower case with single spaces between them, whose checksum holds. Other
/// words may stand before and behind them.
pub(super) fn bip39_phrase(value: &[u8]) -> Option<Range<usize>> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= LONGEST)?;
    let mut at = 0;
    let words: Vec<(usize, bool)> = text
        .split(' ')
        .map(|word| {
            let start = at;
            at += word.len() + 1;
            (start, Language::English.find_word(word).is_some())
        })
        .collect();
    words.iter().enumerate().find_map(|(first, (start, _))| {
        let run = words.iter().skip(first).take_while(|(_, known)| *known).count();
        [24, 21, 18, 15, 12].into_iter().filter(|words| *words <= run).find_map(|count| {
            let end = words.get(first + count).map_or(text.len(), |(next, _)| next - 1);
            let phrase = text.get(*start..end)?;
            Mnemonic::parse_in_normalized(Language::English, phrase).is_ok().then_some(*start..end)
        })
    })
}

/// Digits, with or without spaces and hyphens, whose last makes the sum a multiple of ten (ISO/IEC 7812-1, annex B).
pub(super) fn is_luhn(value: &[u8]) -> bool {
    let digits: Vec<u32> =
        value.iter().filter(|b| !matches!(b, b' ' | b'-')).filter_map(|&b| char::from(b).to_digit(10)).collect();
    let odd = value.iter().any(|b| !(b.is_ascii_digit() || matches!(b, b' ' | b'-')));
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let places = digits.iter().rev().enumerate();
    let sum: u32 = places.map(|(i, &digit)| if i % 2 == 1 { doubled(digit) } else { digit }).sum();
    !odd && digits.len() >= 12 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_bip_173_hold() {
        for good in ["A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"] {
            assert!(is_bech32(good.as_bytes()), "{good}");
        }
        for bad in ["A12UEL5M", "a12UEL5L", "10a06t8", "1qzzfhee", ""] {
            assert!(!is_bech32(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn base58check_is_four_bytes_of_a_double_hash() {
        let bytes: Vec<u8> = (0..37).map(|i| i * 7).collect();
        let sum = Sha256::digest(Sha256::digest(&bytes));
        let text = bs58::encode([&bytes[..], &sum[..4]].concat()).into_string();
        assert!(is_base58check(text.as_bytes()));
        let mut other = text.into_bytes();
        other[5] = if other[5] == b'k' { b'm' } else { b'k' };
        assert!(!is_base58check(&other));
        assert!(!is_base58check(b"0OIl") && !is_base58check(&[b'1'; LONGEST + 1]));
    }

    #[test]
    fn the_vectors_of_bip_39_hold() {
        // Entropy of zeros and of ones: the first and the last line of the published vectors for 128 bits.
        for (word, last) in [("abandon", "about"), ("zoo", "wrong")] {
            let good = format!("{}{last}", format!("{word} ").repeat(11));
            assert_eq!(bip39_phrase(good.as_bytes()), Some(0..good.len()));
            let among = format!("my words are {good} and no others");
            assert_eq!(bip39_phrase(among.as_bytes()), Some(13..13 + good.len()));
            let bad = format!("{}{word}", format!("{word} ").repeat(11));
            assert_eq!(bip39_phrase(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(bip39_phrase(b""), None);
    }

    #[test]
    fn luhns_digit_is_checked() {
        // The example of the standard's Wikipedia article, 7992739871 with check digit 3, and the same with other digits.
        assert!(is_luhn(b"0000 7992-7398-713"));
        assert!(!is_luhn(b"0000 7992-7398-714") && !is_luhn(b"79927398713") && !is_luhn(b"000079927398713x"));
    }
}
