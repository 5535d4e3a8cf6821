//! The unwind tables that a dump holds of its modules: where they are, what they were, and frames by them.
//!
//! Full dumps and cores of everything have the modules' own memory, and with it what the compiler wrote down for
//! unwinding: `.eh_frame` in ELF images, `.pdata` and `.xdata` in PE ones. They lead up a stack surely, where frame pointers
//! and guesses do not, and so must survive a redaction: each is hashed. `.debug_frame` is never loaded into memory, and
//! Mach-O's tables are not read here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use minidump_unwind::FrameWalker;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::machine::Machine;
use super::{Bounds, elf, pe};
use crate::dump::{DumpMap, Module};
use crate::error::Result;
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::Address;

/// One table, as the dump holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Table {
    /// Its module, as a place in [`super::Stacks::modules`].
    pub module: u32,
    /// The name of its section.
    pub section: &'static str,
    /// Address of its first byte.
    pub address: Address,
    /// Bytes of it that the dump has, as far as memory goes on.
    pub len: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// The tables of one module, for walking.
enum Unwinding {
    Elf(elf::Tables),
    Pe(pe::Tables),
}

/// The tables of all modules.
pub(super) struct Tables<'a> {
    memory: Memory<'a>,
    /// By the address of the module, which is what the unwinder tells of it.
    of: HashMap<u64, Unwinding>,
    /// What was found, in the modules' order.
    pub found: Vec<Table>,
    /// Modules whose tables no budget was left for.
    pub left_out: usize,
    pub work: Work,
}

/// Bytes of tables and code that may be worked through while threads are walked. Entries are short in earnest, but a file
/// may have a million frames in one entry of a megabyte.
pub(super) struct Work(AtomicU64);

impl Work {
    pub fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Takes `bytes`, or says no, and then always.
    pub fn spend(&self, bytes: usize) -> Option<()> {
        let take = |left: u64| Some(left.saturating_sub(bytes as u64));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        (before > bytes as u64).then_some(())
    }

    /// Whether it was all spent.
    pub fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// The dump's memory.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    pub image: &'a Image,
    pub space: &'a AddressSpace,
}

impl Memory<'_> {
    /// Up to `len` bytes at `address`, as far as memory goes on. `len` must have been checked against a budget.
    pub fn bytes(&self, address: Address, len: usize) -> Result<Vec<u8>> {
        let spans = self.space.spans_from(address, len as u64);
        let present: u64 = spans.iter().map(|span| span.len).sum();
        let mut bytes = vec![0; usize::try_from(present).unwrap_or(0)];
        let got = self.space.read(self.image, address, &mut bytes)?;
        bytes.truncate(got);
        Ok(bytes)
    }
}

/// Bytes of a module's header that are read.
const HEADER: usize = 4096;

impl<'a> Tables<'a> {
    /// Finds the tables of every module, as far as `bounds` allow.
    pub fn new(memory: Memory<'a>, map: &DumpMap, machine: &Machine, bounds: &Bounds) -> Result<Self> {
        let mut tables =
            Self { memory, of: HashMap::new(), found: Vec::new(), left_out: 0, work: Work::new(bounds.table_work) };
        let (mut left, mut before) = (bounds.tables, None);
        for (index, module) in (0..).zip(&map.modules) {
            // A second module at one address is a lie, which is told as often as a file likes.
            if before.replace(module.base) == Some(module.base) {
                continue;
            }
            tables.add(index, module, machine, &mut left)?;
        }
        Ok(tables)
    }

    fn add(&mut self, index: u32, module: &Module, machine: &Machine, left: &mut u64) -> Result<()> {
        let Some(kind) = module.header.as_deref() else { return Ok(()) };
        let page = self.memory.bytes(module.base, HEADER)?;
        if kind.starts_with("ELF") {
            let Some(place) = elf::Place::find(&page, module.base) else { return Ok(()) };
            let Some(tables) = place.load(self.memory, machine.endian, left)? else { return Ok(()) };
            if tables.is_cut() {
                self.left_out += 1;
                return Ok(());
            }
            tables.sections().for_each(|(section, address, bytes)| self.hash(index, section, address, bytes));
            self.of.insert(module.base.0, Unwinding::Elf(tables));
        } else if let Some(tables) = pe::Tables::find(&page, module) {
            let Some(sections) = tables.sections(self.memory, left)? else {
                self.left_out += 1;
                return Ok(());
            };
            sections.iter().for_each(|(section, address, bytes)| self.hash(index, section, *address, bytes));
            self.of.insert(module.base.0, Unwinding::Pe(tables));
        }
        Ok(())
    }

    fn hash(&mut self, module: u32, section: &'static str, address: Address, bytes: &[u8]) {
        if !bytes.is_empty() {
            let (len, sha256) = (bytes.len() as u64, Sha256::digest(bytes).into());
            self.found.push(Table { module, section, address, len, sha256 });
        }
    }

    /// Finds the caller of the frame of `walker`, which lies in the module at `base`, if its table knows it.
    pub fn walk(&self, base: u64, machine: &Machine, walker: &mut dyn FrameWalker) -> Option<()> {
        match self.of.get(&base)? {
            Unwinding::Elf(tables) => tables.walk(&self.work, machine, walker),
            Unwinding::Pe(tables) => tables.walk(self.memory, &self.work, machine, walker),
        }
    }
}
