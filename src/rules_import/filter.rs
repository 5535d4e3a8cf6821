//! The expressions by which betterleaks drops what a pattern found: alternatives of a few operations on the secret.
//!
//! An alternative that has no counterpart only ever drops findings, so where its operation is known it is left out with a
//! note. An expression that is not understood refuses its rule.

use super::allow::stopwords;
use super::foreign::Foreign;

/// Operations that are known and have no counterpart.
const LEFT_OUT: &[&str] = &["tokenRatio", "failsTokenEfficiency", "startsWithAny", "len"];

/// Reads an expression into the rule.
pub fn read(text: &str, rule: &mut Foreign) {
    let read = tokens(text).and_then(|tokens| Reader { tokens, at: 0 }.alternatives());
    match read {
        Ok(terms) => terms.into_iter().for_each(|term| apply(term, rule)),
        Err(why) => rule.refusal = Some(format!("its `filter` is not understood: {why}")),
    }
}

/// `[!] operation(subject, [texts]) [comparison number]`.
#[derive(Debug, Default, PartialEq)]
struct Term {
    negated: bool,
    operation: String,
    subject: String,
    texts: Vec<String>,
    compared: Option<(String, f64)>,
}

fn apply(term: Term, rule: &mut Foreign) {
    let Term { negated, operation, subject, texts, compared } = term;
    let (secret, whole) = (subject == "secret", subject == "match");
    match (operation.as_str(), negated, compared) {
        ("entropy", false, Some((sign, bits))) if secret && sign.starts_with('<') => {
            rule.entropy = Some(rule.entropy.unwrap_or(0.0).max(bits)).filter(|bits| *bits > 0.0);
        }
        ("matchesAny", false, None) if secret => rule.ignored.values.extend(texts),
        ("matchesAny", false, None) if whole => rule.ignored.matches.extend(texts),
        ("matchesAny", true, None) if secret => rule.must_match.push(texts.join("|")),
        ("containsAny", false, None) if secret => rule.ignored.values.extend(stopwords(&texts)),
        ("containsAny", false, None) if whole => rule.ignored.matches.extend(stopwords(&texts)),
        ("matchesAny" | "containsAny", ..) => {
            rule.notes
                .push(format!("`filter`: a dump has no `{subject}`; `{operation}` was left out, and more is found"));
        }
        (known, ..) if LEFT_OUT.contains(&known) => {
            rule.notes.push(format!("`filter`: `{known}` has no counterpart and was left out; more is found"));
        }
        (other, ..) => rule.refusal = Some(format!("its `filter` asks for `{other}`, which is not known")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (token, behind) = match first {
            '/' if rest.starts_with("//") => (None, rest.split_once('\n').map_or("", |(_, behind)| behind)),
            '"' | '`' => quoted(rest, first)?,
            _ if first.is_ascii_digit() => {
                let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
                let (number, behind) = rest.split_at(end);
                (Some(Token::Number(number.parse().map_err(|_| format!("`{number}`"))?)), behind)
            }
            _ if first.is_alphabetic() || first == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                (Some(Token::Word(word.to_owned())), behind)
            }
            _ => {
                let two = ["||", "&&", "<=", ">=", "==", "!="].into_iter().find(|sign| rest.starts_with(sign));
                let sign = two.map_or_else(|| first.to_string(), str::to_owned);
                let behind = rest.strip_prefix(sign.as_str()).unwrap_or_default();
                (Some(Token::Sign(sign)), behind)
            }
        };
        tokens.extend(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

/// A text in quotes, where a backslash stands for what is behind it, or between backticks, where it does not.
fn quoted(rest: &str, quote: char) -> Result<(Option<Token>, &str), String> {
    let (mut text, mut letters) = (String::new(), rest.char_indices().skip(1));
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote == '"' => match letters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, other)) => text.push(other),
                None => break,
            },
            _ if letter == quote => {
                let behind = rest.get(at + letter.len_utf8()..).unwrap_or_default();
                return Ok((Some(Token::Text(text)), behind));
            }
            _ => text.push(letter),
        }
    }
    Err("a text in it has no end".to_owned())
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    /// `term || term || ...`, each of which may stand in parentheses.
    fn alternatives(mut self) -> Result<Vec<Term>, String> {
        let terms = self.any_of()?;
        match self.tokens.get(self.at) {
            None => Ok(terms),
            Some(more) => Err(format!("{more:?} was not expected")),
        }
    }

    fn any_of(&mut self) -> Result<Vec<Term>, String> {
        let mut terms = self.one_of()?;
        while self.sign("||") {
            terms.extend(self.one_of()?);
        }
        Ok(terms)
    }

    fn one_of(&mut self) -> Result<Vec<Term>, String> {
        if self.sign("(") {
            // The tokens are bounded by the file; parentheses that do not end are an error at its end.
            let terms = self.any_of()?;
            return if self.sign(")") { Ok(terms) } else { Err("a parenthesis has no end".to_owned()) };
        }
        self.term().map(|term| vec![term])
    }

    fn term(&mut self) -> Result<Term, String> {
        let negated = self.sign("!");
        let mut operation = self.word()?;
        // Newer files name the place that an operation is of: `filter.entropy(...)`.
        if operation == "filter" && self.sign(".") {
            operation = self.word()?;
        }
        let mut term = Term { negated, operation, ..Term::default() };
        if !self.sign("(") {
            return Err(format!("`{}` is no operation", term.operation));
        }
        // `finding["secret"]`, or with what stands for nothing: `(attributes["path"] ?? "")`.
        let wrapped = self.sign("(");
        let _whole = self.word()?;
        if !self.sign("[") {
            return Err(format!("`{}` is asked of something else than a part of the finding", term.operation));
        }
        term.subject = self.text()?;
        let mut closed = self.sign("]");
        if self.sign("?") && self.sign("?") {
            self.text()?;
        }
        closed &= !wrapped || self.sign(")");
        if self.sign(",") && self.sign("[") {
            while !self.sign("]") {
                term.texts.push(self.text()?);
                self.sign(",");
            }
            self.sign(",");
        }
        if !closed || !self.sign(")") {
            return Err(format!("`{}` is asked in a way that is not known", term.operation));
        }
        let compared = ["<=", ">=", "<", ">", "=="].into_iter().find(|sign| self.sign(sign));
        if let Some(sign) = compared {
            let Some(Token::Number(number)) = self.tokens.get(self.at).cloned() else {
                return Err(format!("`{sign}` without a number"));
            };
            self.at += 1;
            term.compared = Some((sign.to_owned(), number));
        }
        Ok(term)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = self.tokens.get(self.at).is_some_and(|token| *token == Token::Sign(sign.to_owned()));
        self.at += usize::from(is);
        is
    }

    fn word(&mut self) -> Result<String, String> {
        let Some(Token::Word(word)) = self.tokens.get(self.at).cloned() else {
            return Err(self.unexpected());
        };
        self.at += 1;
        Ok(word)
    }

    fn text(&mut self) -> Result<String, String> {
        let Some(Token::Text(text)) = self.tokens.get(self.at).cloned() else {
            return Err(self.unexpected());
        };
        self.at += 1;
        Ok(text)
    }

    fn unexpected(&self) -> String {
        self.tokens
            .get(self.at)
            .map_or_else(|| "it ends too early".to_owned(), |token| format!("{token:?} was not expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(filter: &str) -> Foreign {
        let mut rule = Foreign::default();
        read(filter, &mut rule);
        rule
    }

    #[test]
    fn alternatives_are_told_apart() {
        let rule = rule(
            "// why\nentropy(finding[\"secret\"]) <= 3.5\n|| (matchesAny(finding[\"secret\"], [`^a\\d`, \"b\\\\w\"]) || \
             containsAny(finding[\"match\"], [\"x.y\"]))\n|| !matchesAny(finding[\"secret\"], [\"[0-9]\"])\n\
             || tokenRatio(finding[\"secret\"]) >= 2.5 || matchesAny((attributes[\"path\"] ?? \"\"), [`p`])",
        );
        assert_eq!(rule.refusal, None);
        assert_eq!(rule.entropy, Some(3.5));
        assert_eq!(rule.ignored.values, ["^a\\d", "b\\w"]);
        assert_eq!(rule.ignored.matches, ["(?i)x\\.y"]);
        assert_eq!(rule.must_match, ["[0-9]"]);
        assert!(rule.notes.iter().any(|n| n.contains("tokenRatio")) && rule.notes.iter().any(|n| n.contains("path")));
    }

    #[test]
    fn an_operation_may_say_that_it_is_one_of_filters() {
        let rule = rule("filter.entropy(finding[\"secret\"]) < 3.0\n");
        assert_eq!((rule.refusal, rule.entropy), (None, Some(3.0)));
    }

    #[test]
    fn what_is_not_understood_refuses_the_rule() {
        for wrong in [
            "let a = 1; a",
            "sha256(finding[\"secret\"]) == 3",
            "entropy(",
            "entropy(finding[\"secret\"]) > 3",
            "(",
            "\"",
            "a && b",
            "matchesAny((finding[\"secret\"], [`a`])",
            "matchesAny(finding[\"secret\"], [`a`]) && entropy(finding[\"secret\"]) < 3",
        ] {
            assert!(rule(wrong).refusal.is_some(), "{wrong}");
        }
    }
}
