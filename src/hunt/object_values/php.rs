//! Values of arrays and of properties of objects of PHP.
//!
//! An array's element with a key is 32 bytes: the value, its kind, the key's hash, and a pointer to the key. The hash is worked out
//! of the letters alone, so what has it beside a pointer to the name is an element. A class has such an array of its properties, of which each
//! leads to how far into an object the value stands, and of what class; classes that extend it have it there too.
//!
//! Source: `struct _Bucket`, `struct _zval_struct`, `struct _zend_string`, `struct _zend_object` in Zend/zend_types.h, `zend_inline_hash_func` in
//! Zend/zend_string.h, `struct _zend_property_info` in Zend/zend_compile.h, `struct _zend_class_entry` in Zend/zend.h. Of a process of 64 bits in little-endian order.

use super::reader::{Reader, is_pointer};
use super::{Followed, Runtime, Target, What};
use crate::detect::object_names::Kind;

/// What values belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A string that is a name.
    Name,
    /// A class, and how far into its objects the value stands.
    Class(u64),
}

/// Kinds of values.
const STRING: u64 = 6;
const OBJECT: u64 = 8;
const REFERENCE: u64 = 10;
const POINTER: u64 = 13;
/// Bytes of an object before its first property.
const OBJECT_HEAD: u64 = 40;

impl Runtime for Holder {
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
        match self {
            Self::Name => {
                let element = pointer.checked_sub(24)?;
                reader.word(element + 16).filter(|word| *word == hash(&target.name))?;
                if reader.word(element + 8)? & 0xff == POINTER {
                    return property(reader.word(element)?, target, reader);
                }
                value(element, target, reader)
            }
            Self::Class(offset) => {
                let object = pointer.checked_sub(16)?;
                // A class has its parent where an object has its class.
                if is_class(object, reader) {
                    let what = What::Php(*self);
                    return Some(Followed::Further(Target { address: object, what, name: target.name.clone() }));
                }
                let is_object = reader.word(object).is_some_and(|head| head >> 32 & 0xf == OBJECT);
                is_object.then(|| value(object + offset, target, reader)).flatten()
            }
        }
    }
}

/// The text of the value at an address.
fn value(at: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    let kind = reader.word(at.checked_add(8)?)? & 0xff;
    let object = reader.word(at).filter(|object| is_pointer(*object))?;
    match kind {
        STRING if !reader.is_told(target.address, object) => {
            let head = reader.read(object, Kind::Php.header() as u64)?;
            let at = object + head.len() as u64;
            let letters = reader.letters(at, Kind::Php.length(&head)?)?;
            reader.tell(target.address, object);
            Some(Followed::text(letters, at))
        }
        // What it refers to is no reference again.
        REFERENCE if reader.word(object + 16)? & 0xff == STRING => value(object + 8, target, reader),
        _ => None,
    }
}

/// The class of a property, whose description stands at an address.
fn property(at: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed> {
    let offset = reader.word(at).filter(|_| is_pointer(at))? & 0xffff_ffff;
    let is_property = (OBJECT_HEAD..1 << 14).contains(&offset) && (offset - OBJECT_HEAD).is_multiple_of(16);
    // Before 8.0 it had no attributes.
    let mut classes = [32, 24].into_iter().filter_map(|before| reader.word(at + before));
    let address = classes.find(|class| is_property && is_class(*class, reader))?;
    let what = What::Php(Holder::Class(offset));
    Some(Followed::Further(Target { address, what, name: target.name.clone() }))
}

/// Whether a class stands there: of the program or of a module, and with a name.
fn is_class(address: u64, reader: &Reader<'_>) -> bool {
    let origin = || reader.word(address).map_or(0, |word| word & 0xff);
    let name = || reader.word(address + 8).filter(|name| is_pointer(*name));
    let has_name = || name().and_then(|name| reader.read(name, Kind::Php.header() as u64));
    is_pointer(address)
        && (1..=2).contains(&origin())
        && has_name().is_some_and(|head| Kind::Php.length(&head).is_some())
}

/// The hash of a key.
fn hash(letters: &[u8]) -> u64 {
    let step = |hash: u64, letter: &u8| hash.wrapping_mul(33).wrapping_add(u64::from(*letter));
    letters.iter().fold(5381, step) | 1 << 63
}
