//! Public points whose coordinates stand in different places: those that [`super::bare_points`] sees no point in.
//!
//! A library that keeps a coordinate in an allocation of its own, or in a number with room for a longer one, leaves it between
//! words that are not random, as it leaves a private key; so the places that may hold a private key are the places that may hold
//! a coordinate. All of one size are joined by the equation of each curve of that size ([`point_join`]), which finds points of
//! curves that nothing else in the dump tells of. What a curve gives whose numbers are in use is looked for in Jacobian
//! coordinates too: so OpenSSL keeps the point of a P-256 key that it has just made.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::ec_places::{SIZES, Shape};
use super::ec_scalars::Scalars;
use super::{Clue, Clues};
use crate::keys::base_points::Group;
use crate::keys::curve_points::Kept;
use crate::keys::ec::Curve;
use crate::keys::point_join::Join;

/// Pairs of numbers that may be x and z of Jacobian coordinates. A pair takes a tenth of a microsecond.
const PAIRS: usize = 1 << 17;
/// Numbers on both sides of x that are tried as z, however many there are.
const NEAR: usize = 32;

/// Bytes of a place for the longest coordinate.
const LONGEST: usize = 72;

/// Numbers that may be coordinates, by their size.
#[derive(Debug)]
pub struct Coordinates {
    sizes: [Size; SIZES.len()],
}

#[derive(Debug, Default)]
struct Size {
    /// As limbs, in allocations of their own, in the order of the file.
    alone: Vec<Number>,
    /// As limbs.
    limbs: Vec<Number>,
    /// As limbs and in the other forms.
    all: Vec<Number>,
}

/// Least significant byte first.
type Number = Zeroizing<Vec<u8>>;

impl Coordinates {
    /// Among what may be private keys.
    #[must_use]
    pub fn among(scalars: &Scalars) -> Self {
        Self { sizes: std::array::from_fn(|size| Size::among(scalars, size)) }
    }

    /// The work that is to be done: each item may be done on a thread of its own.
    #[must_use]
    pub fn joins(&self, clues: &Clues) -> Vec<Work<'_>> {
        let in_use: BTreeSet<Group> = clues
            .iter()
            .filter_map(|clue| match clue {
                Clue::CurvePoint { group, .. } | Clue::CurveInUse { group } => Some(*group),
                _ => None,
            })
            .collect();
        let sizes = SIZES.iter().zip(&self.sizes);
        let of_curve = |curve: Curve| {
            sizes
                .clone()
                .filter(move |(words, _)| curve.size().div_ceil(8) == **words)
                .map(move |(_, size)| (curve, size))
        };
        let mut work = Vec::new();
        for (curve, size) in Curve::ALL.into_iter().flat_map(of_curve) {
            let affine = [(Kept::Plain, &size.all), (Kept::Montgomery, &size.limbs)];
            work.extend(affine.map(|(kept, numbers)| Work { join: Join { curve, kept, numbers }, reach: None }));
            if in_use.contains(&Group::Sec1(curve)) {
                let numbers = &size.alone;
                let reach = Some((PAIRS / numbers.len().max(1)).max(NEAR));
                work.extend(Kept::ALL.map(|kept| Work { join: Join { curve, kept, numbers }, reach }));
            }
        }
        work
    }
}

impl Size {
    fn among(scalars: &Scalars, size: usize) -> Self {
        let (mut of, mut alone) = (Self::default(), Vec::new());
        for place in scalars.places(size) {
            let len = if place.bytes.len() == LONGEST { Curve::P521.size() } else { place.bytes.len() };
            let bytes = place.bytes.get(..len).unwrap_or_default();
            of.all.push(number(bytes.iter().rev()));
            if place.shape.is_digits() {
                continue;
            }
            alone.extend(place.is_alone.then(|| (place.at, number(bytes))));
            of.limbs.push(number(bytes));
            of.all.push(number(bytes));
            if place.shape == Shape::Array {
                // Java's words of 4 bytes, from the highest.
                let words = place.bytes.get(..len.next_multiple_of(4)).unwrap_or_default();
                of.all.push(number(words.rchunks(4).flatten().take(len)));
            }
        }
        alone.sort_by_key(|(at, _)| *at);
        of.alone = alone.into_iter().map(|(_, number)| number).collect();
        of
    }
}

