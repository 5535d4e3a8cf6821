//! Where registers stand in Linux's NT_PRSTATUS, by processor.
//!
//! `struct elf_prstatus` (`include/linux/elfcore.h`) is `elf_prstatus_common`, the registers (`elf_gregset_t`), and an
//! integer. The common part has pointer-sized members, so its size only depends on the width; the registers are those of
//! `arch/*/include/uapi/asm/ptrace.h` (x86: `asm/user_64.h`, `asm/user_32.h`; MIPS: `asm/reg.h`). The size of the whole
//! tells the ABIs of one processor apart, e.g. x86-64 and x32, which is 32 bits wide and has 64-bit registers.

use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};

/// LoongArch, which goblin does not name.
const EM_LOONGARCH: u16 = 258;

/// One processor's layout, in bytes.
#[derive(Debug)]
pub(super) struct Layout {
    pub machine: u16,
    /// The note's size.
    pub size: u64,
    /// From the note's start to the registers: 112, or 72 where longs have 32 bits.
    pub registers: usize,
    /// Width of a register.
    pub width: usize,
    /// From the first register to the instruction pointer, the stack pointer, and the thread pointer if it is among them.
    pub ip: usize,
    pub sp: usize,
    pub tp: Option<usize>,
}

/// `pr_cursig`: the signal, 16 bits, behind `struct elf_siginfo` of three integers.
pub(super) const SIGNAL: usize = 12;

/// `pr_pid`, 32 bits: behind the signal, padding and two longs.
pub(super) fn pid(wide: bool) -> usize {
    if wide { 32 } else { 24 }
}

/// The layout for a note of `size` bytes.
pub(super) fn layout(machine: u16, size: u64) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.machine == machine && layout.size == size)
}

/// The sizes that a processor's notes may have.
pub(super) fn sizes(machine: u16) -> Vec<u64> {
    LAYOUTS.iter().filter(|layout| layout.machine == machine).map(|layout| layout.size).collect()
}

const fn wide(machine: u16, size: u64, ip: usize, sp: usize, tp: Option<usize>) -> Layout {
    Layout { machine, size, registers: 112, width: 8, ip, sp, tp }
}

const fn narrow(machine: u16, size: u64, ip: usize, sp: usize, tp: Option<usize>) -> Layout {
    Layout { machine, size, registers: 72, width: 4, ip, sp, tp }
}

const LAYOUTS: &[Layout] = &[
    // r15..rax, orig_rax, rip (16th), cs, eflags, rsp (19th), ss, fs_base (21st).
    wide(EM_X86_64, 336, 16 * 8, 19 * 8, Some(21 * 8)),
    // x32.
    Layout { machine: EM_X86_64, size: 296, registers: 72, width: 8, ip: 16 * 8, sp: 19 * 8, tp: Some(21 * 8) },
    // ebx..orig_eax, eip (12th), cs, eflags, esp (15th). The thread pointer is behind gs: NT_386_TLS.
    narrow(EM_386, 144, 12 * 4, 15 * 4, None),
    // r0..r15. The thread pointer is in a coprocessor.
    narrow(EM_ARM, 148, 15 * 4, 13 * 4, None),
    // x0..x30, sp, pc. The thread pointer is a system register: NT_ARM_TLS.
    wide(EM_AARCH64, 392, 32 * 8, 31 * 8, None),
    // pc stands in the place of x0; sp is x2, tp x4.
    wide(EM_RISCV, 376, 0, 2 * 8, Some(4 * 8)),
    narrow(EM_RISCV, 204, 0, 2 * 4, Some(4 * 4)),
    // gpr0..31, nip; sp is r1, tp is r13 and in 32 bits r2.
    wide(EM_PPC64, 504, 32 * 8, 8, Some(13 * 8)),
    narrow(EM_PPC, 268, 32 * 4, 4, Some(2 * 4)),
    // PSW mask and address; r0..r15, of which r15 is sp; access registers, of which the first two are the thread pointer.
    wide(EM_S390, 336, 8, 16 + 15 * 8, Some(16 + 16 * 8)),
    // n64 and n32: r0..r31, lo, hi, epc; o32 has six words before them, and epc behind lo, hi, as the others. sp is r29.
    wide(EM_MIPS, 480, 34 * 8, 29 * 8, None),
    Layout { machine: EM_MIPS, size: 440, registers: 72, width: 8, ip: 34 * 8, sp: 29 * 8, tp: None },
    narrow(EM_MIPS, 256, 40 * 4, (6 + 29) * 4, None),
    // r0..r31, orig_a0, era; sp is r3, tp r2.
    wide(EM_LOONGARCH, 480, 33 * 8, 3 * 8, Some(2 * 8)),
];
