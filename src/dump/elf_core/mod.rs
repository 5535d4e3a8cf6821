//! ELF cores: Linux kernels and gdb's `gcore`, FreeBSD, NetBSD, OpenBSD, and vmcores of physical memory.
//!
//! A core is a header, program headers, and what they point at: `PT_LOAD` segments are memory, `PT_NOTE` segments are
//! everything else, and notes may stand at the end of the file. Nothing says "this is a stack": it follows from the stack
//! pointers, from the names of mapped files (NT_FILE), and from what the kernel told the process when it began (NT_AUXV).
//!
//! Headers are read with `goblin`, one at a time: its reader of whole files also wants section headers, which truncated
//! cores do not have, and it does not know of cores with more than 65,535 segments. Layouts of notes are those of Linux's
//! `include/uapi/linux/elfcore.h`, `elf.h`, and `arch/*/include/uapi/asm/ptrace.h`, and of the BSDs' `sys/procfs.h`,
//! `sys/exec_elf.h` and `machine/reg.h`.
//!
//! | file | reads |
//! |---|---|
//! | `header` | ELF header, program and section headers |
//! | `segments` | which bytes are memory, of which address |
//! | `notes`, `kinds` | the notes one after the other; their names and classes |
//! | `threads`, `machine`, `bsd` | threads and registers |
//! | `files` | mapped files: modules |
//! | `auxv` | what the kernel told the process when it began |
//! | `places` | stacks, heap, thread control blocks |
//! | `stack_top` | argument and environment strings |
//! | `linker` | the dynamic linker's list of modules |
//! | `cursor` | numbers and strings, in the file and in memory |

mod auxv;
mod bsd;
mod cursor;
mod files;
mod header;
mod kinds;
mod linker;
mod machine;
mod notes;
mod places;
mod segments;
mod stack_top;
mod threads;

use goblin::container::Ctx;
use goblin::elf::program_header::ProgramHeader;

use crate::dump::loads::Load;
use crate::dump::{DumpMap, Format, build};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;
use crate::span::{FileOffset, Span};

use auxv::Auxv;
use cursor::Memory;
use files::Mapping;
use threads::ThreadPointer;

/// The map in the making.
type Builder<'a> = build::Builder<'a, Own>;

/// What was read of the core itself.
struct Own {
    /// Width and byte order of its numbers.
    context: Ctx,
    /// `e_machine`.
    machine: u16,
    /// Memory segments, sorted by address.
    loads: Vec<Load>,
    /// Mapped files, sorted by address.
    mappings: Vec<Mapping>,
    auxv: Auxv,
    /// Beside each of the map's threads, where its control block is.
    thread_pointers: Vec<Option<ThreadPointer>>,
    /// Whether a note says that it is the memory of a machine, not of a process.
    physical: bool,
}

/// A program header and where it stands.
struct Segment {
    at: FileOffset,
    header: ProgramHeader,
}

/// The ELF core format, of either width and byte order.
pub struct ElfCore;

impl Format for ElfCore {
    fn name(&self) -> &'static str {
        "ELF core"
    }

    fn probe(&self, head: &[u8]) -> bool {
        header::is_core(head)
    }

    fn map(&self, image: &Image, limits: &Limits) -> Result<DumpMap> {
        let head = image.bytes(0, 64)?;
        let context = header::context(&head);
        let own = Own {
            context,
            machine: 0,
            loads: Vec::new(),
            mappings: Vec::new(),
            auxv: Auxv::default(),
            thread_pointers: Vec::new(),
            physical: false,
        };
        let mut build = Builder::new(self.name(), image, limits, context.le, own);
        build.map.pointer_width = context.size();
        let segments = header::read(&mut build, &head)?;
        notes::read(&mut build, &segments)?;
        segments::read(&mut build, &segments);
        let memory = Memory::new(&build);
        // Ranges of addresses are painted from the general to the particular.
        files::modules(&mut build, &memory)?;
        places::read(&mut build);
        linker::read(&mut build, &memory)?;
        stack_top::read(&mut build, &memory)?;
        Ok(build.finish(limits))
    }
}

/// The part of `len` bytes from `into` on that `span` has.
fn part(span: Span, into: u64, len: u64) -> Span {
    Span::new(span.from().saturating_add(into), len).intersection(&span).unwrap_or(Span::new(span.end(), 0))
}
