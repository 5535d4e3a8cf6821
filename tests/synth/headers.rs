//! The first bytes of module images, as they stand in memory: enough for a reader to tell what a module is.
//!
//! Sources: Microsoft's PE/COFF specification; the System V ABI's ELF header; Apple's `mach-o/loader.h`.

use super::bytes::{Order, Out};
use super::context::Cpu;

/// 4096 bytes of a PE image: DOS header, `PE\0\0` at 0x80, COFF and optional header, `.text` and `.data`.
pub fn pe(cpu: Cpu, base: u64, size: u32) -> Vec<u8> {
    let wide = cpu.pointer_width() == 8;
    let machine = match cpu {
        Cpu::X86 => 0x14c,
        Cpu::Amd64 => 0x8664,
        Cpu::Arm => 0x1c4,
        Cpu::Arm64 => 0xaa64,
    };
    let mut out = Out::new(Order::Little);
    out.raw(b"MZ");
    out.until(0x3c);
    out.u32(0x80);
    out.until(0x80);
    out.raw(b"PE\0\0");
    coff(&mut out, machine, if wide { 240 } else { 224 });
    optional(&mut out, wide, base, size);
    section(&mut out, b".text\0\0\0", 0x1000, 0x1000, 0x6000_0020);
    section(&mut out, b".data\0\0\0", 0x2000, size.saturating_sub(0x2000), 0xc000_0040);
    out.until(4096);
    out.bytes
}

fn coff(out: &mut Out, machine: u16, optional: u16) {
    out.u16(machine);
    out.u16(2);
    out.u32(0x5f5e_1000);
    out.u32(0);
    out.u32(0);
    out.u16(optional);
    out.u16(0x22);
}

fn optional(out: &mut Out, wide: bool, base: u64, size: u32) {
    let start = out.at();
    out.u16(if wide { 0x20b } else { 0x10b });
    out.u16(14);
    [0x1000, 0x1000, 0, 0x1000, 0x1000].into_iter().for_each(|n| out.u32(n));
    if wide {
        out.u64(base);
    } else {
        out.u32(0x2000);
        out.number(base, 4);
    }
    [0x1000, 0x200, 6, 0, 6, 0, size, 0x1000, 0].into_iter().for_each(|n| out.u32(n));
    out.u16(3);
    out.u16(0x8160);
    for reserve in [0x10_0000, 0x1000, 0x10_0000, 0x1000] {
        out.number(reserve, if wide { 8 } else { 4 });
    }
    out.u32(0);
    out.u32(16);
    out.until(start + if wide { 240 } else { 224 });
}

fn section(out: &mut Out, name: &[u8; 8], address: u32, size: u32, rights: u32) {
    out.raw(name);
    [size, address, size, address, 0, 0, 0, rights].into_iter().for_each(|n| out.u32(n));
}

/// 4096 bytes of an ELF shared object with one loadable segment, in the dump's byte order.
pub fn elf(cpu: Cpu, order: Order, size: u32) -> Vec<u8> {
    let width = cpu.pointer_width();
    let machine = match cpu {
        Cpu::X86 => 3,
        Cpu::Amd64 => 62,
        Cpu::Arm => 40,
        Cpu::Arm64 => 183,
    };
    let mut out = Out::new(order);
    out.raw(b"\x7fELF");
    out.u8(if width == 8 { 2 } else { 1 });
    out.u8(if order == Order::Little { 1 } else { 2 });
    out.u8(1);
    out.until(16);
    out.u16(3);
    out.u16(machine);
    out.u32(1);
    let header = if width == 8 { 64 } else { 52 };
    [0x1000, header, 0].into_iter().for_each(|n| out.number(n, width));
    out.u32(0);
    [header, if width == 8 { 56 } else { 32 }, 1, 0, 0, 0].into_iter().for_each(|n| out.number(n, 2));
    out.u32(1);
    let (address, size) = ([0, 0, 0], [u64::from(size), u64::from(size)]);
    if width == 8 {
        out.u32(5);
        address.into_iter().chain(size).chain([0x1000]).for_each(|n| out.u64(n));
    } else {
        address.into_iter().chain(size).chain([5, 0x1000]).for_each(|n| out.number(n, 4));
    }
    out.until(4096);
    out.bytes
}

