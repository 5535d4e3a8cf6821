//! How an image is cut into windows: every byte in file order, and every seam of memory once more.
//!
//! A file window owns a run of the file and sees [`MARGIN`] bytes more on each side. A stitched window shows memory as the
//! process saw it around a place where memory goes on and the file does not; only what crosses such a place is told by
//! it, because everything else is told by file windows. Where seams lie close together (a dump of shuffled pages) they
//! share one long stitched run, so the extra work stays below the size of the image.

use std::ops::Range;

use crate::detect::{Detector, Reach, Trigger};
use crate::dump::DumpMap;
use crate::error::Gap;
use crate::image::Image;
use crate::limits::Limits;
use crate::memory::{AddressSpace, Seam};
use crate::span::{Address, Span};
use crate::window::Window;

/// Bytes that a window sees on each side of what it owns: a 16384-bit RSA key as PEM in UTF-16 takes 25 KB.
pub const MARGIN: usize = 32 << 10;

/// One window to look at, not yet read.
#[derive(Clone, Debug)]
pub struct Cut {
    spans: Vec<Span>,
    owned: Range<usize>,
}

impl Cut {
    /// Bytes that it owns.
    #[must_use]
    pub fn owned_len(&self) -> u64 {
        self.owned.len() as u64
    }

    /// Where the first byte that it owns stands, unless it is stitched.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.spans.first().map_or(0, |span| span.from() + self.owned.start as u64)
    }

    /// Whether the file stores nothing of what the window would see: zeros, which hold nothing.
    #[must_use]
    pub fn is_hole(&self, image: &Image) -> bool {
        matches!(self.spans.as_slice(), [span] if image.is_hole(*span))
    }

    /// Whether it is stitched across a seam.
    #[must_use]
    pub fn is_stitched(&self) -> bool {
        self.spans.len() > 1
    }
}

/// Buffers of one worker.
#[derive(Debug, Default)]
pub struct Buffers {
    bytes: Vec<u8>,
    edges: Vec<usize>,
}

/// All cuts of an image.
#[derive(Debug)]
pub struct Pieces {
    len: u64,
    window: usize,
    edges: Vec<u64>,
    memory: AddressSpace,
    seams: Vec<Seam>,
    /// Stitching that the budget did not allow.
    pub gaps: Vec<Gap>,
}

impl Pieces {
    /// Cuts an image of `len` bytes that `map` describes into windows that own `window` bytes.
    #[must_use]
    pub fn new(len: u64, map: &DumpMap, window: usize, limits: &Limits) -> Self {
        let memory = AddressSpace::of(map);
        let (seams, more) = memory.seams(limits.stitches_per_seam);
        let mut pieces = Self { len, window: window.max(1), edges: edges(map), memory, seams, gaps: Vec::new() };
        let afforded = pieces.affordable();
        if more || afforded < pieces.seams.len() {
            let reason = "regions overlap so often that not every pair of them could be stitched; a secret that is cut in \
                          two there may be missed: the dump is damaged or made to mislead";
            pieces.gaps.push(Gap { span: Span::new(0, len), reason: reason.to_owned() });
        }
        pieces.seams.truncate(afforded);
        pieces
    }

    /// Cuts an image whose length is not known yet, and is below `len`: into windows of the file.
    #[must_use]
    pub fn ahead(len: u64, map: &DumpMap, window: usize) -> Self {
        let (edges, memory) = (edges(map), AddressSpace::of(map));
        Self { len, window: window.max(1), edges, memory, seams: Vec::new(), gaps: Vec::new() }
    }

    /// Whether `other`, which cuts the whole image, shows the first `windows` of the file just as this does.
    #[must_use]
    pub fn shows_the_same(&self, other: &Self, windows: u64) -> bool {
        let end = windows.saturating_mul(self.window as u64).saturating_add(MARGIN as u64);
        let seen = |pieces: &Self| pieces.edges.partition_point(|&edge| edge <= end);
        self.window == other.window
            && end <= other.len
            && self.edges.get(..seen(self)) == other.edges.get(..seen(other))
            && self.memory.layout() == other.memory.layout()
    }

