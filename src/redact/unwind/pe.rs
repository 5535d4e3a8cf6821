//! `.pdata` and `.xdata` of PE images for x86-64, in the memory of a dump.
//!
//! `.pdata` is a sorted table of functions, twelve bytes each: first byte, end, and where the unwind information is, as
//! offsets from the image's base (Microsoft, "x64 exception handling"). Unwind information is worked through by
//! `pe-unwind-info`. It takes what it is given for well-formed, so that is checked before.

use std::cell::Cell;

use goblin::pe;
use minidump::system_info::Cpu;
use minidump_unwind::FrameWalker;
use pe_unwind_info::x86_64::{FunctionTableEntries, Register, UnwindState, XmmRegister};
use scroll::{LE, Pread};

use super::machine::Machine;
use super::tables::{Memory, Work};
use crate::dump::Module;
use crate::error::Result;
use crate::span::Address;

/// Bytes of an entry.
const ENTRY: u64 = 12;

/// Unwind information at its longest: 4 bytes, 255 codes of two bytes, padding, and an entry that it is chained to.
const INFO: usize = 4 + 2 * 256 + 12;

/// Entries that are chained for one function. Compilers chain two or three; a chain can be made a ring.
const CHAIN: usize = 32;

/// Code between a frame's instruction and the end of its function that is looked at for the function's last instructions.
const CODE: usize = 1 << 20;

