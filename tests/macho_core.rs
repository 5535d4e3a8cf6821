//! Mach-O cores whose truth is known, and such as lie or end early.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "every test uses a part of the builder")]
mod synth;

use dumpscrub::dump::{self, ByteOrder, Class, DumpMap, Label};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::span::{Address, Span};
use synth::macho::{self, Core, MACHINES, Machine, MachoBuilder, VECTORS};
use synth::{Memory, Order};

fn map_bytes(bytes: &[u8]) -> DumpMap {
    let map = dump::map(&Image::from_bytes("test", bytes.to_vec()), &Limits::default()).unwrap();
    let len = bytes.len() as u64;
    tiles(&map.labels.all().iter().map(|run| run.0).collect::<Vec<_>>(), len);
    tiles(&map.classes.all().iter().map(|run| run.0).collect::<Vec<_>>(), len);
    assert!(map.regions.iter().all(|region| region.span.end() <= len));
    map
}

fn tiles(runs: &[Span], len: u64) {
    assert_eq!(runs.first().map_or(0, Span::from), 0);
    assert_eq!(runs.last().map_or(0, Span::end), len);
    assert!(runs.windows(2).all(|pair| pair[0].end() == pair[1].from()), "{runs:?}");
}

fn ordinary(machine: Machine, order: Order) -> MachoBuilder {
    let header = macho::library(machine, order, 0x40_0000, 0x2000, "/usr/lib/libdemo.dylib");
    MachoBuilder {
        threads: vec![(0x40_0100, 0x7000_0040), (0x40_0200, 0x7100_0080)],
        segments: vec![
            (Memory::noise(0x7100_0000, 0x1000, 1), 3),
            (Memory::noise(0x40_0000, 0x2000, 2).with(0, &header), 5),
            (Memory::noise(0x7000_0000, 0x1000, 3), 3),
            (Memory::noise(0x5000_0000, 0x1000, 4), 3),
        ],
        notes: vec![("process metadata", b"{}".to_vec())],
        ..MachoBuilder::new(machine, order)
    }
}

#[test]
fn every_processor_in_both_orders() {
    for &machine in MACHINES {
        for order in [Order::Little, Order::Big] {
            let core = ordinary(machine, order).build();
            let map = map_bytes(&core.bytes);
            let what = format!("{machine:?} {order:?}");
            assert_eq!((map.format, map.pointer_width), ("Mach-O core", if machine.wide { 8 } else { 4 }), "{what}");
            assert_eq!(map.byte_order == ByteOrder::Little, order == Order::Little, "{what}");
            assert_eq!(map.faults, [], "{what}");
            assert!(map.about.contains(&("cpu", machine.name.to_owned())), "{what}: {:?}", map.about);
            is_right(&map, &core, &what);
        }
    }
}

fn is_right(map: &DumpMap, core: &Core, what: &str) {
    let registers: Vec<_> =
        map.threads.iter().map(|thread| thread.registers.map(|r| (r.ip.0, r.sp.0)).unwrap()).collect();
    assert_eq!(registers, [(0x40_0100, 0x7000_0040), (0x40_0200, 0x7100_0080)], "{what}");
    let module = &map.modules[0];
    assert_eq!(
        (module.name.as_str(), module.base, module.size),
        ("/usr/lib/libdemo.dylib", Address(0x40_0000), 0x2000)
    );
    assert!(module.header.as_deref().is_some_and(|header| header.starts_with("Mach-O")), "{what}: {module:?}");
    let label = |at: usize| map.labels.at(at as u64).unwrap();
    let class = |at: usize| map.classes.at(at as u64).unwrap();
    let labels: Vec<Label> = core.segments.iter().map(|&at| label(at + 5)).collect();
    assert_eq!(labels, [Label::Stack(1), Label::Module(0), Label::Stack(0), Label::Memory], "{what}");
    assert_eq!((label(0), label(40), label(core.notes[0])), (Label::Header, Label::Header, Label::Stream(0)), "{what}");
    assert_eq!(map.streams[0].name, "LC_NOTE \"process metadata\"");
    assert_eq!(class(core.segments[1]), Class::Keep, "{what}");
    for (i, &at) in core.vectors.iter().enumerate() {
        assert_eq!(label(at), Label::Registers(i), "{what}");
        assert_eq!([class(at - 1), class(at), class(at + VECTORS - 1)], [Class::Frozen, Class::Free, Class::Free]);
    }
}

#[test]
fn paths_come_from_the_list_of_images() {
    let machine = MACHINES[0];
    let mut build = ordinary(machine, Order::Little);
    build.notes = vec![("all image infos", vec![0; 24 + 48 + 32])];
    let mut core = build.build();
    let at = core.notes[0];
    let numbers: &[(usize, u64, usize)] =
        &[(0, 1, 4), (4, 1, 4), (8, at as u64 + 24, 8), (16, 48, 4), (24, at as u64 + 72, 8), (24 + 24, 0x40_0000, 8)];
    for &(into, value, width) in numbers {
        core.bytes[at + into..at + into + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
    core.bytes[at + 72..at + 72 + 11].copy_from_slice(b"/opt/x.dyli");
    assert_eq!(map_bytes(&core.bytes).modules[0].name, "/opt/x.dyli");
}

#[test]
fn cut_anywhere() {
    for &machine in MACHINES {
        let core = ordinary(machine, Order::Big).build();
        for end in 16..core.commands_end + 9 {
            let map = map_bytes(&core.bytes[..end]);
            assert_eq!(map.format, "Mach-O core");
            assert!(!map.faults.is_empty(), "cut at {end}");
        }
        let half = map_bytes(&core.bytes[..core.segments[2] + 7]);
        assert_eq!(half.regions.last().map(|region| region.span.len), Some(7));
    }
}

#[test]
fn fields_of_any_value() {
    for &machine in MACHINES {
        let core = ordinary(machine, Order::Little).build();
        for width in [2, 4, 8] {
            let most = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
            for at in (16..core.commands_end - width).step_by(4) {
                for value in [0, 1, most - 1, most] {
                    let mut bytes = core.bytes.clone();
                    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
                    map_bytes(&bytes);
                }
            }
        }
        // And in the module's header.
        for at in (core.segments[1]..core.segments[1] + 200).step_by(4) {
            for value in [0, 1, u32::MAX - 1, u32::MAX] {
                let mut bytes = core.bytes.clone();
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
                map_bytes(&bytes);
            }
        }
    }
}
