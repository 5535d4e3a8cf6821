//! Classes of letters in memory: a text there ends in NUL or in a byte that does not print, and `[^"]`, `\S` and `.` take those
//! too. In the secret they are narrowed to what prints, and elsewhere to what is not NUL.

use super::letters;
use crate::detect::text::parse_pattern;

/// Letters of texts.
const PRINTS: &str = r"[\t\n\r\x20-~]";

/// The same without the end of a line, which a dot does not take.
const ON_ONE_LINE: &str = r"[\t\r\x20-~]";

/// What stands before and behind a class to narrow it, where it takes bytes that are no letters. `flags` are those that hold for it.
pub fn narrowed(class: &str, flags: &str, in_secret: bool) -> Option<(&'static str, &'static str)> {
    let hir = parse_pattern(&format!("{flags}{class}")).ok()?;
    let mut all = [false; 256];
    letters::gather(&hir, &mut all);
    let prints = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    if !in_secret {
        return all.first().is_some_and(|nul| *nul).then_some(("[", r"&&[^\x00]]"));
    }
    letters::members(&all).any(|byte| !prints(byte)).then_some(("[", r"&&[\t\n\r\x20-~]]"))
}

/// What a dot in the secret becomes.
pub fn dot(flags: &str) -> &'static str {
    if flags.contains('s') { PRINTS } else { ON_ONE_LINE }
}

/// The flags that hold for all of a pattern and change what its parts mean, as a group of their own: `(?xi)`.
pub fn flags(pattern: &str) -> String {
    let head = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    let set = head.map(|(flags, _)| flags).filter(|flags| flags.bytes().all(|flag| b"imsxU".contains(&flag)));
    set.filter(|flags| !flags.is_empty()).map_or_else(String::new, |flags| format!("(?{flags})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_more_than_letters_is_narrowed() {
        for (class, in_secret, is) in [
            ("[^\"']", true, true),
            ("[^\"']", false, true),
            (r"\S", true, true),
            (r"\S", false, true),
            ("[a-z]", true, false),
            (r"[\w-]", false, false),
            (r"[^\x00-\x20]", false, false),
            (r"[^\x00-\x20]", true, true),
        ] {
            assert_eq!(narrowed(class, "", in_secret).is_some(), is, "{class} {in_secret}");
        }
    }

    #[test]
    fn flags_are_those_of_all_of_the_pattern() {
        for (pattern, wanted) in
            [("(?xi) a", "(?xi)"), ("(?i:a)b", ""), ("(?P<a>b)", ""), ("(a)", ""), ("(?s)a", "(?s)")]
        {
            assert_eq!(flags(pattern), wanted, "{pattern}");
        }
    }
}
