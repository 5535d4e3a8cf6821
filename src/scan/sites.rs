//! Sites, however many there are: a small record each, sorted, and spilled to disk beyond a budget.
//!
//! A dump can hold the same token millions of times, and a redactor must know every place. So a site is a fixed record of
//! a few words; runs of records that do not fit in memory go to an unlinked temporary file and are merged when they are
//! read. Sites that a seam cuts in pieces are few and are kept whole.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::Write;

use crate::error::{Error, Result};
use crate::finding::{Form, Site};
use crate::span::Span;

/// A site of a finding. Ordered by place; at one place the longer site comes first, so that what contains comes before
/// what is contained.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// File offset of the first byte.
    pub offset: u64,
    /// Length in bytes, all spans together.
    pub len: Reverse<u64>,
    /// Index of the finding.
    pub finding: u32,
    /// How the site holds the secret.
    pub form: Form,
    /// All spans, where there is more than one.
    pub cut: Option<Box<[Span]>>,
}

impl Placed {
    /// A site of the finding with this index.
    #[must_use]
    pub fn new(finding: u32, site: Site) -> Self {
        let (offset, len) = (site.offset(), Reverse(site.len()));
        let cut = (site.spans.len() > 1).then(|| site.spans.into());
        Self { offset, len, finding, form: site.form, cut }
    }

    /// The site that it is.
    #[must_use]
    pub fn site(&self) -> Site {
        let spans = self.cut.as_deref().map_or_else(|| vec![Span::new(self.offset, self.len.0)], <[Span]>::to_vec);
        Site { spans, form: self.form }
    }
}

/// A piece of a site that a seam cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutSpan {
    /// The piece.
    pub span: Span,
    /// Index of the finding.
    pub finding: u32,
    /// Length of the site, all pieces together.
    pub site_len: u64,
    /// Whether the site is a whole structure and no fragment.
    pub whole: bool,
    /// Whether the site begins elsewhere: what stands before the piece in the file does not belong to it.
    pub begins_at_seam: bool,
    /// Whether the site goes on elsewhere: what stands behind the piece in the file does not belong to it.
    pub ends_at_seam: bool,
}

impl CutSpan {
    /// Whether a fragment of the same finding at `site` is this copy, seen in file order: it runs over the seam into bytes
    /// that only happen to stand there.
    ///
    /// Only a whole structure across the seam says that the seam is real. Where a bogus region makes one up, the whole
    /// structure stands in file order, and nothing may explain that away.
    #[must_use]
    pub fn is_seen_as(&self, site: &Span) -> bool {
        let last = site.end().saturating_sub(1);
        let runs_on = self.ends_at_seam && self.span.contains(site.from());
        let comes_in = self.begins_at_seam && self.span.contains(last);
        self.whole && (runs_on || comes_in)
    }
}

/// What a [`SiteLog`] is sorted by.
pub trait Order: Ord {
    /// The record for a site.
    fn of(site: Placed) -> Self;
    /// The site of a record.
    fn site(&self) -> &Placed;
    /// The site of a record, taken out.
    fn into_site(self) -> Placed;
}

impl Order for Placed {
    fn of(site: Placed) -> Self {
        site
    }
    fn site(&self) -> &Placed {
        self
    }
    fn into_site(self) -> Placed {
        self
    }
}

/// Orders by finding first, then by place.
#[derive(Debug, PartialEq, Eq)]
pub struct ByFinding(Placed);

impl Ord for ByFinding {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.finding, &self.0).cmp(&(other.0.finding, &other.0))
    }
}

impl PartialOrd for ByFinding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Order for ByFinding {
    fn of(site: Placed) -> Self {
        Self(site)
    }
    fn site(&self) -> &Placed {
        &self.0
    }
    fn into_site(self) -> Placed {
        self.0
    }
}

/// A growing heap of sites that is read once it is complete, in order.
#[derive(Debug)]
pub struct SiteLog<O> {
    recent: Vec<O>,
    /// Sites that a seam cuts: too few to spill.
    cut: Vec<O>,
    in_memory: usize,
    spilled: Vec<Run>,
    file: Spool,
}

/// A sorted run of records in the spill file.
#[derive(Clone, Copy, Debug)]
struct Run {
    record: u64,
    records: u64,
}

impl<O: Order> SiteLog<O> {
    /// An empty log that keeps `in_memory` sites and spills beyond.
    #[must_use]
    pub fn new(in_memory: usize) -> Self {
        Self {
            recent: Vec::new(),
            cut: Vec::new(),
            in_memory: in_memory.max(1),
            spilled: Vec::new(),
            file: Spool::default(),
        }
    }

