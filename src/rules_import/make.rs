//! From a rule of another scanner to one of ours that holds.

use std::ops::Range;

use regex_syntax::hir::{Hir, HirKind};

use super::foreign::{Foreign, Source, Which};
use super::write::{Block, Sample};
use super::{letters, literals, rewrite, sample, write};
use crate::detect::text::{self, TextRule, checks, parse_pattern};
use crate::scan::rule_check::{self, Trial};

/// How often at most something repeats that repeats without bound, largest first: a pattern must stay small.
const BOUNDS: &[u32] = &[1000, 250, 60, 16];

/// Letters that a match may take; in UTF-16 it must fit into a window's margin.
const LONGEST: usize = 15_000;

/// Letters around a keyword in which a secret is looked for that has no literal itself.
const AROUND: usize = 250;

/// Letters around a secret in which a keyword must stand, where its pattern does not hold it.
const NEAR: usize = 2000;

/// Texts that are made up before a rule is given up.
const TRIES: u64 = 160;

/// Letters of a complaint about a text that was made up.
const TOLD: usize = 160;

/// A rule that holds.
#[derive(Debug)]
pub struct Made {
    pub block: Block,
    pub rule: TextRule,
}

/// Makes the rule and proves it.
///
/// # Errors
/// Why it is refused.
pub fn rule(foreign: &Foreign, all: &Source, taken: &[String], notes: &mut Vec<String>) -> Result<Made, String> {
    if let Some(why) = &foreign.refusal {
        return Err(why.clone());
    }
    let (pattern, hir) = pattern(foreign, notes)?;
    let mut block = block(foreign, &pattern, &hir, taken, notes);
    trigger(foreign, all, &hir, &mut block, notes)?;
    let trial = trial(&block)?;
    examples(foreign, &hir, &trial, &mut block, notes)?;
    counter_examples(foreign, &trial, &mut block, notes)?;
    let rule = load(&block)?;
    let wrong = rule_check::check_rule(rule.clone()).map_err(|e| e.to_string())?;
    match wrong.into_iter().next() {
        Some(complaint) => Err(format!("it does not hold in memory: it {complaint}")),
        None => Ok(Made { block, rule }),
    }
}

/// The pattern with the widest bounds that it can have.
fn pattern(foreign: &Foreign, notes: &mut Vec<String>) -> Result<(rewrite::Rewritten, Hir), String> {
    let mut last = "its pattern is too large".to_owned();
    for bound in BOUNDS {
        let mut done = rewrite::rewrite(&foreign.pattern, &foreign.secret, *bound)?;
        let hir = parse_pattern(&done.pattern)?;
        match hir.properties().maximum_len() {
            Some(0) | None => return Err("its pattern matches nothing, or without end".to_owned()),
            Some(most) if most > LONGEST => last = format!("its match may take {most} letters, more than {LONGEST}"),
            Some(_) => match text::compile_pattern(&done.pattern) {
                Ok(()) => {
                    notes.append(&mut done.notes);
                    return Ok((done, hir));
                }
                Err(why) => last = why,
            },
        }
    }
    Err(last)
}

fn block(
    foreign: &Foreign,
    pattern: &rewrite::Rewritten,
    hir: &Hir,
    taken: &[String],
    notes: &mut Vec<String>,
) -> Block {
    let or = |text: &str, other: String| if text.trim().is_empty() { other } else { text.trim().to_owned() };
    let boundary = match (pattern.starts, pattern.ends) {
        (true, true) => "both",
        (true, false) => "start",
        (false, true) => "end",
        (false, false) => "none",
    };
    Block {
        id: id(&foreign.id, taken, notes),
        title: foreign.title.clone().unwrap_or_else(|| foreign.id.clone()),
        severity: foreign.severity,
        description: or(&foreign.description, format!("What the imported rule {} finds.", foreign.id)),
        remedy: "Find out who issued it, revoke it there, and issue a new one.".to_owned(),
        reference: foreign.reference.clone(),
        pattern: pattern.pattern.clone(),
        alphabet: alphabet(hir, boundary != "none", notes),
        boundary,
        must_hold: foreign.must_hold.clone(),
        entropy: reachable(foreign.entropy, hir, notes),
        checksum: foreign.checksum,
        must_match: foreign.must_match.iter().map(|pattern| rewrite::plain(pattern)).collect(),
        ignore_values: readable(&foreign.ignored.values, notes),
        ignore_matches: readable(&foreign.ignored.matches, notes),
        ..Block::default()
    }
}

