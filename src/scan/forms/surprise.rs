//! How much of a secret a run of its bytes gives away, in quarters of a bit: what decides whether a fragment is evidence.
//!
//! Redaction destroys what a fragment covers, so a fragment must not be what stands in innocent memory too: of the password
//! `correct-horse-battery` the run `correct-` does. Bytes of a key count with eight bits each. Of a text, what reads like words
//! is told from what reads like noise by how rarely its letters follow each other; in a text that has noise in it, only the
//! noise counts, because the rest is a prefix, an address or a format that others share. The rule looks at the secret alone and
//! not at the dump, so that a scan and the proof of its redaction cannot disagree.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use crate::fill;

/// Quarters of a bit.
const BIT: u32 = 4;
/// What a fragment of a key must give away: six of the eight bytes of a limb, because bytes that repeat count little.
const KEY: u32 = 48 * BIT;
/// What a fragment of long bytes must give away of which nobody knows which are secret.
const UNKNOWN: u32 = 120 * BIT;
/// What a fragment of noise in a text must give away: six letters of a token, nine hexadecimal digits.
const NOISE: u32 = 36 * BIT;
/// What a fragment of words must give away: about sixteen letters.
const WORDS: u32 = 48 * BIT;
/// Letters that are judged together.
const WINDOW: usize = 12;
/// Bits of surprise in a window of noise. Random letters reach 59 in 19 of 20 windows, the text of headers, scripts and heaps
/// in one of 100.
const NOISY: u32 = 59;
/// Hexadecimal digits of both kinds that a window of noise must have: words such as `deadbeef` have but letters.
const HEX_MIX: usize = 2;
/// What a letter of base64 counts that decodes to something readable, such as the claims of a JSON Web Token: the header that
/// all tokens share is no evidence, but 72 letters in a row are the token's own.
const READABLE: u8 = 2;
/// Fixed parts of tokens that look like noise, or that are as long as words: all tokens of a kind have them.
const FIXED: &[&str] =
    &["T3BlbkFJ", "AgEIcHlwaS5vcmc", "AgENdGVzdC5weXBpLm9yZw", "sk-ant-api03-", "AGE-SECRET-KEY-1", "AIzaSy"];

/// What each byte of a part gives away, and how much a fragment must.
#[derive(Debug)]
pub struct Surprise {
    /// For each byte, in quarters of a bit.
    pub bits: Zeroizing<Vec<u8>>,
    /// The least that a fragment must have; `None` where no fragment is evidence.
    pub need: Option<u32>,
}

/// Of a part that is secret in all its bytes: a number, a seed, the key of a cipher.
#[must_use]
pub fn of_key(bytes: &[u8]) -> Surprise {
    Surprise { bits: of_random(bytes), need: Some(KEY) }
}

/// Of long bytes that are not secret throughout.
#[must_use]
pub fn of_unknown(bytes: &[u8], public: impl IntoIterator<Item = std::ops::Range<usize>>) -> Surprise {
    let mut bits = of_random(bytes);
    public.into_iter().filter_map(|range| bits.get_mut(range).map(|bits| bits.fill(0))).for_each(drop);
    Surprise { bits, need: Some(UNKNOWN) }
}

/// Eight bits for a byte, one for a byte that is the same as the one before: of a constant nothing is evidence.
fn of_random(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let before = std::iter::once(None).chain(bytes.iter().map(Some));
    let bits = bytes.iter().zip(before).map(|(byte, before)| if Some(byte) == before { 4 } else { 32 });
    Zeroizing::new(bits.collect())
}

