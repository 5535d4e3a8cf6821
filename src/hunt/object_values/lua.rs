//! Values of tables of Lua.
//!
//! An entry has three words: the value, a word with what kind of value that is, what kind of key it has, and how far it is to the next entry of the
//! same place, and the key. Names are short strings, of which there is one of the same letters; global variables are such entries, too. A
//! value of up to 40 letters is such a string, and what is longer has its length behind its hash.
//!
//! Source: `union Node` and `struct TString` in lobject.h, `luaH_getshortstr` in ltable.c, of Lua 5.4, in a process of 64 bits in little-endian order.

use super::reader::{Reader, is_pointer};
use super::{Followed, Runtime, Target};
use crate::detect::object_names::Kind;

/// A string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key;

/// What an entry says of its value or its key where that is a short string or a long one; without the bit that says that it is collected, the same
/// stands in the string.
const SHORT: u8 = 0x44;
const LONG: u8 = 0x54;
const COLLECTED: u8 = 0x40;
/// How far it is to the next entry at most.
const FARTHEST: i32 = 1 << 26;

impl Runtime for Key {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let entry = pointer.checked_sub(16)?;
        let string = reader.word(entry).filter(|string| is_pointer(*string) && *string != target.address)?;
        let [kind, of_key, .., a, b, c, d] = reader.word(entry + 8)?.to_le_bytes();
        let next = i32::from_le_bytes([a, b, c, d]);
        let is_entry = [SHORT, LONG].contains(&kind) && of_key == SHORT && (-FARTHEST..FARTHEST).contains(&next);
        if !is_entry || reader.is_told(target.address, string) {
            return None;
        }
        let [its_kind, _, _, short, ..] = reader.word(string + 8)?.to_le_bytes();
        let len = if kind == SHORT { u64::from(short) } else { reader.word(string + 16)? };
        let letters = string + Kind::Lua.header() as u64;
        let fits = its_kind | COLLECTED == kind;
        let text = fits.then(|| reader.letters(letters, usize::try_from(len).ok()?)).flatten()?;
        reader.tell(target.address, string);
        Some(Followed::text(text, letters))
    }
}
