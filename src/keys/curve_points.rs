//! Points as arithmetic keeps them: whether numbers found side by side are the coordinates of a point of a curve.
//!
//! That a pair of random numbers satisfies a curve's equation has a chance of one in its order, so a pair that does is a
//! public key. Libraries compute with numbers in Montgomery's form (x * R mod p, with R the power of two that the limbs of p
//! have room for) and in projective coordinates, of which Jacobian ones are usual: x = X / Z^2, y = Y / Z^3. OpenSSL keeps the
//! point of a key that it has just made in that form, and that of a key that it was given with Z = 1; both in Montgomery form
//! for P-256 and secp256k1, and as plain numbers for P-384 and P-521.

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U256, U384, U576, Uint, const_monty_params};

use super::ec::{self, Curve};

// The primes of the fields (SEC 2, sections 2.4 to 2.6; FIPS 186-4, appendix D.1.2).
const_monty_params!(P256, U256, "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "P-256's field");
const_monty_params!(
    K256,
    U256,
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    "secp256k1's field"
);
const_monty_params!(
    P384,
    U384,
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    "P-384's field"
);
const_monty_params!(
    P521,
    U576,
    "00000000000001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
     ffffffffffffffffffffffffffffff",
    "P-521's field"
);

// The constants b of y^2 = x^3 - 3x + b.
const B256: U256 = U256::from_be_hex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
const B384: U384 = U384::from_be_hex(
    "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
);
const B521: U576 = U576::from_be_hex(
    "0000000000000051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf0735\
     73df883d2c34f1ef451fd46b503f00",
);

/// How the numbers of a field are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As they are.
    Plain,
    /// Times R.
    Montgomery,
}

impl Kept {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Montgomery];
}

/// The point `04 X Y` of coordinates of which each is given least significant byte first; `z` where they are Jacobian.
/// `None` where they satisfy no equation of that curve.
#[must_use]
pub fn point(curve: Curve, kept: Kept, x: &[u8], y: &[u8], z: Option<&[u8]>) -> Option<Vec<u8>> {
    match curve {
        Curve::P256 => affine(&Equation::p256(), kept, x, y, z),
        Curve::K256 => affine(&Equation::k256(), kept, x, y, z),
        Curve::P384 => affine(&Equation::p384(), kept, x, y, z),
        Curve::P521 => affine(&Equation::p521(), kept, x, y, z),
    }
    .map(|found| octets(curve, &found))
}

/// The points `04 X Y` of which the first number is a coordinate and one of the others is, each given least significant byte first,
/// however they are kept; where coordinates are Jacobian Z is the number behind that other. The same as asking [`point`] of each two in
/// either order, with all that is worked out of one number alone worked out once.
#[must_use]
pub fn points(curve: Curve, first: &[u8], others: &[&[u8]]) -> Vec<Vec<u8>> {
    let found = match curve {
        Curve::P256 => joined(&Equation::p256(), first, others),
        Curve::K256 => joined(&Equation::k256(), first, others),
        Curve::P384 => joined(&Equation::p384(), first, others),
        Curve::P521 => joined(&Equation::p521(), first, others),
    };
    found.iter().map(|found| octets(curve, found)).collect()
}

fn octets(curve: Curve, [x, y]: &[Vec<u8>; 2]) -> Vec<u8> {
    let tail = |bytes: &[u8]| bytes.get(bytes.len().saturating_sub(curve.size())..).unwrap_or_default().to_vec();
    [vec![4], tail(x), tail(y)].concat()
}

/// A number of the curve's field in Montgomery's form, least significant byte first and as long as its limbs. `number` is
/// most significant byte first.
#[must_use]
pub fn montgomery(curve: Curve, number: &[u8]) -> Option<Vec<u8>> {
    let little: Vec<u8> = number.iter().rev().copied().collect();
    match curve {
        Curve::P256 => in_montgomery::<P256, { P256::LIMBS }>(&little),
        Curve::K256 => in_montgomery::<K256, { K256::LIMBS }>(&little),
        Curve::P384 => in_montgomery::<P384, { P384::LIMBS }>(&little),
        Curve::P521 => in_montgomery::<P521, { P521::LIMBS }>(&little),
    }
}

