//! The scan: three passes over the image, each at memory speed.
//!
//! 1. **Local**: every byte once, in file order, blind to the map, plus a stitched window for every place where memory
//!    goes on and the file does not. It yields findings and clues.
//! 2. **Hunt**: only if there are clues that a hunter can use.
//! 3. **Propagate**: only if there are secrets. Every form of every secret is searched through the whole image.
//!
//! Windows are worked on in parallel and merged in file order, so the result is the same for any number of threads.

mod collapse;
mod decode;
mod forms;
mod gathered;
mod hunted;
mod leftovers;
mod local;
mod look;
mod of_code;
pub mod pieces;
pub mod prefilter;
mod propagate;
pub mod rule_check;
pub mod sites;
mod unnamed;
mod walk;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::detect::{self, Detector, Hits};
use crate::dump::DumpMap;
use crate::error::{Error, Gap, Result};
use crate::finding::{Finding, Profile, Rule};
use crate::hunt::coordinates::Coordinates;
use crate::hunt::ec_scalars::{Scalars, Targets};
use crate::hunt::field_keys::FieldKeys;
use crate::hunt::field_primes::FieldPrimes;
use crate::hunt::long_digits::LongDigits;
use crate::hunt::montgomery::Filter;
use crate::hunt::record_keys;
use crate::hunt::{Clue, Clues, HUNTERS, Hunt, Shown};
use crate::image::Image;
use crate::known::{self, Known};
use crate::limits::Limits;
use crate::parallel::{self, Pool};
use crate::span::{Cover, Span};
use crate::vault::{Secret, Vault};
use crate::window::Window;

use collapse::{Collector, RuleIndex};
use forms::Unusual;
use gathered::{Bare, Gathered, Gathering};
use local::Pass;
use look::Look;
use pieces::{Buffers, Cut, MARGIN, Pieces};
use prefilter::{Found, Prefilter};
use sites::Sites;
use walk::Walk;

pub use leftovers::{Leftovers, TOLD, leftovers};
pub use local::Ahead;

/// How to scan. The result does not depend on any of it but `limits`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that one window owns at most.
    pub window: usize,
    /// Budgets.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { window: 1 << 20, limits: Limits::default() }
    }
}

impl Options {
    /// Bytes that a window of an image of `len` bytes owns: of a small one so few that no thread waits long for the last.
    #[must_use]
    pub fn window_of(&self, len: u64) -> usize {
        const WINDOWS: u64 = 64;
        const LEAST: usize = 8 * MARGIN;
        usize::try_from(len / WINDOWS)
            .map_or(self.window, |part| part.next_multiple_of(MARGIN).max(LEAST).min(self.window))
    }
}

/// Is told how far the work is; called from several threads.
pub trait Progress: Sync {
    /// A pass over the image begins: its name, and the bytes it will walk.
    fn pass(&self, name: &'static str, bytes: u64);
    /// So many bytes more are done.
    fn advance(&self, bytes: u64);
}

/// Progress that nobody looks at.
pub struct Quiet;

impl Progress for Quiet {
    fn pass(&self, _name: &'static str, _bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
}

/// What was looked at, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Length of the image in bytes.
    pub bytes: u64,
    /// Bytes that the local pass looked at; the same as `bytes` where there is no gap.
    pub scanned: u64,
    /// Of those, bytes in pages of one repeated byte, which hold nothing.
    pub constant: u64,
    /// Places where memory goes on and the file does not, each looked at in a stitched window.
    pub seams: u64,
    /// Bytes that were not scanned, and budgets that ran out.
    pub gaps: Vec<Gap>,
    /// What was not tried because it would take too long in every dump of some size: nothing that anybody has to act on, and
    /// nothing that changes the exit code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a scan of one image came to.
#[derive(Debug)]
pub struct Outcome {
    /// The rules that findings point into.
    pub rules: Arc<Vec<Rule>>,
    /// Findings, worst first: by severity, evidence, then first place.
    pub findings: Vec<Finding>,
    /// The sites of `findings[i]` are `sites.of(i)`, in file order.
    pub sites: Sites,
    /// What was looked at.
    pub coverage: Coverage,
    /// The secrets themselves, zeroed on drop.
    pub vault: Vault,
    /// Where the findings begin that each further round of a redaction has brought to light; none after a scan.
    pub later: Vec<usize>,
}

impl Outcome {
    /// The secrets of the findings, each with the index of its finding: what [`leftovers`] is to be given.
    pub fn secrets(&self) -> impl Iterator<Item = (usize, &Secret)> {
        let secret = |(i, finding): (usize, &Finding)| Some((i, self.vault.get(finding.secret)?));
        self.findings.iter().enumerate().filter_map(secret)
    }

