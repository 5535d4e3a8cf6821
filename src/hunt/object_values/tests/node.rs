use super::*;

const VALUE: &str = "hunter2-correct";

/// Memory of a process of Node.js.
struct Node {
    heap: Heap,
    maps: u64,
    /// The map of strings of one byte for each letter.
    strings: u64,
    /// A property's name that is none of a secret.
    other: u64,
    /// An array without elements.
    empty: u64,
}

fn small(number: u64) -> u64 {
    number << 32
}

impl Node {
    fn new() -> Self {
        let mut heap = Heap::new(true);
        let maps = heap.add(&[0, small(0xfe)], &[]);
        heap.set(maps, maps + 1);
        let mut node = Self { heap, maps, strings: 0, other: 0, empty: 0 };
        node.strings = node.map(0x28, 0, 0, 0, 0);
        node.other = node.string("host");
        node.empty = node.object(0xf7, &[0]) + 1;
        node
    }

    /// A map of a kind of objects, how many words those have, which of them is the first property, and how many descriptors are its own.
    fn map(&mut self, kind: u64, size: u64, start: u64, own: u64, descriptors: u64) -> u64 {
        let head = [self.maps + 1, size | start << 8 | kind << 32, own << 10 | 0x3ff];
        self.heap.add(&[&head[..], &[BASE, BASE, descriptors + 1, BASE, BASE, BASE]].concat(), &[])
    }

    /// An object of a kind that is seen once.
    fn object(&mut self, kind: u64, words: &[u64]) -> u64 {
        let map = self.map(kind, 0, 0, 0, 0) + 1;
        self.heap.add(&[&[map], words].concat(), &[])
    }

    fn string(&mut self, letters: &str) -> u64 {
        let head = [self.strings + 1, 0x77 | small(letters.len() as u64)];
        self.heap.add(&head, letters.as_bytes()) + 1
    }

    fn wide(&mut self, letters: &str) -> u64 {
        let words = [self.map(0x20, 0, 0, 0, 0) + 1, 0x77 | small(letters.len() as u64)];
        let bytes: Vec<u8> = letters.bytes().flat_map(|letter| [letter, 0]).collect();
        self.heap.add(&words, &bytes) + 1
    }

    fn name(&mut self, letters: &str) -> u64 {
        let name = self.string(letters);
        self.heap.names.push(Clue::ObjectName { place: name - 1 - BASE, kind: Kind::Node });
        name
    }

    /// Three descriptors, of which the last has this name and this value.
    fn descriptors(&mut self, name: u64, details: u64) -> u64 {
        let (other, free) = (self.other, BASE + 1);
        let words = [0x0003_0003, free, other, 0, free, other, small(1 << 19), free, name, small(details), free];
        self.object(0xfd, &words)
    }

    /// A property of this name, of objects that have two values in them and others apart.
    fn properties(&mut self, name: u64, field: u64) -> u64 {
        let descriptors = self.descriptors(name, field << 19 | 0xc2);
        // Fewer of its own, no object, and one that begins before its properties may.
        self.map(0x421, 5, 3, 2, descriptors);
        self.map(0x20, 5, 3, 3, descriptors);
        self.map(0x421, 5, 2, 3, descriptors);
        self.map(0x421, 5, 3, 3, descriptors)
    }

    fn finds(&self, places: &[&str]) {
        let all: Vec<Span> = places.iter().flat_map(|place| self.heap.place(place)).collect();
        let want = ("password".to_owned(), VALUE.to_owned(), all);
        for window in [1 << 20, 8] {
            assert_eq!(self.heap.hunt(window), std::slice::from_ref(&want), "{window}");
        }
    }
}

#[test]
fn values_of_properties_are_found_in_objects_and_apart_from_them() {
    for (field, name) in [(0, "password"), (1, "password"), (1, "#password"), (2, "password"), (3, "password")] {
        let mut node = Node::new();
        let (value, called) = (node.string(VALUE), node.name(name));
        let private = name.starts_with('#');
        let key = if private { node.object(0x80, &[0x77, called]) + 1 } else { called };
        let map = node.properties(key, field) + 1;
        let apart = node.object(0xfc, &[small(4 | 9 << 10), value, value, BASE, BASE]);
        let mut words = [map, node.empty, node.empty, node.empty, node.empty];
        node.heap.add(&words, &[]);
        // One that has no array of values apart, as the map that follows another.
        node.heap.add(&[map, value, node.empty, value, value], &[]);
        // A list of addresses and lengths.
        node.heap.add(&[map, 80, value, value, value], &[]);
        assert_eq!(node.heap.hunt(4096), [], "{field}");
        match field {
            0 | 1 => words[3 + field as usize] = value,
            _ => words[1] = apart + 1,
        }
        node.heap.add(&words, &[]);
        node.finds(&[VALUE]);
    }
}

