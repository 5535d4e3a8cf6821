//! `dumpscrub scan`: inputs, one scan each, one report.

use crate::commands::args::{Manner, ScanArgs};
use crate::commands::inputs;
use crate::commands::output::Outputs;
use crate::commands::progress::Bar;
use crate::commands::sweep::Sweep;
use crate::commands::{baseline, complain, engine_with, exit, paper, set_threads};
use crate::error::Result;
use crate::report::Policy;

/// Scans, prints, and says with which code to exit.
///
/// # Errors
/// When the report cannot be written. What goes wrong with an input is told in the report.
pub fn run(args: &ScanArgs, manner: &Manner) -> Result<u8> {
    // Before the rules are read, which all threads do.
    set_threads(args.threads)?;
    let engine = engine_with(&args.user_rules, &args.known)?;
    let fingerprints = paper::fingerprint_key(&args.fingerprints)?;
    let baseline = baseline::read(&args.baseline, fingerprints.as_ref())?;
    let inputs = inputs::collect(&args.paths);
    let outputs = Outputs::prepare(&args.reports, &inputs)?;
    if args.show_secrets && !manner.quiet {
        complain("warning", "--show-secrets: the report holds the secrets themselves; it is as sensitive as the dump");
    }
    let bar = Bar::new(!args.no_progress && !manner.quiet);
    let settings = args.unpacking.settings(args.threads);
    let sweep = Sweep { engine: &engine, settings, show_secrets: args.show_secrets, bar: &bar };
    let policy = Policy { fail_on: args.fail_on, min_evidence: args.min_evidence };
    let report = sweep.run(inputs, policy, fingerprints, baseline);
    bar.finish();
    let mut report = report?;
    report.verdict = exit::verdict(&report);
    outputs.write(&report, manner)?;
    Ok(report.verdict.exit_code)
}
