//! What is scanned while it is still being decoded is found as if it had been whole from the beginning: the same findings at the
//! same places, the same coverage, whatever the decoder's pace, and also where the first bytes lie about the rest.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dumpscrub::container::{self, Onlooker, Peeled, Settings};
use dumpscrub::dump;
use dumpscrub::error::Result;
use dumpscrub::image::{Growing, Image, write_at};
use dumpscrub::scan::{self, Ahead, Engine, Options, Outcome, Progress, Quiet};
use dumpscrub::span::Span;
use synth::elf::{ElfBuilder, Segment, X86_64};
use synth::forms::{self, Lines};
use synth::{Memory, der, keys};

/// Small windows, so that a small image has many.
fn options() -> Options {
    Options { window: 16 << 10, ..Options::default() }
}

fn engine() -> Engine {
    Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap()
}

/// A core with keys, tokens and zeros everywhere, also across borders of windows and of regions; a key store that reaches
/// further than a window sees.
fn core() -> Vec<u8> {
    let key = keys::rsa(1024);
    let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&key), Lines::Lf);
    let token = |n: usize| format!("postgres://app:{}@db{n}.internal:5432/crm\0", keys::password());
    let segments = (0..20_usize).map(|n| {
        let address = 0x7f00_0000_0000 + n as u64 * 0x20_0000;
        let mut memory = Memory::noise(address, 60_000 + n * 333, n as u64);
        memory = memory.with(40_000, &[0; 3000]).with(100, token(n).as_bytes());
        // The regions end in the middle of a text.
        let text = token(n);
        let end = memory.len();
        memory = memory.with(end - 20, &text.as_bytes()[..20]);
        if n % 4 == 1 {
            memory = memory.with(16_000, pem.as_bytes()).with(30_001, &der::pkcs8_rsa(&key));
        }
        Segment::new(memory, 6)
    });
    ElfBuilder { segments: segments.collect(), ..ElfBuilder::new(X86_64) }.build().bytes
}

/// Everything that an outcome tells, in words.
fn told(outcome: &Outcome) -> String {
    let sites = |i| outcome.sites.of(i).map(|site| format!("{:?}", site.unwrap())).collect::<Vec<_>>();
    let findings = outcome.findings.iter().enumerate();
    let findings: Vec<_> = findings
        .map(|(i, f)| format!("{:?} {:?} {:?} {:?} {:?}", f.rule, f.severity, f.evidence, f.public, sites(i)))
        .collect();
    format!("{findings:#?} {:#?}", outcome.coverage)
}

fn scanned(bytes: &[u8], engine: &Engine) -> String {
    let image = Image::from_bytes("whole", bytes.to_vec());
    let map = dump::map(&image, &options().limits).unwrap();
    told(&scan::scan(&image, &map, engine, &options(), &Quiet).unwrap())
}

/// Bytes that the last local pass had still to do.
#[derive(Default)]
struct Left(Mutex<u64>);

impl Progress for Left {
    fn pass(&self, name: &'static str, bytes: u64) {
        if name == "scan" {
            *self.0.lock().unwrap() = bytes;
        }
    }
    fn advance(&self, _bytes: u64) {}
}

