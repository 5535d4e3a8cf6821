//! `.eh_frame` of ELF images, in the memory of a dump.
//!
//! The program header `PT_GNU_EH_FRAME` says where `.eh_frame_hdr` is, which says where `.eh_frame` is and has a sorted table
//! of its entries (Linux Standard Base, "Exception Frames"). Entries are read by `gimli`. It has a rule for each register:
//! where the caller's value is, seen from the canonical frame address (DWARF 5, 6.4).

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EhFrameOffset, EndianSlice, EvaluationResult, Location, Register,
    RegisterRule, RunTimeEndian, UnwindContext, UnwindExpression, UnwindSection, Value,
};
use goblin::container::Ctx;
use goblin::elf::Elf;
use goblin::elf::program_header::{PT_GNU_EH_FRAME, PT_LOAD, ProgramHeader};
use minidump::system_info::Cpu;
use minidump_unwind::FrameWalker;

use super::machine::Machine;
use super::tables::{Memory, Work};
use crate::error::Result;
use crate::span::Address;

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// Bytes of one entry, or of the entry that it shares its beginning with, that are worked through for one frame. Entries
/// of real code stay below 4 KiB.
const ENTRY: usize = 16 << 10;

/// Steps of one expression; real ones have fewer than twenty, and a jump backwards can make one endless.
const STEPS: u32 = 1000;

/// Where the table of an image is.
pub(super) struct Place {
    header: Address,
    header_len: u64,
    /// Addresses of the segments that are loaded from the file.
    segments: Vec<(u64, u64)>,
    width: u8,
}

impl Place {
    /// Reads the program headers from the first page of an image that was loaded at `base`.
    pub fn find(page: &[u8], base: Address) -> Option<Self> {
        let header = Elf::parse_header(page).ok()?;
        let context = Ctx::new(header.container().ok()?, header.endianness().ok()?);
        let at = usize::try_from(header.e_phoff).ok()?;
        let count = usize::from(header.e_phnum).min(page.len().checked_sub(at)? / ProgramHeader::size(context));
        let headers = ProgramHeader::parse(page, at, count, context).ok()?;
        let first = headers.iter().find(|header| header.p_type == PT_LOAD)?;
        // The first page of the file is the first page in memory.
        let bias = base.0.wrapping_sub(first.p_vaddr.wrapping_sub(first.p_offset));
        let table = headers.iter().find(|header| header.p_type == PT_GNU_EH_FRAME)?;
        let range = |header: &ProgramHeader| {
            let start = bias.wrapping_add(header.p_vaddr);
            (start, start.saturating_add(header.p_filesz))
        };
        let segments = headers.iter().filter(|header| header.p_type == PT_LOAD).map(range).collect();
        let width = if context.is_big() { 8 } else { 4 };
        Some(Self { header: Address(range(table).0), header_len: table.p_memsz, segments, width })
    }

    /// Reads the tables out of memory and takes their size from `left`; none where memory has no header of them.
    pub fn load(&self, memory: Memory<'_>, endian: scroll::Endian, left: &mut u64) -> Result<Option<Tables>> {
        let header = take(memory, self.header, self.header_len, left)?;
        let mut tables = Tables {
            header_at: self.header,
            cut: header.len() as u64 == *left && self.header_len > *left,
            header,
            frames_at: Address(0),
            frames: Vec::new(),
            width: self.width,
        };
        *left -= (tables.header.len() as u64).min(*left);
        let Some(frames_at) = tables.pointer(endian) else { return Ok(tables.cut.then_some(tables)) };
        tables.frames_at = Address(frames_at);
        let end = self.segments.iter().find(|(start, end)| (*start..*end).contains(&frames_at)).map(|(_, end)| *end);
        let len = end.unwrap_or(frames_at) - frames_at;
        tables.frames = take(memory, tables.frames_at, len, left)?;
        let whole = entries(&tables.frames, endian);
        tables.cut |= whole.is_none() && tables.frames.len() as u64 == *left;
        tables.frames.truncate(whole.unwrap_or(tables.frames.len()));
        *left -= (tables.frames.len() as u64).min(*left);
        Ok(Some(tables))
    }
}

