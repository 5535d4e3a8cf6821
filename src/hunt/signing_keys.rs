//! Keys of HMAC that are nothing but a text or random bytes, proven by a JSON Web Token that they sign.
//!
//! Tried are texts as they stand, between bytes that are no letters and between the quotes, spaces and signs that configuration
//! puts around values, in ASCII and in UTF-16, also as what their base64 decodes to, which is how most libraries want keys to be
//! written; and 32, 48 or 64 bytes in runs that may be structures of keys ([`super::ec_places`]). A text that nobody would
//! call a key costs more than it is worth: one of less than 16 letters must have letters of three kinds, others of two, and paths and
//! names of classes are none. Each try is two blocks of the hash and the token, so the shortest tokens are taken, a few of each
//! hash: tokens that another process signed are as short as those of this one.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};
use multiversion::multiversion;
use zeroize::Zeroizing;

use super::{Clue, Clues, Hunt, Hunter};
use super::{dense, ec_places};
use crate::detect::hmac_pads::{self, HmacPads};
use crate::detect::{Detector as _, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule};
use crate::image::Image;
use crate::keys::fragment::looks_random;
use crate::keys::mac::Hash;
use crate::memory::AddressSpace;
use crate::vault::Secret;
use crate::window::Window;

/// Letters of the shortest and of the longest text that is tried.
const TEXT: (usize, usize) = (8, 128);
/// Letters from which on two kinds of them are enough.
const LONG: usize = 16;
/// Bytes of a key that is no text.
const SIZES: [usize; 3] = [64, 48, 32];
/// Tokens of each hash that are tried.
const TOKENS: usize = 4;
/// Bytes that are looked at together.
const BLOCK: usize = 48;
/// As many and those behind them that the shortest wide text reaches to.
const SEEN: usize = BLOCK + 2 * TEXT.0;

/// Hunts for keys that sign tokens.
pub struct SigningKeys;

impl Hunter for SigningKeys {
    fn rules(&self) -> Vec<Rule> {
        HmacPads.rules()
    }

    fn needs(&self, clues: &Clues) -> bool {
        tokens(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        let mut by_hash: BTreeMap<Hash, Vec<Token>> = BTreeMap::new();
        tokens(clues).for_each(|token| by_hash.entry(token.hash).or_default().push(token));
        let mut left_out = false;
        let shortest = by_hash.into_values().flat_map(|mut tokens| {
            left_out |= tokens.len() > TOKENS;
            tokens.sort_by(|a, b| (a.message.len(), &a.message).cmp(&(b.message.len(), &b.message)));
            tokens.truncate(TOKENS);
            tokens
        });
        let tokens: Vec<Token> = shortest.collect();
        Box::new(Prepared { tokens, left_out })
    }
}

fn tokens(clues: &Clues) -> impl Iterator<Item = Token> + '_ {
    clues.iter().filter_map(|clue| match clue {
        Clue::SignedToken { hash, message, code } => {
            Some(Token { hash: *hash, message: message.clone(), code: code.clone() })
        }
        _ => None,
    })
}

struct Token {
    hash: Hash,
    message: Vec<u8>,
    code: Vec<u8>,
}

struct Prepared {
    tokens: Vec<Token>,
    /// Whether there are more.
    left_out: bool,
}

impl Hunt for Prepared {
    fn hunt(&self, window: &Window<'_>, memory: &AddressSpace, _image: &Image, out: &mut Hits) {
        // Of those that were tried no more than a number, with which nobody who makes a dump can reckon.
        let (mut tried, state) = (HashSet::new(), RandomState::new());
        for text in texts(window) {
            let letters = text.letters(window);
            if !is_likely(&letters) || !tried.insert(state.hash_one(&letters[..])) {
                continue;
            }
            if self.is_key(&letters) {
                out.hits.push(hit(Secret::text(&letters), text.range.clone(), text.encoding()));
            } else if let Some(bytes) = decoded(&letters).filter(|bytes| self.is_key(bytes)) {
                out.hits.push(hit(Secret::bytes(&bytes), text.range.clone(), Encoding::Base64));
            }
        }
        for grid in &ec_places::grids(window, memory) {
            grid.runs.iter().filter(|run| !run.is_long()).for_each(|run| self.hunt_run(window, grid, &run.range, out));
        }
    }

