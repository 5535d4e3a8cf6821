//! `PT_LOAD`: which bytes of the file are memory, and of which address.

use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_LOAD, ProgramHeader};

use super::{Builder, Segment};
use crate::dump::Protection;
use crate::dump::build::Absent;
use crate::dump::loads::Load;
use crate::span::{Address, Span};

/// Makes a region of every segment; the notes must have been read, because they tell what kind of addresses to expect.
pub(super) fn read(build: &mut Builder<'_>, segments: &[Segment]) {
    let mut absent = Absent::default();
    for segment in segments.iter().filter(|segment| segment.header.p_type == PT_LOAD) {
        let header = &segment.header;
        let address = address_of(header, build.own.physical);
        // What the file holds less of than was mapped was not dumped: clean pages of files, or by the user's wish.
        let span = if header.p_filesz == 0 {
            Span::new(0, 0)
        } else if header.p_offset >= build.image().len() {
            absent.add(segment.at, header.p_filesz);
            Span::new(0, 0)
        } else {
            build.reader.clip("memory segment", segment.at.0, header.p_offset, header.p_filesz)
        };
        build.add_region(span, Address(address), Some(protection(header)));
        let end = address.saturating_add(header.p_memsz.max(header.p_filesz));
        let write = header.p_flags & PF_W != 0;
        build.own.loads.push(Load { start: address, end, present: address.saturating_add(span.len), write });
    }
    absent.tell(&mut build.reader, "memory segments");
    build.own.loads.sort_unstable();
}

/// A process has virtual addresses; a machine's memory has physical ones too, and virtual ones only for a part.
fn address_of(header: &ProgramHeader, physical: bool) -> u64 {
    let none = header.p_vaddr == 0 || header.p_vaddr == u64::MAX;
    if physical && none { header.p_paddr } else { header.p_vaddr }
}

fn protection(header: &ProgramHeader) -> Protection {
    let has = |bit: u32| header.p_flags & bit != 0;
    Protection { read: has(PF_R), write: has(PF_W), execute: has(PF_X) }
}
