//! YARA rules of the user's: each string of a rule that matches is a hit.
//!
//! A rule is asked in each window by itself, so only what has a meaning there is taken: a condition that asks for one string
//! or another. What asks about the whole file is refused by the rule's name (see [`fit`]).

mod fit;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use yara_x::{Compiler, MetaValue, Scanner, SourceCode};

use crate::detect::{Candidate, Detector, Hit, Hits, Reach, Trigger};
use crate::error::{Error, Result};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::vault::Secret;
use crate::window::Window;

/// What to do about a finding of a rule that does not say it.
const REMEDY: &str = "See what the rule is for; if it is a secret, revoke it where it was issued.";

/// The rules of one file, compiled.
pub struct Yara {
    compiled: yara_x::Rules,
    rules: BTreeMap<String, Asked>,
}

/// A rule, and the strings that its condition asks for.
struct Asked {
    rule: Rule,
    strings: BTreeSet<String>,
}

/// The detector for a file of YARA rules.
///
/// # Errors
/// [`Error::Open`] when it cannot be read, [`Error::Rules`] when it does not compile or a rule has no meaning in a dump.
pub fn load(path: &Path) -> Result<Yara> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

/// The same of a text that `name` names.
///
/// # Errors
/// [`Error::Rules`], as [`load`].
pub fn parse(name: &str, text: &str) -> Result<Yara> {
    let wrong = |reason: String| Error::Rules { file: name.to_owned(), reason };
    let strings = fit::strings(text).map_err(wrong)?;
    let mut compiler = Compiler::new();
    compiler.enable_includes(false);
    compiler.add_source(SourceCode::from(text)).map_err(|e| wrong(e.to_string()))?;
    let compiled = compiler.build();
    let mut rules = BTreeMap::new();
    for rule in compiled.iter().filter(|rule| !rule.is_private()) {
        let meta = |key: &str| {
            rule.metadata().find_map(|(name, value)| match value {
                MetaValue::String(text) if name.eq_ignore_ascii_case(key) => Some(text.to_owned()),
                _ => None,
            })
        };
        let title = meta("title").unwrap_or_else(|| format!("YARA rule {}", rule.identifier()));
        let description =
            meta("description").unwrap_or_else(|| "Bytes that a YARA rule of the user's asks for.".to_owned());
        let remedy = meta("remedy").unwrap_or_else(|| REMEDY.to_owned());
        let severity =
            severity(meta("severity").as_deref()).map_err(|why| wrong(format!("rule {}: {why}", rule.identifier())))?;
        let made = Rule::new(&id(rule.identifier()), &title, severity, &description, &remedy);
        let strings = strings.get(rule.identifier()).cloned().unwrap_or_default();
        rules.insert(rule.identifier().to_owned(), Asked { rule: made, strings });
    }
    Ok(Yara { compiled, rules })
}

impl Detector for Yara {
    fn rules(&self) -> Vec<Rule> {
        self.rules.values().map(|asked| asked.rule.clone()).collect()
    }

    fn trigger(&self) -> Trigger {
        Trigger::Window
    }

    fn reach(&self) -> Reach {
        Reach { before: 1, after: fit::LONGEST + 1 }
    }

    fn confirm(&self, _candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let mut scanner = Scanner::new(&self.compiled);
        // No more than one match can begin at each byte.
        scanner.max_matches_per_pattern(window.bytes().len());
        // Bytes that are in memory already can only fail to be scanned by a timeout, and none is set.
        let Ok(results) = scanner.scan(window.bytes()) else { return };
        for rule in results.matching_rules() {
            let Some(asked) = self.rules.get(rule.identifier()) else { continue };
            for string in rule.patterns().include_private(true) {
                if asked.strings.contains(string.identifier()) {
                    let owned = string.matches().filter(|found| window.owned().contains(&found.range().start));
                    out.hits
                        .extend(owned.map(|found| hit(&asked.rule, string.identifier(), found.range(), found.data())));
                }
            }
        }
    }

    /// What is decoded has windows of its own, and rules have their own modifiers for what is encoded.
    fn looks_under(&self, _encoding: Encoding) -> bool {
        false
    }
}

fn hit(rule: &Rule, string: &str, range: Range<usize>, data: &[u8]) -> Hit {
    let is_text = data.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    let (secret, layout, encoding) = match narrow(data) {
        Some(letters) => (Secret::text(&letters), Layout::Text, Encoding::Utf16Le),
        None if is_text => (Secret::text(data), Layout::Text, Encoding::Plain),
        None => (Secret::bytes(data), Layout::Bare, Encoding::Plain),
    };
    Hit {
        rule: rule.id.clone(),
        severity: None,
        evidence: Evidence::Matched,
        public: PublicIdentity { context: vec![string.to_owned()], ..PublicIdentity::default() },
        secret,
        range,
        form: Form::whole(layout, encoding),
    }
}

/// The letters of a string that matched as `wide`.
fn narrow(data: &[u8]) -> Option<Vec<u8>> {
    let pairs = data.chunks_exact(2);
    let wide = data.len() >= 4
        && pairs.remainder().is_empty()
        && pairs.clone().all(|pair| matches!(pair, [letter, 0] if *letter != 0));
    wide.then(|| pairs.filter_map(|pair| pair.first().copied()).collect())
}

fn severity(text: Option<&str>) -> std::result::Result<Severity, String> {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("high") => Ok(Severity::High),
        Some("critical") => Ok(Severity::Critical),
        Some("medium" | "low") => Ok(Severity::Low),
        Some("info") => Ok(Severity::Info),
        Some(other) => Err(format!("its severity `{other}` is none of critical, high, low, info")),
    }
}

/// The rule's id here: `Some_Rule2` is `yara-some-rule2`.
fn id(identifier: &str) -> String {
    let words = identifier.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    format!("yara-{}", words.join("-"))
}
