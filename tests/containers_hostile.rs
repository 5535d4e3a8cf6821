//! Containers that were made to harm: fields at their limits, cut anywhere, noise anywhere. Nothing panics, nothing takes
//! long, and no more comes out than may.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::fs;
use std::io::Write as _;
use std::process::Command;

use base64ct::Encoding as _;
use dumpscrub::container::{self, Settings};
use dumpscrub::image::Image;
use rand::RngExt as _;

/// What is in every container: enough for a few blocks, and something that compresses.
fn content() -> Vec<u8> {
    (0..9000_u32)
        .flat_map(|i| if i % 100 < 50 { [b'a'; 4] } else { i.wrapping_mul(0x9e37_79b9).to_le_bytes() })
        .collect()
}

/// One container of each kind that can be made here.
fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), content()).unwrap();
    let scripts = [
        "gzip -c in >gzip",
        "zstd -q -c in >zstd",
        "xz -c in >xz",
        "lz4 -q -c in >lz4",
        "lz4 -l -q -c in >legacy",
        "bzip2 -c in >bzip2",
        "zip -q zip in && mv zip.zip zip",
        "zip -q -0 stored in && mv stored.zip stored",
        "zip -q -fz - in >wide",
        "tar cf tar in",
        "tar --format=pax -cf pax in",
        "truncate -s 400000 hole && tar cSf sparse hole in",
    ];
    for script in scripts {
        // Where a tool is missing there is no sample; the tests of what comes out say so.
        let _ = Command::new("sh").args(["-ec", script]).current_dir(folder.path()).output().unwrap();
    }
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name != "in" && name != "hole");
    let read = |name: String| (name.clone(), fs::read(folder.path().join(name)).unwrap());
    let mut samples: Vec<_> = names.map(read).filter(|(_, bytes)| !bytes.is_empty()).collect();
    samples.push(("cab".to_owned(), cabinet()));
    if let Some((_, packed)) = samples.iter().find(|(name, _)| name == "gzip") {
        let line = base64ct::Base64::encode_string(packed);
        samples
            .push(("apport".to_owned(), format!("ProblemType: Crash\nCoreDump: base64\n {line}\nZ: z\n").into_bytes()));
    }
    samples.sort();
    samples
}

fn cabinet() -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file("in");
    builder.add_folder(cab::CompressionType::None).add_file("again");
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(&content()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    (settings.limits.modest, settings.limits.ratio) = (4 << 20, 10);
    settings
}

/// Takes it apart, and sometimes puts it together with zeros in the place of everything; says how many bytes came out.
fn take_apart(bytes: Vec<u8>) -> u64 {
    // Compressing costs much more than anything that a damaged header can do to it.
    let packs = rand::random::<u8>() < 8;
    let (settings, allowed) = (settings(), settings().limits.allowed(bytes.len() as u64));
    let tree = container::tree(Image::from_bytes("x", bytes), &settings).unwrap();
    let leaves = tree.leaves.iter().enumerate().filter(|(_, leaf)| leaf.shell.is_none());
    let new =
        leaves.map(|(i, leaf)| (i, Image::from_bytes("new", vec![0; usize::try_from(leaf.image.len()).unwrap()])));
    let mut out = container::create(&settings.folder).unwrap();
    if packs {
        // What cannot be put together is refused.
        let _ = tree.pack(&new.collect(), &mut out, &settings);
    }
    let total = tree.leaves.iter().filter(|leaf| leaf.shell.is_none()).map(|leaf| leaf.image.len()).sum();
    // What stands in a container as it is costs nothing, and is never more than the container for each member.
    assert!(total <= allowed + 1_000_000, "{total}");
    total
}

#[test]
fn whole_samples_give_their_content() {
    let samples = samples();
    assert!(samples.len() >= 2);
    for (name, bytes) in samples {
        assert!(take_apart(bytes) >= content().len() as u64, "{name}");
    }
}

