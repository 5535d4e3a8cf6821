//! Numbers and strings of the core's width and byte order: in the file, a chunk at a time, and in memory.

use goblin::container::Ctx;
use scroll::Pread;

use super::Builder;
use crate::error::Result;
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::{Address, Span};

/// Bytes that are read at once; longer strings are none.
const CHUNK: usize = 1 << 16;

/// The pointer-sized number at `at`.
pub(super) fn word(bytes: &[u8], at: usize, context: Ctx) -> Option<u64> {
    number(bytes, at, context.size(), context.le)
}

/// The number of `width` bytes, 4 or 8, at `at`.
pub(super) fn number(bytes: &[u8], at: usize, width: usize, endian: scroll::Endian) -> Option<u64> {
    if width == 8 {
        return bytes.pread_with::<u64>(at, endian).ok();
    }
    bytes.pread_with::<u32>(at, endian).ok().map(u64::from)
}

/// Walks along a span of the file.
pub(super) struct Cursor<'a> {
    image: &'a Image,
    context: Ctx,
    rest: Span,
    chunk: Vec<u8>,
    /// How much of the chunk was read.
    done: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(build: &Builder<'a>, span: Span) -> Self {
        Self { image: build.image(), context: build.own.context, rest: span, chunk: Vec::new(), done: 0 }
    }

    /// The next pointer-sized number, or `None` at the end.
    pub fn word(&mut self) -> Result<Option<u64>> {
        let width = self.context.size();
        self.have(width)?;
        let value = word(&self.chunk, self.done, self.context);
        self.done += width;
        Ok(value)
    }

    /// The next string up to its NUL, or `None` where there is none within a chunk.
    pub fn text(&mut self) -> Result<Option<String>> {
        let nul = |rest: &[u8]| rest.iter().position(|&b| b == 0);
        let mut len = self.chunk.get(self.done..).and_then(nul);
        if len.is_none() {
            self.have(CHUNK)?;
            len = self.chunk.get(self.done..).and_then(nul);
        }
        let Some(len) = len else { return Ok(None) };
        let text = self.chunk.get(self.done..self.done + len).map(|text| String::from_utf8_lossy(text).into_owned());
        self.done += len + 1;
        Ok(text)
    }

    /// Reads on if fewer than `wanted` bytes of the chunk are left.
    fn have(&mut self, wanted: usize) -> Result<()> {
        if self.chunk.len().saturating_sub(self.done) >= wanted {
            return Ok(());
        }
        let used = self.done.min(self.chunk.len()) as u64;
        self.rest = Span::between(self.rest.from() + used, self.rest.end());
        let len = usize::try_from(self.rest.len).unwrap_or(usize::MAX).min(CHUNK);
        (self.chunk, self.done) = (self.image.bytes(self.rest.from(), len)?, 0);
        Ok(())
    }
}

/// The dumped memory, to follow pointers in.
pub(super) struct Memory<'a> {
    image: &'a Image,
    space: AddressSpace,
    context: Ctx,
}

impl<'a> Memory<'a> {
    pub fn new(build: &Builder<'a>) -> Self {
        Self { image: build.image(), space: build.space(), context: build.own.context }
    }

    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    pub fn context(&self) -> Ctx {
        self.context
    }

    /// Width of a pointer in bytes.
    pub fn width(&self) -> u64 {
        self.context.size() as u64
    }

    /// Up to `len` bytes from `at` on, as far as memory goes on.
    pub fn bytes(&self, at: Address, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len.min(1 << 20)];
        let got = self.space.read(self.image, at, &mut bytes)?;
        bytes.truncate(got);
        Ok(bytes)
    }

    /// The pointer at `at`, where the dump holds it whole.
    pub fn pointer(&self, at: Address) -> Result<Option<u64>> {
        Ok(word(&self.bytes(at, self.context.size())?, 0, self.context))
    }

    /// Length of the string at `at` with its NUL; `None` where there is none within `most` bytes.
    pub fn string_len(&self, at: Address, most: usize) -> Result<Option<u64>> {
        let short = self.bytes(at, most.min(256))?;
        let nul = |bytes: &[u8]| bytes.iter().position(|&b| b == 0).map(|len| len as u64 + 1);
        if let Some(len) = nul(&short) {
            return Ok(Some(len));
        }
        Ok(nul(&self.bytes(at, most)?))
    }
}
