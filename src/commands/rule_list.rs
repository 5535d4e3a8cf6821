//! The list of rules: each with what it knows a secret by, and how many there are in each field.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use crate::detect::text::{Proof, RuleText, TextRule};
use crate::finding::{Profile, Rule};
use crate::report::units::count;
use crate::report::{Inert, words};
use crate::scan::{Engine, rule_check};

/// The field of the rules that detectors in code have.
const IN_CODE: &str = "private keys";

/// The field of rules whose file names none.
const UNNAMED: &str = "other";

/// The rules and their numbers.
#[derive(Serialize)]
pub struct List<'a> {
    schema: &'static str,
    rules: Vec<Row<'a>>,
    summary: Summary<'a>,
}

/// A rule, and what is known of it beside its words.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    severity: crate::finding::Severity,
    description: &'a str,
    remedy: &'a str,
    field: &'a str,
    profile: Profile,
    proof: Proof,
    specific: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
}

/// How many rules there are.
#[derive(Default, Serialize)]
struct Summary<'a> {
    rules: usize,
    /// Text rules that know their secrets by a checksum, a structure or letters in them, and whose examples no other rule of
    /// the set finds: that is tried, and not taken from what rules say of `overlaps`.
    specific: usize,
    paranoid: usize,
    by_proof: BTreeMap<String, usize>,
    by_field: BTreeMap<&'a str, usize>,
    /// Of these, the ones that are specific.
    specific_by_field: BTreeMap<&'a str, usize>,
}

impl<'a> List<'a> {
    /// The list of the rules of `engine`, of which `texts` are those that stand in files.
    pub fn new(engine: &'a Engine, texts: &'a [TextRule]) -> Self {
        let overlaps = rule_check::overlaps(texts, engine);
        let shared: BTreeSet<&str> = overlaps.iter().map(|(rule, _)| rule.as_str()).collect();
        let texts: BTreeMap<&str, &RuleText> = texts.iter().map(|t| (t.text().id.as_str(), t.text())).collect();
        let row = |rule: &'a Rule| {
            let row = Row::new(rule, texts.get(rule.id.as_str()).copied());
            Row { specific: row.specific && !shared.contains(row.id), ..row }
        };
        let rules: Vec<Row> = engine.rules().iter().map(row).collect();
        let mut summary = Summary { rules: rules.len(), ..Summary::default() };
        for row in &rules {
            summary.specific += usize::from(row.specific);
            summary.paranoid += usize::from(row.profile == Profile::Paranoid);
            *summary.by_proof.entry(words::name(row.proof)).or_default() += 1;
            *summary.by_field.entry(row.field).or_default() += 1;
            *summary.specific_by_field.entry(row.field).or_default() += usize::from(row.specific);
        }
        Self { schema: "dumpscrub-rules/1", rules, summary }
    }

    /// The list for people.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        self.rules.iter().try_for_each(|row| row.print(out))?;
        let Summary { rules, specific, paranoid, by_proof, by_field, specific_by_field } = &self.summary;
        writeln!(out, "{}: {specific} specific, {paranoid} of the profile paranoid", count(*rules, "rule"))?;
        let known: Vec<String> = by_proof.iter().map(|(proof, rules)| format!("{proof} {rules}")).collect();
        writeln!(out, "   known by: {}", known.join(", "))?;
        let list = |all: &BTreeMap<&str, usize>| {
            let all: Vec<String> = all.iter().map(|(field, rules)| format!("{field} {rules}")).collect();
            all.join(", ")
        };
        writeln!(out, "   fields: {}", Inert(&list(by_field)))?;
        writeln!(out, "   specific: {}", Inert(&list(specific_by_field)))
    }
}

impl<'a> Row<'a> {
    fn new(rule: &'a Rule, text: Option<&'a RuleText>) -> Self {
        let named = |text: &'a RuleText| Some(text.field.as_str()).filter(|field| !field.is_empty());
        Self {
            id: &rule.id,
            title: &rule.title,
            severity: rule.severity,
            description: &rule.description,
            remedy: &rule.remedy,
            field: text.map_or(IN_CODE, |text| named(text).unwrap_or(UNNAMED)),
            profile: rule.profile,
            proof: text.map_or(Proof::Structure, RuleText::proof),
            specific: text.is_some_and(RuleText::knows_its_secrets),
            checksum: text.and_then(|text| text.checksum).map(words::name),
            reference: text.and_then(|text| text.reference.as_deref()),
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let (id, severity, field) = (Inert(self.id), words::name(self.severity), Inert(self.field));
        let profile = if self.profile.is_default() { "" } else { ", paranoid" };
        writeln!(out, "{id} ({severity}, {field}, {}{profile}): {}", words::name(self.proof), Inert(self.title))?;
        writeln!(out, "   {}", Inert(self.description))?;
        writeln!(out, "   Remedy: {}", Inert(self.remedy))?;
        self.reference.map_or(Ok(()), |page| writeln!(out, "   See: {}", Inert(page)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::args::UserRules;
    use crate::commands::engine;
    use crate::detect::text;

    #[test]
    fn the_numbers_are_those_of_the_rows_and_paranoid_rules_are_asked_for() {
        let texts = text::built_in().unwrap();
        for profile in [Profile::Default, Profile::Paranoid] {
            let engine = engine(&UserRules { profile, ..UserRules::default() }).unwrap();
            let list = List::new(&engine, &texts);
            assert_eq!(list.summary.rules, list.rules.len());
            assert_eq!(list.summary.by_field.values().sum::<usize>(), list.rules.len());
            assert_eq!(list.summary.specific_by_field.values().sum::<usize>(), list.summary.specific);
            assert_eq!(list.summary.by_proof.values().sum::<usize>(), list.rules.len());
            assert_eq!(list.summary.paranoid > 0, profile == Profile::Paranoid);
            assert!(list.summary.specific >= 350, "{}", list.summary.specific);
            assert!(list.rules.iter().all(|row| row.field == IN_CODE || row.reference.is_some()));
        }
    }

    #[test]
    fn a_rule_is_listed_with_what_proves_its_secrets() {
        let texts = text::built_in().unwrap();
        let engine = engine(&UserRules::default()).unwrap();
        let list = List::new(&engine, &texts);
        let proof = |id: &str| list.rules.iter().find(|row| row.id == id).map(|row| row.proof);
        for (id, is) in [
            ("github-token", Proof::Checksum),
            ("jwt", Proof::Structure),
            ("groq-api-key", Proof::Literal),
            ("grafana-session", Proof::Syntax),
        ] {
            assert_eq!(proof(id), Some(is), "{id}");
        }
        let json = serde_json::to_value(&list).unwrap();
        assert_eq!(json["summary"]["specific"].as_u64(), Some(list.summary.specific as u64));
        let mut text = Vec::new();
        list.print(&mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("known by: checksum"));
    }
}
