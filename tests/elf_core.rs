//! ELF cores whose truth is known: every processor, every record in its place, and cores that lie or end early.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "every test uses a part of the builder")]
mod synth;

use std::time::{Duration, Instant};

use dumpscrub::dump::{self, ByteOrder, Class, DumpMap, Label};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::scan::{self, Engine, Options, Quiet};
use dumpscrub::span::{Address, Span};
use synth::elf::{self, Core, ElfBuilder, MACHINES, Machine, Note, S390X, Segment, X86_64};
use synth::forms::{self, Lines};
use synth::{Memory, Order, der, keys};

/// Maps the bytes and checks what must hold of every map.
fn map_bytes(bytes: &[u8]) -> DumpMap {
    let map = dump::map(&Image::from_bytes("test", bytes.to_vec()), &Limits::default()).unwrap();
    let len = bytes.len() as u64;
    tiles(&map.labels.all().iter().map(|run| run.0).collect::<Vec<_>>(), len);
    tiles(&map.classes.all().iter().map(|run| run.0).collect::<Vec<_>>(), len);
    let inside = |span: &Span| span.is_empty() || span.end() <= len;
    let regions = map.regions.iter().map(|region| &region.span);
    let outside = regions.chain(map.streams.iter().map(|s| &s.span)).chain(&map.pointer_words).find(|s| !inside(s));
    assert_eq!(outside, None, "of {len} bytes");
    map
}

fn tiles(runs: &[Span], len: u64) {
    assert_eq!(runs.first().map_or(0, Span::from), 0);
    assert_eq!(runs.last().map_or(0, Span::end), len);
    assert!(runs.windows(2).all(|pair| pair[0].end() == pair[1].from()), "{runs:?}");
}

fn label_at(map: &DumpMap, at: usize) -> Label {
    map.labels.at(at as u64).unwrap()
}

fn class_at(map: &DumpMap, at: usize) -> Class {
    map.classes.at(at as u64).unwrap()
}

fn says(map: &DumpMap, words: &str) -> bool {
    map.faults.iter().any(|fault| fault.to_string().contains(words))
}

const READ: u32 = 4;
const WRITE: u32 = 2;

/// The first stack of a process with two arguments and two variables, at 0x7000_0000; and its auxiliary vector.
struct FirstStack {
    memory: Memory,
    vector: Vec<u8>,
    arguments: std::ops::Range<usize>,
    environment: std::ops::Range<usize>,
    pointers: usize,
}

fn first_stack(machine: Machine) -> FirstStack {
    const BASE: u64 = 0x7000_0000;
    let width = machine.width();
    let strings = 0x800;
    let (arguments, environment) = (&b"program\0--token=abc\0"[..], &b"A=first\0PASSWORD=second\0"[..]);
    let at = |into: usize| BASE + into as u64;
    let (first, second) = (strings, strings + 8);
    let variables = strings + arguments.len();
    let name = variables + environment.len();
    // AT_PAGESZ, AT_RANDOM, AT_EXECFN, AT_NULL.
    let vector = elf::words(machine, &[6, 4096, 25, at(strings - 16), 31, at(name), 0, 0]);
    let lists = elf::words(machine, &[2, at(first), at(second), 0, at(variables), at(variables + 8), 0]);
    let pointers = 0x700 / width * width;
    let mut memory = Memory::noise(BASE, 0x1000, 9).with(pointers, &lists).with(pointers + lists.len(), &vector);
    memory = memory.with(strings, arguments).with(variables, environment).with(name, b"/bin/program\0");
    FirstStack { memory, vector, arguments: strings..variables, environment: variables..name, pointers }
}

