//! Private keys of elliptic curves that are nothing but a number, proven by the public key that follows from it.
//!
//! Places that may hold one ([`super::ec_places`]) are gathered while the image is walked, as many as a budget allows that
//! follows from the length of the image alone: the most likely first, and of equals those whose bytes have the lowest hash,
//! so the windows and the threads do not matter. Then each is multiplied by the generator of every group of which a public
//! key is known, and the result is looked up among all public keys at once, and among the places: whoever has a private key
//! mostly keeps the point too, as limbs, plain or in Montgomery's form. The budget is there because a multiplication takes
//! microseconds; what it leaves out is told.
//!
//! Scalars are read as limbs (of any width, least significant first), as bytes from the highest, as Java's `int[]` and as
//! CPython's digits; where they stand alone or in an allocation also as limbs in Montgomery's form.
//! Keys of Curve25519 are bytes: the seed, the clamped or reduced scalar of Ed25519, and the secret of X25519.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::dense::WORD;
use super::digits;
use super::ec_places::{self, Place, Places, Rank, Room, SIZES, Shape};
use super::least::Least;
use super::{Clue, Clues};
use crate::detect::{Far, Hits};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece};
use crate::keys::base_points::{self, EdwardsForm, Group, Name};
use crate::keys::ec::{self, Curve};
use crate::keys::{FoundKey, curve_points, edwards, mont_scalars};
use crate::span::Span;

/// Places of one size in an allocation of their own that are kept of any image, and one more for so many bytes of it. A
/// process has some hundred in 100 MB.
const LIKELY: (usize, u64) = (4096, 64 << 10);
/// Other places: a sample, of which few are tried, since a key stands at one in some ten thousand.
const OTHERS: (usize, u64) = (64, 1 << 20);
/// How many times as many of both where the user asks for a key of a curve.
const ASKED: [usize; 2] = [16, 64];
/// Places that are tried together: divisions are made once for all of them.
const BATCH: usize = 256;

/// Places of the whole image.
#[derive(Debug)]
pub struct Scalars {
    sizes: [Size; SIZES.len()],
    room: Arc<Room>,
}

/// Places of keys of one size.
#[derive(Debug)]
struct Size {
    /// Alone or in an allocation.
    likely: Kept,
    others: Kept,
    all: u64,
}

/// The first places in order of rank and hash.
type Kept = Least<(Rank, u64), Known>;

/// Bytes that are to be tried, wherever they stand.
#[derive(Debug)]
struct Known {
    shape: Shape,
    /// Whether they stand alone or in an allocation.
    is_alone: bool,
    bytes: Zeroizing<Vec<u8>>,
    /// The first place of them.
    spans: Vec<Span>,
    places: u64,
}

/// A place that is kept, to be read.
pub(super) struct KeptPlace<'a> {
    pub shape: Shape,
    pub bytes: &'a [u8],
    /// Where it begins in the file.
    pub at: Option<Span>,
    /// Whether it stands alone or in an allocation.
    pub is_alone: bool,
}

/// Places that are tried together in a group: of the longest scalars all but a few are passed over for their first byte.
fn together(group: Group) -> usize {
    if group == Group::Sec1(Curve::P521) { 32 * BATCH } else { BATCH }
}

impl Scalars {
    /// None, with room for those of an image of `len` bytes; with more of it where the user asks for a key, and waits.
    #[must_use]
    pub fn new(len: u64, is_asked_for: bool) -> Self {
        let [likely, others] = if is_asked_for { ASKED } else { [1, 1] };
        let most = |times: usize, (least, one): (usize, u64)| {
            let most = least.saturating_add(usize::try_from(len / one).unwrap_or(usize::MAX / 2));
            most.saturating_mul(times)
        };
        let size =
            |_| Size { likely: Kept::new(most(likely, LIKELY)), others: Kept::new(most(others, OTHERS)), all: 0 };
        Self { sizes: std::array::from_fn(size), room: Arc::default() }
    }

