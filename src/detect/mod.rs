//! Local detection: what can be told from the bytes around one place.
//!
//! A [`Detector`] names a cheap [`Trigger`]; the scan engine looks for all triggers in one pass and hands each place that
//! fits to the detector as a [`Candidate`]. A candidate may be wrong but must never be missing: the trigger gives no false
//! negatives, the detector confirms. Adding a detector is one file and one line in `detectors`.

pub mod aes_schedule;
pub mod aws_ids;
pub mod base64_run;
pub mod capi;
pub mod cipher_state;
pub mod cng;
pub mod curve_points;
mod decoded;
pub mod der;
pub mod dpapi;
pub mod gzip_streams;
pub mod header_fields;
pub mod hmac_pads;
pub mod jwk;
pub mod kerberos;
pub mod key_xml;
pub mod managed_heap;
pub mod ntlm;
pub mod object_names;
pub mod openssh;
pub mod pem;
pub mod pfx;
pub mod pgp;
pub mod public_keys;
pub mod putty;
pub mod sexp;
pub mod shielded;
pub mod signed_sessions;
pub mod signed_tokens;
pub mod structure;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod ticket_keys;
pub mod tls_secrets;
pub mod tls_sessions;
mod trigger;
#[cfg(feature = "yara")]
pub mod yara;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::detect::text::TextRule;
use crate::error::{Error, Result};
use crate::finding::{Encoding, Evidence, Form, Profile, PublicIdentity, Rule, Severity};
use crate::hunt::Clue;
use crate::limits::Budget;
use crate::span::Span;
use crate::vault::{Secret, SecretBytes};
use crate::window::Window;

pub use decoded::Decoded;
pub use trigger::{Candidate, Literal, REPEATED, Reach, TEXT, Trigger};

/// Finds one family of secrets.
pub trait Detector: Sync + Send {
    /// The rules whose findings it can make.
    fn rules(&self) -> Vec<Rule>;
    /// What makes a place worth a look.
    fn trigger(&self) -> Trigger;
    /// How far before and behind the trigger it must see, in bytes of ASCII; UTF-16 is given twice that.
    fn reach(&self) -> Reach;
    /// Looks at one candidate and tells what it found.
    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits);
    /// What stands there in a code that only this detector reads, for all detectors to look at. What is
    /// decoded is taken from the budget, also where nothing comes of it.
    fn decoded(&self, _candidate: Candidate, _window: &Window<'_>, _budget: &mut Budget) -> Vec<Decoded> {
        Vec::new()
    }
    /// Whether it is to look at what was decoded from `encoding`.
    fn looks_under(&self, _encoding: Encoding) -> bool {
        true
    }
}

/// Every detector of the default profile: those in code, and one for each text rule that is part of the program.
///
/// # Errors
/// [`crate::error::Error::Rules`] when a rule file is wrong, which the tests rule out for the built-in ones.
pub fn detectors() -> Result<Vec<Box<dyn Detector>>> {
    detectors_of(Profile::Default)
}

/// The same for any profile.
///
/// # Errors
/// As [`detectors`].
pub fn detectors_of(profile: Profile) -> Result<Vec<Box<dyn Detector>>> {
    detectors_with(&[], profile)
}

