//! The same planted token in every encoding, once and twice: its site covers exactly the encoded bytes that hold it.

use std::ops::Range;

use base64ct::{Base64, Base64Unpadded, Base64Url, Encoding as _};

use crate::detect::gzip_streams::{self, GzipStreams};
use crate::detect::header_fields::HeaderFields;
use crate::detect::{Candidate, Detector, Hit, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::huffman;
use crate::scan::Engine;
use crate::vault::Secret;
use crate::window::Window;

/// Finds a literal with twelve letters or digits and more behind it; signs may stand among them.
struct Tokens(&'static str, bool);

impl Detector for Tokens {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new("token", "t", Severity::High, "t", "t")]
    }
    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal { wide: self.1, ..Literal::text(self.0) }])
    }
    fn reach(&self) -> Reach {
        Reach { before: 0, after: 80 }
    }
    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let view = TextView::around(window, candidate, 0, 80);
        let token = |b: &&u8| b.is_ascii_alphanumeric() || b"&+/".contains(b);
        let behind = view.letters().iter().skip(self.0.len());
        let end = self.0.len() + behind.take_while(token).count();
        if end < self.0.len() + 12 || !view.letters().starts_with(self.0.as_bytes()) {
            return;
        }
        out.hits.push(Hit {
            rule: "token".to_owned(),
            severity: None,
            evidence: Evidence::Matched,
            public: PublicIdentity::default(),
            secret: Secret::text(&view.letters()[..end]),
            range: view.bytes_of(0..end),
            form: Form::whole(Layout::Text, view.encoding()),
        });
    }
}

const LITERALS: [&str; 4] = ["tk_", "ghx_", "k://", "PASSWORD="];

fn token(literal: &str) -> String {
    format!("{literal}Zq7Jd02mXw9LbT")
}

/// What is found in `bytes`: range and encoding, each once.
fn found(literal: &'static str, bytes: &[u8], owned: Range<usize>) -> Vec<(Range<usize>, Encoding)> {
    found_by(vec![Box::new(Tokens(literal, true))], bytes, owned)
}

