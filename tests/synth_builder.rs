//! The test builder is itself tested: other eyes (the `minidump` crate) read what it writes and see the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "every test uses a part of the builder")]
mod synth;

use minidump::{
    Minidump, MinidumpException, MinidumpHandleDataStream, MinidumpMemory64List, MinidumpMemoryInfoList,
    MinidumpMemoryList, MinidumpModule, MinidumpModuleList, MinidumpSystemInfo, MinidumpThreadList,
    MinidumpThreadNames, Module as _,
};
use synth::forms::{self, Lines};
use synth::{
    Cpu, Dump, Exception, Handle, Memory, MemoryInfo, MinidumpBuilder, Module, Order, RawStream, Stack, System, Thread,
    What, der, headers, keys, kind, windows,
};

fn rich(cpu: Cpu, order: Order) -> MinidumpBuilder {
    let mut first =
        Thread::new(11, Stack::Here(Memory::noise(0x7000_0000, 640, 1).plant(33, "on the stack", b"tell nobody")));
    first.name = Some("main".to_owned());
    first.registers.fp = 0x7000_0100;
    first.registers.xmm = vec![[0xa5; 16], [0x5a; 16]];
    let second = Thread::new(12, Stack::Claimed { address: 0x7100_0000, size: 256, rva: 0 });
    let mut module = Module::new("C:\\demo\\app.exe", 0x40_0000, 0x4000);
    module.codeview = headers::codeview("app.pdb");
    MinidumpBuilder {
        order,
        process_id: Some(4711),
        exception: Some(Exception {
            thread: 11,
            code: 0xc000_0005,
            address: 0x40_1000,
            registers: first.registers.clone(),
        }),
        threads: vec![first, second],
        modules: vec![module, Module::new("/usr/lib/libdemo.so", 0x50_0000, 0x2000)],
        memory: vec![Memory::noise(0x9000, 100, 2), Memory::noise(0x7100_0000, 256, 3), Memory::noise(0x8000, 77, 4)],
        memory64: vec![
            Memory::noise(0x2_0000, 300, 5),
            Memory::noise(0x1_0000, 200, 6).plant(7, "in the heap", b"nor this"),
        ],
        memory_info: vec![MemoryInfo { base: 0x1_0000, size: 0x1000, protect: 4, kind: 0x2_0000 }],
        handles: vec![Handle { handle: 4, type_name: "Key".to_owned(), object_name: "\\REGISTRY".to_owned() }],
        comment_a: Some("a comment".to_owned()),
        comment_w: Some("a wide comment".to_owned()),
        streams: vec![RawStream::with(kind::USER, b"user ", "in a stream", b"data!", b"")],
        ..MinidumpBuilder::new(cpu, System::Windows)
    }
}

fn addresses<'a>(memories: impl Iterator<Item = (u64, &'a [u8])>) -> Vec<(u64, Vec<u8>)> {
    memories.map(|(address, bytes)| (address, bytes.to_vec())).collect()
}

fn given(memories: &[Memory]) -> Vec<(u64, Vec<u8>)> {
    memories.iter().map(|m| (m.address, m.blob.bytes.clone())).collect()
}

#[test]
fn other_eyes_see_what_was_asked_for_on_every_cpu_and_in_both_orders() {
    for cpu in Cpu::ALL {
        for order in [Order::Little, Order::Big] {
            let builder = rich(cpu, order);
            let dump = builder.build();
            let read = Minidump::read(dump.bytes.as_slice()).unwrap();
            same_threads(&read, &builder);
            same_memory(&read, &builder);
            same_modules(&read, &builder);
            same_small_things(&read);
        }
    }
}

fn same_threads(read: &Minidump<'_, &[u8]>, builder: &MinidumpBuilder) {
    let threads = read.get_stream::<MinidumpThreadList>().unwrap();
    let names = read.get_stream::<MinidumpThreadNames>().unwrap();
    let system = read.get_stream::<MinidumpSystemInfo>().unwrap();
    let memory = read.get_memory().unwrap();
    assert_eq!(threads.threads.len(), 2);
    let first = &threads.threads[0];
    let registers = first.context(&system, None).unwrap();
    let registers = registers.into_owned();
    assert_eq!(registers.get_instruction_pointer(), 0x40_1000);
    assert_eq!(registers.get_stack_pointer(), 0x7000_0000);
    assert_eq!(names.get_name(11).unwrap(), "main");
    let Stack::Here(stack) = &builder.threads[0].stack else { return };
    assert_eq!(first.stack_memory(&memory).unwrap().bytes(), stack.blob.bytes);
    assert_eq!(threads.threads[1].raw.stack.start_of_memory_range, 0x7100_0000);
    assert_eq!(threads.threads[1].raw.stack.memory.rva, 0);
}

