//! The command line's words. Parsing does nothing but parse: files are opened and colours decided elsewhere.

mod gate;
mod hook;
mod receipt;
mod values;

use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory as _, Parser, Subcommand};

use crate::commands::exit;
use crate::container::Settings;
use crate::finding::{Evidence, Profile, Severity};
use crate::redact::fill::Fill;
use crate::report::{Detail, PRINTERS, units};

use values::{color, evidence, fill, first_printer, json_or_text, printer, profile, severity};

pub use gate::{BaselineAction, BaselineArgs, BaselineFile, BaselineWriteArgs, GateArgs, PolicyAction, PolicyArgs};
pub use hook::{Common, HookArgs, HookKind, LogFormat, QuarantineAction, QuarantineArgs, Waiting};
pub use receipt::{ExplainArgs, KeyAction, KeyArgs, NewKey, ReceiptAction, ReceiptArgs, VerifyArgs};
pub use values::Chosen;

/// Finds private keys and credentials in crash dumps, as memory holds them.
#[derive(Debug, Parser)]
#[command(name = "dumpscrub", version, after_help = exit::HELP, arg_required_else_help = true)]
#[command(long_about = "\
Finds private keys and credentials in crash dumps, as memory holds them.

A crash dump leaves a secured environment because somebody has to debug it, and what the process knew leaves with it. \
dumpscrub reads the whole file, says which secrets are in it and where, and names what it could not look at. \
It never changes a file, never uses the network, and prints no secret unless asked to.")]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub manner: Manner,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Scan(ScanArgs),
    Redact(RedactArgs),
    Verify(VerifyArgs),
    Gate(GateArgs),
    Baseline(BaselineArgs),
    Policy(PolicyArgs),
    Explain(ExplainArgs),
    Receipt(ReceiptArgs),
    Key(KeyArgs),
    Map(MapArgs),
    Hook(HookArgs),
    Quarantine(QuarantineArgs),
    Rules(RulesArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// How the program behaves towards who runs it.
#[derive(Clone, Copy, Debug, ClapArgs)]
#[command(next_help_heading = "Manner")]
pub struct Manner {
    /// Print only findings and the result, and no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// List everything: all sites, all faults, all regions
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colours [NO_COLOR is respected where it is auto]
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = color())]
    pub color: Color,
    /// Use no colours; the same as --color never
    #[arg(long, global = true, overrides_with = "color")]
    pub no_color: bool,
}

impl Manner {
    pub fn detail(&self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (false, true) => Detail::Verbose,
            (false, false) => Detail::Normal,
        }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// Scan dumps for secrets
///
/// Every byte of every file is looked at, whatever the file says of itself. A file of a known format is described too, so
/// that each site is told with its address, its thread or its module; any other file is scanned as it is.
///
/// The same secret in many places, or in many dumps, is one finding with many sites.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::HELP)]
pub struct ScanArgs {
    /// Files, folders (with all files in them), or - for standard input
    ///
    /// Folders are walked in order of name. Symbolic links inside them are not followed, and the report says so; a link
    /// that is named here is followed.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub reports: Reports,
    /// Lowest severity that counts for the exit code
    ///
    /// What is public knowledge, such as a library's self-test key, is of severity info and counts only when info is
    /// asked for here.
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = severity())]
    pub fail_on: Severity,
    /// Least evidence that a finding must have to be listed and counted
    ///
    /// matched: a pattern fits. parsed: a checksum or a structure decodes. proven: an identity holds that random bytes do
    /// not satisfy, such as n = p*q. No credential is ever tried against a service.
    #[arg(long, value_name = "EVIDENCE", default_value = "matched", value_parser = evidence())]
    pub min_evidence: Evidence,
    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub user_rules: UserRules,
    #[command(flatten)]
    pub known: KnownFiles,
    #[command(flatten)]
    pub fingerprints: Fingerprints,
    #[command(flatten)]
    pub baseline: BaselineFile,
    /// Print the secrets themselves
    ///
    /// The report is then as sensitive as the dump.
    #[arg(long)]
    pub show_secrets: bool,
    #[command(flatten)]
    pub unpacking: Unpacking,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// Where reports go, and in which format.
#[derive(Debug, ClapArgs)]
pub struct Reports {
    /// Format of the report
    #[arg(short, long, value_name = "FORMAT", default_value = first_printer(), value_parser = printer())]
    pub format: Chosen,
    /// Write the report to this file instead of standard output
    ///
    /// The file is readable by its owner only (0600), and is there whole or not at all.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write one more report, in this format to this file: sarif=dumpscrub.sarif; may be given several times
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = one_more)]
    pub more: Vec<OneMore>,
}

/// A report in a file of its own.
#[derive(Clone, Debug)]
pub struct OneMore {
    /// In which format.
    pub format: Chosen,
    /// Where.
    pub path: PathBuf,
}

