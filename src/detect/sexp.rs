//! Private keys as S-expressions, which is how libgcrypt and GnuPG hold and write them.
//!
//! `(private-key (rsa (n #..#)(e #..#)(d #..#)(p #..#)(q #..#)(u #..#)))` has three spellings: text, with hexadecimal digits
//! (what gpg-agent's key files hold); the canonical one, in which a length stands before each atom (`1:d256:..`); and
//! libgcrypt's own, in which a byte says what follows and two more how long it is. The last one is what memory is full of:
//! gpg-agent frees the keys that it decrypted without wiping them. An allocator then writes its pointers over the first 16
//! bytes, which are just those that say `private-key`. So a key is not known by these words alone but by what stands behind
//! them too: its exponent or its curve.
//!
//! Source: `src/sexp.c` of libgcrypt 1.10 for the third spelling, RFC 9804 for the others, `agent/keyformat.txt` of GnuPG for
//! the names of the numbers.

use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use super::pem::key_rules;
use super::structure::site_of;
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Rule};
use crate::keys::ec::Curve;
use crate::keys::number::Number;
use crate::keys::public::PublicKey;
use crate::keys::rsa_parts::RsaParts;
use crate::keys::{FoundKey, dsa, ec, edwards};
use crate::vault::{Secret, SecretBytes};
use crate::window::Window;

/// The rule of keys under a passphrase, the same as for those in DER.
const ENCRYPTED: &str = "encrypted-private-key";
/// What a key is known by, and how it is spelled there. The exponent stands behind the modulus. Literals without four letters
/// of text take time to search for, so there is one only.
const TRIGGERS: [(&[u8], Spelling); 11] = [
    (HEADS[0], Spelling::Libgcrypt),
    (b"\x03\x01\x01\0e\x01\x03\0\x01\0\x01\x04", Spelling::Libgcrypt),
    (b"\x03\x01\x05\0curve\x01", Spelling::Libgcrypt),
    (b"3:rsa(1:n", Spelling::Written),
    (b"(1:e3:\x01\0\x01)", Spelling::Written),
    (b"(5:curve", Spelling::Written),
    (b"3:dsa(1:p", Spelling::Written),
    (b"3:elg(1:p", Spelling::Written),
    (HEADS[1], Spelling::Text),
    (b"#010001#", Spelling::Text),
    (b"(curve ", Spelling::Text),
];
/// How keys begin, in the spelling of memory and in text.
const HEADS: [&[u8]; 2] = [b"\x01\x0b\0private-key", b"(private-key"];
/// Letters before an exponent: an RSA-16384 modulus in digits.
const BEFORE: usize = 4_500;
/// Letters from the trigger on.
const AFTER: usize = 15_000;
/// Atoms and brackets of one list: that of an encrypted key has a dozen.
const MOST_TOKENS: usize = 40;
/// Lists of one key.
const MOST_LISTS: usize = 20;

/// Finds private keys in S-expressions, and tells the public ones.
pub struct Sexp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// That of libgcrypt's memory.
    Libgcrypt,
    /// Canonical, of which atoms are bytes.
    Written,
    /// Text, in any width.
    Text,
}

impl Detector for Sexp {
    fn rules(&self) -> Vec<Rule> {
        key_rules()
    }

    fn trigger(&self) -> Trigger {
        let literal = |(bytes, spelling): &(&[u8], Spelling)| Literal {
            wide: *spelling == Spelling::Text,
            ..Literal::binary(bytes)
        };
        Trigger::Literals(TRIGGERS.iter().map(literal).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: BEFORE, after: AFTER }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some((_, spelling)) = TRIGGERS.get(candidate.literal) else { return };
        let view = TextView::around(window, candidate, BEFORE, AFTER);
        let reader = Reader { bytes: view.letters(), at: view.letter_at(candidate.at), spelling: *spelling };
        let lists = reader.lists_around();
        if let Some(first) = lists.first() {
            let whole = view.bytes_of(first.value.range.start..lists.last().map_or(0, |last| last.value.range.end));
            Key { lists: &lists, view: &view, window, whole }.tell(out);
        }
    }
}

/// The value of an atom, and where it stands among the letters of a view.
struct Atom {
    bytes: SecretBytes,
    range: Range<usize>,
    /// How it is written: in digits, or as it is.
    encoding: Encoding,
}

