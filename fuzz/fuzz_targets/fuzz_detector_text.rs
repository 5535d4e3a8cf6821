//! Every text rule that is part of the program, in any surrounding: the first byte says which sixteenth of them. All of them at every
//! place of a kilobyte are ten million looks, which take an instrumented program many seconds.
#![no_main]

use std::sync::LazyLock;

use dumpscrub::detect::text::{self, TextRule};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Vec<TextRule>> =
    LazyLock::new(|| text::built_in().expect("the rules of the program are well formed"));

/// Parts that the rules come in.
const PARTS: usize = 16;

fuzz_target!(|data: &[u8]| {
    let Some((part, data)) = data.split_first() else { return };
    let rules = RULES.iter().skip(usize::from(*part) % PARTS).step_by(PARTS);
    rules.for_each(|rule| dumpscrub_fuzz::confirm_everywhere(rule, data));
});
