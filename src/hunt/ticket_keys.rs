//! The keys that a TLS server seals session tickets with: whoever has them opens every connection that was resumed by a ticket,
//! and in TLS 1.2 every one that was given one.
//!
//! OpenSSL makes two for each `SSL_CTX`, and keeps them in a piece of memory of their own, 32 bytes for HMAC and 32 for AES. The
//! clue is a pointer to them (see `detect::ticket_keys`).
//!
//! nginx, where it reads them from a file, keeps an array of the bytes of that file with their number before them
//! (`ngx_ssl_session_ticket_key_t` in src/event/ngx_event_openssl.h, up to 1.23.1: `size_t size; u_char name[16]; u_char hmac_key[32];
//! u_char aes_key[32]`) or behind them (from 1.23.2 on: the same without the size, then `time_t expire; unsigned size:8; unsigned shared:1`).
//! Files have 80 bytes (those of 48, with keys for AES-128, are not known here). No more proves them than that nothing else stands so.

use std::ops::Range;

use super::ec_places::Grid;
use super::pointed::Pointed;
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::tls_secrets::{self, TlsSecrets};
use crate::detect::{Detector as _, Far, Hit, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::image::Image;
use crate::keys::fragment::looks_random;
use crate::memory::AddressSpace;
use crate::span::{Address, Span};
use crate::vault::Secret;
use crate::window::Window;

/// Bytes of each of OpenSSL's keys.
const KEY: usize = 32;
/// What the keys are for, in their order.
const NAMES: [&str; 2] = ["TLS ticket HMAC key", "TLS ticket encryption key"];
/// Bytes of the name in a file, and of the file.
const NAME: usize = 16;
const FILE: usize = NAME + 2 * KEY;
/// Seconds since 1970 up to which keys may be good, where a time is told: from 2001 on.
const TIMES: Range<u64> = 1_000_000_000..1 << 33;

/// Hunts for keys of session tickets.
pub struct TicketKeys;

impl Hunter for TicketKeys {
    fn rules(&self) -> Vec<Rule> {
        TlsSecrets.rules()
    }

    fn needs(&self, clues: &Clues) -> bool {
        pointers(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Prepared(Pointed::new(pointers(clues).map(|pointer| (pointer.0, pointer)))))
    }
}

/// Where keys stand, and whether a connection was accepted with them.
type Pointer = (Address, bool);

fn pointers(clues: &Clues) -> impl Iterator<Item = Pointer> + '_ {
    clues.iter().filter_map(|clue| match *clue {
        Clue::TicketKeys { keys, in_use } => Some((keys, in_use)),
        _ => None,
    })
}

struct Prepared(Pointed<Pointer>);

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.0.each(shown, |pointer, at| follow(pointer, shown.memory, shown.image, at, out));
    }
}

fn follow((address, in_use): Pointer, memory: &AddressSpace, image: &Image, at: usize, out: &mut Hits) {
    let read = |i: usize| read(memory, image, Address(address.0.saturating_add((KEY * i) as u64)));
    let (Some(first), Some(second)) = (read(0), read(1)) else { return };
    if !looks_random(&first.0) || !looks_random(&second.0) || first.0 == second.0 {
        return;
    }
    for ((key, spans), name) in [first, second].into_iter().zip(NAMES) {
        let mut hit = hit(name, Evidence::Parsed, &key, at..at + 1);
        if !in_use {
            hit.severity = Some(Severity::Info);
            hit.public.add_context(vec!["of a context that accepted no connection".to_owned()]);
        }
        out.far.push(Far { hit, spans });
    }
}

/// A key at an address and where it stands in the file, if memory has all of it.
fn read(memory: &AddressSpace, image: &Image, address: Address) -> Option<(Vec<u8>, Vec<Span>)> {
    let spans = memory.spans_from(address, KEY as u64);
    let mut bytes = vec![0; KEY];
    let got = memory.read(image, address, &mut bytes).ok()?;
    (got == KEY && spans.iter().map(|span| span.len).sum::<u64>() == KEY as u64).then_some((bytes, spans))
}

/// The keys in the owned part of the window that nginx read from files.
#[must_use]
pub fn of_files(window: &Window<'_>, grids: &[Grid]) -> Vec<Hit> {
    let owned = window.owned();
    let runs = grids.iter().flat_map(|grid| &grid.runs).map(|run| run.range.clone());
    let runs = runs.filter(|run| run.len() == FILE && owned.contains(&run.start));
    runs.filter_map(|run| of_file(window, &run)).flatten().collect()
}

