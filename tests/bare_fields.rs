//! Keys of DSA as libraries compute with them: p, q, g, y and x, each in an allocation of its own, without any structure.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::sync::LazyLock;

use dumpscrub::dump;
use dumpscrub::finding::{Encoding, Evidence, Piece};
use dumpscrub::image::Image;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use synth::{Blob, Cpu, Memory, MinidumpBuilder, System};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap());

/// How a number is written.
type Writer = fn(&[u8]) -> Vec<u8>;

/// The key of RFC 6979, section A.2.1: p, q, g, y, x.
const KEY: [&str; 5] = [
    "86F5CA03DCFEB225063FF830A0C769B9DD9D6153AD91D7CE27F787C43278B447E6533B86B18BED6E8A48B784A14C252C5BE0DBF60B86D6385BD2F12FB763ED88\
     73ABFD3F5BA2E0A8C0A59082EAC056935E529DAF7C610467899C77ADEDFC846C881870B7B19B2B58F9BE0521A17002E3BDD6B86685EE90B3D9A1B02B782B1779",
    "996F967F6C8E388D9E28D01E205FBA957A5698B1",
    "07B0F92546150B62514BB771E2A0C0CE387F03BDA6C56B505209FF25FD3C133D89BBCD97E904E09114D9A7DEFDEADFC9078EA544D2E401AEECC40BB9FBBF78FD\
     87995A10A1C27CB7789B594BA7EFB5C4326A9FE59A070E136DB77175464ADCA417BE5DCE2F40D10A46A3A3943F26AB7FD9C0398FF8C76EE0A56826A8A88F1DBD",
    "5DF5E01DED31D0297E274E1691C192FE5868FEF9E19A84776454B100CF16F65392195A38B90523E2542EE61871C0440CB87C322FC4B4D2EC5E1E7EC766E1BE8D\
     4CE935437DC11C3C8FD426338933EBFE739CB3465F4D3668C5E473508253B1E682F65CBDC4FAE93C2EA212390E54905A86E2223170B44EAA7DA5DD9FFCFB7F3B",
    "411602CB19A6CCC34494D79D98EF1E7ED5AF25F7",
];

fn numbers() -> [Vec<u8>; 5] {
    KEY.map(|hex| (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect())
}

fn scanned(bytes: &[u8], window: usize) -> Outcome {
    let options = Options { window, ..Options::default() };
    let image = Image::from_bytes("scanned", bytes.to_vec());
    let map = dump::map(&image, &options.limits).unwrap();
    scan::scan(&image, &map, &ENGINE, &options, &Quiet).unwrap()
}

/// The numbers in pieces of memory of their own, the first one written in one way and the others in another, between noise, in a minidump whose memory begins at an odd place of the file.
fn dump_of(numbers: &[Vec<u8>; 5], before: usize, written: [Writer; 2]) -> synth::Dump {
    let mut heap = Memory::zeros(0x10_0000, 0x4000);
    for (at, number) in numbers.iter().enumerate() {
        let (at, number) = (0x200 + 0x400 * at, written[at.min(1)](number));
        let header = (number.len() as u64 / 4) << 32;
        heap =
            heap.with(at - 8, &header.to_le_bytes()).plant(at, "pqgyx".get(at / 0x400..=at / 0x400).unwrap(), &number);
    }
    let memory64 = vec![Memory::noise(0x20_0000, 0x8000, 5), heap];
    let slack_before_memory = Blob::new(vec![0; before]);
    MinidumpBuilder { memory64, slack_before_memory, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build()
}

fn limbs(number: &[u8]) -> Vec<u8> {
    number.iter().rev().copied().collect()
}

fn words32(number: &[u8]) -> Vec<u8> {
    number.chunks(4).flat_map(|word| word.iter().rev().copied()).collect()
}

#[test]
fn a_private_number_is_proven_by_the_public_one_in_every_order_and_at_every_size_of_windows() {
    // As bytes from the highest a prime alone is no clue, since signatures look like it.
    let orders: [(Encoding, [Writer; 2]); 3] = [
        (Encoding::LittleEndian, [limbs, limbs]),
        (Encoding::Plain, [limbs, <[u8]>::to_vec]),
        (Encoding::Words32, [words32, words32]),
    ];
    for (encoding, written) in orders {
        for (before, window) in [(0, 1 << 20), (3, 1 << 20), (3, 3000)] {
            let dump = dump_of(&numbers(), before, written);
            let outcome = scanned(&dump.bytes, window);
            let [finding] = &outcome.findings[..] else { panic!("{encoding:?} {window} {:?}", outcome.findings) };
            assert_eq!((finding.evidence, finding.public.kind.as_str()), (Evidence::Proven, "DSA-1024"));
            let (at, len) = dump.planted("x").pieces[0];
            let site = outcome.sites.of(0).map(Result::unwrap).find(|site| site.spans[0].from() == at as u64).unwrap();
            assert_eq!((site.form.encoding, site.form.piece, site.len()), (encoding, Piece::D, len as u64));
        }
    }
}

#[test]
fn without_the_public_number_and_without_q_nothing_is_told() {
    for missing in [1, 3] {
        let mut numbers = numbers();
        let len = numbers[missing].len();
        numbers[missing] = (0..len).map(|_| rand::random()).collect();
        let outcome = scanned(&dump_of(&numbers, 0, [limbs, limbs]).bytes, 1 << 20);
        assert!(outcome.findings.is_empty() && outcome.coverage.gaps.is_empty(), "{:?}", outcome.findings);
    }
}
