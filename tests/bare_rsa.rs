//! RSA keys as libraries compute with them: no header, no certificate, nothing but limbs.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::sync::LazyLock;

use dumpscrub::dump;
use dumpscrub::finding::{Encoding, Evidence, Severity, Site};
use dumpscrub::image::Image;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use synth::bytes::Order;
use synth::elf::{ElfBuilder, MACHINES, Segment};
use synth::{Blob, Cpu, Dump, Memory, MinidumpBuilder, System, keys, symcrypt};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap());

const BASE: u64 = 0x1f0_1234_5010;

fn scanned(bytes: &[u8], window: usize) -> Outcome {
    let options = Options { window, ..Options::default() };
    let image = Image::from_bytes("scanned", bytes.to_vec());
    let map = dump::map(&image, &options.limits).unwrap();
    scan::scan(&image, &map, &ENGINE, &options, &Quiet).unwrap()
}

/// A full-memory minidump whose memory begins at an odd place of the file, so that no word is aligned there.
fn minidump(memory64: Vec<Memory>, before: usize) -> Dump {
    let slack_before_memory = Blob::new(vec![0; before]);
    MinidumpBuilder { memory64, slack_before_memory, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build()
}

fn sites(outcome: &Outcome) -> Vec<Site> {
    outcome.sites.of(0).map(Result::unwrap).collect()
}

#[test]
fn a_key_of_symcrypt_is_proven_by_the_join_alone_and_all_of_it_is_told() {
    let (allocation, private) = symcrypt::rsa_key(&keys::rsa(2048), BASE);
    let heap = Memory::zeros(BASE & !0xfff, 0x3000);
    let mut heap = heap.with(BASE as usize & 0xfff, &allocation);
    for (name, at, len) in &private {
        heap = heap.plant((BASE as usize & 0xfff) + at, name, &allocation[*at..at + len]);
    }
    let other = Memory::noise(0x1f0_2000_0000, 0x8000, 5);
    for before in [0, 3, 5] {
        let dump = minidump(vec![other.clone(), heap.clone()], before);
        for window in [1 << 20, 3000] {
            let outcome = scanned(&dump.bytes, window);
            let [finding] = &outcome.findings[..] else { panic!("{:?}", outcome.findings) };
            assert_eq!((finding.evidence, finding.severity), (Evidence::Proven, Severity::Critical));
            assert_eq!(finding.public.kind, "RSA-2048");
            let sites = sites(&outcome);
            for (name, ..) in &private {
                let planted = &dump.planted(name).pieces;
                let covers = |site: &Site, at: usize, len: usize| {
                    site.spans.iter().any(|s| s.from() <= at as u64 && (at + len) as u64 <= s.end())
                };
                // A number may begin with zeros, which are not part of it.
                let told = planted.iter().all(|&(at, len)| sites.iter().any(|site| covers(site, at, len - 4)));
                assert!(told, "{name} after {before} bytes, windows of {window}");
            }
            assert!(outcome.coverage.gaps.is_empty(), "{:?}", outcome.coverage.gaps);
        }
    }
}

#[test]
fn in_the_midst_of_other_random_bytes_a_bare_key_needs_a_clue() {
    let key = keys::rsa(2048);
    let limbs = |number: &[u8]| number.iter().rev().copied().collect::<Vec<u8>>();
    let heap = Memory::noise(0x10_0000, 0x4000, 3).with(0x100, &limbs(&key.n)).plant(0x800, "q", &limbs(&key.q));
    assert!(scanned(&minidump(vec![heap.clone()], 0).bytes, 1 << 20).findings.is_empty());
    let heap = heap.with(0x2001, &synth::der::rsa_spki(&key));
    let dump = minidump(vec![heap], 1);
    let outcome = scanned(&dump.bytes, 1 << 20);
    assert_eq!(outcome.findings.len(), 1);
    let (at, len) = dump.planted("q").pieces[0];
    assert!(sites(&outcome).iter().any(|site| site.spans[0].from() == at as u64 && site.len() == len as u64));
}

/// Limbs in a row with zeros between them, the second number cut by the border of two regions that lie apart in the file.
#[test]
fn numbers_that_stand_alone_are_enough_across_regions_too() {
    let key = keys::rsa(2048);
    let limbs = |number: &[u8]| number.iter().rev().copied().collect::<Vec<u8>>();
    let mut bytes = vec![0; 0x4000];
    for (at, number) in [(0x2000 - 336, &key.n), (0x2000 - 64, &key.p), (0x2000 + 80, &key.q)] {
        bytes[at..at + number.len()].copy_from_slice(&limbs(number));
    }
    let half = |at: usize| Memory::zeros(0x10_0000 + at as u64, 0x2000).with(0, &bytes[at..at + 0x2000]);
    let dump = minidump(vec![half(0x2000), half(0)], 4);
    for window in [1 << 20, 700] {
        let outcome = scanned(&dump.bytes, window);
        let [finding] = &outcome.findings[..] else { panic!("{:?}", outcome.findings) };
        assert_eq!((finding.evidence, finding.public.kind.as_str()), (Evidence::Proven, "RSA-2048"));
        let sites = sites(&outcome);
        assert!(sites.iter().any(|site| site.spans.len() == 2 && site.len() == 128), "{sites:?}");
        assert!(sites.iter().any(|site| site.spans.len() == 1 && site.len() == 128), "{sites:?}");
    }
}

/// What machines other than little-endian ones of 64 bits make of a key.
#[test]
fn limbs_of_other_machines_are_found_and_so_are_the_numbers_that_follow_from_them() {
    let key = keys::rsa(2048);
    let turned = |number: &[u8], size: usize| number.rchunks(size).flatten().copied().collect::<Vec<u8>>();
    let little = |number: &[u8], _: usize| number.iter().rev().copied().collect::<Vec<u8>>();
    type Write<'a> = &'a dyn Fn(&[u8], usize) -> Vec<u8>;
    let machines: [(bool, Order, usize, Write<'_>, Encoding); 3] = [
        (true, Order::Big, 8, &turned, Encoding::Limbs64),
        (false, Order::Big, 4, &turned, Encoding::Limbs32),
        (false, Order::Little, 4, &little, Encoding::LittleEndian),
    ];
    for (wide, order, size, write, encoding) in machines {
        let (mut memory, mut at, mut places) = (vec![0; 0x4000], 0x1000 + size, Vec::new());
        for number in [&key.n, &key.p, &key.q, &key.dp, &key.dq, &key.qinv] {
            let written = write(number, size);
            memory[at..at + written.len()].copy_from_slice(&written);
            places.push(at..at + written.len());
            at += written.len().next_multiple_of(8) + 16;
        }
        let machine = MACHINES.iter().find(|machine| machine.wide == wide && machine.order == order).unwrap();
        let memory = Memory::zeros(0x1000_0000, memory.len()).with(0, &memory);
        let core = ElfBuilder { segments: vec![Segment::new(memory, 6)], ..ElfBuilder::new(*machine) }.build();
        let base = core.segments[0];
        let outcome = scanned(&core.bytes, 1 << 20);
        let [finding] = &outcome.findings[..] else { panic!("{encoding:?}: {:?}", outcome.findings) };
        assert_eq!(finding.evidence, Evidence::Proven);
        let sites = sites(&outcome);
        for place in &places[1..] {
            let (from, to) = ((base + place.start) as u64, (base + place.end) as u64);
            let told = |site: &Site| {
                site.form.encoding == encoding && site.spans[0].from() <= from + 8 && to <= site.spans[0].end() + 8
            };
            assert!(sites.iter().any(told), "{encoding:?} {place:?} {sites:?}");
        }
    }
}

/// RFC 2409's second group, the order of P-384 repeated to the length of a prime, and what compilers divide by.
#[test]
fn public_constants_are_no_keys() {
    let oakley = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A\
                  431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24\
                  117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF";
    let order = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973";
    let magics = "8F5C28F5C28F5C29CCCCCCCCCCCCCCCDAAAAAAAAAAAAAAAB4924924924924925";
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().map(|b| char::from(b).to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let key = keys::rsa(1024);
    let mut heap = Memory::zeros(0x10_0000, 0x8000).with(0x10, &synth::der::rsa_spki(&key));
    for (i, number) in [bytes(oakley), bytes(order).repeat(4), bytes(magics).repeat(4)].iter().enumerate() {
        let limbs: Vec<u8> = number.iter().rev().copied().collect();
        let low = u64::from_le_bytes(*limbs.first_chunk().unwrap());
        let at = 0x1000 * (i + 1);
        heap = heap.with(at, &limbs).with(at + 0x400, &symcrypt::negated_inverse(low).to_le_bytes());
        heap = heap.with(at + 0x800, number);
    }
    assert!(scanned(&minidump(vec![heap], 0).bytes, 1 << 20).findings.is_empty());
}

#[test]
fn noise_holds_no_key() {
    let key = keys::rsa(2048);
    let mut bytes = vec![0; 1 << 12];
    bytes.extend(synth::der::rsa_spki(&key));
    bytes.extend(Memory::noise(0, 4 << 20, 77).blob.bytes);
    assert!(scanned(&bytes, 1 << 20).findings.is_empty());
}
