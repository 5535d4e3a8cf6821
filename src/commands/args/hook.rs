//! The words of `dumpscrub hook` and `dumpscrub quarantine`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::commands::exit;

/// Decide on dumps where they come from, before they are uploaded
///
/// Each hook takes dumps from one crash pipeline. A dump passes, passes redacted and proven, or goes to quarantine, as the
/// policy says; where that cannot be decided or carried out, it does not go on (it fails closed), and the log says where it is.
/// docs/hooks/ has a page for each, which says how to install it, and when the unredacted file is readable, and by whom.
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::HOOK_HELP)]
pub struct HookArgs {
    #[command(subcommand)]
    pub kind: HookKind,
}

#[derive(Debug, Subcommand)]
pub enum HookKind {
    /// Take a core from the kernel's pipe (/proc/sys/kernel/core_pattern)
    ///
    /// The core is read from standard input, to its end whatever happens. The template that the kernel is given:
    ///
    ///   |/usr/bin/dumpscrub hook core-pattern --policy /etc/dumpscrub.toml -- %P %u %g %s %t %c %h
    ///
    /// The log goes to hook.log in the policy's state folder, because there is no standard error.
    #[command(after_help = exit::HOOK_HELP)]
    CorePattern {
        #[command(flatten)]
        common: Common,
        /// Hand the redacted core on: systemd-coredump, apport, or the path of a program; it gets ARGS and the core on its
        /// standard input
        #[arg(long, value_name = "PROGRAM")]
        chain: Option<OsString>,
        /// What the kernel says of the crash: %P %u %g %s %t %c %h
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Take every dump that falls into a folder; what was decided goes to the release folder
    #[command(after_help = exit::HOOK_HELP)]
    Folder {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        waiting: Waiting,
        /// The folder
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Go on with everything that was left when a hook was killed
    #[command(after_help = exit::HOOK_HELP)]
    Resume {
        #[command(flatten)]
        common: Common,
    },
    /// The process that looks at dumps, which hooks start
    #[command(hide = true)]
    Work {
        #[command(flatten)]
        common: Common,
        /// Number of threads
        #[arg(long, value_name = "N", default_value_t = 1)]
        threads: u16,
    },
}

/// What every hook is told.
#[derive(Clone, Debug, ClapArgs)]
pub struct Common {
    /// The policy: what passes, what is redacted, what is kept back; folders and limits
    ///
    /// Where the hook runs as root, the file must belong to root and nobody else may write to it.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// Format of the log: one line for each decision
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log: LogFormat,
    /// Append the log to this file [default: standard error; core-pattern: hook.log in the state folder]
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Write metrics in the text format of Prometheus to this file after every decision
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}

/// How a folder is waited for.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct Waiting {
    /// Stay, and take what comes
    #[arg(long)]
    pub watch: bool,
    /// Seconds without a change after which a file is complete
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub settle: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write it as 5 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Look after dumps that did not pass
#[derive(Debug, ClapArgs)]
#[command(after_help = exit::PLAIN_HELP)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    pub action: QuarantineAction,
}

#[derive(Debug, Subcommand)]
pub enum QuarantineAction {
    /// List them, and why they are there
    #[command(after_help = exit::PLAIN_HELP)]
    List {
        #[command(flatten)]
        common: Common,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Move dumps to the release folder as they are, with all that they hold; the log says so
    #[command(after_help = exit::PLAIN_HELP)]
    Release {
        #[command(flatten)]
        common: Common,
        /// Their numbers, as the list names them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Move them to this folder instead
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
    /// Remove dumps for good; the log says so
    #[command(after_help = exit::PLAIN_HELP, group = clap::ArgGroup::new("which").required(true))]
    Purge {
        #[command(flatten)]
        common: Common,
        /// Their numbers, as the list names them
        #[arg(value_name = "ID", group = "which")]
        ids: Vec<String>,
        /// All that came more than so many days ago
        #[arg(long, value_name = "DAYS", group = "which")]
        older_than: Option<u64>,
        /// All of them
        #[arg(long, group = "which")]
        all: bool,
    },
}

impl HookKind {
    /// What every hook is told.
    pub fn common(&self) -> &Common {
        match self {
            Self::CorePattern { common, .. }
            | Self::Folder { common, .. }
            | Self::Resume { common }
            | Self::Work { common, .. } => common,
        }
    }

    /// The name of the hook in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CorePattern { .. } => "core-pattern",
            Self::Folder { .. } => "folder",
            Self::Resume { .. } => "resume",
            Self::Work { .. } => "work",
        }
    }
}
