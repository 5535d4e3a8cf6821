//! Allowlists: what a rule finds and what is no secret all the same.

use super::foreign::Fields;

/// What is no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Patterns of secrets.
    pub values: Vec<String>,
    /// Patterns of whole matches.
    pub matches: Vec<String>,
}

impl Ignored {
    /// Adds what others ignore.
    pub fn extend(&mut self, other: &Self) {
        self.values.extend_from_slice(&other.values);
        self.matches.extend_from_slice(&other.matches);
    }
}

/// A gitleaks allowlist, of one rule or of all.
#[derive(Debug, Default)]
pub struct Allowlist {
    pub ignored: Ignored,
    /// Ids of the rules that it is for; all where there is none.
    pub targets: Vec<String>,
    /// What of it has no counterpart in a dump. What is not allowed is told: never less is found.
    pub notes: Vec<String>,
}

impl Allowlist {
    /// Reads one.
    pub fn read(mut fields: Fields) -> Self {
        fields.take("description");
        let mut list = Self { targets: fields.texts("targetRules"), ..Self::default() };
        let (paths, commits) = (fields.texts("paths"), fields.texts("commits"));
        let (regexes, words) = (fields.texts("regexes"), fields.texts("stopwords"));
        let target = fields.text("regexTarget").unwrap_or_default();
        let condition = fields.text("condition").unwrap_or_default();
        for unknown in fields.unknown() {
            list.notes.push(format!("allowlist: `{unknown}` is not known and was left out"));
        }
        let elsewhere = [("paths", !paths.is_empty()), ("commits", !commits.is_empty())];
        let elsewhere: Vec<&str> = elsewhere.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        let parts = elsewhere.len() + usize::from(!regexes.is_empty()) + usize::from(!words.is_empty());
        if condition.eq_ignore_ascii_case("and") && parts > 1 {
            list.notes.push("allowlist: it asks for several things at once, and was left out".to_owned());
            return list;
        }
        if !elsewhere.is_empty() {
            list.notes.push(format!("allowlist: `{}` mean nothing in a dump", elsewhere.join("`, `")));
        }
        list.ignored.values.extend(stopwords(&words));
        match target.to_ascii_lowercase().as_str() {
            "" | "secret" => list.ignored.values.extend(regexes),
            "match" => list.ignored.matches.extend(regexes),
            _ if regexes.is_empty() => {}
            other => {
                list.notes.push(format!("allowlist: memory has no `{other}` to look at; its patterns were left out"))
            }
        }
        list
    }
}

/// A pattern for values that hold any of the words, in any case.
pub fn stopwords(words: &[String]) -> Option<String> {
    let escaped: Vec<String> = words.iter().map(|word| regex_syntax::escape(word)).collect();
    (!escaped.is_empty()).then(|| format!("(?i){}", escaped.join("|")))
}
