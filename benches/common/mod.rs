//! What the benchmarks share: dumps, windows over them, time, and rows of figures.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

use dumpscrub::scan::Options;
use dumpscrub::scan::pieces::MARGIN;
use dumpscrub::span::Span;
use dumpscrub::window::Window;

/// Rounds of which the median is told.
pub const ROUNDS: usize = 5;

/// Calls `measure` with the name and the bytes of each dump that `DUMPSCRUB_BENCH_DUMPS` names, or with bytes made here.
pub fn dumps(mut measure: impl FnMut(&str, Vec<u8>)) {
    let dumps = std::env::var("DUMPSCRUB_BENCH_DUMPS").unwrap_or_default();
    if dumps.is_empty() {
        measure("memory-like bytes", memory_like(256 << 20));
    }
    for path in dumps.split(',').filter(|path| !path.is_empty()) {
        measure(path, std::fs::read(path).unwrap());
    }
}

/// One window of a dump: what it owns.
pub struct Owned(std::ops::Range<usize>);

impl Owned {
    /// The window, with the margins that a scan shows.
    pub fn show<R>(&self, bytes: &[u8], look: impl FnOnce(&Window<'_>) -> R) -> R {
        let Self(owned) = self;
        let (start, end) = (owned.start.saturating_sub(MARGIN), (owned.end + MARGIN).min(bytes.len()));
        let pieces = [Span::between(start as u64, end as u64)];
        look(&Window::new(&bytes[start..end], owned.start - start..owned.end - start, &pieces, &[]))
    }
}

/// The windows of a dump, in order, as a scan cuts it.
pub fn cuts(bytes: &[u8]) -> impl Iterator<Item = Owned> {
    let len = bytes.len();
    let window = Options::default().window_of(len as u64);
    (0..len).step_by(window).map(move |from| Owned(from..(from + window).min(len)))
}

/// Shows every window of `bytes` to `look`, as a scan does.
pub fn windows(bytes: &[u8], mut look: impl FnMut(&Window<'_>)) {
    cuts(bytes).for_each(|cut| cut.show(bytes, &mut look));
}

/// Seconds that the work takes, in the median of some rounds.
pub fn median(mut work: impl FnMut()) -> f64 {
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
pub fn seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let running =
        told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok()).map(|nanoseconds| nanoseconds / 1e9);
    running.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64())
}

/// Figures of one dump, as a ratio to one `memmem` pass over the same bytes in the same run.
pub struct Table {
    all: usize,
    busy: usize,
    memmem: f64,
}

impl Table {
    /// Prints the head of a table and its first row. "Busy" counts only bytes outside of pages of one repeated byte, which
    /// cost next to nothing and are most of some dumps.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let varied = |page: &&[u8]| page.iter().any(|b| Some(b) != page.first());
        let busy = bytes.chunks(4096).filter(varied).map(<[u8]>::len).sum();
        println!("\n{name}: {} bytes, {busy} busy; median of {ROUNDS} rounds, one thread", bytes.len());
        let memmem = median(|| assert!(memchr::memmem::find(bytes, b"\x13an absent literal\x37").is_none()));
        let table = Self { all: bytes.len(), busy, memmem };
        table.row("memmem, one absent literal", memmem);
        table
    }

    /// Bytes outside of pages of one repeated byte.
    pub fn busy(&self) -> usize {
        self.busy
    }

    /// Prints what took so many seconds.
    pub fn row(&self, what: &str, seconds: f64) {
        let rate = |bytes: usize| bytes as f64 / seconds / 1e9;
        let (all, busy) = (rate(self.all), rate(self.busy));
        println!("{what:<48} {all:>7.2} GB/s {busy:>7.2} busy GB/s {:>7.2} x memmem", seconds / self.memmem);
    }
}

/// Numbers that look random, the same at each run.
pub fn random(mut seed: u64) -> impl FnMut() -> u64 {
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
