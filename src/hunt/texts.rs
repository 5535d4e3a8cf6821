//! Texts in memory that may be a value of something: whole ones, between bytes that are no letters, and the values in them, between
//! the quotes, spaces and signs that configuration puts around values. In ASCII and in UTF-16.
//!
//! Most memory is no text at all. One bit for each byte says whether it is a letter, one more whether a zero stands behind it; with
//! these, runs of letters are found 64 bytes at a time.

use std::ops::Range;

use multiversion::multiversion;
use zeroize::Zeroizing;

use super::bits::pack;
use super::dense::LANES;
use crate::window::Window;

/// Letters of the shortest and of the longest text that is told.
pub const LENGTHS: (usize, usize) = (8, 128);

/// A text.
pub struct Text<'a> {
    /// Its letters.
    pub letters: &'a [u8],
    /// Where it stands in the window.
    pub range: Range<usize>,
    /// Whether it is UTF-16.
    pub wide: bool,
    /// Whether it is a word among others, neither in quotes nor behind a name.
    pub is_word: bool,
}

fn is_print(byte: u8) -> bool {
    byte.wrapping_sub(0x20) < 0x5f
}

/// What stands between values and is seldom part of one.
fn is_border(byte: u8) -> bool {
    static BORDERS: [bool; 256] = borders();
    BORDERS.get(usize::from(byte)) == Some(&true)
}

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn borders() -> [bool; 256] {
    let (signs, mut borders, mut at) = (b" \"'`,;<>()[]{}:", [false; 256], 0);
    while at < signs.len() {
        borders[signs[at] as usize] = true;
        at += 1;
    }
    borders
}

/// Calls `found` for the texts that begin in the owned part of the window, in order: whole ones, and the values in them.
pub fn each(window: &Window<'_>, mut found: impl FnMut(Text<'_>)) {
    let owned = window.owned();
    // A text is looked at from its beginning, which may stand before the owned part.
    let from = owned.start.saturating_sub(2 * LENGTHS.1);
    let bytes = window.slice(from..owned.end + 2 * LENGTHS.1);
    let letters = Letters::of(bytes);
    let (mut at, mut narrowed) = (0, Zeroizing::new(Vec::new()));
    while let Some(start) = letters.next(at) {
        let narrow = letters.narrow_from(start);
        let (len, step) = if narrow >= LENGTHS.0 { (narrow, 1) } else { (letters.wide_from(start), 2) };
        at = start + step * len;
        let whole = bytes.get(start..at).unwrap_or_default();
        let text = if step == 2 {
            narrowed.clear();
            narrowed.extend(whole.iter().step_by(2));
            narrowed.as_slice()
        } else {
            whole
        };
        let lines = is_line(bytes, start, at, step);
        pieces(text, said(bytes, start), lines, |part, is_word| {
            let range = from + start + step * part.start..from + start + step * part.end;
            if let Some(letters) = text.get(part).filter(|_| owned.contains(&range.start)) {
                found(Text { letters, range, wide: step == 2, is_word });
            }
        });
    }
}

/// Whether a text is one line of many.
fn is_line(bytes: &[u8], start: usize, end: usize, step: usize) -> bool {
    let before = start.checked_sub(step).and_then(|before| bytes.get(before));
    matches!(before, Some(b'\n' | b'\r' | b'\t')) && matches!(bytes.get(end), Some(b'\n' | b'\r'))
}

/// How long strings of JavaScript and of others say that they are, before they begin.
fn said(bytes: &[u8], start: usize) -> Option<usize> {
    let said = bytes.get(start.checked_sub(4)?..start)?.first_chunk().copied()?;
    usize::try_from(u32::from_le_bytes(said)).ok()
}

/// Of a text, itself and the values in it; the next object may begin with a letter, so it may be longer than it says. A line of
/// several words is none itself: it is one of prose or of a program.
fn pieces(text: &[u8], said: Option<usize>, is_line: bool, mut add: impl FnMut(Range<usize>, bool)) {
    let mut add = |part: Range<usize>, is_word| {
        if (LENGTHS.0..=LENGTHS.1).contains(&part.len()) {
            add(part, is_word);
        }
    };
    let len = text.len();
    if !is_line || !text.iter().copied().any(is_border) {
        add(0..len, false);
    }
    // Behind what is no value, up to the next one: whole, and behind the sign that stands between a name and its value.
    let mut from = 0;
    for part in text.split(|letter| is_border(*letter)) {
        let to = from + part.len();
        if part.len() >= LENGTHS.0 {
            if part.len() < len {
                add(from..to, !is_value(text, from));
            }
            let value = memchr::memchr(b'=', part).map(|equal| from + equal + 1);
            value.filter(|value| *value < to).into_iter().for_each(|value| add(value..to, false));
        }
        from = to + 1;
    }
    said.filter(|said| *said < len).into_iter().for_each(|said| add(0..said, false));
}

