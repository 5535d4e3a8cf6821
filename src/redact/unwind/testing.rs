//! A frame for tests of unwind tables.

use std::collections::HashMap;

use minidump_unwind::FrameWalker;

/// Where the stack begins.
pub(super) const STACK: u64 = 0x1000;

/// A frame with some registers, on a stack of words.
pub(super) struct Frame {
    pub at: u64,
    /// Whether it has called another one.
    pub outer: bool,
    stack: Vec<u64>,
    pub registers: HashMap<String, u64>,
    caller: HashMap<String, u64>,
}

impl Frame {
    pub fn new(at: u64, stack: &[u64], registers: &[(&str, u64)]) -> Self {
        let registers = registers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Self { at, outer: false, stack: stack.to_vec(), registers, caller: HashMap::new() }
    }

    /// What was found for a register of the caller; the canonical frame address is `rsp`, the return address `rip`.
    pub fn caller(&self, name: &str) -> Option<u64> {
        self.caller.get(name).copied()
    }
}

impl FrameWalker for Frame {
    fn get_instruction(&self) -> u64 {
        self.at
    }
    fn has_grand_callee(&self) -> bool {
        self.outer
    }
    fn get_grand_callee_parameter_size(&self) -> u32 {
        0
    }
    fn get_register_at_address(&self, address: u64) -> Option<u64> {
        self.stack.get(usize::try_from(address.checked_sub(STACK)? / 8).ok()?).copied()
    }
    fn get_callee_register(&self, name: &str) -> Option<u64> {
        self.registers.get(name).copied()
    }
    fn set_caller_register(&mut self, name: &str, value: u64) -> Option<()> {
        self.caller.insert(name.to_owned(), value);
        Some(())
    }
    fn clear_caller_register(&mut self, name: &str) {
        self.caller.remove(name);
    }
    fn set_cfa(&mut self, value: u64) -> Option<()> {
        self.set_caller_register("rsp", value)
    }
    fn set_ra(&mut self, value: u64) -> Option<()> {
        self.set_caller_register("rip", value)
    }
}
