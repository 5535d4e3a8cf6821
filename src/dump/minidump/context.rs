//! Saved registers: what a processor reads out of them, and which bytes of them it cannot do without.
//!
//! XMM, YMM and floating point areas are free: AES round keys and pieces of private keys are found in them.

use minidump::{MinidumpContext, MinidumpRawContext, MinidumpStream as _, MinidumpSystemInfo};
use minidump_common::format::{MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_SYSTEM_INFO, ProcessorArchitecture as Arch};

use super::build::Builder;
use super::records;
use crate::dump::{Class, Label, Registers};
use crate::error::Result;
use crate::span::{Address, FileOffset, Span};

/// Bytes of a context that are read; the longest layout has 1,232.
const MOST: u64 = 4096;

/// Reads the context at `location`, labels it and classes it.
pub(super) fn read(
    build: &mut Builder<'_>,
    record_at: FileOffset,
    location: MINIDUMP_LOCATION_DESCRIPTOR,
    label: Label,
) -> Result<(Option<Span>, Option<Registers>)> {
    let (rva, len) = (u64::from(location.rva), u64::from(location.data_size));
    if len == 0 {
        return Ok((None, None));
    }
    let span = build.reader.clip("thread context", record_at.0, rva, len);
    build.label(span, label);
    let bytes = build.image().bytes(rva, usize::try_from(span.len.min(MOST)).unwrap_or(0))?;
    let Some(context) = parse(build, &bytes) else {
        let cpu = build.own.system.as_ref().map_or("unknown processor".to_owned(), |info| info.cpu.to_string());
        let found = format!("{} bytes that are none", span.len);
        build.reader.fault(rva, "thread context", format!("the registers of a {cpu}"), found);
        return Ok((Some(span), None));
    };
    mark(build, span, &context);
    let (ip, sp) = (context.get_instruction_pointer(), context.get_stack_pointer());
    Ok((Some(span), Some(Registers { ip: Address(ip), sp: Address(sp) })))
}

fn parse(build: &Builder<'_>, bytes: &[u8]) -> Option<MinidumpContext> {
    let endian = build.reader.endian();
    match &build.own.system {
        Some(system) => MinidumpContext::read(bytes, endian, system, None).ok(),
        // Without SystemInfo the flags inside the context tell which layout fits.
        None => GUESSES.iter().find_map(|&arch| MinidumpContext::read(bytes, endian, &system_with(arch)?, None).ok()),
    }
}

const GUESSES: &[Arch] = &[
    Arch::PROCESSOR_ARCHITECTURE_AMD64,
    Arch::PROCESSOR_ARCHITECTURE_INTEL,
    Arch::PROCESSOR_ARCHITECTURE_ARM64,
    Arch::PROCESSOR_ARCHITECTURE_ARM64_OLD,
    Arch::PROCESSOR_ARCHITECTURE_ARM,
];

/// A system of which only the processor is known.
fn system_with(arch: Arch) -> Option<MinidumpSystemInfo> {
    let mut bytes = (arch as u16).to_le_bytes().to_vec();
    bytes.resize(usize::try_from(records::size_of::<MINIDUMP_SYSTEM_INFO>()).ok()?, 0);
    MinidumpSystemInfo::read(&bytes, &[], scroll::LE, None).ok()
}

fn mark(build: &mut Builder<'_>, span: Span, context: &MinidumpContext) {
    let parts = parts(&context.raw);
    for (ranges, class) in [(parts.keep, Class::Keep), (parts.frozen, Class::Frozen)] {
        for (from, to) in ranges {
            let part = Span::between(span.from() + from, span.from() + to);
            if let Some(part) = part.intersection(&span) {
                build.class(part, class);
            }
        }
    }
}

/// Byte ranges inside a context, as first byte and end.
type Ranges = &'static [(u64, u64)];

/// The ranges that are not free.
struct Parts {
    /// What every unwinder starts from: flags, instruction, stack and frame pointer, link register.
    frozen: Ranges,
    /// The other integer registers: unwind rules may use them, and a secret may lie across them.
    keep: Ranges,
}

