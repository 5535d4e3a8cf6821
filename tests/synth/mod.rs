//! Builds dumps for tests, byte by byte, from the public description of the format.
//!
//! It shares no code and no layout with `src/dump`: two who read the same description and agree are worth more than one
//! who agrees with himself. A [`MinidumpBuilder`] is plain data: fill in what the dump shall hold, call
//! [`build`](MinidumpBuilder::build), and get the bytes *and* the truth about them: where each record, each region and
//! each planted secret lies in the file.
//!
//! ```ignore
//! let stack = Memory::noise(0x7ff0_0000, 4096, 1).plant(100, "password", b"hunter2");
//! let dump = MinidumpBuilder {
//!     threads: vec![Thread::new(7, Stack::Here(stack))],
//!     ..MinidumpBuilder::new(Cpu::Amd64, System::Windows)
//! }
//! .build();
//! assert_eq!(dump.bytes_of(&dump.planted[0]), b"hunter2");
//! ```
//!
//! Sources: Microsoft's documentation of `minidumpapiset.h` (MINIDUMP_HEADER and the structures that it names) and of
//! `winnt.h` (CONTEXT); Breakpad's `minidump_format.h` for the stream numbers and contexts of systems other than Windows.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a builder for tests may fail loudly")]

mod assemble;
pub mod blob;
pub mod bytes;
pub mod context;
pub mod der;
pub mod elf;
pub mod forms;
pub mod headers;
pub mod keys;
pub mod macho;
mod records;
pub mod symcrypt;
pub mod windows;

pub use blob::{Blob, Memory, RawStream};
pub use bytes::Order;
pub use context::{Cpu, Registers};

/// Stream numbers: MINIDUMP_STREAM_TYPE, and Breakpad's own range from 0x4767_0000.
pub mod kind {
    pub const THREAD_LIST: u32 = 3;
    pub const MODULE_LIST: u32 = 4;
    pub const MEMORY_LIST: u32 = 5;
    pub const EXCEPTION: u32 = 6;
    pub const SYSTEM_INFO: u32 = 7;
    pub const MEMORY64_LIST: u32 = 9;
    pub const COMMENT_A: u32 = 10;
    pub const COMMENT_W: u32 = 11;
    pub const HANDLE_DATA: u32 = 12;
    pub const MISC_INFO: u32 = 15;
    pub const MEMORY_INFO_LIST: u32 = 16;
    pub const THREAD_NAMES: u32 = 24;
    pub const LINUX_CMD_LINE: u32 = 0x4767_0006;
    pub const LINUX_ENVIRON: u32 = 0x4767_0007;
    pub const LINUX_AUXV: u32 = 0x4767_0008;
    pub const LINUX_MAPS: u32 = 0x4767_0009;
    /// The first number that is free for users (LastReservedStream + 1).
    pub const USER: u32 = 0x1_0000;
}

/// The system that the dump claims to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Windows,
    Linux,
    MacOs,
}

/// What a dump shall hold. Streams of which there is nothing to say are not written.
#[derive(Clone, Debug)]
pub struct MinidumpBuilder {
    pub cpu: Cpu,
    pub order: Order,
    pub system: System,
    pub process_id: Option<u32>,
    pub threads: Vec<Thread>,
    pub modules: Vec<Module>,
    /// Written one by one and named by a MemoryList, in the order given: neighbours in address may be apart in the file.
    pub memory: Vec<Memory>,
    /// Written in one run at the end and named by a Memory64List, in the order given.
    pub memory64: Vec<Memory>,
    pub memory_info: Vec<MemoryInfo>,
    pub exception: Option<Exception>,
    pub comment_a: Option<String>,
    pub comment_w: Option<String>,
    pub handles: Vec<Handle>,
    /// Streams that are nothing but their bytes: Linux texts, user streams, a second stream of a kind.
    pub streams: Vec<RawStream>,
    /// Bytes that no record accounts for, before the first region and behind the last byte of everything else.
    pub slack_before_memory: Blob,
    pub slack_at_end: Blob,
    pub lies: Lies,
}

/// What the dump says that is not so.
#[derive(Clone, Debug, Default)]
pub struct Lies {
    /// Directory entries as they are: kind, size, RVA. They may overlap others or lie behind the end.
    pub directory: Vec<(u32, u32, u32)>,
    /// MemoryList descriptors as they are: address, size, RVA.
    pub memory: Vec<(u64, u32, u32)>,
    /// Memory64List descriptors that follow the true ones: address, size.
    pub memory64: Vec<(u64, u64)>,
    /// Added to BaseRva: LLDB wrote it 8 too low until July 2025.
    pub base_rva: i64,
    /// Kinds that the directory names twice, the second time with a copy of the stream.
    pub twice: Vec<u32>,
}

/// One thread.
#[derive(Clone, Debug)]
pub struct Thread {
    pub id: u32,
    pub name: Option<String>,
    pub teb: u64,
    pub registers: Registers,
    pub stack: Stack,
}

