//! What a 64-bit Windows process holds about itself: TEB, PEB, loader data and process parameters.
//!
//! Offsets from the public symbols of `ntdll` (`_TEB`, `_PEB`, `_PEB_LDR_DATA`, `_RTL_USER_PROCESS_PARAMETERS`), x64.

use super::blob::{Blob, Memory};
use super::bytes::{Order, Out};

/// A page each, from `base` on: TEB, PEB with its loader data, process parameters with their strings.
#[derive(Clone, Debug)]
pub struct ProcessBlocks<'a> {
    /// Address of the TEB; the PEB is one page on, the process parameters two.
    pub base: u64,
    pub process_id: u64,
    pub thread_id: u64,
    /// Highest and lowest address of the thread's stack.
    pub stack: (u64, u64),
    pub image_base: u64,
    pub image_path: &'a str,
    pub command_line: &'a str,
    /// `NAME=value` strings, in order.
    pub environment: &'a [&'a str],
}

/// Where the strings of the process parameters stand, from the start of the block on.
const STRINGS: usize = 0x440;

impl ProcessBlocks<'_> {
    /// Address of the PEB.
    pub fn peb(&self) -> u64 {
        self.base + 0x1000
    }

    /// Address of the process parameters.
    pub fn parameters(&self) -> u64 {
        self.base + 0x2000
    }

    /// One run of memory that holds all three. Planted in it, as UTF-16 text: `command line`, and every variable's value
    /// under the variable's name.
    pub fn memory(&self) -> Memory {
        let parameters = self.parameters_block();
        let mut bytes = [self.teb(), self.peb_block()].concat();
        let shift = bytes.len();
        bytes.extend_from_slice(&parameters.bytes);
        let mut blob = Blob::new(bytes);
        for mut plant in parameters.plants {
            plant.at += shift;
            blob.plants.push(plant);
        }
        Memory { address: self.base, blob }
    }

    fn teb(&self) -> Vec<u8> {
        let mut out = Out::new(Order::Little);
        out.until(0x08);
        out.u64(self.stack.0);
        out.u64(self.stack.1);
        out.until(0x30);
        out.u64(self.base);
        out.until(0x40);
        out.u64(self.process_id);
        out.u64(self.thread_id);
        out.until(0x60);
        out.u64(self.peb());
        out.until(0x1000);
        out.bytes
    }

    fn peb_block(&self) -> Vec<u8> {
        let ldr = self.peb() + 0x800;
        let mut out = Out::new(Order::Little);
        out.until(0x10);
        out.u64(self.image_base);
        out.u64(ldr);
        out.u64(self.parameters());
        out.until(0x800);
        out.u32(0x58);
        out.u32(1);
        out.until(0x810);
        for list in [0x10, 0x20, 0x30] {
            out.u64(ldr + list);
            out.u64(ldr + list);
        }
        out.until(0x1000);
        out.bytes
    }

    fn parameters_block(&self) -> Blob {
        let mut strings = Strings { at: self.parameters() + STRINGS as u64, bytes: Vec::new(), plants: Vec::new() };
        let path = strings.counted(self.image_path, None);
        let line = strings.counted(self.command_line, Some("command line"));
        let (environment, length) = strings.environment(self.environment);
        let mut out = Out::new(Order::Little);
        out.u32(0x1000);
        out.u32(0x1000);
        out.u32(1);
        out.until(0x60);
        unicode_string(&mut out, path);
        unicode_string(&mut out, line);
        out.u64(environment);
        out.until(0x3f0);
        out.u64(length);
        out.until(STRINGS);
        out.raw(&strings.bytes);
        out.align(0x1000);
        let mut blob = Blob::new(out.bytes);
        for (at, name, text) in strings.plants {
            blob = blob.plant(STRINGS + at, &name, &text);
        }
        blob
    }
}

struct Strings {
    at: u64,
    bytes: Vec<u8>,
    plants: Vec<(usize, String, Vec<u8>)>,
}

impl Strings {
    /// Address and length in bytes of a text that a UNICODE_STRING names.
    fn counted(&mut self, text: &str, name: Option<&str>) -> (u64, u16) {
        let (start, wide) = (self.bytes.len(), utf16(text));
        self.bytes.extend_from_slice(&wide);
        self.bytes.extend_from_slice(&[0, 0]);
        let length = u16::try_from(wide.len()).unwrap();
        self.plants.extend(name.map(|name| (start, name.to_owned(), wide)));
        (self.at + start as u64, length)
    }

    /// The block: each variable ends in a NUL, and one more NUL ends the block.
    fn environment(&mut self, variables: &[&str]) -> (u64, u64) {
        let start = self.bytes.len();
        for variable in variables {
            let (name, value) = variable.split_once('=').unwrap();
            let value_at = self.bytes.len() + 2 * (name.len() + 1);
            self.plants.push((value_at, name.to_owned(), utf16(value)));
            self.bytes.extend_from_slice(&utf16(variable));
            self.bytes.extend_from_slice(&[0, 0]);
        }
        self.bytes.extend_from_slice(&[0, 0]);
        (self.at + start as u64, (self.bytes.len() - start) as u64)
    }
}

fn unicode_string(out: &mut Out, (address, length): (u64, u16)) {
    out.u16(length);
    out.u16(length + 2);
    out.u32(0);
    out.u64(address);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
