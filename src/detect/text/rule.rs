//! A rule, ready to be tried, and the rules that are refused: what would be tried everywhere, repeat without bound or never match.

use std::ops::RangeInclusive;

use regex_syntax::hir::{Hir, HirKind};

use super::alphabet::Alphabet;
use super::file::{Decoder, Length, RuleText};
use super::followers::followers;
use super::pattern::{Pattern, parse};
use crate::detect::Literal;

/// Longest reach of a text rule in letters: in UTF-16 it must fit into a window's margin.
const LONGEST_REACH: usize = 16_000;

/// Letters of the shortest literals.
const SHORT: usize = 3;

/// A rule, ready to be tried.
#[derive(Clone, Debug)]
pub struct TextRule {
    pub(super) text: RuleText,
    /// Begins at the literal where a match cannot begin before it.
    pub(super) pattern: Pattern,
    /// Whether every match begins with the secret, at the literal.
    pub(super) begins: bool,
    /// Letters that a match of the pattern takes at most.
    pub(super) longest: usize,
    /// What triggers it.
    pub(super) literals: Vec<Literal>,
    /// Letters from the literal on that the match, or the anchor, may take.
    pub(super) after: usize,
    pub(super) anchor: Option<Pattern>,
    pub(super) requires_context: Option<Pattern>,
    pub(super) ignore_values: Vec<Pattern>,
    pub(super) ignore_matches: Vec<Pattern>,
    pub(super) must_match: Vec<Pattern>,
    pub(super) secrets: Vec<usize>,
    /// Those of the secrets of which the letter before says how many letters they have.
    pub(super) counted: Vec<usize>,
    pub(super) contexts: Vec<usize>,
    pub(super) alphabet: Option<Alphabet>,
    /// Classes of letters, and how many letters of each there must be.
    pub(super) must_hold: Vec<(Alphabet, usize)>,
    pub(super) length: RangeInclusive<usize>,
    /// Any of `near`, in ASCII or UTF-16.
    pub(super) near: Option<Pattern>,
    /// For each byte, whether it is one of `never_inside`, or NUL.
    pub(super) borders: [bool; 256],
    decoders: Vec<crate::finding::Encoding>,
}

impl TextRule {
    /// Makes a rule of its text.
    ///
    /// # Errors
    /// The rule's id and what is wrong with it.
    pub fn new(text: RuleText) -> Result<Self, String> {
        let id = text.id.clone();
        Self::compile(text).map_err(|why| format!("rule {id}: {why}"))
    }

    /// Compiles its patterns, which a rule of the program's does when it is first tried.
    ///
    /// # Errors
    /// The rule's id and which of them takes too much memory.
    pub fn build(&self) -> Result<(), String> {
        let some = [&self.anchor, &self.requires_context, &self.near].into_iter().flatten();
        let lists = [&self.ignore_values, &self.ignore_matches, &self.must_match].into_iter().flatten();
        let mut all = some.chain(lists).chain([&self.pattern]);
        all.try_for_each(Pattern::build).map_err(|why| format!("rule {}: {why}", self.text.id))
    }

    /// The rule as its file says it.
    #[must_use]
    pub fn text(&self) -> &RuleText {
        &self.text
    }

    /// The encodings under which the rule is tried.
    #[must_use]
    pub fn decoders(&self) -> &[crate::finding::Encoding] {
        &self.decoders
    }

    fn compile(text: RuleText) -> Result<Self, String> {
        check_literals(&text.literals)?;
        let reach = text.after.map(|after| after.saturating_add(text.before));
        let parsed = parse(&text.pattern)?;
        let longest = longest_match(&text.pattern, &parsed, text.around.or(reach))?;
        let anchor = text.anchor.as_deref().map(|anchor| Ok::<_, String>((anchor, parse(anchor)?))).transpose()?;
        let literals = literals(&text.literals, anchor.as_ref().map_or(&parsed, |(_, hir)| hir), text.before);
        let anchor = anchor.map(|(anchor, hir)| {
            Ok::<_, String>((longest_match(anchor, &hir, reach)?, Pattern::of(anchor.to_owned(), &hir)))
        });
        let (anchor_longest, anchor) = anchor.transpose()?.unzip();
        let starts_at_literal = text.before == 0 && anchor.is_none();
        let begun = || format!(r"\A(?:{})", text.pattern);
        let pattern = Pattern::of(if starts_at_literal { begun() } else { text.pattern.clone() }, &parsed);
        let named = |prefix: &str| {
            pattern.names().filter(|(_, name)| name.starts_with(prefix)).map(|(i, _)| i).collect::<Vec<usize>>()
        };
        let (secrets, counted, contexts) = (named("secret"), named("secret_counted"), named("context"));
        if secrets.is_empty() {
            return Err("the pattern has no group named `secret`".to_owned());
        }
        let alphabet = text.alphabet.as_deref().map(Alphabet::parse).transpose()?;
        let patterns = |all: &[String]| all.iter().map(|p| Pattern::later(p)).collect::<Vec<_>>();
        let rule = Self {
            begins: starts_at_literal && begins_with_secret(&parsed),
            longest,
            literals,
            after: text.after.unwrap_or(anchor_longest.unwrap_or(longest)),
            anchor,
            requires_context: text.requires_context.as_deref().map(Pattern::later),
            ignore_values: patterns(&text.ignore_values),
            ignore_matches: patterns(&text.ignore_matches),
            must_match: patterns(&text.must_match),
            secrets,
            counted,
            contexts,
            alphabet,
            must_hold: must_hold(&text.must_hold)?,
            length: text.length.map_or(1..=longest, Length::range),
            near: near(&text.near)?,
            borders: borders(&text.never_inside, text.nul_inside),
            decoders: text.decoders.iter().copied().map(Decoder::encoding).collect(),
            pattern,
            text,
        };
        rule.check()?;
        Ok(rule)
    }

