//! Values of objects of language runtimes, which stand wherever there was room: the password of a configuration may be far from the
//! name of which it is the value.
//!
//! The clue is a string that is such a name (see `detect::object_names`). The walk looks for pointers to it, and asks the runtime whose
//! string it is what such a pointer is part of: one file for each ([`python`], [`attributes`], [`tuples`], [`php`], [`perl`], [`ruby`], [`node`], [`locals`], [`java_fields`], [`lua`], [`dotnet`]; in [`java`] the hash of the
//! name leads to the entry). That is a value, or nothing, or something else to which pointers are looked for in one more walk, such as the
//! class whose instances have an attribute of this name.
//!
//! Cost: nothing where no such name is in the dump; else some comparisons for each word, which tell whether it may be a pointer to
//! where names stand. What else is read is paid for out of a budget for each window. One more walk there is only where
//! something was found that leads on, under a name of which a rule would take a value.

mod attributes;
mod dotnet;
mod java;
mod java_fields;
mod locals;
mod lua;
mod node;
mod perl;
mod php;
mod python;
mod reader;
mod ruby;
pub mod targets;
mod tuples;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::dense::{self, WORD};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::object_names::{self, Kind};
use crate::detect::{Hits, Named};
use crate::finding::{Encoding, Rule};
use crate::memory::Places;
use crate::span::{Address, FileOffset};
use crate::vault::SecretBytes;

use reader::{Reader, is_address, is_pointer};
use targets::Targets;

/// Letters of a value.
const VALUES: std::ops::RangeInclusive<usize> = 4..=4096;
/// Octets of a value that is a key: of AES, of a MAC, of what counts up one-time passwords, of a seed or a pair of keys.
const KEYS: [usize; 6] = [16, 20, 24, 32, 48, 64];
/// Bytes of a window for each block that may be read for it.
const READS: usize = 16;
/// How much there may be that leads on.
const MOST: usize = 1 << 14;
/// Walks at most: classes that extend each other take one each.
const WALKS: usize = 24;

/// Hunts for values of objects.
pub struct ObjectValues;

impl Hunter for ObjectValues {
    fn rules(&self) -> Vec<Rule> {
        // Rules of text judge what it finds.
        Vec::new()
    }

    fn needs(&self, clues: &Clues) -> bool {
        names(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Walk::of(Start::Names(names(clues).collect()), 0))
    }
}

/// Where names stand in the file, and what kind of string they are. Other programs have what looks like an array of OpenJDK, too.
fn names(clues: &Clues) -> impl Iterator<Item = (u64, Kind)> + '_ {
    let is_managed = clues.iter().any(|clue| *clue == Clue::ManagedHeap);
    clues.iter().filter_map(move |clue| match *clue {
        Clue::ObjectName { place, kind } if !matches!(kind, Kind::Java | Kind::JavaSymbol) || is_managed => {
            Some((place, kind))
        }
        _ => None,
    })
}

/// What a walk looks for pointers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Its address.
    address: u64,
    /// What it is.
    what: What,
    /// The letters of the name that led there.
    name: Vec<u8>,
}

/// What stands at an address, by the runtime whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A string of CPython.
    Python(python::Strings),
    /// What has names of attributes.
    Attributes(attributes::Holder),
    /// What leads from a name to values of V8.
    Node(node::Holder),
    /// What leads from a name to named tuples.
    Tuples(tuples::Holder),
    /// A string of PHP, or a class.
    Php(php::Holder),
    /// A key of Perl.
    Perl(perl::Key),
    /// What leads from a name to values of Ruby.
    Ruby(ruby::Holder),
    /// What leads from the name of a variable of CPython to frames.
    Locals(locals::Holder),
    /// What leads from the name of a field of OpenJDK to objects.
    Fields(java_fields::Holder),
    /// A string of Lua.
    Lua(lua::Key),
    /// A string of .NET or Mono.
    DotNet(dotnet::Key),
}

impl What {
    fn runtime(&self) -> &dyn Runtime {
        match self {
            Self::Python(strings) => strings,
            Self::Attributes(holder) => holder,
            Self::Node(holder) => holder,
            Self::Tuples(holder) => holder,
            Self::Php(holder) => holder,
            Self::Perl(key) => key,
            Self::Ruby(holder) => holder,
            Self::Fields(holder) => holder,
            Self::Locals(holder) => holder,
            Self::Lua(key) => key,
            Self::DotNet(key) => key,
        }
    }
}

