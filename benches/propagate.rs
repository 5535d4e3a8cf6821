//! How fast a scan with all its passes is, and propagation by itself, told as a ratio to one `memmem` pass over the same bytes in the same run.
//!
//!     cargo bench --bench propagate                  # on memory-like bytes made here
//!     cargo bench --bench propagate -- some.dmp          # on a file
//!
//! Absolute figures of a shared machine mean little; the ratio and the median of several rounds do.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

use std::time::Instant;

use dumpscrub::finding::Piece;
use dumpscrub::scan::{Engine, Options, Quiet, parallel};
use dumpscrub::vault::{Part, PartKind, Secret, SecretBytes};
use dumpscrub::{detect, dump, image::Image, limits::Limits, scan};

const ROUNDS: usize = 7;

fn main() {
    let path = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let bytes = path.map_or_else(|| memory_like(256 << 20), |path| std::fs::read(path).unwrap());
    let memmem = median(|| assert!(memchr::memmem::find(&bytes, b"\x13an absent literal\x37").is_none()));
    println!("{} bytes, median of {ROUNDS} rounds, one thread", bytes.len());
    print_row("memmem, one absent literal", bytes.len(), memmem, memmem);
    let engine = Engine::new(detect::detectors().unwrap()).unwrap();
    let len = bytes.len();
    let image = Image::from_bytes("bench", bytes);
    let map = dump::map(&image, &Limits::default()).unwrap();
    parallel::with_threads(1, || {
        let whole = median(|| drop(scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap()));
        print_row("scan, all passes that this input needs", len, whole, memmem);
        let nothing = Engine::new(Vec::new()).unwrap();
        let windows = median(|| drop(scan::scan(&image, &map, &nothing, &Options::default(), &Quiet).unwrap()));
        print_row("windows alone, no detector", len, windows, memmem);
        for one in 0..detect::detectors().unwrap().len() {
            let mut all = detect::detectors().unwrap();
            let detector = all.swap_remove(one);
            let name = detector.rules().first().map_or_else(|| "clues".to_owned(), |rule| rule.id.clone());
            let engine = Engine::new(vec![detector]).unwrap();
            let alone = median(|| drop(scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap()));
            print_row(&format!("detector {one} alone ({name})"), len, alone, memmem);
        }
        for keys in [1, 10, 100] {
            let keys = some_keys(keys);
            let search = || {
                let secrets = keys.iter().enumerate();
                drop(scan::leftovers(&image, &map, secrets, &Options::default(), &Quiet).unwrap());
            };
            print_row(
                &format!("search for {} keys of RSA-2048 and as many tokens", keys.len() / 2),
                len,
                median(search),
                memmem,
            );
        }
    })
    .unwrap();
}

/// Random numbers of the sizes of RSA-2048, and tokens of 40 letters.
fn some_keys(count: usize) -> Vec<Secret> {
    let number = |piece, bytes: usize| {
        let bytes: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
        Part { piece, kind: PartKind::Number, bytes: SecretBytes::new(bytes) }
    };
    let key = |_| {
        let halves = [Piece::P, Piece::Q, Piece::Dp, Piece::Dq, Piece::Qinv].map(|piece| number(piece, 128));
        Secret::key_pair(&rand::random(), halves.into_iter().chain([number(Piece::D, 256)]).collect())
    };
    let letter = |_| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[usize::from(rand::random::<u8>()) % 32];
    let token = |_| Secret::text(&(0..40).map(letter).collect::<Vec<u8>>());
    (0..count).map(key).chain((0..count).map(token)).collect()
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(ROUNDS / 2).copied().unwrap()
}

fn print_row(what: &str, bytes: usize, seconds: f64, memmem: f64) {
    println!("{what:<48} {:>7.2} GB/s   {:>6.2} x the time of memmem", bytes as f64 / seconds / 1e9, seconds / memmem);
}

/// Pages as process memory has them: zeros, pointers, text, small integers, noise.
fn memory_like(len: usize) -> Vec<u8> {
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
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
