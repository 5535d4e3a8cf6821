//! Values of hashes and of instance variables of Ruby.
//!
//! A name leads to its symbol: the table of all symbols has each beside its string, in the order of their numbers, and a symbol that was made of a
//! text later has a pointer to that. A hash has the value behind the key. One of up to eight entries is in an allocation of just that size, or behind
//! a pointer to the hash; entries of others have a hash of the key before it, which is as long as a word, where a list has the object before.
//! Of an instance variable a class says which of those of its instances it is.
//!
//! Source: `struct RString`, `struct RObject`, `struct RSymbol` in include/ruby/internal/core and internal/symbol.h, `get_id_serial_entry` and
//! `enum ruby_id_types` in symbol.c and id.h, `struct st_table_entry` in st.c, `ar_table_pair` in hash.c, `struct transient_alloc_header` in
//! transient_heap.c, `struct rb_iv_index_tbl_entry` in internal/class.h. Of Ruby 3.1, in a process of 64 bits in little-endian order: from 3.2 on
//! strings and instances are laid out otherwise.

use super::reader::{Reader, is_address, is_pointer};
use super::{Followed, Runtime, Target, What};
use crate::detect::object_names::Kind;
use crate::vault::SecretBytes;

/// What leads from a name to values; each has the class of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A string that is a name.
    Name(u64),
    /// The symbol of a name.
    Symbol(u64),
    /// The number of the name of an instance variable.
    Variable(u64),
    /// A class, and which of the variables of its instances it is.
    Class(u64, u64),
}

/// Kinds of objects, in the lowest five bits of the first word.
const KIND: u64 = 0x1f;
const OBJECT: u64 = 1;
const CLASS: u64 = 2;
const STRING: u64 = 5;
const ARRAY: u64 = 7;
const HASH: u64 = 8;
const SYMBOL: u64 = 0x14;
/// That the variables of an instance or the items of an array are in it, and that letters are not.
const EMBEDDED: u64 = 1 << 13;
const APART: u64 = 1 << 13;
/// That a string is kept once for all of the same letters, as keys of hashes are.
const SHARED: u64 = 1 << 29;
/// Variables that an instance has room for, and how many there may be at most.
const IN_OBJECT: u64 = 3;
const MOST: u64 = 1 << 10;
/// Entries of a small hash, and the bytes of an allocation of glibc that holds so many, without what its lowest bits tell.
const SMALL: u64 = 8;
const ALLOCATION: u64 = 0x90;

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let lead_on = |address, holder| {
            let name = target.name.clone();
            Some(Followed::Further(Target { address, what: What::Ruby(holder), name }))
        };
        match *self {
            Self::Name(class) => match symbol(pointer, reader) {
                // A variable of an instance has a number where all else has a symbol.
                Some(symbol) if is_static(symbol) && symbol >> 8 & 0xe == 2 => {
                    lead_on(symbol >> 8, Self::Variable(class))
                }
                Some(symbol) => lead_on(symbol, Self::Symbol(class)),
                None => {
                    let is_key = reader.word(target.address).is_some_and(|flags| flags & SHARED != 0);
                    let value = || reader.word(pointer.checked_add(8)?);
                    is_key.then(value).flatten().and_then(|at| value_of_key(pointer, at, class, target, reader))
                }
            },
            Self::Symbol(class) => value_of_key(pointer, reader.word(pointer.checked_add(8)?)?, class, target, reader),
            Self::Variable(class) => {
                let entry = reader.word(pointer.checked_add(8)?).filter(|entry| is_pointer(*entry))?;
                let index = reader.word(entry)? & 0xffff_ffff;
                let owner = reader.word(entry + 16).filter(|owner| is(CLASS, *owner, reader))?;
                if index < MOST { lead_on(owner, Self::Class(class, index)) } else { None }
            }
            Self::Class(class, index) => {
                let object = pointer.checked_sub(8).filter(|object| is(OBJECT, *object, reader))?;
                let is_embedded = reader.word(object)? & EMBEDDED != 0;
                let has = if is_embedded { IN_OBJECT } else { reader.word(object + 16)?.min(MOST) };
                let first = if is_embedded { object + 16 } else { reader.word(object + 24)? };
                let variable = first.checked_add(8 * index).filter(|at| index < has && is_pointer(*at))?;
                value(reader.word(variable)?, class, target, reader)
            }
        }
    }
}

