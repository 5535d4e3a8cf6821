//! The map in the making, with what only a minidump has.

use minidump::MinidumpSystemInfo;
use minidump_common::format::MINIDUMP_STREAM_TYPE as Kind;

use super::records::{self, Record};
use crate::dump::{Label, build};
use crate::error::Result;
use crate::span::{FileOffset, Span};

/// The map in the making.
pub(super) type Builder<'a> = build::Builder<'a, Own>;

/// What was read of the minidump itself.
#[derive(Default)]
pub(super) struct Own {
    pub entries: Vec<Entry>,
    /// The processor and the system; contexts cannot be read without.
    pub system: Option<MinidumpSystemInfo>,
}

/// Where a stream of the directory lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The kind's number in the directory.
    pub kind: u32,
    /// Where its directory entry stands.
    pub at: FileOffset,
    /// Its place in `map.streams`.
    pub index: usize,
    /// The part that is present.
    pub span: Span,
}

impl Entry {
    /// The label of what the stream holds and of what it points at.
    pub fn label(&self) -> Label {
        Label::Stream(self.index)
    }
}

impl Builder<'_> {
    /// The streams of one kind, in the directory's order; all of them where there are duplicates.
    pub fn of_kind(&self, kind: Kind) -> Vec<Entry> {
        self.own.entries.iter().filter(|entry| entry.kind == kind as u32).copied().collect()
    }

    /// Calls `read` for every stream of one kind.
    pub fn each_stream(&mut self, kind: Kind, mut read: impl FnMut(&mut Self, Entry) -> Result<()>) -> Result<()> {
        self.of_kind(kind).into_iter().try_for_each(|entry| read(self, entry))
    }

    /// The header that a stream begins with; a fault where the stream is too short for it.
    pub fn header<T: Record>(&mut self, stream: Entry, what: &str) -> Result<Option<T>> {
        let size = records::size_of::<T>();
        let header = if stream.span.len < size { None } else { self.reader.record::<T>(stream.span.from())? };
        if header.is_none() {
            let (expected, found) = (format!("a header of {size} bytes"), format!("{} bytes", stream.span.len));
            self.reader.fault(stream.span.from(), what, expected, found);
        }
        Ok(header)
    }
}
