//! NT_FILE: which files were mapped where. Each becomes a module, the executable and the libraries like any data file.

use std::collections::HashMap;

use goblin::container::Ctx;
use goblin::elf::Elf;
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};

use super::Builder;
use super::cursor::{Cursor, Memory};
use crate::dump::loads;
use crate::dump::module_header::{self, HEADER};
use crate::dump::{Class, Label, Module};
use crate::error::Result;
use crate::span::{Address, Span};

/// Bytes of a path that cost one unit of the budget.
const PER_UNIT: usize = 128;

/// Between two mappings of one module lies at most this: linkers align segments to up to 2 MiB, on some machines more.
const MOST_GAP: u64 = 16 << 20;

/// One mapping of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mapping {
    pub start: u64,
    pub end: u64,
    /// In the file, in pages.
    pub offset: u64,
    /// The path's number.
    path: usize,
    /// The module's place in the map.
    pub module: usize,
}

/// Reads the note: the number of mappings, the size of a page, three numbers for each mapping, then the paths.
pub(super) fn read(build: &mut Builder<'_>, span: Span) -> Result<()> {
    build.class(span, Class::Frozen);
    let width = build.map.pointer_width as u64;
    let mut numbers = Cursor::new(build, span);
    let (count, page) = (numbers.word()?.unwrap_or(0), numbers.word()?);
    let stride = 3 * width;
    let room = span.len.saturating_sub(2 * width) / stride;
    if count > room || page.is_none() {
        let expected = format!("two numbers and {count} mappings");
        build.reader.fault(span.from(), "NT_FILE", expected, format!("{} bytes", span.len));
    }
    let count = count.min(room);
    let texts = span.from() + (2 * width + count * stride).min(span.len);
    let mut texts = Cursor::new(build, Span::between(texts, span.end()));
    let mut paths: HashMap<String, usize> = HashMap::new();
    for _ in 0..count {
        let (Some(start), Some(end), Some(offset)) = (numbers.word()?, numbers.word()?, numbers.word()?) else { break };
        let Some(text) = texts.text()? else {
            build.reader.fault(span.from(), "NT_FILE", format!("{count} paths"), "fewer");
            break;
        };
        if !build.take_many("mapped files", 1 + text.len() / PER_UNIT) {
            break;
        }
        if is_shared_memory(&text) {
            continue;
        }
        let next = paths.len();
        let path = *paths.entry(text).or_insert(next);
        if start < end {
            build.own.mappings.push(Mapping { start, end, offset, path, module: 0 });
        }
    }
    build.own.mappings.sort_unstable();
    let mut names: Vec<(usize, String)> = paths.into_iter().map(|(name, path)| (path, name)).collect();
    names.sort_unstable();
    group(build, &names);
    Ok(())
}

/// Memory that processes share has the name of a file that nobody loads: nginx keeps sessions in `/dev/zero (deleted)`.
fn is_shared_memory(path: &str) -> bool {
    ["/dev/zero", "/dev/shm/", "/SYSV", "/anon_hugepage"].iter().any(|start| path.starts_with(start))
}

/// Makes one module of mappings that belong together: of the same file, in the order of the file, near each other and
/// with no other file between. A file that is mapped a second time, from its start, is a second module.
fn group(build: &mut Builder<'_>, names: &[(usize, String)]) {
    let mut before: Option<Mapping> = None;
    for mapping in &mut build.own.mappings {
        let goes_on = before.as_ref().is_some_and(|before| {
            let near = mapping.start.saturating_sub(before.end) <= MOST_GAP;
            mapping.path == before.path && mapping.offset >= before.offset && near && mapping.offset > 0
        });
        let name = || names.get(mapping.path).map(|(_, name)| name.clone()).unwrap_or_default();
        if !goes_on {
            build.map.modules.push(Module { name: name(), base: Address(mapping.start), size: 0, header: None });
        }
        if let Some(module) = build.map.modules.last_mut() {
            module.size = module.size.max(mapping.end - module.base.0);
        }
        mapping.module = build.map.modules.len().saturating_sub(1);
        before = Some(mapping.clone());
    }
}

/// Completes the modules by what is in memory, and paints them.
pub(super) fn modules(build: &mut Builder<'_>, memory: &Memory<'_>) -> Result<()> {
    vdso(build);
    module_header::read(&mut build.map.modules, build.reader.image(), memory.space())?;
    for mapping in &build.own.mappings {
        let len = mapping.end - mapping.start;
        build.memory_labels.paint(Address(mapping.start), len, Label::Module(mapping.module));
    }
    let bases: Vec<u64> = build.map.modules.iter().map(|module| module.base.0).collect();
    let mut before = None;
    for (index, module) in build.map.modules.iter_mut().enumerate() {
        // A second module at one address is a lie, which is told as often as a file likes.
        if before.replace(module.base) == Some(module.base)
            || !module.header.as_ref().is_some_and(|header| header.starts_with("ELF"))
        {
            continue;
        }
        build.memory_classes.paint(module.base, module.size.min(HEADER), Class::Keep);
        let page = memory.bytes(module.base, usize::try_from(HEADER).unwrap_or(0))?;
        let next = bases.get(index + 1).copied().filter(|&next| next > module.base.0).unwrap_or(u64::MAX);
        let whole = size_by_header(&page, memory.context()).unwrap_or(0).min(next - module.base.0);
        // Zeroed data (.bss) follows the mapped part and is no part of the file.
        if let Some(behind) = whole.checked_sub(module.size).filter(|&behind| behind > 0) {
            build.memory_labels.paint(module.base.plus(module.size), behind, Label::Module(index));
            module.size = whole;
        }
    }
    Ok(())
}

/// The code that the kernel maps into each process is no file; debuggers unwind through it.
fn vdso(build: &mut Builder<'_>) {
    let Some(base) = build.own.auxv.vdso.filter(|&base| base != 0) else { return };
    let Some(load) = loads::holding(&build.own.loads, base) else { return };
    let (index, size) = (build.map.modules.len(), load.end - base);
    build.memory_labels.paint(Address(base), size, Label::Module(index));
    build.memory_classes.paint(Address(base), size, Class::Keep);
    build.map.modules.push(Module { name: "[vdso]".to_owned(), base: Address(base), size, header: None });
}

/// From the first byte of the first segment to the end of the last page of the last one, by the program headers.
fn size_by_header(page: &[u8], context: Ctx) -> Option<u64> {
    let header = Elf::parse_header(page).ok()?;
    let at = usize::try_from(header.e_phoff).ok()?;
    let size = ProgramHeader::size(context);
    let count = usize::from(header.e_phnum).min(page.len().checked_sub(at)? / size);
    let headers = ProgramHeader::parse(page, at, count, context).ok()?;
    let loads = || headers.iter().filter(|header| header.p_type == PT_LOAD);
    let start = loads().map(|h| h.p_vaddr).min()? & !(HEADER - 1);
    let end = loads().map(|h| h.p_vaddr.saturating_add(h.p_memsz)).max()?;
    end.checked_next_multiple_of(HEADER)?.checked_sub(start)
}
