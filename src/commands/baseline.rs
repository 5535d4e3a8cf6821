//! `dumpscrub baseline`: which findings are accepted.

use crate::commands::args::{BaselineAction, BaselineFile, BaselineWriteArgs, KnownFiles, Manner};
use crate::commands::output::{Output, to_stdout};
use crate::commands::progress::Bar;
use crate::commands::sweep::Sweep;
use crate::commands::{engine_with, exit, inputs, set_threads};
use crate::error::{Error, Result};
use crate::policy::Baseline;
use crate::policy::baseline::Change;
use crate::redact::receipt::keys;
use crate::report::units::count;
use crate::report::{Inert, Policy, Report};
use crate::vault::FingerprintKey;

/// Does what is asked, and says with which code to exit.
///
/// # Errors
/// When an input could not be scanned or the file cannot be written: then it is as it was.
pub fn run(action: &BaselineAction, manner: &Manner) -> Result<u8> {
    let BaselineAction::Write(args) = action;
    write(args, manner)
}

/// The baseline that was named, with the name of its file.
///
/// # Errors
/// When it cannot be used, or there is no key to use it with.
pub fn read(args: &BaselineFile, key: Option<&FingerprintKey>) -> Result<Option<(String, Baseline)>> {
    let Some(path) = &args.baseline else { return Ok(None) };
    let Some(key) = key else {
        let text = "--baseline needs --fingerprint-key: the key that the baseline was written with";
        return Err(Error::Usage(text.to_owned()));
    };
    Ok(Some((path.display().to_string(), Baseline::read(path, key, false)?)))
}

fn write(args: &BaselineWriteArgs, manner: &Manner) -> Result<u8> {
    let key = keys::read_fingerprint(&args.fingerprint_key)?;
    let is_there = args.output.symlink_metadata().is_ok();
    if is_there && !args.update {
        let text = "is there already; to add to it, use --update";
        return Err(Error::Usage(format!("{} {text}", args.output.display())));
    }
    let mut baseline = match is_there {
        true => Baseline::read(&args.output, &key, false)?,
        false => Baseline::empty(&key),
    };
    // Before the rules are read, which all threads do.
    set_threads(args.threads)?;
    let engine = engine_with(&args.user_rules, &KnownFiles::default())?;
    let inputs = inputs::collect(&args.paths);
    let output = Output::prepare(Some(&args.output), &inputs)?;
    let bar = Bar::new(!args.no_progress && !manner.quiet);
    let sweep =
        Sweep { engine: &engine, settings: args.unpacking.settings(args.threads), show_secrets: false, bar: &bar };
    let report = sweep.run(inputs, Policy::default(), Some(key), None);
    bar.finish();
    let report = report?;
    if report.tally.unreadable > 0 {
        let inputs = count(report.tally.unreadable, "input");
        return Err(Error::Usage(format!("{inputs} could not be scanned; the baseline was not written")));
    }
    let change = baseline.accept(&report, &args.reason, args.prune);
    output.write(|out| baseline.write(out))?;
    tell(args, change, &report)?;
    Ok(if report.tally.gaps > 0 { exit::GAP } else { exit::CLEAN })
}

fn tell(args: &BaselineWriteArgs, change: Change, report: &Report) -> Result<()> {
    let Change { added, removed, kept } = change;
    to_stdout(|out| {
        let file = args.output.display().to_string();
        write!(out, "{}: {} accepted", Inert(&file), count(added + kept, "secret"))?;
        writeln!(out, " ({added} new, {kept} from before, {removed} taken out)")?;
        match report.tally.gaps {
            0 => Ok(()),
            gaps => writeln!(out, "not everything was scanned ({}); dumpscrub scan says what", count(gaps, "gap")),
        }
    })
}
