//! gitleaks and betterleaks: TOML with `[[rules]]`.

use serde_json::Value;

use super::allow::Allowlist;
use super::filter;
use super::foreign::{Companion, Fields, Foreign, Source, Which, helper};

/// Letters of a line, where lines are counted and memory has none.
const LINE: usize = 120;

/// What fields of a rule are about other things than finding: trying credentials, which is never done here, and reports.
const ELSEWHERE: &[(&str, &str)] = &[
    ("validate", "`validate` was left out: no credential is ever tried"),
    ("analyze", "`analyze` was left out: no credential is ever tried"),
    ("revoke", "`revoke` was left out: no credential is ever tried"),
    ("specificity", "`specificity` was left out: what is surest names a finding"),
    ("tokenEfficiency", "`tokenEfficiency` was left out: it finds more"),
    ("path", "`path` means nothing in a dump; the rule is tried everywhere"),
];

/// Reads a file.
///
/// # Errors
/// When it is no TOML, or has no rules.
pub fn read(content: &str) -> Result<Source, String> {
    let value: Value = toml::from_str(content).map_err(|e| e.to_string())?;
    let mut file = Fields::new(value, "the file")?;
    let rules = file.tables("rules")?;
    if rules.is_empty() {
        return Err("it has no `[[rules]]`".to_owned());
    }
    let mut source = Source { format: "gitleaks", rules: Vec::new(), notes: Vec::new() };
    for word in ["title", "description", "minVersion"] {
        file.take(word);
    }
    let mut lists: Vec<Allowlist> = Vec::new();
    for name in ["allowlist", "allowlists"] {
        lists.extend(file.tables(name)?.into_iter().map(Allowlist::read));
    }
    source.rules = rules.into_iter().map(rule).collect::<Result<_, _>>()?;
    global_filter(&mut file, &mut source);
    extend(&mut file, &mut source.notes)?;
    for list in lists {
        source.notes.extend(list.notes);
        for rule in &mut source.rules {
            if list.targets.is_empty() || list.targets.contains(&rule.id) {
                rule.ignored.extend(&list.ignored);
            }
        }
    }
    source.notes.extend(file.unknown().map(|field| format!("`{field}` is not known and was left out")));
    Ok(source)
}

fn rule(mut fields: Fields) -> Result<Foreign, String> {
    let id = fields.text("id").ok_or("a rule has no id")?;
    let mut rule = Foreign { id, severity: "high", ..Foreign::default() };
    rule.description = fields.text("description").unwrap_or_default();
    rule.pattern = fields.text("regex").unwrap_or_default();
    rule.entropy = fields.number("entropy").filter(|bits| *bits > 0.0);
    rule.keywords = fields.texts("keywords");
    let group = fields.count("secretGroup").or_else(|| fields.count("valueGroup"));
    rule.secret = group.filter(|group| *group > 0).map_or(Which::FirstGroup, |n| Which::Group(n as u32));
    if fields.text("confidence").is_some_and(|confidence| confidence == "low") {
        rule.severity = "low";
    }
    if rule.pattern.is_empty() {
        let path = if fields.take("path").is_some() { "it looks at names of files only" } else { "it has no `regex`" };
        rule.refusal = Some(path.to_owned());
    }
    if fields.flag("skipReport").unwrap_or_default() {
        let name = rule.id.clone();
        helper("`skipReport`", &name, &mut rule);
    }
    for (field, note) in ELSEWHERE {
        if fields.take(field).is_some() {
            rule.notes.push((*note).to_owned());
        }
    }
    let tags = fields.texts("tags");
    if !tags.is_empty() {
        rule.notes.push(format!("`tags` were left out: {}", tags.join(", ")));
    }
    for name in ["allowlist", "allowlists"] {
        for list in fields.tables(name)?.into_iter().map(Allowlist::read) {
            rule.ignored.extend(&list.ignored);
            rule.notes.extend(list.notes);
        }
    }
    companions(&mut fields, &mut rule)?;
    if let Some(text) = fields.text("filter") {
        filter::read(&text, &mut rule);
    }
    rule.notes.extend(fields.unknown().map(|field| format!("`{field}` is not known and was left out")));
    Ok(rule)
}

