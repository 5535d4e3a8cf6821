//! Strings of language runtimes that say of what the value is that they are the key of in a dict: no secrets, but the clues to values that
//! stand far from their names. How the strings of each runtime begin: `kinds`, where that of one more belongs.

mod kinds;

use std::ops::Range;

pub use kinds::Kind;
use kinds::{HEADER, KINDS, WIDE, is_end};

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::window::Window;

/// How names end.
const ENDS: &[&str] = &[
    "assword",
    "ASSWORD",
    "asswd",
    "ASSWD",
    "assphrase",
    "ASSPHRASE",
    "ecret",
    "ECRET",
    // As pydantic has it.
    "ecret_value",
    "oken",
    "OKEN",
    "_pass",
    "_PASS",
    "Pass",
    "_pwd",
    "_PWD",
    "_key",
    "_KEY",
    "apikey",
    "APIKEY",
    "piKey",
    "pi-key",
    "pi-Key",
    "retKey",
    "essKey",
    // Of signatures, encryption, masters and what is shared.
    "ingKey",
    "ionKey",
    "terKey",
    "redKey",
    "redential",
    "REDENTIAL",
    "redentials",
    "REDENTIALS",
    // As Rails has it.
    "key_base",
    "_AUTH",
    "_SALT",
    // What is shorter than four letters would cost every scan.
    "B_PW",
    "D_PW",
    "E_PW",
    "L_PW",
    "N_PW",
    "P_PW",
    "R_PW",
    "S_PW",
    "T_PW",
    "indpw",
    "indPw",
];
/// Whole names that are short, with the zero behind them, or with their length before them as in symbols: as ends of others they would be
/// everywhere. What has less than four letters would cost every scan a second packed searcher.
const SHORT: &[&str] = &["pass\0", "\x04\0pass", "auth\0"];
/// The one that has three letters.
const SHORTEST: &[u8] = b"pwd\0";
/// Letters of the longest name.
pub const LONGEST: usize = 64;

/// Finds names in strings of language runtimes.
pub struct ObjectNames;

impl Detector for ObjectNames {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        let short = SHORT.iter().map(|end| Literal::binary(end.as_bytes()));
        Trigger::Literals(ENDS.iter().map(|end| Literal::text(end)).chain(short).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 2 * LONGEST + HEADER, after: 40 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let short = candidate.literal.checked_sub(ENDS.len()).and_then(|short| SHORT.get(short));
        let end = short.or_else(|| ENDS.get(candidate.literal)).map_or(0, |end| end.trim_end_matches('\0').len());
        let place = |(object, kind)| Some(Clue::ObjectName { place: window.offset(object)?.0, kind });
        if candidate.wide {
            out.clues.extend(wide_objects(window, candidate.at + 2 * end).filter_map(place));
            return;
        }
        let end = candidate.at + end;
        let last = end + number(window.slice(end..end + 4));
        // Nothing has to end a symbol, but how long it is stands before it. So what looks like a number behind it may be none of its letters.
        let may_end = window.byte(last).is_some_and(|next| matches!(next & 0x87, 0 | 1 | 5 | 0x81));
        let kinds = |end| if may_end && end == last { &KINDS[..] } else { &[Kind::JavaSymbol] };
        let lengths = short.map_or(1..=LONGEST, |short| letters_of(short)..=letters_of(short));
        let starts = |end: usize| {
            let lengths = lengths.clone();
            lengths.map_while(move |len| end.checked_sub(len).filter(|at| is_letter(window.byte(*at))))
        };
        let objects =
            (end..=last).flat_map(|end| starts(end).flat_map(move |start| objects(window, start..end, kinds(end))));
        // What may be of two kinds is taken for both.
        out.clues.extend(objects.filter_map(place));
    }
}

/// How many letters a short name has without what stands around it.
fn letters_of(short: &str) -> usize {
    short.trim_matches(|letter: char| letter.is_ascii_control()).len()
}

/// Where the strings begin, each of one of these kinds, that such letters of a window may be the whole of.
fn objects<'a>(
    window: &'a Window<'_>,
    letters: Range<usize>,
    kinds: &'a [Kind],
) -> impl Iterator<Item = (usize, Kind)> + 'a {
    let next = window.byte(letters.end);
    kinds.iter().filter_map(move |kind| {
        let object = letters.start.checked_sub(kind.header())?;
        let is_header = || kind.length(window.slice(object..letters.start)) == Some(letters.len());
        (is_end(*kind, letters.len(), next) && is_header()).then_some((object, *kind))
    })
}

/// Where the strings begin whose letters have two bytes each and may end here, or behind a number here, with a zero behind them.
fn wide_objects<'a>(window: &'a Window<'_>, end: usize) -> impl Iterator<Item = (usize, Kind)> + 'a {
    let behind: Vec<u8> = window.slice(end..end + 8).iter().step_by(2).copied().collect();
    let end = end + 2 * number(&behind);
    let may_end = window.slice(end..end + 2) == [0, 0];
    let has_letter = move |at: usize| is_letter(window.byte(at)) && window.byte(at + 1) == Some(0);
    let starts = (1..=LONGEST).map_while(move |len| end.checked_sub(2 * len).filter(|at| may_end && has_letter(*at)));
    starts.flat_map(move |start| {
        WIDE.into_iter().filter_map(move |kind| {
            let object = start.checked_sub(kind.header())?;
            let len = kind.length(window.slice(object..start));
            (len == Some((end - start) / 2)).then_some((object, kind))
        })
    })
}