    /// Bytes that a window owns.
    #[must_use]
    pub fn window(&self) -> u64 {
        self.window as u64
    }

    /// Where the last region or stream ends.
    #[must_use]
    pub fn last_edge(&self) -> Option<u64> {
        self.edges.last().copied()
    }

    /// How many of the seams can be stitched for the price of reading the image four times more.
    fn affordable(&self) -> usize {
        let mut left = self.len.saturating_mul(4).saturating_add(64 << 20);
        let mut rest = self.seams.as_slice();
        while let (group @ [first, ..], behind) = rest.split_at(self.group(rest)) {
            let last = group.last().unwrap_or(first);
            let price = last.address.0 - first.address.0 + 2 * MARGIN as u64;
            match left.checked_sub(price) {
                Some(more) => left = more,
                None => break,
            }
            rest = behind;
        }
        self.seams.len() - rest.len()
    }

    /// How memory is laid out.
    #[must_use]
    pub fn memory(&self) -> &AddressSpace {
        &self.memory
    }

    /// How many seams there are.
    #[must_use]
    pub fn seams(&self) -> u64 {
        self.seams.len() as u64
    }

    /// Windows over the file, in order: together they own every byte once.
    pub fn file(&self) -> impl Iterator<Item = Cut> + '_ {
        self.file_from(0)
    }

    /// The same without the first `windows`.
    pub fn file_from(&self, windows: u64) -> impl Iterator<Item = Cut> + '_ {
        (windows..self.len.div_ceil(self.window as u64)).map(|i| {
            let from = i * self.window as u64;
            let to = (from + self.window as u64).min(self.len);
            let start = from.saturating_sub(MARGIN as u64);
            let span = Span::between(start, to.saturating_add(MARGIN as u64).min(self.len));
            Cut { spans: vec![span], owned: small(from - start)..small(to - start) }
        })
    }

    /// Stitched windows, in order of address.
    pub fn stitched(&self) -> impl Iterator<Item = Cut> + '_ {
        let mut rest = self.seams.as_slice();
        std::iter::from_fn(move || {
            let (group, behind) = rest.split_at(self.group(rest));
            rest = behind;
            let (first, last) = (group.first()?, group.last()?);
            Some(self.stitch(first, last))
        })
        .flatten()
    }

    /// How many of the first seams share one stitched run.
    fn group(&self, seams: &[Seam]) -> usize {
        let plain = |seam: &Seam| self.memory.is_plain(seam);
        if seams.first().is_none_or(|seam| !plain(seam)) {
            return seams.len().min(1);
        }
        let near = |w: &[Seam]| matches!(w, [a, b] if b.address.0 - a.address.0 < 2 * MARGIN as u64 && plain(b));
        1 + seams.windows(2).take_while(|w| near(w)).count()
    }

    fn stitch(&self, first: &Seam, last: &Seam) -> Vec<Cut> {
        let margin = MARGIN as u64;
        let spans = if first == last {
            self.memory.around(first, margin).0
        } else {
            let mut spans = self.memory.spans_before(first.address, margin);
            let Address(from) = first.address;
            spans.extend(self.memory.spans_from(first.address, last.address.0 - from + margin));
            spans
        };
        let len: u64 = spans.iter().map(|s| s.len).sum();
        let windows = len.div_ceil(self.window.max(2 * MARGIN) as u64);
        let step = len.div_ceil(windows.max(1));
        let cut = |i: u64| {
            let (from, to) = (i * step, ((i + 1) * step).min(len));
            let start = from.saturating_sub(margin);
            let owned = small(from - start)..small(to - start);
            Cut { spans: sub_spans(&spans, start, (to + margin).min(len)), owned }
        };
        (0..windows).map(cut).collect()
    }

    /// Reads a cut and shows it to `look`. Bytes that could not be read are told as a gap.
    ///
    /// # Errors
    /// The gap, when nothing of it could be read.
    pub fn with_window<R>(
        &self,
        cut: &Cut,
        image: &Image,
        buffers: &mut Buffers,
        look: impl FnOnce(&Window<'_>) -> R,
    ) -> (R, Option<Gap>) {
        let gap = read(image, &cut.spans, &mut buffers.bytes).err();
        self.edges_of(&cut.spans, &mut buffers.edges);
        let window = Window::new(&buffers.bytes, cut.owned.clone(), &cut.spans, &buffers.edges);
        let window = if cut.is_stitched() { window } else { window.with_image(image) };
        (look(&window), gap)
    }

    /// The region borders inside the spans, as positions in the window; joints between spans are such borders.
    fn edges_of(&self, spans: &[Span], edges: &mut Vec<usize>) {
        edges.clear();
        let mut at = 0;
        for span in spans {
            let from = self.edges.partition_point(|&e| e < span.from());
            let inside = self.edges.iter().skip(from).take_while(|&&e| e <= span.end());
            edges.extend(inside.map(|&e| at + small(e - span.from())));
            at += small(span.len);
            edges.push(at);
        }
        edges.dedup();
    }
}