/// The number that bn.js computes with instead of a coordinate of the curve, both most significant byte first: times a power of two with as many bits as
/// the prime has digits of 26 (`Mont` in lib/bn.js), modulo the prime.
#[must_use]
pub fn in_digits(curve: Curve, number: &[u8]) -> Option<Vec<u8>> {
    let little: Vec<u8> = number.iter().rev().copied().collect();
    let times = |bits: usize| bits.next_multiple_of(26);
    match curve {
        Curve::P256 => shifted::<P256, { P256::LIMBS }>(&little, times(256)),
        Curve::K256 => shifted::<K256, { K256::LIMBS }>(&little, times(256)),
        Curve::P384 => shifted::<P384, { P384::LIMBS }>(&little, times(384)),
        Curve::P521 => shifted::<P521, { P521::LIMBS }>(&little, times(521)),
    }
}

fn shifted<M: ConstMontyParams<L>, const L: usize>(little: &[u8], bits: usize) -> Option<Vec<u8>> {
    let number = element::<M, L>(Kept::Plain, little)?;
    let number = (0..bits).fold(number, |number, _| number.double()).retrieve().to_le_bytes();
    Some(number.as_ref().iter().take(little.len()).rev().copied().collect())
}

fn in_montgomery<M: ConstMontyParams<L>, const L: usize>(little: &[u8]) -> Option<Vec<u8>> {
    let number = element::<M, L>(Kept::Plain, little)?;
    Some(number.as_montgomery().to_be_bytes().as_ref().iter().rev().copied().collect())
}

/// The point `04 X Y` of a public key in SEC 1 form, compressed or not, if it is one.
#[must_use]
pub fn decode(curve: Curve, public: &[u8]) -> Option<Vec<u8>> {
    ec::whole_point(curve.oid(), public)
}

/// y^2 = x^3 + ax + b.
pub(super) struct Equation<M: ConstMontyParams<L>, const L: usize> {
    /// Whether a = -3, and not 0.
    minus_three: bool,
    pub b: ConstMontyForm<M, L>,
}

impl Equation<P256, { P256::LIMBS }> {
    pub fn p256() -> Self {
        Self::new(true, B256)
    }
}

impl Equation<K256, { K256::LIMBS }> {
    pub fn k256() -> Self {
        Self::new(false, U256::from_u8(7))
    }
}

impl Equation<P384, { P384::LIMBS }> {
    pub fn p384() -> Self {
        Self::new(true, B384)
    }
}

impl Equation<P521, { P521::LIMBS }> {
    pub fn p521() -> Self {
        Self::new(true, B521)
    }
}

impl<M: ConstMontyParams<L>, const L: usize> Equation<M, L> {
    fn new(minus_three: bool, b: Uint<L>) -> Self {
        Self { minus_three, b: ConstMontyForm::new(&b) }
    }

    /// Whether y^2 = x^3 + axz^4 + bz^6.
    fn holds(&self, x: Element<M, L>, y: Element<M, L>, z: Option<Element<M, L>>) -> bool {
        let (z4, z6) = match z.map(|z| z.square()) {
            Some(z2) => (z2.square(), z2.square() * z2),
            None => (ConstMontyForm::ONE, ConstMontyForm::ONE),
        };
        let linear = self.linear(x).map_or(ConstMontyForm::ZERO, |linear| linear * z4);
        x.square() * x + self.b * z6 + linear == y.square()
    }

    /// x^3 + ax + b.
    pub fn square_of_y(&self, x: Element<M, L>) -> Element<M, L> {
        x.square() * x + self.b + self.linear(x).unwrap_or(ConstMontyForm::ZERO)
    }

    /// ax, unless a = 0.
    pub fn linear(&self, x: Element<M, L>) -> Option<Element<M, L>> {
        self.minus_three.then(|| -(x.double() + x))
    }
}

pub(super) type Element<M, const L: usize> = ConstMontyForm<M, L>;

/// A number with what is asked of it as x, as y and as z.
struct Coordinate<M: ConstMontyParams<L>, const L: usize> {
    number: Element<M, L>,
    square: Element<M, L>,
    cube: Element<M, L>,
    linear: Element<M, L>,
}

impl<M: ConstMontyParams<L>, const L: usize> Coordinate<M, L> {
    fn new(equation: &Equation<M, L>, kept: Kept, bytes: &[u8]) -> Option<Self> {
        let number = element::<M, L>(kept, bytes)?;
        let square = number.square();
        let linear = equation.linear(number).unwrap_or(ConstMontyForm::ZERO);
        Some(Self { number, square, cube: square * number, linear })
    }
}

