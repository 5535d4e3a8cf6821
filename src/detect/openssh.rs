//! Private keys in OpenSSH's own form, `openssh-key-v1`, as bytes or as base64 without its BEGIN line.
//!
//! `ssh-keygen` writes them as PEM, which the PEM detector reads. What stands in memory besides is the decoded form, and
//! the text after a program took its first line off.

use super::base64_run::Run;
use super::pem::{fragment_of, fragment_rule, is_body_of_begin};
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Encoding, Form, Layout, Piece, Rule};
use crate::keys::{asn1, ssh};
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
        let mut rules = asn1::rules();
        rules.extend(ssh::rules());
        rules.push(fragment_rule());
        rules
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![
            Literal::binary(ssh::MAGIC),
            Literal { bytes: BASE64_MAGIC.to_vec(), wide: true },
        ])
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
    let run = Run::read(view.letters(), at);
    let closed = view.letters().get(run.end()..).is_some_and(|rest| rest.starts_with(b"-----END"));
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
