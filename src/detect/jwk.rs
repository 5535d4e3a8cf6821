//! JSON Web Keys (RFC 7517), as web services keep them in files, caches and environment variables: `{"kty":"RSA","d":...}`.
//!
//! The name `kty` triggers. Around it the strings of the object are paired off in both directions, so that an object whose
//! start or end is gone is read all the same, in any order of its members, as JSON, as JSON inside of a JSON string
//! (`\"kty\"`) and as Python prints it (`'kty'`). Each private member is a site of its own: what redaction leaves is
//! still JSON.

mod json;

use std::ops::Range;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use json::{Direction, Token, Tokens};

use super::structure::site_of;
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Evidence, Form, Layout, Piece, PublicIdentity, Rule};
use crate::keys::fragment::looks_random;
use crate::keys::number::Number;
use crate::keys::public::PublicKey;
use crate::keys::rsa_parts::{LONGEST, RsaParts};
use crate::keys::{FoundKey, asn1, dsa, ec_parts, edwards, symmetric};
use crate::vault::{Secret, SecretBytes};
use crate::window::Window;

/// The member that every key has, in the quotes that are known.
const TRIGGERS: [&str; 3] = ["\"kty\"", "\"kty\\", "'kty'"];
/// Letters to either side of the trigger: an RSA-16384 key has 12,300, and certificates may stand beside it.
const REACH: usize = 16_000;
/// Letters that are looked at first; a view costs what it holds.
const FIRST_LOOK: usize = 2_000;

/// Finds private JSON Web Keys, and tells the public ones.
pub struct Jwk;

impl Detector for Jwk {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().chain([symmetric::rule()]).collect()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(TRIGGERS.map(Literal::text).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: REACH, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let mut look = FIRST_LOOK;
        loop {
            let view = TextView::around(window, candidate, look, look);
            let object = Object::around(view.letters(), view.letter_at(candidate.at));
            if !object.is_cut || look >= REACH {
                return tell(&object, &view, window, out);
            }
            look = (2 * look).min(REACH);
        }
    }
}

fn tell(object: &Object<'_>, view: &TextView<'_>, window: &Window<'_>, out: &mut Hits) {
    let (key, members) = match object.text("kty") {
        b"RSA" => {
            let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
            let parts = RsaParts(names.map(|name| object.bytes(name)));
            let key = parts.key();
            out.clues.extend(if key.is_some() { None } else { parts.public_key() });
            (key, RSA)
        }
        b"EC" => (object.ec(), EC),
        b"OKP" => (object.okp(), OKP),
        b"oct" => (symmetric::symmetric_key(object.bytes("k").expose(), "JWK"), OCT),
        _ => return,
    };
    let Some(key) = key else { return };
    for (name, piece) in members {
        let Some(value) = object.value(name) else { continue };
        let place = |range: &Range<usize>| view.bytes_of(range.clone());
        let site = site_of(window, place(&object.range), place(value));
        out.hits.push(key.clone().at(site, Form { layout: Layout::Jwk, encoding: view.encoding(), piece: *piece }));
    }
}

/// The public key of the object whose `"kty"` is at `at`.
#[must_use]
pub fn public_key(text: &[u8], at: usize) -> Option<PublicKey> {
    let object = Object::around(text, at);
    let [n, e, x, y] = ["n", "e", "x", "y"].map(|name| object.bytes(name));
    match object.text("kty") {
        b"RSA" => PublicKey::rsa(&Number::from_be(n.expose()), &Number::from_be(e.expose())),
        b"EC" => ec_parts::public_key(std::str::from_utf8(object.text("crv")).ok()?, x.expose(), y.expose()),
        b"OKP" => match object.text("crv") {
            b"Ed25519" => PublicKey::edwards(edwards::ED25519, x.expose()),
            b"X25519" => PublicKey::edwards(edwards::X25519, x.expose()),
            _ => None,
        },
        _ => None,
    }
}

/// Private members of each kind of key, by RFC 7518, section 6, and RFC 8037.
const RSA: &[(&str, Piece)] =
    &[("d", Piece::D), ("p", Piece::P), ("q", Piece::Q), ("dp", Piece::Dp), ("dq", Piece::Dq), ("qi", Piece::Qinv)];
const EC: &[(&str, Piece)] = &[("d", Piece::D)];
const OKP: &[(&str, Piece)] = &[("d", Piece::Seed)];
const OCT: &[(&str, Piece)] = &[("k", Piece::Whole)];

