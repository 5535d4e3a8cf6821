//! Private keys in PEM text, whole or in part, at any width, however their line breaks are spelled.
//!
//! The words "PRIVATE KEY" lead to one of the two lines around a body. A BEGIN line reads the body behind it; only base64
//! letters and separators continue a body, so a header constant in a library, which stands before a NUL or another
//! constant, has none and is no finding. An END line reads the body before it, and reports it only where no BEGIN line
//! does: memory often keeps the tail of a key whose head was overwritten by the allocator. What was cut is searched for
//! numbers that still prove the key; failing that, it is a fragment.

mod block;

use std::ops::Range;

use super::base64_run::Run;
use super::{Candidate, Detector, Hits, Literal, Reach, TextView, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::keys::{FoundKey, asn1, fragment, ssh};
use crate::vault::Secret;
use crate::window::Window;

pub use block::is_body_of_begin;

use block::Block;

/// The rule of bodies that prove nothing and parse as nothing.
pub const FRAGMENT: &str = "private-key-fragment";

/// How the space in the trigger is written: as it is, and in the two ways of forms and URLs.
const TRIGGERS: [&str; 3] = ["PRIVATE KEY-----", "PRIVATE+KEY-----", "PRIVATE%20KEY-----"];
/// Letters that may stand between a trigger and the other end of its block. The longest key that is known to be in use,
/// RSA-16384, takes 12,700 with line breaks, 13,700 with breaks like `\u000a`; in UTF-16 that is 27 KB.
const REACH: usize = 16_000;
/// Letters that are looked at first. Most blocks fit, and a view grows with its body: what it costs stays in proportion.
const FIRST_LOOK: usize = 2_000;
/// Bytes that a fragment must have to be worth a finding: less than an Ed25519 seed is of no use to anyone.
const FRAGMENT_BYTES: usize = 32;

/// Finds private keys in PEM text.
pub struct Pem;

impl Detector for Pem {
    fn rules(&self) -> Vec<Rule> {
        key_rules()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(TRIGGERS.map(Literal::text).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: REACH, after: REACH }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let mut look = FIRST_LOOK;
        while look < REACH && block_is_cut(candidate, window, look) {
            look *= 3;
        }
        let view = TextView::around(window, candidate, look.min(REACH), look.min(REACH));
        if let Some(block) = Block::at(view.letters(), view.letter_at(candidate.at))
            && let Some((key, range, form)) = read(block)
        {
            let form = Form { encoding: view.encoding(), ..form };
            out.hits.push(key.at(view.bytes_of(range), form));
        }
    }
}

/// The rules of every detector that reads keys from text or from OpenSSH's form: what a key can turn out to be, or a fragment.
pub fn key_rules() -> Vec<Rule> {
    let mut rules = asn1::rules();
    rules.extend(ssh::rules());
    rules.push(fragment_rule());
    rules
}

/// The rule of what is left of a key.
#[must_use]
fn fragment_rule() -> Rule {
    Rule::new(
        FRAGMENT,
        "Part of a private key",
        Severity::High,
        "Text of a private key of which a part is gone, or whose kind is not known. What is left may be enough to rebuild it.",
        "Find out which key it was and replace it; treat it as leaked.",
    )
}

/// What `run`, a part of a key's text whose ends are not certain, is: a fragment, unless it is too short or no key at all.
#[must_use]
pub fn fragment_of(run: &Run, bytes: &[u8]) -> Option<FoundKey> {
    let worth = bytes.len() >= FRAGMENT_BYTES && looks_random(run.letters()) && !looks_like_text(bytes);
    worth.then(|| FoundKey {
        rule: FRAGMENT,
        evidence: Evidence::Matched,
        severity: None,
        public: PublicIdentity::default(),
        secret: Secret::bytes(bytes),
    })
}

/// Whether a view of `look` letters to each side ends before the block at the candidate does.
fn block_is_cut(candidate: Candidate, window: &Window<'_>, look: usize) -> bool {
    let view = TextView::around(window, candidate, look, look);
    Block::reaches_edge(view.letters(), view.letter_at(candidate.at))
}

fn read(block: Block) -> Option<(FoundKey, Range<usize>, Form)> {
    let whole = Form::whole(Layout::Pem, Encoding::Plain);
    let partly = Form { layout: Layout::PemFragment, ..whole };
    let bytes = if block.has_head { block.run.decode() } else { block.run.decode_from_end() };
    let range = block.run.range();
    let parsed = if block.is_openssh { ssh::private_key(&bytes) } else { asn1::private_key(&bytes) };
    if let Some(parsed) = parsed {
        return Some((parsed.key, range, if block.is_closed { whole } else { partly }));
    }
    if block.is_encrypted {
        fragment_of(&block.run, &bytes)?;
        let (evidence, form) = match block.is_closed {
            true => (Evidence::Parsed, whole),
            false => (Evidence::Matched, Form { piece: Piece::Fragment, ..partly }),
        };
        return Some((FoundKey { evidence, ..ssh::encrypted(&bytes, None) }, range, form));
    }
    let recovered = if block.is_openssh { ssh::recover(&bytes).map(|(key, _)| key) } else { recover(&bytes) };
    let key = recovered.or_else(|| fragment_of(&block.run, &bytes))?;
    // A closed block that is not read is of a kind that is not known, or damaged inside.
    let form = if block.is_closed { whole } else { partly };
    Some((key, range, Form { piece: Piece::Fragment, ..form }))
}

/// The key that a chain of INTEGERs in cut DER proves.
fn recover(der: &[u8]) -> Option<FoundKey> {
    let mut at = 0;
    while at < der.len() {
        match fragment::chain(der, at) {
            Some(chain) => {
                let found = fragment::found(&chain, der).filter(|key| key.evidence == Evidence::Proven);
                if found.is_some() {
                    return found;
                }
                at = chain.range().end.max(at + 1);
            }
            None => at += 1,
        }
    }
    None
}

/// Whether letters could be the base64 of a key: those of 32 random bytes hold 17 capitals, 17 small letters and 9 others.
fn looks_random(letters: &[u8]) -> bool {
    let capitals = letters.iter().filter(|b| b.is_ascii_uppercase()).count();
    let small = letters.iter().filter(|b| b.is_ascii_lowercase()).count();
    let others = letters.len() - capitals - small;
    capitals * 8 >= letters.len() && small * 8 >= letters.len() && others * 32 >= letters.len()
}

fn looks_like_text(bytes: &[u8]) -> bool {
    bytes.iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()).count() * 8 > bytes.len() * 7
}

#[cfg(test)]
mod tests;
