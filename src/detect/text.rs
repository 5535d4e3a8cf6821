//! Text rules: a TOML block each, which carries its own examples.
//!
//! A rule's pattern never asks for a terminator of text, because memory has none: a C string ends in NUL, the next object
//! begins right behind it. A token ends at the first byte outside its alphabet or at the edge of a region; one pattern
//! serves ASCII and, on narrowed letters, UTF-16 in both byte orders at any parity.

use std::ops::Range;

use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use crate::detect::{Candidate, Detector, Hit, Hits, Literal, Reach, TextView, Trigger};
use crate::error::{Error, Result};
use crate::finding::{Evidence, Form, Layout, PublicIdentity, Rule, Severity};
use crate::vault::Secret;
use crate::window::Window;

/// The rule files that are part of the program: name and content.
pub const BUILT_IN: &[(&str, &str)] = &[("first.toml", include_str!("rules/first.toml"))];

/// Longest reach of a text rule in letters: in UTF-16 it must fit into a window's margin.
const LONGEST_REACH: usize = 16_000;

/// Memory that one compiled pattern may take.
const COMPILED: usize = 4 << 20;

/// A rule as its TOML block says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// Stable identifier.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// `critical`, `high`, `low` or `info`.
    pub severity: SeverityName,
    /// What it is.
    pub description: String,
    /// What to do when it leaked.
    pub remedy: String,
    /// Any of these must stand inside the match. At least three letters each.
    pub literals: Vec<String>,
    /// Letters before a literal that a match may begin at.
    pub before: usize,
    /// Letters from a literal's first on that a match may take.
    pub after: usize,
    /// The pattern. The group `secret` (or any whose name begins so) is the secret; groups whose names begin with
    /// `context` are told in the report and must not be secret.
    pub pattern: String,
    /// Letters that no match holds, except one at either end; NUL is always one of them. The pattern is tried only on the
    /// letters between two of these, so a rule whose literal is frequent should name what it can.
    #[serde(default)]
    pub never_inside: String,
    /// A byte that a match must hold behind its literal, looked for before the pattern is tried.
    pub must_follow: Option<char>,
    /// A pattern that some context group must match.
    pub requires_context: Option<String>,
    /// Values that are no secrets, compared without case.
    #[serde(default)]
    pub placeholders: Vec<String>,
    /// Hosts whose credentials are documentation; their subdomains too.
    #[serde(default)]
    pub reserved_hosts: Vec<String>,
    /// Patterns of values that are no secrets.
    #[serde(default)]
    pub ignore_values: Vec<String>,
    /// Texts in which the rule must find the secret.
    pub examples: Vec<Example>,
    /// Texts in which it must find nothing.
    pub counter_examples: Vec<String>,
}

/// A text and the secret in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The text.
    pub text: String,
    /// The part of it that the rule must find.
    pub secret: String,
    /// What the pattern needs right behind the secret, where it needs anything: the `@host` of a URL.
    #[serde(default)]
    pub needs: String,
}

/// Severity as rule files spell it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeverityName {
    /// See [`Severity::Info`].
    Info,
    /// See [`Severity::Low`].
    Low,
    /// See [`Severity::High`].
    High,
    /// See [`Severity::Critical`].
    Critical,
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Info => Self::Info,
            SeverityName::Low => Self::Low,
            SeverityName::High => Self::High,
            SeverityName::Critical => Self::Critical,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rules: Vec<RuleText>,
}

/// Every rule of the files that are part of the program.
///
/// # Errors
/// [`Error::Rules`] naming the rule that is wrong.
pub fn built_in() -> Result<Vec<TextRule>> {
    let files = BUILT_IN.iter().map(|(name, text)| parse(name, text));
    files.collect::<Result<Vec<_>>>().map(|rules| rules.into_iter().flatten().collect())
}