    /// What there is room for, to be asked where places are seen.
    #[must_use]
    pub fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }

    /// Adds the places of a window. The order of adding does not matter.
    pub fn add(&mut self, places: Places) {
        let sizes = self.sizes.iter_mut().enumerate();
        for ((at, size), (told, all)) in sizes.zip(places.told.into_iter().zip(places.all)) {
            size.all += all;
            for place in told {
                add(if place.rank <= Rank::Chunk { &mut size.likely } else { &mut size.others }, place);
            }
            for (rank, hash) in [&size.likely, &size.others].into_iter().filter_map(Kept::last) {
                self.room.ends_with(at, *rank, *hash);
            }
        }
    }

    /// How many places were tried for the sizes that the clues ask for, and how many there are.
    #[must_use]
    pub fn tried(&self, targets: &Targets) -> (u64, u64) {
        let sizes = SIZES.iter().zip(&self.sizes).filter(|(words, _)| targets.groups_of(**words).next().is_some());
        sizes
            .fold((0, 0), |(tried, all), (_, size)| (tried + count(&size.likely) + count(&size.others), all + size.all))
    }

    /// The work that is to be done: each item may be done on a thread of its own.
    #[must_use]
    pub fn batches<'a>(&'a self, targets: &'a Targets, words: &'a Seen<'a>) -> Vec<Batch<'a>> {
        let mut batches = Vec::new();
        for (&size, kept) in SIZES.iter().zip(&self.sizes) {
            let known: Vec<&Known> = kept.known().collect();
            for group in targets.groups_of(size) {
                batches.extend(known.chunks(together(group)).map(|known| Batch {
                    group,
                    known: known.to_vec(),
                    targets,
                    words,
                }));
            }
            // No number in memory tells that somebody computes on Curve25519, but few places stand alone.
            let unknown = Group::CURVE25519.into_iter().filter(|group| !targets.groups.contains_key(group));
            for group in unknown.filter(|group| group.size() == WORD * size) {
                let alone: Vec<&Known> = kept.likely.values().collect();
                batches.extend(alone.chunks(BATCH).map(|known| Batch { group, known: known.to_vec(), targets, words }));
            }
        }
        batches
    }

    /// What is kept of one of [`SIZES`].
    pub(super) fn places(&self, size: usize) -> impl Iterator<Item = KeptPlace<'_>> {
        self.sizes.get(size).into_iter().flat_map(|size| {
            let alone = size.likely.values().map(|known| known.place(true));
            alone.chain(size.others.values().map(|known| known.place(false)))
        })
    }

    /// All that is kept, to be looked up.
    #[must_use]
    pub fn seen(&self) -> Seen<'_> {
        let known = || self.sizes.iter().flat_map(Size::known);
        Seen {
            by_hash: known().map(|known| (ec_places::hash(&known.bytes), known)).collect(),
            has_scripts: known().any(|known| digits::curves_of(known.shape, &known.bytes).next().is_some()),
        }
    }
}

/// What is kept, by its hash.
#[derive(Debug)]
pub struct Seen<'a> {
    by_hash: HashMap<u64, &'a Known>,
    /// Whether some of it is in digits of libraries in JavaScript.
    has_scripts: bool,
}

impl Seen<'_> {
    fn has(&self, bytes: &[u8]) -> bool {
        self.by_hash.get(&ec_places::hash(bytes)).is_some_and(|known| *known.bytes == bytes)
    }

    /// Whether the coordinate stands somewhere as arithmetic keeps it.
    fn has_coordinate(&self, curve: Curve, x: &[u8]) -> bool {
        let mut little: Vec<u8> = x.iter().rev().copied().collect();
        little.resize(x.len().next_multiple_of(8), 0);
        self.has(&little)
            || curve_points::montgomery(curve, x).is_some_and(|limbs| self.has(&limbs))
            || self.has_scripts && (self.has(x) || curve_points::in_digits(curve, x).is_some_and(|x| self.has(&x)))
    }
}

impl Known {
    fn place(&self, is_alone: bool) -> KeptPlace<'_> {
        KeptPlace { shape: self.shape, bytes: &self.bytes, at: self.spans.first().copied(), is_alone }
    }
}

impl Size {
    fn known(&self) -> impl Iterator<Item = &Known> {
        self.likely.values().chain(self.others.values())
    }
}

/// Keeps a place.
fn add(kept: &mut Kept, Place { rank, shape, bytes, spans }: Place) {
    let hash = ec_places::hash(&bytes);
    let known = Known { shape, is_alone: rank <= Rank::Chunk, bytes, spans, places: 1 };
    kept.add((rank, hash), known, |known, more| {
        known.places += more.places;
        known.shape = known.shape.max(more.shape);
        if more.spans < known.spans {
            known.spans = more.spans;
        }
    });
}

