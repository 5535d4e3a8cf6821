//! The samples hold what their README says, and a scan finds all of it and nothing else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use dumpscrub::detect::detectors;
use dumpscrub::dump;
use dumpscrub::finding::Site;
use dumpscrub::image;
use dumpscrub::limits::Limits;
use dumpscrub::scan::{self, Engine, Options, Quiet};
use dumpscrub::span::Span;

/// A row of the table in the README.
struct Row {
    sample: String,
    secret: String,
    pieces: Vec<Span>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn rows() -> Vec<Row> {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    readme.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let offsets = cells[3].split(" then ").map(|hex| u64::from_str_radix(hex.trim_start_matches("0x"), 16).unwrap());
    let lengths = cells[4].split(" + ").map(|number| number.parse().unwrap());
    let pieces = offsets.zip(lengths).map(|(at, len)| Span::new(at, len)).collect();
    Row { sample: cells[1].trim_matches('`').to_owned(), secret: cells[2].to_owned(), pieces }
}

fn sites_of(sample: &str) -> Vec<Site> {
    let image = image::open(&folder().join(sample)).unwrap();
    let map = dump::map(&image, &Limits::default()).unwrap();
    let engine = Engine::new(detectors().unwrap()).unwrap();
    let outcome = scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap();
    assert_eq!(outcome.coverage.scanned, image.len(), "{sample}");
    assert_eq!(outcome.coverage.gaps, [], "{sample}");
    (0..outcome.findings.len()).flat_map(|i| outcome.sites.of(i)).map(Result::unwrap).collect()
}

fn samples() -> Vec<String> {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".dmp")).collect()
}

/// How many bytes of the planted secret the sites cover.
fn covered(row: &Row, sites: &[Site]) -> u64 {
    let overlap = |piece: &Span| {
        let spans = sites.iter().flat_map(|site| &site.spans);
        spans.filter_map(|span| span.intersection(piece)).map(|both| both.len).max().unwrap_or(0)
    };
    row.pieces.iter().map(overlap).sum()
}

#[test]
fn everything_that_is_planted_is_found() {
    let rows = rows();
    for sample in samples() {
        let sites = sites_of(&sample);
        for row in rows.iter().filter(|row| row.sample == sample) {
            let len: u64 = row.pieces.iter().map(|piece| piece.len).sum();
            // The BEGIN and END lines of a PEM text are planted with it, and are no secret.
            assert!(
                covered(row, &sites) * 10 >= len * 7,
                "{sample}: {}: {} of {len}",
                row.secret,
                covered(row, &sites)
            );
        }
    }
}

#[test]
fn nothing_is_found_that_is_not_planted() {
    let rows = rows();
    for sample in samples() {
        let planted: Vec<&Span> = rows.iter().filter(|row| row.sample == sample).flat_map(|row| &row.pieces).collect();
        for site in sites_of(&sample) {
            let known = planted.iter().any(|piece| site.spans.iter().any(|span| span.overlaps(piece)));
            assert!(known, "{sample}: {site:?}");
        }
    }
}

#[test]
fn the_clean_sample_is_clean() {
    assert_eq!(sites_of("clean.dmp"), []);
    assert!(rows().iter().all(|row| row.sample != "clean.dmp"));
}

#[test]
fn the_samples_are_small() {
    let total: u64 = samples().iter().map(|name| fs::metadata(folder().join(name)).unwrap().len()).sum();
    assert!(total < 2 << 20, "{total} bytes");
}
