//! The map in the making: what all the record readers share.

use minidump::MinidumpSystemInfo;
use minidump_common::format::MINIDUMP_STREAM_TYPE as Kind;

use super::paint::AddressCover;
use super::records::{self, Record};
use crate::dump::{ByteOrder, Class, DumpMap, Label, Protection, Reader};
use crate::error::{Gap, Result};
use crate::image::Image;
use crate::limits::{Budget, Limits};
use crate::memory::AddressSpace;
use crate::span::{Address, FileOffset, Span};

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

/// A run of addresses with the same rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rights {
    pub start: u64,
    pub end: u64,
    pub read: bool,
    pub write: bool,
    pub execute: bool,
}

/// The map in the making.
pub(super) struct Builder<'a> {
    pub reader: Reader<'a>,
    pub map: DumpMap,
    pub entries: Vec<Entry>,
    /// The processor and the system; contexts cannot be read without.
    pub system: Option<MinidumpSystemInfo>,
    /// Labels of places in the file; later ones win.
    pub labels: Vec<(Span, Label)>,
    /// Classes of places in the file; the stricter one wins.
    pub classes: Vec<(Span, Class)>,
    /// Labels of addresses; later ones win.
    pub memory_labels: AddressCover<Label>,
    /// Classes of addresses; later ones win.
    pub memory_classes: AddressCover<Class>,
    /// What the dump says of rights, in the file's order.
    pub rights: Vec<Rights>,
    budget: Budget,
    spent_on: Vec<&'static str>,
}

impl<'a> Builder<'a> {
    pub fn new(image: &'a Image, limits: &Limits, endian: scroll::Endian) -> Self {
        let mut map = DumpMap::blank("minidump", image.len(), Label::Slack);
        map.byte_order = if endian == scroll::LE { ByteOrder::Little } else { ByteOrder::Big };
        Self {
            reader: Reader::new(image, endian),
            map,
            entries: Vec::new(),
            system: None,
            labels: Vec::new(),
            classes: Vec::new(),
            memory_labels: AddressCover::new(Label::Memory),
            memory_classes: AddressCover::new(Class::Free),
            rights: Vec::new(),
            budget: Budget::new(limits.map_records),
            spent_on: Vec::new(),
        }
    }

    pub fn image(&self) -> &'a Image {
        self.reader.image()
    }

    /// The streams of one kind, in the directory's order; all of them where there are duplicates.
    pub fn of_kind(&self, kind: Kind) -> Vec<Entry> {
        self.entries.iter().filter(|entry| entry.kind == kind as u32).copied().collect()
    }

    /// Calls `read` for every stream of one kind.
    pub fn each_stream(&mut self, kind: Kind, mut read: impl FnMut(&mut Self, Entry) -> Result<()>) -> Result<()> {
        self.of_kind(kind).into_iter().try_for_each(|entry| read(self, entry))
    }

    /// Spends one record, or says no and notes once that `what` is only described in part.
    #[must_use]
    pub fn take(&mut self, what: &'static str) -> bool {
        self.take_many(what, 1)
    }

    /// Spends several units, or none and says no.
    #[must_use]
    pub fn take_many(&mut self, what: &'static str, units: usize) -> bool {
        let granted = self.budget.spend(units);
        if !granted {
            self.note_spent(what);
        }
        granted
    }

    /// Notes, once, that `what` is only described in part.
    pub fn note_spent(&mut self, what: &'static str) {
        if self.spent_on.contains(&what) {
            return;
        }
        self.spent_on.push(what);
        let reason = format!("map budget spent: {what} are described in part only; raise the limit on map records");
        self.map.gaps.push(Gap { span: Span::new(0, self.image().len()), reason });
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

    /// Says whose the bytes of `span` are.
    pub fn label(&mut self, span: Span, label: Label) {
        if !span.is_empty() {
            self.labels.push((span, label));
        }
    }

    /// Says whether the bytes of `span` may be edited. `Free` is what all bytes are that nobody says anything about.
    pub fn class(&mut self, span: Span, class: Class) {
        if !span.is_empty() && class != Class::Free {
            self.classes.push((span, class));
        }
    }

    /// Adds a line to what the dump says of itself, once.
    pub fn about(&mut self, key: &'static str, value: impl Into<String>) {
        if !self.map.about.iter().any(|(known, _)| *known == key) {
            self.map.about.push((key, value.into()));
        }
    }

    /// Adds a run of rights.
    pub fn add_rights(&mut self, start: Address, len: u64, protection: Protection) {
        let Protection { read, write, execute } = protection;
        self.rights.push(Rights { start: start.0, end: start.plus(len).0, read, write, execute });
    }

    /// The memory that is known so far.
    pub fn space(&self) -> AddressSpace {
        AddressSpace::new(&self.map.regions)
    }
}
