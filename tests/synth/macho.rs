//! Builds Mach-O cores and module headers for tests, from `mach-o/loader.h` and `mach/machine/thread_status.h`.

use super::blob::Memory;
use super::bytes::{Order, Out};

/// A processor: `cputype`, its integer state's flavor, how many registers that has and which are ip and sp.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    pub name: &'static str,
    pub number: u32,
    pub wide: bool,
    pub flavor: u32,
    pub registers: usize,
    pub ip: usize,
    pub sp: usize,
}

pub const MACHINES: &[Machine] = &[
    Machine { name: "x86-64", number: 0x0100_0007, wide: true, flavor: 4, registers: 21, ip: 16, sp: 7 },
    Machine { name: "x86", number: 7, wide: false, flavor: 1, registers: 16, ip: 10, sp: 7 },
    Machine { name: "arm64", number: 0x0100_000c, wide: true, flavor: 6, registers: 34, ip: 32, sp: 31 },
    Machine { name: "arm", number: 12, wide: false, flavor: 1, registers: 17, ip: 15, sp: 13 },
];

/// What the core shall hold.
#[derive(Clone, Debug)]
pub struct MachoBuilder {
    pub machine: Machine,
    pub order: Order,
    /// Instruction and stack pointer of each thread.
    pub threads: Vec<(u64, u64)>,
    /// Memory and its rights: 1 read, 2 write, 4 execute.
    pub segments: Vec<(Memory, u32)>,
    /// Owner and content.
    pub notes: Vec<(&'static str, Vec<u8>)>,
}

/// The bytes, and where things stand in them.
#[derive(Clone, Debug)]
pub struct Core {
    pub bytes: Vec<u8>,
    pub segments: Vec<usize>,
    pub notes: Vec<usize>,
    /// Where each thread's vector registers begin.
    pub vectors: Vec<usize>,
    pub commands_end: usize,
}

/// Bytes of vector registers that each thread has.
pub const VECTORS: usize = 256;

impl MachoBuilder {
    pub fn new(machine: Machine, order: Order) -> Self {
        Self { machine, order, threads: Vec::new(), segments: Vec::new(), notes: Vec::new() }
    }

    fn width(&self) -> usize {
        if self.machine.wide { 8 } else { 4 }
    }

    /// Writes the core.
    pub fn build(&self) -> Core {
        let segment_len = if self.machine.wide { 72 } else { 56 };
        let thread_len = 8 + 8 + self.machine.registers * self.width() + 8 + VECTORS;
        let commands = self.segments.len() * segment_len + self.threads.len() * thread_len + self.notes.len() * 40;
        let count = self.segments.len() + self.threads.len() + self.notes.len();
        let mut out = Out::new(self.order);
        header(&mut out, self.machine, 4, count, commands);
        let commands_end = out.at() + commands;
        let mut at = commands_end;
        let (mut segments, mut notes, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (memory, rights) in &self.segments {
            segments.push(at);
            let len = memory.len() as u64;
            segment(&mut out, self.machine, "", [memory.address, len, at as u64, len], *rights);
            at += memory.len();
        }
        for &(ip, sp) in &self.threads {
            vectors.push(self.thread(&mut out, thread_len, ip, sp));
        }
        for (owner, content) in &self.notes {
            notes.push(at);
            out.u32(0x31);
            out.u32(40);
            name(&mut out, owner);
            out.u64(at as u64);
            out.u64(content.len() as u64);
            at += content.len();
        }
        assert_eq!(out.at(), commands_end);
        self.segments.iter().for_each(|(memory, _)| out.raw(&memory.blob.bytes));
        self.notes.iter().for_each(|(_, content)| out.raw(content));
        Core { bytes: out.bytes, segments, notes, vectors, commands_end }
    }

    /// Gives the place of the vector registers.
    fn thread(&self, out: &mut Out, len: usize, ip: u64, sp: u64) -> usize {
        out.u32(4);
        out.u32(u32::try_from(len).unwrap());
        out.u32(self.machine.flavor);
        out.u32(u32::try_from(self.machine.registers * self.width() / 4).unwrap());
        for i in 0..self.machine.registers {
            let value = if i == self.machine.ip {
                ip
            } else if i == self.machine.sp {
                sp
            } else {
                0x2222
            };
            out.number(value, self.width());
        }
        // x86_AVX_STATE32 and 64 are 16 and 17, ARM_NEON_STATE and 64 too.
        out.u32(if self.machine.wide { 17 } else { 16 });
        out.u32(u32::try_from(VECTORS / 4).unwrap());
        let at = out.at();
        out.raw(&[0xab; VECTORS]);
        at
    }
}

/// A library's header as it lies in memory: `__TEXT` of `len` bytes, and its own path.
pub fn library(machine: Machine, order: Order, base: u64, len: u64, path: &str) -> Vec<u8> {
    let mut out = Out::new(order);
    let path_len = (24 + path.len() + 1).next_multiple_of(8);
    let segment_len = if machine.wide { 72 } else { 56 };
    header(&mut out, machine, 6, 2, segment_len + path_len);
    segment(&mut out, machine, "__TEXT", [base, len, 0, len], 5);
    let at = out.at();
    // LC_ID_DYLIB: place of the path, time, two versions.
    out.u32(0xd);
    out.u32(u32::try_from(path_len).unwrap());
    out.u32(24);
    out.zeros(12);
    out.raw(path.as_bytes());
    out.until(at + path_len);
    out.bytes
}

fn header(out: &mut Out, machine: Machine, kind: u32, count: usize, commands: usize) {
    out.u32(if machine.wide { 0xfeed_facf } else { 0xfeed_face });
    out.u32(machine.number);
    out.u32(3);
    out.u32(kind);
    out.u32(u32::try_from(count).unwrap());
    out.u32(u32::try_from(commands).unwrap());
    out.u32(0);
    if machine.wide {
        out.u32(0);
    }
}

/// `numbers`: address, size in memory, place, size in the file.
fn segment(out: &mut Out, machine: Machine, title: &str, numbers: [u64; 4], rights: u32) {
    out.u32(if machine.wide { 0x19 } else { 1 });
    out.u32(if machine.wide { 72 } else { 56 });
    name(out, title);
    let width = if machine.wide { 8 } else { 4 };
    numbers.into_iter().for_each(|number| out.number(number, width));
    out.u32(7);
    out.u32(rights);
    out.zeros(8);
}

fn name(out: &mut Out, name: &str) {
    out.raw(name.as_bytes());
    out.zeros(16 - name.len());
}
