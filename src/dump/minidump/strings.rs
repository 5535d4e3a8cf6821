//! Strings that records point at: where they stand, and what they say.

use std::collections::HashSet;

use super::build::Builder;
use crate::dump::{Class, Label};
use crate::error::Result;
use crate::span::Span;

/// Bytes of a name that are read; a path on any system is shorter. The label covers the whole string all the same.
const MOST: u64 = 1 << 16;

/// Bytes of a name that cost one unit of the budget, so that names by the thousand cannot fill the machine.
const PER_UNIT: usize = 128;

/// A string that a record points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// The record in the file: length, letters, and the NUL behind them where there is one.
    pub span: Option<Span>,
    /// The letters, as far as they are read.
    pub text: String,
}

/// The `MINIDUMP_STRING` at `rva`: a 32-bit length in bytes, then UTF-16.
pub(super) fn utf16(build: &mut Builder<'_>, what: &str, rva: u64) -> Result<Text> {
    let Some((bytes, span)) = counted(build, what, rva, 2)? else { return Ok(Text::default()) };
    let big = build.reader.endian() == scroll::BE;
    let unit = |pair: &[u8; 2]| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    let units: Vec<u16> = bytes.as_chunks().0.iter().map(unit).collect();
    let text = String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned();
    Ok(Text { span: Some(span), text })
}

/// Labels a string that was read and asks to keep it.
pub(super) fn keep(build: &mut Builder<'_>, text: &Text, label: Label) {
    if let Some(span) = text.span {
        build.label(span, label);
        build.class(span, Class::Keep);
    }
}

/// Labels the string at `rva` and gives it the class `class`; what it says does not matter.
///
/// `seen` are the places of the same owner that were labelled already: handles by the thousand share one type name.
pub(super) fn mark(
    build: &mut Builder<'_>,
    (what, rva, width): (&str, u64, u64),
    label: Label,
    class: Class,
    seen: &mut HashSet<u64>,
) -> Result<()> {
    if rva == 0 || !seen.insert(rva) {
        return Ok(());
    }
    if let Some(span) = place(build, what, rva, width)? {
        build.label(span, label);
        build.class(span, class);
    }
    Ok(())
}

/// The span of a counted string with letters of `width` bytes.
fn place(build: &mut Builder<'_>, what: &str, rva: u64, width: u64) -> Result<Option<Span>> {
    let Some(len) = build.reader.record::<u32>(rva)?.map(u64::from) else {
        build.reader.clip(what, rva, rva, 4);
        return Ok(None);
    };
    let body = build.reader.clip(what, rva, rva + 4, len);
    let nul = build.image().bytes(body.end(), usize::try_from(width).unwrap_or(0))?;
    let nul = if nul.iter().all(|&b| b == 0) { nul.len() as u64 } else { 0 };
    Ok(Some(Span::between(rva, body.end() + nul)))
}

fn counted(build: &mut Builder<'_>, what: &str, rva: u64, width: u64) -> Result<Option<(Vec<u8>, Span)>> {
    if rva == 0 {
        return Ok(None);
    }
    let Some(span) = place(build, what, rva, width)? else { return Ok(None) };
    let len = build.reader.record::<u32>(rva)?.map_or(0, u64::from);
    let bytes = build.image().bytes(rva + 4, usize::try_from(len.min(MOST)).unwrap_or(0))?;
    let granted = build.take_many("names", bytes.len() / PER_UNIT);
    Ok(Some((if granted { bytes } else { Vec::new() }, span)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, faults, kind, label, module, regions};

    #[test]
    fn a_string_is_read_in_the_files_byte_order_and_labelled_with_its_nul() {
        for mut file in [File::new(1), File::big(1)] {
            let name = file.text("/usr/lib/a\u{e4}.so");
            let mut numbers = vec![(1, 4)];
            numbers.extend(module(0x1000, 0x1000, name, (0, 0)));
            let stream = file.numbers(kind::MODULES, &numbers);
            let map = file.map();
            assert_eq!(map.modules[0].name, "/usr/lib/a\u{e4}.so");
            assert_eq!(label(&map, stream - 1), "stream ModuleListStream", "the NUL");
        }
    }

    #[test]
    fn a_length_that_lies_is_cut_to_the_file() {
        let mut file = File::new(1);
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0x1000, 0x1000, file.end() + 112, (0, 0)));
        file.numbers(kind::MODULES, &numbers);
        file.put(&[0xff, 0xff, 0xff, 0xff, b'a', 0, b'b', 0, b'c']);
        let map = file.map();
        assert_eq!(map.modules[0].name, "ab");
        assert_eq!(faults(&map), ["module name"]);
    }

    #[test]
    fn long_names_by_the_thousand_cost_the_budget() {
        let mut file = File::new(2);
        let name = file.text(&"n".repeat(30_000));
        file.memory(0x1000, b"memory");
        let mut numbers = vec![(3000, 4)];
        (0..3000).for_each(|_| numbers.extend(module(0x1000, 0x1000, name, (0, 0))));
        file.numbers(kind::MODULES, &numbers);
        let map = file.map();
        let bytes: usize = map.modules.iter().map(|module| module.name.len()).sum();
        assert!(bytes < 64 << 20, "{bytes}");
        assert!(!map.gaps.is_empty());
        assert_eq!(regions(&map).len(), 1, "memory comes first");
    }
}
