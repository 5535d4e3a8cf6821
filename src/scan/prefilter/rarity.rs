//! How often a run of four bytes is likely to stand in the memory of a process. It decides only how fast the prefilter is,
//! never what it finds.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::grams::GRAM;

/// Words and parts of words that are everywhere in programs: a gram of one costs as much as four of the commonest bytes.
const WORDS: &str = "\
    http ttps :// www. .com HTTP auth orizat ization ation pass word secret token name user client account count \
    access session SESSION private Private PRIVATE _key key_ Key _KEY KEY_ public certific crypt cipher digest \
    encod decod code valid verif type state value number member string object Object class function module import \
    export native script local global static return length format error default config option request content \
    header message service server system process thread context resource version update delete create select \
    manager Factory buffer table basic Shared window round from with this that have ment able ting sion cess ient \
    ance PKCS SHA2 DATA TYPE";

/// The grams of four bytes that are part of one of the words, or begin with one of three.
static GRAMS: LazyLock<HashSet<&'static [u8]>> = LazyLock::new(|| {
    let words = WORDS.split_ascii_whitespace().map(str::as_bytes);
    words.flat_map(|word| word.windows(GRAM.min(word.len()))).collect()
});

/// For the lower halves of two bytes, whether one of the grams may begin with them: thousands of grams are asked for whenever the
/// program begins, and hardly any is there.
static BEGINNINGS: LazyLock<[bool; 1 << 10]> = LazyLock::new(|| {
    let mut beginnings = [false; 1 << 10];
    let places = GRAMS.iter().filter_map(|gram| beginning(gram));
    places.for_each(|at| beginnings.iter_mut().skip(at).take(1).for_each(|is| *is = true));
    beginnings
});

fn beginning(gram: &[u8]) -> Option<usize> {
    let low = |byte: u8| usize::from(byte & 31);
    gram.first_chunk().map(|[one, two]| low(*one) << 5 | low(*two))
}

/// A number that grows with how common `gram` is.
pub fn of_text(gram: &[u8]) -> u32 {
    let bytes: u32 = gram.iter().map(|&b| common(b)).sum();
    let may_be = beginning(gram).is_none_or(|at| BEGINNINGS.get(at) == Some(&true));
    let in_word = may_be && (GRAMS.contains(gram) || gram.get(..GRAM - 1).is_some_and(|start| GRAMS.contains(start)));
    bytes + if in_word { 40 } else { 0 }
}

/// The same for letters of base64 and hexadecimal digits: `A` is zeros, and zeros are what binary data has most of.
pub fn of_letters(gram: &[u8]) -> u32 {
    gram.iter().map(|&b| if b == b'A' || b == b'0' { 8 } else { 1 }).sum()
}

/// Weights that follow the letters of English and of program text: 10 for the commonest, 1 for what is rare in both.
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
