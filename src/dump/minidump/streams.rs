//! Streams that point at strings elsewhere in the file: handles, Crashpad's annotations, the dynamic linker's list, and
//! Mozilla's for macOS. Nothing of them is read for the map but the places, so that no string is left without an owner.

use std::collections::HashSet;

use minidump_common::format::{
    MINIDUMP_ANNOTATION, MINIDUMP_CRASHPAD_INFO, MINIDUMP_HANDLE_DATA_STREAM, MINIDUMP_HANDLE_DESCRIPTOR,
    MINIDUMP_HANDLE_DESCRIPTOR_2, MINIDUMP_HANDLE_OBJECT_INFORMATION, MINIDUMP_LOCATION_DESCRIPTOR,
    MINIDUMP_MAC_BOOTARGS, MINIDUMP_MAC_CRASH_INFO, MINIDUMP_MODULE_CRASHPAD_INFO, MINIDUMP_MODULE_CRASHPAD_INFO_LINK,
    MINIDUMP_SIMPLE_STRING_DICTIONARY_ENTRY, MINIDUMP_STREAM_TYPE as Kind,
};

use scroll::{Pread, SizeWith};

use super::build::{Builder, Entry};
use super::records::{self, Array};
use super::strings;
use crate::dump::{Class, Label};
use crate::error::Result;

/// What LinuxDsoDebug begins with.
#[derive(Clone, Debug, Pread, SizeWith)]
struct DebugHead {
    _version: u32,
    map: u32,
    count: u32,
}

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

/// Breakpad's copy of `r_debug`: an array of link maps elsewhere, each with the address of a library, its name, and the
/// address of its dynamic section. Version, place and count of the maps come first at either width of pointers.
fn dynamic_linker(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let Some(head) = build.header::<DebugHead>(stream, "LinuxDsoDebug")? else { return Ok(()) };
    if head.map == 0 || head.count == 0 {
        return Ok(());
    }
    let (at, count) = (u64::from(head.map), u64::from(head.count));
    let (stride, name_at) = link_map(build, at, count)?;
    let span = build.reader.clip("link maps", stream.span.from(), at, count * stride);
    build.label(span, stream.label());
    build.class(span, Class::Keep);
    let names = Array { at: span.from() + name_at, stride, count: span.len / stride };
    let mut seen = HashSet::new();
    names.each(build, "link maps", |build, _, rva: u32| {
        strings::mark(build, ("link map name", u64::from(rva), 2), stream.label(), Class::Keep, &mut seen)
    })
}

/// Size of a link map, and where in it the name is.
///
/// `LINK_MAP_64` of the format crate is packed to 20 bytes, and some writers pack it; Breakpad's on x86-64 has 24, since
/// its compilers align the last address. The second map's name tells: a string is there, or it is not.
fn link_map(build: &Builder<'_>, at: u64, count: u64) -> Result<(u64, u64)> {
    const NARROW: (u64, u64) = (12, 4);
    const PACKED: (u64, u64) = (20, 8);
    const ALIGNED: (u64, u64) = (24, 8);
    if build.map.pointer_width == 4 {
        return Ok(NARROW);
    }
    for (stride, name_at) in [ALIGNED, PACKED] {
        let Some(rva) = build.reader.record::<u32>(at + stride + name_at)?.map(u64::from) else { continue };
        let Some(len) = build.reader.record::<u32>(rva)?.map(u64::from) else { continue };
        if count == 1 || len % 2 == 0 && rva + 4 + len <= build.image().len() {
            return Ok((stride, name_at));
        }
    }
    Ok(ALIGNED)
}

