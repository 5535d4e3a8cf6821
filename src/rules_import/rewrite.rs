//! A pattern that was written for files, rewritten for memory: its secret gets its name, what ends text falls away, what
//! repeats without bound gets one, and classes of Unicode become those of ASCII.
//!
//! The pattern's text is edited where its syntax tree says, so that its author still knows it.

use std::collections::BTreeSet;
use std::ops::Range;

use regex_syntax::ast::{
    self, Ast, ClassSet, ClassSetItem, ClassUnicode, ClassUnicodeKind, ErrorKind, GroupKind, RepetitionKind,
    RepetitionRange,
};

use super::classes;
use super::foreign::Which;
use super::strip::Stripper;

/// How deep a pattern may be nested.
const DEEP: u32 = 60;

/// A pattern of ours.
#[derive(Debug)]
pub struct Rewritten {
    pub pattern: String,
    /// Whether what stood before the secret said that its letters begin there, and behind it that they end.
    pub starts: bool,
    pub ends: bool,
    pub notes: Vec<String>,
}

/// Rewrites a pattern; what repeats without bound repeats at most `bound` times.
///
/// # Errors
/// Why it cannot be: what is wrong with it, or what it asks for that memory does not have.
pub fn rewrite(pattern: &str, which: &Which, bound: u32) -> Result<Rewritten, String> {
    let pattern = plain(pattern);
    let mut parser = ast::parse::ParserBuilder::new().nest_limit(DEEP).build();
    let ast = parser.parse(&pattern).map_err(|e| refusal(e.kind()))?;
    let mut groups = Vec::new();
    groups_of(&ast, false, &mut groups);
    let secrets = secrets(which, &groups)?;
    let flags = classes::flags(&pattern);
    let stripped = Stripper::new(&pattern, &secrets, &flags).strip(&ast)?;
    let gone = |range: &Range<usize>| (range.clone(), String::new());
    let mut editor = Editor {
        pattern: &pattern,
        flags: &flags,
        secrets: &secrets,
        removed: &stripped.removed,
        inside: secrets.is_empty(),
        edits: stripped.removed.iter().map(gone).collect(),
        bound,
        bounded: false,
        unicode: false,
    };
    groups.iter().for_each(|group| editor.name(group, &secrets));
    editor.visit(&ast)?;
    let mut text = splice(&pattern, editor.edits);
    if secrets.is_empty() {
        text = format!("(?P<secret>{text})");
    }
    let mut notes = Vec::new();
    if !stripped.removed.is_empty() {
        notes.push("what asks for the end of a text, or its beginning, was taken out: memory has none".to_owned());
    }
    if editor.bounded {
        notes.push(format!("what repeats without bound repeats at most {bound} times"));
    }
    if editor.unicode {
        notes.push("classes of Unicode became those of ASCII".to_owned());
    }
    Ok(Rewritten { pattern: text, starts: stripped.starts, ends: stripped.ends, notes })
}

/// A group that captures: its number, its name, where it opens.
pub struct Group {
    pub index: u32,
    name: Option<String>,
    opens: Range<usize>,
    /// Whether it may match more than once: then it holds the last part of something.
    repeats: bool,
}

/// Which groups are the secret; none where all of the match is.
fn secrets(which: &Which, groups: &[Group]) -> Result<BTreeSet<u32>, String> {
    let all = || groups.iter().filter(|group| !group.repeats).map(|group| group.index).collect();
    let named = |wanted: &str| groups.iter().find(|group| group.name.as_deref() == Some(wanted));
    match which {
        Which::Whole => Ok(BTreeSet::new()),
        Which::FirstGroup => Ok(all()),
        Which::Named(name) => {
            Ok(named(name).map_or_else(|| by_names(groups).unwrap_or_else(all), |group| BTreeSet::from([group.index])))
        }
        Which::Group(number) if groups.iter().any(|group| group.index == *number) => Ok(BTreeSet::from([*number])),
        Which::Group(number) => Err(format!("its secret is group {number}, and its pattern has {}", groups.len())),
    }
}

/// Where groups have names, the one that is called a secret, or else those without a name: the others are what a secret is for.
fn by_names(groups: &[Group]) -> Option<BTreeSet<u32>> {
    let called = |group: &&Group| {
        let name = group.name.as_deref().unwrap_or_default().to_ascii_uppercase();
        ["SECRET", "PASSWORD", "PASS", "PRIVATE_KEY"].iter().any(|word| name.ends_with(word))
    };
    if let Some(group) = groups.iter().find(called) {
        return Some(BTreeSet::from([group.index]));
    }
    let unnamed: BTreeSet<u32> =
        groups.iter().filter(|group| group.name.is_none() && !group.repeats).map(|group| group.index).collect();
    (!unnamed.is_empty()).then_some(unnamed)
}

