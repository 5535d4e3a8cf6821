//! Values of hashes of Perl.
//!
//! An element has three words: the next one, a pointer to the key, and one to the value. Keys are kept once for all hashes, with a hash and their length in front;
//! nothing else points there, eight bytes before the letters, but elements. A value that is text has a body with its length, and a
//! pointer to the letters.
//!
//! Source: `struct he`, `struct hek` in hv.h, `struct sv`, `struct xpv` and `svtype` in sv.h, of Perl 5.12 and later, in a process of 64 bits in
//! little-endian order.

use super::reader::{Reader, is_address, is_pointer};
use super::{Followed, Runtime, Target};

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key;

/// That a value is text, and the kinds of values that may be.
const IS_TEXT: u64 = 0x400;
const TEXTS: [u64; 4] = [3, 5, 6, 7];

impl Runtime for Key {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let next = reader.word(pointer.checked_sub(8)?)?;
        let value = reader.word(pointer.checked_add(8)?).filter(|value| is_pointer(*value))?;
        if next != 0 && !is_pointer(next) || reader.is_told(target.address, value) {
            return None;
        }
        let (body, state) = (reader.word(value)?, reader.word(value + 8)?);
        let (count, flags) = (state & 0xffff_ffff, state >> 32);
        let letters = reader.word(value + 16).filter(|letters| is_address(*letters))?;
        let is_text = count != 0 && flags & IS_TEXT != 0 && TEXTS.contains(&(flags & 0xff)) && is_pointer(body);
        let len = is_text.then(|| reader.word(body + 16)).flatten()?;
        let text = reader.letters(letters, usize::try_from(len).ok()?)?;
        reader.tell(target.address, value);
        Some(Followed::text(text, letters))
    }
}
