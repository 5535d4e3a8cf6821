//! A rule of another scanner, in one form for all formats, and the reading of its fields.

use serde_json::{Map, Value};

use super::allow::Ignored;

/// What a file says.
#[derive(Debug)]
pub struct Source {
    /// The name of the format.
    pub format: &'static str,
    /// Its rules, in order.
    pub rules: Vec<Foreign>,
    /// What is said of all rules and has no counterpart.
    pub notes: Vec<String>,
}

/// A rule of another scanner.
#[derive(Debug, Default)]
pub struct Foreign {
    /// Its id there.
    pub id: String,
    /// What people call it, where it has a name beside its id.
    pub title: Option<String>,
    pub description: String,
    /// A page that documents what it looks for.
    pub reference: Option<String>,
    /// `high` or `low`.
    pub severity: &'static str,
    pub pattern: String,
    pub secret: Which,
    /// Words of which one must stand somewhere in the text.
    pub keywords: Vec<String>,
    /// Bits of information that each letter of the secret must carry.
    pub entropy: Option<f64>,
    /// Classes of letters of which the secret must hold one for each time that they are listed.
    pub must_hold: Vec<String>,
    /// Patterns that the secret must match.
    pub must_match: Vec<String>,
    /// What is no secret.
    pub ignored: Ignored,
    pub checksum: Option<&'static str>,
    /// Texts in which it finds something, and texts in which it finds nothing.
    pub examples: Vec<String>,
    pub counter_examples: Vec<String>,
    /// A rule that must match near it.
    pub companions: Vec<Companion>,
    /// What has no counterpart.
    pub notes: Vec<String>,
    /// Why it is refused before its pattern is looked at.
    pub refusal: Option<String>,
}

/// Which part of a match is the secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The first group that took part, or all of the match where there is no group.
    #[default]
    FirstGroup,
    /// All of the match.
    Whole,
    /// The group of this number.
    Group(u32),
    /// The group of this name; the first group that took part where there is none of the name.
    Named(&'static str),
}

/// Another rule that must match within so many letters.
#[derive(Debug, PartialEq, Eq)]
pub struct Companion {
    pub id: String,
    pub letters: usize,
}

/// What is to be done with a rule whose findings the other scanner tells only together with those of the rules that it helps. Ids,
/// hosts and names are no secrets. What is called a secret is one, and is told by itself.
pub fn helper(said: &str, name: &str, rule: &mut Foreign) {
    if names_a_secret(name) {
        rule.notes
            .push(format!("{said}: it helps other rules, but by its name it finds a secret, and is told by itself"));
    } else {
        rule.refusal =
            Some(format!("{said}: it helps other rules, and by its name what it finds is no secret by itself"));
    }
}

/// Whether a name says so: `API Secret`, `aws-secret-access-key`, `kucoin passphrase`, and not `token-id`, `public-key`.
fn names_a_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && !word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    match words.as_slice() {
        [.., "secret" | "password" | "passphrase" | "token"] => true,
        [.., "key"] => words.iter().any(|word| matches!(*word, "secret" | "private")),
        _ => false,
    }
}

/// The fields of a rule, taken one by one: what is left at the end is what nobody knows.
pub struct Fields {
    left: Map<String, Value>,
}

impl Fields {
    /// The fields of a table.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(value: Value, what: &str) -> Result<Self, String> {
        match value {
            Value::Object(left) => Ok(Self { left }),
            _ => Err(format!("{what} is not a table of fields")),
        }
    }

    /// A field, if it is there and not null.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// A text, or a number as text.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).and_then(as_text)
    }

    /// A list of texts; one text alone is a list of one.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        self.take(name).map(texts).unwrap_or_default()
    }

    /// A number.
    pub fn number(&mut self, name: &str) -> Option<f64> {
        self.take(name)?.as_f64()
    }

    /// A number that counts something.
    pub fn count(&mut self, name: &str) -> Option<usize> {
        self.take(name)?.as_u64().and_then(|count| usize::try_from(count).ok())
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name)?.as_bool()
    }

    /// A list of tables.
    ///
    /// # Errors
    /// When something in it is none.
    pub fn tables(&mut self, name: &str) -> Result<Vec<Self>, String> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(all)) => all.into_iter().map(|table| Self::new(table, name)).collect(),
            Some(one) => Ok(vec![Self::new(one, name)?]),
        }
    }

    /// The names of what nobody took.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.left.keys().map(String::as_str)
    }
}

/// The texts of a list.
pub fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.into_iter().filter_map(as_text).collect(),
        one => as_text(one).into_iter().collect(),
    }
}

fn as_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_is_called_a_secret_is_one() {
        for name in
            ["Exoscale API Secret", "aws-secret-access-key", "alibaba-sts-security-token", "KuCoin API Passphrase"]
        {
            assert!(names_a_secret(name), "{name}");
        }
        for name in
            ["mux-access-token-id.1", "Langfuse Public Key", "tableau-personal-access-token-name.1", "Auth0 Domain", ""]
        {
            assert!(!names_a_secret(name), "{name}");
        }
        let mut rule = Foreign::default();
        helper("`visible: false`", "Branch.io Secret", &mut rule);
        assert!(rule.refusal.is_none() && rule.notes.iter().any(|note| note.contains("`visible: false`")));
        helper("`visible: false`", "Okta Domain", &mut rule);
        assert!(rule.refusal.is_some_and(|why| why.contains("`visible: false`")));
    }
}
