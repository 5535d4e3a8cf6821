//! What a dump *is*, as plain data: the [`DumpMap`] that every [`Format`] ends in.
//!
//! A format describes and never rewrites: it says where memory lies in the file and at which address, who owns which
//! bytes, and what a debugger cannot do without. Scanning reads every byte whatever the map says; the map labels,
//! stitches and protects, and is never a wall. Adding a format is one file and one line in [`FORMATS`].

mod build;
pub mod classify;
pub mod elf_core;
mod label_kind;
mod loads;
pub mod macho_core;
pub mod minidump;
mod module_header;
mod paint;
pub mod places;
pub mod raw;
mod reader;

use serde::Serialize;

use crate::error::{Fault, Gap, Result};
use crate::image::Image;
use crate::limits::Limits;
use crate::span::{Address, Cover, FileOffset, Span};

pub use label_kind::{LabelKind, LabelKinds};
pub use places::Places;
pub use reader::Reader;

/// How one kind of dump is recognised and described.
pub trait Format: Sync {
    /// The name that reports use: `minidump`, `raw`.
    fn name(&self) -> &'static str;
    /// Whether the image's first bytes (up to 64) are this format's.
    fn probe(&self, head: &[u8]) -> bool;
    /// Describes the image. A bad record becomes a fault in the map, not an error.
    ///
    /// # Errors
    /// Only when the image cannot be read at all.
    fn map(&self, image: &Image, limits: &Limits) -> Result<DumpMap>;
}

/// The name of the format of files that are of no known format.
pub const UNKNOWN: &str = "raw";

/// Every format, in the order in which they are asked; `raw` knows everything and stands last.
pub const FORMATS: &[&dyn Format] = &[&minidump::Minidump, &elf_core::ElfCore, &macho_core::MachoCore, &raw::Raw];

/// Whether a format other than `raw` knows the image's first bytes.
///
/// # Errors
/// When the image cannot be read.
pub fn is_known(image: &Image) -> Result<bool> {
    let head = image.bytes(0, 64)?;
    Ok(FORMATS.iter().find(|format| format.probe(&head)).is_some_and(|format| format.name() != raw::Raw.name()))
}

/// Describes the image by the first format that knows its head.
///
/// # Errors
/// Only when the image cannot be read.
pub fn map(image: &Image, limits: &Limits) -> Result<DumpMap> {
    let head = image.bytes(0, 64)?;
    let format = FORMATS.iter().find(|format| format.probe(&head));
    format.map_or_else(|| raw::Raw.map(image, limits), |format| format.map(image, limits))
}

/// Where everything in a dump is. Built by a [`Format`], read by everybody.
#[derive(Clone, Debug)]
pub struct DumpMap {
    /// The format's name.
    pub format: &'static str,
    /// What the dump says of the machine and the process, as pairs to print: `cpu`, `system`, `process id`.
    pub about: Vec<(&'static str, String)>,
    /// Width of a pointer in bytes: 4 or 8.
    pub pointer_width: usize,
    /// Byte order of the dumped process.
    pub byte_order: ByteOrder,
    /// Runs of memory, in the order in which the file describes them; they may overlap, in the file and in memory.
    pub regions: Vec<Region>,
    /// The named parts of the file that are not memory.
    pub streams: Vec<Stream>,
    /// Threads, in the file's order.
    pub threads: Vec<Thread>,
    /// Modules, in the file's order.
    pub modules: Vec<Module>,
    /// Records that were not as they should be, sorted by place.
    pub faults: Vec<Fault>,
    /// Budgets that ran out while mapping.
    pub gaps: Vec<Gap>,
    /// For every byte of the file, whose it is.
    pub labels: Cover<Label>,
    /// For every byte of the file, whether it may be edited. Words inside [`DumpMap::pointer_words`] are refined by
    /// [`classify::classes`].
    pub classes: Cover<Class>,
    /// Spans (stacks) in which every aligned pointer-sized word that points into a module or a stack is `Keep`.
    pub pointer_words: Vec<Span>,
}

impl DumpMap {
    /// A map of `len` bytes of which nothing is known yet: everything is `ground` and free.
    #[must_use]
    pub fn blank(format: &'static str, len: u64, ground: Label) -> Self {
        Self {
            format,
            about: Vec::new(),
            pointer_width: 8,
            byte_order: ByteOrder::Little,
            regions: Vec::new(),
            streams: Vec::new(),
            threads: Vec::new(),
            modules: Vec::new(),
            faults: Vec::new(),
            gaps: Vec::new(),
            labels: Cover::new(len, ground),
            classes: Cover::new(len, Class::Free),
            pointer_words: Vec::new(),
        }
    }

    /// What `other`, the map of a dump that should look the same, describes differently; `None` where nothing.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let machine = |map: &Self| (map.format, map.pointer_width, map.byte_order);
        let differs = [
            ("the format or the machine", machine(self) != machine(other)),
            ("facts about the process", self.about != other.about),
            ("regions", self.regions != other.regions),
            ("streams", self.streams != other.streams),
            ("threads", self.threads != other.threads),
            ("modules", self.modules != other.modules),
            ("bad records", self.faults != other.faults),
            ("gaps", self.gaps != other.gaps),
            ("labels", self.labels.all() != other.labels.all()),
            ("editable bytes", self.classes.all() != other.classes.all()),
            ("stacks", self.pointer_words != other.pointer_words),
        ];
        differs.into_iter().find_map(|(what, differs)| differs.then_some(what))
    }

