//! Rules prove themselves: every example is found in every surrounding that memory has, every counter-example in none.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::detect::text::{Example, TextRule};
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

/// Tries every example and counter-example of `rules`; no complaint means that all hold.
///
/// # Errors
/// When a rule's trigger is refused.
pub fn check(rules: Vec<TextRule>) -> Result<Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut ids = BTreeSet::new();
    for rule in rules {
        let text = rule.text().clone();
        if !ids.insert(text.id.clone()) {
            complaints
                .push(Complaint { rule: text.id.clone(), what: "its id is also that of another rule".to_owned() });
        }
        let engine = Engine::new(vec![Box::new(rule)])?;
        let mut complain = |what: String| complaints.push(Complaint { rule: text.id.clone(), what });
        if text.examples.len() < 2 || text.counter_examples.len() < 2 {
            complain("it has fewer than two examples or counter-examples".to_owned());
        }
        text.examples.iter().for_each(|example| check_example(&engine, example, &mut complain));
        for counter in &text.counter_examples {
            for (surrounding, bytes, _) in surroundings(counter, counter) {
                if !found(&engine, &bytes, 0..bytes.len(), &[]).is_empty() {
                    complain(format!("finds a secret in the counter-example `{counter}` ({surrounding})"));
                }
            }
        }
    }
    Ok(complaints)
}

fn check_example(engine: &Engine, example: &Example, complain: &mut impl FnMut(String)) {
    if example.secret.is_empty() || !example.text.contains(&example.secret) {
        return complain(format!("its example `{}` does not hold the secret that it names", example.text));
    }
    for (surrounding, bytes, secret) in surroundings(&example.text, &example.secret) {
        let mut miss = |how: &str| complain(format!("misses the secret of `{}`: {surrounding}{how}", example.text));
        if !is_at(&found(engine, &bytes, 0..bytes.len(), &[]), &secret) {
            miss("");
        }
        let cut_anywhere = (1..bytes.len()).all(|cut| {
            let mut all = found(engine, &bytes, 0..cut, &[]);
            all.extend(found(engine, &bytes, cut..bytes.len(), &[]));
            all.dedup();
            is_at(&all, &secret)
        });
        if !cut_anywhere {
            miss(", cut by the seam of two windows");
        }
    }
    let (bytes, secret) = region_edge(example);
    let edge = bytes.len() - 4;
    if !found(engine, &bytes, 0..bytes.len(), &[edge]).contains(&secret) {
        complain(format!("misses the secret of `{}` when a region ends behind it and letters go on", example.text));
    }
}

/// Whether exactly one secret was found, at `secret`. Between two NUL characters UTF-16 of both byte orders look the same,
/// one byte apart, so one byte more or less is the same place.
fn is_at(found: &[Range<usize>], secret: &Range<usize>) -> bool {
    matches!(found, [one] if one.len() == secret.len() && (one.start == secret.start || one.start == secret.start + 1))
}

/// The ways in which memory may hold `text`: their names, the bytes, and where the secret stands in them.
fn surroundings(text: &str, secret: &str) -> Vec<(String, Vec<u8>, Range<usize>)> {
    let at = text.find(secret).unwrap_or(0);
    let mut all = Vec::new();
    for (name, around) in [("between NULs", 0_u8), ("between 0xff", 0xff), ("between 0x01", 1)] {
        for before in [16, 17] {
            let place = |width: usize| before + at * width..before + (at + secret.len()) * width;
            let wrap = |letters: Vec<u8>| [vec![around; before], letters, vec![around; 16]].concat();
            all.push((format!("as ASCII {name}"), wrap(text.as_bytes().to_vec()), place(1)));
            let wide: Vec<u16> = text.encode_utf16().collect();
            let parity = if before % 2 == 0 { "an even" } else { "an odd" };
            let little = wide.iter().flat_map(|u| u.to_le_bytes()).collect();
            all.push((format!("as UTF-16LE {name} at {parity} offset"), wrap(little), place(2)));
            let big = wide.iter().flat_map(|u| u.to_be_bytes()).collect();
            all.push((format!("as UTF-16BE {name} at {parity} offset"), wrap(big), place(2)));
        }
    }
    all
}

/// The example's text up to the end of its match, a region's edge there, and letters that go on behind it by chance.
fn region_edge(example: &Example) -> (Vec<u8>, Range<usize>) {
    let at = example.text.find(&example.secret).unwrap_or(0);
    let end = at + example.secret.len();
    let needed = example.text.as_bytes().get(..end + example.needs.len()).unwrap_or_default();
    ([b"\0\0\0\0", needed, b"AAAA"].concat(), 4 + at..4 + end)
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
    use crate::detect::text;

    #[test]
    fn the_built_in_rules_hold() {
        let complaints = check(text::built_in().unwrap()).unwrap();
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
        let complaints = check(text::parse("t", rule).unwrap()).unwrap();
        assert!(complaints.iter().any(|c| c.what.contains("a region ends behind it")), "{complaints:#?}");
    }

    #[test]
    fn the_rule_of_the_documentation_holds() {
        let page = include_str!("../../docs/rules.md");
        let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let complaints = check(text::parse("docs/rules.md", block).unwrap()).unwrap();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    #[test]
    fn two_rules_of_one_id_are_told() {
        let twice = include_str!("../detect/rules/first.toml").replace("url-credentials", "http-authorization");
        let complaints = check(text::parse("t", &twice).unwrap()).unwrap();
        assert!(complaints.iter().any(|c| c.what.contains("another rule")), "{complaints:#?}");
    }

    #[test]
    fn a_wrong_example_is_named() {
        let rule = include_str!("../detect/rules/first.toml").replace("q7Jd02mXw9LbTz4K\\r\\nHost", "q7Jd02\\r\\nHost");
        let complaints = check(text::parse("t", &rule).unwrap()).unwrap();
        assert!(complaints.iter().any(|c| c.what.contains("does not hold the secret")), "{complaints:#?}");
    }
}
