//! Passwords in the structures of database clients, which keep them to connect anew. Nothing stands beside such a password that says
//! what it is; only the structure that points to it does. A text to which the structure points too is the clue (`detect::client_texts`).
//!
//! MySQL and MariaDB (`MYSQL` in mysql.h of both): pointers to host, user, password, socket, version of the server, and to how the client
//! is connected in words (`127.0.0.1 via TCP/IP`).
//!
//! PostgreSQL (`fe_scram_state` in fe-auth-scram.c): pointers to the password and to the name of the mechanism, from 16 on a word with the
//! hash and the size of its result, the salted password in 32 bytes, which is as good as the password for whoever logs in, and pointers
//! to the nonce and to the first message of the client, which ends with the nonce. It is kept as long as the connection is.
//!
//! Whatever the server asks for, `struct pg_conn` (libpq-int.h, since 13) keeps `char *pgport; [...] char *dbName; char *replication; char
//! *pguser; char *pgpass; char *pgpassfile; char *channel_binding;`, of which the last is mostly `prefer`, the clue. A password that was read
//! from a file is in what `int nconnhost; int whichhost; pg_conn_host *connhost;` points to: `type, host, hostaddr, port, password` of each server.
//!
//! The only proof is that everything fits: all that is pointed to is a text that belongs there. Only processes of 64 bits in
//! little-endian order are known here.
//!
//! Cost: nothing where no such text is in the dump, and else a comparison for each word.

use std::sync::OnceLock;

use super::dense::{LANES, WORD};
use super::object_values::targets::{RANGES, within};
use super::structures::{Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::keys::fragment::looks_random;
use crate::span::FileOffset;
use crate::vault::{Secret, SecretBytes};

/// The rule of these passwords.
const RULE: &str = "database-client-password";
/// Letters of what is pointed to, at most.
const LETTERS: usize = 256;
/// The fewest letters of a secret: copies of fewer would be found everywhere.
const FEWEST: usize = 4;
/// Bytes of a salted password: what SHA-256 makes.
const SALTED: usize = 32;
/// Words from the port to how the channel is bound, and behind that up to the servers.
const PORTS: std::ops::RangeInclusive<usize> = 12..=14;
const SERVERS: std::ops::Range<usize> = 8..120;
/// Words of a server, where in them its port and password are, and how many servers there are at most.
const SERVER: usize = 5;
const SERVER_PORT: usize = 3;
const SERVER_PASSWORD: usize = 4;
const MOST_SERVERS: u64 = 16;
/// What names of mechanisms begin with.
const MECHANISM: &str = "SCRAM-SHA-256";

/// A client of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// Those of MySQL and MariaDB that are written in C, and what is built upon these.
    MySql,
    /// libpq, and what is built upon it.
    PostgreSql,
}

/// Hunts for passwords of database clients.
pub struct ClientLogins;

impl Hunter for ClientLogins {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Password of a database client",
            Severity::High,
            "The password with which a client is logged in at a server of MySQL, MariaDB or PostgreSQL, where the client keeps it, or what \
             SCRAM makes of it, with which anybody can log in, too.",
            "Change the password of the account, and look for its use since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        texts(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Structures { texts: texts(clues).collect(), targets: OnceLock::new(), walk: Walk::default() })
    }
}

/// Where the texts stand in the file, and whose they are.
fn texts(clues: &Clues) -> impl Iterator<Item = (u64, Client)> + '_ {
    clues.iter().filter_map(|clue| match *clue {
        Clue::ClientText { place, client } => Some((place, client)),
        _ => None,
    })
}

struct Structures {
    texts: Vec<(u64, Client)>,
    /// Their addresses, in order.
    targets: OnceLock<Vec<(u64, Client)>>,
    walk: Walk,
}

impl Structures {
    fn targets(&self, shown: &Shown<'_>) -> Vec<(u64, Client)> {
        let places = shown.memory.places();
        let target = |&(place, client): &(u64, Client)| Some((places.address_of(FileOffset(place))?.0, client));
        let mut targets: Vec<(u64, Client)> = self.texts.iter().filter_map(target).collect();
        targets.sort_unstable();
        targets
    }
}

