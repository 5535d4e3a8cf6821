//! Header fields of HTTP/2 as they stand in the buffers of the network (RFC 7541): with names as numbers and values in Huffman
//! code.
//!
//! What a field is worth is for the rules of text to say, which see it as `name: value`. What is looked for is the code of what
//! the values of `authorization` begin with; it begins at a whole byte, behind the length of its string. From there on the
//! fields that follow are read too, as long as they are fields: cookies come there. Which name a number above those of the
//! standard's table stands for, the dump does not tell. Secrets that stand as text somewhere are found in this code too, wherever
//! it stands, by the search for copies.

use std::ops::Range;

use zeroize::Zeroizing;

use super::decoded::Place;
use super::{Candidate, Decoded, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Rule};
use crate::huffman;
use crate::limits::Budget;
use crate::window::Window;

/// What the values of the field `authorization` begin with.
const SCHEMES: [&str; 3] = ["Bearer ", "bearer ", "Basic "];

/// Names in the standard's table that rules know, by their numbers (RFC 7541, appendix A).
const TABLE: [(usize, &str); 9] = [
    (1, ":authority"),
    (4, ":path"),
    (5, ":path"),
    (23, "authorization"),
    (32, "cookie"),
    (46, "location"),
    (49, "proxy-authorization"),
    (51, "referer"),
    (55, "set-cookie"),
];

/// Bytes of the longest string that is read: what servers take for a field at most.
const LONGEST: usize = 32 << 10;

/// Reads header fields of HTTP/2.
#[derive(Debug)]
pub struct HeaderFields;

impl Detector for HeaderFields {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        let literal = |scheme: &str| {
            let code = huffman::encode(scheme.as_bytes(), 0);
            // The last byte may hold bits of what comes behind.
            let own = scheme.bytes().map(huffman::bits).sum::<usize>() / 8;
            Literal::binary(code.get(..own).unwrap_or_default())
        };
        Trigger::Literals(SCHEMES.into_iter().map(literal).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 4, after: LONGEST }
    }

    fn confirm(&self, _candidate: Candidate, _window: &Window<'_>, _out: &mut Hits) {}

    fn looks_under(&self, _encoding: Encoding) -> bool {
        false
    }

    fn decoded(&self, candidate: Candidate, window: &Window<'_>, budget: &mut Budget) -> Vec<Decoded> {
        let bytes = window.bytes();
        let value = lengths_before(bytes, candidate.at).find_map(|at| Text::read(bytes, at, budget));
        let Some((first, mut end)) = value.map(|value| value.value_of(b"authorization")) else { return Vec::new() };
        let mut fields = vec![first];
        while let Some((next, behind)) = field(bytes, end, budget).filter(|_| budget.take(1)) {
            fields.extend(next);
            end = behind;
        }
        fields
    }
}

/// The places before `at` where the length of a string in Huffman code may begin that begins at `at`.
fn lengths_before(bytes: &[u8], at: usize) -> impl Iterator<Item = usize> {
    let ends_there = move |from: &usize| integer(bytes, *from, 7).is_some_and(|(_, end)| end == at);
    (1..=4)
        .filter_map(move |len| at.checked_sub(len))
        .filter(move |from| bytes.get(*from) >= Some(&0x80))
        .filter(ends_there)
}

/// The field that is written at `at`, and where it ends. Without the field where that has a number, as those have that were
/// sent before or that are in the standard's table.
fn field(bytes: &[u8], at: usize, budget: &mut Budget) -> Option<(Option<Decoded>, usize)> {
    let prefix = match bytes.get(at)? {
        0x80.. => return integer(bytes, at, 7).filter(|(index, _)| *index > 0).map(|(_, end)| (None, end)),
        0x40..=0x7f => 6,
        // How large the table is to be, which is told before the first field.
        0x20..=0x3f => return None,
        0x00..=0x1f => 4,
    };
    let (index, end) = integer(bytes, at, prefix)?;
    let (name, end) = match index {
        0 => Text::read(bytes, end, budget)
            .filter(|name| !name.letters.is_empty())
            .map(|name| (name.letters, name.end))?,
        _ => (Zeroizing::new(name_of(index).to_vec()), end),
    };
    let (field, end) = Text::read(bytes, end, budget)?.value_of(&name);
    Some((Some(field), end))
}

fn name_of(index: usize) -> &'static [u8] {
    TABLE.iter().find(|(number, _)| *number == index).map_or(b"field", |(_, name)| name.as_bytes())
}