/// Name, place and bytes of a section.
type Section = (&'static str, Address, Vec<u8>);

/// Where the table of an image is.
pub(super) struct Tables {
    base: Address,
    size: u64,
    /// Address and length of the table of functions.
    functions: (Address, u64),
}

impl Tables {
    /// Reads the exception directory from the first page of an image.
    pub fn find(page: &[u8], module: &Module) -> Option<Self> {
        let dos = pe::header::DosHeader::parse(page).ok()?;
        // Behind the four bytes `PE\0\0`.
        let mut at = usize::try_from(dos.pe_pointer).ok()?.checked_add(4)?;
        let coff = pe::header::CoffHeader::parse(page, &mut at).ok()?;
        if coff.machine != pe::header::COFF_MACHINE_X86_64 {
            return None;
        }
        let optional: pe::optional_header::OptionalHeader = page.get(at..)?.pread_with(0, LE).ok()?;
        let table = optional.data_directories.get_exception_table()?;
        let (rva, len) = (u64::from(table.virtual_address), u64::from(table.size));
        let len = len.min(module.size.saturating_sub(rva)) / ENTRY * ENTRY;
        Some(Self { base: module.base, size: module.size, functions: (module.base.plus(rva), len) })
    }

    /// Names, places and bytes: the table, and as one run the unwind information that its entries point at. `None` where
    /// `left` is less than that.
    pub fn sections(&self, memory: Memory<'_>, left: &mut u64) -> Result<Option<[Section; 2]>> {
        let (at, len) = self.functions;
        if len > *left {
            return Ok(None);
        }
        let functions = memory.bytes(at, usize::try_from(len).unwrap_or(0))?;
        *left -= len;
        let places = functions.chunks_exact(12).filter_map(|entry| entry.pread_with::<u32>(8, LE).ok());
        // Low bits set: an entry that refers to another entry.
        let places = places.map(u64::from).filter(|&place| place != 0 && place & 3 == 0);
        let (first, last) = places.fold((u64::MAX, 0), |(first, last), place| (first.min(place), last.max(place)));
        let end = last.saturating_add(INFO as u64).min(self.size);
        let len = end.saturating_sub(first);
        if len > *left {
            return Ok(None);
        }
        let infos = memory.bytes(self.base.plus(first), usize::try_from(len).unwrap_or(0))?;
        *left -= len;
        Ok(Some([(".pdata", at, functions), (".xdata", self.base.plus(first), infos)]))
    }

    /// Finds the caller of the frame of `walker`.
    pub fn walk(&self, memory: Memory<'_>, work: &Work, machine: &Machine, walker: &mut dyn FrameWalker) -> Option<()> {
        if machine.system.cpu != Cpu::X86_64 {
            return None;
        }
        let rva = u32::try_from(walker.get_instruction().checked_sub(self.base.0)?).ok()?;
        let Some(function) = self.function(memory, rva) else {
            // A function without an entry calls nobody: it can only be the innermost.
            return if walker.has_grand_callee() { None } else { finish(leaf(walker)?, walker) };
        };
        let infos = self.infos(memory, function.info)?;
        // In a function's last instructions, where what it did is undone by and by, nothing is called.
        let rest = usize::try_from(function.end - rva).ok()?;
        let code = if walker.has_grand_callee() { None } else { Some(self.code(memory, rva, rest)?) };
        let code = code.as_deref().or_else(|| NO_CODE.get(..rest))?;
        work.spend(infos.len() * INFO + code.len())?;
        let mut state = State::of(walker);
        let used = Cell::new(0);
        let find = |asked: u32| {
            used.set(used.get() + 1);
            let info = infos.iter().find(|(start, _)| *start == asked).map(|(_, bytes)| bytes.as_slice());
            info.or_else(|| (asked == rva).then_some(code)).filter(|_| used.get() <= 2 * CHAIN)
        };
        let entry = function.bytes;
        let back = FunctionTableEntries::parse(&entry).unwind_frame(&mut state, find, rva)?;
        state.back = Some(back);
        let values = state.result()?;
        finish(values, walker)
    }

    /// The function that `rva` lies in, by halving the table.
    fn function(&self, memory: Memory<'_>, rva: u32) -> Option<Function> {
        let (table, len) = self.functions;
        let entry = |index: u64| {
            let bytes = memory.bytes(table.plus(index * ENTRY), 12).ok()?;
            Function::parse(bytes.first_chunk()?)
        };
        let (mut low, mut high) = (0, len / ENTRY);
        while low < high {
            let middle = low + (high - low) / 2;
            if entry(middle)?.begin <= rva { low = middle + 1 } else { high = middle }
        }
        entry(low.checked_sub(1)?).filter(|function| (function.begin..function.end).contains(&rva))
    }

    /// The unwind information at `place`, and all that it is chained to.
    fn infos(&self, memory: Memory<'_>, place: u32) -> Option<Vec<(u32, Vec<u8>)>> {
        let (mut infos, mut next) = (Vec::new(), Some(place));
        while let Some(place) = next.take().filter(|_| infos.len() < CHAIN) {
            let bytes = memory.bytes(self.base.plus(place.into()), INFO).ok()?;
            next = chained(&bytes);
            infos.push((place, bytes));
        }
        Some(infos)
    }

    /// The code from `rva` to its function's end, all of it.
    fn code(&self, memory: Memory<'_>, rva: u32, len: usize) -> Option<Vec<u8>> {
        let code = memory.bytes(self.base.plus(rva.into()), len.min(CODE)).ok()?;
        (code.len() == len).then_some(code)
    }
}

/// Stands for code that need not be looked at.
static NO_CODE: [u8; CODE] = [0; CODE];

/// The unwind information that this one is chained to.
fn chained(info: &[u8]) -> Option<u32> {
    const CHAINED: u8 = 4;
    let (flags, codes) = (info.first()? >> 3, usize::from(*info.get(2)?));
    let entry = 4 + 2 * codes.next_multiple_of(2);
    (flags & CHAINED != 0).then(|| info.pread_with::<u32>(entry + 8, LE).ok())?
}

/// One entry of the table.
struct Function {
    begin: u32,
    end: u32,
    info: u32,
    bytes: [u8; 12],
}

impl Function {
    fn parse(bytes: &[u8; 12]) -> Option<Self> {
        let number = |at: usize| bytes.pread_with::<u32>(at, LE).ok();
        Some(Self { begin: number(0)?, end: number(4)?, info: number(8)?, bytes: *bytes })
    }
}

/// Registers by their numbers in instructions.
const NAMES: [&str; 16] =
    ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// Numbers of the registers that a function must leave as they were: rbx, rsp, rbp, rsi, rdi, r12 to r15.
const KEPT: [usize; 9] = [3, 4, 5, 6, 7, 12, 13, 14, 15];

/// Registers while a frame is undone.
struct State<'w> {
    walker: &'w dyn FrameWalker,
    values: [Option<u64>; 16],
    back: Option<u64>,
    /// Whether a register was asked for that is not known.
    unknown: bool,
}

/// The caller's registers and the return address.
type Values = ([Option<u64>; 16], u64);

impl<'w> State<'w> {
    fn of(walker: &'w dyn FrameWalker) -> Self {
        let values = NAMES.map(|name| walker.get_callee_register(name));
        Self { walker, values, back: None, unknown: false }
    }

    fn result(&self) -> Option<Values> {
        if self.unknown { None } else { Some((self.values, self.back?)) }
    }
}

