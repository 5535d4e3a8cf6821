//! Nosey Parker and Kingfisher 1.x: YAML with a list of `rules`.

use serde_json::Value;

use super::allow::stopwords;
use super::foreign::{Fields, Foreign, Source, Which, helper, texts};

/// The letters that Kingfisher takes for special ones where a rule does not name them.
const SPECIAL: &str = "!@#$%^&*()_+=[]{}|;:'\",.<>?/\\`~-";

/// Most letters of one kind that are asked for: more than this is no rule.
const MOST: usize = 64;

/// Lists, tables and texts that a file may have.
const MOST_NODES: usize = 4_000_000;

/// Fields about other things than finding.
const ELSEWHERE: &[(&str, &str)] = &[
    ("validation", "`validation` was left out: no credential is ever tried"),
    ("revocation", "`revocation` was left out: no credential is ever tried"),
    ("fallbacks", "`fallbacks` was left out: no credential is ever tried"),
    ("tls_mode", "`tls_mode` was left out: no credential is ever tried"),
    ("depends_on_rule", "`depends_on_rule` was left out: it is for trying credentials, which is never done"),
    ("path", "`path` means nothing in a dump; the rule is tried everywhere"),
];

/// Reads a file.
///
/// # Errors
/// When it is no YAML, or has no rules.
pub fn read(content: &str) -> Result<Source, String> {
    let value: Value = serde_saphyr::from_str_with_options(content, options()).map_err(|e| e.to_string())?;
    let mut file = Fields::new(value, "the file")?;
    let rules = file.tables("rules")?;
    if rules.is_empty() {
        return Err("it has no list of `rules`".to_owned());
    }
    let rules = rules.into_iter().map(rule).collect::<Result<_, _>>()?;
    let notes = file.unknown().map(|field| format!("`{field}` is not known and was left out")).collect();
    Ok(Source { format: "Nosey Parker or Kingfisher", rules, notes })
}

/// Limits that grow with no file: catalogs of whole vendors have half a million nodes. A message shows no piece of the file.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MOST_NODES, max_events: 4 * MOST_NODES },
        with_snippet: false,
    }
}

fn rule(mut fields: Fields) -> Result<Foreign, String> {
    let title = fields.text("name");
    let id = fields.text("id").or_else(|| title.clone()).ok_or("a rule has neither id nor name")?;
    let mut rule = Foreign { id, title, severity: "high", secret: Which::Named("TOKEN"), ..Foreign::default() };
    rule.pattern = fields.text("pattern").unwrap_or_default();
    if rule.pattern.trim().is_empty() {
        rule.refusal = Some("it has no `pattern`".to_owned());
    }
    if let Some(group) = fields.count("betterleaks_secret_group").filter(|group| *group > 0) {
        rule.secret = Which::Group(group as u32);
    }
    rule.description = fields.text("description").unwrap_or_default();
    rule.examples = fields.texts("examples");
    rule.counter_examples = fields.texts("negative_examples");
    rule.keywords = fields.texts("keywords");
    rule.entropy = fields.number("min_entropy").filter(|bits| *bits > 0.0);
    if fields.text("confidence").is_some_and(|confidence| confidence == "low") {
        rule.severity = "low";
    }
    let mut pages = fields.texts("references").into_iter();
    rule.reference = pages.next();
    if pages.next().is_some() {
        rule.notes.push("`references`: the first was taken".to_owned());
    }
    let categories = [fields.texts("categories"), fields.texts("tags")].concat();
    if !categories.is_empty() {
        rule.notes.push(format!("`categories` were left out: {}", categories.join(", ")));
    }
    if fields.flag("visible") == Some(false) {
        let name = rule.title.clone().unwrap_or_else(|| rule.id.clone());
        helper("`visible: false`", &name, &mut rule);
    }
    fields.take("vectorscan_compatible");
    for (field, note) in ELSEWHERE {
        if fields.take(field).is_some_and(|value| value != Value::Array(Vec::new())) {
            rule.notes.push((*note).to_owned());
        }
    }
    if let Some(requirements) = fields.take("pattern_requirements") {
        self::requirements(Fields::new(requirements, "pattern_requirements")?, &mut rule)?;
    }
    rule.notes.extend(fields.unknown().map(|field| format!("`{field}` is not known and was left out")));
    Ok(rule)
}

