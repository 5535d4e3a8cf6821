//! The passes of a scan, timed apart, as a ratio to one `memmem` pass over the same bytes in the same run, one thread.
//!
//!     cargo bench --bench passes                                     # on memory-like bytes made here
//!     DUMPSCRUB_BENCH_DUMPS=a.core,b.dmp cargo bench --bench passes  # on dumps, each by itself
//!     DUMPSCRUB_BENCH_PASSES=aes,rsa cargo bench --bench passes      # some of them: aes rsa many curves search whole
//!
//! First what looks for keys that are no text, each by itself: the round keys of AES; the constants of Montgomery arithmetic
//! and the numbers that they belong to; division of known moduli by whatever may be a prime, in all forms of numbers at once;
//! places and points of elliptic curves, and the multiplication of those places as if a key of each curve were known. Then
//! the search for known secrets. Then a whole scan, pass by pass, with the clues and the secrets that the dump itself holds.
#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

mod common;

use std::sync::Mutex;

use dumpscrub::detect::{self, Detector, aes_schedule};
use dumpscrub::dump::{self, DumpMap};
use dumpscrub::finding::Piece;
use dumpscrub::hunt::ec_scalars::{Scalars, Targets};
use dumpscrub::hunt::montgomery::{self, Filter};
use dumpscrub::hunt::{Clue, Clues, Hunter as _, Shown, bare_points, ec_places, rsa_windows::RsaWindows};
use dumpscrub::image::Image;
use dumpscrub::keys::base_points::Group;
use dumpscrub::keys::ec::Curve;
use dumpscrub::keys::number::Number;
use dumpscrub::limits::Limits;
use dumpscrub::memory::AddressSpace;
use dumpscrub::parallel;
use dumpscrub::scan::{self, Engine, Options, Progress, Quiet};
use dumpscrub::vault::{Part, PartKind, Secret, SecretBytes};

use common::{Table, median, random, seconds, windows};

fn main() {
    common::dumps(|name, bytes| {
        let table = Table::new(name, &bytes);
        let image = Image::from_bytes(name, bytes.clone());
        let map = dump::map(&image, &Limits::default()).unwrap();
        let dump = Dump { bytes: &bytes, memory: AddressSpace::of(&map), image, map, table };
        parallel::with_threads(1, || dump.measure()).unwrap();
    });
}

struct Dump<'a> {
    bytes: &'a [u8],
    image: Image,
    map: DumpMap,
    memory: AddressSpace,
    table: Table,
}

