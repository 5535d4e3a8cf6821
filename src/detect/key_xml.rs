//! Keys as .NET writes them in XML, `<RSAKeyValue>` and `<DSAKeyValue>`: what `ToXmlString` returns, and what configuration
//! files and databases of .NET programs hold.
//!
//! Each number is an element of base64; the names are those of W3C's XML Signature, which knows the public elements only, and
//! .NET's for the private ones. The angle brackets may be escaped, because such text is often put into JSON, into XML, or
//! into a form.

use std::ops::Range;

use memchr::memmem;

use super::base64_run::Run;
use super::structure::site_of;
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Form, Layout, Piece, Rule};
use crate::keys::number::Number;
use crate::keys::rsa_parts::RsaParts;
use crate::keys::{FoundKey, asn1, dsa};
use crate::vault::SecretBytes;
use crate::window::Window;

/// The two elements.
const NAMES: [&str; 2] = ["RSAKeyValue", "DSAKeyValue"];
const RSA: usize = 0;
/// How angle brackets are written, in lower case: as they are, in XML, in JSON, in URLs and forms, in C.
const BRACKETS: [(&[u8], &[u8]); 5] =
    [(b"<", b">"), (b"&lt;", b"&gt;"), (b"\\u003c", b"\\u003e"), (b"%3c", b"%3e"), (b"\\x3c", b"\\x3e")];
/// Letters before a name: a bracket and the prefix of a namespace.
const BEFORE: usize = 32;
/// Letters behind a name: an RSA-16384 key has 12,500.
const REACH: usize = 16_000;
/// Letters that are looked at first; a view costs what it holds.
const FIRST_LOOK: usize = 3_000;

/// The private elements of an RSA key.
const RSA_PRIVATE: [(&str, Piece); 6] = [
    ("D", Piece::D),
    ("P", Piece::P),
    ("Q", Piece::Q),
    ("DP", Piece::Dp),
    ("DQ", Piece::Dq),
    ("InverseQ", Piece::Qinv),
];
/// That of a DSA key.
const DSA_PRIVATE: [(&str, Piece); 1] = [("X", Piece::D)];

/// Finds private keys in .NET's XML, and tells the public ones.
pub struct KeyXml;

impl Detector for KeyXml {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(NAMES.map(Literal::text).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: BEFORE, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some(name) = NAMES.get(candidate.literal) else { return };
        let mut look = FIRST_LOOK;
        loop {
            let view = TextView::around(window, candidate, BEFORE, look);
            let at = view.letter_at(candidate.at);
            let Some(bracket) = bracket_before(view.letters(), at) else { return };
            let inside = at + name.len();
            let close = memmem::find(view.letters().get(inside..).unwrap_or_default(), name.as_bytes());
            if close.is_some() || look >= REACH || view.letters().len() < at + look {
                let end = close.map_or(view.letters().len(), |close| inside + close);
                let element = Element { text: view.letters(), inside: inside..end, bracket };
                return tell(candidate.literal, &element, &view, window, out);
            }
            look = (2 * look).min(REACH);
        }
    }
}

fn tell(kind: usize, element: &Element<'_>, view: &TextView<'_>, window: &Window<'_>, out: &mut Hits) {
    let (key, private) = if kind == RSA {
        let names = ["Modulus", "Exponent", "D", "P", "Q", "DP", "DQ", "InverseQ"];
        let parts = RsaParts(names.map(|name| element.bytes(name)));
        let key = parts.key();
        out.clues.extend(if key.is_some() { None } else { parts.public_key() });
        (key, &RSA_PRIVATE[..])
    } else {
        (element.dsa(), &DSA_PRIVATE[..])
    };
    let Some(key) = key else { return };
    let whole = view.bytes_of(element.inside.clone());
    for (name, piece) in private {
        let Some(run) = element.value(name).filter(|run| !run.is_empty()) else { continue };
        let site = site_of(window, whole.clone(), view.bytes_of(run.range()));
        out.hits.push(key.clone().at(site, Form { layout: Layout::KeyXml, encoding: view.encoding(), piece: *piece }));
    }
}

/// An XML element that holds elements of base64.
struct Element<'a> {
    text: &'a [u8],
    /// From behind its name to the next such name, or to where the text ends.
    inside: Range<usize>,
    /// How its brackets are written: the index in [`BRACKETS`].
    bracket: usize,
}

