//! Tables of Lua.

use super::*;

fn string(heap: &mut Heap, letters: &str) -> u64 {
    let is_short = letters.len() <= 40;
    let kind = if is_short { 4 | (letters.len() as u64) << 24 } else { 0x14 };
    let next = if is_short { 0 } else { letters.len() as u64 };
    heap.add(&[BASE + 64, kind | 0x8 << 8 | 0x0707_0707 << 32, next], letters.as_bytes())
}

#[test]
fn values_of_tables_are_found() {
    let long = "k7Qv2mXw9Tz4Rb8Lc5Hn1Jd6Ps3Gf0Ya7Ue2Wi4Qx";
    let mut heap = Heap::at(BASE);
    let names = ["db_password", "api_secret", "auth_token", "user", "auth"].map(|name| string(&mut heap, name));
    let values = ["first-k7Qv2mXw", long, "third-k7Qv2mXw"].map(|value| string(&mut heap, value));
    for name in &names {
        heap.names.push(Clue::ObjectName { place: name - BASE, kind: Kind::Lua });
    }
    let tag = |value: u64, next: i32| value | 0x44 << 8 | u64::from(next as u32) << 32;
    let table = [[values[0], tag(0x44, -3), names[0]], [values[1], tag(0x54, 2), names[1]]].concat();
    // A kind of value that is none, a value of another kind, a key of another, and one too far away.
    let others = [
        [values[2], tag(3, 0), names[2]],
        [values[2], tag(0x54, 0), names[2]],
        [values[2], 0x44 | 0x54 << 8, names[2]],
        [values[2], tag(0x44, 1 << 30), names[2]],
        [values[2], tag(0x44, 0), names[4]],
    ];
    heap.add(&[table, others.concat()].concat(), &[]);
    let found = heap.hunt(1 << 20);
    assert_eq!(found, heap.hunt(8));
    let told = |name: &str, value: &str| (name.to_owned(), value.to_owned(), heap.place(value));
    assert_eq!(found, [told("db_password", "first-k7Qv2mXw"), told("api_secret", long)]);
}