/// The rules of one file.
///
/// # Errors
/// [`Error::Rules`] with line and column, or the rule's id and what is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Vec<TextRule>> {
    let wrong = |reason: String| Error::Rules { file: name.to_owned(), reason };
    let file: RuleFile = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
    file.rules.into_iter().map(|rule| TextRule::new(rule).map_err(&wrong)).collect()
}

/// A rule, compiled.
#[derive(Debug)]
pub struct TextRule {
    text: RuleText,
    pattern: Regex,
    requires_context: Option<Regex>,
    ignore_values: Vec<Regex>,
    secrets: Vec<usize>,
    contexts: Vec<usize>,
    /// For each byte, whether it is one of `never_inside`.
    borders: [bool; 256],
}

impl TextRule {
    fn new(text: RuleText) -> std::result::Result<Self, String> {
        let wrong = |why: String| format!("rule {}: {why}", text.id);
        let compile = |pattern: &str| {
            let built = RegexBuilder::new(pattern).unicode(false).size_limit(COMPILED).build();
            built.map_err(|e| wrong(format!("pattern does not compile: {e}")))
        };
        let pattern = compile(&text.pattern)?;
        let named = |prefix: &str| {
            let names = pattern.capture_names().enumerate();
            names.filter(|(_, n)| n.is_some_and(|n| n.starts_with(prefix))).map(|(i, _)| i).collect::<Vec<usize>>()
        };
        let (secrets, contexts) = (named("secret"), named("context"));
        if secrets.is_empty() {
            return Err(wrong("the pattern has no group named `secret`".to_owned()));
        }
        if text.literals.is_empty() || text.literals.iter().any(|l| l.len() < 3) {
            return Err(wrong("it needs literals of 3 letters or more, or it would be tried at every byte".to_owned()));
        }
        if text.before.max(text.after) > LONGEST_REACH {
            return Err(wrong(format!("it reaches further than {LONGEST_REACH} letters")));
        }
        let requires_context = text.requires_context.as_deref().map(compile).transpose()?;
        let ignore_values = text.ignore_values.iter().map(|p| compile(p)).collect::<std::result::Result<_, _>>()?;
        let mut borders = [false; 256];
        for byte in text.never_inside.bytes().chain([0]) {
            borders.iter_mut().skip(usize::from(byte)).take(1).for_each(|border| *border = true);
        }
        Ok(Self { pattern, requires_context, ignore_values, secrets, contexts, borders, text })
    }

    /// The rule as its file says it.
    #[must_use]
    pub fn text(&self) -> &RuleText {
        &self.text
    }

    /// Matches in `letters` that hold the letter `at`, as the ranges of their secrets and what may be told of them.
    fn matches(&self, letters: &[u8], at: usize) -> Vec<(Range<usize>, Vec<String>)> {
        let between = self.between_borders(letters, at);
        let start = between.start;
        let part = letters.get(between).unwrap_or_default();
        let must = self.text.must_follow.and_then(|c| u8::try_from(c).ok());
        if must.is_some_and(|byte| memchr::memchr(byte, part.get(at - start..).unwrap_or_default()).is_none()) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(captures) = self.pattern.captures_at(part, from) {
            let Some(whole) = captures.get(0).filter(|whole| whole.start() <= at - start) else { break };
            if whole.end() > at - start {
                let secret = self.secret_of(&captures);
                found.extend(secret.map(|(range, told)| (range.start + start..range.end + start, told)));
                break;
            }
            from = whole.start() + 1;
        }
        found
    }

    /// The letters around `at` up to the nearest borders, one border on each side included.
    fn between_borders(&self, letters: &[u8], at: usize) -> Range<usize> {
        let border = |byte: &u8| self.borders.get(usize::from(*byte)).copied().unwrap_or_default();
        let (head, tail) = letters.split_at_checked(at).unwrap_or((letters, &[]));
        let start = head.iter().rposition(border).unwrap_or(0);
        // The trigger itself may hold such a letter at its ends.
        let end = tail.iter().skip(1).position(border).map_or(letters.len(), |end| at + end + 2);
        start..end
    }