impl Hunt for Structures {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let targets = self.targets.get_or_init(|| self.targets(shown));
        let (Some((first, _)), Some((last, _))) = (targets.first(), targets.last()) else { return };
        let range = [(*first, last - first); RANGES];
        let mask = |block: &[u8; WORD * LANES]| within(block, &range);
        self.walk.each(shown, mask, |place| {
            let structure = Structure(place);
            structure.client(targets).into_iter().for_each(|client| structure.follow(client, out));
        });
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so many structures may be those of database clients that not all could be followed; a password may be missed: the \
                      dump is made to mislead";
        self.walk.is_spent().then(|| reason.to_owned())
    }
}

/// What may be a structure, by the pointer that tells of it.
struct Structure<'a>(&'a Place<'a>);

impl Structure<'_> {
    /// Whose it may be.
    fn client(&self, targets: &[(u64, Client)]) -> Option<Client> {
        let pointer = self.0.before(0)?;
        let at = targets.binary_search_by_key(&pointer, |(address, _)| *address).ok()?;
        targets.get(at).map(|(_, client)| *client)
    }

    fn follow(&self, client: Client, out: &mut Hits) {
        match client {
            Client::MySql => out.far.extend(self.mysql()),
            Client::PostgreSql => {
                let scram = [7, 8].into_iter().find_map(|before| self.scram(before));
                out.far.extend(scram.or_else(|| self.connection()).into_iter().flatten())
            }
        }
    }

    fn mysql(&self) -> Option<Far> {
        let or_none =
            |before| self.0.before(before).filter(|word| *word > 0).map_or(Some(None), |at| self.text(at).map(Some));
        let (_host, user, _socket) = (or_none(5)?, or_none(4)?, or_none(2)?);
        let version = self.text(self.0.before(1)?)?;
        let is_version = version.expose().first().is_some_and(u8::is_ascii_digit) && version.expose().contains(&b'.');
        let context = format!("MySQL, user {}", user.as_ref().map_or("", |user| shown(user)));
        self.password(self.0.before(3)?, context).filter(|_| is_version)
    }

    /// The password and what is made of it, if it stands so many words before.
    fn scram(&self, before: usize) -> Option<Vec<Far>> {
        let mechanism = self.text(self.0.before(before - 1)?)?;
        let (message, nonce) = (self.text(self.0.before(0)?)?, self.text(self.0.before(1)?)?);
        let is_it = mechanism.expose().starts_with(MECHANISM.as_bytes())
            && message.expose().strip_prefix(b"n=,r=") == Some(nonce.expose());
        let password = self.password(self.0.before(before)?, "PostgreSQL".to_owned()).filter(|_| is_it)?;
        let Place { shown, at, .. } = self.0;
        let salted = at - WORD - SALTED..at - WORD;
        let bytes = shown.window.slice(salted.clone());
        let spans = shown.window.spans(salted);
        let context = "what SCRAM makes of a password of PostgreSQL".to_owned();
        let hit = self.hit(Secret::bytes(bytes), context);
        Some([password].into_iter().chain(looks_random(bytes).then_some(Far { hit, spans })).collect())
    }

    /// The passwords of a connection of libpq, if this word says how its channel is bound.
    fn connection(&self) -> Option<Vec<Far>> {
        PORTS.into_iter().find_map(|before| self.port(self.0.before(before)?))?;
        let (_database, user) = (self.text(self.0.before(5)?)?, self.text(self.0.before(3)?)?);
        let context = || format!("PostgreSQL, user {}", shown(&user));
        let own = self.password(self.0.before(2)?, context());
        let servers = SERVERS.into_iter().find_map(|behind| self.servers(behind)).unwrap_or_default();
        let theirs = servers.into_iter().filter_map(|pointer| self.password(pointer, context()));
        Some(own.into_iter().chain(theirs).collect())
    }

    /// Pointers to the passwords of the servers of a connection, if so many words behind it is said how many there are.
    fn servers(&self, behind: usize) -> Option<Vec<u64>> {
        let (numbers, pointer) = (self.0.behind(behind)?, self.0.behind(behind + 1)?);
        let (count, which) = (numbers & 0xffff_ffff, numbers >> 32);
        let is_it = (1..=MOST_SERVERS).contains(&count) && which < count && is_pointer(pointer);
        let bytes = self.0.read(pointer, usize::try_from(count).ok().filter(|_| is_it)? * SERVER * WORD)?;
        let words: Vec<u64> = bytes.expose().as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let servers = words.chunks_exact(SERVER).map(|server| {
            self.port(*server.get(SERVER_PORT)?)?;
            server.get(SERVER_PASSWORD).copied()
        });
        servers.collect()
    }

    /// A port, or one for each server, as text.
    fn port(&self, pointer: u64) -> Option<SecretBytes> {
        let is_port = |text: &SecretBytes| {
            !text.is_empty() && text.expose().iter().all(|letter| letter.is_ascii_digit() || *letter == b',')
        };
        is_pointer(pointer).then(|| self.text(pointer)).flatten().filter(is_port)
    }

    fn password(&self, at: u64, context: String) -> Option<Far> {
        let text = self.text(at).filter(|text| text.len() >= FEWEST)?;
        let spans = self.0.spans(at, text.len());
        Some(Far { hit: self.hit(Secret::text(text.expose()), context), spans })
    }

    fn text(&self, at: u64) -> Option<SecretBytes> {
        self.0.text(at, LETTERS)
    }

    fn hit(&self, secret: Secret, context: String) -> Hit {
        Hit {
            rule: RULE.to_owned(),
            severity: None,
            evidence: Evidence::Parsed,
            public: PublicIdentity { context: vec![context], ..PublicIdentity::default() },
            secret,
            range: self.0.at..self.0.at + WORD,
            form: Form { layout: Layout::Text, encoding: Encoding::Plain, piece: Piece::Whole },
        }
    }
}