fn groups_of(ast: &Ast, repeats: bool, groups: &mut Vec<Group>) {
    match ast {
        Ast::Group(group) => {
            let start = group.span.start.offset;
            match &group.kind {
                GroupKind::CaptureIndex(index) => {
                    groups.push(Group { index: *index, name: None, opens: start..start + 1, repeats });
                }
                GroupKind::CaptureName { name, .. } => {
                    let (index, opens) = (name.index, start..name.span.end.offset + 1);
                    groups.push(Group { index, name: Some(name.name.clone()), opens, repeats });
                }
                GroupKind::NonCapturing(_) => {}
            }
            groups_of(&group.ast, repeats, groups);
        }
        Ast::Repetition(repetition) => groups_of(&repetition.ast, repeats || !is_once(&repetition.op.kind), groups),
        Ast::Alternation(all) => all.asts.iter().for_each(|ast| groups_of(ast, repeats, groups)),
        Ast::Concat(all) => all.asts.iter().for_each(|ast| groups_of(ast, repeats, groups)),
        _ => {}
    }
}

fn index(kind: &GroupKind) -> Option<u32> {
    match kind {
        GroupKind::CaptureIndex(index) => Some(*index),
        GroupKind::CaptureName { name, .. } => Some(name.index),
        GroupKind::NonCapturing(_) => None,
    }
}

fn is_once(kind: &RepetitionKind) -> bool {
    use RepetitionRange::{Bounded, Exactly};
    matches!(kind, RepetitionKind::ZeroOrOne | RepetitionKind::Range(Exactly(0 | 1) | Bounded(_, 0 | 1)))
}

struct Editor<'a> {
    pattern: &'a str,
    /// Flags that hold for all of it.
    flags: &'a str,
    secrets: &'a BTreeSet<u32>,
    /// What is taken out, and need not be edited.
    removed: &'a [Range<usize>],
    /// Whether what is visited is a part of the secret.
    inside: bool,
    edits: Vec<(Range<usize>, String)>,
    bound: u32,
    bounded: bool,
    unicode: bool,
}