    fn secret_of(&self, captures: &Captures<'_>) -> Option<(Range<usize>, Vec<String>)> {
        let secret = self.secrets.iter().find_map(|&i| captures.get(i))?;
        let contexts: Vec<&[u8]> =
            self.contexts.iter().filter_map(|&i| captures.get(i)).map(|m| m.as_bytes()).collect();
        let wanted = self.requires_context.as_ref().is_none_or(|p| contexts.iter().any(|c| p.is_match(c)));
        let told =
            || contexts.iter().map(|c| String::from_utf8_lossy(c).into_owned()).filter(|c| !c.is_empty()).collect();
        (wanted && !self.is_placeholder(secret.as_bytes(), &contexts)).then(|| (secret.range(), told()))
    }

    fn is_placeholder(&self, value: &[u8], contexts: &[&[u8]]) -> bool {
        let listed = self.text.placeholders.iter().any(|p| value.eq_ignore_ascii_case(p.as_bytes()));
        let template = matches!(
            value,
            [b'%', b's' | b'd' | b'v', ..] | [b'$', b'{' | b'(', ..] | [b'<', .., b'>'] | [b'{', .., b'}']
        );
        let repeated = value.split_first().is_some_and(|(first, rest)| rest.iter().all(|b| b == first));
        let ignored = self.ignore_values.iter().any(|p| p.is_match(value));
        listed || template || repeated || ignored || contexts.iter().any(|c| self.is_reserved(c))
    }

    fn is_reserved(&self, host: &[u8]) -> bool {
        let host = host.split(|&b| b == b':').next().unwrap_or_default();
        self.text.reserved_hosts.iter().map(String::as_bytes).any(|reserved| {
            let cut = host.len().checked_sub(reserved.len());
            cut.is_some_and(|cut| {
                let (sub, domain) = host.split_at(cut);
                domain.eq_ignore_ascii_case(reserved) && (sub.is_empty() || sub.ends_with(b"."))
            })
        })
    }
}

impl Detector for TextRule {
    fn rules(&self) -> Vec<Rule> {
        let text = &self.text;
        vec![Rule::new(&text.id, &text.title, text.severity.into(), &text.description, &text.remedy)]
    }

    fn trigger(&self) -> Trigger {
        Trigger::Literals(self.text.literals.iter().map(|l| Literal::text(l)).collect())
    }

    fn reach(&self) -> Reach {
        Reach { before: self.text.before, after: self.text.after }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let view = TextView::around(window, candidate, self.text.before, self.text.after);
        let at = view.letter_at(candidate.at);
        let seen = self.matches(view.letters(), at);
        for (range, context) in &seen {
            out.hits.push(self.hit(&view, range.clone(), context.clone()));
        }
        // Where a region ends inside the match, its alphabet may go on by chance in bytes that do not belong to it.
        let around = seen.first().map(|(range, _)| view.bytes_of(at.min(range.start)..range.end));
        for edge in around.into_iter().flat_map(|bytes| window.edges_in(bytes)) {
            let edge = view.letter_at(edge);
            let letters = if edge > at { 0..edge } else { edge..view.letters().len() };
            let part = view.letters().get(letters.clone()).unwrap_or_default();
            for (range, context) in self.matches(part, at - letters.start) {
                let range = range.start + letters.start..range.end + letters.start;
                out.hits.push(self.hit(&view, range, context));
            }
        }
    }
}

impl TextRule {
    fn hit(&self, view: &TextView<'_>, range: Range<usize>, context: Vec<String>) -> Hit {
        let secret = Secret::text(view.letters().get(range.clone()).unwrap_or_default());
        let public = PublicIdentity { context, ..PublicIdentity::default() };
        let form = Form::whole(Layout::Text, view.encoding());
        let (rule, evidence, severity) = (self.text.id.clone(), Evidence::Matched, None);
        Hit { rule, severity, evidence, public, secret, range: view.bytes_of(range), form }
    }
}
