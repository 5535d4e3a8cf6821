//! The minidump reader against dumps whose truth is known: every record in its place, on every processor, in both orders.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "every test uses a part of the builder")]
mod synth;

use dumpscrub::dump::{self, ByteOrder, DumpMap, Label};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::span::{Address, FileOffset, Span};
use synth::{
    Cpu, Dump, Exception, Memory, MemoryInfo, MinidumpBuilder, Module, Order, Place, RawStream, Registers, Stack,
    System, Thread, What, headers, kind, windows,
};

const ORDERS: [Order; 2] = [Order::Little, Order::Big];

fn map_of(dump: &Dump) -> DumpMap {
    dump::map(&Image::from_bytes("test", dump.bytes.clone()), &Limits::default()).unwrap()
}

fn span(place: Place) -> Span {
    Span::new(place.at as u64, place.len as u64)
}

fn label_at(map: &DumpMap, at: usize) -> Label {
    map.labels.at(at as u64).unwrap()
}

/// The one label of all bytes of a place.
fn label_of(map: &DumpMap, place: Place) -> Label {
    let runs = map.labels.runs(span(place));
    assert_eq!(runs.len(), 1, "{place:?}: {runs:?}");
    runs[0].1
}

fn address_words(cpu: Cpu, address: u64) -> u64 {
    if cpu.pointer_width() == 4 { address & 0xffff_ffff } else { address }
}

/// Two threads, three regions that are not in the order of their addresses, two modules, comments, slack.
fn ordinary(cpu: Cpu, order: Order) -> MinidumpBuilder {
    let mut first = Thread::new(100, Stack::Here(Memory::noise(0x7000_0000, 0x200, 1)));
    first.name = Some("main".to_owned());
    first.registers = Registers { ip: 0x40_1234, sp: 0x7000_0010, fp: 0x7000_0080, xmm: vec![[7; 16]] };
    let mut second = Thread::new(200, Stack::Here(Memory::noise(0x7100_0000, 0x101, 2)));
    second.registers = Registers { ip: 0x40_2000, sp: 0x7100_0020, fp: 0, xmm: Vec::new() };
    let mut app = Module::new("C:\\demo\\app.exe", 0x40_0000, 0x4000);
    app.codeview = headers::codeview("app.pdb");
    MinidumpBuilder {
        order,
        process_id: Some(4711),
        exception: Some(Exception {
            thread: 200,
            code: 0xc000_0005,
            address: 0x40_2000,
            registers: second.registers.clone(),
        }),
        threads: vec![first, second],
        modules: vec![app, Module::new("C:\\demo\\b.dll", 0x60_0000, 0x2000)],
        memory: vec![
            Memory::noise(0x9000, 0x333, 3),
            Memory::noise(0x8000, 0x1000, 4),
            Memory::new(0x40_0000, headers::pe(cpu, 0x40_0000, 0x4000)),
        ],
        comment_a: Some("made for a test".to_owned()),
        slack_before_memory: synth::Blob::noise(39, 5),
        slack_at_end: synth::Blob::noise(17, 6),
        ..MinidumpBuilder::new(cpu, System::Windows)
    }
}

#[test]
fn everything_is_in_its_place_on_every_processor_in_both_orders() {
    for cpu in Cpu::ALL {
        for order in ORDERS {
            let dump = ordinary(cpu, order).build();
            let map = map_of(&dump);
            assert_eq!((map.format, map.pointer_width), ("minidump", cpu.pointer_width()), "{cpu:?} {order:?}");
            assert_eq!(map.byte_order == ByteOrder::Little, order == Order::Little);
            assert_eq!(map.faults, [], "{cpu:?} {order:?}");
            threads_are_right(&dump, &map, cpu);
            modules_are_right(&map);
            memory_is_right(&dump, &map);
            labels_are_right(&dump, &map);
        }
    }
}

