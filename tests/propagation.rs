//! Known secrets are found in every form and every residue, and what is searched for the proof is what a scan finds.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::sync::LazyLock;

use dumpscrub::dump;
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::scan::{self, Engine, Leftovers, Options, Outcome, Quiet};
use synth::{Cpu, Dump, Memory, MinidumpBuilder, System, der, keys};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap());

fn minidump(memory64: Vec<Memory>) -> Dump {
    MinidumpBuilder { memory64, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build()
}

fn scanned(bytes: &[u8]) -> Outcome {
    let image = Image::from_bytes("scanned", bytes.to_vec());
    let map = dump::map(&image, &Limits::default()).unwrap();
    scan::scan(&image, &map, &ENGINE, &Options::default(), &Quiet).unwrap()
}

/// What is left of the secrets of `outcome` in `bytes`.
fn left(bytes: &[u8], outcome: &Outcome) -> Leftovers {
    let image = Image::from_bytes("written", bytes.to_vec());
    let map = dump::map(&image, &Limits::default()).unwrap();
    let secrets = outcome.vault.iter().map(|(_, secret)| secret).enumerate();
    scan::leftovers(&image, &map, secrets, &Options::default(), &Quiet).unwrap()
}

/// The bytes with every site of every finding overwritten.
fn overwritten(bytes: &[u8], outcome: &Outcome) -> Vec<u8> {
    let mut written = bytes.to_vec();
    for finding in 0..outcome.findings.len() {
        let sites = outcome.sites.of(finding).map(Result::unwrap);
        sites.flat_map(|site| site.spans).for_each(|s| written[s.from() as usize..s.end() as usize].fill(b'#'));
    }
    written
}

#[test]
fn when_every_site_is_overwritten_nothing_is_left_and_before_that_everything_is() {
    let key = keys::rsa(1024);
    let pkcs1 = der::pkcs1(&key);
    let memory = Memory::noise(0x10_0000, 0x8000, 3).plant(0x1001, "der", &pkcs1);
    let (left_half, right_half) = memory.plant(0x4000 - 40, "cut", &key.p).split(0x4000);
    let token = b"\0Authorization: Bearer k7Qd02mXw9LbTz4KpR\0".as_slice();
    let token = Memory::noise(0x90_0000, 0x1000, 4).plant(77, "token", token).plant(999, "bare", &token[23..41]);
    let dump = minidump(vec![right_half, token, left_half]);
    let outcome = scanned(&dump.bytes);
    assert_eq!(outcome.findings.len(), 2);
    let before = left(&dump.bytes, &outcome);
    assert!(!before.is_clean());
    assert_eq!(before.sites.len() as u64, before.count);
    assert!(before.sites.iter().any(|(_, site)| site.spans.len() == 2), "the prime across the seam");
    let after = left(&overwritten(&dump.bytes, &outcome), &outcome);
    assert!(after.is_clean(), "{after:?}");
}
