//! Threads: names, registers, stacks, and which of them crashed.

use std::collections::{HashMap, HashSet};

use minidump_common::format::{
    MINIDUMP_EXCEPTION_STREAM, MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR, MINIDUMP_STREAM_TYPE as Kind,
    MINIDUMP_THREAD, MINIDUMP_THREAD_NAME,
};
use scroll::{Pread, SizeWith};

use super::build::Builder;
use super::{context, records, strings, system};
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
            build.add_region(span, start, None);
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
        let (context, registers) = context::read(build, stream.span.start, record.thread_context, label)?;
        crashed.insert(id, registers.and_then(|registers| Some((context?, registers))));
        system::tell_crash(build, stream)
    })?;
    for thread in &mut build.map.threads {
        let Some(crash) = crashed.get(&thread.id) else { continue };
        thread.crashed = true;
        if let &Some((context, registers)) = crash {
            (thread.context, thread.registers) = (Some(context), Some(registers));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, cpu, faults, kind, label, regions, thread};
    use crate::dump::Class;
    use crate::span::{Address, Span};

    /// Two words of a stack: one points into it.
    fn words() -> Vec<u8> {
        [0x7000_u64, 0xdead_beef_dead_beef].iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn threads(file: &mut File, threads: &[Vec<(u64, usize)>]) -> u64 {
        let mut numbers = vec![(threads.len() as u64, 4)];
        threads.iter().for_each(|thread| numbers.extend(thread));
        file.numbers(kind::THREADS, &numbers)
    }

    #[test]
    fn a_stack_that_no_list_has_is_memory_too() {
        let mut file = File::new(2);
        file.system(cpu::AMD64, 2);
        let stack = file.put(&words());
        threads(&mut file, &[thread(5, 0, (0x7000, 16, stack), (0, 0))]);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!(regions(&map), [(Span::new(stack, 16), 0x7000)]);
        assert_eq!(map.pointer_words, [Span::new(stack, 16)]);
        assert_eq!(label(&map, stack + 15), "stack of thread 5");
        assert_eq!(map.threads[0].stack, Some((Address(0x7000), 16)));
    }

    #[test]
    fn a_stack_without_a_place_is_found_by_its_address() {
        let mut file = File::new(2);
        let memory = file.memory(0x6ff0, &[vec![0; 16], words(), vec![0; 16]].concat());
        threads(&mut file, &[thread(5, 0, (0x7000, 16, 0), (0, 0)), thread(6, 0, (0x9000, 16, 0), (0, 0))]);
        let map = file.map();
        assert_eq!(faults(&map), ["thread stack"], "thread 6 only");
        assert_eq!(map.pointer_words, [Span::new(memory + 16, 16)]);
        let labels = [15, 16, 31, 32].map(|i| label(&map, memory + i));
        assert_eq!(labels, ["memory", "stack of thread 5", "stack of thread 5", "memory"]);
    }

    #[test]
    fn a_stack_without_a_size_ends_where_the_teb_says() {
        let mut file = File::new(3);
        file.system(cpu::AMD64, 2);
        let mut memory = vec![0; 0x100];
        // NT_TIB.StackBase of the TEB at 0x10080.
        memory[0x88..0x90].copy_from_slice(&0x1_0040_u64.to_le_bytes());
        let at = file.memory(0x1_0000, &memory);
        let mut context = vec![0; 0x4d0];
        context[0x32] = 0x10;
        context[0x98..0xa0].copy_from_slice(&0x1_0020_u64.to_le_bytes());
        let context = file.put(&context);
        threads(&mut file, &[thread(5, 0x1_0080, (0, 0, 0), (0x4d0, context))]);
        let map = file.map();
        assert_eq!(map.threads[0].stack, Some((Address(0x1_0020), 0x20)));
        assert_eq!(map.pointer_words, [Span::new(at + 0x20, 0x20)]);
    }

    #[test]
    fn names_and_the_crash_belong_to_threads_by_id() {
        let mut file = File::new(4);
        file.system(cpu::X86, 2);
        let name = file.text("worker");
        file.numbers(kind::NAMES, &[(1, 4), (6, 4), (name, 8)]);
        threads(&mut file, &[thread(5, 0, (0, 0, 0), (0, 0)), thread(6, 0, (0, 0, 0), (0, 0))]);
        let mut context = vec![0; 716];
        context[0..4].copy_from_slice(&0x1_003f_u32.to_le_bytes());
        context[0xb8] = 0x44;
        let context = file.put(&context);
        let mut numbers =
            vec![(6, 4), (0, 4), (0xc000_0005, 4), (0, 4), (0, 8), (0x44, 8), (2, 4), (0, 4), (1, 8), (9, 8)];
        numbers.extend([(0, 8); 13]);
        numbers.extend([(716, 4), (context, 4)]);
        file.numbers(kind::EXCEPTION, &numbers);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!(map.threads.iter().map(|t| t.crashed).collect::<Vec<_>>(), [false, true]);
        assert_eq!(map.threads[1].name.as_deref(), Some("worker"));
        assert_eq!(map.threads[1].registers.map(|r| r.ip), Some(Address(0x44)));
        assert_eq!(label(&map, context), "registers of thread 6");
        assert_eq!((label(&map, name).as_str(), class(&map, name + 4)), ("stream ThreadNamesStream", Class::Keep));
        assert!(map.about.contains(&("crash address", "0x9".to_owned())), "{:?}", map.about);
        let reason = map.about.iter().find(|(key, _)| *key == "crash reason").map(|(_, value)| value.as_str());
        assert_eq!(reason, Some("EXCEPTION_ACCESS_VIOLATION_WRITE (0xc0000005)"));
    }

    #[test]
    fn both_lists_of_threads_are_read() {
        let mut file = File::new(2);
        threads(&mut file, &[thread(5, 0, (0, 0, 0), (0, 0))]);
        let mut numbers = vec![(1, 4)];
        numbers.extend(thread(6, 0, (0, 0, 0), (0, 0)));
        numbers.extend([(0, 8), (0, 4), (0, 4)]);
        file.numbers(8, &numbers);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!(map.threads.iter().map(|t| t.id).collect::<Vec<_>>(), [5, 6]);
    }
}
