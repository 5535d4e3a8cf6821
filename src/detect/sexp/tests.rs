use super::*;
use crate::detect::capi::tests::rsa_numbers;
use crate::detect::testing::{WIDTHS, clues, embed, hits, ssh_key, text_of};
use crate::hunt::Clue;
use crate::keys::dsa::tests::fresh;
use crate::keys::testing::noise;
use proptest::prelude::*;

/// An S-expression that can be written in each spelling.
#[derive(Clone)]
enum Node {
    Word(&'static str),
    Number(Vec<u8>),
    List(Vec<Self>),
}

use Node::{List as L, Number as N, Word as W};

impl Node {
    /// Text as gpg-agent's files hold it, a line broken wherever 70 letters are full.
    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n ")
    }

    fn write(&self, out: &mut String) {
        match self {
            W(word) if word.contains(' ') || word.starts_with(|first: char| first.is_ascii_digit()) => {
                out.push_str(&format!("\"{word}\""))
            }
            W(word) => out.push_str(word),
            N(number) => out.push_str(&format!("#{}#", crate::keys::hex(number).to_uppercase())),
            L(nodes) => {
                out.push('(');
                for (at, node) in nodes.iter().enumerate() {
                    if at > 0 && !(matches!(node, L(_)) && at > 1) {
                        out.push(' ');
                    }
                    node.write(out);
                }
                out.push(')');
            }
        }
    }

    fn canonical(&self) -> Vec<u8> {
        let atom = |bytes: &[u8]| [format!("{}:", bytes.len()).as_bytes(), bytes].concat();
        match self {
            W(word) => atom(word.as_bytes()),
            N(number) => atom(number),
            L(nodes) => [b"(".to_vec(), nodes.iter().flat_map(Self::canonical).collect(), b")".to_vec()].concat(),
        }
    }

    fn packed(&self) -> Vec<u8> {
        let atom = |bytes: &[u8]| [&[1][..], &(bytes.len() as u16).to_le_bytes(), bytes].concat();
        match self {
            W(word) => atom(word.as_bytes()),
            N(number) => atom(number),
            L(nodes) => [vec![3], nodes.iter().flat_map(Self::packed).collect(), vec![4]].concat(),
        }
    }
}

/// As libgcrypt writes numbers: with a zero before them where their first bit is set.
fn number(bytes: &[u8]) -> Node {
    N(if bytes[0] >= 0x80 { [&[0], bytes].concat() } else { bytes.to_vec() })
}

fn list(name: &'static str, value: Node) -> Node {
    L(vec![W(name), value])
}

fn key(head: &'static str, algorithm: &'static str, lists: Vec<Node>) -> Node {
    L(vec![W(head), L([vec![W(algorithm)], lists].concat())])
}

/// An RSA key, and its private numbers in the order in which they are told.
fn rsa(seed: u64) -> (Node, Vec<Vec<u8>>) {
    let [n, e, d, p, q, _, _, u] = rsa_numbers(seed, 1024);
    let private = vec![d.clone(), q.clone(), p.clone(), u.clone()];
    let names = ["n", "e", "d", "p", "q", "u"];
    let lists = names.into_iter().zip([n, e, d, q, p, u]).map(|(name, value)| list(name, number(&value))).collect();
    (key("private-key", "rsa", lists), private)
}

fn ed25519(seed: u64) -> (Node, Vec<u8>) {
    let key_pair = ssh_key(seed, true);
    let pair = key_pair.key_data().ed25519().unwrap();
    let secret = pair.private.to_bytes().to_vec();
    let point = [&[0x40][..], &pair.public.0].concat();
    let lists =
        vec![list("curve", W("Ed25519")), list("flags", W("eddsa")), list("q", N(point)), list("d", N(secret.clone()))];
    (key("private-key", "ecc", lists), secret)
}

fn p256(seed: u64) -> (Node, Vec<u8>) {
    let key_pair = ssh_key(seed, false);
    let pair = key_pair.key_data().ecdsa().unwrap();
    let secret = pair.private_key_bytes().to_vec();
    let lists = vec![
        list("curve", W("NIST P-256")),
        list("q", N(pair.public_key_bytes().to_vec())),
        list("d", number(&secret)),
    ];
    (key("private-key", "ecc", lists), secret)
}