/// A list that begins with a name: `(d #..#)`.
struct List {
    name: SecretBytes,
    /// Its last atom: `(protected mode (parameters) ciphertext)`.
    value: Atom,
}

#[derive(Clone)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    spelling: Spelling,
}

enum Token {
    Open,
    Close,
    Atom(Atom),
}

impl Reader<'_> {
    /// The lists of the key that the trigger at the reader's place belongs to.
    fn lists_around(mut self) -> Vec<List> {
        let trigger = self.at;
        if let Some(head) = HEADS.into_iter().find(|head| self.starts_with(head)) {
            self.at += head.len();
            // The bracket and the name of the algorithm.
            let is_key = matches!(self.token(), Some(Token::Open)) && matches!(self.token(), Some(Token::Atom(_)));
            return if is_key { self.lists() } else { Vec::new() };
        }
        if !self.is_list_at(trigger) {
            // The name of the algorithm stands at the trigger.
            return if matches!(self.token(), Some(Token::Atom(_))) { self.lists() } else { Vec::new() };
        }
        if let Some(modulus) = self.modulus_before(trigger) {
            let lists = Self { at: modulus, ..self.clone() }.lists();
            if lists.last().is_some_and(|last| last.value.range.end > trigger) {
                return lists;
            }
        }
        self.at = self.list_start(trigger);
        self.lists()
    }

    /// Whether the trigger is a list of a key, or the value of one.
    fn is_list_at(&self, at: usize) -> bool {
        matches!(self.bytes.get(at), Some(b'(' | b'#' | 3))
    }

    /// Where the list begins whose bracket, name or value is at `at`.
    fn list_start(&self, at: usize) -> usize {
        if self.bytes.get(at) != Some(&b'#') {
            return at;
        }
        let before = self.bytes.get(at.saturating_sub(8)..at).unwrap_or_default();
        before.iter().rposition(|b| *b == b'(').map_or(at, |bracket| at - before.len() + bracket)
    }

    /// Where the list of the modulus begins, if it ends before `at`.
    fn modulus_before(&self, at: usize) -> Option<usize> {
        let before = self.bytes.get(at.saturating_sub(BEFORE)..at)?;
        let start = at - before.len();
        let pattern: &[u8] = match self.spelling {
            Spelling::Libgcrypt => b"\x03\x01\x01\0n\x01",
            Spelling::Written => b"(1:n",
            Spelling::Text => b"(n",
        };
        memmem::rfind(before, pattern).map(|found| start + found)
    }

    fn starts_with(&self, bytes: &[u8]) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(bytes))
    }

    /// The lists that stand one behind the other here. One that is cut off is none.
    fn lists(&mut self) -> Vec<List> {
        std::iter::from_fn(|| self.list()).take(MOST_LISTS).collect()
    }

    fn list(&mut self) -> Option<List> {
        let Some(Token::Open) = self.token() else { return None };
        let Some(Token::Atom(name)) = self.token() else { return None };
        let (mut depth, mut value) = (1, None);
        for _ in 0..MOST_TOKENS {
            match self.token()? {
                Token::Open => depth += 1,
                Token::Close if depth == 1 => {
                    return Some(List { name: name.bytes, value: value.unwrap_or(name_only(&name.range)) });
                }
                Token::Close => depth -= 1,
                Token::Atom(atom) if depth == 1 => value = Some(atom),
                Token::Atom(_) => {}
            }
        }
        None
    }

    fn token(&mut self) -> Option<Token> {
        if self.spelling == Spelling::Libgcrypt { self.packed() } else { self.written() }
    }

    /// The next token of libgcrypt's own: a byte, and for atoms their length in two bytes of the machine.
    fn packed(&mut self) -> Option<Token> {
        const ATOM: u8 = 1;
        const HINT: u8 = 2;
        let rest = self.bytes.get(self.at..)?;
        match *rest {
            [3, ..] => {
                self.at += 1;
                Some(Token::Open)
            }
            [4, ..] => {
                self.at += 1;
                Some(Token::Close)
            }
            [kind @ (ATOM | HINT), low, high, ..] => {
                let from = self.at + 3;
                let range = from..from + usize::from(u16::from_le_bytes([low, high]));
                let bytes = SecretBytes::new(self.bytes.get(range.clone())?);
                self.at = range.end;
                if kind == HINT {
                    self.packed()
                } else {
                    Some(Token::Atom(Atom { bytes, range, encoding: Encoding::Plain }))
                }
            }
            _ => None,
        }
    }

    /// The next token of text or of the canonical spelling; text may hold atoms of the latter.
    fn written(&mut self) -> Option<Token> {
        let rest = self.bytes.get(self.at..)?;
        self.at += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = self.bytes.get(self.at..)?;
        match rest.first()? {
            b'(' => {
                self.at += 1;
                Some(Token::Open)
            }
            b')' => {
                self.at += 1;
                Some(Token::Close)
            }
            b'#' => self.quoted(b'#', Encoding::Hex),
            b'"' => self.quoted(b'"', Encoding::Plain),
            b'0'..=b'9' => {
                let digits = rest.iter().take(5).take_while(|b| b.is_ascii_digit()).count();
                let len: usize = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
                if rest.get(digits) != Some(&b':') {
                    return None;
                }
                let from = self.at + digits + 1;
                self.atom(from..from + len, from + len, Encoding::Plain)
            }
            _ => {
                let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"-./_:*+=".contains(b);
                let end = self.at + rest.iter().take_while(is_name).count();
                if end == self.at { None } else { self.atom(self.at..end, end, Encoding::Plain) }
            }
        }
    }

    fn quoted(&mut self, quote: u8, encoding: Encoding) -> Option<Token> {
        let from = self.at + 1;
        let len = self.bytes.get(from..)?.iter().position(|b| *b == quote)?;
        self.atom(from..from + len, from + len + 1, encoding)
    }

    fn atom(&mut self, range: Range<usize>, next: usize, encoding: Encoding) -> Option<Token> {
        let written = self.bytes.get(range.clone())?;
        let bytes = if encoding == Encoding::Hex { unhex(written)? } else { SecretBytes::new(written) };
        self.at = next;
        Some(Token::Atom(Atom { bytes, range, encoding }))
    }
}

