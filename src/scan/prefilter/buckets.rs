//! In which order heads go into a packed searcher. It decides only how fast the searcher is, never what it finds.
//!
//! A packed searcher deals its patterns out to eight buckets, one after the other, and mixes those that share one half a byte at
//! a time: what may stand at a place is any upper half of one of them with any lower half of another. Two heads with zeros in
//! one bucket can so let pass what memory is full of, and each such place costs as much as a hundred bytes. So heads are put
//! together that are alike, or whose mixture is rare.

/// Buckets of a packed searcher.
const BUCKETS: usize = 8;

/// Rounds of changing places; mostly nothing is better after three.
const ROUNDS: usize = 8;

/// What is worth a change: more than an error of rounding.
const LEAST: f64 = 1e-12;

/// What may stand at each place of a head: which lower halves, and which upper ones.
type Mixture<const N: usize> = [[u16; 2]; N];

/// How often it is tried from another order where a bucket lets much pass: no change of two places may be enough to mend that.
const ORDERS: u64 = 16;

/// What is much: one place in so many costs as much as all the rest of the search.
const MUCH: f64 = 0.005;

/// The order of `heads`, all different, that lets little pass: their indices.
pub fn order<const N: usize>(heads: &[[u8; N]]) -> Vec<usize> {
    let weights = weights();
    let mut best: Option<(f64, Vec<Vec<usize>>)> = None;
    for turn in 0..ORDERS {
        let found = exchanged(heads, &shuffled(heads.len(), turn), &weights);
        if best.as_ref().is_none_or(|(passed, _)| found.0 < *passed) {
            best = Some(found);
        }
        if best.as_ref().is_some_and(|(passed, _)| *passed <= MUCH) {
            break;
        }
    }
    let buckets = best.unwrap_or_default().1;
    let turns = 0..heads.len().div_ceil(BUCKETS);
    turns.flat_map(|turn| buckets.iter().filter_map(move |bucket| bucket.get(turn).copied())).collect()
}

/// The numbers below `len` in some order, each time in the same; at turn 0 as they are.
fn shuffled(len: usize, turn: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by_key(|&i| (turn * (i as u64 + 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
    order
}

/// From the order that they come in, two of them change places as long as that helps: the buckets, and what they let pass.
fn exchanged<const N: usize>(heads: &[[u8; N]], from: &[usize], weights: &[f64; 256]) -> (f64, Vec<Vec<usize>>) {
    let passed = |bucket: &[usize]| {
        let heads = bucket.iter().filter_map(|&index| heads.get(index));
        passing(&heads.fold([[0; 2]; N], mixed), weights)
    };
    let mut buckets: Vec<Vec<usize>> =
        (0..BUCKETS).map(|first| from.iter().skip(first).step_by(BUCKETS).copied().collect()).collect();
    let mut all: Vec<f64> = buckets.iter().map(|bucket| passed(bucket)).collect();
    for _ in 0..ROUNDS {
        let mut better = false;
        for (one, other) in (0..BUCKETS).flat_map(|one| (0..one).map(move |other| (one, other))) {
            let Ok([first, second]) = buckets.get_disjoint_mut([one, other]) else { continue };
            let Ok([first_now, second_now]) = all.get_disjoint_mut([one, other]) else { continue };
            let (rows, columns) = (first.len(), second.len());
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                swap(first, i, second, j);
                let then = [passed(first), passed(second)];
                if then.iter().sum::<f64>() < *first_now + *second_now - LEAST {
                    [*first_now, *second_now] = then;
                    better = true;
                } else {
                    swap(first, i, second, j);
                }
            }
        }
        if !better {
            break;
        }
    }
    (all.iter().sum(), buckets)
}

fn swap(first: &mut [usize], i: usize, second: &mut [usize], j: usize) {
    if let (Some(a), Some(b)) = (first.get_mut(i), second.get_mut(j)) {
        std::mem::swap(a, b);
    }
}

fn mixed<const N: usize>(mut mixture: Mixture<N>, head: &[u8; N]) -> Mixture<N> {
    for (halves, byte) in mixture.iter_mut().zip(head) {
        let [low, high] = halves;
        *low |= 1 << (byte & 15);
        *high |= 1 << (byte >> 4);
    }
    mixture
}

/// How likely memory is to hold what a mixture lets pass. Zeros stand side by side; whatever else does is taken as independent.
fn passing<const N: usize>(mixture: &Mixture<N>, weights: &[f64; 256]) -> f64 {
    let behind = |[zero, other]: [f64; 2]| [0.85 * zero + 0.1 * other, 0.15 * zero + 0.9 * other];
    let mut chance: Option<[f64; 2]> = None;
    for &[low, high] in mixture {
        let [zero, other] = chance.map_or([0.4, 0.6], behind);
        let bytes = || ones(high).flat_map(|high| ones(low).map(move |low| high << 4 | low));
        let others: f64 = bytes().filter_map(|byte| weights.get(byte)).sum();
        chance = Some([if low & high & 1 == 1 { zero } else { 0.0 }, other * others]);
    }
    chance.map_or(1.0, |chance| chance.iter().sum())
}

/// Which bits are set.
fn ones(mut bits: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let one = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        one
    })
}

