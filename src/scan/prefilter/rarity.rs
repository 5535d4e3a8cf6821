//! How often a run of bytes is likely to stand in the memory of a process. It decides only how fast the prefilter is, never what
//! it finds.

use std::sync::LazyLock;

use super::grams::GRAM;
use super::marks::is_text;

/// How often each pair of letters stands in text: see `scripts/letter-pairs.py`, which counts them.
const PAIRS: &str = include_str!("pairs.txt");

/// Letters that are told apart: what is below the space counts as one.
const LETTERS: usize = 96;

/// Twice the logarithm of the rarest that there is, so that no sum is below zero.
const RAREST: i32 = 200;

/// What a step of the table is worth beside what others ask for: a gram that one more literal has costs half of it.
const STEP: u32 = 16;

struct Pairs {
    /// One more than twice the logarithm of how often a pair stands in 2^26 pairs; 0 where it does not.
    pairs: [[u8; LETTERS]; LETTERS],
    /// Twice the logarithm of how often a letter does.
    letters: [i32; LETTERS],
}

static TABLE: LazyLock<Pairs> = LazyLock::new(|| {
    let mut table = Pairs { pairs: [[0; LETTERS]; LETTERS], letters: [0; LETTERS] };
    for ((row, line), letter) in table.pairs.iter_mut().zip(PAIRS.lines()).zip(&mut table.letters) {
        row.iter_mut().zip(line.bytes()).for_each(|(value, digit)| *value = worth(digit));
        let all: f64 = row.iter().map(|value| f64::from(i32::from(*value) - 1).exp2().sqrt()).sum();
        *letter = (2.0 * all.log2()).round() as i32;
    }
    table
});

/// What a digit of the table stands for.
fn worth(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'z' => digit - b'a' + 10,
        b'A'..=b'Z' => digit - b'A' + 36,
        _ => 0,
    }
}

/// A number that grows with how common a run is: of text, with the logarithm of how often its letters follow each other.
pub fn of_text(run: &[u8]) -> u32 {
    if run.len() != GRAM || !run.iter().all(|&byte| is_text(byte)) {
        return run.iter().map(|&byte| common(byte)).sum();
    }
    // Of three pairs that overlap, two letters were counted twice.
    let pairs = run.iter().zip(run.iter().skip(1)).map(|(first, second)| pair(*first, *second)).sum::<i32>();
    let twice = run.iter().skip(1).take(GRAM - 2).map(|&byte| letter(byte)).sum::<i32>();
    STEP * u32::try_from(RAREST + pairs - twice).unwrap_or(0)
}

fn pair(first: u8, second: u8) -> i32 {
    let row = TABLE.pairs.get(column(first));
    row.and_then(|row| row.get(column(second))).map_or(0, |value| i32::from(*value))
}

fn letter(byte: u8) -> i32 {
    TABLE.letters.get(column(byte)).copied().unwrap_or(0)
}

fn column(byte: u8) -> usize {
    usize::from(byte).saturating_sub(0x1f)
}

/// The same for letters of base64 and hexadecimal digits: `A` is zeros, and zeros are what binary data has most of.
pub fn of_letters(gram: &[u8]) -> u32 {
    gram.iter().map(|&b| if b == b'A' || b == b'0' { 8 } else { 1 }).sum()
}

/// Weights that follow the bytes of memory, for runs that are no text: 10 for the commonest letters, 1 for what is rare.
fn common(byte: u8) -> u32 {
    match byte {
        0 => 20,
        // Small numbers.
        1..=8 => 9,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' | 0xff => 10,
        b'l' | b'c' | b'd' | b'u' | b'm' | b'p' | b'h' => 8,
        b'f' | b'g' | b'y' | b'b' | b'v' | b'w' | b'_' | b'.' | b'/' => 6,
        b'0'..=b'9' | b'=' | b':' | b'"' | b',' | b'-' | b'k' | b'x' | b'A'..=b'F' => 4,
        b'j' | b'q' | b'z' | b'G'..=b'Z' => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_square_and_full() {
        assert_eq!(PAIRS.lines().count(), LETTERS);
        assert!(
            PAIRS.lines().all(|line| line.len() == LETTERS && line.bytes().all(|digit| digit.is_ascii_alphanumeric()))
        );
        // There is no letter that never stands anywhere.
        assert!(TABLE.letters.iter().all(|letter| *letter > 0));
    }

    #[test]
    fn what_is_common_in_text_costs_more_than_prefixes_of_tokens() {
        for common in [b"\": \"", b"tion", b"pass", b"    ", b"http", b" the"] {
            for rare in [b"ghp_", b"AKIA", b"xoxb", b"_pwd"] {
                assert!(of_text(common) > of_text(rare), "{} {}", common.escape_ascii(), rare.escape_ascii());
            }
        }
        assert!(of_text(b"\0\0\0") > of_text(b"x-j"));
    }
}
