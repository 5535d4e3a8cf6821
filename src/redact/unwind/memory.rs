//! A thread's stack, as one run of bytes within a budget.

use crate::dump::Thread;
use crate::error::Result;
use crate::image::Image;
use crate::memory::AddressSpace;
use crate::span::Address;

/// Bytes below the stack pointer that are looked at too: on Windows a frame pointer may point up to 240 bytes off its
/// frame, and what it leads to is only judged when it can be read.
const BELOW: u64 = 1024;

/// The part of a stack that is walked.
pub(super) struct Stack {
    /// Address of the first byte.
    pub start: Address,
    /// Its bytes; not empty.
    pub bytes: Vec<u8>,
    /// Whether the dump has more of it.
    pub cut: bool,
}

impl Stack {
    /// Bytes that were read.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Reads the stack around `sp`, at most `most` bytes.
    ///
    /// Where the dump has no memory at `sp`, which a crash may have ruined, the stack that is recorded for the thread is
    /// walked: its frame pointer may still be right.
    pub fn read(image: &Image, space: &AddressSpace, thread: &Thread, sp: Address, most: u64) -> Result<Option<Self>> {
        let Some((start, end)) = range(space, thread, sp) else { return Ok(None) };
        let len = (end.0 - start.0).min(most);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let got = space.read(image, start, &mut bytes)?;
        bytes.truncate(got);
        let cut = len < end.0 - start.0 && got as u64 == len;
        Ok((cut || got > 0).then_some(Self { start, bytes, cut }))
    }
}

/// The addresses to walk through.
fn range(space: &AddressSpace, thread: &Thread, sp: Address) -> Option<(Address, Address)> {
    let recorded = thread.stack.map(|(start, len)| (start, start.plus(len))).filter(|(start, end)| start < end);
    if let Some((start, end)) = recorded.filter(|&(start, end)| start <= sp && sp < end) {
        return Some((start.max(Address(sp.0.saturating_sub(BELOW))), end));
    }
    region(space, sp).or(recorded)
}

/// From a little below `sp` to the end of the region that holds it.
fn region(space: &AddressSpace, sp: Address) -> Option<(Address, Address)> {
    let (start, end) = space.region_at(sp)?;
    Some((start.max(Address(sp.0.saturating_sub(BELOW))), end))
}
