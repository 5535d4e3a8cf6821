//! Points of which each coordinate stands somewhere: numbers joined by the equation of a curve.
//!
//! Allocators put the two coordinates of a public key anywhere, so to try each number with its neighbours finds some points and
//! misses others. The equation has y on one side and x on the other: where the square of one number is the cube, and so on, of
//! another one, they are the point. So both sides are computed of every number once and looked up, and n numbers take n steps.
//!
//! In Jacobian coordinates there are three numbers, and each pair of a possible x and z gives the square of a y. Of pairs there
//! are too many, so z is taken from among those that stand near x; the y of the two may be anywhere.

use std::collections::HashMap;
use std::ops::Range;

use crypto_bigint::modular::ConstMontyParams;

use zeroize::Zeroizing;

use super::curve_points::{Element, Equation, K256, Kept, P256, P384, P521, element, point};
use super::ec::Curve;

/// Points of a curve among numbers of it.
#[derive(Clone, Copy, Debug)]
pub struct Join<'a> {
    /// Which curve.
    pub curve: Curve,
    /// How the numbers are kept.
    pub kept: Kept,
    /// The numbers, least significant byte first. Those that stand near each other in memory follow each other.
    pub numbers: &'a [Zeroizing<Vec<u8>>],
}

impl Join<'_> {
    /// Every point `04 X Y` whose coordinates are among the numbers.
    #[must_use]
    pub fn affine(self) -> Vec<Vec<u8>> {
        self.points(0)
    }

    /// Every point whose Jacobian coordinates are among the numbers, z at most `reach` of them away from x.
    #[must_use]
    pub fn jacobian(self, reach: usize) -> Vec<Vec<u8>> {
        self.points(reach.max(1))
    }

    fn points(self, reach: usize) -> Vec<Vec<u8>> {
        match self.curve {
            Curve::P256 => self.joined(&Equation::<P256, { P256::LIMBS }>::p256(), reach),
            Curve::K256 => self.joined(&Equation::<K256, { K256::LIMBS }>::k256(), reach),
            Curve::P384 => self.joined(&Equation::<P384, { P384::LIMBS }>::p384(), reach),
            Curve::P521 => self.joined(&Equation::<P521, { P521::LIMBS }>::p521(), reach),
        }
    }

    /// With a reach of 0, of affine coordinates.
    fn joined<M: ConstMontyParams<L>, const L: usize>(self, equation: &Equation<M, L>, reach: usize) -> Vec<Vec<u8>> {
        let numbers = self.numbers.iter().map(|number| element::<M, L>(self.kept, number));
        let numbers: Vec<Option<Element<M, L>>> = numbers.collect();
        let mut squares = Squares::default();
        numbers
            .iter()
            .enumerate()
            .for_each(|(y, number)| squares.extend(number.map(|number| (low(number.square()), y))));
        let mut points = Vec::new();
        let mut told = |x: usize, y: usize, z: Option<usize>| {
            let number = |at: usize| self.numbers.get(at).map(|number| number.as_slice());
            if let (Some(x), Some(y)) = (number(x), number(y)) {
                points.extend(point(self.curve, self.kept, x, y, z.and_then(number)));
            }
        };
        if reach == 0 {
            for (x, number) in numbers.iter().enumerate() {
                let square = number.map(|number| low(equation.square_of_y(number)));
                square.iter().flat_map(|square| squares.of(*square)).for_each(|y| told(x, y, None));
            }
            return points;
        }
        // Of x and of z, what the equation needs of them: x^3 and ax, z^4 and bz^6.
        let xs: Vec<_> = numbers.iter().map(|x| x.map(|x| (x.square() * x, equation.linear(x)))).collect();
        let zs = numbers.iter().map(|z| z.map(|z| z.square()).map(|z2| (z2.square(), equation.b * z2.square() * z2)));
        let zs: Vec<_> = zs.collect();
        for (x, (cube, linear)) in xs.iter().enumerate().filter_map(|(x, of)| Some((x, (*of)?))) {
            let near = near(x, reach, zs.len());
            for (z, (fourth, sixth)) in
                near.clone().zip(zs.get(near).unwrap_or_default()).filter_map(|(z, of)| Some((z, (*of)?)))
            {
                let square = match linear {
                    Some(linear) => cube + linear * fourth + sixth,
                    None => cube + sixth,
                };
                squares.of(low(square)).for_each(|y| told(x, y, Some(z)));
            }
        }
        points
    }
}

