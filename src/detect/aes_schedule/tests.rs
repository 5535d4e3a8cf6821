//! Schedules in every layout that the table names, put together here once more and apart.

use super::*;
use crate::keys::testing::noise;

/// The hits at every place of `bytes`, as if all triggered.
fn hits(bytes: &[u8]) -> Vec<Hit> {
    let window = Window::new(bytes, 0..bytes.len(), &[], &[]);
    let mut out = Hits::default();
    for at in 0..bytes.len() {
        AesSchedule.confirm(Candidate { at, literal: 0, wide: false }, &window, &mut out);
    }
    out.hits
}

fn key(size: Size, seed: u64) -> Vec<u8> {
    noise(16 + 8 * (size as usize), seed)
}

/// The round keys of a key, those between the first and the last transformed if they are for decryption.
fn rounds(key: &[u8], inverse: bool) -> Vec<Vec<u8>> {
    let schedule = Schedule::of_key(key).unwrap();
    let word = |i| if inverse { schedule.inverse_word(i) } else { schedule.word(i) }.unwrap();
    let words: Vec<Word> = (0..schedule.size().words()).map(word).collect();
    words.chunks(4).map(<[Word]>::concat).collect()
}

fn swapped(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(4).flat_map(|word| word.iter().rev().copied()).collect()
}

/// Every layout that a schedule of `key` stands in, in whole.
fn layouts(key: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for inverse in [false, true] {
        let forward = rounds(key, inverse);
        let reverse: Vec<Vec<u8>> = forward.iter().rev().cloned().collect();
        all.push(forward.concat());
        all.push(reverse.concat());
        let mut java = reverse;
        java.rotate_right(1);
        all.push(java.concat());
    }
    let words: Vec<Vec<u8>> = all.iter().map(|bytes| swapped(bytes)).collect();
    [all, words].concat()
}

fn around(middle: &[u8], before: usize) -> Vec<u8> {
    [&noise(before, 8), middle, &noise(300, 9)].concat()
}

#[test]
fn every_layout_of_every_size_is_proven_at_every_alignment() {
    for size in Size::ALL {
        let key = key(size, 1);
        for (i, schedule) in layouts(&key).iter().enumerate() {
            for before in 0..9 {
                let found = hits(&around(schedule, before));
                assert_eq!(found.len(), 1, "{size:?} layout {i} behind {before} bytes");
                let hit = &found[0];
                assert_eq!(hit.range, before..before + schedule.len(), "{size:?} layout {i}");
                assert_eq!((hit.evidence, hit.severity), (Evidence::Proven, None));
                assert_eq!((hit.public.kind.as_str(), hit.form.layout), (size.name(), Layout::KeySchedule));
                assert_eq!(hit.secret.identity(), Secret::bytes(&key).identity());
                let order = if i < 6 { Encoding::Plain } else { Encoding::Swapped32 };
                assert_eq!(hit.form.encoding, order);
            }
        }
    }
}

#[test]
fn what_is_left_of_a_schedule_gives_the_key() {
    for size in Size::ALL {
        let key = key(size, 2);
        for (i, schedule) in layouts(&key).iter().enumerate() {
            let java = i % 3 == 2;
            for from in (0..schedule.len()).step_by(16) {
                for to in (from + 16 * 4..=schedule.len()).step_by(16) {
                    // Round 0 of OpenJDK's layout has nothing to do with what stands behind it.
                    let found = hits(&around(&schedule[from..to], 3));
                    let related = to - from - if java && from == 0 { 16 } else { 0 };
                    // Between a round key that is transformed and one that is not no sums hold.
                    let inner = related >= 16 * 5 + 16 * (size != Size::Aes128) as usize;
                    let told: Vec<_> = found.iter().map(|hit| (hit.range.clone(), hit.evidence, hit.form)).collect();
                    assert!(!inner || found.len() == 1, "{size:?} layout {i} {from}..{to}: {told:?}");
                    for hit in found {
                        assert!(!inner || hit.secret.identity() == Secret::bytes(&key).identity());
                        assert!(hit.range.start <= 3 + from && hit.range.end <= 3 + to - from);
                        assert!(related < 16 * 7 || hit.evidence == Evidence::Proven);
                    }
                }
            }
        }
    }
}

