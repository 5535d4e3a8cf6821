//! PuTTY's key files, `PuTTY-User-Key-File-2` and `-3`, in full or cut.
//!
//! A file is lines of `Name: value`, and two blobs of base64 whose number of lines is said before them. The private one is
//! what has to go; where it is not encrypted its numbers prove the key together with the public blob, and no
//! authentication code is needed for that. Source: the appendix "PPK file format" of PuTTY's manual.

use memchr::memmem;

use super::base64_run::Run;
use super::pem::{fragment_of, key_rules};
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Form, Layout, Piece, Rule};
use crate::keys::ssh;
use crate::window::Window;

/// Letters of a file with an RSA-16384 key: 2,750 of public blob, 11,000 of private one.
const REACH: usize = 15_000;

/// Finds PuTTY's private keys.
pub struct Putty;

impl Detector for Putty {
    fn rules(&self) -> Vec<Rule> {
        key_rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::text("PuTTY-User-Key-File-2:"), Literal::text("PuTTY-User-Key-File-3:")])
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let view = TextView::around(window, candidate, 0, REACH);
        let Some(file) = File::read(view.letters()) else { return };
        let (public, private) = (file.public.decode(), file.private.decode());
        let whole = Form::whole(Layout::Putty, view.encoding());
        let range = view.bytes_of(file.private.range());
        if file.is_encrypted {
            out.hits.push(ssh::putty_encrypted(&public, &private).at(range, whole));
        } else if let Some(key) = ssh::putty(&public, &private) {
            out.hits.push(key.at(range, whole));
        } else if let Some(key) = fragment_of(&file.private, &private) {
            out.hits.push(key.at(range, Form { piece: Piece::Fragment, ..whole }));
        }
    }
}

/// What a file says before its authentication code.
struct File {
    is_encrypted: bool,
    public: Run,
    private: Run,
}

impl File {
    /// `None` where no private blob follows before the next file or the end.
    fn read(text: &[u8]) -> Option<Self> {
        let start = b"PuTTY-User-Key-File-".len();
        let end = memmem::find(text.get(start..)?, b"PuTTY-User-Key-File-").map_or(text.len(), |at| start + at);
        let text = text.get(..end)?;
        let encryption = value(text, b"Encryption:").and_then(|at| text.get(at..)).unwrap_or_default();
        let encryption = encryption.trim_ascii_start();
        let private = Self::blob(text, b"Private-Lines:")?;
        let public = Self::blob(text, b"Public-Lines:").unwrap_or_default();
        let is_encrypted = !encryption.is_empty() && !encryption.starts_with(b"none");
        (!private.is_empty()).then_some(Self { is_encrypted, public, private })
    }

    /// The base64 behind `Name: <number of lines>`: the next line's name would continue it but for the number.
    fn blob(text: &[u8], name: &[u8]) -> Option<Run> {
        let at = value(text, name)?;
        let digits = text.get(at..)?.iter().skip_while(|b| **b == b' ').take_while(|b| b.is_ascii_digit());
        let count = digits.clone().take(4).fold(0, |count, b| count * 10 + usize::from(b - b'0'));
        let from = at + text.get(at..)?.iter().take_while(|b| **b == b' ').count() + digits.count();
        Some(Run::read(text, from).keep_lines(count))
    }
}

