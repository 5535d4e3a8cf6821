//! Streams that point at strings elsewhere in the file: handles, Crashpad's annotations, the dynamic linker's list, and
//! Mozilla's for macOS. Nothing of them is read for the map but the places, so that no string is left without an owner.

use std::collections::HashSet;

use minidump_common::format::{
    DSO_DEBUG_32, DSO_DEBUG_64, LINK_MAP_32, LINK_MAP_64, MINIDUMP_ANNOTATION, MINIDUMP_CRASHPAD_INFO,
    MINIDUMP_HANDLE_DATA_STREAM, MINIDUMP_HANDLE_DESCRIPTOR, MINIDUMP_HANDLE_DESCRIPTOR_2,
    MINIDUMP_HANDLE_OBJECT_INFORMATION, MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_MAC_BOOTARGS, MINIDUMP_MAC_CRASH_INFO,
    MINIDUMP_MODULE_CRASHPAD_INFO, MINIDUMP_MODULE_CRASHPAD_INFO_LINK, MINIDUMP_SIMPLE_STRING_DICTIONARY_ENTRY,
    MINIDUMP_STREAM_TYPE as Kind,
};

use super::build::{Builder, Entry};
use super::records::{self, Array};
use super::strings;
use crate::dump::{Class, Label};
use crate::error::Result;

/// Labels what these streams point at.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    build.each_stream(Kind::HandleDataStream, handles)?;
    build.each_stream(Kind::CrashpadInfoStream, crashpad)?;
    build.each_stream(Kind::LinuxDsoDebug, dynamic_linker)?;
    build.each_stream(Kind::MozMacosCrashInfoStream, mac_crash)?;
    build.each_stream(Kind::MozMacosBootargsStream, mac_bootargs)
}

fn handles(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let name = "HandleDataStream";
    let Some(header) = build.header::<MINIDUMP_HANDLE_DATA_STREAM>(stream, name)? else { return Ok(()) };
    let extended = u64::from(header.size_of_descriptor) >= records::size_of::<MINIDUMP_HANDLE_DESCRIPTOR_2>();
    let header = (header.size_of_header, header.size_of_descriptor, u64::from(header.number_of_descriptors));
    let Some(array) = records::sized::<MINIDUMP_HANDLE_DESCRIPTOR>(build, stream, header, name) else { return Ok(()) };
    let mut seen = HashSet::new();
    array.each(build, "handles", |build, at, handle: MINIDUMP_HANDLE_DESCRIPTOR| {
        for rva in [handle.type_name_rva, handle.object_name_rva] {
            let text = ("name of a handle", u64::from(rva), 2);
            strings::mark(build, text, stream.label(), Class::Free, &mut seen)?;
        }
        match build.reader.record::<MINIDUMP_HANDLE_DESCRIPTOR_2>(at.0)?.filter(|_| extended) {
            Some(handle) => object_infos(build, stream, u64::from(handle.object_info_rva), &mut seen),
            None => Ok(()),
        }
    })
}

/// A chain of blocks, each with the place of the next.
fn object_infos(build: &mut Builder<'_>, stream: Entry, first: u64, seen: &mut HashSet<u64>) -> Result<()> {
    let mut next = first;
    while next != 0 && seen.insert(next) && build.take("handle object infos") {
        let Some(info) = build.reader.record::<MINIDUMP_HANDLE_OBJECT_INFORMATION>(next)? else {
            build.reader.clip("handle object info", next, next, 12);
            break;
        };
        let len = records::size_of::<MINIDUMP_HANDLE_OBJECT_INFORMATION>() + u64::from(info.size_of_info);
        let span = build.reader.clip("handle object info", next, next, len);
        build.label(span, stream.label());
        build.class(span, Class::Keep);
        next = u64::from(info.next_info_rva);
    }
    Ok(())
}

/// Crashpad's layout is a tree of structures; values of annotations are the leaves.
fn crashpad(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let Some(info) = build.header::<MINIDUMP_CRASHPAD_INFO>(stream, "CrashpadInfoStream")? else { return Ok(()) };
    let mut tree = Annotations { label: stream.label(), seen: HashSet::new() };
    tree.dictionary(build, info.simple_annotations)?;
    let Some(links) = tree.list::<MINIDUMP_MODULE_CRASHPAD_INFO_LINK>(build, info.module_list)? else { return Ok(()) };
    links.each(build, "Crashpad modules", |build, at, link: MINIDUMP_MODULE_CRASHPAD_INFO_LINK| {
        let place = u64::from(link.location.rva);
        let span = build.reader.clip("Crashpad module info", at.0, place, u64::from(link.location.data_size));
        build.label(span, stream.label());
        build.class(span, Class::Keep);
        match build.reader.record::<MINIDUMP_MODULE_CRASHPAD_INFO>(place)? {
            Some(module) if tree.seen.insert(place) => tree.module(build, &module),
            _ => Ok(()),
        }
    })
}

