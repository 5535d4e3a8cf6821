//! Rules that users have: read in the formats of other scanners, rewritten for memory, and proven before they are written.
//!
//! A file is read into [`Foreign`] rules, which say in one way what each format says in its own (`gitleaks.rs`, `yaml.rs`).
//! Each is made into a rule of ours (`make.rs`): its pattern loses the terminators that memory does not have and gets bounds
//! (`rewrite.rs`), the literals that it is found by are computed from the pattern (`literals.rs`), and texts that it must
//! find are taken from the file or generated (`sample.rs`). Then the rule has to pass what `rules check` asks for, or it is
//! refused by name. What a rule says and ours cannot say is told in a note: nothing is dropped in silence.

mod allow;
mod classes;
mod exact;
mod filter;
mod foreign;
mod gitleaks;
mod letters;
mod literals;
mod make;
mod rewrite;
mod sample;
mod strip;
mod write;
mod yaml;

use std::collections::BTreeMap;

use crate::detect::text::{self, TextRule};
use crate::detect::{self, Detector};
use crate::error::{Error, Result};
use crate::finding::Profile;
use crate::scan::{Engine, rule_check};

use foreign::{Foreign, Source};
use make::Made;

/// What came of a file.
#[derive(Debug)]
pub struct Imported {
    /// The rules as a TOML file that `--rules` takes.
    pub text: String,
    /// The format that was read.
    pub format: &'static str,
    /// What was said of all rules and has no counterpart.
    pub notes: Vec<String>,
    /// What came of each rule, in the order of the file.
    pub rules: Vec<Outcome>,
}

/// What came of one rule.
#[derive(Debug)]
pub struct Outcome {
    /// Its id in the file that was read.
    pub from: String,
    /// Its id now, or why it was refused.
    pub result: std::result::Result<String, String>,
    /// What it says that ours cannot say, and what was changed.
    pub notes: Vec<String>,
}

/// Reads the rules of `name`, a gitleaks or betterleaks file in TOML or one of Nosey Parker or Kingfisher in YAML, and makes
/// rules of them that hold.
///
/// # Errors
/// [`Error::Rules`] when the file is neither.
pub fn import(name: &str, content: &str) -> Result<Imported> {
    let wrong = |reason: String| Error::Rules { file: name.to_owned(), reason };
    let source = read(name, content).map_err(wrong)?;
    let ours = text::built_in()?;
    let detectors = detect::detectors_of(Profile::Paranoid)?;
    let mut taken: Vec<String> = detectors.iter().flat_map(|d| d.rules()).map(|rule| rule.id).collect();
    let (mut made, mut rules) = (Vec::new(), Vec::new());
    for foreign in &source.rules {
        let (result, notes) = one(foreign, &source, &mut taken);
        rules.push(Outcome {
            from: foreign.id.clone(),
            result: result.as_ref().map(|made| made.block.id.clone()).map_err(Clone::clone),
            notes,
        });
        made.extend(result.ok());
    }
    tell_overlaps(&mut made, ours)?;
    let text = write::file(&made, name, source.format).map_err(wrong)?;
    Ok(Imported { text, format: source.format, notes: source.notes, rules })
}

fn read(name: &str, content: &str) -> std::result::Result<Source, String> {
    let path = std::path::Path::new(name);
    let is = |ending: &str| path.extension().is_some_and(|end| end.eq_ignore_ascii_case(ending));
    if is("toml") {
        return gitleaks::read(content);
    }
    if is("yml") || is("yaml") {
        return yaml::read(content);
    }
    gitleaks::read(content).or_else(|toml| {
        yaml::read(content)
            .map_err(|yaml| format!("it is neither TOML nor YAML of rules. As TOML: {toml}. As YAML: {yaml}"))
    })
}

/// One rule, made and proven, with what there is to say of it.
fn one(foreign: &Foreign, all: &Source, taken: &mut Vec<String>) -> (std::result::Result<Made, String>, Vec<String>) {
    let mut notes = foreign.notes.clone();
    let made = make::rule(foreign, all, taken, &mut notes);
    if let Ok(made) = &made {
        taken.push(made.block.id.clone());
    }
    (made, notes)
}

/// Writes into each rule which others find the secrets of its examples too, so that `rules check` knows that it is meant:
/// most of what users bring is in the program's own rules already.
fn tell_overlaps(made: &mut [Made], ours: Vec<TextRule>) -> Result<()> {
    let mut all = detect::detectors_with(&[], Profile::Paranoid)?;
    all.extend(made.iter().map(|made| Box::new(made.rule.clone()) as Box<dyn Detector>));
    let engine = Engine::new(all)?;
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    places.extend(made.iter().enumerate().map(|(at, made)| (made.block.id.clone(), at)));
    let rules: Vec<TextRule> = ours.into_iter().chain(made.iter().map(|made| made.rule.clone())).collect();
    for (rule, other) in rule_check::overlaps(&rules, &engine) {
        let (owner, other) = if places.contains_key(&rule) { (rule, other) } else { (other, rule) };
        let owner = places.get(&owner).and_then(|&at| made.get_mut(at));
        owner.into_iter().for_each(|made| made.block.overlaps.push(other.clone()));
    }
    made.iter_mut().for_each(|made| {
        made.block.overlaps.sort();
        made.block.overlaps.dedup();
    });
    Ok(())
}
