//! Modules, loaded and gone: names, ranges, debug records, and what their headers in memory say.

use std::collections::HashSet;

use minidump_common::format::{MINIDUMP_MODULE, MINIDUMP_STREAM_TYPE as Kind, MINIDUMP_UNLOADED_MODULE};
use scroll::{Pread, SizeWith};

use super::build::{Builder, Entry};
use super::{records, strings};
use crate::dump::module_header::HEADER;
use crate::dump::{Class, Label, Module};
use crate::error::Result;
use crate::span::{Address, FileOffset};

/// What UnloadedModuleListStream begins with.
#[derive(Clone, Debug, Pread, SizeWith)]
struct ListHeader {
    size_of_header: u32,
    size_of_entry: u32,
    count: u32,
}

/// Reads the lists of modules.
pub(super) fn read(build: &mut Builder<'_>) -> Result<()> {
    build.each_stream(Kind::ModuleListStream, |build, stream| {
        let array = records::counted::<MINIDUMP_MODULE>(build, stream, "ModuleListStream")?;
        array.each(build, "modules", |build, at, module| add(build, stream, at, &module))
    })?;
    build.each_stream(Kind::UnloadedModuleListStream, unloaded)
}

fn add(build: &mut Builder<'_>, stream: Entry, at: FileOffset, record: &MINIDUMP_MODULE) -> Result<()> {
    let name = strings::utf16(build, "module name", u64::from(record.module_name_rva))?;
    strings::keep(build, &name, stream.label());
    // The debug records say which symbols fit; without them a stack has no names.
    for (what, location, class) in
        [("CodeView record", record.cv_record, Class::Frozen), ("debug record", record.misc_record, Class::Keep)]
    {
        let (rva, len) = (u64::from(location.rva), u64::from(location.data_size));
        if rva != 0 && len != 0 {
            let span = build.reader.clip(what, at.0, rva, len);
            build.label(span, stream.label());
            build.class(span, class);
        }
    }
    let (base, size) = (Address(record.base_of_image), u64::from(record.size_of_image));
    build.memory_labels.paint(base, size, Label::Module(build.map.modules.len()));
    build.memory_classes.paint(base, size.min(HEADER), Class::Keep);
    build.map.modules.push(Module { name: name.text, base, size, header: None });
    Ok(())
}

fn unloaded(build: &mut Builder<'_>, stream: Entry) -> Result<()> {
    let name = "UnloadedModuleListStream";
    let Some(header) = build.header::<ListHeader>(stream, name)? else { return Ok(()) };
    let header = (header.size_of_header, header.size_of_entry, u64::from(header.count));
    let Some(array) = records::sized::<MINIDUMP_UNLOADED_MODULE>(build, stream, header, name) else { return Ok(()) };
    let mut seen = HashSet::new();
    array.each(build, "unloaded modules", |build, _, module: MINIDUMP_UNLOADED_MODULE| {
        let name = ("name of an unloaded module", u64::from(module.module_name_rva), 2);
        strings::mark(build, name, stream.label(), Class::Keep, &mut seen)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, class, faults, kind, label, module};
    use super::*;

    #[test]
    fn a_module_has_its_range_its_names_and_its_debug_record() {
        let mut file = File::new(3);
        let memory = file.memory(0x40_0000, &[1; 0x3000]);
        let name = file.text(r"C:\app\a.dll");
        let code_view = file.put(b"RSDS................a.pdb\0");
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0x40_0800, 0x2000, name, (26, code_view)));
        file.numbers(kind::MODULES, &numbers);
        let gone = file.text("gone.dll");
        let unloaded = [(12, 4), (24, 4), (1, 4), (0x50_0000, 8), (0x1000, 4), (0, 4), (0, 4), (gone, 4)];
        file.numbers(kind::UNLOADED, &unloaded);
        let map = file.map();
        assert!(map.faults.is_empty(), "{:?}", map.faults);
        assert_eq!(map.modules[0].short_name(), "a.dll");
        let labels = [0x7ff, 0x800, 0x27ff, 0x2800].map(|i| label(&map, memory + i));
        assert_eq!(labels, ["memory", "module a.dll", "module a.dll", "memory"]);
        assert_eq!([0x7ff, 0x800, 0x1800].map(|i| class(&map, memory + i)), [Class::Free, Class::Keep, Class::Free]);
        assert_eq!(
            (label(&map, code_view).as_str(), class(&map, code_view)),
            ("stream ModuleListStream", Class::Frozen)
        );
        assert_eq!((label(&map, name + 28).as_str(), class(&map, name)), ("stream ModuleListStream", Class::Keep));
        assert_eq!(label(&map, gone + 4), "stream UnloadedModuleListStream");
        assert!(!map.labels.all().iter().any(|(_, label)| *label == Label::Slack), "{:?}", map.labels.all());
    }

    #[test]
    fn names_and_records_behind_the_end_are_faults() {
        let mut file = File::new(1);
        let mut numbers = vec![(1, 4)];
        numbers.extend(module(0, 0xffff_ffff, 0x7000_0000, (5, 0x7000_0000)));
        file.numbers(kind::MODULES, &numbers);
        let map = file.map();
        assert_eq!(faults(&map), ["CodeView record", "module name"]);
        assert_eq!(map.modules[0].name, "");
    }
}