/// Where in [`elf_with_tables`] its unwind tables are, with the zero that ends them.
pub const TABLES: std::ops::Range<usize> = 0x400..0x448;

/// The image of [`elf`] for x64, with a table that says of all its code that frames are linked by rbp.
pub fn elf_with_tables(size: u32) -> Vec<u8> {
    let mut bytes = elf(Cpu::Amd64, Order::Little, size);
    let put = |bytes: &mut Vec<u8>, at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
    // Two program headers; the second one is PT_GNU_EH_FRAME.
    put(&mut bytes, 56, &2_u16.to_le_bytes());
    let (at, len) = (TABLES.start as u64, 20_u64);
    let header = [0x4_6474_e550_u64, at, at, at, len, len, 4].map(u64::to_le_bytes).concat();
    put(&mut bytes, 64 + 56, &header);
    // .eh_frame_hdr: version, encodings (relative to here, four bytes, relative to the header), count, and one entry.
    let (frames, entry) = (TABLES.start as u32 + 20, TABLES.start as u32 + 20 + 28);
    let mut table = vec![1, 0x1b, 3, 0x3b];
    let words = [frames - (TABLES.start as u32 + 4), 1, 0x1000_u32.wrapping_sub(at as u32), entry - at as u32];
    table.extend(words.map(u32::to_le_bytes).concat());
    // A common entry: augmentation zR, factors 1 and -8, return address 16; CFA = rbp + 16, return address and rbp below it.
    table.extend([
        24, 0, 0, 0, 0, 0, 0, 0, 1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 6, 16, 0x90, 1, 0x86, 2, 0, 0, 0, 0,
    ]);
    // Its only function: from 0x1000 to the end.
    let pointer = entry + 4;
    let words = [16, pointer - frames, 0x1000_u32.wrapping_sub(entry + 8), size - 0x1000, 0];
    table.extend(words.map(u32::to_le_bytes).concat());
    table.extend([0; 4]);
    put(&mut bytes, TABLES.start, &table);
    bytes
}

/// 4096 bytes of a 64-bit Mach-O image with one `__TEXT` segment; for x64 and ARM64 only.
pub fn macho(cpu: Cpu, base: u64, size: u32) -> Vec<u8> {
    let mut out = Out::new(Order::Little);
    out.u32(0xfeed_facf);
    out.u32(if cpu == Cpu::Arm64 { 0x100_000c } else { 0x100_0007 });
    out.u32(if cpu == Cpu::Arm64 { 0 } else { 3 });
    [2, 1, 72, 0x20_0085, 0].into_iter().for_each(|n| out.u32(n));
    out.u32(0x19);
    out.u32(72);
    out.raw(b"__TEXT\0\0\0\0\0\0\0\0\0\0");
    [base, u64::from(size), 0, u64::from(size)].into_iter().for_each(|n| out.u64(n));
    [5, 5, 0, 0].into_iter().for_each(|n| out.u32(n));
    out.until(4096);
    out.bytes
}

/// A CodeView record: `RSDS`, a GUID, an age and the path of the PDB.
pub fn codeview(path: &str) -> Vec<u8> {
    let guid = *b"\x10\x32\x54\x76\x98\xba\xdc\xfe\x01\x23\x45\x67\x89\xab\xcd\xef";
    [b"RSDS".as_slice(), &guid, &1_u32.to_le_bytes(), path.as_bytes(), b"\0"].concat()
}

/// Breakpad's record of an ELF build id: `BpEL` read as a little-endian number, then the id.
pub fn build_id(id: &[u8]) -> Vec<u8> {
    [b"LEpB", id].concat()
}
