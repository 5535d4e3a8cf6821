//! What the fuzz targets share: the properties that must hold whatever the bytes are.

pub mod containers;
pub mod mend;

use dumpscrub::detect::{Candidate, Detector, Hits, Trigger};
use dumpscrub::dump::{self, DumpMap};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::span::Span;
use dumpscrub::window::Window;

/// Describes the bytes, and checks that every one of them is accounted for.
pub fn map(image: &Image) -> DumpMap {
    let map = dump::map(image, &Limits::default()).expect("bytes in memory can be read");
    tiles(&map.labels.all().iter().map(|run| run.0).collect::<Vec<_>>(), image.len());
    tiles(&map.classes.all().iter().map(|run| run.0).collect::<Vec<_>>(), image.len());
    assert!(map.regions.iter().all(|region| region.span.end() <= image.len()));
    map
}

fn tiles(runs: &[Span], len: u64) {
    assert_eq!(runs.first().map_or(0, Span::from), 0);
    assert_eq!(runs.last().map_or(0, Span::end), len);
    assert!(runs.windows(2).all(|pair| pair[0].end() == pair[1].from()));
}

/// Shows the detector every position as if its trigger stood there, in a window of the whole image and in one that is
/// stitched in the middle, and checks that it tells of nothing outside.
pub fn confirm_everywhere(detector: &dyn Detector, data: &[u8]) {
    let image = Image::from_bytes("fuzz", data.to_vec());
    let (len, half) = (data.len() as u64, data.len() / 2);
    let whole = [Span::new(0, len)];
    // As if the second half stood first in the file.
    let halves = [Span::new(len - half as u64, half as u64), Span::new(0, len - half as u64)];
    let edges = [half];
    confirm_in(detector, &Window::new(data, 0..data.len(), &whole, &[]).with_image(&image));
    confirm_in(detector, &Window::new(data, 0..data.len(), &halves, &edges));
}

fn confirm_in(detector: &dyn Detector, window: &Window<'_>) {
    let literals = match detector.trigger() {
        Trigger::Literals(literals) => literals.iter().map(|literal| literal.wide).collect(),
        Trigger::DerInteger | Trigger::AesWords | Trigger::Repeated(_) | Trigger::Window => vec![false],
    };
    for at in window.owned() {
        for (literal, &also_wide) in literals.iter().enumerate() {
            for wide in if also_wide { &[false, true][..] } else { &[false] } {
                let mut hits = Hits::default();
                detector.confirm(Candidate { at, literal, wide: *wide }, window, &mut hits);
                for hit in hits.hits {
                    assert!(
                        hit.range.start < hit.range.end && hit.range.end <= window.bytes().len(),
                        "{:?}",
                        hit.range
                    );
                }
            }
        }
    }
}
