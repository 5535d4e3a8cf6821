//! Stack traces of every thread of a dump, so that those before and after a redaction can be compared.
//!
//! A redacted dump must still show what it was kept for: who called whom in every thread. [`stacks`] unwinds all threads
//! with what the dump itself has, and [`compare`] names the first frame that is not what it was. Nothing is read but the
//! dump: symbols and the programs' own files are on some other machine, and a path in a dump is not one to follow.
//!
//! Unwinding is that of the `minidump-unwind` crate. It asks for registers, for a thread's stack as one run of bytes, and
//! for a list of modules; all three come from the [`DumpMap`], so ELF cores are walked as minidumps are, and a dump of
//! many gigabytes costs one stack at a time.
//!
//! | file | does |
//! |---|---|
//! | `machine`, `registers` | which processor and system; a thread's registers as the unwinder wants them |
//! | `memory` | a thread's stack, within a budget |
//! | `walk` | one thread, frame by frame |
//! | `tables`, `elf`, `pe` | the unwind tables that the dump has of its modules |
//! | `compare` | two dumps' traces |

mod compare;
mod elf;
mod machine;
mod memory;
mod pe;
mod registers;
mod tables;
#[cfg(test)]
mod testing;
mod walk;

use std::fmt;

use serde::Serialize;

use crate::dump::{DumpMap, Module, Thread};
use crate::error::Result;
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::Address;

pub use compare::{Comparison, Difference, compare};
pub use tables::Table;

use machine::Machine;
use memory::Stack;
use tables::{Memory, Tables};
use walk::{Stop, Walker};

/// How much is unwound at most. What does not fit is told in [`Stack::end`](ThreadStack::end), never left out in silence.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Frames of one thread.
    pub frames: usize,
    /// Frames of all threads.
    pub frames_in_all: usize,
    /// Bytes of one stack, from the stack pointer up.
    pub stack: u64,
    /// Bytes of all stacks.
    pub stacks: u64,
    /// Bytes of all unwind tables, which are held in memory while threads are walked.
    pub tables: u64,
    /// Bytes of tables and of code that are worked through to walk by tables, some hundred for a frame.
    pub table_work: u64,
}

impl Default for Bounds {
    /// A frame takes 24 bytes here and about 2 KiB while its thread is walked, and has at least 8 bytes of stack.
    fn default() -> Self {
        Self {
            frames: 1024,
            frames_in_all: 1 << 20,
            stack: 1 << 20,
            stacks: 256 << 20,
            tables: 128 << 20,
            table_work: 1 << 30,
        }
    }
}

/// The traces of a dump's threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stacks {
    /// Every thread of the map, in its order.
    pub threads: Vec<ThreadStack>,
    /// The modules that frames lie in, in the map's order.
    pub modules: Vec<ModuleName>,
    /// The unwind tables that the dump has of them.
    pub tables: Vec<Table>,
    /// Modules whose tables were left out, neither hashed nor used, because [`Bounds::tables`] was spent.
    pub tables_left_out: usize,
    /// Whether [`Bounds::table_work`] was spent: the frames from there on were found without tables.
    pub table_work_spent: bool,
}

/// One thread's trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadStack {
    /// The system's id for the thread.
    pub id: u64,
    /// The frames, innermost first.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: End,
}

impl ThreadStack {
    /// Whether the trace shows a caller: with the innermost frame alone nothing was unwound.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.frames.len() >= 2
    }
}

/// One frame of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The instruction: of the innermost frame the next one, of a caller the last byte of its call.
    pub address: Address,
    /// The module it lies in, as its place in [`Stacks::modules`].
    pub module: Option<u32>,
    /// How it was found.
    pub trust: Trust,
}

/// A module's name and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleName {
    /// The path that the dump gives.
    pub name: String,
    /// Address of its first byte.
    pub base: Address,
}

/// How a frame was found, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The registers that the dump saved.
    Context,
    /// An unwind table.
    Table,
    /// The frame pointer.
    FramePointer,
    /// A word on the stack that points behind a call, perhaps.
    Scan,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Context => "registers",
            Self::Table => "unwind table",
            Self::FramePointer => "frame pointer",
            Self::Scan => "stack scan",
        })
    }
}