/// Of a text.
#[must_use]
pub fn of_text(text: &[u8]) -> Surprise {
    let mut noise = noise_of(text);
    for (range, decoded) in readable(text) {
        let inner = noise_of(&decoded);
        if let Some(letters) = noise.get_mut(range) {
            let byte_of = |letter: usize| inner.get(letter * 3 / 4).copied().unwrap_or(0);
            (0..).zip(letters).for_each(|(i, bits)| *bits = (*bits).min((byte_of(i) / 4 * 3).max(READABLE)));
        }
    }
    for fixed in FIXED {
        let places = memchr::memmem::find_iter(text, fixed.as_bytes());
        places.filter_map(|at| noise.get_mut(at..at + fixed.len()).map(|bits| bits.fill(0))).for_each(drop);
    }
    // What an earlier redaction left stands wherever it covered something.
    let marks = fill::marks(text);
    let clear = |bits: &mut [u8]| {
        marks.iter().for_each(|mark| bits.get_mut(mark.clone()).unwrap_or_default().fill(0));
    };
    clear(&mut noise);
    if sum(&noise) >= NOISE {
        return Surprise { bits: noise, need: Some(NOISE) };
    }
    let mut words: Vec<u8> = costs(text).iter().map(|&bits| bits.min(6) * 4).collect();
    clear(&mut words);
    let path = text.iter().any(|&b| b == b'/' || b == b'\\');
    let need = (!path && sum(&words) >= WORDS).then_some(WORDS);
    Surprise { bits: Zeroizing::new(words), need }
}

/// The sum of some bits.
#[must_use]
pub fn sum(bits: &[u8]) -> u32 {
    bits.iter().map(|&b| u32::from(b)).sum()
}

/// The bits of each letter that is in noise, zero for the others.
fn noise_of(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let costs = costs(text);
    let size = WINDOW.min(text.len()).max(1);
    let mut windows = vec![(0_u32, 0_u32); text.len()];
    for (at, window) in text.windows(size).enumerate() {
        let cost: u32 = costs.iter().skip(at).take(size).map(|&c| u32::from(c)).sum();
        let noise = size >= 8 && (cost * WINDOW as u32 >= NOISY * size as u32 || is_hex_noise(window));
        windows
            .iter_mut()
            .skip(at)
            .take(size)
            .for_each(|(all, noisy)| (*all, *noisy) = (*all + 1, *noisy + u32::from(noise)));
    }
    // More than half of the windows: the last letters of a word before noise are in some of its windows too.
    let noisy: Vec<bool> = windows.iter().map(|(all, noisy)| noisy * 12 >= all * 7).collect();
    let mut bits = Zeroizing::new(vec![0; text.len()]);
    let mut at = 0;
    for run in noisy.chunk_by(|a, b| a == b) {
        let range = at..at + run.len();
        at = range.end;
        if let (Some(true), Some(letters), Some(bits)) = (run.first(), text.get(range.clone()), bits.get_mut(range)) {
            let worth = worth(letters);
            bits.iter_mut()
                .zip(letters)
                .for_each(|(bits, b)| *bits = if b.is_ascii_alphanumeric() { worth } else { 8 });
        }
    }
    bits
}

/// Quarters of a bit of one letter of a random text with the alphabet that these letters come from.
fn worth(letters: &[u8]) -> u8 {
    let has = |class: fn(&u8) -> bool| letters.iter().any(class);
    let hex = |case: fn(&u8) -> bool| {
        letters.iter().filter(|b| b.is_ascii_alphanumeric()).all(|b| b.is_ascii_digit() || case(b))
    };
    let (lower, upper, digit) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase), has(u8::is_ascii_digit));
    match (lower || upper, digit) {
        (false, _) => 13,
        _ if hex(|b| matches!(b, b'a'..=b'f')) || hex(|b| matches!(b, b'A'..=b'F')) => 16,
        (_, false) if lower != upper => 19,
        _ if lower != upper => 20,
        _ => 24,
    }
}