/// Calls `found` for every string that begins in the owned part of the window and is a name of three letters, with where that is and its kind: a
/// prefilter that looked for those would be slower everywhere, where this is asked only where there are other names.
pub fn shortest(window: &Window<'_>, mut found: impl FnMut(usize, Kind)) {
    let owned = window.owned();
    let from = owned.start.saturating_sub(HEADER);
    let bytes = window.slice(from..owned.end + HEADER + SHORTEST.len());
    for at in memchr::memmem::find_iter(bytes, SHORTEST).map(|at| from + at) {
        let all = objects(window, at..at + SHORTEST.len() - 1, &KINDS);
        all.filter(|(object, _)| owned.contains(object)).for_each(|(object, kind)| found(object, kind));
    }
}

/// Letters of the number that stands behind a name: `password2`, `api_key_1`.
#[must_use]
pub fn number(letters: &[u8]) -> usize {
    let sign = usize::from(matches!(letters.first(), Some(b'_' | b'-')));
    match letters.iter().skip(sign).take(3).take_while(|letter| letter.is_ascii_digit()).count() {
        0 => 0,
        digits => sign + digits,
    }
}

/// What names are made of: private ones of JavaScript begin with a hash sign, variables of instances of Ruby with an at sign.
fn is_letter(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'#' | b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::clues;

    /// A string in memory, behind other bytes.
    fn string(kind: Kind, state: u32, len: u64, letters: &str) -> Vec<u8> {
        let mut head = vec![0; kind.header()];
        head[..8].copy_from_slice(&7_u64.to_le_bytes());
        head[16..24].copy_from_slice(&len.to_le_bytes());
        head[24..32].copy_from_slice(&[0x61; 8]);
        head[32..36].copy_from_slice(&state.to_le_bytes());
        [&[0x61; 200][..], &head, letters.as_bytes(), &[0; 20]].concat()
    }

    fn names(bytes: &[u8]) -> Vec<(u64, Kind)> {
        let window = Window::new(
            bytes,
            0..bytes.len(),
            &[crate::span::Span { start: crate::span::FileOffset(1000), len: 1 << 20 }],
            &[],
        );
        let mut out = Hits::default();
        for (literal, end) in ENDS.iter().chain(SHORT).enumerate() {
            for at in memchr::memmem::find_iter(bytes, end.as_bytes()) {
                ObjectNames.confirm(Candidate { at, literal, wide: false }, &window, &mut out);
            }
        }
        let clue = |clue| match clue {
            Clue::ObjectName { place, kind } => (place, kind),
            other => panic!("{other:?}"),
        };
        out.clues.into_iter().map(clue).collect()
    }

    #[test]
    fn strings_of_either_layout_are_names() {
        for kind in [Kind::Python311, Kind::Python312] {
            for state in [0xe4, 0xe5, 0x64, 0x66, 0xa3_cce4] {
                for name in [
                    "DB_PASSWORD",
                    "pass",
                    "bindpw",
                    "password",
                    "x-api_key",
                    "client_secret",
                    "DB_PASSWORD_2",
                    "token12",
                    "DB_PW",
                ] {
                    let found = names(&string(kind, state, name.len() as u64, name));
                    assert_eq!(found, [(1200, kind)], "{name}");
                }
            }
        }
    }

    #[test]
    fn strings_of_other_runtimes_are_names() {
        let found = |head: &[u8], name: &str, behind: u8| {
            names(&[&[0x61; 200][..], head, name.as_bytes(), &[behind], &[0; 20]].concat())
        };
        let php = [[1, 0, 0, 0, 0x46, 0, 0, 0], [7; 8], [8, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(found(&php, "password", 0), [(1200, Kind::Php)]);
        assert_eq!(found(&php, "password", 1), []);
        assert_eq!(found(&[9, 9, 9, 9, 7, 0, 0, 0], "api_key", 0), [(1200, Kind::Perl)]);
        let java = |len: u8| [[0x79, 0, 0, 0, 0, 0, 0, 0], [0, 8, 0, 0x20, len, 0, 0, 0]].concat();
        assert_eq!(found(&java(8), "password", 0x79), [(1200, Kind::Java)]);
        assert_eq!(found(&java(8), "password", b'x'), []);
        // The half of a word before the letters is also how long a key of Perl is.
        assert_eq!(found(&java(7), "api_key", 0), [(1208, Kind::Perl), (1200, Kind::Java)]);
        assert_eq!(found(&java(7), "api_key", 1), []);
        // Behind eight letters there is the next object.
        let node = |len: u8| [[0x99, 2, 0xe8, 0xa0, 0x4b, 0x3d, 0, 0], [7, 7, 7, 7, len, 0, 0, 0]].concat();
        let of_perl = |place| (place, Kind::Perl);
        assert_eq!(found(&node(8), "password", 0x99), [(1200, Kind::Node)]);
        assert_eq!(found(&node(9), "#password", 0), [of_perl(1208), (1200, Kind::Node)]);
        assert_eq!(found(&node(9), "#password", 0x99), []);
        // Short strings of Ruby say how long they are in their flags, and none has 24 letters.
        let ruby = |flags: u64| [flags.to_le_bytes(), 0x7f59_22fe_e458_u64.to_le_bytes()].concat();
        assert_eq!(found(&ruby(0x2092_0865), "password", 0), [(1200, Kind::Ruby)]);
        assert_eq!(found(&ruby(0x2092_4865), "@password", 0), [(1200, Kind::Ruby)]);
        for flags in [0x2092_0864, 0x2092_2865, 0x2092_4865] {
            assert_eq!(found(&ruby(flags), "password", 0), [], "{flags:x}");
        }
        let lua = |len: u8| [[0x40, 1, 0x60, 0x55, 0x7f, 0, 0, 0], [4, 8, 0, len, 7, 7, 7, 7], [0; 8]].concat();
        assert_eq!(found(&lua(7), "api_key", 0), [(1200, Kind::Lua)]);
        for other in [
            lua(8),
            [[0x40; 8], [4, 8, 0, 7, 7, 7, 7, 7], [0; 8]].concat(),
            [[0; 8], [4, 8, 1, 7, 7, 7, 7, 7], [0; 8]].concat(),
        ] {
            assert_eq!(found(&other, "api_key", 0), []);
        }
        // Nothing has to end a symbol of OpenJDK.
        let symbol = |len: u8| [1, 0, 7, 7, len, 0];
        for behind in [0, b'x', 0xff, b'3'] {
            assert_eq!(found(&symbol(8), "password", behind), [(1200, Kind::JavaSymbol)]);
            assert_eq!(found(&symbol(7), "password", behind), []);
        }
        assert_eq!(found(&[0, 0, 7, 7, 8, 0], "password", 0), []);
        assert_eq!(found(&symbol(4), "pass", b'x'), [(1200, Kind::JavaSymbol)]);
        assert_eq!(found(&symbol(6), "bypass", 0), []);
    }

    #[test]
    fn strings_of_wide_letters_are_names() {
        let class = 0x7f30_b98b_0f90_u64.to_le_bytes();
        let net = |len: u8| [&class[..], &[len, 0, 0, 0]].concat();
        let mono = |len: u8| [&class[..], &[0; 8], &[len, 0, 0, 0]].concat();
        for (name, at, literal) in [("Smtp:Password", 12, "assword"), ("api_key_2", 6, "_key")] {
            let letters: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let found = |head: &[u8], behind: u8| {
                let bytes = [&[0x61; 200][..], head, &letters, &[behind], &[0; 20]].concat();
                let pieces = [crate::span::Span::new(1000, 1 << 20)];
                let window = Window::new(&bytes, 0..bytes.len(), &pieces, &[]);
                let literal = ENDS.iter().position(|end| *end == literal).unwrap();
                let mut out = Hits::default();
                let at = 200 + head.len() + at;
                ObjectNames.confirm(Candidate { at, literal, wide: true }, &window, &mut out);
                out.clues
            };
            let clue = |kind| vec![Clue::ObjectName { place: 1200, kind }];
            let len = name.len() as u8;
            assert_eq!(found(&net(len), 0), clue(Kind::DotNet));
            assert_eq!(found(&mono(len), 0), clue(Kind::Mono));
            assert_eq!(found(&net(len), 7), []);
            assert_eq!(found(&net(len + 1), 0), []);
            assert_eq!(found(&[&[9; 8][..], &[len, 0, 0, 0]].concat(), 0), []);
        }
    }

    #[test]
    fn a_name_of_three_letters_is_found_where_it_is_asked_for() {
        let bytes = [string(Kind::Python311, 0xe4, 3, "pwd"), string(Kind::Python311, 0xe4, 4, "pwd")].concat();
        for cut in [0, 199, 200, 201, bytes.len()] {
            let mut found = Vec::new();
            for owned in [0..cut, cut..bytes.len()] {
                shortest(&Window::new(&bytes, owned, &[], &[]), |object, kind| found.push((object, kind)));
            }
            assert_eq!(found, [(200, Kind::Python311)], "{cut}");
        }
    }

    #[test]
    fn other_letters_are_none() {
        assert_eq!(names(&string(Kind::Python312, 0x64, 10, "DB_PASSWORD")), []);
        assert_eq!(names(&string(Kind::Python312, 0x68, 11, "DB_PASSWORD")), []);
        assert_eq!(names(&string(Kind::Python311, 0x44, 11, "DB_PASSWORD")), []);
        assert_eq!(names(&string(Kind::Python311, 0xe4, 16, "DB_PASSWORD_2020")), []);
        assert_eq!(names(&string(Kind::Python311, 0xe4, 12, "DB_PASSWORD_")), []);
        assert_eq!(clues(&ObjectNames, b"password\0"), []);
    }
}
