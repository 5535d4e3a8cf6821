//! What the second walk brings along: from one window, and of the whole image.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::collapse::Seen;
use super::{Engine, hunted};
use crate::hunt::digits::{self, Scripts};
use crate::hunt::ec_places::{self, Places, Room};
use crate::hunt::ec_scalars::Scalars;
use crate::hunt::field_primes::{self, FieldPrimes};
use crate::hunt::islands::Islands;
use crate::hunt::long_digits::{self, LongDigits, Written};
use crate::hunt::montgomery::{self, Filter, Join};
use crate::hunt::record_keys::{self, Handshake, Handshakes};
use crate::hunt::{Clue, Clues, Hunt, Shown, bare_points, go_objects, in_structures, point_rows};

/// What the second walk sees in one window.
pub struct Bare {
    /// What the clues of the local pass are enough for.
    pub hunted: Seen,
    /// What may begin with a modulus.
    pub candidates: montgomery::Seen,
    /// Public keys of elliptic curves.
    pub points: Vec<Clue>,
    /// What may be a private one.
    pub places: Places,
    /// What other keys may be computed with.
    pub primes: field_primes::Seen,
    /// Numbers in digits that nobody but libtommath has.
    pub digits: Vec<Written>,
    /// What connections of TLS 1.2 may keep of their handshakes.
    pub handshakes: Vec<Handshake>,
}

impl Bare {
    /// Looks at a window: for what the hunts look for, for moduli whose constants are `wanted`, and for places of keys for which there is
    /// room; for numbers of libraries in JavaScript if programs in it may be there.
    pub fn of(
        shown: &Shown<'_>,
        engine: &Engine,
        hunts: &[Box<dyn Hunt>],
        wanted: &Filter,
        room: &Room,
        has_scripts: bool,
    ) -> Self {
        let (window, grids) = (shown.window, shown.grids());
        let (mut places, mut points) = (ec_places::places(window, grids, room), bare_points::points(window, grids));
        let objects = go_objects::objects(shown, grids);
        places.leave_out(objects.left_out);
        for (seed, point) in bare_points::seeds_with_keys(window, grids, &objects.at) {
            places.add(seed);
            points.push(point);
        }
        let rows = point_rows::seen(window, grids);
        points.extend(rows.points);
        let scripts = has_scripts.then(|| Scripts::of(window, shown.memory));
        let in_digits = digits::seen(window, grids, scripts.as_ref());
        points.extend(in_digits.iter().flat_map(|(_, place)| digits::in_use(place)));
        rows.beside.into_iter().chain(in_digits).for_each(|(len, place)| places.add_of(len, place));
        let mut hits = hunted::hits(engine, hunts, shown);
        hits.hits.extend(in_structures::seen(window, grids).hits);
        Self {
            hunted: engine.rules.seen(hits, window),
            candidates: montgomery::seen(wanted, shown),
            points,
            places,
            primes: field_primes::seen(window, grids, shown.memory),
            digits: long_digits::seen(window, grids, scripts.as_ref()),
            handshakes: record_keys::handshakes(window, grids),
        }
    }
}

/// What is put together of windows as they go by.
pub struct Gathering {
    join: Join,
    islands: Islands,
    /// Moduli at an end of a run of numbers that have a prime of theirs at the other.
    at_ends: BTreeSet<Vec<u8>>,
    scalars: Scalars,
    primes: FieldPrimes,
    digits: LongDigits,
    handshakes: Handshakes,
}

impl Gathering {
    /// Nothing, with room for what an image of `len` bytes may hold, and for more where the user asks for a key of a curve.
    pub fn new(len: u64, is_asked_for: bool) -> Self {
        Self {
            join: Join::default(),
            islands: Islands::default(),
            at_ends: BTreeSet::new(),
            scalars: Scalars::new(len, is_asked_for),
            primes: FieldPrimes::default(),
            digits: LongDigits::default(),
            handshakes: Handshakes::default(),
        }
    }

    /// What there is room for, to be asked where places are seen.
    pub fn room(&self) -> Arc<Room> {
        self.scalars.room()
    }

    /// Adds what a window showed, its public keys to the clues. Gives back what was hunted for.
    pub fn add(&mut self, seen: Bare, clues: &mut Clues) -> Seen {
        seen.candidates.known.into_iter().for_each(|candidate| self.join.add(candidate));
        seen.candidates.alone.into_iter().for_each(|island| self.islands.add(island));
        self.at_ends.extend(seen.candidates.moduli);
        seen.points.into_iter().for_each(|point| clues.add(point));
        self.scalars.add(seen.places);
        self.primes.add(seen.primes);
        seen.digits.into_iter().for_each(|written| self.digits.add(written));
        seen.handshakes.into_iter().for_each(|row| self.handshakes.add(row));
        seen.hunted
    }

    /// What was left out, in words, where it is no gap.
    pub fn note(&self) -> Option<String> {
        let note = "more numbers stand alone than are divided by each other; RSA keys that nothing else tells of may be missed";
        self.islands.dropped().then(|| note.to_owned())
    }

    /// Why a key may be missed.
    pub fn gap(&self) -> Option<String> {
        let gap =
            "more numbers than can be tried look like RSA moduli without a public key beside them; a key may be missed";
        self.join.dropped().then(|| gap.to_owned())
    }

    /// What is left to be tried. Moduli that no structure told of are clues now.
    pub fn done(self, clues: &mut Clues) -> Gathered {
        let known: HashSet<Vec<u8>> = clues.iter().filter_map(|clue| clue.modulus().map(<[u8]>::to_vec)).collect();
        let all = self.join.moduli().into_iter().chain(self.islands.moduli()).chain(self.at_ends);
        let mut moduli = Clues::new(clues.most());
        moduli.add_noise(clues.noise());
        for modulus in all.filter(|modulus| !known.contains(modulus)) {
            moduli.add(Clue::RsaModulus { modulus: modulus.clone() });
            clues.add(Clue::RsaModulus { modulus });
        }
        let Self { scalars, primes, digits, handshakes, .. } = self;
        Gathered { moduli, scalars, primes, digits, handshakes }
    }
}

/// What the second walk leaves to be tried.
pub struct Gathered {
    /// What no structure told of.
    pub moduli: Clues,
    pub scalars: Scalars,
    pub primes: FieldPrimes,
    pub digits: LongDigits,
    pub handshakes: Handshakes,
}
