//! Modules: Mach-O headers in memory, and the paths that lldb's note gives for them.

use std::collections::HashMap;

use goblin::container::Ctx;
use goblin::mach::header::{Header, MH_BUNDLE, MH_DYLIB, MH_DYLINKER, MH_EXECUTE};
use goblin::mach::load_command::{
    LC_ID_DYLIB, LC_ID_DYLINKER, LC_SEGMENT, LC_SEGMENT_64, SegmentCommand32, SegmentCommand64,
};
use goblin::mach::parse_magic_and_ctx;
use scroll::Pread;

use super::Builder;
use crate::dump::module_header::{self, HEADER};
use crate::dump::{Class, Label, Module};
use crate::error::Result;
use crate::memory::AddressSpace;
use crate::span::{Address, Span};

/// Bytes of a module's header and load commands that are read and kept: large frameworks have a few pages of them.
const MOST: usize = 1 << 15;

/// The longest path of macOS, with its NUL.
const MOST_PATH: usize = 1024;

/// Finds modules where a segment begins with a header; the executable, libraries and the linker all begin one.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    let memory = build.space();
    let paths = paths(build)?;
    let mut starts: Vec<u64> = build.map.regions.iter().filter_map(|region| Some(region.address?.0)).collect();
    // Libraries of the shared cache stand inside larger segments; the note knows them.
    starts.extend(paths.keys().copied());
    starts.sort_unstable();
    starts.dedup();
    for base in starts.into_iter().map(Address) {
        let mut magic = [0; 4];
        let known = memory.read(build.image(), base, &mut magic)? == 4 && is_magic(&magic);
        if known && build.take("modules") {
            module(build, &memory, base, paths.get(&base.0))?;
        }
    }
    module_header::read(&mut build.map.modules, build.reader.image(), &memory)
}

fn is_magic(bytes: &[u8]) -> bool {
    parse_magic_and_ctx(bytes, 0).is_ok_and(|(_, context)| context.is_some())
}

fn module(build: &mut Builder<'_>, memory: &AddressSpace, base: Address, path: Option<&String>) -> Result<()> {
    let mut bytes = vec![0; MOST];
    let got = memory.read(build.image(), base, &mut bytes)?;
    bytes.truncate(got);
    let Some(told) = Told::read(&bytes) else { return Ok(()) };
    let name = path.cloned().or(told.name).unwrap_or_else(|| "(executable)".to_owned());
    let size = told.size.max(HEADER);
    build.memory_labels.paint(base, size, Label::Module(build.map.modules.len()));
    build.memory_classes.paint(base, told.commands_end.max(HEADER).min(size), Class::Keep);
    build.map.modules.push(Module { name, base, size, header: None });
    Ok(())
}

/// What a module's load commands say of it.
#[derive(Default)]
struct Told {
    name: Option<String>,
    /// Of its first segment, `__TEXT`, in memory: the others may lie far away among those of other libraries.
    size: u64,
    /// Where its load commands end.
    commands_end: u64,
}

impl Told {
    fn read(bytes: &[u8]) -> Option<Self> {
        let context: Ctx = parse_magic_and_ctx(bytes, 0).ok()?.1?;
        let header: Header = bytes.pread_with(0, context).ok()?;
        if !matches!(header.filetype, MH_EXECUTE | MH_DYLIB | MH_DYLINKER | MH_BUNDLE) {
            return None;
        }
        let start = if context.is_big() { 32 } else { 28 };
        let mut told = Self { commands_end: start as u64 + u64::from(header.sizeofcmds), ..Self::default() };
        let mut at = start;
        for _ in 0..header.ncmds {
            let Some(command) = bytes.get(at..) else { break };
            let number = |at: usize| command.pread_with::<u32>(at, context.le).ok();
            let (Some(kind), Some(size)) = (number(0), number(4)) else { break };
            told.command(kind, command.get(..size as usize).unwrap_or(command), context);
            let Some(next) = at.checked_add(size as usize).filter(|_| size >= 8) else { break };
            at = next;
        }
        Some(told)
    }

    fn command(&mut self, kind: u32, bytes: &[u8], context: Ctx) {
        match kind {
            // The place of the string inside the command follows kind and size.
            LC_ID_DYLIB | LC_ID_DYLINKER => {
                let place = bytes.pread_with::<u32>(8, context.le).unwrap_or(0) as usize;
                let name = bytes.get(place..).filter(|_| place >= 12).unwrap_or_default();
                let name = name.split(|&b| b == 0).next().filter(|name| !name.is_empty());
                self.name = name.map(|name| String::from_utf8_lossy(name).into_owned());
            }
            LC_SEGMENT_64 => {
                let segment = bytes.pread_with::<SegmentCommand64>(0, context.le).ok();
                self.text(segment.filter(|s| s.segname.starts_with(b"__TEXT\0")).map(|s| s.vmsize));
            }
            LC_SEGMENT => {
                let segment = bytes.pread_with::<SegmentCommand32>(0, context.le).ok();
                self.text(segment.filter(|s| s.segname.starts_with(b"__TEXT\0")).map(|s| u64::from(s.vmsize)));
            }
            _ => {}
        }
    }

    fn text(&mut self, size: Option<u64>) {
        self.size = size.unwrap_or(self.size);
    }
}

/// The note `all image infos`: version, number of entries, their place, their size; in each entry the place of the path,
/// 16 bytes of UUID, and the address.
fn paths(build: &mut Builder<'_>) -> Result<HashMap<u64, String>> {
    let mut paths = HashMap::new();
    let Some(span) = build.own.image_infos else { return Ok(paths) };
    let (endian, image) = (build.reader.endian(), build.image());
    let header = image.bytes(span.from(), usize::try_from(span.len.min(24)).unwrap_or(0))?;
    let count = header.pread_with::<u32>(4, endian).unwrap_or(0);
    let place = header.pread_with::<u64>(8, endian).unwrap_or(0);
    let stride = u64::from(header.pread_with::<u32>(16, endian).unwrap_or(0));
    for i in 0..u64::from(count) {
        let at = place.saturating_add(i.saturating_mul(stride));
        if stride < 32 || at.saturating_add(32) > image.len() || !build.take("image infos") {
            break;
        }
        let entry = image.bytes(at, 32)?;
        let number = |at: usize| entry.pread_with::<u64>(at, endian).ok();
        let (Some(path), Some(address)) = (number(0), number(24)) else { break };
        let path = image.bytes(path, MOST_PATH)?;
        let Some(len) = path.iter().position(|&b| b == 0).filter(|&len| len > 0) else { continue };
        label_path(build, Span::new(number(0).unwrap_or(0), len as u64 + 1));
        let name = path.get(..len).map(|path| String::from_utf8_lossy(path).into_owned());
        paths.extend(name.map(|name| (address, name)));
    }
    Ok(paths)
}

/// Paths stand behind the entries, inside the note or not.
fn label_path(build: &mut Builder<'_>, span: Span) {
    let span = Span::between(span.from(), span.end().min(build.image().len()));
    build.class(span, Class::Keep);
}
