//! Rules prove themselves: every example is found in every surrounding that memory has, every counter-example in none.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::detect::text::{Example, RuleText, TextRule};
use crate::detect::{Detector, Literal, Trigger};
use crate::error::Result;
use crate::scan::{Engine, prefilter};
use crate::span::Span;
use crate::window::Window;

/// What is wrong with a rule: which example, in which surrounding. Examples stand in the rule file and are no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The rule's id.
    pub rule: String,
    /// What was tried and what came of it.
    pub what: String,
}

/// Tries every example and counter-example of `rules`, each rule by itself, and sees to it that no other rule of `all`
/// takes an example for its own, unless either of the two says that this is meant. No complaint means that all hold.
///
/// # Errors
/// When a rule's trigger is refused.
pub fn check(rules: Vec<TextRule>, all: &Engine) -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut ids = BTreeSet::new();
    let known: BTreeSet<(String, String)> = rules.iter().flat_map(|rule| known_overlaps(rule.text())).collect();
    let general: BTreeSet<String> =
        rules.iter().map(TextRule::text).filter(|text| text.general).map(|text| text.id.clone()).collect();
    for rule in rules {
        let text = rule.text().clone();
        let mut complain = |what: String| complaints.push(Complaint { rule: text.id.clone(), what });
        if !ids.insert(text.id.clone()) {
            complain("its id is also that of another rule".to_owned());
        }
        check_rule(rule)?.into_iter().for_each(&mut complain);
        for example in &text.examples {
            let others = others(all, &text, example).into_iter();
            let meant = |other: &String| general.contains(other) || known.contains(&(text.id.clone(), other.clone()));
            for other in others.filter(|other| !text.general && !meant(other)) {
                let text = &example.text;
                complain(format!(
                    "the rule {other} finds the secret of `{text}` too; if that is meant, say `overlaps = [\"{other}\"]`"
                ));
            }
        }
    }
    Ok(complaints)
}

/// What holds and makes every scan slower: literals that cannot be looked for together with all others.
#[must_use]
pub fn advice(rules: &[TextRule]) -> Vec<Complaint> {
    let slow = |rule: &TextRule| match rule.trigger() {
        Trigger::Literals(all) => all.into_iter().filter(prefilter::is_searched_apart).collect(),
        _ => Vec::new(),
    };
    let advise = |rule: &TextRule, literal: Literal| Complaint {
        rule: rule.text().id.clone(),
        what: format!(
            "its literal `{}` makes every scan slower: take one with four letters of text in a row",
            String::from_utf8_lossy(&literal.bytes)
        ),
    };
    rules.iter().flat_map(|rule| slow(rule).into_iter().map(move |literal| advise(rule, literal))).collect()
}

/// Tries every example and counter-example of one rule, and says what does not hold.
///
/// # Errors
/// When its trigger is refused.
pub fn check_rule(rule: TextRule) -> Result<Vec<String>> {
    let text = rule.text().clone();
    let mut wrong = Vec::new();
    if text.examples.len() < 2 || text.counter_examples.len() < 2 {
        wrong.push("it has fewer than two examples or counter-examples".to_owned());
    }
    let trial = Trial { narrow: text.nul_inside, ..Trial::new(rule)? };
    text.examples.iter().for_each(|e| wrong.extend(trial.example(&e.text, e.secret(), &e.needs)));
    text.counter_examples.iter().for_each(|text| wrong.extend(trial.counter_example(text)));
    Ok(wrong)
}

/// Which other rules of `all` find the secrets of the examples of `rules`: the rule, and the other.
#[must_use]
pub fn overlaps(rules: &[TextRule], all: &Engine) -> BTreeSet<(String, String)> {
    let texts = rules.iter().map(TextRule::text);
    let each = texts.flat_map(|text| text.examples.iter().map(move |example| (text, example)));
    each.flat_map(|(text, e)| others(all, text, e).into_iter().map(|other| (text.id.clone(), other))).collect()
}

/// What a rule says of overlaps holds both ways.
fn known_overlaps(text: &RuleText) -> Vec<(String, String)> {
    let both = |other: &String| [(text.id.clone(), other.clone()), (other.clone(), text.id.clone())];
    text.overlaps.iter().flat_map(both).collect()
}