/// The threshold, where the letters of the secret can carry as much.
fn reachable(bits: Option<f64>, hir: &Hir, notes: &mut Vec<String>) -> Option<f64> {
    let (mut all, mut longest) = ([false; 256], 0);
    secrets(hir, &mut |hir| {
        letters::gather(hir, &mut all);
        longest = longest.max(hir.properties().maximum_len().unwrap_or(usize::MAX));
    });
    let most = (letters::members(&all).count().min(longest) as f64).log2();
    if bits.is_some_and(|bits| bits >= most) {
        notes.push(format!(
            "its threshold of entropy was left out: its letters carry {most:.1} bits at most; more is found"
        ));
        return None;
    }
    bits
}

/// Patterns of what is ignored, in this syntax; what cannot be read ignores nothing, and more is found.
fn readable(patterns: &[String], notes: &mut Vec<String>) -> Vec<String> {
    let plain = patterns.iter().map(|pattern| rewrite::plain(pattern));
    let (good, bad): (Vec<String>, Vec<String>) = plain.partition(|pattern| text::compile_pattern(pattern).is_ok());
    if !bad.is_empty() {
        notes.push(format!(
            "{} patterns of what it ignores are not understood, and were left out; more is found",
            bad.len()
        ));
    }
    good
}

/// The id in the form that ids have, and one that no other rule has.
fn id(foreign: &str, taken: &[String], notes: &mut Vec<String>) -> String {
    let words = foreign.to_ascii_lowercase();
    let words: Vec<&str> = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let id = if words.is_empty() { "imported".to_owned() } else { words.join("-") };
    let free = |id: &String| !taken.contains(id);
    let others = (2_u32..).map(|n| format!("imported-{id}-{n}"));
    let mut all = [id.clone(), format!("imported-{id}")].into_iter().chain(others);
    let new = all.find(free).unwrap_or_else(|| id.clone());
    if new != id {
        notes.push(format!("another rule is called {id}"));
    }
    new
}

/// The letters of the secret, and those of words where it must end: what goes on as a word has not ended.
fn alphabet(hir: &Hir, bounded: bool, notes: &mut Vec<String>) -> String {
    let mut all = [false; 256];
    secrets(hir, &mut |hir| letters::gather(hir, &mut all));
    let prints = |byte: u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    if letters::members(&all).any(|byte| !prints(byte)) {
        notes.push("its secret may hold any byte; only letters that print are taken".to_owned());
    }
    let word = |byte: u8| bounded && (byte.is_ascii_alphanumeric() || byte == b'_');
    let bytes: Vec<u8> = letters::members(&all).filter(|byte| prints(*byte)).collect();
    letters::class((0..128).filter(|byte| bytes.contains(byte) || word(*byte)))
}

fn secrets(hir: &Hir, found: &mut impl FnMut(&Hir)) {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref().is_some_and(|name| name.starts_with("secret")) => {
            found(&capture.sub)
        }
        HirKind::Capture(capture) => secrets(&capture.sub, found),
        HirKind::Repetition(repetition) => secrets(&repetition.sub, found),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().for_each(|hir| secrets(hir, found)),
        _ => {}
    }
}

