//! Multiples of the base point of Curve25519, many at once ([`super::fixed_base`]).
//!
//! X25519 tells u of Montgomery's curve v^2 = u^3 + 486662 u^2 + u. Ed25519 tells points of Edwards' curve, which are those
//! of the other one in other coordinates (RFC 7748, section 4.1): x = sqrt(-486664) * u / v, y = (u - 1) / (u + 1).

use std::ops::{Add, Mul, Sub};
use std::sync::LazyLock;

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{Limb, U256, const_monty_params};
use curve25519_dalek::Scalar;
use zeroize::{DefaultIsZeroes, Zeroizing};

use super::fixed_base::{self, Field, Multiples, Point, Table};

const_monty_params!(
    Prime,
    U256,
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
    "The field of Curve25519, for what is divided."
);

/// What twice the prime of the field is less than 2^256: modulo that, a product is reduced by two small multiplications, in half of
/// the time that Montgomery's form takes.
const SHORT_OF: Limb = Limb(38);

/// A number modulo twice the prime, so that each number of the field has two.
#[derive(Clone, Copy, Debug, Default)]
struct Element(U256);

impl DefaultIsZeroes for Element {}

impl Add for Element {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.add_mod_special(&other.0, SHORT_OF))
    }
}

impl Sub for Element {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.sub_mod_special(&other.0, SHORT_OF))
    }
}

impl Mul for Element {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(self.0.mul_mod_special(&other.0, SHORT_OF))
    }
}

impl Element {
    /// The number below the prime.
    fn reduced(&self) -> U256 {
        let prime = Prime::PARAMS.modulus().as_ref();
        if self.0 < *prime { self.0 } else { self.0.wrapping_sub(prime) }
    }
}

const A: Element = number("0000000000000000000000000000000000000000000000000000000000076d06");
/// u and v of the base point (RFC 7748).
const BASE: [Element; 2] = [
    number("0000000000000000000000000000000000000000000000000000000000000009"),
    number("20ae19a1b8a086b4e01edd2c7748d14c923d4d7e6d7c61b229e9c5a27eced3d9"),
];
/// The square root of -486664 with which that becomes the base point of Ed25519 (RFC 8032).
const ROOT: Element = number("70d9120b9f5ff9442d84f723fc03b0813a5e2c2eb482e57d3391fb5500ba81e7");
const BYTES: usize = 32;
const BITS: usize = 8;

const fn number(hex: &str) -> Element {
    Element(U256::from_be_hex(hex))
}

struct Montgomery;

impl Field for Montgomery {
    type Element = Element;

    const ONE: Element = Element(U256::ONE);
    const SECOND: Option<Element> = Some(A);

    fn inverse(number: &Element) -> Option<Element> {
        let number = ConstMontyForm::<Prime, { Prime::LIMBS }>::new(&number.reduced());
        number.invert_vartime().into_option().map(|inverse| Element(inverse.retrieve()))
    }
}

static TABLE: LazyLock<Option<Table<Montgomery>>> = LazyLock::new(|| {
    let [x, y] = BASE;
    let mut point = Point { x, y };
    let mut powers = Vec::with_capacity(BYTES);
    for _ in 0..BYTES {
        powers.push([point, double(point)?]);
        for _ in 0..BITS {
            point = double(point)?;
        }
    }
    Table::new(&powers)
});

fn double(point: Point<Element>) -> Option<Point<Element>> {
    let square = point.x * point.x;
    let rise = square + square + square + A * (point.x + point.x) + Montgomery::ONE;
    let slope = rise * Montgomery::inverse(&(point.y + point.y))?;
    let x = slope * slope - A - point.x - point.x;
    Some(Point { x, y: slope * (point.x - x) - point.y })
}

fn multiples(scalars: &[Scalar]) -> Option<Multiples<Element>> {
    let digit = |scalar: &Scalar, i: usize| scalar.as_bytes().get(i).copied().unwrap_or(0);
    TABLE.as_ref()?.multiples(scalars, digit)
}

/// u of the base point's multiples, least significant byte first, none for zero times.
pub(super) fn x25519(scalars: &[Scalar]) -> Option<Vec<Option<[u8; BYTES]>>> {
    let multiples = multiples(scalars)?;
    Some(multiples.iter().map(|point| point.as_ref().map(|point| bytes(&point.x))).collect())
}

/// The base point's multiples as Ed25519 writes them, none for zero times: y, least significant byte first, and in its
/// highest bit whether x is odd.
pub(super) fn ed25519(scalars: &[Scalar]) -> Option<Vec<Option<[u8; BYTES]>>> {
    let multiples = multiples(scalars)?;
    // Both divisors of a point have one inverse. Neither is zero but for points of order two and four, which are no multiples.
    let divisors = multiples.iter().flatten().map(|point| (point.x + Montgomery::ONE) * point.y).collect();
    let mut inverses: Zeroizing<Vec<Element>> = Zeroizing::new(divisors);
    fixed_base::invert::<Montgomery>(&mut inverses)?;
    let mut inverses = inverses.iter();
    let compressed = |point: &Point<Element>| {
        let inverse = *inverses.next()?;
        let x = ROOT * point.x * (point.x + Montgomery::ONE) * inverse;
        let mut written = bytes(&((point.x - Montgomery::ONE) * point.y * inverse));
        let [.., high] = &mut written;
        *high |= u8::from(bytes(&x)[0] & 1 == 1) << 7;
        Some(written)
    };
    let mut compressed = compressed;
    Some(multiples.iter().map(|point| point.as_ref().and_then(&mut compressed)).collect())
}

fn bytes(number: &Element) -> [u8; BYTES] {
    number.reduced().to_le_bytes().into()
}
