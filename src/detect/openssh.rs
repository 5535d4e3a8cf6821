//! Private keys in OpenSSH's own form, `openssh-key-v1`, as bytes or as base64 without its BEGIN line.
//!
//! `ssh-keygen` writes them as PEM, which the PEM detector reads. What stands in memory besides is the decoded form, and
//! the text after a program took its first line off.

use memchr::memmem;

use super::base64_run::Run;
use super::pem::{fragment_of, is_body_of_begin, key_rules};
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Encoding, Form, Layout, Piece, Rule};
use crate::keys::ssh;
use crate::window::Window;

/// The magic of the binary form, whose 15 bytes make 20 letters.
pub const BASE64_MAGIC: &[u8] = b"b3BlbnNzaC1rZXktdjEA";

const BINARY: usize = 0;
/// Bytes of an RSA-16384 key with a long comment; in base64, letters.
const REACH: usize = 16_000;
/// Letters before the magic in which a BEGIN line makes the body the PEM detector's.
const BEFORE: usize = 128;

/// Finds OpenSSH private keys outside of PEM.
pub struct OpenSsh;

impl Detector for OpenSsh {
    fn rules(&self) -> Vec<Rule> {
        key_rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(ssh::MAGIC), Literal { wide: true, ..Literal::binary(BASE64_MAGIC) }])
    }

    fn reach(&self) -> Reach {
        Reach { before: BEFORE, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        if candidate.literal == BINARY { binary(candidate.at, window, out) } else { base64(candidate, window, out) }
    }
}

fn binary(at: usize, window: &Window<'_>, out: &mut Hits) {
    let bytes = window.follow(at, 2 * REACH);
    let form = Form::whole(Layout::OpenSsh, Encoding::Plain);
    if let Some(found) = ssh::private_key(&bytes) {
        out.hits.push(found.key.at(at..at + found.len, form));
    } else if let Some((key, place)) = ssh::recover(&bytes) {
        out.hits.push(key.at(at + place.start..at + place.end, Form { piece: Piece::Fragment, ..form }));
    }
}

