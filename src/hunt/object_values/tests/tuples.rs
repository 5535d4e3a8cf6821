use super::*;

/// A class of named tuples whose dict has this table.
fn class(heap: &mut Heap, base: u64, table: u64) -> u64 {
    let metaclass = heap.add(&[9, BASE + 16], &[]);
    heap.set(BASE + 24, BASE + 16);
    let dict = heap.add(&[1, metaclass, 3, 0x77, table, 0], &[]);
    let class = heap.add(&[7, metaclass, 0, 0, 24, 8], &[0; 1000]);
    heap.set(class + 168, 1 << 26 | 1 << 9);
    heap.set(class + 256, base);
    heap.set(class + 264, dict);
    class
}

/// What a class has for the name of a value: how many stand before it.
fn getter(heap: &mut Heap, index: u64) -> u64 {
    let class = heap.add(&[9, BASE + 16, 0, 0, 32, 0], &[]);
    heap.add(&[1, class, index, BASE], &[])
}

/// A table of names of a class.
fn table(heap: &mut Heap, version: u64, entries: &[(u64, u64)]) -> u64 {
    if version < 11 { heap.old_table(8, entries) } else { heap.table(1, 6, entries) }
}

#[test]
fn values_are_found_in_tuples_of_the_class_and_of_one_that_extends_it() {
    for (version, is_child) in [(8, false), (8, true), (11, false), (11, true), (12, false), (13, true)] {
        let mut heap = Heap::new(version > 11);
        let (host, value) = (heap.string("db.internal"), heap.string("hunter2-correct"));
        let (other, name) = (heap.string("host"), heap.name("password"));
        let entries = [(other, getter(&mut heap, 0)), (name, getter(&mut heap, 1))];
        let table = table(&mut heap, version, &entries);
        let first = class(&mut heap, 0, table);
        let of = if is_child { class(&mut heap, first, 0) } else { first };
        let before = heap.bytes.len();
        // As many values as are before it, no class, no count.
        heap.add(&[1, of, 1, host, value], &[]);
        heap.add(&[1, of + 16, 2, host, value], &[]);
        heap.add(&[BASE, of, 2, host, value], &[]);
        assert_eq!(heap.hunt(4096), []);
        heap.bytes.truncate(before);
        heap.add(&[1, of, 2, host, value], &[]);
        let want = ("password".to_owned(), "hunter2-correct".to_owned(), heap.place("hunter2-correct"));
        for window in [1 << 20, 8] {
            assert_eq!(heap.hunt(window), std::slice::from_ref(&want), "{version} {is_child} {window}");
        }
    }
}

#[test]
fn other_classes_have_no_such_tuples() {
    let mut heap = Heap::new(true);
    let (name, value) = (heap.name("password"), heap.string("hunter2-correct"));
    let getter = getter(&mut heap, 0);
    let table = table(&mut heap, 12, &[(name, getter)]);
    let class = class(&mut heap, 0, table);
    heap.add(&[1, class, 1, value], &[]);
    assert_eq!(heap.hunt(4096).len(), 1);
    let of_getter = u64::from_le_bytes(heap.bytes[(getter - BASE + 8) as usize..][..8].try_into().unwrap());
    // Not made by a program, no tuples, items of another size; a getter of another size, and one whose place is no such.
    let others = [(class + 168, 1 << 26), (class + 168, 1 << 9), (class + 40, 4)];
    for (at, word) in others.into_iter().chain([(of_getter + 32, 40), (getter + 16, 1 << 40)]) {
        let before = heap.bytes.clone();
        heap.set(at, word);
        assert_eq!(heap.hunt(4096), []);
        heap.bytes = before;
    }
}

#[test]
fn classes_that_extend_each_other_without_end_are_told_of() {
    let mut heap = Heap::new(true);
    let name = heap.name("password");
    let getter = getter(&mut heap, 0);
    let table = table(&mut heap, 12, &[(name, getter)]);
    let mut last = class(&mut heap, 0, table);
    for _ in 0..WALKS {
        last = class(&mut heap, last, 0);
    }
    assert!(heap.hunt_all(4096).1.is_some());
}
