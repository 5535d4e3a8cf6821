//! Every text rule that is part of the program, in any surrounding.
#![no_main]

use std::sync::LazyLock;

use dumpscrub::detect::text::{self, TextRule};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Vec<TextRule>> =
    LazyLock::new(|| text::built_in().expect("the rules of the program are well formed"));

fuzz_target!(|data: &[u8]| {
    RULES.iter().for_each(|rule| dumpscrub_fuzz::confirm_everywhere(rule, data));
});
