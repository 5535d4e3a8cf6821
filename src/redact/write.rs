//! Writing: the image with the plan laid over it, in one pass. It knows nothing of secrets and decides nothing.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::image::Image;
use crate::redact::plan::Plan;
use crate::scan::Progress;
use crate::span::Span;

/// Bytes that are copied at once.
const STEP: usize = 1 << 20;

/// What was read while the file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes written: the length of the image.
    pub bytes: u64,
    /// SHA-256 of the image as it was read.
    pub before: [u8; 32],
    /// SHA-256 of what was written.
    pub after: [u8; 32],
    /// SHA-256 of what was overwritten, as it was read: with the rest of the file it is the whole image.
    pub covered: [u8; 32],
}

/// The digests of what is read and of what is written: one, as long as that is the same.
struct Digests {
    before: Sha256,
    after: Option<Sha256>,
    covered: Sha256,
}

impl Digests {
    fn read(&mut self, plan: &Plan, at: u64, bytes: &[u8]) {
        let edited = plan.edits_in(Span::new(at, bytes.len() as u64)).next().is_some();
        if edited && self.after.is_none() {
            self.after = Some(self.before.clone());
        }
        self.before.update(bytes);
        plan.covered(at, bytes, |part| self.covered.update(part));
    }

    fn write(&mut self, bytes: &[u8]) {
        self.after.iter_mut().for_each(|after| after.update(bytes));
    }

    fn done(self, bytes: u64) -> Written {
        let after = self.after.unwrap_or_else(|| self.before.clone());
        let (before, after) = (self.before.finalize().into(), after.finalize().into());
        Written { bytes, before, after, covered: self.covered.finalize().into() }
    }
}

/// Writes `image` with `plan` laid over it to `out`, an empty file. Holes of a sparse file stay holes.
///
/// # Errors
/// [`Error::Refused`] where the plan has refusals; [`Error::Changed`] where the image has become shorter;
/// [`Error::Write`] when the file cannot be written, for instance because the disk is full.
pub fn write(image: &Image, plan: &Plan, out: &mut File, progress: &dyn Progress) -> Result<Written> {
    if !plan.refusals().is_empty() {
        return Err(Error::Refused("a secret lies in bytes that are never edited".to_owned()));
    }
    progress.pass("write", image.len());
    let mut digests = Digests { before: Sha256::new(), after: None, covered: Sha256::new() };
    let mut buffer = vec![0; STEP];
    let mut at = 0;
    while at < image.len() {
        let want = usize::try_from(image.len() - at).unwrap_or(STEP).min(STEP);
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        read(image, at, bytes)?;
        digests.read(plan, at, bytes);
        plan.paint(at, bytes);
        digests.write(bytes);
        put(image, plan, at, bytes, out)?;
        at += want as u64;
        progress.advance(want as u64);
    }
    let finished = out.set_len(image.len()).and_then(|()| out.sync_all());
    finished.map_err(cannot_write)?;
    Ok(digests.done(image.len()))
}

/// Reads exactly the bytes at `at`; fewer mean that the file changed since it was opened. What was a hole then is not read.
///
/// # Errors
/// [`Error::Changed`] or [`Error::Read`].
pub fn read(image: &Image, at: u64, into: &mut [u8]) -> Result<()> {
    if image.is_hole(Span::new(at, into.len() as u64)) {
        into.fill(0);
        return Ok(());
    }
    let got = image.read_at(at, into)?;
    if got == into.len() {
        return Ok(());
    }
    let what = format!("it ended at {:#x} and was {} bytes long before", at + got as u64, image.len());
    Err(Error::Changed { path: image.origin().to_owned(), what })
}

fn put(image: &Image, plan: &Plan, at: u64, bytes: &[u8], out: &mut File) -> Result<()> {
    let here = Span::new(at, bytes.len() as u64);
    let is_hole = image.is_hole(here) && plan.edits_in(here).next().is_none();
    let done = if is_hole {
        out.seek(SeekFrom::Current(bytes.len().cast_signed() as i64)).map(|_| ())
    } else {
        out.write_all(bytes)
    };
    done.map_err(cannot_write)
}

fn cannot_write(source: std::io::Error) -> Error {
    Error::Write { what: "the redacted dump".to_owned(), source }
}
