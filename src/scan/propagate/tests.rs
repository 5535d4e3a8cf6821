use super::*;
use crate::scan::forms::{Unusual, spellings};
use crate::span::Span;
use crate::vault::Secret;

const EVERY: Unusual = Unusual { big_endian: true, small_integers: true };

fn propagation(secrets: &[Secret]) -> Propagation {
    let mut all = Vec::new();
    secrets.iter().enumerate().for_each(|(i, secret)| spellings(i, secret, EVERY, &mut |s| all.push(s)));
    Propagation::new(all)
}

fn told(haystack: &[u8], owned: Range<usize>, propagation: &Propagation) -> Vec<(usize, u64, u64)> {
    let pieces = [Span::new(0, haystack.len() as u64)];
    let window = Window::new(haystack, owned, &pieces, &[]);
    let found = propagation.search(&window);
    found.iter().map(|s| (s.finding, s.site.offset(), s.site.len())).collect()
}

fn sites(haystack: &[u8], owned: Range<usize>, secrets: &[&[u8]]) -> Vec<(usize, u64, u64)> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::text(secret)).collect();
    told(haystack, owned, &propagation(&secrets))
}

#[test]
fn a_copy_is_found_at_every_offset_whoever_owns_it() {
    for secret in [&b"hunter2x"[..], b"correct-horse", b"correct-horse-battery-staple"] {
        for at in 0..40 {
            let mut bytes = vec![b'.'; 200];
            bytes[at..at + secret.len()].copy_from_slice(secret);
            let n = secret.len() as u64;
            assert_eq!(sites(&bytes, 0..200, &[secret]), [(0, at as u64, n)], "at {at}");
            let mut halves = sites(&bytes, 0..at + 5, &[secret]);
            halves.extend(sites(&bytes, at + 5..200, &[secret]));
            // Each window that owns a gram may tell of it; the sweep drops the double.
            halves.dedup();
            assert_eq!(halves, [(0, at as u64, n)], "cut behind {at}");
        }
    }
}

#[test]
fn base64_is_found_across_line_breaks() {
    let secret = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let encoded = <base64ct::Base64 as base64ct::Encoding>::encode_string(secret);
    for cut in 1..encoded.len() - 1 {
        for line_end in ["\r\n", "\n", "\\n", "\\\\n", " ", "\n    "] {
            let broken = format!("=={}{line_end}{}==", &encoded[..cut], &encoded[cut..]);
            let found = sites(broken.as_bytes(), 0..broken.len(), &[secret]);
            assert_eq!(found.len(), 1, "{line_end:?} at {cut}");
            assert!(found[0].2 as usize >= encoded.len() - 2, "{found:?}, {line_end:?} at {cut}");
        }
    }
}

#[test]
fn a_short_secret_counts_as_a_whole_word_only() {
    let text = b"uprooted root: root2 _root /root\0";
    let places: Vec<u64> = sites(text, 0..text.len(), &[b"root"]).iter().map(|s| s.1).collect();
    assert_eq!(places, [9, 28]);
}

