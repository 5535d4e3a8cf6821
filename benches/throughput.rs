//! How fast the local pass is, as a ratio to one `memmem` pass over the same bytes in the same run, one thread.
//!
//!     cargo bench                                        # on memory-like bytes made here
//!     DUMPSCRUB_BENCH_DUMPS=a.core,b.dmp cargo bench     # on dumps, each by itself
//!     cargo bench -- detectors                           # each detector alone, too
//!
//! For every dump: the prefilter alone, the local pass with the rules of the program, and the same with 20, 200 and 500
//! made-up rules more. Absolute figures of a shared machine mean little; the ratio and the median of several rounds do.
//! "Busy" counts only bytes outside of pages of one repeated byte, which cost next to nothing and are most of some dumps.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

use std::fmt::Write as _;

use dumpscrub::detect::{self, Detector, text};
use dumpscrub::scan::Engine;
use dumpscrub::scan::pieces::MARGIN;
use dumpscrub::scan::prefilter::{Found, Prefilter};
use dumpscrub::span::Span;
use dumpscrub::window::Window;

const ROUNDS: usize = 5;
const WINDOW: usize = 1 << 20;

fn main() {
    let dumps = std::env::var("DUMPSCRUB_BENCH_DUMPS").unwrap_or_default();
    let dumps: Vec<&str> = dumps.split(',').filter(|path| !path.is_empty()).collect();
    let detectors = std::env::args().any(|arg| arg == "detectors");
    if dumps.is_empty() {
        measure("memory-like bytes", &memory_like(256 << 20), detectors);
    }
    for path in dumps {
        measure(path, &std::fs::read(path).unwrap(), detectors);
    }
}

fn measure(name: &str, bytes: &[u8], each: bool) {
    let filter = Prefilter::new(&detect::detectors().unwrap()).unwrap();
    let (busy, candidates) = rejected(&filter, bytes);
    let table = Table { all: bytes.len(), busy, memmem: 0.0 };
    println!("\n{name}: {} bytes, {busy} busy; median of {ROUNDS} rounds, one thread", bytes.len());
    println!("{candidates} candidates, {:.0} for each busy MB", candidates as f64 / (busy.max(1) as f64 / 1e6));
    let memmem = median(|| assert!(memchr::memmem::find(bytes, b"\x13an absent literal\x37").is_none()));
    let table = Table { memmem, ..table };
    table.row("memmem, one absent literal", memmem);
    let mut found = Found::default();
    table.row("prefilter", median(|| windows(bytes, |w| filter.candidates(w.bytes(), w.owned(), true, &mut found))));
    for more in [0, 20, 200, 500] {
        let engine = engine(more);
        table.row(&format!("local pass, {more} rules more"), median(|| windows(bytes, |w| drop(engine.places(w)))));
    }
    for one in 0..if each { detect::detectors().unwrap().len() } else { 0 } {
        let detector = detect::detectors().unwrap().swap_remove(one);
        let name = detector.rules().first().map_or_else(|| "clues".to_owned(), |rule| rule.id.clone());
        let engine = Engine::new(vec![detector]).unwrap();
        table.row(&format!("{name} alone"), median(|| windows(bytes, |w| drop(engine.places(w)))));
    }
}

/// Busy bytes and candidates.
fn rejected(filter: &Prefilter, bytes: &[u8]) -> (usize, usize) {
    let (mut found, mut constant, mut candidates) = (Found::default(), 0, 0);
    windows(bytes, |window| {
        filter.candidates(window.bytes(), window.owned(), true, &mut found);
        constant += found.constant as usize;
        candidates += found.triggered.len();
    });
    (bytes.len() - constant, candidates)
}

