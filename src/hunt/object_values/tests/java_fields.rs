//! Fields of objects of OpenJDK.

use super::*;

/// The memory of a process: classes begin where it does.
struct Java {
    heap: Heap,
    /// By how many bits the numbers of classes are shifted.
    shift: u32,
}

const START: u64 = 0x7_1000_0000;
/// Where the classes below have a pointer to themselves.
const ITSELF: usize = 56;

impl Java {
    fn symbol(&mut self, letters: &str) -> u64 {
        let head = [&[1, 0, 7, 7][..], &(letters.len() as u16).to_le_bytes()].concat();
        self.heap.add(&[], &[&head, letters.as_bytes()].concat())
    }

    fn name(&mut self, letters: &str) -> u64 {
        let at = self.symbol(letters);
        self.heap.names.push(Clue::ObjectName { place: at - self.heap.base, kind: Kind::JavaSymbol });
        at
    }

    fn class(&mut self, name: &str, extends: u64) -> u64 {
        let name = self.symbol(name);
        let at = self.heap.add(&[0; 90], &[]);
        let depth = ITSELF as u64 + if extends == 0 { 0 } else { 8 };
        for (offset, word) in [(0, START), (8, 0x28), (16, depth << 32), (24, name), (depth, at)] {
            self.set(at + offset, word);
        }
        if extends != 0 {
            self.set(at + ITSELF as u64, extends);
            self.set(extends + 128, at);
        }
        at
    }

    fn set(&mut self, address: u64, word: u64) {
        let at = (address - START) as usize;
        self.heap.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// A pool with this name of a field, which a record tells of that has these flags and this type.
    fn pool(&mut self, class: u64, name: u64, of_type: &str, flags: u16) {
        let of_type = self.symbol(of_type);
        let tags = self.heap.add(&[], &[4, 0, 0, 0, 0, 1, 10, 1]);
        let head = [START, tags, 0, class, 0, 0, 0x2a_0000_0000_003d, 4 << 32, 0];
        let pool = self.heap.add(&[&head[..], &[0, of_type, 0x12_001b, name]].concat(), &[]);
        let record = [12_u16, 0, 2, 9, 1, 0, 49, 0, flags, 3, 1, 0, 113, 0];
        let fields = self.heap.add(&[], &record.map(u16::to_le_bytes).concat());
        self.set(class + 232, pool);
        self.set(class + 456, fields);
    }

    fn number(&self, class: u64) -> u64 {
        if self.shift == 0 { class - START } else { class >> self.shift }
    }

    fn array(&mut self, class: u64, letters: &[u8], count: usize) -> u64 {
        self.heap.add(&[1, self.number(class) | (count as u64) << 32], letters)
    }

    fn string(&mut self, [string, octets, _]: [u64; 3], letters: &str) -> u64 {
        let array = self.array(octets, letters.as_bytes(), letters.len());
        self.heap.add(&[1, self.number(string), array >> 3 << 32], &[])
    }

    fn object(&mut self, class: u64, value: u64) {
        // One of them was asked for its hash.
        let state = if self.heap.bytes.len().is_multiple_of(32) { 1 } else { 0x29_1f3a_5b01 };
        self.heap.add(&[state, self.number(class) | 7 << 32, 0, value >> 3 << 32, 0], &[]);
    }
}

/// What is found of the field of a class with another that extends it and one that has none.
fn found(shift: u32, of_type: &str, flags: u16) -> Vec<Told> {
    let mut java = Java { heap: Heap::at(START), shift };
    let classes = ["java/lang/String", "[B", "[C"].map(|name| java.class(name, 0));
    let (config, other) = (java.class("Config", 0), java.class("Other", 0));
    let extending = java.class("Extending", config);
    let name = java.name("password");
    java.pool(config, name, of_type, flags);
    for (class, letters) in [(config, "first-k7Qv2mXw"), (extending, "second-k7Qv2mXw"), (other, "third-k7Qv2mXw")] {
        let value = match of_type {
            "[C" => java.array(classes[2], &letters.bytes().flat_map(|b| [b, 0]).collect::<Vec<_>>(), letters.len()),
            "[B" => java.array(classes[1], letters.as_bytes(), letters.len()),
            _ => java.string(classes, letters),
        };
        java.object(class, value);
    }
    let found = java.heap.hunt(1 << 20);
    assert_eq!(found, java.heap.hunt(8));
    found
}

#[test]
fn values_of_fields_are_found_by_their_class_and_those_that_extend_it() {
    for shift in [0, 3] {
        for of_type in ["Ljava/lang/String;", "Ljava/lang/Object;", "[C", "[B"] {
            let found = found(shift, of_type, 2);
            let values: Vec<(&str, &str)> = found.iter().map(|(name, value, _)| (&**name, &**value)).collect();
            assert_eq!(values, [("password", "first-k7Qv2mXw"), ("password", "second-k7Qv2mXw")], "{shift} {of_type}");
            assert!(found.iter().all(|(_, _, spans)| spans.iter().map(|span| span.len).sum::<u64>() >= 14));
        }
    }
}

#[test]
fn fields_of_classes_and_numbers_are_none() {
    assert_eq!(found(0, "Ljava/lang/String;", 8), []);
    assert_eq!(found(0, "J", 2), []);
}

#[test]
fn memory_full_of_pointers_to_a_name_spends_a_budget_and_says_so() {
    let mut java = Java { heap: Heap::at(START), shift: 0 };
    let name = java.name("password");
    java.heap.add(&vec![name; 1 << 17], &[]);
    let (found, given_up) = java.heap.hunt_all(1 << 20);
    assert!(found.is_empty() && given_up.is_some());
}

#[test]
fn memory_at_the_end_of_all_addresses_has_no_objects() {
    let mut java = Java { heap: Heap::at(u64::MAX - 0xfff), shift: 0 };
    let name = java.name("password");
    java.heap.add(&[name; 40], &[]);
    assert_eq!(java.heap.hunt(1 << 20), []);
}