/// Every field of the headers, as if it had any width, at 0, 1, one below its maximum, and its maximum.
#[test]
fn fields_at_their_limits_do_no_harm() {
    for (_, bytes) in samples() {
        let ends = bytes.len().saturating_sub(100).max(64).min(bytes.len())..bytes.len();
        for at in (0..64.min(bytes.len())).chain(ends) {
            for (value, width) in
                (0..4).flat_map(|log| [0_u64, 1, u64::MAX - 1, u64::MAX].map(|value| (value, 1 << log)))
            {
                let mut changed = bytes.clone();
                let end = (at + width).min(bytes.len());
                changed[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
                if changed != bytes {
                    take_apart(changed);
                }
            }
        }
    }
}

/// What comes out, without the shells, and whether a gap is told.
fn shown(bytes: Vec<u8>) -> (Vec<Vec<u8>>, bool) {
    let (mut all, mut has_gap) = (Vec::new(), false);
    container::peel(Image::from_bytes("x", bytes), &settings(), &mut |peeled| {
        has_gap |= !peeled.gaps.is_empty();
        if peeled.shell.is_none() {
            all.push(peeled.image.bytes(0, usize::MAX)?);
        }
        Ok(())
    })
    .unwrap();
    (all, has_gap)
}

/// Nothing is lost in silence: where a container is cut, all of its content comes out, or a gap is told.
#[test]
fn cut_anywhere_is_told() {
    for (name, bytes) in samples() {
        let (whole, _) = shown(bytes.clone());
        let ends = bytes.len().saturating_sub(200)..bytes.len();
        for at in (1..100).chain(ends).chain((0..30).map(|_| rand::rng().random_range(1..bytes.len()))) {
            let cut = bytes[..at.min(bytes.len())].to_vec();
            take_apart(cut.clone());
            // What is too short to be told from other files is scanned as it is.
            let is_known = container::recognise(&Image::from_bytes("x", cut.clone())).unwrap().is_some();
            // A legacy frame of LZ4 has no end: what is cut before the size of a block, or in it, is taken for a whole one.
            let is_known = is_known && (name != "legacy" || at >= 8);
            // A report of apport is lines; those that are not there are not missed before a field has begun.
            let has_begun = name != "apport" || cut.windows(7).any(|bytes| bytes == b"base64\n");
            let (all, has_gap) = shown(cut);
            let large =
                |all: &[Vec<u8>]| all.iter().filter(|one| one.len() >= content().len()).cloned().collect::<Vec<_>>();
            let is_whole = large(&all) == large(&whole);
            assert!(!is_known || !has_begun || has_gap || is_whole, "{name}, cut at {at} of {}", bytes.len());
        }
    }
}

/// The decoder that is used takes such a frame for a whole one.
#[test]
fn a_frame_of_lz4_that_is_cut_between_its_blocks_is_a_gap() {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    (0..8).for_each(|_| encoder.write_all(&content()).unwrap());
    let frame = encoder.finish().unwrap();
    assert!(!shown(frame.clone()).1);
    let (mut at, mut blocks) = (7, 0);
    while at < frame.len() - 4 {
        for cut in at..at + 4 {
            assert!(shown(frame[..cut].to_vec()).1, "{blocks} blocks and {} bytes", cut - at);
        }
        let size = u32::from_le_bytes(frame[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        (at, blocks) = (at + 4 + size as usize, blocks + 1);
    }
    assert!(blocks > 3);
}

fn le(value: usize, width: usize) -> Vec<u8> {
    value.to_le_bytes().into_iter().chain([0; 8]).take(width).collect()
}

/// A zip of one stored member that its directory names many times.
#[test]
fn members_that_share_their_bytes_are_paid_for() {
    let data = vec![7; 200_000];
    let crc = crc32fast::hash(&data);
    let fields =
        [le(20, 2), le(0, 8), crc.to_le_bytes().to_vec(), le(data.len(), 4), le(data.len(), 4), le(1, 2), le(0, 2)]
            .concat();
    let local = [&b"PK\x03\x04"[..], &fields, b"n", &data].concat();
    let record = [&b"PK\x01\x02"[..], &le(20, 2), &fields, &le(0, 14), b"n"].concat();
    let count = 2000;
    let mut bytes = local.clone();
    (0..count).for_each(|_| bytes.extend(&record));
    let end =
        [le(0, 4), le(count, 2), le(count, 2), le(record.len() * count, 4), le(local.len(), 4), le(0, 2)].concat();
    bytes.extend([&b"PK\x05\x06"[..], &end].concat());
    assert!(take_apart(bytes.clone()) > 400_000);
    assert!(shown(bytes).1);
}

/// A cabinet whose folder is one block, which many files are all of.
#[test]
fn files_that_share_their_folder_are_paid_for() {
    let (data, count) = (vec![7_u8; 32 << 10], 3000);
    let file = [le(data.len(), 4), le(0, 4), le(0, 8), b"n\0".to_vec()].concat();
    let block_at = 36 + 8 + file.len() * count;
    let block = [le(0, 4), le(data.len(), 2), le(data.len(), 2), data].concat();
    let len = block_at + block.len();
    let head = [
        b"MSCF".to_vec(),
        le(0, 4),
        le(len, 4),
        le(0, 4),
        le(36 + 8, 4),
        le(0, 4),
        vec![3, 1],
        le(1, 2),
        le(count, 2),
        le(0, 6),
    ];
    let folder = [le(block_at, 4), le(1, 2), le(0, 2)].concat();
    let bytes = [head.concat(), folder, file.repeat(count), block].concat();
    assert!(take_apart(bytes.clone()) > 100_000);
    assert!(shown(bytes).1);
}

#[test]
fn noise_anywhere_does_no_harm() {
    for (_, bytes) in samples() {
        for _ in 0..60 {
            let mut bytes = bytes.clone();
            for _ in 0..rand::rng().random_range(1..5) {
                let at = rand::rng().random_range(0..bytes.len());
                bytes[at] = rand::random();
            }
            take_apart(bytes);
        }
    }
}

/// Archives in archives, each ten times as large when it is unpacked, as in 42.zip.
#[test]
fn a_bomb_of_archives_stops_at_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let script = "head -c 30000000 /dev/zero >z0; i=0; while [ $i -lt 5 ]; do n=$((i+1)); rm -f z$n.zip; \
                  for c in a b c d e f g h; do cp z$i $c; done; zip -q z$n.zip a b c d e f g h; mv z$n.zip z$n; i=$n; done";
    let done = Command::new("sh").args(["-ec", script]).current_dir(folder.path()).output().unwrap();
    if !done.status.success() {
        assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "zip is missing");
        return;
    }
    let (mut gaps, mut bytes) = (0, 0);
    let image = Image::from_bytes("bomb", fs::read(folder.path().join("z5")).unwrap());
    container::peel(image, &settings(), &mut |peeled| {
        gaps += peeled.gaps.len();
        bytes += peeled.image.len();
        Ok(())
    })
    .unwrap();
    // Stored members of a zip in a zip cost nothing, and are no more than what holds them.
    assert!(gaps > 0 && bytes < 2 * settings().limits.allowed(0), "{gaps} gaps, {bytes} bytes");
}
