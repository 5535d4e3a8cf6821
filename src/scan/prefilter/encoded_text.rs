//! Where letters are text that was encoded: told by what they decode to, whatever the literals are.
//!
//! Text that was encoded once more is rare among letters, and looks like it: three groups of base64 that happen to decode to
//! nine bytes of text stand at one place in 7,000 of random letters, and at fewer in names and words, because a byte of text
//! asks for a capital or one of `a` to `f` at every fourth place. So no literal has to be spelled in base64 or in digits to be
//! looked for: what decodes to text is decoded, and looked at like all other text.
//!
//! Any 11 bytes of text in a row hold three whole groups of base64; eight hold eight pairs of digits. Zeros count as well as
//! text does, so that UTF-16 is seen, but not alone.

use std::ops::Range;

use multiversion::multiversion;

use super::encoded::Code;
use super::letters::Letters;
use super::marks::is_text;

/// Letters that are tested at once.
const BLOCK: usize = 64;

/// Letters that one test looks at: three groups of base64, eight pairs of digits.
const REACH: [usize; 2] = [12, 16];

/// Letters that the tests of a block look at.
const SEEN: usize = BLOCK + REACH[1];

/// Bytes of text among those that one test looks at, at least: every second one, in UTF-16.
const TEXTS: u8 = 4;

/// Letters to each side of encoded text that are decoded with it; a half of them at least.
const AROUND: usize = 1024;

/// Letters that decode to text somewhere; they begin with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedText {
    /// How they are encoded.
    pub code: Code,
    /// Which letters.
    pub letters: Range<usize>,
}

/// One way to read letters, by the code and where its groups begin.
struct Way {
    code: Code,
    /// What is decoded next, not yet told.
    open: Option<Range<usize>>,
    /// The letters before this one need no more looks.
    next: usize,
}

/// In which places of a block text begins, by the way it is encoded in: 1 for each.
struct Hits {
    base64: [u8; BLOCK],
    hex: [u8; BLOCK],
}

/// Adds every part of the letters that decodes to text in some way.
pub fn encoded_texts(letters: &Letters, into: &mut Vec<EncodedText>) {
    let all = letters.letters();
    let of = |code: Code| std::iter::repeat_with(move || Way { code, open: None, next: 0 }).take(code.group().0);
    let [mut base64, mut hex] = [Code::Base64, Code::Hex].map(|code| of(code).collect::<Vec<_>>());
    let mut hits = Hits { base64: [0; BLOCK], hex: [0; BLOCK] };
    for at in (0..all.len()).step_by(BLOCK) {
        let any = match all.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(seen) => look(seen, &mut hits),
            None => look(&seen(all, at), &mut hits),
        };
        if any {
            for (hits, ways) in [(&hits.base64, &mut base64), (&hits.hex, &mut hex)] {
                for (_, at) in hits.iter().zip(at..).filter(|(hit, _)| **hit == 1) {
                    let group = ways.len();
                    ways.get_mut(at % group).into_iter().for_each(|way| way.see(letters, at, into));
                }
            }
        }
    }
    base64.into_iter().chain(hex).for_each(|way| tell(way.code, way.open, into));
}

impl Way {
    /// Text begins at `at`: what is open goes on, or this begins another part.
    fn see(&mut self, letters: &Letters, at: usize, into: &mut Vec<EncodedText>) {
        if at < self.next {
            return;
        }
        let group = self.code.group().0;
        let near = at.saturating_sub(AROUND)..(at + AROUND).min(letters.letters().len());
        let run = match self.code {
            Code::Base64 => letters.run_of(at),
            Code::Hex => match self.open.clone().filter(|open| open.contains(&at)) {
                // These are digits as far as they go.
                Some(open) => open.start..digits_from(letters.letters().get(..near.end).unwrap_or_default(), open.end),
                None => {
                    let digits =
                        digits_around(letters.letters().get(near.clone()).unwrap_or_default(), at - near.start);
                    near.start + digits.start..near.start + digits.end
                }
            },
        };
        let start = near.start.max(run.start);
        let start = start + (at - start) % group;
        let end = near.end.min(run.end);
        // Behind a half of it there is a half of it around all that is not looked at; the run's end is the end.
        self.next = if end < near.end { end } else { at + AROUND / 2 };
        match &mut self.open {
            // Between two runs there is something else.
            Some(open) if start <= open.end => open.end = end,
            _ => tell(self.code, self.open.replace(start..end), into),
        }
    }
}

