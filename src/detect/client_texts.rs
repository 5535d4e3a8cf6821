//! Texts to which the structures of database clients point that also point to the password: no secret itself, but the clue to one
//! (`hunt::client_logins`).
//!
//! Clients of MySQL and MariaDB keep how they are connected, in words. Those of PostgreSQL keep the first message that they sent to log in by
//! SCRAM, from its user on, who is left out (RFC 5802: `n=,r=` and a nonce), and whether a channel is to be bound (`prefer` where nobody asked).

use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Rule};
use crate::hunt::Clue;
use crate::hunt::client_logins::Client;
use crate::window::Window;

/// The texts, and whose they are. That of PostgreSQL stands at the beginning, others at the end.
const TEXTS: [(&str, Client); 4] = [
    ("n=,r=", Client::PostgreSql),
    ("prefer\0", Client::PostgreSql),
    (" via TCP/IP\0", Client::MySql),
    (" via UNIX socket\0", Client::MySql),
];
/// Letters before the words that say how: the name of a host, which MySQL cuts.
const HOST: usize = 100;

/// Finds such texts.
pub struct ClientTexts;

impl Detector for ClientTexts {
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(TEXTS.iter().map(|(text, _)| Literal::binary(text.as_bytes())).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: HOST + 1, after: 32 }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some((_, client)) = TEXTS.get(candidate.literal) else { return };
        let is_letter = |at: &usize| window.byte(*at).is_some_and(|byte| matches!(byte, b'!'..=b'~'));
        let before = (1..=HOST + 1).map_while(|back| candidate.at.checked_sub(back)).take_while(is_letter).count();
        let begins = match client {
            Client::PostgreSql => before == 0,
            Client::MySql => (1..=HOST).contains(&before),
        };
        let place = window.offset(candidate.at - before).filter(|_| begins);
        out.clues.extend(place.map(|place| Clue::ClientText { place: place.0, client: *client }));
    }

    fn looks_under(&self, _encoding: Encoding) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::candidates;
    use crate::span::Span;

    fn clues(bytes: &[u8]) -> Vec<Clue> {
        let pieces = [Span::new(0, bytes.len() as u64)];
        let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
        let Trigger::Literals(literals) = ClientTexts.trigger() else { return Vec::new() };
        let mut out = Hits::default();
        for candidate in literals.iter().enumerate().flat_map(|(index, literal)| candidates(bytes, index, literal)) {
            ClientTexts.confirm(candidate, &window, &mut out);
        }
        out.clues
    }

    #[test]
    fn whole_texts_are_told_by_where_they_begin() {
        for (text, client) in [
            (&b"n=,r=Fg56PVyS7CVng+ytvhSw5Tjm\0"[..], Client::PostgreSql),
            (b"prefer\0", Client::PostgreSql),
            (b"127.0.0.1 via TCP/IP\0", Client::MySql),
            (b"Localhost via UNIX socket\0", Client::MySql),
        ] {
            assert_eq!(clues(&[b"\0\0\0", text].concat()), [Clue::ClientText { place: 3, client }]);
        }
        for text in [&b"n,,n=,r=Fg56PVyS7CVng\0"[..], b"\0 via TCP/IP\0", b"%-.100s\0via TCP/IP\0", b"db via TCP/IP4\0"]
        {
            assert!(clues(text).is_empty());
        }
    }
}