fn near(at: usize, reach: usize, len: usize) -> Range<usize> {
    at.saturating_sub(reach)..(at + reach + 1).min(len)
}

/// A limb that tells a number of a field apart from nearly every other one.
fn low<M: ConstMontyParams<L>, const L: usize>(number: Element<M, L>) -> u64 {
    number.as_montgomery().as_words().first().copied().unwrap_or(0)
}

/// Which numbers have a square. Most of what is asked for is none, which one bit of a small table tells.
struct Squares {
    may_be: Vec<u64>,
    numbers: HashMap<u64, Vec<usize>>,
}

/// Bits of the table, as a power of two: it stays in the cache.
const TABLE: u32 = 18;

impl Default for Squares {
    fn default() -> Self {
        Self { may_be: vec![0; 1 << (TABLE - 6)], numbers: HashMap::new() }
    }
}

impl Extend<(u64, usize)> for Squares {
    fn extend<I: IntoIterator<Item = (u64, usize)>>(&mut self, squares: I) {
        for (square, number) in squares {
            let (at, bit) = Self::slot(square);
            self.may_be.get_mut(at).into_iter().for_each(|word| *word |= bit);
            self.numbers.entry(square).or_default().push(number);
        }
    }
}

impl Squares {
    fn of(&self, square: u64) -> impl Iterator<Item = usize> + '_ {
        let (at, bit) = Self::slot(square);
        let may_be = self.may_be.get(at).is_some_and(|word| word & bit != 0);
        may_be.then(|| self.numbers.get(&square)).flatten().into_iter().flatten().copied()
    }

    fn slot(square: u64) -> (usize, u64) {
        let bit = square >> (64 - TABLE);
        ((bit >> 6) as usize, 1 << (bit & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::curve_points::testing::{jacobian, little, written};
    use crate::keys::number::Number;
    use crate::keys::testing::noise;

    /// Coordinates of a key among others, far apart and in any order.
    fn among_others(curve: Curve, coordinates: &[Vec<u8>]) -> Vec<Zeroizing<Vec<u8>>> {
        let len = curve.size() - usize::from(curve == Curve::P521);
        let mut numbers: Vec<Vec<u8>> = (0..60).map(|i| noise(len, 1000 + i)).collect();
        coordinates.iter().zip([40, 3, 55]).for_each(|(number, at)| numbers.insert(at, number.clone()));
        numbers.into_iter().map(Zeroizing::new).collect()
    }

    #[test]
    fn coordinates_anywhere_are_joined_to_their_point() {
        for (curve, kept) in Curve::ALL.into_iter().flat_map(|curve| Kept::ALL.map(|kept| (curve, kept))) {
            let public = curve.point(&noise(32, 7)).unwrap();
            let (x, y) = public[1..].split_at(curve.size());
            let coordinates = [x, y].map(|number| little(&written(curve, kept, &Number::from_be(number))));
            let numbers = among_others(curve, &coordinates);
            let join = Join { curve, kept, numbers: &numbers };
            assert_eq!(join.affine(), [public], "{curve:?} {kept:?}");
            assert!(join.jacobian(100).is_empty());
            assert!(Join { numbers: &among_others(curve, &coordinates[..1]), ..join }.affine().is_empty());
        }
    }

    #[test]
    fn jacobian_coordinates_are_joined_where_z_is_near() {
        for (curve, kept) in Curve::ALL.into_iter().flat_map(|curve| Kept::ALL.map(|kept| (curve, kept))) {
            let public = curve.point(&noise(32, 8)).unwrap();
            let z = Number::from_be(&noise(curve.size() - 3, 9));
            let [x, y] = jacobian(curve, &public, &z);
            let coordinates = [x, y, z].map(|number| little(&written(curve, kept, &number)));
            let numbers = among_others(curve, &coordinates);
            let join = Join { curve, kept, numbers: &numbers };
            assert_eq!(join.jacobian(20), [public], "{curve:?} {kept:?}");
            assert!(join.jacobian(10).is_empty() && join.affine().is_empty());
        }
    }

    #[test]
    fn numbers_that_no_field_has_are_passed_over() {
        for curve in Curve::ALL {
            let numbers = [vec![0xff; curve.size()], Vec::new(), vec![1; 100]].map(Zeroizing::new);
            let join = Join { curve, kept: Kept::Plain, numbers: &numbers };
            assert!(join.affine().is_empty() && join.jacobian(3).is_empty());
            assert!(Join { numbers: &[], ..join }.jacobian(3).is_empty());
        }
    }
}
