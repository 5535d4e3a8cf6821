//! Whatever is planted wherever: every copy is covered by a site, and neither threads nor window sizes change the result.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::sync::LazyLock;

use dumpscrub::dump;
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::parallel;
use dumpscrub::scan::{self, Engine, Options, Quiet};
use proptest::prelude::*;
use synth::forms::{self, Lines};
use synth::{Blob, der, keys};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap());

/// Secrets in the forms that memory holds them in, each with the part of it that a site must cover.
static PLANTS: LazyLock<Vec<(Vec<u8>, std::ops::Range<usize>)>> = LazyLock::new(|| {
    let (rsa, ec, ed) = (der::pkcs1(&keys::rsa(1024)), keys::p256().p256_pkcs8(), keys::ed25519());
    let pem = forms::pem("RSA PRIVATE KEY", &rsa, Lines::Lf);
    let body = 32..pem.rfind("\n-----END").unwrap();
    let wide = |r: std::ops::Range<usize>| 2 * r.start..2 * r.end;
    let header = b"\0Authorization: Bearer k7Qd02mXw9LbTz4KpR\0".to_vec();
    vec![
        (pem.clone().into_bytes(), body.clone()),
        (forms::utf16le(&pem), wide(body.clone())),
        (forms::utf16be(&pem), wide(body)),
        (rsa.clone(), 0..rsa.len()),
        (ec.clone(), 0..ec.len()),
        (der::pkcs8_ed25519(&ed.secret), 0..48),
        (header, 23..41),
        (b"\0amqp://svc:Nq7-xL2m_Zp4@mq/\0".to_vec(), 12..24),
        (forms::utf16le("DB_PASSWORD=tr0ub4dor-and-3"), 24..54),
    ]
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_plant_is_covered_however_the_image_is_cut(
        seed in any::<u64>(),
        plants in prop::collection::vec((0..9_usize, 0..2500_usize), 1..12),
        window in 256..40_000_usize,
        threads in 1..4_usize,
    ) {
        let mut bytes = Blob::noise(500, seed).bytes;
        let mut must = Vec::new();
        for (which, gap) in plants {
            let (plant, secret) = &PLANTS[which];
            // Zeros on both sides, so that what stands there by chance is no letter of it.
            bytes.extend([vec![0; 4], Blob::noise(gap, seed ^ gap as u64).bytes, vec![0; 4]].concat());
            must.push(bytes.len() + secret.start..bytes.len() + secret.end);
            bytes.extend(plant);
        }
        bytes.extend([0; 64]);
        let cut = Options { window, ..Options::default() };
        let got = parallel::with_threads(threads, || told(&bytes, &cut)).unwrap();
        prop_assert_eq!(&got, &told(&bytes, &Options::default()));
        for secret in must {
            // A NUL of UTF-16 may be told with the letter before or behind it.
            let covers = |s: &(u64, u64)| s.0 as usize <= secret.start + 1 && secret.end <= (s.0 + s.1) as usize + 1;
            prop_assert!(got.iter().any(|(_, sites)| sites.iter().any(covers)), "{secret:?} of {got:?}");
        }
    }
}

/// Rule and evidence of every finding, with the places of its sites.
fn told(bytes: &[u8], options: &Options) -> Vec<(String, Vec<(u64, u64)>)> {
    let image = Image::from_bytes("plants", bytes.to_vec());
    let map = dump::map(&image, &Limits::default()).unwrap();
    let outcome = scan::scan(&image, &map, &ENGINE, options, &Quiet).unwrap();
    let tell = |(i, finding): (usize, &dumpscrub::finding::Finding)| {
        let what = format!("{} {:?}", outcome.rules[finding.rule.0].id, finding.evidence);
        (what, outcome.sites.of(i).map(|site| site.map(|s| (s.offset(), s.len())).unwrap()).collect())
    };
    outcome.findings.iter().enumerate().map(tell).collect()
}