fn tell(code: Code, letters: Option<Range<usize>>, into: &mut Vec<EncodedText>) {
    into.extend(letters.map(|letters| EncodedText { code, letters }));
}

/// Digits that are looked at together.
const DIGITS: usize = 32;

/// The hexadecimal digits around the letter at `at`.
pub fn digits_around(letters: &[u8], at: usize) -> Range<usize> {
    let head = letters.get(..at).unwrap_or(letters);
    let whole = head.as_rchunks().1.iter().rev().take_while(|part| are_digits(part)).count() * DIGITS;
    let before = whole + head.iter().rev().skip(whole).take_while(|letter| letter.is_ascii_hexdigit()).count();
    head.len() - before..digits_from(letters, at)
}

/// Where the hexadecimal digits end that stand at `at` and behind it.
fn digits_from(letters: &[u8], at: usize) -> usize {
    let tail = letters.get(at..).unwrap_or_default();
    let whole = tail.as_chunks().0.iter().take_while(|part| are_digits(part)).count() * DIGITS;
    at + whole + tail.iter().skip(whole).take_while(|letter| letter.is_ascii_hexdigit()).count()
}

/// Without a branch for each, so that it becomes vector code.
fn are_digits(letters: &[u8; DIGITS]) -> bool {
    let digit =
        |letter: u8| u8::from(letter.wrapping_sub(b'0') < 10) | u8::from((letter | 0x20).wrapping_sub(b'a') < 6);
    letters.iter().fold(1, |all, &letter| all & digit(letter)) == 1
}

/// The letters from `at` on; behind the last one there are zeros.
fn seen(letters: &[u8], at: usize) -> [u8; SEEN] {
    let mut seen = [0; SEEN];
    let rest = letters.get(at..).unwrap_or_default();
    seen.iter_mut().zip(rest).for_each(|(seen, letter)| *seen = *letter);
    seen
}

#[inline(always)]
fn of_group(a: u8, b: u8, c: u8, d: u8) -> [u8; 3] {
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

/// What no digit is worth.
const NONE: u8 = 0xff;

/// What a letter of base64's standard alphabet is worth: selections only, so that it becomes vector code.
#[inline(always)]
fn sextet(letter: u8) -> u8 {
    let (upper, lower, digit) = (letter.wrapping_sub(b'A'), letter.wrapping_sub(b'a'), letter.wrapping_sub(b'0'));
    let mut value = NONE;
    value = if upper < 26 { upper } else { value };
    value = if lower < 26 { lower.wrapping_add(26) } else { value };
    value = if digit < 10 { digit.wrapping_add(52) } else { value };
    value = if letter == b'+' { 62 } else { value };
    if letter == b'/' { 63 } else { value }
}

/// What a hexadecimal digit is worth.
#[inline(always)]
fn nibble(letter: u8) -> u8 {
    let (upper, lower, digit) = (letter.wrapping_sub(b'A'), letter.wrapping_sub(b'a'), letter.wrapping_sub(b'0'));
    let mut value = NONE;
    value = if upper < 6 { upper.wrapping_add(10) } else { value };
    value = if lower < 6 { lower.wrapping_add(10) } else { value };
    if digit < 10 { digit } else { value }
}

/// Writes down where text begins in a block, and tells whether any does.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn look(seen: &[u8; SEEN], hits: &mut Hits) -> bool {
    // Few blocks pass these, which cost a half of what the tests cost.
    let (base64, hex) = (may_be_base64(seen), may_be_hex(seen));
    hits.base64 = if base64 { base64_hits(seen) } else { [0; BLOCK] };
    hits.hex = if hex { hex_hits(seen) } else { [0; BLOCK] };
    (base64 | hex) && hits.base64.iter().zip(&hits.hex).fold(0, |any, (base64, hex)| any | base64 | hex) != 0
}

