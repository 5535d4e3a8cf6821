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

use super::tables::Memory;
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
const CODE: u64 = 1 << 20;

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
    pub fn walk(&self, memory: Memory<'_>, cpu: Cpu, walker: &mut dyn FrameWalker) -> Option<()> {
        if cpu != Cpu::X86_64 {
            return None;
        }
        let rva = u32::try_from(walker.get_instruction().checked_sub(self.base.0)?).ok()?;
        let Some(function) = self.function(memory, rva) else {
            // A function without an entry calls nobody: it can only be the innermost.
            return if walker.has_grand_callee() { None } else { finish(leaf(walker)?, walker) };
        };
        let parts = self.parts(memory, &function, rva)?;
        let mut state = State::of(walker);
        let used = Cell::new(0);
        let find = |rva: u32| {
            used.set(used.get() + 1);
            let (start, bytes) = parts.iter().find(|(start, _)| *start == rva).filter(|_| used.get() <= 2 * CHAIN)?;
            (*start == rva).then_some(bytes.as_slice())
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

    /// What unwinding from `rva` may ask for: the function's unwind information with all that it is chained to, and the
    /// code from `rva` to the function's end.
    fn parts(&self, memory: Memory<'_>, function: &Function, rva: u32) -> Option<Vec<(u32, Vec<u8>)>> {
        let bytes = |rva: u32, len: usize| memory.bytes(self.base.plus(rva.into()), len).ok();
        let rest = usize::try_from(function.end - rva).ok().filter(|&rest| rest as u64 <= CODE)?;
        let code = bytes(rva, rest).filter(|code| code.len() == rest)?;
        let (mut parts, mut next) = (Vec::new(), Some(function.info));
        while let Some(info) = next.take().filter(|_| parts.len() < CHAIN) {
            let bytes = bytes(info, INFO)?;
            next = chained(&bytes);
            parts.push((info, bytes));
        }
        // Where both begin at one place, which no compiler does, the information is found first.
        parts.push((rva, code));
        Some(parts)
    }
}

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
    use std::collections::HashMap;

    use super::*;
    use crate::dump::{Label, Region};
    use crate::image::Image;
    use crate::memory::AddressSpace;
    use crate::span::Span;

    const BASE: u64 = 0x1_4000_0000;

    /// A frame with some registers, on a stack of words from 0x1000 on.
    struct Frame {
        at: u64,
        outer: bool,
        stack: Vec<u64>,
        registers: HashMap<String, u64>,
        caller: HashMap<String, u64>,
    }

    impl Frame {
        fn new(rva: u64, rsp: u64, stack: &[u64]) -> Self {
            let registers = [("rsp", rsp), ("rbp", 7), ("rbx", 8)].map(|(name, value)| (name.to_owned(), value));
            let (stack, registers) = (stack.to_vec(), registers.into());
            Self { at: BASE + rva, outer: false, stack, registers, caller: HashMap::new() }
        }

        fn caller(&self, name: &str) -> Option<u64> {
            self.caller.get(name).copied()
        }
    }

    impl FrameWalker for Frame {
        fn get_instruction(&self) -> u64 {
            self.at
        }
        fn has_grand_callee(&self) -> bool {
            self.outer
        }
        fn get_grand_callee_parameter_size(&self) -> u32 {
            0
        }
        fn get_register_at_address(&self, address: u64) -> Option<u64> {
            self.stack.get(usize::try_from(address.checked_sub(0x1000)? / 8).ok()?).copied()
        }
        fn get_callee_register(&self, name: &str) -> Option<u64> {
            self.registers.get(name).copied()
        }
        fn set_caller_register(&mut self, name: &str, value: u64) -> Option<()> {
            self.caller.insert(name.to_owned(), value);
            Some(())
        }
        fn clear_caller_register(&mut self, name: &str) {
            self.caller.remove(name);
        }
        fn set_cfa(&mut self, value: u64) -> Option<()> {
            self.set_caller_register("rsp", value)
        }
        fn set_ra(&mut self, value: u64) -> Option<()> {
            self.set_caller_register("rip", value)
        }
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
        tables.walk(Memory { image: &image, space: &space }, Cpu::X86_64, frame)
    }

    /// Version 1; a prolog of 5 bytes: `push rbp` ends at 1, `sub rsp, 0x20` at 5.
    const PLAIN: &[u8] = &[1, 5, 2, 0, 5, 0x32, 1, 0x50];

    #[test]
    fn what_a_prolog_did_is_undone() {
        let mut frame = Frame::new(0x1010, 0x1000, &[1, 2, 3, 4, 0xbb, 0xcc]);
        walk(0x1040, PLAIN, &mut frame).unwrap();
        let caller = ["rip", "rsp", "rbp", "rbx"].map(|name| frame.caller(name));
        assert_eq!(caller, [0xcc, 0x1030, 0xbb, 8].map(Some));
    }

    #[test]
    fn only_the_innermost_function_can_be_without_an_entry() {
        let mut frame = Frame::new(0x1800, 0x1000, &[0xcc]);
        walk(0x1040, PLAIN, &mut frame).unwrap();
        assert_eq!((frame.caller("rip"), frame.caller("rsp")), (Some(0xcc), Some(0x1008)));
        frame.outer = true;
        assert!(walk(0x1040, PLAIN, &mut frame).is_none());
    }

    #[test]
    fn entries_that_lie_end_the_walk() {
        let mut frame = || Frame::new(0x1010, 0x1000, &[1, 2, 3, 4, 0xbb, 0xcc]);
        // A chain that leads back to itself: flags 4, no codes, then an entry with the same information.
        let mut ring = vec![0x21, 0, 0, 0];
        [0x1000, 0x1040, 0x3000_u32].iter().for_each(|number| ring.extend(number.to_le_bytes()));
        assert!(walk(0x1040, &ring, &mut frame()).is_none());
        // A function that ends behind the image; a version that nobody wrote.
        assert!(walk(0x4000_0000, PLAIN, &mut frame()).is_none());
        assert!(walk(0x1040, &[7, 5, 0, 0], &mut frame()).is_none());
        // The stack pointer is not known.
        let mut blind = frame();
        blind.registers.remove("rsp");
        assert!(walk(0x1040, PLAIN, &mut blind).is_none());
    }
}
