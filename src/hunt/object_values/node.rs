//! Values of objects of V8, as Node.js has it: properties of objects, of instances of classes and of those that are kept as a dictionary,
//! entries of `Map`, and variables that functions hold on to.
//!
//! Pointers have one added to them, and small numbers stand in the upper half of a word. An object's first word is its map, which tells its
//! kind and leads to an array of descriptors: of each property the name and where the value stands, in the object or in an array of its own. So a
//! name leads to descriptors, those to the maps that share them, and a map to objects. Dictionaries and `Map`s have name and value
//! beside each other. A function's scope has the names of the variables that functions within it use, and leads to contexts, which have the values.
//!
//! A string may be a part of another one, several in a row, or in a place of its own. Not followed are those of more than [`PIECES`] pieces, and
//! scopes of more than 75 variables, whose names stand in a table.
//!
//! A value is a string, or a `Buffer` or another array of octets (`js-array-buffer.tq`).
//!
//! Source: src/objects/ of V8 10.2, 11.3 and 12.4, of a process of 64 bits without compressed pointers: `map.tq`, `descriptor-array.tq`,
//! `property-details.h`, `property-array.tq`, `dictionary.h`, `ordered-hash-table.h`, `property-cell.tq`, `scope-info.tq`, `contexts.h`, `string.tq`,
//! `instance-type.h`.

use std::ops::Range;

use zeroize::Zeroizing;

use super::reader::{Reader, Run, is_address, is_pointer};
use super::{Followed, Runtime, Target, VALUES, Value, What};
use crate::finding::Encoding;
use crate::vault::SecretBytes;

/// What leads from names to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A string that is a name, or a symbol that is called so.
    Name,
    /// An array of descriptors: which of them it is, and which of the values.
    Descriptors(u64, u64),
    /// A map, and where its objects have the value.
    Map(Place),
    /// A scope, and which of its variables it is.
    Scope(u64),
}

/// Where an object has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// So many bytes into the object.
    Within(u64),
    /// So many values into the array of its own.
    Array(u64),
}

/// Bytes of an entry of a dictionary or of a `Map`, and of a descriptor.
const ENTRY: u64 = 24;
/// Pieces of a string.
const PIECES: usize = 64;
/// The kind of a symbol; what is less is a string.
const SYMBOL: u64 = 0x80;
/// Numbers in front of the entries of a dictionary.
const PREFIX: std::ops::RangeInclusive<u64> = 4..=8;
/// Buckets of a `Map`, as a logarithm.
const BUCKETS: std::ops::RangeInclusive<u32> = 1..=24;
/// Slots of a context before those of variables.
const SLOTS: u64 = 2;

/// The address that a word is a pointer to.
fn pointed(word: u64) -> Option<u64> {
    word.checked_sub(1).filter(|address| is_pointer(*address))
}

/// The number that a word is.
fn number(word: u64) -> Option<u64> {
    (word << 32 == 0).then_some(word >> 32)
}

impl Holder {
    /// What to look for pointers to, under the same name.
    fn at(self, address: u64, target: &Target) -> Followed {
        Followed::Further(Target { address: address + 1, what: What::Node(self), name: target.name.clone() })
    }
}

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        match *self {
            Self::Name => of_name(pointer, target, reader),
            Self::Descriptors(index, field) => {
                let map = pointer.checked_sub(40)?;
                let place = place(map, index, field, reader)?;
                Some(Self::Map(place).at(map, target))
            }
            Self::Map(_) if !is_object(pointer, reader) => None,
            Self::Map(Place::Within(at)) => value(reader.word(pointer + at)?, target, reader),
            Self::Map(Place::Array(index)) => {
                let array = pointed(reader.word(pointer + 8)?)?;
                // Beside the length there is the hash of the object.
                let len = number(reader.word(array + 8)?)? & 0x3ff;
                let value_at = (index < len).then(|| reader.word(array + 16 + 8 * index)).flatten()?;
                value(value_at, target, reader)
            }
            Self::Scope(index) => {
                let context = pointer.checked_sub(16)?;
                let slots = reader.word(context + 8).and_then(number).filter(|_| has_map(context, reader))?;
                let slot = (SLOTS + index < slots).then(|| reader.word(pointer + 8 * (SLOTS + index))).flatten()?;
                value(slot, target, reader)
            }
        }
    }
}

/// What a pointer to a name is part of.
fn of_name(pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    let [second, third] = [8, 16].map(|at| reader.word(pointer + at));
    let (second, third) = (second?, third?);
    let beside = match (number(second), number(third)) {
        (None, Some(_)) if is_in_table(pointer, reader) => value(second, target, reader),
        // Global variables have a cell each.
        (Some(_), None) if has_map(pointer.checked_sub(8)?, reader) => value(third, target, reader),
        _ => None,
    };
    let of_property = || descriptor(pointer, number(second)?, target, reader);
    let of_variable = || scope(pointer, target, reader);
    beside.or_else(of_property).or_else(of_variable).or_else(|| symbol(pointer, target, reader))
}

