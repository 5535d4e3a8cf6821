//! The engine from outside: dumps built from the format's description, secrets searched for independently, and the same
//! result however the work is cut.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use dumpscrub::dump;
use dumpscrub::finding::{Encoding, Evidence, Finding, Layout, Severity, Site};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::parallel;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use synth::forms::{self, Lines};
use synth::{Cpu, Dump, Memory, MinidumpBuilder, System, der, keys};

fn engine() -> Engine {
    Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap()
}

fn scan_with(bytes: &[u8], engine: &Engine, options: &Options) -> Outcome {
    let image = Image::from_bytes("test.dmp", bytes.to_vec());
    let map = dump::map(&image, &options.limits).unwrap();
    scan::scan(&image, &map, engine, options, &Quiet).unwrap()
}

fn scan(bytes: &[u8]) -> Outcome {
    scan_with(bytes, &engine(), &Options::default())
}

fn sites(outcome: &Outcome, finding: usize) -> Vec<Site> {
    outcome.sites.of(finding).map(Result::unwrap).collect()
}

/// Every finding and site in words, to compare outcomes.
fn told(outcome: &Outcome) -> Vec<String> {
    let tell = |(i, f): (usize, &Finding)| {
        let rule = &outcome.rules[f.rule.0].id;
        format!("{rule} {:?} {:?} {:?} {:?}", f.severity, f.evidence, f.public, sites(outcome, i))
    };
    outcome.findings.iter().enumerate().map(tell).collect()
}