/// A rule by itself, to try texts with.
pub struct Trial {
    engine: Engine,
    /// Whether only ASCII is tried: NUL ends UTF-16, so what holds one inside is never written so.
    narrow: bool,
}

impl Trial {
    /// The rule alone.
    ///
    /// # Errors
    /// When its trigger is refused.
    pub fn new(rule: TextRule) -> Result<Self> {
        Ok(Self { engine: Engine::new(vec![Box::new(rule)])?, narrow: false })
    }

    /// Where it finds a secret in the text, when that stands between NULs.
    #[must_use]
    pub fn secrets(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = [&[0; PAD][..], text.as_bytes(), &[0; PAD]].concat();
        let found = found(&self.engine, &bytes, 0..bytes.len(), &[]);
        found.into_iter().map(|range| range.start.saturating_sub(PAD)..range.end.saturating_sub(PAD)).collect()
    }

    /// What does not hold of an example.
    #[must_use]
    pub fn example(&self, text: &str, secret: &str, needs: &str) -> Option<String> {
        check_example(self, text, secret, needs)
    }

    /// What does not hold of a counter-example.
    #[must_use]
    pub fn counter_example(&self, text: &str) -> Option<String> {
        let mut all = surroundings(text, text).into_iter();
        let seen = all.find(|s| !found(&self.engine, &s.bytes, 0..s.bytes.len(), &[]).is_empty());
        seen.map(|Surrounding { name, .. }| format!("finds a secret in the counter-example `{text}` ({name})"))
    }
}

fn check_example(trial: &Trial, text: &str, secret: &str, needs: &str) -> Option<String> {
    let engine = &trial.engine;
    let tried = |one: &Surrounding| !(trial.narrow && one.name.contains("UTF-16"));
    if secret.is_empty() || !text.contains(secret) {
        return Some(format!("its example `{text}` does not hold the secret that it names"));
    }
    let mut missed = Vec::new();
    for Surrounding { name, bytes, secret, cut } in surroundings(text, secret).into_iter().filter(tried) {
        let mut miss = |how: &str| missed.push(format!("{name}{how}"));
        if !is_at(&found(engine, &bytes, 0..bytes.len(), &[]), &secret) {
            miss("");
        }
        let holds = |cut: usize| {
            let mut all = found(engine, &bytes, 0..cut, &[]);
            all.extend(found(engine, &bytes, cut..bytes.len(), &[]));
            all.dedup();
            is_at(&all, &secret)
        };
        if cut && !(1..bytes.len()).all(holds) {
            miss(", cut by the seam of two windows");
        }
    }
    for (Surrounding { name, bytes, secret, .. }, edge) in
        region_edges(text, secret, needs).into_iter().filter(|(one, _)| tried(one))
    {
        if !found(engine, &bytes, 0..bytes.len(), &[edge]).contains(&secret) {
            missed.push(name);
        }
    }
    let first = missed.first()?;
    let more = missed.len() - 1;
    let more = if more > 0 { format!(", and in {more} other surroundings") } else { String::new() };
    Some(format!("misses the secret of `{text}`: {first}{more}"))
}

/// The other rules that find the example's secret.
fn others(all: &Engine, rule: &RuleText, example: &Example) -> BTreeSet<String> {
    let at = example.text.find(example.secret()).unwrap_or(0) + PAD;
    let bytes = [&[0; PAD][..], example.text.as_bytes(), &[0; PAD]].concat();
    let pieces = [Span::new(0, bytes.len() as u64)];
    let (hits, _) = all.look(&Window::new(&bytes, 0..bytes.len(), &pieces, &[]));
    let secret = at..at + example.secret().len();
    let overlaps = |range: &Range<usize>| range.start < secret.end && secret.start < range.end;
    let others = hits.hits.iter().filter(|hit| hit.rule != rule.id && overlaps(&hit.range));
    others.map(|hit| hit.rule.clone()).collect()
}

/// Whether exactly one secret was found, at `secret`. Between two NUL characters UTF-16 of both byte orders look the same,
/// one byte apart, so one byte more or less is the same place.
fn is_at(found: &[Range<usize>], secret: &Range<usize>) -> bool {
    matches!(found, [one] if one.len() == secret.len() && (one.start == secret.start || one.start == secret.start + 1))
}

