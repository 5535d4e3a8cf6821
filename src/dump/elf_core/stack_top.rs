//! The top of the first stack, where the kernel puts arguments and environment.
//!
//! From low to high: the number of arguments, pointers to them, NULL, pointers to the environment's strings, NULL, the
//! auxiliary vector, then the bytes of AT_RANDOM and AT_PLATFORM, the strings themselves one behind the other, and the
//! path of AT_EXECFN. NT_AUXV is a copy of the vector, so its bytes are searched for below the lowest address that
//! it names, and the pointers are read backwards from there. (`fs/binfmt_elf.c`: `create_elf_tables`.)

use super::cursor::{Memory, word};
use super::{Builder, places};
use crate::dump::{Class, Label, loads};
use crate::error::Result;
use crate::span::Address;

/// Between the vector and what it names lie alignment, and up to 8 KiB by which the kernel moves the stack at random.
const NEAR: u64 = 64 << 10;

/// Bytes of pointers that are read, 128 Ki of them; a system refuses longer lists much earlier in practice.
const MOST_POINTERS: u64 = 1 << 20;

/// The longest string that one argument may be (MAX_ARG_STRLEN, 32 pages).
const MOST_STRING: usize = 1 << 17;

/// The lists below the vector, as addresses.
struct Lists {
    /// Where the number of arguments stands.
    start: u64,
    arguments: Vec<u64>,
    environment: Vec<u64>,
}

/// Labels the strings and keeps the pointers.
pub(super) fn read(build: &mut Builder<'_>, memory: &Memory<'_>) -> Result<()> {
    let Some(vector) = find_vector(build, memory)? else { return Ok(()) };
    let vector_len = build.own.auxv.span.map_or(0, |span| span.len);
    let Some(lists) = lists(memory, vector)? else { return Ok(()) };
    let top = loads::holding(&build.own.loads, vector).map_or(0, |load| load.present);
    build.memory_classes.paint(Address(lists.start), vector + vector_len - lists.start, Class::Keep);
    // A process may have changed the pointers (`unsetenv` removes them): only those that still point above count.
    let above = |pointers: &[u64]| -> Vec<u64> {
        pointers.iter().copied().filter(|&at| at >= vector + vector_len && at < top).collect()
    };
    let (arguments, environment) = (above(&lists.arguments), above(&lists.environment));
    let end = build.own.auxv.executable_name.filter(|&name| name > vector && name < top).unwrap_or(top);
    let last_argument = arguments.iter().max().copied();
    let behind = match last_argument {
        Some(last) => memory.string_len(Address(last), MOST_STRING)?.map(|len| last.saturating_add(len)),
        None => None,
    };
    let first = environment.iter().min().copied();
    // The strings stand one behind the other: the environment begins where the last argument ends.
    let border = match (behind, first.filter(|&first| last_argument.is_none_or(|last| first > last))) {
        (Some(behind), Some(first)) => behind.min(first),
        (behind, first) => behind.or(first).unwrap_or(end),
    };
    if let Some(start) = arguments.iter().min() {
        places::free(build, Address(*start), Address(border.min(end)), Label::CommandLine);
    }
    places::free(build, Address(border), Address(end), Label::Environ);
    Ok(())
}

/// The address of the vector on the stack.
fn find_vector(build: &Builder<'_>, memory: &Memory<'_>) -> Result<Option<u64>> {
    let auxv = &build.own.auxv;
    let (Some(span), Some(&near)) = (auxv.span, auxv.above.iter().filter(|&&at| at != 0).min()) else {
        return Ok(None);
    };
    let vector = build.image().bytes(span.from(), usize::try_from(span.len).unwrap_or(0))?;
    let Some(load) = loads::holding(&build.own.loads, near) else { return Ok(None) };
    let from = load.start.max(near.saturating_sub(NEAR)).next_multiple_of(memory.width());
    let bytes = memory.bytes(Address(from), usize::try_from(near.saturating_sub(from)).unwrap_or(0))?;
    let width = memory.context().size();
    // The copy nearest to the strings is the kernel's; a process may have made others.
    let words = 0..bytes.len() / width;
    let found =
        words.rev().map(|word| word * width).find(|&at| bytes.get(at..).is_some_and(|b| b.starts_with(&vector)));
    Ok(found.map(|at| from + at as u64))
}

/// Reads backwards: NULL, the environment, NULL, the arguments, and a number that counts them.
///
/// The number is looked for, not the NULL between the lists: `unsetenv` leaves more NULLs behind the environment.
fn lists(memory: &Memory<'_>, vector: u64) -> Result<Option<Lists>> {
    let width = memory.width();
    let below = memory.space().spans_before(Address(vector), MOST_POINTERS).iter().map(|span| span.len).sum::<u64>();
    let from = vector - below / width * width;
    let bytes = memory.bytes(Address(from), usize::try_from(vector - from).unwrap_or(0))?;
    let size = memory.context().size();
    let words: Vec<u64> = bytes.chunks_exact(size).filter_map(|chunk| word(chunk, 0, memory.context())).collect();
    let behind = |at: usize| {
        let count = words.get(at).copied().and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0)?;
        let null = at.checked_add(count)?.checked_add(1)?;
        (words.get(null) == Some(&0)).then_some(null)
    };
    let Some((at, null)) = (0..words.len()).rev().find_map(|at| Some((at, behind(at)?))) else { return Ok(None) };
    let arguments = words.get(at + 1..null).unwrap_or_default().to_vec();
    let environment = words.get(null + 1..).unwrap_or_default().to_vec();
    Ok(Some(Lists { start: from + at as u64 * width, arguments, environment }))
}
