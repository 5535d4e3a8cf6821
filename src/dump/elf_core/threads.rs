//! Threads and their registers. A thread begins with its NT_PRSTATUS; the register notes behind it are its own.

use goblin::elf::header::{EM_386, EM_MIPS, EM_S390, EM_X86_64};
use scroll::Pread;

use super::notes::Note;
use super::{Builder, cursor, machine, part};
use crate::dump::{Class, Label, Registers, Thread};
use crate::error::Result;
use crate::span::Address;

/// Bytes of a status note that are read; the longest layout has 504.
const MOST: u64 = 4096;

/// Where a thread's control block is.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadPointer(pub u64);

/// NT_PRSTATUS.
pub(super) fn status(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    let bytes = content(build, note, MOST)?;
    let context = build.own.context;
    let pid = bytes.pread_with::<u32>(machine::pid(context.is_big()), context.le).unwrap_or(0);
    let signal = bytes.pread_with::<u16>(machine::SIGNAL, context.le).unwrap_or(0);
    let (registers, pointer) = status_registers(build, note, &bytes);
    // The kernel writes the thread that crashed first, and the same signal for all. `gcore` writes what stopped a live
    // process for it: no signal, or one that ends no process with a core.
    let crashed = build.map.threads.is_empty() && name_of(build.own.machine, signal).is_some();
    if crashed {
        build.about("crash reason", signal_name(build.own.machine, signal));
    }
    add(build, note, u64::from(pid), registers, crashed);
    if let Some(last) = build.own.thread_pointers.last_mut() {
        *last = pointer;
    }
    Ok(())
}

/// Adds a thread whose registers are the content of `note`.
pub(super) fn add(build: &mut Builder<'_>, note: &Note, id: u64, registers: Option<Registers>, crashed: bool) {
    let index = build.map.threads.len();
    let context = Some(note.content);
    build.map.threads.push(Thread { id, name: None, registers, context, stack: None, crashed });
    build.own.thread_pointers.push(None);
    build.label(note.content, Label::Registers(index));
    build.class(note.content, Class::Frozen);
    rename(build, note, id);
}

fn rename(build: &mut Builder<'_>, note: &Note, id: u64) {
    if let Some(stream) = build.map.streams.get_mut(note.index) {
        stream.name = format!("{} of thread {id}", stream.name);
    }
}

fn status_registers(build: &mut Builder<'_>, note: &Note, bytes: &[u8]) -> (Option<Registers>, Option<ThreadPointer>) {
    let (number, endian) = (build.own.machine, build.reader.endian());
    let Some(layout) = machine::layout(number, bytes.len() as u64) else {
        let sizes = machine::sizes(number);
        if !sizes.is_empty() {
            let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
            let found = format!("{} bytes", note.content.len);
            build.reader.fault(note.whole.from(), "NT_PRSTATUS", format!("{} bytes", sizes.join(" or ")), found);
        }
        return (None, None);
    };
    let register = |into: usize| cursor::number(bytes, layout.registers + into, layout.width, endian);
    let registers = register(layout.ip).zip(register(layout.sp)).map(|(ip, sp)| {
        // A MIPS kernel keeps 32-bit registers sign-extended.
        let cut = |value: u64| if layout.registers == 72 { value & 0xffff_ffff } else { value };
        Registers { ip: Address(cut(ip)), sp: Address(cut(sp)) }
    });
    // Access registers have 32 bits: the two are one big-endian number of 64.
    let pointer = layout.tp.and_then(register).filter(|&tp| tp != 0).map(ThreadPointer);
    (registers, pointer)
}

/// A further register note of the thread that was begun last; `frozen` are the ranges that may not be edited.
pub(super) fn registers(build: &mut Builder<'_>, note: &Note, frozen: &[(u64, u64)]) {
    for &(from, to) in frozen {
        build.class(part(note.content, from, to - from), Class::Frozen);
    }
    if let Some((index, thread)) = build.map.threads.iter().enumerate().next_back() {
        let id = thread.id;
        build.label(note.content, Label::Registers(index));
        rename(build, note, id);
    }
}

/// NT_ARM_TLS: the thread pointer is its first number.
pub(super) fn pointer(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    let bytes = content(build, note, 16)?;
    set_pointer(build, cursor::word(&bytes, 0, build.own.context));
    registers(build, note, &[(0, u64::MAX)]);
    Ok(())
}

/// NT_386_TLS: up to three of `struct user_desc` (`asm/ldt.h`): number, base, limit, flags. The C library uses the first.
pub(super) fn descriptors(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    let bytes = content(build, note, 16)?;
    set_pointer(build, cursor::number(&bytes, 4, 4, build.reader.endian()));
    registers(build, note, &[(0, u64::MAX)]);
    Ok(())
}