/// The detectors in code, and one for each rule of the program's that knows its secrets.
fn knowing(texts: Vec<TextRule>) -> Vec<Box<dyn Detector>> {
    let mut all: Vec<Box<dyn Detector>> = vec![
        Box::new(pem::Pem),
        Box::new(der::Der),
        Box::new(der::EncryptedDer),
        Box::new(openssh::OpenSsh),
        Box::new(putty::Putty),
        Box::new(public_keys::PublicKeys),
        Box::new(curve_points::CurvePoints),
        Box::new(aes_schedule::AesSchedule),
        Box::new(shielded::Shielded),
        Box::new(cipher_state::CipherState),
        Box::new(tls_secrets::TlsSecrets),
        Box::new(tls_sessions::TlsSessions),
        Box::new(ticket_keys::TicketKeys),
        Box::new(hmac_pads::HmacPads),
        Box::new(signed_tokens::SignedTokens),
        Box::new(signed_sessions::SignedSessions),
        Box::new(aws_ids::AwsIds),
        Box::new(object_names::ObjectNames),
        Box::new(capi::Capi),
        Box::new(cng::Cng),
        Box::new(dpapi::Dpapi),
        Box::new(jwk::Jwk),
        Box::new(key_xml::KeyXml),
        Box::new(pfx::Pfx),
        Box::new(ntlm::Ntlm),
        Box::new(pgp::Pgp),
        Box::new(kerberos::Kerberos),
        Box::new(sexp::Sexp),
        Box::new(managed_heap::ManagedHeap),
        Box::new(header_fields::HeaderFields),
        Box::new(gzip_streams::GzipStreams),
    ];
    all.extend(boxed(texts));
    all
}

fn boxed(texts: Vec<TextRule>) -> impl Iterator<Item = Box<dyn Detector>> {
    texts.into_iter().map(|rule| Box::new(rule) as Box<dyn Detector>)
}

/// Every detector of the program, and one for each rule of the user's files, as far as `profile` has them.
///
/// # Errors
/// [`crate::error::Error::Open`] or [`crate::error::Error::Rules`] when a file cannot be read, is wrong, or has a rule of an
/// id that is taken.
pub fn detectors_with(files: &[PathBuf], profile: Profile) -> Result<Vec<Box<dyn Detector>>> {
    let texts = text::built_in()?;
    let mut ids: BTreeSet<String> = texts.iter().map(|rule| rule.text().id.clone()).collect();
    let wanted = texts.into_iter().filter(|rule| rule.text().profile <= profile);
    let (general, others) = wanted.partition(|rule| rule.text().general);
    let mut all = knowing(others);
    ids.extend(all.iter().flat_map(|detector| detector.rules()).map(|rule| rule.id));
    for file in files {
        for detector in detectors_in(file)? {
            let rules = detector.rules();
            if let Some(taken) = rules.iter().find(|rule| !ids.insert(rule.id.clone())) {
                let reason = format!("rule {}: its id is also that of another rule", taken.id);
                return Err(Error::Rules { file: file.display().to_string(), reason });
            }
            if rules.iter().any(|rule| rule.profile <= profile) {
                all.push(detector);
            }
        }
    }
    // Of two rules that find the same, the first one names it: what is for any secret comes last, behind the user's.
    all.extend(boxed(general));
    Ok(all)
}

/// The detectors of one file of the user's.
fn detectors_in(file: &Path) -> Result<Vec<Box<dyn Detector>>> {
    if is_yara(file) {
        return of_yara(file);
    }
    Ok(text::load(file)?.into_iter().map(|rule| Box::new(rule) as Box<dyn Detector>).collect())
}

/// Whether the file's name says that it holds rules of YARA.
#[must_use]
pub fn is_yara(file: &Path) -> bool {
    file.extension().is_some_and(|end| end.eq_ignore_ascii_case("yar") || end.eq_ignore_ascii_case("yara"))
}

#[cfg(feature = "yara")]
fn of_yara(file: &Path) -> Result<Vec<Box<dyn Detector>>> {
    Ok(vec![Box::new(yara::load(file)?)])
}

#[cfg(not(feature = "yara"))]
fn of_yara(file: &Path) -> Result<Vec<Box<dyn Detector>>> {
    let reason = "rules of YARA need a program that was built with the feature `yara` (`cargo install dumpscrub \
                  --features yara`), and this one was not";
    Err(Error::Rules { file: file.display().to_string(), reason: reason.to_owned() })
}

/// A secret seen at one place.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The rule's id.
    pub rule: String,
    /// `Some(Info)` where this very secret is public knowledge.
    pub severity: Option<Severity>,
    /// How sure it is.
    pub evidence: Evidence,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// The secret itself.
    pub secret: Secret,
    /// Where it stands in the window: the bytes that redaction would replace.
    pub range: Range<usize>,
    /// How it is held there.
    pub form: Form,
}