    /// What the fields say together.
    fn check(&self) -> Result<(), String> {
        let text = &self.text;
        let refuse = |wrong: bool, why: &str| if wrong { Err(why.to_owned()) } else { Ok(()) };
        refuse(text.anchor.is_some() != text.around.is_some(), "`anchor` and `around` go together")?;
        refuse(text.near.is_empty() != text.within.is_none(), "`near` and `within` go together")?;
        refuse(text.checksum_optional && text.checksum.is_none(), "`checksum_optional` without a checksum")?;
        refuse(text.must_follow.is_some_and(|c| !c.is_ascii()), "`must_follow` is one ASCII letter")?;
        refuse(self.length.is_empty(), "its least length is more than its most")?;
        refuse(*self.length.start() > self.longest, "its pattern is shorter than its least length")?;
        let (before, after) = self.reach_letters();
        // One letter more is looked at on each side, to see whether a token ends.
        let letters = before.max(after) - 1;
        refuse(letters > LONGEST_REACH, &format!("it reaches {letters} letters, more than {LONGEST_REACH}"))?;
        self.check_entropy()
    }

    /// A threshold that no value can reach would switch the rule off, and one over any byte at all would tell nothing.
    fn check_entropy(&self) -> Result<(), String> {
        let Some(least) = self.text.entropy else { return Ok(()) };
        let letters = self.alphabet.as_ref().ok_or("`entropy` needs an `alphabet`: random bytes pass any threshold")?;
        let most = letters.count().min(*self.length.end()).min(self.longest).max(1) as f64;
        if least < 0.0 || least > most.log2() {
            return Err(format!("no value of its alphabet and length has {least} bits in each letter"));
        }
        Ok(())
    }

    /// Letters before and from the literal on that must be seen: the match, one letter more at each end, the words near it.
    pub(super) fn reach_letters(&self) -> (usize, usize) {
        let near = self.text.within.unwrap_or(0);
        let (before, after) = match self.text.around {
            Some(around) => (around.max(self.text.before), around.max(self.after)),
            None => (self.text.before, self.after),
        };
        (before.saturating_add(near + 1), after.saturating_add(near + 1))
    }
}

/// Whether what every match begins with is a group for the secret.
fn begins_with_secret(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(group) => group.name.as_deref().is_some_and(|name| name.starts_with("secret")),
        HirKind::Concat(parts) => parts.first().is_some_and(begins_with_secret),
        HirKind::Alternation(parts) => parts.iter().all(begins_with_secret),
        _ => false,
    }
}

/// The classes, and how often each is listed.
fn must_hold(classes: &[String]) -> Result<Vec<(Alphabet, usize)>, String> {
    let mut all: Vec<(Alphabet, usize)> = Vec::new();
    for class in classes {
        let class = Alphabet::parse(class)?;
        match all.iter_mut().find(|(known, _)| *known == class) {
            Some((_, times)) => *times += 1,
            None => all.push((class, 1)),
        }
    }
    Ok(all)
}

fn check_literals(literals: &[String]) -> Result<(), String> {
    let bad = |literal: &&String| {
        let bytes = literal.as_bytes();
        bytes.len() < SHORT || !literal.is_ascii() || bytes.iter().all(|b| bytes.first() == Some(b))
    };
    match (literals, literals.iter().find(bad)) {
        ([], _) => Err("it has no literal, and would be tried at every byte".to_owned()),
        (_, Some(bad)) => Err(format!("its literal `{bad}` is not 3 different ASCII letters or more")),
        _ => Ok(()),
    }
}

/// The literals, each of which may stand in a match of `pattern` behind `before` letters or fewer.
fn literals(literals: &[String], pattern: &Hir, before: usize) -> Vec<Literal> {
    let with_next = |literal: &String| {
        let next = if literal.len() == SHORT { followers(pattern, literal.as_bytes(), before) } else { None };
        Literal { next, ..Literal::text(literal) }
    };
    literals.iter().map(with_next).collect()
}

/// The most letters that a match takes. A pattern that repeats without bound is refused, unless the rule says how far it may
/// go from its literal: then nothing longer is looked at.
fn longest_match(pattern: &str, hir: &Hir, reach: Option<usize>) -> Result<usize, String> {
    hir.properties().maximum_len().or(reach).ok_or_else(|| {
        format!("its pattern `{pattern}` repeats without bound: write `{{1,20}}` for `+`, or say `after` and `before`")
    })
}

/// A pattern for any of the words, in any case, in ASCII or UTF-16.
fn near(words: &[String]) -> Result<Option<Pattern>, String> {
    if words.iter().any(|word| word.len() < 3 || !word.is_ascii()) {
        return Err("each word of `near` is 3 ASCII letters or more".to_owned());
    }
    let wide = |word: &String| word.chars().map(|c| regex::escape(&c.to_string())).collect::<Vec<_>>().join(r"\x00");
    let all: Vec<String> = words.iter().flat_map(|word| [regex::escape(word), wide(word)]).collect();
    Ok((!all.is_empty()).then(|| Pattern::later(&format!("(?i){}", all.join("|")))))
}

fn borders(never_inside: &str, nul_inside: bool) -> [bool; 256] {
    let mut borders = [false; 256];
    for byte in never_inside.bytes().chain((!nul_inside).then_some(0)) {
        borders.iter_mut().skip(usize::from(byte)).take(1).for_each(|border| *border = true);
    }
    borders
}
