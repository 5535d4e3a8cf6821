//! Blobs of the Windows Data Protection API, as `CryptProtectData` returns them: passwords, browser keys, private keys, under
//! a master key of the user or of the machine.
//!
//! Source of the layout: published analyses of the format, which Microsoft does not document. Behind the version and the
//! provider's GUID come the master key's GUID, flags, a description, and for cipher and hash the algorithm with its salts,
//! the ciphertext, and a MAC, each with its length before it.

use std::ops::Range;

use super::structure::{Fields, site_of};
use super::{Candidate, Detector, Hits, Literal, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::keys::FoundKey;
use crate::vault::Secret;
use crate::window::Window;

/// What a blob begins with: version 1.
const VERSION: [u8; 4] = [1, 0, 0, 0];
/// The GUID of the one provider there is, df9d8cd0-1501-11d1-8c7a-00c04fc297eb. It triggers, and not the version before it:
/// a one in 32 bits stands everywhere.
const PROVIDER: &[u8] = b"\xd0\x8c\x9d\xdf\x01\x15\xd1\x11\x8c\x7a\0\xc0\x4f\xc2\x97\xeb";
/// The rule of what this detector finds.
const RULE: &str = "dpapi-blob";
/// Bytes before the ciphertext; a description has some dozens.
const HEAD: usize = 4096;
/// Bytes of the longest ciphertext that is read. Stores of passwords have one blob for each, of some hundred bytes.
const LONGEST: usize = 1 << 20;
/// Bytes of the longest salt or MAC: those of SHA-512 have 64.
const MOST_SALT: usize = 128;
/// Flags of blobs that open with the secrets of the machine: for any process on it, or for Windows itself.
const LOCAL_MACHINE: u32 = 0x2000_0004;

/// Finds DPAPI blobs.
pub struct Dpapi;

impl Detector for Dpapi {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Secret protected by Windows (DPAPI)",
            Severity::Low,
            "Something that Windows encrypted for its user or for the machine: a password, a browser's key, a private key. It \
             opens with the master key that it names, which opens with the user's password or the machine's secrets.",
            "If the master key or what opens it may have leaked too, as from a dump of lsass.exe, replace what the blob \
             protects.",
        )]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(vec![Literal::binary(PROVIDER)])
    }

    fn reach(&self) -> Reach {
        Reach { before: VERSION.len(), after: HEAD }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let Some(at) = candidate.at.checked_sub(VERSION.len()) else { return };
        let Some(blob) = Blob::read(window.slice(at..at.saturating_add(HEAD))) else { return };
        let bytes = window.follow(at, blob.ciphertext.end.saturating_add(4 + MOST_SALT));
        let Some(ciphertext) = bytes.get(blob.ciphertext.clone()).filter(|_| blob.is_closed(&bytes)) else { return };
        let key = blob.found(ciphertext);
        let place = |range: Range<usize>| at + range.start..at + range.end;
        let site = site_of(window, place(0..blob.ciphertext.end), place(blob.ciphertext));
        out.hits.push(key.at(site, Form::whole(Layout::Dpapi, Encoding::Plain)));
    }
}

/// What stands before the ciphertext.
struct Blob {
    master_key: [u8; 16],
    is_machines: bool,
    ciphertext: Range<usize>,
}

impl Blob {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        fields.take(VERSION.len()).filter(|version| *version == VERSION)?;
        fields.take(PROVIDER.len())?;
        let version = fields.u32()?;
        let master_key = fields.take(16)?.try_into().ok()?;
        let is_machines = fields.u32()? & LOCAL_MACHINE != 0;
        let description = fields.size()?;
        fields.take(description).filter(|_| description.is_multiple_of(2) && version == 1)?;
        // Each is an algorithm, the bits of its key or hash, and two salts, of which one may be empty.
        let (cipher, _) = (fields.u32()?, fields.u32()?);
        salts(&mut fields)?;
        let (hash, _) = (fields.u32()?, fields.u32()?);
        salt(&mut fields)?;
        let len = fields.size().filter(|len| (1..=LONGEST).contains(len))?;
        // The class of an algorithm stands in its upper three bits: 3 is a cipher, 4 a hash.
        let fits = cipher >> 13 == 3 && hash >> 13 == 4;
        fits.then_some(Self { master_key, is_machines, ciphertext: fields.at()..fields.at() + len })
    }

    /// Whether a MAC ends the blob, as far as it is there: what was cut off by the end of the image is a blob all the same.
    fn is_closed(&self, bytes: &[u8]) -> bool {
        let mut fields = Fields::new(bytes.get(self.ciphertext.end..).unwrap_or_default());
        fields.size().is_none_or(|len| (16..=MOST_SALT).contains(&len))
    }

    fn found(&self, ciphertext: &[u8]) -> FoundKey {
        let of = if self.is_machines { "the machine's" } else { "the user's" };
        let context = vec![format!("opens with {of} DPAPI master key {}", guid(self.master_key))];
        let public = PublicIdentity { kind: "DPAPI blob".to_owned(), context, ..PublicIdentity::default() };
        let secret = Secret::bytes(ciphertext);
        FoundKey { rule: RULE, evidence: Evidence::Parsed, severity: None, public, secret }
    }
}

