//! Streams that are decoded by blocks, on several threads: what comes out, and what is told of damage, is what one thread comes to.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::io::Write as _;
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};

use dumpscrub::container::{self, Settings};
use dumpscrub::image::Image;
use dumpscrub::span::Span;
use lzma_rust2::{XzOptions, XzWriter};
use rand::RngExt as _;

/// One input at a time is decoded by blocks.
static TURN: Mutex<()> = Mutex::new(());

/// Everything that is shown: names, bytes, gaps, whether it is a shell.
type Shown = Vec<(String, Vec<u8>, Vec<(Span, String)>, bool)>;

fn shown(bytes: &[u8], threads: usize) -> Shown {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = Settings { threads, ..Settings::default() };
    let mut all = Vec::new();
    container::peel(Image::from_bytes("x", bytes.to_vec()), &settings, &mut |peeled| {
        let gaps = peeled.gaps.iter().map(|gap| (gap.span, gap.reason.clone())).collect();
        let bytes = peeled.image.bytes(0, usize::MAX)?;
        all.push((peeled.image.origin().to_owned(), bytes, gaps, peeled.shell.is_some()));
        Ok(())
    })
    .unwrap();
    all
}

/// Random bytes, text, zeros: in each order once.
fn content() -> Vec<u8> {
    let mut noise = vec![0; 150_000];
    rand::fill(&mut noise[..]);
    let text: Vec<u8> = (0..60_000_u32).flat_map(|i| format!("{:x} ", i.wrapping_mul(77)).into_bytes()).collect();
    let zeros = vec![0; 1_500_000];
    [&noise[..], &text, &zeros, &text, &noise, &zeros].concat()
}

fn xz(bytes: &[u8], block: u64) -> Vec<u8> {
    let mut options = XzOptions::with_preset(0);
    options.set_block_size(NonZeroU64::new(block));
    let mut writer = XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn bzip2(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn samples() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let content = content();
    let (first, rest) = content.split_at(700_000);
    vec![
        ("xz", xz(&content, 100_000), content.clone()),
        ("xz, streams", [xz(first, 300_000), vec![0; 4], xz(rest, 90_000)].concat(), content.clone()),
        ("bzip2", bzip2(&content, 1), content.clone()),
        ("bzip2, streams", [bzip2(first, 1), bzip2(rest, 3)].concat(), content.clone()),
    ]
}

#[test]
fn the_same_comes_out_of_whole_streams() {
    for (name, bytes, content) in samples() {
        for threads in [1, 2, 3, 8] {
            let all = shown(&bytes, threads);
            assert!(all.len() == 1 && all[0].1 == content && all[0].2.is_empty(), "{name}, {threads} threads");
        }
        let behind = [&bytes[..], b"something else"].concat();
        assert!(shown(&behind, 1) == shown(&behind, 4), "{name}");
    }
}

#[test]
fn the_same_is_told_of_damage() {
    for (name, bytes, _) in samples() {
        let ends = (0..20).map(|_| 0).chain((0..20).map(|i| bytes.len() - 1 - i));
        let anywhere = (0..30).map(|_| rand::rng().random_range(0..bytes.len()));
        for at in ends.chain(anywhere) {
            let at = if at == 0 { rand::rng().random_range(4..60) } else { at };
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << rand::rng().random_range(0..8);
            assert!(shown(&damaged, 1) == shown(&damaged, 4), "{name}, byte {at} is {}", damaged[at]);
        }
    }
}

#[test]
fn the_same_is_told_of_what_is_cut() {
    for (name, bytes, _) in samples() {
        let anywhere = (0..10).map(|_| rand::rng().random_range(10..bytes.len()));
        for at in anywhere.chain((1..10).map(|i| bytes.len() - i)) {
            assert!(shown(&bytes[..at], 1) == shown(&bytes[..at], 4), "{name}, cut at {at} of {}", bytes.len());
        }
    }
}

#[test]
fn a_budget_ends_blocks_too() {
    for (name, bytes, content) in samples() {
        let told = |threads| {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let mut settings = Settings { threads, ..Settings::default() };
            (settings.limits.modest, settings.limits.ratio) = (1_000_000, 1);
            let mut all = Vec::new();
            container::peel(Image::from_bytes("x", bytes.clone()), &settings, &mut |peeled| {
                all.push((peeled.image.bytes(0, usize::MAX)?, peeled.gaps, peeled.shell));
                Ok(())
            })
            .unwrap();
            all
        };
        let by_blocks = told(4);
        assert!(
            by_blocks.iter().any(|one| content.starts_with(&one.0) && one.1[0].reason.contains("more than may be"))
        );
        assert!(told(1) == by_blocks, "{name}");
    }
}

/// An index whose checksums hold and that says that a block is another one than it is.
#[test]
fn an_index_that_lies_changes_nothing() {
    let content = content();
    let honest = xz(&content, 100_000);
    let index_len =
        (u32::from_le_bytes(honest[honest.len() - 8..honest.len() - 4].try_into().unwrap()) as usize + 1) * 4;
    let from = honest.len() - 12 - index_len;
    assert_eq!(honest[from], 0);
    for at in 2..index_len - 4 {
        for change in [1_u8, 0x40, 0x7f] {
            let mut lying = honest.clone();
            lying[from + at] ^= change;
            let crc = crc32fast::hash(&lying[from..from + index_len - 4]);
            lying[from + index_len - 4..from + index_len].copy_from_slice(&crc.to_le_bytes());
            let (one, many) = (shown(&lying, 1), shown(&lying, 4));
            assert!(one == many && one[0].1 == content, "byte {at} of the index, {change:x}");
        }
    }
}