fn shown(text: &SecretBytes) -> &str {
    std::str::from_utf8(text.expose()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{self, BASE, hunted};
    use crate::keys::testing::noise;
    use crate::span::Span;

    const PASSWORD: &[u8] = b"vq7-Kzp!4m";

    /// Memory with words at 0x100, and texts each of which ends with a zero.
    fn memory(words: &[u64], texts: &[(usize, &[u8])]) -> Vec<u8> {
        let words = testing::words(words);
        testing::memory(0x1000, &[&[(0x100, &words[..])], texts].concat())
    }

    /// What is found, window after window of so many bytes, where this text stands at 0x800.
    fn found(bytes: &[u8], client: Client, size: usize) -> Vec<Far> {
        hunted(&ClientLogins, Clue::ClientText { place: 0x800, client }, bytes, size).far
    }

    fn mysql(user: u64, version: &[u8]) -> Vec<u8> {
        let words = [BASE + 0x300, user, BASE + 0x400, 0, BASE + 0x500, BASE + 0x800];
        let texts: [(usize, &[u8]); 5] =
            [(0x300, b"db"), (0x340, b"app"), (0x400, PASSWORD), (0x500, version), (0x800, b"db via TCP/IP")];
        memory(&words, &texts)
    }

    #[test]
    fn a_client_of_mysql_gives_its_password_away() {
        for (bytes, context) in
            [(mysql(BASE + 0x340, b"10.11.6-MariaDB"), "MySQL, user app"), (mysql(0, b"8.4.3"), "MySQL, user ")]
        {
            for size in [0x1000, 0x108, 0x40] {
                let far = found(&bytes, Client::MySql, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x400, PASSWORD.len() as u64)][..]));
                assert_eq!(far[0].hit.secret.identity(), Secret::text(PASSWORD).identity());
                assert_eq!(far[0].hit.public.context, [context]);
            }
        }
        assert!(found(&mysql(BASE + 0x340, b"utf8mb4"), Client::MySql, 0x1000).is_empty());
        assert!(found(&mysql(0x99, b"8.4.3"), Client::MySql, 0x1000).is_empty());
    }

    /// A connection of libpq with this port and one server, and the passwords of both.
    fn connection(port: &[u8], own: u64, servers: u64) -> Vec<u8> {
        let mut words = [0; 32];
        for (at, word) in [(0, BASE + 0x300), (2, BASE + 0x340), (9, BASE + 0x380), (11, BASE + 0x3c0), (12, own)] {
            words[at] = word;
        }
        (words[14], words[30], words[31]) = (BASE + 0x800, servers, BASE + 0x600);
        let server = testing::words(&[0, BASE + 0x300, 0, BASE + 0x340, BASE + 0x440]);
        let texts: [(usize, &[u8]); 8] = [
            (0x300, b"db.corp"),
            (0x340, port),
            (0x380, b"crm"),
            (0x3c0, b"app"),
            (0x400, PASSWORD),
            (0x440, b"xk3-Lbq!7n"),
            (0x600, &server),
            (0x800, b"prefer"),
        ];
        memory(&words, &texts)
    }

    #[test]
    fn a_connection_of_libpq_gives_away_its_password_and_those_of_its_servers() {
        for (own, servers, at) in
            [(BASE + 0x400, 1, &[0x400, 0x440][..]), (0, 1, &[0x440]), (BASE + 0x400, 0, &[0x400])]
        {
            let far = found(&connection(b"5432", own, servers), Client::PostgreSql, 0x1000);
            let spans: Vec<Span> = far.iter().flat_map(|far| far.spans.clone()).collect();
            let wanted: Vec<Span> = at.iter().map(|at| Span::new(*at, 10)).collect();
            assert_eq!(spans, wanted);
            assert!(far.iter().all(|far| far.hit.public.context == ["PostgreSQL, user app"]));
        }
        assert!(found(&connection(b"five", BASE + 0x400, 1), Client::PostgreSql, 0x1000).is_empty());
    }

    /// The state of SCRAM as libpq has it, with these words before the salted password.
    fn scram(between: &[u64], salted: &[u8], nonce: &[u8]) -> Vec<u8> {
        let salted = salted.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        let words: Vec<u64> = [3, BASE + 0x200, BASE + 0x400, BASE + 0x500]
            .into_iter()
            .chain(between.iter().copied())
            .chain(salted)
            .chain([BASE + 0x600, BASE + 0x800])
            .collect();
        let texts: [(usize, &[u8]); 4] =
            [(0x400, PASSWORD), (0x500, b"SCRAM-SHA-256"), (0x600, nonce), (0x800, b"n=,r=Fg56PVyS7CVng+yt")];
        memory(&words, &texts)
    }

    #[test]
    fn a_client_of_postgresql_gives_away_its_password_and_what_is_made_of_it() {
        let salted = noise(SALTED, 5);
        for between in [&[][..], &[0x20_0000_0002][..]] {
            for size in [0x1000, 0x148, 0x40] {
                let far = found(&scram(between, &salted, b"Fg56PVyS7CVng+yt"), Client::PostgreSql, size);
                let at = 0x120 + 8 * between.len() as u64;
                let spans: Vec<Span> = far.iter().flat_map(|far| far.spans.clone()).collect();
                assert_eq!(spans, [Span::new(0x400, PASSWORD.len() as u64), Span::new(at, SALTED as u64)]);
                let identities = [Secret::text(PASSWORD).identity(), Secret::bytes(&salted).identity()];
                assert!(far.iter().map(|far| far.hit.secret.identity()).eq(identities));
            }
        }
        let unsalted = found(&scram(&[], &[0; SALTED], b"Fg56PVyS7CVng+yt"), Client::PostgreSql, 0x1000);
        assert_eq!(unsalted.len(), 1, "before the server answered only the password is there");
        assert!(found(&scram(&[], &salted, b"Fg56PVyS7CVng+yy"), Client::PostgreSql, 0x1000).is_empty());
    }
}