fn threads_are_right(dump: &Dump, map: &DumpMap, cpu: Cpu) {
    let seen: Vec<(u64, Option<&str>, bool)> =
        map.threads.iter().map(|thread| (thread.id, thread.name.as_deref(), thread.crashed)).collect();
    assert_eq!(seen, [(100, Some("main"), false), (200, None, true)]);
    for (i, (ip, sp)) in [(0x40_1234, 0x7000_0010), (0x40_2000, 0x7100_0020)].into_iter().enumerate() {
        let registers = map.threads[i].registers.unwrap();
        assert_eq!((registers.ip.0, registers.sp.0), (ip, address_words(cpu, sp)), "{cpu:?}");
        // Of the thread that crashed, the registers are those at the crash.
        let context = if map.threads[i].crashed { What::ExceptionContext } else { What::Context(i) };
        assert_eq!(map.threads[i].context, Some(span(dump.place(context))));
        let stack = dump.place(What::Stack(i));
        assert_eq!(map.threads[i].stack, Some((Address(stack.address.unwrap()), stack.len as u64)));
    }
}

fn modules_are_right(map: &DumpMap) {
    let seen: Vec<(&str, u64, u64)> = map.modules.iter().map(|m| (m.name.as_str(), m.base.0, m.size)).collect();
    assert_eq!(seen, [("C:\\demo\\app.exe", 0x40_0000, 0x4000), ("C:\\demo\\b.dll", 0x60_0000, 0x2000)]);
    assert_eq!(map.modules[0].short_name(), "app.exe");
    assert!(map.modules[0].header.as_deref().is_some_and(|header| header.starts_with("PE")), "{:?}", map.modules[0]);
    assert_eq!(map.modules[1].header, None, "its header is not in the dump");
}

fn memory_is_right(dump: &Dump, map: &DumpMap) {
    for what in [What::Stack(0), What::Stack(1), What::Memory(0), What::Memory(1), What::Memory(2)] {
        let place = dump.place(what);
        let address = Address(place.address.unwrap());
        let region = map.regions.iter().find(|region| region.span == span(place)).unwrap();
        assert_eq!(region.address, Some(address), "{what:?}");
        let last = place.at + place.len - 1;
        assert_eq!(
            dump::Places::new(map).address_of(FileOffset(last as u64)),
            Some(Address(address.0 + place.len as u64 - 1))
        );
    }
}

fn labels_are_right(dump: &Dump, map: &DumpMap) {
    assert_eq!(label_of(map, dump.place(What::Header)), Label::Header);
    assert_eq!(label_of(map, dump.place(What::Directory)), Label::Header);
    for i in 0..2 {
        assert_eq!(label_of(map, dump.place(What::Stack(i))), Label::Stack(i));
        assert_eq!(label_of(map, dump.place(What::Context(i))), Label::Registers(i));
    }
    assert_eq!(label_of(map, dump.place(What::Memory(1))), Label::Memory);
    assert_eq!(label_of(map, dump.place(What::Memory(2))), Label::Module(0));
    let stream = |i: usize| &map.streams[i];
    for which in [kind::THREAD_LIST, kind::MODULE_LIST, kind::MEMORY_LIST, kind::SYSTEM_INFO, kind::COMMENT_A] {
        let place = dump.place(What::Stream(which));
        let Label::Stream(i) = label_of(map, place) else { unreachable(which) };
        assert_eq!((stream(i).span, stream(i).declared), (span(place), place.len as u64));
    }
    let slack: Vec<&Place> = dump.places.iter().filter(|place| place.what == What::Slack).collect();
    assert_eq!(slack.len(), 2);
    assert!(slack.iter().all(|place| label_of(map, **place) == Label::Slack));
}

fn unreachable(kind: u32) -> ! {
    panic!("stream {kind} is not labelled as a stream")
}

#[test]
fn texts_that_records_point_at_belong_to_their_streams() {
    let dump = ordinary(Cpu::Amd64, Order::Little).build();
    let map = map_of(&dump);
    for (what, stream) in [
        (What::ModuleName(0), "ModuleListStream"),
        (What::CodeView(0), "ModuleListStream"),
        (What::ThreadName(0), "ThreadNamesStream"),
    ] {
        let Label::Stream(i) = label_at(&map, dump.place(what).at + 4) else { unreachable(0) };
        assert_eq!(map.streams[i].name, stream, "{what:?}");
    }
}

