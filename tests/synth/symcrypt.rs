//! Lays an RSA-2048 key out as SymCrypt, the library behind CNG of Windows, keeps it in memory: one allocation of objects
//! that point to each other, numbers as limbs, and beside each modulus the constants that Montgomery arithmetic needs.
//!
//! Source: `SYMCRYPT_RSAKEY`, `SYMCRYPT_MODULUS` and `SYMCRYPT_INT` of SymCrypt's public headers, for x64; as built for
//! release, in which the objects carry no magic numbers.

use super::der::RsaNumbers;

const BYTES: usize = 4256;
const MODULUS: usize = 0xc0;
const PRIMES: [usize; 2] = [0x440, 0x7c0];
const INVERSES: [usize; 2] = [0xb40, 0xc40];
const EXPONENTS: [(usize, usize); 3] = [(0xd40, 256), (0xe60, 128), (0xf80, 128)];

/// The allocation as it stands at `base`, and the places and lengths of all that is private in it.
pub fn rsa_key(key: &RsaNumbers, base: u64) -> (Vec<u8>, Vec<(&'static str, usize, usize)>) {
    let mut out = vec![0; BYTES];
    let mut private = Vec::new();
    header(&mut out, base);
    modulus(&mut out, MODULUS, &key.n);
    for ((at, prime), names) in
        PRIMES.into_iter().zip([&key.p, &key.q]).zip([["p", "R^2 mod p", "-p"], ["q", "R^2 mod q", "-q"]])
    {
        modulus(&mut out, at, prime);
        private.extend((0..3).map(|i| (names[i], at + 0x80 + 128 * i, 128)));
    }
    // The first is q^-1 mod p; the second, p^-1 mod q, is in no other form of a key.
    put(&mut out, INVERSES[0], &doubled(&key.qinv, &key.p, 1024));
    private.push(("qinv * R mod p", INVERSES[0], 128));
    for ((at, len), (name, number)) in EXPONENTS.into_iter().zip([("d", &key.d), ("dp", &key.dp), ("dq", &key.dq)]) {
        set(&mut out, at, &(0x6749_0000_u32).to_le_bytes());
        set(&mut out, at + 4, &(len as u32 / 64).to_le_bytes());
        put(&mut out, at + 0x20, number);
        private.push((name, at + 0x20, len));
    }
    (out, private)
}

fn header(out: &mut [u8], base: u64) {
    for (at, word) in [
        (4, BYTES as u32),
        (8, 1),
        (0xc, 2048),
        (0x10, 2048),
        (0x18, 1),
        (0x1c, 2),
        (0x20, 1024),
        (0x24, 1024),
        (0x28, 2),
        (0x2c, 2),
    ] {
        set(out, at, &word.to_le_bytes());
    }
    set(out, 0x38, &65537_u64.to_le_bytes());
    let targets =
        [MODULUS, PRIMES[0], PRIMES[1], INVERSES[0], INVERSES[1], EXPONENTS[0].0, EXPONENTS[1].0, EXPONENTS[2].0];
    for (i, target) in targets.into_iter().enumerate() {
        set(out, 0x78 + 8 * i, &(base + target as u64).to_le_bytes());
    }
}

/// A SYMCRYPT_MODULUS: its header, the number, R^2 modulo it, and its negative.
fn modulus(out: &mut [u8], at: usize, number: &[u8]) {
    let len = number.len();
    set(out, at, &0x674d_0000_u32.to_le_bytes());
    set(out, at + 4, &(len as u32 / 64).to_le_bytes());
    set(out, at + 8, &(0x80 + 3 * len as u32).to_le_bytes());
    set(out, at + 0x10, &(len as u32).to_le_bytes());
    let low = u64::from_be_bytes(number[len - 8..].try_into().unwrap());
    set(out, at + 0x18, &negated_inverse(low).to_le_bytes());
    set(out, at + 0x40, &0x6744_0000_u32.to_le_bytes());
    set(out, at + 0x4c, &(8 * len as u32).to_le_bytes());
    set(out, at + 0x60, &0x6749_0000_u32.to_le_bytes());
    put(out, at + 0x80, number);
    put(out, at + 0x80 + len, &doubled(&[1], number, 16 * len));
    put(out, at + 0x80 + 2 * len, &negated(number));
}

fn set(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A number as limbs, which for bytes is the other order.
fn put(out: &mut [u8], at: usize, number: &[u8]) {
    number.iter().rev().enumerate().for_each(|(i, byte)| out[at + i] = *byte);
}

/// -x^-1 mod 2^64, bit by bit.
pub fn negated_inverse(x: u64) -> u64 {
    (0..64).fold(0, |y: u64, bit| if x.wrapping_mul(y).wrapping_add(1) >> bit & 1 == 0 { y } else { y | 1 << bit })
}

/// 2^k - number, where k is the bits of its bytes.
fn negated(number: &[u8]) -> Vec<u8> {
    let last = number.iter().rposition(|&b| b != 0).unwrap();
    let byte = |(i, &b): (usize, &u8)| match i.cmp(&last) {
        std::cmp::Ordering::Less => !b,
        std::cmp::Ordering::Equal => b.wrapping_neg(),
        std::cmp::Ordering::Greater => 0,
    };
    number.iter().enumerate().map(byte).collect()
}

/// number * 2^times mod modulus, by doubling.
fn doubled(number: &[u8], modulus: &[u8], times: usize) -> Vec<u8> {
    let mut value = vec![0; modulus.len() + 1 - number.len()];
    value.extend(number);
    let modulus = [&[0], modulus].concat();
    for _ in 0..times {
        let mut carry = 0;
        for byte in value.iter_mut().rev() {
            (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
        }
        if value >= modulus {
            let mut borrow = 0;
            for (byte, by) in value.iter_mut().zip(&modulus).rev() {
                let left = i16::from(*byte) - i16::from(*by) - borrow;
                (*byte, borrow) = (left.rem_euclid(256) as u8, i16::from(left < 0));
            }
        }
    }
    value.split_off(1)
}