fn windows(bytes: &[u8], mut look: impl FnMut(&Window<'_>)) {
    for from in (0..bytes.len()).step_by(WINDOW) {
        let to = (from + WINDOW).min(bytes.len());
        let (start, end) = (from.saturating_sub(MARGIN), (to + MARGIN).min(bytes.len()));
        let pieces = [Span::between(start as u64, end as u64)];
        look(&Window::new(&bytes[start..end], from - start..to - start, &pieces, &[]));
    }
}

/// The detectors of the program and `more` made-up rules: a vendor's prefix of 4 to 12 letters, and a token.
fn engine(more: usize) -> Engine {
    let mut next = random(0x5eed);
    let mut rules = String::new();
    for i in 0..more {
        let letters: String = (0..4 + next() % 9).map(|_| char::from(b'a' + (next() % 26) as u8)).collect();
        let prefix = if i % 2 == 0 { format!("{}_", &letters[1..]) } else { letters };
        let examples = [0, 1].map(|n| format!("{prefix}{}", "a1B2c3D4e5".repeat(2 + n)));
        write!(
            rules,
            "[[rules]]\nid = \"made-up-{i}\"\ntitle = \"t\"\nseverity = \"low\"\ndescription = \"t\"\nremedy = \"t\"\n\
             literals = [\"{prefix}\"]\nbefore = 0\nafter = 60\npattern = '(?P<secret>{prefix}[A-Za-z0-9]{{20,40}})'\n\
             examples = [{{ text = \"{0}\", secret = \"{0}\" }}, {{ text = \"{1}\", secret = \"{1}\" }}]\n\
             counter_examples = [\"{prefix}\", \"a\"]\n",
            examples[0], examples[1]
        )
        .unwrap();
    }
    let made_up = if more == 0 { Vec::new() } else { text::parse("made-up.toml", &rules).unwrap() };
    let mut all = detect::detectors().unwrap();
    all.extend(made_up.into_iter().map(|rule| Box::new(rule) as Box<dyn Detector>));
    Engine::new(all).unwrap()
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| once(&mut work)).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

/// Repeats the work for a tenth of a second at least, because running time is told in steps of the system's clock.
fn once(work: &mut impl FnMut()) -> f64 {
    let (start, mut times) = (seconds(), 0);
    loop {
        work();
        times += 1;
        let took = seconds() - start;
        if took > 0.1 {
            return took / f64::from(times);
        }
    }
}

/// Seconds that this thread has been running, so that what else the machine does counts less; where the system does not tell,
/// the time of day.
fn seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let running =
        told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok()).map(|nanoseconds| nanoseconds / 1e9);
    running.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64())
}

struct Table {
    all: usize,
    busy: usize,
    memmem: f64,
}

impl Table {
    fn row(&self, what: &str, seconds: f64) {
        let rate = |bytes: usize| bytes as f64 / seconds / 1e9;
        let (all, busy) = (rate(self.all), rate(self.busy));
        println!("{what:<36} {all:>7.2} GB/s {busy:>7.2} busy GB/s {:>7.2} x memmem", seconds / self.memmem);
    }
}

fn random(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}
/// Pages as process memory has them: zeros, pointers, text, small integers, noise.
fn memory_like(len: usize) -> Vec<u8> {
    let mut next = random(0x1234_5678_9abc_def1);
    let words = [
        "GET /index.html HTTP/1.1",
        "Content-Type: text/plain",
        "libcrypto.so.3",
        "for (i = 0; i < n; i++)",
        "/usr/lib/",
        "https://",
    ];
    let mut bytes = Vec::with_capacity(len + 4096);
    while bytes.len() < len {
        let start = bytes.len();
        match next() % 10 {
            0..=2 => bytes.resize(start + 4096, 0),
            3..=5 => (0..512).for_each(|_| bytes.extend((0x7f3a_0000_0000_u64 + (next() & 0xff_fff8)).to_le_bytes())),
            6..=7 => {
                while bytes.len() < start + 4096 {
                    bytes.extend(words[(next() % 6) as usize].bytes().chain([0]));
                }
            }
            8 => (0..1024).for_each(|_| bytes.extend((next() as u32 & 0x3ff).to_le_bytes())),
            _ => (0..512).for_each(|_| bytes.extend(next().to_le_bytes())),
        }
        bytes.truncate(start + 4096);
    }
    bytes.truncate(len);
    bytes
}
