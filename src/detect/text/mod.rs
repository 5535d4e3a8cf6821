//! Text rules: a TOML block each, which carries its own examples.
//!
//! A rule's pattern never asks for a terminator of text, because memory has none: a C string ends in NUL, the next object
//! begins right behind it. A token ends at the first byte outside its alphabet or at the edge of a region; one pattern
//! serves ASCII and, on narrowed letters, UTF-16 in both byte orders at any parity.
//!
//! A literal triggers; [`TextRule`] tries the pattern on the letters around it, and what fits has to pass the rule's tests,
//! the cheap ones first: placeholders, length, alphabet and its boundaries, entropy, checksum, words near it.

mod alphabet;
pub mod checks;
mod confirm;
mod file;
mod followers;
mod gate;
mod manuals;
mod pattern;
mod proof;
mod rule;
mod samples;
#[cfg(test)]
mod tests;
mod value;

use std::path::Path;

pub use alphabet::Alphabet;
pub use file::{Boundary, Decoder, Example, Joined, Length, RuleText, SeverityName};
pub use pattern::parse as parse_pattern;
pub use proof::Proof;
pub use rule::TextRule;

use crate::error::{Error, Result};
use crate::parallel;

/// The rule files that are part of the program: name and content. Where two rules find the same secret and are as sure of
/// it, the one that stands first names it: issuers before the places that any secret may stand in.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("cloud.toml", include_str!("../rules/cloud.toml")),
    ("hyperscalers.toml", include_str!("../rules/hyperscalers.toml")),
    ("clouds.toml", include_str!("../rules/clouds.toml")),
    ("more-clouds.toml", include_str!("../rules/more-clouds.toml")),
    ("signed-urls.toml", include_str!("../rules/signed-urls.toml")),
    ("hosting.toml", include_str!("../rules/hosting.toml")),
    ("forges.toml", include_str!("../rules/forges.toml")),
    ("forge-tokens.toml", include_str!("../rules/forge-tokens.toml")),
    ("registries.toml", include_str!("../rules/registries.toml")),
    ("ci.toml", include_str!("../rules/ci.toml")),
    ("infrastructure.toml", include_str!("../rules/infrastructure.toml")),
    ("secret-stores.toml", include_str!("../rules/secret-stores.toml")),
    ("ai.toml", include_str!("../rules/ai.toml")),
    ("ai-platforms.toml", include_str!("../rules/ai-platforms.toml")),
    ("ai-tools.toml", include_str!("../rules/ai-tools.toml")),
    ("more-ai.toml", include_str!("../rules/more-ai.toml")),
    ("ai-agents.toml", include_str!("../rules/ai-agents.toml")),
    ("services.toml", include_str!("../rules/services.toml")),
    ("more-services.toml", include_str!("../rules/more-services.toml")),
    ("dev-tools.toml", include_str!("../rules/dev-tools.toml")),
    ("more-dev-tools.toml", include_str!("../rules/more-dev-tools.toml")),
    ("dev-services.toml", include_str!("../rules/dev-services.toml")),
    ("feature-flags.toml", include_str!("../rules/feature-flags.toml")),
    ("payment.toml", include_str!("../rules/payment.toml")),
    ("finance.toml", include_str!("../rules/finance.toml")),
    ("finance-europe.toml", include_str!("../rules/finance-europe.toml")),
    ("finance-more.toml", include_str!("../rules/finance-more.toml")),
    ("more-finance.toml", include_str!("../rules/more-finance.toml")),
    ("chat.toml", include_str!("../rules/chat.toml")),
    ("messaging.toml", include_str!("../rules/messaging.toml")),
    ("webhooks.toml", include_str!("../rules/webhooks.toml")),
    ("mail.toml", include_str!("../rules/mail.toml")),
    ("identity.toml", include_str!("../rules/identity.toml")),
    ("second-factors.toml", include_str!("../rules/second-factors.toml")),
    ("observability.toml", include_str!("../rules/observability.toml")),
    ("data.toml", include_str!("../rules/data.toml")),
    ("network.toml", include_str!("../rules/network.toml")),
    ("wallets.toml", include_str!("../rules/wallets.toml")),
    ("coins.toml", include_str!("../rules/coins.toml")),
    ("more-wallets.toml", include_str!("../rules/more-wallets.toml")),
    ("hashes.toml", include_str!("../rules/hashes.toml")),
    ("more-hashes.toml", include_str!("../rules/more-hashes.toml")),
    ("cookies.toml", include_str!("../rules/cookies.toml")),
    ("cookies-services.toml", include_str!("../rules/cookies-services.toml")),
    ("cookies-gateways.toml", include_str!("../rules/cookies-gateways.toml")),
    ("frameworks.toml", include_str!("../rules/frameworks.toml")),
    ("tool-files.toml", include_str!("../rules/tool-files.toml")),
    ("servers.toml", include_str!("../rules/servers.toml")),
    ("daemons.toml", include_str!("../rules/daemons.toml")),
    ("server-files.toml", include_str!("../rules/server-files.toml")),
    ("command-lines.toml", include_str!("../rules/command-lines.toml")),
    ("tokens.toml", include_str!("../rules/tokens.toml")),
    ("databases.toml", include_str!("../rules/databases.toml")),
    ("drivers.toml", include_str!("../rules/drivers.toml")),
    ("http.toml", include_str!("../rules/http.toml")),
    ("environment.toml", include_str!("../rules/environment.toml")),
    ("argv.toml", include_str!("../rules/argv.toml")),
    ("more-argv.toml", include_str!("../rules/more-argv.toml")),
    ("config-files.toml", include_str!("../rules/config-files.toml")),
    ("web.toml", include_str!("../rules/web.toml")),
    ("members.toml", include_str!("../rules/members.toml")),
    ("logins.toml", include_str!("../rules/logins.toml")),
    ("network-devices.toml", include_str!("../rules/network-devices.toml")),
    ("network-files.toml", include_str!("../rules/network-files.toml")),
    ("windows.toml", include_str!("../rules/windows.toml")),
    ("tool-calls.toml", include_str!("../rules/tool-calls.toml")),
    ("api-urls.toml", include_str!("../rules/api-urls.toml")),
    ("printed-once.toml", include_str!("../rules/printed-once.toml")),
    ("tool-arguments.toml", include_str!("../rules/tool-arguments.toml")),
    ("printed.toml", include_str!("../rules/printed.toml")),
    ("printed-forms.toml", include_str!("../rules/printed-forms.toml")),
    ("paranoid-vendors.toml", include_str!("../rules/paranoid-vendors.toml")),
    ("paranoid-services.toml", include_str!("../rules/paranoid-services.toml")),
    ("paranoid.toml", include_str!("../rules/paranoid.toml")),
];

