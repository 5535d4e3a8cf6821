//! Sessions that web frameworks sign with their secret key and give to the browser: the clues that prove the key, wherever it stands.
//!
//! Flask and others that use itsdangerous write `payload.time.signature`, with 27 letters of SHA-1 at the end; Django writes
//! `value:time:signature`, with 43 of SHA-256; express-session writes `s:id.signature`, percent-encoded where it is a cookie. How the key
//! is made of the secret is told in [`crate::keys::mac`]. A clue holds what was signed and a part of the signature, which is no
//! session.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};

use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::keys::mac::Hash;
use crate::window::Window;

/// How payloads begin: JSON in base64, `{"` and the first letter of a name, and JSON that was compressed.
const JSON: &str = "eyJ";
const COMPRESSED: [&str; 4] = [".eJw", ".eJx", ".eJy", ".eJz"];
/// How express-session's cookies begin.
const EXPRESS: &str = "=s%3A";
/// Letters of the longest session.
const LONGEST: usize = 4096;
/// Letters of a time, in base64 or base62, of the earliest to the latest that will be met.
const TIME: usize = 6;
/// Letters of the signatures.
const SHA1: usize = 27;
const SHA256: usize = 43;
/// Letters of an express-session's id, and of its signature, three for each that is percent-encoded.
const ID: std::ops::RangeInclusive<usize> = 16..=64;
/// Bytes of the signature that a clue holds.
const PART: usize = 16;

/// Tells of sessions that a secret signs.
pub struct SignedSessions;

impl Detector for SignedSessions {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        let all = [JSON, EXPRESS].into_iter().chain(COMPRESSED);
        Trigger::Literals(all.map(Literal::text).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let letters = |most: usize| {
            let view = TextView::around(window, candidate, 0, most);
            view.letters().get(view.letter_at(candidate.at)..).unwrap_or_default().to_vec()
        };
        if candidate.literal == 1 {
            out.clues.extend(express(&letters(256)));
            return;
        }
        // What begins so is mostly something else, which a part of it tells.
        let is_cut = |letters: &[u8]| ends(letters).is_none_or(|at| at + 2 + TIME + SHA256 >= letters.len());
        let some = letters(256);
        out.clues.extend(session(&if is_cut(&some) { letters(LONGEST) } else { some }));
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Where the payload ends: at what divides it from the time. A point before a payload says that it is compressed.
fn ends(letters: &[u8]) -> Option<usize> {
    letters.iter().skip(1).position(|byte| !is_letter(*byte)).map(|at| at + 1)
}

/// What a session of Flask or Django tells of its key.
fn session(letters: &[u8]) -> Option<Clue> {
    let payload = ends(letters)?;
    let divides = *letters.get(payload)?;
    let (hash, len) = match divides {
        b'.' => (Hash::Itsdangerous, SHA1),
        b':' => (Hash::Django, SHA256),
        _ => return None,
    };
    let rest = letters.get(payload + 1..)?;
    let time = rest.iter().position(|byte| !is_letter(*byte)).filter(|len| *len == TIME)?;
    let signature = rest.get(time + 1..time + 1 + len)?;
    let follows = rest.get(time + 1 + len).copied();
    let fits = rest.get(time) == Some(&divides)
        && signature.iter().all(|byte| is_letter(*byte))
        && !follows.is_some_and(is_letter);
    let code = Base64UrlUnpadded::decode_vec(std::str::from_utf8(signature).ok().filter(|_| fits)?).ok()?;
    let message = letters.get(..payload + 1 + time)?.to_vec();
    Some(Clue::SignedToken { hash, message, code: code.get(..PART)?.to_vec() })
}

/// What a cookie of express-session tells of its key.
fn express(letters: &[u8]) -> Option<Clue> {
    let rest = letters.get(EXPRESS.len()..)?;
    let id = rest.iter().position(|byte| !is_letter(*byte)).filter(|len| ID.contains(len))?;
    let mut signature = Vec::new();
    let mut tail = rest.get(id..)?.strip_prefix(b".")?;
    while signature.len() < SHA256 {
        let (letter, behind) = match tail {
            [b'%', b'2', b'B' | b'b', behind @ ..] => (b'+', behind),
            [b'%', b'2', b'F' | b'f', behind @ ..] => (b'/', behind),
            [letter, behind @ ..] if letter.is_ascii_alphanumeric() => (*letter, behind),
            _ => return None,
        };
        signature.push(letter);
        tail = behind;
    }
    let code = Base64Unpadded::decode_vec(std::str::from_utf8(&signature).ok()?).ok()?;
    Some(Clue::SignedToken { hash: Hash::Express, message: rest.get(..id)?.to_vec(), code: code.get(..PART)?.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{WIDTHS, clues, embed};
    use crate::finding::Encoding;

    fn clue(hash: Hash, message: &str, code: u8) -> Clue {
        Clue::SignedToken { hash, message: message.as_bytes().to_vec(), code: vec![code; PART] }
    }

    #[test]
    fn a_session_of_each_framework_is_told_in_every_width_without_its_signature() {
        let (sha1, sha256) =
            (Base64UrlUnpadded::encode_string(&[7; 20]), Base64UrlUnpadded::encode_string(&[0xff; 32]));
        let long = format!("eyJ{}", "a".repeat(900));
        for width in WIDTHS {
            for odd in [false, true] {
                for payload in ["eyJ1aWQiOjQyfQ", ".eJwyVLJSqI4FAAAA", &long] {
                    for (divides, hash, signature, code) in
                        [(".", Hash::Itsdangerous, &sha1, 7), (":", Hash::Django, &sha256, 0xff)]
                    {
                        let message = format!("{payload}{divides}aw0gPA");
                        let text = format!("session={message}{divides}{signature}; x");
                        assert_eq!(clues(&SignedSessions, &embed(&text, width, odd)), [clue(hash, &message, code)]);
                    }
                }
                let signature = Base64Unpadded::encode_string(&[0xff; 32]).replace('/', "%2F");
                let id = "Zk3v0bq8mXw1T5c2R9y7L4n6P0s8D2f1";
                let text = format!("connect.sid=s%3A{id}.{signature}; Path=/");
                assert_eq!(clues(&SignedSessions, &embed(&text, width, odd)), [clue(Hash::Express, id, 0xff)]);
            }
        }
    }

    #[test]
    fn tokens_and_what_is_cut_are_none() {
        for text in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzdmMifQ.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
            "eyJ1aWQiOjQyfQ.aw0gPA.BwcHBwcHBwcHBwcHBwcHBwcHBw",
            "eyJ1aWQiOjQyfQ.aw0gPA.BwcHBwcHBwcHBwcHBwcHBwcHBwcxx",
            "eyJ1aWQiOjQyfQ.aw0gPAA.BwcHBwcHBwcHBwcHBwcHBwcHBwc",
            "eyJ1aWQiOjQyfQ:aw0gPA.BwcHBwcHBwcHBwcHBwcHBwcHBwc",
            "=s%3Ashort.BwcH",
        ] {
            assert_eq!(clues(&SignedSessions, &embed(text, Encoding::Plain, false)), [], "{text}");
        }
    }
}
