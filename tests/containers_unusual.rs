//! Containers as few programs write them: each is unpacked, or it is a gap that says by name what it is. None is scanned as if
//! it were a dump without anything being said.
#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::io::Write as _;

use base64ct::Encoding as _;
use dumpscrub::container::{self, Settings};
use dumpscrub::image::Image;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// Something that no compressor leaves as it is.
fn content() -> Vec<u8> {
    (0..40_000_u32).flat_map(|i| format!("{:x} ", i.wrapping_mul(0x9e37_79b9) % 999).into_bytes()).collect()
}

/// What comes out, without the shells, and the gaps in words.
fn unpacked(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<String>) {
    let (mut all, mut gaps) = (Vec::new(), Vec::new());
    container::peel(Image::from_bytes("x", bytes.to_vec()), &Settings::default(), &mut |peeled| {
        gaps.extend(peeled.gaps.iter().map(|gap| gap.reason.clone()));
        if peeled.shell.is_none() {
            all.push(peeled.image.bytes(0, usize::MAX)?);
        }
        Ok(())
    })
    .unwrap();
    (all, gaps)
}

/// The container with zeros in the place of the content.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let settings = Settings::default();
    let tree = container::tree(Image::from_bytes("x", bytes.to_vec()), &settings).unwrap();
    let is_content = |image: &Image| image.bytes(0, usize::MAX).unwrap() == content();
    let leaves = tree.leaves.iter().enumerate().filter(|(_, leaf)| leaf.shell.is_none() && is_content(&leaf.image));
    let zeros = |len: u64| Image::from_bytes("new", vec![0; usize::try_from(len).unwrap()]);
    let new = leaves.map(|(number, leaf)| (number, zeros(leaf.image.len()))).collect();
    let mut out = container::create(&settings.folder).unwrap();
    tree.pack(&new, &mut out, &settings).unwrap();
    let len = out.metadata().unwrap().len();
    Image::from_file("packed".to_owned(), out, len).bytes(0, usize::MAX).unwrap()
}

#[track_caller]
fn works(name: &str, bytes: &[u8]) {
    let (all, gaps) = unpacked(bytes);
    assert!(all.contains(&content()), "{name}: {} members, {gaps:?}", all.len());
    assert_eq!(gaps, Vec::<String>::new(), "{name}");
    let (again, gaps) = unpacked(&packed(bytes));
    assert!(again.contains(&vec![0; content().len()]), "{name}, packed: {} members", again.len());
    assert_eq!(gaps, Vec::<String>::new(), "{name}, packed");
}