impl Element<'_> {
    /// The base64 in the element `name`, which may be cut off by the end of the text.
    fn value(&self, name: &str) -> Option<Run> {
        let text = self.text.get(..self.inside.end)?;
        let places = memmem::find_iter(text.get(self.inside.start..)?, name).map(|at| self.inside.start + at);
        let mut values = places.filter_map(|at| {
            let value = self.behind_bracket(at + name.len())?;
            (bracket_before(text, at) == Some(self.bracket)).then_some(value)
        });
        values.next().map(|value| Run::read(text, value))
    }

    /// The place behind the bracket that closes a tag at `at`; JSON in JSON has more backslashes before it.
    fn behind_bracket(&self, at: usize) -> Option<usize> {
        let (_, close) = BRACKETS.get(self.bracket)?;
        let rest = self.text.get(at..)?;
        let more = if close.starts_with(b"\\") { backslashes(rest).saturating_sub(1) } else { 0 };
        let found = rest.get(more..more + close.len())?;
        found.eq_ignore_ascii_case(close).then_some(at + more + close.len())
    }

    fn bytes(&self, name: &str) -> SecretBytes {
        SecretBytes::new(self.value(name).map(|run| run.decode().to_vec()).unwrap_or_default())
    }

    fn dsa(&self) -> Option<FoundKey> {
        let number = |name| Number::from_be(self.bytes(name).expose());
        let numbers = dsa::Numbers {
            p: number("P"),
            q: Some(number("Q")),
            g: number("G"),
            y: Some(number("Y")).filter(|y| !y.is_zero()),
            x: number("X"),
        };
        dsa::dsa_key(&numbers)
    }
}

