//! Values of fields of objects of OpenJDK 9 to 20, which have no names beside them: only their class knows what its fields are called, and where
//! in an object each of them is.
//!
//! The name of a field is a symbol, to which the pool of constants of its class has a pointer. The pool leads to the class, and this
//! back to it; the class has for each field the places in the pool of its name and of its type, and how far into an object
//! it is. Classes that extend it have the field at the same place, and are found from it. In one more walk come the objects of all these classes.
//!
//! An object has a class as a number of four bytes, from where classes begin: that is a whole number of 64 KiB, so the lower half of the number is
//! that of the class's address, and the rest follows from the object. It is right if the number in the value is that of a class
//! which is called `java/lang/String`, or as an array of letters is. Not known are classes in numbers of eight bytes.
//!
//! Source: `symbol.hpp`, `constantPool.hpp`, `klass.hpp`, `instanceKlass.hpp` and `fieldInfo.hpp` of OpenJDK 11 and 17.

use multiversion::multiversion;

use super::java::{self, NARROW, WIDE, WIDTHS, Width, half};
use super::reader::{Reader, is_pointer};
use super::{Followed, Runtime, Target, Value, What};
use crate::finding::Encoding;
use crate::hunt::dense::{self, LANES, WORD};

/// What leads from names of fields to objects that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The symbol that is the name.
    Name,
    /// A class whose objects have the field.
    Class(Field),
}

/// Where an object has a value, and what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    offset: u32,
    holds: Holds,
}

/// What a field has a pointer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    /// A string.
    Text,
    /// An array of letters, of two bytes each.
    Letters,
    /// An array of bytes.
    Octets,
}

/// Entries of a pool before a name.
const ENTRIES: u64 = 1 << 14;
/// Where a pool has the word that ends with the number of its entries, which bits of that are zero, and where entries begin.
const POOLS: [(u64, u64, u64); 2] = [(56, 0xffff_0000, 72), (48, 0xffff_ff00, 64)];
/// The tag of an entry that is a symbol.
const SYMBOL: u8 = 1;
/// Where a class has what it got from its class file.
const PARTS: std::ops::Range<u64> = 104..640;
/// Numbers of two bytes that tell of a field: flags, name, type, the value it begins with, and where it is in two halves.
const RECORD: usize = 6;
/// That a field is of the class and not of its objects.
const STATIC: u16 = 8;
/// Where a class says how far into it the pointer to itself is, and where its name.
const CLASSES: [(u64, u64); 3] = [(20, 24), (16, 24), (12, 16)];
/// From the name to the first class that extends this one, and to the next that extends the same as this one.
const EXTENDED: u64 = 104;
const SIBLING: u64 = 112;
/// Classes that extend one, at most.
const EXTENDING: usize = 1 << 10;
/// Steps that a look at an object costs.
const COST: usize = 16;

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        let pool = Pool::of(pointer, reader).filter(|_| *self == Self::Name)?;
        let field = pool.field(reader)?;
        let class = |address| Target { address, what: What::Fields(Self::Class(field)), name: target.name.clone() };
        Some(Followed::All(family(pool.class, reader).into_iter().map(class).collect()))
    }
}

/// A pool of constants, and one of its entries.
struct Pool {
    /// The class whose it is.
    class: u64,
    /// Where entries begin.
    entries: u64,
    /// Which of them it is.
    index: u64,
}

impl Pool {
    /// The one that has a pointer to a symbol at this address.
    fn of(pointer: u64, reader: &Reader<'_>) -> Option<Self> {
        for index in (1..ENTRIES).take_while(|_| reader.step(1)) {
            let entries = pointer.checked_sub(WORD as u64 * index)?;
            reader.word(entries)?;
            let pool = |layout| Self::at(entries, index, layout, reader);
            if let Some(pool) = POOLS.into_iter().find_map(pool) {
                return Some(pool);
            }
        }
        None
    }

    /// The one whose entries begin here, if it is a pool in which that entry is a symbol.
    fn at(entries: u64, index: u64, (len, zeros, header): (u64, u64, u64), reader: &Reader<'_>) -> Option<Self> {
        let start = entries.checked_sub(header)?;
        let word = reader.word(start + len).filter(|word| word & zeros == 0)?;
        let all = word >> 32;
        let pointer = |at| reader.word(start + at).filter(|word| is_pointer(*word));
        let has_all = (index + 1..=1 << 16).contains(&all);
        let (tags, class) = if has_all { (pointer(8)?, pointer(24)?) } else { return None };
        let has_tags = reader.read(tags, 4).and_then(|tags| half(&tags, 0)).is_some_and(|len| u64::from(len) == all);
        let is_symbol = || reader.read(tags + 4 + index, 1).is_some_and(|tag| tag == [SYMBOL]);
        let of_class = || parts(class, reader).any(|part| part == start);
        (has_tags && is_symbol() && of_class()).then_some(Self { class, entries, index })
    }