/// How many places there are of what is kept.
fn count(kept: &Kept) -> u64 {
    kept.values().map(|known| known.places).sum()
}

/// The public keys whose private keys are looked for.
#[derive(Debug, Default)]
pub struct Targets {
    groups: BTreeMap<Group, HashMap<Name, Vec<Vec<u8>>>>,
}

impl Targets {
    /// Those that the clues tell of.
    #[must_use]
    pub fn new(clues: &Clues) -> Self {
        let mut targets = Self::default();
        for clue in clues.iter() {
            match clue {
                Clue::CurvePoint { group, public } => {
                    let known = targets.groups.entry(*group).or_default();
                    group
                        .name_of(public)
                        .into_iter()
                        .for_each(|name| known.entry(name).or_default().push(public.clone()));
                }
                Clue::CurveInUse { group } => drop(targets.groups.entry(*group).or_default()),
                _ => {}
            }
        }
        targets
    }

    fn groups_of(&self, words: usize) -> impl Iterator<Item = Group> + '_ {
        self.groups.keys().copied().filter(move |group| group.size().div_ceil(8) == words)
    }

    fn publics(&self, group: Group, name: Option<&Name>) -> &[Vec<u8>] {
        let known = self.groups.get(&group).zip(name).and_then(|(known, name)| known.get(name));
        known.map(Vec::as_slice).unwrap_or_default()
    }
}

/// Some places that are to be tried in one group.
#[derive(Debug)]
pub struct Batch<'a> {
    group: Group,
    known: Vec<&'a Known>,
    targets: &'a Targets,
    words: &'a Seen<'a>,
}

/// A way to read the bytes of a place.
struct Reading<'a> {
    known: &'a Known,
    /// What is multiplied.
    scalar: Zeroizing<Vec<u8>>,
    /// Bytes of the place that it was read from.
    len: usize,
    form: Form,
}

impl Batch<'_> {
    /// The keys that are proven.
    #[must_use]
    pub fn hits(&self) -> Hits {
        let mut hits = Hits::default();
        match self.group {
            Group::Sec1(curve) => self.sec1(curve, &mut hits),
            Group::Ed25519 => {
                self.edwards(EdwardsForm::Seed, Piece::Seed, &mut hits);
                self.edwards(EdwardsForm::Scalar, Piece::D, &mut hits);
            }
            Group::X25519 => self.x25519(&mut hits),
        }
        hits
    }

    fn sec1(&self, curve: Curve, hits: &mut Hits) {
        let readings: Vec<Reading<'_>> = self.known.iter().flat_map(|known| Reading::of(known, curve)).collect();
        let scalars: Vec<&[u8]> = readings.iter().map(|reading| reading.scalar.as_slice()).collect();
        for (reading, name) in readings.iter().zip(base_points::sec1(curve, &scalars)) {
            for public in self.targets.publics(self.group, name.as_ref()) {
                tell(ec::ec_key(curve.oid(), &reading.scalar, Some(public)), reading, hits);
            }
            if name.is_some_and(|x| self.words.has_coordinate(curve, &x)) {
                let public = curve.point(&reading.scalar);
                tell(ec::ec_key(curve.oid(), &reading.scalar, public.as_deref()), reading, hits);
            }
        }
    }

    fn edwards(&self, kind: EdwardsForm, piece: Piece, hits: &mut Hits) {
        let (readings, secrets) = self.bytes(piece, |secret| kind == EdwardsForm::Seed || may_be_scalar(secret));
        for ((reading, secret), name) in readings.iter().zip(&*secrets).zip(base_points::ed25519(kind, &secrets)) {
            for public in
                self.targets.publics(self.group, Some(&name)).iter().chain(self.words.has(&name).then_some(&name))
            {
                let key = match kind {
                    EdwardsForm::Seed => edwards::ed25519_key(secret, Some(public)),
                    EdwardsForm::Scalar => {
                        let prefix = reading.known.bytes.get(secret.len()..).filter(|prefix| !prefix.is_empty());
                        public.first_chunk().and_then(|public| edwards::ed25519_scalar(secret, prefix, public))
                    }
                };
                tell(key, reading, hits);
            }
        }
    }

    fn x25519(&self, hits: &mut Hits) {
        let (readings, secrets) = self.bytes(Piece::D, |_| true);
        for (reading, name) in readings.iter().zip(base_points::x25519(&secrets)) {
            for public in
                self.targets.publics(self.group, Some(&name)).iter().chain(self.words.has(&name).then_some(&name))
            {
                tell(edwards::x25519_key(&reading.scalar, Some(public)), reading, hits);
            }
        }
    }

    /// The bytes of the places that `may` be a secret, as they stand.
    fn bytes(&self, piece: Piece, may: impl Fn(&[u8; 32]) -> bool) -> (Vec<Reading<'_>>, Zeroizing<Vec<[u8; 32]>>) {
        let mut secrets = Zeroizing::new(Vec::new());
        let mut readings = Vec::new();
        for known in self.known.iter().filter(|known| !known.shape.is_digits()) {
            if let Some(secret) = known.bytes.first_chunk().filter(|secret| may(secret)) {
                secrets.push(*secret);
                // Only scalars of Ed25519 are places with more behind them: the other half of the hash.
                let is_expanded = piece == Piece::D && known.bytes.len() > secret.len();
                let (piece, len) =
                    if is_expanded { (Piece::Expanded, known.bytes.len()) } else { (piece, secret.len()) };
                let form = Form { layout: Layout::Bare, encoding: Encoding::Plain, piece };
                readings.push(Reading { known, scalar: known.bytes.clone(), len, form });
            }
        }
        (readings, secrets)
    }
}

