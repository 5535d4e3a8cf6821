//! Threads and process notes of FreeBSD, NetBSD and OpenBSD.
//!
//! FreeBSD: `sys/procfs.h`. NetBSD: `struct netbsd_elfcore_procinfo` in `sys/exec_elf.h`. OpenBSD: `struct elfcore_procinfo`
//! there. Registers: `struct reg` in each system's `machine/reg.h`.

use goblin::elf::header::{EM_386, EM_AARCH64, EM_RISCV, EM_X86_64};
use scroll::Pread;

use super::Builder;
use super::cursor::number;
use super::kinds::Bsd;
use super::notes::Note;
use super::{part, threads};
use crate::dump::{Class, Label, Registers};
use crate::error::Result;
use crate::span::Address;

/// Reads one of their notes.
pub(super) fn read(build: &mut Builder<'_>, note: &Note, kind: Bsd) -> Result<()> {
    match kind {
        Bsd::FreeStatus => freebsd_thread(build, note),
        Bsd::FreeProcess => freebsd_process(build, note),
        Bsd::FreeThread => freebsd_name(build, note),
        // Both have the process id behind four sets of signals: 16 bytes each in NetBSD, 4 in OpenBSD.
        Bsd::NetProcess => process(build, note, 80),
        Bsd::OpenProcess => process(build, note, 32),
        Bsd::NetRegisters => thread(build, note, netbsd_registers(build.own.machine)),
        Bsd::OpenRegisters => thread(build, note, openbsd_registers(build.own.machine)),
    }
}

/// `prstatus_t`: version, three sizes, release, signal, thread id, registers.
fn freebsd_thread(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    let bytes = threads::content(build, note, 4096)?;
    let wide = build.own.context.is_big();
    let (signal_at, id_at, registers_at) = if wide { (36, 40, 48) } else { (20, 24, 28) };
    let endian = build.reader.endian();
    let word = |at: usize| bytes.pread_with::<u32>(at, endian).unwrap_or(0);
    let width = build.own.context.size();
    let registers = freebsd_registers(build.own.machine).and_then(|(ip, sp)| {
        let ip = number(&bytes, registers_at + ip, width, endian)?;
        Some(Registers { ip: Address(ip), sp: Address(number(&bytes, registers_at + sp, width, endian)?) })
    });
    let crashed = build.map.threads.is_empty() && word(signal_at) != 0;
    threads::add(build, note, u64::from(word(id_at)), registers, crashed);
    Ok(())
}

/// From `struct reg` to the instruction pointer and the stack pointer, in bytes.
fn freebsd_registers(machine: u16) -> Option<(usize, usize)> {
    match machine {
        // r15..rax, trapno, fs, gs, err, es, ds, rip, cs, rflags, rsp.
        EM_X86_64 => Some((136, 160)),
        // fs, es, ds, edi..eax, trapno, err, eip, cs, eflags, esp.
        EM_386 => Some((52, 64)),
        // x0..x29, lr, sp, elr.
        EM_AARCH64 => Some((256, 248)),
        // ra, sp, gp, tp, t0..t6, s0..s11, a0..a7, sepc.
        EM_RISCV => Some((248, 8)),
        _ => None,
    }
}

/// `prpsinfo_t`: version, size, name of 17 bytes, command line of 81, and from version 1 on the process id.
fn freebsd_process(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    let arguments = if build.own.context.is_big() { 16 + 17 } else { 8 + 17 };
    build.class(part(note.content, 0, arguments), Class::Frozen);
    build.label(part(note.content, arguments, 81), Label::CommandLine);
    let id = (arguments + 81).next_multiple_of(4);
    if note.content.len >= id + 4 {
        process(build, note, id)?;
    }
    Ok(())
}

/// `thrmisc_t`: the name of the thread that was begun last, 20 bytes at most.
fn freebsd_name(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    let bytes = threads::content(build, note, 20)?;
    let name = String::from_utf8_lossy(bytes.split(|&b| b == 0).next().unwrap_or_default()).into_owned();
    if let Some(thread) = build.map.threads.last_mut().filter(|_| !name.is_empty()) {
        thread.name = Some(name);
    }
    build.class(note.content, Class::Keep);
    Ok(())
}

/// A note that holds the process id at `at`.
fn process(build: &mut Builder<'_>, note: &Note, at: u64) -> Result<()> {
    if !note.owner.starts_with("FreeBSD") {
        build.class(note.content, Class::Frozen);
    }
    let id = part(note.content, at, 4);
    if let Some(id) = build.reader.record::<u32>(id.from())?.filter(|_| id.len == 4) {
        build.about("process id", id.to_string());
    }
    Ok(())
}

/// A note that is nothing but `struct reg` of the thread that its owner names.
fn thread(build: &mut Builder<'_>, note: &Note, layout: Option<(usize, usize)>) -> Result<()> {
    let bytes = threads::content(build, note, 4096)?;
    let (width, endian) = (build.own.context.size(), build.reader.endian());
    let registers = layout.and_then(|(ip, sp)| {
        let (ip, sp) = (number(&bytes, ip, width, endian)?, number(&bytes, sp, width, endian)?);
        Some(Registers { ip: Address(ip), sp: Address(sp) })
    });
    threads::add(build, note, note.thread().unwrap_or(0), registers, false);
    Ok(())
}

fn netbsd_registers(machine: u16) -> Option<(usize, usize)> {
    match machine {
        // rdi, rsi, rdx, rcx, r8..r15, rbp, rbx, rax, gs, fs, es, ds, trapno, err, rip (21st), cs, rflags, rsp (24th).
        EM_X86_64 => Some((21 * 8, 24 * 8)),
        // eax, ecx, edx, ebx, esp, ebp, esi, edi, eip.
        EM_386 => Some((8 * 4, 4 * 4)),
        // x0..x30, sp, pc.
        EM_AARCH64 => Some((32 * 8, 31 * 8)),
        _ => None,
    }
}

fn openbsd_registers(machine: u16) -> Option<(usize, usize)> {
    match machine {
        // rdi, rsi, rdx, rcx, r8..r15, rbp, rbx, rax, rsp (15th), rip.
        EM_X86_64 => Some((16 * 8, 15 * 8)),
        // eax, ecx, edx, ebx, esp, ebp, esi, edi, eip.
        EM_386 => Some((8 * 4, 4 * 4)),
        // x0..x29, lr, sp, pc.
        EM_AARCH64 => Some((32 * 8, 31 * 8)),
        _ => None,
    }
}