fn requirements(mut fields: Fields, rule: &mut Foreign) -> Result<(), String> {
    let special = fields.text("special_chars").unwrap_or_else(|| SPECIAL.to_owned());
    let special: String = super::letters::class(special.bytes());
    for (name, class) in [
        ("min_digits", "0-9"),
        ("min_uppercase", "A-Z"),
        ("min_lowercase", "a-z"),
        ("min_special_chars", special.as_str()),
    ] {
        let least = fields.count(name).unwrap_or(0);
        rule.must_hold.extend(std::iter::repeat_n(class.to_owned(), least.min(MOST)));
        if least > MOST {
            rule.refusal = Some(format!("`{name}: {least}` is more than {MOST}"));
        }
    }
    let words = fields.take("ignore_if_contains").map(texts).unwrap_or_default();
    rule.ignored.values.extend(stopwords(&words));
    if let Some(checksum) = fields.take("checksum") {
        self::checksum(Fields::new(checksum, "checksum")?, rule)?;
    }
    rule.notes.extend(
        fields.unknown().map(|field| format!("`pattern_requirements`: `{field}` is not known and was left out")),
    );
    Ok(())
}

/// A checksum is told by templates that compute it; those of GitHub's shape are known: CRC-32 in base 62.
fn checksum(mut fields: Fields, rule: &mut Foreign) -> Result<(), String> {
    let mut expected = fields.text("expected").unwrap_or_default();
    if let Some(actual) = fields.take("actual") {
        let mut actual = Fields::new(actual, "checksum.actual")?;
        expected.push_str(&actual.text("template").unwrap_or_default());
    }
    let is = |words: &[&str]| words.iter().all(|word| expected.contains(word));
    if is(&["crc32", "base62"]) && !expected.contains("le_b64") {
        rule.checksum = Some("github");
        rule.notes.push(
            "`checksum` became `github`: the CRC-32, in base 62, of what stands between prefix and checksum".to_owned(),
        );
    } else {
        rule.notes.push("`checksum` was left out: its template is not known; more is found".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read_or_named() {
        let source = read(
            r#"
rules:
  - name: Widget
    id: kingfisher.widget.1
    pattern: |
      (?x)
      (wdg_[a-z0-9]{20})
    min_entropy: 3.1
    confidence: low
    colour: blue
    categories: [api]
    examples: ['wdg_1', 'wdg_2']
    negative_examples: ['wdg']
    references: ['https://one.example', 'https://two.example']
    pattern_requirements:
      min_digits: 2
      min_special_chars: 1
      special_chars: "-_"
      ignore_if_contains: ['test']
      checksum:
        actual: { template: "{{ MATCH }}", requires_capture: checksum }
        expected: "{{ BODY | crc32 | base62: 6 }}"
        skip_if_missing: true
    validation: { type: Http }
    depends_on_rule:
      - { rule_id: x, variable: Y }
  - name: hidden
    visible: false
    pattern: 'abc'
"#,
        )
        .unwrap();
        let one = &source.rules[0];
        assert_eq!((one.entropy, one.severity, one.checksum), (Some(3.1), "low", Some("github")));
        assert_eq!(one.must_hold, ["0-9", "0-9", "_-"]);
        assert_eq!((one.examples.len(), one.counter_examples.len(), one.ignored.values.len()), (2, 1, 1));
        for word in ["`colour`", "`categories`", "`validation`", "`depends_on_rule`", "`references`", "`checksum`"] {
            assert!(one.notes.iter().any(|note| note.contains(word)), "{word}: {:?}", one.notes);
        }
        assert!(source.rules[1].refusal.as_ref().unwrap().contains("visible"));
        assert!(read("- a\n- b").is_err() && read("rules: []").is_err() && read("a: [").is_err());
    }
}
