//! The map in the making: what the record readers of every format share.
//!
//! A format keeps what only it knows in [`Builder::own`], e.g. the minidump reader its directory. The rest is the same
//! everywhere: a budget for records, faults, paint for places in the file and paint for addresses.

use crate::dump::paint::AddressCover;
use crate::dump::{ByteOrder, Class, DumpMap, Label, Protection, Reader, Region};
use crate::error::Gap;
use crate::image::Image;
use crate::limits::{Budget, Limits};
use crate::memory::AddressSpace;
use crate::span::{Address, FileOffset, Span};

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
pub(super) struct Builder<'a, Own> {
    pub reader: Reader<'a>,
    pub map: DumpMap,
    /// What only the one format knows.
    pub own: Own,
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

impl<'a, Own> Builder<'a, Own> {
    pub fn new(format: &'static str, image: &'a Image, limits: &Limits, endian: scroll::Endian, own: Own) -> Self {
        let mut map = DumpMap::blank(format, image.len(), Label::Slack);
        map.byte_order = if endian == scroll::LE { ByteOrder::Little } else { ByteOrder::Big };
        Self {
            reader: Reader::new(image, endian),
            map,
            own,
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

    /// Adds a region of memory that is present.
    pub fn add_region(&mut self, span: Span, address: Address, protection: Option<Protection>) {
        if !span.is_empty() {
            let region = Region { span, address: Some(address), label: Label::Memory, protection };
            self.map.regions.push(region);
        }
    }

    /// Colours the map and gives it away.
    pub fn finish(mut self, limits: &Limits) -> DumpMap {
        crate::dump::paint::paint(&mut self, limits.map_records);
        let mut map = self.map;
        map.faults = self.reader.take_faults();
        map.faults.sort();
        map
    }
}

/// Ranges that lie wholly behind the end of a truncated file: one fault for all, not one for each of thousands.
#[derive(Default)]
pub(super) struct Absent {
    first: Option<FileOffset>,
    ranges: u64,
    bytes: u64,
}

impl Absent {
    /// Counts a range of `len` bytes whose record stands at `at`.
    pub fn add(&mut self, at: FileOffset, len: u64) {
        self.first = self.first.or(Some(at));
        self.ranges += 1;
        self.bytes = self.bytes.saturating_add(len);
    }

    /// The one fault, named `what`, if there is anything to tell.
    pub fn tell(&self, reader: &mut Reader<'_>, what: &str) {
        if let Some(first) = self.first {
            let expected = format!("{} bytes of {} ranges from here on", self.bytes, self.ranges);
            let found = format!("none of them (the file ends at {})", FileOffset(reader.image().len()));
            reader.fault(first.0, what, expected, found);
        }
    }
}