#[test]
fn the_least_that_is_enough() {
    for (size, rounds_left) in [(Size::Aes128, 2), (Size::Aes192, 3), (Size::Aes256, 3)] {
        let key = key(size, 3);
        let forward = rounds(&key, false).concat();
        let least = hits(&around(&forward[16 * 4..16 * (4 + rounds_left)], 5));
        assert_eq!(least.len(), 1, "{size:?}");
        assert_eq!(least[0].evidence, Evidence::Parsed);
        assert_eq!(least[0].secret.identity(), Secret::bytes(&key).identity());
        let less = hits(&around(&forward[16 * 4..16 * (3 + rounds_left)], 5));
        assert!(less.is_empty(), "{size:?}");
    }
    // No round constant is in these three: they may belong to any of six keys, and are told as what they are.
    let part = &rounds(&key(Size::Aes256, 3), false).concat()[16 * 3..16 * 6];
    let ambiguous = hits(&around(part, 5));
    assert_eq!((ambiguous.len(), ambiguous[0].evidence), (1, Evidence::Parsed));
    assert_eq!(ambiguous[0].secret.identity(), Secret::bytes(part).identity());
}

#[test]
fn a_damaged_schedule_is_told_up_to_the_damage() {
    let key = key(Size::Aes256, 4);
    let mut schedule = rounds(&key, false).concat();
    // What the allocator writes into freed memory.
    schedule[..16].copy_from_slice(&noise(16, 5));
    let found = hits(&around(&schedule, 7));
    assert_eq!((found.len(), found[0].range.clone()), (1, 7 + 16..7 + 240));
    assert_eq!(found[0].secret.identity(), Secret::bytes(&key).identity());
    schedule[120] ^= 1;
    let halves: Vec<Range<usize>> = hits(&around(&schedule, 7)).into_iter().map(|hit| hit.range).collect();
    assert_eq!(halves, [7 + 16..7 + 120, 7 + 124..7 + 240]);
}

#[test]
fn both_schedules_of_symcrypt_are_told_of_one_key() {
    for size in Size::ALL {
        let key = key(size, 6);
        let decrypt: Vec<Vec<u8>> = rounds(&key, true).into_iter().rev().collect();
        let object = [rounds(&key, false).concat(), decrypt[1..].concat()].concat();
        let found = hits(&around(&object, 0));
        let ranges: Vec<Range<usize>> = found.iter().map(|hit| hit.range.clone()).collect();
        let shared = 16 * size.rounds();
        assert_eq!(ranges, [0..shared + 16, shared..object.len()]);
        assert_eq!(found[0].secret.identity(), found[1].secret.identity());
    }
}

#[test]
fn two_schedules_in_a_row_are_two_keys() {
    let keys = [key(Size::Aes256, 7), key(Size::Aes256, 8)];
    let schedules = keys.clone().map(|key| rounds(&key, false).concat()).concat();
    let found = hits(&around(&schedules, 2));
    assert_eq!(found.iter().map(|hit| hit.range.clone()).collect::<Vec<_>>(), [2..242, 242..482]);
    assert_ne!(found[0].secret.identity(), found[1].secret.identity());
}

#[test]
fn keys_of_tests_and_examples_are_told_and_do_not_count() {
    let counting: Vec<u8> = (0..32).collect();
    for key in [&counting[..], &counting[..16], &[0; 24], &[0x41; 32]] {
        let found = hits(&around(&rounds(key, false).concat(), 1));
        assert_eq!((found.len(), found[0].severity, found[0].evidence), (1, Some(Severity::Info), Evidence::Proven));
        assert_eq!(found[0].public.context, ["public knowledge: a key that only counts"]);
    }
}

#[test]
fn what_only_looks_like_sums_is_nothing() {
    assert!(hits(&noise(1 << 16, 10)).is_empty());
    assert!(hits(&[0; 4096]).is_empty());
    assert!(hits(&[0x5a; 4096]).is_empty());
    // Sums without substitution: every word the sum of two others.
    let mut words = vec![[1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 1, 2], [3, 3, 3, 3]];
    for i in 4..200 {
        words.push(std::array::from_fn(|k| words[i - 4][k] ^ words[i - 1][k]));
    }
    assert!(hits(&words.concat()).is_empty());
}

#[test]
fn a_key_of_boringssls_generator_counts_for_nothing_and_its_neighbours_do() {
    let key = key(Size::Aes256, 31);
    let schedule = rounds(&key, false).concat();
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let state = |rounds: u64, block: u64, counter: &[u8], reseeds: u64| {
        [&schedule[..], &words(&[rounds, block, 0x5605_ca1d_9d40]), counter, &words(&[reseeds, 1, 2])].concat()
    };
    let severity = |bytes: &[u8]| hits(&around(bytes, 8)).remove(0).severity;
    let (function, counter) = (0x5605_ca1d_90c0, noise(16, 5));
    for rounds in [13, 14] {
        assert_eq!(severity(&state(rounds, function, &counter, 3)), Some(Severity::Info));
    }
    for other in [
        state(10, function, &counter, 3),
        state(13, 0, &counter, 3),
        state(13, function, &[0; 16], 3),
        state(13, function, &counter, 0),
        state(13, function, &counter, 1 << 40),
        schedule.clone(),
    ] {
        assert_eq!(severity(&other), None);
    }
}