fn take(memory: Memory<'_>, address: Address, len: u64, left: &u64) -> Result<Vec<u8>> {
    memory.bytes(address, usize::try_from(len.min(*left)).unwrap_or(0))
}

/// The length of the entries up to the zero that ends them; `None` where there is no end.
fn entries(bytes: &[u8], endian: scroll::Endian) -> Option<usize> {
    use scroll::Pread;
    let mut at = 0_usize;
    loop {
        let len = match bytes.pread_with::<u32>(at, endian).ok()? {
            0 => return at.checked_add(4),
            // 64-bit DWARF: the length follows in eight bytes.
            u32::MAX => bytes.pread_with::<u64>(at + 4, endian).ok()?.checked_add(12)?,
            len => u64::from(len) + 4,
        };
        at = at.checked_add(usize::try_from(len).ok()?)?;
    }
}

/// The tables of one image.
pub(super) struct Tables {
    header_at: Address,
    header: Vec<u8>,
    frames_at: Address,
    frames: Vec<u8>,
    width: u8,
    /// Whether the budget ran out.
    cut: bool,
}

impl Tables {
    /// Whether the budget was too small for them.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Names, places and bytes.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, Address, &[u8])> {
        [
            (".eh_frame_hdr", self.header_at, self.header.as_slice()),
            (".eh_frame", self.frames_at, self.frames.as_slice()),
        ]
        .into_iter()
    }

    fn bases(&self) -> BaseAddresses {
        BaseAddresses::default().set_eh_frame_hdr(self.header_at.0).set_eh_frame(self.frames_at.0)
    }

    /// What the header says of where `.eh_frame` is.
    fn pointer(&self, endian: scroll::Endian) -> Option<u64> {
        let header = EhFrameHdr::new(&self.header, order(endian)).parse(&self.bases(), self.width).ok()?;
        header.eh_frame_ptr().direct().ok()
    }

    /// Finds the caller of the frame of `walker`.
    pub fn walk(&self, work: &Work, machine: &Machine, walker: &mut dyn FrameWalker) -> Option<()> {
        let (bases, order, cpu) = (self.bases(), order(machine.endian), machine.system.cpu);
        let header = EhFrameHdr::new(&self.header, order).parse(&bases, self.width).ok()?;
        let mut section = EhFrame::new(&self.frames, order);
        section.set_address_size(self.width);
        let address = walker.get_instruction();
        // Not `fde_for_address`, which takes it for granted that entries lie behind the section's start.
        let place = header.table()?.lookup(address, &bases).ok()?.direct().ok()?.checked_sub(self.frames_at.0)?;
        let place = EhFrameOffset(usize::try_from(place).ok()?);
        let entry = section.fde_from_offset(&bases, place, EhFrame::cie_from_offset).ok()?;
        if !entry.contains(address) || entry.entry_len() > ENTRY || entry.cie().entry_len() > ENTRY {
            return None;
        }
        work.spend(entry.entry_len() + entry.cie().entry_len())?;
        let mut context = UnwindContext::new();
        let row = entry.unwind_info_for_address(&section, &bases, &mut context, address).ok()?;
        let rules = Rules { section: &section, encoding: entry.cie().encoding(), cpu, width: self.width };
        let frame = rules.frame(row.cfa(), walker)?;
        let mut callers = Vec::new();
        let mut back = Some(walker.get_callee_register(name(cpu, entry.cie().return_address_register())?));
        for (register, rule) in row.registers() {
            let value = rules.value(rule, *register, frame, walker);
            if *register == entry.cie().return_address_register() {
                back = Some(value).filter(|_| !matches!(rule, RegisterRule::Undefined));
            } else if let Some(name) = name(cpu, *register) {
                callers.push((name, value));
            }
        }
        for (name, value) in callers {
            match value {
                Some(value) => walker.set_caller_register(name, value).unwrap_or(()),
                None => walker.clear_caller_register(name),
            }
        }
        walker.set_cfa(frame)?;
        // A return address that is undefined ends the stack, as 0 does for the unwinder.
        walker.set_ra(back.unwrap_or(Some(0))?)
    }
}

fn order(endian: scroll::Endian) -> RunTimeEndian {
    if endian == scroll::LE { RunTimeEndian::Little } else { RunTimeEndian::Big }
}

