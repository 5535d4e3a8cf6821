//! How fast the local pass is, as a ratio to one `memmem` pass over the same bytes in the same run, one thread.
//!
//!     cargo bench                                        # on memory-like bytes made here
//!     DUMPSCRUB_BENCH_DUMPS=a.core,b.dmp cargo bench     # on dumps, each by itself
//!     cargo bench -- detectors                           # each detector alone, too
//!
//! For every dump: the prefilter alone, the local pass with the rules of the program, and the same with 20, 200 and 500
//! made-up rules more; and one pass on two threads beside two passes. Absolute figures of a shared machine mean little; the ratio and the median of several rounds do.
//! "Busy" counts only bytes outside of pages of one repeated byte, which cost next to nothing and are most of some dumps.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints and may fail loudly"
)]

mod common;

use std::fmt::Write as _;

use dumpscrub::detect::{self, Detector, text};
use dumpscrub::parallel;
use dumpscrub::scan::Engine;
use dumpscrub::scan::prefilter::{Found, Prefilter};

use common::{ROUNDS, Table, cuts, median, random, windows};

fn main() {
    let detectors = std::env::args().any(|arg| arg == "detectors");
    common::dumps(|name, bytes| measure(name, &bytes, detectors));
}

fn measure(name: &str, bytes: &[u8], each: bool) {
    let filter = Prefilter::new(&detect::detectors().unwrap()).unwrap();
    let table = Table::new(name, bytes);
    let candidates = candidates(&filter, bytes);
    println!("{candidates} candidates, {:.0} for each busy MB", candidates as f64 / (table.busy().max(1) as f64 / 1e6));
    let mut found = Found::default();
    table.row("prefilter", median(|| windows(bytes, |w| filter.candidates(w.bytes(), w.owned(), true, &mut found))));
    for more in [0, 20, 200, 500] {
        let engine = engine(more);
        table.row(&format!("local pass, {more} rules more"), median(|| windows(bytes, |w| drop(engine.places(w)))));
    }
    println!("one pass on two threads: {:.2} of what two passes reach beside each other", two_threads(bytes));
    for one in 0..if each { detect::detectors().unwrap().len() } else { 0 } {
        let detector = detect::detectors().unwrap().swap_remove(one);
        let name = detector.rules().first().map_or_else(|| "clues".to_owned(), |rule| rule.id.clone());
        let engine = Engine::new(vec![detector]).unwrap();
        table.row(&format!("{name} alone"), median(|| windows(bytes, |w| drop(engine.places(w)))));
    }
}

/// How often the prefilter asks detectors to look.
fn candidates(filter: &Prefilter, bytes: &[u8]) -> usize {
    let (mut found, mut candidates) = (Found::default(), 0);
    windows(bytes, |window| {
        filter.candidates(window.bytes(), window.owned(), true, &mut found);
        candidates += found.triggered.len();
    });
    candidates
}

/// What one local pass on two threads reaches, as a part of what two passes on one thread each reach at the same time. Wall
/// time, in the median of some rounds: on a machine with nothing else to do.
fn two_threads(bytes: &[u8]) -> f64 {
    let engines = [engine(0), engine(0)];
    let [shared, _] = &engines;
    let alone = |engine: &Engine| windows(bytes, |w| drop(engine.places(w)));
    let together =
        || parallel::map_in_order(cuts(bytes), |cut| cut.show(bytes, |w| shared.places(w)), |_| Ok::<(), ()>(()));
    let times = ((0.2 / wall(1, || alone(shared))) as usize).max(1);
    let beside = wall(ROUNDS, || {
        let again = |engine: &Engine| (0..times).for_each(|_| alone(engine));
        std::thread::scope(|scope| engines.iter().for_each(|engine| drop(scope.spawn(|| again(engine)))));
    });
    let together = parallel::with_threads(2, || wall(ROUNDS, || (0..times).for_each(|_| together().unwrap()))).unwrap();
    beside / 2.0 / together
}

/// Seconds of wall time that the work takes, in the median of so many rounds.
fn wall(rounds: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = std::time::Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
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
