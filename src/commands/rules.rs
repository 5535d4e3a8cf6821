//! `dumpscrub rules`: what is looked for, whether the rules are whole, and rules of others.

use std::io::{self, Write};

use serde::Serialize;

use crate::commands::args::{Manner, PlainFormat, RulesAction, UserRules};
use crate::commands::{engine, exit, output, rule_import, rule_list};
use crate::detect::{self, text};
use crate::error::Result;
use crate::finding::Rule;
use crate::report::units::count;
use crate::report::{Inert, write_document};
use crate::scan::rule_check::{self, Complaint};

/// Lists, checks or imports, and says with which code to exit.
///
/// # Errors
/// When a file of rules is wrong, or the output cannot be written.
pub fn run(action: &RulesAction, files: &UserRules, manner: &Manner) -> Result<u8> {
    let engine = engine(files)?;
    let mut texts = text::built_in()?;
    let own = texts.len();
    for file in files.rules.iter().filter(|file| !detect::is_yara(file)) {
        texts.extend(text::load(file)?);
    }
    match action {
        RulesAction::List(format) => list(&rule_list::List::new(&engine, &texts), format),
        RulesAction::Check(format) => {
            let advice = rule_check::advice(texts.get(own..).unwrap_or_default());
            check(engine.rules(), rule_check::check(texts, &engine)?, advice, format)
        }
        RulesAction::Import(args) => rule_import::run(args, manner),
    }
}

fn list(list: &rule_list::List<'_>, format: &PlainFormat) -> Result<u8> {
    output::to_stdout(|out| if format.json { write_document(list, out) } else { list.print(out) })?;
    Ok(exit::CLEAN)
}

#[derive(Serialize)]
struct Check {
    schema: &'static str,
    rules: usize,
    problems: Vec<Problem>,
    advice: Vec<Advice>,
}

/// What is wrong with a rule.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Problem {
    rule: String,
    problem: String,
}

/// What would make a rule better that holds.
#[derive(Debug, Serialize)]
struct Advice {
    rule: String,
    advice: String,
}

fn check(rules: &[Rule], complaints: Vec<Complaint>, advice: Vec<Complaint>, format: &PlainFormat) -> Result<u8> {
    let mut problems = problems(rules);
    problems.extend(complaints.into_iter().map(|Complaint { rule, what }| Problem { rule, problem: what }));
    let advice = advice.into_iter().map(|Complaint { rule, what }| Advice { rule, advice: what }).collect();
    let check = Check { schema: "dumpscrub-rules-check/1", rules: rules.len(), problems, advice };
    output::to_stdout(|out| if format.json { write_document(&check, out) } else { print_check(&check, out) })?;
    Ok(if check.problems.is_empty() { exit::CLEAN } else { exit::FINDINGS })
}

fn print_check(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    for Problem { rule, problem } in &check.problems {
        writeln!(out, "{}: {}", Inert(rule), Inert(problem))?;
    }
    for Advice { rule, advice } in &check.advice {
        writeln!(out, "{}: advice: {}", Inert(rule), Inert(advice))?;
    }
    let (rules, problems) = (count(check.rules, "rule"), count(check.problems.len(), "problem"));
    writeln!(out, "{rules} checked, {problems}")
}

fn problems(rules: &[Rule]) -> Vec<Problem> {
    let problem = |rule: &Rule, problem: &str| Problem { rule: rule.id.clone(), problem: problem.to_owned() };
    let mut problems = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for rule in rules {
        if !is_id(&rule.id) {
            problems.push(problem(rule, "its id is not made of a-z, 0-9 and single hyphens"));
        }
        // Two detectors may find the same kind of secret, but then they must say the same of it.
        if seen.insert(rule.id.as_str(), rule).is_some_and(|other| other != rule) {
            problems.push(problem(rule, "its id is also that of another rule"));
        }
        for (field, text) in [("title", &rule.title), ("description", &rule.description), ("remedy", &rule.remedy)] {
            if text.trim().is_empty() {
                problems.push(problem(rule, &format!("its {field} is empty")));
            }
        }
    }
    problems
}

fn is_id(id: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn the_rules_that_are_built_in_are_whole() {
        assert_eq!(problems(engine(&UserRules::default()).unwrap().rules()), []);
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_told() {
        let rule = |id: &str, title: &str| Rule::new(id, title, Severity::Low, "d", "r");
        let rules = [rule("a-b", "one"), rule("a-b", "one"), rule("a-b", "two"), rule("A--b", " ")];
        let told: Vec<String> = problems(&rules).into_iter().map(|p| p.problem).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("another rule") && told[1].contains("hyphens") && told[2].contains("title is empty"));
    }
}
