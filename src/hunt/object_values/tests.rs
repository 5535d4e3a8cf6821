use super::*;
use crate::dump::{Label, Region};
use crate::window::Window;

const BASE: u64 = 0x7f10_0000_0000;
const TYPE: u64 = 0x95_8980;

/// Memory of a process of CPython.
struct Heap {
    bytes: Vec<u8>,
    /// Whether it is 3.12 or later, whose strings have no `wstr`.
    is_late: bool,
    names: Vec<Clue>,
}

impl Heap {
    fn new(is_late: bool) -> Self {
        Self { bytes: vec![0; 64], is_late, names: Vec::new() }
    }

    fn add(&mut self, words: &[u64], rest: &[u8]) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let at = BASE + self.bytes.len() as u64;
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
        self.names.push(Clue::ObjectName { place: at - BASE, header: if self.is_late { 40 } else { 48 } });
        at
    }

    /// A table of 3.11 or later with `slots` as a logarithm.
    fn table(&mut self, kind: u8, slots: u8, entries: &[(u64, u64)]) {
        let bytes = if slots < 8 { slots } else { slots + 1 };
        let free = (1_u64 << slots) * 2 / 3 - entries.len() as u64;
        let head = [1, u64::from_le_bytes([slots, bytes, kind, 0, 7, 0, 0, 0]), free, entries.len() as u64];
        let words = [&head[..], &indices(1 << bytes), &self.entries(kind, entries)].concat();
        // Free entries are zero.
        self.add(&words, &vec![0; 2048]);
    }

    /// One before 3.11.
    fn old_table(&mut self, slots: u64, entries: &[(u64, u64)]) {
        let free = slots * 2 / 3 - entries.len() as u64;
        let head = [1, slots, 0x55_1234, free, entries.len() as u64];
        let bytes = if slots < 256 { slots } else { 2 * slots };
        let words = [&head[..], &indices(bytes), &self.entries(0, entries)].concat();
        self.add(&words, &vec![0; 2048]);
    }

    fn entries(&self, kind: u8, entries: &[(u64, u64)]) -> Vec<u64> {
        let entry = |&(key, value): &(u64, u64)| if kind == 0 { vec![0x77, key, value] } else { vec![key, value] };
        entries.iter().flat_map(entry).collect()
    }

    /// What is told of it, window after window of so many bytes: names and values, and where those stand.
    fn hunt(&self, window: usize) -> Vec<(String, String, Vec<Span>)> {
        let span = Span::new(0, self.bytes.len() as u64);
        let region = Region { span, address: Some(Address(BASE)), label: Label::Memory, protection: None };
        let (image, memory) = (Image::from_bytes("t", self.bytes.clone()), AddressSpace::new(&[region]));
        let mut clues = Clues::new(100);
        assert!(!ObjectValues.needs(&clues));
        self.names.iter().for_each(|name| clues.add(name.clone()));
        let hunt = ObjectValues.prepare(&clues);
        let mut out = Hits::default();
        for from in (0..self.bytes.len()).step_by(window) {
            let owned = from..(from + window).min(self.bytes.len());
            let pieces = [span];
            let window = Window::new(&self.bytes, owned, &pieces, &[]);
            hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
        }
        assert_eq!(hunt.given_up(), None);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        out.named.iter().map(|one| (text(&one.name), text(one.value.expose()), one.spans.clone())).collect()
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
                heap.old_table(1 << slots, &entries)
            } else {
                heap.table(kind, slots, &entries)
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
    let (name, value) = (heap.name("DB_PASSWORD"), heap.string("hunter2-correct"));
    heap.add(&[name, value].repeat(1 << 14), &[]);
    let span = Span::new(0, heap.bytes.len() as u64);
    let region = Region { span, address: Some(Address(BASE)), label: Label::Memory, protection: None };
    let (image, memory) = (Image::from_bytes("t", heap.bytes.clone()), AddressSpace::new(&[region]));
    let mut clues = Clues::new(100);
    heap.names.iter().for_each(|name| clues.add(name.clone()));
    let (hunt, mut out) = (ObjectValues.prepare(&clues), Hits::default());
    let pieces = [span];
    let window = Window::new(&heap.bytes, 0..heap.bytes.len(), &pieces, &[]);
    hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
    assert!(out.named.is_empty() && hunt.given_up().is_some());
}

#[test]
fn ranges_hold_every_name() {
    for addresses in
        [&[][..], &[8], &[8, 16, 24], &[8, 1 << 20, 1 << 30, 1 << 40, (1 << 40) + 8], &[8, 16, 900, 908, 1800, 1808]]
    {
        let name = |address: &u64| Name { address: *address, kind: 0, header: 40, letters: Vec::new() };
        let names: Vec<Name> = addresses.iter().map(name).collect();
        let ranges = ranges(&names);
        let is_in = |at: u64| ranges.iter().any(|(first, len)| at.wrapping_sub(*first) <= *len);
        assert!(addresses.iter().all(|at| is_in(*at)), "{ranges:x?}");
    }
}