/// What stands for the value of a list that is only a name.
fn name_only(name: &Range<usize>) -> Atom {
    Atom { bytes: SecretBytes::new(Vec::new()), range: name.clone(), encoding: Encoding::Plain }
}

/// Hexadecimal digits, broken into lines.
fn unhex(text: &[u8]) -> Option<SecretBytes> {
    let digits = text.iter().filter(|b| !b.is_ascii_whitespace());
    let values = digits.map(|b| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    let values = Zeroizing::new(values.collect::<Option<Vec<u8>>>()?);
    let (pairs, rest) = values.as_chunks::<2>();
    rest.is_empty().then(|| SecretBytes::new(pairs.iter().map(|[high, low]| high << 4 | low).collect::<Vec<u8>>()))
}

/// The numbers of one key and where they stand.
struct Key<'a> {
    lists: &'a [List],
    view: &'a TextView<'a>,
    window: &'a Window<'a>,
    /// All lists, in bytes of the window.
    whole: Range<usize>,
}

impl Key<'_> {
    fn tell(&self, out: &mut Hits) {
        if let Some(protected) = self.get("protected") {
            let public = self.public_key().map(PublicKey::identity).unwrap_or_default();
            let secret = Secret::bytes(protected.bytes.expose());
            let key = FoundKey { rule: ENCRYPTED, evidence: Evidence::Parsed, severity: None, public, secret };
            return self.hit(&key, protected, Piece::Whole, out);
        }
        let Some(key) = self.private_key() else {
            return out.clues.extend(self.public_key().and_then(|key| key.clue));
        };
        for (name, piece) in [("d", Piece::D), ("p", Piece::Q), ("q", Piece::P), ("u", Piece::Qinv), ("x", Piece::D)] {
            let is_secret = key.rule == crate::keys::rsa::RULE || piece == Piece::D;
            if let Some(value) = self.get(name).filter(|value| is_secret && !value.bytes.is_empty()) {
                self.hit(&key, value, piece, out);
            }
        }
    }

    fn hit(&self, key: &FoundKey, value: &Atom, piece: Piece, out: &mut Hits) {
        let encoding = Some(self.view.encoding()).filter(|width| *width != Encoding::Plain).unwrap_or(value.encoding);
        let site = site_of(self.window, self.whole.clone(), self.view.bytes_of(value.range.clone()));
        out.hits.push(key.clone().at(site, Form { layout: Layout::Sexp, encoding, piece }));
    }

    fn get(&self, name: &str) -> Option<&Atom> {
        self.lists.iter().find(|list| list.name.expose() == name.as_bytes()).map(|list| &list.value)
    }

    fn bytes(&self, name: &str) -> SecretBytes {
        self.get(name).map_or(SecretBytes::new(Vec::new()), |value| value.bytes.clone())
    }

    fn number(&self, name: &str) -> Number {
        Number::from_be(self.bytes(name).expose())
    }

    fn private_key(&self) -> Option<FoundKey> {
        if let Some(curve) = self.get("curve") {
            return self.of_curve(curve.bytes.expose());
        }
        if self.get("g").is_some() {
            return self.of_group();
        }
        self.rsa().key()
    }

    fn rsa(&self) -> RsaParts {
        // libgcrypt keeps the inverse of p modulo q, so its q is what others call p.
        RsaParts(["n", "e", "d", "q", "p", "", "", "u"].map(|name| self.bytes(name)))
    }

    /// Of DSA and ElGamal.
    fn of_group(&self) -> Option<FoundKey> {
        let given = |name| self.get(name).map(|_| self.number(name));
        let numbers =
            dsa::Numbers { p: self.number("p"), q: given("q"), g: self.number("g"), y: given("y"), x: given("x")? };
        if numbers.q.is_some() { dsa::dsa_key(&numbers) } else { dsa::dh_key(&numbers) }
    }

    fn of_curve(&self, curve: &[u8]) -> Option<FoundKey> {
        let (d, point) = (self.get("d")?.bytes.expose(), self.bytes("q"));
        let point = Some(point.expose()).filter(|point| !point.is_empty());
        if let Some(curve) = named(curve) {
            return ec::ec_key(curve.oid(), d, point);
        }
        let public = point.map(coordinate);
        match curve {
            b"Ed25519" => edwards::ed25519_key(padded(d)?.expose(), public),
            b"Curve25519" | b"X25519" => x25519(padded(d)?.expose(), public),
            _ => ec::unnamed_curve(d, point),
        }
    }

    fn public_key(&self) -> Option<PublicKey> {
        let Some(curve) = self.get("curve") else {
            return PublicKey::rsa(&self.number("n"), &self.number("e"));
        };
        let (curve, point) = (curve.bytes.expose(), self.bytes("q"));
        if let Some(curve) = named(curve) {
            return PublicKey::ec(curve.oid(), point.expose());
        }
        let oid = match curve {
            b"Ed25519" => edwards::ED25519,
            b"Curve25519" | b"X25519" => edwards::X25519,
            _ => return None,
        };
        PublicKey::edwards(oid, coordinate(point.expose()))
    }
}

