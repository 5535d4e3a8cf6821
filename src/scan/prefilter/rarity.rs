//! How often a run of four bytes is likely to stand in the memory of a process. It decides only how fast the prefilter is,
//! never what it finds.

/// Grams of words that are everywhere in programs: each costs as much as four of the commonest bytes.
const WORDS: &[&[u8]] = &[
    b"http", b"ttps", b"://", b"www.", b".com", b"auth", b"orizat", b"tion", b"pass", b"word", b"secret", b"token",
    b"name",
];

/// A number that grows with how common `gram` is.
pub fn of_text(gram: &[u8]) -> u32 {
    let bytes: u32 = gram.iter().map(|&b| common(b)).sum();
    let in_word = |word: &&[u8]| word.windows(gram.len().min(word.len())).any(|part| gram.starts_with(part));
    bytes + if WORDS.iter().any(in_word) { 40 } else { 0 }
}

/// The same for letters of base64 and hexadecimal digits: `A` is zeros, and zeros are what binary data has most of.
pub fn of_letters(gram: &[u8]) -> u32 {
    gram.iter().map(|&b| if b == b'A' || b == b'0' { 8 } else { 1 }).sum()
}

/// Weights that follow the letters of English and of program text: 10 for the commonest, 1 for what is rare in both.
fn common(byte: u8) -> u32 {
    match byte {
        0 => 20,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' | 0xff => 10,
        b'l' | b'c' | b'd' | b'u' | b'm' | b'p' | b'h' => 8,
        b'f' | b'g' | b'y' | b'b' | b'v' | b'w' | b'_' | b'.' | b'/' => 6,
        b'0'..=b'9' | b'=' | b':' | b'"' | b',' | b'-' | b'k' | b'x' | b'A'..=b'F' => 4,
        b'j' | b'q' | b'z' | b'G'..=b'Z' => 3,
        _ => 2,
    }
}