fn memory64(memory64: Vec<Memory>) -> Dump {
    MinidumpBuilder { memory64, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build()
}

fn pieces(site: &Site) -> Vec<(usize, usize)> {
    site.spans.iter().map(|s| (s.from() as usize, s.len as usize)).collect()
}

/// Whether some site of the form covers every byte of what was planted, and not much more.
fn covered(sites: &[Site], dump: &Dump, name: &str, layout: Layout, encoding: Encoding) -> bool {
    let planted = dump.planted(name);
    sites.iter().filter(|s| s.form.layout == layout && s.form.encoding == encoding).any(|site| {
        let spans = pieces(site);
        planted.pieces.iter().all(|&(at, len)| spans.iter().any(|&(from, long)| from <= at && at + len <= from + long))
    })
}

/// The body of a PEM text: what a site must cover.
fn body(pem: &str) -> std::ops::Range<usize> {
    let from = pem.find("KEY-----").unwrap() + 8;
    from + pem[from..].find('M').unwrap()..pem.rfind("-----END").unwrap()
}

#[test]
fn one_key_in_five_forms_is_one_proven_finding_with_every_site() {
    let key = keys::rsa(2048);
    let (pkcs1, pkcs8) = (der::pkcs1(&key), der::pkcs8_rsa(&key));
    let pem = forms::pem("RSA PRIVATE KEY", &pkcs1, Lines::Lf);
    let wide = forms::pem("PRIVATE KEY", &pkcs8, Lines::CrLf);
    let at = body(&pem);
    let wide_at = body(&wide);
    let wide_end = wide[..wide_at.end].trim_end().len();
    let headless = &pkcs1[32..];
    let base64 = forms::base64(&[b"x", &pkcs8[..]].concat());
    let mut heap = Memory::noise(0x10_0000, 0x10000, 5);
    heap = heap.with(0x1001, pem.as_bytes()).plant(0x1001 + at.start, "pem", pem[at.clone()].trim_end().as_bytes());
    heap = heap.plant(0x3003, "pkcs8", &pkcs8);
    heap = heap.with(0x4ff0, &[0; 32]).plant(0x5010, "headless", headless);
    let wide_bytes = forms::utf16le(&wide);
    heap = heap.with(0x7001, &wide_bytes);
    heap = heap.plant(0x7001 + 2 * wide_at.start, "wide", &wide_bytes[2 * wide_at.start..2 * wide_end]);
    heap = heap.plant(0x9007, "base64", base64.as_bytes());
    let dump = memory64(vec![heap]);
    let outcome = scan(&dump.bytes);
    assert_eq!(outcome.findings.len(), 1, "{:#?}", told(&outcome));
    let finding = &outcome.findings[0];
    assert_eq!((finding.evidence, finding.severity), (Evidence::Proven, Severity::Critical));
    assert_eq!(finding.public.kind, "RSA-2048");
    let sites = sites(&outcome, 0);
    assert!(covered(&sites, &dump, "pem", Layout::Pem, Encoding::Plain), "{sites:#?}");
    assert!(covered(&sites, &dump, "pkcs8", Layout::Pkcs8, Encoding::Plain), "{sites:#?}");
    assert!(covered(&sites, &dump, "wide", Layout::Pem, Encoding::Utf16Le), "{sites:#?}");
    // Of the headless copy the first INTEGER, n, is cut and public; everything from d on must be covered.
    let (at, len) = dump.planted("headless").pieces[0];
    let d_at = at + forms::find_all(headless, &key.d)[0];
    let fragment = sites.iter().find(|s| s.form.layout == Layout::DerFragment).unwrap();
    assert!(pieces(fragment)[0].0 <= d_at && pieces(fragment)[0].0 + pieces(fragment)[0].1 == at + len);
    // The base64 copy is of PKCS#8; PKCS#1 inside it is known, and its letters are covered from version to end.
    let (at, len) = dump.planted("base64").pieces[0];
    let copy: Vec<&Site> = sites.iter().filter(|s| s.form.encoding == Encoding::Base64).collect();
    let inside =
        copy.iter().find(|s| (s.offset() as usize) < at + 60 && s.offset() as usize + s.len() as usize >= at + len - 4);
    assert!(inside.is_some(), "{copy:#?}");
}

#[test]
fn a_key_across_neighbours_in_address_that_are_apart_in_the_file_is_found_whole() {
    let key = keys::rsa(2048);
    for (name, bytes) in [
        ("pkcs8", der::pkcs8_rsa(&key)),
        ("pem", forms::pem("PRIVATE KEY", &der::pkcs8_rsa(&key), Lines::Lf).into_bytes()),
        ("wide", forms::utf16le(&forms::pem("PRIVATE KEY", &der::pkcs8_rsa(&key), Lines::CrLf))),
    ] {
        for cut in [1, 50, 700, bytes.len() - 30] {
            let heap = Memory::noise(0x10_0000, 0x8000, 3).plant(0x4000 - cut, name, &bytes);
            let (left, right) = heap.split(0x4000);
            let dump = memory64(vec![right, Memory::noise(0x90_0000, 0x1000, 4), left]);
            let outcome = scan(&dump.bytes);
            let proven: Vec<_> = outcome.findings.iter().filter(|f| f.evidence == Evidence::Proven).collect();
            assert_eq!(proven.len(), 1, "{name} cut at {cut}: {:#?}", told(&outcome));
            assert_eq!(outcome.findings.len(), 1, "{name} cut at {cut}: {:#?}", told(&outcome));
            let whole: u64 = sites(&outcome, 0).iter().filter(|s| s.spans.len() == 2).map(Site::len).max().unwrap_or(0);
            // What runs over the seam in file order is not told beside the whole.
            let fragment = |s: &Site| s.form.is_fragment();
            assert!(cut != 700 || !sites(&outcome, 0).iter().any(fragment), "{name}: {:#?}", told(&outcome));
            if cut == 700 {
                assert!(whole + 120 > bytes.len() as u64, "{name} cut at {cut}: {:#?}", told(&outcome));
            }
        }
    }
}

#[test]
fn a_bogus_descriptor_cannot_cut_a_key() {
    let key = keys::rsa(2048);
    let pkcs8 = der::pkcs8_rsa(&key);
    let heap = Memory::noise(0x10_0000, 0x8000, 3).plant(0x3000, "key", &pkcs8);
    let mut builder = MinidumpBuilder { memory: vec![heap], ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) };
    let plain = builder.build();
    let at = plain.planted("key").pieces[0].0 as u32;
    // Descriptors that claim the middle of the key for other addresses.
    builder.lies.memory = vec![(0x77_0000, 300, at + 100), (0x10_3080, 64, 0x20), (0x5000, 0x4000, at + 600)];
    let dump = builder.build();
    let outcome = scan(&dump.bytes);
    assert_eq!(outcome.findings.len(), 1, "{:#?}", told(&outcome));
    assert_eq!(outcome.findings[0].evidence, Evidence::Proven);
    let planted = dump.planted("key").pieces[0];
    assert!(sites(&outcome, 0).iter().any(|s| pieces(s) == [planted]), "{:#?}", told(&outcome));
}