/// Which way of writing brackets the one has that opens a tag whose name is at `at`. The name may have a namespace's prefix.
fn bracket_before(text: &[u8], at: usize) -> Option<usize> {
    let before = text.get(at.saturating_sub(BEFORE)..at)?;
    let opens = |before: &[u8]| BRACKETS.iter().position(|(open, _)| ends_with(before, open));
    opens(before).or_else(|| {
        let before = before.strip_suffix(b":")?;
        let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
        let most = before.iter().rev().take_while(is_name).count();
        // The letters of `%3c` may be those of a prefix too.
        (1..=most).find_map(|len| opens(before.get(..before.len() - len)?))
    })
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len().checked_sub(end.len()).and_then(|at| text.get(at..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
}

fn backslashes(text: &[u8]) -> usize {
    text.iter().take(8).take_while(|&&b| b == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::capi::tests::rsa_numbers;
    use crate::detect::testing::{WIDTHS, clues, embed, hit, hits, lines, text_of};
    use crate::finding::Evidence;
    use crate::hunt::Clue;
    use crate::keys::dsa::tests::fresh;
    use base64ct::{Base64, Encoding as _};
    use proptest::prelude::*;

    /// Names and base64 of an RSA key's elements, in .NET's order.
    fn rsa(seed: u64, bits: usize) -> Vec<(&'static str, String)> {
        let [n, e, d, p, q, dp, dq, qinv] = rsa_numbers(seed, bits).map(|number| Base64::encode_string(&number));
        let names = ["Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D"];
        names.into_iter().zip([n, e, p, q, dp, dq, qinv, d]).collect()
    }

    fn xml(name: &str, elements: &[(&str, String)], brackets: (&str, &str), space: &str) -> String {
        let (open, close) = brackets;
        let element = |(name, value): &(&str, String)| format!("{space}{open}{name}{close}{value}{open}/{name}{close}");
        let inside: String = elements.iter().map(element).collect();
        format!("{open}{name}{close}{inside}{space}{open}/{name}{close}")
    }

    const STYLES: [(&str, &str); 6] = [
        ("<", ">"),
        ("&lt;", "&gt;"),
        ("\\u003c", "\\u003e"),
        ("\\\\u003C", "\\\\u003E"),
        ("%3C", "%3E"),
        ("<ds:", ">"),
    ];

    #[test]
    fn a_key_is_proven_in_any_order_spelling_and_width_and_each_private_element_is_a_site() {
        let mut elements = rsa(1, 1024);
        for (turn, style) in STYLES.into_iter().enumerate() {
            elements.rotate_left(turn);
            for space in ["", "\r\n  "] {
                let text = format!("key={};", xml("RSAKeyValue", &elements, style, space)).replace("/ds:", "ds:/");
                for width in WIDTHS {
                    let bytes = embed(&text, width, true);
                    let found = hits(&KeyXml, &bytes);
                    assert!(found.iter().all(|hit| hit.evidence == Evidence::Proven && hit.form.encoding == width));
                    let mut told: Vec<String> = found.iter().map(|hit| text_of(&bytes, hit)).collect();
                    let mut wanted: Vec<&String> = elements
                        .iter()
                        .filter(|(name, _)| name.len() != 7 && *name != "Exponent")
                        .map(|(_, v)| v)
                        .collect();
                    told.sort();
                    wanted.sort();
                    assert_eq!(told.iter().collect::<Vec<_>>(), wanted, "{style:?} {width:?}");
                }
            }
        }
    }

    #[test]
    fn base64_may_be_broken_into_lines_and_the_text_cut_off() {
        let broken = |(name, value): &(&'static str, String)| {
            (*name, lines(&Base64::decode_vec(value).unwrap(), 40, "\r\n      "))
        };
        let elements: Vec<_> = rsa(1, 1024).iter().map(broken).collect();
        let text = xml("RSAKeyValue", &elements, ("<", ">"), "\r\n    ");
        let whole = hits(&KeyXml, text.as_bytes());
        assert_eq!(whole.len(), 6);
        let behind_p = text.find("<Q>").unwrap();
        for cut in (behind_p..text.len()).step_by(31) {
            let found = hits(&KeyXml, &text.as_bytes()[..cut]);
            let same = |hit: &crate::detect::Hit| hit.secret.identity() == whole[0].secret.identity();
            assert!(!found.is_empty() && found.iter().all(same), "{cut}");
        }
    }

    #[test]
    fn a_public_key_is_a_clue() {
        let text = xml("RSAKeyValue", &rsa(1, 1024)[..2], ("<", ">"), "");
        let clue = Clue::RsaPublicKey { modulus: rsa_numbers(1, 1024)[0].clone(), exponent: vec![1, 0, 1] };
        assert_eq!(clues(&KeyXml, text.as_bytes()), [clue]);
        assert!(hits(&KeyXml, text.as_bytes()).is_empty());
    }

    #[test]
    fn keys_that_follow_each_other_are_told_apart() {
        let text = [rsa(1, 1024), rsa(2, 1024)].map(|key| xml("RSAKeyValue", &key, ("<", ">"), "")).concat();
        let found = hits(&KeyXml, text.as_bytes());
        assert_eq!(found.len(), 12);
        assert_ne!(found[0].secret.identity(), found[6].secret.identity());
    }

    #[test]
    fn a_dsa_key_is_proven_and_its_public_half_is_nothing() {
        let key = fresh(1024, 160);
        let b64 = |n: &Number| Base64::encode_string(&n.to_be());
        let elements = [
            ("P", b64(&key.p)),
            ("Q", b64(key.q.as_ref().unwrap())),
            ("G", b64(&key.g)),
            ("Y", b64(key.y.as_ref().unwrap())),
            ("Seed", b64(&key.g)),
            ("X", b64(&key.x)),
        ];
        let text = xml("DSAKeyValue", &elements, ("<", ">"), " ");
        let found = hit(&KeyXml, text.as_bytes());
        assert_eq!((found.evidence, found.public.kind.as_str()), (Evidence::Proven, "DSA-1024"));
        assert_eq!(text_of(text.as_bytes(), &found), elements[5].1);
        assert!(hits(&KeyXml, xml("DSAKeyValue", &elements[..5], ("<", ">"), " ").as_bytes()).is_empty());
    }

    #[test]
    fn hostile_text_costs_little_and_says_nothing() {
        let work = crate::detect::testing::Work::begin();
        for unit in [
            "RSAKeyValue",
            "<RSAKeyValue>",
            "<RSAKeyValue",
            "<a:RSAKeyValue><a:P>AAAA",
            "<RSAKeyValue><P><P><P><P>",
            "<DSAKeyValue><P>AAAA</P><Q>AAAA</Q><X>AAAA</X>",
            "&lt;RSAKeyValue&gt;&lt;D&gt;",
            "::RSAKeyValue",
        ] {
            for width in WIDTHS {
                assert!(hits(&KeyXml, &embed(&unit.repeat(60_000 / unit.len()), width, false)).is_empty(), "{unit}");
            }
        }
        let many = format!("<RSAKeyValue>{}", "<P>".repeat(5000));
        assert!(hits(&KeyXml, many.as_bytes()).is_empty());
        assert!(work.seconds() < 20);
    }

    proptest! {
        #[test]
        fn any_text_around_the_name_is_read_without_a_panic(
            before in "[<>&lt;%3cC:u0\\\\a]{0,20}", after in "[<>&lgt;%3eEPDQ/=\\\\u0 ]{0,60}", which in 0..2_usize,
        ) {
            let _ = hits(&KeyXml, format!("{before}{}{after}", NAMES[which]).as_bytes());
        }
    }
}
