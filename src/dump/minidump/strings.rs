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