/// Says no to a detector that asks to see further than the margin: its secrets would be cut at the borders of windows.
///
/// # Errors
/// The id of its first rule, and by how much it is too far.
pub fn check_reach(detector: &dyn Detector) -> Result<(), String> {
    let Reach { before, after } = detector.reach();
    let wide = matches!(detector.trigger(), Trigger::Literals(all) if all.iter().any(|literal| literal.wide));
    let bytes = before.max(after).saturating_mul(if wide { 2 } else { 1 });
    if bytes <= MARGIN {
        return Ok(());
    }
    let rule = detector.rules().first().map_or_else(|| "a detector".to_owned(), |rule| rule.id.clone());
    Err(format!("{rule}: it reaches {bytes} bytes from its trigger, and windows show {MARGIN}"))
}

/// Where regions and streams begin and end in the file, sorted.
fn edges(map: &DumpMap) -> Vec<u64> {
    let spans = map.regions.iter().map(|r| r.span).chain(map.streams.iter().map(|s| s.span));
    let mut edges: Vec<u64> = spans.flat_map(|s| [s.from(), s.end()]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Fills `bytes` with the spans, one behind the other; what cannot be read is zero.
fn read(image: &Image, spans: &[Span], bytes: &mut Vec<u8>) -> std::result::Result<(), Gap> {
    let mut result = Ok(());
    let mut at = 0;
    bytes.resize(small(spans.iter().map(|s| s.len).sum()), 0);
    for span in spans {
        let len = small(span.len);
        let Some(into) = bytes.get_mut(at..at + len) else { break };
        if let Err(gap) = read_span(image, *span, into) {
            result = Err(gap);
        }
        at += len;
    }
    result
}

fn read_span(image: &Image, span: Span, into: &mut [u8]) -> std::result::Result<(), Gap> {
    let (got, why) = match image.read_at(span.from(), into) {
        Ok(got) => (got, "the file became shorter while it was read".to_owned()),
        Err(error) => (0, error.to_string()),
    };
    if got == into.len() {
        return Ok(());
    }
    into.iter_mut().skip(got).for_each(|b| *b = 0);
    Err(Gap { span: Span::between(span.from() + got as u64, span.end()), reason: why })
}

/// The part `from..to` of the bytes that the spans hold one behind the other.
fn sub_spans(spans: &[Span], from: u64, to: u64) -> Vec<Span> {
    let (mut part, mut at) = (Vec::new(), 0);
    for span in spans {
        let (a, b) = (from.max(at), to.min(at + span.len));
        if a < b {
            part.push(Span::between(span.from() + (a - at), span.from() + (b - at)));
        }
        at += span.len;
    }
    part
}

fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Where a gap of one cut lies that its owner has to tell: the part that it owns.
#[must_use]
pub fn owned_gap(cut: &Cut, gap: &Gap) -> Option<Gap> {
    let [span] = cut.spans.as_slice() else { return Some(gap.clone()) };
    let owned = Span::new(span.from() + cut.owned.start as u64, cut.owned_len());
    let span = owned.intersection(&gap.span)?;
    Some(Gap { span, reason: gap.reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Label, Region};

    fn map_of(regions: &[(u64, u64, u64)], len: u64) -> DumpMap {
        let mut map = DumpMap::blank("test", len, Label::Slack);
        map.regions = regions
            .iter()
            .map(|&(address, file, len)| Region {
                span: Span::new(file, len),
                address: Some(Address(address)),
                label: Label::Memory,
                protection: None,
            })
            .collect();
        map
    }

    #[test]
    fn a_detector_that_reaches_past_the_margin_is_refused() {
        let rule = include_str!("../detect/rules/http.toml");
        let longest = format!("after = {}", MARGIN / 2);
        for (after, fits) in [("after = 16000", true), (longest.as_str(), false)] {
            let rules = crate::detect::text::parse("t", &rule.replace("after = 8300", after));
            let checked = rules.map(|rules| rules.iter().all(|rule| check_reach(rule).is_ok()));
            assert_eq!(checked.unwrap_or(false), fits, "{after}");
        }
        struct Far;
        impl Detector for Far {
            fn rules(&self) -> Vec<crate::finding::Rule> {
                Vec::new()
            }
            fn trigger(&self) -> Trigger {
                Trigger::DerInteger
            }
            fn reach(&self) -> Reach {
                Reach { before: 0, after: MARGIN + 1 }
            }
            fn confirm(&self, _: crate::detect::Candidate, _: &Window<'_>, _: &mut crate::detect::Hits) {}
        }
        assert!(check_reach(&Far).is_err());
        assert!(crate::scan::Engine::new(vec![Box::new(Far)]).is_err());
    }

    #[test]
    fn file_windows_own_every_byte_once() {
        for (len, window) in [(1, 1), (100_000, 4096), (100_000, 99_999), (5 << 20, 1 << 20)] {
            let pieces = Pieces::new(len, &map_of(&[], len), window, &Limits::default());
            let mut next = 0;
            for cut in pieces.file() {
                let span = cut.spans[0];
                assert_eq!(span.from() + cut.owned.start as u64, next);
                next += cut.owned_len();
            }
            assert_eq!(next, len);
        }
    }

    #[test]
    fn shuffled_pages_are_stitched_in_order_of_address_and_cost_no_more_than_the_image() {
        let pages = 512_u64;
        let regions: Vec<_> = (0..pages).map(|i| (0x10_0000 + i * 4096, ((i * 77) % pages) * 4096, 4096)).collect();
        let map = map_of(&regions, pages * 4096);
        let pieces = Pieces::new(pages * 4096, &map, 1 << 20, &Limits::default());
        let total: u64 = pieces.stitched().map(|cut| cut.owned_len()).sum();
        assert_eq!(total, pages * 4096);
        let first = pieces.stitched().next().unwrap();
        assert_eq!(first.spans[1], Span::new(77 * 4096, 4096));
    }

    #[test]
    fn a_short_file_is_a_gap_for_its_owner_only() {
        let image = Image::from_bytes("short", vec![1; 10_000]);
        let pieces = Pieces::new(20_000, &map_of(&[], 20_000), 8000, &Limits::default());
        let gaps: Vec<Option<Gap>> = pieces
            .file()
            .map(|cut| {
                let (_, gap) = pieces.with_window(&cut, &image, &mut Buffers::default(), |_| ());
                gap.and_then(|gap| owned_gap(&cut, &gap))
            })
            .collect();
        let spans: Vec<Option<Span>> = gaps.iter().map(|g| g.as_ref().map(|g| g.span)).collect();
        assert_eq!(spans, [None, Some(Span::between(10_000, 16_000)), Some(Span::between(16_000, 20_000))]);
    }
}