/// Whether what begins at `from` is in quotes, or has a sign before it that stands between a name and its value.
fn is_value(text: &[u8], from: usize) -> bool {
    match text.get(..from) {
        Some([.., b'"' | b'\'' | b'`' | b':' | b'>'] | [.., b':' | b'=', b' ']) => true,
        Some(before) => before.is_empty(),
        None => false,
    }
}

/// One bit for each byte.
struct Letters {
    /// Whether it is a letter.
    narrow: Vec<u64>,
    /// Whether it is one and a zero stands behind it.
    wide: Vec<u64>,
}

impl Letters {
    fn of(bytes: &[u8]) -> Self {
        let masks = |at: usize| {
            let seen = bytes.get(at..).unwrap_or_default();
            match seen.first_chunk() {
                Some(seen) => masks(seen),
                None => {
                    // What is no letter and no zero.
                    let mut last = [0xff; LANES + 1];
                    last.iter_mut().zip(seen).for_each(|(to, from)| *to = *from);
                    masks(&last)
                }
            }
        };
        let blocks = bytes.len().div_ceil(LANES);
        let (mut narrow, mut wide) = (Vec::with_capacity(blocks), Vec::with_capacity(blocks));
        for (letters, with_zeros) in (0..blocks).map(|block| masks(LANES * block)) {
            narrow.push(letters);
            wide.push(with_zeros);
        }
        Self { narrow, wide }
    }

    /// Where at `from` or behind it a text begins that is long enough.
    fn next(&self, from: usize) -> Option<usize> {
        let mut skipped = u64::MAX << (from % LANES);
        for block in from / LANES..self.narrow.len() {
            let two = |bits: &[u64]| {
                let get = |at: usize| u128::from(bits.get(at).copied().unwrap_or(0));
                get(block) | get(block + 1) << LANES
            };
            let narrow = two(&self.narrow);
            // What is no letter in either width is passed over at once.
            if narrow as u64 & skipped != 0 {
                let narrow = [1, 2, 4].into_iter().fold(narrow, |bits, by| bits & bits >> by);
                let wide = [2, 4, 8].into_iter().fold(two(&self.wide), |bits, by| bits & bits >> by);
                let begins = (narrow | wide) as u64 & skipped;
                if begins != 0 {
                    return Some(LANES * block + begins.trailing_zeros() as usize);
                }
            }
            skipped = u64::MAX;
        }
        None
    }

    fn narrow_from(&self, at: usize) -> usize {
        ones(&self.narrow, at, 0)
    }

    fn wide_from(&self, at: usize) -> usize {
        // Every second bit is a letter.
        ones(&self.wide, at, 0xaaaa_aaaa_aaaa_aaaa) / 2
    }
}

/// How many bits from `at` on are set, where those of `all`, counted from there, are.
fn ones(bits: &[u64], at: usize, all: u64) -> usize {
    let mut len = 0;
    loop {
        let (block, bit) = ((at + len) / LANES, (at + len) % LANES);
        let get = |at: usize| bits.get(at).copied().unwrap_or(0);
        // In two steps, since a shift by 64 is none.
        let word = get(block) >> bit | get(block + 1) << (LANES - 1 - bit) << 1;
        let more = (word | all).trailing_ones() as usize;
        len += more;
        if more < LANES {
            return len;
        }
    }
}