/// The members of a JSON object whose values are strings.
struct Object<'a> {
    text: &'a [u8],
    /// From the first to the last string that was seen of it.
    range: Range<usize>,
    /// Name and value, without their quotes.
    members: Vec<(Range<usize>, Range<usize>)>,
    /// Whether the text ended before the object did.
    is_cut: bool,
}

impl<'a> Object<'a> {
    /// The object that has a name whose opening quote is at `at`.
    fn around(text: &'a [u8], at: usize) -> Self {
        let tokens = Tokens::new(text, at);
        let (mut items, cut_before) = tokens.collect(at.saturating_sub(tokens.level), Direction::Back);
        items.reverse();
        let (more, cut_behind) = tokens.collect(at, Direction::Ahead);
        items.extend(more);
        let strings = || items.iter().filter_map(Token::string);
        let range = strings().next().map_or(at, |s| s.start)..strings().next_back().map_or(at, |s| s.end);
        let member = |three: &[Token]| match three {
            [Token::String(name), Token::Colon, Token::String(value)] => Some((name.clone(), value.clone())),
            _ => None,
        };
        let members = items.windows(3).filter_map(member).collect();
        Self { text, range, members, is_cut: cut_before || cut_behind }
    }

    fn value(&self, name: &str) -> Option<&Range<usize>> {
        let named = |(found, _): &&(Range<usize>, Range<usize>)| self.text.get(found.clone()) == Some(name.as_bytes());
        self.members.iter().find(named).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> &'a [u8] {
        self.value(name).and_then(|range| self.text.get(range.clone())).unwrap_or_default()
    }

    /// The bytes that a member's base64 says; none where it is none.
    fn bytes(&self, name: &str) -> SecretBytes {
        let letters = self.text(name);
        SecretBytes::new(if letters.len() <= 2 * LONGEST { decode(letters) } else { Vec::new() })
    }

    fn ec(&self) -> Option<FoundKey> {
        let curve = std::str::from_utf8(self.text("crv")).unwrap_or_default();
        let [x, y, d] = ["x", "y", "d"].map(|name| self.bytes(name));
        ec_parts::key(curve, x.expose(), y.expose(), d.expose())
    }

    fn okp(&self) -> Option<FoundKey> {
        let [x, d] = ["x", "d"].map(|name| self.bytes(name));
        let beside = (!x.is_empty()).then(|| x.expose());
        match self.text("crv") {
            b"Ed25519" => edwards::ed25519_key(d.expose(), beside),
            b"X25519" => edwards::x25519_key(d.expose(), beside),
            b"Ed448" if d.len() == 57 => unproven("Ed448", d.expose()),
            b"X448" if d.len() == 56 => unproven("X448", d.expose()),
            _ => None,
        }
    }
}

/// A key of a curve that is not computed here.
fn unproven(kind: &str, secret: &[u8]) -> Option<FoundKey> {
    let public = PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() };
    let secret = looks_random(secret).then(|| Secret::bytes(secret))?;
    Some(FoundKey { rule: dsa::RULE, evidence: Evidence::Parsed, severity: None, public, secret })
}

