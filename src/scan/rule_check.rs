//! Rules prove themselves: every example is found in every surrounding that memory has, every counter-example in none.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::detect::text::{Example, RuleText, TextRule};
use crate::error::Result;
use crate::scan::Engine;
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
/// takes an example for its own. No complaint means that all hold.
///
/// # Errors
/// When a rule's trigger is refused.
pub fn check(rules: Vec<TextRule>, all: &Engine) -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut ids = BTreeSet::new();
    for rule in rules {
        let text = rule.text().clone();
        let mut complain = |what: String| complaints.push(Complaint { rule: text.id.clone(), what });
        if !ids.insert(text.id.clone()) {
            complain("its id is also that of another rule".to_owned());
        }
        if text.examples.len() < 2 || text.counter_examples.len() < 2 {
            complain("it has fewer than two examples or counter-examples".to_owned());
        }
        let engine = Engine::new(vec![Box::new(rule)])?;
        text.examples.iter().for_each(|example| check_example(&engine, example, &mut complain));
        text.examples.iter().for_each(|example| check_alone(all, &text, example, &mut complain));
        for counter in &text.counter_examples {
            let mut all = surroundings(counter, counter).into_iter();
            let seen = all.find(|s| !found(&engine, &s.bytes, 0..s.bytes.len(), &[]).is_empty());
            if let Some(Surrounding { name, .. }) = seen {
                complain(format!("finds a secret in the counter-example `{counter}` ({name})"));
            }
        }
    }
    Ok(complaints)
}

fn check_example(engine: &Engine, example: &Example, complain: &mut impl FnMut(String)) {
    let (text, secret) = (&example.text, example.secret());
    if secret.is_empty() || !text.contains(secret) {
        return complain(format!("its example `{text}` does not hold the secret that it names"));
    }
    let mut missed = Vec::new();
    for Surrounding { name, bytes, secret, cut } in surroundings(text, secret) {
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
    if let Some(first) = missed.first() {
        let more = missed.len() - 1;
        let more = if more > 0 { format!(", and in {more} other surroundings") } else { String::new() };
        complain(format!("misses the secret of `{text}`: {first}{more}"));
    }
    for (Surrounding { name, bytes, secret, .. }, edge) in region_edges(example) {
        if !found(engine, &bytes, 0..bytes.len(), &[edge]).contains(&secret) {
            complain(format!("misses the secret of `{text}` {name}"));
        }
    }
}

/// Whether a rule finds the example's secret that does not say so.
fn check_alone(all: &Engine, rule: &RuleText, example: &Example, complain: &mut impl FnMut(String)) {
    let at = example.text.find(example.secret()).unwrap_or(0) + PAD;
    let bytes = [&[0; PAD][..], example.text.as_bytes(), &[0; PAD]].concat();
    let pieces = [Span::new(0, bytes.len() as u64)];
    let (hits, _) = all.look(&Window::new(&bytes, 0..bytes.len(), &pieces, &[]));
    let secret = at..at + example.secret().len();
    let overlaps = |range: &Range<usize>| range.start < secret.end && secret.start < range.end;
    let others = hits.hits.iter().filter(|hit| hit.rule != rule.id && overlaps(&hit.range));
    let others: BTreeSet<&str> =
        others.map(|hit| hit.rule.as_str()).filter(|id| !rule.overlaps.iter().any(|known| known == id)).collect();
    for other in others {
        complain(format!(
            "the rule {other} finds the secret of `{}` too; if that is meant, say `overlaps = [\"{other}\"]`",
            example.text
        ));
    }
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
            for (form, letters, width) in [("ASCII", &ascii, 1), ("UTF-16LE", &little, 2), ("UTF-16BE", &big, 2)] {
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
fn region_edges(example: &Example) -> [(Surrounding, usize); 2] {
    let at = example.text.find(example.secret()).unwrap_or(0);
    let end = at + example.secret().len();
    let needed = example.text.as_bytes().get(..end + example.needs.len()).unwrap_or_default();
    let surrounding = |name: &str, parts: [&[u8]; 3]| {
        let (name, bytes) = (name.to_owned(), parts.concat());
        Surrounding { name, bytes, secret: 4 + at..4 + end, cut: false }
    };
    let ends = surrounding("when a region ends behind it and letters go on", [&[0; 4], needed, b"AAAA"]);
    let text = example.text.as_bytes();
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
