//! A regular expression that is compiled when it is first tried: of hundreds of rules a dump triggers a few, and compiling
//! all of them takes longer than scanning a hundred megabytes.

use std::sync::OnceLock;

use regex::bytes::{CaptureMatches, Captures, Match, Matches, Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::gate::Gate;

/// Memory that one compiled pattern of a user's rule may take.
const COMPILED: usize = 4 << 20;

/// A pattern over bytes, parsed; compiled at its first use.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    names: Vec<Option<String>>,
    built: OnceLock<Option<Regex>>,
    gate: OnceLock<Option<Gate>>,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(text: &str) -> Result<Self, String> {
        Ok(Self::of(text.to_owned(), &parse(text)?))
    }

    /// A pattern without named groups that is parsed when it is compiled: at its first use, or by [`Self::build`], which is asked of
    /// all that a user writes. Parsing the lists of built-in rules took longer than scanning a small dump.
    pub fn later(text: &str) -> Self {
        Self { text: text.to_owned(), names: Vec::new(), built: OnceLock::new(), gate: OnceLock::new() }
    }

    /// The pattern of this text, of which `hir` is the parsed form, as far as groups go.
    pub fn of(text: String, hir: &Hir) -> Self {
        let mut names = vec![None];
        gather(hir, &mut names);
        Self { text, names, built: OnceLock::new(), gate: OnceLock::new() }
    }

    /// Compiles it, for a rule that nobody has tested yet.
    ///
    /// # Errors
    /// That it takes more memory than a pattern may.
    pub fn build(&self) -> Result<(), String> {
        let built = builder(&self.text).size_limit(COMPILED).build();
        let regex = built.map_err(|e| format!("pattern does not compile: {e}"))?;
        self.built.get_or_init(|| Some(regex));
        Ok(())
    }

    /// The groups by their number: the name of each that has one.
    pub fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.names.iter().enumerate().filter_map(|(i, name)| Some((i, name.as_deref()?)))
    }

    /// Whether it fits anywhere.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(bytes))
    }

    /// The groups of the match that begins at `start`.
    pub fn captures_at<'a>(&self, bytes: &'a [u8], start: usize) -> Option<Captures<'a>> {
        let gate = self.gate.get_or_init(|| parse(&self.text).ok().as_ref().and_then(Gate::of));
        if gate.as_ref().is_some_and(|gate| !gate.may_begin(bytes, start)) {
            return None;
        }
        let captures = self.regex()?.captures_at(bytes, start);
        captures.filter(|captures| captures.get(0).is_some_and(|whole| whole.start() == start))
    }

    /// Every place that it fits, each behind the one before it.
    pub fn find_iter<'r, 'a>(&'r self, bytes: &'a [u8]) -> impl Iterator<Item = Match<'a>> + use<'r, 'a> {
        let all: Option<Matches<'r, 'a>> = self.regex().map(|regex| regex.find_iter(bytes));
        all.into_iter().flatten()
    }

    /// The groups of every place that it fits.
    pub fn captures_iter<'r, 'a>(&'r self, bytes: &'a [u8]) -> impl Iterator<Item = Captures<'a>> + use<'r, 'a> {
        let all: Option<CaptureMatches<'r, 'a>> = self.regex().map(|regex| regex.captures_iter(bytes));
        all.into_iter().flatten()
    }

    /// What was parsed compiles, when no limit is set: a rule of the user's is built with one before it is used, and a test
    /// builds all the others.
    fn regex(&self) -> Option<&Regex> {
        self.built.get_or_init(|| builder(&self.text).size_limit(usize::MAX).build().ok()).as_ref()
    }
}

fn builder(text: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(text);
    builder.unicode(false);
    builder
}

/// The parsed form of a pattern over bytes.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(pattern: &str) -> Result<Hir, String> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    parser.parse(pattern).map_err(|e| format!("pattern does not compile: {e}"))
}

/// The names of the groups of `hir`, which the parser has bounded in depth.
fn gather(hir: &Hir, names: &mut Vec<Option<String>>) {
    match hir.kind() {
        HirKind::Capture(group) => {
            let index = group.index as usize;
            if names.len() <= index {
                names.resize(index + 1, None);
            }
            if let Some(name) = names.get_mut(index) {
                *name = group.name.as_deref().map(str::to_owned);
            }
            gather(&group.sub, names);
        }
        HirKind::Repetition(repetition) => gather(&repetition.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| gather(part, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_the_numbers_that_the_compiled_pattern_gives_them() {
        let text = r"(?:a(?P<secret>b)|(c){2,3}(?<context_1>d(?<secret2>e))?)";
        let pattern = Pattern::new(text).unwrap();
        let regex = builder(text).build().unwrap();
        let want: Vec<(usize, &str)> =
            regex.capture_names().enumerate().filter_map(|(i, name)| Some((i, name?))).collect();
        assert_eq!(pattern.names().collect::<Vec<_>>(), want);
    }

    #[test]
    fn a_pattern_too_large_or_wrong_is_refused() {
        assert!(Pattern::new("(a").is_err());
        assert!(Pattern::new("[^a]{1,900}[^b]{1,900}x{900}").unwrap().build().is_ok());
        assert!(Pattern::new("(?:[a-z]{1,900}[0-9]){1,900}").unwrap().build().is_err());
    }
}
