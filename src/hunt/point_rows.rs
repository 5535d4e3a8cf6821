//! Public points whose coordinates stand one behind the other, and the numbers beside them, which may be their private keys.
//!
//! Whoever keeps a key as a structure has both halves in it: the crates p256 and p384 (`SigningKey { secret_scalar, verifying_key }`, a
//! point being `x, y, infinity: u8`, all in Montgomery's form but for the scalars of P-256), k256, and libsecp256k1 (`secp256k1_keypair`: the
//! key, x, y). Such a private key ends nowhere, so among all the places that may hold one (`ec_places`) it is as unlikely as
//! thousands of others. Beside a point it is likely, and tried first.
//!
//! k256 and libsecp256k1 compute with five limbs of 52 bits, of which the highest has 48, and p521 with nine of 58 bits, the highest 57: ten
//! words in a row whose highest bits are zeros are next to nowhere else.

use std::ops::Range;

use super::Clue;
use super::bare_points::LONGEST_ROW;
use super::dense::{self, WORD};
use super::ec_places::{Grid, Place, Rank, Run, Shape};
use super::randomness::looks_random;
use crate::keys::base_points::Group;
use crate::keys::curve_points::{self, Kept};
use crate::keys::digits;
use crate::keys::ec::Curve;
use crate::keys::limbs::Likeness;
use crate::window::Window;

/// Coordinates whose limbs leave bits of their words free.
const LOOSE: [Limbs; 2] = [
    Limbs { curve: Curve::K256, count: 5, bits: 52, highest: 48 },
    Limbs { curve: Curve::P521, count: 9, bits: 58, highest: 57 },
];

/// How a coordinate is laid out: how many limbs, of how many bits each, and how many the highest one has.
struct Limbs {
    curve: Curve,
    count: usize,
    bits: u32,
    highest: u32,
}

/// What a window shows.
#[derive(Debug, Default)]
pub struct Rows {
    /// Public keys.
    pub points: Vec<Clue>,
    /// Places beside them, and how long a private key is.
    pub beside: Vec<(usize, Place)>,
}

/// The points that begin in the owned part of the window.
#[must_use]
pub fn seen(window: &Window<'_>, grids: &[Grid]) -> Rows {
    let mut look = Look { window, rows: Rows::default() };
    for grid in grids {
        for run in grid.runs.iter().filter(|run| !run.is_long()) {
            if run.is_random && run.words() <= LONGEST_ROW && window.owned().contains(&run.range.start) {
                look.words(grid, run);
            }
            LOOSE.iter().for_each(|limbs| look.limbs(limbs, run));
        }
    }
    look.rows
}

struct Look<'a> {
    window: &'a Window<'a>,
    rows: Rows,
}

impl Look<'_> {
    /// Coordinates as whole words, perhaps behind a private key.
    fn words(&mut self, grid: &Grid, run: &Run) {
        let window = self.window;
        for curve in [Curve::P256, Curve::K256, Curve::P384] {
            let len = curve.size();
            let like = Likeness::new(2 * len / WORD);
            for at in run.range.clone().step_by(len).filter(|at| at + 2 * len <= run.range.end) {
                let is_random = |at: usize| at + len <= run.range.end && grid.is_random(window, run, at);
                let bytes = |at: usize| window.slice(at..at + len);
                if !is_random(at) || !is_random(at + len) || !like.has(&dense::words(window.slice(at..at + 2 * len))) {
                    continue;
                }
                let (x, y) = (bytes(at), bytes(at + len));
                let z = Some(at + 2 * len).filter(|at| is_random(*at)).map(bytes);
                let big = || curve_points::decode(curve, &[&[4], x, y].concat());
                self.tell(curve, at..at + 2 * len, little(curve, x, y, z).or_else(big));
            }
        }
    }

    /// Coordinates in loose limbs, somewhere in a run or at an end of it: most limbs are full words.
    fn limbs(&mut self, limbs: &Limbs, run: &Run) {
        let (len, both) = (WORD * limbs.count, 2 * WORD * limbs.count);
        let start = run.range.start - len.min(run.range.start / WORD * WORD);
        let words = dense::words(self.window.slice(start..run.range.end + both));
        for (i, words) in words.windows(2 * limbs.count).enumerate().filter(|(_, words)| limbs.may_be(words)) {
            let at = start + WORD * i;
            let (x, y) = words.split_at(limbs.count);
            if self.window.owned().contains(&at) {
                let point = curve_points::point(limbs.curve, Kept::Plain, &limbs.joined(x), &limbs.joined(y), None);
                self.tell(limbs.curve, at..at + both, point);
            }
        }
    }

    /// Tells a point that stands at `range`, and what stands on both sides of it, perhaps with the word of `infinity` or a third
    /// coordinate between.
    fn tell(&mut self, curve: Curve, range: Range<usize>, point: Option<Vec<u8>>) {
        let Some(public) = point else { return };
        self.rows.points.push(Clue::CurvePoint { group: Group::Sec1(curve), public });
        let len = curve.size().next_multiple_of(WORD);
        let before = [len, len + WORD].into_iter().filter_map(|len| range.start.checked_sub(len));
        for at in before.chain([0, WORD, len].map(|gap| range.end + gap)) {
            let bytes = self.window.slice(at..at + len);
            if bytes.len() == len && looks_random(bytes) {
                let spans = self.window.spans(at..at + len);
                let place = Place { rank: Rank::Island, shape: Shape::Words, bytes: bytes.to_vec().into(), spans };
                self.rows.beside.push((len, place));
            }
        }
    }
}