/// A secret that stands elsewhere than in the window that led to it.
#[derive(Clone, Debug)]
pub struct Far {
    /// The secret; its range is what led to it.
    pub hit: Hit,
    /// Where it stands, in the order of its bytes; more than one span where memory goes on elsewhere in the file.
    pub spans: Vec<Span>,
}

/// A value that stands elsewhere than its name, as objects of a running program do: whether it is a secret is for the rules of text to
/// say.
#[derive(Debug)]
pub struct Named {
    /// The letters of the name.
    pub name: Vec<u8>,
    /// The value.
    pub value: SecretBytes,
    /// Where the value stands, in the order of its bytes.
    pub spans: Vec<Span>,
}

/// Where detectors put what they find.
#[derive(Debug, Default)]
pub struct Hits {
    /// Secrets.
    pub hits: Vec<Hit>,
    /// Secrets that were reached by following a pointer.
    pub far: Vec<Far>,
    /// Values to be judged by their names.
    pub named: Vec<Named>,
    /// What the next passes may use.
    pub clues: Vec<Clue>,
}

impl Hits {
    /// Whether a hit with a proof covers the position, so that looking again would tell the same.
    #[must_use]
    pub fn proven_at(&self, at: usize) -> bool {
        self.hits.iter().rev().take(8).any(|hit| hit.evidence == Evidence::Proven && hit.range.contains(&at))
    }
}

/// Text at either width, seen as ASCII: letter `i` stands at `start + i * stride` in the window.
///
/// UTF-16 text of ASCII letters is narrowed once, so that one pattern serves both; a position in the narrow text maps
/// back to the bytes of the file.
#[derive(Debug)]
pub struct TextView<'a> {
    letters: std::borrow::Cow<'a, [u8]>,
    start: usize,
    wide: Option<Encoding>,
    /// Length of the window: the last letter's zero may lie beyond it.
    limit: usize,
}

impl<'a> TextView<'a> {
    /// The text around a candidate: up to `before` letters before it and `after` letters from it on. Wide text ends where a
    /// letter's other byte is not zero.
    #[must_use]
    pub fn around(window: &Window<'a>, candidate: Candidate, before: usize, after: usize) -> Self {
        let bytes = window.bytes();
        let limit = bytes.len();
        if !candidate.wide {
            let start = candidate.at.saturating_sub(before);
            let letters = window.slice(start..candidate.at.saturating_add(after));
            return Self { letters: letters.into(), start, wide: None, limit };
        }
        let mut start = wide_start(bytes, candidate.at, before);
        let mut end = wide_end(bytes, candidate.at, after);
        let far = |letters: usize| letters.saturating_add(ENDS);
        let text = wide_start(bytes, candidate.at, far(before))..wide_end(bytes, candidate.at, far(after));
        let order = byte_order(bytes, text);
        trim(bytes, order, candidate.at, &mut start, &mut end);
        let letters: Vec<u8> = window.slice(start..end).iter().step_by(2).copied().collect();
        Self { letters: letters.into(), start, wide: Some(order), limit }
    }

    /// The letters, one byte each.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.letters
    }

    /// How the letters are written in the window.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.wide.unwrap_or(Encoding::Plain)
    }

    /// The bytes of the window that hold the letters `range`, the zero bytes of UTF-16 included.
    #[must_use]
    pub fn bytes_of(&self, range: Range<usize>) -> Range<usize> {
        let place = |letter: usize| match self.wide {
            None => self.start + letter,
            Some(Encoding::Utf16Be) => (self.start + 2 * letter).saturating_sub(1),
            Some(_) => self.start + 2 * letter,
        };
        place(range.start)..place(range.end).min(self.limit)
    }

    /// The letter that stands at a position of the window.
    #[must_use]
    pub fn letter_at(&self, at: usize) -> usize {
        at.saturating_sub(self.start) / if self.wide.is_some() { 2 } else { 1 }
    }
}

