//! The words of `gate`, `policy` and `baseline`.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, Subcommand};

use super::values::one_of;
use super::{Fingerprints, KnownFiles, Reports, Unpacking, UserRules};
use crate::commands::exit;
use crate::policy::Preset;

/// Say whether dumps may go on: a scan, a policy, an exit code
///
/// For build servers and scripts. Every dump is scanned, the policy says of each finding whether it is only told, has to be
/// redacted, or blocks, and the exit code says whether all dumps pass. Nothing is changed and nothing is moved.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::GATE_HELP)]
pub struct GateArgs {
    /// Files, folders (with all files in them), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The policy (dumpscrub policy show prints one to begin with) [default: the preset quarantine]
    ///
    /// It is only read from this path, never from the working directory or from beside a dump.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub policy: Option<PathBuf>,
    /// A policy that is built in
    ///
    /// report: everything that could be scanned passes. redact: findings have to be redacted. quarantine: findings block. Under the
    /// latter two no dump passes of which something was not scanned.
    #[arg(long, value_name = "PRESET", value_parser = preset())]
    pub preset: Option<Preset>,
    #[command(flatten)]
    pub baseline: BaselineFile,
    #[command(flatten)]
    pub fingerprints: Fingerprints,
    #[command(flatten)]
    pub known: KnownFiles,
    #[command(flatten)]
    pub reports: Reports,
    #[command(flatten)]
    pub unpacking: Unpacking,
    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// What was accepted before.
#[derive(Debug, Default, ClapArgs)]
pub struct BaselineFile {
    /// Do not count the findings that this baseline accepts (dumpscrub baseline write makes one)
    ///
    /// It knows secrets by keyed fingerprint and not by place, so a new secret at an old place counts. It needs the key that it
    /// was made with. The report says how many findings it accepts, and which of its entries were not found.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// Check and show policies
#[derive(Debug, ClapArgs)]
pub struct PolicyArgs {
    #[command(subcommand)]
    pub action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Say whether a policy is right; a mistake is told with line and column
    ///
    /// The rule files that it names are read too, and its baseline where it names one.
    #[command(after_help = exit::PLAIN_HELP)]
    Check {
        /// The policy
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Check also that nobody else could have written it, as hooks do that run as root
        #[arg(long)]
        trusted: bool,
    },
    /// Print a preset as a policy with a word on every field, to begin with
    #[command(after_help = exit::PLAIN_HELP)]
    Show {
        /// The preset: report, redact or quarantine
        #[arg(long, value_name = "PRESET", value_parser = preset())]
        preset: Preset,
    },
}

/// Write down which findings are accepted
#[derive(Debug, ClapArgs)]
pub struct BaselineArgs {
    #[command(subcommand)]
    pub action: BaselineAction,
}

#[derive(Debug, Subcommand)]
pub enum BaselineAction {
    /// Accept what a scan of these dumps finds, by keyed fingerprint
    ///
    /// The file holds no secret and no digest of one that could be guessed from without the key. What is of severity info is not
    /// written down: it does not count anyway.
    #[command(after_help = exit::BASELINE_HELP)]
    Write(BaselineWriteArgs),
}

#[derive(Debug, ClapArgs)]
pub struct BaselineWriteArgs {
    /// Files, folders (with all files in them), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The baseline
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The key that fingerprints are made with (dumpscrub key new fingerprint makes one)
    #[arg(long, value_name = "KEY")]
    pub fingerprint_key: PathBuf,
    /// Add to the baseline that is there; its entries and their reasons stay
    #[arg(long)]
    pub update: bool,
    /// With --update: take out what is not found any more
    #[arg(long, requires = "update")]
    pub prune: bool,
    /// Why they are accepted, for whoever reads the file
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    #[command(flatten)]
    pub user_rules: UserRules,
    #[command(flatten)]
    pub unpacking: Unpacking,
    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

fn preset() -> impl TypedValueParser<Value = Preset> {
    one_of(&[("report", Preset::Report), ("redact", Preset::Redact), ("quarantine", Preset::Quarantine)])
}