/// Base64url; the plain alphabet and padding are read too, because some writers confuse them.
fn decode(letters: &[u8]) -> Vec<u8> {
    let url = letters.iter().map(|&b| match b {
        b'+' => '-',
        b'/' => '_',
        _ => char::from(b),
    });
    let url = Zeroizing::new(url.collect::<String>());
    Base64UrlUnpadded::decode_vec(url.trim_end_matches('=')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::capi::tests::rsa_numbers;
    use crate::detect::testing::{WIDTHS, clues, embed, hit, hits, ssh_key, text_of};
    use crate::hunt::Clue;
    use crate::keys::testing::noise;
    use proptest::prelude::*;

    fn b64(bytes: &[u8]) -> String {
        Base64UrlUnpadded::encode_string(bytes)
    }

    /// Names and values of an RSA key's members.
    fn rsa(seed: u64, bits: usize) -> Vec<(&'static str, String)> {
        let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
        let values = rsa_numbers(seed, bits);
        let members = names.into_iter().zip(values.iter().map(|value| b64(value)));
        [("kty", "RSA".to_owned())].into_iter().chain(members).collect()
    }

    fn json(members: &[(&str, String)], quote: &str, space: &str) -> String {
        let member = |(name, value): &(&str, String)| format!("{quote}{name}{quote}:{space}{quote}{value}{quote}");
        let members: Vec<String> = members.iter().map(member).collect();
        format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
    }

    fn private<'a>(members: &'a [(&str, String)]) -> Vec<&'a str> {
        members.iter().filter(|(name, _)| !["kty", "n", "e"].contains(name)).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn an_rsa_key_is_proven_in_any_spelling_and_width_and_each_private_member_is_a_site() {
        let mut members = rsa(1, 1024);
        for (turn, (quote, space)) in
            [("\"", ""), ("\"", " "), ("\"", "\n  "), ("\\\"", ""), ("\\\\\\\"", "\\n "), ("'", " ")]
                .into_iter()
                .enumerate()
        {
            members.rotate_left(turn);
            let text = format!("{{\"keys\":[{{}},{}", json(&members, quote, space));
            for width in WIDTHS {
                let bytes = embed(&text, width, true);
                let found = hits(&Jwk, &bytes);
                assert!(found.iter().all(|hit| hit.evidence == Evidence::Proven && hit.public.kind == "RSA-1024"));
                let mut told: Vec<String> = found.iter().map(|hit| text_of(&bytes, hit)).collect();
                let mut wanted = private(&members);
                told.sort();
                wanted.sort_unstable();
                assert_eq!(told, wanted, "{quote} {space:?} {width:?}");
                assert!(found.iter().all(|hit| hit.form.layout == Layout::Jwk && hit.form.encoding == width));
            }
        }
    }

    #[test]
    fn an_object_that_is_cut_or_lacks_members_is_proven_by_what_is_left() {
        let members = rsa(1, 1024);
        let identity = hits(&Jwk, json(&members, "\"", "").as_bytes())[0].secret.identity();
        for keep in [&["kty", "n", "e", "d"][..], &["kty", "n", "e", "p"], &["p", "q", "e", "dp", "dq", "qi", "kty"]] {
            let some: Vec<_> = members.iter().filter(|(name, _)| keep.contains(name)).cloned().collect();
            for hit in hits(&Jwk, json(&some, "\"", "").as_bytes()) {
                assert_eq!((hit.evidence, hit.secret.identity()), (Evidence::Proven, identity));
            }
        }
        let text = json(&members, "\"", "");
        let behind_d = text.find("\"p\":").unwrap();
        for cut in (behind_d..text.len()).step_by(31) {
            let found = hits(&Jwk, &text.as_bytes()[..cut]);
            assert!(!found.is_empty() && found.iter().all(|hit| hit.secret.identity() == identity), "{cut}");
        }
        let mut last = members.clone();
        last.rotate_left(1);
        let text = json(&last, "\"", "");
        let d = text.find("\"d\":").unwrap();
        for cut in (0..d).step_by(31) {
            assert!(!hits(&Jwk, [&[0; 9], &text.as_bytes()[cut..]].concat().as_slice()).is_empty(), "{cut}");
        }
    }

    #[test]
    fn nested_objects_and_other_members_are_left_alone() {
        let members = rsa(1, 1024);
        let other = rsa(2, 1024);
        let inner = json(&members[1..], "\"", "");
        let body = &inner[1..inner.len() - 1];
        let oth = "\"oth\":[{\"r\":\"AA\",\"d\":\"BB\",\"t\":\"CC\"}]";
        let text = format!(
            "[{},{{\"key_ops\":[\"sign\",\"kty\"],\"ext\":true,\"iat\":17.5,{oth},\"kty\":\"RSA\",\"kid\":\"a}}b]\\\"c\",{body}}}]",
            json(&other, "\"", "")
        );
        let found = hits(&Jwk, text.as_bytes());
        let told: Vec<String> = found.iter().map(|hit| text_of(text.as_bytes(), hit)).collect();
        assert_eq!(told, [private(&other), private(&members)].concat());
        assert_ne!(found[0].secret.identity(), found[6].secret.identity());
    }

    #[test]
    fn a_public_key_is_a_clue() {
        let members = rsa(1, 1024);
        let clue = Clue::RsaPublicKey { modulus: rsa_numbers(1, 1024)[0].clone(), exponent: vec![1, 0, 1] };
        let text = json(&members[..3], "\"", "");
        assert_eq!(clues(&Jwk, text.as_bytes()), [clue]);
        assert!(hits(&Jwk, text.as_bytes()).is_empty());
    }

    fn object(members: &[(&str, &str)]) -> String {
        json(&members.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>(), "\"", "")
    }

    #[test]
    fn curves_and_symmetric_keys() {
        let ec = ssh_key(2, false);
        let pair = ec.key_data().ecdsa().unwrap();
        let (point, d) = (pair.public_key_bytes(), b64(pair.private_key_bytes()));
        let (x, y) = (b64(&point[1..33]), b64(&point[33..]));
        let text = object(&[("kty", "EC"), ("crv", "P-256"), ("x", &x), ("y", &y), ("d", &d)]);
        let found = hit(&Jwk, text.as_bytes());
        assert_eq!(
            (found.rule.as_str(), found.evidence, found.form.piece),
            ("ec-private-key", Evidence::Proven, Piece::D)
        );
        assert_eq!(text_of(text.as_bytes(), &found), d);

        let ed = ssh_key(3, true);
        let pair = ed.key_data().ed25519().unwrap();
        let (x, d) = (b64(pair.public.as_ref()), b64(&pair.private.to_bytes()));
        let text = object(&[("d", &d), ("crv", "Ed25519"), ("kty", "OKP"), ("x", &x)]);
        let found = hit(&Jwk, text.as_bytes());
        assert_eq!(
            (found.rule.as_str(), found.evidence, found.form.piece),
            ("ed25519-private-key", Evidence::Proven, Piece::Seed)
        );

        let d = b64(&noise(57, 4));
        let text = object(&[("kty", "OKP"), ("crv", "Ed448"), ("d", &d)]);
        assert_eq!(hit(&Jwk, text.as_bytes()).public.kind, "Ed448");
        let k = b64(&noise(32, 4));
        for text in
            [object(&[("kty", "oct"), ("k", &k)]), object(&[("k", &format!("{k}=")), ("alg", "HS256"), ("kty", "oct")])]
        {
            let found = hit(&Jwk, text.as_bytes());
            assert_eq!((found.rule.as_str(), found.evidence), (symmetric::RULE, Evidence::Parsed));
            assert!(text_of(text.as_bytes(), &found).starts_with(&k));
        }
    }

    #[test]
    fn a_key_across_a_seam_is_told_as_a_whole() {
        let text = json(&rsa(1, 1024), "\"", "");
        let seam = text.find("\"e\":").unwrap();
        let pieces =
            [crate::span::Span::new(5000, seam as u64), crate::span::Span::new(100, (text.len() - seam) as u64)];
        let edges = [seam];
        let window = Window::new(text.as_bytes(), 0..text.len(), &pieces, &edges);
        let mut out = Hits::default();
        Jwk.confirm(Candidate { at: 1, literal: 0, wide: false }, &window, &mut out);
        assert!(!out.hits.is_empty() && out.hits.iter().all(|hit| window.spans(hit.range.clone()).len() == 2));
    }

    #[test]
    fn a_large_key_with_a_certificate_beside_it_is_read_whole() {
        let mut members = rsa(1, 2048);
        members.insert(4, ("x5t", b64(&noise(9000, 1))));
        for width in WIDTHS {
            assert_eq!(hits(&Jwk, &embed(&json(&members, "\"", ""), width, false)).len(), 6);
        }
    }

    #[test]
    fn hostile_text_costs_little_and_says_nothing() {
        let work = crate::detect::testing::Work::begin();
        for unit in [
            "\"kty\"",
            "\"kty\":",
            "\"kty\":{",
            "\"kty\":[",
            "\"kty\":\"RSA\",",
            "{\"kty\":\"RSA\",\"n\":\"",
            "'kty'",
            "\"kty\\",
            "\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAA\"}",
            "\"kty\"\u{1}",
            "\"kty\" 1 ",
            "[\"kty\"],",
        ] {
            for width in WIDTHS {
                assert!(hits(&Jwk, &embed(&unit.repeat(100_000 / unit.len()), width, false)).is_empty(), "{unit}");
            }
        }
        assert!(work.seconds() < 30);
    }
    proptest! {
        #[test]
        fn any_text_around_the_name_is_read_without_a_panic(
            before in "[\\\\\"'{}\\[\\]:, a1\u{1}]{0,40}", after in "[\\\\\"'{}\\[\\]:, a1\u{1}]{0,40}", which in 0..3_usize,
        ) {
            let text = format!("{before}{}{after}", TRIGGERS[which]);
            let _ = hits(&Jwk, text.as_bytes());
        }
    }
}