/// Why a trace goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// No further caller was found.
    Done,
    /// [`Bounds::frames`] or [`Bounds::frames_in_all`] is reached.
    Frames,
    /// The stack was cut at [`Bounds::stack`], and what was cut off may have had more.
    StackCut,
    /// [`Bounds::stacks`] was spent by the threads before.
    StacksSpent,
    /// The unwinder met something that it was not made for.
    Failure,
    /// The dump has no memory at the stack pointer.
    NoStack,
    /// The dump has no registers of the thread, or none that fit its processor.
    NoRegisters,
    /// The dump does not say for which processor it is, or it is one that no unwinder here knows.
    NoUnwinder,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "no further caller was found",
            Self::Frames => "the limit of frames is reached",
            Self::StackCut => "the stack is longer than the limit",
            Self::StacksSpent => "the budget for stacks is spent",
            Self::Failure => "the unwinder failed",
            Self::NoStack => "the dump has no memory at the stack pointer",
            Self::NoRegisters => "the dump has no registers of the thread",
            Self::NoUnwinder => "there is no unwinder for the processor",
        })
    }
}

/// Unwinds every thread of `image`, which `map` describes.
///
/// # Errors
/// When the image cannot be read.
pub fn stacks(image: &Image, map: &DumpMap, bounds: &Bounds) -> Result<Stacks> {
    let name = |module: &Module| ModuleName { name: module.name.clone(), base: module.base };
    let mut stacks = Stacks {
        threads: Vec::new(),
        modules: map.modules.iter().map(name).collect(),
        tables: Vec::new(),
        tables_left_out: 0,
        table_work_spent: false,
    };
    let Some(machine) = machine::of(image, map)? else {
        let unknown = |thread: &Thread| ThreadStack { id: thread.id, frames: Vec::new(), end: End::NoUnwinder };
        stacks.threads = map.threads.iter().map(unknown).collect();
        return Ok(stacks);
    };
    let space = AddressSpace::new(&map.regions);
    let tables = Tables::new(Memory { image, space: &space }, map, &machine, bounds)?;
    let walker = Walker::new(map);
    let mut unwinder = Unwinder { image, map, machine, space: &space, tables, walker, bounds: *bounds };
    for thread in &map.threads {
        let (frames, end) = unwinder.trace(thread)?;
        stacks.threads.push(ThreadStack { id: thread.id, frames, end });
    }
    stacks.table_work_spent = unwinder.tables.work.is_spent();
    (stacks.tables, stacks.tables_left_out) = (unwinder.tables.found, unwinder.tables.left_out);
    Ok(stacks)
}

/// What is needed to unwind one thread after the other.
struct Unwinder<'a> {
    image: &'a Image,
    map: &'a DumpMap,
    machine: Machine,
    space: &'a AddressSpace,
    tables: Tables<'a>,
    walker: Walker,
    /// What is left of it.
    bounds: Bounds,
}

impl Unwinder<'_> {
    fn trace(&mut self, thread: &Thread) -> Result<(Vec<Frame>, End)> {
        let Some(context) = registers::read(self.image, self.map, &self.machine, thread)? else {
            return Ok((Vec::new(), End::NoRegisters));
        };
        let sp = Address(context.get_stack_pointer());
        let most = self.bounds.stack.min(self.bounds.stacks);
        let stack = Stack::read(self.image, self.space, thread, sp, most)?;
        self.bounds.stacks -= stack.as_ref().map_or(0, Stack::len).min(self.bounds.stacks);
        let frames = self.bounds.frames.min(self.bounds.frames_in_all);
        let (frames, stop) = self.walker.walk((&self.machine, &self.tables), context, stack.as_ref(), frames);
        self.bounds.frames_in_all -= frames.len().min(self.bounds.frames_in_all);
        let end = match &stack {
            _ if stop == Stop::Enough => End::Frames,
            _ if stop == Stop::Failure => End::Failure,
            None => End::NoStack,
            Some(stack) if stack.cut && most < self.bounds.stack => End::StacksSpent,
            Some(stack) if stack.cut => End::StackCut,
            Some(_) => End::Done,
        };
        Ok((frames, end))
    }
}

impl Stacks {
    /// The module that a frame lies in.
    #[must_use]
    pub fn module_of(&self, frame: &Frame) -> Option<&ModuleName> {
        self.modules.get(usize::try_from(frame.module?).ok()?)
    }

    /// A frame in words, e.g. `libc.so.6+0x2724a (stack scan)`.
    #[must_use]
    pub fn words(&self, frame: Option<&Frame>) -> String {
        let Some(frame) = frame else { return "no frame".to_owned() };
        match self.module_of(frame) {
            Some(module) => {
                let name = module.name.rsplit(['/', '\\']).next().unwrap_or(&module.name);
                let offset = frame.address.0.saturating_sub(module.base.0);
                format!("{name}+{offset:#x} ({})", frame.trust)
            }
            None => format!("{} ({})", frame.address, frame.trust),
        }
    }
}