    /// The round of a redaction in which a finding came to light: 1 for what a scan of the original finds.
    #[must_use]
    pub fn round_of(&self, finding: usize) -> usize {
        1 + self.later.iter().filter(|start| **start <= finding).count()
    }
}

/// Every rule that there is, of every profile, with those of these files: what a policy may name.
///
/// # Errors
/// When a file cannot be read or is wrong.
pub fn rules_with(files: &[PathBuf]) -> Result<Vec<Rule>> {
    detect::detectors_with(files, Profile::Paranoid).map(|detectors| declared(&detectors))
}

/// The rules of the detectors, of the hunters, and of what is known, each once.
fn declared(detectors: &[Box<dyn Detector>]) -> Vec<Rule> {
    let declared = detectors.iter().flat_map(|d| d.rules()).chain(HUNTERS.iter().flat_map(|h| h.rules()));
    let mut rules: Vec<Rule> = Vec::new();
    declared.chain([known::rule()]).for_each(|rule| {
        if !rules.iter().any(|known| known.id == rule.id) {
            rules.push(rule)
        }
    });
    rules
}

/// Detectors and their rules, worked into one prefilter; made once, used for every image.
pub struct Engine {
    detectors: Vec<Box<dyn Detector>>,
    prefilter: Prefilter,
    rules: RuleIndex,
    known: Known,
    buffers: Pool<Buffers>,
    found: Pool<Found>,
}

impl Engine {
    /// An engine of `detectors`.
    ///
    /// # Errors
    /// [`Error::Rules`] naming the rule whose trigger would fire everywhere, or that reaches further than a window sees.
    pub fn new(detectors: Vec<Box<dyn Detector>>) -> Result<Self> {
        let refused = |reason| Error::Rules { file: "detectors".to_owned(), reason };
        detectors.iter().try_for_each(|d| pieces::check_reach(d.as_ref())).map_err(refused)?;
        let prefilter = Prefilter::new(&detectors).map_err(refused)?;
        let rules = declared(&detectors);
        Ok(Self {
            detectors,
            prefilter,
            rules: RuleIndex::new(Arc::new(rules)),
            known: Known::default(),
            buffers: Pool::default(),
            found: Pool::default(),
        })
    }