/// Where the value of a named line begins.
fn value(text: &[u8], name: &[u8]) -> Option<usize> {
    memmem::find(text, name).map(|at| at + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{WIDTHS, embed, hit, hits, lines, rsa_key, ssh_key, ssh_rsa, text_of};
    use crate::finding::Evidence;
    use crate::keys::testing::noise;
    use ssh_key::PrivateKey;
    use ssh_key::private::KeypairData;

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
    }

    /// PuTTY's private blob of a key.
    fn private_blob(key: &PrivateKey) -> Vec<u8> {
        match key.key_data() {
            KeypairData::Rsa(pair) => {
                let key = pair.private();
                [key.d(), key.p(), key.q(), key.iqmp()].map(|n| string(n.as_bytes())).concat()
            }
            KeypairData::Ecdsa(pair) => string(&[&[0], pair.private_key_bytes()].concat()),
            KeypairData::Ed25519(pair) => string(&pair.private.to_bytes()),
            _ => panic!("a kind that is tested"),
        }
    }

    fn file(version: u8, key: &PrivateKey, encryption: &str, gap: &str) -> (String, String) {
        let (public, private) = (key.public_key().to_bytes().unwrap(), private_blob(key));
        let count = |bytes: &[u8]| bytes.len().div_ceil(48);
        let body = lines(&private, 64, gap);
        let kdf = if version == 3 && encryption != "none" {
            format!(
                "Key-Derivation: Argon2id{gap}Argon2-Memory: 8192{gap}Argon2-Passes: 13{gap}Argon2-Salt: 00112233{gap}"
            )
        } else {
            String::new()
        };
        let text = format!(
            "PuTTY-User-Key-File-{version}: {}{gap}Encryption: {encryption}{gap}Comment: some words{gap}Public-Lines: {}{gap}\
             {}{gap}{kdf}Private-Lines: {}{gap}{body}{gap}Private-MAC: 0123456789abcdef{gap}",
            key.algorithm().as_str(),
            count(&public),
            lines(&public, 64, gap),
            count(&private),
        );
        (text, body)
    }

    fn keys() -> [(PrivateKey, &'static str); 3] {
        let rsa = ssh_rsa(&rsa_key(1, 1024));
        [(ssh_key(2, false), "ec-private-key"), (ssh_key(3, true), "ed25519-private-key"), (rsa, "rsa-private-key")]
    }

    #[test]
    fn files_of_both_versions_are_proven() {
        for (key, rule) in keys() {
            for version in [2, 3] {
                for gap in ["\n", "\r\n", "\\r\\n"] {
                    for width in WIDTHS {
                        let (text, body) = file(version, &key, "none", gap);
                        let bytes = embed(&text, width, true);
                        let hit = hit(&Putty, &bytes);
                        assert_eq!((hit.rule.as_str(), hit.evidence), (rule, Evidence::Proven));
                        assert_eq!(hit.form, Form::whole(Layout::Putty, width));
                        assert_eq!(text_of(&bytes, &hit), body);
                        let openssh = ssh::private_key(&key.to_bytes().unwrap()).unwrap();
                        assert_eq!(hit.secret.identity(), openssh.key.secret.identity());
                    }
                }
            }
        }
    }

    #[test]
    fn an_encrypted_file_is_told_as_such() {
        for version in [2, 3] {
            let (text, body) = file(version, &ssh_rsa(&rsa_key(1, 1024)), "aes256-cbc", "\n");
            let hit = hit(&Putty, text.as_bytes());
            assert_eq!((hit.rule.as_str(), hit.evidence), ("encrypted-private-key", Evidence::Parsed));
            assert_eq!((hit.public.kind.as_str(), text_of(text.as_bytes(), &hit)), ("RSA-1024", body));
        }
    }

    #[test]
    fn a_cut_file_is_proven_by_what_is_left_or_is_a_fragment() {
        let (text, body) = file(3, &ssh_rsa(&rsa_key(1, 2048)), "none", "\n");
        let start = text.find(&body).unwrap();
        // d, p and q are there; the inverse is not needed.
        let cut = hit(&Putty, &text.as_bytes()[..start + body.len() - 150]);
        assert_eq!((cut.rule.as_str(), cut.evidence), ("rsa-private-key", Evidence::Proven));
        let cut = hit(&Putty, &text.as_bytes()[..start + 300]);
        assert_eq!((cut.rule.as_str(), cut.evidence), ("private-key-fragment", Evidence::Matched));
        assert_eq!((cut.form.piece, cut.range), (Piece::Fragment, start..start + 300));
    }

    #[test]
    fn constants_and_other_peoples_blobs_are_no_keys() {
        let (text, body) = file(3, &ssh_rsa(&rsa_key(1, 1024)), "none", "\n");
        let head = text.split(&body).next().unwrap();
        for text in [
            "PuTTY-User-Key-File-2: \0PuTTY-User-Key-File-3: \0Private-Lines: \0Encryption: \0",
            "PuTTY-User-Key-File-3: %s\nEncryption: %s\nPublic-Lines: %d\n",
            "PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 99999999999999999999999\n",
            &format!("PuTTY-User-Key-File-3: ssh-rsa\n{}", &text[..0]),
            head,
            &head.repeat(500),
        ] {
            assert!(hits(&Putty, text.as_bytes()).is_empty());
        }
        let noise = lines(&noise(96, 1), 64, "\n");
        let other = format!("PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 2\n{noise}\n");
        assert_eq!(hit(&Putty, other.as_bytes()).evidence, Evidence::Matched);
    }
}