fn one_more(text: &str) -> Result<OneMore, String> {
    let names = || PRINTERS.iter().map(|printer| printer.name()).collect::<Vec<_>>().join(", ");
    let Some((format, path)) = text.split_once('=').filter(|(_, path)| !path.is_empty()) else {
        return Err("write it as FORMAT=FILE".to_owned());
    };
    let printer = PRINTERS.iter().find(|printer| printer.name() == format);
    let &printer = printer.ok_or_else(|| format!("there is no format `{format}`; there are {}", names()))?;
    Ok(OneMore { format: Chosen(printer), path: PathBuf::from(path) })
}

/// Rewrite a dump without its secrets, and prove it
///
/// The dump is scanned, everything that counts is overwritten, and the result is checked before it gets its name: the same
/// size, no byte changed but the planned ones, the same map, nothing found by a fresh scan, no form of any secret left, and
/// every stack trace as before. If one check fails there is no output. The dump itself is never changed, unless --in-place
/// asks for it, and then it is replaced in one step.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::REDACT_HELP, group = clap::ArgGroup::new("goal").required(true))]
pub struct RedactArgs {
    /// The dump, or - for standard input
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,
    /// Write the redacted dump to this file, or - for standard output
    ///
    /// The file is readable by its owner only (0600), and is there whole and proven or not at all.
    #[arg(short, long, value_name = "FILE", group = "goal")]
    pub output: Option<PathBuf>,
    /// Put the redacted dump in the place of the original, with its owner, mode and extended attributes
    #[arg(long, group = "goal")]
    pub in_place: bool,
    /// Print what would be redacted, and write nothing
    #[arg(short = 'n', long, group = "goal")]
    pub dry_run: bool,
    /// Replace the output file and the receipt where they are there already
    #[arg(long)]
    pub force: bool,
    /// Write the receipt to this file [default: the name of the redacted dump and .receipt.json]
    ///
    /// The receipt says what was overwritten and what was checked, and holds nothing of the secrets. It must be named where
    /// the dump goes to standard output.
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Sign the receipt with this key (dumpscrub key new signing makes one)
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    #[command(flatten)]
    pub fingerprints: Fingerprints,
    /// What takes the place of a secret
    ///
    /// mask: letters X for text, in UTF-16 too; a constant that points nowhere for binary bytes. constant: the constant for
    /// everything. zero: zeros. label: the rule's name, again and again, for whoever looks at it in a debugger.
    #[arg(long, value_name = "FILL", default_value = "mask", value_parser = fill())]
    pub fill: Fill,
    /// Leave secrets in bytes that are never edited, such as a file's own header, and say so in the receipt
    #[arg(long)]
    pub leave_frozen: bool,
    /// Redact what was scanned even where something could not be scanned, and say so in the receipt
    #[arg(long)]
    pub allow_gaps: bool,
    /// Do not compare stack traces; the receipt says so
    #[arg(long)]
    pub no_unwind: bool,
    /// Lowest severity that is redacted
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = severity())]
    pub fail_on: Severity,
    /// Least evidence that a finding must have to be redacted
    #[arg(long, value_name = "EVIDENCE", default_value = "matched", value_parser = evidence())]
    pub min_evidence: Evidence,
    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub user_rules: UserRules,
    #[command(flatten)]
    pub unpacking: Unpacking,
    #[command(flatten)]
    pub known: KnownFiles,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// Containers: where they are unpacked, and how much of them.
#[derive(Debug, Default, ClapArgs)]
pub struct Unpacking {
    /// Unpack containers and pipes into files without names in this folder [default: the system's folder for such files]
    #[arg(long, value_name = "FOLDER")]
    pub spool_dir: Option<PathBuf>,
    /// Unpack at most so many bytes of one input: 500M, 64G [default: 4,000 times its size, and 1G to 256G]
    ///
    /// A small file that unpacks to an enormous one is made to harm. What is not unpacked is a gap.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub unpack_limit: Option<u64>,
}

impl Unpacking {
    /// How to unpack, with the number of threads that was asked for.
    pub fn settings(&self, threads: Option<u16>) -> Settings {
        let mut settings = Settings::default();
        if let Some(threads) = threads {
            settings.threads = threads.into();
        }
        if let Some(folder) = &self.spool_dir {
            settings.folder.clone_from(folder);
        }
        if let Some(limit) = self.unpack_limit {
            (settings.limits.modest, settings.limits.bytes) = (limit, limit);
        }
        settings
    }
}

fn size(text: &str) -> Result<u64, String> {
    units::size(text).ok_or_else(|| "write it as 500M or 64G".to_owned())
}

