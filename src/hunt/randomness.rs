//! Whether 32 bytes look random: what every look for a key of that length asks first.

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

/// The same of 32 bytes, without branches, so that it becomes vector code: each byte is compared with all before it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl+popcnt", "x86_64+avx2+popcnt", "x86_64+sse4.2+popcnt"))]
fn are_random(bytes: &[u8; 32]) -> bool {
    let mut high = [0_u8; 32];
    high.iter_mut().zip(bytes).for_each(|(high, byte)| *high = byte >> 7);
    let high: u8 = high.iter().sum();
    let mut twice = [0; 64];
    let (first, second) = twice.split_at_mut(32);
    first.copy_from_slice(bytes);
    second.copy_from_slice(bytes);
    let mut repeated = [0_u8; 32];
    for (by, seen) in EARLIER.iter().enumerate().skip(1) {
        let earlier = twice.get(32 - by..64 - by).unwrap_or_default();
        for (((repeated, byte), earlier), seen) in repeated.iter_mut().zip(bytes).zip(earlier).zip(seen) {
            *repeated |= u8::from(byte == earlier) & seen;
        }
    }
    let repeated: u8 = repeated.iter().sum();
    (5..=27).contains(&high) && repeated <= 32 - 24
}

/// For each distance, 1 for each of 32 bytes that has another one so far before it.
static EARLIER: [[u8; 32]; 32] = earlier();

#[expect(clippy::indexing_slicing, reason = "worked out while compiling, where an index out of bounds is an error")]
const fn earlier() -> [[u8; 32]; 32] {
    let (mut earlier, mut by) = ([[0; 32]; 32], 0);
    while by < 32 {
        let mut at = by;
        while at < 32 {
            earlier[by][at] = 1;
            at += 1;
        }
        by += 1;
    }
    earlier
}

/// How many different values the bytes have.
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
