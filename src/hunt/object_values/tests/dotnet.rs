//! Dictionaries of .NET and Mono.

use super::*;

/// A class, as long as there is memory for it.
const CLASS: u64 = BASE + 16;
const ENDED: u64 = u32::MAX as u64;

fn string(heap: &mut Heap, kind: Kind, letters: &str) -> u64 {
    let wide: Vec<u8> = letters.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let head: &[u64] = if kind == Kind::Mono { &[CLASS, 0] } else { &[CLASS] };
    heap.add(head, &[&(letters.len() as u32).to_le_bytes()[..], &wide, &[0]].concat())
}

fn octets(heap: &mut Heap, kind: Kind, letters: &[u8]) -> u64 {
    let len = letters.len() as u64;
    let head: &[u64] = if kind == Kind::Mono { &[BASE, 0, 0, len] } else { &[BASE, len] };
    heap.add(head, letters)
}

/// What is told of words in which the first that is zero is a name and the next the value.
fn told(kind: Kind, value: &str, around: impl Fn(u64, u64) -> Vec<u64>) -> Vec<Told> {
    let mut heap = Heap::at(BASE);
    let name = string(&mut heap, kind, "Smtp:Password");
    heap.names.push(Clue::ObjectName { place: name - BASE, kind });
    let value = string(&mut heap, kind, value);
    let words = around(name, value);
    heap.add(&words, &[]);
    let found = heap.hunt(1 << 20);
    assert_eq!(found, heap.hunt(8));
    found
}

#[test]
fn values_of_dictionaries_are_found_beside_their_hashes() {
    for kind in [Kind::DotNet, Kind::Mono] {
        for entry in [0x60ad_465f << 32 | ENDED, 0x60ad_465f | ENDED << 32, 0x60ad_465f, 0x60ad_4658 << 32 | 3] {
            let found = told(kind, "hunter2-k7Qv", |name, value| vec![0, name, value, entry, 0]);
            let [(name, value, spans)] = &found[..] else { panic!("{kind:?} {entry:x}") };
            assert_eq!((&**name, &**value, spans[0].len), ("Smtp:Password", "hunter2-k7Qv", 24));
            assert_eq!(told(kind, "hunter2-k7Qv", |name, value| vec![0, entry, name, value, 0]).len(), 1);
        }
        let node = |name, value| vec![CLASS, name, value, 0, 0x43a3_1d4a, 0];
        assert_eq!(told(kind, "hunter2-k7Qv", node).len(), 1);
    }
}

#[test]
fn what_stands_beside_a_name_without_a_hash_is_none() {
    for kind in [Kind::DotNet, Kind::Mono] {
        // A list of texts, addresses on both sides, and what is no number of an entry.
        for (before, after) in [(4, 0), (BASE, BASE + 32), (0, 0x60ad_465f_8000_0000), (0, u64::MAX)] {
            let found = told(kind, "hunter2-k7Qv", |name, value| vec![before, name, value, after, 0]);
            assert_eq!(found, [], "{before:x} {after:x}");
        }
    }
}

#[test]
fn octets_that_look_like_a_key_are_values() {
    for kind in [Kind::DotNet, Kind::Mono] {
        let mut heap = Heap::at(BASE);
        let name = string(&mut heap, kind, "signing_key");
        heap.names.push(Clue::ObjectName { place: name - BASE, kind });
        let key = octets(&mut heap, kind, &crate::keys::testing::noise(32, 5));
        heap.add(&[0, name, key, 0x60ad_465f << 32 | ENDED], &[]);
        assert_eq!(heap.hunt(4096).len(), 1, "{kind:?}");
    }
}
