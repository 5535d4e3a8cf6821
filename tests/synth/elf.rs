//! Builds ELF cores for tests from the public description: the System V ABI, and Linux's `elfcore.h` for the notes.
//!
//! Structures are written member by member; no offset of the reader is used here.

use super::blob::Memory;
use super::bytes::{Order, Out};

/// A processor: its number in ELF, and its registers in the order in which Linux's `elf_gregset_t` has them.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub name: &'static str,
    pub number: u16,
    pub wide: bool,
    pub order: Order,
    /// How many registers, and the positions of the instruction pointer and the stack pointer among them.
    pub registers: usize,
    pub ip: usize,
    pub sp: usize,
}

const fn machine(
    name: &'static str,
    number: u16,
    wide: bool,
    order: Order,
    [registers, ip, sp]: [usize; 3],
) -> Machine {
    Machine { name, number, wide, order, registers, ip, sp }
}

pub const X86_64: Machine = machine("x86-64", 62, true, Order::Little, [27, 16, 19]);
pub const S390X: Machine = machine("s390x", 22, true, Order::Big, [27, 1, 17]);

/// As `asm/ptrace.h` of each has them.
pub const MACHINES: &[Machine] = &[
    X86_64,
    machine("x86", 3, false, Order::Little, [17, 12, 15]),
    machine("arm", 40, false, Order::Little, [18, 15, 13]),
    machine("arm", 40, false, Order::Big, [18, 15, 13]),
    machine("arm64", 183, true, Order::Little, [34, 32, 31]),
    machine("riscv", 243, true, Order::Little, [32, 0, 2]),
    machine("riscv", 243, false, Order::Little, [32, 0, 2]),
    machine("ppc64", 21, true, Order::Big, [48, 32, 1]),
    machine("ppc64le", 21, true, Order::Little, [48, 32, 1]),
    machine("ppc", 20, false, Order::Big, [48, 32, 1]),
    S390X,
    machine("mips", 8, true, Order::Big, [45, 34, 29]),
    machine("mips", 8, false, Order::Big, [45, 40, 35]),
    machine("mips", 8, false, Order::Little, [45, 40, 35]),
];

impl Machine {
    pub fn width(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    fn header_sizes(&self) -> (u16, u16, u16) {
        if self.wide { (64, 56, 64) } else { (52, 32, 40) }
    }
}

/// A note as it stands in the file.
#[derive(Clone, Debug)]
pub struct Note {
    pub owner: String,
    pub number: u32,
    pub content: Vec<u8>,
    /// The length that the note claims, where it lies.
    pub claims: Option<u32>,
}

impl Note {
    pub fn new(owner: &str, number: u32, content: impl Into<Vec<u8>>) -> Self {
        Self { owner: owner.to_owned(), number, content: content.into(), claims: None }
    }
}

/// A memory segment; `memory_len` is what was mapped, where that is more than the file holds.
#[derive(Clone, Debug)]
pub struct Segment {
    pub memory: Memory,
    pub flags: u32,
    pub memory_len: Option<u64>,
    pub physical: u64,
}

impl Segment {
    pub fn new(memory: Memory, flags: u32) -> Self {
        Self { memory, flags, memory_len: None, physical: 0 }
    }
}

/// What the core shall hold.
#[derive(Clone, Debug)]
pub struct ElfBuilder {
    pub machine: Machine,
    pub notes: Vec<Note>,
    pub segments: Vec<Segment>,
    /// Notes behind the memory, as gdb's gcore writes them.
    pub notes_last: bool,
    /// The number of segments stands in section header 0, at the end of the file.
    pub many: bool,
    /// Padding of notes, 4 or 8.
    pub align: usize,
}

/// The bytes, and where things stand in them.
#[derive(Clone, Debug)]
pub struct Core {
    pub bytes: Vec<u8>,
    /// Where each segment's bytes begin.
    pub segments: Vec<usize>,
    /// Where each note begins, and where its content does.
    pub notes: Vec<(usize, usize)>,
    /// Where the program headers end.
    pub headers_end: usize,
}

impl ElfBuilder {
    pub fn new(machine: Machine) -> Self {
        Self { machine, notes: Vec::new(), segments: Vec::new(), notes_last: false, many: false, align: 4 }
    }

    /// Writes the core.
    pub fn build(&self) -> Core {
        let (header, program_header, _) = self.machine.header_sizes();
        let (notes, mut note_places) = self.notes();
        let count = self.segments.len() + 1;
        let headers_end = usize::from(header) + count * usize::from(program_header);
        let memory_len: usize = self.segments.iter().map(|s| s.memory.len()).sum();
        let (notes_at, memory_at) = if self.notes_last {
            (headers_end + memory_len, headers_end)
        } else {
            (headers_end, headers_end + notes.len())
        };
        let end = headers_end + notes.len() + memory_len;
        let mut out = Out::new(self.machine.order);
        self.header(&mut out, count, end);
        let len = notes.len() as u64;
        self.program_header(&mut out, 4, 0, [notes_at as u64, 0, 0, len, 0, self.align as u64]);
        let (mut places, mut at) = (Vec::new(), memory_at);
        for segment in &self.segments {
            places.push(at);
            let (address, len) = (segment.memory.address, segment.memory.len() as u64);
            let mapped = segment.memory_len.unwrap_or(len);
            let place = if len == 0 { 0 } else { at as u64 };
            self.program_header(&mut out, 1, segment.flags, [place, address, segment.physical, len, mapped, 1]);
            at += segment.memory.len();
        }
        if !self.notes_last {
            out.raw(&notes);
        }
        self.segments.iter().for_each(|segment| out.raw(&segment.memory.blob.bytes));
        if self.notes_last {
            out.raw(&notes);
        }
        if self.many {
            self.section_header(&mut out, count);
        }
        note_places.iter_mut().for_each(|(at, content)| (*at, *content) = (*at + notes_at, *content + notes_at));
        Core { bytes: out.bytes, segments: places, notes: note_places, headers_end }
    }

