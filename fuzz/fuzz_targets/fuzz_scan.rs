//! Any bytes are scanned whole, and how they are cut into windows does not matter.
#![no_main]

use std::sync::LazyLock;

use dumpscrub::detect::detectors;
use dumpscrub::dump::DumpMap;
use dumpscrub::finding::Site;
use dumpscrub::image::Image;
use dumpscrub::scan::{self, Engine, Options, Quiet};
use libfuzzer_sys::fuzz_target;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let detectors = detectors().expect("the rules of the program are well formed");
    Engine::new(detectors).expect("and so are their triggers")
});

fuzz_target!(|data: &[u8]| {
    let image = Image::from_bytes("fuzz", data.to_vec());
    let map = dumpscrub_fuzz::map(&image);
    assert_eq!(scan(&image, &map, 1 << 20), scan(&image, &map, 333));
});

fn scan(image: &Image, map: &DumpMap, window: usize) -> Vec<(String, Vec<Site>)> {
    let options = Options { window, ..Options::default() };
    let outcome = scan::scan(image, map, &ENGINE, &options, &Quiet).expect("bytes in memory can be read");
    assert_eq!(outcome.coverage.scanned, image.len(), "{:?}", outcome.coverage);
    let sites = |i: usize| outcome.sites.of(i).map(|site| site.expect("sites in memory can be read")).collect();
    let mut found = Vec::new();
    for (i, finding) in outcome.findings.iter().enumerate() {
        let sites: Vec<Site> = sites(i);
        assert!(sites.iter().flat_map(|site| &site.spans).all(|span| span.end() <= image.len()));
        found.push((outcome.rules[finding.rule.0].id.clone(), sites));
    }
    found
}