/// Evaluates rules.
struct Rules<'s, 'a> {
    section: &'s EhFrame<Slice<'a>>,
    encoding: gimli::Encoding,
    cpu: Cpu,
    width: u8,
}

impl Rules<'_, '_> {
    /// The canonical frame address: the stack pointer before the call.
    fn frame(&self, rule: &CfaRule<usize>, walker: &dyn FrameWalker) -> Option<u64> {
        match rule {
            CfaRule::RegisterAndOffset { register, offset } => {
                Some(self.cut(walker.get_callee_register(name(self.cpu, *register)?)?.wrapping_add_signed(*offset)))
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None, walker),
        }
    }

    /// The caller's value of a register.
    fn value(
        &self,
        rule: &RegisterRule<usize>,
        register: Register,
        frame: u64,
        walker: &dyn FrameWalker,
    ) -> Option<u64> {
        let at = |offset: i64| self.cut(frame.wrapping_add_signed(offset));
        match rule {
            RegisterRule::SameValue => walker.get_callee_register(name(self.cpu, register)?),
            RegisterRule::Offset(offset) => walker.get_register_at_address(at(*offset)),
            RegisterRule::ValOffset(offset) => Some(at(*offset)),
            RegisterRule::Register(other) => walker.get_callee_register(name(self.cpu, *other)?),
            RegisterRule::Expression(expression) => {
                walker.get_register_at_address(self.evaluate(expression, Some(frame), walker)?)
            }
            RegisterRule::ValExpression(expression) => self.evaluate(expression, Some(frame), walker),
            _ => None,
        }
    }

    /// An expression's value; it begins with the frame address on its stack where that is known.
    fn evaluate(
        &self,
        expression: &UnwindExpression<usize>,
        frame: Option<u64>,
        walker: &dyn FrameWalker,
    ) -> Option<u64> {
        let mut evaluation = expression.get(self.section).ok()?.evaluation(self.encoding);
        evaluation.set_max_iterations(STEPS);
        if let Some(frame) = frame {
            evaluation.set_initial_value(frame);
        }
        let mut state = evaluation.evaluate().ok()?;
        loop {
            let value = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = walker.get_callee_register(name(self.cpu, register)?)?;
                    state = evaluation.resume_with_register(Value::Generic(value)).ok()?;
                    continue;
                }
                // Words are read; nothing that compilers write for unwinding reads less.
                EvaluationResult::RequiresMemory { address, size, .. } if size == self.width => {
                    walker.get_register_at_address(address)?
                }
                _ => return None,
            };
            state = evaluation.resume_with_memory(Value::Generic(value)).ok()?;
        }
        match evaluation.result().first()?.location {
            Location::Address { address } => Some(self.cut(address)),
            _ => None,
        }
    }

    /// An address of the dumped process.
    fn cut(&self, address: u64) -> u64 {
        if self.width == 4 { address & 0xffff_ffff } else { address }
    }
}

