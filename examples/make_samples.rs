//! Makes the dumps in `samples/` and the table that says what is planted where.
//!
//! Run it as `cargo run --example make_samples`. Every key and password is made anew, so none of them is of use to anybody;
//! the layout is the same each time, but for `process.dmp`, which is a dump of a real process: this program starts itself
//! again, from a path that tells nothing of the machine, with an environment that holds nothing but one planted
//! password, and lets the `minidump-writer` crate dump it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool for developers may fail loudly, and prints what it made"
)]

#[expect(dead_code, reason = "the samples need a part of the builder")]
#[path = "../tests/synth/mod.rs"]
mod synth;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use minidump_writer::app_memory::AppMemory;
use minidump_writer::minidump_writer::MinidumpWriterConfig;
use synth::forms::{self, Lines};
use synth::{
    Cpu, Dump, Exception, Memory, MemoryInfo, MinidumpBuilder, Module, Planted, RawStream, Registers, Stack, System,
    Thread, der, headers, keys, kind, windows,
};

/// Where the child's program is put: its path is in the dump.
const NEUTRAL: &str = "/opt/crash-demo/crash-demo";

/// The argument that makes this program the process to be dumped.
const VICTIM: &str = "--serve";

const README: &str = include_str!("make_samples.md");

fn main() {
    if std::env::args().nth(1).as_deref() == Some(VICTIM) {
        return victim();
    }
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    fs::create_dir_all(&samples).unwrap();
    let full = full_memory();
    let mut table = String::from("| sample | secret | file offset | length |\n|---|---|---|---|\n");
    let truncated = truncate(&full);
    for (name, dump) in [
        ("full-memory", &full),
        ("small", &small()),
        ("process", &process()),
        ("truncated", &truncated),
        ("clean", &clean()),
    ] {
        fs::write(samples.join(format!("{name}.dmp")), &dump.bytes).unwrap();
        rows(&mut table, name, dump);
    }
    fs::write(samples.join("README.md"), README.replace("{table}", &table)).unwrap();
    println!("{table}");
}

fn rows(table: &mut String, sample: &str, dump: &Dump) {
    for planted in &dump.planted {
        let (offsets, lengths): (Vec<String>, Vec<String>) =
            planted.pieces.iter().map(|(at, len)| (format!("{at:#x}"), len.to_string())).unzip();
        let (offsets, lengths) = (offsets.join(" then "), lengths.join(" + "));
        writeln!(table, "| `{sample}.dmp` | {} | {offsets} | {lengths} |", planted.name).unwrap();
    }
}

/// A Windows process with all of its memory, as a Memory64List holds it.
fn full_memory() -> Dump {
    let environment =
        ["ProgramData=C:\\ProgramData", &format!("DB_PASSWORD={}", keys::password()), "SystemRoot=C:\\Windows"]
            .map(str::to_owned);
    let variables: Vec<&str> = environment.iter().map(String::as_str).collect();
    let mut blocks = process_blocks(&variables).memory();
    blocks.blob.plants.retain(|plant| plant.name == "DB_PASSWORD");
    blocks.blob.plants.iter_mut().for_each(|plant| plant.name = "password in the environment block, UTF-16".to_owned());
    let (left, right) = cut_key().split(0x800);
    let memory64 = vec![
        blocks,
        right,
        text_heap(),
        Memory::zeros(0x2_1000_0000, 0x8000),
        key_heap(),
        Memory::new(0x7ff6_0000_0000, headers::pe(Cpu::Amd64, 0x7ff6_0000_0000, 0x4_0000)),
        stack_with_key(),
        left,
        last_heap(),
    ];
    MinidumpBuilder { memory64, ..windows_process() }.build()
}