impl UnwindState for State<'_> {
    fn read_register(&mut self, register: Register) -> u64 {
        let value = self.values.get(register as usize).copied().flatten();
        self.unknown |= value.is_none();
        value.unwrap_or(0)
    }

    fn read_stack(&mut self, address: u64) -> Option<u64> {
        self.walker.get_register_at_address(address)
    }

    fn write_register(&mut self, register: Register, value: u64) {
        if let Some(slot) = self.values.get_mut(register as usize) {
            *slot = Some(value);
        }
    }

    fn write_xmm_register(&mut self, _: XmmRegister, _: u128) {}
}

/// The caller of a function that moves no register: its return address is on top of the stack.
fn leaf(walker: &dyn FrameWalker) -> Option<Values> {
    let mut values = NAMES.map(|name| walker.get_callee_register(name));
    let sp = values.get_mut(4)?;
    let back = walker.get_register_at_address((*sp)?)?;
    *sp = (*sp)?.checked_add(8);
    Some((values, back))
}

fn finish((values, back): Values, walker: &mut dyn FrameWalker) -> Option<()> {
    for index in KEPT {
        let (name, value) = (NAMES.get(index)?, values.get(index)?);
        match value {
            Some(value) => walker.set_caller_register(name, *value)?,
            None => walker.clear_caller_register(name),
        }
    }
    walker.set_cfa((*values.get(4)?)?)?;
    walker.set_ra(back)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Frame, STACK};
    use super::*;
    use crate::dump::{Label, Region};
    use crate::image::Image;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    const BASE: u64 = 0x1_4000_0000;

    /// A frame of the image, at `rva`.
    fn frame(rva: u64, stack: &[u64]) -> Frame {
        Frame::new(BASE + rva, stack, &[("rsp", STACK), ("rbp", 7), ("rbx", 8)])
    }

    /// An image with one function at 0x1000, 0x40 bytes long, whose unwind information at 0x3000 is `info`.
    fn walk(end: u32, info: &[u8], frame: &mut Frame) -> Option<()> {
        let mut bytes = vec![0x90; 0x4000];
        for (at, number) in [(0x2000, 0x1000), (0x2004, end), (0x2008, 0x3000_u32)] {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes[0x3000..0x3000 + info.len()].copy_from_slice(info);
        let region =
            Region { span: Span::new(0, 0x4000), address: Some(Address(BASE)), label: Label::Memory, protection: None };
        let (image, space) = (Image::from_bytes("test", bytes), AddressSpace::new(&[region]));
        let tables = Tables { base: Address(BASE), size: 0x4000, functions: (Address(BASE + 0x2000), 12) };
        let memory = Memory { image: &image, space: &space };
        tables.walk(memory, &Work::new(1 << 20), &Machine::of_core(Cpu::X86_64), frame)
    }

    /// Version 1; a prolog of 5 bytes: `push rbp` ends at 1, `sub rsp, 0x20` at 5.
    const PLAIN: &[u8] = &[1, 5, 2, 0, 5, 0x32, 1, 0x50];

    #[test]
    fn what_a_prolog_did_is_undone() {
        let mut frame = frame(0x1010, &[1, 2, 3, 4, 0xbb, 0xcc]);
        walk(0x1040, PLAIN, &mut frame).unwrap();
        let caller = ["rip", "rsp", "rbp", "rbx"].map(|name| frame.caller(name));
        assert_eq!(caller, [0xcc, 0x1030, 0xbb, 8].map(Some));
    }

    #[test]
    fn only_the_innermost_function_can_be_without_an_entry() {
        let mut frame = frame(0x1800, &[0xcc]);
        walk(0x1040, PLAIN, &mut frame).unwrap();
        assert_eq!((frame.caller("rip"), frame.caller("rsp")), (Some(0xcc), Some(0x1008)));
        frame.outer = true;
        assert!(walk(0x1040, PLAIN, &mut frame).is_none());
    }

    #[test]
    fn entries_that_lie_end_the_walk() {
        let lying = || frame(0x1010, &[1, 2, 3, 4, 0xbb, 0xcc]);
        // A chain that leads back to itself: flags 4, no codes, then an entry with the same information.
        let mut ring = vec![0x21, 0, 0, 0];
        [0x1000, 0x1040, 0x3000_u32].iter().for_each(|number| ring.extend(number.to_le_bytes()));
        assert!(walk(0x1040, &ring, &mut lying()).is_none());
        // A function that ends behind the image; a version that nobody wrote.
        assert!(walk(0x4000_0000, PLAIN, &mut lying()).is_none());
        assert!(walk(0x1040, &[7, 5, 0, 0], &mut lying()).is_none());
        // The stack pointer is not known.
        let mut blind = lying();
        blind.registers.remove("rsp");
        assert!(walk(0x1040, PLAIN, &mut blind).is_none());
    }
}
