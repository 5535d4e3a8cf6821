//! The command line: parse, resolve, call the library in order, print, exit.
//!
//! One thin file per command; `clap` is only in [`args`]. Findings go to standard output, everything else to standard
//! error. Commands see the whole library, and nothing imports them but `main.rs`.

mod args;
mod baseline;
mod completions;
mod crash;
mod exit;
mod explain;
mod gate;
mod hook;
mod hook_log;
mod inputs;
mod key;
mod man;
mod map;
mod output;
mod paper;
mod policy;
mod progress;
mod quarantine;
mod receipt;
mod redact;
mod rule_import;
mod rule_list;
mod rules;
mod scan;
mod sweep;
mod verify;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use crate::detect;
use crate::error::Result;
use crate::known::{self, Known};
use crate::parallel;
use crate::report::Inert;
use crate::scan::Engine;

use args::{Command, KnownFiles, UserRules};

/// Runs the program: the whole of `main`.
#[must_use]
pub fn main() -> ExitCode {
    crash::install();
    let code = crash::guard("running", || {
        let args = args::parse();
        run(&args).unwrap_or_else(|error| {
            complain("error", error);
            exit::ERROR
        })
    });
    code.unwrap_or(exit::ERROR).into()
}

/// Starts as many threads as the user asks for; one for each core where he does not.
fn set_threads(threads: Option<u16>) -> Result<()> {
    threads.map_or(Ok(()), |threads| parallel::set_threads(threads.into()))
}

fn run(args: &args::Args) -> Result<u8> {
    match &args.command {
        Command::Scan(scan) => scan::run(scan, &args.manner),
        Command::Redact(redact) => redact::run(redact, &args.manner),
        Command::Verify(verify) => verify::run(verify, &args.manner),
        Command::Gate(gate) => gate::run(gate, &args.manner),
        Command::Baseline(baseline) => baseline::run(&baseline.action, &args.manner),
        Command::Policy(policy) => policy::run(&policy.action),
        Command::Explain(explain) => explain::run(explain),
        Command::Receipt(receipt) => receipt::run(&receipt.action, &args.manner),
        Command::Key(key) => key::run(&key.action),
        Command::Hook(hook) => hook::run(hook),
        Command::Quarantine(quarantine) => quarantine::run(&quarantine.action),
        Command::Map(map) => map::run(map, &args.manner),
        Command::Rules(rules) => rules::run(&rules.action, &rules.files, &args.manner),
        Command::Completions(completions) => completions::run(completions.shell),
        Command::Man(man) => man::run(man.command.as_deref()),
    }
}

/// The engine that every command uses: the program's own detectors and the rules of these files, of the profile asked for.
fn engine(rules: &UserRules) -> Result<Engine> {
    Engine::new(detect::detectors_with(&rules.rules, rules.profile)?)
}

/// The same engine, which also looks for what the user knows.
fn engine_with(rules: &UserRules, files: &KnownFiles) -> Result<Engine> {
    let keys = files.keys.iter().map(|path| (path, known::Content::Keys));
    let all = keys.chain(files.secrets.iter().map(|path| (path, known::Content::Secrets)));
    let things: Vec<Vec<known::Thing>> =
        all.map(|(path, content)| known::read(path, content)).collect::<Result<_>>()?;
    Ok(engine(rules)?.with_known(Known(things.into_iter().flatten().collect())))
}

/// Says something on standard error; where that is closed there is nobody to tell.
fn complain(kind: &str, what: impl Display) {
    let _ = writeln!(anstream::stderr(), "dumpscrub: {kind}: {}", Inert(&what.to_string()));
}