#[track_caller]
fn is_a_gap(name: &str, bytes: &[u8], words: &str) {
    let (_, gaps) = unpacked(bytes);
    assert!(gaps.iter().any(|gap| gap.contains(words)), "{name}: {gaps:?}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A skippable frame of zstd and LZ4 with `len` bytes in it.
fn skippable(len: u32) -> Vec<u8> {
    let noise = (0..len).map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes().last().copied().unwrap());
    [0x184d_2a53_u32.to_le_bytes().to_vec(), len.to_le_bytes().to_vec(), noise.collect()].concat()
}

fn le(value: usize, width: usize) -> Vec<u8> {
    value.to_le_bytes().into_iter().chain([0; 8]).take(width).collect()
}

/// How a zip tells of its one member.
#[derive(Clone, Copy, Default)]
struct Told {
    flags: usize,
    method: usize,
    /// What is added to the size in the directory.
    more: usize,
    /// What is added to the offsets: bytes that stand before the archive.
    shift: usize,
}

fn zip(data: &[u8], told: Told) -> Vec<u8> {
    let Told { flags, method, more, shift } = told;
    let (whole, crc) = (content().len(), crc32fast::hash(&content()));
    let fields = |size: usize| {
        [
            le(20, 2),
            le(flags, 2),
            le(method, 2),
            le(0, 4),
            crc.to_le_bytes().to_vec(),
            le(data.len(), 4),
            le(size, 4),
            le(1, 2),
        ]
        .concat()
    };
    let local = [b"PK\x03\x04".to_vec(), fields(whole), le(0, 2), b"n".to_vec(), data.to_vec()].concat();
    let record =
        [b"PK\x01\x02".to_vec(), le(20, 2), fields(whole + more), le(0, 12), le(shift, 4), b"n".to_vec()].concat();
    let counts = [le(0, 4), le(1, 2), le(1, 2), le(record.len(), 4), le(shift + local.len(), 4), le(0, 2)].concat();
    [local, record, b"PK\x05\x06".to_vec(), counts].concat()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflated() -> Told {
    Told { method: 8, ..Told::default() }
}

/// A header of a tar with its checksum.
fn tar_header(name: &str, kind: u8, size: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        header.splice(at..at + bytes.len(), bytes.iter().copied());
    };
    put(0, name.as_bytes());
    put(124, size);
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar  \0");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header.splice(148..155, format!("{sum:06o}\0").into_bytes());
    header
}

fn tar(entries: &[(Vec<u8>, &[u8])], end: usize) -> Vec<u8> {
    let padded = |data: &[u8]| [data, &vec![0; data.len().next_multiple_of(512) - data.len()]].concat();
    let mut all: Vec<u8> = entries.iter().flat_map(|(header, data)| [header.clone(), padded(data)].concat()).collect();
    all.extend(vec![0; end]);
    all
}

fn octal(size: usize) -> Vec<u8> {
    format!("{size:011o}\0").into_bytes()
}

#[test]
fn frames_that_follow_each_other_are_one_stream() {
    let content = content();
    let (first, rest) = content.split_at(70_000);
    for (name, encode) in
        [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd), ("lz4", lz4), ("xz", xz), ("bzip2", bzip2)]
    {
        works(name, &[encode(first), encode(&[]), encode(rest)].concat());
        is_a_gap(name, &[encode(first), b"something else".to_vec()].concat(), "something else");
    }
    works("padding between streams of xz", &[xz(first), vec![0; 8], xz(rest), vec![0; 4]].concat());
}

#[test]
fn skippable_frames_are_passed_over_wherever_they_stand() {
    let content = content();
    let (first, rest) = content.split_at(70_000);
    for (name, encode) in [("zstd", zstd as fn(&[u8]) -> Vec<u8>), ("lz4", lz4)] {
        for len in [0, 4, 600, 100_000] {
            works(name, &[skippable(len), encode(first), skippable(len), encode(rest), skippable(len)].concat());
        }
        works(name, &[skippable(9), skippable(1000), skippable(3), encode(&content)].concat());
    }
    is_a_gap("only skippable frames", &skippable(600), "skippable frames");
}

#[test]
fn what_a_decoder_may_not_do_is_a_gap() {
    let mut wide = zstd(&content());
    // Byte 5 is the descriptor of the window where no content size stands: 10 and more in its upper five bits.
    let header = zstd::encode_all(&content()[..], 3).map(|bytes| bytes.get(4).copied().unwrap()).unwrap();
    assert_eq!(header & 0x20, 0, "a frame of one segment has no window");
    wide.splice(5..6, [(28 - 10) << 3]);
    is_a_gap("window of 256 MiB", &wide, "its window of 268435456 bytes is larger");
    let dictionary: Vec<u8> = content().into_iter().rev().take(5000).collect();
    let mut encoder = zstd::bulk::Compressor::with_dictionary(3, &dictionary).unwrap();
    encoder.set_parameter(zstd::zstd_safe::CParameter::DictIdFlag(true)).unwrap();
    let packed = encoder.compress(&content()).unwrap();
    let (all, gaps) = unpacked(&packed);
    assert!(!gaps.is_empty() && !all.contains(&content()), "a dictionary that is not there");
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = 192 << 20;
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(b"abc").unwrap();
    is_a_gap("dictionary of 192 MiB", &encoder.finish().unwrap(), "only to byte 0x0");
}

#[test]
fn what_is_damaged_at_its_end_is_a_gap() {
    for (name, bytes, from_end) in [
        ("CRC-32 of gzip", gzip(&content()), 8),
        ("size of gzip", gzip(&content()), 4),
        ("index of xz", xz(&content()), 18),
        ("footer of xz", xz(&content()), 3),
        ("CRC of bzip2", bzip2(&content()), 3),
    ] {
        let mut damaged = bytes.clone();
        let at = bytes.len() - from_end;
        damaged.splice(at..at + 1, [bytes.get(at).unwrap() ^ 0x55]);
        is_a_gap(name, &damaged, "only to byte");
    }
}

