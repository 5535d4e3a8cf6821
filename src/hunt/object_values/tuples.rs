//! Values of named tuples of CPython (`collections.namedtuple`, `typing.NamedTuple`), which have no names in them at all.
//!
//! The dict of their class has an object for each name that says how far into the tuple the value stands. The dict's table leads to
//! the dict, the dict to the class, and the class to those that extend it and to its instances.
//!
//! Source: `_tuplegetterobject` in Modules/_collectionsmodule.c (3.8 and later), `PyTupleObject` in Include/cpython/tupleobject.h,
//! `PyTypeObject` in Include/cpython/object.h, `PyDictObject` in Include/cpython/dictobject.h.

use super::attributes::{FLAGS, SIZE, instance, is_object};
use super::python::{self, ENTRIES, Strings, Table};
use super::reader::{Reader, is_pointer};
use super::{Followed, Runtime, Target, What};

/// What leads from names to tuples; the number is how many values stand before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The table of a dict of a class.
    Table(Strings, u64),
    /// The dict.
    Dict(Strings, u64),
    /// The class.
    Class(Strings, u64),
}

/// Values of a tuple at most.
const MOST: u64 = 1 << 10;
/// Where a class has the size of its items, the class that it extends, and its dict.
const ITEM: u64 = 40;
const BASE: u64 = 256;
const DICT: u64 = 264;
/// That it was made by a program, and that its instances are tuples.
const WANTED: u64 = 1 << 9 | 1 << 26;
/// Bytes of an object that tells of a name, and of a tuple without its values.
const GETTER: u64 = 32;
const TUPLE: u64 = 24;

/// What a name leads to that is a key of such a dict, whose value is `beside`.
pub fn of_name(strings: Strings, pointer: u64, beside: u64, target: &Target, reader: &Reader<'_>) -> Option<Target> {
    let index = index(beside, reader)?;
    let Table { address, .. } = ENTRIES.into_iter().find_map(|entries| python::table(pointer, entries, reader))?;
    Some(Holder::Table(strings, index).at(address, target))
}

/// What an object says of the place of a value, if it is one that says that.
fn index(getter: u64, reader: &Reader<'_>) -> Option<u64> {
    let class = reader.word(Some(getter).filter(|getter| is_pointer(*getter))? + 8)?;
    let index = reader.word(getter + 16).filter(|index| *index < MOST)?;
    let has_text = reader.word(getter + 24).is_some_and(is_pointer);
    let has_size = || reader.word(class + SIZE) == Some(GETTER) && reader.word(class + ITEM) == Some(0);
    (has_text && is_pointer(class) && has_size()).then_some(index)
}

impl Holder {
    /// What to look for pointers to, under the same name.
    fn at(self, address: u64, target: &Target) -> Target {
        Target { address, what: What::Tuples(self), name: target.name.clone() }
    }
}

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        match *self {
            Self::Table(strings, index) => {
                let dict = pointer.checked_sub(32).filter(|dict| is_object(*dict, reader))?;
                Some(Followed::Further(Self::Dict(strings, index).at(dict, target)))
            }
            Self::Dict(strings, index) => {
                let class = pointer.checked_sub(DICT).filter(|class| is_class(*class, reader))?;
                Some(Followed::Further(Self::Class(strings, index).at(class, target)))
            }
            Self::Class(strings, index) => {
                if let Some(class) = pointer.checked_sub(BASE).filter(|class| is_class(*class, reader)) {
                    return Some(Followed::Further(self.at(class, target)));
                }
                let tuple = instance(pointer, reader)?;
                let has_value = reader.word(tuple + 16).is_some_and(|len| (index + 1..=MOST).contains(&len));
                let value = has_value.then(|| reader.word(tuple + TUPLE + 8 * index)).flatten()?;
                strings.value(value, target, reader, || true)
            }
        }
    }
}

/// Whether a class of tuples stands there.
fn is_class(address: u64, reader: &Reader<'_>) -> bool {
    let is = |at: u64, fits: &dyn Fn(u64) -> bool| reader.word(address + at).is_some_and(fits);
    is_object(address, reader)
        && is(FLAGS, &|flags| flags & WANTED == WANTED)
        && is(ITEM, &|size| size == 8)
        && is(SIZE, &|size| (TUPLE..1 << 12).contains(&size))
}
