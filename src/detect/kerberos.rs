//! What Kerberos leaves in memory: keytabs, ticket caches, and the messages that carry tickets.
//!
//! Sources: MIT Kerberos, "Keytab file format" and "Credential cache file format"; RFC 4120, sections 5.5.1 (`AP-REQ`) and
//! 5.8.1 (`KRB-CRED`); RFC 3961, 3962, 4757, 8009 (how long keys are).

use std::ops::Range;

use super::structure::site_of;
use super::{Candidate, Detector, Hit, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::keys::FoundKey;
use crate::vault::Secret;
use crate::window::Window;

/// A keytab of version 2, whose first entry is shorter than 256 bytes.
const KEYTAB: &[u8] = &[5, 2, 0, 0, 0];
/// A ticket cache of version 4 with the one header that there is, the difference of clocks.
const CACHE: &[u8] = &[5, 4, 0, 12, 0, 1, 0, 8];
/// `pvno` 5 and `msg-type` 14 and 22, each behind its tag.
const REQUEST: &[u8] = &[0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 14];
const CREDENTIAL: &[u8] = &[0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 22];

const KEYTAB_KEY: &str = "kerberos-keytab-key";
const SESSION_KEY: &str = "kerberos-session-key";
const MESSAGE: &str = "kerberos-credential";
const TICKET: &str = "kerberos-ticket";

/// Bytes of a file or a message that are read.
const LONGEST: usize = 16_000;
/// Entries of one file.
const MOST: usize = 64;
/// Parts of one name, and bytes of one.
const PARTS: u32 = 8;
const NAME: usize = 512;

/// Finds keys and tickets of Kerberos.
pub struct Kerberos;

impl Detector for Kerberos {
    fn rules(&self) -> Vec<Rule> {
        let again = "Make new keys for the account (its password, or ktadd), which makes these worth nothing.";
        let ends = "End the session (kdestroy); change the password of the account if the ticket may have been taken.";
        vec![
            Rule::new(
                KEYTAB_KEY,
                "Kerberos key of a keytab",
                Severity::Critical,
                "The long-term key of a service or a user, as good as the password.",
                again,
            ),
            Rule::new(
                SESSION_KEY,
                "Kerberos session key",
                Severity::High,
                "The key of a ticket in a ticket cache. With the ticket it acts as the user until both expire.",
                ends,
            ),
            Rule::new(
                MESSAGE,
                "Kerberos credential (KRB-CRED)",
                Severity::High,
                "Tickets with their keys, as forwarded to another machine or kept in a .kirbi file.",
                ends,
            ),
            Rule::new(
                TICKET,
                "Kerberos ticket (AP-REQ)",
                Severity::Low,
                "What a client shows to a service. It can be shown again for some minutes, and a weak password of the service can be guessed from it.",
                ends,
            ),
        ]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals([KEYTAB, CACHE, REQUEST, CREDENTIAL].map(Literal::binary).to_vec())
    }

    fn reach(&self) -> Reach {
        Reach { before: 12, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let at = candidate.at;
        let bytes = window.slice(at..at.saturating_add(LONGEST));
        let keys = match candidate.literal {
            0 => keytab(bytes),
            1 => cache(bytes),
            literal => {
                let (tag, rule) = if literal == 2 { (0x6e, TICKET) } else { (0x76, MESSAGE) };
                return out.hits.extend(
                    message(window, at, tag).and_then(|range| told(window, rule, range.clone(), range, String::new())),
                );
            }
        };
        let (rule, keys) = keys;
        let here = |range: Range<usize>| at + range.start..at + range.end;
        out.hits.extend(keys.into_iter().filter_map(|(name, key)| {
            let key = here(key);
            told(window, rule, at..key.end, key, name)
        }));
    }
}

fn told(window: &Window<'_>, rule: &'static str, whole: Range<usize>, part: Range<usize>, name: String) -> Option<Hit> {
    let secret = window.slice(part.clone());
    let is_noise = secret.iter().any(|b| Some(b) != secret.first());
    let public = PublicIdentity {
        context: Some(name).filter(|n| !n.is_empty()).into_iter().collect(),
        ..PublicIdentity::default()
    };
    let key = FoundKey { rule, evidence: Evidence::Parsed, severity: None, public, secret: Secret::bytes(secret) };
    is_noise.then(|| key.at(site_of(window, whole, part), Form::whole(Layout::Kerberos, Encoding::Plain)))
}

type Keys = (&'static str, Vec<(String, Range<usize>)>);

/// The keys of a keytab, each with the name that it is of.
fn keytab(bytes: &[u8]) -> Keys {
    let (mut keys, mut reader) = (Vec::new(), Reader { bytes, at: 2 });
    while keys.len() < MOST {
        let Some(size) = reader.u32().map(|size| size as i32) else { break };
        let Some(end) = usize::try_from(size.unsigned_abs()).ok().and_then(|size| reader.at.checked_add(size)) else {
            break;
        };
        // An entry that was deleted has a negative size: a hole.
        let key = if size > 0 { entry(&mut reader).filter(|(_, key)| key.end <= end) } else { None };
        if size == 0 || (size > 0 && key.is_none()) {
            break;
        }
        keys.extend(key);
        reader.at = end;
    }
    (KEYTAB_KEY, keys)
}

fn entry(reader: &mut Reader<'_>) -> Option<(String, Range<usize>)> {
    let parts = u32::from(reader.u16()?);
    let realm = reader.name(2)?;
    let mut names = Vec::new();
    for _ in 0..parts.min(PARTS + 1) {
        names.push(reader.name(2)?);
    }
    // The kind of the name, the time, the version of the key.
    reader.take(9)?;
    let kind = reader.u16()?;
    let len = usize::from(reader.u16()?);
    let key = reader.take(len)?;
    let fits = (1..=PARTS).contains(&parts) && is_key(kind, len);
    fits.then(|| (format!("{}@{realm}", names.join("/")), key))
}

/// The session keys of a ticket cache, each with the service that it is for.
fn cache(bytes: &[u8]) -> Keys {
    let mut keys = Vec::new();
    let mut reader = Reader { bytes, at: CACHE.len() + 8 };
    if reader.principal().is_some() {
        while let Some((name, key)) = credential(&mut reader).filter(|_| keys.len() < MOST) {
            // Settings are kept as tickets of a realm that does not exist, without a key.
            if !key.is_empty() {
                keys.push((name, key));
            }
        }
    }
    (SESSION_KEY, keys)
}

fn credential(reader: &mut Reader<'_>) -> Option<(String, Range<usize>)> {
    reader.principal()?;
    let server = reader.principal()?;
    let kind = reader.u16()?;
    let key = reader.data()?;
    // Four times, whether it is a key between users, the ticket's flags.
    reader.take(16 + 1 + 4)?;
    for _ in 0..2 {
        // Addresses, and data of authorization.
        for _ in 0..reader.u32().filter(|count| *count <= 64)? {
            reader.take(2)?;
            reader.data()?;
        }
    }
    // The ticket, and a second one.
    reader.data()?;
    reader.data()?;
    (key.is_empty() || is_key(kind, key.len())).then_some((server, key))
}

/// Whether keys of the kind are so long.
fn is_key(kind: u16, len: usize) -> bool {
    matches!((kind, len), (1..=3, 8) | (16, 24) | (17 | 19 | 23 | 24 | 25, 16) | (18 | 20 | 26, 32))
}

/// What stands behind version and type of a message, to its end: both headers before them say how long it is.
fn message(window: &Window<'_>, at: usize, tag: u8) -> Option<Range<usize>> {
    let before = |bytes: usize| at.checked_sub(bytes).map(|from| window.slice(from..at)).unwrap_or_default();
    let two = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
    let len = match (before(8), before(6), before(4)) {
        ([outer, 0x82, a, b, 0x30, 0x82, c, d], ..) if *outer == tag && two(*a, *b) == two(*c, *d) + 4 => two(*c, *d),
        (_, [outer, 0x81, a, 0x30, 0x81, b], _) if *outer == tag && usize::from(*a) == usize::from(*b) + 3 => {
            usize::from(*b)
        }
        (.., [outer, a, 0x30, b]) if *outer == tag && *a < 128 && *a == b.saturating_add(2) => usize::from(*b),
        _ => return None,
    };
    let end = at.checked_add(len)?;
    (len > REQUEST.len() + 16 && len <= LONGEST && window.byte(end - 1).is_some()).then_some(at + REQUEST.len()..end)
}

/// Numbers and texts, most significant byte first.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Option<Range<usize>> {
        let range = self.at..self.at.checked_add(len)?;
        self.bytes.get(range.clone())?;
        self.at = range.end;
        Some(range)
    }

    fn u16(&mut self) -> Option<u16> {
        let range = self.take(2)?;
        Some(u16::from_be_bytes(self.bytes.get(range)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        let range = self.take(4)?;
        Some(u32::from_be_bytes(self.bytes.get(range)?.try_into().ok()?))
    }

    fn data(&mut self) -> Option<Range<usize>> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.take(len)
    }

    /// A name that prints, behind its length in two bytes or four.
    fn name(&mut self, width: usize) -> Option<String> {
        let len = if width == 2 { usize::from(self.u16()?) } else { usize::try_from(self.u32()?).ok()? };
        let range = self.take(len).filter(|_| len > 0 && len <= NAME)?;
        let text = std::str::from_utf8(self.bytes.get(range)?).ok()?;
        (!text.chars().any(char::is_control)).then(|| text.to_owned())
    }

    fn principal(&mut self) -> Option<String> {
        self.u32()?;
        let parts = self.u32().filter(|parts| (1..=PARTS).contains(parts))?;
        let realm = self.name(4)?;
        let names: Vec<String> = (0..parts).map(|_| self.name(4)).collect::<Option<_>>()?;
        Some(format!("{}@{realm}", names.join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits};
    use crate::keys::testing::noise;

    fn text(width: usize, text: &str) -> Vec<u8> {
        let len = (text.len() as u32).to_be_bytes();
        [&len[4 - width..], text.as_bytes()].concat()
    }

    fn keytab_of(keys: &[(u16, &[u8])]) -> Vec<u8> {
        let mut file = vec![5, 2];
        for (kind, key) in keys {
            let head = [
                &[0, 2][..],
                &text(2, "CORP.EXAMPLE"),
                &text(2, "HTTP"),
                &text(2, "web.corp.example"),
                &[0, 0, 0, 1],
                &[0x65, 0, 0, 0],
                &[3],
            ];
            let entry = [&head.concat()[..], &kind.to_be_bytes(), &(key.len() as u16).to_be_bytes(), key].concat();
            file.extend((entry.len() as u32).to_be_bytes());
            file.extend(entry);
        }
        file
    }

    fn principal(names: &[&str]) -> Vec<u8> {
        let count = (names.len() as u32).to_be_bytes();
        let names: Vec<u8> = names.iter().flat_map(|name| text(4, name)).collect();
        [&[0, 0, 0, 1][..], &count, &text(4, "CORP.EXAMPLE"), &names].concat()
    }

    #[test]
    fn keys_of_a_keytab_and_of_a_ticket_cache_are_told_with_their_names() {
        let (one, two) = (noise(32, 1), noise(16, 2));
        let bytes = [&[1; 9][..], &keytab_of(&[(18, &one), (17, &two)]), &[0; 30]].concat();
        let found = hits(&Kerberos, &bytes);
        let secrets: Vec<&[u8]> = found.iter().map(|hit| &bytes[hit.range.clone()]).collect();
        assert_eq!(secrets, [&one[..], &two]);
        assert_eq!(found[0].public.context, ["HTTP/web.corp.example@CORP.EXAMPLE"]);
        let client = principal(&["alice"]);
        let credential = [
            &client[..],
            &principal(&["krbtgt", "CORP.EXAMPLE"]),
            &[0, 18, 0, 0, 0, 32],
            &one,
            &[7; 21],
            &[0; 8],
            &[0, 0, 0, 5, 1, 2, 3, 4, 5],
            &[0; 4],
        ]
        .concat();
        let cache = [CACHE, &[0xff; 8], &client, &credential, &[0; 9]].concat();
        let found = hit(&Kerberos, &cache);
        assert_eq!((found.rule.as_str(), &cache[found.range.clone()]), (SESSION_KEY, &one[..]));
        for wrong in [
            keytab_of(&[(18, &two)]),
            keytab_of(&[(99, &one)]),
            keytab_of(&[(17, &[0; 16])]),
            keytab_of(&[(18, &one)])[..50].to_vec(),
        ] {
            assert!(hits(&Kerberos, &wrong).is_empty());
        }
    }

    #[test]
    fn messages_are_found_by_their_headers() {
        for (tag, kind, rule) in [(0x6e, REQUEST, TICKET), (0x76, CREDENTIAL, MESSAGE)] {
            let body = [kind, &noise(700, 4)].concat();
            let len = |more: usize| ((body.len() + more) as u16).to_be_bytes();
            let message = [&[tag, 0x82][..], &len(4), &[0x30, 0x82], &len(0), &body].concat();
            let found = hit(&Kerberos, &[&[9; 20][..], &message, &[0; 20]].concat());
            assert_eq!((found.rule.as_str(), found.range), (rule, 20 + 18..20 + message.len()));
            assert!(hits(&Kerberos, &message[..message.len() - 1]).is_empty());
            assert!(hits(&Kerberos, &[&[0x6d][..], &message[1..]].concat()).is_empty());
        }
    }
}