/// The number that is written at `at` in the low `prefix` bits and, where those are all set, in the bytes behind them (RFC 7541,
/// section 5.1); and where it ends.
fn integer(bytes: &[u8], at: usize, prefix: u32) -> Option<(usize, usize)> {
    let most = (1_usize << prefix) - 1;
    let low = usize::from(*bytes.get(at)?) & most;
    if low < most {
        return Some((low, at + 1));
    }
    let mut value = low;
    for (i, byte) in bytes.get(at + 1..)?.iter().take(3).enumerate() {
        value += usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, at + 2 + i));
        }
    }
    None
}

/// A string of a field.
struct Text {
    letters: Zeroizing<Vec<u8>>,
    /// For each letter the bytes that hold it.
    places: Vec<Range<usize>>,
    /// Behind it.
    end: usize,
}

impl Text {
    /// The string whose length is written at `at`.
    fn read(bytes: &[u8], at: usize, budget: &mut Budget) -> Option<Self> {
        let (len, from) = integer(bytes, at, 7)?;
        let code = bytes.get(from..from + Some(len).filter(|len| *len <= LONGEST && budget.take(*len))?)?;
        let plain = bytes.get(at)? & 0x80 == 0;
        let letters = if plain { Zeroizing::new(code.to_vec()) } else { huffman::decode(code)? };
        let mut bit = 8 * from;
        let place = |letter: &u8| {
            let begins = bit;
            bit += if plain { 8 } else { huffman::bits(*letter) };
            begins / 8..bit.div_ceil(8)
        };
        let places = letters.iter().map(place).collect();
        let readable = letters.iter().all(|letter| (b' '..=b'~').contains(letter));
        readable.then_some(Self { letters, places, end: from + len })
    }

    /// The field with this value, as text, and where it ends.
    fn value_of(self, name: &[u8]) -> (Decoded, usize) {
        let begins = self.places.first().map_or(self.end, |place| place.start);
        let head = [name, b": "].concat();
        let name = Place { from: 0, code: begins..begins };
        let letters = (head.len()..).zip(self.places).map(|(from, code)| Place { from, code });
        let places = std::iter::once(name).chain(letters).collect();
        let bytes = Zeroizing::new([&head, self.letters.as_slice()].concat());
        (Decoded { bytes, places, encoding: Encoding::Huffman }, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::candidates;

    /// A string in Huffman code, behind its length.
    fn string(text: &str) -> Vec<u8> {
        let code = huffman::encode(text.as_bytes(), 0);
        let len = match code.len() {
            len @ 0..127 => vec![0x80 | len as u8],
            len => vec![0xff, (len - 127) as u8 & 0x7f | 0x80, ((len - 127) >> 7) as u8],
        };
        [len, code.to_vec()].concat()
    }

    /// What is read, each field with the bytes that hold its last letter.
    fn read(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        let Trigger::Literals(literals) = HeaderFields.trigger() else { panic!("no literals") };
        let places = literals.iter().enumerate().flat_map(|(i, literal)| candidates(bytes, i, literal));
        let fields = places.flat_map(|candidate| HeaderFields.decoded(candidate, &window, &mut Budget::new(1 << 20)));
        let told = |field: Decoded| {
            let last = field.places.last().unwrap().code.clone();
            (String::from_utf8(field.bytes.to_vec()).unwrap(), last)
        };
        fields.map(told).collect()
    }

    #[test]
    fn a_field_is_read_however_it_is_written_and_those_behind_it_too() {
        let token = "a1B2~".repeat(60);
        for token in ["c0ffee-Token_1", &token] {
            for head in [&b"\x57"[..], b"\x1f\x08", b"\x0f\x08", b"\x7e"] {
                let behind =
                    [&b"\x60"[..], &string("sid=8f3a; lang=de"), b"\x82\x40\x03abc\x02de\xbe", &[0; 40]].concat();
                let value = string(&format!("Bearer {token}"));
                let bytes = [&[7; 30], head, &value, &behind].concat();
                let fields = read(&bytes);
                let texts: Vec<&str> = fields.iter().map(|(text, _)| text.as_str()).collect();
                assert_eq!(texts, [&format!("authorization: Bearer {token}"), "cookie: sid=8f3a; lang=de", "abc: de"]);
                let end = 30 + head.len() + value.len();
                assert!(fields[0].1.end == end && fields[0].1.start >= end - 3, "{:?} of {end}", fields[0].1);
            }
        }
    }

    #[test]
    fn what_has_no_length_or_no_end_is_no_field() {
        let value = string("Bearer c0ffee-Token_1");
        assert!(read(&value[1..]).is_empty());
        assert!(read(&value[..value.len() - 1]).is_empty());
        let mut other = value.clone();
        other[0] -= 1;
        assert!(read(&other).is_empty());
    }
}
