//! Keys of HMAC that are nothing but a text or random bytes, proven by a JSON Web Token or a session of a web framework that they sign.
//!
//! Tried are texts as they stand, between bytes that are no letters and between the quotes, spaces and signs that configuration
//! puts around values, in ASCII and in UTF-16, also as what their base64 decodes to, which is how most libraries want keys to be
//! written; and 32, 48 or 64 bytes in runs that may be structures of keys ([`super::ec_places`]). A text that nobody would
//! call a key costs more than it is worth: one of less than 16 letters must have letters of three kinds, others of two, and paths,
//! names of classes and words among others are none without a digit, and names of symbols are none. Each try is two blocks of the hash and the token, so the shortest tokens are taken, a few of each
//! hash: tokens that another process signed are as short as those of this one.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use super::dense;
use super::ec_places::{Grid, Run};
use super::texts::{self, Text};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::hmac_pads::{self, HmacPads};
use crate::detect::{Detector as _, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule};
use crate::keys::limbs::Likeness;
use crate::keys::mac::{Hash, Signed};
use crate::vault::Secret;
use crate::window::Window;

/// Letters from which on two kinds of them are enough.
const LONG: usize = 16;
/// Bytes of a key that is no text.
const SIZES: [usize; 3] = [64, 48, SHORTEST];
const SHORTEST: usize = 32;
/// Tokens of each hash that are tried.
const TOKENS: usize = 4;
/// Places for texts that are known to be no keys: a process of Windows holds a hundred thousand, most of them five times.
const REJECTED: usize = 1 << 18;

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
        let mut by_hash: BTreeMap<Hash, Vec<Token<'_>>> = BTreeMap::new();
        tokens(clues).for_each(|(hash, message, code)| by_hash.entry(hash).or_default().push((message, code)));
        let mut left_out = false;
        let shortest = by_hash.into_iter().map(|(hash, mut tokens)| {
            left_out |= tokens.len() > TOKENS;
            tokens.sort_by_key(|(message, _)| (message.len(), *message));
            tokens.truncate(TOKENS);
            Signed::new(hash, tokens)
        });
        let tokens = shortest.collect();
        let sizes = SIZES.map(|len| (len, Likeness::new(len / dense::WORD)));
        Box::new(Prepared { tokens, sizes, rejected: Rejected::new(), left_out })
    }
}

/// What is signed, and how the code begins.
type Token<'a> = (&'a [u8], &'a [u8]);

/// The tokens that are signed with HMAC: the hash, what is signed, and how the code begins.
fn tokens(clues: &Clues) -> impl Iterator<Item = (Hash, &[u8], &[u8])> {
    clues.iter().filter_map(|clue| match clue {
        Clue::SignedToken { hash, message, code } => Some((*hash, message.as_slice(), code.as_slice())),
        _ => None,
    })
}

struct Prepared {
    /// Those of each hash.
    tokens: Vec<Signed>,
    /// Bytes of keys that are no text, and what they look like.
    sizes: [(usize, Likeness); SIZES.len()],
    rejected: Rejected,
    /// Whether there are more.
    left_out: bool,
}

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let window = shown.window;
        // One copy in each window is enough: all others are found once the key is known.
        let mut told = HashSet::new();
        texts::each(window, |Text { letters, range, wide, is_word }| {
            let number = if is_likely(letters, is_word) { self.rejected.number(letters) } else { return };
            if self.rejected.has(number) || told.contains(&number) {
                return;
            }
            let plain = if wide { Encoding::Utf16Le } else { Encoding::Plain };
            if let Some(hash) = self.signs(letters) {
                out.hits.push(hit(hash, Secret::text(letters), range, plain));
            } else if let Some((hash, bytes)) = decoded(letters).and_then(|bytes| Some((self.signs(&bytes)?, bytes))) {
                out.hits.push(hit(hash, Secret::bytes(&bytes), range, Encoding::Base64));
            } else {
                return self.rejected.add(number);
            }
            told.insert(number);
        });
        for grid in shown.grids() {
            grid.runs
                .iter()
                .filter(|run| run.is_random && !run.is_long())
                .for_each(|run| self.hunt_run(window, grid, run, out));
        }
    }

    fn notes(&self) -> Vec<String> {
        let note = "of the tokens that HMAC signs, only the shortest were used to look for the keys that sign them";
        self.left_out.then(|| note.to_owned()).into_iter().collect()
    }
}