/// The different values at the places that are told, all of one key that is proven.
fn proven(bytes: &[u8]) -> Vec<Vec<u8>> {
    let found = hits(&Sexp, bytes);
    assert!(!found.is_empty());
    assert!(found.iter().all(|hit| hit.evidence == Evidence::Proven && hit.form.layout == Layout::Sexp));
    assert!(found.iter().all(|hit| hit.secret.identity() == found[0].secret.identity()));
    let mut ranges: Vec<_> = found.iter().map(|hit| hit.range.clone()).collect();
    ranges.sort_by_key(|range| range.start);
    ranges.dedup();
    ranges.into_iter().map(|range| bytes[range].to_vec()).collect()
}

fn plain(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|b| *b == 0).collect()
}

#[test]
fn keys_are_proven_in_both_binary_spellings_and_each_private_number_is_a_site() {
    let (rsa, private) = rsa(1);
    let (ed25519, seed) = ed25519(2);
    let (p256, scalar) = p256(3);
    for (node, wanted) in [(rsa, private), (ed25519, vec![seed]), (p256, vec![scalar])] {
        for bytes in [node.packed(), node.canonical()] {
            let bytes = [&noise(33, 4)[..], &bytes, &noise(9, 5)].concat();
            let told: Vec<Vec<u8>> = proven(&bytes).iter().map(|number| plain(number)).collect();
            assert_eq!(told, wanted.iter().map(|number| plain(number)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn text_is_read_in_any_width_and_wherever_its_lines_are_broken() {
    let [rsa, ed25519, p256] = [rsa(1).0, ed25519(2).0, p256(3).0];
    for (node, sites) in [(rsa, 4), (ed25519, 1), (p256, 1)] {
        for width in WIDTHS {
            let bytes = embed(&format!("Key: {}\n", node.text()), width, true);
            assert_eq!(proven(&bytes).len(), sites, "{width:?}");
            for hit in hits(&Sexp, &bytes) {
                let written = if width == Encoding::Plain { Encoding::Hex } else { width };
                assert_eq!(hit.form.encoding, written);
                if width != Encoding::Plain {
                    let digits = text_of(&bytes, &hit);
                    assert!(digits.bytes().all(|b| b.is_ascii_hexdigit() || b.is_ascii_whitespace()));
                }
            }
        }
    }
}

#[test]
fn the_words_before_the_numbers_may_be_overwritten() {
    // glibc writes two words over the beginning of what is freed.
    let (rsa, _) = rsa(1);
    for node in [rsa, ed25519(2).0, p256(3).0] {
        for bytes in [node.packed(), node.canonical(), node.text().into_bytes()] {
            let whole = proven(&bytes).len();
            let freed = [&noise(16, 6)[..], &bytes[16..]].concat();
            assert_eq!(proven(&freed).len(), whole);
        }
    }
}

#[test]
fn what_stands_behind_the_exponent_is_enough() {
    let (rsa, _) = rsa(1);
    for bytes in [rsa.packed(), rsa.canonical()] {
        let exponent = memmem::find(&bytes, b"e\x01\x03\0").or(memmem::find(&bytes, b"1:e3:")).unwrap();
        let cut = [&noise(100, 6)[..], &bytes[exponent - 4..]].concat();
        assert_eq!(proven(&cut).len(), 4);
        // And all but the inverse is.
        assert_eq!(proven(&cut[..cut.len() - 30]).len(), 3);
    }
}

#[test]
fn x25519_is_written_from_its_highest_byte() {
    let mut secret: [u8; 32] = noise(32, 9).try_into().unwrap();
    secret[31] = 0x40;
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(secret)).to_bytes();
    secret.reverse();
    let lists = vec![
        list("curve", W("Curve25519")),
        list("flags", W("djb-tweak")),
        list("q", N([&[0x40][..], &public].concat())),
        list("d", N(secret.to_vec())),
    ];
    let node = key("private-key", "ecc", lists);
    for bytes in [node.packed(), node.canonical(), node.text().into_bytes()] {
        assert_eq!(proven(&bytes).len(), 1);
        assert_eq!(hits(&Sexp, &bytes)[0].rule, "x25519-private-key");
    }
}

#[test]
fn dsa_is_proven_and_elgamal_too() {
    let numbers = fresh(1024, 160);
    let [p, q, g, y, x] =
        [&numbers.p, numbers.q.as_ref().unwrap(), &numbers.g, numbers.y.as_ref().unwrap(), &numbers.x]
            .map(Number::to_be);
    let lists =
        |names: &[(&'static str, &Vec<u8>)]| names.iter().map(|(name, value)| list(name, number(value))).collect();
    let dsa = key("private-key", "dsa", lists(&[("p", &p), ("q", &q), ("g", &g), ("y", &y), ("x", &x)]));
    let elg = key("private-key", "elg", lists(&[("p", &p), ("g", &g), ("y", &y), ("x", &x)]));
    for node in [dsa, elg] {
        for bytes in [node.packed(), node.canonical(), node.text().into_bytes()] {
            assert_eq!(proven(&bytes).len(), 1);
        }
    }
}

#[test]
fn a_key_under_a_passphrase_is_told_as_such() {
    let [n, e, ..] = rsa_numbers(1, 1024);
    let parameters = L(vec![L(vec![W("sha1"), N(noise(8, 1)), W("12345678")]), N(noise(12, 2))]);
    let cipher = noise(400, 3);
    let protected = L(vec![W("protected"), W("openpgp-s2k3-ocb-aes"), parameters, N(cipher.clone())]);
    let node = key("protected-private-key", "rsa", vec![list("n", number(&n)), list("e", number(&e)), protected]);
    for (bytes, len) in [(node.packed(), 400), (node.canonical(), 400), (node.text().into_bytes(), 800)] {
        for hit in hits(&Sexp, &bytes) {
            assert_eq!((hit.rule.as_str(), hit.evidence), (ENCRYPTED, Evidence::Parsed));
            assert_eq!(hit.public.kind, "RSA-1024");
            assert!(hit.range.len() >= len && hit.range.len() < len + 40);
        }
        assert!(!hits(&Sexp, &bytes).is_empty());
    }
}

#[test]
fn a_public_key_is_a_clue() {
    let [n, e, ..] = rsa_numbers(1, 1024);
    let node = key("public-key", "rsa", vec![list("n", number(&n)), list("e", number(&e))]);
    let clue = Clue::RsaPublicKey { modulus: n, exponent: e };
    for bytes in [node.packed(), node.canonical(), node.text().into_bytes()] {
        assert!(hits(&Sexp, &bytes).is_empty());
        let told = clues(&Sexp, &bytes);
        assert!(!told.is_empty() && told.iter().all(|told| *told == clue));
    }
    let point = ssh_key(2, true).key_data().ed25519().unwrap().public.0;
    let lists = vec![list("curve", W("Ed25519")), list("q", N([&[0x40][..], &point].concat()))];
    let bytes = key("public-key", "ecc", lists).packed();
    assert!(matches!(&clues(&Sexp, &bytes)[..], [Clue::CurvePoint { public, .. }] if *public == point));
}

#[test]
fn formats_and_hostile_text_cost_little_and_say_nothing() {
    let work = crate::detect::testing::Work::begin();
    for unit in [
        "(private-key (rsa(n%m)(e%m)(d%m)(p%m)(q%m)(u%m)))",
        "(private-key(ecc(curve %s)(q%m)(d%m)))",
        "(private-key (rsa ",
        "(private-key(((((((",
        "#010001#",
        "(n #00#)(e #010001#)(d #",
        "(curve Ed25519)(d #00#)",
        "(curve 99999:)(5:curve99999:",
        "(curve \"",
        "3:rsa(1:n1:a)(1:d1:b)",
        "(1:e3:\u{1}\0\u{1})(1:n",
        "\u{1}\u{3}\0rsa\u{3}\u{1}\u{1}\0n\u{1}",
        "\u{3}\u{1}\u{5}\0curve\u{1}",
    ] {
        let bytes = unit.repeat(30_000 / unit.len());
        assert!(hits(&Sexp, bytes.as_bytes()).is_empty(), "{unit}");
    }
    assert!(work.seconds() < 20);
}

proptest! {
    #[test]
    fn any_bytes_behind_a_trigger_are_read_without_a_panic(
        before in proptest::collection::vec(any::<u8>(), 0..40),
        after in proptest::collection::vec(prop_oneof![Just(1), Just(3), Just(4), Just(b'('), Just(b'#'), any::<u8>()], 0..80),
        which in 0..TRIGGERS.len(),
    ) {
        let _ = hits(&Sexp, &[&before, TRIGGERS[which].0, &after].concat());
    }
}
