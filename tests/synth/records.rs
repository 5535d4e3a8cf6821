//! The fixed records of the format, one function each.

use super::bytes::Out;
use super::{Cpu, MemoryInfo, System};

/// MINIDUMP_LOCATION_DESCRIPTOR: how many bytes, and where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Location {
    pub size: u32,
    pub rva: u32,
}

/// MINIDUMP_MEMORY_DESCRIPTOR: memory at an address, and where its bytes are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptor {
    pub address: u64,
    pub location: Location,
}

pub fn location(out: &mut Out, location: Location) {
    out.u32(location.size);
    out.u32(location.rva);
}

pub fn descriptor(out: &mut Out, descriptor: Descriptor) {
    out.u64(descriptor.address);
    location(out, descriptor.location);
}

/// MINIDUMP_HEADER, 32 bytes. The checksum is 0, as in every dump that was looked at.
pub fn header(out: &mut Out, streams: u32) {
    out.u32(u32::from_le_bytes(*b"MDMP"));
    out.u32(0xa793);
    out.u32(streams);
    out.u32(32);
    out.u32(0);
    out.u32(0x5f5e_1000);
    out.u64(2);
}

/// MINIDUMP_SYSTEM_INFO, 56 bytes.
pub fn system_info(out: &mut Out, cpu: Cpu, system: System, service_pack: u32) {
    let (major, minor, build, platform) = match system {
        System::Windows => (10, 0, 19_045, 2),
        System::Linux => (6, 1, 0, 0x8201),
        System::MacOs => (14, 5, 0, 0x8101),
    };
    out.u16(cpu.architecture());
    out.u16(6);
    out.u16(0x1007);
    out.u8(4);
    out.u8(1);
    [major, minor, build, platform, service_pack].into_iter().for_each(|number| out.u32(number));
    out.u32(0);
    if cpu == Cpu::X86 {
        out.raw(b"GenuineIntel")
    } else {
        out.zeros(12)
    }
    out.zeros(12);
}

/// MINIDUMP_THREAD, 48 bytes.
pub fn thread(out: &mut Out, id: u32, teb: u64, stack: Descriptor, context: Location) {
    out.u32(id);
    out.zeros(12);
    out.u64(teb);
    descriptor(out, stack);
    location(out, context);
}

/// MINIDUMP_MODULE, 108 bytes, with a VS_FIXEDFILEINFO of version 1.2.3.4.
pub fn module(out: &mut Out, module: &super::Module, name: u32, codeview: Location) {
    out.u64(module.base);
    out.u32(module.size);
    out.u32(0);
    out.u32(module.timestamp);
    out.u32(name);
    [0xfeef_04bd, 0x1_0000, 0x1_0002, 0x3_0004, 0x1_0002, 0x3_0004, 0x3f]
        .into_iter()
        .for_each(|number| out.u32(number));
    out.zeros(6 * 4);
    location(out, codeview);
    location(out, Location::default());
    out.zeros(16);
}

/// MINIDUMP_MEMORY_INFO, 48 bytes; everything is committed (MEM_COMMIT).
pub fn memory_info(out: &mut Out, info: &MemoryInfo) {
    out.u64(info.base);
    out.u64(info.base);
    out.u32(info.protect);
    out.u32(0);
    out.u64(info.size);
    out.u32(0x1000);
    out.u32(info.protect);
    out.u32(info.kind);
    out.u32(0);
}

/// MINIDUMP_EXCEPTION_STREAM, 168 bytes, without parameters.
pub fn exception(out: &mut Out, exception: &super::Exception, context: Location) {
    out.u32(exception.thread);
    out.u32(0);
    out.u32(exception.code);
    out.u32(0);
    out.u64(0);
    out.u64(exception.address);
    out.zeros(8 + 15 * 8);
    location(out, context);
}

/// MINIDUMP_HANDLE_DESCRIPTOR, 32 bytes.
pub fn handle(out: &mut Out, handle: u64, type_name: u32, object_name: u32) {
    out.u64(handle);
    out.u32(type_name);
    out.u32(object_name);
    [0, 0x12_019f, 1, 2].into_iter().for_each(|number| out.u32(number));
}