/// A process on Windows of which only the memory is missing.
fn windows_process() -> MinidumpBuilder {
    let registers = Registers { ip: 0x7ff6_0000_1010, sp: 0x14_e000, fp: 0x14_e080, ..Registers::default() };
    // Windows writes RVA 0 for a stack that the Memory64List holds.
    let stack = Stack::Claimed { address: 0x14_e000, size: 0x2000, rva: 0 };
    let mut thread = Thread::new(0x1a4, stack);
    thread.name = Some("main".to_owned());
    thread.teb = process_blocks(&[]).base;
    thread.registers = registers.clone();
    let mut module = Module::new("C:\\demo\\crash-demo.exe", 0x7ff6_0000_0000, 0x4_0000);
    module.codeview = headers::codeview("crash-demo.pdb");
    MinidumpBuilder {
        process_id: Some(0x1a0),
        threads: vec![thread],
        modules: vec![module, Module::new("C:\\Windows\\System32\\ntdll.dll", 0x7ffd_0000_0000, 0x1f_0000)],
        exception: Some(Exception { thread: 0x1a4, code: 0xc000_0005, address: 0x7ff6_0000_1010, registers }),
        memory_info: vec![
            MemoryInfo { base: 0x14_e000, size: 0x2000, protect: 4, kind: 0x2_0000 },
            MemoryInfo { base: 0x2_0000_0000, size: 0x1000_0000, protect: 4, kind: 0x2_0000 },
        ],
        ..MinidumpBuilder::new(Cpu::Amd64, System::Windows)
    }
}

fn process_blocks<'a>(environment: &'a [&'a str]) -> windows::ProcessBlocks<'a> {
    windows::ProcessBlocks {
        base: 0xe0_0000,
        process_id: 0x1a0,
        thread_id: 0x1a4,
        stack: (0x15_0000, 0x5_0000),
        image_base: 0x7ff6_0000_0000,
        image_path: "C:\\demo\\crash-demo.exe",
        command_line: "\"C:\\demo\\crash-demo.exe\" --serve",
        environment,
    }
}

/// Strings as C holds them: they end in NUL, and what follows is what was there before.
fn text_heap() -> Memory {
    let bearer = forms::base64_url(&rand::random::<[u8; 30]>());
    let request = "GET /v1/orders HTTP/1.1\r\nHost: api.shop.internal\r\nAuthorization: Bearer ";
    let url = "postgres://orders:";
    let password = keys::password();
    let (header_at, url_at) = (0x123, 0x2345);
    Memory::noise(0x2_0000_0000, 0x1_0000, 1)
        .with(header_at, request.as_bytes())
        .plant(header_at + request.len(), "token in an HTTP Authorization header", bearer.as_bytes())
        .with(header_at + request.len() + bearer.len(), b"\r\nAccept: */*\r\n\r\n\0")
        .with(url_at, url.as_bytes())
        .plant(url_at + url.len(), "password in a URL", password.as_bytes())
        .with(url_at + url.len() + password.len(), b"@db01.shop.internal/orders\0")
}

fn key_heap() -> Memory {
    let wide = forms::pem("EC PRIVATE KEY", &sec1(&keys::p256()), Lines::CrLf);
    let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&keys::rsa(2048)), Lines::Lf);
    Memory::noise(0x2_0200_0000, 0x1_8000, 2)
        .plant(0x1001, "RSA-2048 key, PKCS#1 PEM", pem.as_bytes())
        .with(0x1001 + pem.len(), b"\n\0")
        .plant(0x6003, "P-256 key, SEC 1 PEM in UTF-16", &forms::utf16le(&wide))
        .plant(0xa000, "RSA-2048 key, PKCS#8 DER", &der::pkcs8_rsa(&keys::rsa(2048)))
}

/// A key that stands across two regions: neighbours in memory, far apart in the file.
fn cut_key() -> Memory {
    Memory::noise(0x2_0400_0000, 0x2000, 3).plant(
        0x600,
        "RSA-2048 key, PKCS#1 DER, cut by a seam",
        &der::pkcs1(&keys::rsa(2048)),
    )
}

fn stack_with_key() -> Memory {
    let mut memory = Memory::zeros(0x14_e000, 0x2000);
    for at in (0..0x400).step_by(8) {
        memory = memory.with(at, &(0x7ff6_0000_1000 + at as u64).to_le_bytes());
    }
    memory.plant(0x900, "Ed25519 key, PKCS#8 DER, on a stack", &der::pkcs8_ed25519(&keys::ed25519().secret))
}