fn base64(candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
    let view = TextView::around(window, candidate, BEFORE, REACH);
    let at = view.letter_at(candidate.at);
    if is_body_of_begin(view.letters(), at) {
        return;
    }
    // A body holds the magic once. Ending it before the next one keeps a text of nothing but magics cheap.
    let behind = at + BASE64_MAGIC.len();
    let rest = view.letters().get(behind..).unwrap_or_default();
    let next = memmem::find(rest, BASE64_MAGIC).map_or(view.letters().len(), |next| behind + next);
    let text = view.letters().get(..next).unwrap_or_default();
    let run = Run::read(text, at);
    let closed = text.get(run.end()..).is_some_and(|rest| rest.starts_with(b"-----END"));
    let run = if closed { run } else { run.keep_head() };
    let bytes = run.decode();
    let whole = Form::whole(Layout::PemFragment, view.encoding());
    let range = view.bytes_of(run.range());
    if let Some(found) = ssh::private_key(&bytes) {
        out.hits.push(found.key.at(range, whole));
    } else if let Some(key) = ssh::recover(&bytes).map(|(key, _)| key).or_else(|| fragment_of(&run, &bytes)) {
        out.hits.push(key.at(range, Form { piece: Piece::Fragment, ..whole }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::pem::Pem;
    use crate::detect::testing::{WIDTHS, embed, encode, hit, hits, lines, pem, rsa_key, ssh_key, ssh_rsa, text_of};
    use crate::finding::Evidence;
    use crate::keys::testing::noise;

    fn keys() -> Vec<(Vec<u8>, &'static str)> {
        let rsa = ssh_rsa(&rsa_key(1, 1024));
        [(ssh_key(2, false), "ec-private-key"), (ssh_key(3, true), "ed25519-private-key"), (rsa, "rsa-private-key")]
            .map(|(key, rule)| (key.to_bytes().unwrap().to_vec(), rule))
            .to_vec()
    }

    #[test]
    fn the_binary_form_is_read_whatever_follows_it() {
        for (blob, rule) in keys() {
            for tail in [&b""[..], &[0; 100], &noise(3000, 1)] {
                let hit = hit(&OpenSsh, &[b"\x01\x02\x03", &blob[..], tail].concat());
                assert_eq!((hit.rule.as_str(), hit.evidence, hit.range), (rule, Evidence::Proven, 3..3 + blob.len()));
                assert_eq!(hit.form, Form::whole(Layout::OpenSsh, Encoding::Plain));
            }
        }
    }

    #[test]
    fn a_cut_or_damaged_binary_form_gives_the_numbers_that_prove_it() {
        for (blob, rule) in keys() {
            let whole = hit(&OpenSsh, &blob);
            let mut damaged = blob.clone();
            let end = damaged.len();
            damaged[end - 20..].fill(0xee);
            for bytes in [&damaged[..], &blob[..end - 20]] {
                let cut = hit(&OpenSsh, bytes);
                assert_eq!((cut.rule.as_str(), cut.evidence), (rule, Evidence::Proven));
                assert_eq!(cut.secret.identity(), whole.secret.identity());
            }
        }
    }

    #[test]
    fn the_text_without_its_first_line_is_read_and_reported_once() {
        for (blob, rule) in keys() {
            for gap in ["\n", "\r\n", "\\n", ""] {
                let body = lines(&blob, 70, gap);
                for tail in ["", "\n-----END OPENSSH PRIVATE KEY-----\n"] {
                    for width in WIDTHS {
                        let bytes = embed(&format!("key = {body}{tail}"), width, true);
                        let hit = hit(&OpenSsh, &bytes);
                        assert_eq!((hit.rule.as_str(), hit.evidence), (rule, Evidence::Proven));
                        assert_eq!(hit.form, Form::whole(Layout::PemFragment, width));
                        assert_eq!(text_of(&bytes, &hit), body);
                        assert!(hits(&Pem, &bytes).is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn the_text_behind_its_first_line_belongs_to_the_pem_detector() {
        let text = pem("OPENSSH PRIVATE KEY", &keys()[0].0, "\n");
        for width in WIDTHS {
            assert!(hits(&OpenSsh, &encode(&text, width)).is_empty());
            assert_eq!(hits(&Pem, &encode(&text, width)).len(), 1);
            // A first line that was overwritten in part is none.
            assert_eq!(hits(&OpenSsh, &encode(&text[8..], width)).len(), 1);
            assert!(hits(&Pem, &encode(&text[8..], width)).is_empty());
        }
    }

    #[test]
    fn an_encrypted_key_is_told_as_such() {
        let text = |text: &[u8]| [&(text.len() as u32).to_be_bytes()[..], text].concat();
        let public = ssh_rsa(&rsa_key(1, 1024)).public_key().to_bytes().unwrap();
        for (cipher, tag) in [("aes256-ctr", 0), ("aes256-gcm@openssh.com", 16)] {
            let options = [text(&noise(16, 1)), vec![0, 0, 0, 24]].concat();
            let head = [ssh::MAGIC.to_vec(), text(cipher.as_bytes()), text(b"bcrypt"), text(&options)].concat();
            let blob = [head, vec![0, 0, 0, 1], text(&public), text(&noise(320, 2)), noise(tag, 3)].concat();
            let binary = hit(&OpenSsh, &[&blob[..], b"\xff\xff"].concat());
            let text = hit(&Pem, pem("OPENSSH PRIVATE KEY", &blob, "\n").as_bytes());
            assert_eq!(binary.range, 0..blob.len());
            for found in [&binary, &text] {
                assert_eq!((found.rule.as_str(), found.evidence), ("encrypted-private-key", Evidence::Parsed));
                assert_eq!(found.public.kind, "RSA-1024");
                assert!(found.public.spki_sha256.is_some());
            }
            assert_eq!(binary.secret.identity(), text.secret.identity());
        }
    }

    #[test]
    fn the_magic_alone_is_no_key() {
        for text in ["openssh-key-v1\0", "openssh-key-v1\0bcrypt\0none\0ssh-rsa\0", "b3BlbnNzaC1rZXktdjEA"] {
            assert!(hits(&OpenSsh, text.as_bytes()).is_empty());
        }
        let lies = [ssh::MAGIC, &[0xff; 64]].concat();
        assert!(hits(&OpenSsh, &lies).is_empty());
    }

    #[test]
    fn many_magics_cost_no_more_than_one() {
        let work = crate::detect::testing::Work::begin();
        for unit in
            [&b"openssh-key-v1\0"[..], b"openssh-key-v1\0\0\0\0\x04none\0\0\0\0\0\0\0\0\0\0\0\x01", BASE64_MAGIC]
        {
            assert!(hits(&OpenSsh, &unit.repeat(10_000)).is_empty());
        }
        assert!(work.seconds() < 20);
    }
}