/// How a runtime keeps what belongs to names.
trait Runtime {
    /// What the pointer that stands at `pointer` and leads to `target`, which is this, is part of.
    fn follow(&self, pointer: u64, target: &Target, reader: &Reader<'_>) -> Option<Followed>;
}

/// What a pointer led to.
enum Followed {
    /// A value.
    Value(Value),
    /// Something to look for pointers to.
    Further(Target),
    /// The same, several times.
    All(Vec<Target>),
}

impl Followed {
    /// A value whose letters stand at an address, each in one byte.
    fn text(text: SecretBytes, at: u64) -> Self {
        let places = vec![(at, text.len() as u64)];
        Self::Value(Value { text, places, encoding: Encoding::Plain })
    }
}

/// A value.
struct Value {
    text: SecretBytes,
    /// Where each piece of it stands, and how many bytes it has there.
    places: Vec<(u64, u64)>,
    encoding: Encoding,
}

/// What a walk begins with.
enum Start {
    /// Places of names in the file.
    Names(Vec<(u64, Kind)>),
    /// What the walk before it found.
    Targets(Vec<Target>),
}

/// What a walk looks for, and where that is.
struct LookedFor {
    targets: Targets,
    entries: Option<java::Entries>,
    classes: Option<java_fields::Classes>,
    places: Places,
}

struct Walk {
    start: Start,
    /// Walks that led to this one.
    before: usize,
    looked_for: OnceLock<LookedFor>,
    further: Mutex<BTreeSet<Target>>,
    is_spent: AtomicBool,
}

impl Walk {
    fn of(start: Start, before: usize) -> Self {
        let (further, is_spent) = (Mutex::default(), AtomicBool::new(false));
        Self { start, before, looked_for: OnceLock::new(), further, is_spent }
    }

    fn looked_for(&self, shown: &Shown<'_>) -> LookedFor {
        let places = shown.memory.places();
        let names = match &self.start {
            Start::Names(names) => names.iter().filter_map(|name| Name::read(name, &places, shown)).collect(),
            Start::Targets(_) => Vec::new(),
        };
        let mut targets: Vec<Target> = names.iter().filter_map(Name::target).collect();
        if let Start::Targets(further) = &self.start {
            targets.extend(further.iter().cloned());
        }
        let of_java = names.into_iter().filter(|name| name.kind == Kind::Java).map(|name| name.letters);
        let classes = java_fields::Classes::of(&mut targets);
        LookedFor { targets: Targets::new(targets), entries: java::Entries::of(of_java.collect()), classes, places }
    }

    /// Leads on from names that the local pass does not look for.
    fn shortest(&self, shown: &Shown<'_>, places: &Places) {
        object_names::shortest(shown.window, |object, kind| {
            let place = shown.window.offset(object).map(|place| (place.0, kind));
            let name = place.and_then(|place| Name::read(&place, places, shown));
            name.and_then(|name| name.target()).into_iter().for_each(|target| self.lead_on(target));
        });
    }

