//! Private scalars in Montgomery's form: times R modulo the order of the curve's group, with R the power of two that the limbs
//! of the order have room for. ring keeps the keys that it signs with so, and RustCrypto those of the larger curves.

use crypto_bigint::modular::ConstMontyParams;
use crypto_bigint::{U256, U384, U576, const_monty_params};
use zeroize::Zeroizing;

use super::curve_points::{Kept, element};
use super::ec::Curve;

// The orders of the groups (SEC 2, sections 2.4 to 2.6; FIPS 186-4, appendix D.1.2).
const_monty_params!(
    P256,
    U256,
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "The order of P-256."
);
const_monty_params!(
    P384,
    U384,
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "The order of P-384."
);
const_monty_params!(
    P521,
    U576,
    "00000000000001fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc\
     0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    "The order of P-521."
);

/// The scalar in Montgomery's form, most significant byte first. `None` where nobody is known to keep such, and for what is
/// not below the order.
#[must_use]
pub fn montgomery(curve: Curve, scalar: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    convert(curve, Kept::Plain, scalar.iter().rev().copied().collect())
}

/// The scalar, most significant byte first and as long as the curve's, whose Montgomery form these limbs are, the lowest first.
#[must_use]
pub fn plain(curve: Curve, limbs: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let number = convert(curve, Kept::Montgomery, limbs.to_vec())?;
    let zeros = number.len().checked_sub(curve.size())?;
    Some(Zeroizing::new(number.get(zeros..)?.to_vec()))
}

fn convert(curve: Curve, from: Kept, little: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let little = Zeroizing::new(little);
    match curve {
        Curve::P256 => turned::<P256, { P256::LIMBS }>(from, &little),
        Curve::P384 => turned::<P384, { P384::LIMBS }>(from, &little),
        Curve::P521 => turned::<P521, { P521::LIMBS }>(from, &little),
        Curve::K256 => None,
    }
}

/// From one form into the other.
fn turned<M: ConstMontyParams<L>, const L: usize>(from: Kept, little: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let number = element::<M, L>(from, little)?;
    let number = if from == Kept::Plain { *number.as_montgomery() } else { number.retrieve() };
    Some(Zeroizing::new(number.to_be_bytes().as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::number::Number;
    use crate::keys::testing::noise;

    #[test]
    fn the_form_is_that_of_arithmetic_and_leads_back() {
        for (curve, order) in [
            (Curve::P256, P256::PARAMS.modulus().as_ref().to_be_bytes().as_ref().to_vec()),
            (Curve::P384, P384::PARAMS.modulus().as_ref().to_be_bytes().as_ref().to_vec()),
            (Curve::P521, P521::PARAMS.modulus().as_ref().to_be_bytes().as_ref().to_vec()),
        ] {
            let mut scalar = vec![0; curve.size() - 32];
            scalar.extend(noise(32, 5));
            let form = montgomery(curve, &scalar).unwrap();
            let r = Number::power_of_two(8 * order.len() as u32);
            let wanted = Number::from_be(&scalar).times(&r).rem(&Number::from_be(&order)).unwrap();
            assert_eq!(Number::from_be(&form), wanted, "{curve:?}");
            let limbs: Vec<u8> = form.iter().rev().copied().collect();
            assert_eq!(*plain(curve, &limbs).unwrap(), scalar);
            assert!(plain(curve, &vec![0xff; limbs.len()]).is_none(), "not below the order");
        }
    }

    #[test]
    fn the_orders_are_those_of_the_curves() {
        for (curve, order) in [
            (Curve::P256, P256::PARAMS.modulus().as_ref().to_be_bytes().as_ref().to_vec()),
            (Curve::P384, P384::PARAMS.modulus().as_ref().to_be_bytes().as_ref().to_vec()),
            (Curve::P521, P521::PARAMS.modulus().as_ref().to_be_bytes().as_ref().to_vec()),
        ] {
            let one_less = Number::from_be(&order).minus_one().unwrap().to_be();
            let (x, one) = (curve.point(&one_less).unwrap(), curve.point(&[1]).unwrap());
            assert_eq!(x[1..=curve.size()], one[1..=curve.size()], "(n - 1) * G is -G");
            assert!(curve.point(&order).is_none());
        }
    }
}