/// What the rule is found by: literals of its own, a companion near it, or a keyword.
fn trigger(
    foreign: &Foreign,
    all: &Source,
    hir: &Hir,
    block: &mut Block,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    if let Some(companion) = foreign.companions.first() {
        let rule = all.rules.iter().find(|rule| rule.id == companion.id);
        let anchor = rule.and_then(|rule| rewrite::rewrite(&rule.pattern, &Which::Whole, 60).ok());
        let found = anchor.as_ref().and_then(|anchor| literals::of(&parse_pattern(&anchor.pattern).ok()?));
        let (Some(anchor), Some(found)) = (anchor, found) else {
            return Err(format!(
                "it asks for the rule {} near it, which has no literal or is not in the file",
                companion.id
            ));
        };
        for other in foreign.companions.iter().skip(1) {
            notes.push(format!("it asks for {} near it too, which was left out: one can be asked for", other.id));
        }
        notes.push(format!("{} must stand within {} letters", companion.id, companion.letters));
        (block.literals, block.before, block.anchor) = (found.literals, found.before, Some(anchor.pattern));
        block.around = Some(companion.letters);
        return Ok(());
    }
    let words: Vec<&String> = foreign.keywords.iter().filter(|word| word.len() >= 3 && word.is_ascii()).collect();
    if let Some(found) = literals::of(hir) {
        let lower: Vec<String> = found.literals.iter().map(|literal| literal.to_ascii_lowercase()).collect();
        let told = |word: &&String| {
            let word = word.to_ascii_lowercase();
            lower.iter().any(|literal| literal.contains(&word) || word.contains(literal))
        };
        if !words.is_empty() && !words.iter().any(told) {
            block.near = words.into_iter().cloned().collect();
            block.within = Some(NEAR);
            notes.push(format!(
                "`keywords`: one must stand within {NEAR} letters; there is no file that it may stand in"
            ));
        }
        (block.literals, block.before) = (found.literals, found.before);
        return Ok(());
    }
    let any: Vec<String> = words.iter().map(|word| regex_syntax::escape(word)).collect();
    let anchor = format!("(?i)(?:{})", any.join("|"));
    let found = parse_pattern(&anchor).ok().filter(|_| !any.is_empty()).and_then(|hir| literals::of(&hir));
    let Some(found) = found else {
        return Err(
            "no match of it must hold three letters in a row, and it names no keyword: it would be tried at every byte"
                .to_owned(),
        );
    };
    notes.push(format!("its pattern has no literal: it is looked for within {AROUND} letters of a keyword"));
    (block.literals, block.before, block.anchor) = (found.literals, found.before, Some(anchor));
    block.around = Some(AROUND);
    Ok(())
}

/// The rule alone, to try texts with.
fn trial(block: &Block) -> Result<Trial, String> {
    Trial::new(load(block)?).map_err(|e| e.to_string())
}

fn load(block: &Block) -> Result<TextRule, String> {
    let text = write::block(block)?;
    let mut rules = text::parse("the rule", &text).map_err(|e| e.to_string())?;
    rules.pop().ok_or_else(|| "it came to nothing".to_owned())
}

/// Two examples at least: those of the file that the rule finds, and others made up.
fn examples(
    foreign: &Foreign,
    hir: &Hir,
    trial: &Trial,
    block: &mut Block,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let mut missed = 0;
    for text in &foreign.examples {
        let found = trial.secrets(text);
        let one = if let [one] = found.as_slice() { one.clone() } else { 0..0 };
        let example =
            Sample { text: text.clone(), secret: text.get(one).unwrap_or_default().to_owned(), needs: String::new() };
        if !add(example, trial, block) {
            missed += 1;
        }
        if block.examples.len() == 3 {
            break;
        }
    }
    if missed > 0 {
        notes.push(format!("{missed} of its examples do not hold in memory, and were left out"));
    }
    made_up(foreign, hir, trial, block)
}

/// Fills the examples up with texts that are made up.
fn made_up(foreign: &Foreign, hir: &Hir, trial: &Trial, block: &mut Block) -> Result<(), String> {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let seed = foreign.id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, fold);
    let head = lead(foreign, block);
    let mut tried: Vec<Sample> = Vec::new();
    for n in 1..=TRIES {
        if block.examples.len() >= 2 {
            return Ok(());
        }
        let Some(mut made) = sample::text(hir, seed.wrapping_mul(2 * n + 1), n % 2 == 0) else { continue };
        let mut secret = made.text.get(made.secret.clone()).unwrap_or_default().to_owned();
        if let Some(summed) = block.checksum.and_then(|_| checks::with_github_sum(&secret)) {
            made.text.replace_range(made.secret, &summed);
            secret = summed;
        }
        let sample = Sample { text: format!("{head}{}", made.text), secret, needs: String::new() };
        add(sample.clone(), trial, block);
        tried.push(sample);
    }
    if block.examples.len() >= 2 { Ok(()) } else { Err(why_not(&tried, trial)) }
}