    fn header(&self, out: &mut Out, count: usize, end: usize) {
        let (header, program_header, section_header) = self.machine.header_sizes();
        let width = self.machine.width();
        let order = if self.machine.order == Order::Little { 1 } else { 2 };
        out.raw(&[0x7f, b'E', b'L', b'F', if self.machine.wide { 2 } else { 1 }, order, 1, 0]);
        out.zeros(8);
        out.u16(4);
        out.u16(self.machine.number);
        out.u32(1);
        out.number(0, width);
        out.number(u64::from(header), width);
        out.number(if self.many { end as u64 } else { 0 }, width);
        out.u32(0);
        out.u16(header);
        out.u16(program_header);
        out.u16(if self.many { 0xffff } else { u16::try_from(count).unwrap() });
        out.u16(if self.many { section_header } else { 0 });
        out.u16(u16::from(self.many));
        out.u16(0);
    }

    /// `numbers`: place, address, physical address, size in the file, size in memory, alignment.
    fn program_header(&self, out: &mut Out, kind: u32, flags: u32, numbers: [u64; 6]) {
        let width = self.machine.width();
        let [place, address, physical, len, mapped, align] = numbers;
        out.u32(kind);
        if self.machine.wide {
            out.u32(flags);
        }
        [place, address, physical, len, mapped].into_iter().for_each(|number| out.number(number, width));
        if !self.machine.wide {
            out.u32(flags);
        }
        out.number(align, width);
    }

    /// Name, kind, flags, address, place, size, link, info, alignment, entry size.
    fn section_header(&self, out: &mut Out, count: usize) {
        let width = self.machine.width();
        out.zeros(8 + 3 * width);
        out.number(1, width);
        out.u32(0);
        out.u32(u32::try_from(count).unwrap());
        out.zeros(2 * width);
    }

    fn notes(&self) -> (Vec<u8>, Vec<(usize, usize)>) {
        let mut out = Out::new(self.machine.order);
        let mut places = Vec::new();
        for note in &self.notes {
            let at = out.at();
            let len = u32::try_from(note.content.len()).unwrap();
            out.u32(u32::try_from(note.owner.len() + 1).unwrap());
            out.u32(note.claims.unwrap_or(len));
            out.u32(note.number);
            out.raw(note.owner.as_bytes());
            out.u8(0);
            out.align(self.align);
            places.push((at, out.at()));
            out.raw(&note.content);
            out.align(self.align);
        }
        (out.bytes, places)
    }
}

/// NT_PRSTATUS of a thread: `struct elf_prstatus`.
pub fn status(machine: Machine, id: u32, signal: u16, ip: u64, sp: u64) -> Note {
    let width = machine.width();
    let mut out = Out::new(machine.order);
    // si_signo, si_code, si_errno; pr_cursig; pr_sigpend, pr_sighold.
    out.u32(u32::from(signal));
    out.zeros(8);
    out.u16(signal);
    out.align(width);
    out.zeros(2 * width);
    // pr_pid, pr_ppid, pr_pgrp, pr_sid; four times of two longs.
    out.u32(id);
    out.zeros(12 + 8 * width);
    for i in 0..machine.registers {
        let value = if i == machine.ip {
            ip
        } else if i == machine.sp {
            sp
        } else {
            0x1111 * i as u64
        };
        out.number(value, width);
    }
    // pr_fpvalid.
    out.u32(1);
    out.align(width);
    Note::new("CORE", 1, out.bytes)
}

/// NT_PRPSINFO of a process, with 80 bytes of command line.
pub fn process(machine: Machine, id: u32, arguments: &str) -> Note {
    let mut out = Out::new(machine.order);
    // Four characters, flags, user and group.
    out.zeros(4);
    out.align(machine.width());
    out.zeros(machine.width() + 8);
    out.u32(id);
    out.zeros(12);
    out.raw(b"program\0\0\0\0\0\0\0\0\0");
    out.raw(arguments.as_bytes());
    out.zeros(80 - arguments.len());
    Note::new("CORE", 3, out.bytes)
}

/// NT_FILE: start, end, offset in pages, path.
pub fn files(machine: Machine, files: &[(u64, u64, u64, &str)]) -> Note {
    let width = machine.width();
    let mut out = Out::new(machine.order);
    out.number(files.len() as u64, width);
    out.number(4096, width);
    for &(start, end, offset, _) in files {
        [start, end, offset].into_iter().for_each(|number| out.number(number, width));
    }
    for (_, _, _, path) in files {
        out.raw(path.as_bytes());
        out.u8(0);
    }
    Note::new("CORE", 0x4649_4c45, out.bytes)
}

/// Numbers of the machine's width, one behind the other.
pub fn words(machine: Machine, words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|&word| machine.order.bytes(word, machine.width())).collect()
}
