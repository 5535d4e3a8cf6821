//! The dump's bytes: read-only, shared between threads, addressed by offset.
//!
//! Nothing seeks and nothing is mapped: a file that shrinks while it is read gives a short read, which becomes a gap in
//! the report, where a memory map would end the process (measured: `read_at` into reused windows moves 10 GB/s here).

mod growing;
mod holes;
mod open;
mod stream;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::span::{FileOffset, Span};

pub use growing::Growing;
pub use holes::{BLOCK, is_nothing};
pub use open::open;
pub use stream::Stream;

/// The bytes of one dump, after containers are peeled.
#[derive(Debug)]
pub struct Image {
    origin: String,
    len: u64,
    source: Source,
    /// Where the image begins in its source.
    base: u64,
    /// Runs that a sparse file does not store, sorted: zeros that need not be read.
    holes: Vec<Span>,
    /// Whether the source does hold something in the holes, which is not this image's to show.
    masked: bool,
}

#[derive(Clone, Debug)]
enum Source {
    File(Arc<File>),
    Bytes(Arc<Vec<u8>>),
    /// Its length is not known yet.
    Growing(Arc<Growing>),
}

impl Image {
    /// An image over an open file of `len` bytes; `origin` is what the report calls it.
    #[must_use]
    pub fn from_file(origin: String, file: File, len: u64) -> Self {
        let holes = holes::of(&file, len);
        Self { origin, len, source: Source::File(Arc::new(file)), base: 0, holes, masked: false }
    }

    /// An image over a file, of which nobody asks where it has holes.
    fn without_holes(file: File, len: u64) -> Self {
        let source = Source::File(Arc::new(file));
        Self { origin: String::new(), len, source, base: 0, holes: Vec::new(), masked: false }
    }

    /// An image of a file that is still being written: see [`Growing::image`].
    fn growing(file: Arc<Growing>) -> Self {
        let source = Source::Growing(file);
        Self { origin: String::new(), len: u64::MAX, source, base: 0, holes: Vec::new(), masked: false }
    }

    /// An image of bytes that are in memory already.
    #[must_use]
    pub fn from_bytes(origin: impl Into<String>, bytes: Vec<u8>) -> Self {
        let (len, source) = (bytes.len() as u64, Source::Bytes(Arc::new(bytes)));
        Self { origin: origin.into(), len, source, base: 0, holes: Vec::new(), masked: false }
    }

    /// The bytes of `span` as an image of their own, read where they stand; what lies behind the end is not in it.
    #[must_use]
    pub fn part(&self, origin: String, span: Span) -> Self {
        let span = Span::between(span.from().min(self.len), span.end().min(self.len));
        let inside = |hole: &Span| {
            let (from, to) = (hole.from().max(span.from()), hole.end().min(span.end()));
            (from < to).then(|| Span::between(from - span.from(), to - span.from()))
        };
        let holes = self.holes.iter().filter_map(inside).collect();
        let base = self.base.saturating_add(span.from());
        Self { origin, len: span.len, source: self.source.clone(), base, holes, masked: self.masked }
    }

    /// The image with zeros where `spans` (sorted, apart from each other) are: they are looked at elsewhere.
    #[must_use]
    pub fn without(&self, origin: String, spans: Vec<Span>) -> Self {
        Self { origin, len: self.len, source: self.source.clone(), base: self.base, holes: spans, masked: true }
    }

    /// The same bytes under another name.
    #[must_use]
    pub fn named(self, origin: String) -> Self {
        Self { origin, ..self }
    }

    /// The path (or `-`) that the bytes came from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Length in bytes, as it was when the image was opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether all of `span` is a hole of a sparse file: zeros that nobody wrote.
    #[must_use]
    pub fn is_hole(&self, span: Span) -> bool {
        if let Source::Growing(file) = &self.source {
            return file.is_hole(span);
        }
        let behind = self.holes.partition_point(|hole| hole.from() <= span.from());
        behind.checked_sub(1).and_then(|i| self.holes.get(i)).is_some_and(|hole| hole.covers(&span))
    }

    /// Fills `into` from `at` on and says how many bytes were there; fewer than asked for only at the end of the image.
    ///
    /// # Errors
    /// [`Error::Read`] when the system could not read.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
        let present = self.present(at, into.len());
        let into = into.get_mut(..present).unwrap_or_default();
        let from = self.base.saturating_add(at);
        let got = match &self.source {
            Source::Bytes(bytes) => copy_from(bytes, from, into),
            Source::File(file) => self.read_file(file, from, into)?,
            Source::Growing(growing) => {
                // Zeros at the end are in the file only once something is behind them.
                let got = self.read_file(growing.file(), from, into)?;
                into.iter_mut().skip(got).for_each(|byte| *byte = 0);
                into.len()
            }
        };
        if self.masked {
            self.mask(at, into);
        }
        Ok(got)
    }

    /// Zeros what is not to be shown.
    fn mask(&self, at: u64, bytes: &mut [u8]) {
        let here = Span::new(at, bytes.len() as u64);
        let first = self.holes.partition_point(|hole| hole.end() <= at);
        for hole in self.holes.iter().skip(first).take_while(|hole| hole.from() < here.end()) {
            let from = hole.from().max(at) - at;
            let to = hole.end().min(here.end()) - at;
            if let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) {
                bytes.get_mut(from..to).unwrap_or_default().fill(0);
            }
        }
    }

    /// Exactly `len` bytes from `at`, or fewer where the image ends. `len` must have been checked against a budget.
    ///
    /// # Errors
    /// [`Error::Read`] when the system could not read.
    pub fn bytes(&self, at: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.present(at, len)];
        let got = self.read_at(at, &mut bytes)?;
        bytes.truncate(got);
        Ok(bytes)
    }

    /// How many of `len` bytes from `at` on there are.
    fn present(&self, at: u64, len: usize) -> usize {
        let end = match &self.source {
            Source::Growing(growing) => growing.wait(at.saturating_add(len as u64)),
            Source::File(_) | Source::Bytes(_) => self.len,
        };
        usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(len)
    }

    /// Tells [`Image::read_at`]'s errors where they happened.
    fn read_file(&self, file: &File, at: u64, into: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match read_at(file, at.saturating_add(done as u64), rest) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(source) => {
                    let (path, len) = (self.origin.clone(), rest.len());
                    return Err(Error::Read { path, at: FileOffset(at + done as u64), len, source });
                }
            }
        }
        Ok(done)
    }
}

/// Reads `file` from `at` on without moving its position; the one place that needs a positioned read of the system.
///
/// # Errors
/// What the system says; interruptions are tried again.
pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read_at(into, at) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Writes `bytes` to `file` at `at` without moving its position.
///
/// # Errors
/// What the system says.
pub fn write_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    file.write_all_at(bytes, at)
}

fn copy_from(bytes: &[u8], at: u64, into: &mut [u8]) -> usize {
    let from = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let rest = bytes.get(from..).unwrap_or_default();
    let n = rest.len().min(into.len());
    if let (Some(to), Some(from)) = (into.get_mut(..n), rest.get(..n)) {
        to.copy_from_slice(from);
    }
    n
}
