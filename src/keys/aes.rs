//! AES round keys: making them, and getting the key back from any Nk of them. The field's own part: no crate shows the
//! schedule that it makes.
//!
//! Source: FIPS 197, section 5.2 (key expansion) and 5.3.5 (the equivalent inverse cipher, whose round keys are transformed by
//! InvMixColumns). Words are four bytes in the order of FIPS 197 throughout; what a library stores differently is put in
//! this order first.

use std::sync::LazyLock;

use zeroize::Zeroizing;

/// A word of the schedule, its bytes in the order of FIPS 197.
pub type Word = [u8; 4];

/// A key size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// 128 bits, 10 rounds.
    Aes128,
    /// 192 bits, 12 rounds.
    Aes192,
    /// 256 bits, 14 rounds.
    Aes256,
}

impl Size {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aes128, Self::Aes192, Self::Aes256];

    /// Words of the key: Nk.
    #[must_use]
    pub const fn key_words(self) -> usize {
        match self {
            Self::Aes128 => 4,
            Self::Aes192 => 6,
            Self::Aes256 => 8,
        }
    }

    /// Rounds: Nr.
    #[must_use]
    pub const fn rounds(self) -> usize {
        self.key_words() + 6
    }

    /// Words of the schedule: one round key more than rounds.
    #[must_use]
    pub const fn words(self) -> usize {
        4 * (self.rounds() + 1)
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
        }
    }

    /// Whether word `i` is made with the S-box, and not only as the sum of two others.
    #[must_use]
    pub const fn is_substituted(self, i: usize) -> bool {
        i.is_multiple_of(self.key_words()) || matches!(self, Self::Aes256) && i % 8 == 4
    }

    /// What is added to word `i - Nk` to make word `i`, from the word before.
    fn step(self, i: usize, before: Word) -> Word {
        if i.is_multiple_of(self.key_words()) {
            let [a, b, c, d] = before;
            sum(substitute([b, c, d, a]), [round_constant(i / self.key_words()), 0, 0, 0])
        } else if self.is_substituted(i) {
            substitute(before)
        } else {
            before
        }
    }
}

/// The round keys of one key.
#[derive(Clone, Debug)]
pub struct Schedule {
    size: Size,
    words: Zeroizing<Vec<Word>>,
}

impl Schedule {
    /// The round keys of a key of 16, 24 or 32 bytes.
    #[must_use]
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let size = Size::ALL.into_iter().find(|size| WORD * size.key_words() == key.len())?;
        Some(Self::of_words(size, key.as_chunks().0))
    }

    fn of_words(size: Size, key: &[Word]) -> Self {
        let mut words = Zeroizing::new(Vec::with_capacity(size.words()));
        words.extend_from_slice(key);
        for i in size.key_words()..size.words() {
            let next =
                words.get(i - size.key_words()).zip(words.last()).map(|(old, last)| sum(*old, size.step(i, *last)));
            words.extend(next);
        }
        Self { size, words }
    }

    /// The schedules of which `part` may be a part, longer than the key and in order, each with the number of its first word.
    /// The words behind the first Nk are checked, each by 32 bits, and one of them at least was made with the S-box.
    ///
    /// Only one schedule fits where one of those words was made with a round constant, as it always is if six words are
    /// checked; of AES-256 with fewer there may be several.
    #[must_use]
    pub fn of_part(size: Size, part: &[Word]) -> Vec<(Self, usize)> {
        let Some((key, made)) = part.split_at_checked(size.key_words()) else { return Vec::new() };
        // What is left of a word when its sum is taken away: nothing, if it is word `i` of a schedule.
        let rest = |i: usize, (old, window): (&Word, &[Word])| match window {
            [.., before, made] => sum(*made, sum(*old, size.step(i, *before))),
            _ => [1; WORD],
        };
        let rests =
            |first| (first..).zip(part.iter().zip(part.windows(key.len() + 1))).map(move |(i, w)| (i, rest(i, w)));
        let all = 0..(size.words() + 1).saturating_sub(part.len());
        // Starts a whole key apart differ by nothing but round constants, which are the first byte of a word: most parts that
        // are no schedule fit none of them.
        let likely = |start: &usize| {
            rests(start + key.len()).all(|(i, [constant, others @ ..])| {
                others == [0; 3] && (constant == 0 || i.is_multiple_of(size.key_words()))
            })
        };
        let likely: Vec<bool> = all.clone().take(size.key_words()).map(|start| likely(&start)).collect();
        let starts = all.filter(|start| likely.get(start % size.key_words()).is_some_and(|likely| *likely));
        let fits = |start: &usize| {
            let first = start + key.len();
            (first..first + made.len()).any(|i| size.is_substituted(i))
                && rests(first).all(|(_, rest)| rest == [0; WORD])
        };
        let schedule = |start| (Self::of_words(size, &key_of(size, key, start)), start);
        starts.filter(fits).map(schedule).collect()
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Word `i` in the order of encryption.
    #[must_use]
    pub fn word(&self, i: usize) -> Option<Word> {
        self.words.get(i).copied()
    }

    /// Word `i` as the equivalent inverse cipher uses it: transformed by InvMixColumns, the first and the last round key
    /// excepted.
    #[must_use]
    pub fn inverse_word(&self, i: usize) -> Option<Word> {
        let inner = 4..self.size.words() - 4;
        // MixColumns four times over changes nothing, so three times is its inverse.
        self.word(i).map(|word| if inner.contains(&i) { mix(mix(mix(word))) } else { word })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.words.iter().take(self.size.key_words()).flatten().copied().collect())
    }

    /// All round keys, in the order of encryption.
    #[must_use]
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.words.iter().flatten().copied().collect())
    }
}

