//! NT_AUXV: what the kernel told the process when it began, as pairs of numbers.

use super::Builder;
use super::cursor::Cursor;
use crate::error::Result;
use crate::span::Span;

/// More pairs than any kernel gives; Linux has about 30 kinds.
const MOST: usize = 256;

/// The pairs that say where things are. Numbers from Linux's `uapi/linux/auxvec.h`; the first ten are the same on all
/// systems with ELF.
#[derive(Clone, Debug, Default)]
pub(super) struct Auxv {
    /// AT_PHDR: the executable's program headers.
    pub headers: Option<u64>,
    /// AT_PHNUM.
    pub header_count: Option<u64>,
    /// AT_ENTRY: where the executable begins to run.
    pub entry: Option<u64>,
    /// AT_SYSINFO_EHDR: the code that the kernel maps into each process (vDSO).
    pub vdso: Option<u64>,
    /// AT_RANDOM, AT_EXECFN, AT_PLATFORM, AT_BASE_PLATFORM: strings above the pairs at the top of the first stack.
    pub above: Vec<u64>,
    /// AT_EXECFN: the string behind the environment.
    pub executable_name: Option<u64>,
    /// The note's content up to the last pair, by which its original is found on the stack.
    pub span: Option<Span>,
}

/// Reads the pairs in `span`.
pub(super) fn read(build: &mut Builder<'_>, span: Span) -> Result<()> {
    let mut cursor = Cursor::new(build, span);
    let pair = 2 * build.map.pointer_width as u64;
    let mut auxv = Auxv::default();
    for i in 1..=MOST {
        let (Some(kind), Some(value)) = (cursor.word()?, cursor.word()?) else { break };
        match kind {
            0 => {
                auxv.span = Some(Span::new(span.from(), pair * i as u64));
                break;
            }
            3 => auxv.headers = Some(value),
            5 => auxv.header_count = Some(value),
            9 => auxv.entry = Some(value),
            33 => auxv.vdso = Some(value),
            15 | 24 | 25 => auxv.above.push(value),
            31 => {
                auxv.executable_name = Some(value);
                auxv.above.push(value);
            }
            _ => {}
        }
    }
    build.own.auxv = auxv;
    Ok(())
}