/// A process with two threads, a module, a heap and a first stack.
fn ordinary(machine: Machine) -> (ElfBuilder, FirstStack) {
    let stack = first_stack(machine);
    let mut build = ElfBuilder::new(machine);
    build.notes = vec![
        elf::status(machine, 100, 11, 0x40_1234, 0x7000_0100),
        elf::process(machine, 100, "program --token=abc"),
        Note::new("CORE", 6, stack.vector.clone()),
        elf::files(
            machine,
            &[
                (0x40_0000, 0x40_1000, 0, "/bin/program"),
                (0x40_1000, 0x40_3000, 1, "/bin/program"),
                (0x60_0000, 0x60_1000, 0, "/lib/b.so"),
            ],
        ),
        Note::new("CORE", 2, vec![7; 512]),
        elf::status(machine, 101, 11, 0x40_2000, 0x6500_0040),
    ];
    build.segments = vec![
        Segment { memory_len: Some(0x3000), ..Segment::new(Memory::noise(0x40_0000, 0x1000, 1), READ) },
        Segment::new(Memory::noise(0x41_0000, 0x1000, 2), READ | WRITE),
        Segment { memory_len: Some(0x1000), ..Segment::new(Memory::new(0x60_0000, Vec::new()), READ) },
        Segment::new(Memory::noise(0x6500_0000, 0x800, 3), READ | WRITE),
        Segment::new(stack.memory.clone(), READ | WRITE),
    ];
    (build, stack)
}

#[test]
fn every_processor_in_its_orders() {
    for &machine in MACHINES {
        for (notes_last, align) in [(false, 4), (true, 4), (true, 8)] {
            let (mut build, stack) = ordinary(machine);
            (build.notes_last, build.align) = (notes_last, align);
            let core = build.build();
            let map = map_bytes(&core.bytes);
            let what = format!("{machine:?} {notes_last} {align}");
            assert_eq!((map.format, map.pointer_width), ("ELF core", machine.width()), "{what}");
            assert_eq!(map.byte_order == ByteOrder::Little, machine.order == Order::Little, "{what}");
            assert_eq!(map.faults, [], "{what}");
            assert!(map.about.contains(&("cpu", machine.name.to_owned())), "{what}: {:?}", map.about);
            assert!(map.about.contains(&("process id", "100".to_owned())), "{what}: {:?}", map.about);
            threads_are_right(&map, &what);
            places_are_right(&map, &core, &stack, &what);
        }
    }
}

fn threads_are_right(map: &DumpMap, what: &str) {
    let seen: Vec<(u64, bool)> = map.threads.iter().map(|thread| (thread.id, thread.crashed)).collect();
    assert_eq!(seen, [(100, true), (101, false)], "{what}");
    let registers: Vec<(u64, u64)> =
        map.threads.iter().map(|thread| thread.registers.map(|r| (r.ip.0, r.sp.0)).unwrap()).collect();
    assert_eq!(registers, [(0x40_1234, 0x7000_0100), (0x40_2000, 0x6500_0040)], "{what}");
    assert_eq!(map.threads[0].stack, Some((Address(0x7000_0000), 0x1000)), "{what}");
    assert_eq!(map.threads[1].stack, Some((Address(0x6500_0000), 0x800)), "{what}");
    let modules: Vec<(&str, u64, u64)> = map.modules.iter().map(|m| (m.name.as_str(), m.base.0, m.size)).collect();
    assert_eq!(modules, [("/bin/program", 0x40_0000, 0x3000), ("/lib/b.so", 0x60_0000, 0x1000)], "{what}");
}

