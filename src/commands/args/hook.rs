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
    /// Redact cores in the place where systemd-coredump stored them, with their attributes, owner and time
    #[command(after_help = exit::HOOK_HELP)]
    SystemdCoredump {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        waiting: Waiting,
        /// The folder of the cores
        #[arg(value_name = "FOLDER", default_value = "/var/lib/systemd/coredump")]
        folder: PathBuf,
    },
    /// Redact the reports of a Crashpad database in their places, under the lock that Crashpad honours
    #[command(after_help = exit::HOOK_HELP)]
    Crashpad {
        #[command(flatten)]
        common: Common,
        /// Stay, and take what comes
        #[arg(long)]
        watch: bool,
        /// The database: the folder that holds pending and completed, or reports
        #[arg(value_name = "DATABASE")]
        database: PathBuf,
    },
    /// Redact an envelope of sentry-native in its place, and hand it on (an external crash reporter)
    #[command(after_help = exit::HOOK_HELP)]
    SentryNative {
        #[command(flatten)]
        common: Common,
        /// The envelope: the one argument that sentry-native calls its reporter with
        #[arg(value_name = "ENVELOPE")]
        envelope: PathBuf,
        /// The program that the envelope goes to, if it goes on; its path is the last argument
        #[arg(last = true, value_name = "COMMAND")]
        then: Vec<OsString>,
    },
    /// Redact a minidump of Breakpad in its place, and hand it on
    #[command(after_help = exit::HOOK_HELP)]
    Breakpad {
        #[command(flatten)]
        common: Common,
        /// The minidump, as the client's callback names it
        #[arg(value_name = "DUMP")]
        dump: PathBuf,
        /// The program that the dump goes to, if it goes on; its path is the last argument
        #[arg(last = true, value_name = "COMMAND")]
        then: Vec<OsString>,
    },
    /// Take every dump that Windows Error Reporting writes to a folder (LocalDumps, DumpFolder)
    #[command(after_help = exit::HOOK_HELP)]
    Wer {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        waiting: Waiting,
        /// The folder, or the share that it is on
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Redact a problem folder of abrt in its place (EVENT=post-create)
    #[command(after_help = exit::HOOK_HELP)]
    Abrt {
        #[command(flatten)]
        common: Common,
        /// The problem folder
        #[arg(value_name = "FOLDER", default_value = ".")]
        folder: PathBuf,
    },
    /// Redact apport's reports in their places
    #[command(after_help = exit::HOOK_HELP)]
    Apport {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        waiting: Waiting,
        /// The folder of the reports
        #[arg(value_name = "FOLDER", default_value = "/var/crash")]
        folder: PathBuf,
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
            | Self::SystemdCoredump { common, .. }
            | Self::Crashpad { common, .. }
            | Self::SentryNative { common, .. }
            | Self::Breakpad { common, .. }
            | Self::Wer { common, .. }
            | Self::Abrt { common, .. }
            | Self::Apport { common, .. }
            | Self::Folder { common, .. }
            | Self::Resume { common }
            | Self::Work { common, .. } => common,
        }
    }

    /// The name of the hook in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CorePattern { .. } => "core-pattern",
            Self::SystemdCoredump { .. } => "systemd-coredump",
            Self::Crashpad { .. } => "crashpad",
            Self::SentryNative { .. } => "sentry-native",
            Self::Breakpad { .. } => "breakpad",
            Self::Wer { .. } => "wer",
            Self::Abrt { .. } => "abrt",
            Self::Apport { .. } => "apport",
            Self::Folder { .. } => "folder",
            Self::Resume { .. } => "resume",
            Self::Work { .. } => "work",
        }
    }
}
