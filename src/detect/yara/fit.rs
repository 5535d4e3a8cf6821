//! What of YARA has a meaning in the windows of a dump, and what has not.
//!
//! A window shows a part of a dump, and not always the same part. So a condition may ask for one string or another, which is
//! true wherever that string stands. All else asks about a whole file (its size, how often something occurs, at which place,
//! what two things occur together, what a module knows of it), and would depend on how the dump is cut.

use std::collections::{BTreeMap, BTreeSet};

use yara_x_parser::ast::{
    AST, Expr, HexSubPattern, HexToken, Item, OfItems, Pattern, PatternSet, Quantifier, Rule, RuleFlags,
};

/// Bytes that a string may match at most: what a window shows beyond its own part.
pub const LONGEST: usize = 16_000;

/// Of each rule that is not private, the strings that its condition asks for.
///
/// # Errors
/// Which rules have no meaning in a dump, and why; or what does not parse.
pub fn strings(text: &str) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let ast = AST::from(text);
    if let Some(error) = ast.errors().first() {
        return Err(format!("it does not parse: {error:?}"));
    }
    let (mut all, mut refused) = (BTreeMap::new(), Vec::new());
    for item in ast.items() {
        match item {
            Item::Import(import) => refused.push(format!("the module `{}` looks at whole files", import.module_name)),
            Item::Include(include) => {
                refused.push(format!("`include \"{}\"`: name each file with --rules", include.file_name))
            }
            Item::Rule(rule) => match asked(rule) {
                Ok(strings) => drop(all.insert(rule.identifier.name.to_owned(), strings)),
                Err(why) => refused.push(format!("rule {}: {why}", rule.identifier.name)),
            },
        }
    }
    if refused.is_empty() { Ok(all) } else { Err(refused.join("; ")) }
}

fn asked(rule: &Rule<'_>) -> Result<BTreeSet<String>, String> {
    if rule.flags.contains(RuleFlags::Global) {
        return Err("a global rule says of all others whether they hold for a file".to_owned());
    }
    let patterns = rule.patterns.as_deref().unwrap_or_default();
    for pattern in patterns {
        let name = pattern.identifier().name;
        let longest = longest(pattern).map_err(|why| format!("its string {name} {why}"))?;
        if longest > LONGEST {
            return Err(format!("its string {name} may match {longest} bytes, more than {LONGEST}"));
        }
    }
    let mut strings = BTreeSet::new();
    gather(&rule.condition, patterns, &mut strings)?;
    Ok(strings)
}

/// The strings of which any makes the condition true.
fn gather(expr: &Expr<'_>, patterns: &[Pattern<'_>], strings: &mut BTreeSet<String>) -> Result<(), String> {
    match expr {
        Expr::Or(any) => any.operands().try_for_each(|one| gather(one, patterns, strings)),
        Expr::PatternMatch(one) if one.anchor.is_none() => {
            strings.insert(one.identifier.name.to_owned());
            Ok(())
        }
        Expr::Of(of) if of.anchor.is_none() => {
            let OfItems::PatternSet(set) = &of.items else { return Err(refusal("asks for conditions in a list")) };
            let of_them: Vec<&str> = patterns
                .iter()
                .map(Pattern::identifier)
                .filter(|name| match set {
                    PatternSet::Them { .. } => true,
                    PatternSet::Set(items) => items.iter().any(|item| item.matches(name)),
                })
                .map(|name| name.name)
                .collect();
            let any = match &of.quantifier {
                Quantifier::Any { .. } => true,
                Quantifier::All { .. } => of_them.len() == 1,
                Quantifier::Expr(Expr::LiteralInteger(number)) => number.value == 1,
                _ => false,
            };
            if !any {
                return Err(refusal("asks for more than one of its strings"));
            }
            strings.extend(of_them.into_iter().map(str::to_owned));
            Ok(())
        }
        other => Err(refusal(what(other))),
    }
}

fn refusal(what: &str) -> String {
    format!(
        "its condition {what}, which has no meaning in a part of a dump: it may ask for single strings, joined by `or` or `any of`"
    )
}

fn what(expr: &Expr<'_>) -> &'static str {
    match expr {
        Expr::Filesize { .. } => "asks for the size of the file",
        Expr::Entrypoint { .. } => "asks for the entry point",
        Expr::And(_) => "asks for several things together",
        Expr::Not(_) => "asks for what is not there",
        Expr::PatternCount(_) => "counts a string",
        Expr::PatternMatch(_) | Expr::PatternOffset(_) | Expr::Of(_) => "asks where a string stands",
        Expr::PatternLength(_) => "asks how long a string is",
        Expr::FuncCall(_) | Expr::FieldAccess(_) | Expr::Lookup(_) => "asks for bytes at a place, or a module",
        Expr::ForOf(_) | Expr::ForIn(_) | Expr::With(_) => "is a loop",
        Expr::Ident(_) => "asks for another rule or a variable",
        Expr::True { .. } | Expr::False { .. } => "asks for no string",
        _ => "computes something",
    }
}

/// Bytes that a string may match at most.
fn longest(pattern: &Pattern<'_>) -> Result<usize, &'static str> {
    let modifiers = pattern.modifiers();
    let wide = if modifiers.wide().is_some() || modifiers.base64wide().is_some() { 2 } else { 1 };
    let encoded = if modifiers.base64().is_some() || modifiers.base64wide().is_some() { 2 } else { 1 };
    match pattern {
        Pattern::Text(text) => Ok(text.text.value.len().saturating_mul(wide * encoded)),
        Pattern::Hex(hex) => longest_hex(&hex.sub_patterns),
        Pattern::Regexp(regexp) => {
            let hir = crate::detect::text::parse_pattern(regexp.regexp.src)
                .map_err(|_| "is a regular expression of another syntax")?;
            let properties = hir.properties();
            if properties.look_set().contains_anchor() {
                return Err("asks where the file begins or ends");
            }
            let most = properties.maximum_len().ok_or("repeats without bound: write `{1,200}` for `+`")?;
            Ok(most.saturating_mul(wide))
        }
    }
}

fn longest_hex(tokens: &HexSubPattern) -> Result<usize, &'static str> {
    let mut bytes = 0_usize;
    for token in tokens.iter() {
        bytes = bytes.saturating_add(match token {
            HexToken::Byte(_) | HexToken::NotByte(_) => 1,
            HexToken::Jump(jump) => {
                let end = jump.end.ok_or("has a jump without bound: write `[0-200]` for `[-]`")?;
                usize::try_from(end).unwrap_or(usize::MAX)
            }
            HexToken::Alternative(all) => {
                let each = all.alternatives.iter().map(longest_hex).collect::<Result<Vec<_>, _>>()?;
                each.into_iter().max().unwrap_or(0)
            }
        });
    }
    Ok(bytes)
}
