//! Putting a container together: runs that are copied as they are, and what is written anew between them.

use std::fs::File;
use std::io::{self, Write};

use crate::error::{Error, Result};
use crate::image::{Image, write_at};
use crate::span::Span;

/// Bytes that are copied at once.
const STEP: usize = 1 << 20;

/// A container that is being written.
pub struct Out<'a> {
    file: &'a File,
    /// Bytes that are written.
    pub at: u64,
}

impl<'a> Out<'a> {
    /// To an empty file.
    pub fn new(file: &'a File) -> Self {
        Self { file, at: 0 }
    }

    /// Copies a run of `image`.
    ///
    /// # Errors
    /// When it cannot be read to its end, or cannot be written.
    pub fn copy(&mut self, image: &Image, span: Span) -> Result<()> {
        let mut buffer = vec![0; STEP];
        let mut at = span.from();
        while at < span.end() {
            let want = usize::try_from(span.end() - at).unwrap_or(STEP).min(STEP);
            let got = image.read_at(at, buffer.get_mut(..want).unwrap_or_default())?;
            if got == 0 {
                let what = format!("it ended at {at:#x}");
                return Err(Error::Changed { path: image.origin().to_owned(), what });
            }
            self.put(buffer.get(..got).unwrap_or_default())?;
            at += got as u64;
        }
        Ok(())
    }

    /// Copies all of `image`.
    ///
    /// # Errors
    /// When it cannot be read, or cannot be written.
    pub fn copy_all(&mut self, image: &Image) -> Result<()> {
        self.copy(image, Span::new(0, image.len()))
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.patch(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Writes `bytes` over what was written at `at`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn patch(&self, at: u64, bytes: &[u8]) -> Result<()> {
        write_at(self.file, bytes, at).map_err(failed)
    }

    /// Puts what `work` writes, and makes its error one of ours.
    ///
    /// # Errors
    /// What `work` returns.
    pub fn write<R>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<R>) -> Result<R> {
        work(self).map_err(failed)
    }
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_at(self.file, bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(source: io::Error) -> Error {
    Error::Write { what: "the redacted container".to_owned(), source }
}

/// Why a container cannot be put together.
pub fn refused(why: impl Into<String>) -> Error {
    Error::Refused(why.into())
}