/// What the user knows already, and asks for.
#[derive(Debug, Default, ClapArgs)]
pub struct KnownFiles {
    /// Look for the private keys of the certificates and public keys in FILE; may be given several times
    ///
    /// PEM, DER, lines of authorized_keys, .pub files, and JSON Web Keys. The dump need not hold the public half: this is
    /// how to ask whether this very key was in a dump. The report answers for each of them. A private key is taken too, and
    /// then searched in every form, from a file that only its owner may read (chmod 600).
    #[arg(long = "known", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Search the secrets in FILE, in every form in which programs keep them; may be given several times
    ///
    /// Each line is a secret, such as a token or a password; private keys are taken as PEM, DER or JSON Web Keys. Only the
    /// owner may be able to read the file (chmod 600). The report answers for each secret, names it by its line, and does not
    /// print it.
    #[arg(long = "known-secrets", value_name = "FILE")]
    pub secrets: Vec<PathBuf>,
}

/// Fingerprints, which need a key.
#[derive(Debug, Default, ClapArgs)]
pub struct Fingerprints {
    /// Tell each secret's fingerprint, made with this key (dumpscrub key new fingerprint makes one)
    ///
    /// The same secret has the same fingerprint in every dump and in every form, and nobody can guess the secret from it
    /// who does not have the key.
    #[arg(long, value_name = "KEY")]
    pub fingerprint_key: Option<PathBuf>,
}

/// Show what a dump is made of: streams, memory, threads, modules, faults
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::HELP)]
pub struct MapArgs {
    /// The dump, or - for standard input
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,
    #[command(flatten)]
    pub unpacking: Unpacking,
    #[command(flatten)]
    pub format: PlainFormat,
}

/// Show, check or import rules: what is looked for, and what to do when it is found
#[derive(Debug, ClapArgs)]
pub struct RulesArgs {
    #[command(subcommand)]
    pub action: RulesAction,
    #[command(flatten)]
    pub files: UserRules,
}

/// Rules that the user brings.
#[derive(Debug, Default, ClapArgs)]
pub struct UserRules {
    /// Add the text rules of this TOML file; may be given several times
    ///
    /// docs/rules.md says how to write one. A file that is wrong ends the program with exit code 2, and names the rule.
    #[arg(long = "rules", value_name = "FILE", global = true)]
    pub rules: Vec<PathBuf>,
    /// Which rules are looked for
    ///
    /// default: rules that know a secret by its issuer, its structure or its checksum. paranoid: also rules that know it only
    /// by the words around it, such as password = "..."; they are often wrong, and reports say which they are.
    #[arg(long, value_name = "PROFILE", default_value = "default", value_parser = profile(), global = true)]
    pub profile: Profile,
}

#[derive(Debug, Subcommand)]
pub enum RulesAction {
    /// List every rule
    List(PlainFormat),
    /// Check that every rule is whole and does what its examples say
    Check(PlainFormat),
    Import(ImportArgs),
}

/// Make rules of another scanner's: gitleaks, betterleaks, Nosey Parker, Kingfisher 1.x
///
/// The file is TOML with [[rules]], or YAML with a list of rules. Each rule is rewritten for memory: what asks for the end of
/// a text goes, what repeats without bound gets a bound, and the rule must then find its examples, or texts that are made up,
/// in every surrounding that memory has. A rule that cannot is refused by name. What a rule says and has no counterpart is
/// told; rules that try credentials lose that part. --rules takes the file that is written.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::IMPORT_HELP)]
pub struct ImportArgs {
    /// The file of rules, or - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the rules to this file [default: standard output, and the report goes to standard error]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub format: PlainFormat,
}

/// A choice between text and JSON.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct PlainFormat {
    /// Format of the output
    #[arg(short = 'f', long = "format", value_name = "FORMAT", default_value = "text", value_parser = json_or_text(), action = clap::ArgAction::Set)]
    pub json: bool,
}

/// Print completions for a shell
#[derive(Debug, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Print the manual page
#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// The command whose page it is; the program's own page where none is named
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// Parses the command line; ends the program where it asks for help or makes no sense.
pub fn parse() -> Args {
    Args::parse()
}

/// The command line as data, for completions and manual pages.
pub fn command() -> clap::Command {
    Args::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_that_can_fail_teaches_its_exit_codes() {
        for name in ["scan", "redact", "verify", "map", "gate"] {
            let help = command().find_subcommand_mut(name).unwrap().render_long_help().to_string();
            assert!(help.contains("Exit codes:") && help.contains("2 comes before 1"), "{name}");
        }
        assert!(command().render_help().to_string().contains("Exit codes:"));
    }

    #[test]
    fn defaults_are_what_the_help_says() {
        let args = Args::try_parse_from(["dumpscrub", "scan", "a.dmp"]).unwrap();
        let Command::Scan(scan) = args.command else { panic!("not a scan") };
        assert_eq!((scan.fail_on, scan.min_evidence), (Severity::Low, Evidence::Matched));
        assert_eq!((scan.reports.format.0.name(), args.manner.detail()), ("text", Detail::Normal));
        assert!(!scan.show_secrets);
    }
}