#[test]
fn a_memory64_list_is_read_where_base_rva_says() {
    for order in ORDERS {
        let memory64 =
            vec![Memory::noise(0x5000, 0x123, 1), Memory::noise(0x1000, 0x77, 2), Memory::noise(0x2_0000_0000, 9, 3)];
        let dump = MinidumpBuilder { order, memory64, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build();
        let map = map_of(&dump);
        let seen: Vec<(Span, Option<Address>)> =
            map.regions.iter().map(|region| (region.span, region.address)).collect();
        let truth: Vec<(Span, Option<Address>)> = (0..3)
            .map(|i| dump.place(What::Memory64(i)))
            .map(|place| (span(place), place.address.map(Address)))
            .collect();
        assert_eq!(seen, truth);
        assert_eq!(map.faults, []);
    }
}

#[test]
fn both_lists_of_one_dump_are_read() {
    let memory = vec![Memory::noise(0x1000, 0x80, 1)];
    let memory64 = vec![Memory::noise(0x9000, 0x80, 2)];
    let dump = MinidumpBuilder { memory, memory64, ..MinidumpBuilder::new(Cpu::Amd64, System::Linux) }.build();
    let map = map_of(&dump);
    let mut addresses: Vec<u64> = map.regions.iter().filter_map(|region| region.address).map(|a| a.0).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, [0x1000, 0x9000]);
}

