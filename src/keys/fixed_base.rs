//! Multiples of one point for many numbers at once, in affine coordinates.
//!
//! A table holds j * 2^(8i) * P for every place i of a byte in a number and every value j of it, so a multiple is the sum of
//! one entry for each byte that is not zero. The sum of two affine points asks for one division, which is why nobody adds
//! so for a single number; for a batch the divisions of a place are made as one (Montgomery's trick), and an addition costs
//! six multiplications, half of what it costs in projective coordinates, with no doubling at all.
//!
//! Two points with the same x have no such sum, and that never happens: see [`Table::multiples`].

use std::ops::{Mul, Sub};
use std::sync::LazyLock;

use elliptic_curve::ff::PrimeField;
use elliptic_curve::group::Group as _;
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::point::AffineCoordinates as _;
use elliptic_curve::{CurveArithmetic, CurveGroup as _, FieldBytes};
use zeroize::{Zeroize, Zeroizing};

/// Values of a byte that ask for an addition.
const VALUES: usize = 255;
/// Bits of a place.
const BITS: usize = 8;

/// What adding points of a curve y^2 = x^3 + Ax^2 + ... asks of its field.
pub(super) trait Field: 'static {
    /// A number of it.
    type Element: Copy + Mul<Output = Self::Element> + Sub<Output = Self::Element> + Zeroize + Send + Sync + 'static;

    const ONE: Self::Element;
    /// A, unless it is zero.
    const SECOND: Option<Self::Element> = None;

    /// What a number is multiplied with to make one; none for zero. Its time tells of the number: who can measure it holds
    /// the dump.
    fn inverse(number: &Self::Element) -> Option<Self::Element>;

    /// The same number as subtractions expect it.
    fn settled(number: Self::Element) -> Self::Element {
        number
    }
}

/// A point other than the neutral element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<E> {
    pub x: E,
    pub y: E,
}

impl<E: Zeroize> Zeroize for Point<E> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

/// Multiples of a point.
pub(super) struct Table<F: Field> {
    places: Vec<Vec<Point<F::Element>>>,
}

impl<F: Field> Table<F> {
    /// Those of the point of which 2^(8i) and 2 * 2^(8i) times are given for every place i. Its order is a prime above 256,
    /// so none of the sums is one of equal or opposite points.
    pub fn new(powers: &[[Point<F::Element>; 2]]) -> Option<Self> {
        let mut places: Vec<Vec<_>> = powers.iter().map(|given| given.to_vec()).collect();
        let mut last: Vec<Option<_>> = powers.iter().map(|[_, twice]| Some(*twice)).collect();
        let once: Vec<Option<_>> = powers.iter().map(|[once, _]| Some(once)).collect();
        let mut scratch = Vec::with_capacity(powers.len());
        for _ in 2..VALUES {
            add::<F>(&mut last, &once, &mut scratch)?;
            places.iter_mut().zip(&last).for_each(|(place, last)| place.extend(*last));
        }
        Some(Self { places })
    }

    /// The multiples for `numbers`, each above zero and below the order of the point, and as many bytes long as the table
    /// has places. `digit` tells a byte of a number, the least significant one being the first.
    ///
    /// After place i the sum is k' = k mod 2^(8i) times the point, for a number k. If k' is zero there is no sum yet, and the
    /// entry is taken as it is. Else the entry d * 2^(8i) is added to it, d > 0. Both are below the order n, as k is; k' is
    /// below 2^(8i) and so not d * 2^(8i); and together they are at most k, so they are not n: the points are neither equal
    /// nor opposite, and their x differ. Were it otherwise for a number out of these bounds, there is no answer.
    pub fn multiples<N>(&self, numbers: &[N], digit: impl Fn(&N, usize) -> u8) -> Option<Multiples<F::Element>> {
        let mut sums = Zeroizing::new(vec![None; numbers.len()]);
        let mut scratch = Zeroizing::new(Vec::with_capacity(numbers.len()));
        let mut entries = Vec::with_capacity(numbers.len());
        for (i, place) in self.places.iter().enumerate() {
            entries.clear();
            entries.extend(numbers.iter().map(|number| place.get(usize::from(digit(number, i)).checked_sub(1)?)));
            add::<F>(&mut sums, &entries, &mut scratch)?;
        }
        Some(sums)
    }
}

/// A sum for each number, none for zero.
pub(super) type Multiples<E> = Zeroizing<Vec<Option<Point<E>>>>;

