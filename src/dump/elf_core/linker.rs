//! The dynamic linker's list of modules, which debuggers walk: AT_PHDR, PT_DYNAMIC, DT_DEBUG, `r_debug`, `link_map`.
//!
//! `struct r_debug` and `struct link_map` are those of glibc's `link.h`; every system with ELF has the same beginning.

use std::collections::HashSet;

use goblin::elf::dynamic::DT_DEBUG;
use goblin::elf::program_header::{PT_DYNAMIC, PT_PHDR, ProgramHeader};

use super::Builder;
use super::cursor::{Memory, word};
use crate::dump::Class;
use crate::error::Result;
use crate::span::Address;

/// An executable has about a dozen program headers and thirty dynamic entries.
const MOST_HEADERS: usize = 64;
const MOST_ENTRIES: usize = 256;

/// The longest path of Linux, with its NUL.
const MOST_PATH: usize = 4096;

/// Keeps the list, as far as it is in the dump.
pub(super) fn read(build: &mut Builder<'_>, memory: &Memory<'_>) -> Result<()> {
    let Some(dynamic) = dynamic_section(build, memory)? else { return Ok(()) };
    let Some(debug) = debug_entry(build, memory, dynamic)? else { return Ok(()) };
    let width = memory.width();
    // Version, first module, where the linker stops, state, the linker's own base, and from version 2 on the next list.
    build.memory_classes.paint(debug, 6 * width, Class::Keep);
    let Some(first) = memory.pointer(debug.plus(width))? else { return Ok(()) };
    modules(build, memory, first)
}

/// The executable's dynamic section. Its own address among its program headers tells how far it was moved.
fn dynamic_section(build: &Builder<'_>, memory: &Memory<'_>) -> Result<Option<Address>> {
    let (Some(at), count) = (build.own.auxv.headers, build.own.auxv.header_count) else { return Ok(None) };
    let count = usize::try_from(count.unwrap_or(0)).unwrap_or(MOST_HEADERS).min(MOST_HEADERS);
    let bytes = memory.bytes(Address(at), count * ProgramHeader::size(memory.context()))?;
    let Ok(headers) = ProgramHeader::parse(&bytes, 0, count, memory.context()) else { return Ok(None) };
    let address = |kind: u32| headers.iter().find(|header| header.p_type == kind).map(|header| header.p_vaddr);
    let moved = address(PT_PHDR).map_or(0, |own| at.wrapping_sub(own));
    Ok(address(PT_DYNAMIC).map(|dynamic| Address(dynamic.wrapping_add(moved))))
}

/// What DT_DEBUG says; keeps the section up to its end.
fn debug_entry(build: &mut Builder<'_>, memory: &Memory<'_>, dynamic: Address) -> Result<Option<Address>> {
    let size = 2 * memory.context().size();
    let bytes = memory.bytes(dynamic, MOST_ENTRIES * size)?;
    let entries = bytes.chunks_exact(size).map(|entry| {
        (word(entry, 0, memory.context()).unwrap_or(0), word(entry, size / 2, memory.context()).unwrap_or(0))
    });
    let entries: Vec<(u64, u64)> = entries.take_while(|(tag, _)| *tag != 0).collect();
    build.memory_classes.paint(dynamic, ((entries.len() + 1) * size) as u64, Class::Keep);
    let debug = entries.iter().find(|(tag, _)| *tag == DT_DEBUG).map(|(_, value)| *value);
    Ok(debug.filter(|&debug| debug != 0).map(Address))
}

/// Each entry: how far the module was moved, its path, its dynamic section, the next and the previous entry.
fn modules(build: &mut Builder<'_>, memory: &Memory<'_>, first: u64) -> Result<()> {
    let width = memory.width();
    let mut seen = HashSet::from([0]);
    let mut next = Some(first);
    while let Some(entry) = next.filter(|&entry| seen.insert(entry)) {
        if !build.take("entries of the dynamic linker's list") {
            break;
        }
        let entry = Address(entry);
        build.memory_classes.paint(entry, 5 * width, Class::Keep);
        if let Some(name) = memory.pointer(entry.plus(width))?
            && let Some(len) = memory.string_len(Address(name), MOST_PATH)?
        {
            build.memory_classes.paint(Address(name), len, Class::Keep);
        }
        next = memory.pointer(entry.plus(3 * width))?;
    }
    Ok(())
}