    /// The same one, which also looks for what the user knows.
    #[must_use]
    pub fn with_known(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// What the user knows.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Every rule that can make a finding.
    #[must_use]
    pub fn rules(&self) -> &Arc<Vec<Rule>> {
        self.rules.rules()
    }

    /// Where the detectors see secrets in one window, as ranges of the window.
    #[must_use]
    pub fn places(&self, window: &Window<'_>) -> Vec<Range<usize>> {
        self.look(window).0.hits.into_iter().map(|hit| hit.range).collect()
    }

    fn look(&self, window: &Window<'_>) -> (Hits, Look<'_>) {
        let mut look = Look::new(&self.detectors, &self.prefilter, &self.found, window);
        (look.hits(window), look)
    }
}

/// Scans `image`, which `map` describes.
///
/// # Errors
/// Only when the temporary file for many sites fails; a place that cannot be read becomes a gap.
pub fn scan(
    image: &Image,
    map: &DumpMap,
    engine: &Engine,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Outcome> {
    scan_on(image, map, engine, options, progress, None)
}

/// As [`scan`], where a part of the image was looked at `ahead`, by the same engine and with the same options.
///
/// # Errors
/// As those of [`scan`].
pub fn scan_on(
    image: &Image,
    map: &DumpMap,
    engine: &Engine,
    options: &Options,
    progress: &dyn Progress,
    ahead: Option<Ahead>,
) -> Result<Outcome> {
    // What was looked at ahead was cut before the length was known.
    let window = ahead.as_ref().map_or_else(|| options.window_of(image.len()), |_| options.window);
    let pieces = Pieces::new(image.len(), map, window, &options.limits);
    let mut walk = Walk::new(image, &pieces, &engine.buffers, progress);
    walk.gaps.extend(map.gaps.iter().chain(&pieces.gaps).cloned());
    let ahead = ahead.and_then(|ahead| ahead.fit(&pieces, image.len()));
    let mut pass = ahead.unwrap_or_else(|| Pass::new(engine, &options.limits, image.len()));
    pass.finish(engine, &mut walk)?;
    let Pass { mut collector, mut clues, wanted, constant, spent, .. } = pass;
    if spent {
        let reason = "text is encoded in text so often that not all of it could be decoded; a secret that is encoded \
                      there may be missed: the dump is made to mislead";
        walk.gaps.insert(Gap { span: Span::new(0, image.len()), reason: reason.to_owned() });
    }
    let coverage = Coverage { constant, ..Coverage::default() };
    let has_scripts = clues.iter().any(|clue| *clue == Clue::V8);
    let mut run = Run { engine, walk, coverage, wanted: wanted.folded(), has_scripts };
    let named = unnamed::named(&clues);
    let early = hunted::hunts(&clues);
    let gathered = run.join(&mut collector, &mut clues, &early)?;
    let mut late = hunted::hunts(&gathered.moduli);
    late.extend(hunted::further(engine, &early));
    run.hunt(&mut collector, &late, &early)?;
    while let further = hunted::further(engine, &late)
        && !further.is_empty()
    {
        run.hunt(&mut collector, &further, &[])?;
        late = further;
    }
    run.derive(&mut collector, &clues, &gathered)?;
    run.divide(&mut collector, &clues, &gathered.digits)?;
    run.multiply(&mut collector, &clues, gathered.scalars)?;
    run.raise(&mut collector, &clues, &gathered.primes)?;
    collector.sweep()?;
    run.propagate(&mut collector)?;
    let Run { mut coverage, walk, .. } = run;
    coverage.gaps.extend(walk.gaps);
    let (mut findings, sites, vault) = collector.finish(&clues, &mut coverage.gaps, image.len())?;
    unnamed::tell(&mut findings, &sites, &named)?;
    for finding in &mut findings {
        let sources = vault.get(finding.secret).map(|secret| engine.known.sources(secret.identity()));
        finding.public.add_context(sources.unwrap_or_default());
    }
    if clues.dropped() {
        let reason =
            format!("more than {} public keys and certificates; the rest was not hunted for", options.limits.clues);
        coverage.gaps.push(Gap { span: Span::new(0, image.len()), reason });
    }
    (coverage.bytes, coverage.seams) = (image.len(), pieces.seams());
    coverage.scanned = coverage.bytes - unread(&coverage.gaps, image.len());
    Ok(Outcome { rules: engine.rules().clone(), findings, sites, coverage, vault, later: Vec::new() })
}

/// One scan under way.
struct Run<'a> {
    engine: &'a Engine,
    walk: Walk<'a>,
    coverage: Coverage,
    /// The lowest limbs of moduli whose constants were seen.
    wanted: Filter,
    /// Whether programs in JavaScript may be in memory.
    has_scripts: bool,
}

impl Run<'_> {
    /// Looks for public keys that no structure tells of: moduli, by the constants that arithmetic keeps of them or because they
    /// stand alone, and points, by the equation of their curve. Gathers the places that may hold the private key of a point. Hunts for
    /// what the clues of the local pass tell of.
    fn join(&mut self, collector: &mut Collector, clues: &mut Clues, early: &[Box<dyn Hunt>]) -> Result<Gathered> {
        self.leave_out(early);
        let (memory, image, wanted) = (self.walk.pieces.memory(), self.walk.image, &self.wanted);
        let (engine, has_scripts) = (self.engine, self.has_scripts);
        let mut gathering = Gathering::new(image.len(), clues.ask_for_points());
        let room = gathering.room();
        let look = |window: &Window<'_>| {
            Bare::of(&Shown::new(window, memory, image), engine, early, wanted, &room, has_scripts)
        };
        let add = |_: &Cut, seen: Bare| collector.add(gathering.add(seen, clues).sightings);
        self.walk.windows("join", look, add)?;
        self.coverage.notes.extend(gathering.note());
        self.tell_gaps(gathering.gap().into_iter());
        let gathered = gathering.done(clues);
        let coordinates = Coordinates::among(&gathered.scalars);
        let work = coordinates.joins(clues);
        let joined = |points: Vec<Clue>| {
            points.into_iter().for_each(|point| clues.add(point));
            Ok::<(), Error>(())
        };
        parallel::map_in_order(work, |work| work.points(), joined)?;
        Ok(gathered)
    }

    /// Derives keys of TLS from what may be secrets of connections.
    fn derive(&mut self, collector: &mut Collector, clues: &Clues, gathered: &Gathered) -> Result<()> {
        self.coverage.notes.extend(gathered.handshakes.note());
        let hits = record_keys::hits(clues, &gathered.scalars, &gathered.handshakes);
        let nowhere = Window::new(&[], 0..0, &[], &[]);
        collector.add(self.engine.rules.seen(hits, &nowhere).sightings)
    }

