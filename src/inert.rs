//! Strings that come from a dump are hostile: a module can be named `\x1b[2J`, a certificate's subject can hold a
//! right-to-left override that turns `exe.gpj` around. Before a person sees them they are made inert.

use std::fmt::{self, Write as _};
use std::io;

/// Characters of a string that are shown at most; a name of 64 KiB tells nobody more than its start.
const MOST: usize = 200;

/// Shows a string so that a terminal does nothing with it but show it: what is no plain, visible character becomes
/// `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Inert<'a>(pub &'a str);

impl fmt::Display for Inert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| write_inert(c, f))
    }
}

/// [`Inert`], and what is longer than a line is cut, with the number of characters that were left out.
#[derive(Clone, Copy, Debug)]
pub struct Short<'a>(pub &'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        rest.by_ref().take(MOST).try_for_each(|c| write_inert(c, f))?;
        match rest.count() {
            0 => Ok(()),
            more => write!(f, "… ({more} more characters)"),
        }
    }
}

fn write_inert(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if acts(c) { write!(f, "{}", c.escape_unicode()) } else { f.write_char(c) }
}

/// Whether a character does something other than show itself: controls, changes of direction, invisible ones.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Makes JSON inert without changing its meaning: the same characters are written as `\u` escapes, which is the same
/// string to a program and harmless to a terminal.
#[derive(Debug, Default)]
pub struct InertJson<F>(pub F);

impl<F: serde_json::ser::Formatter> serde_json::ser::Formatter for InertJson<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = fragment;
        while let Some((at, c)) = plain.char_indices().find(|&(_, c)| acts(c)) {
            let (before, behind) = plain.split_at(at);
            writer.write_all(before.as_bytes())?;
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))?;
            plain = behind.get(c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(plain.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_array(w)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_array(w)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(w, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_array_value(w)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_object(w)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_object(w)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(w, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_object_value(w)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_object_value(w)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;

    use super::*;

    const HOSTILE: &str = "a\x1b[2J\u{9b}31m\r\n\u{202e}gpj\u{200b}\u{e0041}\"\\z";

    #[test]
    fn nothing_acts_on_a_terminal() {
        let shown = Inert(HOSTILE).to_string();
        assert!(!shown.chars().any(acts), "{shown:?}");
        assert!(shown.starts_with(r"a\u{1b}[2J\u{9b}31m"), "{shown}");
    }

    #[test]
    fn long_strings_are_cut_and_counted() {
        let shown = Short(&"x".repeat(MOST + 7)).to_string();
        assert!(shown.ends_with("x… (7 more characters)"), "{shown}");
    }

    #[test]
    fn json_is_inert_and_means_the_same() {
        for pretty in [false, true] {
            let mut out = Vec::new();
            let value = serde_json::json!({ HOSTILE: [HOSTILE, 1, null] });
            if pretty {
                let format = InertJson(serde_json::ser::PrettyFormatter::new());
                value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, format)).unwrap();
            } else {
                let format = InertJson(serde_json::ser::CompactFormatter);
                value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, format)).unwrap();
            }
            let text = String::from_utf8(out).unwrap();
            assert!(!text.chars().any(|c| acts(c) && c != '\n'), "{text:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }
}