fn last_heap() -> Memory {
    let near = forms::pem("PRIVATE KEY", &keys::p256().p256_pkcs8(), Lines::Escaped);
    let far = forms::pem("PRIVATE KEY", &keys::p256().p256_pkcs8(), Lines::Lf);
    Memory::noise(0x2_0800_0000, 0x1_0000, 4)
        .plant(0x2001, "P-256 key, PKCS#8 PEM with escaped line ends", near.as_bytes())
        .plant(0xe000, "P-256 key, PKCS#8 PEM near the end of the file", far.as_bytes())
        .with(0xe000 + far.len(), b"\n\0")
}

fn sec1(pair: &keys::Pair) -> Vec<u8> {
    der::sec1_p256(&pair.secret, &pair.public)
}

/// The same dump, cut in the middle of its last region; what is planted behind the cut is not in it.
fn truncate(full: &Dump) -> Dump {
    let last = full.places.last().unwrap();
    let keep = last.at + last.len / 2;
    let there = |planted: &&Planted| planted.pieces.iter().all(|(at, len)| at + len <= keep);
    let planted = full.planted.iter().filter(there).cloned().collect();
    Dump { bytes: full.bytes[..keep].to_vec(), planted, places: Vec::new(), order: full.order }
}

/// A small dump as Breakpad writes it on Linux: stacks and a MemoryList, the environment as a stream.
fn small() -> Dump {
    let password = keys::password();
    let environ = RawStream::with(
        kind::LINUX_ENVIRON,
        b"PATH=/usr/bin\0REDIS_PASSWORD=",
        "password in LinuxEnviron",
        password.as_bytes(),
        b"\0LANG=C\0",
    );
    let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&keys::rsa(2048)), Lines::Lf);
    // The head of the text was overwritten when the block was freed: no BEGIN line.
    let rest = &pem.as_bytes()[700..];
    let stack = Memory::noise(0x7ffc_1000_0000, 0x1800, 5).plant(
        0x801,
        "P-256 key, SEC 1 DER, on a stack",
        &sec1(&keys::p256()),
    );
    MinidumpBuilder {
        process_id: Some(77),
        threads: vec![Thread::new(77, Stack::Here(stack))],
        modules: vec![Module::new("/opt/crash-demo/crash-demo", 0x5555_0000_0000, 0x4_0000)],
        memory: vec![Memory::noise(0x5556_0000_0000, 0x1801, 6).plant(
            0x203,
            "RSA-2048 key, the last part of its PEM",
            rest,
        )],
        streams: vec![
            environ,
            RawStream::new(kind::LINUX_CMD_LINE, *b"/opt/crash-demo/crash-demo\0--serve\0"),
            RawStream::new(
                kind::LINUX_MAPS,
                *b"555500000000-555500040000 r-xp 00000000 08:01 42 /opt/crash-demo/crash-demo\n",
            ),
        ],
        ..MinidumpBuilder::new(Cpu::Amd64, System::Linux)
    }
    .build()
}

/// As much memory and text as the others, and nothing secret: a public key, identifiers, addresses, a version.
fn clean() -> Dump {
    let pair = keys::p256();
    let public = forms::pem("PUBLIC KEY", &der::p256_spki(&pair.public), Lines::Lf);
    let text = "user agent demo/1.2.3\0https://docs.shop.internal/help?page=2\0\
                9e107d9d-372b-4b68-9a3c-2f1de419ab1c\0-----BEGIN %s PRIVATE KEY-----\0password: \0";
    let heap = Memory::noise(0x2_0000_0000, 0x1_0000, 7).with(0x100, public.as_bytes()).with(0x4001, text.as_bytes());
    let blocks = process_blocks(&["ProgramData=C:\\ProgramData", "SystemRoot=C:\\Windows"]);
    let mut blocks = blocks.memory();
    blocks.blob.plants.clear();
    let memory64 = vec![blocks, heap, Memory::zeros(0x14_e000, 0x2000), Memory::zeros(0x2_1000_0000, 0x8000)];
    MinidumpBuilder { memory64, ..windows_process() }.build()
}