/// Bytes around an example.
const PAD: usize = 16;

/// A way in which memory may hold a text.
struct Surrounding {
    name: String,
    bytes: Vec<u8>,
    /// Where the secret stands in them.
    secret: Range<usize>,
    /// Whether the seam of two windows is tried at every place.
    cut: bool,
}

fn surroundings(text: &str, secret: &str) -> Vec<Surrounding> {
    let at = text.find(secret).unwrap_or(0);
    let units: Vec<u16> = text.encode_utf16().collect();
    let ascii = text.as_bytes().to_vec();
    let little: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|u| u.to_be_bytes()).collect();
    let mut all = Vec::new();
    for (around, value) in [("NULs", 0_u8), ("0xff", 0xff), ("0x01", 1)] {
        for (before, parity) in [(PAD, "an even"), (PAD + 1, "an odd")] {
            // Bytes above ASCII are a protocol's, and no letters that anybody writes in UTF-16.
            let forms = [("ASCII", &ascii, 1), ("UTF-16LE", &little, 2), ("UTF-16BE", &big, 2)];
            for (form, letters, width) in forms.into_iter().filter(|(.., width)| text.is_ascii() || *width == 1) {
                all.push(Surrounding {
                    name: format!("as {form} between {around} at {parity} offset"),
                    bytes: [&vec![value; before][..], letters, &[value; PAD]].concat(),
                    secret: before + at * width..before + (at + secret.len()) * width,
                    cut: value == 1 && before > PAD,
                });
            }
        }
    }
    all
}

/// The example where a region ends or begins, with letters that go on behind the edge by chance, and the edge.
fn region_edges(text: &str, secret: &str, needs: &str) -> [(Surrounding, usize); 2] {
    let at = text.find(secret).unwrap_or(0);
    let end = at + secret.len();
    let needed = text.as_bytes().get(..end + needs.len()).unwrap_or_default();
    let surrounding = |name: &str, parts: [&[u8]; 3]| {
        let (name, bytes) = (name.to_owned(), parts.concat());
        Surrounding { name, bytes, secret: 4 + at..4 + end, cut: false }
    };
    let ends = surrounding("when a region ends behind it and letters go on", [&[0; 4], needed, b"AAAA"]);
    let text = text.as_bytes();
    let begins = surrounding("when a region begins before it and letters stand there", [b"AAAA", text, &[0; 4]]);
    [(ends, 4 + needed.len()), (begins, 4)]
}

