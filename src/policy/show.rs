//! A preset as a file, with a word on every field: where a policy of one's own begins.

use crate::policy::Preset;
use crate::report::words;

/// The file. `@preset@` and `@gaps@` stand for what differs between presets.
const TEMPLATE: &str = include_str!("template.toml");

/// The preset as TOML, all its values written out.
#[must_use]
pub fn show(preset: Preset) -> String {
    TEMPLATE.replace("@preset@", preset.name()).replace("@gaps@", &words::name(preset.gaps()))
}
