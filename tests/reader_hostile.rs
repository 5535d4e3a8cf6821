//! The minidump reader against dumps that lie, end early or were damaged: it never fails, it says what is wrong, and
//! every byte still has a label and a class.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "every test uses a part of the builder")]
mod synth;

use std::time::{Duration, Instant};

use dumpscrub::dump::{self, DumpMap, Label};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::span::Span;
use synth::{
    Cpu, Dump, Exception, Lies, Memory, MemoryInfo, MinidumpBuilder, Module, Order, RawStream, Registers, Stack,
    System, Thread, What, headers, kind,
};

/// Maps the bytes and checks what must hold of every map.
fn map_bytes(bytes: &[u8]) -> DumpMap {
    let map = dump::map(&Image::from_bytes("test", bytes.to_vec()), &Limits::default()).unwrap();
    let len = bytes.len() as u64;
    tiles(&map.labels.all().iter().map(|run| run.0).collect::<Vec<_>>(), len);
    tiles(&map.classes.all().iter().map(|run| run.0).collect::<Vec<_>>(), len);
    // What is clipped away altogether may begin behind the end.
    let inside = |span: &Span| span.is_empty() || span.end() <= len;
    let regions = map.regions.iter().map(|region| &region.span);
    let streams = map.streams.iter().map(|stream| &stream.span);
    let contexts = map.threads.iter().filter_map(|thread| thread.context.as_ref());
    let outside = regions.chain(streams).chain(contexts).chain(&map.pointer_words).find(|span| !inside(span));
    assert_eq!(outside, None, "of {len} bytes");
    assert!(map.faults.is_sorted_by_key(|fault| fault.at), "{:?}", map.faults);
    map
}

fn tiles(runs: &[Span], len: u64) {
    assert_eq!(runs.first().map_or(0, Span::from), 0);
    assert_eq!(runs.last().map_or(0, Span::end), len);
    assert!(runs.windows(2).all(|pair| pair[0].end() == pair[1].from()), "{runs:?}");
}

fn says(map: &DumpMap, words: &str) -> bool {
    map.faults.iter().any(|fault| fault.to_string().contains(words))
}

/// A little of everything.
fn rich(cpu: Cpu, order: Order) -> MinidumpBuilder {
    let mut first = Thread::new(1, Stack::Here(Memory::noise(0x7000_0000, 0x90, 1)));
    first.name = Some("main".to_owned());
    first.registers = Registers { ip: 0x40_1000, sp: 0x7000_0008, fp: 0x7000_0010, xmm: Vec::new() };
    first.teb = 0x5000;
    let mut module = Module::new("app.exe", 0x40_0000, 0x4000);
    module.codeview = headers::codeview("app.pdb");
    MinidumpBuilder {
        order,
        process_id: Some(1),
        exception: Some(Exception { thread: 1, code: 11, address: 0x40_1000, registers: first.registers.clone() }),
        threads: vec![first, Thread::new(2, Stack::Claimed { address: 0x9000, size: 0x40, rva: 0 })],
        modules: vec![module],
        memory: vec![Memory::noise(0x9000, 0x80, 2)],
        memory64: vec![Memory::noise(0x5000, 0x70, 3), Memory::noise(0x6000, 0x21, 4)],
        memory_info: vec![MemoryInfo { base: 0x5000, size: 0x1000, protect: 4, kind: 0x2_0000 }],
        comment_w: Some("wide".to_owned()),
        streams: vec![
            RawStream::new(kind::LINUX_ENVIRON, *b"A=b\0"),
            RawStream::new(kind::LINUX_MAPS, *b"5000-6000 rw-p 00000000 00:00 0 [heap]\n"),
            RawStream::new(kind::USER, *b"user"),
        ],
        ..MinidumpBuilder::new(cpu, System::Windows)
    }
}

fn plain() -> MinidumpBuilder {
    rich(Cpu::Amd64, Order::Little)
}