/// Whether it is made of hexadecimal digits of one case, letters and digits mixed; dashes and colons may stand between.
fn is_hex_noise(window: &[u8]) -> bool {
    let count = |class: fn(&u8) -> bool| window.iter().filter(|b| class(b)).count();
    let digits = count(u8::is_ascii_digit);
    let (lower, upper) = (count(|b| matches!(b, b'a'..=b'f')), count(|b| matches!(b, b'A'..=b'F')));
    let letters = lower.max(upper);
    let marks = count(|b| matches!(b, b'-' | b':'));
    digits >= HEX_MIX && letters >= HEX_MIX && digits + letters + marks == window.len() && marks <= 2
}

/// Stretches of base64 that decode to readable text, with what they decode to: the header of every JSON Web Token is one.
fn readable(text: &[u8]) -> Vec<(std::ops::Range<usize>, Zeroizing<Vec<u8>>)> {
    let of_alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/');
    let (mut all, mut at) = (Vec::new(), 0);
    for run in text.chunk_by(|a, b| of_alphabet(a) == of_alphabet(b)) {
        let range = at..at + run.len();
        at = range.end;
        let whole = run.len() - usize::from(run.len() % 4 == 1);
        if run.first().is_some_and(of_alphabet) && whole >= 12 {
            let decoded = run.get(..whole).and_then(decode).filter(|d| is_readable(d));
            all.extend(decoded.map(|decoded| (range, decoded)));
        }
    }
    all
}

/// What the letters decode to; bits that are left over in the last one do not matter.
fn decode(letters: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let url = |&b: &u8| {
        char::from(if b == b'+' {
            b'-'
        } else if b == b'/' {
            b'_'
        } else {
            b
        })
    };
    let full = letters.get(..letters.len() / 4 * 4)?;
    let text: Zeroizing<String> = Zeroizing::new(full.iter().map(url).collect());
    Base64UrlUnpadded::decode_vec(&text).ok().map(Zeroizing::new)
}

fn is_readable(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
}

/// Bits of surprise of each letter for who knows how words go.
fn costs(text: &[u8]) -> Vec<u8> {
    let before = std::iter::once(b' ').chain(text.iter().copied());
    text.iter().zip(before).map(|(&letter, before)| cost(before, letter)).collect()
}

fn cost(before: u8, letter: u8) -> u8 {
    let same = before.eq_ignore_ascii_case(&letter);
    let first = || follows(b'{', letter);
    let cost = match letter {
        b'a'..=b'z' | b'A'..=b'Z' if before.is_ascii_lowercase() && letter.is_ascii_uppercase() => 3 + first(),
        b'a'..=b'z' | b'A'..=b'Z' if before.is_ascii_alphabetic() => follows(before, letter),
        b'a'..=b'z' | b'A'..=b'Z' if before.is_ascii_digit() => 3 + first(),
        b'a'..=b'z' | b'A'..=b'Z' => first(),
        b'0'..=b'9' if before.is_ascii_digit() => 3,
        b'0'..=b'9' if before.is_ascii_alphabetic() => 6,
        b'0'..=b'9' => 4,
        b'-' | b'_' | b'.' | b'/' | b' ' | b':' | b'"' | b',' | b'{' | b'}' => 3,
        _ => 5,
    };
    if same { cost.min(2) } else { cost }
}

/// Bits of surprise when `letter` follows `before` in a word; `{`, which is behind `z`, is the beginning of a word.
fn follows(before: u8, letter: u8) -> u8 {
    let index = |b: u8| usize::from(b.to_ascii_lowercase().wrapping_sub(b'a'));
    let digit = FOLLOWS.get(index(before)).and_then(|row| row.get(index(letter)));
    digit.map_or(9, |digit| digit - b'0')
}

