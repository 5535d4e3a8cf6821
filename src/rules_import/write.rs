//! The rules as a file of ours.

use serde::Serialize;

use super::make::Made;

/// A rule as its block says it; what is as it always is stays out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Block {
    pub id: String,
    pub title: String,
    pub severity: &'static str,
    pub description: String,
    pub remedy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub literals: Vec<String>,
    pub pattern: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub before: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub around: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<usize>,
    pub alphabet: String,
    pub boundary: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must_hold: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must_match: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_matches: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<String>,
    pub examples: Vec<Sample>,
    pub counter_examples: Vec<String>,
}

/// An example: its text, the secret in it, and what must stand behind that.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub text: String,
    pub secret: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub needs: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    rules: Vec<&'a Block>,
}

/// A file of one rule.
///
/// # Errors
/// When TOML cannot say it.
pub fn block(block: &Block) -> Result<String, String> {
    toml::to_string_pretty(&File { field: None, rules: vec![block] }).map_err(|e| e.to_string())
}

/// A file of all of them.
///
/// # Errors
/// When TOML cannot say one.
pub fn file(made: &[Made], name: &str, format: &str) -> Result<String, String> {
    let rules = made.iter().map(|made| &made.block).collect();
    let text = toml::to_string_pretty(&File { field: Some("imported"), rules }).map_err(|e| e.to_string())?;
    let name = std::path::Path::new(name)
        .file_name()
        .map_or_else(|| name.to_owned(), |name| name.to_string_lossy().into_owned());
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    Ok(format!(
        "# {} rules, imported from {name} ({format}) by dumpscrub.\n# Their licence is that of the file.\n\n{text}",
        made.len()
    ))
}
