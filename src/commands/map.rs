//! `dumpscrub map`: what a dump is made of, as its format describes it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::commands::args::{Manner, MapArgs};
use crate::commands::inputs::Input;
use crate::commands::{exit, output};
use crate::container::{self, Peeled};
use crate::dump::classify::{self, ClassTotals};
use crate::dump::{self, ByteOrder, DumpMap, Label, Module, Protection, Region, Stream, Thread};
use crate::error::{Fault, Gap, Result};
use crate::image::Image;
use crate::limits::Limits;
use crate::report::units::{Bytes, Count, count};
use crate::report::{Detail, Inert, Short, write_document};

/// Regions, modules and faults that are listed unless all are asked for.
const LISTED: usize = 20;

/// Prints the map and says with which code to exit.
///
/// # Errors
/// When the dump cannot be read, or standard output cannot be written.
pub fn run(args: &MapArgs, manner: &Manner) -> Result<u8> {
    let settings = args.unpacking.settings(None);
    let (image, mut has_gaps) = (Input::named(&args.dump).open(&settings)?, false);
    container::peel(image, &settings, &mut |Peeled { image, gaps, shell, .. }| {
        // Of a container that is whole there is nothing to show but its members.
        if shell.is_some() && gaps.is_empty() {
            return Ok(());
        }
        let mut map = dump::map(&image, &Limits::default())?;
        map.gaps.extend(gaps);
        has_gaps |= !map.gaps.is_empty();
        let classes = classify::totals(&map, &image)?;
        let told = Told::of(image.origin(), &image, &map, classes);
        output::to_stdout(|out| match args.format.json {
            true => write_document(&told, out),
            false => print(&told, manner.detail(), out),
        })
    })?;
    Ok(if has_gaps { exit::GAP } else { exit::CLEAN })
}

/// The map in words: schema `dumpscrub-map/1`, see `docs/json.md`.
#[derive(Serialize)]
struct Told<'a> {
    schema: &'static str,
    file: &'a str,
    bytes: u64,
    format: &'static str,
    about: Vec<Fact<'a>>,
    pointer_width: usize,
    byte_order: ByteOrder,
    streams: Vec<ToldStream<'a>>,
    regions: Vec<ToldRegion>,
    threads: Vec<ToldThread<'a>>,
    modules: Vec<ToldModule<'a>>,
    labels: Vec<Total>,
    classes: Vec<Total>,
    faults: &'a [Fault],
    gaps: &'a [Gap],
}

#[derive(Serialize)]
struct Fact<'a> {
    name: &'static str,
    value: &'a str,
}

/// Bytes of one kind.
#[derive(Serialize)]
struct Total {
    name: &'static str,
    bytes: u64,
}

impl<'a> Told<'a> {
    fn of(file: &'a str, image: &Image, map: &'a DumpMap, classes: ClassTotals) -> Self {
        let ClassTotals { frozen, keep, free } = classes;
        Self {
            schema: "dumpscrub-map/1",
            file,
            bytes: image.len(),
            format: map.format,
            about: map.about.iter().map(|(name, value)| Fact { name, value }).collect(),
            pointer_width: map.pointer_width,
            byte_order: map.byte_order,
            streams: map.streams.iter().map(ToldStream::of).collect(),
            regions: map.regions.iter().map(|region| ToldRegion::of(region, map)).collect(),
            threads: map.threads.iter().map(ToldThread::of).collect(),
            modules: map.modules.iter().map(ToldModule::of).collect(),
            labels: totals(map.labels.all().into_iter().map(|(span, label)| (owner(label), span.len))),
            classes: totals([("free", free), ("frozen", frozen), ("keep", keep)].into_iter()),
            faults: &map.faults,
            gaps: &map.gaps,
        }
    }
}

/// Sums up bytes by name.
fn totals(parts: impl Iterator<Item = (&'static str, u64)>) -> Vec<Total> {
    let mut sums = BTreeMap::<_, u64>::new();
    parts.for_each(|(name, bytes)| *sums.entry(name).or_default() += bytes);
    sums.into_iter().map(|(name, bytes)| Total { name, bytes }).collect()
}

fn owner(label: Label) -> &'static str {
    match label {
        Label::Header => "header",
        Label::Stream(_) => "streams",
        Label::Stack(_) => "stacks",
        Label::Registers(_) => "registers",
        Label::Module(_) => "modules",
        Label::Teb(_) => "TEBs",
        Label::Peb => "PEB",
        Label::Environ => "environment",
        Label::CommandLine => "command line",
        Label::Heap => "heap",
        Label::Memory => "other memory",
        Label::Slack => "slack",
        Label::Unknown => "unknown",
    }
}

#[derive(Serialize)]
struct ToldStream<'a> {
    name: &'a str,
    offset: u64,
    length: u64,
    declared: u64,
}