fn of_file(window: &Window<'_>, run: &Range<usize>) -> Option<[Hit; 2]> {
    let word = |at: usize| window.slice(at..at + 8).first_chunk().map(|word| u64::from_le_bytes(*word));
    let before = run.start.checked_sub(8).and_then(word) == Some(FILE as u64);
    let time = word(run.end).is_some_and(|time| time == 0 || TIMES.contains(&time));
    let size = word(run.end + 8).is_some_and(|size| size as u32 & !0x100 == FILE as u32);
    let fits = (before || time && size) && varies(window.slice(run.clone()));
    let key = |i: usize| run.start + NAME + KEY * i..run.start + NAME + KEY * (i + 1);
    let hit = |name, at: Range<usize>| hit(name, Evidence::Matched, window.slice(at.clone()), at);
    let [mac, cipher] = NAMES;
    fits.then(|| [hit(mac, key(0)), hit(cipher, key(1))])
}

/// Whether the bytes of a file vary as random ones do: 69 of 80 are different on average, and fewer than 60 once in 500 times.
/// Tables that a compiler made have half of that, or count up.
fn varies(file: &[u8]) -> bool {
    let counts = file.iter().zip(file.iter().skip(1)).filter(|(a, b)| a.wrapping_add(1) == **b).count();
    file.iter().collect::<std::collections::BTreeSet<_>>().len() >= 60 && looks_random(file) && counts < file.len() / 4
}

fn hit(kind: &str, evidence: Evidence, key: &[u8], range: Range<usize>) -> Hit {
    Hit {
        rule: tls_secrets::RULE.to_owned(),
        severity: None,
        evidence,
        public: PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() },
        secret: Secret::bytes(key),
        range,
        form: Form { layout: Layout::Bare, encoding: Encoding::Plain, piece: Piece::Whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Label, Region};
    use crate::hunt::ec_places;
    use crate::keys::testing::noise;

    /// What is found at an address in memory that begins with `bytes`, window after window of so many bytes.
    fn hunt(bytes: &[u8], address: u64, in_use: bool, window: usize) -> Vec<Far> {
        let span = Span::new(0, bytes.len() as u64);
        let region = Region { span, address: Some(Address(0x5000)), label: Label::Memory, protection: None };
        let (image, memory) = (Image::from_bytes("t", bytes.to_vec()), AddressSpace::new(&[region]));
        let mut clues = Clues::new(10);
        assert!(!TicketKeys.needs(&clues));
        clues.add(Clue::TicketKeys { keys: Address(address), in_use });
        let hunt = TicketKeys.prepare(&clues);
        let mut out = Hits::default();
        for from in (0..bytes.len()).step_by(window) {
            let owned = from..(from + window).min(bytes.len());
            let pieces = [span];
            let window = Window::new(bytes, owned, &pieces, &[]);
            hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
        }
        out.far
    }

    #[test]
    fn a_pointer_leads_to_two_keys() {
        let keys = noise(64, 3);
        let bytes = [&[0; 96][..], &keys, &[0; 100]].concat();
        for window in [4096, 33] {
            for (in_use, severity) in [(true, None), (false, Some(Severity::Info))] {
                let found = hunt(&bytes, 0x5060, in_use, window);
                let places: Vec<_> = found.iter().map(|far| far.spans.clone()).collect();
                assert_eq!(places, [vec![Span::new(96, 32)], vec![Span::new(128, 32)]]);
                assert!(found.iter().all(|far| far.hit.severity == severity));
                assert_eq!(found[1].hit.secret.identity(), Secret::bytes(&keys[32..]).identity());
            }
        }
        assert!(hunt(&bytes, 0x5040, true, 4096).is_empty() && hunt(&bytes, 0x9000, true, 4096).is_empty());
        assert!(hunt(&bytes[..150], 0x5060, true, 4096).is_empty());
    }

    fn files(bytes: &[u8]) -> Vec<Range<usize>> {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
        let mut found: Vec<Range<usize>> =
            of_files(&window, &ec_places::grids(&window, &memory)).into_iter().map(|hit| hit.range).collect();
        found.dedup();
        found
    }

    #[test]
    fn the_bytes_of_a_file_are_known_by_their_number() {
        let file = noise(FILE, 4);
        let (number, shared) = ((FILE as u64).to_le_bytes(), (0x100 | FILE as u64).to_le_bytes());
        let places = |at: usize| [at + NAME..at + NAME + KEY, at + NAME + KEY..at + FILE];
        assert_eq!(files(&[&[0; 200][..], &number, &file, &[0; 200]].concat()), places(208));
        for (time, number) in [(0_u64, number), (1_790_000_000, shared)] {
            let newer = [&[0; 200][..], &file, &time.to_le_bytes(), &number, &[0; 200]].concat();
            assert_eq!(files(&newer), places(200));
        }
        assert!(files(&[&[0; 200][..], &file, &[0; 200]].concat()).is_empty());
        let plain: Vec<u8> = file.iter().map(|byte| byte & 0x9f | 0x80).collect();
        let counting: Vec<u8> = (0..FILE as u8).map(|byte| byte.wrapping_add(250)).collect();
        for table in [plain, counting] {
            assert!(files(&[&[0; 200][..], &number, &table, &[0; 200]].concat()).is_empty());
        }
    }
}