impl Limbs {
    /// Whether the words may be two coordinates, no more than one limb of which is small, by an accident.
    fn may_be(&self, words: &[u64]) -> bool {
        let bits = |i: usize| if i % self.count == self.count - 1 { self.highest } else { self.bits };
        // The first words decide for nearly all.
        let fits = words.iter().enumerate().all(|(i, word)| word >> bits(i) == 0);
        fits && words.iter().filter(|word| **word >> 32 == 0).count() <= 1
    }

    /// The number that the limbs of a coordinate make, least significant byte first.
    fn joined(&self, limbs: &[u64]) -> Vec<u8> {
        let mut bytes = digits::joined(limbs.iter().copied(), self.bits as usize).to_vec();
        // The highest limb has no more bits than fit.
        bytes.truncate(self.curve.size());
        bytes
    }
}

/// The point of coordinates that are least significant byte first; the third one may belong to something else.
fn little(curve: Curve, x: &[u8], y: &[u8], z: Option<&[u8]>) -> Option<Vec<u8>> {
    let forms = Kept::ALL.into_iter();
    let mut points = forms.flat_map(|kept| [Some((kept, None)), z.map(|z| (kept, Some(z)))]).flatten();
    points.find_map(|(kept, z)| curve_points::point(curve, kept, x, y, z))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    /// What windows that own so many bytes each tell: points, and places beside them.
    fn rows(bytes: &[u8], window: usize) -> (Vec<Clue>, Vec<usize>) {
        let (memory, pieces) = (AddressSpace::new(&[]), [Span::new(0, bytes.len() as u64)]);
        let (mut points, mut beside) = (Vec::new(), Vec::new());
        for from in (0..bytes.len()).step_by(window) {
            let window = Window::new(bytes, from..(from + window).min(bytes.len()), &pieces, &[]);
            let rows = seen(&window, &ec_places::grids(&window, &memory));
            points.extend(rows.points);
            beside.extend(rows.beside.iter().map(|(_, place)| place.spans[0].from() as usize));
        }
        points.dedup();
        beside.sort_unstable();
        beside.dedup();
        (points, beside)
    }

    fn loose(limbs: &Limbs, number: &[u8]) -> Vec<u8> {
        let bit = |i: usize| number[number.len() - 1 - i / 8] >> (i % 8) & 1;
        let (bits, all) = (limbs.bits as usize, 8 * number.len());
        let limb =
            |n: usize| (bits * n..(bits * (n + 1)).min(all)).rev().fold(0_u64, |limb, i| limb << 1 | u64::from(bit(i)));
        (0..limbs.count).flat_map(|n| limb(n).to_le_bytes()).collect()
    }

    #[test]
    fn private_keys_are_told_on_both_sides_of_their_points() {
        for curve in Curve::ALL {
            let len = curve.size();
            let (scalar, public) = (noise(len.next_multiple_of(8), 5), curve.point(&noise(32, 5)).unwrap());
            let (x, y) = public[1..].split_at(len);
            let words = |c: &[u8]| curve_points::montgomery(curve, c).unwrap();
            let as_words = (curve != Curve::P521).then(|| [words(x), words(y)].concat());
            let as_limbs = LOOSE.iter().filter(|limbs| limbs.curve == curve);
            let as_limbs = as_limbs.map(|limbs| [loose(limbs, x), loose(limbs, y)].concat());
            for row in as_words.into_iter().chain(as_limbs) {
                for (before, after) in [(&scalar[..], &[][..]), (&[], &scalar), (&[], &[&[0; 8], &scalar[..]].concat())]
                {
                    let bytes = [&[0; 256][..], &[1, 0, 0, 0, 0, 0, 0, 0], before, &row, after, &[0; 256]].concat();
                    let at = memchr::memmem::find(&bytes, &scalar).unwrap();
                    for window in [bytes.len(), 64, 40] {
                        let (points, beside) = rows(&bytes, window);
                        assert_eq!(points, [Clue::CurvePoint { group: Group::Sec1(curve), public: public.clone() }]);
                        assert!(beside.contains(&at), "{curve:?} {window}");
                    }
                }
            }
        }
    }

    #[test]
    fn limbs_that_are_no_point_are_nothing() {
        let words: Vec<u8> =
            (0..4000).flat_map(|i| (0x000f_1234_5678_9abc_u64 ^ (i * 0x5_4321_0987)).to_le_bytes()).collect();
        assert_eq!(rows(&words, 1 << 12), (Vec::new(), Vec::new()));
        assert_eq!(rows(&noise(1 << 16, 4), 1 << 14), (Vec::new(), Vec::new()));
    }
}