/// The bits of the first [`LANES`] bytes: without branches, so that it becomes vector code.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn masks(seen: &[u8; LANES + 1]) -> (u64, u64) {
    let (mut narrow, mut wide) = ([0_u8; LANES], [0_u8; LANES]);
    narrow.iter_mut().zip(seen).for_each(|(bit, byte)| *bit = u8::from(is_print(*byte)));
    wide.iter_mut().zip(seen.iter().skip(1)).for_each(|(bit, behind)| *bit = u8::from(*behind == 0));
    let narrow = pack(&narrow);
    // Zeros behind letters.
    (narrow, if narrow == 0 { 0 } else { narrow & pack(&wide) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    /// The same, one byte at a time.
    fn plain(bytes: &[u8], owned: &Range<usize>) -> Vec<(Range<usize>, bool, bool, Vec<u8>)> {
        let mut found = Vec::new();
        let (mut at, end) = (owned.start.saturating_sub(256), (owned.end + 256).min(bytes.len()));
        let from = at;
        let is_letter = |i: usize| i < end && (0x20..0x7f).contains(&bytes[i]);
        while at < end {
            let narrow = (at..).take_while(|i| is_letter(*i)).count();
            let wide = (at..).step_by(2).take_while(|i| is_letter(*i) && i + 1 < end && bytes[i + 1] == 0).count();
            let (len, step) = if narrow >= 8 { (narrow, 1) } else { (wide, 2) };
            if len < 8 {
                at += 1;
                continue;
            }
            let text: Vec<u8> = (0..len).map(|i| bytes[at + step * i]).collect();
            let is_border = |i: usize| i == len || b" \"'`,;<>()[]{}:".contains(&text[i]);
            let mut parts: Vec<(Range<usize>, bool)> = Vec::new();
            let before = at.checked_sub(if narrow >= 8 { 1 } else { 2 }).filter(|i| *i >= from).map(|i| bytes[i]);
            let behind = Some(at + step * len).filter(|i| *i < end).map(|i| bytes[i]);
            let breaks = |byte: Option<u8>| matches!(byte, Some(b'\n' | b'\r'));
            let is_line = (before == Some(b'\t') || breaks(before)) && breaks(behind);
            parts.extend((!is_line || !(0..len).any(is_border)).then_some((0..len, false)));
            let mut first = 0;
            for to in (0..=len).filter(|i| is_border(*i)) {
                let before = String::from_utf8(text[..first].to_vec()).unwrap();
                let is_value =
                    ["\"", "'", "`", ":", ">", ": ", "= "].iter().any(|end| before.ends_with(end)) || first == 0;
                parts.extend((to - first < len).then_some((first..to, !is_value)));
                let equal = (first..to).find(|i| text[*i] == b'=').filter(|equal| equal + 1 < to);
                parts.extend(equal.map(|equal| (equal + 1..to, false)));
                first = to + 1;
            }
            if at >= from + 4 {
                let said = u32::from_le_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
                parts.extend((said < len).then_some((0..said, false)));
            }
            for (part, is_word) in parts.into_iter().filter(|(part, _)| (8..=128).contains(&part.len())) {
                let range = at + step * part.start..at + step * part.end;
                if owned.contains(&range.start) {
                    found.push((range, step == 2, is_word, text[part].to_vec()));
                }
            }
            at += step * len;
        }
        found
    }

    #[test]
    fn texts_equal_those_of_a_plain_walk() {
        for seed in 0..60 {
            let letters = b"aB3$ =\":/>";
            let mut bytes = Vec::new();
            for chunk in noise(900, seed).chunks_exact(3) {
                let len = usize::from(chunk[1]) / if chunk[0] & 7 == 0 { 1 } else { 9 };
                let text = (0..len).map(|i| letters[(i + usize::from(chunk[2])) * 7 % letters.len()]);
                match chunk[0] & 3 {
                    0 => bytes.extend(text.flat_map(|letter| [letter, 0])),
                    1 if chunk[2] & 1 == 0 => bytes.extend(std::iter::once(b'\n').chain(text).chain([b'\r', b'\n'])),
                    1 => bytes.extend([u32::from(chunk[2] / 9).to_le_bytes().to_vec(), text.collect()].concat()),
                    2 => bytes.extend(noise(len / 4, u64::from(chunk[2]))),
                    _ => bytes.extend(vec![0; len / 8]),
                }
            }
            for owned in [0..bytes.len(), 0..1, 700..701, 300..2000.min(bytes.len()), bytes.len() - 9..bytes.len()] {
                let mut found = Vec::new();
                let window = Window::new(&bytes, owned.clone(), &[], &[]);
                each(&window, |text| found.push((text.range, text.wide, text.is_word, text.letters.to_vec())));
                assert_eq!(found, plain(&bytes, &owned), "{seed} {owned:?}");
            }
        }
    }

    #[test]
    fn masks_equal_a_plain_walk() {
        for seed in 0..99 {
            let bytes: Vec<u8> = noise(LANES + 1, seed).iter().map(|b| if b & 3 == 0 { 0 } else { *b }).collect();
            let (narrow, wide) = masks(bytes.first_chunk().unwrap());
            for i in 0..LANES {
                let is_letter = (0x20..0x7f).contains(&bytes[i]);
                assert_eq!((narrow >> i & 1 == 1, wide >> i & 1 == 1), (is_letter, is_letter && bytes[i + 1] == 0));
            }
        }
    }
}