    /// Adds a site.
    ///
    /// # Errors
    /// [`Error::Spool`] when the temporary file cannot be written.
    pub fn push(&mut self, site: Placed) -> Result<()> {
        let to = if site.cut.is_some() { &mut self.cut } else { &mut self.recent };
        to.push(O::of(site));
        if self.recent.len() >= self.in_memory { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        self.recent.sort_unstable();
        let record = self.file.records;
        self.recent.drain(..).try_for_each(|site| self.file.append(site.site()))?;
        self.spilled.push(Run { record, records: self.file.records - record });
        Ok(())
    }

    /// The spans of the sites that a seam cuts.
    #[must_use]
    pub fn cut_spans(&self) -> Vec<CutSpan> {
        let mut all = Vec::new();
        for site in self.cut.iter().map(Order::site) {
            let spans = site.cut.as_deref().unwrap_or_default();
            let last = spans.len().saturating_sub(1);
            let cut = |(i, span): (usize, &Span)| CutSpan {
                span: *span,
                finding: site.finding,
                site_len: site.len.0,
                whole: !site.form.is_fragment(),
                begins_at_seam: i > 0,
                ends_at_seam: i < last,
            };
            all.extend(spans.iter().enumerate().map(cut));
        }
        all
    }

    /// Calls `tell` with every site in order.
    ///
    /// # Errors
    /// [`Error::Spool`] when the temporary file cannot be read, and what `tell` returns.
    pub fn in_order(mut self, mut tell: impl FnMut(Placed) -> Result<()>) -> Result<()> {
        self.file.flush()?;
        self.recent.append(&mut self.cut);
        self.recent.sort_unstable();
        let mut recent = self.recent.into_iter();
        let mut runs: Vec<_> = self.spilled.iter().map(|run| self.file.read(run.record, run.records)).collect();
        let mut heads = BinaryHeap::new();
        heads.extend(recent.next().map(|site| Reverse((site, usize::MAX))));
        for (i, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next().transpose()?.map(|site| Reverse((O::of(site), i))));
        }
        while let Some(Reverse((site, from))) = heads.pop() {
            let next = match runs.get_mut(from) {
                Some(run) => run.next().transpose()?.map(O::of),
                None => recent.next(),
            };
            heads.extend(next.map(|site| Reverse((site, from))));
            tell(site.into_site())?;
        }
        Ok(())
    }
}

/// Bytes of a spilled record: offset, length, finding, form.
const RECORD: usize = 8 + 8 + 4 + 3;

/// Records in an unlinked temporary file, made when the first one comes.
#[derive(Debug, Default)]
struct Spool {
    file: Option<File>,
    unwritten: Vec<u8>,
    records: u64,
}

impl Spool {
    fn append(&mut self, site: &Placed) -> Result<()> {
        self.unwritten.extend(encode(site));
        self.records += 1;
        if self.unwritten.len() >= 1 << 16 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let failed = spool_failed;
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(failed)?),
        };
        file.write_all(&self.unwritten).map_err(failed)?;
        self.unwritten.clear();
        Ok(())
    }

    /// The records from number `record` on. What is not flushed yet is not there.
    fn read(&self, record: u64, records: u64) -> Records<'_> {
        Records { file: self.file.as_ref(), record, left: records, buffer: Vec::new(), used: 0 }
    }
}

struct Records<'a> {
    file: Option<&'a File>,
    record: u64,
    left: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Records<'_> {
    fn fill(&mut self) -> std::io::Result<()> {
        let records = usize::try_from(self.left).unwrap_or(usize::MAX).min(2048);
        self.buffer.resize(records * RECORD, 0);
        self.used = 0;
        let (mut done, at) = (0, self.record * RECORD as u64);
        while let (Some(file), Some(rest)) = (self.file, self.buffer.get_mut(done..).filter(|rest| !rest.is_empty())) {
            match crate::image::read_at(file, at + done as u64, rest)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                n => done += n,
            }
        }
        self.record += records as u64;
        self.left -= records as u64;
        Ok(())
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Placed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.used == self.buffer.len() {
            if self.left == 0 {
                return None;
            }
            if let Err(source) = self.fill() {
                self.left = 0;
                return Some(Err(spool_failed(source)));
            }
        }
        let record = self.buffer.get(self.used..)?.first_chunk::<RECORD>()?;
        self.used += RECORD;
        decode(record).map(Ok)
    }
}

fn spool_failed(source: std::io::Error) -> Error {
    Error::Spool { folder: std::env::temp_dir(), source }
}

fn encode(site: &Placed) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let fields =
        [&site.offset.to_le_bytes()[..], &site.len.0.to_le_bytes(), &site.finding.to_le_bytes(), &site.form.to_bytes()];
    record.iter_mut().zip(fields.concat()).for_each(|(to, from)| *to = from);
    record
}

fn decode(record: &[u8; RECORD]) -> Option<Placed> {
    let (offset, rest) = record.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (finding, form) = rest.split_first_chunk()?;
    let form = Form::from_bytes(*form.first_chunk()?)?;
    let (offset, len) = (u64::from_le_bytes(*offset), Reverse(u64::from_le_bytes(*len)));
    Some(Placed { offset, len, finding: u32::from_le_bytes(*finding), form, cut: None })
}