fn number<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> Number {
    Zeroizing::new(bytes.into_iter().copied().collect())
}

/// Some numbers that are to be joined.
#[derive(Debug)]
pub struct Work<'a> {
    join: Join<'a>,
    /// How near z is to x; without, affine coordinates are meant.
    reach: Option<usize>,
}

impl Work<'_> {
    /// The points.
    #[must_use]
    pub fn points(&self) -> Vec<Clue> {
        let points = match self.reach {
            Some(reach) => self.join.jacobian(reach),
            None => self.join.affine(),
        };
        let group = Group::Sec1(self.join.curve);
        points.into_iter().map(|public| Clue::CurvePoint { group, public }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::ec_places;
    use crate::keys::curve_points::montgomery;
    use crate::keys::testing::noise;
    use crate::memory::AddressSpace;
    use crate::span::Span;
    use crate::window::Window;

    fn points(bytes: &[u8], in_use: &[Curve]) -> Vec<Clue> {
        let pieces = [Span::new(0, bytes.len() as u64)];
        let window = Window::new(bytes, 0..bytes.len(), &pieces, &[]);
        let mut scalars = Scalars::new(bytes.len() as u64, false);
        let grids = ec_places::grids(&window, &AddressSpace::new(&[]));
        scalars.add(ec_places::places(&window, &grids, &scalars.room()));
        let mut clues = Clues::new(100);
        in_use.iter().for_each(|curve| clues.add(Clue::CurveInUse { group: Group::Sec1(*curve) }));
        let coordinates = Coordinates::among(&scalars);
        let mut found: Vec<Clue> = coordinates.joins(&clues).iter().flat_map(Work::points).collect();
        found.dedup();
        found
    }

    /// Numbers far from each other, with others between them.
    fn memory(numbers: &[Vec<u8>], before: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, number) in numbers.iter().enumerate() {
            (0..10).for_each(|j| bytes.extend([&noise(32, 90 + 10 * i as u64 + j)[..], &[0; 40]].concat()));
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend([&before.to_le_bytes()[..], number, &[0; 1000]].concat());
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }

    /// How a coordinate is written.
    type Written<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

    #[test]
    fn coordinates_in_every_form_make_points_of_curves_that_nobody_named() {
        for curve in Curve::ALL {
            let public = curve.point(&noise(32, 3)).unwrap();
            let want = [Clue::CurvePoint { group: Group::Sec1(curve), public: public.clone() }];
            let (x, y) = public[1..].split_at(curve.size());
            let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
            let forms: [(u64, Written<'_>); 3] = [
                (0x31, &reversed),
                (0x31, &|bytes| montgomery(curve, bytes).unwrap()),
                ((curve.size() as u64).div_ceil(4) << 32 | 0x6c28, &|bytes| {
                    let mut words = [vec![0; bytes.len().next_multiple_of(4) - bytes.len()], bytes.to_vec()].concat();
                    words.chunks_exact_mut(4).for_each(<[u8]>::reverse);
                    words
                }),
            ];
            for (before, form) in forms {
                assert_eq!(points(&memory(&[form(y), form(x)], before), &[]), want, "{curve:?} {before:#x}");
            }
            if curve != Curve::P521 {
                assert_eq!(points(&memory(&[x.to_vec(), y.to_vec()], 0x31), &[]), want, "{curve:?}");
            }
            assert!(points(&memory(&[x.to_vec()], 0x31), &[curve]).is_empty());
        }
    }

    #[test]
    fn a_point_of_openssl_is_found_where_its_curve_is_in_use() {
        use crate::keys::curve_points::testing::{jacobian, little, written};
        use crate::keys::number::Number;
        let public = Curve::P256.point(&noise(32, 3)).unwrap();
        let z = Number::from_be(&noise(32, 4));
        let [x, y] = jacobian(Curve::P256, &public, &z);
        let numbers = [y, x, z].map(|number| little(&written(Curve::P256, Kept::Montgomery, &number)));
        let want = [Clue::CurvePoint { group: Group::Sec1(Curve::P256), public }];
        assert_eq!(points(&memory(&numbers, 0x31), &[Curve::P256]), want);
        assert!(points(&memory(&numbers, 0x31), &[]).is_empty());
    }
}
