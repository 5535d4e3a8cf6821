//! Local variables of CPython.

use super::*;

/// A frame of a function with three variables, of which the second has a name that is known, and the last is in a cell.
fn heap(is_late: bool, names: [&str; 3], depth: u64) -> Heap {
    let mut heap = Heap::new(is_late);
    let class = heap.add(&[9, BASE + 16], &[]);
    heap.set(BASE + 24, BASE + 16);
    let names = names.map(|name| if name == "user" { heap.string(name) } else { heap.name(name) });
    let values = ["svc-account", "first-k7Qv2mXw", "second-k7Qv2mXw"].map(|value| heap.string(value));
    let cell = heap.add(&[1, class, values[2]], &[]);
    let tuple = heap.add(&[&[1, class, 3][..], &names].concat(), &[]);
    let kinds = heap.add(&[1, class, 3, 0x77], &[0x20, 0x20, 0x40]);
    let count = if is_late { 3 } else { 3 << 32 };
    let code = heap.add(&[1, class, 70, 0, 0, 0, 0, 0, 0, count, 0, 0, tuple, kinds], &[]);
    let dict = heap.add(&[1, class], &[]);
    let frame = match is_late {
        true => [code, 0, dict, dict, dict, 0, 0, code + 8],
        false => [dict, dict, dict, 0, code, 0, 0, code + 8],
    };
    heap.add(&[&frame[..], &[depth, values[0], values[1], cell]].concat(), &[]);
    heap
}

#[test]
fn values_of_variables_are_found_in_frames() {
    for is_late in [false, true] {
        for depth in [5, 0x0001_ffff_ffff] {
            let heap = heap(is_late, ["user", "password", "api_token"], depth);
            let mut found = heap.hunt(1 << 20);
            assert_eq!(found, heap.hunt(8));
            found.sort_by(|a, b| a.1.cmp(&b.1));
            let values: Vec<(&str, &str)> = found.iter().map(|(name, value, _)| (&**name, &**value)).collect();
            assert_eq!(values, [("password", "first-k7Qv2mXw"), ("api_token", "second-k7Qv2mXw")], "{is_late}");
        }
    }
}

#[test]
fn what_is_no_frame_has_no_variables() {
    for is_late in [false, true] {
        assert_eq!(heap(is_late, ["user", "password", "user"], 0xffff_fff0).hunt(1 << 20), []);
        assert_eq!(heap(is_late, ["user", "user", "password"], 5).hunt(1 << 20).len(), 1);
        // A word is no value.
        assert_eq!(heap(is_late, ["password", "user", "user"], 5).hunt(1 << 20), []);
        assert_eq!(heap(is_late, ["user", "user", "user"], 5).names, []);
    }
}

#[test]
fn values_of_variables_of_other_functions_are_found_in_closures() {
    for is_late in [false, true] {
        for cells in [1, 2, 0] {
            let mut heap = Heap::new(is_late);
            let class = heap.add(&[9, BASE + 16], &[]);
            heap.set(BASE + 24, BASE + 16);
            let names = [heap.string("user"), heap.name("password")];
            let value = heap.string("first-k7Qv2mXw");
            let cell = heap.add(&[1, class, value], &[]);
            let tuple = heap.add(&[1, class, 2, names[0], names[1]], &[]);
            let kinds = heap.add(&[1, class, 2, 0x77], &[0x20, 0x80]);
            let count = if is_late { 2 } else { 2 << 32 };
            let code = heap.add(&[1, class, 70, 0, 0, 0, 0, 0, 0, count, 0, 0, tuple, kinds], &[]);
            let closure = heap.add(&[&[1, class, cells][..], &vec![cell; cells as usize]].concat(), &[]);
            let dict = heap.add(&[1, class], &[]);
            heap.add(&[1, class, dict, dict, names[0], names[0], code, 0, 0, closure, 0, 0], &[]);
            let found = heap.hunt(1 << 20);
            let want = ("password".to_owned(), "first-k7Qv2mXw".to_owned(), heap.place("first-k7Qv2mXw"));
            assert_eq!(found, if cells == 0 { vec![] } else { vec![want] }, "{is_late}");
        }
    }
}