#[test]
fn a_stack_with_rva_zero_is_found_by_its_address() {
    let threads = vec![
        Thread::new(1, Stack::Claimed { address: 0x7000_0000, size: 0x1000, rva: 0 }),
        Thread::new(2, Stack::Claimed { address: 0x7800_0800, size: 0x800, rva: 0 }),
    ];
    // The second stack is only a part of the region that holds it.
    let memory64 = vec![Memory::noise(0x7800_0000, 0x2000, 2), Memory::noise(0x7000_0000, 0x1000, 1)];
    let dump = MinidumpBuilder { threads, memory64, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build();
    let map = map_of(&dump);
    assert_eq!(label_of(&map, dump.place(What::Memory64(1))), Label::Stack(0));
    let region = dump.place(What::Memory64(0)).at;
    let labels = [0x7ff, 0x800, 0xfff, 0x1000].map(|into| label_at(&map, region + into));
    assert_eq!(labels, [Label::Memory, Label::Stack(1), Label::Stack(1), Label::Memory]);
    assert_eq!(map.threads[1].stack, Some((Address(0x7800_0800), 0x800)));
}

#[test]
fn what_windows_knows_of_a_process_is_labelled() {
    let environment = ["PATH=C:\\", "DB_PASSWORD=swordfish"];
    let blocks = windows::ProcessBlocks {
        base: 0x10_0000,
        process_id: 4,
        thread_id: 8,
        stack: (0x7000_1000, 0x6000_0000),
        image_base: 0x40_0000,
        image_path: "C:\\demo\\app.exe",
        command_line: "app.exe --token hunter2",
        environment: &environment,
    };
    let mut thread = Thread::new(8, Stack::None);
    thread.teb = blocks.base;
    let builder = MinidumpBuilder {
        threads: vec![thread],
        memory64: vec![blocks.memory()],
        ..MinidumpBuilder::new(Cpu::Amd64, System::Windows)
    };
    let dump = builder.build();
    let map = map_of(&dump);
    let start = dump.place(What::Memory64(0)).at;
    assert_eq!(label_at(&map, start), Label::Teb(0));
    assert_eq!(label_at(&map, start + 0x1000), Label::Peb);
    let secret = |name: &str| dump.planted(name).pieces[0].0;
    assert_eq!(label_at(&map, secret("command line")), Label::CommandLine);
    assert_eq!(label_at(&map, secret("PATH")), Label::Environ);
    assert_eq!(label_at(&map, secret("DB_PASSWORD")), Label::Environ);
}

#[test]
fn what_linux_knows_of_a_process_is_labelled() {
    for order in ORDERS {
        let maps = b"10000-12000 rw-p 00000000 00:00 0          [heap]\n20000-21000 r-xp 00000000 08:01 7 /opt/demo\n";
        let builder = MinidumpBuilder {
            order,
            memory: vec![Memory::noise(0x1_0800, 0x100, 1), Memory::noise(0x2_0000, 0x100, 2)],
            streams: vec![
                RawStream::new(kind::LINUX_ENVIRON, *b"A=b\0PASSWORD=swordfish\0"),
                RawStream::new(kind::LINUX_CMD_LINE, *b"/opt/demo\0--token\0hunter2\0"),
                RawStream::new(kind::LINUX_MAPS, *maps),
            ],
            ..MinidumpBuilder::new(Cpu::Amd64, System::Linux)
        };
        let dump = builder.build();
        let map = map_of(&dump);
        assert_eq!(label_at(&map, dump.place(What::Stream(kind::LINUX_ENVIRON)).at + 9), Label::Environ);
        assert_eq!(label_at(&map, dump.place(What::Stream(kind::LINUX_CMD_LINE)).at + 9), Label::CommandLine);
        let heap = dump.place(What::Memory(0));
        assert_eq!(label_of(&map, heap), Label::Heap);
        let rights = |what: What| {
            let at = span(dump.place(what));
            map.regions.iter().find(|region| region.span == at).unwrap().protection.unwrap()
        };
        assert!(rights(What::Memory(0)).write && !rights(What::Memory(0)).execute);
        assert!(rights(What::Memory(1)).execute && !rights(What::Memory(1)).write);
    }
}

#[test]
fn the_memory_info_list_gives_rights() {
    for order in ORDERS {
        let builder = MinidumpBuilder {
            order,
            memory64: vec![
                Memory::noise(0x1_0000, 0x100, 1),
                Memory::noise(0x2_0000, 0x100, 2),
                Memory::noise(0x3_0000, 4, 3),
            ],
            memory_info: vec![
                MemoryInfo { base: 0x2_0000, size: 0x1000, protect: 0x20, kind: 0x100_0000 },
                MemoryInfo { base: 0x1_0000, size: 0x1000, protect: 4, kind: 0x2_0000 },
            ],
            ..MinidumpBuilder::new(Cpu::Amd64, System::Windows)
        };
        let map = map_of(&builder.build());
        let rights: Vec<Option<(bool, bool, bool)>> =
            map.regions.iter().map(|r| r.protection.map(|p| (p.read, p.write, p.execute))).collect();
        assert_eq!(rights, [Some((true, true, false)), Some((true, false, true)), None]);
    }
}

#[test]
fn module_headers_in_memory_tell_what_a_module_is() {
    let base = 0x40_0000;
    let pe = [(Cpu::X86, "PE x86"), (Cpu::Amd64, "PE x86-64"), (Cpu::Arm64, "PE arm64")];
    let elf = [(Cpu::X86, "ELF x86"), (Cpu::Amd64, "ELF x86-64"), (Cpu::Arm, "ELF arm"), (Cpu::Arm64, "ELF arm64")];
    let macho = [(Cpu::Amd64, "Mach-O x86-64"), (Cpu::Arm64, "Mach-O arm64")];
    let images = pe
        .map(|(cpu, name)| (cpu, name, headers::pe(cpu, base, 0x4000)))
        .into_iter()
        .chain(elf.map(|(cpu, name)| (cpu, name, headers::elf(cpu, Order::Little, 0x4000))))
        .chain(macho.map(|(cpu, name)| (cpu, name, headers::macho(cpu, base, 0x4000))));
    for (cpu, name, bytes) in images {
        let modules = vec![Module::new("demo", base, 0x4000)];
        let memory = vec![Memory::new(base, bytes)];
        let dump = MinidumpBuilder { modules, memory, ..MinidumpBuilder::new(cpu, System::Linux) }.build();
        assert_eq!(map_of(&dump).modules[0].header.as_deref(), Some(name));
    }
}