impl Prepared {
    /// Tries the bytes of a run as keys: those that begin or end it, and inside of it those of dense words, as random bytes are.
    fn hunt_run(&self, window: &Window<'_>, grid: &Grid, run: &Run, out: &mut Hits) {
        let (owned, Range { start, end }) = (window.owned(), run.range.clone());
        let last = (end + 1).saturating_sub(SHORTEST);
        for at in (start..last).step_by(dense::WORD).filter(|at| owned.contains(at) && grid.is_random(window, run, *at))
        {
            let key = |(len, like): &&(usize, Likeness)| {
                let bytes = window.slice(at..at + len);
                let is_edge = || at == start || at + len == end;
                at + len <= end
                    && (grid.is_dense(at, len / dense::WORD) || is_edge())
                    && like.has(&dense::words(bytes))
                    && self.signs(bytes).is_some()
            };
            if let Some((len, _)) = self.sizes.iter().find(key) {
                let bytes = window.slice(at..at + len);
                let Some(hash) = self.signs(bytes) else { continue };
                out.hits.push(hit(hash, Secret::bytes(bytes), at..at + len, Encoding::Plain));
            }
        }
    }

    /// How a token is signed that this key signs.
    fn signs(&self, key: &[u8]) -> Option<Hash> {
        self.tokens.iter().find(|tokens| tokens.is_by(key)).map(Signed::hash)
    }
}

/// Whether a text may be a key: see above.
fn is_likely(letters: &[u8], is_word: bool) -> bool {
    let kinds = letters.iter().fold(0, |kinds, letter| kinds | KINDS.get(usize::from(*letter)).copied().unwrap_or(0));
    // A word among others, or one with the signs of paths and classes.
    let is_name = (is_word || kinds & NAME != 0) && kinds & DIGIT == 0;
    (kinds & !NAME).count_ones() >= if letters.len() < LONG { 3 } else { 2 } && !is_name && !is_mangled(letters)
}

/// A name as compilers of C++ write it into tables of symbols: `_ZN4node6Buffer`.
fn is_mangled(letters: &[u8]) -> bool {
    matches!(letters, [b'_', b'Z', b'N' | b'K' | b'T' | b'S' | b'G' | b'L' | b'0'..=b'9', ..])
}

/// Of letters: that one is a digit, and that one is a sign of names.
const DIGIT: u8 = 4;
const NAME: u8 = 16;
/// Of what kind each letter is.
static KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn kinds() -> [u8; 256] {
    let (mut kinds, mut at) = ([0; 256], 0);
    while at < kinds.len() {
        let letter = at as u8;
        kinds[at] = match letter {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => DIGIT,
            _ => 8,
        };
        if matches!(letter, b'/' | b'.' | b'$') {
            kinds[at] |= NAME;
        }
        at += 1;
    }
    kinds
}

/// Texts that are no keys, by a number with which nobody who makes a dump can reckon, so that what stands in memory many times is tried
/// once. One of a size that is fixed: what has no place in it any more is tried again.
struct Rejected {
    state: RandomState,
    places: Vec<AtomicU64>,
}

impl Rejected {
    fn new() -> Self {
        Self { state: RandomState::new(), places: std::iter::repeat_with(AtomicU64::default).take(REJECTED).collect() }
    }

    /// The number of a text.
    fn number(&self, letters: &[u8]) -> u64 {
        // Zero is where there is none.
        self.state.hash_one(letters).max(1)
    }

    fn place(&self, number: u64) -> Option<&AtomicU64> {
        self.places.get(number as usize % REJECTED)
    }

    fn has(&self, number: u64) -> bool {
        self.place(number).is_some_and(|place| place.load(Ordering::Relaxed) == number)
    }

