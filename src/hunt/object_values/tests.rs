mod dotnet;
mod java_fields;
mod locals;
mod lua;
mod node;
mod ruby;
mod tuples;

use super::*;
use crate::dump::{Label, Region};
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::Span;
use crate::window::Window;

const BASE: u64 = 0x7f10_0000_0000;
const TYPE: u64 = 0x95_8980;

/// A name, its value, and where that stands.
type Told = (String, String, Vec<Span>);

/// Memory of a process of CPython.
struct Heap {
    base: u64,
    bytes: Vec<u8>,
    /// Whether it is 3.12 or later, whose strings have no `wstr`.
    is_late: bool,
    names: Vec<Clue>,
}

impl Heap {
    fn new(is_late: bool) -> Self {
        Self { is_late, ..Self::at(BASE) }
    }

    fn at(base: u64) -> Self {
        Self { base, bytes: vec![0; 64], is_late: true, names: Vec::new() }
    }

    fn add(&mut self, words: &[u64], rest: &[u8]) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let at = self.base + self.bytes.len() as u64;
        self.bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self.bytes.extend(rest);
        self.bytes.push(0);
        at
    }

    fn string(&mut self, letters: &str) -> u64 {
        let head = [1, TYPE, letters.len() as u64, 0x77, 0xa3_cce4, 0];
        self.add(if self.is_late { &head[..5] } else { &head }, letters.as_bytes())
    }

    fn octets(&mut self, letters: &str) -> u64 {
        self.add(&[1, BASE, letters.len() as u64, 0x77], letters.as_bytes())
    }

    fn name(&mut self, letters: &str) -> u64 {
        let at = self.string(letters);
        self.names.push(Clue::ObjectName {
            place: at - BASE,
            kind: if self.is_late { Kind::Python312 } else { Kind::Python311 },
        });
        at
    }

    /// A table of 3.11 or later with `slots` as a logarithm.
    fn table(&mut self, kind: u8, slots: u8, entries: &[(u64, u64)]) -> u64 {
        let bytes = if slots < 8 { slots } else { slots + 1 };
        let free = (1_u64 << slots) * 2 / 3 - entries.len() as u64;
        let head = [1, u64::from_le_bytes([slots, bytes, kind, 0, 7, 0, 0, 0]), free, entries.len() as u64];
        let words = [&head[..], &indices(1 << bytes), &self.entries(kind, entries)].concat();
        // Free entries are zero.
        self.add(&words, &vec![0; 2048])
    }

    /// One before 3.11.
    fn old_table(&mut self, slots: u64, entries: &[(u64, u64)]) -> u64 {
        let free = slots * 2 / 3 - entries.len() as u64;
        let head = [1, slots, 0x55_1234, free, entries.len() as u64];
        let bytes = if slots < 256 { slots } else { 2 * slots };
        let words = [&head[..], &indices(bytes), &self.entries(0, entries)].concat();
        self.add(&words, &vec![0; 2048])
    }

    fn entries(&self, kind: u8, entries: &[(u64, u64)]) -> Vec<u64> {
        let entry = |&(key, value): &(u64, u64)| if kind == 0 { vec![0x77, key, value] } else { vec![key, value] };
        entries.iter().flat_map(entry).collect()
    }

    /// Writes a word.
    fn set(&mut self, address: u64, word: u64) {
        let at = (address - BASE) as usize;
        self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// What is told of it, window after window of so many bytes: names and values, and where those stand.
    fn hunt(&self, window: usize) -> Vec<Told> {
        let (found, given_up) = self.hunt_all(window);
        assert_eq!(given_up, None);
        found
    }

    /// The same, and what was given up.
    fn hunt_all(&self, window: usize) -> (Vec<Told>, Option<String>) {
        let span = Span::new(0, self.bytes.len() as u64);
        let region = Region { span, address: Some(Address(self.base)), label: Label::Memory, protection: None };
        let (image, memory) = (Image::from_bytes("t", self.bytes.clone()), AddressSpace::new(&[region]));
        let mut clues = Clues::new(100);
        assert!(!ObjectValues.needs(&clues));
        self.names.iter().for_each(|name| clues.add(name.clone()));
        clues.add(Clue::ManagedHeap);
        let mut hunt = ObjectValues.prepare(&clues);
        let (mut out, mut given_up) = (Hits::default(), None);
        loop {
            for from in (0..self.bytes.len()).step_by(window) {
                let owned = from..(from + window).min(self.bytes.len());
                let pieces = [span];
                let window = Window::new(&self.bytes, owned, &pieces, &[]);
                hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
            }
            given_up = given_up.or(hunt.given_up());
            let Some(further) = hunt.further(&|name| name != b"unwanted_key") else { break };
            hunt = further;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let told = out.named.iter().map(|one| (text(&one.name), text(one.value.expose()), one.spans.clone()));
        (told.collect(), given_up)
    }

    fn place(&self, value: &str) -> Vec<Span> {
        let at = memchr::memmem::find(&self.bytes, value.as_bytes()).unwrap();
        vec![Span::new(at as u64, value.len() as u64)]
    }
}

/// The indices of an empty table but for the first entry, which is the one that looks least like an index.
fn indices(bytes: u64) -> Vec<u64> {
    let mut words = vec![u64::MAX; bytes as usize / 8];
    *words.last_mut().unwrap() >>= 16;
    words
}

#[test]
fn a_value_is_found_in_a_table_of_any_kind() {
    for (is_late, is_old) in [(true, false), (false, false), (false, true)] {
        for (kind, slots) in [(0, 3), (1, 3), (0, 5), (1, 5), (1, 8), (0, 9), (1, 12)] {
            let mut heap = Heap::new(is_late);
            let (value, host) = (heap.string("hunter2-correct"), heap.string("db.internal"));
            let (name, other) = (heap.name("DB_PASSWORD"), heap.string("host"));
            let entries = [(other, host), (0, 0), (name, value), (other, host)];
            if is_old {
                heap.old_table(1 << slots, &entries);
            } else {
                heap.table(kind, slots, &entries);
            }
            let want = ("DB_PASSWORD".to_owned(), "hunter2-correct".to_owned(), heap.place("hunter2-correct"));
            for window in [1 << 20, 100, 8] {
                assert_eq!(
                    heap.hunt(window),
                    std::slice::from_ref(&want),
                    "{is_late} {is_old} {kind} {slots} {window}"
                );
            }
        }
    }
}

#[test]
fn bytes_are_values_too() {
    let mut heap = Heap::new(true);
    let (name, value) = (heap.name("api_key"), heap.octets("hunter2-correct"));
    heap.table(1, 3, &[(name, value)]);
    assert_eq!(heap.hunt(4096).len(), 1);
}

#[test]
fn names_with_a_meaning_of_their_own_are_no_values() {
    for (value, found) in [("__dict__", 0), ("__dict__x", 1), ("__3hQ9x__", 1)] {
        let mut heap = Heap::new(true);
        let (name, value) = (heap.name("init_password"), heap.string(value));
        heap.table(1, 3, &[(name, value)]);
        assert_eq!(heap.hunt(4096).len(), found);
    }
}

#[test]
fn a_value_may_stand_in_a_tuple_with_its_name() {
    for (is_late, again, found) in [(true, "X-Api-Key", 1), (false, "x-api-key", 1), (true, "X-Trace-Id", 0)] {
        let mut heap = Heap::new(is_late);
        let (name, again, value) = (heap.name("x-api-key"), heap.string(again), heap.string("hunter2-correct"));
        let tuple = heap.add(&[1, BASE, 2, again, value], &[]);
        let longer = heap.add(&[1, BASE, 3, again, value, value], &[]);
        heap.table(1, 3, &[(name, tuple), (name, longer)]);
        assert_eq!(heap.hunt(4096).len(), found);
    }
}

#[test]
fn what_stands_beside_a_name_elsewhere_is_no_value() {
    let mut heap = Heap::new(true);
    let (name, value) = (heap.name("DB_PASSWORD"), heap.string("hunter2-correct"));
    // A tuple and its collector's links, a table with fewer entries, one that is too small for its entries, one of another kind,
    // no string, and one whose length is wrong.
    heap.add(&[BASE, BASE, 1, BASE, 2, name, value], &[]);
    heap.add(&[BASE, BASE, 1, BASE, 3, value, name, value], &[]);
    for (head, used) in [([3, 3, 1], 0), ([3, 3, 1], 6), ([3, 3, 0], 1), ([3, 4, 1], 1), ([40, 40, 1], 1)] {
        let [slots, bytes, kind] = head;
        let word = u64::from_le_bytes([slots, bytes, kind, 0, 0, 0, 0, 0]);
        heap.add(&[1, word, 0, used, u64::MAX >> 8 | 0xff << 56, name, value], &[]);
    }
    heap.table(1, 3, &[(name, BASE + 24), (name, 0), (name, 5), (name, u64::MAX), (name, name)]);
    let cut = heap.add(&[1, TYPE, 99, 0x77, 0xe4], b"hunter2-correct");
    heap.table(1, 3, &[(name, cut)]);
    for window in [4096, 8] {
        assert_eq!(heap.hunt(window), []);
    }
}

#[test]
fn a_dump_that_is_made_to_mislead_is_told_of() {
    let mut heap = Heap::new(true);
    let name = heap.name("DB_PASSWORD");
    // Values so far from each other that none of what was read of the last ones helps; behind each pair no table goes on.
    let value = |heap: &mut Heap| {
        let value = heap.string("hunter2-correct");
        heap.add(&[], &vec![0; 64 * 4096 - 63]);
        [name, value, 5]
    };
    let pairs = [value(&mut heap), value(&mut heap), value(&mut heap)].concat();
    let start = heap.add(&pairs.repeat(1 << 10), &[]) - BASE;
    let span = Span::new(0, heap.bytes.len() as u64);
    let region = Region { span, address: Some(Address(BASE)), label: Label::Memory, protection: None };
    let (image, memory) = (Image::from_bytes("t", heap.bytes.clone()), AddressSpace::new(&[region]));
    let mut clues = Clues::new(100);
    heap.names.iter().for_each(|name| clues.add(name.clone()));
    let (hunt, mut out) = (ObjectValues.prepare(&clues), Hits::default());
    let pieces = [span];
    let window = Window::new(&heap.bytes, start as usize..heap.bytes.len(), &pieces, &[]);
    hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
    assert!(out.named.is_empty() && hunt.given_up().is_some());
}

/// A class of instances that share a table, or have slots.
fn class(heap: &mut Heap, table: u64) -> u64 {
    let metaclass = heap.add(&[9, BASE + 16], &[]);
    let class = heap.add(&[7, metaclass, 0, 0, 16], &[0; 1000]);
    heap.set(class + 168, 1 << 9 | 1 << 4);
    heap.set(class + if heap.is_late { 880 } else { 872 }, table);
    heap.set(BASE + 24, BASE + 16);
    class
}

#[test]
fn values_of_attributes_are_found_in_instances_of_every_version() {
    for version in [10, 11, 12, 13] {
        for is_dict in [true, false] {
            let mut heap = Heap::new(version > 11);
            let (host, value) = (heap.string("db.internal"), heap.string("hunter2-correct"));
            let (other, name, unwanted) = (heap.string("host"), heap.name("password"), heap.name("unwanted_key"));
            let entries = [(other, 0), (name, 0), (unwanted, 0)];
            let table = if version == 10 { heap.old_table(8, &entries) } else { heap.table(2, 6, &entries) };
            let class = class(&mut heap, if version == 10 { 0 } else { table });
            let values = [host, value, value];
            if is_dict || version == 10 {
                let head = u64::from_le_bytes([30, 3, 0, 1, 0, 0, 0, 0]);
                let at = if version == 13 { [&[head], &values[..]].concat() } else { values.to_vec() };
                let at = heap.add(&at, &[]);
                heap.add(&[1, class, 3, 0x77, table, at], &[]);
            } else {
                let at = heap.add(&[0, host, value, value], &[]) + 8;
                let head = u64::from_le_bytes([30, 3, 1, 1, 0, 0, 0, 0]);
                match version {
                    11 => heap.add(&[at, 0, BASE, BASE, 1, class], &[]),
                    12 => heap.add(&[0, at - 1, BASE, BASE, 1, class], &[]),
                    _ => heap.add(&[0, 0, BASE, BASE, 1, class, head, host, value, value], &[]),
                };
            }
            let want = ("password".to_owned(), "hunter2-correct".to_owned(), heap.place("hunter2-correct"));
            for window in [1 << 20, 8] {
                assert_eq!(heap.hunt(window), std::slice::from_ref(&want), "{version} {is_dict} {window}");
            }
        }
    }
}

#[test]
fn values_of_slots_are_found_in_instances() {
    for is_late in [true, false] {
        let mut heap = Heap::new(is_late);
        let (name, value) = (heap.name("api_key"), heap.string("hunter2-correct"));
        let class = class(&mut heap, 0);
        let letters = name + if is_late { 40 } else { 48 };
        let member = heap.add(&[letters, 16, 24, 0, 0], &[]);
        heap.add(&[1, BASE + 16, class, name, 0, member], &[]);
        heap.add(&[2, class, 0, value], &[]);
        assert_eq!(heap.hunt(4096).len(), 1, "{is_late}");
        // Of another name, of numbers, and of nobody.
        for (at, word) in [(member, letters + 1), (member + 8, 4), (member + 16, 25)] {
            let before = heap.bytes.clone();
            heap.set(at, word);
            assert_eq!(heap.hunt(4096), []);
            heap.bytes = before;
        }
    }
}

#[test]
fn instances_without_a_count_or_with_other_values_are_none() {
    let mut heap = Heap::new(true);
    let (name, value) = (heap.name("password"), heap.string("hunter2-correct"));
    let table = heap.table(2, 6, &[(name, 0)]);
    let class = class(&mut heap, table);
    let head = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
    heap.add(&[0, 0, BASE, BASE, 0, class, head([30, 1, 1, 1]), value], &[]);
    heap.add(&[0, 0, BASE, BASE, BASE, class, head([30, 1, 1, 1]), value], &[]);
    heap.add(&[0, BASE, BASE, BASE, 1, class, head([30, 1, 1, 0]), value], &[]);
    heap.add(&[0, 0, BASE, BASE, 1, class, head([0, 0, 1, 1]), value], &[]);
    assert_eq!(heap.hunt(4096), []);
    heap.add(&[0, 0, BASE, BASE, 1, class, head([30, 1, 1, 1]), value], &[]);
    assert_eq!(heap.hunt(4096).len(), 1);
}

#[test]
fn arrays_of_bytes_and_the_second_of_credentials_are_values() {
    for is_late in [true, false] {
        let mut heap = Heap::new(is_late);
        let (name, user, value) = (heap.name("credentials"), heap.string("svc"), heap.string("hunter2-correct"));
        let other = heap.name("password");
        let letters = heap.add(&[], b"hunter2-staple");
        let pair = |first: u64, count: u64| [1, BASE, count, first, value];
        let (pair, three, of_others) =
            (heap.add(&pair(user, 2), &[]), heap.add(&pair(user, 3), &[]), heap.add(&pair(BASE, 2), &[]));
        let (array, cut) = (
            heap.add(&[1, BASE, 14, 20, letters, letters, 0], &[]),
            heap.add(&[1, BASE, 14, 14, letters, letters, 0], &[]),
        );
        heap.table(0, 3, &[(name, three), (name, of_others), (other, cut), (other, pair)]);
        assert_eq!(heap.hunt(4096), []);
        heap.table(0, 3, &[(name, pair), (other, array)]);
        let told = |(name, value, _): Told| (name, value);
        let found: Vec<_> = heap.hunt(4096).into_iter().map(told).collect();
        let want = [("credentials", "hunter2-correct"), ("password", "hunter2-staple")];
        assert_eq!(found, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // How somebody logs on is no password, but the second of a pair is.
        let auth = heap.name("auth");
        heap.table(0, 3, &[(auth, value)]);
        assert_eq!(heap.hunt(4096).len(), 2);
        heap.table(0, 3, &[(auth, pair)]);
        assert!(heap.hunt(4096).iter().any(|(name, value, _)| name == "auth_password" && value == "hunter2-correct"));
    }
}

/// A string of PHP.
fn php(heap: &mut Heap, letters: &str) -> u64 {
    heap.add(&[1 | 0x16 << 32, 0, letters.len() as u64], letters.as_bytes())
}

fn php_name(heap: &mut Heap, letters: &str) -> u64 {
    let at = php(heap, letters);
    heap.names.push(Clue::ObjectName { place: at - BASE, kind: Kind::Php });
    at
}

/// As it is told in the description of the function DJBX33A.
fn djb(letters: &str) -> u64 {
    let mut hash = 5381_u64;
    for letter in letters.bytes() {
        hash = (hash << 5).wrapping_add(hash).wrapping_add(u64::from(letter));
    }
    hash | 0x8000_0000_0000_0000
}

#[test]
fn values_of_arrays_of_php_are_found_by_key_and_hash() {
    let mut heap = Heap::new(true);
    let (name, value) = (php_name(&mut heap, "DB_PASSWORD"), php(&mut heap, "hunter2-correct"));
    let hash = djb("DB_PASSWORD");
    heap.add(&[value, 0x106, hash + 1, name, value, 0x104, hash, name, name, value], &[]);
    assert_eq!(heap.hunt(4096), []);
    heap.add(&[value, 0x106 | 7 << 32, hash, name], &[]);
    let want = ("DB_PASSWORD".to_owned(), "hunter2-correct".to_owned(), heap.place("hunter2-correct"));
    for window in [1 << 20, 8] {
        assert_eq!(heap.hunt(window), std::slice::from_ref(&want));
    }
    let mut heap = Heap::new(true);
    let (name, value) = (php_name(&mut heap, "DB_PASSWORD"), php(&mut heap, "hunter2-correct"));
    let reference = heap.add(&[2 | 0x1a << 32, value, 0x106], &[]);
    heap.add(&[reference, 0x30a, hash, name], &[]);
    assert_eq!(heap.hunt(4096).len(), 1);
}

#[test]
fn values_of_properties_of_php_are_found_in_objects_of_the_class() {
    for classes in [3, 4] {
        let mut heap = Heap::new(true);
        let (name, value, of_class) =
            (php_name(&mut heap, "password"), php(&mut heap, "hunter2-correct"), php(&mut heap, "Connection"));
        let class = heap.add(&[2, of_class, 0, 0], &[]);
        let mut info = [56, of_class, 0, 0, 0];
        info[classes] = class;
        let info = heap.add(&info, &[]);
        heap.add(&[info, 13, djb("password"), name], &[]);
        heap.add(&[1 | 9 << 32, 1, class, BASE, 0, 0, 1, value, 0x106], &[]);
        assert_eq!(heap.hunt(4096), []);
        let child = heap.add(&[2, of_class, class, 0], &[]);
        let before = heap.bytes.clone();
        for class in [class, child] {
            heap.add(&[1 | 8 << 32, 1, class, BASE, 0, 0, 1, value, 0x106], &[]);
            assert_eq!(heap.hunt(4096).len(), 1);
            heap.bytes = before.clone();
        }
    }
}

#[test]
fn values_of_hashes_of_perl_are_found() {
    let mut heap = Heap::new(true);
    let key = heap.add(&[0x77 | 8 << 32], b"password");
    heap.names.push(Clue::ObjectName { place: key - BASE, kind: Kind::Perl });
    let letters = heap.add(&[], b"hunter2-correct");
    let body = heap.add(&[0, 0, 15, 16], &[]);
    let value = |heap: &mut Heap, flags: u64| heap.add(&[body, 1 | flags << 32, letters], &[]);
    // No text, of a kind without letters, and an element with a wrong neighbour.
    for flags in [3, 0x40d] {
        let value = value(&mut heap, flags);
        heap.add(&[0, key, value], &[]);
    }
    let text = value(&mut heap, 0x4403);
    heap.add(&[5, key, text], &[]);
    assert_eq!(heap.hunt(4096), []);
    heap.add(&[0, key, text], &[]);
    assert_eq!(heap.hunt(4096).len(), 1);
}

/// Objects of OpenJDK: how pointers are written, and strings.
struct Java {
    heap: Heap,
    is_old: bool,
    shift: Option<u32>,
}

impl Java {
    fn array(&mut self, letters: &str) -> u64 {
        self.heap.add(&[0x79, 0x8000 | (letters.len() as u64) << 32], letters.as_bytes())
    }

    fn string(&mut self, letters: &str, hash: u32) -> u64 {
        let (array, hash) = (self.array(letters), u64::from(hash));
        match self.shift {
            Some(shift) if self.is_old => self.heap.add(&[1, 0x9000 | array >> shift << 32, hash], &[]),
            Some(shift) => self.heap.add(&[1, 0x9000 | hash << 32, array >> shift << 32], &[]),
            None if self.is_old => self.heap.add(&[1, 0x9000 | hash << 32, array, 0], &[]),
            None => self.heap.add(&[1, 0x9000 | hash << 32, 0, array], &[]),
        }
    }

    fn entry(&mut self, hash: u32, key: u64, value: u64) {
        let head = [1, 0xa000 | u64::from(hash) << 32];
        let pointers = match self.shift {
            Some(shift) => vec![key >> shift | value >> shift << 32, 0],
            None => vec![key, value, 0],
        };
        self.heap.add(&[&head[..], &pointers].concat(), &[]);
    }
}

#[test]
fn values_of_maps_of_java_are_found_by_the_hash_of_their_key() {
    let hash = "password".bytes().fold(0_u32, |hash, letter| hash.wrapping_mul(31).wrapping_add(u32::from(letter)));
    // As `"password".hashCode()` says.
    assert_eq!(hash, 1_216_985_755);
    let spread = hash ^ hash >> 16;
    for (shift, is_old) in [(Some(3), false), (Some(0), true), (None, false), (None, true)] {
        let base = match shift {
            Some(0) => 0xe000_0000,
            Some(_) => 0x7_1000_0000,
            None => BASE,
        };
        for hash_of_entry in [hash, spread, spread & 0x7fff_ffff] {
            let mut java = Java { heap: Heap::at(base), is_old, shift };
            let (key, value) = (java.string("password", hash), java.string("hunter2-correct", 0));
            java.heap.names.push(Clue::ObjectName { place: key - base - 32, kind: Kind::Java });
            let other = java.string("passwore", hash);
            java.entry(hash_of_entry + 1, key, value);
            java.entry(hash_of_entry, other, value);
            java.entry(hash_of_entry, key, base + 16);
            assert_eq!(java.heap.hunt(4096), []);
            java.entry(hash_of_entry, key, value);
            for window in [1 << 20, 8] {
                assert_eq!(java.heap.hunt(window).len(), 1, "{shift:?} {is_old} {hash_of_entry} {window}");
            }
        }
    }
}