fn lying(lies: Lies) -> (Dump, DumpMap) {
    let dump = MinidumpBuilder { lies, ..plain() }.build();
    let map = map_bytes(&dump.bytes);
    (dump, map)
}

#[test]
fn an_empty_file_and_four_bytes_are_mapped() {
    assert_eq!(map_bytes(b"").format, "raw");
    assert_eq!(map_bytes(b"MDM").format, "raw");
    for head in [b"MDMP", b"PMDM"] {
        let map = map_bytes(head);
        assert_eq!(map.format, "minidump");
        assert!(!map.faults.is_empty(), "a header that is not there is a fault");
    }
}

#[test]
fn a_file_cut_at_any_byte_is_mapped_and_says_so() {
    for order in [Order::Little, Order::Big] {
        let dump = rich(Cpu::Amd64, order).build();
        assert_eq!(map_bytes(&dump.bytes).faults, []);
        for end in 4..dump.bytes.len() {
            let map = map_bytes(&dump.bytes[..end]);
            assert_eq!(map.format, "minidump");
            assert!(!map.faults.is_empty(), "cut at {end} of {}", dump.bytes.len());
        }
    }
}

#[test]
fn every_number_of_header_and_directory_may_be_anything() {
    for (cpu, order) in Cpu::ALL.into_iter().flat_map(|cpu| [(cpu, Order::Little), (cpu, Order::Big)]) {
        let dump = rich(cpu, order).build();
        let records = dump.place(What::Header).len + dump.place(What::Directory).len;
        every_number(&dump, (0..records).step_by(4));
    }
}

#[test]
fn every_number_of_every_record_may_be_anything() {
    let dump = plain().build();
    let regions = |what: What| matches!(what, What::Stack(_) | What::Memory(_) | What::Memory64(_) | What::Slack);
    for place in dump.places.iter().filter(|place| !regions(place.what)) {
        every_number(&dump, (place.at..place.at + place.len - 3).step_by(4));
    }
}

fn every_number(dump: &Dump, places: impl Iterator<Item = usize>) {
    for at in places {
        let was = dump.u32_at(at);
        let end = u32::try_from(dump.bytes.len()).unwrap();
        for value in [0, 1, was.wrapping_add(1), was.wrapping_sub(1), end - 1, end, 1 << 31, u32::MAX - 1, u32::MAX] {
            let mut damaged = dump.clone();
            damaged.set_u32(at, value);
            map_bytes(&damaged.bytes);
        }
    }
}

#[test]
fn a_stream_count_beyond_all_bounds_costs_nothing() {
    for order in [Order::Little, Order::Big] {
        let mut dump = rich(Cpu::Amd64, order).build();
        dump.set_u32(8, u32::MAX);
        let start = Instant::now();
        let map = map_bytes(&dump.bytes);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(says(&map, "51539607540 bytes"), "12 bytes each: {:?}", map.faults);
        assert!(map.threads.len() >= 2, "what is there is read all the same");
    }
}

#[test]
fn counts_of_records_beyond_all_bounds_cost_nothing() {
    for which in [kind::THREAD_LIST, kind::MODULE_LIST, kind::MEMORY_LIST, kind::MEMORY64_LIST, kind::THREAD_NAMES] {
        let mut dump = plain().build();
        let at = dump.place(What::Stream(which)).at;
        dump.set_u32(at, u32::MAX);
        let start = Instant::now();
        let map = map_bytes(&dump.bytes);
        assert!(start.elapsed() < Duration::from_secs(5), "stream {which}: {:?}", start.elapsed());
        assert!(!map.faults.is_empty(), "stream {which}");
    }
}