fn places_are_right(map: &DumpMap, core: &Core, stack: &FirstStack, what: &str) {
    assert_eq!(label_at(map, 0), Label::Header, "{what}");
    assert_eq!(label_at(map, core.headers_end - 1), Label::Header, "{what}");
    let labels: Vec<Label> = core.notes.iter().map(|&(_, content)| label_at(map, content + 4)).collect();
    let stream = Label::Stream;
    let registers = Label::Registers;
    assert_eq!(labels, [registers(0), stream(1), stream(2), stream(3), registers(0), registers(1)], "{what}");
    assert!(core.notes.iter().all(|&(at, _)| class_at(map, at) == Class::Frozen), "{what}");
    assert_eq!(class_at(map, core.notes[0].1), Class::Frozen, "{what}");
    // Vector registers may be edited, and so may the command line in NT_PRPSINFO.
    assert_eq!(class_at(map, core.notes[4].1 + 100), Class::Free, "{what}");
    let arguments = core.notes[2].0 - 80;
    assert_eq!((label_at(map, arguments), class_at(map, arguments)), (Label::CommandLine, Class::Free), "{what}");
    let segment = |i: usize| label_at(map, core.segments[i] + 0x20);
    assert_eq!([segment(0), segment(3), segment(4)], [Label::Module(0), Label::Stack(1), Label::Stack(0)], "{what}");
    let strings = |range: &std::ops::Range<usize>| {
        let (from, to) = (core.segments[4] + range.start, core.segments[4] + range.end);
        map.labels.runs(Span::between(from as u64, to as u64)).iter().map(|run| run.1).collect::<Vec<_>>()
    };
    assert_eq!(strings(&stack.arguments), [Label::CommandLine], "{what}");
    assert_eq!(strings(&stack.environment), [Label::Environ], "{what}");
    assert_eq!(label_at(map, core.segments[4] + stack.arguments.start - 1), Label::Stack(0), "{what}");
    assert_eq!(label_at(map, core.segments[4] + stack.environment.end), Label::Stack(0), "{what}");
    assert_eq!(class_at(map, core.segments[4] + stack.pointers), Class::Keep, "{what}");
    assert_eq!(class_at(map, core.segments[4] + stack.environment.start), Class::Free, "{what}");
    assert_eq!(
        dumpscrub::dump::Places::new(map).address_of(dumpscrub::span::FileOffset(core.segments[3] as u64 + 5)),
        Some(Address(0x6500_0005))
    );
}

