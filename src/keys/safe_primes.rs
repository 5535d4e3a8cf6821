//! The primes that Diffie-Hellman is mostly computed with: those of RFC 3526 (and RFC 2409), which IKE and SSH use, and those of
//! RFC 7919 (ffdhe2048 and so on), which TLS uses.
//!
//! Nothing of them has to be copied: they are made of the digits of pi and of e, by a rule that the documents give, and the rule
//! is followed here: `2^b - 2^(b-64) - 1 + 2^64 * (floor(2^(b-130) * pi) + x)`, where x is the least number that makes it a prime p
//! of which (p - 1) / 2 is one too. Of e the same.

use std::sync::LazyLock;

use super::number::Number;

/// The highest limbs below 64 bits that are all ones: what all primes of one kind begin with.
pub const MARKS: [u64; 2] = [0xc90f_daa2_2168_c234, 0xadf8_5458_a2bb_4a9a];

/// The length in bits, and x, of those of pi.
const PI: [(u32, u64); 7] = [
    (1024, 129_093),
    (1536, 741_804),
    (2048, 124_476),
    (3072, 1_690_314),
    (4096, 240_904),
    (6144, 929_484),
    (8192, 4_743_158),
];
/// The same of e.
const E: [(u32, u64); 5] =
    [(2048, 560_316), (3072, 2_625_351), (4096, 5_736_041), (6144, 15_705_020), (8192, 10_965_728)];
/// Bits behind the point to which pi and e are worked out; the last ones are wrong.
const SCALE: u32 = 8192;

/// All of them. Two of each (p, and 2) make a group: 2 has the order (p - 1) / 2.
pub static PRIMES: LazyLock<Vec<Number>> = LazyLock::new(|| {
    let of = |digits: Option<Number>, list: &[(u32, u64)]| -> Vec<Number> {
        digits.map(|digits| list.iter().filter_map(|&(bits, x)| prime(&digits, bits, x)).collect()).unwrap_or_default()
    };
    [of(pi(), &PI), of(e(), &E)].concat()
});

fn prime(digits: &Number, bits: u32, x: u64) -> Option<Number> {
    let middle = digits.div_rem(&Number::power_of_two(SCALE - (bits - 130)))?.0.plus(&Number::from(x));
    let ones = Number::power_of_two(bits).minus(&Number::power_of_two(bits - 64))?.minus_one()?;
    Some(ones.plus(&middle.times(&Number::power_of_two(64))))
}

/// e * 2^SCALE: the sum of the inverses of the factorials.
fn e() -> Option<Number> {
    let (mut term, mut sum) = (Number::power_of_two(SCALE), Number::power_of_two(SCALE));
    for divisor in 1_u64.. {
        term = term.div_rem(&Number::from(divisor))?.0;
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
    }
    Some(sum)
}

/// pi * 2^SCALE, by Machin's formula: pi / 4 = 4 arctan(1/5) - arctan(1/239).
fn pi() -> Option<Number> {
    let quarter = arc_tangent(5)?.times(&Number::from(4)).minus(&arc_tangent(239)?)?;
    Some(quarter.times(&Number::from(4)))
}

/// 2^SCALE * arctan(1/x)
fn arc_tangent(x: u64) -> Option<Number> {
    let square = Number::from(x * x);
    let mut power = Number::power_of_two(SCALE).div_rem(&Number::from(x))?.0;
    let (mut plus, mut minus) = (Number::from(0), Number::from(0));
    for odd in (1_u64..).step_by(2).take_while(|odd| *odd < 2 * u64::from(SCALE)) {
        let term = power.div_rem(&Number::from(odd))?.0;
        let sum = if odd % 4 == 1 { &mut plus } else { &mut minus };
        *sum = sum.plus(&term);
        power = power.div_rem(&square)?.0;
        if power.is_zero() {
            break;
        }
    }
    plus.minus(&minus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::exponent::is_probable_prime;

    /// As RFC 2409, section 6.2, prints it.
    const OAKLEY_2: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
                            EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
                            EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF";

    #[test]
    fn they_are_safe_primes_and_the_first_is_that_of_its_document() {
        assert_eq!(PRIMES.len(), PI.len() + E.len());
        let hex: String = PRIMES[0].to_be().iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(hex, OAKLEY_2);
        for (prime, (bits, _)) in PRIMES.iter().zip(PI.iter().chain(&E)) {
            let bytes = prime.to_be();
            assert_eq!((prime.bits(), bytes[..8] == [0xff; 8]), (*bits, true));
            assert_eq!(MARKS.iter().filter(|mark| bytes[8..16] == mark.to_be_bytes()).count(), 1);
            // A wrong digit would not leave a prime.
            let half = prime.minus_one().unwrap().div_rem(&Number::from(2)).unwrap().0;
            assert!(is_probable_prime(prime) && is_probable_prime(&half), "{bits}");
        }
    }
}