impl Editor<'_> {
    /// Groups that are no secret lose their names: a report tells what groups named `context` hold.
    fn name(&mut self, group: &Group, secrets: &BTreeSet<u32>) {
        let text = match (secrets.contains(&group.index), secrets.len()) {
            (true, 1) => "(?P<secret>".to_owned(),
            (true, _) => format!("(?P<secret_{}>", group.index),
            (false, _) => "(?:".to_owned(),
        };
        self.edits.push((group.opens.clone(), text));
    }

    fn visit(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Repetition(repetition) => {
                let least = match &repetition.op.kind {
                    RepetitionKind::ZeroOrMore => Some(0),
                    RepetitionKind::OneOrMore => Some(1),
                    RepetitionKind::Range(RepetitionRange::AtLeast(least)) => Some(*least),
                    _ => None,
                };
                if let Some(least) = least {
                    let lazy = if repetition.greedy { "" } else { "?" };
                    let most = self.bound.max(least.saturating_mul(2)).max(least.saturating_add(16));
                    let span = repetition.op.span.start.offset..repetition.op.span.end.offset;
                    self.edits.push((span, format!("{{{least},{most}}}{lazy}")));
                    self.bounded = true;
                }
                self.visit(&repetition.ast)
            }
            Ast::Group(group) => {
                let was = self.inside;
                self.inside |= index(&group.kind).is_some_and(|index| self.secrets.contains(&index));
                let done = self.visit(&group.ast);
                self.inside = was;
                done
            }
            Ast::Alternation(all) => all.asts.iter().try_for_each(|ast| self.visit(ast)),
            Ast::Concat(all) => all.asts.iter().try_for_each(|ast| self.visit(ast)),
            Ast::ClassUnicode(class) => {
                let (letters, not) = (ascii(class)?, if class.is_negated() { "^" } else { "" });
                self.replace(class, format!("[{not}{letters}]"));
                Ok(())
            }
            Ast::ClassBracketed(class) => {
                self.narrow(&class.span);
                self.visit_set(&class.kind)
            }
            Ast::ClassPerl(class) => {
                self.narrow(&class.span);
                Ok(())
            }
            Ast::Dot(span) if self.inside => {
                self.edits.push((span.start.offset..span.end.offset, classes::dot(self.flags).to_owned()));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A class takes no bytes that are no letters.
    fn narrow(&mut self, span: &ast::Span) {
        let (start, end) = (span.start.offset, span.end.offset);
        if self.removed.iter().any(|gone| gone.start <= start && end <= gone.end) {
            return;
        }
        let class = self.pattern.get(start..end).unwrap_or_default();
        if let Some((before, behind)) = classes::narrowed(class, self.flags, self.inside) {
            self.edits.push((start..start, before.to_owned()));
            self.edits.push((end..end, behind.to_owned()));
        }
    }

    fn visit_set(&mut self, set: &ClassSet) -> Result<(), String> {
        match set {
            ClassSet::Item(item) => self.visit_item(item),
            ClassSet::BinaryOp(both) => self.visit_set(&both.lhs).and_then(|()| self.visit_set(&both.rhs)),
        }
    }

    fn visit_item(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Union(union) => union.items.iter().try_for_each(|item| self.visit_item(item)),
            ClassSetItem::Bracketed(class) => self.visit_set(&class.kind),
            ClassSetItem::Unicode(class) => {
                let (letters, not) = (ascii(class)?, if class.is_negated() { "^" } else { "" });
                self.replace(class, format!("[{not}{letters}]"));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn replace(&mut self, class: &ClassUnicode, text: String) {
        self.unicode = true;
        self.edits.push((class.span.start.offset..class.span.end.offset, text));
    }
}

/// The ASCII letters of a class of Unicode.
fn ascii(class: &ClassUnicode) -> Result<&'static str, String> {
    let name = match &class.kind {
        ClassUnicodeKind::OneLetter(letter) => letter.to_string(),
        ClassUnicodeKind::Named(name) => name.clone(),
        ClassUnicodeKind::NamedValue { value, .. } => value.clone(),
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "l" | "letter" | "alphabetic" | "alpha" | "latin" => "A-Za-z",
        "lu" | "uppercase_letter" | "uppercase" => "A-Z",
        "ll" | "lowercase_letter" | "lowercase" => "a-z",
        "n" | "nd" | "number" | "decimal_number" => "0-9",
        "p" | "punct" | "punctuation" => r"!-#%-*,-/:;?@\[-\]_{}",
        "s" | "symbol" => r"$+<=>\^`|~",
        "z" | "zs" | "white_space" | "space" => r"\t\n\x0b\x0c\r ",
        _ => return Err(format!("it asks for the class `{name}` of Unicode, which has no counterpart in ASCII")),
    })
}

/// Takes out comments, and gives braces that repeat nothing the backslash that this syntax asks for and others do not.
pub fn plain(pattern: &str) -> String {
    let (mut text, mut rest, mut in_class) = (String::new(), pattern.trim(), false);
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '\\' => escape(rest),
            '(' if !in_class && rest.starts_with("(?#") => {
                rest = rest.split_once(')').map_or("", |(_, behind)| behind);
                continue;
            }
            '{' if !in_class && !is_repetition(rest) => {
                text.push('\\');
                1
            }
            '[' if !in_class => {
                in_class = true;
                // The first bracket behind it is a letter: `[]a]`, `[^]a]`.
                1 + rest[1..].find(|c| c != '^').map_or(0, |at| at + usize::from(rest[1 + at..].starts_with(']')))
            }
            ']' => {
                in_class = false;
                1
            }
            other => other.len_utf8(),
        };
        let (head, behind) = rest.split_at(len.min(rest.len()));
        text.push_str(head);
        rest = behind;
    }
    text
}

/// Bytes of an escape, with the braces that belong to it: `\p{Lu}`, `\x{41}`.
fn escape(rest: &str) -> usize {
    let len = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
    let braced = rest.chars().nth(1).is_some_and(|c| "pPxuUb".contains(c))
        && rest.get(len..).is_some_and(|b| b.starts_with('{'));
    if braced { rest.find('}').map_or(len, |end| end + 1) } else { len }
}

/// `{3}`, `{3,}`, `{3,5}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.get(1..).and_then(|rest| rest.split_once('}')) else { return false };
    let mut numbers = inside.split(',');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let first = numbers.next().is_some_and(|first| !first.is_empty() && digits(first));
    first && numbers.next().is_none_or(digits) && numbers.next().is_none()
}