/// MixColumns of one column: the way back from a round key that was transformed for decryption.
#[must_use]
pub fn mix(word: Word) -> Word {
    let [a, b, c, d] = word;
    let column = |a: u8, b: u8, c: u8, d: u8| double(a ^ b) ^ b ^ c ^ d;
    [column(a, b, c, d), column(b, c, d, a), column(c, d, a, b), column(d, a, b, c)]
}

/// Bytes of a word.
const WORD: usize = 4;

/// The S-box, made when it is first used.
static S_BOX: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let mut byte = 0_u8..=255;
    std::array::from_fn(|_| byte.next().map_or(0, |byte| affine(inverse(byte))))
});

/// The first words of the schedule of which `part` are the words from `start` on: the recurrence, run backwards.
fn key_of(size: Size, part: &[Word], start: usize) -> Zeroizing<Vec<Word>> {
    let mut words = Zeroizing::new(part.to_vec());
    for i in (0..start).rev() {
        // From words i+1 to i+Nk: the last was made of word i and the last but one.
        let older = match words.as_slice() {
            [.., before, last] => sum(*last, size.step(i + size.key_words(), *before)),
            _ => break,
        };
        words.rotate_right(1);
        if let Some(first) = words.first_mut() {
            *first = older;
        }
    }
    words
}

fn sum(a: Word, b: Word) -> Word {
    (u32::from_ne_bytes(a) ^ u32::from_ne_bytes(b)).to_ne_bytes()
}

fn substitute(word: Word) -> Word {
    word.map(|byte| S_BOX.get(usize::from(byte)).copied().unwrap_or_default())
}

/// `x^(round-1)` in the field.
fn round_constant(round: usize) -> u8 {
    (1..round).fold(1, |constant, _| double(constant))
}

/// Times x, modulo `x^8 + x^4 + x^3 + x + 1`.
const fn double(byte: u8) -> u8 {
    (byte << 1) ^ (0x1b * (byte >> 7))
}

fn product(a: u8, b: u8) -> u8 {
    let (mut a, mut result) = (a, 0);
    for bit in 0..8 {
        result ^= a * (b >> bit & 1);
        a = double(a);
    }
    result
}

/// `byte^254`, the inverse; of zero it is zero.
fn inverse(byte: u8) -> u8 {
    (0..253).fold(byte, |power, _| product(power, byte))
}

fn affine(byte: u8) -> u8 {
    (1..5).fold(byte ^ 0x63, |sum, by| sum ^ byte.rotate_left(by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    /// FIPS 197, appendix A: the keys of its examples, and the last words of their schedules.
    #[test]
    fn schedules_are_those_of_the_standard() {
        let examples = [
            ("2b7e151628aed2a6abf7158809cf4f3c", "b6630ca6"),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "01002202"),
            ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "706c631e"),
        ];
        for (key, last) in examples {
            let schedule = Schedule::of_key(&bytes_of(key)).unwrap();
            assert_eq!(schedule.word(schedule.size().words() - 1).unwrap().to_vec(), bytes_of(last));
            assert_eq!(schedule.key().to_vec(), bytes_of(key));
            assert_eq!(schedule.bytes().len(), 16 * (schedule.size().rounds() + 1));
        }
    }

    #[test]
    fn any_part_longer_than_the_key_gives_the_key() {
        for size in Size::ALL {
            let schedule = Schedule::of_key(&noise(4 * size.key_words(), 5)).unwrap();
            for start in 0..size.words() - size.key_words() {
                for len in size.key_words() + 1..=(size.words() - start).min(20) {
                    let found = Schedule::of_part(size, &schedule.words[start..start + len]);
                    let made = start + size.key_words()..start + len;
                    assert_eq!(!found.is_empty(), made.clone().any(|i| size.is_substituted(i)));
                    let right =
                        found.iter().filter(|(other, at)| *at == start && other.words == schedule.words).count();
                    assert!(found.is_empty() || right == 1);
                    let constant = made.into_iter().any(|i| i % size.key_words() == 0);
                    assert!(!constant || found.len() == 1);
                }
            }
        }
    }

    #[test]
    fn a_part_that_is_not_longer_than_the_key_or_wrong_gives_nothing() {
        for size in Size::ALL {
            let schedule = Schedule::of_key(&noise(4 * size.key_words(), 5)).unwrap();
            assert!(Schedule::of_part(size, &schedule.words[..size.key_words()]).is_empty());
            assert!(Schedule::of_part(size, &[]).is_empty());
            assert!(Schedule::of_part(size, &[[0; 4]; 80]).is_empty());
            let mut part = schedule.words[4..16].to_vec();
            part[11][3] ^= 1;
            assert!(Schedule::of_part(size, &part).is_empty());
        }
    }

    #[test]
    fn mixing_undoes_the_transformation_for_decryption() {
        let schedule = Schedule::of_key(&noise(32, 5)).unwrap();
        for i in 0..60 {
            let (word, inverse) = (schedule.word(i).unwrap(), schedule.inverse_word(i).unwrap());
            let inner = (4..56).contains(&i);
            assert_eq!(if inner { mix(inverse) } else { inverse }, word);
            assert_eq!(word != inverse, inner);
        }
    }

    #[test]
    fn no_other_length_is_a_key() {
        for len in [0, 1, 15, 17, 20, 28, 33, 64] {
            assert!(Schedule::of_key(&noise(len, 1)).is_none());
        }
    }
}