fn joined<M: ConstMontyParams<L>, const L: usize>(
    equation: &Equation<M, L>,
    first: &[u8],
    others: &[&[u8]],
) -> Vec<[Vec<u8>; 2]> {
    let mut found = Vec::new();
    for kept in Kept::ALL {
        let coordinate = |bytes: &[u8]| Coordinate::new(equation, kept, bytes);
        let Some(first) = coordinate(first) else { continue };
        let others: Vec<_> = others.iter().map(|bytes| coordinate(bytes)).collect();
        for (i, second) in others.iter().enumerate() {
            let Some(second) = second else { continue };
            let third = others.get(i + 1).and_then(Option::as_ref).filter(|third| third.number != ConstMontyForm::ZERO);
            for (x, y) in [(&first, second), (second, &first)] {
                if x.cube + x.linear + equation.b == y.square {
                    found.push(written(x.number, y.number));
                }
            }
            let Some(z) = third else { continue };
            let (z4, bz6) = (z.square.square(), equation.b * z.square.square() * z.square);
            for (x, y) in [(&first, second), (second, &first)] {
                if x.cube + x.linear * z4 + bz6 == y.square {
                    found.extend(flat(x.number, y.number, z.number));
                }
            }
        }
    }
    found
}

/// Affine coordinates of Jacobian ones.
fn flat<M: ConstMontyParams<L>, const L: usize>(
    x: Element<M, L>,
    y: Element<M, L>,
    z: Element<M, L>,
) -> Option<[Vec<u8>; 2]> {
    let inverse = Option::<Element<M, L>>::from(z.invert_vartime())?;
    let square = inverse.square();
    Some(written(x * square, y * square * inverse))
}

fn written<M: ConstMontyParams<L>, const L: usize>(x: Element<M, L>, y: Element<M, L>) -> [Vec<u8>; 2] {
    [x, y].map(|number| number.retrieve().to_be_bytes().as_ref().to_vec())
}

/// x and y, most significant byte first.
fn affine<M: ConstMontyParams<L>, const L: usize>(
    equation: &Equation<M, L>,
    kept: Kept,
    x: &[u8],
    y: &[u8],
    z: Option<&[u8]>,
) -> Option<[Vec<u8>; 2]> {
    let (x, y) = (element::<M, L>(kept, x)?, element(kept, y)?);
    let z = match z {
        Some(z) => Some(element::<M, L>(kept, z).filter(|z| *z != ConstMontyForm::ZERO)?),
        None => None,
    };
    if !equation.holds(x, y, z) {
        return None;
    }
    match z {
        Some(z) => flat(x, y, z),
        None => Some(written(x, y)),
    }
}