/// The public key of a point of Curve25519: OpenPGP writes a byte before it that says that it is one coordinate.
fn coordinate(point: &[u8]) -> &[u8] {
    point.strip_prefix(&[0x40]).filter(|rest| rest.len() == 32).unwrap_or(point)
}

/// libgcrypt writes the number from its highest byte, everybody else from its lowest; a proof says which of the two it is.
fn x25519(d: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let reversed = SecretBytes::new(d.iter().rev().copied().collect::<Vec<u8>>());
    let as_it_is = edwards::x25519_key(d, public).filter(|key| key.evidence == Evidence::Proven);
    as_it_is.or_else(|| edwards::x25519_key(reversed.expose(), public))
}

/// The curve that libgcrypt knows by this name.
fn named(curve: &[u8]) -> Option<Curve> {
    match curve {
        b"NIST P-256" | b"nistp256" | b"prime256v1" | b"secp256r1" | b"1.2.840.10045.3.1.7" => Some(Curve::P256),
        b"NIST P-384" | b"nistp384" | b"secp384r1" | b"1.3.132.0.34" => Some(Curve::P384),
        b"NIST P-521" | b"nistp521" | b"secp521r1" | b"1.3.132.0.35" => Some(Curve::P521),
        b"secp256k1" | b"1.3.132.0.10" => Some(Curve::K256),
        _ => None,
    }
}

/// As 32 bytes: numbers are written with a zero before them, or without the zeros that they begin with.
fn padded(number: &[u8]) -> Option<SecretBytes> {
    let zeros = number.len().saturating_sub(32);
    let (zeros, number) = number.split_at(zeros);
    let fits = zeros.iter().all(|b| *b == 0);
    fits.then(|| SecretBytes::new([&vec![0; 32 - number.len()], number].concat()))
}

#[cfg(test)]
mod tests;
