//! LC_THREAD: a thread's registers, as pairs of flavor and count, each followed by the state in 32-bit units.

use goblin::mach::constants::cputype as cpu;
use scroll::Pread;

use super::Builder;
use crate::dump::{Class, Label, Registers, Thread};
use crate::span::{Address, Span};

/// Where instruction and stack pointer stand in one flavor of state, in bytes.
struct Layout {
    width: usize,
    ip: usize,
    sp: usize,
}

/// Reads one command: `bytes` is what of `span` was read.
pub(super) fn read(build: &mut Builder<'_>, span: Span, bytes: &[u8]) {
    let index = build.map.threads.len();
    let (endian, machine) = (build.reader.endian(), build.own.cpu);
    let mut registers = None;
    let mut frozen_from = span.from();
    let mut at = 8_usize;
    while let (Ok(flavor), Ok(count)) = (bytes.pread_with::<u32>(at, endian), bytes.pread_with::<u32>(at + 4, endian)) {
        let Some(end) = usize::try_from(count).ok().and_then(|n| n.checked_mul(4)?.checked_add(at + 8)) else { break };
        let Some(state) = bytes.get(at + 8..end) else {
            let expected = format!("{count} units of 4 bytes");
            build.reader.fault(
                span.from() + at as u64,
                "LC_THREAD",
                expected,
                format!("{} bytes", bytes.len() - at - 8),
            );
            break;
        };
        let place = Span::new(span.from() + at as u64 + 8, state.len() as u64);
        registers = registers.or_else(|| integers(machine, flavor, state, endian));
        if vectors(machine, flavor) {
            build.class(Span::between(frozen_from, place.from()), Class::Frozen);
            frozen_from = place.end();
        }
        at = end;
    }
    build.label(span, Label::Registers(index));
    build.class(Span::between(frozen_from, span.end()), Class::Frozen);
    // Cores of macOS do not name threads by an id: lldb counts them.
    let id = index as u64;
    build.map.threads.push(Thread { id, name: None, registers, context: Some(span), stack: None, crashed: false });
}

fn integers(machine: u32, flavor: u32, state: &[u8], endian: scroll::Endian) -> Option<Registers> {
    // x86_THREAD_STATE is a wrapper: flavor and count once more, then the state itself.
    if flavor == 7 && matches!(machine, cpu::CPU_TYPE_X86 | cpu::CPU_TYPE_X86_64) {
        let inner = state.pread_with::<u32>(0, endian).ok().filter(|&inner| inner != 7)?;
        return integers(machine, inner, state.get(8..)?, endian);
    }
    let layout = layout(machine, flavor)?;
    let number = |at: usize| match layout.width {
        8 => state.pread_with::<u64>(at, endian).ok(),
        _ => state.pread_with::<u32>(at, endian).ok().map(u64::from),
    };
    Some(Registers { ip: Address(number(layout.ip)?), sp: Address(number(layout.sp)?) })
}

/// `mach/i386/thread_status.h`, `mach/arm/thread_status.h`.
fn layout(machine: u32, flavor: u32) -> Option<Layout> {
    match (machine, flavor) {
        // x86_THREAD_STATE64: rax, rbx, rcx, rdx, rdi, rsi, rbp, rsp (7th), r8..r15, rip (16th).
        (cpu::CPU_TYPE_X86_64, 4) => Some(Layout { width: 8, ip: 16 * 8, sp: 7 * 8 }),
        // x86_THREAD_STATE32: eax, ebx, ecx, edx, edi, esi, ebp, esp (7th), ss, eflags, eip.
        (cpu::CPU_TYPE_X86, 1) => Some(Layout { width: 4, ip: 10 * 4, sp: 7 * 4 }),
        // ARM_THREAD_STATE64: x0..x28, fp, lr, sp, pc.
        (cpu::CPU_TYPE_ARM64 | cpu::CPU_TYPE_ARM64_32, 6) => Some(Layout { width: 8, ip: 32 * 8, sp: 31 * 8 }),
        // ARM_THREAD_STATE: r0..r12, sp, lr, pc.
        (cpu::CPU_TYPE_ARM, 1) => Some(Layout { width: 4, ip: 15 * 4, sp: 13 * 4 }),
        _ => None,
    }
}

/// Whether the state is of floating point and vector registers, where keys are found and nothing is unwound from.
fn vectors(machine: u32, flavor: u32) -> bool {
    match machine {
        // x86_FLOAT_STATE32 and 64, AVX, AVX512.
        cpu::CPU_TYPE_X86 | cpu::CPU_TYPE_X86_64 => matches!(flavor, 2 | 5 | 16 | 17 | 19 | 20),
        // ARM_VFP_STATE, ARM_NEON_STATE and 64.
        _ => matches!(flavor, 2 | 16 | 17),
    }
}
