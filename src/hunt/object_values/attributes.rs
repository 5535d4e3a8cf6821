//! Values of attributes of instances of CPython, which stand apart from their names: the instances of a class share one table of names.
//!
//! A table of names without values leads to dicts that have values of their own (`ma_values`), and from 3.11 on to the class that has it as
//! `ht_cached_keys`; a class leads to its instances. Those of 3.11 have a pointer to their values 32 bytes before the object, those of 3.12 one of
//! which 1 is taken away 24 bytes before it, and those of 3.13 have the values behind the object's two words. A class with `__slots__` has a descriptor for
//! each, which says of what class it is and how far into the instance the value stands.
//!
//! Source: `PyHeapTypeObject` in Include/cpython/object.h, `PyDictObject` in Include/cpython/dictobject.h, `_PyObject_ValuesPointer`,
//! `_PyDictOrValues_GetValues` and `_PyObject_InlineValues` in Include/internal/pycore_object.h, `struct _dictvalues` in
//! Include/internal/pycore_dict.h, `PyMemberDescrObject` in Include/cpython/descrobject.h.

use super::python::{self, SHARED, Strings, Table};
use super::reader::{Reader, is_pointer};
use super::{Followed, Runtime, Target, What};
use crate::detect::object_names::Kind;

/// What holds names of attributes, or leads from them to instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A table of names; which of them it is, and whether the table is of a version before 3.11.
    Table(Strings, u64, bool),
    /// A class with such a table.
    Class(Strings, u64),
    /// A class with slots, and how far into an instance the value stands.
    Slots(Strings, u64),
}

/// Values that a dict has of a table that instances share.
const MOST: u64 = 128;
/// Where a class says how many bytes an instance has, and what it can.
pub const SIZE: u64 = 32;
pub const FLAGS: u64 = 168;
/// That it was made by a program, and that its instances have values apart from their names.
const WANTED: u64 = 1 << 9 | 1 << 4;
/// The kind of a slot (`Py_T_OBJECT_EX`).
const SLOT: u64 = 16;

/// What a pointer to a name leads to, if that is no value; `beside` is the word behind it.
pub fn of_name(strings: Strings, pointer: u64, beside: u64, target: &Target, reader: &Reader<'_>) -> Option<Target> {
    let name = || target.name.clone();
    if let Some((address, offset)) = slot(strings, pointer, target, reader) {
        return Some(Target { address, what: What::Attributes(Holder::Slots(strings, offset)), name: name() });
    }
    // A table has no values, and a key that was taken out is gone.
    let mut entries = SHARED.into_iter().filter(|_| beside == 0);
    let Table { address, index, is_old } = entries.find_map(|entries| python::table(pointer, entries, reader))?;
    Some(Target { address, what: What::Attributes(Holder::Table(strings, index, is_old)), name: name() })
}

/// The class and the offset that the descriptor tells that has this pointer to its name.
fn slot(strings: Strings, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<(u64, u64)> {
    let member = reader.word(pointer.checked_add(16)?).filter(|member| is_pointer(*member))?;
    let class = reader.word(pointer.checked_sub(8)?).filter(|class| is_pointer(*class))?;
    // Its name is that of the descriptor, as letters.
    let has_name = reader.word(member)? == target.address + strings.kind.header() as u64;
    let is_object = || reader.word(member + 8).is_some_and(|kind| kind & 0xffff_ffff == SLOT);
    let offset = || reader.word(member + 16).filter(|offset| *offset < 1 << 12 && offset.is_multiple_of(8));
    (has_name && is_object()).then(offset).flatten().map(|offset| (class, offset))
}

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let (strings, value) = match *self {
            Self::Table(strings, index, is_old) => {
                let class = || class_of(strings, pointer, reader).filter(|_| !is_old);
                match class() {
                    Some(address) => {
                        let what = What::Attributes(Holder::Class(strings, index));
                        return Some(Followed::Further(Target { address, what, name: target.name.clone() }));
                    }
                    None => (strings, in_dict(pointer, index, strings, reader)?),
                }
            }
            Self::Class(strings, index) => (strings, in_instance(instance(pointer, reader)?, index, strings, reader)?),
            Self::Slots(strings, offset) => (strings, reader.word(instance(pointer, reader)? + offset)?),
        };
        strings.value(value, target, reader, || true)
    }
}

/// The class that has this pointer to its table of names.
fn class_of(strings: Strings, pointer: u64, reader: &Reader<'_>) -> Option<u64> {
    let before = if strings.kind == Kind::Python311 { 872 } else { 880 };
    let class = pointer.checked_sub(before)?;
    let has_class = is_object(class, reader);
    let has_size = || reader.word(class + SIZE).is_some_and(|size| (16..1 << 20).contains(&size));
    let has_values = || reader.word(class + FLAGS).is_some_and(|flags| flags & WANTED == WANTED);
    (has_class && has_size() && has_values()).then_some(class)
}

/// The value in a dict that has this pointer to a table and one to values behind it.
fn in_dict(pointer: u64, index: u64, strings: Strings, reader: &Reader<'_>) -> Option<u64> {
    let values = reader.word(pointer.checked_add(8)?).filter(|values| is_pointer(*values))?;
    let used = reader.word(pointer.checked_sub(16)?)?;
    if !is_object(pointer.checked_sub(32)?, reader) || !(1..=MOST).contains(&used) {
        return None;
    }
    let has_head = strings.kind == Kind::Python312 && reader.word(values).is_some_and(|head| is_head(head, index));
    reader.word(values + 8 * (index + u64::from(has_head)))
}

/// The value that an instance has.
fn in_instance(object: u64, index: u64, strings: Strings, reader: &Reader<'_>) -> Option<u64> {
    if strings.kind == Kind::Python311 {
        let values = reader.word(object.checked_sub(32)?).filter(|values| is_pointer(*values))?;
        return reader.word(values + 8 * index);
    }
    let before = reader.word(object.checked_sub(24)?)?;
    if before % 2 == 1 && is_pointer(before + 1) {
        return reader.word(before + 1 + 8 * index);
    }
    // Values that went into a dict of their own are not there any more.
    let is_there = |head: u64| is_head(head, index) && head >> 16 == 0x0101;
    let has_values = reader.word(object.checked_add(16)?).is_some_and(is_there);
    has_values.then(|| reader.word(object + 24 + 8 * index)).flatten()
}

/// Whether the word says of values of 3.13 that there are more than `index`: room, how many, whether they are in the object, whether they hold.
fn is_head(head: u64, index: u64) -> bool {
    let [room, used, is_within, holds, rest @ ..] = head.to_le_bytes();
    let is_small = used <= room && is_within <= 1 && holds <= 1 && rest == [0; 4];
    is_small && index < u64::from(room)
}

/// The object that has this pointer to its class.
pub fn instance(pointer: u64, reader: &Reader<'_>) -> Option<u64> {
    pointer.checked_sub(8).filter(|object| is_counted(*object, reader))
}

/// Whether an object may stand there: references to it are counted, and its type is there.
pub fn is_object(address: u64, reader: &Reader<'_>) -> bool {
    let class = || reader.word(address + 8).filter(|class| is_pointer(*class));
    is_counted(address, reader) && class().is_some_and(|class| reader.word(class + 8).is_some_and(is_pointer))
}

/// Whether a count of references may stand there, and no pointer.
fn is_counted(address: u64, reader: &Reader<'_>) -> bool {
    let is_there = |count: u64| is_pointer(count) && reader.word(count).is_some();
    reader.word(address).is_some_and(|count| (1..1 << 32).contains(&count) && !is_there(count))
}