fn found_by(detectors: Vec<Box<dyn Detector>>, bytes: &[u8], owned: Range<usize>) -> Vec<(Range<usize>, Encoding)> {
    let engine = Engine::new(detectors).unwrap();
    let hits = engine.look(&Window::new(bytes, owned, &[], &[])).0;
    let mut all: Vec<_> = hits.hits.into_iter().map(|hit| (hit.range, hit.form.encoding)).collect();
    all.sort_by_key(|(range, encoding)| (range.start, range.end, *encoding));
    all.dedup();
    all
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn wide_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn percent(text: &str) -> String {
    let reserved = |b: u8| !(b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    text.bytes().map(|b| if reserved(b) { format!("%{b:02X}") } else { char::from(b).to_string() }).collect()
}

/// One way to encode: the text, and which part of it holds a range of the bytes.
type Way = (&'static str, Encoding, fn(&[u8]) -> String, fn(Range<usize>) -> Range<usize>);

fn of_base64(r: Range<usize>) -> Range<usize> {
    r.start * 4 / 3..(r.end * 4).div_ceil(3)
}

fn of_hex(r: Range<usize>) -> Range<usize> {
    2 * r.start..2 * r.end
}

fn of_lines(r: Range<usize>) -> Range<usize> {
    let r = of_base64(r);
    r.start + r.start / 20..r.end + (r.end - 1) / 20
}

const WAYS: [Way; 6] = [
    ("base64", Encoding::Base64, |b| Base64::encode_string(b), of_base64),
    ("base64, no padding", Encoding::Base64, |b| Base64Unpadded::encode_string(b), of_base64),
    ("base64 for URLs", Encoding::Base64, |b| Base64Url::encode_string(b), of_base64),
    (
        "base64 in lines",
        Encoding::Base64,
        |b| {
            let letters = Base64::encode_string(b);
            letters.as_bytes().chunks(20).map(|l| std::str::from_utf8(l).unwrap()).collect::<Vec<_>>().join("\n")
        },
        of_lines,
    ),
    ("hex", Encoding::Hex, hex, of_hex),
    ("HEX", Encoding::Hex, |b| hex(b).to_uppercase(), of_hex),
];

#[test]
fn a_token_is_found_in_every_encoding_phase_and_width() {
    for literal in LITERALS {
        let token = token(literal);
        for (name, encoding, encode, part) in WAYS {
            for before in 0..7 {
                // What stands around it decodes to all kinds of letters.
                let text = [&b"\xff\xfb\xfe>?>"[..before.min(6)], token.as_bytes(), b"\xff>>?"].concat();
                let encoded = encode(&text);
                let start = before.min(6);
                let want = part(start..start + token.len());
                let bytes = [b"\x07\x07\x07;", encoded.as_bytes(), b";\0\0"].concat();
                let told = found(literal, &bytes, 0..bytes.len());
                assert_eq!(told, [(want.start + 4..want.end + 4, encoding)], "{literal} {name} {before}");
                for (order, parity) in [(wide as fn(&str) -> Vec<u8>, 6), (wide_be, 6), (wide, 7), (wide_be, 7)] {
                    let bytes = [vec![0xf1; parity], order(&format!(";{encoded};")), vec![0xf1; 6]].concat();
                    let told = found(literal, &bytes, 0..bytes.len());
                    let at = |letter: usize| parity + 2 + 2 * letter;
                    assert_eq!(told, [(at(want.start)..at(want.end), encoding)], "{literal} {name} {before} wide");
                }
            }
        }
    }
}

#[test]
fn utf_16_in_base64_is_found() {
    for literal in LITERALS {
        for order in [wide as fn(&str) -> Vec<u8>, wide_be] {
            for before in 0..3 {
                let text = [vec![0xf1; before], order(&format!(";{};", token(literal)))].concat();
                let bytes = Base64::encode_string(&text).into_bytes();
                let from = before + 2;
                let want = of_base64(from..from + 2 * token(literal).len());
                assert_eq!(found(literal, &bytes, 0..bytes.len()), [(want, Encoding::Base64)], "{literal} {before}");
            }
        }
    }
}

#[test]
fn what_is_encoded_twice_is_found() {
    for literal in LITERALS {
        let token = token(literal);
        for (outer_name, encoding, outer, outer_part) in WAYS {
            for (inner_name, _, inner, inner_part) in WAYS {
                for before in 0..3 {
                    let lead = &">>>"[..before];
                    let once = inner(format!("{lead}{token}?").as_bytes());
                    let twice = outer(once.as_bytes());
                    let want = outer_part(inner_part(before..before + token.len()));
                    let told = found(literal, twice.as_bytes(), 0..twice.len());
                    assert_eq!(told, [(want, encoding)], "{literal}: {inner_name} in {outer_name}, {before}");
                }
            }
        }
    }
}

#[test]
fn percent_signs_and_escapes_are_decoded() {
    for literal in ["tk_", "k://", "PASSWORD="] {
        let token = format!("{literal}Zq7Jd02mXw9&LbT");
        let json = token.replace('/', r"\/").replace('&', r"\u0026");
        let gson = token.replace('=', r"\u003d").replace('&', r"\u0026").replace("//", r"\/\/");
        let c = token.replace('&', r"\x26");
        for (text, encoding) in [
            (percent(&token), Encoding::Percent),
            (
                percent(&token).to_lowercase().replace(&percent(literal).to_lowercase(), &percent(literal)),
                Encoding::Percent,
            ),
            (json, Encoding::Escaped),
            (gson, Encoding::Escaped),
            (c, Encoding::Escaped),
        ] {
            let line = format!("{{\"a b\": \"{text}\"}}");
            let at = line.find(&text).unwrap();
            let want = at..at + text.len();
            assert_eq!(found(literal, line.as_bytes(), 0..line.len()), [(want.clone(), encoding)], "{line}");
            let bytes = [vec![0xf1; 3], wide(&line), vec![0xf1; 3]].concat();
            let want = 3 + 2 * want.start..3 + 2 * want.end;
            assert_eq!(found(literal, &bytes, 0..bytes.len()), [(want, encoding)], "{line} wide");
        }
    }
}

#[test]
fn a_token_without_escapes_among_escapes_is_told_once_as_it_is() {
    let line = br#""a\n\tghx_Zq7Jd02mXw9LbT\n%41""#;
    assert_eq!(found("ghx_", line, 0..line.len()), [(6..24, Encoding::Plain)]);
}

#[test]
fn base64_in_percent_signs_and_in_json_is_found() {
    for literal in LITERALS {
        // The letters hold signs of base64: 0xfb 0xff are `+/`.
        let text = [b"\xfb\xff\xbe", token(literal).as_bytes(), b"\xfb\xff\xfb"].concat();
        let letters = Base64::encode_string(&text);
        let json = letters.replace('/', r"\/").replace('+', r"\u002b");
        for encoded in [percent(&letters), json, percent(&percent(&letters))] {
            let bytes = format!("\"{encoded}\"").into_bytes();
            let told = found(literal, &bytes, 0..bytes.len());
            assert!(!told.is_empty(), "{literal} {encoded}");
            let own = of_base64(3..3 + token(literal).len());
            let own = &letters[own];
            let at = encoded.find(own).map(|at| at + 1..at + 1 + own.len());
            assert!(at.is_none_or(|at| told.iter().any(|(range, _)| *range == at)), "{literal} {encoded} {told:?}");
        }
        let percent_in_base64 = Base64::encode_string(format!("a%20{}", percent(&token(literal))).as_bytes());
        assert_eq!(found(literal, percent_in_base64.as_bytes(), 0..percent_in_base64.len()).len(), 1, "{literal}");
    }
}

#[test]
fn every_hit_has_one_owner_wherever_windows_are_cut() {
    for literal in LITERALS {
        for (name, _, encode, _) in WAYS {
            let bytes = [b"\x07;", encode(format!(">{}<", token(literal)).as_bytes()).as_bytes(), b";\x07"].concat();
            for cut in 0..=bytes.len() {
                let mut all = found(literal, &bytes, 0..cut);
                all.extend(found(literal, &bytes, cut..bytes.len()));
                assert_eq!(all.len(), 1, "{literal} {name} cut at {cut}");
            }
        }
    }
}

#[test]
fn binary_literals_are_found_too() {
    let engine = Engine::new(vec![Box::new(Tokens("\x01\x02\x7fa", false))]).unwrap();
    let text = Base64::encode_string(b"..\x01\x02\x7faZq7Jd02mXw9LbT.");
    assert_eq!(engine.look(&Window::new(text.as_bytes(), 0..text.len(), &[], &[])).0.hits.len(), 1);
}

#[test]
fn hostile_text_is_decoded_to_a_bounded_length() {
    let engine = Engine::new(vec![Box::new(Tokens("tk_", true))]).unwrap();
    // The literal in every phase and in digits, in one run: it is decoded in every way.
    let once: String = (0..3).map(|n| Base64Unpadded::encode_string(&[&b"~~~"[..n], b"tk_~"].concat())).collect();
    let unit = format!("{once}{}A", hex(b"tk_"));
    let bytes = unit.repeat((1 << 19) / unit.len()).into_bytes();
    let deep = Base64::encode_string(&bytes);
    for bytes in [bytes, deep.into_bytes(), b"%41tk_\\x41".repeat(50_000), b"tk_\\\"".repeat(50_000)] {
        // What is asked for is that this ends: without its budget it would not in any time that a test has.
        engine.look(&Window::new(&bytes, 0..bytes.len(), &[], &[]));
    }
    let (_, look) = engine.look(&Window::new(b"dGtfdGtfdGtfdGtfdGtfdGtf", 0..24, &[], &[]));
    assert!(!look.spent, "what is not hostile is decoded whole");
}

/// A stream of gzip that holds the token among other text.
fn gzip(token: &str) -> Vec<u8> {
    let fill: String = (0..200_u32).map(|i| format!("{{\"n\": {}}}, ", i.wrapping_mul(2_654_435_761))).collect();
    gzip_streams::stream_of(format!("{fill} {token} {fill}").as_bytes(), Default::default(), 6)
}

#[test]
fn a_token_is_found_in_gzip_and_in_letters_around_it() {
    let token = token("tk_");
    let once = Base64::encode_string(&gzip(&token));
    let twice = Base64::encode_string(once.as_bytes());
    for (bytes, encoding) in [
        (gzip(&token), Encoding::Gzip),
        (once.into_bytes(), Encoding::Base64),
        (twice.into_bytes(), Encoding::Base64),
        (hex(&gzip(&token)).into_bytes(), Encoding::Hex),
        (gzip_streams::stream_of(&gzip(&token), Default::default(), 6), Encoding::Gzip),
    ] {
        let bytes = [&b"\x07\x07;"[..], &bytes, b";\0\0"].concat();
        let told = found_by(vec![Box::new(Tokens("tk_", true)), Box::new(GzipStreams)], &bytes, 0..bytes.len());
        let [(range, how)] = &told[..] else { panic!("{told:?} in {encoding:?}") };
        assert!(*how == encoding && range.start > 100 && range.end < bytes.len() - 3, "{told:?}");
        assert!(range.len() < bytes.len() / 4, "{told:?} of {}", bytes.len());
    }
}

#[test]
fn a_stream_that_holds_itself_comes_to_an_end() {
    let mut stream = gzip(&token("tk_"));
    for _ in 0..12 {
        stream = gzip_streams::stream_of(&stream, Default::default(), 0);
    }
    let told = found_by(vec![Box::new(Tokens("tk_", true)), Box::new(GzipStreams)], &stream, 0..stream.len());
    assert!(told.len() <= 1);
}

#[test]
fn a_token_is_found_in_a_header_field_of_http_2() {
    let token = token("tk_");
    for before in ["Bearer ", "bearer x", "Basic k="] {
        let value = huffman::encode(format!("{before}{token}, more").as_bytes(), 0);
        let bytes = [&b"\x07\x57"[..], &[0x80 | value.len() as u8], &value, b"\0\0\0"].concat();
        let told = found_by(vec![Box::new(Tokens("tk_", true)), Box::new(HeaderFields)], &bytes, 0..bytes.len());
        let first = 3 + before.bytes().map(huffman::bits).sum::<usize>() / 8;
        let behind = (8 * 3 + format!("{before}{token}").bytes().map(huffman::bits).sum::<usize>()).div_ceil(8);
        assert_eq!(told, [(first..behind, Encoding::Huffman)], "{before}");
    }
}
