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
    let (mut before, mut after) = (Sha256::new(), Sha256::new());
    let mut buffer = vec![0; STEP];
    let mut at = 0;
    while at < image.len() {
        let want = usize::try_from(image.len() - at).unwrap_or(STEP).min(STEP);
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        read(image, at, bytes)?;
        before.update(&*bytes);
        plan.paint(at, bytes);
        after.update(&*bytes);
        put(image, plan, at, bytes, out)?;
        at += want as u64;
        progress.advance(want as u64);
    }
    let finished = out.set_len(image.len()).and_then(|()| out.sync_all());
    finished.map_err(cannot_write)?;
    Ok(Written { bytes: image.len(), before: before.finalize().into(), after: after.finalize().into() })
}

/// Reads exactly the bytes at `at`; fewer mean that the file changed since it was opened.
///
/// # Errors
/// [`Error::Changed`] or [`Error::Read`].
pub fn read(image: &Image, at: u64, into: &mut [u8]) -> Result<()> {
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