/// The symbol that has this pointer to what it is called: private names of classes are such.
fn symbol(pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    let symbol = pointer.checked_sub(16)?;
    let is_symbol = kind(reader.word(symbol)?, reader)? == SYMBOL;
    is_symbol.then(|| Holder::Name.at(symbol, target))
}

/// The descriptors of which this is one that says where the value is.
fn descriptor(pointer: u64, details: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    // A property with functions to get and set it has no place, nor has one whose value is the same in all objects.
    if details & 0x21 != 0 {
        return None;
    }
    let is_descriptor = |at| is_tagged(at, reader) && reader.word(at + 8).and_then(number).is_some();
    let (first, before) = reader.first(Run::Descriptors, pointer, ENTRY, is_descriptor);
    let array = first.checked_sub(ENTRY)?;
    let counts = reader.word(array + 8)?;
    let (all, used) = (counts & 0xffff, counts >> 16 & 0xffff);
    let fits = has_map(array, reader) && counts >> 48 == 0 && before < used && used <= all;
    fits.then(|| Holder::Descriptors(before, details >> 19 & 0x3ff).at(array, target))
}

/// Where objects of a map have a value, if a map stands there that has this descriptor.
fn place(map: u64, index: u64, field: u64, reader: &Reader<'_>) -> Option<Place> {
    let [size, start, _, _, low, high, ..] = reader.word(map + 8)?.to_le_bytes();
    let own = reader.word(map + 16)? >> 10 & 0x3ff;
    let is_object = u64::from(u16::from_le_bytes([low, high])) > SYMBOL && (3..=size).contains(&start);
    if !is_object || index >= own || !has_map(map, reader) {
        return None;
    }
    let (start, within) = (u64::from(start), u64::from(size - start));
    Some(if field < within { Place::Within(8 * (start + field)) } else { Place::Array(field - within) })
}

/// The scope of which this is the name of a variable.
fn scope(pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    let (first, before) = reader.first(Run::Names, pointer, 8, |at| is_tagged(at, reader));
    let variables = number(reader.word(first.checked_sub(8)?)?)?;
    let (flags, scope) = (first.checked_sub(24)?, first.checked_sub(32)?);
    let is_number = |at| reader.word(at).and_then(number).is_some();
    // Behind the names stands something about each.
    let ends = || is_number(first + 8 * variables) && is_number(first + 8 * (2 * variables - 1));
    let begins = || is_number(flags) && is_number(flags + 8) && has_map(scope, reader);
    let fits = (before + 1..1 << 10).contains(&variables) && ends() && begins();
    fits.then(|| Holder::Scope(before).at(scope, target))
}

/// Whether an entry with a key at this address is one of a dictionary or of a `Map`.
fn is_in_table(key: u64, reader: &Reader<'_>) -> bool {
    // Free entries have the same word three times.
    let is_entry = |at| {
        let third = || reader.word(at + 16);
        is_tagged(at, reader) && (third().and_then(number).is_some() || third() == reader.word(at))
    };
    let (first, before) = reader.first(Run::Entries, key, ENTRY, is_entry);
    let back = |words: u64| first.checked_sub(8 * words).and_then(|at| reader.word(at)).and_then(number);
    let is_dictionary = |prefix: u64| {
        let slots = back(prefix - 2).filter(|slots| slots.is_power_of_two() && before < *slots);
        slots.is_some_and(|slots| back(prefix + 1) == Some(prefix + 3 * slots))
    };
    let is_map = |buckets: u64| back(buckets + 1) == Some(buckets) && back(buckets + 4) == Some(3 + 7 * buckets);
    PREFIX.into_iter().any(is_dictionary) || BUCKETS.map(|log| 1 << log).any(is_map)
}

/// Whether an object with this pointer to its map has what each has behind it: values apart or a hash, and elements. Both are arrays with a length:
/// maps that point to other maps have descriptors there.
fn is_object(pointer: u64, reader: &Reader<'_>) -> bool {
    let has_length = |address| reader.word(address + 8).and_then(number).is_some();
    let is_array = |address: u64| has_map(address, reader) && has_length(address);
    let is_there = |word: u64| pointed(word).is_some_and(is_array);
    let [apart, elements] = [8, 16].map(|at| reader.word(pointer + at));
    apart.is_some_and(|word| number(word).is_some() || is_there(word)) && elements.is_some_and(is_there)
}

/// Whether an object begins there.
fn has_map(address: u64, reader: &Reader<'_>) -> bool {
    reader.word(address).is_some_and(|map| kind(map, reader).is_some())
}

fn is_tagged(address: u64, reader: &Reader<'_>) -> bool {
    reader.word(address).and_then(pointed).is_some()
}