impl Dump<'_> {
    fn measure(&self) {
        let asked =
            std::env::var("DUMPSCRUB_BENCH_PASSES").unwrap_or_else(|_| "aes,rsa,many,curves,search,whole".into());
        let is_asked = |name: &str| asked.split(',').any(|asked| asked == name);
        let measures: [(&str, &dyn Fn()); 6] = [
            ("aes", &|| self.aes()),
            ("rsa", &|| {
                self.montgomery();
                self.divisions(1);
            }),
            ("many", &|| [10, 150].into_iter().for_each(|moduli| self.divisions(moduli))),
            ("curves", &|| self.curves()),
            ("search", &|| [1, 10, 100, 1000].into_iter().for_each(|secrets| self.search(secrets))),
            ("whole", &|| self.whole()),
        ];
        measures.into_iter().filter(|(name, _)| is_asked(name)).for_each(|(_, measure)| measure());
    }

    fn row(&self, what: &str, work: impl FnMut()) {
        self.table.row(what, median(work));
    }

    fn aes(&self) {
        let all = detect::detectors().unwrap();
        let is_aes = |detector: &dyn Detector| detector.rules().iter().any(|rule| rule.id == aes_schedule::RULE);
        let at = all.iter().position(|detector| is_aes(detector.as_ref())).unwrap();
        let engine = Engine::new(all.into_iter().skip(at).take(1).collect()).unwrap();
        self.row("round keys of AES", || windows(self.bytes, |w| drop(engine.places(w))));
    }

    fn montgomery(&self) {
        let mut filter = Filter::new(self.bytes.len() as u64);
        let wanted = median(|| windows(self.bytes, |w| drop(montgomery::wanted(w, self.memory.layout()))));
        windows(self.bytes, |w| {
            montgomery::wanted(w, self.memory.layout()).into_iter().for_each(|word| filter.add(word))
        });
        let seen = median(|| {
            windows(self.bytes, |w| drop(montgomery::seen(&filter, &Shown::new(w, &self.memory, &self.image))))
        });
        self.table.row("Montgomery's constants", wanted);
        self.table.row("numbers joined with them, and numbers alone", seen);
    }

    fn divisions(&self, moduli: usize) {
        let mut next = random(0x5eed);
        let mut prime = || {
            let mut bytes: Vec<u8> = (0..128).map(|_| (next() >> 24) as u8).collect();
            bytes.first_mut().into_iter().for_each(|first| *first |= 0xc0);
            bytes.last_mut().into_iter().for_each(|last| *last |= 1);
            Number::from_be(&bytes)
        };
        let mut clues = Clues::new(moduli);
        let exponent = vec![1, 0, 1];
        (0..moduli).for_each(|_| {
            clues.add(Clue::RsaPublicKey { modulus: prime().times(&prime()).to_be(), exponent: exponent.clone() })
        });
        let hunt = RsaWindows.prepare(&clues);
        let mut hits = detect::Hits::default();
        self.row(&format!("division of {moduli} moduli, 4 forms of numbers"), || {
            windows(self.bytes, |w| hunt.hunt(&Shown::new(w, &self.memory, &self.image), &mut hits));
        });
        assert!(hits.hits.is_empty(), "moduli made here have no primes in a dump");
    }

    fn curves(&self) {
        let look = |scalars: &mut Scalars| {
            windows(self.bytes, |w| {
                let grids = ec_places::grids(w, &self.memory);
                scalars.add(ec_places::places(w, &grids, &scalars.room()));
                drop(bare_points::points(w, &grids));
            });
        };
        self.row("places and points of curves", || look(&mut Scalars::new(self.bytes.len() as u64, false)));
        let mut scalars = Scalars::new(self.bytes.len() as u64, false);
        look(&mut scalars);
        let busy = self.table.busy().max(1) as f64 / 1e6;
        let groups = [Group::Sec1(Curve::P256), Group::Sec1(Curve::P384), Group::Sec1(Curve::K256), Group::Ed25519];
        for group in groups.into_iter().chain([Group::X25519]) {
            let mut clues = Clues::new(1);
            clues.add(Clue::CurveInUse { group });
            let (targets, seen) = (Targets::new(&clues), scalars.seen());
            let (tried, all) = scalars.tried(&targets);
            let all = all as f64 / busy;
            self.row(&format!("{tried} places of {all:.0} for each busy MB in {group:?}"), || {
                scalars.batches(&targets, &seen).iter().for_each(|batch| drop(batch.hits()));
            });
        }
    }

    fn search(&self, count: usize) {
        let secrets = some_secrets(count);
        self.row(&format!("search for {count} keys of RSA-2048 and {count} tokens"), || {
            let secrets = secrets.iter().enumerate();
            drop(scan::leftovers(&self.image, &self.map, secrets, &Options::default(), &Quiet).unwrap());
        });
    }

    fn whole(&self) {
        let engine = Engine::new(detect::detectors().unwrap()).unwrap();
        let scan = |progress: &dyn Progress| {
            scan::scan(&self.image, &self.map, &engine, &Options::default(), progress).unwrap()
        };
        let findings = scan(&Quiet).findings.len();
        let passes = Passes::default();
        drop(scan(&passes));
        let ends = passes.0.into_inner().unwrap();
        let ends = ends.iter().skip(1).map(|(_, at)| *at).chain([seconds()]).zip(&ends);
        ends.for_each(|(end, (name, start))| self.table.row(&format!("pass {name}, of one scan"), end - start));
        self.row(&format!("a whole scan, {findings} findings"), || drop(scan(&Quiet)));
    }
}

/// When the passes of a scan began.
#[derive(Default)]
struct Passes(Mutex<Vec<(&'static str, f64)>>);

impl Progress for Passes {
    fn pass(&self, name: &'static str, _bytes: u64) {
        self.0.lock().unwrap().push((name, seconds()));
    }

    fn advance(&self, _bytes: u64) {}
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
    let letters: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'f').collect();
    let letter = |_| letters.iter().copied().nth(usize::from(rand::random::<u8>()) % 32).unwrap();
    let token = |_| Secret::text(&(0..40).map(letter).collect::<Vec<u8>>());
    (0..count).map(key).chain((0..count).map(token)).collect()
}
