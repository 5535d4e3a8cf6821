//! Objects of Ruby.

use super::*;

/// The class of strings.
const STRINGS: u64 = BASE + 8;
/// Flags of a string that is a key, and of one that is none.
const KEY: u64 = 0x2092_0865;
const TEXT: u64 = 0x0052_0065;

fn string(heap: &mut Heap, flags: u64, letters: &str) -> u64 {
    heap.add(&[flags | (letters.len() as u64) << 14, STRINGS], letters.as_bytes())
}

fn name(heap: &mut Heap, letters: &str) -> u64 {
    let at = string(heap, KEY, letters);
    heap.names.push(Clue::ObjectName { place: at - BASE, kind: Kind::Ruby });
    at
}

/// A string whose letters stand apart, with no NUL behind them.
fn long(heap: &mut Heap, letters: &str) -> u64 {
    let at = heap.add(&[], format!("{letters}, and more").as_bytes());
    heap.add(&[TEXT | 1 << 13, STRINGS, letters.len() as u64, at], &[])
}

/// The part of the table of all symbols that has this one, by its number and the kind of name.
fn symbol(heap: &mut Heap, name: u64, number: u64, kind: u64) -> u64 {
    let symbol = |number: u64| (number << 4 | kind | 1) << 8 | 0xc;
    let other = string(heap, KEY, "host");
    heap.add(&[other, symbol(number - 1), name, symbol(number), other, symbol(number + 1)], &[]);
    symbol(number)
}

fn told(heap: &Heap) -> Vec<(String, String)> {
    let found = heap.hunt(1 << 20);
    assert_eq!(found, heap.hunt(8));
    found.into_iter().map(|(name, value, _)| (name, value)).collect()
}

fn pair(value: &str) -> Vec<(String, String)> {
    vec![("password".to_owned(), value.to_owned())]
}

#[test]
fn values_of_hashes_are_found_by_key() {
    for is_symbol in [true, false] {
        for is_long in [true, false] {
            let mut heap = Heap::new(true);
            let name = name(&mut heap, "password");
            let value =
                if is_long { long(&mut heap, "hunter2-correct") } else { string(&mut heap, TEXT, "hunter2-correct") };
            let key = if is_symbol { symbol(&mut heap, name, 0xd68, 0) } else { name };
            let of_another_class = heap.add(&[TEXT | 4 << 14, STRINGS + 8], b"abcd");
            // A list, the table of all strings, what is no string of the program, and a small hash's entry in no hash.
            heap.add(&[BASE, key, value, 3, key, value, 0x81, 7, 7, key, value], &[]);
            heap.add(&[0x77_1234_5678_9abc, name, name, 0x77_1234_5678_9abc, key, of_another_class], &[]);
            assert_eq!(told(&heap), []);
            let before = heap.bytes.clone();
            heap.add(&[0x77_1234_5678_9abc, key, value], &[]);
            assert_eq!(told(&heap), pair("hunter2-correct"));
            // Small ones: the first entry or a later one, of the heap and of another arena.
            for (entry, size) in [(0, 0x91), (3, 0x95), (7, 0x91)] {
                heap.bytes = before.clone();
                let entries = [vec![5; 2 * entry], vec![key, value]].concat();
                heap.add(&[&[size][..], &entries].concat(), &[]);
                assert_eq!(told(&heap), pair("hunter2-correct"));
            }
            // One in memory that is soon moved, behind a pointer to its hash.
            heap.bytes = before.clone();
            let hash = heap.add(&[8, BASE, 0], &[]);
            let table = heap.add(&[0x90, hash, 5, 5, key, value], &[]) + 16;
            assert_eq!(told(&heap), []);
            heap.set(hash + 16, table);
            assert_eq!(told(&heap), pair("hunter2-correct"));
        }
    }
}

#[test]
fn a_value_may_be_the_only_item_of_an_array() {
    for (flags, count) in [(0xa007, 1), (0x12007, 0), (0x8007, 0)] {
        let mut heap = Heap::new(true);
        let (name, value) = (name(&mut heap, "password"), string(&mut heap, TEXT, "hunter2-correct"));
        let array = heap.add(&[flags, BASE, value, 0, 0], &[]);
        heap.add(&[0x77_1234_5678_9abc, name, array], &[]);
        assert_eq!(told(&heap).len(), count, "{flags:x}");
    }
}

#[test]
fn a_symbol_is_one_by_its_neighbours_or_its_object() {
    let mut heap = Heap::new(true);
    let (name, value) = (name(&mut heap, "password"), string(&mut heap, TEXT, "hunter2-correct"));
    // A hash with a symbol as its value.
    heap.add(&[0x77_1234_5678_9abc, name, 0xd_6810c], &[]);
    heap.add(&[0x77_1234_5678_9abc, 0xd_6810c, value], &[]);
    assert_eq!(told(&heap), []);
    let object = heap.add(&[0x14, BASE, 0x77, name, 0], &[]);
    heap.add(&[0x77_1234_5678_9abc, object, value], &[]);
    assert_eq!(told(&heap), pair("hunter2-correct"));
}

#[test]
fn values_of_variables_are_found_in_instances_of_the_class() {
    let mut heap = Heap::new(true);
    let (name, value) = (name(&mut heap, "@password"), string(&mut heap, TEXT, "hunter2-correct"));
    let symbol = symbol(&mut heap, name, 0xd5d, 2);
    let (class, other) = (heap.add(&[2, BASE], &[]), heap.add(&[2, BASE], &[]));
    let entry = heap.add(&[1, 7, class], &[]);
    heap.add(&[6, symbol >> 8, entry], &[]);
    heap.add(&[1 | 1 << 13, other, 8, value, 0], &[]);
    heap.add(&[1 | 1 << 13, class, value, 8, 8], &[]);
    heap.add(&[5 | 1 << 13, class, 8, value, 8], &[]);
    let variables = heap.add(&[8, value], &[]);
    heap.add(&[1, class, 1, variables], &[]);
    assert_eq!(told(&heap), []);
    let before = heap.bytes.clone();
    heap.add(&[1 | 1 << 13, class, 8, value, 8], &[]);
    assert_eq!(told(&heap), pair("hunter2-correct"));
    heap.bytes = before;
    heap.add(&[1, class, 2, variables], &[]);
    assert_eq!(told(&heap), pair("hunter2-correct"));
}
