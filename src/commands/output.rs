//! Where reports go: standard output, or a file that is there whole or not at all and that only its owner may read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anstream::adapter::StripBytes;
use anstream::{AutoStream, ColorChoice};

use crate::commands::args::{Color, Manner, OneMore, Reports};
use crate::commands::inputs::Input;
use crate::error::{Error, Result};
use crate::report::{Printer, Report};

/// A place that a report is written to once it is complete.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, replaced when the report is complete.
    File(PathBuf),
    /// Something that cannot be replaced: a terminal, a pipe, `/dev/null`.
    Device(PathBuf),
}

impl Output {
    /// Looks at once whether `path` can be written, so that a long scan does not end in an error that was clear before.
    ///
    /// # Errors
    /// When nothing can be written there, or when it is one of the `inputs`.
    pub fn prepare(path: Option<&Path>, inputs: &[Input]) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else { return Ok(Self::Stdout) };
        let failed = |source| Error::Write { what: path.display().to_string(), source };
        match path.metadata() {
            Ok(meta) if meta.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(meta) if !meta.is_file() => return Ok(Self::Device(path.to_owned())),
            Ok(_) | Err(_) => {}
        }
        // A link is followed, so that the file behind it is replaced and not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if inputs.iter().any(|input| is_same(input, &path)) {
            let text = "the report would replace a file that is to be scanned; choose another place";
            return Err(Error::Usage(format!("{}: {text}", path.display())));
        }
        tempfile::tempfile_in(folder_of(&path)).map_err(failed)?;
        Ok(Self::File(path))
    }

    /// Writes what `print` writes. Where a reader of standard output has seen enough and gone, that is no error.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        match self {
            Self::Stdout => to_stdout(print),
            Self::File(path) => to_file(path, print).map_err(|source| self.failed(source)),
            Self::Device(path) => to_device(path, print).map_err(|source| self.failed(source)),
        }
    }

    /// Whether what is written here is seen in colours.
    pub fn is_colored(&self, manner: &Manner) -> bool {
        match (manner.no_color, manner.color) {
            (true, _) | (_, Color::Never) => false,
            (_, Color::Always) => true,
            (_, Color::Auto) => matches!(self, Self::Stdout) && AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        let what = match self {
            Self::Stdout => "to standard output".to_owned(),
            Self::File(path) | Self::Device(path) => path.display().to_string(),
        };
        Error::Write { what, source }
    }
}

/// The places of all reports of a run.
pub struct Outputs(Vec<(Output, &'static dyn Printer)>);

impl Outputs {
    /// Looks at once whether all of them can be written.
    ///
    /// # Errors
    /// As [`Output::prepare`]; and where two reports would go to one place.
    pub fn prepare(reports: &Reports, inputs: &[Input]) -> Result<Self> {
        let first = (Output::prepare(reports.output.as_deref(), inputs)?, reports.format.0);
        let mut all = vec![first];
        for OneMore { format, path } in &reports.more {
            let output = Output::prepare(Some(path), inputs)?;
            if all.iter().any(|(other, _)| *other == output) {
                return Err(Error::Usage(format!("{}: two reports would go to one place", path.display())));
            }
            all.push((output, format.0));
        }
        Ok(Self(all))
    }

    /// Writes the report to all of them. What was named last is written first, so that standard output, which may be read
    /// as the sign that all is done, comes last.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn write(&self, report: &Report, manner: &Manner) -> Result<()> {
        self.0.iter().rev().try_for_each(|(output, printer)| match output.is_colored(manner) {
            true => output.write(|out| printer.print(report, manner.detail(), out)),
            false => output.write(|out| printer.print(report, manner.detail(), &mut Plain::new(out))),
        })
    }
}

/// Writes to standard output what `print` writes; a reader that is gone is no error.
///
/// # Errors
/// When it cannot be written.
pub fn to_stdout(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = print(&mut out).and_then(|()| out.flush());
    // What is still buffered would be written again, and fail again, when the buffer is dropped: it is let go.
    drop(out.into_parts());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Output::Stdout.failed(error)),
        _ => Ok(()),
    }
}

/// Writes to standard output what is worth nothing in part: a reader that is gone is an error.
///
/// # Errors
/// When it cannot be written whole.
pub fn all_to_stdout(from: &mut impl io::Read) -> Result<()> {
    let mut out = io::stdout().lock();
    io::copy(from, &mut out).and_then(|_| out.flush()).map_err(|source| Output::Stdout.failed(source))
}

/// Takes the colours out of what is written through it.
pub struct Plain<'a> {
    out: &'a mut dyn Write,
    state: StripBytes,
}

impl<'a> Plain<'a> {
    /// A stream to `out` without colours.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out, state: StripBytes::new() }
    }
}

impl Write for Plain<'_> {
    fn write(&mut self, styled: &[u8]) -> io::Result<usize> {
        self.state.strip_next(styled).try_for_each(|plain| self.out.write_all(plain))?;
        Ok(styled.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn to_file(path: &Path, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // The temporary file is made with mode 0600, and the rename keeps that.
    let file = tempfile::Builder::new().prefix(".dumpscrub-").tempfile_in(folder_of(path))?;
    let mut out = BufWriter::new(file);
    print(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn to_device(path: &Path, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(File::options().write(true).open(path)?);
    print(&mut out)?;
    out.flush()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_same(input: &Input, path: &Path) -> bool {
    matches!(input, Input::File(input) if input.canonicalize().is_ok_and(|input| input == path))
}
