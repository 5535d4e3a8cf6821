//! Writing: the image with the plan laid over it, in one pass. It knows nothing of secrets and decides nothing.

use std::fs::File;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::image::{self, BLOCK, Image};
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
    /// SHA-256 of what was overwritten, as it was read: with the rest of the file it is the whole image.
    pub covered: [u8; 32],
}

impl Written {
    /// What is written of an image of `bytes` bytes where nothing is overwritten.
    #[must_use]
    pub fn unchanged(bytes: u64) -> Self {
        Self { bytes, covered: Sha256::new().finalize().into() }
    }
}

/// Writes `image` with `plan` laid over it to `out`, an empty file. Blocks of zeros become holes, where the file system has any.
/// Whether all of it is on the disk is for the caller to ask.
///
/// # Errors
/// [`Error::Refused`] where the plan has refusals; [`Error::Changed`] where the image has become shorter;
/// [`Error::Write`] when the file cannot be written, for instance because the disk is full.
pub fn write(image: &Image, plan: &Plan, out: &File, progress: &dyn Progress) -> Result<Written> {
    if !plan.refusals().is_empty() {
        return Err(Error::Refused("a secret lies in bytes that are never edited".to_owned()));
    }
    progress.pass("write", image.len());
    let (mut covered, mut buffer, mut at) = (Sha256::new(), vec![0; STEP], 0);
    while at < image.len() {
        let want = usize::try_from(image.len() - at).unwrap_or(STEP).min(STEP);
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        read(image, at, bytes)?;
        plan.covered(at, bytes, |part| covered.update(part));
        put(plan, at, bytes, out).map_err(cannot_write)?;
        at += want as u64;
        progress.advance(want as u64);
    }
    out.set_len(image.len()).map_err(cannot_write)?;
    Ok(Written { bytes: image.len(), covered: covered.finalize().into() })
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

/// Writes `bytes`, painted, but for the blocks that are all zero and stay so: nobody wrote there before.
fn put(plan: &Plan, at: u64, bytes: &mut [u8], out: &File) -> std::io::Result<()> {
    let stays_nothing = |(number, block): (usize, &[u8])| {
        let here = Span::new(at + (number * BLOCK) as u64, block.len() as u64);
        image::is_nothing(block) && plan.edits_in(here).next().is_none()
    };
    let nothing: Vec<bool> = bytes.chunks(BLOCK).enumerate().map(stays_nothing).collect();
    plan.paint(at, bytes);
    let mut blocks = 0;
    for run in nothing.chunk_by(|a, b| a == b) {
        let (from, len) = (blocks * BLOCK, run.len() * BLOCK);
        blocks += run.len();
        if run.first() == Some(&false) {
            let bytes = bytes.get(from..(from + len).min(bytes.len())).unwrap_or_default();
            image::write_at(out, bytes, at + from as u64)?;
        }
    }
    Ok(())
}

fn cannot_write(source: std::io::Error) -> Error {
    Error::Write { what: "the redacted dump".to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Quiet;

    /// Zeros, then something, then zeros up to an end that is no whole block.
    fn bytes() -> Vec<u8> {
        let mut bytes = vec![0; (5 << 20) + 77];
        bytes.get_mut((2 << 20) - 3..(2 << 20) + 9).unwrap().fill(7);
        *bytes.get_mut((3 << 20) + BLOCK).unwrap() = 1;
        bytes
    }

    #[test]
    fn zeros_become_holes_and_read_back_as_they_were() {
        let bytes = bytes();
        let image = Image::from_bytes("old", bytes.clone());
        let file = tempfile::tempfile().unwrap();
        let written = write(&image, &Plan::default(), &file, &Quiet).unwrap();
        assert_eq!(written, Written::unchanged(bytes.len() as u64));
        let new = Image::from_file("new".to_owned(), file, written.bytes);
        assert!(new.bytes(0, bytes.len() + 1).unwrap() == bytes);
        // A file system without holes has none.
        if new.is_hole(Span::new(0, 1 << 20)) {
            assert!(new.is_hole(Span::new(4 << 20, (1 << 20) + 77)));
            assert!(!new.is_hole(Span::new((2 << 20) - BLOCK as u64, 1)));
        }
    }
}