    /// Divides moduli by numbers in long digits.
    fn divide(&mut self, collector: &mut Collector, clues: &Clues, digits: &LongDigits) -> Result<()> {
        if digits.dropped() {
            let note = "more numbers in digits of 28 or 60 bits than are divided by each other; RSA keys may be missed";
            self.coverage.notes.push(note.to_owned());
        }
        let nowhere = Window::new(&[], 0..0, &[], &[]);
        collector.add(self.engine.rules.seen(digits.hits(clues), &nowhere).sightings)
    }

    /// Multiplies what may be the private key of a point that is known.
    fn multiply(&mut self, collector: &mut Collector, clues: &Clues, scalars: Scalars) -> Result<()> {
        let targets = Targets::new(clues);
        let rules = &self.engine.rules;
        let nowhere = Window::new(&[], 0..0, &[], &[]);
        let merge = |hits: Hits| collector.add(rules.seen(hits, &nowhere).sightings);
        let seen = scalars.seen();
        parallel::map_in_order(scalars.batches(&targets, &seen), |batch| batch.hits(), merge)?;
        let (tried, all) = scalars.tried(&targets);
        if tried < all {
            self.coverage.notes.push(format!(
                "{tried} of {all} places that may hold the private key of an elliptic curve as a bare number were tried, the most \
                 likely first"
            ));
        }
        Ok(())
    }

    /// Raises the generators of finite fields that are in use to what may be private keys there.
    fn raise(&mut self, collector: &mut Collector, clues: &Clues, primes: &FieldPrimes) -> Result<()> {
        let (primes, note) = primes.primes(clues);
        self.coverage.notes.extend(note);
        if primes.is_empty() {
            return Ok(());
        }
        let mut keys = FieldKeys::new(primes, self.walk.image.len());
        let (wanted, memory) = (keys.wanted(), self.walk.pieces.memory());
        let add = |_: &Cut, places| {
            keys.add(places);
            Ok(())
        };
        self.walk.windows("fields", |window| wanted.places(window, memory), add)?;
        let rules = &self.engine.rules;
        let nowhere = Window::new(&[], 0..0, &[], &[]);
        let work = keys.work(clues);
        let merge = |hits: Hits| collector.add(rules.seen(hits, &nowhere).sightings);
        parallel::map_in_order(work.batches(), |(work, places)| work.hits(places), merge)?;
        self.coverage.notes.extend(work.note());
        Ok(())
    }

    /// Hunts for what only the join tells of, in a walk of its own if there is anything.
    fn hunt(&mut self, collector: &mut Collector, late: &[Box<dyn Hunt>], early: &[Box<dyn Hunt>]) -> Result<()> {
        self.leave_out(late);
        if !late.is_empty() {
            let (image, memory, engine) = (self.walk.image, self.walk.pieces.memory(), self.engine);
            let look = |window: &Window<'_>| {
                engine.rules.seen(hunted::hits(engine, late, &Shown::new(window, memory, image)), window)
            };
            self.walk.windows("hunt", look, |_, seen| collector.add(seen.sightings))?;
        }
        self.tell_gaps(early.iter().chain(late).filter_map(|hunt| hunt.given_up()));
        for note in early.iter().chain(late).flat_map(|hunt| hunt.notes()) {
            if !self.coverage.notes.contains(&note) {
                self.coverage.notes.push(note);
            }
        }
        Ok(())
    }

    /// Tells what hunts will not look for.
    fn leave_out(&mut self, hunts: &[Box<dyn Hunt>]) {
        self.tell_gaps(hunts.iter().filter_map(|hunt| hunt.left_out()));
    }

    fn tell_gaps(&mut self, reasons: impl Iterator<Item = String>) {
        for reason in reasons {
            self.walk.gaps.insert(Gap { span: Span::new(0, self.walk.image.len()), reason });
        }
    }

    fn propagate(&mut self, collector: &mut Collector) -> Result<()> {
        let big_endian = self.walk.pieces.memory().may_be_big_endian();
        let unusual = Unusual { big_endian, small_integers: self.has_scripts };
        collector.search(|secrets, tell| propagate::everywhere(&mut self.walk, unusual, secrets, tell))
    }
}

/// Bytes of the image that gaps with a place of their own cover.
fn unread(gaps: &[Gap], len: u64) -> u64 {
    let mut unread = Cover::new(len, false);
    gaps.iter().filter(|gap| gap.span.len < len).for_each(|gap| unread.paint(gap.span, true));
    unread.all().iter().filter(|(_, gap)| *gap).map(|(span, _)| span.len).sum()
}