    fn notes(&self) -> Vec<String> {
        let note = "of the tokens that HMAC signs, only the shortest were used to look for the keys that sign them";
        self.left_out.then(|| note.to_owned()).into_iter().collect()
    }
}

impl Prepared {
    /// Tries the bytes of a run as keys: those that begin or end it, and inside of it those of dense words, as random bytes are.
    fn hunt_run(&self, window: &Window<'_>, grid: &ec_places::Grid, run: &Range<usize>, out: &mut Hits) {
        let owned = window.owned();
        for at in run.clone().step_by(dense::WORD).filter(|at| owned.contains(at)) {
            let key = |len: &usize| {
                let bytes = window.slice(at..at + len);
                let is_edge = || at == run.start || at + len == run.end;
                at + len <= run.end
                    && (grid.is_dense(at, len / dense::WORD) || is_edge())
                    && looks_random(bytes)
                    && self.is_key(bytes)
            };
            if let Some(len) = SIZES.iter().find(|len| key(len)) {
                out.hits.push(hit(Secret::bytes(window.slice(at..at + len)), at..at + len, Encoding::Plain));
            }
        }
    }

    fn is_key(&self, key: &[u8]) -> bool {
        self.tokens.iter().any(|token| token.hash.signs(key, &token.message, &token.code))
    }
}

/// A text in the window.
struct Text {
    range: Range<usize>,
    wide: bool,
}

impl Text {
    fn letters(&self, window: &Window<'_>) -> Zeroizing<Vec<u8>> {
        let step = if self.wide { 2 } else { 1 };
        Zeroizing::new(window.slice(self.range.clone()).iter().step_by(step).copied().collect())
    }

    fn encoding(&self) -> Encoding {
        if self.wide { Encoding::Utf16Le } else { Encoding::Plain }
    }
}

fn is_print(byte: u8) -> bool {
    byte.wrapping_sub(0x20) < 0x5f
}

/// What stands between values and is seldom part of one.
fn is_border(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b':'
    )
}

/// The texts that begin in the owned part of the window: whole ones, and the values in them.
fn texts(window: &Window<'_>) -> Vec<Text> {
    let owned = window.owned();
    let mut found = Vec::new();
    // A text is looked at from its beginning, which may stand before the owned part.
    let from = owned.start.saturating_sub(2 * TEXT.1);
    let bytes = window.slice(from..owned.end + 2 * TEXT.1);
    let mut at = 0;
    while at < bytes.len() {
        // Most memory is no text at all, which a block of bytes tells at once.
        let block = bytes.get(at..).and_then(|rest| rest.first_chunk());
        let begins = block.map_or(0, |block| begins_text(block).unwrap_or(BLOCK));
        if begins > 0 {
            at += begins;
            continue;
        }
        let narrow = bytes.iter().skip(at).take_while(|byte| is_print(**byte)).count();
        if narrow >= TEXT.0 {
            pieces(bytes, at, narrow, 1, &mut found);
            at += narrow;
            continue;
        }
        let (pairs, _) = bytes.get(at..).unwrap_or_default().as_chunks::<2>();
        let wide = pairs.iter().take_while(|[low, high]| is_print(*low) && *high == 0).count();
        if wide >= TEXT.0 {
            pieces(bytes, at, wide, 2, &mut found);
        }
        at += (2 * wide).max(narrow).max(1);
    }
    let place = |text: Text| Text { range: text.range.start + from..text.range.end + from, wide: text.wide };
    found.into_iter().map(place).filter(|text| owned.contains(&text.range.start)).collect()
}

