//! `dumpscrub scan`: inputs, one scan each, one report.

use std::convert::Infallible;

use crate::commands::args::{Manner, ScanArgs};
use crate::commands::inputs::{self, Input};
use crate::commands::output::{Output, Plain};
use crate::commands::progress::Bar;
use crate::commands::{complain, crash, engine_with, exit, paper};
use crate::container::{self, Peeled, Settings};
use crate::error::Result;
use crate::report::{Builder, Policy, Report, Scanned};
use crate::scan::{self, Engine, Options, parallel};
use crate::vault::FingerprintKey;

/// Scans, prints, and says with which code to exit.
///
/// # Errors
/// When the report cannot be written. What goes wrong with an input is told in the report.
pub fn run(args: &ScanArgs, manner: &Manner) -> Result<u8> {
    let engine = engine_with(&args.user_rules, &args.known)?;
    let fingerprints = paper::fingerprint_key(&args.fingerprints)?;
    let inputs = inputs::collect(&args.paths);
    let output = Output::prepare(args.output.as_deref(), &inputs)?;
    if args.show_secrets && !manner.quiet {
        complain("warning", "--show-secrets: the report holds the secrets themselves; it is as sensitive as the dump");
    }
    if let Some(threads) = args.threads {
        parallel::set_threads(threads.into())?;
    }
    let bar = Bar::new(!args.no_progress && !manner.quiet);
    let mut report = scan_all(inputs, args, fingerprints, &engine, &bar);
    bar.finish();
    report.verdict = exit::verdict(&report);
    let (printer, detail) = (args.format.0, manner.detail());
    match output.is_colored(manner) {
        true => output.write(|out| printer.print(&report, detail, out))?,
        false => output.write(|out| printer.print(&report, detail, &mut Plain::new(out)))?,
    }
    Ok(report.verdict.exit_code)
}

fn scan_all(
    inputs: Vec<Input>,
    args: &ScanArgs,
    fingerprints: Option<FingerprintKey>,
    engine: &Engine,
    bar: &Bar,
) -> Report {
    let policy = Policy { fail_on: args.fail_on, min_evidence: args.min_evidence };
    let mut report =
        Builder::new(engine.rules().clone(), policy).with_fingerprints(fingerprints).with_known(engine.known());
    let (skipped, inputs): (Vec<Input>, Vec<Input>) = inputs.into_iter().partition(|i| matches!(i, Input::Skipped(_)));
    for input in skipped {
        if let Input::Skipped(skipped) = input {
            report.skip(skipped);
        }
    }
    let how = How { engine, settings: args.unpacking.settings(), show_secrets: args.show_secrets, bar };
    let merged = parallel::map_in_order(
        inputs,
        |input| how.scan(input),
        |rows| {
            for scanned in rows {
                if let Some(error) = scanned.error() {
                    bar.pause(|| complain("error", error));
                }
                report.add(scanned);
            }
            Ok::<(), Infallible>(())
        },
    );
    let Ok(()) = merged;
    report.finish()
}

/// How every input is scanned.
struct How<'a> {
    engine: &'a Engine,
    settings: Settings,
    show_secrets: bool,
    bar: &'a Bar,
}

impl How<'_> {
    /// One input, and each dump in it; whatever goes wrong with it, even a bug, is its own row and not the end of the
    /// others.
    fn scan(&self, input: Input) -> Vec<Scanned> {
        let (origin, mut rows) = (input.origin(), Vec::new());
        let unpacked = crash::guard("unpacking this input", || {
            let image = input.open(&self.settings)?;
            container::peel(image, &self.settings, &mut |peeled| {
                rows.push(self.scan_dump(peeled));
                Ok(())
            })
        });
        if let Err(error) = unpacked.and_then(|unpacked| unpacked) {
            rows.push(Scanned::failed(&origin, &error));
        }
        rows
    }

    fn scan_dump(&self, peeled: Peeled) -> Scanned {
        let origin = peeled.image.origin().to_owned();
        let scanned = crash::guard("scanning this input", || {
            let options = Options::default();
            let map = peeled.map(&options.limits)?;
            let outcome = scan::scan(&peeled.image, &map, self.engine, &options, self.bar)?;
            Ok(Scanned::new(&origin, map, outcome, self.show_secrets)?.inside(peeled.containers))
        });
        scanned.and_then(|scanned| scanned).unwrap_or_else(|error| Scanned::failed(&origin, &error))
    }
}