    /// The module that `address` lies in.
    #[must_use]
    pub fn module_at(&self, address: Address) -> Option<&Module> {
        self.modules.iter().find(|module| module.holds(address))
    }
}

/// Byte order of the dumped process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// One run of memory: where its bytes stand in the file, and which address they had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The bytes that are present (a clipped descriptor is clipped here already).
    pub span: Span,
    /// Address of the first byte; `None` for bytes that have none (a stream).
    pub address: Option<Address>,
    /// Whose memory it is.
    pub label: Label,
    /// What the process was allowed to do with it, where the dump says so.
    pub protection: Option<Protection>,
}

impl Region {
    /// The address of the byte at `offset`, which must lie in the region.
    #[must_use]
    pub fn address_of(&self, offset: FileOffset) -> Option<Address> {
        let into = offset.0.checked_sub(self.span.from()).filter(|&into| into < self.span.len)?;
        Some(self.address?.plus(into))
    }

    /// The place in the file of `address`, which must lie in the region.
    #[must_use]
    pub fn offset_of(&self, address: Address) -> Option<FileOffset> {
        let into = address.0.checked_sub(self.address?.0).filter(|&into| into < self.span.len)?;
        Some(FileOffset(self.span.from() + into))
    }
}

/// Rights of a run of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// Whose bytes they are. Indexes point into the map's `threads`, `modules` and `streams`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// The file's own header and directory.
    Header,
    /// A named stream, by index.
    Stream(usize),
    /// A thread's stack, by the thread's index.
    Stack(usize),
    /// A thread's saved registers, by the thread's index.
    Registers(usize),
    /// A loaded module's image, by index.
    Module(usize),
    /// A thread's environment block (TEB), by the thread's index.
    Teb(usize),
    /// The process environment block (PEB) and what hangs on it for the loader.
    Peb,
    /// The environment: `NAME=value` strings.
    Environ,
    /// The command line.
    CommandLine,
    /// Heap.
    Heap,
    /// Memory of which nothing more is known.
    Memory,
    /// Bytes that no record of the file accounts for.
    Slack,
    /// The file is of no known format.
    Unknown,
}

impl Label {
    /// The label in words, e.g. `stack of thread 4711`, `module ntdll.dll`.
    #[must_use]
    pub fn words(&self, map: &DumpMap) -> String {
        let thread = |i: &usize| map.threads.get(*i).map_or_else(|| "?".to_owned(), |t| t.id.to_string());
        match self {
            Self::Header => "header".to_owned(),
            Self::Stream(i) => format!("stream {}", map.streams.get(*i).map_or("?", |s| s.name.as_str())),
            Self::Stack(i) => format!("stack of thread {}", thread(i)),
            Self::Registers(i) => format!("registers of thread {}", thread(i)),
            Self::Module(i) => format!("module {}", map.modules.get(*i).map_or("?", |m| m.short_name())),
            Self::Teb(i) => format!("TEB of thread {}", thread(i)),
            Self::Peb => "PEB".to_owned(),
            Self::Environ => "environment".to_owned(),
            Self::CommandLine => "command line".to_owned(),
            Self::Heap => "heap".to_owned(),
            Self::Memory => "memory".to_owned(),
            Self::Slack => "slack".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// Whether bytes may be edited. It restricts editing, never scanning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// May be edited.
    Free,
    /// A debugger needs it: edited only where a secret covers it, and then the proof decides.
    Keep,
    /// Never edited.
    Frozen,
}

/// A named part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The format's own name for it, e.g. `MemoryListStream`, or `stream 0x12345678`.
    pub name: String,
    /// The part of it that is present.
    pub span: Span,
    /// The length that the file claims, in bytes.
    pub declared: u64,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The system's id for it.
    pub id: u64,
    /// Its name, where the dump has one.
    pub name: Option<String>,
    /// Instruction pointer and stack pointer, where the context could be read.
    pub registers: Option<Registers>,
    /// Where its saved registers stand in the file; of a thread that crashed, those of the crash.
    pub context: Option<Span>,
    /// The addresses of its stack that the dump holds: start and length in bytes.
    pub stack: Option<(Address, u64)>,
    /// Whether it is the thread that crashed.
    pub crashed: bool,
}

/// The registers that labels and redaction need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Instruction pointer.
    pub ip: Address,
    /// Stack pointer.
    pub sp: Address,
}

/// One loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The path that the dump gives.
    pub name: String,
    /// Address of its first byte.
    pub base: Address,
    /// Size in memory, in bytes.
    pub size: u64,
    /// What its header in memory says: `PE x86-64`, `ELF x86-64`, `Mach-O arm64`; `None` where the header is not in the dump.
    pub header: Option<String>,
}

impl Module {
    /// The last component of the path, of either system's kind.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }

    /// Whether `address` lies in it.
    #[must_use]
    pub fn holds(&self, address: Address) -> bool {
        address.0.checked_sub(self.base.0).is_some_and(|into| into < self.size)
    }
}