/// Whether three groups of base64 in a row decode to bytes below 128 anywhere in a block.
#[inline(always)]
fn may_be_base64(seen: &[u8; SEEN]) -> bool {
    let mut digits = [0; SEEN];
    digits.iter_mut().zip(seen).for_each(|(digit, &letter)| *digit = sextet(letter));
    let mut groups = [0_u8; GROUPS];
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| part::<{ SEEN - 3 }>(&digits, i).iter());
    for (group, ((&a, &b), (&c, &d))) in groups.iter_mut().zip(a.zip(b).zip(c.zip(d))) {
        // The highest bits of the three bytes, and what is no digit at all.
        *group = (a & 0xe0) | (b & 0xc8) | (c & 0xc2) | (d & 0xc0);
    }
    let [group, group_4, group_8] = [0, 4, 8].map(|i| part::<BLOCK>(&groups, i).iter());
    group.zip(group_4.zip(group_8)).fold(0, |any, (a, (b, c))| any | u8::from(a | b | c == 0)) != 0
}

/// Whether eight pairs of hexadecimal digits in a row stand for bytes below 128 anywhere in a block.
#[inline(always)]
fn may_be_hex(seen: &[u8; SEEN]) -> bool {
    let mut pairs = [0_u8; GROUPS];
    let [high, low] = [0, 1].map(|i| part::<{ SEEN - 1 }>(seen, i).iter());
    for (pair, (&high, &low)) in pairs.iter_mut().zip(high.zip(low)) {
        *pair = u8::from(high.wrapping_sub(b'0') < 8) & is_digit(low);
    }
    // Two at a time: then four, then eight.
    let (mut two, mut four) = ([0_u8; BLOCK + 12], [0_u8; BLOCK + 8]);
    let both = |(one, (a, b)): (&mut u8, (&u8, &u8))| *one = a & b;
    two.iter_mut().zip(pairs.iter().zip(pairs.iter().skip(2))).for_each(both);
    four.iter_mut().zip(two.iter().zip(two.iter().skip(4))).for_each(both);
    four.iter().zip(four.iter().skip(8)).fold(0, |any, (a, b)| any | a & b) != 0
}

#[inline(always)]
fn is_digit(letter: u8) -> u8 {
    u8::from(letter.wrapping_sub(b'0') < 10) | u8::from((letter | 0x20).wrapping_sub(b'a') < 6)
}

/// Groups of a block whose test is part of another one's, too.
const GROUPS: usize = BLOCK + REACH[1] - 2;

/// 1 where three groups of base64 begin that are text. Without branches, so that it becomes vector code.
#[inline(always)]
fn base64_hits(seen: &[u8; SEEN]) -> [u8; BLOCK] {
    let mut digits = [0; SEEN];
    digits.iter_mut().zip(seen).for_each(|(digit, &letter)| *digit = sextet(letter));
    let (mut fits, mut texts) = ([0_u8; GROUPS], [0_u8; GROUPS]);
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| part::<{ SEEN - 3 }>(&digits, i).iter());
    let groups = a.zip(b).zip(c.zip(d));
    for ((fit, count), ((&a, &b), (&c, &d))) in fits.iter_mut().zip(&mut texts).zip(groups) {
        let [x, y, z] = of_group(a, b, c, d);
        *fit = u8::from((a | b | c | d) < 64) & fit_of(x) & fit_of(y) & fit_of(z);
        *count = text_of(x) + text_of(y) + text_of(z);
    }
    let [fit, fit_4, fit_8] = [0, 4, 8].map(|i| part::<BLOCK>(&fits, i).iter());
    let [text, text_4, text_8] = [0, 4, 8].map(|i| part::<BLOCK>(&texts, i).iter());
    let mut hits = [0; BLOCK];
    let three = fit.zip(fit_4.zip(fit_8)).zip(text.zip(text_4.zip(text_8)));
    for (hit, ((f, (f_4, f_8)), (t, (t_4, t_8)))) in hits.iter_mut().zip(three) {
        *hit = f & f_4 & f_8 & u8::from(t + t_4 + t_8 >= TEXTS);
    }
    hits
}

