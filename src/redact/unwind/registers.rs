//! A thread's registers as the unwinder wants them.

use std::collections::HashSet;

use minidump::system_info::Cpu;
use minidump::{CpuContext, MinidumpContext, MinidumpContextValidity, MinidumpRawContext};
use minidump_common::format::{CONTEXT_AMD64, CONTEXT_ARM, CONTEXT_ARM64, CONTEXT_X86};
use scroll::Pread;

use super::machine::{Machine, Source};
use crate::dump::{DumpMap, Registers, Thread};
use crate::error::Result;
use crate::image::Image;

/// Bytes of saved registers that are read; the longest layout has 1,232.
const MOST: u64 = 4096;

/// The registers of `thread`, as many as its format's layout is known for.
pub(super) fn read(
    image: &Image,
    map: &DumpMap,
    machine: &Machine,
    thread: &Thread,
) -> Result<Option<MinidumpContext>> {
    let span = thread.context.unwrap_or(crate::span::Span::new(0, 0));
    let bytes = image.bytes(span.from(), usize::try_from(span.len.min(MOST)).unwrap_or(0))?;
    let whole = match &machine.source {
        Source::Minidump(system) => return Ok(MinidumpContext::read(&bytes, machine.endian, system, None).ok()),
        Source::Core => status(machine, &bytes),
        Source::Other => None,
    };
    Ok(whole.or_else(|| pointers(machine.system.cpu, map.pointer_width, thread.registers?)))
}

/// Where the registers begin in Linux's NT_PRSTATUS, and their names in its order; an empty name is one that no unwinder
/// asks for. See `dump::elf_core::machine` for where the layouts come from.
fn status(machine: &Machine, bytes: &[u8]) -> Option<MinidumpContext> {
    let words = |from: usize, width: usize| -> Vec<u64> {
        let word = |at: usize| match width {
            8 => bytes.pread_with::<u64>(at, machine.endian).ok(),
            _ => bytes.pread_with::<u32>(at, machine.endian).ok().map(u64::from),
        };
        (from..).step_by(width).map_while(word).collect()
    };
    let raw = match (machine.system.cpu, bytes.len()) {
        (Cpu::X86_64, 336) => MinidumpRawContext::Amd64(filled(X86_64, &words(112, 8))),
        (Cpu::X86, 144) => MinidumpRawContext::X86(filled(X86, &words(72, 4))),
        (Cpu::Arm64, 392) => MinidumpRawContext::Arm64(filled(ARM64, &words(112, 8))),
        (Cpu::Arm, 148) => MinidumpRawContext::Arm(filled(ARM, &words(72, 4))),
        _ => return None,
    };
    Some(MinidumpContext::from_raw(raw))
}

const X86_64: &[&str] = &[
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "", "rip",
    "", "", "rsp",
];
const X86: &[&str] = &["ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "", "", "", "", "", "eip", "", "", "esp"];
const ARM: &[&str] =
    &["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc"];
const ARM64: &[&str] = &[
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
    "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp", "pc",
];

fn filled<C: CpuContext + Default>(names: &[&str], values: &[u64]) -> C
where
    C::Register: TryFrom<u64>,
{
    let mut context = C::default();
    for (name, &value) in names.iter().zip(values).filter(|(name, _)| !name.is_empty()) {
        C::Register::try_from(value).ok().and_then(|value| context.set_register(name, value));
    }
    context
}

/// A context of which only the instruction and the stack pointer are known: enough to look for callers on the stack.
fn pointers(cpu: Cpu, width: usize, registers: Registers) -> Option<MinidumpContext> {
    let (ip, sp) = (registers.ip.0, registers.sp.0);
    // x32 has 64-bit registers and pointers of 32 bits, and is walked as neither.
    let (raw, names) = match (cpu, width) {
        (Cpu::X86_64, 8) => (MinidumpRawContext::Amd64(both::<CONTEXT_AMD64>(ip, sp)), ["rip", "rsp"]),
        (Cpu::X86, _) => (MinidumpRawContext::X86(both::<CONTEXT_X86>(ip, sp)), ["eip", "esp"]),
        (Cpu::Arm64, 8) => (MinidumpRawContext::Arm64(both::<CONTEXT_ARM64>(ip, sp)), ["pc", "sp"]),
        (Cpu::Arm, _) => (MinidumpRawContext::Arm(both::<CONTEXT_ARM>(ip, sp)), ["pc", "sp"]),
        _ => return None,
    };
    Some(MinidumpContext { raw, valid: MinidumpContextValidity::Some(HashSet::from(names)) })
}

fn both<C: CpuContext + Default>(ip: u64, sp: u64) -> C
where
    C::Register: TryFrom<u64>,
{
    let blank = C::default();
    filled(&[blank.instruction_pointer_register_name(), blank.stack_pointer_register_name()], &[ip, sp])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A status note whose n-th register holds `n + 1`.
    fn note(len: usize, from: usize, width: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        for (index, chunk) in bytes[from..].chunks_exact_mut(width).enumerate() {
            chunk.copy_from_slice(&(index as u64 + 1).to_le_bytes()[..width]);
        }
        bytes
    }

    #[test]
    fn every_register_of_a_status_note_stands_in_its_place() {
        let amd64 = status(&Machine::of_core(Cpu::X86_64), &note(336, 112, 8)).unwrap();
        let get = |context: &MinidumpContext, name: &str| context.get_register(name);
        assert_eq!(["r15", "rbp", "rbx", "rip", "rsp"].map(|name| get(&amd64, name)), [1, 5, 6, 17, 20].map(Some));
        let x86 = status(&Machine::of_core(Cpu::X86), &note(144, 72, 4)).unwrap();
        assert_eq!(["ebx", "ebp", "eip", "esp"].map(|name| get(&x86, name)), [1, 6, 13, 16].map(Some));
        let arm64 = status(&Machine::of_core(Cpu::Arm64), &note(392, 112, 8)).unwrap();
        assert_eq!(["x0", "fp", "lr", "sp", "pc"].map(|name| get(&arm64, name)), [1, 30, 31, 32, 33].map(Some));
        let arm = status(&Machine::of_core(Cpu::Arm), &note(148, 72, 4)).unwrap();
        assert_eq!(["r0", "fp", "sp", "lr", "pc"].map(|name| get(&arm, name)), [1, 12, 14, 15, 16].map(Some));
        assert!(status(&Machine::of_core(Cpu::X86_64), &note(296, 72, 8)).is_none(), "x32");
    }

    #[test]
    fn a_pair_of_pointers_is_a_context_of_two_registers() {
        let registers = Registers { ip: crate::span::Address(7), sp: crate::span::Address(8) };
        for cpu in [Cpu::X86_64, Cpu::X86, Cpu::Arm64, Cpu::Arm] {
            let width = if matches!(cpu, Cpu::X86 | Cpu::Arm) { 4 } else { 8 };
            let context = pointers(cpu, width, registers).unwrap();
            assert_eq!((context.get_instruction_pointer(), context.get_stack_pointer()), (7, 8));
            assert_eq!(context.valid_registers().count(), 2, "{cpu:?}");
        }
        assert!(pointers(Cpu::Mips, 4, registers).is_none());
    }
}