#[test]
fn more_segments_than_sixteen_bits_can_count() {
    let started = Instant::now();
    let mut build = ElfBuilder { many: true, ..ElfBuilder::new(X86_64) };
    // In reverse: neighbours in address are never neighbours in the file.
    build.segments =
        (0..66_000).rev().map(|i| Segment::new(Memory::noise(0x10_0000 + i * 16, 16, i), READ | WRITE)).collect();
    build.notes = vec![elf::status(X86_64, 1, 0, 0x10_0000, 0x10_0100)];
    let core = build.build();
    let map = map_bytes(&core.bytes);
    assert_eq!((map.regions.len(), map.faults.len(), map.gaps.len()), (66_000, 0, 0));
    assert_eq!(label_at(&map, core.bytes.len() - 1), Label::Header, "section header 0");
    // Cut before its last header, the number is gone; memory begins where the program headers end.
    let cut = map_bytes(&core.bytes[..core.bytes.len() - 100]);
    assert!(says(&cut, "section header 0"), "{:?}", cut.faults);
    assert!(cut.regions.len() >= 65_990, "{} regions", cut.regions.len());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn cut_at_every_byte_of_its_headers_and_notes() {
    for machine in [X86_64, S390X] {
        let (build, _) = ordinary(machine);
        let core = build.build();
        for end in 18..core.segments[0] + 3 {
            let map = map_bytes(&core.bytes[..end]);
            assert_eq!(map.format, "ELF core");
            assert!(!map.faults.is_empty(), "cut at {end}");
        }
    }
}

#[test]
fn cut_in_half_tells_once_of_all_that_is_missing() {
    let mut build = ElfBuilder::new(X86_64);
    build.segments = (0..100).map(|i| Segment::new(Memory::noise(0x10_0000 + i * 0x1000, 0x1000, i), READ)).collect();
    let core = build.build();
    let map = map_bytes(&core.bytes[..core.segments[50] + 7]);
    assert_eq!(map.faults.len(), 2, "{:#?}", map.faults);
    assert!(says(&map, "200704 bytes of 49 ranges"), "{:#?}", map.faults);
    assert_eq!(map.regions.len(), 51);
    assert_eq!(map.regions[50].span.len, 7);
}

#[test]
fn header_fields_of_any_value() {
    for machine in [X86_64, S390X, MACHINES[1]] {
        let (build, _) = ordinary(machine);
        let core = build.build();
        for width in [2, 4, machine.width()] {
            let most = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
            // Behind the identification and the type, up to the end of the third program header.
            for at in (18..core.headers_end.min(240) - width).step_by(2) {
                for value in [0, 1, most - 1, most, most / 2 + 1] {
                    let mut bytes = core.bytes.clone();
                    bytes[at..at + width].copy_from_slice(&machine.order.bytes(value, width));
                    map_bytes(&bytes);
                }
            }
        }
    }
}

#[test]
fn notes_that_lie() {
    for claims in [u32::MAX, u32::MAX - 11, 0x8000_0000, 10_000] {
        let mut build = ElfBuilder::new(X86_64);
        build.notes = vec![elf::status(X86_64, 1, 0, 1, 2), Note::new("CORE", 6, vec![0; 64])];
        build.notes[1].claims = Some(claims);
        build.segments = vec![Segment::new(Memory::noise(0x1000, 0x100, 1), READ)];
        let map = map_bytes(&build.build().bytes);
        assert!(says(&map, "note at"), "{:?}", map.faults);
        assert_eq!((map.threads.len(), map.regions.len()), (1, 1));
    }
    // Numbers inside NT_FILE, and a status of no size that is known.
    let mut build = ElfBuilder::new(X86_64);
    build.notes = vec![
        Note::new("CORE", 0x4649_4c45, elf::words(X86_64, &[u64::MAX, 4096, 1, 2, 3, 4])),
        Note::new("CORE", 0x4649_4c45, elf::words(X86_64, &[1, 4096, 0, u64::MAX, u64::MAX])),
        Note::new("CORE", 1, vec![1; 100]),
    ];
    let map = map_bytes(&build.build().bytes);
    assert!(says(&map, "NT_FILE") && says(&map, "NT_PRSTATUS"), "{:?}", map.faults);
}

#[test]
fn overlapping_segments_each_have_their_bytes() {
    let mut build = ElfBuilder::new(X86_64);
    build.segments = (0..50).map(|i| Segment::new(Memory::noise(0x1000 + i * 8, 0x400, i), READ | WRITE)).collect();
    let map = map_bytes(&build.build().bytes);
    assert_eq!((map.regions.len(), map.faults.len()), (50, 0));
}

#[test]
fn not_dumped_is_no_fault() {
    let mut build = ElfBuilder::new(X86_64);
    let absent = Segment { memory_len: Some(1 << 30), ..Segment::new(Memory::new(0x5000_0000, Vec::new()), READ) };
    build.segments = vec![absent, Segment::new(Memory::noise(0x1000, 64, 1), READ)];
    let map = map_bytes(&build.build().bytes);
    assert_eq!((map.regions.len(), map.faults.len()), (1, 0));
}

#[test]
fn a_file_is_a_module_for_each_time_it_is_mapped_and_shared_memory_is_none() {
    let mut build = ElfBuilder::new(X86_64);
    let files = [
        (0x10_0000, 0x10_1000, 0, "/lib/a.so"),
        (0x10_1000, 0x10_2000, 1, "/lib/a.so"),
        // A gap, as linkers leave it.
        (0x30_1000, 0x30_2000, 2, "/lib/a.so"),
        (0x40_0000, 0x40_1000, 0, "/lib/a.so"),
        (0x50_0000, 0x50_1000, 0, "/dev/zero (deleted)"),
        (0x7000_0000, 0x7000_1000, 3, "/lib/a.so"),
    ];
    build.notes = vec![elf::files(X86_64, &files)];
    build.segments = vec![Segment::new(Memory::noise(0x50_0000, 0x1000, 1), READ | WRITE)];
    let core = build.build();
    let map = map_bytes(&core.bytes);
    let modules: Vec<(u64, u64)> = map.modules.iter().map(|module| (module.base.0, module.size)).collect();
    assert_eq!(modules, [(0x10_0000, 0x20_2000), (0x40_0000, 0x1000), (0x7000_0000, 0x1000)]);
    assert_eq!(label_at(&map, core.segments[0]), Label::Memory);
}

#[test]
fn many_mapped_files_take_no_time() {
    let started = Instant::now();
    let paths: Vec<String> = (0..100_000).map(|i| format!("/lib/{i}.so")).collect();
    let at = |i: usize| 0x10_0000 + 0x1000 * i as u64;
    let files: Vec<(u64, u64, u64, &str)> =
        paths.iter().enumerate().map(|(i, path)| (at(i), at(i) + 0x1000, 0, path.as_str())).collect();
    let mut build = ElfBuilder::new(X86_64);
    build.notes = vec![elf::files(X86_64, &files)];
    let map = map_bytes(&build.build().bytes);
    assert_eq!((map.modules.len(), map.faults.len()), (100_000, 0));
    assert_eq!((map.modules[99_999].name.as_str(), map.modules[99_999].base), ("/lib/99999.so", Address(at(99_999))));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn the_memory_of_a_machine_is_told_from_a_process() {
    let mut build = ElfBuilder::new(X86_64);
    build.notes = vec![Note::new("VMCOREINFO", 0, *b"OSRELEASE=6.1\n")];
    build.segments = vec![
        Segment { physical: 0x20_0000, ..Segment::new(Memory::noise(0, 64, 1), READ) },
        Segment { physical: 0x90_0000, ..Segment::new(Memory::noise(0xffff_8880_0000_0000, 64, 1), READ) },
    ];
    let map = map_bytes(&build.build().bytes);
    let addresses: Vec<u64> = map.regions.iter().map(|region| region.address.unwrap().0).collect();
    assert_eq!(addresses, [0x20_0000, 0xffff_8880_0000_0000]);
    assert!(map.about.iter().any(|(key, value)| *key == "memory" && value.contains("physical")), "{:?}", map.about);
}

#[test]
fn threads_of_the_bsds() {
    let (ip, sp) = (0x40_1234_u64, 0x7000_0100_u64);
    let number = |at: usize, value: u64, bytes: &mut Vec<u8>| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    // FreeBSD: prstatus_t of 48 bytes before struct reg; rip is its 18th long, rsp its 21st.
    let mut free = vec![0; 48 + 176];
    free[36] = 11;
    free[40..44].copy_from_slice(&100_123_u32.to_le_bytes());
    number(48 + 17 * 8, ip, &mut free);
    number(48 + 20 * 8, sp, &mut free);
    let mut net = vec![0; 26 * 8];
    number(21 * 8, ip, &mut net);
    number(24 * 8, sp, &mut net);
    let mut open = vec![0; 24 * 8];
    number(16 * 8, ip, &mut open);
    number(15 * 8, sp, &mut open);
    for (notes, id, name) in [
        (
            vec![Note::new("FreeBSD", 1, free), Note::new("FreeBSD", 7, *b"worker\0\0\0\0\0\0\0\0\0\0\0\0\0\0")],
            100_123,
            Some("worker"),
        ),
        (vec![Note::new("NetBSD-CORE@7", 33, net)], 7, None),
        (vec![Note::new("OpenBSD@1042", 20, open)], 1042, None),
    ] {
        let mut build = ElfBuilder { notes, ..ElfBuilder::new(X86_64) };
        build.segments = vec![Segment::new(Memory::noise(0x7000_0000, 0x400, 1), READ | WRITE)];
        let map = map_bytes(&build.build().bytes);
        let thread = &map.threads[0];
        assert_eq!((thread.id, thread.name.as_deref()), (id, name));
        assert_eq!(thread.registers.map(|r| (r.ip.0, r.sp.0)), Some((ip, sp)), "{id}");
        assert_eq!(thread.stack, Some((Address(0x7000_0000), 0x400)), "{id}");
        assert_eq!(map.faults, []);
    }
}

#[test]
fn a_key_across_segments_that_are_stored_in_reverse_is_found_whole() {
    let pem = forms::pem("PRIVATE KEY", &der::pkcs8_rsa(&keys::rsa(2048)), Lines::Lf);
    let heap = Memory::noise(0x10_0000, 0x8000, 3).plant(0x4000 - 700, "pem", pem.as_bytes());
    let (left, right) = heap.split(0x4000);
    let mut build = ElfBuilder::new(S390X);
    build.segments = [right, Memory::noise(0x90_0000, 0x1000, 4), left].map(|m| Segment::new(m, READ | WRITE)).to_vec();
    let core = build.build();
    let image = Image::from_bytes("test", core.bytes);
    let map = dump::map(&image, &Limits::default()).unwrap();
    let engine = Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap();
    let outcome = scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap();
    assert_eq!(outcome.findings.len(), 1);
    let whole = outcome.sites.of(0).map(Result::unwrap).find(|site| site.spans.len() == 2).unwrap();
    assert!(whole.len() + 120 > pem.len() as u64, "{whole:?}");
}
