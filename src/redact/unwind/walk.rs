//! One thread, frame by frame.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Waker};

use async_trait::async_trait;
use minidump::{MinidumpContext, MinidumpMemory, MinidumpModule, MinidumpModuleList, UnifiedMemory};
use minidump_common::format::MINIDUMP_MEMORY_DESCRIPTOR;
use minidump_unwind::{
    CallStack, FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameTrust, FrameWalker, StackFrame,
    SymbolProvider, walk_stack,
};

use super::machine::Machine;
use super::memory::Stack;
use super::tables::Tables;
use super::{Frame, Trust};
use crate::dump::{DumpMap, Module};
use crate::span::Address;

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// No caller was found.
    End,
    /// There are more frames than wanted.
    Enough,
    /// The unwinder met something that it was not made for.
    Failure,
}

/// What the walk is left with when there are more frames than wanted. The unwinder has no limit of its own, a stack can be
/// made of frames of eight bytes, and each takes 2 KiB while it is walked.
struct Enough;

/// Walks threads of one dump.
pub(super) struct Walker {
    modules: MinidumpModuleList,
}

impl Walker {
    pub fn new(map: &DumpMap) -> Self {
        let modules = (0..).zip(&map.modules).map(|(index, module)| numbered(index, module)).collect();
        Self { modules: MinidumpModuleList::from_modules(modules) }
    }

    /// The frames, at most `most`, and how the walk ended.
    pub fn walk(
        &self,
        (machine, tables): (&Machine, &Tables<'_>),
        context: MinidumpContext,
        stack: Option<&Stack>,
        most: usize,
    ) -> (Vec<Frame>, Stop) {
        let known = Known { tables, machine };
        let memory = stack.map(|stack| memory(stack, machine.endian));
        let memory = memory.as_ref().map(UnifiedMemory::Memory);
        let mut calls = CallStack::with_context(context);
        let stop = {
            let count = |index: usize, _: &StackFrame| {
                if index >= most {
                    resume_unwind(Box::new(Enough))
                }
            };
            let mut walk = pin!(walk_stack(0, count, &mut calls, memory, &self.modules, &machine.system, &known));
            // Nothing that is awaited ever waits: one poll is the whole walk.
            let mut poll = || walk.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            match catch_unwind(AssertUnwindSafe(&mut poll)) {
                Ok(true) => Stop::End,
                Err(reason) if reason.is::<Enough>() => Stop::Enough,
                Ok(false) | Err(_) => Stop::Failure,
            }
        };
        calls.frames.truncate(most);
        (calls.frames.iter().map(frame).collect(), stop)
    }
}

fn memory(stack: &Stack, endian: scroll::Endian) -> MinidumpMemory<'_> {
    MinidumpMemory {
        desc: MINIDUMP_MEMORY_DESCRIPTOR::default(),
        base_address: stack.start.0,
        size: stack.len(),
        bytes: &stack.bytes,
        endian,
    }
}

/// A module that knows its place in the map: the unwinder hands out copies, and does not look at the checksum.
fn numbered(index: u32, module: &Module) -> MinidumpModule {
    let mut numbered = MinidumpModule::new(module.base.0, u32::try_from(module.size).unwrap_or(u32::MAX), &module.name);
    numbered.raw.checksum = index;
    numbered
}

fn frame(frame: &StackFrame) -> Frame {
    let trust = match frame.trust {
        FrameTrust::Context | FrameTrust::PreWalked => Trust::Context,
        FrameTrust::CallFrameInfo => Trust::Table,
        FrameTrust::FramePointer => Trust::FramePointer,
        FrameTrust::Scan | FrameTrust::CfiScan | FrameTrust::None => Trust::Scan,
    };
    let module = frame.module.as_ref().map(|module| module.raw.checksum);
    Frame { address: Address(frame.instruction), module, trust }
}

/// What is known of modules: no names of functions, and the unwind tables that the dump has.
struct Known<'a> {
    tables: &'a Tables<'a>,
    machine: &'a Machine,
}

#[async_trait]
impl SymbolProvider for Known<'_> {
    async fn fill_symbol(
        &self,
        _: &(dyn minidump::Module + Sync),
        _: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        Err(FillSymbolError {})
    }

    async fn walk_frame(
        &self,
        module: &(dyn minidump::Module + Sync),
        walker: &mut (dyn FrameWalker + Send),
    ) -> Option<()> {
        self.tables.walk(module.base_address(), self.machine, walker)
    }

    async fn get_file_path(&self, _: &(dyn minidump::Module + Sync), _: FileKind) -> Result<PathBuf, FileError> {
        Err(FileError::NotFound)
    }
}
