//! JSON for people and for `grep`: the outer levels a line for each field, every edit and every finding on one line.

use std::io::{self, Write};

use serde_json::ser::Formatter;

/// Levels that are laid out in lines: the statement, its predicate, and the lists in it.
const DEEP: usize = 3;

/// The same in a receipt of a container, where the lists are those of its members.
const DEEPER: usize = 5;

/// The layout.
#[derive(Debug)]
pub struct Lines {
    depth: usize,
    is_filled: bool,
    deep: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self { depth: 0, is_filled: false, deep: DEEP }
    }
}

impl Lines {
    /// The layout of a receipt of a container.
    pub fn deep() -> Self {
        Self { deep: DEEPER, ..Self::default() }
    }

    fn begin<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_filled = false;
        out.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.is_filled && self.depth < self.deep {
            self.line(out)?;
        }
        self.is_filled = true;
        out.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        match self.depth <= self.deep {
            true => self.line(out),
            false if first => Ok(()),
            false => out.write_all(b" "),
        }
    }

    fn line<W: ?Sized + Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(b" "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _out: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _out: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_layout_changes_nothing_and_keeps_an_entry_on_a_line() {
        let value = json!({"a": {"list": [{"b": [1, 2], "c": {}}, {"b": []}], "empty": [], "z": "x"}});
        let mut out = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Lines::default())).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "{",
                "\"a\": {",
                "\"empty\": [],",
                "\"list\": [",
                "{\"b\": [1, 2], \"c\": {}},",
                "{\"b\": []}",
                "],",
                "\"z\": \"x\"",
                "}",
                "}"
            ]
        );
    }
}