#[test]
fn a_stream_behind_the_end_is_clipped_and_told() {
    let (dump, map) = lying(Lies { directory: vec![(kind::USER + 7, 0x100, 0xffff_ff00)], ..Lies::default() });
    assert!(says(&map, "0xffffff00"), "{:?}", map.faults);
    let (_, map) = lying(Lies { directory: vec![(kind::USER + 7, u32::MAX, 32)], ..Lies::default() });
    assert!(says(&map, "4294967295"), "{:?}", map.faults);
    assert_eq!(map.labels.at(0), Some(Label::Header), "the header stays the header");
    assert_eq!(map.threads.len(), plain().threads.len());
    assert!(dump.bytes.len() < 0xffff);
}

#[test]
fn streams_that_overlap_are_told() {
    let honest = plain().build();
    let modules = honest.place(What::Stream(kind::MODULE_LIST));
    let extra = 12;
    let at = u32::try_from(modules.at + extra + 8).unwrap();
    let (dump, map) = lying(Lies { directory: vec![(kind::USER + 7, 50, at)], ..Lies::default() });
    let moved = dump.place(What::Stream(kind::MODULE_LIST));
    assert!((moved.at..moved.at + moved.len).contains(&(at as usize)), "the lie lies in the module list");
    assert!(!map.faults.is_empty());
    assert_eq!(map.modules.len(), 1);
}

#[test]
fn a_stream_over_header_and_directory_does_not_hide_them() {
    let (_, map) = lying(Lies { directory: vec![(kind::USER + 7, 200, 0)], ..Lies::default() });
    assert_eq!(map.labels.at(0), Some(Label::Header));
    assert!(!map.faults.is_empty());
}

#[test]
fn duplicate_streams_are_told_and_both_are_read() {
    for which in [kind::THREAD_LIST, kind::MODULE_LIST, kind::MEMORY_LIST, kind::LINUX_ENVIRON] {
        let (dump, map) = lying(Lies { twice: vec![which], ..Lies::default() });
        assert!(!map.faults.is_empty(), "stream {which}");
        let places = dump.places.iter().filter(|place| place.what == What::Stream(which));
        for place in places {
            let label = map.labels.at(place.at as u64);
            assert!(matches!(label, Some(Label::Stream(_) | Label::Environ)), "stream {which}: {label:?}");
        }
    }
}

#[test]
fn a_base_rva_eight_bytes_too_low_is_told_and_no_byte_is_lost() {
    let (dump, map) = lying(Lies { base_rva: -8, ..Lies::default() });
    assert!(says(&map, "BaseRva"), "{:?}", map.faults);
    let last = dump.bytes.len() as u64 - 1;
    assert!(map.labels.at(last).is_some());
}

#[test]
fn a_memory_descriptor_behind_the_end_leaves_the_others_alone() {
    let (dump, map) = lying(Lies {
        memory: vec![(0x1_0000, 0xffff_ffff, 0xffff_fff0), (u64::MAX, 0x100, 0x40)],
        memory64: vec![(0x2_0000, u64::MAX), (u64::MAX - 3, 100)],
        ..Lies::default()
    });
    for what in [What::Stack(0), What::Memory(0), What::Memory64(0), What::Memory64(1)] {
        let place = dump.place(what);
        let there = |region: &dump::Region| {
            region.span == Span::new(place.at as u64, place.len as u64) && region.address.map(|a| a.0) == place.address
        };
        assert!(map.regions.iter().any(there), "{what:?}");
    }
    assert!(!map.faults.is_empty());
}

#[test]
fn many_lies_do_not_make_it_slow() {
    let memory = (0..60_000).map(|i| (0x1000 + u64::from(i % 7), 0x3000 - (i % 0x1000), i % 50)).collect();
    let directory = (0..60_000).map(|i| (kind::USER + i, 0x2000, i % 600)).collect();
    let start = Instant::now();
    let (_, map) = lying(Lies { memory, directory, ..Lies::default() });
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(!map.faults.is_empty());
}

#[test]
fn a_spent_budget_is_a_gap() {
    let dump = plain().build();
    let limits = Limits { map_records: 3, ..Limits::default() };
    let map = dump::map(&Image::from_bytes("test", dump.bytes), &limits).unwrap();
    assert!(!map.gaps.is_empty());
}
