//! Messages of NTLM with which a client answers a challenge. The password, or its hash, can be guessed from one at leisure.
//!
//! Source of the layout: MS-NLMP, section 2.2.1.3 (`AUTHENTICATE_MESSAGE`) and 2.2.2.8 (`NTLMv2_CLIENT_CHALLENGE`).

use std::ops::Range;

use super::structure::{Fields, site_of};
use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::keys::FoundKey;
use crate::vault::Secret;
use crate::window::Window;

/// Signature and type of the third message, the only one that answers.
const ANSWER: &[u8] = b"NTLMSSP\0\x03\0\0\0";
/// The rule of what this detector finds.
const RULE: &str = "ntlm-response";
/// Bytes of the longest message that is read: names of hosts and users, and the names that the server sent.
const LONGEST: usize = 4096;
/// Bytes of the fixed part of the message, without version and MIC, which old clients leave out.
const FIXED: usize = 64;
/// Bytes of an answer of the first version, and the least of one of the second.
const FIRST_VERSION: usize = 24;
/// The HMAC that a second answer begins with.
const PROOF: usize = 16;

/// Finds answers of NTLM.
pub struct Ntlm;

impl Detector for Ntlm {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "NTLM response",
            Severity::Low,
            "The answer of a client to a challenge of NTLM. Together with the challenge it lets anybody guess the password.",
            "Change the password of the account if it is a weak one.",
        )]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(ANSWER)])
    }

    fn reach(&self) -> Reach {
        Reach { before: 0, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let at = candidate.at;
        let bytes = window.slice(at..at.saturating_add(LONGEST));
        let Some((response, version)) = response(bytes) else { return };
        let Some(answer) = bytes.get(response.clone()) else { return };
        let public = PublicIdentity { kind: format!("NTLMv{version}"), ..PublicIdentity::default() };
        let secret = Secret::bytes(answer);
        let key = FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret };
        let place = at + response.start..at + response.end;
        let site = site_of(window, at..place.end, place);
        out.hits.push(key.at(site, Form::whole(Layout::Ntlm, Encoding::Plain)));
    }
}

/// Where the answer stands in a message, and of which version of the protocol it is.
fn response(bytes: &[u8]) -> Option<(Range<usize>, u8)> {
    let mut fields = Fields::new(bytes);
    fields.take(ANSWER.len()).filter(|head| *head == ANSWER)?;
    // The answer of LAN Manager, which stands before it, in the same three fields: length, room, offset.
    fields.take(8)?;
    let lengths = fields.u32()?;
    let (len, room) = ((lengths & 0xffff) as usize, (lengths >> 16) as usize);
    let start = fields.size()?;
    let range = start..start.checked_add(len)?;
    let answer = bytes.get(range.clone()).filter(|_| room >= len && start >= FIXED)?;
    let is_second = answer.get(PROOF..PROOF + 2) == Some(&[1, 1]) && len > FIRST_VERSION + PROOF;
    let is_noise = answer.iter().any(|b| *b != 0);
    match (len, is_second) {
        (_, true) => Some((range, 2)),
        (FIRST_VERSION, false) if is_noise => Some((range, 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits};
    use crate::keys::testing::noise;

    /// A message with this answer, as MS-NLMP lays it out: six fields of length, room and offset, flags, then the bytes.
    fn message(answer: &[u8]) -> Vec<u8> {
        let user: Vec<u8> = "alice".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let parts: [&[u8]; 6] = [&[0; 24], answer, b"", &user, b"", b""];
        let mut message = ANSWER.to_vec();
        let mut offset = 64_u32;
        for part in parts {
            let len = (part.len() as u16).to_le_bytes();
            message.extend([&len[..], &len, &offset.to_le_bytes()].concat());
            offset += part.len() as u32;
        }
        message.extend(0x8201_u32.to_le_bytes());
        parts.iter().for_each(|part| message.extend_from_slice(part));
        message
    }

    fn second(seed: u64) -> Vec<u8> {
        let names = noise(60, seed + 1);
        [&noise(16, seed)[..], &[1, 1, 0, 0, 0, 0, 0, 0], &noise(16, seed + 2), &[0; 4], &names].concat()
    }

    #[test]
    fn answers_of_both_versions_are_found_where_they_stand() {
        for (answer, kind) in [(second(1), "NTLMv2"), (noise(24, 9), "NTLMv1")] {
            let bytes = [&[7; 30][..], &message(&answer), &[0; 40]].concat();
            let hit = hit(&Ntlm, &bytes);
            assert_eq!(hit.public.kind, kind);
            assert_eq!(&bytes[hit.range.clone()], &answer[..]);
        }
    }

    #[test]
    fn what_is_cut_or_none_is_passed_over() {
        let whole = message(&second(3));
        for end in 0..whole.len() - 10 {
            assert!(hits(&Ntlm, &whole[..end]).is_empty() || end >= 64 + 24 + second(3).len(), "{end}");
        }
        assert!(hits(&Ntlm, &message(&[0; 24])).is_empty(), "an empty answer: nobody's");
        let mut far = message(&second(4));
        far[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(hits(&Ntlm, &far).is_empty());
    }
}