/// Letters beyond a view that are looked at to find the text's ends, which tell its byte order.
const ENDS: usize = 256;

/// Where wide text that has a letter at `at` begins, at most `most` letters before it.
fn wide_start(bytes: &[u8], at: usize, most: usize) -> usize {
    let is_letter = |at: usize| bytes.get(at).is_some_and(|&b| b != 0) && bytes.get(at + 1) == Some(&0);
    let steps = (1..=most).map_while(|step| at.checked_sub(2 * step).filter(|&at| is_letter(at)));
    steps.last().unwrap_or(at)
}

/// One past the last letter of wide text that has a letter at `at`, at most `most` letters from there on.
fn wide_end(bytes: &[u8], at: usize, most: usize) -> usize {
    let is_letter = |at: usize| bytes.get(at).is_some_and(|&b| b != 0);
    let joined = |place: usize| place == at || bytes.get(place - 1) == Some(&0);
    let places = (0..most).map(|step| at.saturating_add(2 * step));
    places.take_while(|&place| is_letter(place) && joined(place)).last().map_or(at, |last| last + 1)
}

/// The byte order of UTF-16 text, from what stands around it: inside, both look alike. `text` begins with the first letter
/// and ends behind the last.
///
/// LE text has a zero behind its last letter and two more where NUL ends it; BE text has a zero before its first letter, and
/// NUL behind it is two zeros. Where the neighbour is no zero it is taken for a letter, so a letter that is none tells too.
/// Where all that says nothing it is LE, the order of every machine that makes minidumps.
fn byte_order(bytes: &[u8], text: Range<usize>) -> Encoding {
    const MANY: usize = 4;
    let zeros = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take(MANY).take_while(|b| **b == 0).count();
    let before = zeros(&mut bytes.get(..text.start).unwrap_or_default().iter().rev());
    let after = zeros(&mut bytes.get(text.end..).unwrap_or_default().iter());
    let is_text = |at: usize| bytes.get(at).is_some_and(is_text);
    let (first, last) = (is_text(text.start), is_text(text.end.saturating_sub(1)));
    let big = match (before, after) {
        // No zero behind the last letter: it is BE, or the last letter is the neighbour's.
        (0, 0) => !first && last,
        (_, 0) => last,
        (_, 2) => true,
        (_, 1 | 3) => false,
        (before, _) => before == 0 && !first,
    };
    if big { Encoding::Utf16Be } else { Encoding::Utf16Le }
}

/// Takes off the letter at an end that is a byte of the neighbour: `ff` in `t 00 ff ff`. Where it could be a letter of the
/// text it stays, because one too many hides nothing.
fn trim(bytes: &[u8], order: Encoding, at: usize, start: &mut usize, end: &mut usize) {
    let zero = |at: usize| bytes.get(at) == Some(&0);
    let foreign = |at: usize| bytes.get(at).is_some_and(|b| !is_text(b));
    let last = end.saturating_sub(1);
    if order == Encoding::Utf16Le && last > at && foreign(last) && !zero(*end) {
        *end = last - 1;
    }
    if order == Encoding::Utf16Be && *start < at && foreign(*start) && !start.checked_sub(1).is_some_and(zero) {
        *start += 2;
    }
}