fn set_pointer(build: &mut Builder<'_>, pointer: Option<u64>) {
    if let Some(last) = build.own.thread_pointers.last_mut() {
        *last = pointer.filter(|&pointer| pointer != 0).map(ThreadPointer).or(*last);
    }
}

/// NT_PRPSINFO (`struct elf_prpsinfo`): it ends in four ids, the program's name of 16 bytes, and 80 bytes of command line.
/// What stands before them differs: 16-bit user ids on i386 and ARM, 32-bit ones elsewhere.
pub(super) fn process(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    const ARGUMENTS: u64 = 80;
    const IDS: u64 = ARGUMENTS + 16 + 16;
    let len = note.content.len;
    let (Some(ids), Some(arguments)) = (len.checked_sub(IDS), len.checked_sub(ARGUMENTS)) else {
        let expected = format!("more than {IDS} bytes");
        build.reader.fault(note.whole.from(), "NT_PRPSINFO", expected, format!("{len} bytes"));
        return Ok(());
    };
    build.class(part(note.content, 0, arguments), Class::Frozen);
    build.label(part(note.content, arguments, ARGUMENTS), Label::CommandLine);
    if let Some(id) = build.reader.record::<u32>(part(note.content, ids, 4).from())? {
        build.about("process id", id.to_string());
    }
    Ok(())
}

/// NT_SIGINFO (`siginfo_t`): the signal, and for faults the address behind three integers.
pub(super) fn signal(build: &mut Builder<'_>, note: &Note) -> Result<()> {
    build.class(note.content, Class::Frozen);
    let bytes = content(build, note, 32)?;
    let signal = bytes.pread_with::<u32>(0, build.reader.endian()).unwrap_or(0);
    let at = if build.own.context.is_big() { 16 } else { 12 };
    // Faults: SIGILL, SIGTRAP, SIGBUS (10 on MIPS), SIGFPE, SIGSEGV. A positive code says that the processor raised it.
    // Code and error number stand in the other order on MIPS.
    let code = if build.own.machine == EM_MIPS { 4 } else { 8 };
    let raised = bytes.pread_with::<i32>(code, build.reader.endian()).is_ok_and(|code| code > 0);
    if matches!(signal, 4 | 5 | 7 | 8 | 10 | 11)
        && raised
        && let Some(address) = cursor::word(&bytes, at, build.own.context)
    {
        build.about("crash address", format!("{address:#x}"));
    }
    Ok(())
}

fn signal_name(machine: u16, signal: u16) -> String {
    name_of(machine, signal).map_or_else(|| format!("signal {signal}"), |name| format!("{name} ({signal})"))
}

/// Signals whose default is a core (signal(7)), with the numbers of Linux; MIPS has its own.
fn name_of(machine: u16, signal: u16) -> Option<&'static str> {
    let name = match (signal, machine == EM_MIPS) {
        (3, _) => "SIGQUIT",
        (4, _) => "SIGILL",
        (5, _) => "SIGTRAP",
        (6, _) => "SIGABRT",
        (8, _) => "SIGFPE",
        (11, _) => "SIGSEGV",
        (7, false) | (10, true) => "SIGBUS",
        (24, false) | (30, true) => "SIGXCPU",
        (25, false) | (31, true) => "SIGXFSZ",
        (31, false) | (12, true) => "SIGSYS",
        _ => return None,
    };
    Some(name)
}

/// The first bytes of a note's content.
pub(super) fn content(build: &Builder<'_>, note: &Note, most: u64) -> Result<Vec<u8>> {
    build.image().bytes(note.content.from(), usize::try_from(note.content.len.min(most)).unwrap_or(0))
}

/// The addresses of a thread's control block, which thread libraries of debuggers read.
///
/// The thread pointer points at the block's start on x86 and s390 (glibc: `tcbhead_t` is the first member of
/// `struct pthread`, 0x940 bytes on x86-64), and at its end elsewhere: there `struct pthread` lies before it, and on
/// PowerPC and MIPS another 0x7000 bytes before that, so that 16-bit offsets reach further.
pub(super) fn control_block(machine: u16, pointer: ThreadPointer) -> (Address, u64) {
    /// `struct pthread` of glibc 2.36 on x86-64, as `_thread_db_sizeof_pthread` in libc.so.6 tells libthread_db.
    const SIZE: u64 = 0x940;
    let ThreadPointer(at) = pointer;
    match machine {
        EM_386 | EM_X86_64 | EM_S390 => (Address(at), SIZE),
        goblin::elf::header::EM_PPC | goblin::elf::header::EM_PPC64 | EM_MIPS => {
            (Address(at.saturating_sub(0x7000 + SIZE)), SIZE)
        }
        // Two words of `tcbhead_t` follow.
        _ => (Address(at.saturating_sub(SIZE)), SIZE + 16),
    }
}