#[test]
fn what_has_no_place_in_objects_is_no_property() {
    // Functions that get and set it, and what is the same in all objects.
    for details in [0xc3, 0xe2] {
        let mut node = Node::new();
        let (value, name) = (node.string(VALUE), node.name("password"));
        let descriptors = node.descriptors(name, details);
        let map = node.map(0x421, 5, 3, 3, descriptors);
        node.heap.add(&[map + 1, node.empty, node.empty, value, value], &[]);
        assert_eq!(node.heap.hunt(4096), []);
    }
}

#[test]
fn values_of_dictionaries_and_maps_are_found_beside_the_name() {
    for is_dictionary in [true, false] {
        let mut node = Node::new();
        let (value, name, other, free) = (node.string(VALUE), node.name("password"), node.other, BASE + 1);
        let mut words = if is_dictionary {
            [5 + 3 * 4, 2, 0, 4, 9, 7].map(small).to_vec()
        } else {
            [3 + 7 * 2, 2, 0, 2, 1, 0].map(small).to_vec()
        };
        let third = if is_dictionary { small(1 << 8) } else { u64::MAX << 32 };
        let entries = [other, free, third, free, free, free, name, value, third, free, free, free];
        words.extend(entries);
        // Nothing says that it is one.
        let length = std::mem::replace(&mut words[0], small(99));
        node.object(0xfb, &words);
        assert_eq!(node.heap.hunt(4096), []);
        words[0] = length;
        node.object(0xfb, &words);
        node.finds(&[VALUE]);
    }
}

#[test]
fn values_of_variables_are_found_in_cells_and_contexts() {
    let mut node = Node::new();
    let (value, name) = (node.string(VALUE), node.name("password"));
    // A table of strings has nothing in front of them.
    node.heap.add(&[0, name, 0, value, 0], &[]);
    assert_eq!(node.heap.hunt(4096), []);
    node.object(0xfa, &[name, small(3), value, BASE + 1]);
    node.finds(&[VALUE]);

    let mut node = Node::new();
    let (value, name, other) = (node.string(VALUE), node.name("password"), node.other);
    let scope = node.object(0xf9, &[small(6), small(0), small(2), other, name, small(1), small(1), BASE + 1]);
    let slots = [scope + 1, BASE + 1, BASE + 1];
    node.object(0xf8, &[&[small(3)], &slots[..], &[value]].concat());
    assert_eq!(node.heap.hunt(4096), []);
    node.object(0xf8, &[&[small(4)], &slots[..], &[value]].concat());
    node.finds(&[VALUE]);
}

/// What an object has for its value.
fn held(make: impl Fn(&mut Node) -> u64) -> Node {
    let mut node = Node::new();
    let name = node.name("password");
    let (map, value) = (node.properties(name, 0) + 1, make(&mut node));
    node.heap.add(&[map, small(7), node.empty, value, node.empty], &[]);
    node
}

#[test]
fn strings_in_any_form_are_values() {
    held(|node| {
        let parent = node.string("  hunter2-correct\n");
        node.object(0x2b, &[0x77 | small(15), parent, small(2)]) + 1
    })
    .finds(&[VALUE]);
    let of_two = |node: &mut Node| {
        let parts = ["hunter2", "-correct"].map(|part| node.string(part));
        node.object(0x29, &[0x77 | small(15), parts[0], parts[1]]) + 1
    };
    held(of_two).finds(&["hunter2", "-correct"]);
    held(|node| {
        let whole = of_two(node);
        let longer = node.string("tail");
        let rope = node.object(0x29, &[0x77 | small(19), whole, longer]) + 1;
        let thin = node.object(0x2d, &[0x77 | small(19), rope]) + 1;
        node.object(0x2b, &[0x77 | small(15), thin, small(0)]) + 1
    })
    .finds(&["hunter2", "-correct"]);
    held(|node| {
        let letters = node.heap.add(&[], VALUE.as_bytes());
        node.object(0x2a, &[0x77 | small(15), BASE, letters]) + 1
    })
    .finds(&[VALUE]);
    let wide = held(|node| node.wide(VALUE));
    let found = wide.heap.hunt(4096);
    assert!(found.len() == 1 && found[0].1 == VALUE && found[0].2[0].len == 30, "{found:?}");
}

#[test]
fn strings_that_are_none_are_no_values() {
    // Itself, a part that is longer than the whole, letters of two bytes that are no ASCII, an object.
    let itself = |node: &mut Node| {
        let rope = node.object(0x29, &[0x77 | small(15), 0, 0]);
        [16, 24].into_iter().for_each(|at| node.heap.set(rope + at, rope + 1));
        rope + 1
    };
    let longer = |node: &mut Node| {
        let parent = node.string("short");
        node.object(0x2b, &[0x77 | small(15), parent, small(2)]) + 1
    };
    let foreign = |node: &mut Node| {
        let string = node.wide(VALUE);
        node.heap.bytes[(string - 1 - BASE) as usize + 17] = 4;
        string
    };
    for make in [itself, longer, foreign, |node: &mut Node| node.object(0x421, &[BASE, BASE, BASE]) + 1] {
        assert_eq!(held(make).heap.hunt(4096), []);
    }
}