    /// The field that has this name.
    fn field(&self, reader: &Reader<'_>) -> Option<Field> {
        let size = reader.word(self.class + 8)? & 0xffff_ffff;
        parts(self.class, reader).filter(|part| is_pointer(*part)).find_map(|fields| {
            let len = reader.read(fields, 4).and_then(|len| half(&len, 0))?;
            let len = usize::try_from(len).ok().filter(|len| (RECORD..1 << 14).contains(len))?;
            let bytes = reader.read(fields + 4, 2 * len as u64)?;
            let numbers: Vec<u16> = bytes.as_chunks().0.iter().map(|number| u16::from_le_bytes(*number)).collect();
            numbers.as_chunks::<RECORD>().0.iter().find_map(|record| self.of_record(*record, size, reader))
        })
    }

    fn of_record(&self, record: [u16; RECORD], size: u64, reader: &Reader<'_>) -> Option<Field> {
        let [flags, name, of_type, _, low, high] = record;
        let offset = (u32::from(high) << 16 | u32::from(low)) >> 2;
        let is_there = low & 3 == 1 && offset.is_multiple_of(4) && (8..size).contains(&u64::from(offset));
        if u64::from(name) != self.index || flags & STATIC != 0 || !is_there {
            return None;
        }
        let of_type = symbol(reader.word(self.entries + WORD as u64 * u64::from(of_type))?, reader)?;
        let holds = match of_type.as_slice() {
            b"Ljava/lang/String;" | b"Ljava/lang/Object;" | b"Ljava/lang/CharSequence;" => Holds::Text,
            b"[C" => Holds::Letters,
            b"[B" => Holds::Octets,
            _ => return None,
        };
        Some(Field { offset, holds })
    }
}

/// The words in which a class has what it got from its class file.
fn parts(class: u64, reader: &Reader<'_>) -> impl Iterator<Item = u64> {
    PARTS.step_by(WORD).filter_map(move |at| reader.word(class.checked_add(at)?))
}

/// The letters of a symbol: behind a count of references and a hash there is how many they are.
fn symbol(address: u64, reader: &Reader<'_>) -> Option<Vec<u8>> {
    let head = reader.read(Some(address).filter(|address| is_pointer(*address))?, 6)?;
    let len = head.get(4..).and_then(|len| len.first_chunk().copied()).map(u16::from_le_bytes)?;
    reader.read(address + 6, u64::from(len).min(64))
}

/// A class and all that extend it.
fn family(class: u64, reader: &Reader<'_>) -> Vec<u64> {
    let mut all = vec![class];
    let Some((name, itself)) = layout(class, reader) else { return all };
    let first = |class: u64| reader.word(class + name + EXTENDED).filter(|class| is_pointer(*class));
    let mut left: Vec<u64> = first(class).into_iter().collect();
    while let Some(next) = left.pop() {
        // Each class has pointers to those that it extends at the places at which they have them themselves.
        if all.len() > EXTENDING || reader.word(next + itself) != Some(class) || all.contains(&next) {
            continue;
        }
        all.push(next);
        left.extend(first(next));
        left.extend(reader.word(next + name + SIBLING).filter(|class| is_pointer(*class)));
    }
    all
}

/// Where a class has its name, and where a pointer to itself.
fn layout(class: u64, reader: &Reader<'_>) -> Option<(u64, u64)> {
    let head = reader.read(class, 24)?;
    CLASSES.into_iter().find_map(|(at, name)| {
        let itself = half(&head, at as usize).map(u64::from).filter(|at| (32..128).contains(at) && at % 8 == 0)?;
        (reader.word(class + itself) == Some(class)).then_some((name, itself))
    })
}

/// Classes whose objects have values.
pub struct Classes {
    /// The lower half of the number that objects have, and the class.
    all: Vec<(u16, Target, Field)>,
    /// One bit for each such half.
    filter: Box<[u64; 1 << 10]>,
}

/// How numbers of classes become addresses.
#[derive(Clone, Copy)]
struct Scale {
    base: u64,
    shift: u32,
}

impl Scale {
    /// The one by which this number is that class.
    fn of(number: u32, class: u64) -> Option<Self> {
        let number = u64::from(number);
        let is_far = || class.checked_sub(number).filter(|base| base % (1 << 16) == 0);
        match class == number << 3 {
            true => Some(Self { base: 0, shift: 3 }),
            false => is_far().map(|base| Self { base, shift: 0 }),
        }
    }

