//! PuTTY's key files, `PuTTY-User-Key-File-2` and `-3`, in full or cut.
//!
//! A file is lines of `Name: value`, and two blobs of base64 whose number of lines is said before them. The private one is
//! what has to go; where it is not encrypted its numbers prove the key together with the public blob, and no
//! authentication code is needed for that. Source: the appendix "PPK file format" of PuTTY's manual.

use memchr::memmem;

use super::base64_run::Run;
use super::pem::{fragment_of, fragment_rule};
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Form, Layout, Piece, Rule};
use crate::keys::{asn1, ssh};
use crate::window::Window;

/// Letters of a file with an RSA-16384 key: 2,750 of public blob, 11,000 of private one.
const REACH: usize = 15_000;

/// Finds PuTTY's private keys.
pub struct Putty;

impl Detector for Putty {
    fn rules(&self) -> Vec<Rule> {
        let mut rules = asn1::rules();
        rules.extend(ssh::rules());
        rules.push(fragment_rule());
        rules
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
