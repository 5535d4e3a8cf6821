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

use super::pointed::Pointed;
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Encoding, Form, Layout, Piece, Rule};
use crate::image::Image;
use crate::keys::shield::{self, PREKEY};
use crate::keys::{FoundKey, asn1, ssh};
use crate::memory::AddressSpace;
use crate::span::{Address, Span};

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
        Box::new(Prepared(Pointed::new(pointers(clues).map(|pointers| (pointers.prekey, pointers)))))
    }
}

/// What a clue points to: the encrypted key and the prekey.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// By the prekeys.
struct Prepared(Pointed<Pointers>);

impl Hunt for Prepared {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        self.0.each(shown, |pointers, at| pointers.follow(shown.memory, shown.image, at, out));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Label, Region};
    use crate::finding::Evidence;
    use crate::keys::testing::{noise, ssh_serialized, ssh_shielded};
    use crate::window::Window;

    /// An image, and where the pieces of its memory stand.
    struct Core {
        bytes: Vec<u8>,
        regions: Vec<Region>,
    }

    impl Core {
        fn add(&mut self, address: u64, bytes: &[u8]) {
            let span = Span::new(self.bytes.len() as u64, bytes.len() as u64);
            self.regions.push(Region { span, address: Some(Address(address)), label: Label::Memory, protection: None });
            self.bytes.extend(bytes);
        }

        /// What is found, window after window of so many bytes.
        fn hunt(&self, clues: &Clues, window: usize) -> Vec<Far> {
            let (image, memory) = (Image::from_bytes("t", self.bytes.clone()), AddressSpace::new(&self.regions));
            let hunt = Shielded.prepare(clues);
            let mut out = Hits::default();
            for from in (0..self.bytes.len()).step_by(window) {
                let owned = from..(from + window).min(self.bytes.len());
                let pieces = [Span::new(0, self.bytes.len() as u64)];
                let window = Window::new(&self.bytes, owned, &pieces, &[]);
                hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
            }
            out.far
        }
    }

    const PRIVATE: Address = Address(0x10_0ff0);
    const KEY: Address = Address(0x20_0010);

    fn clues(len: u64) -> Clues {
        let mut clues = Clues::new(9);
        clues.add(Clue::Shielded { private: PRIVATE, len, prekey: KEY });
        // Structures that only look like one.
        clues.add(Clue::Shielded { private: Address(0x20_0000), len, prekey: KEY });
        clues.add(Clue::Shielded { private: PRIVATE, len, prekey: Address(0x20_3000) });
        clues.add(Clue::Shielded { private: PRIVATE, len: 1 << 13, prekey: KEY });
        clues
    }

    /// Both the key and the prekey go over from one region to the next, which stands elsewhere in the file.
    fn core(prekey: &[u8], shielded: &[u8]) -> Core {
        let mut core = Core { bytes: noise(100, 9), regions: Vec::new() };
        let (head, tail) = shielded.split_at(0x10);
        let (first, second) = prekey.split_at(0x2ff0);
        core.add(0x10_1000, &[tail, &[0; 0x100]].concat());
        core.add(0x20_3000, &[second, &[0; 0x20]].concat());
        core.add(0x20_0000, &[&[0; 0x10], first].concat());
        core.add(0x10_0000, &[&noise(0xff0, 1), head].concat());
        core
    }

    #[test]
    fn keys_across_two_regions_are_unshielded_and_both_halves_are_sites() {
        for ed25519 in [true, false] {
            let (prekey, plain) = (noise(PREKEY, 1), ssh_serialized(ed25519));
            let shielded = ssh_shielded(&prekey, &plain);
            let core = core(&prekey, &shielded);
            for window in [core.bytes.len(), 1000, 77] {
                let far = core.hunt(&clues(shielded.len() as u64), window);
                assert_eq!(far.iter().map(|far| far.hit.form.piece).collect::<Vec<_>>(), [Piece::Whole, Piece::Prekey]);
                for (far, want) in far.iter().zip([&shielded, &prekey]) {
                    assert_eq!((far.hit.evidence, far.spans.len()), (Evidence::Proven, 2));
                    let bytes: Vec<u8> = far
                        .spans
                        .iter()
                        .flat_map(|s| &core.bytes[s.from() as usize..s.end() as usize])
                        .copied()
                        .collect();
                    assert!(bytes == **want);
                }
            }
        }
    }

    #[test]
    fn a_wrong_prekey_or_one_that_is_cut_tells_nothing() {
        let (prekey, plain) = (noise(PREKEY, 1), ssh_serialized(true));
        let shielded = ssh_shielded(&prekey, &plain);
        assert!(core(&noise(PREKEY, 2), &shielded).hunt(&clues(shielded.len() as u64), 4096).is_empty());
        let mut cut = core(&prekey, &shielded);
        cut.regions.remove(1);
        assert!(cut.hunt(&clues(shielded.len() as u64), 4096).is_empty());
        assert!(!Shielded.needs(&Clues::new(9)));
    }
}