/// Why no text that was made up is an example.
fn why_not(tried: &[Sample], trial: &Trial) -> String {
    let Some(one) = tried.first() else {
        return "no text that its pattern matches could be made up".to_owned();
    };
    if tried.iter().all(|other| other.secret == one.secret) {
        return "all that it finds is one text, always the same: that is no secret".to_owned();
    }
    // The more a text found, the more it tells of what is wrong.
    let complaints = tried.iter().filter_map(|sample| trial.example(&sample.text, &sample.secret, &sample.needs));
    let found = tried.iter().find(|sample| !trial.secrets(&sample.text).is_empty());
    let told = match found {
        Some(sample) => trial.example(&sample.text, &sample.secret, &sample.needs),
        None => complaints.into_iter().next(),
    };
    let told = told.unwrap_or_else(|| "holds for one of them only".to_owned());
    let short: String = told.chars().take(TOLD).collect();
    let dots = if short.len() < told.len() { "..." } else { "" };
    format!("of {TRIES} texts that were made up for it no two hold in memory: it {short}{dots}")
}

/// What must stand before a made-up text: a keyword, or something that the rule's companion finds.
fn lead(foreign: &Foreign, block: &Block) -> String {
    if let Some(anchor) = block.anchor.as_deref().filter(|_| !foreign.companions.is_empty()) {
        let made = parse_pattern(anchor).ok().and_then(|hir| sample::text(&hir, 0x5eed, false));
        return made.map(|made| format!("{} ", made.text)).unwrap_or_default();
    }
    if block.near.is_empty() && block.anchor.is_none() {
        return String::new();
    }
    foreign.keywords.iter().find(|word| word.len() >= 3).map(|word| format!("{word} ")).unwrap_or_default()
}

/// Takes an example if it holds, and is another than those that are there.
fn add(mut example: Sample, trial: &Trial, block: &mut Block) -> bool {
    let Sample { text, secret, needs } = &mut example;
    let known = block.examples.iter().any(|other| other.secret == *secret);
    if secret.is_empty() || known || !text.is_ascii() {
        return false;
    }
    let Some(at) = text.find(secret.as_str()) else { return false };
    let place = at..at + secret.len();
    let Some(end) = (place.end..=text.len()).find(|end| finds(trial, text.get(..*end), &place)) else { return false };
    *needs = text.get(place.end..end).unwrap_or_default().to_owned();
    let holds = trial.example(text, secret, needs).is_none();
    if holds {
        block.examples.push(example);
    }
    holds
}

fn finds(trial: &Trial, text: Option<&str>, place: &Range<usize>) -> bool {
    text.is_some_and(|text| trial.secrets(text) == [place.clone()])
}

/// Two texts at least in which it finds nothing: those of the file, and its examples cut short.
fn counter_examples(
    foreign: &Foreign,
    trial: &Trial,
    block: &mut Block,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let holds = |text: &String| !text.is_empty() && trial.counter_example(text).is_none();
    let (good, bad): (Vec<String>, Vec<String>) = foreign.counter_examples.iter().cloned().partition(holds);
    if !bad.is_empty() {
        notes.push(format!("it finds something in {} of its negative examples, which were left out", bad.len()));
    }
    block.counter_examples.extend(good.into_iter().take(3));
    let cut = |example: &Sample, least: usize| {
        let at = example.text.find(&example.secret).unwrap_or(0) + example.secret.len() * least / 8;
        example.text.get(..at).unwrap_or_default().to_owned()
    };
    let examples = block.examples.clone();
    let shortened = (0..8).rev().flat_map(|least| examples.iter().map(move |example| cut(example, least)));
    let literals = block.literals.clone().into_iter().flat_map(|literal| [literal.clone(), format!("{literal} ")]);
    for text in shortened.chain(literals) {
        if block.counter_examples.len() >= 2 {
            return Ok(());
        }
        if holds(&text) && !block.counter_examples.contains(&text) {
            block.counter_examples.push(text);
        }
    }
    if block.counter_examples.len() >= 2 {
        Ok(())
    } else {
        Err("it finds something in every text that holds its literal".to_owned())
    }
}