#[test]
fn members_of_a_zip_that_cannot_be_unpacked_are_gaps_by_name() {
    let data = deflate(&content());
    works("a plain member", &zip(&data, deflated()));
    works("a stored member", &zip(&content(), Told::default()));
    for method in [1, 6, 9, 14, 97, 98, 12_345] {
        is_a_gap(
            "method",
            &zip(&data, Told { method, ..Told::default() }),
            &format!("compressed with method {method}"),
        );
    }
    is_a_gap("AES", &zip(&data, Told { method: 99, flags: 1, ..Told::default() }), "encrypted");
    for flags in [1, 1 << 6, 1 << 13] {
        is_a_gap("encrypted", &zip(&data, Told { flags, ..deflated() }), "encrypted");
    }
    for more in [1, 1_000_000_000, usize::MAX - content().len()] {
        is_a_gap("a size that lies", &zip(&data, Told { more, ..deflated() }), "sizes or CRC-32");
    }
    is_a_gap("data that ends early", &zip(&[data.clone(), b"more".to_vec()].concat(), deflated()), "were not unpacked");
}

#[test]
fn a_zip_behind_a_program_is_unpacked() {
    let data = deflate(&content());
    let program = [b"#!/bin/sh\nexit\n".to_vec(), vec![b'#'; 70_000]].concat();
    works(
        "offsets that count the program",
        &[program.clone(), zip(&data, Told { shift: program.len(), ..deflated() })].concat(),
    );
    let (all, gaps) = unpacked(&[program, zip(&data, deflated())].concat());
    assert!(all.contains(&content()) && gaps.is_empty(), "{gaps:?}");
    // A dump stays a dump, and what stands behind it is told.
    let dump = [b"MDMP\x93\xa7\0\0".to_vec(), vec![0; 600], zip(&data, deflated())].concat();
    is_a_gap("a dump", &dump, "a dump with a zip archive behind it");
}

/// A fuzzer found it: the record stands before where the directory is said to begin, so it is not copied with the directory.
#[test]
fn a_zip_whose_end_is_wrong_about_its_directory_is_not_packed_again() {
    let mut bytes = zip(&deflate(&content()), deflated());
    let end = bytes.split_off(bytes.len() - 6);
    let (told, rest) = end.split_first_chunk().unwrap();
    bytes.extend((u32::from_le_bytes(*told) + 40).to_le_bytes());
    bytes.extend(rest);
    let settings = Settings::default();
    let tree = container::tree(Image::from_bytes("x", bytes), &settings).unwrap();
    let new = tree.leaves.iter().enumerate().filter(|(_, leaf)| leaf.shell.is_none());
    let new = new.map(|(number, _)| (number, Image::from_bytes("new", vec![0; 9]))).collect();
    let refused = tree.pack(&new, &mut container::create(&settings.folder).unwrap(), &settings);
    assert!(refused.unwrap_err().to_string().contains("does not stand where its end says"));
}

#[test]
fn tars_of_old_and_odd_programs_are_read() {
    let content = content();
    let (file, blank) = (tar_header("n", b'0', &octal(content.len())), [0; 12]);
    works("a label first", &tar(&[(tar_header("label", b'V', &blank), b""), (file.clone(), &content)], 1024));
    let wide = [vec![0x80, 0, 0, 0], content.len().to_be_bytes().to_vec()].concat();
    works("a size in base 256", &tar(&[(tar_header("n", b'0', &wide), &content)], 1024));
    works("names of GNU", &{
        let long = "d/".repeat(300) + "n\0";
        tar(&[(tar_header("././@LongLink", b'L', &octal(long.len())), long.as_bytes()), (file.clone(), &content)], 512)
    });
    is_a_gap("no end mark", &tar(&[(file.clone(), &content)], 0), "without its end mark");
    let twice = [tar(&[(file.clone(), &content)], 1024), tar(&[(file, &content)], 1024)].concat();
    is_a_gap("one behind the other", &twice, "something else");
}