/// What the unwinder calls the register with DWARF's number (System V ABIs of x86-64 and i386, DWARF for Arm 64).
fn name(cpu: Cpu, register: Register) -> Option<&'static str> {
    let names: &[&str] = match cpu {
        Cpu::X86_64 => &[
            "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15", "rip",
        ],
        Cpu::X86 => &["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip"],
        Cpu::Arm64 => &[
            "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
            "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "fp", "lr",
            "sp",
        ],
        _ => &[],
    };
    names.get(usize::from(register.0)).copied()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Frame, STACK};
    use super::*;

    const HEADER: u64 = 0x40_0000;
    const FRAMES: u64 = 0x40_0100;
    /// The one function, 0x40 bytes long.
    const CODE: u64 = 0x40_1000;

    /// An entry: its length, and padding that does nothing.
    fn entry(mut content: Vec<u8>) -> Vec<u8> {
        content.resize(content.len().next_multiple_of(4), 0);
        let mut entry = (content.len() as u32).to_le_bytes().to_vec();
        entry.extend(content);
        entry
    }

    /// Tables with one function, whose rules at its second instruction are `rules`.
    fn tables(rules: &[u8]) -> Tables {
        let distance = |to: u64, from: u64| (to as u32).wrapping_sub(from as u32).to_le_bytes();
        // Version 1, "zR", factors 1 and -8, return address in 16, pointers relative to themselves in four bytes; at first
        // the frame address is rsp + 8 and the return address is 8 below it.
        let common = b"\0\0\0\0\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01";
        let mut frames = entry(common.to_vec());
        let at = frames.len() as u64;
        let mut function = (at as u32 + 4).to_le_bytes().to_vec();
        function.extend(distance(CODE, FRAMES + at + 8));
        function.extend(0x40_u32.to_le_bytes());
        function.extend([0, 0x41]);
        function.extend(rules);
        frames.extend(entry(function));
        frames.extend([0; 4]);
        // Version 1; the pointer as above, the number of entries in four bytes, the entries relative to the header.
        let mut header = vec![1, 0x1b, 0x03, 0x3b];
        header.extend(distance(FRAMES, HEADER + 4));
        header.extend(1_u32.to_le_bytes());
        header.extend(distance(CODE, HEADER));
        header.extend(distance(FRAMES + at, HEADER));
        let (header_at, frames_at) = (Address(HEADER), Address(FRAMES));
        Tables { header_at, header, frames_at, frames, width: 8, cut: false }
    }

    fn walk(rules: &[u8], into: u64) -> Option<[Option<u64>; 3]> {
        let mut frame = Frame::new(CODE + into, &[0xaa, 0xbb, 0xcc], &[("rsp", STACK), ("rbp", 7), ("rip", CODE)]);
        tables(rules).walk(&Work::new(1 << 20), &Machine::of_core(Cpu::X86_64), &mut frame)?;
        Some(["rip", "rsp", "rbp"].map(|name| frame.caller(name)))
    }

    /// `push rbp`: the frame address is 16 above rsp, rbp is 16 below it.
    const PUSHED: &[u8] = &[0x0e, 16, 0x86, 2];

    #[test]
    fn rules_hold_from_their_instruction_on() {
        assert_eq!(walk(PUSHED, 0), Some([Some(0xaa), Some(STACK + 8), None]));
        assert_eq!(walk(PUSHED, 1), Some([Some(0xbb), Some(STACK + 16), Some(0xaa)]));
        assert_eq!(walk(PUSHED, 0x40), None, "behind the function");
    }

    #[test]
    fn a_return_address_that_is_undefined_ends_the_stack() {
        assert_eq!(walk(&[0x07, 16], 1), Some([Some(0), Some(STACK + 8), None]));
    }

    #[test]
    fn expressions_are_evaluated_and_end() {
        // The frame address is what stands at rsp + 8, plus 1.
        assert_eq!(walk(&[0x0f, 5, 0x77, 8, 0x06, 0x23, 1], 1), None, "0xbb + 1 - 8 is no place on the stack");
        // The frame address is rsp + 24.
        assert_eq!(walk(&[0x0f, 2, 0x77, 24], 1), Some([Some(0xcc), Some(STACK + 24), None]));
        // rsp, then three bytes back, for ever.
        assert_eq!(walk(&[0x0f, 5, 0x77, 0, 0x2f, 0xfd, 0xff], 1), None);
    }

    #[test]
    fn whatever_the_bytes_are_the_walk_ends() {
        let whole = tables(PUSHED);
        let walked = |tables: &Tables| {
            let mut frame = Frame::new(CODE + 1, &[0xaa, 0xbb, 0xcc], &[("rsp", STACK), ("rbp", 7)]);
            tables.walk(&Work::new(1 << 20), &Machine::of_core(Cpu::X86_64), &mut frame)
        };
        for at in 0..whole.frames.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut frames = whole.frames.clone();
                frames[at] = value;
                let _ = entries(&frames, scroll::LE);
                walked(&Tables { frames, header: whole.header.clone(), ..tables(PUSHED) });
            }
        }
        for at in 0..whole.header.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut header = whole.header.clone();
                header[at] = value;
                walked(&Tables { header, frames: whole.frames.clone(), ..tables(PUSHED) });
            }
        }
    }

    #[test]
    fn entries_end_at_a_zero() {
        let frames = tables(PUSHED).frames;
        let mut longer = frames.clone();
        longer.extend([9; 100]);
        assert_eq!(entries(&longer, scroll::LE), Some(frames.len()));
        assert_eq!(entries(&frames[..frames.len() - 4], scroll::LE), None);
    }
}
