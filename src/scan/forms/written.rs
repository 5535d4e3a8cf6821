//! Bytes written down in some encoding, and how much of the secret each written byte gives away.

use base64ct::{Base64Unpadded, Encoding as _};
use zeroize::Zeroizing;

use crate::huffman;
use crate::keys::digits::Digits;

/// Written bytes with the bits that they give away, in quarters of a bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// For each byte its bits.
    pub bits: Zeroizing<Vec<u8>>,
}

impl Written {
    /// Bytes as they are.
    #[must_use]
    pub fn plain(bytes: &[u8], bits: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(bytes.to_vec()), bits: Zeroizing::new(bits.to_vec()) }
    }

    /// Each byte as `write` writes it. All that it gives away is put on the first byte that is written for it.
    #[must_use]
    pub fn each(&self, mut write: impl FnMut(u8, &mut Vec<u8>)) -> Self {
        let mut written = Self::default();
        for (&byte, &bits) in self.bytes.iter().zip(self.bits.iter()) {
            let from = written.bytes.len();
            // Room first: a vector that grows leaves a copy of the secret behind.
            written.bytes.reserve(6);
            write(byte, &mut written.bytes);
            written.bits.resize(written.bytes.len(), 0);
            written.bits.get_mut(from..).and_then(<[u8]>::first_mut).into_iter().for_each(|first| *first = bits);
        }
        written
    }

    /// Each letter as `write` writes it; where the bytes are no UTF-8, each of them is taken for a letter.
    #[must_use]
    pub fn each_letter(&self, mut write: impl FnMut(char, &mut Vec<u8>)) -> Self {
        let Some(letters) = std::str::from_utf8(&self.bytes).ok().filter(|letters| !letters.is_ascii()) else {
            return self.each(|byte, out| write(char::from(byte), out));
        };
        let (mut written, mut at) = (Self::default(), 0);
        for letter in letters.chars() {
            let (from, to) = (written.bytes.len(), at + letter.len_utf8());
            let bits = self.bits.get(at..to).unwrap_or_default().iter().fold(0, |sum: u8, &b| sum.saturating_add(b));
            at = to;
            written.bytes.reserve(12);
            write(letter, &mut written.bytes);
            written.bits.resize(written.bytes.len(), 0);
            written.bits.get_mut(from..).and_then(<[u8]>::first_mut).into_iter().for_each(|first| *first = bits);
        }
        written
    }

    /// UTF-16, low byte first.
    #[must_use]
    pub fn wide(&self) -> Self {
        self.each_letter(|letter, out| {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.extend(unit.to_le_bytes()));
        })
    }

    /// Hexadecimal digits out of `digits`.
    #[must_use]
    pub fn hex(&self, digits: &[u8; 16]) -> Self {
        let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or_default();
        let bytes = self.bytes.iter().flat_map(|&b| [digit(b >> 4), digit(b & 15)]).collect();
        let bits = self.bits.iter().flat_map(|&b| [b / 2, b - b / 2]).collect();
        Self { bytes: Zeroizing::new(bytes), bits: Zeroizing::new(bits) }
    }

    /// The letters of base64 that it becomes when `phase` bytes stand before it in its group of three, without those that it
    /// shares with its neighbours, and how many of those there are before and behind.
    #[must_use]
    pub fn base64(&self, phase: usize) -> (Self, (usize, usize)) {
        let mut stream = Zeroizing::new(Vec::with_capacity(phase + self.bytes.len()));
        stream.resize(phase, 0);
        stream.extend_from_slice(&self.bytes);
        let letters = Zeroizing::new(Base64Unpadded::encode_string(&stream).into_bytes());
        let (before, whole) = ((phase * 8).div_ceil(6), stream.len() * 8 / 6);
        let own = letters.get(before..whole).unwrap_or_default();
        let bits_of = |byte: usize| byte.checked_sub(phase).and_then(|i| self.bits.get(i)).map_or(0, |&b| u32::from(b));
        let worth = |letter: usize| {
            let (from, to) = (6 * letter, 6 * letter + 6);
            let (first, last) = (from / 8, (to - 1) / 8);
            let of_last = if first == last { 0 } else { to - 8 * last };
            (bits_of(first) * (6 - of_last) as u32 + bits_of(last) * of_last as u32) / 8
        };
        let bits = (before..whole.max(before)).map(|letter| u8::try_from(worth(letter)).unwrap_or(u8::MAX)).collect();
        let written = Self { bytes: Zeroizing::new(own.to_vec()), bits: Zeroizing::new(bits) };
        (written, (usize::from(phase > 0), letters.len() - whole))
    }

    /// The bytes of the code of HTTP/2's header fields that are its own where `phase` bits of the first byte belong to what
    /// stands before, and how many bytes it shares with its neighbours before and behind.
    #[must_use]
    pub fn huffman(&self, phase: usize) -> (Self, (usize, usize)) {
        let code = huffman::encode(&self.bytes, phase);
        // For each byte what the letters give away whose codes it holds bits of, in 64ths of a quarter of a bit.
        let (mut worth, mut at) = (vec![0_usize; code.len()], phase);
        for (letter, bits) in self.bytes.iter().zip(self.bits.iter()) {
            let width = huffman::bits(*letter).max(1);
            for bit in at..at + width {
                worth.get_mut(bit / 8).into_iter().for_each(|sum| *sum += 64 * usize::from(*bits) / width);
            }
            at += width;
        }
        let own = phase.div_ceil(8)..(at / 8).max(phase.div_ceil(8));
        let bytes = Zeroizing::new(code.get(own.clone()).unwrap_or_default().to_vec());
        let bits =
            worth.get(own.clone()).unwrap_or_default().iter().map(|sum| u8::try_from(sum / 64).unwrap_or(u8::MAX));
        let written = Self { bits: Zeroizing::new(bits.collect()), bytes };
        (written, (own.start, code.len() - own.end))
    }

    /// The other alphabet of base64, that of URLs.
    #[must_use]
    pub fn url(&self) -> Self {
        let other = |&b: &u8| {
            if b == b'+' {
                b'-'
            } else if b == b'/' {
                b'_'
            } else {
                b
            }
        };
        Self { bytes: Zeroizing::new(self.bytes.iter().map(other).collect()), bits: self.bits.clone() }
    }

    /// The bytes in the other order.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let back = |bytes: &[u8]| Zeroizing::new(bytes.iter().rev().copied().collect());
        Self { bytes: back(&self.bytes), bits: back(&self.bits) }
    }

    /// Every byte exclusive-or `pad`.
    #[must_use]
    pub fn xored(&self, pad: u8) -> Self {
        let bytes = Zeroizing::new(self.bytes.iter().map(|byte| byte ^ pad).collect());
        Self { bytes, bits: self.bits.clone() }
    }

    /// The bytes reversed in every word of four, zeros put before the first one to fill its word.
    #[must_use]
    pub fn words(&self) -> Self {
        let fill = self.bytes.len().next_multiple_of(4) - self.bytes.len();
        let swapped = |bytes: &[u8]| {
            let padded: Zeroizing<Vec<u8>> = Zeroizing::new([vec![0; fill].as_slice(), bytes].concat());
            Zeroizing::new(padded.chunks(4).flat_map(|word| word.iter().rev().copied()).collect())
        };
        Self { bytes: swapped(&self.bytes), bits: swapped(&self.bits) }
    }

    /// A number in words of `size` bytes, least significant word first, each word most significant byte first, zeros put
    /// before the first byte to fill its word.
    #[must_use]
    pub fn limbs(&self, size: usize) -> Self {
        let fill = self.bytes.len().next_multiple_of(size) - self.bytes.len();
        let turned = |bytes: &[u8]| {
            let padded: Zeroizing<Vec<u8>> = Zeroizing::new([vec![0; fill].as_slice(), bytes].concat());
            Zeroizing::new(padded.rchunks(size).flatten().copied().collect())
        };
        Self { bytes: turned(&self.bytes), bits: turned(&self.bits) }
    }

    /// A number in digits, least significant first.
    #[must_use]
    pub fn digits(&self, digits: Digits) -> Self {
        let bit = |i: usize| {
            let byte = self.bytes.len().checked_sub(1 + i / 8).and_then(|at| self.bytes.get(at));
            byte.is_some_and(|byte| byte >> (i % 8) & 1 == 1)
        };
        let (count, size) = (digits.count(8 * self.bytes.len()), digits.size);
        let digit =
            |i: usize| (0..digits.bits).rev().fold(0_u64, |digit, k| digit << 1 | u64::from(bit(i * digits.bits + k)));
        let mut bytes = Zeroizing::new(Vec::with_capacity(count * size));
        (0..count).for_each(|i| bytes.extend(digits.bytes(digit(i))));
        while bytes.len() > size && bytes.iter().rev().take(size).all(|&b| b == 0) {
            let shorter = bytes.len() - size;
            bytes.truncate(shorter);
        }
        let before = std::iter::once(None).chain(bytes.iter().map(Some));
        let worth = std::iter::repeat_with(|| digits.worth()).flatten();
        let bits = bytes.iter().zip(before).zip(worth);
        let bits = bits.map(|((b, before), worth)| if Some(b) == before { worth.min(4) } else { worth }).collect();
        Self { bits: Zeroizing::new(bits), bytes }
    }

    /// A number in decimal digits, by schoolbook division: only for numbers of keys.
    #[must_use]
    pub fn decimal(&self) -> Self {
        const BILLION: u64 = 1_000_000_000;
        let mut limbs: Zeroizing<Vec<u32>> = Zeroizing::new(Vec::with_capacity(self.bytes.len() / 4 + 1));
        limbs.extend(self.bytes.rchunks(4).map(|c| c.iter().fold(0, |n, &b| n << 8 | u32::from(b))));
        let mut text = Zeroizing::new(Vec::with_capacity(self.bytes.len() * 5 / 2 + 10));
        while limbs.last().is_some() {
            let divide = |rest: u64, limb: &mut u32| {
                let n = rest << 32 | u64::from(*limb);
                *limb = u32::try_from(n / BILLION).unwrap_or(u32::MAX);
                n % BILLION
            };
            let mut rest = limbs.iter_mut().rev().fold(0, divide);
            for _ in 0..9 {
                text.push(b'0' + u8::try_from(rest % 10).unwrap_or(0));
                rest /= 10;
            }
            while limbs.last() == Some(&0) {
                limbs.pop();
            }
        }
        while text.last() == Some(&b'0') {
            text.pop();
        }
        text.reverse();
        let bits = Zeroizing::new(vec![13; text.len()]);
        Self { bytes: text, bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::digits;

    fn number(bytes: &[u8]) -> Written {
        Written::plain(bytes, &vec![32; bytes.len()])
    }

    #[test]
    fn numbers_are_written_as_others_write_them() {
        let n = number(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10]);
        assert_eq!(n.decimal().bytes.as_slice(), b"20988295479420645136");
        assert_eq!(number(&[1, 0, 0, 0, 0]).decimal().bytes.as_slice(), b"4294967296");
        assert_eq!(n.words().bytes.as_slice(), [1, 0, 0, 0, 0x89, 0x67, 0x45, 0x23, 0x10, 0xef, 0xcd, 0xab]);
        // 2^30 + 5 is the digits 5 and 1.
        assert_eq!(number(&[0x40, 0, 0, 5]).digits(digits::CPYTHON).bytes.as_slice(), [5, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(number(&[0x10, 0, 0, 7]).digits(digits::TOMMATH[0]).bytes.as_slice(), [7, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn bits_are_neither_made_nor_lost_by_an_encoding() {
        let n = number(b"some bytes of a secret");
        let all = 32 * n.bytes.len() as u32;
        let sum = |w: &Written| w.bits.iter().map(|&b| u32::from(b)).sum::<u32>();
        assert_eq!(sum(&n.wide()), all);
        assert_eq!(sum(&n.hex(b"0123456789abcdef")), all);
        assert_eq!(sum(&n.reversed()), all);
        for phase in 0..3 {
            let (letters, _) = n.base64(phase);
            assert!((all - 64..=all).contains(&sum(&letters)), "{phase}");
            assert_eq!(letters.bits.len(), letters.bytes.len());
        }
    }
}