/// A dump of a real process.
fn process() -> Dump {
    let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&keys::rsa(2048)), Lines::Lf);
    let scalar = sec1(&keys::p256());
    let password = keys::password();
    let mut child = start(&password);
    let (address, length) = give(&mut child, &pem, &scalar);
    let id = i32::try_from(child.id()).unwrap();
    let mut config = MinidumpWriterConfig::new(id, id);
    config.set_app_memory(vec![AppMemory { ptr: address, length }]);
    let bytes = without_machine(config.write(&mut Cursor::new(Vec::new())).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_dir_all(Path::new(NEUTRAL).parent().unwrap()).unwrap();
    let mut dump = Dump { bytes, order: synth::Order::Little, places: Vec::new(), planted: Vec::new() };
    for (name, secret) in [
        ("RSA-2048 key, PKCS#1 PEM, in the heap", pem.as_bytes()),
        ("P-256 key, SEC 1 DER, on the stack", &scalar),
        ("password in the environment", password.as_bytes()),
    ] {
        let found = forms::find_all(&dump.bytes, secret);
        assert!(!found.is_empty(), "{name} is not in the dump");
        dump.planted
            .extend(found.iter().map(|&at| Planted { name: name.to_owned(), pieces: vec![(at, secret.len())] }));
    }
    dump
}

/// Blanks the texts that describe the machine rather than the process, at the same length.
fn without_machine(mut bytes: Vec<u8>) -> Vec<u8> {
    // LinuxCpuInfo, LinuxProcStatus, LinuxLsbRelease and Mozilla's limits.
    const TEXTS: [u32; 4] = [0x4767_0003, 0x4767_0004, 0x4767_0005, 0x4d7a_0003];
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (streams, directory) = (number(&bytes, 8), number(&bytes, 12));
    for entry in (0..streams).map(|i| directory + 12 * i) {
        let (which, len, at) = (number(&bytes, entry), number(&bytes, entry + 4), number(&bytes, entry + 8));
        if TEXTS.iter().any(|&text| text as usize == which) {
            bytes[at..at + len].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        if which == kind::SYSTEM_INFO as usize {
            let version = number(&bytes, at + 24);
            let len = number(&bytes, version);
            let blank = forms::utf16le(&format!("{:<1$}", "Linux", len / 2));
            bytes[version + 4..version + 4 + len].copy_from_slice(&blank);
        }
    }
    bytes
}

fn start(password: &str) -> Child {
    fs::create_dir_all(Path::new(NEUTRAL).parent().unwrap()).unwrap();
    fs::copy(std::env::current_exe().unwrap(), NEUTRAL).unwrap();
    let mut command = Command::new(NEUTRAL);
    command.arg(VICTIM).env_clear().env("DB_PASSWORD", password).env("LANG", "C").current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Hands the keys over, and is told where the child keeps the first.
fn give(child: &mut Child, pem: &str, scalar: &[u8]) -> (usize, usize) {
    let input = child.stdin.as_mut().unwrap();
    writeln!(input, "{}", pem.len()).unwrap();
    input.write_all(pem.as_bytes()).unwrap();
    input.write_all(&u32::try_from(scalar.len()).unwrap().to_le_bytes()).unwrap();
    input.write_all(scalar).unwrap();
    input.flush().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let numbers: Vec<usize> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (numbers[0], numbers[1])
}

/// The process to be dumped: holds one key in the heap and one on its stack, and waits.
fn victim() {
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    let length: usize = line.trim().parse().unwrap();
    let mut heap = vec![0; length];
    input.read_exact(&mut heap).unwrap();
    let mut stack = [0; 256];
    let mut length = [0; 4];
    input.read_exact(&mut length).unwrap();
    input.read_exact(&mut stack[..u32::from_le_bytes(length) as usize]).unwrap();
    println!("{} {}", heap.as_ptr().addr(), heap.len());
    std::hint::black_box((&heap, &stack));
    std::thread::sleep(std::time::Duration::from_secs(60));
    std::hint::black_box((&heap, &stack));
}
