//! Threads: names, registers, stacks, and which of them crashed.

use std::collections::{HashMap, HashSet};

use minidump_common::format::{
    MINIDUMP_EXCEPTION_STREAM, MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR, MINIDUMP_STREAM_TYPE as Kind,
    MINIDUMP_THREAD, MINIDUMP_THREAD_NAME,
};
use scroll::{Pread, SizeWith};

use super::build::Builder;
use super::{context, memory, records, strings, system};
use crate::dump::{Label, Registers, Thread};
use crate::error::Result;
use crate::memory::AddressSpace;
use crate::span::{Address, FileOffset, Span};

/// Where threads have their environment block (TEB): the thread's index and the address.
pub(super) type Tebs = Vec<(usize, Address)>;

/// A record of ThreadExListStream: a thread and the backing store that only Itanium had.
#[derive(Clone, Debug, Pread, SizeWith)]
struct ThreadEx {
    thread: MINIDUMP_THREAD,
    backing_store: MINIDUMP_MEMORY_DESCRIPTOR,
}

/// Reads every thread; the memory lists must have been read.
pub(super) fn read(build: &mut Builder<'_>) -> Result<Tebs> {
    let mut list = List { names: names(build)?, memory: build.space(), regions: HashSet::new(), tebs: Vec::new() };
    list.regions = build.map.regions.iter().map(|r| (r.span, r.address)).collect();
    for stream in build.of_kind(Kind::ThreadListStream) {
        let array = records::counted::<MINIDUMP_THREAD>(build, stream, "ThreadListStream")?;
        array.each(build, "threads", |build, at, thread| list.add(build, at, &thread))?;
    }
    for stream in build.of_kind(Kind::ThreadExListStream) {
        let array = records::counted::<ThreadEx>(build, stream, "ThreadExListStream")?;
        array.each(build, "threads", |build, at, record: ThreadEx| {
            list.add(build, at, &record.thread)?;
            list.add_region(build, at, &record.backing_store);
            Ok(())
        })?;
    }
    crashes(build)?;
    Ok(list.tebs)
}

fn names(build: &mut Builder<'_>) -> Result<HashMap<u32, String>> {
    let mut names = HashMap::new();
    for stream in build.of_kind(Kind::ThreadNamesStream) {
        let array = records::counted::<MINIDUMP_THREAD_NAME>(build, stream, "ThreadNamesStream")?;
        array.each(build, "thread names", |build, _, record: MINIDUMP_THREAD_NAME| {
            let name = strings::utf16(build, "thread name", record.thread_name_rva)?;
            strings::keep(build, &name, stream.label());
            if !name.text.is_empty() {
                names.insert(record.thread_id, name.text);
            }
            Ok(())
        })?;
    }
    Ok(names)
}

/// What is needed to add one thread after the other.
struct List {
    names: HashMap<u32, String>,
    /// The memory lists, for stacks that are given by address only.
    memory: AddressSpace,
    regions: HashSet<(Span, Option<Address>)>,
    tebs: Tebs,
}

impl List {
    fn add(&mut self, build: &mut Builder<'_>, at: FileOffset, record: &MINIDUMP_THREAD) -> Result<()> {
        let index = build.map.threads.len();
        let (context, registers) = context::read(build, at, record.thread_context, Label::Registers(index))?;
        let stack = self.stack(build, at, record, registers)?;
        if let Some((start, len)) = stack {
            build.memory_labels.paint(start, len, Label::Stack(index));
        }
        if record.teb != 0 {
            self.tebs.push((index, Address(record.teb)));
        }
        let name = self.names.get(&record.thread_id).cloned();
        let id = u64::from(record.thread_id);
        build.map.threads.push(Thread { id, name, registers, context, stack, crashed: false });
        Ok(())
    }

    /// The stack's addresses: those of the record, or else from the stack pointer to the end of the stack.
    fn stack(
        &mut self,
        build: &mut Builder<'_>,
        at: FileOffset,
        record: &MINIDUMP_THREAD,
        registers: Option<Registers>,
    ) -> Result<Option<(Address, u64)>> {
        let (start, len) = (Address(record.stack.start_of_memory_range), u64::from(record.stack.memory.data_size));
        if len == 0 {
            return self.stack_by_teb(build, record, registers);
        }
        self.add_region(build, at, &record.stack);
        Ok(Some((start, len)))
    }

    /// Adds the memory that a descriptor outside the memory lists gives.
    ///
    /// Windows sometimes writes a stack with RVA 0: then the memory lists hold it, under its address.
    fn add_region(&mut self, build: &mut Builder<'_>, at: FileOffset, descriptor: &MINIDUMP_MEMORY_DESCRIPTOR) {
        let MINIDUMP_LOCATION_DESCRIPTOR { data_size, rva } = descriptor.memory;
        let (start, len) = (Address(descriptor.start_of_memory_range), u64::from(data_size));
        if rva == 0 {
            if len > 0 && self.memory.offsets_of(start, 1).is_empty() {
                let expected = format!("{len} bytes of a stack at address {start}");
                build.reader.fault(at.0, "thread stack", expected, "no place in the file, and no memory there");
            }
            return;
        }
        let span = build.reader.clip("thread stack", at.0, u64::from(rva), len);
        // Most writers list stacks among the memory too.
        if self.regions.insert((span, Some(start))) {
            memory::add(build, span, start.0);
        }
    }

    /// `NT_TIB.StackBase`, the second pointer of a TEB, is where a Windows stack begins and its addresses end.
    fn stack_by_teb(
        &self,
        build: &Builder<'_>,
        record: &MINIDUMP_THREAD,
        registers: Option<Registers>,
    ) -> Result<Option<(Address, u64)>> {
        /// More than any stack that is reserved in earnest.
        const MOST: u64 = 1 << 30;
        let Some(Registers { sp, .. }) = registers.filter(|_| system::is_windows(build) && record.teb != 0) else {
            return Ok(None);
        };
        let width = build.map.pointer_width as u64;
        let base = super::process::pointer(build, &self.memory, Address(record.teb).plus(width), width)?;
        let len = base.and_then(|base| base.checked_sub(sp.0)).filter(|len| (1..MOST).contains(len));
        Ok(len.map(|len| (sp, len)))
    }
}

/// Marks the threads that crashed and takes their registers from where they crashed: a thread's own context is that of
/// the handler that wrote the dump.
fn crashes(build: &mut Builder<'_>) -> Result<()> {
    // By id and once, because both lists are as long as a hostile file likes.
    let indexes: HashMap<u64, usize> = build.map.threads.iter().enumerate().rev().map(|(i, t)| (t.id, i)).collect();
    let mut crashed = HashMap::new();
    build.each_stream(Kind::ExceptionStream, |build, stream| {
        let Some(record) = build.header::<MINIDUMP_EXCEPTION_STREAM>(stream, "ExceptionStream")? else { return Ok(()) };
        let id = u64::from(record.thread_id);
        let label = indexes.get(&id).map_or(stream.label(), |&index| Label::Registers(index));
        let (_, registers) = context::read(build, stream.span.start, record.thread_context, label)?;
        crashed.insert(id, registers);
        system::tell_crash(build, stream)
    })?;
    for thread in &mut build.map.threads {
        if let Some(registers) = crashed.get(&thread.id) {
            thread.crashed = true;
            thread.registers = registers.or(thread.registers);
        }
    }
    Ok(())
}