#[test]
fn threads_and_windows_do_not_change_the_result() {
    let key = keys::rsa(1024);
    let ec = keys::p256();
    let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&key), Lines::CrLf);
    let mut heap = Memory::noise(0x10_0000, 0x90000, 9);
    for (i, step) in [0x1000_usize, 0xfff, 0x8001, 0x7ffd].into_iter().enumerate() {
        heap = heap.plant(0x400 + step * (i + 1), "pem", pem.as_bytes());
        heap = heap.plant(0x9000 + step * (i + 2), "ec", &ec.p256_pkcs8());
        heap = heap.plant(0x19000 + step * (i + 2), "tail", &der::pkcs1(&key)[100..]);
        heap = heap.plant(0x29000 + step * (i + 2), "url", b"\0redis://app:Tz81-nQ4v@cache/0\0");
        heap = heap.plant(0x39000 + step * (i + 2), "bare", b"\0Tz81-nQ4v\0");
    }
    let (left, right) = heap.split(0x1402f);
    let dump = memory64(vec![right, left]);
    let engine = engine();
    let want = told(&scan_with(&dump.bytes, &engine, &Options::default()));
    assert!(want.len() >= 3, "{want:#?}");
    for window in [512, 4096, 4099, 10_000, 65_536, 200_001] {
        for threads in [1, 3] {
            let options = Options { window, ..Options::default() };
            let got = parallel::with_threads(threads, || told(&scan_with(&dump.bytes, &engine, &options))).unwrap();
            assert_eq!(got, want, "window {window}, {threads} threads");
        }
    }
    let spilling = Options { limits: Limits { sites_in_memory: 3, ..Limits::default() }, ..Options::default() };
    let mut got = told(&scan_with(&dump.bytes, &engine, &spilling));
    // Sites that a seam cuts come last where sites were spilled; apart from that order the result is the same.
    let sorted = |lines: &mut Vec<String>| {
        lines.iter_mut().for_each(|line| {
            let mut parts: Vec<&str> = line.split("Site").collect();
            parts.sort_unstable();
            *line = parts.join("Site");
        })
    };
    let mut want = want;
    sorted(&mut got);
    sorted(&mut want);
    assert_eq!(got.len(), want.len());
}

#[test]
fn a_secret_is_found_at_every_offset_around_a_window_seam() {
    let key = keys::rsa(1024);
    let pkcs1 = der::pkcs1(&key);
    let engine = engine();
    let options = Options { window: 2048, ..Options::default() };
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("der", pkcs1.clone()),
        ("pem", forms::pem("RSA PRIVATE KEY", &pkcs1, Lines::Lf).into_bytes()),
        ("wide", forms::utf16be(&forms::pem("RSA PRIVATE KEY", &pkcs1, Lines::Lf))),
        ("header", b"\0Authorization: Basic c3ZjOm5vdC1hLXJlYWwtb25l\0".to_vec()),
    ];
    for (name, bytes) in forms {
        let steps = (0..bytes.len() + 8).step_by(if bytes.len() > 300 { 37 } else { 1 });
        for shift in steps {
            let mut file = synth::Blob::noise(16 * 1024, 11).bytes;
            let at = 6 * 1024 + 8 - shift;
            file[at..at + bytes.len()].copy_from_slice(&bytes);
            let outcome = scan_with(&file, &engine, &options);
            let best = outcome.findings.first().map(|f| f.evidence);
            // Base64 of a user and a password is more than a pattern and less than an identity.
            let want = if name == "header" { Evidence::Parsed } else { Evidence::Proven };
            assert_eq!((best, outcome.findings.len()), (Some(want), 1), "{name} at {at}: {:#?}", told(&outcome));
        }
    }
}

