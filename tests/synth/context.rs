//! Saved registers: the CONTEXT records of `winnt.h` for x86, x64 and ARM64, and Breakpad's for 32-bit ARM.

use super::bytes::{Order, Out};

/// The processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    X86,
    Amd64,
    Arm,
    Arm64,
}

/// What stands in the registers; all others are zero.
#[derive(Clone, Debug, Default)]
pub struct Registers {
    pub ip: u64,
    pub sp: u64,
    pub fp: u64,
    /// XMM0.. on x86 and x64, V0.. on ARM64; at most 16 (8 on x86).
    pub xmm: Vec<[u8; 16]>,
}

impl Cpu {
    /// Every processor.
    pub const ALL: [Self; 4] = [Self::X86, Self::Amd64, Self::Arm, Self::Arm64];

    /// PROCESSOR_ARCHITECTURE_*.
    pub fn architecture(self) -> u16 {
        match self {
            Self::X86 => 0,
            Self::Arm => 5,
            Self::Amd64 => 9,
            Self::Arm64 => 12,
        }
    }

    /// Width of a pointer in bytes.
    pub fn pointer_width(self) -> usize {
        if matches!(self, Self::X86 | Self::Arm) { 4 } else { 8 }
    }

    /// The CONTEXT record.
    pub fn context(self, order: Order, registers: &Registers) -> Vec<u8> {
        let mut out = Out::new(order);
        match self {
            Self::X86 => x86(&mut out, registers),
            Self::Amd64 => amd64(&mut out, registers),
            Self::Arm => arm(&mut out, registers),
            Self::Arm64 => arm64(&mut out, registers),
        }
        out.bytes
    }
}

fn vectors(out: &mut Out, registers: &Registers, most: usize) {
    registers.xmm.iter().take(most).for_each(|xmm| out.raw(xmm));
}

/// 716 bytes: Ebp at 0xb4, Eip at 0xb8, Esp at 0xc4, an FXSAVE area at 0xcc with XMM0 0xa0 into it.
fn x86(out: &mut Out, registers: &Registers) {
    out.u32(0x1_003f);
    out.until(0x8c);
    [0_u32, 0x3b, 0x23, 0x23].into_iter().for_each(|segment| out.u32(segment));
    out.until(0xb4);
    out.number(registers.fp, 4);
    out.number(registers.ip, 4);
    out.u32(0x1b);
    out.u32(0x246);
    out.number(registers.sp, 4);
    out.u32(0x23);
    out.until(0xcc + 0xa0);
    vectors(out, registers, 8);
    out.until(716);
}

/// 1232 bytes: Rsp at 0x98, Rbp at 0xa0, Rip at 0xf8, an FXSAVE area at 0x100 with XMM0 0xa0 into it.
fn amd64(out: &mut Out, registers: &Registers) {
    out.until(0x30);
    out.u32(0x10_001f);
    out.u32(0x1f80);
    [0x33_u16, 0x2b, 0x2b, 0x53, 0x2b, 0x2b].into_iter().for_each(|segment| out.u16(segment));
    out.u32(0x246);
    out.until(0x98);
    out.u64(registers.sp);
    out.u64(registers.fp);
    out.until(0xf8);
    out.u64(registers.ip);
    out.until(0x1a0);
    vectors(out, registers, 16);
    out.until(1232);
}

/// 368 bytes: flags, r0 to r15, cpsr, floating point.
fn arm(out: &mut Out, registers: &Registers) {
    out.u32(0x4000_0006);
    out.until(4 + 11 * 4);
    out.number(registers.fp, 4);
    out.until(4 + 13 * 4);
    out.number(registers.sp, 4);
    out.number(0, 4);
    out.number(registers.ip, 4);
    out.until(368);
}

/// 912 bytes: flags, cpsr, x0 to x28, fp, lr, sp, pc, V0 at 0x110.
fn arm64(out: &mut Out, registers: &Registers) {
    out.u32(0x40_0007);
    out.until(8 + 29 * 8);
    out.u64(registers.fp);
    out.u64(0);
    out.u64(registers.sp);
    out.u64(registers.ip);
    vectors(out, registers, 16);
    out.until(912);
}