    fn lead_on(&self, target: Target) {
        let mut further = self.further.lock().unwrap_or_else(PoisonError::into_inner);
        further.insert(target);
        // The greatest goes, so that the order does not matter.
        if further.len() > MOST || self.before + 1 == WALKS {
            further.pop_last();
            self.is_spent.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether a text is a name with a meaning of its own in CPython: `__dict__`.
fn is_special(text: &[u8]) -> bool {
    text.strip_prefix(b"__")
        .and_then(|rest| rest.strip_suffix(b"__"))
        .is_some_and(|name| name.iter().all(u8::is_ascii_lowercase))
}

/// A string that is a name.
struct Name {
    address: u64,
    kind: Kind,
    head: Vec<u8>,
    letters: Vec<u8>,
}

impl Name {
    /// The one that stands at a place of the file.
    fn read(&(place, kind): &(u64, Kind), places: &Places, shown: &Shown<'_>) -> Option<Self> {
        let address = places.address_of(FileOffset(place))?.0;
        let read = |address, len| reader::read(shown.memory, shown.image, address, len);
        let head = read(address, kind.header() as u64)?;
        let len = kind.length(&head)?.min(object_names::LONGEST);
        let size = kind.letter();
        let letters = read(address + head.len() as u64, (size * len) as u64)?.into_iter().step_by(size).collect();
        is_pointer(address).then_some(Self { address, kind, head, letters })
    }

    /// What pointers are looked for to.
    fn target(&self) -> Option<Target> {
        let is_python = matches!(self.kind, Kind::Python311 | Kind::Python312);
        let name = match self.letters.as_slice() {
            python::PAIR if is_python => python::OF_PAIR,
            python::PAIR => return None,
            letters => letters.strip_prefix(b"#").or(letters.strip_prefix(b"@")).unwrap_or(letters),
        };
        let what = match self.kind {
            Kind::Python311 | Kind::Python312 => What::Python(python::Strings::new(self.kind, &self.head)?),
            Kind::Php => What::Php(php::Holder::Name),
            Kind::Perl => What::Perl(perl::Key),
            Kind::Ruby => What::Ruby(ruby::Holder::Name(reader::word(&self.head, 8)?)),
            Kind::JavaSymbol => What::Fields(java_fields::Holder::Name),
            Kind::Node => What::Node(node::Holder::Name),
            Kind::Lua => What::Lua(lua::Key),
            Kind::DotNet | Kind::Mono => What::DotNet(dotnet::Key::new(self.kind, &self.head)?),
            Kind::Java => return None,
        };
        let address = self.address + u64::from(self.kind == Kind::Node);
        Some(Target { address, what, name: name.to_vec() })
    }
}

impl Hunt for Walk {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let (window, memory) = (shown.window, shown.memory);
        // A word does not go over a seam, and what it points to is read where it stands.
        if window.is_stitched() || memory.is_empty() {
            return;
        }
        let LookedFor { targets, entries, classes, places } = self.looked_for.get_or_init(|| self.looked_for(shown));
        let (owned, reader) = (window.owned(), Reader::new(shown, window.owned().len() / READS));
        if let Start::Names(_) = self.start {
            self.shortest(shown, places);
        }
        let mut told = |name: &[u8], followed| match followed {
            // Tables of all strings have each as its own value.
            Some(Followed::Value(value)) if value.text.expose().eq_ignore_ascii_case(name) => {}
            Some(Followed::Value(value)) if is_special(value.text.expose()) => {}
            Some(Followed::Value(Value { text, places, encoding })) => {
                let spans = places.into_iter().flat_map(|(at, len)| memory.spans_from(Address(at), len)).collect();
                out.named.push(Named { name: name.to_vec(), value: text, spans, encoding });
            }
            Some(Followed::Further(target)) => self.lead_on(target),
            Some(Followed::All(targets)) => targets.into_iter().for_each(|target| self.lead_on(target)),
            None => {}
        };
        let grids = dense::grids(window, memory.layout());
        for grid in (0..WORD).filter(|grid| grids.get(*grid) == Some(&true)) {
            let from = owned.start + (grid + WORD - owned.start % WORD) % WORD;
            let words = window.slice(from..owned.end + WORD - 1);
            let address = |at: usize| {
                let offset = window.offset(from + at).filter(|_| from + at < owned.end);
                let address = offset.and_then(|offset| places.address_of(offset)).map(|Address(address)| address);
                // A map of memory that lies may have addresses behind which there are none.
                address.filter(|address| is_address(*address))
            };
            targets.pointers(words, |at, target| {
                let followed = |pointer| target.what.runtime().follow(pointer, target, &reader);
                told(&target.name, address(at).and_then(followed));
            });
            // What tells of an object may stand behind what the window owns.
            let objects = window.slice(from..owned.end + 2 * WORD - 1);
            if let Some(entries) = entries {
                entries.all(objects, |at, name| {
                    told(name, address(at).and_then(|entry| java::value(entry, name, &reader)));
                });
            }
            if let Some(classes) = classes {
                classes.all(objects, |at, number, class| {
                    let value = |object| java_fields::value(object, number, class, &reader);
                    told(&class.1.name, address(at).and_then(value));
                });
            }
        }
        if reader.is_spent() {
            self.is_spent.store(true, Ordering::Relaxed);
        }
    }

    fn further(&self, is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Box<dyn Hunt>> {
        let mut targets = std::mem::take(&mut *self.further.lock().unwrap_or_else(PoisonError::into_inner));
        targets.retain(|target| is_wanted(&target.name));
        let targets: Vec<Target> = targets.into_iter().collect();
        (!targets.is_empty()).then(|| Box::new(Self::of(Start::Targets(targets), self.before + 1)) as Box<dyn Hunt>)
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so many pointers lead to names of secrets that not all could be followed; a value may be missed: the dump is made \
                      to mislead";
        self.is_spent.load(Ordering::Relaxed).then(|| reason.to_owned())
    }
}

#[cfg(test)]
mod tests;