fn same_memory(read: &Minidump<'_, &[u8]>, builder: &MinidumpBuilder) {
    let list = read.get_stream::<MinidumpMemoryList>().unwrap();
    let seen = addresses(list.iter().map(|m| (m.base_address, m.bytes)));
    assert_eq!(seen[1..], given(&builder.memory), "behind the stack, which the list names too");
    let list = read.get_stream::<MinidumpMemory64List>().unwrap();
    assert_eq!(addresses(list.iter().map(|m| (m.base_address, m.bytes))), given(&builder.memory64));
}

fn same_modules(read: &Minidump<'_, &[u8]>, builder: &MinidumpBuilder) {
    let modules = read.get_stream::<MinidumpModuleList>().unwrap();
    let seen: Vec<(String, u64, u64)> =
        modules.iter().map(|m: &MinidumpModule| (m.code_file().into_owned(), m.base_address(), m.size())).collect();
    let asked: Vec<(String, u64, u64)> =
        builder.modules.iter().map(|m| (m.name.clone(), m.base, u64::from(m.size))).collect();
    assert_eq!(seen, asked);
    let first = modules.iter().next().unwrap();
    assert_eq!(first.version().unwrap(), "1.2.3.4");
}

fn same_small_things(read: &Minidump<'_, &[u8]>) {
    assert_eq!(read.get_stream::<MinidumpException>().unwrap().raw.thread_id, 11);
    // `minidump` 0.27 reads NumberOfEntries (a ULONG64) as 32 bits and sees none in a big-endian dump.
    let entries = if read.endian == scroll::LE { 1 } else { 0 };
    assert_eq!(read.get_stream::<MinidumpMemoryInfoList>().unwrap().iter().count(), entries);
    let handles = read.get_stream::<MinidumpHandleDataStream>().unwrap();
    assert_eq!(handles.iter().next().unwrap().object_name.as_deref(), Some("\\REGISTRY"));
    assert_eq!(read.get_raw_stream(kind::USER).unwrap(), b"user data!");
}

#[test]
fn the_truth_is_where_it_says() {
    for order in [Order::Little, Order::Big] {
        let builder = rich(Cpu::Amd64, order);
        let dump = builder.build();
        let bytes = |what: What| {
            let place = dump.place(what);
            dump.bytes[place.at..place.at + place.len].to_vec()
        };
        assert_eq!(bytes(What::Memory(2)), builder.memory[2].blob.bytes);
        assert_eq!(bytes(What::Memory64(1)), builder.memory64[1].blob.bytes);
        assert_eq!(bytes(What::Context(0))[0x1a0..0x1b0], [0xa5; 16], "XMM0 in the FXSAVE area");
        for (name, secret) in [("on the stack", "tell nobody"), ("in the heap", "nor this"), ("in a stream", "data!")] {
            let planted = dump.planted(name);
            assert_eq!(dump.bytes_of(planted), secret.as_bytes());
            assert_eq!(forms::find_all(&dump.bytes, secret.as_bytes()), [planted.pieces[0].0]);
        }
    }
}

#[test]
fn a_secret_that_is_cut_twice_is_put_together_again() {
    let secret = b"0123456789abcdef";
    let (left, rest) = Memory::zeros(0x1000, 64).plant(20, "cut", secret).split(25);
    let (middle, right) = rest.split(5);
    assert_eq!((middle.address, right.address), (0x1000 + 25, 0x1000 + 30));
    let memory = vec![right, left, middle];
    let dump = MinidumpBuilder { memory, ..MinidumpBuilder::new(Cpu::X86, System::Linux) }.build();
    assert_eq!(dump.planted.len(), 1);
    assert_eq!(dump.planted[0].pieces.len(), 3);
    assert_eq!(dump.bytes_of(&dump.planted[0]), secret);
}

