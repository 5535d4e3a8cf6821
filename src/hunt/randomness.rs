//! Whether bytes look random: what every look for a key asks first.

use multiversion::multiversion;

/// Whether the first 32 bytes vary as random ones do. Of random ones one in 10^5 does not; text has no high bits, code and
/// tables have few values.
#[must_use]
pub fn looks_random(bytes: &[u8]) -> bool {
    match bytes.first_chunk() {
        Some(bytes) => are_random(bytes),
        None => {
            let high = bytes.iter().filter(|b| **b >= 128).count();
            (5..=27).contains(&high) && different(bytes) >= 24
        }
    }
}

/// The same of all of them, however many: three quarters of the values are different, and between an eighth and seven eighths of the bytes
/// are high. Of 16 random ones one in 2,000 is not so, of more fewer.
#[must_use]
pub fn all_look_random(bytes: &[u8]) -> bool {
    let (len, high) = (bytes.len(), bytes.iter().filter(|byte| **byte >= 128).count());
    (len / 8..=len - len / 8).contains(&high) && different(bytes) as usize >= len * 3 / 4
}

/// The same of 32 bytes. Half of what is asked for in libraries has too few high bits, which four words tell at once.
#[multiversion(targets("x86_64+popcnt"))]
fn are_random(bytes: &[u8; 32]) -> bool {
    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word) & 0x8080_8080_8080_8080);
    // Four bits of each byte are left.
    let high = words.fold(0, |bits, word| bits >> 1 | word).count_ones();
    (5..=27).contains(&high) && different(bytes) >= 24
}

/// How many different values the bytes have.
#[inline(always)]
fn different(bytes: &[u8]) -> u32 {
    let mut seen = [0_u64; 4];
    for byte in bytes {
        if let Some(seen) = seen.get_mut(usize::from(byte >> 6)) {
            *seen |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|seen| seen.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn keys_of_any_length_look_random_and_text_does_not() {
        for len in [16, 20, 24, 32, 48, 64] {
            let random = (0..4000).filter(|seed| all_look_random(&noise(len, *seed))).count();
            assert!(random > 3980, "{random} of 4000 of {len} bytes");
            assert!(!all_look_random(&b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[..len]));
            assert!(!all_look_random(&"\u{e9}\u{e8}".repeat(32).as_bytes()[..len]));
        }
    }

    #[test]
    fn bytes_look_random_as_a_plain_count_says() {
        let mut yes = 0;
        for seed in 0..4000 {
            let few = 20 + (seed % 200) as u8;
            let bytes: Vec<u8> = noise(32, seed).iter().map(|b| (b % few).wrapping_mul(37)).collect();
            let high = bytes.iter().filter(|b| **b >= 128).count();
            let want = (5..=27).contains(&high) && different(&bytes) >= 24;
            assert_eq!(looks_random(&bytes), want, "{bytes:?}");
            yes += usize::from(want);
        }
        assert!((1000..3900).contains(&yes), "{yes}");
    }
}