/// Where in the first [`BLOCK`] bytes a text of [`TEXT`] letters or more begins, of either width: without branches up to there, so
/// that it becomes vector code.
#[multiversion(targets("x86_64+avx2"))]
fn begins_text(seen: &[u8; SEEN]) -> Option<usize> {
    let (mut narrow, mut wide) = ([0_u8; SEEN], [0_u8; SEEN]);
    narrow.iter_mut().zip(seen).for_each(|(letter, byte)| *letter = u8::from(is_print(*byte)));
    wide.copy_from_slice(&narrow);
    wide.iter_mut().zip(seen.iter().skip(1)).for_each(|(letter, behind)| *letter &= u8::from(*behind == 0));
    let narrow = and_behind::<4>(&and_behind::<2>(&and_behind::<1>(&narrow)));
    let wide = and_behind::<8>(&and_behind::<4>(&and_behind::<2>(&wide)));
    let mut any = narrow;
    any.iter_mut().zip(&wide).for_each(|(any, wide)| *any |= wide);
    any.iter().take(BLOCK).fold(0, |all, any| all | any).checked_sub(1)?;
    any.iter().take(BLOCK).position(|any| *any != 0)
}

/// Each bit and the one so far behind it; the last ones are zeros.
#[inline(always)]
fn and_behind<const BY: usize>(bits: &[u8; SEEN]) -> [u8; SEEN] {
    let mut both = [0; SEEN];
    let behind = bits.iter().skip(BY);
    both.iter_mut().zip(bits).zip(behind).for_each(|((both, bit), behind)| *both = bit & behind);
    both
}

/// Of a text of `len` letters at `start`, one every `step` bytes, itself and the values in it.
fn pieces(bytes: &[u8], start: usize, len: usize, step: usize, found: &mut Vec<Text>) {
    let letter = |i: usize| bytes.get(start + step * i).copied().unwrap_or(0);
    let mut add = |letters: Range<usize>| {
        if (TEXT.0..=TEXT.1).contains(&letters.len()) {
            found.push(Text { range: start + step * letters.start..start + step * letters.end, wide: step == 2 });
        }
    };
    add(0..len);
    // Behind what is no value, up to the next one: whole, and behind the sign that stands between a name and its value.
    let mut from = 0;
    for to in (0..=len).filter(|to| *to == len || is_border(letter(*to))) {
        if to - from < len {
            add(from..to);
        }
        let equal = (from..to).find(|i| letter(*i) == b'=').filter(|equal| equal + 1 < to);
        equal.into_iter().for_each(|equal| add(equal + 1..to));
        from = to + 1;
    }
    // Strings of JavaScript and of others say how long they are before they begin, and the next object may begin with a letter.
    let said = start.checked_sub(4).and_then(|at| bytes.get(at..start)?.first_chunk().copied()).map(u32::from_le_bytes);
    if let Some(said) = said.and_then(|said| usize::try_from(said).ok()).filter(|said| *said < len) {
        add(0..said);
    }
}

/// Whether a text may be a key: see above.
fn is_likely(letters: &[u8]) -> bool {
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |b| !b.is_ascii_alphanumeric()];
    let kinds = kinds.into_iter().filter(|is| letters.iter().any(is)).count();
    let is_name = letters.iter().any(|b| matches!(b, b'/' | b'.' | b'$')) && !letters.iter().any(u8::is_ascii_digit);
    kinds >= if letters.len() < LONG { 3 } else { 2 } && !is_name
}

/// What a text is in base64 of any kind, if it is one.
fn decoded(letters: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(letters).ok().filter(|text| text.len() >= LONG)?;
    let all = [Base64::decode_vec, Base64Unpadded::decode_vec, Base64Url::decode_vec, Base64UrlUnpadded::decode_vec];
    all.into_iter().find_map(|decode| decode(text).ok()).map(Zeroizing::new)
}