/// Scans `bytes` while they come in `steps`, the last of them late; also says how many bytes were left to do at the end.
fn scanned_ahead(bytes: &[u8], step: usize, engine: &Engine) -> (String, u64) {
    // The end comes when a scan would be through by far, on this machine as busy as it is.
    let started = Instant::now();
    scanned(bytes, engine);
    let late = Duration::from_millis(500) + started.elapsed() * 5;
    let file = container::create(&std::env::temp_dir()).unwrap();
    let growing = Growing::new(file.try_clone().unwrap());
    let ahead = std::thread::scope(|scope| {
        let ahead = scope.spawn(|| Ahead::look(&growing, engine, &options(), &Quiet));
        for (i, part) in bytes.chunks(step).enumerate() {
            let at = (i * step) as u64;
            let zeros = part.iter().take_while(|&&byte| byte == 0).count();
            write_at(&file, &part[zeros..], at + zeros as u64).unwrap();
            growing.grow(Span::new(at, zeros as u64), at + part.len() as u64);
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(late);
        growing.end();
        ahead.join().unwrap()
    });
    file.set_len(bytes.len() as u64).unwrap();
    let image = Image::from_file("whole".to_owned(), file, bytes.len() as u64);
    let map = dump::map(&image, &options().limits).unwrap();
    let left = Left::default();
    let outcome = scan::scan_on(&image, &map, engine, &options(), &left, ahead).unwrap();
    let left = *left.0.lock().unwrap();
    (told(&outcome), left)
}

#[test]
fn a_core_that_comes_in_parts_is_scanned_as_if_it_were_whole() {
    let (engine, bytes) = (engine(), core());
    let whole = scanned(&bytes, &engine);
    assert!(whole.matches("form:").count() >= 30, "{whole}");
    for step in [bytes.len(), 300_000, 7_777] {
        let (parts, left) = scanned_ahead(&bytes, step, &engine);
        assert_eq!(parts, whole, "in steps of {step}");
        assert!(left < bytes.len() as u64 / 2, "{left} bytes were left in steps of {step}");
    }
}

#[test]
fn what_is_no_dump_and_what_is_mostly_zeros_is_scanned_the_same_too() {
    let engine = engine();
    let text = format!("x postgres://app:{}@db.internal:5432/crm ", keys::password());
    let raw = text.repeat(20_000).into_bytes();
    let mut sparse = core();
    let half = sparse.len() / 2;
    sparse[half..half + 500_000].fill(0);
    for bytes in [raw, sparse, vec![0; 1 << 20]] {
        let (parts, left) = scanned_ahead(&bytes, 65_536, &engine);
        assert_eq!(parts, scanned(&bytes, &engine));
        assert!(left < bytes.len() as u64 / 2, "{left} bytes were left");
    }
}

/// What was done ahead is thrown away where the whole image is described otherwise than its first bytes seemed to say.
#[test]
fn what_ends_early_or_lies_is_scanned_the_same() {
    let (engine, bytes) = (engine(), core());
    let cut = bytes[..bytes.len() * 6 / 10].to_vec();
    // The notes stand at the end, and the number of segments too.
    let segments = |n: u64| Segment::new(Memory::noise(0x10_0000 + n * 0x10_0000, 50_000, n), 6);
    let late = ElfBuilder { many: true, notes_last: true, ..ElfBuilder::new(X86_64) };
    let late = ElfBuilder { segments: (0..20).map(segments).collect(), ..late }.build().bytes;
    // A region that is told to reach over everything, and further.
    let mut lies = bytes.clone();
    lies[64 + 56 + 32..64 + 56 + 40].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    for (name, bytes) in [("cut", cut), ("late", late), ("lies", lies)] {
        let (parts, _) = scanned_ahead(&bytes, 100_000, &engine);
        assert_eq!(parts, scanned(&bytes, &engine), "{name}");
    }
}

#[test]
fn what_is_shorter_than_the_first_windows_is_not_looked_at_ahead() {
    let (engine, bytes) = (engine(), b"abc".repeat(20_000));
    let (parts, left) = scanned_ahead(&bytes, 1000, &engine);
    assert_eq!((parts, left), (scanned(&bytes, &engine), 60_000));
}

/// Gives its bytes slowly.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        std::thread::sleep(Duration::from_millis(2));
        let got = self.0.len().min(into.len()).min(1 << 20);
        into[..got].copy_from_slice(&self.0[..got]);
        self.0 = &self.0[got..];
        Ok(got)
    }
}

/// Notes what it is shown.
#[derive(Default)]
struct Notes {
    growing: Vec<u64>,
    peeled: Vec<(String, Option<u64>)>,
}

impl Onlooker for Notes {
    fn growing(&mut self, number: u64, growing: &Arc<Growing>) {
        assert!(growing.wait(u64::MAX) > 0 && growing.has_ended());
        self.growing.push(number);
    }

    fn peeled(&mut self, peeled: Peeled) -> Result<()> {
        self.peeled.push((peeled.image.origin().to_owned(), peeled.grown));
        Ok(())
    }
}

/// A member is shown while it is decoded, by a number that it has later too; a container in a container is not.
#[test]
fn members_are_shown_while_they_are_decoded_by_a_number_of_their_own() {
    let pack = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let notes = |bytes: Vec<u8>| {
        let mut notes = Notes::default();
        container::peel_beside(Image::from_bytes("x", bytes), &Settings::default(), &mut notes).unwrap();
        (notes.growing, notes.peeled)
    };
    let core = core();
    assert_eq!(notes(core.clone()), (vec![], vec![("x".to_owned(), Some(0))]));
    assert_eq!(notes(pack(&core)), (vec![1], vec![("x".to_owned(), Some(1))]));
    assert_eq!(notes(pack(&pack(&core))), (vec![2], vec![("x".to_owned(), Some(2))]));
    let mut shown = 0;
    let settings = Settings::default();
    let taken = container::take("-", &mut Slow(&core), &settings, |growing| shown = growing.wait(u64::MAX)).unwrap();
    assert_eq!((shown, taken.len()), (core.len() as u64, core.len() as u64));
    let packed = pack(&core);
    container::take("-", &mut Slow(&packed), &settings, |_| shown = 0).unwrap();
    assert_ne!(shown, 0, "a container was shown as if it were a dump");
}
