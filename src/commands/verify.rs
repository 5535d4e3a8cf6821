//! `dumpscrub verify`: a redacted dump and its receipt, checked again from the files alone.

use std::io::{self, Write};

use serde::Serialize;

use crate::commands::args::{Manner, VerifyArgs};
use crate::commands::inputs::Input;
use crate::commands::output::{Plain, to_stdout};
use crate::commands::progress::Bar;
use crate::commands::{engine_with, exit, paper, set_threads};
use crate::error::{Error, Result};
use crate::redact::prove::{Check, StackCounts};
use crate::redact::receipt::{self, Question, keys};
use crate::redact::{Proof, Verdict};
use crate::report::redaction::print_check;
use crate::report::{Detail, Inert, write_document};

/// Verifies, and says with which code to exit.
///
/// # Errors
/// When a file cannot be read. A receipt that is rejected is no error: it is told.
pub fn run(args: &VerifyArgs, manner: &Manner) -> Result<u8> {
    set_threads(args.threads)?;
    let bar = Bar::new(!args.no_progress && !manner.quiet);
    let proof = verify(args, &bar);
    bar.finish();
    let proof = proof?;
    to_stdout(|out| match args.format.json {
        true => write_document(&Told::of(&proof), out),
        false => print(&proof, manner.detail(), &mut Plain::new(out)),
    })?;
    Ok(if proof.holds() { exit::CLEAN } else { exit::FINDINGS })
}

fn verify(args: &VerifyArgs, bar: &Bar) -> Result<Proof> {
    let path = args.receipt.clone().unwrap_or_else(|| paper::beside(&args.dump));
    let public_key = args.public_key.as_deref().map(keys::read_public).transpose()?;
    let receipt = match receipt::open(&path) {
        Err(Error::Receipt { reason, .. }) => return Ok(rejected(reason)),
        receipt => receipt?,
    };
    let settings = args.unpacking.settings(args.threads);
    let output = Input::named(&args.dump).open(&settings)?;
    let original = args.original.as_deref().map(|path| Input::named(path).open(&settings)).transpose()?;
    let engine = engine_with(&args.user_rules, &args.known)?;
    let rules = paper::rule_set(engine.rules(), &args.user_rules)?;
    let (original, public_key) = (original.as_ref(), public_key.as_ref());
    let question = Question {
        receipt: &receipt,
        output: &output,
        original,
        public_key,
        engine: &engine,
        rules: &rules,
        unpacking: &settings,
    };
    receipt::verify(&question, bar)
}

/// A file that is no receipt, where it should be one, is rejected as a receipt that was changed is.
fn rejected(reason: String) -> Proof {
    let check = Check { name: "receipt", verdict: Verdict::Fails, detail: reason };
    Proof { checks: vec![check], stacks: None }
}

#[derive(Serialize)]
struct Told<'a> {
    schema: &'static str,
    holds: bool,
    checks: &'a [Check],
    #[serde(skip_serializing_if = "Option::is_none")]
    stacks: Option<StackCounts>,
}

impl<'a> Told<'a> {
    fn of(proof: &'a Proof) -> Self {
        Self { schema: "dumpscrub-verify/1", holds: proof.holds(), checks: &proof.checks, stacks: proof.stacks }
    }
}

fn print(proof: &Proof, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let told = proof.checks.iter().filter(|check| detail != Detail::Quiet || check.verdict == Verdict::Fails);
    told.into_iter().try_for_each(|check| print_check(check.name, check.verdict, &check.detail, out))?;
    let failed: Vec<&str> = proof.failures().map(|check| check.name).collect();
    let missing = proof.checks.iter().filter(|check| check.verdict == Verdict::NotShown).count();
    match (failed.is_empty(), missing) {
        (false, _) => writeln!(out, "Result: rejected: {}", Inert(&failed.join(", "))),
        (true, 0) => writeln!(out, "Result: holds; everything was checked"),
        (true, _) => writeln!(out, "Result: holds; {missing} checks were not made or show nothing"),
    }
}