/// Makes the edits; one that lies in another is dropped with it.
fn splice(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    // What is put between two letters comes before what replaces the second one.
    edits.sort_by_key(|(range, _)| (range.start, !range.is_empty(), std::cmp::Reverse(range.end)));
    let (mut out, mut at) = (String::new(), 0);
    for (range, new) in edits {
        if range.start < at {
            continue;
        }
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn refusal(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::UnsupportedLookAround => {
            "its pattern looks ahead or behind, which cannot be done in one pass; write what it asks for as letters of the match".to_owned()
        }
        ErrorKind::UnsupportedBackreference => {
            "its pattern refers back to what a group matched, which cannot be done in one pass".to_owned()
        }
        other => format!("its pattern is not understood: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(pattern: &str) -> (String, bool, bool) {
        let done = rewrite(pattern, &Which::FirstGroup, 100).unwrap();
        (done.pattern, done.starts, done.ends)
    }

    #[test]
    fn terminators_become_boundaries() {
        for (pattern, wanted, starts, ends) in [
            (r#"\b(tok_[a-z]{8})(?:['"\s;]|$)"#, "(?P<secret>tok_[a-z]{8})", true, true),
            (r#"\b(tok_[a-z]{8})(?:[\x60'"\s;]|\\[nr]|$)"#, "(?P<secret>tok_[a-z]{8})", true, true),
            (r"\bAKX[0-9]{4}\b", "(?P<secret>AKX[0-9]{4})", true, true),
            (r"wdg[0-9]{4}", "(?P<secret>wdg[0-9]{4})", false, false),
            (r#"(?i)wid.{0,9}\b([a-f]{8})(?:$|[\s"])"#, "(?i)wid.{0,9}(?P<secret>[a-f]{8})", true, true),
            (r#"(?:^|[\s"])([a-f]{8}X)"#, "(?P<secret>[a-f]{8}X)", true, false),
            (r#"user:([^@]{3,9})@host"#, r"user:(?P<secret>[[^@]&&[\t\n\r\x20-~]]{3,9})@host", false, false),
            (
                r#"pass [^:]+:(\S*)"#,
                r"pass [[^:]&&[^\x00]]{1,100}:(?P<secret>[\S&&[\t\n\r\x20-~]]{0,100})",
                false,
                false,
            ),
            (r"(?i)key=(x.{3})(?:[^a-z0-9-])", r"(?i)key=(?P<secret>x[\t\r\x20-~]{3})", false, true),
            (
                r#"one=([a-f]{8})(?:["]|$)|two=([0-9]{8})\b"#,
                "one=(?P<secret_1>[a-f]{8})|two=(?P<secret_2>[0-9]{8})",
                false,
                true,
            ),
            (r#"^key="([a-f]{8})"?"#, r#"key="(?P<secret>[a-f]{8})"?"#, false, false),
        ] {
            assert_eq!(done(pattern), (wanted.to_owned(), starts, ends), "{pattern}");
        }
    }

    #[test]
    fn what_repeats_gets_a_bound_and_what_is_not_ascii_goes() {
        for (pattern, wanted) in [
            ("a+(b*?)", "a{1,100}(?P<secret>b{0,100}?)"),
            ("a{3,}", "(?P<secret>a{3,100})"),
            ("a{200,}", "(?P<secret>a{200,400})"),
            (r"[\p{L}_]{3}\pN", "(?P<secret>[[A-Za-z]_]{3}[0-9])"),
            (r"\p{Lu}\x{41}", r"(?P<secret>[A-Z]\x{41})"),
            ("(?#why)a{b}", r"(?P<secret>a\{b})"),
            ("[{]x{2}", "(?P<secret>[{]x{2})"),
            (r"(?P<context>a)(?P<TOKEN>b)", "(?P<secret_1>a)(?P<secret_2>b)"),
            ("id-([a-f]{4}-){3}(x)?z", "id-(?:[a-f]{4}-){3}(?P<secret>x)?z"),
            ("id-([a-f]{4}-){3}z", "(?P<secret>id-(?:[a-f]{4}-){3}z)"),
        ] {
            assert_eq!(done(pattern).0, wanted, "{pattern}");
        }
        let token = rewrite(r"(?P<context>a)(?P<TOKEN>b)", &Which::Named("TOKEN"), 9).unwrap();
        assert_eq!(token.pattern, "(?:a)(?P<secret>b)");
        for (pattern, wanted) in
            [("(?P<uuid>a)(b)", "(?:a)(?P<secret>b)"), ("(?P<KEY_ID>a)(?P<KEY_SECRET>b)", "(?:a)(?P<secret>b)")]
        {
            assert_eq!(rewrite(pattern, &Which::Named("TOKEN"), 9).unwrap().pattern, wanted);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        for (pattern, why) in [
            ("(?=a)b", "looks ahead"),
            (r"(a)\1", "refers back"),
            ("(a", "not understood"),
            (r"\p{Greek}", "`Greek`"),
            ("a$b", "in its middle"),
        ] {
            let told = rewrite(pattern, &Which::FirstGroup, 9).unwrap_err();
            assert!(told.contains(why), "{pattern}: {told}");
        }
        assert!(rewrite("(a)", &Which::Group(2), 9).unwrap_err().contains("group 2"));
    }
}