#[test]
fn nothing_is_found_in_noise_and_coverage_is_whole() {
    let dump = memory64(vec![Memory::noise(0x10_0000, 4 << 20, 1), Memory::zeros(0x80_0000, 1 << 20)]);
    let outcome = scan(&dump.bytes);
    assert!(outcome.findings.is_empty(), "{:#?}", told(&outcome));
    assert_eq!(outcome.coverage.scanned, dump.bytes.len() as u64);
    assert!(outcome.coverage.constant >= (1 << 20) - 8192 && outcome.coverage.gaps.is_empty());
}

#[test]
fn no_finding_can_print_its_secret() {
    let password = keys::password();
    let text = format!("\0mongodb://app:{password}@db/x\0API_TOKEN={password}\0");
    let outcome = scan(text.as_bytes());
    assert_eq!(outcome.findings.len(), 1, "one secret, two rules: {:#?}", told(&outcome));
    assert_eq!(sites(&outcome, 0).len(), 2);
    assert!(!format!("{outcome:?}").contains(&password));
}

#[test]
fn a_text_cut_short_belongs_to_the_key_whose_whole_copy_stands_elsewhere() {
    let key = keys::rsa(2048);
    let pem = forms::pem("PRIVATE KEY", &der::pkcs8_rsa(&key), Lines::Lf);
    let mut heap = Memory::zeros(0x10_0000, 0x8000).plant(0x5000, "whole", pem.as_bytes());
    // Only n is in them, so that no arithmetic can prove whose they are.
    for (at, len) in [(0x400, 150), (0x800, 220), (0xc00, 400)] {
        heap = heap.plant(at, "cut", &pem.as_bytes()[..len]);
    }
    let outcome = scan(&memory64(vec![heap]).bytes);
    assert_eq!(outcome.findings.len(), 1, "{:#?}", told(&outcome));
    assert_eq!(sites(&outcome, 0).len(), 4);
}

#[test]
fn a_token_across_a_seam_is_told_once_and_whole() {
    let text = b"\r\nAuthorization: Bearer k7Qd02mXw9LbTz4KpRk7Qd02mXw9LbTz4KpR\r\n";
    for cut in [30, 40, 50] {
        let (left, right) = Memory::noise(0x10_0000, 0x2000, 3).plant(0x1000 - cut, "header", text).split(0x1000);
        let dump = memory64(vec![right, left]);
        let outcome = scan(&dump.bytes);
        assert_eq!(outcome.findings.len(), 1, "{:#?}", told(&outcome));
        let all = sites(&outcome, 0);
        assert_eq!((all.len(), all[0].len()), (1, 36), "{all:#?}");
        let bytes: Vec<u8> = pieces(&all[0]).iter().flat_map(|&(at, len)| dump.bytes[at..at + len].to_vec()).collect();
        assert_eq!(bytes, text[24..60]);
    }
}

#[test]
fn a_region_that_lies_about_its_end_cannot_hide_the_other_copies_of_a_token() {
    let token = b"k7Qd02mXw9LbTz4KpRk7Qd02mXw9";
    let header = [b"\r\nAuthorization: Bearer ", &token[..]].concat();
    let mut heap = Memory::zeros(0x10_0000, 0x4000).plant(0x1000 - header.len(), "header", &header);
    heap = heap.plant(0x3001, "bare", token);
    let (left, right) = heap.split(0x1000);
    // In memory, letters seem to go on behind the token; the region that says so is a lie.
    let bogus = Memory::new(0x10_1000, b"AAAABBBBCCCC".to_vec());
    let dump = memory64(vec![left, bogus, right]);
    let outcome = scan(&dump.bytes);
    let at = dump.planted("bare").pieces[0];
    let all: Vec<_> = (0..outcome.findings.len()).flat_map(|i| sites(&outcome, i)).collect();
    assert!(all.iter().any(|site| pieces(site) == [at]), "{:#?}", told(&outcome));
}