fn salts(fields: &mut Fields<'_>) -> Option<()> {
    salt(fields)?;
    salt(fields)
}

fn salt(fields: &mut Fields<'_>) -> Option<()> {
    let len = fields.size().filter(|&len| len <= MOST_SALT)?;
    fields.take(len).map(|_| ())
}

/// A GUID as Windows prints it: three numbers that are least significant byte first in memory, and eight bytes.
fn guid(bytes: [u8; 16]) -> String {
    let value = u128::from_be_bytes(bytes);
    let (high, low) = ((value >> 64) as u64, value as u64);
    let (a, b, c) = ((high >> 32) as u32, (high >> 16) as u16, high as u16);
    let (a, b, c) = (a.swap_bytes(), b.swap_bytes(), c.swap_bytes());
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::{hit, hits};
    use crate::image::Image;
    use crate::keys::testing::noise;
    use crate::span::Span;
    use proptest::prelude::*;

    fn blob(description: &str, flags: u32, ciphertext: &[u8]) -> (Vec<u8>, usize) {
        let sized = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
        let wide: Vec<u8> = description.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let int = |value: u32| value.to_le_bytes().to_vec();
        let head = [VERSION.to_vec(), PROVIDER.to_vec(), int(1), (0..16).collect(), int(flags), sized(&wide)].concat();
        let cipher = [int(0x6610), int(256), sized(&noise(32, 1)), sized(&[])].concat();
        let hash = [int(0x800e), int(512), sized(&noise(64, 2))].concat();
        let before = [head, cipher, hash, int(ciphertext.len() as u32)].concat();
        let start = before.len();
        ([before, ciphertext.to_vec(), sized(&noise(64, 3))].concat(), start)
    }

    #[test]
    fn a_blob_is_parsed_and_names_its_master_key() {
        for (description, flags, owner) in [("", 0, "user"), ("Google Chrome", 4, "machine")] {
            let (bytes, start) = blob(description, flags, &noise(240, 7));
            let found = hit(&Dpapi, &[&noise(31, 1), &bytes[..], &noise(300, 4)].concat());
            assert_eq!((found.rule.as_str(), found.evidence), (RULE, Evidence::Parsed));
            assert_eq!(found.range, 31 + start..31 + start + 240);
            let of = format!("opens with the {owner}'s DPAPI master key 03020100-0504-0706-0809-0a0b0c0d0e0f");
            assert_eq!(found.public.context, [of]);
        }
    }

    #[test]
    fn a_long_blob_is_followed_into_the_image_and_a_cut_one_is_none() {
        let (bytes, start) = blob("", 0, &noise(70_000, 7));
        let pieces = [Span::new(0, 4096)];
        let look = |image: &[u8]| {
            let image = Image::from_bytes("t", image.to_vec());
            let mut out = Hits::default();
            let window = Window::new(&bytes[..4096], 0..1024, &pieces, &[]).with_image(&image);
            Dpapi.confirm(Candidate { at: 4, literal: 0, wide: false }, &window, &mut out);
            out.hits
        };
        assert_eq!(look(&bytes)[0].range, start..start + 70_000);
        assert_eq!(look(&bytes[..start + 70_000]).len(), 1, "only the MAC is cut off");
        assert!(look(&bytes[..60_000]).is_empty());
    }

    #[test]
    fn constants_and_lies_are_no_blobs() {
        assert!(hits(&Dpapi, &[&VERSION[..], PROVIDER].concat().repeat(20_000)).is_empty());
        let (bytes, start) = blob("x", 0, &noise(64, 7));
        for at in (20..24).chain(44..start).filter(|at| at % 4 == 3) {
            let mut lie = bytes.clone();
            lie[at] = 0xff;
            // Salts may hold anything.
            assert!(hits(&Dpapi, &lie).len() <= 1);
        }
        let mut long = bytes.clone();
        long[start - 1] = 0xff;
        assert!(hits(&Dpapi, &long).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_behind_the_magic_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = hits(&Dpapi, &[&VERSION[..], PROVIDER, &bytes].concat());
        }

        #[test]
        fn any_change_is_read_without_a_panic(at in 20..200_usize, to in any::<u8>(), cut in 0..400_usize) {
            let (mut bytes, _) = blob("abc", 0, &noise(100, 7));
            bytes[at] = to;
            let _ = hits(&Dpapi, &bytes);
            let _ = hits(&Dpapi, &bytes[..cut.min(bytes.len())]);
        }
    }
}
