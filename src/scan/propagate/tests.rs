use super::*;
use crate::scan::forms::spellings;
use crate::span::Span;
use crate::vault::Secret;

fn propagation(secrets: &[Secret]) -> Propagation {
    let mut all = Vec::new();
    secrets.iter().enumerate().for_each(|(i, secret)| spellings(i, secret, &mut |s| all.push(s)));
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