impl<'a> ToldStream<'a> {
    fn of(stream: &'a Stream) -> Self {
        Self { name: &stream.name, offset: stream.span.from(), length: stream.span.len, declared: stream.declared }
    }
}

#[derive(Serialize)]
struct ToldRegion {
    offset: u64,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protection: Option<String>,
    label: String,
}

impl ToldRegion {
    fn of(region: &Region, map: &DumpMap) -> Self {
        Self {
            offset: region.span.from(),
            length: region.span.len,
            address: region.address.map(|address| address.to_string()),
            protection: region.protection.map(rights),
            label: region.label.words(map),
        }
    }
}

#[derive(Serialize)]
struct ToldThread<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    crashed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
    stack_bytes: u64,
}

impl<'a> ToldThread<'a> {
    fn of(thread: &'a Thread) -> Self {
        Self {
            id: thread.id,
            name: thread.name.as_deref(),
            crashed: thread.crashed,
            ip: thread.registers.map(|registers| registers.ip.to_string()),
            sp: thread.registers.map(|registers| registers.sp.to_string()),
            stack: thread.stack.map(|(address, _)| address.to_string()),
            stack_bytes: thread.stack.map_or(0, |(_, len)| len),
        }
    }
}

#[derive(Serialize)]
struct ToldModule<'a> {
    name: &'a str,
    base: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
}

impl<'a> ToldModule<'a> {
    fn of(module: &'a Module) -> Self {
        Self { name: &module.name, base: module.base.to_string(), bytes: module.size, header: module.header.as_deref() }
    }
}

fn rights(protection: Protection) -> String {
    let letter = |has, letter| if has { letter } else { '-' };
    let Protection { read, write, execute } = protection;
    [letter(read, 'r'), letter(write, 'w'), letter(execute, 'x')].iter().collect()
}

fn print(told: &Told<'_>, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}, {}", Inert(told.file), told.format, Bytes(told.bytes))?;
    for Fact { name, value } in &told.about {
        writeln!(out, "   {name}: {}", Short(value))?;
    }
    print_totals("Bytes by owner", &told.labels, out)?;
    print_totals("Bytes by class", &told.classes, out)?;
    let most = if detail == Detail::Verbose { usize::MAX } else { LISTED };
    print_list("stream", &told.streams, most, out, print_stream)?;
    print_list("thread", &told.threads, most, out, print_thread)?;
    print_list("module", &told.modules, most, out, print_module)?;
    print_list("region", &told.regions, most, out, print_region)?;
    print_list("fault", told.faults, most, out, |fault, out| writeln!(out, "   {}", Short(&fault.to_string())))?;
    print_list("gap", told.gaps, most, out, |gap, out| writeln!(out, "   {}", Inert(&gap.reason)))
}

fn print_totals(title: &str, totals: &[Total], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{title}")?;
    totals.iter().try_for_each(|total| writeln!(out, "   {:<24} {}", total.name, Bytes(total.bytes)))
}

fn print_list<T>(
    what: &str,
    items: &[T],
    most: usize,
    out: &mut dyn Write,
    print_one: impl Fn(&T, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    writeln!(out, "{}", count(items.len(), what))?;
    items.iter().take(most).try_for_each(|item| print_one(item, out))?;
    match items.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "   … and {} (use -v or --format json)", count(more, &format!("more {what}"))),
    }
}

fn print_stream(stream: &ToldStream<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "   {:#012x}  {}, {}", stream.offset, Short(stream.name), Count(stream.length, "byte"))?;
    if stream.declared != stream.length {
        write!(out, " (the file claims {})", Count(stream.declared, "byte"))?;
    }
    writeln!(out)
}

fn print_thread(thread: &ToldThread<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "   {}", thread.id)?;
    if let Some(name) = thread.name {
        write!(out, " {}", Short(name))?;
    }
    if let (Some(ip), Some(sp)) = (&thread.ip, &thread.sp) {
        write!(out, ", ip {ip}, sp {sp}")?;
    }
    if let Some(stack) = &thread.stack {
        write!(out, ", stack at {stack}, {}", Count(thread.stack_bytes, "byte"))?;
    }
    writeln!(out, "{}", if thread.crashed { ", crashed" } else { "" })
}

fn print_module(module: &ToldModule<'_>, out: &mut dyn Write) -> io::Result<()> {
    let header = module.header.unwrap_or("its header is not in the dump");
    writeln!(out, "   {}  {}, {}, {}", module.base, Bytes(module.bytes), Short(module.name), Short(header))
}

fn print_region(region: &ToldRegion, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "   {:#012x}  {}", region.offset, Count(region.length, "byte"))?;
    if let Some(address) = &region.address {
        write!(out, ", address {address}")?;
    }
    if let Some(protection) = &region.protection {
        write!(out, ", {protection}")?;
    }
    writeln!(out, ", {}", Short(&region.label))
}
