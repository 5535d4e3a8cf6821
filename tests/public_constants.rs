//! Numbers that every crypto library holds and that are no secrets: primes of Diffie-Hellman, primes and orders of curves. They
//! look like primes of keys, stand alone like these, and have the same constants beside them.
#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use dumpscrub::dump;
use dumpscrub::image::Image;
use dumpscrub::keys::exponent::is_probable_prime;
use dumpscrub::keys::number::Number;
use dumpscrub::scan::{self, Engine, Options, Quiet};
use synth::elf::{ElfBuilder, Segment, X86_64};
use synth::{Memory, keys, symcrypt};

/// Bits and constant of RFC 2409 (the first two) and RFC 3526.
const OF_PI: [(u32, u64); 8] = [
    (768, 149_686),
    (1024, 129_093),
    (1536, 741_804),
    (2048, 124_476),
    (3072, 1_690_314),
    (4096, 240_904),
    (6144, 929_484),
    (8192, 4_743_158),
];
/// Bits and constant of RFC 7919.
const OF_E: [(u32, u64); 5] =
    [(2048, 560_316), (3072, 2_625_351), (4096, 5_736_041), (6144, 15_705_020), (8192, 10_965_728)];

/// Fields and orders of P-256, P-384, secp256k1 and Curve25519.
const OF_CURVES: [&str; 8] = [
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
    "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed",
];
/// The lower half of the order of P-521.
const ORDER_521: &str = "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409";

/// Bits behind the point that pi and e are computed to, and some for the errors of division.
const PRECISION: u32 = 8192;

fn n(value: u64) -> Number {
    Number::from(value)
}

/// 2^PRECISION * arctan(1 / by), by its series.
fn arctangent(by: u64) -> Number {
    let mut power = Number::power_of_two(PRECISION).div_rem(&n(by)).unwrap().0;
    let (mut plus, mut minus) = (n(0), n(0));
    for k in 0.. {
        if power.is_zero() {
            break;
        }
        let term = power.div_rem(&n(2 * k + 1)).unwrap().0;
        *(if k % 2 == 0 { &mut plus } else { &mut minus }) = (if k % 2 == 0 { &plus } else { &minus }).plus(&term);
        power = power.div_rem(&n(by * by)).unwrap().0;
    }
    plus.minus(&minus).unwrap()
}

/// 2^PRECISION * pi, by Machin's formula.
fn pi() -> Number {
    arctangent(5).times(&n(16)).minus(&arctangent(239).times(&n(4))).unwrap()
}

/// 2^PRECISION * e.
fn e() -> Number {
    let (mut sum, mut term) = (n(0), Number::power_of_two(PRECISION));
    for k in 1.. {
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
        term = term.div_rem(&n(k)).unwrap().0;
    }
    sum
}

/// `2^bits - 2^(bits - 64) - 1 + 2^64 * (floor(2^(bits - 130) * x) + constant)`, which is how the RFCs define their primes.
fn group(bits: u32, constant: u64, x: &Number) -> Number {
    let digits = x.div_rem(&Number::power_of_two(PRECISION - (bits - 130))).unwrap().0;
    let ends = Number::power_of_two(bits).minus(&Number::power_of_two(bits - 64)).unwrap().minus(&n(1)).unwrap();
    ends.plus(&digits.plus(&n(constant)).times(&Number::power_of_two(64)))
}

fn of_hex(hex: &str) -> Number {
    let digits: Vec<u8> = hex.bytes().map(|b| u8::try_from(char::from(b).to_digit(16).unwrap()).unwrap()).collect();
    let mut number = n(0);
    digits.into_iter().for_each(|digit| number = number.times(&n(16)).plus(&n(digit.into())));
    number
}

#[test]
fn primes_of_groups_and_curves_are_no_keys() {
    let (pi, e) = (pi(), e());
    let groups =
        OF_PI.iter().map(|&(bits, c)| group(bits, c, &pi)).chain(OF_E.iter().map(|&(bits, c)| group(bits, c, &e)));
    let groups: Vec<Number> = groups.collect();
    let of_521 =
        [Number::power_of_two(521).minus(&n(1)).unwrap(), of_hex(&format!("1{}fa{ORDER_521}", "f".repeat(64)))];
    let curves: Vec<Number> = OF_CURVES.iter().map(|hex| of_hex(hex)).chain(of_521).collect();
    let small = groups.iter().filter(|prime| prime.bits() <= 2048);
    assert!(small.chain(&curves).all(is_probable_prime), "a constant is mistyped");
    let half = |prime: &Number| prime.div_rem(&n(2)).unwrap().0;
    let square = |prime: &Number| {
        let r = Number::power_of_two(prime.bits().next_multiple_of(64));
        r.times(&r).rem(prime).unwrap()
    };
    let numbers: Vec<Number> =
        groups.iter().chain(&curves).flat_map(|prime| [prime.clone(), half(prime), square(prime)]).collect();
    let key = keys::rsa(2048);
    let mut memory =
        Memory::zeros(0x7f00_0000_0000, 0x1000 * (numbers.len() + 2)).with(0x11, &synth::der::rsa_spki(&key));
    for (i, number) in numbers.iter().enumerate() {
        let bytes = number.to_be();
        let mut limbs: Vec<u8> = bytes.iter().rev().copied().collect();
        limbs.resize(limbs.len().max(8), 0);
        let low = u64::from_le_bytes(*limbs.first_chunk().unwrap()) | 1;
        let at = 0x1000 * (i + 1);
        memory = memory
            .with(at, &limbs)
            .with(at + 0x800, &bytes)
            .with(at + 0xf00, &symcrypt::negated_inverse(low).to_le_bytes());
    }
    let core = ElfBuilder { segments: vec![Segment::new(memory, 6)], ..ElfBuilder::new(X86_64) }.build().bytes;
    let engine = Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap();
    let (image, options) = (Image::from_bytes("constants", core), Options::default());
    let map = dump::map(&image, &options.limits).unwrap();
    let outcome = scan::scan(&image, &map, &engine, &options, &Quiet).unwrap();
    let rules: Vec<&str> =
        outcome.findings.iter().map(|finding| outcome.rules.get(finding.rule.0).unwrap().id.as_str()).collect();
    assert!(rules.is_empty(), "{rules:?}");
    assert!(outcome.coverage.gaps.is_empty(), "{:?}", outcome.coverage.gaps);
}
