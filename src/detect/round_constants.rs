//! The constants of SHA-2, which look like a key and are public.
//!
//! They are the first bits of the fractional parts of the cube roots of primes: of the first 64, 32 bits each, for SHA-256, and of the
//! first 80, 64 bits each, for SHA-512 (FIPS 180-4, sections 4.2.2 and 4.2.3), whose upper halves are those of SHA-256. So they
//! are worked out, when something is asked that passed all other tests.

/// Constants of SHA-256.
const COUNT: usize = 64;
/// Words that are constants, by which bytes are known to be some: of random ones it happens once in 10^13 times.
const ENOUGH: usize = 2;

/// Whether the bytes, which may be a key, hold more than one of the constants as a processor reads them.
#[must_use]
pub fn are_in(key: &[u8]) -> bool {
    let constants = constants();
    let words = key.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    words.filter(|word| constants.contains(word)).count() >= ENOUGH
}

fn constants() -> Vec<u32> {
    let is_prime = |n: &u128| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    // The cube root of the prime with 32 bits behind the point; those before it are cut off.
    (2..).filter(is_prime).take(COUNT).map(|prime| cube_root(prime << 96) as u32).collect()
}

/// The greatest number whose cube is not above `number`, which is below 2^120.
fn cube_root(number: u128) -> u128 {
    (0..40)
        .rev()
        .map(|bit| 1 << bit)
        .fold(0, |root: u128, bit| if (root + bit).pow(3) <= number { root + bit } else { root })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_those_of_fips_180() {
        let constants = constants();
        assert_eq!(
            (constants.len(), constants[0], constants[1], constants[63]),
            (64, 0x428a_2f98, 0x7137_4491, 0xc671_78f2)
        );
        assert!(are_in(&[constants[9], 7, constants[40]].map(u32::to_le_bytes).concat()));
        assert!(!are_in(&[constants[9], 7, 8].map(u32::to_le_bytes).concat()));
    }
}
