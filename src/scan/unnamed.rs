//! Private keys of curves whose public half nothing in the dump names.
//!
//! Who signs by ECDSA or EdDSA multiplies the generator by a number that is used once, and leaves both the number and the point
//! behind: arithmetic cannot tell them from a key pair. Nor can it tell pairs that a connection is encrypted with. What can be seen
//! is whether a certificate, a public key or a structure of a key has the point, so the finding says where none has.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::finding::{Evidence, Finding, Layout, Site};
use crate::hunt::Clue;
use crate::hunt::Clues;
use crate::keys::base_points::Group;
use crate::keys::{ec, edwards, hex};
use crate::scan::sites::Sites;

/// What is said of such a key.
pub const CONTEXT: &str = "nothing in the dump names its public half: a key, or the secret number of one signature, which gives the signing \
                           key away, or a key of one connection";

/// The public keys of curves that structures of the dump hold, by SHA-256 of their SubjectPublicKeyInfo: to be asked before points are
/// looked for that no structure tells of.
#[must_use]
pub fn named(clues: &Clues) -> BTreeSet<String> {
    let spki = |clue: &Clue| match clue {
        Clue::CurvePoint { group: Group::Sec1(curve), public } => ec::spki_sha256(curve.oid(), public),
        Clue::CurvePoint { group: Group::Ed25519, public } => {
            edwards::spki_sha256(edwards::ED25519, public.first_chunk()?)
        }
        Clue::CurvePoint { group: Group::X25519, public } => {
            edwards::spki_sha256(edwards::X25519, public.first_chunk()?)
        }
        Clue::Certificate { spki_sha256, .. } => Some(*spki_sha256),
        _ => None,
    };
    clues.iter().filter_map(spki).map(|spki| hex(&spki)).collect()
}

/// Says of each finding that is such a key that it is one.
///
/// # Errors
/// When sites cannot be read back.
pub fn tell(findings: &mut [Finding], sites: &Sites, named: &BTreeSet<String>) -> Result<()> {
    let is_of_curve = |finding: &Finding| {
        let kind = finding.public.kind.as_str();
        ["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "X25519"].contains(&kind)
    };
    for (at, finding) in findings.iter_mut().enumerate() {
        let spki = finding.public.spki_sha256.as_ref();
        let is_unnamed = spki.is_some_and(|spki| !named.contains(spki)) && finding.evidence == Evidence::Proven;
        if is_unnamed && is_of_curve(finding) && are_bare(sites.of(at))? {
            finding.public.add_context(vec![CONTEXT.to_owned()]);
        }
    }
    Ok(())
}

/// Whether no site is a structure of a key.
fn are_bare(sites: impl Iterator<Item = Result<Site>>) -> Result<bool> {
    for site in sites {
        if site?.form.layout != Layout::Bare {
            return Ok(false);
        }
    }
    Ok(true)
}
