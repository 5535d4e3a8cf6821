//! Private keys of ssh-agent and sshd, which OpenSSH keeps encrypted while they are not in use, with all that is needed to
//! decrypt them close by.
//!
//! The clue is the tail of a `struct sshkey` (see `detect::shielded`). Both of its pointers are followed, wherever the
//! dump keeps what they point to, and the key is decrypted; that the result is a key that its own arithmetic proves rules out
//! every coincidence. Both the encrypted key and the random bytes that it is encrypted under are sites: without either the
//! other is worth nothing.
//!
//! Cost: 16 KiB read and hashed for each pair of pointers, 30 us; of pairs there are no more than clues have room for. Where
//! regions overlap, the first that holds an address is read.

use std::sync::OnceLock;

use super::{Clue, Clues, Hunt, Hunter};
use crate::detect::{Far, Hits};
use crate::finding::{Encoding, Form, Layout, Piece, Rule};
use crate::image::Image;
use crate::keys::shield::{self, PREKEY};
use crate::keys::{FoundKey, asn1, ssh};
use crate::memory::AddressSpace;
use crate::span::{Address, Span};
use crate::window::Window;

/// Hunts for shielded keys of OpenSSH.
pub struct Shielded;

impl Hunter for Shielded {
    fn rules(&self) -> Vec<Rule> {
        asn1::rules().into_iter().chain(ssh::rules()).collect()
    }

    fn needs(&self, clues: &Clues) -> bool {
        pointers(clues).next().is_some()
    }

    fn prepare(&self, clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Prepared { pointers: pointers(clues).collect(), places: OnceLock::new() })
    }
}

/// What a clue points to: the encrypted key and the prekey.
#[derive(Clone, Copy)]
struct Pointers {
    private: Address,
    len: u64,
    prekey: Address,
}

fn pointers(clues: &Clues) -> impl Iterator<Item = Pointers> + '_ {
    clues.iter().filter_map(|clue| match *clue {
        Clue::Shielded { private, len, prekey } => Some(Pointers { private, len, prekey }),
        _ => None,
    })
}

struct Prepared {
    pointers: Vec<Pointers>,
    /// By the place in the file where the prekey begins: the window that owns it does the work, once.
    places: OnceLock<Vec<(u64, Pointers)>>,
}

impl Hunt for Prepared {
    fn hunt(&self, window: &Window<'_>, memory: &AddressSpace, image: &Image, out: &mut Hits) {
        let owned = window.owned();
        let [span] = window.spans(owned.clone())[..] else { return };
        if window.is_stitched() {
            return;
        }
        let places = self.places.get_or_init(|| places(&self.pointers, memory));
        let first = places.partition_point(|(place, _)| *place < span.from());
        for (place, pointers) in places.iter().skip(first).take_while(|(place, _)| *place < span.end()) {
            let at = owned.start + usize::try_from(place - span.from()).unwrap_or(0);
            pointers.follow(memory, image, at, out);
        }
    }
}

fn places(pointers: &[Pointers], memory: &AddressSpace) -> Vec<(u64, Pointers)> {
    let place = |pointers: &Pointers| Some((memory.spans_from(pointers.prekey, 1).first()?.from(), *pointers));
    let mut places: Vec<(u64, Pointers)> = pointers.iter().filter_map(place).collect();
    places.sort_by_key(|(place, pointers)| (*place, pointers.private));
    places
}

impl Pointers {
    fn follow(self, memory: &AddressSpace, image: &Image, at: usize, out: &mut Hits) {
        let prekey = read(memory, image, self.prekey, PREKEY as u64);
        let private = read(memory, image, self.private, self.len);
        let (Some((prekey, prekey_at)), Some((private, private_at))) = (prekey, private) else { return };
        if let Some(key) = shield::unshield(&prekey, &private) {
            let far = |key: FoundKey, piece, spans| {
                let form = Form { layout: Layout::Shielded, encoding: Encoding::Plain, piece };
                Far { hit: key.at(at..at + 1, form), spans }
            };
            out.far.push(far(key.clone(), Piece::Whole, private_at));
            out.far.push(far(key, Piece::Prekey, prekey_at));
        }
    }
}

/// The bytes at an address and where they stand in the file, if memory has all of them.
fn read(memory: &AddressSpace, image: &Image, address: Address, len: u64) -> Option<(Vec<u8>, Vec<Span>)> {
    let spans = memory.spans_from(address, len);
    if spans.iter().map(|span| span.len).sum::<u64>() != len {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    let got = memory.read(image, address, &mut bytes).ok()?;
    (got == bytes.len()).then_some((bytes, spans))
}