/// The layouts are those of `CONTEXT` in winnt.h for each processor, and Breakpad's of the ones that Windows never had.
fn parts(context: &MinidumpRawContext) -> Parts {
    let (frozen, keep): (Ranges, Ranges) = match context {
        // Flags and segments; rsp, rbp; rip. Between them rax..rbx and rsi..r15.
        MinidumpRawContext::Amd64(_) => (&[(0x30, 0x48), (0x98, 0xa8), (0xf8, 0x100)], &[(0x78, 0x98), (0xa8, 0xf8)]),
        // Flags; ebp, eip, cs, eflags, esp, ss. Before them segments and edi..eax.
        MinidumpRawContext::X86(_) => (&[(0, 4), (0xb4, 0xcc)], &[(0x8c, 0xb4)]),
        // Flags; r7 (the frame pointer of Thumb code); r11..r15, cpsr.
        MinidumpRawContext::Arm(_) => (&[(0, 4), (0x20, 0x24), (0x30, 0x48)], &[(4, 0x20), (0x24, 0x30)]),
        // Flags, cpsr; x29 (fp), x30 (lr), sp, pc.
        MinidumpRawContext::Arm64(_) => (&[(0, 8), (0xf0, 0x110)], &[(8, 0xf0)]),
        // Flags; x29, x30, sp, pc, cpsr.
        MinidumpRawContext::OldArm64(_) => (&[(0, 8), (0xf0, 0x114)], &[(8, 0xf0)]),
        // No fixed frame pointer: everything before the floating point area.
        MinidumpRawContext::Ppc(_) => (&[(0, 164)], &[]),
        MinidumpRawContext::Ppc64(_) => (&[(0, 320)], &[]),
        MinidumpRawContext::Mips(_) => (&[(0, 336)], &[]),
        MinidumpRawContext::Sparc(_) => (&[(0, 312)], &[]),
    };
    Parts { frozen, keep }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, cpu, faults, kind, label, thread};
    use super::*;
    use crate::dump::DumpMap;

    /// The map of one thread whose context has `len` bytes and these numbers at these places, and where the context is.
    fn with(processor: Option<u64>, len: usize, values: &[(usize, u64, usize)]) -> (DumpMap, u64) {
        let mut file = File::new(2);
        let mut context = vec![0x5a; len];
        for &(at, value, size) in values {
            context[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
        let at = file.put(&context);
        if let Some(processor) = processor {
            file.system(processor, 2);
        }
        let mut numbers = vec![(1, 4)];
        numbers.extend(thread(7, 0, (0, 0, 0), (len as u64, at)));
        file.numbers(kind::THREADS, &numbers);
        (file.map(), at)
    }

    fn check(processor: Option<u64>, len: usize, values: &[(usize, u64, usize)], frozen: &[usize], free: &[usize]) {
        let (map, at) = with(processor, len, values);
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        let expected = Registers { ip: Address(0x1122_3344), sp: Address(0x5566_7788) };
        assert_eq!(map.threads[0].registers, Some(expected));
        assert!((0..len as u64).all(|i| label(&map, at + i) == "registers of thread 7"));
        for &i in frozen {
            assert_eq!(class(&map, at + i as u64), Class::Frozen, "byte {i:#x}");
        }
        for &i in free {
            assert_eq!(class(&map, at + i as u64), Class::Free, "byte {i:#x}");
        }
    }

    const IP: u64 = 0x1122_3344;
    const SP: u64 = 0x5566_7788;

    #[test]
    fn amd64_freezes_rip_rsp_rbp_and_frees_xmm() {
        let values = [(0x30, 0x10_000f, 4), (0xf8, IP, 8), (0x98, SP, 8)];
        check(Some(cpu::AMD64), 0x4d0, &values, &[0x30, 0x98, 0xa0, 0xf8, 0xff], &[0, 0x100, 0x1a0, 0x29f, 0x4cf]);
        // With an extended area (YMM) behind it.
        check(Some(cpu::AMD64), 0x57f, &values, &[0xf8], &[0x4d0, 0x57e]);
        let (map, at) = with(Some(cpu::AMD64), 0x4d0, &values);
        assert_eq!(class(&map, at + 0x78), Class::Keep, "rax");
    }

    #[test]
    fn x86_freezes_eip_esp_ebp_and_frees_xmm() {
        let values = [(0, 0x1_003f, 4), (0xb8, IP, 4), (0xc4, SP, 4)];
        check(Some(cpu::X86), 716, &values, &[0, 0xb4, 0xb8, 0xc4, 0xcb], &[0x1c, 0x8b, 0xcc, 715]);
    }

    #[test]
    fn arm_has_its_stack_pointer_in_r13() {
        let values = [(0, 0x4000_0006, 4), (4 + 15 * 4, IP, 4), (4 + 13 * 4, SP, 4)];
        check(Some(cpu::ARM), 368, &values, &[0, 0x20, 0x38, 0x40, 0x47], &[0x48, 367]);
    }

    #[test]
    fn both_layouts_of_arm64() {
        let values = [(0, 0x40_0007, 4), (0x108, IP, 8), (0x100, SP, 8)];
        check(Some(cpu::ARM64), 912, &values, &[0, 4, 0xf0, 0x100, 0x10f], &[0x110, 911]);
        let values = [(0, 0x8000_0007, 8), (0x108, IP, 8), (0x100, SP, 8)];
        check(Some(cpu::ARM64_OLD), 796, &values, &[0, 0xf0, 0x113], &[0x114, 795]);
    }

    #[test]
    fn without_system_info_the_flags_tell() {
        check(None, 0x4d0, &[(0x30, 0x10_000f, 4), (0xf8, IP, 8), (0x98, SP, 8)], &[0xf8], &[0x1a0]);
    }

    #[test]
    fn what_is_no_context_is_a_fault_and_free() {
        let (map, at) = with(Some(cpu::AMD64), 100, &[]);
        assert_eq!(faults(&map), ["thread context"]);
        assert_eq!(map.threads[0].registers, None);
        assert_eq!(label(&map, at), "registers of thread 7");
        assert_eq!(class(&map, at), Class::Free);
    }
}