/// Whether it is clamped (RFC 8032, section 5.1.5), or below the order of the group, which is a little more than 2^252.
fn may_be_scalar(secret: &[u8; 32]) -> bool {
    let [low, .., high] = *secret;
    low & 7 == 0 && high & 0xc0 == 0x40 || high <= 0x10
}

impl<'a> Reading<'a> {
    fn of(known: &'a Known, curve: Curve) -> Vec<Self> {
        let len = curve.size();
        let read = |encoding, taken: usize, order: fn(&mut [u8])| {
            let mut scalar = Zeroizing::new(known.bytes.get(..taken)?.to_vec());
            order(&mut scalar);
            // Java's words of 4 bytes are two bytes more than the longest scalar has.
            let (zeros, rest) = scalar.split_at(taken - len);
            let scalar = zeros.iter().all(|b| *b == 0).then(|| Zeroizing::new(rest.to_vec()))?;
            // Of random bytes, those that begin with zero bits are not worth a look.
            (curve != Curve::P521 || scalar.first().is_some_and(|first| *first < 2)).then_some(())?;
            Some(Self { known, scalar, len: taken, form: Form { layout: Layout::Bare, encoding, piece: Piece::D } })
        };
        let words = |bytes: &mut [u8]| bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let readings = match known.shape {
            Shape::Digits(encoding) => [read(encoding, len, |_| ()), None, None],
            Shape::Array => [
                read(Encoding::LittleEndian, len, <[u8]>::reverse),
                read(Encoding::Plain, len, |_| ()),
                read(Encoding::Words32, len.next_multiple_of(4), words),
            ],
            Shape::Words => [
                read(Encoding::LittleEndian, len, <[u8]>::reverse),
                read(Encoding::Plain, len, |_| ()),
                known.is_alone.then(|| Self::montgomery(known, curve)).flatten(),
            ],
        };
        readings.into_iter().flatten().collect()
    }
}

impl<'a> Reading<'a> {
    /// The limbs of what arithmetic keeps instead of a scalar.
    fn montgomery(known: &'a Known, curve: Curve) -> Option<Self> {
        let len = curve.size().next_multiple_of(WORD);
        let scalar = mont_scalars::plain(curve, known.bytes.get(..len)?)?;
        let form = Form { layout: Layout::Bare, encoding: Encoding::LittleEndian, piece: Piece::DMont };
        Some(Self { known, scalar, len, form })
    }
}

fn tell(key: Option<FoundKey>, reading: &Reading<'_>, hits: &mut Hits) {
    let Some(key) = key.filter(|key| key.evidence == Evidence::Proven) else { return };
    let written = if reading.known.shape.is_digits() { usize::MAX } else { reading.len };
    let mut left = written as u64;
    let cut = |span: &Span| {
        let len = span.len.min(left);
        left -= len;
        (len > 0).then(|| Span::new(span.from(), len))
    };
    let spans = reading.known.spans.iter().filter_map(cut).collect();
    hits.far.push(Far { hit: key.at(0..reading.len, reading.form), spans });
}

#[cfg(test)]
mod tests;