/// How often each byte stands in memory among those that are no zero, roughly.
fn weights() -> [f64; 256] {
    let weight = |byte: u8| match byte {
        0 => 0.0,
        1..=16 | 0xff => 8.0,
        b'a'..=b'z' | b'_' | b' ' => 4.0,
        64 | 128 | b'0'..=b'9' | b'A'..=b'Z' | 0x7f => 3.0,
        _ => 1.0,
    };
    let all: f64 = (0..=u8::MAX).map(weight).sum();
    std::array::from_fn(|byte| u8::try_from(byte).map_or(0.0, weight) / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_is_there_once() {
        for count in [0_u8, 1, 7, 8, 9, 15, 16, 17, 28, 33] {
            let heads: Vec<[u8; 3]> = (0..count).map(|i| [i, 0, i.wrapping_mul(37)]).collect();
            let mut order = order(&heads);
            order.sort_unstable();
            assert_eq!(order, (0..usize::from(count)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn heads_whose_mixture_would_let_zeros_pass_are_kept_apart() {
        // Together in one bucket `f\0\0` and `\0f\0` let three zeros pass.
        let mut heads: Vec<[u8; 3]> = (0..14_u8).map(|i| [0xa0 + i, 0xb0, 0xc3]).collect();
        heads.extend([*b"f\0\0", *b"\0f\0"]);
        let order = order(&heads);
        let bucket = |head: usize| order.iter().position(|&index| index == head).map(|at| at % BUCKETS);
        assert_ne!(bucket(14), bucket(15));
    }

    #[test]
    fn what_no_change_of_two_places_mends_is_begun_from_another_order() {
        // Sorted, their third bucket lets three zeros pass, and stays so.
        let heads: [u32; 36] = [
            0x001101, 0x002d75, 0x004000, 0x016800, 0x030101, 0x030300, 0x04000c, 0x040300, 0x050200, 0x052b81,
            0x06032b, 0x098000, 0x0a2b06, 0x21eaa8, 0x29c5cc, 0x2a8648, 0x2d0075, 0x308002, 0x37007a, 0x377a00,
            0x444832, 0x444834, 0x50831e, 0x660000, 0x8ca3b0, 0x911eb7, 0xa00302, 0xba3418, 0xd08c5e, 0xd08c9d,
            0xd78f5e, 0xd85b14, 0xda470f, 0xde7ea5, 0xedd935, 0xfcc2ca,
        ];
        let heads = heads.map(|head| [(head >> 16) as u8, (head >> 8) as u8, head as u8]);
        let weights = weights();
        assert!(exchanged(&heads, &shuffled(heads.len(), 0), &weights).0 > 0.2);
        let order = order(&heads);
        let passed = |bucket: usize| {
            let these = order.iter().skip(bucket).step_by(BUCKETS).map(|&i| &heads[i]);
            passing(&these.fold([[0; 2]; 3], mixed), &weights)
        };
        assert!((0..BUCKETS).map(passed).sum::<f64>() < MUCH);
    }

    #[test]
    fn a_mixture_lets_pass_what_any_of_its_heads_is_and_more() {
        let (weights, none) = (weights(), [[0; 2]; 3]);
        let one = passing(&mixed(none, b"f\0\0"), &weights);
        let both = passing(&mixed(mixed(none, b"f\0\0"), b"\0f\0"), &weights);
        assert!(one > 0.0 && one < 0.01 && both > 0.2, "{one} {both}");
        assert!(passing(&none, &weights) < one && passing(&[[u16::MAX; 2]; 3], &weights) > 0.999);
    }
}