/// Records with the messages of crashed libraries inside.
fn mac_crash(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let name = "MozMacosCrashInfoStream";
    let Some(info) = build.header::<MINIDUMP_MAC_CRASH_INFO>(stream, name)? else { return Ok(()) };
    let count = usize::try_from(info.record_count).unwrap_or(usize::MAX);
    if count > info.records.len() {
        let (expected, found) = (format!("at most {} records", info.records.len()), format!("{count}"));
        build.reader.fault(stream.span.from(), name, expected, found);
    }
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

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, cpu, faults, kind, label};
    use super::*;

    /// Puts a Crashpad string: length, bytes, NUL.
    fn utf8(file: &mut File, text: &[u8]) -> u64 {
        let len = file.data(&[(text.len() as u64, 4)]);
        file.put(&[&len, text, b"\0"].concat())
    }

    #[test]
    fn names_of_handles_are_free_and_their_infos_kept() {
        let mut file = File::new(1);
        let (of_type, name) = (file.text("File"), file.text(r"\Device\secret"));
        let second = file.put(&[0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb]);
        let head = file.data(&[(second, 4), (1, 4), (4, 4), (0, 4)]);
        let first = file.put(&head);
        let mut numbers = vec![(16, 4), (40, 4), (2, 4), (0, 4)];
        for object in [name, 0] {
            numbers.extend([(4, 8), (of_type, 4), (object, 4), (0, 4), (0, 4), (0, 4), (0, 4), (first, 4), (0, 4)]);
        }
        let stream = file.numbers(kind::HANDLES, &numbers);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        for (at, expected) in
            [(stream, Class::Keep), (name, Class::Free), (first, Class::Keep), (second + 13, Class::Keep)]
        {
            assert_eq!((label(&map, at).as_str(), class(&map, at)), ("stream HandleDataStream", expected), "{at:#x}");
        }
        assert!(!map.labels.all().iter().any(|(_, label)| *label == Label::Slack), "{:?}", map.labels.all());
    }

    #[test]
    fn values_of_annotations_are_free_and_everything_around_them_kept() {
        let mut file = File::new(1);
        let texts = [&b"key"[..], b"value", b"listed", b"name", b"object"].map(|text| utf8(&mut file, text));
        let [key, value, listed, name, object] = texts;
        let words = file.data(&[(1, 4), (key, 4), (value, 4)]);
        let simple = file.put(&words);
        let words = file.data(&[(1, 4), (listed, 4)]);
        let list = file.put(&words);
        let words = file.data(&[(1, 4), (name, 4), (1, 2), (0, 2), (object, 4)]);
        let objects = file.put(&words);
        let words = file.data(&[(1, 4), (8, 4), (list, 4), (0, 4), (0, 4), (16, 4), (objects, 4)]);
        let module = file.put(&words);
        let words = file.data(&[(1, 4), (0, 4), (28, 4), (module, 4)]);
        let links = file.put(&words);
        let mut numbers = vec![(1, 4)];
        numbers.extend([(0, 8); 4]);
        numbers.extend([(12, 4), (simple, 4), (16, 4), (links, 4)]);
        file.numbers(kind::CRASHPAD, &numbers);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        for (at, expected) in [
            (key + 4, Class::Keep),
            (value + 4, Class::Free),
            (listed + 4, Class::Free),
            (name + 4, Class::Keep),
            (object + 4, Class::Free),
            (module, Class::Keep),
            (links, Class::Keep),
        ] {
            assert_eq!((label(&map, at).as_str(), class(&map, at)), ("stream CrashpadInfoStream", expected), "{at:#x}");
        }
        assert!(!map.labels.all().iter().any(|(_, label)| *label == Label::Slack), "{:?}", map.labels.all());
    }

    #[test]
    fn link_maps_are_found_packed_and_aligned_and_narrow() {
        for (processor, gap, width) in [(cpu::AMD64, 0, 8), (cpu::AMD64, 4, 8), (cpu::X86, 0, 4)] {
            let mut file = File::new(2);
            file.system(processor, 0x8201);
            let names = [file.text("/lib/a.so"), file.text("/lib/b.so")];
            let mut numbers = Vec::new();
            for name in names {
                numbers.extend([(0x7f00_0000, width), (name, 4)]);
                // What pads a structure is what was on the writer's stack.
                numbers.extend((0..gap).map(|_| (0x6e, 1)));
                numbers.push((0x7f12_3456, width));
            }
            let words = file.data(&numbers);
            let maps = file.put(&words);
            file.numbers(kind::DSO, &[(1, 4), (maps, 4), (2, 4), (0, 8), (0, 8), (0, 8)]);
            let map = file.map();
            assert!(map.faults.is_empty(), "{:?}", map.faults);
            for at in [names[0], names[1], maps, maps + words.len() as u64 - 1] {
                assert_eq!((label(&map, at).as_str(), class(&map, at)), ("stream LinuxDsoDebug", Class::Keep));
            }
        }
    }

    #[test]
    fn lists_that_lie_and_places_behind_the_end_are_faults() {
        let mut file = File::new(1);
        let simple = file.put(&[0xff; 8]);
        let mut numbers = vec![(1, 4)];
        numbers.extend([(0, 8); 4]);
        numbers.extend([(8, 4), (simple, 4), (16, 4), (0x7000_0000, 4)]);
        file.numbers(kind::CRASHPAD, &numbers);
        assert_eq!(faults(&file.map()), ["Crashpad list"; 3]);
    }
}