/// gitleaks names lines and columns; betterleaks writes `5L` for five lines and `7L,200C` for no more than 200 letters in them.
fn companions(fields: &mut Fields, rule: &mut Foreign) -> Result<(), String> {
    for name in ["required", "components"] {
        for mut companion in fields.tables(name)? {
            let Some(id) = companion.text("id") else { continue };
            if companion.flag("optional").unwrap_or_default() {
                rule.notes.push(format!("`{name}`: {id} is optional, and is not asked for"));
                continue;
            }
            let within = companion.text("within").unwrap_or_default();
            let part = |unit: char| within.split(',').find_map(|part| part.trim().strip_suffix(unit)?.parse().ok());
            let lines = companion.count("withinLines").or_else(|| part('L'));
            let columns = companion.count("withinColumns").or_else(|| part('C'));
            match columns.or(lines.map(|lines| (lines + 1) * LINE)) {
                Some(letters) => rule.companions.push(Companion { id, letters }),
                None => rule.notes.push(format!("`{name}`: {id} may stand anywhere in a file, and is not asked for")),
            }
        }
    }
    Ok(())
}

fn global_filter(file: &mut Fields, source: &mut Source) {
    if file.take("prefilter").is_some() {
        source.notes.push("`prefilter` looks at names of files, which mean nothing in a dump".to_owned());
    }
    let Some(text) = file.text("filter") else { return };
    let mut all = Foreign::default();
    filter::read(&text, &mut all);
    source.notes.extend(all.notes);
    if let Some(why) = all.refusal {
        source.notes.push(format!("`filter` of all rules was left out: {why}"));
    }
    for rule in &mut source.rules {
        rule.ignored.extend(&all.ignored);
    }
}

fn extend(file: &mut Fields, notes: &mut Vec<String>) -> Result<(), String> {
    for mut extend in file.tables("extend")? {
        if let Some(path) = extend.text("path") {
            notes.push(format!("`extend`: the rules of {path} were not read; import that file too"));
        }
        if extend.flag("useDefault").unwrap_or_default() {
            notes.push(
                "`extend`: the other scanner's own rules were not read; the program's own are always there".to_owned(),
            );
        }
        if !extend.texts("disabledRules").is_empty() {
            notes.push("`extend`: `disabledRules` are rules of files that were not read".to_owned());
        }
        notes.extend(extend.unknown().map(|field| format!("`extend`: `{field}` is not known and was left out")));
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
            title = "mine"
            colour = "blue"
            [extend]
            useDefault = true
            path = "base.toml"
            disabledRules = ["a"]
            [[allowlists]]
            targetRules = ["one"]
            stopwords = ["Sample"]
            paths = ["x"]
            [[rules]]
            id = "one"
            description = "d"
            regex = 'a(b)(c)'
            secretGroup = 2
            entropy = 3.5
            keywords = ["ab"]
            path = 'x$'
            tags = ["t"]
            shape = 1
            [[rules.allowlists]]
            regexTarget = "match"
            regexes = ["zz"]
            [[rules.allowlists]]
            condition = "AND"
            regexes = ["yy"]
            paths = ["p"]
            [[rules.required]]
            id = "two"
            withinLines = 2
            [[rules]]
            id = "two"
            path = 'y'
            "#,
        )
        .unwrap();
        let one = &source.rules[0];
        assert_eq!((&one.secret, one.entropy, one.keywords.len()), (&Which::Group(2), Some(3.5), 1));
        assert_eq!((one.ignored.values.len(), &one.ignored.matches[..]), (1, &["zz".to_owned()][..]));
        assert_eq!(one.companions, [Companion { id: "two".to_owned(), letters: 360 }]);
        for word in ["`path`", "`tags`", "`shape`", "several things"] {
            assert!(one.notes.iter().any(|note| note.contains(word)), "{word}: {:?}", one.notes);
        }
        for word in ["base.toml", "always there", "`disabledRules`", "`colour`", "`paths`"] {
            assert!(source.notes.iter().any(|note| note.contains(word)), "{word}: {:?}", source.notes);
        }
        assert!(source.rules[1].refusal.as_ref().unwrap().contains("names of files"));
        assert!(read("title = 'x'").is_err() && read("[[rules]]").is_err());
    }
}