/// Whether an object of a kind stands at an address.
fn is(kind: u64, object: u64, reader: &Reader<'_>) -> bool {
    is_pointer(object) && reader.word(object).is_some_and(|flags| flags & KIND == kind)
}

/// Whether a word is a symbol whose number is in it.
fn is_static(symbol: u64) -> bool {
    symbol & 0xff == 0xc && symbol >> 40 == 0
}

/// The symbol to which a pointer to its string belongs.
fn symbol(pointer: u64, reader: &Reader<'_>) -> Option<u64> {
    if let Some(object) = pointer.checked_sub(24).filter(|object| is(SYMBOL, *object, reader)) {
        return Some(object);
    }
    let beside = reader.word(pointer.checked_add(8)?).filter(|symbol| is_static(*symbol))?;
    // Its neighbours in the table of all have the next numbers. In a hash that has a symbol as a value, none does.
    let has_number = |at: Option<u64>, number: u64| {
        at.and_then(|at| reader.word(at)).is_some_and(|other| is_static(other) && other >> 12 == number)
    };
    let number = beside >> 12;
    let is_in_table =
        has_number(pointer.checked_sub(8), number.wrapping_sub(1)) || has_number(pointer.checked_add(24), number + 1);
    is_in_table.then_some(beside)
}

/// The value of a key of a hash.
fn value_of_key(key: u64, at: u64, class: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    let at = only(at, reader).unwrap_or(at);
    if !is(STRING, at, reader) {
        return None;
    }
    // What no object's address, number or symbol looks like.
    let has_hash = || {
        let before = key.checked_sub(8).and_then(|before| reader.word(before)).unwrap_or(0);
        before >> 48 != 0 && before >> 48 != 0xffff
    };
    let is_small = || (0..SMALL).any(|before| is_table(key.wrapping_sub(16 * before), reader));
    (has_hash() || is_small()).then(|| value(at, class, target, reader)).flatten()
}

/// The only item of an array that has it in itself: so `Net::HTTP` keeps the fields of a header.
fn only(array: u64, reader: &Reader<'_>) -> Option<u64> {
    let flags = reader.word(array).filter(|_| is(ARRAY, array, reader))?;
    let has_one = flags & EMBEDDED != 0 && flags >> 15 & 3 == 1;
    has_one.then(|| reader.word(array + 16)).flatten()
}

/// Whether the entries of a small hash begin here.
fn is_table(first: u64, reader: &Reader<'_>) -> bool {
    let Some(before) = first.checked_sub(8).and_then(|before| reader.word(before)) else { return false };
    before & !7 == ALLOCATION || is(HASH, before, reader) && reader.word(before + 16) == Some(first)
}

/// The text that is a string at an address, if it was not told yet.
fn value(at: u64, class: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    // The table of all strings has each as its own value.
    let is_new = at != target.address && !reader.is_told(target.address, at);
    if !is_new || !is(STRING, at, reader) || reader.word(at + 8) != Some(class) {
        return None;
    }
    let (text, at_letters) = text(at, reader)?;
    reader.tell(target.address, at);
    Some(Followed::text(text, at_letters))
}

/// The letters of a string, and where they stand.
fn text(string: u64, reader: &Reader<'_>) -> Option<(SecretBytes, u64)> {
    if reader.word(string)? & APART == 0 {
        let head = reader.read(string, Kind::Ruby.header() as u64)?;
        let at = string + head.len() as u64;
        return Some((reader.letters(at, Kind::Ruby.length(&head)?)?, at));
    }
    let len = usize::try_from(reader.word(string + 16)?).ok()?;
    let at = reader.word(string + 24).filter(|at| is_address(*at))?;
    Some((reader.text(at, len).or_else(|| reader.key(at, len))?, at))
}