fn hit(secret: Secret, range: Range<usize>, encoding: Encoding) -> Hit {
    let context = vec!["signs JSON Web Tokens".to_owned()];
    Hit {
        rule: hmac_pads::RULE.to_owned(),
        severity: None,
        evidence: Evidence::Proven,
        public: PublicIdentity { kind: "HMAC".to_owned(), context, ..PublicIdentity::default() },
        secret,
        range,
        form: Form { layout: Layout::Bare, encoding, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;
    use crate::span::Span;

    fn clues_for(key: &[u8]) -> Clues {
        let mut clues = Clues::new(10);
        assert!(!SigningKeys.needs(&clues));
        let message = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzdmMifQ".to_vec();
        let code = Hash::Sha256.code(key, &message)[..16].to_vec();
        clues.add(Clue::SignedToken { hash: Hash::Sha256, message, code });
        clues
    }

    /// What is found, window after window of so many bytes.
    fn hunt(key: &[u8], bytes: &[u8], size: usize) -> Vec<Hit> {
        let clues = clues_for(key);
        assert!(SigningKeys.needs(&clues));
        let hunt = SigningKeys.prepare(&clues);
        let (mut out, image) = (Hits::default(), Image::from_bytes("t", Vec::new()));
        let pieces = [Span::new(0, bytes.len() as u64)];
        for from in (0..bytes.len()).step_by(size) {
            let window = Window::new(bytes, from..(from + size).min(bytes.len()), &pieces, &[]);
            hunt.hunt(&window, &AddressSpace::new(&[]), &image, &mut out);
        }
        out.hits
    }

    fn wide(text: &[u8]) -> Vec<u8> {
        text.iter().flat_map(|byte| [*byte, 0]).collect()
    }

    #[test]
    fn a_text_is_found_however_it_stands() {
        let key = b"SgaWXKpO8tb5R5Et7Rc3G42Y";
        let around = |before: &[u8], behind: &[u8]| [&[0; 9][..], before, key, behind, &[0; 9]].concat();
        let said = (key.len() as u32).to_le_bytes();
        let places = [
            (&b""[..], &b""[..]),
            (b"JWT_SECRET=", b""),
            (b"{\"secret\": \"", b"\"}"),
            (b"key: ", b" # of 2024"),
            (&said, b"q\x1b"),
        ];
        for (before, behind) in places {
            for size in [400, 17] {
                let found = hunt(key, &around(before, behind), size);
                let start = 9 + before.len();
                assert!(!found.is_empty(), "{before:?}");
                assert!(found.iter().all(|hit| hit.range == (start..start + key.len())));
            }
        }
        let found = hunt(key, &[&[0; 9][..], &wide(key), &[0; 9]].concat(), 400);
        assert_eq!((found[0].range.clone(), found[0].form.encoding), (9..9 + 2 * key.len(), Encoding::Utf16Le));
    }

    #[test]
    fn what_the_base64_of_a_key_is_and_bytes_in_a_pool_are_found() {
        let key = noise(32, 5);
        let letters = Base64::encode_string(&key);
        let found = hunt(&key, &[&[0; 16][..], letters.as_bytes(), &[0; 16]].concat(), 400);
        assert_eq!((found[0].range.clone(), found[0].form.encoding), (16..16 + letters.len(), Encoding::Base64));
        assert_eq!(found[0].secret.identity(), Secret::bytes(&key).identity());
        for len in SIZES {
            let key = noise(len, 6);
            let pool = [&[0; 800][..], &noise(24, 7), &key, &noise(40, 8), &[0; 800]].concat();
            let found = hunt(&key, &pool, 4096);
            assert!(found.len() == 1 && found[0].range == (824..824 + len));
        }
    }

    #[test]
    fn blocks_in_which_a_text_begins_equal_the_scalar_reference() {
        let mut random = noise(200_000, 21).into_iter();
        let mut next = || random.next().unwrap();
        for round in 0..2000 {
            let mut seen: [u8; SEEN] = std::array::from_fn(|_| if next() < 200 { b'a' } else { 0 });
            if round % 2 == 0 {
                let parity = usize::from(next() & 1);
                seen.iter_mut().enumerate().filter(|(i, _)| i % 2 == parity).for_each(|(_, b)| *b &= next() >> 7);
            }
            let is_text = |at: usize, step: usize| {
                (0..TEXT.0).all(|i| is_print(seen[at + step * i]) && (step == 1 || seen[at + step * i + 1] == 0))
            };
            let want = (0..BLOCK).find(|&at| is_text(at, 1) || is_text(at, 2));
            assert_eq!(begins_text(&seen), want, "{seen:?}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        let bytes = [&[0; 9][..], b"SgaWXKpO8tb5R5Et7Rc3G42Z", &[0; 30], &noise(200, 3)].concat();
        assert!(hunt(b"SgaWXKpO8tb5R5Et7Rc3G42Y", &bytes, 400).is_empty());
    }
}