/// For each letter, and for the beginning of a word, the bits of surprise of each letter behind it, up to 9: counted in the
/// words of C headers, Python modules and licences, each weighted with the square root of how often it occurs.
const FOLLOWS: [&[u8; 26]; 27] = [
    b"95448759596343959343667769", // a
    b"36563878348377469446389958", // b
    b"38673883594468279453579979", // c
    b"46652777289567479546577779", // d
    b"57435568798453757334867579", // e
    b"48664379299476369455497969", // f
    b"48672764399464559446579988", // g
    b"28862898397666389464598979", // h
    b"55445559998452359543958795", // i
    b"37662899386886359657367989", // j
    b"45552766398465569536575979", // k
    b"37752678298387379855579949", // l
    b"25762799398657439856599979", // m
    b"48433538496676479833569979", // n
    b"75447569696442549345465889", // o
    b"38663776496477349354588959", // p
    b"87876899699486775558198999", // q
    b"37552759397655369544668959", // r
    b"58572774396577548632487968", // s
    b"38572794398677469345597759", // t
    b"54564669598443749333989798", // u
    b"27681568396657479667897999", // v
    b"27653684299674469347696799", // w
    b"47363587495656639752778568", // x
    b"56564578499444527534776977", // y
    b"37781896398557489877798966", // z
    b"45344456486545548434565788", // the beginning
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    fn random(alphabet: &str, len: usize) -> Vec<u8> {
        let mut rng = rand::rng();
        (0..len).map(|_| alphabet.as_bytes()[rng.random_range(0..alphabet.len())]).collect()
    }

    /// Whether the run of `text` alone would be told as a fragment of it.
    fn told(text: &[u8], run: &[u8]) -> bool {
        let surprise = of_text(text);
        let at = memchr::memmem::find(text, run).unwrap();
        surprise.need.is_some_and(|need| sum(&surprise.bits[at..at + run.len()]) >= need)
    }

    #[test]
    fn words_are_no_evidence_and_most_of_a_pass_phrase_is() {
        let phrase = b"correct-horse-battery-staple";
        for word in ["correct-", "correct-horse", "-battery-", "staple"] {
            assert!(!told(phrase, word.as_bytes()), "{word}");
        }
        assert!(told(phrase, b"correct-horse-battery"));
        assert!(told(phrase, b"t-horse-battery-st"));
        assert!(of_text(b"/run/secrets/database-password").need.is_none(), "a path");
        assert!(of_text(b"hunter2x").need.is_none(), "too short for fragments");
    }

    #[test]
    fn eight_letters_of_a_random_token_are_evidence_whatever_its_alphabet() {
        let lower = "abcdefghijklmnopqrstuvwxyz";
        let mixed = format!("{lower}{}0123456789", lower.to_uppercase());
        for (alphabet, run) in [(mixed.as_str(), 8), ("0123456789abcdef", 12), ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 10)]
        {
            let tokens = (0..500).map(|_| random(alphabet, 40));
            let runs = tokens.flat_map(|t| (0..40 - run).map(move |at| told(&t, &t[at..at + run])).collect::<Vec<_>>());
            let (mut all, mut yes) = (0, 0);
            runs.for_each(|told| (all, yes) = (all + 1, yes + usize::from(told)));
            assert!(yes * 100 >= all * 93, "{yes} of {all} runs of {run} letters of {alphabet}");
        }
    }

    #[test]
    fn what_all_tokens_of_a_kind_share_is_no_evidence() {
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
        let token = format!("{header}.{}", String::from_utf8(random("abcdefGHIJKLmnopqr0123456789", 43)).unwrap());
        assert!(!told(token.as_bytes(), header.as_bytes()));
        assert!(told(token.as_bytes(), &token.as_bytes()[50..64]));
        let hook = format!(
            "https://hooks.slack.com/services/{}",
            String::from_utf8(random("ABCDEF0GHIJKL23xyz", 44)).unwrap()
        );
        assert!(!told(hook.as_bytes(), b"https://hooks.slack.com/services/"));
    }

    #[test]
    fn constants_are_no_evidence() {
        let key = [[0; 16], [7; 16]].concat();
        let surprise = of_key(&key);
        assert!(sum(&surprise.bits) < surprise.need.unwrap());
    }
}