fn is_text(byte: &u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "say KEY=abc;";

    fn wide(order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        TEXT.encode_utf16().flat_map(order).collect()
    }

    fn look(bytes: &[u8], before: usize, after: usize, check: impl Fn(&TextView<'_>)) {
        let key: Vec<u8> = "KEY".bytes().flat_map(|b| [b, 0]).take(5).collect();
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        check(&TextView::around(&window, Candidate { at, literal: 0, wide: true }, before, after));
    }

    #[test]
    fn wide_text_is_narrowed_and_its_places_map_back() {
        for head in [&b""[..], b"\0", b"\0\0", b"\0\0\0", b"\0\0\0\0\0", b"\xf1", b"\xf1\xf2", b"\xf1\xf2\0\0"] {
            for tail in [&b"\0\0"[..], b"\0\0\xf1", b"\xf3\xf4", b"\0\0\0\0\0\0"] {
                for (order, encoding) in
                    [(u16::to_le_bytes as fn(u16) -> [u8; 2], Encoding::Utf16Le), (u16::to_be_bytes, Encoding::Utf16Be)]
                {
                    let bytes = [head, &wide(order), tail].concat();
                    // Zeros on both sides say nothing about the order, and then it is LE.
                    let told = head.len() < 4 || head.contains(&0xf1) || tail.len() < 6;
                    if encoding == Encoding::Utf16Be && (!told || tail.len() == 6) {
                        continue;
                    }
                    look(&bytes, 100, 100, |view| {
                        let text = view.letters();
                        let at = text.windows(3).position(|w| w == b"KEY").unwrap();
                        assert!(text[at - 4..].starts_with(TEXT.as_bytes()), "{head:?} {tail:?} {encoding:?}");
                        assert_eq!(view.encoding(), encoding, "{head:?} {tail:?}");
                        let range = view.bytes_of(at + 4..at + 7);
                        assert_eq!(bytes[range], "abc".encode_utf16().flat_map(order).collect::<Vec<u8>>());
                    });
                }
            }
        }
    }

    #[test]
    fn a_view_that_is_shorter_than_the_text_knows_its_order_all_the_same() {
        let bytes = [&b"\x07"[..], &wide(u16::to_be_bytes), b"\0\0\x07"].concat();
        look(&bytes, 2, 5, |view| {
            assert_eq!(view.letters(), b"y KEY=a");
            assert_eq!(view.encoding(), Encoding::Utf16Be);
        });
    }

    #[test]
    fn the_last_letters_zero_may_lie_outside_the_window() {
        let bytes = wide(u16::to_le_bytes);
        let cut = &bytes[..bytes.len() - 1];
        look(cut, 100, 100, |view| {
            assert_eq!(view.letters(), TEXT.as_bytes());
            assert_eq!(view.bytes_of(0..TEXT.len()), 0..cut.len());
        });
    }

    fn view(bytes: &[u8], at: usize) -> (Vec<u8>, Encoding, Range<usize>) {
        let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
        let view = TextView::around(&window, Candidate { at, literal: 0, wide: true }, 100, 100);
        (view.letters().to_vec(), view.encoding(), view.bytes_of(0..view.letters().len()))
    }

    #[test]
    fn both_orders_are_told_apart_by_their_ends() {
        use Encoding::{Utf16Be, Utf16Le};
        for (before, behind) in [(0xff, 0xff), (1, 1), (0, 0xff), (0xff, 0)] {
            for pad in [4, 5] {
                for (big, order) in [(false, Utf16Le), (true, Utf16Be)] {
                    let unit = |c: u16| if big { c.to_be_bytes() } else { c.to_le_bytes() };
                    let text: Vec<u8> = "secret".encode_utf16().flat_map(unit).collect();
                    let bytes = [vec![before; pad], text, vec![behind; 4]].concat();
                    let got = view(&bytes, pad + 4 + usize::from(big));
                    let want = (b"secret".to_vec(), order, pad..pad + 12);
                    assert_eq!(got, want, "{before:#x} {behind:#x} {pad} {order:?}");
                }
            }
        }
    }

    #[test]
    fn where_neither_end_tells_no_letter_is_lost() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes = [vec![b'x'; 4], "secret".encode_utf16().flat_map(order).collect(), vec![b'y'; 4]].concat();
            assert!(view(&bytes, 9 - usize::from(bytes[4] != 0)).0.windows(6).any(|w| w == b"secret"));
        }
    }

    #[test]
    fn between_zeros_the_letters_are_the_same_in_either_order() {
        let bytes = [vec![0; 5], "secret".encode_utf16().flat_map(u16::to_be_bytes).collect(), vec![0; 5]].concat();
        assert_eq!(view(&bytes, 8).0, b"secret");
    }
}