/// Where annotations are labelled, each place once.
struct Annotations {
    label: Label,
    seen: HashSet<u64>,
}

impl Annotations {
    fn module(&mut self, build: &mut Builder<'_>, module: &MINIDUMP_MODULE_CRASHPAD_INFO) -> Result<()> {
        if let Some(list) = self.list::<u32>(build, module.list_annotations)? {
            list.each(build, "annotations", |build, _, rva: u32| self.text(build, rva, Class::Free))?;
        }
        self.dictionary(build, module.simple_annotations)?;
        let Some(objects) = self.list::<MINIDUMP_ANNOTATION>(build, module.annotation_objects)? else { return Ok(()) };
        objects.each(build, "annotations", |build, _, object: MINIDUMP_ANNOTATION| {
            self.text(build, object.name, Class::Keep)?;
            self.text(build, object.value, Class::Free)
        })
    }

    fn dictionary(&mut self, build: &mut Builder<'_>, location: MINIDUMP_LOCATION_DESCRIPTOR) -> Result<()> {
        type Pair = MINIDUMP_SIMPLE_STRING_DICTIONARY_ENTRY;
        let Some(pairs) = self.list::<Pair>(build, location)? else { return Ok(()) };
        pairs.each(build, "annotations", |build, _, pair: Pair| {
            self.text(build, pair.key, Class::Keep)?;
            self.text(build, pair.value, Class::Free)
        })
    }

    /// A counted list outside the stream; its own bytes are places and stay.
    fn list<T: records::Record>(
        &mut self,
        build: &mut Builder<'_>,
        location: MINIDUMP_LOCATION_DESCRIPTOR,
    ) -> Result<Option<Array>> {
        let (rva, len) = (u64::from(location.rva), u64::from(location.data_size));
        if rva == 0 || len == 0 || !self.seen.insert(rva) {
            return Ok(None);
        }
        let span = build.reader.clip("Crashpad list", rva, rva, len);
        build.label(span, self.label);
        build.class(span, Class::Keep);
        let count = u64::from(build.reader.record::<u32>(rva)?.unwrap_or(0));
        Ok(Some(records::within(build, span, 4, records::size_of::<T>(), count, "Crashpad list")))
    }

    /// A string or a byte array: a 32-bit length and the bytes.
    fn text(&mut self, build: &mut Builder<'_>, rva: u32, class: Class) -> Result<()> {
        strings::mark(build, ("Crashpad string", u64::from(rva), 1), self.label, class, &mut self.seen)
    }
}

/// Breakpad's copy of `r_debug`: an array of link maps elsewhere, each with a name. Widths are those of the process.
fn dynamic_linker(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let wide = build.map.pointer_width == 8;
    let head = if wide {
        build.header::<DSO_DEBUG_64>(stream, "LinuxDsoDebug")?.map(|d| (d.map, d.dso_count))
    } else {
        build.header::<DSO_DEBUG_32>(stream, "LinuxDsoDebug")?.map(|d| (d.map, d.dso_count))
    };
    let Some((map, count)) = head.filter(|&(map, count)| map != 0 && count != 0) else { return Ok(()) };
    let stride = if wide { records::size_of::<LINK_MAP_64>() } else { records::size_of::<LINK_MAP_32>() };
    let span = build.reader.clip("link maps", stream.span.from(), u64::from(map), u64::from(count) * stride);
    let array = Array { at: span.from(), stride, count: span.len / stride };
    build.label(span, stream.label());
    build.class(span, Class::Keep);
    let mut seen = HashSet::new();
    let mut name = |build: &mut Builder<'_>, rva: u32| {
        strings::mark(build, ("link map name", u64::from(rva), 2), stream.label(), Class::Keep, &mut seen)
    };
    if wide {
        array.each(build, "link maps", |build, _, link: LINK_MAP_64| name(build, link.name))
    } else {
        array.each(build, "link maps", |build, _, link: LINK_MAP_32| name(build, link.name))
    }
}

/// Records with the messages of crashed libraries inside.
fn mac_crash(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let name = "MozMacosCrashInfoStream";
    let Some(info) = build.header::<MINIDUMP_MAC_CRASH_INFO>(stream, name)? else { return Ok(()) };
    let count = usize::try_from(info.record_count).unwrap_or(usize::MAX);
    for record in info.records.iter().take(count) {
        let (rva, len) = (u64::from(record.rva), u64::from(record.data_size));
        let span = build.reader.clip("macOS crash record", stream.span.from(), rva, len);
        build.label(span, stream.label());
    }
    Ok(())
}

fn mac_bootargs(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let Some(args) = build.header::<MINIDUMP_MAC_BOOTARGS>(stream, "MozMacosBootargsStream")? else { return Ok(()) };
    let text = ("boot arguments", args.bootargs, 2);
    strings::mark(build, text, stream.label(), Class::Free, &mut HashSet::<u64>::new())
}