/// A number of the field, unless it is too great for it.
pub(super) fn element<M: ConstMontyParams<L>, const L: usize>(kept: Kept, bytes: &[u8]) -> Option<Element<M, L>> {
    // Room for the longest, P-521: this is asked of thousands of places.
    let mut padded = [0; 72];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let number = Uint::<L>::from_le_slice(padded.get(..Uint::<L>::BYTES).filter(|room| bytes.len() <= room.len())?);
    if number >= *M::PARAMS.modulus().as_ref() {
        return None;
    }
    Some(match kept {
        Kept::Plain => ConstMontyForm::new(&number),
        Kept::Montgomery => ConstMontyForm::from_montgomery(number),
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::keys::number::Number;

    pub fn modulus(curve: Curve) -> Number {
        let of = |bytes: &[u8]| Number::from_be(bytes);
        match curve {
            Curve::P256 => of(P256::PARAMS.modulus().as_ref().to_be_bytes().as_ref()),
            Curve::K256 => of(K256::PARAMS.modulus().as_ref().to_be_bytes().as_ref()),
            Curve::P384 => of(P384::PARAMS.modulus().as_ref().to_be_bytes().as_ref()),
            Curve::P521 => of(P521::PARAMS.modulus().as_ref().to_be_bytes().as_ref()),
        }
    }

    pub fn little(number: &Number) -> Vec<u8> {
        number.to_be().into_iter().rev().collect()
    }

    /// The number that stands in memory for `number`.
    pub fn written(curve: Curve, kept: Kept, number: &Number) -> Number {
        let r = Number::power_of_two(curve.size().next_multiple_of(8) as u32 * 8);
        match kept {
            Kept::Plain => number.clone(),
            Kept::Montgomery => number.times(&r).rem(&modulus(curve)).unwrap(),
        }
    }

    /// Jacobian x and y of a point for this z.
    pub fn jacobian(curve: Curve, public: &[u8], z: &Number) -> [Number; 2] {
        let (x, y) = public[1..].split_at(curve.size());
        let (p, z2) = (modulus(curve), z.times(z));
        let (x, y) = (Number::from_be(x).times(&z2), Number::from_be(y).times(&z2).times(z));
        [x.rem(&p).unwrap(), y.rem(&p).unwrap()]
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{jacobian, little, modulus, written};
    use super::*;
    use crate::keys::number::Number;
    use crate::keys::testing::noise;

    fn public(curve: Curve, seed: u64) -> Vec<u8> {
        curve.point(&noise(32, seed)).unwrap()
    }

    #[test]
    fn points_are_told_in_every_form_and_others_are_none() {
        for curve in Curve::ALL {
            for seed in 1..6 {
                let public = public(curve, seed);
                let (x, y) = public[1..].split_at(curve.size());
                let (x, y) = (Number::from_be(x), Number::from_be(y));
                let z = Number::from_be(&noise(curve.size() - 3, seed));
                let [jx, jy] = jacobian(curve, &public, &z);
                for (kept, form) in [(Kept::Plain, false), (Kept::Montgomery, true)] {
                    let given = |n: &Number| little(&written(curve, kept, n));
                    let found = |x: &[u8], y: &[u8], z: Option<&[u8]>| point(curve, kept, x, y, z);
                    assert_eq!(found(&given(&x), &given(&y), None).unwrap(), public, "{curve:?} {kept:?}");
                    let jacobian = found(&given(&jx), &given(&jy), Some(&given(&z)));
                    assert_eq!(jacobian.unwrap(), public, "{curve:?} {kept:?}");
                    assert_eq!(
                        form.then(|| montgomery(curve, &public[1..=curve.size()]).unwrap()),
                        form.then(|| {
                            let mut limbs = given(&x);
                            limbs.resize(curve.size().next_multiple_of(8), 0);
                            limbs
                        })
                    );
                    assert!(found(&given(&y), &given(&x), None).is_none());
                    assert!(found(&given(&jx), &given(&jy), None).is_none());
                }
            }
        }
    }

    #[test]
    fn points_of_a_number_and_others_are_those_of_each_two() {
        for (curve, seed) in Curve::ALL.into_iter().zip(20..) {
            let public = public(curve, seed);
            let (x, y) = public[1..].split_at(curve.size());
            let (x, y) = (Number::from_be(x), Number::from_be(y));
            let z = Number::from_be(&noise(curve.size() - 3, seed));
            let [jx, jy] = jacobian(curve, &public, &z);
            let no = noise(curve.size() - 1, seed + 1);
            for kept in Kept::ALL {
                let given = |n: &Number| little(&written(curve, kept, n));
                let [x, y, z, jx, jy] = [&x, &y, &z, &jx, &jy].map(given);
                let found = |first: &[u8], others: &[&[u8]]| points(curve, first, others);
                for (first, others) in
                    [(&x, &[&no[..], &y][..]), (&y, &[&x, &no]), (&jx, &[&no, &jy, &z, &no]), (&jy, &[&jx, &z])]
                {
                    assert_eq!(found(first, others), [&public[..]], "{curve:?} {kept:?}");
                }
                assert!(found(&x, &[&no, &z]).is_empty() && found(&jx, &[&jy, &no, &z]).is_empty());
                assert!(found(&x, &[]).is_empty() && found(&[0], &[&[0], &[0]]).is_empty());
            }
        }
    }

    #[test]
    fn public_keys_are_read_compressed_or_not_and_checked() {
        for curve in Curve::ALL {
            let mut public = public(curve, 9);
            let compressed = [&[2 + (public.last().unwrap() & 1)], &public[1..=curve.size()]].concat();
            assert_eq!(decode(curve, &public).unwrap(), public);
            assert_eq!(decode(curve, &compressed).unwrap(), public);
            public[5] ^= 1;
            assert!(decode(curve, &public).is_none() && decode(curve, &[]).is_none());
        }
    }

    #[test]
    fn numbers_that_are_too_great_or_too_long_are_none() {
        for curve in Curve::ALL {
            let ones = vec![0xff; curve.size()];
            assert!(point(curve, Kept::Plain, &ones, &ones, None).is_none());
            assert!(point(curve, Kept::Plain, &[1; 80], &[1], None).is_none());
            assert!(point(curve, Kept::Plain, &[0], &[0], Some(&[0])).is_none());
        }
    }

    #[test]
    fn numbers_of_bn_js_are_multiples_by_a_power_of_two() {
        for (curve, bits) in [(Curve::P256, 260), (Curve::K256, 260), (Curve::P384, 390), (Curve::P521, 546)] {
            let number = noise(curve.size() - 1, 3);
            let want = Number::from_be(&number).times(&Number::power_of_two(bits)).rem(&modulus(curve)).unwrap();
            let number = [&[0], &number[..]].concat();
            assert_eq!(Number::from_be(&in_digits(curve, &number).unwrap()), want);
        }
    }
}