/// What kind of objects a word says that they are, if it is a pointer to a map: the map of that one is a map of maps, and so is the map of that.
fn kind(word: u64, reader: &Reader<'_>) -> Option<u64> {
    let map_of = |map: u64| reader.word(map).and_then(pointed);
    let kind = |map: u64| reader.word(map + 8).map(|word| word >> 32 & 0xffff);
    let map = pointed(word)?;
    let of_maps = map_of(map)?;
    (kind(of_maps)? == kind(map_of(of_maps)?)?).then(|| kind(map)).flatten()
}

/// The value that a word is a pointer to, if it was not told yet.
fn value(word: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    if word == target.address || reader.is_told(target.address, word) {
        return None;
    }
    let object = pointed(word)?;
    let found = match kind(reader.word(object)?, reader)? {
        ..SYMBOL => {
            let len = reader.word(object + 8)? >> 32;
            let mut pieces = Pieces::default();
            usize::try_from(len).ok().filter(|len| VALUES.contains(len))?;
            pieces.add(word, 0..len, reader)?;
            Followed::Value(pieces.value(reader)?)
        }
        _ => octets(object, reader)?,
    };
    reader.tell(target.address, word);
    Some(found)
}

/// The octets of a `Buffer` or an array of such: behind what every object has, and the buffer that it is a part of, there are where it begins in
/// that one and how many bytes it has, from V8 11 on something else, how many elements, and two numbers that make an address.
fn octets(object: u64, reader: &Reader<'_>) -> Option<Followed> {
    let len = reader.word(object + 40)?;
    let is_view = reader.word(object + 24).and_then(pointed).is_some_and(|buffer| has_map(buffer, reader));
    let count = [48, 56].into_iter().find(|at| is_view && reader.word(object + at) == Some(len))?;
    let at = reader.word(object + count + 8)?.checked_add(reader.word(object + count + 16)?)?;
    let len = usize::try_from(len).ok().filter(|_| is_address(at))?;
    let octets = reader.text(at, len).or_else(|| reader.key(at, len))?;
    Some(Followed::text(octets, at))
}

/// Where the letters of a string stand.
#[derive(Default)]
struct Pieces {
    /// Where each begins, how many letters it has, and whether those have two bytes.
    all: Vec<(u64, u64, bool)>,
    /// How many strings were looked at.
    looked: usize,
}

impl Pieces {
    /// Adds some letters of a string.
    fn add(&mut self, word: u64, cut: Range<u64>, reader: &Reader<'_>) -> Option<()> {
        self.looked += 1;
        let string = pointed(word).filter(|_| self.looked <= 2 * PIECES)?;
        let kind = kind(reader.word(string)?, reader).filter(|kind| *kind < SYMBOL)?;
        let len = reader.word(string + 8)? >> 32;
        let [second, third] = [16, 24].map(|at| move || reader.word(string + at));
        match kind & 7 {
            _ if cut.is_empty() => Some(()),
            _ if cut.end > len => None,
            // In one place, here and elsewhere.
            0 => self.letters(string + 16, kind, cut),
            2 if kind & 0x10 == 0 => self.letters(third().filter(|at| is_address(*at))?, kind, cut),
            // Two in a row.
            1 => {
                let seam = reader.word(pointed(second()?)? + 8)? >> 32;
                self.add(second()?, cut.start.min(seam)..cut.end.min(seam), reader)?;
                self.add(third()?, cut.start.saturating_sub(seam)..cut.end.saturating_sub(seam), reader)
            }
            // A part of another one, and another one.
            3 => {
                let from = number(third()?)?;
                self.add(second()?, cut.start + from..cut.end + from, reader)
            }
            5 => self.add(second()?, cut, reader),
            _ => None,
        }
    }

    fn letters(&mut self, at: u64, kind: u64, cut: Range<u64>) -> Option<()> {
        let is_wide = kind & 8 == 0;
        self.all.push((at + (cut.start << u32::from(is_wide)), cut.end - cut.start, is_wide));
        (self.all.len() <= PIECES).then_some(())
    }

    /// The text that they are, if it is one.
    fn value(&self, reader: &Reader<'_>) -> Option<Value> {
        let bytes = |&(at, len, is_wide): &(u64, u64, bool)| (at, len << u32::from(is_wide));
        let mut text = Zeroizing::new(Vec::with_capacity(*VALUES.end()));
        for piece in &self.all {
            let (at, len) = bytes(piece);
            let letters = Zeroizing::new(reader.read(at, len)?);
            let step = 1 + usize::from(piece.2);
            if step == 2 && letters.iter().skip(1).step_by(2).any(|byte| *byte != 0) {
                return None;
            }
            text.extend(letters.iter().step_by(step));
        }
        let is_text = VALUES.contains(&text.len()) && text.iter().all(|letter| (b' '..=b'~').contains(letter));
        let is_wide = self.all.iter().all(|(_, _, is_wide)| *is_wide);
        let encoding = if is_wide { Encoding::Utf16Le } else { Encoding::Plain };
        let places = self.all.iter().map(bytes).collect();
        is_text.then(|| Value { text: SecretBytes::new(text.as_slice()), places, encoding })
    }
}