/// 1 where eight pairs of hexadecimal digits begin that are text.
#[inline(always)]
fn hex_hits(seen: &[u8; SEEN]) -> [u8; BLOCK] {
    let mut digits = [0; SEEN];
    digits.iter_mut().zip(seen).for_each(|(digit, &letter)| *digit = nibble(letter));
    let (mut fits, mut texts) = ([0_u8; GROUPS], [0_u8; GROUPS]);
    let [high, low] = [0, 1].map(|i| part::<{ SEEN - 1 }>(&digits, i).iter());
    for ((fit, text), (&high, &low)) in fits.iter_mut().zip(&mut texts).zip(high.zip(low)) {
        let byte = high << 4 | low & 15;
        *fit = u8::from((high | low) < 16) & fit_of(byte);
        *text = text_of(byte);
    }
    // Two at a time: then four pairs, then eight.
    let mut hits = [1; BLOCK];
    let mut counts = [0; BLOCK];
    for pair in 0..8 {
        let here = part::<BLOCK>(&fits, 2 * pair).iter().zip(part::<BLOCK>(&texts, 2 * pair));
        for ((hit, count), (fit, text)) in hits.iter_mut().zip(&mut counts).zip(here) {
            *hit &= fit;
            *count += text;
        }
    }
    hits.iter_mut().zip(&counts).for_each(|(hit, &count)| *hit &= u8::from(count >= TEXTS));
    hits
}

/// `N` bytes from `from` on.
#[inline(always)]
fn part<const N: usize>(bytes: &[u8], from: usize) -> &[u8; N] {
    bytes.get(from..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; N])
}

#[inline(always)]
fn text_of(byte: u8) -> u8 {
    u8::from(is_text(byte))
}

