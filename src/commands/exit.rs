//! Exit codes: the one place that decides them. See `docs/exit-codes.md`.

use crate::report::units::count;
use crate::report::{Decision, Report, Verdict, words};

/// Nothing that counts was found, and everything was scanned.
pub const CLEAN: u8 = 0;
/// Findings that count.
pub const FINDINGS: u8 = 1;
/// Wrong usage; an input or an output that failed; an internal error.
pub const ERROR: u8 = 2;
/// Nothing that counts was found, but something was not scanned.
pub const GAP: u8 = 3;

/// The table that `--help` shows.
pub const HELP: &str = "\
Exit codes:
  0  nothing that counts was found, and every byte was scanned
  1  findings at or above --fail-on
  2  wrong usage, an input or output that failed, or an internal error
  3  nothing that counts was found, but something was not scanned (a gap)
Where more than one applies, 2 comes before 1, and 1 before 3.";

/// The table that `redact --help` shows.
pub const REDACT_HELP: &str = "\
Exit codes:
  0  the dump was redacted (or had nothing to redact), written and proven
  1  a refusal, or a proof that failed: nothing was written
  2  wrong usage, an input or output that failed, or an internal error
  3  something was not scanned (a gap): nothing was written
Where more than one applies, 2 comes before 1, and 1 before 3.";

/// The table that `verify --help` shows.
pub const VERIFY_HELP: &str = "\
Exit codes:
  0  everything that could be checked holds
  1  the dump or the receipt is rejected
  2  wrong usage, an input that failed, or an internal error
Where more than one applies, 2 comes before 1.";

/// The table that `rules import --help` shows.
pub const IMPORT_HELP: &str = "\
Exit codes:
  0  every rule was imported
  1  some rules were refused; the others were written
  2  wrong usage, an input or output that failed, or an internal error";

/// The table that `hook --help` shows.
pub const HOOK_HELP: &str = "\
Exit codes:
  0  every dump passed, as it is or redacted and proven
  1  a dump is in quarantine
  2  a dump failed closed, or wrong usage, a folder or a policy that cannot be used, or an internal error
  3  a file was left where it is: somebody still writes to it, or it is no regular file
Where more than one applies, 2 comes before 1, and 1 before 3.";

/// The table that `gate --help` shows.
pub const GATE_HELP: &str = "\
Exit codes:
  0  every dump passes
  1  findings that the policy does not let pass
  2  wrong usage, a policy or a baseline that is wrong, an input or output that failed, or an internal error
  3  no such findings, but something was not scanned (a gap), and the policy does not let gaps pass
Where more than one applies, 2 comes before 1, and 1 before 3.";

/// The table that `baseline write --help` shows.
pub const BASELINE_HELP: &str = "\
Exit codes:
  0  written, and every byte was scanned
  2  wrong usage, an input or output that failed, or an internal error: nothing was written
  3  written, but something was not scanned (a gap)
Where more than one applies, 2 comes before 3.";

/// The table of commands that only answer or make something.
pub const PLAIN_HELP: &str = "\
Exit codes:
  0  done
  2  wrong usage, an input or output that failed, or an internal error";

/// What a report comes to.
#[must_use]
pub fn verdict(report: &Report) -> Verdict {
    let tally = &report.tally;
    let mut reasons = Vec::new();
    if tally.unreadable > 0 {
        reasons.push((ERROR, format!("{} could not be scanned", count(tally.unreadable, "input"))));
    }
    if tally.counted > 0 {
        let (findings, least) = (count(tally.counted, "finding"), words::name(report.policy.fail_on));
        reasons.push((FINDINGS, format!("{findings} at or above --fail-on {least}")));
    }
    // The row of an unreadable input holds a gap of its own, which is told as that already.
    let gaps = tally.gaps.saturating_sub(tally.unreadable);
    if gaps > 0 {
        reasons.push((GAP, format!("not everything was scanned ({})", count(gaps, "gap"))));
    }
    let Some(&(exit_code, _)) = reasons.first() else {
        return Verdict {
            exit_code: CLEAN,
            meaning: "nothing that counts was found, and every byte was scanned".into(),
        };
    };
    let meaning: Vec<String> = reasons.into_iter().map(|(_, reason)| reason).collect();
    Verdict { exit_code, meaning: meaning.join("; ") }
}

/// What a report comes to that a policy decided on.
#[must_use]
pub fn gate_verdict(report: &Report) -> Verdict {
    let Some(gate) = &report.gate else { return verdict(report) };
    let exit_code = match gate.decision {
        _ if report.tally.unreadable > 0 => ERROR,
        _ if report.tally.counted > 0 => FINDINGS,
        Decision::Redact | Decision::Quarantine => GAP,
        Decision::Pass => CLEAN,
    };
    let meaning = match gate.reasons.is_empty() {
        true => "the policy lets every dump pass".to_owned(),
        false => format!("{}: {}", words::name(gate.decision), gate.reasons.join("; ")),
    };
    Verdict { exit_code, meaning }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::{Builder, Policy, Tally};

    fn code(unreadable: usize, counted: usize, gaps: usize) -> u8 {
        let mut report = Builder::new(Arc::new(Vec::new()), Policy::default()).finish();
        report.tally = Tally { unreadable, counted, gaps: gaps + unreadable, ..Tally::default() };
        verdict(&report).exit_code
    }

    #[test]
    fn an_error_comes_before_findings_and_findings_before_a_gap() {
        assert_eq!(code(0, 0, 0), CLEAN);
        assert_eq!(code(0, 0, 1), GAP);
        assert_eq!(code(0, 1, 0), FINDINGS);
        assert_eq!(code(0, 1, 1), FINDINGS);
        assert_eq!(code(1, 0, 0), ERROR);
        assert_eq!(code(1, 1, 1), ERROR);
    }
}