#[test]
fn process_blocks_hold_what_they_point_at() {
    let blocks = windows::ProcessBlocks {
        base: 0x10_0000,
        process_id: 1,
        thread_id: 2,
        stack: (0x2000, 0x1000),
        image_base: 0x40_0000,
        image_path: "C:\\a.exe",
        command_line: "a.exe --token x",
        environment: &["PATH=C:\\", "DB_PASSWORD=swordfish"],
    };
    let memory = blocks.memory();
    let number = |at: u64| {
        let at = usize::try_from(at - memory.address).unwrap();
        u64::from_le_bytes(memory.blob.bytes[at..at + 8].try_into().unwrap())
    };
    let parameters = number(number(blocks.base + 0x60) + 0x20);
    assert_eq!(parameters, blocks.parameters());
    let environment = usize::try_from(number(parameters + 0x80) - memory.address).unwrap();
    let length = usize::try_from(number(parameters + 0x3f0)).unwrap();
    let block = &memory.blob.bytes[environment..environment + length];
    assert_eq!(block, forms::utf16le("PATH=C:\\\0DB_PASSWORD=swordfish\0\0"));
    let plant = memory.blob.plants.iter().find(|plant| plant.name == "DB_PASSWORD").unwrap();
    assert_eq!(memory.blob.bytes[plant.at..plant.at + plant.len], forms::utf16le("swordfish"));
}

#[test]
fn module_headers_are_what_they_claim() {
    for cpu in Cpu::ALL {
        assert!(goblin::pe::header::Header::parse(&headers::pe(cpu, 0x40_0000, 0x4000)).is_ok(), "{cpu:?}");
        for order in [Order::Little, Order::Big] {
            assert!(goblin::elf::Elf::parse(&headers::elf(cpu, order, 0x4000)).is_ok(), "{cpu:?}");
        }
    }
    for cpu in [Cpu::Amd64, Cpu::Arm64] {
        // goblin wants the whole segment to be there, so the image is one page long.
        assert!(goblin::mach::MachO::parse(&headers::macho(cpu, 0x40_0000, 0x1000), 0).is_ok(), "{cpu:?}");
    }
}

#[test]
fn keys_are_written_as_the_standards_say() {
    use rsa::pkcs1::DecodeRsaPrivateKey as _;
    use rsa::pkcs8::DecodePrivateKey as _;
    let key = keys::rsa(1024);
    let read = rsa::PrivateKey::from_pkcs1_der(&der::pkcs1(&key)).unwrap();
    assert!(read.validate().is_ok());
    assert_eq!(rsa::PrivateKey::from_pkcs8_der(&der::pkcs8_rsa(&key)).unwrap(), read);
    for lines in [Lines::Lf, Lines::CrLf] {
        let text = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&key), lines);
        assert_eq!(rsa::PrivateKey::from_pkcs1_pem(&text).unwrap(), read);
    }
    let pair = keys::p256();
    assert_eq!(
        sec1::EcPrivateKey::try_from(der::sec1_p256(&pair.secret, &pair.public).as_slice()).unwrap().private_key,
        pair.secret
    );
    assert!(pkcs8::PrivateKeyInfoRef::try_from(pair.p256_pkcs8().as_slice()).is_ok());
    assert!(pkcs8::PrivateKeyInfoRef::try_from(der::pkcs8_ed25519(&keys::ed25519().secret).as_slice()).is_ok());
}

#[test]
fn base64_has_three_phases_and_finds_itself_in_all() {
    let secret = b"a secret of some length";
    for before in 0..3 {
        let text = forms::base64(&[&b"xyz"[..before], secret, b"and more"].concat());
        assert!(text.contains(&forms::base64_phases(secret)[before]), "{before}");
    }
    assert_eq!(forms::base64(b"light work."), "bGlnaHQgd29yay4=");
    assert_eq!(forms::base64(b"light wor"), "bGlnaHQgd29y");
}

#[test]
fn lies_are_written_down_as_they_are() {
    let mut builder = rich(Cpu::Amd64, Order::Little);
    builder.lies.directory = vec![(kind::USER + 1, 100, 0xffff_0000)];
    builder.lies.memory = vec![(0x8000, 0xffff_ffff, 0xffff_fff0)];
    builder.lies.twice = vec![kind::MODULE_LIST];
    builder.lies.base_rva = -8;
    let dump: Dump = builder.build();
    let place = dump.place(What::Stream(kind::MEMORY64_LIST));
    let base = dump.u32_at(place.at + 8) as usize;
    assert_eq!(base + 8, dump.place(What::Memory64(0)).at);
    let modules = dump.places.iter().filter(|place| place.what == What::Stream(kind::MODULE_LIST));
    assert_eq!(modules.count(), 2);
    assert_eq!(dump.u32_at(8) as usize * 12, dump.place(What::Directory).len);
}