#[inline(always)]
fn fit_of(byte: u8) -> u8 {
    u8::from(is_text(byte)) | u8::from(byte == 0)
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64Unpadded, Encoding as _};
    use proptest::prelude::*;

    use super::*;

    /// The scalar reference: whether the first groups of `letters` decode to text.
    fn is_encoded_text(letters: &[u8], code: Code) -> bool {
        let (reach, digit): (usize, fn(u8) -> u8) = match code {
            Code::Base64 => (REACH[0], sextet),
            Code::Hex => (REACH[1], nibble),
        };
        let digits = letters.get(..reach).unwrap_or_default();
        let digits: Vec<u8> = digits.iter().map(|&letter| digit(letter)).collect();
        let bytes: Vec<u8> = match code {
            Code::Base64 => digits.as_chunks().0.iter().flat_map(|&[a, b, c, d]| of_group(a, b, c, d)).collect(),
            Code::Hex => digits.as_chunks().0.iter().map(|&[a, b]| a << 4 | b).collect(),
        };
        let texts = bytes.iter().filter(|&&byte| is_text(byte)).count();
        let all = bytes.iter().all(|&byte| byte == 0 || is_text(byte));
        digits.len() == reach && digits.iter().all(|&digit| digit != NONE) && all && texts >= usize::from(TEXTS)
    }

    fn letters_of(text: &[u8]) -> Letters {
        let mut letters = Letters::default();
        letters.add(text, 0..text.len(), None);
        letters
    }

    fn found(text: &[u8]) -> Vec<(Code, Range<usize>)> {
        let mut found = Vec::new();
        encoded_texts(&letters_of(text), &mut found);
        found.into_iter().map(|text| (text.code, text.letters)).collect()
    }

    /// Words that are letters, digits, or what they are when they are encoded.
    fn mixed() -> impl Strategy<Value = Vec<u8>> {
        let word = prop::collection::vec(prop::sample::select(b" =aZ4\x7f~\0\n\xc3".to_vec()), 1..30);
        let piece = (word, 0..5_u8).prop_map(|(word, form)| match form {
            0 => word,
            1 => base16ct::lower::encode_string(&word).into_bytes(),
            2 => base16ct::upper::encode_string(&word).into_bytes(),
            _ => Base64Unpadded::encode_string(&word).into_bytes(),
        });
        prop::collection::vec(piece, 1..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_vector_test_equals_the_scalar_reference(bytes in mixed()) {
            for at in 0..bytes.len() {
                let mut hits = Hits { base64: [0; BLOCK], hex: [0; BLOCK] };
                let any = look(&seen(&bytes, at), &mut hits);
                for (i, (&base64, &hex)) in hits.base64.iter().zip(&hits.hex).enumerate() {
                    let is = |code| u8::from(is_encoded_text(bytes.get(at + i..).unwrap_or_default(), code));
                    prop_assert_eq!((base64, hex), (is(Code::Base64), is(Code::Hex)));
                }
                prop_assert_eq!(any, hits.base64.contains(&1) || hits.hex.contains(&1));
            }
        }
    }

    #[test]
    fn digits_are_told_as_one_by_one() {
        assert!((0..=u8::MAX).all(|byte| are_digits(&[byte; DIGITS]) == byte.is_ascii_hexdigit()));
        let text = [vec![b'x'; 3], vec![b'7'; 3 * DIGITS], vec![b'g'; 40]].concat();
        for at in 0..=text.len() {
            let head = text[..at].iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
            let tail = text[at..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
            assert_eq!(digits_around(&text, at), at - head..at + tail, "{at}");
        }
    }

    #[test]
    fn text_is_seen_at_every_place_and_only_what_is_around_it_is_decoded() {
        for before in 0..300 {
            let bytes = [vec![0xff; before], b"pass=abcdef".to_vec(), vec![0xff; 6000]].concat();
            let text = Base64Unpadded::encode_string(&bytes);
            let all = found(text.as_bytes());
            let first = before * 4 / 3;
            assert_eq!(all.len(), 1, "{before}");
            let (code, letters) = &all[0];
            assert_eq!((*code, letters.start % 4), (Code::Base64, 0), "{before}");
            assert!(
                letters.start <= first && letters.end > first + 16 && letters.end <= first + AROUND + 4,
                "{before}"
            );
        }
    }

    #[test]
    fn long_text_is_one_part_and_what_stands_apart_is_another() {
        let text = Base64Unpadded::encode_string(&b"some words, ".repeat(1000));
        assert_eq!(found(text.as_bytes()), [(Code::Base64, 0..16_000)]);
        let far = [b"some words, ".to_vec(), vec![0xff; 6000], b"some words, ".to_vec()].concat();
        assert_eq!(found(Base64Unpadded::encode_string(&far).as_bytes()).len(), 2);
        let runs = format!("{0} {0}", base16ct::lower::encode_string(b"some words, "));
        assert_eq!(found(runs.as_bytes()), [(Code::Hex, 0..24), (Code::Hex, 25..49)]);
    }

    #[test]
    fn what_is_no_text_is_left() {
        for text in ["AAAAAAAAAAAAAAAAAAAAAAAA", "getElementsByClassNameAndOthers", "0000000000000000000000"] {
            assert!(found(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