/// How a thread names its stack.
#[derive(Clone, Debug)]
pub enum Stack {
    /// An all-zero descriptor.
    None,
    /// The bytes are written for the thread, and the MemoryList names them once more, as Windows and Breakpad do.
    Here(Memory),
    /// The descriptor as it is. Windows writes RVA 0 when the bytes are in a memory list anyway.
    Claimed { address: u64, size: u32, rva: u32 },
}

/// One loaded module. Its header bytes, if the dump shall have them, are memory at `base`: see [`headers`].
#[derive(Clone, Debug)]
pub struct Module {
    pub name: String,
    pub base: u64,
    pub size: u32,
    pub timestamp: u32,
    /// The CodeView record: `RSDS` and a path, or Breakpad's ELF build id.
    pub codeview: Vec<u8>,
}

/// One entry of the MemoryInfoList.
#[derive(Clone, Copy, Debug)]
pub struct MemoryInfo {
    pub base: u64,
    pub size: u64,
    /// PAGE_READWRITE is 4, PAGE_EXECUTE_READ 0x20, ...
    pub protect: u32,
    /// MEM_PRIVATE is 0x20000, MEM_IMAGE 0x1000000.
    pub kind: u32,
}

/// The exception stream.
#[derive(Clone, Debug)]
pub struct Exception {
    pub thread: u32,
    pub code: u32,
    pub address: u64,
    pub registers: Registers,
}

/// One entry of the handle stream.
#[derive(Clone, Debug)]
pub struct Handle {
    pub handle: u64,
    pub type_name: String,
    pub object_name: String,
}

/// The bytes of a dump and the truth about them.
#[derive(Clone, Debug)]
pub struct Dump {
    pub bytes: Vec<u8>,
    pub order: Order,
    /// Where everything lies, in the order in which it was written.
    pub places: Vec<Place>,
    /// Where the planted secrets lie.
    pub planted: Vec<Planted>,
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub what: What,
    /// File offset of the first byte.
    pub at: usize,
    pub len: usize,
    /// Address of the first byte, for memory.
    pub address: Option<u64>,
}

/// What a part of the file is. Numbers are positions in the builder's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Header,
    Directory,
    /// A stream's own record, by kind.
    Stream(u32),
    /// The saved registers of a thread.
    Context(usize),
    Stack(usize),
    Memory(usize),
    Memory64(usize),
    ModuleName(usize),
    CodeView(usize),
    ThreadName(usize),
    ExceptionContext,
    Slack,
}

/// A secret that was put somewhere; more than one piece where regions cut it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    pub name: String,
    /// File offset and length of each piece, in the order of the secret's bytes.
    pub pieces: Vec<(usize, usize)>,
}

impl Thread {
    /// A thread with this id and stack, its stack pointer at the stack's start.
    pub fn new(id: u32, stack: Stack) -> Self {
        let sp = match &stack {
            Stack::None => 0,
            Stack::Here(memory) => memory.address,
            Stack::Claimed { address, .. } => *address,
        };
        let registers = Registers { ip: 0x40_1000, sp, fp: sp, ..Registers::default() };
        Self { id, name: None, teb: 0, registers, stack }
    }
}

impl Module {
    /// A module without CodeView record.
    pub fn new(name: &str, base: u64, size: u32) -> Self {
        Self { name: name.to_owned(), base, size, timestamp: 0x5f5e_1000, codeview: Vec::new() }
    }
}

impl MinidumpBuilder {
    /// A dump that holds nothing but its SystemInfo.
    pub fn new(cpu: Cpu, system: System) -> Self {
        Self {
            cpu,
            order: Order::Little,
            system,
            process_id: None,
            threads: Vec::new(),
            modules: Vec::new(),
            memory: Vec::new(),
            memory64: Vec::new(),
            memory_info: Vec::new(),
            exception: None,
            comment_a: None,
            comment_w: None,
            handles: Vec::new(),
            streams: Vec::new(),
            slack_before_memory: Blob::default(),
            slack_at_end: Blob::default(),
            lies: Lies::default(),
        }
    }

    /// Writes the dump.
    pub fn build(&self) -> Dump {
        assemble::assemble(self)
    }
}

impl Dump {
    /// The place of `what`; panics where there is none.
    pub fn place(&self, what: What) -> Place {
        self.places.iter().copied().find(|place| place.what == what).unwrap()
    }

    /// The first planted secret of this name.
    pub fn planted(&self, name: &str) -> &Planted {
        self.planted.iter().find(|planted| planted.name == name).unwrap()
    }

    /// The bytes of a planted secret, its pieces put together.
    pub fn bytes_of(&self, planted: &Planted) -> Vec<u8> {
        planted.pieces.iter().flat_map(|&(at, len)| self.bytes[at..at + len].to_vec()).collect()
    }

    /// The 32-bit number at `at`, in the dump's byte order.
    pub fn u32_at(&self, at: usize) -> u32 {
        self.order.u32(&self.bytes[at..at + 4])
    }

    /// Overwrites the 32-bit number at `at`, in the dump's byte order.
    pub fn set_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&self.order.bytes(u64::from(value), 4));
    }
}
