//! `dumpscrub rules import`: another scanner's rules, and what came of each.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::path::Path;

use serde::Serialize;

use crate::commands::args::{ImportArgs, Manner};
use crate::commands::exit;
use crate::commands::output::Output;
use crate::error::{Error, Result};
use crate::report::units::count;
use crate::report::{Inert, write_document};
use crate::rules_import::{Imported, Outcome, import};

/// Imports, writes, reports, and says with which code to exit.
///
/// # Errors
/// When the file cannot be read or is no file of rules, or the output cannot be written.
pub fn run(args: &ImportArgs, manner: &Manner) -> Result<u8> {
    let output = Output::prepare(args.output.as_deref(), &[])?;
    let imported = import(&args.file.display().to_string(), &read(&args.file)?)?;
    output.write(|out| out.write_all(imported.text.as_bytes()))?;
    let report = Report::new(&imported);
    let print = |out: &mut dyn Write| {
        if args.format.json { write_document(&report, out) } else { report.print(out, manner.quiet) }
    };
    match output {
        // The rules are there already: what is told of them goes to where people look.
        Output::Stdout => print(&mut anstream::stderr())
            .map_err(|source| Error::Write { what: "to standard error".to_owned(), source })?,
        _ => Output::Stdout.write(print)?,
    }
    Ok(if report.refused == 0 { exit::CLEAN } else { exit::FINDINGS })
}

fn read(path: &Path) -> Result<String> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    if path.as_os_str() == "-" {
        let mut text = String::new();
        return io::stdin().read_to_string(&mut text).map(|_| text).map_err(failed);
    }
    std::fs::read_to_string(path).map_err(failed)
}

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    format: &'static str,
    imported: usize,
    refused: usize,
    /// Notes of the file, and then those of its rules with the number of rules that have them.
    notes: &'a [String],
    rules: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

impl<'a> Report<'a> {
    fn new(imported: &'a Imported) -> Self {
        let row = |outcome: &'a Outcome| Row {
            from: &outcome.from,
            id: outcome.result.as_deref().ok(),
            refused: outcome.result.as_ref().err().map(String::as_str),
            notes: &outcome.notes,
        };
        let rules: Vec<Row> = imported.rules.iter().map(row).collect();
        let refused = rules.iter().filter(|row| row.refused.is_some()).count();
        let (format, notes) = (imported.format, imported.notes.as_slice());
        Self { schema: "dumpscrub-rules-import/1", format, imported: rules.len() - refused, refused, notes, rules }
    }

    fn print(&self, out: &mut dyn Write, quiet: bool) -> io::Result<()> {
        for note in self.notes.iter().filter(|_| !quiet) {
            writeln!(out, "all rules: {}", Inert(note))?;
        }
        for row in &self.rules {
            match (row.refused, row.id) {
                (Some(why), _) => writeln!(out, "{}: refused: {}", Inert(row.from), Inert(why))?,
                (None, Some(id)) if id != row.from && !quiet => writeln!(out, "{}: is now {id}", Inert(row.from))?,
                _ => {}
            }
            for note in row.notes.iter().filter(|_| !quiet && row.refused.is_none()) {
                writeln!(out, "{}: {}", Inert(row.from), Inert(note))?;
            }
        }
        self.print_reasons(out)?;
        writeln!(out, "{} imported from {}, {} refused", count(self.imported, "rule"), self.format, self.refused)
    }

    /// How often each reason was given, so that hundreds of lines need not be counted.
    fn print_reasons(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for why in self.rules.iter().filter_map(|row| row.refused) {
            *reasons.entry(why.split([':', '`']).next().unwrap_or(why)).or_default() += 1;
        }
        reasons.iter().try_for_each(|(why, rules)| writeln!(out, "{}: {}", count(*rules, "rule"), Inert(why.trim())))
    }
}
