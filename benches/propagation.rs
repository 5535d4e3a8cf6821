//! How fast known secrets are searched, for more and more of them, in processor time of one thread.
//!
//!     cargo bench --bench propagation               # on memory-like bytes made here
//!     DUMPSCRUB_BENCH_DUMPS=a.core cargo bench --bench propagation
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may fail loudly")]

use std::time::Instant;

use dumpscrub::finding::Piece;
use dumpscrub::scan::{Options, Quiet, leftovers, parallel};
use dumpscrub::vault::{Part, PartKind, Secret, SecretBytes};
use dumpscrub::{dump, image::Image, limits::Limits};

const ROUNDS: usize = 5;

fn main() {
    let path = std::env::var("DUMPSCRUB_BENCH_DUMPS").unwrap_or_default();
    let bytes = if path.is_empty() { memory_like(128 << 20) } else { std::fs::read(path).unwrap() };
    let page = |page: &&[u8]| page.iter().any(|b| Some(b) != page.first());
    let busy = bytes.chunks(4096).filter(page).map(<[u8]>::len).sum::<usize>();
    println!("{} bytes, {busy} of them in pages that are not constant", bytes.len());
    let image = Image::from_bytes("bench", bytes);
    let map = dump::map(&image, &Limits::default()).unwrap();
    parallel::with_threads(1, || {
        for count in [1, 10, 100, 1000] {
            let secrets = some_secrets(count);
            let seconds =
                best(|| drop(leftovers(&image, &map, secrets.iter().enumerate(), &Options::default(), &Quiet)));
            let speed = busy as f64 / seconds / 1e9;
            println!("{count:>5} keys of RSA-2048 and as many tokens {speed:>6.2} GB/s of busy bytes");
        }
    })
    .unwrap();
}

/// The processor time that this thread has had, where the system tells it: others must not slow the figures down.
fn seconds(since: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or(since.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

fn best(mut work: impl FnMut()) -> f64 {
    let since = Instant::now();
    let round = |_| {
        let start = seconds(since);
        work();
        seconds(since) - start
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// Random numbers of the sizes of RSA-2048, and tokens of 40 letters.
fn some_secrets(count: usize) -> Vec<Secret> {
    let number = |piece, bytes: usize| {
        let bytes: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
        Part { piece, kind: PartKind::Number, bytes: SecretBytes::new(bytes) }
    };
    let key = |_| {
        let halves = [Piece::P, Piece::Q, Piece::Dp, Piece::Dq, Piece::Qinv].map(|piece| number(piece, 128));
        Secret::key_pair(&rand::random(), halves.into_iter().chain([number(Piece::D, 256)]).collect())
    };
    let letter = |_| b'A' + rand::random::<u8>() % 26 + rand::random::<u8>() % 2 * 32;
    let token = |_| Secret::text(&(0..40).map(letter).collect::<Vec<u8>>());
    (0..count).map(key).chain((0..count).map(token)).collect()
}

/// Pages as process memory has them: zeros, pointers, text, small integers, noise.
fn memory_like(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 4096);
    while bytes.len() < len {
        let end = bytes.len() + 4096;
        match rand::random::<u8>() % 5 {
            0 => bytes.resize(end, 0),
            1 => {
                (0..512).for_each(|_| bytes.extend((0x7f3a_0000_0000 | u64::from(rand::random::<u32>())).to_le_bytes()))
            }
            2 => (0..1024).for_each(|_| bytes.extend(u32::from(rand::random::<u8>()).to_le_bytes())),
            3 => (0..300).for_each(|_| bytes.extend(b"Content-Type: text/plain, please\0")),
            _ => (0..512).for_each(|_| bytes.extend(rand::random::<u64>().to_le_bytes())),
        }
        bytes.resize(end, b' ');
    }
    bytes
}
