//! Values of local variables of CPython 3.11 to 3.13: of functions that are running, of generators and coroutines that wait, and of those that a
//! function keeps of the one that made it (closures).
//!
//! The names of all variables of a function stand in a tuple, to which its code has a pointer; each call has a frame, with a pointer to the
//! code, and the values in the order of the names. A variable that functions within the function use too is in a cell, to which
//! the frame has a pointer. A function that uses such variables of another has pointers to their cells in a tuple, whether it runs or not; among its
//! names they are the last.
//!
//! Source: `PyCodeObject` in Include/cpython/code.h, `PyFunctionObject` in Include/cpython/funcobject.h, `_PyInterpreterFrame` in Include/internal/pycore_frame.h, `PyCellObject` in
//! Include/cpython/cellobject.h; of 3.11, 3.12 and 3.13.

use super::attributes::is_object;
use super::python::Strings;
use super::reader::{Reader, is_address, is_pointer};
use super::{Followed, Runtime, Target, What};
use crate::detect::object_names::Kind;

/// What leads from names to frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A tuple of names: which of them it is, and of how many.
    Names(Strings, u64, u64),
    /// Code: which of its variables it is, of how many, and whether that is in a cell.
    Code(Strings, u64, u64, bool),
}

/// Variables of a function at most.
const MOST: u64 = 1 << 8;
/// Letters of a value at least.
const SHORTEST: usize = 8;
/// Where a tuple has its length and its items.
const LENGTH: u64 = 16;
const ITEMS: u64 = 24;
/// Where code has the names of its variables, and what kinds of variables those are.
const NAMES: u64 = 96;
const KINDS: u64 = 104;
/// Bits of the kind of a variable that is in a cell.
const IN_CELL: u8 = 0x40 | 0x80;
/// Where a frame has its values, and how many there are or that it is running.
const VALUES: u64 = 72;
const DEPTH: u64 = 64;
/// Where a function has its code, and the cells of variables of others.
const CODE: u64 = 48;
const CLOSURE: u64 = 72;

/// The tuple of names of variables of which this pointer to a name may be one.
pub fn of_name(strings: Strings, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Target> {
    // What comes before the names is how many they are, and none of them is at so low an address.
    let index = (0..MOST).find(|index| {
        let before = pointer.checked_sub(8 * (index + 1)).and_then(|at| reader.word(at));
        before.is_none_or(|word| !is_pointer(word))
    })?;
    let tuple = pointer.checked_sub(ITEMS + 8 * index)?;
    let len = reader.word(tuple + LENGTH).filter(|len| (index + 1..=MOST).contains(len))?;
    let is_string = |name: u64| is_pointer(name) && reader.word(name + 8) == Some(strings.class);
    let ends = [0, len - 1].map(|at| reader.word(tuple + ITEMS + 8 * at));
    let has_names = ends.into_iter().all(|name| name.is_some_and(is_string)) && is_object(tuple, reader);
    has_names.then(|| Holder::Names(strings, index, len).at(tuple, target))
}

impl Holder {
    /// What to look for pointers to, under the same name.
    fn at(self, address: u64, target: &Target) -> Target {
        Target { address, what: What::Locals(self), name: target.name.clone() }
    }
}

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        match *self {
            Self::Names(strings, index, len) => {
                let code = pointer.checked_sub(NAMES).filter(|code| is_object(*code, reader))?;
                let count = reader.word(code + 72)?;
                let count = if strings.kind == Kind::Python311 { count >> 32 } else { count & 0xffff_ffff };
                let kinds = reader.word(code + KINDS).filter(|kinds| count == len && is_pointer(*kinds))?;
                let has_kinds = reader.word(kinds + LENGTH) == Some(len);
                let kind = reader.read(kinds + 32 + index, 1).filter(|_| has_kinds)?;
                let is_in_cell = kind.first().is_some_and(|kind| kind & IN_CELL != 0);
                Some(Followed::Further(Self::Code(strings, index, len, is_in_cell).at(code, target)))
            }
            Self::Code(strings, index, len, is_in_cell) => {
                let of_frame = || in_frame(pointer, index, is_in_cell, strings, reader);
                let of_closure = || in_closure(pointer, len - index, reader).filter(|_| is_in_cell);
                let values = [of_frame(), of_closure()].into_iter().flatten();
                let mut found = values.filter_map(|value| strings.value(value, target, reader, || true));
                found.next().filter(|found| matches!(found, Followed::Value(value) if is_mixed(value.text.expose())))
            }
        }
    }
}

/// The value of a variable in the frame that has this pointer to its code.
fn in_frame(pointer: u64, index: u64, is_in_cell: bool, strings: Strings, reader: &Reader<'_>) -> Option<u64> {
    let before = if strings.kind == Kind::Python311 { 32 } else { 0 };
    let frame = pointer.checked_sub(before).filter(|frame| is_frame(*frame, strings, reader))?;
    let value = reader.word(frame + VALUES + 8 * index).filter(|value| is_pointer(*value))?;
    if is_in_cell { reader.word(value + 16) } else { Some(value) }
}

/// The value of a variable of another in the function that has this pointer to its code; it is the so many-th from the last.
fn in_closure(pointer: u64, from_last: u64, reader: &Reader<'_>) -> Option<u64> {
    let function = pointer.checked_sub(CODE).filter(|function| is_object(*function, reader))?;
    let cells = reader.word(function + CLOSURE).filter(|cells| is_pointer(*cells) && is_object(*cells, reader))?;
    let index = reader.word(cells + LENGTH).filter(|len| *len <= MOST)?.checked_sub(from_last)?;
    let cell = reader.word(cells + ITEMS + 8 * index).filter(|cell| is_pointer(*cell) && is_object(*cell, reader))?;
    reader.word(cell + 16)
}

/// Whether a value is more than a word. What functions that have returned left of their frames is there too, and a variable of a parser is called `token`
/// as one of a login is.
fn is_mixed(value: &[u8]) -> bool {
    value.len() >= SHORTEST && value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic)
}

/// Whether a frame may stand there: it has global variables and those of the language, and a depth of its stack.
fn is_frame(frame: u64, strings: Strings, reader: &Reader<'_>) -> bool {
    let globals = if strings.kind == Kind::Python311 { [8, 16] } else { [24, 32] };
    let has = |at| reader.word(frame + at).is_some_and(|dict| is_pointer(dict) && is_object(dict, reader));
    let runs = |at| reader.word(frame + at).is_some_and(is_address);
    let depth = reader.word(frame + DEPTH).map_or(-2, |word| word as u32 as i32);
    globals.into_iter().all(has) && runs(56) && (-1..1 << 16).contains(&depth)
}