fn found(engine: &Engine, bytes: &[u8], owned: Range<usize>, edges: &[usize]) -> Vec<Range<usize>> {
    let pieces = [Span::new(0, bytes.len() as u64)];
    let window = Window::new(bytes, owned, &pieces, edges);
    let mut ranges = engine.places(&window);
    ranges.sort_by_key(|r| (r.start, r.end));
    ranges.dedup();
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{self, text};

    /// What is wrong with the rules of a file, beside the ones of the program.
    fn complaints(name: &str, file: &str) -> Vec<Complaint> {
        let rules = || text::parse(name, file).unwrap();
        let all = rules().into_iter().map(|rule| Box::new(rule) as Box<dyn detect::Detector>).collect();
        check(rules(), &Engine::new(all).unwrap()).unwrap()
    }

    #[test]
    fn the_built_in_rules_hold() {
        let all = Engine::new(detect::detectors().unwrap()).unwrap();
        let complaints = check(text::built_in().unwrap(), &all).unwrap();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    #[test]
    fn few_rules_of_the_program_need_a_search_of_their_own_and_one_of_users_that_does_is_told() {
        // Words of command lines, between the NULs that part them. Any more would make every scan slower.
        let rules = advice(&text::built_in().unwrap()).into_iter().map(|told| told.rule);
        let known = ["archive-argv-password"];
        assert_eq!(rules.collect::<BTreeSet<String>>(), known.map(str::to_owned).into());
        let head = "[[rules]]\nid = \"t\"\ntitle = \"t\"\nseverity = \"low\"\ndescription = \"t\"\nremedy = \"t\"\n";
        let rule = |literal: &str, pattern: &str| {
            let file = format!(
                "{head}literals = [\"{literal}\"]\npattern = '(?P<secret>{pattern})'\nexamples = []\ncounter_examples = []\n"
            );
            advice(&text::parse("t", &file).unwrap())
        };
        assert!(
            rule("p\\u0000\\u0000\\u0000", r"p\x00\x00\x00[a-z]{9}")
                .iter()
                .any(|told| told.what.contains("four letters"))
        );
        assert_eq!(rule("tok", "tok[ -~]{0,9}").len(), 1, "it may end with the literal");
        assert_eq!(rule("tok", "tok[a-z]{9}").len() + rule("tok_", "tok_[a-z]{9}").len(), 0);
    }

    #[test]
    fn whose_examples_others_find_says_so_itself() {
        // What counts as a rule of its own must not hide behind what another rule says.
        let mut rules = text::built_in().unwrap();
        rules.retain(|rule| rule.text().profile.is_default());
        let all = Engine::new(detect::detectors().unwrap()).unwrap();
        for (rule, other) in overlaps(&rules, &all) {
            let text = rules.iter().map(TextRule::text).find(|text| text.id == rule).unwrap();
            let is_general = |id: &String| rules.iter().map(TextRule::text).any(|text| text.id == *id && text.general);
            let said = text.overlaps.contains(&other) || is_general(&rule) || is_general(&other);
            assert!(said, "{rule}: its examples are found by {other} too");
        }
    }

    #[test]
    fn a_rule_that_asks_for_a_terminator_of_text_is_caught() {
        let rule = r#"
            [[rules]]
            id = "t"
            title = "t"
            severity = "low"
            description = "t"
            remedy = "t"
            literals = ["tok_"]
            before = 0
            after = 40
            pattern = '(?P<secret>tok_[a-z]{8})[ "\n]'
            examples = [{ text = "tok_abcdefgh ", secret = "tok_abcdefgh" }, { text = "tok_abcdefgx\n", secret = "tok_abcdefgx" }]
            counter_examples = ["tok_a", "tok_"]
        "#;
        let complaints = complaints("t", rule);
        assert!(complaints.iter().any(|c| c.what.contains("a region ends behind it")), "{complaints:#?}");
    }

    #[test]
    fn the_rule_of_the_documentation_holds() {
        let page = include_str!("../../docs/rules.md");
        let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let complaints = complaints("docs/rules.md", block);
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    #[test]
    fn two_rules_of_one_id_are_told() {
        let twice = include_str!("../detect/rules/http.toml").replace("id = \"bearer-token\"", "id = \"jwt\"");
        let complaints = complaints("t", &twice);
        assert!(complaints.iter().any(|c| c.what.contains("another rule")), "{complaints:#?}");
    }

    #[test]
    fn a_wrong_example_is_named() {
        let rule = include_str!("../detect/rules/http.toml").replace("q7Jd02mXw9LbTz4K\\r\\nHost", "q7Jd02\\r\\nHost");
        let complaints = complaints("t", &rule);
        assert!(complaints.iter().any(|c| c.what.contains("does not hold the secret")), "{complaints:#?}");
    }

    #[test]
    fn a_rule_is_tried_under_the_encodings_that_it_names() {
        let line = "literals = [\"wdg_\"]\npattern = '(?P<secret>wdg_[a-z0-9]{24})'\n";
        let file = |more: &str| {
            let head =
                "[[rules]]\nid = \"t\"\ntitle = \"t\"\nseverity = \"low\"\ndescription = \"t\"\nremedy = \"t\"\n";
            format!("{head}{line}{more}examples = []\ncounter_examples = []\n")
        };
        let token = b"wdg_0a1b2c3d4e5f6g7h8i9j0k1l, which is a token";
        let hex: String = token.iter().map(|b| format!("{b:02x}")).collect();
        let bytes = [b"\0\0\0\0", hex.as_bytes(), b"\0\0\0\0"].concat();
        for (more, finds) in [("", 1), ("decoders = [\"hex\"]\n", 1), ("decoders = [\"base64\"]\n", 0)] {
            let rule = text::parse("t", &file(more)).unwrap().remove(0);
            let engine = Engine::new(vec![Box::new(rule)]).unwrap();
            assert_eq!(found(&engine, &bytes, 0..bytes.len(), &[]).len(), finds, "{more}");
        }
    }
}