    fn add(&self, number: u64) {
        self.place(number).into_iter().for_each(|place| place.store(number, Ordering::Relaxed));
    }
}

/// What a text is in base64 of any kind, if it is one.
fn decoded(letters: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(letters).ok().filter(|text| text.len() >= LONG)?;
    // Without padding and signs all kinds are one.
    let decode = match (text.ends_with('='), letters.iter().any(|letter| matches!(letter, b'-' | b'_'))) {
        (true, false) => Base64::decode_vec,
        (true, true) => Base64Url::decode_vec,
        (false, false) => Base64Unpadded::decode_vec,
        (false, true) => Base64UrlUnpadded::decode_vec,
    };
    decode(text).ok().map(Zeroizing::new)
}

fn hit(hash: Hash, secret: Secret, range: Range<usize>, encoding: Encoding) -> Hit {
    let context = vec![hash.signs_what().to_owned()];
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
    use crate::image::Image;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
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
            hunt.hunt(&Shown::new(&window, &AddressSpace::new(&[]), &image), &mut out);
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
    fn a_text_is_tried_once_and_told_once_in_each_window() {
        let (key, other) = (b"SgaWXKpO8tb5R5Et7Rc3G42Y", b"SgaWXKpO8tb5R5Et7Rc3G42Z");
        let bytes = [&[0; 9][..], other, &[0; 9], key, &[0; 9], other, &[0; 9], key, &[0; 9]].concat();
        let found: Vec<usize> =
            hunt(key, &[&bytes[..], &bytes].concat(), bytes.len()).iter().map(|hit| hit.range.start).collect();
        assert_eq!(found, [42, bytes.len() + 42]);
        let rejected = Rejected::new();
        let number = rejected.number(other);
        assert!(!rejected.has(number));
        rejected.add(number);
        assert!(rejected.has(number) && !rejected.has(rejected.number(key)));
    }

    #[test]
    fn base64_of_every_kind_is_decoded_as_any_decoder_does() {
        let all =
            [Base64::decode_vec, Base64Unpadded::decode_vec, Base64Url::decode_vec, Base64UrlUnpadded::decode_vec];
        for (len, seed) in (12..30).flat_map(|len| [(len, 1), (len, 2), (len, 3)]) {
            let bytes = noise(len, seed);
            let encoded = [Base64::encode_string(&bytes), Base64Url::encode_string(&bytes)];
            for text in encoded
                .iter()
                .flat_map(|text| [text.clone(), text.trim_end_matches('=').to_owned(), format!("{text}=")])
            {
                let want = all.iter().find_map(|decode| decode(&text).ok()).filter(|_| text.len() >= LONG);
                assert_eq!(decoded(text.as_bytes()).map(|bytes| bytes.to_vec()), want, "{text}");
            }
        }
    }

    #[test]
    fn likely_texts_are_those_that_a_plain_count_of_kinds_finds() {
        let kinds: [fn(&u8) -> bool; 4] =
            [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |b| !b.is_ascii_alphanumeric()];
        for (seed, len) in (0..400).flat_map(|seed| [(seed, 9), (seed, 20)]) {
            let few: Vec<u8> = noise(4, seed).iter().map(|b| b' ' + b % 0x5f).collect();
            let letters: Vec<u8> = noise(len, seed).iter().map(|b| few[usize::from(b % 4)]).collect();
            let count = kinds.into_iter().filter(|is| letters.iter().any(is)).count();
            let is_name = letters.iter().any(|b| b"/.$".contains(b)) && !letters.iter().any(u8::is_ascii_digit);
            let (digit, enough) = (letters.iter().any(u8::is_ascii_digit), count >= if len < 16 { 3 } else { 2 });
            assert_eq!(is_likely(&letters, false), enough && !is_name, "{letters:?}");
            assert_eq!(is_likely(&letters, true), enough && digit, "{letters:?}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        let bytes = [&[0; 9][..], b"SgaWXKpO8tb5R5Et7Rc3G42Z", &[0; 30], &noise(200, 3)].concat();
        assert!(hunt(b"SgaWXKpO8tb5R5Et7Rc3G42Y", &bytes, 400).is_empty());
    }
}