/// Adds to each sum the entry that belongs to it; where there is no sum yet, the entry is the sum. None where a sum has no
/// slope.
fn add<F: Field>(
    sums: &mut [Option<Point<F::Element>>],
    entries: &[Option<&Point<F::Element>>],
    scratch: &mut Vec<[F::Element; 2]>,
) -> Option<()> {
    scratch.clear();
    let mut product = F::ONE;
    for (sum, entry) in sums.iter().zip(entries) {
        if let (Some(sum), Some(entry)) = (sum, entry) {
            let run = entry.x - sum.x;
            scratch.push([run, product]);
            product = product * run;
        }
    }
    let mut inverse = F::inverse(&product)?;
    for (sum, entry) in sums.iter_mut().zip(entries).rev() {
        let Some(entry) = entry else { continue };
        let Some(sum) = sum else {
            *sum = Some(**entry);
            continue;
        };
        let [run, before] = scratch.pop()?;
        let slope = (entry.y - sum.y) * (inverse * before);
        inverse = inverse * run;
        let x = slope * slope - sum.x - entry.x;
        let x = F::settled(F::SECOND.map_or(x, |second| x - second));
        sum.y = F::settled(slope * (sum.x - x) - sum.y);
        sum.x = x;
    }
    Some(())
}

/// Puts the inverse of each number in its place, with one division. None where one is zero.
pub(super) fn invert<F: Field>(numbers: &mut [F::Element]) -> Option<()> {
    let mut before = Zeroizing::new(Vec::with_capacity(numbers.len()));
    let mut product = F::ONE;
    for number in numbers.iter() {
        before.push(product);
        product = product * *number;
    }
    let mut inverse = F::inverse(&product)?;
    for (number, before) in numbers.iter_mut().zip(before.iter()).rev() {
        let own = inverse * *before;
        inverse = inverse * *number;
        *number = own;
    }
    Some(())
}

/// A curve of SEC 1 with a table of its generator's multiples, which is made when it is asked for first.
pub(super) trait Based: CurveArithmetic + Field<Element: PrimeField<Repr = FieldBytes<Self>>> {
    fn table() -> Option<&'static Table<Self>>;
}

macro_rules! based {
    ($curve:ty $(, $settled:ident)?) => {
        impl Field for $curve {
            type Element = <$curve as FieldArithmetic>::FieldElement;

            const ONE: Self::Element = <Self::Element>::ONE;

            fn inverse(number: &Self::Element) -> Option<Self::Element> {
                number.invert_vartime().into()
            }
            $(
                fn settled(number: Self::Element) -> Self::Element {
                    number.$settled()
                }
            )?
        }

        impl Based for $curve {
            fn table() -> Option<&'static Table<Self>> {
                static TABLE: LazyLock<Option<Table<$curve>>> = LazyLock::new(of_generator);
                TABLE.as_ref()
            }
        }
    };
}

based!(p256::NistP256);
based!(p384::NistP384);
based!(p521::NistP521);
// Its sums and differences are not reduced until somebody asks.
based!(k256::Secp256k1, normalize_weak);

fn of_generator<C: Based>() -> Option<Table<C>> {
    let places = FieldBytes::<C>::default().len();
    let mut point = C::ProjectivePoint::generator();
    let mut points = Vec::with_capacity(2 * places);
    for _ in 0..places {
        points.extend([point, point.double()]);
        point = (0..BITS).fold(point, |point, _| point.double());
    }
    let mut affine = vec![C::AffinePoint::default(); points.len()];
    C::ProjectivePoint::batch_normalize(&points, &mut affine);
    let element = |bytes: FieldBytes<C>| Option::<C::Element>::from(C::Element::from_repr(bytes));
    let points: Option<Vec<Point<C::Element>>> =
        affine.iter().map(|point| Some(Point { x: element(point.x())?, y: element(point.y())? })).collect();
    Table::new(points?.as_chunks().0)
}

/// x of the generator's multiples, most significant byte first. `scalars` are above zero, below the order of the group and as
/// long as the field's elements.
pub(super) fn xs<C: Based>(scalars: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let digit = |scalar: &&[u8], i: usize| scalar.iter().rev().nth(i).copied().unwrap_or(0);
    let multiples = C::table()?.multiples(scalars, digit)?;
    multiples.iter().map(|point| Some(point.as_ref()?.x.to_repr().to_vec())).collect()
}
