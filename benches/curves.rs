//! What it costs to hunt for keys of elliptic curves, one thread.
//!
//!     cargo bench --bench curves                                  # a multiplication in each group, by batches
//!     DUMPSCRUB_BENCH_DUMPS=a.core,b.dmp cargo bench --bench curves   # and the walk over dumps, each by itself
//!
//! For every dump: how fast places and points are looked for, how many places there are of each rank and size (in order:
//! islands, chunks, edges, inside, data; 32, 48 and 66 bytes), and how many points were found.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

use std::time::Instant;

use dumpscrub::dump;
use dumpscrub::hunt::ec_places::{self, Room, SIZES};
use dumpscrub::hunt::{Clues, bare_points};
use dumpscrub::image::Image;
use dumpscrub::keys::base_points::{self, EdwardsForm};
use dumpscrub::keys::curve_points::{self, Kept};
use dumpscrub::keys::ec::Curve;
use dumpscrub::limits::Limits;
use dumpscrub::memory::AddressSpace;
use dumpscrub::scan::pieces::MARGIN;
use dumpscrub::span::Span;
use dumpscrub::window::Window;

const WINDOW: usize = 1 << 20;
const BATCH: usize = 512;
const ROUNDS: usize = 9;

fn main() {
    multiplications();
    let dumps = std::env::var("DUMPSCRUB_BENCH_DUMPS").unwrap_or_default();
    dumps.split(',').filter(|path| !path.is_empty()).for_each(walk);
}

fn multiplications() {
    println!("microseconds for each guessed private key, batches of {BATCH}, median of {ROUNDS}");
    for curve in Curve::ALL {
        let mut scalars: Vec<Vec<u8>> = (0..BATCH).map(|i| random(curve.size(), i as u64)).collect();
        scalars.iter_mut().for_each(|scalar| scalar[0] &= 1);
        let scalars: Vec<&[u8]> = scalars.iter().map(Vec::as_slice).collect();
        two(
            curve.name(),
            || drop(base_points::sec1(curve, &scalars)),
            || drop(base_points::sec1_one_by_one(curve, &scalars)),
        );
    }
    let secrets: Vec<[u8; 32]> = (0..BATCH).map(|i| random(32, i as u64).try_into().unwrap()).collect();
    for (what, form) in [("Ed25519, seed", EdwardsForm::Seed), ("Ed25519, scalar", EdwardsForm::Scalar)] {
        two(
            what,
            || drop(base_points::ed25519(form, &secrets)),
            || drop(base_points::ed25519_one_by_one(form, &secrets)),
        );
    }
    two("X25519", || drop(base_points::x25519(&secrets)), || drop(base_points::x25519_one_by_one(&secrets)));
    println!("and for each test of a point");
    for curve in Curve::ALL {
        let (x, y) = (random(curve.size() - 1, 1), random(curve.size() - 1, 2));
        row(&format!("{}, limbs", curve.name()), || {
            (0..BATCH).for_each(|_| assert!(curve_points::point(curve, Kept::Montgomery, &x, &y, None).is_none()));
        });
        let octets = [&[4][..], &random(2 * curve.size(), 3)].concat();
        row(&format!("{}, octets", curve.name()), || {
            (0..BATCH).for_each(|_| assert!(curve_points::decode(curve, &octets).is_none()));
        });
    }
}

/// By batches, and as the curves' crates multiply one.
fn two(what: &str, batched: impl FnMut(), one_by_one: impl FnMut()) {
    let (new, old) = (cost(batched), cost(one_by_one));
    println!("{what:<20} {new:>8.2}    one by one {old:>8.2}    {:.1} times as fast", old / new);
}

fn row(what: &str, mut work: impl FnMut()) {
    println!("{what:<20} {:>8.2}", cost(&mut work));
}

/// Microseconds for one of a batch.
fn cost(mut work: impl FnMut()) -> f64 {
    median(|| (0..2).for_each(|_| work())) * 1e6 / (2 * BATCH) as f64
}

fn walk(path: &str) {
    let bytes = std::fs::read(path).unwrap();
    let image = Image::from_bytes(path, bytes.clone());
    let memory = AddressSpace::new(&dump::map(&image, &Limits::default()).unwrap().regions);
    println!("\n{path}: {} bytes", bytes.len());
    let rate = |what: &str, seconds: f64| println!("{what:<20} {:>8.2} GB/s", bytes.len() as f64 / seconds / 1e9);
    rate("runs", median(|| windows(&bytes, |w| drop(ec_places::grids(w, &memory)))));
    rate(
        "runs and places",
        median(|| windows(&bytes, |w| drop(ec_places::places(w, &ec_places::grids(w, &memory), &Room::default())))),
    );
    rate(
        "runs and points",
        median(|| windows(&bytes, |w| drop(bare_points::points(w, &ec_places::grids(w, &memory))))),
    );
    let (mut ranks, mut clues) = ([[0; SIZES.len()]; 5], Clues::new(100_000));
    windows(&bytes, |w| {
        let grids = ec_places::grids(w, &memory);
        for (size, places) in ec_places::places(w, &grids, &Room::default()).told.iter().enumerate() {
            for place in places {
                ranks[place.rank as usize][size] += 1;
            }
        }
        bare_points::points(w, &grids).into_iter().for_each(|clue| clues.add(clue));
    });
    println!("{ranks:?}, {} points", clues.iter().count());
}

fn windows(bytes: &[u8], mut look: impl FnMut(&Window<'_>)) {
    for from in (0..bytes.len()).step_by(WINDOW) {
        let to = (from + WINDOW).min(bytes.len());
        let (start, end) = (from.saturating_sub(MARGIN), (to + MARGIN).min(bytes.len()));
        let pieces = [Span::between(start as u64, end as u64)];
        look(&Window::new(&bytes[start..end], from - start..to - start, &pieces, &[]));
    }
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
    times[ROUNDS / 2]
}

fn random(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}