    /// Whether the object with this head is of the class with a name.
    fn is_of(self, head: &[u8], name: &[u8], reader: &Reader<'_>) -> bool {
        let class = half(head, 8).and_then(|number| self.base.checked_add(u64::from(number) << self.shift));
        let called = |at| {
            let called = class.and_then(|class| reader.word(class.checked_add(at)?));
            called.and_then(|called| symbol(called, reader)).is_some_and(|letters| letters == name)
        };
        java::is_state(head) && CLASSES.into_iter().any(|(_, at)| called(at))
    }
}

impl Classes {
    /// The classes among these targets, which are taken out; none where there are none.
    pub fn of(targets: &mut Vec<Target>) -> Option<Self> {
        let (mut all, mut filter) = (Vec::new(), Box::new([0_u64; 1 << 10]));
        targets.retain(|target| {
            let What::Fields(Holder::Class(field)) = target.what else { return true };
            let lower = [target.address as u16, (target.address >> 3) as u16];
            all.extend(lower.map(|lower| (lower, target.clone(), field)));
            false
        });
        all.sort();
        all.dedup();
        for (lower, ..) in &all {
            let word = filter.iter_mut().skip(usize::from(*lower) / 64).take(1);
            word.for_each(|word| *word |= 1 << (lower % 64));
        }
        (!all.is_empty()).then_some(Self { all, filter })
    }

    /// Calls `found` for every object of `bytes` that may be of a class, with where it begins, the number of its class, and the class.
    pub fn all<'a>(&'a self, bytes: &[u8], mut found: impl FnMut(usize, u32, &'a (u16, Target, Field))) {
        for (block, at) in bytes.chunks(WORD * LANES).zip((0..).step_by(WORD * LANES)) {
            let mut left = states(&dense::whole(block));
            while left != 0 {
                let object = at + WORD * left.trailing_zeros() as usize;
                left &= left - 1;
                let number = half(bytes, object + WORD).unwrap_or(0);
                self.with(number as u16).for_each(|class| found(object, number, class));
            }
        }
    }

    fn with(&self, lower: u16) -> impl Iterator<Item = &(u16, Target, Field)> {
        let word = self.filter.get(usize::from(lower) / 64).copied().unwrap_or(0);
        let may_be = word >> (lower % 64) & 1 == 1;
        let from = if may_be { self.all.partition_point(|(other, ..)| *other < lower) } else { usize::MAX };
        self.all.get(from..).unwrap_or_default().iter().take_while(move |(other, ..)| *other == lower)
    }
}

/// One bit for each word with which an object may begin: where a program asked for the hash of one, that is in the word too.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "x86_64+sse4.2"))]
fn states(block: &[u8; WORD * LANES]) -> u64 {
    let mut mask = 0;
    for (i, word) in block.as_chunks::<WORD>().0.iter().enumerate() {
        mask |= u64::from(u64::from_le_bytes(*word) & (!0 << 39 | 3) == 1) << i;
    }
    mask
}

/// The value of the object at an address, whose class has this number, if it is of this class.
pub fn value(
    object: u64,
    number: u32,
    (_, target, field): &(u16, Target, Field),
    reader: &Reader<'_>,
) -> Option<Followed> {
    let scale = Scale::of(number, target.address).filter(|_| reader.step(COST))?;
    let bytes = reader.read(object.checked_add(u64::from(field.offset))?, 8)?;
    WIDTHS.into_iter().find_map(|width| {
        let pointed = java::pointed(&bytes, 0, width)?;
        let is_of = |head: &[u8], name: &str| scale.is_of(head, name.as_bytes(), reader);
        let (array, class) = match field.holds {
            Holds::Text => {
                let layouts = if matches!(width, Width::Eight) { WIDE } else { NARROW };
                let head = reader.read(pointed, 32).filter(|head| is_of(head, "java/lang/String"))?;
                let has_array = |array: &u64| reader.read(*array, 16).is_some_and(|head| is_of(&head, "[B"));
                let arrays = layouts.iter().filter(|layout| head.get(layout.coder) == Some(&0));
                (arrays.filter_map(|layout| java::pointed(&head, layout.array, width)).find(has_array)?, "[B")
            }
            Holds::Letters => (pointed, "[C"),
            Holds::Octets => (pointed, "[B"),
        };
        let head = reader.read(array, 16).filter(|head| is_of(head, class))?;
        let (at, len) = (array + 16, half(&head, 12)? as usize);
        if reader.is_told(object, at) {
            return None;
        }
        let found = match field.holds {
            Holds::Letters => {
                let places = vec![(at, 2 * len as u64)];
                Followed::Value(Value { text: reader.wide_text(at, len)?, places, encoding: Encoding::Utf16Le })
            }
            Holds::Octets => Followed::text(reader.text(at, len).or_else(|| reader.key(at, len))?, at),
            Holds::Text => Followed::text(reader.text(at, len)?, at),
        };
        reader.tell(object, at);
        Some(found)
    })
}
