//! JSON Web Tokens that are signed with HMAC: no secrets here (a rule tells those), but the clues that prove the key which
//! signs them, wherever it stands.
//!
//! Whoever makes or checks such tokens keeps the key beside them, mostly as a text or as bytes without any structure. A clue
//! holds what was signed and a part of the signature, which is no token.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::Rule;
use crate::hunt::Clue;
use crate::keys::mac::Hash;
use crate::window::Window;

/// How headers begin in base64: `{"` and the first letter of a member's name, of `alg`, `typ`, `kid`, `cty`, `x5t`, `jku` or `iss`.
const BEGINNINGS: [&str; 7] = ["eyJh", "eyJ0", "eyJr", "eyJj", "eyJ4", "eyJq", "eyJp"];
/// Letters of the longest token that is worth its place among the clues; one is enough to prove a key.
const LONGEST: usize = 4096;
/// Letters of the longest header.
const HEADER: usize = 512;
/// Bytes of the signature that a clue holds.
const PART: usize = 16;

/// Tells of tokens that HMAC signs.
pub struct SignedTokens;

impl Detector for SignedTokens {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(BEGINNINGS.map(Literal::text).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        // Most of what begins so is no token: a view of its header costs less.
        let header = TextView::around(window, candidate, 0, HEADER);
        let from = header.letter_at(candidate.at);
        let Some(hash) = header.letters().get(from..).and_then(hash) else { return };
        let view = TextView::around(window, candidate, 0, LONGEST);
        let letters = view.letters().get(view.letter_at(candidate.at)..).unwrap_or_default();
        out.clues.extend(clue(hash, letters));
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The hash that the header of a token names.
fn hash(letters: &[u8]) -> Option<Hash> {
    let len = letters.iter().position(|byte| !is_letter(*byte)).filter(|len| letters.get(*len) == Some(&b'.'))?;
    let header = Base64UrlUnpadded::decode_vec(std::str::from_utf8(letters.get(..len)?).ok()?).ok()?;
    let has = |name: &str| memchr::memmem::find(&header, format!("\"{name}\"").as_bytes()).is_some();
    Hash::NAMES.into_iter().find(|(name, _)| has(name)).map(|(_, hash)| hash)
}

/// What a token of three parts tells of its key.
fn clue(hash: Hash, letters: &[u8]) -> Option<Clue> {
    let dots: Vec<usize> = memchr::memchr_iter(b'.', letters).take(2).collect();
    let [first, second] = dots[..] else { return None };
    let payload = letters.get(first + 1..second).filter(|payload| payload.iter().all(|byte| is_letter(*byte)))?;
    let tail = letters.get(second + 1..)?;
    let len = tail.iter().position(|byte| !is_letter(*byte)).unwrap_or(tail.len());
    let code = Base64UrlUnpadded::decode_vec(std::str::from_utf8(tail.get(..len)?).ok()?).ok()?;
    let part = code.get(..PART).filter(|_| code.len() == hash.size() && !payload.is_empty())?;
    Some(Clue::SignedToken { hash, message: letters.get(..second)?.to_vec(), code: part.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{WIDTHS, clues, embed};

    fn token(header: &str, code: &[u8]) -> String {
        let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        format!("{}.{}.{}", encode(header.as_bytes()), encode(b"{\"sub\":\"svc\"}"), encode(code))
    }

    #[test]
    fn a_token_of_each_hash_is_told_in_every_width_without_its_signature() {
        for (name, hash) in Hash::NAMES {
            let code: Vec<u8> = (0..hash.size() as u8).map(|i| i.wrapping_mul(37)).collect();
            let token = token(&format!("{{\"typ\":\"JWT\",\"alg\":\"{name}\"}}"), &code);
            for width in WIDTHS {
                let message = token.rsplit_once('.').unwrap().0.as_bytes().to_vec();
                let want = Clue::SignedToken { hash, message, code: code[..PART].to_vec() };
                for odd in [false, true] {
                    let found = clues(&SignedTokens, &embed(&format!("{token} x"), width, odd));
                    assert_eq!(found, std::slice::from_ref(&want));
                }
            }
        }
    }

    #[test]
    fn what_others_sign_and_what_is_cut_is_none() {
        for (header, code) in [("{\"alg\":\"RS256\"}", 256), ("{\"alg\":\"HS256\"}", 31), ("{\"alg\":\"HS512\"}", 32)] {
            assert!(clues(&SignedTokens, token(header, &vec![7; code]).as_bytes()).is_empty());
        }
        let whole = token("{\"alg\":\"HS256\"}", &[7; 32]);
        for cut in [30, 36, 60] {
            assert!(clues(&SignedTokens, &whole.as_bytes()[..cut]).is_empty(), "{cut}");
        }
    }
}
