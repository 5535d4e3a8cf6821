//! Words of what is done with receipts, and with the keys that sign them.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{KnownFiles, PlainFormat, Unpacking, UserRules};
use crate::commands::exit;

/// Check a redacted dump and its receipt again
///
/// From the files alone: the signature, the digest of the dump, the bytes that were overwritten, and a new scan. With the
/// original also that nothing else was changed, that no form of any secret is left, and that every stack trace is as before.
/// What cannot be checked is said.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::VERIFY_HELP)]
pub struct VerifyArgs {
    /// The redacted dump
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,
    /// Its receipt [default: the name of the dump and .receipt.json]
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// The dump as it was before
    #[arg(long, value_name = "FILE")]
    pub original: Option<PathBuf>,
    /// The public key (KEY.pub) whose signature the receipt must have
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PathBuf>,
    #[command(flatten)]
    pub format: PlainFormat,
    #[command(flatten)]
    pub user_rules: UserRules,
    #[command(flatten)]
    pub known: KnownFiles,
    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub unpacking: Unpacking,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// Say of an address whether redaction changed what stands there
///
/// For somebody in a debugger who wonders whether a value is the program's or what redaction left.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::PLAIN_HELP)]
pub struct ExplainArgs {
    /// The receipt
    #[arg(value_name = "RECEIPT")]
    pub receipt: PathBuf,
    /// An address in the dumped process, as debuggers print it: 0x7ffe01a8 or 00007ffe`000001a8
    #[arg(value_name = "ADDRESS")]
    pub place: String,
    /// It is an offset in the dump file: 4096 or 0x1000
    #[arg(long)]
    pub offset: bool,
    /// The member of a container that is meant, where more than one was redacted
    #[arg(long, value_name = "NAME")]
    pub member: Option<String>,
    #[command(flatten)]
    pub format: PlainFormat,
}

/// Work with receipts
#[derive(Debug, ClapArgs)]
pub struct ReceiptArgs {
    #[command(subcommand)]
    pub action: ReceiptAction,
}

#[derive(Debug, Subcommand)]
pub enum ReceiptAction {
    /// Show a receipt on one page: what was found and redacted, what was left, what was proven
    ///
    /// It shows what the receipt says. Whether that is so is what dumpscrub verify checks.
    #[command(after_help = exit::PLAIN_HELP)]
    Show {
        /// The receipt
        #[arg(value_name = "RECEIPT")]
        receipt: PathBuf,
    },
}

/// Make keys
#[derive(Debug, ClapArgs)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub action: KeyAction,
}

#[derive(Debug, Subcommand)]
pub enum KeyAction {
    /// Make a new key
    New {
        #[command(subcommand)]
        kind: NewKey,
    },
}

#[derive(Debug, Subcommand)]
pub enum NewKey {
    /// A key that signs receipts (Ed25519), and its public half in FILE.pub
    #[command(after_help = exit::PLAIN_HELP)]
    Signing(KeyFile),
    /// A key that fingerprints of secrets are made with
    #[command(after_help = exit::PLAIN_HELP)]
    Fingerprint(KeyFile),
}

#[derive(Debug, ClapArgs)]
pub struct KeyFile {
    /// The file, which must not be there yet; only its owner may read it (0600)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}