/// Every rule of the files that are part of the program.
///
/// # Errors
/// [`Error::Rules`] naming the rule that is wrong.
pub fn built_in() -> Result<Vec<TextRule>> {
    let files = parallel::map(BUILT_IN, |(name, text)| read(name, text));
    files.into_iter().collect::<Result<Vec<_>>>().map(|rules| rules.into_iter().flatten().collect())
}

/// The rules of a file of the user's.
///
/// # Errors
/// [`Error::Open`] when it cannot be read, [`Error::Rules`] when it is wrong.
pub fn load(path: &Path) -> Result<Vec<TextRule>> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

/// The rules of one file, compiled, because nobody has tested them yet.
///
/// # Errors
/// [`Error::Rules`] with line and column, or the rule's id and what is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Vec<TextRule>> {
    let rules = read(name, text)?;
    let wrong = |reason: String| Error::Rules { file: name.to_owned(), reason };
    rules.iter().try_for_each(TextRule::build).map_err(wrong)?;
    Ok(rules)
}

/// Whether a pattern takes no more memory than a user's may.
///
/// # Errors
/// What is wrong with it.
pub fn compile_pattern(text: &str) -> std::result::Result<(), String> {
    pattern::Pattern::new(text)?.build()
}

fn read(name: &str, text: &str) -> Result<Vec<TextRule>> {
    let wrong = |reason: String| Error::Rules { file: name.to_owned(), reason };
    let file: file::RuleFile = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let field = |rule| RuleText { field: file.field.clone(), ..rule };
    file.rules.into_iter().map(|rule| TextRule::new(field(rule)).map_err(&wrong)).collect()
}