/// The sites of all findings of one scan, grouped by finding.
#[derive(Debug, Default)]
pub struct Sites {
    /// In order of finding and place; in memory while they fit.
    memory: Vec<Placed>,
    /// Those that a seam cuts, where the others are in the file.
    cut: Vec<Placed>,
    file: Spool,
    /// `starts[i]..starts[i + 1]` are the records of finding `i`, in memory or in the file.
    starts: Vec<u64>,
}

impl Sites {
    /// Groups the sites of `log`; `findings` is how many findings there are, `in_memory` how many sites may be kept.
    ///
    /// # Errors
    /// [`Error::Spool`] when a temporary file cannot be read or written.
    pub fn grouped(log: SiteLog<ByFinding>, findings: usize, in_memory: usize) -> Result<Self> {
        let spill = !log.spilled.is_empty() || log.recent.len() + log.cut.len() > in_memory;
        let mut sites = Self::default();
        let mut at = 0;
        log.in_order(|site| {
            while sites.starts.len() <= site.finding as usize {
                sites.starts.push(at);
            }
            match (spill, &site.cut) {
                (false, _) => sites.memory.push(site),
                (true, Some(_)) => {
                    sites.cut.push(site);
                    return Ok(());
                }
                (true, None) => sites.file.append(&site)?,
            }
            at += 1;
            Ok(())
        })?;
        sites.starts.resize(findings + 1, at);
        sites.file.flush()?;
        Ok(sites)
    }

    /// The sites of the finding with this index: in file order, those that a seam cuts last where sites were spilled.
    pub fn of(&self, finding: usize) -> impl Iterator<Item = Result<Site>> + '_ {
        let from = self.starts.get(finding).copied().unwrap_or(0);
        let to = self.starts.get(finding + 1).copied().unwrap_or(from);
        let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
        let spilled = if self.file.records > 0 { self.file.read(from, to - from) } else { self.file.read(0, 0) };
        let cut = self.cut.iter().filter(move |site| site.finding as usize == finding);
        let memory = self.memory.get(range).into_iter().flatten().chain(cut);
        spilled.map(|site| site.map(|s| s.site())).chain(memory.map(|site| Ok(site.site())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Encoding, Layout};

    fn some(n: u64) -> Vec<Placed> {
        let mut seed = n;
        let site = |i: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i);
            let span = Span::new(seed >> 40, 1 + (seed >> 60));
            let spans = if i % 50 == 7 { vec![span, Span::new(3, 4)] } else { vec![span] };
            Placed::new((seed >> 33) as u32 % 5, Site { spans, form: Form::whole(Layout::Pem, Encoding::Utf16Be) })
        };
        (0..n).map(site).collect()
    }

    fn told(sites: &[Placed], in_memory: usize) -> Vec<Placed> {
        let mut log = SiteLog::<Placed>::new(in_memory);
        sites.iter().for_each(|s| log.push(s.clone()).unwrap());
        let mut told = Vec::new();
        log.in_order(|site| {
            told.push(site);
            Ok(())
        })
        .unwrap();
        told
    }

    #[test]
    fn a_spilled_log_tells_the_same_as_one_in_memory() {
        let sites = some(5000);
        let mut want = sites.clone();
        want.sort();
        assert_eq!(told(&sites, 1_000_000), want);
        assert_eq!(told(&sites, 37), want);
    }

    #[test]
    fn groups_are_the_same_spilled_and_in_memory() {
        let sites = some(5000);
        let grouped = |in_memory| {
            let mut log = SiteLog::<ByFinding>::new(in_memory);
            sites.iter().for_each(|s| log.push(s.clone()).unwrap());
            let sites = Sites::grouped(log, 6, in_memory).unwrap();
            (0..7)
                .map(|i| {
                    let mut of: Vec<Site> = sites.of(i).map(Result::unwrap).collect();
                    of.sort();
                    of
                })
                .collect::<Vec<_>>()
        };
        let memory = grouped(1_000_000);
        assert_eq!(grouped(100), memory);
        assert_eq!(memory.iter().map(Vec::len).sum::<usize>(), 5000);
        assert!(memory[5].is_empty() && memory[6].is_empty());
    }

    #[test]
    fn what_contains_comes_before_what_is_contained() {
        let form = Form::whole(Layout::Text, Encoding::Plain);
        let site = |from, len| Placed::new(0, Site { spans: vec![Span::new(from, len)], form });
        let order: Vec<u64> = told(&[site(5, 2), site(5, 9), site(4, 1)], 1).iter().map(|s| s.len.0).collect();
        assert_eq!(order, [1, 9, 2]);
    }
}
