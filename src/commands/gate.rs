//! `dumpscrub gate`: a scan, a policy, an exit code.

use crate::commands::args::{GateArgs, Manner, UserRules};
use crate::commands::inputs;
use crate::commands::output::Outputs;
use crate::commands::progress::Bar;
use crate::commands::sweep::Sweep;
use crate::commands::{baseline, engine_with, exit, paper, set_threads};
use crate::error::{Error, Result};
use crate::policy::{Baseline, Policy};
use crate::report;
use crate::vault::FingerprintKey;

/// Decides, prints, and says with which code to exit.
///
/// # Errors
/// When the policy or the baseline is wrong, or the report cannot be written. What goes wrong with an input is told in the report.
pub fn run(args: &GateArgs, manner: &Manner) -> Result<u8> {
    // Before the rules are read, which all threads do.
    set_threads(args.threads)?;
    let policy = match &args.policy {
        Some(path) => Policy::read(path)?,
        None => Policy::preset(args.preset.unwrap_or_default()),
    };
    let rules = UserRules { rules: policy.rules.clone(), profile: policy.profile };
    let engine = engine_with(&rules, &args.known)?;
    let (fingerprints, baseline) = accepted(args, &policy)?;
    let inputs = inputs::collect(&args.paths);
    let outputs = Outputs::prepare(&args.reports, &inputs)?;
    let bar = Bar::new(!args.no_progress && !manner.quiet);
    let mut settings = args.unpacking.settings(args.threads);
    if let Some(bytes) = policy.limits.spool.filter(|_| args.unpacking.unpack_limit.is_none()) {
        (settings.limits.modest, settings.limits.bytes) = (bytes, bytes);
    }
    let sweep = Sweep { engine: &engine, settings, show_secrets: false, bar: &bar };
    let report = sweep.run(inputs, report::Policy::default(), fingerprints, baseline);
    bar.finish();
    let mut report = report?;
    let ruling = policy.decide_report(&report);
    report.judge(&policy.name, &policy.words(), ruling);
    report.verdict = exit::gate_verdict(&report);
    outputs.write(&report, manner)?;
    Ok(report.verdict.exit_code)
}

type Accepted = (Option<FingerprintKey>, Option<(String, Baseline)>);

/// The key and the baseline of the command line, or else those of the policy.
fn accepted(args: &GateArgs, policy: &Policy) -> Result<Accepted> {
    let key = paper::fingerprint_key(&args.fingerprints)?;
    if args.baseline.baseline.is_some() && policy.baseline.is_some() {
        let text = "the policy names a baseline, and --baseline another; keep one of them";
        return Err(Error::Usage(text.to_owned()));
    }
    let Some(files) = &policy.baseline else {
        let baseline = baseline::read(&args.baseline, key.as_ref())?;
        return Ok((key, baseline));
    };
    let named = |baseline| (files.file.display().to_string(), baseline);
    match key {
        Some(key) => {
            let baseline = Baseline::read(&files.file, &key, false)?;
            Ok((Some(key), Some(named(baseline))))
        }
        None => {
            let (key, baseline) = policy.read_baseline()?.unzip();
            Ok((key, baseline.map(named)))
        }
    }
}