#[test]
fn utf_16_at_odd_offsets_is_found() {
    let mut bytes = vec![7; 33];
    bytes.extend("correct-horse".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend([7; 20]);
    assert_eq!(sites(&bytes, 0..bytes.len(), &[b"correct-horse"]), [(0, 33, 26)]);
}

#[test]
fn digits_that_repeat_themselves_do_not_hide_a_part() {
    let noise: Vec<u8> = (1..25_u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8).collect();
    for twice in [0x5b, 0xc3, 0x0f] {
        for at in 4..20 {
            let mut key = noise.clone();
            key[at..at + 2].fill(twice);
            let digits: String = key.iter().map(|b| format!("{b:02x}")).collect();
            let wide: Vec<u8> = digits.bytes().flat_map(|b| [b, 0]).collect();
            for from in (0..wide.len() - 34).step_by(2) {
                let mut bytes = vec![b'.'; 40];
                bytes.extend(&wide[from..from + 34]);
                bytes.extend([b'.'; 40]);
                let found = told(&bytes, 0..bytes.len(), &propagation(&[Secret::bytes(&key)]));
                assert!(
                    found.iter().any(|s| s.1 <= 40 && s.1 + s.2 >= 74),
                    "{twice:x} twice at {at}, digits from {from}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_part_of_a_text_that_repeats_itself_is_found_in_every_encoding_that_a_part_is_found_in() {
    let secret = b"waxaaavjqaabqavaqavam";
    let digits: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    let wide: Vec<u8> = digits.bytes().flat_map(|b| [b, 0]).collect();
    for from in 0..wide.len() - 73 {
        let bytes = [&[b'.'; 40][..], &wide[from..from + 73], &[b'.'; 40]].concat();
        let found = told(&bytes, 0..bytes.len(), &propagation(&[Secret::text(secret)]));
        // A half of a digit at an end is none.
        assert!(found.iter().any(|site| site.1 <= 41 && site.1 + site.2 >= 112), "digits from {from}: {found:?}");
    }
}

#[test]
fn a_secret_is_found_in_gzip_where_its_code_stands() {
    let fill: String = (0..300_u32).map(|i| format!("{{\"n\": {}}}, ", i.wrapping_mul(2_654_435_761))).collect();
    let text = format!("{fill}\"password\": \"correct-horse-battery\", {fill}");
    let stream = gzip_streams::stream_of(text.as_bytes(), Default::default(), 6);
    let bytes = [&[0xab; 50][..], &stream, &[0xab; 50]].concat();
    let found = sites(&bytes, 0..bytes.len(), &[b"correct-horse-battery"]);
    let [(0, at, len)] = found[..] else { panic!("{found:?}") };
    assert!(len < 70, "{len} bytes");
    let mut other = bytes.clone();
    other[at as usize..(at + len) as usize].fill(0);
    assert!(sites(&other, 0..other.len(), &[b"correct-horse-battery"]).is_empty());
}

#[test]
fn what_held_a_secret_in_gzip_is_found_without_the_head_of_the_stream() {
    let fill: String = (0..300_u32).map(|i| format!("{{\"n\": {}}}, ", i.wrapping_mul(2_654_435_761))).collect();
    let text = format!("{fill}\"password\": \"correct-horse-battery\", {fill}");
    let stream = gzip_streams::stream_of(text.as_bytes(), Default::default(), 6);
    let bytes = [&[0xab; 50][..], &stream, &[0xab; 50], &stream[10..], &[0xab; 50]].concat();
    let first = propagation(&[Secret::text(b"correct-horse-battery")]);
    let pieces = [Span::new(0, bytes.len() as u64)];
    let window = Window::new(&bytes, 0..bytes.len(), &pieces, &[]);
    let mut found = first.search(&window);
    let Some(Sighted { code: Some(code), .. }) = found.pop() else { panic!("no code") };
    let mut spellings = Vec::new();
    forms::compressed(3, &code, &mut |spelling| spellings.push(spelling));
    let second = Propagation::new(spellings);
    let places = second.search(&window);
    let expected = bytes.windows(code.len()).enumerate().filter(|(_, w)| *w == code.expose());
    let expected: Vec<(usize, u64)> = expected.map(|(at, _)| (3, at as u64)).collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(places.iter().map(|s| (s.finding, s.site.offset())).collect::<Vec<_>>(), expected);
}

/// What one spelling alone comes to, by comparing it with every place: the ranges of all longest equal runs that count, and
/// whether each must be found or may be (a run too short to hold an anchor for certain).
fn naive(spelling: &Spelling, bytes: &[u8]) -> Vec<(Range<usize>, bool)> {
    let (len, grain) = (spelling.bytes.len(), if spelling.grain == forms::Grain::Wide { 31 } else { 15 });
    let mut all = Vec::new();
    for shift in -(len as i64)..bytes.len() as i64 {
        let equal = |of: usize| {
            let at = usize::try_from(shift + of as i64).ok();
            at.and_then(|at| bytes.get(at)) == spelling.bytes.get(of)
        };
        let mut of = 0;
        while of < len {
            let run = (of..len).take_while(|&of| equal(of)).count();
            let bits = forms::sum(&spelling.bits[of..of + run]);
            let enough = run >= 8 && spelling.need.is_some_and(|need| bits >= need);
            if run == len || enough {
                let at = usize::try_from(shift + of as i64).unwrap();
                let (before, behind) = spelling.shared;
                let from = at.saturating_sub(if of == 0 { before } else { 0 });
                let to = at + run + if of + run == len { behind } else { 0 };
                all.push((from..to, run == len || run >= grain));
            }
            of += run + 1;
        }
    }
    all
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]

    #[test]
    fn equals_a_comparison_with_every_place(
        secrets in proptest::collection::vec((proptest::collection::vec(proptest::prelude::any::<u8>(), 8..70), 0..3_usize), 1..4),
        plants in proptest::collection::vec((0..1000_usize, 0..100_usize, 0..100_usize, 0..30_usize), 0..12),
        seed in proptest::prelude::any::<u64>(),
    ) {
        let kept = |s: &Spelling| !s.broken && !s.word && s.form.encoding != crate::finding::Encoding::Utf16Be;
        let mut all = Vec::new();
        for (i, (bytes, kind)) in secrets.iter().enumerate() {
            let letters: Vec<u8> = bytes.iter().map(|b| b"abcdefghijklmnopqrstuvwxyz012345"[usize::from(b & 31)]).collect();
            let number = crate::vault::Part {
                piece: Piece::P,
                kind: crate::vault::PartKind::Number,
                bytes: crate::vault::SecretBytes::new(bytes.clone()),
            };
            let secret = match kind {
                0 => Secret::text(&letters),
                1 => Secret::bytes(bytes),
                _ => Secret::key_pair(&[i as u8; 32], vec![number]),
            };
            spellings(i, &secret, EVERY, &mut |s| all.push(s));
        }
        all.retain(kept);
        let mut haystack: Vec<u8> = Vec::new();
        for (which, from, len, gap) in plants {
            let bytes = &all[which % all.len()].bytes;
            let from = from % bytes.len();
            haystack.extend(&bytes[from..(from + 8 + len).min(bytes.len())]);
            haystack.extend((0..gap).map(|i| (seed >> (i % 56)) as u8));
        }
        let mut expected: Vec<(usize, Range<usize>, bool)> = Vec::new();
        for spelling in &all {
            expected.extend(naive(spelling, &haystack).into_iter().map(|(range, must)| (spelling.finding, range, must)));
        }
        let told = told(&haystack, 0..haystack.len(), &Propagation::new(all));
        let told: Vec<(usize, Range<usize>)> =
            told.into_iter().map(|(i, at, len)| (i, at as usize..(at + len) as usize)).collect();
        for (finding, range, must) in &expected {
            let covers = |(by, told): &(usize, Range<usize>)| by == finding && told.start <= range.start && range.end <= told.end;
            proptest::prop_assert!(!must || told.iter().any(covers), "{finding} {range:?} in {told:?}");
        }
        for (finding, range) in &told {
            proptest::prop_assert!(expected.iter().any(|(by, known, _)| by == finding && known == range), "{finding} {range:?}");
        }
    }
}