/// A cabinet of one folder whose compression is `kind`, with one file of `len` bytes in `packed` bytes.
fn cabinet(kind: usize, packed: &[u8], len: usize, file: (usize, usize)) -> Vec<u8> {
    let entry = [le(file.1, 4), le(file.0, 4), le(0, 8), b"n\0".to_vec()].concat();
    let block_at = 36 + 8 + entry.len();
    let block = [le(0, 4), le(packed.len(), 2), le(len, 2), packed.to_vec()].concat();
    let whole = block_at + block.len();
    let head = [
        b"MSCF\0\0\0\0".to_vec(),
        le(whole, 4),
        le(0, 4),
        le(44, 4),
        le(0, 4),
        vec![3, 1],
        le(1, 2),
        le(1, 2),
        le(0, 6),
    ];
    [head.concat(), le(block_at, 4), le(1, 2), le(kind, 2), entry, block].concat()
}

#[test]
fn cabinets_that_cannot_be_unpacked_are_gaps_by_name() {
    let data = vec![7; 1000];
    assert_eq!(unpacked(&cabinet(0, &data, 1000, (0, 1000))), (vec![data.clone()], vec![]));
    // Quantum; LZX with windows that there are not; numbers that mean nothing.
    for kind in [2, 3, 3 | 14 << 8, 3 | 26 << 8, 4, 15] {
        is_a_gap("kind", &cabinet(kind, &data, 1000, (0, 1000)), &format!("compressed with method {kind}"));
    }
    is_a_gap("damaged LZX", &cabinet(3 | 16 << 8, &data, 1000, (0, 1000)), "could not be unpacked to its end");
    is_a_gap("damaged MSZIP", &cabinet(1, &data, 1000, (0, 1000)), "does not begin with CK");
    is_a_gap("bytes of no file", &cabinet(0, &data, 1000, (100, 800)), "200 bytes of a folder belong to no file");
    is_a_gap("a file behind the end", &cabinet(0, &data, 1000, (500, 1000)), "only 500 of its 1000 bytes");
    is_a_gap(
        "no files",
        &cabinet(0, &data, 1000, (0, 1000))
            .into_iter()
            .enumerate()
            .map(|(at, byte)| if at == 28 { 0 } else { byte })
            .collect::<Vec<_>>(),
        "no file of the cabinet's list",
    );
}

/// A report of apport whose core is compressed like `packed`.
fn report(packed: &[u8]) -> Vec<u8> {
    let lines = packed.chunks(3000).map(|chunk| format!(" {}\n", base64ct::Base64::encode_string(chunk)));
    format!("ProblemType: Crash\nCoreDump: base64\n{}Signal: 11\n", lines.collect::<String>()).into_bytes()
}

#[test]
fn reports_of_apport_are_read_whatever_compresses_them() {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&content()).unwrap();
    let zlib = zlib.finish().unwrap();
    for (name, packed) in [("gzip", gzip(&content())), ("zstd", zstd(&content())), ("zlib", zlib)] {
        works(name, &report(&packed));
        is_a_gap(name, &report(packed.split_at(packed.len() / 2).0), "only to byte");
        is_a_gap(name, &report(&[packed, b"more".to_vec()].concat()), "only to byte");
    }
    is_a_gap("nothing", b"ProblemType: Crash\nCoreDump: base64\nSignal: 11\n", "holds nothing");
}

#[test]
fn containers_are_unpacked_to_the_stated_depth_and_no_deeper() {
    let depth = Settings::default().limits.depth;
    let mut bytes = content();
    for _ in 0..depth {
        bytes = gzip(&bytes);
    }
    works("as deep as may be", &bytes);
    is_a_gap("one deeper", &gzip(&bytes), "it was not unpacked");
}

#[test]
fn containers_of_other_kinds_are_gaps_by_name() {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&content()).unwrap();
    is_a_gap("zlib", &zlib.finish().unwrap(), "a zlib stream");
    for (magic, words) in [
        (&b"070701"[..], "a cpio archive"),
        (b"!<arch>\ndebian-binary", "an ar archive"),
        (b"\x27\xb5\x2f\xfd\0", "an old version of zstd"),
        (b"LRZI\0\x06", "an lrzip file"),
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x12", "an LZMA file"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        (b"Salted__", "an OpenSSL-encrypted file"),
    ] {
        is_a_gap("magic", &[magic, &[1; 600]].concat(), words);
    }
}
